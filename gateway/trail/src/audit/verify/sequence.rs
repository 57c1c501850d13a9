//! Checks between the entries of a log: their order, the chain of every call, and that the log had whatever
//! an entry names.
//!
//! It knows no hashes and decides nothing: [`decisions`](super::super::decisions) does.
//!
//! **Invariant: the gateway ensures everything checked here inside the transaction that appends**, so that
//! the log of an honest gateway passes however much happened at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use policy::{Event, Joined, Purposes, What};
use uuid::Uuid;

use super::super::{Failure, TableUse};
use super::DISORDER;
use super::epochs::{self, Carried};
use super::law::LawBook;
use super::registry::Registry;
use super::silence::Silences;
use super::told::Told;
use crate::{Body, GapCause, Leaf, LogCause, LogName, Previous};

/// What is known of a log so far.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// The log's name: it says which epoch this is.
    origin: String,
    size: u64,
    first_at: Option<Timestamp>,
    latest_at: Option<Timestamp>,
    /// An id contains its time, so two can be equal only if their times are.
    ids: BTreeMap<Timestamp, Vec<Uuid>>,
    nonces: HashSet<u128>,
    pub(super) calls: HashMap<Uuid, Track>,
    opened: u64,
    pub(super) registry: Registry,
    /// Calls that a withdrawn grant has to reach next: the entry, and who relied on it.
    unreached: BTreeMap<Uuid, (u64, BTreeSet<u32>)>,
    pub(super) types: BTreeMap<String, u64>,
    tables: BTreeMap<String, TableUse>,
    pub(super) law: LawBook,
    /// Keys of the log that were handed over.
    pub(super) rotations: Vec<Rotation>,
    /// Gaps, in which something may be missing: the entry, and its fact.
    pub(super) gaps: Vec<(u64, Event)>,
    /// The log that this one continues, whose entries are not known here.
    pub(super) previous: Option<Previous>,
    /// Calls that were opened there, and are not known here, may go on.
    other_calls: bool,
    /// Decisions on calls that were opened there.
    unknown: u64,
    /// How much that was ended in a lost part of the log counts again.
    lost: u64,
    /// The log before this one, if it was verified too.
    before: Option<Carried>,
    is_after: bool,
    is_reopened: bool,
    pub(super) silences: Silences,
    /// The sizes at which the latest time is asked for, the smallest last.
    sizes: Vec<u64>,
    latest_by_size: BTreeMap<u64, Timestamp>,
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
    /// The indexes of its entries.
    pub(super) indexes: Vec<u64>,
    /// It was opened in a log before this one, and its state then is not known.
    pub(super) foreign: bool,
    /// It was opened in a log before this one.
    of_before: bool,
    /// What it was recorded for when it was opened; `None` if that is not known.
    purposes: Option<Purposes>,
    /// Who relies on which grant.
    grants: BTreeMap<u32, Uuid>,
}

impl Sequence {
    /// An empty sequence. The latest time will be asked for at these sizes.
    pub(super) fn of(origin: &str, sizes: impl Iterator<Item = u64>) -> Sequence {
        let mut sizes: Vec<u64> = sizes.collect();
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        Sequence { origin: origin.to_owned(), sizes, ..Sequence::default() }
    }

    /// Requires that the first entry continues this epoch.
    pub(super) fn after(&mut self, before: Carried) {
        self.before = Some(before);
    }

    /// Takes the next entry.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot follow the entries before it.
    pub(super) fn take(&mut self, leaf: &Leaf, told: Option<Told>) -> Result<(), Failure> {
        let index = self.size;
        self.check(index, leaf, told)
            .map_err(|failure| if failure.index.is_none() { failure.at(index) } else { failure })?;
        self.size = index.saturating_add(1);
        while self.sizes.last().is_some_and(|size| *size <= self.size) {
            let size = self.sizes.pop().unwrap_or_default();
            self.latest_by_size.extend(self.latest_at.map(|at| (size, at)));
        }
        Ok(())
    }

    /// Takes what the first entry says that the log continues.
    fn begins(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        self.previous = epochs::begins(&self.origin, leaf)?.cloned();
        let Some(previous) = &self.previous else { return Ok(()) };
        self.is_reopened = matches!(leaf.body, Body::LogOpened { cause: LogCause::Reopened, .. });
        (self.registry.lenient, self.other_calls, self.law.goes_on) = (true, true, true);
        self.registry.unfounded = true;
        let Some(before) = self.before.take() else { return Ok(()) };
        before.ends_with(previous)?;
        self.is_after = true;
        let old = *before.sequence;
        self.registry = old.registry;
        self.registry.begins_anew();
        if !self.is_reopened {
            self.calls = old.calls;
            self.calls.values_mut().for_each(|track| {
                track.of_before = true;
                track.indexes.clear();
            });
            self.other_calls = old.other_calls;
            self.latest_at = old.latest_at;
            self.law = old.law.next();
        } else {
            // There may have been more entries behind the last signed head, or an older ledger was restored.
            self.registry.lenient = true;
            self.registry.unfounded = true;
        }
        Ok(())
    }

    fn check(&mut self, index: u64, leaf: &Leaf, told: Option<Told>) -> Result<(), Failure> {
        if index == 0 {
            self.begins(leaf)?;
        }
        self.in_order(index, leaf)?;
        self.registry.acts(index, leaf)?;
        if let Some(uid) = leaf.call {
            self.of_call(index, uid, leaf)?;
        }
        if let Some(saw) = leaf.body.saw() {
            let used = TableUse { table: saw.table.clone(), first: index, from: leaf.at, decisions: 0 };
            let used = self.tables.entry(saw.table.clone()).or_insert(used);
            used.decisions = used.decisions.saturating_add(1);
        }
        self.content(index, leaf, told)?;
        let count = self.types.entry(leaf.kind.clone()).or_default();
        *count = count.saturating_add(1);
        Ok(())
    }

    /// An entry is stamped before it is appended, so entries of other calls may have overtaken it, but not by
    /// much.
    fn in_order(&mut self, index: u64, leaf: &Leaf) -> Result<(), Failure> {
        if let Some(before) = self.latest_at {
            self.silences.between(index, before, leaf.at);
        }
        let latest = self.latest_at.map_or(leaf.at, |latest| latest.max(leaf.at));
        let earliest = latest.checked_sub(DISORDER).unwrap_or(Timestamp::MIN);
        if leaf.at < earliest {
            return Err(Failure::tampered(format!(
                "time runs backwards: it was logged at {:.3}, and an entry before it at {latest:.3}",
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

    fn of_call(&mut self, index: u64, uid: Uuid, leaf: &Leaf) -> Result<(), Failure> {
        let opens = matches!(leaf.body, Body::Opened { .. });
        let purposes = if let Body::Opened { facts, .. } = &leaf.body { Some(facts.purposes) } else { None };
        let foreign = self.other_calls && !opens;
        match self.calls.get_mut(&uid) {
            None if opens || foreign => {
                let track = Track {
                    head: leaf.id,
                    last_at: leaf.at,
                    ended_at: None,
                    indexes: vec![index],
                    foreign,
                    of_before: foreign,
                    purposes,
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
                        "time runs backwards within the call: it was logged at {:.3}, and the entry before it at {:.3}",
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

    /// Checks that the call's entry after a withdrawal names everybody who relied on the grant.
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

    #[expect(clippy::wildcard_enum_match_arm, reason = "who may write them is asked of every kind")]
    fn content(&mut self, index: u64, leaf: &Leaf, told: Option<Told>) -> Result<(), Failure> {
        self.registry.take(leaf, told)?;
        match &leaf.body {
            Body::Opened { facts, .. } => {
                self.registry.opened_under(facts, leaf.at)?;
                facts.participants.iter().try_for_each(|joined| self.joined(leaf, joined))
            }
            Body::Event { facts, .. } => self.happened(leaf, &facts.what),
            Body::GrantWithdrawn { grant } => self.withdrawn(index, *grant, leaf.at),
            Body::LogKey { key, retired } => {
                self.rotations.push(Rotation { index, retired: retired.clone(), key: key.clone() });
                Ok(())
            }
            Body::Table { .. } | Body::TableProposed { .. } | Body::ProposalDecided { .. } => {
                self.law.take(index, leaf, &self.registry)
            }
            Body::LogOpened { .. } if index == 0 => Ok(()),
            Body::LogOpened { .. } => Err(Failure::tampered("a log begins in the midst of a log")),
            Body::Gap { from, until, cause } => {
                if *from > leaf.at {
                    return Err(Failure::tampered("a gap begins after it was logged"));
                }
                if *cause == GapCause::LedgerRestored {
                    self.restored(*from);
                }
                self.silences.explained(*from, *until);
                self.gaps.extend(leaf.fact().map(|fact| (index, fact)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn happened(&mut self, leaf: &Leaf, what: &What) -> Result<(), Failure> {
        if let What::Joined(joined) = what {
            self.joined(leaf, joined)?;
        }
        if let What::PromptStarted { prompt, .. } | What::PromptCompleted { prompt, .. } = what {
            let asked = leaf.call.and_then(|call| self.calls.get(&call)?.purposes);
            self.registry.heard(prompt, asked)?;
        }
        if let What::Ended = what
            && let Some(uid) = leaf.call
            && let Some(track) = self.calls.get_mut(&uid)
        {
            track.ended_at = track.ended_at.or(Some(leaf.at));
            for grant in std::mem::take(&mut track.grants).into_values() {
                self.registry.release(grant, uid);
            }
        }
        Ok(())
    }

    fn joined(&mut self, leaf: &Leaf, joined: &Joined) -> Result<(), Failure> {
        let Some(granted) = &joined.grant else { return Ok(()) };
        if let Some(grant) = self.registry.relied_on(joined.role, granted, leaf.call)?
            && let Some(call) = leaf.call
            && let Some(track) = self.calls.get_mut(&call)
        {
            track.grants.insert(joined.participant, grant);
        }
        Ok(())
    }

    fn withdrawn(&mut self, index: u64, grant: Uuid, at: Timestamp) -> Result<(), Failure> {
        for call in self.registry.withdraw(grant, at)? {
            let Some(track) = self.calls.get(&call) else { continue };
            let holders = track.grants.iter().filter(|(_, held)| **held == grant);
            let holders: BTreeSet<u32> = holders.map(|(participant, _)| *participant).collect();
            // Somebody who came back with another grant relies on that one.
            if !holders.is_empty() {
                self.unreached.insert(call, (index, holders));
            }
        }
        Ok(())
    }

    /// An older ledger was restored, which does not know what came after it.
    fn restored(&mut self, from: Timestamp) {
        self.lost = self.lost.saturating_add(self.registry.restored(from));
        self.calls.clear();
        self.other_calls = true;
    }

    /// Checks that nothing is left open at the end of the log.
    ///
    /// # Errors
    ///
    /// [`Failure`] if another entry had to follow.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        if self.size == 0 && LogName::of(&self.origin).epoch > 1 {
            return Err(epochs::unfounded(&self.origin));
        }
        match self.unreached.values().map(|(index, _)| *index).min() {
            None => Ok(()),
            Some(index) => Err(Failure::tampered(
                "it withdraws a consent grant, but a call that relied on it has no entry about it",
            )
            .at(index)),
        }
    }

    /// The log's name.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it was reopened because the log before it could not go on.
    pub(super) fn is_reopened(&self) -> bool {
        self.is_reopened
    }

    /// Whether the log before this one was verified too.
    pub(super) fn is_after(&self) -> bool {
        self.is_after
    }

    /// How many entries it has so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether a call was opened in a log before this one.
    pub(super) fn is_of_before(&self, call: Uuid) -> bool {
        self.calls.get(&call).is_some_and(|track| track.of_before)
    }

    /// An entry of a call was not decided again, because the call's earlier state is lost.
    pub(super) fn miss(&mut self, call: Uuid) {
        self.lose(call);
        self.unknown = self.unknown.saturating_add(1);
    }

    /// The state of a call is lost.
    pub(super) fn lose(&mut self, call: Uuid) {
        if let Some(track) = self.calls.get_mut(&call) {
            track.foreign = true;
        }
    }

    /// How many decisions were made on unknown calls that were opened before this log.
    pub(super) fn unknown(&self) -> u64 {
        self.unknown
    }

    /// How much that was ended in a lost part of the log counts again.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// The latest time among the first `size` entries, if that size was asked for.
    pub(super) fn latest_at(&self, size: u64) -> Option<Timestamp> {
        self.latest_by_size.get(&size).copied()
    }

    /// The time of the first entry, and the latest time.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.first_at?, self.latest_at?))
    }

    /// How many calls were opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// How the tables were used, in the order of their first use.
    pub(super) fn tables(&self) -> Vec<TableUse> {
        let mut tables: Vec<TableUse> = self.tables.values().cloned().collect();
        tables.sort_by_key(|used| used.first);
        tables
    }
}
