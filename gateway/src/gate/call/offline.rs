//! What the law requires of a call, from facts alone: no ledger, no network.
//!
//! The facts are the body of `PUT /v1/calls/{call}`, with optional `events` in the form in which they would
//! be posted, and optional `at`, the moment to decide for. They are read, and refused, as the server would.
//! Events count as logged at their own `at`. Since there is no ledger, a prompt is taken as registered with
//! the length that was played, in the default language, for every purpose and with all required wording,
//! unless `prompts` describes it (by its id, as it would be registered); a consent grant does not count.
//! `public_safety` means that the account is a public-safety answering point, and `on_hold` is its setting for
//! people on hold. With `scope`, the body of `POST /v1/recording-scope`, the answer also says what a Kazoo platform
//! records of the call by its own settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::{Call, Event, Heard, Opened, RefusedGrant, Settings, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::gate::answer::{self, Decision, Names};
use crate::gate::ask::{Misfit, Object, Observed, OpenCall, Prompt, RecordingScope, fit, place};
use crate::gate::call::facts::{self, Scene};
use crate::gate::law::chosen::check_overlays;
use crate::gate::{CallRefusal, Field, Refused, recording_scope};
use crate::locate::Locator;
use trail::clock::{Clock, whole_millis};

/// Decides by these facts alone; a missing time counts as now.
///
/// # Errors
///
/// [`FactsError`]: the document does not have the form of facts, or makes no sense.
pub fn decide(
    table: &Arc<Table>,
    locator: &Locator,
    clock: &Clock,
    facts: &str,
) -> Result<Decided, FactsError> {
    let mut facts: Map<String, Value> = serde_json::from_str(facts).map_err(Misfit::from)?;
    let events: Vec<Observed> = part(&mut facts, "events")?;
    let at = crate::gate::ask::moment(facts.remove("at").unwrap_or_default());
    let at = at.map_err(|error| Misfit::from(error).within("at"))?;
    let prompts: BTreeMap<String, Prompt> = part(&mut facts, "prompts")?;
    let settings = Settings {
        public_safety: part(&mut facts, "public_safety")?,
        on_hold: part(&mut facts, "on_hold")?,
        ..Settings::default()
    };
    let scope: Option<Object<RecordingScope>> =
        fit(facts.remove("scope").unwrap_or_default()).map_err(|misfit| misfit.within("scope"))?;
    let scope =
        scope.map(|Object(asked)| recording_scope(&asked, None)).transpose().map_err(Refused::from)?;
    let asked: OpenCall = fit(Value::Object(facts))?;
    let started_at = asked.started_at.unwrap_or_else(|| at.unwrap_or_else(|| clock.now()));
    let mut call = open(table, locator, &asked, started_at, settings)?;
    let ids: Vec<&str> = asked.participants.iter().map(|participant| participant.id.as_str()).collect();
    let number_of = |id: &str| u32::try_from(ids.iter().position(|known| *known == id)?).ok();
    let mut sent: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for observed in &events {
        let now = observed.at.map_or(call.last(), whole_millis).max(call.last());
        let heard = match facts::prompt_of(observed)? {
            Some(id) => Some(heard(prompts.get(id), id, observed, &asked.purposes)?),
            None => None,
        };
        if let Some(id) = &observed.id {
            let digest = facts::digest(observed);
            match sent.insert(id, digest.clone()) {
                Some(earlier) if earlier == digest => continue,
                Some(_) => return Err(Refused::from(CallRefusal::EventIdReused { id: id.clone() }).into()),
                None => {}
            }
        }
        let what = Scene { locator, call: &call, number_of: &number_of, now }.what(observed, heard)?;
        call.apply(&Event { received_at: now, at: None, what });
    }
    let decision = call.decide(at.unwrap_or_else(|| call.last()));
    let people = (0..).zip(ids.iter().map(ToString::to_string)).collect();
    let decision = Decision::new(table.digest(), &decision, &Names { people, ..Names::default() });
    Ok(Decided { decision, scope })
}

fn open(
    table: &Arc<Table>,
    locator: &Locator,
    asked: &OpenCall,
    started_at: jiff::Timestamp,
    settings: Settings,
) -> Result<Call, Refused> {
    facts::check_open(asked)?;
    check_overlays(table, &asked.overlays)?;
    let place = |field, text: &Option<String>| place(field, text.as_deref());
    let mut participants = Vec::with_capacity(asked.participants.len());
    for (number, participant) in (0..).zip(&asked.participants) {
        facts::listed_places(participant)?;
        let mut joined = facts::joined(locator, asked.kind, number, participant)?;
        joined.refused_grant = participant.consent_grant.as_ref().map(|_| RefusedGrant::Unknown);
        participants.push(joined);
    }
    let opened = Opened {
        medium: asked.medium.map_or(policy::Medium::Unknown, Into::into),
        kind: asked.kind,
        started_at,
        recorder_locations: place(Field::RecorderLocation, &asked.recorder_location)?.into_iter().collect(),
        operator_locations: place(Field::OperatorLocation, &asked.operator_location)?.into_iter().collect(),
        purposes: policy::Purposes::of(asked.purposes.iter().map(String::as_str)),
        overlays: asked.overlays.clone(),
        readings: Vec::new(),
        settings,
        participants,
    };
    Ok(Call::open(table, started_at, opened))
}

/// A prompt as the facts describe it; a prompt that they do not describe says everything that is required.
fn heard(
    described: Option<&Prompt>,
    id: &str,
    observed: &Observed,
    purposes: &[String],
) -> Result<Heard, Refused> {
    match described {
        Some(prompt) => Ok(facts::heard(id.to_owned(), prompt, purposes)?),
        None => Ok(Heard {
            version: id.to_owned(),
            duration_ms: observed.played_ms.unwrap_or(0),
            language: Settings::default().default_language,
            covers_purposes: true,
            says: policy::Element::ALL.into_iter().collect(),
            purposes: policy::Purpose::ALL.into_iter().collect(),
        }),
    }
}

/// An optional member besides those of the call; it may be null.
fn part<T: Default + DeserializeOwned>(facts: &mut Map<String, Value>, name: &str) -> Result<T, Misfit> {
    let read: Result<Option<T>, Misfit> = fit(facts.remove(name).unwrap_or_default());
    read.map(Option::unwrap_or_default).map_err(|misfit| misfit.within(name))
}

/// What was decided by facts alone.
#[derive(Debug, Serialize)]
pub struct Decided {
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
    /// What a platform records by its own settings, if the facts ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<answer::RecordingScope>,
}

/// Why facts cannot be decided on.
#[derive(Debug)]
pub enum FactsError {
    /// The document does not have the form of facts.
    Unfit(Misfit),
    /// The server would refuse them.
    Refused(Refused),
}

impl From<Misfit> for FactsError {
    fn from(misfit: Misfit) -> Self {
        FactsError::Unfit(misfit)
    }
}

impl From<Refused> for FactsError {
    fn from(why: Refused) -> Self {
        FactsError::Refused(why)
    }
}
