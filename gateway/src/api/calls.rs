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

use super::{Asked, Door, Named, answer, json_body, json_bytes, parse_json, to_the_end};
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
    let gate = Arc::clone(&door);
    let joined = to_the_end(&door, async move { gate.gate.join(&who, &call, asked).await }).await?;
    Ok(answer(StatusCode::CREATED, &joined))
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
    let gate = Arc::clone(&door);
    let observed = to_the_end(&door, async move { gate.gate.observe(&who, &call, events).await }).await?;
    Ok(answer(StatusCode::CREATED, &observed))
}

pub(super) async fn control(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let asked: ControlRecording = json_body(headers.get(CONTENT_TYPE), body).await?;
    let gate = Arc::clone(&door);
    let done = to_the_end(&door, async move { gate.gate.control(&who, &call, asked).await }).await?;
    Ok(answer(StatusCode::OK, &done))
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
