//! The TLS certificate and key, read from two PEM files and read again when they change.
//!
//! Knows nothing of connections. TLS 1.2 and 1.3, HTTP/1.1 only, no client certificates. Doesn't
//! look at the dates in the certificate: clients do.
//!
//! INVARIANT: what is served is always a whole pair whose key belongs to its certificate. While new
//! files are broken, or half written, the old pair stays. Handshakes never wait for the files.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::time::{MissedTickBehavior, interval};
use zeroize::Zeroizing;

use crate::files::read_plain;

/// A TLS configuration that follows its files.
pub struct Reloading {
    served: RwLock<Arc<ServerConfig>>,
    files: Arc<Mutex<Files>>,
}

impl Reloading {
    /// Reads `cert` (the server's certificate first, then the chain) and `key` (PKCS#8, PKCS#1 or
    /// SEC1), both PEM.
    ///
    /// # Errors
    ///
    /// When a file can't be read, is no plain file or has no certificate or key in it, or when they
    /// don't match.
    pub fn from_files(cert: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let pair = Pair { cert, key };
        let stamp = pair.stamp();
        let config = pair.load()?;
        let files = Files { pair, stamp, settled: false, loaded: true };
        Ok(Self { served: RwLock::new(config), files: Arc::new(Mutex::new(files)) })
    }

    /// What to accept the next connection with.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the files once a second, for ever: two `stat` calls, and reading two small files when one
    /// has changed. A failure to load them is logged once for each change.
    pub async fn follow(&self) {
        let mut tick = interval(CHECK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let files = Arc::clone(&self.files);
            // Files may be on a disk that does not answer: then only this waits for it.
            let look = move || files.lock().unwrap_or_else(PoisonError::into_inner).look();
            match tokio::task::spawn_blocking(look).await {
                Ok(Some(config)) => *self.served.write().unwrap_or_else(PoisonError::into_inner) = config,
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "could not check the TLS certificate for changes"),
            }
        }
    }
}

/// The files as they were seen last.
struct Files {
    pair: Pair,
    stamp: Option<Stamp>,
    /// Whether the files were read at least one check after they had changed. Until then a write
    /// within the same tick of the file system's clock could have gone unseen, and a pair that
    /// doesn't match may be one that is still being written.
    settled: bool,
    /// Whether what is served is what `stamp` stands for.
    loaded: bool,
}

impl Files {
    /// What is to be served from now on, where the files have changed.
    fn look(&mut self) -> Option<Arc<ServerConfig>> {
        // Taken before reading: a write that comes in between is seen the next time.
        let stamp = self.pair.stamp();
        let changed = stamp != self.stamp;
        if !changed && self.settled {
            return None;
        }
        self.stamp = stamp;
        self.settled = !changed;
        match self.pair.load() {
            Ok(config) => {
                if changed || !self.loaded {
                    tracing::info!("reloaded the TLS certificate");
                }
                self.loaded = true;
                Some(config)
            }
            Err(error) => {
                if self.settled {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "can't use the new TLS certificate; serving the old one");
                }
                self.loaded = false;
                None
            }
        }
    }
}

struct Pair {
    cert: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates(&self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|source| TlsError::Key { path: self.key.clone(), source })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certified = certified(chain, key, &provider)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Refused)?
            .with_no_client_auth()
            .with_cert_resolver(certified);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn stamp(&self) -> Option<Stamp> {
        Some([Identity::of(&self.cert)?, Identity::of(&self.key)?])
    }
}

type Stamp = [Identity; 2];

/// Which file it is, behind any symbolic links, and in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    len: u64,
    /// The time of the last change of content, name or permissions: unlike the time of the last
    /// modification it can't be set back by copying.
    changed: (i64, i64),
}

impl Identity {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self {
            device: file.dev(),
            inode: file.ino(),
            len: file.len(),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

/// Why a certificate and key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or isn't a plain file.
    #[error("can't read `{path}`")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The certificate file isn't PEM.
    #[error("can't read the TLS certificate `{path}`")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The certificate file has no certificate in it.
    #[error("no certificate in `{path}`; expected PEM, the server's own certificate first")]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// The key file isn't PEM, or has no key in it.
    #[error("can't read the TLS key `{path}`; expected an unencrypted PEM key")]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The certificate or the key isn't usable, or they don't belong together.
    #[error("the TLS certificate and key can't be used together")]
    Refused(#[source] rustls::Error),
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    read_plain(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let chain = chain.map_err(|source| TlsError::Certificate { path: path.to_owned(), source })?;
    if chain.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned() });
    }
    Ok(chain)
}

/// Stricter than the library's own way from DER: a key whose public half is unknown is refused too.
fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Arc<dyn ResolvesServerCert>, TlsError> {
    let key = provider.key_provider.load_private_key(key).map_err(TlsError::Refused)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(TlsError::Refused)?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

const CHECK_EVERY: Duration = Duration::from_secs(1);
