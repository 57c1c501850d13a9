//! What accounts are told by their webhooks: signed, in order, again until it is heard, and nothing that was erased.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use consent_gateway::access::{Role, Uploads};
use consent_gateway::config::{Config, Webhooks};
use consent_gateway::gate::{AccountSettings, SetWebhook, Webhook};
use consent_gateway::serve;
use consent_gateway::webhook::{Reach, WebhookUrl};
use hmac::{KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use trail::Actor;

use crate::harness::{Client, Gateway, Process, add_account, comes, customer_key, key_pair_of, run, wav};
use crate::site::{Site, config, now};

/// Somebody's system that is told.
struct Receiver {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    answers: Arc<Mutex<VecDeque<Says>>>,
}

/// A message as it came.
#[derive(Debug, Clone)]
struct Heard {
    id: String,
    seconds: String,
    signature: String,
    body: Vec<u8>,
}

/// What it answers.
#[derive(Debug, Clone)]
enum Says {
    Status(u16),
    Elsewhere(String),
    /// Nothing, ever.
    Nothing,
}

impl Receiver {
    async fn new() -> Receiver {
        Receiver::on("127.0.0.1:0").await
    }

    async fn on(address: &str) -> Receiver {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, answers) = (Arc::<Mutex<Vec<Heard>>>::default(), Arc::<Mutex<VecDeque<Says>>>::default());
        let (noting, saying) = (Arc::clone(&heard), Arc::clone(&answers));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (noting, saying) = (Arc::clone(&noting), Arc::clone(&saying));
                let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let (noting, saying) = (Arc::clone(&noting), Arc::clone(&saying));
                    async move {
                        let of = |name| request.headers()[name].to_str().unwrap().to_owned();
                        let (id, seconds, signature) =
                            (of("webhook-id"), of("webhook-timestamp"), of("webhook-signature"));
                        assert_eq!(
                            (request.method().as_str(), of("content-type").as_str()),
                            ("POST", "application/json")
                        );
                        let body = request.into_body().collect().await.unwrap().to_bytes().to_vec();
                        noting.lock().unwrap().push(Heard { id, seconds, signature, body });
                        let says = saying.lock().unwrap().pop_front().unwrap_or(Says::Status(204));
                        let (status, location) = match says {
                            Says::Status(status) => (status, None),
                            Says::Elsewhere(url) => (307, Some(url)),
                            Says::Nothing => std::future::pending().await,
                        };
                        let mut answer = hyper::Response::builder().status(status);
                        if let Some(location) = location {
                            answer = answer.header("location", location);
                        }
                        Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(b"thanks"))).unwrap())
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Receiver { address, heard, answers }
    }

    fn url(&self) -> String {
        format!("http://{}/consent?token=hidden", self.address)
    }

    fn settings(&self) -> AccountSettings {
        let url = WebhookUrl::parse(&self.url(), Reach::Anywhere).unwrap();
        AccountSettings { webhook: Webhook::first(url), ..AccountSettings::default() }
    }

    fn will_say(&self, says: &[Says]) {
        self.answers.lock().unwrap().extend(says.iter().cloned());
    }

    fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn types(&self) -> Vec<String> {
        self.all().iter().map(|heard| heard.json()["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits for so many messages.
    async fn hears(&self, count: usize) -> Vec<Heard> {
        comes(async || self.all().len() >= count).await;
        self.all()
    }
}

impl Heard {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether one of its signatures is by this secret.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", self.id, self.seconds).as_bytes());
        mac.update(&self.body);
        let signature = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        self.signature.split(' ').any(|one| one == signature)
    }
}

fn anywhere() -> Config {
    Config { webhooks: Webhooks { allow_private: true }, ..Config::default() }
}

impl Gateway {
    async fn telling(receiver: &Receiver) -> Gateway {
        Gateway::with(anywhere(), receiver.settings()).await
    }

    /// A call that is being recorded from now on.
    async fn goes_on(&self, call: &str) -> jiff::Timestamp {
        self.open(call, "US-CA").await;
        self.prompt(call, &["caller", "agent"]).await;
        self.control(call, "start").await.expect(200);
        self.now()
    }

    async fn keeps(&self, call: &str) -> String {
        let from = self.goes_on(call).await;
        self.advance_ms(1_000);
        let stored = self.upload(call, "a", Some(from), &wav(1_000)).await.expect(201);
        stored["id"].as_str().unwrap().to_owned()
    }

    async fn left(&self) -> Value {
        self.admin.get("/v1/notifications").await.expect(200)
    }

    /// Waits until every notification has come to an end.
    async fn has_told_all(&self) {
        comes(async || self.left().await["waiting"] == 0).await;
    }
}

#[tokio::test]
async fn an_account_is_told_what_becomes_of_a_recording_in_order_and_signed() {
    let receiver = Receiver::new().await;
    let gateway = Gateway::telling(&receiver).await;
    let id = gateway.keeps("c1").await;
    let path = format!("/v1/recordings/{id}");
    gateway.counsel.put(&format!("{path}/hold"), &json!({})).await.expect(200);
    gateway.counsel.delete(&format!("{path}/hold")).await.expect(200);
    gateway.admin.delete(&path).await.expect(204);
    let heard = receiver.hears(4).await;
    assert_eq!(receiver.types(), ["recording.stored", "hold.set", "hold.lifted", "recording.deleted"]);
    let secret = gateway.gate().webhook_secret("acme", 1).expose();
    let rows = gateway.rows("acme").await;
    for message in &heard {
        assert!(message.is_signed_with(&secret), "{message:?}");
        let told = message.json();
        assert_eq!(
            (&told["data"]["account"], &told["data"]["call"]),
            (&json!("acme"), &json!("c1")),
            "{told}"
        );
        assert_eq!(told["data"]["recording"]["id"], id.as_str(), "{told}");
        // The id is that of the entry.
        assert_eq!(told["data"]["entry"], message.id.as_str());
        let entry = |row: &&consent_gateway::ledger::EntryRow| {
            serde_json::from_slice::<Value>(&row.leaf).unwrap()["id"] == message.id.as_str()
        };
        let entry: Value = serde_json::from_slice(&rows.iter().find(entry).unwrap().leaf).unwrap();
        assert_eq!(told["timestamp"], entry["at"]);
    }
    gateway.has_told_all().await;
    assert_eq!(gateway.left().await["notifications"], json!([]));
    assert_eq!(receiver.all().len(), 4);
}

#[tokio::test]
async fn what_was_stored_and_refused_is_described_without_the_keys() {
    let receiver = Receiver::new().await;
    let gateway = Gateway::telling(&receiver).await;
    let from = gateway.goes_on("c1").await;
    gateway.advance_ms(1_000);
    let stored = gateway.upload("c1", "a", Some(from), &wav(1_000)).await.expect(201);
    // An order overtakes what still waits.
    receiver.hears(1).await;
    gateway.happens_to("c1", "consent.withdrawn").await;
    gateway.advance_ms(5_000);
    let refused = gateway.upload("c1", "b", Some(gateway.now()), &wav(4_000)).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let heard = receiver.hears(3).await;
    assert_eq!(receiver.types(), ["recording.stored", "recording.suspended", "recording.refused"]);
    let told = heard[0].json()["data"]["recording"].clone();
    for member in ["id", "call", "name", "recorded_from", "recorded_until", "duration_ms", "media"] {
        assert_eq!(told[member], stored[member], "{member}");
    }
    assert!(told.get("envelope").is_none(), "{told}");
    let told = heard[2].json()["data"].clone();
    assert_eq!((&told["code"], &told["name"]), (&refused.json()["code"], &json!("b")), "{told}");
    assert_eq!(told["discarded"], json!(false), "{told}");
}

#[tokio::test]
async fn an_upload_that_does_not_come_is_told_after_a_while() {
    let receiver = Receiver::new().await;
    let gateway = Gateway::telling(&receiver).await;
    // One that came, one that was refused, and one of which nothing came.
    gateway.keeps("c1").await;
    gateway.control("c1", "stop").await.expect(200);
    let from = gateway.goes_on("c2").await;
    gateway.advance_ms(1_000);
    gateway.control("c2", "stop").await.expect(200);
    gateway.advance_ms(20_000);
    let late = gateway.upload("c2", "a", Some(from), &wav(9_000)).await;
    assert_eq!(late.status, 403, "{}", late.text());
    let from = gateway.goes_on("c3").await;
    gateway.advance_ms(1_000);
    gateway.control("c3", "stop").await.expect(200);
    let until = gateway.now();
    gateway.event("c3", &json!({"type": "call.ended"})).await.expect(201);
    receiver.hears(2).await;
    gateway.has_told_all().await;
    // Not a moment too early.
    gateway.advance_ms(3_590_000);
    gateway.has_told_all().await;
    assert_eq!(receiver.types(), ["recording.stored", "recording.refused"]);
    gateway.advance_ms(20_000);
    let told = receiver.hears(3).await[2].json();
    assert_eq!((&told["type"], &told["data"]["call"]), (&json!("upload.overdue"), &json!("c3")), "{told}");
    let at = |moment: &Value| moment.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let windows = told["data"]["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 1, "{told}");
    assert_eq!((at(&windows[0]["from"]), at(&windows[0]["until"])), (from, until), "{told}");
    comes(async || gateway.left().await["waiting"] == 0).await;
    assert_eq!(receiver.all().len(), 3);
}

#[tokio::test]
async fn what_a_switch_is_not_told_its_owner_is() {
    let receiver = Receiver::new().await;
    let gateway = Gateway::telling(&receiver).await;
    let uploads = Uploads {
        coverage: policy::CoverageBasis::Lawful,
        on_refusal: trail::OnRefusal::Discard,
        ..Uploads::default()
    };
    let (actor, role) = (Actor::command_line(), Role::Uploader);
    let new = gateway.gate().add_credential_for(&actor, "acme", role, "switch", None, uploads).await.unwrap();
    let switch = Client::new(gateway.running.address, &new);
    let sends = async |call: &str, number: u8, begun: jiff::Timestamp| {
        let start = begun.as_second() + 62_167_219_200;
        let query = format!("call_id={call}&start={start}&duration_ms=1000&recording_id=202611-{number}");
        switch.upload(&format!("/kazoo/acme/a.mp3?{query}"), &[], &wav(1_000)).await.status
    };
    // Nobody was told of recording: three are discarded, on two days.
    gateway.open("c1", "US-CA").await;
    let begun = gateway.now();
    gateway.advance_ms(4_000);
    assert_eq!([sends("c1", 1, begun).await, sends("c1", 2, begun).await], [200, 200]);
    receiver.hears(2).await;
    gateway.advance_ms(14 * 3_600_000);
    let begun = gateway.now().checked_sub(jiff::SignedDuration::from_secs(4)).unwrap();
    assert_eq!(sends("c1", 3, begun).await, 200);
    let told = receiver.hears(4).await;
    let daily = told.iter().map(Heard::json).find(|told| told["type"] == "uploads.discarded").unwrap();
    assert_eq!(
        (&daily["data"]["day"], &daily["data"]["count"]),
        (&json!("2026-11-20"), &json!(2)),
        "{daily}"
    );
    assert!(daily["data"]["entry"].is_null(), "{daily}");
    // One that nobody can match waits, and is destroyed in the end.
    assert_eq!(sends("nobodys", 4, begun).await, 202);
    let waits = receiver.hears(5).await[4].json();
    assert_eq!(
        (&waits["type"], &waits["data"]["reason"]),
        (&json!("recording.quarantined"), &json!("unknown-call"))
    );
    let until: jiff::Timestamp = waits["data"]["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(until.duration_since(gateway.now()).as_secs(), 3600, "{waits}");
    gateway.advance_ms(3_600_000);
    gateway.gate().end_quarantines(&Actor::gateway()).await.unwrap();
    let ended = receiver.hears(6).await[5].json();
    assert_eq!(
        (&ended["type"], &ended["data"]["because"]),
        (&json!("recording.destroyed"), &json!("expired"))
    );
    assert_eq!(ended["data"]["recording"], json!({"id": waits["data"]["recording"]["id"]}));
    // The second day has one; each day is told once.
    gateway.advance_ms(24 * 3_600_000);
    let daily = receiver.hears(7).await[6].json();
    assert_eq!(
        (&daily["data"]["day"], &daily["data"]["count"]),
        (&json!("2026-11-21"), &json!(1)),
        "{daily}"
    );
    gateway.has_told_all().await;
    assert_eq!(receiver.all().len(), 7);
}

#[tokio::test]
async fn every_use_that_is_to_end_is_told_and_what_has_ended_brings_no_new_message() {
    let receiver = Receiver::new().await;
    let gateway = Gateway::telling(&receiver).await;
    let asks = async |call: &str, action: &str| {
        let body = json!({"action": action, "use": "transcribe"});
        gateway.recorder.post(&format!("/v1/calls/{call}/recording"), &body).await.expect(200);
    };
    gateway.goes_on("c1").await;
    asks("c1", "start").await;
    gateway.happens_to("c1", "consent.declined").await;
    let told = receiver.hears(1).await[0].json();
    assert_eq!((&told["type"], &told["data"]["action"]), (&json!("recording.suspended"), &json!("pause")));
    let both = json!([{"use": "record", "action": "pause"}, {"use": "transcribe", "action": "pause"}]);
    assert_eq!(told["data"]["uses"], both, "{told}");
    // One of them is ended, then the other: nothing is to be done that was not told.
    asks("c1", "stop").await;
    gateway.control("c1", "stop").await.expect(200);
    gateway.goes_on("c2").await;
    gateway.control("c2", "stop").await.expect(200);
    asks("c2", "start").await;
    gateway.happens_to("c2", "consent.declined").await;
    let told = receiver.hears(2).await[1].json();
    assert_eq!((&told["type"], &told["data"]["call"]), (&json!("use.suspended"), &json!("c2")), "{told}");
    assert_eq!(told["data"]["uses"], json!([{"use": "transcribe", "action": "pause"}]));
    assert_eq!(told["data"].get("action"), None);
    gateway.has_told_all().await;
    assert_eq!(receiver.all().len(), 2);
}

#[tokio::test]
async fn a_further_recipient_is_told() {
    let receiver = Receiver::new().await;
    let gateway = Gateway::telling(&receiver).await;
    let [_, further] = key_pair_of("further");
    gateway.gate().add_key(&Actor::command_line(), "acme", &further).await.unwrap();
    let told = receiver.hears(1).await[0].json();
    assert_eq!(told["type"], "recipient.added");
    let secret = gateway.gate().webhook_secret("acme", 1).expose();
    assert!(receiver.all()[0].is_signed_with(&secret));
}

impl Gateway {
    async fn happens_to(&self, call: &str, kind: &str) {
        self.event(call, &json!({"type": kind, "participant": "caller"})).await.expect(201);
    }
}

#[tokio::test]
async fn an_order_to_suspend_is_told_once_until_it_is_followed() {
    let receiver = Receiver::new().await;
    let gateway = Gateway::telling(&receiver).await;
    gateway.goes_on("c1").await;
    gateway.happens_to("c1", "consent.declined").await;
    let told = receiver.hears(1).await[0].json();
    assert_eq!(told["type"], "recording.suspended");
    assert_eq!((&told["data"]["call"], &told["data"]["action"]), (&json!("c1"), &json!("pause")), "{told}");
    // It is still to pause: nothing new.
    gateway.happens_to("c1", "prompt.interrupted").await;
    gateway.control("c1", "pause").await.expect(200);
    // Somebody who is not told of it joins another call, which is recorded.
    gateway.goes_on("c2").await;
    let stranger = json!({"id": "third", "role": "customer", "location": "US-CA", "languages": ["en"]});
    gateway.recorder.post("/v1/calls/c2/participants", &stranger).await.expect(201);
    let heard = receiver.hears(2).await;
    gateway.has_told_all().await;
    assert_eq!(receiver.types(), ["recording.suspended", "recording.suspended"]);
    assert_eq!(heard[1].json()["data"]["call"], "c2");
}

#[tokio::test]
async fn a_receiver_that_fails_is_told_again_and_the_call_s_next_message_waits() {
    let receiver = Receiver::new().await;
    receiver.will_say(&[Says::Status(500), Says::Status(410)]);
    let gateway = Gateway::telling(&receiver).await;
    let id = gateway.keeps("c1").await;
    receiver.hears(1).await;
    gateway.counsel.put(&format!("/v1/recordings/{id}/hold"), &json!({})).await.expect(200);
    let tried = async |attempts: u64| {
        comes(async || gateway.left().await["notifications"][0]["attempts"] == attempts).await;
        gateway.left().await
    };
    let left = tried(1).await;
    assert_eq!((&left["waiting"], &left["failed"]), (&json!(2), &json!(0)));
    let first = &left["notifications"][0];
    assert_eq!((&first["type"], &first["outcome"]), (&json!("recording.stored"), &json!("500")), "{left}");
    assert!(!left.to_string().contains("\"c1\""), "{left}");
    // Between five seconds and half a second more.
    gateway.advance_ms(5_600);
    assert_eq!(tried(2).await["notifications"][0]["outcome"], "410");
    assert_eq!(receiver.types(), ["recording.stored", "recording.stored"]);
    gateway.advance_ms(33_100);
    let heard = receiver.hears(4).await;
    assert_eq!(receiver.types()[2..], ["recording.stored", "hold.set"]);
    // Every attempt has the same id, and is signed for its own time.
    let [first, second, third] = [&heard[0], &heard[1], &heard[2]];
    assert!(first.id == second.id && second.id == third.id && first.seconds != third.seconds);
    let secret = gateway.gate().webhook_secret("acme", 1).expose();
    assert!(heard.iter().all(|message| message.is_signed_with(&secret)));
    gateway.has_told_all().await;
}

#[tokio::test]
async fn what_is_not_heard_for_three_days_is_given_up_and_can_be_tried_again() {
    let receiver = Receiver::new().await;
    receiver.will_say(&vec![Says::Status(503); 100]);
    let gateway = Gateway::telling(&receiver).await;
    let id = gateway.keeps("c1").await;
    let mut attempts = 0;
    comes(async || {
        let left = gateway.left().await;
        let tried = left["notifications"][0]["attempts"].as_u64().unwrap();
        if tried > attempts {
            attempts = tried;
            gateway.advance_ms(5 * 3_600_000);
        }
        left["failed"] == 1
    })
    .await;
    let left = gateway.left().await;
    assert_eq!((&left["waiting"], &left["oldest"]), (&json!(0), &Value::Null), "{left}");
    let given_up = &left["notifications"][0];
    assert!(given_up["failed_at"].is_string() && given_up["next_at"].is_null(), "{left}");
    receiver.answers.lock().unwrap().clear();
    // What comes later no longer waits for it.
    gateway.counsel.put(&format!("/v1/recordings/{id}/hold"), &json!({})).await.expect(200);
    gateway.has_told_all().await;
    assert_eq!(receiver.types().last().unwrap(), "hold.set");
    let again = format!("/v1/notifications/{}/retry", given_up["id"].as_str().unwrap());
    gateway.auditor.post(&again, &json!({})).await.problem(403, "wrong-role");
    gateway.admin.post(&again, &json!({})).await.expect(200);
    comes(async || gateway.left().await["notifications"] == json!([])).await;
    assert_eq!(receiver.types().last().unwrap(), "recording.stored");
    gateway.admin.post(&again, &json!({})).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_was_given_up_is_forgotten_after_thirty_days() {
    let receiver = Receiver::new().await;
    receiver.will_say(&vec![Says::Status(503); 100]);
    let gateway = Gateway::telling(&receiver).await;
    gateway.keeps("c1").await;
    let mut attempts = 0;
    comes(async || {
        let left = gateway.left().await;
        let tried = left["notifications"][0]["attempts"].as_u64().unwrap();
        if tried > attempts {
            attempts = tried;
            gateway.advance_ms(5 * 3_600_000);
        }
        left["failed"] == 1
    })
    .await;
    let left = gateway.left().await;
    let id = left["notifications"][0]["id"].as_str().unwrap().to_owned();
    gateway.advance_ms(30 * 24 * 3_600_000 - 5 * 3_600_000);
    gateway.gate().forget_given_up().await.unwrap();
    assert_eq!(gateway.left().await, left, "not yet");
    // The gateway does it by itself.
    gateway.advance_ms(6 * 3_600_000);
    comes(async || gateway.left().await["failed"] == 0).await;
    assert_eq!(gateway.left().await["notifications"], json!([]));
    let again = format!("/v1/notifications/{id}/retry");
    gateway.admin.post(&again, &json!({})).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_nobody_else_and_no_upload() {
    let (silent, prompt) = (Receiver::new().await, Receiver::new().await);
    silent.will_say(&vec![Says::Nothing; 100]);
    let mut gateway = Gateway::telling(&silent).await;
    let people = add_account(gateway.gate(), "globex", &prompt.settings()).await;
    customer_key(gateway.gate(), gateway.dir.path(), "globex").await;
    for call in ["c1", "c2", "c3", "c4", "c5", "c6"] {
        gateway.keeps(call).await;
    }
    silent.hears(4).await;
    let recorder = people.iter().find(|new| new.role == Role::Recorder).unwrap();
    gateway.recorder = Client::new(gateway.running.address, recorder);
    gateway.keeps("c1").await;
    assert_eq!(prompt.hears(1).await[0].json()["data"]["account"], "globex");
    // No more than a few wait for the one that is silent.
    assert_eq!(silent.all().len(), 4);
    comes(async || gateway.left().await["notifications"][0]["outcome"] == "timeout").await;
}

#[tokio::test]
async fn two_gateways_on_one_ledger_tell_everything_once() {
    let receiver = Receiver::new().await;
    let gateway = Gateway::telling(&receiver).await;
    let config = Config { webhooks: anywhere().webhooks, ..gateway.config() };
    let other = serve::start(&config, gateway.clock.clone()).await.unwrap();
    for call in 0..8 {
        gateway.keeps(&format!("c{call}")).await;
    }
    receiver.hears(8).await;
    gateway.has_told_all().await;
    let ids: BTreeSet<String> = receiver.all().into_iter().map(|heard| heard.id).collect();
    assert_eq!((ids.len(), receiver.all().len()), (8, 8));
    other.stop().await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (receiver, elsewhere) = (Receiver::new().await, Receiver::new().await);
    receiver.will_say(&[Says::Elsewhere(elsewhere.url())]);
    let gateway = Gateway::telling(&receiver).await;
    gateway.keeps("c1").await;
    comes(async || gateway.left().await["notifications"][0]["outcome"] == "307").await;
    assert!(elsewhere.all().is_empty());
}

#[tokio::test]
async fn an_address_of_this_network_is_refused_as_it_stands_and_as_a_name_leads_there() {
    let receiver = Receiver::new().await;
    let port = receiver.address.port();
    for text in
        [&format!("http://127.0.0.1:{port}/"), &format!("https://127.0.0.1:{port}/"), "https://10.0.0.1/"]
    {
        assert!(WebhookUrl::parse(text, Reach::Public).is_err(), "{text}");
    }
    let url = WebhookUrl::parse(&format!("https://localhost:{port}/"), Reach::Public).unwrap();
    let settings = AccountSettings { webhook: Webhook::first(url), ..AccountSettings::default() };
    let gateway = Gateway::with(Config::default(), settings).await;
    gateway.keeps("c1").await;
    comes(async || gateway.left().await["notifications"][0]["outcome"] == "address-refused").await;
    assert!(receiver.all().is_empty());
}

#[tokio::test]
async fn what_is_erased_before_it_is_told_is_not_told() {
    let receiver = Receiver::new().await;
    receiver.will_say(&[Says::Status(500)]);
    let gateway = Gateway::telling(&receiver).await;
    gateway.open("zq-call", "US-CA").await;
    let refused = gateway.upload("zq-call", "zq-name", Some(gateway.now()), &wav(1_000)).await;
    assert!(refused.status == 403, "{}", refused.text());
    assert!(String::from_utf8_lossy(&receiver.hears(1).await[0].body).contains("zq-call"));
    comes(async || gateway.left().await["notifications"][0]["attempts"] == 1).await;
    gateway.event("zq-call", &json!({"type": "call.ended"})).await.expect(201);
    let erase = json!({"participant": "caller", "recordings": "delete", "reason": "request 4711"});
    gateway.counsel.post("/v1/erasures", &erase).await.expect(200);
    gateway.advance_ms(5_600);
    let heard = receiver.hears(2).await;
    let text = String::from_utf8_lossy(&heard[1].body).into_owned();
    assert!(!text.contains("zq-"), "{text}");
    let told = heard[1].json();
    assert_eq!((&told["data"]["call"], &told["data"]["name"]), (&Value::Null, &Value::Null));
    assert_eq!(told["data"]["code"], refused.json()["code"]);
}

#[tokio::test]
async fn an_account_without_a_webhook_has_nothing_queued() {
    let gateway = Gateway::start().await;
    gateway.keeps("c1").await;
    gateway.happens_to("c1", "consent.withdrawn").await;
    let left = gateway.left().await;
    assert_eq!(left, json!({"waiting": 0, "oldest": null, "failed": 0, "notifications": []}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_set_changed_and_removed_and_so_is_its_secret() {
    let receiver = Receiver::new().await;
    let gateway = Gateway::with(anywhere(), AccountSettings::default()).await;
    let set = async |change: SetWebhook| {
        let (now, secret) =
            gateway.gate().set_webhook(&Actor::command_line(), "acme", &change).await.unwrap();
        (now.generation, secret.map(|secret| secret.expose().to_string()))
    };
    let at = || SetWebhook::At(WebhookUrl::parse(&receiver.url(), Reach::Anywhere).unwrap());
    assert!(
        gateway.gate().set_webhook(&Actor::command_line(), "acme", &SetWebhook::NewSecret).await.is_err()
    );
    let (generation, first) = set(at()).await;
    let first = first.unwrap();
    assert!(generation == 1 && first.starts_with("whsec_"));
    gateway.keeps("c1").await;
    assert!(receiver.hears(1).await[0].is_signed_with(&first));
    // The secret stays, and is not shown again.
    assert_eq!(set(at()).await, (1, None));
    let (generation, second) = set(SetWebhook::NewSecret).await;
    let second = second.unwrap();
    assert!(generation == 2 && first != second);
    gateway.keeps("c2").await;
    let heard = receiver.hears(2).await;
    assert!(heard[1].is_signed_with(&first) && heard[1].is_signed_with(&second));
    gateway.advance_ms(25 * 3_600_000);
    gateway.keeps("c3").await;
    let heard = receiver.hears(3).await;
    assert!(!heard[2].is_signed_with(&first) && heard[2].is_signed_with(&second));
    assert_eq!(set(SetWebhook::Off).await, (2, None));
    gateway.keeps("c4").await;
    gateway.has_told_all().await;
    let (generation, third) = set(at()).await;
    assert!(generation == 3 && ![first, second].contains(&third.unwrap()));
    assert_eq!(receiver.all().len(), 3);
    // Who did it is logged, and nothing that may be secret.
    let rows = gateway.rows("acme").await;
    let leaves = rows.iter().map(|row| serde_json::from_slice::<Value>(&row.leaf).unwrap());
    let said: Vec<Value> = leaves
        .filter(|leaf| leaf["type"] == "account.webhook")
        .map(|leaf| leaf["body"]["account_webhook"].clone())
        .collect();
    let generation = |on: bool, generation: u32| json!({"on": on, "generation": generation});
    assert_eq!(said, [generation(true, 1), generation(true, 2), generation(false, 2), generation(true, 3)]);
    assert!(!rows.iter().filter_map(|row| row.document.as_deref()).any(|text| text.contains("hidden")));
}

/// A gateway dies between the entry and its delivery; the next one delivers. Other people's programs verify what comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_logged_before_a_crash_is_told_after_it_and_others_verify_it() {
    let site = Site::new().await;
    let receiver = Receiver::new().await;
    // Nothing is delivered before the crash.
    receiver.will_say(&vec![Says::Nothing; 100]);
    let file = config(site.dir.path(), "[webhooks]\nallow_private = true\n");
    let data = site.data.to_str().unwrap();
    let options = ["--json", "--config", &file, "--data", data];
    let (code, out, err) =
        run(&[&["account", "set", "acme", "--webhook", &receiver.url()][..], &options].concat());
    assert_eq!(code, 0, "{err}");
    let secret = serde_json::from_str::<Value>(&out).unwrap()["webhook_secret"].as_str().unwrap().to_owned();
    let mut process: Process = site.serve(&["--config", &file]);
    let recorder = site.client(&process, Role::Recorder);
    site.record(&recorder, "c1").await;
    let no = json!({"type": "consent.declined", "participant": "caller", "at": now()});
    recorder.post("/v1/calls/c1/events", &no).await.expect(201);
    process.kill();
    receiver.answers.lock().unwrap().clear();
    let before = receiver.all().len();
    let _process = site.serve(&["--config", &file]);
    let heard = receiver.hears(before + 1).await;
    let message = heard.last().unwrap();
    assert_eq!(message.json()["type"], "recording.suspended");
    assert!(message.is_signed_with(&secret));
    assert!(heard.iter().all(|other| other.id == message.id));
    let wrong = another_secret();
    if let Ok(python) = std::env::var("GATEWAY_TEST_PYTHON") {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop/webhook.py");
        verifies(Command::new(python).arg(program), message, &secret, true);
        verifies(
            Command::new(std::env::var("GATEWAY_TEST_PYTHON").unwrap()).arg(program),
            message,
            &wrong,
            false,
        );
    } else {
        eprintln!("skipped: GATEWAY_TEST_PYTHON is unset; tests/run sets it");
    }
    if let Ok(modules) = std::env::var("GATEWAY_TEST_NODE") {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop/webhook.cjs");
        for (secret, fine) in [(&secret, true), (&wrong, false)] {
            verifies(Command::new("node").arg(program).env("NODE_PATH", &modules), message, secret, fine);
        }
    } else {
        eprintln!("skipped: GATEWAY_TEST_NODE is unset; tests/run sets it");
    }
}

/// A secret that nothing was signed with.
fn another_secret() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode([1; 32]))
}

/// Somebody else's program takes a message, or does not.
#[track_caller]
fn verifies(command: &mut Command, message: &Heard, secret: &str, fine: bool) {
    use std::io::Write as _;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let given = json!({
        "secret": secret, "body": String::from_utf8(message.body.clone()).unwrap(),
        "headers": {
            "webhook-id": message.id, "webhook-timestamp": message.seconds, "webhook-signature": message.signature,
        },
    });
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let wanted = if fine { "recording.suspended" } else { "refused" };
    assert_eq!(said.trim(), wanted, "{}", String::from_utf8_lossy(&output.stderr));
}
