//! Proof packs: a zip file with everything that somebody needs to check one recording, one call, or
//! that there is no recording of a call. People can read it (`index.html`), and anybody who has the log's key
//! can check it, without us and without a network.
//!
//! ```text
//! pack.json                   what it is about; what was asserted, kept apart from what was done
//! index.html                  the same for people
//! checkpoint                  the signed head of the log
//! entries/<index>.json        the exact bytes of each entry
//! proofs/<index>.tlog-proof   that it stands in the log
//! details/<index>.json        what the entry commits to, if that was disclosed
//! tables/<sha256>.toml        the tables that decided
//! prompts/<version>.json      what was played
//! envelope.json               the recording's envelope, while the recording exists
//! log/before                  absence only: the hashes of the log before the call
//! log/entries/<number>        absence only: every entry since, in bundles
//! ```
//!
//! The module knows no SQL and no HTTP: callers collect the parts of a pack.
//!
//! **Invariant: nothing in a pack is believed that an entry does not say or commit to**; the manifest
//! and the page are computed again from the entries, and compared.

mod archive;
mod check;
mod manifest;
mod order;
mod read;
mod since;
mod unproven;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

pub use archive::{MANIFEST, PackError, write};
pub use check::verify_pack;
pub(super) use manifest::is_asserted;
pub use manifest::{FORMAT, Kind, Manifest, Said};
pub use read::{is_pack, read};
pub use since::goes_on;
pub(super) use unproven::unproven;

use super::{Details, Failure, Witnessed};
use crate::note::{Checkpoint, CheckpointError, Note};
use crate::tree::Hash;
use crate::{Detail, Leaf};

/// A proof pack.
#[derive(Debug, Clone)]
pub struct Pack {
    /// What it is about.
    pub manifest: Manifest,
    /// The signed head of the log.
    pub checkpoint: Note,
    /// Its entries, in the order of the log.
    pub entries: Vec<Entry>,
    /// Every entry since the call's opening, for a pack that proves an absence.
    pub stretch: Option<Stretch>,
    /// The tables that decided, by their digests (`sha256:…`).
    pub tables: BTreeMap<String, String>,
    /// What was played, by the version of the prompt: JSON documents.
    pub prompts: BTreeMap<Uuid, String>,
    /// The recording's envelope, as JSON.
    pub envelope: Option<String>,
    /// The page for people, if the pack was read from an archive. Writing a pack renders its page.
    pub page: Option<String>,
    /// Files that are missing or damaged, if the pack was read from an archive.
    pub unread: Vec<Failure>,
}

/// An entry, with the proof that it is in the log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its index in the log.
    pub index: u64,
    /// Its exact bytes.
    pub leaf: Vec<u8>,
    /// The hashes that prove it, its sibling's first.
    pub proof: Vec<Hash>,
    /// What it commits to, if that is disclosed.
    pub detail: Option<Detail>,
}

/// The end of a log, whole.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// The index of its first entry.
    pub first: u64,
    /// The hashes of everything before it: those of
    /// [`parts`](crate::tree::parts)`(0..first)`.
    pub before: Vec<Hash>,
    /// The exact bytes of every entry from there to the log's end.
    pub leaves: Vec<Vec<u8>>,
}

/// What a pack is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A recording: all entries of its call up to its acceptance at least, and what became of it.
    Recording(Uuid),
    /// A call: all of its entries.
    Call(Uuid),
    /// There is no recording of a call.
    Absence {
        /// What the platform calls it: its id, or an alias.
        name: String,
        /// All calls that had this name, the first one first.
        calls: Vec<Uuid>,
    },
}

impl Pack {
    /// Makes a pack from its parts.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if the note is not a head of a log.
    pub fn new(
        account: &str,
        subject: &Subject,
        made_at: Timestamp,
        checkpoint: Note,
        parts: Parts,
    ) -> Result<Pack, CheckpointError> {
        let head = Checkpoint::parse(&checkpoint.text)?;
        let Parts { mut entries, stretch, tables, prompts, envelope } = parts;
        entries.sort_by_key(|entry| entry.index);
        let manifest = Manifest::of(account, subject, made_at, &head, &entries, stretch.as_ref());
        Ok(Pack {
            manifest,
            checkpoint,
            entries,
            stretch,
            tables,
            prompts,
            envelope,
            page: None,
            unread: Vec::new(),
        })
    }
}

/// The parts of a pack.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The entries: those of the call, those about the recording, and those that registered the
    /// prompts and consent grants that were used. Gaps of the trail while the call was open, too.
    pub entries: Vec<Entry>,
    /// Every entry from the call's opening to the end, for [`Subject::Absence`].
    pub stretch: Option<Stretch>,
    /// The tables that the entries name, by their digests.
    pub tables: BTreeMap<String, String>,
    /// What was played, by the version of the prompt: the documents of their registrations.
    pub prompts: BTreeMap<Uuid, String>,
    /// The recording's envelope, as JSON.
    pub envelope: Option<String>,
}

impl Entry {
    /// What it says; `None` if it cannot be read.
    #[must_use]
    pub fn read(&self) -> Option<Leaf> {
        serde_json::from_slice(&self.leaf).ok()
    }

    /// What it commits to, as JSON.
    #[must_use]
    pub fn document(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.detail.as_ref()?.document).ok()
    }
}

/// What was verified of a pack.
#[derive(Debug, Clone, Serialize)]
pub struct PackReport {
    /// What sort of pack it is.
    pub kind: Kind,
    /// The log's name.
    pub origin: String,
    /// How many entries the log had.
    pub size: u64,
    /// The root of its tree, in hexadecimal.
    pub root: String,
    /// The keys that signed the head, as verifier keys.
    pub signed_by: Vec<String>,
    /// The witnesses that signed it too, and when.
    pub witnessed_by: Vec<Witnessed>,
    /// The gateway's ids of the calls.
    pub calls: Vec<Uuid>,
    /// What the platform calls it, if that was disclosed.
    pub call_id: Option<String>,
    /// The recording.
    pub recording: Option<Uuid>,
    /// How many entries were proven to stand in the log.
    pub entries: u64,
    /// How many decisions were computed again and found equal.
    pub decisions: u64,
    /// Details.
    pub details: Details,
    /// Whether the sealed media were given, and are those that were accepted.
    pub media: bool,
    /// Whether the envelope is there, and is the one that was accepted.
    pub envelope: bool,
    /// Whether the page for people was compared with the entries.
    pub page: bool,
    /// What is not proven.
    pub warnings: Vec<String>,
}

#[cfg(test)]
mod tests;
