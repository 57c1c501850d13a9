//! Where the recording itself has to hold an announcement.

use serde_json::json;

use super::{before, granted_in, nothing_got_in, stored};
use crate::harness::{Gateway, wav};

const BOTH: [&str; 2] = ["caller", "agent"];

async fn announced(gateway: &Gateway, who: &[&str], at: Option<jiff::Timestamp>) {
    let event = json!({"type": "announcement.recorded", "participants": who, "at": at});
    gateway.event("c1", &event).await.expect(201);
}

#[tokio::test]
async fn a_recording_without_its_announcement_is_refused_though_there_is_time_left_to_make_one() {
    let gateway = Gateway::start().await;
    let from = granted_in(&gateway, "c1", "US-WA").await;
    gateway.advance_ms(14_000);
    gateway.control("c1", "stop").await.expect(200);
    let refused = gateway.upload("c1", "a", Some(from), &wav(14_000)).await.problem(403, "uncovered-audio");
    assert_eq!(refused["source"], "retry", "{refused}");
    gateway.upload("c1", "a", None, &wav(14_000)).await.problem(403, "uncovered-audio");
    announced(&gateway, &["caller"], None).await;
    gateway.upload("c1", "a", Some(from), &wav(14_000)).await.problem(403, "uncovered-audio");
    nothing_got_in(&gateway).await;
    announced(&gateway, &["agent"], None).await;
    gateway.upload("c1", "a", Some(from), &wav(14_000)).await.expect(201);
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn one_short_window_after_another_does_not_go_unannounced() {
    let gateway = Gateway::start().await;
    let mut from = granted_in(&gateway, "c1", "US-WA").await;
    for round in 0..4 {
        gateway.advance_ms(14_000);
        gateway.upload("c1", &format!("a{round}"), Some(from), &wav(13_000)).await.expect(403);
        gateway.control("c1", "pause").await.expect(200);
        gateway.control("c1", "resume").await.expect(200);
        from = gateway.now();
    }
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn an_announcement_that_was_late_or_dated_back_is_none() {
    let gateway = Gateway::start().await;
    let from = granted_in(&gateway, "c1", "US-WA").await;
    gateway.advance_ms(15_001);
    announced(&gateway, &BOTH, Some(before(gateway.now(), 10_000))).await;
    let refused = gateway.upload("c1", "a", Some(from), &wav(10_000)).await.problem(403, "uncovered-audio");
    assert_eq!(refused["source"], "delete", "{refused}");
    let decision = gateway.recorder.get("/v1/calls/c1/decision").await.expect(200);
    assert_eq!(decision["recorder"], "suspended");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn an_announcement_in_one_window_is_none_in_the_next() {
    let gateway = Gateway::start().await;
    granted_in(&gateway, "c1", "US-WA").await;
    announced(&gateway, &BOTH, None).await;
    gateway.advance_ms(5000);
    gateway.control("c1", "pause").await.expect(200);
    gateway.advance_ms(1);
    gateway.control("c1", "resume").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(5000);
    gateway.upload("c1", "a", Some(from), &wav(5000)).await.problem(403, "uncovered-audio");
    nothing_got_in(&gateway).await;
}
