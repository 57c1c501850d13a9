//! Which calls a Kazoo platform records by its own settings.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::{Door, answer, parse_json, read_json};
use crate::access::Principal;
use crate::body::Pace;
use crate::gate::ask::{Object, RecordingScope, RecordingSettings};
use trail::Actor;

type At = State<Arc<Door>>;

pub(super) async fn ask(
    State(door): At,
    who: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked: RecordingScope = documents(&headers, body).await?;
    Ok(answer(StatusCode::OK, &door.gate.recording_scope(&who.account, &asked).await?))
}

pub(super) async fn put_settings(
    State(door): At,
    who: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let settings: RecordingSettings = documents(&headers, body).await?;
    let kept = door.gate.put_recording_settings(&Actor::from(&who), &who.account, &settings).await?;
    Ok(answer(StatusCode::OK, &kept))
}

pub(super) async fn settings(State(door): At, who: Principal) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.recording_settings(&who.account).await?))
}

/// A platform's documents hold much besides their recording settings.
async fn documents<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    let pace = Pace { max_bytes: MAX_DOCUMENTS, ..Pace::JSON };
    let bytes = read_json(headers.get(CONTENT_TYPE), body, pace).await?;
    let Object(body) = parse_json(&bytes)?;
    Ok(body)
}

/// The largest size of a request with documents, in bytes.
const MAX_DOCUMENTS: u64 = 8 << 20;
