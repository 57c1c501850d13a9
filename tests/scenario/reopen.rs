//! A ledger does not go on from what was signed: an older one was put back, or somebody changed it. It is
//! refused, and `audit reopen` begins its logs anew.

use std::path::PathBuf;

use consent_gateway::access::{Principal, Role};
use consent_gateway::config::Config;
use consent_gateway::gate::FaultCode;
use consent_gateway::notary::{First, Notary};
use consent_gateway::serve;
use serde_json::{Value, json};
use sqlx::Connection as _;
use trail::clock::Clock;
use trail::note::{Checkpoint, Note};

use crate::harness::{Client, Process, run};
use crate::site::Site;

impl Site {
    /// Runs a command on this data.
    fn command(&self, args: &[&str]) -> (i32, String, String) {
        run(&[&["--data", self.data.to_str().unwrap()], args].concat())
    }

    /// `serve` does not start: what it says.
    fn refuses(&self) -> String {
        let (told, has_listened) = self.gives_up(&[]);
        assert!(!has_listened, "{told}");
        told
    }

    /// `serve` ends by itself: what it says, and whether it has listened before.
    fn gives_up(&self, more: &[&str]) -> (String, bool) {
        let (code, _, err) = self.command(&[&["serve", "--listen", "127.0.0.1:0"], more].concat());
        assert_eq!(code, 1, "{err}");
        let has_listened = err.contains("listening");
        (err, has_listened)
    }

    fn reopen(&self, more: &[&str]) -> Vec<Value> {
        let args = [&["audit", "reopen", "--reason", "a test", "--json"], more].concat();
        let (code, out, err) = self.command(&args);
        assert_eq!(code, 0, "{err}");
        let told: Value = serde_json::from_str(&out).unwrap();
        told["reopened"].as_array().unwrap().clone()
    }

    fn pin(&self, name: &str) -> PathBuf {
        self.dir.path().join("data.pins").join(name)
    }

    fn pinned(&self, name: &str) -> Checkpoint {
        let text = std::fs::read_to_string(self.pin(name)).unwrap();
        Checkpoint::parse(&Note::parse(&text).unwrap().text).unwrap()
    }

    fn ledger(&self) -> PathBuf {
        self.data.join("ledger.db")
    }

    /// Changes the ledger behind the gateway's back.
    async fn tamper(&self, sql: &[&str]) {
        let mut connection = self.sqlite().await;
        for sql in sql {
            sqlx::raw_sql(sqlx::AssertSqlSafe((*sql).to_owned())).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    async fn head(&self, process: &Process) -> Checkpoint {
        let answer = self.client(process, Role::Auditor).get("/v1/log/acme/checkpoint").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Checkpoint::parse(&Note::parse(&answer.text()).unwrap().text).unwrap()
    }

    /// The types of entries of the account's log from its second epoch on.
    async fn begun_anew(&self, process: &Process) -> Vec<String> {
        let page = self.client(process, Role::Auditor).get("/v1/consents?limit=1000").await.expect(200);
        let records = page["consents"].as_array().unwrap();
        let new = records.iter().filter(|one| one["epoch"] == 2);
        new.map(|one| one["entry"]["type"].as_str().unwrap().to_owned()).collect()
    }
}

fn stop(mut process: Process) {
    process.terminate();
    assert_eq!(process.wait(), Some(0));
}

async fn decision(client: &Client, call: &str) -> Value {
    client.get(&format!("/v1/calls/{call}/decision")).await.expect(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_put_back_is_refused_and_its_log_begins_anew_with_what_was_pinned() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    site.head(&process).await;
    stop(process);
    let backup = site.dir.path().join("backup.db");
    std::fs::copy(site.ledger(), &backup).unwrap();

    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let no = json!({"type": "consent.withdrawn", "participant": "caller"});
    recorder.post("/v1/calls/c1/events", &no).await.expect(201);
    let lost = site.head(&process).await;
    stop(process);
    std::fs::copy(&backup, site.ledger()).unwrap();

    let told = site.refuses();
    assert!(told.contains("older") && told.contains("`acme`") && told.contains("audit reopen"), "{told}");
    let (code, _, told) = site.command(&["account", "list"]);
    assert!(code == 1 && told.contains("audit reopen"), "{told}");
    // Saying why is no choice.
    assert_eq!(site.command(&["audit", "reopen"]).0, 2);
    let reopened = site.reopen(&[]);
    assert_eq!(reopened.len(), 1, "the system's log goes on: {reopened:?}");
    let (acme, old) = (&reopened[0], site.pinned("acme.1.old-checkpoint"));
    assert_eq!(
        (&acme["log"], &acme["epoch"], &acme["calls_in_doubt"]),
        (&json!("acme"), &json!(2), &json!(true))
    );
    assert_eq!(
        (&acme["previous"]["size"], &acme["previous"]["origin"]),
        (&json!(lost.size), &json!(lost.origin))
    );
    assert_eq!((old.size, old.root), (lost.size, lost.root));

    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let head = site.head(&process).await;
    assert_eq!((head.origin, head.size), (format!("{}.2", lost.origin), 2));
    assert_eq!(site.begun_anew(&process).await, ["log.opened", "audit.gap"]);
    // The withdrawal is lost, so the call is in doubt until everybody on it is named again.
    assert_eq!(decision(&recorder, "c1").await["recording"], "blocked");
    for id in ["caller", "agent"] {
        let role = if id == "agent" { "agent" } else { "customer" };
        let again = json!({"id": id, "role": role, "location": "US-CA", "languages": ["en"]});
        recorder.post("/v1/calls/c1/participants", &again).await.expect(201);
    }
    recorder.post("/v1/calls/c1/events", &json!({"type": "call.ended"})).await.expect(201);
    // It spans both epochs, and is told in their order.
    let shown = recorder.get("/v1/calls/c1").await.expect(200);
    assert!(shown["ended_at"].is_string(), "{shown}");
    let records = site.consents(&process, "c1").await;
    let epochs: Vec<i64> = records.iter().map(|one| one["epoch"].as_i64().unwrap()).collect();
    assert!(epochs.is_sorted() && epochs.first() == Some(&1) && epochs.last() == Some(&2), "{epochs:?}");
    site.head(&process).await;
    stop(process);
    assert_eq!(site.pinned("acme.checkpoint").origin, format!("{}.2", lost.origin));
    assert_eq!(site.pinned("acme.1.old-checkpoint").size, lost.size, "what was pinned is kept");

    // The same backup once more: now the second epoch is missing, and the third is begun.
    std::fs::copy(&backup, site.ledger()).unwrap();
    assert!(site.refuses().contains("older"));
    assert_eq!(site.reopen(&[])[0]["epoch"], 3, "the second was signed, so it is not begun again");
    let process = site.serve(&[]);
    assert!(site.head(&process).await.origin.ends_with("/acme.3"));
    stop(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_was_rewritten_is_found_and_named_and_nothing_is_decided_on_it() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    let index = site.head(&process).await.size - 2;
    site.record(&recorder, "c2").await;
    let head = site.head(&process).await;
    stop(process);
    site.tamper(&[
        "DROP TRIGGER entry_is_never_changed",
        &format!(
            "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), '\"played_ms\":1000', '\"played_ms\":9000') AS BLOB) \
             WHERE log = 'acme' AND type = 'prompt.completed' AND seq = {index}"
        ),
    ])
    .await;
    // Whoever is faster than the scrub.
    let config = Config { data: site.data.clone(), ..Config::default() };
    let gate = serve::gate(&config, Clock::system()).await.unwrap();
    let keys = gate.secrets().log.clone();
    let (ledger, pins) = (gate.ledger().clone(), config.pins_dir());
    let notary = Notary::open(ledger, Clock::system(), None, keys, &pins, First::SincePin).await.unwrap();
    let gate = gate.signing_with(notary);
    let known = std::fs::read(site.pin("acme.registered")).unwrap();
    let credential = site.credential(Role::Recorder).username.clone();
    let who = Principal {
        account: "acme".into(),
        credential,
        role: Role::Recorder,
        uploads: consent_gateway::access::Uploads::default(),
    };
    gate.decide(&who, "c2").await.unwrap();
    for call in ["c1", "c2"] {
        let refused = gate.decide(&who, call).await.unwrap_err();
        assert_eq!(refused.code(), FaultCode::TrailUnavailable, "{call}");
    }
    gate.ledger().close().await;
    // Whoever starts after that serves nobody, nor does one that reads everything first; any other, until it has read it.
    let forgotten = || std::fs::write(site.pin("acme.registered"), &known).unwrap();
    for (more, is_forgotten, serves) in
        [(&[][..], false, false), (&[], true, true), (&[], false, false), (&["--verify-first"], true, false)]
    {
        if is_forgotten {
            forgotten();
        }
        let (told, has_listened) = site.gives_up(more);
        assert!(told.contains(&format!("entry {index} is not the one")) && told.contains("`acme`"), "{told}");
        assert!(told.contains("audit reopen") && has_listened == serves, "{told}");
    }
    let reopened = site.reopen(&["--log", "acme"]);
    assert_eq!((&reopened[0]["epoch"], &reopened[0]["calls_in_doubt"]), (&json!(2), &json!(true)));
    let process = site.serve(&[]);
    assert_eq!(site.head(&process).await.size, 2);
    assert_eq!(site.begun_anew(&process).await, ["log.opened", "audit.gap"]);
    // From when on it was changed is not known: whoever withdrew may be anybody on an open call.
    let recorder = site.client(&process, Role::Recorder);
    assert_eq!(decision(&recorder, "c1").await["recording"], "blocked");
    recorder
        .post("/v1/calls/c1/recording", &json!({"action": "resume"}))
        .await
        .problem(403, "consent-required");
    let opened = site.client(&process, Role::Auditor).get("/v1/consents?type=log.opened").await.expect(200);
    let opened = &opened["consents"][0];
    assert_eq!(opened["entry"]["body"]["log_opened"]["cause"], "reopened");
    assert_eq!(opened["entry"]["body"]["log_opened"]["previous"]["size"], head.size);
    assert_eq!(opened["detail"], json!({"reason": "a test"}));
    stop(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_is_refused_and_a_missing_pin_is_only_told() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let head = site.head(&process).await;
    stop(process);
    let key = site.data.join("secrets/log.key");
    let own = std::fs::read(&key).unwrap();
    std::fs::write(&key, [7; 32]).unwrap();
    let told = site.refuses();
    assert!(told.contains("another key") && told.contains("`log.key`"), "{told}");
    std::fs::write(&key, &own).unwrap();
    std::fs::remove_dir_all(site.dir.path().join("data.pins")).unwrap();
    let process = site.serve(&[]);
    let now = site.head(&process).await;
    assert_eq!(now.origin, head.origin);
    assert!(now.size >= head.size);
    stop(process);
    assert_eq!(site.pinned("acme.checkpoint").size, now.size, "it is pinned again");
    // A pin that cannot be read is no missing one.
    std::fs::write(site.pin("acme.checkpoint"), "something else").unwrap();
    assert!(site.refuses().contains("acme.checkpoint"));
    site.reopen(&[]);
    assert_eq!(std::fs::read_to_string(site.pin("acme.1.old-checkpoint")).unwrap(), "something else");
    let process = site.serve(&[]);
    assert_eq!(site.begun_anew(&process).await, ["log.opened", "audit.gap"]);
    stop(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_reopened_while_a_gateway_runs_or_where_nothing_is_wrong() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    site.head(&process).await;
    let reopen = ["audit", "reopen", "--reason", "a test"];
    let with = |more: &[&str]| site.command(&[&reopen, more].concat());
    let (code, _, told) = with(&["--force"]);
    assert!(code == 1 && told.contains("a gateway is running on this data"), "{told}");
    stop(process);
    let (code, _, told) = with(&[]);
    assert!(code == 1 && told.contains("nothing is wrong"), "{told}");
    let (code, _, told) = with(&["--log", "acme"]);
    assert!(code == 1 && told.contains("nothing is wrong with the log `acme`"), "{told}");
    let (code, _, told) = with(&["--log", "nobody", "--force"]);
    assert!(code == 1 && told.contains("there is no log `nobody`"), "{told}");
    let (code, out, told) = with(&["--log", "acme", "--force"]);
    assert!(code == 0 && out.contains("acme: continues as") && out.contains("(epoch 2)"), "{out}{told}");
    let process = site.serve(&[]);
    assert_eq!(site.head(&process).await.size, 1);
    stop(process);
}

/// Another gateway, with pins of its own, may have signed more than is pinned here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_goes_on_from_what_was_signed_last_wherever_that_is_pinned() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    site.head(&process).await;
    stop(process);
    let older = std::fs::read(site.pin("acme.checkpoint")).unwrap();
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let no = json!({"type": "consent.withdrawn", "participant": "caller"});
    recorder.post("/v1/calls/c1/events", &no).await.expect(201);
    let newest = site.head(&process).await;
    stop(process);
    std::fs::write(site.pin("acme.checkpoint"), &older).unwrap();
    let pinned = site.pinned("acme.checkpoint").size;
    assert!(pinned < newest.size, "{pinned}");
    let reopened = site.reopen(&["--force", "--all"]);
    let acme = reopened.iter().find(|one| one["log"] == "acme").unwrap();
    assert_eq!(acme["previous"]["size"].as_u64(), Some(newest.size), "{acme}");
    let process = site.serve(&[]);
    let head = site.head(&process).await;
    assert!(head.origin.ends_with("/acme.2"), "{}", head.origin);
    stop(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_beside_the_log_that_was_changed_is_found_and_taken_as_it_is_by_who_says_so() {
    let site = Site::new().await;
    stop(site.serve(&[]));
    assert_eq!(site.command(&["audit", "verify", "acme"]).0, 0);
    site.tamper(&["UPDATE account SET settings = replace(settings, '\"recorders\":10000', '\"recorders\":20000') WHERE id = 'acme'"])
        .await;
    let found = "what is registered of `acme`";
    assert!(site.refuses().contains(found));
    for asked in
        [&["check"][..], &["audit", "verify", "acme"], &["credential", "add", "acme", "--role", "admin"]]
    {
        let (code, out, err) = site.command(asked);
        assert!(code == 1 && (out + &err).contains(found), "{asked:?}: {err}");
    }
    let (code, out, _) = site.command(&["audit", "reopen", "--reason", "a test"]);
    assert!(code == 0 && out.contains(found), "{out}");
    let process = site.serve(&[]);
    assert_eq!(site.begun_anew(&process).await, ["log.opened"]);
    site.client(&process, Role::Auditor).get("/v1/law").await.expect(200);
    stop(process);
    assert_eq!(site.command(&["audit", "verify", "acme"]).0, 0);
}
