//! What may be taken away, and what may not.

use consent_gateway::ledger::{Change, Epoch, Erase, Expect, Ledger, ParticipantRow, Question};
use trail::{Detail, Draft};
use uuid::Uuid;

use super::{Raw, Store, account, append, call, change, entry, first_epoch, holds, of_call, on_both_engines};

on_both_engines!(
    details_are_found_by_what_they_hold_whatever_its_case,
    details_are_gone_through_in_pages_one_log_at_a_time,
    people_are_erased_and_the_trail_stays_as_it_was,
    entries_nodes_and_tables_are_neither_changed_nor_deleted_nor_replaced,
    a_dropped_epoch_may_be_deleted_and_no_other,
    whoever_is_erased_is_found_first,
    what_is_erased_goes_and_nothing_else,
    an_epoch_is_dropped_with_its_calls_and_no_other,
);

async fn people_are_erased_and_the_trail_stays_as_it_was(store: &Store) {
    let ledger = store.open().await;
    let uid = crate::harness::uid();
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
        let rows = ledger.details_of_type("acme", "audit.heartbeat", text).await.unwrap();
        rows.iter().map(|row| row.seq).collect::<Vec<i64>>()
    };
    assert_eq!(holding("cALLER-7").await, [0]);
    assert_eq!(holding("r_7").await, [1], "a character that means something else to SQL");
    assert_eq!(holding("0%").await, [2]);
    assert_eq!(holding(r#"a\"b"#).await, [3]);
    assert_eq!(holding("!").await, [3]);
    assert!(ledger.details_of_type("acme", "audit.gap", "7").await.unwrap().is_empty());
    assert!(ledger.details_of_type("globex", "audit.heartbeat", "7").await.unwrap().is_empty());
}

async fn details_are_gone_through_in_pages_one_log_at_a_time(store: &Store) {
    let ledger = store.open().await;
    let told = |log: &str, n: usize| {
        let detail = Some(Detail { salt: [0; 32], document: format!("{{\"n\":{n}}}") });
        // Every third entry has none.
        Draft { detail: detail.filter(|_| n % 3 != 2), ..entry(log, 0) }
    };
    append(&ledger, (0..8).map(|n| told("acme", n)).collect()).await;
    append(&ledger, vec![told("globex", 0)]).await;
    let close =
        Change::CloseLog { log: "acme".into(), epoch: 1, next: 2, root: vec![0; 32], note: None, at: 9 };
    change(&ledger, vec![close]).await;
    append(&ledger, vec![told("acme", 9), told("acme", 10)]).await;
    for limit in [1, 2, 3, 100] {
        let mut seen = Vec::new();
        let mut after = (0, -1);
        loop {
            let page = ledger.details("acme", after, limit).await.unwrap();
            assert!(page.len() <= usize::try_from(limit).unwrap());
            let Some(last) = page.last() else { break };
            after = (last.epoch, last.seq);
            seen.extend(page.into_iter().map(|row| (row.epoch, row.seq, row.document)));
        }
        let places: Vec<(i64, i64)> = seen.iter().map(|(epoch, seq, _)| (*epoch, *seq)).collect();
        assert_eq!(places, [(1, 0), (1, 1), (1, 3), (1, 4), (1, 6), (1, 7), (2, 0), (2, 1)], "{limit}");
        assert_eq!(seen[7].2, "{\"n\":10}");
    }
}

async fn refuses(raw: &mut Raw, sql: &str) {
    let error = raw.execute(sql).await.expect_err(sql);
    assert!(error.contains("append-only") || error.contains("kept for ever"), "{sql}: {error}");
}

async fn entries_nodes_and_tables_are_neither_changed_nor_deleted_nor_replaced(store: &Store) {
    let ledger = store.open().await;
    append(&ledger, (0..300).map(|_| entry("acme", 0)).collect()).await;
    let digest = policy::Table::digest_of("t");
    let table = Change::Table { digest: digest.clone(), text: "t".into(), at: 1 };
    let version = Change::TableVersion {
        version: 1,
        digest: digest.clone(),
        salt: String::new(),
        at: 1,
        document: "{}".into(),
    };
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
            "REPLACE INTO jurisdiction_table SELECT digest, 'u', 1 FROM jurisdiction_table",
            "REPLACE INTO table_version SELECT version, digest, in_force_at, '{\"x\":1}', salt FROM table_version",
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
    assert_eq!(ledger.table(&digest).await.unwrap().as_deref(), Some("t"));
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

fn somebody(call: Uuid, participant: u32, id: &str) -> Change {
    let number = Some(format!("+1415555010{participant}"));
    let (ip, grant) = (Some("192.0.2.1".into()), Some("g".into()));
    Change::Participant { call, participant, id: id.into(), number, ip, grant }
}

/// An entry with a detail, which mentions this.
fn told(call: Option<Uuid>, kind: &'static str, document: &str, mentions: &[&str]) -> Draft {
    let detail = Some(Detail { salt: [1; 32], document: document.into() });
    let mentions = mentions.iter().map(|key| (*key).to_owned()).collect();
    Draft { call, kind, detail, mentions, ..entry("acme", 0) }
}

/// Two calls with the same two people, a grant, and a question that somebody asked.
async fn two_calls(store: &Store) -> (Ledger, Uuid, Uuid) {
    let ledger = store.open().await;
    let [theirs, others] = [1, 2].map(Uuid::from_u128);
    let grant = Change::Grant {
        salt: String::new(),
        account: "acme".into(),
        id: "g".into(),
        uid: Uuid::from_u128(3),
        document: "{}".into(),
        at: 1,
    };
    let sent = |call| Change::SentEvent { call, id: "e".into(), digest: vec![1] };
    let subject = |tag| Change::Subject { tag: vec![tag], key: vec![2], at: 1 };
    change(&ledger, vec![account("acme"), grant, subject(1), subject(2)]).await;
    for (uid, name, leg) in [(theirs, "c1", "leg1"), (others, "c2", "leg2")] {
        let opened = call(uid, name, &[name, leg], 1, Uuid::nil());
        let on = vec![opened, somebody(uid, 0, "caller"), somebody(uid, 1, "agent"), sent(uid)];
        change(&ledger, on).await;
    }
    let entries = vec![
        told(Some(theirs), "call.opened", "{\"call\":\"c1\"}", &["subject:p1"]),
        told(Some(others), "call.opened", "{\"call\":\"c2\"}", &["subject:p2"]),
        told(None, "consent-grant.registered", "{\"grant\":\"g\"}", &["grant:3"]),
        told(None, "audit.lookup", "{\"who\":\"100%_!Caller\"}", &[]),
    ];
    append(&ledger, entries).await;
    (ledger, theirs, others)
}

async fn whoever_is_erased_is_found_first(store: &Store) {
    let (ledger, theirs, _) = two_calls(store).await;
    let mentioned = |key: &str, count| Expect::CallsMentioning { log: "acme".into(), key: key.into(), count };
    let with_agent = |count| Expect::CallsOfParticipant { account: "acme".into(), id: "agent".into(), count };
    let is = |id: &str| Expect::CallIs { call: theirs, id: id.into() };
    for (expect, wanted) in [
        (mentioned("subject:p1", 1), true),
        (mentioned("subject:p1", 2), false),
        (mentioned("subject:p3", 0), true),
        (with_agent(2), true),
        (with_agent(1), false),
        (is("c1"), true),
        (is("c2"), false),
    ] {
        let asked = format!("{expect:?}");
        assert_eq!(holds(&ledger, expect).await, wanted, "{asked}");
    }
    assert_eq!(ledger.calls_mentioning("acme", "subject:p2").await.unwrap()[0].id, "c2");
    assert_eq!(ledger.calls_of_participant("acme", "agent").await.unwrap().len(), 2);
    assert!(ledger.calls_of_participant("globex", "agent").await.unwrap().is_empty());
    assert_eq!(ledger.grants("acme").await.unwrap().len(), 1);
    // A text is looked for as it stands: its signs are no wildcards.
    let found = async |text: &str| ledger.details_of_type("acme", "audit.lookup", text).await.unwrap().len();
    assert_eq!((found("100%_!C").await, found("100_").await, found("who").await), (1, 0, 1));
    assert!(ledger.details_of_type("acme", "call.opened", "who").await.unwrap().is_empty());
}

async fn what_is_erased_goes_and_nothing_else(store: &Store) {
    let (ledger, theirs, others) = two_calls(store).await;
    let log = || "acme".to_owned();
    let erased = [
        Erase::Subject { tag: vec![1] },
        Erase::Call { uid: theirs, account: log(), body: "less".into() },
        Erase::Participant { call: theirs, participant: 0, id: "erased-0".into() },
        Erase::Grant { account: log(), id: "g".into(), as_id: "h".into(), document: "[]".into(), at: 7 },
        Erase::Mentioned { log: log(), key: "grant:3".into() },
        Erase::Detail { log: log(), epoch: 1, seq: 3 },
    ];
    let before = ledger.leaves(&first_epoch("acme"), 0, 9).await.unwrap();
    change(&ledger, erased.map(Change::Erase).into()).await;
    assert_eq!(ledger.leaves(&first_epoch("acme"), 0, 9).await.unwrap(), before);
    assert_eq!(ledger.subject(&[1]).await.unwrap(), None);
    assert_eq!(ledger.subject(&[2]).await.unwrap(), Some(vec![2]));
    let name = format!("erased:{theirs}");
    for (asked, uid) in [
        ("c1", None),
        ("leg1", None),
        (name.as_str(), Some(theirs)),
        ("c2", Some(others)),
        ("leg2", Some(others)),
    ] {
        let found = ledger.call_by_name("acme", asked).await.unwrap();
        assert_eq!(found.map(|row| row.uid), uid.map(|uid| uid.to_string()), "{asked}");
    }
    let row = ledger.call(theirs).await.unwrap().unwrap();
    assert!(row.is_erased() && row.body == "less");
    // Whoever has the call as it was can only conflict.
    assert!(!holds(&ledger, Expect::CallIs { call: theirs, id: "c1".into() }).await);
    let people = async |call| -> Vec<(String, bool)> {
        let (_, rows) = ledger.history(call).await.unwrap();
        let known =
            |row: &ParticipantRow| row.number.is_some() && row.ip.is_some() && row.consent_grant.is_some();
        rows.iter().map(|row| (row.id.clone(), known(row))).collect()
    };
    assert_eq!(people(theirs).await, [("erased-0".to_owned(), false), ("agent".to_owned(), true)]);
    assert_eq!(people(others).await, [("caller".to_owned(), true), ("agent".to_owned(), true)]);
    assert_eq!(ledger.sent_event(theirs, "e").await.unwrap(), None);
    assert!(ledger.sent_event(others, "e").await.unwrap().is_some());
    let grant = ledger.grant("acme", "h").await.unwrap().unwrap();
    assert_eq!((grant.document.as_str(), grant.withdrawn_at), ("[]", Some(7)));
    assert!(ledger.grant("acme", "g").await.unwrap().is_none());
    let question = Question { log: log(), ..Question::default() };
    let rows = ledger.entries(&question, 9).await.unwrap();
    let left: Vec<i64> = rows.iter().filter(|row| row.document.is_some()).map(|row| row.seq).collect();
    assert_eq!(left, [1], "only the other call's detail");
}

async fn an_epoch_is_dropped_with_its_calls_and_no_other(store: &Store) {
    let ledger = store.open().await;
    let [first, second] = [1, 2].map(Uuid::from_u128);
    let opened = call(first, "c1", &["c1"], 1, Uuid::nil());
    change(&ledger, vec![account("acme"), opened, somebody(first, 0, "caller")]).await;
    let entries = vec![
        told(Some(first), "call.opened", "{}", &["subject:p1"]),
        told(None, "audit.lookup", "{}", &["subject:p1"]),
    ];
    append(&ledger, entries).await;
    append(&ledger, (0..300).map(|_| entry("acme", 0)).collect()).await;
    let log = || "acme".to_owned();
    let signed =
        |size| Change::Checkpoint { log: log(), epoch: 1, size, note: "n".into(), at: 1, kept: true };
    let anchored = |size| Change::Anchor {
        log: log(),
        epoch: 1,
        size,
        kind: "witness",
        name: "w".into(),
        evidence: vec![1],
        at: 1,
    };
    change(&ledger, vec![signed(300), anchored(300), signed(302), anchored(302)]).await;
    let droppable = async |epoch| holds(&ledger, Expect::Droppable { log: log(), epoch }).await;
    let close = |epoch, next| Change::CloseLog {
        log: log(),
        epoch,
        next,
        root: vec![0; 32],
        note: Some("n".into()),
        at: 9,
    };
    let began = async || {
        let began = ledger.epochs_began().await.unwrap();
        began.into_iter().find(|(at, _)| at.log == "acme").map(|(at, _)| at.epoch)
    };
    assert_eq!(began().await, Some(1));
    assert!(!droppable(1).await, "it has not ended");
    change(&ledger, vec![close(1, 2)]).await;
    assert!(!droppable(1).await, "a call is open");
    assert_eq!(began().await, None, "the second epoch has no entry yet");
    let opened = call(second, "c2", &["c2"], 1, Uuid::nil());
    change(&ledger, vec![opened, Change::CallEnded { uid: first, at: 9 }]).await;
    let entries =
        vec![told(Some(second), "call.opened", "{}", &[]), told(Some(first), "call.ended", "{}", &[])];
    append(&ledger, entries).await;
    assert_eq!(began().await, Some(2));
    assert_eq!(ledger.open_calls_of(&first_epoch("acme")).await.unwrap(), [""; 0]);
    let second_epoch = Epoch { log: log(), epoch: 2 };
    assert_eq!(ledger.open_calls_of(&second_epoch).await.unwrap(), ["c2"]);
    // Epochs that others have signed may be left out.
    change(&ledger, vec![close(2, 5), Change::CallEnded { uid: second, at: 9 }]).await;
    assert_eq!(ledger.head("acme").await.unwrap().unwrap().epoch, 5);
    assert!(!droppable(2).await, "the epoch before is still there");
    assert!(droppable(1).await);

    let erase = |erase| vec![Change::Erase(erase)];
    change(&ledger, erase(Erase::Log { log: log(), epoch: 1, at: 10 })).await;
    assert!(!droppable(1).await && droppable(2).await, "it is dropped once");
    assert!(ledger.call(first).await.unwrap().is_none() && ledger.call(second).await.unwrap().is_some());
    let first_left = async || ledger.first_entry(&first_epoch("acme")).await.unwrap();
    assert_eq!(first_left().await, Some(0));
    change(&ledger, erase(Erase::Entries { log: log(), epoch: 1, before: 200 })).await;
    assert_eq!(first_left().await, Some(200));
    change(&ledger, erase(Erase::Entries { log: log(), epoch: 1, before: 302 })).await;
    change(&ledger, erase(Erase::Tree { log: log(), epoch: 1 })).await;
    assert_eq!(first_left().await, None);
    let anchors = ledger.anchors(&first_epoch("acme")).await.unwrap();
    let sizes: Vec<i64> = anchors.iter().map(|row| row.size).collect();
    assert_eq!(sizes, [302], "what was said of the last head is kept");
    let mut raw = store.raw().await;
    for (table, left) in [
        ("entry", 2),
        ("detail", 2),
        ("node", 0),
        ("checkpoint", 0),
        ("entry_mention", 0),
        ("call_mention", 0),
        ("participant", 0),
        ("call_name", 1),
        ("call", 1),
        ("entry_time", 1),
        ("closed_log", 2),
    ] {
        assert_eq!(raw.count(table).await, left, "{table}");
    }
}
