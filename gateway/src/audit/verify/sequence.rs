//! What holds between the entries of a log: their order, the chain of every call, and that whatever
//! an entry names stood in the log before it.
//!
//! It knows no hashes and decides nothing: [`decisions`](super::super::decisions) does.
//!
//! **Invariant: everything asked here is kept by the gateway inside the transaction that appends**,
//! so that a log of an honest gateway passes whatever was going on at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use policy::{Event, Heard, Joined, What};
use uuid::Uuid;

use super::super::{Failure, TableUse};
use super::law::LawBook;
use super::{DISORDER, epochs};
use crate::trail::{Body, Leaf, LogName, Previous};

/// What was seen of a log so far.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// The log's name: it says which epoch this is.
    origin: String,
    size: u64,
    first_at: Option<Timestamp>,
    latest_at: Option<Timestamp>,
    /// Ids are made of their time, so two can be equal only where their times are.
    ids: BTreeMap<Timestamp, Vec<Uuid>>,
    nonces: HashSet<u128>,
    pub(super) calls: HashMap<Uuid, Track>,
    opened: u64,
    credentials: HashMap<String, String>,
    keys: HashSet<String>,
    prompts: HashMap<Uuid, u64>,
    grants: HashMap<Uuid, GrantTrack>,
    /// Calls that a withdrawn grant has to reach next: the entry, and who relied on it.
    unreached: BTreeMap<Uuid, (u64, BTreeSet<u32>)>,
    recordings: HashMap<Uuid, Recording>,
    types: BTreeMap<String, u64>,
    tables: BTreeMap<String, TableUse>,
    pub(super) law: LawBook,
    /// Keys of the log that were handed over.
    pub(super) rotations: Vec<Rotation>,
    /// Where something may be missing: the entry, and its fact.
    pub(super) gaps: Vec<(u64, Event)>,
    /// The log that this one goes on from: what stood there is not known here.
    previous: Option<Previous>,
    /// Decisions on calls that were opened there.
    unknown: u64,
}

/// The log's key was changed.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    pub(super) index: u64,
    pub(super) retired: String,
    pub(super) key: String,
}

/// A call.
#[derive(Debug)]
pub(super) struct Track {
    head: Uuid,
    last_at: Timestamp,
    /// When its end was logged.
    pub(super) ended_at: Option<Timestamp>,
    /// Where its entries are.
    pub(super) indexes: Vec<u64>,
    /// It was opened in the log before this one.
    pub(super) foreign: bool,
    /// Who relies on which grant.
    grants: BTreeMap<u32, Uuid>,
}

#[derive(Debug)]
struct GrantTrack {
    from: Timestamp,
    until: Option<Timestamp>,
    withdrawn: bool,
    calls: BTreeSet<Uuid>,
}

#[derive(Debug)]
struct Recording {
    bytes: u64,
    held: bool,
    deleted: bool,
}

impl Sequence {
    /// Nothing was seen yet.
    pub(super) fn of(origin: &str) -> Sequence {
        Sequence { origin: origin.to_owned(), ..Sequence::default() }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    ///
    /// [`Failure`] where it cannot stand behind those before it.
    pub(super) fn take(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        let index = self.size;
        self.check(index, leaf)
            .map_err(|failure| if failure.index.is_none() { failure.at(index) } else { failure })?;
        self.size = index.saturating_add(1);
        Ok(())
    }

    fn check(&mut self, index: u64, leaf: &Leaf) -> Result<(), Failure> {
        if index == 0 {
            self.previous = epochs::begins(&self.origin, leaf)?.cloned();
            self.law.goes_on = self.goes_on();
        }
        self.in_order(leaf)?;
        self.by_somebody_known(leaf)?;
        if let Some(uid) = leaf.call {
            self.of_call(index, uid, leaf)?;
        }
        if let Some(saw) = leaf.body.saw() {
            let used = TableUse { table: saw.table.clone(), first: index, from: leaf.at, decisions: 0 };
            let used = self.tables.entry(saw.table.clone()).or_insert(used);
            used.decisions = used.decisions.saturating_add(1);
        }
        self.content(index, leaf)?;
        let count = self.types.entry(leaf.kind.clone()).or_default();
        *count = count.saturating_add(1);
        Ok(())
    }

    /// An entry is stamped before it is appended, so those of other calls may have been faster; but
    /// not by much.
    fn in_order(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        let latest = self.latest_at.map_or(leaf.at, |latest| latest.max(leaf.at));
        let earliest = latest.checked_sub(DISORDER).unwrap_or(Timestamp::MIN);
        if leaf.at < earliest {
            return Err(Failure::tampered(format!(
                "time runs backwards: it is of {:.3}, and an entry before it of {latest:.3}",
                leaf.at
            )));
        }
        self.first_at = self.first_at.or(Some(leaf.at));
        self.latest_at = Some(latest);
        let ids = self.ids.entry(leaf.at).or_default();
        if ids.contains(&leaf.id) {
            return Err(Failure::tampered(format!("its id {} was given to an entry before it", leaf.id)));
        }
        ids.push(leaf.id);
        while self.ids.first_key_value().is_some_and(|(at, _)| *at < earliest) {
            self.ids.pop_first();
        }
        let nonce =
            u128::from_str_radix(&leaf.nonce, 16).map_err(|_| Failure::tampered("it has no nonce"))?;
        if !self.nonces.insert(nonce) {
            return Err(Failure::tampered("its nonce was given to an entry before it"));
        }
        Ok(())
    }

    /// On a call, nobody acts whom the log does not know; elsewhere the law desk may.
    fn by_somebody_known(&self, leaf: &Leaf) -> Result<(), Failure> {
        let actor = &leaf.actor;
        let ours = matches!(
            (actor.credential.as_str(), actor.role.as_str()),
            ("gateway", "gateway") | ("command-line", "operator")
        );
        match self.credentials.get(&actor.credential) {
            Some(role) if *role == actor.role => Ok(()),
            Some(role) => Err(Failure::tampered(format!(
                "`{}` acts as `{}`, and was given the role `{role}`",
                actor.credential, actor.role
            ))),
            None if ours || leaf.call.is_none() || self.goes_on() => Ok(()),
            None => Err(Failure::tampered(format!("`{}` acts, and was never added", actor.credential))),
        }
    }

    fn of_call(&mut self, index: u64, uid: Uuid, leaf: &Leaf) -> Result<(), Failure> {
        let opens = matches!(leaf.body, Body::Opened { .. });
        let foreign = self.goes_on() && !opens;
        match self.calls.get_mut(&uid) {
            None if opens || foreign => {
                let track = Track {
                    head: leaf.id,
                    last_at: leaf.at,
                    ended_at: None,
                    indexes: vec![index],
                    foreign,
                    grants: BTreeMap::new(),
                };
                self.calls.insert(uid, track);
                self.opened = self.opened.saturating_add(u64::from(opens));
                self.unknown = self.unknown.saturating_add(u64::from(foreign));
            }
            None => return Err(Failure::tampered("it belongs to a call that was never opened")),
            Some(_) if opens => return Err(Failure::tampered("it opens a call that was opened before")),
            Some(track) => {
                if leaf.prev != Some(track.head) {
                    return Err(Failure::tampered(format!(
                        "it does not follow the call's entry before it, {}: one was left out, put in or moved",
                        track.head
                    )));
                }
                if leaf.at < track.last_at {
                    return Err(Failure::tampered(format!(
                        "time runs backwards within the call: it is of {:.3}, and the entry before it of {:.3}",
                        leaf.at, track.last_at
                    )));
                }
                (track.head, track.last_at) = (leaf.id, leaf.at);
                track.indexes.push(index);
                self.unknown = self.unknown.saturating_add(u64::from(track.foreign));
            }
        }
        self.reached(uid, leaf)
    }

    /// The entry after a grant was withdrawn says so of everybody who relied on it.
    fn reached(&mut self, uid: Uuid, leaf: &Leaf) -> Result<(), Failure> {
        let Some((_, holders)) = self.unreached.remove(&uid) else { return Ok(()) };
        if let Body::Event { facts, .. } = &leaf.body
            && let What::ConsentWithdrawn { participants } = &facts.what
            && holders.iter().all(|holder| participants.contains(holder))
        {
            return Ok(());
        }
        Err(Failure::tampered(
            "a consent grant was withdrawn, and the call that relied on it goes on without a word",
        ))
    }

    fn content(&mut self, index: u64, leaf: &Leaf) -> Result<(), Failure> {
        match &leaf.body {
            Body::Opened { facts, .. } => {
                facts.participants.iter().try_for_each(|joined| self.joined(leaf, joined))
            }
            Body::Event { facts, .. } => self.happened(leaf, &facts.what),
            Body::Accepted { recording, bytes, keys, .. } => {
                let unknown = |key: &&String| !self.keys.contains(*key) && !self.goes_on();
                if let Some(key) = keys.iter().find(unknown) {
                    return Err(Failure::tampered(format!(
                        "it is sealed for the key `{key}`, which was not in use"
                    )));
                }
                let new = Recording { bytes: *bytes, held: false, deleted: false };
                match self.recordings.insert(*recording, new) {
                    None => Ok(()),
                    Some(_) => Err(Failure::tampered("it accepts a recording that was accepted before")),
                }
            }
            Body::Fetched { recording, range: (from, until) } => {
                let bytes = self.live(*recording)?.map_or(u64::MAX, |recording| recording.bytes);
                if from > until || *until > bytes {
                    return Err(Failure::tampered("it hands out bytes that the recording does not have"));
                }
                Ok(())
            }
            Body::Held { recording, held } => {
                if let Some(recording) = self.live(*recording)? {
                    recording.held = *held;
                }
                Ok(())
            }
            Body::Deleted { recording } => {
                let Some(recording) = self.live(*recording)? else { return Ok(()) };
                if recording.held {
                    return Err(Failure::tampered("it deletes a recording that is under a legal hold"));
                }
                recording.deleted = true;
                Ok(())
            }
            Body::Prompt { version, duration_ms } => match self.prompts.insert(*version, *duration_ms) {
                None => Ok(()),
                Some(_) => Err(Failure::tampered("it registers a version of a prompt a second time")),
            },
            Body::Grant { grant, from, until } => {
                let new = GrantTrack { from: *from, until: *until, withdrawn: false, calls: BTreeSet::new() };
                match self.grants.insert(*grant, new) {
                    None => Ok(()),
                    Some(_) => Err(Failure::tampered("it registers a consent grant a second time")),
                }
            }
            Body::GrantWithdrawn { grant } => self.withdrawn(index, *grant),
            Body::Credential { credential, role } => {
                match self.credentials.insert(credential.clone(), role.clone()) {
                    None => Ok(()),
                    Some(_) => Err(Failure::tampered("it adds a credential a second time")),
                }
            }
            Body::Key { key } => {
                self.keys.insert(key.clone());
                Ok(())
            }
            Body::KeyRetired { key } => match self.keys.remove(key) || self.goes_on() {
                true => Ok(()),
                false => Err(Failure::tampered("it retires a key that was not in use")),
            },
            Body::LogKey { key, retired } => {
                self.rotations.push(Rotation { index, retired: retired.clone(), key: key.clone() });
                Ok(())
            }
            Body::Table { .. } | Body::TableProposed { .. } | Body::ProposalDecided { .. } => {
                self.law.take(index, leaf)
            }
            Body::LogOpened { .. } if index == 0 => Ok(()),
            Body::LogOpened { .. } => Err(Failure::tampered("a log begins in the midst of a log")),
            Body::Gap { from, .. } => {
                if *from > leaf.at {
                    return Err(Failure::tampered("a gap begins after it was logged"));
                }
                self.gaps.extend(leaf.fact().map(|fact| (index, fact)));
                Ok(())
            }
            Body::ControlRefused { .. }
            | Body::Refused { .. }
            | Body::Heartbeat {}
            | Body::LogDropped { .. }
            | Body::Lookup { .. }
            | Body::Exported { .. }
            | Body::Erased { .. }
            | Body::FetchRefused { .. }
            | Body::Account {}
            | Body::AccountLaw { .. }
            | Body::CredentialRevoked { .. } => Ok(()),
        }
    }

    fn happened(&mut self, leaf: &Leaf, what: &What) -> Result<(), Failure> {
        if let What::Joined(joined) = what {
            self.joined(leaf, joined)?;
        }
        if let What::PromptStarted { prompt, .. } | What::PromptCompleted { prompt, .. } = what {
            self.heard(prompt)?;
        }
        if let What::Ended = what
            && let Some(uid) = leaf.call
            && let Some(track) = self.calls.get_mut(&uid)
        {
            track.ended_at = track.ended_at.or(Some(leaf.at));
            for grant in std::mem::take(&mut track.grants).into_values() {
                if let Some(grant) = self.grants.get_mut(&grant) {
                    grant.calls.remove(&uid);
                }
            }
        }
        Ok(())
    }

    /// What counts as consent given before has to be what was registered, and not withdrawn.
    fn joined(&mut self, leaf: &Leaf, joined: &Joined) -> Result<(), Failure> {
        let Some(granted) = &joined.grant else { return Ok(()) };
        let goes_on = self.goes_on();
        let registered =
            granted.grant.parse().ok().and_then(|uid: Uuid| Some((uid, self.grants.get_mut(&uid)?)));
        let Some((uid, grant)) = registered else {
            if goes_on {
                return Ok(());
            }
            return Err(Failure::tampered("somebody relies on a consent grant that was never registered"));
        };
        if grant.withdrawn {
            return Err(Failure::tampered("somebody relies on a consent grant that was withdrawn"));
        }
        if (grant.from, grant.until) != (granted.from, granted.until) {
            return Err(Failure::tampered(
                "a consent grant is said to hold at another time than was registered",
            ));
        }
        if let Some(call) = leaf.call
            && let Some(track) = self.calls.get_mut(&call)
        {
            grant.calls.insert(call);
            track.grants.insert(joined.participant, uid);
        }
        Ok(())
    }

    fn heard(&self, prompt: &Heard) -> Result<(), Failure> {
        let registered = prompt.version.parse().ok().and_then(|uid: Uuid| self.prompts.get(&uid));
        match registered {
            Some(duration_ms) if *duration_ms == prompt.duration_ms => Ok(()),
            Some(_) => Err(Failure::tampered("a prompt is said to last otherwise than was registered")),
            None if self.goes_on() => Ok(()),
            None => Err(Failure::tampered("a prompt was played that was never registered")),
        }
    }

    fn withdrawn(&mut self, index: u64, uid: Uuid) -> Result<(), Failure> {
        let goes_on = self.goes_on();
        let Some(grant) = self.grants.get_mut(&uid) else {
            if goes_on {
                return Ok(());
            }
            return Err(Failure::tampered("it withdraws a consent grant that was never registered"));
        };
        if grant.withdrawn {
            return Err(Failure::tampered("it withdraws a consent grant a second time"));
        }
        grant.withdrawn = true;
        for call in std::mem::take(&mut grant.calls) {
            let Some(track) = self.calls.get(&call) else { continue };
            let holders = track.grants.iter().filter(|(_, held)| **held == uid);
            let holders: BTreeSet<u32> = holders.map(|(participant, _)| *participant).collect();
            // Who came back with another grant relies on that.
            if !holders.is_empty() {
                self.unreached.insert(call, (index, holders));
            }
        }
        Ok(())
    }

    /// A recording that is there; none where the log before this one may tell of it.
    fn live(&mut self, id: Uuid) -> Result<Option<&mut Recording>, Failure> {
        let goes_on = self.goes_on();
        match self.recordings.get_mut(&id) {
            Some(recording) if !recording.deleted => Ok(Some(recording)),
            None if goes_on => Ok(None),
            Some(_) => Err(Failure::tampered("it is about a recording that was deleted before")),
            None => Err(Failure::tampered("it is about a recording that was never accepted")),
        }
    }

    fn goes_on(&self) -> bool {
        self.previous.is_some()
    }

    /// What is open when the log ends.
    ///
    /// # Errors
    ///
    /// [`Failure`] where something had to follow.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        if self.size == 0 && LogName::of(&self.origin).epoch > 1 {
            return Err(epochs::unfounded(&self.origin));
        }
        match self.unreached.values().map(|(index, _)| *index).min() {
            None => Ok(()),
            Some(index) => Err(Failure::tampered(
                "it withdraws a consent grant, and a call that relied on it was not told",
            )
            .at(index)),
        }
    }

    /// How many entries were taken.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The log that this one goes on from, and how many decisions were made on calls that were
    /// opened there.
    pub(super) fn previous(&self) -> Option<(&Previous, u64)> {
        Some((self.previous.as_ref()?, self.unknown))
    }

    /// The time of the first entry, and the latest time.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.first_at?, self.latest_at?))
    }

    /// How many calls were opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// How many entries there are of each type, and how the tables were used.
    pub(super) fn into_counts(self) -> (BTreeMap<String, u64>, Vec<TableUse>) {
        let mut tables: Vec<TableUse> = self.tables.into_values().collect();
        tables.sort_by_key(|used| used.first);
        (self.types, tables)
    }
}
