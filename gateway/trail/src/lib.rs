//! The audit trail's entries: what is written about every consequential act.
//!
//! A leaf is the exact JSON bytes of one entry. It holds enums, numbers, codes, hashes, times and
//! ids that the gateway minted, and nothing that an outsider chose: call ids, names, numbers and
//! reasons stand in the entry's *detail*, to which the leaf commits with a salted hash. The detail
//! can be erased without breaking anything that was proven.
//!
//! The module knows no SQL: it makes entries, the ledger keeps them. The Merkle
//! tree over the leaf hashes is in [`tree`], how it is served in [`tile`], signed in [`note`].

// The small test logs name the crate as other crates do, since the tests of those compile them too.
#[cfg(test)]
extern crate self as trail;

pub mod audit;
mod body;
mod canonical;
pub mod chain;
pub mod cli;
pub mod clock;
mod clocks;
mod counted;
mod kind;
mod name;
pub mod note;
mod notice;
pub mod people;
pub mod proof;
#[path = "../../seal/src/random.rs"]
pub mod random;
pub mod reading;
pub mod registers;
mod saw;
pub mod sheet;
pub mod story;
pub mod subject;
pub mod tile;
pub mod timestamp;
pub mod tree;
pub mod trust;
#[cfg(test)]
mod vectors;

pub use tree::leaf_hash;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use std::sync::Arc;

use policy::{Alike, Call, Event, Table, What};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use body::{
    Body, Came, ControlRefusal, Destruction, Door, GapCause, LogCause, OnRefusal, OnUnasked, OrderedAction,
    Origin, Previous, QuarantineReason, Released, Said, Suspension,
};
pub use clocks::{Clocks, GATEWAY};
pub use counted::counted;
pub use kind::{KINDS, Kind, OUTCOMES, Of, RESERVED, Reserved, UnknownWord, types_of};
pub use name::LogName;
pub use notice::{Notice, Orders};
pub use registers::Registered;
pub use saw::{Saw, SawParticipant, SawReading, recorder_word};

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
    /// What auditors use to find it.
    pub mentions: Vec<String>,
    /// Whether somebody's privacy depends on it: see [`Body::restricts`].
    pub restricts: bool,
    /// Whether it may change what is lawful on calls that it is no entry of: see [`Body::reaches_calls`].
    pub reaches_calls: bool,
    /// What the account is told of it.
    pub notice: Option<Notice>,
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// The call's previous entry, on which this one's decision is based.
    pub prev: Option<Uuid>,
    /// What happened.
    pub body: Body,
    /// SHA-256 over salt and detail, in base64.
    pub detail: Option<String>,
    /// What it and the entries before it have registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<Registered>,
}

/// Who did something. A credential's name is minted by the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Makes an entry: mints its id and nonce, commits to its detail, fixes its bytes.
///
/// # Errors
///
/// Only if the operating system gives no randomness, or the detail cannot be written as JSON.
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
    let kind = body.kind().as_str();
    let mentions = body.mentions(actor);
    let (restricts, reaches_calls) = (body.restricts(), body.reaches_calls());
    let notice = body.notice();
    let leaf = Leaf {
        v: 1,
        id: id_of_time(at)?,
        at,
        nonce: hex(&random::<16>()?),
        kind: kind.into(),
        actor: actor.clone(),
        call: call.map(|(uid, _)| uid),
        prev: call.and_then(|(_, prev)| prev),
        body,
        detail: detail.as_ref().map(Detail::commitment),
        register: None,
    };
    let bytes = serde_json::to_vec(&leaf)?;
    if bytes.len() > MAX_LEAF {
        return Err(DraftError::TooLong { bytes: bytes.len() });
    }
    let leaf_hash = leaf_hash(&bytes);
    Ok(Draft {
        log: log.into(),
        id: leaf.id,
        call: leaf.call,
        at,
        kind,
        leaf: bytes,
        leaf_hash,
        detail,
        mentions,
        restricts,
        reaches_calls,
        notice,
    })
}

impl Draft {
    /// The leaf as it is appended, with what is registered by then, which only the writer knows.
    ///
    /// # Errors
    ///
    /// [`DraftError`] if it becomes too long.
    pub fn registering(&self, registered: &Registered) -> Result<Vec<u8>, DraftError> {
        // INVARIANT: it is the leaf's last member.
        let mut bytes = self.leaf.strip_suffix(b"}").unwrap_or(&self.leaf).to_vec();
        bytes.extend_from_slice(REGISTER);
        bytes.extend(serde_json::to_vec(registered)?);
        bytes.push(b'}');
        if bytes.len() > MAX_LEAF { Err(DraftError::TooLong { bytes: bytes.len() }) } else { Ok(bytes) }
    }
}

/// Whether a leaf says what is registered. A call's leaf never does, and no leaf holds a text that an
/// outsider chose.
#[must_use]
pub fn registers(leaf: &[u8]) -> bool {
    let holds = |part: &[u8], what: &[u8]| part.windows(what.len()).any(|window| window == what);
    holds(leaf.get(..HEAD).unwrap_or(leaf), b"\"call\":null") && holds(leaf, REGISTER)
}

const REGISTER: &[u8] = b",\"register\":";
/// A leaf's `call` begins within this many bytes.
const HEAD: usize = 512;

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
/// it was logged; if `tables` always returns the same one, as if that had been in force.
///
/// # Errors
///
/// [`FoldError`] if the first leaf does not open the call or a table is missing: then nothing may
/// be decided.
pub fn fold(tables: &dyn Fn(&str) -> Option<Arc<Table>>, leaves: &[Leaf]) -> Result<Call, FoldError> {
    let (first, rest) = leaves.split_first().ok_or(FoldError::Empty)?;
    let mut folding = Folding::open(tables, first)?;
    for leaf in rest {
        folding.step(tables, leaf)?;
    }
    Ok(folding.call)
}

/// A call that is being folded, leaf by leaf.
#[derive(Debug, Clone)]
pub struct Folding {
    in_force: String,
    call: Call,
}

impl Folding {
    /// Starts with the leaf that opens the call.
    ///
    /// # Errors
    ///
    /// [`FoldError`] if it opens no call, or its table is missing.
    pub fn open(tables: &dyn Fn(&str) -> Option<Arc<Table>>, first: &Leaf) -> Result<Folding, FoldError> {
        let Body::Opened { facts, saw, .. } = &first.body else { return Err(FoldError::NotOpened) };
        let in_force = saw.table.clone();
        let table = tables(&in_force).ok_or_else(|| FoldError::Table(in_force.clone()))?;
        Ok(Folding { in_force, call: Call::open(&table, first.at, facts.clone()) })
    }

    /// Takes the next leaf: one of the call's, or a gap of its log.
    ///
    /// # Errors
    ///
    /// [`FoldError`] if its table is missing.
    pub fn step(
        &mut self,
        tables: &dyn Fn(&str) -> Option<Arc<Table>>,
        leaf: &Leaf,
    ) -> Result<(), FoldError> {
        if let Some(saw) = leaf.body.saw()
            && saw.table != self.in_force
        {
            let table = tables(&saw.table).ok_or_else(|| FoldError::Table(saw.table.clone()))?;
            self.call.know(&table, leaf.at);
            self.in_force.clone_from(&saw.table);
        }
        if let Some(saw) = leaf.body.saw() {
            saw.ends_readings(&mut self.call, leaf.at);
        }
        if let Some(event) = leaf.fact() {
            self.call.apply(&event);
        }
        Ok(())
    }

    /// The call as it stands.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }
}

/// Until when something has to be logged to count for a recording that holds these moments and waited in quarantine: its
/// end, and as much later as the account takes late evidence. None if it holds nothing.
#[must_use]
pub fn evidence_until(spans: &[(Timestamp, Timestamp)], settings: &policy::Settings) -> Option<Timestamp> {
    let late = jiff::SignedDuration::from_secs(i64::from(settings.late_evidence_seconds));
    spans.iter().map(|(_, until)| *until).max()?.checked_add(late).ok()
}

/// Whether anybody has objected, on the call of a recording that waited in quarantine, since it began; or ever, if nobody
/// knows when it did.
pub fn objects_since<'f>(
    facts: impl IntoIterator<Item = &'f Event>,
    spans: &[(Timestamp, Timestamp)],
    claim: &policy::Claim,
) -> bool {
    let begun = match claim {
        policy::Claim::Placed(_) => spans.iter().map(|(from, _)| *from).min(),
        policy::Claim::Unplaced { .. } => None,
    };
    facts.into_iter().any(|fact| {
        matches!(fact.what, What::ConsentDeclined { .. } | What::ConsentWithdrawn { .. })
            && begun.is_none_or(|begun| begun <= fact.received_at)
    })
}

impl Leaf {
    /// What happened on its call, or on every open call.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: other entries say nothing of it")]
    pub fn fact(&self) -> Option<Event> {
        match &self.body {
            Body::Event { facts, .. } => Some(facts.clone()),
            Body::Accepted { spans, .. } => {
                let what = What::Accepted { spans: spans.clone() };
                Some(Event { received_at: self.at, at: None, what })
            }
            Body::Gap { from, .. } => Some(Event { received_at: self.at, at: Some(*from), what: What::Gap }),
            _ => None,
        }
    }
}

/// Who is the same person as a participant with this pseudonym, judging by the number: among those on the
/// call, and those who objected on an earlier call of its id. Empty if the participant's number was known
/// already.
#[must_use]
pub fn alike(
    subjects: &[(u32, String)],
    objectors: &[(String, Timestamp)],
    participant: u32,
    pseudonym: &str,
) -> Alike {
    let same = || subjects.iter().filter(|(_, other)| other == pseudonym).map(|(p, _)| *p);
    if same().any(|other| other == participant) {
        return Alike::default();
    }
    let mut participants: Vec<u32> = same().collect();
    participants.dedup();
    let since = objectors.iter().filter(|(other, _)| other == pseudonym).map(|(_, since)| *since).min();
    Alike { participants, objects_since: since }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// A random text that keeps the value it is hashed with from being guessed.
///
/// # Errors
///
/// If the operating system gives no randomness.
pub fn salt() -> Result<String, DraftError> {
    Ok(hex(&random::<32>()?))
}

/// Random bytes from the operating system.
///
/// # Errors
///
/// If it gives none.
pub fn random<const N: usize>() -> Result<[u8; N], DraftError> {
    crate::random::bytes().map_err(|_| DraftError::Randomness)
}

/// A random id.
///
/// # Errors
///
/// If the operating system gives no randomness.
pub fn id() -> Result<Uuid, DraftError> {
    crate::random::id().map_err(|_| DraftError::Randomness)
}

/// An id that begins with a time (RFC 9562 section 5.7), so that an index keeps rows of about the same time
/// together.
///
/// # Errors
///
/// If the operating system gives no randomness.
pub fn id_of_time(at: Timestamp) -> Result<Uuid, DraftError> {
    let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(ms, &random::<10>()?).into_uuid())
}

fn with_millis<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Why no entry could be made.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
    /// The entry is longer than an entry bundle can say (C2SP tlog-tiles).
    #[error("the entry has {bytes} bytes; {MAX_LEAF} are the most")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
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
    #[error("the table {0}, which decided on the call, is missing")]
    Table(String),
}

/// The most bytes that a leaf may have: its length is written with 16 bits (C2SP tlog-tiles).
pub const MAX_LEAF: usize = 65_535;
