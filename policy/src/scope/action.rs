//! What a callflow or a metaflow records by itself, beside the settings.
//!
//! Their data may hold members of other purposes, as Kazoo's schemas allow; what is read of them is checked.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::document::{Format, Method, Target, TimeLimit};
use super::{Leg, Reason, Ruling, Settings, TIME_LIMIT};

/// The data of a callflow's `record_call`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooRecordCall"))]
pub struct RecordCall {
    /// Whether it starts or stops; required.
    pub action: Start,
    /// The file's format.
    #[serde(default)]
    pub format: Option<Format>,
    /// The file's name. Without an extension, Kazoo sends it nowhere.
    #[serde(default)]
    pub media_name: Option<String>,
    /// How the file is sent; by default `put`.
    #[serde(default)]
    pub method: Option<Method>,
    /// How many seconds a recording must have in order to be kept.
    #[serde(default)]
    pub record_min_sec: Option<i64>,
    /// To start when the call is answered; by default, at once.
    #[serde(default)]
    pub record_on_answer: Option<bool>,
    /// To start when the call is bridged.
    #[serde(default)]
    pub record_on_bridge: Option<bool>,
    /// Samples per second.
    #[serde(default)]
    pub record_sample_rate: Option<i64>,
    /// To go on after a transfer; by default, it does.
    #[serde(default)]
    pub should_follow_transfer: Option<bool>,
    /// To pass over the action.
    #[serde(default)]
    pub skip_module: Option<bool>,
    /// The longest time, in seconds; by default 3600.
    #[serde(default)]
    pub time_limit: Option<TimeLimit>,
    /// Where the file is sent.
    #[serde(default)]
    pub url: Option<Target>,
}

/// The data of a callflow's `record_caller`, for messages and prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooRecordCaller"))]
pub struct RecordCaller {
    /// The file's format.
    #[serde(default)]
    pub format: Option<Format>,
    /// How the file is sent; by default `put`.
    #[serde(default)]
    pub method: Option<Method>,
    /// To pass over the action.
    #[serde(default)]
    pub skip_module: Option<bool>,
    /// The longest time, in seconds; by default 3600.
    #[serde(default)]
    pub time_limit: Option<TimeLimit>,
    /// Where the file is sent.
    #[serde(default)]
    pub url: Option<Target>,
}

/// The data of a metaflow's `record_call`, which somebody on the call starts with a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooMetaflowRecordCall"))]
pub struct ByKey {
    /// What it does; by default `toggle`, which starts.
    #[serde(default, deserialize_with = "or_toggle")]
    pub action: Switch,
    /// The file's format.
    #[serde(default)]
    pub format: Option<Format>,
    /// The file's name. Without an extension, Kazoo sends it nowhere.
    #[serde(default)]
    pub media_name: Option<String>,
    /// How the file is sent; by default `put`.
    #[serde(default)]
    pub method: Option<Method>,
    /// The longest time, in seconds; by default 10,800.
    #[serde(default)]
    pub time_limit: Option<TimeLimit>,
    /// Where the file is sent.
    #[serde(default)]
    pub url: Option<Target>,
}

/// What a callflow's `record_call` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooRecordCallAction"))]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// It starts recording.
    Start,
    /// It stops.
    Stop,
}

/// What a metaflow's `record_call` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooMetaflowAction"))]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It fills what is recorded with silence.
    Mask,
    /// It no longer does.
    Unmask,
    /// It starts recording.
    Start,
    /// It stops.
    Stop,
    /// As Kazoo is written, it starts recording.
    #[default]
    Toggle,
}

fn or_toggle<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Switch, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What an action does, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained by its sentence")]
pub enum Word {
    Starts,
    StartsUnnamed,
    Stops,
    Toggles,
    Masks,
    Unmasks,
    Skipped,
    RecordsCaller,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Word::Starts => "the action starts a recording",
            Word::StartsUnnamed => {
                "the action starts a recording, but its `media_name` has no extension: Kazoo then sends the file nowhere"
            }
            Word::Stops => "the action stops the recording",
            Word::Toggles => "Kazoo takes `toggle`, which is also the default, as `start`: the action starts a recording",
            Word::Masks => "the action starts nothing: what is being recorded is silent from now on",
            Word::Unmasks => "the action starts nothing: what is being recorded is no longer silent",
            Word::Skipped => "`skip_module` is true: the callflow passes over the action",
            Word::RecordsCaller => "the action records the caller, not a call",
        })
    }
}

impl RecordCall {
    /// What follows from it.
    #[must_use]
    pub fn ruling(&self) -> Ruling {
        let (record, word) = match self.action {
            _ if self.skip_module == Some(true) => (false, Word::Skipped),
            Start::Start => (true, starts(self.media_name.as_deref())),
            Start::Stop => (false, Word::Stops),
        };
        let on_answer = self.record_on_answer == Some(true);
        let settings = Settings {
            record_min_sec: self.record_min_sec.unwrap_or(0),
            record_on_answer: on_answer,
            record_on_bridge: !on_answer && self.record_on_bridge == Some(true),
            record_sample_rate: self.record_sample_rate,
            should_follow_transfer: self.should_follow_transfer.unwrap_or(true),
            ..settings((self.format, self.method), (self.time_limit, ACTION_TIME_LIMIT), self.url.as_ref())
        };
        ruling(record, word, settings)
    }
}

impl RecordCaller {
    /// What follows from it.
    #[must_use]
    pub fn ruling(&self) -> Ruling {
        let word = if self.skip_module == Some(true) { Word::Skipped } else { Word::RecordsCaller };
        let how = (self.format, self.method);
        let settings = settings(how, (self.time_limit, ACTION_TIME_LIMIT), self.url.as_ref());
        ruling(word == Word::RecordsCaller, word, settings)
    }
}

impl ByKey {
    /// What follows from it.
    #[must_use]
    pub fn ruling(&self) -> Ruling {
        let (record, word) = match (self.action, starts(self.media_name.as_deref())) {
            (Switch::Start, word) | (Switch::Toggle, word @ Word::StartsUnnamed) => (true, word),
            (Switch::Toggle, _) => (true, Word::Toggles),
            (Switch::Stop, _) => (false, Word::Stops),
            (Switch::Mask, _) => (false, Word::Masks),
            (Switch::Unmask, _) => (false, Word::Unmasks),
        };
        let how = (self.format, self.method);
        let settings = settings(how, (self.time_limit, TIME_LIMIT), self.url.as_ref());
        ruling(record, word, Settings { should_follow_transfer: true, ..settings })
    }
}

fn starts(media_name: Option<&str>) -> Word {
    let has_extension =
        |name: &str| name.rsplit_once('.').is_some_and(|(_, extension)| !extension.is_empty());
    if media_name.is_none_or(has_extension) { Word::Starts } else { Word::StartsUnnamed }
}

fn settings(
    (format, method): (Option<Format>, Option<Method>),
    (limit, otherwise): (Option<TimeLimit>, i64),
    url: Option<&Target>,
) -> Settings {
    let unset = Settings::unset();
    Settings {
        format: format.unwrap_or(unset.format),
        method: method.unwrap_or_default(),
        time_limit: limit.map_or(otherwise, TimeLimit::seconds),
        url: url.cloned(),
        ..unset
    }
}

fn ruling(record: bool, word: Word, settings: Settings) -> Ruling {
    let settings = Settings { enabled: record, ..settings };
    Ruling { record, leg: Leg::A, because: Reason::Action(word), settings }
}

/// The longest time that a callflow's action records by default, in seconds.
const ACTION_TIME_LIMIT: i64 = 3600;
