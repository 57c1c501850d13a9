//! Opening, joining, observing, controlling and reading calls.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderName, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::{Asked, Door, Named, answer, json_body, json_bytes, moment, parse_json, to_the_end};
use crate::access::Principal;
use crate::gate::answer::Decision;
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
    Ok(decided(&headers, if new { StatusCode::CREATED } else { StatusCode::OK }, &decision))
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
    Ok(decided(&headers, StatusCode::CREATED, &joined))
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
    Ok(decided(&headers, StatusCode::CREATED, &observed))
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
    Ok(decided(&headers, StatusCode::OK, &done))
}

/// A decision; or, if the client prefers it (RFC 7240, section 4.2), only what it comes to, in headers.
fn decided(asked: &HeaderMap, status: StatusCode, decision: &Decision) -> Response {
    // The headers speak of recording alone.
    let others = decision.uses.iter().any(|one| !one.of.is_record());
    let mut answer = if prefers_minimal(asked) && !others {
        let action = HeaderValue::from_static(decision.action.as_str());
        let recording = HeaderValue::from_static(decision.recording.as_str());
        let applied = HeaderValue::from_static(MINIMAL);
        let told = [(RECORDING_ACTION, action), (RECORDING_VERDICT, recording), (APPLIED, applied)];
        (StatusCode::NO_CONTENT, told).into_response()
    } else {
        answer(status, decision)
    };
    answer.headers_mut().append(VARY, HeaderValue::from_static("Prefer"));
    answer
}

/// Preferences are separated by commas, and their parameters by semicolons; of one that is named twice, the first
/// counts.
fn prefers_minimal(asked: &HeaderMap) -> bool {
    let told = asked.get_all(PREFER).iter().filter_map(|told| told.to_str().ok());
    let mut preferences = told.flat_map(|told| told.split(',')).filter_map(|one| {
        let (name, value) = one.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("return").then(|| value.trim().trim_matches('"'))
    });
    preferences.next() == Some("minimal")
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

const PREFER: &str = "prefer";
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const RECORDING_ACTION: HeaderName = HeaderName::from_static("recording-action");
const RECORDING_VERDICT: HeaderName = HeaderName::from_static("recording-verdict");
const MINIMAL: &str = "return=minimal";
