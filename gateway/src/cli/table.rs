//! `table`: what legal teams do with the table of jurisdictions.

use std::io::{IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, Subcommand};
use policy::{Code, Diff, Problem, Severity, Table};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{CliError, admin, out};
use crate::access::{Access, Denied};
use crate::clock::Clock;
use crate::config::Config;
use crate::gate::ask::Medium;
use crate::gate::{Author, Gate, Impact, Outcome, lawbook, today};
use crate::serve;

#[derive(Subcommand)]
pub(super) enum TableCommand {
    /// Tell everything that is wrong with a table; exit code 0 nothing, 1 mistakes, 3 warnings only
    Check {
        /// The table
        file: std::path::PathBuf,
        /// The day on which it is looked at [default: today]
        #[arg(long, value_name = "DATE")]
        today: Option<String>,
    },
    /// Tell what changes in meaning; exit code 0 nothing is loosened, 3 something is
    Diff {
        /// A file, `in-force`, or `version:N`
        old: String,
        /// A file, `in-force`, or `version:N`
        new: String,
    },
    /// The rule in force for a place, or the whole table
    Show(Show),
    #[command(flatten)]
    Desk(Desk),
}

/// What needs the ledger.
#[derive(Subcommand)]
pub(super) enum Desk {
    /// Rehearse a table on every call of the trail
    Impact {
        /// A file, or `version:N`
        new: String,
        /// Only calls that were opened then or later (RFC 3339, or a day)
        #[arg(long, value_name = "DATE")]
        since: Option<String>,
        /// Only calls of this account
        #[arg(long)]
        account: Option<String>,
    },
    /// Put a table in force, or propose it where it loosens anything; exit code 3 where it is proposed
    Publish {
        /// A file, or `version:N` to go back
        file: String,
        #[command(flatten)]
        who: Who,
    },
    /// Every version, the newest first
    Versions,
    /// The text of a version
    Version {
        /// Its number or digest
        version: String,
    },
    /// Every proposal, the newest first
    Proposals,
    /// A proposal, with its difference and its impact
    Proposal {
        /// Its id
        proposal: String,
    },
    /// Approve somebody else's proposal
    Approve {
        /// Its id
        proposal: String,
        #[command(flatten)]
        who: Who,
    },
    /// Reject a proposal
    Reject {
        /// Its id
        proposal: String,
        #[command(flatten)]
        who: Who,
    },
    /// Withdraw one's own proposal
    Withdraw {
        /// Its id
        proposal: String,
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Args)]
pub(super) struct Show {
    /// The place, such as `US-CA`
    code: Option<String>,
    /// The day or moment [default: now]
    #[arg(long, value_name = "DATE")]
    at: Option<String>,
    /// telephone, voip or video
    #[arg(long, value_name = "MEDIUM")]
    medium: Option<String>,
    /// A file, `in-force`, or `version:N`
    #[arg(long, value_name = "TABLE", default_value = "in-force")]
    table: String,
}

/// Somebody with a credential: a shell on the machine is nobody in particular.
#[derive(Args)]
pub(super) struct Who {
    /// A `counsel` credential of the account `system`
    #[arg(long = "as", value_name = "USERNAME")]
    username: String,
    /// Its password; better in the environment than on the command line
    #[arg(long, env = "CONSENT_GATEWAY_PASSWORD", hide_env_values = true, hide = true)]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Why
    #[arg(long, default_value = "")]
    reason: String,
}

pub(super) async fn run(config: Config, command: TableCommand, json: bool) -> Result<(), CliError> {
    match command {
        TableCommand::Check { file, today } => check(&file, today.as_deref(), json),
        TableCommand::Diff { old, new } => diff(&config, &old, &new, json).await,
        TableCommand::Show(asked) => show(&config, asked, json).await,
        TableCommand::Desk(command) => desk(&config, command, json).await,
    }
}

fn check(file: &Path, day: Option<&str>, json: bool) -> Result<(), CliError> {
    let name = file.display().to_string();
    let text = read(file)?;
    let today = match day {
        Some(text) => text
            .parse()
            .map_err(|_| CliError::Wrong(format!("`{text}` is no day; write for example `2026-11-20`")))?,
        None => today(Clock::system().now()),
    };
    let (table, problems) = Table::check(&text, today);
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let rows = table.as_ref().map(|table| table.rows().count());
    let unread = table.as_ref().map(|table| table.rows().filter(|row| row.source.reviewed.is_none()).count());
    let overlays = table.as_ref().map_or((0, 0), |table| {
        let unread = table.overlays().filter(|overlay| overlay.source.reviewed.is_none());
        (table.overlays().count(), unread.count())
    });
    if json {
        out::json(&json!({
            "file": name, "usable": table.is_some(), "digest": table.as_ref().map(Table::digest),
            "rows": rows, "unreviewed": unread, "errors": errors, "warnings": warnings, "problems": problems,
        }));
    } else {
        problems.iter().for_each(|problem| out::line(problem_line(&name, problem)));
        out::line(match (rows, unread) {
            (Some(rows), Some(unread)) => format!(
                "{name}: {} and {}: no mistakes and {}; {}",
                many(rows, "row"),
                many(overlays.0, "overlay"),
                many(warnings, "warning"),
                match unread + overlays.1 {
                    0 => "a lawyer has read every one".to_owned(),
                    unread => format!("{unread} not read by a lawyer yet"),
                }
            ),
            _ => format!(
                "{name}: {} and {}: the table cannot be used",
                many(errors, "mistake"),
                many(warnings, "warning")
            ),
        });
    }
    match (errors, warnings) {
        (0, 0) => Ok(()),
        (0, _) => Err(CliError::Exit(3)),
        _ => Err(CliError::Exit(1)),
    }
}

async fn diff(config: &Config, old: &str, new: &str, json: bool) -> Result<(), CliError> {
    let (old, new) = (table(config, old).await?.0, table(config, new).await?.0);
    let diff = Diff::between(&old, &new);
    if json {
        out::json(&json!(diff));
    } else {
        diff_lines(&json!(diff)).iter().for_each(out::line);
    }
    if diff.loosens { Err(CliError::Exit(3)) } else { Ok(()) }
}

async fn show(config: &Config, asked: Show, json: bool) -> Result<(), CliError> {
    let (table, _) = table(config, &asked.table).await?;
    let at = match asked.at.as_deref() {
        Some(text) => admin::date(text)?,
        None => Clock::system().now(),
    };
    let medium = asked.medium.as_deref().map(admin::word::<Medium>).transpose()?;
    let Some(code) = asked.code else {
        let whole = lawbook::table(&table);
        if json {
            out::json(&whole);
        } else {
            table_lines(&table, medium.map(Into::into)).iter().for_each(out::line);
        }
        return Ok(());
    };
    let meant = |text: &str| -> String {
        let near = policy::atlas::nearest(text);
        let near: Vec<String> = near.iter().map(|(code, name)| format!("`{code}` ({name})")).collect();
        if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
    };
    let wrong = |error: policy::CodeError| CliError::Wrong(format!("{error}{}", meant(&code)));
    let code: Code = code.parse().map_err(wrong)?;
    let shown = lawbook::place(&table, code, at, medium.map(Into::into));
    if json {
        out::json(&shown);
        return Ok(());
    }
    place_lines(&table, code, at, &shown).iter().for_each(out::line);
    if policy::atlas::name(code).is_none() {
        out::line(format!("  ISO 3166 knows no place `{code}`{}", meant(code.as_str())));
    }
    if let Some((state, name)) = policy::atlas::mistaken(code) {
        out::line(format!("  (`{code}` is a country; {name} is `{state}`)"));
    }
    Ok(())
}

async fn desk(config: &Config, command: Desk, json: bool) -> Result<(), CliError> {
    let gate = serve::gate(config, Clock::system()).await?;
    let outcome = at_desk(config, &gate, command, json).await;
    gate.ledger.close().await;
    outcome
}

async fn at_desk(config: &Config, gate: &Gate, command: Desk, json: bool) -> Result<(), CliError> {
    match command {
        Desk::Impact { new, since, account } => {
            // A name with a typing error has no calls, and is no reason to believe that nothing changes.
            if let Some(account) = &account {
                admin::must_exist(gate, account).await?;
            }
            let (new, _) = table_of(config, Some(gate), &new).await?;
            let since = since.as_deref().map(admin::date).transpose()?;
            let bar = Bar::new();
            let base = gate.laws.in_force();
            let impact = gate
                .impact(&base, &Arc::new(new), since, account.as_deref(), &|done, all| bar.show(done, all))
                .await?;
            bar.end();
            tell_impact(gate, &impact, json).await?;
        }
        Desk::Publish { file, who } => {
            let author = author(gate, &who).await?;
            let (_, text) = table_of(config, Some(gate), &file).await?;
            match gate.publish(&author, &text, &who.reason).await? {
                Outcome::Same => {
                    admin::say(json, &json!({"state": "in-force"}), || "it is in force already".into())
                }
                Outcome::InForce(version) => {
                    let number = version.get("version").cloned().unwrap_or_default();
                    admin::say(json, &json!({"state": "in-force", "version": version}), || {
                        format!("version {number} is in force")
                    });
                }
                Outcome::Proposed(uid, proposal) => {
                    admin::say(json, &json!({"state": "proposed", "proposal": proposal}), || {
                        format!(
                            "{}\nit loosens something, so it is proposed and waits for a second person: table approve {uid}",
                            proposal_text(&proposal)
                        )
                    });
                    return Err(CliError::Exit(3));
                }
            }
        }
        Desk::Versions => {
            let versions = gate.versions().await?;
            admin::say(json, &json!(versions), || lines(&versions, version_line));
        }
        Desk::Version { version } => {
            let shown = gate.version(&version).await?;
            let text =
                || shown.get("table").and_then(Value::as_str).unwrap_or_default().trim_end().to_owned();
            admin::say(json, &shown, text);
        }
        Desk::Proposals => {
            let proposals = gate.proposals().await?;
            admin::say(json, &json!(proposals), || lines(&proposals, proposal_line));
        }
        Desk::Proposal { proposal } => {
            let shown = gate.proposal(&proposal).await?;
            admin::say(json, &shown, || proposal_text(&shown));
        }
        Desk::Approve { proposal, who } => {
            let author = author(gate, &who).await?;
            let shown = gate.approve(&author, &proposal, &who.reason).await?;
            admin::say(json, &shown, || {
                match shown.get("version") {
                Some(version) => format!("version {version} is in force"),
                None => "nobody was known to have proposed it: you have now, and a second person has to approve it".into(),
            }
            });
        }
        Desk::Reject { proposal, who } => turn_down(gate, &proposal, &who, false, json).await?,
        Desk::Withdraw { proposal, who } => turn_down(gate, &proposal, &who, true, json).await?,
    }
    Ok(())
}

async fn turn_down(
    gate: &Gate,
    proposal: &str,
    who: &Who,
    withdraw: bool,
    json: bool,
) -> Result<(), CliError> {
    let author = author(gate, who).await?;
    let shown = gate.turn_down(&author, proposal, withdraw, &who.reason).await?;
    admin::say(json, &shown, || {
        format!("proposal {proposal} is {}", if withdraw { "withdrawn" } else { "rejected" })
    });
    Ok(())
}

/// Who acts: by a credential, as at the door.
async fn author(gate: &Gate, who: &Who) -> Result<Author, CliError> {
    let password = match (&who.password, who.password_stdin) {
        (_, true) => admin::read_password()?,
        (Some(password), false) => Zeroizing::new(password.clone()),
        (None, false) => {
            return Err(CliError::Wrong(
                "no password: set CONSENT_GATEWAY_PASSWORD, or use `--password-stdin`".into(),
            ));
        }
    };
    let pair = Zeroizing::new(format!("{}:{}", who.username, password.as_str()));
    let header = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
    let access = Access::new(gate.ledger.clone());
    match access.check(Some(header.as_bytes()), IpAddr::V4(Ipv4Addr::LOCALHOST)).await {
        Ok(principal) => Ok(gate.author(&principal).await?),
        Err(Denied::Unavailable(error)) => Err(crate::gate::Fault::from(error).into()),
        Err(Denied::Wrong | Denied::Throttled(_) | Denied::Busy) => {
            Err(CliError::Wrong("this credential and password do not go together".into()))
        }
    }
}

/// A table by its name on the command line, with its text.
pub(super) async fn table(config: &Config, name: &str) -> Result<(Table, String), CliError> {
    let of_ledger = name == "in-force" || name.starts_with("version:");
    if of_ledger && crate::ledger::file(&config.data).exists() {
        let gate = serve::gate(config, Clock::system()).await?;
        let found = table_of(config, Some(&gate), name).await;
        gate.ledger.close().await;
        return found;
    }
    table_of(config, None, name).await
}

async fn table_of(config: &Config, gate: Option<&Gate>, name: &str) -> Result<(Table, String), CliError> {
    let number = name.strip_prefix("version:");
    let text = match (gate, name, number) {
        (Some(gate), "in-force", _) => text_of(gate, &gate.laws.version().number.to_string()).await?,
        (Some(gate), _, Some(number)) => text_of(gate, number).await?,
        (None, "in-force", _) => serve::table_text(config)?.2,
        (None, _, Some(_)) => {
            return Err(CliError::Wrong(format!(
                "`{}` has no ledger, so there is no `{name}`",
                config.data.display()
            )));
        }
        _ => read(Path::new(name))?,
    };
    let (table, problems) = Table::check(&text, today(Clock::system().now()));
    let table = table.ok_or_else(|| {
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        CliError::Wrong(errors.map(|problem| problem_line(name, problem)).collect::<Vec<_>>().join("\n"))
    })?;
    Ok((table, text))
}

async fn text_of(gate: &Gate, version: &str) -> Result<String, CliError> {
    let version = gate.version(version).await?;
    Ok(version.get("table").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn read(file: &Path) -> Result<String, CliError> {
    serve::read_text(file)
        .map_err(|source| CliError::Io { what: format!("`{}` cannot be read", file.display()), source })
}

async fn tell_impact(gate: &Gate, impact: &Impact, json: bool) -> Result<(), CliError> {
    let mut shown = json!(impact);
    gate.name_calls(&mut shown).await?;
    admin::say(json, &shown, || impact_lines(&shown).join("\n"));
    Ok(())
}

fn problem_line(name: &str, problem: &Problem) -> String {
    let Problem { line, column, severity, message, hint, .. } = problem;
    let hint = hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{name}:{line}:{column}: {}: {message}{hint}", severity.as_str())
}

/// A difference for people: what is loosened first, since that is what needs a second person.
fn diff_lines(diff: &Value) -> Vec<String> {
    let changes = items(diff, "changes");
    let mut lines = Vec::new();
    for (direction, heading) in [
        ("looser", "LOOSER: less is asked"),
        ("both", "LOOSER AND STRICTER: less is asked in one respect, more in another"),
        ("stricter", "STRICTER: more is asked"),
        ("wording", "WORDING: the same is asked, in other words"),
    ] {
        let of = changes.iter().filter(|change| word(change, "direction") == direction);
        for (index, change) in of.enumerate() {
            if index == 0 {
                lines.push(heading.to_owned());
            }
            lines.push(format!("  {}{}", subject(change), days(change)));
            for point in items(change, "points") {
                lines.extend(point_lines(point, direction));
            }
        }
    }
    let flag = |name: &str| diff.get(name).and_then(Value::as_bool).unwrap_or(false);
    lines.push(match (flag("tightens"), flag("loosens"), changes.is_empty()) {
        (_, _, true) => "nothing changes".to_owned(),
        (false, false, false) => "only wording changes: one person can publish it".to_owned(),
        (true, false, _) => "nothing is loosened: one person can publish it".to_owned(),
        (_, true, _) => "something is loosened: it needs a second person".to_owned(),
    });
    lines
}

fn subject(change: &Value) -> String {
    let name = word(change, "name");
    let named = |what: String| if name.is_empty() { what } else { format!("{what} ({name})") };
    if let Some(code) = change.get("place").and_then(Value::as_str) {
        named(code.to_owned())
    } else if let Some(evidence) = change.get("evidence").and_then(Value::as_str) {
        format!("[evidence] `{evidence}`: places known by it and by nothing stronger")
    } else if let Some(overlay) = change.get("overlay").and_then(Value::as_str) {
        named(format!("overlay `{overlay}`"))
    } else {
        "[default]: wherever nothing is known, and places without a row".to_owned()
    }
}

fn days(change: &Value) -> String {
    match (change.get("from").and_then(Value::as_str), change.get("to").and_then(Value::as_str)) {
        (Some(from), Some(to)) if from == to => format!(", on {from}"),
        (Some(from), Some(to)) => format!(", from {from} to {to}"),
        (Some(from), None) => format!(", from {from} on"),
        (None, Some(to)) => format!(", to {to}"),
        (None, None) => String::new(),
    }
}

fn point_lines(point: &Value, direction: &str) -> Vec<String> {
    let (before, after) = (word(point, "before"), word(point, "after"));
    let way = word(point, "direction");
    let which = if way == direction { String::new() } else { format!(" ({way})") };
    let mut lines = vec![format!("    {}{which}", word(point, "of"))];
    if way == "wording" {
        let (before, after) = differing(before, after);
        lines.push(format!("      was: {before}"));
        lines.push(format!("      now: {after}"));
        return lines;
    }
    // What both ask is said once.
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split("; ").collect(), after.split("; ").collect());
    let stays: Vec<&str> = old.iter().copied().filter(|clause| new.contains(clause)).collect();
    let only = |these: &[&str], others: &[&str]| -> String {
        let only: Vec<&str> = these.iter().copied().filter(|clause| !others.contains(clause)).collect();
        if only.is_empty() { "nothing more".to_owned() } else { only.join("; ") }
    };
    lines.push(format!("      was: {}", only(&old, &new)));
    lines.push(format!("      now: {}", only(&new, &old)));
    if !stays.is_empty() {
        lines.push(format!("      as before: {}", stays.join("; ")));
    }
    lines
}

/// Two long texts, without what they begin and end with alike: a few words of it are left.
fn differing(before: &str, after: &str) -> (String, String) {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split(' ').collect(), after.split(' ').collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let head = old.iter().zip(&new).take_while(same).count();
    let least = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(least).take_while(same).count();
    let cut = |words: &[&str]| {
        let (from, to) = (head.saturating_sub(AROUND), (words.len() - tail + AROUND).min(words.len()));
        let (from, to) =
            (if from < AROUND { 0 } else { from }, if to + AROUND > words.len() { words.len() } else { to });
        let kept = words.get(from..to).unwrap_or_default().join(" ");
        let dots = |cut: bool| if cut { "…" } else { "" };
        let (left, right) = (dots(from > 0), dots(to < words.len()));
        format!(
            "{left}{}{kept}{}{right}",
            if left.is_empty() { "" } else { " " },
            if right.is_empty() { "" } else { " " }
        )
    };
    (cut(&old), cut(&new))
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn impact_lines(impact: &Value) -> Vec<String> {
    let count = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    let effects = |value: &Value| {
        format!(
            "{} blocked, {} allowed, {} asked more, {} asked less, {} recordings would lack consent",
            count(value, "blocked"),
            count(value, "allowed"),
            count(value, "asked_more"),
            count(value, "asked_less"),
            count(value, "lacking"),
        )
    };
    let mut lines = vec![format!(
        "{} calls and {} recordings replayed",
        count(impact, "calls"),
        count(impact, "recordings")
    )];
    if count(impact, "unreadable") > 0 {
        lines.push(format!("{} calls could not be read, and are in no count", count(impact, "unreadable")));
    }
    lines.extend(impact.get("total").map(|total| format!("in all: {}", effects(total))));
    let none = serde_json::Map::new();
    for (place, value) in impact.get("places").and_then(Value::as_object).unwrap_or(&none) {
        lines.push(format!("{place}: {}", effects(value)));
        for example in value.get("examples").and_then(Value::as_array).into_iter().flatten() {
            let words: Vec<&str> = example
                .get("effects")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let text = |name: &str| example.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
            lines.push(format!(
                "  for example {} of `{}`: {}",
                text("call"),
                text("account"),
                words.join(", ")
            ));
        }
    }
    lines
}

fn table_lines(table: &Table, medium: Option<policy::Medium>) -> Vec<String> {
    let medium = medium.unwrap_or(policy::Medium::Unknown);
    let said = |requirement: &policy::Requirement| policy::decision::words(requirement);
    let conversation = policy::Kind::Conversation;
    let mut lines = vec![
        format!("table {}", table.digest()),
        format!("wherever nothing is known: {}", said(&table.default_asks(medium, conversation))),
    ];
    for evidence in [policy::Evidence::Number, policy::Evidence::Ip, policy::Evidence::Declared] {
        let floor = said(&policy::Requirement::from(table.floor(evidence)));
        lines.push(format!("a place known by `{}` only, at least: {floor}", evidence.as_str()));
    }
    for row in table.rows() {
        let days = held(row.effective_from, row.effective_to);
        let asks = said(&row.asks(medium, conversation));
        lines.push(format!("{:6} {}{days}: {asks}", row.code.to_string(), row.name));
    }
    for overlay in table.overlays() {
        let days = held(overlay.effective_from, overlay.effective_to);
        let adds = policy::decision::adds(&overlay.asks);
        lines.push(format!("overlay {} ({}){days}: {adds}", overlay.id, overlay.name));
    }
    lines
}

fn held(from: Option<jiff::civil::Date>, to: Option<jiff::civil::Date>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!(", from {from} to {to}"),
        (Some(from), None) => format!(", from {from}"),
        (None, Some(to)) => format!(", to {to}"),
        (None, None) => String::new(),
    }
}

fn place_lines(table: &Table, code: Code, at: jiff::Timestamp, shown: &Value) -> Vec<String> {
    let name = match word(shown, "name") {
        "" => String::new(),
        name => format!(" ({name})"),
    };
    let mut lines = vec![format!("{code}{name}, a call that starts at {}", word(shown, "at"))];
    let conversation = by_medium(shown, "asks");
    let voicemail = by_medium(shown, "voicemail");
    for (media, says) in &conversation {
        lines.push(format!("  {media}: {says}"));
    }
    if voicemail == conversation {
        lines.push("  voicemail: the same".into());
    } else {
        lines.extend(voicemail.iter().map(|(media, says)| format!("  voicemail, {media}: {says}")));
    }
    let emergency = shown.get("emergency").map(|asks| word(asks, "says")).unwrap_or_default();
    lines.push(format!("  emergency calls: {emergency}"));
    lines.push(format!("  in plain words: {}", word(shown, "says")));
    let mut rows: Vec<&policy::table::Row> = table.history(code).iter().collect();
    for other in [word(shown, "basis"), word(shown, "parent")].iter().filter_map(|code| code.parse().ok()) {
        rows.extend(table.row(other, at).filter(|row| row.code != code));
    }
    for row in rows {
        let days = held(row.effective_from, row.effective_to);
        let now = table.row(row.code, at).is_some_and(|now| std::ptr::eq(now, row));
        let idle = if now { "" } else { ", not in force then" };
        let read = match &row.source.reviewed {
            Some(review) => format!("read by {} on {}", review.by, review.on),
            None => "read by no lawyer".into(),
        };
        lines.push(format!(
            "  row {}{days}{idle}: {read}; confidence {}",
            row.code,
            row.source.confidence.as_str()
        ));
        lines.push(format!("    {}", row.source.citations.join("; ")));
    }
    lines
}

/// What is asked, media that ask the same together.
fn by_medium(shown: &Value, kind: &str) -> Vec<(String, String)> {
    let all: Vec<(&String, &str)> = shown
        .get(kind)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(medium, asks)| (medium, word(asks, "says")))
        .collect();
    let mut grouped: Vec<(Vec<&str>, &str)> = Vec::new();
    for (medium, says) in &all {
        match grouped.iter_mut().find(|(_, known)| known == says) {
            Some((media, _)) => media.push(medium),
            None => grouped.push((vec![medium], says)),
        }
    }
    let label = |media: &[&str]| if media.len() == 3 { "every call".to_owned() } else { media.join(" and ") };
    grouped.iter().map(|(media, says)| (label(media), (*says).to_owned())).collect()
}

fn version_line(version: &Value) -> String {
    let text = |name: &str| version.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let number = version.get("version").and_then(Value::as_i64).unwrap_or(0);
    let author = Some(text("author")).filter(|author| !author.is_empty());
    let who = author.unwrap_or_else(|| format!("the {}", text("origin")));
    let approver = version.get("approver").and_then(Value::as_str).map(|who| format!(", approved by {who}"));
    format!("{number}  {}  {}  by {who}{}", text("in_force_at"), text("digest"), approver.unwrap_or_default())
}

fn proposal_line(proposal: &Value) -> String {
    let text = |name: &str| proposal.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let author =
        Some(text("author")).filter(|author| !author.is_empty()).unwrap_or_else(|| "nobody known".into());
    format!(
        "{}  {}  by {author}  {}  expires {}",
        text("id"),
        text("state"),
        text("proposed_at"),
        text("expires_at")
    )
}

fn proposal_text(proposal: &Value) -> String {
    let mut lines = vec![proposal_line(proposal)];
    lines.extend(proposal.get("reason").and_then(Value::as_str).map(|reason| format!("reason: {reason}")));
    lines.extend(proposal.get("diff").map(diff_lines).unwrap_or_default());
    lines.extend(proposal.get("impact").map(impact_lines).unwrap_or_default());
    lines.join("\n")
}

fn lines(rows: &[Value], line: fn(&Value) -> String) -> String {
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn many(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// A progress bar on standard error, where that is a terminal.
struct Bar {
    shown: bool,
    last: Mutex<Instant>,
}

impl Bar {
    fn new() -> Bar {
        Bar { shown: std::io::stderr().is_terminal(), last: Mutex::new(Instant::now()) }
    }

    fn show(&self, done: u64, all: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.shown || (last.elapsed().as_millis() < 100 && done < all) {
            return;
        }
        *last = Instant::now();
        let full = done.saturating_mul(BAR).checked_div(all).unwrap_or(BAR);
        let bar: String = (0..BAR).map(|at| if at < full { '=' } else { ' ' }).collect();
        let _ = write!(std::io::stderr().lock(), "\r[{bar}] {done} of {all} calls");
    }

    fn end(&self) {
        if self.shown {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}

const BAR: u64 = 40;

/// How many words that stay the same are shown around a change.
const AROUND: usize = 6;
