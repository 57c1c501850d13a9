//! Errors of starting the gateway.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::anchor::http::HttpError;
use crate::config::ConfigError;
use crate::crossbar::CrossbarError;
use crate::export::jws::JwsError;
use crate::gate::Fault;
use crate::keepers::anchors::AnchoringError;
use crate::ledger::LedgerError;
use crate::listen::tls;
use crate::locate::LocateError;
use crate::notary::NotaryError;
use crate::secrets::SecretsError;
use crate::twilio::TwilioError;
use crate::vault::VaultError;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The table cannot be read.
    #[error("the table `{}` cannot be read", path.display())]
    ReadTable {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The table has mistakes.
    #[error("the table of jurisdictions has mistakes, so nothing starts:\n{problems}")]
    Table {
        /// All of them, each with file, line and column.
        problems: String,
    },
    /// The data directory cannot be used.
    #[error("the data directory `{}` cannot be used", path.display())]
    Data {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is configured cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Unread {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Orders to a platform cannot be given as configured.
    #[error(transparent)]
    Crossbar(#[from] CrossbarError),
    /// Twilio cannot be stood in front of as configured.
    #[error(transparent)]
    Twilio(#[from] TwilioError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The logs do not continue what was signed.
    #[error(transparent)]
    Notary(#[from] NotaryError),
    /// The anchors cannot be used as configured.
    #[error(transparent)]
    Anchoring(#[from] AnchoringError),
    /// Webhooks cannot be reached.
    #[error("webhooks cannot be reached")]
    Webhooks(#[from] HttpError),
    /// vCons cannot be signed as configured.
    #[error("the certificate or the key of `vcon_signing` cannot be used")]
    Signing(#[from] JwsError),
    /// The store cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The secrets cannot be used.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The IP database cannot be used.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The address cannot be bound.
    #[error("`{address}` cannot be listened on")]
    Bind {
        /// Which one.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A verb failed.
    #[error("{}", crate::api::words::of(.0))]
    Fault(Fault),
    /// The server's task has failed.
    #[error("the server has failed")]
    Stopped,
}

impl From<Fault> for ServeError {
    fn from(fault: Fault) -> Self {
        ServeError::Fault(fault)
    }
}
