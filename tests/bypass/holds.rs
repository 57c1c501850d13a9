//! Somebody on hold, a minor, an emergency: nothing of it opens what consent does not.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{after, before, customer, granted, granted_in, join, nothing_got_in, stored, verifies};
use crate::harness::{Gateway, wav};

/// The account leaves out whoever is on hold, where no rule says it.
async fn leaves_out_whoever_is_on_hold(gateway: &Gateway) {
    let choice = json!({"on_hold": "not-counted", "reason": "whoever is on hold hears music"});
    gateway.admin.put("/v1/law", &choice).await.expect(403);
    let chosen = gateway.counsel.put("/v1/law", &choice).await.expect(200);
    assert_eq!(chosen["on_hold"], "not-counted");
}

async fn says(gateway: &Gateway, kind: &str, who: &str) -> Value {
    gateway.event("c1", &json!({"type": kind, "participant": who})).await.expect(201)
}

async fn says_at(gateway: &Gateway, kind: &str, who: &str, at: Timestamp) -> Value {
    gateway.event("c1", &json!({"type": kind, "participant": who, "at": at})).await.expect(201)
}

/// A guardian's form for the caller, or a form of their own.
async fn registers(gateway: &Gateway, id: &str, given_by: &str) {
    let grant = json!({"subject": "caller", "role": "customer", "basis": "a form", "given_by": given_by});
    let shown = gateway.registrar.put(&format!("/v1/consent-grants/{id}"), &grant).await.expect(201);
    assert_eq!(shown["given_by"] == "guardian", given_by == "guardian", "{shown}");
}

async fn names(gateway: &Gateway, grant: &str) -> Value {
    let mut caller = customer("caller");
    caller["consent_grant"] = json!(grant);
    join(gateway, "c1", &caller).await.expect(201)
}

fn uncovered_from(problem: &Value) -> Timestamp {
    problem["uncovered"][0]["from"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_on_hold_counts_unless_counsel_says_otherwise() {
    let gateway = Gateway::start().await;
    granted(&gateway).await;
    let decision = join(&gateway, "c1", &customer("guest")).await.expect(201);
    assert_eq!(decision["recording"], "blocked");
    let decision = says(&gateway, "participant.held", "guest").await;
    assert_eq!(decision["recording"], "blocked", "{decision}");
    gateway.control("c1", "resume").await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_claimed_for_the_past_excuses_no_second_of_it() {
    let gateway = Gateway::start().await;
    leaves_out_whoever_is_on_hold(&gateway).await;
    let from = granted(&gateway).await;
    gateway.advance_ms(2000);
    let joined = gateway.now();
    join(&gateway, "c1", &customer("guest")).await.expect(201);
    gateway.advance_ms(4000);
    let decision = says_at(&gateway, "participant.held", "guest", joined).await;
    assert_eq!((&decision["recording"], &decision["action"]), (&json!("permitted"), &json!("resume")));
    gateway.control("c1", "resume").await.expect(200);
    let resumed = gateway.now();
    gateway.advance_ms(2000);
    let refused = gateway.upload("c1", "a", Some(from), &wav(8000)).await.problem(403, "consent-required");
    assert_eq!(uncovered_from(&refused), joined, "{refused}");
    nothing_got_in(&gateway).await;
    gateway.upload("c1", "a", Some(resumed), &wav(2000)).await.expect(201);
    stored(&gateway, 1).await;
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_over_from_when_the_platform_says_it_was() {
    let gateway = Gateway::start().await;
    leaves_out_whoever_is_on_hold(&gateway).await;
    granted(&gateway).await;
    join(&gateway, "c1", &customer("guest")).await.expect(201);
    says(&gateway, "participant.held", "guest").await;
    gateway.control("c1", "resume").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(6000);
    let back = before(gateway.now(), 4000);
    let decision = says_at(&gateway, "participant.retrieved", "guest", back).await;
    assert_eq!(decision["action"], "pause", "{decision}");
    let refused = gateway.upload("c1", "a", Some(from), &wav(6000)).await.problem(403, "consent-required");
    assert_eq!(uncovered_from(&refused), back);
    gateway.upload("c1", "a", Some(from), &wav(2000)).await.expect(201);
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_runs_into_a_hold_counts_for_nobody_who_was_on_it() {
    let gateway = Gateway::start().await;
    leaves_out_whoever_is_on_hold(&gateway).await;
    gateway.open("c1", "US-CA").await;
    // Played while on hold; begun before; and found out only when it was over.
    says(&gateway, "participant.held", "caller").await;
    gateway.advance_ms(4000);
    let decision = gateway.prompt("c1", &["caller", "agent"]).await;
    let caller = &decision["participants"][0];
    assert_eq!(caller["state"], "interrupted", "{caller}");
    says(&gateway, "participant.retrieved", "caller").await;
    gateway.control("c1", "start").await.problem(403, "consent-required");

    let began = json!({"type": "prompt.started", "prompt": "en", "participant": "caller"});
    gateway.event("c1", &began).await.expect(201);
    gateway.advance_ms(1000);
    says(&gateway, "participant.held", "caller").await;
    gateway.advance_ms(1000);
    says(&gateway, "participant.retrieved", "caller").await;
    gateway.advance_ms(2000);
    gateway.prompt("c1", &["caller"]).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");

    gateway.advance_ms(4000);
    let decision = gateway.prompt("c1", &["caller"]).await;
    assert_eq!(decision["recording"], "permitted", "{decision}");
    gateway.control("c1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(3000);
    says_at(&gateway, "participant.held", "caller", before(from, 1000)).await;
    says(&gateway, "participant.retrieved", "caller").await;
    gateway.upload("c1", "a", Some(from), &wav(3000)).await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_around_a_no_does_not_end_it() {
    let gateway = Gateway::start().await;
    leaves_out_whoever_is_on_hold(&gateway).await;
    let from = granted(&gateway).await;
    for kind in ["participant.held", "consent.declined", "participant.retrieved", "participant.held"] {
        gateway.advance_ms(1000);
        says(&gateway, kind, "caller").await;
    }
    gateway.control("c1", "resume").await.problem(403, "consent-required");
    // The prompt to which they then say yes ran into a hold.
    gateway.advance_ms(4000);
    gateway.prompt("c1", &["caller"]).await;
    let yes = json!({"type": "consent.given", "participant": "caller", "method": "dtmf"});
    gateway.event("c1", &yes).await.expect(201);
    says(&gateway, "participant.retrieved", "caller").await;
    gateway.control("c1", "resume").await.problem(403, "consent-required");
    gateway.upload("c1", "a", Some(from), &wav(3000)).await.problem(403, "consent-declined");
    nothing_got_in(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_recorded_while_somebody_is_on_hold_where_the_dutch_rule_counts() {
    let gateway = Gateway::start().await;
    // The account cannot relax it.
    leaves_out_whoever_is_on_hold(&gateway).await;
    let from = granted_in(&gateway, "c1", "NL").await;
    gateway.advance_ms(5000);
    let held = before(gateway.now(), 2000);
    let decision = says_at(&gateway, "participant.held", "caller", held).await;
    assert_eq!(decision["action"], "pause");
    assert_eq!(decision["obligations"], json!(["pause-on-hold"]));
    assert_eq!(decision["missing"][0]["needs"], json!([["participant.retrieved"]]), "{decision}");
    gateway.control("c1", "resume").await.problem(403, "consent-required");
    let refused = gateway.upload("c1", "a", Some(from), &wav(5000)).await.problem(403, "consent-required");
    assert_eq!(uncovered_from(&refused), held);
    // Back, but only from when it was logged.
    gateway.advance_ms(5000);
    says_at(&gateway, "participant.retrieved", "caller", before(gateway.now(), 4000)).await;
    gateway.control("c1", "resume").await.expect(200);
    gateway.upload("c1", "a", Some(from), &wav(3000)).await.expect(201);
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_in_a_refused_request_makes_things_stricter_and_excuses_nobody() {
    let gateway = Gateway::start().await;
    leaves_out_whoever_is_on_hold(&gateway).await;
    granted(&gateway).await;
    join(&gateway, "c1", &customer("guest")).await.expect(201);
    let wrong = json!({"type": "prompt.completed", "prompt": "nobody registered this", "participant": "agent", "played_ms": 1});
    let hold = |kind: &str, who: &str| json!([{"type": kind, "participant": who}, wrong]);
    let refused =
        gateway.event("c1", &hold("participant.held", "guest")).await.problem(422, "unknown-prompt");
    assert_eq!(refused["decision"]["recording"], "blocked", "{refused}");
    says(&gateway, "participant.held", "guest").await;
    gateway.control("c1", "resume").await.expect(200);
    let refused =
        gateway.event("c1", &hold("participant.retrieved", "guest")).await.problem(422, "unknown-prompt");
    assert_eq!(refused["decision"]["action"], "pause", "{refused}");
    // Where a hold is in the way, the refused request puts it there and does not take it away.
    granted_in(&gateway, "nl", "NL").await;
    let refused =
        gateway.event("nl", &hold("participant.held", "caller")).await.problem(422, "unknown-prompt");
    assert_eq!(refused["decision"]["action"], "pause", "{refused}");
    let refused =
        gateway.event("nl", &hold("participant.retrieved", "caller")).await.problem(422, "unknown-prompt");
    assert_eq!(refused["decision"]["recording"], "blocked", "{refused}");
    // Nobody can post the mark that this leaves in the log.
    let marked = json!({"type": "participant.held", "participant": "caller", "only_tightens": true});
    gateway.event("nl", &marked).await.expect(422);
    nothing_got_in(&gateway).await;
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minors_own_yes_never_suffices() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(3000);
    let future = after(gateway.now(), 3_600_000);
    let decision = says_at(&gateway, "participant.minor", "caller", future).await;
    assert_eq!(decision["action"], "pause", "{decision}");
    let missing = json!([["consent-grant.registered", "participant.joined"]]);
    assert_eq!(decision["missing"][0]["needs"], missing);
    gateway.advance_ms(4000);
    gateway.prompt("c1", &["caller"]).await;
    for method in ["dtmf", "written"] {
        let yes = json!({"type": "consent.given", "participant": "caller", "method": method});
        gateway.event("c1", &yes).await.expect(201);
    }
    registers(&gateway, "own", "subject").await;
    names(&gateway, "own").await;
    // Who leaves and comes back is no less a minor.
    says(&gateway, "participant.left", "caller").await;
    names(&gateway, "own").await;
    gateway.control("c1", "resume").await.problem(403, "consent-required");
    let refused = gateway.upload("c1", "a", Some(from), &wav(3000)).await.problem(403, "consent-required");
    let why = refused["uncovered"][0]["why"].as_str().unwrap();
    assert!(refused["source"] == "delete" && why.starts_with("`caller` is a minor"), "{refused}");
    nothing_got_in(&gateway).await;

    registers(&gateway, "parents", "guardian").await;
    let decision = names(&gateway, "parents").await;
    assert_eq!(decision["recording"], "permitted", "{decision}");
    gateway.control("c1", "resume").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(2000);
    gateway.upload("c1", "b", Some(from), &wav(2000)).await.expect(201);
    // A withdrawn one is none.
    gateway.registrar.post("/v1/consent-grants/parents/withdraw", &json!({})).await.expect(200);
    gateway.control("c1", "resume").await.problem(403, "consent-required");
    stored(&gateway, 1).await;
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_somebody_is_a_minor_is_never_lost() {
    let bodies = [
        json!([{"type": "participant.minor", "participant": "caller"}, {"type": "participant.left", "participant": "nobody"}]),
        json!({"type": "participant.minor", "participant": "caller", "method": "dtmf"}),
        json!({"type": "participant.minor", "participant": "caller", "at": "2001-01-01T00:00:00Z"}),
        json!({"type": "participant.minor", "participant": "somebody who was never announced"}),
        json!({"type": "participant.minor"}),
        json!({"events": [{"type": "participant.minor", "participant": ["caller"]}]}),
    ];
    for body in bodies {
        let gateway = Gateway::start().await;
        let from = granted(&gateway).await;
        gateway.advance_ms(2000);
        gateway.event("c1", &body).await;
        let decision = gateway.recorder.get("/v1/calls/c1/decision").await.expect(200);
        assert_eq!(decision["action"], "pause", "{body}: {decision}");
        gateway.control("c1", "resume").await.problem(403, "consent-required");
        // Whoever was never announced has just come.
        if body["participant"] != "somebody who was never announced" {
            gateway.upload("c1", "a", Some(from), &wav(2000)).await.problem(403, "consent-required");
        }
        nothing_got_in(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_starts_again_on_a_call_that_became_an_emergency() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(3000);
    gateway.upload("c1", "before", Some(from), &wav(2000)).await.expect(201);
    let at = after(gateway.now(), 3_600_000);
    let decision = gateway.event("c1", &json!({"type": "call.emergency", "at": at})).await.expect(201);
    assert_eq!((&decision["action"], &decision["recorder"]), (&json!("stop"), &json!("suspended")));
    for action in ["start", "resume"] {
        gateway.control("c1", action).await.problem(403, "consent-required");
    }
    // Whatever is said or played later, and whenever the audio was made.
    gateway.advance_ms(4000);
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.control("c1", "resume").await.problem(403, "consent-required");
    for placed in [Some(after(from, 2000)), Some(before(from, 500)), None] {
        let refused = gateway.upload("c1", "after", placed, &wav(500)).await.problem(403, "consent-required");
        assert_eq!(refused["source"], "delete", "{refused}");
    }
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    gateway.upload("c1", "after", None, &wav(500)).await.problem(403, "consent-required");
    stored(&gateway, 1).await;
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_call_is_an_emergency_is_never_lost() {
    let bodies = [
        json!([{"type": "call.emergency"}, {"type": "participant.left", "participant": "nobody"}]),
        json!({"type": "call.emergency", "participant": "caller"}),
        json!({"type": "call.emergency", "at": "not a time"}),
    ];
    for body in bodies {
        let gateway = Gateway::start().await;
        let from = granted(&gateway).await;
        gateway.advance_ms(2000);
        gateway.event("c1", &body).await;
        gateway.control("c1", "resume").await.problem(403, "consent-required");
        gateway.upload("c1", "a", Some(from), &wav(2000)).await.problem(403, "consent-required");
        nothing_got_in(&gateway).await;
    }
    // Reported when the call is over, it still reaches what was not uploaded yet.
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(2000);
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    gateway.event("c1", &json!({"type": "call.emergency"})).await.expect(201);
    gateway.upload("c1", "a", Some(from), &wav(2000)).await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn public_safety_does_not_keep_an_emergency_where_a_row_does_not_allow_it() {
    let gateway = Gateway::start().await;
    let switch = json!({"public_safety": true, "reason": "we are the county's answering point"});
    gateway.counsel.put("/v1/law", &switch).await.expect(200);
    let from = granted(&gateway).await;
    gateway.advance_ms(3000);
    let decision = gateway.event("c1", &json!({"type": "call.emergency"})).await.expect(201);
    assert_eq!((&decision["action"], &decision["recording"]), (&json!("stop"), &json!("blocked")));
    gateway.control("c1", "resume").await.problem(403, "consent-required");
    let refused = gateway.upload("c1", "a", Some(from), &wav(2000)).await.problem(403, "consent-required");
    assert_eq!(refused["source"], "delete", "{refused}");
    nothing_got_in(&gateway).await;
    verifies(&gateway).await;
}
