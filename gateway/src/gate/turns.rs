//! Verbs on one call take turns within this process.
//!
//! This only saves work: two verbs that decided on the same state would collide at the writer, and
//! all but one would begin again. Nothing relies on it: a call's aliases, other processes and
//! uploads do not take turns, and the writer compares the call's head all the same.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tokio::sync::{Mutex, MutexGuard};

/// Turns of calls, by the hash of account and name.
#[derive(Debug)]
pub struct Turns(Vec<Mutex<()>>);

impl Turns {
    /// Waits for the turn; it ends when the guard is dropped.
    pub(crate) async fn take(&self, account: &str, name: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        (account, name).hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % LANES).ok()?;
        match self.0.get(index) {
            Some(lane) => Some(lane.lock().await),
            None => None,
        }
    }
}

impl Default for Turns {
    fn default() -> Self {
        Turns((0..LANES).map(|_| Mutex::new(())).collect())
    }
}

const LANES: u64 = 4096;
