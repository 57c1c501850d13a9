use alloc::string::{String, ToString as _};
use alloc::{format, vec};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::action::{ByKey, RecordCall, RecordCaller};
use super::document::{AccountDocument, DeviceDocument, Target, UserDocument};
use super::upload::{Unasked, unasked};
use super::{Call, Endpoint, Line, Network, Ruling, Scope, decide};
use Line::{Master, Released};
use Network::{Offnet, Onnet};

fn read<T: DeserializeOwned>(document: Value) -> T {
    serde_json::from_value(document).unwrap()
}

fn scope(line: Line, account: &Value, user: &Value, device: &Value, route: (Network, Network)) -> Scope {
    let endpoint =
        Endpoint { user: read::<UserDocument>(user.clone()), device: read::<DeviceDocument>(device.clone()) };
    let account: AccountDocument = read(account.clone());
    decide(&Call {
        line,
        account,
        source: endpoint.clone(),
        destination: endpoint,
        from: route.0,
        to: route.1,
    })
}

/// What these settings of a user and a device come to in an endpoint, for one kind of call.
fn endpoint(line: Line, user: &Value, device: &Value, cell: &str) -> Ruling {
    let nothing = json!({});
    let route = match cell {
        "outbound.onnet" | "inbound.onnet" => (Onnet, Onnet),
        "outbound.offnet" => (Onnet, Offnet),
        "inbound.offnet" => (Offnet, Onnet),
        _ => panic!("{cell}"),
    };
    let scope = scope(line, &nothing, user, device, route);
    if cell.starts_with("outbound") { scope.source } else { scope.destination }
}

/// The four kinds of calls that are recorded at an endpoint, as letters: inbound onnet, offnet, outbound onnet, offnet.
fn recorded(line: Line, user: &Value, device: &Value) -> String {
    ["inbound.onnet", "inbound.offnet", "outbound.onnet", "outbound.offnet"]
        .map(|cell| if endpoint(line, user, device, cell).record { "x" } else { "-" })
        .concat()
}

fn records(settings: &Value) -> Value {
    json!({"call_recording": settings})
}

fn on(direction: &str, network: &str) -> Value {
    json!({direction: {network: {"enabled": true}}})
}

/// The matrix of Kazoo's user documentation (call recording, 4.3), row by row: the setting, where caller and callee
/// are, and whether a recording is started. The rows of endpoints name the endpoint that they are about: an inbound
/// one is the callee's, an outbound one the caller's.
#[rustfmt::skip]
const MATRIX: [(&str, &str, &str, Network, Network, bool); 24] = [
    ("account", "inbound", "onnet", Onnet, Onnet, true),
    ("account", "inbound", "offnet", Onnet, Onnet, false),
    ("account", "outbound", "onnet", Onnet, Onnet, true),
    ("account", "outbound", "offnet", Onnet, Onnet, false),
    ("account", "inbound", "onnet", Onnet, Offnet, true),
    ("account", "inbound", "offnet", Onnet, Offnet, false),
    ("account", "outbound", "onnet", Onnet, Offnet, false),
    ("account", "outbound", "offnet", Onnet, Offnet, true),
    ("account", "inbound", "onnet", Offnet, Onnet, false),
    ("account", "inbound", "offnet", Offnet, Onnet, true),
    ("account", "outbound", "onnet", Offnet, Onnet, true),
    ("account", "outbound", "offnet", Offnet, Onnet, false),
    ("endpoint", "inbound", "onnet", Onnet, Onnet, true),
    ("endpoint", "inbound", "offnet", Onnet, Onnet, false),
    ("endpoint", "outbound", "onnet", Onnet, Onnet, true),
    ("endpoint", "outbound", "offnet", Onnet, Onnet, false),
    ("endpoint", "inbound", "onnet", Onnet, Offnet, false),
    ("endpoint", "inbound", "offnet", Onnet, Offnet, false),
    ("endpoint", "outbound", "onnet", Onnet, Offnet, false),
    ("endpoint", "outbound", "offnet", Onnet, Offnet, true),
    ("endpoint", "inbound", "onnet", Offnet, Onnet, false),
    ("endpoint", "inbound", "offnet", Offnet, Onnet, true),
    ("endpoint", "outbound", "onnet", Offnet, Onnet, false),
    ("endpoint", "outbound", "offnet", Offnet, Onnet, false),
];

#[test]
fn every_row_of_the_documented_matrix_holds_on_both_lines() {
    let nothing = json!({});
    for line in Line::ALL {
        for (whose, direction, network, from, to, started) in MATRIX {
            let row = format!("{line:?}: {whose} {direction} {network}, {from:?} to {to:?}");
            let cell = on(direction, network);
            let account = records(&json!({whose: cell}));
            let of_account = scope(line, &account, &nothing, &nothing, (from, to));
            let (by_account, by_endpoint) = (started && whose == "account", started && whose == "endpoint");
            assert_eq!(of_account.account.record, by_account, "{row}: {}", of_account.account.because);
            assert_eq!(of_account.source.record, by_endpoint && direction == "outbound", "{row}");
            assert_eq!(of_account.destination.record, by_endpoint && direction == "inbound", "{row}");
            if whose == "endpoint" {
                // A user's and a device's own documents say the same as the account's for endpoints.
                for (user, device) in [(records(&cell), nothing.clone()), (nothing.clone(), records(&cell))] {
                    let scope = scope(line, &nothing, &user, &device, (from, to));
                    assert_eq!(scope.source.record, of_account.source.record, "{row}");
                    assert_eq!(scope.destination.record, of_account.destination.record, "{row}");
                    assert!(!scope.account.record, "{row}");
                }
            }
        }
    }
}

#[test]
fn outbound_settings_of_the_account_count_only_if_the_inbound_ones_are_not_enabled() {
    let nothing = json!({});
    for line in Line::ALL {
        for (from, to) in [(Onnet, Onnet), (Onnet, Offnet), (Offnet, Onnet), (Offnet, Offnet)] {
            let both = json!({
                "inbound": {from.as_str(): {"enabled": true, "format": "wav"}},
                "outbound": {to.as_str(): {"enabled": true}},
            });
            let account = records(&json!({"account": both}));
            let by_inbound = scope(line, &account, &nothing, &nothing, (from, to)).account;
            assert!(
                by_inbound.record && by_inbound.because.to_string().contains("inbound"),
                "{by_inbound:?}"
            );
            assert_eq!(json!(by_inbound.settings)["format"], "wav");
            // Configured, and not enabled: the documentation says "isn't configured", and means this.
            let mut off = both;
            off["inbound"][from.as_str()]["enabled"] = json!(false);
            let account = records(&json!({"account": off}));
            let by_outbound = scope(line, &account, &nothing, &nothing, (from, to)).account;
            assert!(by_outbound.record, "{by_outbound:?}");
            assert_eq!(json!(by_outbound.settings)["format"], "mp3");
            let says = by_outbound.because.to_string();
            assert!(says.contains("which comes first, is not enabled"), "{says}");
        }
    }
}

#[test]
fn from_offnet_to_offnet_only_the_accounts_own_settings_count() {
    let nothing = json!({});
    let all = json!({"any": {"any": {"enabled": true}}});
    for line in Line::ALL {
        let account = records(&json!({"account": on("inbound", "offnet"), "endpoint": all}));
        let answer = scope(line, &account, &records(&all), &records(&all), (Offnet, Offnet));
        assert!(answer.account.record && !answer.source.record && !answer.destination.record, "{answer:?}");
        let account = records(&json!({"account": on("outbound", "offnet")}));
        assert!(scope(line, &account, &nothing, &nothing, (Offnet, Offnet)).account.record);
        for other in [on("inbound", "onnet"), on("outbound", "onnet")] {
            let account = records(&json!({"account": other}));
            assert!(!scope(line, &account, &nothing, &nothing, (Offnet, Offnet)).account.record);
        }
    }
}

#[test]
fn one_call_can_make_three_recordings() {
    let all = json!({"any": {"any": {"enabled": true}}});
    for line in Line::ALL {
        let answer =
            scope(line, &records(&json!({"account": all})), &records(&all), &json!({}), (Onnet, Onnet));
        assert!(answer.account.record && answer.source.record && answer.destination.record);
        assert_eq!(
            json!([answer.account.leg, answer.source.leg, answer.destination.leg]),
            json!(["a", "a", "b"])
        );
    }
}

#[test]
fn a_network_counts_before_a_direction() {
    for line in Line::ALL {
        let user = records(&json!({
            "any": {"onnet": {"enabled": true}},
            "inbound": {"any": {"enabled": false}},
        }));
        assert_eq!(recorded(line, &user, &json!({})), "x-x-");
    }
}

#[test]
fn a_direction_counts_before_any_direction() {
    for line in Line::ALL {
        let user =
            records(&json!({"any": {"any": {"enabled": true}}, "inbound": {"any": {"enabled": false}}}));
        assert_eq!(recorded(line, &user, &json!({})), "--xx");
    }
}

#[test]
fn what_a_cell_does_not_say_comes_from_any() {
    for line in Line::ALL {
        let url = "https://gw.example/kazoo";
        let user = records(&json!({"any": {"any": {"enabled": true}}, "inbound": {"offnet": {"url": url}}}));
        assert_eq!(recorded(line, &user, &json!({})), "xxxx");
        for cell in ["inbound.onnet", "outbound.onnet", "outbound.offnet"] {
            assert_eq!(endpoint(line, &user, &json!({}), cell).settings.url, None);
        }
        let there = endpoint(line, &user, &json!({}), "inbound.offnet").settings.url;
        assert_eq!(there.as_ref().map(Target::shown), Some(url));
    }
}

#[test]
fn a_document_that_mentions_some_calls_turns_the_others_off() {
    for line in Line::ALL {
        let user = records(&json!({"any": {"any": {"enabled": true}}}));
        let device = records(&on("outbound", "offnet"));
        assert_eq!(recorded(line, &user, &device), "---x");
        let says = endpoint(line, &user, &device, "inbound.onnet").because.to_string();
        assert!(says.contains("the device's settings are for other calls"), "{says}");
    }
}

#[test]
fn a_device_counts_before_its_user_and_the_account_comes_last() {
    let (yes, no) = (json!({"any": {"any": {"enabled": true}}}), json!({"any": {"any": {"enabled": false}}}));
    for line in Line::ALL {
        assert_eq!(recorded(line, &records(&yes), &records(&no)), "----");
        assert_eq!(recorded(line, &records(&no), &records(&yes)), "xxxx");
        assert_eq!(recorded(line, &records(&yes), &json!({})), "xxxx");
        let account = records(&json!({"endpoint": yes}));
        let by_account = scope(line, &account, &json!({}), &json!({}), (Onnet, Onnet));
        assert!(by_account.source.record, "{by_account:?}");
        assert!(by_account.source.because.to_string().contains("call_recording.endpoint.any.any"));
        let by_user = scope(line, &account, &records(&no), &json!({}), (Onnet, Onnet));
        assert!(!by_user.source.record, "{by_user:?}");
    }
}

#[test]
fn other_settings_are_inherited_one_by_one() {
    for line in Line::ALL {
        let user = records(&json!({"inbound": {"onnet": {"url": "https://u.example/", "time_limit": 60}}}));
        let device = records(&json!({"inbound": {"onnet": {"enabled": true, "time_limit": 90}}}));
        let found = endpoint(line, &user, &device, "inbound.onnet");
        assert!(found.record);
        assert_eq!(found.settings.url.as_ref().map(Target::shown), Some("https://u.example/"));
        assert_eq!(found.settings.time_limit, 90);
    }
}

#[test]
fn null_removes_what_it_meets() {
    for line in Line::ALL {
        // Of a setting, within a document and across documents.
        let user = records(&json!({
            "any": {"any": {"enabled": true, "url": "https://u.example/"}},
            "inbound": {"onnet": {"url": null}, "offnet": {"enabled": null}},
        }));
        assert_eq!(recorded(line, &user, &json!({})), "x-xx");
        assert_eq!(endpoint(line, &user, &json!({}), "inbound.onnet").settings.url, None);
        let device = records(&json!({"any": {"any": {"enabled": true, "url": null}}}));
        assert_eq!(endpoint(line, &user, &device, "outbound.onnet").settings.url, None);
        // Of a network: what any direction says of it does not count there.
        let user = records(&json!({"any": {"onnet": {"enabled": true}}, "inbound": {"onnet": null}}));
        assert_eq!(recorded(line, &user, &json!({})), "--x-");
        // Of everything: as if it were not there.
        let user = records(&json!({"any": {"any": {"enabled": true}}, "inbound": null}));
        assert_eq!(recorded(line, &user, &records(&json!(null))), "xxxx");
    }
}

#[test]
fn an_empty_document_is_none_to_4_3_and_turns_everything_off_on_master() {
    let user = records(&json!({"any": {"any": {"enabled": true}}}));
    let empty = records(&json!({}));
    assert_eq!(recorded(Released, &user, &empty), "xxxx");
    assert_eq!(recorded(Master, &user, &empty), "----");
    let legacy = json!({"call_recording": {}, "record_call": true});
    assert_eq!(recorded(Released, &legacy, &json!({})), "xxxx");
    assert_eq!(recorded(Master, &legacy, &json!({})), "----");
}

#[test]
fn an_empty_part_says_nothing_to_4_3_and_takes_the_place_of_what_it_meets_on_master() {
    // Within a document.
    let user = records(&json!({
        "any": {"onnet": {"enabled": true}},
        "inbound": {"onnet": {}},
    }));
    assert_eq!(recorded(Released, &user, &json!({})), "x-x-");
    assert_eq!(recorded(Master, &user, &json!({})), "--x-");
    // Across documents.
    let user = records(&json!({"any": {"any": {"enabled": true}}}));
    let device = records(&json!({"any": {"any": {}}}));
    assert_eq!(recorded(Released, &user, &device), "xxxx");
    assert_eq!(recorded(Master, &user, &device), "----");
    // An empty direction says nothing on either.
    for line in Line::ALL {
        let user = records(&json!({"any": {"any": {"enabled": true}}, "inbound": {}}));
        assert_eq!(recorded(line, &user, &json!({})), "xxxx");
    }
}

#[test]
fn the_old_setting_counts_only_alone() {
    for line in Line::ALL {
        assert_eq!(recorded(line, &json!({"record_call": true}), &json!({})), "xxxx");
        assert_eq!(recorded(line, &json!({"record_call": false}), &json!({})), "----");
        assert_eq!(recorded(line, &json!({"record_call": null}), &json!({})), "----");
        let with_settings = json!({"record_call": true, "call_recording": on("inbound", "onnet")});
        assert_eq!(recorded(line, &with_settings, &json!({})), "x---");
        let how = json!({"record_call": {"record_call": true, "action": "start", "time_limit": 30}});
        assert_eq!(recorded(line, &json!({}), &how), "xxxx");
        assert_eq!(endpoint(line, &json!({}), &how, "inbound.onnet").settings.time_limit, 30);
        let says = endpoint(line, &json!({}), &how, "inbound.onnet").because.to_string();
        assert!(says.contains("the device's old `record_call`"), "{says}");
    }
}

#[test]
fn what_is_not_set_has_kazoos_defaults() {
    for line in Line::ALL {
        let user = records(&on("outbound", "onnet"));
        let found = endpoint(line, &user, &json!({}), "outbound.onnet").settings;
        let expected = json!({
            "enabled": true, "format": "mp3", "method": "put", "record_min_sec": 0, "record_on_answer": false,
            "record_on_bridge": false, "record_sample_rate": null, "should_follow_transfer": false,
            "time_limit": 10800, "url": null,
        });
        assert_eq!(json!(found), expected);
    }
}

#[test]
fn answering_counts_before_bridging_and_a_callee_is_recorded_once_they_answer() {
    let both = json!({"enabled": true, "record_on_answer": true, "record_on_bridge": true});
    let bridge = json!({"enabled": true, "record_on_bridge": true});
    for line in Line::ALL {
        for (cell, parameters, on_answer, on_bridge) in [
            ("outbound.onnet", &both, true, false),
            ("outbound.onnet", &bridge, false, true),
            ("inbound.onnet", &both, true, false),
            ("inbound.onnet", &bridge, true, false),
            ("inbound.offnet", &json!({"enabled": true}), true, false),
        ] {
            let user = records(&json!({"any": {"any": parameters}}));
            let found = endpoint(line, &user, &json!({}), cell).settings;
            assert_eq!((found.record_on_answer, found.record_on_bridge), (on_answer, on_bridge), "{cell}");
        }
    }
}

#[test]
fn a_callflow_starts_and_stops_by_itself() {
    let start: RecordCall =
        read(json!({"action": "start", "record_on_answer": true, "record_on_bridge": true}));
    let start = start.ruling();
    assert!(start.record);
    let expected = json!({
        "enabled": true, "format": "mp3", "method": "put", "record_min_sec": 0, "record_on_answer": true,
        "record_on_bridge": false, "record_sample_rate": null, "should_follow_transfer": true, "time_limit": 3600,
        "url": null,
    });
    assert_eq!(json!(start.settings), expected);
    for data in [json!({"action": "stop"}), json!({"action": "start", "skip_module": true})] {
        assert!(!read::<RecordCall>(data).ruling().record);
    }
    let unnamed: RecordCall = read(json!({"action": "start", "media_name": "call", "label": "x"}));
    assert!(unnamed.ruling().because.to_string().contains("extension"));
    let caller: RecordCaller = read(json!({"method": "post", "format": "wav"}));
    let caller = caller.ruling();
    assert!(caller.record);
    assert_eq!(json!(caller.settings)["method"], "post");
    assert_eq!(caller.settings.time_limit, 3600);
}

#[test]
fn a_metaflow_toggles_by_starting() {
    for (data, record) in [
        (json!({}), true),
        (json!({"action": "toggle"}), true),
        (json!({"action": "start"}), true),
        (json!({"action": "stop"}), false),
        (json!({"action": "mask"}), false),
        (json!({"action": "unmask"}), false),
    ] {
        assert_eq!(read::<ByKey>(data.clone()).ruling().record, record, "{data}");
    }
}

#[test]
fn what_the_schemas_do_not_allow_is_refused() {
    let parameters = |parameters: Value| records(&json!({"any": {"any": parameters}}));
    let refused = [
        (
            records(&json!({"anything": {}})),
            "unknown field `anything`, expected one of `any`, `inbound`, `outbound`",
        ),
        (
            records(&json!({"any": {"both": {}}})),
            "unknown field `both`, expected one of `any`, `onnet`, `offnet`",
        ),
        (parameters(json!({"method": "post"})), "unknown field `method`"),
        (parameters(json!({"enabled": "true"})), "expected a boolean"),
        (parameters(json!({"enabled": 1})), "expected a boolean"),
        (parameters(json!({"format": "ogg"})), "expected `mp3` or `wav`"),
        (parameters(json!({"record_min_sec": "3"})), "expected i64"),
        (parameters(json!({"record_min_sec": 1.5})), "expected i64"),
        (parameters(json!({"time_limit": 4})), "expected 5 to 10800"),
        (parameters(json!({"time_limit": 10801})), "expected 5 to 10800"),
        (parameters(json!({"url": "ftp://files.example/"})), "`http` or `https` URL"),
        (parameters(json!({"url": ""})), "`http` or `https` URL"),
        (records(&json!([])), "expected an object"),
        (records(&json!(true)), "expected an object"),
        (records(&json!({"any": []})), "expected an object"),
        (records(&json!({"any": {"any": [true]}})), "expected an object"),
        (json!({"record_call": "yes"}), "true, false or an object"),
    ];
    for (document, why) in refused {
        for found in [
            serde_json::from_value::<UserDocument>(document.clone()).unwrap_err(),
            serde_json::from_value::<DeviceDocument>(document.clone()).unwrap_err(),
        ] {
            assert!(found.to_string().contains(why), "{document}: {found}");
        }
    }
    for account in [json!({"any": {}}), json!({"account": {"onnet": {}}}), json!({"endpoint": []})] {
        assert!(serde_json::from_value::<AccountDocument>(records(&account)).is_err(), "{account}");
    }
    for time_limit in [5, 10_800] {
        read::<UserDocument>(parameters(json!({"time_limit": time_limit})));
    }
    for data in [json!({}), json!({"action": "toggle"}), json!({"action": null})] {
        assert!(serde_json::from_value::<RecordCall>(data.clone()).is_err(), "{data}");
    }
    assert!(serde_json::from_value::<ByKey>(json!({"action": "pause"})).is_err());
    // The documents themselves are Kazoo's, and hold more.
    let device =
        json!({"id": "d1", "sip": {"password": "x"}, "owner_id": "u1", "call_recording": on("any", "any")});
    assert_eq!(read::<DeviceDocument>(device).owner_id.as_deref(), Some("u1"));
}

#[test]
fn a_url_is_shown_without_its_secrets() {
    for (url, shown) in [
        ("https://gw.example/kz", "https://gw.example/kz"),
        ("HTTPS://gw.example:8443", "https://gw.example:8443"),
        ("https://joe:s3cret@gw.example:8443/kz//", "https://***@gw.example:8443/kz//"),
        ("https://s3cret@gw.example?token=s3cret", "https://***@gw.example?token=***"),
        ("http://gw.example/kz?token=s3cret&file=", "http://gw.example/kz?token=***&file="),
        ("http://gw.example/kz?s3cret", "http://gw.example/kz?***"),
        ("http://a:s3cret@b:s3cret@gw.example/#s3cret", "http://***@gw.example/"),
        ("http://[2001:db8::1]:80/kz", "http://[2001:db8::1]:80/kz"),
        ("http://[2001:db8::1]/kz", "http://[2001:db8::1]/kz"),
        ("https://gw.example/kz?t=s3cret=s3cret&t=s3cret", "https://gw.example/kz?t=***&t=***"),
    ] {
        let target = Target::parse(url).unwrap();
        assert_eq!(target.shown(), shown);
        assert_eq!(Target::parse(shown).unwrap(), target, "what is shown can be sent back");
        assert!(!format!("{target:?}").contains("s3cret"));
    }
    let long = format!("https://gw.example/{}", "x".repeat(2048));
    let odd = vec![
        "",
        "gw.example",
        "https:/gw.example",
        "https://",
        "https:///kz",
        "https://joe@s3cret:gw.example/",
        "https://gw.example:s3cret/",
        "https://gw.example\\@evil.example/",
        "https://gw .example/",
        "ws://gw.example/",
        "https://gw.example:/",
        "file:///etc/passwd",
        long.as_str(),
    ];
    for url in odd {
        let error = Target::parse(url).unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
    }
}

/// A file counts as asked for if any of the settings could have started it, and is as long as any of those allows.
#[test]
fn a_file_is_judged_by_whatever_could_have_started_it() {
    let everywhere = [(Onnet, Onnet), (Onnet, Offnet), (Offnet, Onnet), (Offnet, Offnet)];
    let of = |account: &Value, endpoints: &[(Value, Value)], calls: &[(Network, Network)], ms| {
        let endpoints: alloc::vec::Vec<Endpoint> = endpoints
            .iter()
            .map(|(user, device)| Endpoint { user: read(user.clone()), device: read(device.clone()) })
            .collect();
        Line::ALL.map(|line| unasked(line, &read::<AccountDocument>(account.clone()), &endpoints, calls, ms))
    };
    let nothing = json!({});
    assert_eq!(of(&nothing, &[], &everywhere, 9), [Some(Unasked::NotEnabled); 2]);
    // Enabled for what cannot be the call it is of.
    let offnet = json!({"call_recording": {"account": on("inbound", "offnet")}});
    assert_eq!(of(&offnet, &[], &[(Onnet, Onnet), (Onnet, Offnet)], 9), [Some(Unasked::NotEnabled); 2]);
    assert_eq!(of(&offnet, &[], &[(Onnet, Onnet), (Offnet, Onnet)], 9), [None; 2]);
    // By the account's settings for endpoints, whether or not one is listed; or by one of many endpoints.
    let endpoint = json!({"call_recording": {"endpoint": on("outbound", "any")}});
    assert_eq!(of(&endpoint, &[], &everywhere, 9), [None; 2]);
    let off = (records(&json!({"any": {"any": {"enabled": false}}})), json!({}));
    assert_eq!(
        of(&nothing, &[off.clone(), (records(&on("inbound", "onnet")), json!({}))], &everywhere, 9),
        [None; 2]
    );
    assert_eq!(of(&nothing, &[off], &everywhere, 9), [Some(Unasked::NotEnabled); 2]);
    // The shortest of the least, and the longest of the most: in whole seconds, and one for the switch.
    let bound = |min: i64, max: i64| {
        let cell = json!({"enabled": true, "record_min_sec": min, "time_limit": max});
        (records(&json!({"any": {"any": cell}})), json!({}))
    };
    let two = [bound(5, 10), bound(3, 20)];
    let cases =
        [(2_999, Some(Unasked::TooShort)), (3_000, None), (21_000, None), (21_001, Some(Unasked::TooLong))];
    for (ms, why) in cases {
        assert_eq!(of(&nothing, &two, &everywhere, ms), [why; 2], "{ms}");
    }
    // By default, nothing is too short, and three hours are not too long.
    let any = [(records(&on("any", "any")), json!({}))];
    assert_eq!(of(&nothing, &any, &everywhere, 0), [None; 2]);
    assert_eq!(of(&nothing, &any, &everywhere, 10_801_000), [None; 2]);
    assert_eq!(of(&nothing, &any, &everywhere, 10_801_001), [Some(Unasked::TooLong); 2]);
    // What is not enabled bounds nothing.
    let cell = json!({"enabled": false, "record_min_sec": 0, "time_limit": 10_800});
    let disabled = (records(&json!({"any": {"any": cell}})), json!({}));
    assert_eq!(of(&nothing, &[bound(5, 10), disabled], &everywhere, 4_000), [Some(Unasked::TooShort); 2]);
}
