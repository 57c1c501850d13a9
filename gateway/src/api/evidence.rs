//! What is handed out of one call or recording: proof packs, vCons, consent records.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::Problem;
use super::{Asked, Door, Named};
use crate::access::Principal;
use crate::gate::answer::Exported;
use crate::gate::{About, Form};
use crate::trail::Actor;

type Gate = State<Arc<Door>>;

pub(super) async fn of_recording(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    Ok(archive(door.gate.prove(&Actor::from(&who), &who.account, About::Recording(&id)).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProofQuery {
    /// What is proven; without it, what is logged of the call.
    of: Option<Of>,
}

#[derive(Deserialize, JsonSchema)]
enum Of {
    /// That the call has no recording.
    #[serde(rename = "no-recording")]
    NoRecording,
}

pub(super) async fn of_call(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    Asked(query): Asked<ProofQuery>,
) -> Result<Response, Problem> {
    let about = match query.of {
        None => About::Call(&call),
        Some(Of::NoRecording) => About::NoRecording(&call),
    };
    Ok(archive(door.gate.prove(&Actor::from(&who), &who.account, about).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VconQuery {
    /// Whether it is signed: then it is answered in a JWS.
    #[serde(default)]
    signed: bool,
}

pub(super) async fn vcon(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    Asked(query): Asked<VconQuery>,
) -> Result<Response, Problem> {
    let form = if query.signed { Form::SignedVcon } else { Form::Vcon };
    Ok(document(&door.gate.export(&Actor::from(&who), &who.account, &call, form).await?))
}

pub(super) async fn consent_record(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
) -> Result<Response, Problem> {
    Ok(document(&door.gate.export(&Actor::from(&who), &who.account, &call, Form::ConsentRecord).await?))
}

fn archive(bytes: Vec<u8>) -> Response {
    let mut response = (StatusCode::OK, Body::from(bytes)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"proof.zip\""));
    response
}

fn document(exported: &Exported) -> Response {
    let mut response = (StatusCode::OK, exported.document.to_string()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exported.media_type));
    response
}
