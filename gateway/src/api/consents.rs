//! Auditors' questions about the trail, answered in pages of JSON, or whole as JSON Lines or CSV.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::{Problem, TurnedAway};
use super::{Asked, Door, media, moment, whole_number};
use crate::access::Principal;
use crate::gate::{Fault, Filters, Inquiry, Record, sheet_head};
use trail::Actor;
use trail::chain::Chain;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// Only entries about this call: its id, or an alias. Includes every call that had the id.
    call: Option<String>,
    /// Only entries about calls with a participant of this platform id.
    participant: Option<String>,
    /// Only entries about calls with a participant who has this phone number, E.164; write `+` as `%2B`.
    number: Option<String>,
    /// Only entries about calls with a participant in this place: an ISO 3166 code.
    place: Option<String>,
    /// Only entries about calls that this rule applied to: the code of a row, or the id of an overlay.
    rule: Option<String>,
    /// Only entries about calls to which this prompt was played: its id, `id@version`, or the id of a
    /// version.
    prompt: Option<String>,
    /// Only entries with these outcomes: one or several of `prompted`, `consented` and so on, separated by
    /// commas.
    outcome: Option<String>,
    /// Only entries of these types, separated by commas.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only entries about this recording and its call.
    recording: Option<String>,
    /// Only fetches by this credential, including refused ones.
    listener: Option<String>,
    /// Only entries logged at this moment or later.
    #[serde(default, deserialize_with = "moment")]
    from: Option<Timestamp>,
    /// Only entries logged before this moment.
    #[serde(default, deserialize_with = "moment")]
    until: Option<Timestamp>,
    /// The cursor `next` of the previous page. It is valid for the same question by the same account only.
    after: Option<String>,
    /// The largest number of entries, from 1 to 1000. By default, JSON comes in pages of 100, lines and
    /// tables whole.
    #[serde(default, deserialize_with = "whole_number")]
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// `json`, `jsonl` or `csv`; by default, what `Accept` prefers.
    format: Option<String>,
}

pub(super) async fn answer(
    State(door): State<Arc<Door>>,
    who: Principal,
    Asked(query): Asked<Query>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let form = match &query.format {
        Some(word) => Form::named(word)?,
        None => Form::accepted(headers.get_all(header::ACCEPT).iter()),
    };
    let limit = query.limit.map(|limit| media::limit(Some(limit))).transpose()?;
    let after = query.after.clone();
    let actor = Actor::from(&who);
    let mut inquiry = door.gate.ask(&actor, &who.account, query.into(), after.as_deref()).await?;
    if form == Form::Json {
        return page(&door, &mut inquiry, media::limit(limit)?).await;
    }
    // The first page is read before the answer begins, so a failure is still a problem document.
    let records = door.gate.page(&mut inquiry, limit.unwrap_or(STEP)).await?;
    let mut first = if form == Form::Csv { sheet_head()? } else { Vec::new() };
    first.extend(form.write(&door, &inquiry.account, &records).await?);
    let link = limit.and(inquiry.next()).and_then(|next| link(&uri, next));
    let body = match limit {
        Some(_) => Body::from(first),
        None => {
            Body::from_stream(stream::unfold((door, inquiry, Some(first)), move |state| rest(form, state)))
        }
    };
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    if let Some(name) = form.file_name() {
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    }
    if let Some(link) = link {
        headers.insert(header::LINK, link);
    }
    Ok(response)
}

async fn page(door: &Door, inquiry: &mut Inquiry, limit: u32) -> Result<Response, Problem> {
    let records = door.gate.page(inquiry, limit).await?;
    let entries = records.iter().map(Record::entry).collect::<Result<Vec<_>, _>>()?;
    Ok(super::answer(StatusCode::OK, &inquiry.document(entries)))
}

type Streaming = (Arc<Door>, Inquiry, Option<Vec<u8>>);

/// The other pages, one at a time, so neither the gateway nor the ledger holds the whole answer. If one
/// cannot be read, the body breaks off, and its reader notices.
async fn rest(
    form: Form,
    (door, mut inquiry, first): Streaming,
) -> Option<(Result<Bytes, std::io::Error>, Streaming)> {
    if let Some(first) = first {
        return Some((Ok(first.into()), (door, inquiry, None)));
    }
    if inquiry.is_over() {
        return None;
    }
    let written = async {
        let records = door.gate.page(&mut inquiry, STEP).await?;
        form.write(&door, &inquiry.account, &records).await
    };
    let written = written.await.map(Bytes::from).map_err(|fault| {
        let cause = fault.failure().map(|failure| Chain(failure).to_string()).unwrap_or_default();
        tracing::error!(code = %fault.code(), cause, "an answer broke off");
        std::io::Error::other(fault.code().as_str())
    });
    Some((written, (door, inquiry, None)))
}

/// The format of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Lines,
    Csv,
}

impl Form {
    fn named(word: &str) -> Result<Form, TurnedAway> {
        match word {
            "json" => Ok(Form::Json),
            "jsonl" => Ok(Form::Lines),
            "csv" => Ok(Form::Csv),
            _ => Err(TurnedAway::Format),
        }
    }

    /// The format that the client prefers of those on offer (RFC 9110 section 12.5.1); JSON if it does not
    /// say.
    fn accepted<'h>(headers: impl Iterator<Item = &'h HeaderValue>) -> Form {
        let texts: Vec<&str> = headers.filter_map(|value| value.to_str().ok()).collect();
        let mut best = (0.0, Form::Json);
        for range in texts.iter().flat_map(|text| text.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/json" | "application/*" | "*/*" => Form::Json,
                "application/jsonl" | "application/x-ndjson" => Form::Lines,
                "text/csv" | "text/*" => Form::Csv,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if weight > best.0 {
                best = (weight, form);
            }
        }
        best.1
    }

    fn content_type(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Lines => "application/jsonl",
            Form::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    fn file_name(self) -> Option<&'static str> {
        match self {
            Form::Json => None,
            Form::Lines => Some("attachment; filename=\"consents.jsonl\""),
            Form::Csv => Some("attachment; filename=\"consents.csv\""),
        }
    }

    async fn write(self, door: &Door, account: &str, records: &[Record]) -> Result<Vec<u8>, Fault> {
        match self {
            Form::Csv => door.gate.sheet(account, records).await,
            Form::Json | Form::Lines => {
                let mut lines = Vec::new();
                for record in records {
                    serde_json::to_writer(&mut lines, &record.entry()?).map_err(unwritten)?;
                    lines.push(b'\n');
                }
                Ok(lines)
            }
        }
    }
}

/// The next page of the same question (RFC 8288).
fn link(uri: &Uri, next: &str) -> Option<HeaderValue> {
    let asked = uri.query().unwrap_or_default().split('&');
    let kept: Vec<&str> = asked.filter(|pair| !pair.is_empty() && !pair.starts_with("after=")).collect();
    let query =
        kept.into_iter().map(str::to_owned).chain([format!("after={next}")]).collect::<Vec<_>>().join("&");
    HeaderValue::from_str(&format!("<{}?{query}>; rel=\"next\"", uri.path())).ok()
}

impl From<Query> for Filters {
    fn from(query: Query) -> Filters {
        Filters {
            call: query.call,
            participant: query.participant,
            number: query.number,
            place: query.place,
            rule: query.rule,
            prompt: query.prompt,
            outcome: query.outcome,
            kind: query.kind,
            recording: query.recording,
            listener: query.listener,
            from: query.from,
            until: query.until,
        }
    }
}

/// How many entries a stream reads at a time.
const STEP: u32 = 1_000;

fn unwritten(error: serde_json::Error) -> Fault {
    Fault::damaged_by("an entry cannot be written", error)
}
