//! Tells the trail as a story.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use super::{CALL, People};
use crate::cli::out;

/// The part of `GET /v1/consents` that the story shows.
#[derive(Deserialize)]
pub(super) struct Consents {
    consents: Vec<Consent>,
}

#[derive(Deserialize)]
struct Consent {
    index: i64,
    entry: Entry,
    detail: Option<Detail>,
}

#[derive(Deserialize)]
struct Entry {
    at: String,
    #[serde(rename = "type")]
    kind: String,
    body: BTreeMap<String, Body>,
}

#[derive(Deserialize)]
struct Body {
    code: Option<String>,
    saw: Option<Saw>,
}

#[derive(Deserialize)]
struct Saw {
    recording: String,
    requirement: String,
    recorder: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    event: Event,
    participants: Vec<String>,
    participant: Option<String>,
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    participants: Vec<String>,
    prompt: Option<String>,
    method: Option<String>,
}

/// Prints every entry in words.
pub(super) fn tell(trail: &Consents) {
    for one in &trail.consents {
        let Entry { at, kind, .. } = &one.entry;
        let clock = at.get(11..23).unwrap_or(at);
        out::line(format!("   #{:<3} {clock}  {kind:<28} {}", one.index, about(one)));
    }
}

fn about(one: &Consent) -> String {
    let mut words: Vec<String> = Vec::new();
    if let Some(Detail { event, participants, participant, name }) = &one.detail {
        words.push(event.participants.join(", "));
        words.extend([&event.prompt, &event.method].into_iter().flatten().cloned());
        words.push(participants.join(", "));
        words.extend([participant, name].into_iter().flatten().cloned());
    }
    for body in one.entry.body.values() {
        words.extend(body.code.as_ref().map(|code| format!("({code})")));
        words.extend(
            body.saw
                .as_ref()
                .map(|saw| format!("→ {} {}, recorder {}", saw.recording, saw.requirement, saw.recorder)),
        );
    }
    words.retain(|word| !word.is_empty());
    words.join(" · ")
}

/// Prints commands to continue with.
pub(super) fn curl_lines(address: SocketAddr, people: &People, recording: &str) {
    let line = |credential: &crate::gate::NewCredential, rest: String| {
        out::line(format!("  curl -u {}:{} {rest}", credential.username, credential.password.expose()));
    };
    out::line("\nIt keeps running; stop it with Ctrl-C. Try:\n");
    line(&people.recorder, format!("http://{address}/v1/calls/{CALL}"));
    line(&people.auditor, format!("'http://{address}/v1/consents?call={CALL}'"));
    line(&people.auditor, format!("http://{address}/v1/jurisdictions/US-CA"));
    line(&people.listener, format!("http://{address}/v1/recordings/{recording}"));
    line(
        &people.listener,
        format!("-o sealed.bin 'http://{address}/v1/recordings/{recording}/media?purpose=quality'"),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::about;

    #[test]
    fn what_is_about_nobody_begins_with_the_decision() {
        let told = |event: Value| {
            let saw = json!({"recording": "permitted", "requirement": "all/notice", "recorder": "idle"});
            let entry = json!({"at": "", "type": "", "body": {"event": {"saw": saw}}});
            let one = json!({"index": 0, "entry": entry, "detail": {"event": event}});
            about(&serde_json::from_value(one).unwrap())
        };
        for event in [json!({"participants": []}), json!({"participants": [], "method": ""}), json!({})] {
            assert_eq!(told(event), "→ permitted all/notice, recorder idle");
        }
        let event = json!({"participants": ["caller"], "prompt": "en"});
        assert_eq!(told(event), "caller · en · → permitted all/notice, recorder idle");
    }
}
