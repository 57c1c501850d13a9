//! The audit trail's entries: what is written of every consequential act.
//!
//! A leaf is the exact JSON bytes of one entry. It holds enums, numbers, codes, hashes, times and
//! ids that the gateway minted, and nothing that an outsider chose: call ids, names, numbers and
//! reasons stand in the entry's *detail*, to which the leaf commits with a salted hash. The detail
//! can be erased without breaking anything that was proven.
//!
//! The module knows no SQL: it makes entries, the [`ledger`](crate::ledger) keeps them. The Merkle
//! tree over the leaf hashes is in [`tree`], how it is served in [`tile`], signed in [`note`].

mod canonical;
pub mod note;
pub mod proof;
pub mod subject;
pub mod tile;
pub mod tree;
pub mod trust;

pub use tree::leaf_hash;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use std::sync::Arc;

use policy::{Call, Decision, Event, Opened, Standing, Table, Why};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The log of acts that belong to no account.
pub const SYSTEM_LOG: &str = "system";

/// One entry, ready to be appended.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Which log it goes to: the account's id, or [`SYSTEM_LOG`].
    pub log: String,
    /// Its id.
    pub id: Uuid,
    /// The call that it belongs to.
    pub call: Option<Uuid>,
    /// When it was logged.
    pub at: Timestamp,
    /// Its type.
    pub kind: &'static str,
    /// The exact bytes.
    pub leaf: Vec<u8>,
    /// Their RFC 6962 leaf hash.
    pub leaf_hash: [u8; 32],
    /// What the leaf commits to.
    pub detail: Option<Detail>,
}

/// What a leaf commits to without holding it.
#[derive(Debug, Clone)]
pub struct Detail {
    /// 32 random bytes.
    pub salt: [u8; 32],
    /// A JSON object.
    pub document: String,
}

/// The content of a leaf.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The format's version: 1.
    pub v: u8,
    /// The entry's id (UUID version 7).
    pub id: Uuid,
    /// When it was logged.
    #[serde(serialize_with = "with_millis")]
    pub at: Timestamp,
    /// 128 random bits in hexadecimal, so that no leaf can be guessed from its hash.
    pub nonce: String,
    /// What happened, in one word.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who did it.
    pub actor: Actor,
    /// The gateway's id of the call.
    pub call: Option<Uuid>,
    /// The call's last entry before this one: what this entry decides was decided on that.
    pub prev: Option<Uuid>,
    /// What happened.
    pub body: Body,
    /// SHA-256 over salt and detail, in base64.
    pub detail: Option<String>,
}

/// Who did something. A credential's name is minted by the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The credential, or `command-line` or `gateway`.
    pub credential: String,
    /// Its role.
    pub role: String,
}

impl Actor {
    /// Somebody with a shell on the gateway's machine.
    #[must_use]
    pub fn command_line() -> Actor {
        Actor { credential: "command-line".into(), role: "operator".into() }
    }

    /// The program itself.
    #[must_use]
    pub fn gateway() -> Actor {
        Actor { credential: "gateway".into(), role: "gateway".into() }
    }
}

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
        /// What the policy answered.
        saw: Saw,
    },
    /// Something happened on a call.
    Event {
        /// The facts.
        facts: Event,
        /// Pseudonyms, where somebody joined whose number is known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        subjects: Vec<(u32, String)>,
        /// Who noticed: `platform`, `agent` or `asr`.
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
        /// The problem's code.
        code: String,
        /// What the policy answered.
        saw: Saw,
    },
    /// A recording was accepted: it is durable, sealed and readable by the customer.
    Accepted {
        /// The facts.
        facts: Event,
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
        /// Which moments it holds.
        spans: Vec<(Timestamp, Timestamp)>,
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
        /// The problem's code.
        code: String,
        /// What was not covered.
        uncovered: Vec<(Timestamp, Timestamp, String)>,
        /// What the policy answered.
        saw: Saw,
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

/// How a version of the table came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// What the policy saw and answered: enough to compute it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saw {
    /// The table's digest.
    pub table: String,
    /// The policy's version.
    pub policy: String,
    /// `permitted` or `blocked`.
    pub recording: String,
    /// Why it is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the platform was believed to do.
    pub recorder: String,
    /// What it was told to do.
    pub action: String,
    /// `parties/form`, and what else is asked.
    pub requirement: String,
    /// Everybody: number, role, state, and places with their evidence.
    pub participants: Vec<SawParticipant>,
}

/// A participant as the policy saw them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SawParticipant {
    /// The participant's number.
    pub p: u32,
    /// Who they are.
    pub role: policy::Role,
    /// How far they have agreed.
    pub state: String,
    /// Where they are.
    pub places: Vec<policy::Place>,
    /// The version of the prompt that they heard to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

impl Saw {
    /// What `decision` was made from.
    #[must_use]
    pub fn of(table: &str, decision: &Decision) -> Saw {
        let requirement = &decision.requirement;
        let mut asks = format!("{}/{}", requirement.parties().as_str(), requirement.form().as_str());
        if requirement.announcement_must_be_recorded {
            asks.push_str("/announcement");
        }
        if let Some(seconds) = requirement.tone_seconds() {
            asks.push_str(&format!("/tone-{seconds}"));
        }
        Saw {
            table: table.into(),
            policy: policy::VERSION.into(),
            recording: if decision.permitted() { "permitted" } else { "blocked" }.into(),
            why: match decision.standing {
                Standing::Lawful => None,
                Standing::Unlawful(why) => Some(reason(why)),
            },
            recorder: recorder_word(decision.recorder).into(),
            action: decision.action.as_str().into(),
            requirement: asks,
            participants: decision
                .participants
                .iter()
                .map(|participant| SawParticipant {
                    p: participant.participant,
                    role: participant.role,
                    state: participant.state.as_str().into(),
                    places: participant
                        .places
                        .iter()
                        .map(|place| policy::Place::new(place.code, place.evidence))
                        .collect(),
                    prompt: participant.prompt.clone(),
                })
                .collect(),
        }
    }
}

/// The word for what we believe the platform is doing.
#[must_use]
pub fn recorder_word(recorder: policy::Recorder) -> &'static str {
    match recorder {
        policy::Recorder::Idle => "idle",
        policy::Recorder::Running => "running",
        policy::Recorder::Suspended { .. } => "suspended",
        policy::Recorder::Stopped => "stopped",
    }
}

/// A stable code for what is in the way, with the participant's number where one is meant.
#[must_use]
pub fn reason(why: Why) -> String {
    match why {
        Why::Emergency => "emergency".into(),
        Why::Forbidden => "forbidden".into(),
        Why::Ended => "call-ended".into(),
        Why::NobodyHuman => "nobody-human".into(),
        Why::Declined(p) => format!("declined:{p}"),
        Why::Withdrawn(p) => format!("withdrawn:{p}"),
        Why::NobodyConsents => "nobody-consents".into(),
        Why::Missing(p) => format!("consent-missing:{p}"),
        Why::Unannounced(p) => format!("announcement-missing:{p}"),
        Why::NotYetAnnounced(p) => format!("announcement-pending:{p}"),
        Why::NotGranted => "not-granted".into(),
        Why::Paused => "paused".into(),
        Why::NotYet => "not-yet".into(),
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
            Body::Fetched { .. }
            | Body::Deleted { .. }
            | Body::Held { .. }
            | Body::Prompt { .. }
            | Body::Grant { .. }
            | Body::GrantWithdrawn { .. }
            | Body::Account {}
            | Body::AccountLaw { .. }
            | Body::Credential { .. }
            | Body::CredentialRevoked { .. }
            | Body::Key { .. }
            | Body::KeyRetired { .. }
            | Body::Table { .. }
            | Body::TableProposed { .. }
            | Body::ProposalDecided { .. } => None,
        }
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
            Body::Fetched { .. } => "recording.fetched",
            Body::Deleted { .. } => "recording.deleted",
            Body::Held { .. } => "recording.hold",
            Body::Prompt { .. } => "prompt.registered",
            Body::Grant { .. } => "consent-grant.registered",
            Body::GrantWithdrawn { .. } => "consent-grant.withdrawn",
            Body::Account {} => "account.added",
            Body::AccountLaw { .. } => "account.law",
            Body::Credential { .. } => "credential.added",
            Body::CredentialRevoked { .. } => "credential.revoked",
            Body::Key { .. } => "key.added",
            Body::KeyRetired { .. } => "key.retired",
            Body::Table { .. } => "table.in-force",
            Body::TableProposed { .. } => "table.proposed",
            Body::ProposalDecided { .. } => "table.proposal-decided",
        }
    }
}

fn what_kind(what: &policy::What) -> &'static str {
    use policy::{Control, What};
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
    }
}

/// Makes an entry: mints its id and nonce, commits to its detail, fixes its bytes.
///
/// # Errors
///
/// Only where the operating system gives no randomness, or the detail cannot be written as JSON.
pub fn draft(
    log: &str,
    at: Timestamp,
    actor: &Actor,
    call: Option<(Uuid, Option<Uuid>)>,
    body: Body,
    detail: Option<serde_json::Value>,
) -> Result<Draft, DraftError> {
    let detail = match detail {
        Some(document) => Some(Detail { salt: random()?, document: serde_json::to_string(&document)? }),
        None => None,
    };
    let kind = body.kind();
    let leaf = Leaf {
        v: 1,
        id: entry_id(at)?,
        at,
        nonce: hex(&random::<16>()?),
        kind: kind.into(),
        actor: actor.clone(),
        call: call.map(|(uid, _)| uid),
        prev: call.and_then(|(_, prev)| prev),
        body,
        detail: detail.as_ref().map(Detail::commitment),
    };
    let bytes = serde_json::to_vec(&leaf)?;
    let leaf_hash = leaf_hash(&bytes);
    Ok(Draft { log: log.into(), id: leaf.id, call: leaf.call, at, kind, leaf: bytes, leaf_hash, detail })
}

impl Detail {
    /// SHA-256 over salt and document, in base64.
    #[must_use]
    pub fn commitment(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update(self.document.as_bytes());
        BASE64_STANDARD.encode(hash.finalize())
    }
}

/// Folds a call from its leaves, in the order of the log, each with the table that was in force when
/// it was logged.
///
/// # Errors
///
/// [`FoldError`] where the first leaf does not open the call or a table is missing: then nothing may
/// be decided.
pub fn fold(tables: &dyn Fn(&str) -> Option<Arc<Table>>, leaves: &[Leaf]) -> Result<Call, FoldError> {
    let Some((first, rest)) = leaves.split_first() else { return Err(FoldError::Empty) };
    let Body::Opened { facts, saw, .. } = &first.body else { return Err(FoldError::NotOpened) };
    let table = |digest: &str| tables(digest).ok_or_else(|| FoldError::Table(digest.to_owned()));
    let mut in_force = saw.table.as_str();
    let mut call = Call::open(&table(in_force)?, first.at, facts.clone());
    for leaf in rest {
        if let Some(saw) = leaf.body.saw()
            && saw.table != in_force
        {
            in_force = &saw.table;
            call.know(&table(in_force)?, leaf.at);
        }
        if let Body::Event { facts, .. } | Body::Accepted { facts, .. } = &leaf.body {
            call.apply(facts);
        }
    }
    Ok(call)
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Random bytes from the operating system.
///
/// # Errors
///
/// Where it gives none.
pub fn random<const N: usize>() -> Result<[u8; N], DraftError> {
    use rand::TryRng as _;
    let mut bytes = [0; N];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(|_| DraftError::Randomness)?;
    Ok(bytes)
}

fn entry_id(at: Timestamp) -> Result<Uuid, DraftError> {
    let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(ms, &random::<10>()?).into_uuid())
}

fn with_millis<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Why no entry could be made.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
    /// The entry cannot be written as JSON.
    #[error("the entry cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Why a call cannot be folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// It has no entries.
    #[error("the call has no entries")]
    Empty,
    /// Its first entry does not open it.
    #[error("the call's first entry does not open it")]
    NotOpened,
    /// A table that decided is not kept.
    #[error("the table {0}, which decided on the call, is not there")]
    Table(String),
}
