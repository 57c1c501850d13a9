//! Faults as problem documents (RFC 9457). A 5xx says nothing about the inside.

use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::listed;
use crate::access::{Principal, Role};
use crate::gate::{Fault, FaultKind};

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = status(self.kind);
        if status.is_server_error() {
            let cause = self.cause.as_ref().map(|cause| chain(cause.as_ref())).unwrap_or_default();
            tracing::error!(code = self.code, cause, "the gateway could not answer");
        }
        let mut headers = HeaderMap::new();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // RFC 9110 section 15.5.17: whoever asked beyond the end is told where that is.
        if status == StatusCode::RANGE_NOT_SATISFIABLE
            && let Some(bytes) = self.extra.get("bytes").and_then(Value::as_u64)
            && let Ok(range) = HeaderValue::from_str(&format!("bytes */{bytes}"))
        {
            headers.insert(header::CONTENT_RANGE, range);
        }
        document(status, self.code, &self.detail, self.extra, headers)
    }
}

pub(super) fn unauthorized() -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"consent-gateway\", charset=\"UTF-8\""),
    );
    let detail = "no credentials, or wrong ones; send HTTP basic auth";
    document(StatusCode::UNAUTHORIZED, "unauthorized", detail, Map::new(), headers)
}

pub(super) fn throttled(seconds: u64) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    let detail = "too many wrong attempts; check the credentials, then try again later";
    document(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", detail, Map::new(), headers)
}

pub(super) fn busy() -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    let detail = "too many passwords are being checked; try again in a few seconds";
    document(StatusCode::SERVICE_UNAVAILABLE, "busy", detail, Map::new(), headers)
}

pub(super) fn forbidden(principal: &Principal, roles: &[Role]) -> Response {
    let roles: Vec<&str> = roles.iter().copied().map(Role::as_str).collect();
    let detail = format!("the role `{}` may not do this; {} may", principal.role.as_str(), listed(&roles));
    document(StatusCode::FORBIDDEN, "wrong-role", &detail, Map::new(), HeaderMap::new())
}

/// A refusal that is of no sort of fault: its status is its own.
pub(super) fn refusal(status: StatusCode, code: &str, detail: &str, headers: HeaderMap) -> Response {
    document(status, code, detail, Map::new(), headers)
}

fn status(kind: FaultKind) -> StatusCode {
    match kind {
        FaultKind::Malformed => StatusCode::BAD_REQUEST,
        FaultKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        FaultKind::Unknown => StatusCode::NOT_FOUND,
        FaultKind::Conflict => StatusCode::CONFLICT,
        FaultKind::Gone => StatusCode::GONE,
        FaultKind::Refused => StatusCode::FORBIDDEN,
        FaultKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        FaultKind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        FaultKind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        FaultKind::Range => StatusCode::RANGE_NOT_SATISFIABLE,
        FaultKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FaultKind::Broken => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn document(
    status: StatusCode,
    code: &str,
    detail: &str,
    extra: Map<String, Value>,
    mut headers: HeaderMap,
) -> Response {
    let mut members = extra;
    members.insert("type".into(), json!("about:blank"));
    members.insert("title".into(), json!(status.canonical_reason().unwrap_or("Error")));
    members.insert("status".into(), json!(status.as_u16()));
    members.insert("code".into(), json!(code));
    members.insert("detail".into(), json!(detail));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    (status, headers, Value::Object(members).to_string()).into_response()
}

fn chain(error: &(dyn std::error::Error + Send + Sync)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
