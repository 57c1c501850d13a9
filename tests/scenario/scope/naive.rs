//! A second reading of Kazoo's rules, on JSON alone, compared with the policy's on random documents.

use consent_gateway::gate::ask::RecordingScope;
use consent_gateway::gate::recording_scope;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::differential::cases;

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn both_readings_agree(call in calls()) {
        let answer = ask(&call);
        for (part, expected) in naive(&call) {
            prop_assert_eq!(&answer[part]["record"], &json!(expected.is_some()), "{} of {}: {}", part, call, answer);
            let Some(cell) = expected else { continue };
            let found = &answer[part]["settings"];
            let or = |name: &str, default: Value| cell.get(name).filter(|value| !value.is_null()).cloned().unwrap_or(default);
            prop_assert_eq!(&found["url"], &or("url", Value::Null), "{} of {}: {}", part, call, answer);
            prop_assert_eq!(&found["time_limit"], &or("time_limit", json!(10800)), "{} of {}", part, call);
            prop_assert_eq!(&found["format"], &or("format", json!("mp3")), "{} of {}", part, call);
            let on_answer = part == "destination" || cell.get("record_on_answer") == Some(&json!(true));
            prop_assert_eq!(&found["record_on_answer"], &json!(on_answer), "{} of {}", part, call);
            let on_bridge = !on_answer && cell.get("record_on_bridge") == Some(&json!(true));
            prop_assert_eq!(&found["record_on_bridge"], &json!(on_bridge), "{} of {}", part, call);
        }
    }

    #[test]
    fn what_a_device_says_of_exactly_these_calls_decides(call in calls(), enabled in any::<bool>()) {
        let mut call = call;
        for (direction, other) in [("outbound", "to"), ("inbound", "from")] {
            let network = call[other].as_str().unwrap().to_owned();
            if !call["device"]["call_recording"].is_object() {
                call["device"] = json!({"call_recording": {}});
            }
            if !call["device"]["call_recording"][direction].is_object() {
                call["device"]["call_recording"][direction] = json!({});
            }
            call["device"]["call_recording"][direction][network] = json!({"enabled": enabled});
        }
        let answer = ask(&call);
        prop_assert_eq!(&answer["source"]["record"], &json!(enabled && call["from"] == "onnet"), "{}", call);
        prop_assert_eq!(&answer["destination"]["record"], &json!(enabled && call["to"] == "onnet"), "{}", call);
    }

    #[test]
    fn a_document_that_says_nothing_of_recording_changes_nothing(call in calls(), part in select(vec!["user", "device", "account"])) {
        let without = |document: Value| {
            let mut call = call.clone();
            call[part] = document;
            ask(&call)
        };
        let absent = without(Value::Null);
        for document in [json!({}), json!({"call_recording": null}), json!({"name": "x", "sip": {}})] {
            prop_assert_eq!(&without(document), &absent, "{}", call);
        }
    }

    #[test]
    fn what_is_said_of_other_calls_of_the_account_does_not_matter(call in calls()) {
        // Whether the account's own settings are there changes nothing for endpoints, and the other way round.
        let answer = ask(&call);
        let mut own = call.clone();
        own["user"] = Value::Null;
        own["device"] = Value::Null;
        prop_assert_eq!(&ask(&own)["account"], &answer["account"], "{}", call);
        let mut endpoints = call.clone();
        if let Some(parts) = endpoints["account"]["call_recording"].as_object_mut() {
            parts.remove("account");
        }
        prop_assert_eq!(&ask(&endpoints)["source"], &answer["source"], "{}", call);
        prop_assert_eq!(&ask(&endpoints)["destination"], &answer["destination"], "{}", call);
    }
}

fn ask(call: &Value) -> Value {
    let asked: RecordingScope = serde_json::from_value(call.clone()).unwrap();
    json!(recording_scope(&asked, None).unwrap())
}

/// By part, the settings that record it.
fn naive(call: &Value) -> [(&'static str, Option<Map<String, Value>>); 3] {
    let line = call["line"].as_str().unwrap();
    let (from, to) = (call["from"].as_str().unwrap(), call["to"].as_str().unwrap());
    let parts = &call["account"]["call_recording"];
    let own = expanded(line, &parts["account"]);
    let cell = |settings: &Map<String, Value>, direction: &str, network: &str| {
        let cell = settings.get(direction)?.get(network)?.as_object()?.clone();
        (cell.get("enabled") == Some(&json!(true))).then_some(cell)
    };
    let mut endpoint = expanded(line, &parts["endpoint"]);
    for document in [&call["user"], &call["device"]] {
        let mut settings = document["call_recording"].clone();
        if line == "4.3" && settings == json!({}) {
            settings = Value::Null;
        }
        if settings.is_null() && document["record_call"] == true {
            settings = json!({"any": {"any": {"enabled": true}}});
        }
        endpoint = merged(line, &endpoint, &expanded(line, &settings));
    }
    [
        ("account", cell(&own, "inbound", from).or_else(|| cell(&own, "outbound", to))),
        ("source", cell(&endpoint, "outbound", to).filter(|_| from == "onnet")),
        ("destination", cell(&endpoint, "inbound", from).filter(|_| to == "onnet")),
    ]
}

/// A document's settings without `any`.
fn expanded(line: &str, settings: &Value) -> Map<String, Value> {
    let mut all = Map::new();
    let Some(settings) = settings.as_object() else { return all };
    let nothing = Map::new();
    let any = settings.get("any").and_then(Value::as_object).unwrap_or(&nothing);
    for direction in ["inbound", "outbound"] {
        let networks = match settings.get(direction).and_then(Value::as_object) {
            Some(own) => merged(line, any, own),
            None => any.clone(),
        };
        let off = json!({"enabled": false});
        let base = networks.get("any").filter(|any| any.is_object()).unwrap_or(&off).as_object().unwrap();
        let mut expanded = Map::new();
        for network in ["onnet", "offnet"] {
            let cell = match networks.get(network).and_then(Value::as_object) {
                Some(own) => merged(line, base, own),
                None => base.clone(),
            };
            expanded.insert(network.into(), Value::Object(cell));
        }
        all.insert(direction.into(), Value::Object(expanded));
    }
    all
}

/// One document over another: the upper one's values count, its nulls remove, and objects are merged.
fn merged(line: &str, below: &Map<String, Value>, above: &Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    for name in below.keys().chain(above.keys()) {
        let value = match (below.get(name), above.get(name)) {
            (Some(Value::Object(_)), Some(Value::Object(above))) if above.is_empty() && line == "master" => {
                json!({})
            }
            (Some(Value::Object(below)), Some(Value::Object(above))) => {
                Value::Object(merged(line, below, above))
            }
            (_, Some(above)) => above.clone(),
            (Some(below), None) => below.clone(),
            (None, None) => Value::Null,
        };
        if !value.is_null() {
            all.insert(name.clone(), value);
        }
    }
    all
}

prop_compose! {
    fn calls()(
        line in select(vec!["4.3", "master"]),
        from in select(vec!["onnet", "offnet"]),
        to in select(vec!["onnet", "offnet"]),
        account in maybe(settings()),
        endpoint in maybe(settings()),
        user in document(),
        device in document(),
    ) -> Value {
        let parts = Value::Object([("account", account), ("endpoint", endpoint)].into_iter()
            .filter_map(|(name, part)| Some((name.to_owned(), part?))).collect());
        json!({
            "line": line, "from": from, "to": to, "account": {"call_recording": parts},
            "user": user, "device": device,
        })
    }
}

fn document() -> impl Strategy<Value = Value> {
    (maybe(settings()), select(vec![Value::Null, json!(false), json!(true)])).prop_map(
        |(settings, legacy)| {
            let mut document = json!({"name": "of no interest"});
            if let Some(settings) = settings {
                document["call_recording"] = settings;
            }
            if !legacy.is_null() {
                document["record_call"] = legacy;
            }
            document
        },
    )
}

/// Mostly not: settings that say everything leave nothing to be inherited.
fn maybe<S: Strategy>(value: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    prop_oneof![1 => Just(None), 2 => value.prop_map(Some)]
}

fn settings() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        8 => members(["any", "inbound", "outbound"], source()),
    ]
}

fn source() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        1 => Just(Value::Null),
        8 => members(["any", "onnet", "offnet"], parameters().boxed()),
    ]
    .boxed()
}

fn parameters() -> impl Strategy<Value = Value> {
    let word = |values: Vec<Value>| maybe(select(values));
    let flags = || word(vec![json!(true), json!(false), Value::Null]);
    let rest = (
        word(vec![json!("https://a.example/"), json!("https://b.example/"), Value::Null]),
        word(vec![json!("mp3"), json!("wav"), Value::Null]),
        word(vec![json!(5), json!(3600), json!(10800), Value::Null]),
    );
    let object =
        (flags(), flags(), flags(), rest).prop_map(|(enabled, answer, bridge, (url, format, limit))| {
            let members = [
                ("enabled", enabled),
                ("record_on_answer", answer),
                ("record_on_bridge", bridge),
                ("url", url),
                ("format", format),
                ("time_limit", limit),
            ];
            Value::Object(
                members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
            )
        });
    prop_oneof![1 => Just(Value::Null), 1 => Just(json!({})), 6 => object]
}

fn members(
    names: [&'static str; 3],
    value: impl Strategy<Value = Value> + Clone,
) -> impl Strategy<Value = Value> {
    let one = || maybe(value.clone());
    (one(), one(), one()).prop_map(move |(a, b, c)| {
        let members = names.into_iter().zip([a, b, c]);
        Value::Object(members.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    })
}
