//! An account on a data directory of its own, for the real program: set up in this process, then
//! served, killed and served again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use consent_gateway::access::Role;
use consent_gateway::config::Config;
use consent_gateway::gate::ask::{Delivery, Prompt};
use consent_gateway::gate::{AccountSettings, NewCredential};
use consent_gateway::serve;
use consent_gateway::vault::{Frames, Head, Medium};
use jiff::{SignedDuration, Timestamp};
use seal::{Envelope, Expected};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use trail::Actor;
use trail::clock::Clock;

use crate::harness::{Client, Process, add_account, comes, customer_key, files_below};

/// The account `acme` with its key, a credential of every role, and the prompt `short` of a second.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
    pub(crate) data: PathBuf,
    people: Arc<Vec<NewCredential>>,
}

impl Site {
    pub(crate) async fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Site::on(dir, data).await
    }

    /// With its data in this directory.
    pub(crate) async fn on(dir: TempDir, data: PathBuf) -> Site {
        Site::with(dir, Config { data, ..Config::default() }).await
    }

    /// Configured like this.
    pub(crate) async fn with(dir: TempDir, config: Config) -> Site {
        let gate = serve::gate(&config, Clock::system()).await.unwrap();
        let settings = AccountSettings { recorders: 10_000, ..AccountSettings::default() };
        let people = add_account(&gate, "acme", &settings).await;
        customer_key(&gate, dir.path(), "acme").await;
        let prompt = Prompt {
            text: crate::harness::TOLD.into(),
            language: "en".into(),
            duration_ms: 1000,
            purposes: vec!["quality".into()],
            delivery: Delivery::Audio,
            sha256: None,
            says: crate::harness::says(),
        };
        gate.put_prompt(&Actor::command_line(), "acme", "short", &prompt).await.unwrap();
        gate.ledger().close().await;
        Site { dir, data: config.data, people: Arc::new(people) }
    }

    /// The same, everything in a directory of its own; nobody may have it open.
    pub(crate) fn copy(&self) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let from = format!("{}/.", self.dir.path().display());
        let copied =
            Command::new("cp").args(["-a", "--sparse=always", &from]).arg(dir.path()).status().unwrap();
        assert!(copied.success());
        let data = dir.path().join(self.data.strip_prefix(self.dir.path()).unwrap());
        Site { people: Arc::clone(&self.people), dir, data }
    }

    pub(crate) fn serve(&self, more: &[&str]) -> Process {
        Process::serve(&self.data, more)
    }

    pub(crate) fn credential(&self, role: Role) -> &NewCredential {
        self.people.iter().find(|new| new.role == role).unwrap()
    }

    pub(crate) fn client(&self, process: &Process, role: Role) -> Client {
        Client::new(process.address, self.credential(role))
    }

    pub(crate) fn private_key(&self) -> PathBuf {
        self.dir.path().join("acme/private.pem")
    }

    /// Opens a call, has everybody prompted and starts recording. Answers when its window began.
    pub(crate) async fn record(&self, recorder: &Client, call: &str) -> Timestamp {
        let started = now().checked_sub(SignedDuration::from_secs(10)).unwrap();
        let body = json!({
            "medium": "telephone", "started_at": started, "purposes": ["quality"],
            "participants": [
                {"id": "caller", "role": "customer", "location": "US-CA", "languages": ["en"]},
                {"id": "agent", "role": "agent", "location": "US-CA", "languages": ["en"]},
            ],
        });
        let call = format!("/v1/calls/{call}");
        recorder.put(&call, &body).await.expect(201);
        let played = json!({"type": "prompt.completed", "prompt": "short", "participants": ["caller", "agent"], "played_ms": 1000});
        recorder.post(&format!("{call}/events"), &played).await.expect(201);
        recorder.post(&format!("{call}/recording"), &json!({"action": "start"})).await.expect(200);
        now()
    }

    /// How many gateways have said in the ledger that they are well, and have not ended.
    pub(crate) async fn sqlite_marks(&self) -> i64 {
        let mut ledger = self.sqlite().await;
        let marks = sqlx::query_scalar("SELECT count(*) FROM mark").fetch_one(&mut ledger).await.unwrap();
        sqlx::Connection::close(ledger).await.unwrap();
        marks
    }

    /// Waits until every gateway that runs on this data has noted that it was well at this moment: what
    /// happened since is in doubt if it is killed now.
    pub(crate) async fn well_at(&self, moment: Timestamp) {
        let was_well = |path: &PathBuf| {
            let mark = std::fs::read_to_string(path).unwrap();
            let until: i64 = mark.split(' ').next().unwrap().parse().unwrap();
            until >= moment.as_millisecond()
        };
        comes(async || {
            let marks = files_below(&self.data.join("serving"));
            !marks.is_empty() && marks.iter().all(was_well)
        })
        .await;
    }

    /// Fetches a recording and opens it with the customer's private key.
    pub(crate) async fn fetch_and_open(&self, listener: &Client, recording: &str) -> Vec<u8> {
        let described = listener.get(&format!("/v1/recordings/{recording}")).await.expect(200);
        let media = listener.get(&format!("/v1/recordings/{recording}/media?purpose=quality")).await;
        assert_eq!(media.status, 200, "{}", media.text());
        let envelope: Envelope = serde_json::from_value(described["envelope"].clone()).unwrap();
        let private = std::fs::read_to_string(self.private_key()).unwrap();
        let out = tempfile::tempdir().unwrap();
        let out = out.path().join("opened");
        let expected = Expected { account: Some("acme"), recording: Some(recording) };
        seal::open(media.body.as_slice(), &envelope, &private, expected, &out).unwrap();
        std::fs::read(out).unwrap()
    }

    /// Every consent record of a call, page by page.
    pub(crate) async fn consents(&self, process: &Process, call: &str) -> Vec<Value> {
        let auditor = self.client(process, Role::Auditor);
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let page = auditor.get(&format!("/v1/consents?call={call}&limit=1000{after}")).await.expect(200);
            all.extend(page["consents"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return all,
            }
        }
    }

    /// Another program's connection to the ledger.
    pub(crate) async fn sqlite(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.data.join("ledger.db"));
        options.busy_timeout(Duration::from_secs(10)).connect().await.unwrap()
    }

    pub(crate) async fn assert_integrity(&self) {
        let mut connection = self.sqlite().await;
        let found: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut connection).await.unwrap();
        assert_eq!(found, ["ok"]);
        connection.close().await.unwrap();
    }

    /// The recordings that the ledger names: their ids, and whether they are deleted.
    pub(crate) async fn rows(&self) -> BTreeMap<String, bool> {
        let mut connection = self.sqlite().await;
        let rows: Vec<(String, bool)> = sqlx::query_as("SELECT id, deleted_at IS NOT NULL FROM recording")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows.into_iter().collect()
    }
}

/// Makes all that a store holds look an hour older.
pub(crate) fn age(data: &Path) {
    let then = Duration::from_millis(u64::try_from(now().as_millisecond()).unwrap() - 3_600_000);
    for file in files_below(&data.join("media")) {
        if file.extension().is_some_and(|extension| extension == "pack") {
            rewrite(&file, |head| head.at -= 3_600_000);
        }
        let file = std::fs::File::options().write(true).open(file).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + then).unwrap();
    }
}

/// Changes the heads in a pack.
pub(crate) fn rewrite(pack: &Path, mut change: impl FnMut(&mut Head)) {
    let file = std::fs::File::options().read(true).write(true).open(pack).unwrap();
    let frames: Vec<(u64, Head)> = Frames::of(&file).unwrap().map(Result::unwrap).collect();
    for (offset, mut head) in frames {
        change(&mut head);
        Medium::write_at(&file, &head.to_bytes(), offset).unwrap();
    }
}

/// A configuration file beside the data.
pub(crate) fn config(dir: &Path, text: &str) -> String {
    let path = dir.join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The machine's clock, as the program reads it.
pub(crate) fn now() -> Timestamp {
    Clock::system().now()
}
