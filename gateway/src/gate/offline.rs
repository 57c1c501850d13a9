//! What the law asks of a call, from facts alone: no ledger, no network.
//!
//! The facts are the body of `PUT /v1/calls/{call}`, with optional `events` as they would be posted
//! and `at`, the moment to decide for. Events count as logged at their own `at`. There is no
//! ledger to look into: a prompt is taken as registered with the length that was played, in the
//! default language, for every purpose and saying everything, unless `prompts` describes it (by its
//! id, as it would be put); a consent grant that is named does not count. `public_safety` says that
//! the account is a public-safety answering point.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::{Call, Event, Heard, Joined, Opened, RefusedGrant, Settings, Table, What};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::answer::Decision;
use super::ask::{EventType, Misfit, Observed, OpenCall, Participant, Places, Prompt, fit};
use super::open::covers;
use super::{Field, Lacking, Wrong, WrongEvent};
use crate::clock::{Clock, whole_millis};
use crate::locate::Locator;

/// Decides by facts that say nothing but what is in them; what has no time is taken as now.
///
/// # Errors
///
/// [`FactsError`]: the facts are not such a document, or make no sense.
pub fn decide(
    table: &Arc<Table>,
    locator: &Locator,
    clock: &Clock,
    facts: &str,
) -> Result<Decision, FactsError> {
    let mut facts: Map<String, Value> = serde_json::from_str(facts).map_err(Misfit::from)?;
    let events: Vec<Observed> = part(&mut facts, "events")?;
    let at = super::ask::moment(facts.remove("at").unwrap_or_default());
    let at = at.map_err(|error| Misfit::from(error).within("at"))?;
    let prompts: Prompts = part(&mut facts, "prompts")?;
    let public_safety: bool = part(&mut facts, "public_safety")?;
    let asked: OpenCall = fit(Value::Object(facts))?;

    let started_at = asked.started_at.unwrap_or_else(|| at.unwrap_or_else(|| clock.now()));
    let mut ids: Vec<String> = Vec::new();
    let mut participants = Vec::new();
    for (number, participant) in asked.participants.iter().enumerate() {
        ids.push(participant.id.clone());
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        participants.push(joined(locator, asked.kind, number, participant)?);
    }
    let place = |text: Option<&String>| text.map(|text| text.parse()).transpose();
    let opened = Opened {
        medium: asked.medium.map_or(policy::Medium::Unknown, Into::into),
        kind: asked.kind,
        started_at,
        recorder_locations: place(asked.recorder_location.as_ref())?.into_iter().collect(),
        operator_locations: place(asked.operator_location.as_ref())?.into_iter().collect(),
        purposes: policy::Purposes::known(asked.purposes.iter().map(String::as_str)),
        overlays: asked.overlays.clone(),
        settings: Settings { public_safety, ..Settings::default() },
        participants,
    };
    let mut call = Call::open(table, started_at, opened);
    for observed in &events {
        let received_at = observed.at.map_or(call.last(), whole_millis).max(call.last());
        call.apply(&Event {
            received_at,
            at: None,
            what: what(locator, &ids, &prompts, &asked.purposes, observed)?,
        });
    }
    let decision = call.decide(at.unwrap_or_else(|| call.last()));
    let name = |p: u32| ids.get(usize::try_from(p).unwrap_or(usize::MAX)).cloned().unwrap_or_default();
    Ok(Decision::new(table.digest(), &decision, &name))
}

/// A member that goes beside the call, and is left out or null as well.
fn part<T: Default + DeserializeOwned>(facts: &mut Map<String, Value>, name: &str) -> Result<T, Misfit> {
    let read: Result<Option<T>, Misfit> = fit(facts.remove(name).unwrap_or_default());
    read.map(Option::unwrap_or_default).map_err(|misfit| misfit.within(name))
}

/// Why facts cannot be decided by.
#[derive(Debug)]
pub enum FactsError {
    /// They are not such a document.
    Unfit(Misfit),
    /// A place is no code.
    Place(policy::CodeError),
    /// Something of a participant makes no sense.
    Participant(Wrong),
    /// An event is about somebody who is not on the call: their id.
    Absent(String),
    /// An event makes no sense.
    Event(WrongEvent),
}

impl From<Misfit> for FactsError {
    fn from(misfit: Misfit) -> Self {
        FactsError::Unfit(misfit)
    }
}

impl From<policy::CodeError> for FactsError {
    fn from(error: policy::CodeError) -> Self {
        FactsError::Place(error)
    }
}

fn joined(
    locator: &Locator,
    kind: policy::Kind,
    number: u32,
    asked: &Participant,
) -> Result<Joined, FactsError> {
    let telephone = super::number_on(kind, asked.number.as_deref());
    Ok(Joined {
        identified: asked.number.is_some() || asked.ip.is_some() || asked.location.is_some(),
        places: places(locator, asked.location.as_ref(), telephone, asked.ip.as_deref())?,
        languages: asked
            .languages
            .iter()
            .map(|tag| super::ask::language(Field::Language, tag))
            .collect::<Result<_, _>>()
            .map_err(FactsError::Participant)?,
        refused_grant: asked.consent_grant.as_ref().map(|_| RefusedGrant::Unknown),
        joined_at: asked.joined_at,
        ..Joined::new(number, asked.role)
    })
}

fn places(
    locator: &Locator,
    location: Option<&Places>,
    number: Option<&str>,
    ip: Option<&str>,
) -> Result<Vec<policy::Place>, FactsError> {
    super::locate(locator, location, number, ip).map_err(FactsError::Participant)
}

/// Prompts that the facts describe, by their ids.
type Prompts = BTreeMap<String, Prompt>;

fn what(
    locator: &Locator,
    ids: &[String],
    prompts: &Prompts,
    purposes: &[String],
    observed: &Observed,
) -> Result<What, FactsError> {
    let participants: Vec<u32> = observed
        .whom()
        .map(|id| {
            let number = ids.iter().position(|known| known == id);
            number
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| FactsError::Absent(id.to_owned()))
        })
        .collect::<Result<_, _>>()?;
    let one = participants.first().copied().unwrap_or(u32::MAX);
    let played_ms = observed.played_ms.unwrap_or(0);
    let version = observed.prompt.clone().unwrap_or_default();
    let heard = || match prompts.get(&version) {
        Some(prompt) => Heard {
            version: version.clone(),
            duration_ms: prompt.duration_ms,
            language: prompt.language.clone(),
            covers_purposes: covers(&prompt.purposes, purposes),
            says: prompt.elements(),
            purposes: policy::Purposes::known(prompt.purposes.iter().map(String::as_str)),
        },
        None => Heard {
            version: version.clone(),
            duration_ms: played_ms,
            language: Settings::default().default_language,
            covers_purposes: true,
            says: policy::Element::ALL.into_iter().collect(),
            purposes: policy::Purpose::ALL.into_iter().collect(),
        },
    };
    let lacks = |what| FactsError::Event(WrongEvent::Lacks { kind: observed.kind, what });
    Ok(match observed.kind {
        EventType::PromptStarted => What::PromptStarted { participants, prompt: heard() },
        EventType::PromptCompleted => What::PromptCompleted { participants, prompt: heard(), played_ms },
        EventType::PromptInterrupted => What::PromptInterrupted { participants },
        EventType::ConsentGiven => What::ConsentGiven {
            participants,
            method: observed.method.ok_or_else(|| lacks(Lacking::Method))?,
        },
        EventType::ConsentDeclined => What::ConsentDeclined { participants },
        EventType::ConsentWithdrawn => What::ConsentWithdrawn { participants },
        EventType::AnnouncementRecorded => What::AnnouncementRecorded { participants },
        EventType::ToneStarted => What::ToneStarted,
        EventType::ToneStopped => What::ToneStopped,
        EventType::ParticipantLocated => What::Located {
            participant: one,
            places: places(
                locator,
                observed.location.as_ref(),
                observed.number.as_deref(),
                observed.ip.as_deref(),
            )?,
            since: observed.since,
            alike: policy::Alike::default(),
        },
        EventType::ParticipantAnswered => {
            What::Answered { participant: one, by: observed.by.ok_or_else(|| lacks(Lacking::By))? }
        }
        EventType::ParticipantLeft => What::Left { participants },
        EventType::RecordingStarted => What::RecordingStarted,
        EventType::RecordingPaused => What::RecordingPaused,
        EventType::RecordingResumed => What::RecordingResumed,
        EventType::RecordingStopped => What::RecordingStopped,
        EventType::CallEnded => What::Ended,
    })
}
