//! What backends really send: null for what they don't have, byte order marks, times without a zone, numbers that
//! are none, places and languages by other names.

use bytes::Bytes;
use consent_gateway::gate::{Fault, FaultCode, Refused, Wrong};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{is_blocked, is_permitted, of, person};
use crate::harness::{Answer, Client, Gateway, TOLD, says, wav};

/// A body that makes sense for each schema of the API's description, and where it is sent.
fn requests() -> Vec<(&'static str, &'static str, &'static str, &'static str, Value)> {
    vec![
        ("OpenCall", "PUT", "/v1/calls/c-null", "recorder", json!({})),
        (
            "Participant",
            "POST",
            "/v1/calls/c/participants",
            "recorder",
            json!({"id": "late", "role": "customer"}),
        ),
        (
            "Event",
            "POST",
            "/v1/calls/c/events",
            "recorder",
            json!({"type": "prompt.completed", "prompt": "en", "participant": "caller", "played_ms": 4000}),
        ),
        ("Control", "POST", "/v1/calls/c/recording", "recorder", json!({"action": "start"})),
        ("ReleaseFromQuarantine", "POST", "/v1/quarantine/q/release", "admin", json!({"call": "c"})),
        (
            "Prompt",
            "PUT",
            "/v1/prompts/p",
            "counsel",
            json!({"text": "x", "language": "en", "duration_ms": 1000}),
        ),
        (
            "ConsentGrant",
            "PUT",
            "/v1/consent-grants/g",
            "counsel",
            json!({"subject": "s", "role": "agent", "basis": "b"}),
        ),
        (
            "Erasure",
            "POST",
            "/v1/erasures",
            "counsel",
            json!({"number": "+14155550199", "recordings": "keep", "reason": "r"}),
        ),
        ("ChooseLaw", "PUT", "/v1/law", "counsel", json!({"reason": "r"})),
        ("OfferedTable", "POST", "/v1/jurisdictions/check", "counsel", json!({"table": "x"})),
        ("AccountChange", "PUT", "/v1/accounts/nulls", "provisioner", json!({})),
        ("ReasonGiven", "POST", "/v1/jurisdictions/proposals/x/reject", "counsel", json!({})),
        (
            "RecordingScopeAsked",
            "POST",
            "/v1/recording-scope",
            "recorder",
            json!({"line": "4.3", "from": "onnet", "to": "onnet"}),
        ),
        (
            "LegalHold",
            "PUT",
            "/v1/holds/h",
            "counsel",
            json!({"call": "c", "reason": "we were sued", "purpose": "evidence"}),
        ),
        ("RecordingSettings", "PUT", "/v1/recording-settings", "admin", json!({"line": "4.3"})),
        (
            "StateReading",
            "POST",
            "/v1/readings",
            "counsel",
            json!({"code": "US-TX", "operator": "US-NY", "entity": "Acme Ltd", "parties": "all", "form": "express", "reason": "r"}),
        ),
    ]
}

impl Gateway {
    pub(super) fn of_role(&self, role: &str) -> &Client {
        match role {
            "recorder" => &self.recorder,
            "admin" => &self.admin,
            _ => &self.counsel,
        }
    }

    pub(super) async fn sends(&self, method: &str, path: &str, role: &str, body: Vec<u8>) -> Answer {
        let headers = [("content-type", "application/json")];
        let who = if role == "provisioner" { self.portal().await } else { self.of_role(role) };
        who.send(method, path, &headers, Bytes::from(body)).await
    }
}

#[tokio::test]
async fn what_may_be_left_out_may_be_null_in_every_body() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let described = Client::stranger(gateway.recorder.address).get("/openapi.json").await.expect(200);
    let schemas = described["components"]["schemas"].as_object().unwrap();
    let requests = requests();
    // Whatever the API takes is tried.
    let paths = described["paths"].as_object().unwrap().values();
    let taken: String = paths
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["requestBody"].to_string())
        .collect();
    for (name, schema) in schemas {
        let sent = requests.iter().any(|(of, ..)| of == name);
        let members = |of: &str| schema[of].as_object().map_or(0, |members| members.len());
        // Of these nothing may be left out.
        let whole = members("properties") == schema["required"].as_array().map_or(0, Vec::len);
        assert!(sent || whole || !taken.contains(&format!("/{name}\"")), "{name} is not tried");
    }
    for (name, method, path, role, body) in requests {
        let plain = gateway.sends(method, path, role, body.to_string().into()).await;
        let mut nulls = body.clone();
        for property in schemas[name]["properties"].as_object().unwrap().keys() {
            if body.get(property).is_none() {
                nulls[property] = Value::Null;
            }
        }
        assert!(nulls != body, "{name}");
        // What is opened twice is opened once, and what is registered twice is there already.
        let answer = gateway.sends(method, path, role, nulls.to_string().into()).await;
        let code = answer.json()["code"].clone();
        assert!(
            !["invalid-body", "malformed-json"].contains(&code.as_str().unwrap_or("")),
            "{name}: {}",
            answer.text()
        );
        assert_eq!(answer.status / 100, plain.status / 100, "{name}: {} {}", plain.text(), answer.text());
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_passed_over_and_other_encodings_are_named() {
    let gateway = Gateway::start().await;
    for (name, method, path, role, body) in requests().into_iter().filter(|(name, ..)| *name != "Control") {
        if name == "Event" {
            gateway.open("c", "US-CA").await;
        }
        let plain = body.to_string();
        let marked = [b"\xef\xbb\xbf", plain.as_bytes()].concat();
        let answer = gateway.sends(method, path, role, marked).await;
        assert_ne!(answer.json()["code"], "malformed-json", "{name}: {}", answer.text());
        for wide in [
            plain.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
            [0xfe, 0xff].into_iter().chain(plain.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
        ] {
            let answer = gateway.sends(method, path, role, wide).await;
            let told = answer.problem(400, "malformed-json");
            assert!(told["detail"].as_str().unwrap().contains("UTF-16"), "{told}");
        }
    }
    let events = b"\xef\xbb\xbf [{\"type\": \"participant.left\", \"participant\": \"caller\"}]".to_vec();
    gateway.sends("POST", "/v1/calls/c/events", "recorder", events).await.expect(201);
    let empty =
        gateway.sends("PUT", "/v1/calls/e", "recorder", Vec::new()).await.problem(400, "malformed-json");
    assert!(empty["detail"].as_str().unwrap().contains("empty"), "{empty}");
    let behind = gateway.sends("PUT", "/v1/calls/e", "recorder", b"{} {}".to_vec()).await;
    behind.problem(400, "malformed-json");
}

/// Every place of a time in a schema, as a pointer.
fn times(schema: &Value) -> Vec<String> {
    let properties = schema["properties"].as_object().unwrap();
    properties.iter().filter(|(_, of)| of["format"] == "date-time").map(|(name, _)| name.clone()).collect()
}

#[tokio::test]
async fn a_time_without_a_zone_is_refused_everywhere_by_the_name_of_its_member() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let described = gateway.admin.get("/openapi.json").await.expect(200);
    let mut tried = 0;
    let says = |answer: &Answer, name: &str| {
        let told = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(told.contains(&format!("`{name}`")) && told.contains("end it with `Z`"), "{told}");
    };
    for (schema, method, path, role, body) in requests() {
        for name in times(&described["components"]["schemas"][schema]) {
            let mut body = body.clone();
            body[&name] = json!("2026-11-20T09:59:59");
            let answer = gateway.sends(method, path, role, body.to_string().into()).await;
            answer.problem(422, "invalid-body");
            says(&answer, &name);
            tried += 1;
        }
    }
    let nested = json!({"participants": [{"id": "a", "role": "agent"}, {"id": "b", "role": "agent", "joined_at": "2026-11-20T09:59:59"}]});
    let answer = gateway.recorder.put("/v1/calls/c2", &nested).await;
    says(&answer, "participants[1].joined_at");
    let several = json!([{"type": "call.ended"}, {"type": "call.ended", "at": "2026-11-20 09:59:59"}]);
    says(&gateway.recorder.post("/v1/calls/c/events", &several).await, "[1].at");
    // In queries as well.
    for (path, operations) in described["paths"].as_object().unwrap() {
        for parameter in operations["get"]["parameters"].as_array().into_iter().flatten() {
            if parameter["schema"]["format"] == "date-time" {
                let name = parameter["name"].as_str().unwrap();
                let path = path.replace("{call}", "c").replace("{code}", "US-CA");
                let answer = gateway.auditor.get(&format!("{path}?{name}=2026-11-20T09:59:59")).await;
                answer.problem(400, "invalid-query");
                says(&answer, name);
                // A plus sign that nobody has encoded is a plus sign.
                let path = format!("{path}?{name}=2026-11-20T11:00:00+01:00");
                gateway.auditor.get(&path).await.expect(200);
                tried += 1;
            }
        }
    }
    assert!(tried >= 10, "{tried}");
    let day = gateway.auditor.get("/v1/consents?until=2026-11-20").await.problem(400, "invalid-query");
    assert!(day["detail"].as_str().unwrap().contains("write `2026-11-20T00:00:00Z`"), "{day}");
    let start = [("recording-start", "2026-11-20T09:59:59")];
    let upload = gateway.recorder.upload("/v1/calls/c/recordings/a", &start, &wav(10)).await;
    let told = upload.problem(400, "invalid-header");
    assert!(told["detail"].as_str().unwrap().contains("end it with `Z`"), "{told}");
}

#[tokio::test]
async fn what_is_wrong_with_a_body_or_a_query_is_told_by_its_name() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let told = async |answer: Answer| answer.json()["detail"].as_str().unwrap().to_owned();
    let send = async |body: &str| {
        told(gateway.sends("PUT", "/v1/calls/c2", "recorder", body.as_bytes().to_vec()).await).await
    };
    let at = "the body does not match the schema: `participants[0].role`: unknown word `boss`";
    assert!(send(r#"{"participants": [{"id": "a", "role": "boss"}]}"#).await.starts_with(at));
    for (body, says) in [
        (r#"{"participants": {}}"#, "`participants`: invalid type: map, expected a list"),
        (
            r#"{"started_at": 1732874400}"#,
            "`started_at`: invalid type: integer `1732874400`, expected a time as in",
        ),
    ] {
        let detail = send(body).await;
        assert!(detail.contains(says), "{detail}");
    }
    let event =
        json!({"type": "prompt.completed", "prompt": "en", "participant": "caller", "played_ms": "4000"});
    let detail = told(gateway.event("c", &event).await).await;
    assert!(
        detail.contains("`played_ms`: invalid type: string \"4000\", expected a whole number"),
        "{detail}"
    );
    let detail = send(r#"{"colour": "red"}"#).await;
    assert!(detail.starts_with("the body does not match the schema: unknown field `colour`"), "{detail}");
    let detail = send(r#"{"participants": [{"role": "agent"}]}"#).await;
    assert!(detail.contains("missing field `id`"), "{detail}");
    let detail = send(r#"{"medium": "telephone", "#).await;
    assert_eq!(detail, "the body is not JSON: it ends in the middle (line 1, column 24)");
    for header in ["Recording-Start", "Recording-Timeline"] {
        let value = if header == "Recording-Start" { "now" } else { "now/PT1S" };
        let path = "/v1/calls/c/recordings/a";
        let detail = told(gateway.recorder.upload(path, &[(header, value)], &wav(1000)).await).await;
        let says =
            format!("`{header}`: this is not a time: write it as in `2027-01-31T12:00:00Z` (RFC 3339)");
        assert_eq!(detail, says);
    }
    let detail = send(r#"{"participants": [}"#).await;
    assert!(detail.starts_with("the body is not JSON") && detail.contains("line 1, column"), "{detail}");
    for (query, says) in [
        ("limit=abc", "`limit`: `abc` is not a whole number"),
        ("limit=-1", "`limit`: `-1` is not a whole number"),
        ("limit=", "`limit`: `` is not a whole number"),
        ("colour=red", "there is no parameter `colour`"),
    ] {
        for path in ["/v1/recordings", "/v1/consents"] {
            let detail = told(gateway.auditor.get(&format!("{path}?{query}")).await).await;
            assert!(detail.contains(says), "{path}?{query}: {detail}");
        }
    }
    let detail = told(gateway.listener.put("/v1/calls/c2", &json!({})).await).await;
    assert_eq!(detail, "the role `listener` may not do this; `recorder` and `observer` may");
    let detail = told(gateway.recorder.delete("/v1/calls/c2").await).await;
    assert_eq!(detail, "`DELETE` is not allowed here; use `PUT` or `GET`");
}

#[tokio::test]
async fn a_number_that_is_none_is_left_out_and_an_emergency_call_is_opened_all_the_same() {
    let gateway = Gateway::start().await;
    for number in [
        "anonymous",
        "",
        "Restricted",
        "911",
        "112",
        "+1911",
        "2001",
        "*98",
        "sip:7@example.com",
        "0207 946 0958",
    ] {
        let caller = json!({"id": "caller", "role": "customer", "number": number});
        let body = json!({"participants": [caller]});
        let refused = gateway.recorder.put("/v1/calls/c", &body).await.problem(422, "invalid-number");
        let told = refused["detail"].as_str().unwrap();
        assert!(told.contains("leave `number` out if it is withheld, internal or a short code"), "{told}");
        let is_short = told.contains("fewer than 7 digits");
        assert_eq!(is_short, told.contains("open a call to an emergency service with `kind`: `emergency`"));
        assert!(number.is_empty() || !told.contains(number), "it is not repeated: {told}");
        let call = format!("/v1/calls/e{}", number.len());
        let body = json!({"kind": "emergency", "participants": [caller, person("desk", "agent", "US-CA")]});
        let opened = gateway.recorder.put(&call, &body).await.expect(201);
        is_blocked(&opened);
        assert_eq!(of(&opened, "caller")["places"], json!([]), "{opened}");
        let again = gateway.recorder.put(&call, &body).await;
        assert_eq!(again.status, 200, "{}", again.text());
        let other = json!({"id": "other", "role": "customer", "number": number});
        gateway.recorder.post(&format!("{call}/participants"), &other).await.expect(201);
        let located = json!({"type": "participant.located", "participant": "other", "number": number});
        gateway.recorder.post(&format!("{call}/events"), &located).await.expect(201);
        gateway.recorder.post(&format!("{call}/events"), &json!({"type": "call.ended"})).await.expect(201);
    }
}

#[tokio::test]
async fn a_place_that_nobody_has_is_refused_with_the_nearest_one_and_strict_on_a_call_in_progress() {
    let gateway = Gateway::start().await;
    for (n, (place, says)) in [
        ("UK", "ISO 3166 lists no place `UK`; did you mean `GB`"),
        ("EN", "ISO 3166 lists no place `EN`; did you mean `GB`"),
        ("ZZ", "ISO 3166 lists no place `ZZ`"),
        ("US-XX", "ISO 3166 lists no place `US-XX`"),
    ]
    .into_iter()
    .enumerate()
    {
        // A call is not opened with it, wherever it stands.
        let call = format!("/v1/calls/c{n}");
        let caller = |place: &str| json!([person("caller", "customer", place)]);
        for body in [
            json!({"participants": caller(place)}),
            json!({"participants": caller("US-NY"), "recorder_location": place}),
            json!({"participants": caller("US-NY"), "operator_location": place}),
        ] {
            let refused = gateway.recorder.put(&call, &body).await.problem(422, "invalid-place");
            assert!(refused["detail"].as_str().unwrap().contains(says), "{refused}");
        }
        // Once a call is open, a claim that tightens is not thrown away for its spelling.
        let other = format!("d{n}");
        gateway.open_with(&other, json!([person("caller", "customer", "US-NY")]), json!({})).await;
        let located = json!({"type": "participant.located", "participant": "caller", "location": place});
        let decided = gateway.report(&other, located).await;
        assert_eq!(decided["requirement"]["form"], "express", "{decided}");
        assert!(of(&decided, "caller")["notes"].to_string().contains(says), "{decided}");
    }
    let opened = gateway.open_with("good", json!([person("caller", "customer", "GB")]), json!({})).await;
    assert!(!opened.to_string().contains("ISO 3166 lists no place"), "{opened}");
    let wrong = json!({"participants": [{"id": "a", "role": "customer", "location": "California"}]});
    let refused = gateway.recorder.put("/v1/calls/wrong", &wrong).await.problem(422, "invalid-place");
    assert!(refused["detail"].as_str().unwrap().contains("did you mean `US-CA` (California)?"), "{refused}");
    let actor = trail::Actor::command_line();
    let settings = consent_gateway::gate::AccountSettings::default();
    for (operator, recorder) in [(Some("UK"), None), (None, Some("US-XX"))] {
        let added = gateway.gate().add_account(&actor, "new", operator, recorder, &settings).await;
        let told = added.unwrap_err();
        assert!(
            matches!(&told, Fault::Refused { why: Refused::Request(Wrong::UnlistedPlace { .. }), .. })
                && told.code() == FaultCode::InvalidPlace,
            "{told:?}"
        );
    }
    gateway.gate().add_account(&actor, "new", Some("GB"), Some("US-CA"), &settings).await.unwrap();
}

#[tokio::test]
async fn a_prompt_counts_for_whoever_has_its_language_under_another_name() {
    let gateway = Gateway::start().await;
    for (n, (prompt, theirs, counts)) in [
        ("en", "eng", true),
        ("en_GB", "en-US", true),
        ("no", "nb-NO", true),
        ("he", "iw", true),
        ("zh", "cmn-Hans-CN", true),
        ("fil", "tl", true),
        ("yue", "zh-yue", true),
        ("zh", "yue", false),
        ("no", "nn", false),
        ("de", "nds", false),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("p{n}");
        let body = crate::harness::telling(
            json!({"text": "Hello.", "language": prompt, "duration_ms": 1000, "purposes": ["quality"]}),
        );
        gateway.counsel.put(&format!("/v1/prompts/{id}"), &body).await.expect(201);
        let mut caller = person("caller", "customer", "US-CA");
        caller["languages"] = json!([theirs]);
        let call = format!("c{n}");
        gateway.open_with(&call, json!([caller, person("agent", "agent", "US-NY")]), json!({})).await;
        let heard =
            json!({"type": "prompt.completed", "prompt": id, "participant": "caller", "played_ms": 1000});
        let decided = gateway.report(&call, heard).await;
        let notes = of(&decided, "caller")["notes"].to_string();
        let state = if counts { "prompted" } else { "unprompted" };
        assert_eq!(of(&decided, "caller")["state"], state, "{prompt} heard by {theirs}: {notes}");
        let why = format!(
            "the last prompt, `{id}` (1 s), does not count for `caller`: it is in `{prompt}`, which is not one of \
             their languages (`{theirs}`)"
        );
        assert!(counts || notes.contains(&why), "{notes}");
    }
}

#[tokio::test]
async fn a_reason_names_who_is_missing_what_they_did_and_who_makes_it_necessary() {
    let gateway = Gateway::start().await;
    let reason = |decision: &Value| decision["reason"].as_str().unwrap_or_default().to_owned();
    let people = json!([person("caller", "customer", "US-CA"), person("agent", "agent", "US-NY")]);
    let opened = gateway.open_with("c", people, json!({})).await;
    assert!(
        reason(&opened).starts_with("the consent of `caller` is missing: no prompt to them was reported"),
        "{opened}"
    );
    let decided = gateway.prompt("c", &["caller", "agent"]).await;
    is_permitted(&decided);
    gateway.control("c", "start").await.expect(200);
    let joined = gateway.joins("c", &person("colleague", "agent", "DE")).await;
    let told = reason(&joined);
    assert!(
        told.starts_with(
            "the consent of `caller` is missing: they heard a prompt, but only stayed on the line; "
        ) && told.contains("expressly say yes, since `colleague` is in `DE`")
            && told.ends_with("; that of `agent` and `colleague` is missing as well"),
        "{told}"
    );
    let left = gateway.happens("c", "participant.left", "colleague").await;
    let told = reason(&left);
    assert!(
        told.contains(
            "since `colleague`, who has left, was in `DE`, and a requirement is never relaxed within a call"
        ) && told.ends_with("; that of `agent` is missing as well"),
        "{told}"
    );
    // Of somebody whose place rests on a number, the number is the reason and not the place.
    let people = json!([{"id": "caller", "role": "customer", "number": "+12125550100"}, person("agent", "agent", "US-NY")]);
    let more = json!({"recorder_location": "US-CA"});
    let told = reason(&gateway.open_with("n", people, more).await);
    assert!(
        told.contains("since only a phone number says where `caller` is, and the recorder stands in `US-CA`"),
        "{told}"
    );
}

#[tokio::test]
async fn a_prompt_that_does_not_count_is_told_by_its_name_with_its_length_and_why() {
    let gateway = Gateway::start().await;
    let played = |prompt: &str, ms: u64| json!({"type": "prompt.completed", "prompt": prompt, "participant": "caller", "played_ms": ms});
    let started = json!({"type": "prompt.started", "prompt": "en", "participant": "caller"});
    // A prompt that was reported as soon as the call was opened cannot have been heard on it.
    let early = "it was reported as ended 0.03 s after they joined, so they did not hear all of it";
    let foreign = "it is in `de`, which is not one of their languages (`en`)";
    let quick = "only 2 s passed between its `prompt.started` and its `prompt.completed`";
    for (call, place, events, why) in [
        ("c1", "US-CA", vec![(30, played("en", 4000))], early),
        ("c2", "US-NY", vec![(30, played("en", 4000))], early),
        ("c3", "US-CA", vec![(5000, played("en", 3970))], "only 3.97 s of it was played"),
        ("c4", "US-CA", vec![(5000, started.clone()), (2000, played("en", 4000))], quick),
        ("c5", "US-CA", vec![(5000, played("de", 4000))], foreign),
    ] {
        let now = gateway.now().to_string();
        let people = json!([person("caller", "customer", place)]);
        gateway.open_with(call, people, json!({"started_at": now})).await;
        let mut decided = Value::Null;
        for (ms, event) in events {
            gateway.advance_ms(ms);
            decided = gateway.report(call, event).await;
        }
        let prompt = if call == "c5" { "de" } else { "en" };
        let told = format!("the last prompt, `{prompt}` (4 s), does not count for `caller`: {why}");
        // Also to whoever asks later.
        for decision in [decided, gateway.decision(call).await] {
            is_blocked(&decision);
            assert!(decision["reason"].as_str().unwrap().contains(&told), "{decision}");
            assert_eq!(of(&decision, "caller")["notes"], json!([told]), "{decision}");
        }
        let explained = gateway.auditor.get(&format!("/v1/calls/{call}/explain")).await.expect(200);
        assert!(explained["then"]["decision"]["reason"].as_str().unwrap().contains(&told), "{explained}");
    }
}

#[tokio::test]
async fn a_rule_is_told_once_with_everybody_whom_it_concerns() {
    let gateway = Gateway::start().await;
    let caller = json!({"id": "caller", "role": "customer", "number": "+12125550100"});
    let more = json!({"recorder_location": "US-NY", "operator_location": "US-NY"});
    let people = json!([caller, {"id": "agent-7", "role": "agent", "location": "US-NY"}]);
    let opened = gateway.open_with("c", people, more).await;
    let because = opened["because"].as_array().unwrap();
    let codes: Vec<&Value> = because.iter().map(|rule| &rule["code"]).collect();
    assert_eq!(codes, [&json!("US-NY"), &json!("US"), &Value::Null], "{opened}");
    let by_number = json!({"participant": "caller", "evidence": "number"});
    let everybody = json!([
        by_number,
        {"participant": "agent-7", "evidence": "declared"},
        {"place": "recorder_location"},
        {"place": "operator_location"}
    ]);
    assert_eq!((&because[0]["of"], &because[1]["of"]), (&everybody, &everybody));
    assert_eq!(because[2]["of"], json!([by_number]));
    assert!(because[2]["says"].as_str().unwrap().contains("rests on a phone number alone"), "{opened}");
    // Languages are of no interest where no prompt is due.
    gateway.open_with("d", json!([{"id": "agent-7", "role": "agent", "location": "US-NY"}]), json!({})).await;
    let agreed = gateway.says_yes("d", "agent-7", "dtmf").await;
    is_permitted(&agreed);
    assert_eq!(of(&agreed, "agent-7")["notes"], json!([]), "{agreed}");
}

#[tokio::test]
async fn an_announcement_is_heard_within_its_time_though_the_call_is_over() {
    let gateway = Gateway::start().await;
    let started = async |call: &str| -> Timestamp {
        gateway.open(call, "US-WA").await;
        is_permitted(&gateway.prompt(call, &["caller", "agent"]).await);
        gateway.control(call, "start").await.expect(200);
        gateway.now()
    };
    let announced = |at: Option<Timestamp>| {
        let mut event = json!({"type": "announcement.recorded", "participants": ["caller", "agent"]});
        if let Some(at) = at {
            event["at"] = json!(at.to_string());
        }
        event
    };
    let from = started("c").await;
    gateway.advance_ms(3_000);
    let played = gateway.now();
    gateway.advance_ms(2_000);
    gateway.report("c", json!({"type": "call.ended"})).await;
    gateway.advance_ms(4_000);
    let early = gateway.upload("c", "a", Some(from), &wav(5000)).await.problem(403, "uncovered-audio");
    assert_eq!(early["source"], "retry", "{early}");
    let silent = gateway.event("c", &announced(None)).await.problem(422, "invalid-event");
    assert!(silent["detail"].as_str().unwrap().contains("`at`"), "{silent}");
    gateway.report("c", announced(Some(played))).await;
    gateway.upload("c", "a", Some(from), &wav(5000)).await.expect(201);

    // What was played behind the recording is not in it, and after 15 seconds it is too late to say so.
    let from = started("d").await;
    gateway.advance_ms(5_000);
    gateway.report("d", json!({"type": "call.ended"})).await;
    gateway.advance_ms(5_000);
    gateway.report("d", announced(Some(gateway.now()))).await;
    let early = gateway.upload("d", "a", Some(from), &wav(5000)).await.problem(403, "uncovered-audio");
    assert_eq!(early["source"], "retry", "{early}");
    gateway.advance_ms(6_000);
    let late = announced(Some(from));
    gateway.event("d", &late).await.problem(409, "call-ended");
    let refused = gateway.upload("d", "a", Some(from), &wav(5000)).await.problem(403, "uncovered-audio");
    assert_eq!(refused["source"], "delete", "{refused}");
}

#[tokio::test]
async fn a_prompt_is_told_at_once_what_it_lacks() {
    let gateway = Gateway::start().await;
    let mut prompt = json!({"text": "Thank you for calling, this call is recorded.", "language": "en", "duration_ms": 1000});
    let put = gateway.counsel.put("/v1/prompts/bread", &prompt).await.expect(201);
    assert!(put["notes"][0].as_str().unwrap().contains("say that the call is recorded"), "{put}");
    let again = gateway.counsel.put("/v1/prompts/bread", &prompt).await.expect(200);
    assert_eq!(again["notes"], put["notes"]);
    prompt["says"] = json!({"recording": "this call is recorded"});
    let put = gateway.counsel.put("/v1/prompts/bread", &prompt).await.expect(201);
    let [note] = put["notes"].as_array().unwrap().as_slice() else { panic!("{put}") };
    assert!(note.as_str().unwrap().contains("does not say everything that is required"), "{put}");
    prompt["text"] = json!(TOLD);
    prompt["says"] = json!(says());
    let put = gateway.counsel.put("/v1/prompts/bread", &prompt).await.expect(201);
    assert_eq!(put["notes"], json!([]), "{put}");
}
