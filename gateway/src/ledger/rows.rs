//! What is read from the ledger.

#![expect(missing_docs, reason = "what is not explained is named by its field")]

use sqlx::FromRow;

use super::near::found;

/// An account.
#[derive(Debug, Clone, FromRow)]
pub struct AccountRow {
    pub id: String,
    /// Where the operator is established.
    pub operator_location: Option<String>,
    /// Where the recorder stands.
    pub recorder_location: Option<String>,
    /// Its settings, as JSON.
    pub settings: String,
    /// The credential that may provision it.
    pub provisioner: Option<String>,
    /// When it was added.
    pub created_at: i64,
}

found!(AccountRow { id, operator_location, recorder_location, settings, provisioner, created_at });

/// Another name of an account.
#[derive(Debug, Clone, FromRow)]
pub struct AliasRow {
    /// The alias in lower case.
    pub folded: String,
    pub alias: String,
    pub account: String,
    /// The gateway's id of it.
    pub uid: String,
    /// When it was added.
    pub added_at: i64,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

found!(AliasRow { folded, alias, account, uid, added_at, salt });

/// A credential.
#[derive(Debug, Clone, FromRow)]
pub struct CredentialRow {
    /// Its minted name.
    pub username: String,
    pub account: String,
    pub role: String,
    /// Who it belongs to.
    pub name: String,
    /// The person it stands for.
    pub person: Option<String>,
    /// The credential that has provisioned it.
    pub provisioner: Option<String>,
    /// The hash of its secret.
    pub hash: String,
    /// What its uploads need beside being lawful: `granted` or `lawful`.
    pub coverage: String,
    /// What it is told of an upload that is refused: `deny` or `discard`.
    pub on_refusal: String,
    /// For how long what it uploads may wait in quarantine.
    pub quarantine_seconds: i64,
    /// When it was added.
    pub created_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

found!(CredentialRow {
    username,
    account,
    role,
    name,
    person,
    provisioner,
    hash,
    coverage,
    on_refusal,
    quarantine_seconds,
    created_at,
    revoked_at
});

/// Somebody who was enrolled.
#[derive(Debug, Clone, FromRow)]
pub struct PersonRow {
    /// The gateway's id of them.
    pub id: String,
    pub account: String,
    /// Their name, as [`trail::people::folded`].
    pub folded: String,
    pub name: String,
    /// Whether they count from the start.
    pub founding: bool,
    /// When they were enrolled.
    pub enrolled_at: i64,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

/// A confirmation of somebody's identity.
#[derive(Debug, Clone, FromRow)]
pub struct ConfirmedRow {
    pub account: String,
    /// Who was confirmed.
    pub person: String,
    /// Who confirmed them.
    pub confirmer: String,
    /// When.
    pub confirmed_at: i64,
}

/// A public key.
#[derive(Debug, Clone, FromRow)]
pub struct KeyRow {
    pub id: String,
    pub account: String,
    /// SPKI PEM.
    pub pem: String,
    /// When it was added.
    pub added_at: i64,
    /// When it was retired.
    pub retired_at: Option<i64>,
}

found!(KeyRow { id, account, pem, added_at, retired_at });

/// A version of a prompt.
#[derive(Debug, Clone, FromRow)]
pub struct PromptRow {
    pub account: String,
    pub id: String,
    /// Its version, from 1.
    pub version: i64,
    /// The gateway's id of this version.
    pub uid: String,
    /// What is said, as JSON.
    pub document: String,
    /// When it was registered.
    pub created_at: i64,
    /// When another version took its place.
    pub superseded_at: Option<i64>,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

found!(PromptRow { account, id, version, uid, document, created_at, superseded_at, salt });

/// A consent grant.
#[derive(Debug, Clone, FromRow)]
pub struct GrantRow {
    pub account: String,
    pub id: String,
    /// The gateway's id.
    pub uid: String,
    /// What it says, as JSON.
    pub document: String,
    /// When it was registered.
    pub created_at: i64,
    /// When it was withdrawn.
    pub withdrawn_at: Option<i64>,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

found!(GrantRow { account, id, uid, document, created_at, withdrawn_at, salt });

/// An account's recording settings.
#[derive(Debug, Clone, FromRow)]
pub struct RecordingSettingsRow {
    pub account: String,
    /// What they say, as JSON.
    pub document: String,
    /// When they were set.
    pub set_at: i64,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

/// A call.
#[derive(Debug, Clone, FromRow)]
pub struct CallRow {
    /// The gateway's id.
    pub uid: String,
    pub account: String,
    /// The platform's id.
    pub id: String,
    /// The digest of what opened it.
    pub body: String,
    /// When it was opened.
    pub opened_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Its last entry.
    pub head: String,
    /// How many entries of its account's log may have restricted calls that they are no entries of.
    pub restrictions: i64,
}

found!(CallRow { uid, account, id, body, opened_at, ended_at, head, restrictions });

impl CallRow {
    /// Whether its names were erased, with somebody who was on it.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.id.strip_prefix("erased:") == Some(self.uid.as_str())
    }
}

/// A call with all of its entries.
#[derive(Debug, Clone, FromRow)]
pub struct History {
    /// The gateway's id.
    pub uid: String,
    /// Its leaves, in the order of the log, one a line; `None` if there is no entry.
    pub leaves: Option<Vec<u8>>,
}

/// Who is behind a number that a call's entries use.
#[derive(Debug, Clone, FromRow)]
pub struct ParticipantRow {
    /// Their number.
    pub participant: i64,
    /// The platform's id of them.
    pub id: String,
    /// Their phone number.
    pub number: Option<String>,
    /// Their address.
    pub ip: Option<String>,
    /// The grant they name.
    pub consent_grant: Option<String>,
}

/// An entry of a log, as it is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRow {
    /// Its epoch, from 1.
    pub epoch: i64,
    /// Its place in it, from 0.
    pub seq: i64,
    /// The exact bytes.
    pub leaf: Vec<u8>,
}

/// An entry of a log, with its detail if that was asked for and still exists.
#[derive(Debug, Clone, FromRow)]
pub struct EntryRow {
    pub log: String,
    /// Its epoch, from 1.
    pub epoch: i64,
    /// Its place in it, from 0.
    pub seq: i64,
    /// The exact bytes.
    pub leaf: Vec<u8>,
    pub leaf_hash: Vec<u8>,
    /// The detail's salt.
    pub salt: Option<Vec<u8>>,
    /// The detail.
    pub document: Option<String>,
    /// The platform's id of the call that it belongs to, or of its recording's call, if that was asked for.
    #[sqlx(default)]
    pub call_id: Option<String>,
}

/// A signed head.
#[derive(Debug, Clone, FromRow)]
pub struct CheckpointRow {
    pub size: i64,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub signed_at: i64,
    /// Whether it is kept when newer ones come.
    pub kept: bool,
}

/// What an anchor has said about a signed head.
#[derive(Debug, Clone, FromRow)]
pub struct AnchorRow {
    /// The head's size.
    pub size: i64,
    /// `witness`, `timestamp` or `write-once`.
    pub kind: String,
    /// Who: as configured.
    pub name: String,
    /// What they said.
    pub evidence: Vec<u8>,
    /// When.
    pub at: i64,
}

/// An epoch of a log that has ended.
#[derive(Debug, Clone, FromRow)]
pub struct ClosedLogRow {
    /// The log.
    pub id: String,
    /// Which epoch.
    pub epoch: i64,
    /// How many entries it had.
    pub size: i64,
    /// Its last root.
    pub root: Vec<u8>,
    /// Its last signed head.
    pub note: Option<String>,
    /// When it ended.
    pub closed_at: i64,
    /// When its entries were dropped.
    pub dropped_at: Option<i64>,
}

/// A recording.
#[derive(Debug, Clone, FromRow)]
pub struct RecordingRow {
    pub id: String,
    pub account: String,
    pub call: String,
    /// The platform's id of the call.
    pub call_id: String,
    pub name: String,
    /// HMAC of the plaintext.
    pub fingerprint: Vec<u8>,
    /// The credential that uploaded it.
    pub uploader: String,
    /// Its length, sealed.
    pub bytes: i64,
    /// Its length in milliseconds.
    pub duration_ms: i64,
    /// Its media type.
    pub content_type: String,
    /// The envelope, as JSON; gone once it is deleted.
    pub envelope: Option<String>,
    /// Whether the envelope object is in the store.
    pub enveloped: bool,
    /// When it was accepted.
    pub accepted_at: i64,
    /// Where its first stretch begins.
    pub recorded_from: i64,
    /// Where its last stretch ends.
    pub recorded_until: i64,
    /// Its stretches (`segments`), the numbers of its participants (`people`), and the purposes it may be
    /// listened to for (`purposes`; null for any), as JSON.
    pub about: String,
    /// Whether it is under a legal hold of its own.
    pub held: bool,
    /// When it was deleted.
    pub deleted_at: Option<i64>,
    /// At least how long it is kept, in words.
    pub kept_at_least: Option<String>,
    /// At most how long it is kept, in words.
    pub kept_at_most: Option<String>,
    /// The moment before which it may not be deleted.
    pub keep_until: Option<i64>,
    /// When it has to be gone.
    pub delete_by: Option<i64>,
    /// Where its media lie in a pack; none if they are an object of their own.
    pub place: Option<String>,
    /// Whether a legal hold covers it that is not on it alone.
    pub covered: bool,
    /// Whether somebody on its call is to be erased as soon as no hold prevents it.
    pub restricted: bool,
}

impl RecordingRow {
    /// Whether it is under a legal hold.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held || self.covered
    }
}

found!(RecordingRow {
    id,
    account,
    call,
    call_id,
    name,
    fingerprint,
    uploader,
    bytes,
    duration_ms,
    content_type,
    envelope,
    enveloped,
    accepted_at,
    recorded_from,
    recorded_until,
    about,
    held,
    deleted_at,
    kept_at_least,
    kept_at_most,
    keep_until,
    delete_by,
    place,
    covered,
    restricted
});

/// A legal hold on whatever meets all of its conditions; one that is absent limits nothing.
#[derive(Debug, Clone, FromRow)]
pub struct HoldRow {
    /// The gateway's id of it.
    pub uid: String,
    pub account: String,
    /// What counsel calls it.
    pub id: String,
    pub recording: Option<String>,
    /// The platform's id of the call.
    pub call: Option<String>,
    /// The key under which the trail mentions a number.
    pub subject: Option<String>,
    /// The platform's id of a participant.
    pub participant: Option<String>,
    pub recorded_from: Option<i64>,
    pub recorded_until: Option<i64>,
    /// As it was asked for, as JSON.
    pub document: String,
    /// When it was set.
    pub set_at: i64,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

/// An upload in quarantine.
#[derive(Debug, Clone, FromRow)]
pub struct QuarantineRow {
    /// The id of the recording that it may become.
    pub id: String,
    pub account: String,
    /// The credential with which it was sent.
    pub uploader: String,
    /// By this the same upload is known again.
    pub identity: Vec<u8>,
    /// Of the plaintext, as a recording has it.
    pub fingerprint: Vec<u8>,
    /// How it came, what its sender said of it and what was measured, as JSON.
    pub document: String,
    /// Where its media lie in a pack; none if they are an object of their own.
    pub place: Option<String>,
    /// Its envelope, which nobody can read without a secret that is elsewhere; none once it has left.
    pub locked: Option<Vec<u8>>,
    /// When it came.
    pub received_at: i64,
    /// Until when it may be released.
    pub until_at: i64,
    /// When it was released or destroyed.
    pub ended_at: Option<i64>,
}

/// Somebody who is to be erased as soon as no hold prevents it.
#[derive(Debug, Clone, FromRow)]
pub struct WaitingRow {
    /// The gateway's id of it.
    pub uid: String,
    pub account: String,
    /// The request, as JSON.
    pub document: String,
    /// When it was asked for.
    pub asked_at: i64,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

/// Something that an account is still to be told.
#[derive(Debug, Clone, FromRow)]
pub struct NotificationRow {
    /// The id of the entry that it tells of, or another one.
    pub id: String,
    pub account: String,
    /// What happened.
    pub kind: String,
    /// The gateway's id of the call.
    pub call: Option<String>,
    pub recording: Option<String>,
    /// What the platform has to do.
    pub action: Option<String>,
    /// When it happened.
    pub queued_at: i64,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub due_at: i64,
    /// What the last attempt came to: a status, or a word.
    pub outcome: Option<String>,
    /// When it was given up.
    pub failed_at: Option<i64>,
}

/// A version of the table.
#[derive(Debug, Clone, FromRow)]
pub struct VersionRow {
    /// Its number, from 1.
    pub version: i64,
    pub digest: String,
    /// When it came into force.
    pub in_force_at: i64,
    /// Who, why, and what changed, as JSON.
    pub document: String,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

/// A table that waits, or waited, for a second person.
#[derive(Debug, Clone, FromRow)]
pub struct ProposalRow {
    /// Its id.
    pub uid: String,
    /// The table's digest.
    pub digest: String,
    /// The digest of the version that was in force.
    pub base: String,
    /// `open`, `published`, `withdrawn`, `rejected`, `superseded` or `expired`.
    pub state: String,
    /// The credential that proposed it.
    pub credential: String,
    /// The id of that person; empty if nobody is known.
    pub person: String,
    /// Why, what changes, and the impact report, as JSON.
    pub document: String,
    /// When it was proposed.
    pub proposed_at: i64,
    /// Until when it can be approved, exclusive.
    pub expires_at: i64,
    /// When it was decided.
    pub decided_at: Option<i64>,
    /// Who decided, and why, as JSON.
    pub decision: Option<String>,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

/// How an account's counsel reads the law of a place.
#[derive(Debug, Clone, FromRow)]
pub struct ReadingRow {
    pub account: String,
    /// The hash of its terms.
    pub id: String,
    /// The place.
    pub code: String,
    /// What it says and why, as JSON.
    pub document: String,
    /// The credential that stated it.
    pub credential: String,
    /// The id of that person; empty if nobody is known.
    pub person: String,
    /// When it was stated.
    pub proposed_at: i64,
    /// The id of the person who approved it.
    pub approver: Option<String>,
    /// Since when it counts for calls that are opened.
    pub in_force_at: Option<i64>,
    /// The id of the person who proposed to end it, since it asks more.
    pub end_proposer: Option<String>,
    /// When they did.
    pub end_proposed_at: Option<i64>,
    /// When it was ended.
    pub ended_at: Option<i64>,
    /// Who ended it, and why, as JSON.
    pub decision: Option<String>,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

/// Where the law desk lets an account read the law otherwise than the table has it.
#[derive(Debug, Clone, FromRow)]
pub struct ReadingAllowanceRow {
    pub account: String,
    /// The place.
    pub code: String,
    /// Who allowed it, and why, as JSON.
    pub document: String,
    /// When.
    pub allowed_at: i64,
    /// Random, in hexadecimal, so that the row cannot be guessed from its commitment.
    pub salt: String,
}

macro_rules! select_call {
    ($rest:literal) => {
        concat!(
            "SELECT call.uid, call.account, call.id, call.body, call.opened_at, call.ended_at, call.head, ",
            "(SELECT restrictions FROM account WHERE account.id = call.account) AS restrictions ",
            $rest
        )
    };
}
pub(super) use select_call;

/// Whether a recording meets all conditions of a legal hold. A row of `recording` and one of `legal_hold AS hold` are at
/// hand.
macro_rules! covers {
    () => {
        "hold.account = recording.account \
         AND (hold.recording IS NULL OR hold.recording = recording.id) \
         AND (hold.call IS NULL OR EXISTS (SELECT 1 FROM call AS held_call WHERE held_call.uid = recording.call AND held_call.id = hold.call)) \
         AND (hold.subject IS NULL OR EXISTS (SELECT 1 FROM call_mention WHERE call_mention.log = recording.account AND call_mention.key = hold.subject AND call_mention.call = recording.call)) \
         AND (hold.participant IS NULL OR EXISTS (SELECT 1 FROM participant AS held_person WHERE held_person.call = recording.call AND held_person.id = hold.participant)) \
         AND (hold.recorded_from IS NULL OR recording.recorded_until > hold.recorded_from) \
         AND (hold.recorded_until IS NULL OR recording.recorded_from < hold.recorded_until)"
    };
}
pub(super) use covers;

/// Whether a legal hold covers a recording. A row of `recording` is at hand.
macro_rules! covered {
    () => {
        concat!("EXISTS (SELECT 1 FROM legal_hold AS hold WHERE ", covers!(), ")")
    };
}
pub(super) use covered;

macro_rules! select_recording {
    ($rest:literal) => {
        concat!(
            "SELECT recording.id, recording.account, recording.call, call.id AS call_id, recording.name, ",
            "recording.fingerprint, recording.uploader, recording.bytes, recording.duration_ms, recording.content_type, ",
            "recording.envelope, recording.enveloped, recording.accepted_at, recording.recorded_from, recording.recorded_until, recording.about, recording.held, recording.deleted_at, ",
            "recording.kept_at_least, recording.kept_at_most, recording.keep_until, recording.delete_by, recording.place, ",
            covered!(),
            " AS covered, call.restricted_at IS NOT NULL AS restricted ",
            "FROM recording JOIN call ON call.uid = recording.call ",
            $rest
        )
    };
}

pub(super) const RECORDING_BY_ID: &str =
    select_recording!("WHERE recording.account = ? AND recording.id = ?");
pub(super) const RECORDING_BY_NAME: &str =
    select_recording!("WHERE recording.call = ? AND recording.name = ?");
/// A page of recordings, for SQLite and for PostgreSQL: they differ in how they read JSON.
pub(super) const RECORDINGS: (&str, &str) = (
    select_recording!(
        "WHERE recording.account = ? AND (recording.accepted_at, recording.id) > (?, ?) \
         AND recording.deleted_at IS NULL AND (? IS NULL OR recording.call = ?) \
         AND (? IS NULL OR recording.uploader = ?) AND recording.recorded_until > ? AND recording.recorded_from < ? \
         AND (? IS NULL OR EXISTS (SELECT 1 FROM participant JOIN json_each(recording.about, '$.people') AS there \
         ON there.value = participant.participant WHERE participant.call = recording.call AND participant.id = ?)) \
         AND (? IS NULL OR json_type(recording.about, '$.purposes') = 'null' \
         OR EXISTS (SELECT 1 FROM json_each(recording.about, '$.purposes') AS told WHERE told.value = ?)) \
         ORDER BY recording.accepted_at, recording.id LIMIT ?"
    ),
    select_recording!(
        "WHERE recording.account = ? AND (recording.accepted_at, recording.id) > (?, ?) \
         AND recording.deleted_at IS NULL AND (? IS NULL OR recording.call = ?) \
         AND (? IS NULL OR recording.uploader = ?) AND recording.recorded_until > ? AND recording.recorded_from < ? \
         AND (? IS NULL OR EXISTS (SELECT 1 FROM participant JOIN json_array_elements_text(CAST(recording.about AS json) -> 'people') AS there (number) \
         ON CAST(there.number AS bigint) = participant.participant WHERE participant.call = recording.call AND participant.id = ?)) \
         AND (? IS NULL OR json_typeof(CAST(recording.about AS json) -> 'purposes') = 'null' \
         OR EXISTS (SELECT 1 FROM json_array_elements_text(CASE json_typeof(CAST(recording.about AS json) -> 'purposes') \
         WHEN 'array' THEN CAST(recording.about AS json) -> 'purposes' ELSE '[]' END) AS told (purpose) WHERE told.purpose = ?)) \
         ORDER BY recording.accepted_at, recording.id LIMIT ?"
    ),
);
/// A page of an account's recordings that are not deleted, the newest first.
pub(super) const NEWEST_RECORDINGS: &str = select_recording!(
    "WHERE recording.account = ? AND (recording.accepted_at, recording.id) < (?, ?) \
     AND recording.deleted_at IS NULL AND (? IS NULL OR recording.uploader = ?) \
     AND recording.accepted_at >= ? AND recording.accepted_at < ? \
     ORDER BY recording.accepted_at DESC, recording.id DESC LIMIT ?"
);
/// The recordings of an account that have this name, those that are not deleted first.
pub(super) const RECORDINGS_NAMED: &str = select_recording!(
    "WHERE recording.account = ? AND recording.name = ? AND (? IS NULL OR recording.uploader = ?) \
     ORDER BY recording.deleted_at IS NOT NULL, recording.accepted_at DESC, recording.id DESC LIMIT ?"
);
/// A page of recordings whose time is over, the longest overdue first; those under a hold are left out.
pub(super) const DUE: &str = concat!(
    select_recording!(
        "WHERE recording.delete_by IS NOT NULL AND recording.deleted_at IS NULL AND NOT recording.held \
         AND recording.delete_by <= ? AND (recording.delete_by, recording.id) > (?, ?) AND NOT "
    ),
    covered!(),
    " ORDER BY recording.delete_by, recording.id LIMIT ?"
);
/// A page of the recordings of all accounts that are not deleted.
pub(super) const RECORDINGS_KEPT: &str = select_recording!(
    "WHERE recording.deleted_at IS NULL AND recording.id > ? ORDER BY recording.id LIMIT ?"
);
/// Recordings by their ids, for SQLite and for PostgreSQL.
pub(super) const RECORDINGS_BY_ID: (&str, &str) = (
    select_recording!("WHERE recording.id IN (SELECT value FROM json_each(?))"),
    select_recording!("WHERE recording.id IN (SELECT json_array_elements_text(CAST(? AS json)))"),
);
/// Recordings that are kept until now only for their minimum, or for both at once.
pub(super) const KEPT_TOO_LONG: &str = select_recording!(
    "WHERE recording.delete_by IS NOT NULL AND recording.deleted_at IS NULL AND recording.delete_by > ? \
     AND recording.keep_until = recording.delete_by AND recording.kept_at_least <> recording.kept_at_most \
     ORDER BY recording.delete_by, recording.id LIMIT ?"
);
/// How many recordings whose time is over are under a hold.
pub(super) const DUE_BUT_HELD: &str = concat!(
    "SELECT (SELECT COUNT(*) FROM recording WHERE held AND deleted_at IS NULL AND delete_by <= ?) \
     + (SELECT COUNT(*) FROM recording WHERE delete_by IS NOT NULL AND deleted_at IS NULL AND NOT held \
     AND delete_by <= ? AND ",
    covered!(),
    ")"
);
/// For SQLite and for PostgreSQL: each in the words of its index.
pub(super) const UNFINISHED: (&str, &str) = (
    select_recording!(
        "WHERE (recording.enveloped = 0 OR (recording.deleted_at IS NOT NULL AND recording.swept = 0)) \
         AND recording.id > ? ORDER BY recording.id LIMIT ?"
    ),
    select_recording!(
        "WHERE (NOT recording.enveloped OR (recording.deleted_at IS NOT NULL AND NOT recording.swept)) \
         AND recording.id > ? ORDER BY recording.id LIMIT ?"
    ),
);
