//! Consent that was given outside the call.

use serde_json::{Value, json};

use super::{after, before, nothing_got_in};
use crate::harness::{Gateway, wav};

fn grant(subject: &str) -> Value {
    json!({"subject": subject, "role": "agent", "basis": "employment contract", "purposes": ["quality"]})
}

async fn put(gateway: &Gateway, id: &str, grant: &Value) {
    gateway.counsel.put(&format!("/v1/consent-grants/{id}"), grant).await.expect(201);
}

/// A call with an agent in California who relies on this grant, and nobody else.
async fn open(gateway: &Gateway, call: &str, agent: &str, number: Option<&str>, grant: &str) -> Value {
    let body = json!({
        "medium": "telephone", "started_at": before(gateway.now(), 10_000), "purposes": ["quality"],
        "participants": [{"id": agent, "role": "agent", "number": number, "location": "US-CA", "languages": ["en"], "consent_grant": grant}],
    });
    gateway.recorder.put(&format!("/v1/calls/{call}"), &body).await.expect(201)
}

#[tokio::test]
async fn a_grant_that_is_not_theirs_or_not_in_force_grants_nothing() {
    let gateway = Gateway::start().await;
    let now = gateway.now();
    let hour = 3_600_000;
    put(&gateway, "elses", &grant("bob")).await;
    put(&gateway, "number", &grant("+14155550123")).await;
    put(&gateway, "expired", &{
        let mut grant = grant("alice");
        grant["from"] = json!(before(now, 2 * hour));
        grant["until"] = json!(now);
        grant
    })
    .await;
    put(&gateway, "future", &{
        let mut grant = grant("alice");
        grant["from"] = json!(after(now, hour));
        grant
    })
    .await;
    put(&gateway, "customers", &{
        let mut grant = grant("alice");
        grant["role"] = json!("customer");
        grant
    })
    .await;
    put(&gateway, "training", &{
        let mut grant = grant("alice");
        grant["purposes"] = json!(["training"]);
        grant
    })
    .await;
    put(&gateway, "withdrawn", &grant("alice")).await;
    gateway.counsel.post("/v1/consent-grants/withdrawn/withdraw", &json!({})).await.expect(200);
    for id in ["elses", "number", "expired", "future", "customers", "training", "withdrawn", "nobodys"] {
        open(&gateway, id, "alice", None, id).await;
        gateway.control(id, "start").await.problem(403, "consent-required");
        gateway.upload(id, "a", Some(now), &wav(1000)).await.problem(403, "consent-required");
    }
    // Whoever has another number is somebody else, whatever they are called.
    open(&gateway, "named", "+14155550123", Some("+14155550199"), "number").await;
    gateway.control("named", "start").await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
    open(&gateway, "theirs", "alice", Some("+14155550123"), "number").await;
    gateway.control("theirs", "start").await.expect(200);
}

#[tokio::test]
async fn a_grant_covers_nothing_before_it_was_named_and_nothing_after_it_ends() {
    let gateway = Gateway::start().await;
    let mut alices = grant("alice");
    alices["from"] = json!(before(gateway.now(), 3_600_000));
    alices["until"] = json!(after(gateway.now(), 5000));
    put(&gateway, "alices", &alices).await;
    open(&gateway, "c1", "alice", None, "alices").await;
    gateway.control("c1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(10_000);
    gateway.upload("c1", "a", Some(before(from, 251)), &wav(1000)).await.expect(403);
    gateway.upload("c1", "a", Some(from), &wav(5001)).await.expect(403);
    gateway.upload("c1", "a", Some(after(from, 5000)), &wav(1000)).await.expect(403);
    gateway.upload("c1", "a", None, &wav(5001)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn naming_a_wrong_grant_does_not_hide_the_one_they_rely_on_from_its_withdrawal() {
    let gateway = Gateway::start().await;
    put(&gateway, "alices", &grant("alice")).await;
    put(&gateway, "bobs", &grant("bob")).await;
    for other in ["bobs", "nobodys"] {
        open(&gateway, other, "alice", None, "alices").await;
        gateway.control(other, "start").await.expect(200);
        let again = json!({"id": "alice", "role": "agent", "consent_grant": other});
        gateway.recorder.post(&format!("/v1/calls/{other}/participants"), &again).await.expect(201);
    }
    gateway.advance_ms(2000);
    gateway.counsel.post("/v1/consent-grants/alices/withdraw", &json!({})).await.expect(200);
    let withdrawn = gateway.now();
    gateway.advance_ms(2000);
    for call in ["bobs", "nobodys"] {
        let decision = gateway.recorder.get(&format!("/v1/calls/{call}/decision")).await.expect(200);
        assert_eq!((&decision["recording"], &decision["action"]), (&json!("blocked"), &json!("pause")));
        gateway.upload(call, "a", Some(withdrawn), &wav(1000)).await.problem(403, "consent-withdrawn");
    }
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn of_two_grants_that_were_named_the_later_one_alone_counts() {
    let gateway = Gateway::start().await;
    let ends = after(gateway.now(), 5000);
    put(&gateway, "first", &grant("alice")).await;
    let mut second = grant("alice");
    second["until"] = json!(ends);
    put(&gateway, "second", &second).await;
    let recording = async |call: &str| {
        let path = format!("/v1/calls/{call}/decision");
        gateway.recorder.get(&path).await.expect(200)["recording"].clone()
    };
    for (call, withdrawn) in [("c1", "second"), ("c2", "first")] {
        open(&gateway, call, "alice", None, "first").await;
        gateway.control(call, "start").await.expect(200);
        let again = json!({"id": "alice", "role": "agent", "consent_grant": "second"});
        gateway.recorder.post(&format!("/v1/calls/{call}/participants"), &again).await.expect(201);
        assert_eq!(recording(call).await, "permitted", "{call}");
        if withdrawn == "first" {
            gateway.counsel.post("/v1/consent-grants/first/withdraw", &json!({})).await.expect(200);
        }
    }
    assert_eq!(recording("c2").await, "permitted");
    gateway.advance_ms(6000);
    for call in ["c1", "c2"] {
        assert_eq!(recording(call).await, "blocked", "{call}");
        gateway.upload(call, "a", Some(ends), &wav(1000)).await.problem(403, "consent-required");
    }
    nothing_got_in(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_joins_while_their_grant_is_withdrawn_keeps_it() {
    let gateway = Gateway::start().await;
    for round in 0..6 {
        let id = format!("g{round}");
        put(&gateway, &id, &grant("alice")).await;
        let opening = (0..12).map(|n| {
            let call = format!("c{round}-{n}");
            let (gateway, id) = (&gateway, id.as_str());
            async move {
                open(gateway, &call, "alice", None, id).await;
                gateway.control(&call, "start").await;
                call
            }
        });
        let path = format!("/v1/consent-grants/{id}/withdraw");
        let body = json!({});
        let withdrawing = async {
            for _ in 0..round * 8 {
                tokio::task::yield_now().await;
            }
            gateway.counsel.post(&path, &body).await.expect(200);
        };
        let (calls, ()) = tokio::join!(futures_util::future::join_all(opening), withdrawing);
        for call in calls {
            let decision = gateway.recorder.get(&format!("/v1/calls/{call}/decision")).await.expect(200);
            assert_eq!(decision["recording"], "blocked", "{call}: {decision}");
        }
    }
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn consent_that_was_registered_is_never_changed_and_never_comes_back() {
    let gateway = Gateway::start().await;
    put(&gateway, "alices", &grant("alice")).await;
    let mut longer = grant("alice");
    longer["until"] = json!(after(gateway.now(), 1_000_000));
    gateway.counsel.put("/v1/consent-grants/alices", &longer).await.problem(409, "consent-grant-exists");
    gateway.counsel.post("/v1/consent-grants/alices/withdraw", &json!({})).await.expect(200);
    gateway
        .counsel
        .put("/v1/consent-grants/alices", &grant("alice"))
        .await
        .problem(409, "consent-grant-exists");
    open(&gateway, "c1", "alice", None, "alices").await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_recorder_gives_no_consent_for_others() {
    let gateway = Gateway::start().await;
    gateway.recorder.put("/v1/consent-grants/mine", &grant("alice")).await.problem(403, "wrong-role");
    let prompt = json!({"text": "!", "language": "en", "duration_ms": 1000});
    gateway.recorder.put("/v1/prompts/en", &prompt).await.problem(403, "wrong-role");
    gateway.registrar.put("/v1/prompts/en", &prompt).await.problem(403, "wrong-role");
    nothing_got_in(&gateway).await;
}
