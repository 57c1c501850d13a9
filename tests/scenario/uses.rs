//! Other uses of a call's audio than recording: each needs its own permit.

use serde_json::{Value, json};

use super::questions::{ask, entries};
use super::{is_blocked, is_permitted, person, two};
use crate::desk::{Desk, NOTICE, Text};
use crate::harness::{Answer, Gateway};

async fn prompt(gateway: &Gateway, id: &str, purposes: &[&str]) {
    let body = crate::harness::telling(
        json!({"text": "Recorded.", "language": "en", "duration_ms": 4000, "purposes": purposes}),
    );
    gateway.counsel.put(&format!("/v1/prompts/{id}"), &body).await.expect(201);
}

async fn hear(gateway: &Gateway, call: &str, prompt: &str) -> Value {
    let event = json!({"type": "prompt.completed", "prompt": prompt, "participants": ["caller", "agent"], "played_ms": 4000});
    gateway.report(call, event).await
}

async fn control(gateway: &Gateway, call: &str, body: Value) -> Answer {
    gateway.recorder.post(&format!("/v1/calls/{call}/recording"), &body).await
}

async fn asks(gateway: &Gateway, call: &str, action: &str, of: &str, purposes: &[&str]) -> Answer {
    control(gateway, call, json!({"action": action, "use": of, "purposes": purposes})).await
}

/// What a decision says of a use: whether it is permitted, what the platform does and what it should do.
#[track_caller]
fn says(decision: &Value, of: &str) -> [String; 3] {
    let uses = decision["uses"].as_array().unwrap();
    let one = uses.iter().find(|one| one["use"] == of).unwrap_or_else(|| panic!("no {of}: {decision}"));
    ["recording", "recorder", "action"].map(|member| one[member].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_use_is_granted_for_what_everybody_was_told_and_for_nothing_else() {
    let gateway = Gateway::start().await;
    prompt(&gateway, "notes", &["transcription"]).await;
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    let recorded = gateway.control("c", "start").await.expect(200);
    assert_eq!(recorded["uses"].as_array().unwrap().len(), 1, "nothing else was asked for: {recorded}");
    assert_eq!(says(&recorded, "record"), ["permitted", "running", "none"]);
    // By default a use is for what the call is for, which they were told.
    let streamed = control(&gateway, "c", json!({"action": "start", "use": "stream"})).await.expect(200);
    assert_eq!(says(&streamed, "stream"), ["permitted", "running", "none"]);
    // They were not told that anything is written down.
    let refused =
        asks(&gateway, "c", "start", "transcribe", &["transcription"]).await.problem(403, "consent-required");
    assert_eq!(refused["missing"][0]["needs"], json!([["prompt.completed"]]), "{refused}");
    assert_eq!(says(&refused["decision"], "transcribe"), ["blocked", "idle", "none"]);
    assert_eq!(says(&refused["decision"], "record"), ["permitted", "running", "none"]);
    assert!(refused["detail"].as_str().unwrap().starts_with("the use `transcribe` may not start: "));
    assert_eq!(
        gateway.decision("c").await["uses"].as_array().unwrap().len(),
        2,
        "what was refused is not kept"
    );
    // A prompt for that alone counts for that alone.
    hear(&gateway, "c", "notes").await;
    let granted = asks(&gateway, "c", "start", "transcribe", &["transcription"]).await.expect(200);
    assert_eq!(says(&granted, "transcribe"), ["permitted", "running", "none"]);
    let all = &granted["uses"];
    assert_eq!(all[2]["purposes"], json!(["transcription"]), "{all}");
    let timeline = gateway.timeline("c").await;
    assert_eq!(
        (&timeline["uses"][0]["use"], &timeline["uses"][1]["use"]),
        (&json!("stream"), &json!("transcribe"))
    );
    assert_eq!(timeline["uses"][1]["windows"][0]["until"], json!(null), "{timeline}");
    let ended = control(&gateway, "c", json!({"action": "stop", "use": "stream"})).await.expect(200);
    assert_eq!(says(&ended, "stream")[1], "stopped");
    assert_eq!(says(&ended, "transcribe")[1], "running");
    is_permitted(&ended);
    let kinds: Vec<String> = entries(&ask(&gateway.auditor, "call=c").await)
        .iter()
        .map(|entry| entry["entry"]["type"].as_str().unwrap().to_owned())
        .filter(|kind| kind.starts_with("use."))
        .collect();
    assert_eq!(kinds, ["use.start", "use.control-refused", "use.start", "use.stop"]);
}

#[tokio::test]
async fn an_objection_ends_every_use_and_none_resumes_by_itself() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-CA").await;
    control(&gateway, "c", json!({"action": "start", "use": "analyse"})).await.expect(200);
    let objected = gateway.happens("c", "consent.withdrawn", "caller").await;
    assert_eq!(says(&objected, "record"), ["blocked", "suspended", "pause"]);
    assert_eq!(says(&objected, "analyse"), ["blocked", "suspended", "pause"]);
    let stopped = control(&gateway, "c", json!({"action": "stop", "use": "analyse"})).await.expect(200);
    assert_eq!(says(&stopped, "analyse"), ["blocked", "stopped", "none"]);
    assert_eq!(says(&stopped, "record"), ["blocked", "suspended", "pause"], "of that nothing was said");
    gateway.advance_ms(5_000);
    gateway.prompt("c", &["caller"]).await;
    let agreed = gateway.says_yes("c", "caller", "dtmf").await;
    assert_eq!(says(&agreed, "record"), ["permitted", "suspended", "resume"]);
    assert_eq!(says(&agreed, "analyse"), ["permitted", "stopped", "none"]);
}

#[tokio::test]
async fn somebody_who_was_told_less_suspends_the_use_and_leaves_the_recording() {
    let gateway = Gateway::start().await;
    prompt(&gateway, "both", &["quality", "transcription"]).await;
    gateway.open("c", "US-CA").await;
    hear(&gateway, "c", "both").await;
    gateway.control("c", "start").await.expect(200);
    asks(&gateway, "c", "start", "transcribe", &["transcription"]).await.expect(200);
    // Whoever joins is asked for both; the prompt of the call is enough for its recording.
    let joined = gateway.joins("c", &person("colleague", "agent", "US-CA")).await;
    assert_eq!(says(&joined, "transcribe"), ["blocked", "suspended", "pause"]);
    gateway.advance_ms(5_000);
    let told = gateway.prompt("c", &["colleague"]).await;
    assert_eq!(says(&told, "record"), ["permitted", "suspended", "resume"]);
    assert_eq!(says(&told, "transcribe"), ["blocked", "suspended", "pause"]);
    gateway.control("c", "resume").await.expect(200);
    let refused = control(&gateway, "c", json!({"action": "resume", "use": "transcribe"}))
        .await
        .problem(403, "consent-required");
    assert_eq!(refused["missing"][0]["participant"], "colleague", "{refused}");
    let left = gateway.happens("c", "participant.left", "colleague").await;
    assert_eq!(says(&left, "transcribe"), ["permitted", "suspended", "resume"]);
}

#[tokio::test]
async fn what_a_use_is_for_becomes_more_while_it_goes_on_and_never_less() {
    let gateway = Gateway::start().await;
    prompt(&gateway, "most", &["quality", "transcription", "analytics"]).await;
    gateway.open("c", "US-CA").await;
    hear(&gateway, "c", "most").await;
    asks(&gateway, "c", "start", "analyse", &["analytics"]).await.expect(200);
    let more = asks(&gateway, "c", "start", "analyse", &["transcription"]).await.expect(200);
    assert_eq!(more["uses"][1]["purposes"], json!(["transcription", "analytics"]));
    let refused =
        asks(&gateway, "c", "start", "analyse", &["ai-training"]).await.problem(403, "consent-required");
    assert_eq!(
        refused["decision"]["uses"][1]["purposes"],
        json!(["ai-training", "transcription", "analytics"])
    );
    let goes_on = gateway.decision("c").await;
    assert_eq!(says(&goes_on, "analyse"), ["permitted", "running", "none"]);
    assert_eq!(goes_on["uses"][1]["purposes"], json!(["transcription", "analytics"]));
    control(&gateway, "c", json!({"action": "stop", "use": "analyse"})).await.expect(200);
    let anew = asks(&gateway, "c", "start", "analyse", &["quality"]).await.expect(200);
    assert_eq!(anew["uses"][1]["purposes"], json!(["quality"]));
    // No purposes named means every purpose, and nobody was told of all.
    asks(&gateway, "c", "start", "stream", &[]).await.problem(403, "consent-required");
}

#[tokio::test]
async fn a_call_for_no_purpose_in_particular_opens_no_use_that_nobody_was_told_of() {
    let gateway = Gateway::start().await;
    prompt(&gateway, "quality", &["quality"]).await;
    gateway.open_with("c", two("US-CA"), json!({"purposes": []})).await;
    let told = hear(&gateway, "c", "quality").await;
    is_permitted(&told);
    asks(&gateway, "c", "start", "transcribe", &["transcription"]).await.problem(403, "consent-required");
    asks(&gateway, "c", "start", "transcribe", &["quality"]).await.expect(200);
}

#[tokio::test]
async fn a_tone_opens_no_other_use_than_recording() {
    let (gateway, _dir) = super::sector::gateway().await;
    gateway.open_with("c", two("US-CT"), json!({})).await;
    gateway.says_yes("c", "agent", "click").await;
    let toned = gateway.report("c", json!({"type": "tone.started"})).await;
    is_permitted(&toned);
    let refused = control(&gateway, "c", json!({"action": "start", "use": "stream"})).await;
    let missing = refused.problem(403, "consent-required")["missing"].clone();
    assert_eq!(missing[0], json!({"participant": "caller", "needs": [["prompt.completed"]]}));
}

#[tokio::test]
async fn a_request_that_cannot_be_read_still_ends_what_it_may_be_about() {
    let gateway = Gateway::start().await;
    let all = ["stream", "transcribe"];
    let opened = async |call: &str| {
        gateway.recording_in(call, "US-CA").await;
        for of in all {
            control(&gateway, call, json!({"action": "start", "use": of})).await.expect(200);
        }
    };
    let running = async |call: &str| -> Vec<String> {
        let decision = gateway.decision(call).await;
        let uses = decision["uses"].as_array().unwrap();
        let on = uses.iter().filter(|one| one["recorder"] == "running");
        on.map(|one| one["use"].as_str().unwrap().to_owned()).collect()
    };
    for (call, body, left) in [
        ("a", json!({"action": "stop", "use": "stream", "sincerely": "us"}), vec!["record", "transcribe"]),
        ("b", json!({"action": "stop", "use": "transcripe"}), vec![]),
        ("c", json!({"action": "stop", "because": "of it"}), vec!["stream", "transcribe"]),
        (
            "d",
            json!({"action": "pause", "use": "stream", "purposes": "quality"}),
            vec!["record", "transcribe"],
        ),
        ("e", json!({"action": "stop", "use": "stream", "behavior": "skip"}), vec!["record", "transcribe"]),
    ] {
        opened(call).await;
        assert_eq!(control(&gateway, call, body.clone()).await.status / 100, 4, "{body}");
        assert_eq!(running(call).await, left, "{body}");
    }
    opened("f").await;
    let cut = bytes::Bytes::from_static(b"{\"action\": \"stop\", \"use\": \"transcribe\", \"reason\": \"cu");
    gateway.recorder.send("POST", "/v1/calls/f/recording", &[], cut).await;
    assert!(running("f").await.is_empty(), "what is cut short may have meant any of them");
}

#[tokio::test]
async fn bad_purposes_and_uses_are_refused_with_what_would_be_right() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    let other = asks(&gateway, "c", "start", "record", &["training"]).await.problem(422, "invalid-control");
    assert!(other["detail"].as_str().unwrap().contains("not opened for `training`"), "{other}");
    asks(&gateway, "c", "start", "record", &["quality"]).await.expect(200);
    let unknown = asks(&gateway, "c", "start", "stream", &["qualitty"]).await.problem(422, "invalid-control");
    assert!(unknown["detail"].as_str().unwrap().contains("`qualitty`"), "{unknown}");
    let idle = control(&gateway, "c", json!({"action": "stop", "use": "stream"})).await;
    idle.problem(409, "not-recording");
    control(&gateway, "c", json!({"action": "resume", "use": "stream"})).await.problem(409, "not-recording");
    control(&gateway, "c", json!({"action": "start", "use": "listen"})).await.problem(422, "invalid-body");
    gateway.report("c", json!({"type": "call.ended"})).await;
    control(&gateway, "c", json!({"action": "start", "use": "stream"})).await.problem(409, "call-ended");
}

#[tokio::test]
async fn an_emergency_ends_every_use() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-CA").await;
    control(&gateway, "c", json!({"action": "start", "use": "stream"})).await.expect(200);
    let emergency = gateway.report("c", json!({"type": "call.emergency"})).await;
    is_blocked(&emergency);
    assert_eq!(says(&emergency, "stream"), ["blocked", "suspended", "stop"]);
    control(&gateway, "c", json!({"action": "start", "use": "stream"}))
        .await
        .problem(403, "consent-required");
}

#[tokio::test]
async fn a_yes_after_a_narrower_prompt_says_nothing_about_an_earlier_one() {
    let gateway = Gateway::start().await;
    prompt(&gateway, "notes", &["transcription"]).await;
    // By an objection that came while the narrower one played.
    gateway.open("c", "DE").await;
    gateway.happens("c", "consent.withdrawn", "caller").await;
    gateway.advance_ms(5_000);
    gateway.prompt("c", &["caller", "agent"]).await;
    gateway.says_yes("c", "agent", "dtmf").await;
    gateway.advance_ms(4_000);
    let late =
        json!({"type": "prompt.completed", "prompt": "notes", "participant": "caller", "played_ms": 20_000});
    gateway.report("c", late).await;
    let agreed = gateway.says_yes("c", "caller", "dtmf").await;
    is_blocked(&agreed);
    assert_eq!(super::of(&agreed, "caller")["state"], "withdrawn", "{agreed}");
    // By a hold that cut the narrower one short.
    gateway.open("h", "DE").await;
    gateway.advance_ms(5_000);
    gateway.prompt("h", &["caller", "agent"]).await;
    gateway.says_yes("h", "agent", "dtmf").await;
    gateway.advance_ms(5_000);
    hear(&gateway, "h", "notes").await;
    let held = gateway.now().checked_sub(jiff::SignedDuration::from_secs(2)).unwrap();
    gateway.report("h", json!({"type": "participant.held", "participant": "caller", "at": held})).await;
    gateway.happens("h", "participant.retrieved", "caller").await;
    is_blocked(&gateway.says_yes("h", "caller", "dtmf").await);
}

#[tokio::test]
async fn a_grant_for_one_purpose_opens_no_use_for_every_purpose() {
    let gateway = Gateway::start().await;
    let grant = json!({"subject": "agent", "role": "agent", "basis": "contract of employment",
        "text_version": "1", "purposes": ["quality"]});
    gateway.counsel.put("/v1/consent-grants/work", &grant).await.expect(201);
    let agent = json!({"id": "agent", "role": "agent", "location": "US-NY", "consent_grant": "work"});
    let people = json!([person("caller", "customer", "US-NY"), agent]);
    is_permitted(&gateway.open_with("c", people, json!({})).await);
    asks(&gateway, "c", "start", "analyse", &["quality"]).await.expect(200);
    control(&gateway, "c", json!({"action": "stop", "use": "analyse"})).await.expect(200);
    asks(&gateway, "c", "start", "analyse", &["emotion"]).await.problem(403, "consent-required");
    asks(&gateway, "c", "start", "analyse", &[]).await.problem(403, "consent-required");
}

#[tokio::test]
async fn what_was_withdrawn_for_a_use_comes_back_by_a_yes_to_that_use_alone() {
    let gateway = Gateway::start().await;
    prompt(&gateway, "both", &["quality", "transcription"]).await;
    gateway.open("c", "US-CA").await;
    hear(&gateway, "c", "both").await;
    asks(&gateway, "c", "start", "transcribe", &["transcription"]).await.expect(200);
    gateway.happens("c", "consent.withdrawn", "caller").await;
    gateway.advance_ms(5_000);
    gateway.prompt("c", &["caller"]).await;
    let agreed = gateway.says_yes("c", "caller", "dtmf").await;
    is_permitted(&agreed);
    assert_eq!(says(&agreed, "transcribe"), ["blocked", "suspended", "pause"], "{agreed}");
    control(&gateway, "c", json!({"action": "resume", "use": "transcribe"}))
        .await
        .problem(403, "consent-required");
    gateway.advance_ms(5_000);
    let told = hear(&gateway, "c", "both").await;
    assert_eq!(says(&told, "transcribe"), ["permitted", "suspended", "resume"], "{told}");
}

#[tokio::test]
async fn several_claims_in_one_body_end_each_its_own_use_once() {
    let gateway = Gateway::start().await;
    let opened = async |call: &str| {
        gateway.recording_in(call, "US-CA").await;
        control(&gateway, call, json!({"action": "start", "use": "stream"})).await.expect(200);
    };
    opened("a").await;
    let both = json!([{"action": "stop"}, {"action": "stop", "use": "stream"}]);
    assert_eq!(control(&gateway, "a", both).await.status / 100, 4);
    let decision = gateway.decision("a").await;
    assert_eq!(
        (says(&decision, "record")[1].as_str(), says(&decision, "stream")[1].as_str()),
        ("stopped", "stopped")
    );
    opened("b").await;
    let cut = bytes::Bytes::from_static(br#"{"action": "stop", "reason": "stream", "x":"#);
    gateway.recorder.send("POST", "/v1/calls/b/recording", &[], cut).await;
    assert_eq!(says(&gateway.decision("b").await, "record")[1], "stopped", "it may have meant that");
    opened("c").await;
    let many: Vec<Value> = (0..1_000).map(|_| json!({"action": "pause", "use": "stream"})).collect();
    assert_eq!(control(&gateway, "c", json!(many)).await.status / 100, 4);
    let log = entries(&ask(&gateway.auditor, "call=c&type=use.pause").await);
    assert_eq!(log.len(), 1, "one is enough");
}

#[tokio::test]
async fn a_client_that_prefers_little_is_told_of_its_other_uses_all_the_same() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    control(&gateway, "c", json!({"action": "start", "use": "transcribe"})).await.expect(200);
    let event = bytes::Bytes::from(json!({"type": "consent.withdrawn", "participant": "caller"}).to_string());
    let headers = [("content-type", "application/json"), ("prefer", "return=minimal")];
    let told = gateway.recorder.send("POST", "/v1/calls/c/events", &headers, event).await.expect(201);
    assert_eq!(says(&told, "transcribe"), ["blocked", "suspended", "pause"]);
}

#[tokio::test]
async fn the_call_says_what_lifts_an_objection_to_each_of_its_uses() {
    let row = format!("{NOTICE}prompt_says_for = {{ transcription = [\"ai\"] }}\n");
    let desk = Desk::with(&Text::plain().row("US-CA", &row)).await;
    let gateway = &desk.gateway;
    prompt(gateway, "whole", &["quality", "transcription"]).await;
    let silent = json!({"text": "Recorded.", "language": "en", "duration_ms": 4000, "purposes": ["quality", "transcription"],
        "says": {"recording": "Recorded"}});
    gateway.counsel.put("/v1/prompts/silent", &silent).await.expect(201);
    gateway.open_with("c", two("US-CA"), json!({"purposes": ["quality", "transcription"]})).await;
    is_permitted(&hear(gateway, "c", "whole").await);
    asks(gateway, "c", "start", "stream", &["quality"]).await.expect(200);
    gateway.happens("c", "consent.withdrawn", "caller").await;
    gateway.advance_ms(5_000);
    // It says enough for the stream alone, and not for what the call is for.
    hear(gateway, "c", "silent").await;
    let agreed = gateway.says_yes("c", "caller", "dtmf").await;
    assert_eq!(super::of(&agreed, "caller")["state"], "withdrawn", "{agreed}");
    assert_eq!(says(&agreed, "stream"), ["blocked", "suspended", "pause"], "{agreed}");
    control(gateway, "c", json!({"action": "resume", "use": "stream"}))
        .await
        .problem(403, "consent-required");
    gateway.advance_ms(5_000);
    hear(gateway, "c", "whole").await;
    let agreed = gateway.says_yes("c", "caller", "dtmf").await;
    assert_eq!(says(&agreed, "stream"), ["permitted", "suspended", "resume"], "{agreed}");
}
