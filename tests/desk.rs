//! A gateway with a small table, and people who may change it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use consent_gateway::access::Role;
use consent_gateway::config::Config;
use consent_gateway::gate::{AccountSettings, NewCredential};
use consent_gateway::serve::{self, Running};
use serde_json::{Value, json};
use tempfile::TempDir;
use trail::clock::Clock;
use trail::{Actor, Leaf};

use crate::harness::{Answer, Client, Gateway};

/// A gateway that watches a file, and two people of the account `system`.
pub(crate) struct Desk {
    pub(crate) gateway: Gateway,
    pub(crate) dana: Client,
    pub(crate) erin: Client,
    files: TempDir,
}

impl Desk {
    /// With [`Text::plain`] in force, by the watched file.
    pub(crate) async fn start() -> Desk {
        Desk::with(&Text::plain()).await
    }

    pub(crate) async fn with(table: &Text) -> Desk {
        let files = tempfile::tempdir().unwrap();
        let file = files.path().join("jurisdictions.toml");
        std::fs::write(&file, table.text()).unwrap();
        let config = Config { jurisdictions: Some(file), ..Config::default() };
        let gateway = Gateway::with(config, AccountSettings::default()).await;
        let dana = counsel(&gateway, "Dana Counsel").await;
        let erin = counsel(&gateway, "Erin Advocate").await;
        Desk { gateway, dana, erin, files }
    }

    /// The watched file.
    pub(crate) fn file(&self) -> PathBuf {
        self.files.path().join("jurisdictions.toml")
    }

    pub(crate) async fn publish(&self, who: &Client, table: &Text) -> Answer {
        self.publish_text(who, &table.text()).await
    }

    pub(crate) async fn publish_text(&self, who: &Client, table: &str) -> Answer {
        who.post("/v1/jurisdictions/proposals", &json!({"table": table, "reason": "a test"})).await
    }

    /// Somebody more, whom `by` confirms.
    pub(crate) async fn colleague(&self, name: &str, by: &Client) -> Client {
        let new = counsel(&self.gateway, name).await;
        self.confirm(by, name).await.expect(200);
        new
    }

    /// `by` says that the person of this name, or id, is who they are said to be.
    pub(crate) async fn confirm(&self, by: &Client, person: &str) -> Answer {
        let person = self.person(person).await["person"].as_str().unwrap().to_owned();
        by.post(&format!("/v1/people/{person}/confirm"), &json!({"reason": "a test"})).await
    }

    /// Who is enrolled by this name.
    pub(crate) async fn person(&self, name: &str) -> Value {
        let listed = self.dana.get("/v1/people").await.expect(200);
        let all = listed["people"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{listed}")).clone()
    }

    /// Proposes what loosens something: the proposal's id.
    pub(crate) async fn proposed(&self, who: &Client, table: &Text) -> String {
        let answer = self.publish(who, table).await.expect(202);
        assert_eq!(answer["state"], "proposed", "{answer}");
        answer["proposal"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn approve(&self, who: &Client, proposal: &str) -> Answer {
        self.decide(who, proposal, "approve").await
    }

    /// `approve`, `reject` or `withdraw`.
    pub(crate) async fn decide(&self, who: &Client, proposal: &str, what: &str) -> Answer {
        let path = format!("/v1/jurisdictions/proposals/{proposal}/{what}");
        who.post(&path, &json!({"reason": "a test"})).await
    }

    /// One proposes and another approves.
    pub(crate) async fn both_publish(&self, table: &Text) {
        let proposal = self.proposed(&self.dana, table).await;
        self.approve(&self.erin, &proposal).await.expect(200);
    }

    pub(crate) async fn state(&self, proposal: &str) -> Value {
        let path = format!("/v1/jurisdictions/proposals/{proposal}");
        self.dana.get(&path).await.expect(200)["state"].clone()
    }

    pub(crate) async fn open_proposals(&self) -> Vec<Value> {
        let listed = self.dana.get("/v1/jurisdictions/proposals").await.expect(200);
        let all = listed["proposals"].as_array().unwrap();
        all.iter().filter(|one| one["state"] == "open").cloned().collect()
    }

    /// How many versions there have been.
    pub(crate) async fn versions(&self) -> usize {
        let listed = self.dana.get("/v1/jurisdictions/versions").await.expect(200);
        listed["versions"].as_array().unwrap().len()
    }

    /// What `/readyz` says of the table that the file holds.
    pub(crate) async fn configured(&self) -> Value {
        configured(&self.gateway.running).await
    }

    /// Every entry of the system's log.
    pub(crate) async fn log(&self) -> Vec<Leaf> {
        log(&self.gateway, "system").await
    }

    /// Another gateway on the same data, with another clock and another table.
    pub(crate) async fn another(&self, table: Option<&str>, clock: Clock) -> Running {
        serve::start(&self.config(table), clock).await.unwrap()
    }

    /// The configuration of another process on the same data; with `table` it brings a file of its own.
    pub(crate) fn config(&self, table: Option<&str>) -> Config {
        let jurisdictions = table.map(|text| {
            let file = self.files.path().join("another.toml");
            std::fs::write(&file, text).unwrap();
            file
        });
        Config { jurisdictions, ..self.gateway.config() }
    }
}

/// What `/readyz` says of the table that a gateway was started with.
pub(crate) async fn configured(running: &Running) -> Value {
    let ready = Client::stranger(running.address).get("/readyz").await.expect(200);
    ready["table"]["configured"].clone()
}

/// Every entry of a log.
pub(crate) async fn log(gateway: &Gateway, log: &str) -> Vec<Leaf> {
    let rows = gateway.rows(log).await;
    rows.iter().map(|row| serde_json::from_slice(&row.leaf).unwrap()).collect()
}

/// Somebody who may change the table.
pub(crate) async fn counsel(gateway: &Gateway, name: &str) -> Client {
    let new = credential(gateway, "system", Role::Counsel, name).await;
    Client::new(gateway.running.address, &new)
}

pub(crate) async fn credential(gateway: &Gateway, account: &str, role: Role, name: &str) -> NewCredential {
    gateway.gate().add_credential(&Actor::command_line(), account, role, name, None).await.unwrap()
}

/// Waits for something that the watching of the file brings about.
/// Waits until the file has been looked at, whatever came of it.
pub(crate) async fn looked_at() {
    tokio::time::sleep(Duration::from_millis(1700)).await;
}

/// A table as a legal team writes it, to be edited.
#[derive(Clone)]
pub(crate) struct Text {
    default: String,
    evidence: [(&'static str, String); 3],
    rows: Vec<(&'static str, Option<String>, String)>,
    overlays: Vec<(&'static str, String)>,
    remark: String,
}

pub(crate) const ONE: &str = "parties = \"one\"\nform = \"none\"\n";
pub(crate) const NOTICE: &str = "parties = \"all\"\nform = \"notice\"\n";
pub(crate) const EXPRESS: &str = "parties = \"all\"\nform = \"express\"\n";

impl Text {
    /// The United States with three states, and two countries.
    pub(crate) fn plain() -> Text {
        Text {
            default: format!("{EXPRESS}announcement_must_be_recorded = true\n"),
            evidence: [("declared", ONE.into()), ("ip", NOTICE.into()), ("number", NOTICE.into())],
            rows: vec![
                ("US", None, format!("{ONE}unknown_subdivision = \"strictest\"\n")),
                ("US-CA", None, NOTICE.into()),
                ("US-NV", None, ONE.into()),
                ("US-NY", None, ONE.into()),
                ("DE", None, EXPRESS.into()),
                ("GB", None, NOTICE.into()),
            ],
            overlays: Vec::new(),
            remark: String::new(),
        }
    }

    /// With this row for a place, instead of the rows that it had.
    pub(crate) fn row(self, code: &'static str, rule: &str) -> Text {
        self.without(code).and_row(code, None, rule)
    }

    /// With one row more.
    pub(crate) fn and_row(mut self, code: &'static str, from: Option<&str>, rule: &str) -> Text {
        self.rows.push((code, from.map(Into::into), rule.into()));
        self
    }

    pub(crate) fn without(mut self, code: &str) -> Text {
        self.rows.retain(|(of, ..)| *of != code);
        self
    }

    pub(crate) fn default(mut self, rule: &str) -> Text {
        self.default = rule.into();
        self
    }

    pub(crate) fn evidence(mut self, of: &str, rule: &str) -> Text {
        let (_, was) = self.evidence.iter_mut().find(|(evidence, _)| *evidence == of).unwrap();
        *was = rule.into();
        self
    }

    /// With this overlay, instead of the one of the same id.
    pub(crate) fn overlay(mut self, id: &'static str, rule: &str) -> Text {
        self.overlays.retain(|(of, _)| *of != id);
        self.overlays.push((id, rule.into()));
        self
    }

    pub(crate) fn without_overlay(mut self, id: &str) -> Text {
        self.overlays.retain(|(of, _)| *of != id);
        self
    }

    /// With a comment, which changes nothing but the digest.
    pub(crate) fn remark(mut self, remark: &str) -> Text {
        self.remark = remark.into();
        self
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("# {}\n[default]\n{}", self.remark, self.default);
        for (of, rule) in &self.evidence {
            write!(text, "[evidence.{of}]\n{rule}").unwrap();
        }
        for (code, from, rule) in &self.rows {
            let from = from.as_ref().map(|day| format!("effective_from = {day}\n")).unwrap_or_default();
            write!(
                text,
                "[[jurisdiction]]\ncode = \"{code}\"\nname = \"{}\"\n{from}{rule}{SOURCE}",
                name(code)
            )
            .unwrap();
        }
        for (id, rule) in &self.overlays {
            write!(text, "[[overlay]]\nid = \"{id}\"\nname = \"The rules of {id}\"\n{rule}{SOURCE}").unwrap();
        }
        text
    }
}

fn name(code: &str) -> &'static str {
    match code {
        "US" => "United States",
        "US-CA" => "California",
        "US-NV" => "Nevada",
        "US-NY" => "New York",
        "US-FL" => "Florida",
        "US-OR" => "Oregon",
        "US-TX" => "Texas",
        "DE" => "Germany",
        "GB" => "United Kingdom",
        "FR" => "France",
        other => panic!("no name for {other}"),
    }
}

const SOURCE: &str =
    "citations = [\"A statute\"]\nsummary = \"In plain words.\"\nconfidence = \"low\"\nreviewed = false\n";
