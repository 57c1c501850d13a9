//! What only some rules ask: overlays, voicemail, emergency calls, retention, what a prompt has to say.

use std::path::PathBuf;

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use serde_json::{Value, json};

use super::{is_blocked, is_permitted, of, person};
use crate::harness::{Gateway, wav};

/// A gateway whose table has what these stories need.
pub(super) async fn gateway() -> (Gateway, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("table.toml");
    std::fs::write(&path, TABLE).unwrap();
    let config = Config { jurisdictions: Some(path), ..Config::default() };
    (Gateway::with(config, AccountSettings::default()).await, dir)
}

fn with(overlays: &[&str]) -> Value {
    json!({"overlays": overlays})
}

#[tokio::test]
async fn where_recording_is_mandatory_a_refusal_ends_the_call() {
    let (gateway, _dir) = gateway().await;
    let people = json!([person("caller", "customer", "US-NY"), person("agent", "agent", "US-NY")]);
    let opened = gateway.open_with("c", people, with(&["investment"])).await;
    assert_eq!(opened["obligations"], json!(["recording-mandatory"]));
    assert_eq!(opened["action"], "none", "nobody has refused yet: {opened}");
    let refused = gateway.happens("c", "consent.declined", "caller").await;
    is_blocked(&refused);
    assert_eq!(refused["action"], "end-call");
    let told = gateway.control("c", "start").await.expect(403);
    assert_eq!(told["decision"]["action"], "end-call");
    let left = gateway.happens("c", "participant.left", "caller").await;
    assert_eq!(left["action"], "none", "whoever refused is gone: {left}");
}

#[tokio::test]
async fn an_overlay_that_forbids_recording_forbids_it_whoever_agrees() {
    let (gateway, _dir) = gateway().await;
    let people = json!([person("caller", "customer", "US-NY"), person("agent", "agent", "US-NY")]);
    gateway.open_with("c", people, with(&["children"])).await;
    gateway.prompt("c", &["caller", "agent"]).await;
    let agreed = gateway.says_yes("c", "caller", "dtmf").await;
    is_blocked(&agreed);
    assert_eq!(agreed["obligations"], json!(["recording-forbidden"]));
    assert_eq!(agreed["missing"], json!([]), "nothing that anybody does would help: {agreed}");
    assert_eq!(gateway.control("c", "start").await.expect(403)["code"], "consent-required");
}

#[tokio::test]
async fn an_overlay_adds_a_form_and_never_relaxes_one() {
    let (gateway, _dir) = gateway().await;
    let two = |place| json!([person("caller", "customer", place), person("agent", "agent", place)]);
    let stricter = gateway.open_with("ny", two("US-NY"), with(&["health"])).await;
    assert_eq!(super::asks(&stricter), "all/notice");
    let kept = gateway.open_with("de", two("DE"), with(&["health"])).await;
    assert_eq!(super::asks(&kept), "all/express");
    let because = kept["because"].as_array().unwrap();
    assert!(because.iter().any(|one| one["overlay"] == "health"), "{kept}");
}

#[tokio::test]
async fn a_call_cannot_name_an_overlay_that_the_table_does_not_have() {
    let (gateway, _dir) = gateway().await;
    let body = json!({"participants": [person("caller", "customer", "US-NY")], "overlays": ["helth"]});
    let refused = gateway.recorder.put("/v1/calls/c", &body).await.expect(422);
    assert_eq!(refused["code"], "unknown-overlay");
    assert!(refused["detail"].as_str().unwrap().contains("`health`"), "{refused}");
}

#[tokio::test]
async fn counsel_chooses_the_overlays_of_an_account_and_the_trail_says_why() {
    let (gateway, _dir) = gateway().await;
    let chosen = json!({"overlays": ["health", "card-data"], "reason": "a clinic that takes cards"});
    gateway.recorder.put("/v1/law", &chosen).await.expect(403);
    let unknown = json!({"overlays": ["nonsense"], "reason": "why not"});
    assert_eq!(gateway.counsel.put("/v1/law", &unknown).await.expect(422)["code"], "unknown-overlay");
    let silent = json!({"overlays": ["health"]});
    assert_eq!(gateway.counsel.put("/v1/law", &silent).await.expect(422)["code"], "reason-required");
    let answer = gateway.counsel.put("/v1/law", &chosen).await.expect(200);
    assert_eq!(answer["overlays"], json!(["card-data", "health"]));
    assert_eq!(gateway.auditor.get("/v1/law").await.expect(200), answer);
    let opened = gateway.open("c", "US-NY").await;
    assert_eq!(super::asks(&opened), "all/notice");
    assert_eq!(opened["obligations"], json!(["pause-for-card-data"]));
    let page = gateway.auditor.get("/v1/consents?limit=1000").await.expect(200);
    let entries = page["consents"].as_array().unwrap();
    let logged = entries.iter().find(|one| one["entry"]["type"] == "account.law").unwrap();
    assert_eq!(logged["detail"]["reason"], "a clinic that takes cards");
}

#[tokio::test]
async fn a_prompt_that_is_not_for_the_sectors_purpose_does_not_count() {
    let (gateway, _dir) = gateway().await;
    let people = json!([person("caller", "customer", "US-NY"), person("agent", "agent", "US-NY")]);
    gateway.open_with("c", people, with(&["investment"])).await;
    let told = gateway.prompt("c", &["caller", "agent"]).await;
    is_blocked(&told);
    let notes = of(&told, "caller")["notes"].to_string();
    assert!(notes.contains("legal-obligation"), "{notes}");
    let prompt = crate::harness::telling(json!({
        "text": "Calls are recorded because the law asks for it, and to watch over quality.", "language": "en",
        "duration_ms": 4000, "purposes": ["quality", "legal-obligation"],
    }));
    gateway.counsel.put("/v1/prompts/en", &prompt).await.expect(201);
    is_permitted(&gateway.prompt("c", &["caller", "agent"]).await);
}

#[tokio::test]
async fn a_prompt_that_lacks_what_it_has_to_say_does_not_count_there() {
    let (gateway, _dir) = gateway().await;
    let two = |place| json!([person("caller", "customer", place), person("agent", "agent", place)]);
    let purposes = json!({"purposes": ["transcription"]});
    let text = "This call is recorded and transcribed by our service providers.";
    let prompt = |says: Value| json!({"text": text, "language": "en", "duration_ms": 4000, "purposes": ["transcription"], "says": says});
    let bare = gateway.counsel.put("/v1/prompts/en", &prompt(json!({}))).await.expect(201);
    gateway.open_with("ca", two("US-CA"), purposes.clone()).await;
    let told = gateway.prompt("ca", &["caller", "agent"]).await;
    is_blocked(&told);
    assert_eq!(told["prompt_must_say"], json!(["recording", "vendor"]));
    let caller = of(&told, "caller");
    assert_eq!((&caller["state"], &caller["needs"]), (&json!("unprompted"), &json!([["prompt.completed"]])));
    assert!(caller["notes"].to_string().contains("a service provider processes"), "{caller}");

    let quoting = prompt(json!({"vendor": "our suppliers"}));
    let refused = gateway.counsel.put("/v1/prompts/en", &quoting).await.expect(422);
    assert!(refused["detail"].as_str().unwrap().contains("quotes words that are not in `text`"), "{refused}");
    let unknown = prompt(json!({"seller": "our service providers"}));
    gateway.counsel.put("/v1/prompts/en", &unknown).await.expect(422);

    let whole = prompt(json!({"recording": "this call is recorded", "vendor": "our service providers"}));
    let registered = gateway.counsel.put("/v1/prompts/en", &whole).await.expect(201);
    assert_ne!(registered["uid"], bare["uid"]);
    let told = gateway.prompt("ca", &["caller", "agent"]).await;
    is_permitted(&told);
    assert_eq!(
        of(&told, "caller")["prompt"],
        registered["uid"],
        "the permit names the version that was heard"
    );

    // Elsewhere, or for another purpose, nothing of the kind is asked.
    gateway.counsel.put("/v1/prompts/en", &prompt(json!({}))).await.expect(201);
    gateway.open_with("ny", two("US-NY"), purposes).await;
    is_permitted(&gateway.prompt("ny", &["caller", "agent"]).await);
}

/// A prompt that shows of nothing that it says it.
fn silent() -> Value {
    json!({"text": "Hello.", "language": "en", "duration_ms": 4000, "purposes": ["quality"]})
}

#[tokio::test]
async fn a_prompt_that_lacks_something_lifts_no_objection() {
    let (gateway, _dir) = gateway().await;
    let people = json!([person("caller", "customer", "US-CA"), person("agent", "agent", "US-CA")]);
    let whole = json!({
        "text": "This call is recorded and transcribed by our service providers.", "language": "en",
        "duration_ms": 4000, "purposes": ["transcription"],
        "says": {"recording": "this call is recorded", "vendor": "our service providers"},
    });
    gateway.counsel.put("/v1/prompts/whole", &whole).await.expect(201);
    gateway.open_with("c", people, json!({"purposes": ["transcription"]})).await;
    let played = |prompt: &str| json!({"type": "prompt.completed", "prompt": prompt, "participants": ["caller", "agent"], "played_ms": 4000});
    is_permitted(&gateway.report("c", played("whole")).await);
    is_blocked(&gateway.happens("c", "consent.declined", "caller").await);
    gateway.advance_ms(5_000);
    gateway.counsel.put("/v1/prompts/brief", &silent()).await.expect(201);
    gateway.report("c", played("brief")).await;
    is_blocked(&gateway.says_yes("c", "caller", "dtmf").await);
    gateway.advance_ms(5_000);
    gateway.report("c", played("whole")).await;
    is_permitted(&gateway.says_yes("c", "caller", "dtmf").await);
}

#[tokio::test]
async fn a_tone_cannot_say_what_a_prompt_has_to_say() {
    let (gateway, _dir) = gateway().await;
    let people = || json!([person("caller", "customer", "US-CT"), person("agent", "agent", "US-CT")]);
    gateway.open_with("toned", people(), json!({})).await;
    gateway.says_yes("toned", "agent", "click").await;
    is_permitted(&gateway.report("toned", json!({"type": "tone.started"})).await);
    let opened = gateway.open_with("told", people(), with(&["suppliers"])).await;
    assert_eq!(opened["prompt_must_say"], json!(["vendor"]));
    gateway.says_yes("told", "agent", "click").await;
    let toned = gateway.report("told", json!({"type": "tone.started"})).await;
    is_blocked(&toned);
    assert!(!toned["missing"].to_string().contains("tone.started"), "{toned}");
}

#[tokio::test]
async fn retention_is_part_of_the_decision_and_of_the_recordings_description() {
    let (gateway, _dir) = gateway().await;
    let people = json!([person("caller", "customer", "FR"), person("agent", "agent", "US-NY")]);
    let opened = gateway.open_with("c", people, with(&["debt"])).await;
    assert_eq!(opened["retention"], json!({"minimum": "3 years", "maximum": "6 months"}));
    gateway.prompt("c", &["caller", "agent"]).await;
    gateway.says_yes("c", "caller", "dtmf").await;
    gateway.says_yes("c", "agent", "dtmf").await;
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(1_000);
    let stored = gateway.upload("c", "a", Some(from), &wav(1000)).await.expect(201);
    let retention = &stored["retention"];
    assert_eq!(retention["keep_until"], "2029-11-20T10:00:01.000Z", "the sector's minimum: {retention}");
    assert_eq!(retention["delete_by"], retention["keep_until"], "a minimum beats a general maximum");
    let described = gateway.auditor.get(&format!("/v1/recordings/{}", stored["id"].as_str().unwrap())).await;
    assert_eq!(described.expect(200)["retention"], *retention);
}

#[tokio::test]
async fn a_message_after_a_greeting_that_names_recording_is_kept_where_the_row_says_so() {
    let (gateway, _dir) = gateway().await;
    let caller = || json!([person("caller", "customer", "DE")]);
    let voicemail = json!({"kind": "voicemail"});
    let greeting = json!({
        "text": "Leave a message after the tone. It is recorded.", "language": "en", "duration_ms": 3000,
        "purposes": ["quality"], "says": {"recording": "it is recorded"},
    });
    gateway.counsel.put("/v1/prompts/greeting", &greeting).await.expect(201);
    let played =
        json!({"type": "prompt.completed", "prompt": "greeting", "participant": "caller", "played_ms": 3000});
    let opened = gateway.open_with("mail", caller(), voicemail.clone()).await;
    assert_eq!(super::asks(&opened), "all/notice");
    // A prompt that does not say it is no such greeting.
    gateway.counsel.put("/v1/prompts/en", &silent()).await.expect(201);
    is_blocked(&gateway.prompt("mail", &["caller"]).await);
    is_permitted(&gateway.report("mail", played.clone()).await);
    let (from, audio) = {
        gateway.control("mail", "start").await.expect(200);
        let from = gateway.now();
        gateway.advance_ms(2_000);
        (from, wav(2000))
    };
    gateway.upload("mail", "message", Some(from), &audio).await.expect(201);
    // The same people in conversation are asked for a yes; and so is voicemail elsewhere.
    gateway.open_with("talk", caller(), json!({})).await;
    is_blocked(&gateway.report("talk", played.clone()).await);
    gateway.open_with("elsewhere", json!([person("caller", "customer", "FR")]), voicemail).await;
    is_blocked(&gateway.report("elsewhere", played).await);
}

#[tokio::test]
async fn an_emergency_call_is_recorded_only_where_the_rows_and_counsel_say_so() {
    let (gateway, _dir) = gateway().await;
    let grant = json!({"subject": "dispatcher", "role": "agent", "basis": "employment contract"});
    gateway.counsel.put("/v1/consent-grants/staff", &grant).await.expect(201);
    let people = |place: &str| {
        json!([
            {"id": "caller", "role": "customer", "number": "+12125550100"},
            {"id": "dispatcher", "role": "agent", "location": place, "consent_grant": "staff"},
        ])
    };
    let emergency = json!({"kind": "emergency", "purposes": []});
    let never = gateway.open_with("off", people("US-NY"), emergency.clone()).await;
    is_blocked(&never);
    assert_eq!(never["reason"], "emergency calls are never recorded");
    let switch = json!({"public_safety": true, "reason": "we are the county's answering point"});
    gateway.admin.put("/v1/law", &switch).await.expect(403);
    gateway.counsel.put("/v1/law", &switch).await.expect(200);
    let recorded = gateway.open_with("on", people("US-NY"), emergency.clone()).await;
    is_permitted(&recorded);
    assert_eq!(of(&recorded, "caller")["needs"], json!([]), "nobody in need is asked anything");
    // One place that does not allow it is enough.
    is_blocked(&gateway.open_with("elsewhere", people("US-CA"), emergency).await);
    // And a refusal is respected, even here.
    is_blocked(&gateway.happens("on", "consent.declined", "caller").await);
}

#[tokio::test]
async fn an_account_that_chose_an_overlay_that_is_gone_asks_for_the_most() {
    let (gateway, _dir) = gateway().await;
    let settings = AccountSettings { overlays: vec!["gone".into()], ..AccountSettings::default() };
    crate::harness::add_account(gateway.gate(), "other", &settings).await;
    let opened = consent_gateway::access::Principal {
        uploads: consent_gateway::access::Uploads::default(),
        credential: "cg_test".into(),
        account: "other".into(),
        role: consent_gateway::access::Role::Recorder,
    };
    let asked =
        serde_json::from_value(json!({"participants": [person("caller", "customer", "US-NY")]})).unwrap();
    let (_, decision) = gateway.gate().open(&opened, "c", asked).await.unwrap();
    assert_eq!(super::asks(&json!(decision)), "all/express");
}

const TABLE: &str = r#"
[default]
parties = "all"
form = "express"
announcement_must_be_recorded = true

[evidence]
declared = { parties = "one", form = "none" }
ip       = { parties = "all", form = "notice" }
number   = { parties = "all", form = "notice" }

[[jurisdiction]]
code = "US"
name = "United States"
parties = "one"
form = "none"
unknown_subdivision = "strictest"
public_safety = { parties = "one", form = "none" }
citations = ["18 U.S.C. § 2511"]
summary = "One party."
confidence = "high"
reviewed = false

[[jurisdiction]]
code = "US-NY"
name = "New York"
parties = "one"
form = "none"
public_safety = { parties = "one", form = "none" }
citations = ["N.Y. Penal Law § 250.00"]
summary = "One party."
confidence = "high"
reviewed = false

[[jurisdiction]]
code = "US-CA"
name = "California"
parties = "all"
form = "notice"
prompt_says_for = { transcription = ["recording", "vendor"] }
citations = ["Cal. Penal Code § 632"]
summary = "Everybody is told."
confidence = "high"
reviewed = false

[[jurisdiction]]
code = "DE"
name = "Germany"
parties = "all"
form = "express"
voicemail = { form = "notice" }
citations = ["§ 201 StGB"]
summary = "Everybody says yes."
confidence = "high"
reviewed = false

[[jurisdiction]]
code = "FR"
name = "France"
parties = "all"
form = "express"
retention = { maximum = "6 months" }
citations = ["Art. 226-1 Code pénal"]
summary = "Everybody says yes, and recordings go after half a year."
confidence = "high"
reviewed = false

[[jurisdiction]]
code = "US-CT"
name = "Connecticut"
parties = "all"
form = "notice"
tone_seconds = 15
citations = ["Conn. Gen. Stat. § 52-570d"]
summary = "Everybody is told, or hears a tone."
confidence = "high"
reviewed = false

[[overlay]]
id = "suppliers"
name = "Suppliers"
prompt_says = ["vendor"]
citations = ["the contract"]
summary = "Callers are told who else processes the recording."
confidence = "low"
reviewed = false

[[overlay]]
id = "investment"
name = "Investment firms"
recording = "mandatory"
purposes = ["legal-obligation"]
retention = { minimum = "5 years", maximum = "7 years" }
citations = ["Directive 2014/65/EU, Art. 16(7)"]
summary = "Orders are recorded."
confidence = "high"
reviewed = false

[[overlay]]
id = "children"
name = "Children"
recording = "forbidden"
citations = ["15 U.S.C. § 6501"]
summary = "A child is not recorded."
confidence = "low"
reviewed = false

[[overlay]]
id = "health"
name = "Health"
parties = "all"
form = "notice"
citations = ["45 CFR 164"]
summary = "Patients are told."
confidence = "low"
reviewed = false

[[overlay]]
id = "card-data"
name = "Card data"
pause_for = "card-data"
citations = ["PCI DSS"]
summary = "Security codes are not kept."
confidence = "high"
reviewed = false

[[overlay]]
id = "debt"
name = "Debt collection"
retention = { minimum = "3 years" }
citations = ["12 CFR 1006.100"]
summary = "Kept for three years."
confidence = "high"
reviewed = false
"#;
