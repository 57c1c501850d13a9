//! What the commands of the law desk say, in words.

use policy::{Code, Problem, Table};
use serde_json::Value;

use crate::gate::answer::{Media, PlaceAsks};

pub(super) fn problem_line(name: &str, problem: &Problem) -> String {
    let Problem { line, column, severity, message, hint, .. } = problem;
    let hint = hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{name}:{line}:{column}: {}: {message}{hint}", severity.as_str())
}

/// A difference for people: what is loosened first, since that is what needs a second person.
pub(super) fn diff_lines(diff: &Value) -> Vec<String> {
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

pub(super) fn impact_lines(impact: &Value) -> Vec<String> {
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

pub(super) fn table_lines(table: &Table, medium: Option<policy::Medium>) -> Vec<String> {
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

pub(super) fn place_lines(table: &Table, code: Code, at: jiff::Timestamp, shown: &PlaceAsks) -> Vec<String> {
    let name = shown.name.map(|name| format!(" ({name})")).unwrap_or_default();
    let mut lines = vec![format!("{code}{name}, a call that starts at {}", shown.at)];
    let conversation = by_medium(&shown.asks);
    let voicemail = by_medium(&shown.voicemail);
    for (media, says) in &conversation {
        lines.push(format!("  {media}: {says}"));
    }
    if voicemail == conversation {
        lines.push("  voicemail: the same".into());
    } else {
        lines.extend(voicemail.iter().map(|(media, says)| format!("  voicemail, {media}: {says}")));
    }
    lines.push(format!("  emergency calls: {}", shown.emergency.says));
    lines.push(format!("  in plain words: {}", shown.says));
    let mut rows: Vec<&policy::table::Row> = table.history(code).iter().collect();
    for other in shown.basis.parse().ok().into_iter().chain(shown.parent) {
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
fn by_medium(media: &Media) -> Vec<(String, String)> {
    let all = [("telephone", &media.telephone), ("video", &media.video), ("voip", &media.voip)];
    let all = all.into_iter().filter_map(|(word, asks)| Some((word, asks.as_ref()?.says.as_str())));
    let mut grouped: Vec<(Vec<&str>, &str)> = Vec::new();
    for (medium, says) in all {
        match grouped.iter_mut().find(|(_, known)| *known == says) {
            Some((media, _)) => media.push(medium),
            None => grouped.push((vec![medium], says)),
        }
    }
    let label = |media: &[&str]| if media.len() == 3 { "every call".to_owned() } else { media.join(" and ") };
    grouped.iter().map(|(media, says)| (label(media), (*says).to_owned())).collect()
}

pub(super) fn version_line(version: &Value) -> String {
    let text = |name: &str| version.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let number = version.get("version").and_then(Value::as_i64).unwrap_or(0);
    let author = Some(text("author")).filter(|author| !author.is_empty());
    let who = author.unwrap_or_else(|| format!("the {}", text("origin")));
    let approver = version.get("approver").and_then(Value::as_str).map(|who| format!(", approved by {who}"));
    format!("{number}  {}  {}  by {who}{}", text("in_force_at"), text("digest"), approver.unwrap_or_default())
}

pub(super) fn proposal_line(proposal: &Value) -> String {
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

pub(super) fn proposal_text(proposal: &Value) -> String {
    let mut lines = vec![proposal_line(proposal)];
    lines.extend(proposal.get("reason").and_then(Value::as_str).map(|reason| format!("reason: {reason}")));
    lines.extend(proposal.get("diff").map(diff_lines).unwrap_or_default());
    lines.extend(proposal.get("impact").map(impact_lines).unwrap_or_default());
    lines.join("\n")
}

pub(super) fn lines(rows: &[Value], line: fn(&Value) -> String) -> String {
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(super) fn many(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// How many words that stay the same are shown around a change.
const AROUND: usize = 6;
