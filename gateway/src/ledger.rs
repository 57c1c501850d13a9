//! The ledger: everything that is kept in SQL.
//!
//! Reads go through a pool, or, in SQLite, run where they are asked; every write goes through one writer that
//! commits in groups, so that an entry, its indexes and its call's head are durable together or not at all.
//!
//! What somebody who controls this file can do: read who called whom (numbers stand in
//! `participant`) and what was decided, and forge or drop rows. They cannot listen to anything: no
//! private key and no plaintext is ever here. A changed row of a register is not used (`ledger::registers`).

mod change;
mod erase;
mod expected;
mod heads;
mod holds;
mod near;
mod newest;
mod notifications;
mod postgres;
mod quarantine;
mod questions;
mod reads;
mod registers;
mod reserve;
mod rows;
mod sql;
mod sqlite;
mod trees;
mod write;
mod writer;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{RwLock, RwLockWriteGuard};
use uuid::Uuid;

pub use change::{Appended, Change, Expect, Job};
pub use erase::{DetailRow, Erase};
pub use heads::{Head, SKEW_MS};
pub use questions::Question;
pub use reads::Which;
pub use rows::{
    AccountRow, AliasRow, AnchorRow, CallRow, CheckpointRow, ClosedLogRow, ConfirmedRow, CredentialRow,
    EntryRow, GrantRow, History, HoldRow, KeyRow, LeafRow, NotificationRow, ParticipantRow, PersonRow,
    PromptRow, ProposalRow, QuarantineRow, ReadingAllowanceRow, ReadingRow, RecordingRow,
    RecordingSettingsRow, VersionRow, WaitingRow,
};
use sql::Pool;
pub use sqlite::file;
pub use trees::Epoch;

/// The ledger of one gateway, or of many.
#[derive(Debug, Clone)]
pub struct Ledger {
    pool: Pool,
    writer: writer::Writer,
    registers: Arc<registers::Registers>,
    /// Shared by those who append entries; held exclusively by those who need the logs to stand still.
    growing: Arc<RwLock<()>>,
}

/// While this exists, only its holder appends entries in this process. Other machines may append.
#[derive(Debug)]
pub struct Quiet<'l> {
    ledger: &'l Ledger,
    _all: RwLockWriteGuard<'l, ()>,
}

impl Quiet<'_> {
    /// As [`Ledger::append`], while the logs stand still.
    ///
    /// # Errors
    ///
    /// As [`Ledger::append`].
    pub async fn append(&self, job: Job) -> Result<Appended, LedgerError> {
        self.ledger.writer.append(job).await
    }
}

impl Ledger {
    /// Opens the ledger: in SQLite in `dir`, or on the PostgreSQL server that `url` names; creates or
    /// migrates it where needed.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, is not a ledger, or the engine is too old or not durable.
    pub async fn open(dir: &Path, url: Option<&str>) -> Result<Ledger, LedgerError> {
        let registers = Arc::new(registers::Registers::default());
        let (pool, writer) = match url {
            None => {
                let (pool, engine) = sqlite::open(dir).await?;
                // SQLite blocks the thread that it runs on.
                (pool, writer::Writer::on_a_thread(engine, Arc::clone(&registers))?)
            }
            Some(url) => {
                let (pool, engine) = postgres::open(url).await?;
                (Pool::Postgres(pool), writer::Writer::start(engine, Arc::clone(&registers)))
            }
        };
        Ok(Ledger { pool, writer, registers, growing: Arc::default() })
    }

    /// Whether there is a ledger where [`Ledger::open`] would open one. Nothing is made.
    ///
    /// # Errors
    ///
    /// The server does not answer, or could not hold one.
    pub async fn is_there(dir: &Path, url: Option<&str>) -> Result<bool, LedgerError> {
        match url {
            None => Ok(file(dir).exists()),
            Some(url) => postgres::is_there(url).await,
        }
    }

    /// Whether it is embedded: a file on this machine.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.pool, Pool::Sqlite(..))
    }

    /// Appends entries with their changes, in one transaction, if all expectations still hold.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unavailable`] if it is not known to be durable: nothing may be
    /// acknowledged. The transaction may or may not have been applied.
    pub async fn append(&self, job: Job) -> Result<Appended, LedgerError> {
        // A job without entries makes no log grow, so it need not wait.
        let _one = match job.entries.is_empty() {
            true => None,
            false => Some(self.growing.read().await),
        };
        self.writer.append(job).await
    }

    /// Makes the logs of this process stand still: other entries wait.
    pub async fn quiet(&self) -> Quiet<'_> {
        Quiet { ledger: self, _all: self.growing.write().await }
    }

    /// Notes that the envelope object of a recording is in the store, with the next write: only a restart
    /// needs to know, and writing the same envelope again is harmless.
    pub fn enveloped(&self, id: Uuid) {
        self.writer.enveloped(id);
    }

    /// Proves that the trail can be written, by durably writing as much as an entry takes beside it. On a
    /// full disk, an empty transaction would still succeed.
    ///
    /// # Errors
    ///
    /// If it cannot.
    pub async fn probe(&self) -> Result<(), LedgerError> {
        let mut filler = vec![0; PROBE];
        crate::random::fill(&mut filler).map_err(|error| LedgerError::Unavailable(error.to_string()))?;
        let job = Job { changes: vec![Change::Probe { filler }], ..Job::default() };
        self.append(job).await.map(drop)
    }

    /// Notes pending envelopes, empties the write-ahead log and closes the pool. What was acknowledged is
    /// durable without it, so failures are only logged.
    pub async fn close(&self) {
        if let Err(error) = self.append(Job::default()).await {
            tracing::info!(%error, "could not note which envelopes were written; the next start writes them again");
        }
        match &self.pool {
            Pool::Sqlite(pool, near) => {
                near.close();
                if let Err(error) = sqlite::settle(pool).await {
                    tracing::info!(%error, "could not empty the write-ahead log");
                }
                pool.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

/// Why the ledger failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// SQL failed.
    #[error("the ledger failed")]
    Sql(#[from] sqlx::Error),
    /// SQLite failed.
    #[error("the ledger failed")]
    Sqlite(#[from] rusqlite::Error),
    /// Migrating failed.
    #[error("the ledger cannot be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The lock file cannot be used.
    #[error("the ledger's lock cannot be taken")]
    Lock(#[source] std::io::Error),
    /// The writer has no thread.
    #[error("the ledger's writer cannot be started")]
    Thread(#[source] std::io::Error),
    /// It is not known whether the entries are durable.
    #[error("the audit trail cannot be written: {0}")]
    Unavailable(String),
    /// Another program keeps writing for too long.
    #[error("another program keeps the ledger locked")]
    Busy,
    /// The SQLite library has the WAL-reset fault.
    #[error("SQLite {version} can lose writes with several writers; 3.51.3 or later is needed")]
    OldSqlite {
        /// Its version.
        version: String,
    },
    /// The URL names no PostgreSQL server.
    #[error(
        "`ledger` is not a URL of a PostgreSQL server, such as `postgres://user@host/database`, or \
         `postgres://user@/database?host=/var/run/postgresql` for its socket: {0}"
    )]
    Url(String),
    /// The PostgreSQL server is too old.
    #[error("PostgreSQL {version} is too old; 13 or later is needed")]
    OldPostgres {
        /// Its version.
        version: String,
    },
    /// The PostgreSQL server may lose what it has acknowledged.
    #[error(
        "the PostgreSQL server has `{setting} = off`, so it may lose what it has acknowledged; set it to `on`"
    )]
    NotDurable {
        /// Which setting.
        setting: &'static str,
    },
    /// The server is a standby of another one.
    #[error("the PostgreSQL server is a standby, which takes no writes; name the primary, or promote it")]
    Standby,
    /// A register does not match its log.
    #[error("{0}")]
    Altered(String),
    /// An entry cannot be written.
    #[error("an entry cannot be written")]
    Entry(#[from] trail::DraftError),
    /// A row is damaged.
    #[error("the ledger holds a damaged row: {0}")]
    Damaged(String),
}

/// How many connections read.
const READERS: u32 = 8;
/// How much a probe writes, in bytes.
const PROBE: usize = 65_536;
