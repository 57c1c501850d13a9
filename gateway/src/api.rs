//! The native door: HTTP in, verbs of the gate, problem documents out.
//!
//! Handlers read the request, call one verb and write the answer; they decide nothing. Who may
//! call what stands in [`routes`].

mod account;
mod calls;
mod consents;
mod erasures;
mod evidence;
mod holds;
mod kazoo;
mod law;
mod log;
mod media;
pub mod openapi;
mod problem;
mod provision;
mod quarantine;
mod readings;
pub mod routes;
mod scope;
mod trace;
mod twilio;
mod upload;
pub(crate) mod words;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Path, Query, Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::request::Parts;
use axum::http::{StatusCode, Version};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};
use tracing::Instrument as _;

use problem::{Ambiguity, Problem, TurnedAway};
pub use problem::{Code, all_codes};

use crate::access::{Access, Denied, Principal};
use crate::body::{Cap, Pace, discard_unread, read_all};
use crate::gate::ask::{Misfit, Object, fit};
use crate::gate::{Fault, Gate, Wrong};
use crate::listen::{Guest, Peer};
use crate::twilio::Platforms;

pub(crate) use kazoo::plan::Trials;

/// What every handler can reach.
#[derive(Debug)]
pub struct Door {
    /// The gate.
    pub gate: Gate,
    /// Who may.
    pub access: Access,
    /// How uploads may come.
    pub upload_pace: Pace,
    /// The accounts at Twilio that stand behind the gateway.
    pub twilio: Platforms,
    /// Where the gateway is reached from outside, without a slash at the end.
    pub public_url: Option<String>,
    /// The files by which a Kazoo platform tries a storage plan.
    pub(crate) trials: Trials,
}

impl AsRef<Gate> for Door {
    fn as_ref(&self) -> &Gate {
        &self.gate
    }
}

/// The whole service.
// The order matters: whatever happens below, unread bodies are discarded so that the answer can be
// read (outermost), every answer has its request's id and is logged, panics become opaque 500s, and nothing is
// handled before it is known who asks.
pub fn router(door: Arc<Door>) -> Router {
    routes::mount()
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&door), authorize))
        // Doors that ask for credentials in their own way.
        .merge(kazoo::mount())
        .merge(twilio::mount())
        .layer(from_fn(read_in_one_way))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
        .layer(from_fn(harden))
        .layer(from_fn(trace::follow))
        .layer(from_fn(discard_unread))
        .with_state(door)
}

/// Refuses what a proxy before us could have read in another way: then it let somebody else's request pass, or
/// another one.
async fn read_in_one_way(request: Request, next: Next) -> Response {
    match ambiguous(&request) {
        None => next.run(request).await,
        Some(ambiguity) => Problem::Door(TurnedAway::Ambiguous(ambiguity)).into_response(),
    }
}

fn ambiguous(request: &Request) -> Option<Ambiguity> {
    let headers = request.headers();
    let one = |name| {
        let mut values = headers.get_all(name).into_iter();
        (values.next(), values.next().is_none())
    };
    let (host, only) = one(header::HOST);
    let valid = |host: &HeaderValue| {
        let authority = axum::http::uri::Authority::try_from(host.as_bytes());
        host.is_empty() || authority.is_ok_and(|authority| !authority.as_str().contains('@'))
    };
    // RFC 9112 section 3.2.
    if !only
        || host.is_some_and(|host| !valid(host))
        || (host.is_none() && request.version() >= Version::HTTP_11)
    {
        return Some(Ambiguity::Host);
    }
    if !one(header::AUTHORIZATION).1 {
        return Some(Ambiguity::Authorization);
    }
    let (coding, only) = one(header::TRANSFER_ENCODING);
    let chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if !only || coding.is_some_and(|coding| !chunked(coding)) {
        return Some(Ambiguity::TransferCoding);
    }
    None
}

async fn authorize(
    State(door): State<Arc<Door>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let came = door.gate.clock().now();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let entry = path.as_deref().and_then(|path| routes::entry(request.method(), path));
    if entry.is_some_and(|entry| entry.roles.is_empty()) {
        return Ok(next.run(request).await);
    }
    let header = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    // Public logs are read without credentials: the handler asks whether this one is.
    if header.is_none() && entry.is_some_and(|entry| entry.path.starts_with(PUBLIC)) {
        return Ok(next.run(request).await);
    }
    let principal = match identify(&door, header.as_deref(), request.extensions()).await {
        Ok(principal) => principal,
        Err(problem) => {
            // It may be an objection: who sends it and to which call it belongs cannot be known.
            if matches!(problem, Problem::Gate(_)) && entry.is_some_and(routes::may_restrict) {
                door.gate.unhear(came);
            }
            return Err(problem);
        }
    };
    // What is not in the table of routes is forbidden, whoever asks; unknown paths answer 404.
    if let (Some(_), entry) = (&path, entry) {
        let Some(entry) = entry else { return Err(wrong_method(request).await) };
        if !entry.roles.contains(&principal.role) {
            return Err(TurnedAway::WrongRole { role: principal.role, allowed: entry.roles }.into());
        }
    }
    trace::known(&principal.credential);
    request.extensions_mut().insert(principal);
    let mut response = next.run(request).await;
    // Somebody we know may send more of a refused body before we hang up.
    response.extensions_mut().insert(Cap::KNOWN);
    Ok(response)
}

/// Finds out who sends these credentials.
async fn identify(
    door: &Door,
    header: Option<&[u8]>,
    extensions: &axum::http::Extensions,
) -> Result<Principal, Problem> {
    let from = extensions.get::<Peer>().map(|peer| peer.0);
    let Some(from) = from else { return Err(TurnedAway::Unauthorized.into()) };
    let principal = match door.access.check(header, from).await {
        Ok(principal) => principal,
        Err(Denied::Wrong) => return Err(TurnedAway::Unauthorized.into()),
        Err(Denied::Throttled(seconds)) => return Err(TurnedAway::Throttled { seconds }.into()),
        Err(Denied::Busy) => return Err(TurnedAway::Busy.into()),
        Err(Denied::Unavailable(error)) => return Err(error.into()),
    };
    if let Some(guest) = extensions.get::<Guest>() {
        guest.let_in();
    }
    Ok(principal)
}

/// What may be read without credentials where its account says so.
const PUBLIC: &str = "/v1/log/";

/// Nothing is kept by a cache or taken for something else, unless the answer says so.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Problem::Gate(Fault::damaged("a handler panicked")).into_response()
}

async fn not_found() -> Problem {
    TurnedAway::NoSuchPath.into()
}

async fn wrong_method(request: Request) -> Problem {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    TurnedAway::WrongMethod { method: request.method().clone(), allowed: routes::methods(path) }.into()
}

impl FromRequestParts<Arc<Door>> for Principal {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Door>) -> Result<Self, Response> {
        let nobody = || Problem::Door(TurnedAway::Unauthorized).into_response();
        parts.extensions.get::<Principal>().cloned().ok_or_else(nobody)
    }
}

/// The names in a path, percent-decoded.
struct Named<T>(T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Door>> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, door).await {
            Ok(Path(names)) => Ok(Named(names)),
            Err(_) => Err(TurnedAway::Path.into()),
        }
    }
}

/// The query, unknown parameters refused.
struct Asked<T>(T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Door>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, door).await {
            Ok(Query(query)) => Ok(Asked(query)),
            Err(rejection) => Err(TurnedAway::Query(rejection).into()),
        }
    }
}

/// A moment in a query, with its zone. A plus sign that is not encoded stands for a space there.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    let read = |text: String| {
        let (day, time) = text.split_once('T').unwrap_or((&text, ""));
        trail::clock::moment(&format!(
            "{day}{}{}",
            if time.is_empty() { "" } else { "T" },
            time.replace(' ', "+")
        ))
    };
    text.map(read).transpose().map_err(D::Error::custom)
}

/// A whole number in a query.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    let read = |text: String| {
        let shown: String = text.chars().take(20).collect();
        text.parse().map_err(|_| D::Error::custom(format!("`{shown}` is not a whole number")))
    };
    text.map(read).transpose()
}

/// Reads a JSON body. A form that a browser could send from another site is not JSON.
async fn json_body<T: DeserializeOwned>(
    content_type: Option<&HeaderValue>,
    body: Body,
) -> Result<T, Problem> {
    let bytes = json_bytes(content_type, body).await?;
    let Object(body) = parse_json(&bytes)?;
    Ok(body)
}

async fn json_bytes(content_type: Option<&HeaderValue>, body: Body) -> Result<bytes::Bytes, Problem> {
    read_json(content_type, body, Pace::JSON).await
}

async fn read_json(
    content_type: Option<&HeaderValue>,
    body: Body,
    pace: Pace,
) -> Result<bytes::Bytes, Problem> {
    let is_json = content_type.is_none_or(|value| {
        let essence =
            value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        essence == "application/json" || essence.ends_with("+json")
    });
    if !is_json {
        return Err(TurnedAway::NotJson.into());
    }
    let bytes = read_all(body, pace).await.map_err(Wrong::Body)?;
    // RFC 8259 section 8.1: a byte order mark may be passed over.
    Ok(if bytes.starts_with(BYTE_ORDER_MARK) { bytes.slice(BYTE_ORDER_MARK.len()..) } else { bytes })
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Wrong> {
    if bytes.iter().take(2).any(|byte| matches!(byte, 0 | 0xfe | 0xff)) {
        return Err(Wrong::Utf16);
    }
    if bytes.is_empty() {
        return Err(Wrong::Empty);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = fit(&mut reader).and_then(|body| reader.end().map(|()| body).map_err(Misfit::from));
    read.map_err(|misfit| if misfit.is_of_form() { Wrong::Form(misfit) } else { Wrong::Misfit(misfit) })
}

/// Does work that goes on even if the client is gone: what it has sent was said.
async fn to_the_end<T: Send + 'static>(
    door: &Door,
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let done = door.gate.spawn(work.in_current_span()).await;
    done.map_err(|error| Fault::damaged_by("a task did not come to its end", error))?
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn answer(status: StatusCode, value: &impl serde::Serialize) -> Response {
    (status, axum::Json(value)).into_response()
}
