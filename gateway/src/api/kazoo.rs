//! The target of Kazoo's call recordings: it sends each finished file to a URL that its operator sets, and FreeSWITCH does
//! so in older lines.
//!
//! Kazoo resends whatever is not answered by a 2xx, up to thirty times, and keeps it meanwhile. So what the law refuses is
//! answered like a success, and nothing of it is kept; what a repetition can cure is answered 503. The answer never says
//! anything about anybody: Kazoo stores it.
//!
//! The path names nothing: several recordings of one call have the same. A recording is told from others by
//! `recording_id` where Kazoo sends it, else by its content.

mod request;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use policy::Remedy;
use serde_json::json;
use tracing::Instrument as _;
use uuid::Uuid;

use self::request::Sent;
use super::problem::{Problem, TurnedAway};
use super::{Door, identify, trace};
use crate::access::{Principal, Role};
use crate::body::{Cap, Paced};
use crate::gate::{CallRefusal, Fault, FaultKind, RecordingRefusal, Refused, Stored, Unkept};

/// The routes of the door, all of which ask for credentials.
pub(super) fn mount() -> Router<Arc<Door>> {
    let target = || put(store).post(store);
    Router::new()
        .route("/kazoo/{account}", target())
        .route("/kazoo/{account}/", target())
        .route("/kazoo/{account}/{*file}", target())
}

async fn store(State(door): State<Arc<Door>>, request: Request) -> Response {
    let mut response = match take(&door, request).await {
        Ok(stored) => match stored.new {
            true => said(StatusCode::CREATED, &json!({})),
            false => said(StatusCode::OK, &json!({})),
        },
        Err(problem) => refused(problem),
    };
    // Somebody we know may send more of a refused body before we hang up.
    response.extensions_mut().insert(Cap::KNOWN);
    response
}

async fn take(door: &Arc<Door>, request: Request) -> Result<Stored, Problem> {
    let (account, file) = request::target(request.uri());
    let sent = Sent::read(request.uri(), file.as_deref());
    let header = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    let by_token = header.is_none();
    let header = header.or_else(|| token(request.uri()));
    let who = identify(door, header.as_deref(), request.extensions()).await?;
    // Kazoo keeps the URL in documents and logs: what stands in one opens nothing but this.
    let allowed = if by_token { BY_TOKEN } else { UPLOADERS };
    if !allowed.contains(&who.role) {
        return Err(TurnedAway::WrongRole { role: who.role, allowed }.into());
    }
    if door.gate.account_named(&account).await?.as_deref() != Some(who.account.as_str()) {
        return Err(TurnedAway::NoSuchPath.into());
    }
    trace::known(&who.credential);
    let (parts, body) = request.into_parts();
    super::upload::whole_and_plain(&parts.headers)?;
    admit(door, &who, &sent, body).await
}

/// Stores the file on the first of the calls that it may belong to.
async fn admit(door: &Arc<Door>, who: &Principal, sent: &Sent, body: Body) -> Result<Stored, Problem> {
    let name = sent.recording.as_deref();
    let mut unknown = None;
    for call in &sent.calls {
        let came = (who, ::trail::Door::Kazoo);
        match door.gate.admit(came, call, name, sent.placement(), None).await {
            Ok(admission) => {
                let worker = Arc::clone(door);
                let mut body = Paced::new(body, door.upload_pace);
                let work = async move { worker.gate.store(admission, &mut body).await };
                let task = door.gate.spawn(work.in_current_span());
                let stored =
                    task.await.map_err(|error| Fault::damaged_by("the task of an upload failed", error))?;
                return Ok(stored?);
            }
            Err(fault @ Fault::Refused { why: Refused::Call(CallRefusal::Unknown), .. }) => {
                unknown = Some(fault);
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(unknown.unwrap_or_else(|| CallRefusal::Unknown.into()).into())
}

/// What Kazoo is told of an upload that is not kept.
fn refused(problem: Problem) -> Response {
    let fault = match problem {
        Problem::Gate(fault) => fault,
        // Nothing of it says anything about anybody.
        turned_away @ Problem::Door(_) => {
            let mut response = turned_away.into_response();
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            return response;
        }
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
    let token = token.split('/').next()?;
    let (username, password) = token.split_once('.')?;
    Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}"))).into_bytes())
}

const UPLOADERS: &[Role] = &[Role::Recorder, Role::Uploader];
const BY_TOKEN: &[Role] = &[Role::Uploader];

/// Three digits, so that only Kazoo counts the tries: its HTTP client would wait for fewer than a hundred seconds by itself,
/// and send the file again without end.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("120");
