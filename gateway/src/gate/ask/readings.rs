//! How an account's own counsel reads the law of a place.

use jiff::Timestamp;
use policy::{Form, Parties};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Medium, moment, or_default};

/// `POST /v1/readings`: what is to be asked of the account's calls for a place, and why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateReading {
    /// The place: ISO 3166-1 alpha-2 or ISO 3166-2.
    pub code: String,
    /// Where the operator is established whose calls it covers.
    pub operator: String,
    /// The legal entity that it is for. At most 4 KiB.
    pub entity: String,
    /// Whose consent is needed.
    pub parties: Parties,
    /// What counts as consent.
    pub form: Form,
    /// Whether the recording itself has to hold an announcement.
    #[serde(default, deserialize_with = "or_default")]
    pub announcement_must_be_recorded: bool,
    /// Only in these media; by default, in all.
    #[serde(default, deserialize_with = "or_default")]
    pub media: Vec<Medium>,
    /// Only for calls that are for nothing but these purposes; by default, whatever they are for. Only if it asks less
    /// than the table.
    #[serde(default, deserialize_with = "or_default")]
    pub purposes: Vec<String>,
    /// When it is over. It has to be said if it asks less than the table, and lies at most two years ahead.
    #[serde(default, deserialize_with = "moment")]
    pub until: Option<Timestamp>,
    /// Where counsel's memo is kept. It has to be said if it asks less than the table. At most 4 KiB.
    #[serde(default)]
    pub memo: Option<String>,
    /// Why. At most 4 KiB.
    pub reason: String,
}
