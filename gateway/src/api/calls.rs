//! Opening, joining, observing, controlling and reading calls.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::{Asked, Door, Named, answer, json_body, json_bytes, moment, parse_json, to_the_end};
use crate::access::Principal;
use crate::gate::ask::{
    ControlRecording, Lenient, MAX_EVENTS, Object, Observed, OpenCall, Participant, Posted,
};
use crate::gate::{Fault, Looked, Wrong};

type Gate = State<Arc<Door>>;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    /// The moment, RFC 3339; by default, that of the call's last entry.
    #[serde(default, deserialize_with = "moment")]
    at: Option<Timestamp>,
}

pub(super) async fn explain(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    Asked(query): Asked<ExplainQuery>,
) -> Result<Response, Problem> {
    door.gate.look(&who, &Looked::Call { call: &call }).await?;
    Ok(answer(StatusCode::OK, &door.gate.explain(&who.account, &call, query.at).await?))
}

pub(super) async fn open(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked: OpenCall = json_body(headers.get(CONTENT_TYPE), body).await?;
    let (new, decision) = door.gate.open(&who, &call, asked).await?;
    Ok(answer(if new { StatusCode::CREATED } else { StatusCode::OK }, &decision))
}

pub(super) async fn join(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked: Sent<Participant> = sent(headers.get(CONTENT_TYPE), body).await?;
    let gate = Arc::clone(&door);
    let joined = to_the_end(&door, async move {
        match asked {
            Sent::Whole(asked) => gate.gate.join(&who, &call, asked).await,
            Sent::Parts(asked, fault) => Err(gate.gate.join_unread(&who, &call, asked, fault).await),
        }
    });
    let joined = joined.await?;
    Ok(answer(StatusCode::CREATED, &joined))
}

pub(super) async fn observe(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = json_bytes(headers.get(CONTENT_TYPE), body).await?;
    let several = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let events: Result<Vec<Object<Observed>>, Wrong> =
        if several { parse_json(&bytes) } else { parse_json(&bytes).map(|event| vec![event]) };
    let posted = match events {
        Ok(events) => Posted::Events(events.into_iter().map(|Object(event)| event).collect()),
        Err(wrong) => Posted::unread(wrong.into(), &bytes),
    };
    let gate = Arc::clone(&door);
    let observed = to_the_end(&door, async move { gate.gate.observe(&who, &call, posted).await }).await?;
    Ok(answer(StatusCode::CREATED, &observed))
}

pub(super) async fn control(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked: Sent<ControlRecording> = sent(headers.get(CONTENT_TYPE), body).await?;
    let gate = Arc::clone(&door);
    let done = to_the_end(&door, async move {
        match asked {
            Sent::Whole(asked) => gate.gate.control(&who, &call, asked).await,
            Sent::Parts(asked, mut fault) => {
                for asked in asked {
                    fault = gate.gate.control_that_restricts(&who, &call, asked, fault).await;
                }
                Err(fault)
            }
        }
    });
    let done = done.await?;
    Ok(answer(StatusCode::OK, &done))
}

/// The body of a report: one event, or several.
pub(super) struct Events;

impl JsonSchema for Events {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Events".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let event = generator.subschema_for::<Observed>();
        let several = json_schema!({"type": "array", "items": event, "minItems": 1, "maxItems": MAX_EVENTS});
        json_schema!({"oneOf": [event, several]})
    }
}

/// A body; or those parts of it that make things stricter, and what is wrong with the rest.
enum Sent<T> {
    Whole(T),
    Parts(Vec<T>, Fault),
}

async fn sent<T: DeserializeOwned + Lenient>(
    content_type: Option<&HeaderValue>,
    body: Body,
) -> Result<Sent<T>, Problem> {
    let bytes = json_bytes(content_type, body).await?;
    match parse_json(&bytes) {
        Ok(Object(asked)) => Ok(Sent::Whole(asked)),
        Err(wrong) => Ok(Sent::Parts(T::claims(&bytes), wrong.into())),
    }
}

pub(super) async fn show(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
) -> Result<Response, Problem> {
    door.gate.look(&who, &Looked::Call { call: &call }).await?;
    Ok(answer(StatusCode::OK, &door.gate.show(&who, &call).await?))
}

pub(super) async fn decision(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
) -> Result<Response, Problem> {
    door.gate.look(&who, &Looked::Call { call: &call }).await?;
    Ok(answer(StatusCode::OK, &door.gate.decide(&who, &call).await?))
}
