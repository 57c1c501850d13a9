//! Translates the platform's words into the facts that the policy decides by. The server and `decide` both
//! read calls, participants and events here, and nowhere else.
//!
//! Nothing here looks into the ledger. Whatever is stored there, such as a registered prompt, is passed in.

use std::collections::BTreeSet;

use jiff::Timestamp;
use policy::told::Named;
use policy::{Call, Heard, Joined, Purposes, What};
use sha2::{Digest as _, Sha256};

use crate::gate::ask::{
    self, EventType, MAX_PARTICIPANTS, Observed, OpenCall, Participant, Places, check_name, check_sha256,
};
use crate::gate::{CallRefusal, Field, Lacking, Refused, Wrong, WrongEvent};
use crate::locate::{Locator, PlaceError};
use trail::clock::whole_millis;

// ---- a call, and who is on it ----

/// Checks the data of a call that is opened.
pub(in crate::gate) fn check_open(asked: &OpenCall) -> Result<(), Wrong> {
    if asked.participants.len() > MAX_PARTICIPANTS {
        return Err(Wrong::TooManyParticipants);
    }
    let mut ids = BTreeSet::new();
    for participant in &asked.participants {
        check_participant(participant)?;
        if !ids.insert(&participant.id) {
            return Err(Wrong::Duplicate { participant: participant.id.clone() });
        }
        if let (Some(joined), Some(started)) = (participant.joined_at, asked.started_at)
            && joined < started
        {
            return Err(Wrong::JoinedBeforeStart { participant: participant.id.clone() });
        }
    }
    for purpose in &asked.purposes {
        check_name(Field::Purpose, purpose)?;
    }
    if asked.aliases.len() > MAX_ALIASES {
        return Err(Wrong::TooManyAliases);
    }
    asked.aliases.iter().try_for_each(|alias| check_name(Field::Alias, alias))
}

/// Checks the data of somebody who joins.
pub(in crate::gate) fn check_participant(asked: &Participant) -> Result<(), Wrong> {
    check_name(Field::ParticipantId, &asked.id)?;
    if asked.id == ask::OTHERS {
        return Err(Wrong::ReservedId);
    }
    if asked.languages.len() > MAX_LANGUAGES {
        return Err(Wrong::TooManyLanguages);
    }
    asked.languages.iter().try_for_each(|tag| ask::language(Field::Language, tag).map(drop))?;
    check_places(asked.location.as_ref())?;
    asked.consent_grant.iter().try_for_each(|grant| check_name(Field::NamedGrant, grant))
}

fn check_places(declared: Option<&Places>) -> Result<(), Wrong> {
    if declared.is_some_and(|places| places.as_slice().len() > MAX_PLACES) {
        return Err(Wrong::TooManyPlaces);
    }
    Ok(())
}

/// Refuses places that ISO 3166 does not list, on a call that is about to be opened. Once it is open, such a
/// place counts, as the strictest: what tightens is not thrown away for its spelling.
pub(in crate::gate) fn listed_places(asked: &Participant) -> Result<(), Wrong> {
    let declared = asked.location.as_ref().map(Places::as_slice).unwrap_or_default();
    let codes = declared.iter().filter_map(|text| text.parse().ok());
    codes.into_iter().try_for_each(|code| ask::listed(Field::Location, code).map(|_| ()))
}

/// A participant of a call of this kind, without the grant that they may name.
pub(in crate::gate) fn joined(
    locator: &Locator,
    kind: policy::Kind,
    number: u32,
    asked: &Participant,
) -> Result<Joined, Wrong> {
    let telephone = number_on(kind, asked.number.as_deref());
    let languages = asked.languages.iter().map(|tag| ask::language(Field::Language, tag));
    Ok(Joined {
        identified: asked.number.is_some() || asked.ip.is_some() || asked.location.is_some(),
        places: locate(locator, asked.location.as_ref(), telephone, asked.ip.as_deref())?,
        languages: languages.collect::<Result<_, _>>()?,
        joined_at: asked.joined_at,
        ..Joined::new(number, asked.role)
    })
}

/// Every place that a declaration, a number and an address point to.
pub(in crate::gate) fn locate(
    locator: &Locator,
    declared: Option<&Places>,
    number: Option<&str>,
    ip: Option<&str>,
) -> Result<Vec<policy::Place>, Wrong> {
    let mut sightings = Vec::new();
    for text in declared.map(Places::as_slice).unwrap_or_default() {
        sightings.push(crate::locate::declared(text).map_err(|error| {
            // Text that may be an address is not repeated, and neither are similar codes; the name of a place
            // is safe.
            let known = matches!(error, PlaceError::Code(_)) || !policy::atlas::named(text).is_empty();
            let meant = if known { policy::atlas::nearest(text) } else { Vec::new() };
            Wrong::NoPlace { error, meant }
        })?);
    }
    if let Some(ip) = ip {
        let ip = ip.parse().map_err(|_| Wrong::NoAddress)?;
        sightings.extend(locator.address(ip));
    }
    if let Some(number) = number {
        let number =
            crate::locate::e164(number).map_err(|error| Wrong::NoNumber { error, is_optional: true })?;
        sightings.extend(locator.number(&number));
    }
    let mut places: Vec<policy::Place> = Vec::new();
    for sighting in sightings {
        let evidence = match sighting.source {
            crate::locate::Source::Declared => policy::Evidence::Declared,
            crate::locate::Source::Ip => policy::Evidence::Ip,
            crate::locate::Source::Number => policy::Evidence::Number,
        };
        // If a source names something that is not a code, the place stays unknown, which is strict.
        if let Ok(code) = sighting.code.parse() {
            places.push(policy::Place::new(code, evidence));
        }
    }
    places.dedup();
    Ok(places)
}

/// The number that locates somebody on a call of this kind. On an emergency call, a number that is not
/// international is left out: a short code was dialled, and the call has to be opened all the same. Unknown
/// stays strict.
pub(in crate::gate) fn number_on(kind: policy::Kind, number: Option<&str>) -> Option<&str> {
    match kind {
        policy::Kind::Emergency => number.filter(|number| crate::locate::e164(number).is_ok()),
        policy::Kind::Conversation | policy::Kind::Voicemail => number,
    }
}

/// Checks a claimed time against the clock: not in the future, not in the far past.
pub(in crate::gate) fn check_time(field: Field, at: Timestamp, now: Timestamp) -> Result<(), Wrong> {
    let offset_ms = at.as_millisecond().saturating_sub(now.as_millisecond());
    if offset_ms > AHEAD_MS {
        return Err(Wrong::Future { field, seconds: offset_ms / 1000 });
    }
    if offset_ms < -PAST_MS {
        return Err(Wrong::Past(field));
    }
    Ok(())
}

// ---- an event ----

/// What is needed from a call to understand an event on it.
pub(in crate::gate) struct Scene<'a> {
    /// Finds places.
    pub(in crate::gate) locator: &'a Locator,
    /// The call so far.
    pub(in crate::gate) call: &'a Call,
    /// The number of the participant with this id, if they were ever on the call.
    pub(in crate::gate) number_of: &'a dyn Fn(&str) -> Option<u32>,
    /// The moment at which the event is received.
    pub(in crate::gate) now: Timestamp,
}

impl Scene<'_> {
    /// The fact that an event states, if it makes sense and can still be accepted. `heard` is the prompt that
    /// [`prompt_of`] names.
    pub(in crate::gate) fn what(&self, observed: &Observed, heard: Option<Heard>) -> Result<What, Refused> {
        if self.call.ended_at().is_some() && !observed.weight().tightens() {
            self.late_announcement(observed)?;
        }
        let lacks = |what| WrongEvent::Lacks { kind: observed.kind, what };
        let prompt = || heard.ok_or_else(|| lacks(Lacking::Prompt));
        let some = || self.participants(observed);
        let one = || match some()?.as_slice() {
            [one] => Ok(*one),
            _ => Err(Refused::from(WrongEvent::NotOne(observed.kind))),
        };
        Ok(match observed.kind {
            EventType::PromptStarted => What::PromptStarted { participants: some()?, prompt: prompt()? },
            EventType::PromptCompleted => {
                let played_ms = observed.played_ms.ok_or_else(|| lacks(Lacking::PlayedMs))?;
                What::PromptCompleted { participants: some()?, prompt: prompt()?, played_ms }
            }
            EventType::PromptInterrupted => What::PromptInterrupted { participants: some()? },
            EventType::ConsentGiven => {
                let method = observed.method.ok_or_else(|| lacks(Lacking::Method))?;
                What::ConsentGiven { participants: some()?, method }
            }
            EventType::ConsentDeclined => What::ConsentDeclined { participants: some()? },
            EventType::ConsentWithdrawn => What::ConsentWithdrawn { participants: some()? },
            EventType::AnnouncementRecorded => What::AnnouncementRecorded { participants: some()? },
            EventType::ToneStarted => What::ToneStarted,
            EventType::ToneStopped => What::ToneStopped,
            EventType::ParticipantLocated => {
                check_places(observed.location.as_ref())?;
                let number = number_on(self.call.kind(), observed.number.as_deref());
                let places =
                    locate(self.locator, observed.location.as_ref(), number, observed.ip.as_deref())?;
                let since = observed.since.map(whole_millis);
                What::Located { participant: one()?, places, since, alike: policy::Alike::default() }
            }
            EventType::ParticipantAnswered => {
                let by = observed.by.ok_or_else(|| lacks(Lacking::By))?;
                What::Answered { participant: one()?, by }
            }
            EventType::ParticipantLeft => What::Left { participants: some()? },
            EventType::ParticipantHeld => {
                What::Held { participants: some()?, only_tightens: observed.only_tightens }
            }
            EventType::ParticipantRetrieved => {
                What::Retrieved { participants: some()?, only_tightens: observed.only_tightens }
            }
            EventType::ParticipantMinor => What::Minor { participants: some()? },
            EventType::CallEmergency => What::Emergency,
            EventType::RecordingStarted => What::RecordingStarted,
            EventType::RecordingPaused => What::RecordingPaused,
            EventType::RecordingResumed => What::RecordingResumed,
            EventType::RecordingStopped => What::RecordingStopped,
            EventType::CallEnded => What::Ended,
        })
    }

    /// The participants that an event names, all of whom must have been on the call.
    fn participants(&self, observed: &Observed) -> Result<Vec<u32>, Refused> {
        let mut numbers = Vec::new();
        for id in observed.whom() {
            let number =
                (self.number_of)(id).ok_or_else(|| CallRefusal::UnknownParticipant { id: id.into() })?;
            if !self.call.is_present(number) && !observed.weight().tightens() {
                return Err(CallRefusal::ParticipantLeft { id: id.into() }.into());
            }
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        if numbers.is_empty() {
            return Err(WrongEvent::Lacks { kind: observed.kind, what: Lacking::Participant }.into());
        }
        Ok(numbers)
    }

    /// Refuses late events: after the call's end, only events that tighten are accepted, and the announcement
    /// in the recording for as long as it would have been accepted during the call. Otherwise a platform that
    /// ends a call within seconds could never report it.
    fn late_announcement(&self, observed: &Observed) -> Result<(), Refused> {
        let due = observed.kind == EventType::AnnouncementRecorded && self.call.may_be_announced(self.now);
        match (due, observed.at) {
            (true, Some(_)) => Ok(()),
            (true, None) => Err(WrongEvent::AnnouncedWhen.into()),
            (false, _) => Err(CallRefusal::Ended.into()),
        }
    }
}

/// The id of the registered prompt that is needed to understand an event, if its type has one. Refuses an
/// event with members that mean nothing to its type.
pub(in crate::gate) fn prompt_of(observed: &Observed) -> Result<Option<&str>, Refused> {
    only_its_fields(observed)?;
    observed.id.iter().try_for_each(|id| check_name(Field::EventId, id))?;
    check_sha256(
        Field::EvidenceHash,
        observed.evidence.as_ref().and_then(|evidence| evidence.sha256.as_deref()),
    )?;
    let plays = matches!(observed.kind, EventType::PromptStarted | EventType::PromptCompleted);
    match observed.prompt.as_deref().filter(|_| plays) {
        None if plays => Err(WrongEvent::Lacks { kind: observed.kind, what: Lacking::Prompt }.into()),
        needed => Ok(needed),
    }
}

/// What somebody hears in a registered prompt, on a call for these purposes.
pub(in crate::gate) fn heard(
    version: String,
    prompt: &ask::Prompt,
    purposes: &[String],
) -> Result<Heard, Wrong> {
    Ok(Heard {
        version,
        duration_ms: prompt.duration_ms,
        language: ask::language(Field::RegisteredLanguage, &prompt.language)?,
        covers_purposes: Named::by(&prompt.purposes).covers(purposes),
        says: prompt.elements(),
        purposes: Purposes::of(prompt.purposes.iter().map(String::as_str)),
    })
}

/// The digest that distinguishes a repeated event from another one under its id.
pub(in crate::gate) fn digest(observed: &Observed) -> Vec<u8> {
    Sha256::digest(serde_json::to_vec(observed).unwrap_or_default()).to_vec()
}

/// Refuses members that mean nothing to this type of event, so that no claim is silently dropped.
fn only_its_fields(observed: &Observed) -> Result<(), WrongEvent> {
    use EventType as T;
    let kind = observed.kind;
    let prompt = matches!(kind, T::PromptStarted | T::PromptCompleted | T::PromptInterrupted);
    let consent = matches!(kind, T::ConsentGiven | T::ConsentDeclined | T::ConsentWithdrawn);
    let located = kind == T::ParticipantLocated;
    let whole_call = matches!(
        kind,
        T::ToneStarted
            | T::ToneStopped
            | T::RecordingStarted
            | T::RecordingPaused
            | T::RecordingResumed
            | T::RecordingStopped
            | T::CallEmergency
            | T::CallEnded
    );
    let misplaced = [
        (Field::Prompt, observed.prompt.is_some() && !prompt && !consent && kind != T::AnnouncementRecorded),
        (Field::PlayedMs, observed.played_ms.is_some() && !prompt && kind != T::AnnouncementRecorded),
        (Field::Method, observed.method.is_some() && !consent),
        (Field::Location, observed.location.is_some() && !located),
        (Field::Number, observed.number.is_some() && !located),
        (Field::Ip, observed.ip.is_some() && !located),
        (Field::Since, observed.since.is_some() && !located),
        (Field::By, observed.by.is_some() && kind != T::ParticipantAnswered),
        (
            Field::Participant,
            whole_call
                && kind != T::ToneStarted
                && kind != T::ToneStopped
                && observed.whom().next().is_some(),
        ),
    ];
    match misplaced.into_iter().find(|(_, wrong)| *wrong) {
        Some((field, _)) => Err(WrongEvent::Misplaced { kind, field }),
        None => Ok(()),
    }
}

/// The largest number of aliases of a call.
pub const MAX_ALIASES: usize = 64;
/// The largest number of languages of a participant.
pub const MAX_LANGUAGES: usize = 32;
/// The largest number of places that a participant may declare at once.
pub const MAX_PLACES: usize = 16;

/// How far the platform's clock may be ahead of ours, in milliseconds.
const AHEAD_MS: i64 = 5_000;
/// How long ago a reported event may have happened, in milliseconds.
const PAST_MS: i64 = 24 * 3_600_000;
