//! Recordings that Kazoo sends though its settings, as they are kept, do not ask for them.

use consent_gateway::gate::AccountSettings;
use serde_json::{Value, json};
use trail::OnRefusal;

use super::{Line, Said, Switch, target};
use crate::harness::wav;

/// Keeps settings: what comes in from outside is recorded, from two seconds on and up to five.
async fn keep(switch: &Switch, unasked: &str) {
    let offnet = json!({"enabled": true, "record_min_sec": 2, "time_limit": 5});
    let settings = json!({
        "line": "4.3",
        "account": {"call_recording": {"account": {"inbound": {"offnet": offnet}}}},
        "users": {"u1": {"call_recording": {"any": {"any": {"enabled": false}}}}},
        "unasked": unasked,
    });
    let kept = switch.gateway.admin.put("/v1/recording-settings", &settings).await.expect(200);
    assert_eq!(kept["unasked"], json!(unasked));
}

/// Kazoo sends so much of a call in this direction.
async fn sends(switch: &Switch, call: &str, direction: Option<&str>, ms: u64) -> Said {
    let gateway = &switch.gateway;
    let mut body = json!({"medium": "telephone", "purposes": ["quality"], "participants": [
        {"id": "caller", "role": "customer", "location": "US-CA", "languages": ["en"]},
        {"id": "agent", "role": "agent", "location": "US-CA", "languages": ["en"]},
    ]});
    if let Some(direction) = direction {
        body["direction"] = json!(direction);
    }
    gateway.recorder.put(&format!("/v1/calls/{call}"), &body).await.expect(201);
    gateway.advance_ms(5000);
    gateway.prompt(call, &["caller", "agent"]).await;
    let begun = gateway.now();
    // To the next full second.
    gateway.advance_ms(ms.next_multiple_of(1000) + 2000);
    let url = format!("/kazoo/acme?token={}", switch.token());
    switch.put(&target(Line::Released, &url, call, &format!("202611-{call}"), begun), &wav(ms)).await
}

async fn described(switch: &Switch, call: &str) -> Value {
    let mut recordings = switch.recordings().await;
    recordings.retain(|one| one["call"] == call);
    recordings.remove(0)
}

async fn verified(switch: &Switch) {
    switch.gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = switch.gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_settings_do_not_ask_for_is_noted() {
    let switch = Switch::new().await;
    keep(&switch, "flag").await;
    let cases = [
        ("asked", None, 3000, Value::Null),
        ("inbound", Some("inbound"), 3000, Value::Null),
        ("outbound", Some("outbound"), 3000, json!("not-enabled")),
        ("internal", Some("internal"), 3000, json!("not-enabled")),
        ("short", None, 1999, json!("too-short")),
        ("least", None, 2000, Value::Null),
        ("slack", None, 6000, Value::Null),
        ("long", None, 6100, json!("too-long")),
    ];
    for (call, direction, ms, why) in cases {
        let said = sends(&switch, call, direction, ms).await;
        assert_eq!(said.status, 201, "{call} {said:?}");
        let description = described(&switch, call).await;
        assert_eq!(description["unasked"], why, "{description}");
        let accepted = switch.entries("recording.accepted").await;
        assert_eq!(accepted.last().unwrap()["body"]["accepted"]["unasked"], why, "{call}");
        let path = format!("/v2/accounts/acme/recordings/202611-{call}");
        let here = switch.gateway.admin.get(&path).await.expect(200);
        assert_eq!(here["data"]["_read_only"]["unasked"], why, "{here}");
    }
    // At the native door nobody asks: Kazoo's settings are none of its platform's.
    let gateway = &switch.gateway;
    switch.goes_on("native").await;
    let start = gateway.now();
    gateway.control("native", "start").await.expect(200);
    gateway.advance_ms(2000);
    gateway.upload("native", "a", Some(start), &wav(1000)).await.expect(201);
    assert!(described(&switch, "native").await.get("unasked").is_none());
    // Off, nobody asks either.
    keep(&switch, "off").await;
    assert_eq!(sends(&switch, "off", Some("outbound"), 3000).await.status, 201);
    assert!(described(&switch, "off").await.get("unasked").is_none());
    verified(&switch).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_settings_do_not_ask_for_is_refused_and_never_discarded() {
    let switch = Switch::with(AccountSettings::default(), OnRefusal::Discard).await;
    keep(&switch, "refuse").await;
    let said = sends(&switch, "c1", Some("outbound"), 3000).await;
    assert_eq!((said.status, said.body.as_str()), (403, r#"{"code":"unasked-recording"}"#), "{said:?}");
    let entries = switch.entries("recording.unasked").await;
    assert_eq!((entries.len(), &entries[0]["body"]["unasked"]["why"]), (1, &json!("not-enabled")));
    assert_eq!(entries[0]["body"]["unasked"]["came"]["door"], json!("kazoo"));
    assert!(switch.recordings().await.is_empty());
    assert_eq!(sends(&switch, "c2", None, 1000).await.status, 403);
    assert_eq!(sends(&switch, "c3", None, 3000).await.status, 201);
    // What the law refuses is refused by the law, and discarded.
    switch.gateway.open("c4", "US-CA").await;
    let begun = switch.gateway.now();
    switch.gateway.advance_ms(9000);
    let url = format!("/kazoo/acme?token={}", switch.token());
    let said = switch.put(&target(Line::Released, &url, "c4", "202611-4", begun), &wav(7000)).await;
    assert_eq!(said.status, 200, "{said:?}");
    assert_eq!(switch.entries("recording.refused").await.len(), 1);
    assert_eq!(switch.entries("recording.unasked").await.len(), 2);
    verified(&switch).await;
}
