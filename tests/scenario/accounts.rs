//! Accounts know nothing of each other.

use consent_gateway::access::Role;
use consent_gateway::gate::AccountSettings;
use serde_json::{Value, json};

use crate::harness::{Client, Gateway, add_account, wav};

#[tokio::test]
async fn what_is_another_accounts_looks_exactly_like_what_does_not_exist() {
    let gateway = Gateway::start().await;
    let people = add_account(gateway.gate(), "globex", &AccountSettings::default()).await;
    let of = |role: Role| {
        Client::new(gateway.recorder.address, people.iter().find(|new| new.role == role).unwrap())
    };
    let stored = gateway.stored("secret").await;
    let grant = json!({"subject": "agent", "role": "agent", "basis": "contract"});
    gateway.registrar.put("/v1/consent-grants/secret", &grant).await.expect(201);
    let prompt = json!({"text": "x", "language": "en", "duration_ms": 1000});
    gateway.counsel.put("/v1/prompts/secret", &prompt).await.expect(201);
    let id = stored["id"].as_str().unwrap();
    let none = "00000000-0000-4000-8000-000000000000";
    let (empty, event) = (json!({}), json!({"type": "call.ended"}));
    let start = json!({"action": "start"});
    let somebody = json!({"id": "x", "role": "customer"});
    let cases: Vec<(Role, &str, &str, &str, Option<&Value>)> = vec![
        (Role::Recorder, "GET", "/v1/calls/{}", "call", None),
        (Role::Auditor, "GET", "/v1/calls/{}", "call", None),
        (Role::Counsel, "GET", "/v1/calls/{}/decision", "call", None),
        (Role::Recorder, "POST", "/v1/calls/{}/participants", "call", Some(&somebody)),
        (Role::Recorder, "POST", "/v1/calls/{}/events", "call", Some(&event)),
        (Role::Recorder, "POST", "/v1/calls/{}/recording", "call", Some(&start)),
        (Role::Recorder, "PUT", "/v1/calls/{}/recordings/a", "call", None),
        (Role::Listener, "GET", "/v1/recordings?call={}", "call", None),
        (Role::Auditor, "GET", "/v1/consents?call={}", "call", None),
        (Role::Listener, "GET", "/v1/recordings/{}", "recording", None),
        (Role::Listener, "GET", "/v1/recordings/{}/media?purpose=x", "recording", None),
        (Role::Admin, "DELETE", "/v1/recordings/{}", "recording", None),
        (Role::Counsel, "PUT", "/v1/recordings/{}/hold", "recording", Some(&empty)),
        (Role::Counsel, "DELETE", "/v1/recordings/{}/hold", "recording", None),
        (Role::Counsel, "GET", "/v1/prompts/{}", "name", None),
        (Role::Registrar, "GET", "/v1/consent-grants/{}", "name", None),
        (Role::Registrar, "POST", "/v1/consent-grants/{}/withdraw", "name", Some(&empty)),
    ];
    let log = gateway.rows("acme").await.len();
    // All of an answer is compared, its id as well.
    let asked = ("x-request-id", "0191e2a0-7a4c-7000-8000-000000000001");
    for (role, method, path, kind, body) in cases {
        let (theirs, nobodys) = match kind {
            "recording" => (id, none),
            _ => ("secret", "nobody"),
        };
        let mut answers = Vec::new();
        for name in [theirs, nobodys] {
            let body = body.map_or_else(|| wav(1000), |body| body.to_string().into_bytes());
            let body = if method == "GET" || method == "DELETE" { Vec::new() } else { body };
            let answer = of(role).send(method, &path.replace("{}", name), &[asked], body.into()).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
            let mut headers = answer.headers.clone();
            headers.remove("date");
            answers.push((answer.text(), headers));
        }
        assert_eq!(answers[0], answers[1], "{method} {path}");
    }
    for (role, path, list) in
        [(Role::Listener, "/v1/recordings", "recordings"), (Role::Admin, "/v1/recordings", "recordings")]
    {
        assert_eq!(of(role).get(path).await.expect(200)[list], json!([]));
    }
    let shown = of(Role::Auditor).get("/v1/consents?limit=1000").await.expect(200);
    for one in shown["consents"].as_array().unwrap() {
        // What they asked for themselves is logged in their own words.
        assert!(one["entry"]["type"] == "audit.lookup" || !one.to_string().contains("secret"), "{one}");
    }
    let after = gateway.rows("acme").await.len();
    assert_eq!(log, after, "nothing of it is written in the other's log");
}

#[tokio::test]
async fn the_same_names_may_be_used_in_every_account() {
    let gateway = Gateway::start().await;
    let people = add_account(gateway.gate(), "globex", &AccountSettings::default()).await;
    let other =
        Client::new(gateway.recorder.address, people.iter().find(|new| new.role == Role::Recorder).unwrap());
    gateway.recording_in("c", "US-CA").await;
    let body = json!({"medium": "telephone", "participants": super::two("US-CA")});
    let decision = other.put("/v1/calls/c", &body).await.expect(201);
    assert_eq!(decision["recorder"], "idle");
    other.post("/v1/calls/c/events", &json!({"type": "call.ended"})).await.expect(201);
    assert_eq!(gateway.decision("c").await["recorder"], "running");
}

#[tokio::test]
async fn a_grant_or_a_prompt_of_another_account_counts_for_nothing() {
    let gateway = Gateway::start().await;
    let people = add_account(gateway.gate(), "globex", &AccountSettings::default()).await;
    let counsel =
        Client::new(gateway.recorder.address, people.iter().find(|new| new.role == Role::Counsel).unwrap());
    let prompt = json!({"text": "x", "language": "en", "duration_ms": 1000});
    counsel.put("/v1/prompts/theirs", &prompt).await.expect(201);
    let grant = json!({"subject": "agent", "role": "agent", "basis": "contract"});
    counsel.put("/v1/consent-grants/theirs", &grant).await.expect(201);
    let mut people = super::two("US-CA");
    people[1]["consent_grant"] = json!("theirs");
    let decision = gateway.open_with("c", people, json!({})).await;
    assert!(super::of(&decision, "agent")["notes"].to_string().contains("not registered"), "{decision}");
    let played = json!({"type": "prompt.completed", "prompt": "theirs", "participants": ["caller"], "played_ms": 4000});
    gateway.event("c", &played).await.problem(422, "unknown-prompt");
}
