//! Answers about logs: exports, and dropped epochs.

use schemars::JsonSchema;
use serde::Serialize;

use trail::clock::Moment;

/// An epoch of a log that was dropped; its last head is kept.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DroppedEpoch {
    /// The log: an account, or `system`.
    pub log: String,
    /// Which epoch, from 1.
    pub epoch: i64,
    /// The name that its heads are signed for.
    pub origin: String,
    /// How many entries its last head covers.
    pub size: i64,
    /// The root of its last head, in base64.
    pub root: String,
    /// When it ended.
    pub closed_at: Moment,
    /// How many entries were dropped now; an earlier attempt may have dropped others.
    pub dropped: i64,
}

/// A call's consent in somebody else's format.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Exported {
    /// The media type of the format.
    #[serde(skip)]
    pub media_type: &'static str,
    /// The document.
    pub document: serde_json::Value,
}
