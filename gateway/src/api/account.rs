//! What stands outside of calls: probes, prompts, consent grants, consent records, the table.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use policy::table::Row;
use policy::{Medium, Requirement};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asked, Door, Named, answer, json_body, media, openapi, page};
use crate::access::Principal;
use crate::gate::ask::{ConsentGrant, Prompt};
use crate::gate::{Fault, FaultKind, answer as words};
use crate::trail::Actor;

type Gate = State<Arc<Door>>;

pub(super) async fn healthz() -> Response {
    answer(StatusCode::OK, &json!({"status": "ok"}))
}

pub(super) async fn description() -> Response {
    answer(StatusCode::OK, &openapi::document())
}

pub(super) async fn readyz(State(door): Gate) -> Response {
    match door.gate.ledger.probe().await {
        Ok(()) => answer(StatusCode::OK, &json!({"status": "ready"})),
        Err(error) => {
            tracing::error!(%error, "not ready: the audit trail cannot be written");
            answer(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "unavailable", "failing": ["trail"]}))
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
    Ok(answer(StatusCode::OK, &door.gate.grant(&who.account, &id).await?))
}

pub(super) async fn withdraw_grant(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Fault> {
    Ok(answer(StatusCode::OK, &door.gate.withdraw_grant(&Actor::from(&who), &who.account, &id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentsQuery {
    call: Option<String>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn consents(
    State(door): Gate,
    who: Principal,
    Asked(query): Asked<ConsentsQuery>,
) -> Result<Response, Fault> {
    let limit = media::limit(query.limit)?;
    let listing = door
        .gate
        .consents(&who, query.call.as_deref(), query.from, query.until, query.after.as_deref(), limit)
        .await?;
    Ok(answer(StatusCode::OK, &page(&listing, "consents")))
}

pub(super) async fn jurisdictions(State(door): Gate) -> Response {
    let table = &door.gate.table;
    let rows: Vec<Value> = table.rows().map(row).collect();
    let floor = |evidence| words::requirement(&Requirement::from(table.floor(evidence)));
    answer(
        StatusCode::OK,
        &json!({
            "table": table.digest(),
            "default": words::requirement(&Requirement::from(table.default_rule())),
            "evidence": {
                "declared": floor(policy::Evidence::Declared),
                "ip": floor(policy::Evidence::Ip),
                "number": floor(policy::Evidence::Number),
            },
            "jurisdictions": rows,
        }),
    )
}

pub(super) async fn jurisdiction(State(door): Gate, Named(code): Named<String>) -> Result<Response, Fault> {
    let code: policy::Code = code
        .parse()
        .map_err(|error: policy::CodeError| Fault::invalid("invalid-place", error.to_string()))?;
    let table = &door.gate.table;
    let rows: Vec<Value> = table.rows().filter(|row| row.code == code).map(row).collect();
    if rows.is_empty() {
        return Err(Fault::new(
            FaultKind::Unknown,
            "no-row",
            format!("the table has no row for {code}; its default applies, or its country's row"),
        ));
    }
    let now = door.gate.clock.now();
    let effective = |medium| words::requirement(&table.asks(code, medium, now).requirement);
    Ok(answer(
        StatusCode::OK,
        &json!({
            "table": table.digest(),
            "code": code,
            "rows": rows,
            "asks": {
                "telephone": effective(Medium::Telephone),
                "voip": effective(Medium::Voip),
                "video": effective(Medium::Video),
            },
        }),
    ))
}

fn row(row: &Row) -> Value {
    let medium = |rule: Option<policy::Rule>| rule.map(|rule| words::requirement(&Requirement::from(rule)));
    json!({
        "code": row.code,
        "name": row.name,
        "rule": words::requirement(&Requirement::from(&row.rule)),
        "media": {"telephone": medium(row.media.telephone), "voip": medium(row.media.voip), "video": medium(row.media.video)},
        "citations": row.citations,
        "summary": row.summary,
        "confidence": row.confidence.as_str(),
        "reviewed": row.reviewed.as_ref().map(|review| json!({"by": review.by, "on": review.on.to_string()})),
        "effective_from": row.effective_from.map(|day| day.to_string()),
        "unknown_subdivision": if row.strictest_when_unknown { "strictest" } else { "country" },
    })
}

fn created(new: bool) -> StatusCode {
    if new { StatusCode::CREATED } else { StatusCode::OK }
}
