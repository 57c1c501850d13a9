//! The logs, as others read them: C2SP tlog-tiles below `/v1/log/{log}/`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::problem::{Problem, TurnedAway};
use super::{Door, Named};
use crate::access::Principal;
use crate::gate::Thing;
use crate::ledger::Epoch;

/// Who asks; `None` for an unauthenticated reader of a public log.
pub(super) type Reader = Option<axum::Extension<Principal>>;

pub(super) async fn checkpoint(
    State(door): State<Arc<Door>>,
    reader: Reader,
    Named(log): Named<String>,
) -> Result<Response, Problem> {
    let at = readable(&door, reader, &log).await?;
    let head = door.gate.published_head(&at).await?;
    let mut response = (StatusCode::OK, head.note.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

pub(super) async fn tile(
    State(door): State<Arc<Door>>,
    reader: Reader,
    Named((log, path)): Named<(String, String)>,
) -> Result<Response, Problem> {
    let is_public = reader.is_none();
    let at = readable(&door, reader, &log).await?;
    let piece = door.gate.tile(&at, &path).await?;
    let mut response = (StatusCode::OK, Body::from(piece.bytes)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    // A partial tile never changes either, but is soon superseded.
    let caching = match (is_public, piece.is_final) {
        (true, true) => "public, max-age=31536000, immutable",
        (false, true) => "private, max-age=31536000, immutable",
        (true, false) => "public, max-age=300",
        (false, false) => "private, max-age=300",
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    Ok(response)
}

/// The log that a path names, if this reader may read it. Another account's log looks like one that does not
/// exist.
async fn readable(door: &Door, reader: Reader, path: &str) -> Result<Epoch, Problem> {
    let log = path.split('.').next().unwrap_or_default();
    let own = reader.as_ref().is_some_and(|who| who.account == log);
    let public = door.gate.is_public_log(log).await?;
    match (own || public, reader) {
        (true, _) => door.gate.epoch(path).await.map_err(Problem::from),
        (false, Some(_)) => Err(Thing::Log.into()),
        (false, None) => Err(TurnedAway::Unauthorized.into()),
    }
}
