//! The table: what it says, its history, proposals and their approval.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use policy::{Code, CodeError};
use serde::Deserialize;
use serde_json::json;

use super::{Asked, Door, Named, answer, moment, parse_json, read_json};
use crate::access::Principal;
use crate::body::Pace;
use crate::gate::answer::Table;
use crate::gate::ask::{Medium, Object, or_default};
use crate::gate::{Fault, FaultKind, Gate, Outcome, lawbook};
use crate::trail::{Actor, SYSTEM_LOG};

type At = State<Arc<Door>>;

pub(super) async fn jurisdictions(State(door): At) -> Response {
    let version = door.gate.laws.version();
    let table = lawbook::table(&version.table);
    answer(StatusCode::OK, &Table { version: Some(version.number), ..table })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceQuery {
    #[serde(default, deserialize_with = "moment")]
    at: Option<Timestamp>,
    medium: Option<Medium>,
}

pub(super) async fn jurisdiction(
    State(door): At,
    Named(code): Named<String>,
    Asked(query): Asked<PlaceQuery>,
) -> Result<Response, Fault> {
    let code: Code =
        code.parse().map_err(|error: CodeError| Fault::invalid("invalid-place", error.to_string()))?;
    let table = door.gate.laws.in_force();
    if table.history(code).is_empty() {
        return Err(Fault::new(
            FaultKind::Unknown,
            "no-row",
            format!(
                "the table has no row for {code}; its default applies, or its country's row{}",
                policy::atlas::usually_meant(code)
            ),
        ));
    }
    let at = query.at.unwrap_or_else(|| door.gate.clock.now());
    Ok(answer(StatusCode::OK, &lawbook::place(&table, code, at, query.medium.map(Into::into))))
}

pub(super) async fn versions(State(door): At) -> Result<Response, Fault> {
    Ok(answer(StatusCode::OK, &json!({"versions": door.gate.versions().await?})))
}

pub(super) async fn version(State(door): At, Named(version): Named<String>) -> Result<Response, Fault> {
    Ok(answer(StatusCode::OK, &door.gate.version(&version).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offered {
    table: String,
    #[serde(default, deserialize_with = "or_default")]
    reason: String,
}

/// What is wrong with a table, and what it would change.
pub(super) async fn check(State(door): At, headers: HeaderMap, body: Body) -> Result<Response, Fault> {
    let asked: Offered = table_body(&headers, body).await?;
    let (table, problems) = door.gate.check_table(&asked.table).await?;
    let usable = table.is_some();
    let diff = match table {
        Some(table) => Some(door.gate.compare(&door.gate.laws.in_force(), &Arc::new(table)).await?),
        None => None,
    };
    let checked = json!({"usable": usable, "problems": problems, "diff": diff});
    Ok(answer(StatusCode::OK, &checked))
}

pub(super) async fn propose(
    State(door): At,
    who: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let author = door.gate.author(&who).await?;
    let asked: Offered = table_body(&headers, body).await?;
    let (status, answered) = match door.gate.publish(&author, &asked.table, &asked.reason).await? {
        Outcome::Same => (StatusCode::OK, json!({"state": "in-force"})),
        Outcome::InForce(version) => (StatusCode::CREATED, json!({"state": "in-force", "version": version})),
        Outcome::Proposed(_, proposal) => {
            (StatusCode::ACCEPTED, json!({"state": "proposed", "proposal": proposal}))
        }
    };
    Ok(answer(status, &answered))
}

pub(super) async fn proposals(State(door): At, who: Principal) -> Result<Response, Fault> {
    of_the_system(&who)?;
    Ok(answer(StatusCode::OK, &json!({"proposals": door.gate.proposals().await?})))
}

pub(super) async fn proposal(
    State(door): At,
    who: Principal,
    Named(proposal): Named<String>,
) -> Result<Response, Fault> {
    of_the_system(&who)?;
    Ok(answer(StatusCode::OK, &door.gate.proposal(&proposal).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    #[serde(default, deserialize_with = "or_default")]
    reason: String,
}

pub(super) async fn approve(
    State(door): At,
    who: Principal,
    Named(proposal): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
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
) -> Result<Response, Fault> {
    turn_down(&door.gate, &who, &proposal, false, &reason(&headers, body).await?).await
}

pub(super) async fn withdraw(
    State(door): At,
    who: Principal,
    Named(proposal): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    turn_down(&door.gate, &who, &proposal, true, &reason(&headers, body).await?).await
}

async fn turn_down(
    gate: &Gate,
    who: &Principal,
    proposal: &str,
    withdraw: bool,
    reason: &str,
) -> Result<Response, Fault> {
    let author = gate.author(who).await?;
    Ok(answer(StatusCode::OK, &gate.turn_down(&author, proposal, withdraw, reason).await?))
}

/// Everybody of the account, and who counts as a second person.
pub(super) async fn people(State(door): At, who: Principal) -> Result<Response, Fault> {
    Ok(answer(StatusCode::OK, &json!({"people": door.gate.people(&who.account).await?})))
}

pub(super) async fn confirm_person(
    State(door): At,
    who: Principal,
    Named(person): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let reason = reason(&headers, body).await?;
    Ok(answer(StatusCode::OK, &door.gate.confirm_person(&who, &person, &reason).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    #[serde(default, deserialize_with = "or_default")]
    overlays: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    public_safety: bool,
    #[serde(default, deserialize_with = "or_default")]
    reason: String,
}

/// Which overlays hold for every call of the account, and whether it is a public-safety answering
/// point.
pub(super) async fn choose(
    State(door): At,
    who: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let asked: Chosen = table_body(&headers, body).await?;
    let chosen = door
        .gate
        .choose_law(&Actor::from(&who), &who.account, &asked.overlays, asked.public_safety, &asked.reason)
        .await?;
    Ok(answer(StatusCode::OK, &chosen))
}

pub(super) async fn chosen(State(door): At, who: Principal) -> Result<Response, Fault> {
    Ok(answer(StatusCode::OK, &door.gate.chosen_law(&who.account).await?))
}

/// Impact reports name calls of every account.
fn of_the_system(who: &Principal) -> Result<(), Fault> {
    if who.account == SYSTEM_LOG {
        return Ok(());
    }
    Err(Fault::refused(
        "wrong-account",
        "proposals belong to the system's account: use a credential of the account `system`",
    ))
}

async fn reason(headers: &HeaderMap, body: Body) -> Result<String, Fault> {
    let bytes = read_json(headers.get(CONTENT_TYPE), body, Pace::JSON).await?;
    if bytes.is_empty() {
        return Ok(String::new());
    }
    let Object(decided): Object<Decided> = parse_json(&bytes)?;
    Ok(decided.reason)
}

async fn table_body<T: serde::de::DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Fault> {
    let pace = Pace { max_bytes: MAX_TABLE, ..Pace::JSON };
    let bytes = read_json(headers.get(CONTENT_TYPE), body, pace).await?;
    parse_json(&bytes).map(|Object(body)| body)
}

/// The longest table with its reason, in bytes.
const MAX_TABLE: u64 = 8 << 20;
