//! A recording is refused, a prompt is logged, the same recording is accepted.

use serde_json::json;

use crate::harness::{Gateway, wav};

#[tokio::test]
async fn an_upload_is_refused_until_a_prompt_has_played_and_recording_was_granted() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    let refused =
        gateway.upload("c1", "a", Some(gateway.now()), &wav(1000)).await.problem(403, "consent-required");
    assert_eq!(refused["source"], "delete");
    let refused = gateway.control("c1", "start").await.problem(403, "consent-required");
    assert_eq!(refused["missing"][0], json!({"participant": "caller", "needs": [["prompt.completed"]]}));

    let decision = gateway.prompt("c1", &["caller", "agent"]).await;
    assert_eq!(decision["recording"], "permitted", "{decision}");
    let started = gateway.control("c1", "start").await.expect(200);
    assert_eq!(started["recorder"], "running");
    let from = gateway.now();
    gateway.advance_ms(5000);
    let audio = wav(5000);
    let stored = gateway.upload("c1", "a", Some(from), &audio).await.expect(201);
    assert_eq!(stored["duration_ms"], 5000);
    assert_eq!(gateway.fetch_and_open(stored["id"].as_str().unwrap()).await, audio);
    let again = gateway.upload("c1", "a", Some(from), &audio).await.expect(200);
    assert_eq!(again["id"], stored["id"]);
    gateway.upload("c1", "a", Some(from), &wav(4000)).await.problem(409, "recording-exists");
}

#[tokio::test]
async fn somebody_who_joins_unprompted_suspends_the_recording_until_they_agree_and_it_is_resumed() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.control("c1", "start").await.expect(200);
    gateway.advance_ms(3000);
    let joined = json!({"id": "third", "role": "customer", "location": "US-CA", "languages": ["en"]});
    let decision = gateway.recorder.post("/v1/calls/c1/participants", &joined).await.expect(201);
    assert_eq!((&decision["recorder"], &decision["action"]), (&json!("suspended"), &json!("pause")));
    let unprompted_from = gateway.now();
    gateway.advance_ms(4000);
    let refused =
        gateway.upload("c1", "b", Some(unprompted_from), &wav(1000)).await.problem(403, "consent-required");
    assert_eq!(refused["uncovered"].as_array().unwrap().len(), 1);
    let decision = gateway.prompt("c1", &["third"]).await;
    assert_eq!((&decision["recording"], &decision["action"]), (&json!("permitted"), &json!("resume")));
    gateway.upload("c1", "b", Some(gateway.now()), &wav(1000)).await.problem(403, "uncovered-audio");
    gateway.control("c1", "resume").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(2000);
    gateway.upload("c1", "b", Some(from), &wav(2000)).await.expect(201);
}
