//! Legal holds.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{moment, or_default};

/// `PUT /v1/holds/{hold}`: which recordings are kept, whatever else says that they have to go, and why. It covers every
/// recording that meets all of the conditions; there has to be one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LegalHold {
    /// The case that it is for, such as a docket number.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub case: Option<String>,
    /// Only this recording.
    #[serde(default)]
    pub recording: Option<Uuid>,
    /// Only recordings of this call: its id or an alias. A call that is opened again under the id is covered as well.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub call: Option<String>,
    /// Only recordings of calls with somebody who has this number, E.164.
    #[serde(default)]
    pub number: Option<String>,
    /// Only recordings of calls with this participant, by the platform's id.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub participant: Option<String>,
    /// Only recordings with audio from this moment or later.
    #[serde(default, deserialize_with = "moment")]
    pub from: Option<Timestamp>,
    /// Only recordings with audio from before this moment.
    #[serde(default, deserialize_with = "moment")]
    pub until: Option<Timestamp>,
    /// Why. At most 4 KiB.
    pub reason: String,
    /// What the recordings may be fetched for while somebody on them waits to be erased.
    #[schemars(length(min = 1, max = 255))]
    pub purpose: String,
    /// The role that may fetch them then.
    #[serde(default, deserialize_with = "or_default")]
    pub role: HoldRole,
}

impl LegalHold {
    /// What it is limited by, in the API's words.
    pub fn limits(&self) -> impl Iterator<Item = &'static str> {
        [
            ("recording", self.recording.is_some()),
            ("call", self.call.is_some()),
            ("number", self.number.is_some()),
            ("participant", self.participant.is_some()),
            ("from", self.from.is_some()),
            ("until", self.until.is_some()),
        ]
        .into_iter()
        .filter_map(|(word, is_given)| is_given.then_some(word))
    }
}

/// A role that may fetch recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HoldRole {
    /// `listener`.
    #[default]
    Listener,
    /// `recorder`, for what it uploaded.
    Recorder,
    /// `uploader`, for what it uploaded.
    Uploader,
}

impl HoldRole {
    /// Whether it is this role.
    #[must_use]
    pub fn is(self, role: crate::access::Role) -> bool {
        use crate::access::Role;
        role == match self {
            HoldRole::Listener => Role::Listener,
            HoldRole::Recorder => Role::Recorder,
            HoldRole::Uploader => Role::Uploader,
        }
    }
}
