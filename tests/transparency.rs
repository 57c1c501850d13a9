//! The log as outsiders see it: served, exported, verified by us and by somebody else's program,
//! damaged everywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use consent_gateway::access::Role;
use consent_gateway::config::Config;
use consent_gateway::gate::{AccountSettings, Sink};
use serde_json::{Value, json};
use trail::Actor;
use trail::note::{Checkpoint, Note};
use trail::tile::{bundles_of, tiles_of};

use crate::harness::{Answer, Client, Gateway, comes, files_below, run, wav};

/// Several bundles of entries: calls, refusals, decisions.
async fn busy(gateway: &Gateway, calls: usize) {
    for number in 0..calls {
        let call = format!("c{number}");
        gateway.open(&call, "US-CA").await;
        gateway.prompt(&call, &["caller", "agent"]).await;
        gateway.control(&call, "start").await.expect(200);
        gateway.advance_ms(1_000);
        if number % 3 == 0 {
            let no = json!({"type": "consent.withdrawn", "participant": "caller"});
            gateway.event(&call, &no).await.expect(201);
        }
        gateway.event(&call, &json!({"type": "call.ended"})).await.expect(201);
    }
}

async fn checkpoint(gateway: &Gateway) -> (String, Checkpoint) {
    let answer = gateway.auditor.get("/v1/log/acme/checkpoint").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let head = Checkpoint::parse(&Note::parse(&text).unwrap().text).unwrap();
    (text, head)
}

/// Fetches a log as it is served.
async fn mirror(gateway: &Gateway, to: &Path) -> Checkpoint {
    let (text, head) = checkpoint(gateway).await;
    std::fs::create_dir_all(to).unwrap();
    std::fs::write(to.join("checkpoint"), text).unwrap();
    let paths =
        tiles_of(head.size).map(|tile| tile.path()).chain(bundles_of(head.size).map(|one| one.path()));
    for path in paths {
        let answer = gateway.auditor.get(&format!("/v1/log/acme/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let file = to.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, answer.body).unwrap();
    }
    head
}

/// Exports the log with the program, and writes the trust file beside it.
fn export(gateway: &Gateway, name: &str, more: &[&str]) -> (PathBuf, PathBuf) {
    let out = gateway.dir.path().join(name);
    let trust = gateway.dir.path().join("trust");
    let args = [&["audit", "export", "acme", "--out", out.to_str().unwrap()], more].concat();
    let (code, _, err) = gateway.run(&args);
    assert_eq!(code, 0, "{err}");
    let (code, told, err) = gateway.run(&["audit", "key", "acme"]);
    assert_eq!(code, 0, "{err}");
    std::fs::write(&trust, told).unwrap();
    (out, trust)
}

fn verify(what: &Path, trust: &Path, more: &[&str]) -> (i32, Value) {
    let args = ["audit", "verify", what.to_str().unwrap(), "--trust", trust.to_str().unwrap(), "--json"];
    let (code, out, err) = run(&[&args, more].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}")))
}

/// What somebody else's program says.
fn theirs(directory: &Path, trust: &Path, older: Option<&Path>) -> Result<String, String> {
    let python = std::env::var("GATEWAY_TEST_PYTHON")
        .expect("run the tests with tests/run: it sets GATEWAY_TEST_PYTHON");
    let trust = std::fs::read_to_string(trust).unwrap();
    let vkey = trust.lines().find_map(|line| line.strip_prefix("log ")).unwrap().to_owned();
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/tlog.py"))
        .arg(directory)
        .arg(vkey)
        .args(older)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_program_verifies_the_log_as_served_and_as_exported() {
    let gateway = Gateway::start().await;
    busy(&gateway, 40).await;
    let older = gateway.dir.path().join("older");
    std::fs::write(&older, checkpoint(&gateway).await.0).unwrap();
    busy_more(&gateway, 40, 80).await;
    let served = gateway.dir.path().join("served");
    let head = mirror(&gateway, &served).await;
    assert!(head.size > 300, "{}", head.size);
    let (exported, trust) = export(&gateway, "exported", &["--details"]);
    let (archive, _) = export(&gateway, "exported.zip", &[]);
    for directory in [&served, &exported] {
        theirs(directory, &trust, Some(&older))
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    }
    let since = ["--since", older.to_str().unwrap()];
    for what in [&exported, &archive] {
        let (code, told) = verify(what, &trust, &since);
        assert_eq!((code, &told["verdict"]), (0, &json!("good")), "{told}");
        assert!(told["report"]["decisions"].as_u64().unwrap() > 250, "{told}");
    }
    // Without the tables the decisions cannot be computed again.
    let (code, told) = verify(&served, &trust, &since);
    assert_eq!((code, &told["verdict"]), (3, &json!("incomplete")), "{told}");
    // And the ledger itself.
    let (code, out, err) = gateway.run(&["audit", "verify", "acme", "--json"]);
    assert_eq!(code, 0, "{out}{err}");
}

async fn busy_more(gateway: &Gateway, from: usize, until: usize) {
    for number in from..until {
        let call = format!("d{number}");
        gateway.open(&call, "DE").await;
        gateway.control(&call, "start").await.problem(403, "consent-required");
        gateway.event(&call, &json!({"type": "call.ended"})).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_changed_in_an_export_is_found_by_us_and_by_them() {
    let gateway = Gateway::start().await;
    busy(&gateway, 80).await;
    checkpoint(&gateway).await;
    let (exported, trust) = export(&gateway, "exported", &["--details"]);
    assert_eq!(verify(&exported, &trust, &[]).0, 0);
    let mut files = files_below(&exported);
    files.sort();
    let mut looked_at = 0;
    for file in files {
        let name = file.strip_prefix(&exported).unwrap().to_str().unwrap().to_owned();
        let whole = std::fs::read(&file).unwrap();
        let is_ours_alone =
            name.starts_with("tables") || name == "details.jsonl" || name.starts_with("checkpoints");
        let places = [0, whole.len() / 3, whole.len() / 2, whole.len() - 1];
        let flips = places.map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            ("flipped", Some(bytes))
        });
        let cut = ("cut", Some(whole[..whole.len() - whole.len() / 4 - 1].to_vec()));
        for (how, damaged) in flips.into_iter().chain([cut, ("gone", None)]) {
            match &damaged {
                Some(bytes) => std::fs::write(&file, bytes).unwrap(),
                None => std::fs::remove_file(&file).unwrap(),
            }
            // A log without its details, or without older heads, is a whole one: they may be erased.
            let may_be_missing =
                how == "gone" && (name == "details.jsonl" || name.starts_with("checkpoints"));
            let (code, told) = verify(&exported, &trust, &[]);
            if may_be_missing {
                assert_eq!(code, 0, "{name} {how}: {told}");
            } else if !(how == "cut" && name == "details.jsonl") {
                assert_ne!(code, 0, "{name} {how}: {told}");
            }
            if !is_ours_alone {
                assert!(theirs(&exported, &trust, None).is_err(), "{name} {how}");
            }
            looked_at += 1;
        }
        std::fs::write(&file, &whole).unwrap();
    }
    assert!(looked_at > 30, "{looked_at}");
    assert_eq!(verify(&exported, &trust, &[]).0, 0);
}

#[tokio::test]
async fn tiles_are_cached_for_ever_and_nothing_beyond_the_head_is_served() {
    let gateway = Gateway::start().await;
    busy(&gateway, 80).await;
    let (_, head) = checkpoint(&gateway).await;
    let get = async |path: &str| gateway.auditor.get(&format!("/v1/log/acme/{path}")).await;
    let caching = |answer: &Answer| answer.headers["cache-control"].to_str().unwrap().to_owned();
    let full = get("tile/entries/000").await;
    assert_eq!((full.status, caching(&full).as_str()), (200, "private, max-age=31536000, immutable"));
    assert_eq!(full.headers["content-type"], "application/octet-stream");
    let rest = head.size % 256;
    let partial = get(&format!("tile/0/001.p/{rest}")).await;
    assert_eq!((partial.status, caching(&partial).as_str()), (200, "private, max-age=300"));
    assert_eq!(partial.body.len() as u64, rest * 32);
    let more = rest + 1;
    for beyond in [
        "tile/0/001",
        &format!("tile/0/001.p/{more}"),
        "tile/0/002.p/1",
        "tile/1/000",
        "tile/2/000.p/1",
        "tile/entries/001",
        "tile/entries/002.p/1",
        "tile/0/1",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/64/000",
        "tile/0/..%2f..%2fcheckpoint",
        "tile/x/000",
        "tile/",
    ] {
        assert_eq!(get(beyond).await.status, 404, "{beyond}");
    }
    let head = get("checkpoint").await;
    assert_eq!(
        (caching(&head).as_str(), &head.headers["content-type"]),
        ("no-cache", &"text/plain; charset=utf-8".parse().unwrap())
    );
}

#[tokio::test]
async fn a_log_is_its_accounts_own_unless_it_makes_it_public() {
    let gateway = Gateway::start().await;
    let open = AccountSettings { public_log: true, ..AccountSettings::default() };
    let people = crate::harness::add_account(gateway.gate(), "open", &open).await;
    let of_open =
        Client::new(gateway.running.address, people.iter().find(|one| one.role == Role::Auditor).unwrap());
    let stranger = Client::stranger(gateway.running.address);
    for path in ["checkpoint", "tile/entries/000.p/1"] {
        let (acme, open) = (format!("/v1/log/acme/{path}"), format!("/v1/log/open/{path}"));
        assert_eq!(gateway.auditor.get(&acme).await.status, 200);
        assert_eq!(of_open.get(&acme).await.status, 404);
        assert_eq!(gateway.recorder.get(&acme).await.status, 403);
        assert_eq!(gateway.listener.get(&acme).await.status, 403);
        assert_eq!(stranger.get(&acme).await.status, 401);
        assert_eq!(stranger.get(&open).await.status, 200);
        assert_eq!(gateway.auditor.get(&open).await.status, 200);
    }
    assert_eq!(stranger.get("/v1/log/nobody/checkpoint").await.status, 401);
    assert_eq!(gateway.auditor.get("/v1/log/nobody/checkpoint").await.status, 404);
    assert_eq!(gateway.auditor.get("/v1/log/system/checkpoint").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_are_kept_in_a_write_once_place_and_verify_what_comes_later() {
    let place = tempfile::tempdir().unwrap();
    let text = format!("[write_once]\ndirectory = {:?}\n", place.path().to_str().unwrap());
    let config: Config = Config { ..toml_config(&text) };
    let gateway = Gateway::with(config, AccountSettings::default()).await;
    checkpoint(&gateway).await;
    let kept = loop {
        let kept: Vec<PathBuf> = files_below(place.path())
            .into_iter()
            .filter(|path| path.to_str().unwrap().contains("acme"))
            .collect();
        if let Some(first) = kept.first() {
            break first.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    busy(&gateway, 5).await;
    checkpoint(&gateway).await;
    let (exported, trust) = export(&gateway, "exported", &[]);
    let (code, told) = verify(&exported, &trust, &["--since", kept.to_str().unwrap()]);
    assert_eq!(code, 0, "{told}");
    // One that was signed for something else does not go on.
    let (exported, _) = export(&gateway, "again", &[]);
    let text = std::fs::read_to_string(&kept).unwrap().replace('1', "2");
    let forged = place.path().join("forged");
    std::fs::write(&forged, text).unwrap();
    assert_ne!(verify(&exported, &trust, &["--since", forged.to_str().unwrap()]).0, 0);
}

fn toml_config(text: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Config::read(file.path()).unwrap()
}

// ---- epochs, and the log of the law ----

/// An epoch of a log as files, as the gateway itself hands it out.
async fn hand_out(gateway: &Gateway, log: &str) -> PathBuf {
    let out = gateway.dir.path().join(format!("{log}.export"));
    let at = gateway.gate().epoch(log).await.unwrap();
    let sink = Sink::create(&out).unwrap();
    gateway.gate().hand_out(&Actor::command_line(), &at, false, sink, &|_, _| ()).await.unwrap();
    out
}

fn key_file(gateway: &Gateway, log: &str) -> PathBuf {
    let path = gateway.dir.path().join(format!("{log}.trust"));
    let (code, told, err) = gateway.run(&["audit", "key", log]);
    assert_eq!(code, 0, "{err}");
    std::fs::write(&path, told).unwrap();
    path
}

fn warned(told: &Value, words: &str) -> bool {
    let warnings = told["report"]["warnings"].as_array().unwrap();
    warnings.iter().any(|warning| warning.as_str().unwrap().contains(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_verified_across_its_epochs_by_the_trust_file_of_the_first() {
    let gateway = Gateway::start().await;
    busy(&gateway, 3).await;
    let trust = key_file(&gateway, "acme");
    let since = gateway.dir.path().join("since");
    std::fs::write(&since, checkpoint(&gateway).await.0).unwrap();
    gateway.open("long", "US-CA").await;
    gateway.prompt("long", &["caller", "agent"]).await;
    gateway.advance_ms(60_000);
    gateway.gate().turn_logs(gateway.now()).await.unwrap();
    gateway.control("long", "start").await.expect(200);
    gateway.event("long", &json!({"type": "call.ended"})).await.expect(201);
    busy_more(&gateway, 40, 43).await;
    checkpoint(&gateway).await;
    let system = gateway.gate().epoch("system").await.unwrap();
    gateway.gate().signed_head(&system).await.unwrap();

    // The ledger has everything that it takes.
    let live = |log: &str| {
        let (code, out, err) = gateway.run(&["audit", "verify", log, "--json"]);
        (code, serde_json::from_str::<Value>(&out).unwrap_or_else(|_| panic!("{out}{err}")))
    };
    let (code, told) = live("acme");
    assert_eq!(code, 0, "{told}");
    assert_eq!(told["report"]["earlier"][0]["origin"], told["report"]["continues"]["origin"], "{told}");
    assert!(told["report"]["system"].as_str().unwrap().ends_with("/system.2"), "{told}");
    for words in ["registered before", "could not be computed again", "not compared"] {
        assert!(!warned(&told, words), "{words}: {told}");
    }

    // An outsider has exports.
    let mut exports = Vec::new();
    for log in ["acme.1", "acme.2", "system.1", "system.2"] {
        exports.push(hand_out(&gateway, log).await);
    }
    let [first, second, law, law_now] = &exports[..] else { unreachable!() };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let since = text(&since);
    let (code, told) = verify(second, &trust, &[]);
    assert_eq!(code, 0, "{told}");
    assert!(warned(&told, "1 credential registered before this epoch"), "{told}");
    assert!(warned(&told, "2 decisions on calls that were opened before this epoch"), "{told}");
    assert!(warned(&told, "were not compared with the log `system`"), "{told}");
    let whole =
        ["--previous", &text(first), "--system", &text(law_now), "--system", &text(law), "--since", &since];
    let (code, told) = verify(second, &trust, &whole);
    assert_eq!(code, 0, "{told}");
    for words in ["registered before", "could not be computed again", "not compared"] {
        assert!(!warned(&told, words), "{words}: {told}");
    }
    let (code, told) = verify(second, &trust, &["--since", &since]);
    assert_eq!((code, &told["verdict"]), (2, &json!("unusable")), "{told}");
    let (code, out, _) = run(&["audit", "verify", &text(second), "--trust", &text(&trust)]);
    assert_eq!(code, 0);
    assert!(out.contains("\ncontinues ") && out.contains(", root "), "{out}");

    // The key is changed: the first epoch still has the one that it was signed with.
    let old = std::fs::read(key_file(&gateway, "acme")).unwrap();
    let (code, _, err) = gateway.run(&["audit", "rotate-key"]);
    assert_eq!(code, 0, "{err}");
    comes(async || std::fs::read(key_file(&gateway, "acme")).unwrap() != old).await;
    for log in ["acme", "acme.1"] {
        let (code, told) = live(log);
        assert_eq!(code, 0, "{log}: {told}");
    }
    assert_eq!(verify(first, &key_file(&gateway, "acme.1"), &[]).0, 0);
    let (code, told) = verify(first, &key_file(&gateway, "acme"), &[]);
    assert_eq!((code, &told["verdict"]), (2, &json!("unusable")), "{told}");
}

// ---- the greatest entries ----

/// An entry has a greatest length: an objection fits whoever is on the call, and wherever they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_call_of_256_people_in_many_places_an_objection_is_logged() {
    let gateway = Gateway::start().await;
    let recorder = &gateway.recorder;
    let person = |number: usize| {
        let area = [212, 213, 312][number / 100];
        json!({"id": format!("guest-{number}"), "role": "customer", "languages": ["en"],
            "number": format!("+1{area}55501{:02}", number % 100), "location": "US-CA"})
    };
    let body = |guests: usize| {
        json!({"medium": "telephone", "purposes": ["quality"],
            "participants": (0..guests).map(person).collect::<Vec<_>>()})
    };
    let refused = recorder.put("/v1/calls/crowd", &body(256)).await;
    let problem = refused.problem(422, "too-many-participants");
    assert!(problem["detail"].as_str().unwrap().contains("add the others"), "{problem}");
    recorder.put("/v1/calls/crowd", &body(160)).await.expect(201);
    for number in 160..256 {
        recorder.post("/v1/calls/crowd/participants", &person(number)).await.expect(201);
    }
    let everybody: Vec<String> = (0..256).map(|number| format!("guest-{number}")).collect();
    let event = async |event: Value| recorder.post("/v1/calls/crowd/events", &event).await.expect(201);
    gateway.advance_ms(5000);
    let prompt =
        json!({"type": "prompt.completed", "prompt": "en", "participants": everybody, "played_ms": 4000});
    event(prompt).await;
    for place in ["US-TX", "DE", "GB"] {
        let located =
            |id: &String| json!({"type": "participant.located", "participant": id, "location": place});
        event(everybody.iter().take(32).map(located).collect()).await;
    }
    let decision = event(json!({"type": "consent.declined", "participants": everybody})).await;
    assert_eq!(decision["recording"], "blocked");
    assert_eq!(decision["participants"][255]["state"], "declined");
    let refused = recorder.post("/v1/calls/crowd/participants", &person(256)).await;
    refused.problem(422, "too-many-participants");
    let decision = recorder.get("/v1/calls/crowd/decision").await.expect(200);
    assert_eq!(decision["participants"][256]["id"], "(others)");

    let (export, trust) = export(&gateway, "crowd", &[]);
    let (code, told) = verify(&export, &trust, &[]);
    assert_eq!(code, 0, "{told}");
    let abridged =
        |file: &PathBuf| String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains("\"abridged\":true");
    assert!(files_below(&export).iter().any(abridged));
}

// ---- who may do what ----

/// What each role may do over HTTP, a verifier takes for what that role may do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_at_whatever_they_may_the_log_verifies() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.control("c1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(2_000);
    let stored = gateway.upload("c1", "main", Some(from), &wav(1_000)).await.expect(201);
    let id = stored["id"].as_str().unwrap();
    let grant = json!({"subject": "agent-7", "role": "agent", "basis": "a contract", "written": true});
    gateway.registrar.put("/v1/consent-grants/g1", &grant).await.expect(201);
    gateway.counsel.put(&format!("/v1/recordings/{id}/hold"), &json!({})).await.expect(200);
    gateway.counsel.delete(&format!("/v1/recordings/{id}/hold")).await.expect(200);
    let paths = [
        "/v1/calls/c1".to_owned(),
        "/v1/calls/c1/decision".into(),
        "/v1/calls/c1/explain".into(),
        "/v1/calls/c1/proof".into(),
        "/v1/calls/c1/vcon".into(),
        "/v1/recordings".into(),
        format!("/v1/recordings/{id}"),
        format!("/v1/recordings/{id}/media?purpose=quality"),
        format!("/v1/recordings/{id}/media?purpose=training"),
        format!("/v1/recordings/{id}/proof"),
        "/v1/consent-grants/g1".into(),
        "/v1/consents?call=c1".into(),
        "/v1/law".into(),
    ];
    let roles = [
        (&gateway.recorder, 6),
        (&gateway.listener, 3),
        (&gateway.auditor, 11),
        (&gateway.counsel, 11),
        (&gateway.registrar, 1),
        (&gateway.admin, 11),
    ];
    for (client, allowed) in roles {
        let mut answered = 0;
        for path in &paths {
            let status = client.get(path).await.status;
            assert!([200, 403].contains(&status), "{path}: {status}");
            answered += i32::from(status == 200);
        }
        assert_eq!(answered, allowed, "{:?}", client.authorization);
    }
    gateway.registrar.post("/v1/consent-grants/g1/withdraw", &json!({})).await.expect(200);
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    gateway.admin.delete(&format!("/v1/recordings/{id}")).await;
    let (export, trust) = export(&gateway, "looked", &["--details"]);
    let (code, told) = verify(&export, &trust, &[]);
    assert_eq!(code, 0, "{told}");
    let lookups = told["report"]["types"]["audit.lookup"].as_u64().unwrap();
    assert!(lookups > 20, "{told}");
}
