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
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, ffi, params_from_iter};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use uuid::Uuid;

use super::heads::{LogRow, NodeRow, Placed};
use super::near::{BUSY, Found, Near, PRAGMAS, connect, found, rows};
use super::registers::Registers;
use super::reserve::Reserve;
use super::sql::{Dialect, Pool, Statement, Value};
use super::writer::{self, Done, Engine, Room, Transaction, Waiting};
use super::{LedgerError, READERS};

/// Where the ledger's file is, below the data directory.
#[must_use]
pub fn file(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Opens the ledger in `dir`, creating or migrating it where needed: what reads, and what writes.
pub(super) async fn open(dir: &Path) -> Result<(Pool, SqliteEngine), LedgerError> {
    let (file, lock) = (file(dir), dir.join(LOCK));
    let options = SqliteConnectOptions::new().filename(&file).busy_timeout(BUSY);
    let options = PRAGMAS.iter().fold(options, |options, (name, value)| options.pragma(*name, *value));
    // It holds phone numbers, so only its owner may read it. SQLite gives its side files the same mode.
    private_file(&file).map_err(LedgerError::Lock)?;
    // sqlx takes no lock of its own on SQLite while it migrates.
    let held = lock_file(lock.clone()).await?;
    let pool = SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&pool).await?;
    if !is_current(&version) {
        return Err(LedgerError::OldSqlite { version });
    }
    MIGRATIONS.run(&pool).await?;
    // The connection that migrated keeps others from emptying the write-ahead log until it reads again.
    let _: i64 = sqlx::query_scalar("SELECT count(*) FROM log").fetch_one(&pool).await?;
    let reserve = Reserve::in_dir(dir);
    reserve.is_kept();
    drop(held);
    let near = Near::of(file.clone());
    Ok((Pool::Sqlite(pool, near), SqliteEngine { file, lock, reserve, connection: None, lock_on: None }))
}

/// What writes to the file.
pub(super) struct SqliteEngine {
    file: PathBuf,
    lock: PathBuf,
    reserve: Reserve,
    connection: Option<Connection>,
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
        let room = match self.reserve.is_kept() {
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

    fn breathe(&self) {
        std::thread::sleep(BREATH);
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
        let connection = match self.connection.as_mut() {
            Some(connection) => connection,
            None => self.connection.insert(connect_writer(&self.file)?),
        };
        let mut on = On(connection);
        on.run(&Statement::new("BEGIN IMMEDIATE"))?;
        let done = writer::write(&mut on, group, enveloped, registers, room).await?;
        // If anything fails before the end, the connection is dropped, and the transaction with it.
        on.run(&Statement::new("COMMIT"))?;
        Ok(done)
    }
}

fn connect_writer(file: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Calls have random ids, so writes are spread over the whole indexes by call.
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(connection)
}

/// Whether the disk or the owner's quota is full: SQLite reports a full quota as a failure to write.
fn is_full(error: &LedgerError) -> bool {
    let LedgerError::Sqlite(error) = error else { return false };
    error.sqlite_error().is_some_and(|error| FULL.contains(&error.extended_code))
}

/// A transaction.
struct On<'c>(&'c mut Connection);

impl On<'_> {
    fn run(&mut self, statement: &Statement) -> Result<(), LedgerError> {
        self.0.prepare_cached(&statement.sql)?.execute(params_from_iter(&statement.values))?;
        Ok(())
    }

    fn ask<R: Found>(&mut self, question: &Statement) -> Result<Vec<R>, LedgerError> {
        Ok(rows(self.0, question, usize::MAX)?.unwrap_or_default())
    }

    /// Inserts rows: `into` names the table, and as many columns as a row has values.
    fn insert<const N: usize>(
        &mut self,
        into: &str,
        rows: impl Iterator<Item = [Value; N]>,
        conflict: &str,
    ) -> Result<(), LedgerError> {
        let row = ["?"; N].join(", ");
        let sql = format!("INSERT OR ROLLBACK INTO {into} VALUES ({row}){conflict}");
        let mut prepared = self.0.prepare_cached(&sql)?;
        for row in rows {
            prepared.execute(params_from_iter(row))?;
        }
        Ok(())
    }
}

impl Transaction for On<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn answers(&mut self, questions: Vec<Statement>) -> Result<Vec<bool>, LedgerError> {
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            answers.extend(self.ask::<bool>(&Statement::asking(vec![question]))?);
        }
        Ok(answers)
    }

    async fn texts(&mut self, question: Statement) -> Result<Vec<Vec<Option<String>>>, LedgerError> {
        self.ask(&question)
    }

    async fn execute(&mut self, statement: Statement) -> Result<(), LedgerError> {
        self.run(&statement)
    }

    async fn logs(&mut self, ids: &[&str]) -> Result<Vec<LogRow>, LedgerError> {
        let asked =
            "SELECT id, epoch, size, edge, last_at FROM log WHERE id IN (SELECT value FROM json_each(?))";
        self.ask(&Statement::new(asked).bind(json(&ids)?))
    }

    async fn put_logs(&mut self, rows: &[LogRow]) -> Result<(), LedgerError> {
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
        self.insert("log (id, epoch, size, edge, last_at)", values, conflict)
    }

    async fn move_heads(&mut self, calls: &BTreeMap<Uuid, Uuid>) -> Result<(), LedgerError> {
        let moved =
            "UPDATE call SET head = moved.value FROM json_each(?) AS moved WHERE call.uid = moved.key";
        self.run(&Statement::new(moved).bind(json(calls)?))
    }

    async fn put_entries(&mut self, entries: &[Placed<'_>]) -> Result<(), LedgerError> {
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
        self.insert("entry (log, epoch, seq, id, call, at, type, leaf, leaf_hash)", rows, "")?;
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
        self.insert("detail (log, epoch, seq, salt, document)", details, "")?;
        let firsts = entries.iter().filter(|placed| placed.begins_a_stretch()).map(|placed| {
            [
                Value::from(&placed.draft.log),
                Value::from(placed.epoch),
                Value::from(placed.seq),
                Value::from(placed.draft.at.as_millisecond()),
            ]
        });
        self.insert("entry_time (log, epoch, seq, at)", firsts, "")?;
        let of_calls = entries
            .iter()
            .flat_map(Placed::mentions_of_call)
            .map(|(log, key, call)| [Value::from(log), Value::from(key), Value::from(&call)]);
        self.insert("call_mention (log, key, call)", of_calls, " ON CONFLICT DO NOTHING")?;
        let of_entries = entries.iter().flat_map(Placed::mentions_of_entry).map(|(placed, key)| {
            [
                Value::from(&placed.draft.log),
                Value::from(key),
                Value::from(placed.epoch),
                Value::from(placed.seq),
            ]
        });
        self.insert("entry_mention (log, key, epoch, seq)", of_entries, "")
    }

    async fn put_nodes(&mut self, nodes: &[NodeRow<'_>]) -> Result<(), LedgerError> {
        let rows = nodes.iter().map(|node| {
            [
                Value::from(node.log),
                Value::from(node.epoch),
                Value::from(node.level),
                Value::from(node.idx),
                Value::from(node.hash.as_slice()),
            ]
        });
        self.insert("node (log, epoch, level, idx, hash)", rows, "")
    }

    async fn note_enveloped(&mut self, ids: &[Uuid]) -> Result<(), LedgerError> {
        if ids.is_empty() {
            return Ok(());
        }
        let noted = "UPDATE recording SET enveloped = TRUE WHERE id IN (SELECT value FROM json_each(?))";
        self.run(&Statement::new(noted).bind(json(ids)?))
    }
}

found!(LogRow { id, epoch, size, edge, last_at });

fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| LedgerError::Damaged(error.to_string()))
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
/// How SQLite says so.
const FULL: [i32; 2] = [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE];
/// With what the kernel adds, a tenth of a sync. It lets 64 writers append a sixth more, and 256 two fifths more.
const BREATH: Duration = Duration::from_micros(20);
/// How long to wait while another process writes.
const PATIENCE: Duration = Duration::from_secs(20);
