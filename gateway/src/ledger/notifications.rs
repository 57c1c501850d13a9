//! What accounts are still to be told.

use uuid::Uuid;

use super::sql::ask;
use super::{EntryRow, Ledger, LedgerError, NotificationRow};

/// The columns of a [`NotificationRow`].
macro_rules! select_notification {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, kind, call, recording, action, queued_at, attempts, due_at, outcome, failed_at FROM ",
            $rest
        )
    };
}

impl Ledger {
    /// Whether it is to be looked whether an upload to a call is overdue.
    pub async fn overdue_waits(&self, call: Uuid) -> Result<bool, LedgerError> {
        let waiting: i64 = ask!(
            &self.pool,
            query_scalar,
            fetch_one,
            "SELECT count(*) FROM notification WHERE call = ? AND kind = 'upload.overdue' AND failed_at IS NULL",
            call.to_string()
        )?;
        Ok(waiting > 0)
    }

    /// What is to be tried at `now`, orders first, then the oldest; at most `each` of each sort of an account's. Of a call only the
    /// oldest that is not given up: the next one waits for it. An order waits for earlier orders only: it is for now. What
    /// is sent to a platform's own API waits for nothing, and nothing for it.
    pub async fn notifications_due(
        &self,
        now: i64,
        each: i64,
        limit: i64,
    ) -> Result<Vec<NotificationRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            select_notification!(
                "(SELECT waiting.*, row_number() OVER (PARTITION BY account, kind = 'suspension.ordered', action IS NULL ORDER BY seq) AS place FROM notification AS waiting \
                 WHERE failed_at IS NULL AND due_at <= ? AND NOT EXISTS (SELECT 1 FROM notification AS earlier \
                 WHERE earlier.call = waiting.call AND earlier.seq < waiting.seq AND earlier.failed_at IS NULL AND earlier.kind <> 'upload.overdue' \
                 AND waiting.kind <> 'suspension.ordered' AND earlier.kind <> 'suspension.ordered' \
                 AND (waiting.action IS NULL OR earlier.action IS NOT NULL))) AS due \
                 WHERE place <= ? ORDER BY action IS NULL, seq LIMIT ?"
            ),
            now,
            each,
            limit
        )?)
    }

    /// What an account is still to be told at `now`, and what was given up, the oldest first. What is only to be looked at
    /// later is no news yet.
    pub async fn notifications(
        &self,
        account: &str,
        now: i64,
        limit: i64,
    ) -> Result<Vec<NotificationRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            select_notification!(
                "notification WHERE account = ? AND (kind NOT IN ('upload.overdue', 'uploads.discarded') OR attempts > 0 OR due_at <= ?) ORDER BY seq LIMIT ?"
            ),
            account,
            now,
            limit
        )?)
    }

    /// How many notifications of an account wait at `now`, since when the oldest of them does, and how many were given up.
    pub async fn notifications_left(
        &self,
        account: &str,
        now: i64,
    ) -> Result<(i64, Option<i64>, i64), LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_one,
            "SELECT count(*) - count(failed_at), min(CASE WHEN failed_at IS NULL THEN queued_at END), count(failed_at) \
             FROM notification WHERE account = ? AND (kind NOT IN ('upload.overdue', 'uploads.discarded') OR attempts > 0 OR due_at <= ?)",
            account,
            now
        )?)
    }

    /// A notification.
    pub async fn notification(
        &self,
        account: &str,
        id: Uuid,
    ) -> Result<Option<NotificationRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_optional,
            select_notification!("notification WHERE account = ? AND id = ?"),
            account,
            id.to_string()
        )?)
    }

    /// An entry of a call, with its detail if that still exists.
    pub async fn entry_of_call(&self, call: Uuid, id: Uuid) -> Result<Option<EntryRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_optional,
            "SELECT entry.log, entry.epoch, entry.seq, entry.leaf, entry.leaf_hash, detail.salt, detail.document FROM entry \
             LEFT JOIN detail ON detail.log = entry.log AND detail.epoch = entry.epoch AND detail.seq = entry.seq \
             WHERE entry.call = ? AND entry.id = ?",
            call.to_string(),
            id.to_string()
        )?)
    }
}
