//! Building the parts and running the program: config before sockets, every address logged, a drain with a
//! deadline.

mod error;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::api::{Door, Trials, router};
use crate::body::Pace;
use crate::config::{Config, LedgerUrl};
use crate::crossbar::Crossbar;
use crate::export::jws::Signer;
use crate::files::{private_dir, read_plain};
use crate::gate::{Exports, Gate, Laws, Left, Mark, Parts, UploadLimits};
use crate::keepers::anchors::Anchors;
use crate::keepers::{Keepers, Kept};
use crate::ledger::Ledger;
use crate::listen::{self, Limits, descriptors, tls};
use crate::locate::Locator;
use crate::notary::{First, Notary};
use crate::secrets::{Locks, Secrets};
use crate::twilio::Platforms;
use crate::vault::Vault;
use crate::webhook::Sender;
pub use error::ServeError;
use table::parse;
pub use table::{DEFAULT_TABLE, read_text, table, table_text};
use trail::Origin;
use trail::clock::Clock;

/// Builds the gate on the configured data directory. The law is the ledger's newest version, or else the
/// configured table, which [`first_law`] makes the first version.
///
/// # Errors
///
/// If any part cannot be opened.
pub async fn gate(config: &Config, clock: Clock) -> Result<Gate, ServeError> {
    // Nothing is created on disk for an unusable table.
    let configured = table(config);
    let ledger_is_new = config.ledger.is_none() && !crate::ledger::file(&config.data).exists();
    let configured = match configured {
        Err(error) if ledger_is_new => return Err(error),
        configured => configured,
    };
    let unusable = |source| ServeError::Data { path: config.data.clone(), source };
    if config.data.is_file() {
        return Err(unusable(std::io::Error::other("it is a file: name a directory")));
    }
    private_dir(&config.data).map_err(unusable)?;
    let ledger = Ledger::open(&config.data, config.ledger.as_ref().map(LedgerUrl::expose)).await?;
    Notary::glance(&ledger, &config.pins_dir()).await?;
    ledger.compare_registers();
    let laws = match ledger.law().await? {
        Some(row) => in_force(&ledger, row.version, &row.digest).await?,
        None => Laws::new(0, configured?),
    };
    Ok(Gate::new(Parts {
        clock: clock.clone(),
        secrets: Secrets::of(&config.secrets_dir(), &ledger).await?,
        locks: Locks::new(config.quarantine_dir()),
        locator: Locator::new(config.ip_database.as_deref())?,
        vault: Vault::local(&config.data, config.upload.low_water_bytes, config.upload.memory_bytes, clock)?,
        ledger,
        laws,
        uploads: UploadLimits {
            max_bytes: config.upload.max_bytes,
            deadline: Duration::from_secs(config.upload.deadline_seconds),
            fingerprint: config.upload.fingerprint,
        },
        exports: exports(config)?,
        witnesses: config.witness.iter().map(|witness| witness.key.clone()).collect(),
        webhooks: config.webhooks.reach(),
        switches: config.kazoo.iter().map(|(account, kazoo)| (account.clone(), kazoo.action)).collect(),
    }))
}

/// What exports need, as configured.
fn exports(config: &Config) -> Result<Exports, ServeError> {
    let signer = match &config.vcon_signing {
        Some(files) => {
            let read = |path: &PathBuf| {
                read_plain(path).map_err(|source| ServeError::Unread { path: path.clone(), source })
            };
            Some(Signer::from_pem(&read(&files.certificate)?, &read(&files.key)?)?)
        }
        None => None,
    };
    Ok(Exports { controllers: config.controller.clone(), signer, public_url: public_url(config) })
}

/// Where the gateway is reached from outside, without a slash at the end.
fn public_url(config: &Config) -> Option<String> {
    config.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned())
}

/// Makes the configured table the first version, if there is none yet: when `serve` starts, or with the first
/// command of the law desk. Setting up accounts before that does not fix the law.
///
/// # Errors
///
/// If the table cannot be read, or the ledger fails.
pub async fn first_law(gate: &Gate, config: &Config) -> Result<(), ServeError> {
    if gate.laws().version().number == 0 {
        let (origin, name, text) = table_text(config)?;
        let table = parse(&name, &text)?;
        gate.first_version(origin, table.digest(), &text).await?;
    }
    Ok(())
}

async fn in_force(ledger: &Ledger, number: i64, digest: &str) -> Result<Laws, ServeError> {
    let name = format!("version {number} of the table, which is in force");
    let text = ledger.table(digest).await?.ok_or_else(|| ServeError::Table {
        problems: format!("{name}: it is not in the ledger; restore the ledger from a backup"),
    })?;
    let table = parse(&name, &text)?;
    if table.digest() != digest {
        return Err(ServeError::Table {
            problems: format!("{name}: its text was changed in the ledger; restore the ledger from a backup"),
        });
    }
    Ok(Laws::new(number, table))
}

/// A gateway that listens.
pub struct Running {
    /// The address it listens on.
    pub address: SocketAddr,
    /// The door, for callers in the same process.
    pub door: Arc<Door>,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Stops accepting, lets running requests and accepted uploads end, and closes.
    ///
    /// # Errors
    ///
    /// As [`Running::wait`].
    pub async fn stop(self) -> Result<(), ServeError> {
        self.shutdown.cancel();
        self.wait().await
    }

    /// Waits until the server has stopped.
    ///
    /// # Errors
    ///
    /// If the server failed, or has stopped because a log was found to be changed.
    pub async fn wait(self) -> Result<(), ServeError> {
        self.served.await.map_err(|_| ServeError::Stopped)?
    }

    /// The token that stops it when cancelled.
    #[must_use]
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }
}

/// Starts a gateway. Completing what a crash has cut short, and reading the entries that were signed before, are left
/// to its keepers.
///
/// Everything that can fail comes before the mark of a running gateway, so that a failed or interrupted start
/// is not an outage. The address is bound first and listened on last: until then clients are turned away at
/// once, and can ask another gateway.
///
/// # Errors
///
/// If the configuration is refused, a part cannot be opened or the address cannot be bound.
pub async fn start(config: &Config, clock: Clock) -> Result<Running, ServeError> {
    config.check()?;
    let (connections, proxies) = (connections(config), config.proxies()?);
    let unbound = |source| ServeError::Bind { address: config.listen, source };
    let socket = bind(config.listen).map_err(unbound)?;
    let tls = match &config.tls {
        Some(files) => {
            Some(Arc::new(tls::Reloading::from_files(files.certificate.clone(), files.key.clone())?))
        }
        None => None,
    };
    let anchors = Anchors::new(config, &clock)?;
    let reach = config.webhooks.reach();
    let senders = (Sender::new(reach)?, Crossbar::new(&config.kazoo, reach)?);
    let twilio = Platforms::new(&config.twilio, reach)?;
    let gate = gate(config, clock.clone()).await?;
    let keys = gate.secrets().log.clone();
    let pins = config.pins_dir();
    let first = if config.verify_first { First::Everything } else { First::SincePin };
    let (ledger, name) = (gate.ledger().clone(), config.log_name.as_deref());
    let notary = Notary::open(ledger, clock, name, keys, &pins, first).await?;
    let gate = gate.signing_with(notary);
    // No decision and no answer may use a row that does not match the logs.
    gate.ledger().check_registers().await?;
    let unusable = |source| ServeError::Data { path: config.data.clone(), source };
    if let Some(left) = Left::find_in(&config.data).map_err(unusable)? {
        gate.gap(left.well, left.cause, &left.ids(), Vec::new()).await?;
        // At this point every log has the gap; after an earlier crash, the next start logs it again.
        left.forget().map_err(unusable)?;
    }
    // Gaps of lost gateways elsewhere. The watch finds those that are lost only later.
    gate.find_lost(|_, well_at| gate.is_old(well_at)).await?;
    first_law(&gate, config).await?;
    // A table that comes with a restart or another program is under the same rule as any other.
    let (origin, offered) = match table_text(config) {
        Ok((origin, _, text)) => (origin, Some(text)),
        Err(_) => (Origin::File, None),
    };
    gate.offer(origin, offered.as_deref()).await?;
    let swept_before = gate.before_any_upload();
    // Two gateways that start at once may both bind the address, but only one can listen on it.
    let listener = socket.listen(WAITING).map_err(unbound)?;
    let address = listener.local_addr().map_err(unbound)?;
    // From here on nothing fails, and nobody has been served yet.
    let mark = Mark::set_in(&config.data, gate.clock().now()).map_err(unusable)?;
    let id = mark.id();
    tracing::info!(%address, tls = tls.is_some(), table = gate.laws().in_force().digest(), "listening");
    let drain = Duration::from_secs(config.drain_seconds);
    let door = Arc::new(Door {
        access: Access::new(gate.ledger().clone()),
        trials: Trials::default(),
        upload_pace: Pace {
            max_bytes: config.upload.max_bytes,
            min_rate: config.upload.min_rate,
            grace: Duration::from_secs(15),
            deadline: Duration::from_secs(config.upload.deadline_seconds),
        },
        twilio,
        public_url: public_url(config),
        gate,
    });
    let shutdown = CancellationToken::new();
    let limits = Limits { connections, drain, ..Limits::default() };
    let serving = listen::serve(listener, tls, router(Arc::clone(&door)), proxies, limits, shutdown.clone());
    let kept = Kept {
        table: (config.jurisdictions.clone(), offered),
        log_period: config.log_period,
        mark,
        anchors,
        senders,
        swept_before,
    };
    let keepers = Keepers::start(&door, kept, &shutdown);
    let settled = Arc::clone(&door);
    let served = tokio::spawn(async move {
        serving.await;
        let (mark, damage) = keepers.stopped().await;
        if tokio::time::timeout(drain, settled.gate.idle()).await.is_err() {
            tracing::warn!("uploads were still running at the end of the drain; their senders will retry");
        }
        if let Some(notary) = settled.gate.notary()
            && let Err(error) = notary.sign_all().await
        {
            tracing::error!(%error, "could not sign the last heads of the logs");
        }
        match mark {
            // Without the mark, nobody would know of events that could not be logged: the next start must log
            // the gap.
            Some(mark) if settled.gate.owes_nothing() => {
                if let Err(fault) = settled.gate.remove_mark(id).await {
                    tracing::error!(
                        code = %fault.code(),
                        "could not remove this gateway's mark from the ledger"
                    );
                }
                if let Err(error) = mark.clear() {
                    tracing::error!(%error, "could not remove the mark of a running gateway");
                }
            }
            Some(mark) => {
                let well = settled.gate.well();
                if let Err(error) = mark.well(well, false) {
                    tracing::error!(%error, "could not set the mark of a running gateway");
                }
                tracing::warn!("events that could not be logged are still missing");
            }
            None => {}
        }
        settled.gate.ledger().close().await;
        tracing::info!("stopped");
        damage.map_or(Ok(()), |damage| Err(damage.into()))
    });
    Ok(Running { address, door, shutdown, served })
}

/// How many connections there may be: as many as configured, if the system allows so many open files.
fn connections(config: &Config) -> usize {
    if let Err(error) = descriptors::raise() {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let allowed = descriptors::connections().unwrap_or(usize::MAX);
    if allowed < config.connections {
        tracing::warn!(
            connections = config.connections,
            allowed,
            "the limit of open files allows fewer connections than are configured"
        );
    }
    allowed.min(config.connections)
}

/// Takes an address, so that nobody else listens on it, without listening on it yet.
fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Leftovers of closed connections do not keep the address from being used again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// How many connections may wait to be accepted.
const WAITING: u32 = 1024;
