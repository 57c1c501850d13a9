//! The voice webhook, between Twilio and the application: its documents pass, without what would capture a call that the
//! gate does not grant.
//!
//! INVARIANT: whatever fails, a document passes with every capture taken out. What cannot be read is answered by a
//! document that hangs up, or goes to the account's `refused_url`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use markup::{Document, Limit, Uses};
use policy::Use;
use reqwest::Url;
use tracing::Instrument as _;

use super::form::Form;
use super::status::{NOBODY, signed};
use super::{Refusal, recordings, refused};
use crate::access::Principal;
use crate::api::problem::{Problem, TurnedAway};
use crate::api::{Door, Named};
use crate::gate::ask::{ControlAction, ControlRecording};
use crate::twilio::Platform;

/// `GET` and `POST /twilio/{account}/voice`.
pub(super) async fn take(
    State(door): State<Arc<Door>>,
    account: Result<Named<String>, Problem>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let done = async {
        let Named(account) = account?;
        answered(&door, &account, request).await
    };
    done.await.unwrap_or_else(|refusal: Refusal| refusal.answer(&path))
}

async fn answered(door: &Arc<Door>, account: &str, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let Some(platform) = door.twilio.get(account) else { return Err(TurnedAway::NoSuchPath.into()) };
    let form = Form::read(&parts.headers, None, body).await?;
    signed(door, platform, &parts, &form).await?;
    let query = Form::parse(parts.uri.query().unwrap_or_default());
    let (mut params, ours) = match parts.method == Method::GET {
        true => query.apart(OURS),
        false => (form, query),
    };
    let url = ours.first("url").filter(|url| !url.is_empty()).or(platform.voice_url());
    let url = url.ok_or_else(|| refused("set `voice_url`, the application's own voice webhook"))?;
    // The application is told where its recording will be.
    if let Some(recording) = params.exactly("RecordingSid").map(ToOwned::to_owned) {
        params.set("RecordingUrl", recordings::url(door, platform.account_sid(), &recording));
    }
    let answer = platform.call_back(url, parts.method.clone(), params.pairs()).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let base = Url::parse(url).ok();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (media, charset) = read_kind(kind);
    if !status.is_success() || media.starts_with("audio/") || media == "text/plain" {
        let body = axum::http::Response::<reqwest::Body>::from(answer).into_body();
        return Ok(passed(status, headers.get(header::CONTENT_TYPE).cloned(), &headers, Body::new(body)));
    }
    let (mut body, mut answer) = (Vec::new(), answer);
    while let Some(chunk) = answer.chunk().await.map_err(|_| refused("the application's answer broke off"))? {
        body.extend_from_slice(&chunk);
        // What is too long is too long for Twilio as well.
        if body.len() > MOST {
            break;
        }
    }
    // Whoever acts for Twilio may be gone: then nothing is granted.
    let by = ours.first("by").map(ToOwned::to_owned);
    let who = door.access.acting(account, by.as_deref()).await;
    let who =
        who.inspect_err(|error| tracing::warn!(%error, "no credential can act for Twilio")).ok().flatten();
    if who.is_none() {
        tracing::warn!(account, "{NOBODY}; until then, every capture is taken out");
    }
    let call = params.exactly("CallSid").map(ToOwned::to_owned);
    let (worker, account) = (Arc::clone(door), account.to_owned());
    let known = charset.clone();
    let work = async move {
        let asked = Asked {
            door: &worker,
            account: &account,
            by: by.as_deref(),
            who: who.as_ref(),
            call: call.as_deref(),
            base: base.as_ref(),
        };
        asked.judged(&body, Limit::Answer, known.as_deref()).await
    };
    let task = door.gate.spawn(work.in_current_span());
    let judged = task.await.map_err(|_| refused("the document could not be judged"))?;
    // In the one way in which it was read.
    let kind = charset.map_or("text/xml".to_owned(), |charset| format!("text/xml; charset={charset}"));
    let kind = HeaderValue::from_str(&kind).ok();
    Ok(passed(status, kind, &headers, Body::from(judged)))
}

/// A media type, and the encoding that it names first; both in small letters.
fn read_kind(kind: &str) -> (String, Option<String>) {
    let kind = kind.to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_owned();
    let named = |part: &str| {
        let (name, value) = part.split_once('=')?;
        (name.trim() == "charset").then(|| value.trim().trim_matches('"').to_owned())
    };
    let is_plain = |charset: &String| {
        charset.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    (media, parts.find_map(named).filter(is_plain))
}

/// Who asks what of which call, for a document.
pub(super) struct Asked<'a> {
    pub(super) door: &'a Door,
    pub(super) account: &'a str,
    /// The credential that is to act, as it was named.
    pub(super) by: Option<&'a str>,
    /// Without, nothing is granted.
    pub(super) who: Option<&'a Principal>,
    /// Without, likewise: it has not begun.
    pub(super) call: Option<&'a str>,
    /// Where the document comes from, if that is known.
    pub(super) base: Option<&'a Url>,
}

impl Asked<'_> {
    /// The document that Twilio gets: without what is not granted, and with every further document fetched through us.
    pub(super) async fn judged(&self, bytes: &[u8], limit: Limit, charset: Option<&str>) -> Vec<u8> {
        let refusal = match self.platform().and_then(Platform::refused_url) {
            Some(url) => markup::Refusal::Redirect(url.to_owned()),
            None => markup::Refusal::Hangup,
        };
        let captured = match Document::read(bytes, limit, charset) {
            Ok(document) if leads_elsewhere(&document) => {
                tracing::warn!("a document leads to another one that nobody here can see");
                return refusal.document();
            }
            Ok(document) => document.captures().iter().map(|capture| capture.r#use).collect(),
            Err(_) => Uses::NONE,
        };
        let permitted = self.granted(captured).await;
        let stripped = markup::strip(bytes, limit, charset, permitted, &refusal);
        if let Some(error) = &stripped.unread {
            tracing::warn!(%error, "an application's document cannot be read");
            return stripped.document.into_owned();
        }
        self.through_us(&stripped.document, limit, charset)
    }

    fn platform(&self) -> Option<&Platform> {
        self.door.twilio.get(self.account)
    }

    /// The uses of these that the gate grants now.
    async fn granted(&self, captured: Uses) -> Uses {
        let (Some(who), Some(call)) = (self.who, self.call) else { return Uses::NONE };
        let mut granted = Uses::NONE;
        for of in captured.iter() {
            let asked =
                ControlRecording { of: Some(of_policy(of)), ..ControlRecording::new(ControlAction::Start) };
            // Twilio waits for a document, and not for us.
            match tokio::time::timeout(GRANTED_WITHIN, self.door.gate.control(who, call, asked)).await {
                Ok(Ok(_)) => granted = granted.and(of),
                Ok(Err(fault)) => {
                    tracing::info!(code = %fault.code(), r#use = of.as_str(), "a capture was taken out of a document");
                }
                Err(_) => {
                    tracing::warn!(r#use = of.as_str(), "a capture was taken out: the gate took too long")
                }
            }
        }
        granted
    }

    /// The document with every further one, and what becomes of recordings, sent through the gateway.
    fn through_us(&self, bytes: &[u8], limit: Limit, charset: Option<&str>) -> Vec<u8> {
        let Ok(document) = Document::read(bytes, limit, charset) else { return bytes.to_vec() };
        let mut edits = Vec::new();
        for link in document.links() {
            // Silence is waited in, and nothing is fetched.
            if link.url.is_empty() && link.attribute.is_some_and(|name| name.eq_ignore_ascii_case("waitUrl"))
            {
                continue;
            }
            let url = match self.base {
                Some(base) => base.join(&link.url).ok(),
                None => Url::parse(&link.url).ok(),
            };
            let ours = url.and_then(|url| self.ours("voice", &[("url", url.as_str())]));
            // What leads nowhere that we know leads to nothing that could capture.
            edits.push(link.set(ours.as_deref().unwrap_or("about:blank")));
        }
        for verb in document.verbs() {
            let records = ["Record", "Recording"].iter().any(|name| verb.name().eq_ignore_ascii_case(name))
                || verb.attribute("record").is_some_and(|record| !OFF.contains(&record.trim()));
            if !records {
                continue;
            }
            let told = verb.attribute("recordingStatusCallback").unwrap_or_default();
            let told = match self.base {
                Some(base) if !told.trim().is_empty() => {
                    base.join(told.trim()).map(String::from).unwrap_or_default()
                }
                Some(_) | None => told,
            };
            let method = verb.attribute("recordingStatusCallbackMethod").unwrap_or_else(|| "POST".into());
            let events = verb.attribute("recordingStatusCallbackEvent").unwrap_or_default();
            let query = [("url", told.as_str()), ("method", &method), ("events", &events)];
            if let Some(url) = self.ours("status", &query) {
                edits.push(verb.set("recordingStatusCallback", &url));
                edits.push(verb.set("recordingStatusCallbackMethod", "POST"));
                // What is left out would shift all that follows.
                edits.push(verb.set("trim", "do-not-trim"));
                edits.push(verb.set("recordingStatusCallbackEvent", "in-progress completed absent"));
            }
        }
        if edits.is_empty() { bytes.to_vec() } else { document.edit(edits).into_owned() }
    }

    /// A URL of ours that stands for another one.
    fn ours(&self, what: &str, query: &[(&str, &str)]) -> Option<String> {
        let mut form = Form::default();
        let acts = self.who.map(|who| who.credential.as_str()).or(self.by);
        acts.into_iter().for_each(|by| form.add("by", by));
        query.iter().filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| form.add(name, *value));
        recordings::our_url(self.door, self.account, what, &form).ok()
    }
}

fn of_policy(of: markup::Use) -> Use {
    match of {
        markup::Use::Record => Use::Record,
        markup::Use::Transcribe => Use::Transcribe,
        markup::Use::Stream => Use::Stream,
        markup::Use::Analyse => Use::Analyse,
    }
}

/// Whether a document has Twilio fetch another one that no address in it names: an application's, or what a workflow says.
fn leads_elsewhere(document: &Document<'_>) -> bool {
    document.verbs().any(|verb| {
        let attributes = ["workflowSid", "applicationSid"];
        verb.name().eq_ignore_ascii_case("Application")
            || verb.attributes().any(|(name, _)| attributes.iter().any(|one| name.eq_ignore_ascii_case(one)))
    })
}

/// An application's answer, with this body.
fn passed(status: StatusCode, kind: Option<HeaderValue>, headers: &HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    // Twilio keeps an application's cookies for the call.
    for cookie in headers.get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    response
}

/// How long the gate may take over one use.
const GRANTED_WITHIN: Duration = Duration::from_secs(2);
/// What stands in our own URLs.
const OURS: &[&str] = &["by", "url"];
/// How recording is turned off, to the letter.
const OFF: &[&str] = &["false", "do-not-record"];
/// One more byte than a document may have.
const MOST: usize = 65_537;
