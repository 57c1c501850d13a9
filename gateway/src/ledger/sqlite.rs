//! The ledger in one SQLite file: the embedded default.
//!
//! Several processes may write to one ledger: they queue on a file lock, since SQLite's own busy
//! handler starves whoever waits.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteError, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, QueryBuilder, Sqlite};
use uuid::Uuid;

use super::heads::{LogRow, NodeRow, Placed};
use super::reserve::Reserve;
use super::sql::Statement;
use super::writer::{self, Engine, Outcome, Room, Transaction, Waiting};
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
    // Phone numbers are in it: for its owner only. SQLite gives its side files the same mode.
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
    // The connection that has migrated keeps others from emptying the write-ahead log until it reads again.
    let _: i64 = sqlx::query_scalar("SELECT count(*) FROM log").fetch_one(&pool).await?;
    let reserve = Reserve::in_dir(dir);
    reserve.is_kept().await;
    drop(held);
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
    async fn commit(&mut self, group: &[Waiting], enveloped: &[Uuid]) -> Result<Vec<Outcome>, LedgerError> {
        // Whoever waits longer is told so: what was stamped before must not be logged long after.
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
        let outcomes = match self.try_commit(group, enveloped, room).await {
            Err(error) if is_full(&error) && group.iter().any(|waiting| waiting.job.restricts()) => {
                self.connection = None;
                if !self.reserve.give() {
                    return Err(error);
                }
                self.try_commit(group, enveloped, Room::ForWhatRestricts).await?
            }
            outcomes => outcomes?,
        };
        // At this point every entry of the group is durable; a crash after it loses only the answers.
        file.unlock().map_err(LedgerError::Lock)?;
        self.lock_on = Some(file);
        Ok(outcomes)
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
        room: Room,
    ) -> Result<Vec<Outcome>, LedgerError> {
        let connected = match self.connection.as_mut() {
            Some(connected) => connected,
            None => self.connection.insert(self.options.connect().await?),
        };
        let mut transaction = connected.begin_with("BEGIN IMMEDIATE").await?;
        let outcomes = writer::write(&mut On(&mut transaction), group, enveloped, room).await?;
        transaction.commit().await?;
        Ok(outcomes)
    }
}

/// Whether the disk is full.
fn is_full(error: &LedgerError) -> bool {
    let LedgerError::Sql(sqlx::Error::Database(error)) = error else { return false };
    let error = error.try_downcast_ref::<SqliteError>();
    error.and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == SQLITE_FULL)
}

struct On<'c>(&'c mut SqliteConnection);

impl Transaction for On<'_> {
    async fn holds(&mut self, questions: Vec<Statement>) -> Result<bool, sqlx::Error> {
        let (sql, bound) = Statement::all(questions).for_sqlite()?;
        sqlx::query_scalar_with(sql, bound).fetch_one(&mut *self.0).await
    }

    async fn execute(&mut self, statement: Statement) -> Result<(), sqlx::Error> {
        let (sql, bound) = statement.for_sqlite()?;
        sqlx::query_with(sql, bound).execute(&mut *self.0).await.map(drop)
    }

    async fn logs(&mut self, ids: &[&str]) -> Result<Vec<LogRow>, sqlx::Error> {
        let ids = serde_json::to_string(ids).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query_as(
            "SELECT id, epoch, size, edge, last_at FROM log WHERE id IN (SELECT value FROM json_each(?))",
        )
        .bind(ids)
        .fetch_all(&mut *self.0)
        .await
    }

    async fn put_logs(&mut self, rows: &[LogRow]) -> Result<(), sqlx::Error> {
        for rows in rows.chunks(ROWS) {
            let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO log (id, epoch, size, edge, last_at) ");
            query.push_values(rows, |mut to, row| {
                to.push_bind(&row.id)
                    .push_bind(row.epoch)
                    .push_bind(row.size)
                    .push_bind(row.edge.as_slice())
                    .push_bind(row.last_at);
            });
            query.push(
                " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, size = excluded.size, \
                 edge = excluded.edge, last_at = excluded.last_at",
            );
            query.build().execute(&mut *self.0).await?;
        }
        Ok(())
    }

    async fn put_entries(&mut self, entries: &[Placed<'_>]) -> Result<(), sqlx::Error> {
        for rows in entries.chunks(ROWS) {
            QueryBuilder::<Sqlite>::new(
                "INSERT INTO entry (log, epoch, seq, id, call, at, type, leaf, leaf_hash) ",
            )
            .push_values(rows, |mut row, placed| {
                let draft = placed.draft;
                row.push_bind(&draft.log)
                    .push_bind(placed.epoch)
                    .push_bind(placed.seq)
                    .push_bind(draft.id.to_string())
                    .push_bind(draft.call.map(|call| call.to_string()))
                    .push_bind(draft.at.as_millisecond())
                    .push_bind(draft.kind)
                    .push_bind(draft.leaf.as_slice())
                    .push_bind(draft.leaf_hash.as_slice());
            })
            .build()
            .execute(&mut *self.0)
            .await?;
        }
        let detailed: Vec<_> =
            entries.iter().filter_map(|placed| Some((placed, placed.draft.detail.as_ref()?))).collect();
        for rows in detailed.chunks(ROWS) {
            QueryBuilder::<Sqlite>::new("INSERT INTO detail (log, epoch, seq, salt, document) ")
                .push_values(rows, |mut row, (placed, detail)| {
                    row.push_bind(&placed.draft.log)
                        .push_bind(placed.epoch)
                        .push_bind(placed.seq)
                        .push_bind(detail.salt.as_slice())
                        .push_bind(&detail.document);
                })
                .build()
                .execute(&mut *self.0)
                .await?;
        }
        let firsts: Vec<_> = entries.iter().filter(|placed| placed.begins_a_stretch()).collect();
        for rows in firsts.chunks(ROWS) {
            QueryBuilder::<Sqlite>::new("INSERT INTO entry_time (log, epoch, seq, at) ")
                .push_values(rows, |mut row, placed| {
                    row.push_bind(&placed.draft.log)
                        .push_bind(placed.epoch)
                        .push_bind(placed.seq)
                        .push_bind(placed.draft.at.as_millisecond());
                })
                .build()
                .execute(&mut *self.0)
                .await?;
        }
        let of_calls: Vec<_> = entries.iter().flat_map(Placed::mentions_of_call).collect();
        for rows in of_calls.chunks(ROWS) {
            let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO call_mention (log, key, call) ");
            query.push_values(rows, |mut row, (log, key, call)| {
                row.push_bind(*log).push_bind(*key).push_bind(call.to_string());
            });
            query.push(" ON CONFLICT DO NOTHING");
            query.build().execute(&mut *self.0).await?;
        }
        let of_entries: Vec<_> = entries.iter().flat_map(Placed::mentions_of_entry).collect();
        for rows in of_entries.chunks(ROWS) {
            QueryBuilder::<Sqlite>::new("INSERT INTO entry_mention (log, key, epoch, seq) ")
                .push_values(rows, |mut row, (placed, key)| {
                    row.push_bind(&placed.draft.log)
                        .push_bind(*key)
                        .push_bind(placed.epoch)
                        .push_bind(placed.seq);
                })
                .build()
                .execute(&mut *self.0)
                .await?;
        }
        Ok(())
    }

    async fn put_nodes(&mut self, nodes: &[NodeRow<'_>]) -> Result<(), sqlx::Error> {
        for rows in nodes.chunks(ROWS) {
            QueryBuilder::<Sqlite>::new("INSERT INTO node (log, epoch, level, idx, hash) ")
                .push_values(rows, |mut row, node| {
                    row.push_bind(node.log)
                        .push_bind(node.epoch)
                        .push_bind(node.level)
                        .push_bind(node.idx)
                        .push_bind(node.hash.as_slice());
                })
                .build()
                .execute(&mut *self.0)
                .await?;
        }
        Ok(())
    }

    async fn note_enveloped(&mut self, ids: &[Uuid]) -> Result<(), sqlx::Error> {
        for ids in ids.chunks(ROWS) {
            let mut query =
                QueryBuilder::<Sqlite>::new("UPDATE recording SET enveloped = TRUE WHERE id IN (");
            let mut listed = query.separated(", ");
            for id in ids {
                listed.push_bind(id.to_string());
            }
            listed.push_unseparated(")");
            query.build().execute(&mut *self.0).await?;
        }
        Ok(())
    }
}

/// Brings the write-ahead log home and empties it; answers whether nobody was in the way.
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

/// Writes the file anew, without what unused pages hold. Whoever wants to write waits in line meanwhile.
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
const SQLITE_FULL: &str = "13";
/// How long somebody else may write before whoever waits is answered.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many rows one statement inserts at most.
const ROWS: usize = 64;
