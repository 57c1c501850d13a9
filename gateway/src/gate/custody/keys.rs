//! Customers' public keys, for which recordings are sealed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::gate::{ATTEMPTS, Fault, Gate, RegisterRefusal, Thing};
use crate::ledger::{Appended, Change, Expect, Job};
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
    /// Adds a customer's public key. Returns its id, and its length in bits.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, the key is not usable, or the account's format allows one key only and it
    /// has one. If it is a private key, nothing of it is kept.
    pub async fn add_key(
        &self,
        actor: &Actor,
        account: &str,
        file: impl AsRef<[u8]>,
    ) -> Result<(String, usize), Fault> {
        self.settings_now(account).await?;
        let key = RecipientKey::from_file(file.as_ref()).map_err(RegisterRefusal::UnusableKey)?;
        self.take_key(actor, account, &key, false).await?;
        Ok((key.fingerprint().to_owned(), key.bits()))
    }

    /// Adds a customer's public key and retires the others, in one step: at every moment there is a key to seal for.
    /// Returns its id, its length in bits, and the ids of the others.
    ///
    /// # Errors
    ///
    /// As [`Gate::add_key`].
    pub async fn replace_keys(
        &self,
        actor: &Actor,
        account: &str,
        file: impl AsRef<[u8]>,
    ) -> Result<(String, usize, Vec<String>), Fault> {
        self.settings_now(account).await?;
        let key = RecipientKey::from_file(file.as_ref()).map_err(RegisterRefusal::UnusableKey)?;
        let retired = self.take_key(actor, account, &key, true).await?;
        Ok((key.fingerprint().to_owned(), key.bits(), retired))
    }

    async fn take_key(
        &self,
        actor: &Actor,
        account: &str,
        key: &RecipientKey,
        replacing: bool,
    ) -> Result<Vec<String>, Fault> {
        for _ in 0..ATTEMPTS {
            let (settings, document) = self.settings_now(account).await?;
            let in_use = self.keys_in_use(account).await?;
            let others: Vec<String> = in_use.iter().filter(|id| *id != key.fingerprint()).cloned().collect();
            if settings.format.has_one_recipient() && !replacing && !others.is_empty() {
                let (account, format) = (account.into(), settings.format);
                return Err(RegisterRefusal::OneKey { account, format, in_use: others }.into());
            }
            let retired = if replacing { others } else { Vec::new() };
            let (id, at) = (key.fingerprint().to_owned(), self.clock.now());
            let mut job = Job {
                expects: vec![
                    Expect::AccountSettings { id: account.into(), settings: document },
                    Expect::KeysInUse { account: account.into(), ids: in_use },
                ],
                ..Job::default()
            };
            // In this order: at no entry of the log are there two of them.
            for id in &retired {
                let (id, account_id) = (id.clone(), account.into());
                let body = Body::KeyRetired { key: id.clone() };
                job.changes.push(Change::RetireKey { id, account: account_id, at: at.as_millisecond() });
                job.entries.push(trail::draft(account, at, actor, None, body, None)?);
            }
            job.changes.push(Change::Key {
                id: id.clone(),
                account: account.into(),
                pem: key.to_pem().to_owned(),
                at: at.as_millisecond(),
            });
            job.entries.push(trail::draft(account, at, actor, None, Body::Key { key: id }, None)?);
            if self.append(job).await? == Appended::Done {
                return Ok(retired);
            }
        }
        Err(Fault::contended())
    }

    /// The ids of the account's keys that are not retired, in their order.
    pub(in crate::gate) async fn keys_in_use(&self, account: &str) -> Result<Vec<String>, Fault> {
        let rows = self.ledger.keys(account).await?;
        let in_use = rows.into_iter().filter(|row| row.retired_at.is_none());
        let mut ids: Vec<String> = in_use.map(|row| row.id).collect();
        ids.sort();
        Ok(ids)
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
