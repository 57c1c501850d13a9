//! One call, as far as an export needs to know it.
//!
//! Computed from the call's entries, and from those of its prompts, grants and recordings, in the order
//! of the log. It knows which acts there were and how far each person agreed; it does not know any format.
//!
//! INVARIANT: how far somebody agreed is what the policy answered in the entries (`saw`), never a second
//! opinion. What outsiders said (names, numbers, texts) comes from details, and may be missing.

mod fold;
mod known;
mod registered;
mod standing;

use std::collections::BTreeMap;

use jiff::Timestamp;
use policy::{Code, Kind, Medium, Method, Place, Role};
use serde_json::Value;
use uuid::Uuid;

use super::Controller;
pub use known::{Entry, Extras, KnownGrant, KnownMedia, KnownPerson, KnownPrompt};

/// One call.
#[derive(Debug, Clone)]
pub struct Record {
    /// The account.
    pub account: String,
    /// Who the recordings are made for, where that is configured.
    pub controller: Option<Controller>,
    /// The log's origin.
    pub origin: String,
    /// Where the log is served.
    pub log_url: Option<String>,
    /// When it is exported.
    pub exported_at: Timestamp,
    /// The gateway's id of the call.
    pub call: Uuid,
    /// The platform's id of it.
    pub call_id: Option<String>,
    /// How it was carried.
    pub medium: Medium,
    /// What sort of call it was.
    pub kind: Kind,
    /// `inbound`, `outbound` or `internal`.
    pub direction: Option<String>,
    /// What it was recorded for, as the platform said; where that was erased, as far as the law
    /// distinguishes it.
    pub purposes: Vec<String>,
    /// When its opening was logged.
    pub opened_at: Timestamp,
    /// When it began, by the platform's clock.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Where the operator is established.
    pub operator_locations: Vec<Code>,
    /// Where the recording device stood.
    pub recorder_locations: Vec<Code>,
    /// The table that decided last.
    pub table: String,
    /// The policy's version that decided last.
    pub policy: String,
    /// What was asked last: `parties/form`, and what else.
    pub requirement: String,
    /// Everybody who was on it, by their numbers.
    pub people: Vec<Person>,
    /// The prompts that were played, by their versions' ids.
    pub prompts: BTreeMap<String, Prompt>,
    /// What happened about consent, in the order of the log.
    pub acts: Vec<Act>,
    /// The grants that were relied on.
    pub grants: Vec<Relied>,
    /// When the trail could not be written while somebody was on the call.
    pub gaps: Vec<Gap>,
    /// The recordings that were accepted, in the order of the log.
    pub recordings: Vec<Stored>,
    /// What was refused, in the order of the log.
    pub refusals: Vec<Refusal>,
    /// The entries that all of this rests on, by their indexes.
    pub logged: BTreeMap<u64, Logged>,
}

/// Somebody who was on the call.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their number within the call.
    pub number: u32,
    /// Who they are.
    pub role: Role,
    /// Whether they count as a person, and not as a machine of the operator's.
    pub is_person: bool,
    /// The platform's id of them.
    pub id: Option<String>,
    /// Their phone number.
    pub tel: Option<String>,
    /// The pseudonym of their phone number in this log.
    pub pseudonym: Option<String>,
    /// Where they were.
    pub places: Vec<Where>,
    /// The languages they have.
    pub languages: Vec<String>,
    /// When they were on the call.
    pub stays: Vec<(Timestamp, Option<Timestamp>)>,
    /// How far they agreed, in order: the last one counts.
    pub words: Vec<Word>,
}

/// A place, and what the table that decided last cites for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Where {
    /// The place, with its evidence.
    pub place: Place,
    /// Statutes, cases, regulators; none where the table has no row for it.
    pub citations: Vec<String>,
}

/// How far somebody agreed, from some moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// How far.
    pub standing: Standing,
    /// From when.
    pub from: Timestamp,
    /// Until when, exclusive: until a grant's end, or until their next word.
    pub until: Option<Timestamp>,
    /// The entry that says so.
    pub entry: u64,
}

/// How far somebody agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// They agreed.
    Granted(How),
    /// They did not.
    Denied(Denial),
}

/// How somebody agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// They were told, and stayed: enough where the law asks for notice.
    Stayed,
    /// They said yes on the call.
    Said(Method),
    /// They had agreed before; the grant's id.
    Before(String),
}

/// How somebody did not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// They said no.
    Declined,
    /// They no longer agreed.
    Withdrawn,
    /// Nothing was heard of them, and something was refused for that.
    Missing,
}

/// A version of a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Its id, as counsel chose it.
    pub id: Option<String>,
    /// Its version, from 1.
    pub version: Option<u64>,
    /// What it says.
    pub text: Option<String>,
    /// Its language: the first part of the tag.
    pub language: String,
    /// How long it lasts, in milliseconds.
    pub duration_ms: u64,
    /// The entry by which it was registered.
    pub entry: Option<u64>,
}

/// Something that happened about consent.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// What.
    pub what: ActKind,
    /// Whose.
    pub participants: Vec<u32>,
    /// From when it counts.
    pub at: Timestamp,
    /// Who noticed: `platform`, `agent` or `asr`.
    pub reported_by: Option<String>,
    /// Whether it counts from before it was logged.
    pub late: bool,
    /// What stands behind it, as the platform said.
    pub evidence: Option<Value>,
    /// The entry.
    pub entry: u64,
}

/// What happened about consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActKind {
    /// A prompt was played to its end.
    Prompted {
        /// The prompt's version.
        version: String,
        /// How much of it was played, in milliseconds.
        played_ms: u64,
    },
    /// A prompt was cut short.
    Interrupted,
    /// They said yes.
    Given(Method),
    /// They named consent that they had given before; the grant's id.
    Named(String),
    /// They said no.
    Declined,
    /// They no longer agreed.
    Withdrawn,
    /// They heard an announcement that is in the recording.
    Announced,
}

/// A grant that somebody relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relied {
    /// The gateway's id of it.
    pub grant: String,
    /// Who.
    pub participant: u32,
    /// Its id, as the registrar chose it.
    pub id: Option<String>,
    /// What it rests on.
    pub basis: Option<String>,
    /// Which version of the text they agreed to.
    pub text_version: Option<String>,
    /// SHA-256 of the evidence, in hexadecimal.
    pub evidence_sha256: Option<String>,
    /// It was given in writing.
    pub written: bool,
    /// It rests on a works agreement alone.
    pub works_agreement: bool,
    /// From when it holds.
    pub from: Timestamp,
    /// Until when it holds, exclusive.
    pub until: Option<Timestamp>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
    /// The entry by which it was registered.
    pub entry: Option<u64>,
}

/// A stretch in which events may have been lost, so that nobody's consent is relied on until they are
/// named again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last moment before it that is known of.
    pub from: Timestamp,
    /// When the trail could be written again.
    pub until: Timestamp,
    /// The entry.
    pub entry: u64,
}

/// A recording that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its id.
    pub id: Uuid,
    /// Its name, as the platform chose it.
    pub name: Option<String>,
    /// The media type of the audio.
    pub content_type: Option<String>,
    /// How long it lasts, in milliseconds.
    pub duration_ms: u64,
    /// Its length, sealed.
    pub bytes: u64,
    /// SHA-256 of the sealed media, in hexadecimal.
    pub sha256: String,
    /// SHA-512 of the sealed media.
    pub sha512: Option<[u8; 64]>,
    /// Where the sealed media are served.
    pub url: Option<String>,
    /// Its envelope.
    pub envelope: Option<Value>,
    /// Which moments it holds.
    pub spans: Vec<(Timestamp, Timestamp)>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Until when it has to be kept.
    pub keep_until: Option<Timestamp>,
    /// From when on it has to be gone.
    pub delete_by: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Whether it is under a legal hold.
    pub held: bool,
    /// The entry.
    pub entry: u64,
}

/// Something that the platform was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What.
    pub what: Refused,
    /// The problem's code.
    pub code: &'static str,
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub entry: u64,
}

/// What the platform was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// To start or to resume.
    Control,
    /// To store a finished recording.
    Upload {
        /// Its name, as the platform chose it.
        name: Option<String>,
        /// What was not covered, and why.
        uncovered: Vec<policy::Stretch>,
    },
}

/// An entry, as evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its type.
    pub kind: String,
    /// When it was logged.
    pub at: Timestamp,
    /// Its exact text.
    pub leaf: String,
    /// Its RFC 6962 leaf hash.
    pub leaf_hash: [u8; 32],
    /// Its proof, in the format `c2sp.org/tlog-proof@v1`.
    pub proof: Option<String>,
}

impl Record {
    /// The record of the one call whose opening is among `entries`.
    ///
    /// `entries` are in the order of the log: all of the call's, and beside them those by which its prompts
    /// and grants were registered or withdrawn and its recordings held, fetched or deleted, as far as they
    /// are at hand. Entries of other calls, and what concerns none, are passed over.
    ///
    /// # Errors
    ///
    /// [`RecordError`]: an entry cannot be read, is out of order, or opens no call or a second one.
    pub fn from_entries(entries: &[Entry], extras: Extras<'_>) -> Result<Record, RecordError> {
        fold::record(entries, extras)
    }

    /// Whether anybody on the call is meant by `number`.
    #[must_use]
    pub fn person(&self, number: u32) -> Option<&Person> {
        self.people.iter().find(|person| person.number == number)
    }

    /// What happened about a person's consent up to their word, since they objected before.
    pub(super) fn acts_behind(&self, person: &Person, word: &Word) -> impl Iterator<Item = &Act> {
        let (number, until) = (person.number, word.entry);
        let objects = |other: &&Word| {
            matches!(other.standing, Standing::Denied(Denial::Declined | Denial::Withdrawn))
                && other.entry < until
        };
        let objected = person.words.iter().filter(objects).map(|other| other.entry).max();
        self.acts.iter().filter(move |act| {
            act.participants.contains(&number)
                && act.entry <= until
                && objected.is_none_or(|objected| objected < act.entry)
        })
    }
}

impl Person {
    /// Whether they were on the call at some moment from `from` until `until`.
    #[must_use]
    pub fn was_there(&self, from: Timestamp, until: Timestamp) -> bool {
        self.stays.iter().any(|(came, left)| *came <= until && left.is_none_or(|left| from <= left))
    }
}

impl Word {
    /// Whether they agreed.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        matches!(self.standing, Standing::Granted(_))
    }
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Standing::Granted(_) => "granted",
            Standing::Denied(Denial::Declined) => "declined",
            Standing::Denied(Denial::Withdrawn) => "withdrawn",
            Standing::Denied(Denial::Missing) => "missing",
        }
    }
}

impl How {
    /// The word for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            How::Stayed => "stayed",
            How::Said(method) => method_word(*method),
            How::Before(_) => "consent-grant",
        }
    }
}

fn method_word(method: Method) -> &'static str {
    match method {
        Method::Dtmf => "dtmf",
        Method::Speech => "speech",
        Method::Click => "click",
        Method::Written => "written",
        Method::Continued => "continued",
    }
}

/// The word for a role.
pub(super) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Agent => "agent",
        Role::System => "system",
    }
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// An entry cannot be read.
    #[error("entry {index} cannot be read")]
    Unreadable {
        /// Which one.
        index: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// The entries are not in the order of the log.
    #[error("entry {index} comes after one that was logged later; give the entries in the order of the log")]
    Order {
        /// Which one.
        index: u64,
    },
    /// No entry opens a call.
    #[error("none of the entries opens a call")]
    NotOpened,
    /// Several calls are opened.
    #[error("entry {index} opens another call; export one call at a time")]
    Several {
        /// Which one.
        index: u64,
    },
}

#[cfg(test)]
mod tests;
