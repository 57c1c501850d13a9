use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::*;
use crate::ledger::{Expect, LeafRow, file};
use crate::secrets::Secrets;
use trail::tree::{Edge, Hash, verify_consistency, verify_inclusion};
use trail::{Draft, Leaf, LogCause, Previous};

const NAME: &str = "gateway.example.com";

/// A ledger with its secrets and pins, without a gateway.
struct Site {
    dir: TempDir,
    clock: Clock,
}

impl Site {
    fn new() -> Site {
        let clock = Clock::manual("2026-11-20T10:00:00Z".parse().unwrap());
        Site { dir: tempfile::tempdir().unwrap(), clock }
    }

    async fn ledger(&self) -> Ledger {
        Ledger::open(self.dir.path(), None).await.unwrap()
    }

    fn keys(&self) -> LogKeys {
        Secrets::open(&self.secrets()).unwrap().log
    }

    fn secrets(&self) -> PathBuf {
        self.dir.path().join("secrets")
    }

    fn pins(&self) -> PathBuf {
        self.dir.path().join("pins")
    }

    async fn try_open(&self) -> Result<Notary, NotaryError> {
        self.open_as(NAME).await
    }

    /// With everything read first. Whoever leaves to the scrub what is pinned finds the same.
    async fn open_as(&self, name: &str) -> Result<Notary, NotaryError> {
        let found = match self.open_first(name, First::SincePin).await {
            Ok(notary) => {
                let found = notary.scrub(Duration::ZERO).await;
                assert_eq!(found.is_ok(), notary.is_read() && notary.sound().is_ok());
                notary.ledger.close().await;
                found
            }
            Err(error) => Err(error),
        };
        let opened = self.open_first(name, First::Everything).await;
        let told = |error: &NotaryError| error.to_string();
        assert_eq!(found.as_ref().err().map(told), opened.as_ref().err().map(told));
        opened
    }

    async fn open_first(&self, name: &str, first: First) -> Result<Notary, NotaryError> {
        let ledger = self.ledger().await;
        Notary::open(ledger, self.clock.clone(), Some(name), self.keys(), &self.pins(), first).await
    }

    /// As `serve` does.
    async fn open_since_pin(&self) -> Notary {
        self.open_first(NAME, First::SincePin).await.unwrap()
    }

    /// As if nobody had found anything.
    fn trust(&self) {
        std::fs::write(self.pins().join("acme.registered"), "1 -\n").unwrap();
    }

    /// An entry as it stands in the first epoch.
    async fn row(&self, index: u64) -> LeafRow {
        let leaf = self.ledger().await.leaves(&acme(1), index, index + 1).await.unwrap().remove(0).0;
        LeafRow { epoch: 1, seq: index.try_into().unwrap(), leaf }
    }

    async fn open(&self) -> Notary {
        self.try_open().await.unwrap()
    }

    async fn survey(&self) -> (Notary, Vec<Finding>) {
        let ledger = self.ledger().await;
        Notary::survey(ledger, self.clock.clone(), Some(NAME), self.keys(), &self.pins()).await.unwrap()
    }

    fn entry(&self, log: &str) -> Draft {
        trail::draft(log, self.clock.now(), &Actor::gateway(), None, Body::Heartbeat {}, None).unwrap()
    }

    async fn append(&self, log: &str, count: usize) {
        let entries = (0..count).map(|_| self.entry(log)).collect();
        let ledger = self.ledger().await;
        ledger.append(Job { entries, ..Job::default() }).await.unwrap();
        ledger.close().await;
    }

    /// Changes the ledger behind everybody's back: what keeps it append-only is gone.
    async fn tamper(&self, sql: &[&str]) {
        let mut connection: SqliteConnection =
            SqliteConnectOptions::new().filename(file(self.dir.path())).connect().await.unwrap();
        let guards = [
            "entry_is_never_changed",
            "entry_is_never_deleted",
            "node_is_never_changed",
            "node_is_never_deleted",
        ];
        let guards = guards.map(|guard| format!("DROP TRIGGER IF EXISTS {guard}"));
        for sql in guards.iter().map(String::as_str).chain(sql.iter().copied()) {
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    /// What the account's log is found to be.
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else it is, it is wrong")]
    async fn damage(&self) -> Damage {
        match self.try_open().await.unwrap_err() {
            NotaryError::Rewritten { log, damage } => {
                assert_eq!(log, "acme");
                damage
            }
            other => panic!("{other}"),
        }
    }

    /// So many entries, signed, with nobody left who has them open.
    async fn signed(count: usize) -> Site {
        let site = Site::new();
        site.append("acme", count).await;
        let notary = site.open().await;
        notary.sign("acme").await.unwrap().unwrap();
        notary.ledger.close().await;
        site
    }

    async fn leaves(&self, epoch: i64) -> Vec<Leaf> {
        let at = Epoch { log: "acme".into(), epoch };
        let leaves = self.ledger().await.leaves(&at, 0, 10_000).await.unwrap();
        leaves.iter().map(|(leaf, _)| serde_json::from_slice(leaf).unwrap()).collect()
    }
}

fn acme(epoch: i64) -> Epoch {
    Epoch { log: "acme".into(), epoch }
}

fn head(note: &Note) -> Checkpoint {
    Checkpoint::parse(&note.text).unwrap()
}

#[tokio::test]
async fn the_same_head_is_signed_the_same_however_often() {
    let site = Site::signed(3).await;
    let notary = site.open().await;
    let first = notary.sign("acme").await.unwrap().unwrap();
    assert_eq!(notary.sign("acme").await.unwrap().unwrap(), first);
    assert!(notary.sign_all().await.unwrap().is_empty(), "nothing has grown");
    let again = site.open().await.sign("acme").await.unwrap().unwrap();
    assert_eq!(again, first, "after a restart, too");
    assert_eq!((first.size, head(&first.note).origin), (3, format!("{NAME}/acme")));
    first.note.verified_by(&[notary.verifier(&acme(1)).unwrap()]).unwrap();
    assert_eq!(notary.sign("nobody").await.unwrap(), None);
}

#[tokio::test]
async fn a_pin_moves_only_forward() {
    let site = Site::signed(3).await;
    let notary = site.open().await;
    let pinned = || std::fs::read_to_string(notary.pins.path("acme")).unwrap();
    let small = notary.sign("acme").await.unwrap().unwrap();
    assert_eq!(pinned(), small.note.to_string());
    site.append("acme", 2).await;
    let large = notary.sign("acme").await.unwrap().unwrap();
    assert_eq!((large.size, pinned()), (5, large.note.to_string()));
    notary.pins.write("acme", &small.note).unwrap();
    assert_eq!(pinned(), large.note.to_string());
    // The next epoch is further on, however few entries it has.
    let of_next = Checkpoint::new(&notary.origin(&acme(2)), 1, [7; 32]).text();
    let of_next =
        Note { signatures: vec![notary.signing_key(&acme(2)).unwrap().sign_note(&of_next)], text: of_next };
    notary.pins.write("acme", &of_next).unwrap();
    assert_eq!(pinned(), of_next.to_string());
    notary.pins.write("acme", &large.note).unwrap();
    assert_eq!(pinned(), of_next.to_string());
}

#[tokio::test]
async fn whatever_is_damaged_is_found_before_anything_is_signed() {
    let hash = "X'0000000000000000000000000000000000000000000000000000000000000000'";
    let cases: Vec<(String, Damage)> = vec![
        ("UPDATE entry SET leaf = X'7B7D' WHERE seq = 7".into(), Damage::Leaf { index: 7 }),
        (format!("UPDATE entry SET leaf_hash = {hash} WHERE seq = 299"), Damage::Leaf { index: 299 }),
        ("DELETE FROM entry WHERE seq = 299".into(), Damage::Missing { index: 299 }),
        ("DELETE FROM entry".into(), Damage::Missing { index: 0 }),
        (format!("UPDATE node SET hash = {hash}"), Damage::Node { level: 1, index: 0 }),
        ("DELETE FROM node".into(), Damage::Node { level: 1, index: 0 }),
        ("UPDATE log SET edge = zeroblob(length(edge))".into(), Damage::Root { size: 300 }),
        ("UPDATE checkpoint SET note = 'something else'".into(), Damage::Note),
    ];
    for (sql, damage) in cases {
        let site = Site::signed(300).await;
        site.tamper(&[&sql]).await;
        assert_eq!(site.damage().await, damage, "{sql}");
        // Without a pin as well: the ledger contradicts itself.
        std::fs::remove_dir_all(site.pins()).unwrap();
        assert_eq!(site.damage().await, damage, "{sql}, and no pin");
    }
    // An entry that is taken out of the midst moves all behind it.
    let site = Site::signed(300).await;
    site.tamper(&["DELETE FROM entry WHERE seq = 100"]).await;
    site.damage().await;
}

#[tokio::test]
async fn entries_that_fit_each_other_and_not_what_was_signed_are_found_by_the_pin_and_by_the_stored_head() {
    // Somebody who can write to the ledger makes all of it fit: leaf, hash and edge.
    let forge = async |site: &Site| {
        let ledger = site.ledger().await;
        let mut leaves: Vec<Vec<u8>> =
            ledger.leaves(&acme(1), 0, 9).await.unwrap().into_iter().map(|(leaf, _)| leaf).collect();
        leaves[2] = b"{}".to_vec();
        let mut edge = Edge::default();
        leaves.iter().for_each(|leaf| edge.push(trail::leaf_hash(leaf), |_, _| {}));
        let hex = |bytes: &[u8]| format!("X'{}'", trail::hex(bytes));
        let leaf = format!(
            "UPDATE entry SET leaf = {}, leaf_hash = {} WHERE seq = 2",
            hex(&leaves[2]),
            hex(&trail::leaf_hash(&leaves[2]))
        );
        let row = format!("UPDATE log SET edge = {}", hex(&edge.hashes().concat()));
        site.tamper(&[&leaf, &row]).await;
        edge.root()
    };
    let site = Site::signed(5).await;
    forge(&site).await;
    assert_eq!(site.damage().await, Damage::Root { size: 5 });
    std::fs::remove_dir_all(site.pins()).unwrap();
    assert_eq!(site.damage().await, Damage::Root { size: 5 }, "the stored head says so, too");
    // With neither, there is nothing left to compare it with.
    site.tamper(&["DELETE FROM checkpoint"]).await;
    site.open().await;
    // A head of somebody else's over it is none of ours.
    let site = Site::signed(5).await;
    let root = forge(&site).await;
    std::fs::remove_dir_all(site.pins()).unwrap();
    let text = Checkpoint::new(&format!("{NAME}/acme"), 5, root).text();
    let other = SigningKey::from_seed(&format!("{NAME}/acme"), &[9; 32]).unwrap();
    let note = Note { signatures: vec![other.sign_note(&text)], text };
    site.tamper(&[&format!("UPDATE checkpoint SET note = '{note}'")]).await;
    assert!(matches!(site.try_open().await, Err(NotaryError::Swapped { .. })));
}

#[tokio::test]
async fn what_is_rewritten_while_the_notary_runs_is_not_signed_over() {
    let site = Site::signed(5).await;
    let notary = site.open().await;
    site.append("acme", 3).await;
    site.tamper(&["UPDATE entry SET leaf = X'7B7D' WHERE seq = 6"]).await;
    let refused = notary.sign("acme").await.unwrap_err();
    assert!(matches!(refused, NotaryError::Rewritten { damage: Damage::Leaf { index: 6 }, .. }), "{refused}");
    let pin = notary.pins.read("acme").unwrap().unwrap();
    assert_eq!(pin.size, 5);
}

#[tokio::test]
async fn older_ledgers_other_keys_and_other_names_are_refused() {
    let site = Site::signed(5).await;
    site.tamper(&["DELETE FROM entry WHERE seq > 2", "UPDATE log SET size = 3, edge = zeroblob(64)"]).await;
    let older = site.try_open().await.unwrap_err();
    assert!(matches!(older, NotaryError::Older { pinned: 5, found: 3, .. }), "{older}");
    assert!(older.to_string().contains("audit reopen"));
    let glanced = Notary::glance(&site.ledger().await, &site.pins()).await.unwrap_err();
    assert!(matches!(glanced, NotaryError::Older { pinned: 5, found: 3, .. }), "{glanced}");

    let site = Site::signed(5).await;
    site.tamper(&["DELETE FROM log"]).await;
    assert!(matches!(site.try_open().await, Err(NotaryError::Older { pinned: 5, found: 0, .. })));

    let site = Site::signed(5).await;
    assert!(matches!(site.open_as("other.example.com").await, Err(NotaryError::Renamed { .. })));
    std::fs::write(site.secrets().join("log.key"), [9; 32]).unwrap();
    assert!(matches!(site.try_open().await, Err(NotaryError::Swapped { .. })));
}

#[tokio::test]
async fn a_new_key_signs_once_with_the_old_one_and_then_alone() {
    let site = Site::signed(2).await;
    site.append("globex", 1).await;
    let notary = site.open().await;
    assert!(!notary.rotate().await.unwrap(), "there is no new key");
    let old = notary.verifier(&acme(1)).unwrap();
    notary.keys.make_next().unwrap();
    assert!(notary.rotate().await.unwrap());
    let new = notary.verifier(&acme(1)).unwrap();
    assert_ne!(old.to_string(), new.to_string());
    let both = notary.sign("acme").await.unwrap().unwrap();
    assert_eq!(both.size, 3);
    assert_eq!(both.note.verified_by(&[old.clone(), new.clone()]).unwrap().len(), 2);
    let leaves = site.leaves(1).await;
    let Some(Leaf { body: Body::LogKey { key, retired }, .. }) = leaves.last() else { panic!("{leaves:?}") };
    assert_eq!((key, retired), (&new.to_string(), &old.to_string()));
    site.append("acme", 1).await;
    let alone = notary.sign("acme").await.unwrap().unwrap();
    assert_eq!(alone.note.signatures.len(), 1);
    alone.note.verified_by(std::slice::from_ref(&new)).unwrap();
    assert!(alone.note.verified_by(&[old]).is_err());
    assert!(!notary.rotate().await.unwrap());
    // The head with both is kept: auditors who trust the old key need it.
    let kept = notary.ledger.checkpoints(&acme(1)).await.unwrap();
    assert!(kept.iter().any(|row| row.kept && row.note == both.note.to_string()));
    notary.ledger.close().await;
    let again = site.open().await;
    assert_eq!(again.sign("acme").await.unwrap().unwrap(), alone);
}

#[tokio::test]
async fn whichever_gateway_signs_while_another_changes_the_key_no_signature_is_lost() {
    let site = Site::signed(2).await;
    let (one, other) = (site.open().await, site.open().await);
    let old = one.verifier(&acme(1)).unwrap();
    one.keys.make_next().unwrap();
    let seed = one.keys.next().unwrap().unwrap();
    let new = SigningKey::from_seed(&one.origin(&acme(1)), &seed).unwrap().verifier();
    // The log names the next key already, so whichever gateway signs this head uses both keys.
    let body = Body::LogKey { key: new.to_string(), retired: old.to_string() };
    let draft = trail::draft("acme", one.clock.now(), &Actor::gateway(), None, body, None).unwrap();
    one.ledger.append(Job { entries: vec![draft], ..Job::default() }).await.unwrap();
    let both = other.sign("acme").await.unwrap().unwrap();
    assert_eq!(both.note.verified_by(&[old.clone(), new.clone()]).unwrap().len(), 2);

    // Once it is in use, the other one signs with it, and takes nothing from what was signed with both.
    assert!(one.rotate().await.unwrap());
    let third = site.open().await;
    for notary in [&other, &third] {
        site.append("acme", 1).await;
        let alone = notary.sign("acme").await.unwrap().unwrap();
        assert_eq!(alone.note.signatures.len(), 1);
        alone.note.verified_by(std::slice::from_ref(&new)).unwrap();
    }
    let rows = one.ledger.checkpoints(&acme(1)).await.unwrap();
    assert!(rows.iter().any(|row| row.kept && row.note == both.note.to_string()), "{rows:?}");
    // A head that was signed by both is not replaced by one that is signed again by one of them.
    let size = i64::try_from(both.size).unwrap();
    let again = Note { signatures: both.note.signatures[..1].to_vec(), ..both.note.clone() };
    let change = Change::Checkpoint {
        log: "acme".into(),
        epoch: 1,
        size,
        note: again.to_string(),
        at: 1,
        kept: false,
    };
    one.ledger.append(Job { changes: vec![change], ..Job::default() }).await.unwrap();
    let rows = one.ledger.checkpoints(&acme(1)).await.unwrap();
    assert!(rows.iter().any(|row| row.size == size && row.note == both.note.to_string()), "{rows:?}");
}

#[tokio::test]
async fn a_crash_while_a_key_is_changed_is_completed_by_the_next_start() {
    let site = Site::signed(2).await;
    site.append("globex", 1).await;
    let notary = site.open().await;
    notary.keys.make_next().unwrap();
    let before: BTreeMap<PathBuf, Vec<u8>> = ["log.key", "log.next.key"]
        .map(|name| site.secrets().join(name))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .into();
    notary.rotate().await.unwrap();
    notary.ledger.close().await;
    // As if it had ended before the new key took the old one's place.
    for (path, bytes) in &before {
        std::fs::write(path, bytes).unwrap();
    }
    let notary = site.open().await;
    assert!(notary.rotate().await.unwrap());
    assert!(!notary.rotate().await.unwrap());
    let said = site.leaves(1).await.into_iter().filter(|leaf| matches!(leaf.body, Body::LogKey { .. }));
    assert_eq!(said.count(), 1, "what was said is not said twice");
    assert_eq!(*notary.keys.current(), before[&site.secrets().join("log.next.key")][..]);
    assert!(!site.secrets().join("log.next.key").exists());
    site.append("acme", 1).await;
    let alone = notary.sign("acme").await.unwrap().unwrap();
    assert_eq!(alone.note.signatures.len(), 1);
    notary.ledger.close().await;
    site.open().await;
}

#[tokio::test]
async fn proofs_are_those_of_the_tree_at_any_size() {
    let site = Site::new();
    site.append("acme", 1_000).await;
    let ledger = site.ledger().await;
    let leaves: Vec<Hash> = ledger
        .leaves(&acme(1), 0, 1_000)
        .await
        .unwrap()
        .iter()
        .map(|(leaf, _)| trail::leaf_hash(leaf))
        .collect();
    let mut edge = Edge::default();
    let mut roots = vec![edge.root()];
    for leaf in &leaves {
        edge.push(*leaf, |_, _| {});
        roots.push(edge.root());
    }
    // xorshift64: any sizes will do, but the same ones every time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |end: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % end
    };
    let at = |index: u64| usize::try_from(index).unwrap();
    for round in 0..200 {
        let size = if round < 4 { [1, 255, 256, 257][round] } else { below(1_000) + 1 };
        let (index, old) = (below(size), below(size + 1));
        let mut proofs = Proofs::new(&ledger, &acme(1), size);
        assert_eq!(proofs.root(size).await.unwrap(), Some(roots[at(size)]), "{size}");
        assert_eq!(proofs.root(old).await.unwrap(), Some(roots[at(old)]), "{old} of {size}");
        let proof = proofs.inclusion(index).await.unwrap().unwrap();
        verify_inclusion(&leaves[at(index)], index, size, &proof, &roots[at(size)]).unwrap();
        let proof = proofs.consistency(old).await.unwrap().unwrap();
        verify_consistency((old, &roots[at(old)]), (size, &roots[at(size)]), &proof).unwrap();
        assert_eq!(proofs.inclusion(size).await.unwrap(), None);
        assert_eq!(proofs.consistency(size + 1).await.unwrap(), None);
        assert_eq!(proofs.root(size + 1).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_log_begins_anew_after_every_epoch_that_was_ever_signed() {
    let site = Site::signed(5).await;
    // The pin is of an epoch that the ledger has never heard of: it was put back from before the period.
    let notary = site.open().await;
    let origin = notary.origin(&acme(4));
    let text = Checkpoint::new(&origin, 77, [7; 32]).text();
    let ahead = Note { signatures: vec![notary.signing_key(&acme(4)).unwrap().sign_note(&text)], text };
    notary.pins.write("acme", &ahead).unwrap();
    notary.ledger.close().await;
    let (notary, findings) = site.survey().await;
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(matches!(finding.wrong, Some(Wrong::Signed(NotaryError::Older { pinned: 77, found: 0, .. }))));
    let reopened = notary.reopen(finding, "a test").await.unwrap();
    assert_eq!((reopened.epoch, reopened.origin.as_str()), (5, "gateway.example.com/acme.5"));
    assert_eq!((reopened.previous.size, &reopened.previous.origin), (77, &origin));
    let kept = site.pins().join("acme.4.old-checkpoint");
    assert_eq!(
        (reopened.kept.as_ref(), std::fs::read_to_string(&kept).unwrap()),
        (Some(&kept), ahead.to_string())
    );
    let leaves = site.leaves(5).await;
    assert!(matches!(leaves[0].body, Body::LogOpened { cause: LogCause::Reopened, .. }));
    assert!(matches!(leaves[1].body, Body::Gap { cause: trail::GapCause::LedgerRestored, .. }));
    assert_eq!(leaves.len(), 2);
    let closed = notary.ledger.closed_logs("acme").await.unwrap();
    // The head is another epoch's: what ended here keeps none.
    assert_eq!((closed[0].epoch, closed[0].size, closed[0].note.as_deref()), (1, 5, None));
    notary.ledger.close().await;
    let notary = site.open().await;
    assert_eq!(notary.sign("acme").await.unwrap().unwrap().size, 2);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), ahead.to_string());
}

#[tokio::test]
async fn a_log_that_is_lost_as_a_whole_begins_anew_and_so_does_one_from_the_future() {
    let site = Site::signed(5).await;
    site.tamper(&["DELETE FROM entry", "DELETE FROM checkpoint", "DELETE FROM log"]).await;
    let (notary, findings) = site.survey().await;
    let reopened = notary.reopen(&findings[0], "a test").await.unwrap();
    assert_eq!((reopened.epoch, reopened.previous.size, reopened.in_doubt), (2, 5, false));
    assert_eq!(site.leaves(2).await.len(), 1);
    site.open().await.sign("acme").await.unwrap().unwrap();

    let site = Site::signed(5).await;
    site.tamper(&["UPDATE log SET last_at = last_at + 3600000"]).await;
    site.open().await;
    let (notary, findings) = site.survey().await;
    assert!(matches!(findings[0].wrong, Some(Wrong::Ahead { seconds: 3600, .. })), "{findings:?}");
    let late = Job { entries: vec![site.entry("acme")], ..Job::default() };
    assert!(notary.ledger.append(late).await.is_err(), "the clock is an hour behind the log");
    notary.reopen(&findings[0], "a test").await.unwrap();
    let late = Job { entries: vec![site.entry("acme")], ..Job::default() };
    assert_eq!(notary.ledger.append(late).await.unwrap(), Appended::Done);
}

#[tokio::test]
async fn a_log_that_grows_while_it_is_looked_at_is_not_reopened() {
    let site = Site::signed(5).await;
    let (notary, findings) = site.survey().await;
    assert!(findings[0].wrong.is_none());
    site.append("acme", 1).await;
    assert!(matches!(notary.reopen(&findings[0], "a test").await, Err(NotaryError::Grew { .. })));
    assert!(site.leaves(2).await.is_empty());
    // What was kept before is found again by the next attempt, and not kept twice.
    let (notary, findings) = site.survey().await;
    let reopened = notary.reopen(&findings[0], "a test").await.unwrap();
    assert_eq!(reopened.kept, Some(site.pins().join("acme.1.old-checkpoint")));
    let expects = vec![Expect::LogAt { log: "acme".into(), epoch: 2, size: 1 }];
    let job = Job { expects, entries: vec![site.entry("acme")], ..Job::default() };
    assert_eq!(notary.ledger.append(job).await.unwrap(), Appended::Done);
}

// ---- a log that is changed while it is signed ----

#[tokio::test]
async fn a_log_whose_epoch_is_changed_and_changed_back_is_not_signed_otherwise() {
    let site = Site::new();
    site.append("acme", 5).await;
    let notary = site.open().await;
    let signed = notary.sign("acme").await.unwrap().unwrap();
    let pinned = std::fs::read(site.pins().join("acme.checkpoint")).unwrap();
    let forged = site.entry("acme");
    let hash = trail::hex(&forged.leaf_hash);
    let leaf = trail::hex(&forged.leaf);
    site.tamper(&["UPDATE log SET epoch = 2, size = 0, edge = x'' WHERE id = 'acme'"]).await;
    assert!(matches!(notary.sign("acme").await, Err(NotaryError::Broken { epoch: 2, .. })));
    let mut edge = Edge::default();
    for leaf in site.leaves(1).await.iter().take(4) {
        edge.push(trail::tree::leaf_hash(&serde_json::to_vec(leaf).unwrap()), |_, _| {});
    }
    edge.push(forged.leaf_hash, |_, _| {});
    let edge = trail::hex(&edge.hashes().concat());
    site.tamper(&[
        &format!("UPDATE entry SET leaf = x'{leaf}', leaf_hash = x'{hash}' WHERE log = 'acme' AND seq = 4"),
        &format!("UPDATE log SET epoch = 1, size = 5, edge = x'{edge}' WHERE id = 'acme'"),
    ])
    .await;
    // What this process has signed is what it goes on showing.
    assert_eq!(notary.sign("acme").await.unwrap().unwrap(), signed);
    site.append("acme", 1).await;
    assert!(matches!(notary.sign("acme").await, Err(NotaryError::Rewritten { .. })));
    assert_eq!(std::fs::read(site.pins().join("acme.checkpoint")).unwrap(), pinned);
    assert_eq!(site.damage().await, Damage::Root { size: 5 });
}

#[tokio::test]
async fn an_epoch_that_goes_on_from_nothing_is_not_signed() {
    let acme = format!("{NAME}/acme");
    let other = format!("{NAME}/globex");
    let later = format!("{NAME}/acme.2");
    // What its first entry continues, if it says so: with the root that was signed, or another.
    for (said, fine) in [
        (None, false),
        (Some(("", 0, false)), false),
        (Some((acme.as_str(), 2, true)), false),
        (Some((&acme, 3, false)), false),
        (Some((&acme, 4, true)), false),
        (Some((&other, 3, true)), false),
        (Some((&later, 3, true)), false),
        (Some((&acme, 3, true)), true),
    ] {
        let site = Site::signed(3).await;
        let running = site.open().await;
        let root = head(&running.sign("acme").await.unwrap().unwrap().note).root;
        let body = match said {
            None => Body::Heartbeat {},
            Some((origin, size, is_signed)) => Body::LogOpened {
                previous: Previous {
                    origin: origin.into(),
                    size,
                    root: BASE64_STANDARD.encode(if is_signed { root } else { [7; 32] }),
                },
                cause: LogCause::Period,
            },
        };
        let first = trail::draft("acme", site.clock.now(), &Actor::gateway(), None, body, None).unwrap();
        let (leaf, hash) = (trail::hex(&first.leaf), trail::hex(&first.leaf_hash));
        let (id, at, kind) = (first.id, first.at.as_millisecond(), first.kind);
        site.tamper(&[
            &format!(
                "INSERT INTO entry (log, epoch, seq, id, at, type, leaf, leaf_hash) \
                 VALUES ('acme', 2, 0, '{id}', {at}, '{kind}', x'{leaf}', x'{hash}')"
            ),
            &format!("UPDATE log SET epoch = 2, size = 1, edge = x'{hash}' WHERE id = 'acme'"),
        ])
        .await;
        assert_eq!(site.try_open().await.is_ok(), fine, "{said:?}, at the start");
        assert_eq!(running.sign("acme").await.is_ok(), fine, "{said:?}, while it runs");
    }
}

#[tokio::test]
async fn a_log_of_which_nothing_is_left_but_a_pin_that_cannot_be_read_begins_a_second_epoch() {
    let site = Site::new();
    std::fs::create_dir(site.pins()).unwrap();
    std::fs::write(site.pins().join("acme.checkpoint"), "something else").unwrap();
    let (notary, findings) = site.survey().await;
    let finding = findings.iter().find(|finding| finding.log == "acme").unwrap();
    let reopened = notary.reopen(finding, "a test").await.unwrap();
    assert_eq!((reopened.epoch, reopened.previous.size), (2, 0));
    assert_eq!(reopened.previous.origin, format!("{NAME}/acme"));
    assert_eq!(site.open().await.sign("acme").await.unwrap().unwrap().at, acme(2));
    assert_eq!(site.leaves(2).await[0].kind, "log.opened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_sign_one_growing_log_never_take_each_other_for_a_forger() {
    let site = Site::signed(1).await;
    let (one, other) = (site.open().await, site.open().await);
    let ledger = site.ledger().await;
    let grow = async {
        for _ in 0..150 {
            ledger.append(Job { entries: vec![site.entry("acme")], ..Job::default() }).await.unwrap();
        }
    };
    let sign = async |notary: &Notary| {
        for _ in 0..150 {
            notary.sign("acme").await.unwrap();
        }
    };
    tokio::join!(grow, sign(&one), sign(&other));
    let last = one.sign("acme").await.unwrap().unwrap();
    assert_eq!(other.sign("acme").await.unwrap().unwrap().note, last.note);
}

// ---- what stands before the pin ----

#[tokio::test]
async fn what_is_older_than_the_pin_is_read_by_the_scrub_and_the_rest_at_the_start() {
    let site = Site::signed(300).await;
    let first = site.open_since_pin().await.sign("acme").await.unwrap().unwrap();
    assert_eq!(
        first,
        site.open().await.sign("acme").await.unwrap().unwrap(),
        "signed the same, however it was read"
    );
    site.append("acme", 5).await;
    let notary = site.open_since_pin().await;
    assert!(!notary.is_read());
    assert_eq!(notary.sign("acme").await.unwrap().unwrap().size, 305);
    // It is read by the first round, and again by every other.
    for _ in 0..2 {
        notary.scrub(Duration::ZERO).await.unwrap();
        assert!(notary.is_read());
    }
    site.tamper(&["UPDATE entry SET leaf = X'7B7D' WHERE seq = 302"]).await;
    let found = notary.scrub(Duration::ZERO).await.unwrap_err();
    assert!(matches!(found, NotaryError::Rewritten { damage: Damage::Leaf { index: 302 }, .. }), "{found}");
    // What is behind the pin is not left to it.
    site.tamper(&["UPDATE entry SET leaf = X'7B7D' WHERE seq = 303"]).await;
    site.append("acme", 1).await;
    std::fs::write(site.pins().join("acme.checkpoint"), first.note.to_string()).unwrap();
    site.trust();
    let found = site.open_first(NAME, First::SincePin).await.unwrap_err();
    assert!(matches!(found, NotaryError::Rewritten { damage: Damage::Leaf { index: 302 }, .. }), "{found}");
}

#[tokio::test]
async fn whatever_is_rewritten_before_the_pin_is_found_by_the_scrub_and_by_the_call_that_rests_on_it() {
    let other = "leaf_hash = (SELECT leaf_hash FROM entry WHERE seq = 8)";
    for (sql, asked, damage) in [
        ("UPDATE entry SET leaf = X'7B7D' WHERE seq = 7".to_owned(), 7, Damage::Leaf { index: 7 }),
        // Leaf and hash fit each other, and not the tree.
        (
            format!("UPDATE entry SET leaf = (SELECT leaf FROM entry WHERE seq = 8), {other} WHERE seq = 7"),
            7,
            Damage::Root { size: 300 },
        ),
        // Nobody can tell any more whether it is its neighbour that was rewritten.
        (format!("UPDATE entry SET {other} WHERE seq = 7"), 6, Damage::Root { size: 300 }),
        (format!("UPDATE entry SET {other} WHERE seq = 7"), 7, Damage::Leaf { index: 7 }),
    ] {
        let site = Site::signed(300).await;
        site.append("acme", 5).await;
        site.tamper(&[&sql]).await;
        let notary = site.open_since_pin().await;
        notary.vouch("acme", &[site.row(256).await, site.row(299).await, site.row(303).await]).await.unwrap();
        notary.vouch("globex", &[site.row(asked).await]).await.unwrap();
        notary.sign("acme").await.unwrap().unwrap();
        let refused = notary.vouch("acme", &[site.row(asked).await]).await.unwrap_err();
        let found = NotaryError::Rewritten { log: "acme".into(), damage };
        assert!(
            matches!(&refused, LedgerError::Altered(told) if *told == found.to_string()),
            "{sql}: {refused}"
        );
        // Nothing is decided and nothing signed from here on.
        assert_eq!(notary.damaged().await.to_string(), found.to_string());
        assert!(notary.vouch("acme", &[]).await.is_err() && notary.sound().is_err());
        assert!(notary.sign("acme").await.is_err());
        // The next start refuses.
        assert!(matches!(site.open_first(NAME, First::SincePin).await, Err(NotaryError::Rewritten { .. })));
        // The scrub finds it by itself, and then the next start refuses as well.
        site.trust();
        let notary = site.open_since_pin().await;
        assert!(matches!(notary.scrub(Duration::ZERO).await, Err(NotaryError::Rewritten { .. })), "{sql}");
        assert!(notary.sound().is_err() && notary.sign("acme").await.is_err());
        assert!(matches!(site.open_first(NAME, First::SincePin).await, Err(NotaryError::Rewritten { .. })));
    }
    // A row that is moved is not the one that was signed there.
    let site = Site::signed(300).await;
    let notary = site.open_since_pin().await;
    let moved = LeafRow { seq: 8, ..site.row(7).await };
    assert!(notary.vouch("acme", &[moved]).await.is_err());
}

#[tokio::test]
async fn every_entry_of_a_tree_of_any_size_is_vouched_for() {
    let site = Site::new();
    for (more, size) in [(1, 1), (1, 2), (254, 256), (1, 257), (300, 557), (83, 640)] {
        site.append("acme", more).await;
        let notary = site.open().await;
        notary.sign("acme").await.unwrap().unwrap();
        notary.ledger.close().await;
        let notary = site.open_since_pin().await;
        assert_eq!((notary.is_read(), notary.pins.read("acme").unwrap().unwrap().size), (false, size));
        let leaves = notary.ledger.leaves(&acme(1), 0, size).await.unwrap();
        let rows: Vec<LeafRow> =
            leaves.into_iter().zip(0..).map(|((leaf, _), seq)| LeafRow { epoch: 1, seq, leaf }).collect();
        notary.vouch("acme", &rows).await.unwrap();
        for row in rows.iter().step_by(7).chain(rows.last()) {
            notary.vouch("acme", std::slice::from_ref(row)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_node_that_is_not_of_the_right_edge_is_found_by_the_scrub() {
    let site = Site::new();
    for _ in 0..66 {
        site.append("acme", 1_000).await;
    }
    let notary = site.open_first(NAME, First::SincePin).await.unwrap();
    notary.sign("acme").await.unwrap().unwrap();
    notary.ledger.close().await;
    site.tamper(&["UPDATE node SET hash = zeroblob(32) WHERE level = 1 AND idx = 3"]).await;
    let notary = site.open_since_pin().await;
    // Only what the node is part of the proof of is not vouched for.
    notary.vouch("acme", &[site.row(65_700).await]).await.unwrap();
    let found = notary.scrub(Duration::ZERO).await.unwrap_err();
    let damage = Damage::Node { level: 1, index: 3 };
    assert_eq!(found.to_string(), NotaryError::Rewritten { log: "acme".into(), damage }.to_string());
    site.trust();
    let notary = site.open_since_pin().await;
    assert!(notary.vouch("acme", &[site.row(5).await]).await.is_err());
}

#[tokio::test]
async fn an_older_registration_is_not_passed_off_as_the_newest() {
    let entry = |site: &Site| {
        let body = Body::KeyRetired { key: "0".repeat(64) };
        trail::draft("acme", site.clock.now(), &Actor::command_line(), None, body, None).unwrap()
    };
    let registered = async || {
        let site = Site::new();
        let account = Change::Account {
            id: "acme".into(),
            operator: None,
            recorder: None,
            provisioner: None,
            settings: "{}".into(),
            at: 1,
        };
        let key = Change::Key { id: "k".into(), account: "acme".into(), pem: "PEM".into(), at: 1 };
        let retired = Change::RetireKey { id: "k".into(), account: "acme".into(), at: 2 };
        let ledger = site.ledger().await;
        for (change, after) in
            [(account, ""), (key, "CREATE TABLE saved AS SELECT * FROM register"), (retired, "")]
        {
            let job = Job { changes: vec![change], entries: vec![entry(&site)], ..Job::default() };
            ledger.append(job).await.unwrap();
            site.tamper(&[after]).await;
        }
        ledger.close().await;
        site.append("acme", 300).await;
        let notary = site.open().await;
        notary.sign("acme").await.unwrap().unwrap();
        notary.ledger.check_registers().await.unwrap();
        notary.ledger.close().await;
        site
    };
    let site = registered().await;
    site.open_since_pin().await.ledger.check_registers().await.unwrap();
    let sum = "UPDATE register SET sum = (SELECT sum FROM saved WHERE log = 'acme')";
    let back = ["UPDATE public_key SET retired_at = NULL", sum];
    site.tamper(&back).await;
    site.tamper(&["UPDATE register SET seq = 1", "UPDATE entry SET type = 'audit.heartbeat' WHERE seq = 2"])
        .await;
    let notary = site.open_since_pin().await;
    assert!(matches!(notary.ledger.check_registers().await, Err(LedgerError::Altered(_))));
    // Nor is what stands in its place, or in another entry's.
    for seq in [2, 200] {
        let site = registered().await;
        site.tamper(&back).await;
        let leaf = "UPDATE entry SET leaf = (SELECT leaf FROM entry WHERE seq = 1)";
        site.tamper(&[&format!("{leaf} WHERE seq = {seq}"), &format!("UPDATE register SET seq = {seq}")])
            .await;
        let found = site.open_first(NAME, First::SincePin).await.unwrap_err();
        assert!(
            matches!(found, NotaryError::Rewritten { damage: Damage::Leaf { index }, .. } if index == seq),
            "{found}"
        );
    }
    // Where it is not known which was the newest, everything is read first.
    let site = registered().await;
    for text in ["", "2 1", "1 x", "x"] {
        std::fs::write(site.pins().join("acme.registered"), text).unwrap();
        let notary = site.open_since_pin().await;
        assert!(notary.is_read(), "{text}");
        notary.ledger.close().await;
        std::fs::remove_file(site.pins().join("acme.registered")).unwrap();
    }
    assert!(site.open_since_pin().await.is_read());
    // It is known from then on.
    assert_eq!(std::fs::read_to_string(site.pins().join("acme.registered")).unwrap(), "1 2\n");
    assert!(!site.open_since_pin().await.is_read());
}
