//! Which calls a Kazoo platform records by its own settings: asked over HTTP, kept, and compared with a second,
//! naïve reading of the documents.

mod naive;

use serde_json::{Value, json};

use crate::harness::{Gateway, files_below};

const SCOPE: &str = "/v1/recording-scope";
const SETTINGS: &str = "/v1/recording-settings";

fn asked(line: &str, route: (&str, &str), more: Value) -> Value {
    let mut body = json!({"line": line, "account": {}, "from": route.0, "to": route.1});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn everything() -> Value {
    json!({"call_recording": {"any": {"any": {"enabled": true}}}})
}

/// An account whose sales people are recorded on calls with customers, by a URL with secrets.
fn kept() -> Value {
    let parameters =
        json!({"enabled": true, "url": "https://kz:s3cret@gw.example.com/kazoo/acme?token=s3cret"});
    json!({
        "line": "4.3",
        "account": {"name": "Acme", "call_recording": {"account": {"outbound": {"offnet": {"enabled": true, "format": "wav"}}}}},
        "users": {"u-sales": {
            "first_name": "Sal", "call_recording": {"inbound": {"offnet": parameters}, "outbound": {"offnet": parameters}},
        }},
        "devices": {
            "d-sales": {"owner_id": "u-sales", "sip": {"password": "s3cret"}},
            "d-quiet": {"owner_id": "u-sales", "call_recording": {"any": {"any": {"enabled": false}}}},
        },
    })
}

#[tokio::test]
async fn whoever_reads_calls_is_told_which_are_recorded_and_why() {
    let gateway = Gateway::start().await;
    let all = json!({"account": everything()["call_recording"]});
    for line in ["4.3", "master"] {
        let more = json!({"account": {"call_recording": all}, "user": everything(), "device": {}});
        let body = asked(line, ("onnet", "onnet"), more);
        for client in
            [&gateway.recorder, &gateway.observer, &gateway.auditor, &gateway.counsel, &gateway.admin]
        {
            let answer = client.post(SCOPE, &body).await.expect(200);
            for (part, leg) in [("account", "a"), ("source", "a"), ("destination", "b")] {
                assert_eq!(
                    (&answer[part]["record"], &answer[part]["leg"]),
                    (&json!(true), &json!(leg)),
                    "{answer}"
                );
                assert!(answer[part]["because"].as_str().unwrap().contains("any.any"), "{answer}");
                assert_eq!(answer[part]["settings"]["time_limit"], 10800);
            }
            assert_eq!(answer["destination"]["settings"]["record_on_answer"], true);
            assert!(answer.get("record_call").is_none(), "{answer}");
        }
    }
    // The lines differ in an empty document.
    let more = json!({"user": everything(), "device": {"call_recording": {}}});
    for (line, record) in [("4.3", true), ("master", false)] {
        let answer =
            gateway.recorder.post(SCOPE, &asked(line, ("onnet", "offnet"), more.clone())).await.expect(200);
        assert_eq!(answer["source"]["record"], record, "{line}: {answer}");
        assert_eq!(answer["destination"]["record"], false);
    }
}

#[tokio::test]
async fn the_callee_may_be_another_endpoint() {
    let gateway = Gateway::start().await;
    let more = json!({"user": everything(), "destination": {"user": {}}});
    let answer = gateway.recorder.post(SCOPE, &asked("4.3", ("onnet", "onnet"), more)).await.expect(200);
    assert_eq!(
        [&answer["source"]["record"], &answer["destination"]["record"]],
        [&json!(true), &json!(false)]
    );
    let more = json!({"destination": {"device": everything()}});
    let answer = gateway.recorder.post(SCOPE, &asked("4.3", ("offnet", "onnet"), more)).await.expect(200);
    assert_eq!(
        [&answer["source"]["record"], &answer["destination"]["record"]],
        [&json!(false), &json!(true)]
    );
}

#[tokio::test]
async fn actions_of_a_callflow_and_a_metaflow_are_answered_beside_the_settings() {
    let gateway = Gateway::start().await;
    let more = json!({
        "record_call": {"action": "stop", "label": "main menu"}, "record_caller": {"format": "wav"},
        "metaflow": {"action": "toggle", "url": "https://x.example/?s3cret"},
    });
    let answer = gateway.recorder.post(SCOPE, &asked("master", ("onnet", "onnet"), more)).await.expect(200);
    assert_eq!(answer["record_call"]["record"], false);
    assert_eq!(answer["record_caller"]["settings"]["format"], "wav");
    assert_eq!(answer["record_caller"]["settings"]["time_limit"], 3600);
    assert_eq!(answer["metaflow"]["record"], true);
    assert_eq!(answer["metaflow"]["settings"]["url"], "https://x.example/?***");
}

#[tokio::test]
async fn settings_that_are_kept_answer_for_their_ids() {
    let gateway = Gateway::start().await;
    gateway.recorder.get(SETTINGS).await.problem(404, "not-found");
    let put = gateway.admin.put(SETTINGS, &kept()).await.expect(200);
    assert_eq!(
        put["account"],
        json!({"call_recording": kept()["account"]["call_recording"]}),
        "nothing else is kept"
    );
    assert_eq!(put["devices"]["d-sales"], json!({"owner_id": "u-sales"}));
    let url = "https://***@gw.example.com/kazoo/acme?token=***";
    assert_eq!(put["users"]["u-sales"]["call_recording"]["inbound"]["offnet"]["url"], url);
    for client in [&gateway.admin, &gateway.observer, &gateway.auditor] {
        assert_eq!(client.get(SETTINGS).await.expect(200), put);
    }
    let ask = async |body: Value| gateway.observer.post(SCOPE, &body).await;
    let out = json!({"from": "onnet", "to": "offnet", "device": "d-sales"});
    let answer = ask(out).await.expect(200);
    assert_eq!([&answer["account"]["record"], &answer["source"]["record"]], [&json!(true), &json!(true)]);
    assert_eq!(answer["account"]["settings"]["format"], "wav");
    assert_eq!(answer["source"]["settings"]["url"], url);
    assert!(
        answer["source"]["because"].as_str().unwrap().contains("the user's `call_recording.outbound.offnet`")
    );
    let answer = ask(json!({"from": "onnet", "to": "offnet", "device": "d-quiet"})).await.expect(200);
    assert_eq!(answer["source"]["record"], false);
    let answer =
        ask(json!({"from": "offnet", "to": "onnet", "user": "u-sales", "account": {}})).await.expect(200);
    assert_eq!(
        [&answer["account"]["record"], &answer["destination"]["record"]],
        [&json!(false), &json!(true)]
    );
    for (part, id) in [("user", "u-nobody"), ("device", "d-nobody")] {
        let mut body = json!({"from": "onnet", "to": "onnet"});
        body[part] = json!(id);
        let refused = ask(body).await.expect(422);
        assert_eq!(refused["code"], "invalid-scope");
        assert!(refused["detail"].as_str().unwrap().contains(id), "{refused}");
    }
}

#[tokio::test]
async fn settings_are_an_entry_of_the_log_and_their_secrets_are_nowhere() {
    let gateway = Gateway::start().await;
    let entries = async || {
        let page = gateway.auditor.get("/v1/consents?limit=1000").await.expect(200);
        assert!(!page.to_string().contains("s3cret"), "{page}");
        let all = page["consents"].as_array().unwrap().clone();
        all.into_iter().filter(|one| one["entry"]["type"] == "account.recording-settings").collect::<Vec<_>>()
    };
    let put = gateway.admin.put(SETTINGS, &kept()).await.expect(200);
    gateway.advance_ms(5000);
    // The same again, and what was answered, are no change.
    let shown = json!({"line": put["line"], "account": put["account"], "users": put["users"], "devices": put["devices"]});
    for same in [kept(), shown] {
        assert_eq!(gateway.admin.put(SETTINGS, &same).await.expect(200), put);
    }
    let [logged] = entries().await.try_into().unwrap();
    let says = json!({"account_recording_settings": {"line": "4.3", "users": 1, "devices": 2}});
    assert_eq!(logged["entry"]["body"], says);
    assert!(!logged["entry"].to_string().contains("u-sales"), "{logged}");
    assert_eq!(logged["detail"]["recording_settings"]["line"], "4.3");
    let register = logged["entry"]["register"]["rows"].to_string();
    assert!(register.contains("recording-settings"), "{register}");
    gateway.admin.put(SETTINGS, &json!({"line": "master"})).await.expect(200);
    assert_eq!(entries().await.len(), 2);
    let answer = gateway.observer.post(SCOPE, &json!({"from": "onnet", "to": "offnet"})).await.expect(200);
    assert_eq!(answer["account"]["record"], false, "the new settings take the place of the old ones");
    for path in files_below(gateway.dir.path()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|part| part == b"s3cret"), "{}", path.display());
    }
}

#[tokio::test]
async fn what_is_not_kazoos_is_refused_and_said_where() {
    let gateway = Gateway::start().await;
    let user = |settings: Value| json!({"user": {"call_recording": settings}});
    let parameters = |parameters: Value| user(json!({"inbound": {"offnet": parameters}}));
    for (more, path, allowed) in [
        (user(json!({"inbond": {}})), "user.call_recording", "`any`, `inbound`, `outbound`"),
        (
            user(json!({"inbound": {"external": {}}})),
            "user.call_recording.inbound",
            "`any`, `onnet`, `offnet`",
        ),
        (user(json!([])), "user.call_recording", "expected an object"),
        (parameters(json!({"enable": true})), "user.call_recording.inbound.offnet", "`enabled`"),
        (parameters(json!({"enabled": "yes"})), "user.call_recording.inbound.offnet.enabled", "a boolean"),
        (parameters(json!({"format": "ogg"})), "user.call_recording.inbound.offnet.format", "`mp3` or `wav`"),
        (parameters(json!({"time_limit": 4})), "user.call_recording.inbound.offnet.time_limit", "5 to 10800"),
        (
            parameters(json!({"time_limit": 10801})),
            "user.call_recording.inbound.offnet.time_limit",
            "5 to 10800",
        ),
        (parameters(json!({"record_min_sec": 0.5})), "record_min_sec", "a whole number"),
        (
            parameters(json!({"url": "ftp://kz:s3cret@x.example/"})),
            "user.call_recording.inbound.offnet.url",
            "`https`",
        ),
        (json!({"user": 7}), "user", "an object, or the id"),
        (json!({"device": []}), "device", "an object, or the id"),
        (
            json!({"account": {"call_recording": {"any": {}}}}),
            "account.call_recording",
            "`account` or `endpoint`",
        ),
        (json!({"destination": {"account": {}}}), "destination", "`user` or `device`"),
        (json!({"record_call": {}}), "record_call", "missing field `action`"),
        (json!({"record_call": {"action": "toggle"}}), "record_call.action", "`start` or `stop`"),
        (json!({"metaflow": {"action": "pause"}}), "metaflow.action", "`toggle`"),
        (json!({"line": "5.0"}), "line", "`4.3` or `master`"),
        (json!({"from": "internal"}), "from", "`onnet` or `offnet`"),
        (json!({"colour": "red"}), "colour", "`line`"),
    ] {
        let refused =
            gateway.recorder.post(SCOPE, &asked("4.3", ("onnet", "onnet"), more.clone())).await.expect(422);
        assert_eq!(refused["code"], "invalid-body", "{more}");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(path) && detail.contains(allowed), "{more}: {detail}");
        assert!(!detail.contains("s3cret"), "{detail}");
    }
    let refused = gateway.recorder.post(SCOPE, &json!({"from": "onnet", "to": "onnet"})).await.expect(422);
    assert_eq!(refused["code"], "invalid-scope");
    assert!(refused["detail"].as_str().unwrap().contains("`4.3` or `master`"), "{refused}");
    gateway.recorder.post(SCOPE, &json!({"line": "4.3", "to": "onnet"})).await.problem(422, "invalid-body");

    gateway.recorder.put(SETTINGS, &kept()).await.problem(403, "wrong-role");
    let put = async |body: Value| gateway.admin.put(SETTINGS, &body).await;
    put(json!({"account": {}})).await.problem(422, "invalid-body");
    put(json!({"line": "4.3", "users": {"": {}}})).await.problem(422, "invalid-id");
    put(json!({"line": "4.3", "devices": {"d": {"owner_id": "x".repeat(256)}}}))
        .await
        .problem(422, "invalid-id");
    let wrong =
        put(json!({"line": "4.3", "users": {"u": {"call_recording": {"any": {"any": {"enabled": 1}}}}}}))
            .await;
    assert!(wrong.expect(422)["detail"].as_str().unwrap().contains("users.u.call_recording.any.any.enabled"));
    let many: serde_json::Map<String, Value> =
        (0..8000).map(|n| (format!("u{n:032}"), everything())).collect();
    let refused = put(json!({"line": "4.3", "users": many})).await.expect(422);
    assert_eq!(refused["code"], "invalid-settings");
    gateway.recorder.get(SETTINGS).await.problem(404, "not-found");
}
