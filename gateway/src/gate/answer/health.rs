//! Answers about whether the gateway runs and is ready.

use schemars::JsonSchema;
use serde::Serialize;

use crate::gate::{Lack, Watched};

/// The gateway runs.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: Running,
}

/// The gateway runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Running {
    /// It runs.
    Ok,
}

/// The gateway is ready.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Ready {
    /// Whether it is ready for every request.
    pub status: Readiness,
    /// What is lacking.
    pub failing: Vec<Lack>,
    /// The table in force.
    pub table: TableInForce,
}

/// Whether the gateway is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Readiness {
    /// It is ready for every request.
    Ready,
    /// It is not ready for some requests, but another gateway would not be either.
    Degraded,
}

/// The table in force: only digests and numbers, since anybody may ask.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TableInForce {
    /// Its version, from 1.
    pub version: i64,
    /// Its SHA-256, in hexadecimal.
    pub digest: String,
    /// The state of the table that the configuration names; null if none was offered yet.
    pub configured: Option<Watched>,
}
