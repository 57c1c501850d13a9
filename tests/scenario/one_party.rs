//! Where one party's consent is enough.

use serde_json::json;

use super::{asks, is_blocked, is_permitted, is_suspended, person};
use crate::harness::{Gateway, wav};

#[tokio::test]
async fn where_one_party_is_enough_anybodys_yes_is_and_ends_when_they_leave() {
    let gateway = Gateway::start().await;
    for place in ["US-NY", "US-TX"] {
        for who in ["caller", "agent"] {
            let call = format!("{place}-{who}");
            let decision = gateway.open(&call, place).await;
            is_blocked(&decision);
            assert_eq!(asks(&decision), "one/none");
            gateway.control(&call, "start").await.problem(403, "consent-required");
            is_permitted(&gateway.says_yes(&call, who, "continued").await);
            gateway.control(&call, "start").await.expect(200);
            let from = gateway.now();
            gateway.advance_ms(3000);
            is_suspended(&gateway.happens(&call, "participant.left", who).await);
            gateway.upload(&call, "before", Some(from), &wav(3000)).await.expect(201);
            let refused = gateway.upload(&call, "after", Some(gateway.now()), &wav(1000)).await;
            refused.problem(403, "consent-required");
        }
    }
}

#[tokio::test]
async fn the_consent_of_a_second_party_carries_on_after_the_first_has_left() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-NY").await;
    gateway.joins("c", &person("third", "customer", "US-NY")).await;
    gateway.says_yes("c", "caller", "speech").await;
    gateway.says_yes("c", "agent", "click").await;
    gateway.control("c", "start").await.expect(200);
    gateway.advance_ms(2000);
    let decision = gateway.happens("c", "participant.left", "agent").await;
    assert_eq!(decision["recorder"], "running");
    gateway.advance_ms(2000);
    is_suspended(&gateway.happens("c", "participant.left", "caller").await);
}

#[tokio::test]
async fn a_departure_reported_late_takes_the_consent_away_from_when_it_happened() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-NY").await;
    gateway.says_yes("c", "agent", "click").await;
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(5000);
    let left = json!({"type": "participant.left", "participant": "agent", "at": gateway.ago(2)});
    is_suspended(&gateway.report("c", left).await);
    gateway.upload("c", "all", Some(from), &wav(5000)).await.problem(403, "consent-required");
    gateway.upload("c", "some", Some(from), &wav(3000)).await.expect(201);
}
