//! The one writer of the ledger. It takes whatever is waiting, up to 256 jobs, and commits them
//! together: the sync to disk is the clock.
//!
//! Several processes may write to one ledger: they queue on a file lock, since SQLite's own busy
//! handler starves whoever waits. The writer owns its connection and drops it on any error, for a
//! connection that has failed once may report the next transaction as nested.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, QueryBuilder, Sqlite};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Appended, Change, Expect, Job, LedgerError};
use crate::trail::Draft;

#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Waiting>,
    enveloped: Later,
}

/// Recordings whose envelope object is in the store, to be noted with the next group.
type Later = Arc<Mutex<Vec<Uuid>>>;

struct Waiting {
    job: Job,
    answer: oneshot::Sender<Result<Appended, String>>,
}

impl Writer {
    pub(super) fn start(options: SqliteConnectOptions, lock: PathBuf) -> Writer {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let enveloped = Later::default();
        tokio::spawn(run(options, lock, waiting, Arc::clone(&enveloped)));
        Writer { jobs, enveloped }
    }

    pub(super) fn enveloped(&self, id: Uuid) {
        self.enveloped.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    pub(super) async fn append(&self, job: Job) -> Result<Appended, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let gone = |_| LedgerError::Unavailable("the writer has stopped".into());
        self.jobs.send(Waiting { job, answer }).await.map_err(|_| gone(()))?;
        answered.await.map_err(|_| gone(()))?.map_err(LedgerError::Unavailable)
    }
}

async fn run(
    options: SqliteConnectOptions,
    lock: PathBuf,
    mut waiting: mpsc::Receiver<Waiting>,
    enveloped: Later,
) {
    let mut connection: Option<SqliteConnection> = None;
    let mut lock_on: Option<File> = None;
    let mut group = Vec::with_capacity(GROUP);
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        let noted = std::mem::take(&mut *enveloped.lock().unwrap_or_else(PoisonError::into_inner));
        let committed = commit(&options, &lock, &mut connection, &mut lock_on, &group, &noted).await;
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
    enveloped: &[Uuid],
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
    let mut drafts = Vec::new();
    for Waiting { job, .. } in group {
        let hold = all_hold(&mut transaction, &job.expects).await?;
        if hold {
            for change in &job.changes {
                change_tables(&mut transaction, change).await?;
            }
            move_heads(&mut transaction, &job.entries).await?;
            drafts.extend(&job.entries);
        }
        outcomes.push(if hold { Appended::Done } else { Appended::Conflict });
    }
    // Only the heads are looked at by the jobs behind, so the entries themselves go in together.
    append(&mut transaction, &drafts).await?;
    note_enveloped(&mut transaction, enveloped).await?;
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

/// Whether all of it is so: few questions to the database, however much is expected.
async fn all_hold(connection: &mut SqliteConnection, expects: &[Expect]) -> Result<bool, sqlx::Error> {
    for expects in expects.chunks(QUESTIONS) {
        if !these_hold(connection, expects).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn these_hold(connection: &mut SqliteConnection, expects: &[Expect]) -> Result<bool, sqlx::Error> {
    let mut bound = SqliteArguments::default();
    let mut questions = Vec::with_capacity(expects.len());
    for expect in expects {
        questions.push(question(expect, &mut bound).map_err(sqlx::Error::Encode)?);
    }
    let sql = AssertSqlSafe(format!("SELECT {}", questions.join(" AND ")));
    sqlx::query_scalar_with(sql, bound).fetch_one(connection).await
}

/// The SQL that asks whether it is so; never NULL.
fn question(expect: &Expect, bound: &mut SqliteArguments) -> Result<&'static str, BoxDynError> {
    Ok(match expect {
        Expect::Head { call, head } => {
            bound.add(call.to_string())?;
            bound.add(head.to_string())?;
            "EXISTS (SELECT 1 FROM call WHERE uid = ? AND head = ?)"
        }
        Expect::NameIs { account, name, call } => {
            bound.add(account)?;
            bound.add(name)?;
            bound.add(call.map(|call| call.to_string()))?;
            "(SELECT call FROM call_name WHERE account = ? AND name = ?) IS ?"
        }
        Expect::EventUnsent { call, id } => {
            bound.add(call.to_string())?;
            bound.add(id)?;
            "NOT EXISTS (SELECT 1 FROM sent_event WHERE call = ? AND id = ?)"
        }
        Expect::RecordingNameFree { call, name } => {
            bound.add(call.to_string())?;
            bound.add(name)?;
            "NOT EXISTS (SELECT 1 FROM recording WHERE call = ? AND name = ?)"
        }
        Expect::RecordingLive { id, unheld } => {
            bound.add(id.to_string())?;
            bound.add(*unheld)?;
            "EXISTS (SELECT 1 FROM recording WHERE id = ? AND deleted_at IS NULL AND NOT (held AND ?))"
        }
        Expect::GrantHolds { account, id } => {
            bound.add(account)?;
            bound.add(id)?;
            "EXISTS (SELECT 1 FROM consent_grant WHERE account = ? AND id = ? AND withdrawn_at IS NULL)"
        }
        Expect::CallsWithGrant { account, id, calls } => {
            bound.add(id)?;
            bound.add(account)?;
            bound.add(serde_json::to_string(calls)?)?;
            "(SELECT json_group_array(uid ORDER BY uid) FROM (SELECT DISTINCT call.uid FROM participant \
             JOIN call ON call.uid = participant.call WHERE participant.consent_grant = ? \
             AND call.account = ? AND call.ended_at IS NULL)) = ?"
        }
        Expect::GrantFree { account, id } => {
            bound.add(account)?;
            bound.add(id)?;
            "NOT EXISTS (SELECT 1 FROM consent_grant WHERE account = ? AND id = ?)"
        }
        Expect::Subject { tag, key } => {
            bound.add(tag)?;
            bound.add(key)?;
            "(SELECT key FROM subject WHERE tag = ?) IS ?"
        }
        Expect::PromptVersion { account, id, version } => {
            bound.add(account)?;
            bound.add(id)?;
            bound.add(*version)?;
            "(SELECT coalesce(max(version), 0) FROM prompt WHERE account = ? AND id = ?) = ?"
        }
        Expect::KeyUsable { account, id } => {
            bound.add(account)?;
            bound.add(id)?;
            "EXISTS (SELECT 1 FROM public_key WHERE account = ? AND id = ? AND retired_at IS NULL)"
        }
        Expect::AccountFree { id } => {
            bound.add(id)?;
            "NOT EXISTS (SELECT 1 FROM account WHERE id = ?)"
        }
        Expect::AccountSettings { id, settings } => {
            bound.add(id)?;
            bound.add(settings)?;
            "EXISTS (SELECT 1 FROM account WHERE id = ? AND settings = ?)"
        }
        Expect::Law { digest } => {
            bound.add(digest)?;
            "(SELECT digest FROM table_version ORDER BY version DESC LIMIT 1) IS ?"
        }
        Expect::Version { number } => {
            bound.add(*number)?;
            "(SELECT coalesce(max(version), 0) FROM table_version) = ?"
        }
        Expect::OpenProposals { uids } => {
            bound.add(serde_json::to_string(uids)?)?;
            "(SELECT json_group_array(uid ORDER BY uid) FROM proposal WHERE state = 'open') = ?"
        }
        Expect::ProposalOf { uid, person } => {
            bound.add(uid.to_string())?;
            bound.add(person)?;
            "EXISTS (SELECT 1 FROM proposal WHERE uid = ? AND state = 'open' AND person = ?)"
        }
    })
}

async fn note_enveloped(connection: &mut SqliteConnection, ids: &[Uuid]) -> Result<(), sqlx::Error> {
    for ids in ids.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new("UPDATE recording SET enveloped = 1 WHERE id IN (");
        let mut listed = query.separated(", ");
        for id in ids {
            listed.push_bind(id.to_string());
        }
        listed.push_unseparated(")");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Makes a job's last entry on each call the call's head.
async fn move_heads(connection: &mut SqliteConnection, drafts: &[Draft]) -> Result<(), sqlx::Error> {
    let heads: BTreeMap<Uuid, Uuid> =
        drafts.iter().filter_map(|draft| Some((draft.call?, draft.id))).collect();
    for (call, head) in heads {
        sqlx::query("UPDATE call SET head = ? WHERE uid = ?")
            .bind(head.to_string())
            .bind(call.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Appends the entries of a group: each log's are numbered on from its size, in order.
async fn append(connection: &mut SqliteConnection, drafts: &[&Draft]) -> Result<(), sqlx::Error> {
    let mut logs: BTreeMap<&str, Vec<&Draft>> = BTreeMap::new();
    for draft in drafts {
        logs.entry(&draft.log).or_default().push(draft);
    }
    let mut numbered: Vec<(i64, &Draft)> = Vec::with_capacity(drafts.len());
    for (log, drafts) in logs {
        let more = i64::try_from(drafts.len()).unwrap_or(i64::MAX);
        let size: i64 = sqlx::query_scalar(
            "INSERT INTO log (id, size) VALUES (?, ?) \
             ON CONFLICT (id) DO UPDATE SET size = size + excluded.size RETURNING size",
        )
        .bind(log)
        .bind(more)
        .fetch_one(&mut *connection)
        .await?;
        numbered.extend((size - more..).zip(drafts));
    }
    for rows in numbered.chunks(ROWS) {
        QueryBuilder::<Sqlite>::new("INSERT INTO entry (log, seq, id, call, at, type, leaf, leaf_hash) ")
            .push_values(rows, |mut row, (seq, draft)| {
                row.push_bind(&draft.log)
                    .push_bind(*seq)
                    .push_bind(draft.id.to_string())
                    .push_bind(draft.call.map(|call| call.to_string()))
                    .push_bind(draft.at.as_millisecond())
                    .push_bind(draft.kind)
                    .push_bind(&draft.leaf)
                    .push_bind(draft.leaf_hash.as_slice());
            })
            .build()
            .execute(&mut *connection)
            .await?;
    }
    let detailed: Vec<_> =
        numbered.iter().filter_map(|(seq, draft)| Some((*seq, draft, draft.detail.as_ref()?))).collect();
    for rows in detailed.chunks(ROWS) {
        QueryBuilder::<Sqlite>::new("INSERT INTO detail (log, seq, salt, document) ")
            .push_values(rows, |mut row, (seq, draft, detail)| {
                row.push_bind(&draft.log)
                    .push_bind(*seq)
                    .push_bind(detail.salt.as_slice())
                    .push_bind(&detail.document);
            })
            .build()
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
            "INSERT INTO recording (id, account, call, name, fingerprint, uploader, bytes, duration_ms, content_type, envelope, accepted_at, retention) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        .bind(row.accepted_at)
        .bind(&row.retention),
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
        Change::TableVersion { version, digest, at, document } => {
            sqlx::query("INSERT INTO table_version (version, digest, in_force_at, document) VALUES (?, ?, ?, ?)")
                .bind(*version)
                .bind(digest)
                .bind(*at)
                .bind(document)
        }
        Change::TableSource { origin, digest } => sqlx::query(
            "INSERT INTO table_source (origin, digest) VALUES (?, ?) ON CONFLICT (origin) DO UPDATE SET digest = excluded.digest",
        )
        .bind(*origin)
        .bind(digest),
        Change::Proposal { row } => sqlx::query(
            "INSERT INTO proposal (uid, digest, base, state, credential, person, document, proposed_at, expires_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.uid)
        .bind(&row.digest)
        .bind(&row.base)
        .bind(&row.state)
        .bind(&row.credential)
        .bind(&row.person)
        .bind(&row.document)
        .bind(row.proposed_at)
        .bind(row.expires_at),
        Change::AdoptProposal { uid, credential, person } => {
            sqlx::query("UPDATE proposal SET credential = ?, person = ? WHERE uid = ? AND state = 'open'")
                .bind(credential)
                .bind(person)
                .bind(uid.to_string())
        }
        Change::DecideProposal { uid, state, at, decision } => sqlx::query(
            "UPDATE proposal SET state = ?, decided_at = ?, decision = ? WHERE uid = ? AND state = 'open'",
        )
        .bind(*state)
        .bind(*at)
        .bind(decision)
        .bind(uid.to_string()),
        Change::AccountSettings { id, settings } => {
            sqlx::query("UPDATE account SET settings = ? WHERE id = ?").bind(settings).bind(id)
        }
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
/// How much is expected in one statement at most; SQLite takes an expression of depth 1000.
const QUESTIONS: usize = 256;
/// How many rows one statement inserts at most.
const ROWS: usize = 64;
/// How many jobs may wait before the doors are held back.
const QUEUE: usize = 1024;
