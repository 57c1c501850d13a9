//! Building the parts and running the program: config before sockets, every address logged, drained
//! with a deadline.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::Table;
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::access::Access;
use crate::anchoring::{AnchoringError, Anchors};
use crate::api::{Door, router};
use crate::body::Pace;
use crate::chain::Chain;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, LedgerUrl, LogPeriod};
use crate::export::jws::{JwsError, Signer};
use crate::files::{private_dir, read_plain};
use crate::gate::{Exports, Fault, Gate, Laws, Left, Mark, Readiness, UploadLimits, Watch};
use crate::ledger::{Ledger, LedgerError};
use crate::listen::{self, Limits, descriptors, tls};
use crate::locate::{LocateError, Locator};
use crate::notary::{Notary, NotaryError};
use crate::secrets::{Secrets, SecretsError};
use crate::trail::Origin;
use crate::vault::{Vault, VaultError};

/// The table that is compiled in.
pub const DEFAULT_TABLE: &str = include_str!("../../jurisdictions.toml");

/// The table that the configuration names, or the one compiled in: where it comes from, what to call
/// it in messages, and its text.
///
/// # Errors
///
/// Where the file cannot be read.
pub fn table_text(config: &Config) -> Result<(Origin, String, String), ServeError> {
    match &config.jurisdictions {
        Some(path) => {
            let text =
                read_text(path).map_err(|source| ServeError::ReadTable { path: path.clone(), source })?;
            Ok((Origin::File, path.display().to_string(), text))
        }
        None => Ok((Origin::Program, "the table compiled in".into(), DEFAULT_TABLE.to_owned())),
    }
}

/// The text of a file that a person has written; what is no text in UTF-8 is told in plain words.
///
/// # Errors
///
/// Where the file cannot be read, or as what it should have been saved.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    let bytes = std::fs::read(path)?;
    let wrong = |message: String| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return wrong("it is saved as UTF-16 (\"Unicode\"); save it as UTF-8".into());
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"{\\rtf") {
        return wrong("it is a document of a word processor; save it as plain text, in UTF-8".into());
    }
    String::from_utf8(bytes).or_else(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        wrong(format!("line {line} holds a letter that is not UTF-8; save the file as UTF-8"))
    })
}

/// Reads the table that the configuration names, or the one compiled in.
///
/// # Errors
///
/// Where it cannot be read, with everything that is wrong with it.
pub fn table(config: &Config) -> Result<Table, ServeError> {
    let (_, name, text) = table_text(config)?;
    parse(&name, &text)
}

fn parse(name: &str, text: &str) -> Result<Table, ServeError> {
    Table::parse(text).map_err(|problems| {
        let told =
            problems.0.iter().map(|problem| format!("{name}:{problem}")).collect::<Vec<_>>().join("\n");
        ServeError::Table { problems: told }
    })
}

/// Builds the gate on the configured data directory. The law is the ledger's newest version; where
/// there is none yet it is the configured table, which [`first_law`] makes the first.
///
/// # Errors
///
/// Where any part cannot be opened.
pub async fn gate(config: &Config, clock: Clock) -> Result<Gate, ServeError> {
    // Nothing is made on disk for a table that cannot be used.
    let configured = table(config);
    let ledger_is_new = config.ledger.is_none() && !crate::ledger::file(&config.data).exists();
    let configured = match configured {
        Err(error) if ledger_is_new => return Err(error),
        configured => configured,
    };
    private_dir(&config.data).map_err(|source| ServeError::Data { path: config.data.clone(), source })?;
    let ledger = Ledger::open(&config.data, config.ledger.as_ref().map(LedgerUrl::expose)).await?;
    Notary::glance(&ledger, &config.pins_dir()).await?;
    ledger.compare_registers();
    let laws = match ledger.law().await? {
        Some(row) => in_force(&ledger, row.version, &row.digest).await?,
        None => Laws::new(0, configured?),
    };
    Ok(Gate {
        clock,
        secrets: Secrets::of(&config.secrets_dir(), &ledger).await?,
        locator: Locator::new(config.ip_database.as_deref())?,
        vault: Vault::local(&config.data, config.upload.low_water_bytes)?,
        ledger,
        laws,
        uploads: UploadLimits {
            max_bytes: config.upload.max_bytes,
            deadline: Duration::from_secs(config.upload.deadline_seconds),
        },
        keys: crate::gate::KeyCache::default(),
        turns: crate::gate::Turns::default(),
        barred: crate::gate::Barred::default(),
        exports: exports(config)?,
        witnesses: config.witness.iter().map(|witness| witness.key.clone()).collect(),
        readiness: Readiness::default(),
        notary: None,
        tasks: TaskTracker::new(),
    })
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
    let public_url = config.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    Ok(Exports { controllers: config.controller.clone(), signer, public_url })
}

/// Makes the configured table the first version, where there is none yet: when `serve` starts, or
/// somebody comes to the law desk. Setting up accounts before that settles nothing.
///
/// # Errors
///
/// Where the table cannot be read, or the ledger fails.
pub async fn first_law(gate: &Gate, config: &Config) -> Result<(), ServeError> {
    if gate.laws.version().number == 0 {
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

/// Looks for another version of the table, twice a second, and at the file where one is watched.
async fn keep_law(door: Arc<Door>, file: Option<PathBuf>, mut seen: Option<String>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(LAW_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut stamp, mut settled) = (None, false);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(fault) = door.gate.refresh_law().await {
            tracing::error!(code = %fault.code(), "it cannot be looked which version of the table is in force");
        }
        if let Err(fault) = door.gate.close_lapsed().await {
            tracing::error!(code = %fault.code(), "proposals that have expired could not be closed");
        }
        let Some(path) = &file else { continue };
        // The inode and the time of its last change tell a file that was moved here from the one before,
        // whatever size and date it was given.
        let now = tokio::fs::metadata(path)
            .await
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|found| (found.ino(), found.ctime(), found.ctime_nsec(), found.len()));
        // What is still being written may look like a table with fewer rows: it is read once it has stood
        // still from one look to the next.
        if now != stamp {
            (stamp, settled) = (now, false);
            continue;
        }
        if settled {
            continue;
        }
        settled = true;
        // What is no file is not opened: a pipe would never answer.
        let text = match now {
            Some(_) => tokio::fs::read_to_string(path).await.ok(),
            None => None,
        };
        if text == seen {
            continue;
        }
        match door.gate.offer(Origin::File, text.as_deref()).await {
            Ok(()) => seen = text,
            Err(fault) => {
                // It is tried again with the next tick.
                settled = false;
                tracing::error!(code = %fault.code(), "the watched table could not be offered");
            }
        }
    }
}

/// Signs the logs as they grow, once a second, begins them anew with every period, and says of silent
/// ones that they are.
async fn keep_trail(door: Arc<Door>, period: Option<LogPeriod>, mark: Mark, stop: CancellationToken) -> Mark {
    let mut tick = tokio::time::interval(SIGN_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turned = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return mark,
            _ = tick.tick() => {}
        }
        let gate = &door.gate;
        if let Err(fault) = gate.catch_up().await {
            tracing::error!(code = %fault.code(), "it cannot be logged yet that events may be missing");
        }
        if let Err(error) = mark.well(gate.barred.well(gate.clock.now()), gate.barred.is_empty()) {
            tracing::error!(%error, "the mark of a running gateway cannot be set");
        }
        let Some(notary) = &gate.notary else { continue };
        let began = period.map(|period| period.began(gate.clock.now()));
        if let Some(began) = began.filter(|began| turned != Some(*began)) {
            match gate.turn_logs(began).await {
                Ok(()) => turned = Some(began),
                // It is tried again with the next tick.
                Err(fault) => tracing::error!(code = %fault.code(), "a log could not begin anew"),
            }
        }
        let signed = async {
            notary.rotate().await?;
            notary.sign_all().await
        };
        let signed = signed.await;
        gate.note_signed(signed.is_ok());
        if let Err(error) = signed {
            tracing::error!(error = %Chain(&error), "heads of the logs cannot be signed");
        }
        if let Err(fault) = gate.heartbeat().await {
            tracing::error!(code = %fault.code(), "the hourly heartbeat of a log could not be written");
        }
    }
}

/// Logs what could not be logged when it came.
async fn keep_logging(door: &Door, stop: &CancellationToken) {
    let mut tick = tokio::time::interval(LOG_AGAIN_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        door.gate.log_what_is_missing().await;
    }
}

/// Renews the mark of this gateway in the ledger, and looks for those of gateways that are lost.
async fn keep_watch(door: &Door, id: Uuid, stop: &CancellationToken) {
    let mut tick = tokio::time::interval(RENEW_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut watch = Watch::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let gate = &door.gate;
        let looked = async {
            gate.renew_mark(id).await?;
            gate.find_lost(|other, well_at| other != id && watch.is_lost(other, well_at, Instant::now()))
                .await
        };
        if let Err(fault) = looked.await {
            tracing::error!(code = %fault.code(), "the mark of this gateway in the ledger could not be renewed");
        }
    }
}

/// A gateway that listens.
pub struct Running {
    /// Where.
    pub address: SocketAddr,
    /// The door, for whoever runs in the same process.
    pub door: Arc<Door>,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Stops accepting, lets running requests and accepted uploads end, and closes.
    ///
    /// # Errors
    ///
    /// Where the server had failed.
    pub async fn stop(self) -> Result<(), ServeError> {
        self.shutdown.cancel();
        self.served.await.map_err(|_| ServeError::Stopped)
    }

    /// Waits until the server has stopped.
    ///
    /// # Errors
    ///
    /// Where the server had failed.
    pub async fn wait(self) -> Result<(), ServeError> {
        self.served.await.map_err(|_| ServeError::Stopped)
    }

    /// What to cancel to stop it.
    #[must_use]
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }
}

/// Starts a gateway: recovers what a crash has cut short, then listens.
///
/// Everything that can fail comes before the mark of a running gateway, so that a start that fails, or is
/// cut short, is no outage. The address is taken first and listened on last: until then whoever comes is
/// turned away at once, and can ask another gateway.
///
/// # Errors
///
/// Where the configuration is refused, a part cannot be opened or the address cannot be bound.
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
    let mut gate = gate(config, clock.clone()).await?;
    let keys = gate.secrets.log.clone();
    let pins = config.pins_dir();
    let notary = Notary::open(gate.ledger.clone(), clock, config.log_name.as_deref(), keys, &pins).await?;
    gate.notary = Some(notary);
    // Nothing is decided, and nobody is answered, by a row that the logs do not say.
    gate.ledger.check_registers().await?;
    let unusable = |source| ServeError::Data { path: config.data.clone(), source };
    if let Some(left) = Left::find_in(&config.data).map_err(unusable)? {
        gate.gap(left.well, left.cause, &left.ids(), Vec::new()).await?;
        // At this point every log says so; a crash before it says so again.
        left.forget().map_err(unusable)?;
    }
    // Those of gateways elsewhere; whoever stands still only from now on is watched while this one serves.
    gate.find_lost(|_, well_at| gate.is_old(well_at)).await?;
    first_law(&gate, config).await?;
    // What a restart or another program brings is under the same rule as everything else.
    let (origin, offered) = match table_text(config) {
        Ok((origin, _, text)) => (origin, Some(text)),
        Err(_) => (Origin::File, None),
    };
    gate.offer(origin, offered.as_deref()).await?;
    gate.recover().await?;
    // Two that were started at once may both have the address, and only one can listen on it.
    let listener = socket.listen(WAITING).map_err(unbound)?;
    let address = listener.local_addr().map_err(unbound)?;
    // From here on nothing fails, and nobody has been served yet.
    let mark = Mark::set_in(&config.data, gate.clock.now()).map_err(unusable)?;
    let id = mark.id();
    tracing::info!(%address, tls = tls.is_some(), table = gate.laws.in_force().digest(), "listening");
    let drain = Duration::from_secs(config.drain_seconds);
    let door = Arc::new(Door {
        access: Access::new(gate.ledger.clone()),
        upload_pace: Pace {
            max_bytes: config.upload.max_bytes,
            min_rate: config.upload.min_rate,
            grace: Duration::from_secs(15),
            deadline: gate.uploads.deadline,
        },
        gate,
    });
    let shutdown = CancellationToken::new();
    let limits = Limits { connections, drain, ..Limits::default() };
    let serving = listen::serve(listener, tls, router(Arc::clone(&door)), proxies, limits, shutdown.clone());
    let law = keep_law(Arc::clone(&door), config.jurisdictions.clone(), offered, shutdown.clone());
    let law = tokio::spawn(law);
    let anchoring = anchors.map(|anchors| tokio::spawn(anchors.run(Arc::clone(&door), shutdown.clone())));
    let trail = tokio::spawn(keep_trail(Arc::clone(&door), config.log_period, mark, shutdown.clone()));
    let (watched, stop) = (Arc::clone(&door), shutdown.clone());
    let watch = tokio::spawn(async move {
        tokio::join!(keep_logging(&watched, &stop), keep_watch(&watched, id, &stop));
    });
    let settled = Arc::clone(&door);
    let served = tokio::spawn(async move {
        serving.await;
        if law.await.is_err() {
            tracing::error!("the law was no longer looked at");
        }
        let mark = trail.await;
        if watch.await.is_err() {
            tracing::error!("the watch over the marks of gateways died");
        }
        if let Some(anchoring) = anchoring
            && anchoring.await.is_err()
        {
            tracing::error!("the heads of the logs were no longer brought to anybody");
        }
        settled.gate.tasks.close();
        if tokio::time::timeout(drain, settled.gate.tasks.wait()).await.is_err() {
            tracing::warn!("uploads were still running at the end of the drain; their senders will retry");
        }
        if let Some(notary) = &settled.gate.notary
            && let Err(error) = notary.sign_all().await
        {
            tracing::error!(%error, "the last heads of the logs could not be signed");
        }
        match mark {
            // What could not be logged is known to nobody any more: the next start says so.
            Ok(mark) if settled.gate.barred.is_settled() => {
                if let Err(fault) = settled.gate.remove_mark(id).await {
                    tracing::error!(
                        code = %fault.code(),
                        "the mark of this gateway in the ledger could not be removed"
                    );
                }
                if let Err(error) = mark.clear() {
                    tracing::error!(%error, "the mark of a running gateway could not be removed");
                }
            }
            Ok(mark) => {
                let well = settled.gate.barred.well(settled.gate.clock.now());
                if let Err(error) = mark.well(well, false) {
                    tracing::error!(%error, "the mark of a running gateway could not be set");
                }
                tracing::warn!("events that could not be logged are still missing");
            }
            Err(_) => tracing::error!("the trail was no longer looked after"),
        }
        settled.gate.ledger.close().await;
        tracing::info!("stopped");
    });
    Ok(Running { address, door, shutdown, served })
}

/// How many connections there may be: as many as are configured, if the system lets us have so many files open.
fn connections(config: &Config) -> usize {
    if let Err(error) = descriptors::raise() {
        tracing::warn!(%error, "the limit of open files cannot be raised");
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
    // What closed connections leave behind on the address does not keep it from being used again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

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
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The logs do not go on from what was signed.
    #[error(transparent)]
    Notary(#[from] NotaryError),
    /// Those who confirm the heads of the logs cannot be used as configured.
    #[error(transparent)]
    Anchoring(#[from] AnchoringError),
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

/// How many connections may wait to be accepted.
const WAITING: u32 = 1024;

/// How often heads of logs are signed.
const SIGN_EVERY: Duration = Duration::from_secs(1);

/// How often it is tried to log what could not be logged when it came.
const LOG_AGAIN_EVERY: Duration = Duration::from_millis(200);

/// How often a gateway says in the ledger that it is well.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// How often it is looked which version of the table is in force.
const LAW_EVERY: Duration = Duration::from_millis(500);
