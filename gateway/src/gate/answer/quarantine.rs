//! Answers about what is in quarantine.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use trail::clock::Moment;
use trail::{Door, QuarantineReason};

/// An upload in quarantine: sealed, and locked so that nobody can open it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "QuarantinedUpload")]
pub struct InQuarantine {
    /// Its id, and that of the recording that it becomes if it is released.
    pub id: Uuid,
    /// Why nobody could decide on it.
    pub reason: QuarantineReason,
    /// When it came.
    pub received_at: Moment,
    /// Until when it can be released. Whatever is here then is destroyed.
    pub until: Moment,
    /// The names that its call may have, by what its sender says; the likeliest first.
    pub calls: Vec<String>,
    /// The name that the recording will have.
    pub name: String,
    /// When the audio begins, by what its sender says, at the earliest; null if it does not say.
    pub start: Option<Moment>,
    /// How much later than that it may begin, in milliseconds.
    pub start_doubt_ms: u64,
    /// How long it lasts, measured, in milliseconds.
    pub duration_ms: u64,
    /// How many bytes it has, sealed.
    pub bytes: u64,
    /// What it is.
    pub content_type: String,
    /// The credential with which it was sent.
    pub uploader: String,
    /// The door through which it came.
    pub door: Door,
}

/// A page of an account's quarantine.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "QuarantineList")]
pub struct Quarantine {
    /// The oldest first.
    pub quarantine: Vec<InQuarantine>,
    /// The `after` of the next page; null on the last.
    pub next: Option<String>,
}
