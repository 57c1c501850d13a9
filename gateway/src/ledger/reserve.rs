//! The disk reserve, for entries that must be logged even on a full disk: objections, arrivals, ends,
//! deletions, erasures.
//!
//! It is a file beside the ledger. When such an entry finds no room, the file is removed; then nothing else
//! is appended until there is room for the file again.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// The file that reserves the space.
#[derive(Debug, Clone)]
pub(super) struct Reserve(PathBuf);

impl Reserve {
    pub(super) fn in_dir(dir: &Path) -> Reserve {
        Reserve(dir.join(FILE))
    }

    /// Whether the reserve is there; makes it if possible. Only the holder of the ledger's lock may call it.
    pub(super) fn is_kept(&self) -> bool {
        if std::fs::metadata(&self.0).is_ok_and(|file| file.len() == BYTES) {
            return true;
        }
        match keep(&self.0) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "cannot fill the disk reserve for objections and deletions: nothing else is logged until there is room");
                false
            }
        }
    }

    /// Frees the reserve; returns whether there was one.
    pub(super) fn give(&self) -> bool {
        match std::fs::remove_file(&self.0) {
            Ok(()) => true,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::error!(%error, "cannot use the disk reserve for objections and deletions");
                }
                false
            }
        }
    }
}

/// Makes the reserve: all of it, or none.
fn keep(path: &Path) -> std::io::Result<()> {
    let taken = take(path);
    if taken.is_err() {
        // A partial reserve is of no use. If it cannot be removed, the error above says why.
        let _ = std::fs::remove_file(path);
    }
    taken
}

fn take(path: &Path) -> std::io::Result<()> {
    use rustix::fs::FallocateFlags;
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BYTES) {
        Ok(()) => {}
        // The file system cannot allocate space in advance, so write it.
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let block = vec![0; 1 << 20];
            for _ in 0..BYTES >> 20 {
                file.write_all(&block)?;
            }
        }
        Err(error) => return Err(error.into()),
    }
    file.sync_all()
}

const FILE: &str = "ledger.reserve";
/// The size of the reserve in bytes: some ten thousand entries.
pub(super) const BYTES: u64 = 16 << 20;
