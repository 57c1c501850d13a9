//! Verbs on one call take turns within this process.
//!
//! This only saves work: two verbs that decided on the same state would collide at the writer, and
//! all but one would begin again. Nothing relies on it: a call's aliases, other processes and
//! uploads do not take turns, and the writer compares the call's head all the same.

use std::hash::{BuildHasher as _, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// Turns of calls, by the hash of account and name. Nobody can choose a name that shares its turn with another
/// account's call: the hash is keyed.
#[derive(Debug)]
pub(in crate::gate) struct Turns {
    lanes: Vec<Mutex<()>>,
    keys: RandomState,
}

impl Turns {
    /// Waits for the turn; it ends when the guard is dropped.
    pub(in crate::gate) async fn take(&self, account: &str, name: &str) -> Option<MutexGuard<'_, ()>> {
        match self.lane(account, name) {
            Some(lane) => Some(lane.lock().await),
            None => None,
        }
    }

    /// The turn, where nobody has it.
    pub(in crate::gate) fn try_take(&self, account: &str, name: &str) -> Option<MutexGuard<'_, ()>> {
        self.lane(account, name)?.try_lock().ok()
    }

    fn lane(&self, account: &str, name: &str) -> Option<&Mutex<()>> {
        let index = usize::try_from(self.keys.hash_one((account, name)) % LANES).ok()?;
        self.lanes.get(index)
    }
}

impl Default for Turns {
    fn default() -> Self {
        Turns { lanes: (0..LANES).map(|_| Mutex::new(())).collect(), keys: RandomState::new() }
    }
}

const LANES: u64 = 4096;
