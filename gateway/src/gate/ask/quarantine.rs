//! Requests about what is in quarantine.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::moment;

/// `POST /v1/quarantine/{id}/release`: to which call an upload belongs.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ReleaseFromQuarantine")]
pub struct Release {
    /// The call: its id or an alias.
    #[schemars(length(min = 1, max = 255))]
    pub call: String,
    /// When the audio begins, only if its sender did not say so.
    #[serde(default, deserialize_with = "moment")]
    pub start: Option<Timestamp>,
}
