//! A call as a vCon, with the lawful basis of everybody who was asked.
//!
//! Follows draft-ietf-vcon-vcon-core (syntax 0.4.0) and draft-howe-vcon-lawful-basis-02. It knows nothing
//! of signatures: the draft wants it signed, see [`jws`](super::jws).
//!
//! INVARIANT: a `lawful_basis` that is `consent` and granted rests on a yes of that person. Whoever was only
//! told has not consented: the basis is what the account has stated, and where it has stated none, there is
//! no `lawful_basis` but a `lawful_basis_unstated`. Whoever objected last is granted nothing.

mod attach;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{KnownMedia, Record, base64url, date, named_uuid};
use attach::Attachments;
use trail::story::{Person, Recording, Refused};

/// The vCon of a call, in its unsigned form.
///
/// The parties are the call's participants by their numbers, and last the operator. A recording is a dialog
/// that refers to the *sealed* media, where a URL is known. An upload that was refused is not a dialog, since
/// readers would count it as a recording: it is an attachment. A call of which no recording exists is one dialog
/// without content, since a `lawful_basis` has to be about one.
///
/// # Errors
///
/// [`VconError`]: a URL is not `https`, or a hash in the log is not one.
pub fn vcon(record: &Record) -> Result<Value, VconError> {
    let scenes = scenes(record)?;
    let attachments = Attachments::of(record, &scenes);
    let dialog: Vec<Value> = scenes.into_iter().map(|scene| scene.dialog).collect();
    Ok(json!({
        // Deprecated, and the one thing by which older readers tell the syntax.
        "vcon": "0.4.0",
        // Section 4.1.2 proposes 12 bits of chance beside the time, which would not keep two calls of one
        // millisecond apart; made from names, the same call is the same vCon however often it is exported.
        "uuid": named_uuid(&["consent-gateway vcon", &record.extras.origin, &record.story.call.to_string()]),
        "extensions": ["lawful_basis"],
        "created_at": date(record.story.opened_at),
        "updated_at": date(record.extras.exported_at),
        "parties": parties(record),
        "dialog": dialog,
        "attachments": attachments.list,
    }))
}

/// A dialog, and what the attachments need to know of it.
struct Scene {
    from: Timestamp,
    until: Timestamp,
    refused: bool,
    dialog: Value,
}

impl Scene {
    /// Whether something that holds from `from` until `until` holds in some of it.
    fn meets(&self, from: Timestamp, until: Option<Timestamp>) -> bool {
        from <= self.until && until.is_none_or(|until| self.from < until)
    }
}

fn scenes(record: &Record) -> Result<Vec<Scene>, VconError> {
    let mut scenes = Vec::new();
    for stored in &record.story.recordings {
        scenes.push(recorded(record, stored)?);
    }
    if scenes.is_empty() {
        let until = record.story.ended_at.unwrap_or(record.extras.exported_at);
        scenes.push(silent(record, record.story.started_at, until));
    }
    if let Some(first) = scenes.first_mut().and_then(|scene| scene.dialog.as_object_mut()) {
        first.insert("party_history".into(), party_history(record));
    }
    Ok(scenes)
}

fn recorded(record: &Record, stored: &Recording) -> Result<Scene, VconError> {
    let (from, until) = stored.extent().unwrap_or((stored.accepted_at, stored.accepted_at));
    let mut dialog = dialog(record, from, until, stored.name.as_deref());
    let known = record.media(stored);
    let duration_ms = known.map_or_else(|| stored.duration_ms(), |known| known.duration_ms);
    dialog.insert("duration".into(), seconds(duration_ms));
    let Some(known) = known else {
        return Ok(Scene { from, until, refused: false, dialog: Value::Object(dialog) });
    };
    dialog.insert("mediatype".into(), json!(known.content_type));
    if let Some(url) = known.url.as_ref().filter(|_| stored.deleted_at.is_none()) {
        if !url.starts_with("https://") {
            return Err(VconError::Url { url: url.clone() });
        }
        dialog.insert("url".into(), json!(url));
        dialog.insert("content_hash".into(), json!(content_hash(known, stored)?));
    }
    Ok(Scene { from, until, refused: false, dialog: Value::Object(dialog) })
}

/// A call of which there is no audio here. The draft has no type for that: `incomplete` is for calls that nobody
/// answered. Where audio of it was refused, nothing is granted.
fn silent(record: &Record, from: Timestamp, until: Timestamp) -> Scene {
    let refused = record.story.refusals.iter().any(|refusal| matches!(refusal.what, Refused::Upload { .. }));
    Scene { from, until, refused, dialog: Value::Object(dialog(record, from, until, None)) }
}

fn dialog(record: &Record, from: Timestamp, until: Timestamp, name: Option<&str>) -> Map<String, Value> {
    let there = |person: &&(usize, &Person)| person.1.was_there(from, until);
    let people: Vec<(usize, &Person)> = record.story.people.values().enumerate().collect();
    let mut parties: Vec<usize> = people.iter().filter(there).map(|(index, _)| *index).collect();
    if parties.is_empty() {
        parties = people.iter().map(|(index, _)| *index).collect();
    }
    let mut dialog = Map::new();
    dialog.insert("type".into(), json!("recording"));
    dialog.insert("start".into(), json!(date(from)));
    dialog.insert("parties".into(), json!(parties));
    // Readers want to know the type even where nothing is included or referred to.
    dialog.insert(
        "mediatype".into(),
        json!(if record.story.medium == policy::Medium::Video { VIDEO } else { AUDIO }),
    );
    if let Some(name) = name {
        dialog.insert("filename".into(), json!(name));
    }
    dialog
}

fn party_history(record: &Record) -> Value {
    let mut events: Vec<(Timestamp, usize, &str)> = Vec::new();
    for (index, person) in record.story.people.values().enumerate() {
        for stay in &person.stays {
            events.push((stay.from, index, "join"));
            events.extend(stay.left.map(|left| (left, index, "drop")));
        }
    }
    events.sort();
    let event = |(at, party, event): &(Timestamp, usize, &str)| json!({"party": party, "time": date(*at), "event": event});
    events.iter().map(event).collect()
}

fn parties(record: &Record) -> Vec<Value> {
    let mut parties: Vec<Value> = record.story.people.values().map(|person| party(record, person)).collect();
    parties.push(match &record.extras.controller {
        Some(controller) => json!({"type": "organization", "name": controller.name, "validation": "none"}),
        None => json!({"type": "organization", "org": record.extras.account}),
    });
    parties
}

fn party(record: &Record, person: &Person) -> Value {
    let mut party = Map::new();
    if let Some(tel) = record.tel(person) {
        party.insert("tel".into(), json!(tel));
    }
    if let Some(pseudonym) = &person.pseudonym {
        // The same person in every vCon of this log.
        party.insert(
            "uuid".into(),
            json!(named_uuid(&["consent-gateway party", &record.extras.origin, pseudonym])),
        );
    }
    if person.role == policy::Role::Agent
        && let Some(controller) = &record.extras.controller
    {
        party.insert("org".into(), json!(controller.name));
    }
    let declared = |place: &&policy::Place| place.evidence == policy::Evidence::Declared;
    if let Some(place) = person.places_by_code().iter().find(declared) {
        party.insert("civicaddress".into(), civicaddress(place.code));
    }
    if party.is_empty() && person.is_person {
        return json!({"name": "anonymous"});
    }
    party.insert("type".into(), json!(if person.is_person { "person" } else { "bot" }));
    Value::Object(party)
}

/// RFC 5139: the country, and A1 for its subdivision.
fn civicaddress(code: policy::Code) -> Value {
    match code.as_str().split_once('-') {
        Some((country, subdivision)) => json!({"country": country, "a1": subdivision}),
        None => json!({"country": code}),
    }
}

/// Of the sealed media, as they are served. Readers have to know SHA-512; SHA-256 is in the log.
fn content_hash(known: &KnownMedia, stored: &Recording) -> Result<String, VconError> {
    if let Some(sha512) = &known.sha512 {
        return Ok(format!("sha512-{}", base64url(sha512)));
    }
    let digits: Vec<u8> =
        stored.media.chars().map_while(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0u8, |byte, digit| byte.wrapping_shl(4) | digit))
        .collect();
    if digits.len() != 64 || stored.media.len() != 64 {
        return Err(VconError::Hash { hash: stored.media.clone() });
    }
    Ok(format!("sha256-{}", base64url(&bytes)))
}

/// Milliseconds as seconds, always with a decimal point.
fn seconds(ms: u64) -> Value {
    let whole = u32::try_from(ms / 1_000).unwrap_or(u32::MAX);
    let part = u16::try_from(ms % 1_000).unwrap_or(0);
    json!(f64::from(whole) + f64::from(part) / 1_000.0)
}

/// Why there is no vCon.
#[derive(Debug, thiserror::Error)]
pub enum VconError {
    /// A URL that a vCon must not refer to.
    #[error("`{url}` is not an `https` URL, and a vCon refers to no other; serve recordings over TLS")]
    Url {
        /// Which one.
        url: String,
    },
    /// A hash that is none.
    #[error("`{hash}` is not a SHA-256 in hexadecimal")]
    Hash {
        /// What stands in its place.
        hash: String,
    },
}

const AUDIO: &str = "audio/x-wav";
const VIDEO: &str = "video/x-mp4";

#[cfg(test)]
mod tests;
