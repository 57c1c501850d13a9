//! A log that was exported to a zip file, and reading zip files that somebody else has made.
//!
//! A zip file says how long its files are, and may lie. So each file is read up to the [limit](limits) of its
//! kind. A zip file can also be made so that two programs find different files in it, so none is read that is
//! not of our form.

mod form;

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use zip::ZipArchive;
use zip::result::ZipError;

use super::directory::Lines;
use super::{
    Beside, CHECKPOINT, CHECKPOINTS, DETAILS, Details, OlderHead, Opening, Source, SourceError, heads,
    limits, table_path, text,
};
use crate::tile::{BundleId, TileId};

/// An exported zip file.
#[derive(Debug)]
pub struct Archive<R> {
    name: String,
    zip: Zip<R>,
}

impl Archive<Shared> {
    /// The export in the file at `path`.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if that is not a zip file, or has names that no export has.
    pub fn open(path: &Path) -> Result<Archive<Shared>, SourceError> {
        let file = std::fs::File::open(path)
            .map_err(|error| SourceError::unreadable(path.display().to_string(), error))?;
        let archive = Archive::new(Shared { file: Arc::new(Mutex::new(file)), at: 0 })?;
        Ok(Archive { name: path.display().to_string(), ..archive })
    }
}

impl<R: Read + Seek + Clone + Send + 'static> Archive<R> {
    /// The export in what `reader` reads.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if that is not a zip file, or has names that no export has.
    pub fn new(reader: R) -> Result<Archive<R>, SourceError> {
        Ok(Archive { name: ARCHIVE.into(), zip: Zip::new(reader, MAX_FILES)? })
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        self.zip.read(path, limit)?.ok_or_else(|| SourceError::Missing(path.into()))
    }
}

impl<R: Read + Seek + Clone + Send + 'static> Source for Archive<R> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn checkpoint(&self) -> Result<String, SourceError> {
        text(CHECKPOINT, self.read(CHECKPOINT, limits::CHECKPOINT)?)
    }

    fn older_checkpoints(&self) -> Vec<Result<OlderHead, SourceError>> {
        let prefix = format!("{CHECKPOINTS}/");
        let mut paths = self.zip.names();
        paths.retain(|path| path.strip_prefix(&prefix).is_some_and(|name| !name.is_empty()));
        paths.sort();
        heads(&paths, |path| self.read(path, limits::CHECKPOINT))
    }

    fn tile(&self, tile: TileId) -> Result<Vec<u8>, SourceError> {
        self.read(&tile.path(), limits::TILE)
    }

    fn bundle(&self, bundle: BundleId) -> Result<Vec<u8>, SourceError> {
        self.read(&bundle.path(), limits::BUNDLE)
    }

    fn table(&self, digest: &str) -> Result<Option<String>, SourceError> {
        let Some(path) = table_path(digest) else { return Ok(None) };
        self.zip.read(&path, limits::TABLE)?.map(|bytes| text(&path, bytes)).transpose()
    }

    fn beside(&self, size: u64) -> Beside {
        Beside::sorted(self.zip.names().into_iter(), size, |path, limit| self.read(path, limit))
    }

    /// A separate thread reads a little ahead, because a zip file hands out one file at a time.
    fn details(&self) -> Result<Option<Details<'_>>, SourceError> {
        let mut zip = self.zip.lock().clone();
        if zip.index_for_name(DETAILS).is_none() {
            return Ok(None);
        }
        let (lines, waiting) = sync_channel(AHEAD);
        std::thread::spawn(move || match zip.by_name(DETAILS) {
            Ok(file) => {
                for line in Lines::of(file) {
                    if lines.send(line).is_err() {
                        return;
                    }
                }
            }
            Err(error) => drop(lines.send(Err(unreadable(DETAILS, error)))),
        });
        Ok(Some(Box::new(Waiting(waiting))))
    }
}

struct Waiting(Receiver<Result<Opening, SourceError>>);

impl Iterator for Waiting {
    type Item = Result<Opening, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

/// A zip file that somebody else has made.
#[derive(Debug)]
pub(crate) struct Zip<R>(Mutex<ZipArchive<R>>);

impl<R: Read + Seek> Zip<R> {
    /// Checks the form and the names: each is a relative path of plain words, and no two differ only in case.
    pub(crate) fn new(mut reader: R, max_files: usize) -> Result<Zip<R>, SourceError> {
        let directory = form::check(&mut reader, max_files)?;
        let zip = ZipArchive::new(reader).map_err(|error| unreadable(ARCHIVE, error))?;
        let same = zip.offset() == 0 && zip.central_directory_start() == directory.start;
        if zip.has_duplicate_names() {
            return Err(SourceError::wrong(ARCHIVE, "it has the same name twice"));
        }
        if !same || u64::try_from(zip.len()) != Ok(directory.files) {
            return Err(SourceError::wrong(ARCHIVE, "it can be read in two ways"));
        }
        let mut small = HashSet::new();
        for name in zip.file_names_raw() {
            if !is_plain(name) {
                let name = String::from_utf8_lossy(name);
                return Err(SourceError::wrong(ARCHIVE, format!("`{name}` is not a name of ours")));
            }
            // On a file system that ignores case, one would overwrite the other.
            if name.iter().any(u8::is_ascii_uppercase) {
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                if zip.index_for_name(&name).is_some() || !small.insert(name) {
                    return Err(SourceError::wrong(ARCHIVE, "it has the same name twice"));
                }
            }
        }
        Ok(Zip(Mutex::new(zip)))
    }

    /// The names of all files, in the order of the archive.
    pub(crate) fn names(&self) -> Vec<String> {
        let zip = self.lock();
        let names = zip.file_names_raw().map(|name| String::from_utf8_lossy(name).into_owned());
        names.filter(|name| !name.ends_with('/')).collect()
    }

    /// The content of a file, if there is one: at most `limit` bytes.
    pub(crate) fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, SourceError> {
        let mut zip = self.lock();
        let file = match zip.by_name(path) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(unreadable(path, error)),
        };
        let mut bytes = Vec::new();
        let said = file.size();
        // A wrong checksum is an error of the last read: the file was changed.
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| SourceError::wrong(path, error.to_string()))?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length > limit {
            return Err(SourceError::wrong(path, format!("it is longer than {limit} bytes")));
        }
        if length != said {
            return Err(SourceError::wrong(path, "it is not as long as the archive says"));
        }
        Ok(Some(bytes))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ZipArchive<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that several readers share, each at its own position.
#[derive(Debug, Clone)]
pub struct Shared {
    file: Arc<Mutex<std::fs::File>>,
    at: u64,
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(buffer)?;
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl Seek for Shared {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let SeekFrom::Current(_) = to {
            file.seek(SeekFrom::Start(self.at))?;
        }
        self.at = file.seek(to)?;
        Ok(self.at)
    }
}

fn is_plain(name: &[u8]) -> bool {
    let plain = |word: &[u8]| {
        !word.is_empty()
            && word != b"."
            && word != b".."
            && word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    let name = name.strip_suffix(b"/").unwrap_or(name);
    name.len() <= MAX_NAME && name.split(|byte| *byte == b'/').all(plain)
}

fn unreadable(path: &str, error: ZipError) -> SourceError {
    SourceError::unreadable(path, error)
}

const ARCHIVE: &str = "the archive";
/// A log of a billion entries has about eight million files.
const MAX_FILES: usize = 10_000_000;
const MAX_NAME: usize = 200;
/// How many details are read ahead.
const AHEAD: usize = 1024;
