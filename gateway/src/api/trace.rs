//! What a request can be followed by: its id, on the answer and in every log line that is written for it.
//!
//! The id is a UUID. One that the client (or a proxy before us) sends as `X-Request-Id` is taken over; whatever
//! else stands there is replaced. But for such a UUID, no line of the log holds a word that an outsider chose: calls
//! are named by the gateway's own ids of them.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::header::{HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::random;

/// The header that names a request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static REQUEST: Uuid;
}

/// The request that is being answered, as a URI for a problem's `instance` (RFC 9457 section 3.1.5, RFC 9562
/// section 4).
pub(super) fn instance() -> Option<String> {
    REQUEST.try_with(|id| format!("urn:uuid:{id}")).ok()
}

/// Answers with the request's id, and logs everything that is done for it in one span.
pub(super) async fn follow(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    // Any word can be a method (RFC 9110 section 9.1).
    let method = Some(request.method()).filter(|method| KNOWN.contains(method)).map_or("-", Method::as_str);
    let path = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    // Of the highest level, so that an error says which request it belongs to, however little is logged.
    let span = tracing::error_span!(
        "request",
        request = %id, method, path,
        credential = Empty, call = Empty, code = Empty, entry = Empty,
    );
    let answering = async {
        let mut response = next.run(request).await;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), ms, "answered");
        if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    };
    REQUEST.scope(id, answering.instrument(span)).await
}

/// Who asks: lines of the log say so from here on.
pub(super) fn known(credential: &str) {
    Span::current().record("credential", credential);
}

/// What the request is answered with, if it is a problem.
pub(super) fn problem(code: &str) {
    Span::current().record("code", code);
}

fn request_id(headers: &HeaderMap) -> Uuid {
    let sent = headers.get(REQUEST_ID).and_then(|sent| Uuid::try_parse_ascii(sent.as_bytes()).ok());
    // Without randomness nothing is answered but that; it can be told without an id.
    sent.filter(|sent| !sent.is_nil()).or_else(|| random::id().ok()).unwrap_or_default()
}

const KNOWN: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];
