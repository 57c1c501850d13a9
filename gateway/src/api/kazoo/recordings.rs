//! Recordings as Crossbar, Kazoo's API, lists them, for systems that were written for it.
//!
//! The words are Crossbar's: its envelope, its members, seconds since the year 0. A document holds what is known here and
//! nothing else, so that most of Kazoo's own members are absent. Who may do what is as at the native door.
//!
//! The audio is sealed. In the format that has a client of its own elsewhere, `rsa-aes`, the sealed bytes are handed out
//! where Kazoo would hand out audio; in the other one a client is told where they are.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::problem::{self, Problem, TurnedAway};
use super::super::routes;
use super::super::words;
use super::super::{Door, Named, identify, media, trace};
use super::{credentials, request};
use crate::access::{Principal, Role};
use crate::gate::answer::Recording;
use crate::gate::{FaultKind, Looked, OfName};
use seal::Format;

/// The routes.
pub(super) fn mount() -> Router<Arc<Door>> {
    Router::new()
        .route("/v2/accounts/{account}/recordings", get(list).fallback(wrong_method))
        .route("/v2/accounts/{account}/recordings/{id}", get(show).delete(remove).fallback(wrong_method))
        .route("/v2/accounts/{account}/users/{user}/recordings", get(of_user).fallback(wrong_method))
}

/// Why Crossbar's clients do not get what they ask for.
enum Refusal {
    /// As at the native door.
    Problem(Problem),
    /// In the words of this door: the status, Crossbar's word for it, and a document.
    Own(StatusCode, &'static str, Value),
}

impl<T: Into<Problem>> From<T> for Refusal {
    fn from(problem: T) -> Refusal {
        Refusal::Problem(problem.into())
    }
}

async fn list(
    State(door): State<Arc<Door>>,
    account: Result<Named<String>, Problem>,
    request: Parts,
) -> Response {
    let listed = async {
        let Named(account) = account?;
        let who = known(&door, &account, &request, &Method::GET, "/v1/recordings").await?;
        let asked = Asked::read(&request.uri)?;
        let looked = Looked::Newest {
            accepted_from: asked.from,
            accepted_until: asked.until,
            after: asked.start_key.as_deref(),
        };
        door.gate.look(&who, &looked).await?;
        let after = asked.start_key.as_deref();
        let page =
            door.gate.newest_recordings(&who, (asked.from, asked.until), after, asked.page_size).await?;
        let documents: Vec<Value> = page.recordings.iter().map(document).collect();
        let mut envelope = Map::new();
        envelope.insert("page_size".into(), json!(documents.len()));
        envelope.insert("start_key".into(), json!(asked.start_key));
        envelope.insert("next_start_key".into(), json!(page.next));
        // As in Crossbar, what is not there is left out.
        envelope.retain(|_, value| !value.is_null());
        Ok(success(StatusCode::OK, json!(documents), envelope))
    };
    told(listed.await)
}

async fn show(
    State(door): State<Arc<Door>>,
    names: Result<Named<(String, String)>, Problem>,
    request: Parts,
) -> Response {
    let shown = async {
        let Named((account, id)) = names?;
        let is_audio = wants_audio(&request.uri, &request.headers);
        let (same, way) = match is_audio {
            true => ("/v1/recordings/{id}/media", Some("purpose")),
            false => ("/v1/recordings/{id}", None),
        };
        let who = known(&door, &account, &request, &Method::GET, same).await?;
        let id = meant(&door, &who, &id).await?;
        let Some(way) = way else {
            door.gate.look(&who, &Looked::Recording { recording: &id }).await?;
            let recording = door.gate.recording(&who, &id).await?;
            return Ok(success(StatusCode::OK, document(&recording), Map::new()));
        };
        let recording = door.gate.recording(&who, &id).await?;
        if is_plain_asked(&request.uri, &request.headers) && recording.envelope.format() == Format::Tink {
            return Err(sealed(&recording));
        }
        let purpose = request::parameter(&request.uri, way).filter(|purpose| !purpose.is_empty());
        let mut response = media::hand_out(&door, &who, &id, purpose, &request.headers).await?;
        let inline = request::parameter(&request.uri, "inline").is_some_and(|value| value == "true");
        let kind = if inline { "inline" } else { "attachment" };
        let name = format!("{kind}; filename=\"{id}.{}.sealed\"", media_type(&recording.content_type));
        if let Ok(name) = HeaderValue::from_str(&name) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
        }
        Ok(response)
    };
    told(shown.await)
}

async fn remove(
    State(door): State<Arc<Door>>,
    names: Result<Named<(String, String)>, Problem>,
    request: Parts,
) -> Response {
    let removed = async {
        let Named((account, id)) = names?;
        let who = known(&door, &account, &request, &Method::DELETE, "/v1/recordings/{id}").await?;
        let ours = meant(&door, &who, &id).await?;
        door.gate.delete(&who, &ours).await?;
        let data = json!({"id": id, "_read_only": {"deleted": true}});
        Ok(success(StatusCode::OK, data, Map::new()))
    };
    told(removed.await)
}

/// Which of Kazoo's users a recording is of is not kept.
async fn of_user(
    State(door): State<Arc<Door>>,
    names: Result<Named<(String, String)>, Problem>,
    request: Parts,
) -> Response {
    let none = async {
        let Named((account, _)) = names?;
        known(&door, &account, &request, &Method::GET, "/v1/recordings").await?;
        let says = "which user a recording is of is not known here; list those of the account";
        Err(Refusal::Own(StatusCode::NOT_IMPLEMENTED, "not_implemented", json!({"message": says})))
    };
    told(none.await)
}

async fn wrong_method() -> Response {
    let says = "recordings are listed, described, fetched and deleted here";
    told(Err(Refusal::Own(StatusCode::METHOD_NOT_ALLOWED, "invalid_method", json!({"message": says}))))
}

/// Who asks, if they may do what this native operation does, in this account.
async fn known(
    door: &Door,
    account: &str,
    request: &Parts,
    method: &Method,
    same_as: &'static str,
) -> Result<Principal, Refusal> {
    let header = request.headers.get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    // Crossbar's own header. It stands in no URL, so that any role may send it.
    let token = || request.headers.get("x-auth-token").and_then(|value| value.to_str().ok());
    let header = header.or_else(|| credentials(token()?));
    let who = identify(door, header.as_deref(), &request.extensions).await?;
    let allowed: &'static [Role] = routes::entry(method, same_as).map_or(&[], |route| route.roles);
    if !allowed.contains(&who.role) {
        return Err(TurnedAway::WrongRole { role: who.role, allowed }.into());
    }
    if door.gate.account_named(account).await?.as_deref() != Some(who.account.as_str()) {
        return Err(TurnedAway::NoSuchPath.into());
    }
    trace::known(&who.credential);
    Ok(who)
}

/// The gateway's id of what Kazoo, or a list of ours, calls so.
async fn meant(door: &Door, who: &Principal, id: &str) -> Result<String, Refusal> {
    // The gateway's own ids come first, since senders choose theirs.
    if id.parse::<Uuid>().is_ok() {
        return Ok(id.to_owned());
    }
    match door.gate.recording_of_name(who, &format!("{KAZOO}{id}")).await? {
        OfName::One(id) => Ok(id),
        OfName::None => Ok(id.to_owned()),
        OfName::Several => {
            let says = "several recordings have this id; ask by the one under `_read_only.recording`";
            Err(Refusal::Own(StatusCode::CONFLICT, "datastore_conflict", json!({"message": says})))
        }
    }
}

/// What a list asks.
struct Asked {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    start_key: Option<String>,
    page_size: u32,
}

impl Asked {
    /// Reads it. What would change the answer and is not understood is refused, not passed over.
    fn read(uri: &Uri) -> Result<Asked, Refusal> {
        let mut asked = Asked { from: None, until: None, start_key: None, page_size: PAGE };
        for (name, value) in request::pairs(uri) {
            let value = request::decoded(value);
            match name {
                "created_from" => asked.from = Some(second(&value)?),
                // With all of its last second.
                "created_to" => {
                    let last = second(&value)?;
                    asked.until = Some(last.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(last));
                }
                "start_key" => asked.start_key = Some(value).filter(|key| !key.is_empty()),
                "page_size" => {
                    let size = value.parse().ok().filter(|size| (1..=MOST).contains(size));
                    asked.page_size = size.ok_or_else(|| unread("`page_size` is a number from 1 to 1000"))?;
                }
                "paginate" if value == "true" => {}
                "descending" if value == "true" => {}
                "ascending" if value == "false" => {}
                _ => {
                    return Err(unread(
                        "a list takes `created_from`, `created_to`, `page_size` and `start_key`, and is in \
                         descending order",
                    ));
                }
            }
        }
        Ok(asked)
    }
}

fn second(text: &str) -> Result<Timestamp, Refusal> {
    let at = text.parse().ok().and_then(request::gregorian);
    at.ok_or_else(|| unread("`created_from` and `created_to` are seconds since the year 0"))
}

fn unread(says: &str) -> Refusal {
    Refusal::Own(StatusCode::BAD_REQUEST, "faulty_request", json!({"message": says}))
}

/// A recording in Kazoo's words, as far as they are known.
fn document(recording: &Recording) -> Value {
    let id = recording.id.to_string();
    let path = format!("/v1/recordings/{id}");
    let mut document = json!({
        "id": recording.name.strip_prefix(KAZOO).unwrap_or(&id),
        "name": recording.name,
        "call_id": recording.call,
        "start": request::to_gregorian(recording.recorded_from.0),
        "duration": recording.duration_ms.div_euclid(1000),
        "duration_ms": recording.duration_ms,
        "content_type": recording.content_type,
        "media_type": media_type(&recording.content_type),
        "media_source": "recorded",
        "_read_only": {
            "created": request::to_gregorian(recording.accepted_at.0),
            "content_types": [recording.content_type],
            "recording": id,
            "sealed": recording.envelope.format().as_str(),
            "media": recording.media,
            "envelope": path,
        },
    });
    if let (Some(why), Some(ours)) =
        (recording.unasked, document.get_mut("_read_only").and_then(Value::as_object_mut))
    {
        ours.insert("unasked".into(), json!(why));
    }
    document
}

/// Kazoo's word for a format.
fn media_type(content_type: &str) -> &str {
    let of = content_type.rsplit('/').next().unwrap_or(content_type);
    if of == "mpeg" { "mp3" } else { of }
}

/// Explains why no audio is handed out, and says where the sealed media can be fetched.
fn sealed(recording: &Recording) -> Refusal {
    let data = json!({
        "message": "the recording is sealed, and the gateway has no key that opens it: fetch the sealed media and the \
                    envelope, and open them with `consent-gateway open`",
        "media": recording.media,
        "envelope": format!("/v1/recordings/{}", recording.id),
        "accept": SEALED,
    });
    Refusal::Own(StatusCode::NOT_ACCEPTABLE, "not_acceptable", data)
}

/// Whether bytes are asked for, not a document: the first of the media types, the most wanted first, that mean anything
/// here.
fn wants_audio(uri: &Uri, headers: &HeaderMap) -> bool {
    accepted(uri, headers).iter().find_map(|kind| meaning(kind)).unwrap_or(false)
}

/// Whether audio is asked for, not sealed bytes.
fn is_plain_asked(uri: &Uri, headers: &HeaderMap) -> bool {
    let accepted = accepted(uri, headers);
    accepted.iter().find(|kind| meaning(kind).is_some()).is_some_and(|kind| kind != SEALED)
}

fn meaning(kind: &str) -> Option<bool> {
    match kind {
        "application/json" | "application/x-json" | "*/*" => Some(false),
        SEALED => Some(true),
        _ => kind.starts_with("audio/").then_some(true),
    }
}

/// The media types of `Accept`, or of the parameter that stands for it, the most wanted first.
fn accepted(uri: &Uri, headers: &HeaderMap) -> Vec<String> {
    let header = || Some(headers.get(header::ACCEPT)?.to_str().ok()?.to_owned());
    let Some(text) = request::parameter(uri, "accept").or_else(header) else { return Vec::new() };
    let mut kinds: Vec<(f32, String)> = text.split(',').map(weighed).collect();
    kinds.sort_by(|one, other| other.0.total_cmp(&one.0));
    kinds.into_iter().filter(|(weight, _)| *weight > 0.0).map(|(_, kind)| kind).collect()
}

fn weighed(text: &str) -> (f32, String) {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
    (weight.unwrap_or(0.0), kind)
}

fn told(done: Result<Response, Refusal>) -> Response {
    done.unwrap_or_else(|refusal| match refusal {
        Refusal::Own(status, word, data) => {
            trace::problem(word);
            error(status, word, data)
        }
        Refusal::Problem(Problem::Door(why)) => {
            trace::problem(why.code());
            let status = why.status();
            let word = match status {
                StatusCode::UNAUTHORIZED => "invalid_credentials",
                StatusCode::FORBIDDEN => "forbidden",
                StatusCode::NOT_FOUND => "bad_identifier",
                StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
                _ => "faulty_request",
            };
            let data = json!({"message": words::turned_away(&why), "code": why.code()});
            let mut response = error(status, word, data);
            response.headers_mut().extend(why.header());
            response
        }
        Refusal::Problem(Problem::Gate(fault)) => {
            let code = fault.code().as_str();
            trace::problem(code);
            if let crate::gate::Fault::Failed(failure) = &fault {
                problem::failed(failure);
            }
            let (status, word) = match fault.kind() {
                // Crossbar knows nothing that is gone.
                FaultKind::Unknown | FaultKind::Gone => (StatusCode::NOT_FOUND, "bad_identifier"),
                FaultKind::Conflict => (StatusCode::CONFLICT, "datastore_conflict"),
                FaultKind::Refused => (StatusCode::FORBIDDEN, "forbidden"),
                FaultKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "datastore_unreachable"),
                FaultKind::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "unspecified_fault"),
                FaultKind::Malformed
                | FaultKind::Invalid
                | FaultKind::TooLarge
                | FaultKind::TooSlow
                | FaultKind::Unsupported
                | FaultKind::Range => (problem::status(fault.kind()), "faulty_request"),
            };
            let mut response = error(status, word, json!({"message": words::of(&fault), "code": code}));
            if status == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            response
        }
    })
}

fn success(status: StatusCode, data: Value, more: Map<String, Value>) -> Response {
    let mut envelope = more;
    envelope.insert("status".into(), json!("success"));
    enveloped(status, data, envelope)
}

fn error(status: StatusCode, word: &str, data: Value) -> Response {
    let mut envelope = Map::new();
    envelope.insert("status".into(), json!("error"));
    envelope.insert("error".into(), json!(status.as_str()));
    envelope.insert("message".into(), json!(word));
    enveloped(status, data, envelope)
}

/// Crossbar's envelope, without its token: nobody needs to be told what they have sent.
fn enveloped(status: StatusCode, data: Value, mut envelope: Map<String, Value>) -> Response {
    envelope.insert("data".into(), data);
    envelope.insert("request_id".into(), json!(trace::id()));
    super::super::answer(status, &Value::Object(envelope))
}

/// What the names of Kazoo's recordings begin with here.
const KAZOO: &str = super::request::NAMED;
/// What asks for the sealed bytes as they are.
const SEALED: &str = "application/octet-stream";
/// How many recordings a page has, if nobody says how many.
const PAGE: u32 = 50;
const MOST: u32 = 1000;
