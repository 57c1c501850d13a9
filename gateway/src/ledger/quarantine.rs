//! Uploads in quarantine.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::questions::json_list;
use super::rows::select_call;
use super::sql::ask;
use super::{CallRow, Ledger, LedgerError, QuarantineRow};

/// A call that is older may be one whose end was lost: another one since may have the same people.
const BEGUN_BEFORE_MS: i64 = 10 * 60 * 1000;

/// The columns of a [`QuarantineRow`].
macro_rules! select_quarantine {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, uploader, identity, fingerprint, document, place, locked, received_at, until_at, ended_at \
             FROM quarantine ",
            $rest
        )
    };
}

impl Ledger {
    /// What is or was in an account's quarantine under this id.
    pub async fn quarantined(&self, account: &str, id: Uuid) -> Result<Option<QuarantineRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_optional,
            select_quarantine!("WHERE account = ? AND id = ?"),
            account,
            id.to_string()
        )?)
    }

    /// The same upload, if it is or was in the account's quarantine.
    pub async fn quarantined_as(
        &self,
        account: &str,
        identity: &[u8],
    ) -> Result<Option<QuarantineRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_optional,
            select_quarantine!("WHERE account = ? AND identity = ?"),
            account,
            identity
        )?)
    }

    /// What is in an account's quarantine, the oldest first, after this time and id.
    pub async fn quarantine(
        &self,
        account: &str,
        (after, id): (i64, String),
        limit: i64,
    ) -> Result<Vec<QuarantineRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            select_quarantine!(
                "WHERE account = ? AND ended_at IS NULL AND (received_at, id) > (?, ?) ORDER BY received_at, id LIMIT ?"
            ),
            account,
            after,
            id,
            limit
        )?)
    }

    /// What is in quarantine, of any account, and could be released until this moment at the latest; after this time and
    /// id.
    pub async fn quarantine_overdue(
        &self,
        now: i64,
        (after, id): (i64, String),
        limit: i64,
    ) -> Result<Vec<QuarantineRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            select_quarantine!(
                "WHERE ended_at IS NULL AND until_at <= ? AND (until_at, id) > (?, ?) ORDER BY until_at, id LIMIT ?"
            ),
            now,
            after,
            id,
            limit
        )?)
    }

    /// Which of these are in quarantine.
    pub async fn quarantine_live(&self, ids: &[Uuid]) -> Result<BTreeSet<Uuid>, LedgerError> {
        let asked: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        let sql = self.dialect().pick(
            "SELECT id FROM quarantine WHERE ended_at IS NULL AND id IN (SELECT value FROM json_each(?))",
            "SELECT id FROM quarantine WHERE ended_at IS NULL AND id IN (SELECT json_array_elements_text(CAST(? AS json)))",
        );
        let found: Vec<String> = ask!(&self.pool, query_scalar, fetch_all, sql, json_list(&asked)?)?;
        let read = |id: String| id.parse().map_err(|_| LedgerError::Damaged(format!("`{id}` is not an id")));
        found.into_iter().map(read).collect()
    }

    /// How much of an account is in quarantine.
    pub async fn quarantine_size(&self, account: &str) -> Result<i64, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_scalar,
            fetch_one,
            "SELECT count(*) FROM quarantine WHERE account = ? AND ended_at IS NULL",
            account
        )?)
    }

    /// The calls of an account, at most two, that had begun a while before some moment of a short time, were going on then,
    /// and whose people had exactly these numbers; times are in milliseconds.
    pub async fn calls_with(
        &self,
        account: &str,
        numbers: &[String],
        (from, until): (i64, i64),
    ) -> Result<Vec<CallRow>, LedgerError> {
        let sql = self.dialect().pick(
            select_call!(
                "FROM call WHERE account = ? AND opened_at BETWEEN ? AND ? AND (ended_at IS NULL OR ended_at >= ?) \
                 AND (SELECT count(DISTINCT number) FROM participant WHERE participant.call = call.uid \
                 AND number IN (SELECT value FROM json_each(?))) = ? \
                 AND NOT EXISTS (SELECT 1 FROM participant WHERE participant.call = call.uid \
                 AND number NOT IN (SELECT value FROM json_each(?))) ORDER BY opened_at DESC LIMIT 2"
            ),
            select_call!(
                "FROM call WHERE account = ? AND opened_at BETWEEN ? AND ? AND (ended_at IS NULL OR ended_at >= ?) \
                 AND (SELECT count(DISTINCT number) FROM participant WHERE participant.call = call.uid \
                 AND number IN (SELECT json_array_elements_text(CAST(? AS json)))) = ? \
                 AND NOT EXISTS (SELECT 1 FROM participant WHERE participant.call = call.uid \
                 AND number NOT IN (SELECT json_array_elements_text(CAST(? AS json)))) ORDER BY opened_at DESC LIMIT 2"
            ),
        );
        let listed = json_list(numbers)?;
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            sql,
            account,
            from.saturating_sub(BEGUN_BEFORE_MS),
            until,
            from,
            &listed,
            i64::try_from(numbers.len()).unwrap_or(i64::MAX),
            &listed
        )?)
    }

    /// What was destroyed in quarantine, and whose media are still to be removed from the store.
    pub async fn quarantine_unswept(
        &self,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<QuarantineRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            select_quarantine!("WHERE ended_at IS NOT NULL AND NOT swept AND id > ? ORDER BY id LIMIT ?"),
            after.to_string(),
            limit
        )?)
    }
}
