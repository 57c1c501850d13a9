//! How long recordings are kept: what is overdue is deleted, unless somebody holds it.

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use serde_json::{Value, json};
use trail::Actor;

use crate::harness::{Gateway, TOLD, comes, says, wav};

const DAY: u64 = 86_400_000;
const CALLS: [&str; 7] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7"];

async fn with(set: impl FnOnce(&mut AccountSettings)) -> Gateway {
    let mut settings = AccountSettings::default();
    set(&mut settings);
    Gateway::with(Config::default(), settings).await
}

/// A recording of a call of its own.
async fn recorded(gateway: &Gateway, call: &str, place: &str) -> Value {
    recorded_for(gateway, call, place, &["quality"]).await
}

/// The same, for these purposes.
async fn recorded_for(gateway: &Gateway, call: &str, place: &str, purposes: &[&str]) -> Value {
    gateway.open_with(call, super::two(place), json!({"purposes": purposes})).await;
    // For any purpose.
    let body = json!({"text": TOLD, "language": "en", "duration_ms": 4000, "says": says()});
    let registered = gateway.counsel.put("/v1/prompts/any", &body).await;
    assert!(registered.status < 300, "{}", registered.text());
    for participant in ["caller", "agent"] {
        let heard = json!({"type": "prompt.completed", "prompt": "any", "participant": participant, "played_ms": 4000});
        gateway.report(call, heard).await;
    }
    gateway.control(call, "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(2000);
    gateway.upload(call, "a", Some(from), &wav(1000)).await.expect(201)
}

fn path(recording: &Value) -> String {
    format!("/v1/recordings/{}", recording["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_overdue_is_deleted_and_what_is_held_is_not() {
    let gateway = with(|settings| settings.keep_at_most = "30 days".parse().ok()).await;
    let gate = gateway.gate();
    let actor = Actor::command_line();
    let first = recorded(&gateway, "c1", "US-CA").await;
    assert_eq!(first["retention"]["maximum"], json!("30 days"), "{first}");
    let held = recorded(&gateway, "c2", "US-CA").await;
    gateway.counsel.put(&format!("{}/hold", path(&held)), &json!({})).await.expect(200);
    gateway.advance_ms(10 * DAY);
    let later = recorded(&gateway, "c3", "US-CA").await;
    // Not a moment too early.
    gateway.advance_ms(20 * DAY - 10_000);
    let found = gate.delete_overdue(&actor, false).await.unwrap();
    assert_eq!((found.deleted, found.held), (0, 0), "{found:?}");
    gateway.advance_ms(10_000);
    let found = gate.delete_overdue(&actor, true).await.unwrap();
    assert_eq!((found.due, found.deleted, found.held), (1, 0, 1), "{found:?}");
    gateway.listener.get(&path(&first)).await.expect(200);
    let found = gate.delete_overdue(&actor, false).await.unwrap();
    assert_eq!((found.deleted, found.held, found.failed), (1, 1, 0), "{found:?}");
    gateway.listener.get(&path(&first)).await.problem(410, "recording-deleted");
    gateway.listener.get(&path(&held)).await.expect(200);
    gateway.listener.get(&path(&later)).await.expect(200);
    // Once the hold is lifted, it goes.
    gateway.counsel.delete(&format!("{}/hold", path(&held))).await.expect(200);
    let found = gate.delete_overdue(&actor, false).await.unwrap();
    assert_eq!((found.deleted, found.held), (1, 0), "{found:?}");
    gateway.listener.get(&path(&held)).await.problem(410, "recording-deleted");
    gateway.advance_ms(10 * DAY);
    assert_eq!(gate.delete_overdue(&actor, false).await.unwrap().deleted, 1);
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

#[tokio::test]
async fn what_has_to_be_kept_for_longer_than_it_may_be_is_listed_and_kept() {
    let gateway = with(|settings| settings.keep_at_most = "30 days".parse().ok()).await;
    let (gate, actor) = (gateway.gate(), Actor::command_line());
    // The account's sector has to keep what it records for longer.
    let chosen = json!({"overlays": ["debt-collection"], "reason": "we collect debts"});
    gateway.counsel.put("/v1/law", &chosen).await.expect(200);
    let recording = recorded(&gateway, "c1", "US-CA").await;
    assert_eq!(recording["retention"]["keep_until"], recording["retention"]["delete_by"], "{recording}");
    gateway.advance_ms(31 * DAY);
    let listed = gate.contradictions().await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((listed[0].minimum.as_str(), listed[0].maximum.as_str()), ("3 years", "30 days"));
    assert_eq!(gate.delete_overdue(&actor, false).await.unwrap().deleted, 0);
    gateway.listener.get(&path(&recording)).await.expect(200);
    gateway.advance_ms(3 * 366 * DAY);
    assert_eq!(gate.delete_overdue(&actor, false).await.unwrap().deleted, 1);
    assert!(gate.contradictions().await.unwrap().is_empty());
}

/// Limits of an account for what is recorded for a purpose.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_serves_several_purposes_has_the_longest_minimum_and_the_shortest_maximum() {
    let limits = |of: &[(&str, &str)]| {
        of.iter()
            .map(|(purpose, limits)| (policy::told::word(purpose).unwrap(), limits.parse().unwrap()))
            .collect()
    };
    let gateway = with(|settings| {
        settings.keep_by_default = "2 years".parse().ok();
        settings.keep_for =
            limits(&[("quality", "30 days..90 days"), ("training", "..60 days"), ("evidence", "1 year..")]);
    })
    .await;
    let (gate, actor) = (gateway.gate(), Actor::command_line());
    let mut made = Vec::new();
    for (call, purposes, minimum, maximum) in [
        ("c1", &["quality"][..], "30 days", "90 days"),
        ("c2", &["quality", "training"], "30 days", "60 days"),
        // Where nothing but the default ends it.
        ("c3", &["evidence"], "1 year", "2 years"),
        ("c4", &["security"], "", "2 years"),
        // What contradicts itself.
        ("c5", &["evidence", "quality"], "1 year", "90 days"),
        // What says nothing may serve every purpose.
        ("c6", &[], "1 year", "60 days"),
        ("c7", &["ours"], "1 year", "60 days"),
    ] {
        let recording = recorded_for(&gateway, call, "US-CA", purposes).await;
        let limit = |limit: &str| if limit.is_empty() { Value::Null } else { json!(limit) };
        let expected = (limit(minimum), limit(maximum));
        let retention = &recording["retention"];
        assert_eq!((retention["minimum"].clone(), retention["maximum"].clone()), expected, "{recording}");
        let decision = gateway.recorder.get(&format!("/v1/calls/{call}/decision")).await.expect(200);
        let asked = &decision["retention"];
        assert_eq!((asked["minimum"].clone(), asked["maximum"].clone()), expected, "{decision}");
        made.push(recording);
    }
    let left = async || {
        let mut left = Vec::new();
        for (recording, call) in made.iter().zip(CALLS) {
            match gateway.listener.get(&path(recording)).await.status {
                200 => left.push(call),
                status => assert_eq!(status, 410),
            }
        }
        left
    };
    gateway.advance_ms(61 * DAY);
    assert_eq!(gate.delete_overdue(&actor, false).await.unwrap().deleted, 1);
    assert_eq!(left().await, ["c1", "c3", "c4", "c5", "c6", "c7"]);
    gateway.advance_ms(30 * DAY);
    assert_eq!(gate.delete_overdue(&actor, false).await.unwrap().deleted, 1);
    assert_eq!(left().await, ["c3", "c4", "c5", "c6", "c7"]);
    let listed = gate.contradictions().await.unwrap();
    assert_eq!(listed.len(), 3, "{listed:?}");
    gateway.advance_ms(275 * DAY);
    assert_eq!(gate.delete_overdue(&actor, false).await.unwrap().deleted, 3);
    assert_eq!(left().await, ["c3", "c4"]);
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    // Each acceptance is decided again by the settings that the log holds.
    let (code, out, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{out}{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_for_a_purpose_are_set_and_lifted_at_the_command_line() {
    let gateway = with(|settings| {
        settings.keep_by_default = "2 years".parse().ok();
        settings.keep_for = [("quality", "..90 days"), ("evidence", "1 year..")]
            .map(|(purpose, limits)| (policy::told::word(purpose).unwrap(), limits.parse().unwrap()))
            .into();
    })
    .await;
    // Other limits are for calls that are opened from now on, and an entry says that there are some.
    let settings = ["account", "set", "acme", "--keep-for", "quality=..", "--keep-for", "Security=..1 day"];
    let (code, out, err) = gateway.run(&settings);
    assert_eq!(code, 0, "{out}{err}");
    // The command has the clock of the machine.
    gateway.advance_ms(30 * DAY);
    let plain = recorded_for(&gateway, "c8", "US-CA", &["quality"]).await;
    assert_eq!(plain["retention"]["maximum"], json!("2 years"), "{plain}");
    let short = recorded_for(&gateway, "c9", "US-CA", &["security", "evidence"]).await;
    assert_eq!(short["retention"]["minimum"], json!("1 year"), "{short}");
    assert_eq!(short["retention"]["maximum"], json!("1 day"), "{short}");
    for (wrong, told) in [
        ("fun=..1 day", "not a purpose that the law distinguishes"),
        ("quality", "PURPOSE=LEAST..MOST"),
        ("quality=1 day", "not a least and a most time"),
        ("quality=2 days..1 day", "must not be longer"),
    ] {
        let (code, out, err) = gateway.run(&["account", "set", "acme", "--keep-for", wrong]);
        assert!(code != 0 && err.contains(told), "{wrong}: {code} {out}{err}");
    }
    let rows = gateway.rows("acme").await;
    let said = |row: &consent_gateway::ledger::EntryRow| {
        String::from_utf8_lossy(&row.leaf).contains("account.settings")
    };
    assert_eq!(rows.iter().filter(|row| said(row)).count(), 1);
}

#[tokio::test]
async fn a_default_counts_only_where_nothing_else_does() {
    let gateway = with(|settings| settings.keep_by_default = "90 days".parse().ok()).await;
    let plain = recorded(&gateway, "c1", "US-CA").await;
    assert_eq!(plain["retention"]["maximum"], json!("90 days"), "{plain}");
    let chosen = json!({"overlays": ["debt-collection"], "reason": "we collect debts"});
    gateway.counsel.put("/v1/law", &chosen).await.expect(200);
    let long = recorded(&gateway, "c2", "US-CA").await;
    assert_eq!(
        (&long["retention"]["minimum"], &long["retention"]["maximum"]),
        (&json!("3 years"), &json!("3 years"))
    );
    assert!(gateway.gate().contradictions().await.unwrap().is_empty());
}

/// The command, on a ledger of days ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_says_first_what_it_would_delete() {
    let gateway = with(|settings| settings.keep_at_most = "1 day".parse().ok()).await;
    recorded(&gateway, "c1", "US-CA").await;
    recorded(&gateway, "c2", "US-CA").await;
    assert_eq!(swept(&gateway, &["--dry-run"]), json!({"due": 2, "deleted": 0, "held": 0, "failed": 0}));
    assert_eq!(swept(&gateway, &[]), json!({"due": 0, "deleted": 2, "held": 0, "failed": 0}));
    assert_eq!(swept(&gateway, &["--dry-run"])["due"], json!(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_deletes_by_itself() {
    let gateway = with(|settings| settings.keep_at_most = "1 day".parse().ok()).await;
    recorded(&gateway, "c1", "US-CA").await;
    assert_eq!(swept(&gateway, &["--dry-run"])["due"], json!(1));
    let process = gateway.serve(&[]);
    comes(async || swept(&gateway, &["--dry-run"])["due"] == json!(0)).await;
    drop(process);
}

fn swept(gateway: &Gateway, args: &[&str]) -> Value {
    let (code, out, err) = gateway.run(&[&["sweep", "--json"], args].concat());
    assert_eq!(code, 0, "{out}{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    told["overdue"].clone()
}
