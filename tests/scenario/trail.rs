//! The audit trail: complete, without outsiders' words, and enough to decide again.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use trail::{Body, Leaf, Saw};

use super::person;
use crate::harness::{Gateway, wav};

/// The trail but for what was asked of it, which is logged as well.
async fn log(gateway: &Gateway) -> Vec<Value> {
    without_questions(whole_log(gateway).await)
}

async fn whole_log(gateway: &Gateway) -> Vec<Value> {
    let log = gateway.auditor.get("/v1/consents?limit=1000").await.expect(200);
    assert_eq!(log["next"], Value::Null);
    log["consents"].as_array().unwrap().clone()
}

fn without_questions(mut entries: Vec<Value>) -> Vec<Value> {
    entries.retain(|one| one["entry"]["type"] != "audit.lookup");
    entries
}

/// Everything that an account does, with strings that nobody else would use.
async fn busy_day(gateway: &Gateway) -> Vec<String> {
    let said = |name: &str| format!("zq-{name}-zq");
    let (caller, agent, third) = (said("caller"), said("agent"), said("third"));
    let purposes = [said("purpose"), said("fetch")];
    let prompt = crate::harness::telling(
        json!({"text": said("text"), "language": "en", "duration_ms": 1000, "purposes": purposes}),
    );
    gateway.counsel.put(&format!("/v1/prompts/{}", said("prompt")), &prompt).await.expect(201);
    let grant = json!({"subject": agent, "role": "agent", "basis": said("basis"), "text_version": said("version"),
        "purposes": purposes, "evidence_sha256": "ab".repeat(32)});
    gateway.registrar.put(&format!("/v1/consent-grants/{}", said("grant")), &grant).await.expect(201);
    let call = said("call");
    let people = json!([
        {"id": caller, "role": "customer", "number": "+14155550177", "ip": "203.0.113.77", "location": "US-CA", "languages": ["en-US"]},
        {"id": agent, "role": "agent", "location": "US-CA", "consent_grant": said("grant")},
    ]);
    let more = json!({"purposes": purposes, "aliases": [said("alias")], "direction": "inbound"});
    gateway.open_with(&call, people, more).await;
    gateway
        .upload(&call, &said("early"), Some(gateway.now()), &wav(100))
        .await
        .problem(403, "consent-required");
    gateway.control(&call, "start").await.problem(403, "consent-required");
    gateway.report(&call, json!({"type": "prompt.started", "participant": caller, "prompt": said("prompt"), "id": said("event")})).await;
    gateway.advance_ms(1000);
    gateway.report(&call, json!({"type": "prompt.completed", "participant": caller, "prompt": said("prompt"), "played_ms": 1000,
        "reported_by": "platform", "reason": said("reason"), "evidence": {"source": said("source"), "ref": said("ref"), "sha256": "cd".repeat(32)}})).await;
    let control = |action: &str| json!({"action": action, "reason": said("why")});
    gateway.recorder.post(&format!("/v1/calls/{call}/recording"), &control("start")).await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(2000);
    let mut joiner = person(&third, "customer", "US-NV");
    joiner["number"] = json!("+17025550188");
    gateway.joins(&call, &joiner).await;
    gateway.report(&call, json!({"type": "prompt.completed", "participant": third, "prompt": said("prompt"), "played_ms": 1000})).await;
    gateway.happens(&call, "consent.declined", &third).await;
    gateway.happens(&call, "participant.left", &third).await;
    let stored = gateway.upload(&call, &said("name"), Some(from), &wav(2000)).await.expect(201);
    let recording = format!("/v1/recordings/{}", stored["id"].as_str().unwrap());
    let media = format!("{recording}/media?purpose={}", said("fetch"));
    assert_eq!(gateway.listener.get(&media).await.status, 200);
    gateway.counsel.put(&format!("{recording}/hold"), &json!({})).await.expect(200);
    gateway.counsel.delete(&format!("{recording}/hold")).await.expect(200);
    gateway.admin.delete(&recording).await.expect(204);
    gateway
        .registrar
        .post(&format!("/v1/consent-grants/{}/withdraw", said("grant")), &json!({}))
        .await
        .expect(200);
    gateway.report(&call, json!({"type": "call.ended", "at": gateway.now()})).await;
    ["zq-", "4155550177", "7025550188", "203.0.113.77", "abababab", "cdcdcdcd", "acme", "somebody", "en-US"]
        .map(str::to_owned)
        .to_vec()
}

#[tokio::test]
async fn every_consequential_act_is_exactly_one_entry() {
    let gateway = Gateway::start().await;
    let before = log(&gateway).await.len();
    busy_day(&gateway).await;
    let entries = log(&gateway).await;
    let types: Vec<&str> =
        entries[before..].iter().map(|one| one["entry"]["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "prompt.registered",
            "consent-grant.registered",
            "call.opened",
            "recording.refused",
            "recording.control-refused",
            "prompt.started",
            "prompt.completed",
            "recording.start",
            "participant.joined",
            "prompt.completed",
            "consent.declined",
            "participant.left",
            "recording.accepted",
            "recording.fetched",
            "recording.hold",
            "recording.hold",
            "recording.deleted",
            "consent-grant.withdrawn",
            "consent.withdrawn",
            "call.ended",
        ]
    );
    let all = whole_log(&gateway).await;
    let indexes: Vec<u64> = all.iter().map(|one| one["index"].as_u64().unwrap()).collect();
    assert!(indexes.windows(2).all(|pair| pair[0] + 1 == pair[1]), "no entry is missing: {indexes:?}");
}

#[tokio::test]
async fn what_is_only_looked_at_or_refused_as_nonsense_or_repeated_is_no_entry() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let left = json!({"type": "participant.answered", "participant": "caller", "by": "human", "id": "e1"});
    gateway.report("c", left.clone()).await;
    let before = log(&gateway).await.len();
    gateway.report("c", left).await;
    gateway.decision("c").await;
    gateway.timeline("c").await;
    gateway.event("c", &json!({"type": "no.such"})).await.problem(422, "invalid-body");
    gateway.recorder.get("/v1/recordings").await.expect(200);
    gateway.auditor.get("/v1/jurisdictions/DE").await.expect(200);
    assert_eq!(log(&gateway).await.len(), before);
}

#[tokio::test]
async fn no_word_of_an_outsider_stands_in_a_leaf() {
    let gateway = Gateway::start().await;
    let words = busy_day(&gateway).await;
    let entries = log(&gateway).await;
    for entry in &entries {
        let leaf = entry["entry"].to_string();
        for word in &words {
            assert!(!leaf.contains(word.as_str()), "`{word}` stands in {leaf}");
        }
    }
    // The search would find them: they stand in the details, which can be erased.
    let details: String = entries.iter().map(|entry| entry["detail"].to_string()).collect();
    for word in ["zq-call-zq", "zq-caller-zq", "zq-reason-zq", "zq-why-zq", "zq-fetch-zq", "zq-basis-zq"] {
        assert!(details.contains(word), "{word}");
    }
}

#[tokio::test]
async fn every_leaf_commits_to_its_detail_and_to_the_entry_before() {
    let gateway = Gateway::start().await;
    busy_day(&gateway).await;
    let rows = gateway.rows("acme").await;
    let shown = log(&gateway).await;
    assert_eq!(rows.len(), shown.len());
    let mut head = None;
    let mut last = None;
    for (row, shown) in rows.iter().zip(&shown) {
        let leaf: Leaf = serde_json::from_slice(&row.leaf).unwrap();
        assert_eq!(shown["leaf_hash"], trail::hex(&trail::leaf_hash(&row.leaf)));
        assert_eq!(row.leaf_hash, trail::leaf_hash(&row.leaf));
        assert_eq!(shown["entry"], serde_json::from_slice::<Value>(&row.leaf).unwrap());
        match (&leaf.detail, &row.salt, &row.document) {
            (Some(commitment), Some(salt), Some(document)) => {
                let mut hash = Sha256::new();
                hash.update(salt);
                hash.update(document.as_bytes());
                assert_eq!(*commitment, BASE64_STANDARD.encode(hash.finalize()));
                assert_eq!(salt.len(), 32);
            }
            (None, None, None) => {}
            odd => panic!("{}: {odd:?}", leaf.kind),
        }
        if leaf.call.is_some() {
            assert_eq!(leaf.prev, head, "{}", leaf.kind);
            head = Some(leaf.id);
        }
        assert!(last.is_none_or(|last| last <= leaf.at), "time runs forwards");
        last = Some(leaf.at);
    }
}

#[tokio::test]
async fn a_decision_can_be_recomputed_from_leaves_and_table_alone() {
    let gateway = Gateway::start().await;
    busy_day(&gateway).await;
    let rows = gateway.rows("acme").await;
    let leaves: Vec<Leaf> = rows.iter().map(|row| serde_json::from_slice(&row.leaf).unwrap()).collect();
    let leaves: Vec<Leaf> = leaves.into_iter().filter(|leaf| leaf.call.is_some()).collect();
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../jurisdictions.toml")).unwrap();
    let table = std::sync::Arc::new(policy::Table::parse(&text).unwrap());
    let mut decisions = 0;
    for (index, leaf) in leaves.iter().enumerate() {
        let (Body::Opened { saw, .. }
        | Body::Event { saw, .. }
        | Body::ControlRefused { saw, .. }
        | Body::Accepted { saw, .. }
        | Body::Unasked { saw, .. }
        | Body::Suspension { saw, .. }
        | Body::Refused { saw, .. }) = &leaf.body
        else {
            continue;
        };
        assert_eq!(saw.table, table.digest());
        let call = trail::fold(&|_| Some(std::sync::Arc::clone(&table)), &leaves[..=index]).unwrap();
        assert_eq!(Saw::of(table.digest(), &call.decide(leaf.at)), *saw, "{}", leaf.kind);
        decisions += 1;
    }
    assert_eq!(decisions, 13);
}

#[tokio::test]
async fn consent_records_are_found_by_call_and_time_and_paged() {
    let gateway = Gateway::start().await;
    gateway.open("before", "US-CA").await;
    gateway.advance_ms(10_000);
    let from = gateway.now();
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    gateway.advance_ms(10_000);
    let until = gateway.now();
    gateway.open("after", "US-CA").await;
    let count = async |query: String| {
        let page = gateway.auditor.get(&format!("/v1/consents?{query}")).await.expect(200);
        without_questions(page["consents"].as_array().unwrap().clone()).len()
    };
    assert_eq!(count("call=c".into()).await, 2);
    assert_eq!(count(format!("from={from}&until={until}")).await, 2);
    assert_eq!(count(format!("from={until}")).await, 1);
    let logged = gateway.rows("acme").await.len() as u64;
    let mut seen = Vec::new();
    let mut query = String::from("limit=4");
    loop {
        let page = gateway.auditor.get(&format!("/v1/consents?{query}")).await.expect(200);
        seen.extend(page["consents"].as_array().unwrap().iter().map(|one| one["index"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => query = format!("limit=4&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (0..logged).collect::<Vec<_>>());
    gateway.auditor.get("/v1/consents?call=nobody").await.problem(404, "unknown-call");
    gateway.auditor.get("/v1/consents?from=yesterday").await.problem(400, "invalid-query");
    gateway.auditor.get("/v1/consents?after=x").await.problem(422, "invalid-cursor");
}
