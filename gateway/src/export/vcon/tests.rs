//! What a vCon says of a call.

use super::*;
use crate::export::tests::{AGENT, CALLER, GRANT, RECORDING, Tape, controller, stories};

fn story(name: &str) -> Tape {
    stories().into_iter().find(|(other, _)| *other == name).unwrap().1
}

fn written(tape: &Tape) -> Value {
    vcon(&tape.record()).unwrap()
}

/// What the attachments of one purpose and party say.
fn attached(vcon: &Value, purpose: &str, party: u32) -> Vec<Value> {
    let all = vcon["attachments"].as_array().unwrap().iter();
    all.filter(|one| one["purpose"] == purpose && one["party"] == party).cloned().collect()
}

fn bases(vcon: &Value, party: u32) -> Vec<Value> {
    attached(vcon, "lawful_basis", party)
}

fn granted(basis: &Value) -> Vec<bool> {
    basis["body"]["purpose_grants"].as_array().unwrap().iter().map(|one| one["granted"] == true).collect()
}

#[test]
fn consent_is_granted_for_every_purpose_and_rests_on_provable_entries() {
    let tape = story("consented");
    let vcon = written(&tape);
    let [basis] = &bases(&vcon, CALLER)[..] else { panic!("{vcon:#}") };
    let body = &basis["body"];
    assert_eq!((&basis["dialog"], &basis["encoding"]), (&json!(0), &json!("json")));
    assert_eq!((&body["lawful_basis"], &body["expiration"]), (&json!("consent"), &Value::Null));
    let grant =
        |purpose: &str| json!({"purpose": purpose, "granted": true, "granted_at": "2026-11-20T10:00:02Z"});
    assert_eq!(body["purpose_grants"], json!([grant("recording"), grant("quality"), grant("zq-purpose")]));
    assert!(body.get("content_hash").is_none() && body.get("registry").is_none());
    let events: Vec<&str> = body["proof_mechanisms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["proof_data"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["prompt.registered", "prompt.completed", "consent.given"]);
    for proof in body["proof_mechanisms"].as_array().unwrap() {
        let data = &proof["proof_data"];
        let index = data["log_index"].as_u64().unwrap();
        let entry = tape.entries.iter().find(|entry| entry.index == index).unwrap();
        assert_eq!(data["leaf"].as_str().unwrap().as_bytes(), entry.leaf);
        assert_eq!(data["leaf_hash"], trail::hex(&trail::leaf_hash(&entry.leaf)));
        assert_eq!(data["log_origin"], "gateway.example.com/acme");
        assert_eq!(data["system_url"], "https://gateway.example.com/v1/log/acme");
        assert_eq!(data["tlog_proof"].as_str(), entry.proof.as_deref());
    }
    assert_eq!(body["metadata"]["how"], "dtmf");
    assert_eq!(body["metadata"]["prompt"]["text"], "This call is recorded.");
    assert_eq!(body["metadata"]["places"][0]["citations"], json!(["StGB § 201"]));
}

#[test]
fn whoever_was_only_told_has_not_consented() {
    let vcon = written(&story("stayed"));
    assert_eq!(bases(&vcon, CALLER), Vec::<Value>::new());
    let [unstated] = &attached(&vcon, "lawful_basis_unstated", CALLER)[..] else { panic!("{vcon:#}") };
    assert_eq!(unstated["body"]["purposes"], json!(["recording", "quality", "zq-purpose"]));
    assert_eq!(unstated["body"]["metadata"]["how"], "stayed");
    assert!(!unstated["body"]["proof_mechanisms"].as_array().unwrap().is_empty());

    let vcon = written(&story("stated"));
    let [contract, interests] = &bases(&vcon, CALLER)[..] else { panic!("{vcon:#}") };
    let said = |basis: &Value| {
        (basis["body"]["lawful_basis"].clone(), basis["body"]["purpose_grants"][1]["purpose"].clone())
    };
    assert_eq!(said(contract), (json!("contract"), json!("zq-purpose")));
    assert_eq!(said(interests), (json!("legitimate_interests"), json!("quality")));
    assert_eq!(interests["body"]["metadata"]["notices"], json!(["https://acme.example/notice"]));
    assert!(attached(&vcon, "lawful_basis_unstated", CALLER).is_empty());
    // Who said yes has consented, whatever the account has stated.
    let [consent] = &bases(&vcon, AGENT)[..] else { panic!("{vcon:#}") };
    assert_eq!(consent["body"]["lawful_basis"], "consent");
}

#[test]
fn the_envelope_of_the_vcon_is_as_the_draft_wants_it_and_the_same_every_time() {
    let tape = story("consented");
    let vcon = written(&tape);
    assert_eq!((&vcon["vcon"], &vcon["extensions"]), (&json!("0.4.0"), &json!(["lawful_basis"])));
    assert!(vcon.get("critical").is_none());
    let uuid: uuid::Uuid = vcon["uuid"].as_str().unwrap().parse().unwrap();
    assert_eq!((uuid.get_version_num(), uuid.get_variant()), (8, uuid::Variant::RFC4122));
    assert_eq!(
        (&vcon["created_at"], &vcon["updated_at"]),
        (&json!("2026-11-20T10:00:00Z"), &json!("2026-11-21T09:00:00.5Z"))
    );
    let mut later = story("consented");
    later.extras.exported_at = "2027-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(written(&later)["uuid"], vcon["uuid"]);
    later.extras.origin = "gateway.example.com/other".into();
    assert_ne!(written(&later)["uuid"], vcon["uuid"]);
}

#[test]
fn a_recording_refers_to_its_sealed_media_by_their_hash_and_tells_how_to_open_them() {
    let vcon = written(&story("consented"));
    let dialog = &vcon["dialog"][0];
    assert_eq!((&dialog["type"], &dialog["start"]), (&json!("recording"), &json!("2026-11-20T10:00:02Z")));
    assert_eq!((&dialog["duration"], &dialog["parties"]), (&json!(8.25), &json!([0, 1])));
    assert_eq!((&dialog["mediatype"], &dialog["filename"]), (&json!("audio/wav"), &json!("zq-name")));
    assert_eq!(dialog["url"], format!("https://gateway.example.com/v1/recordings/{RECORDING}/media"));
    assert_eq!(dialog["content_hash"], format!("sha512-{}", super::base64url(&[7; 64])));
    assert!(dialog.get("body").is_none() && dialog.get("encoding").is_none());
    let [custody] = &attached(&vcon, "recording_custody", 2)[..] else { panic!("{vcon:#}") };
    assert_eq!(custody["body"]["envelope"], json!({"format": "tink"}));
    let join = |party: u32| json!({"party": party, "time": "2026-11-20T10:00:00Z", "event": "join"});
    let drop = json!({"party": 0, "time": "2026-11-20T10:00:12Z", "event": "drop"});
    assert_eq!(dialog["party_history"], json!([join(0), join(1), drop]));
}

#[test]
fn without_sha_512_the_hash_of_the_log_stands_there_and_without_a_url_neither() {
    let mut tape = story("consented");
    tape.extras.media[0].sha512 = None;
    let hash = format!("sha256-{}", super::base64url(&[0xcd; 32]));
    assert_eq!(written(&tape)["dialog"][0]["content_hash"], hash);
    tape.extras.media[0].url = None;
    let dialog = &written(&tape)["dialog"][0];
    assert!(dialog.get("url").is_none() && dialog.get("content_hash").is_none());
    tape.extras.media[0].url = Some("http://gateway.example.com/media".into());
    let error = vcon(&tape.record()).unwrap_err().to_string();
    assert!(error.contains("`http://gateway.example.com/media`") && error.contains("https"), "{error}");
}

#[test]
fn who_declined_is_granted_nothing_and_the_call_is_a_dialog_without_content() {
    let vcon = written(&story("declined"));
    let [basis] = &bases(&vcon, CALLER)[..] else { panic!("{vcon:#}") };
    assert_eq!(granted(basis), [false, false, false]);
    assert_eq!(basis["body"]["metadata"]["standing"], "declined");
    let dialog = vcon["dialog"].as_array().unwrap();
    assert_eq!(dialog.len(), 1);
    assert!(
        ["url", "content_hash", "body", "encoding", "duration"]
            .iter()
            .all(|key| dialog[0].get(key).is_none())
    );
}

#[test]
fn who_withdrew_is_granted_nothing_any_more_and_their_consent_has_an_end() {
    let tape = story("withdrawn");
    let vcon = written(&tape);
    let caller = bases(&vcon, CALLER);
    let told: Vec<(Vec<bool>, &Value, &Value)> =
        caller.iter().map(|basis| (granted(basis), &basis["dialog"], &basis["body"]["expiration"])).collect();
    let end = json!("2026-11-20T10:00:13Z");
    let expected = [(vec![true; 3], &json!(0), &end), (vec![false; 3], &json!(0), &Value::Null)];
    assert_eq!(told, expected);
    assert_eq!(caller[1]["body"]["purpose_grants"][0]["granted_at"], end);
    let [refusal] = &attached(&vcon, "recording_refused", 2)[..] else { panic!("{vcon:#}") };
    assert_eq!((&refusal["dialog"], &refusal["body"]["code"]), (&json!(0), &json!("consent-withdrawn")));
    assert_eq!(refusal["body"]["uncovered"][0]["why"], "withdrawn:0");
    // What was refused is not a recording.
    assert_eq!(vcon["dialog"].as_array().unwrap().len(), 1);
    // The agent has not withdrawn.
    assert!(bases(&vcon, AGENT).iter().all(|basis| granted(basis) == [true; 3] && basis["dialog"] == 0));
}

#[test]
fn where_the_only_upload_was_refused_there_is_no_recording_and_nothing_is_granted() {
    let vcon = written(&story("refused"));
    let [basis] = &bases(&vcon, CALLER)[..] else { panic!("{vcon:#}") };
    assert_eq!((granted(basis), &basis["dialog"]), (vec![false; 3], &json!(0)));
    let proofs = basis["body"]["proof_mechanisms"].as_array().unwrap();
    assert_eq!(proofs[0]["proof_data"]["event"], "recording.refused");
    assert_eq!(
        (vcon["dialog"].as_array().unwrap().len(), vcon["dialog"][0].get("filename")),
        (1, None),
        "the call, of which there is no audio"
    );
    let [refused] = &attached(&vcon, "recording_refused", 2)[..] else { panic!("{vcon:#}") };
    assert_eq!((&refused["dialog"], &refused["body"]["refused"]), (&json!(0), &json!("upload")));
}

#[test]
fn who_agreed_after_a_refusal_is_granted_what_was_recorded_then() {
    let vcon = written(&story("retried"));
    let [basis] = &bases(&vcon, CALLER)[..] else { panic!("{vcon:#}") };
    assert_eq!((granted(basis), &basis["dialog"]), (vec![true; 3], &json!(0)));
    let history = basis["body"]["metadata"]["history"].as_array().unwrap();
    assert_eq!(
        history.iter().map(|word| word["standing"].as_str().unwrap()).collect::<Vec<_>>(),
        ["missing", "granted"]
    );
    assert_eq!(vcon["dialog"].as_array().unwrap().len(), 1);
    assert!(vcon["dialog"][0].get("url").is_some());
}

#[test]
fn a_written_grant_expires_and_names_its_paper() {
    let vcon = written(&story("consented"));
    let [basis] = &bases(&vcon, AGENT)[..] else { panic!("{vcon:#}") };
    assert_eq!(basis["body"]["expiration"], "2126-10-27T10:00:00Z");
    assert_eq!(basis["body"]["metadata"]["consent_grant"]["uid"], GRANT.to_string());
    let proofs = basis["body"]["proof_mechanisms"].as_array().unwrap();
    let kinds: Vec<&Value> = proofs.iter().map(|one| &one["proof_type"]).collect();
    assert_eq!(kinds, ["external_system", "external_system", "signed_document"]);
    assert_eq!(proofs[2]["proof_data"]["document_hash"], format!("sha-256:{}", "ab".repeat(32)));
}

#[test]
fn of_whom_nobody_asked_anything_nothing_is_said() {
    let vcon = written(&story("one-party"));
    assert_eq!(bases(&vcon, CALLER), Vec::<Value>::new());
    assert_eq!(bases(&vcon, AGENT).len(), 1);
}

#[test]
fn what_was_deleted_is_still_told_and_no_longer_referred_to() {
    let vcon = written(&story("deleted"));
    assert!(vcon["dialog"][0].get("url").is_none());
    let [custody] = &attached(&vcon, "recording_custody", 2)[..] else { panic!("{vcon:#}") };
    assert!(custody["body"]["deleted_at"].is_string());
}

#[test]
fn erased_details_leave_pseudonyms_and_nobody_s_words() {
    let vcon = written(&story("erased"));
    let text = vcon.to_string();
    assert!(!text.contains("zq-") && !text.contains("4155550177"), "{vcon:#}");
    assert_eq!(bases(&vcon, CALLER)[0]["body"]["metadata"]["pseudonym"], "p1:caller");
    assert_eq!(
        granted(&bases(&vcon, CALLER)[0]),
        [true, true],
        "`recording`, and what the law knows of the rest"
    );
    assert!(vcon["parties"][0].get("tel").is_none() && vcon["parties"][0].get("uuid").is_some());
}

#[test]
fn a_party_is_as_much_as_is_known_and_the_operator_is_the_last() {
    let mut tape = story("stayed");
    let parties = written(&tape)["parties"].clone();
    let uuid = parties[0]["uuid"].as_str().unwrap();
    let address = json!({"country": "US", "a1": "CA"});
    assert_eq!(
        parties[0],
        json!({"type": "person", "tel": "+14155550177", "uuid": uuid, "civicaddress": address})
    );
    assert_eq!(parties[1], json!({"type": "person", "org": controller().name, "civicaddress": address}));
    assert_eq!(parties[2]["name"], controller().name);
    let joined = policy::Joined { identified: true, ..policy::Joined::new(2, policy::Role::Customer) };
    tape.happens(policy::What::Joined(joined));
    tape.happens(policy::What::Joined(policy::Joined::new(3, policy::Role::System)));
    let parties = written(&tape)["parties"].clone();
    assert_eq!((&parties[2], &parties[3]), (&json!({"name": "anonymous"}), &json!({"type": "bot"})));
}
