//! A retention sweep that is killed between any two of its steps, by the command and by the gateway itself: the next start
//! completes it. Nothing of what was due can be read, and each of it is deleted once in the log; everything else is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use consent_gateway::access::Role;
use consent_gateway::vault::Kind;
use serde_json::Value;
use sqlx::Connection as _;

use super::steps::{LIBRARY, count, every};
use super::the_log_verifies;
use crate::harness::{Client, Process, kept_in, run, run_with, slow, wav, wav_of};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn between_any_two_steps_of_a_sweep_a_kill_leaves_what_the_next_start_completes() {
    let due = Arc::new(Due::new().await);
    for by in [By::Command, By::Gateway] {
        let whole = round(&due, by, 0, false).await;
        assert!(whole.ended && whole.last > whole.first + 4, "{by:?}: {whole:?}");
        eprintln!("{by:?}: {whole:?}");
        let mut rounds: Vec<(u64, bool)> = (whole.first + 1..=whole.last).map(|step| (step, false)).collect();
        if slow() {
            let writes = round(&due, by, 0, true).await;
            rounds.extend((writes.first + 1..=writes.last).step_by(7).map(|step| (step, true)));
        } else {
            let stride = rounds.len().div_ceil(5);
            rounds = rounds.into_iter().step_by(stride).collect();
        }
        let due = Arc::clone(&due);
        every(rounds, move |(step, writes)| {
            let due = Arc::clone(&due);
            async move {
                let _ = round(&due, by, step, writes).await;
            }
        })
        .await;
    }
}

/// A sweep begins five seconds after a start.
const PATIENCE: Duration = Duration::from_secs(240);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Command,
    Gateway,
}

/// Recordings whose time is over, in packs and in files of their own; one of these that is held; and one whose time is
/// not over.
struct Due {
    site: Site,
    due: Vec<String>,
    held: String,
    kept: String,
}

impl Due {
    async fn new() -> Due {
        let site = Site::new().await;
        let mut process = site.serve(&[]);
        let recorder = site.client(&process, Role::Recorder);
        let from = site.record(&recorder, "c1").await;
        // Of 48,000 samples a second, twelve seconds are more than fits into a pack.
        let large = wav_of(48_000, &vec![500; 48_000 * 12]);
        site.well_at(from.checked_add(jiff::SignedDuration::from_secs(12)).unwrap()).await;
        let start = from.to_string();
        let stored = async |name: &str, audio: &[u8]| {
            let path = format!("/v1/calls/c1/recordings/{name}");
            let stored = recorder.upload(&path, &[("recording-start", &start)], audio).await.expect(201);
            stored["id"].as_str().unwrap().to_owned()
        };
        let mut due = Vec::new();
        for (name, audio) in [("a", &wav(1_000)), ("b", &large), ("c", &wav(1_000)), ("d", &large)] {
            due.push(stored(name, audio).await);
        }
        let (held, kept) = (stored("held", &wav(1_000)).await, stored("kept", &wav(1_000)).await);
        let counsel = site.client(&process, Role::Counsel);
        counsel.put(&format!("/v1/recordings/{held}/hold"), &serde_json::json!({})).await.expect(200);
        process.terminate();
        assert_eq!(process.wait(), Some(0));
        let mut ledger = site.sqlite().await;
        let over = "UPDATE recording SET delete_by = accepted_at WHERE id <> ?";
        sqlx::query(over).bind(&kept).execute(&mut ledger).await.unwrap();
        ledger.close().await.unwrap();
        Due { site, due, held, kept }
    }

    async fn are_gone(&self, client: &Client) -> Option<bool> {
        for id in &self.due {
            let path = format!("/v1/recordings/{id}");
            match client.try_send("GET", &path, &[], bytes::Bytes::new()).await.ok()?.status {
                410 => {}
                status => {
                    assert_eq!(status, 200);
                    return Some(false);
                }
            }
        }
        Some(true)
    }

    /// Whether the store holds nothing of what was due but tombstones.
    fn are_buried(&self, site: &Site) -> bool {
        let mut buried = 0;
        for kept in kept_in(&site.data) {
            if kept.id.is_some_and(|id| self.due.contains(&id.to_string())) {
                match kept.kind {
                    Some(Kind::Tombstone) => buried += 1,
                    _ => return false,
                }
            }
        }
        buried == self.due.len()
    }
}

/// The steps before the sweep and up to its end, and whether it came to its end.
#[derive(Debug)]
struct Steps {
    first: u64,
    last: u64,
    ended: bool,
}

/// One sweep, killed before this step or never; then a start, which completes it.
async fn round(due: &Due, by: By, step: u64, writes: bool) -> Steps {
    let site = due.site.copy();
    let counted = site.dir.path().join("steps");
    let (number, writes) = (step.to_string(), u8::from(writes).to_string());
    let environment = [
        ("LD_PRELOAD", LIBRARY.to_str().unwrap()),
        ("STEP", &number),
        ("COUNT", counted.to_str().unwrap()),
        ("WRITES", &writes),
    ];
    let data = site.data.to_str().unwrap().to_owned();
    let (mut first, mut ended) = (0, false);
    match by {
        By::Command => {
            let (code, out, err) = run_with(&["--data", &data, "--json", "sweep"], &environment);
            ended = code == 0;
            assert!(ended || step > 0, "{out}{err}");
            if ended {
                let told: Value = serde_json::from_str(&out).unwrap();
                assert_eq!((&told["overdue"]["deleted"], &told["overdue"]["held"]), (&4.into(), &1.into()));
            }
        }
        By::Gateway => {
            if let Ok(mut process) = Process::try_serve(&site.data, &[], &environment) {
                first = count(&counted).0;
                let listener = site.client(&process, Role::Listener);
                let began = Instant::now();
                loop {
                    match due.are_gone(&listener).await {
                        // It was killed.
                        None => break,
                        Some(true) if due.are_buried(&site) => break,
                        Some(_) => assert!(began.elapsed() < PATIENCE, "it does not sweep"),
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                process.terminate();
                ended = process.wait() == Some(0);
            }
        }
    }
    let (last, name) = count(&counted);
    eprintln!("{by:?} killed before step {step} ({name})");
    completed(due, &site).await;
    Steps { first, last, ended }
}

async fn completed(due: &Due, site: &Site) {
    site.assert_integrity().await;
    let process = site.serve(&[]);
    let listener = site.client(&process, Role::Listener);
    let began = Instant::now();
    while due.are_gone(&listener).await != Some(true) || !due.are_buried(site) {
        assert!(began.elapsed() < PATIENCE, "it is not completed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let data = site.data.to_str().unwrap();
    while !run(&["--data", data, "check", "--store"]).1.contains(": no difference") {
        assert!(began.elapsed() < PATIENCE, "something is left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut ledger = site.sqlite().await;
    let keys = "SELECT count(*) FROM recording WHERE deleted_at IS NOT NULL AND envelope IS NOT NULL";
    let keys: i64 = sqlx::query_scalar(keys).fetch_one(&mut ledger).await.unwrap();
    ledger.close().await.unwrap();
    assert_eq!(keys, 0, "wrapped keys of what was deleted");
    for id in [&due.held, &due.kept] {
        assert!(site.fetch_and_open(&listener, id).await == wav(1_000));
    }
    let auditor = site.client(&process, Role::Auditor);
    let deletions = auditor.get("/v1/consents?type=recording.deleted").await.expect(200);
    let recording = |told: &Value| told["entry"]["body"]["deleted"]["recording"].as_str().unwrap().to_owned();
    let mut deleted: Vec<String> = deletions["consents"].as_array().unwrap().iter().map(recording).collect();
    deleted.sort_unstable();
    let mut all = due.due.clone();
    all.sort_unstable();
    assert_eq!(deleted, all, "each once");
    the_log_verifies(site, &process).await;
    let (code, out, err) = run(&["--data", data, "--json", "sweep"]);
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["overdue"]["deleted"], &told["overdue"]["held"]), (&0.into(), &1.into()), "{told}");
}
