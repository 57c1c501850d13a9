//! Answers about legal holds, and about erasures that wait for them.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::gate::ask;
use trail::clock::Moment;

/// A legal hold. It covers every recording that meets all of its conditions, whenever it was or will be accepted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "SetLegalHold")]
pub struct LegalHold {
    /// The id that counsel chose.
    pub id: String,
    /// When it was set.
    pub set_at: Moment,
    /// The hold itself.
    #[serde(flatten)]
    pub hold: ask::LegalHold,
}

/// The legal holds of an account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "LegalHoldList")]
pub struct LegalHolds {
    /// In the order in which they were set.
    pub holds: Vec<LegalHold>,
}

/// Somebody who is erased as soon as no legal hold prevents it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WaitingErasure {
    /// The gateway's id of it.
    pub erasure: Uuid,
    /// When it was asked for.
    pub asked_at: Moment,
    /// Why.
    pub reason: String,
}

/// The erasures of an account that wait.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WaitingErasureList {
    /// The oldest first.
    pub waiting: Vec<WaitingErasure>,
}
