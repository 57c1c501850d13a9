//! Tiles and proofs of one epoch of a log, read from the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::ledger::{Epoch, Ledger, LedgerError};
use trail::tile::{self, TileId, WIDTH};
use trail::tree::{self, Hash};

/// Reads hashes of a log as tiles, each once.
#[derive(Debug)]
pub struct Proofs<'l> {
    ledger: &'l Ledger,
    at: Epoch,
    size: u64,
    tiles: BTreeMap<(u8, u64), Vec<Hash>>,
    /// The tiles of leaf hashes of which every hash was proven.
    proven: BTreeSet<u64>,
}

impl<'l> Proofs<'l> {
    /// Proofs in a tree of this size; later entries are ignored.
    #[must_use]
    pub fn new(ledger: &'l Ledger, at: &Epoch, size: u64) -> Proofs<'l> {
        Proofs { ledger, at: at.clone(), size, tiles: BTreeMap::new(), proven: BTreeSet::new() }
    }

    /// The root of the first `size` entries; `None` if there are fewer, or hashes are missing.
    ///
    /// # Errors
    ///
    /// If the ledger does not answer.
    pub async fn root(&mut self, size: u64) -> Result<Option<Hash>, LedgerError> {
        if size == 0 {
            return Ok(Some(tree::empty_root()));
        }
        if size > self.size {
            return Ok(None);
        }
        Ok(self.hashes(std::slice::from_ref(&(0..size))).await?.and_then(|hashes| hashes.into_iter().next()))
    }

    /// The hashes that prove that the entry is in the tree; `None` if it is not.
    ///
    /// # Errors
    ///
    /// If the ledger does not answer.
    pub async fn inclusion(&mut self, index: u64) -> Result<Option<Vec<Hash>>, LedgerError> {
        match tree::inclusion(index, self.size) {
            Some(ranges) => self.hashes(&ranges).await,
            None => Ok(None),
        }
    }

    /// Whether the tree, of this root, has this leaf there, and the ledger its hash.
    pub(super) async fn hold(&mut self, index: u64, leaf: &Hash, root: &Hash) -> Result<bool, LedgerError> {
        let (of, place) = (index / WIDTH, index % WIDTH);
        if !self.proven.contains(&of) {
            let Some(proof) = self.inclusion(index).await? else { return Ok(false) };
            if tree::verify_inclusion(leaf, index, self.size, &proof, root).is_err()
                || !self.has_read(0, of).await?
            {
                return Ok(false);
            }
            // All other hashes of the tile went into the proof.
            self.proven.insert(of);
        }
        let stored = self.tiles.get(&(0, of)).zip(usize::try_from(place).ok());
        Ok(stored.and_then(|(hashes, place)| hashes.get(place)) == Some(leaf))
    }

    /// The hashes that prove that the tree continues the one of its first `old` entries; `None` if there are
    /// fewer.
    ///
    /// # Errors
    ///
    /// If the ledger does not answer.
    pub async fn consistency(&mut self, old: u64) -> Result<Option<Vec<Hash>>, LedgerError> {
        match tree::consistency(old, self.size) {
            Some(ranges) => self.hashes(&ranges).await,
            None => Ok(None),
        }
    }

    /// The hashes of the complete subtrees that a range from the first entry on consists of.
    ///
    /// # Errors
    ///
    /// If the ledger does not answer.
    pub async fn parts(&mut self, range: Range<u64>) -> Result<Option<Vec<Hash>>, LedgerError> {
        let of = |node: tree::NodeId| {
            let width = 1u64 << node.height.min(63);
            let from = node.index.saturating_mul(width);
            from..from.saturating_add(width)
        };
        let ranges: Vec<Range<u64>> = tree::parts(&range).into_iter().map(of).collect();
        self.hashes(&ranges).await
    }

    /// The hashes of a tile, as it is served.
    ///
    /// # Errors
    ///
    /// If the ledger does not answer.
    pub async fn tile(&self, id: &TileId) -> Result<Option<Vec<Hash>>, LedgerError> {
        let from = id.index.saturating_mul(WIDTH);
        let until = from.saturating_add(u64::from(id.width));
        let stored = match id.level {
            0 => self.ledger.leaf_hashes(&self.at, from, until).await?,
            level => self.ledger.nodes(&self.at, level, from, until).await?,
        };
        let hashes: Vec<Hash> =
            stored.into_iter().filter_map(|hash| hash.as_slice().try_into().ok()).collect();
        Ok((hashes.len() == usize::from(id.width)).then_some(hashes))
    }

    async fn hashes(&mut self, ranges: &[Range<u64>]) -> Result<Option<Vec<Hash>>, LedgerError> {
        for node in ranges.iter().flat_map(tree::parts) {
            let (level, index) = tile::tile_of(node);
            if !self.has_read(level, index).await? {
                return Ok(None);
            }
        }
        let node = |node| {
            let hashes = self.tiles.get(&tile::tile_of(node))?;
            tile::node_in_tile(node, hashes)
        };
        Ok(ranges.iter().map(|range| tree::range_hash(range, node)).collect())
    }

    /// Reads a tile, unless it was read before; false if there is none, or hashes of it are missing.
    async fn has_read(&mut self, level: u8, index: u64) -> Result<bool, LedgerError> {
        if self.tiles.contains_key(&(level, index)) {
            return Ok(true);
        }
        let Some(width) = tile::width_at(level, index, self.size) else { return Ok(false) };
        let Some(hashes) = self.tile(&TileId { level, index, width }).await? else { return Ok(false) };
        self.tiles.insert((level, index), hashes);
        Ok(true)
    }
}
