//! The head of a log as the text of a note: C2SP tlog-checkpoint.

use super::super::canonical;
use super::super::tree::{Hash, MAX_SIZE};

/// The state of a log: how many entries it has, and the root over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// Further lines, which nobody can check. We write none.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint without further lines.
    #[must_use]
    pub fn new(origin: &str, size: u64, root: Hash) -> Checkpoint {
        Checkpoint { origin: origin.into(), size, root, extensions: Vec::new() }
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if it is not a checkpoint in its one canonical form.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Lines);
        let (origin, size, root) = (line()?, line()?, line()?);
        if text.chars().any(|c| c < ' ' && c != '\n') {
            return Err(CheckpointError::Control);
        }
        let size = canonical::decimal(size).filter(|size| *size <= MAX_SIZE).ok_or(CheckpointError::Size)?;
        let root = canonical::hash(root).ok_or(CheckpointError::Root)?;
        let extensions: Vec<String> = lines.map(Into::into).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Lines);
        }
        Ok(Checkpoint { origin: origin.into(), size, root, extensions })
    }

    /// The text of its note.
    #[must_use]
    pub fn text(&self) -> String {
        let root = canonical::base64(&self.root);
        let mut text = format!("{}\n{}\n{root}\n", self.origin, self.size);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// Why a text is not a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Lines are missing or empty.
    #[error("a checkpoint has three lines, the log's origin, its size and its root, and none is empty")]
    Lines,
    /// It has control characters.
    #[error("the checkpoint holds control characters; its lines end with a newline alone")]
    Control,
    /// The second line is not a size.
    #[error("the checkpoint's second line is not the log's size: a number below 2⁶³, without leading zeros")]
    Size,
    /// The third line is not a root.
    #[error("the checkpoint's third line is not the log's root: 32 bytes in base64")]
    Root,
}
