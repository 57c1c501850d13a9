//! The tree, computed from its leaves: its tiles, and its root at any requested size.
//!
//! It keeps one hash for every 256 leaves, and leaf hashes only of the bundles in which an older tree ended.
//!
//! **Invariant: nothing here was read from a tile.**

use std::collections::{BTreeMap, BTreeSet};

use crate::tile::{TileId, WIDTH, node_in_tile, tile_of};
use crate::tree::{Edge, Hash, range_hash};

/// A tree that grows bundle by bundle.
#[derive(Debug)]
pub(super) struct Levels {
    size: u64,
    /// Level 1 and above: the roots of the full tiles below.
    above: Vec<Vec<Hash>>,
    /// The leaf hashes of some bundles, and of the last one if it is partial.
    leaves: BTreeMap<u64, Vec<Hash>>,
    /// Those bundles.
    wanted: BTreeSet<u64>,
}

impl Levels {
    /// An empty tree whose roots at `sizes` will be asked for.
    pub(super) fn new(sizes: impl IntoIterator<Item = u64>) -> Levels {
        let wanted = sizes.into_iter().filter(|size| size % WIDTH != 0).map(|size| size / WIDTH);
        Levels { size: 0, above: Vec::new(), leaves: BTreeMap::new(), wanted: wanted.collect() }
    }

    /// How many leaves it has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next bundle: its leaf hashes, and the root over them.
    pub(super) fn push(&mut self, hashes: Vec<Hash>, root: Hash) {
        let bundle = self.size / WIDTH;
        let count = u64::try_from(hashes.len()).unwrap_or(u64::MAX);
        self.size = self.size.saturating_add(count);
        if count < WIDTH || self.wanted.contains(&bundle) {
            self.leaves.insert(bundle, hashes);
        }
        if count == WIDTH {
            self.push_above(0, root);
        }
    }

    fn push_above(&mut self, level: usize, root: Hash) {
        if self.above.len() == level {
            self.above.push(Vec::new());
        }
        let Some(hashes) = self.above.get_mut(level) else { return };
        hashes.push(root);
        let full = hashes.len().is_multiple_of(FULL).then(|| hashes.len() - FULL);
        let root = full.and_then(|from| hashes.get(from..)).map(root_of);
        if let Some(root) = root {
            self.push_above(level + 1, root);
        }
    }

    /// The root over the full bundle `index`.
    pub(super) fn bundle_root(&self, index: u64) -> Option<Hash> {
        self.above.first()?.get(usize::try_from(index).ok()?).copied()
    }

    /// The leaf hashes of a bundle, if they were kept.
    pub(super) fn leaves_of(&self, bundle: u64) -> Option<&Vec<Hash>> {
        self.leaves.get(&bundle)
    }

    /// The root of the tree when it had `size` leaves. `None` if it has fewer, or `size` was not announced to
    /// [`new`](Levels::new).
    pub(super) fn root_at(&self, size: u64) -> Option<Hash> {
        if size > self.size {
            return None;
        }
        range_hash(&(0..size), |node| {
            let (level, index) = tile_of(node);
            node_in_tile(node, self.hashes(level, index)?)
        })
    }

    /// What a tile above the leaves has to hold.
    pub(super) fn tile(&self, tile: TileId) -> Option<&[Hash]> {
        self.hashes(tile.level, tile.index)?.get(..usize::from(tile.width))
    }

    fn hashes(&self, level: u8, index: u64) -> Option<&[Hash]> {
        let Some(above) = level.checked_sub(1) else {
            return self.leaves.get(&index).map(Vec::as_slice);
        };
        let hashes = self.above.get(usize::from(above))?;
        let from = usize::try_from(index).ok()?.checked_mul(FULL)?;
        hashes.get(from..hashes.len().min(from.checked_add(FULL)?))
    }
}

/// The root over neighbouring hashes.
pub(super) fn root_of(hashes: &[Hash]) -> Hash {
    let mut edge = Edge::default();
    hashes.iter().for_each(|hash| edge.push(*hash, |_, _| {}));
    edge.root()
}

/// [`WIDTH`], to count with.
const FULL: usize = 256;
