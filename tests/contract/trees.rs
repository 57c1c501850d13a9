//! Heads, edges and nodes are what a naive computation over the leaves says.

use consent_gateway::ledger::{Appended, Change, Epoch, Job, Ledger};
use sha2::{Digest as _, Sha256};

use super::{Store, append, change, entry, first_epoch, on_both_engines};
use crate::harness::slow;

on_both_engines!(
    heads_and_nodes_are_those_of_the_leaves,
    a_head_that_does_not_belong_to_its_size_is_not_continued,
    entries_have_their_details_and_their_places,
    nodes_of_66_000_leaves_are_those_of_the_leaves,
);

type Hash = [u8; 32];

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// MTH of RFC 6962, section 2.1, as it is written there.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let left = leaves.len().next_power_of_two() / 2;
            sha256(&[&[1], &root(&leaves[..left]), &root(&leaves[left..])])
        }
    }
}

/// The maximal complete subtrees, the largest first.
fn edge(mut leaves: &[Hash]) -> Vec<Hash> {
    let mut hashes = Vec::new();
    while !leaves.is_empty() {
        let most = 1 << leaves.len().ilog2();
        hashes.push(root(&leaves[..most]));
        leaves = &leaves[most..];
    }
    hashes
}

async fn check(ledger: &Ledger, at: &Epoch, size: usize) {
    let mut hashes: Vec<Hash> = Vec::new();
    for from in (0..size as u64).step_by(5_000) {
        for (leaf, stored) in ledger.leaves(at, from, from + 5_000).await.unwrap() {
            let hash = sha256(&[&[0], &leaf]);
            assert_eq!(stored, hash);
            hashes.push(hash);
        }
    }
    assert_eq!(hashes.len(), size);
    let head = ledger.head(&at.log).await.unwrap().unwrap();
    if head.epoch == at.epoch {
        assert_eq!((head.edge.size(), head.edge.root()), (size as u64, root(&hashes)));
        assert_eq!(head.edge.hashes(), edge(&hashes));
    }
    for level in 1..4 {
        let wanted: Vec<Hash> = hashes.chunks_exact(256_usize.pow(level)).map(root).collect();
        let stored = ledger.nodes(at, level.try_into().unwrap(), 0, u64::MAX).await.unwrap();
        assert_eq!(stored, wanted, "level {level}");
    }
    let some = ledger.leaf_hashes(at, 3, 5).await.unwrap();
    assert_eq!(some, hashes.get(3..5.min(size)).unwrap_or_default());
}

async fn heads_and_nodes_are_those_of_the_leaves(store: &Store) {
    let ledger = store.open().await;
    let mut size = 0;
    // Groups that end beside the edge of a tile, on it, and far behind it.
    for more in [1, 2, 252, 1, 1, 255, 300, 1] {
        let entries = (0..more).flat_map(|_| [entry("acme", 0), entry("globex", 0)]).collect();
        append(&ledger, entries).await;
        size += more;
        check(&ledger, &first_epoch("acme"), size).await;
    }
    check(&ledger, &first_epoch("globex"), size).await;
    let close = Change::CloseLog { log: "acme".into(), epoch: 1, next: 2, root: vec![], note: None, at: 9 };
    change(&ledger, vec![close]).await;
    append(&ledger, (0..300).map(|_| entry("acme", 0)).collect()).await;
    check(&ledger, &Epoch { log: "acme".into(), epoch: 2 }, 300).await;
    check(&ledger, &first_epoch("acme"), size).await;
    // Another gateway reads the same.
    check(&store.open().await, &first_epoch("globex"), size).await;
}

async fn a_head_that_does_not_belong_to_its_size_is_not_continued(store: &Store) {
    let ledger = store.open().await;
    append(&ledger, vec![entry("acme", 0), entry("acme", 0)]).await;
    let mut raw = store.raw().await;
    raw.execute("UPDATE log SET size = 3").await.unwrap();
    let error = ledger.append(Job { entries: vec![entry("acme", 0)], ..Job::default() }).await.unwrap_err();
    assert!(error.to_string().contains("the head of the log `acme`"), "{error}");
    assert!(ledger.head("acme").await.is_err());
    // A head that is too short meets the entries that are there.
    raw.execute("UPDATE log SET size = 1, edge = (SELECT leaf_hash FROM entry WHERE seq = 0)").await.unwrap();
    ledger.append(Job { entries: vec![entry("acme", 0)], ..Job::default() }).await.unwrap_err();
    assert_eq!(raw.count("entry").await, 2);
    // It is nobody else's matter.
    let done = ledger.append(Job { entries: vec![entry("globex", 0)], ..Job::default() }).await.unwrap();
    assert_eq!(done, Appended::Done);
}

async fn entries_have_their_details_and_their_places(store: &Store) {
    let ledger = store.open().await;
    let mut drafts: Vec<_> = (0..200).map(|_| entry("acme", 0)).collect();
    for (n, draft) in drafts.iter_mut().enumerate().filter(|(n, _)| n % 3 == 0) {
        let salt = [u8::try_from(n).unwrap(); 32];
        draft.detail = Some(trail::Detail { salt, document: format!("{{\"n\":{n}}}") });
    }
    let leaves: Vec<Vec<u8>> = drafts.iter().map(|draft| draft.leaf.clone()).collect();
    append(&ledger, drafts).await;
    for (n, leaf) in leaves.iter().enumerate() {
        let found = ledger.entry(&first_epoch("acme"), n as u64).await.unwrap().unwrap();
        assert_eq!((found.log.as_str(), found.epoch, found.seq), ("acme", 1, n as i64));
        assert_eq!(&found.leaf, leaf);
        let detail = (n % 3 == 0).then(|| (vec![u8::try_from(n).unwrap(); 32], format!("{{\"n\":{n}}}")));
        assert_eq!(found.salt.zip(found.document), detail);
    }
    assert!(ledger.entry(&first_epoch("acme"), 200).await.unwrap().is_none());
    assert!(ledger.entry(&first_epoch("globex"), 0).await.unwrap().is_none());
}

async fn nodes_of_66_000_leaves_are_those_of_the_leaves(store: &Store) {
    if !slow() {
        return;
    }
    let ledger = store.open().await;
    for _ in 0..66 {
        append(&ledger, (0..1_000).map(|_| entry("acme", 0)).collect()).await;
    }
    check(&ledger, &first_epoch("acme"), 66_000).await;
}
