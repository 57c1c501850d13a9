//! Files in an export beside the log, recognized by their names.

use super::{CHECKPOINT, CHECKPOINTS, DETAILS, SourceError, limits, table_path};
use crate::tile::{BundleId, TileId, width_at};

/// The files beside a log.
#[derive(Debug, Default)]
pub struct Beside {
    /// Time stamps of heads.
    pub stamps: Vec<StampFile>,
    /// How many files are not part of an export.
    pub strays: u64,
    /// The names of the first of them.
    pub named: Vec<String>,
    /// Why files cannot be read.
    pub unread: Vec<SourceError>,
}

/// A file that should hold a time stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampFile {
    /// Its name.
    pub path: String,
    /// The size of the tree whose head it should stamp.
    pub size: u64,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Beside {
    /// Sorts the names of files, and reads the time stamps among them.
    pub fn sorted(
        names: impl Iterator<Item = String>,
        size: u64,
        read: impl Fn(&str, u64) -> Result<Vec<u8>, SourceError>,
    ) -> Beside {
        let mut beside = Beside::default();
        let mut stamps: Vec<(String, u64)> = Vec::new();
        for path in names {
            if is_of_log(&path, size) {
                continue;
            }
            if let Some(of) = stamped(&path) {
                stamps.push((path, of));
                continue;
            }
            beside.strays = beside.strays.saturating_add(1);
            if beside.named.len() < NAMED {
                beside.named.push(path);
            }
        }
        if stamps.len() > limits::STAMPS {
            beside.unread.push(SourceError::wrong(ANCHORS, "it has too many files"));
            return beside;
        }
        stamps.sort();
        for (path, of) in stamps {
            match read(&path, limits::STAMP) {
                Ok(bytes) => beside.stamps.push(StampFile { path, size: of, bytes }),
                Err(error) => beside.unread.push(error),
            }
        }
        beside
    }
}

/// Whether a file belongs to the log itself.
fn is_of_log(path: &str, size: u64) -> bool {
    let within = |level, index, width| width_at(level, index, size).is_some_and(|there| width <= there);
    if let Some(tile) = TileId::parse(path) {
        return within(tile.level, tile.index, tile.width);
    }
    if let Some(bundle) = BundleId::parse(path) {
        return within(0, bundle.index, bundle.width);
    }
    let table = path.strip_prefix("tables/").and_then(|name| name.strip_suffix(".toml"));
    path == CHECKPOINT
        || path == DETAILS
        || path.strip_prefix(CHECKPOINTS).is_some_and(|name| name.starts_with('/'))
        || table.is_some_and(|hex| table_path(&format!("sha256:{hex}")).is_some())
}

/// The size of the tree in the name of a time stamp: `anchors/1024-name.tsr`.
fn stamped(path: &str) -> Option<u64> {
    let name = path.strip_prefix(ANCHORS)?.strip_prefix('/')?.strip_suffix(".tsr")?;
    let (size, name) = name.split_once('-')?;
    let plain = !name.contains('/') && size.bytes().all(|byte| byte.is_ascii_digit());
    if plain { size.parse().ok() } else { None }
}

const ANCHORS: &str = "anchors";

/// How many strays are named.
const NAMED: usize = 3;
