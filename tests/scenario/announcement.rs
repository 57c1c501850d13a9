//! What the recording itself has to hold: an announcement, or a tone.

use serde_json::{Value, json};

use super::{is_blocked, is_permitted, is_suspended, of, person};
use crate::harness::{Gateway, wav};

async fn started_in(gateway: &Gateway, call: &str, place: &str) -> jiff::Timestamp {
    gateway.open(call, place).await;
    is_permitted(&gateway.prompt(call, &["caller", "agent"]).await);
    gateway.control(call, "start").await.expect(200);
    gateway.now()
}

fn announced() -> Value {
    json!({"type": "announcement.recorded", "participants": ["caller", "agent"]})
}

#[tokio::test]
async fn an_announcement_in_the_first_fifteen_seconds_keeps_the_window_open() {
    let gateway = Gateway::start().await;
    let from = started_in(&gateway, "c", "US-WA").await;
    let decision = gateway.decision("c").await;
    let due: jiff::Timestamp = decision["announcement_due"].as_str().unwrap().parse().unwrap();
    assert_eq!(due.duration_since(from).as_secs(), 15);
    assert_eq!(of(&decision, "caller")["needs"], json!([["announcement.recorded"]]));
    gateway.advance_ms(15_000);
    assert_eq!(gateway.report("c", announced()).await["recorder"], "running");
    gateway.advance_ms(20_000);
    assert_eq!(gateway.decision("c").await["recorder"], "running");
    gateway.upload("c", "a", Some(from), &wav(35_000)).await.expect(201);
}

#[tokio::test]
async fn without_an_announcement_the_window_closes_and_its_audio_is_refused() {
    let gateway = Gateway::start().await;
    let from = started_in(&gateway, "c", "US-WA").await;
    gateway.advance_ms(10_000);
    let early = gateway.upload("c", "a", Some(from), &wav(5000)).await.problem(403, "uncovered-audio");
    assert_eq!(early["source"], "retry", "the announcement may still come: {early}");
    gateway.advance_ms(6000);
    assert_eq!(gateway.decision("c").await["recorder"], "suspended");
    gateway.report("c", announced()).await;
    let late = gateway.upload("c", "a", Some(from), &wav(5000)).await.problem(403, "uncovered-audio");
    assert_eq!(late["source"], "delete");
    assert_eq!(gateway.stored_files(), 0);
}

#[tokio::test]
async fn every_window_needs_an_announcement_of_its_own() {
    let gateway = Gateway::start().await;
    started_in(&gateway, "c", "US-WA").await;
    gateway.report("c", announced()).await;
    gateway.advance_ms(5000);
    gateway.control("c", "pause").await.expect(200);
    gateway.advance_ms(5000);
    gateway.control("c", "resume").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(16_000);
    assert_eq!(gateway.decision("c").await["recorder"], "suspended");
    gateway.upload("c", "a", Some(from), &wav(5000)).await.problem(403, "uncovered-audio");
}

#[tokio::test]
async fn who_did_not_hear_the_announcement_suspends_the_recording() {
    let gateway = Gateway::start().await;
    started_in(&gateway, "c", "US-WA").await;
    gateway.report("c", json!({"type": "announcement.recorded", "participant": "agent"})).await;
    gateway.advance_ms(16_000);
    let decision = gateway.decision("c").await;
    assert_eq!(decision["recorder"], "suspended", "{decision}");
}

#[tokio::test]
async fn in_connecticut_a_tone_is_enough_while_it_sounds() {
    let gateway = Gateway::start().await;
    let decision = gateway.open("c", "US-CT").await;
    assert_eq!(decision["requirement"]["tone_seconds"], 15);
    assert_eq!(
        of(&decision, "caller")["needs"],
        json!([["prompt.completed"], ["tone.started", "consent.given"]])
    );
    // A tone tells everybody, and says yes for nobody.
    is_blocked(&gateway.report("c", json!({"type": "tone.started"})).await);
    is_permitted(&gateway.says_yes("c", "agent", "click").await);
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(20_000);
    assert_eq!(gateway.decision("c").await["recorder"], "running");
    gateway.upload("c", "a", Some(from), &wav(20_000)).await.expect(201);
    is_suspended(&gateway.report("c", json!({"type": "tone.stopped"})).await);
}

#[tokio::test]
async fn a_tone_is_not_enough_where_one_rule_of_the_call_does_not_accept_it() {
    let gateway = Gateway::start().await;
    let people = json!([person("caller", "customer", "US-CT"), person("agent", "agent", "US-CA")]);
    gateway.open_with("c", people, json!({})).await;
    is_blocked(&gateway.report("c", json!({"type": "tone.started"})).await);
}

#[tokio::test]
async fn in_connecticut_a_written_yes_replaces_the_announcement() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CT").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    gateway.says_yes("c", "caller", "written").await;
    gateway.says_yes("c", "agent", "written").await;
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(20_000);
    assert_eq!(gateway.decision("c").await["recorder"], "running");
    gateway.upload("c", "a", Some(from), &wav(20_000)).await.expect(201);
}
