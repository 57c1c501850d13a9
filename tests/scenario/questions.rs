//! What auditors ask: every filter, alone and combined; pages that end; tables that spreadsheets read.

mod command;
mod many;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use consent_gateway::access::Role;
use consent_gateway::gate::AccountSettings;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use trail::OUTCOMES;

use super::person;
use crate::harness::{Client, Gateway, add_account, customer_key, wav};

const CALLER: &str = "+14155550177";
const BOB: &str = "+17025550188";

/// Three calls, one of them recorded and listened to.
async fn scene() -> Gateway {
    let gateway = Gateway::start().await;
    let mut caller = person("caller", "customer", "US-CA");
    caller["number"] = json!(CALLER);
    let people = json!([caller, person("agent", "agent", "US-CA")]);
    gateway.open_with("recorded", people, json!({"aliases": ["leg"]})).await;
    gateway.prompt("recorded", &["caller", "agent"]).await;
    gateway.says_yes("recorded", "caller", "dtmf").await;
    gateway.control("recorded", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(1000);
    let stored = gateway.upload("recorded", "a", Some(from), &wav(1000)).await.expect(201);
    gateway.happens("recorded", "participant.left", "caller").await;
    gateway.report("recorded", json!({"type": "call.ended"})).await;
    gateway.advance_ms(60_000);
    let mut bob = person("bob", "customer", "US-NV");
    bob["number"] = json!(BOB);
    let people = json!([bob, person("agent", "agent", "DE")]);
    gateway.open_with("declined", people, json!({})).await;
    gateway
        .report(
            "declined",
            json!({"type": "prompt.completed", "prompt": "de", "participant": "agent", "played_ms": 4000}),
        )
        .await;
    gateway.report("declined", json!({"type": "prompt.interrupted", "participant": "bob"})).await;
    gateway.happens("declined", "consent.declined", "bob").await;
    gateway.control("declined", "start").await.problem(403, "consent-required");
    gateway.advance_ms(60_000);
    // The number of the first call comes back, from elsewhere.
    let mut again = person("somebody", "customer", "DE");
    again["number"] = json!(CALLER);
    gateway.open_with("again", json!([again, person("agent", "agent", "US-CA")]), json!({})).await;
    let media = format!("/v1/recordings/{}/media?purpose=", stored["id"].as_str().unwrap());
    assert_eq!(gateway.listener.get(&format!("{media}quality")).await.status, 200);
    gateway.listener.get(&format!("{media}marketing")).await.problem(403, "purpose-not-consented");
    let other = json!({"text": "Recorded!", "language": "en", "duration_ms": 4000});
    gateway.counsel.put("/v1/prompts/en", &other).await.expect(201);
    gateway
}

pub(super) async fn ask(client: &Client, query: &str) -> Value {
    client.get(&format!("/v1/consents?limit=1000&{query}")).await.expect(200)
}

/// The entries of an answer that are no questions.
pub(super) fn entries(answer: &Value) -> Vec<Value> {
    let all = answer["consents"].as_array().unwrap().iter();
    all.filter(|one| one["entry"]["type"] != "audit.lookup").cloned().collect()
}

fn places(entries: &[Value]) -> Vec<(u64, u64)> {
    entries.iter().map(place).collect()
}

fn place(entry: &Value) -> (u64, u64) {
    (entry["epoch"].as_u64().unwrap(), entry["index"].as_u64().unwrap())
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|one| one["entry"]["type"].as_str().unwrap()).collect()
}

/// The whole log, and what each of its entries has to do with, read naively from leaves and details.
struct Naive {
    entries: Vec<Value>,
    /// By call: everything that any of its entries says.
    calls: BTreeMap<String, BTreeSet<String>>,
    recordings: BTreeMap<String, String>,
}

impl Naive {
    async fn read(gateway: &Gateway) -> Naive {
        let entries = entries(&ask(&gateway.auditor, "").await);
        let mut naive = Naive { entries, calls: BTreeMap::new(), recordings: BTreeMap::new() };
        for entry in &naive.entries {
            let Some(call) = entry["entry"]["call"].as_str() else { continue };
            let said = naive.calls.entry(call.to_owned()).or_default();
            words(&entry["entry"]["body"], said);
            words(&entry["detail"], said);
            said.extend(entry["call"].as_str().map(str::to_owned));
            if let Some(recording) = entry["entry"]["body"]["accepted"]["recording"].as_str() {
                naive.recordings.insert(recording.to_owned(), call.to_owned());
            }
        }
        naive
    }

    fn about<'n>(&'n self, entry: &'n Value) -> Option<&'n str> {
        let body = entry["entry"]["body"].as_object().unwrap().values().next().unwrap();
        entry["entry"]["call"]
            .as_str()
            .or_else(|| Some(self.recordings.get(body["recording"].as_str()?)?.as_str()))
    }

    /// Whether the entry, or the call that it has to do with, says one of these words.
    fn says(&self, entry: &Value, any: &[String]) -> bool {
        let mut said = BTreeSet::new();
        words(&entry["entry"]["body"], &mut said);
        let of_call = self.about(entry).and_then(|call| self.calls.get(call));
        any.iter().any(|word| said.contains(word) || of_call.is_some_and(|said| said.contains(word)))
    }
}

fn words(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(into.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| words(item, into)),
        Value::Object(members) => members.values().for_each(|member| words(member, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn moment(entry: &Value) -> &str {
    entry["entry"]["at"].as_str().unwrap()
}

type Fits<'n> = Box<dyn Fn(&Value) -> bool + 'n>;

#[tokio::test]
async fn every_filter_alone_and_any_two_together_find_what_a_naive_reader_finds() {
    let gateway = scene().await;
    let naive = Naive::read(&gateway).await;
    let opening = ask(&gateway.auditor, "number=%2B14155550177").await["opening"].clone();
    let subject = opening["subject"].as_str().unwrap().to_owned();
    let recording = naive.recordings.keys().next().unwrap().clone();
    let versions = gateway.gate().ledger().versions_of_prompt("acme", "en").await.unwrap();
    let uids: Vec<String> = versions.iter().map(|row| row.uid.clone()).collect();
    let listener = naive.entries.iter().find(|one| one["entry"]["type"] == "recording.fetched").unwrap();
    let listener = listener["entry"]["actor"]["credential"].as_str().unwrap().to_owned();
    let middle = naive.entries[naive.entries.len() / 2]["entry"]["at"].as_str().unwrap().to_owned();
    let mut filters: Vec<(String, Fits<'_>)> = Vec::new();
    let says = |any: &[&str]| -> Fits<'_> {
        let any: Vec<String> = any.iter().map(|word| (*word).to_owned()).collect();
        let naive = &naive;
        Box::new(move |entry| naive.says(entry, &any))
    };
    filters.push(("call=recorded".into(), says(&["recorded"])));
    filters.push(("call=leg".into(), says(&["recorded"])));
    filters.push(("participant=bob".into(), says(&["bob"])));
    filters.push(("participant=agent".into(), says(&["agent"])));
    filters.push(("number=%2B14155550177".into(), says(&[&subject])));
    filters.push(("place=US-CA".into(), says(&["US-CA"])));
    filters.push(("place=us".into(), says(&["US-CA", "US-NV"])));
    filters.push(("rule=DE".into(), says(&["DE"])));
    let any: Vec<&str> = uids.iter().map(String::as_str).collect();
    filters.push(("prompt=en".into(), says(&any)));
    filters.push(("prompt=en@1".into(), says(&[any[0]])));
    filters.push((format!("prompt={}", any[1]), says(&[any[1]])));
    filters.push((format!("recording={recording}"), says(&[&recording])));
    filters.push((
        format!("listener={listener}"),
        Box::new(|entry| {
            let kind = entry["entry"]["type"].as_str().unwrap();
            kind.starts_with("recording.fetch") && entry["entry"]["actor"]["credential"] == listener.as_str()
        }),
    ));
    for (outcome, types) in OUTCOMES {
        filters.push((
            format!("outcome={outcome}"),
            Box::new(|entry| types.iter().any(|kind| entry["entry"]["type"] == kind.as_str())),
        ));
    }
    filters.push((
        "type=call.opened,recording.fetched".into(),
        Box::new(|entry| {
            ["call.opened", "recording.fetched"].contains(&entry["entry"]["type"].as_str().unwrap())
        }),
    ));
    filters.push((format!("from={middle}"), Box::new(|entry| moment(entry) >= middle.as_str())));
    filters.push((format!("until={middle}"), Box::new(|entry| moment(entry) < middle.as_str())));
    let mut found = 0;
    for (index, (one, fits_one)) in filters.iter().enumerate() {
        let alone = naive.entries.iter().filter(|entry| fits_one(entry)).cloned().collect::<Vec<_>>();
        assert_eq!(places(&entries(&ask(&gateway.auditor, one).await)), places(&alone), "{one}");
        found += usize::from(!alone.is_empty());
        for (other, fits_other) in filters.iter().skip(index + 1) {
            if one.split('=').next() == other.split('=').next() {
                continue;
            }
            let query = format!("{one}&{other}");
            let both = alone.iter().filter(|entry| fits_other(entry)).cloned().collect::<Vec<_>>();
            assert_eq!(places(&entries(&ask(&gateway.auditor, &query).await)), places(&both), "{query}");
        }
    }
    // Held, deleted and ended or withdrawn by nobody: the others find something.
    assert!(found > filters.len() - 6, "{found} of {} filters find something", filters.len());
    let all = format!(
        "call=recorded&participant=caller&number=%2B14155550177&place=US-CA&rule=US-CA&prompt=en@1&recording={recording}"
    );
    let story = kinds(&entries(&ask(&gateway.auditor, &all).await)).join(" ");
    assert_eq!(
        story,
        "call.opened prompt.completed consent.given recording.start recording.accepted participant.left \
         call.ended recording.fetched recording.fetch-refused"
    );
    let heard = entries(&ask(&gateway.auditor, &format!("{all}&listener={listener}&outcome=fetched")).await);
    assert_eq!(kinds(&heard), ["recording.fetched"]);
    assert_eq!(heard[0]["call"], "recorded", "whoever listened listened to a call");
}

#[tokio::test]
async fn a_call_id_that_was_used_again_finds_every_call_that_had_it() {
    let gateway = Gateway::start().await;
    for _ in 0..2 {
        gateway.open("c", "US-CA").await;
        gateway.report("c", json!({"type": "call.ended"})).await;
        gateway.advance_ms(1000);
    }
    let found = entries(&ask(&gateway.auditor, "call=c").await);
    assert_eq!(kinds(&found), ["call.opened", "call.ended", "call.opened", "call.ended"]);
    assert_ne!(found[0]["entry"]["call"], found[2]["entry"]["call"]);
}

#[tokio::test]
async fn questions_that_make_no_sense_are_told_apart_from_answers_that_are_empty() {
    let gateway = scene().await;
    for (query, code) in [
        ("number=0415", "invalid-number"),
        ("place=Mars", "invalid-place"),
        ("outcome=fine", "invalid-filter"),
        ("type=call.opend", "invalid-filter"),
        ("recording=7", "invalid-filter"),
        ("participant=", "invalid-id"),
        ("format=xml", "invalid-format"),
        ("limit=0", "invalid-limit"),
        ("format=csv&limit=1001", "invalid-limit"),
    ] {
        let before = gateway.rows("acme").await.len();
        gateway.auditor.get(&format!("/v1/consents?{query}")).await.problem(422, code);
        assert_eq!(gateway.rows("acme").await.len(), before, "{query}");
    }
    gateway.auditor.get("/v1/consents?colour=red").await.problem(400, "invalid-query");
    for query in ["call=nobody", "prompt=nothing", "prompt=en@9"] {
        let before = gateway.rows("acme").await.len();
        assert_eq!(gateway.auditor.get(&format!("/v1/consents?{query}")).await.status, 404, "{query}");
        assert_eq!(gateway.rows("acme").await.len(), before + 1, "whoever probes is logged: {query}");
    }
    let nothing = [
        "number=%2B442079460000",
        "participant=nobody",
        "place=NZ",
        "rule=no-such-overlay",
        "listener=nobody",
        "recording=00000000-0000-4000-8000-000000000000",
        "outcome=deleted&type=call.opened",
        "from=2030-01-01T00:00:00Z",
    ];
    for query in nothing {
        let answer = ask(&gateway.auditor, query).await;
        assert_eq!((&answer["consents"], &answer["next"]), (&json!([]), &Value::Null), "{query}");
        assert!(answer.get("opening").is_none(), "{query}");
    }
}

#[tokio::test]
async fn the_rule_of_an_overlay_is_asked_for_by_its_id() {
    let (gateway, _dir) = super::sector::gateway().await;
    gateway.open_with("plain", super::two("US-NY"), json!({})).await;
    gateway.open_with("sector", super::two("US-NY"), json!({"overlays": ["investment"]})).await;
    let found = entries(&ask(&gateway.auditor, "rule=investment").await);
    assert_eq!(found.iter().map(|one| &one["call"]).collect::<Vec<_>>(), ["sector"]);
    assert_eq!(entries(&ask(&gateway.auditor, "rule=US-NY").await).len(), 2);
}

#[tokio::test]
async fn an_opening_is_recomputed_without_the_gateway_and_found_in_leaves() {
    let gateway = scene().await;
    let answer = ask(&gateway.auditor, "number=+14155550177").await;
    let opening = &answer["opening"];
    assert_eq!(opening["number"], CALLER, "a plus that is not encoded is one as well");
    let key = hex::decode(opening["subject_key"].as_str().unwrap()).unwrap();
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&key).unwrap();
    mac.update(b"gw-pid-v1\0acme\0+14155550177");
    let pseudonym = format!("p1:{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    assert_eq!(opening["subject"], pseudonym);
    let holds = |leaf: &[u8]| String::from_utf8_lossy(leaf).contains(&pseudonym);
    let opened: Vec<Value> = gateway
        .rows("acme")
        .await
        .iter()
        .filter(|row| holds(&row.leaf))
        .map(|row| serde_json::from_slice::<Value>(&row.leaf).unwrap()["type"].clone())
        .collect();
    assert_eq!(opened, ["call.opened", "call.opened", "audit.lookup"]);
    // Later pages carry it, too: it proves them.
    let first = gateway.auditor.get("/v1/consents?number=%2B14155550177&limit=1").await.expect(200);
    let next = first["next"].as_str().unwrap();
    let later =
        gateway.auditor.get(&format!("/v1/consents?number=%2B14155550177&limit=1&after={next}")).await;
    assert_eq!(later.expect(200)["opening"], *opening);
}

#[tokio::test]
async fn every_question_is_one_entry_that_says_by_what_was_asked_and_never_a_number() {
    let gateway = scene().await;
    let last = async || {
        let rows = gateway.rows("acme").await;
        let row = rows.last().unwrap();
        let leaf: Value = serde_json::from_slice(&row.leaf).unwrap();
        let detail: Value = serde_json::from_str(row.document.as_deref().unwrap_or("null")).unwrap();
        (rows.len(), leaf, detail)
    };
    let (before, ..) = last().await;
    let answer =
        ask(&gateway.counsel, "number=%2B14155550177&call=recorded&outcome=left&from=2026-01-01T00:00:00Z")
            .await;
    let (after, leaf, detail) = last().await;
    assert_eq!(after, before + 1);
    assert_eq!(leaf["type"], "audit.lookup");
    assert_eq!(leaf["actor"]["role"], "counsel");
    assert_eq!(
        leaf["body"]["lookup"],
        json!({"subject": answer["opening"]["subject"], "by": ["call", "from", "number", "outcome"]})
    );
    assert_eq!(detail, json!({"call": "recorded", "outcome": "left", "from": "2026-01-01T00:00:00Z"}));
    ask(&gateway.auditor, "number=%2B442079460000").await;
    let (count, leaf, detail) = last().await;
    assert_eq!(count, after + 1, "a number that nobody has is asked for as well");
    assert_eq!((&leaf["body"]["lookup"], &detail), (&json!({"by": ["number"]}), &Value::Null));
    ask(&gateway.auditor, "").await;
    assert_eq!(last().await.1["body"]["lookup"], json!({"by": []}));
    for path in ["/v1/consents?format=csv", "/v1/consents?format=jsonl&call=recorded"] {
        let (before, ..) = last().await;
        assert_eq!(gateway.auditor.get(path).await.status, 200);
        assert_eq!(last().await.0, before + 1);
    }
    let asked = gateway.rows("acme").await;
    let asked = asked.iter().filter(|row| String::from_utf8_lossy(&row.leaf).contains("audit.lookup"));
    for row in asked {
        let told =
            format!("{}{}", String::from_utf8_lossy(&row.leaf), row.document.clone().unwrap_or_default());
        assert!(!told.contains("4155550177") && !told.contains("2079460000"), "{told}");
    }
}

#[tokio::test]
async fn nobody_is_answered_from_another_accounts_log() {
    let gateway = scene().await;
    let people = add_account(gateway.gate(), "other", &AccountSettings::default()).await;
    customer_key(gateway.gate(), gateway.dir.path(), "other").await;
    let of = |role: Role| {
        Client::new(gateway.recorder.address, people.iter().find(|new| new.role == role).unwrap())
    };
    let theirs = json!({"medium": "telephone", "purposes": ["quality"], "participants": [
        {"id": "caller", "role": "customer", "number": CALLER, "location": "US-CA"}]});
    of(Role::Recorder).put("/v1/calls/recorded", &theirs).await.expect(201);
    let recording = ask(&gateway.auditor, "outcome=accepted").await["consents"][0]["entry"]["body"]["accepted"]["recording"].clone();
    let recording = recording.as_str().unwrap();
    let auditor = of(Role::Auditor);
    let mut pseudonyms = Vec::new();
    for query in ["call=recorded", "participant=caller", "number=%2B14155550177", "place=US-CA", "rule=US-CA"]
    {
        let answer = ask(&auditor, query).await;
        assert_eq!(kinds(&entries(&answer)), ["call.opened"], "{query}");
        pseudonyms.extend(answer["opening"]["subject"].as_str().map(str::to_owned));
    }
    for query in [&format!("recording={recording}"), "outcome=fetched,accepted,declined", "participant=bob"] {
        assert_eq!(entries(&ask(&auditor, query).await), Vec::<Value>::new(), "{query}");
    }
    let ours = ask(&gateway.auditor, "number=%2B14155550177").await["opening"]["subject"].clone();
    assert_ne!(pseudonyms, [ours.as_str().unwrap()], "a number has another pseudonym in every log");
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Provisioner) {
        let may = [Role::Auditor, Role::Counsel, Role::Admin].contains(&role);
        let answer = of(role).get("/v1/consents?format=csv").await;
        assert_eq!(answer.status, if may { 200 } else { 403 }, "{role:?}");
    }
}

#[tokio::test]
async fn pages_of_one_entry_end_while_somebody_writes_and_show_each_entry_once() {
    let gateway = scene().await;
    for query in ["", "call=again", "number=%2B14155550177", "place=US-CA"] {
        let whole = ask(&gateway.auditor, query).await;
        let (mut seen, mut after) = (Vec::new(), String::new());
        let mut written = 0;
        loop {
            let path = format!("/v1/consents?{query}&limit=1{after}");
            let page = gateway.auditor.get(&path).await.expect(200);
            let items = page["consents"].as_array().unwrap();
            assert_eq!(items.len(), 1);
            seen.push(items[0].clone());
            // What is asked, and what is said meanwhile, would make it longer for ever.
            gateway
                .report(
                    "again",
                    json!({"type": "participant.answered", "participant": "somebody", "by": "human"}),
                )
                .await;
            written += 1;
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        // Between the two questions only the first of them was logged.
        let mut expected = whole["consents"].as_array().unwrap().clone();
        let of_first = seen.last().filter(|one| one["entry"]["type"] == "audit.lookup").cloned();
        expected.extend(of_first.filter(|one| !expected.contains(one)));
        assert_eq!(seen, expected, "{query}");
        assert!(written >= seen.len());
    }
}

#[tokio::test]
async fn a_cursor_is_of_one_question_of_one_asker() {
    let gateway = scene().await;
    let first = gateway.auditor.get("/v1/consents?place=US-CA&limit=2").await.expect(200);
    let next = first["next"].as_str().unwrap();
    let page = async |who: &Client, query: &str| who.get(&format!("/v1/consents?{query}&after={next}")).await;
    assert_eq!(
        page(&gateway.auditor, "place=us-ca&limit=2").await.status,
        200,
        "the same, written otherwise"
    );
    assert_eq!(page(&gateway.auditor, "place=US-CA&limit=7&format=csv").await.status, 200);
    let before = gateway.rows("acme").await.len();
    for query in [
        "place=US-NV",
        "place=US-CA&call=recorded",
        "",
        "rule=US-CA",
        "place=US-CA&until=2030-01-01T00:00:00Z",
    ] {
        page(&gateway.auditor, query).await.problem(422, "invalid-cursor");
    }
    page(&gateway.counsel, "place=US-CA").await.problem(422, "invalid-cursor");
    let people = add_account(gateway.gate(), "other", &AccountSettings::default()).await;
    let theirs = people.iter().find(|new| new.role == Role::Auditor).unwrap();
    page(&Client::new(gateway.auditor.address, theirs), "place=US-CA").await.problem(422, "invalid-cursor");
    for at in 0..next.len() {
        let mut forged = next.as_bytes().to_vec();
        forged[at] = if forged[at] == b'1' { b'2' } else { b'1' };
        let forged = String::from_utf8(forged).unwrap();
        let path = format!("/v1/consents?place=US-CA&after={forged}");
        gateway.auditor.get(&path).await.problem(422, "invalid-cursor");
    }
    assert_eq!(gateway.rows("acme").await.len(), before, "refused pages ask nothing");
}
