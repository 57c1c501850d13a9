//! How long an epoch of a log lasts, and how long it is kept.
//!
//! If a period is configured, every log starts a new epoch with each period: its last head is signed and
//! kept, and the first entry of the next epoch holds that head. So an epoch can be dropped as a whole once it
//! was kept for long enough, and everything that remains still verifies.
//!
//! INVARIANT: nothing is dropped that is still needed: neither the entries of an open call, nor those of a
//! call with a recording, nor those from the middle of a call.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::json;

use crate::gate::answer::DroppedEpoch;
use crate::gate::{ATTEMPTS, Fault, Gate, LogRefusal, Thing, Wrong, from_row};
use crate::ledger::{Appended, Change, ClosedLogRow, Epoch, Erase, Expect, Job};
use crate::notary::Notary;
use trail::note::{Checkpoint, Note};
use trail::{Actor, Body, LogCause, Previous};

impl Gate {
    /// Starts a new epoch for every log whose epoch began before the period. Only where logs are signed.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the ledger fails, or a log cannot be signed. The other logs are done all the same.
    pub async fn turn_logs(&self, period_began: Timestamp) -> Result<(), Fault> {
        let Some(notary) = &self.notary else { return Ok(()) };
        let mut failed = None;
        for (at, first) in self.ledger.epochs_began().await? {
            if from_row(first) >= period_began {
                continue;
            }
            if let Err(fault) = self.turn(notary, &at).await {
                failed = failed.or(Some(fault));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn turn(&self, notary: &Notary, ending: &Epoch) -> Result<(), Fault> {
        for _ in 0..ATTEMPTS {
            // A busy log would grow between each look and the next, so it is locked while it is signed.
            let quiet = self.ledger.quiet().await;
            let last = notary.sign(&ending.log).await?.filter(|last| last.at == *ending);
            // Another node may have been faster.
            let Some(last) = last else { return Ok(()) };
            let head = Checkpoint::parse(&last.note.text)
                .map_err(|_| Fault::damaged("a signed head cannot be read"))?;
            let now = self.clock.now();
            let previous =
                Previous { origin: head.origin, size: head.size, root: BASE64_STANDARD.encode(head.root) };
            let body = Body::LogOpened { previous, cause: LogCause::Period };
            let log = ending.log.clone();
            let job = Job {
                expects: vec![Expect::LogAt {
                    log: log.clone(),
                    epoch: ending.epoch,
                    size: signed(head.size),
                }],
                changes: vec![Change::CloseLog {
                    log: log.clone(),
                    epoch: ending.epoch,
                    next: ending.epoch.saturating_add(1),
                    root: head.root.to_vec(),
                    note: Some(last.note.to_string()),
                    at: now.as_millisecond(),
                }],
                entries: vec![trail::draft(&log, now, &Actor::gateway(), None, body, None)?],
            };
            if quiet.append(job).await? == Appended::Done {
                tracing::info!(
                    log,
                    epoch = ending.epoch.saturating_add(1),
                    "a new period: the log starts a new epoch"
                );
                return Ok(());
            }
        }
        Err(Fault::contended())
    }

    /// Drops an epoch that has ended: its entries with everything that belongs to them, and the calls that
    /// were opened in it. Its last head is kept. If a crash interrupts this, the next attempt completes it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such epoch, it has not ended, or something in it is still needed.
    pub async fn drop_epoch(
        &self,
        actor: &Actor,
        at: &Epoch,
        name: &str,
        reason: &str,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<DroppedEpoch, Fault> {
        if reason.trim().is_empty() || reason.len() > 4096 {
            return Err(Wrong::NoReason.into());
        }
        let row = self.drop_calls(actor, at, name, reason).await?;
        // At this point the log says that the epoch is dropped, and no call needs its entries.
        let mut dropped: i64 = 0;
        while let Some(first) = self.ledger.first_entry(at).await? {
            let before = first.saturating_add(CHUNK).min(row.size);
            let erase = Erase::Entries { log: at.log.clone(), epoch: at.epoch, before };
            self.append(Job { changes: vec![Change::Erase(erase)], ..Job::default() }).await?;
            dropped = dropped.saturating_add(before.saturating_sub(first));
            let count = |entries: i64| u64::try_from(entries).unwrap_or(0);
            progress(count(before), count(row.size));
        }
        let erase = Erase::Tree { log: at.log.clone(), epoch: at.epoch };
        self.append(Job { changes: vec![Change::Erase(erase)], ..Job::default() }).await?;
        if !self.ledger.settle().await.unwrap_or(false) {
            tracing::warn!(
                "could not empty the ledger's write-ahead log; until then it still holds what was dropped"
            );
        }
        Ok(DroppedEpoch {
            log: at.log.clone(),
            epoch: at.epoch,
            origin: origin(&row, name),
            size: row.size,
            root: BASE64_STANDARD.encode(&row.root),
            closed_at: from_row(row.closed_at).into(),
            dropped,
        })
    }

    async fn drop_calls(
        &self,
        actor: &Actor,
        at: &Epoch,
        name: &str,
        reason: &str,
    ) -> Result<ClosedLogRow, Fault> {
        for _ in 0..ATTEMPTS {
            let closed = self.ledger.closed_logs(&at.log).await?;
            let Some(row) = closed.iter().find(|row| row.epoch == at.epoch) else {
                return Err(self.not_closed(at).await?);
            };
            if row.dropped_at.is_some() {
                return Ok(row.clone());
            }
            if let Some(earlier) = closed.iter().find(|row| row.epoch < at.epoch && row.dropped_at.is_none())
            {
                return Err(LogRefusal::EarlierEpoch { epoch: earlier.epoch }.into());
            }
            self.is_needed(at).await?;
            let body = Body::LogDropped {
                origin: origin(row, name),
                size: u64::try_from(row.size).unwrap_or(0),
                root: BASE64_STANDARD.encode(&row.root),
            };
            let erase =
                Erase::Log { log: at.log.clone(), epoch: at.epoch, at: self.clock.now().as_millisecond() };
            let expects = vec![Expect::Droppable { log: at.log.clone(), epoch: at.epoch }];
            let detail = Some(json!({"reason": reason}));
            let changes = vec![Change::Erase(erase)];
            if self.note(actor, &at.log, body, detail, changes, expects).await? == Appended::Done {
                return Ok(row.clone());
            }
        }
        Err(Fault::contended())
    }

    /// Refuses if something in an epoch is still needed.
    async fn is_needed(&self, at: &Epoch) -> Result<(), Fault> {
        let calls = self.ledger.open_calls_of(at).await?;
        if !calls.is_empty() {
            return Err(LogRefusal::InProgress { calls }.into());
        }
        let recordings = self.ledger.recordings_of(at).await?;
        let ids = |held: bool| -> Vec<String> {
            recordings.iter().filter(|(_, is)| *is || !held).map(|(id, _)| id.clone()).collect()
        };
        if recordings.iter().any(|(_, held)| *held) {
            return Err(LogRefusal::Held { recordings: ids(true) }.into());
        }
        if !recordings.is_empty() {
            return Err(LogRefusal::Recordings { recordings: ids(false) }.into());
        }
        Ok(())
    }

    /// Refuses if the entries of an epoch were dropped, so that only its last head is left.
    ///
    /// # Errors
    ///
    /// [`Fault`]: they were.
    pub async fn still_there(&self, at: &Epoch) -> Result<(), Fault> {
        let closed = self.ledger.closed_logs(&at.log).await?;
        let dropped = closed.iter().find(|row| row.epoch == at.epoch).and_then(|row| row.dropped_at);
        match dropped {
            None => Ok(()),
            Some(dropped) => Err(LogRefusal::Dropped { at: from_row(dropped) }.into()),
        }
    }

    async fn not_closed(&self, at: &Epoch) -> Result<Fault, Fault> {
        let current = self.ledger.head(&at.log).await?.is_some_and(|head| head.epoch == at.epoch);
        Ok(match current {
            true => LogRefusal::Open.into(),
            false => Thing::Epoch.into(),
        })
    }
}

/// The origin of an epoch that has ended: the name that its heads are signed for.
fn origin(row: &ClosedLogRow, name: &str) -> String {
    let signed = row.note.as_deref().and_then(|note| Note::parse(note).ok());
    let signed = signed.and_then(|note| Checkpoint::parse(&note.text).ok());
    let at = Epoch { log: row.id.clone(), epoch: row.epoch };
    signed.map_or_else(|| crate::notary::origin(name, &at), |head| head.origin)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How many entries one transaction drops, so that others do not wait long.
const CHUNK: i64 = 5_000;
