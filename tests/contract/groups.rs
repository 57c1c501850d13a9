//! What is appended at the same time.

use consent_gateway::ledger::{Appended, Change, Expect, Head, Job, Ledger, LedgerError};
use tokio::task::JoinSet;
use trail::Leaf;
use uuid::Uuid;

use super::{
    Store, account, append, call, change, entry, first_epoch, holds, of_call, on_both_engines, start,
};

on_both_engines!(
    what_many_tasks_append_is_numbered_without_a_gap,
    of_many_who_append_to_the_same_head_one_does,
    of_many_who_take_a_name_one_does,
    of_many_who_expect_the_log_as_it_is_one_appends,
    a_silent_log_says_so_once,
    an_epoch_ends_once_and_before_what_is_appended_with_it,
    an_entry_that_lies_too_far_behind_is_refused_and_nothing_of_its_job_is_written,
    neither_within_a_job_nor_within_a_group_does_a_log_run_backwards,
    an_epoch_may_begin_before_the_last_one_ended,
);

async fn what_many_tasks_append_is_numbered_without_a_gap(store: &Store) {
    let ledger = store.open().await;
    change(&ledger, vec![account("acme")]).await;
    let calls: Vec<Uuid> = (0..4).map(|_| crate::harness::uid()).collect();
    for (n, uid) in calls.iter().enumerate() {
        change(&ledger, vec![call(*uid, &format!("c{n}"), &[&format!("c{n}")], 1, Uuid::nil())]).await;
    }
    let mut tasks = JoinSet::new();
    for n in 0..300_usize {
        let (ledger, uid) = (ledger.clone(), calls[n % 4]);
        tasks.spawn(async move {
            let entries = (0..=n % 3).map(|_| of_call("acme", uid, 0)).collect::<Vec<_>>();
            let ids: Vec<Uuid> = entries.iter().map(|draft| draft.id).collect();
            append(&ledger, entries).await;
            (uid, ids)
        });
    }
    let acknowledged = tasks.join_all().await;
    let head = ledger.head("acme").await.unwrap().unwrap();
    assert_eq!((head.epoch, head.edge.size()), (1, 600));
    let leaves = ledger.leaves(&first_epoch("acme"), 0, 1_000).await.unwrap();
    assert_eq!(leaves.len(), 600, "no gap, nothing twice");
    let order: Vec<Uuid> = leaves.iter().map(|(leaf, _)| id_of(leaf)).collect();
    for (_, ids) in &acknowledged {
        let first = order.iter().position(|id| *id == ids[0]).unwrap();
        assert_eq!(&order[first..first + ids.len()], ids, "a job's entries stand together, in order");
    }
    for uid in calls {
        let (history, _) = ledger.history(uid).await.unwrap();
        let history: Vec<Uuid> = history.iter().map(|row| id_of(&row.leaf)).collect();
        let of = |id: &Uuid| acknowledged.iter().any(|(call, ids)| *call == uid && ids.contains(id));
        assert_eq!(history, order.iter().filter(|id| of(id)).copied().collect::<Vec<_>>());
        let head = ledger.call(uid).await.unwrap().unwrap().head;
        assert_eq!(head, history.last().unwrap().to_string(), "the call's head is its last entry");
    }
}

pub(super) fn id_of(leaf: &[u8]) -> Uuid {
    serde_json::from_slice::<Leaf>(leaf).unwrap().id
}

/// How many of so many who all try at the same time get through.
async fn winners(ledger: &Ledger, tries: usize, job: impl Fn(usize) -> Job) -> usize {
    // While this is written, the others come, and are written together.
    let entries: Vec<_> = (0..2_000).map(|_| entry("busy", 0)).collect();
    let jobs: Vec<Job> = (0..tries).map(job).collect();
    let first = tokio::spawn({
        let ledger = ledger.clone();
        async move { append(&ledger, entries).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let mut tasks = JoinSet::new();
    for job in jobs {
        let ledger = ledger.clone();
        tasks.spawn(async move { ledger.append(job).await.unwrap() });
    }
    let won = tasks.join_all().await.into_iter().filter(|done| *done == Appended::Done).count();
    first.await.unwrap();
    won
}

async fn of_many_who_append_to_the_same_head_one_does(store: &Store) {
    let ledger = store.open().await;
    let (uid, first) = (crate::harness::uid(), of_call("acme", Uuid::nil(), 0));
    let (head, first) = (first.id, trail::Draft { call: Some(uid), ..first });
    change(&ledger, vec![account("acme"), call(uid, "c", &["c"], 1, head)]).await;
    append(&ledger, vec![first]).await;
    let won = winners(&ledger, 60, |_| Job {
        expects: vec![Expect::Head { call: uid, head }],
        entries: vec![of_call("acme", uid, 1)],
        ..Job::default()
    })
    .await;
    assert_eq!((won, ledger.head("acme").await.unwrap().unwrap().edge.size()), (1, 2));
}

async fn of_many_who_take_a_name_one_does(store: &Store) {
    let ledger = store.open().await;
    change(&ledger, vec![account("acme")]).await;
    let won = winners(&ledger, 60, |_| {
        let uid = crate::harness::uid();
        let opened = of_call("acme", uid, 1);
        Job {
            expects: vec![Expect::NameIs { account: "acme".into(), name: "c".into(), call: None }],
            changes: vec![call(uid, "c", &["c"], 1, opened.id)],
            entries: vec![opened],
        }
    })
    .await;
    assert_eq!((won, ledger.count_calls(0, None).await.unwrap()), (1, 1));
}

async fn of_many_who_expect_the_log_as_it_is_one_appends(store: &Store) {
    let ledger = store.open().await;
    append(&ledger, vec![entry("acme", 0)]).await;
    let won = winners(&ledger, 60, |_| Job {
        expects: vec![Expect::LogAt { log: "acme".into(), epoch: 1, size: 1 }],
        entries: vec![entry("acme", 0)],
        ..Job::default()
    })
    .await;
    assert_eq!((won, ledger.head("acme").await.unwrap().unwrap().edge.size()), (1, 2));
}

async fn a_silent_log_says_so_once(store: &Store) {
    let ledger = store.open().await;
    append(&ledger, vec![entry("acme", 0)]).await;
    let since = start().as_millisecond() + 3_600_000;
    let won = winners(&ledger, 60, |_| Job {
        expects: vec![Expect::LogQuiet { log: "acme".into(), since }],
        entries: vec![entry("acme", 3_600_000)],
        ..Job::default()
    })
    .await;
    assert_eq!((won, ledger.head("acme").await.unwrap().unwrap().edge.size()), (1, 2));
}

fn close(epoch: i64) -> Change {
    Change::CloseLog { log: "acme".into(), epoch, next: epoch + 1, root: vec![0; 32], note: None, at: 9 }
}

async fn an_epoch_ends_once_and_before_what_is_appended_with_it(store: &Store) {
    let ledger = store.open().await;
    append(&ledger, vec![entry("acme", 0), entry("globex", 0)]).await;
    let (ending, other) = (ledger.clone(), ledger.clone());
    let ended = async move {
        winners(&ending, 20, |_| Job {
            expects: vec![Expect::LogAt { log: "acme".into(), epoch: 1, size: 1 }],
            changes: vec![close(1)],
            entries: vec![entry("acme", 1), entry("globex", 1)],
        })
        .await
    };
    let appended = async move {
        winners(&other, 40, |n| {
            let log = if n % 2 == 0 { "beta" } else { "globex" };
            Job { entries: vec![entry(log, 1)], ..Job::default() }
        })
        .await
    };
    assert_eq!(tokio::join!(ended, appended), (1, 40));
    let heads: Vec<(String, i64, u64)> = ledger
        .heads()
        .await
        .unwrap()
        .into_iter()
        .filter(|(log, _)| log != "busy")
        .map(|(log, head)| (log, head.epoch, head.edge.size()))
        .collect();
    let of = |log: &str, epoch, size| (log.to_owned(), epoch, size);
    assert_eq!(heads, [of("acme", 2, 1), of("beta", 1, 20), of("globex", 1, 22)]);
    assert_eq!(ledger.closed_logs("acme").await.unwrap().len(), 1);
}

#[track_caller]
fn refused(answer: Result<Appended, LedgerError>) {
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("the clock is") && error.contains("behind"), "{error}");
}

async fn an_entry_that_lies_too_far_behind_is_refused_and_nothing_of_its_job_is_written(store: &Store) {
    let ledger = store.open().await;
    append(&ledger, vec![entry("acme", 60_000)]).await;
    let job = |at| Job {
        changes: vec![account(&format!("a{at}"))],
        entries: vec![entry("globex", at), entry("acme", at)],
        ..Job::default()
    };
    refused(ledger.append(job(49_999)).await);
    assert_eq!(ledger.append(job(50_000)).await.unwrap(), Appended::Done);
    // The end of the log in time is its latest entry, not its last.
    refused(ledger.append(job(49_999)).await);
    let ids: Vec<String> = ledger.accounts().await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(ids, ["a50000"]);
    assert_eq!(ledger.head("globex").await.unwrap().unwrap().edge.size(), 1);
    assert_eq!(ledger.head("acme").await.unwrap().unwrap().last_at, start().as_millisecond() + 60_000);
}

async fn neither_within_a_job_nor_within_a_group_does_a_log_run_backwards(store: &Store) {
    let ledger = store.open().await;
    let entries = vec![entry("acme", 60_000), entry("globex", 0), entry("acme", 49_999)];
    refused(ledger.append(Job { entries, ..Job::default() }).await);
    assert!(ledger.heads().await.unwrap().is_empty());
    // Whoever comes first, one of the two clocks is wrong.
    let mut tasks = JoinSet::new();
    for n in 0..60_i64 {
        let ledger = ledger.clone();
        let job = Job { entries: vec![entry("acme", n % 2 * 60_000)], ..Job::default() };
        tasks.spawn(async move { ledger.append(job).await.is_ok() });
    }
    let written = tasks.join_all().await.into_iter().filter(|written| *written).count();
    let leaves = ledger.leaves(&first_epoch("acme"), 0, 100).await.unwrap();
    assert_eq!(leaves.len(), written);
    let times =
        leaves.iter().map(|(leaf, _)| serde_json::from_slice::<Leaf>(leaf).unwrap().at.as_millisecond());
    let mut latest = i64::MIN;
    for at in times {
        assert!(latest.saturating_sub(at) <= 10_000);
        latest = latest.max(at);
    }
}

async fn an_epoch_may_begin_before_the_last_one_ended(store: &Store) {
    let ledger = store.open().await;
    // The clock was wrong by a day, and is set.
    append(&ledger, vec![entry("acme", 86_400_000)]).await;
    refused(ledger.append(Job { entries: vec![entry("acme", 0)], ..Job::default() }).await);
    let reopen = Job { changes: vec![close(1)], entries: vec![entry("acme", 0)], ..Job::default() };
    assert_eq!(ledger.append(reopen).await.unwrap(), Appended::Done);
    let head: Head = ledger.head("acme").await.unwrap().unwrap();
    assert_eq!((head.epoch, head.edge.size(), head.last_at), (2, 1, start().as_millisecond()));
    assert!(holds(&ledger, Expect::LogAt { log: "acme".into(), epoch: 2, size: 1 }).await);
    append(&ledger, vec![entry("acme", 1)]).await;
}
