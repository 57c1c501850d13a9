//! Verification by somebody who does not trust us, offline.
//!
//! What is verified comes from a [`Source`](source::Source): a directory, an archive, or a live
//! gateway. What is trusted comes from a [`Trust`](crate::trust::Trust) file alone: the
//! log's key and its witnesses. Everything else is computed again: every hash, every root, and by
//! the policy every decision.
//!
//! The module knows no SQL and no HTTP, and never writes to what it verifies.
//!
//! **Invariant: nothing is believed for being there.** A missing file is a failure as well as a
//! wrong one, and a check that could not be made is never counted as passed.

pub mod decisions;
pub mod explain;
pub mod exported;
pub mod pack;
pub mod page;
pub mod source;
pub mod verify;

#[cfg(test)]
pub(crate) mod sample;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

/// What a failed verification means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Something differs from what was signed, or a decision does not follow from the facts and the table.
    Tampered,
    /// Something is missing, so there is no verdict.
    Incomplete,
    /// It cannot be verified with this trust file or by this version of the program.
    Unusable,
}

impl Verdict {
    /// The exit code of a command that ends with this verdict; 0 means success.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Tampered => 1,
            Verdict::Unusable => 2,
            Verdict::Incomplete => 3,
        }
    }

    /// The verdict in one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Tampered => "tampered",
            Verdict::Incomplete => "incomplete",
            Verdict::Unusable => "unusable",
        }
    }
}

/// Why something is not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Failure {
    /// What it means.
    pub verdict: Verdict,
    /// The entry's index in the log.
    pub index: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
    /// What else is wrong, missing or unreadable; at most [`MOST_TOLD`] of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Failure>,
}

impl Failure {
    /// Something differs from what was signed, or was decided wrongly.
    #[must_use]
    pub fn tampered(what: impl Into<String>) -> Failure {
        Failure::new(Verdict::Tampered, what.into())
    }

    /// Something is missing.
    #[must_use]
    pub fn incomplete(what: impl Into<String>) -> Failure {
        Failure::new(Verdict::Incomplete, what.into())
    }

    /// It cannot be verified with this trust file or this program.
    #[must_use]
    pub fn unusable(what: impl Into<String>) -> Failure {
        Failure::new(Verdict::Unusable, what.into())
    }

    fn new(verdict: Verdict, what: String) -> Failure {
        Failure { verdict, index: None, what, also: Vec::new() }
    }

    /// The same failure, about an entry.
    #[must_use]
    pub fn at(self, index: u64) -> Failure {
        Failure { index: Some(index), ..self }
    }

    /// The failure that is about the earlier entry. One that is about no entry comes last.
    #[must_use]
    pub fn first(self, other: Failure) -> Failure {
        let key = |failure: &Failure| failure.index.unwrap_or(u64::MAX);
        if key(&other) < key(&self) { other } else { self }
    }

    /// Joins all failures in one: first tampered, then incomplete, then unusable, each in the order of the
    /// entries. `None` if there are none.
    #[must_use]
    pub fn together(found: impl IntoIterator<Item = Failure>) -> Option<Failure> {
        let mut all: Vec<Failure> = Vec::new();
        for mut failure in found {
            let also = std::mem::take(&mut failure.also);
            all.push(failure);
            all.extend(also);
        }
        all.sort_by_key(|failure| (failure.verdict, failure.index.unwrap_or(u64::MAX)));
        let left_out = all.len().saturating_sub(MOST_TOLD.saturating_add(1));
        let mut all = all.into_iter();
        let mut first = all.next()?;
        first.also = all.take(MOST_TOLD).collect();
        if let (Some(last), true) = (first.also.last_mut(), left_out > 0) {
            last.what.push_str(&format!(" (and {left_out} more)"));
        }
        Some(first)
    }
}

/// How many failures are reported beside the worst one.
pub const MOST_TOLD: usize = 50;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "entry {index}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// What was verified of a log.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The tree's root, in hexadecimal.
    pub root: String,
    /// The keys that signed the head, as verifier keys.
    pub signed_by: Vec<String>,
    /// The witnesses that signed it too, and when.
    pub witnessed_by: Vec<Witnessed>,
    /// The time stamps of its heads in the export. Who made them is not verified.
    pub stamps: Vec<Stamped>,
    /// When the first and the last entry were logged.
    pub span: Option<(Timestamp, Timestamp)>,
    /// How many entries there are of each type.
    pub types: BTreeMap<String, u64>,
    /// How many calls were opened.
    pub calls: u64,
    /// How many decisions were computed again and found equal.
    pub decisions: u64,
    /// The tables that decided.
    pub tables: Vec<TableUse>,
    /// The versions of the table that came into force: they stand in the log `system`.
    pub law: Vec<Version>,
    /// Details.
    pub details: Details,
    /// The sizes of the older heads that belong to this log, ascending.
    pub older: Vec<u64>,
    /// How often the log's key was changed.
    pub rotations: u64,
    /// The log that this one continues.
    pub continues: Option<Continued>,
    /// Earlier epochs that were verified too, the first of them first.
    pub earlier: Vec<Continued>,
    /// The log `system` that the tables were compared with.
    pub system: Option<String>,
    /// What is not proven.
    pub warnings: Vec<String>,
}

/// A witness's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witnessed {
    /// The witness's name, as the trust file has it.
    pub name: String,
    /// When it signed, by its own clock.
    pub at: Timestamp,
}

/// A time stamp of a head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stamped {
    /// The file that holds it.
    pub path: String,
    /// How many entries there were.
    pub size: u64,
    /// When, as it says.
    pub at: Timestamp,
}

/// The head of another log: one that this one continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Continued {
    /// Its origin.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// Its root, in hexadecimal.
    pub root: String,
}

/// How a table was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableUse {
    /// Its digest.
    pub table: String,
    /// The first entry that was decided by it.
    pub first: u64,
    /// When that was logged.
    pub from: Timestamp,
    /// How many were decided by it.
    pub decisions: u64,
}

/// A version of the table that came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Its number.
    pub version: i64,
    /// Its digest.
    pub table: String,
    /// When.
    pub at: Timestamp,
    /// The entry that says so.
    pub index: u64,
}

/// How many details there are. A missing one was erased, or was not handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Details {
    /// Entries that commit to a detail.
    pub committed: u64,
    /// Details that are there, and match.
    pub present: u64,
}
