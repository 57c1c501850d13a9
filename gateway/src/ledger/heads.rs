//! How the logs grow: entries are numbered and added to their log's Merkle tree.
//!
//! Pure. Callers lock the logs' rows, so that what they pass is current.
//!
//! INVARIANT: an entry, its place in the tree and the new right edge are written together or not at
//! all; nothing is appended if a log's size and edge do not belong together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::LedgerError;
use trail::tree::{Edge, Hash, leaf_hash};
use trail::{Draft, DraftError, Registered};

/// The current epoch of a log, as its row has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Which epoch, from 1.
    pub epoch: i64,
    /// The right edge of its tree, with its size.
    pub edge: Edge,
    /// When its last entry was logged, in milliseconds.
    pub last_at: i64,
}

/// A log's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct LogRow {
    pub(super) id: String,
    pub(super) epoch: i64,
    pub(super) size: i64,
    pub(super) edge: Vec<u8>,
    pub(super) last_at: i64,
}

impl LogRow {
    pub(super) fn head(&self) -> Result<Head, LedgerError> {
        let damaged = || LedgerError::Damaged(format!("the head of the log `{}`", self.id));
        let size = u64::try_from(self.size).map_err(|_| damaged())?;
        let (hashes, rest) = self.edge.as_chunks::<32>();
        let edge = Edge::from_parts(size, hashes.to_vec()).filter(|_| rest.is_empty()).ok_or_else(damaged)?;
        Ok(Head { epoch: self.epoch, edge, last_at: self.last_at })
    }

    pub(super) fn of(id: &str, head: &Head) -> LogRow {
        LogRow {
            id: id.to_owned(),
            epoch: head.epoch,
            size: signed(head.edge.size()),
            edge: head.edge.hashes().concat(),
            last_at: head.last_at,
        }
    }
}

/// An entry with its place.
#[derive(Debug)]
pub(super) struct Placed<'d> {
    pub(super) draft: &'d Draft,
    /// The exact bytes, with what was registered by then.
    pub(super) leaf: Cow<'d, [u8]>,
    pub(super) leaf_hash: Hash,
    pub(super) epoch: i64,
    pub(super) seq: i64,
}

impl Placed<'_> {
    /// Whether this is the first of 256 entries: its time goes into the index by time.
    pub(super) fn begins_a_stretch(&self) -> bool {
        self.seq.checked_rem(256) == Some(0)
    }

    /// The keys that an entry adds to its call.
    pub(super) fn mentions_of_call(&self) -> impl Iterator<Item = (&str, &str, Uuid)> {
        let draft = self.draft;
        let keys = draft
            .call
            .map(|call| draft.mentions.iter().map(move |key| (draft.log.as_str(), key.as_str(), call)));
        keys.into_iter().flatten()
    }

    /// The keys of an entry outside of calls.
    pub(super) fn mentions_of_entry(&self) -> impl Iterator<Item = (&Self, &str)> {
        let of_none = self.draft.call.is_none();
        self.draft.mentions.iter().filter(move |_| of_none).map(move |key| (self, key.as_str()))
    }
}

/// A hash of a complete subtree that tiles are made of.
#[derive(Debug)]
pub(super) struct NodeRow<'d> {
    pub(super) log: &'d str,
    pub(super) epoch: i64,
    pub(super) level: i64,
    pub(super) idx: i64,
    pub(super) hash: Hash,
}

/// What a group adds.
#[derive(Debug, Default)]
pub(super) struct Grown<'d> {
    pub(super) entries: Vec<Placed<'d>>,
    pub(super) nodes: Vec<NodeRow<'d>>,
}

/// The logs that a group appends to.
#[derive(Debug, Default)]
pub(super) struct Heads {
    logs: BTreeMap<String, Head>,
    /// Whether they are ahead of their rows.
    ahead: bool,
}

impl Heads {
    pub(super) fn read(rows: &[LogRow]) -> Result<Heads, LedgerError> {
        let logs: Result<_, LedgerError> = rows.iter().map(|row| Ok((row.id.clone(), row.head()?))).collect();
        Ok(Heads { logs: logs?, ahead: false })
    }

    /// How much older one of these entries is than its log's last one, in milliseconds, if that is too much:
    /// then this machine's clock is wrong, or another's was.
    pub(super) fn behind<'d>(&self, drafts: impl Iterator<Item = &'d Draft>) -> Option<i64> {
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        let mut behind = drafts.map(|draft| {
            let known = || self.logs.get(&draft.log).map_or(i64::MIN, |head| head.last_at);
            let last = last.entry(&draft.log).or_insert_with(known);
            let at = draft.at.as_millisecond();
            let behind = last.saturating_sub(at);
            *last = at.max(*last);
            behind
        });
        behind.find(|behind| *behind > SKEW_MS)
    }

    /// Puts an entry at the end of its log. Returns its epoch and index.
    pub(super) fn append<'d>(
        &mut self,
        draft: &'d Draft,
        registered: Option<&Registered>,
        grown: &mut Grown<'d>,
    ) -> Result<(i64, i64), DraftError> {
        let leaf = match registered {
            Some(registered) => Cow::Owned(draft.registering(registered)?),
            None => Cow::Borrowed(draft.leaf.as_slice()),
        };
        let leaf_hash = if registered.is_some() { leaf_hash(&leaf) } else { draft.leaf_hash };
        self.ahead = true;
        let head = self.logs.entry(draft.log.clone()).or_insert_with(|| Head {
            epoch: 1,
            edge: Edge::default(),
            last_at: i64::MIN,
        });
        let (epoch, seq) = (head.epoch, signed(head.edge.size()));
        head.last_at = head.last_at.max(draft.at.as_millisecond());
        head.edge.push(leaf_hash, |node, hash| {
            if node.height.is_multiple_of(8) {
                let level = i64::from(node.height / 8);
                grown.nodes.push(NodeRow { log: &draft.log, epoch, level, idx: signed(node.index), hash });
            }
        });
        grown.entries.push(Placed { draft, leaf, leaf_hash, epoch, seq });
        Ok((epoch, seq))
    }

    /// The rows, if they have changed since they were read or written.
    pub(super) fn unwritten(&mut self) -> Option<Vec<LogRow>> {
        std::mem::take(&mut self.ahead)
            .then(|| self.logs.iter().map(|(id, head)| LogRow::of(id, head)).collect())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How much older an entry may be than the one before it, in milliseconds: requests are stamped before
/// they are decided, and several machines have several clocks.
pub const SKEW_MS: i64 = 10_000;
