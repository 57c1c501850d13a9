//! A platform with many tenants makes their accounts: what is safe to repeat, and what it cannot do alone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use consent_gateway::access::Role;
use consent_gateway::gate::AccountSettings;
use serde_json::{Value, json};
use trail::Actor;

use crate::harness::{Answer, Client, Gateway, add_account, comes, slow};

/// A gateway, and somebody who provisions accounts at it.
async fn start() -> (Gateway, Client, String) {
    let gateway = Gateway::start().await;
    let (new, portal) = gateway.provisioner().await;
    (gateway, portal, new.username)
}

/// A key pair's public half, and its id.
fn key() -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let made = seal::keygen(dir.path()).unwrap();
    let pem = std::fs::read_to_string(made.public_path).unwrap();
    let id = seal::RecipientKey::from_pem(&pem).unwrap().fingerprint().to_owned();
    (pem, id)
}

/// Other processes write by the machine's clock, and nobody may write by one that is behind.
fn catch_up(gateway: &Gateway) {
    let behind = trail::clock::Clock::system().now().duration_since(gateway.now());
    gateway.clock.advance(std::time::Duration::try_from(behind).unwrap_or_default());
}

/// Runs a command that has to work.
fn runs(gateway: &Gateway, args: &[&str]) -> String {
    let (mut code, mut out, mut err) = gateway.run(args);
    // A head is signed within a second, on a machine that is not busy.
    for _ in 0..300 {
        if !(out.contains("no head of the log") || err.contains("no head of the log")) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        (code, out, err) = gateway.run(args);
    }
    assert_eq!(code, 0, "{args:?}: {out}{err}");
    catch_up(gateway);
    out
}

async fn entries(gateway: &Gateway, log: &str) -> Vec<Value> {
    let rows = gateway.rows(log).await;
    rows.iter().map(|row| serde_json::from_slice(&row.leaf).unwrap()).collect()
}

async fn kinds(gateway: &Gateway, log: &str) -> Vec<String> {
    entries(gateway, log).await.iter().map(|leaf| leaf["type"].as_str().unwrap().to_owned()).collect()
}

fn client(gateway: &Gateway, credential: &Value) -> Client {
    let text = |member: &str| credential[member].as_str().unwrap().to_owned();
    Client::named(gateway.running.address, &text("username"), &text("password"))
}

fn prompt() -> Value {
    crate::harness::telling(json!({
        "text": "Hello.", "language": "en", "duration_ms": 4000, "purposes": ["quality"],
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_put_is_done_once_however_often_it_is_sent() {
    let (gateway, portal, username) = start().await;
    let (pem, id) = key();
    let puts = [
        ("/v1/accounts/tenant-1".to_owned(), json!({"operator_location": "DE", "redact": "silence"})),
        ("/v1/accounts/tenant-1/aliases/AC0123".to_owned(), json!({})),
        ("/v1/accounts/tenant-1/credentials/recorder".to_owned(), json!({"role": "recorder"})),
        (format!("/v1/accounts/tenant-1/keys/{id}"), json!({"pem": pem})),
        ("/v1/accounts/tenant-1/prompts/welcome".to_owned(), prompt()),
        ("/v1/accounts/tenant-1/webhook".to_owned(), json!({"url": "https://tenant.example/events"})),
    ];
    let mut first = Vec::new();
    for (path, body) in &puts {
        first.push(portal.put(path, body).await.expect(201));
    }
    let logged = kinds(&gateway, "tenant-1").await;
    assert_eq!(
        logged,
        [
            "account.added",
            "account.alias",
            "credential.added",
            "key.added",
            "prompt.registered",
            "account.webhook"
        ]
    );
    for _ in 0..2 {
        for ((path, body), first) in puts.iter().zip(&first) {
            let again = portal.put(path, body).await.expect(200);
            // A secret is seen once.
            for secret in ["password", "signing_secret"] {
                assert!(again.get(secret).is_none(), "{path}: {again}");
            }
            for same in ["account", "username", "id", "uid", "url"] {
                assert_eq!(again.get(same), first.get(same), "{path}");
            }
        }
    }
    assert_eq!(kinds(&gateway, "tenant-1").await, logged, "nothing was written again");
    assert!(first[2]["password"].is_string() && first[5]["signing_secret"].is_string(), "{first:?}");
    assert_eq!(first[3]["notes"], Value::Null, "a first key needs nobody's agreement");
    for leaf in entries(&gateway, "tenant-1").await {
        assert_eq!(leaf["actor"], json!({"credential": username, "role": "provisioner"}), "{leaf}");
        for outsiders in ["AC0123", "welcome", "tenant.example"] {
            assert!(!leaf.to_string().contains(outsiders), "an outsider's word: {leaf}");
        }
    }
    let shown = portal.get("/v1/accounts/tenant-1").await.expect(200);
    assert_eq!(shown["aliases"], json!(["AC0123"]));
    assert_eq!(shown["webhook"], "https://tenant.example/events");
    assert_eq!(shown["redact"], "silence");
    assert!(!shown.to_string().contains(first[5]["signing_secret"].as_str().unwrap()));
    // What was made works, and an auditor whom the account has sees who did it.
    let recorder = client(&gateway, &first[2]);
    let call = json!({"medium": "voip", "participants": []});
    recorder.put("/v1/calls/c", &call).await.expect(201);
    let auditor = json!({"role": "auditor"});
    let auditor = portal.put("/v1/accounts/tenant-1/credentials/auditor", &auditor).await.expect(201);
    let seen = client(&gateway, &auditor).get("/v1/consents?type=account.added").await.expect(200);
    assert_eq!(seen["consents"][0]["entry"]["actor"]["credential"], json!(username));
    for name in ["tenant-1", "AC0123"] {
        assert_eq!(gateway.gate().account_named(name).await.unwrap().as_deref(), Some("tenant-1"));
    }
    for none in ["ac0123", "tenant-2", "", "\0"] {
        assert_eq!(gateway.gate().account_named(none).await.unwrap(), None, "`{none}`");
    }
    portal.delete("/v1/accounts/tenant-1/aliases/AC0123").await.expect(204);
    portal.delete("/v1/accounts/tenant-1/aliases/AC0123").await.problem(404, "not-found");
    assert_eq!(gateway.gate().account_named("AC0123").await.unwrap(), None);
    // An auditor from outside finds every actor, and nothing that its role may not write.
    for log in ["system", "tenant-1"] {
        runs(&gateway, &["audit", "verify", log]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_for_the_same_at_once_make_one_and_one_of_them_sees_its_secret() {
    let (gateway, portal, _) = start().await;
    let all = async |path: &str, body: Value| -> Vec<Answer> {
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (portal, path, body) = (portal.clone(), path.to_owned(), body.clone());
            asking.spawn(async move { portal.put(&path, &body).await });
        }
        asking.join_all().await
    };
    let one_is_new = |answers: &[Answer]| {
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
    };
    one_is_new(&all("/v1/accounts/tenant", json!({})).await);
    one_is_new(&all("/v1/accounts/tenant/aliases/AC1", json!({})).await);
    let credentials = all("/v1/accounts/tenant/credentials/a", json!({"role": "uploader"})).await;
    one_is_new(&credentials);
    let usernames: BTreeSet<String> =
        credentials.iter().map(|answer| answer.json()["username"].as_str().unwrap().to_owned()).collect();
    let passwords = credentials.iter().filter(|answer| answer.json()["password"].is_string());
    assert_eq!((usernames.len(), passwords.count()), (1, 1));
    let webhook = all("/v1/accounts/tenant/webhook", json!({"url": "https://tenant.example/"})).await;
    one_is_new(&webhook);
    assert_eq!(webhook.iter().filter(|answer| answer.json()["signing_secret"].is_string()).count(), 1);
    assert_eq!(kinds(&gateway, "tenant").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_lost_is_replaced_by_another_secret() {
    let (gateway, portal, _) = start().await;
    portal.put("/v1/accounts/tenant", &json!({})).await.expect(201);
    let path = "/v1/accounts/tenant/credentials/recorder";
    // Its answer is lost: the gateway ends between the entry and what the client reads.
    let lost = client(&gateway, &portal.put(path, &json!({"role": "recorder"})).await.expect(201));
    let again = portal.put(path, &json!({"role": "recorder"})).await.expect(200);
    let rotated = portal.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
    assert_eq!(rotated["username"], again["username"]);
    lost.get("/v1/recordings").await.problem(401, "unauthorized");
    client(&gateway, &rotated).get("/v1/recordings").await.expect(200);
    portal
        .put("/v1/accounts/tenant/credentials/recorder", &json!({"role": "listener"}))
        .await
        .problem(409, "credential-exists");
    portal.delete(path).await.expect(204);
    client(&gateway, &rotated).get("/v1/recordings").await.problem(401, "unauthorized");
    portal.delete(path).await.problem(404, "not-found");
    portal.post(&format!("{path}/rotate"), &json!({})).await.problem(404, "not-found");
    // The name is free again, for another credential.
    let new = portal.put(path, &json!({"role": "listener"})).await.expect(201);
    assert_ne!(new["username"], rotated["username"]);
    let listed = portal.get("/v1/accounts/tenant/credentials").await.expect(200);
    assert_eq!(listed["credentials"].as_array().unwrap().len(), 1, "{listed}");
    assert!(listed["credentials"][0].get("password").is_none());

    let webhook = "/v1/accounts/tenant/webhook";
    portal.post(&format!("{webhook}/rotate"), &json!({})).await.problem(422, "invalid-settings");
    let one = portal.put(webhook, &json!({"url": "https://tenant.example/"})).await.expect(201);
    let moved = portal.put(webhook, &json!({"url": "https://other.example/"})).await.expect(200);
    assert!(moved.get("signing_secret").is_none(), "{moved}");
    let other = portal.post(&format!("{webhook}/rotate"), &json!({})).await.expect(200);
    assert!(other["signing_secret"].is_string() && other["signing_secret"] != one["signing_secret"]);
    portal.delete(webhook).await.expect(204);
    assert_eq!(portal.get("/v1/accounts/tenant").await.expect(200)["webhook"], Value::Null);
    // Another process on the same data finds all of it.
    let out = runs(&gateway, &["credential", "list", "tenant", "--json"]);
    assert!(out.contains(new["username"].as_str().unwrap()), "{out}");
}

/// Killed anywhere among the requests: whatever is sent again afterwards comes to the same, and nothing is there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_two_requests_or_within_one_is_harmless() {
    let (gateway, portal, _) = start().await;
    let (pem, id) = key();
    let tenant = |number: usize| {
        let path = |below: &str| format!("/v1/accounts/killed-{number}{below}");
        [
            (path(""), json!({"operator_location": "US-TX"})),
            (path("/aliases/AK") + &number.to_string(), json!({})),
            (path("/credentials/r"), json!({"role": "recorder"})),
            (path("/keys/") + &id, json!({"pem": pem})),
            (path("/prompts/en"), prompt()),
            (path("/webhook"), json!({"url": "https://tenant.example/"})),
        ]
    };
    let many = if slow() { 40 } else { 6 };
    for number in 0..many {
        let mut process = gateway.serve(&[]);
        let there = Client { address: process.address, ..portal.clone() };
        let (sent, puts) = (Arc::new(AtomicUsize::new(0)), tenant(number));
        let done = Arc::clone(&sent);
        let sending = tokio::spawn(async move {
            for (path, body) in &puts {
                let json = [("content-type", "application/json")];
                match there.try_send("PUT", path, &json, body.to_string().into()).await {
                    Ok(answer) => assert_eq!(answer.status, 201, "{path}: {}", answer.text()),
                    Err(_) => return,
                }
                done.fetch_add(1, Ordering::SeqCst);
            }
        });
        // Between one request and another, or within one: each time after one more of them.
        comes(async || sent.load(Ordering::SeqCst) >= number % 6).await;
        process.kill();
        sending.await.unwrap();
        catch_up(&gateway);
        let acknowledged = sent.load(Ordering::SeqCst);
        for (index, (path, body)) in tenant(number).iter().enumerate() {
            let again = portal.put(path, body).await;
            assert!(
                again.status == 200 || (again.status == 201 && index >= acknowledged),
                "{}",
                again.text()
            );
            portal.put(path, body).await.expect(200);
        }
        let log = format!("killed-{number}");
        let mut logged = kinds(&gateway, &log).await;
        logged.retain(|kind| kind != "audit.gap");
        assert_eq!(logged.len(), 6, "{logged:?}");
        let rotated =
            portal.post(&format!("/v1/accounts/{log}/credentials/r/rotate"), &json!({})).await.expect(200);
        client(&gateway, &rotated).get("/v1/recordings").await.expect(200);
        // The head that is signed within a second may be still to come.
        comes(async || gateway.run(&["audit", "verify", &log]).0 == 0).await;
    }
}

/// Every request on an account, with a body that would be accepted.
fn requests(account: &str) -> Vec<(&'static str, String, Value)> {
    let (pem, id) = key();
    let path = |below: &str| format!("/v1/accounts/{account}{below}");
    vec![
        ("GET", path(""), json!({})),
        ("PUT", path("/aliases/AC9"), json!({})),
        ("DELETE", path("/aliases/AC9"), json!({})),
        ("GET", path("/credentials"), json!({})),
        ("PUT", path("/credentials/a"), json!({"role": "admin"})),
        ("POST", path("/credentials/a/rotate"), json!({})),
        ("DELETE", path("/credentials/a"), json!({})),
        ("GET", path("/keys"), json!({})),
        ("PUT", path(&format!("/keys/{id}")), json!({"pem": pem})),
        ("PUT", path("/prompts/en"), prompt()),
        ("GET", path("/prompts/en"), json!({})),
        ("PUT", path("/webhook"), json!({"url": "https://mine.example/"})),
        ("POST", path("/webhook/rotate"), json!({})),
        ("DELETE", path("/webhook"), json!({})),
    ]
}

async fn send(client: &Client, (method, path, body): &(&'static str, String, Value)) -> Answer {
    client.send(method, path, &[("content-type", "application/json")], body.to_string().into()).await
}

#[tokio::test]
async fn strangers_accounts_look_as_if_there_were_none() {
    let (gateway, portal, _) = start().await;
    let (_, rival) = gateway.provisioner().await;
    rival.put("/v1/accounts/rivals", &json!({})).await.expect(201);
    let mut before = Vec::new();
    for log in ["acme", "rivals", "system"] {
        before.push(kinds(&gateway, log).await);
    }
    // Made at the command line; of another provisioner; the system's own; not there at all; only nearly there.
    let mut told = BTreeSet::new();
    for account in ["acme", "rivals", "system", "nothing", "ACME", "acme%00", "acm%C3%A9", "..%2Facme"] {
        for request in requests(account) {
            let answer = send(&portal, &request).await;
            answer.problem(404, "unknown-account");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            told.insert(detail.split('`').step_by(2).collect::<String>());
        }
    }
    assert_eq!(told.len(), 1, "the answers tell accounts apart: {told:?}");
    // A name that cannot be had is all that a PUT tells, and it changes nothing.
    for account in ["acme", "rivals", "system"] {
        portal
            .put(&format!("/v1/accounts/{account}"), &json!({"redact": "silence"}))
            .await
            .problem(409, "name-taken");
    }
    for wrong in ["ACME", "acm%C3%A9", "%EF%BD%81cme", "a%20b", "-a", "a.b", "acme%00"] {
        portal.put(&format!("/v1/accounts/{wrong}"), &json!({})).await.problem(422, "invalid-id");
    }
    for (log, before) in ["acme", "rivals", "system"].into_iter().zip(before) {
        assert_eq!(kinds(&gateway, log).await, before, "{log}");
    }
    let mine = portal.get("/v1/accounts").await.expect(200);
    assert_eq!(mine, json!({"accounts": [], "next": null}));
}

#[tokio::test]
async fn no_alias_captures_what_is_sent_to_another_account() {
    let (gateway, portal, _) = start().await;
    let (_, rival) = gateway.provisioner().await;
    for account in ["tenant-1", "tenant-2"] {
        portal.put(&format!("/v1/accounts/{account}"), &json!({})).await.expect(201);
    }
    rival.put("/v1/accounts/rivals", &json!({})).await.expect(201);
    rival.put("/v1/accounts/rivals/aliases/AC7", &json!({})).await.expect(201);
    let alias =
        async |name: &str| portal.put(&format!("/v1/accounts/tenant-1/aliases/{name}"), &json!({})).await;
    alias("AC1").await.expect(201);
    // Accounts' names, others' aliases, the system's; in any case.
    for taken in
        ["acme", "ACME", "Acme", "tenant-1", "tenant-2", "rivals", "AC7", "ac7", "system", "SYSTEM", "ac1"]
    {
        alias(taken).await.problem(409, "name-taken");
    }
    // What looks like another name, or is read in two ways.
    for wrong in
        ["%D0%B0cme", "acme%20", "acme%00", "acme%2F..", ".acme", "%E2%80%8Bacme", "a%25b", "-a", "a@b"]
    {
        alias(wrong).await.problem(422, "invalid-id");
    }
    alias(&"a".repeat(129)).await.problem(422, "invalid-id");
    portal.put("/v1/accounts/tenant-2/aliases/AC1", &json!({})).await.problem(409, "name-taken");
    portal.delete("/v1/accounts/tenant-2/aliases/AC1").await.problem(404, "not-found");
    // No account takes the name of an alias either, whoever makes it.
    rival.put("/v1/accounts/rivals/aliases/lower", &json!({})).await.expect(201);
    portal.put("/v1/accounts/lower", &json!({})).await.problem(409, "name-taken");
    rival.put("/v1/accounts/ac1", &json!({})).await.problem(409, "name-taken");
    let settings = AccountSettings::default();
    let added = gateway.gate().add_account(&Actor::command_line(), "lower", None, None, &settings).await;
    assert!(added.is_err());
    for (name, account) in [("acme", "acme"), ("AC7", "rivals"), ("AC1", "tenant-1"), ("lower", "rivals")] {
        assert_eq!(gateway.gate().account_named(name).await.unwrap().as_deref(), Some(account));
    }
    // There are so many, and no more.
    for number in 1..64 {
        alias(&format!("more-{number}")).await.expect(201);
    }
    alias("more-64").await.problem(422, "too-many-aliases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provisioner_tightens_and_never_loosens() {
    let (gateway, portal, _) = start().await;
    let path = "/v1/accounts/tenant";
    // From the start.
    for (looser, what) in [
        (json!({"late_evidence_seconds": 1}), "late_evidence_seconds"),
        (json!({"recorders": 2}), "recorders"),
        (json!({"public_safety": true}), "public_safety"),
        (json!({"on_hold": "not-counted"}), "on_hold"),
    ] {
        let refused = portal.put(path, &looser).await.problem(403, "loosens-law");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(what) && detail.contains("counsel"), "{detail}");
    }
    for wrong in [
        json!({"least_kept_percent": 101}),
        json!({"recorders": 0}),
        json!({"keep_at_least": "2 years", "keep_at_most": "1 year"}),
        json!({"keep_for": {"quality": {"minimum": "2 years", "maximum": "1 year"}}}),
        json!({"keep_for": {"quality": {"minimum": "2 years"}}, "keep_at_most": "1 year"}),
    ] {
        portal.put(path, &wrong).await.problem(422, "invalid-settings");
    }
    portal.put(path, &json!({"operator_location": "Germany"})).await.problem(422, "invalid-place");
    portal.put(path, &json!({"overlays": ["nothing"]})).await.problem(422, "unknown-overlay");
    portal.put(path, &json!({"webhook": "https://x.example/"})).await.problem(422, "invalid-body");
    portal.put(path, &json!({"default_language": "??"})).await.problem(422, "invalid-language");
    portal.get(path).await.problem(404, "unknown-account");

    let overlays: Vec<String> =
        gateway.gate().laws().in_force().overlays().map(|overlay| overlay.id.to_string()).collect();
    let (one, other) = (&overlays[0], overlays.iter().find(|other| **other != overlays[0]).unwrap());
    let strict = json!({
        "operator_location": "DE", "recorder_location": "FR", "on_withdrawal": "delete", "overlays": [one],
        "default_language": "de", "keep_at_most": "30 days", "redact": "silence", "public_log": true,
    });
    let made = portal.put(path, &strict).await.expect(201);
    // What is left out, or null, stays as it is.
    for same in [json!({}), strict.clone(), json!({"overlays": null, "on_withdrawal": null, "redact": null})]
    {
        assert_eq!(portal.put(path, &same).await.expect(200), made);
    }
    for (looser, what) in [
        (json!({"operator_location": "US-TX"}), "operator_location"),
        (json!({"recorder_location": "US"}), "recorder_location"),
        (json!({"on_withdrawal": "keep"}), "on_withdrawal"),
        (json!({"overlays": []}), "overlays"),
        (json!({"overlays": [other]}), "overlays"),
        (json!({"default_language": "en"}), "default_language"),
        (json!({"public_safety": true}), "public_safety"),
        (json!({"on_hold": "not-counted"}), "on_hold"),
        (json!({"late_evidence_seconds": 60}), "late_evidence_seconds"),
        (json!({"recorders": 9}), "recorders"),
        (json!({"public_log": false}), "public_log"),
        // Beside something that would be allowed: all or nothing.
        (json!({"redact": "off", "overlays": []}), "overlays"),
    ] {
        let refused = portal.put(path, &looser).await.problem(403, "loosens-law");
        assert!(refused["detail"].as_str().unwrap().contains(what), "{refused}");
    }
    assert_eq!(portal.get(path).await.expect(200), made);
    let logged = kinds(&gateway, "tenant").await;
    assert_eq!(logged, ["account.added"]);
    let tighter =
        json!({"overlays": [one, other], "redact": "off", "format": "rsa-aes", "keep_at_most": "20 days"});
    let now = portal.put(path, &tighter).await.expect(200);
    let mut both = vec![one, other];
    both.sort();
    assert_eq!((&now["overlays"], &now["on_withdrawal"]), (&json!(both), &json!("delete")));
    assert_eq!(
        kinds(&gateway, "tenant").await[1..],
        ["account.format", "account.law", "account.settings"].map(str::to_owned)
    );
    assert_eq!(entries(&gateway, "tenant").await[3]["body"], json!({"account_settings": {"loosens": false}}));
    let limits = json!({"keep_for": {"quality": {"maximum": "10 days"}, "training": {"minimum": "1 day"}}});
    portal.put(path, &limits).await.expect(200);
    let now = portal.put(path, &json!({"keep_for": {"training": {}}})).await.expect(200);
    assert_eq!(now["keep_for"], json!({"quality": {"minimum": null, "maximum": "10 days"}}));
    portal.put(path, &json!({"keep_for": {"fun": {"maximum": "1 day"}}})).await.problem(422, "invalid-body");
    // What a shell loosens is stated.
    let looser = ["--operator", "US-TX", "--recorders", "3", "--on-withdrawal", "keep"];
    runs(&gateway, &[&["account", "set", "tenant"][..], &looser].concat());
    assert_eq!(entries(&gateway, "tenant").await[6]["body"], json!({"account_settings": {"loosens": true}}));
    let now = portal.get(path).await.expect(200);
    assert_eq!((&now["operator_location"], &now["recorders"]), (&json!("US-TX"), &json!(3)));
    // A provisioner that sends less may do so: that tightens.
    portal.put(path, &json!({"recorders": 2})).await.expect(200);
    runs(&gateway, &["audit", "verify", "tenant"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provisioner_gives_nobody_its_own_power_or_that_of_counsel() {
    let (gateway, portal, _) = start().await;
    portal.put("/v1/accounts/tenant", &json!({})).await.expect(201);
    let put = async |name: &str, role: &str| {
        portal.put(&format!("/v1/accounts/tenant/credentials/{name}"), &json!({"role": role})).await
    };
    for role in ["counsel", "provisioner"] {
        put("a", role).await.problem(403, "role-reserved");
    }
    for wrong in ["operator", "gateway", "Admin", ""] {
        put("a", wrong).await.problem(422, "invalid-role");
    }
    for role in Role::ALL.into_iter().filter(|role| role.is_given_by_provisioners()) {
        let made = put(role.as_str(), role.as_str()).await.expect(201);
        let client = client(&gateway, &made);
        // None of them chooses a law, provisions, or is one of two people.
        let law = json!({"overlays": [], "public_safety": true, "reason": "none"});
        client.put("/v1/law", &law).await.problem(403, "wrong-role");
        client.get("/v1/accounts").await.problem(403, "wrong-role");
        let confirm = client.post("/v1/people/somebody/confirm", &json!({"reason": "none"})).await;
        assert!([403, 404].contains(&confirm.status), "{}", confirm.text());
    }
    assert!(gateway.gate().people("tenant").await.unwrap().is_empty(), "nobody is enrolled");
    assert!(gateway.gate().people("system").await.unwrap().is_empty(), "a provisioner is nobody");
    // A provisioner belongs to the system's account, and nobody there takes calls.
    let actor = Actor::command_line();
    assert!(gateway.gate().add_credential(&actor, "tenant", Role::Provisioner, "x", None).await.is_err());
    for role in [Role::Recorder, Role::Listener, Role::Registrar] {
        assert!(gateway.gate().add_credential(&actor, "system", role, "x", None).await.is_err());
    }
    // What was made at the command line is nothing that a provisioner can reach, whatever its name is.
    let by_hand = gateway.gate().add_credential(&actor, "tenant", Role::Counsel, "Ada", None).await.unwrap();
    portal.post("/v1/accounts/tenant/credentials/Ada/rotate", &json!({})).await.problem(404, "not-found");
    portal.delete("/v1/accounts/tenant/credentials/Ada").await.problem(404, "not-found");
    assert_ne!(put("Ada", "admin").await.expect(201)["username"], json!(by_hand.username));
    Client::new(gateway.running.address, &by_hand).get("/v1/law").await.expect(200);
    // Nothing but this: no calls, no media, no log.
    for path in [
        "/v1/calls/c",
        "/v1/recordings",
        "/v1/consents",
        "/v1/law",
        "/v1/people",
        "/v1/log/tenant/checkpoint",
    ] {
        portal.get(path).await.problem(403, "wrong-role");
    }
    runs(&gateway, &["audit", "verify", "tenant"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_further_recipient_does_not_go_unnoticed() {
    let (gateway, portal, _) = start().await;
    portal.put("/v1/accounts/tenant", &json!({})).await.expect(201);
    let ((theirs, customer), (mine, intruder), (third, late)) = (key(), key(), key());
    let put = async |id: &str, pem: &str| {
        portal.put(&format!("/v1/accounts/tenant/keys/{id}"), &json!({"pem": pem})).await
    };
    put(&intruder, &theirs).await.problem(422, "unusable-key");
    put(&customer.to_uppercase(), &theirs).await.problem(422, "unusable-key");
    put(&customer, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")
        .await
        .problem(422, "unusable-key");
    put(&customer, &theirs).await.expect(201);
    let added = put(&intruder, &mine).await.expect(201);
    assert!(added["notes"][0].as_str().unwrap().contains("without the proof"), "{added}");
    let said = async || {
        let all = entries(&gateway, "tenant").await;
        all.iter().filter_map(|leaf| leaf["body"].get("key").cloned()).collect::<Vec<_>>()
    };
    assert_eq!(said().await, [json!({"key": customer}), json!({"key": intruder, "without_proof": true})]);
    // Retired at the command line, it does not come back by being sent again.
    let actor = Actor::command_line();
    gateway.gate().retire_key(&actor, "tenant", &intruder).await.unwrap();
    put(&intruder, &mine).await.problem(409, "key-retired");
    // Nor does an account whose keys are all retired take another as its first.
    gateway.gate().retire_key(&actor, "tenant", &customer).await.unwrap();
    put(&late, &third).await.expect(201);
    assert_eq!(said().await[2], json!({"key": late, "without_proof": true}));
    let keys = portal.get("/v1/accounts/tenant/keys").await.expect(200);
    let retired = keys["keys"].as_array().unwrap().iter().filter(|key| !key["retired_at"].is_null());
    assert_eq!(retired.count(), 2, "{keys}");
    // Whose format has room for one has one.
    portal.put("/v1/accounts/single", &json!({"format": "rsa-aes"})).await.expect(201);
    portal.put(&format!("/v1/accounts/single/keys/{customer}"), &json!({"pem": theirs})).await.expect(201);
    let refused = portal.put(&format!("/v1/accounts/single/keys/{intruder}"), &json!({"pem": mine})).await;
    refused.problem(409, "one-key");
    runs(&gateway, &["audit", "verify", "tenant"]);
}

#[tokio::test]
async fn nobody_is_told_at_an_address_inside() {
    let (gateway, portal, _) = start().await;
    portal.put("/v1/accounts/tenant", &json!({})).await.expect(201);
    for url in [
        "https://10.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://2130706433/",
        "http://tenant.example/",
        "ftp://tenant.example/",
        "file:///etc/passwd",
        "not a url",
        "",
    ] {
        portal
            .put("/v1/accounts/tenant/webhook", &json!({"url": url}))
            .await
            .problem(422, "invalid-settings");
    }
    assert_eq!(kinds(&gateway, "tenant").await, ["account.added"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_gives_accounts_to_provisioners_and_takes_them_away_at_once() {
    let (gateway, portal, username) = start().await;
    let (other, rival) = gateway.provisioner().await;
    portal.get("/v1/accounts/acme").await.problem(404, "unknown-account");
    let run = |args: &[&str]| runs(&gateway, args);
    run(&["account", "set", "acme", "--provisioner", &username]);
    portal.get("/v1/accounts/acme").await.expect(200);
    portal.put("/v1/accounts/acme/credentials/a", &json!({"role": "uploader"})).await.expect(201);
    assert!(run(&["account", "list", "--json"]).contains(&username));
    // To another: with what was provisioned in it.
    run(&["account", "set", "acme", "--provisioner", &other.username]);
    portal.get("/v1/accounts/acme").await.problem(404, "unknown-account");
    rival.put("/v1/accounts/acme/credentials/a", &json!({"role": "uploader"})).await.expect(200);
    run(&["account", "set", "acme", "--no-provisioner"]);
    rival.get("/v1/accounts/acme").await.problem(404, "unknown-account");
    // Nobody but a provisioner can be one.
    let admin =
        gateway.gate().add_credential(&Actor::command_line(), "system", Role::Admin, "Ada", None).await;
    let admin = admin.unwrap().username;
    for wrong in [admin.as_str(), "cg_0000000000000000", ""] {
        let (code, _, err) = gateway.run(&["account", "set", "acme", "--provisioner", wrong]);
        assert_eq!(code, 1, "{err}");
    }
    let told: Vec<Value> = entries(&gateway, "acme").await;
    let told: Vec<&Value> = told.iter().filter(|leaf| leaf["type"] == "account.provisioner").collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[0]["body"], json!({"account_provisioner": {"credential": username}}));
    assert_eq!(told[2]["body"], json!({"account_provisioner": {}}));
    // Its password can be changed without its accounts.
    portal.put("/v1/accounts/tenant", &json!({})).await.expect(201);
    let rotated: Value = serde_json::from_str(&run(&["credential", "rotate", &username, "--json"])).unwrap();
    portal.get("/v1/accounts").await.problem(401, "unauthorized");
    let portal = client(&gateway, &rotated);
    portal.get("/v1/accounts/tenant").await.expect(200);
    run(&["account", "alias", "tenant", "AC5"]);
    assert_eq!(portal.get("/v1/accounts/tenant").await.expect(200)["aliases"], json!(["AC5"]));
    run(&["account", "alias", "tenant", "AC5", "--remove"]);
    run(&["credential", "revoke", &username]);
    portal.get("/v1/accounts").await.problem(401, "unauthorized");
    portal.put("/v1/accounts/another", &json!({})).await.problem(401, "unauthorized");
    // What it made stays.
    assert_eq!(gateway.gate().account_named("tenant").await.unwrap().as_deref(), Some("tenant"));
    runs(&gateway, &["audit", "verify", "acme"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tenants_are_made_in_a_loop_and_listed_page_by_page() {
    let (gateway, portal, _) = start().await;
    let many = if slow() { 500 } else { 60 };
    let tenant = |number: usize| format!("tenant-{number:04}");
    let mut recorders = Vec::new();
    for number in 0..many {
        let path = format!("/v1/accounts/{}", tenant(number));
        portal.put(&path, &json!({"operator_location": "US-TX"})).await.expect(201);
        portal.put(&format!("{path}/aliases/AC{number:04}"), &json!({})).await.expect(201);
        let made =
            portal.put(&format!("{path}/credentials/r"), &json!({"role": "recorder"})).await.expect(201);
        recorders.push(client(&gateway, &made));
    }
    for (number, recorder) in recorders.iter().enumerate() {
        recorder.put("/v1/calls/c", &json!({"medium": "voip", "participants": []})).await.expect(201);
        let named = gateway.gate().account_named(&format!("AC{number:04}")).await.unwrap();
        assert_eq!(named, Some(tenant(number)));
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = portal.get(&format!("/v1/accounts?limit=7{after}")).await.expect(200);
        let accounts = page["accounts"].as_array().unwrap();
        assert!(accounts.len() <= 7 && !accounts.is_empty());
        seen.extend(accounts.iter().map(|account| account["account"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (0..many).map(tenant).collect::<Vec<_>>());
    portal.get("/v1/accounts?limit=0").await.problem(422, "invalid-limit");
    portal.get("/v1/accounts?after=%00").await.expect(200);
}

/// One account's people see nothing of another's, whoever made both.
#[tokio::test]
async fn an_admin_of_a_provisioned_account_is_at_home_there_alone() {
    let (gateway, portal, _) = start().await;
    for account in ["tenant-1", "tenant-2"] {
        portal.put(&format!("/v1/accounts/{account}"), &json!({})).await.expect(201);
        portal.put(&format!("/v1/accounts/{account}/prompts/en"), &prompt()).await.expect(201);
    }
    let admin =
        portal.put("/v1/accounts/tenant-1/credentials/a", &json!({"role": "admin"})).await.expect(201);
    let admin = client(&gateway, &admin);
    admin.get("/v1/prompts/en").await.expect(200);
    let people = add_account(gateway.gate(), "globex", &AccountSettings::default()).await;
    let outsider = people.iter().find(|new| new.role == Role::Admin).unwrap();
    for client in [admin, Client::new(gateway.running.address, outsider)] {
        for request in requests("tenant-2") {
            send(&client, &request).await.problem(403, "wrong-role");
        }
    }
}

/// What people are told is not made less by whoever sets up their account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provisioner_writes_no_newer_version_of_a_prompt() {
    let (_gateway, portal, _) = start().await;
    portal.put("/v1/accounts/tenant-1", &json!({"operator_location": "DE"})).await.expect(201);
    let path = "/v1/accounts/tenant-1/prompts/greeting";
    portal.put(path, &prompt()).await.expect(201);
    portal.put(path, &prompt()).await.expect(200);
    let mut less = prompt();
    less["text"] = json!(format!("{} Hold.", crate::harness::TOLD));
    portal.put(path, &less).await.problem(403, "loosens-law");
    assert_eq!(portal.get(path).await.expect(200)["version"], json!(1));
}
