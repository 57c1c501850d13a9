//! Who may call what: every route, every role.

use bytes::Bytes;
use consent_gateway::access::Role;
use consent_gateway::api::routes::{Route, TABLE};

use crate::harness::{Client, Gateway};

fn client<'c>(gateway: &'c Gateway, provisioner: &'c Client, role: Role) -> &'c Client {
    match role {
        Role::Recorder => &gateway.recorder,
        Role::Observer => &gateway.observer,
        Role::Uploader => &gateway.uploader,
        Role::Listener => &gateway.listener,
        Role::Auditor => &gateway.auditor,
        Role::Counsel => &gateway.counsel,
        Role::Registrar => &gateway.registrar,
        Role::Admin => &gateway.admin,
        Role::Provisioner => provisioner,
    }
}

fn path(entry: &Route) -> String {
    let path = entry.path.replace("{call}", "c").replace("{name}", "a").replace("{id}", "x");
    path.replace("{code}", "DE").replace("{account}", "acme").replace("{alias}", "b").replace("{key}", "k")
}

#[tokio::test]
async fn every_route_answers_the_roles_of_its_row_and_refuses_all_others_before_it_looks() {
    let gateway = Gateway::start().await;
    let (_, provisioner) = gateway.provisioner().await;
    for entry in TABLE.iter() {
        for role in Role::ALL {
            let headers = [("content-type", "application/json")];
            let body = if entry.method == "GET" { "" } else { "{ this is no JSON" };
            let answer = client(&gateway, &provisioner, role)
                .send(entry.method, &path(entry), &headers, body.into())
                .await;
            let named = format!("{} {} as {}: {}", entry.method, entry.path, role.as_str(), answer.text());
            if entry.roles.is_empty() || entry.roles.contains(&role) {
                assert_ne!(answer.status, 401, "{named}");
                assert_ne!(answer.json()["code"], "wrong-role", "{named}");
                assert!(answer.status < 500, "{named}");
            } else {
                assert_eq!(answer.status, 403, "{named}");
                answer.problem(403, "wrong-role");
            }
        }
    }
}

#[tokio::test]
async fn strangers_get_nothing_but_the_probes() {
    let gateway = Gateway::start().await;
    let stranger = Client::stranger(gateway.recorder.address);
    for entry in TABLE.iter() {
        let answer = stranger.send(entry.method, &path(entry), &[], Bytes::new()).await;
        if entry.roles.is_empty() {
            assert_eq!(answer.status, 200, "{}", entry.path);
        } else {
            answer.problem(401, "unauthorized");
            assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        }
    }
    for path in ["/", "/v2/calls", "/v1/calls", "/.git/config"] {
        stranger.get(path).await.problem(401, "unauthorized");
    }
    let guesser = Client::named(gateway.recorder.address, "cg_0000000000000000", "wrong");
    guesser.get("/healthz").await.expect(200);
    guesser.get("/v1/recordings").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn head_answers_what_get_would_without_a_body() {
    let gateway = Gateway::start().await;
    gateway.open("c", "US-CA").await;
    let (_, provisioner) = gateway.provisioner().await;
    for entry in TABLE.iter().filter(|entry| entry.method == "GET") {
        let role = entry.roles.first().copied().unwrap_or(Role::Auditor);
        let get = client(&gateway, &provisioner, role).get(&path(entry)).await;
        let head = client(&gateway, &provisioner, role).send("HEAD", &path(entry), &[], Bytes::new()).await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{}", entry.path);
    }
    let forbidden = gateway.registrar.send("HEAD", "/v1/consents", &[], Bytes::new()).await;
    assert_eq!(forbidden.status, 403);
}

#[tokio::test]
async fn unknown_methods_are_405_and_say_which_there_are_and_unknown_paths_are_404() {
    let gateway = Gateway::start().await;
    for method in ["PATCH", "OPTIONS", "TRACE", "BREW", "DELETE"] {
        let answer = gateway.recorder.send(method, "/v1/calls/c", &[], Bytes::new()).await;
        answer.problem(405, "method-not-allowed");
        let allow = answer.headers.get("allow").expect("RFC 9110 section 15.5.6").to_str().unwrap();
        for known in ["GET", "PUT"] {
            assert!(allow.contains(known), "{allow}");
        }
    }
    for path in [
        "/",
        "/v1",
        "/v1/calls",
        "/v1/calls/",
        "/v1/calls/c/",
        "/v1/nothing",
        "/V1/recordings",
        "//v1/recordings",
    ] {
        gateway.admin.get(path).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn a_revoked_credential_is_refused_at_once() {
    let gateway = Gateway::start().await;
    gateway.listener.get("/v1/recordings").await.expect(200);
    let log = gateway.auditor.get("/v1/consents").await.expect(200);
    let entries = log["consents"].as_array().unwrap();
    let added = entries.iter().find(|one| one["entry"]["body"]["credential"]["role"] == "listener").unwrap();
    let username = added["entry"]["body"]["credential"]["credential"].as_str().unwrap();
    let actor = trail::Actor::command_line();
    gateway.gate().revoke_credential(&actor, username).await.unwrap();
    gateway.listener.get("/v1/recordings").await.problem(401, "unauthorized");
}

/// A platform whose application reports the calls, and whose recorder brings the media.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_and_an_uploader_do_together_what_a_recorder_does() {
    let gateway = Gateway::start().await;
    let call = serde_json::json!({"medium": "telephone", "purposes": ["quality"], "participants": [
        {"id": "caller", "role": "customer", "location": "US-TX", "languages": ["en"]},
        {"id": "agent", "role": "agent", "location": "US-TX", "languages": ["en"]},
    ]});
    let start = serde_json::json!({"action": "start"});
    let told = serde_json::json!({"type": "prompt.completed", "participants": ["caller", "agent"], "prompt": "en", "played_ms": 4000});
    let audio = crate::harness::wav(2000);
    gateway.uploader.put("/v1/calls/c", &call).await.problem(403, "wrong-role");
    gateway.observer.put("/v1/calls/c", &call).await.expect(201);
    gateway.advance_ms(4000);
    gateway.uploader.post("/v1/calls/c/events", &told).await.problem(403, "wrong-role");
    gateway.observer.post("/v1/calls/c/events", &told).await.expect(201);
    gateway.uploader.post("/v1/calls/c/recording", &start).await.problem(403, "wrong-role");
    gateway.observer.post("/v1/calls/c/recording", &start).await.expect(200);
    let from = gateway.now().to_string();
    gateway.advance_ms(5000);
    let headers = [("recording-start", from.as_str())];
    let path = "/v1/calls/c/recordings/a";
    gateway.observer.upload(path, &headers, &audio).await.problem(403, "wrong-role");
    let stored = gateway.uploader.upload(path, &headers, &audio).await.expect(201);
    let recording = format!("/v1/recordings/{}", stored["id"].as_str().unwrap());
    // The uploader sees what it uploaded, and nothing else; the observer sees calls.
    gateway.uploader.get(&recording).await.expect(200);
    let media = gateway.uploader.get(&format!("{recording}/media?purpose=quality")).await;
    assert_eq!(media.status, 200, "{}", media.text());
    gateway.uploader.get("/v1/calls/c").await.problem(403, "wrong-role");
    gateway.observer.get("/v1/calls/c").await.expect(200);
    gateway.observer.get(&recording).await.problem(403, "wrong-role");
    gateway.recorder.get(&recording).await.problem(404, "not-found");
    assert!(
        gateway.recorder.get("/v1/recordings").await.expect(200)["recordings"].as_array().unwrap().is_empty()
    );
    assert_eq!(
        gateway.uploader.get("/v1/recordings").await.expect(200)["recordings"].as_array().unwrap().len(),
        1
    );
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}
