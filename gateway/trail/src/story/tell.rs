//! From entries to a story.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use policy::{AnsweredBy, Event, Heard, Joined, Opened, Place, Use, What};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::super::Body;
use super::{
    Act, ActKind, Gap, How, Person, Prompt, Read, Recording, Refusal, Refused, Relied, Standing, Stay, Story,
    Text, Word,
};

pub(super) fn tell(call: Uuid, entries: &[Read]) -> Option<Story> {
    let mut teller = Teller::open(call, entries)?;
    for read in entries {
        teller.entry(read);
    }
    Some(teller.close())
}

pub(super) struct Teller<'e> {
    pub(super) story: Story,
    late: SignedDuration,
    /// The entry since which each has been on the call without a break.
    arrived: BTreeMap<u32, u64>,
    /// Participants about whom something may be missing until they are named again.
    pub(super) doubted: BTreeSet<u32>,
    /// The entries that registered prompts and grants, by the gateway's ids of these.
    registered: BTreeMap<String, &'e Read>,
    withdrawn: BTreeMap<String, Timestamp>,
    /// How many acts were searched for somebody's express yes and held none.
    pub(super) looked: BTreeMap<u32, usize>,
}

impl<'e> Teller<'e> {
    /// The story of a call at its opening.
    fn open(call: Uuid, entries: &'e [Read]) -> Option<Teller<'e>> {
        let own = || entries.iter().filter(|read| read.leaf.call == Some(call));
        let (read, facts) = own().find_map(|read| {
            if let Body::Opened { facts, .. } = &read.leaf.body { Some((read, facts)) } else { None }
        })?;
        let saw = own().rev().find_map(|read| read.leaf.body.saw())?.clone();
        let named = || facts.purposes.iter().map(|purpose| purpose.as_str().to_owned()).collect();
        let story = Story {
            call,
            name: read.text("call"),
            aliases: read.told("aliases").unwrap_or_default(),
            medium: facts.medium,
            kind: facts.kind,
            direction: read.text("direction"),
            purposes: read.told("purposes").unwrap_or_else(named),
            lawful_basis: facts.settings.lawful_basis.clone(),
            opened_at: read.leaf.at,
            started_at: facts.started_at,
            ended_at: None,
            closed_at: None,
            operator_locations: facts.operator_locations.clone(),
            recorder_locations: facts.recorder_locations.clone(),
            saw,
            people: BTreeMap::new(),
            prompts: BTreeMap::new(),
            acts: Vec::new(),
            grants: Vec::new(),
            gaps: Vec::new(),
            recordings: Vec::new(),
            refusals: Vec::new(),
            asked: Vec::new(),
        };
        let registers = |read: &'e Read| Some((read.leaf.body.registers()?.to_string(), read));
        Some(Teller {
            story,
            late: SignedDuration::from_secs(i64::from(facts.settings.late_evidence_seconds)),
            arrived: BTreeMap::new(),
            doubted: BTreeSet::new(),
            registered: entries.iter().filter_map(registers).collect(),
            withdrawn: BTreeMap::new(),
            looked: BTreeMap::new(),
        })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: other entries say nothing of it")]
    fn entry(&mut self, read: &Read) {
        if read.leaf.call.is_some_and(|call| call != self.story.call) {
            return;
        }
        match &read.leaf.body {
            Body::Opened { facts, .. } => self.opened(read, facts),
            Body::Event { facts, late, .. } => self.event(read, facts, *late),
            Body::Deleted { recording } => self.recording(*recording, |stored| {
                stored.deleted_at = Some(read.leaf.at);
            }),
            Body::Held { recording, held } => self.recording(*recording, |stored| stored.held = *held),
            Body::Fetched { recording, .. } => self.recording(*recording, |stored| {
                stored.fetched = stored.fetched.saturating_add(1);
            }),
            Body::GrantWithdrawn { grant } => {
                self.withdrawn.insert(grant.to_string(), read.leaf.at);
            }
            Body::Gap { from, until, .. } => self.gap(read, *from, *until),
            _ => {}
        }
        for (number, pseudonym) in read.leaf.body.subjects() {
            if let Some(person) = self.person(*number) {
                person.pseudonym = Some(pseudonym.clone());
            }
        }
        let Some(saw) = read.leaf.body.saw() else { return };
        self.saw(read, saw);
        match &read.leaf.body {
            // A recording's story tells what was recorded.
            Body::ControlRefused { of: Use::Transcribe | Use::Stream | Use::Analyse, .. } => {}
            Body::ControlRefused { of: Use::Record, code, .. } => {
                self.missing(read, saw, saw.why);
                self.refused(read, code.code(), Refused::Control);
            }
            Body::Refused { code, uncovered, .. } => {
                self.missing(read, saw, uncovered.iter().map(|(_, _, why)| *why).chain(saw.why));
                let (name, uncovered) = (read.text("name"), uncovered.clone());
                self.refused(read, code.code(), Refused::Upload { name, uncovered });
            }
            Body::Unasked { .. } => {
                let refused = Refused::Upload { name: read.text("name"), uncovered: Vec::new() };
                self.refused(read, "unasked-recording", refused);
            }
            Body::Accepted {
                recording,
                envelope,
                media,
                bytes,
                keys,
                spans,
                silenced,
                keep_until,
                delete_by,
                ..
            } => self.story.recordings.push(Recording {
                id: *recording,
                name: read.text("name"),
                bytes: *bytes,
                media: media.clone(),
                envelope: envelope.clone(),
                keys: keys.clone(),
                spans: spans.clone(),
                silenced: silenced.clone(),
                accepted_at: read.leaf.at,
                keep_until: *keep_until,
                delete_by: *delete_by,
                deleted_at: None,
                held: false,
                fetched: 0,
                entry: read.index,
            }),
            _ => {}
        }
    }

    fn opened(&mut self, read: &Read, facts: &Opened) {
        let ids: BTreeMap<u32, String> = read.people().into_iter().collect();
        for joined in &facts.participants {
            self.joined(read, joined, facts.started_at, ids.get(&joined.participant).cloned());
        }
    }

    fn joined(&mut self, read: &Read, joined: &Joined, otherwise: Timestamp, id: Option<String>) {
        let (number, logged_at) = (joined.participant, read.leaf.at);
        self.doubted.remove(&number);
        let person = self.story.people.entry(number).or_insert_with(|| Person {
            number,
            role: joined.role,
            is_person: false,
            machine: false,
            minor: false,
            id: None,
            pseudonym: None,
            places: Vec::new(),
            languages: Vec::new(),
            stays: Vec::new(),
            told: Vec::new(),
            words: Vec::new(),
            states: Vec::new(),
        });
        person.is_person |= joined.is_person();
        if person.role == policy::Role::System {
            person.role = joined.role;
        }
        person.id = person.id.take().or(id);
        if !joined.languages.is_empty() {
            person.languages.clone_from(&joined.languages);
        }
        person.learn(&joined.places);
        let from = joined.joined_at.unwrap_or(otherwise).min(logged_at);
        match person.stays.last_mut() {
            Some(stay) if stay.gone.is_none() => stay.from = stay.from.min(from),
            Some(_) | None => {
                person.stays.push(Stay { from, left: None, gone: None });
                self.arrived.insert(number, read.index);
            }
        }
        let Some(grant) = &joined.grant else { return };
        person.is_told(logged_at, &grant.grant, false);
        let registered = self.registered.get(&grant.grant);
        let document = registered.and_then(|read| read.detail.as_ref()?.get("document"));
        self.story.grants.push(Relied {
            grant: grant.grant.clone(),
            participant: number,
            named_at: logged_at,
            id: registered.and_then(|read| read.text("grant")),
            basis: text(document, "basis"),
            text_version: text(document, "text_version"),
            evidence_sha256: text(document, "evidence_sha256"),
            written: grant.written,
            by_guardian: grant.by_guardian,
            works_agreement: grant.works_agreement,
            from: grant.from,
            until: grant.until,
            withdrawn_at: None,
            entry: registered.map(|read| read.index),
        });
        self.act(read, ActKind::Named(grant.grant.clone()), &[number], grant.from);
    }

    fn event(&mut self, read: &Read, event: &Event, late: bool) {
        let now = event.received_at;
        // Whatever tightens counts from when it happened.
        let tight = event.at.map_or(now, |at| at.min(now));
        let loose = if late { self.late_from(event) } else { now };
        let before = self.story.acts.len();
        match &event.what {
            What::PromptStarted { participants, prompt } => {
                self.heard(prompt);
                self.act(read, ActKind::Began { version: prompt.version.clone() }, participants, now);
            }
            What::PromptCompleted { participants, prompt, played_ms } => {
                self.heard(prompt);
                let what = ActKind::Prompted { version: prompt.version.clone(), played_ms: *played_ms };
                self.act(read, what, participants, loose);
            }
            What::PromptInterrupted { participants } => {
                self.act(read, ActKind::Interrupted, participants, now);
            }
            What::ConsentGiven { participants, method } => {
                // Nobody agrees to a prompt before it was played to them.
                let prompts =
                    self.story.acts.iter().filter(|act| matches!(act.what, ActKind::Prompted { .. }));
                let theirs = prompts.filter(|act| act.participants.iter().any(|p| participants.contains(p)));
                let from = theirs.map(|act| act.at).chain([loose]).max().unwrap_or(loose);
                self.act(read, ActKind::Given(*method), participants, from);
            }
            What::ConsentDeclined { participants } => {
                self.objected(participants, tight);
                self.act(read, ActKind::Declined, participants, tight);
            }
            What::ConsentWithdrawn { participants } => {
                self.objected(participants, tight);
                self.act(read, ActKind::Withdrawn, participants, tight);
            }
            What::AnnouncementRecorded { participants } => {
                self.act(read, ActKind::Announced, participants, loose);
            }
            What::Joined(joined) => self.joined(read, joined, now, read.text("participant")),
            What::Located { participant, places, .. } => {
                if let Some(person) = self.person(*participant) {
                    // Somebody who can be located is a person.
                    person.is_person = true;
                    person.learn(places);
                }
            }
            What::Answered { participant, by } => self.answered(*participant, *by),
            What::Left { participants } => {
                for number in participants {
                    let stay = self.person(*number).and_then(|person| person.stays.last_mut());
                    if let Some(stay) = stay.filter(|stay| stay.gone.is_none()) {
                        (stay.left, stay.gone) = (Some(tight), Some(read.leaf.at));
                    }
                }
            }
            What::Held { participants, .. } => self.held(participants, tight),
            What::Minor { participants } => {
                self.same_numbers(participants).into_iter().for_each(|number| self.found_minor(number));
            }
            What::Emergency => self.story.kind = policy::Kind::Emergency,
            What::Ended => {
                let ended = self.story.ended_at.map_or(tight, |ended| ended.min(tight));
                self.story.ended_at = Some(ended);
                self.story.closed_at.get_or_insert(read.leaf.at);
            }
            What::ToneStarted
            | What::ToneStopped
            | What::Retrieved { .. }
            | What::Control(_)
            | What::Use { .. }
            | What::RecordingStarted
            | What::RecordingPaused
            | What::RecordingResumed
            | What::RecordingStopped
            | What::Accepted { .. }
            | What::Gap => {}
        }
        let evidence = read.detail.as_ref().and_then(|detail| detail.pointer("/event/evidence"));
        for act in self.story.acts.iter_mut().skip(before) {
            act.late = late;
            act.evidence = evidence.filter(|evidence| !evidence.is_null()).cloned();
        }
    }

    /// They no longer agree to what they were told.
    fn objected(&mut self, participants: &[u32], from: Timestamp) {
        for number in participants {
            let Some(person) = self.person(*number) else { continue };
            for text in person.told.iter_mut().filter(|text| text.is_prompt && text.until.is_none()) {
                text.until = Some(from.max(text.at));
            }
        }
    }

    /// What was played to them since counts for nothing, nor what they answered to it. What the policy still
    /// counts, the same entry says again.
    fn held(&mut self, participants: &[u32], from: Timestamp) {
        for number in participants {
            let Some(person) = self.person(*number) else { continue };
            person.told.retain(|text| !text.is_prompt || text.at <= from);
            person.words.retain(|word| word.from <= from || !word.is_of_the_call());
        }
    }

    /// These participants, and everybody with the phone number of one of them.
    fn same_numbers(&self, participants: &[u32]) -> Vec<u32> {
        let number_of = |person: &Person| person.pseudonym.clone();
        let known: Vec<String> =
            participants.iter().filter_map(|one| self.story.people.get(one).and_then(number_of)).collect();
        let alike = |person: &&Person| {
            participants.contains(&person.number) || person.pseudonym.iter().any(|p| known.contains(p))
        };
        self.story.people.values().filter(alike).map(|person| person.number).collect()
    }

    /// What a minor says themselves counts for nothing.
    fn found_minor(&mut self, number: u32) {
        let guarded: Vec<String> = self
            .story
            .grants_of(number)
            .filter(|relied| relied.by_guardian)
            .map(|relied| relied.grant.clone())
            .collect();
        let Some(person) = self.person(number) else { return };
        person.minor = true;
        person.words.retain(|word| match &word.standing {
            Standing::Granted(How::Before(grant)) => guarded.contains(grant),
            Standing::Granted(How::Stayed | How::Said(_)) => false,
            Standing::Denied(_) => true,
        });
    }

    /// From when a late report counts that loosens: as much before it was logged as the account allows.
    pub(super) fn late_from(&self, event: &Event) -> Timestamp {
        let now = event.received_at;
        let earliest = now.checked_sub(self.late).unwrap_or(now);
        event.at.map_or(now, |at| at.min(now)).max(earliest)
    }

    /// The trail could not be written for a while: it is in doubt what was said meanwhile, and to whom.
    fn gap(&mut self, read: &Read, from: Timestamp, until: Timestamp) {
        let is_here = |person: &&Person| {
            person.is_person && person.stays.last().is_some_and(|stay| stay.gone.is_none())
        };
        let here: Vec<u32> = self.story.people.values().filter(is_here).map(|person| person.number).collect();
        if self.story.ended_at.is_some() || here.is_empty() {
            return;
        }
        for number in here {
            self.doubted.insert(number);
            if self.person(number).and_then(|person| person.words.last()).is_some_and(Word::is_granted) {
                self.end(number, from);
            }
        }
        self.story.gaps.push(Gap { from, until, entry: read.index });
    }

    fn heard(&mut self, prompt: &Heard) {
        let registered = self.registered.get(&prompt.version);
        let told = |key: &str| registered.and_then(|read| read.detail.as_ref()?.get(key));
        self.story.prompts.entry(prompt.version.clone()).or_insert_with(|| Prompt {
            id: registered.and_then(|read| read.text("prompt")),
            version: told("version").and_then(Value::as_u64),
            text: text(told("document"), "text"),
            language: prompt.language.clone(),
            duration_ms: prompt.duration_ms,
            entry: registered.map(|read| read.index),
        });
    }

    fn act(&mut self, read: &Read, what: ActKind, participants: &[u32], at: Timestamp) {
        self.story.acts.push(Act {
            what,
            participants: participants.to_vec(),
            at,
            logged_at: read.leaf.at,
            late: false,
            evidence: None,
            entry: read.index,
        });
    }

    /// If a machine answered, nobody was there: what it was told, or said, counts for nobody.
    fn answered(&mut self, number: u32, by: AnsweredBy) {
        let arrived = self.arrived.get(&number).copied().unwrap_or(0);
        let Some(person) = self.person(number) else { return };
        person.machine = by == AnsweredBy::Machine;
        if person.machine {
            person.words.retain(|word| word.entry < arrived || matches!(word.standing, Standing::Denied(_)));
            let came = person.stays.last().map(|stay| stay.from);
            person.told.retain(|text| !text.is_prompt || came.is_some_and(|came| text.at < came));
        }
    }

    fn refused(&mut self, read: &Read, code: &'static str, what: Refused) {
        self.story.refusals.push(Refusal { what, code, at: read.leaf.at, entry: read.index });
    }

    fn recording(&mut self, id: Uuid, change: impl FnOnce(&mut Recording)) {
        if let Some(stored) = self.story.recordings.iter_mut().find(|stored| stored.id == id) {
            change(stored);
        }
    }

    pub(super) fn person(&mut self, number: u32) -> Option<&mut Person> {
        self.story.people.get_mut(&number)
    }

    /// A grant may be withdrawn when the call is long over, and no event of the call says so then.
    fn close(mut self) -> Story {
        for relied in &mut self.story.grants {
            relied.withdrawn_at = self.withdrawn.get(&relied.grant).copied();
        }
        for word in self.story.people.values_mut().flat_map(|person| &mut person.words) {
            if let Standing::Granted(How::Before(grant)) = &word.standing
                && let Some(at) = self.withdrawn.get(grant).copied()
            {
                word.end(at);
            }
        }
        self.story
    }
}

impl Read {
    /// What the platform calls those who are on the call from this entry on, by their numbers.
    pub(crate) fn people(&self) -> Vec<(u32, String)> {
        if matches!(self.leaf.body, Body::Opened { .. }) {
            let ids: Vec<String> = self.told("participants").unwrap_or_default();
            return (0..).zip(ids).collect();
        }
        let joined = self.leaf.body.joined().iter().map(|joined| joined.participant);
        joined.filter_map(|number| Some((number, self.text("participant")?))).collect()
    }

    /// A text of its detail.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        text(self.detail.as_ref(), key)
    }

    /// A part of its detail.
    fn told<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        T::deserialize(self.detail.as_ref()?.get(key)?).ok()
    }
}

impl Person {
    fn learn(&mut self, places: &[Place]) {
        for place in places {
            if !self.places.contains(place) {
                self.places.push(*place);
            }
        }
    }

    /// Notes that they know a text from a moment on. The first time counts.
    pub(super) fn is_told(&mut self, at: Timestamp, uid: &str, is_prompt: bool) {
        if !self.told.iter().any(|text| text.uid == uid && text.until.is_none()) {
            self.told.push(Text { at, until: None, uid: uid.to_owned(), is_prompt });
        }
    }
}

fn text(object: Option<&Value>, key: &str) -> Option<String> {
    object.and_then(|object| object.get(key)?.as_str()).map(ToOwned::to_owned)
}
