//! Opening a call, and joining it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::{Call, Event, Joined, Opened, RefusedGrant, What};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::access::Principal;
use crate::gate::answer::{self, Decision, Names};
use crate::gate::ask::{
    self, ConsentGrant, GivenBy, MAX_PARTICIPANTS, OpenCall, Participant, check_name, place,
};
use crate::gate::call::barred::Unlogged;
use crate::gate::call::claims::{few, is_usable, unnamed};
use crate::gate::call::facts::{check_open, check_participant, check_time, joined, listed_places};
use crate::gate::law::chosen::check_overlays;
use crate::gate::{
    ATTEMPTS, CallRefusal, Context, Fault, FaultCode, FaultKind, Field, Gate, LawRefusal, Loaded, Wrong,
    called,
};
use crate::ledger::{Appended, Change, Expect, Job};
use seal::Format;
use trail::chain::Chain;
use trail::clock::{Moment, whole_millis};
use trail::{Body, DraftError, hex};

impl Gate {
    /// Opens a call. Returns the decision, and whether the call is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the request makes no sense, or another call of this id is open.
    pub async fn open(
        &self,
        who: &Principal,
        name: &str,
        mut asked: OpenCall,
    ) -> Result<(bool, Decision), Fault> {
        check_name(Field::CallId, name)?;
        check_open(&asked)?;
        let digest = digest(&asked)?;
        let _turn = self.turns.take(&who.account, name).await;
        asked.started_at = asked.started_at.map(whole_millis);
        for participant in &mut asked.participants {
            participant.joined_at = participant.joined_at.map(whole_millis);
        }
        for _ in 0..ATTEMPTS {
            let existing = match self.ledger.call_by_name(&who.account, name).await? {
                Some(row) => Some(self.load_row(row).await?),
                None => None,
            };
            if let Some(existing) = &existing {
                let same = existing.context.digest == digest && existing.row.id == name;
                let ended = existing.call.ended_at().is_some();
                if same && (!ended || existing.context.dated) {
                    return Ok((false, self.decision(existing).await));
                }
                if !ended {
                    let is_new = |asked: &Participant| existing.row_of(&asked.id).is_none();
                    let new = asked.participants.into_iter().filter(is_new).collect();
                    return Err(self.arrive(who, name, new, CallRefusal::Exists.into()).await);
                }
            }
            if let Some(decision) = self.try_open(who, name, &asked, &digest, existing.as_ref()).await? {
                return Ok((true, decision));
            }
        }
        Err(Fault::contended())
    }

    async fn try_open(
        &self,
        who: &Principal,
        name: &str,
        asked: &OpenCall,
        digest: &str,
        previous: Option<&Loaded>,
    ) -> Result<Option<Decision>, Fault> {
        let now = self.clock.now();
        let objectors = previous.map(|previous| previous.objectors_since(now)).unwrap_or_default();
        let head = previous.map(|previous| (previous.uid, previous.head));
        let previous = previous.map(|previous| previous.uid);
        let started_at = asked.started_at.unwrap_or(now);
        check_time(Field::StartedAt, started_at, now)?;
        let (settings, recorder, operator) = self.settings(&who.account).await?;
        let mut job = Job::default();
        // Fails if somebody has objected on it since.
        job.expects.extend(head.map(|(call, head)| Expect::Head { call, head }));
        let uid = trail::id_of_time(now)?;
        let mut participants = Vec::with_capacity(asked.participants.len());
        let mut subjects = Vec::new();
        for (index, participant) in asked.participants.iter().enumerate() {
            let number = u32::try_from(index).map_err(|_| Fault::damaged("too many participants"))?;
            if let Some(joined_at) = participant.joined_at {
                check_time(Field::JoinedAt, joined_at, now)?;
            }
            listed_places(participant)?;
            let on = (asked.kind, asked.purposes.as_slice());
            let mut joined = self.describe(&who.account, number, participant, on, &mut job.expects).await?;
            let number = self.subject(&who.account, number, participant.number.as_deref(), &mut job).await?;
            if let Some((number, pseudonym)) = number {
                joined.alike = trail::alike(&subjects, &objectors, number, &pseudonym);
                subjects.push((number, pseudonym));
            }
            job.changes.push(participant_change(uid, participant, &joined));
            participants.push(joined);
        }
        let operator_locations =
            both(operator, place(Field::OperatorLocation, asked.operator_location.as_deref())?);
        let of_call = (operator_locations.as_slice(), asked.purposes.as_slice());
        let (readings, expect) = self.readings_for(&who.account, operator, of_call, now).await?;
        job.expects.push(expect);
        let opened = Opened {
            medium: asked.medium.map_or(policy::Medium::Unknown, Into::into),
            kind: asked.kind,
            started_at: started_at.min(now),
            recorder_locations: both(
                recorder,
                place(Field::RecorderLocation, asked.recorder_location.as_deref())?,
            ),
            operator_locations,
            purposes: policy::Purposes::of(asked.purposes.iter().map(String::as_str)),
            overlays: self.overlays(&settings.overlays, &asked.overlays)?,
            readings,
            settings: settings.for_policy(),
            participants,
        };
        let table = self.laws.in_force();
        job.expects.push(Expect::Law { digest: Some(table.digest().into()) });
        let call = Call::open(&table, now, opened.clone());
        let context = Context {
            digest: digest.into(),
            purposes: asked.purposes.clone(),
            direction: asked.direction,
            aliases: asked.aliases.clone(),
            dated: asked.started_at.is_some(),
        };
        let ids: Vec<&str> = asked.participants.iter().map(|participant| participant.id.as_str()).collect();
        let detail = json!({"call": name, "participants": ids, "purposes": context.purposes, "direction": context.direction, "aliases": context.aliases});
        let saw = trail::Saw::of(table.digest(), &call.decide(now));
        let body = Body::Opened { facts: opened, subjects, objectors, saw };
        let draft = trail::draft(&who.account, now, &who.into(), Some((uid, None)), body, Some(detail));
        let draft = draft.map_err(|error| match error {
            DraftError::TooLong { .. } => Fault::from(Wrong::TooMuchOfParticipants),
            DraftError::Randomness | DraftError::Json(_) => error.into(),
        })?;
        let mut names: Vec<String> = vec![name.into()];
        names.extend(asked.aliases.iter().filter(|alias| alias.as_str() != name).cloned());
        names.sort();
        names.dedup();
        for alias in &names {
            let holder = if alias == name { previous } else { self.free_alias(&who.account, alias).await? };
            job.expects.push(Expect::NameIs {
                account: who.account.clone(),
                name: alias.clone(),
                call: holder,
            });
        }
        let document = serde_json::to_string(&context).map_err(|_| Fault::damaged("a call's context"))?;
        job.changes.insert(
            0,
            Change::Call {
                uid,
                account: who.account.clone(),
                id: name.into(),
                names,
                body: document,
                at: now.as_millisecond(),
                head: draft.id,
            },
        );
        job.entries.push(draft);
        match self.append(job).await? {
            Appended::Conflict => Ok(None),
            Appended::Done => {
                tracing::Span::current().record("call", uid.to_string());
                let people = (0..).zip(ids.iter().map(ToString::to_string)).collect();
                let names = Names { people, ..Names::default() };
                let decision = Decision::new(table.digest(), &call.decide(now), &names);
                Ok(Some(Decision { max_bytes: settings.format.max_bytes(), ..decision }))
            }
        }
    }

    /// The overlays of a call: its account's and its own. A call cannot name one that the table does not
    /// have; if one of the account's is gone, the default applies in its place.
    fn overlays(&self, of_account: &[String], of_call: &[String]) -> Result<Vec<String>, LawRefusal> {
        check_overlays(&self.laws.in_force(), of_call)?;
        let mut all: Vec<String> = of_account.iter().chain(of_call).cloned().collect();
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// Adds a participant: somebody who joins, comes back, or is described again.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the request makes no sense, or the call has ended.
    pub async fn join(&self, who: &Principal, name: &str, asked: Participant) -> Result<Decision, Fault> {
        let asked = Participant { joined_at: asked.joined_at.map(whole_millis), ..asked };
        let pending = self.barred.begin(self.clock.now());
        let _turn = self.turns.take(&who.account, name).await;
        let outcome = self.join_somehow(who, name, &asked).await;
        match &outcome {
            Ok(_) => {
                pending.lift_join(&who.account, name, &asked);
                self.log_missing_of(who, name).await;
            }
            Err(fault) if fault.is_ours() => pending.bar(who, name, Unlogged::Join(asked)),
            // Somebody beyond the largest number of participants is logged as such.
            Err(fault) if fault.code() == FaultCode::TooManyParticipants => {
                pending.lift_join(&who.account, name, &asked)
            }
            Err(_) => {}
        }
        outcome
    }

    /// Adds somebody to the call, no matter what is wrong with their description.
    pub(in crate::gate) async fn join_somehow(
        &self,
        who: &Principal,
        name: &str,
        asked: &Participant,
    ) -> Result<Decision, Fault> {
        let outcome = match check_participant(asked) {
            Ok(()) => self.join_until_seen(who, name, asked).await,
            Err(wrong) => Err(wrong.into()),
        };
        match outcome {
            Err(fault)
                if fault.kind() == FaultKind::Invalid && fault.code() != FaultCode::TooManyParticipants =>
            {
                Err(self.join_as_stranger(who, name, asked, fault).await)
            }
            outcome => outcome,
        }
    }

    /// Adds people whose descriptions cannot be used at all. Returns what is wrong, with the decision that
    /// follows from their presence. All beyond the first few become one.
    pub async fn join_unread(
        &self,
        who: &Principal,
        name: &str,
        asked: Vec<Participant>,
        mut fault: Fault,
    ) -> Fault {
        let pending = self.barred.begin(self.clock.now());
        let _turn = self.turns.take(&who.account, name).await;
        for asked in few(asked) {
            fault = self.join_as_stranger(who, name, &asked, fault).await;
            if fault.is_ours() {
                pending.bar(who, name, Unlogged::Join(asked));
            }
        }
        fault
    }

    /// Adds people whom a request names that is refused for another reason.
    async fn arrive(&self, who: &Principal, name: &str, people: Vec<Participant>, fault: Fault) -> Fault {
        let pending = self.barred.begin(self.clock.now());
        let mut ours = None;
        for asked in few(people) {
            match self.join_somehow(who, name, &asked).await {
                Err(fault) if fault.is_ours() => {
                    pending.bar(who, name, Unlogged::Join(asked));
                    ours = Some(fault);
                }
                Ok(_) | Err(_) => {}
            }
        }
        match ours {
            Some(ours) => ours,
            None => self.with_decision(who, name, fault).await,
        }
    }

    async fn join_as_stranger(
        &self,
        who: &Principal,
        name: &str,
        asked: &Participant,
        fault: Fault,
    ) -> Fault {
        let id = if is_usable(&asked.id) { asked.id.clone() } else { unnamed(asked.id.as_bytes()) };
        // For somebody new, unknown is stricter than the readable part of their description.
        let known = match self.load(&who.account, name).await {
            Ok(loaded) => loaded.number_of(&id).is_some(),
            Err(ours) if ours.is_ours() => return ours,
            Err(_) => return fault,
        };
        let stranger =
            Participant { role: asked.role, joined_at: asked.joined_at, ..Participant::stranger(id) };
        match self.join_until_seen(who, name, &stranger).await {
            Ok(decision) if !known => fault.deciding(decision),
            Ok(_) => match self.claim_places(who, name, asked).await {
                Ok(()) => self.with_decision(who, name, fault).await,
                Err(ours) => ours,
            },
            Err(ours) if ours.is_ours() => ours,
            Err(_) => fault,
        }
    }

    pub(in crate::gate) async fn join_until_seen(
        &self,
        who: &Principal,
        name: &str,
        asked: &Participant,
    ) -> Result<Decision, Fault> {
        for _ in 0..ATTEMPTS {
            let loaded = self.load(&who.account, name).await?;
            if let Some(ended) = loaded.call.ended_at()
                && asked.joined_at.is_none_or(|joined_at| ended <= joined_at)
            {
                return Err(CallRefusal::Ended.into());
            }
            // Somebody beyond the largest number of participants is on the call all the same, as one of those
            // of whom nothing is known, who can neither be prompted nor agree. They count from when the first
            // of them arrived.
            let known = loaded.number_of(&asked.id).is_some();
            if known || loaded.names.len() < MAX_PARTICIPANTS {
                if let Some(decision) = self.try_join(who, loaded, asked).await? {
                    return Ok(decision);
                }
                continue;
            }
            if loaded.names.len() > MAX_PARTICIPANTS && asked.joined_at.is_none() {
                return Err(one_too_many(self.decision(&loaded).await));
            }
            if let Some(decision) = self.try_join(who, loaded, &Participant::others(asked.joined_at)).await? {
                return Err(one_too_many(decision));
            }
        }
        Err(Fault::contended())
    }

    async fn try_join(
        &self,
        who: &Principal,
        mut loaded: Loaded,
        asked: &Participant,
    ) -> Result<Option<Decision>, Fault> {
        let now = loaded.now;
        let mut job = Job::default();
        let known = loaded.row_of(&asked.id).and_then(|row| u32::try_from(row.participant).ok());
        let number = match known {
            Some(number) => number,
            None => u32::try_from(loaded.names.len()).map_err(|_| Fault::damaged("too many participants"))?,
        };
        let on = (loaded.call.kind(), loaded.context.purposes.as_slice());
        let mut joined = self.describe(&who.account, number, asked, on, &mut job.expects).await?;
        let subjects = self.subject(&who.account, number, asked.number.as_deref(), &mut job).await?;
        if let Some((number, pseudonym)) = &subjects {
            joined.alike = trail::alike(&loaded.subjects, &loaded.objectors, *number, pseudonym);
        }
        job.changes.push(participant_change(loaded.uid, asked, &joined));
        let event = Event { received_at: now, at: None, what: What::Joined(joined) };
        loaded.call.apply(&event);
        if known.is_none() {
            Arc::make_mut(&mut loaded.names).push(crate::ledger::ParticipantRow {
                participant: i64::from(number),
                id: asked.id.clone(),
                number: asked.number.clone(),
                ip: asked.ip.clone(),
                consent_grant: asked.consent_grant.clone(),
            });
        }
        let body = Body::Event {
            facts: event,
            subjects: subjects.into_iter().collect(),
            reported_by: None,
            late: false,
            saw: loaded.saw(),
        };
        job.expects.extend(loaded.expects());
        job.entries.push(loaded.draft(who, now, body, Some(json!({"participant": asked.id})))?);
        match self.append(job).await? {
            Appended::Conflict => Ok(None),
            Appended::Done => Ok(Some(self.decision(&loaded).await)),
        }
    }

    /// A call's decision, as it stands now.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the call is unknown.
    pub async fn decide(&self, who: &Principal, name: &str) -> Result<Decision, Fault> {
        Ok(self.decision(&self.load(&who.account, name).await?).await)
    }

    /// A call's state: its participants, its decision, its lawful intervals and windows.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the call is unknown.
    pub async fn show(&self, who: &Principal, name: &str) -> Result<answer::Call, Fault> {
        let loaded = self.load(&who.account, name).await?;
        let now = loaded.now;
        Ok(answer::Call {
            call: loaded.row.id.clone(),
            opened_at: crate::gate::from_row(loaded.row.opened_at).into(),
            ended_at: loaded.call.ended_at().map(Moment),
            purposes: loaded.context.purposes.clone(),
            direction: loaded.context.direction,
            aliases: loaded.context.aliases.clone(),
            decision: self.decision(&loaded).await,
            timeline: answer::Timeline::new(&loaded.call, now, &loaded.called()),
        })
    }

    /// The decision on a call as it stands now.
    pub(in crate::gate) async fn decision(&self, loaded: &Loaded) -> Decision {
        self.decision_with(loaded, None).await
    }

    /// The decision on a call as it stands now, with what was decided of a use that was refused.
    pub(in crate::gate) async fn decision_with(
        &self,
        loaded: &Loaded,
        refused: Option<policy::UseDecision>,
    ) -> Decision {
        let mut decision = loaded.call.decide(loaded.now);
        if let Some(refused) = refused {
            decision.uses.retain(|one| one.of != refused.of);
            decision.uses.push(refused);
        }
        if self.barred.holds(loaded) {
            decision = decision.barred();
        }
        let names = self.with_prompts(&loaded.row.account, &[&decision], loaded.called()).await;
        let max_bytes = self.max_bytes(&loaded.row.account).await;
        Decision { max_bytes, ..Decision::new(loaded.table.digest(), &decision, &names) }
    }

    /// The most bytes that a recording of the account may have. If the ledger does not answer, the fewest that any
    /// account's may.
    async fn max_bytes(&self, account: &str) -> Option<u64> {
        match self.settings_now(account).await {
            Ok((settings, _)) => settings.format.max_bytes(),
            Err(fault) => {
                tracing::warn!(code = %fault.code(), "how an account's recordings are sealed cannot be read for an answer");
                Format::ALL.into_iter().filter_map(Format::max_bytes).min()
            }
        }
    }

    /// Adds the account's names of prompts that do not count. If the ledger does not answer, the gateway's
    /// ids stand in: no decision depends on the names.
    pub(in crate::gate) async fn with_prompts(
        &self,
        account: &str,
        decisions: &[&policy::Decision],
        mut names: Names,
    ) -> Names {
        let people = decisions.iter().flat_map(|decision| &decision.participants);
        let uncounted = people.filter_map(policy::ParticipantDecision::uncounted);
        let versions: BTreeSet<String> = uncounted.map(|prompt| prompt.version.clone()).collect();
        if versions.is_empty() {
            return names;
        }
        match self.ledger.prompt_versions(account, &versions.into_iter().collect::<Vec<_>>()).await {
            Ok(rows) => names.prompts.extend(rows.into_iter().map(|row| (row.uid, row.id))),
            Err(error) => tracing::warn!(error = %Chain(&error), "prompts cannot be named in an answer"),
        }
        names
    }

    /// Refuses an alias that belongs to another open call; one of an ended call is free.
    async fn free_alias(&self, account: &str, alias: &str) -> Result<Option<Uuid>, Fault> {
        let Some(row) = self.ledger.call_by_name(account, alias).await? else { return Ok(None) };
        let loaded = self.load_row(row).await?;
        if loaded.call.ended_at().is_none() {
            return Err(CallRefusal::AliasInUse { alias: alias.into() }.into());
        }
        Ok(Some(loaded.uid))
    }

    /// Describes a participant for the policy: their places, and the grant that they name, on a call of this
    /// kind and for these purposes.
    pub(in crate::gate) async fn describe(
        &self,
        account: &str,
        number: u32,
        asked: &ask::Participant,
        (kind, purposes): (policy::Kind, &[String]),
        expects: &mut Vec<Expect>,
    ) -> Result<Joined, Fault> {
        let mut joined = joined(&self.locator, kind, number, asked)?;
        if let Some(id) = &asked.consent_grant {
            match self.granted(account, id, asked, purposes).await? {
                Ok(grant) => {
                    expects.push(Expect::GrantHolds { account: account.into(), id: id.clone() });
                    joined.grant = Some(grant);
                }
                Err(refused) => joined.refused_grant = Some(refused),
            }
        }
        Ok(joined)
    }

    /// The grant that a participant names, or why it does not count for them.
    pub(in crate::gate) async fn granted(
        &self,
        account: &str,
        id: &str,
        asked: &Participant,
        purposes: &[String],
    ) -> Result<Result<policy::Grant, RefusedGrant>, Fault> {
        let Some(row) = self.ledger.grant(account, id).await? else { return Ok(Err(RefusedGrant::Unknown)) };
        let grant: ConsentGrant = serde_json::from_str(&row.document)
            .map_err(|_| Fault::damaged("a consent grant cannot be read"))?;
        if row.withdrawn_at.is_some() {
            return Ok(Err(RefusedGrant::Withdrawn));
        }
        if !is_subject(&grant.subject, asked) {
            return Ok(Err(RefusedGrant::OtherSubject));
        }
        if grant.role != asked.role {
            return Ok(Err(RefusedGrant::OtherRole));
        }
        if !policy::told::Named::by(&grant.purposes).covers(purposes) {
            return Ok(Err(RefusedGrant::OtherPurpose));
        }
        Ok(Ok(policy::Grant {
            grant: row.uid,
            works_agreement: is_works_agreement(&grant.basis),
            written: grant.written,
            by_guardian: grant.given_by == GivenBy::Guardian,
            purposes: (!grant.purposes.is_empty())
                .then(|| policy::Purposes::of(grant.purposes.iter().map(String::as_str))),
            from: grant.from.unwrap_or_else(|| crate::gate::from_row(row.created_at)),
            until: grant.until,
        }))
    }
}

impl Loaded {
    /// Those who still object when a call of the same id is opened again: on this call, or on one before it
    /// if they were not seen on this one. An objection follows the person for a day.
    fn objectors_since(&self, now: Timestamp) -> Vec<(String, Timestamp)> {
        let ended = self.call.ended_at().unwrap_or(self.call.last());
        if now.duration_since(ended) > FOLLOWS_FOR {
            return Vec::new();
        }
        let known = |p: u32| self.subjects.iter().filter(move |(of, _)| *of == p).map(|(_, subject)| subject);
        let here = |subject: &String| self.subjects.iter().any(|(_, other)| other == subject);
        let mut objectors: Vec<(String, Timestamp)> =
            self.objectors.iter().filter(|(subject, _)| !here(subject)).cloned().collect();
        for (participant, since) in self.call.objectors() {
            objectors.extend(known(participant).map(|subject| (subject.clone(), since)));
        }
        objectors.sort();
        // If one person objected several times, the first objection counts.
        objectors.dedup_by(|later, first| later.0 == first.0);
        objectors
    }

    /// The platform's names for everybody who was ever on the call.
    pub(in crate::gate) fn called(&self) -> Names {
        called(&self.names)
    }
}

fn one_too_many(decision: Decision) -> Fault {
    Fault::from(CallRefusal::OneTooMany).deciding(decision)
}

/// A works agreement binds the employer; it is not the employee's own consent.
pub(in crate::gate) fn is_works_agreement(basis: &str) -> bool {
    let plain: String =
        basis.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    WORKS_AGREEMENTS.iter().any(|words| plain.contains(words))
}

/// The locations of the account and of the call: neither replaces the other.
fn both(account: Option<policy::Code>, call: Option<policy::Code>) -> Vec<policy::Code> {
    let mut places: Vec<policy::Code> = account.into_iter().chain(call).collect();
    places.dedup();
    places
}

/// A number binds everybody who has it, and nobody with another number, whatever their id.
fn is_subject(subject: &str, asked: &Participant) -> bool {
    let number = |text: &str| crate::locate::e164(text).ok();
    match (number(subject), asked.number.as_deref()) {
        (Some(subject), Some(asked)) => number(asked).is_some_and(|asked| asked == subject),
        (Some(_), None) | (None, _) => subject == asked.id,
    }
}

/// Only a grant that counts is stored: its withdrawal has to find all who rely on it, and nobody else.
fn participant_change(call: Uuid, asked: &ask::Participant, joined: &Joined) -> Change {
    Change::Participant {
        call,
        participant: joined.participant,
        id: asked.id.clone(),
        number: asked.number.clone(),
        ip: asked.ip.clone(),
        grant: joined.grant.as_ref().and(asked.consent_grant.clone()),
    }
}

fn digest(asked: &OpenCall) -> Result<String, Fault> {
    let bytes = serde_json::to_vec(asked).map_err(|_| Fault::damaged("a request cannot be written"))?;
    Ok(hex(&Sha256::digest(bytes)))
}

/// How far the sender's clock is off, in milliseconds, if the request claims a time.
pub(in crate::gate) fn offset_ms(claimed: Option<Timestamp>, now: Timestamp) -> Option<i64> {
    claimed.map(|at| at.as_millisecond().saturating_sub(now.as_millisecond()))
}

/// How long an objection bars the calls that are opened under the same id.
const FOLLOWS_FOR: SignedDuration = SignedDuration::from_hours(24);

const WORKS_AGREEMENTS: &[&str] = &[
    "works agreement",
    "works council",
    "company agreement",
    "collective agreement",
    "collective bargaining",
    "betriebsvereinbarung",
    "tarifvertrag",
    "accord d entreprise",
];
