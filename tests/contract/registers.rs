//! Registers are what the log says of them, row by row and column by column.

use consent_gateway::ledger::{Appended, Change, Erase, Job, Ledger, LedgerError};
use trail::{Actor, Body, Draft, Leaf};
use uuid::Uuid;

use super::expectations::{allowance, proposed, recorded, stated};
use super::{Store, account, call, ms, on_both_engines};

on_both_engines!(
    every_change_of_a_register_is_committed_to,
    an_altered_column_is_found_by_who_starts_and_by_who_follows,
    what_others_register_is_followed,
    an_entry_that_is_hidden_is_missed,
    many_accounts_are_read_at_once,
    no_entry_vouches_for_what_was_changed_behind_it,
);

/// An entry that registers something, of the type that another program looks for.
fn entry(log: &str, at: i64) -> Draft {
    let body = Body::KeyRetired { key: "0".repeat(64) };
    trail::draft(log, ms(at), &Actor::command_line(), None, body, None).unwrap()
}

async fn register(ledger: &Ledger, log: &str, changes: Vec<Change>) {
    let job = Job { changes, entries: vec![entry(log, 0)], ..Job::default() };
    assert_eq!(ledger.append(job).await.unwrap(), Appended::Done);
}

fn table(text: &str) -> Change {
    Change::Table { digest: policy::Table::digest_of(text), text: text.into(), at: 1 }
}

/// Jobs that change every register, each with the log that has to say so.
fn jobs() -> Vec<(&'static str, Vec<Change>)> {
    let [ada, eve, first, second, grant, other, held, kept, one, two] =
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(Uuid::from_u128);
    let acme = || "acme".to_owned();
    let credential = |username: &str, person| Change::Credential {
        username: username.into(),
        account: acme(),
        role: "auditor".into(),
        name: "Ada".into(),
        person,
        provisioner: None,
        hash: "hash".into(),
        coverage: "granted",
        on_refusal: "deny",
        quarantine_seconds: 60,
        at: 1,
    };
    let enrol = |id, folded: &str, founding| Change::Person {
        id,
        account: acme(),
        folded: folded.into(),
        name: folded.into(),
        founding,
        salt: "aa".into(),
        at: 1,
    };
    let alias = |alias: &str, uid| Change::AccountAlias {
        account: acme(),
        alias: alias.into(),
        folded: alias.to_ascii_lowercase(),
        uid: Uuid::from_u128(uid),
        salt: "ff".into(),
        at: 1,
    };
    let key = |id: &str| Change::Key { id: id.into(), account: acme(), pem: "PEM".into(), at: 1 };
    let prompt = |version, uid| Change::Prompt {
        account: acme(),
        id: "en".into(),
        version,
        uid,
        document: "{}".into(),
        salt: "bb".into(),
        at: 1,
    };
    let granted = |id: &str, uid| Change::Grant {
        account: acme(),
        id: id.into(),
        uid,
        document: "{\"subject\":\"caller\"}".into(),
        salt: "cc".into(),
        at: 1,
    };
    let set = |document: &str, at| Change::RecordingSettings {
        account: acme(),
        document: document.into(),
        salt: "ee".into(),
        at,
    };
    let version = |version, text: &str| Change::TableVersion {
        version,
        digest: policy::Table::digest_of(text),
        salt: "dd".into(),
        at: 1,
        document: "{}".into(),
    };
    let mut proposal = proposed(one, &policy::Table::digest_of("second"), "");
    proposal.base = policy::Table::digest_of("first");
    let mut another = proposal.clone();
    another.uid = two.to_string();
    another.digest = policy::Table::digest_of("first");
    let propose = |row| Change::Proposal { row: Box::new(row) };
    let stored =
        |id, name: &str| Change::Recording { row: Box::new(recorded(id, Uuid::from_u128(99), name)) };
    vec![
        ("acme", vec![account("acme")]),
        ("globex", vec![account("globex")]),
        ("acme", vec![Change::AccountSettings { id: acme(), settings: "{\"recorders\":2}".into() }]),
        ("acme", vec![Change::AccountPlaces { id: acme(), operator: Some("DE".into()), recorder: None }]),
        ("acme", vec![Change::AccountProvisioner { id: acme(), provisioner: Some("cg_9".into()) }]),
        ("acme", vec![alias("AC12", 61), alias("AC13", 62)]),
        ("acme", vec![Change::DropAccountAlias { uid: Uuid::from_u128(62).to_string() }]),
        ("acme", vec![enrol(ada, "ada", true), credential("cg_1", Some(ada))]),
        ("acme", vec![enrol(eve, "eve", false)]),
        ("acme", vec![Change::ConfirmPerson { account: acme(), person: eve, by: ada, at: 2 }]),
        ("acme", vec![credential("cg_2", None)]),
        ("acme", vec![Change::RotateCredential { username: "cg_1".into(), hash: "new".into() }]),
        ("acme", vec![Change::RevokeCredential { username: "cg_2".into(), at: 3 }]),
        ("acme", vec![key("k1"), key("k2")]),
        ("acme", vec![Change::RetireKey { id: "k2".into(), account: acme(), at: 3 }]),
        ("acme", vec![prompt(1, first)]),
        ("acme", vec![prompt(2, second)]),
        ("acme", vec![Change::AllowReadings { row: Box::new(allowance("US-TX")) }]),
        ("acme", vec![Change::Reading { row: Box::new(stated("r", 1)) }]),
        ("acme", vec![Change::ApproveReading { account: acme(), id: "r".into(), person: eve, at: 2 }]),
        ("acme", vec![Change::ProposeReadingEnd { account: acme(), id: "r".into(), person: ada, at: 3 }]),
        (
            "acme",
            vec![
                Change::DisallowReadings { account: acme(), code: "US-TX".into() },
                Change::EndReading { account: acme(), id: "r".into(), at: 3, decision: "{}".into() },
            ],
        ),
        ("acme", vec![set("{}", 1)]),
        ("acme", vec![set("{\"line\":\"4.3\"}", 2)]),
        ("acme", vec![granted("g", grant), granted("h", other)]),
        ("acme", vec![Change::WithdrawGrant { account: acme(), id: "g".into(), at: 3 }]),
        (
            "acme",
            vec![Change::Erase(Erase::Grant {
                account: acme(),
                id: "g".into(),
                as_id: format!("erased:{grant}"),
                document: "{}".into(),
                at: 4,
            })],
        ),
        (
            "acme",
            vec![
                call(Uuid::from_u128(99), "c", &["c"], 1, Uuid::nil()),
                stored(held, "a"),
                stored(kept, "b"),
            ],
        ),
        ("acme", vec![Change::Hold { id: held, held: true }]),
        ("acme", vec![Change::Hold { id: kept, held: true }]),
        ("acme", vec![Change::Hold { id: kept, held: false }]),
        ("system", vec![table("first"), version(1, "first"), table("second")]),
        ("system", vec![propose(proposal), propose(another)]),
        (
            "system",
            vec![Change::AdoptProposal { uid: one, credential: "cg_1".into(), person: ada.to_string() }],
        ),
        (
            "system",
            vec![Change::DecideProposal { uid: two, state: "rejected", at: 3, decision: "{}".into() }],
        ),
        ("system", vec![version(2, "second")]),
    ]
}

async fn every_change_of_a_register_is_committed_to(store: &Store) {
    let ledger = store.open().await;
    let mut commits: Vec<Option<String>> = Vec::new();
    for (log, changes) in jobs() {
        let registers = !changes.iter().any(|change| matches!(change, Change::Recording { .. }));
        let told = format!("{changes:?}");
        register(&ledger, log, changes).await;
        // Whoever starts by now finds what is committed to.
        let commit = store.open().await.check_registers_of(log).await.unwrap();
        assert!(commit.is_some(), "{told}");
        let size = ledger.head(log).await.unwrap().unwrap().edge.size();
        let leaf = ledger.entry(&super::first_epoch(log), size - 1).await.unwrap().unwrap().leaf;
        assert_eq!(trail::registers(&leaf), registers, "{told}");
        let leaf: Leaf = serde_json::from_slice(&leaf).unwrap();
        let Some(registered) = leaf.register else { continue };
        assert_eq!(Some(&registered.sum), commit.as_ref(), "{told}");
        assert!(!registered.rows.unwrap().is_empty(), "{told}");
        assert_ne!(commits.last(), Some(&commit), "{told}");
        commits.push(commit);
    }
    assert_eq!(commits.len(), jobs().len() - 1);
    // An epoch begins with what is registered by then.
    let head = ledger.head("acme").await.unwrap().unwrap();
    let end = Change::CloseLog {
        log: "acme".into(),
        epoch: 1,
        next: 2,
        root: head.edge.root().to_vec(),
        note: None,
        at: 9,
    };
    let ended = ledger.check_registers_of("acme").await.unwrap();
    let job = Job { changes: vec![end], entries: vec![entry("acme", 0)], ..Job::default() };
    ledger.append(job).await.unwrap();
    assert_eq!(store.open().await.check_registers_of("acme").await.unwrap(), ended);
    store.open().await.check_registers().await.unwrap();
}

/// What is altered, column by column, and how it was.
fn alterations() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    vec![
        ("account", "operator_location", "'US-TX'", "id = 'acme'"),
        ("account", "recorder_location", "'US-TX'", "id = 'acme'"),
        ("account", "settings", "'{\"recorders\":50}'", "id = 'acme'"),
        ("account", "created_at", "77", "id = 'acme'"),
        ("account", "provisioner", "'cg_1'", "id = 'acme'"),
        ("account_alias", "account", "'globex'", "alias = 'AC12'"),
        ("account_alias", "alias", "'ac12'", "alias = 'AC12'"),
        ("account_alias", "folded", "'ac99'", "alias = 'AC12'"),
        ("account_alias", "added_at", "77", "alias = 'AC12'"),
        ("account_alias", "salt", "'00'", "alias = 'AC12'"),
        ("credential", "provisioner", "'cg_9'", "username = 'cg_1'"),
        ("credential", "account", "'globex'", "username = 'cg_1'"),
        ("credential", "role", "'recorder'", "username = 'cg_1'"),
        ("credential", "name", "'Eve'", "username = 'cg_1'"),
        ("credential", "person", "NULL", "username = 'cg_1'"),
        ("credential", "hash", "'another'", "username = 'cg_1'"),
        ("credential", "created_at", "77", "username = 'cg_1'"),
        ("credential", "revoked_at", "NULL", "username = 'cg_2'"),
        ("public_key", "id", "'k3'", "id = 'k1'"),
        ("public_key", "pem", "'MINE'", "id = 'k1'"),
        ("public_key", "added_at", "77", "id = 'k1'"),
        ("public_key", "retired_at", "NULL", "id = 'k2'"),
        ("prompt", "id", "'de'", "version = 2"),
        ("prompt", "version", "9", "version = 2"),
        ("prompt", "document", "'{\"duration_ms\":1}'", "version = 2"),
        ("prompt", "created_at", "77", "version = 2"),
        ("prompt", "superseded_at", "NULL", "version = 1"),
        ("prompt", "salt", "'00'", "version = 2"),
        ("consent_grant", "id", "'x'", "id = 'h'"),
        ("consent_grant", "document", "'{\"subject\":\"me\"}'", "id = 'h'"),
        ("consent_grant", "created_at", "77", "id = 'h'"),
        ("consent_grant", "withdrawn_at", "NULL", "withdrawn_at IS NOT NULL"),
        ("consent_grant", "salt", "'00'", "id = 'h'"),
        ("recording_settings", "account", "'globex'", "TRUE"),
        ("recording_settings", "document", "'{}'", "TRUE"),
        ("recording_settings", "set_at", "77", "TRUE"),
        ("recording_settings", "salt", "'00'", "TRUE"),
        ("recording", "held", "FALSE", "name = 'a'"),
        ("recording", "held", "TRUE", "name = 'b'"),
        ("person", "folded", "'x'", "name = 'eve'"),
        ("person", "name", "'x'", "name = 'eve'"),
        ("person", "founding", "TRUE", "name = 'eve'"),
        ("person", "enrolled_at", "77", "name = 'eve'"),
        ("person", "salt", "'00'", "name = 'eve'"),
        ("person_confirmed", "confirmer", "person", "TRUE"),
        ("person_confirmed", "confirmed_at", "77", "TRUE"),
        ("table_version", "version", "9", "version = 2"),
        ("table_version", "in_force_at", "77", "version = 2"),
        ("table_version", "document", "'{\"x\":1}'", "version = 2"),
        ("table_version", "salt", "'00'", "version = 2"),
        ("proposal", "base", "'x'", "state = 'open'"),
        ("proposal", "state", "'rejected'", "state = 'open'"),
        ("proposal", "credential", "'cg_2'", "state = 'open'"),
        ("proposal", "person", "'x'", "state = 'open'"),
        ("proposal", "document", "'{\"x\":1}'", "state = 'open'"),
        ("proposal", "proposed_at", "77", "state = 'open'"),
        ("proposal", "expires_at", "77", "state = 'open'"),
        ("proposal", "decided_at", "77", "state = 'rejected'"),
        ("proposal", "decision", "'{\"x\":1}'", "state = 'rejected'"),
        ("proposal", "salt", "'00'", "state = 'open'"),
    ]
}

async fn an_altered_column_is_found_by_who_starts_and_by_who_follows(store: &Store) {
    let ledger = store.open().await;
    for (log, changes) in jobs() {
        register(&ledger, log, changes).await;
    }
    let mut raw = store.raw().await;
    raw.disarm().await;
    // Who has read everything before.
    let follower = store.open().await;
    follower.compare_registers();
    follower.check_registers().await.unwrap();
    for (of, column, altered, which) in alterations() {
        let told = format!("{of}.{column}");
        for sql in [
            "DROP TABLE IF EXISTS saved".to_owned(),
            format!("CREATE TABLE saved AS SELECT * FROM {of}"),
            format!("UPDATE {of} SET {column} = {altered} WHERE {which}"),
        ] {
            raw.execute(&sql).await.unwrap();
        }
        let started = store.open().await.check_registers().await;
        assert!(matches!(started, Err(LedgerError::Altered(_))), "{told}: {started:?}");
        let read = read_all(&follower).await;
        assert!(matches!(read, Err(LedgerError::Altered(_))), "{told}: {read:?}");
        // Undone, it counts again.
        raw.execute(&format!("DELETE FROM {of}")).await.unwrap();
        raw.execute(&format!("INSERT INTO {of} SELECT * FROM saved")).await.unwrap();
        store.open().await.check_registers().await.unwrap();
        read_all(&follower).await.unwrap_or_else(|error| panic!("{told}: {error}"));
    }
}

/// Everything that is decided by.
async fn read_all(ledger: &Ledger) -> Result<(), LedgerError> {
    for id in ["acme", "globex"] {
        ledger.account(id).await?;
        ledger.aliases(id).await?;
        ledger.keys(id).await?;
        ledger.people(id).await?;
        ledger.confirmed(id).await?;
        ledger.grants(id).await?;
        ledger.prompts(id).await?;
        ledger.recording_settings(id).await?;
        ledger.recordings(id, None, None, (i64::MIN, String::new()), 100).await?;
    }
    for username in ["cg_1", "cg_2"] {
        ledger.credential(username).await?;
    }
    ledger.prompt("acme", "en").await?;
    let versions = ledger.versions_of_prompt("acme", "en").await?;
    let uids: Vec<String> = versions.into_iter().map(|row| row.uid).collect();
    ledger.prompt_versions("acme", &uids).await?;
    ledger.law().await?;
    ledger.versions().await?;
    ledger.proposals(false).await?;
    Ok(())
}

async fn what_others_register_is_followed(store: &Store) {
    let (ledger, follower) = (store.open().await, store.open().await);
    follower.compare_registers();
    for (log, changes) in jobs() {
        register(&ledger, log, changes).await;
        read_all(&follower).await.unwrap();
    }
    // Many rows at once are not named, and read anew.
    let enrol = |n: u128| Change::Person {
        id: Uuid::from_u128(1000 + n),
        account: "acme".into(),
        folded: format!("p{n}"),
        name: format!("p{n}"),
        founding: false,
        salt: "ee".into(),
        at: 1,
    };
    register(&ledger, "acme", (0..300).map(enrol).collect()).await;
    assert_eq!(follower.people("acme").await.unwrap().len(), 302);
    // A row that nobody has registered.
    let mut raw = store.raw().await;
    raw.disarm().await;
    raw.execute("INSERT INTO public_key (account, id, pem, added_at) VALUES ('acme', 'mine', 'MINE', 1)")
        .await
        .unwrap();
    assert!(matches!(follower.keys("acme").await, Err(LedgerError::Altered(_))));
    raw.execute("DELETE FROM public_key WHERE id = 'mine'").await.unwrap();
    follower.keys("acme").await.unwrap();
    // Rows that are gone: a key, a person, the newest version of a prompt, the newest of the table.
    for (sql, table) in
        [("id = 'k1'", "public_key"), ("version = 2", "prompt"), ("version = 2", "table_version")]
    {
        raw.execute("DROP TABLE IF EXISTS saved").await.unwrap();
        raw.execute(&format!("CREATE TABLE saved AS SELECT * FROM {table}")).await.unwrap();
        raw.execute(&format!("DELETE FROM {table} WHERE {sql}")).await.unwrap();
        let read = read_all(&follower).await;
        assert!(matches!(read, Err(LedgerError::Altered(_))), "{table}: {read:?}");
        raw.execute(&format!("INSERT INTO {table} SELECT * FROM saved WHERE {sql}")).await.unwrap();
        read_all(&follower).await.unwrap();
    }
    // What has no register of its own: a text is held against its digest.
    raw.execute("UPDATE jurisdiction_table SET text = 'looser'").await.unwrap();
    let digest = policy::Table::digest_of("first");
    assert!(matches!(follower.table(&digest).await, Err(LedgerError::Altered(_))));
    assert!(matches!(follower.tables().await, Err(LedgerError::Altered(_))));
}

async fn an_entry_that_is_hidden_is_missed(store: &Store) {
    let (ledger, follower) = (store.open().await, store.open().await);
    register(&ledger, "acme", vec![account("acme")]).await;
    let key = Change::Key { id: "k".into(), account: "acme".into(), pem: "PEM".into(), at: 1 };
    register(&ledger, "acme", vec![key]).await;
    follower.compare_registers();
    assert_eq!(follower.keys("acme").await.unwrap()[0].retired_at, None);
    register(&ledger, "acme", vec![Change::RetireKey { id: "k".into(), account: "acme".into(), at: 2 }])
        .await;
    let mut raw = store.raw().await;
    raw.disarm().await;
    raw.execute("UPDATE public_key SET retired_at = NULL").await.unwrap();
    raw.execute("UPDATE entry SET type = 'audit.heartbeat' WHERE seq = 2").await.unwrap();
    // Whoever reads the log hears of it.
    follower.hear_of_all(&super::first_epoch("acme"), 3).await.unwrap();
    assert!(matches!(follower.keys("acme").await, Err(LedgerError::Altered(_))));
    // One who starts now is told of another newest entry.
    raw.execute("UPDATE register SET seq = 1").await.unwrap();
    let started = store.open().await;
    started.hear_of_all(&super::first_epoch("acme"), 3).await.unwrap();
    assert!(matches!(started.check_registers().await, Err(LedgerError::Altered(_))));
}

async fn many_accounts_are_read_at_once(store: &Store) {
    let ledger = store.open().await;
    let names: Vec<String> = (0..40).map(|n| format!("a{n:02}")).collect();
    for name in &names {
        register(&ledger, name, vec![account(name)]).await;
    }
    // Who has read none of their logs yet.
    let fresh = store.open().await;
    fresh.compare_registers();
    let read = fresh.accounts().await.unwrap();
    let read: Vec<&str> = read.iter().map(|row| row.id.as_str()).filter(|id| id.starts_with('a')).collect();
    assert_eq!(read, names);
}

async fn no_entry_vouches_for_what_was_changed_behind_it(store: &Store) {
    let ledger = store.open().await;
    ledger.compare_registers();
    register(&ledger, "acme", vec![account("acme")]).await;
    register(&ledger, "globex", vec![account("globex")]).await;
    let key = |id: &str| Change::Key { id: id.into(), account: "acme".into(), pem: "PEM".into(), at: 1 };
    register(&ledger, "acme", vec![key("k")]).await;
    let job = |change| Job { changes: vec![change], entries: vec![entry("acme", 0)], ..Job::default() };
    let mut raw = store.raw().await;
    raw.disarm().await;
    raw.execute("DROP TABLE IF EXISTS saved").await.unwrap();
    raw.execute("CREATE TABLE saved AS SELECT * FROM register").await.unwrap();
    let of_other =
        "UPDATE register SET sum = (SELECT sum FROM saved WHERE log = 'globex') WHERE log = 'acme'";
    for sql in [
        of_other,
        "UPDATE register SET sum = 'none'",
        // An older entry, and none at all.
        "UPDATE register SET seq = 0 WHERE log = 'acme'",
        "UPDATE register SET seq = 77 WHERE log = 'acme'",
        "DELETE FROM register WHERE log = 'acme'",
    ] {
        raw.execute(sql).await.unwrap();
        let told = ledger.append(job(key("other"))).await;
        assert!(
            matches!(&told, Err(LedgerError::Unavailable(told)) if told.contains("not what its log says")),
            "{sql}: {told:?}"
        );
        // What registers nothing is logged all the same.
        let plain = Job { entries: vec![entry("acme", 0)], ..Job::default() };
        assert_eq!(ledger.append(plain).await.unwrap(), Appended::Done);
        raw.execute("DELETE FROM register").await.unwrap();
        raw.execute("INSERT INTO register SELECT * FROM saved").await.unwrap();
    }
    // Put right, it goes on; none of what was refused is there.
    register(&ledger, "acme", vec![key("next")]).await;
    let keys: Vec<String> = ledger.keys("acme").await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(keys, ["k", "next"]);
    store.open().await.check_registers().await.unwrap();
}
