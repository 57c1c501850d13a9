//! Clock tricks.

use serde_json::json;

use super::{after, before, customer, granted, granted_in, join, nothing_got_in, stored};
use crate::harness::{Gateway, wav};

#[tokio::test]
async fn claims_that_loosen_count_from_when_they_were_logged_however_early_they_say_they_happened() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "AT").await;
    gateway.advance_ms(60_000);
    let now = gateway.now();
    let both = json!(["caller", "agent"]);
    for event in [
        json!({"type": "prompt.started", "prompt": "en", "participants": both, "at": before(now, 50_000)}),
        json!({"type": "prompt.completed", "prompt": "en", "participants": both, "played_ms": 4000, "at": before(now, 45_000)}),
        json!({"type": "consent.given", "participants": both, "method": "speech", "at": before(now, 44_000)}),
        json!({"type": "tone.started", "at": before(now, 50_000)}),
        json!({"type": "announcement.recorded", "participants": both, "at": before(now, 44_000)}),
    ] {
        gateway.event("c1", &event).await.expect(201);
    }
    gateway.control("c1", "start").await.expect(200);
    for ms in [1, 1000, 20_000, 43_000] {
        gateway.upload("c1", "a", Some(before(now, ms)), &wav(1000)).await.expect(403);
    }
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn times_in_the_future_are_refused() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    let future = after(gateway.now(), 6000);
    let completed = json!({"type": "prompt.completed", "prompt": "en", "participant": "caller", "played_ms": 4000, "at": future});
    gateway.event("c1", &completed).await.problem(422, "time-in-the-future");
    let located =
        json!({"type": "participant.located", "participant": "caller", "location": "US-TX", "since": future});
    // Whatever makes things stricter is heard, and counts from now.
    gateway.event("c1", &located).await.expect(201);
    let mut third = customer("third");
    third["joined_at"] = json!(future);
    join(&gateway, "c1", &third).await.expect(201);
    gateway.event("c1", &json!({"type": "participant.left", "participant": "third"})).await.expect(201);
    gateway
        .recorder
        .put("/v1/calls/c2", &json!({"started_at": future}))
        .await
        .problem(422, "time-in-the-future");
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.control("c1", "start").await.expect(200);
    gateway.upload("c1", "a", Some(future), &wav(1000)).await.problem(403, "uncovered-audio");
    gateway.upload("c1", "a", Some(after(gateway.now(), 4000)), &wav(1000)).await.expect(403);
    gateway.upload("c1", "a", Some(gateway.now()), &wav(1000)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_prompt_that_claims_to_end_in_the_future_is_no_longer_than_it_was() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    let both = json!(["caller", "agent"]);
    let started = json!({"type": "prompt.started", "prompt": "en", "participants": both});
    gateway.event("c1", &started).await.expect(201);
    gateway.advance_ms(100);
    let completed = json!({"type": "prompt.completed", "prompt": "en", "participants": both, "played_ms": 4000, "at": after(gateway.now(), 4900)});
    gateway.event("c1", &completed).await.expect(201);
    gateway.control("c1", "start").await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn somebody_named_again_with_an_earlier_joined_at_was_there_unprompted_from_then() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    join(&gateway, "c1", &customer("third")).await.expect(201);
    let mut earlier = customer("third");
    earlier["joined_at"] = json!(after(from, 5000));
    join(&gateway, "c1", &earlier).await.expect(201);
    gateway.upload("c1", "a", Some(from), &wav(10_000)).await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
    gateway.upload("c1", "a", Some(from), &wav(5000)).await.expect(201);
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn a_joined_at_in_the_past_takes_the_seconds_that_were_granted_meanwhile() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    let mut third = customer("third");
    third["joined_at"] = json!(after(from, 3000));
    join(&gateway, "c1", &third).await.expect(201);
    gateway.upload("c1", "a", Some(from), &wav(3001)).await.expect(403);
    gateway.upload("c1", "a", None, &wav(1000)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_joined_at_later_than_the_post_is_no_way_to_be_absent() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    let mut third = customer("third");
    third["joined_at"] = json!(after(gateway.now(), 4900));
    join(&gateway, "c1", &third).await.expect(201);
    gateway.advance_ms(2000);
    gateway.upload("c1", "a", Some(from), &wav(2000)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_stricter_place_found_out_later_holds_from_when_they_joined_whatever_since_says_before() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-TX").await;
    let yes = json!({"type": "consent.given", "participant": "agent", "method": "written"});
    gateway.event("c1", &yes).await.expect(201);
    gateway.control("c1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(10_000);
    let long_ago = before(gateway.now(), 3_600_000);
    let located = json!({"type": "participant.located", "participant": "caller", "location": "US-CA", "since": long_ago});
    let decision = gateway.event("c1", &located).await.expect(201);
    assert_eq!(decision["action"], "pause", "{decision}");
    gateway.upload("c1", "a", Some(from), &wav(1000)).await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_move_counts_from_since_and_not_a_moment_later() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-TX").await;
    let yes = json!({"type": "consent.given", "participant": "agent", "method": "written"});
    gateway.event("c1", &yes).await.expect(201);
    gateway.control("c1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(10_000);
    let located = json!({"type": "participant.located", "participant": "caller", "location": "US-CA", "since": after(from, 5000)});
    gateway.event("c1", &located).await.expect(201);
    gateway.upload("c1", "a", Some(from), &wav(5001)).await.expect(403);
    nothing_got_in(&gateway).await;
    gateway.upload("c1", "a", Some(from), &wav(5000)).await.expect(201);
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn a_departure_reported_late_serves_nobody_in_the_meantime() {
    // Texas: one yes is enough, but of somebody who is there. The agent's yes ends when they leave.
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-TX").await;
    let yes = json!({"type": "consent.given", "participant": "agent", "method": "written"});
    gateway.event("c1", &yes).await.expect(201);
    gateway.control("c1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(10_000);
    let left = json!({"type": "participant.left", "participant": "agent", "at": after(from, 4000)});
    gateway.event("c1", &left).await.expect(201);
    gateway.upload("c1", "a", Some(from), &wav(4001)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_departure_claimed_to_be_earlier_excuses_nobody_before_it_was_logged() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(1000);
    join(&gateway, "c1", &customer("third")).await.expect(201);
    gateway.advance_ms(9000);
    let left = json!({"type": "participant.left", "participant": "third", "at": after(from, 1001)});
    gateway.event("c1", &left).await.expect(201);
    gateway.upload("c1", "a", Some(from), &wav(5000)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_clock_that_is_not_whole_gives_no_second_for_free() {
    let gateway = Gateway::start().await;
    let from = granted_in(&gateway, "c1", "US-CA").await;
    gateway.advance_ms(1000);
    for (start, status) in [(before(from, 251), 403), (from, 201)] {
        gateway.upload("c1", &format!("a{status}"), Some(start), &wav(1000)).await.expect(status);
    }
    stored(&gateway, 1).await;
}
