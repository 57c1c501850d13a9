//! What can still be read of a request that cannot be read as a whole: whatever makes things stricter counts.

use policy::{Role, Use};
use serde::Serialize;
use serde_json::Value;

use super::{ControlAction, ControlRecording, EventType, Moment, Observed, Participant, Places};
use crate::gate::Fault;
use crate::gate::call::claims::unnamed;

/// The readable part of a posted event.
fn event(posted: &Value) -> Option<Observed> {
    Some(Observed {
        participants: [texts(posted, "participant"), texts(posted, "participants")].concat(),
        at: readable(posted, "at").map(|Moment(at)| at),
        location: Some(Places::Many(texts(posted, "location"))),
        number: readable(posted, "number"),
        ip: readable(posted, "ip"),
        since: readable(posted, "since").map(|Moment(since)| since),
        by: readable(posted, "by"),
        ..Observed::of(readable(posted, "type")?)
    })
}

/// A member, if it can be read.
fn readable<T: serde::de::DeserializeOwned>(posted: &Value, name: &str) -> Option<T> {
    posted.get(name).and_then(|value| serde_json::from_value(value.clone()).ok())
}

/// The texts of a member that should be a text or a list of texts. A number counts as one, too. Anything else
/// becomes an empty text, since it was meant to say something.
fn texts(posted: &Value, name: &str) -> Vec<String> {
    let several = match posted.get(name) {
        None | Some(Value::Null) => &[],
        Some(Value::Array(several)) => several.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let said = several.iter().filter(|one| !one.is_null());
    let text = |one: &Value| match one {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    };
    said.map(text).collect()
}

/// Posted events.
#[derive(Debug)]
pub enum Posted {
    /// Events that can be read.
    Events(Vec<Observed>),
    /// The body cannot be read as a whole.
    Unread {
        /// What is wrong with it.
        fault: Fault,
        /// The readable events that make things stricter.
        claims: Vec<Observed>,
    },
}

impl Posted {
    /// Reads what it can of events that cannot be read as a whole.
    #[must_use]
    pub fn unread(fault: Fault, body: &[u8]) -> Posted {
        let read = Salvaged::of(body);
        let claims = read.objects().into_iter().filter_map(|posted| event(posted)?.claim());
        let mut claims: Vec<Observed> = claims.collect();
        // A body that is not even JSON says what its words say.
        for kind in [
            EventType::ConsentDeclined,
            EventType::ConsentWithdrawn,
            EventType::ParticipantHeld,
            EventType::ParticipantRetrieved,
            EventType::ParticipantMinor,
            EventType::CallEmergency,
            EventType::RecordingPaused,
            EventType::RecordingStopped,
        ] {
            if read.holds(kind) && claims.iter().all(|claim| claim.kind != kind) {
                claims.extend(Observed::of(kind).claim());
            }
        }
        Posted::Unread { fault, claims }
    }
}

/// The readable part of a body.
struct Salvaged {
    text: String,
    documents: Vec<Value>,
    is_whole: bool,
}

impl Salvaged {
    /// Replaces text that is not UTF-8, and halves of characters, which appear if a text is cut.
    fn of(body: &[u8]) -> Salvaged {
        let text = without_halves(&String::from_utf8_lossy(body));
        let mut documents = Vec::new();
        let mut is_whole = true;
        for document in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            match document {
                Ok(document) => documents.push(document),
                Err(_) => is_whole = false,
            }
        }
        Salvaged { text, documents, is_whole }
    }

    /// Every object at any depth.
    fn objects(&self) -> Vec<&Value> {
        let mut found = Vec::new();
        let mut waiting: Vec<&Value> = self.documents.iter().rev().collect();
        while let Some(value) = waiting.pop() {
            match value {
                Value::Object(members) => {
                    found.push(value);
                    waiting.extend(members.values().rev());
                }
                Value::Array(several) => waiting.extend(several.iter().rev()),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        found
    }

    /// Whether a word appears in a body that is not JSON.
    fn holds(&self, word: impl Serialize) -> bool {
        !self.is_whole && serde_json::to_string(&word).is_ok_and(|word| self.text.contains(&word))
    }
}

/// JSON text without halves of surrogate pairs (RFC 8259 section 8.2), which a string cannot hold.
fn without_halves(text: &str) -> String {
    let code = |at: usize| {
        let digits = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut whole = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = rest.find('\\').unwrap_or(rest.len());
        whole.push_str(rest.get(..plain).unwrap_or_default());
        at = at.saturating_add(plain);
        let length = match (code(at), code(at.saturating_add(6))) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                whole.push(char::REPLACEMENT_CHARACTER);
                at = at.saturating_add(6);
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => text.get(at..).unwrap_or_default().chars().take(2).map(char::len_utf8).sum(),
        };
        whole.push_str(text.get(at..at.saturating_add(length)).unwrap_or_default());
        at = at.saturating_add(length);
    }
    whole
}

impl From<Vec<Observed>> for Posted {
    fn from(events: Vec<Observed>) -> Posted {
        Posted::Events(events)
    }
}

/// Requests that count in part even if they cannot be read as a whole: that somebody joined, or that
/// recording is to pause or stop.
pub trait Lenient: Sized {
    /// The readable requests in a body that make things stricter.
    fn claims(body: &[u8]) -> Vec<Self>;
}

impl Lenient for Participant {
    /// Every object in the body is a person who joins; a body that is not JSON is one person.
    fn claims(body: &[u8]) -> Vec<Participant> {
        let read = Salvaged::of(body);
        let mut found: Vec<Participant> = Vec::new();
        for posted in
            read.objects().into_iter().filter(|posted| posted.get("id").or(posted.get("role")).is_some())
        {
            let id = match posted.get("id") {
                Some(Value::String(id)) => id.clone(),
                Some(Value::Number(id)) => id.to_string(),
                _ => unnamed(posted.to_string().as_bytes()),
            };
            found.push(Participant {
                role: readable(posted, "role").unwrap_or(Role::Customer),
                number: readable(posted, "number"),
                ip: readable(posted, "ip"),
                location: Some(Places::Many(texts(posted, "location"))),
                joined_at: readable(posted, "joined_at").map(|Moment(at)| at),
                ..Participant::stranger(id)
            });
        }
        if found.is_empty() && read.holds("id") {
            found.push(Participant::stranger(unnamed(body)));
        }
        found
    }
}

impl Lenient for ControlRecording {
    /// At most one for each use. What speaks of no use is about recording; of one that cannot be read, about all.
    fn claims(body: &[u8]) -> Vec<ControlRecording> {
        let read = Salvaged::of(body);
        let mut asked: Vec<(Use, ControlAction)> = Vec::new();
        for posted in read.objects() {
            let Some(action) = readable(posted, "action") else { continue };
            let said = posted.get("use").filter(|of| !of.is_null());
            match (said, readable(posted, "use")) {
                (_, Some(of)) => asked.push((of, action)),
                (None, None) => asked.push((Use::Record, action)),
                (Some(_), None) => asked.extend(Use::ALL.map(|of| (of, action))),
            }
        }
        // A body that is not even JSON says what its words say, and may mean any use if it names one.
        let named = Use::ALL.into_iter().any(|of| read.holds(of));
        let meant = if named || read.holds("use") { Use::ALL.to_vec() } else { vec![Use::Record] };
        for action in [ControlAction::Stop, ControlAction::Pause] {
            if read.holds(action) {
                asked.extend(meant.iter().map(|of| (*of, action)));
            }
        }
        // What is stopped is also paused.
        let strictest = |of: &Use| {
            let has = |action: &ControlAction| asked.contains(&(*of, *action));
            [ControlAction::Stop, ControlAction::Pause].into_iter().find(has)
        };
        let claims = Use::ALL.into_iter().filter_map(|of| {
            let action = strictest(&of)?;
            Some(ControlRecording { of: Some(of), ..ControlRecording::new(action) })
        });
        claims.collect()
    }
}
