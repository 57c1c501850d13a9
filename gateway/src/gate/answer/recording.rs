//! Recordings that were accepted, and entries of the trail.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use seal::Envelope;
use trail::clock::Moment;

/// A page of recordings, those that were accepted first come first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecordingPage")]
pub struct Recordings {
    /// The page.
    pub recordings: Vec<Recording>,
    /// The cursor of the next page; null where this was the last.
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
    /// The first moment that it holds.
    pub recorded_from: Moment,
    /// The first moment after all that it holds.
    pub recorded_until: Moment,
    /// When each stretch of it was recorded.
    pub segments: Vec<Segment>,
    /// The platform's ids of everybody who was there.
    pub participants: Vec<String>,
    /// The purposes for which it could be listened to when it was accepted; null for any.
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
    /// Where the sealed media are fetched.
    pub media: String,
    /// How long it is kept, by the law when it was accepted.
    pub retention: Retention,
    /// What its key is wrapped in.
    pub envelope: Envelope,
    /// By how many milliseconds the stretches were moved to fit the windows. Left out where they were not, and in
    /// every answer but the upload's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shifted_ms: Option<u64>,
}

/// A stretch of time in which a recording was made.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Segment {
    /// Its first moment.
    pub from: Moment,
    /// The first moment after it.
    pub until: Moment,
}

/// How long a recording is kept, by the law that was in force when it was accepted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecordingRetention")]
pub struct Retention {
    /// At least so long, such as `3 years`; null where nothing is said.
    pub minimum: Option<String>,
    /// At most so long; null where nothing is said.
    pub maximum: Option<String>,
    /// Before this moment it may not be deleted; null where it may at any time.
    pub keep_until: Option<Moment>,
    /// At this moment it has to be gone; null where there is no limit.
    pub delete_by: Option<Moment>,
}

/// A page of entries of the trail, the oldest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "EntryPage")]
pub struct Consents {
    /// The page.
    pub consents: Vec<Entry>,
    /// The cursor of the next page; null where this was the last.
    pub next: Option<String>,
    /// How the pseudonym of the number that was asked for is made. Left out where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
}

/// An entry with its place in the log, and with its detail where that still exists.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "LogEntry")]
pub struct Entry {
    /// The epoch of the log, from 1.
    pub epoch: i64,
    /// Its place in the epoch, from 0.
    pub index: i64,
    /// Its RFC 6962 leaf hash, in hexadecimal.
    pub leaf_hash: String,
    /// The platform's id of the call; null where it is about no call, or the id was erased.
    pub call: Option<String>,
    /// The leaf.
    #[schemars(with = "trail::Leaf")]
    pub entry: Box<RawValue>,
    /// What the leaf commits to; null where that is nothing, or was erased.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub detail: Option<Box<RawValue>>,
    /// What the commitment is salted with, in hexadecimal; null with the detail.
    pub salt: Option<String>,
}

/// A number's pseudonym with the key that makes it: whoever has this finds the number in exported leaves without
/// the gateway. The pseudonym is `p1:` and base64url of HMAC-SHA-256 under the key over `gw-pid-v1`, 0, the log, 0,
/// the number.
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
