//! The law as data: what each place asks, by medium and by date.
//!
//! [`Table::parse`] turns the text that legal teams edit into a table, or says everything that is
//! wrong with it at once. A table never changes; it is named by the SHA-256 of its text.

mod read;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use crate::fact::Medium;
use crate::place::{Code, Evidence};
use crate::rule::{Requirement, Rule};

/// A table of jurisdictions.
#[derive(Debug, Clone)]
pub struct Table {
    digest: String,
    default: Rule,
    floors: Floors,
    // INVARIANT: the rows of one code are sorted by date, the open-ended first one at the front.
    rows: BTreeMap<Code, Vec<Row>>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// Every [`Problem`] of the text, in the order of the lines.
    pub fn parse(text: &str) -> Result<Table, Problems> {
        read::table(text)
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

    /// What is asked where nothing is known.
    #[must_use]
    pub fn default_rule(&self) -> &Rule {
        &self.default
    }

    /// The least that is asked when a place rests on this evidence and nothing stronger.
    #[must_use]
    pub fn floor(&self, evidence: Evidence) -> &Rule {
        match evidence {
            Evidence::Declared => &self.floors.declared,
            Evidence::Ip => &self.floors.ip,
            Evidence::Number => &self.floors.number,
        }
    }

    /// The row of exactly this code that is in force on the day of `at` (UTC).
    #[must_use]
    pub fn row(&self, code: Code, at: Timestamp) -> Option<&Row> {
        let rows = self.rows.get(&code)?;
        if let [only] = rows.as_slice()
            && only.effective_from.is_none()
        {
            return Some(only);
        }
        let day = at.to_zoned(TimeZone::UTC).date();
        rows.iter().rev().find(|row| row.effective_from.is_none_or(|from| from <= day))
    }

    /// What a place asks, its parents included, and on which rows that rests.
    ///
    /// A subdivision without a row falls to its country: to the strictest of the country's
    /// subdivisions where the country's row says so, else to the country's row. A country without
    /// a row falls to the default.
    pub fn asks<'t>(&'t self, code: Code, medium: Medium, at: Timestamp) -> Asked<'t> {
        let country = (!code.is_country()).then(|| self.row(code.country(), at)).flatten();
        let mut asked = Asked { requirement: Requirement::NOTHING, basis: Basis::Default, parent: None };
        match (self.row(code, at), country) {
            (Some(row), parent) => {
                asked.requirement = row.requirement(medium);
                asked.basis = Basis::Row(row);
                if code.is_country() && row.strictest_when_unknown {
                    asked.requirement = asked.requirement.and(self.strictest(code, medium, at));
                    asked.basis = Basis::StrictestOf(row);
                }
                if let Some(parent) = parent {
                    asked.requirement = asked.requirement.and(parent.requirement(medium));
                    asked.parent = Some(parent);
                }
            }
            (None, Some(parent)) => {
                asked.requirement = parent.requirement(medium);
                asked.basis = Basis::Row(parent);
                if parent.strictest_when_unknown {
                    asked.requirement = asked.requirement.and(self.strictest(code.country(), medium, at));
                    asked.basis = Basis::StrictestOf(parent);
                }
            }
            (None, None) => asked.requirement = Requirement::from(&self.default),
        }
        asked
    }

    fn strictest(&self, country: Code, medium: Medium, at: Timestamp) -> Requirement {
        self.rows
            .keys()
            .filter(|code| !code.is_country() && code.country() == country)
            .filter_map(|code| self.row(*code, at))
            .fold(Requirement::NOTHING, |all, row| all.and(row.requirement(medium)))
    }
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
    /// What it asks where no medium says otherwise.
    pub rule: Rule,
    /// What it asks of single media.
    pub media: MediaRules,
    /// Statutes, cases, regulators.
    pub citations: Vec<String>,
    /// The rule in plain words.
    pub summary: String,
    /// How sure the compilers are.
    pub confidence: Confidence,
    /// Who of counsel has read it, and when.
    pub reviewed: Option<Review>,
    /// The first day on which it holds (UTC); none means since ever.
    pub effective_from: Option<Date>,
    /// Where the subdivision is unknown, the strictest of them counts.
    pub strictest_when_unknown: bool,
}

impl Row {
    /// What the row asks in a medium; the strictest of all where the medium is unknown.
    #[must_use]
    pub fn requirement(&self, medium: Medium) -> Requirement {
        let own = |rule: Option<Rule>| Requirement::from(rule.unwrap_or(self.rule));
        match medium {
            Medium::Telephone => own(self.media.telephone),
            Medium::Voip => own(self.media.voip),
            Medium::Video => own(self.media.video),
            Medium::Unknown => own(self.media.telephone).and(own(self.media.voip)).and(own(self.media.video)),
        }
    }
}

/// The rules of single media, where they differ from the row's.
#[derive(Debug, Clone, Copy, Default)]
pub struct MediaRules {
    /// Of telephone calls.
    pub telephone: Option<Rule>,
    /// Of calls over the internet.
    pub voip: Option<Rule>,
    /// Of calls with pictures.
    pub video: Option<Rule>,
}

/// How sure the compilers of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// Checked against the statute or a decision.
    High,
    /// Secondary sources agree.
    Medium,
    /// Doubtful, or not verified.
    Low,
}

impl Confidence {
    /// The word used in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::High => "high",
            Confidence::Medium => "medium",
            Confidence::Low => "low",
        }
    }
}

/// Counsel has read a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Who.
    pub by: String,
    /// When.
    pub on: Date,
}

#[derive(Debug, Clone)]
struct Floors {
    declared: Rule,
    ip: Rule,
    number: Rule,
}

/// Something wrong in a table's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
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

fn digest(text: &str) -> String {
    let mut name = String::from("sha256:");
    for byte in Sha256::digest(text.as_bytes()) {
        name.push_str(&alloc::format!("{byte:02x}"));
    }
    name
}
