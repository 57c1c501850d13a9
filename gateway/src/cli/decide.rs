//! `decide`: what the law asks of a call, offline.
//!
//! The facts are the body of `PUT /v1/calls/{call}`, with optional `events` as they would be posted
//! and `at`, the moment to decide for. Events count as logged at their own `at`. There is no
//! ledger to look into: a prompt is taken as registered with the length that was played, in the
//! default language and for every purpose; a consent grant that is named does not count.

use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use policy::{Call, Event, Heard, Joined, Opened, RefusedGrant, Settings, What};
use serde_json::{Map, Value};

use super::{CliError, out};
use crate::clock::{Clock, whole_millis};
use crate::config::Config;
use crate::gate::answer;
use crate::gate::ask::{EventType, Observed, OpenCall, Participant, Places};
use crate::locate::Locator;
use crate::serve;

pub(super) fn run(config: &Config, path: &Path) -> Result<(), CliError> {
    let (table, _) = serve::table(config)?;
    let locator = Locator::new(config.ip_database.as_deref()).map_err(serve::ServeError::from)?;
    let text = read(path)?;
    let wrong =
        |error: serde_json::Error| CliError::Wrong(format!("`{}` does not fit: {error}", path.display()));
    let mut facts: Map<String, Value> = serde_json::from_str(&text).map_err(wrong)?;
    let events: Vec<Observed> =
        facts.remove("events").map_or(Ok(Vec::new()), serde_json::from_value).map_err(wrong)?;
    let at: Option<Timestamp> = facts.remove("at").map(serde_json::from_value).transpose().map_err(wrong)?;
    let asked: OpenCall = serde_json::from_value(Value::Object(facts)).map_err(wrong)?;

    let started_at = asked.started_at.unwrap_or_else(|| at.unwrap_or_else(|| Clock::system().now()));
    let mut ids: Vec<String> = Vec::new();
    let mut participants = Vec::new();
    for (number, participant) in asked.participants.iter().enumerate() {
        ids.push(participant.id.clone());
        participants.push(joined(&locator, u32::try_from(number).unwrap_or(u32::MAX), participant)?);
    }
    let place = |text: Option<&String>| text.map(|text| text.parse()).transpose();
    let wrong_place = |error: policy::CodeError| CliError::Wrong(error.to_string());
    let opened = Opened {
        medium: asked.medium.map_or(policy::Medium::Unknown, Into::into),
        kind: asked.kind,
        started_at,
        recorder_location: place(asked.recorder_location.as_ref()).map_err(wrong_place)?,
        operator_location: place(asked.operator_location.as_ref()).map_err(wrong_place)?,
        settings: Settings::default(),
        participants,
    };
    let mut call = Call::open(&table, started_at, opened);
    for observed in &events {
        let received_at = observed.at.map_or(call.last(), whole_millis).max(call.last());
        call.apply(&Event { received_at, at: None, what: what(&locator, &ids, observed)? });
    }
    let decision = call.decide(at.unwrap_or_else(|| call.last()));
    let name = |p: u32| ids.get(usize::try_from(p).unwrap_or(usize::MAX)).cloned().unwrap_or_default();
    out::json(&answer::decision(table.digest(), &decision, &name));
    Ok(())
}

fn read(path: &Path) -> Result<String, CliError> {
    let io = |source| CliError::Io { what: format!("`{}` cannot be read", path.display()), source };
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(io)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(io)
}

fn joined(locator: &Locator, number: u32, asked: &Participant) -> Result<Joined, CliError> {
    Ok(Joined {
        identified: asked.number.is_some() || asked.ip.is_some() || asked.location.is_some(),
        places: places(locator, asked.location.as_ref(), asked.number.as_deref(), asked.ip.as_deref())?,
        languages: asked.languages.clone(),
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
) -> Result<Vec<policy::Place>, CliError> {
    crate::gate::locate(locator, location, number, ip).map_err(CliError::from)
}

fn what(locator: &Locator, ids: &[String], observed: &Observed) -> Result<What, CliError> {
    let named = observed.participant.iter().chain(&observed.participants);
    let participants: Vec<u32> = named
        .map(|id| {
            let number = ids.iter().position(|known| known == id);
            number
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| CliError::Wrong(format!("`{id}` is not on the call")))
        })
        .collect::<Result<_, _>>()?;
    let one = participants.first().copied().unwrap_or(u32::MAX);
    let played_ms = observed.played_ms.unwrap_or(0);
    let heard = || Heard {
        version: observed.prompt.clone().unwrap_or_default(),
        duration_ms: played_ms,
        language: Settings::default().default_language,
        covers_purposes: true,
    };
    let lacks = |field: &str| CliError::Wrong(format!("an event lacks `{field}`"));
    Ok(match observed.kind {
        EventType::PromptStarted => What::PromptStarted { participants, prompt: heard() },
        EventType::PromptCompleted => What::PromptCompleted { participants, prompt: heard(), played_ms },
        EventType::PromptInterrupted => What::PromptInterrupted { participants },
        EventType::ConsentGiven => {
            What::ConsentGiven { participants, method: observed.method.ok_or_else(|| lacks("method"))? }
        }
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
        },
        EventType::ParticipantAnswered => {
            What::Answered { participant: one, by: observed.by.ok_or_else(|| lacks("by"))? }
        }
        EventType::ParticipantLeft => What::Left { participants },
        EventType::RecordingStarted => What::RecordingStarted,
        EventType::RecordingPaused => What::RecordingPaused,
        EventType::RecordingResumed => What::RecordingResumed,
        EventType::RecordingStopped => What::RecordingStopped,
        EventType::CallEnded => What::Ended,
    })
}
