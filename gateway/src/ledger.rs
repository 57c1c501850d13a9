//! The ledger: everything that is kept in SQL.
//!
//! Reads go through a pool; every write goes through one writer that commits in groups, so
//! that an entry, its indexes and its call's head are durable together or not at all.
//!
//! What somebody who controls this file can do: read who called whom (numbers stand in
//! `participant`) and what was decided, and forge or drop rows. They cannot listen to anything: no
//! private key and no plaintext is ever here.

mod change;
mod rows;
mod writer;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use futures_util::{Stream, TryStreamExt as _};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{FromRow as _, Row as _};
use uuid::Uuid;

pub use change::{Appended, Change, Expect, Job};
pub use rows::{
    AccountRow, CallRow, CredentialRow, EntryRow, GrantRow, History, KeyRow, ParticipantRow, PromptRow,
    ProposalRow, RecordingRow, VersionRow,
};

/// The ledger of one gateway, in one SQLite file.
#[derive(Debug, Clone)]
pub struct Ledger {
    pool: SqlitePool,
    writer: writer::Writer,
}

impl Ledger {
    /// Opens the ledger in `dir`, creating or migrating it where needed.
    ///
    /// # Errors
    ///
    /// Where the file cannot be opened, is no ledger, or the SQLite library is too old.
    pub async fn open(dir: &Path) -> Result<Ledger, LedgerError> {
        let lock = dir.join(LOCK);
        let options = SqliteConnectOptions::from_str("sqlite:")
            .map_err(LedgerError::Sql)?
            .filename(dir.join(FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(std::time::Duration::from_secs(10))
            .pragma("secure_delete", "on")
            .pragma("trusted_schema", "off");
        // Phone numbers are in it: for its owner only. SQLite gives its side files the same mode.
        private_file(&dir.join(FILE)).map_err(LedgerError::Lock)?;
        // sqlx takes no lock of its own on SQLite while it migrates.
        let held = writer::lock_file(lock.clone()).await?;
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .acquire_timeout(std::time::Duration::from_secs(10))
            .connect_with(options.clone())
            .await?;
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&pool).await?;
        if !is_current(&version) {
            return Err(LedgerError::OldSqlite { version });
        }
        MIGRATIONS.run(&pool).await?;
        drop(held);
        Ok(Ledger { writer: writer::Writer::start(options, lock), pool })
    }

    /// Appends entries with their changes, in one transaction, if all expectations still hold.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unavailable`] where it is not known to be durable: nothing may be
    /// acknowledged. The transaction may or may not have been applied.
    pub async fn append(&self, job: Job) -> Result<Appended, LedgerError> {
        self.writer.append(job).await
    }

    /// Notes that the envelope object of a recording is in the store, together with whatever is
    /// written next: only a restart asks, and writing the same envelope again is harmless.
    pub fn enveloped(&self, id: Uuid) {
        self.writer.enveloped(id);
    }

    /// Proves that the trail can be written, without writing to it: beside it, durably, as much as
    /// an entry takes. On a full disk, beginning and committing nothing would still succeed.
    ///
    /// # Errors
    ///
    /// Where it cannot.
    pub async fn probe(&self) -> Result<(), LedgerError> {
        let job = Job { changes: vec![Change::Probe], ..Job::default() };
        self.append(job).await.map(|_| ())
    }

    /// An account.
    pub async fn account(&self, id: &str) -> Result<Option<AccountRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT id, operator_location, recorder_location, settings FROM account WHERE id = ?",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Every account but the system's own.
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT id, operator_location, recorder_location, settings FROM account WHERE id <> 'system' ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// A credential that is not revoked.
    pub async fn credential(&self, username: &str) -> Result<Option<CredentialRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT username, account, role, name, hash FROM credential WHERE username = ? AND revoked_at IS NULL",
        )
        .bind(username)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The keys of an account, retired ones included.
    pub async fn keys(&self, account: &str) -> Result<Vec<KeyRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT id, account, pem, added_at, retired_at FROM public_key WHERE account = ? ORDER BY added_at, id",
        )
        .bind(account)
        .fetch_all(&self.pool)
        .await?)
    }

    /// The newest version of a prompt.
    pub async fn prompt(&self, account: &str, id: &str) -> Result<Option<PromptRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT account, id, version, uid, document, created_at FROM prompt \
             WHERE account = ? AND id = ? ORDER BY version DESC LIMIT 1",
        )
        .bind(account)
        .bind(id)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The newest version of every prompt of an account.
    pub async fn prompts(&self, account: &str) -> Result<Vec<PromptRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT account, id, max(version) AS version, uid, document, created_at FROM prompt \
             WHERE account = ? GROUP BY id ORDER BY id",
        )
        .bind(account)
        .fetch_all(&self.pool)
        .await?)
    }

    /// A consent grant.
    pub async fn grant(&self, account: &str, id: &str) -> Result<Option<GrantRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT account, id, uid, document, created_at, withdrawn_at FROM consent_grant WHERE account = ? AND id = ?",
        )
        .bind(account)
        .bind(id)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The newest call of this id or alias.
    pub async fn call_by_name(&self, account: &str, name: &str) -> Result<Option<CallRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT call.uid, call.account, call.id, call.body, call.opened_at, call.ended_at, call.head \
             FROM call_name JOIN call ON call.uid = call_name.call WHERE call_name.account = ? AND call_name.name = ?",
        )
        .bind(account)
        .bind(name)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The newest call of this id that was opened at `at` or before, in milliseconds.
    pub async fn call_at(&self, account: &str, id: &str, at: i64) -> Result<Option<CallRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT uid, account, id, body, opened_at, ended_at, head FROM call \
             WHERE account = ? AND id = ? AND opened_at <= ? ORDER BY opened_at DESC LIMIT 1",
        )
        .bind(account)
        .bind(id)
        .bind(at)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// A call by the gateway's own id.
    pub async fn call(&self, uid: Uuid) -> Result<Option<CallRow>, LedgerError> {
        Ok(sqlx::query_as("SELECT uid, account, id, body, opened_at, ended_at, head FROM call WHERE uid = ?")
            .bind(uid.to_string())
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The calls that are open and in which somebody named this grant.
    pub async fn calls_with_grant(&self, account: &str, grant: &str) -> Result<Vec<CallRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT DISTINCT call.uid, call.account, call.id, call.body, call.opened_at, call.ended_at, call.head \
             FROM participant JOIN call ON call.uid = participant.call \
             WHERE participant.consent_grant = ? AND call.account = ? AND call.ended_at IS NULL",
        )
        .bind(grant)
        .bind(account)
        .fetch_all(&self.pool)
        .await?)
    }

    /// What a call is folded from: its leaves, in the order of the log, and who is behind their numbers.
    pub async fn history(&self, call: Uuid) -> Result<(Vec<Vec<u8>>, Vec<ParticipantRow>), LedgerError> {
        let rows = sqlx::query(
            "SELECT seq AS participant, leaf, NULL AS id, NULL AS number, NULL AS ip, NULL AS consent_grant \
             FROM entry WHERE call = ?1 \
             UNION ALL SELECT participant, NULL, id, number, ip, consent_grant FROM participant WHERE call = ?1 \
             ORDER BY 1",
        )
        .bind(call.to_string())
        .fetch_all(&self.pool)
        .await?;
        let (mut leaves, mut names) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            match row.try_get("leaf")? {
                Some(leaf) => leaves.push(leaf),
                None => names.push(ParticipantRow::from_row(row)?),
            }
        }
        Ok((leaves, names))
    }

    /// A page of a log with the details that still exist, from `after` on, oldest first.
    pub async fn log_page(
        &self,
        log: &str,
        after: i64,
        call: Option<Uuid>,
        times: (i64, i64),
        limit: u32,
    ) -> Result<Vec<EntryRow>, LedgerError> {
        let call = call.map(|call| call.to_string());
        Ok(sqlx::query_as(
            "SELECT entry.log, entry.seq, entry.leaf, entry.leaf_hash, detail.salt, detail.document \
             FROM entry LEFT JOIN detail ON detail.log = entry.log AND detail.seq = entry.seq \
             WHERE entry.log = ?1 AND entry.seq > ?2 AND (?3 IS NULL OR entry.call = ?3) \
             AND entry.at >= ?4 AND entry.at < ?5 ORDER BY entry.seq LIMIT ?6",
        )
        .bind(log)
        .bind(after)
        .bind(call)
        .bind(times.0)
        .bind(times.1)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Whether the sender's event id was seen on this call, and the digest of what it said.
    pub async fn sent_event(&self, call: Uuid, id: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(sqlx::query_scalar("SELECT digest FROM sent_event WHERE call = ? AND id = ?")
            .bind(call.to_string())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Whether a call has a recording of this name, deleted or not, and whether its account has a key
    /// to seal for.
    pub async fn before_upload(
        &self,
        account: &str,
        call: Uuid,
        name: &str,
    ) -> Result<(bool, bool), LedgerError> {
        Ok(sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM recording WHERE call = ? AND name = ?), \
             EXISTS (SELECT 1 FROM public_key WHERE account = ? AND retired_at IS NULL)",
        )
        .bind(call.to_string())
        .bind(name)
        .bind(account)
        .fetch_one(&self.pool)
        .await?)
    }

    /// A recording by its id.
    pub async fn recording(&self, account: &str, id: Uuid) -> Result<Option<RecordingRow>, LedgerError> {
        Ok(sqlx::query_as(rows::RECORDING_BY_ID)
            .bind(account)
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?)
    }

    /// A recording by its call and name.
    pub async fn recording_by_name(
        &self,
        call: Uuid,
        name: &str,
    ) -> Result<Option<RecordingRow>, LedgerError> {
        Ok(sqlx::query_as(rows::RECORDING_BY_NAME)
            .bind(call.to_string())
            .bind(name)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// A page of an account's recordings that are not deleted, oldest first.
    pub async fn recordings(
        &self,
        account: &str,
        call: Option<Uuid>,
        uploader: Option<&str>,
        after: (i64, String),
        limit: u32,
    ) -> Result<Vec<RecordingRow>, LedgerError> {
        Ok(sqlx::query_as(rows::RECORDINGS)
            .bind(account)
            .bind(after.0)
            .bind(after.1)
            .bind(call.map(|call| call.to_string()))
            .bind(uploader)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Recordings whose acceptance or deletion a crash has cut short.
    pub async fn unfinished(&self) -> Result<Vec<RecordingRow>, LedgerError> {
        Ok(sqlx::query_as(rows::UNFINISHED).fetch_all(&self.pool).await?)
    }

    /// Which of these media a recording names.
    pub async fn names_media(&self, media: &str) -> Result<bool, LedgerError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM recording WHERE id = ?")
            .bind(media)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }

    /// The sealed key of a subject.
    pub async fn subject(&self, tag: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(sqlx::query_scalar("SELECT key FROM subject WHERE tag = ?")
            .bind(tag)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The version of the table that is in force; none before the first start.
    pub async fn law(&self) -> Result<Option<VersionRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT version, digest, in_force_at, document FROM table_version ORDER BY version DESC LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Every version of the table, the newest first.
    pub async fn versions(&self) -> Result<Vec<VersionRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT version, digest, in_force_at, document FROM table_version ORDER BY version DESC",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The text of a table.
    pub async fn table(&self, digest: &str) -> Result<Option<String>, LedgerError> {
        Ok(sqlx::query_scalar("SELECT text FROM jurisdiction_table WHERE digest = ?")
            .bind(digest)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The digest of the last table that this source has offered.
    pub async fn table_source(&self, origin: &str) -> Result<Option<String>, LedgerError> {
        Ok(sqlx::query_scalar("SELECT digest FROM table_source WHERE origin = ?")
            .bind(origin)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Proposals, the newest first: all, or those that are open.
    pub async fn proposals(&self, open: bool) -> Result<Vec<ProposalRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT uid, digest, base, state, credential, person, document, proposed_at, expires_at, decided_at, decision \
             FROM proposal WHERE state = 'open' OR NOT ? ORDER BY proposed_at DESC, uid",
        )
        .bind(open)
        .fetch_all(&self.pool)
        .await?)
    }

    /// A proposal.
    pub async fn proposal(&self, uid: &str) -> Result<Option<ProposalRow>, LedgerError> {
        Ok(sqlx::query_as(
            "SELECT uid, digest, base, state, credential, person, document, proposed_at, expires_at, decided_at, decision \
             FROM proposal WHERE uid = ?",
        )
        .bind(uid)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The last moment that the system's log, or the table's history, speaks of.
    pub async fn last_of_law(&self) -> Result<i64, LedgerError> {
        Ok(sqlx::query_scalar(
            "SELECT max(coalesce((SELECT max(in_force_at) FROM table_version), 0), \
             coalesce((SELECT max(max(proposed_at, coalesce(decided_at, 0))) FROM proposal), 0))",
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// How many calls there are that were opened at `from` or later, in milliseconds.
    pub async fn count_calls(&self, from: i64, account: Option<&str>) -> Result<u64, LedgerError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM call WHERE opened_at >= ?1 AND (?2 IS NULL OR account = ?2)",
        )
        .bind(from)
        .bind(account)
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// These calls with all of their entries, as a stream. A damaged leaf is handed out as it is.
    pub fn histories<'l>(
        &'l self,
        from: i64,
        account: Option<&'l str>,
    ) -> impl Stream<Item = Result<History, LedgerError>> + 'l {
        sqlx::query_as(
            "SELECT call.uid, CAST((SELECT group_concat(CAST(leaf AS TEXT), char(10) ORDER BY seq) \
             FROM entry WHERE entry.call = call.uid) AS BLOB) AS leaves \
             FROM call WHERE opened_at >= ?1 AND (?2 IS NULL OR account = ?2)",
        )
        .bind(from)
        .bind(account)
        .fetch(&self.pool)
        .map_err(LedgerError::from)
    }

    /// Which of these recordings are not deleted.
    pub async fn live_recordings(&self, ids: &[String]) -> Result<Vec<String>, LedgerError> {
        let ids = serde_json::to_string(ids).map_err(|error| LedgerError::Damaged(error.to_string()))?;
        Ok(sqlx::query_scalar(
            "SELECT id FROM recording WHERE id IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL",
        )
        .bind(ids)
        .fetch_all(&self.pool)
        .await?)
    }

    /// The credential's holder, by name.
    pub async fn holder(&self, username: &str) -> Result<Option<String>, LedgerError> {
        Ok(sqlx::query_scalar("SELECT name FROM credential WHERE username = ?")
            .bind(username)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Notes what was left for later, brings the write-ahead log home and closes the pool. What was
    /// acknowledged is durable without it: a failure is only told.
    pub async fn close(&self) {
        if let Err(error) = self.append(Job::default()).await {
            tracing::info!(%error, "some envelopes could not be noted; the next start writes them again");
        }
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await {
            tracing::info!(%error, "the write-ahead log stays as it is");
        }
        self.pool.close().await;
    }
}

/// Why the ledger did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// SQL failed.
    #[error("the ledger failed")]
    Sql(#[from] sqlx::Error),
    /// Migrating failed.
    #[error("the ledger cannot be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The lock file cannot be used.
    #[error("the ledger's lock cannot be taken")]
    Lock(#[source] std::io::Error),
    /// It is not known whether the entries are durable.
    #[error("the audit trail cannot be written: {0}")]
    Unavailable(String),
    /// The SQLite library has the WAL-reset fault.
    #[error("SQLite {version} can lose writes with several writers; 3.51.3 or later is needed")]
    OldSqlite {
        /// Its version.
        version: String,
    },
    /// A row holds what it cannot hold.
    #[error("the ledger holds a damaged row: {0}")]
    Damaged(String),
}

/// Where the ledger's file is, below the data directory.
#[must_use]
pub fn file(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

fn private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let file = std::fs::File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

fn is_current(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= (3, 51, 3)
}

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/sqlite");

const FILE: &str = "ledger.db";
const LOCK: &str = "ledger.lock";
const READERS: u32 = 8;
