//! Customers' public keys, for which recordings are sealed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::gate::{Fault, Gate, RegisterRefusal, Thing};
use crate::ledger::{Appended, Change, Expect};
use seal::RecipientKey;
use trail::{Actor, Body};

/// Public keys by the hash of their SPKI: checking a key takes longer than wrapping for it.
#[derive(Debug, Default)]
pub(in crate::gate) struct KeyCache(Mutex<HashMap<String, RecipientKey>>);

impl KeyCache {
    /// The key of a row, checked on first use: it has to be usable, and to match its id.
    pub(in crate::gate) fn key(&self, id: &str, pem: &str) -> Result<RecipientKey, Fault> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = lock().get(id) {
            return Ok(key.clone());
        }
        let key = RecipientKey::from_pem(pem)
            .map_err(|error| Fault::damaged_by("a stored public key cannot be used", error))?;
        if key.fingerprint() != id {
            return Err(Fault::damaged("a stored public key does not match its id"));
        }
        lock().insert(id.to_owned(), key.clone());
        Ok(key)
    }
}

impl Gate {
    /// Adds a customer's public key. Returns its id.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, or the key is not usable. If it is a private key, nothing of it
    /// is kept.
    pub async fn add_key(
        &self,
        actor: &Actor,
        account: &str,
        file: impl AsRef<[u8]>,
    ) -> Result<(String, usize), Fault> {
        self.settings(account).await.map_err(|fault| fault.of_account(account))?;
        let key = RecipientKey::from_file(file.as_ref()).map_err(RegisterRefusal::UnusableKey)?;
        let id = key.fingerprint().to_owned();
        let change = Change::Key {
            id: id.clone(),
            account: account.into(),
            pem: key.to_pem().to_owned(),
            at: self.clock.now().as_millisecond(),
        };
        self.note(actor, account, Body::Key { key: id.clone() }, None, vec![change], Vec::new()).await?;
        Ok((id, key.bits()))
    }

    /// Retires a public key: from now on, nothing is sealed for it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the account has no such key in use.
    pub async fn retire_key(&self, actor: &Actor, account: &str, id: &str) -> Result<(), Fault> {
        let expects = vec![Expect::KeyUsable { account: account.into(), id: id.into() }];
        let change = Change::RetireKey {
            id: id.into(),
            account: account.into(),
            at: self.clock.now().as_millisecond(),
        };
        match self
            .note(actor, account, Body::KeyRetired { key: id.into() }, None, vec![change], expects)
            .await?
        {
            Appended::Done => Ok(()),
            Appended::Conflict => Err(Thing::KeyInUse.into()),
        }
    }
}
