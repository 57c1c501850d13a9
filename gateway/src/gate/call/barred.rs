//! Calls on which something restrictive happened that could not be logged.
//!
//! A withdrawal while the disk is full is answered 503. Until it is logged, this process knows what the trail
//! does not: nothing is permitted on the call. The process tries to log it several times a second, and again
//! if somebody repeats it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::access::Principal;
use crate::gate::ask::{Observed, Participant};
use crate::gate::{Failure, Gate, Loaded};

/// What still has to be logged.
#[derive(Debug, Default)]
pub(in crate::gate) struct Barred(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What could not be logged, in order of arrival.
    missing: Vec<Missing>,
    /// What has arrived and is not logged yet, by its number.
    pending: BTreeMap<u64, Timestamp>,
    next: u64,
    /// Since when something may have arrived of which not even the call is known.
    unheard: Option<Timestamp>,
}

/// Something restrictive that could not be logged.
#[derive(Debug, Clone)]
pub(in crate::gate) struct Missing {
    number: u64,
    /// The sender.
    pub(in crate::gate) who: Principal,
    /// The sender's name for the call.
    pub(in crate::gate) name: String,
    /// When it arrived.
    pub(in crate::gate) came: Timestamp,
    /// Its content.
    pub(in crate::gate) what: Unlogged,
}

/// What somebody said that could not be logged.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::gate) enum Unlogged {
    /// Something happened.
    Event(Observed),
    /// Somebody joined.
    Join(Participant),
}

impl Missing {
    /// From when it applies: from when it happened, and no later than when it arrived.
    pub(in crate::gate) fn counts_from(&self) -> Timestamp {
        self.what.counts_from(self.came)
    }
}

impl Unlogged {
    fn counts_from(&self, came: Timestamp) -> Timestamp {
        let claimed = match self {
            Unlogged::Event(event) => event.at,
            Unlogged::Join(asked) => asked.joined_at,
        };
        claimed.map_or(came, |at| at.min(came))
    }

    /// What it says and about whom, regardless of time and reason.
    fn gist(&self) -> Unlogged {
        match self {
            Unlogged::Event(event) => {
                let whom: BTreeSet<String> = event.whom().map(ToOwned::to_owned).collect();
                Unlogged::Event(Observed {
                    participant: None,
                    participants: whom.into_iter().collect(),
                    at: None,
                    id: None,
                    reported_by: None,
                    evidence: None,
                    reason: None,
                    ..event.clone()
                })
            }
            Unlogged::Join(asked) => Unlogged::Join(Participant { joined_at: None, ..asked.clone() }),
        }
    }
}

/// Something restrictive that has arrived and is not answered yet.
pub(in crate::gate) struct Pending<'b> {
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
    /// Bars the call, since something could not be logged.
    pub(in crate::gate) fn bar(&self, who: &Principal, name: &str, what: Unlogged) {
        let mut state = self.barred.lock();
        let from = what.counts_from(self.since);
        let said = |missing: &Missing| {
            missing.who.account == who.account
                && missing.name == name
                && missing.what.gist() == what.gist()
                && missing.counts_from() <= from
        };
        if !state.missing.iter().any(said) {
            let number = state.next;
            state.next = number.wrapping_add(1);
            let (who, name) = (who.clone(), name.to_owned());
            state.missing.push(Missing { number, who, name, came: self.since, what });
        }
    }

    /// Lifts the bar of an event that was repeated and is logged now, as of its first arrival or earlier.
    pub(in crate::gate) fn lift(&self, account: &str, name: &str, event: &Observed) {
        self.lift_all(account, name, &Unlogged::Event(event.clone()));
    }

    /// As [`Pending::lift`], for somebody who joined.
    pub(in crate::gate) fn lift_join(&self, account: &str, name: &str, asked: &Participant) {
        self.lift_all(account, name, &Unlogged::Join(asked.clone()));
    }

    fn lift_all(&self, account: &str, name: &str, what: &Unlogged) {
        let mut state = self.barred.lock();
        let from = what.counts_from(self.since);
        state.missing.retain(|missing| {
            missing.who.account != account
                || missing.name != name
                || missing.what.gist() != what.gist()
                || missing.counts_from() < from
        });
    }
}

impl Gate {
    /// Notes that something may have arrived that could be an objection, and that not even its account is
    /// known.
    pub fn unhear(&self, at: Timestamp) {
        self.barred.unhear(at);
    }

    /// Since when something may be missing from the logs: now, if everything that arrived is logged.
    #[must_use]
    pub fn well(&self) -> Timestamp {
        self.barred.well(self.clock.now())
    }

    /// Whether everything that arrived is logged, apart from requests in progress.
    #[must_use]
    pub fn misses_nothing(&self) -> bool {
        self.barred.is_empty()
    }

    /// Whether everything that arrived is logged, and no request is in progress.
    #[must_use]
    pub fn owes_nothing(&self) -> bool {
        self.barred.is_settled()
    }
}

impl Barred {
    /// Notes that something restrictive has arrived and has to be logged.
    pub(in crate::gate) fn begin(&self, now: Timestamp) -> Pending<'_> {
        let mut state = self.lock();
        let number = state.next;
        state.next = number.wrapping_add(1);
        state.pending.insert(number, now);
        Pending { barred: self, number, since: now }
    }

    /// What could not be logged so far.
    pub(in crate::gate) fn missing(&self) -> Vec<Missing> {
        self.lock().missing.clone()
    }

    /// Whether this still could not be logged.
    pub(in crate::gate) fn is_missing(&self, missing: &Missing) -> bool {
        self.lock().missing.iter().any(|other| other.number == missing.number)
    }

    /// Removes something that is logged now, or has nothing to say.
    pub(in crate::gate) fn done(&self, missing: &Missing) {
        self.lock().missing.retain(|other| other.number != missing.number);
    }

    /// Since when something may be missing from the log: now, if everything that arrived is logged.
    pub(in crate::gate) fn well(&self, now: Timestamp) -> Timestamp {
        let state = self.lock();
        let missing = state.missing.iter().map(|missing| &missing.came);
        missing.chain(state.pending.values()).chain(&state.unheard).copied().fold(now, Timestamp::min)
    }

    /// Whether nothing is missing, apart from requests in progress.
    pub(in crate::gate) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.missing.is_empty() && state.unheard.is_none()
    }

    /// Whether nothing is missing, and no request is in progress.
    pub(in crate::gate) fn is_settled(&self) -> bool {
        self.is_empty() && self.lock().pending.is_empty()
    }

    /// Notes that something may have arrived of which nothing is known.
    pub(in crate::gate) fn unhear(&self, at: Timestamp) {
        let mut state = self.lock();
        state.unheard = Some(state.unheard.map_or(at, |since| since.min(at)));
    }

    /// Since when something may have arrived of which nothing is known.
    pub(in crate::gate) fn unheard(&self) -> Option<Timestamp> {
        self.lock().unheard
    }

    /// Notes that the gap since then is logged.
    pub(in crate::gate) fn told(&self, since: Timestamp) {
        let mut state = self.lock();
        state.unheard = state.unheard.filter(|unheard| *unheard != since);
    }

    /// Whether a call is barred under any of its names.
    pub(in crate::gate) fn holds(&self, loaded: &Loaded) -> bool {
        let names = || std::iter::once(&loaded.row.id).chain(&loaded.context.aliases);
        self.lock().missing.iter().any(|missing| {
            missing.who.account == loaded.row.account && names().any(|name| *name == missing.name)
        })
    }

    /// Refuses to permit anything on a barred call.
    pub(in crate::gate) fn check(&self, loaded: &Loaded) -> Result<(), Failure> {
        if self.holds(loaded) { Err(Failure::Barred) } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::gate::ask::{EventType, Places};

    fn who() -> Principal {
        Principal {
            credential: "cg_0".into(),
            account: "acme".into(),
            role: Role::Recorder,
            uploads: crate::access::Uploads::default(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn located(place: &str) -> Observed {
        let location = Some(Places::One(place.into()));
        let participant = Some("caller".into());
        Observed { participant, location, ..Observed::of(EventType::ParticipantLocated) }
    }

    #[test]
    fn what_says_the_same_lifts_a_bar_only_if_it_counts_from_no_later() {
        let barred = Barred::default();
        let first = barred.begin(at(0));
        for place in ["US-CA", "US-FL", "US-CA"] {
            first.bar(&who(), "c", Unlogged::Event(located(place)));
        }
        assert_eq!(barred.missing().len(), 2);
        // It was logged as of a later moment, so the time in between is not stricter yet.
        let later = barred.begin(at(5));
        later.lift("acme", "c", &located("US-CA"));
        assert_eq!(barred.missing().len(), 2);
        later.lift("acme", "c", &Observed { at: Some(at(1)), ..located("US-CA") });
        assert_eq!(barred.missing().len(), 2);
        later.lift("acme", "c", &Observed { at: Some(at(-1)), ..located("US-CA") });
        assert_eq!(barred.missing().len(), 1);
        later.lift("acme", "d", &Observed { at: Some(at(0)), ..located("US-FL") });
        assert_eq!(barred.missing().len(), 1);
        later.lift("acme", "c", &Observed { at: Some(at(0)), ..located("US-FL") });
        assert!(barred.is_empty());
        // An arrival in one role does not replace an arrival in another.
        let joining = |role| Participant { role, ..Participant::stranger("x".into()) };
        for role in [policy::Role::System, policy::Role::Customer] {
            later.bar(&who(), "c", Unlogged::Join(joining(role)));
        }
        assert_eq!(barred.missing().len(), 2);
        later.lift_join("acme", "c", &joining(policy::Role::System));
        later.lift_join("acme", "c", &joining(policy::Role::Customer));
        assert!(barred.is_empty());
        // The earlier of two must not be forgotten in favour of the later.
        later.bar(&who(), "c", Unlogged::Event(located("US-CA")));
        later.bar(&who(), "c", Unlogged::Event(Observed { at: Some(at(2)), ..located("US-CA") }));
        assert_eq!(barred.missing().len(), 2);
    }
}
