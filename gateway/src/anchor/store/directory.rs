//! The directory: one new file for each checkpoint.
//!
//! Works where files can be made and never renamed or removed, such as an append-only directory.
//!
//! INVARIANT: a file is only ever created. What a crash has cut short stays as it is, and the
//! checkpoint goes into the next free name: `1024.checkpoint`, `1024.1.checkpoint`, …

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Kept, LONGEST, StoreError, kept_text, same};
use trail::note::Checkpoint;

#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(super) fn open(root: &Path) -> Result<Directory, StoreError> {
        let failed = |source| StoreError::Directory { path: root.into(), source };
        if !fs::metadata(root).map_err(failed)?.is_dir() {
            return Err(failed(ErrorKind::NotADirectory.into()));
        }
        Ok(Directory { root: root.into() })
    }

    /// Returns once the file and its name are synced.
    pub(super) fn keep(&self, checkpoint: &Checkpoint, text: &str, bytes: &[u8]) -> Result<Kept, StoreError> {
        let log = self.log(&checkpoint.origin)?;
        for attempt in 0..ATTEMPTS {
            let path = log.join(name(checkpoint.size, attempt));
            let failed = |source| StoreError::Directory { path: path.clone(), source };
            match create(&path, bytes) {
                Ok(()) => {
                    // A crash before this can lose the file: nothing has been said of it yet.
                    sync(&log)?;
                    return Ok(Kept::New);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
            // A partial note was cut short by a crash: then the next name is tried.
            if let Some(kept) = kept_text(&read(&path).map_err(failed)?) {
                let kept = same(&kept, text, checkpoint)?;
                // Its writer may not have synced it yet.
                File::open(&path).and_then(|file| file.sync_all()).map_err(failed)?;
                sync(&log)?;
                return Ok(kept);
            }
        }
        Err(StoreError::Foreign(log.join(name(checkpoint.size, 0)).display().to_string()))
    }

    /// The directory of a log, made and synced if it is new.
    fn log(&self, origin: &str) -> Result<PathBuf, StoreError> {
        let path = self.root.join(escaped(origin));
        let failed = |source| StoreError::Directory { path: path.clone(), source };
        match fs::create_dir(&path) {
            Ok(()) => {
                let made = File::open(&path).map_err(failed)?;
                open_to_all(&made, 0o755).map_err(failed)?;
                sync(&self.root)?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed(source)),
        }
        Ok(path)
    }
}

/// Readable by everybody: a checkpoint is not a secret, and auditors fetch it from here.
fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    open_to_all(&file, 0o444)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// All other files of the program are private to its owner.
fn open_to_all(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn sync(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| StoreError::Directory { path: dir.into(), source })
}

fn name(size: u64, attempt: u32) -> String {
    match attempt {
        0 => format!("{size}.checkpoint"),
        again => format!("{size}.{again}.checkpoint"),
    }
}

/// One name for the origin: what is not a letter, a digit, `-`, `_`, or a dot that is not the first
/// is written `%xx`, so that no two origins share a name and none leads elsewhere.
fn escaped(origin: &str) -> String {
    let mut name = String::with_capacity(origin.len() + 8);
    for (position, byte) in origin.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if position > 0 => name.push('.'),
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    name
}

/// How many files of one size are looked at: more than one only after crashes.
const ATTEMPTS: u32 = 16;
