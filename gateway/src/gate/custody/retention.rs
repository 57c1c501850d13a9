//! Retention: what may not be kept any longer is deleted.
//!
//! How long a recording is kept follows from the law and the overlays when it was accepted, and from the account's
//! settings when its call was opened. A legal hold wins over everything. If one has to be kept for longer than it may be, nobody can do both: it is kept until
//! both have passed, and listed for counsel until then.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use policy::Period;
use serde_json::json;

use crate::gate::answer::{Contradiction, Overdue};
use crate::gate::{Fault, Gate, RecordingRefusal, Refused, from_row, parse_id};
use crate::ledger::RecordingRow;
use trail::Actor;
use trail::clock::Moment;

impl Gate {
    /// Deletes every recording whose time is over, or only counts them; those that cannot be deleted now are left to the
    /// next time. Whoever does the same at once, or crashes in between, does no harm: each is deleted by a transaction of
    /// its own, and what a crash leaves in the store is removed at the next start.
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
            for account in accounts {
                self.ledger.holds(account).await?;
            }
            after = (last.delete_by.unwrap_or(i64::MIN), last.id.clone());
            if dry_run {
                found.due = found.due.saturating_add(page.len() as u64);
                continue;
            }
            let delete = |row: RecordingRow| async move {
                self.erase_because(actor, &row, Some(json!({"because": "retention"}))).await
            };
            let mut deletions =
                futures_util::stream::iter(page.into_iter().map(delete)).buffer_unordered(TOGETHER);
            while let Some(deleted) = deletions.next().await {
                match deleted {
                    Ok(()) => found.deleted = found.deleted.saturating_add(1),
                    // Somebody was faster.
                    Err(Fault::Refused { why: Refused::Recording(RecordingRefusal::Deleted), .. }) => {}
                    // It has just been put under a hold.
                    Err(Fault::Refused { why: Refused::Recording(RecordingRefusal::Held), .. }) => {
                        found.held = found.held.saturating_add(1);
                    }
                    Err(fault) => {
                        let code = fault.code();
                        tracing::error!(%code, "could not delete a recording whose time is over; it is tried again");
                        found.failed = found.failed.saturating_add(1);
                    }
                }
            }
        }
        Ok(found)
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

/// How many are deleted at once: they share transactions.
const TOGETHER: usize = 64;

/// How many of those that contradict themselves are read.
const LISTED: u32 = 100;
