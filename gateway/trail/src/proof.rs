//! A proof for an entry: C2SP tlog-proof, a text file with which anybody can check offline that the entry is
//! in a log that they trust.
//!
//! It knows neither what the entry says nor where the proof came from.
//!
//! Invariant: a parsed proof is displayed byte for byte as it was.

#[cfg(test)]
mod tests;

use std::fmt;

use super::canonical;
use super::note::{Checkpoint, CheckpointError, MAX_NOTE, Note, NoteError};
use super::tree::{self, Hash, MAX_SIZE, ProofError};
use super::trust::{Trust, TrustError};

/// The proof of an entry's place in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Additional data, which nothing vouches for.
    pub extra: Option<Vec<u8>>,
    /// Which entry of the log, from 0.
    pub index: u64,
    /// The hashes from the leaf's sibling up to the root's child.
    pub hashes: Vec<Hash>,
    /// The signed head of the log.
    pub checkpoint: Note,
}

impl TlogProof {
    /// Reads a proof file.
    ///
    /// # Errors
    ///
    /// [`TlogProofError`] if it is malformed or too long. Nothing is verified yet.
    pub fn parse(file: &str) -> Result<TlogProof, TlogProofError> {
        // First of all, so that no later step walks over more than this.
        if file.len() > MAX_PROOF {
            return Err(TlogProofError::TooLong);
        }
        let rest = file.strip_prefix(HEADER).ok_or(TlogProofError::Header)?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(TlogProofError::NoCheckpoint)?;
        let mut lines = head.split('\n').peekable();
        let extra = lines
            .next_if(|line| line.starts_with("extra "))
            .map(|line| line.strip_prefix("extra ").and_then(canonical::bytes).ok_or(TlogProofError::Extra))
            .transpose()?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(canonical::decimal);
        let index = index.filter(|index| *index < MAX_SIZE).ok_or(TlogProofError::Index)?;
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() == MAX_HASHES {
                return Err(TlogProofError::TooLong);
            }
            let number = hashes.len() + 1;
            hashes.push(canonical::hash(line).ok_or(TlogProofError::Hash { number })?);
        }
        let checkpoint = Note::parse(checkpoint)?;
        Checkpoint::parse(&checkpoint.text)?;
        Ok(TlogProof { extra, index, hashes, checkpoint })
    }

    /// Checks that the entry with exactly these bytes is in a log that `trust` trusts, and returns the log's
    /// head.
    ///
    /// # Errors
    ///
    /// [`TlogProofError::Trust`] if the checkpoint is not to be trusted,
    /// [`TlogProofError::Tree`] if the entry is not what was proven.
    pub fn verify(&self, leaf: &[u8], trust: &Trust) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = trust.check(&self.checkpoint)?.checkpoint;
        let leaf = tree::leaf_hash(leaf);
        tree::verify_inclusion(&leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        if let Some(extra) = self.extra.as_ref().filter(|extra| !extra.is_empty()) {
            writeln!(f, "extra {}", canonical::base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", canonical::base64(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// It is longer than a proof may be.
    #[error("the proof is too long: at most {MAX_PROOF} bytes and {MAX_HASHES} hashes")]
    TooLong,
    /// The first line is another one.
    #[error("this is not a proof of a log's entry: its first line is not `c2sp.org/tlog-proof@v1`")]
    Header,
    /// No empty line is followed by a checkpoint.
    #[error("the proof holds no checkpoint: it ends before its first empty line")]
    NoCheckpoint,
    /// The extra line is malformed.
    #[error("the proof's `extra` line is not followed by base64")]
    Extra,
    /// The index line is missing or malformed.
    #[error("the proof's second part is not a line `index <number>`, without leading zeros")]
    Index,
    /// A line is not a hash.
    #[error("hash {number} of the proof is not 32 bytes in base64")]
    Hash {
        /// Which, from 1.
        number: usize,
    },
    /// The checkpoint is not a signed note.
    #[error("the proof's checkpoint: {0}")]
    Note(#[from] NoteError),
    /// The checkpoint is malformed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is not to be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The entry is not what was proven.
    #[error(transparent)]
    Tree(#[from] ProofError),
}

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1\n";

/// How long a proof may be in all, in bytes: a note, and as much again for what is before it.
const MAX_PROOF: usize = 2 * MAX_NOTE;

/// How many hashes the largest tree's proofs have.
const MAX_HASHES: usize = 63;
