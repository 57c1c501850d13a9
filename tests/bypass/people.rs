//! Who is on the call, what they heard, and what they said.

use serde_json::{Value, json};

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;

use super::{after, before, customer, granted, join, nothing_got_in, stored};
use crate::harness::{Gateway, wav};

async fn started(gateway: &Gateway, call: &str, participants: Value) {
    let body = json!({"medium": "telephone", "started_at": before(gateway.now(), 10_000), "purposes": ["quality"], "participants": participants});
    gateway.recorder.put(&format!("/v1/calls/{call}"), &body).await.expect(201);
}

async fn says(gateway: &Gateway, kind: &str, who: &[&str]) -> Value {
    gateway.event("c1", &json!({"type": kind, "participants": who})).await.expect(201)
}

async fn yes(gateway: &Gateway, who: &[&str]) -> Value {
    let event = json!({"type": "consent.given", "participants": who, "method": "dtmf"});
    gateway.event("c1", &event).await.expect(201)
}

#[tokio::test]
async fn a_customer_called_a_system_is_a_person_once_anything_points_at_one() {
    for hint in [
        json!({"number": "+14155550123"}),
        json!({"number": "+88312345678"}),
        json!({"ip": "192.0.2.1"}),
        json!({"location": "US-TX"}),
    ] {
        let gateway = Gateway::start().await;
        let mut bot = json!({"id": "bot", "role": "system"});
        bot.as_object_mut().unwrap().extend(hint.as_object().unwrap().clone());
        let agent = json!({"id": "agent", "role": "agent", "location": "US-CA"});
        started(&gateway, "c1", json!([agent, bot])).await;
        gateway.prompt("c1", &["agent"]).await;
        gateway.control("c1", "start").await.problem(403, "consent-required");
        nothing_got_in(&gateway).await;
    }
}

#[tokio::test]
async fn a_system_that_is_located_turns_out_to_have_been_a_person_all_along() {
    for hint in [
        json!({"number": "+14155550123"}),
        json!({"number": "+88312345678"}),
        json!({"ip": "192.0.2.1"}),
        json!({"location": "US-CA"}),
    ] {
        let gateway = Gateway::start().await;
        let agent = json!({"id": "agent", "role": "agent", "location": "US-CA"});
        started(&gateway, "c1", json!([agent, {"id": "bot", "role": "system"}])).await;
        gateway.prompt("c1", &["agent"]).await;
        gateway.control("c1", "start").await.expect(200);
        let from = gateway.now();
        gateway.advance_ms(5000);
        let mut located = json!({"type": "participant.located", "participant": "bot"});
        located.as_object_mut().unwrap().extend(hint.as_object().unwrap().clone());
        let decision = gateway.event("c1", &located).await.expect(201);
        assert_eq!(decision["recording"], "blocked", "{hint}");
        gateway.upload("c1", "a", Some(from), &wav(5000)).await.problem(403, "consent-required");
        nothing_got_in(&gateway).await;
    }
}

#[tokio::test]
async fn a_person_never_becomes_a_system_and_a_system_becomes_a_person_from_the_start() {
    let gateway = Gateway::start().await;
    let agent = json!({"id": "agent", "role": "agent", "location": "US-CA"});
    started(&gateway, "c1", json!([agent, {"id": "caller", "role": "customer"}])).await;
    join(&gateway, "c1", &json!({"id": "caller", "role": "system"})).await.expect(201);
    gateway.prompt("c1", &["agent"]).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");

    started(&gateway, "c2", json!([agent, {"id": "bot", "role": "system"}])).await;
    gateway.prompt("c2", &["agent"]).await;
    gateway.control("c2", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(3000);
    join(&gateway, "c2", &json!({"id": "bot", "role": "customer"})).await.expect(201);
    gateway.upload("c2", "a", Some(from), &wav(1000)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_call_of_machines_alone_is_not_recorded() {
    let gateway = Gateway::start().await;
    started(&gateway, "c1", json!([{"id": "bot", "role": "system"}])).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    started(&gateway, "c2", json!([])).await;
    gateway.control("c2", "start").await.problem(403, "consent-required");
    gateway.upload("c1", "a", None, &wav(1000)).await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn an_emergency_call_is_never_recorded() {
    let gateway = Gateway::start().await;
    let body = json!({"kind": "emergency", "participants": [{"id": "caller", "role": "customer", "location": "US-TX"}]});
    gateway.recorder.put("/v1/calls/c1", &body).await.expect(201);
    yes(&gateway, &["caller"]).await;
    gateway.control("c1", "start").await.expect(403);
    gateway.upload("c1", "a", Some(gateway.now()), &wav(1000)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn prompts_that_were_not_played_whole_grant_nothing() {
    let gateway = Gateway::start().await;
    let mut short = json!({"text": "?", "language": "en", "duration_ms": 1, "purposes": ["quality"]});
    gateway.counsel.put("/v1/prompts/short", &short).await.problem(422, "invalid-prompt");
    short["duration_ms"] = json!(999);
    gateway.counsel.put("/v1/prompts/short", &short).await.problem(422, "invalid-prompt");
    gateway.open("c1", "US-CA").await;
    let both = json!(["caller", "agent"]);
    for played_ms in [0, 1, 3999] {
        let event =
            json!({"type": "prompt.completed", "prompt": "en", "participants": both, "played_ms": played_ms});
        gateway.event("c1", &event).await.expect(201);
    }
    // Started, and completed at once.
    gateway
        .event("c1", &json!({"type": "prompt.started", "prompt": "en", "participants": both}))
        .await
        .expect(201);
    gateway.advance_ms(3999);
    gateway.prompt("c1", &["caller", "agent"]).await;
    // Longer than anybody was there.
    let event =
        json!({"type": "prompt.completed", "prompt": "en", "participants": both, "played_ms": 60_000});
    gateway.event("c1", &event).await.expect(201);
    // In another language, for another purpose, and one that nobody registered.
    let event = json!({"type": "prompt.completed", "prompt": "de", "participants": both, "played_ms": 4000});
    gateway.event("c1", &event).await.expect(201);
    let other = crate::harness::telling(
        json!({"text": "?", "language": "en", "duration_ms": 2000, "purposes": ["training"]}),
    );
    gateway.counsel.put("/v1/prompts/other", &other).await.expect(201);
    let event =
        json!({"type": "prompt.completed", "prompt": "other", "participants": both, "played_ms": 2000});
    gateway.event("c1", &event).await.expect(201);
    let event =
        json!({"type": "prompt.completed", "prompt": "nobodys", "participants": both, "played_ms": 4000});
    gateway.event("c1", &event).await.problem(422, "unknown-prompt");
    gateway.control("c1", "start").await.problem(403, "consent-required");
    gateway
        .upload("c1", "a", Some(before(gateway.now(), 1000)), &wav(1000))
        .await
        .problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn somebody_who_came_in_the_middle_of_a_prompt_has_not_heard_it() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    join(&gateway, "c1", &customer("third")).await.expect(201);
    gateway.advance_ms(3999);
    gateway.prompt("c1", &["caller", "agent", "third"]).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn where_a_yes_is_needed_one_before_or_during_the_prompt_or_after_a_broken_one_is_none() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "AT").await;
    let both = ["caller", "agent"];
    yes(&gateway, &both).await;
    gateway.prompt("c1", &both).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    gateway
        .event("c1", &json!({"type": "prompt.started", "prompt": "en", "participants": both}))
        .await
        .expect(201);
    yes(&gateway, &both).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    says(&gateway, "prompt.interrupted", &both).await;
    yes(&gateway, &both).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    let staying = json!({"type": "consent.given", "participants": both, "method": "continued"});
    gateway.prompt("c1", &both).await;
    gateway.event("c1", &staying).await.expect(201);
    gateway.control("c1", "start").await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
    assert_eq!(yes(&gateway, &both).await["recording"], "permitted");
}

#[tokio::test]
async fn a_yes_that_was_said_before_the_prompt_began_answers_nothing_though_it_is_reported_after() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "AT").await;
    gateway.advance_ms(20_000);
    gateway.prompt("c1", &["caller", "agent"]).await;
    for at in [before(gateway.now(), 15_000), before(gateway.now(), 4001)] {
        let event =
            json!({"type": "consent.given", "participants": ["caller", "agent"], "method": "dtmf", "at": at});
        gateway.event("c1", &event).await.expect(201);
    }
    gateway.control("c1", "start").await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_prompt_played_to_a_machine_counts_for_nobody() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    let machine = json!({"type": "participant.answered", "participant": "caller", "by": "machine"});
    let human = json!({"type": "participant.answered", "participant": "caller", "by": "human"});
    gateway.event("c1", &machine).await.expect(201);
    gateway.prompt("c1", &["caller", "agent"]).await;
    yes(&gateway, &["caller"]).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    // A human takes over when the prompt has nearly ended: they have not heard it.
    gateway.advance_ms(3900);
    gateway.event("c1", &human).await.expect(201);
    gateway.advance_ms(100);
    gateway.prompt("c1", &["caller"]).await;
    gateway.control("c1", "start").await.problem(403, "consent-required");
    // All of it was played to the human; then the machine is noticed after all.
    gateway.advance_ms(4000);
    gateway.prompt("c1", &["caller"]).await;
    gateway.control("c1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(3000);
    gateway.event("c1", &machine).await.expect(201);
    gateway.upload("c1", "a", Some(from), &wav(3000)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn a_machine_that_is_noticed_after_the_leg_is_gone_unmakes_what_it_heard() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(3000);
    says(&gateway, "participant.left", &["caller"]).await;
    let machine = json!({"type": "participant.answered", "participant": "caller", "by": "machine"});
    gateway.event("c1", &machine).await.expect(201);
    gateway.upload("c1", "a", Some(from), &wav(3000)).await.expect(403);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn an_objection_holds_until_a_new_prompt_and_a_new_yes_of_the_same_person() {
    for kind in ["consent.declined", "consent.withdrawn"] {
        let gateway = Gateway::start().await;
        granted(&gateway).await;
        gateway.advance_ms(5000);
        gateway
            .event("c1", &json!({"type": "prompt.started", "prompt": "en", "participants": ["caller"]}))
            .await
            .expect(201);
        gateway.advance_ms(1000);
        let objected = gateway.now();
        says(&gateway, kind, &["caller"]).await;
        for attempt in 0..7 {
            match attempt {
                // A yes alone.
                0 => yes(&gateway, &["caller"]).await,
                // Somebody else's prompt and yes.
                1 => {
                    gateway.prompt("c1", &["agent"]).await;
                    yes(&gateway, &["agent"]).await
                }
                // The end of the prompt that had begun before, and a yes to that.
                2 => {
                    gateway.advance_ms(3000);
                    gateway.prompt("c1", &["caller"]).await;
                    yes(&gateway, &["caller"]).await
                }
                // Staying on after a new prompt.
                3 => {
                    gateway.advance_ms(4000);
                    gateway.prompt("c1", &["caller"]).await;
                    gateway.event("c1", &json!({"type": "consent.given", "participant": "caller", "method": "continued"})).await.expect(201)
                }
                // A yes from before the objection, reported late.
                4 => gateway.event("c1", &json!({"type": "consent.given", "participant": "caller", "method": "dtmf", "at": before(objected, 1)})).await.expect(201),
                // A new prompt that was cut short.
                5 => {
                    gateway.event("c1", &json!({"type": "prompt.started", "prompt": "en", "participants": ["caller"]})).await.expect(201);
                    says(&gateway, "prompt.interrupted", &["caller"]).await;
                    yes(&gateway, &["caller"]).await
                }
                // Leaving and coming back.
                _ => {
                    says(&gateway, "participant.left", &["caller"]).await;
                    join(&gateway, "c1", &customer("caller")).await.expect(201)
                }
            };
            gateway.control("c1", "resume").await.expect(403);
            gateway.control("c1", "start").await.expect(403);
            gateway.upload("c1", "a", Some(objected), &wav(1)).await.expect(403);
        }
        nothing_got_in(&gateway).await;
        gateway.advance_ms(4000);
        gateway.prompt("c1", &["caller"]).await;
        yes(&gateway, &["caller"]).await;
        gateway.control("c1", "resume").await.expect(200);
    }
}

#[tokio::test]
async fn a_withdrawal_takes_the_seconds_since_it_was_said_and_not_since_it_was_reported() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    let withdrawn = json!({"type": "consent.withdrawn", "participant": "caller", "at": after(from, 4000)});
    gateway.event("c1", &withdrawn).await.expect(201);
    gateway.upload("c1", "a", Some(from), &wav(4001)).await.problem(403, "consent-withdrawn");
    gateway.upload("c1", "a", None, &wav(1000)).await.problem(403, "consent-withdrawn");
    nothing_got_in(&gateway).await;
    gateway.upload("c1", "a", Some(from), &wav(4000)).await.expect(201);
    stored(&gateway, 1).await;
}

#[tokio::test]
async fn what_the_platform_does_by_itself_grants_nothing() {
    let gateway = Gateway::start().await;
    gateway.open("c1", "US-CA").await;
    gateway.prompt("c1", &["caller", "agent"]).await;
    let from = gateway.now();
    for kind in ["recording.started", "recording.resumed"] {
        gateway.event("c1", &json!({"type": kind})).await.expect(201);
        gateway.advance_ms(2000);
        gateway.upload("c1", "a", Some(from), &wav(1000)).await.expect(403);
        gateway.upload("c1", "a", None, &wav(1000)).await.expect(403);
    }
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn evidence_that_may_come_late_still_counts_from_no_earlier_than_the_prompt_it_answers() {
    use consent_gateway::config::Config;
    use consent_gateway::gate::AccountSettings;
    let settings = AccountSettings { late_evidence_seconds: 60, ..AccountSettings::default() };
    let gateway = Gateway::with(Config::default(), settings).await;
    gateway.open("c1", "AT").await;
    gateway.advance_ms(30_000);
    gateway.prompt("c1", &["caller", "agent"]).await;
    let prompted = gateway.now();
    let event = json!({"type": "consent.given", "participants": ["caller", "agent"], "method": "dtmf", "at": before(prompted, 3999)});
    gateway.event("c1", &event).await.expect(201);
    let call = gateway.recorder.get("/v1/calls/c1").await.expect(200);
    let lawful: Vec<&Value> = call["timeline"]["intervals"]
        .as_array()
        .unwrap_or_else(|| panic!("{call}"))
        .iter()
        .filter(|interval| interval["lawful"] == true)
        .collect();
    assert!(
        lawful.iter().all(|interval| interval["from"].as_str().unwrap() >= prompted.to_string().as_str()),
        "{lawful:?}"
    );
    nothing_got_in(&gateway).await;
}

/// Whoever is one too many is refused, and on the call all the same.
#[tokio::test]
async fn somebody_beyond_the_most_participants_stops_the_recording_for_good() {
    let gateway = Gateway::start().await;
    let person = |n: usize| json!({"id": format!("p{n}"), "role": "customer", "location": "US-TX", "languages": ["en"]});
    let body = json!({"medium": "telephone", "purposes": ["quality"], "participants": (0..200).map(person).collect::<Vec<_>>()});
    gateway.recorder.put("/v1/calls/c", &body).await.expect(201);
    for n in 200..256 {
        gateway.recorder.post("/v1/calls/c/participants", &person(n)).await.expect(201);
    }
    let names: Vec<String> = (0..256).map(|n| format!("p{n}")).collect();
    let everybody: Vec<&str> = names.iter().map(String::as_str).collect();
    gateway.advance_ms(5_000);
    gateway.prompt("c", &everybody).await;
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(1_500);

    let join = async |who: &Value| gateway.recorder.post("/v1/calls/c/participants", who).await;
    let problem = join(&person(256)).await.problem(422, "too-many-participants");
    assert_eq!(problem["decision"]["action"], "pause", "{problem}");
    join(&person(257)).await.problem(422, "too-many-participants");
    let decision = gateway.recorder.get("/v1/calls/c/decision").await.expect(200);
    assert_eq!(
        (&decision["recording"], &decision["action"]),
        (&json!("blocked"), &json!("pause")),
        "{decision}"
    );
    assert_eq!(decision["participants"].as_array().unwrap().len(), 257);

    // Nobody can speak for them.
    let mut named = person(0);
    named["id"] = json!("(others)");
    join(&named).await.problem(422, "invalid-id");
    for event in [
        json!({"type": "consent.given", "participants": ["(others)"], "method": "dtmf"}),
        json!({"type": "participant.left", "participants": ["(others)"]}),
    ] {
        gateway.event("c", &event).await.problem(422, "unknown-participant");
    }
    gateway.prompt("c", &everybody).await;
    gateway.control("c", "resume").await.problem(403, "consent-required");
    gateway.advance_ms(2_000);
    gateway.upload("c", "all", Some(from), &wav(3_000)).await.problem(403, "consent-required");
    gateway.upload("c", "before", Some(from), &wav(1_000)).await.expect(201);
    // Another of them had come before.
    let mut earlier = person(258);
    earlier["joined_at"] = json!(from);
    join(&earlier).await.problem(422, "too-many-participants");
    gateway.upload("c", "again", Some(from), &wav(900)).await.problem(403, "consent-required");
    let erasure = json!({"participant": "(others)", "recordings": "delete", "reason": "they asked"});
    gateway.counsel.post("/v1/erasures", &erasure).await.problem(422, "invalid-id");
}

fn with_number(id: &str, number: &str) -> Value {
    json!({"id": id, "role": "customer", "number": number, "languages": ["en"]})
}

/// Somebody declines and is there again: under another id, in the call opened again, in one after that.
#[tokio::test]
async fn an_objection_follows_the_number_to_other_ids_and_calls_and_lifts_for_each_alone() {
    let gateway = Gateway::start().await;
    let agent = json!({"id": "agent", "role": "agent", "location": "US-NY", "languages": ["en"]});
    let people = |id: &str, number: &str| json!([with_number(id, number), agent]);
    started(&gateway, "c1", people("caller", "+14155550100")).await;
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.control("c1", "start").await.expect(200);
    says(&gateway, "consent.declined", &["caller"]).await;
    says(&gateway, "participant.left", &["caller"]).await;
    for (leg, number) in [("leg-2", "+1 415 555 0100"), ("leg-3", "+14155550100")] {
        join(&gateway, "c1", &with_number(leg, number)).await.expect(201);
        gateway.advance_ms(5000);
        gateway.prompt("c1", &[leg]).await;
        let refused = gateway.control("c1", "resume").await.problem(403, "consent-required");
        assert!(refused["detail"].as_str().unwrap().contains("said no"), "{refused}");
        says(&gateway, "participant.left", &[leg]).await;
    }
    // Whoever has another number, or none, is somebody else.
    for (id, who) in [("other", with_number("other", "+14155550101")), ("withheld", customer("withheld"))] {
        join(&gateway, "c1", &who).await.expect(201);
        gateway.advance_ms(5000);
        gateway.prompt("c1", &[id]).await;
        gateway.control("c1", "resume").await.expect(200);
        gateway.control("c1", "pause").await.expect(200);
    }
    // Found out to have the number later.
    let located = json!({"type": "participant.located", "participant": "withheld", "number": "+14155550100"});
    let decision = gateway.event("c1", &located).await.expect(201);
    assert_eq!(decision["recording"], "blocked", "{decision}");

    for round in ["again", "and again"] {
        gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
        gateway.advance_ms(3_600_000);
        // They are not there from the start, and come later.
        started(&gateway, "c1", json!([agent])).await;
        join(&gateway, "c1", &with_number("caller", "+14155550100")).await.expect(201);
        gateway.advance_ms(5000);
        gateway.prompt("c1", &["caller", "agent"]).await;
        gateway.control("c1", "start").await.problem(403, "consent-required");
        assert_eq!(
            gateway.recorder.get("/v1/calls/c1/decision").await.expect(200)["participants"][1]["state"],
            "declined",
            "{round}"
        );
    }
    yes(&gateway, &["caller"]).await;
    gateway.control("c1", "start").await.expect(200);
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    started(&gateway, "c1", people("caller", "+14155550100")).await;
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.control("c1", "start").await.expect(200);
    // A day later it is forgotten.
    says(&gateway, "consent.declined", &["caller"]).await;
    gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
    gateway.advance_ms(25 * 3_600_000);
    started(&gateway, "c1", people("caller", "+14155550100")).await;
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway.control("c1", "start").await.expect(200);
    nothing_got_in(&gateway).await;
}

/// What is withdrawn on a call that is over takes effect on that call, and bars the one opened since.
#[tokio::test]
async fn a_withdrawal_dated_in_an_earlier_call_of_the_id_is_that_calls() {
    let settings =
        AccountSettings { on_withdrawal: policy::OnWithdrawal::Delete, ..AccountSettings::default() };
    let gateway = Gateway::with(Config::default(), settings).await;
    let people = json!([
        with_number("caller", "+14155550100"),
        {"id": "agent", "role": "agent", "location": "US-NY", "languages": ["en"]},
    ]);
    let mut recordings = Vec::new();
    let mut begun = Vec::new();
    for _ in 0..2 {
        started(&gateway, "c1", people.clone()).await;
        gateway.prompt("c1", &["caller", "agent"]).await;
        gateway.control("c1", "start").await.expect(200);
        let from = gateway.now();
        gateway.advance_ms(2000);
        recordings.push(gateway.upload("c1", "a", Some(from), &wav(1000)).await.expect(201));
        begun.push(from);
        if begun.len() == 1 {
            gateway.event("c1", &json!({"type": "call.ended"})).await.expect(201);
            gateway.advance_ms(60_000);
        }
    }
    let withdrawn = json!({"type": "consent.withdrawn", "participant": "caller", "at": after(begun[0], 500)});
    let decision = gateway.event("c1", &withdrawn).await.expect(201);
    assert_eq!(
        (&decision["recording"], &decision["action"]),
        (&json!("blocked"), &json!("pause")),
        "{decision}"
    );
    let path = |n: usize| format!("/v1/recordings/{}", recordings[n]["id"].as_str().unwrap());
    gateway.recorder.get(&path(0)).await.problem(410, "recording-deleted");
    gateway.recorder.get(&path(1)).await.expect(200);
    let last = gateway.now();
    gateway.advance_ms(2000);
    assert_eq!(gateway.upload("c1", "b", Some(last), &wav(1000)).await.status, 403);
}
