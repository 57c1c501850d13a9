//! Several gateways on one ledger.

use consent_gateway::ledger::{Appended, Change, Epoch, Expect, Job, Ledger};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::groups::id_of;
use super::{Store, account, append, call, change, entry, first_epoch, of_call, on_both_engines};

on_both_engines!(
    several_gateways_open_an_empty_ledger_at_once,
    nothing_that_two_gateways_append_is_lost_or_doubled,
    of_two_gateways_one_gets_a_name_a_head_an_epoch,
    every_append_that_saw_the_newest_head_gets_through,
);

async fn several_gateways_open_an_empty_ledger_at_once(store: &Store) {
    let opened = futures_util::future::join_all((0..5).map(|_| store.open())).await;
    for ledger in &opened {
        append(ledger, vec![entry("acme", 0)]).await;
    }
    assert_eq!(opened[0].head("acme").await.unwrap().unwrap().edge.size(), 5);
}

async fn nothing_that_two_gateways_append_is_lost_or_doubled(store: &Store) {
    let ledgers = [store.open().await, store.open().await];
    let mut tasks = JoinSet::new();
    for n in 0..20_i64 {
        let ledger = ledgers[usize::try_from(n % 2).unwrap()].clone();
        tasks.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..15 {
                let entries = vec![entry("acme", n), entry("globex", n)];
                ids.extend(entries.iter().map(|draft| draft.id));
                append(&ledger, entries).await;
            }
            ids
        });
    }
    let mut acknowledged: Vec<Uuid> = tasks.join_all().await.concat();
    let mut stored = Vec::new();
    for log in ["acme", "globex"] {
        let head = ledgers[0].head(log).await.unwrap().unwrap();
        let leaves = ledgers[1].leaves(&first_epoch(log), 0, 1_000).await.unwrap();
        assert_eq!((head.edge.size(), leaves.len()), (300, 300));
        stored.extend(leaves.iter().map(|(leaf, _)| id_of(leaf)));
        // The tree is that of the leaves as they stand.
        let mut edge = trail::tree::Edge::default();
        for (leaf, _) in &leaves {
            edge.push(trail::leaf_hash(leaf), |_, _| {});
        }
        assert_eq!(edge, head.edge);
    }
    acknowledged.sort_unstable();
    stored.sort_unstable();
    assert_eq!(stored, acknowledged);
}

/// How many of as many jobs, by two gateways in turn, get through.
async fn winners(ledgers: &[Ledger; 2], tries: usize, job: impl Fn() -> Job) -> usize {
    let mut tasks = JoinSet::new();
    for n in 0..tries {
        let (ledger, job) = (ledgers[n % 2].clone(), job());
        tasks.spawn(async move { ledger.append(job).await.unwrap() });
    }
    tasks.join_all().await.into_iter().filter(|done| *done == Appended::Done).count()
}

async fn of_two_gateways_one_gets_a_name_a_head_an_epoch(store: &Store) {
    let ledgers = [store.open().await, store.open().await];
    change(&ledgers[0], vec![account("acme")]).await;
    for round in 0..15 {
        let name = format!("c{round}");
        let won = winners(&ledgers, 6, || {
            let uid = crate::harness::uid();
            Job {
                expects: vec![Expect::NameIs { account: "acme".into(), name: name.clone(), call: None }],
                changes: vec![call(uid, &name, &[&name], 1, Uuid::nil())],
                entries: vec![of_call("acme", uid, 0)],
            }
        })
        .await;
        assert_eq!(won, 1);
        let row = ledgers[1].call_by_name("acme", &name).await.unwrap().unwrap();
        let (uid, head): (Uuid, Uuid) = (row.uid.parse().unwrap(), row.head.parse().unwrap());
        let won = winners(&ledgers, 6, || Job {
            expects: vec![Expect::Head { call: uid, head }],
            entries: vec![of_call("acme", uid, 0)],
            ..Job::default()
        })
        .await;
        assert_eq!(won, 1);
        let head = ledgers[0].head("acme").await.unwrap().unwrap();
        let size = i64::try_from(head.edge.size()).unwrap();
        let won = winners(&ledgers, 6, || Job {
            expects: vec![Expect::LogAt { log: "acme".into(), epoch: head.epoch, size }],
            changes: vec![Change::CloseLog {
                log: "acme".into(),
                epoch: head.epoch,
                next: head.epoch + 1,
                root: head.edge.root().to_vec(),
                note: None,
                at: 1,
            }],
            entries: vec![entry("acme", 0)],
        })
        .await;
        assert_eq!(won, 1);
        assert_eq!(ledgers[1].head("acme").await.unwrap().unwrap().epoch, head.epoch + 1);
    }
    let closed = ledgers[1].closed_logs("acme").await.unwrap();
    assert_eq!(closed.iter().map(|log| log.size).collect::<Vec<_>>(), [vec![2], vec![3; 14]].concat());
    for log in closed {
        let at = Epoch { log: "acme".into(), epoch: log.epoch };
        assert_eq!(ledgers[0].leaves(&at, 0, 99).await.unwrap().len(), usize::try_from(log.size).unwrap());
    }
}

async fn every_append_that_saw_the_newest_head_gets_through(store: &Store) {
    let ledgers = [store.open().await, store.open().await];
    let uid = crate::harness::uid();
    let first = of_call("acme", uid, 0);
    change(&ledgers[0], vec![account("acme"), call(uid, "c", &["c"], 1, first.id)]).await;
    append(&ledgers[0], vec![first]).await;
    let mut tasks = JoinSet::new();
    for ledger in ledgers.iter().flat_map(|ledger| [ledger.clone(), ledger.clone()]) {
        tasks.spawn(async move {
            for _ in 0..20 {
                // As every verb does it: look, decide, append if it still is as it was seen.
                loop {
                    let head: Uuid = ledger.call(uid).await.unwrap().unwrap().head.parse().unwrap();
                    let seen = ledger.history(uid).await.unwrap().0;
                    let mut next = of_call("acme", uid, 0);
                    next.leaf = [next.leaf.as_slice(), format!(" {}", seen.len()).as_bytes()].concat();
                    next.leaf_hash = trail::leaf_hash(&next.leaf);
                    let expects = vec![Expect::Head { call: uid, head }];
                    if id_of(before_number(&seen.last().unwrap().leaf)) != head {
                        continue;
                    }
                    let job = Job { expects, entries: vec![next], ..Job::default() };
                    if ledger.append(job).await.unwrap() == Appended::Done {
                        break;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    let (history, _) = ledgers[1].history(uid).await.unwrap();
    assert_eq!(history.len(), 81);
    for (n, row) in history.iter().enumerate().skip(1) {
        assert!(row.leaf.ends_with(format!(" {n}").as_bytes()), "each was decided on what is before it");
    }
}

/// A leaf without what the test has written behind it.
fn before_number(leaf: &[u8]) -> &[u8] {
    let end = leaf.iter().rposition(|byte| *byte == b'}').unwrap();
    &leaf[..=end]
}
