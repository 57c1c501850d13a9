//! Who says no is not recorded, anywhere, until they say yes to a new prompt.

use serde_json::json;

use super::{is_blocked, is_permitted, is_suspended, of};
use crate::harness::{Gateway, wav};

#[tokio::test]
async fn a_no_blocks_in_every_jurisdiction_until_the_same_person_says_yes_to_a_new_prompt() {
    let gateway = Gateway::start().await;
    for place in ["US-NY", "US-CA", "DE"] {
        for (event, code) in
            [("consent.declined", "consent-declined"), ("consent.withdrawn", "consent-withdrawn")]
        {
            let call = format!("{place}-{event}");
            let from = gateway.recording_in(&call, place).await;
            gateway.advance_ms(2000);
            let said_no = gateway.now();
            let decision = gateway.happens(&call, event, "caller").await;
            is_suspended(&decision);
            assert_eq!(format!("consent.{}", of(&decision, "caller")["state"].as_str().unwrap()), event);
            assert_eq!(of(&decision, "caller")["needs"], json!([["prompt.completed", "consent.given"]]));
            gateway.control(&call, "resume").await.problem(403, "consent-required");
            gateway.advance_ms(5000);
            gateway.upload(&call, "after", Some(said_no), &wav(1000)).await.problem(403, code);
            gateway.upload(&call, "across", Some(from), &wav(2500)).await.problem(403, code);
            gateway.upload(&call, "before", Some(from), &wav(2000)).await.expect(201);

            is_blocked(&gateway.says_yes(&call, "caller", "dtmf").await);
            is_blocked(&gateway.prompt(&call, &["agent"]).await);
            is_blocked(&gateway.says_yes(&call, "agent", "dtmf").await);
            is_blocked(&gateway.prompt(&call, &["caller"]).await);
            is_blocked(&gateway.says_yes(&call, "caller", "continued").await);
            let decision = gateway.says_yes(&call, "caller", "dtmf").await;
            is_permitted(&decision);
            assert_eq!((&decision["recorder"], &decision["action"]), (&json!("suspended"), &json!("resume")));
            gateway.control(&call, "resume").await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_no_before_any_consent_blocks_where_one_party_is_enough() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-TX").await;
    gateway.happens("c", "consent.declined", "caller").await;
    is_blocked(&gateway.says_yes("c", "agent", "dtmf").await);
    let decision = gateway.happens("c", "participant.left", "caller").await;
    is_permitted(&decision);
}

#[tokio::test]
async fn a_withdrawal_counts_from_when_it_was_said_and_not_from_when_we_heard_of_it() {
    let gateway = Gateway::start().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(5000);
    let event = json!({"type": "consent.withdrawn", "participant": "caller", "at": gateway.ago(2)});
    is_suspended(&gateway.report("c", event).await);
    gateway.upload("c", "all", Some(from), &wav(4000)).await.problem(403, "consent-withdrawn");
    gateway.upload("c", "some", Some(from), &wav(3000)).await.expect(201);
}

#[tokio::test]
async fn a_withdrawal_after_the_end_of_the_call_is_heard() {
    let gateway = Gateway::start().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(5000);
    gateway.report("c", json!({"type": "call.ended"})).await;
    let event = json!({"type": "consent.withdrawn", "participant": "caller", "at": from});
    gateway.report("c", event).await;
    gateway.upload("c", "a", Some(from), &wav(1000)).await.problem(403, "consent-withdrawn");
}

#[tokio::test]
async fn who_came_back_after_a_no_is_still_not_recorded() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-NY").await;
    gateway.happens("c", "consent.declined", "caller").await;
    gateway.happens("c", "participant.left", "caller").await;
    gateway.joins("c", &super::person("caller", "customer", "US-NY")).await;
    let decision = gateway.says_yes("c", "agent", "dtmf").await;
    is_blocked(&decision);
    assert_eq!(of(&decision, "caller")["state"], "declined");
}
