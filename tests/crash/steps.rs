//! The real program, killed before each of the steps that change what is on disk, one after the other:
//! between any two of them. Whatever was acknowledged is there afterwards, the log verifies, and what was
//! not acknowledged can be sent again.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use consent_gateway::access::Role;
use consent_gateway::vault::Kind;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{event_ids, the_log_verifies};
use crate::harness::{Answer, Client, Process, kept_in, run, run_with, slow, wav};
use crate::site::{Site, now};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn between_any_two_steps_of_a_gateway_a_kill_loses_nothing_that_was_acknowledged() {
    let before = Arc::new(Before::new().await);
    let (steps, ended) = round(&before, 0, false).await;
    assert!(ended && steps > 20, "{steps} steps");
    eprintln!("{steps} steps from the start to the end");
    let all = slow();
    // The number of steps varies with the time that things take.
    let mut rounds: Vec<(u64, bool)> = (1..=steps + 2).map(|step| (step, false)).collect();
    if all {
        let (writes, _) = round(&before, 0, true).await;
        eprintln!("{writes} with the database's writes");
        rounds.extend((1..=writes).step_by(7).map(|step| (step, true)));
    } else {
        rounds = rounds.into_iter().step_by(usize::try_from(steps / 6).unwrap()).collect();
    }
    every(rounds, move |(step, writes)| {
        let before = Arc::clone(&before);
        async move {
            let _ = round(&before, step, writes).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn between_any_two_steps_of_a_command_a_kill_leaves_what_the_same_command_completes() {
    let before = Arc::new(Before::new().await);
    const COMMANDS: [&[&str]; 4] = [
        &["audit", "rotate-key"],
        &["audit", "reopen", "--force", "--all", "--reason", "a test"],
        &["erase", "acme", "--number", NUMBER, "--recordings", "delete", "--reason", "they asked for it"],
        &["--json", "credential", "add", "acme", "--role", "listener"],
    ];
    for command in COMMANDS {
        let steps = interrupted(&before, command, 0).await.expect_err("nothing killed it");
        eprintln!("{command:?}: {steps} steps");
        assert!(steps > 2, "{command:?}: {steps} steps");
        let stride = if slow() { 1 } else { usize::try_from(steps / 2).unwrap() };
        let before = Arc::clone(&before);
        every((1..=steps).step_by(stride).collect(), move |step| {
            let before = Arc::clone(&before);
            async move {
                let _ = interrupted(&before, command, step).await;
            }
        })
        .await;
    }
}

/// SQLite does not call a quota that is used up a full disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_quota_is_used_up_an_objection_is_logged_and_nothing_else() {
    let site = Site::new().await;
    let (used_up, reserve) = (site.dir.path().join("used-up"), site.data.join("ledger.reserve"));
    let environment = [
        ("LD_PRELOAD", LIBRARY.to_str().unwrap()),
        ("USED_UP", used_up.to_str().unwrap()),
        ("RESERVE", reserve.to_str().unwrap()),
    ];
    let mut process = Process::try_serve(&site.data, &[], &environment).unwrap();
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    std::fs::write(&used_up, "").unwrap();
    say_yes(&recorder).await.unwrap().problem(503, "trail-unavailable");
    let no = json!({"type": "consent.withdrawn", "participant": "caller"});
    let decision = recorder.post("/v1/calls/c1/events", &no).await.expect(201);
    assert_eq!(decision["recording"], "blocked");
    std::fs::remove_file(&used_up).unwrap();
    say_yes(&recorder).await.unwrap().expect(201);
    process.terminate();
    assert_eq!(process.wait(), Some(0));
    site.assert_integrity().await;
    the_log_verifies(&site, &site.serve(&[])).await;
}

/// What may not be on the disk is not acknowledged, nothing is built on it, and a call whose objection it was is barred.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_log_cannot_be_synced_nothing_is_acknowledged_and_afterwards_all_of_it_is_durable() {
    let site = Site::new().await;
    let unsynced = site.dir.path().join("unsynced");
    let environment = [("LD_PRELOAD", LIBRARY.to_str().unwrap()), ("UNSYNCED", unsynced.to_str().unwrap())];
    let mut process = Process::try_serve(&site.data, &[], &environment).unwrap();
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    site.record(&recorder, "c2").await;
    let signed = site.client(&process, Role::Auditor).get("/v1/log/acme/checkpoint").await.text();
    std::fs::write(&unsynced, "").unwrap();
    for _ in 0..3 {
        say_yes(&recorder).await.unwrap().problem(503, "trail-unavailable");
    }
    let no = json!({"type": "consent.withdrawn", "participant": "caller"});
    recorder.post("/v1/calls/c2/events", &no).await.problem(503, "trail-unavailable");
    let start = json!({"action": "resume"});
    recorder.post("/v1/calls/c2/recording", &start).await.problem(503, "call-barred");
    // Nothing is signed that may be gone after a loss of power.
    let now = site.client(&process, Role::Auditor).get("/v1/log/acme/checkpoint").await;
    assert!(now.status == 503 || now.text() == signed, "{}", now.text());
    std::fs::remove_file(&unsynced).unwrap();
    say_yes(&recorder).await.unwrap().expect(201);
    let decision = recorder.get("/v1/calls/c2/decision").await.expect(200);
    assert_eq!(decision["recording"], "blocked");
    let events = event_ids(&site.consents(&process, "c1").await);
    assert_eq!(events.iter().filter(|id| *id == "yes").count(), 1);
    process.terminate();
    assert_eq!(process.wait(), Some(0));
    site.assert_integrity().await;
    the_log_verifies(&site, &site.serve(&[])).await;
}

/// What is there before each round: recordings to delete, to hold and to fetch, a call that is being
/// recorded, and somebody who will want to be forgotten.
struct Before {
    site: Site,
    from: Timestamp,
    doomed: String,
    kept: String,
}

impl Before {
    async fn new() -> Before {
        let site = Site::new().await;
        let mut process = site.serve(&[]);
        let recorder = site.client(&process, Role::Recorder);
        let from = site.record(&recorder, "c1").await;
        let body = json!({"medium": "telephone", "purposes": ["quality"],
            "participants": [{"id": "zoe", "role": "customer", "number": NUMBER, "languages": ["en"]}]});
        recorder.put("/v1/calls/c2", &body).await.expect(201);
        recorder.post("/v1/calls/c2/events", &json!({"type": "call.ended"})).await.expect(201);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let upload = async |name| {
            let stored = upload(&recorder, from, name).await.unwrap().expect(201);
            stored["id"].as_str().unwrap().to_owned()
        };
        let (doomed, kept) = (upload("doomed").await, upload("kept").await);
        process.terminate();
        assert_eq!(process.wait(), Some(0));
        Before { site, from, doomed, kept }
    }
}

/// One round: killed before this step, or never. Answers how many steps there were, and whether it ended
/// by itself.
async fn round(before: &Before, step: u64, writes: bool) -> (u64, bool) {
    let site = before.site.copy();
    let counted = site.dir.path().join("steps");
    let (step, writes) = (step.to_string(), u8::from(writes).to_string());
    let environment = [
        ("LD_PRELOAD", LIBRARY.to_str().unwrap()),
        ("STEP", &step),
        ("COUNT", counted.to_str().unwrap()),
        ("WRITES", &writes),
    ];
    let mut acknowledged = Acknowledged::default();
    let (mut served, mut ended) = (false, false);
    if let Ok(mut process) = Process::try_serve(&site.data, &[], &environment) {
        served = true;
        acknowledged = act(before, &site, &process).await;
        process.terminate();
        ended = process.wait() == Some(0);
    }
    let (steps, last) = count(&counted);
    eprintln!("killed before step {step} ({last}) with {acknowledged:?}");
    check(before, &site, served, &acknowledged).await;
    (steps, ended)
}

/// What was answered before the end.
#[derive(Debug, Default)]
struct Acknowledged {
    said_yes: bool,
    stored: Option<String>,
    fetched: bool,
    deleted: bool,
    held: bool,
    erased: bool,
    head: Option<String>,
}

async fn act(before: &Before, site: &Site, process: &Process) -> Acknowledged {
    let mut done = Acknowledged::default();
    let role = |role| site.client(process, role);
    let recorder = role(Role::Recorder);
    let ok = |answer: Result<Answer, _>, expected: &[u16]| match answer {
        Err(Gone) => false,
        Ok(answer) => {
            assert!(expected.contains(&answer.status), "{}", answer.text());
            true
        }
    };
    done.said_yes = ok(say_yes(&recorder).await, &[201]);
    if let Ok(answer) = upload(&recorder, before.from, "new").await {
        done.stored = Some(answer.expect(201)["id"].as_str().unwrap().to_owned());
    }
    let kept = format!("/v1/recordings/{}", before.kept);
    let media = send(&role(Role::Listener), "GET", &format!("{kept}/media?purpose=quality"), None).await;
    done.fetched = ok(media, &[200]);
    let doomed = format!("/v1/recordings/{}", before.doomed);
    done.deleted = ok(send(&role(Role::Admin), "DELETE", &doomed, None).await, &[204]);
    done.held = ok(send(&role(Role::Counsel), "PUT", &format!("{kept}/hold"), Some(json!({}))).await, &[200]);
    done.erased = ok(send(&role(Role::Counsel), "POST", "/v1/erasures", Some(erasure())).await, &[200]);
    if let Ok(answer) = send(&role(Role::Auditor), "GET", "/v1/log/acme/checkpoint", None).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
        done.head = Some(answer.text());
    }
    done
}

async fn check(before: &Before, site: &Site, served: bool, acknowledged: &Acknowledged) {
    site.assert_integrity().await;
    let process = site.serve(&[]);
    let told = the_log_verifies(site, &process).await;
    // It was killed while it was asked.
    let gap = acknowledged.said_yes && acknowledged.head.is_none();
    let gaps = told["report"]["types"]["audit.gap"].as_u64().unwrap_or(0);
    assert!(!gap || gaps > 0, "{told}");
    // A start that was cut short has served nobody.
    assert!(served || gaps == 0, "{told}");
    if let Some(head) = &acknowledged.head {
        let since = site.dir.path().join("since");
        std::fs::write(&since, head).unwrap();
        let data = site.data.to_str().unwrap();
        let (code, out, err) =
            run(&["--data", data, "audit", "verify", "acme", "--since", since.to_str().unwrap()]);
        assert_eq!(code, 0, "{out}{err}");
    }
    let role = |role| site.client(&process, role);
    let (recorder, listener) = (role(Role::Recorder), role(Role::Listener));
    // Nothing readable but what the ledger names.
    for kept in kept_in(&site.data).iter().filter(|kept| kept.kind == Some(Kind::Envelope)) {
        let id = kept.id.unwrap().to_string();
        assert!(site.rows().await.contains_key(&id), "an envelope without a row: {id}");
    }

    let events = event_ids(&site.consents(&process, "c1").await);
    let said = events.iter().filter(|id| *id == "yes").count();
    assert!(said == 1 || (said == 0 && !acknowledged.said_yes), "{events:?}");
    say_yes(&recorder).await.unwrap().expect(201);
    let events = event_ids(&site.consents(&process, "c1").await);
    assert_eq!(events.iter().filter(|id| *id == "yes").count(), 1);

    let again = upload(&recorder, before.from, "new").await.unwrap();
    assert!(
        again.status == 200 || (again.status == 201 && acknowledged.stored.is_none()),
        "{}",
        again.text()
    );
    let stored = again.json()["id"].as_str().unwrap().to_owned();
    assert!(acknowledged.stored.as_ref().is_none_or(|id| *id == stored));
    for id in [&stored, &before.kept] {
        assert!(site.fetch_and_open(&listener, id).await == wav(1_000));
    }
    let fetches = role(Role::Auditor).get("/v1/consents?type=recording.fetched").await.expect(200);
    let fetches = fetches["consents"].as_array().unwrap().len();
    assert!(fetches >= 2 + usize::from(acknowledged.fetched), "{fetches}");

    let kept = format!("/v1/recordings/{}", before.kept);
    let held = role(Role::Auditor).get(&kept).await.expect(200)["held"] == json!(true);
    assert!(held || !acknowledged.held);

    let doomed = format!("/v1/recordings/{}", before.doomed);
    let deleted = role(Role::Admin).delete(&doomed).await;
    assert!(
        deleted.status == 410 || deleted.status == 404 || (deleted.status == 204 && !acknowledged.deleted),
        "{}",
        deleted.text()
    );
    let left: Vec<Option<Kind>> = kept_in(&site.data)
        .iter()
        .filter(|kept| kept.id.is_some_and(|id| id.to_string() == before.doomed))
        .map(|kept| kept.kind)
        .collect();
    assert_eq!(left, [Some(Kind::Tombstone)]);
    let deletions = role(Role::Auditor).get("/v1/consents?type=recording.deleted").await.expect(200);
    let of_it = |told: &&Value| told["entry"]["body"]["deleted"]["recording"] == before.doomed;
    assert_eq!(deletions["consents"].as_array().unwrap().iter().filter(of_it).count(), 1, "{deletions}");

    let erased = role(Role::Counsel).post("/v1/erasures", &erasure()).await;
    assert!(erased.status == 404 || (erased.status == 200 && !acknowledged.erased), "{}", erased.text());
    let known =
        role(Role::Auditor).get(&format!("/v1/consents?number=%2B{}", &NUMBER[1..])).await.expect(200);
    assert_eq!(known["consents"], json!([]));
}

/// Runs a command that is killed before this step, or never. Then the gateway starts, the log verifies and
/// the command can be given again. How many steps there were, where nothing killed it.
async fn interrupted(before: &Before, command: &[&str], step: u64) -> Result<(), u64> {
    let site = before.site.copy();
    let counted = site.dir.path().join("steps");
    let number = step.to_string();
    let environment = [
        ("LD_PRELOAD", LIBRARY.to_str().unwrap()),
        ("STEP", number.as_str()),
        ("COUNT", counted.to_str().unwrap()),
    ];
    let data = site.data.to_str().unwrap();
    let args = [&["--data", data], command].concat();
    let (code, _, err) = run_with(&args, &environment);
    let (steps, last) = count(&counted);
    if code == 0 {
        return Err(steps);
    }
    assert_ne!(code, 1, "{command:?}: {err}");
    eprintln!("{command:?} killed before step {step} ({last})");
    let verify = || {
        let (code, out, err) = run(&["--data", data, "audit", "verify", "acme"]);
        assert_eq!(code, 0, "{command:?} killed before step {step} ({last}): {out}{err}");
    };
    let serve = async || {
        let mut process = site.serve(&[]);
        let auditor = site.client(&process, Role::Auditor);
        // A new key comes into use within a second or two.
        let begun = std::time::Instant::now();
        while auditor.get("/v1/log/acme/checkpoint").await.status != 200 {
            assert!(
                begun.elapsed() < Duration::from_secs(240),
                "{command:?} killed before step {step} ({last})"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let listener = site.client(&process, Role::Listener);
        let kept = listener.get("/v1/recordings").await.expect(200)["recordings"].as_array().unwrap().len();
        assert_eq!(kept, 2, "of another call");
        process.terminate();
        assert_eq!(process.wait(), Some(0));
    };
    serve().await;
    verify();
    let (code, _, err) = run(&args);
    // Whoever is erased already is unknown.
    assert!(code == 0 || err.contains("nothing is known"), "{command:?} again: {err}");
    serve().await;
    verify();
    Ok(())
}

/// No answer came.
#[derive(Debug)]
struct Gone;

async fn send(client: &Client, method: &str, path: &str, body: Option<Value>) -> Result<Answer, Gone> {
    let headers: &[(&str, &str)] = if body.is_some() { &[("content-type", "application/json")] } else { &[] };
    let body = body.map_or_else(String::new, |body| body.to_string());
    client.try_send(method, path, headers, body.into()).await.map_err(|_| Gone)
}

async fn say_yes(recorder: &Client) -> Result<Answer, Gone> {
    let yes = json!({"type": "consent.given", "participant": "caller", "method": "dtmf", "id": "yes"});
    send(recorder, "POST", "/v1/calls/c1/events", Some(yes)).await
}

async fn upload(recorder: &Client, from: Timestamp, name: &str) -> Result<Answer, Gone> {
    let from = from.to_string();
    let headers = [("recording-start", from.as_str())];
    let path = format!("/v1/calls/c1/recordings/{name}");
    recorder.try_send("PUT", &path, &headers, wav(1_000).into()).await.map_err(|_| Gone)
}

fn erasure() -> Value {
    json!({"number": NUMBER, "recordings": "keep", "reason": "they asked for it"})
}

/// How many steps were counted, and which was the last.
pub(super) fn count(counted: &std::path::Path) -> (u64, String) {
    let text = std::fs::read_to_string(counted).unwrap_or_default();
    let last = text.lines().last().unwrap_or("none before").to_owned();
    (u64::try_from(text.lines().count()).unwrap(), last)
}

/// Does this for all of them, two at a time.
pub(super) async fn every<T, F>(all: Vec<T>, one: impl Fn(T) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let began = now();
    let (count, turns) = (all.len(), Arc::new(Semaphore::new(2)));
    let mut running = JoinSet::new();
    for item in all {
        let (turns, doing) = (Arc::clone(&turns), one(item));
        running.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            doing.await;
        });
    }
    running.join_all().await;
    eprintln!("{count} rounds in {:.0} s", now().duration_since(began).as_secs_f64());
}

/// What counts the steps, and kills.
pub(super) static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/crash/steps.c");
    let library = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("steps.so");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(compile.status().unwrap().success());
    library
});

const NUMBER: &str = "+14155550142";
