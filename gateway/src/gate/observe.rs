//! What the platform reports, and what it asks of the recording.

use jiff::Timestamp;
use policy::{Control, Event, Heard, OnWithdrawal, Recorder, What};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::ask::{
    self, ControlAction, ControlRecording, EventType, MAX_EVENTS, Observed, check_name, check_sha256,
};
use super::open::{call_ended, covers, offset_ms};
use super::{ATTEMPTS, Fault, FaultKind, Gate, Loaded, answer, check_time, parse_id};
use crate::access::Principal;
use crate::clock::whole_millis;
use crate::ledger::{Appended, Change, Expect, Job};
use crate::trail::{self, Actor, Body};

impl Gate {
    /// Logs what happened on a call: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// [`Fault`]: an event makes no sense, the call is over, or an event's id was used otherwise.
    pub async fn observe(&self, who: &Principal, name: &str, events: Vec<Observed>) -> Result<Value, Fault> {
        if events.is_empty() || events.len() > MAX_EVENTS {
            return Err(Fault::invalid("invalid-event", format!("send 1 to {MAX_EVENTS} events at once")));
        }
        let restrictive = || events.iter().filter(|observed| restricts(observed)).map(digest);
        let pending = self.barred.begin(self.clock.now());
        let _turn = self.turns.take(&who.account, name).await;
        let outcome = self.observe_until_seen(who, name, &events).await;
        match &outcome {
            Ok(_) => restrictive().for_each(|digest| pending.lift(&who.account, name, &digest)),
            Err(fault) if fault.kind == FaultKind::Unavailable => {
                restrictive().for_each(|digest| pending.bar(&who.account, name, digest));
            }
            Err(_) => {}
        }
        outcome
    }

    async fn observe_until_seen(
        &self,
        who: &Principal,
        name: &str,
        events: &[Observed],
    ) -> Result<Value, Fault> {
        for _ in 0..ATTEMPTS {
            let loaded = self.load(&who.account, name).await?;
            let call = loaded.uid;
            if let Some((decision, withdrawn)) = self.try_observe(who, loaded, events).await? {
                if withdrawn {
                    self.delete_stored(&who.account, call).await?;
                }
                return Ok(decision);
            }
        }
        Err(Fault::contended())
    }

    /// Deletes what a call has stored, where somebody withdrew and the account says so. A legal
    /// hold keeps it. Repeated by every later event, so that a crash in between loses nothing.
    pub(crate) async fn delete_stored(&self, account: &str, call: Uuid) -> Result<(), Fault> {
        let stored =
            self.ledger.recordings(account, Some(call), None, (i64::MIN, String::new()), 10_000).await?;
        for row in stored.iter().filter(|row| !row.held) {
            self.erase(&Actor::gateway(), account, parse_id(&row.id)?).await?;
        }
        Ok(())
    }

    async fn try_observe(
        &self,
        who: &Principal,
        mut loaded: Loaded,
        events: &[Observed],
    ) -> Result<Option<(Value, bool)>, Fault> {
        let now = loaded.now;
        let mut job = Job { expects: loaded.expects(), ..Job::default() };
        let mut head = loaded.head;
        for observed in events {
            if let Some(id) = &observed.id {
                check_name("an event's id", id)?;
                let digest = digest(observed);
                let again = job.changes.iter().find_map(|change| {
                    if let Change::SentEvent { id: sent, digest, .. } = change
                        && sent == id
                    {
                        return Some(digest.clone());
                    }
                    None
                });
                let seen = match again {
                    Some(digest) => Some(digest),
                    None => self.ledger.sent_event(loaded.uid, id).await?,
                };
                match seen {
                    Some(seen) if seen == digest => continue,
                    Some(_) => {
                        return Err(Fault::conflict(
                            "event-id-reused",
                            format!(
                                "the event id `{id}` was used for another event; give every event an id of its own"
                            ),
                        ));
                    }
                    None => {
                        job.expects.push(Expect::EventUnsent { call: loaded.uid, id: id.clone() });
                        job.changes.push(Change::SentEvent { call: loaded.uid, id: id.clone(), digest });
                    }
                }
            }
            let draft = self.event(who, &mut loaded, observed, now, head).await?;
            head = draft.id;
            if observed.kind == EventType::CallEnded {
                job.changes.push(Change::CallEnded { uid: loaded.uid, at: now.as_millisecond() });
            }
            job.entries.push(draft);
        }
        let withdrawn = loaded.call.settings().on_withdrawal == OnWithdrawal::Delete
            && loaded.call.withdrawn(now).is_some();
        if job.entries.is_empty() || self.append(job).await? == Appended::Done {
            return Ok(Some((self.decision(&loaded), withdrawn)));
        }
        Ok(None)
    }

    async fn event(
        &self,
        who: &Principal,
        loaded: &mut Loaded,
        observed: &Observed,
        now: Timestamp,
        head: uuid::Uuid,
    ) -> Result<trail::Draft, Fault> {
        let at = observed.at.map(whole_millis);
        if let Some(at) = at {
            check_time("at", at, now)?;
        }
        if loaded.call.ended_at().is_some() && !tightens(observed) {
            return Err(call_ended());
        }
        let what = self.what(who, loaded, observed, now).await?;
        let event = Event { received_at: now, at, what };
        let late = event.what.loosens()
            && loaded.call.settings().late_evidence_seconds > 0
            && at.is_some_and(|at| at < now);
        loaded.call.apply(&event);
        let detail = json!({
            "event": observed,
            "clock_offset_ms": offset_ms(at, now),
        });
        let body = Body::Event {
            facts: event,
            subjects: Vec::new(),
            reported_by: observed.reported_by.map(|by| by.as_str().into()),
            late,
            saw: loaded.saw(),
        };
        Ok(trail::draft(&who.account, now, &who.into(), Some((loaded.uid, Some(head))), body, Some(detail))?)
    }

    /// From the platform's words to a fact.
    async fn what(
        &self,
        who: &Principal,
        loaded: &Loaded,
        observed: &Observed,
        now: Timestamp,
    ) -> Result<What, Fault> {
        only_its_fields(observed)?;
        check_sha256(
            "evidence.sha256",
            observed.evidence.as_ref().and_then(|evidence| evidence.sha256.as_deref()),
        )?;
        let some = || participants(loaded, observed);
        let one = || match some()?.as_slice() {
            [one] => Ok(*one),
            _ => Err(Fault::invalid(
                "invalid-event",
                format!("`{}` is about exactly one participant", word(observed.kind)),
            )),
        };
        Ok(match observed.kind {
            EventType::PromptStarted => What::PromptStarted {
                participants: some()?,
                prompt: self.heard(who, loaded, observed).await?,
            },
            EventType::PromptCompleted => {
                let played_ms = observed.played_ms.ok_or_else(|| {
                    Fault::invalid(
                        "invalid-event",
                        "`prompt.completed` lacks `played_ms`: say how many milliseconds of it were played",
                    )
                })?;
                What::PromptCompleted {
                    participants: some()?,
                    prompt: self.heard(who, loaded, observed).await?,
                    played_ms,
                }
            }
            EventType::PromptInterrupted => What::PromptInterrupted { participants: some()? },
            EventType::ConsentGiven => {
                let method = observed.method.ok_or_else(|| {
                    Fault::invalid(
                        "invalid-event",
                        "`consent.given` lacks `method`: `dtmf`, `speech`, `click`, `written` or `continued`",
                    )
                })?;
                What::ConsentGiven { participants: some()?, method }
            }
            EventType::ConsentDeclined => What::ConsentDeclined { participants: some()? },
            EventType::ConsentWithdrawn => What::ConsentWithdrawn { participants: some()? },
            EventType::AnnouncementRecorded => What::AnnouncementRecorded { participants: some()? },
            EventType::ToneStarted => What::ToneStarted,
            EventType::ToneStopped => What::ToneStopped,
            EventType::ParticipantLocated => {
                let places = self.places(
                    observed.location.as_ref(),
                    observed.number.as_deref(),
                    observed.ip.as_deref(),
                )?;
                let since = observed.since.map(whole_millis);
                if let Some(since) = since {
                    check_time("since", since, now)?;
                }
                What::Located { participant: one()?, places, since }
            }
            EventType::ParticipantAnswered => {
                let by = observed.by.ok_or_else(|| {
                    Fault::invalid("invalid-event", "`participant.answered` lacks `by`: `human` or `machine`")
                })?;
                What::Answered { participant: one()?, by }
            }
            EventType::ParticipantLeft => What::Left { participants: some()? },
            EventType::RecordingStarted => What::RecordingStarted,
            EventType::RecordingPaused => What::RecordingPaused,
            EventType::RecordingResumed => What::RecordingResumed,
            EventType::RecordingStopped => What::RecordingStopped,
            EventType::CallEnded => What::Ended,
        })
    }

    async fn heard(&self, who: &Principal, loaded: &Loaded, observed: &Observed) -> Result<Heard, Fault> {
        let id = observed.prompt.as_deref().ok_or_else(|| {
            Fault::invalid(
                "invalid-event",
                format!("`{}` lacks `prompt`: say which one was played", word(observed.kind)),
            )
        })?;
        let row = self.ledger.prompt(&who.account, id).await?.ok_or_else(|| {
            Fault::invalid(
                "unknown-prompt",
                format!(
                    "the prompt `{id}` is not registered; register it with `PUT /v1/prompts/{{id}}` first"
                ),
            )
        })?;
        let prompt: ask::Prompt =
            serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a prompt cannot be read"))?;
        Ok(Heard {
            version: row.uid,
            duration_ms: prompt.duration_ms,
            language: ask::language("the prompt's language", &prompt.language)?,
            covers_purposes: covers(&prompt.purposes, &loaded.context.purposes),
            says: prompt.elements(),
            purposes: policy::Purposes::known(prompt.purposes.iter().map(String::as_str)),
        })
    }

    /// Start, pause, resume or stop, as the platform asks.
    ///
    /// # Errors
    ///
    /// [`Fault`]: consent or a usable key is missing, or there is nothing to pause or resume.
    pub async fn control(
        &self,
        who: &Principal,
        name: &str,
        asked: ControlRecording,
    ) -> Result<Value, Fault> {
        if asked.behavior.is_some() && asked.action != ControlAction::Pause {
            return Err(Fault::invalid("invalid-control", "`behavior` goes with `pause` only"));
        }
        let _turn = self.turns.take(&who.account, name).await;
        for _ in 0..ATTEMPTS {
            let loaded = self.load(&who.account, name).await?;
            if let Some(answer) = self.try_control(who, loaded, &asked).await? {
                return Ok(answer);
            }
        }
        Err(Fault::contended())
    }

    async fn try_control(
        &self,
        who: &Principal,
        mut loaded: Loaded,
        asked: &ControlRecording,
    ) -> Result<Option<Value>, Fault> {
        let now = loaded.now;
        let at_now = loaded.call.at(now);
        if at_now.ended_at().is_some() {
            return Err(call_ended());
        }
        let opens = matches!(asked.action, ControlAction::Start | ControlAction::Resume);
        if nothing_to_do(asked.action, &at_now)? {
            return Ok(Some(self.decision(&loaded)));
        }
        let mut job = Job { expects: loaded.expects(), ..Job::default() };
        let control = control(asked);
        let mut refusal = None;
        if opens {
            self.barred.check(&loaded)?;
            let decision = at_now.decide(now);
            let keys = self.usable_keys(&who.account).await?;
            if !decision.permitted() {
                refusal = Some("consent-required");
            } else if keys.is_empty() {
                refusal = Some("no-usable-key");
            } else {
                job.expects.extend(
                    keys.iter()
                        .map(|(id, _)| Expect::KeyUsable { account: who.account.clone(), id: id.clone() }),
                );
            }
        }
        let body = match refusal {
            Some(code) => Body::ControlRefused { control, code: code.into(), saw: loaded.saw() },
            None => {
                let event = Event { received_at: now, at: None, what: What::Control(control) };
                loaded.call.apply(&event);
                Body::Event {
                    facts: event,
                    subjects: Vec::new(),
                    reported_by: None,
                    late: false,
                    saw: loaded.saw(),
                }
            }
        };
        let detail = asked.reason.as_ref().map(|reason| json!({"reason": reason}));
        job.entries.push(trail::draft(
            &who.account,
            now,
            &who.into(),
            Some((loaded.uid, Some(loaded.head))),
            body,
            detail,
        )?);
        if self.append(job).await? == Appended::Conflict {
            return Ok(None);
        }
        let decision = self.decision(&loaded);
        match refusal {
            None => Ok(Some(decision)),
            Some("no-usable-key") => Err(Fault::refused(
                "no-usable-key",
                "the account has no public key to seal recordings for; add one with `consent-gateway key add`",
            )
            .with("decision", decision)),
            Some(code) => {
                let why = decision.get("reason").and_then(Value::as_str).unwrap_or("consent is missing").to_owned();
                Err(Fault::refused(code, format!("recording may not start: {why}"))
                    .with("missing", answer::missing(&decision))
                    .with("decision", decision))
            }
        }
    }
}

/// Whether the platform asks for what is so already.
fn nothing_to_do(action: ControlAction, call: &policy::Call) -> Result<bool, Fault> {
    let not_recording =
        || Fault::conflict("not-recording", "the recording has not been started; start it first");
    match (action, call.recorder()) {
        (ControlAction::Start | ControlAction::Resume, Recorder::Running) => Ok(call.is_granted()),
        (ControlAction::Start, _) => Ok(false),
        (ControlAction::Stop, Recorder::Stopped) => Ok(true),
        (ControlAction::Resume | ControlAction::Pause, Recorder::Idle | Recorder::Stopped) => {
            Err(not_recording())
        }
        (ControlAction::Stop, Recorder::Idle) => Err(not_recording()),
        (ControlAction::Resume, Recorder::Suspended { .. }) => Ok(false),
        (ControlAction::Pause | ControlAction::Stop, Recorder::Running | Recorder::Suspended { .. }) => {
            Ok(false)
        }
    }
}

fn control(asked: &ControlRecording) -> Control {
    match asked.action {
        ControlAction::Start => Control::Start,
        ControlAction::Pause => Control::Pause(asked.behavior.unwrap_or_default()),
        ControlAction::Resume => Control::Resume,
        ControlAction::Stop => Control::Stop,
    }
}

/// The participants that an event names, all of whom must have been on the call.
fn participants(loaded: &Loaded, observed: &Observed) -> Result<Vec<u32>, Fault> {
    let named: Vec<&String> = observed.participant.iter().chain(&observed.participants).collect();
    if named.is_empty() {
        return Err(Fault::invalid(
            "invalid-event",
            format!("`{}` lacks `participant`: say whom it is about", word(observed.kind)),
        ));
    }
    let mut numbers = Vec::with_capacity(named.len());
    for id in named {
        let number = loaded.number_of(id).ok_or_else(|| {
            Fault::invalid("unknown-participant", format!("`{id}` was never on this call; post them with `POST /v1/calls/{{call}}/participants` first"))
        })?;
        if !loaded.call.is_present(number) && !tightens(observed) {
            return Err(Fault::conflict(
                "participant-left",
                format!("`{id}` has left the call; post them again when they come back"),
            ));
        }
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// Refuses fields that mean nothing to this type of event, so that no claim is silently dropped.
fn only_its_fields(observed: &Observed) -> Result<(), Fault> {
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
            | T::CallEnded
    );
    let misplaced = [
        ("prompt", observed.prompt.is_some() && !prompt && !consent && kind != T::AnnouncementRecorded),
        ("played_ms", observed.played_ms.is_some() && !prompt && kind != T::AnnouncementRecorded),
        ("method", observed.method.is_some() && !consent),
        ("location", observed.location.is_some() && !located),
        ("number", observed.number.is_some() && !located),
        ("ip", observed.ip.is_some() && !located),
        ("since", observed.since.is_some() && !located),
        ("by", observed.by.is_some() && kind != T::ParticipantAnswered),
        (
            "participant",
            whole_call && kind != T::ToneStarted && kind != T::ToneStopped && observed.participant.is_some(),
        ),
    ];
    match misplaced.into_iter().find(|(_, wrong)| *wrong) {
        Some((field, _)) => {
            Err(Fault::invalid("invalid-event", format!("`{field}` means nothing to `{}`", word(kind))))
        }
        None => Ok(()),
    }
}

/// Whether something is lost to somebody's privacy if this event is not logged.
fn restricts(observed: &Observed) -> bool {
    tightens(observed)
        || observed.kind == EventType::ParticipantLeft
        || observed.kind == EventType::ToneStopped
}

fn digest(observed: &Observed) -> Vec<u8> {
    Sha256::digest(serde_json::to_vec(observed).unwrap_or_default()).to_vec()
}

/// Whether an event can only make things stricter: such are heard after the call's end, too.
fn tightens(observed: &Observed) -> bool {
    use EventType as T;
    match observed.kind {
        T::ConsentDeclined
        | T::ConsentWithdrawn
        | T::ParticipantLocated
        | T::RecordingPaused
        | T::RecordingStopped
        | T::CallEnded => true,
        T::ParticipantAnswered => observed.by == Some(policy::AnsweredBy::Machine),
        T::PromptStarted
        | T::PromptCompleted
        | T::PromptInterrupted
        | T::ConsentGiven
        | T::AnnouncementRecorded
        | T::ToneStarted
        | T::ToneStopped
        | T::ParticipantLeft
        | T::RecordingStarted
        | T::RecordingResumed => false,
    }
}

fn word(kind: EventType) -> String {
    serde_json::to_value(kind)
        .ok()
        .and_then(|value| value.as_str().map(ToOwned::to_owned))
        .unwrap_or_default()
}
