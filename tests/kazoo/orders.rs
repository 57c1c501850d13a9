//! What the recorder of a suspended call has to do is ordered from Kazoo, by its API: against a server that takes what
//! Crossbar takes, and nothing else (`cb_channels`, `cb_api_auth` and the schema `metaflow`).

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use consent_gateway::config::{Config, Kazoo, Webhooks};
use consent_gateway::gate::{AccountSettings, Webhook};
use consent_gateway::webhook::{Reach, WebhookUrl};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use trail::OrderedAction;

use crate::harness::{Gateway, comes};

const KEY: &str = "5a1f0c0ffee0c0ffee0c0ffee0c0ffee0c0ffee0c0ffee0c0ffee0c0ffee0c0f";
const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

/// Crossbar.
struct Crossbar {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    dir: TempDir,
}

#[derive(Default)]
struct State {
    /// The channels that there are.
    channels: BTreeSet<String>,
    /// Tokens that are good.
    tokens: BTreeSet<String>,
    logins: usize,
    /// What was ordered of which channel.
    ordered: Vec<(String, String)>,
    /// Every answer, in order.
    said: Vec<u16>,
    /// Instead of an answer.
    broken: Option<u16>,
}

impl Crossbar {
    async fn new(channels: &[&str]) -> Crossbar {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let channels = channels.iter().map(|leg| (*leg).to_owned()).collect();
        let state = Arc::new(Mutex::new(State { channels, ..State::default() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let shared = Arc::clone(&shared);
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let mut state = shared.lock().unwrap();
                        let (status, answer) = state.answer(&parts, &body);
                        state.said.push(status);
                        let mut response =
                            Response::builder().status(status).header("content-type", "application/json");
                        if status / 100 == 3 {
                            response = response.header("location", format!("http://{address}{}", parts.uri));
                        }
                        Ok::<_, Infallible>(
                            response.body(Full::new(Bytes::from(answer.to_string()))).unwrap(),
                        )
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("api_key"), format!("{KEY}\n")).unwrap();
        Crossbar { address, state, dir }
    }

    fn key_file(&self) -> PathBuf {
        self.dir.path().join("api_key")
    }

    /// A gateway that orders from it, with the account's systems told there as well.
    async fn gateway(&self, action: OrderedAction, webhook: Option<SocketAddr>) -> Gateway {
        let kazoo = Kazoo {
            api: format!("http://{}", self.address),
            account_id: ACCOUNT.into(),
            api_key: self.key_file(),
            action,
        };
        let config = Config {
            webhooks: Webhooks { allow_private: true },
            kazoo: BTreeMap::from([("acme".to_owned(), kazoo)]),
            ..Config::default()
        };
        let url = webhook.map(|at| WebhookUrl::parse(&format!("http://{at}/told"), Reach::Anywhere).unwrap());
        let webhook = url.map(Webhook::first).unwrap_or_default();
        Gateway::with(config, AccountSettings { webhook, ..AccountSettings::default() }).await
    }

    fn ordered(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().ordered.clone()
    }

    fn said(&self) -> Vec<u16> {
        self.state.lock().unwrap().said.clone()
    }
}

impl State {
    fn answer(&mut self, parts: &hyper::http::request::Parts, body: &[u8]) -> (u16, Value) {
        if let Some(status) = self.broken {
            return (status, json!({"status": "error"}));
        }
        let error = |status: u16, message: &str| {
            let answer = json!({"data": {"message": message}, "error": status.to_string(), "message": message, "status": "error"});
            (status, answer)
        };
        if parts.method != "PUT" {
            return error(405, "method not allowed");
        }
        if parts.headers.get("content-type").is_none_or(|kind| kind != "application/json") {
            return error(415, "unsupported media type");
        }
        let Ok(envelope) = serde_json::from_slice::<Value>(body) else { return error(400, "bad request") };
        let segments: Vec<String> = parts
            .uri
            .path()
            .trim_start_matches('/')
            .split('/')
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8().unwrap().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["v2", "api_auth"] => {
                if envelope["data"]["api_key"] != KEY {
                    return error(401, "invalid_credentials");
                }
                self.logins += 1;
                let token = format!("token-{}", self.logins);
                self.tokens.insert(token.clone());
                (201, json!({"auth_token": token, "data": {"account_id": ACCOUNT}, "status": "success"}))
            }
            ["v2", "accounts", ACCOUNT, "channels", leg] => {
                let token = parts.headers.get("x-auth-token").and_then(|token| token.to_str().ok());
                if token.is_none_or(|token| !self.tokens.contains(token)) {
                    return error(401, "invalid_credentials");
                }
                if !self.channels.contains(*leg) {
                    return error(404, "bad_identifier");
                }
                let action = envelope.get("action").unwrap_or(&envelope["data"]["action"]);
                let flow = &envelope["data"];
                let module = flow["module"].as_str().unwrap_or_default();
                let is_metaflow =
                    action == "metaflow" && (1..=64).contains(&module.len()) && flow["data"].is_object();
                if !is_metaflow {
                    return error(400, "invalid data");
                }
                // What Konami takes: everything else starts a recording.
                let action = flow["data"]["action"].as_str().unwrap_or("start");
                assert!(module == "record_call" && ["stop", "mask"].contains(&action), "{envelope}");
                self.ordered.push(((*leg).to_owned(), action.to_owned()));
                (202, json!({"data": "metaflow sent", "status": "success"}))
            }
            _ => error(404, "bad_identifier"),
        }
    }
}

impl Gateway {
    /// A call with these legs, that is being recorded.
    async fn goes_on_by(&self, call: &str, legs: &[&str]) {
        let started = self.now().checked_sub(jiff::SignedDuration::from_secs(10)).unwrap();
        let body = json!({
            "medium": "telephone", "started_at": started, "purposes": ["quality"], "aliases": legs,
            "participants": [
                {"id": "caller", "role": "customer", "location": "US-CA", "languages": ["en"]},
                {"id": "agent", "role": "agent", "location": "US-CA", "languages": ["en"]},
            ],
        });
        self.recorder.put(&format!("/v1/calls/{call}"), &body).await.expect(201);
        self.prompt(call, &["caller", "agent"]).await;
        self.control(call, "start").await.expect(200);
        self.advance_ms(5000);
    }

    async fn objects(&self, call: &str) {
        self.event(call, &json!({"type": "consent.declined", "participant": "caller"})).await.expect(201);
    }

    /// The entries about suspensions, as what they say of which order.
    async fn suspensions(&self) -> Vec<(String, Value)> {
        let rows = self.rows("acme").await;
        let leaves = rows.iter().map(|row| serde_json::from_slice::<Value>(&row.leaf).unwrap());
        let suspensions = leaves.filter(|leaf| leaf["type"].as_str().unwrap().starts_with("suspension."));
        suspensions
            .map(|leaf| {
                assert_eq!(leaf["actor"]["role"], json!("gateway"));
                (leaf["type"].as_str().unwrap().to_owned(), leaf["body"]["suspension"]["says"].clone())
            })
            .collect()
    }

    async fn verified(&self) {
        self.auditor.get("/v1/log/acme/checkpoint").await;
        let (code, out, err) = self.run(&["audit", "verify", "acme"]);
        assert_eq!(code, 0, "{out}{err}");
    }
}

fn ordered(action: &str) -> (String, Value) {
    ("suspension.ordered".into(), json!({"ordered": {"action": action}}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_is_ordered_at_once_and_confirmed_by_a_report_alone() {
    let crossbar = Crossbar::new(&["a/b c@10.0.0.1", "leg-b"]).await;
    let gateway = crossbar.gateway(OrderedAction::Stop, None).await;
    gateway.goes_on_by("a%2Fb%20c@10.0.0.1", &["leg-b", "leg-gone"]).await;
    gateway.objects("a%2Fb%20c@10.0.0.1").await;
    comes(async || crossbar.ordered().len() == 2).await;
    // Every leg that there is, by its own id; that one is gone keeps nothing from the others.
    let stop = |leg: &str| (leg.to_owned(), "stop".to_owned());
    assert_eq!(crossbar.ordered(), [stop("a/b c@10.0.0.1"), stop("leg-b")]);
    comes(async || crossbar.said().len() == 4).await;
    assert_eq!(crossbar.said(), [201, 202, 202, 404]);
    // It was logged before; that it was passed on confirms nothing.
    assert_eq!(gateway.suspensions().await, [ordered("stop")]);
    let waits = gateway.admin.get("/v1/notifications").await.expect(200);
    comes(async || {
        let waits = gateway.admin.get("/v1/notifications").await.expect(200);
        waits["notifications"][0]["outcome"] == "202"
    })
    .await;
    assert_eq!(waits["notifications"][0]["type"], json!("suspension.ordered"));
    // Not confirmed, it is sent again, with the token that it has.
    gateway.advance_ms(6_000);
    comes(async || crossbar.ordered().len() == 4).await;
    assert_eq!(crossbar.state.lock().unwrap().logins, 1);
    gateway.event("a%2Fb%20c@10.0.0.1", &json!({"type": "recording.stopped"})).await.expect(201);
    gateway.advance_ms(40_000);
    comes(async || gateway.suspensions().await.len() == 2).await;
    let confirmed = json!({"confirmed": {"by": "recording.stopped"}});
    assert_eq!(gateway.suspensions().await[1], ("suspension.confirmed".into(), confirmed));
    comes(async || gateway.admin.get("/v1/notifications").await.expect(200)["waiting"] == 0).await;
    assert_eq!(crossbar.ordered().len(), 4);
    gateway.verified().await;
}

/// A switch that has stopped by itself is told nothing; and nobody is told twice of the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_suspension_is_ordered_once_and_only_if_there_is_one() {
    let crossbar = Crossbar::new(&["c1"]).await;
    let gateway = crossbar.gateway(OrderedAction::Mask, None).await;
    gateway.goes_on_by("c1", &[]).await;
    let transcribe = |action: &str| json!({"action": action, "use": "transcribe"});
    gateway.recorder.post("/v1/calls/c1/recording", &transcribe("start")).await.expect(200);
    gateway.event("c1", &json!({"type": "participant.held", "participant": "agent"})).await.expect(201);
    gateway.objects("c1").await;
    // The same order, until it is followed: that another use has ended makes no new one.
    gateway.recorder.post("/v1/calls/c1/recording", &transcribe("stop")).await.expect(200);
    gateway.event("c1", &json!({"type": "participant.left", "participant": "agent"})).await.expect(201);
    comes(async || !crossbar.ordered().is_empty()).await;
    comes(async || {
        gateway.admin.get("/v1/notifications").await.expect(200)["notifications"][0]["outcome"] == "202"
    })
    .await;
    assert_eq!(crossbar.ordered(), [("c1".to_owned(), "mask".to_owned())]);
    assert_eq!(gateway.suspensions().await, [ordered("mask")]);
    // The call ends: what was taken is over.
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    gateway.advance_ms(6_000);
    comes(async || gateway.suspensions().await.len() == 2).await;
    let confirmed = json!({"confirmed": {"by": "call.ended"}});
    assert_eq!(gateway.suspensions().await[1].1, confirmed);
    // An account without such a platform orders nothing.
    crate::harness::add_account(gateway.gate(), "globex", &AccountSettings::default()).await;
    gateway.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_arrive_is_sent_again_and_fails_with_the_call() {
    let crossbar = Crossbar::new(&["c1", "c2"]).await;
    let gateway = crossbar.gateway(OrderedAction::Stop, None).await;
    crossbar.state.lock().unwrap().broken = Some(503);
    gateway.goes_on_by("c1", &[]).await;
    gateway.objects("c1").await;
    let outcome = async || {
        gateway.admin.get("/v1/notifications").await.expect(200)["notifications"][0]["outcome"].clone()
    };
    comes(async || outcome().await == "503").await;
    // A redirect is none that is followed.
    crossbar.state.lock().unwrap().broken = Some(307);
    gateway.advance_ms(6_000);
    comes(async || outcome().await == "307").await;
    // A key that is wrong, and one that is not there.
    crossbar.state.lock().unwrap().broken = None;
    std::fs::write(crossbar.key_file(), "wrong").unwrap();
    gateway.advance_ms(40_000);
    comes(async || outcome().await == "401").await;
    std::fs::remove_file(crossbar.key_file()).unwrap();
    gateway.advance_ms(150_000);
    comes(async || outcome().await == "api-key-unreadable").await;
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    gateway.advance_ms(700_000);
    comes(async || gateway.suspensions().await.len() == 2).await;
    let failed = json!({"failed": {"outcome": "api-key-unreadable"}});
    assert_eq!(gateway.suspensions().await, [ordered("stop"), ("suspension.failed".into(), failed)]);
    assert!(crossbar.ordered().is_empty());

    // A token that has run out is replaced; and what is granted again is ordered no more.
    std::fs::write(crossbar.key_file(), KEY).unwrap();
    gateway.goes_on_by("c2", &[]).await;
    gateway.objects("c2").await;
    comes(async || outcome().await == "202").await;
    crossbar.state.lock().unwrap().tokens.clear();
    gateway.advance_ms(6_000);
    comes(async || crossbar.ordered().len() == 2).await;
    assert_eq!(crossbar.state.lock().unwrap().logins, 2);
    let yes = json!({"type": "consent.given", "participant": "caller", "prompt": "en", "method": "dtmf"});
    gateway.prompt("c2", &["caller"]).await;
    gateway.event("c2", &yes).await.expect(201);
    gateway.control("c2", "resume").await.expect(200);
    gateway.advance_ms(40_000);
    comes(async || gateway.suspensions().await.len() == 4).await;
    assert_eq!(gateway.suspensions().await[3].1, json!({"failed": {"outcome": "superseded"}}));
    assert_eq!(crossbar.ordered().len(), 2);
    // No secret is in any entry.
    for row in gateway.rows("acme").await {
        let leaf = String::from_utf8(row.leaf).unwrap();
        assert!(!leaf.contains(KEY) && !leaf.contains("token-"), "{leaf}");
    }
    gateway.verified().await;
}

/// Neither waits for the other: an account whose systems do not answer is not recorded for longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_do_not_wait_for_webhooks_nor_webhooks_for_orders() {
    let crossbar = Crossbar::new(&["c1"]).await;
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = crossbar.gateway(OrderedAction::Stop, Some(deaf.local_addr().unwrap())).await;
    gateway.goes_on_by("c1", &[]).await;
    gateway.objects("c1").await;
    comes(async || crossbar.ordered().len() == 1).await;
    let (mut told, _) = deaf.accept().await.unwrap();
    let mut first = [0; 4];
    tokio::io::AsyncReadExt::read_exact(&mut told, &mut first).await.unwrap();
    assert_eq!(&first, b"POST");
}

/// An address that may not be asked is found at the start, not when somebody objects.
#[tokio::test]
async fn an_api_that_may_not_be_asked_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = |api: &str| Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: dir.path().join("data"),
        kazoo: BTreeMap::from([(
            "acme".to_owned(),
            Kazoo {
                api: api.into(),
                account_id: ACCOUNT.into(),
                api_key: dir.path().join("key"),
                action: OrderedAction::Stop,
            },
        )]),
        ..Config::default()
    };
    for api in ["http://crossbar.example:8000", "https://10.0.0.7:8443", "crossbar"] {
        let clock = trail::clock::Clock::manual(crate::harness::START.parse().unwrap());
        let refused = consent_gateway::serve::start(&config(api), clock).await.err().unwrap();
        assert!(refused.to_string().contains("`kazoo.acme.api` cannot be used"), "{api}: {refused}");
    }
}
