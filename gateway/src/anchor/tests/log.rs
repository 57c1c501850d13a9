//! A log in memory, with the keys of the tests.

use trail::note::{Checkpoint, Note, SigningKey};
use trail::tree::{self, Edge, Hash, NodeId};

pub(in crate::anchor) const ORIGIN: &str = "gateway.example.com/acme";

/// A log whose entry number `n` is `<seed>-<n>`.
#[derive(Debug, Clone, Copy)]
pub(in crate::anchor) struct Log {
    pub(in crate::anchor) origin: &'static str,
    pub(in crate::anchor) seed: &'static str,
}

pub(in crate::anchor) const LOG: Log = Log { origin: ORIGIN, seed: "entry" };
/// The same name with another history.
pub(in crate::anchor) const REWRITTEN: Log = Log { origin: ORIGIN, seed: "other" };

impl Log {
    pub(in crate::anchor) fn root(self, size: u64) -> Hash {
        let mut edge = Edge::default();
        (0..size).for_each(|index| edge.push(self.leaf(index), |_, _| {}));
        edge.root()
    }

    pub(in crate::anchor) fn checkpoint(self, size: u64) -> Checkpoint {
        Checkpoint::new(self.origin, size, self.root(size))
    }

    /// A checkpoint signed by the log.
    pub(in crate::anchor) fn head(self, size: u64) -> Note {
        let text = self.checkpoint(size).text();
        let signatures = vec![log_key().sign_note(&text)];
        Note { text, signatures }
    }

    pub(in crate::anchor) fn proof(self, old: u64, new: u64) -> Vec<Hash> {
        let ranges = tree::consistency(old, new).unwrap();
        ranges.iter().map(|range| tree::range_hash(range, |node| Some(self.node(node))).unwrap()).collect()
    }

    fn node(self, NodeId { height, index }: NodeId) -> Hash {
        match height.checked_sub(1) {
            None => self.leaf(index),
            Some(height) => tree::node_hash(
                &self.node(NodeId { height, index: 2 * index }),
                &self.node(NodeId { height, index: 2 * index + 1 }),
            ),
        }
    }

    fn leaf(self, index: u64) -> Hash {
        tree::leaf_hash(format!("{}-{index}", self.seed).as_bytes())
    }
}

pub(in crate::anchor) fn log_key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, &[1; 32]).unwrap()
}

pub(in crate::anchor) fn cosigner(name: &str) -> SigningKey {
    SigningKey::from_seed(name, &[2; 32]).unwrap()
}
