//! The one writer of the ledger. It takes whatever is waiting, up to 256 jobs, and commits them
//! together: the sync to disk is the clock. What is committed can be read and may be in an answer, so no group is
//! committed before the one ahead of it is durable.
//!
//! The writer owns its connection and drops it on any error: whether the last COMMIT was applied is
//! not known then, and a connection that has failed once may report the next transaction as nested. If the
//! writer itself fails, those who wait and those who come are told so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::expected::Expected;
use super::heads::{Grown, Heads, LogRow, NodeRow, Placed};
use super::registers::{self, Place, Registers, Sums, Touch, touches};
use super::sql::{Dialect, Statement};
use super::write::statements;
use super::{Appended, Change, Expect, Job, LedgerError};
use trail::Draft;
use trail::chain::Chain;
use trail::tree::Hash;

#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Waiting>,
    enveloped: Later,
}

/// An engine: how a group becomes durable.
pub(super) trait Engine: Send + 'static {
    /// Runs one transaction, with no other beside it. Either all of it is durable, or it is not known whether
    /// any of it is: then the engine starts over from what is on disk.
    fn commit(
        &mut self,
        group: &[Waiting],
        enveloped: &[Uuid],
        registers: &Registers,
    ) -> impl Future<Output = Result<Done, LedgerError>> + Send;

    /// Drops whatever may be in doubt.
    fn forget(&mut self);

    /// Waits for a moment that is short beside a sync, if nobody else needs the thread.
    fn breathe(&self) {}
}

/// What an engine does inside its transaction.
pub(super) trait Transaction: Send {
    fn dialect(&self) -> Dialect;

    /// The answers to these questions.
    fn answers(
        &mut self,
        questions: Vec<Statement>,
    ) -> impl Future<Output = Result<Vec<bool>, LedgerError>> + Send;

    /// Rows of texts.
    fn texts(
        &mut self,
        question: Statement,
    ) -> impl Future<Output = Result<Vec<Vec<Option<String>>>, LedgerError>> + Send;

    /// Later questions see what this writes.
    fn execute(&mut self, statement: Statement) -> impl Future<Output = Result<(), LedgerError>> + Send;

    fn logs(&mut self, ids: &[&str]) -> impl Future<Output = Result<Vec<LogRow>, LedgerError>> + Send;

    fn put_logs(&mut self, rows: &[LogRow]) -> impl Future<Output = Result<(), LedgerError>> + Send;

    fn move_heads(
        &mut self,
        calls: &BTreeMap<Uuid, Uuid>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    fn put_entries(&mut self, entries: &[Placed<'_>])
    -> impl Future<Output = Result<(), LedgerError>> + Send;

    fn put_nodes(&mut self, nodes: &[NodeRow<'_>]) -> impl Future<Output = Result<(), LedgerError>> + Send;

    fn note_enveloped(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// What the disk has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    ForAll,
    ForWhatRestricts,
}

/// The outcome of one job of a committed group, with the places of its entries (`acme/17`; `acme.2/17` in the
/// second epoch).
pub(super) type Outcome = Result<(Appended, Vec<String>), String>;

/// The outcome of a committed group.
pub(super) struct Done {
    outcomes: Vec<Outcome>,
    /// The logs that have registered something, and the places of those entries.
    registered: Vec<(String, (i64, i64))>,
}

/// Recordings whose envelope object is in the store, to be noted with the next group.
type Later = Arc<Mutex<Vec<Uuid>>>;

pub(super) struct Waiting {
    pub(super) job: Job,
    answer: oneshot::Sender<Outcome>,
}

impl Writer {
    pub(super) fn start(engine: impl Engine, registers: Arc<Registers>) -> Writer {
        let (writer, work) = Writer::new(engine, registers);
        tokio::spawn(work);
        writer
    }

    /// Starts it on a thread of its own, which an engine may block.
    pub(super) fn on_a_thread(engine: impl Engine, registers: Arc<Registers>) -> Result<Writer, LedgerError> {
        let (writer, work) = Writer::new(engine, registers);
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::Builder::new().name("ledger".into());
        thread.spawn(move || runtime.block_on(work)).map_err(LedgerError::Thread)?;
        Ok(writer)
    }

    /// The writer, and its work, which ends when nobody can send jobs any more.
    fn new(
        engine: impl Engine,
        registers: Arc<Registers>,
    ) -> (Writer, impl Future<Output = ()> + Send + 'static) {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let enveloped = Later::default();
        let work = run(engine, waiting, Arc::clone(&enveloped), registers);
        (Writer { jobs, enveloped }, work)
    }

    pub(super) fn enveloped(&self, id: Uuid) {
        self.enveloped.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    pub(super) async fn append(&self, mut job: Job) -> Result<Appended, LedgerError> {
        job.count_restrictions();
        let (answer, answered) = oneshot::channel();
        let gone = |_| LedgerError::Unavailable("the writer has stopped".into());
        self.jobs.send(Waiting { job, answer }).await.map_err(|_| gone(()))?;
        let outcome = answered.await.map_err(|_| gone(()))?;
        let (appended, places) = outcome.map_err(LedgerError::Unavailable)?;
        if !places.is_empty() {
            // Readers of the program's log can find the entries in the trail.
            tracing::Span::current().record("entry", places.join(" "));
        }
        Ok(appended)
    }
}

async fn run(
    mut engine: impl Engine,
    mut waiting: mpsc::Receiver<Waiting>,
    enveloped: Later,
    registers: Arc<Registers>,
) {
    let mut group = Vec::with_capacity(GROUP);
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        // The entries of a group are written last, so an erasure in the same group would miss their details,
        // and an epoch's end their epoch: both come after them, in their own group.
        group.sort_by_key(|waiting| ends_an_epoch(waiting) || erases(waiting));
        let ordinary = group.partition_point(|waiting| !ends_an_epoch(waiting) && !erases(waiting));
        let special = group.split_off(ordinary);
        let answered = group.len() + special.len();
        for part in [std::mem::take(&mut group), special] {
            if !part.is_empty() {
                commit(&mut engine, part, &enveloped, &registers).await;
            }
        }
        // Most callers send again once answered; those who do so at once share the next sync.
        if answered >= MANY && waiting.len() < answered {
            engine.breathe();
        }
        group.reserve(GROUP);
    }
}

async fn commit(engine: &mut impl Engine, group: Vec<Waiting>, enveloped: &Later, registers: &Registers) {
    let noted = std::mem::take(&mut *enveloped.lock().unwrap_or_else(PoisonError::into_inner));
    let committed = engine.commit(&group, &noted, registers).await;
    if let Err(error) = &committed {
        tracing::error!(error = %Chain(error), jobs = group.len(), "could not write the audit trail");
        engine.forget();
        // What could not be noted goes with the next group: a restart needs it.
        enveloped.lock().unwrap_or_else(PoisonError::into_inner).extend(noted);
    }
    let outcomes = committed.map_err(|error| error.to_string()).map(|done| {
        done.registered.iter().for_each(|(log, place)| registers.hear(log, *place));
        done.outcomes
    });
    for (index, Waiting { answer, .. }) in group.into_iter().enumerate() {
        let outcome = match &outcomes {
            Ok(outcomes) => {
                outcomes.get(index).cloned().unwrap_or_else(|| Err("the writer lost count".to_owned()))
            }
            Err(error) => Err(error.clone()),
        };
        // The caller may be gone; the entry is logged all the same.
        let _ = answer.send(outcome);
    }
}

/// Everything that a group does, inside a transaction with no other beside it.
pub(super) async fn write(
    transaction: &mut impl Transaction,
    group: &[Waiting],
    enveloped: &[Uuid],
    registers: &Registers,
    room: Room,
) -> Result<Done, LedgerError> {
    let logs: BTreeSet<&str> =
        group.iter().flat_map(|waiting| &waiting.job.entries).map(|draft| draft.log.as_str()).collect();
    let logs: Vec<&str> = logs.into_iter().collect();
    let mut heads = Heads::read(&transaction.logs(&logs).await?)?;
    let mut outcomes = Vec::with_capacity(group.len());
    let mut grown = Grown::default();
    let mut sums = Sums::default();
    let mut expected = Expected::ask(transaction, group.iter().map(|waiting| &waiting.job)).await?;
    let mut next = 0usize;
    for waiting in group {
        let job = &waiting.job;
        let first = next;
        next = next.saturating_add(job.expects.len());
        if room == Room::ForWhatRestricts && !job.restricts() {
            outcomes
                .push(Err("the disk is full except for the reserve for objections and deletions".to_owned()));
            continue;
        }
        // Nothing precedes an entry that begins an epoch.
        let continues = |draft: &&Draft| !job.changes.iter().any(|change| closes(change, &draft.log));
        if let Some(behind) = heads.behind(job.entries.iter().filter(continues)) {
            outcomes.push(Err(format!(
                "the clock is {} s behind the trail: set it, or wait; if the trail was written with a wrong clock, \
                 begin new logs with `consent-gateway audit reopen`",
                behind / 1000
            )));
            continue;
        }
        // If this job reads or changes the logs, it must see what the jobs before it have appended.
        let of_logs = ends_an_epoch(waiting) || job.expects.iter().any(is_of_a_log);
        if of_logs && let Some(rows) = heads.unwritten() {
            transaction.put_logs(&rows).await?;
        }
        if !expected.hold(transaction, first, job).await? {
            outcomes.push(Ok((Appended::Conflict, Vec::new())));
            continue;
        }
        let touches: Vec<Touch> = job.changes.iter().filter_map(touches).collect();
        if let Some(unsound) = unsound(transaction, job, &touches, &mut sums, registers).await? {
            outcomes.push(Err(unsound.to_string()));
            continue;
        }
        let before = rows(transaction, &touches).await?;
        for statement in job.changes.iter().flat_map(statements) {
            transaction.execute(statement).await?;
        }
        let after = rows(transaction, &touches).await?;
        expected.done(job);
        if ends_an_epoch(waiting) {
            heads = Heads::read(&transaction.logs(&logs).await?)?;
        }
        // The job's first entry of a log says what it registers; a new epoch begins with everything
        // registered by then.
        let mut silent: BTreeSet<&str> =
            before.keys().chain(after.keys()).map(|place| place.log.as_str()).collect();
        silent.extend(job.changes.iter().filter_map(begins));
        for change in &job.changes {
            if let Change::Recommit { log } = change {
                let everything: Vec<Touch> = registers::everything(log).collect();
                sums.reckon(log, rows(transaction, &everything).await?.into_values());
                silent.insert(log);
            }
        }
        let mut places = Vec::with_capacity(job.entries.len());
        for draft in &job.entries {
            let registers = draft.call.is_none() && silent.remove(draft.log.as_str());
            let registered = match registers {
                true => Some(sums.change(&draft.log, &before, &after)),
                false => None,
            };
            let place = heads.append(draft, registered.as_ref(), &mut grown)?;
            if registers {
                sums.registered(&draft.log, place);
            }
            places.push(match place {
                (1, number) => format!("{}/{number}", draft.log),
                (epoch, number) => format!("{}.{epoch}/{number}", draft.log),
            });
        }
        outcomes.push(Ok((Appended::Done, places)));
    }
    // Nothing reads the entries before the group is committed, so they are written together.
    if let Some(rows) = heads.unwritten() {
        transaction.put_logs(&rows).await?;
    }
    if !expected.moved().is_empty() {
        transaction.move_heads(expected.moved()).await?;
    }
    if !grown.entries.is_empty() {
        transaction.put_entries(&grown.entries).await?;
        transaction.put_nodes(&grown.nodes).await?;
    }
    for statement in sums.statements() {
        transaction.execute(statement).await?;
    }
    transaction.note_enveloped(enveloped).await?;
    Ok(Done { outcomes, registered: sums.places() })
}

/// Why a job may not register anything: a log's registers do not match its newest entry, and the next entry
/// would vouch for them. Reopening the log is allowed: somebody has checked them.
async fn unsound(
    transaction: &mut impl Transaction,
    job: &Job,
    touches: &[Touch],
    sums: &mut Sums,
    registers: &Registers,
) -> Result<Option<LedgerError>, LedgerError> {
    if touches.is_empty() && !job.changes.iter().any(|change| begins(change).is_some()) {
        return Ok(None);
    }
    let reckoned = |log: &str| {
        job.changes.iter().any(|change| matches!(change, Change::Recommit { log: anew } if anew == log))
    };
    for Draft { log, .. } in job.entries.iter().filter(|draft| draft.call.is_none() && !reckoned(&draft.log))
    {
        if !sums.knows(log) {
            let kept = transaction.texts(registers::newest(log, transaction.dialect())).await?;
            if !sums.answered(log, &kept, registers.heard(log)) {
                return Ok(Some(registers::altered(log, "the sum of its rows")));
            }
        }
    }
    Ok(None)
}

/// The current rows that a job is about.
async fn rows(
    transaction: &mut impl Transaction,
    touches: &[Touch],
) -> Result<BTreeMap<Place, Hash>, LedgerError> {
    let mut all = BTreeMap::new();
    for touch in touches {
        all.extend(touch.rows(transaction.texts(touch.select()).await?)?);
    }
    Ok(all)
}

/// The log that begins an epoch with this change.
fn begins(change: &Change) -> Option<&str> {
    if let Change::CloseLog { log, .. } = change { Some(log) } else { None }
}

fn ends_an_epoch(waiting: &Waiting) -> bool {
    waiting.job.changes.iter().any(|change| begins(change).is_some())
}

fn erases(waiting: &Waiting) -> bool {
    waiting.job.changes.iter().any(|change| matches!(change, Change::Erase(_)))
}

fn closes(change: &Change, of: &str) -> bool {
    begins(change) == Some(of)
}

/// Whether it is about the row of a log, which the group itself changes.
fn is_of_a_log(expect: &Expect) -> bool {
    matches!(expect, Expect::LogAt { .. } | Expect::LogQuiet { .. })
}

/// How many jobs one transaction takes at most.
const GROUP: usize = 256;
/// From this many answers on, it pays to wait for the next group.
const MANY: usize = 8;
/// How many jobs may wait before requests are slowed down.
const QUEUE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails its first group, and breaks in the second.
    struct Broken(bool);

    impl Engine for Broken {
        async fn commit(&mut self, _: &[Waiting], _: &[Uuid], _: &Registers) -> Result<Done, LedgerError> {
            assert!(!self.0, "it breaks");
            Err(LedgerError::Busy)
        }

        fn forget(&mut self) {
            self.0 = true;
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_a_writer_that_breaks_is_told_so() {
        let alone = Writer::on_a_thread(Broken(false), Arc::default()).unwrap();
        let beside = Writer::start(Broken(false), Arc::default());
        for writer in [alone, beside] {
            let said = async || writer.append(Job::default()).await.unwrap_err().to_string();
            assert!(said().await.contains("another program keeps the ledger locked"));
            let (one, other) = tokio::join!(said(), said());
            for said in [one, other, said().await] {
                assert_eq!(said, "the audit trail cannot be written: the writer has stopped");
            }
        }
    }
}
