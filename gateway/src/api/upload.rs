//! The finished audio comes in.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderValue, LOCATION};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};

use super::{Door, Named, answer};
use crate::access::Principal;
use crate::body::Paced;
use crate::clock::whole_millis;
use crate::gate::{Fault, FaultKind, Placement};

pub(super) async fn store(
    State(door): State<Arc<Door>>,
    who: Principal,
    Named((call, name)): Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    whole_and_plain(&headers)?;
    let placement = placement(&headers)?;
    let digest = content_digest(&headers)?;
    // Nothing of the body is read before this: a client that asks first gets its refusal first.
    let admission = door.gate.admit(&who, &call, &name, placement, digest).await?;
    // The work goes on even if the client is gone: what was received whole is settled.
    let task = {
        let door = Arc::clone(&door);
        let mut body = Paced::new(body, door.upload_pace);
        door.gate.tasks.clone().spawn(async move { door.gate.store(admission, &mut body).await })
    };
    let stored = task.await.map_err(|error| {
        Fault::new(FaultKind::Broken, "internal", "the gateway could not answer").because(error)
    })??;
    let status = if stored.new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer(status, &stored.description);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/recordings/{}", stored.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// The body is the recording, all of it and as it is. What was cut or packed could be measured, and be another one.
fn whole_and_plain(headers: &HeaderMap) -> Result<(), Fault> {
    // RFC 9110 section 14.5: whoever does not support it on PUT must answer 400, since ignoring it would replace the
    // whole by a part.
    if headers.contains_key(CONTENT_RANGE) {
        let detail = "`Content-Range` says that the body is a part of the recording; send all of it in one request, without that header";
        return Err(malformed(detail));
    }
    let plain = |coding: &str| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity");
    let packed = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .find(|codings| !codings.to_str().is_ok_and(|codings| codings.split(',').all(plain)));
    let Some(packed) = packed else { return Ok(()) };
    let detail = format!(
        "`Content-Encoding: {}` says that the body is packed; send the recording as it is, without that header",
        String::from_utf8_lossy(packed.as_bytes())
    );
    Err(Fault::new(FaultKind::Unsupported, "packed-body", detail))
}

/// When the audio says it was made, from `Recording-Start` or `Recording-Timeline`.
fn placement(headers: &HeaderMap) -> Result<Placement, Fault> {
    match (one(headers, START)?, one(headers, TIMELINE)?) {
        (None, None) => Ok(Placement::Unsaid),
        (Some(_), Some(_)) => Err(malformed("send `Recording-Start` or `Recording-Timeline`, not both")),
        (Some(start), None) => Ok(Placement::From(moment("Recording-Start", start)?)),
        (None, Some(timeline)) => {
            let parts: Vec<(Timestamp, u64)> =
                timeline.split(',').map(|part| interval(part.trim())).collect::<Result<_, _>>()?;
            if parts.len() > MAX_INTERVALS {
                let detail = format!("`Recording-Timeline` has more than {MAX_INTERVALS} intervals");
                return Err(malformed(&detail));
            }
            Ok(Placement::Timeline(parts))
        }
    }
}

fn interval(text: &str) -> Result<(Timestamp, u64), Fault> {
    let hint = "an interval of `Recording-Timeline` is not `start/duration`; write for example `2026-11-20T10:00:00Z/PT30S`";
    let (start, duration) = text.split_once('/').ok_or_else(|| malformed(hint))?;
    let duration: SignedDuration = duration.trim().parse().map_err(|_| malformed(hint))?;
    let ms = u64::try_from(duration.as_millis()).ok().filter(|ms| *ms > 0).ok_or_else(|| malformed(hint))?;
    Ok((moment("Recording-Timeline", start.trim())?, ms))
}

fn moment(header: &str, text: &str) -> Result<Timestamp, Fault> {
    let at = crate::clock::moment(text).map_err(|error| malformed(&format!("`{header}`: {error}")))?;
    Ok(whole_millis(at))
}

/// SHA-256 from `Content-Digest` (RFC 9530 section 2); other algorithms are left alone.
fn content_digest(headers: &HeaderMap) -> Result<Option<[u8; 32]>, Fault> {
    let hint = "`Content-Digest` is not `sha-256=:<base64>:`";
    let Some(text) = one(headers, "content-digest")? else { return Ok(None) };
    for member in text.split(',') {
        let Some((algorithm, value)) = member.trim().split_once('=') else { return Err(malformed(hint)) };
        if !algorithm.trim().eq_ignore_ascii_case("sha-256") {
            continue;
        }
        let value = value
            .trim()
            .strip_prefix(':')
            .and_then(|value| value.strip_suffix(':'))
            .ok_or_else(|| malformed(hint))?;
        let bytes = BASE64_STANDARD.decode(value).map_err(|_| malformed(hint))?;
        return bytes.try_into().map(Some).map_err(|_| malformed(hint));
    }
    Ok(None)
}

fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Fault> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().map(Some).map_err(|_| malformed(&format!("`{name}` is not ASCII")))
        }
        (Some(_), Some(_)) => Err(malformed(&format!("`{name}` was sent twice"))),
    }
}

fn malformed(detail: &str) -> Fault {
    Fault::new(FaultKind::Malformed, "invalid-header", detail)
}

const START: &str = "recording-start";
const TIMELINE: &str = "recording-timeline";
const MAX_INTERVALS: usize = 256;
