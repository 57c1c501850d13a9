//! Pins: the last signed head of every log, in files outside of the ledger and its backups.
//!
//! Restoring an older ledger does not restore these. What somebody who controls them can do: make the gateway
//! refuse to start, or, with an older ledger, let it sign different entries in place of those it has signed;
//! witnesses notice that.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::epoch_of;
use trail::note::{Checkpoint, Note};
use trail::tree::Hash;

/// A directory with one file for each log.
#[derive(Debug)]
pub struct Pins {
    dir: PathBuf,
}

/// A pinned head.
#[derive(Debug, Clone)]
pub(super) struct Pin {
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) note: Note,
}

impl Pins {
    /// The pins in `dir`, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn open(dir: &Path) -> Result<Pins, PinError> {
        crate::files::private_dir(dir).map_err(|source| PinError::Io { path: dir.into(), source })?;
        Ok(Pins { dir: dir.into() })
    }

    /// The logs that have one.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn logs(&self) -> Result<Vec<String>, PinError> {
        let io = |source| PinError::Io { path: self.dir.clone(), source };
        let mut logs = Vec::new();
        for found in fs::read_dir(&self.dir).map_err(io)? {
            let name = found.map_err(io)?.file_name();
            logs.extend(name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).map(ToOwned::to_owned));
        }
        logs.sort_unstable();
        Ok(logs)
    }

    pub(super) fn read(&self, log: &str) -> Result<Option<Pin>, PinError> {
        let path = self.path(log);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PinError::Io { path, source }),
        };
        let pin = Note::parse(&text).ok().and_then(|note| {
            let Checkpoint { origin, size, root, .. } = Checkpoint::parse(&note.text).ok()?;
            Some(Pin { origin, size, root, note })
        });
        // An unreadable pin is not the same as none: its head is not known, so nothing is signed.
        pin.map(Some).ok_or(PinError::Damaged { path })
    }

    /// Moves a log's pin forward, durably.
    pub(super) fn write(&self, log: &str, note: &Note) -> Result<(), PinError> {
        let path = self.path(log);
        let io = |source| PinError::Io { path: path.clone(), source };
        // Another process may have signed more, or in the next epoch: a pin only moves forward.
        let lock = fs::File::options().create(true).truncate(false).write(true).open(self.dir.join(LOCK));
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(io)?;
        let place = |origin: &str, size| (epoch_of(origin, log), size);
        if let (Some(pin), Ok(head)) = (self.read(log)?, Checkpoint::parse(&note.text))
            && place(&pin.origin, pin.size) > place(&head.origin, head.size)
        {
            return Ok(());
        }
        let aside = self.dir.join(format!("{log}.new-{}", std::process::id()));
        let mut file = fs::File::create(&aside).map_err(io)?;
        file.write_all(note.to_string().as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        fs::rename(&aside, &path).map_err(io)?;
        // At this point the new pin may or may not survive a power loss, and either is a pin of ours.
        self.sync().map_err(io)?;
        lock.unlock().map_err(io)
    }

    /// Keeps a copy of a log's pin under another name, which nothing ever overwrites: it may be all that is
    /// left of a log. Returns its path, if there is a pin.
    pub(super) fn keep(&self, log: &str, epoch: i64) -> Result<Option<PathBuf>, PinError> {
        let path = self.path(log);
        let io = |source| PinError::Io { path: path.clone(), source };
        let pin = match fs::read(&path) {
            Ok(pin) => pin,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io(source)),
        };
        for number in 1..=u32::MAX {
            let more = if number > 1 { format!("-{number}") } else { String::new() };
            let old = self.dir.join(format!("{log}.{epoch}{more}{OLD}"));
            // When the pin moves on, the file is replaced, never written to: the link keeps the old content.
            match fs::hard_link(&path, &old) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // An attempt that was cut short has left the same.
                    if fs::read(&old).map_err(io)? != pin {
                        continue;
                    }
                }
                Err(source) => return Err(io(source)),
            }
            self.sync().map_err(io)?;
            return Ok(Some(old));
        }
        Ok(None)
    }

    /// Removes a log's pin, which was kept under another name.
    pub(super) fn remove(&self, log: &str) -> Result<(), PinError> {
        let path = self.path(log);
        let io = |source| PinError::Io { path: path.clone(), source };
        match fs::remove_file(&path) {
            Ok(()) => self.sync().map_err(io),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(io(source)),
        }
    }

    fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.dir).and_then(|dir| dir.sync_all())
    }

    /// The path of a log's pin.
    #[must_use]
    pub fn path(&self, log: &str) -> PathBuf {
        self.dir.join(format!("{log}{SUFFIX}"))
    }
}

/// Why a pin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// A file cannot be read or written.
    #[error("the pinned head `{}` cannot be read or written", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not a signed head.
    #[error("the pinned head `{}` is damaged; restore it, or begin new logs with `consent-gateway audit reopen`", path.display())]
    Damaged {
        /// Which one.
        path: PathBuf,
    },
}

const LOCK: &str = "lock";
const SUFFIX: &str = ".checkpoint";
const OLD: &str = ".old-checkpoint";
