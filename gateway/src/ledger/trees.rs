//! Reading the logs themselves: heads, leaves, hashes, signed heads and their anchors.

use super::heads::LogRow;
use super::sql::ask;
use super::{AnchorRow, CheckpointRow, ClosedLogRow, EntryRow, Head, Ledger, LedgerError};

/// An epoch of a log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    /// The log: an account's id, or `system`.
    pub log: String,
    /// Which epoch, from 1.
    pub epoch: i64,
}

impl Ledger {
    /// Every log with the head of its current epoch.
    pub async fn heads(&self) -> Result<Vec<(String, Head)>, LedgerError> {
        let sql = "SELECT id, epoch, size, edge, last_at FROM log ORDER BY id";
        let rows: Vec<LogRow> = ask!(&self.pool, query_as, fetch_all, sql)?;
        rows.iter().map(|row| Ok((row.id.clone(), row.head()?))).collect()
    }

    /// The head of a log's current epoch; `None` if nothing was ever appended.
    pub async fn head(&self, log: &str) -> Result<Option<Head>, LedgerError> {
        let sql = "SELECT id, epoch, size, edge, last_at FROM log WHERE id = ?";
        let row: Option<LogRow> = ask!(&self.pool, query_as, fetch_optional, sql, log)?;
        row.map(|row| row.head()).transpose()
    }

    /// Epochs that have ended.
    pub async fn closed_logs(&self, log: &str) -> Result<Vec<ClosedLogRow>, LedgerError> {
        let sql = "SELECT id, epoch, size, root, note, closed_at, dropped_at FROM closed_log WHERE id = ? ORDER BY epoch";
        Ok(ask!(&self.pool, query_as, fetch_all, sql, log)?)
    }

    /// Leaves with their stored hashes, `seq` from `from` to `until` (exclusive), in order. There are fewer
    /// only if the log is shorter.
    pub async fn leaves(
        &self,
        at: &Epoch,
        from: u64,
        until: u64,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, LedgerError> {
        let sql = "SELECT leaf, leaf_hash FROM entry WHERE log = ? AND epoch = ? AND seq >= ? AND seq < ? ORDER BY seq";
        let (from, until) = (signed(from), signed(until));
        Ok(ask!(&self.pool, query_as, fetch_all, sql, &at.log, at.epoch, from, until)?)
    }

    /// The stored leaf hashes, in order.
    pub async fn leaf_hashes(&self, at: &Epoch, from: u64, until: u64) -> Result<Vec<Vec<u8>>, LedgerError> {
        let sql =
            "SELECT leaf_hash FROM entry WHERE log = ? AND epoch = ? AND seq >= ? AND seq < ? ORDER BY seq";
        let (from, until) = (signed(from), signed(until));
        Ok(ask!(&self.pool, query_scalar, fetch_all, sql, &at.log, at.epoch, from, until)?)
    }

    /// The epoch and index of the newest entry of a log that registers something, as the ledger says.
    pub async fn newest_registered_at(&self, log: &str) -> Result<Option<(i64, u64)>, LedgerError> {
        let sql = "SELECT epoch, seq FROM register WHERE log = ?";
        let found: Option<(i64, i64)> = ask!(&self.pool, query_as, fetch_optional, sql, log)?;
        let damaged =
            |_| LedgerError::Damaged(format!("the newest entry of `{log}` that registers something"));
        found.map(|(epoch, index)| Ok((epoch, u64::try_from(index).map_err(damaged)?))).transpose()
    }

    /// The hashes of complete subtrees at a tile level from 1 on, in order.
    pub async fn nodes(
        &self,
        at: &Epoch,
        level: u8,
        from: u64,
        until: u64,
    ) -> Result<Vec<Vec<u8>>, LedgerError> {
        let sql = "SELECT hash FROM node WHERE log = ? AND epoch = ? AND level = ? AND idx >= ? AND idx < ? ORDER BY idx";
        let (from, until) = (signed(from), signed(until));
        Ok(ask!(&self.pool, query_scalar, fetch_all, sql, &at.log, at.epoch, i64::from(level), from, until)?)
    }

    /// One entry, with its detail if that still exists.
    pub async fn entry(&self, at: &Epoch, seq: u64) -> Result<Option<EntryRow>, LedgerError> {
        let sql = "SELECT entry.log, entry.epoch, entry.seq, entry.leaf, entry.leaf_hash, detail.salt, detail.document \
             FROM entry LEFT JOIN detail ON detail.log = entry.log AND detail.epoch = entry.epoch AND detail.seq = entry.seq \
             WHERE entry.log = ? AND entry.epoch = ? AND entry.seq = ?";
        Ok(ask!(&self.pool, query_as, fetch_optional, sql, &at.log, at.epoch, signed(seq))?)
    }

    /// The newest signed head of an epoch.
    pub async fn checkpoint(&self, at: &Epoch) -> Result<Option<CheckpointRow>, LedgerError> {
        let sql = "SELECT size, note, signed_at, kept FROM checkpoint WHERE log = ? AND epoch = ? ORDER BY size DESC LIMIT 1";
        Ok(ask!(&self.pool, query_as, fetch_optional, sql, &at.log, at.epoch)?)
    }

    /// The kept signed heads of an epoch, the oldest first.
    pub async fn checkpoints(&self, at: &Epoch) -> Result<Vec<CheckpointRow>, LedgerError> {
        let sql =
            "SELECT size, note, signed_at, kept FROM checkpoint WHERE log = ? AND epoch = ? ORDER BY size";
        Ok(ask!(&self.pool, query_as, fetch_all, sql, &at.log, at.epoch)?)
    }

    /// What anchors have said about the heads of an epoch, the oldest first.
    pub async fn anchors(&self, at: &Epoch) -> Result<Vec<AnchorRow>, LedgerError> {
        let sql = "SELECT size, kind, name, evidence, at FROM anchor WHERE log = ? AND epoch = ? ORDER BY size, kind, name";
        Ok(ask!(&self.pool, query_as, fetch_all, sql, &at.log, at.epoch)?)
    }

    /// The newest head that this anchor has confirmed, if any: its size, and when.
    pub async fn last_anchor(
        &self,
        at: &Epoch,
        kind: &str,
        name: &str,
    ) -> Result<Option<(i64, i64)>, LedgerError> {
        let sql = "SELECT size, at FROM anchor WHERE log = ? AND epoch = ? AND kind = ? AND name = ? ORDER BY size DESC LIMIT 1";
        Ok(ask!(&self.pool, query_as, fetch_optional, sql, &at.log, at.epoch, kind, name)?)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
