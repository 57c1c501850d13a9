//! `table`: what legal teams do with the table of jurisdictions.

mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use policy::{Code, Diff, Severity, Table};
use serde_json::json;

use self::words::{
    diff_lines, impact_lines, lines, place_lines, problem_line, proposal_line, proposal_text, sourcing_lines,
    table_lines, version_line,
};
use super::person::{Who, principal};
use super::{CliError, asked, out};
use crate::config::Config;
use crate::gate::answer::{Approved, Outcome};
use crate::gate::ask::Medium;
use crate::gate::{Author, Gate, lawbook, today};
use crate::serve;
use trail::cli::bar::Bar;
use trail::clock::{Clock, moment_or_day};
use trail::counted;

#[derive(Subcommand)]
pub(super) enum TableCommand {
    /// Check a table for everything that is wrong with it; exit code 0 if nothing is, 1 for errors, 3 for
    /// warnings only
    #[command(after_help = "Example:\n  consent-gateway table check draft.toml")]
    Check {
        /// A file, `in-force`, or `version:N`
        #[arg(value_name = "TABLE")]
        name: String,
        /// The day to check for [default: today]
        #[arg(long, value_name = "DATE")]
        today: Option<String>,
    },
    /// Compare two tables by meaning; exit code 0 if nothing is loosened, 3 if something is
    #[command(after_help = "Example:\n  consent-gateway table diff in-force draft.toml")]
    Diff {
        /// A file, `in-force`, or `version:N`
        old: String,
        /// A file, `in-force`, or `version:N`
        new: String,
    },
    /// Show the rule in force for a place, or the whole table
    #[command(after_help = "Example:\n  consent-gateway table show US-CA --at 2027-01-01")]
    Show(Show),
    #[command(flatten)]
    Desk(Desk),
}

/// Commands that need the ledger.
#[derive(Subcommand)]
pub(super) enum Desk {
    /// Rehearse a table, or an account's own reading, on the calls of the trail
    #[command(after_help = "Examples:\n  consent-gateway table impact draft.toml --since 2026-11-01\n  \
                            consent-gateway table impact --reading texas.json --account acme")]
    Impact {
        /// A file, or `version:N`
        #[arg(required_unless_present = "reading")]
        new: Option<String>,
        /// The body of `POST /v1/readings`, rehearsed on the account's calls by the table in force; `-` for standard input
        #[arg(long, value_name = "FILE", conflicts_with = "new", requires = "account")]
        reading: Option<PathBuf>,
        /// Only calls opened at this time or later (RFC 3339, or a day)
        #[arg(long, value_name = "DATE", value_parser = moment_or_day)]
        since: Option<Timestamp>,
        /// Only calls of this account
        #[arg(long)]
        account: Option<String>,
    },
    /// Put a table in force, or propose it if it loosens anything; exit code 3 if it is proposed
    #[command(
        after_help = "Example:\n  consent-gateway table publish draft.toml --as cg_0123456789abcdef --reason 'AB 1234 is in force'"
    )]
    Publish {
        /// A file, or `version:N` to go back
        file: String,
        #[command(flatten)]
        who: Who,
    },
    /// List the versions, the newest first
    Versions,
    /// Print the text of a version
    #[command(after_help = "Example:\n  consent-gateway table version 3")]
    Version {
        /// Its number or digest
        version: String,
    },
    /// List the proposals, the newest first
    Proposals,
    /// Show a proposal with its difference and its impact
    #[command(after_help = "Example:\n  consent-gateway table proposal 0198c0de-0000-7000-8000-000000000001")]
    Proposal {
        /// The proposal's id
        proposal: String,
    },
    /// Approve somebody else's proposal
    #[command(
        after_help = "Example:\n  consent-gateway table approve 0198c0de-0000-7000-8000-000000000001 --as cg_0123456789abcdef"
    )]
    Approve {
        /// The proposal's id
        proposal: String,
        #[command(flatten)]
        who: Who,
    },
    /// Reject a proposal
    #[command(
        after_help = "Example:\n  consent-gateway table reject 0198c0de-0000-7000-8000-000000000001 --as cg_0123456789abcdef --reason 'AB 1234 was vetoed'"
    )]
    Reject {
        /// The proposal's id
        proposal: String,
        #[command(flatten)]
        who: Who,
    },
    /// Withdraw your own proposal
    #[command(
        after_help = "Example:\n  consent-gateway table withdraw 0198c0de-0000-7000-8000-000000000001 --as cg_0123456789abcdef"
    )]
    Withdraw {
        /// The proposal's id
        proposal: String,
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Args)]
pub(super) struct Show {
    /// The place, such as `US-CA`
    code: Option<String>,
    /// A day or moment [default: now]
    #[arg(long, value_name = "DATE", value_parser = moment_or_day)]
    at: Option<Timestamp>,
    /// telephone, voip or video
    #[arg(long, value_name = "MEDIUM")]
    medium: Option<String>,
    /// A file, `in-force`, or `version:N`
    #[arg(long, value_name = "TABLE", default_value = "in-force")]
    table: String,
}

pub(super) async fn run(config: Config, command: TableCommand, json: bool) -> Result<(), CliError> {
    match command {
        TableCommand::Check { name, today } => check(&config, &name, today.as_deref(), json).await,
        TableCommand::Diff { old, new } => diff(&config, &old, &new, json).await,
        TableCommand::Show(asked) => show(&config, asked, json).await,
        TableCommand::Desk(command) => desk(&config, command, json).await,
    }
}

async fn check(config: &Config, name: &str, day: Option<&str>, json: bool) -> Result<(), CliError> {
    let text = text(config, name).await?;
    let today = match day {
        // If this took a moment, it would ignore the time.
        Some(text) => Some(text)
            .filter(|text| text.len() <= "2026-11-20".len())
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                CliError::Wrong(format!("`{text}` is not a date; write, for example, `2026-11-20`"))
            })?,
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
    let sources = table.as_ref().map(|table| table.sourcing(today));
    if json {
        out::json(&json!({
            "file": name, "usable": table.is_some(), "digest": table.as_ref().map(Table::digest),
            "rows": rows, "unreviewed": unread, "errors": errors, "warnings": warnings, "problems": problems,
            "sources": sources,
        }));
    } else {
        problems.iter().for_each(|problem| out::line(problem_line(name, problem)));
        sources.iter().flat_map(sourcing_lines).for_each(out::line);
        out::line(match (rows, unread) {
            (Some(rows), Some(unread)) => format!(
                "{name}: {} and {}: no mistakes and {}; {}",
                counted(rows, "row"),
                counted(overlays.0, "overlay"),
                counted(warnings, "warning"),
                match unread + overlays.1 {
                    0 => "a lawyer has read every one".to_owned(),
                    unread => format!("{unread} not read by a lawyer yet"),
                }
            ),
            _ => format!(
                "{name}: {} and {}: the table cannot be used",
                counted(errors, "mistake"),
                counted(warnings, "warning")
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
    let (old, new) = (Arc::new(table(config, old).await?.0), Arc::new(table(config, new).await?.0));
    let diff = Diff::between(&old, &new).shown(&old, &new);
    if json {
        out::json(&diff);
    } else {
        diff_lines(&diff).iter().for_each(out::line);
    }
    if diff.loosens { Err(CliError::Exit(3)) } else { Ok(()) }
}

async fn show(config: &Config, asked: Show, json: bool) -> Result<(), CliError> {
    let (table, _) = table(config, &asked.table).await?;
    let at = asked.at.unwrap_or_else(|| Clock::system().now());
    let medium = asked.medium.as_deref().map(asked::word::<Medium>).transpose()?;
    let Some(code) = asked.code else {
        let whole = lawbook::table(&table);
        if json {
            out::json(&whole);
        } else {
            table_lines(&table, medium.map(Into::into)).iter().for_each(out::line);
        }
        return Ok(());
    };
    let wrong = |error: policy::CodeError| CliError::Wrong(format!("{error}{}", policy::atlas::meant(&code)));
    let code: Code = code.parse().map_err(wrong)?;
    if policy::atlas::name(code).is_none() {
        let meant = policy::atlas::meant(code.as_str());
        return Err(CliError::Wrong(format!("ISO 3166 lists no place `{code}`{meant}")));
    }
    let shown = lawbook::place(&table, code, at, medium.map(Into::into));
    if json {
        out::json(&shown);
        return Ok(());
    }
    place_lines(&table, code, at, &shown).iter().for_each(out::line);
    if let Some((state, name)) = policy::atlas::mistaken(code) {
        out::line(format!("  (`{code}` is a country; {name} is `{state}`)"));
    }
    Ok(())
}

async fn desk(config: &Config, command: Desk, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(config).await?;
    serve::first_law(&gate, config).await?;
    let outcome = at_desk(config, &gate, command, json).await;
    gate.ledger().close().await;
    outcome
}

async fn at_desk(config: &Config, gate: &Gate, command: Desk, json: bool) -> Result<(), CliError> {
    match command {
        Desk::Impact { new, reading, since, account } => {
            // A mistyped account has no calls, which must not look as if nothing changed.
            if let Some(account) = &account {
                asked::must_exist(gate, account).await?;
            }
            let bar = Bar::of("calls");
            let progress = |done, all| bar.show(done, all);
            let mut impact = match (&new, &reading, &account) {
                (_, Some(reading), Some(account)) => {
                    let stated = super::reading::stated(reading)?;
                    gate.impact_of_reading(account, &stated, since, &progress).await?
                }
                (Some(new), _, _) => {
                    let (new, _) = usable(new, text_by(config, Some(gate), new).await?)?;
                    let base = gate.laws().in_force();
                    gate.impact(&base, &Arc::new(new), since, account.as_deref(), &progress).await?
                }
                (None, _, _) => {
                    return Err(CliError::Wrong("name a table, or a reading and its account".into()));
                }
            };
            bar.end();
            gate.name_calls(&mut impact).await?;
            out::say(json, &impact, || impact_lines(&impact).join("\n"));
        }
        Desk::Publish { file, who } => {
            let author = author(gate, &who).await?;
            let (_, text) = usable(&file, text_by(config, Some(gate), &file).await?)?;
            let outcome = asked::patiently(REHEARSING, gate.publish(&author, &text, &who.reason)).await?;
            out::say(json, &outcome, || match &outcome {
                Outcome::InForce { version: None } => "it is already in force".into(),
                Outcome::InForce { version: Some(new) } => {
                    format!("version {} is in force", new.version.version)
                }
                Outcome::Proposed { proposal } => format!(
                    "{}\nit loosens something, so it is proposed and needs a second person: table approve {}",
                    proposal_text(proposal),
                    proposal.proposal.id
                ),
            });
            if let Outcome::Proposed { .. } = outcome {
                return Err(CliError::Exit(3));
            }
        }
        Desk::Versions => {
            let versions = gate.versions().await?;
            out::say(json, &versions, || lines(&versions, version_line));
        }
        Desk::Version { version } => {
            let shown = gate.version(&version).await?;
            out::say(json, &shown, || shown.table.trim_end().to_owned());
        }
        Desk::Proposals => {
            let proposals = gate.proposals().await?;
            out::say(json, &proposals, || lines(&proposals, proposal_line));
        }
        Desk::Proposal { proposal } => {
            let shown = asked::patiently(REHEARSING, gate.proposal(&proposal)).await?;
            out::say(json, &shown, || proposal_text(&shown));
        }
        Desk::Approve { proposal, who } => {
            let author = author(gate, &who).await?;
            let shown = asked::patiently(REHEARSING, gate.approve(&author, &proposal, &who.reason)).await?;
            out::say(json, &shown, || match &shown {
                Approved::InForce(new) => format!("version {} is in force", new.version.version),
                Approved::Adopted(_) => {
                    "it had no known author, so it is now your proposal, and a second person has to approve \
                     it"
                    .into()
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
    out::say(json, &shown, || {
        format!("proposal {proposal} is {}", if withdraw { "withdrawn" } else { "rejected" })
    });
    Ok(())
}

async fn author(gate: &Gate, who: &Who) -> Result<Author, CliError> {
    Ok(gate.author(&principal(gate, who).await?).await?)
}

/// Reads a table by its name on the command line; also returns its text.
pub(super) async fn table(config: &Config, name: &str) -> Result<(Table, String), CliError> {
    usable(name, text(config, name).await?)
}

/// Reads the text of a table by its name on the command line.
async fn text(config: &Config, name: &str) -> Result<String, CliError> {
    let of_ledger = name == "in-force" || name.starts_with("version:");
    if of_ledger && (config.ledger.is_some() || crate::ledger::file(&config.data).exists()) {
        let gate = asked::gate(config).await?;
        let found = text_by(config, Some(&gate), name).await;
        gate.ledger().close().await;
        return found;
    }
    text_by(config, None, name).await
}

async fn text_by(config: &Config, gate: Option<&Gate>, name: &str) -> Result<String, CliError> {
    let number = name.strip_prefix("version:");
    Ok(match (gate, name, number) {
        (Some(gate), "in-force", _) if gate.laws().version().number > 0 => {
            text_of(gate, &gate.laws().version().number.to_string()).await?
        }
        (Some(gate), _, Some(number)) => text_of(gate, number).await?,
        (_, "in-force", _) => serve::table_text(config)?.2,
        (None, _, Some(_)) => {
            return Err(CliError::Wrong(format!(
                "`{}` has no ledger, so there is no `{name}`",
                config.data.display()
            )));
        }
        _ => read(Path::new(name))?,
    })
}

fn usable(name: &str, text: String) -> Result<(Table, String), CliError> {
    let (table, problems) = Table::check(&text, today(Clock::system().now()));
    let table = table.ok_or_else(|| {
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        CliError::Wrong(errors.map(|problem| problem_line(name, problem)).collect::<Vec<_>>().join("\n"))
    })?;
    Ok((table, text))
}

async fn text_of(gate: &Gate, version: &str) -> Result<String, CliError> {
    Ok(gate.version(version).await?.table)
}

fn read(file: &Path) -> Result<String, CliError> {
    serve::read_text(file)
        .map_err(|source| CliError::Io { what: format!("`{}` cannot be read", file.display()), source })
}

/// The label of the progress bar while a table is rehearsed.
const REHEARSING: &str = "rehearsing the table on the calls of the trail";
