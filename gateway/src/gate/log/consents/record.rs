//! An entry as answers show it.

use crate::gate::Fault;
use crate::gate::answer::Entry;
use crate::ledger::EntryRow;
use trail::Leaf;
use trail::sheet::Line;

/// An entry with its place in the log, and with its detail if that still exists.
#[derive(Debug)]
pub struct Record {
    pub(super) row: EntryRow,
    pub(super) leaf: Leaf,
}

impl Record {
    pub(super) fn read(row: EntryRow) -> Result<Record, Fault> {
        let leaf =
            serde_json::from_slice(&row.leaf).map_err(|_| Fault::damaged("an entry cannot be read"))?;
        Ok(Record { row, leaf })
    }

    /// The entry as an answer shows it, its leaf byte for byte.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the stored bytes are not JSON.
    pub fn entry(&self) -> Result<Entry, Fault> {
        let entry =
            serde_json::from_slice(&self.row.leaf).map_err(|_| Fault::damaged("an entry cannot be read"))?;
        let detail = self.row.document.as_deref().map(serde_json::from_str).transpose();
        Ok(Entry {
            epoch: self.row.epoch,
            index: self.row.seq,
            leaf_hash: trail::hex(&self.row.leaf_hash),
            call: self.row.call_id.clone(),
            entry,
            detail: detail.map_err(|_| Fault::damaged("an entry's detail cannot be read"))?,
            salt: self.row.salt.as_deref().map(trail::hex),
        })
    }

    /// The entry as a line of a list.
    pub(super) fn line(&self) -> Line<'_> {
        Line {
            epoch: u64::try_from(self.row.epoch).unwrap_or(0),
            index: u64::try_from(self.row.seq).unwrap_or(0),
            leaf: &self.leaf,
            leaf_hash: trail::hex(&self.row.leaf_hash),
            call: self.row.call_id.as_deref(),
            document: self.row.document.as_deref(),
        }
    }

    pub(super) fn call(&self) -> Option<String> {
        self.leaf.call.map(|call| call.to_string())
    }
}
