//! The ledger on PostgreSQL: any number of gateways on one ledger.
//!
//! Gateways queue on one locked row, so that what is expected is asked, and what is appended is
//! numbered, by one at a time: never by a sequence, whose numbers leave gaps and commit out of order.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::heads::{LogRow, NodeRow, Placed};
use super::sql::Statement;
use super::writer::{self, Engine, Outcome, Transaction, Waiting};
use super::{LedgerError, READERS};

/// Opens the ledger at `url`, migrating it where needed: what reads, and what writes.
pub(super) async fn open(url: &str) -> Result<(PgPool, PgEngine), LedgerError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| LedgerError::Url(error.to_string()))?
        .application_name("consent-gateway");
    let pool = PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options.clone())
        .await?;
    let version: String = sqlx::query_scalar("SHOW server_version_num").fetch_one(&pool).await?;
    if version.parse::<u32>().is_ok_and(|number| number < 130_000) {
        return Err(LedgerError::OldPostgres { version });
    }
    // Whatever is set for the role or the database: what these two lose is lost for good.
    for setting in ["fsync", "full_page_writes"] {
        let sql = sqlx::AssertSqlSafe(format!("SHOW {setting}"));
        let value: String = sqlx::query_scalar(sql).fetch_one(&pool).await?;
        if value != "on" {
            return Err(LedgerError::NotDurable { setting });
        }
    }
    MIGRATIONS.run(&pool).await?;
    let options = options.options([
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
        ("lock_timeout", "10s"),
        ("statement_timeout", "20s"),
        // A gateway that stands still in the middle of a transaction must not hold up the others.
        ("idle_in_transaction_session_timeout", "20s"),
    ]);
    Ok((pool, PgEngine { options, connection: None }))
}

/// What writes to the server.
pub(super) struct PgEngine {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Engine for PgEngine {
    async fn commit(&mut self, group: &[Waiting], enveloped: &[Uuid]) -> Result<Vec<Outcome>, LedgerError> {
        // A server that does not answer is a failure like any other: nobody waits for it without end.
        tokio::time::timeout(DEADLINE, self.try_commit(group, enveloped))
            .await
            .map_err(|_| LedgerError::Unavailable("PostgreSQL did not answer in time".into()))?
    }

    fn forget(&mut self) {
        self.connection = None;
    }
}

impl PgEngine {
    async fn try_commit(
        &mut self,
        group: &[Waiting],
        enveloped: &[Uuid],
    ) -> Result<Vec<Outcome>, LedgerError> {
        let connected = match self.connection.as_mut() {
            Some(connected) => connected,
            None => self.connection.insert(self.options.connect().await?),
        };
        let mut transaction = connected.begin().await?;
        // Each statement after this one sees everything that was committed by whoever held the row before.
        sqlx::query("SELECT one FROM turn FOR UPDATE").fetch_one(&mut *transaction).await?;
        let outcomes = writer::write(&mut On(&mut transaction), group, enveloped).await?;
        transaction.commit().await?;
        // At this point every entry of the group is durable; a crash after it loses only the answers.
        Ok(outcomes)
    }
}

struct On<'c>(&'c mut PgConnection);

impl Transaction for On<'_> {
    async fn holds(&mut self, questions: Vec<Statement>) -> Result<bool, sqlx::Error> {
        let (sql, bound) = Statement::all(questions).for_postgres()?;
        sqlx::query_scalar_with(sql, bound).fetch_one(&mut *self.0).await
    }

    async fn execute(&mut self, statement: Statement) -> Result<(), sqlx::Error> {
        let (sql, bound) = statement.for_postgres()?;
        sqlx::query_with(sql, bound).execute(&mut *self.0).await.map(drop)
    }

    async fn logs(&mut self, ids: &[&str]) -> Result<Vec<LogRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT id, epoch, size, edge, last_at FROM log WHERE id = ANY($1) ORDER BY id FOR UPDATE",
        )
        .bind(ids)
        .fetch_all(&mut *self.0)
        .await
    }

    async fn put_logs(&mut self, rows: &[LogRow]) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO log (id, epoch, size, edge, last_at) \
             SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[]) \
             ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, size = excluded.size, \
             edge = excluded.edge, last_at = excluded.last_at",
        )
        .bind(of(rows, |row| row.id.as_str()))
        .bind(of(rows, |row| row.epoch))
        .bind(of(rows, |row| row.size))
        .bind(of(rows, |row| row.edge.as_slice()))
        .bind(of(rows, |row| row.last_at))
        .execute(&mut *self.0)
        .await
        .map(drop)
    }

    async fn put_entries(&mut self, entries: &[Placed<'_>]) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO entry (log, epoch, seq, id, call, at, type, leaf, leaf_hash) \
             SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], \
             $7::text[], $8::bytea[], $9::bytea[])",
        )
        .bind(of(entries, |placed| placed.draft.log.as_str()))
        .bind(of(entries, |placed| placed.epoch))
        .bind(of(entries, |placed| placed.seq))
        .bind(of(entries, |placed| placed.draft.id.to_string()))
        .bind(of(entries, |placed| placed.draft.call.map(|call| call.to_string())))
        .bind(of(entries, |placed| placed.draft.at.as_millisecond()))
        .bind(of(entries, |placed| placed.draft.kind))
        .bind(of(entries, |placed| placed.draft.leaf.as_slice()))
        .bind(of(entries, |placed| placed.draft.leaf_hash.as_slice()))
        .execute(&mut *self.0)
        .await?;
        let detailed: Vec<_> =
            entries.iter().filter_map(|placed| Some((placed, placed.draft.detail.as_ref()?))).collect();
        sqlx::query(
            "INSERT INTO detail (log, epoch, seq, salt, document) \
             SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::text[])",
        )
        .bind(of(&detailed, |(placed, _)| placed.draft.log.as_str()))
        .bind(of(&detailed, |(placed, _)| placed.epoch))
        .bind(of(&detailed, |(placed, _)| placed.seq))
        .bind(of(&detailed, |(_, detail)| detail.salt.as_slice()))
        .bind(of(&detailed, |(_, detail)| detail.document.as_str()))
        .execute(&mut *self.0)
        .await?;
        let firsts: Vec<_> = entries.iter().filter(|placed| placed.begins_a_stretch()).collect();
        if !firsts.is_empty() {
            sqlx::query(
                "INSERT INTO entry_time (log, epoch, seq, at) \
                 SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])",
            )
            .bind(of(&firsts, |placed| placed.draft.log.as_str()))
            .bind(of(&firsts, |placed| placed.epoch))
            .bind(of(&firsts, |placed| placed.seq))
            .bind(of(&firsts, |placed| placed.draft.at.as_millisecond()))
            .execute(&mut *self.0)
            .await?;
        }
        let of_calls: Vec<_> = entries.iter().flat_map(Placed::mentions_of_call).collect();
        if !of_calls.is_empty() {
            sqlx::query(
                "INSERT INTO call_mention (log, key, call) SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[]) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(of(&of_calls, |(log, ..)| *log))
            .bind(of(&of_calls, |(_, key, _)| *key))
            .bind(of(&of_calls, |(.., call)| call.to_string()))
            .execute(&mut *self.0)
            .await?;
        }
        let of_entries: Vec<_> = entries.iter().flat_map(Placed::mentions_of_entry).collect();
        if !of_entries.is_empty() {
            sqlx::query(
                "INSERT INTO entry_mention (log, key, epoch, seq) \
                 SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[])",
            )
            .bind(of(&of_entries, |(placed, _)| placed.draft.log.as_str()))
            .bind(of(&of_entries, |(_, key)| *key))
            .bind(of(&of_entries, |(placed, _)| placed.epoch))
            .bind(of(&of_entries, |(placed, _)| placed.seq))
            .execute(&mut *self.0)
            .await?;
        }
        Ok(())
    }

    async fn put_nodes(&mut self, nodes: &[NodeRow<'_>]) -> Result<(), sqlx::Error> {
        if nodes.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO node (log, epoch, level, idx, hash) \
             SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[])",
        )
        .bind(of(nodes, |node| node.log))
        .bind(of(nodes, |node| node.epoch))
        .bind(of(nodes, |node| node.level))
        .bind(of(nodes, |node| node.idx))
        .bind(of(nodes, |node| node.hash.as_slice()))
        .execute(&mut *self.0)
        .await
        .map(drop)
    }

    async fn note_enveloped(&mut self, ids: &[Uuid]) -> Result<(), sqlx::Error> {
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query("UPDATE recording SET enveloped = TRUE WHERE id = ANY($1)")
            .bind(of(ids, Uuid::to_string))
            .execute(&mut *self.0)
            .await
            .map(drop)
    }
}

/// One column of many rows.
fn of<'r, R, T>(rows: &'r [R], column: impl FnMut(&'r R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");

/// How long a group may take, with its connection.
const DEADLINE: Duration = Duration::from_secs(30);
