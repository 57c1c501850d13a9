//! Accepted recordings: listing, describing, fetching, holding, deleting.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::{Problem, TurnedAway};
use super::{Asked, Door, Named, answer, moment, to_the_end, whole_number};
use crate::access::Principal;
use crate::gate::{Looked, RecordingRefusal, Sought};
use crate::vault::{Kept, Vault, VaultError};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only recordings of this call: its id, or an alias.
    call: Option<String>,
    /// Only recordings with audio from this moment or later.
    #[serde(default, deserialize_with = "moment")]
    from: Option<Timestamp>,
    /// Only recordings with audio from before this moment.
    #[serde(default, deserialize_with = "moment")]
    until: Option<Timestamp>,
    /// Only recordings that this participant is on, by the platform's id.
    participant: Option<String>,
    /// Only recordings that may be fetched for this purpose.
    purpose: Option<String>,
    /// The cursor `next` of the previous page.
    after: Option<String>,
    /// The largest number of recordings, from 1 to 1000; by default, 100.
    #[serde(default, deserialize_with = "whole_number")]
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

pub(super) async fn list(
    State(door): State<Arc<Door>>,
    who: Principal,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let sought = Sought {
        call: query.call.as_deref(),
        from: query.from,
        until: query.until,
        participant: query.participant.as_deref(),
        purpose: query.purpose.as_deref(),
    };
    let after = query.after.as_deref();
    door.gate.look(&who, &Looked::Recordings { sought, after }).await?;
    let listing = door.gate.recordings(&who, &sought, after, limit).await?;
    Ok(answer(StatusCode::OK, &listing))
}

pub(super) async fn describe(
    State(door): State<Arc<Door>>,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    door.gate.look(&who, &Looked::Recording { recording: &id }).await?;
    Ok(answer(StatusCode::OK, &door.gate.recording(&who, &id).await?))
}

pub(super) async fn remove(
    State(door): State<Arc<Door>>,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    door.gate.delete(&who, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn hold(
    State(door): State<Arc<Door>>,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &door.gate.hold(&who, &id, true).await?))
}

pub(super) async fn release(
    State(door): State<Arc<Door>>,
    who: Principal,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let gate = Arc::clone(&door);
    // Whoever waits to be erased is erased after the entry.
    let lifted = to_the_end(&door, async move { gate.gate.hold(&who, &id, false).await });
    Ok(answer(StatusCode::OK, &lifted.await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FetchQuery {
    /// What it is fetched for; this is logged. The header `Purpose` may say so instead.
    #[schemars(required, length(min = 1, max = 255))]
    purpose: Option<String>,
}

pub(super) async fn fetch(
    State(door): State<Arc<Door>>,
    who: Principal,
    Named(id): Named<String>,
    Asked(query): Asked<FetchQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    hand_out(&door, &who, &id, query.purpose, &headers).await
}

/// The sealed media of a recording, for a purpose that the request names in its query or in a header.
pub(super) async fn hand_out(
    door: &Door,
    who: &Principal,
    id: &str,
    purpose: Option<String>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let stated = headers.get("purpose").and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let Some(purpose) = purpose.or(stated) else {
        return Err(TurnedAway::NoPurpose.into());
    };
    let mut partial = false;
    let served = door
        .gate
        .fetch(who, id, &purpose, |bytes, sha256| {
            let range = asked_range(headers, bytes, sha256)?;
            partial = range.is_some();
            Ok(range.unwrap_or(0..bytes))
        })
        .await?;
    let length = served.range.end.saturating_sub(served.range.start);
    let body = Body::from_stream(chunks(door.gate.vault().clone(), served.kept, served.range.clone()));
    let status = if partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::from_str(&etag(&served.sha256)) {
        headers.insert(header::ETAG, etag);
    }
    if partial {
        let range =
            format!("bytes {}-{}/{}", served.range.start, served.range.end.saturating_sub(1), served.bytes);
        if let Ok(range) = HeaderValue::from_str(&range) {
            headers.insert(header::CONTENT_RANGE, range);
        }
    }
    Ok(response)
}

pub(super) fn limit(asked: Option<u32>) -> Result<u32, TurnedAway> {
    match asked {
        None => Ok(100),
        Some(limit @ 1..=1000) => Ok(limit),
        Some(_) => Err(TurnedAway::Limit),
    }
}

/// Sealed bytes in chunks; each costs one look-up.
fn chunks(
    vault: Vault,
    kept: Kept,
    range: Range<u64>,
) -> impl futures_util::Stream<Item = Result<bytes::Bytes, VaultError>> {
    stream::unfold((vault, range), move |(vault, range)| async move {
        if range.is_empty() {
            return None;
        }
        let end = range.start.saturating_add(STEP).min(range.end);
        let chunk = vault.read(&kept, range.start..end).await;
        if let Err(error) = &chunk {
            tracing::error!(%error, recording = %kept.id, "could not read sealed media to the end");
        }
        let rest = if chunk.is_ok() { end..range.end } else { range.end..range.end };
        Some((chunk, (vault, rest)))
    })
}

/// A single range (RFC 9110 section 14.2). Several ranges, or an invalid one, are answered with the whole; so
/// is `If-Range` with another entity tag.
fn asked_range(
    headers: &HeaderMap,
    bytes: u64,
    sha256: &str,
) -> Result<Option<Range<u64>>, RecordingRefusal> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(spec) = text(header::RANGE).and_then(|range| range.strip_prefix("bytes=")) else {
        return Ok(None);
    };
    if text(header::IF_RANGE).is_some_and(|tag| tag != etag(sha256)) {
        return Ok(None);
    }
    let Some((first, last)) = spec.trim().split_once('-').filter(|_| !spec.contains(',')) else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(bytes),
        (Some(first), None) if last.trim().is_empty() => first..bytes,
        (None, Some(suffix)) if first.trim().is_empty() => bytes.saturating_sub(suffix)..bytes,
        _ => return Ok(None),
    };
    if range.is_empty() {
        return Err(RecordingRefusal::RangeOutside { bytes });
    }
    Ok(Some(range))
}

fn etag(sha256: &str) -> String {
    format!("\"{sha256}\"")
}

/// How many bytes one look-up in the store reads: enough to cost little, and few enough to hold in memory.
const STEP: u64 = 256 * 1024;
