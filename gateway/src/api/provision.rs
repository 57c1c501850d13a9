//! `/v1/accounts`: a platform with many tenants sets up their accounts.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::account::created;
use super::media::limit;
use super::problem::Problem;
use super::{Asked, Door, Named, answer, json_body, to_the_end, whole_number};
use crate::access::{Principal, Role};
use crate::gate::answer::AccountAlias;
use crate::gate::ask::{AccountChange, CredentialOf, Prompt, PublicKey, WebhookAddress};
use crate::gate::{Fault, Wrong};

type Gate = State<Arc<Door>>;
type Of = Named<(String, String)>;

/// `GET /v1/accounts`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountsQuery {
    /// The cursor `next` of the previous page: the id of its last account.
    after: Option<String>,
    /// The largest number of accounts, from 1 to 1000; by default, 100.
    #[serde(default, deserialize_with = "whole_number")]
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

pub(super) async fn list(
    State(door): Gate,
    who: Principal,
    Asked(query): Asked<AccountsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let page = door.gate.provisioned_accounts(&who, query.after.as_deref(), limit).await?;
    Ok(answer(StatusCode::OK, &page))
}

pub(super) async fn put(
    State(door): Gate,
    who: Principal,
    Named(account): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let change: AccountChange = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, account) = door.gate.put_account(&who, &account, &change).await?;
    Ok(answer(created(new), &account))
}

pub(super) async fn show(
    State(door): Gate,
    who: Principal,
    Named(account): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.provisioned_account(&who, &account).await?))
}

pub(super) async fn put_alias(
    State(door): Gate,
    who: Principal,
    Named((account, alias)): Of,
) -> Result<Response, Problem> {
    let new = door.gate.put_alias(&who, &account, &alias).await?;
    Ok(answer(created(new), &AccountAlias { account, alias }))
}

pub(super) async fn drop_alias(
    State(door): Gate,
    who: Principal,
    Named((account, alias)): Of,
) -> Result<Response, Problem> {
    door.gate.drop_alias(&who, &account, &alias).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn credentials(
    State(door): Gate,
    who: Principal,
    Named(account): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.provisioned_credentials(&who, &account).await?))
}

pub(super) async fn put_credential(
    State(door): Gate,
    who: Principal,
    Named((account, name)): Of,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let CredentialOf { role } = json_body(headers.get(CONTENT_TYPE), body).await?;
    let role = Role::parse(&role).ok_or_else(|| Fault::from(Wrong::NoRole))?;
    let (new, credential) = door.gate.put_credential(&who, &account, &name, role).await?;
    Ok(answer(created(new), &credential))
}

pub(super) async fn rotate_credential(
    State(door): Gate,
    who: Principal,
    Named((account, name)): Of,
) -> Result<Response, Problem> {
    let gate = Arc::clone(&door);
    let rotated = to_the_end(&door, async move { gate.gate.rotate_provisioned(&who, &account, &name).await });
    Ok(answer(StatusCode::OK, &rotated.await?))
}

pub(super) async fn revoke_credential(
    State(door): Gate,
    who: Principal,
    Named((account, name)): Of,
) -> Result<Response, Problem> {
    let gate = Arc::clone(&door);
    let revoked = to_the_end(&door, async move { gate.gate.revoke_provisioned(&who, &account, &name).await });
    revoked.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn keys(
    State(door): Gate,
    who: Principal,
    Named(account): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.provisioned_keys(&who, &account).await?))
}

pub(super) async fn put_key(
    State(door): Gate,
    who: Principal,
    Named((account, key)): Of,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let PublicKey { pem } = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, key) = door.gate.put_key(&who, &account, &key, &pem).await?;
    Ok(answer(created(new), &key))
}

pub(super) async fn put_prompt(
    State(door): Gate,
    who: Principal,
    Named((account, id)): Of,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let prompt: Prompt = json_body(headers.get(CONTENT_TYPE), body).await?;
    door.gate.may_provision(&who, &account).await?;
    let (new, prompt) = door.gate.provision_prompt(&who, &account, &id, &prompt).await?;
    Ok(answer(created(new), &prompt))
}

pub(super) async fn prompt(
    State(door): Gate,
    who: Principal,
    Named((account, id)): Of,
) -> Result<Response, Problem> {
    door.gate.may_provision(&who, &account).await?;
    Ok(answer(StatusCode::OK, &door.gate.prompt(&account, &id).await?))
}

pub(super) async fn put_webhook(
    State(door): Gate,
    who: Principal,
    Named(account): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let WebhookAddress { url } = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, webhook) = door.gate.put_webhook(&who, &account, &url).await?;
    Ok(answer(created(new), &webhook))
}

pub(super) async fn rotate_webhook(
    State(door): Gate,
    who: Principal,
    Named(account): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.rotate_webhook(&who, &account).await?))
}

pub(super) async fn drop_webhook(
    State(door): Gate,
    who: Principal,
    Named(account): Named<String>,
) -> Result<Response, Problem> {
    door.gate.drop_webhook(&who, &account).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
