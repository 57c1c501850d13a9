//! The gateway's own secrets: files of 32 random bytes, apart from the ledger and its backups, and
//! the same on every node.
//!
//! INVARIANT: a ledger that was written with a secret is never read or written with another. With a new
//! `lookup.key` nobody's number would be found again, and an objection that should follow the person would
//! be forgotten.
//!
//! What somebody who has them can do: tell whether a known phone number or a known recording is in
//! the ledger, sign heads of the logs, and tell accounts' systems what did not happen. They open no recording.

mod locks;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hmac::Mac as _;
use zeroize::Zeroizing;

use crate::ledger::{Change, Job, Ledger, LedgerError};
pub use locks::Locks;
use trail::random;
use trail::subject::keyed;

/// The secrets, in memory.
pub struct Secrets {
    /// Finds a phone number's subject.
    pub lookup: Zeroizing<[u8; 32]>,
    /// Seals the keys of subjects.
    pub subjects: Zeroizing<[u8; 32]>,
    /// Signs the heads of the logs.
    pub log: LogKeys,
    fingerprints: Zeroizing<[u8; 32]>,
    webhooks: Zeroizing<[u8; 32]>,
}

impl Secrets {
    /// Reads the secrets in `dir` that this ledger is written with, making them where it is new.
    ///
    /// # Errors
    ///
    /// [`SecretsError`]: one is missing, or is not the one that the ledger is written with.
    pub async fn of(dir: &Path, ledger: &Ledger) -> Result<Secrets, SecretsError> {
        let known = ledger.secrets().await?;
        if let Some((name, _)) = known.iter().find(|(name, _)| !dir.join(name).exists()) {
            return Err(SecretsError::Missing { path: dir.join(name) });
        }
        Secrets::cured(dir, ledger).await
    }

    /// The same where the key that signs the logs is lost for good: a new one is made, for logs that begin
    /// anew.
    ///
    /// # Errors
    ///
    /// As [`Secrets::of`].
    pub async fn cured(dir: &Path, ledger: &Ledger) -> Result<Secrets, SecretsError> {
        let known = ledger.secrets().await?;
        let is_lost = |name: &str| name != LOG_KEY && !dir.join(name).exists();
        if let Some((name, _)) = known.iter().find(|(name, _)| is_lost(name)) {
            return Err(SecretsError::Missing { path: dir.join(name) });
        }
        let secrets = Secrets::open(dir)?;
        let ours = [
            (LOOKUP, mark(&secrets.lookup)),
            (SUBJECTS, mark(&secrets.subjects)),
            (FINGERPRINTS, mark(&secrets.fingerprints)),
            (WEBHOOKS, mark(&secrets.webhooks)),
            (LOG_ID, mark(&secrets.log.id)),
            // It changes; that it is the one that signed is what the signed heads say.
            (LOG_KEY, Vec::new()),
        ];
        let new = ours.iter().filter(|(name, _)| known.iter().all(|(known, _)| known != name));
        let changes: Vec<Change> =
            new.map(|(name, mark)| Change::Secret { name: (*name).into(), mark: mark.clone() }).collect();
        let mut known = known;
        if !changes.is_empty() {
            ledger.append(Job { changes, ..Job::default() }).await?;
            // Another node may have been the first.
            known = ledger.secrets().await?;
        }
        for (name, mark) in ours {
            if known.iter().any(|(known, other)| known == name && *other != mark) {
                return Err(SecretsError::Other { path: dir.join(name) });
            }
        }
        Ok(secrets)
    }

    /// Reads the secrets in `dir`, making those that are missing.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read or written, or is not 32 bytes long.
    pub fn open(dir: &Path) -> Result<Secrets, SecretsError> {
        crate::files::private_dir(dir).map_err(|source| SecretsError::Io { path: dir.into(), source })?;
        Ok(Secrets {
            lookup: read_or_make(dir, LOOKUP)?,
            subjects: read_or_make(dir, SUBJECTS)?,
            fingerprints: read_or_make(dir, FINGERPRINTS)?,
            webhooks: read_or_make(dir, WEBHOOKS)?,
            log: LogKeys {
                dir: dir.into(),
                id: read_or_make(dir, LOG_ID)?,
                current: Arc::new(Mutex::new(read_or_make(dir, LOG_KEY)?)),
            },
        })
    }

    /// What the fingerprints of an account's recordings are made with.
    #[must_use]
    pub fn fingerprint_key(&self, account: &str) -> Zeroizing<[u8; 32]> {
        let mut derive = keyed(&self.fingerprints);
        derive.update(b"gw-fingerprint-v1\0");
        derive.update(account.as_bytes());
        Zeroizing::new(derive.finalize().into_bytes().into())
    }

    /// What an account's webhook is signed with in this generation.
    #[must_use]
    pub fn webhook_key(&self, account: &str, generation: u32) -> Zeroizing<[u8; 32]> {
        let mut derive = keyed(&self.webhooks);
        derive.update(b"gw-webhook-v1\0");
        derive.update(&generation.to_be_bytes());
        derive.update(account.as_bytes());
        Zeroizing::new(derive.finalize().into_bytes().into())
    }
}

/// The Ed25519 keys that sign the heads of the logs: the one in use, and the next one where one was
/// made.
#[derive(Clone)]
pub struct LogKeys {
    dir: PathBuf,
    id: Zeroizing<[u8; 32]>,
    current: Arc<Mutex<Zeroizing<[u8; 32]>>>,
}

impl LogKeys {
    /// The key in use.
    #[must_use]
    pub fn current(&self) -> Zeroizing<[u8; 32]> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key to be taken into use, where one was made.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn next(&self) -> Result<Option<Zeroizing<[u8; 32]>>, SecretsError> {
        read(&self.dir.join(LOG_KEY_NEXT))
    }

    /// The keys that were in use before: they sign nothing any more.
    ///
    /// # Errors
    ///
    /// Where they cannot be read.
    pub fn retired(&self) -> Result<Vec<Zeroizing<[u8; 32]>>, SecretsError> {
        let io = |source| SecretsError::Io { path: self.dir.clone(), source };
        let mut keys = Vec::new();
        for found in fs::read_dir(&self.dir).map_err(io)? {
            let name = found.map_err(io)?.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(RETIRED) && name.ends_with(".key")) {
                keys.extend(read(&self.dir.join(name))?);
            }
        }
        Ok(keys)
    }

    /// Holds the keys still for whoever changes them; none where another process does.
    ///
    /// # Errors
    ///
    /// Where the lock cannot be taken.
    pub fn lock(&self) -> Result<Option<fs::File>, SecretsError> {
        let path = self.dir.join("log.lock");
        let io = |source| SecretsError::Io { path: path.clone(), source };
        let file = fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(io(error)),
        }
    }

    /// Takes the key into use that another process has put in the place of ours, which it has retired.
    ///
    /// # Errors
    ///
    /// Where the keys cannot be read.
    pub fn refresh(&self) -> Result<(), SecretsError> {
        let Some(there) = read(&self.dir.join(LOG_KEY))? else { return Ok(()) };
        let ours = self.current();
        // A key that was swapped without ours being retired is nobody's successor.
        if *there != *ours && self.retired()?.iter().any(|retired| **retired == *ours) {
            *self.current.lock().unwrap_or_else(PoisonError::into_inner) = there;
        }
        Ok(())
    }

    /// Makes the key that is to be taken into use, if there is none yet.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn make_next(&self) -> Result<(), SecretsError> {
        read_or_make(&self.dir, LOG_KEY_NEXT).map(drop)
    }

    /// The next key becomes the one in use. The old one is kept beside it: it signs nothing any more.
    ///
    /// # Errors
    ///
    /// Where the files cannot be moved.
    pub fn promote(&self) -> Result<(), SecretsError> {
        let path = self.dir.join(LOG_KEY);
        let Some(next) = self.next()? else { return Ok(()) };
        let io = |source| SecretsError::Io { path: path.clone(), source };
        let id = trail::hex(&random::<4>().map_err(|error| io(io::Error::other(error)))?);
        fs::hard_link(&path, self.dir.join(format!("{RETIRED}{id}.key"))).map_err(io)?;
        fs::rename(self.dir.join(LOG_KEY_NEXT), &path).map_err(io)?;
        fs::File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// What the logs' origins begin with where no name is configured: made once, and kept.
    #[must_use]
    pub fn default_name(&self) -> String {
        format!("gateway-{}.invalid", trail::hex(self.id.get(..4).unwrap_or_default()))
    }
}

impl std::fmt::Debug for LogKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogKeys(…)")
    }
}

/// By what a secret is known again; it tells nothing of the secret.
fn mark(secret: &Zeroizing<[u8; 32]>) -> Vec<u8> {
    let mut mac = keyed(secret);
    mac.update(b"gw-secret-v1\0");
    mac.finalize().into_bytes().to_vec()
}

const LOOKUP: &str = "lookup.key";
const SUBJECTS: &str = "subjects.key";
const FINGERPRINTS: &str = "fingerprints.key";
const WEBHOOKS: &str = "webhooks.key";
const LOG_ID: &str = "log.id";
const LOG_KEY: &str = "log.key";
const LOG_KEY_NEXT: &str = "log.next.key";
const RETIRED: &str = "log.retired-";

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

fn read_or_make(dir: &Path, name: &str) -> Result<Zeroizing<[u8; 32]>, SecretsError> {
    let path = dir.join(name);
    match read(&path)? {
        Some(key) => Ok(key),
        None => make(&path).map_err(|source| SecretsError::Io { path, source }),
    }
}

fn read(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, SecretsError> {
    let io = |source| SecretsError::Io { path: path.into(), source };
    let bytes = match crate::files::read_plain(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let key: [u8; 32] =
        bytes.as_slice().try_into().map_err(|_| SecretsError::Length { path: path.into() })?;
    Ok(Some(Zeroizing::new(key)))
}

/// Written aside and linked into place, so that two processes that start at once agree on one.
fn make(path: &Path) -> io::Result<Zeroizing<[u8; 32]>> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let key = Zeroizing::new(random::<32>().map_err(io::Error::other)?);
    let aside = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(key.as_slice())?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    if let Some(dir) = path.parent() {
        fs::File::open(dir)?.sync_all()?;
    }
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let bytes = Zeroizing::new(fs::read(path)?);
            let key = bytes.as_slice().try_into().map_err(|_| io::Error::other("it is not 32 bytes long"))?;
            Ok(Zeroizing::new(key))
        }
        Err(error) => Err(error),
    }
}

/// Why the secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A file cannot be read or written.
    #[error("the secret `{}` cannot be read or made", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not there.
    #[error(
        "the secret `{}` is missing, and the ledger was written with it; restore it from its backup, or, on another machine, copy it \
         from there",
        path.display()
    )]
    Missing {
        /// Which one.
        path: PathBuf,
    },
    /// A file holds another secret.
    #[error(
        "the secret `{}` is not the one that the ledger was written with; restore it from its backup",
        path.display()
    )]
    Other {
        /// Which one.
        path: PathBuf,
    },
    /// The ledger does not say with which secrets it is written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file is damaged.
    #[error("the secret `{}` is not 32 bytes long; restore it from its backup", path.display())]
    Length {
        /// Which one.
        path: PathBuf,
    },
}
