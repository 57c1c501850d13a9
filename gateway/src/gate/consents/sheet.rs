//! Answers as tables for spreadsheets (RFC 4180).
//!
//! Names and reasons are outsiders' words: a cell that a spreadsheet would take for a formula is
//! written with an apostrophe before it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Record;
use crate::clock::written;
use crate::gate::{Fault, Gate};
use crate::trail;

impl Gate {
    /// A line for each record, with the names that are still kept.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn sheet(&self, account: &str, records: &[Record]) -> Result<Vec<u8>, Fault> {
        let calls = once(records.iter().filter_map(Record::call));
        let prompts = once(records.iter().filter_map(|record| record.says().prompt));
        let people = self.ledger.names_on(&calls).await?;
        let prompts = self.ledger.prompt_versions(account, &prompts).await?;
        let names = Names {
            people: people.into_iter().map(|(call, number, id)| ((call, number), id)).collect(),
            prompts: prompts
                .into_iter()
                .map(|(uid, id, version, _)| (uid, format!("{id}@{version}")))
                .collect(),
        };
        lines(records.iter().map(|record| cells(record, &names)))
    }
}

/// How a table begins: with the byte order mark by which spreadsheets know UTF-8, and the names of the
/// columns.
///
/// # Errors
///
/// Never, as long as there is memory.
pub fn sheet_head() -> Result<Vec<u8>, Fault> {
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    bytes.extend(lines(std::iter::once(COLUMNS.map(str::to_owned)))?);
    Ok(bytes)
}

/// What the numbers and ids of a page stand for.
#[derive(Debug, Default)]
struct Names {
    /// By call and number.
    people: HashMap<(String, i64), String>,
    /// `id@version`, by the gateway's id.
    prompts: HashMap<String, String>,
}

impl Names {
    fn of(&self, call: &str, participant: u32) -> String {
        let known = self.people.get(&(call.to_owned(), i64::from(participant)));
        known.cloned().unwrap_or_else(|| format!("participant {participant}"))
    }
}

fn once(ids: impl Iterator<Item = String>) -> Vec<String> {
    ids.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn lines(rows: impl Iterator<Item = [String; COLUMNS.len()]>) -> Result<Vec<u8>, Fault> {
    let failed = || Fault::damaged("a table cannot be written");
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::with_capacity(65_536));
    for row in rows {
        writer.write_record(row.iter().map(|cell| plain(cell).into_owned())).map_err(|_| failed())?;
    }
    writer.into_inner().map_err(|_| failed())
}

const COLUMNS: [&str; 23] = [
    "epoch",
    "index",
    "logged_at",
    "type",
    "call",
    "participants",
    "about",
    "said",
    "method",
    "reported_by",
    "actor",
    "role",
    "decision",
    "why",
    "requirement",
    "places",
    "subjects",
    "prompt",
    "recording",
    "table",
    "id",
    "leaf_hash",
    "detail",
];

fn cells(record: &Record, names: &Names) -> [String; COLUMNS.len()] {
    let call = record.call().unwrap_or_default();
    let name = |participant: u32| names.of(&call, participant);
    let saw = record.saw();
    let people = saw.map(|saw| saw.participants.as_slice()).unwrap_or_default();
    let participants =
        people.iter().map(|person| format!("{} ({}, {})", name(person.p), word(&person.role), person.state));
    let places = people.iter().filter(|person| !person.places.is_empty()).map(|person| {
        let places = person.places.iter().map(|place| format!("{} {}", place.code, word(&place.evidence)));
        format!("{}: {}", name(person.p), joined(places, ", "))
    });
    let says = record.says();
    let seen = saw.and_then(|saw| saw.why.as_deref()).map(|why| reason(why, &name));
    let why = says.refusal.map(str::to_owned).into_iter().chain(seen);
    let prompt = says.prompt.map(|uid| names.prompts.get(&uid).cloned().unwrap_or(uid));
    let leaf = &record.leaf;
    [
        record.row.epoch.to_string(),
        record.row.seq.to_string(),
        written(leaf.at),
        leaf.kind.clone(),
        record.row.call_id.clone().unwrap_or_default(),
        joined(participants, "; "),
        joined(says.about.into_iter().map(name), "; "),
        says.said.to_owned(),
        says.method,
        says.reported_by.to_owned(),
        leaf.actor.credential.clone(),
        leaf.actor.role.clone(),
        saw.map(|saw| saw.recording.clone()).unwrap_or_default(),
        joined(why, "; "),
        saw.map(|saw| saw.requirement.clone()).unwrap_or_default(),
        joined(places, "; "),
        says.subjects.join(" "),
        prompt.unwrap_or_default(),
        says.recording.map(|id| id.to_string()).unwrap_or_default(),
        saw.map(|saw| saw.table.clone()).unwrap_or_default(),
        leaf.id.to_string(),
        trail::hex(&record.row.leaf_hash),
        record.row.document.clone().unwrap_or_default(),
    ]
}

/// The code of what is in the way, with the name of whom it is about.
fn reason(why: &str, name: &dyn Fn(u32) -> String) -> String {
    match why.split_once(':').and_then(|(code, number)| Some((code, number.parse().ok()?))) {
        Some((code, number)) => format!("{code}: {}", name(number)),
        None => why.to_owned(),
    }
}

/// A cell that no spreadsheet takes for a formula.
fn plain(cell: &str) -> Cow<'_, str> {
    match cell.starts_with(FORMULA) {
        true => Cow::Owned(format!("'{cell}")),
        false => Cow::Borrowed(cell),
    }
}

/// What a formula begins with, full-width forms included.
const FORMULA: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

/// The word of an enum.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{lines, plain};

    #[test]
    fn no_cell_is_a_formula() {
        for cell in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\u{ff1d}1",
            "\u{ff0b}1",
            "\u{ff0d}1",
            "\u{ff20}x",
        ] {
            assert_eq!(plain(cell), format!("'{cell}"));
        }
        for cell in ["", "a=1", "1-1", "'=1", "{\"a\":\"=1\"}"] {
            assert_eq!(plain(cell), cell);
        }
    }

    #[test]
    fn quotes_commas_and_line_ends_are_quoted_and_lines_end_as_rfc_4180_says() {
        let row: [String; 23] = std::array::from_fn(|index| match index {
            0 => "say \"no\"".into(),
            1 => "a,b".into(),
            2 => "one\r\ntwo".into(),
            _ => String::new(),
        });
        let text = String::from_utf8(lines(std::iter::once(row)).unwrap()).unwrap();
        assert_eq!(text, format!("\"say \"\"no\"\"\",\"a,b\",\"one\r\ntwo\"{}\r\n", ",".repeat(20)));
    }
}
