//! From entries to a record.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use policy::{AnsweredBy, Event, Heard, Joined, Opened, Place, What};
use serde_json::Value;
use uuid::Uuid;

use super::registered::Registered;
use super::{
    Act, ActKind, Entry, Extras, Gap, Logged, Person, Prompt, Record, RecordError, Refusal, Refused, Relied,
    Standing, Stored, Where, Word,
};
use crate::trail::{self, Body, Leaf};

pub(super) fn record(entries: &[Entry], extras: Extras<'_>) -> Result<Record, RecordError> {
    let leaves = read(entries)?;
    let mut fold = Fold::open(&leaves, &extras)?;
    for read in &leaves {
        fold.entry(read, &extras);
    }
    Ok(fold.close(extras))
}

/// An entry that was read.
pub(super) struct Read<'e> {
    pub(super) index: u64,
    pub(super) leaf: Leaf,
    pub(super) detail: Option<&'e Value>,
    pub(super) logged: Logged,
}

fn read(entries: &[Entry]) -> Result<Vec<Read<'_>>, RecordError> {
    let mut leaves: Vec<Read<'_>> = Vec::with_capacity(entries.len());
    for entry in entries {
        let index = entry.index;
        if leaves.last().is_some_and(|last| index <= last.index) {
            return Err(RecordError::Order { index });
        }
        let leaf: Leaf = serde_json::from_slice(&entry.leaf)
            .map_err(|source| RecordError::Unreadable { index, source })?;
        let logged = Logged {
            kind: leaf.kind.clone(),
            at: leaf.at,
            leaf: String::from_utf8_lossy(&entry.leaf).into_owned(),
            leaf_hash: trail::leaf_hash(&entry.leaf),
            proof: None,
        };
        leaves.push(Read { index, leaf, detail: entry.detail.as_ref(), logged });
    }
    Ok(leaves)
}

pub(super) struct Fold {
    pub(super) record: Record,
    late: SignedDuration,
    /// Since which entry everybody has been on the call without a break.
    arrived: BTreeMap<u32, u64>,
    /// Of whom something may be missing until they are named again.
    pub(super) doubted: BTreeSet<u32>,
    pub(super) prompts: BTreeMap<String, Registered>,
    pub(super) grants: BTreeMap<String, Registered>,
    pub(super) withdrawn: BTreeMap<String, Timestamp>,
}

impl Fold {
    /// The record of the call that is opened, before anything happened on it.
    fn open(leaves: &[Read<'_>], extras: &Extras<'_>) -> Result<Fold, RecordError> {
        let mut opening = leaves.iter().filter(|read| matches!(read.leaf.body, Body::Opened { .. }));
        let first = opening.next().ok_or(RecordError::NotOpened)?;
        if let Some(second) = opening.next() {
            return Err(RecordError::Several { index: second.index });
        }
        let (Body::Opened { facts, saw, .. }, Some(call)) = (&first.leaf.body, first.leaf.call) else {
            return Err(RecordError::NotOpened);
        };
        let told = |key: &str| first.detail.and_then(|detail| detail.get(key));
        let purposes =
            match told("purposes").and_then(|purposes| serde_json::from_value(purposes.clone()).ok()) {
                Some(purposes) => purposes,
                None => facts.purposes.iter().map(|purpose| purpose.as_str().to_owned()).collect(),
            };
        let record = Record {
            account: extras.account.clone(),
            controller: extras.controller.clone(),
            origin: extras.origin.clone(),
            log_url: extras.log_url.clone(),
            exported_at: extras.exported_at,
            call,
            call_id: extras.call_id.clone().or_else(|| text(first.detail, "call")),
            medium: facts.medium,
            kind: facts.kind,
            direction: text(first.detail, "direction"),
            purposes,
            opened_at: first.leaf.at,
            started_at: facts.started_at,
            ended_at: None,
            operator_locations: facts.operator_locations.clone(),
            recorder_locations: facts.recorder_locations.clone(),
            table: saw.table.clone(),
            policy: saw.policy.clone(),
            requirement: saw.requirement.clone(),
            people: Vec::new(),
            prompts: BTreeMap::new(),
            acts: Vec::new(),
            grants: Vec::new(),
            gaps: Vec::new(),
            recordings: Vec::new(),
            refusals: Vec::new(),
            logged: BTreeMap::new(),
        };
        Ok(Fold {
            record,
            late: SignedDuration::from_secs(i64::from(facts.settings.late_evidence_seconds)),
            arrived: BTreeMap::new(),
            doubted: BTreeSet::new(),
            prompts: BTreeMap::new(),
            grants: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
        })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: other entries say nothing of it")]
    fn entry(&mut self, read: &Read<'_>, extras: &Extras<'_>) {
        if read.leaf.call.is_some_and(|call| call != self.record.call) {
            return;
        }
        if read.leaf.call.is_some() {
            let proof = extras.proofs.get(&read.index).cloned();
            self.record.logged.insert(read.index, Logged { proof, ..read.logged.clone() });
        }
        match &read.leaf.body {
            Body::Opened { facts, subjects, saw, .. } => {
                self.opened(read, facts, extras);
                self.pseudonyms(subjects);
                self.saw(read, saw);
            }
            Body::Event { facts, subjects, reported_by, late, saw } => {
                self.event(read, facts, reported_by.as_deref(), *late, extras);
                self.pseudonyms(subjects);
                self.saw(read, saw);
            }
            Body::ControlRefused { code, saw, .. } => {
                self.saw(read, saw);
                self.missing(read, saw, saw.why);
                self.refused(read, code.code(), Refused::Control);
            }
            Body::Refused { code, uncovered, saw, .. } => {
                self.saw(read, saw);
                self.missing(read, saw, uncovered.iter().map(|(_, _, why)| *why).chain(saw.why));
                let (name, uncovered) = (text(read.detail, "name"), uncovered.clone());
                self.refused(read, code.code(), Refused::Upload { name, uncovered });
            }
            Body::Accepted { saw, .. } => {
                self.saw(read, saw);
                self.accepted(read, extras);
            }
            Body::Deleted { recording } => self.recording(*recording, |stored| {
                stored.deleted_at = Some(read.leaf.at);
            }),
            Body::Held { recording, held } => self.recording(*recording, |stored| stored.held = *held),
            Body::Prompt { version, .. } => {
                let registered = Registered::of(read, "prompt", extras);
                self.prompts.insert(version.to_string(), registered);
            }
            Body::Grant { grant, .. } => {
                let registered = Registered::of(read, "grant", extras);
                self.grants.insert(grant.to_string(), registered);
            }
            Body::GrantWithdrawn { grant } => {
                self.withdrawn.insert(grant.to_string(), read.leaf.at);
            }
            Body::Gap { from, until, .. } => self.gap(read, *from, *until, extras),
            _ => {}
        }
    }

    fn opened(&mut self, read: &Read<'_>, facts: &Opened, extras: &Extras<'_>) {
        let ids: Vec<String> = read
            .detail
            .and_then(|detail| serde_json::from_value(detail.get("participants")?.clone()).ok())
            .unwrap_or_default();
        for joined in &facts.participants {
            let id = usize::try_from(joined.participant).ok().and_then(|index| ids.get(index)).cloned();
            self.joined(read, joined, facts.started_at, id, extras);
        }
    }

    fn joined(
        &mut self,
        read: &Read<'_>,
        joined: &Joined,
        otherwise: Timestamp,
        id: Option<String>,
        extras: &Extras<'_>,
    ) {
        let number = joined.participant;
        self.doubted.remove(&number);
        let from = joined.joined_at.unwrap_or(otherwise).min(read.leaf.at);
        if let Some(grant) = &joined.grant {
            self.record.grants.push(Relied {
                grant: grant.grant.clone(),
                participant: number,
                id: None,
                basis: None,
                text_version: None,
                evidence_sha256: None,
                written: grant.written,
                works_agreement: grant.works_agreement,
                from: grant.from,
                until: grant.until,
                withdrawn_at: None,
                entry: None,
            });
            self.act(read, ActKind::Named(grant.grant.clone()), &[number], grant.from);
        }
        let known = extras.people.iter().find(|known| known.number == number);
        let people = &mut self.record.people;
        if !people.iter().any(|person| person.number == number) {
            people.push(Person {
                number,
                role: joined.role,
                is_person: false,
                id: known.and_then(|known| known.id.clone()).or(id),
                tel: known.and_then(|known| known.tel.clone()),
                pseudonym: None,
                places: Vec::new(),
                languages: Vec::new(),
                stays: Vec::new(),
                words: Vec::new(),
            });
        }
        let Some(person) = people.iter_mut().find(|person| person.number == number) else { return };
        person.is_person |= joined.is_person();
        if person.role == policy::Role::System {
            person.role = joined.role;
        }
        if !joined.languages.is_empty() {
            person.languages.clone_from(&joined.languages);
        }
        person.learn(&joined.places);
        match person.stays.last_mut() {
            Some((came, None)) => *came = (*came).min(from),
            Some((_, Some(_))) | None => {
                person.stays.push((from, None));
                self.arrived.insert(number, read.index);
            }
        }
    }

    fn pseudonyms(&mut self, subjects: &[(u32, String)]) {
        for (number, pseudonym) in subjects {
            if let Some(person) = self.person(*number) {
                person.pseudonym = Some(pseudonym.clone());
            }
        }
    }

    fn event(
        &mut self,
        read: &Read<'_>,
        event: &Event,
        reported_by: Option<&str>,
        late: bool,
        extras: &Extras<'_>,
    ) {
        let now = event.received_at;
        // What tightens counts from when it happened, what loosens from when it was logged, or by as
        // much earlier as the account allows.
        let tight = event.at.map_or(now, |at| at.min(now));
        let earliest = now.checked_sub(self.late).unwrap_or(now);
        let loose = if late { tight.max(earliest) } else { now };
        let before = self.record.acts.len();
        match &event.what {
            What::PromptStarted { prompt, .. } => self.heard(prompt),
            What::PromptCompleted { participants, prompt, played_ms } => {
                self.heard(prompt);
                let what = ActKind::Prompted { version: prompt.version.clone(), played_ms: *played_ms };
                self.act(read, what, participants, loose);
            }
            What::PromptInterrupted { participants } => {
                self.act(read, ActKind::Interrupted, participants, now);
            }
            What::ConsentGiven { participants, method } => {
                self.act(read, ActKind::Given(*method), participants, loose);
            }
            What::ConsentDeclined { participants } => {
                self.act(read, ActKind::Declined, participants, tight);
            }
            What::ConsentWithdrawn { participants } => {
                self.act(read, ActKind::Withdrawn, participants, tight);
            }
            What::AnnouncementRecorded { participants } => {
                self.act(read, ActKind::Announced, participants, loose);
            }
            What::Joined(joined) => {
                self.joined(read, joined, now, text(read.detail, "participant"), extras);
            }
            What::Located { participant, places, .. } => {
                if let Some(person) = self.person(*participant) {
                    person.is_person = true;
                    person.learn(places);
                }
            }
            What::Answered { participant, by: AnsweredBy::Machine } => self.machine(*participant),
            What::Left { participants } => {
                for number in participants {
                    if let Some(person) = self.person(*number)
                        && let Some((_, left)) = person.stays.last_mut()
                    {
                        left.get_or_insert(tight);
                    }
                }
            }
            What::Ended => {
                self.record.ended_at = Some(self.record.ended_at.map_or(tight, |ended| ended.min(tight)));
            }
            What::Answered { by: AnsweredBy::Human, .. }
            | What::ToneStarted
            | What::ToneStopped
            | What::Control(_)
            | What::RecordingStarted
            | What::RecordingPaused
            | What::RecordingResumed
            | What::RecordingStopped
            | What::Accepted { .. }
            | What::Gap => {}
        }
        let evidence = read.detail.and_then(|detail| detail.pointer("/event/evidence"));
        for act in self.record.acts.iter_mut().skip(before) {
            act.reported_by = reported_by.map(ToOwned::to_owned);
            act.late = late;
            act.evidence = evidence.filter(|evidence| !evidence.is_null()).cloned();
        }
    }

    /// The trail could not be written for a while: what was said meanwhile, and to whom, is in doubt.
    fn gap(&mut self, read: &Read<'_>, from: Timestamp, until: Timestamp, extras: &Extras<'_>) {
        let here: Vec<u32> = self
            .record
            .people
            .iter()
            .filter(|person| person.is_person && matches!(person.stays.last(), Some((_, None))))
            .map(|person| person.number)
            .collect();
        if self.record.ended_at.is_some() || here.is_empty() {
            return;
        }
        for number in here {
            self.doubted.insert(number);
            if self.person(number).and_then(|person| person.words.last()).is_some_and(Word::is_granted) {
                self.end(number, from);
            }
        }
        let proof = extras.proofs.get(&read.index).cloned();
        self.record.logged.insert(read.index, Logged { proof, ..read.logged.clone() });
        self.record.gaps.push(Gap { from, until, entry: read.index });
    }

    fn heard(&mut self, prompt: &Heard) {
        self.record.prompts.entry(prompt.version.clone()).or_insert_with(|| Prompt {
            language: prompt.language.clone(),
            duration_ms: prompt.duration_ms,
            ..Prompt::default()
        });
    }

    fn act(&mut self, read: &Read<'_>, what: ActKind, participants: &[u32], at: Timestamp) {
        self.record.acts.push(Act {
            what,
            participants: participants.to_vec(),
            at,
            reported_by: None,
            late: false,
            evidence: None,
            entry: read.index,
        });
    }

    /// Nobody was there after all: what a machine was told, or said, counts for nobody.
    fn machine(&mut self, number: u32) {
        let arrived = self.arrived.get(&number).copied().unwrap_or(0);
        if let Some(person) = self.person(number) {
            person.words.retain(|word| word.entry < arrived || matches!(word.standing, Standing::Denied(_)));
        }
    }

    fn refused(&mut self, read: &Read<'_>, code: &'static str, what: Refused) {
        self.record.refusals.push(Refusal { what, code, at: read.leaf.at, entry: read.index });
    }

    fn accepted(&mut self, read: &Read<'_>, extras: &Extras<'_>) {
        let Body::Accepted { recording, media, bytes, spans, keep_until, delete_by, .. } = &read.leaf.body
        else {
            return;
        };
        let known = extras.media.iter().find(|known| known.recording == *recording);
        let held = |(from, until): &(Timestamp, Timestamp)| {
            u64::try_from(until.as_millisecond().saturating_sub(from.as_millisecond())).unwrap_or(0)
        };
        self.record.recordings.push(Stored {
            id: *recording,
            name: text(read.detail, "name"),
            content_type: known.map(|known| known.content_type.clone()),
            duration_ms: known.map_or_else(|| spans.iter().map(held).sum(), |known| known.duration_ms),
            bytes: *bytes,
            sha256: media.clone(),
            sha512: known.and_then(|known| known.sha512),
            url: known.and_then(|known| known.url.clone()),
            envelope: known.and_then(|known| known.envelope.clone()),
            spans: spans.clone(),
            accepted_at: read.leaf.at,
            keep_until: *keep_until,
            delete_by: *delete_by,
            deleted_at: None,
            held: false,
            entry: read.index,
        });
    }

    fn recording(&mut self, id: Uuid, change: impl FnOnce(&mut Stored)) {
        if let Some(stored) = self.record.recordings.iter_mut().find(|stored| stored.id == id) {
            change(stored);
        }
    }

    pub(super) fn person(&mut self, number: u32) -> Option<&mut Person> {
        self.record.people.iter_mut().find(|person| person.number == number)
    }
}

impl Person {
    /// A place that is known twice is known by its stronger evidence.
    fn learn(&mut self, places: &[Place]) {
        for place in places {
            match self.places.iter_mut().find(|known| known.place.code == place.code) {
                Some(known) => known.place.evidence = known.place.evidence.max(place.evidence),
                None => self.places.push(Where { place: *place, citations: Vec::new() }),
            }
        }
    }
}

pub(super) fn text(object: Option<&Value>, key: &str) -> Option<String> {
    object.and_then(|object| object.get(key)?.as_str()).map(ToOwned::to_owned)
}
