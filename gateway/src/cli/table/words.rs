//! The law desk's output, in words.

use policy::diff::{Change, Direction, Point, Subject};
use policy::table::{Citation, Sourcing};
use policy::{Code, Diff, Problem, Table};
use serde_json::json;

use crate::gate::answer::{Effects, Impact, Media, PlaceAsks, Proposal, ProposalReport, Version};
use trail::counted;

pub(super) fn problem_line(name: &str, problem: &Problem) -> String {
    let Problem { line, column, severity, message, hint, .. } = problem;
    let hint = hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{name}:{line}:{column}: {}: {message}{hint}", severity.as_str())
}

/// A difference for people. Loosened rules come first, since they need a second person.
pub(super) fn diff_lines(diff: &Diff) -> Vec<String> {
    let mut lines = Vec::new();
    for (direction, heading) in [
        (Direction::Looser, "LOOSER: less is required"),
        (Direction::Both, "LOOSER AND STRICTER: less is required in one respect, more in another"),
        (Direction::Stricter, "STRICTER: more is required"),
        (Direction::Wording, "WORDING: the same is required, in other words"),
    ] {
        let of = diff.changes.iter().filter(|change| change.direction == direction);
        for (index, change) in of.enumerate() {
            if index == 0 {
                lines.push(heading.to_owned());
            }
            lines.push(format!("  {}{}", subject(change), days(change)));
            lines.extend(change.why.as_ref().map(|why| format!("    ({why})")));
            lines.extend(change.points.iter().flat_map(|point| point_lines(point, direction)));
        }
    }
    let verdict = match (diff.tightens, diff.loosens) {
        _ if diff.is_empty() => "nothing changes",
        (false, false) => "only wording changes: one person can publish it",
        (true, false) => "nothing is loosened: one person can publish it",
        (_, true) => "something is loosened: it needs a second person",
    };
    lines.push(verdict.to_owned());
    lines
}

fn subject(change: &Change) -> String {
    let named = |what: String| match &change.name {
        Some(name) => format!("{what} ({name})"),
        None => what,
    };
    match &change.subject {
        Subject::Place(code) => named(code.to_string()),
        Subject::Evidence(evidence) => {
            format!("[evidence] `{}`: places that nothing stronger supports", evidence.as_str())
        }
        Subject::Overlay(overlay) => named(format!("overlay `{overlay}`")),
        Subject::Default(_) => "[default]: wherever nothing is known, and places without a row".to_owned(),
    }
}

fn days(change: &Change) -> String {
    match (change.from, change.to) {
        (Some(from), Some(to)) if from == to => format!(", on {from}"),
        (Some(from), None) => format!(", from {from} on"),
        (from, to) => held(from, to),
    }
}

fn point_lines(point: &Point, direction: Direction) -> Vec<String> {
    let (before, after) = (point.before.as_str(), point.after.as_str());
    let way = point.direction;
    let which = if way == direction { String::new() } else { format!(" ({})", way.as_str()) };
    let mut lines = vec![format!("    {}{which}", point.of)];
    if way == Direction::Wording {
        let (before, after) = differing(before, after);
        lines.push(format!("      was: {before}"));
        lines.push(format!("      now: {after}"));
        return lines;
    }
    // What both versions require is said once.
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
    // One line, to be handed to `decide` as it stands.
    lines.extend(point.shown_by.iter().map(|call| format!("      shown by: {}", json!(call))));
    lines
}

/// Two long texts without their common beginning and end, except for a few words of context.
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

pub(super) fn impact_lines(impact: &Impact) -> Vec<String> {
    let effects = |of: &Effects| {
        format!(
            "{} blocked, {} allowed, {} asked more, {} asked less, {} would lack consent",
            of.blocked,
            of.allowed,
            of.asked_more,
            of.asked_less,
            counted(of.lacking, "recording"),
        )
    };
    let mut lines = vec![format!(
        "{} and {} replayed",
        counted(impact.calls, "call"),
        counted(impact.recordings, "recording")
    )];
    if impact.unreadable > 0 {
        lines.push(format!(
            "{} could not be read, and no count includes them",
            counted(impact.unreadable, "call")
        ));
    }
    lines.push(format!("in all: {}", effects(&impact.total)));
    for (place, found) in &impact.places {
        lines.push(format!("{place}: {}", effects(&found.effects)));
        for example in &found.examples {
            let words: Vec<&str> = example.effects.iter().map(|effect| effect.as_str()).collect();
            let known = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".into());
            lines.push(format!(
                "  for example {} of `{}`: {}",
                known(&example.call),
                known(&example.account),
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
        let idle = if now { "" } else { ", not in force at that time" };
        let read = match &row.source.reviewed {
            Some(review) => {
                let entered = review.entered_by.as_ref().map(|who| format!(", as {who} entered"));
                let changed = if review.is_outdated() { ", and changed since" } else { "" };
                format!("read by {} on {}{changed}{}", review.by, review.on, entered.unwrap_or_default())
            }
            None => "not read by a lawyer".into(),
        };
        lines.push(format!(
            "  row {}{days}{idle}: {read}; confidence {}",
            row.code,
            row.source.confidence.as_str()
        ));
        lines.extend(row.source.citations.iter().map(|citation| format!("    {}", cited(citation))));
        lines.extend(row.source.pending.iter().map(|open| format!("    pending: {}", cited(open))));
    }
    lines
}

/// A citation with what was found in it.
fn cited(citation: &Citation) -> String {
    match &citation.says {
        Some(says) => format!("{citation}: {says}"),
        None => citation.to_string(),
    }
}

/// How well a table is borne out, for whoever keeps it.
pub(super) fn sourcing_lines(found: &Sourcing) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, of: Vec<String>| {
        if !of.is_empty() {
            lines.push(format!("{what} ({}): {}", of.len(), of.join(", ")));
        }
    };
    let open = found.pending.iter().map(|one| {
        let what: Vec<&str> = one.pending.iter().map(|open| open.cite.as_str()).collect();
        format!("{} ({})", one.of, what.join("; "))
    });
    say("resting on something open", open.collect());
    say("changed since a lawyer read them", found.changed_since_review.clone());
    let long_ago = found.read_long_ago.iter().map(|one| format!("{} ({})", one.of, one.read));
    say("sources last read long ago", long_ago.collect());
    say("without a primary source", found.without_primary.clone());
    say("sources not read on any known day", found.never_read.clone());
    lines
}

/// What is required, with media that have the same requirement grouped.
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

pub(super) fn version_line(version: &Version) -> String {
    let made = &version.made;
    let who = match made.author.as_str() {
        "" => format!("the {}", made.origin.as_str()),
        author => author.to_owned(),
    };
    let approver = made.step.as_ref().and_then(|step| step.approver.as_ref());
    let approved = approver.map(|who| format!(", approved by {who}")).unwrap_or_default();
    format!("{}  {}  {}  by {who}{approved}", version.version, version.in_force_at, version.digest)
}

pub(super) fn proposal_line(proposal: &Proposal) -> String {
    let Proposal { id, state, author, proposed_at, expires_at, .. } = proposal;
    let author = if author.is_empty() { "an unknown author" } else { author };
    format!("{id}  {}  by {author}  {proposed_at}  expires {expires_at}", state.as_str())
}

pub(super) fn proposal_text(report: &ProposalReport) -> String {
    let mut lines = vec![proposal_line(&report.proposal), format!("reason: {}", report.proposal.reason)];
    lines.extend(diff_lines(&report.diff));
    lines.extend(impact_lines(&report.impact));
    lines.join("\n")
}

pub(super) fn lines<T>(rows: &[T], line: fn(&T) -> String) -> String {
    match rows {
        [] => "there is none".into(),
        rows => rows.iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}

/// How many unchanged words are shown around a change.
const AROUND: usize = 6;
