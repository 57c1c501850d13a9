//! Calls on which something restrictive happened that could not be logged.
//!
//! A withdrawal while the disk is full is answered 503, and the sender has to send it again. Until
//! then this process knows what the trail does not: nothing is permitted on the call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Fault, FaultKind, Loaded};

/// What is still to be logged, by account and by the name that the sender used for the call.
#[derive(Debug, Default)]
pub struct Barred(Mutex<Missing>);

type Missing = BTreeMap<(String, String), BTreeSet<Vec<u8>>>;

impl Barred {
    /// Something restrictive could not be logged: `digest` stands for it.
    pub(crate) fn bar(&self, account: &str, name: &str, digest: Vec<u8>) {
        self.lock().entry((account.to_owned(), name.to_owned())).or_default().insert(digest);
    }

    /// It is logged now.
    pub(crate) fn lift(&self, account: &str, name: &str, digest: &[u8]) {
        let mut missing = self.lock();
        let key = (account.to_owned(), name.to_owned());
        if let Some(digests) = missing.get_mut(&key) {
            digests.remove(digest);
            if digests.is_empty() {
                missing.remove(&key);
            }
        }
    }

    /// Whether nothing is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Refuses to permit anything on a call that is barred under any of its names.
    pub(crate) fn check(&self, loaded: &Loaded) -> Result<(), Fault> {
        let missing = self.lock();
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

    fn lock(&self) -> MutexGuard<'_, Missing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
