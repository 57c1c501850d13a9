//! Counting wrong secrets, so that guessing is slow and a caller whose secret is right isn't.
//!
//! Knows nothing of secrets or of HTTP, reads no clock, and keeps neither names nor addresses, only
//! keyed hashes of them.
//!
//! INVARIANT: it can delay two things only: the wording of a refusal (429 in place of 401), and the
//! slow hash of a password that a person chose. A generated secret that is right never comes here,
//! so no stranger can lock its owner out, whatever they send.
//!
//! Failures are counted per client network, which slows one guesser, and per username, which slows
//! guessers who have many networks. Strangers can hold the second at its limit. So a network and
//! username that have been right together keep a count of their own, which strangers elsewhere
//! can't reach. A stranger behind the same address can: behind a proxy, configure it (`trusted_proxies`), so
//! that every client counts for themselves.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::listen::origin::Network;

/// Counts of wrong secrets, in constant memory (65,536 keys, about 4 MB).
pub struct Throttle {
    keyed: RandomState,
    tables: Mutex<Tables>,
}

impl Throttle {
    /// A throttle with nothing counted.
    #[must_use]
    pub fn new() -> Self {
        let tables = Tables { failures: Recent::new(FAILURES_MAX), successes: Recent::new(SUCCESSES_MAX) };
        Self { keyed: RandomState::new(), tables: Mutex::new(tables) }
    }

    /// Counts a generated secret that was wrong, or a username that doesn't exist. `None`: answer
    /// 401. `Some`: answer 429 with `Retry-After`.
    #[must_use]
    pub fn refused(&self, from: IpAddr, username: &str, now: Instant) -> Option<Wait> {
        let keys = self.keys(from, username);
        let failures = &mut self.lock().failures;
        if let Some(wait) = NETWORK.wait(failures.look(keys.network), now) {
            // Counts nothing: one network can't push everyone else's counts out of the table.
            return Some(wait);
        }
        NETWORK.charge(failures, keys.network, now);
        let wait = USERNAME.wait(failures.look(keys.username), now);
        if wait.is_none() {
            USERNAME.charge(failures, keys.username, now);
        }
        wait
    }

    /// Asks for one slow hash. It counts as failed until [`Ticket::was_right`] or
    /// [`Ticket::was_not_computed`] says otherwise, so that of many guesses sent at once not all
    /// pass before the first has failed.
    ///
    /// # Errors
    ///
    /// [`Wait`] when it must not be computed: answer 429 with `Retry-After`.
    pub fn admit(&self, from: IpAddr, username: &str, now: Instant) -> Result<Ticket<'_>, Wait> {
        let keys = self.keys(from, username);
        let Tables { failures, successes } = &mut *self.lock();
        let known = successes.look(keys.pair).is_some_and(|until| now < until);
        let charges = if known {
            [Some((PAIR, keys.pair)), None]
        } else {
            [Some((NETWORK, keys.network)), Some((USERNAME, keys.username))]
        };
        let each = charges.into_iter().flatten();
        let waits = each.clone().filter_map(|(rate, key)| rate.wait(failures.look(key), now));
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        each.for_each(|(rate, key)| rate.charge(failures, key, now));
        Ok(Ticket { throttle: self, charges, pair: keys.pair })
    }

    fn keys(&self, from: IpAddr, username: &str) -> Keys {
        let network = Network::of(from);
        Keys {
            network: self.keyed.hash_one((0_u8, network)),
            username: self.keyed.hash_one((1_u8, username)),
            pair: self.keyed.hash_one((2_u8, network, username)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}

/// Leave to compute one slow hash. Dropped unused, it stays counted as a failure: right for a
/// wrong password, and for a caller who hung up before the answer.
#[must_use]
pub struct Ticket<'a> {
    throttle: &'a Throttle,
    charges: [Option<(Rate, u64)>; 2],
    pair: u64,
}

impl Ticket<'_> {
    /// The password was right: takes the failure back, and for a week this network and username
    /// have a count of their own.
    pub fn was_right(self, now: Instant) {
        let Tables { failures, successes } = &mut *self.throttle.lock();
        successes.put(self.pair, now + KNOWN_FOR);
        self.take_back(failures);
    }

    /// The password was wrong: the failure stays counted. Answer 401.
    pub fn was_wrong(self) {}

    /// Nothing was computed because too many were waiting: takes the failure back.
    pub fn was_not_computed(self) {
        self.take_back(&mut self.throttle.lock().failures);
    }

    fn take_back(&self, failures: &mut Recent) {
        for (rate, key) in self.charges.into_iter().flatten() {
            rate.refund(failures, key);
        }
    }
}

/// How long until another attempt counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait(pub Duration);

impl Wait {
    /// For `Retry-After`: whole seconds, rounded up, at least one.
    #[must_use]
    pub fn seconds(self) -> u64 {
        let partial = u64::from(self.0.subsec_nanos() > 0);
        (self.0.as_secs() + partial).max(1)
    }
}

/// A burst of failures, then one every so often. One instant is all it needs to keep: when the
/// last failure counted will be forgiven (GCRA, ITU-T I.371).
#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

impl Rate {
    fn wait(self, forgiven: Option<Instant>, now: Instant) -> Option<Wait> {
        let backlog = forgiven?.saturating_duration_since(now);
        let room = self.every * self.burst.saturating_sub(1);
        (backlog > room).then(|| Wait(backlog.saturating_sub(room)))
    }

    fn charge(self, failures: &mut Recent, key: u64, now: Instant) {
        let from = failures.look(key).map_or(now, |forgiven| forgiven.max(now));
        failures.put(key, from + self.every);
    }

    fn refund(self, failures: &mut Recent, key: u64) {
        if let Some(earlier) = failures.look(key).and_then(|forgiven| forgiven.checked_sub(self.every)) {
            failures.put(key, earlier);
        }
    }
}

struct Keys {
    network: u64,
    username: u64,
    pair: u64,
}

struct Tables {
    failures: Recent,
    /// Apart from the failures: strangers can fill those, and this only by being right.
    successes: Recent,
}

/// A bounded map that keeps at least the half of its keys that were looked at last: when the young
/// half is full it becomes the old one, and the old one is forgotten.
struct Recent {
    young: HashMap<u64, Instant>,
    old: HashMap<u64, Instant>,
    half: usize,
}

impl Recent {
    fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: max / 2 }
    }

    fn look(&mut self, key: u64) -> Option<Instant> {
        if let Some(found) = self.young.get(&key) {
            return Some(*found);
        }
        let found = self.old.remove(&key)?;
        self.put(key, found);
        Some(found)
    }

    fn put(&mut self, key: u64, value: Instant) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }
}

/// A handful of typing mistakes behind one office's address, then one a few seconds.
const NETWORK: Rate = Rate { burst: 20, every: Duration::from_secs(3) };

/// Against guessers with many networks: at most 8,690 guesses a day at one password.
const USERNAME: Rate = Rate { burst: 50, every: Duration::from_secs(10) };

/// For a network and username that have been right together.
const PAIR: Rate = Rate { burst: 20, every: Duration::from_secs(10) };

/// How long being right together is remembered: over a weekend.
const KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const FAILURES_MAX: usize = 65_536;
const SUCCESSES_MAX: usize = 8_192;

#[cfg(test)]
mod tests;
