//! Uploads of the finished audio.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderValue, LOCATION};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument as _;

use super::problem::{Problem, TurnedAway, WrongHeader};
use super::{Door, Named, answer};
use crate::access::Principal;
use crate::body::Paced;
use crate::gate::{Fault, Placement, Sent, Taken};
use trail::clock::whole_millis;

pub(super) async fn store(
    State(door): State<Arc<Door>>,
    who: Principal,
    Named((call, name)): Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    whole_and_plain(&headers)?;
    let placement = placement(&headers).map_err(TurnedAway::Header)?;
    let digest = content_digest(&headers).map_err(TurnedAway::Header)?;
    // The body is not read before this, so a client that sends `Expect` gets a refusal before it sends the
    // audio.
    let admission = door.gate.admit(&who, Sent::natively(call, name, placement, digest)).await?;
    // The work continues even if the client hangs up: a recording that was received whole is settled.
    let task = {
        let worker = Arc::clone(&door);
        let mut body = Paced::new(body, door.upload_pace);
        let work = async move { worker.gate.store(admission, &mut body).await };
        door.gate.spawn(work.in_current_span())
    };
    let taken = task.await.map_err(|error| Fault::damaged_by("the task of an upload failed", error))??;
    let Taken::Stored(stored) = taken else {
        return Err(Fault::damaged("the gateway's own API has put something into quarantine").into());
    };
    let status = if stored.new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer(status, &stored.description);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/recordings/{}", stored.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Refuses a body that is a part of the recording, or compressed: it could be measured, but as another
/// recording.
pub(super) fn whole_and_plain(headers: &HeaderMap) -> Result<(), TurnedAway> {
    // RFC 9110 section 14.5: a server that does not support it on PUT must answer 400, since ignoring it
    // would replace the whole by a part.
    if headers.contains_key(CONTENT_RANGE) {
        return Err(TurnedAway::Header(WrongHeader::Range));
    }
    let plain = |coding: &str| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity");
    let packed = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .find(|codings| !codings.to_str().is_ok_and(|codings| codings.split(',').all(plain)));
    let Some(packed) = packed else { return Ok(()) };
    Err(TurnedAway::Packed { coding: String::from_utf8_lossy(packed.as_bytes()).into_owned() })
}

/// When the audio was made, by `Recording-Start` or `Recording-Timeline`.
fn placement(headers: &HeaderMap) -> Result<Placement, WrongHeader> {
    match (one(headers, START)?, one(headers, TIMELINE)?) {
        (None, None) => Ok(Placement::Unsaid),
        (Some(_), Some(_)) => Err(WrongHeader::TwoPlacements),
        (Some(start), None) => Ok(Placement::From(moment("Recording-Start", start)?)),
        (None, Some(timeline)) => {
            let parts: Vec<(Timestamp, u64)> =
                timeline.split(',').map(|part| interval(part.trim())).collect::<Result<_, _>>()?;
            if parts.len() > MAX_INTERVALS {
                return Err(WrongHeader::TooManyIntervals);
            }
            Ok(Placement::Timeline(parts))
        }
    }
}

fn interval(text: &str) -> Result<(Timestamp, u64), WrongHeader> {
    let (start, duration) = text.split_once('/').ok_or(WrongHeader::Interval)?;
    let duration: SignedDuration = duration.trim().parse().map_err(|_| WrongHeader::Interval)?;
    let ms = u64::try_from(duration.as_millis()).ok().filter(|ms| *ms > 0).ok_or(WrongHeader::Interval)?;
    Ok((moment("Recording-Timeline", start.trim())?, ms))
}

fn moment(header: &'static str, text: &str) -> Result<Timestamp, WrongHeader> {
    let at = trail::clock::moment(text).map_err(|error| WrongHeader::Moment { header, error })?;
    Ok(whole_millis(at))
}

/// SHA-256 from `Content-Digest` (RFC 9530 section 2); other algorithms are ignored.
fn content_digest(headers: &HeaderMap) -> Result<Option<[u8; 32]>, WrongHeader> {
    let Some(text) = one(headers, "content-digest")? else { return Ok(None) };
    for member in text.split(',') {
        let Some((algorithm, value)) = member.trim().split_once('=') else { return Err(WrongHeader::Digest) };
        if !algorithm.trim().eq_ignore_ascii_case("sha-256") {
            continue;
        }
        let value = value
            .trim()
            .strip_prefix(':')
            .and_then(|value| value.strip_suffix(':'))
            .ok_or(WrongHeader::Digest)?;
        let bytes = BASE64_STANDARD.decode(value).map_err(|_| WrongHeader::Digest)?;
        return bytes.try_into().map(Some).map_err(|_| WrongHeader::Digest);
    }
    Ok(None)
}

fn one<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, WrongHeader> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| WrongHeader::NotAscii(name)),
        (Some(_), Some(_)) => Err(WrongHeader::Twice(name)),
    }
}

const START: &str = "recording-start";
const TIMELINE: &str = "recording-timeline";
/// The most intervals of `Recording-Timeline`.
pub(super) const MAX_INTERVALS: usize = 256;
