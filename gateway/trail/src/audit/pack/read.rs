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
use super::{Entry, Kind, Manifest, Pack, Stretch};
use crate::Detail;
use crate::audit::Failure;
use crate::audit::source::archive::Zip;
use crate::audit::source::{SourceError, limits, unhex};
use crate::audit::verify::told;
use crate::note::Note;
use crate::proof::TlogProof;
use crate::tile::{WIDTH, read_bundle};
use crate::tree::Hash;

/// Whether this file is an archive with a pack in it, and not an exported log.
#[must_use]
pub fn is_pack(path: &std::path::Path) -> bool {
    let has = |file| zip::ZipArchive::new(file).is_ok_and(|zip| zip.index_for_name(MANIFEST).is_some());
    path.is_file() && std::fs::File::open(path).is_ok_and(has)
}

/// Reads a pack, without verifying anything. Missing and damaged files are kept in [`Pack::unread`] and
/// reported when the pack is verified.
///
/// # Errors
///
/// [`Failure`] if it is not a pack, or does not say what is in it.
pub fn read(from: impl Read + Seek) -> Result<Pack, Failure> {
    let zip = Zip::new(from, MAX_FILES)?;
    let reader =
        Reader { unread: Cell::new(zip.names().into_iter().collect()), zip, left: Cell::new(MAX_BYTES) };
    let manifest: Manifest = json(MANIFEST, &reader.must(MANIFEST, MAX_MANIFEST)?)?;
    // Nothing may be read twice.
    if !manifest.indices.is_sorted_by(|one, next| one < next) {
        return Err(wrong(
            MANIFEST,
            "its entries are not in the order of the log, or one is named twice".into(),
        ));
    }
    let mut unread = Vec::new();
    let checkpoint = reader.must(CHECKPOINT, limits::CHECKPOINT).and_then(|bytes| text(CHECKPOINT, bytes));
    let checkpoint = checkpoint.and_then(|checkpoint| {
        Note::parse(&checkpoint).map_err(|error| wrong(CHECKPOINT, error.to_string()))
    });
    let checkpoint = told(&mut unread, checkpoint);
    let page = reader.must(PAGE, MAX_PAGE).and_then(|bytes| text(PAGE, bytes));
    let page = told(&mut unread, page);
    let entries = manifest.indices.iter().map(|index| reader.entry(*index, checkpoint.as_ref()));
    let entries = entries.filter_map(|entry| told(&mut unread, entry)).collect();
    let mut tables = BTreeMap::new();
    let mut prompts = BTreeMap::new();
    for path in reader.names() {
        let name = |prefix: &str, suffix: &str| {
            path.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix)).map(ToOwned::to_owned)
        };
        let read = |limit| reader.must(&path, limit).and_then(|bytes| text(&path, bytes));
        if let Some(hex) = name("tables/", ".toml") {
            let table = told(&mut unread, read(limits::TABLE));
            tables.extend(table.map(|table| (format!("sha256:{hex}"), table)));
        } else if let Some(version) = name("prompts/", ".json") {
            let version = version.parse::<Uuid>();
            let version = version.map_err(|_| wrong(&path, "its name is not the id of a prompt".into()));
            let prompt = version.and_then(|version| Ok((version, read(limits::DETAIL)?)));
            prompts.extend(told(&mut unread, prompt));
        }
    }
    // In a pack about anything else it would be believed by nobody, and lie there as if it were.
    let envelope = match manifest.kind {
        Kind::Recording => reader.may(ENVELOPE, limits::DETAIL),
        Kind::Call | Kind::Absence => Ok(None),
    };
    let envelope = envelope.and_then(|bytes| bytes.map(|bytes| text(ENVELOPE, bytes)).transpose());
    let envelope = told(&mut unread, envelope).flatten();
    let stretch = manifest.whole_from.and_then(|first| told(&mut unread, reader.stretch(first)));
    unread.extend(reader.strays());
    match checkpoint {
        Some(checkpoint) => {
            Ok(Pack { manifest, checkpoint, entries, stretch, tables, prompts, envelope, page, unread })
        }
        // Without a head nothing can be proven.
        None => {
            Err(Failure::together(unread).unwrap_or_else(|| SourceError::Missing(CHECKPOINT.into()).into()))
        }
    }
}

/// A pack's archive, and the files that were not read yet.
struct Reader<R> {
    zip: Zip<R>,
    unread: Cell<BTreeSet<String>>,
    /// How many more bytes may be read.
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

    fn entry(&self, index: u64, checkpoint: Option<&Note>) -> Result<Entry, Failure> {
        self.entry_at(index, checkpoint).map_err(|failure| failure.at(index))
    }

    fn entry_at(&self, index: u64, checkpoint: Option<&Note>) -> Result<Entry, Failure> {
        let path = format!("{PROOFS}/{index}.tlog-proof");
        let detail_path = format!("{DETAILS}/{index}.json");
        // All three count as read, whatever is wrong with one of them.
        let leaf = self.must(&format!("{ENTRIES}/{index}.json"), MAX_ENTRY);
        let proof = self.must(&path, limits::CHECKPOINT.saturating_mul(2));
        let detail = self.may(&detail_path, limits::DETAIL);
        let (leaf, proof) = (leaf?, text(&path, proof?)?);
        let proof = TlogProof::parse(&proof).map_err(|error| wrong(&path, error.to_string()))?;
        if proof.index != index || checkpoint.is_some_and(|checkpoint| proof.checkpoint != *checkpoint) {
            return Err(wrong(&path, "it proves another entry, or is for another head".into()));
        }
        let detail = detail?.map(|bytes| disclosed(&detail_path, &bytes)).transpose()?;
        Ok(Entry { index, leaf, proof: proof.hashes, detail })
    }

    fn stretch(&self, first: u64) -> Result<Stretch, Failure> {
        let before = self.must(BEFORE, limits::TILE);
        let mut bundles = Vec::new();
        for number in 0.. {
            let path = format!("{BUNDLES}/{number}");
            let Some(bytes) = self.may(&path, limits::BUNDLE).transpose() else { break };
            bundles.push((path, bytes));
        }
        let before = text(BEFORE, before?)?;
        let hash = |line: &str| -> Option<Hash> { BASE64_STANDARD.decode(line).ok()?.try_into().ok() };
        let before = before.lines().map(hash).collect::<Option<Vec<Hash>>>();
        let before = before.ok_or_else(|| wrong(BEFORE, "a line is not 32 bytes in base64".into()))?;
        let mut leaves = Vec::new();
        for (path, bytes) in bundles {
            let bytes = bytes?;
            let bundle = read_bundle(&bytes).map_err(|error| wrong(&path, error.to_string()))?;
            // Each but the last is full, as whoever checks it with another program will expect.
            if !u64::try_from(leaves.len()).unwrap_or(u64::MAX).is_multiple_of(WIDTH) {
                return Err(wrong(&path, format!("a bundle before it does not have {WIDTH} entries")));
            }
            leaves.extend(bundle.into_iter().map(<[u8]>::to_vec));
        }
        Ok(Stretch { first, before, leaves })
    }

    /// A failure for each file of the archive that is not part of the pack.
    fn strays(self) -> impl Iterator<Item = Failure> {
        let strays = self.unread.take().into_iter();
        strays.map(|path| wrong(&path, "it is not part of a pack; remove it from the archive".into()))
    }
}

fn disclosed(path: &str, bytes: &[u8]) -> Result<Detail, Failure> {
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
