//! Public keys that were read and checked before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::gate::Fault;
use crate::seal::RecipientKey;

/// Public keys by the hash of their SPKI: checking one takes longer than wrapping for it.
#[derive(Debug, Default)]
pub(in crate::gate) struct KeyCache(Mutex<HashMap<String, RecipientKey>>);

impl KeyCache {
    /// The key of a row, checked the first time: it has to be usable, and the one that its id names.
    pub(in crate::gate) fn key(&self, id: &str, pem: &str) -> Result<RecipientKey, Fault> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = lock().get(id) {
            return Ok(key.clone());
        }
        let key = RecipientKey::from_pem(pem)
            .map_err(|error| Fault::damaged_by("a stored public key cannot be used", error))?;
        if key.fingerprint() != id {
            return Err(Fault::damaged("a stored public key is not the one that its id names"));
        }
        lock().insert(id.to_owned(), key.clone());
        Ok(key)
    }
}
