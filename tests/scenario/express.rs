//! Where everybody has to say yes.

use serde_json::json;

use super::{asks, is_blocked, is_permitted, of, person};
use crate::harness::Gateway;

#[tokio::test]
async fn in_germany_neither_a_notice_nor_staying_on_is_a_yes_and_a_key_is() {
    let gateway = Gateway::start().await;
    let german =
        |id: &str, role: &str| json!({"id": id, "role": role, "location": "DE", "languages": ["de-DE"]});
    let decision = gateway
        .open_with("c", json!([german("caller", "customer"), german("agent", "agent")]), json!({}))
        .await;
    assert_eq!(asks(&decision), "all/express");
    assert_eq!(of(&decision, "agent")["needs"], json!([["prompt.completed", "consent.given"]]));
    let played = json!({"type": "prompt.completed", "prompt": "de", "participants": ["caller", "agent"], "played_ms": 4000});
    let decision = gateway.report("c", played).await;
    is_blocked(&decision);
    assert_eq!(of(&decision, "caller")["state"], "prompted");
    assert_eq!(of(&decision, "caller")["needs"], json!([["consent.given"]]));
    is_blocked(&gateway.says_yes("c", "caller", "continued").await);
    is_blocked(&gateway.says_yes("c", "agent", "continued").await);
    let decision = gateway.says_yes("c", "caller", "dtmf").await;
    is_blocked(&decision);
    assert_eq!(decision["missing"], json!([{"participant": "agent", "needs": [["consent.given"]]}]));
    gateway.control("c", "start").await.problem(403, "consent-required");
    is_permitted(&gateway.says_yes("c", "agent", "click").await);
    gateway.control("c", "start").await.expect(200);
}

#[tokio::test]
async fn a_yes_before_the_prompt_is_no_express_yes() {
    let gateway = Gateway::start().await;
    gateway.open("c", "DE").await;
    for who in ["caller", "agent"] {
        is_blocked(&gateway.says_yes("c", who, "speech").await);
    }
    is_blocked(&gateway.prompt("c", &["caller", "agent"]).await);
}

#[tokio::test]
async fn one_german_on_a_texan_call_makes_everybody_say_yes() {
    let gateway = Gateway::start().await;
    let people = json!([person("caller", "customer", "DE"), person("agent", "agent", "US-TX")]);
    let decision = gateway.open_with("c", people, json!({})).await;
    assert_eq!(asks(&decision), "all/express");
    assert_eq!(decision["missing"].as_array().unwrap().len(), 2);
}
