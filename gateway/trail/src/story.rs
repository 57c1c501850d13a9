//! The story of a call: who was there when, what they heard and answered, how far they agreed, what was
//! recorded, refused and kept.
//!
//! It is computed from the call's entries, and from those of its prompts, grants and recordings, in the order
//! of the log. The page of a proof pack, vCons, consent records and the purposes that a recording may be
//! listened to for are derived from it; it knows none of these forms. [`laws`], which needs the tables, says
//! what the law asked, rule by rule.
//!
//! INVARIANT: how far somebody agreed is what the policy decided in the entries (`saw`), never a second
//! opinion. Outsiders' words (names, numbers, texts) come from details, and may be missing.

mod law;
mod standing;
mod tell;

use std::collections::BTreeMap;

use jiff::Timestamp;
use policy::{Code, Kind, LawfulBasis, Medium, Method, Place, Purpose, Role};
use serde_json::Value;
use uuid::Uuid;

use super::{Leaf, Saw};
pub use law::{Law, Laws, Unjudged, laws};

/// An entry that was read.
#[derive(Debug, Clone)]
pub struct Read {
    /// Its place in the log, from 0.
    pub index: u64,
    /// What it says.
    pub leaf: Leaf,
    /// The JSON object that it commits to; `None` if that was erased, or is not disclosed.
    pub detail: Option<Value>,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Story {
    /// The gateway's id of it.
    pub call: Uuid,
    /// The platform's id of it.
    pub name: Option<String>,
    /// Its other ids.
    pub aliases: Vec<String>,
    /// How it was carried.
    pub medium: Medium,
    /// What sort of call it was.
    pub kind: Kind,
    /// `inbound`, `outbound` or `internal`.
    pub direction: Option<String>,
    /// What it was recorded for, as the platform said; if that was erased, as far as the law distinguishes
    /// purposes.
    pub purposes: Vec<String>,
    /// On which lawful basis the account processed what is recorded for a purpose, as it had stated when the call
    /// was opened.
    pub lawful_basis: BTreeMap<Purpose, LawfulBasis>,
    /// When its opening was logged.
    pub opened_at: Timestamp,
    /// When it began, by the platform's clock.
    pub started_at: Timestamp,
    /// When it ended. Whatever tightens counts from when it happened.
    pub ended_at: Option<Timestamp>,
    /// When its end was logged.
    pub closed_at: Option<Timestamp>,
    /// Where the operator is established.
    pub operator_locations: Vec<Code>,
    /// Where the recording device stood.
    pub recorder_locations: Vec<Code>,
    /// What the policy answered last.
    pub saw: Saw,
    /// Everybody who was on it, by their numbers.
    pub people: BTreeMap<u32, Person>,
    /// The prompts that were played, by their versions' ids.
    pub prompts: BTreeMap<String, Prompt>,
    /// What happened about consent, in the order of the log.
    pub acts: Vec<Act>,
    /// The grants that were relied on.
    pub grants: Vec<Relied>,
    /// When the trail could not be written while somebody was on the call.
    pub gaps: Vec<Gap>,
    /// The recordings that were accepted, in the order of the log.
    pub recordings: Vec<Recording>,
    /// What was refused, in the order of the log.
    pub refusals: Vec<Refusal>,
    /// What was asked (`parties/form`, and anything else), from when each entry was logged.
    asked: Vec<(Timestamp, String)>,
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
    /// Whether a machine has answered for them, and no human after it.
    pub machine: bool,
    /// Whether they were found to be a minor.
    pub minor: bool,
    /// The platform's id of them.
    pub id: Option<String>,
    /// The pseudonym of their phone number in this log.
    pub pseudonym: Option<String>,
    /// Where they were, with all evidence of it.
    pub places: Vec<Place>,
    /// The languages they have.
    pub languages: Vec<String>,
    /// The stretches in which they were on the call.
    pub stays: Vec<Stay>,
    /// What they were told: prompts that they heard to the end, as the policy counted them, and grants that they
    /// relied on.
    pub told: Vec<Text>,
    /// How far they agreed, in order: the last one counts.
    pub words: Vec<Word>,
    /// How they stood (`prompted`, `consented`, …) until the call ended, each from when it counts.
    states: Vec<(Timestamp, String)>,
}

/// A stretch of time in which somebody was on the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// When they came, by the earlier time.
    pub from: Timestamp,
    /// When they left, by the earlier time.
    pub left: Option<Timestamp>,
    /// When their leaving was logged. Until then their consent was needed.
    pub gone: Option<Timestamp>,
}

/// A text that says what a recording is for, and from when somebody knew it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// From when.
    pub at: Timestamp,
    /// Until when it could be relied on: until they said no to it.
    pub until: Option<Timestamp>,
    /// The version of the prompt, or the grant.
    pub uid: String,
    /// Whether it is a prompt.
    pub is_prompt: bool,
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
    /// They were told, and stayed: enough if the law asks for notice.
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// When it was logged.
    pub logged_at: Timestamp,
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
    /// A prompt began to play.
    Began {
        /// The prompt's version.
        version: String,
    },
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
    /// When it was logged that they rely on it.
    pub named_at: Timestamp,
    /// Its id, as the registrar chose it.
    pub id: Option<String>,
    /// What it rests on.
    pub basis: Option<String>,
    /// The version of the text they agreed to.
    pub text_version: Option<String>,
    /// SHA-256 of the evidence, in hexadecimal.
    pub evidence_sha256: Option<String>,
    /// It was given in writing.
    pub written: bool,
    /// A guardian gave it for them.
    pub by_guardian: bool,
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
    /// The last known moment before it.
    pub from: Timestamp,
    /// When the trail could be written again.
    pub until: Timestamp,
    /// The entry.
    pub entry: u64,
}

/// A recording that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its id.
    pub id: Uuid,
    /// Its name, as the platform chose it.
    pub name: Option<String>,
    /// Its length, sealed, in bytes.
    pub bytes: u64,
    /// SHA-256 of the sealed media, in hexadecimal.
    pub media: String,
    /// SHA-256 of the envelope without its wrapped keys, in hexadecimal.
    pub envelope: String,
    /// The keys that it was sealed for.
    pub keys: Vec<String>,
    /// Which moments it holds.
    pub spans: Vec<(Timestamp, Timestamp)>,
    /// Which moments of the upload were silenced, and what was in the way.
    pub silenced: Vec<policy::Silenced>,
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
    /// How often it was handed out.
    pub fetched: u64,
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

/// A part of a recording in which nobody's consent changed, nor what the law asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// What was asked: `parties/form`, and anything else.
    pub asked: String,
    /// How everybody who was there stood, by their numbers.
    pub states: BTreeMap<u32, String>,
}

impl Story {
    /// The story of a call; `None` if no entry opens it.
    ///
    /// `entries` are in the order of the log: all of the call's, and, as far as available, those by which its
    /// prompts and grants were registered or withdrawn and its recordings held, fetched or deleted. Other
    /// entries are ignored.
    #[must_use]
    pub fn of(call: Uuid, entries: &[Read]) -> Option<Story> {
        tell::tell(call, entries)
    }

    /// What somebody heard to the end, named or answered, in the order of the log.
    pub fn acts_of(&self, number: u32) -> impl Iterator<Item = &Act> {
        let counts = |act: &&Act| !matches!(act.what, ActKind::Began { .. });
        self.acts.iter().filter(counts).filter(move |act| act.participants.contains(&number))
    }

    /// What happened about a person's consent up to their word, since they objected before.
    pub fn acts_behind(&self, person: &Person, word: &Word) -> impl Iterator<Item = &Act> {
        let until = word.entry;
        let objects = |other: &&Word| other.objects() && other.entry < until;
        let objected = person.words.iter().filter(objects).map(|other| other.entry).max();
        self.acts_of(person.number)
            .filter(move |act| act.entry <= until && objected.is_none_or(|objected| objected < act.entry))
    }

    /// The grant that somebody relied on at a moment.
    #[must_use]
    pub fn grant_at(&self, participant: u32, at: Timestamp) -> Option<&Relied> {
        self.grants_of(participant).filter(|relied| relied.named_at <= at).last()
    }

    /// The grants that somebody relied on, in the order of the log.
    pub fn grants_of(&self, participant: u32) -> impl Iterator<Item = &Relied> {
        self.grants.iter().filter(move |relied| relied.participant == participant)
    }

    /// What was asked at a moment: `parties/form`, and anything else.
    #[must_use]
    pub fn asked_at(&self, at: Timestamp) -> &str {
        let begun = self.asked.iter().rev().find(|(from, _)| *from <= at);
        begun.or(self.asked.first()).map_or("", |(_, asked)| asked)
    }

    /// Who was there in a stretch of time, for as long as their consent was needed.
    pub fn there(&self, (begin, end): (Timestamp, Timestamp)) -> impl Iterator<Item = &Person> {
        let overlaps = move |stay: &Stay| stay.from < end && stay.gone.is_none_or(|gone| begin < gone);
        self.people.values().filter(move |person| person.stays.iter().any(overlaps))
    }

    /// Splits these stretches of time in parts, each with who had agreed to what, and what the law asked.
    #[must_use]
    pub fn stretches(&self, spans: &[(Timestamp, Timestamp)]) -> Vec<Stretch> {
        let states = self.people.values().flat_map(|person| &person.states);
        let mut changes: Vec<Timestamp> = self.asked.iter().chain(states).map(|(from, _)| *from).collect();
        changes.sort_unstable();
        changes.dedup();
        let mut stretches: Vec<Stretch> = Vec::new();
        for (from, until) in spans {
            let mut begins = vec![*from];
            begins.extend(changes.iter().filter(|at| from < *at && *at < until));
            let ends: Vec<Timestamp> = begins.iter().skip(1).copied().chain([*until]).collect();
            for (from, until) in begins.into_iter().zip(ends) {
                let stretch = Stretch {
                    from,
                    until,
                    asked: self.asked_at(from).to_owned(),
                    states: self.states_at(from),
                };
                match stretches.last_mut() {
                    Some(last)
                        if (last.until, &last.asked, &last.states)
                            == (from, &stretch.asked, &stretch.states) =>
                    {
                        last.until = until;
                    }
                    _ => stretches.push(stretch),
                }
            }
        }
        stretches
    }

    /// How everybody who was there stood at a moment.
    fn states_at(&self, at: Timestamp) -> BTreeMap<u32, String> {
        let state = |person: &Person| {
            let (_, state) = person.states.iter().rev().find(|(from, _)| *from <= at)?;
            (state != LEFT).then(|| (person.number, state.clone()))
        };
        self.people.values().filter_map(state).collect()
    }
}

impl Person {
    /// Whether they were on the call at any moment from `from` until `until`.
    #[must_use]
    pub fn was_there(&self, from: Timestamp, until: Timestamp) -> bool {
        self.stays.iter().any(|stay| stay.from <= until && stay.left.is_none_or(|left| from <= left))
    }

    /// The start of their first stay that lasts beyond a moment; else that moment.
    #[must_use]
    pub fn since(&self, moment: Timestamp) -> Timestamp {
        let lasts = |stay: &&Stay| stay.gone.is_none_or(|gone| moment < gone);
        self.stays.iter().filter(lasts).map(|stay| stay.from).min().unwrap_or(moment)
    }

    /// Where they were, each place once, with its strongest evidence.
    #[must_use]
    pub fn places_by_code(&self) -> Vec<Place> {
        let mut known: Vec<Place> = Vec::new();
        for place in &self.places {
            match known.iter_mut().find(|other| other.code == place.code) {
                Some(other) => other.evidence = other.evidence.max(place.evidence),
                None => known.push(*place),
            }
        }
        known
    }

    /// How they stood in the end.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.states.last().map(|(_, state)| state.as_str())
    }
}

impl Recording {
    /// How long it lasts, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.stretches().map(|(from, until)| policy::length_ms(from, until)).sum()
    }

    /// The first moment of its file, and the first one after it.
    #[must_use]
    pub fn extent(&self) -> Option<(Timestamp, Timestamp)> {
        let (from, until) =
            (self.stretches().map(|(from, _)| from).min()?, self.stretches().map(|(_, until)| until).max()?);
        Some((from, until))
    }

    /// The stretches of its file, those that were silenced included.
    fn stretches(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        self.spans.iter().copied().chain(self.silenced.iter().map(|(from, until, _)| (*from, *until)))
    }
}

impl Word {
    /// Whether they agreed.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        matches!(self.standing, Standing::Granted(_))
    }

    /// Whether they said no, or no longer agreed.
    fn objects(&self) -> bool {
        matches!(self.standing, Standing::Denied(Denial::Declined | Denial::Withdrawn))
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
            How::Said(Method::Dtmf) => "dtmf",
            How::Said(Method::Speech) => "speech",
            How::Said(Method::Click) => "click",
            How::Said(Method::Written) => "written",
            How::Said(Method::Continued) => "continued",
            How::Before(_) => "consent-grant",
        }
    }
}

const LEFT: &str = "left";

#[cfg(test)]
mod tests;
