//! For which purposes media are handed out: those that were told.

use bytes::Bytes;
use serde_json::{Value, json};

use super::person;
use super::questions::{ask, entries};
use crate::harness::{Gateway, wav};

/// A recording on a call whose people heard these prompts; `more` says what the call is for.
async fn recorded(gateway: &Gateway, call: &str, heard: &[(&str, &str)], more: Value) -> String {
    gateway.open_with(call, super::two("US-CA"), more).await;
    for (participant, prompt) in heard {
        gateway.report(call, json!({"type": "prompt.completed", "prompt": prompt, "participant": participant, "played_ms": 4000})).await;
    }
    upload(gateway, call).await
}

async fn upload(gateway: &Gateway, call: &str) -> String {
    gateway.control(call, "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(1000);
    let stored = gateway.upload(call, "a", Some(from), &wav(1000)).await.expect(201);
    stored["id"].as_str().unwrap().to_owned()
}

async fn fetched(gateway: &Gateway, recording: &str, purpose: &str) -> u16 {
    gateway.listener.get(&format!("/v1/recordings/{recording}/media?purpose={purpose}")).await.status
}

async fn prompt(gateway: &Gateway, id: &str, purposes: &[&str]) {
    let body = crate::harness::telling(
        json!({"text": "Recorded.", "language": "en", "duration_ms": 4000, "purposes": purposes}),
    );
    gateway.counsel.put(&format!("/v1/prompts/{id}"), &body).await.expect(201);
}

#[tokio::test]
async fn media_are_handed_out_for_a_purpose_that_the_call_named_and_for_no_other() {
    let gateway = Gateway::start().await;
    prompt(&gateway, "wide", &["quality", "training", "marketing"]).await;
    let heard = [("caller", "wide"), ("agent", "wide")];
    let one = recorded(&gateway, "one", &heard, json!({"purposes": ["quality"]})).await;
    let two = recorded(&gateway, "two", &heard, json!({"purposes": ["quality", "training"]})).await;
    assert_eq!(fetched(&gateway, &one, "quality").await, 200);
    assert_eq!(
        fetched(&gateway, &two, "training").await,
        200,
        "what one call is for says nothing of another"
    );
    let path = format!("/v1/recordings/{one}/media");
    let refused =
        gateway.listener.get(&format!("{path}?purpose=training")).await.problem(403, "purpose-not-consented");
    assert_eq!(refused["told"], json!(["quality"]));
    assert!(refused["detail"].as_str().unwrap().contains("`training`"), "{refused}");
    let stated = [("purpose", "marketing"), ("range", "bytes=0-9")];
    gateway.listener.send("GET", &path, &stated, Bytes::new()).await.problem(403, "purpose-not-consented");
    assert_eq!(fetched(&gateway, &two, "marketing").await, 403, "the prompt said more than the call is for");
    let log = entries(&ask(&gateway.auditor, &format!("recording={one}&type=recording.fetch-refused")).await);
    assert_eq!(log.len(), 2);
    assert_eq!(
        log[0]["entry"]["body"]["fetch_refused"],
        json!({"recording": one, "code": "purpose-not-consented"})
    );
    assert_eq!(log[0]["detail"], json!({"purpose": "training", "told": ["quality"]}));
    assert_eq!(log[1]["detail"]["purpose"], "marketing");
    assert_eq!(log[1]["entry"]["actor"]["role"], "listener");
}

#[tokio::test]
async fn where_a_call_names_no_purpose_everybodys_prompts_decide() {
    let gateway = Gateway::start().await;
    prompt(&gateway, "wide", &["quality", "training"]).await;
    prompt(&gateway, "mixed", &["training", "coaching"]).await;
    prompt(&gateway, "silent", &[]).await;
    let none = || json!({"purposes": []});
    let same = recorded(&gateway, "same", &[("caller", "en"), ("agent", "en")], none()).await;
    assert_eq!(
        (fetched(&gateway, &same, "quality").await, fetched(&gateway, &same, "training").await),
        (200, 403)
    );
    let differ = recorded(&gateway, "differ", &[("caller", "wide"), ("agent", "en")], none()).await;
    assert_eq!(
        (fetched(&gateway, &differ, "quality").await, fetched(&gateway, &differ, "training").await),
        (200, 403)
    );
    let path = format!("/v1/recordings/{differ}/media?purpose=training");
    assert_eq!(gateway.listener.get(&path).await.expect(403)["told"], json!(["quality"]));
    let apart = recorded(&gateway, "apart", &[("caller", "en"), ("agent", "mixed")], none()).await;
    for purpose in ["quality", "training", "coaching"] {
        let path = format!("/v1/recordings/{apart}/media?purpose={purpose}");
        let refused = gateway.listener.get(&path).await.problem(403, "purpose-not-consented");
        assert_eq!(refused["told"], json!([]), "nothing was told to both");
    }
    let silent = recorded(&gateway, "silent", &[("caller", "silent"), ("agent", "mixed")], none()).await;
    assert_eq!(
        (fetched(&gateway, &silent, "coaching").await, fetched(&gateway, &silent, "quality").await),
        (200, 403)
    );
    let anything = recorded(&gateway, "anything", &[("caller", "silent"), ("agent", "silent")], none()).await;
    assert_eq!(fetched(&gateway, &anything, "research").await, 200, "who names no purpose means all of them");
    // What is said later is another version, and was not told to them.
    prompt(&gateway, "en", &["quality", "training"]).await;
    assert_eq!(fetched(&gateway, &same, "training").await, 403);
}

#[tokio::test]
async fn a_grant_tells_its_purposes_to_whom_it_binds() {
    let gateway = Gateway::start().await;
    let grant = json!({"subject": "agent", "role": "agent", "basis": "contract", "purposes": ["quality", "training"]});
    gateway.registrar.put("/v1/consent-grants/g", &grant).await.expect(201);
    prompt(&gateway, "wide", &["training", "coaching"]).await;
    let mut agent = person("agent", "agent", "US-CA");
    agent["consent_grant"] = json!("g");
    let people = json!([person("caller", "customer", "US-CA"), agent]);
    gateway.open_with("c", people, json!({"purposes": []})).await;
    gateway
        .report(
            "c",
            json!({"type": "prompt.completed", "prompt": "wide", "participant": "caller", "played_ms": 4000}),
        )
        .await;
    let recording = upload(&gateway, "c").await;
    assert_eq!(fetched(&gateway, &recording, "training").await, 200);
    assert_eq!(fetched(&gateway, &recording, "coaching").await, 403, "the grant is not for it");
    assert_eq!(fetched(&gateway, &recording, "quality").await, 403, "the prompt is not for it");
}

#[tokio::test]
async fn only_who_is_on_the_recording_has_to_have_been_told() {
    let gateway = Gateway::start().await;
    let none = json!({"purposes": []});
    prompt(&gateway, "mixed", &["training"]).await;
    let recording = recorded(&gateway, "c", &[("caller", "en"), ("agent", "en")], none.clone()).await;
    // Somebody who comes later is not on it, whatever they were told.
    gateway.joins("c", &person("third", "customer", "US-CA")).await;
    gateway.advance_ms(4000);
    gateway
        .report(
            "c",
            json!({"type": "prompt.completed", "prompt": "mixed", "participant": "third", "played_ms": 4000}),
        )
        .await;
    gateway.control("c", "resume").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(1000);
    let later = gateway.upload("c", "b", Some(from), &wav(1000)).await.expect(201);
    assert_eq!(fetched(&gateway, &recording, "quality").await, 200);
    assert_eq!(fetched(&gateway, later["id"].as_str().unwrap(), "quality").await, 403);
    // Where one party's consent is enough, whoever was told nothing limits nothing; whoever was, does.
    gateway.open_with("ny", super::two("US-NY"), none.clone()).await;
    gateway.says_yes("ny", "agent", "dtmf").await;
    let unasked = upload(&gateway, "ny").await;
    assert_eq!(fetched(&gateway, &unasked, "research").await, 200);
    gateway.open_with("ny2", super::two("US-NY"), none).await;
    gateway.says_yes("ny2", "agent", "dtmf").await;
    gateway.prompt("ny2", &["caller"]).await;
    let told = upload(&gateway, "ny2").await;
    assert_eq!(
        (fetched(&gateway, &told, "quality").await, fetched(&gateway, &told, "research").await),
        (200, 403)
    );
}

/// Nobody agrees to what they said no to, and what a machine was told nobody heard.
#[tokio::test]
async fn what_was_refused_or_told_to_a_machine_opens_nothing() {
    let gateway = Gateway::start().await;
    let none = json!({"purposes": []});
    prompt(&gateway, "wide", &["quality", "training"]).await;
    let play = async |call: &str, prompt: &str, whom: &[&str]| {
        gateway.advance_ms(5_000);
        let played =
            json!({"type": "prompt.completed", "prompt": prompt, "participants": whom, "played_ms": 4000});
        gateway.report(call, played).await;
    };
    // The same without an objection, so that it is the objection that counts.
    gateway.open_with("fine", super::two("US-CA"), none.clone()).await;
    play("fine", "wide", &["caller", "agent"]).await;
    play("fine", "en", &["caller"]).await;
    let fine = upload(&gateway, "fine").await;
    assert_eq!(fetched(&gateway, &fine, "training").await, 200);

    gateway.open_with("no", super::two("US-CA"), none.clone()).await;
    play("no", "wide", &["caller", "agent"]).await;
    gateway.report("no", json!({"type": "consent.declined", "participant": "caller"})).await;
    play("no", "en", &["caller"]).await;
    gateway.says_yes("no", "caller", "dtmf").await;
    let refused = upload(&gateway, "no").await;
    assert_eq!(
        (fetched(&gateway, &refused, "quality").await, fetched(&gateway, &refused, "training").await),
        (200, 403)
    );

    gateway.open_with("machine", super::two("US-CA"), none).await;
    play("machine", "wide", &["caller", "agent"]).await;
    for by in ["machine", "human"] {
        gateway
            .report("machine", json!({"type": "participant.answered", "participant": "caller", "by": by}))
            .await;
    }
    play("machine", "en", &["caller"]).await;
    let answered = upload(&gateway, "machine").await;
    assert_eq!(
        (fetched(&gateway, &answered, "quality").await, fetched(&gateway, &answered, "training").await),
        (200, 403)
    );
}

#[tokio::test]
async fn nothing_told_or_granted_after_a_recording_opens_it() {
    let gateway = Gateway::start().await;
    prompt(&gateway, "wide", &[]).await;
    let grant = |id: &str, purposes: Value| {
        let body = json!({"subject": "agent", "role": "agent", "basis": "contract", "purposes": purposes});
        let path = format!("/v1/consent-grants/{id}");
        let registrar = gateway.registrar.clone();
        async move { registrar.put(&path, &body).await.expect(201) }
    };
    grant("narrow", json!(["quality"])).await;
    grant("all", json!([])).await;
    let with = |id: &str| {
        let mut agent = person("agent", "agent", "US-CA");
        agent["consent_grant"] = json!(id);
        agent
    };
    let people = json!([person("caller", "customer", "US-CA"), with("narrow")]);
    gateway.open_with("c", people, json!({"purposes": []})).await;
    gateway.prompt("c", &["caller"]).await;
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(2000);
    gateway.control("c", "stop").await.expect(200);
    // A wider prompt is played and a wider grant named before the upload is accepted.
    let wide =
        json!({"type": "prompt.completed", "prompt": "wide", "participant": "caller", "played_ms": 4000});
    gateway.advance_ms(4000);
    gateway.report("c", wide).await;
    gateway.joins("c", &with("all")).await;
    let before = gateway.upload("c", "before", Some(from), &wav(1000)).await.expect(201);
    let before = before["id"].as_str().unwrap().to_owned();
    let of = async |recording: &str| {
        (fetched(&gateway, recording, "quality").await, fetched(&gateway, recording, "ai-training").await)
    };
    assert_eq!(of(&before).await, (200, 403));
    // What is recorded from here on is theirs to listen to for anything; a recording of both is not.
    let after = upload(&gateway, "c").await;
    assert_eq!(of(&after).await, (200, 200));
    assert_eq!(of(&before).await, (200, 403));
    // What is withdrawn opens nothing any more, and nothing else than that.
    gateway.registrar.post("/v1/consent-grants/all/withdraw", &json!({})).await.expect(200);
    assert_eq!((of(&before).await, of(&after).await), ((200, 403), (200, 403)));
    gateway.registrar.post("/v1/consent-grants/narrow/withdraw", &json!({})).await.expect(200);
    assert_eq!((of(&before).await, of(&after).await), ((403, 403), (403, 403)));
}

#[tokio::test]
async fn a_recording_says_when_it_was_made_who_was_there_and_what_for_and_is_found_by_it() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    let recording = upload(&gateway, "c").await;
    let from = gateway.now().checked_sub(jiff::SignedDuration::from_secs(1)).unwrap();
    // Who comes later is not on it.
    gateway.joins("c", &person("third", "customer", "US-CA")).await;
    let described = gateway.listener.get(&format!("/v1/recordings/{recording}")).await.expect(200);
    assert_eq!(described["recorded_from"], json!(format!("{from:.3}")));
    assert_eq!(
        described["segments"],
        json!([{"from": described["recorded_from"], "until": described["recorded_until"]}])
    );
    assert_eq!(described["participants"], json!(["caller", "agent"]));
    assert_eq!(described["purposes"], json!(["quality"]));
    assert!(described["uploader"].as_str().unwrap().starts_with("cg_"), "{described}");
    let found = async |query: &str| {
        let listed = gateway.listener.get(&format!("/v1/recordings?{query}")).await.expect(200);
        listed["recordings"].as_array().unwrap().clone()
    };
    for query in [
        "",
        "participant=agent",
        "purpose=quality",
        "call=c",
        "from=2026-11-20T00:00:00Z&until=2026-11-21T00:00:00Z",
    ] {
        assert_eq!(found(query).await, std::slice::from_ref(&described), "{query}");
    }
    for query in
        ["participant=third", "purpose=training", "from=2026-11-21T00:00:00Z", "until=2026-11-20T00:00:00Z"]
    {
        assert_eq!(found(query).await, Vec::<Value>::new(), "{query}");
    }
    gateway.listener.get("/v1/recordings?from=yesterday").await.problem(400, "invalid-query");
}
