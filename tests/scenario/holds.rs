//! Legal holds win over everything: over retention, over whoever deletes, over a withdrawal, and over an erasure, which
//! waits for them.

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use policy::OnWithdrawal;
use serde_json::{Value, json};
use trail::Actor;

use super::person;
use crate::harness::{Gateway, comes, wav};

const CALLER: &str = "+14155550141";
const DAY: u64 = 86_400_000;

async fn with(set: impl FnOnce(&mut AccountSettings)) -> Gateway {
    let mut settings = AccountSettings::default();
    set(&mut settings);
    Gateway::with(Config::default(), settings).await
}

impl Gateway {
    /// A second of a call of its own, with this caller; the call goes on.
    async fn second_of(&self, call: &str, number: &str) -> Value {
        let caller = json!({"id": format!("{call}-caller"), "role": "customer", "number": number, "location": "US-CA",
            "languages": ["en"]});
        self.open_with(call, json!([caller, person("agent", "agent", "US-CA")]), json!({})).await;
        self.prompt(call, &[&format!("{call}-caller"), "agent"]).await;
        self.control(call, "start").await.expect(200);
        let from = self.now();
        self.advance_ms(2000);
        self.upload(call, "a", Some(from), &wav(1000)).await.expect(201)
    }

    async fn is_held(&self, recording: &Value) -> bool {
        self.listener.get(&path(recording)).await.expect(200)["held"] == json!(true)
    }

    async fn sets_hold(&self, id: &str, limits: Value) -> crate::harness::Answer {
        let mut hold = json!({"reason": "we were sued", "purpose": "evidence"});
        hold.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        self.counsel.put(&format!("/v1/holds/{id}"), &hold).await
    }

    /// Waits until it is deleted.
    async fn goes(&self, recording: &Value) {
        comes(async || self.listener.get(&path(recording)).await.status == 410).await;
    }

    async fn fetched(&self, recording: &Value, purpose: &str) -> crate::harness::Answer {
        self.listener.get(&format!("{}/media?purpose={purpose}", path(recording))).await
    }
}

fn path(recording: &Value) -> String {
    format!("/v1/recordings/{}", recording["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_covers_what_meets_all_its_conditions_now_and_later() {
    let gateway = with(|settings| settings.keep_at_most = "30 days".parse().ok()).await;
    let (gate, actor) = (gateway.gate(), Actor::command_line());
    let theirs = gateway.second_of("c1", CALLER).await;
    let anothers = gateway.second_of("c2", "+14155550142").await;
    let set = gateway
        .sets_hold("smith", json!({"number": "+1 (415) 555-0141", "case": "4:26-cv-00117"}))
        .await
        .expect(201);
    assert_eq!((&set["id"], &set["role"]), (&json!("smith"), &json!("listener")), "{set}");
    assert_eq!((gateway.is_held(&theirs).await, gateway.is_held(&anothers).await), (true, false));
    // A call that comes later is covered as well.
    let later = gateway.second_of("c3", CALLER).await;
    assert!(gateway.is_held(&later).await);
    gateway.admin.delete(&path(&theirs)).await.problem(409, "legal-hold");
    gateway.advance_ms(31 * DAY);
    let found = gate.delete_overdue(&actor, true).await.unwrap();
    assert_eq!((found.due, found.held), (1, 2), "{found:?}");
    let found = gate.delete_overdue(&actor, false).await.unwrap();
    assert_eq!((found.deleted, found.held, found.failed), (1, 2, 0), "{found:?}");
    assert!(gateway.is_held(&theirs).await);
    // The same again is the same; another under its id is refused.
    gateway
        .sets_hold("smith", json!({"number": "+1 (415) 555-0141", "case": "4:26-cv-00117"}))
        .await
        .expect(200);
    gateway.sets_hold("smith", json!({"call": "c1"})).await.problem(409, "legal-hold-exists");
    // A second one on the same recording: one that is lifted alone frees nothing.
    gateway.sets_hold("jones", json!({"call": "c1"})).await.expect(201);
    let listed = gateway.counsel.get("/v1/holds?case=4:26-cv-00117").await.expect(200);
    assert_eq!(listed["holds"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(gateway.admin.get("/v1/holds").await.expect(200)["holds"].as_array().unwrap().len(), 2);
    gateway.counsel.delete("/v1/holds/smith").await.expect(200);
    gateway.counsel.get("/v1/holds/smith").await.problem(404, "not-found");
    gateway.counsel.delete("/v1/holds/smith").await.problem(404, "not-found");
    assert_eq!((gateway.is_held(&theirs).await, gateway.is_held(&later).await), (true, false));
    gateway.counsel.delete("/v1/holds/jones").await.expect(200);
    assert_eq!(gate.delete_overdue(&actor, false).await.unwrap().deleted, 2);
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

#[tokio::test]
async fn a_hold_that_says_nothing_or_nonsense_is_refused() {
    let gateway = Gateway::start().await;
    let recording = gateway.second_of("c1", CALLER).await;
    gateway.sets_hold("h", json!({})).await.problem(422, "invalid-legal-hold");
    let backwards = json!({"from": "2026-11-20T10:00:00Z", "until": "2026-11-20T10:00:00Z"});
    gateway.sets_hold("h", backwards).await.problem(422, "invalid-legal-hold");
    gateway.sets_hold("h", json!({"call": "nowhere"})).await.problem(404, "unknown-call");
    gateway.sets_hold("h", json!({"number": "12"})).await.problem(422, "invalid-number");
    gateway.sets_hold("h", json!({"call": "c1", "reason": " "})).await.problem(422, "reason-required");
    gateway.sets_hold("h", json!({"call": "c1", "role": "auditor"})).await.problem(422, "invalid-body");
    let nobodys = json!({"recording": "0191e2a0-7a4c-7000-8000-000000000000"});
    gateway.sets_hold("h", nobodys).await.problem(404, "not-found");
    gateway.auditor.put("/v1/holds/h", &json!({})).await.problem(403, "wrong-role");
    gateway.admin.delete("/v1/holds/h").await.problem(403, "wrong-role");
    assert!(!gateway.is_held(&recording).await);
    gateway.sets_hold("h", json!({"recording": recording["id"]})).await.expect(201);
    assert!(gateway.is_held(&recording).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_waits_for_the_hold_and_is_done_when_it_is_lifted() {
    let gateway = Gateway::start().await;
    let theirs = gateway.second_of("c1", CALLER).await;
    let anothers = gateway.second_of("c2", "+14155550142").await;
    for call in ["c1", "c2"] {
        gateway.report(call, json!({"type": "call.ended"})).await;
    }
    let terms = json!({"participant": "c1-caller", "purpose": "quality"});
    gateway.sets_hold("smith", terms).await.expect(201);
    let asked = json!({"number": CALLER, "recordings": "delete", "reason": "request 4711"});
    let waits = gateway.counsel.post("/v1/erasures", &asked).await.expect(202);
    // Whoever asks twice waits once.
    let again = gateway.counsel.post("/v1/erasures", &asked).await.expect(202);
    assert_eq!(waits, again);
    let listed = gateway.counsel.get("/v1/erasures").await.expect(200);
    assert_eq!(listed["waiting"], json!([waits]), "{listed}");
    // Meanwhile it is handed out for the hold alone.
    gateway.fetched(&theirs, "quality").await.expect(200);
    gateway.fetched(&anothers, "quality").await.expect(200);
    gateway
        .sets_hold("other", json!({"call": "c1", "role": "uploader", "purpose": "quality"}))
        .await
        .expect(201);
    gateway.counsel.delete("/v1/holds/smith").await.expect(200);
    // The other hold still prevents it, and names another role.
    gateway.fetched(&theirs, "quality").await.problem(403, "restricted");
    gateway.fetched(&anothers, "quality").await.expect(200);
    gateway.admin.delete(&path(&theirs)).await.problem(409, "legal-hold");
    gateway.counsel.delete("/v1/holds/other").await.expect(200);
    // It is done right after the hold is lifted.
    gateway.goes(&theirs).await;
    gateway.listener.get(&path(&anothers)).await.expect(200);
    comes(async || gateway.counsel.get("/v1/erasures").await.expect(200)["waiting"] == json!([])).await;
    gateway.counsel.post("/v1/erasures", &asked).await.problem(404, "unknown-subject");
    // The entry says what it has ended.
    let entries = async |kind: &str| {
        let found = gateway.auditor.get(&format!("/v1/consents?type={kind}")).await.expect(200);
        found["consents"].as_array().unwrap().clone()
    };
    let (waiting, done) = (entries("erasure.waiting").await, entries("erasure.executed").await);
    let waited = &waiting[0]["entry"]["body"]["erasure_waits"]["erasure"];
    let ended = |entry: &&Value| entry["entry"]["body"]["erased"]["erasure"] == *waited;
    assert!(waited.is_string() && done.iter().filter(ended).count() == 1, "{waiting:?} {done:?}");
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// A crash between the lifting and the erasure: the keeper does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_erased_by_the_next_sweep_as_well() {
    let gateway = Gateway::start().await;
    let theirs = gateway.second_of("c1", CALLER).await;
    gateway.report("c1", json!({"type": "call.ended"})).await;
    gateway.counsel.put(&format!("{}/hold", path(&theirs)), &json!({})).await.expect(200);
    let asked = json!({"number": CALLER, "recordings": "delete", "reason": "request 4711"});
    gateway.counsel.post("/v1/erasures", &asked).await.expect(202);
    gateway.fetched(&theirs, "quality").await.problem(403, "restricted");
    // A call that is opened again under the id holds it up, whoever lifts.
    let again = gateway.second_of("c1", CALLER).await;
    gateway.counsel.delete(&format!("{}/hold", path(&theirs))).await.expect(200);
    gateway.listener.get(&path(&theirs)).await.expect(200);
    gateway.fetched(&theirs, "quality").await.problem(403, "restricted");
    gateway.fetched(&again, "quality").await.expect(200);
    gateway.report("c1", json!({"type": "call.ended"})).await;
    gateway.gate().erase_everybody_who_waits().await.unwrap();
    gateway.listener.get(&path(&theirs)).await.problem(410, "recording-deleted");
    gateway.listener.get(&path(&again)).await.problem(410, "recording-deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_takes_only_recordings_of_whoever_was_there() {
    let gateway = with(|settings| settings.on_withdrawal = OnWithdrawal::DeletePresent).await;
    let before = gateway.second_of("c1", CALLER).await;
    gateway.control("c1", "pause").await.expect(200);
    gateway.advance_ms(1000);
    gateway.joins("c1", &person("late", "customer", "US-CA")).await;
    gateway.advance_ms(5000);
    gateway.prompt("c1", &["late"]).await;
    gateway.control("c1", "resume").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(2000);
    let with_them = gateway.upload("c1", "b", Some(from), &wav(1000)).await.expect(201);
    gateway.report("c1", json!({"type": "consent.withdrawn", "participant": "late"})).await;
    gateway.listener.get(&path(&before)).await.expect(200);
    gateway.listener.get(&path(&with_them)).await.problem(410, "recording-deleted");
    // What comes later is judged alike.
    let since = from.checked_add(jiff::SignedDuration::from_millis(1100)).unwrap();
    gateway.upload("c1", "c", Some(since), &wav(500)).await.problem(403, "consent-withdrawn");
}

/// A hold on somebody who has not called yet finds them when they do: their erasure waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_blinds_no_hold_on_whoever_calls_later() {
    let gateway = Gateway::start().await;
    gateway.sets_hold("smith", json!({"number": CALLER, "from": "2026-01-01T00:00:00Z"})).await.expect(201);
    let asked = json!({"number": CALLER, "recordings": "delete", "reason": "request 4711"});
    gateway.counsel.post("/v1/erasures", &asked).await.expect(202);
    let later = gateway.second_of("c1", CALLER).await;
    assert!(gateway.is_held(&later).await);
    gateway.admin.delete(&path(&later)).await.problem(409, "legal-hold");
    // Whoever asks for less gets what they asked for before.
    let less = json!({"number": CALLER, "recordings": "keep", "reason": "request 4712"});
    gateway.counsel.post("/v1/erasures", &less).await.expect(202);
    assert_eq!(gateway.counsel.get("/v1/erasures").await.expect(200)["waiting"].as_array().unwrap().len(), 1);
    gateway.report("c1", json!({"type": "call.ended"})).await;
    gateway.counsel.delete("/v1/holds/smith").await.expect(200);
    gateway.goes(&later).await;
}

/// What no hold covers goes at once, what one covers waits, and it goes with the last hold on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_held_waits() {
    let gateway = Gateway::start().await;
    let mut made = Vec::new();
    for call in ["c1", "c2", "c3"] {
        made.push(gateway.second_of(call, CALLER).await);
        gateway.report(call, json!({"type": "call.ended"})).await;
    }
    let [first, second, free] = made.try_into().unwrap();
    for call in ["c1", "c2"] {
        gateway.sets_hold(call, json!({"call": call, "purpose": "quality"})).await.expect(201);
    }
    let keep = json!({"number": CALLER, "recordings": "keep", "reason": "request 4710"});
    gateway.counsel.post("/v1/erasures", &keep).await.expect(202);
    gateway.fetched(&free, "quality").await.expect(200);
    let asked = json!({"number": CALLER, "recordings": "delete", "reason": "request 4711"});
    gateway.counsel.post("/v1/erasures", &asked).await.expect(202);
    gateway.listener.get(&path(&free)).await.problem(410, "recording-deleted");
    gateway.fetched(&first, "quality").await.expect(200);
    gateway.fetched(&second, "quality").await.expect(200);
    gateway.counsel.delete("/v1/holds/c1").await.expect(200);
    gateway.goes(&first).await;
    gateway.fetched(&second, "quality").await.expect(200);
    let known = async || {
        let asked = format!("/v1/consents?number=%2B{}", &CALLER[1..]);
        gateway.auditor.get(&asked).await.expect(200)["consents"].as_array().unwrap().len()
    };
    assert!(known().await > 0, "who they are is erased with the last of it");
    gateway.counsel.delete("/v1/holds/c2").await.expect(200);
    gateway.goes(&second).await;
    comes(async || known().await == 0).await;
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hold_has_kept_from_a_withdrawal_goes_with_the_hold() {
    let gateway = with(|settings| settings.on_withdrawal = OnWithdrawal::Delete).await;
    let wide = gateway.second_of("c1", CALLER).await;
    let own = gateway.second_of("c2", CALLER).await;
    gateway.sets_hold("smith", json!({"call": "c1"})).await.expect(201);
    gateway.counsel.put(&format!("{}/hold", path(&own)), &json!({})).await.expect(200);
    for call in ["c1", "c2"] {
        gateway
            .report(call, json!({"type": "consent.withdrawn", "participant": format!("{call}-caller")}))
            .await;
        gateway.report(call, json!({"type": "call.ended"})).await;
    }
    assert!(gateway.is_held(&wide).await && gateway.is_held(&own).await);
    gateway.counsel.delete("/v1/holds/smith").await.expect(200);
    gateway.listener.get(&path(&wide)).await.problem(410, "recording-deleted");
    gateway.counsel.delete(&format!("{}/hold", path(&own))).await;
    gateway.listener.get(&path(&own)).await.problem(410, "recording-deleted");
}
