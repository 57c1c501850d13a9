//! Somebody wants to be forgotten: what is known of them goes, and what was proven stays proven.

use std::collections::BTreeMap;

use consent_gateway::gate::AccountSettings;
use consent_gateway::ledger::Epoch;
use consent_gateway::notary::Proofs;
use serde_json::{Value, json};
use trail::Leaf;
use trail::tree::{Hash, verify_inclusion};

use super::person;
use crate::harness::{Answer, Gateway, comes, files_below, run, wav};

const NUMBER: &str = "+14155550177";
const REASON: &str = "request 4711 by the data subject";

impl Gateway {
    /// A call with this number, of which a second is recorded; it goes on.
    async fn recorded(&self, call: &str, number: &str) -> String {
        let people = json!([
            {"id": format!("zq-{call}-caller"), "role": "customer", "number": number, "ip": "203.0.113.77",
                "location": "US-CA", "languages": ["en"]},
            person("agent", "agent", "US-CA"),
        ]);
        let caller = format!("zq-{call}-caller");
        self.open_with(call, people, json!({"aliases": [format!("zq-{call}-leg")]})).await;
        self.prompt(call, &[&caller, "agent"]).await;
        self.says_yes(call, &caller, "dtmf").await;
        self.says_yes(call, "agent", "dtmf").await;
        self.control(call, "start").await.expect(200);
        let from = self.now();
        self.advance_ms(1_000);
        let name = format!("zq-{call}-audio");
        let stored = self.upload(call, &name, Some(from), &wav(1000)).await.expect(201);
        stored["id"].as_str().unwrap().to_owned()
    }

    async fn ends(&self, call: &str) {
        self.report(call, json!({"type": "call.ended", "id": format!("zq-{call}-end")})).await;
    }

    async fn erase(&self, who: Value, recordings: &str) -> Answer {
        let mut body = json!({"recordings": recordings, "reason": REASON});
        body.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        self.counsel.post("/v1/erasures", &body).await
    }

    async fn records(&self) -> Vec<Value> {
        let mut records = Vec::new();
        let mut page = self.auditor.get("/v1/consents?limit=1000").await.expect(200);
        loop {
            records.extend(page["consents"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { return records };
            page = self.auditor.get(&format!("/v1/consents?limit=1000&after={next}")).await.expect(200);
        }
    }

    /// Every leaf with its hash, and the proof that it is in the log, for the first `size` entries.
    async fn proven(&self, size: u64) -> (Vec<(Vec<u8>, Hash, Vec<Hash>)>, Hash) {
        let at = Epoch { log: "acme".into(), epoch: 1 };
        let mut proofs = Proofs::new(self.gate().ledger(), &at, size);
        let root = proofs.root(size).await.unwrap().unwrap();
        let rows = self.rows("acme").await;
        let mut proven = Vec::new();
        for (index, row) in (0..size).zip(rows) {
            let hash: Hash = row.leaf_hash.as_slice().try_into().unwrap();
            let proof = proofs.inclusion(index).await.unwrap().unwrap();
            verify_inclusion(&hash, index, size, &proof, &root).unwrap();
            proven.push((row.leaf, hash, proof));
        }
        (proven, root)
    }

    /// In which files of the data directory a text stands.
    fn stands_in(&self, text: &str) -> Vec<String> {
        let files = files_below(&self.data());
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        files
            .into_iter()
            .filter(|file| holds(&std::fs::read(file).unwrap()))
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }
}

fn in_postgres() -> bool {
    std::env::var("GATEWAY_TEST_LEDGER").is_ok_and(|which| which == "postgres")
}

#[tokio::test]
async fn what_is_known_of_a_number_goes_and_everything_that_was_proven_stays_proven() {
    let gateway = Gateway::start().await;
    let grant = json!({"subject": "+1 (415) 555-0177", "role": "customer", "basis": "zq-web form", "text_version": "zq-3"});
    gateway.registrar.put("/v1/consent-grants/form-1", &grant).await.expect(201);
    let theirs = gateway.recorded("zq-c1", NUMBER).await;
    let others = gateway.recorded("zq-c2", "+14155550188").await;
    // Somebody else's call on which they were found by their number only.
    let found =
        json!({"type": "participant.located", "participant": "zq-zq-c2-caller", "number": "+1 415 555 0177"});
    gateway.report("zq-c2", found).await;
    let said = json!({"type": "consent.declined", "participant": "zq-c3-late", "reason": "call back at +14155550177"});
    gateway.open_with("zq-c3", json!([person("zq-c3-late", "customer", "US-CA")]), json!({})).await;
    gateway.report("zq-c3", said).await;
    for call in ["zq-c1", "zq-c2", "zq-c3"] {
        gateway.ends(call).await;
    }
    let asked = gateway.auditor.get("/v1/consents?number=%2B14155550177").await.expect(200);
    let before_erasure = gateway.records().await;
    let size = u64::try_from(before_erasure.len()).unwrap() - 1;
    let (proven, root) = gateway.proven(size).await;

    let erased = gateway.erase(json!({"number": "+1 415-555-0177"}), "keep").await.expect(200);
    assert_eq!((&erased["calls"], &erased["consent_grants"]), (&json!(2), &json!(1)), "{erased}");
    assert_eq!(erased["recordings"], json!({"deleted": 0, "kept": 2}));
    // Beside the request's reason a pseudonym would be known again.
    assert!(!erased.to_string().contains("p1:"), "{erased}");

    // Not one leaf, hash or proof has changed.
    let (proven_now, root_now) = gateway.proven(size).await;
    assert!(proven_now == proven && root_now == root);
    let head = gateway.auditor.get("/v1/log/acme/checkpoint").await;
    assert_eq!(head.status, 200, "{}", head.text());
    // The entries are there, their details are not, but for the call on which they were not.
    let records = gateway.records().await;
    for (record, before) in records.iter().zip(&before_erasure) {
        assert_eq!(record["leaf_hash"], before["leaf_hash"]);
        let detail = record["detail"].to_string();
        for word in ["zq-zq-c1", "zq-zq-c2", "4155550177", "555-0177", "555 0177", "zq-web"] {
            assert!(!detail.contains(word), "{detail}");
        }
    }
    let of_c3 = |record: &&Value| record["detail"].to_string().contains("zq-c3");
    assert_eq!(records.iter().filter(of_c3).count(), 2, "only what names them goes of a call of others");
    let last = records.iter().rfind(|record| record["entry"]["type"] == "erasure.executed").unwrap();
    assert_eq!(last["entry"]["body"]["erased"], json!({"calls": 2, "recordings": 0}));
    assert_eq!(last["detail"], json!({"reason": REASON}));
    let kinds: Vec<&str> = records.iter().map(|one| one["entry"]["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"consent-grant.withdrawn"), "{kinds:?}");
    // Nor does anything else of them stand anywhere.
    if !in_postgres() {
        for word in ["4155550177", "415 555 0177", "555-0177", "zq-zq-c1", "zq-zq-c2", "zq-web form"] {
            assert_eq!(gateway.stands_in(word), [""; 0], "{word}");
        }
        // The search finds what is there.
        assert!(!gateway.stands_in("zq-c3-late").is_empty());
    }

    // What is called so no longer is still a call that can be asked about.
    gateway.auditor.get("/v1/calls/zq-c1").await.problem(404, "unknown-call");
    gateway.auditor.get("/v1/calls/zq-zq-c1-leg").await.problem(404, "unknown-call");
    let call = gateway.auditor.get(&format!("/v1/recordings/{theirs}")).await.expect(200);
    assert!(call["name"].as_str().unwrap().starts_with("erased:"), "{call}");
    let call = call["call"].as_str().unwrap().to_owned();
    assert!(call.starts_with("erased:"), "{call}");
    let shown = gateway.auditor.get(&format!("/v1/calls/{call}")).await.expect(200);
    assert_eq!((&shown["call"], &shown["aliases"]), (&json!(call), &json!([])));
    let ids: Vec<&str> = shown["decision"]["participants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["erased-0", "agent"]);
    let explained = gateway.auditor.get(&format!("/v1/calls/{call}/explain")).await.expect(200);
    assert_eq!(explained["differs"], false);
    let asked_now = gateway.auditor.get(&format!("/v1/consents?call={call}")).await.expect(200);
    let hashes = |page: &Value| -> Vec<Value> {
        page["consents"].as_array().unwrap().iter().map(|one| one["leaf_hash"].clone()).collect()
    };
    assert!(hashes(&asked).starts_with(&hashes(&asked_now)[..6]), "the same entries, by another name");
    let grant = gateway.auditor.get("/v1/consent-grants/form-1").await.expect(200);
    assert_eq!((&grant["subject"], &grant["basis"]), (&json!("erased"), &json!("erased")));
    assert!(grant["withdrawn_at"].is_string() && grant["text_version"].is_null(), "{grant}");

    // The recordings stay, and open.
    assert_eq!(gateway.fetch_and_open(&theirs).await, wav(1000));
    assert_eq!(gateway.fetch_and_open(&others).await, wav(1000));
}

#[tokio::test]
async fn the_next_call_of_an_erased_number_is_somebody_new_to_the_log() {
    let gateway = Gateway::start().await;
    gateway.recorded("c1", NUMBER).await;
    gateway.ends("c1").await;
    gateway.erase(json!({"number": NUMBER}), "keep").await.expect(200);
    gateway.erase(json!({"number": NUMBER}), "keep").await.problem(404, "unknown-subject");
    gateway.recorded("c1", NUMBER).await;
    let subjects: Vec<String> = gateway
        .rows("acme")
        .await
        .iter()
        .filter_map(|row| {
            serde_json::from_slice::<Value>(&row.leaf).unwrap().pointer("/body/opened/subjects/0/1").cloned()
        })
        .map(|subject| subject.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(subjects.len(), 2);
    assert_ne!(subjects[0], subjects[1]);
    let found = gateway.auditor.get("/v1/consents?number=%2B14155550177&type=call.opened").await.expect(200);
    assert_eq!(found["consents"].as_array().unwrap().len(), 1, "only the new call is found by the number");
}

#[tokio::test]
async fn recordings_that_are_to_go_go_with_their_keys_and_each_has_its_entry() {
    let gateway = Gateway::start().await;
    let theirs = [gateway.recorded("c1", NUMBER).await, gateway.recorded("c2", NUMBER).await];
    let others = gateway.recorded("c3", "+14155550188").await;
    for call in ["c1", "c2", "c3"] {
        gateway.ends(call).await;
    }
    let erased = gateway.erase(json!({"number": NUMBER}), "delete").await.expect(200);
    assert_eq!(erased["recordings"], json!({"deleted": 2, "kept": 0}));
    for id in &theirs {
        gateway.listener.get(&format!("/v1/recordings/{id}")).await.problem(410, "recording-deleted");
    }
    assert_eq!(gateway.fetch_and_open(&others).await, wav(1000));
    let deleted: Vec<Value> = gateway
        .records()
        .await
        .iter()
        .filter_map(|one| one["entry"].pointer("/body/deleted/recording").cloned())
        .collect();
    assert_eq!(deleted.len(), 2);
    assert!(theirs.iter().all(|id| deleted.contains(&json!(id))), "{deleted:?}");
    // One recording with its envelope, and two tombstones.
    assert_eq!(gateway.stored_files(), 4);
    let retried = gateway.upload("c1", "zq-c1-audio", None, &wav(1000)).await;
    retried.problem(404, "unknown-call");
}

#[tokio::test]
async fn a_withdrawn_grant_goes_with_the_recordings_and_the_account_goes_on() {
    let gateway = Gateway::start().await;
    let grant = json!({"subject": NUMBER, "role": "customer", "basis": "form"});
    gateway.registrar.put("/v1/consent-grants/form", &grant).await.expect(201);
    gateway.registrar.post("/v1/consent-grants/form/withdraw", &json!({})).await.expect(200);
    gateway.recorded("c1", NUMBER).await;
    gateway.ends("c1").await;
    let erased = gateway.erase(json!({"number": NUMBER}), "delete").await.expect(200);
    assert_eq!(
        (&erased["recordings"]["deleted"], &erased["consent_grants"]),
        (&json!(1), &json!(1)),
        "{erased}"
    );
    // What is registered is followed all the same, by a process that has read it before.
    let left = gateway.auditor.get("/v1/consent-grants/form").await.expect(200);
    assert_eq!(left["subject"], json!("erased"), "{left}");
    gateway.registrar.put("/v1/consent-grants/another", &grant).await.expect(201);
    let new = gateway.auditor.get("/v1/consent-grants/another").await.expect(200);
    assert_ne!(new["subject"], json!("erased"), "{new}");
    gateway.recorded("c2", "+14155550188").await;
}

/// An auditor asks for them again and again while it is being gone through what others have said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_of_them_while_they_are_erased_goes_as_well() {
    let gateway = Gateway::start().await;
    gateway.recorded("c1", NUMBER).await;
    gateway.ends("c1").await;
    let over = std::sync::atomic::AtomicBool::new(false);
    let asking = futures_util::future::join_all((0..16).map(async |_| {
        while !over.load(std::sync::atomic::Ordering::Relaxed) {
            gateway.auditor.get("/v1/consents?participant=zq-c1-caller&limit=1").await.expect(200);
        }
    }));
    let erasing = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        gateway.erase(json!({"number": NUMBER}), "delete").await.expect(200);
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    tokio::join!(asking, erasing);
    gateway.auditor.get("/v1/consents?participant=zq-c1-caller").await.expect(200);
    let records = gateway.records().await;
    let last = records.iter().rposition(|record| record["entry"]["type"] == "erasure.executed").unwrap();
    let named = |record: &&Value| record["detail"].to_string().contains("zq-c1-caller");
    let before: Vec<&Value> = records[..last].iter().filter(named).collect();
    assert!(before.is_empty(), "{before:?}");
    let after: Vec<&Value> = records[last..].iter().collect();
    assert!(after.iter().any(named), "{after:?}");
}

#[tokio::test]
async fn nothing_is_erased_that_a_call_a_legal_hold_or_the_law_still_needs() {
    let gateway = Gateway::start().await;
    let law = json!({"overlays": ["debt-collection"], "reason": "we collect"});
    let before = gateway.recorded("c1", NUMBER).await;
    let asked = gateway.erase(json!({"number": NUMBER}), "keep").await.problem(409, "call-in-progress");
    assert_eq!(asked["calls"], json!(["c1"]));
    gateway.ends("c1").await;
    gateway.counsel.put(&format!("/v1/recordings/{before}/hold"), &json!({})).await.expect(200);
    // It waits, and is done once the hold is lifted; whoever wants more gets it.
    for recordings in ["keep", "delete"] {
        gateway.erase(json!({"number": NUMBER}), recordings).await.expect(202);
    }
    let shown = gateway.auditor.get("/v1/calls/c1").await.expect(200);
    assert_eq!(shown["decision"]["participants"][0]["id"], "zq-c1-caller");
    gateway.counsel.delete(&format!("/v1/recordings/{before}/hold")).await.expect(200);
    comes(async || gateway.counsel.get("/v1/erasures").await.expect(200)["waiting"] == json!([])).await;
    gateway.listener.get(&format!("/v1/recordings/{before}")).await.problem(410, "recording-deleted");
    gateway.counsel.put("/v1/law", &law).await.expect(200);
    let kept = gateway.recorded("c2", NUMBER).await;
    gateway.ends("c2").await;
    let asked = gateway.erase(json!({"number": NUMBER}), "delete").await.problem(409, "retention-required");
    let until = asked["recordings"][0]["keep_until"].as_str().unwrap();
    assert_eq!(asked["recordings"], json!([{"recording": kept, "keep_until": until}]));
    assert!(until.starts_with("2029-11-20"), "{until}");
    // Until here nothing has changed.
    let shown = gateway.auditor.get("/v1/calls/c2").await.expect(200);
    assert_eq!(shown["decision"]["participants"][0]["id"], "zq-c2-caller");
    let erased = gateway.erase(json!({"number": NUMBER}), "keep").await.expect(200);
    assert_eq!(erased["recordings"], json!({"deleted": 0, "kept": 1}));
    assert_eq!(gateway.fetch_and_open(&kept).await, wav(1000));
}

#[tokio::test]
async fn a_participant_is_erased_by_the_platforms_id_of_them_and_nobody_else() {
    let gateway = Gateway::start().await;
    let grant = json!({"subject": "agent-7", "role": "agent", "basis": "zq-contract", "written": true});
    gateway.registrar.put("/v1/consent-grants/contract-agent-7", &grant).await.expect(201);
    for (call, agent) in [("c1", "agent-7"), ("c2", "agent-8")] {
        let mut second = person(agent, "agent", "US-NY");
        second["number"] = json!(if agent == "agent-7" { "+12125550107" } else { "+12125550108" });
        let people =
            json!([{"id": "caller", "role": "customer", "number": NUMBER, "location": "US-CA"}, second]);
        gateway.open_with(call, people, json!({})).await;
        gateway.ends(call).await;
    }
    gateway.auditor.get("/v1/consents?participant=agent-7").await.expect(200);
    let erased = gateway.erase(json!({"participant": "agent-7"}), "keep").await.expect(200);
    assert_eq!((&erased["calls"], &erased["consent_grants"]), (&json!(1), &json!(1)), "{erased}");
    if !in_postgres() {
        for word in ["agent-7", "2125550107", "zq-contract"] {
            assert_eq!(gateway.stands_in(word), [""; 0], "{word}");
        }
        assert!(!gateway.stands_in("agent-8").is_empty() && !gateway.stands_in("4155550177").is_empty());
    }
    gateway.auditor.get("/v1/consent-grants/contract-agent-7").await.problem(404, "not-found");
    gateway.auditor.get("/v1/calls/c2").await.expect(200);
    let callers =
        gateway.auditor.get("/v1/consents?number=%2B14155550177&type=call.opened").await.expect(200);
    assert_eq!(callers["consents"].as_array().unwrap().len(), 2, "the caller's number is known as before");
    // That the grant was asked for by its old id is known again.
    let again = gateway.erase(json!({"participant": "agent-7"}), "keep").await.expect(200);
    assert_eq!((&again["calls"], &again["consent_grants"]), (&json!(0), &json!(0)), "{again}");
    gateway.erase(json!({"participant": "agent-7"}), "keep").await.problem(404, "unknown-subject");
}

#[tokio::test]
async fn a_number_that_two_accounts_know_is_erased_at_one_of_them_only() {
    let gateway = Gateway::start().await;
    let people = crate::harness::add_account(gateway.gate(), "other", &AccountSettings::default()).await;
    let recorder = people.iter().find(|new| new.role == consent_gateway::access::Role::Recorder).unwrap();
    let recorder = crate::harness::Client::new(gateway.recorder.address, recorder);
    let open = |who: crate::harness::Client, call: &'static str| {
        let body = json!({"participants": [{"id": "caller", "role": "customer", "number": NUMBER}]});
        async move { who.put(&format!("/v1/calls/{call}"), &body).await.expect(201) }
    };
    open(recorder.clone(), "c1").await;
    open(gateway.recorder.clone(), "c1").await;
    gateway.ends("c1").await;
    gateway.erase(json!({"number": NUMBER}), "keep").await.expect(200);
    open(recorder, "c2").await;
    open(gateway.recorder.clone(), "c2").await;
    let mut of_log: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for log in ["acme", "other"] {
        for row in gateway.rows(log).await {
            let leaf: Leaf = serde_json::from_slice(&row.leaf).unwrap();
            if let trail::Body::Opened { subjects, .. } = leaf.body {
                of_log.entry(log).or_default().extend(subjects.into_iter().map(|(_, subject)| subject));
            }
        }
    }
    assert_ne!(of_log["acme"][0], of_log["acme"][1]);
    assert_eq!(of_log["other"][0], of_log["other"][1], "the other account's caller is who they were");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_make_no_sense_are_told_why() {
    let gateway = Gateway::start().await;
    let post = async |body: Value| gateway.admin.post("/v1/erasures", &body).await;
    let why = json!({"recordings": "keep", "reason": "x"});
    let with = |more: Value| {
        let mut body = why.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    post(with(json!({}))).await.problem(422, "invalid-body");
    post(with(json!({"number": NUMBER, "participant": "a"}))).await.problem(422, "invalid-body");
    post(with(json!({"number": "0177"}))).await.problem(422, "invalid-number");
    post(with(json!({"number": NUMBER, "recordings": "burn"}))).await.problem(422, "invalid-body");
    post(json!({"number": NUMBER, "reason": "x"})).await.problem(422, "invalid-body");
    post(with(json!({"number": NUMBER, "reason": " "}))).await.problem(422, "reason-required");
    post(with(json!({"number": NUMBER, "reason": "x".repeat(4097)}))).await.problem(422, "reason-required");
    let named = "they are +1 415 555 0177";
    post(with(json!({"number": NUMBER, "reason": named}))).await.problem(422, "reason-names-them");
    post(with(json!({"number": NUMBER}))).await.problem(404, "unknown-subject");
    let data = gateway.data();
    let erase = |more: &[&str]| {
        run(&[
            &["--data", data.to_str().unwrap(), "erase", "acme", "--recordings", "keep", "--reason", "x"],
            more,
        ]
        .concat())
    };
    assert_eq!(erase(&["--number", NUMBER, "--participant", "a"]).0, 2);
    assert_eq!(erase(&[]).0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn among_many_others_nothing_of_them_is_left_in_any_page_of_the_file() {
    if in_postgres() {
        return;
    }
    let gateway = Gateway::start().await;
    let one = async |number: usize| {
        let call = format!("c{number}");
        // Rows and details of all lengths, so that pages are split and rows move.
        let theirs = number % 7 == 3;
        let phone = if theirs { NUMBER.to_owned() } else { format!("+1212555{number:04}") };
        let id = format!("{}{}", if theirs { "zq-forget-me" } else { "somebody" }, "x".repeat(number % 50));
        let people = json!([{"id": id, "role": "customer", "number": phone, "location": "US-CA"}]);
        gateway.open_with(&call, people, json!({})).await;
        let reason = format!("{id} {}", "y".repeat(number * 13 % 900));
        let no = json!({"type": "consent.declined", "participant": id, "reason": reason});
        gateway.report(&call, no).await;
        gateway.ends(&call).await;
    };
    for from in (0..2000).step_by(50) {
        futures_util::future::join_all((from..from + 50).map(&one)).await;
    }
    assert!(!gateway.stands_in("4155550177").is_empty() && !gateway.stands_in("zq-forget-me").is_empty());
    let data = gateway.data();
    let (code, out, err) = run(&[
        "--data",
        data.to_str().unwrap(),
        "erase",
        "acme",
        "--number",
        NUMBER,
        "--recordings",
        "keep",
        "--reason",
        REASON,
        "--json",
    ]);
    assert_eq!(code, 0, "{err}");
    let erased: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&erased["calls"], &erased["remnants"]), (&json!(286), &json!("none")));
    for word in ["4155550177", "zq-forget-me"] {
        assert_eq!(gateway.stands_in(word), [""; 0], "{word}");
    }
}
