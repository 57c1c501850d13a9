//! What a PostgreSQL server may do to a gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use consent_gateway::ledger::{Appended, Job, Ledger, LedgerError};
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::groups::id_of;
use super::{append, entry, first_epoch};
use crate::harness::slow;
use crate::postgres::{self, Place, Server};

/// As a gateway opens it.
async fn open(url: &str) -> Result<Ledger, LedgerError> {
    Ledger::open(TempDir::new().unwrap().path(), Some(url)).await
}

/// Gateways that append without a pause while something happens to their server.
struct Busy {
    ledgers: Vec<Ledger>,
    tasks: JoinSet<Vec<Uuid>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Busy {
    async fn start(url: &str) -> Busy {
        let ledgers = vec![open(url).await.unwrap(), open(url).await.unwrap()];
        let mut busy = Busy {
            tasks: JoinSet::new(),
            stop: Arc::default(),
            acknowledged: Arc::default(),
            refused: Arc::default(),
            ledgers,
        };
        for ledger in busy.ledgers.iter().flat_map(|ledger| vec![ledger.clone(); 4]) {
            let (stop, acknowledged, refused) =
                (Arc::clone(&busy.stop), Arc::clone(&busy.acknowledged), Arc::clone(&busy.refused));
            busy.tasks.spawn(async move {
                let mut ids = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let drafts = vec![entry("acme", 0), entry("acme", 0)];
                    let made: Vec<Uuid> = drafts.iter().map(|draft| draft.id).collect();
                    match ledger.append(Job { entries: drafts, ..Job::default() }).await {
                        Ok(Appended::Done) => {
                            ids.extend(made);
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(Appended::Conflict) => panic!("nothing was expected"),
                        Err(LedgerError::Unavailable(_)) => {
                            refused.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
                ids
            });
        }
        busy
    }

    /// Waits until so many more were acknowledged.
    async fn go_on(&self, more: usize) {
        let until = self.acknowledged.load(Ordering::Relaxed) + more;
        let begun = Instant::now();
        while self.acknowledged.load(Ordering::Relaxed) < until {
            assert!(begun.elapsed() < Duration::from_secs(240), "the writers have not recovered");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// What was acknowledged is there, once; there is no gap; the tree is that of the leaves.
    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let acknowledged = self.tasks.join_all().await.concat();
        let ledger = &self.ledgers[0];
        let head = ledger.head("acme").await.unwrap().unwrap();
        let leaves = ledger.leaves(&first_epoch("acme"), 0, u64::MAX).await.unwrap();
        assert_eq!(leaves.len() as u64, head.edge.size());
        let mut edge = trail::tree::Edge::default();
        leaves.iter().for_each(|(leaf, _)| edge.push(trail::leaf_hash(leaf), |_, _| {}));
        assert_eq!(edge, head.edge);
        let mut ids: Vec<Uuid> = leaves.iter().map(|(leaf, _)| id_of(leaf)).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an entry is there twice");
        let lost: Vec<_> = acknowledged.iter().filter(|id| ids.binary_search(id).is_err()).collect();
        assert!(lost.is_empty(), "{} entries that were acknowledged are gone", lost.len());
        self.refused.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_in_the_middle_loses_nothing_and_is_found_again() {
    let server = Server::start(&[]);
    let busy = Busy::start(&server.url).await;
    for _ in 0..2 {
        busy.go_on(20).await;
        tokio::task::block_in_place(|| server.restart(&[]));
    }
    busy.go_on(20).await;
    assert!(busy.stop().await > 0, "somebody must have been told that it is not known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_killed_in_the_middle_are_replaced() {
    let place = Place::new().await;
    let busy = Busy::start(&place.url).await;
    let kill =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", place.name);
    for _ in 0..15 {
        busy.go_on(4).await;
        place.administer(&kill).await;
    }
    busy.go_on(20).await;
    busy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_died_between_two_groups_costs_nobody_an_answer() {
    let place = Place::new().await;
    let ledger = open(&place.url).await.unwrap();
    append(&ledger, vec![entry("acme", 0)]).await;
    let kill =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", place.name);
    for size in 2..6 {
        place.administer(&kill).await;
        append(&ledger, vec![entry("acme", 0)]).await;
        assert_eq!(ledger.head("acme").await.unwrap().unwrap().edge.size(), size);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_the_turn_for_too_long_is_not_waited_for() {
    let place = Place::new().await;
    let ledger = open(&place.url).await.unwrap();
    append(&ledger, vec![entry("acme", 0)]).await;
    let mut other = postgres::connect(&place.url).await;
    sqlx::raw_sql("BEGIN; SELECT one FROM turn FOR UPDATE").execute(&mut other).await.unwrap();
    let begun = Instant::now();
    let refused = ledger.append(Job { entries: vec![entry("acme", 0)], ..Job::default() }).await;
    assert!(matches!(refused, Err(LedgerError::Unavailable(_))), "{refused:?}");
    assert!((9..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    // Reading goes on meanwhile, and writing as soon as the turn is free.
    assert_eq!(ledger.head("acme").await.unwrap().unwrap().edge.size(), 1);
    let waiting = tokio::spawn({
        let ledger = ledger.clone();
        async move { append(&ledger, vec![entry("acme", 0)]).await }
    });
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    waiting.await.unwrap();
    // Without the row nobody has a turn.
    sqlx::raw_sql("DELETE FROM turn").execute(&mut other).await.unwrap();
    let refused = ledger.append(Job { entries: vec![entry("acme", 0)], ..Job::default() }).await;
    assert!(matches!(refused, Err(LedgerError::Unavailable(_))), "{refused:?}");
    assert_eq!(ledger.head("acme").await.unwrap().unwrap().edge.size(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_role_has_set_the_writer_is_durable_and_patient_as_it_should_be() {
    let place = Place::new().await;
    open(&place.url).await.unwrap().close().await;
    // What the writer's session says, from inside.
    let mut raw = postgres::connect(&place.url).await;
    let look = "CREATE TABLE seen (setting TEXT, value TEXT); \
         CREATE FUNCTION look() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO seen SELECT name, setting FROM pg_settings WHERE name IN ('synchronous_commit', 'lock_timeout', \
         'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_isolation', 'transaction_read_only'); \
         RETURN NEW; END $$; \
         CREATE TRIGGER look BEFORE INSERT ON probe FOR EACH ROW EXECUTE FUNCTION look();";
    sqlx::raw_sql(look).execute(&mut raw).await.unwrap();
    for setting in [
        "synchronous_commit = off",
        "lock_timeout = 0",
        "statement_timeout = 0",
        "idle_in_transaction_session_timeout = 0",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
    ] {
        place.administer(&format!("ALTER ROLE {} SET {setting}", place.name)).await;
    }
    let ledger = open(&place.url).await.unwrap();
    ledger.probe().await.unwrap();
    let seen: Vec<(String, String)> =
        sqlx::query_as("SELECT DISTINCT setting, value FROM seen ORDER BY setting")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    let seen: Vec<(&str, &str)> = seen.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        seen,
        [
            ("idle_in_transaction_session_timeout", "20000"),
            ("lock_timeout", "10000"),
            ("statement_timeout", "20000"),
            ("synchronous_commit", "on"),
            ("transaction_isolation", "read committed"),
            ("transaction_read_only", "off"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_lose_what_it_has_acknowledged_is_refused_at_every_connection() {
    let server = Server::start(&[]);
    let ledger = open(&server.url).await.unwrap();
    append(&ledger, vec![entry("acme", 0)]).await;
    for setting in ["fsync", "full_page_writes"] {
        tokio::task::block_in_place(|| server.restart(&[&format!("{setting}=off")]));
        let refused = open(&server.url).await.unwrap_err();
        assert!(
            matches!(refused, LedgerError::NotDurable { setting: found } if found == setting),
            "{refused}"
        );
        // Nor does a gateway go on that was connected to it when it was another.
        let refused =
            ledger.append(Job { entries: vec![entry("acme", 0)], ..Job::default() }).await.unwrap_err();
        assert!(refused.to_string().contains(setting), "{refused}");
    }
    tokio::task::block_in_place(|| server.restart(&[]));
    append(&ledger, vec![entry("acme", 0)]).await;
    assert_eq!(ledger.head("acme").await.unwrap().unwrap().edge.size(), 2);
    // A standby takes no writes.
    std::fs::write(server.data().join("standby.signal"), "").unwrap();
    tokio::task::block_in_place(|| server.restart(&[]));
    let refused = open(&server.url).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Standby), "{refused}");
    ledger.append(Job { entries: vec![entry("acme", 0)], ..Job::default() }).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_before_a_synchronous_standby_has_it() {
    if !slow() {
        return;
    }
    let server = Server::start(&[]);
    let ledger = open(&server.url).await.unwrap();
    append(&ledger, vec![entry("acme", 0)]).await;
    let mut admin = postgres::connect(&server.url).await;
    sqlx::raw_sql("ALTER SYSTEM SET synchronous_standby_names = 'gone'").execute(&mut admin).await.unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&mut admin).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let refused = ledger.append(Job { entries: vec![entry("acme", 0)], ..Job::default() }).await;
    assert!(matches!(refused, Err(LedgerError::Unavailable(_))), "{refused:?}");
    sqlx::raw_sql("ALTER SYSTEM RESET synchronous_standby_names").execute(&mut admin).await.unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&mut admin).await.unwrap();
    let begun = Instant::now();
    while ledger.append(Job { entries: vec![entry("acme", 0)], ..Job::default() }).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(240));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_change_no_entry_and_make_no_table_is_enough_to_serve() {
    let place = Place::new().await;
    open(&place.url).await.unwrap().close().await;
    let (owner, gateway) = (&place.name, format!("{}_gateway", place.name));
    let grants = format!(
        "CREATE ROLE {gateway} LOGIN; ALTER ROLE {gateway} SET search_path = {owner}; \
         GRANT USAGE ON SCHEMA {owner} TO {gateway}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {owner} TO {gateway}; \
         REVOKE UPDATE ON {owner}.entry, {owner}.node, {owner}.jurisdiction_table, {owner}.table_version FROM {gateway}; \
         REVOKE INSERT, UPDATE, DELETE ON {owner}._sqlx_migrations FROM {gateway}"
    );
    place.administer(&grants).await;
    let url = postgres::as_user(&place.url, &gateway);
    let ledger = open(&url).await.unwrap();
    append(&ledger, vec![entry("acme", 0)]).await;
    ledger.probe().await.unwrap();
    ledger.close().await;
    let mut raw = postgres::connect(&url).await;
    for sql in [
        "UPDATE entry SET leaf = leaf",
        "TRUNCATE entry",
        "DROP TRIGGER entry_is_never_deleted ON entry",
        "CREATE TABLE x ()",
    ] {
        let error = sqlx::raw_sql(sql).execute(&mut raw).await.unwrap_err().to_string();
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{sql}: {error}");
    }
    drop(raw);
    place.administer(&format!("DROP OWNED BY {gateway}; DROP ROLE {gateway}")).await;
}
