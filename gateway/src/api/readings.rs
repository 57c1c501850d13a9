//! How an account's own counsel reads the law of a place.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;

use super::law::reason;
use super::problem::Problem;
use super::{Asked, Door, Named, answer, json_body};
use crate::access::Principal;
use crate::gate::answer::ReadingState;
use crate::gate::ask::StateReading;

type At = State<Arc<Door>>;

pub(super) async fn allow(
    State(door): At,
    who: Principal,
    Named((code, account)): Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let reason = reason(&headers, body).await?;
    let allowed = door.gate.allow_readings(&who, (&code, &account), true, &reason).await?;
    Ok(answer(StatusCode::OK, &allowed))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DisallowQuery {
    /// Why; required, and kept. At most 4 KiB.
    reason: Option<String>,
}

pub(super) async fn disallow(
    State(door): At,
    who: Principal,
    Named((code, account)): Named<(String, String)>,
    Asked(query): Asked<DisallowQuery>,
) -> Result<Response, Problem> {
    let reason = query.reason.unwrap_or_default();
    let allowed = door.gate.allow_readings(&who, (&code, &account), false, &reason).await?;
    Ok(answer(StatusCode::OK, &allowed))
}

pub(super) async fn state(
    State(door): At,
    who: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked: StateReading = json_body(headers.get(CONTENT_TYPE), body).await?;
    let reading = door.gate.state_reading(&who, asked).await?;
    let status = match reading.state {
        ReadingState::Proposed => StatusCode::ACCEPTED,
        ReadingState::InForce | ReadingState::Expired | ReadingState::Ended => StatusCode::CREATED,
    };
    Ok(answer(status, &reading))
}

pub(super) async fn list(State(door): At, who: Principal) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.readings(&who.account).await?))
}

pub(super) async fn describe(
    State(door): At,
    who: Principal,
    Named(reading): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.reading(&who.account, &reading).await?))
}

pub(super) async fn approve(
    State(door): At,
    who: Principal,
    Named(reading): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let reason = reason(&headers, body).await?;
    Ok(answer(StatusCode::OK, &door.gate.approve_reading(&who, &reading, &reason).await?))
}

pub(super) async fn end(
    State(door): At,
    who: Principal,
    Named(reading): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let reason = reason(&headers, body).await?;
    let reading = door.gate.end_reading(&who, &reading, &reason).await?;
    let status = match reading.state {
        // It asks more, so its end is only proposed.
        ReadingState::InForce => StatusCode::ACCEPTED,
        ReadingState::Proposed | ReadingState::Expired | ReadingState::Ended => StatusCode::OK,
    };
    Ok(answer(status, &reading))
}
