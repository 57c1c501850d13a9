//! What the entries of a call tell, for people: who was there, what was played, what they answered,
//! and what the law asked.
//!
//! It believes nothing and checks nothing: where an entry cannot be read it is left out, and
//! [`verify_pack`](super::super::pack::verify_pack) is what finds that.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use policy::{Because, Heard, Joined, Method, Place, Role, Table, What};
use serde_json::Value;
use uuid::Uuid;

use super::super::Failure;
use super::super::decisions::Replay;
use super::super::pack::{Entry, Pack};
use super::super::verify::table;
use crate::trail::{Body, Leaf, Said, Saw};

/// A call, told.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) uid: Uuid,
    /// What the platform calls it.
    pub(super) name: Option<String>,
    pub(super) aliases: Vec<String>,
    pub(super) direction: Option<String>,
    pub(super) purposes: Vec<String>,
    pub(super) opened_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) medium: &'static str,
    pub(super) people: BTreeMap<u32, Person>,
    pub(super) played: Vec<Played>,
    pub(super) answers: Vec<Answer>,
    /// What the law asked, from each moment on at which that changed.
    judged: Vec<Judged>,
    /// How everybody stood, from each moment on.
    stood: Vec<Stood>,
    /// The stretches that were recorded.
    pub(super) recorded: Vec<(Timestamp, Timestamp)>,
    /// Why the decisions could not be computed again.
    pub(super) unjudged: Option<String>,
}

/// The tables of a pack, by their digests.
type Tables = BTreeMap<String, Arc<Table>>;

/// Somebody on the call.
#[derive(Debug)]
pub(super) struct Person {
    /// The platform's id of them, where it is disclosed.
    pub(super) name: Option<String>,
    pub(super) role: Role,
    pub(super) places: Vec<Place>,
    pub(super) pseudonym: Option<String>,
    /// They rely on consent that was given before: the grants, each from when.
    pub(super) grants: Vec<(Timestamp, String)>,
    /// How far they had agreed at the end.
    pub(super) state: Option<String>,
}

/// What the law asked from an entry on.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) from: Timestamp,
    pub(super) index: u64,
    pub(super) table: String,
    /// All rules, taken together.
    pub(super) asked: String,
    /// The rules that counted.
    pub(super) rules: Vec<Because>,
}

/// How somebody stood from a moment on, or what the law asked.
#[derive(Debug)]
struct Stood {
    from: Timestamp,
    asked: String,
    states: Vec<(u32, String)>,
}

/// A part of the recording in which nobody's consent changed, nor what the law asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) asked: String,
    /// How far everybody who was there had agreed.
    pub(super) states: BTreeMap<u32, String>,
}

/// A prompt that was played.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) index: u64,
    pub(super) at: Timestamp,
    pub(super) prompt: Heard,
    pub(super) to: Vec<u32>,
    /// How much of it; none where it only began.
    pub(super) played_ms: Option<u64>,
}

/// What somebody answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) index: u64,
    pub(super) at: Timestamp,
    pub(super) by: Vec<u32>,
    pub(super) what: &'static str,
    pub(super) evidence: Vec<(&'static str, String)>,
    pub(super) late: bool,
}

impl Story {
    /// Tells a call of a pack.
    pub(super) fn of(pack: &Pack, uid: Uuid) -> Story {
        let mut story = Story { uid, medium: "not said", ..Story::default() };
        let mut replay: Option<Replay> = None;
        // What is said of the law is how it stood when the recording was accepted.
        let accepted =
            pack.entries.iter().find(|entry| entry.read().is_some_and(|leaf| accepts(pack, &leaf)));
        let settled = accepted.map_or(u64::MAX, |entry| entry.index);
        let read = |(digest, text): (&String, &String)| Some((digest.clone(), table(digest, text).ok()?));
        let tables: Tables = pack.tables.iter().filter_map(read).collect();
        for entry in &pack.entries {
            let Some(leaf) = entry.read() else { continue };
            if leaf.call != Some(uid) {
                if let (Body::Gap { .. }, Some(replay), Some(fact)) = (&leaf.body, &mut replay, leaf.fact()) {
                    replay.gap(&fact);
                }
                continue;
            }
            story.tell(entry, &leaf);
            if let Body::Accepted { recording, spans, .. } = &leaf.body
                && pack.manifest.recording.is_none_or(|about| about == *recording)
            {
                story.recorded.extend(spans);
            }
            if let Some(saw) = leaf.body.saw() {
                if entry.index <= settled {
                    story.judge(&tables, entry.index, &leaf, saw, &mut replay);
                }
                story.stand(&leaf, saw);
            }
        }
        story.recorded.sort_unstable();
        story
    }

    /// The recording, part by part: with who had agreed to what in each, and what the law asked of it.
    pub(super) fn stretches(&self) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for (from, until) in &self.recorded {
            let changes = self.stood.iter().map(|stood| stood.from).filter(|at| from < at && at < until);
            let mut begins: Vec<Timestamp> = [*from].into_iter().chain(changes).collect();
            begins.sort_unstable();
            let ends: Vec<Timestamp> = begins.iter().skip(1).copied().chain([*until]).collect();
            for (begin, end) in begins.into_iter().zip(ends) {
                let (asked, states) = self.standing(begin);
                match stretches.last_mut() {
                    Some(last) if last.until == begin && last.asked == asked && last.states == states => {
                        last.until = end;
                    }
                    _ => stretches.push(Stretch { from: begin, until: end, asked, states }),
                }
            }
        }
        stretches
    }

    /// What the law asked in a moment, and how far everybody who was there had agreed.
    fn standing(&self, at: Timestamp) -> (String, BTreeMap<u32, String>) {
        let (mut asked, mut states) = (String::new(), BTreeMap::new());
        for stood in self.stood.iter().filter(|stood| stood.from <= at) {
            asked.clone_from(&stood.asked);
            states.extend(stood.states.iter().cloned());
        }
        states.retain(|_, state| state != "left");
        (asked, states)
    }

    /// What the law asked of the recording; where nothing was recorded, what it asked last.
    pub(super) fn laws(&self) -> Vec<&Judged> {
        let counts = |(judged, next): &(&Judged, Option<&Judged>)| {
            let ends = next.map_or(Timestamp::MAX, |next| next.from);
            self.recorded.iter().any(|(from, until)| judged.from < *until && *from < ends)
        };
        let next = self.judged.iter().skip(1).map(Some).chain([None]);
        let laws: Vec<&Judged> =
            self.judged.iter().zip(next).filter(counts).map(|(judged, _)| judged).collect();
        if laws.is_empty() { self.judged.last().into_iter().collect() } else { laws }
    }

    /// The grant that somebody relied on in a moment.
    pub(super) fn grant_at(&self, participant: u32, at: Timestamp) -> Option<&str> {
        let grants = &self.people.get(&participant)?.grants;
        grants.iter().rev().find(|(from, _)| *from <= at).map(|(_, grant)| grant.as_str())
    }

    /// The name of a participant.
    pub(super) fn name_of(&self, participant: u32) -> String {
        let name = self.people.get(&participant).and_then(|person| person.name.clone());
        name.unwrap_or_else(|| format!("participant {participant}"))
    }

    /// The names of several.
    pub(super) fn names_of(&self, participants: &[u32]) -> String {
        let mut names: Vec<String> = participants.iter().map(|one| self.name_of(*one)).collect();
        match (names.pop(), names.is_empty()) {
            (Some(last), false) => format!("{} and {last}", names.join(", ")),
            (last, _) => last.unwrap_or_else(|| "nobody".into()),
        }
    }

    fn tell(&mut self, entry: &Entry, leaf: &Leaf) {
        let document = entry.document().unwrap_or_default();
        if let Body::Opened { facts, subjects, .. } = &leaf.body {
            self.opened_at = Some(leaf.at);
            self.medium = medium(facts.medium);
            self.name = text(&document, "call");
            self.direction = text(&document, "direction");
            self.purposes = texts(&document, "purposes");
            self.aliases = texts(&document, "aliases");
            let names = texts(&document, "participants");
            for joined in &facts.participants {
                let at = usize::try_from(joined.participant).unwrap_or(usize::MAX);
                self.joined(leaf.at, joined, names.get(at).cloned(), subjects);
            }
        }
        let Body::Event { facts, subjects, late, .. } = &leaf.body else { return };
        if let What::Joined(joined) = &facts.what {
            self.joined(leaf.at, joined, text(&document, "participant"), subjects);
        }
        if let What::Located { participant, places, .. } = &facts.what
            && let Some(person) = self.people.get_mut(participant)
        {
            person.add_places(places);
        }
        if let What::Ended = facts.what {
            self.ended_at = self.ended_at.or(Some(leaf.at));
        }
        if let What::PromptStarted { participants, prompt } = &facts.what {
            self.played(entry.index, leaf.at, prompt, participants, None);
        }
        if let What::PromptCompleted { participants, prompt, played_ms } = &facts.what {
            self.played(entry.index, leaf.at, prompt, participants, Some(*played_ms));
        }
        if let Some(said) = leaf.body.said() {
            let (by, what, evidence) = (leaf.body.about().to_vec(), answer(said), evidence(&document));
            self.answers.push(Answer { index: entry.index, at: leaf.at, by, what, evidence, late: *late });
        }
    }

    fn joined(&mut self, at: Timestamp, joined: &Joined, name: Option<String>, subjects: &[(u32, String)]) {
        let pseudonym = subjects.iter().find(|(p, _)| *p == joined.participant).map(|(_, one)| one.clone());
        let person = self.people.entry(joined.participant).or_insert(Person {
            name: None,
            role: joined.role,
            places: Vec::new(),
            pseudonym: None,
            grants: Vec::new(),
            state: None,
        });
        person.name = name.or(person.name.take());
        person.pseudonym = pseudonym.or(person.pseudonym.take());
        person.grants.extend(joined.grant.as_ref().map(|grant| (at, grant.grant.clone())));
        person.add_places(&joined.places);
    }

    fn played(&mut self, index: u64, at: Timestamp, prompt: &Heard, to: &[u32], played_ms: Option<u64>) {
        self.played.push(Played { index, at, prompt: prompt.clone(), to: to.to_vec(), played_ms });
    }

    fn judge(&mut self, tables: &Tables, index: u64, leaf: &Leaf, saw: &Saw, replay: &mut Option<Replay>) {
        if self.unjudged.is_some() {
            return;
        }
        let judged = match (tables.get(&saw.table), replay.as_mut()) {
            (None, _) => Err(Failure::incomplete("the table that decided is not in the pack")),
            (Some(table), None) => Replay::open(leaf, table).map(|opened| *replay = Some(opened)),
            (Some(table), Some(replay)) => replay.step(leaf, table),
        };
        match (judged, replay.as_ref()) {
            (Ok(()), Some(replay)) if self.ended_at.is_none() || self.judged.is_empty() => {
                let rules = replay.call().decide(leaf.at).because;
                let (table, asked) = (saw.table.clone(), saw.requirement.clone());
                let same =
                    |last: &Judged| (&last.table, &last.asked, &last.rules) == (&table, &asked, &rules);
                if !self.judged.last().is_some_and(same) {
                    self.judged.push(Judged { from: leaf.at, index, table, asked, rules });
                }
            }
            (Ok(()), _) => {}
            (Err(failure), _) => self.unjudged = Some(failure.what),
        }
    }

    fn stand(&mut self, leaf: &Leaf, saw: &Saw) {
        if self.ended_at.is_some() {
            return;
        }
        for seen in &saw.participants {
            if let Some(person) = self.people.get_mut(&seen.p) {
                person.state = Some(seen.state.clone());
            }
        }
        // What was reported late counts from when it happened, for those whom it is about.
        let about = late_about(&leaf.body);
        let from = about.as_ref().map_or(leaf.at, |(from, _)| *from);
        let counts = |p: u32| about.as_ref().is_none_or(|(_, who)| who.contains(&p));
        let states = saw.participants.iter().filter(|seen| counts(seen.p));
        let states = states.map(|seen| (seen.p, seen.state.clone())).collect();
        let asked = saw.requirement.clone();
        let place = self.stood.partition_point(|stood| stood.from <= from);
        self.stood.insert(place, Stood { from, asked, states });
    }
}

impl Person {
    fn add_places(&mut self, places: &[Place]) {
        for place in places {
            if !self.places.contains(place) {
                self.places.push(*place);
            }
        }
    }
}

/// When something was that was reported late and counts from then, and whom it is about.
fn late_about(body: &Body) -> Option<(Timestamp, Vec<u32>)> {
    let Body::Event { facts, late: true, .. } = body else { return None };
    let is_told = matches!(facts.what, What::PromptCompleted { .. }) || body.said().is_some();
    Some((facts.at.filter(|_| is_told)?, body.about().to_vec()))
}

/// Whether an entry accepts the recording that the pack is about.
pub(super) fn accepts(pack: &Pack, leaf: &Leaf) -> bool {
    leaf.body.accepts().is_some_and(|recording| pack.manifest.recording == Some(recording))
}

/// What somebody answered, in words.
fn answer(said: Said) -> &'static str {
    match said {
        Said::Yes(Method::Dtmf) => "agreed, by pressing a key",
        Said::Yes(Method::Speech) => "agreed, by saying so",
        Said::Yes(Method::Click) => "agreed, by clicking",
        Said::Yes(Method::Written) => "agreed, in writing",
        Said::Yes(Method::Continued) => "stayed on, which is not an express yes",
        Said::No => "said no",
        Said::Withdrawn => "withdrew: no longer agrees",
    }
}

/// What the platform says to have as evidence.
fn evidence(document: &Value) -> Vec<(&'static str, String)> {
    let Some(evidence) = document.get("event").and_then(|event| event.get("evidence")) else {
        return Vec::new();
    };
    let parts = [("from", "source"), ("reference", "ref"), ("SHA-256", "sha256")];
    parts.into_iter().filter_map(|(word, name)| Some((word, text(evidence, name)?))).collect()
}

fn medium(medium: policy::Medium) -> &'static str {
    match medium {
        policy::Medium::Telephone => "telephone",
        policy::Medium::Voip => "over the internet",
        policy::Medium::Video => "video",
        policy::Medium::Unknown => "not said",
    }
}

fn text(document: &Value, name: &str) -> Option<String> {
    Some(document.get(name)?.as_str()?.to_owned())
}

fn texts(document: &Value, name: &str) -> Vec<String> {
    let texts = document.get(name).and_then(Value::as_array).into_iter().flatten();
    texts.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}
