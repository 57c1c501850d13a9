//! What a ledger is, whatever engine it runs on: one suite that SQLite and PostgreSQL pass.

mod changes;
mod erasure;
mod expectations;
mod groups;
mod history;
mod in_turn;
mod questions;
mod registers;
mod rivals;
mod schema;
mod servers;
mod trees;
mod urls;

use std::path::PathBuf;
use std::time::Duration;

use consent_gateway::ledger::{Appended, Change, Epoch, Expect, Job, Ledger};
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use tempfile::TempDir;
use trail::{Actor, Body, Draft, GapCause};
use uuid::Uuid;

use crate::harness::START;
use crate::postgres::{self, Place};

/// Runs these tests on both engines, each on a ledger of its own.
macro_rules! on_both_engines {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::contract::Store::sqlite()).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::contract::Store::postgres().await).await;
            })+
        }
    };
}
use on_both_engines;

/// Where a ledger is kept.
struct Store {
    dir: TempDir,
    place: Option<Place>,
}

impl Store {
    fn sqlite() -> Store {
        Store { dir: tempfile::tempdir().unwrap(), place: None }
    }

    async fn postgres() -> Store {
        Store { dir: tempfile::tempdir().unwrap(), place: Some(Place::new().await) }
    }

    /// Opens it as one more gateway would.
    async fn open(&self) -> Ledger {
        Ledger::open(self.dir.path(), self.place.as_ref().map(|place| place.url.as_str())).await.unwrap()
    }

    /// Another program's connection.
    async fn raw(&self) -> Raw {
        match &self.place {
            Some(place) => Raw::Postgres(postgres::connect(&place.url).await),
            None => {
                let file: PathBuf = consent_gateway::ledger::file(self.dir.path());
                let options =
                    SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(10));
                Raw::Sqlite(options.connect().await.unwrap())
            }
        }
    }
}

/// SQL as it is.
enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Raw {
    async fn execute(&mut self, sql: &str) -> Result<(), String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Raw::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
            Raw::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
        }
        .map_err(|error| error.to_string())
    }

    /// Nothing stands in the way of whoever has the database.
    async fn disarm(&mut self) {
        let find = match self {
            Raw::Sqlite(connection) => {
                let off = sqlx::raw_sql("PRAGMA foreign_keys = OFF");
                off.execute(connection).await.unwrap();
                "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'"
            }
            Raw::Postgres(_) => {
                "SELECT 'DROP TRIGGER ' || tgname || ' ON ' || CAST(CAST(tgrelid AS regclass) AS text) FROM pg_trigger \
                 JOIN pg_class ON pg_class.oid = tgrelid \
                 WHERE NOT tgisinternal AND relnamespace = CAST(current_schema() AS regnamespace) \
                 UNION ALL SELECT 'ALTER TABLE ' || CAST(CAST(conrelid AS regclass) AS text) || ' DROP CONSTRAINT ' || conname \
                 FROM pg_constraint WHERE contype = 'f' AND connamespace = CAST(current_schema() AS regnamespace)"
            }
        };
        for sql in self.texts(find).await {
            self.execute(&sql).await.unwrap();
        }
    }

    /// The first column.
    async fn texts(&mut self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Raw::Sqlite(connection) => sqlx::query_scalar(sql).fetch_all(connection).await.unwrap(),
            Raw::Postgres(connection) => sqlx::query_scalar(sql).fetch_all(connection).await.unwrap(),
        }
    }

    async fn count(&mut self, of: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {of}"));
        match self {
            Raw::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
            Raw::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
        }
    }
}

fn start() -> Timestamp {
    START.parse().unwrap()
}

fn ms(at: i64) -> Timestamp {
    Timestamp::from_millisecond(start().as_millisecond() + at).unwrap()
}

/// An entry of no call, so many milliseconds after the start.
fn entry(log: &str, at: i64) -> Draft {
    trail::draft(log, ms(at), &Actor::gateway(), None, Body::Heartbeat {}, None).unwrap()
}

/// Events may be missing in a log.
fn gap(log: &str, at: i64) -> Draft {
    let body = Body::Gap { from: ms(at), until: ms(at), cause: GapCause::EndedUnexpectedly };
    trail::draft(log, ms(at), &Actor::gateway(), None, body, None).unwrap()
}

/// An entry of a call.
fn of_call(log: &str, call: Uuid, at: i64) -> Draft {
    Draft { call: Some(call), ..entry(log, at) }
}

/// An account.
fn account(id: &str) -> Change {
    Change::Account {
        id: id.into(),
        operator: None,
        recorder: None,
        settings: "{}".into(),
        provisioner: None,
        at: 0,
    }
}

/// A call of `acme`, found by these names.
fn call(uid: Uuid, id: &str, names: &[&str], at: i64, head: Uuid) -> Change {
    Change::Call {
        uid,
        account: "acme".into(),
        id: id.into(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        body: "digest".into(),
        at,
        head,
    }
}

async fn change(ledger: &Ledger, changes: Vec<Change>) {
    let done = ledger.append(Job { changes, ..Job::default() }).await.unwrap();
    assert_eq!(done, Appended::Done);
}

async fn append(ledger: &Ledger, entries: Vec<Draft>) {
    let done = ledger.append(Job { entries, ..Job::default() }).await.unwrap();
    assert_eq!(done, Appended::Done);
}

/// Whether it is so.
async fn holds(ledger: &Ledger, expect: Expect) -> bool {
    ledger.append(Job { expects: vec![expect], ..Job::default() }).await.unwrap() == Appended::Done
}

fn first_epoch(log: &str) -> Epoch {
    Epoch { log: log.into(), epoch: 1 }
}
