//! The voice webhook, between Twilio and the application: its documents pass, without what would capture a call that the
//! gate does not grant.
//!
//! INVARIANT: whatever fails, a document passes with every capture taken out. What cannot be read is answered by a
//! document that hangs up, or goes to the account's `refused_url`.

use std::sync::Arc;

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
use crate::api::problem::Problem;
use crate::api::problem::TurnedAway;
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
    let url = ours.get("url").filter(|url| !url.is_empty()).or(platform.voice_url());
    let url = url.ok_or_else(|| refused("set `voice_url`, the application's own voice webhook"))?;
    // The application is told where its recording will be.
    if let Some(recording) = params.get("RecordingSid").map(ToOwned::to_owned) {
        params.set("RecordingUrl", recordings::url(door, platform.account_sid(), &recording));
    }
    let answer = platform.call_back(url, parts.method.clone(), params.pairs()).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let base = Url::parse(url).ok();
    let mut body = Vec::new();
    let mut answer = answer;
    while let Some(chunk) = answer.chunk().await.map_err(|_| refused("the application's answer broke off"))? {
        body.extend_from_slice(&chunk);
        // What is too long is too long for Twilio as well.
        if body.len() > MOST {
            break;
        }
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let lower = kind.to_ascii_lowercase();
    let is_markup = status.is_success() && !lower.starts_with("audio/") && !lower.starts_with("text/plain");
    if !is_markup {
        return Ok(passed(status, &headers, body));
    }
    let charset =
        lower.split("charset=").nth(1).map(|charset| charset.trim_matches(['"', ' ', ';']).to_owned());
    // Whoever acts for Twilio may be gone: then nothing is granted.
    let who = door.access.acting(account, ours.get("by")).await;
    let who =
        who.inspect_err(|error| tracing::warn!(%error, "no credential can act for Twilio")).ok().flatten();
    if who.is_none() {
        tracing::warn!(account, "{NOBODY}; until then, every capture is taken out");
    }
    let call = params.get("CallSid").map(ToOwned::to_owned);
    let worker = Arc::clone(door);
    let work = async move {
        let asked = Asked { door: &worker, who: who.as_ref(), call: call.as_deref(), base: base.as_ref() };
        asked.judged(&body, Limit::Answer, charset.as_deref()).await
    };
    let task = door.gate.spawn(work.in_current_span());
    let judged = task.await.map_err(|_| refused("the document could not be judged"))?;
    Ok(passed(status, &headers, judged))
}

/// Who asks what of which call, for a document.
pub(super) struct Asked<'a> {
    pub(super) door: &'a Door,
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
        self.door.twilio.get(&self.who?.account)
    }

    /// The uses of these that the gate grants now.
    async fn granted(&self, captured: Uses) -> Uses {
        let (Some(who), Some(call)) = (self.who, self.call) else { return Uses::NONE };
        let mut granted = Uses::NONE;
        for of in captured.iter() {
            let asked =
                ControlRecording { of: Some(of_policy(of)), ..ControlRecording::new(ControlAction::Start) };
            match self.door.gate.control(who, call, asked).await {
                Ok(_) => granted = granted.and(of),
                Err(fault) => {
                    tracing::info!(code = %fault.code(), r#use = of.as_str(), "a capture was taken out of a document");
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
                edits.push(verb.set("recordingStatusCallbackEvent", "in-progress completed absent"));
            }
        }
        if edits.is_empty() { bytes.to_vec() } else { document.edit(edits).into_owned() }
    }

    /// A URL of ours that stands for another one.
    fn ours(&self, what: &str, query: &[(&str, &str)]) -> Option<String> {
        let who = self.who?;
        let mut form = Form::default();
        form.add("by", &who.credential);
        query.iter().filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| form.add(name, *value));
        recordings::our_url(self.door, &who.account, what, &form).ok()
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

/// An application's answer, with this body.
fn passed(status: StatusCode, headers: &HeaderMap, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = headers.get(header::CONTENT_TYPE).cloned();
    let kind = kind.unwrap_or(HeaderValue::from_static("text/xml"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    // Twilio keeps an application's cookies for the call.
    for cookie in headers.get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    response
}

/// What stands in our own URLs.
const OURS: &[&str] = &["by", "url"];
/// How recording is turned off, to the letter.
const OFF: &[&str] = &["false", "do-not-record"];
/// One more byte than a document may have.
const MOST: usize = 65_537;
