//! What may be taken away, and what may not.

use consent_gateway::ledger::{Change, Question};
use consent_gateway::trail::{Detail, Draft};
use uuid::Uuid;

use super::{Raw, Store, account, append, call, change, entry, first_epoch, of_call, on_both_engines};

on_both_engines!(
    details_are_found_by_what_they_hold_whatever_its_case,
    people_are_erased_and_the_trail_stays_as_it_was,
    entries_nodes_and_tables_are_neither_changed_nor_deleted_nor_replaced,
    a_dropped_epoch_may_be_deleted_and_no_other,
);

async fn people_are_erased_and_the_trail_stays_as_it_was(store: &Store) {
    let ledger = store.open().await;
    let uid = Uuid::new_v4();
    let person = Change::Participant {
        call: uid,
        participant: 0,
        id: "caller".into(),
        number: Some("+14155550100".into()),
        ip: None,
        grant: None,
    };
    let subject = Change::Subject { tag: vec![1], key: vec![2], at: 1 };
    change(&ledger, vec![account("acme"), call(uid, "c", &["c"], 1, Uuid::nil()), person, subject]).await;
    let detail = Some(Detail { salt: [1; 32], document: "{\"who\":\"caller\"}".into() });
    append(&ledger, vec![Draft { detail, ..of_call("acme", uid, 0) }, entry("acme", 0)]).await;
    let (head, leaves) =
        (ledger.head("acme").await.unwrap(), ledger.leaves(&first_epoch("acme"), 0, 9).await.unwrap());
    let mut raw = store.raw().await;
    for table in ["detail", "participant", "subject"] {
        raw.execute(&format!("DELETE FROM {table}")).await.unwrap();
    }
    assert_eq!(ledger.head("acme").await.unwrap(), head);
    assert_eq!(ledger.leaves(&first_epoch("acme"), 0, 9).await.unwrap(), leaves);
    assert_eq!(ledger.subject(&[1]).await.unwrap(), None);
    let question = Question { log: "acme".into(), calls: Some(vec![uid]), ..Question::default() };
    let rows = ledger.entries(&question, 9).await.unwrap();
    assert!(rows.len() == 1 && rows[0].document.is_none());
    let (history, people) = ledger.history(uid).await.unwrap();
    assert_eq!((history.len(), people.len()), (1, 0));
    append(&ledger, vec![of_call("acme", uid, 1)]).await;
}

async fn details_are_found_by_what_they_hold_whatever_its_case(store: &Store) {
    let ledger = store.open().await;
    let documents = [r#"{"who":"Caller-7"}"#, r#"{"who":"caller_7"}"#, r#"{"who":"50%"}"#, r#"{"a\"b":"!"}"#];
    let drafts = documents.iter().map(|document| {
        let detail = Some(Detail { salt: [0; 32], document: (*document).to_owned() });
        Draft { detail, ..entry("acme", 0) }
    });
    append(&ledger, drafts.collect()).await;
    let holding = async |text: &str| {
        let rows = ledger.details_holding("acme", text).await.unwrap();
        let of_type = ledger.details_of_type("acme", "audit.heartbeat", text).await.unwrap();
        let places: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(places, of_type.iter().map(|row| row.seq).collect::<Vec<_>>());
        places
    };
    assert_eq!(holding("cALLER-7").await, [0]);
    assert_eq!(holding("r_7").await, [1], "a character that means something else to SQL");
    assert_eq!(holding("0%").await, [2]);
    assert_eq!(holding(r#"a\"b"#).await, [3]);
    assert_eq!(holding("!").await, [3]);
    assert!(ledger.details_of_type("acme", "audit.gap", "7").await.unwrap().is_empty());
    assert!(ledger.details_holding("globex", "7").await.unwrap().is_empty());
}

async fn refuses(raw: &mut Raw, sql: &str) {
    let error = raw.execute(sql).await.expect_err(sql);
    assert!(error.contains("append-only") || error.contains("kept for ever"), "{sql}: {error}");
}

async fn entries_nodes_and_tables_are_neither_changed_nor_deleted_nor_replaced(store: &Store) {
    let ledger = store.open().await;
    append(&ledger, (0..300).map(|_| entry("acme", 0)).collect()).await;
    let table = Change::Table { digest: "d".into(), text: "t".into(), at: 1 };
    let version = Change::TableVersion { version: 1, digest: "d".into(), at: 1, document: "{}".into() };
    change(&ledger, vec![table, version]).await;
    let mut raw = store.raw().await;
    for sql in [
        "UPDATE entry SET leaf = leaf_hash WHERE seq = 7",
        "UPDATE entry SET call = 'x'",
        "UPDATE node SET hash = hash",
        "UPDATE jurisdiction_table SET text = 'u'",
        "UPDATE table_version SET document = '{}'",
        "DELETE FROM entry WHERE seq = 299",
        "DELETE FROM node",
        "DELETE FROM jurisdiction_table",
        "DELETE FROM table_version",
    ] {
        refuses(&mut raw, sql).await;
    }
    let own = match raw {
        Raw::Sqlite(_) => [
            "INSERT OR REPLACE INTO entry SELECT log, epoch, seq, id, call, at, type, leaf_hash, leaf_hash FROM entry WHERE seq = 7",
            "REPLACE INTO node SELECT log, epoch, level, idx, X'00' FROM node",
            "REPLACE INTO jurisdiction_table VALUES ('d', 'u', 1)",
            "REPLACE INTO table_version VALUES (1, 'd', 1, '{\"x\":1}')",
            "UPDATE OR REPLACE entry SET seq = 8 WHERE seq = 7",
        ],
        // A table that only this session sees is not asked which epochs are dropped.
        Raw::Postgres(_) => [
            "TRUNCATE entry",
            "TRUNCATE node",
            "TRUNCATE jurisdiction_table, table_version CASCADE",
            "INSERT INTO entry SELECT * FROM entry WHERE seq = 7 ON CONFLICT (log, epoch, seq) DO UPDATE SET leaf = excluded.leaf_hash",
            "CREATE TEMPORARY TABLE closed_log AS SELECT 'acme' AS id, 1 AS epoch, 1 AS dropped_at; DELETE FROM entry",
        ],
    };
    for sql in own {
        refuses(&mut raw, sql).await;
    }
    assert_eq!((raw.count("entry").await, raw.count("node").await), (300, 1));
    assert_eq!(ledger.table("d").await.unwrap().as_deref(), Some("t"));
}

async fn a_dropped_epoch_may_be_deleted_and_no_other(store: &Store) {
    let ledger = store.open().await;
    append(&ledger, (0..300).map(|_| entry("acme", 0)).collect()).await;
    let close =
        Change::CloseLog { log: "acme".into(), epoch: 1, next: 2, root: vec![0; 32], note: None, at: 9 };
    change(&ledger, vec![close]).await;
    append(&ledger, vec![entry("acme", 0), entry("globex", 0)]).await;
    let mut raw = store.raw().await;
    for sql in ["DELETE FROM entry WHERE log = 'acme' AND epoch = 1", "DELETE FROM node"] {
        refuses(&mut raw, sql).await;
    }
    raw.execute("UPDATE closed_log SET dropped_at = 10 WHERE id = 'acme' AND epoch = 1").await.unwrap();
    refuses(&mut raw, "DELETE FROM entry").await;
    refuses(&mut raw, "DELETE FROM entry WHERE log = 'globex'").await;
    for sql in [
        "DELETE FROM entry WHERE log = 'acme' AND epoch = 1",
        "DELETE FROM node WHERE log = 'acme' AND epoch = 1",
    ] {
        raw.execute(sql).await.unwrap();
    }
    assert_eq!((raw.count("entry").await, raw.count("node").await), (2, 0));
}
