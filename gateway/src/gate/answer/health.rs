//! Whether the gateway runs, and whether it could answer a request.

use schemars::JsonSchema;
use serde::Serialize;

use crate::gate::{Lack, Watched};

/// That the gateway runs.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Health {
    /// That it does.
    pub status: Running,
}

/// That the gateway runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Running {
    /// It does.
    Ok,
}

/// That a request could be answered now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Ready {
    /// Whether all could.
    pub status: Readiness,
    /// What is lacking.
    pub failing: Vec<Lack>,
    /// The table in force.
    pub table: TableInForce,
}

/// Whether a request could be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Readiness {
    /// Every request could.
    Ready,
    /// Some could not, and they are no better sent to another gateway.
    Degraded,
}

/// The table in force: digests and numbers only, since anybody may ask.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TableInForce {
    /// Its version, from 1.
    pub version: i64,
    /// Its SHA-256, in hexadecimal.
    pub digest: String,
    /// What became of the table that the configuration names; null where none was offered yet.
    pub configured: Option<Watched>,
}
