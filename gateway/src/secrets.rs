//! The gateway's own secrets: files of 32 random bytes, apart from the ledger and its backups, and
//! the same on every node.
//!
//! What somebody who has them can do: tell whether a known phone number or a known recording is in
//! the ledger. They open no recording.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::trail::random;
use crate::trail::subject::keyed;

/// The secrets, in memory.
pub struct Secrets {
    /// Finds a phone number's subject.
    pub lookup: Zeroizing<[u8; 32]>,
    /// Seals the keys of subjects.
    pub subjects: Zeroizing<[u8; 32]>,
    fingerprints: Zeroizing<[u8; 32]>,
}

impl Secrets {
    /// Reads the secrets in `dir`, making those that are missing.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read or written, or is not 32 bytes long.
    pub fn open(dir: &Path) -> Result<Secrets, SecretsError> {
        crate::vault::private_dir(dir).map_err(|source| SecretsError::Io { path: dir.into(), source })?;
        Ok(Secrets {
            lookup: read_or_make(dir, "lookup.key")?,
            subjects: read_or_make(dir, "subjects.key")?,
            fingerprints: read_or_make(dir, "fingerprints.key")?,
        })
    }

    /// A keyed hash of an account's recordings, to tell the same upload again from another.
    #[must_use]
    pub fn fingerprint(&self, account: &str) -> Hmac<Sha256> {
        let mut derive = keyed(&self.fingerprints);
        derive.update(b"gw-fingerprint-v1\0");
        derive.update(account.as_bytes());
        keyed(&Zeroizing::new(derive.finalize().into_bytes().into()))
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

fn read_or_make(dir: &Path, name: &str) -> Result<Zeroizing<[u8; 32]>, SecretsError> {
    let path = dir.join(name);
    let io = |source| SecretsError::Io { path: path.clone(), source };
    match fs::File::open(&path) {
        Ok(file) => {
            let mut bytes = Zeroizing::new(Vec::with_capacity(33));
            file.take(33).read_to_end(&mut bytes).map_err(io)?;
            let key: [u8; 32] =
                bytes.as_slice().try_into().map_err(|_| SecretsError::Length { path: path.clone() })?;
            Ok(Zeroizing::new(key))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path).map_err(io),
        Err(error) => Err(io(error)),
    }
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
    /// A file is damaged.
    #[error("the secret `{}` is not 32 bytes long; restore it from its backup", path.display())]
    Length {
        /// Which one.
        path: PathBuf,
    },
}
