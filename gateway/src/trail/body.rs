//! What an entry says: one variant for every consequential act.
//!
//! Enums, numbers, codes, hashes, times and ids that the gateway minted, and nothing that an outsider
//! chose.

use jiff::Timestamp;
use policy::{Code, Control, Event, Joined, Opened, Place, Refusal, Stretch, What};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tree::Hash;
use super::{Actor, Saw, canonical, is_false, is_zero, with_millis};

/// What happened, by type.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A call was opened.
    Opened {
        /// The facts.
        facts: Opened,
        /// The pseudonyms of those participants whose number is known.
        subjects: Vec<(u32, String)>,
        /// Who had objected on an earlier call of this id and not said yes since, by the pseudonyms of
        /// their numbers, and since when they object.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        objectors: Vec<(String, Timestamp)>,
        /// What the policy answered.
        saw: Saw,
    },
    /// Something happened on a call.
    Event {
        /// The facts.
        facts: Event,
        /// Pseudonyms, where the number of somebody becomes known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        subjects: Vec<(u32, String)>,
        /// Who noticed: `platform`, `agent` or `asr`; `gateway` where it was logged later than it came, or is
        /// what somebody said on another call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reported_by: Option<String>,
        /// Whether it counts from before it was logged.
        #[serde(default, skip_serializing_if = "is_false")]
        late: bool,
        /// What the policy answered.
        saw: Saw,
    },
    /// The platform asked to record, and was refused.
    ControlRefused {
        /// What it asked for.
        control: policy::Control,
        /// Why.
        code: ControlRefusal,
        /// What the policy answered.
        saw: Saw,
    },
    /// A recording was accepted: it is durable, sealed and readable by the customer.
    Accepted {
        /// The recording's id.
        recording: Uuid,
        /// SHA-256 of the envelope without its wrapped keys, in hexadecimal.
        envelope: String,
        /// SHA-256 of the sealed media, in hexadecimal.
        media: String,
        /// Its length, sealed.
        bytes: u64,
        /// The keys that it was sealed for.
        keys: Vec<String>,
        /// Which moments it holds; where `unplaced`, those of the call's only window that it uses up.
        spans: Vec<(Timestamp, Timestamp)>,
        /// Whether it did not say when it was made.
        #[serde(default, skip_serializing_if = "is_false")]
        unplaced: bool,
        /// How much of its end its codec added, outside of what was granted, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        codec_ms: u64,
        /// By how much it was moved to a window's start, its sender's clock being coarse or behind, in
        /// milliseconds: so much earlier than `spans` it said that it was made.
        #[serde(default, skip_serializing_if = "is_zero")]
        shifted_ms: u64,
        /// Until when it has to be kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_until: Option<Timestamp>,
        /// From when on it has to be gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delete_by: Option<Timestamp>,
        /// What the policy answered.
        saw: Saw,
    },
    /// A recording was refused; nothing of it was kept.
    Refused {
        /// Why.
        code: Refusal,
        /// What was not covered: the first stretches, where there are very many; none where it was refused as a
        /// whole.
        uncovered: Vec<Stretch>,
        /// What the policy answered.
        saw: Saw,
    },
    /// Something may be missing: whoever sent an event meanwhile got no answer. Recording of every
    /// call that was open is in doubt, until its participants are confirmed.
    Gap {
        /// The last moment before it that is known of.
        from: Timestamp,
        /// When the trail could be written again.
        until: Timestamp,
        /// Why.
        cause: GapCause,
    },
    /// Nothing happened for an hour.
    Heartbeat {},
    /// A log begins that goes on from another.
    LogOpened {
        /// The last signed head of the one before.
        previous: Previous,
        /// Why the one before does not go on.
        cause: LogCause,
    },
    /// An epoch of this log that had ended was dropped: its entries were kept for long enough.
    LogDropped {
        /// Its origin.
        origin: String,
        /// How many entries it had.
        size: u64,
        /// Its last root, in base64.
        root: String,
    },
    /// The log's heads are signed with another key from now on.
    LogKey {
        /// The new key, as a verifier key of a signed note.
        key: String,
        /// The one before.
        retired: String,
    },
    /// Somebody asked what an outsider's name or number has to do with.
    Lookup {
        /// The number's pseudonym in this log, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// Which sorts of things were asked by.
        by: Vec<String>,
    },
    /// Records were taken out of the gateway.
    Exported {
        /// In which form.
        form: String,
        /// Which call's, where only one's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Uuid>,
        /// Which recording's, where only one's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recording: Option<Uuid>,
    },
    /// Somebody's key and details are destroyed.
    ///
    /// INVARIANT: it does not say whose: beside the request that it answers, a pseudonym would be known again.
    Erased {
        /// On how many calls they were.
        calls: u64,
        /// How many recordings went with it.
        recordings: u64,
    },
    /// Sealed media were not handed out.
    FetchRefused {
        /// The recording's id.
        recording: Uuid,
        /// The problem's code.
        code: String,
    },
    /// Sealed media were handed out.
    Fetched {
        /// The recording's id.
        recording: Uuid,
        /// Which bytes, the end exclusive.
        range: (u64, u64),
    },
    /// A recording was deleted.
    Deleted {
        /// The recording's id.
        recording: Uuid,
    },
    /// A legal hold was put on a recording, or lifted.
    Held {
        /// The recording's id.
        recording: Uuid,
        /// Whether it is on.
        held: bool,
    },
    /// A version of a prompt was registered.
    Prompt {
        /// The gateway's id of this version.
        version: Uuid,
        /// How long it lasts, in milliseconds.
        duration_ms: u64,
    },
    /// A consent grant was registered.
    Grant {
        /// The gateway's id of the grant.
        grant: Uuid,
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// A consent grant was withdrawn.
    GrantWithdrawn {
        /// The gateway's id of the grant.
        grant: Uuid,
    },
    /// An account was added.
    Account {},
    /// A credential was added.
    Credential {
        /// Its minted name.
        credential: String,
        /// Its role.
        role: String,
        /// Whom it stands for; nobody, where it was given no name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<Uuid>,
    },
    /// Somebody was enrolled.
    Person {
        /// The gateway's id of them.
        person: Uuid,
        /// Whether they count from the start: see [`People`](super::people::People).
        founding: bool,
    },
    /// Somebody said that a person is who they are said to be.
    PersonConfirmed {
        /// Whom.
        person: Uuid,
        /// Who.
        by: Uuid,
    },
    /// A credential was revoked.
    CredentialRevoked {
        /// Its minted name.
        credential: String,
    },
    /// A public key was added.
    Key {
        /// Its id: SHA-256 of its SPKI.
        key: String,
    },
    /// A public key was retired.
    KeyRetired {
        /// Its id.
        key: String,
    },
    /// Which law an account has chosen beside its places.
    AccountLaw {
        /// The overlays, by their ids.
        overlays: Vec<String>,
        /// Whether what rows say of emergency calls at a public-safety answering point is switched on.
        public_safety: bool,
    },
    /// A version of the table came into force.
    Table {
        /// Its digest.
        table: String,
        /// Its number, from 1.
        version: i64,
        /// The digest of the version before; none for the first.
        base: Option<String>,
        /// How it came.
        origin: Origin,
        /// The proposal that was approved, where it loosened anything.
        proposal: Option<Uuid>,
        /// SHA-256 of the semantic diff, in hexadecimal.
        diff: String,
        /// Whether it loosens anything.
        loosens: bool,
    },
    /// A version of the table was proposed.
    TableProposed {
        /// The proposal's id.
        proposal: Uuid,
        /// The table's digest.
        table: String,
        /// The digest of the version in force.
        base: String,
        /// How it came.
        origin: Origin,
        /// SHA-256 of the semantic diff, in hexadecimal.
        diff: String,
        /// SHA-256 of the impact report, in hexadecimal.
        impact: String,
        /// Until when it can be approved.
        #[serde(serialize_with = "with_millis")]
        expires_at: Timestamp,
    },
    /// A proposal was withdrawn, rejected, superseded, or found to be expired.
    ProposalDecided {
        /// The proposal's id.
        proposal: Uuid,
        /// What became of it.
        outcome: String,
    },
}

/// Why the platform was not allowed to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlRefusal {
    /// Somebody's consent is missing.
    ConsentRequired,
    /// The account has no key that a recording could be sealed for.
    NoUsableKey,
}

impl ControlRefusal {
    /// The problem's code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            ControlRefusal::ConsentRequired => "consent-required",
            ControlRefusal::NoUsableKey => "no-usable-key",
        }
    }
}

/// How a version of the table came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "TableOrigin")]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Somebody published it.
    Person,
    /// The file that is watched.
    File,
    /// It is compiled into the program.
    Program,
}

impl Origin {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Person => "person",
            Origin::File => "file",
            Origin::Program => "program",
        }
    }
}

/// Why something may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapCause {
    /// The gateway ended without having been told to.
    EndedUnexpectedly,
    /// The trail could not be written.
    TrailUnavailable,
    /// An older ledger was put back: what was logged since its last entry is lost.
    LedgerRestored,
}

/// Why a log does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogCause {
    /// Its period is over.
    Period,
    /// What was there did not go on from what had been signed: an older ledger, or another.
    Reopened,
}

/// The last signed head of another log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// Its origin.
    pub origin: String,
    /// Its size.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
}

impl Previous {
    /// Its root; none where that is no root.
    #[must_use]
    pub fn hash(&self) -> Option<Hash> {
        canonical::hash(&self.root)
    }
}

impl Body {
    /// What the policy saw, where something was decided on a call.
    #[must_use]
    pub fn saw(&self) -> Option<&Saw> {
        match self {
            Body::Opened { saw, .. }
            | Body::Event { saw, .. }
            | Body::ControlRefused { saw, .. }
            | Body::Accepted { saw, .. }
            | Body::Refused { saw, .. } => Some(saw),
            Body::Gap { .. }
            | Body::Heartbeat {}
            | Body::LogOpened { .. }
            | Body::LogDropped { .. }
            | Body::LogKey { .. }
            | Body::Lookup { .. }
            | Body::Exported { .. }
            | Body::Erased { .. }
            | Body::FetchRefused { .. }
            | Body::Fetched { .. }
            | Body::Deleted { .. }
            | Body::Held { .. }
            | Body::Prompt { .. }
            | Body::Grant { .. }
            | Body::GrantWithdrawn { .. }
            | Body::Account {}
            | Body::AccountLaw { .. }
            | Body::Credential { .. }
            | Body::Person { .. }
            | Body::PersonConfirmed { .. }
            | Body::CredentialRevoked { .. }
            | Body::Key { .. }
            | Body::KeyRetired { .. }
            | Body::Table { .. }
            | Body::TableProposed { .. }
            | Body::ProposalDecided { .. } => None,
        }
    }

    /// The pseudonyms of numbers that became known with it, by participant.
    #[must_use]
    pub fn subjects(&self) -> &[(u32, String)] {
        if let Body::Opened { subjects, .. } | Body::Event { subjects, .. } = self { subjects } else { &[] }
    }

    /// The entry's type.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Body::Opened { .. } => "call.opened",
            Body::Event { facts, .. } => what_kind(&facts.what),
            Body::ControlRefused { .. } => "recording.control-refused",
            Body::Accepted { .. } => "recording.accepted",
            Body::Refused { .. } => "recording.refused",
            Body::Gap { .. } => "audit.gap",
            Body::Heartbeat {} => "audit.heartbeat",
            Body::LogOpened { .. } => "log.opened",
            Body::LogDropped { .. } => "log.dropped",
            Body::LogKey { .. } => "log.key-rotated",
            Body::Lookup { .. } => "audit.lookup",
            Body::Exported { .. } => "audit.export",
            Body::Erased { .. } => "erasure.executed",
            Body::FetchRefused { .. } => "recording.fetch-refused",
            Body::Fetched { .. } => "recording.fetched",
            Body::Deleted { .. } => "recording.deleted",
            Body::Held { .. } => "recording.hold",
            Body::Prompt { .. } => "prompt.registered",
            Body::Grant { .. } => "consent-grant.registered",
            Body::GrantWithdrawn { .. } => "consent-grant.withdrawn",
            Body::Account {} => "account.added",
            Body::AccountLaw { .. } => "account.law",
            Body::Credential { .. } => "credential.added",
            Body::Person { .. } => "person.enrolled",
            Body::PersonConfirmed { .. } => "person.confirmed",
            Body::CredentialRevoked { .. } => "credential.revoked",
            Body::Key { .. } => "key.added",
            Body::KeyRetired { .. } => "key.retired",
            Body::Table { .. } => "table.in-force",
            Body::TableProposed { .. } => "table.proposed",
            Body::ProposalDecided { .. } => "table.proposal-decided",
        }
    }

    /// Whether somebody's privacy rests on its being logged: an objection, an arrival, an end, a deletion.
    /// Room is kept for such entries where there is none for others.
    #[must_use]
    pub fn restricts(&self) -> bool {
        match self {
            Body::Event { facts, .. } => {
                facts.what.tightens()
                    || matches!(
                        facts.what,
                        What::Joined(_)
                            | What::Left { .. }
                            | What::PromptInterrupted { .. }
                            | What::ToneStopped
                            | What::Control(Control::Pause(_) | Control::Stop)
                            | What::Gap
                    )
            }
            Body::Gap { .. }
            | Body::LogDropped { .. }
            | Body::Erased { .. }
            | Body::Deleted { .. }
            | Body::GrantWithdrawn { .. }
            | Body::CredentialRevoked { .. }
            | Body::KeyRetired { .. } => true,
            Body::Opened { .. }
            | Body::ControlRefused { .. }
            | Body::Accepted { .. }
            | Body::Refused { .. }
            | Body::Heartbeat {}
            | Body::LogOpened { .. }
            | Body::LogKey { .. }
            | Body::Lookup { .. }
            | Body::Exported { .. }
            | Body::FetchRefused { .. }
            | Body::Fetched { .. }
            | Body::Held { .. }
            | Body::Prompt { .. }
            | Body::Grant { .. }
            | Body::Account {}
            | Body::AccountLaw { .. }
            | Body::Credential { .. }
            | Body::Person { .. }
            | Body::PersonConfirmed { .. }
            | Body::Key { .. }
            | Body::Table { .. }
            | Body::TableProposed { .. }
            | Body::ProposalDecided { .. } => false,
        }
    }

    /// What auditors find the entry, or its call, by: `subject:…`, `place:…`, `rule:…`, `prompt:…`,
    /// `grant:…`, `recording:…`, `listener:…`. Codes and ids that the gateway minted, nothing else.
    #[must_use]
    pub fn mentions(&self, actor: &Actor) -> Vec<String> {
        let mut keys = Vec::new();
        match self {
            Body::Opened { facts, subjects, .. } => {
                keys.extend(subjects.iter().map(|(_, pseudonym)| format!("subject:{pseudonym}")));
                facts.participants.iter().for_each(|joined| of_joined(joined, &mut keys));
                let places = facts.recorder_locations.iter().chain(&facts.operator_locations);
                places.for_each(|code| of_code(*code, "rule", &mut keys));
                keys.extend(facts.overlays.iter().map(|overlay| format!("rule:{overlay}")));
            }
            Body::Event { facts, subjects, .. } => {
                keys.extend(subjects.iter().map(|(_, pseudonym)| format!("subject:{pseudonym}")));
                match &facts.what {
                    What::Joined(joined) => of_joined(joined, &mut keys),
                    What::Located { places, .. } => of_places(places, &mut keys),
                    What::PromptStarted { prompt, .. } | What::PromptCompleted { prompt, .. } => {
                        keys.push(format!("prompt:{}", prompt.version));
                    }
                    What::PromptInterrupted { .. }
                    | What::ConsentGiven { .. }
                    | What::ConsentDeclined { .. }
                    | What::ConsentWithdrawn { .. }
                    | What::AnnouncementRecorded { .. }
                    | What::ToneStarted
                    | What::ToneStopped
                    | What::Answered { .. }
                    | What::Left { .. }
                    | What::Control(_)
                    | What::RecordingStarted
                    | What::RecordingPaused
                    | What::RecordingResumed
                    | What::RecordingStopped
                    | What::Accepted { .. }
                    | What::Ended
                    | What::Gap => {}
                }
            }
            Body::Accepted { recording, .. } => keys.push(format!("recording:{recording}")),
            Body::Deleted { recording } | Body::Held { recording, .. } => {
                keys.push(format!("recording:{recording}"));
            }
            Body::Fetched { recording, .. } | Body::FetchRefused { recording, .. } => {
                keys.push(format!("recording:{recording}"));
                keys.push(format!("listener:{}", actor.credential));
            }
            Body::Lookup { subject: Some(pseudonym), .. } => keys.push(format!("subject:{pseudonym}")),
            Body::Exported { recording: Some(recording), .. } => keys.push(format!("recording:{recording}")),
            Body::Prompt { version, .. } => keys.push(format!("prompt:{version}")),
            Body::Grant { grant, .. } | Body::GrantWithdrawn { grant } => keys.push(format!("grant:{grant}")),
            Body::ControlRefused { .. }
            | Body::Refused { .. }
            | Body::Gap { .. }
            | Body::Heartbeat {}
            | Body::LogOpened { .. }
            | Body::LogDropped { .. }
            | Body::LogKey { .. }
            | Body::Lookup { .. }
            | Body::Exported { .. }
            | Body::Erased { .. }
            | Body::Account {}
            | Body::AccountLaw { .. }
            | Body::Credential { .. }
            | Body::Person { .. }
            | Body::PersonConfirmed { .. }
            | Body::CredentialRevoked { .. }
            | Body::Key { .. }
            | Body::KeyRetired { .. }
            | Body::Table { .. }
            | Body::TableProposed { .. }
            | Body::ProposalDecided { .. } => {}
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

fn of_joined(joined: &Joined, keys: &mut Vec<String>) {
    of_places(&joined.places, keys);
    keys.extend(joined.grant.iter().map(|grant| format!("grant:{}", grant.grant)));
}

fn of_places(places: &[Place], keys: &mut Vec<String>) {
    for place in places {
        of_code(place.code, "place", keys);
        of_code(place.code, "rule", keys);
    }
}

/// A place and the country that it is in.
fn of_code(code: Code, sort: &str, keys: &mut Vec<String>) {
    keys.push(format!("{sort}:{code}"));
    if !code.is_country() {
        keys.push(format!("{sort}:{}", code.country()));
    }
}

fn what_kind(what: &policy::What) -> &'static str {
    use policy::Control;
    match what {
        What::PromptStarted { .. } => "prompt.started",
        What::PromptCompleted { .. } => "prompt.completed",
        What::PromptInterrupted { .. } => "prompt.interrupted",
        What::ConsentGiven { .. } => "consent.given",
        What::ConsentDeclined { .. } => "consent.declined",
        What::ConsentWithdrawn { .. } => "consent.withdrawn",
        What::AnnouncementRecorded { .. } => "announcement.recorded",
        What::ToneStarted => "tone.started",
        What::ToneStopped => "tone.stopped",
        What::Joined(_) => "participant.joined",
        What::Located { .. } => "participant.located",
        What::Answered { .. } => "participant.answered",
        What::Left { .. } => "participant.left",
        What::Control(Control::Start) => "recording.start",
        What::Control(Control::Pause(_)) => "recording.pause",
        What::Control(Control::Resume) => "recording.resume",
        What::Control(Control::Stop) => "recording.stop",
        What::RecordingStarted => "recording.started",
        What::RecordingPaused => "recording.paused",
        What::RecordingResumed => "recording.resumed",
        What::RecordingStopped => "recording.stopped",
        What::Accepted { .. } => "recording.accepted",
        What::Ended => "call.ended",
        What::Gap => "audit.gap",
    }
}
