//! Calls on which something restrictive happened that could not be logged.
//!
//! A withdrawal while the disk is full is answered 503, and the sender has to send it again. Until
//! then this process knows what the trail does not: nothing is permitted on the call.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{Fault, FaultKind, Loaded};

/// What is still to be logged.
#[derive(Debug, Default)]
pub struct Barred(Mutex<Unlogged>);

#[derive(Debug, Default)]
struct Unlogged {
    /// By account and by the name that the sender used for the call: what could not be logged, and when it came.
    missing: BTreeMap<(String, String), BTreeMap<Vec<u8>, Timestamp>>,
    /// What has come and is not logged yet, by its number.
    pending: BTreeMap<u64, Timestamp>,
    next: u64,
    /// Since when something may have come of which not even the call is known.
    unheard: Option<Timestamp>,
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
    /// It could not be logged: `digest` stands for it.
    pub(crate) fn bar(&self, account: &str, name: &str, digest: Vec<u8>) {
        let mut unlogged = self.barred.lock();
        let of_call = unlogged.missing.entry((account.to_owned(), name.to_owned())).or_default();
        of_call.entry(digest).or_insert(self.since);
    }

    /// It is logged now.
    pub(crate) fn lift(&self, account: &str, name: &str, digest: &[u8]) {
        let mut unlogged = self.barred.lock();
        let key = (account.to_owned(), name.to_owned());
        if let Some(digests) = unlogged.missing.get_mut(&key) {
            digests.remove(digest);
            if digests.is_empty() {
                unlogged.missing.remove(&key);
            }
        }
    }
}

impl Barred {
    /// Something restrictive has come, to be logged.
    pub(crate) fn begin(&self, now: Timestamp) -> Pending<'_> {
        let mut unlogged = self.lock();
        let number = unlogged.next;
        unlogged.next = number.wrapping_add(1);
        unlogged.pending.insert(number, now);
        Pending { barred: self, number, since: now }
    }

    /// Since when something may be missing from the log: now, where all is logged that has come.
    pub(crate) fn well(&self, now: Timestamp) -> Timestamp {
        let unlogged = self.lock();
        let missing = unlogged.missing.values().flat_map(BTreeMap::values);
        let missing = missing.chain(unlogged.pending.values()).chain(&unlogged.unheard);
        missing.copied().fold(now, Timestamp::min)
    }

    /// Whether nothing is missing, whatever may be on its way.
    pub(crate) fn is_empty(&self) -> bool {
        let unlogged = self.lock();
        unlogged.missing.is_empty() && unlogged.unheard.is_none()
    }

    /// Whether nothing is missing, and nothing on its way.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_empty() && self.lock().pending.is_empty()
    }

    /// Something may have come, of which nothing is known.
    pub(crate) fn unhear(&self, at: Timestamp) {
        let mut unlogged = self.lock();
        unlogged.unheard = Some(unlogged.unheard.map_or(at, |since| since.min(at)));
    }

    /// Since when something may have come of which nothing is known.
    pub(crate) fn unheard(&self) -> Option<Timestamp> {
        self.lock().unheard
    }

    /// It is logged that something may be missing since then.
    pub(crate) fn told(&self, since: Timestamp) {
        let mut unlogged = self.lock();
        unlogged.unheard = unlogged.unheard.filter(|unheard| *unheard != since);
    }

    /// Refuses to permit anything on a call that is barred under any of its names.
    pub(crate) fn check(&self, loaded: &Loaded) -> Result<(), Fault> {
        let missing = &self.lock().missing;
        if missing.is_empty() {
            return Ok(());
        }
        let mut names = std::iter::once(&loaded.row.id).chain(&loaded.context.aliases);
        if !names.any(|name| missing.contains_key(&(loaded.row.account.clone(), name.clone()))) {
            return Ok(());
        }
        Err(Fault::new(
            FaultKind::Unavailable,
            "call-barred",
            "an event of this call could not be logged; send it again first, until then nothing is permitted",
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Unlogged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
