//! Retention: what may not be kept any longer is deleted.
//!
//! How long a recording is kept follows from the law and the overlays when it was accepted, and from the account's
//! settings when its call was opened. A legal hold wins over everything. If one has to be kept for longer than it may be, nobody can do both: it is kept until
//! both have passed, and listed for counsel until then.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use policy::Period;
use serde_json::json;

use crate::gate::answer::{Contradiction, Overdue};
use crate::gate::{Fault, Gate, RecordingRefusal, Refused, from_row, kept, parse_id};
use crate::ledger::{Appended, Change, Expect, Job, RecordingRow};
use trail::chain::Chain;
use trail::clock::Moment;
use trail::{Actor, Body};

impl Gate {
    /// Deletes every recording whose time is over, or only counts them; those that cannot be deleted now are left to the
    /// next time. Whoever does the same at once, or crashes in between, does no harm: a transaction deletes all of a group or
    /// nothing of it, and what a crash leaves in the store is removed at the next start.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the ledger cannot be read. What was deleted by then is deleted.
    pub async fn delete_overdue(&self, actor: &Actor, dry_run: bool) -> Result<Overdue, Fault> {
        let now = self.clock.now().as_millisecond();
        let mut found = Overdue { held: self.ledger.due_but_held(now).await?, ..Overdue::default() };
        let mut after = (i64::MIN, String::new());
        loop {
            let page = self.ledger.due(now, after.clone(), AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            // Shows if a hold was removed unseen.
            let accounts: BTreeSet<&String> = page.iter().map(|row| &row.account).collect();
            let mut unread = BTreeSet::new();
            for account in accounts {
                // Nothing of an account is deleted whose holds cannot be read; of others, it is.
                if let Err(error) = self.ledger.holds(account).await {
                    tracing::error!(error = %Chain(&error), account, "the holds of an account cannot be read, so nothing of it is deleted");
                    unread.insert(account.clone());
                }
            }
            after = (last.delete_by.unwrap_or(i64::MIN), last.id.clone());
            let (page, left): (Vec<RecordingRow>, Vec<RecordingRow>) =
                page.into_iter().partition(|row| !unread.contains(&row.account));
            found.failed = found.failed.saturating_add(left.len() as u64);
            if dry_run {
                found.due = found.due.saturating_add(page.len() as u64);
                continue;
            }
            // Each of one account: what stops one does not stop another.
            let mut of_accounts: BTreeMap<String, Vec<RecordingRow>> = BTreeMap::new();
            for row in page {
                of_accounts.entry(row.account.clone()).or_default().push(row);
            }
            let groups: Vec<Vec<RecordingRow>> =
                of_accounts.values().flat_map(|rows| rows.chunks(TOGETHER)).map(<[_]>::to_vec).collect();
            let delete = |rows: Vec<RecordingRow>| async move { self.delete_together(actor, &rows).await };
            let deletions = groups.into_iter().map(delete);
            let mut deletions = futures_util::stream::iter(deletions).buffer_unordered(GROUPS);
            while let Some(part) = deletions.next().await {
                found.deleted = found.deleted.saturating_add(part.deleted);
                found.held = found.held.saturating_add(part.held);
                found.failed = found.failed.saturating_add(part.failed);
            }
        }
        Ok(found)
    }

    /// Deletes these by one transaction, then their media. Where one of them has just been put under a hold, or was deleted
    /// by somebody who was faster, each goes by itself.
    async fn delete_together(&self, actor: &Actor, rows: &[RecordingRow]) -> Overdue {
        let all = rows.len() as u64;
        match self.delete_at_once(actor, rows).await {
            Ok(Some(left)) => {
                Overdue { deleted: all.saturating_sub(left), failed: left, ..Overdue::default() }
            }
            Ok(None) => {
                let mut found = Overdue::default();
                for row in rows {
                    self.delete_alone(actor, row, &mut found).await;
                }
                found
            }
            Err(fault) => {
                failed(&fault);
                Overdue { failed: all, ..Overdue::default() }
            }
        }
    }

    /// How many media are left; `None` if they do not go together.
    async fn delete_at_once(&self, actor: &Actor, rows: &[RecordingRow]) -> Result<Option<u64>, Fault> {
        let (mut job, mut media) = (Job::default(), Vec::with_capacity(rows.len()));
        let now = self.clock.now();
        for row in rows {
            // What cannot be read holds up nobody else.
            let Ok(kept) = kept(row) else { return Ok(None) };
            job.expects.push(Expect::RecordingLive { id: kept.id, unheld: true });
            job.changes.push(Change::DeleteRecording { id: kept.id, at: now.as_millisecond() });
            let body = Body::Deleted { recording: kept.id };
            job.entries.push(trail::draft(&row.account, now, actor, None, body, Some(because()))?);
            media.push(kept);
        }
        match self.append(job).await? {
            Appended::Conflict => Ok(None),
            // At this point the keys are gone from the ledger; after a crash, the next start completes the rest.
            Appended::Done => Ok(Some(self.sweep_all(&media).await?)),
        }
    }

    async fn delete_alone(&self, actor: &Actor, row: &RecordingRow, found: &mut Overdue) {
        match self.erase_because(actor, row, Some(because())).await {
            Ok(()) => found.deleted = found.deleted.saturating_add(1),
            // Somebody was faster.
            Err(Fault::Refused { why: Refused::Recording(RecordingRefusal::Deleted), .. }) => {}
            // It has just been put under a hold.
            Err(Fault::Refused { why: Refused::Recording(RecordingRefusal::Held), .. }) => {
                found.held = found.held.saturating_add(1);
            }
            Err(fault) => {
                failed(&fault);
                found.failed = found.failed.saturating_add(1);
            }
        }
    }

    /// What the clock says, in milliseconds since 1970.
    pub(crate) fn clock_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// How far the clock is ahead of everything that was ever logged, in milliseconds.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the ledger cannot be read.
    pub(crate) async fn ahead_of_the_trail_ms(&self) -> Result<i64, Fault> {
        let now = self.clock.now().as_millisecond();
        let newest = self.ledger.heads().await?.iter().map(|(_, head)| head.last_at).max();
        Ok(newest.map_or(0, |newest| now.saturating_sub(newest)))
    }

    /// Recordings that have to be kept for longer than they may be, those that may go first in front; at most a hundred.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the ledger cannot be read.
    pub async fn contradictions(&self) -> Result<Vec<Contradiction>, Fault> {
        let rows = self.ledger.kept_too_long(self.clock.now().as_millisecond(), LISTED).await?;
        rows.into_iter().filter(contradicts_itself).map(contradiction).collect()
    }
}

fn because() -> serde_json::Value {
    json!({"because": "retention"})
}

fn failed(fault: &Fault) {
    let cause = fault.failure().map(|failure| Chain(failure).to_string());
    tracing::error!(code = %fault.code(), cause, "could not delete what is kept for too long; it is tried again");
}

/// Whether it has to be kept for longer than it may be.
fn contradicts_itself(row: &RecordingRow) -> bool {
    let period = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Period>().ok());
    matches!((period(&row.kept_at_least), period(&row.kept_at_most)), (Some(least), Some(most)) if least > most)
}

fn contradiction(row: RecordingRow) -> Result<Contradiction, Fault> {
    Ok(Contradiction {
        recording: parse_id(&row.id)?,
        account: row.account,
        minimum: row.kept_at_least.unwrap_or_default(),
        maximum: row.kept_at_most.unwrap_or_default(),
        kept_until: Moment(from_row(row.delete_by.unwrap_or(i64::MAX))),
    })
}

/// How many are read at once.
const AT_ONCE: u32 = 512;

/// How many are deleted by one transaction: an upload waits for some ten milliseconds of it.
const TOGETHER: usize = 128;

/// While the media of one group are removed, the next one is written.
const GROUPS: usize = 2;

/// How many of those that contradict themselves are read.
const LISTED: u32 = 100;
