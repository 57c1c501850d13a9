//! Twilio's REST API, in front of Twilio: an application sets the base URL of its library to the gateway, and nothing that
//! would capture a call is passed on without leave.
//!
//! The paths, forms, documents and errors are Twilio's. The credentials are ours: Twilio's sid of the account, with a
//! secret that opens nothing at Twilio. What is refused in law is answered 403 with the code [`REFUSED`], which no client
//! of Twilio's tries again.
//!
//! INVARIANT: nothing is passed on that could record, transcribe or stream a call unless the gate has granted it at that
//! moment, or it was taken out. What is not known under calls and conferences is not passed on at all.

mod form;
mod recordings;
mod rest;
mod status;
mod voice;

use std::sync::Arc;

use axum::Router;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::kazoo::credentials;
use super::problem::{self, Problem, TurnedAway};
use super::{Door, identify, routes, trace, words};
use crate::access::{Principal, Role};
use crate::body::BodyError;
use crate::gate::{Fault, FaultKind};
use crate::twilio::Undone;

/// The routes of the door, all of which ask for credentials, or for a signature.
pub(super) fn mount() -> Router<Arc<Door>> {
    Router::new()
        .route("/2010-04-01/{*rest}", any(rest::take))
        .route("/twilio/{account}/status", post(status::take))
        .route("/twilio/{account}/voice", post(voice::take).get(voice::take))
}

/// Who asks, and of which account of ours, if they may do what this native operation does.
async fn let_in(
    door: &Door,
    parts: &Parts,
    (method, same_as): (&Method, &'static str),
) -> Result<Principal, Refusal> {
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((sid, token)) = header.and_then(basic) else { return Err(TurnedAway::Unauthorized.into()) };
    let Some((account, _)) = door.twilio.by_sid(&sid) else { return Err(TurnedAway::Unauthorized.into()) };
    let header = credentials(&token);
    let who = identify(door, header.as_deref(), &parts.extensions).await?;
    if who.account != account {
        return Err(TurnedAway::Unauthorized.into());
    }
    trace::known(&who.credential);
    let allowed: &'static [Role] = routes::entry(method, same_as).map_or(&[], |route| route.roles);
    if !allowed.contains(&who.role) {
        return Err(TurnedAway::WrongRole { role: who.role, allowed }.into());
    }
    Ok(who)
}

/// `Basic` credentials (RFC 7617) as Twilio's libraries send them: the account's sid, and `USERNAME.PASSWORD` of ours.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    let plain = scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(encoded.trim()))?.ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let (sid, token) = plain.split_once(':')?;
    Some((sid.to_owned(), token.to_owned()))
}

/// Why a client of Twilio's does not get what it asks for.
enum Refusal {
    /// As at the native door.
    Problem(Problem),
    /// Twilio was not asked, or has not answered.
    Upstream(Undone),
    /// In the words of this door: the status, Twilio's code or one of ours, and what to do.
    Own(StatusCode, u32, String),
}

impl<T: Into<Problem>> From<T> for Refusal {
    fn from(problem: T) -> Refusal {
        Refusal::Problem(problem.into())
    }
}

impl From<Undone> for Refusal {
    fn from(undone: Undone) -> Refusal {
        Refusal::Upstream(undone)
    }
}

/// What the law, or this door, does not let pass.
fn refused(message: impl Into<String>) -> Refusal {
    Refusal::Own(StatusCode::FORBIDDEN, REFUSED, message.into())
}

/// A request that was not read whole.
fn unread(error: &BodyError) -> Refusal {
    let status = match error {
        BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::TooSlow { .. } | BodyError::Deadline { .. } | BodyError::Broken(_) => {
            StatusCode::BAD_REQUEST
        }
    };
    Refusal::Own(status, INVALID, format!("the request could not be read: {error}"))
}

impl Refusal {
    /// The answer, in Twilio's words.
    fn answer(self, path: &str) -> Response {
        let mut headers = HeaderMap::new();
        let (status, code, message) = match self {
            Refusal::Own(status, code, message) => {
                trace::problem("twilio-refused");
                (status, code, message)
            }
            Refusal::Upstream(undone) => {
                let outcome = undone.outcome();
                tracing::warn!(outcome, "Twilio has not answered");
                match undone {
                    Undone::Path => {
                        (StatusCode::NOT_FOUND, NOT_FOUND, "the path can be read in more than one way".into())
                    }
                    Undone::Token | Undone::Undelivered(_) => {
                        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
                        let says = format!("Twilio could not be asked ({outcome}); try again");
                        (StatusCode::BAD_GATEWAY, UPSTREAM, says)
                    }
                }
            }
            Refusal::Problem(Problem::Door(why)) => {
                trace::problem(why.code());
                headers.extend(why.header());
                let says = words::turned_away(&why);
                match why.status() {
                    StatusCode::UNAUTHORIZED => {
                        (StatusCode::UNAUTHORIZED, UNAUTHORIZED, "Authenticate".into())
                    }
                    StatusCode::NOT_FOUND => (StatusCode::NOT_FOUND, NOT_FOUND, says),
                    StatusCode::TOO_MANY_REQUESTS => (StatusCode::TOO_MANY_REQUESTS, TOO_MANY, says),
                    status => (status, UNAUTHORIZED, says),
                }
            }
            Refusal::Problem(Problem::Gate(fault)) => of_gate(&fault),
        };
        let mut response = said(path, status, code, &message);
        response.headers_mut().extend(headers);
        response
    }
}

/// A fault of the gate in Twilio's words.
fn of_gate(fault: &Fault) -> (StatusCode, u32, String) {
    trace::problem(fault.code().as_str());
    if let Fault::Failed(failure) = fault {
        problem::failed(failure);
    }
    let says = words::of(fault);
    match fault.kind() {
        // A code that clients try again, as a race of their own, would ask for leave once more.
        FaultKind::Refused | FaultKind::Conflict => (StatusCode::FORBIDDEN, REFUSED, says),
        FaultKind::Unknown | FaultKind::Gone => (StatusCode::NOT_FOUND, NOT_FOUND, says),
        FaultKind::Unavailable | FaultKind::Broken => (problem::status(fault.kind()), UPSTREAM, says),
        FaultKind::Malformed
        | FaultKind::Invalid
        | FaultKind::TooLarge
        | FaultKind::TooSlow
        | FaultKind::Unsupported
        | FaultKind::Range => (problem::status(fault.kind()), INVALID, says),
    }
}

/// An error as Twilio writes it: JSON where the path ends in `.json`, else XML.
fn said(path: &str, status: StatusCode, code: u32, message: &str) -> Response {
    if path.ends_with(".json") {
        let more = format!("https://www.twilio.com/docs/errors/{code}");
        return json_answer(
            status,
            &json!({"code": code, "message": message, "more_info": more, "status": status.as_u16()}),
        );
    }
    let message = form::escaped(message);
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<TwilioResponse><RestException><Code>{code}</Code>\
         <Message>{message}</Message><Status>{}</Status></RestException></TwilioResponse>",
        status.as_u16()
    );
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"))], document).into_response()
}

fn json_answer(status: StatusCode, document: &Value) -> Response {
    super::answer(status, document)
}

/// The code of what the law, or this door, does not let pass. Twilio has none of this number.
const REFUSED: u32 = 62_001;
/// Twilio's codes.
const UNAUTHORIZED: u32 = 20_003;
const NOT_FOUND: u32 = 20_404;
const TOO_MANY: u32 = 20_429;
const UPSTREAM: u32 = 20_500;
const INVALID: u32 = 20_001;
