//! A call that a gateway keeps folded is the one that its entries give, whoever wrote them.

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use consent_gateway::ledger::Job;
use consent_gateway::serve::{self, Running};
use serde_json::{Value, json};
use sqlx::Connection as _;
use trail::{Actor, Body, GapCause};

use super::person;
use crate::harness::{Answer, Client, Gateway, Random, wav};

const NUMBER: &str = "+14155550177";

/// Another gateway on the same data, reached with the same credentials.
async fn beside(gateway: &Gateway) -> Running {
    serve::start(&gateway.config(), gateway.clock.clone()).await.unwrap()
}

fn through(running: &Running, client: &Client) -> Client {
    Client { address: running.address, ..client.clone() }
}

async fn shown(client: &Client, call: &str) -> Value {
    client.get(&format!("/v1/calls/{call}")).await.expect(200)
}

/// Two gateways take turns on one call, and a third that has never seen it is asked what it makes of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_on_one_call_and_one_that_reads_it_anew_say_the_same() {
    let mut random = Random::seeded();
    let gateway = Gateway::start().await;
    let other = beside(&gateway).await;
    let grant = json!({"subject": NUMBER, "role": "customer", "basis": "web form", "text_version": "1"});
    gateway.registrar.put("/v1/consent-grants/form", &grant).await.expect(201);
    let (mut done, mut compared) = (std::collections::BTreeMap::new(), 0);
    for story in 0..3 {
        let call = format!("c{story}");
        gateway
            .open_with(
                &call,
                json!([person("p0", "customer", "US-CA"), person("p1", "agent", "US-NY")]),
                json!({}),
            )
            .await;
        gateway.prompt(&call, &["p0", "p1"]).await;
        let recorder = through(&other, &gateway.recorder);
        recorder.post(&format!("/v1/calls/{call}/recording"), &json!({"action": "start"})).await.expect(200);
        gateway.advance_ms(1_000);
        for step in 0..40 {
            gateway.advance_ms(random.next() % 3_000);
            let at_other = random.below(2) == 0;
            let running = if at_other { &other } else { &gateway.running };
            let of = |client: &Client| through(running, client);
            let (name, answer) = act(&mut random, &gateway, running, &of, &call, step).await;
            assert!(answer.status < 500, "{name}: {}", answer.text());
            *done.entry(name).or_insert(0) += u32::from(answer.status < 400);
            let (here, there) = (gateway.recorder.clone(), through(&other, &gateway.recorder));
            let mut seen = vec![("the other", there)];
            let fresh = if random.below(8) == 0 || step == 39 { Some(beside(&gateway).await) } else { None };
            seen.extend(fresh.as_ref().map(|fresh| ("a fresh one", through(fresh, &gateway.recorder))));
            for (which, client) in seen {
                // A gateway's keeper may log a gap between two looks.
                loop {
                    let (before, theirs, after) =
                        (shown(&here, &call).await, shown(&client, &call).await, shown(&here, &call).await);
                    if before == after {
                        assert_eq!(theirs, after, "{story}, {step}, {name}: {which}");
                        break;
                    }
                }
            }
            if let Some(fresh) = fresh {
                fresh.stop().await.unwrap();
                compared += 1;
            }
        }
    }
    assert!(compared > 3, "{compared}");
    // Each of them has happened, and not only been refused.
    for kind in ["events", "join", "gap", "settings", "upload"] {
        assert!(done.get(kind).is_some_and(|count| *count > 0), "{kind}: {done:?}");
    }
    let (code, told, err) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{told}{err}");
    other.stop().await.unwrap();
}

/// Something happens on a call, through one of the gateways or beside them.
async fn act(
    random: &mut Random,
    gateway: &Gateway,
    running: &Running,
    of: &dyn Fn(&Client) -> Client,
    call: &str,
    step: usize,
) -> (&'static str, Answer) {
    let recorder = of(&gateway.recorder);
    let who = format!("p{}", random.below(4));
    match if step == 0 { 16 } else { random.below(20) } {
        0..10 => {
            let events = [
                json!({"type": "prompt.completed", "prompt": "en", "participants": ["p0", "p1"], "played_ms": 4000}),
                json!({"type": "prompt.started", "prompt": "en", "participants": [who]}),
                json!({"type": "consent.given", "participant": who, "method": "dtmf"}),
                json!({"type": "consent.declined", "participant": who}),
                json!({"type": "participant.located", "participant": who, "location": "US-FL", "number": NUMBER}),
                json!({"type": "participant.left", "participant": who}),
                json!({"type": "tone.started"}),
                json!({"type": "tone.stopped"}),
                json!({"type": "recording.started"}),
                json!({"type": "participant.held", "participant": who}),
                json!({"type": "participant.retrieved", "participant": who}),
                json!({"type": "announcement.recorded", "participants": ["p0", "p1"]}),
            ];
            let mut posted: Vec<Value> =
                (0..=random.below(3)).map(|_| events[random.below(events.len())].clone()).collect();
            for (number, event) in posted.iter_mut().enumerate() {
                event["id"] = json!(format!("e{step}-{number}"));
            }
            ("events", recorder.post(&format!("/v1/calls/{call}/events"), &json!(posted)).await)
        }
        10..13 => {
            let more = if random.below(2) == 0 {
                json!({"number": NUMBER})
            } else {
                json!({"consent_grant": "form", "number": NUMBER})
            };
            let mut body = json!({"id": who, "role": "customer", "location": "US-CA", "languages": ["en"]});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            ("join", recorder.post(&format!("/v1/calls/{call}/participants"), &body).await)
        }
        13..16 => {
            let action = ["start", "start", "pause", "resume", "stop"][random.below(5)];
            (
                "control",
                recorder.post(&format!("/v1/calls/{call}/recording"), &json!({"action": action})).await,
            )
        }
        16 => {
            let start =
                gateway.now().checked_sub(jiff::SignedDuration::from_millis(400)).unwrap().to_string();
            let path = format!("/v1/calls/{call}/recordings/r{step}");
            ("upload", recorder.upload(&path, &[("recording-start", &start)], &wav(200)).await)
        }
        17 => {
            // As another gateway logs it that finds out that events may be missing.
            let now = gateway.now();
            let body = Body::Gap { from: now, until: now, cause: GapCause::EndedUnexpectedly };
            let draft = trail::draft("acme", now, &Actor::gateway(), None, body, None).unwrap();
            let job = Job { entries: vec![draft], ..Job::default() };
            running.door.gate.ledger().append(job).await.unwrap();
            ("gap", gateway.auditor.get("/v1/consents?limit=1").await)
        }
        18 => {
            let counsel = of(&gateway.counsel);
            let overlays = if random.below(2) == 0 { json!([]) } else { json!(["debt-collection"]) };
            let law = json!({"overlays": overlays, "reason": "we collect, or no longer"});
            ("settings", counsel.put("/v1/law", &law).await)
        }
        _ => {
            let grant =
                json!({"subject": NUMBER, "role": "customer", "basis": "web form", "text_version": "1"});
            let registrar = of(&gateway.registrar);
            if random.below(3) == 0 {
                let answer = registrar.post("/v1/consent-grants/form/withdraw", &json!({})).await;
                return ("withdrawal", answer);
            }
            ("grant", registrar.put(&format!("/v1/consent-grants/form-{step}-{call}"), &grant).await)
        }
    }
}

/// Who has been erased is named by no gateway that has the call in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_erased_by_one_gateway_is_not_named_by_another() {
    let gateway = Gateway::start().await;
    let other = beside(&gateway).await;
    let caller = json!({"id": "zq-caller", "role": "customer", "number": NUMBER, "location": "US-CA"});
    gateway.open_with("c", json!([caller, person("agent", "agent", "US-CA")]), json!({})).await;
    gateway.happens("c", "consent.declined", "zq-caller").await;
    gateway.report("c", json!({"type": "call.ended"})).await;
    let at_other = through(&other, &gateway.recorder);
    assert!(shown(&at_other, "c").await.to_string().contains("zq-caller"));
    let body = json!({"number": NUMBER, "recordings": "keep", "reason": "request 4711"});
    gateway.counsel.post("/v1/erasures", &body).await.expect(200);
    for client in [&at_other, &gateway.recorder] {
        let answer = client.get("/v1/calls/c").await;
        assert!(!answer.text().contains("zq-caller"), "{}", answer.text());
    }
    other.stop().await.unwrap();
}

/// The index by which a call's entries are found is not signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_an_entry_too_few_or_too_many_is_not_decided() {
    let gateway = Gateway::on(None, Config::default(), AccountSettings::default()).await;
    let other = beside(&gateway).await;
    for call in ["middle", "tail", "foreign", "gap", "another", "whole"] {
        gateway.open(call, "US-CA").await;
        gateway.prompt(call, &["caller", "agent"]).await;
        gateway.happens(call, "consent.declined", "caller").await;
    }
    let given = json!({"type": "consent.given", "participant": "agent", "method": "dtmf"});
    gateway.report("another", given).await;
    let of = |call: &str| format!("(SELECT uid FROM call WHERE id = '{call}')");
    let file = format!("sqlite://{}", gateway.data().join("ledger.db").display());
    let mut ledger = sqlx::SqliteConnection::connect(&file).await.unwrap();
    let mut tamper = async |sql: &[String]| {
        for sql in sql {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).execute(&mut ledger).await.unwrap();
        }
    };
    let asked = async |call: &str| {
        through(&other, &gateway.recorder).get(&format!("/v1/calls/{call}/decision")).await.status
    };
    tamper(&[
        "PRAGMA foreign_keys = OFF".into(),
        "DROP TRIGGER entry_is_never_changed".into(),
        "DROP TRIGGER entry_is_never_deleted".into(),
        format!("DELETE FROM entry WHERE call = {} AND type = 'prompt.completed'", of("middle")),
        "DELETE FROM entry WHERE id = (SELECT head FROM call WHERE id = 'tail')".into(),
        format!(
            "UPDATE entry SET call = {} WHERE call = {} AND type = 'consent.given'",
            of("foreign"),
            of("another")
        ),
    ])
    .await;
    for (call, status) in [("middle", 500), ("tail", 500), ("foreign", 500), ("whole", 200)] {
        assert_eq!(asked(call).await, status, "{call}");
    }
    // A gap concerns every call that is open: not one that another call's entry pretends to be.
    let pretend = "UPDATE entry SET call = NULL, type = 'audit.gap' WHERE type = 'consent.declined'";
    tamper(&[format!("{pretend} AND call = {}", of("another"))]).await;
    assert_eq!(asked("gap").await, 500);
    other.stop().await.unwrap();
}
