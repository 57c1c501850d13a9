//! Reading a log: every leaf is hashed, and compared with the stored hash and nodes.

use std::fmt;

use crate::ledger::{Epoch, Ledger, LedgerError};
use trail::tree::{Edge, Hash, leaf_hash};

/// Damage to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// A leaf does not match its stored hash.
    Leaf {
        /// Its index.
        index: u64,
    },
    /// An entry is missing.
    Missing {
        /// Its index.
        index: u64,
    },
    /// A node of the tree does not match the hashes below it.
    Node {
        /// Its tile level.
        level: u8,
        /// Its index.
        index: u64,
    },
    /// The tree of this size has another root than the signed one.
    Root {
        /// Its size.
        size: u64,
    },
    /// A stored signed head cannot be read.
    Note,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Leaf { index } => write!(f, "entry {index} is not the one whose hash is stored"),
            Damage::Missing { index } => write!(f, "entry {index} is missing"),
            Damage::Node { level, index } => {
                write!(f, "node {index} of level {level} does not match the hashes below it")
            }
            Damage::Root { size } => {
                write!(f, "its first {size} entries have another root than the one signed")
            }
            Damage::Note => f.write_str("a signed head cannot be read"),
        }
    }
}

/// How far an epoch of a log was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// The right edge of the tree of what was read.
    pub(super) edge: Edge,
    /// The newest entry that registers something.
    pub(super) registered: Option<u64>,
}

/// Reads on, up to `until`.
pub(super) async fn extend(
    ledger: &Ledger,
    at: &Epoch,
    Reading { edge, registered }: &mut Reading,
    until: u64,
) -> Result<Result<(), Damage>, LedgerError> {
    while edge.size() < until {
        let from = edge.size();
        let leaves = ledger.leaves(at, from, until.min(from.saturating_add(PAGE))).await?;
        let mut nodes: Vec<(u8, u64, Hash)> = Vec::new();
        for (leaf, stored) in &leaves {
            let (index, hash) = (edge.size(), leaf_hash(leaf));
            if stored.as_slice() != hash {
                return Ok(Err(Damage::Leaf { index }));
            }
            if trail::registers(leaf) {
                ledger.hear_of_registered(&at.log, at.epoch, index);
                *registered = Some(index);
            }
            edge.push(hash, |node, hash| {
                if node.height.is_multiple_of(8) {
                    nodes.push((node.height / 8, node.index, hash));
                }
            });
        }
        if leaves.is_empty() {
            return Ok(Err(Damage::Missing { index: from }));
        }
        for level in 1..=7u8 {
            let computed: Vec<&(u8, u64, Hash)> = nodes.iter().filter(|(of, ..)| *of == level).collect();
            let (Some((_, first, _)), Some((_, last, _))) = (computed.first(), computed.last()) else {
                break;
            };
            let stored = ledger.nodes(at, level, *first, last.saturating_add(1)).await?;
            for (place, (_, index, hash)) in computed.iter().enumerate() {
                if stored.get(place).map(Vec::as_slice) != Some(hash.as_slice()) {
                    return Ok(Err(Damage::Node { level, index: *index }));
                }
            }
        }
    }
    Ok(Ok(()))
}

/// How many leaves are read at once.
pub(super) const PAGE: u64 = 2_048;
