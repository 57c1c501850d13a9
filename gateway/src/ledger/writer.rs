//! The one writer of the ledger. It takes whatever is waiting, up to 256 jobs, and commits them
//! together: the sync to disk is the clock.
//!
//! Several processes may write to one ledger: they queue on a file lock, since SQLite's own busy
//! handler starves whoever waits. The writer owns its connection and drops it on any error, for a
//! connection that has failed once may report the next transaction as nested.

use std::fs::File;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{mpsc, oneshot};

use super::{Appended, Change, Expect, Job, LedgerError};
use crate::trail::Draft;

#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Waiting>,
}

struct Waiting {
    job: Job,
    answer: oneshot::Sender<Result<Appended, String>>,
}

impl Writer {
    pub(super) fn start(options: SqliteConnectOptions, lock: PathBuf) -> Writer {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(run(options, lock, waiting));
        Writer { jobs }
    }

    pub(super) async fn append(&self, job: Job) -> Result<Appended, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let gone = |_| LedgerError::Unavailable("the writer has stopped".into());
        self.jobs.send(Waiting { job, answer }).await.map_err(|_| gone(()))?;
        answered.await.map_err(|_| gone(()))?.map_err(LedgerError::Unavailable)
    }
}

async fn run(options: SqliteConnectOptions, lock: PathBuf, mut waiting: mpsc::Receiver<Waiting>) {
    let mut connection: Option<SqliteConnection> = None;
    let mut lock_on: Option<File> = None;
    let mut group = Vec::with_capacity(GROUP);
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        let committed = commit(&options, &lock, &mut connection, &mut lock_on, &group).await;
        if let Err(error) = &committed {
            tracing::error!(error = %Chain(error), jobs = group.len(), "the audit trail could not be written");
            // Whether the last COMMIT was applied is not known: begin again from what is on disk.
            connection = None;
            lock_on = None;
        }
        let outcomes = committed.map_err(|error| error.to_string());
        for (index, Waiting { answer, .. }) in group.drain(..).enumerate() {
            let outcome = match &outcomes {
                Ok(outcomes) => {
                    outcomes.get(index).copied().ok_or_else(|| "the writer lost count".to_owned())
                }
                Err(error) => Err(error.clone()),
            };
            // Whoever asked may be gone; the entry stands all the same.
            let _ = answer.send(outcome);
        }
    }
}

async fn commit(
    options: &SqliteConnectOptions,
    lock: &Path,
    connection: &mut Option<SqliteConnection>,
    lock_on: &mut Option<File>,
    group: &[Waiting],
) -> Result<Vec<Appended>, LedgerError> {
    let file = match lock_on.take() {
        Some(file) => relock(file).await?,
        None => lock_file(lock.to_path_buf()).await?,
    };
    let connected = match connection.as_mut() {
        Some(connected) => connected,
        None => connection.insert(options.connect().await?),
    };
    let mut transaction = connected.begin_with("BEGIN IMMEDIATE").await?;
    let mut outcomes = Vec::with_capacity(group.len());
    for Waiting { job, .. } in group {
        let mut hold = true;
        for expect in &job.expects {
            hold = hold && holds(&mut transaction, expect).await?;
        }
        if hold {
            apply(&mut transaction, job).await?;
        }
        outcomes.push(if hold { Appended::Done } else { Appended::Conflict });
    }
    transaction.commit().await?;
    // At this point every entry of the group is durable; a crash after it loses only the answers.
    file.unlock().map_err(LedgerError::Lock)?;
    *lock_on = Some(file);
    Ok(outcomes)
}

/// Takes the lock that lets one process at a time write, waiting in line for it.
pub(super) async fn lock_file(path: PathBuf) -> Result<File, LedgerError> {
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

async fn holds(connection: &mut SqliteConnection, expect: &Expect) -> Result<bool, sqlx::Error> {
    Ok(match expect {
        Expect::Head { call, head } => {
            let found: Option<String> = sqlx::query_scalar("SELECT head FROM call WHERE uid = ?")
                .bind(call.to_string())
                .fetch_optional(connection)
                .await?;
            found == Some(head.to_string())
        }
        Expect::NameIs { account, name, call } => {
            let found: Option<String> =
                sqlx::query_scalar("SELECT call FROM call_name WHERE account = ? AND name = ?")
                    .bind(account)
                    .bind(name)
                    .fetch_optional(connection)
                    .await?;
            found == call.map(|call| call.to_string())
        }
        Expect::EventUnsent { call, id } => {
            let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM sent_event WHERE call = ? AND id = ?")
                .bind(call.to_string())
                .bind(id)
                .fetch_optional(connection)
                .await?;
            found.is_none()
        }
        Expect::RecordingNameFree { call, name } => {
            let found: Option<i64> =
                sqlx::query_scalar("SELECT 1 FROM recording WHERE call = ? AND name = ?")
                    .bind(call.to_string())
                    .bind(name)
                    .fetch_optional(connection)
                    .await?;
            found.is_none()
        }
        Expect::RecordingLive { id, unheld } => {
            let held: Option<bool> =
                sqlx::query_scalar("SELECT held FROM recording WHERE id = ? AND deleted_at IS NULL")
                    .bind(id.to_string())
                    .fetch_optional(connection)
                    .await?;
            held.is_some_and(|held| !(held && *unheld))
        }
        Expect::GrantHolds { account, id } => {
            let found: Option<i64> = sqlx::query_scalar(
                "SELECT 1 FROM consent_grant WHERE account = ? AND id = ? AND withdrawn_at IS NULL",
            )
            .bind(account)
            .bind(id)
            .fetch_optional(connection)
            .await?;
            found.is_some()
        }
        Expect::CallsWithGrant { account, id, calls } => {
            let found: Vec<String> = sqlx::query_scalar(
                "SELECT DISTINCT call.uid FROM participant JOIN call ON call.uid = participant.call \
                 WHERE participant.consent_grant = ? AND call.account = ? AND call.ended_at IS NULL ORDER BY call.uid",
            )
            .bind(id)
            .bind(account)
            .fetch_all(connection)
            .await?;
            found == *calls
        }
        Expect::GrantFree { account, id } => {
            let found: Option<i64> =
                sqlx::query_scalar("SELECT 1 FROM consent_grant WHERE account = ? AND id = ?")
                    .bind(account)
                    .bind(id)
                    .fetch_optional(connection)
                    .await?;
            found.is_none()
        }
        Expect::Subject { tag, key } => {
            let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT key FROM subject WHERE tag = ?")
                .bind(tag)
                .fetch_optional(connection)
                .await?;
            found == *key
        }
        Expect::PromptVersion { account, id, version } => {
            let found: Option<i64> =
                sqlx::query_scalar("SELECT max(version) FROM prompt WHERE account = ? AND id = ?")
                    .bind(account)
                    .bind(id)
                    .fetch_one(connection)
                    .await?;
            found.unwrap_or(0) == *version
        }
        Expect::KeyUsable { account, id } => {
            let found: Option<i64> = sqlx::query_scalar(
                "SELECT 1 FROM public_key WHERE account = ? AND id = ? AND retired_at IS NULL",
            )
            .bind(account)
            .bind(id)
            .fetch_optional(connection)
            .await?;
            found.is_some()
        }
        Expect::AccountFree { id } => {
            let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM account WHERE id = ?")
                .bind(id)
                .fetch_optional(connection)
                .await?;
            found.is_none()
        }
    })
}

async fn apply(connection: &mut SqliteConnection, job: &Job) -> Result<(), sqlx::Error> {
    for change in &job.changes {
        change_tables(connection, change).await?;
    }
    for draft in &job.entries {
        append(connection, draft).await?;
    }
    Ok(())
}

async fn append(connection: &mut SqliteConnection, draft: &Draft) -> Result<(), sqlx::Error> {
    let size: i64 = sqlx::query_scalar(
        "INSERT INTO log (id, size) VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET size = size + 1 RETURNING size",
    )
    .bind(&draft.log)
    .fetch_one(&mut *connection)
    .await?;
    let seq = size - 1;
    let call = draft.call.map(|call| call.to_string());
    let id = draft.id.to_string();
    sqlx::query(
        "INSERT INTO entry (log, seq, id, call, at, type, leaf, leaf_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&draft.log)
    .bind(seq)
    .bind(&id)
    .bind(&call)
    .bind(draft.at.as_millisecond())
    .bind(draft.kind)
    .bind(&draft.leaf)
    .bind(draft.leaf_hash.as_slice())
    .execute(&mut *connection)
    .await?;
    if let Some(detail) = &draft.detail {
        sqlx::query("INSERT INTO detail (log, seq, salt, document) VALUES (?, ?, ?, ?)")
            .bind(&draft.log)
            .bind(seq)
            .bind(detail.salt.as_slice())
            .bind(&detail.document)
            .execute(&mut *connection)
            .await?;
    }
    if let Some(call) = &call {
        sqlx::query("UPDATE call SET head = ? WHERE uid = ?")
            .bind(&id)
            .bind(call)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn change_tables(connection: &mut SqliteConnection, change: &Change) -> Result<(), sqlx::Error> {
    let query = match change {
        Change::Account { id, operator, recorder, settings, at } => sqlx::query(
            "INSERT INTO account (id, operator_location, recorder_location, settings, created_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(operator)
        .bind(recorder)
        .bind(settings)
        .bind(*at),
        Change::Credential { username, account, role, name, hash, at } => sqlx::query(
            "INSERT INTO credential (username, account, role, name, hash, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(username)
        .bind(account)
        .bind(role)
        .bind(name)
        .bind(hash)
        .bind(*at),
        Change::RevokeCredential { username, at } => {
            sqlx::query("UPDATE credential SET revoked_at = ? WHERE username = ? AND revoked_at IS NULL")
                .bind(*at)
                .bind(username)
        }
        Change::Key { id, account, pem, at } => sqlx::query(
            "INSERT INTO public_key (id, account, pem, added_at) VALUES (?, ?, ?, ?) \
             ON CONFLICT (account, id) DO UPDATE SET retired_at = NULL",
        )
        .bind(id)
        .bind(account)
        .bind(pem)
        .bind(*at),
        Change::RetireKey { id, account, at } => {
            sqlx::query("UPDATE public_key SET retired_at = ? WHERE id = ? AND account = ? AND retired_at IS NULL")
                .bind(*at)
                .bind(id)
                .bind(account)
        }
        Change::Prompt { account, id, version, uid, document, at } => sqlx::query(
            "INSERT INTO prompt (account, id, version, uid, document, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(account)
        .bind(id)
        .bind(*version)
        .bind(uid.to_string())
        .bind(document)
        .bind(*at),
        Change::Grant { account, id, uid, document, at } => sqlx::query(
            "INSERT INTO consent_grant (account, id, uid, document, created_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(account)
        .bind(id)
        .bind(uid.to_string())
        .bind(document)
        .bind(*at),
        Change::WithdrawGrant { account, id, at } => sqlx::query(
            "UPDATE consent_grant SET withdrawn_at = ? WHERE account = ? AND id = ? AND withdrawn_at IS NULL",
        )
        .bind(*at)
        .bind(account)
        .bind(id),
        Change::Call { uid, account, id, names, body, at, head } => {
            sqlx::query("INSERT INTO call (uid, account, id, body, opened_at, head) VALUES (?, ?, ?, ?, ?, ?)")
                .bind(uid.to_string())
                .bind(account)
                .bind(id)
                .bind(body)
                .bind(*at)
                .bind(head.to_string())
                .execute(&mut *connection)
                .await?;
            for name in names {
                sqlx::query(
                    "INSERT INTO call_name (account, name, call) VALUES (?, ?, ?) \
                     ON CONFLICT (account, name) DO UPDATE SET call = excluded.call",
                )
                .bind(account)
                .bind(name)
                .bind(uid.to_string())
                .execute(&mut *connection)
                .await?;
            }
            return Ok(());
        }
        Change::CallEnded { uid, at } => {
            sqlx::query("UPDATE call SET ended_at = ? WHERE uid = ? AND ended_at IS NULL").bind(*at).bind(uid.to_string())
        }
        Change::Participant { call, participant, id, number, ip, grant } => sqlx::query(
            "INSERT INTO participant (call, participant, id, number, ip, consent_grant) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (call, participant) DO UPDATE SET number = coalesce(excluded.number, number), \
             ip = coalesce(excluded.ip, ip), consent_grant = coalesce(excluded.consent_grant, consent_grant)",
        )
        .bind(call.to_string())
        .bind(i64::from(*participant))
        .bind(id)
        .bind(number)
        .bind(ip)
        .bind(grant),
        Change::SentEvent { call, id, digest } => {
            sqlx::query("INSERT INTO sent_event (call, id, digest) VALUES (?, ?, ?)")
                .bind(call.to_string())
                .bind(id)
                .bind(digest)
        }
        Change::Recording { row } => sqlx::query(
            "INSERT INTO recording (id, account, call, name, fingerprint, uploader, bytes, duration_ms, content_type, envelope, accepted_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.id)
        .bind(&row.account)
        .bind(&row.call)
        .bind(&row.name)
        .bind(&row.fingerprint)
        .bind(&row.uploader)
        .bind(row.bytes)
        .bind(row.duration_ms)
        .bind(&row.content_type)
        .bind(&row.envelope)
        .bind(row.accepted_at),
        Change::Enveloped { id } => {
            sqlx::query("UPDATE recording SET enveloped = 1 WHERE id = ?").bind(id.to_string())
        }
        Change::DeleteRecording { id, at } => {
            sqlx::query("UPDATE recording SET deleted_at = ?, envelope = NULL WHERE id = ? AND deleted_at IS NULL")
                .bind(*at)
                .bind(id.to_string())
        }
        Change::Swept { id } => sqlx::query("UPDATE recording SET swept = 1 WHERE id = ?").bind(id.to_string()),
        Change::Hold { id, held } => {
            sqlx::query("UPDATE recording SET held = ? WHERE id = ?").bind(*held).bind(id.to_string())
        }
        Change::Subject { tag, key, at } => {
            sqlx::query("INSERT INTO subject (tag, key, created_at) VALUES (?, ?, ?)").bind(tag).bind(key).bind(*at)
        }
        // Random, since SQLite does not write what has not changed.
        Change::Probe => sqlx::query("INSERT OR REPLACE INTO probe (one, filler) VALUES (1, randomblob(65536))"),
        Change::Table { digest, text, at } => sqlx::query(
            "INSERT INTO jurisdiction_table (digest, text, first_used_at) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(digest)
        .bind(text)
        .bind(*at),
    };
    query.execute(connection).await.map(|_| ())
}

struct Chain<'e>(&'e LedgerError);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = std::error::Error::source(self.0);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// How many jobs one transaction takes at most.
const GROUP: usize = 256;
/// How many jobs may wait before the doors are held back.
const QUEUE: usize = 1024;
