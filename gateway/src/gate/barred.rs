//! Calls on which something restrictive happened that could not be logged.
//!
//! A withdrawal while the disk is full is answered 503. Until it is logged this process knows what the
//! trail does not: nothing is permitted on the call. It tries to log it by itself several times a
//! second, and whoever says the same again lifts the bar as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::ask::{Observed, Participant};
use super::{Fault, FaultKind, Loaded};
use crate::access::Principal;

/// What is still to be logged.
#[derive(Debug, Default)]
pub struct Barred(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What could not be logged, in the order in which it came.
    missing: Vec<Missing>,
    /// What has come and is not logged yet, by its number.
    pending: BTreeMap<u64, Timestamp>,
    next: u64,
    /// Since when something may have come of which not even the call is known.
    unheard: Option<Timestamp>,
}

/// Something that restricts and could not be logged.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    number: u64,
    /// Who sent it.
    pub(crate) who: Principal,
    /// The name that they used for the call.
    pub(crate) name: String,
    /// When it came.
    pub(crate) came: Timestamp,
    /// What it says.
    pub(crate) what: Unlogged,
}

/// What somebody said that could not be logged.
#[derive(Debug, Clone)]
pub(crate) enum Unlogged {
    /// Something happened.
    Event(Observed),
    /// Somebody joined.
    Join(Participant),
}

impl Unlogged {
    /// What it says and of whom, whenever and for whatever reason.
    fn gist(&self) -> (Option<super::ask::EventType>, BTreeSet<&str>) {
        match self {
            Unlogged::Event(event) => {
                let whom = event.participant.iter().chain(&event.participants).map(String::as_str);
                (Some(event.kind), whom.collect())
            }
            Unlogged::Join(asked) => (None, BTreeSet::from([asked.id.as_str()])),
        }
    }
}

/// Something restrictive that has come and is not answered yet.
pub(crate) struct Pending<'b> {
    barred: &'b Barred,
    number: u64,
    since: Timestamp,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.barred.lock().pending.remove(&self.number);
    }
}

impl Pending<'_> {
    /// It could not be logged.
    pub(crate) fn bar(&self, who: &Principal, name: &str, what: Unlogged) {
        let mut state = self.barred.lock();
        let said = |missing: &Missing| {
            missing.who.account == who.account && missing.name == name && missing.what.gist() == what.gist()
        };
        if !state.missing.iter().any(said) {
            let number = state.next;
            state.next = number.wrapping_add(1);
            let (who, name) = (who.clone(), name.to_owned());
            state.missing.push(Missing { number, who, name, came: self.since, what });
        }
    }

    /// Somebody said it again, and it is logged now.
    pub(crate) fn lift(&self, account: &str, name: &str, event: &Observed) {
        self.lift_all(account, name, &Unlogged::Event(event.clone()));
    }

    /// The same of somebody who joined.
    pub(crate) fn lift_join(&self, account: &str, name: &str, asked: &Participant) {
        self.lift_all(account, name, &Unlogged::Join(asked.clone()));
    }

    fn lift_all(&self, account: &str, name: &str, what: &Unlogged) {
        let mut state = self.barred.lock();
        state.missing.retain(|missing| {
            missing.who.account != account || missing.name != name || missing.what.gist() != what.gist()
        });
    }

    /// It is logged now, or says nothing.
    pub(crate) fn done(&self, missing: &Missing) {
        self.barred.lock().missing.retain(|other| other.number != missing.number);
    }
}

impl Barred {
    /// Something restrictive has come, to be logged.
    pub(crate) fn begin(&self, now: Timestamp) -> Pending<'_> {
        let mut state = self.lock();
        let number = state.next;
        state.next = number.wrapping_add(1);
        state.pending.insert(number, now);
        Pending { barred: self, number, since: now }
    }

    /// What could not be logged so far.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        self.lock().missing.clone()
    }

    /// Since when something may be missing from the log: now, where all is logged that has come.
    pub(crate) fn well(&self, now: Timestamp) -> Timestamp {
        let state = self.lock();
        let missing = state.missing.iter().map(|missing| &missing.came);
        missing.chain(state.pending.values()).chain(&state.unheard).copied().fold(now, Timestamp::min)
    }

    /// Whether nothing is missing, whatever may be on its way.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.missing.is_empty() && state.unheard.is_none()
    }

    /// Whether nothing is missing, and nothing on its way.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_empty() && self.lock().pending.is_empty()
    }

    /// Something may have come, of which nothing is known.
    pub(crate) fn unhear(&self, at: Timestamp) {
        let mut state = self.lock();
        state.unheard = Some(state.unheard.map_or(at, |since| since.min(at)));
    }

    /// Since when something may have come of which nothing is known.
    pub(crate) fn unheard(&self) -> Option<Timestamp> {
        self.lock().unheard
    }

    /// It is logged that something may be missing since then.
    pub(crate) fn told(&self, since: Timestamp) {
        let mut state = self.lock();
        state.unheard = state.unheard.filter(|unheard| *unheard != since);
    }

    /// Whether a call is barred under any of its names.
    pub(crate) fn holds(&self, loaded: &Loaded) -> bool {
        let names = || std::iter::once(&loaded.row.id).chain(&loaded.context.aliases);
        self.lock().missing.iter().any(|missing| {
            missing.who.account == loaded.row.account && names().any(|name| *name == missing.name)
        })
    }

    /// Refuses to permit anything on a call that is barred.
    pub(crate) fn check(&self, loaded: &Loaded) -> Result<(), Fault> {
        if !self.holds(loaded) {
            return Ok(());
        }
        Err(Fault::new(
            FaultKind::Unavailable,
            "call-barred",
            "an event of this call that restricts recording could not be logged; it is tried again until it is, and nothing is permitted before",
        ))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
