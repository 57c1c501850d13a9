//! Pins: the last signed head of every log, in files outside of the ledger and its backups.
//!
//! Beside each stands which entry was by then the newest that registers something. Restoring an older ledger does not
//! restore these. What somebody who controls them can do: make the gateway refuse to start, or, with an older ledger,
//! let it sign different entries in place of those it has signed; witnesses notice that.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::epoch_of;
use crate::ledger::Epoch;
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
        // Another process may have signed more, or in the next epoch: a pin only moves forward.
        let _lock = self.lock(&path)?;
        let place = |origin: &str, size| (epoch_of(origin, log), size);
        if let (Some(pin), Ok(head)) = (self.read(log)?, Checkpoint::parse(&note.text))
            && place(&pin.origin, pin.size) > place(&head.origin, head.size)
        {
            return Ok(());
        }
        self.put(log, &path, &note.to_string())
    }

    /// The newest entry of an epoch that registers something, as of its pin or later; the outer `None` if that is
    /// not known.
    pub(super) fn registered(&self, at: &Epoch) -> Result<Option<Option<u64>>, PinError> {
        Ok(self.read_registered(&at.log)?.filter(|(epoch, _)| *epoch == at.epoch).map(|(_, index)| index))
    }

    /// Notes, durably, which entry of an epoch is the newest that registers something. To be called before a head
    /// that covers it is pinned.
    pub(super) fn note_registered(&self, at: &Epoch, index: Option<u64>) -> Result<(), PinError> {
        let path = self.dir.join(format!("{}{REGISTERED}", at.log));
        let _lock = self.lock(&path)?;
        if self.read_registered(&at.log)?.is_some_and(|noted| noted >= (at.epoch, index)) {
            return Ok(());
        }
        let index = index.map_or_else(|| NONE.to_owned(), |index| index.to_string());
        self.put(&at.log, &path, &format!("{} {index}\n", at.epoch))
    }

    /// Forgets which entry is the newest that registers something: the next start reads every entry first.
    pub(super) fn distrust(&self, log: &str) -> Result<(), PinError> {
        self.remove_file(&self.dir.join(format!("{log}{REGISTERED}")))
    }

    /// What cannot be read is not known: then every entry is read again.
    fn read_registered(&self, log: &str) -> Result<Option<(i64, Option<u64>)>, PinError> {
        let path = self.dir.join(format!("{log}{REGISTERED}"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PinError::Io { path, source }),
        };
        let read = || {
            let (epoch, index) = text.trim_end().split_once(' ')?;
            let index = if index == NONE { None } else { Some(index.parse().ok()?) };
            Some((epoch.parse().ok()?, index))
        };
        Ok(read())
    }

    /// Other processes wait for as long as this exists.
    fn lock(&self, path: &Path) -> Result<fs::File, PinError> {
        let lock = fs::File::options().create(true).truncate(false).write(true).open(self.dir.join(LOCK));
        lock.and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|source| PinError::Io { path: path.into(), source })
    }

    fn put(&self, log: &str, path: &Path, text: &str) -> Result<(), PinError> {
        let aside = self.dir.join(format!("{log}.new-{}", std::process::id()));
        let put = || {
            let mut file = fs::File::create(&aside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, path)?;
            // At this point what is new may or may not survive a power loss, and either is ours.
            self.sync()
        };
        put().map_err(|source| PinError::Io { path: path.into(), source })
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
        self.remove_file(&self.path(log))
    }

    fn remove_file(&self, path: &Path) -> Result<(), PinError> {
        match fs::remove_file(path).and_then(|()| self.sync()) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(PinError::Io { path: path.into(), source })
            }
            Err(_) | Ok(()) => Ok(()),
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
/// Beside the pin: the epoch, and the index of the newest entry that registers something, or that there is none.
const REGISTERED: &str = ".registered";
const NONE: &str = "-";
const OLD: &str = ".old-checkpoint";
