//! The Merkle tree of RFC 6962, section 2.1, over SHA-256: roots, and proofs that an entry is in a
//! tree (2.1.1) and that one tree is the beginning of another (2.1.2).
//!
//! It knows no entries, no notes and no storage: a proof is named as ranges of leaves, a range as complete
//! subtrees ([`NodeId`]), which callers look up.
//!
//! Invariant: the hash of a complete subtree never changes, however far the tree grows. Only nodes above the
//! right edge do, and nothing here requires keeping those.

#[cfg(test)]
mod tests;

use std::ops::Range;

use sha2::{Digest as _, Sha256};

/// A node of the tree: a SHA-256 hash.
pub type Hash = [u8; 32];

/// The RFC 6962 leaf hash: SHA-256 over a zero byte and the leaf.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

/// The RFC 6962 hash of an inner node: SHA-256 over a byte of one and both children.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of a tree without leaves: SHA-256 over nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::new().finalize().into()
}

/// A complete subtree: it covers the leaves from `index << height` to before
/// `(index + 1) << height`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// How far above the leaves: 0 is a leaf, at most 63.
    pub height: u8,
    /// Which of its height, from the left.
    pub index: u64,
}

/// The right edge of a tree: the hashes of its maximal complete subtrees, the leftmost (largest)
/// first. Appending needs nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    // INVARIANT: as many hashes as `size` has one bits; `from_parts` checks it, `push` keeps it.
    size: u64,
    hashes: Vec<Hash>,
}

impl Edge {
    /// The edge of a tree of `size` leaves from the hashes of [`parts`]`(&(0..size))`.
    ///
    /// `None` if that is another number of hashes, or the tree larger than [`MAX_SIZE`].
    #[must_use]
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Edge> {
        let parts = usize::try_from(size.count_ones()).ok()?;
        (size <= MAX_SIZE && hashes.len() == parts).then_some(Edge { size, hashes })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the maximal complete subtrees, the leftmost first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(self.hashes.iter().copied())
    }

    /// Adds a leaf hash. `complete` hears of every subtree of height 1 and more that is complete
    /// now, the lowest first: each node of the tree is reported exactly once in the tree's life.
    pub fn push(&mut self, leaf: Hash, mut complete: impl FnMut(NodeId, Hash)) {
        let mut node = NodeId { height: 0, index: self.size };
        let mut hash = leaf;
        // A right child's left sibling is the last hash of the edge.
        while node.index & 1 == 1
            && let Some(left) = self.hashes.pop()
        {
            hash = node_hash(&left, &hash);
            node = NodeId { height: node.height + 1, index: node.index >> 1 };
            complete(node, hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }
}

/// The leaf ranges whose hashes prove that leaf `index` is in a tree of `size` leaves, the leaf's
/// sibling first (RFC 6962, section 2.1.1). `None` if there is no such leaf.
#[must_use]
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let mut ranges = Vec::new();
    let mut tree = 0..size;
    while let Some(middle) = split(&tree) {
        if index < middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    ranges.reverse();
    Some(ranges)
}

/// The leaf ranges whose hashes prove that a tree of `old` leaves is the beginning of one of `new`
/// leaves, in the order of RFC 6962, section 2.1.2. Empty if there is nothing to prove (both are
/// the same size, or the old one is empty); `None` if the old tree is the larger one.
#[must_use]
pub fn consistency(old: u64, new: u64) -> Option<Vec<Range<u64>>> {
    if old > new {
        return None;
    }
    let mut ranges = Vec::new();
    if old == 0 {
        return Some(ranges);
    }
    let mut tree = 0..new;
    while tree.end != old
        && let Some(middle) = split(&tree)
    {
        if old <= middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    // If the whole old tree is one subtree, the verifier has its hash: it is the old root.
    if tree.start != 0 {
        ranges.push(tree);
    }
    ranges.reverse();
    Some(ranges)
}

/// A range of a proof, or a whole tree `0..size`, as complete subtrees from left to right.
#[must_use]
pub fn parts(range: &Range<u64>) -> Vec<NodeId> {
    let mut parts = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let fits = (range.end - start).ilog2();
        // At most 63, so its lowest byte is all of it.
        let [height, ..] = start.trailing_zeros().min(fits).to_le_bytes();
        parts.push(NodeId { height, index: start >> height });
        start += 1 << height;
    }
    parts
}

/// The hash of a range of a proof, or of a whole tree `0..size`, from its [`parts`].
///
/// `None` if `node` does not know one of them, or no proof can name the range: its parts, from left to right,
/// would not become smaller.
pub fn range_hash(range: &Range<u64>, node: impl Fn(NodeId) -> Option<Hash>) -> Option<Hash> {
    let parts = parts(range);
    if !parts.is_sorted_by(|left, right| left.height > right.height) {
        return None;
    }
    let hashes: Vec<Hash> = parts.into_iter().map(node).collect::<Option<_>>()?;
    Some(fold(hashes.into_iter()))
}

/// Checks that the leaf with this hash is leaf `index` of the tree with `size` leaves and this root.
///
/// Size and root have to come from one signed checkpoint: a proof alone does not bind the size.
///
/// # Errors
///
/// [`ProofError`] if the proof does not show it.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let ranges = inclusion(index, size).ok_or(ProofError::Beyond { index, size })?;
    same_length(&ranges, proof)?;
    let reached = ranges.iter().zip(proof).fold(*leaf, |hash, (range, sibling)| {
        if range.start > index { node_hash(&hash, sibling) } else { node_hash(sibling, &hash) }
    });
    if reached == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the old tree (its size and root) is the beginning of the new one.
///
/// Each size and root have to come from one signed checkpoint: a proof alone does not bind sizes.
///
/// # Errors
///
/// [`ProofError`] if the proof does not show it.
pub fn verify_consistency(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> Result<(), ProofError> {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    let ranges =
        consistency(old_size, new_size).ok_or(ProofError::Shrunk { old: old_size, new: new_size })?;
    same_length(&ranges, proof)?;
    if old_size == 0 {
        // Every tree begins with the empty one, but the empty one has only one root.
        let empty = empty_root();
        return match (*old_root == empty, new_size > 0 || *new_root == empty) {
            (false, _) => Err(ProofError::OldRoot),
            (true, false) => Err(ProofError::NewRoot),
            (true, true) => Ok(()),
        };
    }
    let mut steps = ranges.iter().zip(proof).peekable();
    // The subtree that ends where the old tree ended, as both trees have it: the old root itself,
    // or the first hash of the proof.
    let common = steps.next_if(|(range, _)| range.end == old_size).map_or(*old_root, |(_, hash)| *hash);
    let (mut older, mut newer) = (common, common);
    for (range, hash) in steps {
        if range.start >= old_size {
            newer = node_hash(&newer, hash);
        } else {
            older = node_hash(hash, &older);
            newer = node_hash(hash, &newer);
        }
    }
    if older != *old_root {
        return Err(ProofError::OldRoot);
    }
    if newer != *new_root {
        return Err(ProofError::NewRoot);
    }
    Ok(())
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf.
    #[error("there is no entry {index} in a log of {size} entries")]
    Beyond {
        /// Which leaf.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// The new tree is smaller.
    #[error("a log of {new} entries cannot continue one of {old}: entries are missing")]
    Shrunk {
        /// The old tree's size.
        old: u64,
        /// The new tree's size.
        new: u64,
    },
    /// It has too few or too many hashes.
    #[error("the proof has {found} hashes instead of {expected}")]
    Length {
        /// How many belong there.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// It leads to another root.
    #[error("the proof leads to another root: the entry, its index or the log is not what was proven")]
    Root,
    /// It does not lead to the old tree's root.
    #[error("the proof does not lead to the root of the older log: its entries were changed")]
    OldRoot,
    /// It leads to another root than the new tree's.
    #[error("the proof does not lead to the root of the newer log: it does not continue the older one")]
    NewRoot,
}

/// Where RFC 6962 splits a tree: behind the largest power of two leaves that is smaller than the tree.
fn split(tree: &Range<u64>) -> Option<u64> {
    let last = tree.end.checked_sub(tree.start)?.checked_sub(1)?;
    Some(tree.start + (1 << last.checked_ilog2()?))
}

/// The root over complete subtrees of which each is smaller than the one before.
fn fold(hashes: impl DoubleEndedIterator<Item = Hash>) -> Hash {
    hashes.rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
}

fn same_length(ranges: &[Range<u64>], proof: &[Hash]) -> Result<(), ProofError> {
    let (expected, found) = (ranges.len(), proof.len());
    if expected == found { Ok(()) } else { Err(ProofError::Length { expected, found }) }
}

/// The largest tree: as many leaves as a signed 64-bit column can number.
pub const MAX_SIZE: u64 = i64::MAX.unsigned_abs();
