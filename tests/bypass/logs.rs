//! What the program logs names nobody.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command};

use serde_json::{Value, json};

use super::races::until;
use crate::harness::{Client, run, wav};

const CALL: &str = "call-9f3ac1d2";
const NUMBER: &str = "+14155550123";
const PEOPLE: [&str; 2] = ["alice-77aa10", "bob-55bb20"];

#[tokio::test]
async fn nothing_that_an_outsider_chose_is_logged_not_even_for_debugging() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").to_str().unwrap().to_owned();
    let cli = |args: &[&str]| {
        let (code, out, err) = run(&[args, &["--data", data.as_str()]].concat());
        assert_eq!(code, 0, "{args:?}: {out} {err}");
        out
    };
    cli(&["account", "add", "acme"]);
    let keys = dir.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    seal::keygen(&keys).unwrap();
    cli(&["key", "add", "acme", keys.join("public.pem").to_str().unwrap()]);
    let credential = |role| {
        let out: Value =
            serde_json::from_str(&cli(&["credential", "add", "acme", "--role", role, "--json"])).unwrap();
        (out["username"].as_str().unwrap().to_owned(), out["password"].as_str().unwrap().to_owned())
    };
    let (username, password) = credential("recorder");
    let (_, listening) = credential("listener");
    let log = dir.path().join("log");
    let _serving = Serving::start(&data, &log);
    let text = || std::fs::read_to_string(&log).unwrap();
    let address = || Some(text().split("address=").nth(1)?.split_whitespace().next()?.to_owned());
    until(|| address().is_some()).await;
    let client = Client::named(address().unwrap().parse().unwrap(), &username, &password);

    let participants: Vec<Value> = PEOPLE
        .iter()
        .map(|id| json!({"id": id, "role": "customer", "number": NUMBER, "ip": "198.51.100.77", "location": "US-CA"}))
        .collect();
    let call = format!("/v1/calls/{CALL}");
    let opened = json!({"participants": participants, "purposes": ["purpose-41"], "aliases": ["alias-8812"]});
    client.put(&call, &opened).await.expect(201);
    let withdrawn = json!({"type": "consent.withdrawn", "participants": PEOPLE, "reason": "reason-5519", "id": "event-7712"});
    client.post(&format!("{call}/events"), &withdrawn).await.expect(201);
    let wrong = json!({"type": "consent.withdrawn", "participant": "nobody-3321"});
    client.post(&format!("{call}/events"), &wrong).await.expect(422);
    client
        .post(&format!("{call}/recording"), &json!({"action": "start", "reason": "reason-5519"}))
        .await
        .expect(403);
    client.upload(&format!("{call}/recordings/name-6610"), &[], &wav(1000)).await.expect(403);
    client.get(&format!("{call}/decision?call={CALL}")).await;
    client.get("/v1/recordings?call=call-unknown-4402").await.expect(404);
    client.get("/v1/recordings/name-6610/media?purpose=purpose-41").await.expect(404);
    client.put("/nowhere/path-2201", &json!({})).await.expect(404);
    Client::named(client.address, &username, "wrong-password-1107").get(&call).await.expect(401);
    Client::named(client.address, "username-1108", "wrong-password-1107").get(&call).await.expect(401);

    let logged = text();
    assert!(logged.contains("answered"), "{logged}");
    for secret in [
        CALL,
        NUMBER,
        "4155550123",
        "198.51.100.77",
        "127.0.0.1:",
        PEOPLE[0],
        PEOPLE[1],
        "purpose-41",
        "alias-8812",
        "reason-5519",
        "event-7712",
        "nobody-3321",
        "name-6610",
        "call-unknown-4402",
        "path-2201",
        "wrong-password-1107",
        "username-1108",
        &password,
        &listening,
        client.authorization.as_deref().unwrap(),
    ] {
        let told: Vec<&str> =
            logged.lines().filter(|line| line.contains(secret) && !line.contains("listening")).collect();
        assert!(told.is_empty(), "`{secret}` is logged: {told:?}");
    }
}

struct Serving(Child);

impl Serving {
    fn start(data: &str, log: &Path) -> Serving {
        let child = Command::new(env!("CARGO_BIN_EXE_consent-gateway"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data", data])
            .env("RUST_LOG", "debug")
            .env("NO_COLOR", "1")
            .stdout(File::create(log.with_extension("out")).unwrap())
            .stderr(File::create(log).unwrap())
            .spawn()
            .unwrap();
        Serving(child)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
