//! Kazoo sends recordings to a URL: requests as each of its lines builds them, byte for byte, over a real socket.

mod data;
mod orders;
mod readback;
mod unasked;

use std::net::SocketAddr;

use consent_gateway::access::{Role, Uploads};
use consent_gateway::config::Config;
use consent_gateway::gate::{AccountSettings, NewCredential};
use policy::{CoverageBasis, OnWithdrawal, Redact};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trail::{Actor, OnRefusal};

use crate::harness::{Gateway, wav};

mod plan;
mod quarantine;

/// A line of Kazoo.
#[derive(Debug, Clone, Copy)]
enum Line {
    Released,
    Master,
}

/// A gateway, and what its operator has set in Kazoo.
struct Switch {
    gateway: Gateway,
    credential: NewCredential,
}

/// An answer, as it came.
#[derive(Debug)]
struct Said {
    status: u16,
    head: String,
    body: String,
}

impl Said {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Switch {
    async fn with(settings: AccountSettings, on_refusal: OnRefusal) -> Switch {
        let gateway = Gateway::with(Config::default(), settings).await;
        let uploads = Uploads { coverage: CoverageBasis::Lawful, on_refusal, ..Uploads::default() };
        let (actor, role) = (Actor::command_line(), Role::Uploader);
        let new = gateway.gate().add_credential_for(&actor, "acme", role, "kazoo", None, uploads).await;
        Switch { gateway, credential: new.unwrap() }
    }

    async fn new() -> Switch {
        Switch::with(AccountSettings::default(), OnRefusal::Discard).await
    }

    fn token(&self) -> String {
        format!("{}.{}", self.credential.username, self.credential.password.expose())
    }

    /// A call in which everybody has heard the prompt and recording is lawful from now on.
    async fn goes_on(&self, call: &str) {
        self.gateway.open(call, "US-CA").await;
        self.gateway.prompt(call, &["caller", "agent"]).await;
    }

    async fn ends(&self, call: &str) {
        self.gateway.event(call, &json!({"type": "call.ended"})).await.expect(201);
    }

    async fn put(&self, target: &str, audio: &[u8]) -> Said {
        let host = self.gateway.running.address;
        send(host, &request("PUT", target, None, audio)).await
    }

    async fn recordings(&self) -> Vec<Value> {
        let listed = self.gateway.listener.get("/v1/recordings").await.expect(200);
        listed["recordings"].as_array().unwrap().clone()
    }

    async fn entries(&self, kind: &str) -> Vec<Value> {
        let rows = self.gateway.rows("acme").await;
        let leaves = rows.iter().map(|row| serde_json::from_slice::<Value>(&row.leaf).unwrap());
        leaves.filter(|leaf| leaf["type"] == kind).collect()
    }
}

/// As Erlang's HTTP client writes it.
fn request(method: &str, target: &str, authorization: Option<&str>, audio: &[u8]) -> Vec<u8> {
    let authorization = authorization.map(|value| format!("authorization: {value}\r\n")).unwrap_or_default();
    let length = audio.len();
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\ncontent-type: audio/mpeg\r\ncontent-length: {length}\r\nte: \r\n\
         host: gw.example:8080\r\nconnection: keep-alive\r\n{authorization}\r\n"
    )
    .into_bytes();
    request.extend_from_slice(audio);
    request
}

async fn send(host: SocketAddr, request: &[u8]) -> Said {
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let (head, length) = loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(ToOwned::to_owned));
            break (head.to_owned(), length.expect("a length").parse::<usize>().unwrap());
        }
    };
    let begun = head.len() + 4;
    while answer.len() < begun + length {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        answer.extend_from_slice(&chunk[..read]);
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = String::from_utf8(answer[begun..begun + length].to_vec()).unwrap();
    Said { status, head, body }
}

/// `http_uri:encode/1`: what is reserved becomes `%XX`, and raw UTF-8 stays.
fn encode(text: &str) -> String {
    let reserved = ";:@&=+,/?#[]<>\"{}|\\'^% ";
    text.chars()
        .map(|c| if reserved.contains(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() })
        .collect()
}

/// What a line makes of the URL that its operator has set (without its scheme and host).
fn target(line: Line, set: &str, call: &str, id: &str, begun: jiff::Timestamp) -> String {
    let base = set.trim_end_matches('/');
    let dots = match line {
        Line::Released => ".",
        Line::Master => "..",
    };
    let file = format!("call_recording_{}{dots}mp3", encode(call));
    let mut query = format!(
        "from={}&to={}&caller_id_name={}&caller_id_number={}&call_id={}&cdr_id={}&interaction_id=63871234567-1a2b",
        encode("1000@realm.example"),
        encode("+15550100"),
        encode("Jürgen Groß & Söhne"),
        encode("+14155550100"),
        encode(call),
        encode(&format!("202611-{call}")),
    );
    match line {
        Line::Released => {
            let start = begun.as_second() + 62_167_219_200;
            query += &format!("&owner_id=&account_id=0123&start={start}&duration_ms=1000&recording_id={id}");
        }
        Line::Master => query += "&account_id=0123",
    }
    match base.split_once('?') {
        None => format!("{base}/{file}?{query}"),
        Some((_, set)) if set.ends_with('=') => format!("{base}{file}&{query}"),
        Some((_, set)) if set.rsplit('&').next().unwrap().contains('=') => {
            format!("{base}&recording={file}&{query}")
        }
        Some(_) => format!("{base}={file}&{query}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lawful_is_stored_whatever_line_sends_it() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let token = switch.token();
    let urls = [
        format!("/kazoo/acme?token={token}"),
        format!("/kazoo/acme?token={token}&file="),
        format!("/kazoo/acme?token={token}&file"),
        format!("/kazoo/acme/recordings//?token={token}"),
    ];
    for (number, url) in urls.iter().enumerate() {
        let call = format!("abc{number}@10.0.0.1");
        switch.goes_on(&call).await;
        let begun = gateway.now();
        gateway.advance_ms(2000);
        let said = switch
            .put(&target(Line::Released, url, &call, &format!("202611-{number}"), begun), &wav(1000))
            .await;
        assert_eq!((said.status, said.body.as_str()), (201, "{}"), "{url} {said:?}");
        assert_eq!(said.header("content-type"), Some("application/json"));
    }
    let stored = switch.recordings().await;
    assert_eq!(stored.len(), urls.len());
    assert_eq!((&stored[0]["call"], &stored[0]["name"]), (&json!("abc0@10.0.0.1"), &json!("kazoo-202611-0")));
    let accepted = switch.entries("recording.accepted").await;
    let came = json!({"door": "kazoo", "coverage": "lawful", "use": "record"});
    assert!(accepted.iter().all(|leaf| leaf["body"]["accepted"]["came"] == came), "{accepted:?}");
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// By basic authentication, as the client makes it of `https://name:password@host`, and by POST.
#[tokio::test]
async fn the_name_and_password_of_the_url_let_it_in() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    switch.goes_on("c1").await;
    let begun = gateway.now();
    gateway.advance_ms(2000);
    let at = target(Line::Released, "/kazoo/acme", "c1", "202611-1", begun);
    let host = gateway.running.address;
    let said = send(host, &request("PUT", &at, None, &wav(1000))).await;
    assert_eq!(said.status, 401, "{said:?}");
    let wrong = at.replace("?from=", &format!("?token={}.x&from=", switch.credential.username));
    assert_eq!(send(host, &request("PUT", &wrong, None, &wav(1000))).await.status, 401);
    let authorization = crate::harness::Client::new(host, &switch.credential).authorization.unwrap();
    let said = send(host, &request("POST", &at, Some(&authorization), &wav(1000))).await;
    assert_eq!(said.status, 201, "{said:?}");
    // Of another account, or of none: as if nothing were there.
    for elsewhere in ["/kazoo/globex/x.mp3?call_id=c1", "/kazoo/system/x.mp3?call_id=c1"] {
        assert_eq!(
            send(host, &request("PUT", elsewhere, Some(&authorization), &wav(1000))).await.status,
            404
        );
    }
    // Somebody who uploads nothing.
    let listener = gateway.listener.authorization.clone().unwrap();
    let said = send(host, &request("PUT", &at, Some(&listener), &wav(1000))).await;
    assert_eq!(said.status, 403, "{said:?}");
    // What is revoked is out at once.
    gateway.gate().revoke_credential(&Actor::command_line(), &switch.credential.username).await.unwrap();
    assert_eq!(send(host, &request("PUT", &at, Some(&authorization), &wav(1000))).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_law_refuses_is_discarded_as_if_all_were_well() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    // Kazoo records from answer: nobody was asked.
    gateway.open("c1", "US-CA").await;
    let begun = gateway.now();
    gateway.advance_ms(2000);
    let at = target(Line::Released, &url, "c1", "202611-1", begun);
    for _ in 0..3 {
        let said = switch.put(&at, &wav(1000)).await;
        assert_eq!((said.status, said.body.as_str()), (200, "{}"), "{said:?}");
        let refused = switch.entries("recording.refused").await;
        let entry = refused.last().unwrap();
        assert_eq!(said.header("x-request-id"), entry["id"].as_str(), "{said:?}");
        assert_eq!(entry["body"]["refused"]["discarded"], json!(true));
        assert_eq!(entry["body"]["refused"]["came"]["door"], json!("kazoo"));
    }
    assert!(switch.recordings().await.is_empty());
    // Set to deny, it is told so, without a word about anybody.
    let (actor, username) = (Actor::command_line(), switch.credential.username.as_str());
    for _ in 0..2 {
        let set = gateway.gate().set_credential(&actor, username, Some(OnRefusal::Deny), None).await;
        assert_eq!(set.unwrap().on_refusal, OnRefusal::Deny);
    }
    assert_eq!(switch.entries("credential.set").await.len(), 1);
    let said = switch.put(&at, &wav(1000)).await;
    assert_eq!((said.status, said.body.as_str()), (403, r#"{"code":"consent-required"}"#), "{said:?}");
    assert!(
        switch.entries("recording.refused").await.last().unwrap()["body"]["refused"]["discarded"].is_null()
    );
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// Recorded from answer, with a prompt in between: what lies before it is silenced where the account wants that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_before_consent_is_silenced_and_the_rest_is_kept() {
    let settings = AccountSettings { redact: Redact::Silence, ..AccountSettings::default() };
    let switch = Switch::with(settings, OnRefusal::Discard).await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    gateway.open("c1", "US-CA").await;
    let begun = gateway.now();
    gateway.advance_ms(5000);
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.advance_ms(6000);
    let said = switch.put(&target(Line::Released, &url, "c1", "202611-1", begun), &wav(10_000)).await;
    assert_eq!(said.status, 201, "{said:?}");
    let stored = &switch.recordings().await[0];
    let silenced = stored["silenced"].as_array().unwrap();
    assert_eq!(
        (silenced.len(), &silenced[0]["offset_ms"], &silenced[0]["duration_ms"]),
        (1, &json!(0), &json!(5000))
    );
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// Kazoo counts in whole seconds: what may lie before the prompt, or behind an objection, is not kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_the_second_that_is_not_known_the_stricter_counts() {
    let settings = AccountSettings { redact: Redact::Silence, ..AccountSettings::default() };
    let switch = Switch::with(settings, OnRefusal::Discard).await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    gateway.advance_ms(400);
    switch.goes_on("c1").await;
    gateway.advance_ms(200);
    // It begins at 0.6, and is said to begin at 0.
    let begun = gateway.now();
    gateway.advance_ms(5000);
    gateway.event("c1", &json!({"type": "consent.declined", "participant": "caller"})).await.expect(201);
    gateway.advance_ms(5000);
    let said = switch.put(&target(Line::Released, &url, "c1", "202611-1", begun), &wav(8000)).await;
    assert_eq!(said.status, 201, "{said:?}");
    let stored = &switch.recordings().await[0];
    let silenced = stored["silenced"].as_array().unwrap();
    let of = |one: &Value| (one["offset_ms"].as_u64().unwrap(), one["duration_ms"].as_u64().unwrap());
    // Said to begin at 0: at 0.4 they had agreed, and at 5.6 somebody declined; it may have begun as late as at 1.
    assert_eq!(silenced.iter().map(of).collect::<Vec<_>>(), [(0, 400), (4600, 3400)], "{stored}");
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// However short what the law refuses is, it is silenced wherever in the file it may lie.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_refusal_is_silenced_wherever_it_may_lie() {
    let settings = AccountSettings { redact: Redact::Silence, ..AccountSettings::default() };
    let switch = Switch::with(settings, OnRefusal::Discard).await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    switch.goes_on("c1").await;
    let begun = gateway.now();
    gateway.advance_ms(4000);
    let third = json!({"id": "third", "role": "customer", "location": "US-CA", "languages": ["en"]});
    gateway.recorder.post("/v1/calls/c1/participants", &third).await.expect(201);
    gateway.advance_ms(300);
    gateway.event("c1", &json!({"type": "participant.left", "participant": "third"})).await.expect(201);
    gateway.advance_ms(5700);
    let said = switch.put(&target(Line::Released, &url, "c1", "202611-1", begun), &wav(8000)).await;
    assert_eq!(said.status, 201, "{said:?}");
    let stored = &switch.recordings().await[0];
    let of = |one: &Value| (one["offset_ms"].as_u64().unwrap(), one["duration_ms"].as_u64().unwrap());
    let silenced: Vec<_> = stored["silenced"].as_array().unwrap().iter().map(of).collect();
    let (first, last) = (silenced[0], silenced[silenced.len() - 1]);
    assert!(first.0 == 3000 && last.0 + last.1 >= 4300 && last.0 + last.1 <= 4310, "{silenced:?}");
    assert!(silenced.windows(2).all(|two| two[0].0 + two[0].1 == two[1].0), "{silenced:?}");
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// Lawful audio is not thrown away because Kazoo's clock is coarse.
#[tokio::test]
async fn what_is_in_doubt_only_by_the_clock_is_not_discarded() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    gateway.advance_ms(400);
    switch.goes_on("c1").await;
    gateway.advance_ms(200);
    let begun = gateway.now();
    gateway.advance_ms(5000);
    let said = switch.put(&target(Line::Released, &url, "c1", "202611-1", begun), &wav(3000)).await;
    assert_eq!(said.status, 403, "{said:?}");
    assert!(switch.entries("recording.refused").await[0]["body"]["refused"]["discarded"].is_null());
    // Nor because another of Kazoo's recordings has the moment.
    switch.goes_on("c2").await;
    gateway.advance_ms(400);
    let begun = gateway.now();
    gateway.advance_ms(5000);
    for (id, status) in [("202611-2", 201), ("202611-3", 403)] {
        let said = switch.put(&target(Line::Released, &url, "c2", id, begun), &wav(3000)).await;
        assert_eq!(said.status, status, "{said:?}");
    }
}

/// Discarding is an answer of this door alone: at the native one, a refusal is said and logged as one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_native_door_discards_nothing() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    gateway.open("c1", "US-CA").await;
    let begun = gateway.now();
    gateway.advance_ms(2000);
    let client = crate::harness::Client::new(gateway.running.address, &switch.credential);
    let start = begun.to_string();
    let path = "/v1/calls/c1/recordings/a";
    client.upload(path, &[("recording-start", &start)], &wav(1000)).await.problem(403, "consent-required");
    let refused = switch.entries("recording.refused").await;
    assert!(refused[0]["body"]["refused"]["discarded"].is_null(), "{refused:?}");
    // Its recorders start by themselves here as well: what is lawful needs no granted window.
    switch.goes_on("c2").await;
    let start = gateway.now().to_string();
    gateway.advance_ms(2000);
    let path = "/v1/calls/c2/recordings/a";
    client.upload(path, &[("recording-start", &start)], &wav(1000)).await.expect(201);
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// A token in a URL is an uploader's, never more.
#[tokio::test]
async fn a_recorder_needs_more_than_a_url() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let (actor, role) = (Actor::command_line(), Role::Recorder);
    let new = gateway.gate().add_credential(&actor, "acme", role, "pbx", None).await.unwrap();
    let at = format!("/kazoo/acme/x.mp3?token={}.{}&call_id=c1", new.username, new.password.expose());
    assert_eq!(switch.put(&at, &wav(1000)).await.status, 403);
}

/// Thirty of them, and at once: the same bytes are one recording, by their id or without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_retries_is_one_recording() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    for line in [Line::Released, Line::Master] {
        let call = format!("{line:?}@pbx.example");
        switch.goes_on(&call).await;
        let begun = gateway.now();
        if matches!(line, Line::Master) {
            // Master does not say when it began, so there has to be one window.
            gateway.control(&call, "start").await.expect(200);
        }
        gateway.advance_ms(3000);
        let at = target(line, &url, &call, "202611-9", begun);
        let (audio, host) = (wav(1000), gateway.running.address);
        let storm = (0..30).map(|_| {
            let (at, audio) = (at.clone(), audio.clone());
            tokio::spawn(async move { send(host, &request("PUT", &at, None, &audio)).await.status })
        });
        let mut told = Vec::new();
        for one in storm.collect::<Vec<_>>() {
            told.push(one.await.unwrap());
        }
        told.retain(|status| *status != 503);
        assert!(told.iter().all(|status| [200, 201].contains(status)), "{told:?}");
        assert_eq!(told.iter().filter(|status| **status == 201).count(), 1, "{told:?}");
        let of_call = |recording: &&Value| recording["call"] == call.as_str();
        assert_eq!(switch.recordings().await.iter().filter(of_call).count(), 1);
        assert_eq!(switch.put(&at, &audio).await.status, 200);
    }
}

/// The path is the same for several recordings of one call.
#[tokio::test]
async fn two_recordings_under_one_path_are_two() {
    let settings = AccountSettings { recorders: 2, ..AccountSettings::default() };
    let switch = Switch::with(settings, OnRefusal::Discard).await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    switch.goes_on("c1").await;
    let begun = gateway.now();
    gateway.advance_ms(3000);
    for (id, ms) in [("202611-1", 1000), ("202611-2", 2000)] {
        let said = switch.put(&target(Line::Released, &url, "c1", id, begun), &wav(ms)).await;
        assert_eq!(said.status, 201, "{said:?}");
    }
    assert_eq!(switch.recordings().await.len(), 2);
}

#[tokio::test]
async fn what_can_be_cured_by_a_retry_is_answered_so() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    let begun = gateway.now();
    // The application has not opened the call yet, and nothing may wait in quarantine.
    let (actor, username) = (Actor::command_line(), switch.credential.username.as_str());
    gateway.gate().set_credential(&actor, username, None, Some(0)).await.unwrap();
    let at = target(Line::Released, &url, "late", "202611-1", begun);
    let said = switch.put(&at, &wav(1000)).await;
    assert_eq!((said.status, said.header("retry-after")), (503, Some("120")), "{said:?}");
    assert_eq!(said.body, r#"{"code":"unknown-call"}"#);
    // By the id of the interaction, too.
    switch.goes_on("63871234567-1a2b").await;
    let begun = gateway.now();
    gateway.advance_ms(2000);
    let at = target(Line::Released, &url, "leg-of-it", "202611-2", begun);
    assert_eq!(switch.put(&at, &wav(1000)).await.status, 201);
    // A switch that closes half way keeps nothing, and sends it again.
    switch.goes_on("c2").await;
    let begun = gateway.now();
    gateway.advance_ms(2000);
    let at = target(Line::Released, &url, "c2", "202611-3", begun);
    let whole = request("PUT", &at, None, &wav(1000));
    let mut stream = TcpStream::connect(gateway.running.address).await.unwrap();
    stream.write_all(&whole[..whole.len() / 2]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).await.unwrap();
    assert!(!String::from_utf8_lossy(&told).starts_with("HTTP/1.1 2"), "{}", String::from_utf8_lossy(&told));
    assert_eq!(switch.put(&at, &wav(1000)).await.status, 201);
    // Audio that nobody can measure stays an alert for the operator.
    assert_eq!(switch.put(&at.replace("202611-3", "202611-4"), b"no audio at all").await.status, 415);
}

/// It is not known when it was made, so the law says nothing about it, and nothing is thrown away.
#[tokio::test]
async fn what_does_not_say_when_it_was_made_is_never_discarded() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    switch.goes_on("c1").await;
    let begun = gateway.now();
    gateway.advance_ms(2000);
    let (actor, username) = (Actor::command_line(), switch.credential.username.as_str());
    gateway.gate().set_credential(&actor, username, None, Some(0)).await.unwrap();
    let said = switch.put(&target(Line::Master, &url, "c1", "", begun), &wav(1000)).await;
    assert_eq!(said.status, 403, "{said:?}");
    assert!(switch.entries("recording.refused").await[0]["body"]["refused"]["discarded"].is_null());
    switch.ends("c1").await;
}

#[tokio::test]
async fn who_withdrew_is_obeyed_here_as_well() {
    let settings = AccountSettings { on_withdrawal: OnWithdrawal::Delete, ..AccountSettings::default() };
    let switch = Switch::with(settings, OnRefusal::Discard).await;
    let gateway = &switch.gateway;
    let url = format!("/kazoo/acme?token={}", switch.token());
    switch.goes_on("c1").await;
    let begun = gateway.now();
    gateway.advance_ms(5000);
    gateway.event("c1", &json!({"type": "consent.withdrawn", "participant": "caller"})).await.expect(201);
    gateway.advance_ms(5000);
    let said = switch.put(&target(Line::Released, &url, "c1", "202611-1", begun), &wav(4000)).await;
    assert_eq!(said.status, 200, "{said:?}");
    assert!(switch.recordings().await.is_empty());
    // With the same call, but nothing before it.
    assert_eq!(
        switch.entries("recording.refused").await[0]["body"]["refused"]["code"],
        json!("consent-withdrawn")
    );
}

/// The secret stands in URLs, which is why nothing of them is logged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_shows_what_to_set() {
    let gateway = Gateway::start().await;
    let args = [
        "credential",
        "add",
        "acme",
        "--role",
        "uploader",
        "--kazoo",
        "--json",
        "--base-url",
        "https://gw.example",
    ];
    let (code, out, err) = gateway.run(&args);
    assert_eq!(code, 0, "{out}{err}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    let [username, password] = ["username", "password"].map(|name| shown[name].as_str().unwrap());
    assert_eq!(shown["url"], json!(format!("https://{username}:{password}@gw.example/kazoo/acme")));
    assert_eq!(
        shown["url_with_token"],
        json!(format!("https://gw.example/kazoo/acme?token={username}.{password}"))
    );
    let (_, listed, _) = gateway.run(&["credential", "list", "acme", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let ours = listed.as_array().unwrap().iter().find(|one| one["username"] == username).unwrap();
    assert_eq!((&ours["coverage"], &ours["on_refusal"]), (&json!("lawful"), &json!("discard")));
    let (code, _, err) = gateway.run(&["credential", "set", username, "--on-refusal", "deny"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = gateway.run(&["credential", "add", "acme", "--role", "auditor", "--kazoo"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("is for the role `uploader`"), "{err}");
}
