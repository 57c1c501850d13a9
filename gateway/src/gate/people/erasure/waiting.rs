//! Erasures that a legal hold prevents: they wait, and are done once no hold does.
//!
//! Meanwhile the recordings that were to be deleted are handed out only for a hold (GDPR Art. 18(2): what is restricted is
//! used for legal claims alone).

use serde_json::json;
use uuid::Uuid;

use super::{Disposal, Erasure, Found, media_left};
use crate::gate::answer::{WaitingErasure, WaitingErasureList};
use crate::gate::{ErasureRefusal, Fault, Gate, Refused, from_row, parse_id};
use crate::ledger::{Appended, Change, Job, WaitingRow};
use trail::chain::Chain;
use trail::{Actor, Body};

impl Gate {
    /// What waits to be erased in an account.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn waiting_erasures(&self, account: &str) -> Result<WaitingErasureList, Fault> {
        let rows = self.ledger.waiting_erasures(account).await?;
        Ok(WaitingErasureList { waiting: rows.iter().map(shown).collect::<Result<_, _>>()? })
    }

    /// Has an erasure wait, and its recordings restricted; `None` if the calls have changed meanwhile.
    pub(super) async fn wait(
        &self,
        actor: &Actor,
        account: &str,
        found: &Found,
        asked: &Erasure,
    ) -> Result<Option<WaitingErasure>, Fault> {
        for row in self.ledger.waiting_erasures(account).await? {
            let before = read(&row)?;
            if (before.number, before.participant, before.recordings)
                == (asked.number.clone(), asked.participant.clone(), asked.recordings)
            {
                return Ok(Some(shown(&row)?));
            }
        }
        let now = self.clock.now();
        let uid = trail::id()?;
        let document =
            serde_json::to_string(asked).map_err(|_| Fault::damaged("an erasure cannot be written"))?;
        let row = WaitingRow {
            uid: uid.to_string(),
            account: account.to_owned(),
            document,
            asked_at: now.as_millisecond(),
            salt: trail::salt()?,
        };
        let waiting = shown(&row)?;
        let mut job = Job { expects: found.expects.clone(), ..Job::default() };
        job.changes.push(Change::WaitingErasure { row: Box::new(row) });
        let mut calls: u64 = 0;
        for uid in found.calls.keys().filter(|_| asked.recordings == Disposal::Delete) {
            job.changes.push(Change::RestrictCall { call: *uid, at: now.as_millisecond() });
            calls = calls.saturating_add(1);
        }
        let body = Body::ErasureWaits { erasure: uid, calls };
        let detail = Some(json!({"reason": asked.reason}));
        job.entries.push(trail::draft(account, now, actor, None, body, detail)?);
        Ok((self.append(job).await? == Appended::Done).then_some(waiting))
    }

    /// Deletes what no hold covers of those recordings that an erasure is to delete: only the rest has to wait.
    pub(super) async fn delete_free(
        &self,
        actor: &Actor,
        found: &Found,
        asked: &Erasure,
    ) -> Result<(), Fault> {
        if asked.recordings == Disposal::Keep {
            return Ok(());
        }
        let mut left = None;
        for row in found.recordings.iter().filter(|row| row.deleted_at.is_none() && !row.is_held()) {
            match self.erase_because(actor, row, Some(json!({"because": "erasure"}))).await {
                // Put under a hold meanwhile, or deleted.
                Ok(()) | Err(Fault::Refused { .. }) => {}
                Err(fault) => left = left.or(Some(fault)),
            }
        }
        left.map_or(Ok(()), |fault| Err(media_left(fault)))
    }

    /// Erases everybody in an account who waited for it, as far as no hold prevents it now. What fails is logged, and
    /// tried again by the retention keeper.
    async fn erase_those_who_wait(&self, account: &str) {
        let rows = match self.ledger.waiting_erasures(account).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "cannot read which erasures wait");
                return;
            }
        };
        // Whoever asked for less is done by then as well.
        let mut rows: Vec<_> =
            rows.iter().filter_map(|row| Some((read(row).ok()?.recordings, row))).collect();
        rows.sort_by_key(|(recordings, _)| *recordings == Disposal::Keep);
        for (recordings, row) in rows {
            let more = async { self.waiting_deletion(account, &read(row)?).await };
            // What cannot be read may ask for more.
            if recordings == Disposal::Keep && !matches!(more.await, Ok(None)) {
                continue;
            }
            match self.erase_waiting(account, row).await {
                Ok(()) | Err(Fault::Refused { .. }) => {}
                Err(Fault::Failed(failure)) => {
                    tracing::error!(erasure = row.uid, error = %Chain(&failure), "an erasure that waited could not be done; it is tried again");
                }
            }
        }
    }

    /// What waits to delete the recordings of whoever this request is about.
    pub(super) async fn waiting_deletion(
        &self,
        account: &str,
        asked: &Erasure,
    ) -> Result<Option<WaitingErasure>, Fault> {
        for row in self.ledger.waiting_erasures(account).await? {
            let other = read(&row)?;
            if other.recordings == Disposal::Delete
                && (&other.number, &other.participant) == (&asked.number, &asked.participant)
            {
                return Ok(Some(shown(&row)?));
            }
        }
        Ok(None)
    }

    /// Waits until a hold was lifted here.
    pub async fn hold_lifted(&self) {
        self.lifted.notified().await;
    }

    /// The same in every account.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn erase_everybody_who_waits(&self) -> Result<(), Fault> {
        for account in self.ledger.accounts_waiting().await? {
            self.erase_those_who_wait(&account).await;
        }
        Ok(())
    }

    async fn erase_waiting(&self, account: &str, row: &WaitingRow) -> Result<(), Fault> {
        let uid = parse_id(&row.uid)?;
        match self.erase_or_wait(&Actor::gateway(), account, &read(row)?, Some(uid)).await {
            // Nothing is left of them.
            Err(Fault::Refused { why: Refused::Erasure(ErasureRefusal::UnknownSubject), .. }) => {
                self.nothing_left(account, uid).await
            }
            done => done.map(drop),
        }
    }

    async fn nothing_left(&self, account: &str, uid: Uuid) -> Result<(), Fault> {
        let body = Body::Erased { calls: 0, recordings: 0, erasure: Some(uid) };
        let changes = vec![Change::ErasureDone { uid }];
        self.note(&Actor::gateway(), account, body, None, changes, Vec::new()).await?;
        Ok(())
    }
}

fn read(row: &WaitingRow) -> Result<Erasure, Fault> {
    serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a waiting erasure cannot be read"))
}

fn shown(row: &WaitingRow) -> Result<WaitingErasure, Fault> {
    Ok(WaitingErasure {
        erasure: parse_id(&row.uid)?,
        asked_at: from_row(row.asked_at).into(),
        reason: read(row)?.reason,
    })
}
