//! Calls: open, join, observe, control, look.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{Asked, Door, Named, answer, json_body, json_bytes, parse_json};
use crate::access::Principal;
use crate::gate::Fault;
use crate::gate::ask::{ControlRecording, Object, Observed, OpenCall, Participant};

type Gate = State<Arc<Door>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    at: Option<Timestamp>,
}

pub(super) async fn explain(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    Asked(query): Asked<ExplainQuery>,
) -> Result<Response, Fault> {
    door.gate.look(&who, &["call"], json!({"call": call})).await?;
    Ok(answer(StatusCode::OK, &door.gate.explain(&who.account, &call, query.at).await?))
}

pub(super) async fn open(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let asked: OpenCall = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, decision) = door.gate.open(&who, &call, asked).await?;
    Ok(answer(if new { StatusCode::CREATED } else { StatusCode::OK }, &decision))
}

pub(super) async fn join(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let asked: Participant = json_body(headers.get(CONTENT_TYPE), body).await?;
    Ok(answer(StatusCode::CREATED, &door.gate.join(&who, &call, asked).await?))
}

pub(super) async fn observe(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let bytes = json_bytes(headers.get(CONTENT_TYPE), body).await?;
    let several = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let events: Vec<Object<Observed>> = if several { parse_json(&bytes)? } else { vec![parse_json(&bytes)?] };
    let events = events.into_iter().map(|Object(event)| event).collect();
    Ok(answer(StatusCode::CREATED, &door.gate.observe(&who, &call, events).await?))
}

pub(super) async fn control(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let asked: ControlRecording = json_body(headers.get(CONTENT_TYPE), body).await?;
    Ok(answer(StatusCode::OK, &door.gate.control(&who, &call, asked).await?))
}

pub(super) async fn show(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
) -> Result<Response, Fault> {
    door.gate.look(&who, &["call"], json!({"call": call})).await?;
    Ok(answer(StatusCode::OK, &door.gate.show(&who, &call).await?))
}

pub(super) async fn decision(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
) -> Result<Response, Fault> {
    door.gate.look(&who, &["call"], json!({"call": call})).await?;
    Ok(answer(StatusCode::OK, &door.gate.decide(&who, &call).await?))
}
