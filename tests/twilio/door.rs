//! The gateway between an application and Twilio: what is granted passes, and nothing else captures.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::IntoResponse as _;
use consent_gateway::access::{Role, Uploads};
use consent_gateway::config::{Config, Webhooks};
use consent_gateway::gate::AccountSettings;
use consent_gateway::twilio::signature::is_signed;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use trail::Actor;

use super::double::{Double, Form};
use crate::harness::{Answer, Client, Gateway, wav};

/// A gateway, Twilio behind it, and an application that uses Twilio's library.
pub(super) struct Site {
    pub(super) gateway: Gateway,
    pub(super) twilio: Double,
    pub(super) app: App,
    /// What the application has for Twilio's token.
    pub(super) token: String,
    /// The credential that acts for Twilio.
    username: String,
    client: Client,
}

/// The application's own server.
pub(super) struct App {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    /// What it answers: a content type and a document.
    says: Arc<Mutex<(u16, String, String)>>,
}

/// A request as it came.
#[derive(Debug, Clone)]
struct Heard {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    form: Form,
}

impl Heard {
    fn get(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The parameters of a form.
fn read(text: &str) -> Form {
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decoded(k), decoded(v)))
        .collect()
}

fn written(pairs: &[(&str, &str)]) -> String {
    let encoded = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let all: Vec<String> = pairs.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
    all.join("&")
}

impl App {
    async fn start() -> App {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let says = Arc::new(Mutex::new((200, "text/xml".to_owned(), "<Response/>".to_owned())));
        let (noting, saying) = (Arc::clone(&heard), Arc::clone(&says));
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let form = read(std::str::from_utf8(&body).unwrap());
            noting.lock().unwrap().push(Heard { method, uri, headers, form });
            let (status, kind, text) = saying.lock().unwrap().clone();
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            (status, [("content-type", kind)], text).into_response()
        };
        let router: Router = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        App { address, heard, says }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn says(&self, document: &str) {
        *self.says.lock().unwrap() = (200, "text/xml; charset=utf-8".into(), document.into());
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

pub(super) const PUBLIC: &str = "https://gateway.example.com";
const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const CALL: &str = "CA00000000000000000000000000000001";

impl Site {
    pub(super) async fn new() -> Site {
        let (twilio, app) = (Double::start().await, App::start().await);
        let mut configured = twilio.configured();
        configured.voice_url = Some(serde_json::from_value(json!(app.url("/voice"))).unwrap());
        let config = Config {
            public_url: Some(PUBLIC.into()),
            webhooks: Webhooks { allow_private: true },
            twilio: [("acme".to_owned(), configured)].into(),
            ..Config::default()
        };
        let gateway = Gateway::with(config, AccountSettings::default()).await;
        twilio.follow(&gateway.clock);
        let new = gateway
            .gate()
            .add_credential_for(
                &Actor::command_line(),
                "acme",
                Role::Recorder,
                "the app",
                None,
                Uploads::default(),
            )
            .await
            .unwrap();
        let token = format!("{}.{}", new.username, new.password.expose());
        let client = Client::named(gateway.running.address, &twilio.account_sid, &token);
        Site { gateway, twilio, app, token, username: new.username, client }
    }

    /// The call is answered at Twilio, and open here.
    pub(super) async fn call(&self, place: &str) {
        self.twilio.answer(CALL);
        self.gateway.open(CALL, place).await;
    }

    /// Everybody on the call has heard the prompt.
    async fn told(&self) {
        self.gateway.prompt(CALL, &["caller", "agent"]).await;
    }

    async fn post(&self, rest: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = written(pairs).into();
        self.client.send("POST", &self.twilio.path(rest), &[("content-type", FORM)], body).await
    }

    async fn decision(&self) -> Value {
        self.gateway.recorder.get(&format!("/v1/calls/{CALL}/decision")).await.expect(200)
    }

    /// Twilio posts this to a URL of ours, signed.
    async fn calls_back(&self, url: &str, params: &[(String, String)]) -> Answer {
        self.twilio.call_back(self.gateway.running.address, url, params).await
    }

    fn voice(&self) -> String {
        format!("{PUBLIC}/twilio/acme/voice?by={}", self.username)
    }

    /// What Twilio gets from our voice webhook while the application answers this.
    async fn gets(&self, document: &str) -> String {
        self.app.says(document);
        let answer = self.calls_back(&self.voice(), &incoming()).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        String::from_utf8(answer.body.to_vec()).unwrap()
    }
}

fn incoming() -> Form {
    let said =
        [("CallSid", CALL), ("From", "+15555550100"), ("To", "+15555550101"), ("CallStatus", "ringing")];
    said.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[track_caller]
fn refused(answer: Answer) -> String {
    let told = answer.json();
    assert_eq!(
        (answer.status, told["code"].as_u64(), told["status"].as_u64()),
        (403, Some(62_001), Some(403)),
        "{told}"
    );
    told["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_recording_starts_by_twilio_s_api_once_consent_is_logged_and_is_kept_here_alone() {
    let site = Site::new().await;
    let recordings = format!("Calls/{CALL}/Recordings.json");
    let told = refused(site.post(&recordings, &[]).await);
    assert!(told.contains("knows no such call"), "{told}");
    site.call("US-CA").await;
    let told = refused(site.post(&recordings, &[]).await);
    assert!(told.contains("recording may not start: the consent of `caller` is missing"), "{told}");
    assert!(site.twilio.requests().is_empty(), "nothing has reached Twilio");
    site.told().await;

    let callback = site.app.url("/recorded?tenant=7");
    let asked = [
        ("RecordingStatusCallback", callback.as_str()),
        ("RecordingStatusCallbackEvent", "in-progress"),
        ("RecordingStatusCallbackEvent", "completed"),
        ("RecordingChannels", "mono"),
    ];
    let created = site.post(&recordings, &asked).await.expect(201);
    let recording = created["sid"].as_str().unwrap().to_owned();
    assert_eq!(created["call_sid"], CALL);
    assert_eq!(site.decision().await["recorder"], "running");
    let at_twilio = site.twilio.requests().pop().unwrap();
    assert!(at_twilio.authorized, "with Twilio's own token");
    assert_eq!(at_twilio.all("RecordingChannels"), ["mono"]);
    let ours = at_twilio.all("RecordingStatusCallback")[0].to_owned();
    assert!(ours.starts_with(&format!("{PUBLIC}/twilio/acme/status?by=")), "{ours}");

    site.gateway.advance_ms(5_000);
    site.post(&format!("Calls/{CALL}/Recordings/{recording}.json"), &[("Status", "stopped")])
        .await
        .expect(200);
    assert_eq!(site.decision().await["recorder"], "stopped");
    site.twilio.end(CALL);
    let completed = site.twilio.complete(&recording, wav(4_000));
    // Only what Twilio has signed counts, and once.
    let path = ours.strip_prefix(PUBLIC).unwrap();
    let stranger = Client::stranger(site.gateway.running.address);
    let unsigned = stranger.send("POST", path, &[("content-type", FORM)], "CallSid=CA1".into()).await;
    assert_eq!(unsigned.status, 401);
    for times in ["once", "twice"] {
        assert_eq!(site.calls_back(&ours, &completed).await.status, 204, "told {times}");
        assert_eq!(site.app.heard().len(), 1);
    }

    let kept = site.gateway.listener.get(&format!("/v1/recordings?call={CALL}")).await.expect(200);
    let all = kept["recordings"].as_array().unwrap();
    assert_eq!((all.len(), all[0]["name"].as_str()), (1, Some(recording.as_str())), "{kept}");
    let deleted = site.twilio.requests().iter().filter(|asked| asked.method == "DELETE").count();
    assert!(deleted >= 1, "it is gone at Twilio");
    // The application hears of it as Twilio would tell it, and where it is.
    let heard = site.app.heard().pop().unwrap();
    assert_eq!((heard.method.as_str(), heard.uri.to_string().as_str()), ("POST", "/recorded?tenant=7"));
    let here = format!("{PUBLIC}{}", site.twilio.path(&format!("Recordings/{recording}")));
    assert_eq!(heard.get("RecordingUrl"), Some(here.as_str()));
    let signature = heard.headers["x-twilio-signature"].to_str().unwrap();
    assert!(is_signed(&site.twilio.auth_token, signature, &callback, &heard.form, None));

    // It is described and listed in Twilio's documents; the sealed bytes are for those who may have them.
    let path = site.twilio.path(&format!("Recordings/{recording}.json"));
    let described = site.client.get(&path).await.expect(200);
    assert_eq!((&described["sid"], &described["status"]), (&json!(recording), &json!("completed")));
    assert_eq!(described["duration"], "4");
    let listed = site.client.get(&site.twilio.path("Recordings.json?PageSize=5")).await.expect(200);
    assert_eq!((listed["recordings"].as_array().unwrap().len(), &listed["next_page_uri"]), (1, &Value::Null));
    let of_call = site.client.get(&site.twilio.path(&recordings)).await.expect(200);
    assert_eq!(of_call["recordings"][0]["sid"], json!(recording));
    let media = site.twilio.path(&format!("Recordings/{recording}.wav"));
    assert_eq!(site.client.get(&media).await.status, 400, "nobody says what for");
    let sealed = site.client.get(&format!("{media}?Purpose=quality")).await;
    assert!(sealed.status == 200 && !sealed.body.starts_with(b"RIFF"), "{}", sealed.status);
    assert_eq!(site.client.get(&format!("{media}?Purpose=training")).await.status, 403);
    // Deleted by whoever may.
    assert_eq!(site.client.delete(&path).await.status, 403);
}

#[tokio::test]
async fn what_is_withdrawn_while_it_is_recorded_resumes_no_more_and_is_kept_nowhere() {
    let site = Site::new().await;
    site.call("US-CA").await;
    site.told().await;
    let recordings = format!("Calls/{CALL}/Recordings.json");
    let callback = site.app.url("/recorded");
    let created = site
        .post(
            &recordings,
            &[("RecordingStatusCallback", &callback), ("RecordingStatusCallbackEvent", "completed absent")],
        )
        .await;
    let recording = created.expect(201)["sid"].as_str().unwrap().to_owned();
    site.gateway.advance_ms(2_000);
    let current = format!("Calls/{CALL}/Recordings/Twilio.CURRENT.json");
    site.post(&current, &[("Status", "paused"), ("PauseBehavior", "skip")]).await.expect(200);
    site.gateway
        .recorder
        .post(
            &format!("/v1/calls/{CALL}/events"),
            &json!({"type": "consent.withdrawn", "participant": "caller"}),
        )
        .await
        .expect(201);
    let told = refused(site.post(&current, &[("Status", "in-progress")]).await);
    assert!(told.contains("withdr"), "{told}");
    let told = refused(site.post(&current, &[("Status", "in-progress"), ("status", "stopped")]).await);
    assert!(told.contains("once"), "{told}");
    site.gateway.advance_ms(10_000);
    site.twilio.end(CALL);
    // It went on all the same.
    let completed = site.twilio.complete(&recording, wav(12_000));
    let ours = site
        .twilio
        .requests()
        .iter()
        .find_map(|asked| Some((*asked.all("RecordingStatusCallback").first()?).to_owned()))
        .unwrap();
    assert_eq!(site.calls_back(&ours, &completed).await.status, 204);
    let deleted = || site.twilio.requests().iter().filter(|asked| asked.method == "DELETE").count();
    let kept = async || site.gateway.listener.get("/v1/recordings").await.expect(200)["recordings"].clone();
    assert_eq!((kept().await, deleted()), (json!([]), 1));
    // So is one that was made after that altogether, by something else than the application.
    site.twilio.answer(CALL);
    let own = site.twilio.record(CALL, "OutboundAPI");
    site.gateway.advance_ms(5_000);
    site.twilio.end(CALL);
    let completed = site.twilio.complete(&own, wav(4_000));
    assert_eq!(site.calls_back(&ours, &completed).await.status, 204);
    assert_eq!((kept().await, deleted()), (json!([]), 2));
    let heard = site.app.heard().pop().unwrap();
    assert_eq!((heard.get("RecordingStatus"), heard.get("RecordingUrl")), (Some("absent"), None));
}

#[tokio::test]
async fn what_twilio_does_not_do_is_not_granted_and_what_it_fails_at_comes_again() {
    let site = Site::new().await;
    site.call("US-CA").await;
    site.told().await;
    let recordings = format!("Calls/{CALL}/Recordings.json");
    site.twilio.failing(1);
    assert_eq!(site.post(&recordings, &[]).await.status, 500);
    assert_eq!(site.decision().await["recorder"], "stopped", "it was never recorded");
    let created = site.post(&recordings, &[]).await.expect(201);
    let recording = created["sid"].as_str().unwrap().to_owned();
    site.gateway.advance_ms(5_000);
    site.twilio.end(CALL);
    let completed = site.twilio.complete(&recording, wav(4_000));
    let ours = site.twilio.requests().pop().unwrap().all("RecordingStatusCallback")[0].to_owned();
    site.gateway
        .recorder
        .post(&format!("/v1/calls/{CALL}/events"), &json!({"type": "call.ended"}))
        .await
        .expect(201);
    // Twilio does not hand it out; does not delete it; then all is well, and it is there once.
    for failing in [1, 0] {
        site.twilio.failing(failing);
        let status = site.calls_back(&ours, &completed).await.status;
        assert_eq!(status, if failing == 1 { 502 } else { 204 });
    }
    let kept = site.gateway.listener.get(&format!("/v1/recordings?call={CALL}")).await.expect(200);
    assert_eq!(kept["recordings"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn streams_and_transcriptions_need_a_permit_of_their_own() {
    let site = Site::new().await;
    site.call("US-CA").await;
    for kind in ["Streams", "Siprec", "Transcriptions"] {
        let told = refused(
            site.post(&format!("Calls/{CALL}/{kind}.json"), &[("Url", "wss://listen.example.com")]).await,
        );
        assert!(told.contains("may not start"), "{kind}: {told}");
    }
    refused(site.post(&format!("Calls/{CALL}/Ears.json"), &[]).await);
    assert!(site.twilio.requests().is_empty());
    site.told().await;
    site.post(&format!("Calls/{CALL}/Streams.json"), &[("Url", "wss://listen.example.com")])
        .await
        .expect(200);
    let uses = site.decision().await["uses"].clone();
    assert_eq!((&uses[1]["use"], &uses[1]["recorder"]), (&json!("stream"), &json!("running")), "{uses}");
    site.post(&format!("Calls/{CALL}/Streams/MZ1.json"), &[("Status", "stopped")]).await.expect(200);
    assert_eq!(site.decision().await["uses"][1]["recorder"], "stopped");
}

#[tokio::test]
async fn a_call_is_placed_without_what_would_record_it() {
    let site = Site::new().await;
    let script = "<Response><Say>Hello</Say><Record/></Response>";
    let placed = [
        ("To", "+15555550101"),
        ("From", "+15555550100"),
        ("record", "true"),
        ("RecordingChannels", "dual"),
        ("Twiml", script),
    ];
    site.post("Calls.json", &placed).await.expect(201);
    let sent = site.twilio.requests().pop().unwrap();
    assert_eq!((sent.all("record").len(), sent.all("RecordingChannels").len()), (0, 0));
    assert_eq!(sent.all("Twiml"), ["<Response><Say>Hello</Say></Response>"]);
    let by_url =
        [("To", "+15555550101"), ("From", "+15555550100"), ("Url", "https://app.example.com/go?a=1")];
    site.post("Calls.json", &by_url).await.expect(201);
    let sent = site.twilio.requests().pop().unwrap();
    let ours = read(sent.all("Url")[0].split_once('?').unwrap().1);
    assert!(sent.all("Url")[0].starts_with(&format!("{PUBLIC}/twilio/acme/voice?")));
    assert_eq!(ours[1], ("url".to_owned(), "https://app.example.com/go?a=1".to_owned()));
    refused(site.post("Calls.json", &[("To", "+15555550101"), ("ApplicationSid", "AP1")]).await);
    refused(site.post("Calls.json", &[("Twiml", script), ("Twiml", "<Response/>")]).await);
    let joins = [("To", "+15555550101"), ("Record", "true"), ("ConferenceRecord", "record-from-start")];
    site.post("Conferences/CF1/Participants.json", &joins).await;
    let sent = site.twilio.requests().pop().unwrap();
    assert_eq!(sent.form, [("To".to_owned(), "+15555550101".to_owned())]);
}

#[tokio::test]
async fn nobody_gets_to_twilio_without_a_credential_of_this_account() {
    let site = Site::new().await;
    let path = site.twilio.path("Messages.json");
    let address = site.gateway.running.address;
    let sid = site.twilio.account_sid.as_str();
    for (name, token) in
        [(sid, "wrong"), (sid, site.twilio.auth_token.as_str()), ("AC1", site.token.as_str())]
    {
        let told = Client::named(address, name, token).get(&path).await;
        assert_eq!((told.status, told.json()["code"].as_u64()), (401, Some(20_003)), "{name}");
    }
    for path in
        ["/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json", "/2010-04-01/Other.json"]
    {
        assert_eq!(site.client.get(path).await.status, 404, "{path}");
    }
    assert!(site.twilio.requests().is_empty());
    let passed = site.client.get(&path).await.expect(200);
    assert_eq!(passed, json!({"passed": path}));
    // An XML client is answered in XML.
    let told = site
        .client
        .send("POST", &site.twilio.path(&format!("Calls/{CALL}/Recordings")), &[], "".into())
        .await;
    let text = String::from_utf8(told.body.to_vec()).unwrap();
    assert!(told.status == 403 && text.contains("<Code>62001</Code>"), "{text}");
}

#[tokio::test]
async fn a_document_passes_without_what_is_not_granted() {
    let site = Site::new().await;
    // Of a call that nobody opened, nothing is captured.
    let plain = "<?xml version=\"1.0\"?>\n<Response><!-- as it is --><Say>Hello</Say></Response>";
    assert_eq!(site.gets(plain).await, plain, "byte for byte");
    let captures = "<Response><Start><Stream url=\"wss://x.example\"/></Start><Dial record=\"true\"><Number>+15555550101</Number></Dial></Response>";
    let stripped = site.gets(captures).await;
    assert!(!stripped.contains("Stream") && !stripped.contains("record"), "{stripped}");
    assert!(stripped.contains("<Number>+15555550101</Number>"), "{stripped}");
    let heard = site.app.heard().pop().unwrap();
    assert_eq!(heard.get("CallSid"), Some(CALL));
    let signature = heard.headers["x-twilio-signature"].to_str().unwrap();
    assert!(is_signed(&site.twilio.auth_token, signature, &site.app.url("/voice"), &heard.form, None));

    // Once it is granted, recording passes, and Twilio tells us of the file; what is not granted still does not.
    site.call("US-CA").await;
    site.told().await;
    let recorded = site
        .gets("<Response><Dial record=\"record-from-answer\" recordingStatusCallback=\"/done\"/></Response>")
        .await;
    assert!(recorded.contains("record=\"record-from-answer\""), "{recorded}");
    let ours = recorded.split("recordingStatusCallback=\"").nth(1).unwrap().split('"').next().unwrap();
    let query = read(&ours.split_once('?').unwrap().1.replace("&amp;", "&"));
    assert!(ours.starts_with(&format!("{PUBLIC}/twilio/acme/status?")), "{ours}");
    assert_eq!(query[1], ("url".to_owned(), site.app.url("/done")));
    assert_eq!(site.decision().await["recorder"], "running");

    // Whatever follows is fetched through us.
    let next = site.gets("<Response><Gather action=\"next?x=1&amp;y=2\"/><Redirect method=\"GET\">https://other.example/a</Redirect></Response>").await;
    let links: Vec<Form> = next
        .split(&format!("{PUBLIC}/twilio/acme/voice?"))
        .skip(1)
        .map(|rest| read(&rest.split(['"', '<']).next().unwrap().replace("&amp;", "&")))
        .collect();
    assert_eq!(links[0][1].1, site.app.url("/next?x=1&y=2"));
    assert_eq!(links[1][1].1, "https://other.example/a");

    // What cannot be read, or is too long, captures nothing.
    let broken = site.gets("<Response><Record></Response>").await;
    assert!(broken.contains("<Hangup/>") && !broken.contains("Record"), "{broken}");
    let long = format!("<Response><Say>{}</Say><Record/></Response>", "a".repeat(70_000));
    assert!(!site.gets(&long).await.contains("Record"));
}

#[tokio::test]
async fn a_document_is_judged_for_twilio_alone_and_captures_nothing_where_nobody_acts() {
    let site = Site::new().await;
    site.call("US-CA").await;
    site.told().await;
    let voice = site.voice();
    let stranger = Client::stranger(site.gateway.running.address);
    let path = voice.strip_prefix(PUBLIC).unwrap();
    assert_eq!(
        stranger.send("POST", path, &[("content-type", FORM)], "CallSid=CA1".into()).await.status,
        401
    );
    assert!(site.app.heard().is_empty());
    // Two credentials could act, and none is named; one that is revoked, or is not there.
    for url in
        [format!("{PUBLIC}/twilio/acme/voice"), format!("{PUBLIC}/twilio/acme/voice?by=cg_0000000000000000")]
    {
        site.app.says("<Response><Record/><Say>Bye</Say></Response>");
        let answer = site.calls_back(&url, &incoming()).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(answer.status == 200 && !text.contains("Record") && text.contains("Bye"), "{text}");
    }
    assert_eq!(site.decision().await["recorder"], "idle");
    // The call goes on all the same, through us.
    site.app.says("<Response><Gather action=\"/next\"/></Response>");
    let url = format!("{PUBLIC}/twilio/acme/voice?by=cg_0000000000000000");
    let text = String::from_utf8(site.calls_back(&url, &incoming()).await.body.to_vec()).unwrap();
    assert!(text.contains(&url) && text.contains("next"), "{text}");
}

/// Twilio's own libraries.
enum Library {
    Python,
    Node,
}

impl Library {
    /// Runs a step by it; nothing, where it is not installed.
    fn does(&self, site: &Site, step: &str, more: &[&str]) -> Option<String> {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop");
        let (variable, program) = match self {
            Library::Python => ("GATEWAY_TEST_PYTHON", "twilio_client.py"),
            Library::Node => ("GATEWAY_TEST_NODE", "twilio_client.cjs"),
        };
        let Ok(installed) = std::env::var(variable) else {
            eprintln!("skipped: {variable} is unset; tests/run sets it");
            return None;
        };
        let runs = match self {
            Library::Python => installed.clone(),
            Library::Node => "node".to_owned(),
        };
        let base = format!("http://{}", site.gateway.running.address);
        let output = std::process::Command::new("timeout")
            .args([
                "120",
                &runs,
                &format!("{here}/{program}"),
                &base,
                &site.twilio.account_sid,
                &site.token,
                CALL,
                step,
            ])
            .args(more)
            .env("NODE_PATH", &installed)
            .env_remove("TWILIO_EDGE")
            .env_remove("TWILIO_REGION")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(output.status.success(), "{step}: {told}{}", String::from_utf8_lossy(&output.stderr));
        Some(told)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twilio_s_own_libraries_work_with_nothing_but_another_base_url() {
    for library in [Library::Python, Library::Node] {
        let site = Site::new().await;
        site.twilio.answer(CALL);
        if library.does(&site, "refused", &[]).is_none() {
            continue;
        }
        site.call("US-CA").await;
        library.does(&site, "refused", &[]);
        assert!(site.twilio.requests().is_empty());
        site.told().await;
        let recording = library.does(&site, "records", &[&site.app.url("/recorded")]).unwrap();
        site.gateway.advance_ms(5_000);
        library.does(&site, "stops", &[&recording]);
        let asked = site.twilio.requests();
        let ours =
            asked.iter().find_map(|asked| asked.all("RecordingStatusCallback").first().copied()).unwrap();
        site.twilio.end(CALL);
        let completed = site.twilio.complete(&recording, wav(4_000));
        assert_eq!(site.calls_back(ours, &completed).await.status, 204);
        library.does(&site, "reads", &[&recording]);
        library.does(&site, "places", &["https://app.example.com/go"]);
        let placed = site.twilio.requests().pop().unwrap();
        assert_eq!(placed.all("Record").len(), 0, "{placed:?}");
        assert!(placed.all("Url")[0].starts_with(PUBLIC));
        // Its validator accepts what we sign in Twilio's name.
        let heard = site.app.heard().pop().unwrap();
        let signature = heard.headers["x-twilio-signature"].to_str().unwrap();
        let told = json!({"token": site.twilio.auth_token, "signature": signature, "url": site.app.url("/recorded"), "params": heard.form});
        library.does(&site, "validates", &[&told.to_string()]);
    }
}

#[tokio::test]
async fn nothing_that_opens_the_account_or_leads_calls_elsewhere_passes() {
    let site = Site::new().await;
    let account = format!("/2010-04-01/Accounts/{}.json", site.twilio.account_sid);
    refused(site.client.get(&account).await);
    for (rest, pairs) in [
        ("Keys.json", &[("FriendlyName", "mine")][..]),
        ("SigningKeys.json", &[]),
        ("IncomingPhoneNumbers/PN1.json", &[("VoiceUrl", "https://app.example.com/mine")]),
        ("Applications.json", &[("voiceurl", "https://app.example.com/mine")]),
        ("IncomingPhoneNumbers/PN1.json", &[("TrunkSid", "TK1")]),
    ] {
        refused(site.post(rest, pairs).await);
    }
    assert!(site.twilio.requests().is_empty());
    let queued = [("Url", "https://app.example.com/next")];
    site.post("Queues/QU1/Members/Front.json", &queued).await;
    assert!(site.twilio.requests().pop().unwrap().all("Url")[0].starts_with(PUBLIC));
    let elsewhere = site.gets("<Response><Dial><Application>AP1</Application></Dial></Response>").await;
    assert!(elsewhere.contains("<Hangup/>") && !elsewhere.contains("AP1"), "{elsewhere}");
    // What somebody on the call has chosen is neither which call it is nor what is fetched.
    site.call("US-CA").await;
    site.told().await;
    site.app.says("<Response><Record/></Response>");
    let mut chosen = incoming();
    chosen[0].1 = "CA00000000000000000000000000000002".into();
    chosen.push(("callsid".into(), CALL.into()));
    let answer = site.calls_back(&site.voice(), &chosen).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("<Record"));
    chosen.push(("CallSid".into(), CALL.into()));
    let answer = site.calls_back(&site.voice(), &chosen).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("<Record"));
    assert_eq!(site.decision().await["recorder"], "idle");
}

#[tokio::test]
async fn what_fails_ends_no_recording_that_goes_on_and_one_use_carries_no_other() {
    let site = Site::new().await;
    site.call("US-CA").await;
    site.told().await;
    let recordings = format!("Calls/{CALL}/Recordings.json");
    let created = site.post(&recordings, &[]).await.expect(201);
    let recording = created["sid"].as_str().unwrap();
    assert_eq!(site.twilio.requests().pop().unwrap().all("Trim"), ["do-not-trim"]);
    site.twilio.failing(1);
    assert_eq!(site.post(&recordings, &[]).await.status, 500);
    assert_eq!(site.decision().await["recorder"], "running", "the first one goes on");
    for (rest, pairs) in [
        (recordings.as_str(), &[("RecordingConfigurationId", "x")][..]),
        (recordings.as_str(), &[("Transcribe", "true")]),
        (&format!("Calls/{CALL}/Transcriptions.json"), &[("IntelligenceService", "GA1")]),
    ] {
        assert!(refused(site.post(rest, pairs).await).contains("another use"), "{rest}");
    }
    // Until it is kept here, nobody gets Twilio's own audio.
    site.gateway.advance_ms(5_000);
    site.twilio.end(CALL);
    site.twilio.complete(recording, wav(4_000));
    for of in ["", ".wav", ".mp3"] {
        let told =
            site.client.get(&site.twilio.path(&format!("Recordings/{recording}{of}?Purpose=quality"))).await;
        assert_eq!(told.status, 404, "{of}");
    }
    site.client.get(&site.twilio.path(&format!("Recordings/{recording}.json"))).await.expect(200);
}
