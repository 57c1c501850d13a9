//! Events that the platform reports, and its requests to control recording.

use policy::{Control, Event, Heard, OnWithdrawal, Purpose, Purposes, Recorder, Use, UseDecision, What};
use serde_json::json;
use uuid::Uuid;

use crate::access::Principal;
use crate::gate::answer::Decision;
use crate::gate::ask::{
    self, ControlAction, ControlRecording, EventType, MAX_EVENTS, Observed, Posted, ReportedBy, check_name,
};
use crate::gate::call::barred::Unlogged;
use crate::gate::call::facts::{self, Scene, check_time};
use crate::gate::call::open::offset_ms;
use crate::gate::{
    ATTEMPTS, CallRefusal, Fault, Field, Gate, Loaded, Wrong, WrongEvent, parse_id, stretches,
};
use crate::ledger::{Appended, CallRow, Change, Expect, Job};
use trail::clock::whole_millis;
use trail::{Actor, Body, ControlRefusal};

impl Gate {
    /// Logs events on a call: all of them or, if some cannot be logged as posted, only those that make things
    /// stricter.
    ///
    /// # Errors
    ///
    /// [`Fault`]: an event makes no sense, the call has ended, or the id of an event was used for another
    /// one.
    pub async fn observe(&self, who: &Principal, name: &str, posted: Posted) -> Result<Decision, Fault> {
        let pending = self.barred.begin(self.clock.now());
        let _turn = self.turns.take(&who.account, name).await;
        let (outcome, claims) = match posted {
            Posted::Unread { fault, claims } => (Err(fault), claims),
            Posted::Events(events) if events.is_empty() || events.len() > MAX_EVENTS => {
                (Err(WrongEvent::Count.into()), events.into_iter().filter_map(Observed::claim).collect())
            }
            Posted::Events(events) => {
                let outcome = self.observe_until_seen(who, name, &events).await;
                let restrictive = || events.iter().filter(|event| event.weight().restricts());
                match &outcome {
                    Ok(_) => {
                        restrictive().for_each(|event| pending.lift(&who.account, name, event));
                        self.log_missing_of(who, name).await;
                    }
                    Err(fault) if fault.is_ours() => {
                        restrictive()
                            .for_each(|event| pending.bar(who, name, Unlogged::Event(event.clone())));
                    }
                    Err(_) => {}
                }
                (outcome, events.into_iter().filter_map(Observed::claim).collect())
            }
        };
        match outcome {
            Err(fault) if !fault.is_ours() && !claims.is_empty() => {
                self.claim_all(who, name, claims, &pending).await?;
                self.log_missing_of(who, name).await;
                Err(self.with_decision(who, name, fault).await)
            }
            outcome => outcome,
        }
    }

    /// Adds the decision on the call as it stands now, if there is one, to a fault.
    pub(in crate::gate) async fn with_decision(&self, who: &Principal, name: &str, fault: Fault) -> Fault {
        match self.load(&who.account, name).await {
            Ok(loaded) => fault.deciding(self.decision(&loaded).await),
            Err(_) => fault,
        }
    }

    pub(in crate::gate) async fn observe_until_seen(
        &self,
        who: &Principal,
        name: &str,
        events: &[Observed],
    ) -> Result<Decision, Fault> {
        let row = self.call_row(&who.account, name).await?.ok_or(CallRefusal::Unknown)?;
        let (mut earlier, mut of_this) = (Vec::new(), Vec::new());
        for event in events {
            let (then, rest) = self.divided(&row, event).await?;
            earlier.extend(then);
            of_this.extend(rest);
        }
        for (then, event) in earlier {
            self.observe_on(who, then, &[event]).await?;
        }
        match of_this.as_slice() {
            [] => self.decide(who, name).await,
            events => self.observe_on(who, row, events).await,
        }
    }

    pub(in crate::gate) async fn observe_on(
        &self,
        who: &Principal,
        mut row: CallRow,
        events: &[Observed],
    ) -> Result<Decision, Fault> {
        let call = parse_id(&row.uid)?;
        for _ in 0..ATTEMPTS {
            let loaded = self.load_row(row).await?;
            if let Some((loaded, withdrawn)) = self.try_observe(who, loaded, events).await? {
                let deleted = match withdrawn {
                    true => self.delete_stored(&who.account, call, &loaded.call).await,
                    false => Ok(()),
                };
                for event in events.iter().filter(|event| objects(event)) {
                    self.follow(who, &loaded, event).await?;
                }
                deleted?;
                return Ok(self.decision(&loaded).await);
            }
            row = self.ledger.call(call).await?.ok_or(CallRefusal::Unknown)?;
        }
        Err(Fault::contended())
    }

    /// Carries an objection over to the calls that were opened under the same id since.
    async fn follow(&self, who: &Principal, objected: &Loaded, event: &Observed) -> Result<(), Fault> {
        let opened = objected.row.opened_at;
        let named: Vec<u32> = event.whom().filter_map(|id| objected.number_of(id)).collect();
        let of_them = |loaded: &Loaded, p: u32| {
            let theirs =
                objected.subjects.iter().filter(|(of, _)| named.contains(of)).map(|(_, subject)| subject);
            let here: Vec<&String> =
                loaded.subjects.iter().filter(|(of, _)| *of == p).map(|(_, subject)| subject).collect();
            theirs.into_iter().any(|subject| here.contains(&subject))
        };
        for row in self.ledger.calls_since(&objected.row.account, &objected.row.id, opened).await? {
            for attempt in 0..ATTEMPTS {
                let row = self.ledger.call(parse_id(&row.uid)?).await?.ok_or(CallRefusal::Unknown)?;
                let mut loaded = self.load_row(row).await?;
                let mut participants: Vec<u32> = loaded.subjects.iter().map(|(p, _)| *p).collect();
                participants.retain(|p| of_them(&loaded, *p));
                participants.dedup();
                if participants.is_empty() {
                    break;
                }
                let at = Some(whole_millis(event.at.unwrap_or(objected.now)));
                let facts =
                    Event { received_at: loaded.now, at, what: What::ConsentDeclined { participants } };
                let mut job = Job { expects: loaded.expects(), ..Job::default() };
                loaded.call.apply(&facts);
                let saw = loaded.saw();
                let reported_by = Some(ReportedBy::Gateway.as_str().into());
                let body = Body::Event { facts, subjects: Vec::new(), reported_by, late: false, saw };
                let detail = json!({"event": {"type": "consent.declined", "reason": FOLLOWED}});
                job.entries.push(loaded.draft(who, loaded.now, body, Some(detail))?);
                if self.append(job).await? == Appended::Done {
                    break;
                }
                if attempt + 1 == ATTEMPTS {
                    return Err(Fault::contended());
                }
            }
        }
        Ok(())
    }

    /// Deletes those stored recordings of a call that have to go since somebody withdrew. A legal hold prevents it. Every later event repeats this, so a crash in between loses nothing.
    pub(in crate::gate) async fn delete_stored(
        &self,
        account: &str,
        call: Uuid,
        facts: &policy::Call,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let stored =
            self.ledger.recordings(account, Some(call), None, (i64::MIN, String::new()), 10_000).await?;
        // Shows if a hold was removed unseen.
        self.ledger.holds(account).await?;
        let mut deleted = Ok(());
        for row in stored.iter().filter(|row| !row.is_held()) {
            if !facts.has_to_go(&stretches(row)?, now) {
                continue;
            }
            match self.erase(&Actor::gateway(), row).await {
                // Somebody has deleted it, or holds it, since it was listed.
                Ok(()) | Err(Fault::Refused { .. }) => {}
                // If one cannot be deleted, the others are deleted all the same.
                failed @ Err(Fault::Failed(_)) => deleted = deleted.and(failed),
            }
        }
        deleted
    }

    async fn try_observe(
        &self,
        who: &Principal,
        mut loaded: Loaded,
        events: &[Observed],
    ) -> Result<Option<(Loaded, bool)>, Fault> {
        let now = loaded.now;
        if loaded.entries.saturating_add(events.len()) > MAX_ENTRIES
            && !events.iter().all(|event| event.weight().restricts())
        {
            return Err(CallRefusal::TooLong.into());
        }
        let mut job = Job { expects: loaded.expects(), ..Job::default() };
        let mut head = loaded.head;
        for observed in events {
            if let Some(id) = &observed.id {
                check_name(Field::EventId, id)?;
                let digest = facts::digest(observed);
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
                        return Err(CallRefusal::EventIdReused { id: id.clone() }.into());
                    }
                    None => {
                        job.expects.push(Expect::EventUnsent { call: loaded.uid, id: id.clone() });
                        job.changes.push(Change::SentEvent { call: loaded.uid, id: id.clone(), digest });
                    }
                }
            }
            let draft = self.event(who, &mut loaded, observed, &mut job, head).await?;
            head = draft.id;
            if observed.kind == EventType::CallEnded {
                job.changes.push(Change::CallEnded { uid: loaded.uid, at: now.as_millisecond() });
            }
            job.entries.push(draft);
        }
        let withdrawn = loaded.call.settings().on_withdrawal != OnWithdrawal::Keep
            && loaded.call.withdrawn(now).is_some();
        if job.entries.is_empty() || self.append(job).await? == Appended::Done {
            return Ok(Some((loaded, withdrawn)));
        }
        Ok(None)
    }

    async fn event(
        &self,
        who: &Principal,
        loaded: &mut Loaded,
        observed: &Observed,
        job: &mut Job,
        head: uuid::Uuid,
    ) -> Result<trail::Draft, Fault> {
        let now = loaded.now;
        let at = observed.at.map(whole_millis);
        // An event that makes things stricter is never refused for its time: a time in the future counts as
        // now.
        if let Some(at) = at.filter(|_| !observed.weight().restricts()) {
            check_time(Field::At, at, now)?;
        }
        let mut what = self.what(who, loaded, observed).await?;
        let mut subjects = Vec::new();
        if let What::Located { participant, alike, .. } = &mut what {
            let number = observed.number.as_deref();
            if let Some((participant, pseudonym)) =
                self.subject(&who.account, *participant, number, job).await?
            {
                *alike = trail::alike(&loaded.subjects, &loaded.objectors, participant, &pseudonym);
                subjects.push((participant, pseudonym.clone()));
                loaded.subjects.push((participant, pseudonym));
            }
        }
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
            subjects,
            reported_by: observed.reported_by.map(|by| by.as_str().into()),
            late,
            saw: loaded.saw(),
        };
        Ok(trail::draft(&who.account, now, &who.into(), Some((loaded.uid, Some(head))), body, Some(detail))?)
    }

    /// Translates the platform's words into a fact.
    async fn what(&self, who: &Principal, loaded: &Loaded, observed: &Observed) -> Result<What, Fault> {
        let heard = match facts::prompt_of(observed)? {
            Some(id) => Some(self.heard(who, loaded, id).await?),
            None => None,
        };
        let number_of = |id: &str| loaded.number_of(id);
        let scene =
            Scene { locator: &self.locator, call: &loaded.call, number_of: &number_of, now: loaded.now };
        Ok(scene.what(observed, heard)?)
    }

    async fn heard(&self, who: &Principal, loaded: &Loaded, id: &str) -> Result<Heard, Fault> {
        let row = self.ledger.prompt(&who.account, id).await?;
        let row = row.ok_or_else(|| CallRefusal::UnknownPrompt { id: id.into() })?;
        let prompt: ask::Prompt =
            serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a prompt cannot be read"))?;
        Ok(facts::heard(row.uid, &prompt, &loaded.context.purposes)?)
    }

    /// Starts, pauses, resumes or stops recording, as the platform asks.
    ///
    /// # Errors
    ///
    /// [`Fault`]: consent or a usable key is missing, or there is nothing to pause or resume.
    pub async fn control(
        &self,
        who: &Principal,
        name: &str,
        asked: ControlRecording,
    ) -> Result<Decision, Fault> {
        if asked.behavior.is_some() && asked.action != ControlAction::Pause {
            let wrong = Wrong::BehaviorWithoutPause.into();
            return Err(self.control_that_restricts(who, name, asked, wrong).await);
        }
        let pending = self.barred.begin(self.clock.now());
        let _turn = self.turns.take(&who.account, name).await;
        let outcome = self.control_until_seen(who, name, &asked).await;
        // That another use was paused or stopped makes nothing of the call stricter: it is sent again.
        let event = stopped_by_itself(asked.action).filter(|_| asked.of() == Use::Record);
        match (&outcome, event) {
            (Ok(_), Some(event)) => {
                pending.lift(&who.account, name, &event);
                self.log_missing_of(who, name).await;
            }
            (Err(fault), Some(event)) if fault.is_ours() => {
                pending.bar(who, name, Unlogged::Event(event));
            }
            (Ok(_) | Err(_), _) => {}
        }
        outcome
    }

    /// Pauses or stops recording if a request that cannot be read seems to ask for it. Returns the fault,
    /// with the decision that follows.
    pub async fn control_that_restricts(
        &self,
        who: &Principal,
        name: &str,
        asked: ControlRecording,
        fault: Fault,
    ) -> Fault {
        if stopped_by_itself(asked.action).is_none() {
            return fault;
        }
        let asked = ControlRecording { of: asked.of, ..ControlRecording::new(asked.action) };
        match Box::pin(self.control(who, name, asked)).await {
            Ok(decision) => fault.deciding(decision),
            Err(ours) if ours.is_ours() => ours,
            Err(_) => fault,
        }
    }

    async fn control_until_seen(
        &self,
        who: &Principal,
        name: &str,
        asked: &ControlRecording,
    ) -> Result<Decision, Fault> {
        for _ in 0..ATTEMPTS {
            let loaded = self.load(&who.account, name).await?;
            if let Some(answer) = self.try_control(who, loaded, asked).await? {
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
    ) -> Result<Option<Decision>, Fault> {
        let now = loaded.now;
        let at_now = loaded.call.at(now);
        if at_now.ended_at().is_some() {
            return Err(CallRefusal::Ended.into());
        }
        let opens = matches!(asked.action, ControlAction::Start | ControlAction::Resume);
        if opens {
            self.barred.check(&loaded)?;
            if loaded.entries >= MAX_ENTRIES {
                return Err(CallRefusal::TooLong.into());
            }
        }
        let of = asked.of();
        let subject = subject(&at_now, asked, &loaded.context.purposes)?;
        if nothing_to_do(asked.action, of, &at_now, &subject)? {
            return Ok(Some(self.decision(&loaded).await));
        }
        let mut job = Job { expects: loaded.expects(), ..Job::default() };
        let control = control(asked);
        let (mut refusal, mut refused) = (None, None);
        if opens && of != Use::Record {
            let decision = subject.decide(now);
            if !decision.permitted() {
                refusal = Some(ControlRefusal::ConsentRequired);
                refused = Some(UseDecision::new(of, &subject, &decision));
            }
        } else if opens {
            let decision = subject.decide(now);
            let keys = self.usable_keys(&who.account).await?;
            if !decision.permitted() {
                refusal = Some(ControlRefusal::ConsentRequired);
            } else if keys.is_empty() {
                refusal = Some(ControlRefusal::NoUsableKey);
            } else {
                job.expects.extend(
                    keys.iter()
                        .map(|(id, _)| Expect::KeyUsable { account: who.account.clone(), id: id.clone() }),
                );
            }
        }
        let body = match refusal {
            Some(code) => {
                let purposes = if of == Use::Record { Purposes::NONE } else { subject.purposes() };
                Body::ControlRefused { of, purposes, control, code, saw: loaded.saw() }
            }
            None => {
                let what = match (of, opens) {
                    (Use::Record, _) => What::Control(control),
                    (_, true) => What::Use { of, purposes: subject.purposes(), control },
                    (_, false) => What::Use { of, purposes: Purposes::NONE, control },
                };
                let event = Event { received_at: now, at: None, what };
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
        job.entries.push(loaded.draft(who, now, body, detail)?);
        if self.append(job).await? == Appended::Conflict {
            return Ok(None);
        }
        let decision = self.decision_with(&loaded, refused).await;
        match refusal {
            None => Ok(Some(decision)),
            Some(why) => Err(Fault::from(CallRefusal::Control(of, why)).deciding(decision)),
        }
    }
}

/// The call as it is for the use that is asked about. `called_for` are the purposes of the call, in the platform's words.
fn subject(
    call: &policy::Call,
    asked: &ControlRecording,
    called_for: &[String],
) -> Result<policy::Call, Fault> {
    let of = asked.of();
    let so_far = call.uses().find(|(one, _)| *one == of).map(|(_, call)| call);
    if !matches!(asked.action, ControlAction::Start | ControlAction::Resume) {
        // Whatever else is said, the use is over.
        return match (of, so_far) {
            (Use::Record, _) => Ok(call.clone()),
            (_, Some(so_far)) => Ok(so_far.clone()),
            (_, None) => Err(CallRefusal::NotInUse(of).into()),
        };
    }
    let named = asked.purposes.as_deref().unwrap_or_default();
    if named.len() > MAX_PURPOSES {
        return Err(Wrong::TooManyPurposes.into());
    }
    named.iter().try_for_each(|purpose| check_name(Field::Purpose, purpose))?;
    let is_of_call = |purpose: &String| called_for.contains(purpose);
    if of == Use::Record {
        let other = named.iter().find(|purpose| !called_for.is_empty() && !is_of_call(purpose));
        return match other {
            Some(purpose) => Err(Wrong::NotForThat { purpose: purpose.clone() }.into()),
            None => Ok(call.clone()),
        };
    }
    let is_known = |purpose: &String| Purpose::distinguished().any(|known| known.as_str() == purpose);
    if let Some(purpose) = named.iter().find(|purpose| !is_known(purpose) && !is_of_call(purpose)) {
        return Err(Wrong::UnknownPurpose { purpose: purpose.clone() }.into());
    }
    let purposes = match (&asked.purposes, asked.action, so_far) {
        (Some(named), _, _) => Purposes::of(named.iter().map(String::as_str)),
        (None, ControlAction::Resume, Some(so_far)) => so_far.purposes(),
        (None, _, _) => call.purposes(),
    };
    Ok(call.serving(of, purposes))
}

/// Whether the request asks for the state that the use is already in. `subject` is the call as the use would be.
fn nothing_to_do(
    action: ControlAction,
    of: Use,
    call: &policy::Call,
    subject: &policy::Call,
) -> Result<bool, CallRefusal> {
    if of != Use::Record {
        return match (action, subject.recorder()) {
            (ControlAction::Start | ControlAction::Resume, Recorder::Running) => {
                let so_far = call.uses().find(|(one, _)| *one == of);
                Ok(so_far.is_some_and(|(_, so_far)| so_far.purposes() == subject.purposes()))
            }
            (ControlAction::Stop | ControlAction::Pause, Recorder::Stopped) => Ok(true),
            (ControlAction::Resume, Recorder::Idle | Recorder::Stopped) => Err(CallRefusal::NotInUse(of)),
            (_, Recorder::Idle | Recorder::Running | Recorder::Suspended { .. } | Recorder::Stopped) => {
                Ok(false)
            }
        };
    }
    match (action, call.recorder()) {
        (ControlAction::Start | ControlAction::Resume, Recorder::Running) => Ok(call.is_granted()),
        (ControlAction::Start, _) => Ok(false),
        (ControlAction::Stop, Recorder::Stopped) => Ok(true),
        (ControlAction::Resume | ControlAction::Pause, Recorder::Idle | Recorder::Stopped) => {
            Err(CallRefusal::NotRecording)
        }
        (ControlAction::Stop, Recorder::Idle) => Err(CallRefusal::NotRecording),
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

/// Whether an event is an objection.
pub(in crate::gate) fn objects(observed: &Observed) -> bool {
    matches!(observed.kind, EventType::ConsentDeclined | EventType::ConsentWithdrawn)
}

/// The event of a platform that paused or stopped on its own.
fn stopped_by_itself(action: ControlAction) -> Option<Observed> {
    match action {
        ControlAction::Pause => Some(Observed::of(EventType::RecordingPaused)),
        ControlAction::Stop => Some(Observed::of(EventType::RecordingStopped)),
        ControlAction::Start | ControlAction::Resume => None,
    }
}

/// The reason that is logged for an objection carried over from another call.
const FOLLOWED: &str = "they objected on an earlier call of this id";
/// How many purposes a use may have.
const MAX_PURPOSES: usize = 32;
/// The number of entries from which on a call accepts only events that make things stricter.
pub const MAX_ENTRIES: usize = 10_000;
