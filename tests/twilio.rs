//! Twilio's cloud stands behind the gateway: what passes, under whose name, and what the tests' own cloud takes.

mod door;
mod double;

use std::collections::BTreeMap;

use axum::http::{HeaderValue, Method};
use consent_gateway::config::{Config, Twilio};
use consent_gateway::serve;
use consent_gateway::twilio::signature::is_signed;
use consent_gateway::twilio::{Platforms, Undone};
use consent_gateway::webhook::Reach;
use reqwest::Body;
use serde_json::{Value, json};
use trail::clock::Clock;

use crate::harness::{Answer, Client, START, wav};
use double::{Double, Form};

const FORM: &str = "application/x-www-form-urlencoded";

fn form(pairs: &[(&str, &str)]) -> Form {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The gateway's side of it.
fn platforms(twilio: Twilio, reach: Reach) -> Platforms {
    Platforms::new(&BTreeMap::from([("acme".to_owned(), twilio)]), reach).unwrap()
}

impl Double {
    /// Asks it as an application does, with the account's credentials.
    async fn asked(&self, method: &str, rest: &str, body: &str) -> Answer {
        let client = Client::named(self.address, &self.account_sid, &self.auth_token);
        client.send(method, &self.path(rest), &[("content-type", FORM)], body.to_owned().into()).await
    }

    async fn error(&self, method: &str, rest: &str, body: &str) -> (u16, Value) {
        let answer = self.asked(method, rest, body).await;
        let told = answer.json();
        assert_eq!(told["status"], json!(answer.status), "{told}");
        (answer.status, told["code"].clone())
    }
}

#[tokio::test]
async fn what_is_forwarded_has_twilio_s_credentials_and_comes_back_as_it_is() {
    let double = Double::start().await;
    let all = platforms(double.configured(), Reach::Anywhere);
    let (account, platform) = all.by_sid(&double.account_sid).unwrap();
    assert_eq!((account, platform.account_sid()), ("acme", double.account_sid.as_str()));
    let path = double.path("Messages.json?PageSize=5");
    let (kind, accept) = (HeaderValue::from_static(FORM), HeaderValue::from_static("application/json"));
    let body = Body::from("To=%2B15555550100&Body=a+b&MediaUrl=1&MediaUrl=2");
    let answer = platform.forward(Method::POST, &path, Some(kind), Some(accept), body).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.headers()["twilio-request-id"].to_str().unwrap().starts_with("RQ"));
    let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(told, json!({"passed": double.path("Messages.json")}));
    let asked = double.requests().pop().unwrap();
    assert_eq!((asked.method.as_str(), &asked.path, asked.authorized), ("POST", &path, true));
    assert_eq!(asked.header("accept"), Some("application/json"));
    let sent = [("To", "+15555550100"), ("Body", "a b"), ("MediaUrl", "1"), ("MediaUrl", "2")];
    assert_eq!(asked.form, form(&sent));

    // Twilio's refusals and failures are answers, too.
    let ask = async |method: Method, path: &str| {
        platform
            .forward(method, path, None, None, Body::default())
            .await
            .map(|answer| answer.status().as_u16())
    };
    let recordings = double.path("Calls/CA1/Recordings.json");
    assert_eq!(ask(Method::POST, &recordings).await.unwrap(), 400);
    double.failing(1);
    assert_eq!(ask(Method::GET, &recordings).await.unwrap(), 500);
    let begun = std::time::Instant::now();
    double.slow(50);
    assert_eq!(ask(Method::GET, &recordings).await.unwrap(), 200);
    assert!(begun.elapsed().as_millis() >= 50);
    double.slow(0);

    // What leads elsewhere is not sent.
    let before = double.requests().len();
    for path in ["//127.0.0.1/a", "@127.0.0.1/a", "http://127.0.0.1/a", "/a/../b", "/%52ecordings.json"] {
        assert!(matches!(ask(Method::GET, path).await, Err(Undone::Path)), "{path}");
    }
    assert_eq!(double.requests().len(), before);

    // The token is read each time.
    std::fs::write(double.token_file(), "another").unwrap();
    assert_eq!(ask(Method::GET, &recordings).await.unwrap(), 401);
    std::fs::write(double.token_file(), " \n").unwrap();
    assert_eq!(ask(Method::GET, &recordings).await.unwrap_err().outcome(), "token-unreadable");
    std::fs::remove_file(double.token_file()).unwrap();
    assert_eq!(ask(Method::GET, &recordings).await.unwrap_err().outcome(), "token-unreadable");
}

#[tokio::test]
async fn a_customer_is_asked_as_twilio_asks() {
    let (double, customer) = (Double::start().await, Double::start().await);
    let all = platforms(double.configured(), Reach::Anywhere);
    let platform = all.get("acme").unwrap();
    let params = form(&[("CallSid", "CA1"), ("From", "+15555550100"), ("SpeechResult", "yes & no; ü")]);
    let url = format!("{}/voice?shop=1", customer.base_url());
    let posted = platform.call_back(&format!("{url}#part"), Method::POST, &params).await.unwrap();
    // It knows no such credentials, as a customer knows none.
    assert_eq!(posted.status().as_u16(), 401);
    let asked = customer.requests().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/voice?shop=1"));
    assert_eq!((&asked.form, asked.header("content-type")), (&params, Some(FORM)));
    assert_eq!(asked.header("authorization"), None);
    let signature = asked.header("x-twilio-signature").unwrap();
    assert!(is_signed(&double.auth_token, signature, &url, &params, None), "{signature}");

    platform.call_back(&url, Method::GET, &params).await.unwrap();
    let asked = customer.requests().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.form.len()), ("GET", 0));
    let whole = format!("{}{}", customer.base_url(), asked.path);
    assert!(whole.starts_with(&format!("{url}&CallSid=CA1&From=%2B15555550100&")), "{whole}");
    let signature = asked.header("x-twilio-signature").unwrap();
    assert!(is_signed(&double.auth_token, signature, &whole, &[], None), "{whole}");

    // A URL with a password is asked with it, and signed without.
    let with_password = url.replacen("://", "://name:word@", 1);
    platform.call_back(&with_password, Method::POST, &params).await.unwrap();
    let asked = customer.requests().pop().unwrap();
    assert_eq!(asked.header("authorization"), Some("Basic bmFtZTp3b3Jk"));
    let signature = asked.header("x-twilio-signature").unwrap();
    assert!(is_signed(&double.auth_token, signature, &url, &params, None), "{signature}");
}

#[tokio::test]
async fn a_customer_s_url_is_checked_as_a_webhook_is() {
    let (double, customer) = (Double::start().await, Double::start().await);
    let twilio = Twilio { upstream: "https://api.twilio.com".into(), ..double.configured() };
    let all = platforms(twilio, Reach::Public);
    let platform = all.get("acme").unwrap();
    let plain = customer.base_url();
    let private = plain.replacen("http", "https", 1);
    let urls = [plain.as_str(), private.as_str(), "https://localhost:1/voice", "voice", "ftp://acme.example"];
    for url in urls {
        let undone = platform.call_back(url, Method::POST, &[]).await.unwrap_err();
        assert_eq!(undone.outcome(), "address-refused", "{url}");
        assert_eq!(undone.to_string(), "address-refused");
    }
    assert!(customer.requests().is_empty());
    // Nobody listens where that is allowed.
    let all = platforms(double.configured(), Reach::Anywhere);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/voice", socket.local_addr().unwrap());
    let undone = all.get("acme").unwrap().call_back(&url, Method::POST, &[]).await.unwrap_err();
    assert_eq!(undone.outcome(), "unreachable");
}

/// What cannot work is found at the start, not when somebody calls.
#[tokio::test]
async fn twilio_is_refused_at_the_start_where_it_is_not_configured_well() {
    let double = Double::start().await;
    let dir = tempfile::tempdir().unwrap();
    let start = async |public_url: Option<&str>, twilio: Twilio| {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: dir.path().join("data"),
            public_url: public_url.map(Into::into),
            twilio: BTreeMap::from([("acme".to_owned(), twilio)]),
            ..Config::default()
        };
        let refused = serve::start(&config, Clock::manual(START.parse().unwrap())).await.err().unwrap();
        refused.to_string()
    };
    let public = Twilio { upstream: "https://api.twilio.com".into(), ..double.configured() };
    let told = start(None, public.clone()).await;
    assert!(told.contains("`twilio` needs `public_url`"), "{told}");
    let url = Some("https://gateway.example.com");
    let told = start(url, double.configured()).await;
    assert!(told.contains("`twilio.acme.upstream` cannot be used"), "{told}");
    let told = start(url, Twilio { account_sid: "AC1".into(), ..public }).await;
    assert!(told.contains("`twilio.acme.account_sid` is `AC`"), "{told}");
}

#[tokio::test]
async fn the_double_records_a_call_as_twilio_does() {
    let double = Double::start().await;
    let clock = Clock::manual(START.parse().unwrap());
    double.follow(&clock);
    assert_eq!(double.error("POST", "Calls.json", "To=%2B15555550100").await, (400, json!(21213)));
    let dialed = "To=%2B15555550100&From=%2B15555550101&Url=https%3A%2F%2Facme.example%2Fvoice";
    let call = double.asked("POST", "Calls.json", dialed).await.expect(201);
    assert_eq!((&call["status"], &call["to"]), (&json!("queued"), &json!("+15555550100")));
    let sid = call["sid"].as_str().unwrap();
    let recordings = format!("Calls/{sid}/Recordings.json");
    assert_eq!(double.error("POST", &recordings, "").await, (400, json!(21220)));
    double.answer(sid);
    assert_eq!(
        double.asked("GET", &format!("Calls/{sid}.json"), "").await.expect(200)["status"],
        "in-progress"
    );
    assert_eq!(double.error("POST", &recordings, "RecordingChannels=three").await, (400, json!(20001)));
    assert_eq!(
        double.error("POST", &format!("Calls/{sid}/Recordings/Twilio.CURRENT.json"), "Status=paused").await,
        (404, json!(20404))
    );
    let events =
        "RecordingStatusCallbackEvent=in-progress&RecordingStatusCallbackEvent=completed&RecordingTrack=both";
    let made = double.asked("POST", &recordings, events).await.expect(201);
    let asked = double.requests().pop().unwrap();
    assert_eq!(asked.all("RecordingStatusCallbackEvent"), ["in-progress", "completed"]);
    let recording = made["sid"].as_str().unwrap();
    assert_eq!(
        made,
        json!({
            "account_sid": double.account_sid, "api_version": "2010-04-01", "call_sid": sid, "channels": 1,
            "conference_sid": null, "date_created": "Fri, 20 Nov 2026 10:00:00 +0000",
            "date_updated": "Fri, 20 Nov 2026 10:00:00 +0000", "duration": null, "encryption_details": null,
            "error_code": null, "price": null, "price_unit": null, "sid": recording,
            "source": "StartCallRecordingAPI", "start_time": "Fri, 20 Nov 2026 10:00:00 +0000",
            "status": "in-progress", "track": "both",
            "uri": double.path(&format!("Calls/{sid}/Recordings/{recording}.json")),
        })
    );
    // A second one is the same.
    assert_eq!(double.asked("POST", &recordings, "").await.expect(201)["sid"], recording);
    let current = format!("Calls/{sid}/Recordings/Twilio.CURRENT.json");
    let paused = double.asked("POST", &current, "Status=paused&PauseBehavior=skip").await.expect(200);
    assert_eq!((&paused["sid"], &paused["status"]), (&json!(recording), &json!("paused")));
    let one = format!("Calls/{sid}/Recordings/{recording}.json");
    assert_eq!(double.asked("GET", &one, "").await.expect(200)["status"], "processing");
    assert_eq!(double.error("POST", &one, "Status=forgotten").await, (400, json!(20001)));
    double.asked("POST", &one, "Status=in-progress").await.expect(200);
    clock.advance(std::time::Duration::from_secs(3));
    assert_eq!(double.asked("POST", &one, "Status=stopped").await.expect(200)["status"], "stopped");
    assert_eq!(double.error("POST", &one, "Status=paused").await, (408, json!(16114)));

    // Its audio comes later.
    let media = format!("Recordings/{recording}");
    assert_eq!(double.asked("GET", &media, "").await.status, 404);
    assert_eq!(double.error("DELETE", &format!("{media}.json"), "").await, (400, json!(20001)));
    let said = double.complete(recording, wav(2_600));
    let base = double.base_url();
    assert_eq!(
        said,
        form(&[
            ("AccountSid", &double.account_sid),
            ("CallSid", sid),
            ("RecordingSid", recording),
            ("RecordingUrl", &format!("{base}{}", double.path(&media))),
            ("RecordingStatus", "completed"),
            ("RecordingDuration", "3"),
            ("RecordingChannels", "1"),
            ("RecordingStartTime", "Fri, 20 Nov 2026 10:00:00 +0000"),
            ("RecordingSource", "StartCallRecordingAPI"),
            ("RecordingTrack", "both"),
            ("ErrorCode", "0"),
        ])
    );
    let answer = double.asked("GET", &format!("{media}.wav"), "").await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (200, &HeaderValue::from_static("audio/x-wav"))
    );
    assert_eq!(answer.body, wav(2_600));
    assert_eq!(double.asked("GET", &format!("{media}?RequestedChannels=2"), "").await.status, 400);
    let shown = double.asked("GET", &format!("{media}.json"), "").await.expect(200);
    assert_eq!((&shown["duration"], &shown["price"]), (&json!("3"), &json!("-0.00250")));
    assert_eq!(shown["media_url"], format!("{base}{}", double.path(&media)));
    assert!(shown.get("track").is_none() && shown["subresource_uris"]["transcriptions"].is_string());
    assert_eq!(double.asked("DELETE", &format!("{media}.json"), "").await.status, 204);
    assert_eq!(double.error("GET", &format!("{media}.json"), "").await, (404, json!(20404)));
    let soft = double.asked("GET", &format!("{media}.json?IncludeSoftDeleted=true"), "").await.expect(200);
    assert_eq!(soft["status"], "deleted");

    // Nothing is recorded once the call has ended.
    double.record(sid, "DialVerb");
    double.end(sid);
    assert_eq!(double.error("POST", &recordings, "").await, (400, json!(21220)));
}

#[tokio::test]
async fn the_double_lists_in_pages_asks_for_credentials_and_signs() {
    let double = Double::start().await;
    let clock = Clock::manual(START.parse().unwrap());
    double.follow(&clock);
    let mut sids = Vec::new();
    for call in ["CA1", "CA1", "CA2"] {
        double.answer(call);
        sids.push(double.record(call, "OutboundAPI"));
        clock.advance(std::time::Duration::from_secs(86_400));
    }
    sids.reverse();
    let sids_of = |page: &Value| -> Vec<String> {
        let all = page["recordings"].as_array().unwrap().iter();
        all.map(|one| one["sid"].as_str().unwrap().to_owned()).collect()
    };
    let page = double.asked("GET", "Recordings.json?PageSize=2", "").await.expect(200);
    let members: Vec<&str> = page.as_object().unwrap().keys().map(String::as_str).collect();
    let envelope = [
        "end",
        "first_page_uri",
        "next_page_uri",
        "page",
        "page_size",
        "previous_page_uri",
        "recordings",
        "start",
        "uri",
    ];
    assert_eq!(members, envelope);
    assert_eq!((sids_of(&page), &page["end"], &page["page"]), (sids[..2].to_vec(), &json!(1), &json!(0)));
    assert_eq!(page["first_page_uri"], double.path("Recordings.json?PageSize=2&Page=0"));
    let next = page["next_page_uri"].as_str().unwrap().strip_prefix(&double.path("")).unwrap().to_owned();
    let page = double.asked("GET", &next, "").await.expect(200);
    assert_eq!((sids_of(&page), &page["start"], &page["end"]), (sids[2..].to_vec(), &json!(2), &json!(2)));
    assert!(page["next_page_uri"].is_null() && page["previous_page_uri"].is_string(), "{page}");
    let lists: [(&str, &[String]); 5] = [
        ("Calls/CA1/Recordings.json", &sids[1..]),
        ("Recordings.json?CallSid=CA2", &sids[..1]),
        ("Recordings.json?DateCreated%3C=2026-11-21", &sids[1..]),
        ("Recordings.json?DateCreated%3E=2026-11-21T10%3A00%3A00Z", &sids[..2]),
        ("Calls/CA3/Recordings.json", &[]),
    ];
    for (list, wanted) in lists {
        assert_eq!(sids_of(&double.asked("GET", list, "").await.expect(200)), wanted, "{list}");
    }

    let stranger = Client::named(double.address, &double.account_sid, "wrong");
    let told = stranger.get(&double.path("Recordings.json")).await.expect(401);
    assert_eq!(
        told,
        json!({
            "code": 20003, "message": "Authenticate", "more_info": "https://www.twilio.com/docs/errors/20003",
            "status": 401, "detail": "Your AccountSid or AuthToken was incorrect.",
        })
    );
    assert!(!double.requests().pop().unwrap().authorized);
    let account = Client::named(double.address, &double.account_sid, &double.auth_token);
    let others = account.get("/2010-04-01/Accounts/AC1/Recordings.json").await;
    assert_eq!(others.expect(404)["code"], 20404);

    // As a gateway is called back: by its public name.
    let gateway = Double::start().await;
    let url = "https://gateway.example.com/twilio/acme/status?a=1";
    let params = form(&[("RecordingSid", "RE1"), ("A", "b c&d"), ("A", "b")]);
    assert_eq!(double.call_back(gateway.address, url, &params).await.status, 401);
    let asked = gateway.requests().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/twilio/acme/status?a=1"));
    assert_eq!(asked.form, params);
    let signature = asked.header("x-twilio-signature").unwrap();
    assert!(is_signed(&double.auth_token, signature, url, &params, None), "{signature}");
}
