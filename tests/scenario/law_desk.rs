//! The law desk: how the table is changed, by whom, and what becomes of the calls.

use jiff::SignedDuration;
use serde_json::{Value, json};
use trail::{Body, Origin};

use super::{asks, is_permitted, is_suspended, person, two};
use crate::desk::{Desk, EXPRESS, NOTICE, ONE, Text};
use crate::harness::{Client, comes, wav};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_tightens_takes_one_person_and_is_in_force_on_every_node_at_once() {
    let desk = Desk::start().await;
    let node = desk.another(None, desk.gateway.clock.clone()).await;
    let stricter = Text::plain().row("US-NV", NOTICE);
    let answer = desk.publish(&desk.dana, &stricter).await.expect(201);
    assert_eq!((&answer["state"], &answer["version"]["version"]), (&json!("in-force"), &json!(2)));
    let decision = desk.gateway.open("c1", "US-NV").await;
    assert_eq!((asks(&decision).as_str(), &decision["table"]), ("all/notice", &answer["version"]["digest"]));

    let there = Client { address: node.address, ..desk.dana.clone() };
    comes(async || there.get("/v1/jurisdictions").await.expect(200)["version"] == 2).await;
    let asked = there.get("/v1/jurisdictions/US-NV").await.expect(200);
    assert_eq!(asked["asks"]["telephone"]["form"], "notice", "{asked}");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_tells_who_made_it_and_why_and_what_changed_and_so_does_the_systems_log() {
    let desk = Desk::start().await;
    desk.publish(&desk.dana, &Text::plain().row("US-NV", NOTICE)).await.expect(201);
    let listed = desk.erin.get("/v1/jurisdictions/versions").await.expect(200);
    let [second, first] = listed["versions"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!(
        (&first["version"], &first["author"], &first["origin"]),
        (&json!(1), &json!(""), &json!("file"))
    );
    assert_eq!((&second["author"], &second["reason"]), (&json!("Dana Counsel"), &json!("a test")));
    assert_eq!((&second["approver"], &second["origin"]), (&Value::Null, &json!("person")));
    let change = &second["diff"]["changes"][0];
    assert_eq!((&change["place"], &change["direction"]), (&json!("US-NV"), &json!("stricter")), "{second}");

    let last = desk.log().await.pop().unwrap();
    let Body::Table {
        table, version: 2, base, origin: Origin::Person, proposal: None, loosens: false, ..
    } = last.body
    else {
        panic!("{last:?}")
    };
    assert_eq!((json!(table), json!(base)), (second["digest"].clone(), first["digest"].clone()));
    let rows = desk.gateway.rows("system").await;
    let detail: Value = serde_json::from_str(rows.last().unwrap().document.as_ref().unwrap()).unwrap();
    assert_eq!((&detail["author"], &detail["reason"]), (&second["author"], &second["reason"]));
    assert_eq!(detail["diff"], second["diff"]);
    // Names and reasons stand in the detail, which can be erased, and not in the leaf.
    assert!(!String::from_utf8_lossy(&rows.last().unwrap().leaf).contains("Dana"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_is_kept_as_it_was_written() {
    let desk = Desk::start().await;
    let texts = [
        Text::plain().text(),
        Text::plain().remark("one").text(),
        Text::plain().row("DE", EXPRESS).remark("two").text(),
    ];
    for text in &texts[1..] {
        desk.publish_text(&desk.dana, text).await.expect(201);
    }
    for (number, text) in (1..).zip(&texts) {
        let version = desk.dana.get(&format!("/v1/jurisdictions/versions/{number}")).await.expect(200);
        assert_eq!(version["table"], **text);
        let digest = version["digest"].as_str().unwrap();
        let same = desk.dana.get(&format!("/v1/jurisdictions/versions/{digest}")).await.expect(200);
        assert_eq!(same, version);
    }
    desk.dana.get("/v1/jurisdictions/versions/4").await.expect(404);
    // The same text again is no version.
    let again = desk.publish_text(&desk.dana, &texts[2]).await.expect(200);
    assert_eq!(again["state"], "in-force");
    assert_eq!(desk.versions().await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_loosens_waits_for_a_second_person_with_what_it_would_change() {
    let desk = Desk::start().await;
    let from = desk.gateway.recording_in("c1", "GB").await;
    desk.gateway.advance_ms(1000);
    desk.gateway.upload("c1", "a", Some(from), &wav(1000)).await.expect(201);
    let answer = desk.publish(&desk.dana, &Text::plain().row("GB", ONE)).await.expect(202);
    let proposal = &answer["proposal"];
    assert_eq!((&answer["state"], &proposal["state"]), (&json!("proposed"), &json!("open")));
    assert_eq!((&proposal["author"], &proposal["reason"]), (&json!("Dana Counsel"), &json!("a test")));
    assert_eq!(proposal["diff"]["loosens"], true);
    assert_eq!(
        (&proposal["impact"]["calls"], &proposal["impact"]["total"]["asked_less"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(proposal["impact"]["places"]["GB"]["examples"][0]["call"], "c1", "{proposal}");
    let now = desk.dana.get("/v1/jurisdictions/GB").await.expect(200);
    assert_eq!(now["asks"]["telephone"]["form"], "notice");

    let id = proposal["id"].as_str().unwrap();
    let version = desk.approve(&desk.erin, id).await.expect(200);
    assert_eq!((&version["author"], &version["approver"]), (&json!("Dana Counsel"), &json!("Erin Advocate")));
    let now = desk.dana.get("/v1/jurisdictions/GB").await.expect(200);
    assert_eq!(now["asks"]["telephone"]["form"], "none");
    assert_eq!(desk.state(id).await, "published");
    let log = desk.log().await;
    let [.., proposed, published, decided] = log.as_slice() else { panic!() };
    assert_eq!(
        [&proposed.kind, &published.kind, &decided.kind].map(String::as_str),
        ["table.proposed", "table.in-force", "table.proposal-decided"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_withdrawn_or_rejected_or_superseded_stays_to_be_seen() {
    let desk = Desk::start().await;
    let looser = |remark: &str| Text::plain().row("GB", ONE).remark(remark);
    let withdrawn = desk.proposed(&desk.dana, &looser("1")).await;
    desk.decide(&desk.erin, &withdrawn, "withdraw").await.problem(403, "not-own-proposal");
    desk.decide(&desk.dana, &withdrawn, "withdraw").await.expect(200);
    let rejected = desk.proposed(&desk.dana, &looser("2")).await;
    desk.decide(&desk.erin, &rejected, "reject").await.expect(200);
    let superseded = desk.proposed(&desk.dana, &looser("3")).await;
    let published = desk.proposed(&desk.dana, &looser("4")).await;
    desk.approve(&desk.erin, &published).await.expect(200);
    let expired = desk.proposed(&desk.dana, &Text::plain().row("GB", ONE).row("DE", NOTICE)).await;
    desk.gateway.advance_ms(14 * 86_400_000);
    let listed = desk.erin.get("/v1/jurisdictions/proposals").await.expect(200);
    for (id, state) in [
        (&withdrawn, "withdrawn"),
        (&rejected, "rejected"),
        (&superseded, "superseded"),
        (&published, "published"),
        (&expired, "expired"),
    ] {
        let found = listed["proposals"].as_array().unwrap().iter().find(|one| one["id"] == **id).unwrap();
        assert_eq!(found["state"], state);
        assert_eq!(desk.state(id).await, state);
        for what in ["approve", "reject", "withdraw"] {
            let status = desk.decide(&desk.erin, id, what).await.status;
            assert!(state == "expired" || status == 409, "{state} {what}: {status}");
        }
    }
    let told = desk.dana.get(&format!("/v1/jurisdictions/proposals/{rejected}")).await.expect(200);
    assert_eq!(
        (&told["decision"]["person"], &told["decision"]["reason"]),
        (&json!("Erin Advocate"), &json!("a test"))
    );
    assert!(told["diff"]["changes"].is_array() && told["impact"].is_object());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_with_mistakes_or_without_a_reason_is_not_published() {
    let desk = Desk::start().await;
    let broken = Text::plain().row("GB", "parties = \"most\"\nform = \"notice\"\n").text();
    let problem = desk.publish_text(&desk.dana, &broken).await.problem(422, "invalid-table");
    assert!(problem["problems"][0]["line"].as_u64().is_some_and(|line| line > 10), "{problem}");
    let table = Text::plain().row("GB", EXPRESS).text();
    let path = "/v1/jurisdictions/proposals";
    desk.dana.post(path, &json!({"table": table})).await.problem(422, "reason-required");
    desk.dana.post(path, &json!({"table": table, "reason": " "})).await.problem(422, "reason-required");
    let long = "x".repeat(5000);
    desk.dana.post(path, &json!({"table": table, "reason": long})).await.problem(422, "reason-too-long");
    let checked = desk.dana.post("/v1/jurisdictions/check", &json!({"table": broken})).await.expect(200);
    assert_eq!((&checked["usable"], &checked["diff"]), (&json!(false), &Value::Null));
    let checked = desk.dana.post("/v1/jurisdictions/check", &json!({"table": table})).await.expect(200);
    assert_eq!((&checked["usable"], &checked["diff"]["loosens"]), (&json!(true), &json!(false)));
    assert_eq!(desk.versions().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_is_published_by_whoever_read_the_row_or_says_who_entered_it() {
    let desk = Desk::start().await;
    let reviewed = |review: &str, remark: &str| {
        let text = Text::plain().row("GB", EXPRESS).remark(remark).text();
        text.replacen("reviewed = false", &format!("reviewed = {review}"), 1)
    };
    let dana = reviewed("{ by = \"dana  counsel\", on = 2026-11-20 }", "");
    let problem = desk.publish_text(&desk.erin, &dana).await.problem(422, "invalid-table");
    let [told] = problem["problems"].as_array().unwrap().as_slice() else { panic!("{problem}") };
    assert_eq!(told["code"], "review-by-another", "{told}");
    assert!(told["hint"].as_str().unwrap().contains("`entered_by = \"Erin Advocate\"`"), "{told}");
    assert!(told["line"].as_u64().unwrap() > 10, "{told}");
    assert_eq!(desk.versions().await, 1);
    // The same person, however the name is written; and what stands there is not claimed anew.
    desk.publish_text(&desk.dana, &dana).await.expect(201);
    let same = reviewed("{ by = \"dana  counsel\", on = 2026-11-20 }", "a remark");
    desk.publish_text(&desk.erin, &same).await.expect(201);
    let entered = reviewed("{ by = \"Frank\", on = 2026-11-21, entered_by = \"Erin Advocate\" }", "");
    desk.publish_text(&desk.dana, &entered).await.problem(422, "invalid-table");
    desk.publish_text(&desk.erin, &entered).await.expect(201);
    let row = desk.dana.get("/v1/jurisdictions/US").await.expect(200)["rows"][0]["reviewed"].clone();
    assert_eq!(
        row,
        json!({"by": "Frank", "on": "2026-11-21", "next": null, "entered_by": "Erin Advocate", "changed": null})
    );
    // To go back to what was in force claims nothing new.
    desk.publish_text(&desk.erin, &dana).await.expect(201);

    // Nobody is known who writes the watched file.
    let versions = desk.versions().await;
    std::fs::write(desk.file(), reviewed("{ by = \"Ghost\", on = 2026-11-22 }", "")).unwrap();
    comes(async || desk.configured().await["state"] == "unreadable").await;
    assert_eq!(desk.versions().await, versions);
    std::fs::write(desk.file(), reviewed("{ by = \"Ghost\", on = 2026-11-22, entered_by = \"Ops\" }", ""))
        .unwrap();
    comes(async || desk.versions().await == versions + 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_is_shown_with_its_sources_wherever_it_is_explained() {
    let desk = Desk::start().await;
    let source = json!({"cite": "A statute § 1", "url": "https://law.example/1", "kind": "primary",
        "read": "2026-11-20", "says": "All must be told."});
    let written = "{ cite = \"A statute § 1\", url = \"https://law.example/1\", kind = \"primary\", read = 2026-11-20, says = \"All must be told.\" }";
    let blog = "{ cite = \"a blog\", url = \"https://blog.example\", kind = \"secondary\" }";
    let text = Text::plain().text().replace(
        "citations = [\"A statute\"]",
        &format!("citations = [\"A statute\", {written}, {blog}]\npending = [\"Bill 7\"]"),
    );
    let checked = desk.dana.post("/v1/jurisdictions/check", &json!({"table": text})).await.expect(200);
    assert_eq!(
        checked["sources"]["pending"][0],
        json!({"of": "DE", "pending": [{"cite": "Bill 7"}]}),
        "{checked}"
    );
    assert_eq!(checked["sources"]["without_primary"], json!([]));
    desk.publish_text(&desk.dana, &text).await.expect(201);

    let all = json!([{"cite": "A statute"}, source, {"cite": "a blog", "url": "https://blog.example", "kind": "secondary"}]);
    let place = desk.dana.get("/v1/jurisdictions/US-CA").await.expect(200);
    assert_eq!(place["rows"][0]["citations"], all, "{place}");
    assert_eq!(place["rows"][0]["pending"], json!([{"cite": "Bill 7"}]));
    let opened = desk.gateway.open("c1", "US-CA").await;
    // A decision names the law itself, and an explanation everything that was read.
    let because = opened["because"].as_array().unwrap().iter().find(|one| one["code"] == "US-CA").unwrap();
    assert_eq!(because["citations"], json!(["A statute", "A statute § 1"]), "{opened}");
    let explained = desk.gateway.auditor.get("/v1/calls/c1/explain").await.expect(200);
    for side in ["then", "today"] {
        let of = explained[side]["sources"].as_array().unwrap();
        let found = of.iter().find(|one| one["code"] == "US-CA").unwrap();
        assert_eq!(found["citations"], all, "{explained}");
    }
    let (code, out, err) = desk.gateway.run(&["table", "show", "US-CA"]);
    assert_eq!(code, 0, "{err}");
    for part in
        ["<https://law.example/1> (primary, read on 2026-11-20): All must be told.", "pending: Bill 7"]
    {
        assert!(out.contains(part), "{out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_tightens_is_in_force_and_one_that_loosens_waits_for_two_people() {
    let desk = Desk::start().await;
    assert_eq!(desk.configured().await, json!({"origin": "file", "state": "in-force"}));
    std::fs::write(desk.file(), Text::plain().row("GB", EXPRESS).text()).unwrap();
    comes(async || desk.versions().await == 2).await;
    let version = desk.dana.get("/v1/jurisdictions/versions/2").await.expect(200);
    assert_eq!((&version["author"], &version["origin"]), (&json!(""), &json!("file")));

    std::fs::write(desk.file(), Text::plain().row("GB", ONE).text()).unwrap();
    comes(async || desk.configured().await["state"] == "waiting").await;
    let id = desk.configured().await["proposal"].as_str().unwrap().to_owned();
    let proposal = desk.dana.get(&format!("/v1/jurisdictions/proposals/{id}")).await.expect(200);
    assert_eq!((&proposal["author"], &proposal["origin"]), (&json!(""), &json!("file")));
    assert_eq!(desk.gateway.open("c1", "GB").await["requirement"]["form"], "express");
    let adopted = desk.approve(&desk.dana, &id).await.expect(200);
    assert_eq!((&adopted["author"], &adopted["state"]), (&json!("Dana Counsel"), &json!("open")));
    let version = desk.approve(&desk.erin, &id).await.expect(200);
    assert_eq!((&version["author"], &version["approver"]), (&json!("Dana Counsel"), &json!("Erin Advocate")));
    assert_eq!(desk.gateway.open("c2", "GB").await["requirement"]["form"], "none");
    let kinds: Vec<String> = desk.log().await.into_iter().map(|leaf| leaf.kind).collect();
    assert!(
        kinds.ends_with(
            &["table.proposed", "table.proposal-decided", "table.in-force", "table.proposal-decided"]
                .map(Into::into)
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readyz_tells_what_has_become_of_the_file_by_now() {
    let desk = Desk::start().await;
    let state = async || desk.configured().await["state"].as_str().unwrap().to_owned();
    std::fs::write(desk.file(), Text::plain().row("GB", ONE).text()).unwrap();
    comes(async || state().await == "waiting").await;
    let id = desk.configured().await["proposal"].as_str().unwrap().to_owned();
    desk.approve(&desk.dana, &id).await.expect(200);
    assert_eq!(state().await, "waiting");
    desk.approve(&desk.erin, &id).await.expect(200);
    assert_eq!(state().await, "in-force");
    desk.publish(&desk.dana, &Text::plain()).await.expect(201);
    assert_eq!(state().await, "passed");
    std::fs::write(desk.file(), Text::plain().row("GB", ONE).remark("again").text()).unwrap();
    comes(async || state().await == "waiting").await;
    let id = desk.configured().await["proposal"].as_str().unwrap().to_owned();
    desk.decide(&desk.erin, &id, "reject").await.expect(200);
    assert_eq!(state().await, "passed");
    // It is no reason not to be ready.
    let ready = Client::stranger(desk.gateway.running.address).get("/readyz").await.expect(200);
    assert_eq!((&ready["status"], &ready["table"]["version"]), (&json!("ready"), &json!(3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tightened_table_suspends_a_running_recording_at_the_next_request() {
    let desk = Desk::start().await;
    let gateway = &desk.gateway;
    gateway.open("c1", "US-CA").await;
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.control("c1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(5000);
    desk.publish(&desk.dana, &Text::plain().row("US-CA", EXPRESS)).await.expect(201);
    is_suspended(&gateway.decision("c1").await);
    let decision = gateway
        .report("c1", json!({"type": "participant.answered", "participant": "caller", "by": "human"}))
        .await;
    is_suspended(&decision);
    assert_eq!(asks(&decision), "all/express");
    gateway.control("c1", "resume").await.problem(403, "consent-required");
    gateway.upload("c1", "a", Some(from), &wav(5000)).await.expect(403);
    for who in ["caller", "agent"] {
        gateway.says_yes("c1", who, "dtmf").await;
    }
    gateway.control("c1", "resume").await.expect(200);
    is_permitted(&gateway.decision("c1").await);
    let again = gateway.now();
    gateway.advance_ms(2000);
    gateway.upload("c1", "b", Some(again), &wav(2000)).await.expect(201);
    // What was recorded before they said yes is not covered by what holds now.
    gateway.upload("c1", "c", Some(from), &wav(2000)).await.expect(403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loosened_table_relaxes_no_call_that_is_going_on() {
    let desk = Desk::with(&Text::plain().row("US-CA", EXPRESS)).await;
    let gateway = &desk.gateway;
    gateway.open("c1", "US-CA").await;
    desk.both_publish(&Text::plain()).await;
    assert_eq!(asks(&gateway.decision("c1").await), "all/express");
    let joined = gateway.joins("c1", &person("third", "customer", "US-CA")).await;
    assert_eq!(asks(&joined), "all/express");
    assert_eq!(asks(&gateway.open("c2", "US-CA").await), "all/notice");
    // The same id, opened again after its end, is a new call.
    gateway.report("c1", json!({"type": "call.ended"})).await;
    gateway.advance_ms(1000);
    let opened = gateway.open_with("c1", two("US-CA"), json!({})).await;
    assert_eq!(asks(&opened), "all/notice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_begins_on_a_day_to_come_decides_the_calls_from_that_day_on() {
    let desk = Desk::start().await;
    let table = Text::plain().and_row("US-NV", Some("2026-11-21"), NOTICE);
    desk.publish(&desk.dana, &table).await.expect(201);
    assert_eq!(asks(&desk.gateway.open("c1", "US-NV").await), "one/none");
    desk.gateway.advance_ms(86_400_000);
    assert_eq!(asks(&desk.gateway.open("c2", "US-NV").await), "all/notice");
    // A call goes by the day on which it began.
    assert_eq!(asks(&desk.gateway.decision("c1").await), "one/none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_explained_as_it_was_made_and_as_it_would_be_made_today() {
    let desk = Desk::start().await;
    let gateway = &desk.gateway;
    gateway.open("c1", "US-CA").await;
    gateway.advance_ms(5000);
    let told = gateway.now();
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.advance_ms(5000);
    desk.publish(&desk.dana, &Text::plain().row("US-CA", EXPRESS)).await.expect(201);
    gateway.advance_ms(5000);
    let at = |seconds: i64| told.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    let explain = async |moment: jiff::Timestamp| {
        gateway.auditor.get(&format!("/v1/calls/c1/explain?at={moment}")).await.expect(200)
    };
    let before = explain(at(-1)).await;
    assert_eq!(before["then"]["decision"]["recording"], "blocked", "{before}");
    let heard = explain(at(1)).await;
    assert_eq!(heard["then"]["decision"]["recording"], "permitted", "{heard}");
    assert_eq!(
        (&heard["then"]["version"], &heard["then"]["logged"]["type"]),
        (&json!(1), &json!("prompt.completed"))
    );
    assert_eq!(heard["today"]["decision"]["recording"], "blocked");
    assert_eq!((&heard["today"]["version"], &heard["differs"]), (&json!(2), &json!(true)));
    let after = explain(at(7)).await;
    assert_eq!(
        (&after["then"]["version"], &after["then"]["decision"]["recording"]),
        (&json!(2), &json!("blocked"))
    );
    assert_eq!(after["differs"], false, "{after}");
    // Without a moment: at the call's last entry.
    let last = gateway.auditor.get("/v1/calls/c1/explain").await.expect(200);
    assert_eq!((&last["at"], &last["then"]["version"]), (&heard["then"]["logged"]["at"], &json!(1)));
    gateway.auditor.get(&format!("/v1/calls/c1/explain?at={}", at(-60))).await.problem(422, "call-not-open");
    gateway.recorder.get("/v1/calls/c1/explain").await.expect(403);

    let moment = at(1).to_string();
    let (code, out, err) = gateway.run(&["explain", "acme", "c1", "--at", &moment, "--json"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), heard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_of_the_same_millisecond_explains_nothing_that_was_decided_before_it() {
    let desk = Desk::start().await;
    desk.gateway.open("c1", "US-CA").await;
    desk.gateway.prompt("c1", &["caller", "agent"]).await;
    desk.publish(&desk.dana, &Text::plain().row("US-CA", EXPRESS)).await.expect(201);
    let explained = desk.gateway.auditor.get("/v1/calls/c1/explain").await.expect(200);
    let then = &explained["then"];
    assert_eq!(
        (&then["version"], &then["decision"]["recording"]),
        (&json!(1), &json!("permitted")),
        "{then}"
    );
    assert_eq!(then["decision"]["table"], then["logged"]["saw"]["table"]);
    assert_eq!(explained["today"]["decision"]["recording"], "blocked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_is_done_by_commands() {
    let desk = Desk::start().await;
    let people = ["Frank Counsel", "Grace Advocate"];
    // Erin and Dana were the first two: each of them confirms one.
    desk.colleague(people[0], &desk.dana).await;
    desk.colleague(people[1], &desk.erin).await;
    let mut named = Vec::new();
    for name in people {
        let new = command(
            &desk,
            None,
            &["credential", "add", "system", "--role", "counsel", "--name", name, "--json"],
        );
        let new: Value = serde_json::from_str(&new.1).unwrap();
        named.push((
            new["username"].as_str().unwrap().to_owned(),
            new["password"].as_str().unwrap().to_owned(),
        ));
    }
    let [frank, grace] = named.as_slice() else { panic!() };
    let (code, out, _) = command(&desk, None, &["person", "add", "system", "FRANK  COUNSEL"]);
    assert!(code == 0 && out.starts_with("exists already: "), "{out}");
    let confirm = |account: &str, whom: &str, by: &(String, String)| {
        command(&desk, Some(&by.1), &["person", "confirm", account, whom, "--as", &by.0])
    };
    let (code, out, err) = confirm("system", people[1], frank);
    assert!(code == 0 && out.contains("  Grace Advocate  counts, confirmed by "), "{out}{err}");
    assert!(out.contains("Erin Advocate") && out.contains("Frank Counsel"), "{out}");
    let (code, _, err) = confirm("system", people[0], frank);
    assert!(code == 1 && err.contains("you cannot confirm yourself"), "{err}");
    let (code, _, err) = confirm("acme", people[1], frank);
    assert!(code == 1 && err.contains("only somebody from the same account"), "{err}");
    command(&desk, None, &["person", "add", "system", "Heidi"]);
    let (_, out, _) = command(&desk, None, &["person", "list", "system"]);
    let ends = |words: &str| out.lines().filter(|line| line.ends_with(words)).count();
    assert_eq!(
        (ends("counts from the start"), ends("until a colleague has confirmed them")),
        (2, 1),
        "{out}"
    );
    let (code, _, err) = command(&desk, None, &["credential", "add", "system", "--role", "counsel"]);
    assert_eq!(code, 1, "{err}");
    let file = desk.file().with_file_name("new.toml");
    let path = file.to_str().unwrap();
    let publish = |by: &(String, String), what: &str| {
        command(
            &desk,
            Some(&by.1),
            &["table", "publish", what, "--as", &by.0, "--reason", "counsel has read it"],
        )
    };

    std::fs::write(&file, Text::plain().row("GB", EXPRESS).text()).unwrap();
    let (code, out, err) = publish(frank, path);
    assert_eq!((code, out.as_str()), (0, "version 2 is in force\n"), "{err}");
    let (code, out, _) = publish(frank, path);
    assert_eq!((code, out.as_str()), (0, "it is already in force\n"));
    let (code, out, _) = publish(frank, "version:1");
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("needs a second person"), "{out}");
    let proposal = desk.open_proposals().await[0]["id"].as_str().unwrap().to_owned();
    let approve =
        |by: &(String, String)| command(&desk, Some(&by.1), &["table", "approve", &proposal, "--as", &by.0]);
    let (code, _, err) = approve(frank);
    assert_eq!(code, 1);
    assert!(err.contains("somebody else has to approve it"), "{err}");
    let (code, _, err) = approve(&(grace.0.clone(), frank.1.clone()));
    assert_eq!(code, 1, "a wrong password: {err}");
    let (code, out, err) = approve(grace);
    assert_eq!((code, out.as_str()), (0, "version 3 is in force\n"), "{err}");

    let (_, out, _) = command(&desk, None, &["table", "versions"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[0].starts_with("3 ") && lines[0].ends_with("by Frank Counsel, approved by Grace Advocate"),
        "{out}"
    );
    assert!(lines[2].ends_with("by the file"), "{out}");
    let (_, out, _) = command(&desk, None, &["table", "version", "1"]);
    assert_eq!(out.trim_end(), Text::plain().text().trim_end());
    let (_, out, _) = command(&desk, None, &["table", "proposals"]);
    assert!(out.contains("published") && out.contains("by Frank Counsel"), "{out}");
    let (code, out, _) = command(&desk, None, &["table", "diff", "version:2", "in-force"]);
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("LOOSER: less is required\n  GB (United Kingdom)"), "{out}");
    assert!(out.contains("it needs a second person"), "{out}");
    for name in ["in-force", "version:2"] {
        let (code, out, err) = command(&desk, None, &["table", "check", name, "--today", "2026-11-20"]);
        assert!([0, 3].contains(&code) && out.contains(&format!("{name}: ")), "{name}: {code} {out}{err}");
        assert!(out.contains("no mistakes and"), "{out}");
    }
    let (code, _, err) = command(&desk, None, &["table", "check", "version:9"]);
    assert!(code == 1 && err.contains("version"), "{err}");
    let (code, out, _) = command(&desk, None, &["table", "diff", "in-force", "version:2"]);
    assert_eq!(code, 0);
    assert!(out.contains("one person can publish it"), "{out}");
    // The server goes by it.
    comes(async || desk.dana.get("/v1/jurisdictions").await.expect(200)["version"] == 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_without_an_account_of_the_system_is_told_which_credential_is_asked_for() {
    let desk = Desk::start().await;
    let refused = desk.publish(&desk.gateway.counsel, &Text::plain().row("GB", EXPRESS)).await;
    let problem = refused.problem(403, "wrong-account");
    assert!(problem["detail"].as_str().unwrap().contains("account `system`"), "{problem}");
    desk.gateway.counsel.get("/v1/jurisdictions/proposals").await.problem(403, "wrong-account");
    // What the table says, everybody may know; who has changed it, and why, is not the recorder's.
    for path in ["/v1/jurisdictions", "/v1/jurisdictions/GB"] {
        desk.gateway.recorder.get(path).await.expect(200);
    }
    for path in ["/v1/jurisdictions/versions", "/v1/jurisdictions/versions/1"] {
        desk.gateway.auditor.get(path).await.expect(200);
        desk.gateway.recorder.get(path).await.problem(403, "wrong-role");
    }
}

/// Runs a command on the gateway's data, with a password in its environment.
fn command(desk: &Desk, password: Option<&str>, args: &[&str]) -> (i32, String, String) {
    let mut command = std::process::Command::new("timeout");
    command.args(["240", crate::harness::PROGRAM]).args(args).args(desk.gateway.options());
    match password {
        Some(password) => command.env("CONSENT_GATEWAY_PASSWORD", password),
        None => command.env_remove("CONSENT_GATEWAY_PASSWORD"),
    };
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}
