//! Peculiarities of a store in a local directory: a disk that fills up, and partial files after a kill.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::inventory::Inventory;
use super::{MEDIA, VaultError};
use crate::files::private_dir;

/// The directory of a local store.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    root: PathBuf,
    low_water: u64,
}

impl Disk {
    /// Makes the directory if needed, and makes it private.
    pub(super) fn new(root: &Path, low_water: u64) -> Result<Disk, VaultError> {
        private_dir(root).map_err(VaultError::Directory)?;
        let media = root.join(MEDIA);
        match std::fs::metadata(&media) {
            Ok(found) if found.is_dir() => private_dir(&media).map_err(VaultError::Directory)?,
            Ok(_) => return Err(VaultError::Directory(ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(VaultError::Directory(error)),
        }
        Ok(Disk { root: root.into(), low_water })
    }

    /// What its store holds, to be looked through.
    pub(super) fn inventory(&self) -> Inventory {
        Inventory::below(self.root.join(MEDIA))
    }

    pub(super) fn has_room(&self) -> Result<(), VaultError> {
        self.has_room_for(0)
    }

    /// Whether so many bytes more would leave what has to be free.
    pub(super) fn has_room_for(&self, bytes: u64) -> Result<(), VaultError> {
        let media = self.root.join(MEDIA);
        // Media may have their own disk.
        for dir in [&media, &self.root] {
            let found = match rustix::fs::statvfs(dir) {
                Ok(found) => found,
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(VaultError::Directory(error.into())),
            };
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            if free < self.low_water.saturating_add(bytes) {
                return Err(VaultError::Full { free, low_water: self.low_water });
            }
        }
        Ok(())
    }

    /// Removes unfinished files (`name#1`) from before this moment, until `stop` is cancelled.
    pub(super) fn sweep_parts(&self, before: Timestamp, stop: &CancellationToken) -> Result<(), VaultError> {
        let mut dirs = vec![self.root.join(MEDIA)];
        while let Some(dir) = dirs.pop() {
            let entries = match std::fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(VaultError::Directory(error)),
            };
            for entry in entries {
                if stop.is_cancelled() {
                    return Ok(());
                }
                let entry = entry.map_err(VaultError::Directory)?;
                if entry.file_type().map_err(VaultError::Directory)?.is_dir() {
                    dirs.push(entry.path());
                    continue;
                }
                if !entry.file_name().to_string_lossy().contains('#') {
                    continue;
                }
                let modified = entry.metadata().and_then(|meta| meta.modified());
                if modified.is_ok_and(|modified| modified < SystemTime::from(before)) {
                    match std::fs::remove_file(entry.path()) {
                        // Its upload has ended after all.
                        Err(error) if error.kind() == ErrorKind::NotFound => {}
                        done => done.map_err(VaultError::Directory)?,
                    }
                }
            }
        }
        Ok(())
    }
}
