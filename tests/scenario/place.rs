//! Where everybody is: late findings, real moves, the unknown.

use consent_gateway::access::Role;
use consent_gateway::gate::AccountSettings;
use serde_json::{Value, json};
use trail::Actor;

use super::{asks, is_blocked, is_permitted, is_suspended, of, person, two};
use crate::harness::{Client, Gateway, wav};

fn located(place: &str, since: Option<jiff::Timestamp>) -> Value {
    match since {
        Some(since) => {
            json!({"type": "participant.located", "participant": "caller", "location": place, "since": since})
        }
        None => json!({"type": "participant.located", "participant": "caller", "location": place}),
    }
}

async fn noticed(gateway: &Gateway, call: &str) -> jiff::Timestamp {
    gateway.open(call, "US-CA").await;
    is_permitted(&gateway.prompt(call, &["caller", "agent"]).await);
    gateway.control(call, "start").await.expect(200);
    gateway.now()
}

#[tokio::test]
async fn a_stricter_place_found_out_late_suspends_and_holds_from_when_they_joined() {
    let gateway = Gateway::start().await;
    for place in ["US-NV", "DE"] {
        let from = noticed(&gateway, place).await;
        gateway.advance_ms(2000);
        let stored = gateway.upload(place, "before", Some(from), &wav(1000)).await.expect(201);
        let decision = gateway.report(place, located(place, None)).await;
        is_suspended(&decision);
        assert_eq!(asks(&decision), "all/express");
        gateway.upload(place, "late", Some(from), &wav(900)).await.problem(403, "consent-required");
        // It never unmakes what is stored.
        let id = stored["id"].as_str().unwrap();
        gateway.recorder.get(&format!("/v1/recordings/{id}")).await.expect(200);
        gateway.says_yes(place, "caller", "dtmf").await;
        is_permitted(&gateway.says_yes(place, "agent", "dtmf").await);
        gateway.control(place, "resume").await.expect(200);
    }
}

#[tokio::test]
async fn a_real_move_leaves_what_was_recorded_before_it_acceptable() {
    let gateway = Gateway::start().await;
    let from = noticed(&gateway, "c").await;
    gateway.advance_ms(5000);
    is_suspended(&gateway.report("c", located("US-NV", Some(gateway.ago(2)))).await);
    gateway.upload("c", "all", Some(from), &wav(4000)).await.problem(403, "consent-required");
    gateway.upload("c", "some", Some(from), &wav(3000)).await.expect(201);
}

#[tokio::test]
async fn a_milder_place_found_out_late_loosens_nothing() {
    let gateway = Gateway::start().await;
    gateway.open("c", "DE").await;
    let decision = gateway.report("c", located("US-NY", None)).await;
    assert_eq!(asks(&decision), "all/express");
    assert_eq!(of(&decision, "caller")["places"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_unknown_place_asks_for_the_default_until_the_first_place_is_known() {
    let gateway = Gateway::start().await;
    let people = json!([{"id": "caller", "role": "customer"}, person("agent", "agent", "US-NY")]);
    let decision = gateway.open_with("c", people, json!({})).await;
    is_blocked(&decision);
    assert_eq!(asks(&decision), "all/express");
    assert_eq!(decision["requirement"]["announcement_must_be_recorded"], true);
    assert!(decision["because"][0]["says"].as_str().unwrap().contains("nothing is known"));
    let decision = gateway.report("c", located("US-NY", None)).await;
    assert_eq!(asks(&decision), "one/none");
}

#[tokio::test]
async fn a_place_known_by_a_number_alone_asks_for_notice_and_a_declaration_lifts_that() {
    let gateway = Gateway::start().await;
    let people = json!([{"id": "caller", "role": "customer", "number": "+12125550100", "languages": ["en"]},
        person("agent", "agent", "US-NY")]);
    let decision = gateway.open_with("c", people, json!({})).await;
    assert_eq!(asks(&decision), "all/notice");
    assert_eq!(of(&decision, "caller")["places"][0]["evidence"], "number");
    assert_eq!(asks(&gateway.report("c", located("US-NY", None)).await), "one/none");
    let both = json!([{"id": "caller", "role": "customer", "number": "+14155550100", "location": "US-NY"},
        person("agent", "agent", "US-NY")]);
    assert_eq!(asks(&gateway.open_with("d", both, json!({})).await), "all/notice");
}

#[tokio::test]
async fn a_call_without_a_medium_is_asked_what_the_strictest_medium_is() {
    let gateway = Gateway::start().await;
    assert_eq!(asks(&gateway.open_with("telephone", two("US-OR"), json!({})).await), "one/none");
    assert_eq!(asks(&gateway.open_with("unsaid", two("US-OR"), json!({"medium": null})).await), "all/notice");
}

#[tokio::test]
async fn where_the_recorder_and_the_operator_stand_counts_as_well() {
    let gateway = Gateway::start().await;
    for (call, field) in [("r", "recorder_location"), ("o", "operator_location")] {
        let decision = gateway.open_with(call, two("US-NY"), json!({field: "DE"})).await;
        assert_eq!(asks(&decision), "all/express", "{field}");
    }
}

/// Whoever opens a call says where it is recorded, and does not unsay where the account is.
#[tokio::test]
async fn what_a_call_says_of_the_operator_and_the_recorder_replaces_nothing() {
    let gateway = Gateway::start().await;
    let (actor, settings) = (Actor::command_line(), AccountSettings::default());
    gateway.gate().add_account(&actor, "berlin", Some("DE"), Some("DE"), &settings).await.unwrap();
    let new =
        gateway.gate().add_credential(&actor, "berlin", Role::Recorder, "somebody", None).await.unwrap();
    let recorder = Client::new(gateway.recorder.address, &new);
    for (call, said) in
        [("none", json!({})), ("other", json!({"operator_location": "US-NY", "recorder_location": "US-NY"}))]
    {
        let mut body = json!({"medium": "telephone", "participants": two("US-NY")});
        body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        let decision = recorder.put(&format!("/v1/calls/{call}"), &body).await.expect(201);
        assert_eq!(asks(&decision), "all/express", "{call}");
    }
}
