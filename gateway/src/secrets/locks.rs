//! The keys to what is in quarantine: a file for each, apart from the ledger, the store and their backups.
//!
//! INVARIANT: a file is durable before anything is locked with it, and destroyed before anything else is when what it opens
//! is to go: whoever has a backup of the ledger and the store has nothing that opens it.
//!
//! What somebody who has these files can do: with the ledger, read the wrapped keys of what is in quarantine. Only the
//! customer can unwrap them.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use seal::LockKey;
use uuid::Uuid;

/// The directory of the keys. It is made once there is one.
#[derive(Debug, Clone)]
pub struct Locks {
    dir: PathBuf,
}

impl Locks {
    /// Keys in this directory.
    #[must_use]
    pub fn new(dir: PathBuf) -> Locks {
        Locks { dir }
    }

    /// Makes the key to one thing, durably.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or there is one.
    pub fn make(&self, id: Uuid) -> io::Result<LockKey> {
        if !self.dir.is_dir() {
            crate::files::private_dir(&self.dir)?;
            if let Some(above) = self.dir.parent().filter(|above| !above.as_os_str().is_empty()) {
                fs::File::open(above)?.sync_all()?;
            }
        }
        let key = LockKey::generate().map_err(io::Error::other)?;
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(self.path(id))?;
        file.write_all(key.expose())?;
        file.sync_all()?;
        self.sync()?;
        Ok(key)
    }

    /// The key to one thing; none if it was destroyed, or is on another machine.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is damaged.
    pub fn find(&self, id: Uuid) -> io::Result<Option<LockKey>> {
        match crate::files::read_plain(&self.path(id)) {
            Ok(bytes) if bytes.as_slice() == DESTROYED => Ok(None),
            Ok(bytes) => match LockKey::read(&bytes) {
                Some(key) => Ok(Some(key)),
                None => Err(io::Error::other("the key to something in quarantine is damaged")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Destroys the key to one thing: it is overwritten. Returns whether there was one here, destroyed before or not: the
    /// file stays until [`Locks::forget`], so that whoever goes on after a crash knows.
    ///
    /// # Errors
    ///
    /// If it cannot be destroyed.
    pub fn destroy(&self, id: Uuid) -> io::Result<bool> {
        let mut file = match fs::File::options().write(true).open(self.path(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        file.write_all(&DESTROYED)?;
        file.sync_all()?;
        Ok(true)
    }

    /// Destroys the key to one thing, and removes its file.
    ///
    /// # Errors
    ///
    /// If it cannot be destroyed.
    pub fn forget(&self, id: Uuid) -> io::Result<()> {
        if !self.destroy(id)? {
            return Ok(());
        }
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.sync()
    }

    /// Tries that keys can be made and destroyed here.
    ///
    /// # Errors
    ///
    /// If they cannot.
    pub fn probe(&self) -> io::Result<()> {
        let id = crate::random::id().map_err(io::Error::other)?;
        self.make(id)?;
        self.forget(id)
    }

    /// What there are keys to that were made before this moment.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn older_than(&self, before: Timestamp) -> io::Result<Vec<Uuid>> {
        let found = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            found => found?,
        };
        let mut old = Vec::new();
        for found in found {
            let found = found?;
            let name = found.file_name();
            let id: Option<Uuid> = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
            let made = match found.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                made => made?.modified()?,
            };
            let made = Timestamp::try_from(made).unwrap_or(Timestamp::MAX);
            old.extend(id.filter(|_| made < before));
        }
        Ok(old)
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(format!("{id}{SUFFIX}"))
    }

    fn sync(&self) -> io::Result<()> {
        fs::File::open(Path::new(&self.dir))?.sync_all()
    }
}

const SUFFIX: &str = ".key";
/// What a key is overwritten with.
const DESTROYED: [u8; seal::LOCK_KEY_BYTES] = [0; seal::LOCK_KEY_BYTES];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_there_until_it_is_destroyed() {
        let dir = tempfile::tempdir().unwrap();
        let locks = Locks::new(dir.path().join("locks"));
        let id = Uuid::from_u128(1);
        assert!(locks.find(id).unwrap().is_none() && locks.older_than(Timestamp::MAX).unwrap().is_empty());
        let key = locks.make(id).unwrap();
        assert_eq!(locks.find(id).unwrap().unwrap().expose(), key.expose());
        // Nobody takes the place of another.
        assert!(locks.make(id).is_err());
        assert_eq!(locks.older_than(Timestamp::MAX).unwrap(), [id]);
        assert!(locks.older_than(Timestamp::UNIX_EPOCH).unwrap().is_empty());
        // What was open before shows nothing of it.
        let file = locks.path(id);
        let linked = dir.path().join("linked");
        fs::hard_link(&file, &linked).unwrap();
        assert!(locks.destroy(id).unwrap());
        assert_eq!(fs::read(linked).unwrap(), [0; seal::LOCK_KEY_BYTES]);
        // Who goes on after a crash knows that it was here.
        assert!(locks.find(id).unwrap().is_none() && locks.destroy(id).unwrap());
        locks.forget(id).unwrap();
        assert!(!file.exists() && !locks.destroy(id).unwrap());
        locks.forget(id).unwrap();
        locks.probe().unwrap();
        assert_eq!(fs::read_dir(locks.dir).unwrap().count(), 0);
    }
}
