//! The table of jurisdictions: its text, its history, proposals and their approval.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use policy::{Code, CodeError, HeldCounts};
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::Problem;
use super::{Asked, Door, Named, answer, moment, parse_json, read_json};
use crate::access::Principal;
use crate::body::Pace;
use crate::gate::answer::{Outcome, People, Proposals, Table, Versions};
use crate::gate::ask::{Medium, Object, or_default};
use crate::gate::{Gate, LawRefusal, Wrong, lawbook};
use trail::{Actor, SYSTEM_LOG};

type At = State<Arc<Door>>;

pub(super) async fn jurisdictions(State(door): At) -> Response {
    let version = door.gate.laws().version();
    let table = lawbook::table(&version.table);
    answer(StatusCode::OK, &Table { version: Some(version.number), ..table })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceQuery {
    /// The moment, RFC 3339; by default, now.
    #[serde(default, deserialize_with = "moment")]
    at: Option<Timestamp>,
    /// Only for this medium.
    medium: Option<Medium>,
}

pub(super) async fn jurisdiction(
    State(door): At,
    Named(code): Named<String>,
    Asked(query): Asked<PlaceQuery>,
) -> Result<Response, Problem> {
    let wrong = |error: CodeError| Wrong::NoCode { field: None, error, meant: Vec::new() };
    let code: Code = code.parse().map_err(wrong)?;
    let table = door.gate.laws().in_force();
    if table.history(code).is_empty() {
        return Err(LawRefusal::NoRow { code }.into());
    }
    let at = query.at.unwrap_or_else(|| door.gate.clock().now());
    Ok(answer(StatusCode::OK, &lawbook::place(&table, code, at, query.medium.map(Into::into))))
}

pub(super) async fn versions(State(door): At) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &Versions { versions: door.gate.versions().await? }))
}

pub(super) async fn version(State(door): At, Named(version): Named<String>) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.version(&version).await?))
}

/// A table that somebody submits.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "OfferedTable")]
#[serde(deny_unknown_fields)]
pub(super) struct Offered {
    /// Its text, TOML.
    table: String,
    /// Why; kept for the next reader. At most 4 KiB.
    #[serde(default, deserialize_with = "or_default")]
    reason: String,
}

/// Returns what is wrong with a table, and what it would change.
pub(super) async fn check(State(door): At, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let asked: Offered = table_body(&headers, body).await?;
    Ok(answer(StatusCode::OK, &door.gate.check(&asked.table).await?))
}

pub(super) async fn propose(
    State(door): At,
    who: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let author = door.gate.author(&who).await?;
    let asked: Offered = table_body(&headers, body).await?;
    let outcome = door.gate.publish(&author, &asked.table, &asked.reason).await?;
    let status = match &outcome {
        Outcome::InForce { version: None } => StatusCode::OK,
        Outcome::InForce { version: Some(_) } => StatusCode::CREATED,
        Outcome::Proposed { .. } => StatusCode::ACCEPTED,
    };
    Ok(answer(status, &outcome))
}

pub(super) async fn proposals(State(door): At, who: Principal) -> Result<Response, Problem> {
    of_the_system(&who)?;
    Ok(answer(StatusCode::OK, &Proposals { proposals: door.gate.proposals().await? }))
}

pub(super) async fn proposal(
    State(door): At,
    who: Principal,
    Named(proposal): Named<String>,
) -> Result<Response, Problem> {
    of_the_system(&who)?;
    Ok(answer(StatusCode::OK, &door.gate.proposal(&proposal).await?))
}

/// The reason of a decision. The body may be left out.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ReasonGiven")]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    /// Why; kept. At most 4 KiB.
    #[serde(default, deserialize_with = "or_default")]
    reason: String,
}

pub(super) async fn approve(
    State(door): At,
    who: Principal,
    Named(proposal): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let author = door.gate.author(&who).await?;
    let reason = reason(&headers, body).await?;
    Ok(answer(StatusCode::OK, &door.gate.approve(&author, &proposal, &reason).await?))
}

pub(super) async fn reject(
    State(door): At,
    who: Principal,
    Named(proposal): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    turn_down(&door.gate, &who, &proposal, false, &reason(&headers, body).await?).await
}

pub(super) async fn withdraw(
    State(door): At,
    who: Principal,
    Named(proposal): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    turn_down(&door.gate, &who, &proposal, true, &reason(&headers, body).await?).await
}

async fn turn_down(
    gate: &Gate,
    who: &Principal,
    proposal: &str,
    withdraw: bool,
    reason: &str,
) -> Result<Response, Problem> {
    let author = gate.author(who).await?;
    Ok(answer(StatusCode::OK, &gate.turn_down(&author, proposal, withdraw, reason).await?))
}

/// Everybody enrolled in the account, and who counts as a second person.
pub(super) async fn people(State(door): At, who: Principal) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &People { people: door.gate.people(&who.account).await? }))
}

pub(super) async fn confirm_person(
    State(door): At,
    who: Principal,
    Named(person): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let reason = reason(&headers, body).await?;
    Ok(answer(StatusCode::OK, &door.gate.confirm_person(&who, &person, &reason).await?))
}

/// What applies to every call of the account.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ChooseLaw")]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    /// The ids of the overlays that apply.
    #[serde(default, deserialize_with = "or_default")]
    overlays: Vec<String>,
    /// Whether the account is a public-safety answering point, which may record emergency calls.
    #[serde(default, deserialize_with = "or_default")]
    public_safety: bool,
    /// Whether somebody on hold counts as on the call, where no rule says it.
    #[serde(default, deserialize_with = "or_default")]
    on_hold: HeldCounts,
    /// Why; required, and kept. At most 4 KiB.
    #[serde(default, deserialize_with = "or_default")]
    reason: String,
}

/// Chooses the overlays for every call of the account, whether it is a public-safety answering point, and
/// whether somebody on hold counts.
pub(super) async fn choose(
    State(door): At,
    who: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked: Chosen = table_body(&headers, body).await?;
    let chosen = door
        .gate
        .choose_law(
            &Actor::from(&who),
            &who.account,
            (&asked.overlays, asked.public_safety, asked.on_hold),
            &asked.reason,
        )
        .await?;
    Ok(answer(StatusCode::OK, &chosen))
}

pub(super) async fn chosen(State(door): At, who: Principal) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.chosen_law(&who.account).await?))
}

/// Only for the account `system`: impact reports name calls of every account.
fn of_the_system(who: &Principal) -> Result<(), LawRefusal> {
    if who.account == SYSTEM_LOG {
        return Ok(());
    }
    Err(LawRefusal::NotOfTheSystem)
}

pub(super) async fn reason(headers: &HeaderMap, body: Body) -> Result<String, Problem> {
    let bytes = read_json(headers.get(CONTENT_TYPE), body, Pace::JSON).await?;
    if bytes.is_empty() {
        return Ok(String::new());
    }
    let Object(decided): Object<Decided> = parse_json(&bytes)?;
    Ok(decided.reason)
}

async fn table_body<T: serde::de::DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    let pace = Pace { max_bytes: MAX_TABLE, ..Pace::JSON };
    let bytes = read_json(headers.get(CONTENT_TYPE), body, pace).await?;
    let Object(body) = parse_json(&bytes)?;
    Ok(body)
}

/// The largest size of a table with its reason, in bytes.
const MAX_TABLE: u64 = 8 << 20;
