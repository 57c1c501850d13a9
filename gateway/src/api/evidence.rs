//! Documents about one call or recording: proof packs, vCons, consent records.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::{Asked, Door, Named};
use crate::access::Principal;
use crate::gate::answer::Exported;
use crate::gate::{About, Form};
use trail::Actor;

type Gate = State<Arc<Door>>;

pub(super) async fn of_recording(
    State(door): Gate,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    Ok(archive(door.gate.prove(&Actor::from(&who), &who.account, About::Recording(&id)).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProofQuery {
    /// What to prove; by default, what is logged of the call.
    of: Option<Of>,
}

#[derive(Deserialize, JsonSchema)]
enum Of {
    /// That the call has no recording.
    #[serde(rename = "no-recording")]
    NoRecording,
}

pub(super) async fn of_call(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    Asked(query): Asked<ProofQuery>,
) -> Result<Response, Problem> {
    let about = match query.of {
        None => About::Call(&call),
        Some(Of::NoRecording) => About::NoRecording(&call),
    };
    Ok(archive(door.gate.prove(&Actor::from(&who), &who.account, about).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VconQuery {
    /// Whether to sign it: a signed vCon comes in a JWS.
    #[serde(default)]
    signed: bool,
}

pub(super) async fn vcon(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
    Asked(query): Asked<VconQuery>,
) -> Result<Response, Problem> {
    let form = if query.signed { Form::SignedVcon } else { Form::Vcon };
    Ok(document(&door.gate.export(&Actor::from(&who), &who.account, &call, form).await?))
}

pub(super) async fn consent_record(
    State(door): Gate,
    who: Principal,
    Named(call): Named<String>,
) -> Result<Response, Problem> {
    Ok(document(&door.gate.export(&Actor::from(&who), &who.account, &call, Form::ConsentRecord).await?))
}

/// Describes a vCon as this gateway writes it.
pub(super) fn vcon_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "title": "Vcon",
        "description": "A vCon (draft-ietf-vcon-vcon-core), with its lawful basis (draft-howe-vcon-lawful-basis).",
        "required": ["vcon", "uuid", "extensions", "created_at", "updated_at", "parties", "dialog", "attachments"],
        "properties": {
            "vcon": {"type": "string", "description": "The version of the syntax."},
            "uuid": {"type": "string", "format": "uuid", "description": "Always the same for a call."},
            "extensions": {"type": "array", "items": {"type": "string"}, "description": "The extensions in \
             use."},
            "created_at": {"type": "string", "format": "date-time", "description": "When the call was opened."},
            "updated_at": {"type": "string", "format": "date-time", "description": "When it was exported."},
            "parties": objects("Who was on the call."),
            "dialog": objects("Its recordings; without any, the call itself."),
            "attachments": objects("Who consented to what, and what was decided."),
        },
    })
}

/// Describes a signed vCon.
pub(super) fn jws_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "title": "SignedVcon",
        "description": "A vCon in a JWS (RFC 7515 section 7.2.1).",
        "required": ["payload", "signatures"],
        "properties": {
            "payload": {"type": "string", "description": "The vCon, in base64url."},
            "signatures": {
                "type": "array",
                "description": "One signature, by the operator.",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "title": "VconSignature",
                    "required": ["protected", "header", "signature"],
                    "properties": {
                        "protected": {"type": "string", "description": "The algorithm, in base64url."},
                        "header": {
                            "type": "object",
                            "description": "Who signed, and what.",
                            "title": "VconSignatureHeader",
                            "required": ["x5c", "uuid"],
                            "properties": {
                                "x5c": {
                                    "type": "array",
                                    "items": {"type": "string"},
                                    "description": "Certificates, in base64, the signer's first.",
                                },
                                "uuid": {"type": "string", "format": "uuid", "description": "The `uuid` of \
                                 the vCon."},
                            },
                        },
                        "signature": {"type": "string", "description": "The signature, in base64url."},
                    },
                },
            },
        },
    })
}

/// Describes consent records as this gateway writes them.
pub(super) fn consent_records_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "title": "ConsentRecords",
        "description": "Consent records by ISO/IEC TS 27560 in the Data Privacy Vocabulary, as JSON-LD 1.1.",
        "required": ["@context", "@graph"],
        "properties": {
            "@context": {"type": "object", "additionalProperties": true, "description": "What the names mean."},
            "@graph": objects("One record for each person whose number is known."),
        },
    })
}

fn objects(says: &str) -> Value {
    json!({"type": "array", "description": says, "items": {"type": "object", "additionalProperties": true}})
}

fn archive(bytes: Vec<u8>) -> Response {
    let mut response = (StatusCode::OK, Body::from(bytes)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"proof.zip\""));
    response
}

fn document(exported: &Exported) -> Response {
    let mut response = (StatusCode::OK, exported.document.to_string()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exported.media_type));
    response
}
