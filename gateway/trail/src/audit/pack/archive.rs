//! Writing a pack: the files of its zip archive, in one fixed order, so that the same pack is the
//! same bytes.

use std::io::{self, Seek, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Pack;
use crate::audit::page::page;
use crate::hex;
use crate::proof::TlogProof;
use crate::tile::{WIDTH, write_bundle};

/// Writes a pack, with the page for people.
///
/// # Errors
///
/// [`PackError`] if it cannot be written.
pub fn write(pack: &Pack, out: impl Write + Seek) -> Result<(), PackError> {
    let mut zip = ZipWriter::new(out);
    let mut put = |path: &str, bytes: &[u8]| -> Result<(), PackError> {
        zip.start_file(path, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))?;
        Ok(zip.write_all(bytes)?)
    };
    put(PAGE, page(pack)?.as_bytes())?;
    put(MANIFEST, &serde_json::to_vec_pretty(&pack.manifest)?)?;
    put(CHECKPOINT, pack.checkpoint.to_string().as_bytes())?;
    for entry in &pack.entries {
        let index = entry.index;
        put(&format!("{ENTRIES}/{index}.json"), &entry.leaf)?;
        let proof = TlogProof {
            extra: None,
            index,
            hashes: entry.proof.clone(),
            checkpoint: pack.checkpoint.clone(),
        };
        put(&format!("{PROOFS}/{index}.tlog-proof"), proof.to_string().as_bytes())?;
        if let Some(detail) = &entry.detail {
            let disclosed = Disclosed { salt: hex(&detail.salt), document: detail.document.clone() };
            put(&format!("{DETAILS}/{index}.json"), &serde_json::to_vec(&disclosed)?)?;
        }
    }
    for (digest, text) in &pack.tables {
        let path =
            crate::audit::source::table_path(digest).ok_or_else(|| PackError::Digest(digest.clone()))?;
        put(&path, text.as_bytes())?;
    }
    for (version, document) in &pack.prompts {
        put(&format!("{PROMPTS}/{version}.json"), document.as_bytes())?;
    }
    if let Some(envelope) = &pack.envelope {
        put(ENVELOPE, envelope.as_bytes())?;
    }
    if let Some(stretch) = &pack.stretch {
        let before = stretch.before.iter().map(|hash| format!("{}\n", BASE64_STANDARD.encode(hash)));
        put(BEFORE, before.collect::<String>().as_bytes())?;
        let full = usize::try_from(WIDTH).unwrap_or(1);
        for (number, leaves) in stretch.leaves.chunks(full).enumerate() {
            let bundle = write_bundle(leaves.iter().map(Vec::as_slice)).ok_or(PackError::Entry)?;
            put(&format!("{BUNDLES}/{number}"), &bundle)?;
        }
    }
    zip.finish()?;
    Ok(())
}

/// `details/<index>.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disclosed {
    pub(super) salt: String,
    pub(super) document: String,
}

/// Why a pack cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The archive failed.
    #[error("the archive cannot be written: {0}")]
    Zip(#[from] ZipError),
    /// Writing failed.
    #[error("the pack cannot be written: {0}")]
    Io(#[from] io::Error),
    /// Something cannot be written as JSON.
    #[error("a part of the pack cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The page for people cannot be written.
    #[error("the page of the pack cannot be written: {0}")]
    Page(#[from] askama::Error),
    /// The digest of a table is malformed.
    #[error("`{0}` is not the digest of a table")]
    Digest(String),
    /// An entry is too long for a bundle.
    #[error("an entry is longer than an entry can be")]
    Entry,
}

pub(super) const PAGE: &str = "index.html";
/// The file that says what a pack is about.
pub const MANIFEST: &str = "pack.json";
pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const ENTRIES: &str = "entries";
pub(super) const PROOFS: &str = "proofs";
pub(super) const DETAILS: &str = "details";
pub(super) const PROMPTS: &str = "prompts";
pub(super) const ENVELOPE: &str = "envelope.json";
pub(super) const BEFORE: &str = "log/before";
pub(super) const BUNDLES: &str = "log/entries";
