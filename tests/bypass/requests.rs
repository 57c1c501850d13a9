//! Requests that are not what they seem.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{after, granted, nothing_got_in, parse, raw, send, stored};
use crate::harness::{Client, Gateway, wav};

/// Nobody has consented to anything on the call `c1`.
async fn unprompted() -> Gateway {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    gateway.advance_ms(10_000);
    gateway
}

#[tokio::test]
async fn no_route_takes_audio_but_the_one() {
    let gateway = unprompted().await;
    let audio = wav(1000);
    let id = "0198c2e0-0000-4000-8000-000000000000";
    let paths = [
        "/",
        "/v1",
        "/v1/",
        "/v1/calls",
        "/v1/calls/",
        "/v1/calls/c1",
        "/v1/calls/c1/",
        "/v1/calls/c1/recordings",
        "/v1/calls/c1/recordings/",
        "/v1/calls/c1/recordings/a",
        "/v1/calls/c1/recordings/a/",
        "/v1/calls/c1/recordings/a/media",
        "/v1/calls//c1/recordings/a",
        "/v1//calls/c1/recordings/a",
        "//v1/calls/c1/recordings/a",
        "/v1/calls/c1//recordings/a",
        "/V1/calls/c1/recordings/a",
        "/v1/Calls/c1/recordings/a",
        "/v1/calls/C1/recordings/a",
        "/v1/calls/c1/Recordings/a",
        "/v1/calls/c1/recordings/%2e%2e",
        "/v1/calls/c1/recordings/..",
        "/v1/calls/c1/../c1/recordings/a",
        "/v1/calls/./c1/recordings/a",
        "/v1/calls/%2e%2e/c1/recordings/a",
        "/v1/calls/c1%2Frecordings%2Fa",
        "/v1/calls/c1%2frecordings/a",
        "/v1/calls%2Fc1/recordings/a",
        "/v1/calls/c1/recordings/a%00",
        "/v1/calls/c1%00/recordings/a",
        "/v1/calls/c1/recordings/%ff",
        "/v1/calls/%63%31/recordings/a",
        "/v1/calls/%2563%2531/recordings/a",
        "/v1/calls/c1/recordings/a%252F",
        "/v1/calls/c1;v=1/recordings/a",
        "/v1/calls/c1/recordings/a?x=1",
        "/v1/calls/c1/recordings/a?_method=PUT",
        "/v1/calls/c1/recordings/a%0d%0aX-A:%20b",
        "/v1/recordings",
        "/v1/recordings/a",
        "/v1/prompts/en",
        "/v1/consent-grants/g",
        "/v1/consents",
        "/v1/jurisdictions",
        "/v1/jurisdictions/US-CA",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/metrics",
        "/admin",
        "/.env",
        "/v1/calls/c1/recordings/a.wav/../../..",
        "/v1/calls/c1\u{301}/recordings/a",
    ];
    let ids = [
        format!("/v1/recordings/{id}"),
        format!("/v1/recordings/{id}/media"),
        format!("/v1/recordings/{id}/hold"),
        format!("/v1/recordings/{id}/../a"),
    ];
    let clients = [
        &gateway.recorder,
        &gateway.listener,
        &gateway.auditor,
        &gateway.counsel,
        &gateway.registrar,
        &gateway.admin,
    ];
    let overrides =
        [("x-http-method-override", "PUT"), ("x-method-override", "PUT"), ("content-type", "audio/wav")];
    for path in paths.iter().copied().chain(ids.iter().map(String::as_str)).filter(|path| path.is_ascii()) {
        for method in ["PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "GET", "HEAD", "MKCOL", "put"] {
            let client = if matches!(method, "PUT" | "POST") { &clients[..] } else { &clients[..1] };
            for client in client {
                let answer = send(client, method, path, &overrides, &audio).await;
                let read = matches!(method, "GET" | "HEAD") && answer.status == 200;
                assert!(read || (400..500).contains(&answer.status), "{method} {path}: {}", answer.status);
            }
        }
    }
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn without_credentials_only_the_probes_and_the_description_answer() {
    let gateway = unprompted().await;
    let address = gateway.recorder.address;
    for path in [
        "/v1/recordings",
        "/v1/calls/c1",
        "/openapi.json/",
        "/nowhere",
        "/healthz/",
        "/healthz/..%2fv1/recordings",
        "//healthz",
        "/HEALTHZ",
    ] {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"] {
            let answer = send(&Client::stranger(address), method, path, &[], &[]).await;
            assert_eq!(answer.status, 401, "{method} {path}");
        }
    }
    send(&Client::stranger(address), "POST", "/healthz", &[], &[]).await.expect(401);
    for (header, value) in [
        ("authorization", "Basic"),
        ("authorization", "Basic "),
        ("authorization", "Basic Og=="),
        ("authorization", "Bearer x"),
        ("authorization", "Basic !!!!"),
        ("proxy-authorization", "Basic Og=="),
        ("x-forwarded-user", "admin"),
    ] {
        send(&Client::stranger(address), "GET", "/v1/recordings", &[(header, value)], &[]).await.expect(401);
    }
}

fn head(gateway: &Gateway, line: &str, headers: &str) -> Vec<u8> {
    let authorization = gateway.recorder.authorization.as_deref().unwrap();
    format!("{line}\r\nHost: gateway\r\nAuthorization: {authorization}\r\nConnection: close\r\n{headers}\r\n")
        .into_bytes()
}

#[tokio::test]
async fn no_framing_of_the_request_gets_audio_past_the_gate() {
    let gateway = unprompted().await;
    let from = gateway.now();
    let audio = wav(500);
    let length = audio.len();
    let chunked = [format!("{length:x}\r\n").into_bytes(), audio.clone(), b"\r\n0\r\n\r\n".to_vec()].concat();
    let put = "PUT /v1/calls/c1/recordings/a HTTP/1.1";
    let start = format!("Recording-Start: {from}\r\n");
    let authorization = gateway.recorder.authorization.clone().unwrap();
    let inner = [
        format!("PUT /v1/calls/c1/recordings/b HTTP/1.1\r\nHost: gateway\r\nAuthorization: {authorization}\r\n{start}Content-Length: {length}\r\n\r\n").into_bytes(),
        audio.clone(),
    ]
    .concat();
    for (line, headers, body) in [
        (put, format!("{start}Content-Length: {length}\r\n"), audio.clone()),
        (put, format!("{start}Transfer-Encoding: chunked\r\n"), chunked.clone()),
        (
            "PUT /v1/calls/c1/recordings/a HTTP/1.0",
            format!("{start}Content-Length: {length}\r\n"),
            audio.clone(),
        ),
        (
            "PUT /v1/calls/c1/recordings/a HTTP/1.0",
            format!("{start}Transfer-Encoding: chunked\r\n"),
            chunked.clone(),
        ),
        ("PUT /v1/calls/c1/recordings/a", start.clone(), audio.clone()),
        ("PUT /v1/calls/c1/recordings/a HTTP/2.0", start.clone(), audio.clone()),
        (
            "PUT http://gateway/v1/calls/c1/recordings/a HTTP/1.1",
            format!("{start}Content-Length: {length}\r\n"),
            audio.clone(),
        ),
        (
            "PUT http://elsewhere/v1/calls/c1/recordings/a HTTP/1.1",
            format!("{start}Content-Length: {length}\r\n"),
            audio.clone(),
        ),
        ("CONNECT gateway:80 HTTP/1.1", start.clone(), audio.clone()),
        ("OPTIONS * HTTP/1.1", format!("Content-Length: {}\r\n", inner.len()), inner.clone()),
        (put, format!("{start}Content-Length: {length}\r\nContent-Length: 0\r\n"), audio.clone()),
        (put, format!("{start}Content-Length: 0\r\n"), inner.clone()),
        (
            put,
            format!("{start}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
            [b"0\r\n\r\n".to_vec(), inner.clone()].concat(),
        ),
        (
            put,
            format!("{start}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
            chunked.clone(),
        ),
        (put, format!("{start}Transfer-Encoding: xchunked\r\n"), chunked.clone()),
        (put, format!("{start}Transfer-Encoding : chunked\r\nContent-Length: {length}\r\n"), audio.clone()),
        (put, format!("{start}Content-Length: -1\r\n"), audio.clone()),
        (put, format!("{start}Content-Length: 18446744073709551616\r\n"), audio.clone()),
        (put, format!("{start}Content-Length: {length}\r\nExpect: 200-ok\r\n"), audio.clone()),
        (put, format!("{start}Content-Length: {length}\r\nUpgrade: h2c\r\n"), audio.clone()),
        ("GET /v1/recordings HTTP/1.1", format!("Content-Length: {}\r\n", inner.len()), inner.clone()),
    ] {
        let request = [head(&gateway, line, &headers), body].concat();
        let (status, _) = parse(&raw(&gateway, &request).await);
        assert!(status == 0 || status == 200 || (400..600).contains(&status), "{line} {headers}: {status}");
        assert!(status != 200 || !line.starts_with("PUT"), "{line} {headers}");
        nothing_got_in(&gateway).await;
    }
}

#[tokio::test]
async fn requests_sent_in_one_go_are_answered_each_by_itself() {
    let gateway = unprompted().await;
    let authorization = gateway.recorder.authorization.clone().unwrap();
    let audio = wav(200);
    let from = gateway.now();
    let request = |method: &str, path: &str, more: &str, body: &[u8], last: bool| {
        let close = if last { "Connection: close\r\n" } else { "" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: {authorization}\r\n{close}{more}Content-Length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body.to_vec()].concat()
    };
    let start = format!("Recording-Start: {from}\r\n");
    let joined = json!({"id": "x", "role": "customer"}).to_string();
    let all = [
        request("PUT", "/v1/calls/c1/recordings/a", &start, &audio, false),
        request(
            "POST",
            "/v1/calls/c1/participants",
            "Content-Type: application/json\r\n",
            joined.as_bytes(),
            false,
        ),
        request("PUT", "/v1/calls/c1/recordings/b", &start, &audio, false),
        request(
            "POST",
            "/v1/calls/c1/recording",
            "Content-Type: application/json\r\n",
            br#"{"action":"start"}"#,
            true,
        ),
    ]
    .concat();
    let answers = String::from_utf8_lossy(&raw(&gateway, &all).await).into_owned();
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).unwrap()).collect();
    assert_eq!(statuses, ["403", "201", "403", "403"], "{answers}");
    nothing_got_in(&gateway).await;
}

/// Whoever took a part for the whole would replace it (RFC 9110 section 14.5); what is packed is another recording.
#[tokio::test]
async fn a_part_of_a_recording_and_a_packed_one_are_refused_before_they_are_read() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(1000);
    let line = "PUT /v1/calls/c1/recordings/a HTTP/1.1";
    for (header, expected, code) in [
        ("Content-Range: bytes 0-16043/32044", 400, "invalid-header"),
        ("Content-Range: bytes 0-16043/*", 400, "invalid-header"),
        ("Content-Encoding: gzip", 415, "packed-body"),
        ("Content-Encoding: identity, br", 415, "packed-body"),
        ("Content-Encoding: identity\r\nContent-Encoding: x-gzip", 415, "packed-body"),
    ] {
        // A client that asks first is told no, and not to go on.
        let headers = format!(
            "Recording-Start: {from}\r\n{header}\r\nContent-Length: 16044\r\nExpect: 100-continue\r\n"
        );
        let (status, problem) = parse(&raw(&gateway, &head(&gateway, line, &headers)).await);
        assert_eq!((status, &problem["code"]), (expected, &json!(code)), "{header}: {problem}");
    }
    nothing_got_in(&gateway).await;
    let plain = [("content-encoding", "Identity"), ("recording-start", &*from.to_string())];
    gateway.recorder.upload("/v1/calls/c1/recordings/a", &plain, &wav(1000)).await.expect(201);
}

#[tokio::test]
async fn a_chunked_upload_is_judged_like_any_other() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(1000);
    let audio = wav(1000);
    let mut chunked = Vec::new();
    for piece in audio.chunks(777) {
        chunked.extend_from_slice(format!("{:x};x=y\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    let line = "PUT /v1/calls/c1/recordings/a HTTP/1.1";
    let headers = format!("Recording-Start: {from}\r\nTransfer-Encoding: chunked\r\n");
    // Cut off before its end it is nothing, though all of the audio came.
    let cut = [head(&gateway, line, &headers), chunked.clone()].concat();
    let (status, _) = parse(&raw(&gateway, &cut).await);
    assert!(status == 0 || status >= 400, "{status}");
    nothing_got_in(&gateway).await;
    // Trailers say nothing about when it was made.
    let late = format!("0\r\nRecording-Start: {}\r\n\r\n", after(from, -5000));
    let whole = [head(&gateway, line, &headers), chunked, late.into_bytes()].concat();
    assert_eq!(parse(&raw(&gateway, &whole).await).0, 201);
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn names_that_look_alike_are_different_calls() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(2000);
    let start = from.to_string();
    for call in ["C1", "c1%20", "%20c1", "c1%2F", "c%CC%811", "%EF%BD%831", "c1%E2%80%8B", "c1%252F"] {
        let path = format!("/v1/calls/{call}/recordings/a");
        gateway
            .recorder
            .upload(&path, &[("recording-start", &start)], &wav(100))
            .await
            .problem(404, "unknown-call");
    }
    nothing_got_in(&gateway).await;
    // The same name, written differently, is the same call.
    let path = "/v1/calls/%63%31/recordings/a";
    gateway.recorder.upload(path, &[("recording-start", &start)], &wav(100)).await.expect(201);
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn a_form_that_a_browser_sends_for_somebody_else_does_nothing() {
    let gateway = unprompted().await;
    let event = json!({"type": "prompt.completed", "prompt": "en", "participants": ["caller", "agent"], "played_ms": 4000}).to_string();
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; x=application/json",
        "",
    ] {
        let headers = [("content-type", content_type), ("origin", "https://elsewhere.example")];
        let answer = send(&gateway.recorder, "POST", "/v1/calls/c1/events", &headers, event.as_bytes()).await;
        answer.problem(415, "not-json");
    }
    gateway.control("c1", "start").await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn bodies_with_unknown_or_repeated_fields_change_nothing() {
    let gateway = unprompted().await;
    let head = [("content-type", "application/json")];
    for body in [
        r#"{"type":"prompt.completed","prompt":"en","participant":"caller","played_ms":4000,"force":true}"#,
        r#"{"type":"prompt.completed","type":"consent.given","prompt":"en","participant":"caller","played_ms":4000}"#,
        r#"{"type":"prompt.completed","prompt":"en","participant":"caller","played_ms":-1}"#,
        r#"{"type":"prompt.completed","prompt":"en","participant":"caller","played_ms":4000.5}"#,
        r#"{"type":"prompt.completed","prompt":"en","participant":"caller"}"#,
        r#"{"type":"recording.accepted","duration_ms":1}"#,
        r#"{"type":"participant.joined","participant":"caller"}"#,
        r#"{"type":"consent.given","participant":"caller","method":"staring"}"#,
        r#"[{"type":"prompt.completed","prompt":"en","participants":["caller","agent"],"played_ms":4000},{"type":"nonsense"}]"#,
        r#"[{"type":"prompt.completed","prompt":"en","participants":["caller","agent"],"played_ms":4000},{"type":"consent.given","participant":"nobody","method":"dtmf"}]"#,
        "[]",
        "null",
        "{}",
        "",
        "[[]]",
    ] {
        let answer = send(&gateway.recorder, "POST", "/v1/calls/c1/events", &head, body.as_bytes()).await;
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.status);
    }
    for body in [
        r#"{"action":"start","force":true}"#,
        r#"{"action":"start","behavior":"silence"}"#,
        r#"{"action":"START"}"#,
    ] {
        let answer = send(&gateway.recorder, "POST", "/v1/calls/c1/recording", &head, body.as_bytes()).await;
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.status);
    }
    gateway.control("c1", "start").await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_nul_anywhere_is_the_senders_mistake_and_nobody_elses() {
    let gateway = unprompted().await;
    let nul = "a\0b";
    let person = |key: &str| {
        let mut person = json!({"id": "caller", "role": "customer"});
        person[key] = if key == "languages" { json!([nul]) } else { json!(nul) };
        person
    };
    let mut requests: Vec<(&Client, &str, String, Value)> = Vec::new();
    for key in ["id", "role", "number", "ip", "location", "languages", "consent_grant"] {
        requests.push((
            &gateway.recorder,
            "PUT",
            "/v1/calls/nul".into(),
            json!({"participants": [person(key)]}),
        ));
        requests.push((&gateway.recorder, "POST", "/v1/calls/c1/participants".into(), person(key)));
    }
    for key in ["aliases", "purposes", "overlays", "operator_location", "recorder_location"] {
        let value = if key.ends_with("location") { json!(nul) } else { json!([nul]) };
        requests.push((&gateway.recorder, "PUT", "/v1/calls/nul".into(), json!({key: value})));
    }
    for event in [
        json!({"type": "call.ended", "id": nul}),
        json!({"type": nul}),
        json!({"type": "prompt.completed", "prompt": nul, "participants": ["caller"], "played_ms": 4000}),
        json!({"type": "prompt.completed", "prompt": "en", "participants": [nul], "played_ms": 4000}),
        json!({"type": "consent.given", "participant": "caller", "method": nul}),
    ] {
        requests.push((&gateway.recorder, "POST", "/v1/calls/c1/events".into(), event));
    }
    for path in [
        "/v1/calls/a%00b",
        "/v1/calls/a%00b/explain",
        "/v1/recordings?call=a%00b",
        "/v1/recordings?after=1.a%00b",
    ] {
        for who in [&gateway.recorder, &gateway.auditor] {
            requests.push((who, "GET", path.into(), Value::Null));
        }
    }
    for path in [
        "call=a%00b",
        "participant=a%00b",
        "after=a%00b",
        "prompt=a%00b",
        "number=a%00b",
        "type=a%00b",
        "place=a%00b",
    ] {
        requests.push((&gateway.auditor, "GET", format!("/v1/consents?{path}"), Value::Null));
    }
    for path in ["prompts/a%00b", "consent-grants/a%00b", "jurisdictions/a%00b", "log/a%00b/checkpoint"] {
        requests.push((&gateway.counsel, "GET", format!("/v1/{path}"), Value::Null));
        requests.push((&gateway.registrar, "DELETE", format!("/v1/{path}"), Value::Null));
        requests.push((&gateway.counsel, "PUT", format!("/v1/{path}"), json!({"text": nul})));
    }
    for (who, method, path, body) in requests {
        let bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let answer = who.send(method, &path, &[("content-type", "application/json")], bytes).await;
        let nothing = method == "GET" && answer.status == 200;
        assert!(
            nothing || (400..500).contains(&answer.status),
            "{method} {path} {body}: {} {}",
            answer.status,
            answer.text()
        );
    }
    let stranger = Client::named(gateway.recorder.address, nul, "password");
    assert_eq!(stranger.get("/v1/calls/c1").await.status, 401);
    gateway.recorder.get("/v1/calls/c1").await.expect(200);
}

/// What two readers could understand in two ways: a proxy lets one request pass, and we would answer another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let gateway = unprompted().await;
    let right = gateway.recorder.authorization.as_deref().unwrap();
    let body = "transfer-encoding: chunked\r\n";
    let call = "{\"medium\": \"telephone\", \"participants\": []}";
    let heads = [
        (400, String::new()),
        (400, "host: a\r\nhost: a\r\n".into()),
        (400, "host: a\r\nhost: b\r\n".into()),
        (400, "host: a b\r\n".into()),
        (400, "host: user@a\r\n".into()),
        (400, format!("host: a\r\nauthorization: {right}\r\n")),
        (400, "host: a\r\nauthorization: Basic eDp5\r\n".into()),
        (501, "host: a\r\ntransfer-encoding: gzip, chunked\r\n".into()),
        (501, "host: a\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n".into()),
        (501, "host: a\r\ntransfer-encoding: chunked, chunked\r\n".into()),
        (201, "host: a\r\n".into()),
        (201, "host: a:8080\r\n".into()),
        (201, "host: [::1]:8080\r\n".into()),
        (201, "host:\r\n".into()),
    ];
    for (number, (status, head)) in heads.into_iter().enumerate() {
        let coding = if head.contains("transfer-encoding") { "" } else { body };
        let request = format!(
            "PUT /v1/calls/two-{number} HTTP/1.1\r\n{head}authorization: {right}\r\n{coding}connection: close\r\n\r\n{:x}\r\n{call}\r\n0\r\n\r\n",
            call.len()
        );
        let (answered, problem) = parse(&raw(&gateway, request.as_bytes()).await);
        assert_eq!(answered, status, "{head:?}: {problem}");
        if status != 201 {
            assert!(problem == Value::Null || problem["code"] == "ambiguous-request", "{head:?}: {problem}");
            let opened = gateway.recorder.get(&format!("/v1/calls/two-{number}")).await;
            opened.problem(404, "unknown-call");
        }
    }
}
