//! Erasures: what went of somebody.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use trail::clock::Moment;

/// What went of somebody.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Erased {
    /// The id of the entry that says so.
    pub entry: Uuid,
    /// When.
    pub at: Moment,
    /// How many calls they were on.
    pub calls: u64,
    /// What became of the recordings of these calls.
    pub recordings: ErasedRecordings,
    /// How many consent grants were theirs.
    pub consent_grants: usize,
    /// Whether the ledger's file still holds pieces of what was erased.
    pub remnants: Remnants,
}

/// What became of recordings.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct ErasedRecordings {
    /// How many were deleted.
    pub deleted: u64,
    /// How many stay.
    pub kept: u64,
}

/// Whether the ledger's file holds pieces of what was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Remnants {
    /// It holds none.
    None,
    /// It may, until it is written anew: `consent-gateway compact` does that.
    Pending,
}

impl Remnants {
    /// What is left, after it was tried to write the file anew.
    #[must_use]
    pub fn after(gone: bool) -> Remnants {
        if gone { Remnants::None } else { Remnants::Pending }
    }
}
