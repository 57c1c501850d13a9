//! What the entries of a call tell, for people: who was there, what was played, what they answered,
//! and what the law asked.
//!
//! It believes nothing and checks nothing: where an entry cannot be read it is left out, and
//! [`verify_pack`](super::super::pack::verify_pack) is what finds that.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use policy::{Because, Heard, Joined, Place, Role, Table, What};
use serde_json::Value;
use uuid::Uuid;

use super::super::Failure;
use super::super::decisions::Replay;
use super::super::pack::{Entry, Pack};
use super::super::verify::table;
use crate::trail::{Body, Leaf, Saw};

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
    /// The rules that counted, and what they asked together.
    pub(super) rules: Vec<Because>,
    pub(super) asked: Option<String>,
    /// The entry at which the law was looked at for this page, and its table.
    pub(super) judged: Option<(u64, String)>,
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
    /// They rely on consent that was given before.
    pub(super) grant: Option<String>,
    /// How far they had agreed when the platform was let begin to record, for the last time.
    pub(super) began: Option<String>,
    /// How far they had agreed at the end.
    pub(super) state: Option<String>,
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
    pub(super) what: String,
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
            if let Some(saw) = leaf.body.saw() {
                if entry.index <= settled {
                    story.judge(&tables, entry.index, &leaf, saw, &mut replay);
                }
                story.stand(&leaf, saw);
            }
        }
        story
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
                self.joined(joined, names.get(at).cloned(), subjects);
            }
        }
        let Body::Event { facts, subjects, late, .. } = &leaf.body else { return };
        if let What::Joined(joined) = &facts.what {
            self.joined(joined, text(&document, "participant"), subjects);
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
        if let Some((by, what)) = answer(&facts.what) {
            let evidence = evidence(&document);
            self.answers.push(Answer { index: entry.index, at: leaf.at, by, what, evidence, late: *late });
        }
    }

    fn joined(&mut self, joined: &Joined, name: Option<String>, subjects: &[(u32, String)]) {
        let pseudonym = subjects.iter().find(|(p, _)| *p == joined.participant).map(|(_, one)| one.clone());
        let grant = joined.grant.as_ref().map(|grant| grant.grant.clone());
        let person = self.people.entry(joined.participant).or_insert(Person {
            name: None,
            role: joined.role,
            places: Vec::new(),
            pseudonym: None,
            grant: None,
            began: None,
            state: None,
        });
        person.name = name.or(person.name.take());
        person.pseudonym = pseudonym.or(person.pseudonym.take());
        person.grant = grant.or(person.grant.take());
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
            (Ok(()), Some(replay)) if self.ended_at.is_none() || self.judged.is_none() => {
                self.rules = replay.call().decide(leaf.at).because;
                self.asked = Some(saw.requirement.clone());
                self.judged = Some((index, saw.table.clone()));
            }
            (Ok(()), _) => {}
            (Err(failure), _) => self.unjudged = Some(failure.what),
        }
    }

    fn stand(&mut self, leaf: &Leaf, saw: &Saw) {
        if self.ended_at.is_some() {
            return;
        }
        let begins = matches!(leaf.kind.as_str(), "recording.start" | "recording.resume");
        for seen in &saw.participants {
            if let Some(person) = self.people.get_mut(&seen.p) {
                person.state = Some(seen.state.clone());
                if begins {
                    person.began = Some(seen.state.clone());
                }
            }
        }
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

/// Whether an entry accepts the recording that the pack is about.
pub(super) fn accepts(pack: &Pack, leaf: &Leaf) -> bool {
    matches!(&leaf.body, Body::Accepted { recording, .. } if pack.manifest.recording == Some(*recording))
}

/// What somebody answered, in words.
fn answer(what: &What) -> Option<(Vec<u32>, String)> {
    if let What::ConsentGiven { participants, method } = what {
        let how = match method {
            policy::Method::Dtmf => "agreed, by pressing a key",
            policy::Method::Speech => "agreed, by saying so",
            policy::Method::Click => "agreed, by clicking",
            policy::Method::Written => "agreed, in writing",
            policy::Method::Continued => "stayed on, which is no express yes",
        };
        return Some((participants.clone(), how.into()));
    }
    if let What::ConsentDeclined { participants } = what {
        return Some((participants.clone(), "said no".into()));
    }
    if let What::ConsentWithdrawn { participants } = what {
        return Some((participants.clone(), "withdrew: no longer agrees".into()));
    }
    None
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
