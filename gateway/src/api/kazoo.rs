//! The target of Kazoo's call recordings: it sends each finished file to a URL that its operator sets, and FreeSWITCH does
//! so in older lines.
//!
//! Kazoo resends whatever is not answered by a 2xx, up to thirty times, and keeps it meanwhile. So what the law refuses is
//! answered like a success, and nothing of it is kept; what a repetition can cure is answered 503. The answer never says
//! anything about anybody: Kazoo stores it.
//!
//! The path names nothing: several recordings of one call have the same. A recording is told from others by
//! `recording_id` where Kazoo sends it, or by its document's id where a storage plan does, else by its content.

pub(super) mod plan;
mod recordings;
mod request;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use policy::Remedy;
use serde_json::json;
use tracing::Instrument as _;
use uuid::Uuid;

use super::problem::{DoorCode, Misread, Problem, TurnedAway};
use super::{Door, identify, trace};
use crate::access::{Principal, Role};
use crate::body::{Cap, Pace, Paced};
use crate::gate::{CallRefusal, Fault, FaultKind, RecordingRefusal, Refused, Taken, Unkept};

/// The routes of the door, all of which ask for credentials.
pub(super) fn mount() -> Router<Arc<Door>> {
    let target = || put(store).post(store).get(read_back);
    Router::new()
        .route("/kazoo/{account}", target())
        .route("/kazoo/{account}/", target())
        .route("/kazoo/{account}/{*file}", target())
        .merge(recordings::mount())
}

async fn store(State(door): State<Arc<Door>>, request: Request) -> Response {
    let mut response = match take(&door, request).await {
        Ok(Taken::Stored(stored)) => match stored.new {
            true => said(StatusCode::CREATED, &json!({})),
            false => said(StatusCode::OK, &json!({})),
        },
        Ok(Taken::Quarantined) => said(StatusCode::ACCEPTED, &json!({})),
        Err(response) => response,
    };
    // Somebody we know may send more of a refused body before we hang up.
    response.extensions_mut().insert(Cap::KNOWN);
    response
}

async fn take(door: &Arc<Door>, request: Request) -> Result<Taken, Response> {
    let (parts, body) = request.into_parts();
    let (who, file) = let_in(door, &parts).await?;
    super::upload::whole_and_plain(&parts.headers).map_err(turned_away)?;
    let (document, body) = match plan::boundary(&parts.headers) {
        Some(boundary) => {
            plan::parts(Paced::new(body, door.upload_pace), &boundary).await.map_err(turned_away)?
        }
        None => (serde_json::Value::Null, body),
    };
    if let Some(file) = request::trial(&parts.uri, file.as_deref()) {
        return Err(keep_trial(door, &who.account, &file, body).await);
    }
    let sent = request::Sent::read(&parts.uri, file.as_deref(), &document);
    admit(door, &who, sent, body).await.map_err(refused)
}

/// Who sends it, and what stands below the account in the path.
async fn let_in(door: &Arc<Door>, parts: &Parts) -> Result<(Principal, Option<String>), Response> {
    let (account, file) = request::target(&parts.uri);
    let header = parts.headers.get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    let by_token = header.is_none();
    let header = header.or_else(|| token(&parts.uri));
    let who = identify(door, header.as_deref(), &parts.extensions).await.map_err(refused)?;
    // Kazoo keeps the URL in documents and logs: what stands in one opens nothing but this.
    let allowed = if by_token { BY_TOKEN } else { UPLOADERS };
    if !allowed.contains(&who.role) {
        return Err(turned_away(TurnedAway::WrongRole { role: who.role, allowed }));
    }
    let named = door.gate.account_named(&account).await.map_err(|fault| refused(fault.into()))?;
    if named.as_deref() != Some(who.account.as_str()) {
        return Err(turned_away(TurnedAway::NoSuchPath));
    }
    trace::known(&who.credential);
    Ok((who, file))
}

/// Keeps the file by which a storage plan is tried, until it has been read back.
async fn keep_trial(door: &Arc<Door>, account: &str, file: &str, body: Body) -> Response {
    let pace = Pace { max_bytes: plan::LONGEST_TRIAL, ..Pace::JSON };
    let Ok(content) = Paced::new(body, pace).read_all().await else {
        return turned_away(TurnedAway::Multipart(Misread::Broken));
    };
    match door.trials.keep(account, file, content) {
        true => said(StatusCode::CREATED, &json!({})),
        false => later(&json!({"code": DoorCode::Busy.as_str()})),
    }
}

/// Only the file by which a storage plan is tried can be read here.
async fn read_back(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let (who, file) = match let_in(&door, &parts).await {
        Ok(known) => known,
        Err(response) => return response,
    };
    match request::trial(&parts.uri, file.as_deref()).and_then(|file| door.trials.read(&who.account, &file)) {
        Some(content) => ([(header::CONTENT_TYPE, "text/plain")], content).into_response(),
        None => turned_away(TurnedAway::NoSuchPath),
    }
}

/// Stores the file, or puts it into quarantine.
async fn admit(door: &Arc<Door>, who: &Principal, sent: request::Sent, body: Body) -> Result<Taken, Problem> {
    let admission = door.gate.admit(who, sent.into_gate()).await?;
    let worker = Arc::clone(door);
    let mut body = Paced::new(body, door.upload_pace);
    let work = async move { worker.gate.store(admission, &mut body).await };
    let task = door.gate.spawn(work.in_current_span());
    let taken = task.await.map_err(|error| Fault::damaged_by("the task of an upload failed", error))?;
    Ok(taken?)
}

/// What Kazoo is told of an upload that is not kept.
fn refused(problem: Problem) -> Response {
    let fault = match problem {
        Problem::Gate(fault) => fault,
        Problem::Door(why) => return turned_away(why),
    };
    let code = fault.code().as_str();
    trace::problem(code);
    let document = json!({"code": code});
    if let Fault::Refused { why: Refused::Recording(RecordingRefusal::Uncovered(unkept)), .. } = &fault {
        if unkept.discarded {
            return discarded(unkept.entry);
        }
        if may_come_again(unkept) {
            return later(&document);
        }
    }
    // No repetition brings it back, and Kazoo would send it thirty times.
    if matches!(&fault, Fault::Refused { why: Refused::Recording(RecordingRefusal::NameDeleted), .. }) {
        return said(StatusCode::OK, &json!({}));
    }
    // The application may open the call later, or the operator add a key.
    let is_early = matches!(
        &fault,
        Fault::Refused {
            why: Refused::Recording(RecordingRefusal::NoUsableKey) | Refused::Call(CallRefusal::Unknown),
            ..
        }
    );
    if is_early {
        return later(&document);
    }
    // It says in the log what has failed.
    if matches!(fault.kind(), FaultKind::Unavailable | FaultKind::Broken) {
        let mut response = Problem::Gate(fault).into_response();
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        return response;
    }
    said(super::problem::status(fault.kind()), &document)
}

/// The words say nothing about anybody.
fn turned_away(why: TurnedAway) -> Response {
    let mut response = Problem::Door(why).into_response();
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// Whether the same bytes can be kept when they come again.
fn may_come_again(unkept: &Unkept) -> bool {
    matches!(unkept.remedy, Remedy::Wait | Remedy::Resend)
}

/// As if all were well. The entry that says why nothing is kept is the request's id.
fn discarded(entry: Uuid) -> Response {
    let mut response = said(StatusCode::OK, &json!({}));
    if let Ok(id) = HeaderValue::from_str(&entry.to_string()) {
        response.headers_mut().insert(trace::REQUEST_ID, id);
    }
    response
}

fn later(document: &serde_json::Value) -> Response {
    let mut response = said(StatusCode::SERVICE_UNAVAILABLE, document);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

fn said(status: StatusCode, document: &serde_json::Value) -> Response {
    super::answer(status, document)
}

/// The credentials in the query, as they would come in a header: `token=USERNAME.PASSWORD`. Kazoo can send no header.
fn token(uri: &Uri) -> Option<Vec<u8>> {
    let token = request::parameter(uri, "token")?;
    // FreeSWITCH itself appends a slash and the name of the file.
    credentials(token.split('/').next()?)
}

/// `USERNAME.PASSWORD`, as they would come in a header.
pub(super) fn credentials(token: &str) -> Option<Vec<u8>> {
    let (username, password) = token.split_once('.')?;
    Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}"))).into_bytes())
}

const UPLOADERS: &[Role] = &[Role::Recorder, Role::Uploader];
const BY_TOKEN: &[Role] = &[Role::Uploader];

/// Three digits, so that only Kazoo counts the tries: its HTTP client would wait for fewer than a hundred seconds by itself,
/// and send the file again without end.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("120");
