//! Customers' public keys, for which recordings are sealed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::gate::{ATTEMPTS, Fault, Gate, RegisterRefusal, Thing};
use crate::ledger::{Appended, Change, Expect, Job, KeyRow};
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

/// What became of a key that was to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenKey {
    /// Its id.
    pub id: String,
    /// Its length, in bits.
    pub bits: usize,
    /// The ids of the keys that were retired in the same step.
    pub retired: Vec<String>,
    /// Whether it was not in use before.
    pub new: bool,
    /// Whether the account has or had another key, whose holder has not proved to agree. Its entry says so.
    pub without_proof: bool,
}

/// What becomes of a retired key that is to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retired {
    /// It is taken up again.
    Returns,
    /// It stays retired, and the request is refused: repeating an old request must not undo the retirement.
    StaysSo,
}

fn ids_in_use(rows: &[KeyRow]) -> Vec<String> {
    let in_use = rows.iter().filter(|row| row.retired_at.is_none());
    let mut ids: Vec<String> = in_use.map(|row| row.id.clone()).collect();
    ids.sort();
    ids
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
        let taken = self.take_file(actor, account, file.as_ref(), false).await?;
        Ok((taken.id, taken.bits))
    }

    /// Adds a customer's public key; if `replacing`, it retires the others in one step: at every moment there is a key
    /// to seal for.
    ///
    /// # Errors
    ///
    /// As [`Gate::add_key`].
    pub async fn take_file(
        &self,
        actor: &Actor,
        account: &str,
        file: &[u8],
        replacing: bool,
    ) -> Result<TakenKey, Fault> {
        self.settings_now(account).await?;
        let key = RecipientKey::from_file(file).map_err(RegisterRefusal::UnusableKey)?;
        self.take_key(actor, account, &key, replacing, Retired::Returns).await
    }

    pub(in crate::gate) async fn take_key(
        &self,
        actor: &Actor,
        account: &str,
        key: &RecipientKey,
        replacing: bool,
        retired_one: Retired,
    ) -> Result<TakenKey, Fault> {
        let mine = key.fingerprint();
        let taken = |retired: Vec<String>, new, without_proof| TakenKey {
            id: mine.to_owned(),
            bits: key.bits(),
            retired,
            new,
            without_proof,
        };
        for _ in 0..ATTEMPTS {
            let (settings, document) = self.settings_now(account).await?;
            let rows = self.ledger.keys(account).await?;
            if retired_one == Retired::StaysSo
                && rows.iter().any(|row| row.id == mine && row.retired_at.is_some())
            {
                return Err(RegisterRefusal::KeyRetired.into());
            }
            let in_use = ids_in_use(&rows);
            let others: Vec<String> = in_use.iter().filter(|id| *id != mine).cloned().collect();
            let is_in_use = others.len() < in_use.len();
            let retired = if replacing { others.clone() } else { Vec::new() };
            if is_in_use && retired.is_empty() {
                return Ok(taken(retired, false, false));
            }
            if settings.format.has_one_recipient() && !replacing && !others.is_empty() {
                let (account, format) = (account.into(), settings.format);
                return Err(RegisterRefusal::OneKey { account, format, in_use: others }.into());
            }
            // Even if all of them were retired: none of their holders has agreed to this one.
            let without_proof = !is_in_use && !rows.is_empty();
            let at = self.clock.now();
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
            if !is_in_use {
                job.changes.push(Change::Key {
                    id: mine.to_owned(),
                    account: account.into(),
                    pem: key.to_pem().to_owned(),
                    at: at.as_millisecond(),
                });
                let body = Body::Key { key: mine.to_owned(), without_proof };
                job.entries.push(trail::draft(account, at, actor, None, body, None)?);
            }
            if self.append(job).await? == Appended::Done {
                return Ok(taken(retired, !is_in_use, without_proof));
            }
        }
        Err(Fault::contended())
    }

    /// The ids of the account's keys that are not retired, in their order.
    pub(in crate::gate) async fn keys_in_use(&self, account: &str) -> Result<Vec<String>, Fault> {
        Ok(ids_in_use(&self.ledger.keys(account).await?))
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
