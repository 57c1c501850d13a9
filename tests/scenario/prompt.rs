//! Which prompts count.

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use serde_json::{Value, json};

use super::{is_blocked, is_permitted, of, person, two};
use crate::harness::Gateway;

fn completed(prompt: &str, played_ms: u64) -> Value {
    json!({"type": "prompt.completed", "prompt": prompt, "participants": ["caller", "agent"], "played_ms": played_ms})
}

fn started() -> Value {
    json!({"type": "prompt.started", "prompt": "en", "participants": ["caller", "agent"]})
}

#[track_caller]
fn does_not_count(decision: &Value, state: &str, note: &str) {
    is_blocked(decision);
    let caller = of(decision, "caller");
    assert_eq!(caller["state"], state, "{caller}");
    assert!(caller["notes"].to_string().contains(note), "{caller}");
}

#[tokio::test]
async fn a_prompt_that_was_cut_short_does_not_count() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    does_not_count(&gateway.report("c", completed("en", 3999)).await, "interrupted", "");
    gateway.report("c", started()).await;
    gateway.advance_ms(3999);
    does_not_count(&gateway.report("c", completed("en", 4000)).await, "interrupted", "");
    let decision = gateway.report("c", started()).await;
    assert_eq!(of(&decision, "caller")["state"], "prompting");
    gateway.advance_ms(4000);
    is_permitted(&gateway.report("c", completed("en", 4000)).await);
}

#[tokio::test]
async fn the_times_that_the_platform_claims_have_to_hold_the_whole_prompt() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    gateway.advance_ms(10_000);
    let mut begun = started();
    begun["at"] = json!(gateway.ago(5));
    let mut done = completed("en", 4000);
    done["at"] = json!(gateway.ago(2));
    does_not_count(
        &gateway.recorder.post("/v1/calls/c/events", &json!([begun, done])).await.expect(201),
        "interrupted",
        "",
    );
    done["at"] = json!(gateway.ago(1));
    is_permitted(&gateway.recorder.post("/v1/calls/c/events", &json!([begun, done])).await.expect(201));
}

#[tokio::test]
async fn an_interrupted_prompt_does_not_count() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    gateway.report("c", started()).await;
    let decision =
        gateway.report("c", json!({"type": "prompt.interrupted", "participants": ["caller", "agent"]})).await;
    does_not_count(&decision, "interrupted", "");
}

#[tokio::test]
async fn a_prompt_in_a_language_that_they_do_not_have_does_not_count() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    does_not_count(&gateway.report("c", completed("de", 4000)).await, "unprompted", "language");
    let people = json!([{"id": "caller", "role": "customer", "location": "US-CA"},
        {"id": "agent", "role": "agent", "location": "US-CA", "languages": ["fr", "en-GB"]}]);
    gateway.open_with("d", people, json!({})).await;
    let decision = gateway.report("d", completed("en", 4000)).await;
    is_permitted(&decision);
    assert!(of(&decision, "caller")["notes"].to_string().contains("default language"));
}

#[tokio::test]
async fn a_prompt_that_does_not_name_every_purpose_of_the_call_does_not_count() {
    let gateway = Gateway::start().await;
    gateway.open_with("c", two("US-CA"), json!({"purposes": ["quality", "training"]})).await;
    does_not_count(&gateway.report("c", completed("en", 4000)).await, "unprompted", "purpose");
}

#[tokio::test]
async fn a_prompt_counts_only_for_those_who_were_there_for_all_of_it() {
    let gateway = Gateway::start().await;
    gateway.open_with("c", two("US-CA"), json!({"started_at": gateway.ago(3)})).await;
    does_not_count(&gateway.report("c", completed("en", 4000)).await, "unprompted", "hear all of it");
    gateway.advance_ms(1000);
    is_permitted(&gateway.report("c", completed("en", 4000)).await);
    gateway.joins("c", &person("third", "customer", "US-CA")).await;
    gateway.advance_ms(3999);
    is_blocked(&gateway.prompt("c", &["third"]).await);
    gateway.advance_ms(1);
    is_permitted(&gateway.prompt("c", &["third"]).await);
}

#[tokio::test]
async fn a_prompt_that_ran_while_they_objected_is_no_new_prompt() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    gateway.report("c", started()).await;
    gateway.advance_ms(2000);
    gateway.happens("c", "consent.declined", "caller").await;
    gateway.advance_ms(2000);
    let mut done = completed("en", 4000);
    done["at"] = json!(gateway.now());
    gateway.report("c", done).await;
    is_blocked(&gateway.says_yes("c", "caller", "dtmf").await);
}

#[tokio::test]
async fn a_changed_prompt_is_a_new_version_and_its_length_counts_from_then_on() {
    let gateway = Gateway::start().await;
    let longer = crate::harness::telling(json!({"text": "We say it at length.", "language": "en",
        "duration_ms": 9000, "purposes": ["quality"]}));
    let registered = gateway.counsel.put("/v1/prompts/en", &longer).await.expect(201);
    assert_eq!(registered["version"], 2);
    gateway.counsel.put("/v1/prompts/en", &longer).await.expect(200);
    gateway.open("c", "US-CA").await;
    is_blocked(&gateway.report("c", completed("en", 4000)).await);
    is_permitted(&gateway.report("c", completed("en", 9000)).await);
}

/// Where the first lawful interval of a call begins, in seconds before now.
async fn lawful_since(settings: AccountSettings, heard_ago: i64) -> i64 {
    let gateway = Gateway::with(Config::default(), settings).await;
    gateway.open_with("c", two("US-CA"), json!({})).await;
    gateway.advance_ms(100_000);
    let mut late = completed("en", 4000);
    late["at"] = json!(gateway.ago(heard_ago));
    is_permitted(&gateway.report("c", late).await);
    let now = gateway.now();
    gateway.advance_ms(1000);
    let timeline = gateway.timeline("c").await;
    let lawful = timeline["intervals"].as_array().unwrap().iter().find(|one| one["lawful"] == true).unwrap();
    let from: jiff::Timestamp = lawful["from"].as_str().unwrap().parse().unwrap();
    now.duration_since(from).as_secs()
}

#[tokio::test]
async fn late_evidence_counts_from_when_it_was_logged_unless_the_account_allows_more() {
    let late = |seconds| AccountSettings { late_evidence_seconds: seconds, ..AccountSettings::default() };
    assert_eq!(lawful_since(late(0), 20).await, 0);
    assert_eq!(lawful_since(late(30), 20).await, 20);
    assert_eq!(lawful_since(late(30), 50).await, 30);
}
