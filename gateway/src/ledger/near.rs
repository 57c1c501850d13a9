//! SQLite on the thread that asks. Finding a row by an index takes a few microseconds; a message to another
//! thread and back takes longer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, params_from_iter};
use tokio::sync::Semaphore;

use super::LedgerError;
use super::sql::Statement;

/// Connections that read; whoever asks takes one, and puts it back.
#[derive(Debug, Clone)]
pub(super) struct Near {
    file: PathBuf,
    spare: Arc<Mutex<Vec<Connection>>>,
    /// How many long answers may be read beside those that are being read.
    turns: Arc<Semaphore>,
}

impl Near {
    pub(super) fn of(file: PathBuf) -> Near {
        Near { file, spare: Arc::default(), turns: Arc::new(Semaphore::new(SPARE)) }
    }

    /// All rows. Those of a long answer are read on another thread, so that nobody else waits for them.
    pub(super) async fn fetch_all<R: Found>(&self, question: Statement) -> Result<Vec<R>, LedgerError> {
        if let Some(few) = self.ask(&question, FEW)? {
            return Ok(few);
        }
        let unanswered = || LedgerError::Unavailable("a question was not answered".into());
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| unanswered())?;
        let near = self.clone();
        let all = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            near.ask(&question, usize::MAX)
        });
        let all = all.await.map_err(|_| unanswered())?;
        Ok(all?.unwrap_or_default())
    }

    /// The first row.
    pub(super) async fn fetch_optional<R: Found>(
        &self,
        question: Statement,
    ) -> Result<Option<R>, LedgerError> {
        Ok(self.fetch_all(question).await?.into_iter().next())
    }

    /// The row of a question that always has one.
    pub(super) async fn fetch_one<R: Found>(&self, question: Statement) -> Result<R, LedgerError> {
        self.fetch_optional(question).await?.ok_or(LedgerError::Sqlite(rusqlite::Error::QueryReturnedNoRows))
    }

    /// All rows; `None` if there are more than `most`.
    fn ask<R: Found>(&self, question: &Statement, most: usize) -> Result<Option<Vec<R>>, LedgerError> {
        let spare = self.spare().pop();
        let connection = match spare {
            Some(connection) => connection,
            None => connect(&self.file, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        // A connection that fails is not put back.
        let found = rows(&connection, question, most)?;
        let mut spare = self.spare();
        if spare.len() < SPARE {
            spare.push(connection);
        }
        Ok(found)
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        self.spare().clear();
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is read from a row.
pub(super) trait Found: Sized + Send + 'static {
    fn found(row: &Row<'_>) -> rusqlite::Result<Self>;
}

/// Reads the fields of a struct from the columns of their names.
macro_rules! found {
    ($of:ident { $($field:ident),* $(,)? }) => {
        impl $crate::ledger::near::Found for $of {
            fn found(row: &rusqlite::Row<'_>) -> rusqlite::Result<$of> {
                Ok($of { $($field: row.get(stringify!($field))?),* })
            }
        }
    };
}
pub(super) use found;

/// Reads the only column.
macro_rules! found_alone {
    ($($of:ty),*) => {
        $(impl Found for $of {
            fn found(row: &Row<'_>) -> rusqlite::Result<$of> {
                row.get(0)
            }
        })*
    };
}
found_alone!(bool, Vec<u8>);

impl Found for (bool, bool) {
    fn found(row: &Row<'_>) -> rusqlite::Result<(bool, bool)> {
        row.try_into()
    }
}

/// Rows of texts.
impl Found for Vec<Option<String>> {
    fn found(row: &Row<'_>) -> rusqlite::Result<Vec<Option<String>>> {
        (0..row.as_ref().column_count()).map(|index| row.get(index)).collect()
    }
}

/// The rows that answer a question; `None` if there are more than `most`.
pub(super) fn rows<R: Found>(
    connection: &Connection,
    question: &Statement,
    most: usize,
) -> rusqlite::Result<Option<Vec<R>>> {
    let mut prepared = connection.prepare_cached(&question.sql)?;
    let mut rows = prepared.query(params_from_iter(&question.values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if found.len() >= most {
            return Ok(None);
        }
        found.push(R::found(row)?);
    }
    Ok(Some(found))
}

/// Connects, as sqlx is told to.
pub(super) fn connect(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    for (name, value) in PRAGMAS {
        connection.pragma_update(None, name, value)?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// What every connection sets.
pub(super) const PRAGMAS: [(&str, &str); 5] = [
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("foreign_keys", "ON"),
    ("secure_delete", "ON"),
    ("trusted_schema", "OFF"),
];
/// How long a connection waits for a lock inside of SQLite.
pub(super) const BUSY: Duration = Duration::from_secs(10);
/// How many connections are kept for the next who ask, and how many long answers are read at once.
const SPARE: usize = 8;
/// How many statements a connection keeps prepared: more than there are.
const STATEMENTS: usize = 256;
/// How many rows are read on the thread that asks.
const FEW: usize = 200;

#[cfg(test)]
mod tests {
    use rusqlite::types::Value;

    use super::*;

    #[test]
    fn every_connection_syncs_and_waits_alike_and_readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        let writes = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let [writer, reader] =
            [writes, OpenFlags::SQLITE_OPEN_READ_ONLY].map(|flags| connect(&file, flags).unwrap());
        for (name, value) in [
            ("journal_mode", Value::Text("wal".into())),
            ("synchronous", Value::Integer(2)),
            ("foreign_keys", Value::Integer(1)),
            ("secure_delete", Value::Integer(1)),
            ("trusted_schema", Value::Integer(0)),
            ("busy_timeout", Value::Integer(10_000)),
        ] {
            for connection in [&writer, &reader] {
                let set: Value = connection.pragma_query_value(None, name, |row| row.get(0)).unwrap();
                assert_eq!(set, value, "{name}");
            }
        }
        writer.execute_batch("CREATE TABLE one (n INTEGER)").unwrap();
        assert!(reader.execute_batch("INSERT INTO one VALUES (1)").is_err());
    }

    #[tokio::test]
    async fn short_and_long_answers_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let near = Near::of(dir.path().join("a.db"));
        assert!(near.fetch_all::<bool>(Statement::new("SELECT TRUE")).await.is_err(), "there is no file");
        let writes = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        connect(&near.file, writes).unwrap();
        let counted = "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted) \
             SELECT CAST(n AS TEXT), NULL FROM counted LIMIT ?";
        for count in [0, 1, 200, 201, 5_000] {
            let rows: Vec<Vec<Option<String>>> =
                near.fetch_all(Statement::new(counted).bind(count)).await.unwrap();
            let wanted: Vec<_> = (1..=count).map(|n| vec![Some(n.to_string()), None]).collect();
            assert_eq!(rows, wanted);
        }
        assert_eq!(near.spare().len(), 1, "one connection has served all of them");
        let refused = near.fetch_all::<bool>(Statement::new("SELECT 'text'")).await;
        assert!(refused.is_err() && near.spare().is_empty());
    }
}
