//! What stands outside of calls: probes, prompts, consent grants, the description of the API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::{Door, Named, answer, json_body, openapi, to_the_end};
use crate::access::Principal;
use crate::gate::ask::{ConsentGrant, Prompt};
use crate::gate::{Fault, Lack, Watched};
use crate::trail::Actor;

type Gate = State<Arc<Door>>;

pub(super) async fn healthz() -> Response {
    answer(StatusCode::OK, &json!({"status": "ok"}))
}

pub(super) async fn description() -> Response {
    answer(StatusCode::OK, &openapi::document())
}

pub(super) async fn readyz(State(door): Gate) -> Response {
    let words = |lacks: &[Lack]| lacks.iter().map(|lack| lack.as_str()).collect::<Vec<_>>();
    let unavailable = |lacks: &[Lack]| {
        answer(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "unavailable", "failing": words(lacks)}))
    };
    let lacks = door.gate.unready().await;
    if lacks.iter().any(|lack| lack.turns_away()) {
        return unavailable(&lacks);
    }
    match door.gate.configured().await {
        Ok(configured) => answer(StatusCode::OK, &ready(&door, configured, &words(&lacks))),
        Err(fault) => {
            tracing::error!(code = fault.code, "not ready: the ledger cannot be read");
            unavailable(&[Lack::Trail])
        }
    }
}

pub(super) async fn put_prompt(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let prompt: Prompt = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, prompt) = door.gate.put_prompt(&Actor::from(&who), &who.account, &id, &prompt).await?;
    Ok(answer(created(new), &prompt))
}

pub(super) async fn prompt(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Fault> {
    Ok(answer(StatusCode::OK, &door.gate.prompt(&who.account, &id).await?))
}

pub(super) async fn check_prompt(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Fault> {
    Ok(answer(StatusCode::OK, &door.gate.prompt_lacks(&who.account, &id).await?))
}

pub(super) async fn put_grant(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let grant: ConsentGrant = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, grant) = door.gate.put_grant(&Actor::from(&who), &who.account, &id, &grant).await?;
    Ok(answer(created(new), &grant))
}

pub(super) async fn grant(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Fault> {
    door.gate.look(&who, &["grant"], json!({"consent_grant": id})).await?;
    Ok(answer(StatusCode::OK, &door.gate.grant(&who.account, &id).await?))
}

pub(super) async fn withdraw_grant(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Fault> {
    let gate = Arc::clone(&door);
    let withdrawn =
        to_the_end(
            &door,
            async move { gate.gate.withdraw_grant(&Actor::from(&who), &who.account, &id).await },
        );
    Ok(answer(StatusCode::OK, &withdrawn.await?))
}

/// What is in force, and whether another table waits: digests and numbers only, since anybody may ask.
fn ready(door: &Door, configured: Option<Watched>, failing: &[&str]) -> serde_json::Value {
    let version = door.gate.laws.version();
    let watched = configured.map(|watched| watched.describe());
    json!({
        "status": if failing.is_empty() { "ready" } else { "degraded" },
        "failing": failing,
        "table": {"version": version.number, "digest": version.table.digest(), "configured": watched},
    })
}

fn created(new: bool) -> StatusCode {
    if new { StatusCode::CREATED } else { StatusCode::OK }
}
