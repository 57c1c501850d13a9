//! Reading a pack that somebody else has made: bounded in every direction, and nothing in it that is
//! not part of a pack.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use uuid::Uuid;

use super::archive::{
    BEFORE, BUNDLES, CHECKPOINT, DETAILS, Disclosed, ENTRIES, ENVELOPE, MANIFEST, PAGE, PROOFS,
};
use super::{Entry, Manifest, Pack, Stretch};
use crate::audit::Failure;
use crate::audit::source::archive::Zip;
use crate::audit::source::{SourceError, limits, unhex};
use crate::trail::Detail;
use crate::trail::note::Note;
use crate::trail::proof::TlogProof;
use crate::trail::tile::read_bundle;
use crate::trail::tree::Hash;

/// Whether this file is an archive with a pack in it, and not an exported log.
#[must_use]
pub fn is_pack(path: &std::path::Path) -> bool {
    let has = |file| zip::ZipArchive::new(file).is_ok_and(|zip| zip.index_for_name(MANIFEST).is_some());
    path.is_file() && std::fs::File::open(path).is_ok_and(has)
}

/// Reads a pack. Nothing of it is verified yet.
///
/// # Errors
///
/// [`Failure`] where it is no pack, or a file of it is missing or damaged.
pub fn read(from: impl Read + Seek) -> Result<Pack, Failure> {
    let zip = Zip::new(from, MAX_FILES)?;
    let reader =
        Reader { unread: Cell::new(zip.names().into_iter().collect()), zip, left: Cell::new(MAX_BYTES) };
    let manifest: Manifest = json(MANIFEST, &reader.must(MANIFEST, MAX_MANIFEST)?)?;
    // So that nothing is read twice, however often it is named.
    if !manifest.indices.is_sorted_by(|one, next| one < next) {
        return Err(wrong(
            MANIFEST,
            "its entries are not in the order of the log, or one is named twice".into(),
        ));
    }
    let checkpoint = text(CHECKPOINT, reader.must(CHECKPOINT, limits::CHECKPOINT)?)?;
    let checkpoint = Note::parse(&checkpoint).map_err(|error| wrong(CHECKPOINT, error.to_string()))?;
    let page = reader.may(PAGE, MAX_PAGE)?.map(|bytes| text(PAGE, bytes)).transpose()?;
    let entries = manifest.indices.iter().map(|index| reader.entry(*index, &checkpoint));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    let mut tables = BTreeMap::new();
    let mut prompts = BTreeMap::new();
    for path in reader.names() {
        let name = |prefix: &str, suffix: &str| {
            path.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix)).map(ToOwned::to_owned)
        };
        if let Some(hex) = name("tables/", ".toml") {
            tables.insert(format!("sha256:{hex}"), text(&path, reader.must(&path, limits::TABLE)?)?);
        } else if let Some(version) = name("prompts/", ".json") {
            let version: Uuid =
                version.parse().map_err(|_| wrong(&path, "its name is no id of a prompt".into()))?;
            prompts.insert(version, text(&path, reader.must(&path, limits::DETAIL)?)?);
        }
    }
    let envelope = reader.may(ENVELOPE, limits::DETAIL)?.map(|bytes| text(ENVELOPE, bytes)).transpose()?;
    let stretch = manifest.whole_from.map(|first| reader.stretch(first)).transpose()?;
    reader.finish()?;
    Ok(Pack { manifest, checkpoint, entries, stretch, tables, prompts, envelope, page })
}

/// A pack's archive, and what of it was not read yet.
struct Reader<R> {
    zip: Zip<R>,
    unread: Cell<BTreeSet<String>>,
    /// How many bytes may still come out of it.
    left: Cell<u64>,
}

impl<R: Read + Seek> Reader<R> {
    fn may(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
        let bytes = self.zip.read(path, limit.min(self.left.get()))?;
        if let Some(bytes) = &bytes {
            let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            self.left.set(self.left.get().saturating_sub(read));
        }
        let mut unread = self.unread.take();
        unread.remove(path);
        self.unread.set(unread);
        Ok(bytes)
    }

    fn must(&self, path: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        self.may(path, limit)?.ok_or_else(|| SourceError::Missing(path.into()).into())
    }

    fn names(&self) -> Vec<String> {
        self.zip.names()
    }

    fn entry(&self, index: u64, checkpoint: &Note) -> Result<Entry, Failure> {
        let leaf = self.must(&format!("{ENTRIES}/{index}.json"), MAX_ENTRY)?;
        let path = format!("{PROOFS}/{index}.tlog-proof");
        let proof = text(&path, self.must(&path, limits::CHECKPOINT.saturating_mul(2))?)?;
        let proof = TlogProof::parse(&proof).map_err(|error| wrong(&path, error.to_string()).at(index))?;
        if proof.index != index || proof.checkpoint != *checkpoint {
            return Err(wrong(&path, "it is the proof of another entry, or by another head".into()).at(index));
        }
        let path = format!("{DETAILS}/{index}.json");
        let detail = self.may(&path, limits::DETAIL)?.map(|bytes| detail(&path, &bytes)).transpose()?;
        Ok(Entry { index, leaf, proof: proof.hashes, detail })
    }

    fn stretch(&self, first: u64) -> Result<Stretch, Failure> {
        let before = text(BEFORE, self.must(BEFORE, limits::TILE)?)?;
        let hash = |line: &str| -> Option<Hash> { BASE64_STANDARD.decode(line).ok()?.try_into().ok() };
        let before = before.lines().map(hash).collect::<Option<Vec<Hash>>>();
        let before = before.ok_or_else(|| wrong(BEFORE, "a line is not 32 bytes in base64".into()))?;
        let mut leaves = Vec::new();
        for number in 0.. {
            let path = format!("{BUNDLES}/{number}");
            let Some(bytes) = self.may(&path, limits::BUNDLE)? else { break };
            let bundle = read_bundle(&bytes).map_err(|error| wrong(&path, error.to_string()))?;
            leaves.extend(bundle.into_iter().map(<[u8]>::to_vec));
        }
        Ok(Stretch { first, before, leaves })
    }

    /// Nothing lies beside the pack in its archive.
    fn finish(self) -> Result<(), Failure> {
        match self.unread.take().first() {
            None => Ok(()),
            Some(path) => Err(wrong(path, "it is no part of a pack; take it out of the archive".into())),
        }
    }
}

fn detail(path: &str, bytes: &[u8]) -> Result<Detail, Failure> {
    let Disclosed { salt, document } = json(path, bytes)?;
    let salt = unhex(&salt).ok_or_else(|| wrong(path, "its salt is not 64 hexadecimal digits".into()))?;
    Ok(Detail { salt, document })
}

fn json<T: serde::de::DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| wrong(path, error.to_string()))
}

fn text(path: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| wrong(path, "it is not UTF-8".into()))
}

fn wrong(path: &str, what: String) -> Failure {
    SourceError::wrong(path, what).into()
}

/// How many files a pack has at most.
const MAX_FILES: usize = 100_000;
/// How many bytes a pack has at most, unpacked.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;
const MAX_MANIFEST: u64 = 64 * 1024 * 1024;
const MAX_PAGE: u64 = 64 * 1024 * 1024;
const MAX_ENTRY: u64 = 65_535;
