//! What a call is folded from.

use consent_gateway::ledger::Change;
use futures_util::TryStreamExt as _;
use trail::Draft;
use uuid::Uuid;

use super::groups::id_of;
use super::{Store, account, append, call, change, entry, of_call, on_both_engines, start};

on_both_engines!(
    a_history_is_in_the_order_of_the_log_with_the_gaps_that_concern_it,
    histories_are_those_of_all_calls_with_their_leaves_in_order,
);

async fn a_history_is_in_the_order_of_the_log_with_the_gaps_that_concern_it(store: &Store) {
    let ledger = store.open().await;
    let (mine, other, ended) = (crate::harness::uid(), crate::harness::uid(), crate::harness::uid());
    let open = |uid, name: &str| call(uid, name, &[name], 1, Uuid::nil());
    change(
        &ledger,
        vec![account("acme"), account("globex"), open(mine, "a"), open(other, "b"), open(ended, "c")],
    )
    .await;
    let gap = |log: &str, at| Draft { kind: "audit.gap", ..entry(log, at) };
    let entries = vec![
        gap("acme", 0),
        of_call("acme", mine, 0),
        of_call("acme", ended, 0),
        of_call("acme", other, 0),
        gap("acme", 1_000),
        of_call("acme", mine, 500),
        gap("globex", 1_000),
        entry("acme", 1_000),
        gap("acme", 5_000),
        of_call("acme", mine, 5_000),
    ];
    let ids: Vec<Uuid> = entries.iter().map(|draft| draft.id).collect();
    append(&ledger, entries).await;
    change(&ledger, vec![Change::CallEnded { uid: ended, at: start().as_millisecond() + 4_999 }]).await;
    let on = |participant, id: &str| Change::Participant {
        call: mine,
        participant,
        id: id.into(),
        number: None,
        ip: None,
        grant: None,
    };
    change(&ledger, vec![on(10, "j"), on(2, "b"), on(0, "z")]).await;
    // The log goes on in another epoch, and so does the call.
    change(
        &ledger,
        vec![Change::CloseLog { log: "acme".into(), epoch: 1, next: 2, root: vec![], note: None, at: 9 }],
    )
    .await;
    let later = vec![entry("acme", 6_000), of_call("acme", mine, 6_000), gap("acme", 7_000)];
    let later_ids: Vec<Uuid> = later.iter().map(|draft| draft.id).collect();
    append(&ledger, later).await;

    let history = async |uid| {
        let (leaves, people) = ledger.history(uid).await.unwrap();
        let people: Vec<(i64, String)> = people.into_iter().map(|row| (row.participant, row.id)).collect();
        (leaves.iter().map(|row| id_of(&row.leaf)).collect::<Vec<_>>(), people)
    };
    let (leaves, people) = history(mine).await;
    assert_eq!(leaves, [ids[1], ids[4], ids[5], ids[8], ids[9], later_ids[1], later_ids[2]]);
    assert_eq!(people, [(0, "z".to_owned()), (2, "b".to_owned()), (10, "j".to_owned())]);
    // One that had ended is not concerned.
    assert_eq!(history(ended).await.0, [ids[2], ids[4]]);
    assert_eq!(history(other).await.0, [ids[3], ids[4], ids[8], later_ids[2]]);
    assert_eq!(history(crate::harness::uid()).await, (vec![], vec![]));
}

async fn histories_are_those_of_all_calls_with_their_leaves_in_order(store: &Store) {
    let ledger = store.open().await;
    change(&ledger, vec![account("acme")]).await;
    let calls: Vec<Uuid> = (0..20).map(|_| crate::harness::uid()).collect();
    for (n, uid) in calls.iter().enumerate() {
        let name = format!("c{n}");
        change(&ledger, vec![call(*uid, &name, &[&name], n as i64, Uuid::nil())]).await;
    }
    for round in 0..5 {
        append(&ledger, calls[1..].iter().map(|uid| of_call("acme", *uid, round)).collect()).await;
    }
    let found: Vec<_> = ledger.histories(5, Some("acme")).try_collect().await.unwrap();
    let order: Vec<String> = found.iter().map(|row| row.uid.clone()).collect();
    assert_eq!(order, calls[5..].iter().map(Uuid::to_string).collect::<Vec<_>>(), "the oldest first");
    for row in &found {
        let uid: Uuid = row.uid.parse().unwrap();
        let leaves = ledger.history(uid).await.unwrap().0;
        let leaves: Vec<Vec<u8>> = leaves.into_iter().map(|row| row.leaf).collect();
        assert_eq!(leaves.len(), 5);
        assert_eq!(row.leaves.as_deref(), Some(leaves.join(&b'\n').as_slice()));
    }
    let all: Vec<_> = ledger.histories(0, None).try_collect().await.unwrap();
    assert_eq!(all.iter().filter(|row| row.leaves.is_none()).count(), 1, "a call without entries");
    let none: Vec<_> = ledger.histories(0, Some("globex")).try_collect().await.unwrap();
    assert!(none.is_empty());
}
