//! Answers about a Kazoo platform's own recording settings.

use policy::scope::document::{AccountDocument, DeviceDocument, UserDocument};
use policy::scope::{Leg, Line, Ruling, Scope, Settings};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

use trail::OnUnasked;
use trail::clock::Moment;

/// What a platform records of a call by its own settings. It says nothing of consent.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RecordingScope {
    /// By the account's own settings.
    pub account: RecordingRuling,
    /// By those of the caller's endpoint.
    pub source: RecordingRuling,
    /// By those of the callee's endpoint.
    pub destination: RecordingRuling,
    /// By the callflow's `record_call`, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_call: Option<RecordingRuling>,
    /// By the callflow's `record_caller`, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_caller: Option<RecordingRuling>,
    /// By the metaflow's `record_call`, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metaflow: Option<RecordingRuling>,
}

impl From<Scope> for RecordingScope {
    fn from(scope: Scope) -> Self {
        RecordingScope {
            account: scope.account.into(),
            source: scope.source.into(),
            destination: scope.destination.into(),
            record_call: None,
            record_caller: None,
            metaflow: None,
        }
    }
}

/// Whether something is recorded, and how.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RecordingRuling {
    /// Whether a recording is started.
    pub record: bool,
    /// Which leg: `a` is the caller's, `b` the callee's from when they answer.
    pub leg: Leg,
    /// Why, in words.
    pub because: String,
    /// How, with the platform's defaults. Where nothing is recorded, those of the first cell that was asked.
    pub settings: Settings,
}

impl From<Ruling> for RecordingRuling {
    fn from(ruling: Ruling) -> Self {
        let Ruling { record, leg, because, settings } = ruling;
        RecordingRuling { record, leg, because: because.to_string(), settings }
    }
}

/// A platform's documents, as far as they say which calls are recorded.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "KeptRecordingSettings")]
pub struct RecordingSettings {
    /// Which Kazoo they are for.
    pub line: Line,
    /// The account's document.
    #[schemars(with = "Document")]
    pub account: AccountDocument,
    /// The users' documents, by their ids.
    #[schemars(with = "BTreeMap<String, Document>")]
    pub users: BTreeMap<String, UserDocument>,
    /// The devices' documents, by their ids.
    #[schemars(with = "BTreeMap<String, Document>")]
    pub devices: BTreeMap<String, DeviceDocument>,
    /// What becomes of a recording that Kazoo sends and that they do not ask for.
    pub unasked: OnUnasked,
    /// When they were set.
    pub set_at: Moment,
}

/// A document as it was sent: what it may hold is described where it is sent.
type Document = serde_json::Map<String, serde_json::Value>;
