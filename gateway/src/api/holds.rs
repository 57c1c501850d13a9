//! Legal holds.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::Problem;
use super::{Asked, Door, Named, answer, json_body, to_the_end};
use crate::access::Principal;
use crate::gate::ask::LegalHold;

type Gate = State<Arc<Door>>;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only those for this case.
    case: Option<String>,
}

pub(super) async fn list(
    State(door): Gate,
    who: Principal,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.holds(&who.account, query.case.as_deref()).await?))
}

pub(super) async fn describe(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.legal_hold(&who.account, &id).await?))
}

pub(super) async fn set(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked: LegalHold = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, hold) = door.gate.set_hold(&who, &id, &asked).await?;
    Ok(answer(if new { StatusCode::CREATED } else { StatusCode::OK }, &hold))
}

pub(super) async fn lift(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let gate = Arc::clone(&door);
    // Whoever waits to be erased is erased after the entry.
    let lifted = to_the_end(&door, async move { gate.gate.lift_hold(&who, &id).await });
    Ok(answer(StatusCode::OK, &lifted.await?))
}
