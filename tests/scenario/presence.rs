//! Who is on the call: machines, systems, departures, emergencies.

use serde_json::json;

use super::{is_blocked, is_permitted, is_suspended, of, person, two};
use crate::harness::{Gateway, wav};

#[tokio::test]
async fn a_prompt_played_to_a_machine_counts_for_nobody() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let answered = |by: &str| json!({"type": "participant.answered", "participant": "caller", "by": by});
    gateway.report("c", answered("machine")).await;
    let decision = gateway.prompt("c", &["caller", "agent"]).await;
    is_blocked(&decision);
    assert_eq!(of(&decision, "caller")["state"], "unprompted");
    assert_eq!(of(&decision, "caller")["needs"], json!([["participant.answered", "prompt.completed"]]));
    is_blocked(&gateway.report("c", answered("human")).await);
    is_blocked(&gateway.prompt("c", &["caller"]).await);
    gateway.advance_ms(4000);
    is_permitted(&gateway.prompt("c", &["caller"]).await);
}

#[tokio::test]
async fn a_machine_found_out_later_takes_the_consent_away() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(1000);
    let machine = json!({"type": "participant.answered", "participant": "caller", "by": "machine"});
    is_suspended(&gateway.report("c", machine).await);
}

#[tokio::test]
async fn who_leaves_and_comes_back_is_asked_again() {
    let gateway = Gateway::start().await;
    gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(1000);
    let decision = gateway.happens("c", "participant.left", "caller").await;
    is_permitted(&decision);
    assert_eq!(
        (&decision["recorder"], &of(&decision, "caller")["state"]),
        (&json!("running"), &json!("left"))
    );
    gateway
        .event("c", &json!({"type": "consent.given", "participant": "caller", "method": "dtmf"}))
        .await
        .problem(409, "participant-left");
    gateway.advance_ms(1000);
    is_suspended(&gateway.joins("c", &person("caller", "customer", "US-CA")).await);
    gateway.advance_ms(4000);
    is_permitted(&gateway.prompt("c", &["caller"]).await);
}

#[tokio::test]
async fn the_same_participant_posted_twice_is_one() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    for _ in 0..2 {
        let decision = gateway.joins("c", &person("third", "customer", "US-CA")).await;
        assert_eq!(decision["participants"].as_array().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_system_is_no_party_unless_it_has_a_number_an_address_or_a_place() {
    let gateway = Gateway::start().await;
    let mut people = two("US-CA");
    people.as_array_mut().unwrap().push(json!({"id": "ivr", "role": "system"}));
    gateway.open_with("c", people, json!({})).await;
    is_permitted(&gateway.prompt("c", &["caller", "agent"]).await);
    for (n, more) in
        [("number", json!("+14155550100")), ("ip", json!("192.0.2.1")), ("location", json!("US-CA"))]
    {
        let mut bot = json!({"id": n, "role": "system"});
        bot[n] = more;
        let decision = gateway.joins("c", &bot).await;
        is_blocked(&decision);
        assert!(!of(&decision, n)["needs"].as_array().unwrap().is_empty(), "{decision}");
        gateway.happens("c", "participant.left", n).await;
    }
    is_blocked(&gateway.joins("c", &json!({"id": "ivr", "role": "system", "number": "+14155550101"})).await);
}

#[tokio::test]
async fn a_person_never_becomes_a_system() {
    let gateway = Gateway::start().await;
    gateway
        .open_with(
            "c",
            json!([person("agent", "agent", "US-CA"), {"id": "caller", "role": "customer"}]),
            json!({}),
        )
        .await;
    for _ in 0..2 {
        let decision = gateway.joins("c", &json!({"id": "caller", "role": "system"})).await;
        is_blocked(&decision);
        assert_eq!(of(&decision, "caller")["role"], "customer");
        gateway.happens("c", "participant.left", "caller").await;
    }
}

#[tokio::test]
async fn with_no_human_on_the_call_nothing_is_recorded() {
    let gateway = Gateway::start().await;
    is_blocked(&gateway.open_with("empty", json!([]), json!({})).await);
    is_blocked(&gateway.open_with("bots", json!([{"id": "ivr", "role": "system"}]), json!({})).await);
    for call in ["empty", "bots"] {
        gateway.control(call, "start").await.problem(403, "consent-required");
    }
}

#[tokio::test]
async fn an_emergency_call_is_never_recorded_and_nobody_is_asked() {
    let gateway = Gateway::start().await;
    let decision = gateway.open_with("c", two("US-NY"), json!({"kind": "emergency"})).await;
    is_blocked(&decision);
    assert_eq!(decision["missing"], json!([]));
    gateway.prompt("c", &["caller", "agent"]).await;
    is_blocked(&gateway.says_yes("c", "caller", "dtmf").await);
    gateway.control("c", "start").await.problem(403, "consent-required");
    gateway.upload("c", "a", Some(gateway.ago(5)), &wav(1000)).await.problem(403, "consent-required");
    assert_eq!(gateway.stored_files(), 0);
}
