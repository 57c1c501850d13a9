//! The answer to an erasure: what was erased.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use trail::clock::Moment;

/// What was erased.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Erased {
    /// The id of the entry that records it.
    pub entry: Uuid,
    /// When it happened.
    pub at: Moment,
    /// How many calls they were on.
    pub calls: u64,
    /// What became of the recordings of these calls.
    pub recordings: ErasedRecordings,
    /// How many of their consent grants there were.
    pub consent_grants: usize,
    /// Whether the ledger's file still holds pieces of what was erased.
    pub remnants: Remnants,
}

/// What became of recordings.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct ErasedRecordings {
    /// How many were deleted.
    pub deleted: u64,
    /// How many were kept.
    pub kept: u64,
}

/// Whether the ledger's file still holds pieces of what was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Remnants {
    /// It does not.
    None,
    /// It may, until the file is rewritten: `consent-gateway compact` does that.
    Pending,
}

impl Remnants {
    /// What remains after an attempt to rewrite the file.
    #[must_use]
    pub fn after(gone: bool) -> Remnants {
        if gone { Remnants::None } else { Remnants::Pending }
    }
}
