//! Whatever is sent: a clear answer, and nothing is kept.

use bytes::Bytes;
use consent_gateway::config::{Config, Upload};
use consent_gateway::gate::AccountSettings;
use consent_gateway::gate::offline::{self, FactsError};
use consent_gateway::locate::Locator;
use consent_gateway::serve::DEFAULT_TABLE;
use policy::Table;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trail::clock::Clock;

use super::{person, two};
use crate::harness::{Client, Gateway, tone, wav, wav_of};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn entries(gateway: &Gateway) -> usize {
    gateway.rows("acme").await.len()
}

#[tokio::test]
async fn wrong_credentials_are_401_whatever_is_wrong_with_them() {
    let gateway = Gateway::start().await;
    let address = gateway.recorder.address;
    let right = gateway.recorder.authorization.clone().unwrap();
    for header in [
        Some("Basic"),
        Some("Basic !!!"),
        Some("Basic dXNlcg=="),
        Some("Bearer x"),
        Some(right.trim_end_matches('=').split_at(20).0),
        None,
    ] {
        let client = Client { address, authorization: header.map(ToOwned::to_owned) };
        client.get("/v1/recordings").await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_call_that_makes_no_sense_is_not_opened() {
    let gateway = Gateway::start().await;
    let before = entries(&gateway).await;
    let mut twice = two("US-CA");
    twice[1]["id"] = json!("caller");
    let many: Vec<Value> = (0..257).map(|n| json!({"id": format!("p{n}"), "role": "customer"})).collect();
    let one = |more: Value| {
        let mut somebody = person("p", "customer", "US-CA");
        somebody.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"participants": [somebody]})
    };
    for (body, code) in [
        (json!({"participants": twice}), "duplicate-participant"),
        (json!({"participants": many}), "too-many-participants"),
        (json!({"started_at": "2026-11-20T11:00:00Z"}), "time-in-the-future"),
        (json!({"started_at": "2026-11-18T10:00:00Z"}), "time-too-far-past"),
        (json!({"started_at": "yesterday"}), "invalid-body"),
        (json!({"colour": "red"}), "invalid-body"),
        (json!({"medium": "pigeon"}), "invalid-body"),
        (json!([]), "invalid-body"),
        (json!({"participants": [["p", "customer"]]}), "invalid-body"),
        (json!("call"), "invalid-body"),
        (json!({"recorder_location": "California"}), "invalid-place"),
        (json!({"purposes": [""]}), "invalid-id"),
        (json!({"purposes": ["x".repeat(256)]}), "invalid-id"),
        (json!({"aliases": ["a\u{0}b"]}), "invalid-id"),
        (json!({"aliases": (0..65).map(|n| n.to_string()).collect::<Vec<_>>()}), "too-many-aliases"),
        (one(json!({"id": ""})), "invalid-id"),
        (one(json!({"id": "x".repeat(256)})), "invalid-id"),
        (one(json!({"id": "a\nb"})), "invalid-id"),
        (one(json!({"role": "boss"})), "invalid-body"),
        (one(json!({"location": "somewhere"})), "invalid-place"),
        (one(json!({"location": vec!["US-CA"; 17]})), "too-many-places"),
        (one(json!({"number": "12"})), "invalid-number"),
        (one(json!({"number": "call me"})), "invalid-number"),
        (one(json!({"ip": "300.1.2.3"})), "invalid-address"),
        (one(json!({"languages": ["Jane Doe"]})), "invalid-language"),
        (one(json!({"languages": vec!["en"; 33]})), "too-many-languages"),
        (one(json!({"joined_at": "2026-11-20T11:00:00Z"})), "time-in-the-future"),
        (one(json!({"consent_grant": ""})), "invalid-id"),
    ] {
        gateway.recorder.put("/v1/calls/c", &body).await.problem(422, code);
    }
    gateway.recorder.get("/v1/calls/c").await.problem(404, "unknown-call");
    assert_eq!(entries(&gateway).await, before);
    let most: Vec<Value> = (0..256).map(|n| json!({"id": format!("p{n}"), "role": "customer"})).collect();
    gateway.recorder.put("/v1/calls/c", &json!({"participants": most})).await.expect(201);
    let more = gateway.recorder.post("/v1/calls/c/participants", &person("more", "customer", "DE")).await;
    more.problem(422, "too-many-participants");
}

#[tokio::test]
async fn an_event_that_makes_no_sense_is_not_logged() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let before = entries(&gateway).await;
    for (event, code) in [
        (json!({"type": "consent.given", "participant": "nobody", "method": "dtmf"}), "unknown-participant"),
        (json!({"type": "consent.given", "method": "dtmf"}), "invalid-event"),
        (json!({"type": "consent.given", "participant": "caller"}), "invalid-event"),
        (json!({"type": "consent.given", "participant": "caller", "method": "telepathy"}), "invalid-body"),
        (
            json!({"type": "prompt.completed", "participant": "caller", "prompt": "fr", "played_ms": 4000}),
            "unknown-prompt",
        ),
        (json!({"type": "prompt.completed", "participant": "caller", "played_ms": 4000}), "invalid-event"),
        (json!({"type": "prompt.completed", "participant": "caller", "prompt": "en"}), "invalid-event"),
        (
            json!({"type": "prompt.completed", "participant": "caller", "prompt": "en", "played_ms": -1}),
            "invalid-body",
        ),
        (json!({"type": "participant.answered", "participant": "caller"}), "invalid-event"),
        (
            json!({"type": "participant.located", "participant": "caller", "location": "nowhere"}),
            "invalid-place",
        ),
        (json!({"type": "call.ended", "participant": "caller"}), "invalid-event"),
        (json!({"type": "something.else"}), "invalid-body"),
        (json!({}), "invalid-body"),
        (json!([]), "invalid-event"),
        (json!([["call.ended"]]), "invalid-body"),
        (json!(vec![json!({"type": "tone.started"}); 257]), "invalid-event"),
    ] {
        gateway.event("c", &event).await.problem(422, code);
    }
    assert_eq!(entries(&gateway).await, before);
}

/// An objection, and what is wrong with how it was sent. Heard is what it says.
#[tokio::test]
async fn what_makes_things_stricter_is_heard_whatever_is_wrong_with_it() {
    let gateway = Gateway::start().await;
    let no = |more: Value| {
        let mut event = json!({"type": "consent.declined", "participant": "caller"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let (heard, wrong) =
        (no(json!({})), json!({"type": "prompt.started", "participant": "caller", "prompt": "fr"}));
    let cases = [
        (json!([heard, wrong]), "unknown-prompt"),
        (json!([wrong, heard]), "unknown-prompt"),
        (json!([heard, {"type": "something.else"}]), "invalid-body"),
        (json!([heard, ["consent.declined"]]), "invalid-body"),
        (json!([heard, wrong, {"type": "call.ended"}]), "unknown-prompt"),
        (json!(vec![heard; 257]), "invalid-event"),
        (no(json!({"evidence": {"sha256": "abc"}})), "invalid-hash"),
        (no(json!({"evidence": {"colour": "red"}})), "invalid-body"),
        (no(json!({"id": "x".repeat(256)})), "invalid-id"),
        (no(json!({"played_ms": 4})), "invalid-event"),
        (no(json!({"at": "2026-11-20T10:00:00"})), "invalid-body"),
        (no(json!({"at": 7})), "invalid-body"),
        (no(json!({"number": "+1 555 0100"})), "invalid-event"),
        // Nothing that is wrong with another who is named, and nobody who is named at all.
        (no(json!({"participants": [""]})), "unknown-participant"),
        (no(json!({"participants": ["(others)"]})), "unknown-participant"),
        (no(json!({"participants": ["x".repeat(256)]})), "unknown-participant"),
        (no(json!({"participants": [7]})), "invalid-body"),
        (no(json!({"participants": "agent"})), "invalid-body"),
        (json!({"type": "consent.declined"}), "invalid-event"),
        (json!({"type": "consent.withdrawn", "participant": null}), "invalid-event"),
        (json!({"type": "consent.withdrawn", "participant": {"id": "caller"}}), "invalid-body"),
        (json!({"type": "consent.withdrawn", "participant": ["caller"]}), "invalid-body"),
        (no(json!({"participant": ["caller"], "participants": ["caller"]})), "invalid-body"),
    ];
    for (number, (events, code)) in cases.into_iter().enumerate() {
        let call = format!("c{number}");
        gateway.recording_in(&call, "US-CA").await;
        gateway.advance_ms(1000);
        let problem = gateway.event(&call, &events).await.problem(422, code);
        let now = gateway.decision(&call).await;
        assert_eq!((&now["recording"], &now["action"]), (&json!("blocked"), &json!("pause")), "{events}");
        let said = now["participants"][0]["state"].as_str().unwrap();
        assert!(["declined", "withdrawn"].contains(&said), "{events}: {said}");
        assert_eq!(problem["decision"], now, "{events}");
    }
    // Whenever it says that it was said.
    for (number, at) in [("1", "2026-11-20T20:00:00Z"), ("2", "2026-11-01T10:00:00Z")] {
        let call = format!("t{number}");
        gateway.recording_in(&call, "US-CA").await;
        gateway.report(&call, no(json!({"at": at}))).await;
        assert_eq!(gateway.decision(&call).await["action"], "pause", "{at}");
    }
    // Whoever says it: somebody of whom nobody had said that they are there.
    gateway.recording_in("s", "US-CA").await;
    let stranger = json!({"type": "consent.declined", "participant": "stranger"});
    let problem = gateway.event("s", &stranger).await.problem(422, "unknown-participant");
    assert_eq!(problem["decision"]["action"], "pause");
    gateway.report("s", json!({"type": "participant.left", "participant": "stranger"})).await;
    gateway.control("s", "resume").await.expect(200);
    // They came when they objected.
    gateway.recording_in("e", "US-CA").await;
    let from = gateway.now();
    gateway.advance_ms(2000);
    let earlier = json!({"type": "consent.declined", "participants": ["ghost"], "at": from});
    gateway.event("e", &earlier).await.problem(422, "unknown-participant");
    let refused = gateway.upload("e", "a", Some(from), &wav(1000)).await.problem(403, "consent-declined");
    assert!(refused["uncovered"].to_string().contains("ghost"), "{refused}");
    // Whoever comes, and whatever the platform stops.
    let joins = [
        (json!({"id": "third", "role": "customer", "location": "nowhere"}), "invalid-place"),
        (json!({"id": "third", "role": "customer", "ip": "no address"}), "invalid-address"),
        (json!({"id": "third", "role": "guest"}), "invalid-body"),
        (json!({"id": "third", "role": "customer", "colour": "red"}), "invalid-body"),
        (json!({"id": "x".repeat(256), "role": "customer"}), "invalid-id"),
    ];
    for (number, (who, code)) in joins.into_iter().enumerate() {
        let call = format!("j{number}");
        gateway.recording_in(&call, "US-CA").await;
        let problem =
            gateway.recorder.post(&format!("/v1/calls/{call}/participants"), &who).await.problem(422, code);
        assert_eq!(problem["decision"]["action"], "pause", "{who}");
        assert_eq!(gateway.decision(&call).await["recording"], "blocked", "{who}");
    }
    for (number, body) in
        [json!({"action": "pause", "colour": "red"}), json!({"action": "stop", "behavior": "skip"})]
            .into_iter()
            .enumerate()
    {
        let call = format!("p{number}");
        gateway.recording_in(&call, "US-CA").await;
        gateway.advance_ms(1000);
        let answer = gateway.recorder.post(&format!("/v1/calls/{call}/recording"), &body).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert_ne!(gateway.decision(&call).await["recorder"], "running", "{body}");
    }
}

/// What a program sends that cuts a text within a character, adds a comma, or wraps its events into something.
#[tokio::test]
async fn an_objection_is_heard_in_whatever_can_be_read_of_a_body() {
    let gateway = Gateway::start().await;
    let no = r#"{"type": "consent.withdrawn", "participant": "caller"}"#;
    let bodies: Vec<Vec<u8>> = vec![
        format!("[[{no}]]").into(),
        format!("{{\"events\": [{no}]}}").into(),
        format!("[{no},]").into(),
        format!("{no} {{\"type\": \"tone.started\"}}").into(),
        no.replace('}', r#", "reason": "no \ud83d"}"#).into(),
        no.replace('}', r#", "played_ms": 1e999}"#).into(),
        no.replace('}', &format!(", \"reason\": {}{}}}", "[".repeat(200), "]".repeat(200))).into(),
        no.get(..no.len() - 1).unwrap().into(),
        [no.trim_end_matches('}').as_bytes(), b", \"reason\": \"caf\xe9\"}"].concat(),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let call = format!("c{number}");
        gateway.recording_in(&call, "US-CA").await;
        let told = String::from_utf8_lossy(&body).into_owned();
        let answer =
            gateway.recorder.send("POST", &format!("/v1/calls/{call}/events"), &[JSON], body.into()).await;
        assert!([400, 422].contains(&answer.status), "{told}: {}", answer.text());
        let now = gateway.decision(&call).await;
        assert_eq!(now["action"], "pause", "{told}");
        assert_eq!(now["participants"][0]["state"], "withdrawn", "{told}");
    }
    // Whoever says so by mistake can say yes again.
    gateway.advance_ms(10_000);
    gateway.prompt("c0", &["caller", "agent"]).await;
    gateway.says_yes("c0", "caller", "dtmf").await;
    gateway.control("c0", "resume").await.expect(200);
    // And so is who comes, and what is stopped.
    let stops =
        [r#"[{"action": "pause"}]"#, r#"{"action": "stop", "reason": "\ud83d"}"#, r#"{"action": "stop",}"#];
    for (number, body) in stops.into_iter().enumerate() {
        let call = format!("s{number}");
        gateway.recording_in(&call, "US-CA").await;
        gateway.recorder.send("POST", &format!("/v1/calls/{call}/recording"), &[JSON], body.into()).await;
        assert_ne!(gateway.decision(&call).await["recorder"], "running", "{body}");
    }
    let arrivals = [
        r#"{"role": "customer"}"#,
        r#"{"id": 5, "role": "customer"}"#,
        r#"{"id": {"of": 5}, "role": "customer"}"#,
        r#"[{"id": "x", "role": "customer"}, {"id": "y", "role": "customer"}]"#,
        r#"{"id": "x", "role": "customer",}"#,
    ];
    for (number, body) in arrivals.into_iter().enumerate() {
        let call = format!("a{number}");
        gateway.recording_in(&call, "US-CA").await;
        let path = format!("/v1/calls/{call}/participants");
        let answer = gateway.recorder.send("POST", &path, &[JSON], body.into()).await;
        assert!([400, 422].contains(&answer.status), "{body}: {}", answer.text());
        let now = gateway.decision(&call).await;
        assert_eq!(now["action"], "pause", "{body}");
        // The platform finds them, and can say that they have left.
        for one in now["participants"].as_array().unwrap().iter().skip(2) {
            gateway.report(&call, json!({"type": "participant.left", "participant": one["id"]})).await;
        }
        gateway.control(&call, "resume").await.expect(200);
    }
    // Somebody is named in a request that opens the call anew.
    gateway.recording_in("again", "US-CA").await;
    let more = json!({"participants": [person("caller", "customer", "US-CA"), person("third", "customer", "US-CA")]});
    let problem = gateway.recorder.put("/v1/calls/again", &more).await.problem(409, "call-exists");
    assert_eq!(problem["decision"]["action"], "pause");
}

/// However much a request holds, it takes no more than the same said once.
#[tokio::test]
async fn what_is_said_very_often_in_one_request_is_said_once() {
    let gateway = Gateway::start().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(60_000);
    let before = entries(&gateway).await;
    let at = |ms: i64| from + jiff::SignedDuration::from_millis(ms);
    let pauses: Vec<Value> =
        (0..5_000).map(|n| json!({"type": "recording.paused", "at": at(9_000 - n)})).collect();
    gateway.event("c", &json!(pauses)).await.problem(422, "invalid-event");
    assert_eq!(entries(&gateway).await, before + 1);
    gateway.upload("c", "a", Some(from), &wav(4_001)).await.expect(201);
    gateway.upload("c", "b", Some(at(4_002)), &wav(100)).await.problem(403, "uncovered-audio");
    let before = entries(&gateway).await;
    let ghosts = vec!["ghost"; 50_000];
    let no = json!({"type": "consent.declined", "participants": ghosts, "at": at(1)});
    gateway.event("c", &no).await.problem(422, "unknown-participant");
    assert_eq!(entries(&gateway).await, before + 2);
    let many: Vec<String> = (0..20_000).map(|n| format!("ghost {n}")).collect();
    let no = json!({"type": "consent.declined", "participants": many});
    let problem = gateway.event("c", &no).await.problem(422, "unknown-participant");
    assert_eq!(problem["decision"]["recording"], "blocked");
    assert!(entries(&gateway).await < before + 20);
}

/// Of somebody of whom no place is known, unknown is the strictest.
#[tokio::test]
async fn nothing_is_made_looser_by_a_request_that_is_refused() {
    let gateway = Gateway::start().await;
    for (number, (path, body)) in [
        ("events", json!({"type": "participant.located", "participant": "x", "location": ["US-NY", "Calif."]})),
        ("events", json!({"type": "participant.located", "participant": "x", "location": "US-NY", "number": 14_155_550_100_u64})),
        ("events", json!([{"type": "participant.located", "participant": "x", "location": "US-NY"}, {"type": "odd"}])),
        ("participants", json!({"id": "x", "role": "customer", "location": ["US-NY", "Calif."]})),
    ]
    .into_iter()
    .enumerate()
    {
        let call = format!("c{number}");
        gateway.recording_in(&call, "US-NY").await;
        let located = json!({"type": "participant.located", "participant": "agent", "location": "US-NY"});
        gateway.report(&call, located).await;
        let x = json!({"id": "x", "role": "customer"});
        gateway.recorder.post(&format!("/v1/calls/{call}/participants"), &x).await.expect(201);
        assert_eq!(gateway.decision(&call).await["recording"], "blocked");
        let answer = gateway.recorder.post(&format!("/v1/calls/{call}/{path}"), &body).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
        let now = gateway.decision(&call).await;
        assert_eq!(now["recording"], "blocked", "{body}: {now}");
    }
}

/// Between two calls of one id nobody is on either: an objection from then counts for the call that goes on.
#[tokio::test]
async fn an_objection_dated_before_a_call_was_opened_anew_counts_on_it_unless_they_were_on_the_one_before() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(5_000);
    let during = gateway.now();
    gateway.advance_ms(5_000);
    gateway.report("c", json!({"type": "call.ended"})).await;
    gateway.advance_ms(500);
    let between = gateway.now();
    gateway.advance_ms(500);
    for (who, at) in [("agent", between), ("new", between), ("new", during)] {
        let people = json!([
            person("caller", "customer", "US-CA"),
            person("agent", "agent", "US-CA"),
            person("new", "customer", "US-CA"),
        ]);
        gateway.open_with("c", people, json!({})).await;
        gateway.prompt("c", &["caller", "agent", "new"]).await;
        for one in ["caller", "agent", "new"] {
            gateway.says_yes("c", one, "dtmf").await;
        }
        gateway.control("c", "start").await.expect(200);
        let no = json!({"type": "consent.withdrawn", "participant": who, "at": at});
        let decision = gateway.report("c", no).await;
        assert_eq!(decision["action"], "pause", "{who} at {at}: {decision}");
        gateway.report("c", json!({"type": "call.ended"})).await;
        gateway.advance_ms(1_000);
    }
}

/// New York asks for one party's consent, California for everybody's.
#[tokio::test]
async fn every_place_that_can_be_read_counts_whatever_is_wrong_with_the_others() {
    let gateway = Gateway::start().await;
    let many: Vec<String> = (0..5000).map(|n| format!("place {n}")).collect();
    let of_all = [many, vec!["US-CA".to_owned()]].concat();
    let moves = [
        (json!({"location": of_all}), "too-many-places"),
        (json!({"location": ["nowhere", "US-CA"]}), "invalid-place"),
        (json!({"location": ["US-CA", 7]}), "invalid-body"),
        (json!({"location": "US-CA", "ip": "no address"}), "invalid-address"),
        (json!({"location": "US-CA", "number": "no number"}), "invalid-number"),
        (json!({"location": "US-CA", "colour": "red"}), "invalid-body"),
    ];
    for (number, (place, code)) in moves.iter().enumerate() {
        for joins in [false, true] {
            let call = format!("m{number}{joins}");
            gateway.recording_in(&call, "US-NY").await;
            let left = json!({"type": "participant.located", "participant": "agent", "location": "US-NY"});
            gateway.report(&call, left).await;
            let mut body = place.clone();
            let path = if joins {
                body["id"] = json!("caller");
                body["role"] = json!("customer");
                format!("/v1/calls/{call}/participants")
            } else {
                body["type"] = json!("participant.located");
                body["participant"] = json!("caller");
                format!("/v1/calls/{call}/events")
            };
            let problem = gateway.recorder.post(&path, &body).await.problem(422, code);
            let decision = gateway.decision(&call).await;
            assert_eq!(problem["decision"], decision, "{body}");
            assert!(
                decision["participants"][0]["places"].to_string().contains("US-CA"),
                "{body}: {decision}"
            );
        }
    }
}

#[tokio::test]
async fn an_array_of_events_is_logged_as_a_whole_or_not_at_all() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let before = entries(&gateway).await;
    let heard = json!({"type": "prompt.completed", "prompt": "en", "participants": ["caller", "agent"], "played_ms": 4000});
    let wrong = json!({"type": "consent.given", "participant": "nobody", "method": "dtmf"});
    gateway.event("c", &json!([heard, wrong])).await.problem(422, "unknown-participant");
    let ended = json!({"type": "call.ended"});
    gateway.event("c", &json!([ended, heard])).await.problem(409, "call-ended");
    assert_eq!(entries(&gateway).await, before);
    super::is_blocked(&gateway.decision("c").await);
    super::is_permitted(&gateway.report("c", json!([heard, {"type": "tone.started"}])).await);
    assert_eq!(entries(&gateway).await, before + 2);
}

#[tokio::test]
async fn an_event_sent_again_is_harmless_and_its_id_is_for_nothing_else() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let no = json!({"type": "consent.declined", "participant": "caller", "id": "e1"});
    gateway.report("c", no.clone()).await;
    let before = entries(&gateway).await;
    gateway.report("c", no.clone()).await;
    gateway.report("c", json!([no, no])).await;
    assert_eq!(entries(&gateway).await, before);
    let other = json!({"type": "participant.left", "participant": "agent", "id": "e1"});
    gateway.event("c", &other).await.problem(409, "event-id-reused");
    let fresh = |who: &str| json!({"type": "participant.left", "participant": who, "id": "e2"});
    gateway.event("c", &json!([fresh("caller"), fresh("agent")])).await.problem(409, "event-id-reused");
    assert_eq!(entries(&gateway).await, before);
    // An objection is heard, whatever its id was used for.
    let objection = json!({"type": "consent.declined", "participant": "agent", "id": "e1"});
    let problem = gateway.event("c", &objection).await.problem(409, "event-id-reused");
    assert_eq!(problem["decision"]["participants"][1]["state"], "declined");
    gateway.open("d", "US-CA").await;
    gateway.report("d", other).await;
}

#[tokio::test]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let gateway = Gateway::start().await;
    let put = async |headers: &[(&str, &str)], body: Bytes| {
        gateway.recorder.send("PUT", "/v1/calls/c", headers, body).await
    };
    for body in ["", "{", "{\"medium\": }", "\u{0}", "medium=telephone"] {
        put(&[JSON], body.into()).await.problem(400, "malformed-json");
    }
    put(&[JSON], Bytes::from_static(b"{\"medium\": \"\xff\"}")).await.problem(400, "malformed-json");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        put(&[("content-type", kind)], "{}".into()).await.problem(415, "not-json");
    }
    let large = format!("{{\"purposes\": [\"{}\"]}}", "x".repeat(1024 * 1024));
    put(&[JSON], large.into()).await.problem(413, "body-too-large");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let answer = put(&[JSON], deep.into()).await;
    assert!([400, 422].contains(&answer.status), "{}", answer.text());
    put(&[("content-type", "application/json; charset=utf-8")], "{}".into()).await.expect(201);
}

#[tokio::test]
async fn ids_are_opaque_percent_encoded_and_bounded() {
    let gateway = Gateway::start().await;
    let open = async |id: &str| gateway.recorder.put(&format!("/v1/calls/{id}"), &json!({})).await;
    for id in [
        "a%2Fb",
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e",
        "sip:x@example.org",
        "%C3%A9",
        "%20",
        "a%25b",
        "%3Cscript%3E",
    ] {
        open(id).await.expect(201);
        gateway.recorder.get(&format!("/v1/calls/{id}")).await.expect(200);
    }
    assert_eq!(gateway.recorder.get("/v1/calls/a%2Fb").await.expect(200)["call"], "a/b");
    open(&"x".repeat(255)).await.expect(201);
    for id in
        ["x".repeat(256), "%C3%A9".repeat(128), "a%00b".into(), "a%0Ab".into(), "%7F".into(), "%C2%85".into()]
    {
        open(&id).await.problem(422, "invalid-id");
    }
    open("%FF").await.problem(400, "invalid-path");
    open("a%C3").await.problem(400, "invalid-path");
    for id in ["not-a-uuid", "..%2f..", "%00"] {
        gateway.listener.get(&format!("/v1/recordings/{id}")).await.problem(404, "not-found");
    }
    gateway.recorder.get("/v1/jurisdictions/California").await.problem(422, "invalid-place");
    gateway.recorder.get("/v1/jurisdictions/ZZ").await.problem(404, "no-row");
}

#[tokio::test]
async fn audio_that_is_none_is_refused_and_nothing_of_it_is_kept() {
    let gateway = Gateway::start().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(60_000);
    let before = entries(&gateway).await;
    let good = wav(2000);
    let mut lies_long = good.clone();
    lies_long[40..44].copy_from_slice(&u32::to_le_bytes(1_000_000));
    let mut no_rate = good.clone();
    no_rate[24..28].copy_from_slice(&[0; 4]);
    let mut odd_codec = good.clone();
    odd_codec[20] = 0x55;
    let text = b"<html>this is an error page of some proxy</html>".repeat(100);
    for (what, audio) in [
        ("empty", &[][..]),
        ("text", &text),
        ("zeros", &[0u8; 10_000]),
        ("only a header", &good[..44]),
        ("half a header", &good[..20]),
        ("shorter than it says", &lies_long),
        ("no rate", &no_rate),
        ("another codec", &odd_codec),
        ("riff only", b"RIFF"),
        ("mp3 tag only", b"ID3\x04\0\0\0\0\0\0"),
        ("ogg page only", b"OggS\0\x02"),
    ] {
        let answer = gateway.upload("c", "a", Some(from), audio).await;
        assert_eq!(answer.status, 415, "{what}: {}", answer.text());
        answer.problem(415, "unmeasurable-audio");
        assert_eq!(gateway.stored_files(), 0, "{what}");
    }
    assert_eq!(entries(&gateway).await, before);
    gateway.upload("c", "a", Some(from), &good).await.expect(201);
}

#[tokio::test]
async fn a_wav_whose_header_says_less_than_it_holds_is_measured_by_what_it_holds_or_refused() {
    let gateway = Gateway::start().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(1000);
    gateway.control("c", "pause").await.expect(200);
    // A header that speaks of half a second, and ten seconds of audio behind it.
    let mut audio = wav_of(8000, &tone(8000, 10_000));
    audio[40..44].copy_from_slice(&u32::to_le_bytes(8000));
    let answer = gateway.upload("c", "a", Some(from), &audio).await;
    assert!([403, 415].contains(&answer.status), "{}", answer.text());
    assert_eq!(gateway.stored_files(), 0);
}

#[tokio::test]
async fn an_upload_larger_than_allowed_is_413_and_nothing_of_it_is_kept() {
    let upload = Upload { max_bytes: 20_000, ..Upload::default() };
    let gateway = Gateway::with(Config { upload, ..Config::default() }, AccountSettings::default()).await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(10_000);
    gateway.upload("c", "a", Some(from), &wav(2000)).await.problem(413, "body-too-large");
    assert_eq!(gateway.stored_files(), 0);
    gateway.upload("c", "a", Some(from), &wav(1000)).await.expect(201);
}

#[tokio::test]
async fn uploads_to_what_is_not_there_are_refused_and_nothing_is_kept() {
    let gateway = Gateway::start().await;
    gateway.upload("nobody", "a", None, &wav(1000)).await.problem(404, "unknown-call");
    gateway.recording_in("c", "US-CA").await;
    gateway.upload("c", &"x".repeat(256), None, &wav(1000)).await.problem(422, "invalid-id");
    gateway.upload("c", "a%00", None, &wav(1000)).await.problem(422, "invalid-id");
    gateway.registrar.upload("/v1/calls/c/recordings/a", &[], &wav(1000)).await.problem(403, "wrong-role");
    assert_eq!(gateway.stored_files(), 0);
}

#[tokio::test]
async fn an_upload_that_breaks_off_keeps_nothing() {
    let gateway = Gateway::start().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(10_000);
    let audio = wav(5000);
    let mut stream = TcpStream::connect(gateway.recorder.address).await.unwrap();
    stream.write_all(head(&gateway, audio.len(), &from.to_string()).as_bytes()).await.unwrap();
    stream.write_all(&audio[..audio.len() / 2]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains(" 201 "));
    let all = gateway.auditor.get("/v1/recordings").await.expect(200);
    assert_eq!(all["recordings"], json!([]));
    gateway.upload("c", "a", Some(from), &audio).await.expect(201);
    assert_eq!(gateway.stored_files(), 2, "media and envelope of the one that came whole");
}

#[tokio::test]
async fn a_client_that_sends_everything_before_it_reads_can_read_its_refusal() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let audio = vec![0x55; 20 * 1024 * 1024];
    let mut stream = TcpStream::connect(gateway.recorder.address).await.unwrap();
    let from = gateway.now().to_string();
    stream.write_all(head(&gateway, audio.len(), &from).as_bytes()).await.unwrap();
    stream.write_all(&audio).await.expect("the gateway takes all of it");
    let mut answer = vec![0; 16 * 1024];
    let read = stream.read(&mut answer).await.expect("the connection was not reset");
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("consent-required"), "{answer}");
    assert_eq!(gateway.stored_files(), 0);
}

fn head(gateway: &Gateway, length: usize, from: &str) -> String {
    format!(
        "PUT /v1/calls/c/recordings/a HTTP/1.1\r\nhost: gateway\r\nauthorization: {}\r\n\
         content-length: {length}\r\nrecording-start: {from}\r\n\r\n",
        gateway.recorder.authorization.as_deref().unwrap()
    )
}

#[tokio::test]
async fn prompts_and_grants_that_make_no_sense_are_not_registered() {
    let gateway = Gateway::start().await;
    let before = entries(&gateway).await;
    let prompt = |more: Value| {
        let mut body = json!({"text": "x", "language": "en", "duration_ms": 1000});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, code) in [
        (json!({"text": " "}), "invalid-prompt"),
        (json!({"text": "x".repeat(16_385)}), "invalid-prompt"),
        (json!({"duration_ms": 999}), "invalid-prompt"),
        (json!({"duration_ms": 600_001}), "invalid-prompt"),
        (json!({"language": ""}), "invalid-language"),
        (json!({"language": "english"}), "invalid-language"),
        (json!({"purposes": ["a\tb"]}), "invalid-id"),
        (json!({"sha256": "xyz"}), "invalid-hash"),
        (json!({"delivery": "shouted"}), "invalid-body"),
    ] {
        gateway.counsel.put("/v1/prompts/p", &prompt(more)).await.problem(422, code);
    }
    for body in [
        json!({"subject": "", "role": "agent", "basis": "b"}),
        json!({"subject": "s", "role": "agent", "basis": ""}),
    ] {
        gateway.counsel.put("/v1/consent-grants/g", &body).await.problem(422, "invalid-id");
    }
    gateway
        .counsel
        .put(&format!("/v1/prompts/{}", "x".repeat(256)), &prompt(json!({})))
        .await
        .problem(422, "invalid-id");
    assert_eq!(entries(&gateway).await, before);
}

/// An event is read once, whoever reads it: what the server refuses, `decide` refuses for the same reason, and
/// what counts on the server counts there.
#[tokio::test]
async fn decide_reads_events_as_the_server_does() {
    let gateway = Gateway::start().await;
    let prompt = crate::harness::telling(json!({"text": "Hello.", "language": "en", "duration_ms": 4000}));
    gateway.counsel.put("/v1/prompts/p", &prompt).await.expect(201);
    let (started, at) = (gateway.now(), gateway.now());
    let table = std::sync::Arc::new(Table::parse(DEFAULT_TABLE).unwrap());
    let (locator, clock) = (Locator::new(None).unwrap(), Clock::manual(at));
    let given = json!({"type": "consent.given", "participant": "caller", "method": "dtmf", "id": "1"});
    let played = json!({"type": "prompt.completed", "participants": ["caller", "agent"], "prompt": "p", "played_ms": 4000});
    let mut agree = 0;
    for (number, events) in [
        json!([given]),
        json!([given, given]),
        json!([played, given]),
        json!([given, {"type": "consent.declined", "participant": "caller", "id": "1"}]),
        json!([{"type": "participant.answered", "participants": ["caller", "agent"], "by": "machine", "method": "dtmf", "played_ms": 5}]),
        json!([{"type": "participant.answered", "participants": ["caller", "agent"], "by": "machine"}]),
        json!([{"type": "participant.answered", "participant": "caller"}]),
        json!([{"type": "participant.left", "participant": "caller"}, given]),
        json!([{"type": "participant.left", "participant": "caller"}, {"type": "consent.withdrawn", "participant": "caller"}]),
        json!([{"type": "participant.left", "participants": ["caller", "nobody"]}]),
        json!([{"type": "consent.given", "participant": "caller"}]),
        json!([{"type": "consent.given", "method": "dtmf"}]),
        json!([{"type": "consent.given", "participant": "others", "method": "dtmf"}]),
        json!([{"type": "consent.given", "participant": "caller", "method": "dtmf", "evidence": {"sha256": "no"}}]),
        json!([{"type": "consent.given", "participant": "caller", "method": "dtmf", "id": "x".repeat(300)}]),
        json!([{"type": "consent.given", "participant": "caller", "method": "dtmf", "number": "+15555550100"}]),
        json!([{"type": "call.ended"}, given]),
        json!([{"type": "call.ended"}, {"type": "consent.declined", "participant": "caller"}]),
        json!([{"type": "call.ended", "participants": ["caller"]}]),
        json!([{"type": "call.ended"}, {"type": "announcement.recorded", "participant": "caller", "at": at}]),
        json!([{"type": "prompt.completed", "participant": "caller", "prompt": "p"}]),
        json!([{"type": "prompt.completed", "participant": "caller", "played_ms": 4000}]),
        json!([{"type": "prompt.started", "participant": "caller"}]),
        json!([{"type": "prompt.interrupted", "participant": "caller"}]),
        json!([{"type": "participant.located", "participant": "caller", "location": "Mars"}]),
        json!([{"type": "participant.located", "participant": "caller", "location": vec!["US-CA"; 17]}]),
        json!([{"type": "participant.located", "participants": ["caller", "agent"], "location": "DE"}]),
        json!([{"type": "participant.located", "participant": "caller", "number": "12"}]),
        json!([{"type": "participant.located", "participant": "caller", "location": "DE"}]),
        json!([{"type": "recording.paused", "participant": "caller"}]),
        json!([{"type": "tone.started", "played_ms": 3}]),
    ]
    .into_iter()
    .enumerate()
    {
        let opened = json!({"medium": "telephone", "started_at": started, "participants": two("US-CA")});
        let call = format!("/v1/calls/c{number}");
        gateway.recorder.put(&call, &opened).await.expect(201);
        let answer = gateway.recorder.post(&format!("{call}/events"), &events).await;
        let mut facts = opened.clone();
        facts["events"] = events.clone();
        facts["at"] = json!(at);
        match offline::decide(&table, &locator, &clock, &facts.to_string()) {
            Ok(decision) => {
                let told = answer.expect(201);
                let decision = json!(decision);
                for part in ["recording", "action", "requirement", "missing"] {
                    assert_eq!(told[part], decision[part], "{part} after {events}");
                }
                agree += 1;
            }
            Err(FactsError::Refused(why)) => {
                assert_eq!(answer.json()["code"], why.code().as_str(), "{events}: {}", answer.text());
            }
            Err(error @ FactsError::Unfit(_)) => panic!("{events}: {error:?}"),
        }
    }
    assert!(agree >= 7, "most are refused by both: {agree}");
}
