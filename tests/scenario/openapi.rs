//! The description of the API holds what the API does.

use consent_gateway::api::openapi::document;
use consent_gateway::api::routes::{Route, TABLE};
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Gateway, wav};

/// What the description's schemas use of JSON Schema.
fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let fail = |what: &str| Err(format!("{value} {what} of {schema}"));
    if let Some(name) = schema["$ref"].as_str() {
        let document = document();
        let found = document.pointer(name.strip_prefix('#').unwrap()).expect("a reference leads somewhere");
        return fits(found, value);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fitting = choices.iter().any(|choice| fits(choice, value).is_ok());
        return if fitting { Ok(()) } else { fail("fits none") };
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices.iter().filter(|choice| fits(choice, value).is_ok()).count();
        return if fitting == 1 { Ok(()) } else { fail("fits not exactly one") };
    }
    let mut words = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const")).peekable();
    if words.peek().is_some() && !words.any(|word| word == value) {
        return fail("is no word");
    }
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the check does not know `{other}`"),
    };
    let kinds = &schema["type"];
    let right = kinds.is_null() || kinds.as_array().map_or_else(|| is(kinds), |kinds| kinds.iter().any(is));
    if !right {
        return fail("is not the type");
    }
    if let Some(number) = value.as_u64() {
        let within = schema["minimum"].as_u64().is_none_or(|least| least <= number)
            && schema["maximum"].as_u64().is_none_or(|most| number <= most);
        return if within { Ok(()) } else { fail("lies outside") };
    }
    if let Some(text) = value.as_str() {
        let long = text.len() as u64;
        let of_hash = schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("{64}"));
        let hash = !of_hash || (long == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        let within = schema["minLength"].as_u64().is_none_or(|least| least <= long)
            && schema["maxLength"].as_u64().is_none_or(|most| long <= most)
            && (schema["format"] != "date-time" || text.parse::<jiff::Timestamp>().is_ok());
        return if within && hash { Ok(()) } else { fail("does not match the text") };
    }
    if let Some(items) = value.as_array() {
        if schema["maxItems"].as_u64().is_some_and(|most| most < items.len() as u64) {
            return fail("has too many items");
        }
        return items.iter().try_for_each(|item| fits(&schema["items"], item));
    }
    if let Some(members) = value.as_object() {
        for required in schema["required"].as_array().into_iter().flatten() {
            if !members.contains_key(required.as_str().unwrap()) {
                return fail("lacks something");
            }
        }
        for (name, member) in members {
            let property = &schema["properties"][name];
            if !property.is_null() {
                fits(property, member)?;
            } else if [&schema["additionalProperties"], &schema["unevaluatedProperties"]]
                .contains(&&json!(false))
            {
                return fail("has something more");
            } else if schema["additionalProperties"].is_object() {
                fits(&schema["additionalProperties"], member)?;
            }
        }
    }
    Ok(())
}

/// Every problem that any test is answered is one that the description lists for its operation. (Not so what no
/// client that keeps to the description is answered: another method, or a request that proxies read in two ways.)
#[track_caller]
pub(crate) fn assert_described(method: &str, path: &str, answer: &Answer) {
    let problem = answer.json();
    let Some(code) = problem["code"].as_str().filter(|_| answer.status >= 400) else { return };
    let asked: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
    let is_of = |route: &&Route| {
        let named: Vec<&str> = route.path.split('/').collect();
        let rest = named.iter().position(|name| name.starts_with("{*")).unwrap_or(named.len());
        let ends = if rest < named.len() { asked.len() > rest } else { asked.len() == rest };
        ends && named[..rest]
            .iter()
            .zip(&asked)
            .all(|(name, word)| if name.starts_with('{') { !word.is_empty() } else { name == word })
    };
    let method = if method == "HEAD" { "GET" } else { method };
    let of_method = TABLE.iter().filter(|route| route.method == method);
    let Some(route) = of_method.filter(is_of).min_by_key(|route| route.path.matches('{').count()) else {
        return;
    };
    let responses = &document()["paths"][as_described(route.path)][route.method.to_lowercase()]["responses"];
    let listed = &responses[answer.status.to_string()]["x-codes"];
    let is_listed = listed.as_array().is_some_and(|codes| codes.iter().any(|one| one == code));
    let of_no_client = ["ambiguous-request", "method-not-allowed"].contains(&code);
    assert!(is_listed || of_no_client, "{method} {path}: {} `{code}` is not described", answer.status);
}

/// A path as the description writes it.
fn as_described(path: &str) -> String {
    path.replace("{*", "{")
}

#[test]
fn every_document_has_an_example_that_fits() {
    let operations =
        document()["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    for operation in operations.filter(|operation| operation["operationId"] != "describe_api") {
        let answers = operation["responses"].as_object().unwrap().iter();
        let answers = answers.filter(|(status, _)| status.starts_with('2')).map(|(_, answer)| answer);
        for document in answers.chain(operation.get("requestBody")) {
            let json = &document["content"]["application/json"];
            if json.is_object() {
                fits(&json["schema"], &json["example"])
                    .unwrap_or_else(|wrong| panic!("{}: {wrong}", operation["operationId"]));
            }
        }
    }
}

#[tokio::test]
async fn the_description_names_every_route_with_its_roles_and_no_other() {
    let gateway = Gateway::start().await;
    let document = gateway.registrar.get("/openapi.json").await.expect(200);
    let mut described = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let entry = TABLE
                .iter()
                .find(|entry| as_described(entry.path) == *path && entry.method.eq_ignore_ascii_case(method));
            let roles: Vec<&str> = entry.unwrap().roles.iter().map(|role| role.as_str()).collect();
            assert_eq!(operation["x-roles"], json!(roles), "{method} {path}");
            let named =
                operation["parameters"].as_array().unwrap().iter().filter(|one| one["in"] == "path").count();
            assert_eq!(named, path.matches('{').count(), "{method} {path}");
            described += 1;
        }
    }
    assert_eq!(described, TABLE.len());
    let mut ids: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|operations| operations.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), TABLE.len(), "every operation has an id of its own");
}

#[tokio::test]
async fn every_problem_fits_its_schema_and_its_status_is_described() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let document = document();
    for entry in TABLE.iter().filter(|entry| !entry.roles.is_empty()) {
        let path = entry
            .path
            .replace("{call}", "c")
            .replace("{name}", "a")
            .replace("{code}", "XX")
            .replace("{id}", "nothing")
            .replace("{*path}", "0/000");
        for who in [&gateway.recorder, &gateway.counsel, &gateway.admin] {
            for body in [json!({}), json!({"colour": "red"}), json!([])] {
                let body = if ["GET", "DELETE"].contains(&entry.method) {
                    Vec::new()
                } else {
                    body.to_string().into_bytes()
                };
                let answer = who.send(entry.method, &path, &[], body.into()).await;
                let responses =
                    &document["paths"][as_described(entry.path)][entry.method.to_lowercase()]["responses"];
                let described = &responses[answer.status.to_string()];
                assert!(!described.is_null(), "{} {path}: {} is not described", entry.method, answer.status);
                if answer.status >= 400 {
                    let schema = &described["content"]["application/problem+json"]["schema"];
                    fits(schema, &answer.json()).unwrap();
                    assert_eq!(answer.json()["status"], answer.status);
                }
            }
        }
    }
    let refused = gateway.upload("c", "a", None, &wav(1000)).await.problem(403, "consent-required");
    fits(&json!({"$ref": "#/components/schemas/Problem"}), &refused).unwrap();
}

#[tokio::test]
async fn every_answer_fits_the_schema_of_its_status() {
    let gateway = Gateway::start().await;
    let sent = |role: &'static str, method: &'static str, path: &'static str, body: Value| {
        (role, method, path, body)
    };
    let person =
        |id: &str, role: &str| json!({"id": id, "role": role, "location": "US-CA", "languages": ["en"]});
    let opened = json!({"purposes": ["quality"], "participants": [person("caller", "customer")]});
    let prompted = json!([
        {"type": "prompt.completed", "prompt": "en", "participants": ["caller", "agent"], "played_ms": 4000},
        {"type": "consent.given", "participant": "caller", "method": "dtmf"},
    ]);
    let prompt = json!({"text": "We record.", "language": "en", "duration_ms": 1000, "says": {"recording": "we record"}});
    let grant = json!({"subject": "agent", "role": "agent", "basis": "contract"});
    let story = [
        sent("recorder", "PUT", "/v1/calls/{call}", opened.clone()),
        sent("recorder", "PUT", "/v1/calls/{call}", opened),
        sent("recorder", "POST", "/v1/calls/{call}/participants", person("agent", "agent")),
        sent("recorder", "POST", "/v1/calls/{call}/events", prompted),
        sent("recorder", "POST", "/v1/calls/{call}/recording", json!({"action": "start"})),
        sent("counsel", "PUT", "/v1/prompts/{id}", prompt),
        sent("counsel", "PUT", "/v1/consent-grants/{id}", grant),
        sent("counsel", "POST", "/v1/consent-grants/{id}/withdraw", json!({})),
        sent("counsel", "PUT", "/v1/law", json!({"reason": "r"})),
        sent("counsel", "POST", "/v1/jurisdictions/check", json!({"table": "x = 1"})),
        sent(
            "counsel",
            "POST",
            "/v1/jurisdictions/check",
            json!({"table": consent_gateway::serve::DEFAULT_TABLE}),
        ),
        sent("upload", "PUT", "/v1/calls/{call}/recordings/{name}", json!(null)),
        sent("recorder", "GET", "/v1/calls/{call}", json!(null)),
        sent("recorder", "GET", "/v1/calls/{call}/decision", json!(null)),
        sent("counsel", "GET", "/v1/calls/{call}/explain", json!(null)),
        sent("counsel", "GET", "/v1/recordings", json!(null)),
        sent("counsel", "GET", "/v1/consents", json!(null)),
        sent("counsel", "GET", "/v1/prompts/{id}", json!(null)),
        sent("counsel", "GET", "/v1/prompts/{id}/check", json!(null)),
        sent("counsel", "GET", "/v1/consent-grants/{id}", json!(null)),
        sent("counsel", "GET", "/v1/jurisdictions", json!(null)),
        sent("counsel", "GET", "/v1/jurisdictions/{code}", json!(null)),
        sent("counsel", "GET", "/v1/jurisdictions/versions", json!(null)),
        sent("counsel", "GET", "/v1/jurisdictions/versions/{version}", json!(null)),
        sent("counsel", "GET", "/v1/people", json!(null)),
        sent("counsel", "GET", "/v1/law", json!(null)),
        sent("counsel", "GET", "/healthz", json!(null)),
        sent("counsel", "GET", "/readyz", json!(null)),
        sent("counsel", "GET", "/v1/calls/{call}/vcon", json!(null)),
        sent(
            "counsel",
            "POST",
            "/v1/erasures",
            json!({"participant": "caller", "recordings": "keep", "reason": "r"}),
        ),
    ];
    let mut from = gateway.now();
    for (role, method, path, body) in story {
        let place = path.replace("{call}", "c").replace("{name}", "a").replace("{id}", "x");
        let place = place.replace("{code}", "US-CA").replace("{version}", "1");
        let answer = match (role, method) {
            ("upload", _) => {
                gateway.advance_ms(2000);
                gateway.upload("c", "a", Some(from), &wav(1000)).await
            }
            (_, "GET") => gateway.of_role(role).get(&place).await,
            (_, "PUT") => gateway.of_role(role).put(&place, &body).await,
            _ => gateway.of_role(role).post(&place, &body).await,
        };
        if place.ends_with("/recording") {
            from = gateway.now();
        }
        assert!(
            answer.status < 300 || place.ends_with("/vcon") || place.ends_with("/erasures"),
            "{method} {place}: {}",
            answer.text()
        );
        let of_status =
            &document()["paths"][path][method.to_lowercase()]["responses"][answer.status.to_string()];
        let kind = answer.headers["content-type"].to_str().unwrap();
        let schema = &of_status["content"][kind]["schema"];
        assert!(!schema.is_null(), "{method} {path}: {} in {kind} is not described", answer.status);
        fits(schema, &answer.json()).unwrap_or_else(|wrong| panic!("{method} {path}: {wrong}"));
        gateway.advance_ms(5000);
    }
}

#[tokio::test]
async fn every_problem_says_the_status_that_it_comes_with() {
    let gateway = Gateway::start().await;
    let stranger = Client::stranger(gateway.admin.address);
    let (mut refused, mut not_allowed) = (0, 0);
    let paths = TABLE.iter().map(|entry| entry.path).chain(["/v1/nothing"]);
    for path in paths {
        let path = path.replace("{*path}", "0/000").replace(['{', '}'], "");
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"] {
            for (who, headers) in [
                (&gateway.admin, &[][..]),
                (&gateway.recorder, &[]),
                (&stranger, &[]),
                (&gateway.admin, &[("transfer-encoding", "gzip")]),
                (&gateway.admin, &[("host", "another")]),
            ] {
                let answer = who.send(method, &path, headers, Default::default()).await;
                if answer.status < 400
                    || answer.headers.get("content-type").is_none_or(|kind| kind != PROBLEM)
                {
                    assert!(answer.status < 400 || path == "/readyz", "{method} {path}: {}", answer.text());
                    continue;
                }
                let problem = answer.json();
                let reason = hyper::StatusCode::from_u16(answer.status).unwrap().canonical_reason();
                assert_eq!(problem["status"], answer.status, "{method} {path}: {problem}");
                assert_eq!(problem["title"].as_str(), reason, "{method} {path}: {problem}");
                refused += 1;
                if answer.status == 405 {
                    let allow = answer.headers["allow"].to_str().unwrap();
                    let says =
                        format!("`{method}` is not allowed here; use `{}`", allow.replace(", ", "` or `"));
                    assert_eq!(problem["detail"], says, "{path}");
                    not_allowed += 1;
                }
            }
        }
    }
    assert!(refused > 500 && not_allowed > 100, "{refused} {not_allowed}");
}

const PROBLEM: &str = "application/problem+json";

#[tokio::test]
async fn what_the_schemas_allow_the_gateway_accepts_and_what_they_forbid_it_refuses() {
    let gateway = Gateway::start().await;
    let now = gateway.now().to_string();
    let somebody = json!({"id": "p", "role": "customer", "number": "+12125550100", "ip": "192.0.2.1",
        "location": ["US-NY"], "languages": ["en"], "consent_grant": "g", "joined_at": now});
    let call = json!({"medium": "voip", "kind": "voicemail", "direction": "inbound", "started_at": now,
        "recorder_location": "US-NY", "operator_location": "DE", "purposes": ["quality"], "aliases": ["leg"],
        "participants": [somebody]});
    let event = json!({"type": "consent.given", "id": "e1", "participant": "p", "method": "dtmf", "at": now,
        "reported_by": "asr", "evidence": {"source": "s", "ref": "r", "sha256": "0".repeat(64)}, "reason": "x"});
    let prompt = json!({"text": "x", "language": "en", "duration_ms": 1000, "purposes": ["quality"],
        "delivery": "tts", "sha256": "a".repeat(64)});
    let grant = json!({"subject": "p", "role": "customer", "basis": "form", "text_version": "3",
        "purposes": ["quality"], "written": true, "from": now, "until": "2027-01-01T00:00:00Z",
        "evidence_sha256": "b".repeat(64)});
    let control = json!({"action": "start", "reason": "x"});
    let cases = [
        ("PUT", "/v1/calls/c", "OpenCall", call),
        ("POST", "/v1/calls/c/participants", "Participant", somebody),
        ("POST", "/v1/calls/c/events", "Event", event),
        ("POST", "/v1/calls/c/recording", "Control", control),
        ("PUT", "/v1/prompts/x", "Prompt", prompt),
        ("PUT", "/v1/consent-grants/x", "ConsentGrant", grant),
    ];
    for (method, path, name, body) in cases {
        let schema = json!({"$ref": format!("#/components/schemas/{name}")});
        let client = if path.starts_with("/v1/calls") { &gateway.recorder } else { &gateway.counsel };
        let send = async |body: &Value| match method {
            "PUT" => client.put(path, body).await,
            _ => client.post(path, body).await,
        };
        fits(&schema, &body).unwrap();
        let answer = send(&body).await;
        assert!(![400, 422].contains(&answer.status), "{name}: {}", answer.text());
        let properties = document()["components"]["schemas"][name]["properties"].clone();
        for member in body.as_object().unwrap().keys() {
            assert!(!properties[member].is_null(), "{name} does not describe `{member}`");
            let mut broken = body.clone();
            broken[member] = json!({"an": "object"});
            assert!(fits(&schema, &broken).is_err());
            assert!([400, 422].contains(&send(&broken).await.status), "{name} with a broken `{member}`");
        }
        let mut more = body.clone();
        more["colour"] = json!("red");
        assert!(fits(&schema, &more).is_err());
        send(&more).await.problem(422, "invalid-body");
    }
}

#[tokio::test]
async fn consent_records_are_asked_by_what_is_described_and_by_nothing_else() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let document = document();
    let parameters = document["paths"]["/v1/consents"]["get"]["parameters"].as_array().unwrap();
    let sample = |name: &str| match name {
        "call" => "c",
        "participant" => "caller",
        "number" => "%2B14155550100",
        "place" | "rule" => "US-CA",
        "prompt" => "en",
        "outcome" => "consented,declined",
        "type" => "call.opened",
        "recording" => "00000000-0000-4000-8000-000000000000",
        "listener" => "somebody",
        "from" | "until" => "2026-11-20T10:00:00Z",
        "limit" => "1000",
        "format" => "csv",
        "after" => "1.1.1.1.x",
        other => panic!("`{other}` is described and not asked here"),
    };
    for parameter in parameters {
        assert_eq!(parameter["in"], "query");
        let name = parameter["name"].as_str().unwrap();
        let answer = gateway.auditor.get(&format!("/v1/consents?{name}={}", sample(name))).await;
        match name {
            "after" => drop(answer.problem(422, "invalid-cursor")),
            _ => assert_eq!(answer.status, 200, "{name}: {}", answer.text()),
        }
    }
    assert_eq!(parameters.len(), 15);
    gateway.auditor.get("/v1/consents?colour=red").await.problem(400, "invalid-query");
    let page = gateway.auditor.get("/v1/consents?number=%2B14155550100").await.expect(200);
    for one in page["consents"].as_array().unwrap() {
        assert!(one["epoch"].is_u64() && one["index"].is_u64() && one["entry"].is_object(), "{one}");
    }
    for kind in trail::KINDS {
        let answer = gateway.auditor.get(&format!("/v1/consents?type={kind}")).await;
        assert_eq!(answer.status, 200, "{kind}");
    }
}
