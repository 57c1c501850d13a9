//! The law as data: what each place asks, by medium and by date.
//!
//! [`Table::parse`] turns the text that legal teams edit into a table, or says everything that is
//! wrong with it at once. A table never changes; it is named by the SHA-256 of its text.

pub mod atlas;
pub mod diff;
mod lint;
mod mend;
mod read;
mod source;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::fact::{Kind, Medium};
use crate::place::{Code, Evidence};
use crate::rule::{Requirement, Rule};
use crate::told::Told;

pub use source::{
    Citation, CitationKind, Confidence, Open, ReadLongAgo, Review, Source, Sourcing, authorities,
};

/// A table of jurisdictions.
#[derive(Debug, Clone)]
pub struct Table {
    digest: String,
    default: Rule,
    default_asks: Asks,
    floors: Floors,
    // INVARIANT: the rows of one code are sorted by date, the open-ended first one at the front.
    rows: BTreeMap<Code, Vec<Row>>,
    // INVARIANT: sorted in the same way.
    overlays: BTreeMap<String, Vec<Overlay>>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// Every [`Problem`] of the text that is an error, in the order of the lines; of very many, the first.
    pub fn parse(text: &str) -> Result<Table, Problems> {
        let reading = read::table(text);
        let usable = reading.problems.is_empty();
        reading.table.filter(|_| usable).ok_or_else(|| Problems(told(reading.problems, reading.more)))
    }

    /// Reads a table as [`parse`](Table::parse) does, and also reports what looks wrong on `today`. Returns
    /// the table, if there is no error, and every problem in the order of the lines, unless there are very
    /// many. If something cannot be read, the rest is still checked.
    #[must_use]
    pub fn check(text: &str, today: Date) -> (Option<Table>, Vec<Problem>) {
        let read::Reading { table, mut problems, more, broken } = read::table(text);
        let usable = problems.is_empty();
        if let Some(table) = &table {
            problems.extend(lint::problems(table, &broken, today));
        }
        (table.filter(|_| usable), told(problems, more))
    }

    /// The [`digest`](Table::digest) of the table with this text.
    #[must_use]
    pub fn digest_of(text: &str) -> String {
        digest(text)
    }

    /// `sha256:` and the hash of the text, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Every row, by code and then by date.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().flatten()
    }

    /// Every code that has rows, and its history.
    pub fn histories(&self) -> impl Iterator<Item = (Code, &[Row])> {
        self.rows.iter().map(|(code, rows)| (*code, rows.as_slice()))
    }

    /// The rows of one code, the oldest first.
    #[must_use]
    pub fn history(&self, code: Code) -> &[Row] {
        self.rows.get(&code).map_or(&[], Vec::as_slice)
    }

    /// Every overlay, by its id and then by date.
    pub fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        self.overlays.values().flatten()
    }

    /// The overlays of one id, the oldest first; empty if the table has none of this id.
    #[must_use]
    pub fn overlay_history(&self, id: &str) -> &[Overlay] {
        self.overlays.get(id).map_or(&[], Vec::as_slice)
    }

    /// The place of an evidence's floor in the text.
    fn floor_at(&self, evidence: Evidence) -> At {
        let [declared, ip, number] = self.floors.at;
        match evidence {
            Evidence::Declared => declared,
            Evidence::Ip => ip,
            Evidence::Number => number,
        }
    }

    /// What is asked if nothing is known, as written.
    #[must_use]
    pub fn default_rule(&self) -> &Rule {
        &self.default
    }

    /// What is asked if nothing is known.
    #[must_use]
    pub fn default_asks(&self, medium: Medium, kind: Kind) -> Requirement {
        self.default_asks.of(medium, kind)
    }

    /// The least that is asked when a place rests on this evidence and nothing stronger, as written.
    #[must_use]
    pub fn floor(&self, evidence: Evidence) -> &Rule {
        match evidence {
            Evidence::Declared => &self.floors.declared,
            Evidence::Ip => &self.floors.ip,
            Evidence::Number => &self.floors.number,
        }
    }

    /// The least that is asked when a place rests on this evidence and nothing stronger. If an emergency call
    /// may be recorded at all, nobody's place is in doubt because of a number.
    #[must_use]
    pub fn floor_asks(&self, evidence: Evidence, kind: Kind) -> Requirement {
        match kind {
            Kind::Conversation | Kind::Voicemail => Requirement::from(self.floor(evidence)),
            Kind::Emergency => Requirement::NOTHING,
        }
    }

    /// The row of exactly this code that is in force on the day of `at` (UTC).
    #[must_use]
    pub fn row(&self, code: Code, at: Timestamp) -> Option<&Row> {
        in_force(self.rows.get(&code)?, at)
    }

    /// What a place asks, its parents included, and on which rows that rests.
    ///
    /// A subdivision without a row falls to its country: to the strictest of the country's
    /// subdivisions if the country's row says so, else to the country's row. A country without
    /// a row falls to the default.
    pub fn asks<'t>(&'t self, code: Code, medium: Medium, kind: Kind, at: Timestamp) -> Asked<'t> {
        self.asks_but(code, medium, kind, at, |row| row.asks(medium, kind))
    }

    /// As [`asks`](Table::asks), where the place's own row asks what `own` says.
    pub(crate) fn asks_but<'t>(
        &'t self,
        code: Code,
        medium: Medium,
        kind: Kind,
        at: Timestamp,
        own: impl Fn(&Row) -> Requirement,
    ) -> Asked<'t> {
        let country = (!code.is_country()).then(|| self.row(code.country(), at)).flatten();
        let mut asked = Asked { requirement: Requirement::NOTHING, basis: Basis::Default, parent: None };
        match (self.row(code, at), country) {
            (Some(row), parent) => {
                asked.requirement = own(row);
                asked.basis = Basis::Row(row);
                if code.is_country() && row.strictest_when_unknown {
                    asked.requirement = asked.requirement.and(self.strictest(code, medium, kind, at));
                    asked.basis = Basis::StrictestOf(row);
                }
                if let Some(parent) = parent {
                    asked.requirement = asked.requirement.and(parent.asks(medium, kind));
                    asked.parent = Some(parent);
                }
            }
            (None, Some(parent)) => {
                asked.requirement = parent.asks(medium, kind);
                asked.basis = Basis::Row(parent);
                if parent.strictest_when_unknown {
                    asked.requirement =
                        asked.requirement.and(self.strictest(code.country(), medium, kind, at));
                    asked.basis = Basis::StrictestOf(parent);
                }
            }
            (None, None) => asked.requirement = self.default_asks.of(medium, kind),
        }
        asked
    }

    /// What an overlay asks on the day of `at`. One that the table does not know asks what the
    /// default asks: unknown means strict.
    #[must_use]
    pub fn overlay_asks(&self, id: &str, medium: Medium, kind: Kind, at: Timestamp) -> Requirement {
        match self.overlays.get(id) {
            Some(history) => in_force(history, at).map_or(Requirement::NOTHING, |overlay| overlay.asks),
            None => self.default_asks.of(medium, kind),
        }
    }

    /// The overlay that is in force on the day of `at`.
    #[must_use]
    pub fn overlay(&self, id: &str, at: Timestamp) -> Option<&Overlay> {
        in_force(self.overlays.get(id)?, at)
    }

    /// Where a prompt that says this does not count on the day of `at`, in any medium, and what it would have
    /// to say there. The recording serves the purposes that the prompt names.
    #[must_use]
    pub fn lacking(&self, told: Told, at: Timestamp) -> Vec<(Asker<'_>, Told)> {
        let kind = Kind::Conversation;
        let all = |asks: &dyn Fn(Medium) -> Requirement| {
            let media = [Medium::Telephone, Medium::Voip, Medium::Video].into_iter();
            media.fold(Requirement::NOTHING, |all, medium| all.and(asks(medium)))
        };
        let unknown = (Asker::Unknown, all(&|medium| self.default_asks(medium, kind)));
        let places = self.histories().map(|(code, history)| {
            let name = history.last().map(|row| row.name.as_str());
            (Asker::Place(code, name), all(&|medium| self.asks(code, medium, kind, at).requirement))
        });
        let overlays = self
            .overlays
            .keys()
            .map(|id| (Asker::Overlay(id.as_str()), self.overlay_asks(id, Medium::Unknown, kind, at)));
        let needed = |(asker, asks): (_, Requirement)| (asker, asks.says.on(told.purposes));
        let askers = [unknown].into_iter().chain(places).chain(overlays).map(needed);
        askers.filter(|(_, needed)| !told.is_enough_for(*needed)).collect()
    }

    fn strictest(&self, country: Code, medium: Medium, kind: Kind, at: Timestamp) -> Requirement {
        self.subdivisions(country)
            .filter_map(|code| self.row(code, at))
            .fold(Requirement::NOTHING, |all, row| all.and(row.asks(medium, kind)))
    }

    /// The subdivisions of a country that have rows.
    pub fn subdivisions(&self, country: Code) -> impl Iterator<Item = Code> {
        let behind = self.rows.range(country..).map(|(code, _)| *code);
        behind.take_while(move |code| code.country() == country).filter(|code| !code.is_country())
    }
}

/// Something that holds from a day on, until another of its history begins or its last day is over.
pub(crate) trait Dated {
    fn effective_from(&self) -> Option<Date>;
    fn effective_to(&self) -> Option<Date>;
}

fn in_force<T: Dated>(history: &[T], at: Timestamp) -> Option<&T> {
    if let [only] = history
        && only.effective_from().is_none()
        && only.effective_to().is_none()
    {
        return Some(only);
    }
    let day = at.to_zoned(TimeZone::UTC).date();
    let newest = history.iter().rev().find(|row| row.effective_from().is_none_or(|from| from <= day))?;
    newest.effective_to().is_none_or(|to| day <= to).then_some(newest)
}

/// What a place asks, and why.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'t> {
    /// All of it.
    pub requirement: Requirement,
    /// The row that it rests on.
    pub basis: Basis<'t>,
    /// The country's row, which counts as well.
    pub parent: Option<&'t Row>,
}

/// Who asks something of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker<'t> {
    /// The default, if somebody's place is not known.
    Unknown,
    /// A place, with its name.
    Place(Code, Option<&'t str>),
    /// An overlay, by its id.
    Overlay(&'t str),
}

/// What a requirement rests on.
#[derive(Debug, Clone, Copy)]
pub enum Basis<'t> {
    /// A row of the table.
    Row(&'t Row),
    /// The strictest of a country's subdivisions, as this row says.
    StrictestOf(&'t Row),
    /// The table's default.
    Default,
}

/// One row: what one place asks from some day on.
#[derive(Debug, Clone)]
pub struct Row {
    /// The place.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// What it asks unless a medium has its own rule.
    pub rule: Rule,
    /// What it asks of single media.
    pub media: MediaRules,
    /// Whether it has its own rules for voicemail.
    pub voicemail: bool,
    /// What it asks of emergency calls that a public-safety answering point records.
    pub public_safety: Option<Rule>,
    asks: Asks,
    /// Where the rule comes from, in words.
    pub source: Source,
    /// The first day on which it holds (UTC); `None` means that it has always held.
    pub effective_from: Option<Date>,
    /// The last day on which it holds (UTC); `None` means until another row begins.
    pub effective_to: Option<Date>,
    /// If the subdivision is unknown, the strictest of them counts.
    pub strictest_when_unknown: bool,
    at: At,
}

impl Row {
    /// What the row asks in a medium; the strictest of all if the medium is unknown.
    #[must_use]
    pub fn asks(&self, medium: Medium, kind: Kind) -> Requirement {
        self.asks.of(medium, kind)
    }
}

impl Dated for Row {
    fn effective_from(&self) -> Option<Date> {
        self.effective_from
    }

    fn effective_to(&self) -> Option<Date> {
        self.effective_to
    }
}

/// The rules of one sector, which a call or an account names. They add, and never relax.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// The id that names it.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What it adds.
    pub asks: Requirement,
    /// Where the rule comes from, in words.
    pub source: Source,
    /// The first day on which it holds (UTC); `None` means that it has always held.
    pub effective_from: Option<Date>,
    /// The last day on which it holds (UTC); `None` means until another begins.
    pub effective_to: Option<Date>,
    at: At,
}

impl Dated for Overlay {
    fn effective_from(&self) -> Option<Date> {
        self.effective_from
    }

    fn effective_to(&self) -> Option<Date> {
        self.effective_to
    }
}

/// A place in the text; line and column are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At {
    line: usize,
    column: usize,
}

/// The rules of single media, if they differ from the row's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaRules {
    /// Of telephone calls.
    pub telephone: Option<Rule>,
    /// Of calls over the internet.
    pub voip: Option<Rule>,
    /// Of calls with pictures.
    pub video: Option<Rule>,
}

/// What a row asks by medium and kind, computed once.
#[derive(Debug, Clone, Copy)]
struct Asks {
    conversation: ByMedium,
    voicemail: ByMedium,
    emergency: Requirement,
}

#[derive(Debug, Clone, Copy)]
struct ByMedium {
    telephone: Requirement,
    voip: Requirement,
    video: Requirement,
    unknown: Requirement,
}

impl Asks {
    fn of(&self, medium: Medium, kind: Kind) -> Requirement {
        let by = match kind {
            Kind::Conversation => &self.conversation,
            Kind::Voicemail => &self.voicemail,
            Kind::Emergency => return self.emergency,
        };
        match medium {
            Medium::Telephone => by.telephone,
            Medium::Voip => by.voip,
            Medium::Video => by.video,
            Medium::Unknown => by.unknown,
        }
    }
}

impl ByMedium {
    fn new([telephone, voip, video]: [Rule; 3]) -> ByMedium {
        let [telephone, voip, video] = [telephone, voip, video].map(Requirement::from);
        ByMedium { telephone, voip, video, unknown: telephone.and(voip).and(video) }
    }
}

#[derive(Debug, Clone)]
struct Floors {
    declared: Rule,
    ip: Rule,
    number: Rule,
    /// Their places in the text.
    at: [At; 3],
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The table can be used, but somebody should look at this.
    Warning,
    /// The table cannot be used.
    Error,
}

impl Severity {
    /// The word used in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Something wrong in a table's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TableProblem"))]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The kind of problem, in one stable word.
    pub code: &'static str,
    /// The line, counted from 1.
    pub line: usize,
    /// The character of the line, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right; null if that is not known.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a table's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Problems {}

/// The first [`MOST_TOLD`] of these problems, errors before warnings, in the order of the lines, and how many
/// more there are.
fn told(mut problems: Vec<Problem>, more: usize) -> Vec<Problem> {
    let more = more + problems.len().saturating_sub(MOST_TOLD);
    problems.sort_by_key(|problem| core::cmp::Reverse(problem.severity));
    problems.truncate(MOST_TOLD);
    let worst = problems.first().map(|problem| problem.severity);
    problems.sort_by_key(|problem| (problem.line, problem.column));
    if let (Some(severity), Some(last)) = (worst.filter(|_| more > 0), problems.last()) {
        let (line, column) = (last.line, last.column);
        let message = alloc::format!("{more} more problems are not listed");
        let hint = Some("mend these first, then check again".into());
        problems.push(Problem { severity, code: "more", line, column, message, hint });
    }
    problems
}

fn digest(text: &str) -> String {
    let mut name = String::from("sha256:");
    for byte in Sha256::digest(text.as_bytes()) {
        name.push_str(&alloc::format!("{byte:02x}"));
    }
    name
}

/// How many problems are listed one by one.
const MOST_TOLD: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::{Element, Elements, Purpose, Purposes};

    const TABLE: &str = r#"
[default]
parties = "all"
form = "express"
announcement_must_be_recorded = true
prompt_says = ["recording", "refusal"]

[evidence]
declared = { parties = "one", form = "none" }
ip       = { parties = "all", form = "notice" }
number   = { parties = "all", form = "notice" }

[[jurisdiction]]
code = "US-CA"
name = "California"
parties = "all"
form = "notice"
prompt_says = ["recording"]
prompt_says_for = { ai-training = ["vendor"] }
citations = ["Cal. Penal Code § 632"]
summary = "Everybody on the call must be told before it is recorded."
confidence = "high"
reviewed = false
"#;

    #[test]
    fn a_prompt_lacks_what_a_place_asks_for_the_purposes_that_it_names() {
        let table = Table::parse(TABLE).unwrap();
        let at = "2026-11-20T12:00:00Z".parse().unwrap();
        let says = Elements::NONE.with(Element::Recording);
        let lacking = |purposes| table.lacking(Told { elements: says, purposes }, at);
        let unknown = lacking(Purposes::NONE);
        let needed = Told { elements: says.with(Element::Refusal), purposes: Purposes::NONE };
        assert_eq!(unknown, [(Asker::Unknown, needed)]);
        let training = lacking(Purposes::NONE.with(Purpose::AiTraining));
        let california = Asker::Place("US-CA".parse().unwrap(), Some("California"));
        let needed = Told { elements: says.with(Element::Vendor), purposes: Purposes::NONE };
        assert_eq!(training.last(), Some(&(california, needed)));
        assert_eq!(training.len(), 2);
    }
}
