//! Who may call what: every route, every role.

use bytes::Bytes;
use consent_gateway::access::Role;
use consent_gateway::api::routes::{Route, TABLE};

use crate::harness::{Client, Gateway};

fn client(gateway: &Gateway, role: Role) -> &Client {
    match role {
        Role::Recorder => &gateway.recorder,
        Role::Listener => &gateway.listener,
        Role::Auditor => &gateway.auditor,
        Role::Counsel => &gateway.counsel,
        Role::Registrar => &gateway.registrar,
        Role::Admin => &gateway.admin,
    }
}

fn path(entry: &Route) -> String {
    entry.path.replace("{call}", "c").replace("{name}", "a").replace("{id}", "x").replace("{code}", "DE")
}

#[tokio::test]
async fn every_route_answers_the_roles_of_its_row_and_refuses_all_others_before_it_looks() {
    let gateway = Gateway::start().await;
    for entry in TABLE.iter() {
        for role in Role::ALL {
            let headers = [("content-type", "application/json")];
            let body = if entry.method == "GET" { "" } else { "{ this is no JSON" };
            let answer = client(&gateway, role).send(entry.method, &path(entry), &headers, body.into()).await;
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
    for entry in TABLE.iter().filter(|entry| entry.method == "GET") {
        let role = entry.roles.first().copied().unwrap_or(Role::Auditor);
        let get = client(&gateway, role).get(&path(entry)).await;
        let head = client(&gateway, role).send("HEAD", &path(entry), &[], Bytes::new()).await;
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
