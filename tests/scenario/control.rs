//! Start, pause, resume, stop.

use serde_json::{Value, json};
use trail::Actor;

use super::{is_blocked, is_permitted, person, two};
use crate::harness::{Answer, Gateway, tone, wav, wav_of};

async fn windows(gateway: &Gateway, call: &str) -> Vec<Value> {
    let windows = gateway.timeline(call).await["windows"].as_array().unwrap().clone();
    windows.into_iter().map(|window| window["closed_by"].clone()).collect()
}

/// RFC 7240, section 4.2.
#[tokio::test]
async fn whoever_prefers_a_minimal_answer_is_told_what_to_do_in_headers() {
    let gateway = Gateway::start().await;
    let ask = async |prefers: &[&str], method: &str, path: &str, body: Value| {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(prefers.iter().map(|prefers| ("prefer", *prefers)));
        gateway.recorder.send(method, &format!("/v1/calls/c{path}"), &headers, body.to_string().into()).await
    };
    let minimal = ["return=minimal"];
    let told = |answer: &Answer| {
        let header =
            |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        assert_eq!(header("vary"), "Prefer");
        if answer.status == 204 {
            assert_eq!((answer.body.len(), header("preference-applied").as_str()), (0, "return=minimal"));
        }
        (answer.status, header("recording-verdict"), header("recording-action"))
    };
    let says = |status, verdict: &str, action: &str| (status, verdict.to_owned(), action.to_owned());
    let opened = json!({"medium": "telephone", "purposes": ["quality"], "participants": two("US-CA")});
    assert_eq!(told(&ask(&minimal, "PUT", "", opened.clone()).await), says(204, "blocked", "none"));
    let heard = json!({"type": "prompt.completed", "prompt": "en", "participants": ["caller", "agent"], "played_ms": 4000});
    gateway.advance_ms(4000);
    assert_eq!(told(&ask(&minimal, "POST", "/events", heard).await), says(204, "permitted", "none"));
    assert_eq!(
        told(
            &ask(&["wait=5, Return = \"minimal\"; x=1"], "POST", "/recording", json!({"action": "start"}))
                .await
        ),
        says(204, "permitted", "none")
    );
    let late = json!({"id": "late", "role": "customer", "location": "DE"});
    assert_eq!(told(&ask(&minimal, "POST", "/participants", late).await), says(204, "blocked", "pause"));
    // What was asked first counts; what nobody knows is left out; a refusal says why in any case.
    let same = async |prefers: &[&str]| ask(prefers, "PUT", "", opened.clone()).await;
    for prefers in [&["return=representation", "return=minimal"][..], &["respond-async"], &["return"], &[]] {
        let answer = same(prefers).await;
        assert_eq!((answer.status, told(&answer)), (200, says(200, "", "")), "{prefers:?}");
        assert!(answer.headers.get("preference-applied").is_none());
    }
    let refused = ask(&minimal, "POST", "/recording", json!({"action": "resume"})).await;
    assert_eq!(refused.problem(403, "consent-required")["decision"]["action"], "pause");
}

#[tokio::test]
async fn pause_resume_and_stop_make_windows_and_only_those_are_covered() {
    let gateway = Gateway::start().await;
    let first = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(5000);
    assert_eq!(gateway.control("c", "pause").await.expect(200)["recorder"], "suspended");
    gateway.advance_ms(5000);
    assert_eq!(gateway.control("c", "resume").await.expect(200)["recorder"], "running");
    let second = gateway.now();
    gateway.advance_ms(5000);
    assert_eq!(gateway.control("c", "stop").await.expect(200)["recorder"], "stopped");
    assert_eq!(windows(&gateway, "c").await, [json!("pause"), json!("stop")]);
    let refused = gateway.upload("c", "a", Some(first), &wav(15_000)).await.problem(403, "uncovered-audio");
    let uncovered = &refused["uncovered"][0];
    assert_eq!((&uncovered["offset_ms"], &uncovered["duration_ms"]), (&json!(5000), &json!(5000)));
    let until: jiff::Timestamp = uncovered["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(until, second);
    let timeline = format!("{first}/PT5S, {second}/PT5S");
    gateway.upload_with("c", "a", &[("recording-timeline", &timeline)], &wav(10_000)).await.expect(201);
}

#[tokio::test]
async fn seconds_paused_with_silence_pass_where_they_are_silent_and_only_there() {
    let gateway = Gateway::start().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(5000);
    let pause = json!({"action": "pause", "behavior": "silence", "reason": "a card number"});
    gateway.recorder.post("/v1/calls/c/recording", &pause).await.expect(200);
    gateway.advance_ms(5000);
    gateway.control("c", "resume").await.expect(200);
    gateway.advance_ms(5000);
    let mut samples = tone(8000, 15_000);
    gateway.upload("c", "a", Some(from), &wav_of(8000, &samples)).await.problem(403, "uncovered-audio");
    samples[5 * 8000..10 * 8000].fill(0);
    samples[7 * 8000..7 * 8000 + 800].fill(8000);
    gateway.upload("c", "a", Some(from), &wav_of(8000, &samples)).await.problem(403, "uncovered-audio");
    assert_eq!(gateway.stored_files(), 0);
    samples[5 * 8000..10 * 8000].fill(0);
    gateway.upload("c", "a", Some(from), &wav_of(8000, &samples)).await.expect(201);
}

#[tokio::test]
async fn asking_again_for_what_is_so_already_changes_nothing() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-CA").await;
    for (action, recorder) in [
        ("start", "running"),
        ("resume", "running"),
        ("pause", "suspended"),
        ("pause", "suspended"),
        ("stop", "stopped"),
        ("stop", "stopped"),
    ] {
        gateway.advance_ms(1000);
        assert_eq!(gateway.control("c", action).await.expect(200)["recorder"], recorder);
    }
    assert_eq!(windows(&gateway, "c").await, [json!("pause")]);
}

#[tokio::test]
async fn a_recording_that_was_stopped_may_be_started_anew() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(1000);
    gateway.control("c", "stop").await.expect(200);
    gateway.control("c", "resume").await.problem(409, "not-recording");
    gateway.advance_ms(1000);
    gateway.control("c", "start").await.expect(200);
    assert_eq!(windows(&gateway, "c").await, [json!("stop"), Value::Null]);
}

#[tokio::test]
async fn what_has_not_been_started_can_be_neither_paused_nor_resumed_nor_stopped() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    for action in ["pause", "resume", "stop"] {
        gateway.control("c", action).await.problem(409, "not-recording");
    }
    for action in ["start", "resume", "stop"] {
        let odd = json!({"action": action, "behavior": "silence"});
        gateway.recorder.post("/v1/calls/c/recording", &odd).await.problem(422, "invalid-control");
    }
}

#[tokio::test]
async fn a_pause_does_not_unmake_a_suspension() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-CA").await;
    gateway.joins("c", &person("third", "customer", "US-CA")).await;
    gateway.control("c", "pause").await.expect(200);
    gateway.control("c", "resume").await.problem(403, "consent-required");
    gateway.control("c", "start").await.problem(403, "consent-required");
}

#[tokio::test]
async fn without_a_usable_key_recording_may_not_start_and_nothing_is_taken_in() {
    let gateway = Gateway::start().await;
    gateway.recording_in("before", "US-CA").await;
    let from = gateway.now();
    gateway.advance_ms(1000);
    for key in gateway.gate().ledger().keys("acme").await.unwrap() {
        gateway.gate().retire_key(&Actor::command_line(), "acme", &key.id).await.unwrap();
    }
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    let refused = gateway.control("c", "start").await.problem(403, "no-usable-key");
    assert_eq!(refused["decision"]["recording"], "permitted");
    let refused = gateway.upload("before", "a", Some(from), &wav(1000)).await.problem(403, "no-usable-key");
    assert_eq!(refused["source"], "retry");
    assert_eq!(gateway.stored_files(), 0);
}

#[tokio::test]
async fn after_the_end_of_the_call_nothing_starts_and_nothing_loosens() {
    let gateway = Gateway::start().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(1000);
    let decision = gateway.report("c", json!({"type": "call.ended"})).await;
    is_blocked(&decision);
    assert_eq!(windows(&gateway, "c").await, [json!("call.ended")]);
    for action in ["start", "pause", "resume", "stop"] {
        gateway.control("c", action).await.problem(409, "call-ended");
    }
    let yes = json!({"type": "consent.given", "participant": "caller", "method": "dtmf"});
    gateway.event("c", &yes).await.problem(409, "call-ended");
    let joins = gateway.recorder.post("/v1/calls/c/participants", &person("late", "customer", "US-CA")).await;
    joins.problem(409, "call-ended");
    gateway.upload("c", "a", Some(from), &wav(1000)).await.expect(201);
}

#[tokio::test]
async fn an_id_that_is_used_again_after_the_end_is_a_new_call() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-CA").await;
    let body = |started: jiff::Timestamp| json!({"medium": "telephone", "started_at": started, "purposes": ["quality"], "participants": two("US-CA")});
    gateway.recorder.put("/v1/calls/c", &body(gateway.ago(1))).await.problem(409, "call-exists");
    gateway.report("c", json!({"type": "call.ended"})).await;
    gateway.advance_ms(60_000);
    let again = body(gateway.now());
    is_blocked(&gateway.recorder.put("/v1/calls/c", &again).await.expect(201));
    gateway.recorder.put("/v1/calls/c", &again).await.expect(200);
    gateway.control("c", "start").await.problem(403, "consent-required");
    gateway.upload("c", "a", Some(gateway.now()), &wav(1000)).await.problem(403, "consent-required");
    assert_eq!(gateway.timeline("c").await["windows"], json!([]));
}

#[tokio::test]
async fn an_alias_finds_the_same_call_and_belongs_to_one_open_call() {
    let gateway = Gateway::start().await;
    gateway.open_with("c", two("US-CA"), json!({"aliases": ["leg-1", "leg-2"]})).await;
    is_permitted(&gateway.prompt("leg-1", &["caller", "agent"]).await);
    gateway.control("leg-2", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(1000);
    let stored = gateway.upload("leg-1", "a", Some(from), &wav(1000)).await.expect(201);
    assert_eq!(stored["call"], "c");
    assert_eq!(gateway.upload("c", "a", Some(from), &wav(1000)).await.expect(200)["id"], stored["id"]);
    assert_eq!(gateway.recorder.get("/v1/calls/leg-2").await.expect(200)["call"], "c");
    let other = json!({"medium": "telephone", "aliases": ["leg-2"], "participants": []});
    gateway.recorder.put("/v1/calls/d", &other).await.problem(409, "alias-in-use");
    gateway.report("c", json!({"type": "call.ended"})).await;
    gateway.recorder.put("/v1/calls/d", &other).await.expect(201);
    assert_eq!(gateway.recorder.get("/v1/calls/leg-2").await.expect(200)["call"], "d");
}

#[tokio::test]
async fn what_the_platform_does_by_itself_grants_nothing() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    let decision = gateway.report("c", json!({"type": "recording.started"})).await;
    assert_eq!(decision["recorder"], "running");
    let from = gateway.now();
    gateway.advance_ms(2000);
    gateway.upload("c", "a", Some(from), &wav(1000)).await.problem(403, "consent-required");
    gateway.control("c", "start").await.expect(200);
    let granted = gateway.now();
    gateway.advance_ms(2000);
    gateway.report("c", json!({"type": "recording.paused"})).await;
    gateway.advance_ms(2000);
    gateway.report("c", json!({"type": "recording.resumed"})).await;
    gateway.advance_ms(2000);
    gateway.upload("c", "a", Some(granted), &wav(6000)).await.problem(403, "uncovered-audio");
    gateway.upload("c", "a", Some(granted), &wav(2000)).await.expect(201);
}
