//! The conditions of an auditor's question, and what their words stand for.

use jiff::Timestamp;
use policy::Code;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::gate::ask::check_name;
use crate::gate::{Field, Wrong};
use trail::{UnknownWord, types_of};

/// A question as it was asked. All given conditions apply.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Filters {
    /// The platform's id of a call, or an alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The platform's id of somebody on the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// The phone number of somebody on the call, E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Where somebody on the call was: an ISO 3166 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The rule that applied: the code of a row, or the id of an overlay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The prompt that was played: its id, `id@version`, or the gateway's id of a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Outcomes, words of [`OUTCOMES`](trail::OUTCOMES), separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Types of entries, separated by commas.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The id of a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// The credential that fetched, or tried to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The first moment of logging.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first moment after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Filters {
    /// Reads the question.
    pub(super) fn narrowed(self) -> Result<Narrowed, Wrong> {
        let names = [
            (Field::AskedCall, &self.call),
            (Field::AskedParticipant, &self.participant),
            (Field::AskedRule, &self.rule),
            (Field::AskedPrompt, &self.prompt),
            (Field::AskedListener, &self.listener),
        ];
        for (field, name) in names {
            name.iter().try_for_each(|name| check_name(field, name))?;
        }
        let number = self.number.as_deref().map(e164).transpose()?;
        let place = self.place.as_deref().map(code).transpose()?;
        let recording = self.recording.as_deref().map(uuid).transpose()?;
        let types = types_of(self.outcome.as_deref(), self.kind.as_deref()).map_err(|word| match word {
            UnknownWord::Outcome(word) => Wrong::NoOutcome { word: short(word) },
            UnknownWord::Type(word) => Wrong::NoType { word: short(word) },
        })?;
        let filters = Filters {
            number,
            place: place.map(|code| code.to_string()),
            recording: recording.map(|id| id.to_string()),
            ..self
        };
        Ok(Narrowed { filters, types })
    }
}

/// A question that makes sense.
#[derive(Debug)]
pub(super) struct Narrowed {
    /// The conditions, with numbers, codes and ids in canonical form.
    pub(super) filters: Filters,
    /// The types of entries; `None` means any.
    pub(super) types: Option<Vec<&'static str>>,
}

impl Narrowed {
    /// The names of the given conditions.
    pub(super) fn names(&self) -> Vec<String> {
        match serde_json::to_value(&self.filters) {
            Ok(Value::Object(members)) => members.into_iter().map(|(name, _)| name).collect(),
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    /// The conditions without the number; the leaf holds its pseudonym, if there is one.
    pub(super) fn detail(&self) -> Option<Value> {
        let shown = Filters { number: None, ..self.filters.clone() };
        serde_json::to_value(shown).ok().filter(|shown| shown.as_object().is_some_and(|all| !all.is_empty()))
    }

    /// The keys under which entries mention each condition; an entry matches if it has one of each.
    pub(super) fn keys(&self) -> Vec<Vec<String>> {
        let place = self.filters.place.iter().map(|code| vec![format!("place:{code}")]);
        let rule = self.filters.rule.iter().map(|rule| {
            // An overlay may have the name of a place.
            let code = rule.parse::<Code>().map(|code| format!("rule:{code}"));
            let mut keys: Vec<String> = code.into_iter().chain([format!("rule:{rule}")]).collect();
            keys.dedup();
            keys
        });
        let recording = self.filters.recording.iter().map(|id| vec![format!("recording:{id}")]);
        let listener = self.filters.listener.iter().map(|who| vec![format!("listener:{who}")]);
        place.chain(rule).chain(recording).chain(listener).collect()
    }
}

fn e164(text: &str) -> Result<String, Wrong> {
    // In a query, a plus that is not encoded stands for a space.
    let plus = text.strip_prefix(' ').map(|rest| format!("+{rest}"));
    crate::locate::e164(plus.as_deref().unwrap_or(text))
        .map_err(|error| Wrong::NoNumber { error, is_optional: false })
}

fn code(text: &str) -> Result<Code, Wrong> {
    let wrong = |error| Wrong::NoCode { field: Some(Field::AskedPlace), error, meant: Vec::new() };
    text.parse().map_err(wrong)
}

fn uuid(text: &str) -> Result<Uuid, Wrong> {
    text.parse().map_err(|_| Wrong::NoRecordingId)
}

fn short(word: &str) -> String {
    word.chars().take(40).collect()
}
