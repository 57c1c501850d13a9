//! What nobody can decide on yet waits, locked; and it is decided on by what was logged when it ended.

use std::path::PathBuf;

use consent_gateway::gate::AccountSettings;
use serde_json::{Value, json};
use trail::{Actor, OnRefusal};

use super::{Line, Switch, encode, target};
use crate::harness::{Gateway, files_below, kept_in, wav};

impl Switch {
    fn url(&self) -> String {
        format!("/kazoo/acme?token={}", self.token())
    }

    /// Sends a file of one second, which is put into quarantine.
    async fn quarantined(&self, call: &str, id: &str, begun: jiff::Timestamp) -> Value {
        let at = target(Line::Released, &self.url(), call, id, begun);
        let said = self.put(&at, &wav(1000)).await;
        assert_eq!((said.status, said.body.as_str()), (202, "{}"), "{said:?}");
        self.waiting().await.pop().unwrap()
    }

    async fn waiting(&self) -> Vec<Value> {
        let listed = self.gateway.admin.get("/v1/quarantine").await.expect(200);
        listed["quarantine"].as_array().unwrap().clone()
    }

    fn locks(&self) -> Vec<PathBuf> {
        files_below(&self.gateway.data().with_file_name("data.quarantine"))
    }

    async fn verifies(&self) {
        self.gateway.auditor.get("/v1/log/acme/checkpoint").await;
        let (code, out, err) = self.gateway.run(&["audit", "verify", "acme"]);
        assert_eq!(code, 0, "{out}{err}");
    }

    /// A call on which everybody heard the prompt, and the moment at which a file of a second began that is over.
    async fn recorded(&self, call: &str) -> jiff::Timestamp {
        self.goes_on(call).await;
        let begun = self.gateway.now();
        self.gateway.advance_ms(4000);
        begun
    }
}

async fn release(gateway: &Gateway, id: &Value, call: &str) -> crate::harness::Answer {
    let path = format!("/v1/quarantine/{}/release", id.as_str().unwrap());
    gateway.admin.post(&path, &json!({"call": call})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_match_waits_locked_until_somebody_can() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    // The application has opened the call under its own id.
    let begun = switch.recorded("ours").await;
    let at = target(Line::Released, &switch.url(), "theirs", "202611-1", begun);
    // Whatever came first, the copies are the same.
    let audio = wav(1000);
    let copies = (0..10).map(|_| switch.put(&at, &audio));
    for said in futures_util::future::join_all(copies).await {
        assert_eq!((said.status, said.body.as_str()), (202, "{}"), "{said:?}");
    }
    let waiting = switch.waiting().await;
    let [item] = waiting.as_slice() else { panic!("{waiting:?}") };
    assert_eq!(item["reason"], "unknown-call");
    assert_eq!(item["calls"][0], "theirs");
    assert_eq!((&item["name"], &item["duration_ms"]), (&json!("kazoo-202611-1"), &json!(1000)));
    assert_eq!(item["door"], "kazoo");
    let received: jiff::Timestamp = item["received_at"].as_str().unwrap().parse().unwrap();
    let until: jiff::Timestamp = item["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(until.duration_since(received).as_secs(), 3600);
    // It is no recording, and neither the store nor the ledger has an envelope.
    assert!(switch.recordings().await.is_empty());
    gateway
        .listener
        .get(&format!("/v1/recordings/{}", item["id"].as_str().unwrap()))
        .await
        .problem(404, "not-found");
    let kept = kept_in(&gateway.data());
    assert!(kept.iter().all(|kept| kept.kind != Some(consent_gateway::vault::Kind::Envelope)), "{kept:?}");
    assert_eq!(switch.locks().len(), 1);
    let quarantined = switch.entries("recording.quarantined").await;
    assert_eq!(quarantined.len(), 1);
    assert!(quarantined[0]["call"].is_null());

    let stored = release(gateway, &item["id"], "ours").await.expect(201);
    assert_eq!(stored["id"], item["id"]);
    assert_eq!((&stored["call"], &stored["name"]), (&json!("ours"), &json!("kazoo-202611-1")));
    assert_eq!(gateway.fetch_and_open(item["id"].as_str().unwrap()).await, wav(1000));
    assert!(switch.waiting().await.is_empty() && switch.locks().is_empty());
    // Again, it is the same; elsewhere, it is gone.
    assert_eq!(release(gateway, &item["id"], "ours").await.expect(200)["id"], item["id"]);
    switch.goes_on("other").await;
    release(gateway, &item["id"], "other").await.problem(404, "not-found");
    gateway
        .admin
        .delete(&format!("/v1/quarantine/{}", item["id"].as_str().unwrap()))
        .await
        .problem(404, "not-found");
    // A copy that comes late is known.
    assert_eq!(switch.put(&at, &wav(1000)).await.status, 202);
    assert_eq!((switch.recordings().await.len(), switch.waiting().await.len()), (1, 0));
    let released = switch.entries("recording.released").await;
    let said = &released[0]["body"]["accepted"];
    assert_eq!(said["released"]["uploader"], json!(switch.credential.username));
    assert_eq!(said["came"], json!({"door": "kazoo", "coverage": "lawful", "use": "record"}));
    switch.verifies().await;
}

/// Quarantine mends matching, never evidence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_logged_after_its_end_does_not_count() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let begun = gateway.now();
    gateway.advance_ms(4000);
    let item = switch.quarantined("c1", "202611-1", begun).await;
    // Only now does the application report the call, as it says it was.
    let early = begun.checked_sub(jiff::SignedDuration::from_secs(30)).unwrap();
    let body = json!({
        "medium": "telephone", "started_at": early, "purposes": ["quality"],
        "participants": [
            {"id": "caller", "role": "customer", "location": "US-TX", "joined_at": early},
            {"id": "agent", "role": "agent", "location": "US-TX", "joined_at": early},
        ],
    });
    gateway.recorder.put("/v1/calls/c1", &body).await.expect(201);
    let refused = release(gateway, &item["id"], "c1").await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(switch.waiting().await.len(), 1);
    // On a call that was open, consent that came too late does not count either.
    gateway.open("c2", "US-CA").await;
    let begun = gateway.now();
    gateway.advance_ms(4000);
    let item = switch.quarantined("theirs", "202611-2", begun).await;
    gateway.prompt("c2", &["caller", "agent"]).await;
    release(gateway, &item["id"], "c2").await.problem(403, "consent-required");
    let refused = switch.entries("recording.release-refused").await;
    assert!(!refused.is_empty());
    assert!(switch.recordings().await.is_empty());
    switch.verifies().await;
}

/// Evidence that platforms report in batches counts for as long as the account says, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_evidence_counts_for_as_long_as_the_account_says() {
    let settings = AccountSettings { late_evidence_seconds: 30, ..AccountSettings::default() };
    for (late_ms, is_released) in [(20_000, true), (40_000, false)] {
        let switch = Switch::with(settings.clone(), OnRefusal::Discard).await;
        let gateway = &switch.gateway;
        gateway.open("c1", "US-CA").await;
        gateway.advance_ms(10_000);
        let heard = gateway.now();
        gateway.advance_ms(2000);
        let begun = gateway.now();
        gateway.advance_ms(2000);
        let item = switch.quarantined("theirs", "202611-1", begun).await;
        gateway.advance_ms(late_ms - 4000);
        let event = json!({
            "type": "prompt.completed", "prompt": "en", "participants": ["caller", "agent"], "played_ms": 4000,
            "at": heard,
        });
        gateway.event("c1", &event).await.expect(201);
        let answer = release(gateway, &item["id"], "c1").await;
        match is_released {
            true => answer.expect(201),
            false => answer.problem(403, "consent-required"),
        };
        switch.verifies().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_after_an_objection_and_what_is_destroyed_stays_so() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let begun = switch.recorded("c1").await;
    let item = switch.quarantined("theirs", "202611-1", begun).await;
    let path = format!("/v1/quarantine/{}", item["id"].as_str().unwrap());
    gateway.event("c1", &json!({"type": "consent.withdrawn", "participant": "caller"})).await.expect(201);
    release(gateway, &item["id"], "c1").await.problem(403, "objected");
    // Not even if they agree again.
    gateway
        .event("c1", &json!({"type": "consent.given", "participant": "caller", "method": "speech"}))
        .await
        .expect(201);
    gateway.prompt("c1", &["caller", "agent"]).await;
    release(gateway, &item["id"], "c1").await.problem(403, "objected");
    // Whose key is gone cannot be opened, whatever else is restored.
    for nobody in [&gateway.auditor, &gateway.listener] {
        assert_eq!(nobody.delete(&path).await.status, 403);
    }
    let before = kept_in(&gateway.data()).len();
    assert_eq!(gateway.admin.delete(&path).await.status, 204);
    assert!(switch.locks().is_empty() && switch.waiting().await.is_empty());
    assert!(kept_in(&gateway.data()).len() < before);
    gateway.admin.delete(&path).await.problem(404, "not-found");
    assert_eq!(switch.entries("recording.destroyed").await[0]["body"]["destroyed"]["because"], "requested");
    // It does not come back.
    let at = target(Line::Released, &switch.url(), "theirs", "202611-1", begun);
    assert_eq!(switch.put(&at, &wav(1000)).await.status, 202);
    assert!(switch.waiting().await.is_empty() && switch.locks().is_empty());
    switch.verifies().await;
}

/// Nothing of it was silenced, so all of it has to be covered, even if the account silences the rest elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_second_of_it_has_to_be_covered() {
    let settings = AccountSettings {
        redact: policy::Redact::Silence,
        least_kept_percent: 1,
        ..AccountSettings::default()
    };
    let switch = Switch::with(settings, OnRefusal::Discard).await;
    let gateway = &switch.gateway;
    gateway.open("c1", "US-CA").await;
    let begun = gateway.now();
    gateway.advance_ms(1000);
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.advance_ms(9000);
    let at = target(Line::Released, &switch.url(), "theirs", "202611-1", begun);
    assert_eq!(switch.put(&at, &wav(8000)).await.status, 202);
    let item = switch.waiting().await.pop().unwrap();
    let refused = release(gateway, &item["id"], "c1").await.problem(403, "consent-required");
    assert!(!refused["uncovered"].as_array().unwrap().is_empty(), "{refused}");
    assert_eq!(switch.waiting().await.len(), 1);
    switch.verifies().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_its_time_is_over_it_is_destroyed() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let (actor, username) = (Actor::command_line(), switch.credential.username.as_str());
    gateway.gate().set_credential(&actor, username, None, Some(60)).await.unwrap();
    let begun = switch.recorded("c1").await;
    let item = switch.quarantined("theirs", "202611-1", begun).await;
    gateway.advance_ms(59_000);
    assert_eq!(gateway.gate().end_quarantines(&Actor::gateway()).await.unwrap(), 0);
    gateway.advance_ms(1000);
    // Before anybody sweeps, nobody can release it any more.
    release(gateway, &item["id"], "c1").await.problem(404, "not-found");
    assert_eq!(switch.locks().len(), 1);
    assert_eq!(gateway.gate().end_quarantines(&Actor::gateway()).await.unwrap(), 1);
    assert!(switch.locks().is_empty() && kept_in(&gateway.data()).is_empty());
    assert_eq!(switch.entries("recording.destroyed").await[0]["body"]["destroyed"]["because"], "expired");
    // It is not renewed by sending it again, as long as that is remembered; what is forgotten may wait anew.
    let at = target(Line::Released, &switch.url(), "theirs", "202611-1", begun);
    assert_eq!(switch.put(&at, &wav(1000)).await.status, 202);
    assert!(switch.waiting().await.is_empty());
    gateway.advance_ms(8 * 24 * 3_600_000);
    gateway.gate().end_quarantines(&Actor::gateway()).await.unwrap();
    assert_eq!(switch.put(&at, &wav(1000)).await.status, 202);
    assert_eq!(switch.waiting().await.len(), 1);
    switch.verifies().await;
}

/// Master says nothing about when a file was made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_knows_when_it_was_made_can_say_so() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let begun = switch.recorded("c1").await;
    let said = switch.put(&target(Line::Master, &switch.url(), "c1", "", begun), &wav(1000)).await;
    assert_eq!(said.status, 202, "{said:?}");
    let item = switch.waiting().await.pop().unwrap();
    assert_eq!((&item["reason"], &item["start"]), (&json!("unknown-time"), &Value::Null));
    assert!(switch.entries("recording.refused").await.is_empty());
    let path = format!("/v1/quarantine/{}/release", item["id"].as_str().unwrap());
    // Without a time, nobody knows more than before.
    gateway.admin.post(&path, &json!({"call": "c1"})).await.problem(403, "uncovered-audio");
    let early = begun.checked_sub(jiff::SignedDuration::from_secs(5)).unwrap();
    gateway.admin.post(&path, &json!({"call": "c1", "start": early})).await.problem(403, "consent-required");
    gateway.admin.post(&path, &json!({"call": "c1", "start": begun})).await.expect(201);
    // What its sender has said stands.
    let begun = switch.recorded("c2").await;
    let item = switch.quarantined("theirs", "202611-2", begun).await;
    let path = format!("/v1/quarantine/{}/release", item["id"].as_str().unwrap());
    gateway.admin.post(&path, &json!({"call": "c2", "start": begun})).await.problem(422, "invalid-timeline");
    gateway.admin.post(&path, &json!({"call": "nowhere"})).await.problem(404, "unknown-call");
    switch.verifies().await;
}

/// Kazoo names legs; an application may know the call by another name. Who was on it, and when, tells which it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_found_by_its_time_and_its_parties() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let opens = async |call: &str, numbers: [&str; 2]| {
        let started = gateway.now().checked_sub(jiff::SignedDuration::from_secs(10)).unwrap();
        let body = json!({
            "medium": "telephone", "started_at": started, "purposes": ["quality"],
            "participants": [
                {"id": "caller", "role": "customer", "number": numbers[0], "location": "US-CA", "languages": ["en"]},
                {"id": "agent", "role": "agent", "number": numbers[1], "location": "US-CA", "languages": ["en"]},
            ],
        });
        gateway.recorder.put(&format!("/v1/calls/{call}"), &body).await.expect(201);
        gateway.prompt(call, &["caller", "agent"]).await;
    };
    let sends = async |from: &str, to: &str, id: u8, begun: jiff::Timestamp| {
        let parties = format!("from={}&to={}&caller_id_number={}", encode(from), encode(to), encode(from));
        let start = begun.as_second() + 62_167_219_200;
        let rest = format!("call_id=leg&start={start}&duration_ms=1000&recording_id=202611-{id}");
        switch.put(&format!("{}&{parties}&{rest}", switch.url()), &wav(1000)).await.status
    };
    opens("other", ["+14155550100", "+15550101"]).await;
    opens("ours", ["+14155550100", "+15550100"]).await;
    let begun = gateway.now();
    gateway.advance_ms(3000);
    assert_eq!(sends("+14155550100@realm.example", "+15550100", 1, begun).await, 201);
    assert_eq!(switch.recordings().await[0]["call"], "ours");
    // One number alone may be the company's own, and who withholds theirs may be anybody.
    for (number, from) in [(2, "+15550100"), (3, "anonymous"), (4, "+14155550199")] {
        assert_eq!(sends(from, "+15550100", number, begun).await, 202, "{from}");
        assert_eq!(switch.waiting().await.pop().unwrap()["reason"], "unknown-call");
    }
    // Between two of them, nobody chooses.
    opens("again", ["+14155550100", "+15550100"]).await;
    let begun = gateway.now();
    gateway.advance_ms(3000);
    assert_eq!(sends("+14155550100", "+15550100", 5, begun).await, 202);
    let item = switch.waiting().await.pop().unwrap();
    assert_eq!(item["reason"], "several-calls");
    release(gateway, &item["id"], "again").await.expect(201);
    switch.verifies().await;
}

/// What came before a call, or before what it is said to be of, is not of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_released_to_what_came_later_or_to_another_than_its_own_call() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    // It does not say when it was made; a call that begins later would take it.
    let begun = gateway.now();
    let said = switch.put(&target(Line::Master, &switch.url(), "theirs", "", begun), &wav(1000)).await;
    assert_eq!(said.status, 202);
    let item = switch.waiting().await.pop().unwrap();
    let path = format!("/v1/quarantine/{}/release", item["id"].as_str().unwrap());
    gateway.advance_ms(60_000);
    switch.goes_on("later").await;
    gateway.control("later", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(1500);
    gateway.control("later", "stop").await.expect(200);
    gateway.admin.post(&path, &json!({"call": "later"})).await.problem(422, "invalid-time");
    gateway.admin.post(&path, &json!({"call": "later", "start": from})).await.problem(422, "invalid-time");
    // Its sender names a call that there is: nobody else's yes counts.
    switch.goes_on("its-own").await;
    switch.goes_on("kind").await;
    let begun = gateway.now();
    gateway.advance_ms(3000);
    let said = switch.put(&target(Line::Master, &switch.url(), "its-own", "", begun), &wav(1000)).await;
    assert_eq!(said.status, 202, "{said:?}");
    let item = switch.waiting().await.pop().unwrap();
    let path = format!("/v1/quarantine/{}/release", item["id"].as_str().unwrap());
    gateway.admin.post(&path, &json!({"call": "kind", "start": begun})).await.problem(409, "other-call");
    // What was never lawful does not wait.
    gateway.open("refused", "US-CA").await;
    gateway.event("refused", &json!({"type": "consent.declined", "participant": "caller"})).await.expect(201);
    gateway.advance_ms(3000);
    let waiting = switch.waiting().await.len();
    let said = switch.put(&target(Line::Master, &switch.url(), "refused", "", begun), &wav(1000)).await;
    assert_eq!((said.status, switch.waiting().await.len()), (200, waiting), "{said:?}");
    // Whoever is erased is erased here as well.
    for call in ["its-own", "kind", "refused", "later"] {
        switch.ends(call).await;
    }
    let erase = json!({"participant": "caller", "recordings": "delete", "reason": "request 4711"});
    gateway.counsel.post("/v1/erasures", &erase).await.expect(200);
    assert!(switch.waiting().await.iter().all(|left| left["id"] != item["id"]));
    assert_eq!(switch.entries("recording.destroyed").await[0]["body"]["destroyed"]["because"], "erased");
    switch.verifies().await;
}

/// A crash leaves a key, or media, that nothing names; both go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_leaves_is_cleared_away() {
    let switch = Switch::new().await;
    let gateway = &switch.gateway;
    let begun = switch.recorded("c1").await;
    let item = switch.quarantined("theirs", "202611-1", begun).await;
    let dir = gateway.data().with_file_name("data.quarantine");
    let stray = dir.join(format!("{}.key", crate::harness::uid()));
    std::fs::write(&stray, [7; 32]).unwrap();
    // It may belong to an upload that is on its way.
    gateway.gate().end_quarantines(&Actor::gateway()).await.unwrap();
    assert!(stray.exists());
    let file = std::fs::File::options().write(true).open(&stray).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    gateway.gate().end_quarantines(&Actor::gateway()).await.unwrap();
    assert!(!stray.exists());
    // The media of what waits are not taken for remnants.
    let before = kept_in(&gateway.data()).len();
    gateway.gate().sweep_unnamed(jiff::Timestamp::MAX).await.unwrap_or(());
    assert_eq!(kept_in(&gateway.data()).len(), before);
    // Without its key, it stays locked.
    let key = dir.join(format!("{}.key", item["id"].as_str().unwrap()));
    let bytes = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    release(gateway, &item["id"], "c1").await.problem(409, "quarantine-key-missing");
    std::fs::write(&key, [0; 32]).unwrap();
    release(gateway, &item["id"], "c1").await.problem(409, "quarantine-key-missing");
    std::fs::write(&key, [1; 32]).unwrap();
    assert_eq!(release(gateway, &item["id"], "c1").await.status, 500);
    std::fs::write(&key, bytes).unwrap();
    release(gateway, &item["id"], "c1").await.expect(201);
    assert_eq!(gateway.fetch_and_open(item["id"].as_str().unwrap()).await, wav(1000));
}
