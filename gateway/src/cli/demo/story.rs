//! The trail told as a story.

use std::net::SocketAddr;

use serde_json::Value;

use super::{CALL, People};
use crate::cli::out;

/// Prints every entry of `GET /v1/consents` in words.
pub(super) fn tell(consents: &Value) {
    let entries = consents.get("consents").and_then(Value::as_array).cloned().unwrap_or_default();
    for one in &entries {
        let entry = one.get("entry").unwrap_or(&Value::Null);
        let at = text(entry, "at");
        let clock = at.get(11..23).unwrap_or(&at);
        let index = one.get("index").and_then(Value::as_i64).unwrap_or(-1);
        out::line(format!("   #{index:<3} {clock}  {:<28} {}", text(entry, "type"), about(one, entry)));
    }
}

fn about(one: &Value, entry: &Value) -> String {
    let detail = one.get("detail").unwrap_or(&Value::Null);
    let body = entry
        .get("body")
        .and_then(Value::as_object)
        .and_then(|body| body.values().next())
        .unwrap_or(&Value::Null);
    let mut words: Vec<String> = Vec::new();
    if let Some(event) = detail.get("event") {
        words.extend(event.get("participants").and_then(Value::as_array).map(|ids| list(ids)));
        words.extend(
            ["prompt", "method"].iter().filter_map(|name| event.get(*name)?.as_str().map(str::to_owned)),
        );
    }
    words.extend(detail.get("participants").and_then(Value::as_array).map(|ids| list(ids)));
    words.extend(
        ["participant", "name"].iter().filter_map(|name| detail.get(*name)?.as_str().map(str::to_owned)),
    );
    words.extend(body.get("code").and_then(Value::as_str).map(|code| format!("({code})")));
    if let Some(saw) = body.get("saw") {
        words.push(format!(
            "→ {} {}, recorder {}",
            text(saw, "recording"),
            text(saw, "requirement"),
            text(saw, "recorder")
        ));
    }
    words.retain(|word| !word.is_empty());
    words.join(" · ")
}

/// Prints what to type to go on.
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

fn list(ids: &[Value]) -> String {
    ids.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::about;

    #[test]
    fn what_is_about_nobody_begins_with_the_decision() {
        let saw = json!({"recording": "permitted", "requirement": "all/notice", "recorder": "idle"});
        let entry = json!({"body": {"event": {"saw": saw}}});
        for event in [json!({"participants": []}), json!({"participants": [], "method": ""}), json!({})] {
            let one = json!({"detail": {"event": event}});
            assert_eq!(about(&one, &entry), "→ permitted all/notice, recorder idle");
        }
        let one = json!({"detail": {"event": {"participants": ["caller"], "prompt": "en"}}});
        assert_eq!(about(&one, &entry), "caller · en · → permitted all/notice, recorder idle");
    }
}
