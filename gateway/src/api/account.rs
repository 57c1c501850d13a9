//! What is not about one call: probes, prompts, consent grants, notifications, the description of the API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::problem::{Problem, TurnedAway};
use super::{Door, Named, answer, json_body, openapi, to_the_end};
use crate::access::Principal;
use crate::gate::Looked;
use crate::gate::answer::{Health, Running};
use crate::gate::ask::{ConsentGrant, Prompt};
use trail::Actor;

type Gate = State<Arc<Door>>;

pub(super) async fn healthz() -> Response {
    answer(StatusCode::OK, &Health { status: Running::Ok })
}

pub(super) async fn description() -> Response {
    answer(StatusCode::OK, &openapi::document())
}

pub(super) async fn readyz(State(door): Gate) -> Result<Response, Problem> {
    match door.gate.ready().await {
        Ok(ready) => Ok(answer(StatusCode::OK, &ready)),
        Err(failing) => Err(TurnedAway::NotReady { failing }.into()),
    }
}

pub(super) async fn put_prompt(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let prompt: Prompt = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, prompt) = door.gate.put_prompt(&Actor::from(&who), &who.account, &id, &prompt).await?;
    Ok(answer(created(new), &prompt))
}

pub(super) async fn prompt(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.prompt(&who.account, &id).await?))
}

pub(super) async fn check_prompt(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.prompt_lacks(&who.account, &id).await?))
}

pub(super) async fn put_grant(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let grant: ConsentGrant = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, grant) = door.gate.put_grant(&Actor::from(&who), &who.account, &id, &grant).await?;
    Ok(answer(created(new), &grant))
}

pub(super) async fn grant(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    door.gate.look(&who, &Looked::Grant { consent_grant: &id }).await?;
    Ok(answer(StatusCode::OK, &door.gate.grant(&who.account, &id).await?))
}

pub(super) async fn withdraw_grant(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let gate = Arc::clone(&door);
    let withdrawn =
        to_the_end(
            &door,
            async move { gate.gate.withdraw_grant(&Actor::from(&who), &who.account, &id).await },
        );
    Ok(answer(StatusCode::OK, &withdrawn.await?))
}

pub(super) async fn notifications(State(door): Gate, who: Principal) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.notifications(&who.account).await?))
}

pub(super) async fn try_again(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.try_again(&who.account, &id).await?))
}

pub(super) fn created(new: bool) -> StatusCode {
    if new { StatusCode::CREATED } else { StatusCode::OK }
}
