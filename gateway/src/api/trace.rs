//! The id of a request, on its answer and in every log line that is written for it.
//!
//! The id is a UUID. A UUID that the client (or a proxy before us) sends as `X-Request-Id` is taken over;
//! anything else is replaced. Apart from that UUID, no log line holds a word that an outsider chose: calls
//! appear by the gateway's own ids.

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

/// The id of the request that is being answered.
pub(super) fn id() -> Option<String> {
    REQUEST.try_with(ToString::to_string).ok()
}

/// Puts the request's id on the answer, and logs everything that is done for it in one span.
pub(super) async fn follow(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    // Any word can be a method (RFC 9110 section 9.1).
    let method = Some(request.method()).filter(|method| KNOWN.contains(method)).map_or("-", Method::as_str);
    let path = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    // At the highest level, so that an error names its request no matter how little is logged.
    let span = tracing::error_span!(
        "request",
        request = %id, method, path,
        credential = Empty, call = Empty, code = Empty, entry = Empty,
    );
    let answering = async {
        let mut response = next.run(request).await;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), ms, "answered");
        // A door may have named the entry that was made for it instead.
        if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().entry(REQUEST_ID).or_insert(id);
        }
        response
    };
    REQUEST.scope(id, answering.instrument(span)).await
}

/// Records who asks: from here on, log lines of this request name them.
pub(super) fn known(credential: &str) {
    Span::current().record("credential", credential);
}

/// Records the code of the problem that the request is answered with.
pub(super) fn problem(code: &str) {
    Span::current().record("code", code);
}

fn request_id(headers: &HeaderMap) -> Uuid {
    let sent = headers.get(REQUEST_ID).and_then(|sent| Uuid::try_parse_ascii(sent.as_bytes()).ok());
    // Without randomness the gateway can answer nothing but that; the answer needs no id.
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
