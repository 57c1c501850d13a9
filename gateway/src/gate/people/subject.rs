//! Pseudonyms: the log knows a person by a pseudonym, made with a key that an erasure destroys.

use crate::gate::{Fault, Gate};
use crate::ledger::{Change, Expect, Job};

impl Gate {
    /// The pseudonym of a number in an account's log, with the subject's key if it is new.
    pub(in crate::gate) async fn pseudonym(
        &self,
        log: &str,
        number: &str,
        job: &mut Job,
    ) -> Result<String, Fault> {
        let tag = trail::subject::tag(&self.secrets.lookup, log, number);
        let known = job.changes.iter().find_map(|change| {
            if let Change::Subject { tag: added, key, .. } = change
                && *added == tag
            {
                return Some(key.clone());
            }
            None
        });
        let stored = match known {
            Some(key) => Some(key),
            None => {
                let stored = self.ledger.subject(&tag).await?;
                // Somebody may be erased before this is written; then a new key is made.
                job.expects.push(Expect::Subject { tag: tag.clone(), key: stored.clone() });
                stored
            }
        };
        let key = match stored {
            Some(stored) => trail::subject::open_key(&self.secrets.subjects, &stored)
                .ok_or_else(|| Fault::damaged("a subject's key was sealed under another `subjects.key`"))?,
            None => {
                let (key, sealed) = trail::subject::new_key(&self.secrets.subjects)?;
                job.changes.push(Change::Subject { tag, key: sealed, at: self.clock.now().as_millisecond() });
                key
            }
        };
        Ok(trail::subject::pseudonym(&key, log, number))
    }

    /// The pseudonym of a participant's phone number, if the number is known.
    pub(in crate::gate) async fn subject(
        &self,
        account: &str,
        participant: u32,
        number: Option<&str>,
        job: &mut Job,
    ) -> Result<Option<(u32, String)>, Fault> {
        let Some(e164) = number.and_then(|number| crate::locate::e164(number).ok()) else {
            return Ok(None);
        };
        Ok(Some((participant, self.pseudonym(account, &e164, job).await?)))
    }
}
