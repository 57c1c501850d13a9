//! How a log is served as files: C2SP tlog-tiles. A tile is 256 neighbouring hashes of every eighth
//! height of the tree, an entry bundle the 256 entries below a tile of level 0.
//!
//! It knows coordinates and bodies, no storage and no signatures.
//!
//! Invariant: what exists follows from the tree's size alone; a full tile never changes.

#[cfg(test)]
mod tests;

use super::canonical;
use super::tree::{Edge, Hash, NodeId};

/// How many hashes a full tile has.
pub const WIDTH: u64 = 256;

/// A tile of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Its level: 0 has the leaf hashes, every further one the roots of the full tiles below.
    pub level: u8,
    /// Which of its level, from the left.
    pub index: u64,
    /// How many hashes it has: 1 to 256, and fewer than 256 only at the right edge.
    pub width: u16,
}

impl TileId {
    /// Its path below the log's prefix: `tile/0/x001/234`, or `tile/0/x001/234.p/5` if it is partial.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, write_place(self.index, self.width))
    }

    /// Reads a path as [`path`](TileId::path) writes it; None for anything else.
    #[must_use]
    pub fn parse(path: &str) -> Option<TileId> {
        let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = canonical::decimal(level).filter(|level| *level <= MAX_LEVEL)?;
        let (index, width) = read_place(place)?;
        Some(TileId { level: u8::try_from(level).ok()?, index, width })
    }
}

/// A bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    /// Which, from the left: it begins with entry `index * 256`.
    pub index: u64,
    /// How many entries it has: 1 to 256, and fewer than 256 only at the right edge.
    pub width: u16,
}

impl BundleId {
    /// Its path below the log's prefix: `tile/entries/x001/234`, or `tile/entries/x001/234.p/5`
    /// if it is partial.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/entries/{}", write_place(self.index, self.width))
    }

    /// Reads a path as [`path`](BundleId::path) writes it; None for anything else.
    #[must_use]
    pub fn parse(path: &str) -> Option<BundleId> {
        let (index, width) = read_place(path.strip_prefix("tile/entries/")?)?;
        Some(BundleId { index, width })
    }
}

/// All tiles of a tree of `size` leaves, level by level from the left, with the partial one at the
/// end of each level. None of them is empty.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TileId> {
    (0..LEVELS).flat_map(move |level| {
        let tiles = hashes_at(level, size).map_or(0, |hashes| hashes.div_ceil(WIDTH));
        (0..tiles)
            .filter_map(move |index| Some(TileId { level, index, width: width_at(level, index, size)? }))
    })
}

/// All entry bundles of a tree of `size` leaves, from the left. None of them is empty.
pub fn bundles_of(size: u64) -> impl Iterator<Item = BundleId> {
    (0..size.div_ceil(WIDTH))
        .filter_map(move |index| Some(BundleId { index, width: width_at(0, index, size)? }))
}

/// How wide a tile is in a tree of `size` leaves; `None` if it does not exist. Level 0 speaks for
/// the entry bundles too.
#[must_use]
pub fn width_at(level: u8, index: u64, size: u64) -> Option<u16> {
    let before = index.checked_mul(WIDTH)?;
    let from_here = hashes_at(level, size)?.checked_sub(before)?;
    u16::try_from(from_here.min(WIDTH)).ok().filter(|width| *width > 0)
}

/// Which tile a node is in, or can be computed from: its level and its index there. Height `h` lives
/// in level `h / 8`.
#[must_use]
pub fn tile_of(node: NodeId) -> (u8, u64) {
    let above = node.height % HEIGHT;
    (node.height / HEIGHT, node.index >> (HEIGHT - above))
}

/// A node from the hashes of the tile that [`tile_of`] names; `None` if the tile does not reach
/// that far.
#[must_use]
pub fn node_in_tile(node: NodeId, hashes: &[Hash]) -> Option<Hash> {
    let above = node.height % HEIGHT;
    let first = usize::try_from((node.index % (WIDTH >> above)) << above).ok()?;
    let below = hashes.get(first..first + (1 << above))?;
    let mut subtree = Edge::default();
    below.iter().for_each(|hash| subtree.push(*hash, |_, _| {}));
    Some(subtree.root())
}

/// The body of an entry bundle: every entry behind its length in two bytes, the high one first.
///
/// `None` if an entry is longer than 65,535 bytes, or there are not 1 to 256 of them.
pub fn write_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    let mut count = 0;
    for entry in entries {
        body.extend(u16::try_from(entry.len()).ok()?.to_be_bytes());
        body.extend_from_slice(entry);
        count += 1;
    }
    (1..=WIDTH).contains(&count).then_some(body)
}

/// The entries of a bundle.
///
/// # Errors
///
/// [`TileError`] if the body is cut, or does not have 1 to 256 entries.
pub fn read_bundle(bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let entry = entries.len();
        if entry == FULL {
            return Err(TileError::TooMany);
        }
        let (length, after) = rest.split_first_chunk().ok_or(TileError::Cut { entry })?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (leaf, after) = after.split_at_checked(length).ok_or(TileError::Cut { entry })?;
        entries.push(leaf);
        rest = after;
    }
    if entries.is_empty() { Err(TileError::Empty) } else { Ok(entries) }
}

/// The hashes of a tile.
///
/// # Errors
///
/// [`TileError`] if the body is not 1 to 256 times 32 bytes long.
pub fn read_hashes(bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(TileError::Ragged { bytes: bytes.len() });
    }
    match hashes.len() {
        0 => Err(TileError::Empty),
        1..=FULL => Ok(hashes.to_vec()),
        _ => Err(TileError::TooMany),
    }
}

/// Why bytes are not a tile or bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// There is nothing in it.
    #[error("it is empty, and an empty tile does not exist")]
    Empty,
    /// There are more than 256 hashes or entries.
    #[error("it holds more than the 256 that a tile can hold")]
    TooMany,
    /// An entry ends after the bundle.
    #[error("it is cut off in its entry {entry}, counted from 0")]
    Cut {
        /// Which entry of the bundle, from 0.
        entry: usize,
    },
    /// It is not a whole number of hashes.
    #[error("it is {bytes} bytes long, and a hash takes 32")]
    Ragged {
        /// How long it is.
        bytes: usize,
    },
}

/// How many hashes a level has, over all of its tiles: only full tiles are hashed into the next one.
fn hashes_at(level: u8, size: u64) -> Option<u64> {
    size.checked_shr(u32::from(level) * u32::from(HEIGHT))
}

/// `x001/x234/067` for 1,234,067, followed by `.p/<width>` if the width is less than 256.
fn write_place(index: u64, width: u16) -> String {
    let mut place = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        place = format!("x{:03}/{place}", rest % 1000);
        rest /= 1000;
    }
    if u64::from(width) < WIDTH {
        place.push_str(&format!(".p/{width}"));
    }
    place
}

fn read_place(place: &str) -> Option<(u64, u16)> {
    let (groups, width) = match place.split_once(".p/") {
        Some((groups, width)) => {
            let width = canonical::decimal(width).filter(|width| (1..WIDTH).contains(width))?;
            (groups, width)
        }
        None => (place, WIDTH),
    };
    // One index has one path: no group of zeros in front.
    if groups.starts_with("x000") {
        return None;
    }
    let (groups, last) = match groups.rsplit_once('/') {
        Some((groups, last)) => (Some(groups), last),
        None => (None, groups),
    };
    let higher = groups.into_iter().flat_map(|groups| groups.split('/')).map(|group| group.strip_prefix('x'));
    let mut index = 0_u64;
    for group in higher.chain([Some(last)]) {
        let group = group.filter(|group| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit()))?;
        index = index.checked_mul(1000)?.checked_add(group.parse().ok()?)?;
    }
    Some((index, u16::try_from(width).ok()?))
}

/// How many heights of the tree a level spans.
const HEIGHT: u8 = 8;

/// How many levels a tree can have: 64 bits of size, eight to a level.
const LEVELS: u8 = 8;

/// The highest level that a path may name.
const MAX_LEVEL: u64 = 63;

/// [`WIDTH`], to count with.
const FULL: usize = 256;
