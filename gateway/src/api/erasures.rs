//! Erasures: what is known of somebody goes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{Door, answer, json_body};
use crate::access::Principal;
use crate::gate::erasure::Erasure;
use crate::gate::{Fault, FaultKind};
use crate::trail::Actor;

pub(super) async fn erase(
    State(door): State<Arc<Door>>,
    who: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let asked: Erasure = json_body(headers.get(CONTENT_TYPE), body).await?;
    // The work goes on even if the client is gone: the store and the write-ahead log come after the entry.
    let tasks = door.gate.tasks.clone();
    let work = async move { door.gate.erase_person(&Actor::from(&who), &who.account, &asked).await };
    let erased = tasks.spawn(work).await.map_err(|error| {
        Fault::new(FaultKind::Broken, "internal", "the gateway could not answer").because(error)
    })??;
    Ok(answer(StatusCode::OK, &erased))
}
