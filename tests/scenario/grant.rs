//! Consent given outside the call.

use serde_json::{Value, json};

use super::{is_blocked, is_permitted, is_suspended, of, person};
use crate::harness::{Gateway, wav};
use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;

async fn register(gateway: &Gateway, id: &str, more: Value) -> Value {
    let mut grant = json!({"subject": "agent", "role": "agent", "basis": "employment contract"});
    grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    gateway.registrar.put(&format!("/v1/consent-grants/{id}"), &grant).await.expect(201)
}

fn agent(grant: &str, place: &str) -> Value {
    json!({"id": "agent", "role": "agent", "location": place, "languages": ["en"],
        "number": "+14155550142", "consent_grant": grant})
}

/// A call on which the caller has said yes and the agent relies on the grant.
async fn open(gateway: &Gateway, call: &str, place: &str, grant: &str) -> Value {
    let people = json!([person("caller", "customer", place), agent(grant, place)]);
    gateway.open_with(call, people, json!({})).await;
    gateway.prompt(call, &["caller"]).await;
    gateway.says_yes(call, "caller", "dtmf").await
}

async fn running(gateway: &Gateway, call: &str, grant: &str) -> jiff::Timestamp {
    is_permitted(&open(gateway, call, "DE", grant).await);
    gateway.control(call, "start").await.expect(200);
    gateway.now()
}

#[tokio::test]
async fn a_grant_binds_its_subject_by_id_or_number_in_its_role_and_for_its_purposes_only() {
    let gateway = Gateway::start().await;
    for (id, more, binds) in [
        ("by-id", json!({}), true),
        ("by-number", json!({"subject": "+1 415-555-0142"}), true),
        ("all-purposes", json!({"purposes": ["quality", "training"]}), true),
        ("somebody-else", json!({"subject": "another agent"}), false),
        ("another-number", json!({"subject": "+1 415-555-0143"}), false),
        ("another-role", json!({"role": "customer"}), false),
        ("another-purpose", json!({"purposes": ["training"]}), false),
        ("not-yet", json!({"from": "2026-11-21T00:00:00Z"}), false),
        ("no-longer", json!({"from": "2026-01-01T00:00:00Z", "until": "2026-11-20T00:00:00Z"}), false),
        ("works-agreement", json!({"basis": "Betriebsvereinbarung 2024/7"}), false),
    ] {
        register(&gateway, id, more).await;
        let decision = open(&gateway, id, "DE", id).await;
        assert_eq!(decision["recording"] == "permitted", binds, "{id}: {decision}");
    }
    is_blocked(&open(&gateway, "unknown", "DE", "nobody registered this").await);
}

#[tokio::test]
async fn a_works_agreement_is_notice_and_no_express_yes() {
    let gateway = Gateway::start().await;
    register(&gateway, "g", json!({"basis": "works agreement"})).await;
    is_blocked(&open(&gateway, "express", "DE", "g").await);
    is_permitted(&open(&gateway, "notice", "US-CA", "g").await);
}

#[tokio::test]
async fn a_grant_that_expires_during_the_call_suspends_the_recording_at_that_moment() {
    let gateway = Gateway::start().await;
    let until = gateway.now().checked_add(jiff::SignedDuration::from_secs(10)).unwrap();
    register(&gateway, "g", json!({"until": until})).await;
    let from = running(&gateway, "c", "g").await;
    gateway.advance_ms(15_000);
    is_suspended(&gateway.decision("c").await);
    gateway.control("c", "resume").await.problem(403, "consent-required");
    gateway.upload("c", "a", Some(from), &wav(10_100)).await.problem(403, "consent-required");
    gateway.upload("c", "a", Some(from), &wav(10_000)).await.expect(201);
}

#[tokio::test]
async fn withdrawing_a_grant_ends_the_running_windows_of_all_calls_at_once() {
    let gateway = Gateway::start().await;
    register(&gateway, "g", json!({})).await;
    register(&gateway, "other", json!({})).await;
    let from = running(&gateway, "one", "g").await;
    running(&gateway, "two", "g").await;
    running(&gateway, "three", "other").await;
    gateway.advance_ms(5000);
    let withdrawn = gateway.registrar.post("/v1/consent-grants/g/withdraw", &json!({})).await.expect(200);
    assert!(!withdrawn["withdrawn_at"].is_null());
    let again = gateway.registrar.post("/v1/consent-grants/g/withdraw", &json!({})).await.expect(200);
    assert_eq!(again, withdrawn);
    for call in ["one", "two"] {
        let decision = gateway.decision(call).await;
        is_suspended(&decision);
        assert_eq!(of(&decision, "agent")["state"], "withdrawn");
    }
    assert_eq!(gateway.decision("three").await["recorder"], "running");
    gateway.advance_ms(1000);
    gateway.upload("one", "a", Some(from), &wav(5500)).await.problem(403, "consent-withdrawn");
    gateway.upload("one", "a", Some(from), &wav(5000)).await.expect(201);
    is_blocked(&open(&gateway, "later", "DE", "g").await);
}

#[tokio::test]
async fn naming_another_grant_that_does_not_count_hides_nobody_from_a_withdrawal() {
    let gateway = Gateway::start().await;
    register(&gateway, "g", json!({})).await;
    register(&gateway, "of-somebody-else", json!({"subject": "somebody else"})).await;
    running(&gateway, "c", "g").await;
    gateway.joins("c", &agent("of-somebody-else", "DE")).await;
    gateway.advance_ms(1000);
    gateway.registrar.post("/v1/consent-grants/g/withdraw", &json!({})).await.expect(200);
    is_suspended(&gateway.decision("c").await);
}

#[tokio::test]
async fn the_withdrawal_of_a_grant_does_not_block_somebody_whom_it_never_bound() {
    let gateway = Gateway::start().await;
    register(&gateway, "of-somebody-else", json!({"subject": "somebody else"})).await;
    open(&gateway, "c", "DE", "of-somebody-else").await;
    gateway.prompt("c", &["agent"]).await;
    is_permitted(&gateway.says_yes("c", "agent", "dtmf").await);
    gateway.registrar.post("/v1/consent-grants/of-somebody-else/withdraw", &json!({})).await.expect(200);
    is_permitted(&gateway.decision("c").await);
}

#[tokio::test]
async fn a_withdrawn_grant_deletes_what_was_stored_where_the_account_says_so() {
    let settings =
        AccountSettings { on_withdrawal: policy::OnWithdrawal::Delete, ..AccountSettings::default() };
    let gateway = Gateway::with(Config::default(), settings).await;
    register(&gateway, "g", json!({})).await;
    let from = running(&gateway, "c", "g").await;
    gateway.advance_ms(1000);
    let stored = gateway.upload("c", "a", Some(from), &wav(1000)).await.expect(201);
    gateway.registrar.post("/v1/consent-grants/g/withdraw", &json!({})).await.expect(200);
    let id = stored["id"].as_str().unwrap();
    gateway.auditor.get(&format!("/v1/recordings/{id}")).await.problem(410, "recording-deleted");
}

#[tokio::test]
async fn a_grant_is_never_changed_nor_revived() {
    let gateway = Gateway::start().await;
    let grant = json!({"subject": "agent", "role": "agent", "basis": "contract"});
    gateway.registrar.put("/v1/consent-grants/g", &grant).await.expect(201);
    gateway.registrar.put("/v1/consent-grants/g", &grant).await.expect(200);
    let other = json!({"subject": "agent", "role": "agent", "basis": "another contract"});
    gateway.registrar.put("/v1/consent-grants/g", &other).await.problem(409, "consent-grant-exists");
    gateway.registrar.post("/v1/consent-grants/g/withdraw", &json!({})).await.expect(200);
    gateway.registrar.put("/v1/consent-grants/g", &grant).await.problem(409, "consent-grant-exists");
    let backwards = json!({"subject": "a", "role": "agent", "basis": "b",
        "from": "2026-11-20T10:00:00Z", "until": "2026-11-20T10:00:00Z"});
    gateway.registrar.put("/v1/consent-grants/h", &backwards).await.problem(422, "invalid-consent-grant");
}
