//! What keeps the gateway up while strangers, neighbours and mistakes work against it: connections, files that
//! others could open, clocks, proxies.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use consent_gateway::access::Role;
use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use consent_gateway::serve;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trail::Actor;
use trail::clock::Clock;

use crate::harness::{Client, Gateway, PROGRAM, Process, START, comes, files_below, run, wav};
use crate::site::{self, Site};

/// Everything below these, with its mode, that others than its owner could open.
fn open_to_others(paths: &[&Path]) -> Vec<(PathBuf, u32)> {
    let mut waiting: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    let mut open = Vec::new();
    while let Some(path) = waiting.pop() {
        // Some of it comes and goes while it is looked at.
        let Ok(state) = std::fs::symlink_metadata(&path) else { continue };
        let mode = state.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            open.push((path.clone(), mode));
        }
        if state.is_dir() {
            let Ok(found) = std::fs::read_dir(path) else { continue };
            waiting.extend(found.flatten().map(|found| found.path()));
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_program_writes_its_owner_alone_can_open() {
    // In this process nothing keeps files private, so the data are as a package or an older version left them.
    let site = Site::new().await;
    for path in files_below(&site.data).iter().map(PathBuf::as_path).chain([site.data.as_path()]) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        // The ledger that made them is being closed, and what it needed beside its file goes with it.
        match std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            done => done.unwrap(),
        }
    }
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await.to_string();
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let path = "/v1/calls/c1/recordings/a";
    let stored = recorder.upload(path, &[("recording-start", &from)], &wav(1000)).await.expect(201);
    Client::stranger(process.address).get("/readyz").await.expect(200);
    // Heads are signed once a second.
    let pins = site.dir.path().join("data.pins");
    comes(async || pins.join("acme.checkpoint").exists()).await;
    let data = site.data.to_str().unwrap();
    let out = |name: &str| site.dir.path().join(name).to_str().unwrap().to_owned();
    let id = stored["id"].as_str().unwrap();
    for (args, made) in [
        (vec!["audit", "export", "acme", "--details"], "export.zip"),
        (vec!["audit", "export", "acme", "--details"], "export"),
        (vec!["audit", "prove", "acme", "--recording", id], "proof.zip"),
        (vec!["audit", "prove", "acme", "--call", "c1"], "call.zip"),
        (vec!["keygen"], "keys"),
    ] {
        let to = out(made);
        let whole = [&["--data", data], &args[..], &["--out", &to]].concat();
        let (code, told, wrong) = run(&whole);
        assert_eq!(code, 0, "{args:?}: {told}{wrong}");
        // What was handed out once may be somebody's evidence.
        let before = std::fs::read(&to).ok();
        let (code, told, wrong) = run(&whole);
        assert_eq!((code, told.as_str()), (1, ""), "{args:?}");
        assert!(wrong.contains("exists already and is not overwritten: name another file"), "{wrong}");
        assert_eq!(std::fs::read(&to).ok(), before, "{args:?}");
    }
    assert_eq!(run(&["--data", data, "audit", "rotate-key"]).0, 0);
    let made = ["export.zip", "export", "proof.zip", "call.zip", "keys"].map(out);
    let mut paths: Vec<&Path> = made.iter().map(Path::new).collect();
    paths.extend([site.data.as_path(), &pins]);
    assert_eq!(open_to_others(&paths), []);
}

/// As with `serve 2>&1 | logger`, where the logger dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_reads_the_log_any_more_the_log_is_lost_and_nothing_else() {
    for more in ["", "log_json = true\n"] {
        let site = Site::new().await;
        let config = site::config(site.dir.path(), more);
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data"]).arg(&site.data);
        let mut process = Process::unheard(command);
        Client::stranger(process.address).get("/healthz").await.expect(200);
        let recorder = site.client(&process, Role::Recorder);
        site.record(&recorder, "c1").await;
        Client::stranger(process.address).get("/v1/calls/c1").await.problem(401, "unauthorized");
        process.terminate();
        assert_eq!(process.wait(), Some(0), "{more}");
    }
}

/// A lock that others can open is one that others can hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_cannot_be_closed_to_others_are_refused_with_what_to_do() {
    let site = Site::new().await;
    std::fs::set_permissions(&site.data, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Whoever is not the owner of a directory cannot close it.
    let chowned = |path: &Path| Command::new("chown").arg("-R").args(["nobody"]).arg(path).status();
    if !chowned(&site.data).is_ok_and(|status| status.success()) {
        eprintln!("skipped: files cannot be given to somebody else here (that takes root)");
        return;
    }
    std::fs::set_permissions(site.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&site.data, std::fs::Permissions::from_mode(0o777)).unwrap();
    let program = site.dir.path().join("program");
    std::fs::copy(PROGRAM, &program).unwrap();
    let told = Command::new("setpriv")
        .args(["--reuid=1", "--clear-groups"])
        .arg(&program)
        .args(["--data", site.data.to_str().unwrap(), "check"])
        .output()
        .unwrap();
    let wrong = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(1), "{wrong}");
    assert!(wrong.contains("others can open") && wrong.contains("a directory inside of it"), "{wrong}");
}

/// Another gateway on the same data, whose clock is right: the one before it was an hour ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_clock_is_behind_the_trail_it_is_not_ready_and_says_why() {
    let gateway = Gateway::start().await;
    let stranger = Client::stranger(gateway.running.address);
    assert_eq!(stranger.get("/readyz").await.expect(200)["status"], "ready");
    let earlier: jiff::Timestamp = START.parse().unwrap();
    let earlier = earlier.checked_sub(jiff::SignedDuration::from_hours(1)).unwrap();
    let config = gateway.config();
    // It ends as it should: nothing is to be logged for it.
    gateway.running.stop().await.unwrap();
    let other = serve::start(&config, Clock::manual(earlier)).await.unwrap();
    let recorder = Client { address: other.address, ..gateway.recorder.clone() };
    let call = json!({"medium": "telephone", "participants": []});
    recorder.put("/v1/calls/c1", &call).await.problem(503, "trail-unavailable");
    let told = Client::stranger(other.address).get("/readyz").await.problem(503, "not-ready");
    assert_eq!(told["failing"], json!(["clock"]));
    assert!(told["detail"].as_str().unwrap().starts_with("the clock is behind"), "{told}");
    let lacking = other.door.gate.lacking().await;
    assert!(lacking.len() == 1 && lacking[0].1.contains("3600 s behind"), "{lacking:?}");
    other.stop().await.unwrap();
}

/// What is wrong, the word for it, and a request that fails for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_request_could_do_without_is_named_by_readyz_and_by_check() {
    let site = Site::new().await;
    let data = site.data.to_str().unwrap();
    let mut process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let call = json!({"medium": "telephone",
        "participants": [{"id": "zoe", "role": "customer", "number": "+14155550100"}]});
    recorder.put("/v1/calls/c1", &call).await.expect(201);
    process.terminate();
    assert_eq!(process.wait(), Some(0));
    // Recordings have no room: that is told, and objections are taken all the same.
    let config = site::config(site.dir.path(), "[upload]\nlow_water_bytes = 9000000000000000000\n");
    let process = site.serve(&["--config", &config]);
    let told = Client::stranger(process.address).get("/readyz").await.expect(200);
    assert_eq!((&told["status"], &told["failing"]), (&json!("degraded"), &json!(["room"])));
    let (code, checked, _) = run(&["--config", &config, "--data", data, "check"]);
    assert!(code == 0 && checked.contains("not ready (room)"), "{checked}");
    drop(process);
    // The store cannot be written.
    let config = site::config(site.dir.path(), "");
    let process = site.serve(&["--config", &config]);
    let (media, aside) = (site.data.join("media"), site.data.join("aside"));
    Client::stranger(process.address).get("/readyz").await.expect(200);
    std::fs::rename(&media, &aside).unwrap();
    std::fs::write(&media, "in the way").unwrap();
    comes_to_say(&process, json!(["store"])).await;
    std::fs::remove_file(&media).unwrap();
    std::fs::rename(&aside, &media).unwrap();
    // The text of the law was changed beside the trail.
    let mut ledger = site.sqlite().await;
    let triggers: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'jurisdiction_table'",
    )
    .fetch_all(&mut ledger)
    .await
    .unwrap();
    for trigger in triggers {
        let sql = format!("DROP TRIGGER {trigger}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut ledger).await.unwrap();
    }
    let changed = "UPDATE jurisdiction_table SET text = replace(text, 'express', 'notice')";
    sqlx::query(changed).execute(&mut ledger).await.unwrap();
    comes_to_say(&process, json!(["law"])).await;
    let (code, _, wrong) = run(&["--data", data, "check"]);
    assert!(code == 1 && wrong.contains("changed it in the database"), "{wrong}");
}

/// Heads that cannot be signed are no small matter: nobody could tell any more what is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_heads_cannot_be_signed_it_is_not_ready() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let pins = site.dir.path().join("data.pins");
    let aside = site.dir.path().join("aside");
    std::fs::rename(&pins, &aside).unwrap();
    std::fs::write(&pins, "in the way").unwrap();
    let recorder = site.client(&process, Role::Recorder);
    recorder.put("/v1/calls/c1", &json!({"medium": "telephone", "participants": []})).await.expect(201);
    comes_to_say(&process, json!(["signing"])).await;
    std::fs::remove_file(&pins).unwrap();
    std::fs::rename(&aside, &pins).unwrap();
    comes_to_say(&process, json!([])).await;
}

/// What `/readyz` has found is good for a second.
async fn comes_to_say(process: &Process, failing: Value) {
    comes(async || Client::stranger(process.address).get("/readyz").await.json()["failing"] == failing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_open_files_is_raised_and_connections_are_kept_below_it() {
    let site = Site::new().await;
    let data = site.data.to_str().unwrap();
    // As a shell has it: a small limit that may be raised to a larger one.
    let limited = |soft: u32, hard: u32, args: &[&str]| {
        let limits = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limits, "sh", PROGRAM, "--data", data]).args(args);
        command
    };
    let checked = |soft, hard| {
        let output = limited(soft, hard, &["check"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let few = checked(256, 512);
    assert!(few.contains("`connections` is 1024") && few.contains("allows only 192"), "{few}");
    assert!(!checked(256, 4096).contains("open files"));

    consent_gateway::listen::descriptors::raise().unwrap();
    // With 192 places, 600 strangers take no descriptor that is needed for anything else.
    let process = Process::of(limited(256, 512, &["serve", "--listen", "127.0.0.1:0"])).unwrap();
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c1").await.to_string();
    let mut crowd = Vec::new();
    for _ in 0..600 {
        let mut stranger = TcpStream::connect(process.address).await.unwrap();
        stranger.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        crowd.push(stranger);
    }
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let path = "/v1/calls/c1/recordings/a";
    recorder.upload(path, &[("recording-start", &from)], &wav(1000)).await.expect(201);
    let no = json!({"type": "consent.withdrawn", "participant": "caller"});
    recorder.post("/v1/calls/c1/events", &no).await.expect(201);
    Client::stranger(process.address).get("/readyz").await.expect(200);
    // Of the crowd, at most one network's share is left.
    let mut there = 0;
    for stranger in &mut crowd {
        let mut answer = vec![0; 4096];
        let _ = stranger.read(&mut answer).await;
        let ended = tokio::time::timeout(Duration::from_millis(1), stranger.read(&mut answer)).await;
        there += usize::from(ended.is_err());
    }
    assert!(there <= 192 / 4, "{there} strangers of one network are still there");
}

/// The wrong guesses of one client behind a proxy are not another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_each_client_counts_for_themselves() {
    let config = Config { trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..Config::default() };
    let gateway = Gateway::with(config, AccountSettings::default()).await;
    let password = "Correct-Horse-Battery-77";
    let gate = gateway.gate();
    let actor = Actor::command_line();
    let added = gate.add_credential(&actor, "acme", Role::Listener, "x", Some(password)).await.unwrap();
    let username = added.username;
    let from = async |password: &str, forwarded: &str| {
        let client = Client::named(gateway.running.address, &username, password);
        let headers = [("x-forwarded-for", forwarded)];
        client.send("GET", "/v1/recordings", &headers, bytes::Bytes::new()).await.status
    };
    // A stranger writes whatever they like before the address that the proxy adds.
    let mut answers = Vec::new();
    for n in 0..30 {
        answers.push(from("wrong-wrong-wrong", &format!("198.51.100.{n}, 192.0.2.66")).await);
    }
    assert!(answers.starts_with(&[401]) && answers.ends_with(&[429]), "{answers:?}");
    assert_eq!(from(password, "192.0.2.66").await, 429, "the stranger's own network");
    assert_eq!(from(password, "192.0.2.1").await, 200, "somebody else's");
    // Nobody but a proxy is believed.
    let (unproxied, headers) = (Gateway::start().await, [("x-forwarded-for", "198.51.100.1")]);
    let stranger = Client::named(unproxied.running.address, "cg_0000000000000000", "wrong");
    let mut last = 0;
    for n in 0..30 {
        let each = [("x-forwarded-for", &*format!("198.51.100.{n}"))];
        last = stranger.send("GET", "/v1/recordings", &each, bytes::Bytes::new()).await.status;
    }
    let again = stranger.send("GET", "/v1/recordings", &headers, bytes::Bytes::new()).await.status;
    assert_eq!((last, again), (429, 429));
}

#[test]
fn a_configuration_of_proxies_that_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (text, told) in [
        ("trusted_proxies = [\"0.0.0.0/0\"]", "0.0.0.0/0"),
        ("trusted_proxies = [\"localhost\"]", "10.0.0.0/8"),
        ("client_address_header = \"X Forwarded\"", "client_address_header"),
    ] {
        let config = site::config(dir.path(), text);
        let data = dir.path().join("data");
        let (code, _, wrong) = run(&["--config", &config, "--data", data.to_str().unwrap(), "check"]);
        assert!(code == 1 && wrong.contains(told), "{text}: {wrong}");
    }
}
