//! Erasures: what is known of somebody is removed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::problem::Problem;
use super::{Door, answer, json_body, to_the_end};
use crate::access::Principal;
use crate::gate::erasure::{Erasure, Outcome};
use crate::gate::{FaultKind, Looked};
use trail::Actor;

pub(super) async fn erase(
    State(door): State<Arc<Door>>,
    who: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked: Erasure = json_body(headers.get(CONTENT_TYPE), body).await?;
    // The store and the write-ahead log come after the entry.
    let gate = Arc::clone(&door);
    let erased = to_the_end(&door, async move {
        let erased = gate.gate.erase_person(&Actor::from(&who), &who.account, &asked).await;
        // A refusal tells what is known of them.
        if let Err(fault) = &erased
            && fault.kind() != FaultKind::Unavailable
        {
            gate.gate.look(&who, &Looked::Erasure { refused: fault.code() }).await?;
        }
        erased
    })
    .await?;
    Ok(match erased {
        Outcome::Erased(erased) => answer(StatusCode::OK, &erased),
        Outcome::Waits(waiting) => answer(StatusCode::ACCEPTED, &waiting),
    })
}

pub(super) async fn waiting(State(door): State<Arc<Door>>, who: Principal) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.waiting_erasures(&who.account).await?))
}
