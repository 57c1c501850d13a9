//! Twilio's cloud, as far as a gateway meets it: an API that takes what Twilio's takes and answers in its words, and
//! requests that are signed as Twilio signs them. What it does not know, it remembers and answers all the same.
//!
//! Where Twilio's documents do not give the code of an error, it is 20001. No number and no sid is anybody's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use consent_gateway::config::Twilio;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};
use sha1::Sha1;
use tempfile::TempDir;
use tokio::net::TcpListener;
use trail::clock::Clock;

use crate::harness::{Answer, Client, START, uid};

/// The parameters of a form or a query, in order.
pub(crate) type Form = Vec<(String, String)>;

/// A cloud with one account, on loopback.
pub(crate) struct Double {
    pub(crate) address: SocketAddr,
    pub(crate) account_sid: String,
    pub(crate) auth_token: String,
    cloud: Arc<Mutex<Cloud>>,
    dir: TempDir,
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) form: Form,
    /// Whether it had the account's credentials.
    pub(crate) authorized: bool,
}

impl Double {
    pub(crate) async fn start() -> Double {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (account_sid, auth_token) = (new_sid("AC"), new_sid(""));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("auth_token"), format!("{auth_token}\n")).unwrap();
        let cloud = Cloud {
            account_sid: account_sid.clone(),
            auth_token: auth_token.clone(),
            base_url: format!("http://{address}"),
            clock: Clock::manual(START.parse().unwrap()),
            calls: BTreeMap::new(),
            recordings: Vec::new(),
            requests: Vec::new(),
            failing: 0,
            slow: Duration::ZERO,
        };
        let cloud = Arc::new(Mutex::new(cloud));
        let router: Router = Router::new().fallback(handle).with_state(Arc::clone(&cloud));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Double { address, account_sid, auth_token, cloud, dir }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How a gateway is told of it. Private addresses have to be allowed.
    pub(crate) fn configured(&self) -> Twilio {
        Twilio {
            account_sid: self.account_sid.clone(),
            auth_token: self.token_file(),
            upstream: self.base_url(),
            voice_url: None,
            refused_url: None,
        }
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.dir.path().join("auth_token")
    }

    /// The path of this below the account.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/2010-04-01/Accounts/{}/{rest}", self.account_sid)
    }

    /// Takes the time from this clock, such as the gateway's.
    pub(crate) fn follow(&self, clock: &Clock) {
        self.cloud.lock().unwrap().clock = clock.clone();
    }

    /// A call is answered: one that was dialed, or else one that comes in.
    pub(crate) fn answer(&self, call: &str) {
        let mut cloud = self.cloud.lock().unwrap();
        let at = cloud.clock.now();
        let incoming = Call { status: "ringing", form: Form::new(), at };
        cloud.calls.entry(call.to_owned()).or_insert(incoming).status = "in-progress";
    }

    /// A call ends, and its recordings with it.
    pub(crate) fn end(&self, call: &str) {
        let mut cloud = self.cloud.lock().unwrap();
        cloud.calls.get_mut(call).unwrap().status = "completed";
        for recording in cloud.recordings.iter_mut().filter(|one| one.call == call && one.is_active()) {
            recording.status = "stopped";
        }
    }

    /// A recording starts by something else than the API, such as `OutboundAPI` or `DialVerb`.
    pub(crate) fn record(&self, call: &str, source: &'static str) -> String {
        self.cloud.lock().unwrap().begin(call, source, Form::new())
    }

    /// The audio of a recording is there. Returns what its status callback says.
    pub(crate) fn complete(&self, recording: &str, wav: Vec<u8>) -> Form {
        let mut cloud = self.cloud.lock().unwrap();
        let now = cloud.clock.now();
        let url = format!("{}{}/Recordings/{recording}", cloud.base_url, cloud.account());
        let one = cloud.recordings.iter_mut().find(|one| one.sid == recording).unwrap();
        let seconds = whole_seconds(&wav).to_string();
        (one.status, one.changed) = ("completed", now);
        one.audio = Some((seconds.clone(), wav));
        let said = [
            ("AccountSid", self.account_sid.clone()),
            ("CallSid", one.call.clone()),
            ("RecordingSid", one.sid.clone()),
            ("RecordingUrl", url),
            ("RecordingStatus", "completed".into()),
            ("RecordingDuration", seconds),
            ("RecordingChannels", one.channels().to_string()),
            ("RecordingStartTime", rfc_2822(one.begun)),
            ("RecordingSource", one.source.into()),
            ("RecordingTrack", one.track().to_owned()),
            ("ErrorCode", "0".into()),
        ];
        said.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Posts a form to the gateway at this address, signed for the URL by which Twilio knows it.
    pub(crate) async fn call_back(
        &self,
        gateway: SocketAddr,
        url: &str,
        params: &[(String, String)],
    ) -> Answer {
        let mut signed = params.to_vec();
        signed.sort();
        signed.dedup();
        let mut mac = Hmac::<Sha1>::new_from_slice(self.auth_token.as_bytes()).unwrap();
        mac.update(url.as_bytes());
        for text in signed.iter().flat_map(|(name, value)| [name, value]) {
            mac.update(text.as_bytes());
        }
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=UTF-8"),
            ("x-twilio-signature", signature.as_str()),
        ];
        let (_, rest) = url.split_once("://").unwrap();
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        Client::stranger(gateway).send("POST", path, &headers, encoded(params).into()).await
    }

    /// The next so many requests are answered 500.
    pub(crate) fn failing(&self, requests: usize) {
        self.cloud.lock().unwrap().failing = requests;
    }

    /// From now on every answer takes so long.
    pub(crate) fn slow(&self, ms: u64) {
        self.cloud.lock().unwrap().slow = Duration::from_millis(ms);
    }

    /// What it got, in order.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.cloud.lock().unwrap().requests.clone()
    }
}

impl Asked {
    /// The values of a parameter of its form.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.form.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What there is.
struct Cloud {
    account_sid: String,
    auth_token: String,
    base_url: String,
    clock: Clock,
    calls: BTreeMap<String, Call>,
    /// The oldest first.
    recordings: Vec<Recording>,
    requests: Vec<Asked>,
    failing: usize,
    slow: Duration,
}

struct Call {
    status: &'static str,
    form: Form,
    at: Timestamp,
}

struct Recording {
    sid: String,
    call: String,
    source: &'static str,
    /// As the API is told of it: `in-progress`, `paused`, `stopped`, `completed`, `deleted`.
    status: &'static str,
    form: Form,
    begun: Timestamp,
    changed: Timestamp,
    /// Whole seconds, and a WAV file.
    audio: Option<(String, Vec<u8>)>,
}

impl Recording {
    fn is_active(&self) -> bool {
        ["in-progress", "paused"].contains(&self.status)
    }

    fn channels(&self) -> u8 {
        if find(&self.form, "RecordingChannels") == Some("dual") { 2 } else { 1 }
    }

    fn track(&self) -> &str {
        find(&self.form, "RecordingTrack").unwrap_or("both")
    }

    /// Its status for whoever looks: what it was told last is seen in that answer alone.
    fn seen(&self) -> &'static str {
        if ["paused", "stopped"].contains(&self.status) { "processing" } else { self.status }
    }
}

/// An answer.
struct Said {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

/// An error: status, code and message.
struct Refusal(u16, u32, String);

/// What starts a recording that the API was asked for.
const BY_API: &str = "StartCallRecordingAPI";

fn invalid(what: &str) -> Refusal {
    Refusal(400, 20001, format!("Invalid parameter: {what}"))
}

async fn handle(State(cloud): State<Arc<Mutex<Cloud>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let slow = cloud.lock().unwrap().slow;
    tokio::time::sleep(slow).await;
    let said = cloud.lock().unwrap().handle(&parts, &body);
    let mut response = Response::builder().status(said.status).header("content-type", said.kind);
    if said.status == 401 {
        response = response.header("www-authenticate", "Basic realm=\"Twilio API\"");
    }
    let id = new_sid("RQ");
    response.header("twilio-request-id", id).body(Body::from(said.body)).unwrap()
}

impl Cloud {
    fn handle(&mut self, parts: &Parts, body: &[u8]) -> Said {
        let is_form = parts
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.to_str().unwrap().starts_with("application/x-www-form-urlencoded"));
        let form = if is_form { decoded(std::str::from_utf8(body).unwrap()) } else { Form::new() };
        let pair = format!("{}:{}", self.account_sid, self.auth_token);
        let expected = format!("Basic {}", BASE64_STANDARD.encode(pair));
        let given: Vec<&HeaderValue> = parts.headers.get_all("authorization").iter().collect();
        let authorized = given.len() == 1 && given[0] == expected.as_str();
        self.requests.push(Asked {
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().unwrap().to_string(),
            headers: parts.headers.clone(),
            form: form.clone(),
            authorized,
        });
        let path = parts.uri.path();
        let (stem, extension) = match path.rsplit_once('.') {
            Some((stem, extension)) if ["json", "mp3", "wav", "xml"].contains(&extension) => {
                (stem, extension)
            }
            _ => (path, ""),
        };
        let answered = if self.failing > 0 {
            self.failing -= 1;
            Err(Refusal(500, 20500, "Internal Server Error".into()))
        } else if authorized {
            self.route(parts, stem, extension, form)
        } else {
            Err(Refusal(401, 20003, "Authenticate".into()))
        };
        answered.unwrap_or_else(|refusal| refused(&refusal, extension))
    }

    fn route(&mut self, parts: &Parts, stem: &str, extension: &str, form: Form) -> Result<Said, Refusal> {
        let path = parts.uri.path();
        let query = decoded(parts.uri.query().unwrap_or_default());
        let segments: Vec<&str> = stem.split('/').skip(1).collect();
        let ["2010-04-01", "Accounts", account, rest @ ..] = segments.as_slice() else {
            return Ok(passed(path));
        };
        if *account != self.account_sid {
            return Err(not_found(path));
        }
        match (parts.method.as_str(), extension, rest) {
            ("POST", "json", ["Calls"]) => self.dial(form),
            ("GET", "json", ["Calls", call]) => {
                let known = self.calls.get(*call).ok_or_else(|| not_found(path))?;
                Ok(answered(200, &self.call(call, known)))
            }
            ("POST", "json", ["Calls", call, "Recordings"]) => self.create(call, form),
            ("GET", "json", ["Calls", call, "Recordings"]) => Ok(self.list(Some(*call), path, &query)),
            ("GET", "json", ["Recordings"]) => Ok(self.list(None, path, &query)),
            ("POST", "json", ["Calls", call, "Recordings", sid]) => self.update(call, sid, path, &form),
            ("GET", "json", ["Calls", call, "Recordings", sid]) => {
                let one = self.find(Some(*call), sid, &query).ok_or_else(|| not_found(path))?;
                Ok(answered(200, &self.recording(one, true, one.seen())))
            }
            ("GET", "json", ["Recordings", sid]) => {
                let one = self.find(None, sid, &query).ok_or_else(|| not_found(path))?;
                Ok(answered(200, &self.recording(one, false, one.seen())))
            }
            ("DELETE", "json", ["Calls", call, "Recordings", sid]) => self.delete(Some(*call), sid, path),
            ("DELETE", "json", ["Recordings", sid]) => self.delete(None, sid, path),
            ("GET", "" | "wav", ["Recordings", sid]) => {
                let one = self.find(None, sid, &query).ok_or_else(|| not_found(path))?;
                let audio = one.audio.as_ref().filter(|_| one.status == "completed");
                let (_, wav) = audio.ok_or_else(|| not_found(path))?;
                if find(&query, "RequestedChannels") == Some("2") && one.channels() == 1 {
                    return Err(invalid("RequestedChannels"));
                }
                Ok(Said { status: 200, kind: "audio/x-wav", body: wav.clone() })
            }
            _ => Ok(passed(path)),
        }
    }

    /// The path of the account.
    fn account(&self) -> String {
        format!("/2010-04-01/Accounts/{}", self.account_sid)
    }

    fn dial(&mut self, form: Form) -> Result<Said, Refusal> {
        let lacks = |names: &[&str]| names.iter().all(|name| find(&form, name).is_none());
        let asked: [(&[&str], u32); 3] =
            [(&["To"], 21201), (&["From"], 21213), (&["Url", "Twiml", "ApplicationSid"], 21205)];
        for (names, code) in asked {
            if lacks(names) {
                return Err(Refusal(400, code, format!("{} is required", names[0])));
            }
        }
        let sid = new_sid("CA");
        let call = Call { status: "queued", form, at: self.clock.now() };
        let shown = self.call(&sid, &call);
        self.calls.insert(sid, call);
        Ok(answered(201, &shown))
    }

    fn call(&self, sid: &str, call: &Call) -> Value {
        let uri = format!("{}/Calls/{sid}", self.account());
        let is_dialed = !call.form.is_empty();
        let (from, to) = (find(&call.form, "From"), find(&call.form, "To"));
        json!({
            "account_sid": self.account_sid,
            "annotation": null,
            "answered_by": null,
            "api_version": "2010-04-01",
            "caller_name": null,
            "date_created": rfc_2822(call.at),
            "date_updated": rfc_2822(call.at),
            "direction": if is_dialed { "outbound-api" } else { "inbound" },
            "duration": null,
            "end_time": null,
            "forwarded_from": null,
            "from": from.unwrap_or("+15555550100"),
            "from_formatted": from.unwrap_or("(555) 555-0100"),
            "group_sid": null,
            "parent_call_sid": null,
            "phone_number_sid": null,
            "price": null,
            "price_unit": "USD",
            "queue_time": "0",
            "sid": sid,
            "start_time": null,
            "status": call.status,
            "subresource_uris": {"recordings": format!("{uri}/Recordings.json")},
            "to": to.unwrap_or("+15555550101"),
            "to_formatted": to.unwrap_or("(555) 555-0101"),
            "trunk_sid": null,
            "uri": format!("{uri}.json"),
        })
    }

    fn begin(&mut self, call: &str, source: &'static str, form: Form) -> String {
        let (sid, now) = (new_sid("RE"), self.clock.now());
        self.recordings.push(Recording {
            sid: sid.clone(),
            call: call.to_owned(),
            source,
            status: "in-progress",
            form,
            begun: now,
            changed: now,
            audio: None,
        });
        sid
    }

    fn create(&mut self, call: &str, form: Form) -> Result<Said, Refusal> {
        let words: [(&str, &[&str]); 4] = [
            ("RecordingChannels", &["mono", "dual"]),
            ("RecordingTrack", &["inbound", "outbound", "both"]),
            ("RecordingStatusCallbackMethod", &["GET", "POST"]),
            ("Trim", &["trim-silence", "do-not-trim"]),
        ];
        for (name, allowed) in words {
            if find(&form, name).is_some_and(|value| !allowed.contains(&value)) {
                return Err(invalid(name));
            }
        }
        if self.calls.get(call).is_none_or(|call| call.status != "in-progress") {
            return Err(Refusal(400, 21220, "Requested resource is not eligible for recording".into()));
        }
        // A second one on the same call changes nothing, and nobody is told.
        let is_it = |one: &&Recording| one.call == call && one.source == BY_API && one.is_active();
        let running = self.recordings.iter().find(is_it).map(|one| one.sid.clone());
        let sid = running.unwrap_or_else(|| self.begin(call, BY_API, form));
        let one = self.recordings.iter().find(|one| one.sid == sid).unwrap();
        Ok(answered(201, &self.recording(one, true, one.status)))
    }

    fn update(&mut self, call: &str, sid: &str, path: &str, form: &Form) -> Result<Said, Refusal> {
        let status = match find(form, "Status") {
            Some("paused") => "paused",
            Some("in-progress") => "in-progress",
            Some("stopped") => "stopped",
            _ => return Err(invalid("Status")),
        };
        if find(form, "PauseBehavior").is_some_and(|how| !["skip", "silence"].contains(&how)) {
            return Err(invalid("PauseBehavior"));
        }
        let is_current = sid == "Twilio.CURRENT";
        let now = self.clock.now();
        let of_call = self.recordings.iter_mut().rev().filter(|one| one.call == call);
        let found = of_call.filter(|one| one.status != "deleted").find(|one| match is_current {
            true => one.is_active(),
            false => one.sid == sid,
        });
        let one = found.ok_or_else(|| not_found(path))?;
        if !one.is_active() {
            let message = "Recording is not in a state to accept the action";
            return Err(Refusal(408, 16114, message.into()));
        }
        (one.status, one.changed) = (status, now);
        let sid = one.sid.clone();
        let one = self.recordings.iter().find(|one| one.sid == sid).unwrap();
        Ok(answered(200, &self.recording(one, true, status)))
    }

    fn delete(&mut self, call: Option<&str>, sid: &str, path: &str) -> Result<Said, Refusal> {
        let one = self.find(call, sid, &Form::new()).ok_or_else(|| not_found(path))?;
        if one.status != "completed" {
            return Err(invalid("only completed recordings are deleted"));
        }
        let one = self.recordings.iter_mut().find(|one| one.sid == sid).unwrap();
        one.status = "deleted";
        if let Some((_, wav)) = &mut one.audio {
            wav.clear();
        }
        Ok(Said { status: 204, kind: "application/json", body: Vec::new() })
    }

    fn find(&self, call: Option<&str>, sid: &str, query: &Form) -> Option<&Recording> {
        let deleted_too = find(query, "IncludeSoftDeleted") == Some("true");
        let mut all = self.recordings.iter().filter(|one| deleted_too || one.status != "deleted");
        all.find(|one| one.sid == sid && call.is_none_or(|call| one.call == call))
    }

    /// A page, the newest first.
    fn list(&self, call: Option<&str>, path: &str, query: &Form) -> Said {
        let number = |name: &str| find(query, name).and_then(|text| text.parse::<usize>().ok());
        let (size, page) = (number("PageSize").unwrap_or(50).clamp(1, 1000), number("Page").unwrap_or(0));
        let deleted_too = find(query, "IncludeSoftDeleted") == Some("true");
        let wanted = call.or(find(query, "CallSid"));
        // Both ends count. A bound that is a day is compared with days.
        let is_between = |begun: Timestamp| {
            let begun = begun.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let cut = |bound: &str| begun[..bound.len().min(begun.len())].to_owned();
            let until = find(query, "DateCreated<").is_none_or(|bound| cut(bound).as_str() <= bound);
            until && find(query, "DateCreated>").is_none_or(|bound| cut(bound).as_str() >= bound)
        };
        let all: Vec<&Recording> = self
            .recordings
            .iter()
            .rev()
            .filter(|one| deleted_too || one.status != "deleted")
            .filter(|one| wanted.is_none_or(|call| one.call == call) && is_between(one.begun))
            .collect();
        let start = page * size;
        let of_page: Vec<&&Recording> = all.iter().skip(start).take(size).collect();
        let shown: Vec<Value> =
            of_page.iter().map(|one| self.recording(one, call.is_some(), one.seen())).collect();
        let is_filter = |(name, _): &&(String, String)| !name.starts_with("Page");
        let filters: Form = query.iter().filter(is_filter).cloned().collect();
        let uri = |page: usize| {
            let place = [("PageSize".to_owned(), size.to_string()), ("Page".to_owned(), page.to_string())];
            format!("{path}?{}", encoded(&[filters.as_slice(), &place].concat()))
        };
        let next = of_page.last().filter(|_| start + shown.len() < all.len());
        let next = next.map(|last| format!("{}&PageToken=PA{}", uri(page + 1), last.sid));
        answered(
            200,
            &json!({
                "end": (start + shown.len()).saturating_sub(1).max(start),
                "first_page_uri": uri(0),
                "next_page_uri": next,
                "page": page,
                "page_size": size,
                "previous_page_uri": (page > 0).then(|| uri(page - 1)),
                "recordings": shown,
                "start": start,
                "uri": uri(page),
            }),
        )
    }

    /// A recording, as the API shows it below its call, or below the account.
    fn recording(&self, one: &Recording, of_call: bool, status: &str) -> Value {
        let (account, sid) = (self.account(), &one.sid);
        let seconds = one.audio.as_ref().map(|(seconds, _)| seconds);
        let mut shown = json!({
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "call_sid": one.call,
            "channels": one.channels(),
            "conference_sid": null,
            "date_created": rfc_2822(one.begun),
            "date_updated": rfc_2822(one.changed),
            "duration": seconds,
            "encryption_details": null,
            "error_code": null,
            "price": seconds.map(|_| "-0.00250"),
            "price_unit": seconds.map(|_| "USD"),
            "sid": sid,
            "source": one.source,
            "start_time": rfc_2822(one.begun),
            "status": status,
            "uri": format!("{account}/Recordings/{sid}.json"),
        });
        if of_call {
            shown["track"] = json!(one.track());
            shown["uri"] = json!(format!("{account}/Calls/{}/Recordings/{sid}.json", one.call));
        } else {
            shown["media_url"] = json!(format!("{}{account}/Recordings/{sid}", self.base_url));
            shown["subresource_uris"] = json!({
                "add_on_results": format!("{account}/Recordings/{sid}/AddOnResults.json"),
                "transcriptions": format!("{account}/Recordings/{sid}/Transcriptions.json"),
            });
        }
        shown
    }
}

fn answered(status: u16, document: &Value) -> Said {
    Said { status, kind: "application/json", body: document.to_string().into() }
}

/// What is none of its business.
fn passed(path: &str) -> Said {
    answered(200, &json!({"passed": path}))
}

fn not_found(path: &str) -> Refusal {
    Refusal(404, 20404, format!("The requested resource {path} was not found"))
}

/// An error in JSON, where that was asked for, or else in XML.
fn refused(Refusal(status, code, message): &Refusal, extension: &str) -> Said {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    if extension == "json" {
        let mut told = json!({"code": code, "message": message, "more_info": more, "status": status});
        if *status == 401 {
            told["detail"] = json!("Your AccountSid or AuthToken was incorrect.");
        }
        return answered(*status, &told);
    }
    let told = format!(
        "<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse><RestException><Code>{code}</Code>\
         <Message>{message}</Message><MoreInfo>{more}</MoreInfo><Status>{status}</Status></RestException>\
         </TwilioResponse>"
    );
    Said { status: *status, kind: "application/xml", body: told.into() }
}

fn new_sid(prefix: &str) -> String {
    format!("{prefix}{}", uid().simple())
}

fn rfc_2822(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// How long a WAV file with a head of 44 bytes is, rounded.
fn whole_seconds(wav: &[u8]) -> usize {
    let rate = usize::try_from(u32::from_le_bytes(wav[28..32].try_into().unwrap())).unwrap();
    (wav.len() - 44 + rate / 2) / rate
}

fn find<'f>(form: &'f [(String, String)], name: &str) -> Option<&'f str> {
    form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn decoded(text: &str) -> Form {
    let plain = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().unwrap().into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

fn encoded(form: &[(String, String)]) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = form.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}
