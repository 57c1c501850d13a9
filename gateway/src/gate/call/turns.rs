//! Requests on one call take turns within this process.
//!
//! This only saves work: two requests that decide on the same state would collide at the writer, and one
//! would start again. Nothing relies on it: aliases, other processes and uploads do not take turns, and the
//! writer compares the call's head in any case.

use std::hash::{BuildHasher as _, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// The turns of calls, by a hash of account and name. The hash is keyed, so nobody can choose a name that
/// shares its turn with another account's call.
#[derive(Debug)]
pub(in crate::gate) struct Turns {
    lanes: Vec<Mutex<()>>,
    keys: RandomState,
}

impl Turns {
    /// Waits for the turn, which ends when the guard is dropped.
    pub(in crate::gate) async fn take(&self, account: &str, name: &str) -> Option<MutexGuard<'_, ()>> {
        match self.lane(account, name) {
            Some(lane) => Some(lane.lock().await),
            None => None,
        }
    }

    /// The turn, if it is free.
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
