//! What was logged about a call: the facts that a decision is made from.
//!
//! Facts hold no personal data. Participants are numbers that the gateway gave out in the order
//! in which they were named; prompts and grants come with what the decision needs to know of them.
//! Every fact can be read back from the audit trail, so that a decision can be repeated.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::coverage::Use;
use crate::place::{Code, Place};
use crate::reading::Reading;
use crate::retention::{Period, Retention};
use crate::told::{Elements, Purpose, Purposes, Told};

/// How the call is carried. Rows may have rules for single media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedMedium"))]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// A telephone call.
    Telephone,
    /// A call over the internet.
    Voip,
    /// A call with pictures.
    Video,
    /// Not said: the strictest of all media.
    #[default]
    Unknown,
}

/// What sort of call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// People talk with each other.
    #[default]
    Conversation,
    /// A message is left.
    Voicemail,
    /// An emergency call: never recorded, and nobody is asked. A call can become one.
    Emergency,
}

/// Who somebody is on the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Somebody outside the operator's organisation.
    Customer,
    /// Somebody in the operator's organisation.
    Agent,
    /// An IVR or a bot, which is not a party.
    System,
}

/// The account's settings that a decision depends on, as they were when the call was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedSettings"))]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The language of a participant who has none (a BCP 47 tag).
    pub default_language: String,
    /// How late evidence may be logged and still count from when it happened, 0 to 60 seconds.
    pub late_evidence_seconds: u8,
    /// How many devices may record the call at once.
    pub recorders: u16,
    /// What becomes of audio that was covered before somebody withdrew.
    pub on_withdrawal: OnWithdrawal,
    /// What becomes of an upload's seconds that are not covered.
    #[serde(default, skip_serializing_if = "is_off")]
    pub redact: Redact,
    /// How much of an upload must be left where it is silenced, 0 to 100 percent of its length: with less, it is
    /// refused whole.
    #[serde(default = "least_kept", skip_serializing_if = "is_least_kept")]
    pub least_kept_percent: u8,
    /// How long the account keeps recordings at least and at most, beside what the law asks.
    #[serde(default, skip_serializing_if = "Retention::is_free")]
    pub retention: Retention,
    /// How long it keeps what is recorded for a purpose, beside that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retention_for: BTreeMap<Purpose, Retention>,
    /// How long it keeps them at most where nothing else says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_by_default: Option<Period>,
    /// On which lawful basis it processes what is recorded for a purpose. No decision depends on it: what was
    /// stated when the call was opened is what exports say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lawful_basis: BTreeMap<Purpose, LawfulBasis>,
    /// The account is a public-safety answering point, and counsel has switched on the rules of rows for its
    /// emergency calls.
    #[serde(default, skip_serializing_if = "is_false")]
    pub public_safety: bool,
    /// Whether somebody on hold counts as on the call, where no rule of the call says it.
    #[serde(default, skip_serializing_if = "HeldCounts::is_default")]
    pub on_hold: HeldCounts,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            default_language: "en".into(),
            late_evidence_seconds: 0,
            recorders: 1,
            on_withdrawal: OnWithdrawal::Keep,
            redact: Redact::Off,
            least_kept_percent: LEAST_KEPT_PERCENT,
            retention: Retention::FREE,
            retention_for: BTreeMap::new(),
            keep_by_default: None,
            lawful_basis: BTreeMap::new(),
            public_safety: false,
            on_hold: HeldCounts::Counted,
        }
    }
}

/// Why somebody may process what was recorded: the grounds of Article 6(1) GDPR, (a) to (f).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LawfulBasis {
    /// Whoever was recorded has consented.
    Consent,
    /// A contract with them needs it.
    Contract,
    /// A law demands it.
    LegalObligation,
    /// Somebody's life depends on it.
    VitalInterests,
    /// A task in the public interest needs it.
    PublicTask,
    /// Somebody's legitimate interests outweigh theirs.
    LegitimateInterests,
}

impl LawfulBasis {
    /// All of them.
    pub const ALL: [LawfulBasis; 6] = [
        LawfulBasis::Consent,
        LawfulBasis::Contract,
        LawfulBasis::LegalObligation,
        LawfulBasis::VitalInterests,
        LawfulBasis::PublicTask,
        LawfulBasis::LegitimateInterests,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LawfulBasis::Consent => "consent",
            LawfulBasis::Contract => "contract",
            LawfulBasis::LegalObligation => "legal-obligation",
            LawfulBasis::VitalInterests => "vital-interests",
            LawfulBasis::PublicTask => "public-task",
            LawfulBasis::LegitimateInterests => "legitimate-interests",
        }
    }
}

impl Settings {
    /// How long the account keeps what is recorded for these purposes: the longest minimum and the shortest maximum of
    /// them. What names none of the purposes that the law distinguishes may serve any of them.
    #[must_use]
    pub fn retention_on(&self, purposes: Purposes) -> Retention {
        let unknown = purposes.without(Purposes::NONE.with(Purpose::Other)).is_empty();
        let counts = |purpose: &Purpose| unknown || purposes.holds(*purpose);
        let limits = self.retention_for.iter().filter(|(purpose, _)| counts(purpose));
        limits.fold(self.retention, |all, (_, limits)| all.and(*limits))
    }
}

/// Whether somebody on hold counts as on the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HeldCounts {
    /// They do: while they are on hold, they must have agreed like everybody else.
    #[default]
    Counted,
    /// They do not: while they are on hold, their consent is not needed.
    NotCounted,
}

impl HeldCounts {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            HeldCounts::Counted => "counted",
            HeldCounts::NotCounted => "not-counted",
        }
    }

    /// Whether it is what holds if nothing was chosen.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == HeldCounts::Counted
    }
}

/// What becomes of audio that was covered before somebody withdrew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnWithdrawal {
    /// It stays acceptable.
    #[default]
    Keep,
    /// It is refused, and what is stored is deleted.
    Delete,
    /// The same, for recordings that hold a moment at which whoever withdrew was on the call.
    DeletePresent,
}

/// What becomes of an upload's seconds that are not covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Redact {
    /// One of them, and the whole upload is refused.
    #[default]
    Off,
    /// They are silenced before the upload is sealed, and the rest is accepted.
    Silence,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_off(redact: &Redact) -> bool {
    *redact == Redact::Off
}

fn least_kept() -> u8 {
    LEAST_KEPT_PERCENT
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_least_kept(percent: &u8) -> bool {
    *percent == LEAST_KEPT_PERCENT
}

/// How much of an upload must be left where nothing else is set, in percent.
const LEAST_KEPT_PERCENT: u8 = 10;

/// A call as it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedCall"))]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// How it is carried.
    pub medium: Medium,
    /// What sort of call it is.
    pub kind: Kind,
    /// When it began, by the platform's clock.
    pub started_at: Timestamp,
    /// Where the recording device stands, as the account and the call say it: both count.
    pub recorder_locations: Vec<Code>,
    /// Where the operator is established, as the account and the call say it: both count.
    pub operator_locations: Vec<Code>,
    /// What the recording is for, as far as the law distinguishes it.
    #[serde(default, skip_serializing_if = "Purposes::is_empty")]
    pub purposes: Purposes,
    /// The overlays that the account or the call has chosen, by their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
    /// How the account's own counsel reads the law: what counted when the call was opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// The account's settings.
    pub settings: Settings,
    /// Who is on it from the start.
    pub participants: Vec<Joined>,
}

/// Somebody who is on the call from some moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedParticipant"))]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// The participant's number within the call.
    pub participant: u32,
    /// Who they are.
    pub role: Role,
    /// Whether a number, an address or a place was given: then a `system` is treated as a person.
    pub identified: bool,
    /// Where they are, as far as known.
    pub places: Vec<Place>,
    /// The languages they have (BCP 47 tags); empty means the account's default.
    pub languages: Vec<String>,
    /// Consent they gave outside the call, if it binds them and covers this call's purposes.
    pub grant: Option<Grant>,
    /// Why a grant that they name does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_grant: Option<RefusedGrant>,
    /// When they joined, by the platform's clock.
    pub joined_at: Option<Timestamp>,
    /// The same person, as far as the phone number says it.
    #[serde(default, skip_serializing_if = "Alike::is_nobody")]
    pub alike: Alike,
}

/// Who has the same phone number as a participant. An objection follows the person: what is said here
/// only ever tightens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedAlike"))]
#[serde(deny_unknown_fields)]
pub struct Alike {
    /// Other participants of this call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<u32>,
    /// Since when somebody objects who was on an earlier call of this call's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects_since: Option<Timestamp>,
}

impl Alike {
    /// Whether nobody has the same number.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.participants.is_empty() && self.objects_since.is_none()
    }
}

impl Joined {
    /// Somebody about whom only the role is known.
    #[must_use]
    pub fn new(participant: u32, role: Role) -> Self {
        Joined {
            participant,
            role,
            identified: false,
            places: Vec::new(),
            languages: Vec::new(),
            grant: None,
            refused_grant: None,
            joined_at: None,
            alike: Alike::default(),
        }
    }

    /// Whether this describes a person, and not a machine of the operator's.
    #[must_use]
    pub fn is_person(&self) -> bool {
        self.role != Role::System || self.identified || !self.places.is_empty()
    }
}

/// Consent given outside the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedGrant"))]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The gateway's id of the grant.
    pub grant: String,
    /// It rests on a works agreement alone.
    pub works_agreement: bool,
    /// It was given in writing.
    pub written: bool,
    /// A guardian gave it for them: the only consent that counts for a minor.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_guardian: bool,
    /// The purposes, as far as the law distinguishes them; null means every purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purposes: Option<Purposes>,
    /// From when it holds.
    pub from: Timestamp,
    /// Until when it holds, exclusive.
    pub until: Option<Timestamp>,
}

/// Why a grant that a participant names does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedGrantRefusal"))]
#[serde(rename_all = "kebab-case")]
pub enum RefusedGrant {
    /// No grant has this id.
    Unknown,
    /// It was withdrawn.
    Withdrawn,
    /// It is somebody else's.
    OtherSubject,
    /// It was given in another role.
    OtherRole,
    /// It does not name every purpose of the call.
    OtherPurpose,
}

impl RefusedGrant {
    /// The reason in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RefusedGrant::Unknown => "the consent grant is not registered, so it does not count",
            RefusedGrant::Withdrawn => "the consent grant was withdrawn, so it does not count",
            RefusedGrant::OtherSubject => "the consent grant binds another subject, so it does not count",
            RefusedGrant::OtherRole => "the consent grant was given in another role, so it does not count",
            RefusedGrant::OtherPurpose => {
                "the consent grant does not name every purpose of the call, so it does not count"
            }
        }
    }
}

/// Something that happened on a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedEvent"))]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When it was logged. Within a call this never runs backwards.
    pub received_at: Timestamp,
    /// When it happened, by the platform's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What happened.
    pub what: What,
}

/// What happened on a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedWhat"))]
pub enum What {
    /// A prompt began to play to these participants.
    #[serde(rename = "prompt.started")]
    PromptStarted {
        /// Who could hear it.
        participants: Vec<u32>,
        /// Which one.
        prompt: Heard,
    },
    /// A prompt was played to its end.
    #[serde(rename = "prompt.completed")]
    PromptCompleted {
        /// Who could hear it.
        participants: Vec<u32>,
        /// Which one.
        prompt: Heard,
        /// How much of it was played, in milliseconds.
        played_ms: u64,
    },
    /// A prompt was cut short.
    #[serde(rename = "prompt.interrupted")]
    PromptInterrupted {
        /// Who it was playing to.
        participants: Vec<u32>,
    },
    /// They said yes.
    #[serde(rename = "consent.given")]
    ConsentGiven {
        /// Who.
        participants: Vec<u32>,
        /// How.
        method: Method,
    },
    /// They said no.
    #[serde(rename = "consent.declined")]
    ConsentDeclined {
        /// Who.
        participants: Vec<u32>,
    },
    /// They no longer agree.
    #[serde(rename = "consent.withdrawn")]
    ConsentWithdrawn {
        /// Who.
        participants: Vec<u32>,
    },
    /// The recording holds an announcement that these participants heard.
    #[serde(rename = "announcement.recorded")]
    AnnouncementRecorded {
        /// Who heard it.
        participants: Vec<u32>,
    },
    /// A repeated tone can be heard by everybody from now on.
    #[serde(rename = "tone.started")]
    ToneStarted,
    /// The tone is no longer heard.
    #[serde(rename = "tone.stopped")]
    ToneStopped,
    /// Somebody joined, or came back.
    #[serde(rename = "participant.joined")]
    Joined(Joined),
    /// Somebody is found to be somewhere.
    #[serde(rename = "participant.located")]
    Located {
        /// Who.
        participant: u32,
        /// Where.
        places: Vec<Place>,
        /// Since when, for a real move.
        since: Option<Timestamp>,
        /// The same person, as far as a newly known phone number says it.
        #[serde(default, skip_serializing_if = "Alike::is_nobody")]
        alike: Alike,
    },
    /// Who took the call.
    #[serde(rename = "participant.answered")]
    Answered {
        /// Whose leg.
        participant: u32,
        /// A person, or a machine.
        by: AnsweredBy,
    },
    /// Somebody left.
    #[serde(rename = "participant.left")]
    Left {
        /// Who.
        participants: Vec<u32>,
    },
    /// Somebody was put on hold.
    #[serde(rename = "participant.held")]
    Held {
        /// Who.
        participants: Vec<u32>,
        /// It came with a request that was refused: it takes away, and excuses nobody.
        #[serde(default, skip_serializing_if = "is_false")]
        only_tightens: bool,
    },
    /// Somebody was taken off hold.
    #[serde(rename = "participant.retrieved")]
    Retrieved {
        /// Who.
        participants: Vec<u32>,
        /// It came with a request that was refused: nobody is excused any more, and nobody counts as back.
        #[serde(default, skip_serializing_if = "is_false")]
        only_tightens: bool,
    },
    /// Somebody is a minor.
    #[serde(rename = "participant.minor")]
    Minor {
        /// Who.
        participants: Vec<u32>,
    },
    /// The call has become an emergency call.
    #[serde(rename = "call.emergency")]
    Emergency,
    /// The platform asked us, and we agreed.
    #[serde(rename = "recording.control")]
    Control(Control),
    /// The platform asked us about another use than recording, and we agreed.
    #[serde(rename = "use.control")]
    Use {
        /// Which; never recording.
        #[serde(rename = "use")]
        of: Use,
        /// What it is for; none means every purpose. What is paused or stopped keeps its own.
        #[serde(default, skip_serializing_if = "Purposes::is_empty")]
        purposes: Purposes,
        /// What was asked.
        control: Control,
    },
    /// The platform started recording by itself.
    #[serde(rename = "recording.started")]
    RecordingStarted,
    /// The platform paused by itself.
    #[serde(rename = "recording.paused")]
    RecordingPaused,
    /// The platform resumed by itself.
    #[serde(rename = "recording.resumed")]
    RecordingResumed,
    /// The platform stopped by itself.
    #[serde(rename = "recording.stopped")]
    RecordingStopped,
    /// A finished recording was accepted.
    #[serde(rename = "recording.accepted")]
    Accepted {
        /// The moments that it uses up, in order, each stretch with its end exclusive.
        spans: Vec<(Timestamp, Timestamp)>,
    },
    /// The call is over.
    #[serde(rename = "call.ended")]
    Ended,
    /// Reports may be missing: from the claimed time until each participant is named again, it is in doubt
    /// who was there and what they said.
    #[serde(rename = "audit.gap")]
    Gap,
}

impl What {
    /// Whether it may make things lawful, so that it matters when it was logged.
    #[must_use]
    pub fn loosens(&self) -> bool {
        match self {
            What::PromptCompleted { .. }
            | What::ConsentGiven { .. }
            | What::AnnouncementRecorded { .. }
            | What::ToneStarted
            | What::Left { .. }
            | What::Held { only_tightens: false, .. }
            | What::Retrieved { only_tightens: false, .. }
            | What::Answered { .. } => true,
            What::PromptStarted { .. }
            | What::PromptInterrupted { .. }
            | What::ConsentDeclined { .. }
            | What::ConsentWithdrawn { .. }
            | What::ToneStopped
            | What::Joined(_)
            | What::Located { .. }
            | What::Held { only_tightens: true, .. }
            | What::Retrieved { only_tightens: true, .. }
            | What::Minor { .. }
            | What::Emergency
            | What::Control(_)
            | What::Use { .. }
            | What::RecordingStarted
            | What::RecordingPaused
            | What::RecordingResumed
            | What::RecordingStopped
            | What::Accepted { .. }
            | What::Ended
            | What::Gap => false,
        }
    }

    /// The participants it is about, by their numbers; empty if it is about the call.
    #[must_use]
    pub fn participants(&self) -> &[u32] {
        match self {
            What::PromptStarted { participants, .. }
            | What::PromptCompleted { participants, .. }
            | What::PromptInterrupted { participants }
            | What::ConsentGiven { participants, .. }
            | What::ConsentDeclined { participants }
            | What::ConsentWithdrawn { participants }
            | What::AnnouncementRecorded { participants }
            | What::Held { participants, .. }
            | What::Retrieved { participants, .. }
            | What::Minor { participants }
            | What::Left { participants } => participants,
            What::Joined(Joined { participant, .. })
            | What::Located { participant, .. }
            | What::Answered { participant, .. } => core::slice::from_ref(participant),
            What::ToneStarted
            | What::ToneStopped
            | What::Emergency
            | What::Control(_)
            | What::Use { .. }
            | What::RecordingStarted
            | What::RecordingPaused
            | What::RecordingResumed
            | What::RecordingStopped
            | What::Accepted { .. }
            | What::Ended
            | What::Gap => &[],
        }
    }

    /// What it weighs.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self {
            What::ConsentDeclined { .. }
            | What::ConsentWithdrawn { .. }
            | What::Located { .. }
            | What::Answered { by: AnsweredBy::Machine, .. }
            | What::Minor { .. }
            | What::Emergency
            | What::RecordingPaused
            | What::RecordingStopped
            | What::Ended => Weight::Tightens,
            What::Joined(_)
            | What::Left { .. }
            | What::Held { .. }
            | What::Retrieved { .. }
            | What::PromptInterrupted { .. }
            | What::ToneStopped
            | What::Control(Control::Pause(_) | Control::Stop)
            | What::Use { control: Control::Pause(_) | Control::Stop, .. }
            | What::Gap => Weight::Restricts,
            What::PromptStarted { .. }
            | What::PromptCompleted { .. }
            | What::ConsentGiven { .. }
            | What::AnnouncementRecorded { .. }
            | What::ToneStarted
            | What::Answered { by: AnsweredBy::Human, .. }
            | What::Control(Control::Start | Control::Resume)
            | What::Use { control: Control::Start | Control::Resume, .. }
            | What::RecordingStarted
            | What::RecordingResumed
            | What::Accepted { .. } => Weight::Neither,
        }
    }
}

/// What a fact weighs for somebody's privacy, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It can only make things stricter, so it is accepted even after the call's end.
    Tightens,
    /// Somebody's privacy depends on it, though it does not only tighten.
    Restricts,
    /// Neither.
    Neither,
}

impl Weight {
    /// Whether it can only make things stricter.
    #[must_use]
    pub fn tightens(self) -> bool {
        self == Weight::Tightens
    }

    /// Whether somebody's privacy depends on its being logged.
    #[must_use]
    pub fn restricts(self) -> bool {
        self != Weight::Neither
    }
}

/// What the decision needs to know about a prompt that was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedPrompt"))]
#[serde(deny_unknown_fields)]
pub struct Heard {
    /// The gateway's id of this version of the prompt.
    pub version: String,
    /// How long it lasts, in milliseconds; at least 1000 to count.
    pub duration_ms: u64,
    /// Its language, a BCP 47 tag.
    pub language: String,
    /// Whether it names every purpose of the call.
    pub covers_purposes: bool,
    /// What it says.
    #[serde(default, skip_serializing_if = "Elements::is_empty")]
    pub says: Elements,
    /// The purposes that it names, as far as the law distinguishes them.
    #[serde(default, skip_serializing_if = "Purposes::is_empty")]
    pub purposes: Purposes,
}

impl Heard {
    /// How long it has to be played to count, in milliseconds.
    #[must_use]
    pub fn lasts_ms(&self) -> u64 {
        self.duration_ms.max(MIN_PROMPT_MS)
    }

    /// What somebody who heard it was told.
    #[must_use]
    pub fn told(&self) -> Told {
        Told { elements: self.says, purposes: self.purposes }
    }
}

/// How somebody said yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// They pressed a key.
    Dtmf,
    /// They said it.
    Speech,
    /// They clicked.
    Click,
    /// They wrote it.
    Written,
    /// They stayed on: never an express yes.
    Continued,
}

impl Method {
    /// Whether this act says yes.
    #[must_use]
    pub fn is_express(self) -> bool {
        match self {
            Method::Dtmf | Method::Speech | Method::Click | Method::Written => true,
            Method::Continued => false,
        }
    }
}

/// Who took the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AnsweredBy {
    /// A person.
    Human,
    /// An answering machine, or a voice mailbox.
    Machine,
}

/// What the platform asked of the recording, and got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LoggedControl"))]
#[serde(rename_all = "lowercase")]
pub enum Control {
    /// Recording may begin: opens a window.
    Start,
    /// Recording pauses: closes the window.
    Pause(Behavior),
    /// Recording goes on: opens a window.
    Resume,
    /// Recording is over: closes the window.
    Stop,
}

/// What the platform writes into the file while recording is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Behavior {
    /// Nothing: the file is shorter than the call.
    #[default]
    Skip,
    /// Silence.
    Silence,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The shortest prompt that counts, in milliseconds.
pub const MIN_PROMPT_MS: u64 = 1_000;
