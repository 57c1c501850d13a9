//! Requests to the gate. The native API's bodies are exactly these; unknown fields are refused.

mod holds;
mod lenient;
mod provision;
mod quarantine;
mod readings;
mod scope;

pub use holds::{HoldRole, LegalHold};
pub use lenient::{Lenient, Posted};
pub use provision::{AccountChange, Basis, CredentialOf, KeepFor, PublicKey, WebhookAddress};
pub use quarantine::Release;
pub use readings::StateReading;
pub use scope::{Destination, MAX_SETTINGS, Named, RecordingScope, RecordingSettings};

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use policy::{AnsweredBy, Behavior, Kind, Method, Role, Use, Weight};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Field, Wrong};
use trail::KINDS;

/// `PUT /v1/calls/{call}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenCall {
    /// How the call is carried; by default unknown, which is the strictest.
    #[serde(default)]
    pub medium: Option<Medium>,
    /// The kind of call.
    #[serde(default, deserialize_with = "or_default")]
    pub kind: Kind,
    /// `inbound` or `outbound`.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// When it began; by default, now.
    #[serde(default, deserialize_with = "moment")]
    pub started_at: Option<Timestamp>,
    /// Where the recording device stands; by default, what the account says.
    #[serde(default)]
    pub recorder_location: Option<String>,
    /// Where the operator is established; by default, what the account says.
    #[serde(default)]
    pub operator_location: Option<String>,
    /// What the recording is for.
    #[serde(default, deserialize_with = "or_default")]
    pub purposes: Vec<String>,
    /// The ids of the call's legs.
    #[serde(default, deserialize_with = "or_default")]
    pub aliases: Vec<String>,
    /// The overlays for this call, in addition to the account's.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
    /// Who is on it.
    #[serde(default, deserialize_with = "objects")]
    #[schemars(length(max = 256))]
    pub participants: Vec<Participant>,
}

/// How a call is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// A telephone call.
    Telephone,
    /// A call over the internet.
    Voip,
    /// A call with pictures.
    Video,
}

impl From<Medium> for policy::Medium {
    fn from(medium: Medium) -> Self {
        match medium {
            Medium::Telephone => policy::Medium::Telephone,
            Medium::Voip => policy::Medium::Voip,
            Medium::Video => policy::Medium::Video,
        }
    }
}

/// Who called whom, from the operator's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// They called the operator.
    Inbound,
    /// The operator called them.
    Outbound,
    /// Both sides belong to the operator.
    Internal,
}

impl Direction {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
            Direction::Internal => "internal",
        }
    }
}

/// Somebody on a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// The platform's id of the participant, unique within the call.
    #[schemars(length(min = 1, max = 255))]
    pub id: String,
    /// Who they are.
    pub role: Role,
    /// Their phone number, E.164.
    #[serde(default)]
    pub number: Option<String>,
    /// Their IP address.
    #[serde(default)]
    pub ip: Option<String>,
    /// If they are, as declared by the platform: a code, or a list of codes.
    #[serde(default)]
    pub location: Option<Places>,
    /// The languages that they understand, BCP 47.
    #[serde(default, deserialize_with = "or_default")]
    pub languages: Vec<String>,
    /// The consent grant that they rely on.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub consent_grant: Option<String>,
    /// When they joined.
    #[serde(default, deserialize_with = "moment")]
    pub joined_at: Option<Timestamp>,
}

impl Participant {
    /// Stands for everybody on a call beyond the largest number of participants.
    pub(crate) fn others(joined_at: Option<Timestamp>) -> Participant {
        Participant { joined_at, ..Participant::stranger(OTHERS.into()) }
    }

    /// Somebody who is on the call, and of whom nothing else is known.
    pub(crate) fn stranger(id: String) -> Participant {
        Participant {
            id,
            role: Role::Customer,
            number: None,
            ip: None,
            location: None,
            languages: Vec::new(),
            consent_grant: None,
            joined_at: None,
        }
    }
}

/// One place, or several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Places {
    /// One place.
    One(String),
    /// Several places.
    Many(Vec<String>),
}

impl Places {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Places::One(place) => std::slice::from_ref(place),
            Places::Many(places) => places,
        }
    }
}

/// One event of `POST /v1/calls/{call}/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Event")]
pub struct Observed {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The sender's id of the event, which makes a retry harmless.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub id: Option<String>,
    /// The participant that it concerns.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub participant: Option<String>,
    /// The participants that it concerns, if several.
    #[serde(default, deserialize_with = "or_default")]
    pub participants: Vec<String>,
    /// The id of the prompt.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub prompt: Option<String>,
    /// When it happened, by the platform's clock.
    #[serde(default, deserialize_with = "moment")]
    pub at: Option<Timestamp>,
    /// How they agreed.
    #[serde(default)]
    pub method: Option<Method>,
    /// How many milliseconds of the prompt were played.
    #[serde(default)]
    pub played_ms: Option<u64>,
    /// Who noticed it.
    #[serde(default)]
    pub reported_by: Option<ReportedBy>,
    /// The evidence for it.
    #[serde(default)]
    pub evidence: Option<EventEvidence>,
    /// If they are (`participant.located`).
    #[serde(default)]
    pub location: Option<Places>,
    /// Their number (`participant.located`).
    #[serde(default)]
    pub number: Option<String>,
    /// Their address (`participant.located`).
    #[serde(default)]
    pub ip: Option<String>,
    /// When they moved, if they did (`participant.located`).
    #[serde(default, deserialize_with = "moment")]
    pub since: Option<Timestamp>,
    /// Who took the call (`participant.answered`).
    #[serde(default)]
    pub by: Option<AnsweredBy>,
    /// The reason, in the platform's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// It comes from a refused request, or late: only what it makes stricter counts. Nobody can post it.
    #[serde(skip)]
    pub(crate) only_tightens: bool,
}

impl Observed {
    /// An event that says nothing but its type.
    #[must_use]
    pub(crate) fn of(kind: EventType) -> Observed {
        Observed {
            kind,
            id: None,
            participant: None,
            participants: Vec::new(),
            prompt: None,
            at: None,
            method: None,
            played_ms: None,
            reported_by: None,
            evidence: None,
            location: None,
            number: None,
            ip: None,
            since: None,
            by: None,
            reason: None,
            only_tightens: false,
        }
    }

    /// The part that is logged even if the rest cannot be: who does not agree, who is elsewhere, what has
    /// stopped. The end of a call is not included, since events from before it can still be sent.
    pub(crate) fn claim(self) -> Option<Observed> {
        let ends = matches!(self.kind, EventType::CallEnded | EventType::ParticipantLeft);
        if !self.weight().restricts() || ends {
            return None;
        }
        let bare = Observed {
            participant: self.participant,
            participants: self.participants,
            at: self.at,
            only_tightens: self.kind.is_of_a_hold(),
            ..Observed::of(self.kind)
        };
        if self.kind == EventType::ParticipantLocated {
            let Observed { location, number, ip, since, .. } = self;
            return Some(Observed { location, number, ip, since, ..bare });
        }
        let is_answered = self.kind == EventType::ParticipantAnswered;
        Some(Observed { by: self.by.filter(|_| is_answered), ..bare })
    }

    /// The weight of the event, as far as it shows without the call.
    pub(super) fn weight(&self) -> Weight {
        match self.kind {
            EventType::ConsentDeclined
            | EventType::ConsentWithdrawn
            | EventType::ParticipantLocated
            | EventType::RecordingPaused
            | EventType::ParticipantMinor
            | EventType::CallEmergency
            | EventType::RecordingStopped
            | EventType::CallEnded => Weight::Tightens,
            EventType::ParticipantHeld | EventType::ParticipantRetrieved => match self.only_tightens {
                true => Weight::Tightens,
                false => Weight::Restricts,
            },
            EventType::ParticipantAnswered => match self.by {
                Some(AnsweredBy::Machine) => Weight::Tightens,
                Some(AnsweredBy::Human) | None => Weight::Neither,
            },
            EventType::ParticipantLeft | EventType::ToneStopped => Weight::Restricts,
            EventType::PromptStarted
            | EventType::PromptCompleted
            | EventType::PromptInterrupted
            | EventType::ConsentGiven
            | EventType::AnnouncementRecorded
            | EventType::ToneStarted
            | EventType::RecordingStarted
            | EventType::RecordingResumed => Weight::Neither,
        }
    }

    /// The participants that it names, in either way.
    pub(crate) fn whom(&self) -> impl Iterator<Item = &str> {
        self.participant.iter().chain(&self.participants).map(String::as_str)
    }
}

impl EventType {
    /// Whether it restricts somebody, and not the call as a whole.
    pub(crate) fn is_of_somebody(self) -> bool {
        matches!(
            self,
            EventType::ConsentDeclined
                | EventType::ConsentWithdrawn
                | EventType::ParticipantLocated
                | EventType::ParticipantAnswered
                | EventType::ParticipantHeld
                | EventType::ParticipantRetrieved
                | EventType::ParticipantMinor
        )
    }

    /// Whether it begins or ends a hold, which makes some things stricter and may excuse others.
    pub(crate) fn is_of_a_hold(self) -> bool {
        matches!(self, EventType::ParticipantHeld | EventType::ParticipantRetrieved)
    }

    /// The words of all types: the log calls an event what the platform called it.
    pub fn words() -> impl Iterator<Item = &'static str> {
        let is_reported = |kind: &&str| serde_json::from_value::<EventType>(Value::from(*kind)).is_ok();
        KINDS.iter().copied().filter(is_reported)
    }
}

/// The types of events that a platform may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the words are the contract's own")]
pub enum EventType {
    #[serde(rename = "prompt.started")]
    PromptStarted,
    #[serde(rename = "prompt.completed")]
    PromptCompleted,
    #[serde(rename = "prompt.interrupted")]
    PromptInterrupted,
    #[serde(rename = "consent.given")]
    ConsentGiven,
    #[serde(rename = "consent.declined")]
    ConsentDeclined,
    #[serde(rename = "consent.withdrawn")]
    ConsentWithdrawn,
    #[serde(rename = "announcement.recorded")]
    AnnouncementRecorded,
    #[serde(rename = "tone.started")]
    ToneStarted,
    #[serde(rename = "tone.stopped")]
    ToneStopped,
    #[serde(rename = "participant.located")]
    ParticipantLocated,
    #[serde(rename = "participant.answered")]
    ParticipantAnswered,
    #[serde(rename = "participant.left")]
    ParticipantLeft,
    #[serde(rename = "participant.held")]
    ParticipantHeld,
    #[serde(rename = "participant.retrieved")]
    ParticipantRetrieved,
    #[serde(rename = "participant.minor")]
    ParticipantMinor,
    #[serde(rename = "call.emergency")]
    CallEmergency,
    #[serde(rename = "recording.started")]
    RecordingStarted,
    #[serde(rename = "recording.paused")]
    RecordingPaused,
    #[serde(rename = "recording.resumed")]
    RecordingResumed,
    #[serde(rename = "recording.stopped")]
    RecordingStopped,
    #[serde(rename = "call.ended")]
    CallEnded,
}

/// Writes the word by which it is reported.
impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Who noticed an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportedBy {
    /// The platform itself.
    Platform,
    /// The agent, by hand.
    Agent,
    /// Speech recognition.
    Asr,
    /// The gateway, which logs an event later than it came, or an objection from another call. Nobody can
    /// post it.
    #[serde(skip_deserializing)]
    Gateway,
}

impl ReportedBy {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReportedBy::Platform => "platform",
            ReportedBy::Agent => "agent",
            ReportedBy::Asr => "asr",
            ReportedBy::Gateway => trail::GATEWAY,
        }
    }
}

/// The evidence for an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventEvidence {
    /// The system that it comes from.
    #[serde(default)]
    pub source: Option<String>,
    /// Its name in that system.
    #[serde(default, rename = "ref")]
    pub reference: Option<String>,
    /// Its SHA-256, in hexadecimal.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<String>,
}

/// `POST /v1/calls/{call}/recording`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Control")]
pub struct ControlRecording {
    /// What to do.
    pub action: ControlAction,
    /// With which use of the call's audio; `record` if left out.
    #[serde(default, rename = "use")]
    pub of: Option<Use>,
    /// What the use is for, if it starts or resumes: the law's own words, or the call's. If left out, what the call is
    /// for, or what the use was for so far. A recording is for nothing that its call is not for.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub purposes: Option<Vec<String>>,
    /// The reason, in the platform's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// What the platform records while paused.
    #[serde(default)]
    pub behavior: Option<Behavior>,
}

impl ControlRecording {
    /// Asks this of recording.
    #[must_use]
    pub fn new(action: ControlAction) -> ControlRecording {
        ControlRecording { action, of: None, purposes: None, reason: None, behavior: None }
    }

    /// The use that it is about.
    #[must_use]
    pub fn of(&self) -> Use {
        self.of.unwrap_or_default()
    }
}

/// What to do with the recording, or with another use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ControlAction {
    /// Start recording.
    Start,
    /// Pause recording.
    Pause,
    /// Resume recording.
    Resume,
    /// Stop recording.
    Stop,
}

/// `PUT /v1/prompts/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The words of the prompt.
    #[schemars(length(min = 1, max = 16_384))]
    pub text: String,
    /// Its language, BCP 47.
    pub language: String,
    /// How long it lasts, in milliseconds; at least 1000.
    #[schemars(range(min = 1000, max = 600_000))]
    pub duration_ms: u64,
    /// The purposes of the recording that the prompt names.
    #[serde(default, deserialize_with = "or_default")]
    pub purposes: Vec<String>,
    /// How it is delivered.
    #[serde(default, deserialize_with = "or_default")]
    pub delivery: Delivery,
    /// SHA-256 of the audio, in hexadecimal.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<String>,
    /// Quotations of the text that say what the law may require, each with the words: `recording`, `operator`,
    /// `purpose`, `vendor`, `refusal`, `ai`, `emotion`, `voiceprint`, `more-info`, `withdrawal`, `retention`,
    /// `copy`, `reference`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<policy::Element, String>")]
    pub says: BTreeMap<String, String>,
}

impl Prompt {
    /// What the prompt says, of what the law may require.
    #[must_use]
    pub fn elements(&self) -> policy::Elements {
        policy::Elements::of(self.says.keys().map(String::as_str))
    }
}

/// How a prompt is delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// A recording is played.
    #[default]
    Audio,
    /// It is synthesised.
    Tts,
    /// The agent says it.
    Agent,
    /// It is shown on a screen.
    Text,
}

/// `PUT /v1/consent-grants/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentGrant {
    /// Who gave it: a participant's id, or their number.
    #[schemars(length(min = 1, max = 255))]
    pub subject: String,
    /// The role that it covers.
    pub role: Role,
    /// Its basis: a contract, a web form, a signed paper, a works agreement.
    #[schemars(length(min = 1, max = 255))]
    pub basis: String,
    /// The version of the text that they agreed to.
    #[serde(default)]
    pub text_version: Option<String>,
    /// The purposes that it covers; empty for all.
    #[serde(default, deserialize_with = "or_default")]
    pub purposes: Vec<String>,
    /// Whether it was given in writing.
    #[serde(default, deserialize_with = "or_default")]
    pub written: bool,
    /// The start of its validity; by default, its registration.
    #[serde(default, deserialize_with = "moment")]
    pub from: Option<Timestamp>,
    /// The end of its validity, exclusive.
    #[serde(default, deserialize_with = "moment")]
    pub until: Option<Timestamp>,
    /// Who gave it: the subject, or a guardian for them. For a minor, only a guardian's counts.
    #[serde(default, deserialize_with = "or_default")]
    pub given_by: GivenBy,
    /// SHA-256 of the evidence, in hexadecimal.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub evidence_sha256: Option<String>,
}

/// Who gave consent outside of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GivenBy {
    /// The person whom it is about.
    #[default]
    Subject,
    /// A guardian, for a minor or somebody else in their care.
    Guardian,
}

/// A body that must be a JSON object. By default, serde would read an array as an object, with its members in
/// the order of the fields, so that `[]` would open a call.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, members: M) -> Result<T, M::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Object)
    }
}

fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let objects: Option<Vec<Object<T>>> = Option::deserialize(deserializer)?;
    Ok(objects.unwrap_or_default().into_iter().map(|object| object.0).collect())
}

/// Reads a document by its members, and reports which one is wrong.
pub(crate) fn fit<'de, T, D>(document: D) -> Result<T, Misfit>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(document).map_err(|error| {
        let mut member = error.path().to_string();
        // If a member is missing or unknown, the words that follow name it.
        member.truncate(member.trim_end_matches('?').trim_end_matches('.').len());
        let error = error.into_inner();
        if error.to_string().contains(&format!("field `{member}`")) {
            member.clear();
        }
        Misfit { member, error }
    })
}

/// What is wrong with a document, and where.
#[derive(Debug)]
pub struct Misfit {
    /// The member, for example `participants[0].joined_at`; empty for the whole document.
    member: String,
    error: serde_json::Error,
}

impl Misfit {
    /// The same mistake, in a part of a document.
    pub(crate) fn within(self, part: &str) -> Misfit {
        let between = if self.member.is_empty() || self.member.starts_with('[') { "" } else { "." };
        Misfit { member: format!("{part}{between}{}", self.member), ..self }
    }

    /// Whether the document is not even JSON.
    pub(crate) fn is_of_form(&self) -> bool {
        self.error.classify() != serde_json::error::Category::Data
    }
}

impl From<serde_json::Error> for Misfit {
    fn from(error: serde_json::Error) -> Self {
        Misfit { member: String::new(), error }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.member.is_empty() && !self.is_of_form() {
            write!(f, "`{}`: ", self.member)?;
        }
        let (line, column) = (self.error.line(), self.error.column());
        let told = self.error.to_string();
        let told = told.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&told);
        f.write_str(&without_rust(told))?;
        if line > 0 { write!(f, " (line {line}, column {column})") } else { Ok(()) }
    }
}

impl std::error::Error for Misfit {}

/// The words of serde, rewritten for somebody who sends JSON.
fn without_rust(told: &str) -> String {
    let mut told = told.replace("unknown variant", "unknown word").replace("a sequence", "a list");
    for number in ["u8", "u16", "u32", "u64", "i64"] {
        told = told.replace(&format!("expected {number}"), "expected a whole number");
    }
    match told.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected an object"),
        None => told,
    }
}

/// A member that may be left out may also be `null`, as many programs write a missing value.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A moment, with its time zone.
pub(crate) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let moment: Option<Moment> = Option::deserialize(deserializer)?;
    Ok(moment.map(|moment| moment.0))
}

struct Moment(Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as in \"2027-01-31T12:00:00Z\" (RFC 3339)")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Moment, E> {
                trail::clock::moment(text).map(Moment).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Checks an id that an outsider chose: 1 to [`MAX_NAME`] bytes, no control characters.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_name(field: Field, name: &str) -> Result<(), Wrong> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Wrong::Length { field, bytes: name.len() });
    }
    if name.chars().any(char::is_control) { Err(Wrong::ControlCharacter(field)) } else { Ok(()) }
}

/// The language of a tag (BCP 47), as the one code that is compared and stored in the trail.
///
/// # Errors
///
/// If the text is not a language tag.
pub fn language(field: Field, tag: &str) -> Result<String, Wrong> {
    policy::language::canonical(tag).ok_or(Wrong::NoLanguage(field))
}

/// Checks a SHA-256 in hexadecimal.
///
/// # Errors
///
/// If it is not one.
pub fn check_sha256(field: Field, text: Option<&str>) -> Result<(), Wrong> {
    match text {
        Some(text) if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Err(Wrong::NoHash(field))
        }
        Some(_) | None => Ok(()),
    }
}

/// The longest id, in bytes.
pub const MAX_NAME: usize = 255;
/// The largest number of participants of a call.
pub const MAX_PARTICIPANTS: usize = 256;
/// The id that stands for everybody beyond those. No request can name them.
pub const OTHERS: &str = "(others)";
/// The largest number of events in a request.
pub const MAX_EVENTS: usize = 256;

/// Checks the length of a reason.
pub(in crate::gate) fn check_length(reason: &str) -> Result<(), Wrong> {
    if reason.len() > 4096 { Err(Wrong::LongReason) } else { Ok(()) }
}

/// The code of a place that ISO 3166 lists.
pub(in crate::gate) fn place(field: Field, text: Option<&str>) -> Result<Option<policy::Code>, Wrong> {
    let parse = |text: &str| {
        let wrong = |error| Wrong::NoCode { field: Some(field), error, meant: policy::atlas::nearest(text) };
        text.parse().map_err(wrong).and_then(|code| listed(field, code))
    };
    text.map(parse).transpose()
}

/// Refuses a code of the right form that is no place's, such as `UK`: the strictest rule would apply, and nobody
/// would know why.
pub(in crate::gate) fn listed(field: Field, code: policy::Code) -> Result<policy::Code, Wrong> {
    match policy::atlas::name(code) {
        Some(_) => Ok(code),
        None => Err(Wrong::UnlistedPlace { field, code, meant: policy::atlas::nearest(code.as_str()) }),
    }
}
