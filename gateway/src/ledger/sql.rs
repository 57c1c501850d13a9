//! SQL that both engines understand, written once; variants are side by side.
//!
//! Statements have `?` for bound values. SQLite takes them as they are; for PostgreSQL they are numbered. No
//! statement holds any other question mark.

use std::borrow::Cow;

use rusqlite::types::{ToSql, ToSqlOutput};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgArguments, PgPool};
use sqlx::sqlite::{SqliteArguments, SqlitePool};

use super::near::Near;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The one for SQLite, or the one for PostgreSQL.
    pub(super) fn pick<T>(self, sqlite: T, postgres: T) -> T {
        match self {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// The statement as the engine wants it.
    pub(super) fn write(self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(match self {
            Dialect::Sqlite => sql.to_owned(),
            Dialect::Postgres => numbered(sql).into_owned(),
        })
    }
}

/// `?` becomes `$1`, `$2`, ….
pub(super) fn numbered(sql: &str) -> Cow<'_, str> {
    let mut parts = sql.split('?');
    let Some(first) = parts.next() else { return Cow::Borrowed(sql) };
    let mut text = String::with_capacity(sql.len().saturating_add(16));
    text.push_str(first);
    for (index, part) in parts.enumerate() {
        text.push('$');
        text.push_str(&index.saturating_add(1).to_string());
        text.push_str(part);
    }
    Cow::Owned(text)
}

/// The connections for reading.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    /// For what may take long, and for the rest.
    Sqlite(SqlitePool, Near),
    Postgres(PgPool),
}

impl Pool {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Pool::Sqlite(..) => Dialect::Sqlite,
            Pool::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// One statement with its bound values.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

/// A bound value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    MaybeText(Option<String>),
    Int(i64),
    MaybeInt(Option<i64>),
    Bool(bool),
    Bytes(Vec<u8>),
    MaybeBytes(Option<Vec<u8>>),
}

impl Statement {
    pub(super) fn new(sql: &'static str) -> Statement {
        Statement { sql: Cow::Borrowed(sql), values: Vec::new() }
    }

    pub(super) fn bind(mut self, value: impl Into<Value>) -> Statement {
        self.values.push(value.into());
        self
    }

    /// One statement that asks all of these questions: it returns a row with an answer to each.
    pub(super) fn asking(questions: Vec<Statement>) -> Statement {
        let (mut sql, mut values) = (String::from("SELECT "), Vec::new());
        for (index, question) in questions.into_iter().enumerate() {
            sql.push_str(if index > 0 { ", (" } else { "(" });
            sql.push_str(&question.sql);
            sql.push(')');
            values.extend(question.values);
        }
        Statement { sql: Cow::Owned(sql), values }
    }

    pub(super) fn for_sqlite(self) -> Result<(AssertSqlSafe<String>, SqliteArguments), sqlx::Error> {
        let mut bound = SqliteArguments::default();
        for value in self.values {
            add(&mut bound, value)?;
        }
        Ok((Dialect::Sqlite.write(&self.sql), bound))
    }

    pub(super) fn for_postgres(self) -> Result<(AssertSqlSafe<String>, PgArguments), sqlx::Error> {
        let mut bound = PgArguments::default();
        for value in self.values {
            add(&mut bound, value)?;
        }
        Ok((Dialect::Postgres.write(&self.sql), bound))
    }
}

fn add<'q, A>(bound: &mut A, value: Value) -> Result<(), sqlx::Error>
where
    A: sqlx::Arguments,
    String: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
    Option<String>: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
    i64: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
    Option<i64>: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
    bool: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
    Vec<u8>: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
    Option<Vec<u8>>: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
{
    match value {
        Value::Text(text) => bound.add(text),
        Value::MaybeText(text) => bound.add(text),
        Value::Int(number) => bound.add(number),
        Value::MaybeInt(number) => bound.add(number),
        Value::Bool(flag) => bound.add(flag),
        Value::Bytes(bytes) => bound.add(bytes),
        Value::MaybeBytes(bytes) => bound.add(bytes),
    }
    .map_err(sqlx::Error::Encode)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Value::Text(text) => text.to_sql(),
            Value::MaybeText(text) => text.to_sql(),
            Value::Int(number) => number.to_sql(),
            Value::MaybeInt(number) => number.to_sql(),
            Value::Bool(flag) => flag.to_sql(),
            Value::Bytes(bytes) => bytes.to_sql(),
            Value::MaybeBytes(bytes) => bytes.to_sql(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<&uuid::Uuid> for Value {
    fn from(id: &uuid::Uuid) -> Value {
        Value::Text(id.to_string())
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Value {
        Value::MaybeText(text.clone())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Value {
        Value::MaybeInt(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Bool(flag)
    }
}

impl From<&Vec<u8>> for Value {
    fn from(bytes: &Vec<u8>) -> Value {
        Value::Bytes(bytes.clone())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Bytes(bytes.to_vec())
    }
}

impl From<&Option<Vec<u8>>> for Value {
    fn from(bytes: &Option<Vec<u8>>) -> Value {
        Value::MaybeBytes(bytes.clone())
    }
}

/// Asks the pool: the same statement on either engine, its rows read by the same type.
macro_rules! ask {
    ($pool:expr, $kind:ident, $method:ident, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $pool {
            $crate::ledger::sql::Pool::Sqlite(pool, _) => {
                sqlx::$kind($crate::ledger::sql::Dialect::Sqlite.write($sql))$(.bind($bind))*.$method(pool).await
            }
            $crate::ledger::sql::Pool::Postgres(pool) => {
                sqlx::$kind($crate::ledger::sql::Dialect::Postgres.write($sql))$(.bind($bind))*.$method(pool).await
            }
        }
    };
}

pub(super) use ask;

/// As `ask`, but SQLite is asked on this thread: for what an index answers with a few rows.
macro_rules! ask_here {
    ($pool:expr, $kind:ident, $method:ident, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $pool {
            $crate::ledger::sql::Pool::Sqlite(_, near) => {
                near.$method($crate::ledger::sql::Statement::new($sql)$(.bind($bind))*).await
            }
            $crate::ledger::sql::Pool::Postgres(pool) => {
                sqlx::$kind($crate::ledger::sql::Dialect::Postgres.write($sql))$(.bind($bind))*.$method(pool).await
                    .map_err($crate::ledger::LedgerError::from)
            }
        }
    };
}

pub(super) use ask_here;

/// Combined statements of up to this many parts are kept prepared: larger ones hardly ever recur.
pub(super) const FEW: usize = 8;
