//! What the gateway needs fails: the disk, the ledger, the store, a secret. Nothing is acknowledged
//! that is lost, the answer says so, and all is well again without a restart.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use consent_gateway::access::Role;
use consent_gateway::config::{Config, LedgerUrl};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::harness::{Answer, Client, Process, comes, files_below, kept_in, run, wav};
use crate::postgres::Place;
use crate::site::{Site, now};

/// 16 MiB of the disk are kept for what restricts, and 20 MiB from uploads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_objections_and_deletions_are_logged_and_nothing_else_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path().join("disk"), "size=64m") else { return };
    let site = Site::on(dir, disk.0.join("data")).await;
    let config = site.dir.path().join("gateway.toml");
    std::fs::write(&config, "[upload]\nlow_water_bytes = 20971520\n").unwrap();
    let process = site.serve(&["--config", config.to_str().unwrap()]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await;
    for call in ["c2", "c3", "c4"] {
        site.record(&recorder, call).await;
    }
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let upload = async |name: &str, audio: &[u8]| {
        let start = from.to_string();
        recorder
            .upload(&format!("/v1/calls/c1/recordings/{name}"), &[("recording-start", &start)], audio)
            .await
    };
    let control = async |call: &str, action: &str| {
        recorder.post(&format!("/v1/calls/{call}/recording"), &json!({"action": action})).await
    };
    let before = upload("before", &wav(1000)).await.expect(201);
    let doomed = upload("doomed", &wav(900)).await.expect(201);
    ready(&process, true).await;

    disk.fill(18 << 20);
    let refused = upload("during", &wav(1000)).await;
    let problem = refused.problem(503, "store-unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("full"), "{problem}");
    assert_eq!(upload("before", &wav(1000)).await.expect(200)["id"], before["id"], "it is there already");
    say_yes(&recorder, "c1", "room").await.expect(201);
    ready(&process, true).await;

    disk.fill(0);
    // The ledger may have room of its own for a few entries; those are acknowledged and kept.
    let mut logged = vec!["room".to_owned()];
    let refused = loop {
        let id = format!("e{}", logged.len());
        let answer = say_yes(&recorder, "c1", &id).await;
        if answer.status != 201 {
            break answer;
        }
        logged.push(id);
        assert!(logged.len() < 10_000, "the disk does not fill");
    };
    refused.problem(503, "trail-unavailable");
    assert_eq!(refused.headers["retry-after"], "1");
    ready(&process, false).await;
    control("c3", "pause").await.expect(200);
    control("c3", "resume").await.problem(503, "trail-unavailable");
    let objection = json!({"type": "consent.withdrawn", "participant": "caller", "id": "no"});
    let decision = recorder.post("/v1/calls/c2/events", &objection).await.expect(201);
    assert_eq!(decision["recording"], "blocked");
    let admin = site.client(&process, Role::Admin);
    let gone = doomed["id"].as_str().unwrap();
    let deleted = admin.delete(&format!("/v1/recordings/{gone}")).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text());
    say_yes(&recorder, "c1", "still-full").await.problem(503, "trail-unavailable");
    // What needs no entry is still answered, and the process lives.
    recorder.get("/v1/calls/c1").await.expect(200);
    Client::stranger(process.address).get("/healthz").await.expect(200);
    let (code, _, err) =
        run(&["--data", site.data.to_str().unwrap(), "credential", "add", "acme", "--role", "admin"]);
    assert_eq!(code, 1);
    assert!(err.contains("nothing was done") || err.contains("ledger"), "{err}");

    // Something else takes what was kept. An objection that cannot be logged bars its call, until the gateway
    // could log it.
    disk.fill(0);
    let left = json!({"type": "tone.stopped", "reason": "y".repeat(200)});
    let mut kept = 0;
    while recorder.post("/v1/calls/c4/events", &left).await.status == 201 {
        kept += 1;
        assert!(kept < 10_000, "the disk does not fill");
    }
    let objection = json!({"type": "consent.withdrawn", "participant": "agent", "id": "no"});
    recorder.post("/v1/calls/c3/events", &objection).await.problem(503, "trail-unavailable");
    for action in ["start", "resume"] {
        control("c3", action).await.problem(503, "call-barred");
    }
    let decision = recorder.get("/v1/calls/c3/decision").await.expect(200);
    assert_eq!((&decision["recording"], &decision["action"]), (&json!("blocked"), &json!("pause")));

    disk.empty();
    ready(&process, true).await;
    while recorder.get("/v1/calls/c3/decision").await.expect(200)["participants"][1]["state"] != "withdrawn" {
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    for call in ["c2", "c3"] {
        control(call, "resume").await.problem(403, "consent-required");
    }
    let after = upload("during", &wav(1000)).await.expect(201);
    say_yes(&recorder, "c1", "after").await.expect(201);
    let listener = site.client(&process, Role::Listener);
    for stored in [before, after] {
        assert!(site.fetch_and_open(&listener, stored["id"].as_str().unwrap()).await == wav(1000));
    }
    let kept = sent_ids(&site.consents(&process, "c1").await);
    for id in &logged {
        assert!(kept.contains(id), "event {id} was acknowledged and is lost");
    }
    site.assert_integrity().await;
    assert_eq!(site.rows().await.len(), 3);
    // The failed uploads left nothing behind: two recordings with their envelopes, and a tombstone.
    assert_eq!(kept_in(&site.data).len(), 5);
    assert_eq!(std::fs::metadata(site.data.join("ledger.reserve")).unwrap().len(), 16 << 20);
}

/// Nobody knows whose objection it is that comes while the ledger does not answer: afterwards every call is
/// in doubt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_postgres_in_which_an_objection_came_puts_the_calls_in_doubt() {
    let place = Place::new().await;
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        data: dir.path().join("data"),
        ledger: Some(LedgerUrl::new(place.url.as_str())),
        ..Config::default()
    };
    let site = Site::with(dir, config).await;
    let process = site.serve(&["--ledger", &place.url]);
    let recorder = site.client(&process, Role::Recorder);
    for call in ["c1", "c2"] {
        site.record(&recorder, call).await;
    }
    let name = &place.name;
    place
        .administer(&format!(
            "ALTER ROLE {name} NOLOGIN; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'"
        ))
        .await;
    let before = now();
    let no = json!({"type": "consent.declined", "participant": "caller"});
    recorder.post("/v1/calls/c1/events", &no).await.problem(503, "trail-unavailable");
    place.administer(&format!("ALTER ROLE {name} LOGIN")).await;
    let auditor = site.client(&process, Role::Auditor);
    let mut gaps = Vec::new();
    comes(async || {
        let answer = auditor.get("/v1/consents?type=audit.gap").await;
        if answer.status == 200 {
            gaps = answer.json()["consents"].as_array().unwrap().clone();
        }
        !gaps.is_empty()
    })
    .await;
    let gap = &gaps.first().expect("a gap")["entry"]["body"]["gap"];
    assert_eq!(gap["cause"], "trail-unavailable");
    let from: jiff::Timestamp = gap["from"].as_str().unwrap().parse().unwrap();
    assert!(from.duration_since(before).as_secs() < 1, "{gap}: the objection came at {before}");
    for call in ["c1", "c2"] {
        let decision = recorder.get(&format!("/v1/calls/{call}/decision")).await.expect(200);
        assert_eq!((&decision["recording"], &decision["action"]), (&json!("blocked"), &json!("pause")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_another_program_locks_the_ledger_the_answer_is_503_and_afterwards_all_is_well() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    let from = site.record(&recorder, "c2").await.to_string();
    let mut other = site.sqlite().await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let stranger = Client::stranger(process.address);
    let third = json!({"id": "third", "role": "customer", "location": "US-CA", "languages": ["en"]});
    let join = async || recorder.post("/v1/calls/c2/participants", &third).await;
    // Somebody else may write for so long, and no longer.
    let (event, arrival, probe) =
        tokio::join!(say_yes(&recorder, "c1", "locked"), join(), stranger.get("/readyz"));
    event.problem(503, "trail-unavailable");
    arrival.problem(503, "trail-unavailable");
    assert_eq!(probe.status, 503);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    ready(&process, true).await;
    say_yes(&recorder, "c1", "locked").await.expect(201);
    let kept = sent_ids(&site.consents(&process, "c1").await);
    assert_eq!(kept.iter().filter(|id| *id == "locked").count(), 1);

    // The end of a call does not make up for an arrival that could not be logged: the gateway logs it by itself.
    recorder.post("/v1/calls/c2/events", &json!({"type": "call.ended"})).await.expect(201);
    join().await.problem(409, "call-ended");
    let refused = loop {
        let headers = [("recording-start", from.as_str())];
        let refused = recorder.upload("/v1/calls/c2/recordings/a", &headers, &wav(30_000)).await;
        assert!([403, 503].contains(&refused.status), "{}", refused.text());
        if refused.status == 403 {
            break refused.problem(403, "uncovered-audio");
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    };
    assert!(refused["uncovered"].to_string().contains("third"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_written_refuses_uploads_and_takes_them_when_it_is_back() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await.to_string();
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let media = site.data.join("media");
    std::fs::write(&media, "in the way").unwrap();
    let upload = async || {
        recorder.upload("/v1/calls/c1/recordings/a", &[("recording-start", &from)], &wav(1000)).await
    };
    let problem = upload().await.problem(503, "store-unavailable");
    assert!(!problem.to_string().contains("media"), "the inside is told: {problem}");
    assert_eq!(site.rows().await.len(), 0);
    std::fs::remove_file(&media).unwrap();
    let stored = upload().await.expect(201);
    let listener = site.client(&process, Role::Listener);
    assert!(site.fetch_and_open(&listener, stored["id"].as_str().unwrap()).await == wav(1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_that_are_missing_or_cut_are_a_problem_and_never_half_an_answer() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await.to_string();
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let stored = recorder
        .upload("/v1/calls/c1/recordings/a", &[("recording-start", &from)], &wav(1000))
        .await
        .expect(201);
    let id = stored["id"].as_str().unwrap();
    let file = files_below(&site.data.join("media"))
        .into_iter()
        .find(|file| file.extension().is_some_and(|e| e == "pack"))
        .unwrap();
    let whole = std::fs::read(&file).unwrap();
    let listener = site.client(&process, Role::Listener);
    let fetch = async || listener.get(&format!("/v1/recordings/{id}/media?purpose=quality")).await;
    std::fs::remove_file(&file).unwrap();
    fetch().await.problem(503, "store-unavailable");
    std::fs::write(&file, &whole[..100]).unwrap();
    fetch().await.problem(503, "store-unavailable");
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(fetch().await.status, 200);
    assert!(site.fetch_and_open(&listener, id).await == wav(1000));
}

#[tokio::test]
async fn a_damaged_secret_refuses_to_start_and_is_told_by_name() {
    let site = Site::new().await;
    let data = site.data.to_str().unwrap();
    for secret in files_below(&site.data.join("secrets")) {
        let whole = std::fs::read(&secret).unwrap();
        for damaged in [&whole[..31], &[], &[whole.as_slice(), b"\n"].concat()] {
            std::fs::write(&secret, damaged).unwrap();
            for command in ["serve", "check"] {
                let (code, out, err) = run(&["--data", data, command]);
                assert_eq!((code, out.as_str()), (1, ""));
                assert!(err.contains(secret.to_str().unwrap()) && err.contains("restore it"), "{err}");
            }
        }
        std::fs::write(&secret, whole).unwrap();
    }
    ready(&site.serve(&[]), true).await;
}

/// With another secret nobody's number is found again, and an objection that follows the person is forgotten.
#[tokio::test]
async fn a_secret_that_is_lost_or_another_is_refused_by_whatever_uses_the_ledger_and_never_made_anew() {
    let site = Site::new().await;
    ready(&site.serve(&[]), true).await;
    let data = site.data.to_str().unwrap();
    let secrets = files_below(&site.data.join("secrets"));
    let names: Vec<_> = secrets.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    for name in ["fingerprints.key", "log.id", "log.key", "lookup.key", "subjects.key", "webhooks.key"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for secret in secrets {
        let whole = std::fs::read(&secret).unwrap();
        std::fs::remove_file(&secret).unwrap();
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"], &["account", "list"]] {
            let (code, out, err) = run(&[&["--data", data], command].concat());
            assert_eq!((code, out.as_str()), (1, ""), "{command:?} without {}: {err}", secret.display());
            assert!(err.contains(secret.to_str().unwrap()) && err.contains("is missing"), "{err}");
            assert!(!secret.exists(), "{command:?} has made it anew");
        }
        std::fs::write(&secret, [7; 32]).unwrap();
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"]] {
            let (code, out, err) = run(&[&["--data", data], command].concat());
            assert_eq!((code, out.as_str()), (1, ""), "{command:?} with another {}", secret.display());
            let name = secret.file_name().unwrap().to_str().unwrap();
            assert!(err.contains(name) && err.contains("restore"), "{err}");
        }
        std::fs::write(&secret, whole).unwrap();
    }
    ready(&site.serve(&[]), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_data_directory_is_told_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path().join("disk"), "size=64m") else { return };
    let site = Site::on(dir, disk.0.join("data")).await;
    disk.remount("ro");
    let data = site.data.to_str().unwrap();
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"], &["account", "add", "b"]] {
        let (code, out, err) = run(&[&["--data", data], args].concat());
        assert_eq!((code, out.as_str()), (1, ""), "{args:?}");
        assert!(err.to_lowercase().contains("read-only"), "{args:?}: {err}");
    }
    let fresh = disk.0.join("fresh");
    let (_, _, err) = run(&["--data", fresh.to_str().unwrap(), "check"]);
    assert!(err.contains(fresh.to_str().unwrap()) && err.to_lowercase().contains("read-only"), "{err}");
    disk.remount("rw");
    ready(&site.serve(&[]), true).await;
}

/// Whether it comes to say so: what it has found is good for a second.
async fn ready(process: &Process, is: bool) {
    let status = if is { 200 } else { 503 };
    comes(async || Client::stranger(process.address).get("/readyz").await.status == status).await;
}

async fn say_yes(recorder: &Client, call: &str, id: &str) -> Answer {
    let yes = json!({"type": "consent.given", "participant": "caller", "method": "dtmf", "id": id, "reason": "y".repeat(200)});
    recorder.post(&format!("/v1/calls/{call}/events"), &yes).await
}

fn sent_ids(records: &[Value]) -> Vec<String> {
    let id = |record: &Value| Some(record["detail"]["event"]["id"].as_str()?.to_owned());
    records.iter().filter_map(id).collect()
}

/// A small file system in memory.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf, options: &str) -> Option<Disk> {
        std::fs::create_dir(&at).unwrap();
        let mounted = command("mount", &["-t", "tmpfs", "-o", options, "none"], &at);
        if !mounted {
            eprintln!("skipped: no file system can be mounted here (that takes root)");
        }
        mounted.then_some(Disk(at))
    }

    fn remount(&self, mode: &str) {
        // Whoever has just closed the ledger may not be done with it.
        let remounted = || command("mount", &["-o", &format!("remount,{mode}")], &self.0);
        let done = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            remounted()
        });
        assert!(done, "the disk stays busy");
    }

    /// Leaves so many bytes free, at most.
    fn fill(&self, free: u64) {
        use std::io::Write as _;
        let mut file =
            std::fs::File::options().create(true).append(true).open(self.0.join("filler")).unwrap();
        let has_room = || {
            let found = rustix::fs::statvfs(&self.0).unwrap();
            free == 0 || found.f_bavail * found.f_frsize > free
        };
        for step in [1 << 16, 1 << 10, 1] {
            while has_room() && file.write_all(&vec![0; step]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        command("umount", &["-l"], &self.0);
    }
}

fn command(name: &str, args: &[&str], path: &Path) -> bool {
    Command::new(name).args(args).arg(path).output().is_ok_and(|output| output.status.success())
}
