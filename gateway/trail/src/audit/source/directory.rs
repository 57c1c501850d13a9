//! A log that was exported to a directory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{
    Beside, CHECKPOINT, CHECKPOINTS, DETAILS, Details, OlderHead, Opening, Source, SourceError, heads,
    limits, opening, text,
};
use crate::tile::{BundleId, TileId};

/// An exported directory. Symbolic links are followed: the verifier put it there.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The export at `root`.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if that is not a directory.
    pub fn open(root: impl Into<PathBuf>) -> Result<Directory, SourceError> {
        let root = root.into();
        if !root.is_dir() {
            return Err(SourceError::unreadable(
                root.display().to_string(),
                "it is not a directory; give the directory or the zip file of an export",
            ));
        }
        Ok(Directory { root })
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        let file = self.file(path)?.ok_or_else(|| SourceError::Missing(path.into()))?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| SourceError::unreadable(path, error))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(SourceError::wrong(path, format!("it is longer than {limit} bytes")));
        }
        Ok(bytes)
    }

    fn file(&self, path: &str) -> Result<Option<File>, SourceError> {
        match File::open(self.root.join(path)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SourceError::unreadable(path, error)),
        }
    }

    /// The paths of all files below a directory.
    fn walk(&self, below: &str, depth: u8, paths: &mut Vec<String>, unread: &mut Vec<SourceError>) {
        let unreadable = |error| SourceError::unreadable(format!("{}/{below}", self.root.display()), error);
        let listed = match std::fs::read_dir(self.root.join(below)) {
            Ok(listed) => listed,
            Err(error) => return unread.push(unreadable(error)),
        };
        for entry in listed {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return unread.push(unreadable(error)),
            };
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let is_directory = std::fs::metadata(entry.path()).is_ok_and(|found| found.is_dir());
            match depth.checked_sub(1).filter(|_| is_directory) {
                Some(depth) => self.walk(&path, depth, paths, unread),
                None => paths.push(path),
            }
        }
    }

    fn names(&self, path: &Path) -> Result<Vec<String>, SourceError> {
        let unreadable = |error| SourceError::unreadable(path.display().to_string(), error);
        let listed = match std::fs::read_dir(self.root.join(path)) {
            Ok(listed) => listed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut names = Vec::new();
        for entry in listed.take(limits::CHECKPOINTS.saturating_add(1)) {
            names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }
}

impl Source for Directory {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn checkpoint(&self) -> Result<String, SourceError> {
        text(CHECKPOINT, self.read(CHECKPOINT, limits::CHECKPOINT)?)
    }

    fn older_checkpoints(&self) -> Vec<Result<OlderHead, SourceError>> {
        let names = match self.names(Path::new(CHECKPOINTS)) {
            Ok(names) => names,
            Err(error) => return vec![Err(error)],
        };
        let paths: Vec<String> = names.iter().map(|name| format!("{CHECKPOINTS}/{name}")).collect();
        heads(&paths, |path| self.read(path, limits::CHECKPOINT))
    }

    fn tile(&self, tile: TileId) -> Result<Vec<u8>, SourceError> {
        self.read(&tile.path(), limits::TILE)
    }

    fn bundle(&self, bundle: BundleId) -> Result<Vec<u8>, SourceError> {
        self.read(&bundle.path(), limits::BUNDLE)
    }

    fn table(&self, digest: &str) -> Result<Option<String>, SourceError> {
        let Some(path) = super::table_path(digest) else { return Ok(None) };
        match self.read(&path, limits::TABLE) {
            Ok(bytes) => Ok(Some(text(&path, bytes)?)),
            Err(SourceError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn beside(&self, size: u64) -> Beside {
        let (mut paths, mut unread) = (Vec::new(), Vec::new());
        self.walk("", DEEPEST, &mut paths, &mut unread);
        paths.sort();
        let mut beside = Beside::sorted(paths.into_iter(), size, |path, limit| self.read(path, limit));
        beside.unread.append(&mut unread);
        beside
    }

    fn details(&self) -> Result<Option<Details<'_>>, SourceError> {
        Ok(self.file(DETAILS)?.map(|file| Box::new(Lines::of(file)) as Details<'_>))
    }
}

/// The lines of `details.jsonl`, each of bounded length. Nothing is read after a malformed line.
pub struct Lines<R> {
    file: Option<BufReader<R>>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    /// The lines of an open file.
    pub fn of(file: R) -> Lines<R> {
        Lines { file: Some(BufReader::with_capacity(READ_AHEAD, file)), line: Vec::new() }
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Opening, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line.clear();
        let read = match self.file.as_mut()?.take(limits::DETAIL).read_until(b'\n', &mut self.line) {
            Err(error) => Err(SourceError::unreadable(DETAILS, error)),
            Ok(0) => return None,
            Ok(_) if self.line.last() != Some(&b'\n') => {
                Err(SourceError::wrong(DETAILS, "a line is cut off, or longer than 1 MiB"))
            }
            Ok(_) => opening(&self.line),
        };
        if read.is_err() {
            self.file = None;
        }
        Some(read)
    }
}

/// How deep directories may be nested in an export: a tile's number takes up to seven.
const DEEPEST: u8 = 12;

/// How much of `details.jsonl` is read at once, in bytes.
const READ_AHEAD: usize = 256 * 1024;
