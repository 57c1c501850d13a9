//! Recordings, in Twilio's documents: they are kept here, sealed, and no longer at Twilio.

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::form::Form;
use super::{NOT_FOUND, Refusal, json_answer, refused};
use crate::access::{Principal, Role};
use crate::api::problem::TurnedAway;
use crate::api::{Door, media, routes};
use crate::gate::answer::Recording;
use crate::gate::{Looked, OfName, Sought};

/// Puts our callback in the place of the application's, which is called once the recording is kept. Twilio signs the URL
/// with all that stands in it, so nobody else can have us call anything.
pub(super) fn calls_us(door: &Door, who: &Principal, form: &mut Form) -> Result<(), Refusal> {
    let url = form.get("RecordingStatusCallback").unwrap_or_default().to_owned();
    let method = form.get("RecordingStatusCallbackMethod").unwrap_or("POST").to_owned();
    let events: Vec<String> = form.all("RecordingStatusCallbackEvent").map(ToOwned::to_owned).collect();
    ["RecordingStatusCallback", "RecordingStatusCallbackMethod", "RecordingStatusCallbackEvent"]
        .iter()
        .for_each(|name| form.remove(name));
    let mut ours = Form::default();
    ours.add("by", &who.credential);
    if !url.is_empty() {
        ours.add("url", url);
        ours.add("method", method);
        ours.add("events", events.join(" "));
    }
    form.add("RecordingStatusCallback", our_url(door, &who.account, "status", &ours)?);
    form.add("RecordingStatusCallbackMethod", "POST");
    // What is left out would shift all that follows.
    form.set("Trim", "do-not-trim");
    ["in-progress", "completed", "absent"]
        .iter()
        .for_each(|event| form.add("RecordingStatusCallbackEvent", *event));
    Ok(())
}

/// Where Twilio reaches this door.
pub(super) fn our_url(door: &Door, account: &str, what: &str, query: &Form) -> Result<String, Refusal> {
    let base = door.public_url.as_deref();
    let base =
        base.ok_or_else(|| refused("the gateway has no `public_url`, so Twilio cannot call it back"))?;
    Ok(format!("{base}/twilio/{account}/{what}?{}", query.written()))
}

/// The recordings that are kept: of a call, or of the account, the newest first.
pub(super) async fn list(
    door: &Door,
    who: &Principal,
    parts: &Parts,
    sid: &str,
    call: Option<&str>,
) -> Result<Response, Refusal> {
    let asked = Form::parse(parts.uri.query().unwrap_or_default());
    let known = [
        "CallSid",
        "PageSize",
        "PageToken",
        "Page",
        "DateCreated",
        "DateCreated<",
        "DateCreated>",
        "IncludeSoftDeleted",
    ];
    if let Some(other) = asked.names().find(|name| !known.contains(name)) {
        return Err(Refusal::Own(
            StatusCode::BAD_REQUEST,
            super::INVALID,
            format!(
                "the gateway lists recordings by {}, and not by `{}`",
                known.join(", "),
                other.escape_debug()
            ),
        ));
    }
    let size = asked.get("PageSize").map_or(Some(PAGE), |size| size.parse().ok());
    let size = size
        .filter(|size| (1..=1_000).contains(size))
        .ok_or_else(|| invalid("`PageSize` is from 1 to 1000"))?;
    let after = asked.get("PageToken").filter(|token| !token.is_empty());
    let call = call.or_else(|| asked.get("CallSid"));
    let (from, until) = created(&asked)?;
    let page = match call {
        // Of one call, from the first on.
        Some(call) => {
            let sought = Sought { call: Some(call), from, until, ..Sought::default() };
            door.gate.look(who, &Looked::Recordings { sought, after }).await?;
            door.gate.recordings(who, &sought, after, size).await?
        }
        None => {
            let looked = Looked::Newest { accepted_from: from, accepted_until: until, after };
            door.gate.look(who, &looked).await?;
            door.gate.newest_recordings(who, (from, until), after, size).await?
        }
    };
    let documents: Vec<Value> = page.recordings.iter().map(|one| document(sid, one)).collect();
    let path = parts.uri.path();
    let query = |token: Option<&str>| {
        let mut query = asked.clone();
        query.remove("PageToken");
        query.remove("Page");
        query.set("PageSize", size.to_string());
        if let Some(token) = token {
            query.add("PageToken", token);
        }
        format!("{path}?{}", query.written())
    };
    Ok(json_answer(
        StatusCode::OK,
        &json!({
            "recordings": documents, "page": 0, "page_size": size, "start": 0,
            "end": documents.len().saturating_sub(1), "uri": query(after), "first_page_uri": query(None),
            "next_page_uri": page.next.as_deref().map(|next| query(Some(next))), "previous_page_uri": Value::Null,
        }),
    ))
}

/// When what is listed was created.
fn created(asked: &Form) -> Result<(Option<Timestamp>, Option<Timestamp>), Refusal> {
    let mut between = (None, None);
    let day = SignedDuration::from_hours(24);
    for (name, value) in asked.pairs() {
        // A day stands for all of it.
        let at = || {
            let moment = trail::clock::moment_or_day(value)
                .map_err(|_| invalid("`DateCreated` is a day, or RFC 3339"))?;
            let end = if value.len() <= "2026-11-20".len() {
                moment.checked_add(day).unwrap_or(moment)
            } else {
                moment
            };
            Ok::<_, Refusal>((moment, end))
        };
        match name.as_str() {
            "DateCreated" => {
                let (from, end) = at()?;
                between = (Some(from), Some(end));
            }
            "DateCreated>" => between.0 = Some(at()?.0),
            "DateCreated<" => between.1 = Some(at()?.1),
            _ => {}
        }
    }
    Ok(between)
}

fn invalid(says: &str) -> Refusal {
    Refusal::Own(StatusCode::BAD_REQUEST, super::INVALID, says.into())
}

/// What is asked of a recording that is kept here; nothing if it is not.
pub(super) async fn kept(
    door: &Door,
    who: &Principal,
    parts: &Parts,
    (sid, recording): (&str, &str),
) -> Result<Option<Response>, Refusal> {
    // `.wav`, `.mp3` and nothing at all ask for media.
    let (name, format) = recording.split_once('.').unwrap_or((recording, ""));
    let of_media = !["json", "xml", "csv"].iter().any(|one| format.eq_ignore_ascii_case(one));
    let id = match door.gate.recording_of_name(who, name).await? {
        OfName::One(id) => id,
        OfName::None => {
            // Twilio's own audio is judged, sealed and deleted there: until then, nobody gets it here.
            let passes = !of_media && matches!(parts.method, Method::GET | Method::HEAD)
                || parts.method == Method::DELETE;
            let says = "no such recording is kept here; Twilio's own audio is handed out by nobody";
            return if passes {
                Ok(None)
            } else {
                Err(Refusal::Own(StatusCode::NOT_FOUND, NOT_FOUND, says.into()))
            };
        }
        OfName::Several => {
            return Err(refused("several recordings have this sid; ask for them by their calls"));
        }
    };
    if parts.method == Method::DELETE {
        door.gate.delete(who, &id).await?;
        return Ok(Some(StatusCode::NO_CONTENT.into_response()));
    }
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(Refusal::Own(
            StatusCode::METHOD_NOT_ALLOWED,
            NOT_FOUND,
            "a recording is fetched or deleted".into(),
        ));
    }
    if of_media {
        let allowed: &'static [Role] =
            routes::entry(&Method::GET, "/v1/recordings/{id}/media").map_or(&[], |route| route.roles);
        if !allowed.contains(&who.role) {
            return Err(TurnedAway::WrongRole { role: who.role, allowed }.into());
        }
        let asked = Form::parse(parts.uri.query().unwrap_or_default());
        let purpose = asked.get("Purpose").filter(|purpose| !purpose.is_empty()).map(ToOwned::to_owned);
        return Ok(Some(media::hand_out(door, who, &id, purpose, &parts.headers).await?));
    }
    door.gate.look(who, &Looked::Recording { recording: &id }).await?;
    let found = door.gate.recording(who, &id).await?;
    Ok(Some(json_answer(StatusCode::OK, &document(sid, &found))))
}

/// A recording as Twilio describes it.
fn document(sid: &str, recording: &Recording) -> Value {
    let name = &recording.name;
    let path = format!("/2010-04-01/Accounts/{sid}/Recordings/{name}");
    json!({
        "account_sid": sid,
        "api_version": "2010-04-01",
        "call_sid": recording.call,
        "conference_sid": Value::Null,
        "date_created": rfc2822(recording.accepted_at.0),
        "date_updated": rfc2822(recording.accepted_at.0),
        "start_time": rfc2822(recording.recorded_from.0),
        "duration": recording.duration_ms.div_euclid(1_000).to_string(),
        "sid": name,
        "price": Value::Null,
        "price_unit": "USD",
        "status": "completed",
        "channels": 1,
        "source": "StartCallRecordingAPI",
        "error_code": Value::Null,
        "track": Value::Null,
        "uri": format!("{path}.json"),
        "media_url": Value::Null,
        "encryption_details": encryption(&recording.envelope),
        "subresource_uris": {
            "add_on_results": format!("{path}/AddOnResults.json"),
            "transcriptions": format!("{path}/Transcriptions.json"),
        },
    })
}

/// Where a recording is, once it is kept here: without a format, as Twilio says it.
pub(super) fn url(door: &Door, sid: &str, recording: &str) -> String {
    let base = door.public_url.as_deref().unwrap_or_default();
    format!("{base}/2010-04-01/Accounts/{sid}/Recordings/{recording}")
}

/// How it is sealed, if Twilio has words for that.
pub(super) fn encryption(envelope: &seal::Envelope) -> Option<Value> {
    if envelope.format() != seal::Format::RsaAes {
        return None;
    }
    let all = serde_json::to_value(envelope).ok()?;
    let of = |name: &str| all.get(name).cloned().unwrap_or_default();
    Some(json!({
        "type": of("type"), "public_key_sid": of("public_key_sid"), "encrypted_cek": of("encrypted_cek"), "iv": of("iv"),
    }))
}

/// Times as Twilio writes them: RFC 2822, in UTC.
fn rfc2822(at: Timestamp) -> String {
    jiff::fmt::rfc2822::to_string(&at.to_zoned(TimeZone::UTC)).unwrap_or_default()
}

/// How many recordings a page has, if nobody says how many.
const PAGE: u32 = 50;
