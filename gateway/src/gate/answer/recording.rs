//! Answers about accepted recordings, and about entries of the trail.

use std::collections::BTreeMap;

use policy::scope::upload::Unasked;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use seal::Envelope;
use trail::clock::Moment;

/// A page of recordings, in the order in which they were accepted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecordingPage")]
pub struct Recordings {
    /// The page.
    pub recordings: Vec<Recording>,
    /// The cursor of the next page; null if this was the last.
    pub next: Option<String>,
}

/// A recording that was accepted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Recording {
    /// The gateway's id of it.
    pub id: Uuid,
    /// The platform's id of the call.
    pub call: String,
    /// The name under which it was uploaded.
    pub name: String,
    /// The first moment of its audio.
    pub recorded_from: Moment,
    /// The first moment after its audio.
    pub recorded_until: Moment,
    /// When each stretch of it was recorded.
    pub segments: Vec<Segment>,
    /// The stretches of the upload that were silenced before it was sealed, since they were not covered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silenced: Vec<Silenced>,
    /// The platform's ids of everybody who was on the call then.
    pub participants: Vec<String>,
    /// The purposes for which it could be fetched when it was accepted; null for any.
    pub purposes: Option<Vec<String>>,
    /// The credential that uploaded it.
    pub uploader: String,
    /// When it was accepted.
    pub accepted_at: Moment,
    /// The media type of the audio.
    pub content_type: String,
    /// How long the audio lasts, in milliseconds.
    pub duration_ms: i64,
    /// How long the sealed media are, in bytes.
    pub bytes: i64,
    /// Whether it is under a legal hold.
    pub held: bool,
    /// Where to fetch the sealed media.
    pub media: String,
    /// How long it is kept, by the law at the time of acceptance.
    pub retention: Retention,
    /// The envelope that holds its wrapped key.
    pub envelope: Envelope,
    /// Why the account's recording settings do not ask for it. Left out if they do, or nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unasked: Option<Unasked>,
    /// How many milliseconds the stretches were moved by to fit the windows. Left out if they were not moved,
    /// and in all answers except the upload's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shifted_ms: Option<u64>,
}

/// A stretch of a recording that was silenced before it was sealed. It holds nothing of what was said.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "SilencedStretch")]
pub struct Silenced {
    /// Its first moment.
    pub from: Moment,
    /// The first moment after it.
    pub until: Moment,
    /// Where it begins in the file, in milliseconds.
    pub offset_ms: i64,
    /// How long it lasts, in milliseconds.
    pub duration_ms: i64,
    /// The code of what was in the way, as in `uncovered`; null if that was no longer so when the recording was
    /// accepted.
    pub why: Option<String>,
}

/// A stretch of time in which a recording was made.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Segment {
    /// Its first moment.
    pub from: Moment,
    /// The first moment after it.
    pub until: Moment,
}

/// How long a recording is kept, by the law in force when it was accepted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecordingRetention")]
pub struct Retention {
    /// The minimum, for example `3 years`; null if there is none.
    pub minimum: Option<String>,
    /// The maximum; null if there is none.
    pub maximum: Option<String>,
    /// It may not be deleted before this moment; null if it may at any time.
    pub keep_until: Option<Moment>,
    /// It has to be deleted by this moment; null if there is no limit.
    pub delete_by: Option<Moment>,
}

/// What became of the recordings whose time is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Overdue {
    /// How many would be deleted, where nothing was to be done.
    pub due: u64,
    /// How many were deleted.
    pub deleted: u64,
    /// How many are kept, since they are under a legal hold.
    pub held: u64,
    /// How many could not be deleted; the next sweep tries again.
    pub failed: u64,
}

/// A recording that has to be kept for longer than it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Contradiction {
    /// The gateway's id of it.
    pub recording: Uuid,
    /// Its account.
    pub account: String,
    /// How long it has to be kept.
    pub minimum: String,
    /// How long it may be kept.
    pub maximum: String,
    /// When both have passed: then it is deleted.
    pub kept_until: Moment,
}

/// Something in which the ledger and the store differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The recording, by the gateway's id of it.
    pub recording: Uuid,
    /// Its account; null if nothing says whose it is.
    pub account: Option<String>,
    /// In what they differ.
    pub what: Differs,
    /// Where it lies, or should: a pack and the place in it, or a file; null for a file that should be there.
    pub place: Option<String>,
    /// More about it, in words.
    pub why: Option<String>,
}

/// In what the ledger and the store differ on a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Differs {
    /// An entry has accepted it, and the ledger has no row of it.
    RowMissing,
    /// The store does not have its media, or not all of them.
    MediaMissing,
    /// The store does not have its envelope: from the store alone, nobody can open it.
    EnvelopeMissing,
    /// It was deleted, and the store still holds it whole.
    NotRemoved,
    /// A crash has cut it short, or it is under way: the next start completes it.
    Unfinished,
    /// The store holds it, and nothing names it there.
    Unnamed,
}

impl Differs {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Differs::RowMissing => "row-missing",
            Differs::MediaMissing => "media-missing",
            Differs::EnvelopeMissing => "envelope-missing",
            Differs::NotRemoved => "not-removed",
            Differs::Unfinished => "unfinished",
            Differs::Unnamed => "unnamed",
        }
    }

    /// Whether nothing mends it by itself: something that was kept is lost, or something that was deleted is not.
    #[must_use]
    pub fn is_grave(self) -> bool {
        match self {
            Differs::RowMissing | Differs::MediaMissing | Differs::EnvelopeMissing | Differs::NotRemoved => {
                true
            }
            Differs::Unfinished | Differs::Unnamed => false,
        }
    }
}

/// What an inventory of the store has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// How many recordings are kept by the ledger.
    pub recordings: u64,
    /// How many the store shows, remains of deleted ones included.
    pub objects: u64,
    /// How many differences there are of each sort.
    pub differences: BTreeMap<Differs, u64>,
}

impl Inventory {
    pub(in crate::gate) fn count(&mut self, what: Differs) {
        let count = self.differences.entry(what).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether something that was kept is lost, or something that was deleted is not.
    #[must_use]
    pub fn is_grave(&self) -> bool {
        self.differences.keys().any(|what| what.is_grave())
    }
}

/// A page of entries of the trail, the oldest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "EntryPage")]
pub struct Consents {
    /// The page.
    pub consents: Vec<Entry>,
    /// The cursor of the next page; null if this was the last.
    pub next: Option<String>,
    /// How the pseudonym of the number in the question is made. Left out if the question has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
}

/// An entry with its place in the log, and with its detail if that still exists.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "LogEntry")]
pub struct Entry {
    /// The epoch of the log, from 1.
    pub epoch: i64,
    /// Its place in the epoch, from 0.
    pub index: i64,
    /// Its RFC 6962 leaf hash, in hexadecimal.
    pub leaf_hash: String,
    /// The platform's id of the call; null if the entry is not about a call, or the id was erased.
    pub call: Option<String>,
    /// The leaf.
    #[schemars(with = "trail::Leaf")]
    pub entry: Box<RawValue>,
    /// The detail that the leaf commits to; null if there is none, or it was erased.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub detail: Option<Box<RawValue>>,
    /// The salt of the commitment, in hexadecimal; null if the detail is.
    pub salt: Option<String>,
}

/// A number's pseudonym with the key that makes it, which finds the number in exported leaves without the
/// gateway. The pseudonym is `p1:` and base64url of HMAC-SHA-256 under the key over `gw-pid-v1`, 0, the log,
/// 0, the number.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Opening {
    /// The number, E.164.
    pub number: String,
    /// The log's name.
    pub log: String,
    /// The pseudonym.
    pub subject: String,
    /// The key, in hexadecimal.
    pub subject_key: String,
}
