//! The real program, killed while uploads and events are in flight: whatever it had acknowledged is
//! there afterwards, and nothing else can be read.

mod steps;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use consent_gateway::access::Role;
use consent_gateway::vault::Kind;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::Connection as _;
use trail::clock::Clock;
use uuid::Uuid;

use crate::harness::{
    Client, Gateway, Kept, Process, Random, comes, files_below, kept_in, run, slow, wav, wav_of,
};
use crate::site::{Site, age, now, rewrite};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_was_acknowledged_before_a_kill_is_there_after_it_and_nothing_else_can_be_read() {
    let slow = slow();
    let mut random = Random::seeded();
    let site = Arc::new(Site::new().await);
    let mut process = site.serve(&[]);

    let recorder = site.client(&process, Role::Recorder);
    let mut from = Timestamp::MIN;
    for call in CALLS {
        from = site.record(&recorder, call).await;
    }
    // Every window holds these two seconds from here on, whatever is killed.
    site.well_at(after(from, 2_000)).await;

    let mut known = Known::default();
    for round in 0..if slow { 20 } else { 3 } {
        let sent = Arc::new(Sent::default());
        let stop = Arc::new(AtomicBool::new(false));
        let recorder = site.client(&process, Role::Recorder);
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..10 {
            let (recorder, sent, stop) = (recorder.clone(), Arc::clone(&sent), Arc::clone(&stop));
            let mut random = Random(random.next());
            senders.spawn(async move {
                for turn in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let call = CALLS[random.below(CALLS.len())];
                    let name = format!("r{round}-s{sender}-{turn}");
                    let upload = Upload { call, name, seed: random.next(), large: sender < 4, from };
                    if !sent.upload(&recorder, upload).await {
                        break;
                    }
                }
            });
        }
        for sender in 0..6 {
            let (recorder, sent, stop) = (recorder.clone(), Arc::clone(&sent), Arc::clone(&stop));
            senders.spawn(async move {
                for turn in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    if !sent
                        .events(&recorder, CALLS[sender % CALLS.len()], &format!("r{round}-s{sender}-{turn}"))
                        .await
                    {
                        break;
                    }
                }
            });
        }
        // A second process writes to the same trail meanwhile.
        let administration = {
            let (site, stop) = (Arc::clone(&site), Arc::clone(&stop));
            std::thread::spawn(move || administrate(&site, &stop))
        };
        // In the middle of things: after so many answers, and a moment more.
        let answers = 5 + random.below(40);
        while sent.answers() < answers {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(random.next() % 50)).await;
        process.kill();
        stop.store(true, Ordering::SeqCst);
        senders.join_all().await;
        known.credentials.extend(administration.join().unwrap());

        site.assert_integrity().await;
        process = site.serve(&[]);
        let sent = Arc::into_inner(sent).unwrap();
        eprintln!(
            "round {round}: {} uploads and {} events acknowledged, {} and {} cut off",
            sent.stored().len(),
            sent.logged.lock().unwrap().len(),
            sent.cut().len(),
            sent.lost.lock().unwrap().len()
        );
        check(&site, &process, &sent, &mut known).await;
    }
    process.kill();

    // What nothing names goes once it is old enough, and only that.
    age(&site.data);
    let process = site.serve(&[]);
    let rows = site.rows().await;
    let is_named = |kept: &Kept| kept.id.is_some_and(|id| rows.contains_key(&id.to_string()));
    comes(async || kept_in(&site.data).iter().all(is_named)).await;
    everything_is_still_there(&site, &process, &known).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_cut_off_leaves_nothing_readable_and_is_swept_after_twice_the_deadline() {
    let site = Site::new().await;
    let mut process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await;
    site.well_at(after(from, 2_000)).await;

    // Three of these megabytes are sent, the rest never.
    let audio = Upload { call: "c1", name: String::new(), seed: 1, large: true, from }.audio();
    let head = format!(
        "PUT /v1/calls/c1/recordings/a HTTP/1.1\r\nhost: gateway\r\nauthorization: {}\r\nrecording-start: {from}\r\ncontent-length: {}\r\n\r\n",
        recorder.authorization.as_ref().unwrap(),
        audio.len()
    );
    let mut stream = tokio::net::TcpStream::connect(process.address).await.unwrap();
    use tokio::io::AsyncWriteExt as _;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&audio[..audio.len() - 1]).await.unwrap();
    let media = site.data.join("media");
    while files_below(&media).is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    process.kill();
    let left = files_below(&media);
    assert!(!left.is_empty());
    assert!(left.iter().all(|file| file.extension().is_none_or(|extension| extension != "json")), "{left:?}");

    let mut process = site.serve(&[]);
    assert_eq!(files_below(&media), left, "another node may still be uploading");
    let listed = site.client(&process, Role::Listener).get("/v1/recordings").await.expect(200);
    assert_eq!(listed["recordings"], json!([]));
    process.kill();
    age(&site.data);
    let process = site.serve(&[]);
    comes(async || files_below(&media).is_empty()).await;
    // And the platform's retry is an upload like any other.
    let recorder = site.client(&process, Role::Recorder);
    let from = from.to_string();
    let stored =
        recorder.upload("/v1/calls/c1/recordings/a", &[("recording-start", &from)], &audio).await.expect(201);
    let listener = site.client(&process, Role::Listener);
    assert!(site.fetch_and_open(&listener, stored["id"].as_str().unwrap()).await == audio);
}

/// A sweep that began before the clock was set back could take an upload of now for one of before.
#[tokio::test]
async fn nothing_is_swept_that_could_be_an_upload_of_now() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(3_000);
    let stored = gateway.upload("c", "main", Some(from), &wav(2_000)).await.expect(201);
    // Media in a pack and in a file of their own that no recording names, and those of one that is.
    let named: Uuid = stored["id"].as_str().unwrap().parse().unwrap();
    let media = gateway.data().join("media");
    let kept = kept_in(&gateway.data());
    let pack = kept.iter().find(|kept| kept.kind == Some(Kind::Media)).unwrap().file.clone();
    let copy = pack.with_file_name(format!("{}.pack", Uuid::from_u128(1)));
    std::fs::copy(&pack, &copy).unwrap();
    rewrite(&copy, |head| head.recording = Uuid::from_u128(2));
    std::fs::create_dir(media.join("03")).unwrap();
    std::fs::write(media.join("03").join(format!("{}.sealed", Uuid::from_u128(3).simple())), b"sealed")
        .unwrap();
    let with_copies = kept_in(&gateway.data());
    assert_eq!((kept.len(), with_copies.len()), (2, 5));
    // By this moment everything is old; by the clock it lies ahead.
    let before = Clock::system().now().checked_add(jiff::SignedDuration::from_hours(24)).unwrap();
    gateway.gate().sweep_unnamed(before).await.unwrap();
    assert_eq!(kept_in(&gateway.data()), with_copies);
    let ahead = before.duration_since(gateway.now()).unsigned_abs() + Duration::from_secs(86_400);
    gateway.advance_ms(u64::try_from(ahead.as_millis()).unwrap());
    gateway.gate().sweep_unnamed(before).await.unwrap();
    let left: Vec<Kept> = kept_in(&gateway.data()).into_iter().filter(|left| left.file != copy).collect();
    assert_eq!(left, kept);
    assert!(left.iter().all(|left| left.id == Some(named)));
    // The envelope in the copy was nobody's to remove; there are no media of it any more.
    assert!(kept_in(&gateway.data()).iter().all(|left| left.file != copy || left.kind != Some(Kind::Media)));
}

/// What was reported since the gateway was last well may be missing, whatever others log meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_program_logs_after_a_kill_makes_no_gap_shorter() {
    let site = Site::new().await;
    let mut process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await;
    site.well_at(after(from, 1_000)).await;
    process.kill();
    let killed = ms_since(from);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let data = site.data.to_str().unwrap();
    assert_eq!(run(&["--data", data, "audit", "find", "acme", "--call", "c1"]).0, 0);
    let process = site.serve(&[]);
    let from = from.to_string();
    let headers = [("recording-start", from.as_str())];
    let recorder = site.client(&process, Role::Recorder);
    recorder.upload("/v1/calls/c1/recordings/a", &headers, &wav(1_000)).await.expect(201);
    let refused = recorder.upload("/v1/calls/c1/recordings/b", &headers, &wav(killed + 1_000)).await;
    refused.problem(403, "consent-required");
}

/// Whoever has sent an objection may hang up: it was said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_objection_is_logged_though_its_sender_does_not_wait_for_the_answer() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    let mut other = site.sqlite().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    for id in ["first", "second"] {
        let no = json!({"type": "consent.declined", "participant": "caller", "id": id});
        let sent = post(&recorder, "/v1/calls/c1/events", &no);
        assert!(tokio::time::timeout(Duration::from_millis(700), sent).await.is_err(), "it waits");
    }
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let logged = async || event_ids(&site.consents(&process, "c1").await);
    comes(async || logged().await == ["first", "second"]).await;
}

/// Two gateways on the same data, and a key that is changed: one of them does it, and both sign with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_change_the_key_of_the_logs_once() {
    let site = Site::new().await;
    let processes = [site.serve(&[]), site.serve(&[])];
    let data = site.data.to_str().unwrap();
    let first = run(&["--data", data, "audit", "key", "acme"]).1;
    for _ in 0..3 {
        assert_eq!(run(&["--data", data, "audit", "rotate-key"]).0, 0);
        comes(async || !site.data.join("secrets/log.next.key").exists()).await;
        for process in &processes {
            let recorder = site.client(process, Role::Recorder);
            let body = json!({"medium": "telephone", "participants": []});
            recorder.put(&format!("/v1/calls/{}", crate::harness::uid()), &body).await.expect(201);
            the_log_verifies(&site, process).await;
        }
    }
    let names = std::fs::read_dir(site.data.join("secrets")).unwrap();
    let names = names.map(|found| found.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("log.retired-")).count(), 3);
    drop(processes);
    the_log_verifies(&site, &site.serve(&[])).await;
    // Whoever knows the first key alone is led to the last, by heads that were signed with both.
    let (trust, out) = (site.dir.path().join("trust"), site.dir.path().join("export"));
    std::fs::write(&trust, first).unwrap();
    let (trust, out) = (trust.to_str().unwrap(), out.to_str().unwrap());
    assert_eq!(run(&["--data", data, "audit", "export", "acme", "--out", out]).0, 0);
    let (code, told, err) = run(&["audit", "verify", out, "--trust", trust]);
    assert_eq!(code, 0, "{told}{err}");
}

async fn post(client: &Client, path: &str, body: &Value) -> bool {
    let headers = [("content-type", "application/json")];
    client.try_send("POST", path, &headers, body.to_string().into()).await.is_ok()
}

/// A withdrawal came and could not be logged; then the gateway ends, in whichever way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_begins_with_what_could_not_be_logged() {
    for kills in [true, false] {
        let site = Site::new().await;
        let mut process = site.serve(&[]);
        let recorder = site.client(&process, Role::Recorder);
        let from = site.record(&recorder, "c1").await;
        site.well_at(after(from, 1_000)).await;
        let mut other = site.sqlite().await;
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
        let said = ms_since(from);
        let no = json!({"type": "consent.withdrawn", "participant": "caller"});
        if kills {
            // It is waiting to be logged when the end comes.
            let waiting = tokio::spawn(async move {
                recorder
                    .try_send(
                        "POST",
                        "/v1/calls/c1/events",
                        &[("content-type", "application/json")],
                        no.to_string().into(),
                    )
                    .await
                    .is_ok()
            });
            tokio::time::sleep(Duration::from_millis(3_500)).await;
            process.kill();
            assert!(!waiting.await.unwrap());
        } else {
            recorder.post("/v1/calls/c1/events", &no).await.problem(503, "trail-unavailable");
            process.terminate();
            assert_eq!(process.wait(), Some(0));
        }
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        let process = site.serve(&[]);
        let from = from.to_string();
        let headers = [("recording-start", from.as_str())];
        let recorder = site.client(&process, Role::Recorder);
        let refused = recorder.upload("/v1/calls/c1/recordings/a", &headers, &wav(said + 1_000)).await;
        refused.problem(403, "consent-required");
        recorder.upload("/v1/calls/c1/recordings/b", &headers, &wav(1_000)).await.expect(201);
        let gaps = site.client(&process, Role::Auditor).get("/v1/consents?type=audit.gap").await.expect(200);
        let cause = &gaps["consents"][0]["entry"]["body"]["gap"]["cause"];
        assert_eq!(cause, if kills { "ended-unexpectedly" } else { "trail-unavailable" });
    }
}

/// A gateway dies and is not started again: another one on the same ledger sees that it no longer says that it is
/// well, and says so once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_lost_is_missed_by_another() {
    let site = Site::new().await;
    let mut lost = site.serve(&[]);
    let stays = site.serve(&[]);
    site.record(&site.client(&lost, Role::Recorder), "c1").await;
    // Both have said that they are well.
    while site.sqlite_marks().await < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lost.kill();
    let recorder = site.client(&stays, Role::Recorder);
    let mut decision = recorder.get("/v1/calls/c1/decision").await.expect(200);
    while decision["recording"] == "permitted" {
        tokio::time::sleep(Duration::from_millis(100)).await;
        decision = recorder.get("/v1/calls/c1/decision").await.expect(200);
    }
    assert_eq!((&decision["recording"], &decision["action"]), (&json!("blocked"), &json!("pause")));
    assert!(decision["reason"].as_str().unwrap().contains("outage"), "{decision}");
    assert_eq!(site.sqlite_marks().await, 1);
    let auditor = site.client(&stays, Role::Auditor);
    let gaps = auditor.get("/v1/consents?type=audit.gap").await.expect(200);
    assert_eq!(gaps["consents"].as_array().unwrap().len(), 1, "{gaps}");
}

/// Whoever never came to serve leaves nothing in doubt: neither for those who do, nor for the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_is_no_outage() {
    let site = Site::new().await;
    let mut process = site.serve(&[]);
    site.record(&site.client(&process, Role::Recorder), "c1").await;
    let data = site.data.to_str().unwrap();
    let taken = process.address.to_string();
    for _ in 0..2 {
        let (code, _, told) = run(&["--data", data, "serve", "--listen", &taken]);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains("cannot be listened on"), "{told}");
    }
    nothing_is_in_doubt(&site, &process).await;

    // A second gateway on the same data, which comes and goes.
    let mut second = site.serve(&[]);
    nothing_is_in_doubt(&site, &second).await;
    second.terminate();
    assert_eq!(second.wait(), Some(0));
    nothing_is_in_doubt(&site, &process).await;
    process.terminate();
    assert_eq!(process.wait(), Some(0));

    // One that fails shortly before it listens: its store is not a directory.
    let media = site.data.join("media");
    std::fs::write(&media, "").unwrap();
    for _ in 0..2 {
        let (code, _, told) = run(&["--data", data, "serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(code, 1, "{told}");
    }
    std::fs::remove_file(&media).unwrap();
    nothing_is_in_doubt(&site, &site.serve(&[])).await;
}

async fn nothing_is_in_doubt(site: &Site, process: &Process) {
    let decision = site.client(process, Role::Recorder).get("/v1/calls/c1/decision").await.expect(200);
    assert_eq!((&decision["recording"], &decision["recorder"]), (&json!("permitted"), &json!("running")));
    let gaps = site.client(process, Role::Auditor).get("/v1/consents?type=audit.gap").await.expect(200);
    assert_eq!(gaps["consents"], json!([]));
}

fn after(moment: Timestamp, ms: i64) -> Timestamp {
    moment.checked_add(jiff::SignedDuration::from_millis(ms)).unwrap()
}

fn ms_since(moment: Timestamp) -> u64 {
    now().duration_since(moment).as_millis().try_into().unwrap()
}

/// After a restart.
async fn check(site: &Site, process: &crate::harness::Process, sent: &Sent, known: &mut Known) {
    let told = the_log_verifies(site, process).await;
    assert!(told["report"]["types"]["audit.gap"].as_u64().unwrap() > 0, "{told}");
    // Nothing readable but what the ledger names: before anything is sent again.
    let rows = site.rows().await;
    let enveloped = || {
        let mut ids = BTreeSet::new();
        for kept in kept_in(&site.data).into_iter().filter(|kept| kept.kind == Some(Kind::Envelope)) {
            let id = kept.id.unwrap().to_string();
            assert!(rows.contains_key(&id), "an envelope without a row: {id}");
            ids.insert(id);
        }
        ids
    };
    // What was cut short is completed while it serves.
    comes(async || enveloped().len() == rows.len()).await;
    assert_eq!(enveloped(), rows.keys().cloned().collect(), "a row without its envelope object");

    let recorder = site.client(process, Role::Recorder);
    let listener = site.client(process, Role::Listener);
    for (upload, id) in sent.stored() {
        assert!(
            site.fetch_and_open(&listener, &id).await == upload.audio(),
            "{} is not what was sent",
            upload.name
        );
        assert_eq!(upload.send(&recorder).await.unwrap(), (200, id.clone()), "{} sent again", upload.name);
        assert!(known.recordings.insert(id, upload).is_none(), "two uploads, one recording");
    }
    for upload in sent.cut() {
        // Accepted before the kill, or now; and the same again from then on.
        let (first, id) = upload.send(&recorder).await.unwrap();
        assert_eq!(first == 200, rows.contains_key(&id), "{}", upload.name);
        assert_eq!(upload.send(&recorder).await.unwrap(), (200, id.clone()));
        assert!(known.recordings.insert(id, upload).is_none(), "two uploads, one recording");
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in CALLS {
        for id in event_ids(&site.consents(process, call).await) {
            *counts.entry(id).or_default() += 1;
        }
    }
    for (_, id) in sent.logged.lock().unwrap().iter() {
        assert_eq!(counts.get(id), Some(&1), "event {id}");
    }
    let lost = std::mem::take(&mut *sent.lost.lock().unwrap());
    for (call, id) in lost {
        // An array is logged whole or not at all.
        let first = counts.get(&format!("{id}-a")).copied().unwrap_or(0);
        assert_eq!(first, counts.get(&format!("{id}-b")).copied().unwrap_or(0), "half of {id}");
        send_events(&recorder, call, &id).await.unwrap().expect(201);
        known.events.extend([format!("{id}-a"), format!("{id}-b")]);
    }
    known.events.extend(sent.logged.lock().unwrap().iter().map(|(_, id)| id.clone()));
}

/// Every hash, signature and decision again, by the program that auditors use.
async fn the_log_verifies(site: &Site, process: &crate::harness::Process) -> Value {
    let auditor = site.client(process, Role::Auditor);
    assert_eq!(auditor.get("/v1/log/acme/checkpoint").await.status, 200);
    let (code, out, err) = run(&["--data", site.data.to_str().unwrap(), "audit", "verify", "acme", "--json"]);
    assert_eq!(code, 0, "{out}{err}");
    serde_json::from_str(&out).unwrap()
}

async fn everything_is_still_there(site: &Site, process: &crate::harness::Process, known: &Known) {
    let listener = site.client(process, Role::Listener);
    assert_eq!(site.rows().await.keys().collect::<Vec<_>>(), known.recordings.keys().collect::<Vec<_>>());
    for (id, upload) in &known.recordings {
        assert!(site.fetch_and_open(&listener, id).await == upload.audio());
    }
    let mut logged = Vec::new();
    for call in CALLS {
        logged.extend(event_ids(&site.consents(process, call).await));
    }
    logged.sort();
    assert_eq!(logged, known.events.iter().cloned().collect::<Vec<_>>());
    for (username, password) in &known.credentials {
        Client::named(process.address, username, password).get("/v1/recordings").await.expect(200);
    }
    site.assert_integrity().await;
}

/// Adds credentials until told to stop: the ones that were acknowledged.
fn administrate(site: &Site, stop: &AtomicBool) -> Vec<(String, String)> {
    let mut added = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let data = site.data.to_str().unwrap();
        let (code, out, err) =
            run(&["--data", data, "--json", "credential", "add", "acme", "--role", "listener"]);
        assert_eq!(code, 0, "{err}");
        let credential: Value = serde_json::from_str(&out).unwrap();
        let word = |name: &str| credential[name].as_str().unwrap().to_owned();
        added.push((word("username"), word("password")));
    }
    added
}

/// What has to be there for good.
#[derive(Default)]
struct Known {
    recordings: BTreeMap<String, Upload>,
    events: BTreeSet<String>,
    credentials: Vec<(String, String)>,
}

/// What was sent in one round, and what became of it.
#[derive(Default)]
struct Sent {
    uploads: Mutex<Vec<(Upload, Option<String>)>>,
    logged: Mutex<Vec<(&'static str, String)>>,
    lost: Mutex<Vec<(&'static str, String)>>,
}

impl Sent {
    /// Whether there was an answer.
    async fn upload(&self, recorder: &Client, upload: Upload) -> bool {
        let answer = upload.send(recorder).await;
        if let Ok((status, _)) = &answer {
            assert_eq!(*status, 201, "{}", upload.name);
        }
        let stored = answer.ok().map(|(_, id)| id);
        let answered = stored.is_some();
        self.uploads.lock().unwrap().push((upload, stored));
        answered
    }

    /// Whether there was an answer.
    async fn events(&self, recorder: &Client, call: &'static str, id: &str) -> bool {
        let answer = send_events(recorder, call, id).await;
        let answered = answer.is_ok();
        match answer {
            Ok(answer) => {
                answer.expect(201);
                self.logged.lock().unwrap().extend([(call, format!("{id}-a")), (call, format!("{id}-b"))]);
            }
            Err(_) => self.lost.lock().unwrap().push((call, id.to_owned())),
        }
        answered
    }

    fn answers(&self) -> usize {
        self.stored().len() + self.logged.lock().unwrap().len() / 2
    }

    fn stored(&self) -> Vec<(Upload, String)> {
        let uploads = self.uploads.lock().unwrap();
        uploads.iter().filter_map(|(upload, id)| Some((upload.clone(), id.clone()?))).collect()
    }

    fn cut(&self) -> Vec<Upload> {
        let uploads = self.uploads.lock().unwrap();
        uploads.iter().filter(|(_, id)| id.is_none()).map(|(upload, _)| upload.clone()).collect()
    }
}

#[derive(Clone)]
struct Upload {
    call: &'static str,
    name: String,
    seed: u64,
    large: bool,
    from: Timestamp,
}

impl Upload {
    /// The status and the recording's id, where there was an answer.
    async fn send(&self, recorder: &Client) -> Result<(u16, String), ()> {
        let path = format!("/v1/calls/{}/recordings/{}", self.call, self.name);
        let from = self.from.to_string();
        let headers = [("recording-start", from.as_str())];
        let answer = recorder.try_send("PUT", &path, &headers, self.audio().into()).await.map_err(|_| ())?;
        assert!([200, 201].contains(&answer.status), "{}: {}", self.name, answer.text());
        Ok((answer.status, answer.json()["id"].as_str().unwrap().to_owned()))
    }

    /// Noise of a second in 16 kB, or of two seconds in 3 MB: several parts of the store's. No two
    /// uploads are alike, in any of their segments.
    fn audio(&self) -> Vec<u8> {
        static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| noise(8_000, 1_000, 1));
        static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| noise(96_000, 2_000, 8));
        let mut wav = if self.large { LARGE.clone() } else { SMALL.clone() };
        for at in (44..wav.len() - 8).step_by(4096) {
            wav[at..at + 8].copy_from_slice(&self.seed.to_le_bytes());
        }
        wav
    }
}

fn noise(rate: u32, ms: u32, channels: u16) -> Vec<u8> {
    let mut random = Random(u64::from(rate));
    let count = rate * ms / 1000 * u32::from(channels);
    let samples: Vec<i16> = (0..count).map(|_| random.sample()).collect();
    let mut wav = wav_of(rate, &samples);
    let block = 2 * channels;
    wav[22..24].copy_from_slice(&channels.to_le_bytes());
    wav[28..32].copy_from_slice(&(rate * u32::from(block)).to_le_bytes());
    wav[32..34].copy_from_slice(&block.to_le_bytes());
    wav
}

/// Two events in one array.
async fn send_events(
    recorder: &Client,
    call: &str,
    id: &str,
) -> Result<crate::harness::Answer, Box<dyn std::error::Error>> {
    let yes = |part: &str| json!({"type": "consent.given", "participants": ["caller"], "method": "dtmf", "id": format!("{id}-{part}")});
    let body = json!([yes("a"), yes("b")]).to_string();
    let headers = [("content-type", "application/json")];
    recorder.try_send("POST", &format!("/v1/calls/{call}/events"), &headers, body.into()).await
}

/// The senders' ids of the events among these records.
fn event_ids(records: &[Value]) -> Vec<String> {
    let id = |record: &Value| Some(record["detail"]["event"]["id"].as_str()?.to_owned());
    records.iter().filter_map(id).collect()
}

const CALLS: [&str; 4] = ["c1", "c2", "c3", "c4"];
