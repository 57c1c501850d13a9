//! Answers as tables for spreadsheets (RFC 4180).
//!
//! Names, ids and reasons are outsiders' words: a cell that a spreadsheet would take for a formula, a number, a
//! date or a time is written with an apostrophe before it, since `00420` would become 420, `1-2` a day in
//! January or February, and a long id of digits another one. One apostrophe taken from the start of a cell
//! that has one gives back what was said.

use std::borrow::Cow;
use std::collections::HashMap;

use policy::Why;

use crate::clock::written;
use crate::{Leaf, Said};

/// An entry, as a line of a list shows it.
#[derive(Debug)]
pub struct Line<'e> {
    /// The epoch of its log, from 1.
    pub epoch: u64,
    /// Its place in that, from 0.
    pub index: u64,
    /// What it says.
    pub leaf: &'e Leaf,
    /// SHA-256 of its exact bytes (RFC 6962), in hexadecimal.
    pub leaf_hash: String,
    /// What the platform calls its call, or the call of the recording that it is about.
    pub call: Option<&'e str>,
    /// The document that it commits to, if that is there.
    pub document: Option<&'e str>,
}

/// What the numbers and ids of entries stand for.
#[derive(Debug, Default)]
pub struct Names {
    /// The platform's id of somebody, by the gateway's id of the call and their number on it.
    pub people: HashMap<(String, u32), String>,
    /// `id@version` of a prompt, by the gateway's id of the version.
    pub prompts: HashMap<String, String>,
}

/// How a table begins: with the byte order mark by which spreadsheets know UTF-8, and the names of the
/// columns.
///
/// # Errors
///
/// Never, as long as there is memory.
pub fn head() -> Result<Vec<u8>, csv::Error> {
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    bytes.extend(lines(std::iter::once(COLUMNS.map(str::to_owned)))?);
    Ok(bytes)
}

impl Names {
    fn of(&self, call: &str, participant: u32) -> String {
        let known = self.people.get(&(call.to_owned(), participant));
        known.cloned().unwrap_or_else(|| format!("participant {participant}"))
    }
}

/// A line of the table.
///
/// # Errors
///
/// Never, as long as there is memory.
pub fn row(line: &Line<'_>, names: &Names) -> Result<Vec<u8>, csv::Error> {
    lines(std::iter::once(cells(line, names)))
}

fn lines(rows: impl Iterator<Item = [String; COLUMNS.len()]>) -> Result<Vec<u8>, csv::Error> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::with_capacity(65_536));
    for row in rows {
        let cells = COLUMNS.iter().zip(&row).map(|(column, cell)| match OURS.contains(column) {
            true => Cow::Borrowed(cell.as_str()),
            false => plain(cell),
        });
        writer.write_record(cells.map(Cow::into_owned))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
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

/// Numbers and times of our own: they may be taken for what they are.
const OURS: [&str; 3] = ["epoch", "index", "logged_at"];

fn cells(line: &Line<'_>, names: &Names) -> [String; COLUMNS.len()] {
    let call = line.leaf.call.map(|call| call.to_string()).unwrap_or_default();
    let name = |participant: u32| names.of(&call, participant);
    let leaf = line.leaf;
    let (body, said, saw) = (&leaf.body, leaf.body.said(), leaf.body.saw());
    let people = saw.map(|saw| saw.participants.as_slice()).unwrap_or_default();
    let participants =
        people.iter().map(|person| format!("{} ({}, {})", name(person.p), word(&person.role), person.state));
    let places = people.iter().filter(|person| !person.places.is_empty()).map(|person| {
        let places = person.places.iter().map(|place| format!("{} {}", place.code, word(&place.evidence)));
        format!("{}: {}", name(person.p), joined(places, ", "))
    });
    let seen = saw.and_then(|saw| saw.why).map(|why| reason(why, &name));
    let why = body.refusal().map(str::to_owned).into_iter().chain(seen);
    let prompt = body.prompt().map(|uid| names.prompts.get(&uid).cloned().unwrap_or(uid));
    [
        line.epoch.to_string(),
        line.index.to_string(),
        written(leaf.at),
        leaf.kind.clone(),
        line.call.unwrap_or_default().to_owned(),
        joined(participants, "; "),
        joined(body.about().iter().copied().map(name), "; "),
        said.map_or("", Said::as_str).to_owned(),
        method(said),
        body.reported_by().unwrap_or_default().to_owned(),
        leaf.actor.credential.clone(),
        leaf.actor.role.clone(),
        saw.map(|saw| saw.recording.clone()).unwrap_or_default(),
        joined(why, "; "),
        saw.map(|saw| saw.requirement.clone()).unwrap_or_default(),
        joined(places, "; "),
        body.pseudonyms().collect::<Vec<_>>().join(" "),
        prompt.unwrap_or_default(),
        body.recording().map(|id| id.to_string()).unwrap_or_default(),
        saw.map(|saw| saw.table.clone()).unwrap_or_default(),
        leaf.id.to_string(),
        line.leaf_hash.clone(),
        line.document.unwrap_or_default().to_owned(),
    ]
}

/// An entry in words: place, time, type, call, who said or did what, who acted, and what was decided.
#[must_use]
pub fn in_words(line: &Line<'_>, names: &Names) -> String {
    let leaf = line.leaf;
    let body = &leaf.body;
    let call = line.leaf.call.map(|call| call.to_string()).unwrap_or_default();
    let mut words = vec![
        format!("#{}.{}", line.epoch, line.index),
        written(leaf.at),
        leaf.kind.clone(),
        line.call.unwrap_or("-").to_owned(),
    ];
    let about = joined(body.about().iter().map(|person| names.of(&call, *person)), ", ");
    let method = Some(method(body.said())).filter(|method| !method.is_empty());
    let method = method.map(|method| format!(" ({method})")).unwrap_or_default();
    words.extend(match (about.as_str(), body.said()) {
        ("", _) => None,
        (_, None) => Some(about),
        (_, Some(said)) => Some(format!("{about}: {}{method}", said.as_str())),
    });
    words.extend(body.prompt().map(|uid| format!("prompt {}", names.prompts.get(&uid).unwrap_or(&uid))));
    words.push(format!("by {} ({})", leaf.actor.credential, leaf.actor.role));
    words.extend(body.saw().map(|saw| saw.recording.clone()));
    words.extend(body.refusal().map(str::to_owned));
    words.extend(body.recording().map(|id| format!("recording {id}")));
    words.join("  ")
}

/// How somebody said yes; empty if they did not.
fn method(said: Option<Said>) -> String {
    if let Some(Said::Yes(method)) = said { word(&method) } else { String::new() }
}

/// The code of an obstacle, with the name of the person it is about.
fn reason(why: Why, name: &dyn Fn(u32) -> String) -> String {
    match why.participant() {
        Some(participant) => format!("{}: {}", why.code(), name(participant)),
        None => why.code().to_owned(),
    }
}

/// A cell that a spreadsheet takes for text.
fn plain(cell: &str) -> Cow<'_, str> {
    match cell.starts_with(FORMULA) || cell.starts_with('\'') || is_value(cell) {
        true => Cow::Owned(format!("'{cell}")),
        false => Cow::Borrowed(cell),
    }
}

/// What a formula begins with, full-width forms included.
const FORMULA: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Whether a spreadsheet, in whatever language, may take a text for a number, a date, a time or a truth: it has
/// digits, and between them only signs, names of months and the few letters that numbers and times have.
fn is_value(cell: &str) -> bool {
    let cell = cell.trim();
    if TRUTHS.iter().any(|word| cell.eq_ignore_ascii_case(word)) {
        return true;
    }
    // Nothing that is taken for a value is long, and 20 digits and more are a number all the same.
    let only_digits = !cell.is_empty() && cell.chars().all(char::is_numeric);
    if cell.len() > LONGEST_VALUE || !cell.chars().any(char::is_numeric) {
        return only_digits;
    }
    let mut before = None;
    let mut letters = String::new();
    for c in cell.chars().chain([' ']) {
        if c.is_alphabetic() {
            letters.extend(c.to_lowercase());
            continue;
        }
        if !letters.is_empty() && !is_word_of_values(&letters, before) {
            return false;
        }
        before = Some(c);
        letters.clear();
    }
    true
}

/// Whether letters may stand in a number, a date or a time, behind this character.
fn is_word_of_values(letters: &str, before: Option<char>) -> bool {
    let month: String = letters.chars().take(3).collect();
    let behind_digits = before.is_some_and(|c| c.is_numeric() || c.is_whitespace());
    MONTHS.split(' ').any(|name| name == month) || (behind_digits && WORDS.contains(&letters))
}

/// The longest text that is taken for a value: a date with its weekday, a time and a zone.
const LONGEST_VALUE: usize = 40;
const TRUTHS: [&str; 10] =
    ["true", "false", "wahr", "falsch", "vrai", "faux", "vero", "falso", "verdadero", "verdadeiro"];
/// Exponents, halves of the day, the letters of ISO 8601, ordinals.
const WORDS: [&str; 14] = ["e", "d", "a", "p", "am", "pm", "t", "z", "h", "st", "nd", "rd", "th", "utc"];
/// How months begin in English, German, French, Spanish, Italian, Dutch, Portuguese and Polish.
const MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec jän mär mrz mai okt dez fév fev avr jui \
    aoû aou déc ene abr ago dic gen mag giu lug set ott mrt mei out sty lut kwi maj cze lip sie wrz paź lis gru";

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
        for cell in ["", "a=1", "{\"a\":\"=1\"}"] {
            assert_eq!(plain(cell), cell);
        }
    }

    #[test]
    fn no_id_becomes_a_number_a_date_a_time_or_a_truth() {
        for cell in [
            "00420",
            "420",
            "9912140633506421",
            "1732800000.10",
            "1732800000.105",
            "1,000",
            "1.000,5",
            "1e5",
            "12E34",
            "12d3",
            "5%",
            "$5",
            "5 €",
            "(5)",
            "1/2",
            "1-2",
            "2026-11-29",
            "29.11.2026",
            "11/29/26",
            "1.2.3",
            "MAR1",
            "SEPT2",
            "Mär 1",
            "1-MAR",
            "dec-7",
            "Janvier 2026",
            "10:30",
            "10:30:15",
            "10 pm",
            "5a",
            "1st",
            "2026-11-29T10:00:00Z",
            "TRUE",
            "falsch",
            " 7 ",
            "٤٢",
            "４２",
            "9".repeat(90).as_str(),
            "'00420",
        ] {
            assert_eq!(plain(cell), format!("'{cell}"), "{cell}");
        }
        for cell in [
            "c-1",
            "call-7",
            "agent-7",
            "py-3",
            "CA0123456789abcdef",
            "leg1",
            "a84b4c76e66710@192.0.2.1",
            "3c26700857a8-4155550177@203.0.113.9",
            "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0",
            "greeting@1",
            "caller (customer, prompted)",
            "sip:7@example.com",
            "true-1",
            "x",
            "e",
            "am",
            "1 caller",
        ] {
            assert_eq!(plain(cell), cell, "{cell}");
        }
    }

    #[test]
    fn one_apostrophe_taken_away_gives_back_what_was_said() {
        for cell in ["", "'", "''", "'=1", "=1", "'00420", "00420", "c-1", "' 1"] {
            let written = plain(cell);
            assert_eq!(written.strip_prefix('\'').unwrap_or(&written), cell, "{cell}");
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
