//! Uploads that nobody could decide on yet.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::media::limit;
use super::problem::Problem;
use super::{Asked, Door, Named, answer, json_body, to_the_end, whole_number};
use crate::access::Principal;
use crate::gate::ask::Release;
use trail::Actor;

type Gate = State<Arc<Door>>;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// The cursor `next` of the previous page.
    after: Option<String>,
    /// The largest number of uploads, from 1 to 1000; by default, 100.
    #[serde(default, deserialize_with = "whole_number")]
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

pub(super) async fn list(
    State(door): Gate,
    who: Principal,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let page = door.gate.in_quarantine(&who.account, query.after.as_deref(), limit).await?;
    Ok(answer(StatusCode::OK, &page))
}

pub(super) async fn release(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked: Release = json_body(headers.get(CONTENT_TYPE), body).await?;
    let gate = Arc::clone(&door);
    // What was released is completed even if the client hangs up.
    let stored = to_the_end(&door, async move { gate.gate.release(&who, &id, &asked).await }).await?;
    let status = if stored.new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer(status, &stored.description);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/recordings/{}", stored.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn destroy(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let gate = Arc::clone(&door);
    let actor = Actor::from(&who);
    to_the_end(&door, async move { gate.gate.destroy_quarantined(&actor, &who.account, &id).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
