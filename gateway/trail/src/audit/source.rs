//! Where the files of a log come from: an exported directory, an archive of one, a live gateway.
//!
//! A source is not trusted. It knows nothing of trees and signatures: it hands out bytes, never more than
//! [a file of this kind](limits) can have, and reports missing files.
//!
//! **Invariant: no name that a source contains leads out of it**, and none means two files.

pub mod archive;
mod beside;
mod broken;
pub mod directory;

use serde::Deserialize;

use super::{Failure, Verdict};
use crate::tile::{BundleId, TileId};

pub use archive::Archive;
pub use beside::{Beside, StampFile};
pub use broken::Broken;
pub use directory::Directory;

/// What a log is verified from. Its methods are called from one thread.
pub trait Source {
    /// What to call it if its head cannot be read: the log's name if the source knows it, else its location.
    fn name(&self) -> String;

    /// The signed head.
    ///
    /// # Errors
    ///
    /// [`SourceError`].
    fn checkpoint(&self) -> Result<String, SourceError>;

    /// Older signed heads that were kept, in any order, or why one of them cannot be read.
    fn older_checkpoints(&self) -> Vec<Result<OlderHead, SourceError>>;

    /// A tile of hashes, as it is served.
    ///
    /// # Errors
    ///
    /// [`SourceError`].
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, SourceError>;

    /// A bundle of entries, as it is served.
    ///
    /// # Errors
    ///
    /// [`SourceError`].
    fn bundle(&self, bundle: BundleId) -> Result<Vec<u8>, SourceError>;

    /// The table with this digest (`sha256:…`), if there is one.
    ///
    /// # Errors
    ///
    /// [`SourceError`]. A missing table is not an error.
    fn table(&self, digest: &str) -> Result<Option<String>, SourceError>;

    /// The details that still exist, in the order of the log; `None` if they were not handed out.
    ///
    /// # Errors
    ///
    /// [`SourceError`]. Missing details are not an error.
    fn details(&self) -> Result<Option<Details<'_>>, SourceError>;

    /// The other files beside a log of `size` entries: time stamps, and files that are not part of an export.
    fn beside(&self, size: u64) -> Beside {
        let _ = size;
        Beside::default()
    }
}

/// An older head that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderHead {
    /// The file that holds it.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// The details of a log, one by one.
pub type Details<'s> = Box<dyn Iterator<Item = Result<Opening, SourceError>> + 's>;

/// A detail that an entry commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The entry's index.
    pub index: u64,
    /// 32 random bytes.
    pub salt: [u8; 32],
    /// The exact document.
    pub document: String,
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not there.
    #[error("`{0}` is missing")]
    Missing(String),
    /// It is damaged.
    #[error("`{path}` is damaged: {what}")]
    Wrong {
        /// Which file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// It could not be read.
    #[error("`{path}` cannot be read: {source}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl SourceError {
    /// A damaged file, and what is wrong with it.
    pub fn wrong(path: impl Into<String>, what: impl Into<String>) -> SourceError {
        SourceError::Wrong { path: path.into(), what: what.into() }
    }

    /// A file that could not be read, and why.
    pub fn unreadable(
        path: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> SourceError {
        SourceError::Unreadable { path: path.into(), source: source.into() }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Failure {
        let verdict = match &error {
            SourceError::Missing(_) => Verdict::Incomplete,
            SourceError::Wrong { .. } => Verdict::Tampered,
            SourceError::Unreadable { .. } => Verdict::Unusable,
        };
        Failure::new(verdict, error.to_string())
    }
}

/// A line of `details.jsonl`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    index: u64,
    salt: String,
    document: String,
}

/// Reads one line of `details.jsonl`.
fn opening(line: &[u8]) -> Result<Opening, SourceError> {
    let wrong = |what: String| SourceError::wrong(DETAILS, what);
    let line: Line = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
    let salt = unhex(&line.salt)
        .ok_or_else(|| wrong(format!("the salt of entry {} is not 64 hexadecimal digits", line.index)))?;
    Ok(Opening { index: line.index, salt, document: line.document })
}

/// 32 bytes from lower-case hexadecimal.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    crate::registers::unhex(text)?.try_into().ok()
}

/// The path of a table; `None` if the digest is malformed.
#[must_use]
pub fn table_path(digest: &str) -> Option<String> {
    let hex = digest.strip_prefix("sha256:")?;
    unhex(hex).map(|_| format!("tables/{hex}.toml"))
}

fn text(path: &str, bytes: Vec<u8>) -> Result<String, SourceError> {
    String::from_utf8(bytes).map_err(|_| SourceError::wrong(path, "it is not UTF-8"))
}

/// Older heads, up to limits of number and total length. One that cannot be read does not hide the others.
fn heads(
    paths: &[String],
    read: impl Fn(&str) -> Result<Vec<u8>, SourceError>,
) -> Vec<Result<OlderHead, SourceError>> {
    if paths.len() > limits::CHECKPOINTS {
        return vec![Err(SourceError::wrong(CHECKPOINTS, "it has too many files"))];
    }
    let mut left = limits::ALL_CHECKPOINTS;
    let mut heads = Vec::with_capacity(paths.len());
    for path in paths {
        let read = read(path);
        let length = read.as_ref().map_or(0, Vec::len);
        let Some(rest) = left.checked_sub(length) else {
            let error = SourceError::wrong(CHECKPOINTS, "its files are too long together");
            heads.push(Err(error));
            break;
        };
        left = rest;
        let head = read.and_then(|bytes| text(path, bytes));
        heads.push(head.map(|text| OlderHead { path: path.clone(), text }));
    }
    heads
}

/// The most bytes that a file of each kind can have.
pub mod limits {
    /// A signed head: the signatures of a hundred witnesses fit.
    pub const CHECKPOINT: u64 = 64 * 1024;
    /// A tile of 256 hashes.
    pub const TILE: u64 = 256 * 32;
    /// A bundle of 256 entries of 65,535 bytes, each with its length before it.
    pub const BUNDLE: u64 = 256 * 65_537;
    /// A table of jurisdictions.
    pub const TABLE: u64 = 8 * 1024 * 1024;
    /// One line of `details.jsonl`.
    pub const DETAIL: u64 = 1024 * 1024;
    /// A time stamp, with the certificates of its authority.
    pub const STAMP: u64 = 256 * 1024;
    /// How many time stamps are read.
    pub const STAMPS: usize = 10_000;
    /// How many older heads are read.
    pub const CHECKPOINTS: usize = 10_000;
    /// The total length of older heads: all are kept while the log is read.
    pub const ALL_CHECKPOINTS: usize = 64 * 1024 * 1024;
}

const CHECKPOINT: &str = "checkpoint";
const CHECKPOINTS: &str = "checkpoints";
const DETAILS: &str = "details.jsonl";

#[cfg(test)]
mod tests;
