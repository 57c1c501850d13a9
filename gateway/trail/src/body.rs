//! What an entry says: one variant for every consequential act.
//!
//! Enums, numbers, codes, hashes, times and ids that the gateway minted, and nothing that an outsider
//! chose.

mod says;

use jiff::Timestamp;
use policy::scope::Line;
use policy::scope::upload::Unasked;
use policy::{
    Code, Control, CoverageBasis, Event, HeldCounts, Opened, Purposes, Reading, Refusal, Stretch, Use, What,
};
use seal::Format;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tree::Hash;
use super::{Kind, Saw, canonical, is_false, is_zero, with_millis};

pub use says::Said;

/// What happened, by type.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "LeafBody"))]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A call was opened.
    Opened {
        /// The facts.
        facts: Opened,
        /// The pseudonyms of those participants whose number is known.
        subjects: Vec<(u32, String)>,
        /// Who had objected on an earlier call of this id and not said yes since, by the pseudonyms of their
        /// numbers, and since when.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        objectors: Vec<(String, Timestamp)>,
        /// What the policy answered.
        saw: Saw,
    },
    /// Something happened on a call.
    Event {
        /// The facts.
        facts: Event,
        /// The pseudonyms of participants whose number becomes known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        subjects: Vec<(u32, String)>,
        /// Who noticed: `platform`, `agent` or `asr`; `gateway` if it was logged later than it arrived, or
        /// somebody said it on another call.
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
        /// Which use of the call's audio it asked about.
        #[serde(default, rename = "use", skip_serializing_if = "Use::is_record")]
        of: Use,
        /// What that use was to be for, if it is not recording; none means every purpose.
        #[serde(default, skip_serializing_if = "Purposes::is_empty")]
        purposes: Purposes,
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
        /// How it came.
        came: Came,
        /// SHA-256 of the envelope without its wrapped keys, in hexadecimal.
        envelope: String,
        /// SHA-256 of the sealed media, in hexadecimal.
        media: String,
        /// Its length, sealed.
        bytes: u64,
        /// The keys that it was sealed for.
        keys: Vec<String>,
        /// How it is sealed.
        #[serde(default, skip_serializing_if = "is_tink")]
        format: Format,
        /// The moments that it holds; if `unplaced`, those of the call's only window that it uses up.
        spans: Vec<(Timestamp, Timestamp)>,
        /// The moments of the upload that were silenced, of which it holds nothing, and what was in the way; null where
        /// that had become covered meanwhile.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        silenced: Vec<policy::Silenced>,
        /// Whether it did not say when it was made.
        #[serde(default, skip_serializing_if = "is_false")]
        unplaced: bool,
        /// How much its codec added at its end, outside of what was granted, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        codec_ms: u64,
        /// How much later than its sender said it was placed, to fit a window's start, since the sender's
        /// clock is coarse or slow; in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        shifted_ms: u64,
        /// Why the account's recording settings do not ask for it, if that is noted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unasked: Option<Unasked>,
        /// Until when it has to be kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_until: Option<Timestamp>,
        /// From when on it has to be gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delete_by: Option<Timestamp>,
        /// How it left the quarantine, if it was there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        released: Option<Released>,
        /// What the policy answered.
        saw: Saw,
    },
    /// An upload that nobody could decide on yet was put into quarantine: sealed, and locked so that nobody can open it.
    Quarantined {
        /// The id of the recording that it may become.
        recording: Uuid,
        /// How it came.
        came: Came,
        /// Why nobody could decide.
        reason: QuarantineReason,
        /// SHA-256 of the envelope without its wrapped keys, in hexadecimal.
        envelope: String,
        /// SHA-256 of the sealed media, in hexadecimal.
        media: String,
        /// Its length, sealed.
        bytes: u64,
        /// Until when it can be released; what is left of it then is destroyed.
        until: Timestamp,
    },
    /// Somebody wanted to release an upload from quarantine to a call, and it was refused there. It stays where it is.
    ReleaseRefused {
        /// The id of the recording that it may become.
        recording: Uuid,
        /// Why.
        code: Refusal,
        /// What was not covered, or the first of very many stretches; empty if it was refused as a whole.
        uncovered: Vec<Stretch>,
        /// What the policy answered.
        saw: Saw,
    },
    /// What was in quarantine was destroyed.
    Destroyed {
        /// The id of the recording that it might have become.
        recording: Uuid,
        /// Why.
        because: Destruction,
    },
    /// A recording was refused since the account's recording settings do not ask for it; nothing of it was kept.
    Unasked {
        /// How it came.
        came: Came,
        /// Why they do not.
        why: Unasked,
        /// What the policy answered.
        saw: Saw,
    },
    /// The platform of a suspended call was told by its API what its recorder has to do, or what came of that.
    Suspension {
        /// The entry that suspended the call.
        order: Uuid,
        /// What was told, or came of it.
        says: Suspension,
        /// What the policy answered.
        saw: Saw,
    },
    /// A recording was refused; nothing of it was kept.
    Refused {
        /// How it came.
        came: Came,
        /// Why.
        code: Refusal,
        /// What was not covered, or the first of very many stretches; empty if it was refused as a whole.
        uncovered: Vec<Stretch>,
        /// Whether its sender was told that all is well, so that it neither keeps the audio nor sends it again.
        #[serde(default, skip_serializing_if = "is_false")]
        discarded: bool,
        /// What the policy answered.
        saw: Saw,
    },
    /// Events may be missing: their senders got no answer. Every call that was open is in doubt until its
    /// participants are confirmed.
    Gap {
        /// The last known moment before it.
        from: Timestamp,
        /// When the trail could be written again.
        until: Timestamp,
        /// Why.
        cause: GapCause,
    },
    /// Nothing happened for an hour.
    Heartbeat {},
    /// A log begins, and continues another.
    LogOpened {
        /// The last signed head of the one before.
        previous: Previous,
        /// Why the previous log ended.
        cause: LogCause,
    },
    /// An ended epoch of this log was dropped: its entries were kept for long enough.
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
        /// The previous key.
        retired: String,
    },
    /// Somebody searched for an outsider's name or number.
    Lookup {
        /// The number's pseudonym in this log, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// What was searched by.
        by: Vec<String>,
    },
    /// Records were taken out of the gateway.
    Exported {
        /// In which form.
        form: String,
        /// The call, if they were of only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Uuid>,
        /// The recording, if they were of only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recording: Option<Uuid>,
    },
    /// Somebody's key and details are destroyed.
    ///
    /// INVARIANT: it does not say whose: beside the request, a pseudonym would identify them again.
    Erased {
        /// How many calls they were on.
        calls: u64,
        /// How many recordings were deleted with it.
        recordings: u64,
        /// The gateway's id of what waited, if a hold had prevented it: that is over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        erasure: Option<Uuid>,
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
        /// The range of bytes, the end exclusive.
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
    /// A legal hold was put on whatever it covers, now or later.
    HoldSet {
        /// The gateway's id of the hold.
        hold: Uuid,
        /// What it is limited by: `recording`, `call`, `number`, `participant`, `from`, `until`.
        by: Vec<String>,
    },
    /// That hold was lifted.
    HoldLifted {
        /// The gateway's id of the hold.
        hold: Uuid,
    },
    /// Somebody was to be erased, and a legal hold does not let it. It is done once no hold does.
    ///
    /// INVARIANT: it does not say whose.
    ErasureWaits {
        /// The gateway's id of what waits.
        erasure: Uuid,
        /// The calls whose recordings are handed out only for a hold until then.
        calls: u64,
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
        /// Whether a guardian gave it for its subject.
        #[serde(default, skip_serializing_if = "is_false")]
        by_guardian: bool,
    },
    /// A consent grant was withdrawn.
    GrantWithdrawn {
        /// The gateway's id of the grant.
        grant: Uuid,
    },
    /// An account was added.
    Account {
        /// How its recordings are sealed.
        #[serde(default, skip_serializing_if = "is_tink")]
        format: Format,
    },
    /// How an account's recordings are sealed from now on.
    AccountFormat {
        /// The format.
        format: Format,
    },
    /// An account has other settings, which apply to calls that are opened from now on.
    AccountSettings {
        /// Whether any of them asks less than before, or may.
        loosens: bool,
    },
    /// An account has another name at the doors: the platform's own.
    AccountAlias {
        /// The gateway's id of the alias.
        alias: Uuid,
    },
    /// An account does not have this other name any more.
    AccountAliasRemoved {
        /// The gateway's id of the alias.
        alias: Uuid,
    },
    /// Another credential may provision the account from now on, or none.
    AccountProvisioner {
        /// Its minted name, in the log of the system's account; absent if nobody may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<String>,
    },
    /// A credential was added.
    Credential {
        /// Its minted name.
        credential: String,
        /// Its role.
        role: String,
        /// The person it stands for; absent if it was given no name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<Uuid>,
        /// What its uploads need beside being lawful. Every upload repeats it.
        #[serde(default, skip_serializing_if = "is_granted")]
        coverage: CoverageBasis,
        /// What its sender is told of an upload that is refused.
        #[serde(default, skip_serializing_if = "OnRefusal::is_deny")]
        on_refusal: OnRefusal,
        /// For how long what it uploads may wait in quarantine, in seconds; 0 if it may not.
        #[serde(default, skip_serializing_if = "is_nothing")]
        quarantine_seconds: u32,
    },
    /// How the uploads of this credential are answered was changed.
    CredentialSet {
        /// Its minted name.
        credential: String,
        /// What its sender is told of an upload that is refused.
        on_refusal: OnRefusal,
        /// For how long what it uploads may wait in quarantine, in seconds; 0 if it may not.
        #[serde(default, skip_serializing_if = "is_nothing")]
        quarantine_seconds: u32,
    },
    /// Somebody was enrolled.
    Person {
        /// The gateway's id of the person.
        person: Uuid,
        /// Whether they count from the start, as one of the first two of their account.
        founding: bool,
    },
    /// Somebody confirmed a person's identity.
    PersonConfirmed {
        /// Who was confirmed.
        person: Uuid,
        /// Who confirmed them.
        by: Uuid,
    },
    /// A credential was revoked.
    CredentialRevoked {
        /// Its minted name.
        credential: String,
    },
    /// A credential has another password from now on; the one before does not count any more.
    CredentialRotated {
        /// Its minted name.
        credential: String,
    },
    /// A public key was added.
    Key {
        /// Its id: SHA-256 of its SPKI.
        key: String,
        /// Whether the account has or had another key, whose holder has not proved to agree.
        #[serde(default, skip_serializing_if = "is_false")]
        without_proof: bool,
    },
    /// A public key was retired.
    KeyRetired {
        /// Its id.
        key: String,
    },
    /// An account chose which law applies to it beside that of its places.
    AccountLaw {
        /// The overlays, by their ids.
        overlays: Vec<String>,
        /// Whether the rules of rows for emergency calls at a public-safety answering point are switched on.
        public_safety: bool,
        /// Whether somebody on hold counts as on the call, where no rule says it.
        #[serde(default, skip_serializing_if = "HeldCounts::is_default")]
        on_hold: HeldCounts,
    },
    /// An account set which calls its platform records by itself.
    AccountRecordingSettings {
        /// Which Kazoo they are for.
        line: Line,
        /// How many users' documents there are.
        users: u32,
        /// How many devices' documents.
        devices: u32,
        /// What becomes of a recording that they do not ask for.
        #[serde(default, skip_serializing_if = "OnUnasked::is_off")]
        unasked: OnUnasked,
    },
    /// An account chose where its systems are told what happens, or has another secret to sign that with.
    AccountWebhook {
        /// Whether they are told.
        on: bool,
        /// The generation of the secret, from 1.
        generation: u32,
    },
    /// A version of the table came into force.
    Table {
        /// Its digest.
        table: String,
        /// Its number, from 1.
        version: i64,
        /// The digest of the previous version; absent for the first.
        base: Option<String>,
        /// How it came.
        origin: Origin,
        /// The approved proposal, if the version loosens anything.
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
    /// The law desk allows the account to read a place's law otherwise than the table has it.
    ReadingAllowed {
        /// The place.
        code: Code,
    },
    /// It does not any more; what asked less there is over.
    ReadingDisallowed {
        /// The place.
        code: Code,
    },
    /// Somebody proposed a reading that asks less.
    ReadingProposed {
        /// The reading.
        reading: Reading,
    },
    /// Somebody of the account holds that more is to be asked. It counts for calls that are opened from now on.
    ReadingInForce {
        /// The reading.
        reading: Reading,
    },
    /// A second person approved a reading that asks less. It counts for calls that are opened from now on.
    ReadingApproved {
        /// Its id.
        reading: String,
    },
    /// Somebody proposed to end a reading that asks more. It counts until a second person ends it.
    ReadingEndProposed {
        /// Its id.
        reading: String,
    },
    /// A reading was ended, or its proposal taken back.
    ReadingEnded {
        /// Its id.
        reading: String,
    },
}

/// How an upload arrived, from which an auditor repeats the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "UploadOrigin"))]
#[serde(deny_unknown_fields)]
pub struct Came {
    /// The door through which it arrived.
    pub door: Door,
    /// Whether recording there asks first: if so, it has to be granted, otherwise only lawful.
    pub coverage: CoverageBasis,
    /// The use that it was made for.
    #[serde(rename = "use")]
    pub used_for: Use,
}

impl Came {
    /// Through the gateway's own API, by a platform that asks before it records.
    pub const NATIVE: Came =
        Came { door: Door::Native, coverage: CoverageBasis::Granted, used_for: Use::Record };
}

/// How a recording left the quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ReleasedFromQuarantine"))]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The minted name of the credential that had sent it.
    pub uploader: String,
    /// Only what was logged by then counts for it; what was logged later counts against it.
    pub evidence_until: Timestamp,
    /// Whether the time at which it was made comes from the person who released it, since its sender gave none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub placed: bool,
}

/// Why nobody could decide on an upload yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum QuarantineReason {
    /// No call has one of the ids that it came with.
    UnknownCall,
    /// By its time and its parties, it may belong to several calls.
    SeveralCalls,
    /// It does not say when it was made, and its call does not show it.
    UnknownTime,
}

impl QuarantineReason {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            QuarantineReason::UnknownCall => "unknown-call",
            QuarantineReason::SeveralCalls => "several-calls",
            QuarantineReason::UnknownTime => "unknown-time",
        }
    }
}

/// Why something in quarantine was destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "QuarantineDestruction"))]
#[serde(rename_all = "kebab-case")]
pub enum Destruction {
    /// Its time was over.
    Expired,
    /// Somebody of the account wanted it.
    Requested,
    /// The same upload had been accepted meanwhile.
    Duplicate,
    /// Somebody on a call that its sender named was erased.
    Erased,
}

/// A door: the dialect that something was said in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "UploadDoor"))]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// The gateway's own API.
    Native,
    /// The target of Kazoo's call recordings.
    Kazoo,
    /// Twilio's recordings, fetched from there.
    Twilio,
}

/// What the sender of an upload is told if the law does not let it be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnRefusal {
    /// That it is refused.
    #[default]
    Deny,
    /// That all is well. Nothing is kept: a sender that is told otherwise keeps the audio, and sends it again.
    Discard,
}

impl OnRefusal {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OnRefusal::Deny => "deny",
            OnRefusal::Discard => "discard",
        }
    }

    fn is_deny(&self) -> bool {
        *self == OnRefusal::Deny
    }
}

/// What is known of an order to a platform's recorder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Suspension {
    /// It is sent from now on.
    Ordered {
        /// What the recorder has to do.
        action: OrderedAction,
    },
    /// A report from the call shows that nothing is recorded any more.
    Confirmed {
        /// The type of that report.
        by: String,
    },
    /// No report shows it.
    Failed {
        /// What the last attempt came to, or why none is made any more: a status, or a word.
        outcome: String,
    },
}

/// What a recorder is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OrderedAction {
    /// To end the recording.
    #[default]
    Stop,
    /// To record silence instead.
    Mask,
}

impl OrderedAction {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OrderedAction::Stop => "stop",
            OrderedAction::Mask => "mask",
        }
    }
}

/// What becomes of a recording that the account's recording settings do not ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnUnasked {
    /// The same as of any other.
    #[default]
    Off,
    /// It is kept, and it is noted that they do not ask for it.
    Flag,
    /// It is refused.
    Refuse,
}

impl OnUnasked {
    /// Whether nobody asks.
    #[must_use]
    pub fn is_off(&self) -> bool {
        *self == OnUnasked::Off
    }
}

/// Why the platform was not allowed to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "LoggedControlRefusal"))]
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

/// How a version of the table arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "TableOrigin"))]
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
    /// The word for it.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GapCause {
    /// The gateway stopped unexpectedly.
    EndedUnexpectedly,
    /// The trail could not be written.
    TrailUnavailable,
    /// An older ledger was restored: whatever was logged since its last entry is lost.
    LedgerRestored,
}

/// Why a log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LogCause {
    /// Its period is over.
    Period,
    /// The ledger did not continue what had been signed: it was an older one, or another.
    Reopened,
}

/// The last signed head of another log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "PreviousLog"))]
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
    /// Its root; `None` if it is malformed.
    #[must_use]
    pub fn hash(&self) -> Option<Hash> {
        canonical::hash(&self.root)
    }
}

impl Body {
    /// The entry's type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Body::Opened { .. } => Kind::CallOpened,
            Body::Event { facts, .. } => what_kind(&facts.what),
            Body::ControlRefused { of: Use::Record, .. } => Kind::RecordingControlRefused,
            Body::ControlRefused { .. } => Kind::UseControlRefused,
            Body::Accepted { released: Some(_), .. } => Kind::RecordingReleased,
            Body::Accepted { released: None, .. } => Kind::RecordingAccepted,
            Body::Quarantined { .. } => Kind::RecordingQuarantined,
            Body::ReleaseRefused { .. } => Kind::RecordingReleaseRefused,
            Body::Destroyed { .. } => Kind::RecordingDestroyed,
            Body::Refused { .. } => Kind::RecordingRefused,
            Body::Unasked { .. } => Kind::RecordingUnasked,
            Body::Suspension { says: Suspension::Ordered { .. }, .. } => Kind::SuspensionOrdered,
            Body::Suspension { says: Suspension::Confirmed { .. }, .. } => Kind::SuspensionConfirmed,
            Body::Suspension { says: Suspension::Failed { .. }, .. } => Kind::SuspensionFailed,
            Body::Gap { .. } => Kind::AuditGap,
            Body::Heartbeat {} => Kind::AuditHeartbeat,
            Body::LogOpened { .. } => Kind::LogOpened,
            Body::LogDropped { .. } => Kind::LogDropped,
            Body::LogKey { .. } => Kind::LogKeyRotated,
            Body::Lookup { .. } => Kind::AuditLookup,
            Body::Exported { .. } => Kind::AuditExport,
            Body::Erased { .. } => Kind::ErasureExecuted,
            Body::FetchRefused { .. } => Kind::RecordingFetchRefused,
            Body::Fetched { .. } => Kind::RecordingFetched,
            Body::Deleted { .. } => Kind::RecordingDeleted,
            Body::Held { .. } => Kind::RecordingHold,
            Body::HoldSet { .. } => Kind::HoldSet,
            Body::HoldLifted { .. } => Kind::HoldLifted,
            Body::ErasureWaits { .. } => Kind::ErasureWaiting,
            Body::Prompt { .. } => Kind::PromptRegistered,
            Body::Grant { .. } => Kind::ConsentGrantRegistered,
            Body::GrantWithdrawn { .. } => Kind::ConsentGrantWithdrawn,
            Body::Account { .. } => Kind::AccountAdded,
            Body::AccountFormat { .. } => Kind::AccountFormat,
            Body::AccountSettings { .. } => Kind::AccountSettings,
            Body::AccountAlias { .. } => Kind::AccountAlias,
            Body::AccountAliasRemoved { .. } => Kind::AccountAliasRemoved,
            Body::AccountProvisioner { .. } => Kind::AccountProvisioner,
            Body::AccountLaw { .. } => Kind::AccountLaw,
            Body::AccountRecordingSettings { .. } => Kind::AccountRecordingSettings,
            Body::AccountWebhook { .. } => Kind::AccountWebhook,
            Body::Credential { .. } => Kind::CredentialAdded,
            Body::CredentialSet { .. } => Kind::CredentialSet,
            Body::Person { .. } => Kind::PersonEnrolled,
            Body::PersonConfirmed { .. } => Kind::PersonConfirmed,
            Body::CredentialRevoked { .. } => Kind::CredentialRevoked,
            Body::CredentialRotated { .. } => Kind::CredentialRotated,
            Body::Key { .. } => Kind::KeyAdded,
            Body::KeyRetired { .. } => Kind::KeyRetired,
            Body::Table { .. } => Kind::TableInForce,
            Body::TableProposed { .. } => Kind::TableProposed,
            Body::ProposalDecided { .. } => Kind::TableProposalDecided,
            Body::ReadingAllowed { .. } => Kind::ReadingAllowed,
            Body::ReadingDisallowed { .. } => Kind::ReadingDisallowed,
            Body::ReadingProposed { .. } => Kind::ReadingProposed,
            Body::ReadingInForce { .. } => Kind::ReadingInForce,
            Body::ReadingApproved { .. } => Kind::ReadingApproved,
            Body::ReadingEndProposed { .. } => Kind::ReadingEndProposed,
            Body::ReadingEnded { .. } => Kind::ReadingEnded,
        }
    }

    /// Whether this entry, which belongs to no call, may change what is lawful on calls of its log, or what is known
    /// of who is on them. A call that was folded before has to be read again.
    #[must_use]
    pub fn reaches_calls(&self) -> bool {
        matches!(
            self,
            Body::Gap { .. }
                | Body::AccountLaw { .. }
                | Body::AccountSettings { .. }
                | Body::Erased { .. }
                | Body::ReadingDisallowed { .. }
                | Body::ReadingProposed { .. }
                | Body::ReadingInForce { .. }
                | Body::ReadingApproved { .. }
                | Body::ReadingEnded { .. }
        )
    }

    /// Whether somebody's privacy depends on this entry: an objection, an arrival, an end, a deletion. Such
    /// entries may use the disk reserve.
    #[must_use]
    pub fn restricts(&self) -> bool {
        match self {
            Body::Event { facts, .. } => facts.what.weight().restricts(),
            Body::Gap { .. }
            | Body::LogDropped { .. }
            | Body::Erased { .. }
            | Body::Deleted { .. }
            | Body::Destroyed { .. }
            // What was not held in time is deleted for good.
            | Body::Held { held: true, .. }
            | Body::HoldSet { .. }
            | Body::Suspension { says: Suspension::Ordered { .. }, .. }
            | Body::ErasureWaits { .. }
            | Body::GrantWithdrawn { .. }
            | Body::CredentialRevoked { .. }
            | Body::KeyRetired { .. }
            | Body::ReadingDisallowed { .. }
            | Body::ReadingInForce { .. }
            | Body::ReadingEnded { .. } => true,
            Body::Opened { .. }
            | Body::ControlRefused { .. }
            | Body::Accepted { .. }
            | Body::Refused { .. }
            | Body::Quarantined { .. }
            | Body::ReleaseRefused { .. }
            | Body::Unasked { .. }
            | Body::Suspension { says: Suspension::Confirmed { .. } | Suspension::Failed { .. }, .. }
            | Body::Heartbeat {}
            | Body::LogOpened { .. }
            | Body::LogKey { .. }
            | Body::Lookup { .. }
            | Body::Exported { .. }
            | Body::FetchRefused { .. }
            | Body::Fetched { .. }
            | Body::Held { held: false, .. }
            | Body::HoldLifted { .. }
            | Body::Prompt { .. }
            | Body::Grant { .. }
            | Body::Account { .. }
            | Body::AccountFormat { .. }
            | Body::AccountSettings { .. }
            | Body::AccountAlias { .. }
            | Body::AccountAliasRemoved { .. }
            | Body::AccountProvisioner { .. }
            | Body::CredentialRotated { .. }
            | Body::AccountLaw { .. }
            | Body::AccountRecordingSettings { .. }
            | Body::AccountWebhook { .. }
            | Body::Credential { .. }
            | Body::CredentialSet { .. }
            | Body::Person { .. }
            | Body::PersonConfirmed { .. }
            | Body::Key { .. }
            | Body::Table { .. }
            | Body::TableProposed { .. }
            | Body::ProposalDecided { .. }
            | Body::ReadingAllowed { .. }
            | Body::ReadingProposed { .. }
            | Body::ReadingApproved { .. }
            | Body::ReadingEndProposed { .. } => false,
        }
    }
}

fn is_granted(coverage: &CoverageBasis) -> bool {
    *coverage == CoverageBasis::Granted
}

fn is_nothing(seconds: &u32) -> bool {
    *seconds == 0
}

fn is_tink(format: &Format) -> bool {
    *format == Format::Tink
}

fn what_kind(what: &What) -> Kind {
    match what {
        What::PromptStarted { .. } => Kind::PromptStarted,
        What::PromptCompleted { .. } => Kind::PromptCompleted,
        What::PromptInterrupted { .. } => Kind::PromptInterrupted,
        What::ConsentGiven { .. } => Kind::ConsentGiven,
        What::ConsentDeclined { .. } => Kind::ConsentDeclined,
        What::ConsentWithdrawn { .. } => Kind::ConsentWithdrawn,
        What::AnnouncementRecorded { .. } => Kind::AnnouncementRecorded,
        What::ToneStarted => Kind::ToneStarted,
        What::ToneStopped => Kind::ToneStopped,
        What::Joined(_) => Kind::ParticipantJoined,
        What::Located { .. } => Kind::ParticipantLocated,
        What::Answered { .. } => Kind::ParticipantAnswered,
        What::Left { .. } => Kind::ParticipantLeft,
        What::Held { .. } => Kind::ParticipantHeld,
        What::Retrieved { .. } => Kind::ParticipantRetrieved,
        What::Minor { .. } => Kind::ParticipantMinor,
        What::Emergency => Kind::CallEmergency,
        What::Control(Control::Start) => Kind::RecordingStart,
        What::Control(Control::Pause(_)) => Kind::RecordingPause,
        What::Control(Control::Resume) => Kind::RecordingResume,
        What::Control(Control::Stop) => Kind::RecordingStop,
        What::Use { control: Control::Start, .. } => Kind::UseStart,
        What::Use { control: Control::Pause(_), .. } => Kind::UsePause,
        What::Use { control: Control::Resume, .. } => Kind::UseResume,
        What::Use { control: Control::Stop, .. } => Kind::UseStop,
        What::RecordingStarted => Kind::RecordingStarted,
        What::RecordingPaused => Kind::RecordingPaused,
        What::RecordingResumed => Kind::RecordingResumed,
        What::RecordingStopped => Kind::RecordingStopped,
        What::Accepted { .. } => Kind::RecordingAccepted,
        What::Ended => Kind::CallEnded,
        What::Gap => Kind::AuditGap,
    }
}
