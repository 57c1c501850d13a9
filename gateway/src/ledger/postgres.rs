//! The ledger on PostgreSQL: any number of gateways on one ledger.
//!
//! Gateways queue on one locked row, so that one at a time checks its expectations and numbers its entries:
//! never by a sequence, whose numbers leave gaps and commit out of order.
//!
//! INVARIANT: a group's transaction is read committed, so that each of its statements sees what was committed
//! before it got its turn, and is on disk when its COMMIT has been answered.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use uuid::Uuid;

use super::heads::{LogRow, NodeRow, Placed};
use super::registers::{Registers, of_texts};
use super::sql::{Dialect, FEW, Statement};
use super::writer::{self, Done, Engine, Room, Transaction, Waiting};
use super::{LedgerError, READERS};
use trail::chain::Chain;

/// Opens the ledger at `url`, migrating it where needed: what reads, and what writes.
pub(super) async fn open(url: &str) -> Result<(PgPool, PgEngine), LedgerError> {
    let options = parse(url)?;
    first(&options).await?;
    let pool = PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        .connect_with(options.clone())
        .await?;
    migrate(&pool).await?;
    Ok((pool, PgEngine { options, connection: None }))
}

/// Whether there is a ledger at `url`. Nothing is made.
pub(super) async fn is_there(url: &str) -> Result<bool, LedgerError> {
    let mut connection = first(&parse(url)?).await?;
    let made = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    let is_there = sqlx::query_scalar(made).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(is_there)
}

/// A single connection, to a server that can hold a ledger: a pool keeps trying, and does not say why it fails.
async fn first(options: &PgConnectOptions) -> Result<PgConnection, LedgerError> {
    let mut connection =
        tokio::time::timeout(PATIENCE, options.connect()).await.map_err(|_| no_answer())??;
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(&mut connection)
        .await?;
    if version < 130_000 {
        return Err(LedgerError::OldPostgres { version: (version / 10_000).to_string() });
    }
    examine(&mut connection).await?;
    Ok(connection)
}

/// The URL's options. Errors do not repeat the URL, which may hold a password.
fn parse(url: &str) -> Result<PgConnectOptions, LedgerError> {
    let wrong = |why: &str| Err(LedgerError::Url(why.to_owned()));
    let Some((scheme, rest)) = url.split_once("://") else { return wrong("it has no `://`") };
    if !["postgres", "postgresql"].contains(&scheme) {
        return wrong("it does not begin with `postgres://`");
    }
    // sqlx would ignore an unknown parameter, and log it.
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let pairs = || query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('='));
    if !pairs().all(|pair| pair.is_some_and(|(key, _)| PARAMETERS.contains(&key))) {
        return wrong(&format!("after `?` it may have {}", PARAMETERS.join(", ")));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let named = pairs().flatten().filter(|(key, _)| key.starts_with("host")).map(|(_, host)| host);
    if named.chain([host]).any(|host| host.contains(',') || host.to_ascii_lowercase().contains("%2c")) {
        return wrong("it names several hosts; name the one that leads to the primary");
    }
    // libpq allows a URL with a user and no host, or with the host after `?` alone; the URL parser does not.
    let url = match host.split_once(':') {
        Some(("", _)) => hostless(url, authority, user, host),
        None if host.is_empty() => hostless(url, authority, user, ""),
        Some(_) | None => url.to_owned(),
    };
    let options =
        PgConnectOptions::from_str(&url).map_err(|error| LedgerError::Url(Chain(&error).to_string()))?;
    let options = options.application_name("consent-gateway");
    // Connections to other machines are encrypted, and the server must prove its identity, unless the URL
    // or `PGSSLMODE` says otherwise.
    let said =
        query.split('&').any(|pair| pair.starts_with("sslmode=")) || std::env::var_os("PGSSLMODE").is_some();
    Ok(if said || is_here(&options) { options } else { options.ssl_mode(PgSslMode::VerifyFull) })
}

/// The same URL with its user, password and port moved after `?`, before what stands there.
fn hostless(url: &str, authority: &str, user: &str, port: &str) -> String {
    let quoted = |text: &str| text.replace('+', "%2B").replace('&', "%26");
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let said = [("user", user), ("password", password), ("port", port.trim_start_matches(':'))];
    let said = said.iter().filter(|(_, value)| !value.is_empty());
    let said: Vec<String> = said.map(|(key, value)| format!("{key}={}", quoted(value))).collect();
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let rest = rest.strip_prefix(authority).unwrap_or_default();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = if path.is_empty() { "/" } else { path };
    format!("{scheme}://{path}?{}&{query}", said.join("&"))
}

/// Whether the server is on this machine.
fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let loopback = host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    options.get_socket().is_some() || host.starts_with('/') || host == "localhost" || loopback
}

/// Checks that the server keeps what it acknowledges. After a failover it may be another one.
async fn examine(connection: &mut PgConnection) -> Result<(), LedgerError> {
    let (fsync, full_pages, standby): (String, String, bool) = sqlx::query_as(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), pg_is_in_recovery()",
    )
    .fetch_one(connection)
    .await?;
    for (setting, value) in [("fsync", fsync), ("full_page_writes", full_pages)] {
        if value != "on" {
            return Err(LedgerError::NotDurable { setting });
        }
    }
    if standby {
        return Err(LedgerError::Standby);
    }
    Ok(())
}

/// Migrates the ledger, if needed: a role without the right to create tables can serve it afterwards.
async fn migrate(pool: &PgPool) -> Result<(), LedgerError> {
    let done: Result<Vec<(i64, Vec<u8>)>, _> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(pool)
            .await;
    let wanted = MIGRATIONS.iter().map(|migration| (migration.version, migration.checksum.to_vec()));
    // If there is no such table yet, or it may not be read, migrating reports what is wrong.
    if !done.is_ok_and(|done| done == wanted.collect::<Vec<_>>()) {
        MIGRATIONS.run(pool).await?;
    }
    Ok(())
}

/// What writes to the server.
pub(super) struct PgEngine {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Engine for PgEngine {
    async fn commit(
        &mut self,
        group: &[Waiting],
        enveloped: &[Uuid],
        registers: &Registers,
    ) -> Result<Done, LedgerError> {
        // A server that does not answer is a failure like any other: nobody waits for it for ever.
        tokio::time::timeout(DEADLINE, self.try_commit(group, enveloped, registers))
            .await
            .map_err(|_| no_answer())?
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
        registers: &Registers,
    ) -> Result<Done, LedgerError> {
        let connection = self.begin().await?;
        // Each statement after this one sees everything that earlier holders of the row have committed.
        sqlx::query("SELECT one FROM turn FOR UPDATE").fetch_one(&mut *connection).await?;
        let done = writer::write(&mut On(connection), group, enveloped, registers, Room::ForAll).await?;
        sqlx::raw_sql("COMMIT").execute(connection).await?;
        // At this point every entry of the group is durable; a crash after it loses only the answers.
        Ok(done)
    }

    /// Begins a transaction. A connection that has died since the last one is replaced, which is safe at this
    /// point.
    async fn begin(&mut self) -> Result<&mut PgConnection, LedgerError> {
        if let Some(mut connection) = self.connection.take()
            && sqlx::raw_sql(BEGIN).execute(&mut connection).await.is_ok()
        {
            return Ok(self.connection.insert(connection));
        }
        let mut connection = self.options.connect().await?;
        examine(&mut connection).await?;
        sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
        Ok(self.connection.insert(connection))
    }
}

struct On<'c>(&'c mut PgConnection);

impl Transaction for On<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn answers(&mut self, questions: Vec<Statement>) -> Result<Vec<bool>, LedgerError> {
        let count = questions.len();
        let (sql, bound) = Statement::asking(questions).for_postgres()?;
        let row = sqlx::query_with(sql, bound).persistent(count <= FEW).fetch_one(&mut *self.0).await?;
        Ok((0..count).map(|index| row.try_get(index)).collect::<Result<_, _>>()?)
    }

    async fn texts(&mut self, question: Statement) -> Result<Vec<Vec<Option<String>>>, LedgerError> {
        let (sql, bound) = question.for_postgres()?;
        Ok(of_texts!(sqlx::query_with(sql, bound).fetch_all(&mut *self.0).await?)?)
    }

    async fn execute(&mut self, statement: Statement) -> Result<(), LedgerError> {
        let (sql, bound) = statement.for_postgres()?;
        sqlx::query_with(sql, bound).execute(&mut *self.0).await?;
        Ok(())
    }

    async fn logs(&mut self, ids: &[&str]) -> Result<Vec<LogRow>, LedgerError> {
        let rows = sqlx::query_as(
            "SELECT id, epoch, size, edge, last_at FROM log WHERE id = ANY($1) ORDER BY id FOR UPDATE",
        )
        .bind(ids)
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows)
    }

    async fn put_logs(&mut self, rows: &[LogRow]) -> Result<(), LedgerError> {
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
        .await?;
        Ok(())
    }

    async fn move_heads(&mut self, calls: &BTreeMap<Uuid, Uuid>) -> Result<(), LedgerError> {
        sqlx::query(
            "UPDATE call SET head = moved.head FROM UNNEST($1::text[], $2::text[]) AS moved (uid, head) \
             WHERE call.uid = moved.uid",
        )
        .bind(calls.keys().map(Uuid::to_string).collect::<Vec<_>>())
        .bind(calls.values().map(Uuid::to_string).collect::<Vec<_>>())
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    async fn put_entries(&mut self, entries: &[Placed<'_>]) -> Result<(), LedgerError> {
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
        .bind(of(entries, |placed| &*placed.leaf))
        .bind(of(entries, |placed| placed.leaf_hash.as_slice()))
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

    async fn put_nodes(&mut self, nodes: &[NodeRow<'_>]) -> Result<(), LedgerError> {
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
        .await?;
        Ok(())
    }

    async fn note_enveloped(&mut self, ids: &[Uuid]) -> Result<(), LedgerError> {
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query("UPDATE recording SET enveloped = TRUE WHERE id = ANY($1)")
            .bind(of(ids, Uuid::to_string))
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }
}

fn no_answer() -> LedgerError {
    LedgerError::Unavailable("PostgreSQL did not answer in time".into())
}

/// One column of many rows.
fn of<'r, R, T>(rows: &'r [R], column: impl FnMut(&'r R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");

/// The transaction sets everything that it relies on, whatever the role, the database or a pooler have set. A
/// gateway that hangs in the middle of it must not hold up the others.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SET LOCAL synchronous_commit = on; \
     SET LOCAL lock_timeout = '10s'; \
     SET LOCAL statement_timeout = '20s'; \
     SET LOCAL idle_in_transaction_session_timeout = '20s'";

/// The parameters that a URL may have.
const PARAMETERS: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
];

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a group may take, with its connection.
const DEADLINE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_another_machine_proves_who_it_is_unless_told_otherwise() {
        let mode = |url: &str| parse(url).unwrap().get_ssl_mode();
        for url in [
            "postgres://user@ledger.example/database",
            "postgres://user@192.0.2.7:5433/database?options=-c%20x%3D1",
            "postgres://user@localhost.example/database",
        ] {
            assert!(matches!(mode(url), PgSslMode::VerifyFull), "{url}");
        }
        for url in [
            "postgres://user@localhost/database",
            "postgres://user@127.0.0.1/database",
            "postgres://user@[::1]/database",
            "postgres://user@localhost/database?host=/run/postgresql",
        ] {
            assert!(matches!(mode(url), PgSslMode::Prefer), "{url}");
        }
        assert!(matches!(
            mode("postgres://user@ledger.example/database?sslmode=disable"),
            PgSslMode::Disable
        ));
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        let socket = std::path::PathBuf::from("/run/pg sock");
        for url in [
            "postgres://us%40er:pa+ss%26@/data%20base?host=/run/pg%20sock",
            "postgres://us%40er:pa+ss%26@:5433/data%20base?host=%2Frun%2Fpg%20sock&port=5432",
            "postgresql://us%40er:pa+ss%26@%2Frun%2Fpg%20sock/data%20base",
            "postgresql:///data%20base?host=/run/pg+sock&user=us%40er&password=pa%2Bss%26",
            "postgresql://?dbname=data%20base&host=/run/pg+sock&user=us%40er&password=pa%2Bss%26",
        ] {
            let options = parse(url).unwrap();
            assert_eq!(options.get_socket(), Some(&socket), "{url}");
            assert_eq!((options.get_username(), options.get_port()), ("us@er", 5432), "{url}");
            assert_eq!(options.get_database(), Some("data base"), "{url}");
            assert!(format!("{options:?}").contains("\"pa+ss&\""), "{url}");
            assert!(matches!(options.get_ssl_mode(), PgSslMode::Prefer), "{url}");
        }
        assert_eq!(parse("postgres://user@:5433/database").unwrap().get_port(), 5433);
        for url in [
            "postgres://user@one,two/database",
            "postgres://user@/database?host=/one,/two",
            "postgres://user@one%2Ctwo/database",
        ] {
            assert!(parse(url).unwrap_err().to_string().contains("several hosts"), "{url}");
        }
    }
}
