//! Signed notes: C2SP signed-note, with the two kinds of signature that a log needs, the log's own
//! and a witness's cosignature (C2SP tlog-cosignature, version 1), and the note that a log signs, its
//! [`Checkpoint`] (C2SP tlog-checkpoint).
//!
//! It does not know whom to trust (that is [`trust`](super::trust)), nor what time it is.
//!
//! Invariant: a parsed note is displayed byte for byte as it was, so what is kept is what was signed.

mod checkpoint;
mod key;
#[cfg(test)]
mod tests;

use std::fmt;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use key::{KeyError, KeyKind, SigningKey, VerifierKey};

use super::canonical;
use super::hex;

/// A text and who is said to have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, with the newline at its end.
    pub text: String,
    /// The signatures, not verified.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// Reads a signed note.
    ///
    /// # Errors
    ///
    /// [`NoteError`] if it is malformed or too long. Nothing is verified yet.
    pub fn parse(note: &str) -> Result<Note, NoteError> {
        // First of all, so that no later step walks over more than this.
        if note.len() > MAX_NOTE {
            return Err(NoteError::TooLong);
        }
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Control);
        }
        // The text may have empty lines: it ends before the last one.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        if text.len() >= MAX_TEXT {
            return Err(NoteError::TooLong);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoNewline)?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            let number = signatures.len() + 1;
            signatures.push(Signature::parse(line).ok_or(NoteError::SignatureLine { number })?);
        }
        Ok(Note { text: format!("{text}\n"), signatures })
    }

    /// Which of `keys` have signed it, each once, in the order of the signatures. Other signatures are
    /// ignored, such as new kinds of them, and further witnesses.
    ///
    /// # Errors
    ///
    /// [`NoteError::Forged`] if any signature that names one of `keys` fails: such a note is
    /// refused whole. [`NoteError::Unsigned`] if none of them has signed it.
    pub fn verified_by(&self, keys: &[VerifierKey]) -> Result<Vec<Verified>, NoteError> {
        let mut verified: Vec<Verified> = Vec::new();
        for signature in &self.signatures {
            let names = |key: &VerifierKey| key.name() == signature.name && key.id() == signature.id;
            let Some((index, key)) = keys.iter().enumerate().find(|(_, key)| names(key)) else { continue };
            let time = key
                .verify(&self.text, &signature.blob)
                .ok_or_else(|| NoteError::Forged { name: signature.name.clone(), id: hex(&signature.id) })?;
            if !verified.iter().any(|earlier| earlier.key == index) {
                verified.push(Verified { key: index, time });
            }
        }
        if verified.is_empty() { Err(NoteError::Unsigned) } else { Ok(verified) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// A signature that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The index of its key among those given.
    pub key: usize,
    /// When a cosigner claims to have seen the note, in seconds since 1970; `None` for a log's own signature.
    pub time: Option<u64>,
}

/// A signature line: who is said to have signed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub id: [u8; 4],
    /// The signature; a cosignature begins with its time.
    pub blob: Vec<u8>,
}

impl Signature {
    /// Reads a signature line, without its newline. `None` if it is malformed.
    #[must_use]
    pub fn parse(line: &str) -> Option<Signature> {
        if line.len() > MAX_LINE {
            return None;
        }
        let (name, blob) = line.strip_prefix("— ")?.split_once(' ')?;
        if !key::is_name(name) {
            return None;
        }
        let bytes = canonical::bytes(blob)?;
        let (id, blob) = bytes.split_first_chunk()?;
        (!blob.is_empty()).then(|| Signature { name: name.into(), id: *id, blob: blob.into() })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_slice(), &self.blob].concat();
        write!(f, "— {} {}", self.name, canonical::base64(&bytes))
    }
}

/// Why a note is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is longer than a note may be.
    #[error("the note is too long: at most {MAX_TEXT} bytes of text and {MAX_NOTE} in all")]
    TooLong,
    /// It has control characters.
    #[error("the note holds control characters; its lines end with a newline alone")]
    Control,
    /// No empty line is followed by anything.
    #[error("the note is not signed: no empty line with signatures behind it")]
    NoSignatures,
    /// It ends in the middle of a line.
    #[error("the note is cut off: its last line does not end with a newline")]
    NoNewline,
    /// It has too many signatures.
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// A line behind the empty one is not a signature.
    #[error("signature line {number} of the note is malformed")]
    SignatureLine {
        /// Which, from 1.
        number: usize,
    },
    /// A signature that names a known key fails.
    #[error("the signature of `{name}` (key {id}) does not belong to the note: it was changed or forged")]
    Forged {
        /// The key's name.
        name: String,
        /// The key's id, in hexadecimal.
        id: String,
    },
    /// None of the keys has signed it.
    #[error("no trusted key has signed the note")]
    Unsigned,
}

/// How long a note may be in all, in bytes.
pub const MAX_NOTE: usize = 2 * MAX_TEXT;

/// How long its text may be, in bytes.
const MAX_TEXT: usize = 1024 * 1024;

/// How many signatures it may have. The specification asks for 16 at least.
const MAX_SIGNATURES: usize = 100;

/// How long a signature line may be, in bytes: post-quantum signatures take up to 5,000.
const MAX_LINE: usize = 16 * 1024;
