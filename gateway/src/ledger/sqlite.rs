//! The ledger in one SQLite file: the embedded default.
//!
//! Several processes may write to one ledger: they queue on a file lock, since SQLite's own busy handler
//! starves waiting processes.
//!
//! INVARIANT: COMMIT is the last statement of a group, and after any failure nothing more is sent over the
//! connection: a violated constraint has rolled everything back (`OR ROLLBACK`, which needs no journal of
//! each statement), and later statements would be committed by themselves.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteError, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, FromRow as _, Row as _};
use uuid::Uuid;

use super::heads::{LogRow, NodeRow, Placed};
use super::registers::{Registers, of_texts};
use super::reserve::Reserve;
use super::sql::{Dialect, FEW, Statement, Value};
use super::writer::{self, Done, Engine, Room, Transaction, Waiting};
use super::{LedgerError, READERS};

/// Where the ledger's file is, below the data directory.
#[must_use]
pub fn file(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Opens the ledger in `dir`, creating or migrating it where needed: what reads, and what writes.
pub(super) async fn open(dir: &Path) -> Result<(SqlitePool, SqliteEngine), LedgerError> {
    let lock = dir.join(LOCK);
    let options = SqliteConnectOptions::from_str("sqlite:")
        .map_err(LedgerError::Sql)?
        .filename(dir.join(FILE))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("secure_delete", "on")
        .pragma("trusted_schema", "off");
    // It holds phone numbers, so only its owner may read it. SQLite gives its side files the same mode.
    private_file(&dir.join(FILE)).map_err(LedgerError::Lock)?;
    // sqlx takes no lock of its own on SQLite while it migrates.
    let held = lock_file(lock.clone()).await?;
    let pool = SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options.clone())
        .await?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&pool).await?;
    if !is_current(&version) {
        return Err(LedgerError::OldSqlite { version });
    }
    MIGRATIONS.run(&pool).await?;
    // The connection that migrated keeps others from emptying the write-ahead log until it reads again.
    let _: i64 = sqlx::query_scalar("SELECT count(*) FROM log").fetch_one(&pool).await?;
    let reserve = Reserve::in_dir(dir);
    reserve.is_kept().await;
    drop(held);
    // Calls have random ids, so writes are spread over the whole indexes by call.
    let options = options.pragma("cache_size", "-16384");
    Ok((pool, SqliteEngine { options, lock, reserve, connection: None, lock_on: None }))
}

/// What writes to the file.
pub(super) struct SqliteEngine {
    options: SqliteConnectOptions,
    lock: PathBuf,
    reserve: Reserve,
    connection: Option<SqliteConnection>,
    lock_on: Option<File>,
}

impl Engine for SqliteEngine {
    async fn commit(
        &mut self,
        group: &[Waiting],
        enveloped: &[Uuid],
        registers: &Registers,
    ) -> Result<Done, LedgerError> {
        // Waiting longer is an error: an entry must not be logged long after it was stamped.
        let lock = async {
            match self.lock_on.take() {
                Some(file) => relock(file).await,
                None => lock_file(self.lock.clone()).await,
            }
        };
        let file = tokio::time::timeout(PATIENCE, lock).await.map_err(|_| LedgerError::Busy)??;
        let room = match self.reserve.is_kept().await {
            true => Room::ForAll,
            false => Room::ForWhatRestricts,
        };
        let done = match self.try_commit(group, enveloped, registers, room).await {
            Err(error) if is_full(&error) && group.iter().any(|waiting| waiting.job.restricts()) => {
                self.connection = None;
                if !self.reserve.give() {
                    return Err(error);
                }
                self.try_commit(group, enveloped, registers, Room::ForWhatRestricts).await?
            }
            done => done?,
        };
        // At this point every entry of the group is durable; a crash after it loses only the answers.
        file.unlock().map_err(LedgerError::Lock)?;
        self.lock_on = Some(file);
        Ok(done)
    }

    fn forget(&mut self) {
        self.connection = None;
        self.lock_on = None;
    }
}

impl SqliteEngine {
    async fn try_commit(
        &mut self,
        group: &[Waiting],
        enveloped: &[Uuid],
        registers: &Registers,
        room: Room,
    ) -> Result<Done, LedgerError> {
        let connected = match self.connection.as_mut() {
            Some(connected) => connected,
            None => self.connection.insert(self.options.connect().await?),
        };
        let mut on = On { connection: connected, pending: vec![Statement::new("BEGIN IMMEDIATE")] };
        let done = writer::write(&mut on, group, enveloped, registers, room).await?;
        on.pending.push(Statement::new("COMMIT"));
        // If anything fails before the end, the connection is dropped, and the transaction with it.
        on.flush().await?;
        Ok(done)
    }
}

/// Whether the disk or the owner's quota is full: SQLite reports a full quota as a failure to write.
fn is_full(error: &LedgerError) -> bool {
    let LedgerError::Sql(sqlx::Error::Database(error)) = error else { return false };
    let error = error.try_downcast_ref::<SqliteError>();
    error.and_then(sqlx::error::DatabaseError::code).is_some_and(|code| FULL.contains(&code.as_ref()))
}

/// A transaction. Writes, its beginning included, wait until something is asked or many are waiting: every
/// message to the thread that runs SQLite costs as much as writing several rows.
struct On<'c> {
    connection: &'c mut SqliteConnection,
    pending: Vec<Statement>,
}

impl On<'_> {
    /// Sends the waiting writes.
    async fn flush(&mut self) -> Result<(), sqlx::Error> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        // Combinations of few statements recur; those of many hardly ever do.
        let kept = pending.len() <= FEW;
        self.run(Statement::in_turn(pending), kept).await
    }

    /// Sends the waiting writes, and asks.
    async fn ask(&mut self, question: Statement, kept: bool) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut all = std::mem::take(&mut self.pending);
        let kept = kept && all.len() <= FEW;
        all.push(question);
        let (sql, bound) = Statement::in_turn(all).for_sqlite()?;
        sqlx::query_with(sql, bound).persistent(kept).fetch_all(&mut *self.connection).await
    }

    async fn run(&mut self, statement: Statement, kept: bool) -> Result<(), sqlx::Error> {
        let (sql, bound) = statement.for_sqlite()?;
        sqlx::query_with(sql, bound).persistent(kept).execute(&mut *self.connection).await.map(drop)
    }

    /// Inserts rows: `into` names the table, and as many columns as a row has values.
    async fn insert<const N: usize>(
        &mut self,
        into: &str,
        rows: impl Iterator<Item = [Value; N]>,
        conflict: &str,
    ) -> Result<(), sqlx::Error> {
        let mut values: Vec<Value> = rows.flatten().collect();
        while !values.is_empty() {
            let rest = values.split_off(values.len().min(ROWS.saturating_mul(N)));
            let rows = std::mem::replace(&mut values, rest);
            let count = rows.len().checked_div(N).unwrap_or_default();
            let row = format!("({})", ["?"; N].join(", "));
            let sql =
                format!("INSERT OR ROLLBACK INTO {into} VALUES {}{conflict}", vec![row; count].join(", "));
            let statement = Statement { sql: sql.into(), values: rows };
            if count == ROWS {
                // A full statement recurs, and is worth preparing.
                self.flush().await?;
                self.run(statement, true).await?;
            } else {
                self.execute(statement).await?;
            }
        }
        Ok(())
    }
}

impl Transaction for On<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn answers(&mut self, questions: Vec<Statement>) -> Result<Vec<bool>, sqlx::Error> {
        let count = questions.len();
        let rows = self.ask(Statement::asking(questions), count <= FEW).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        (0..count).map(|index| row.try_get(index)).collect()
    }

    async fn texts(&mut self, question: Statement) -> Result<Vec<Vec<Option<String>>>, sqlx::Error> {
        let rows = self.ask(question, true).await?;
        of_texts!(rows)
    }

    async fn execute(&mut self, statement: Statement) -> Result<(), sqlx::Error> {
        self.pending.push(statement);
        if self.pending.len() >= MANY {
            self.flush().await?;
        }
        Ok(())
    }

    async fn logs(&mut self, ids: &[&str]) -> Result<Vec<LogRow>, sqlx::Error> {
        let asked =
            "SELECT id, epoch, size, edge, last_at FROM log WHERE id IN (SELECT value FROM json_each(?))";
        let rows = self.ask(Statement::new(asked).bind(json(&ids)?), true).await?;
        rows.iter().map(LogRow::from_row).collect()
    }

    async fn put_logs(&mut self, rows: &[LogRow]) -> Result<(), sqlx::Error> {
        let values = rows.iter().map(|row| {
            [
                Value::from(&row.id),
                Value::from(row.epoch),
                Value::from(row.size),
                Value::from(&row.edge),
                Value::from(row.last_at),
            ]
        });
        let conflict = " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, size = excluded.size, \
             edge = excluded.edge, last_at = excluded.last_at";
        self.insert("log (id, epoch, size, edge, last_at)", values, conflict).await
    }

    async fn move_heads(&mut self, calls: &BTreeMap<Uuid, Uuid>) -> Result<(), sqlx::Error> {
        let moved =
            "UPDATE call SET head = moved.value FROM json_each(?) AS moved WHERE call.uid = moved.key";
        self.execute(Statement::new(moved).bind(json(calls)?)).await
    }

    async fn put_entries(&mut self, entries: &[Placed<'_>]) -> Result<(), sqlx::Error> {
        let rows = entries.iter().map(|placed| {
            let draft = placed.draft;
            [
                Value::from(&draft.log),
                Value::from(placed.epoch),
                Value::from(placed.seq),
                Value::from(&draft.id),
                Value::from(&draft.call.map(|call| call.to_string())),
                Value::from(draft.at.as_millisecond()),
                Value::from(draft.kind),
                Value::from(&*placed.leaf),
                Value::from(placed.leaf_hash.as_slice()),
            ]
        });
        self.insert("entry (log, epoch, seq, id, call, at, type, leaf, leaf_hash)", rows, "").await?;
        let details = entries.iter().filter_map(|placed| {
            let detail = placed.draft.detail.as_ref()?;
            Some([
                Value::from(&placed.draft.log),
                Value::from(placed.epoch),
                Value::from(placed.seq),
                Value::from(detail.salt.as_slice()),
                Value::from(&detail.document),
            ])
        });
        self.insert("detail (log, epoch, seq, salt, document)", details, "").await?;
        let firsts = entries.iter().filter(|placed| placed.begins_a_stretch()).map(|placed| {
            [
                Value::from(&placed.draft.log),
                Value::from(placed.epoch),
                Value::from(placed.seq),
                Value::from(placed.draft.at.as_millisecond()),
            ]
        });
        self.insert("entry_time (log, epoch, seq, at)", firsts, "").await?;
        let of_calls = entries
            .iter()
            .flat_map(Placed::mentions_of_call)
            .map(|(log, key, call)| [Value::from(log), Value::from(key), Value::from(&call)]);
        self.insert("call_mention (log, key, call)", of_calls, " ON CONFLICT DO NOTHING").await?;
        let of_entries = entries.iter().flat_map(Placed::mentions_of_entry).map(|(placed, key)| {
            [
                Value::from(&placed.draft.log),
                Value::from(key),
                Value::from(placed.epoch),
                Value::from(placed.seq),
            ]
        });
        self.insert("entry_mention (log, key, epoch, seq)", of_entries, "").await
    }

    async fn put_nodes(&mut self, nodes: &[NodeRow<'_>]) -> Result<(), sqlx::Error> {
        let rows = nodes.iter().map(|node| {
            [
                Value::from(node.log),
                Value::from(node.epoch),
                Value::from(node.level),
                Value::from(node.idx),
                Value::from(node.hash.as_slice()),
            ]
        });
        self.insert("node (log, epoch, level, idx, hash)", rows, "").await
    }

    async fn note_enveloped(&mut self, ids: &[Uuid]) -> Result<(), sqlx::Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let noted = "UPDATE recording SET enveloped = TRUE WHERE id IN (SELECT value FROM json_each(?))";
        self.execute(Statement::new(noted).bind(json(ids)?)).await
    }
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// Empties the write-ahead log into the file; returns whether nobody was in the way.
pub(super) async fn settle(pool: &SqlitePool) -> Result<bool, sqlx::Error> {
    let (busy, ..): (i64, i64, i64) =
        sqlx::query_as(AssertSqlSafe("PRAGMA wal_checkpoint(TRUNCATE)")).fetch_one(pool).await?;
    Ok(busy == 0)
}

/// How many bytes the file has.
pub(super) async fn size(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await
}

/// Rewrites the file, without the contents of unused pages. Writers wait meanwhile.
pub(super) async fn rewrite(pool: &SqlitePool) -> Result<(), LedgerError> {
    let options = pool.connect_options();
    let held = lock_file(options.get_filename().with_file_name(LOCK)).await?;
    sqlx::query(AssertSqlSafe("VACUUM")).execute(pool).await?;
    held.unlock().map_err(LedgerError::Lock)
}

/// Takes the lock that lets one process at a time write, waiting in line for it.
async fn lock_file(path: PathBuf) -> Result<File, LedgerError> {
    let open = move || File::options().create(true).truncate(false).write(true).open(path);
    let file = tokio::task::spawn_blocking(open).await.map_err(stopped)?.map_err(LedgerError::Lock)?;
    relock(file).await
}

async fn relock(file: File) -> Result<File, LedgerError> {
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {}
        Err(std::fs::TryLockError::Error(error)) => return Err(LedgerError::Lock(error)),
    }
    let wait = move || file.lock().map(|()| file);
    tokio::task::spawn_blocking(wait).await.map_err(stopped)?.map_err(LedgerError::Lock)
}

fn stopped(_: tokio::task::JoinError) -> LedgerError {
    LedgerError::Unavailable("the gateway is stopping".into())
}

fn private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
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
/// SQLITE_FULL and SQLITE_IOERR_WRITE.
const FULL: [&str; 2] = ["13", "778"];
/// How long to wait while another process writes.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many rows one statement inserts at most.
const ROWS: usize = 64;
/// How many statements go to SQLite together at most: for each it copies the text of all that remain.
const MANY: usize = 64;
