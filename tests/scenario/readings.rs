//! How an account's own counsel reads the law: tried as counsel of two tenants would.

use consent_gateway::access::Role;
use consent_gateway::gate::AccountSettings;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use trail::Actor;

use super::{asks, is_blocked, is_permitted, is_suspended, two};
use crate::desk::{Desk, EXPRESS, NOTICE, Text, credential, log};
use crate::harness::{Answer, Client, comes, customer_key, wav};

/// An account whose operator is established in New York, with two people as its counsel.
struct Tenant {
    account: &'static str,
    nora: Client,
    niko: Client,
    recorder: Client,
}

impl Tenant {
    async fn of(desk: &Desk, account: &'static str) -> Tenant {
        let gate = desk.gateway.gate();
        let place = Some("US-NY");
        gate.add_account(&Actor::command_line(), account, place, place, &AccountSettings::default())
            .await
            .unwrap();
        customer_key(gate, desk.gateway.dir.path(), account).await;
        let one = async |role, name: &str| {
            let new = credential(&desk.gateway, account, role, name).await;
            Client::new(desk.gateway.running.address, &new)
        };
        let nora = one(Role::Counsel, "Nora First").await;
        // What eases a purpose counts only for consent that names it, and nothing else.
        let proof = json!({"subject": "agent", "role": "agent", "basis": "contract of employment",
            "text_version": "1", "purposes": ["evidence"]});
        nora.put("/v1/consent-grants/proof", &proof).await.expect(201);
        Tenant {
            account,
            nora,
            niko: one(Role::Counsel, "Niko Second").await,
            recorder: one(Role::Recorder, "the switch").await,
        }
    }

    /// Opens a call between two people in `place`, for these purposes.
    async fn open(&self, desk: &Desk, call: &str, place: &str, purposes: Value) -> Value {
        self.open_with(desk, call, place, json!({"purposes": purposes})).await
    }

    async fn open_with(&self, desk: &Desk, call: &str, place: &str, more: Value) -> Value {
        let mut body =
            json!({"medium": "telephone", "started_at": desk.gateway.now(), "participants": two(place)});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.recorder.put(&format!("/v1/calls/{call}"), &body).await.expect(201)
    }

    /// The agent, who is on the call, names a grant for proof alone.
    async fn agent_agrees(&self, call: &str) -> Value {
        let agent = json!({"id": "agent", "role": "agent", "consent_grant": "proof"});
        self.recorder.post(&format!("/v1/calls/{call}/participants"), &agent).await.expect(201)
    }

    async fn control(&self, call: &str, action: &str) -> Answer {
        self.recorder.post(&format!("/v1/calls/{call}/recording"), &json!({"action": action})).await
    }

    async fn decision(&self, call: &str) -> Value {
        self.recorder.get(&format!("/v1/calls/{call}/decision")).await.expect(200)
    }

    async fn upload(&self, call: &str, name: &str, from: Timestamp, ms: u64) -> Answer {
        let headers = [("recording-start", from.to_string())];
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.recorder.upload(&format!("/v1/calls/{call}/recordings/{name}"), &headers, &wav(ms)).await
    }

    /// The state of a reading.
    async fn state(&self, id: &str) -> Value {
        self.nora.get(&format!("/v1/readings/{id}")).await.expect(200)["state"].clone()
    }

    /// Nora proposes it and Niko approves it: its id.
    async fn both(&self, reading: &Value) -> String {
        let id = id(&self.nora.post("/v1/readings", reading).await.expect(202));
        self.decide(&self.niko, &id, "approve").await.expect(200);
        id
    }

    /// `approve` or `end`.
    async fn decide(&self, who: &Client, id: &str, what: &str) -> Answer {
        who.post(&format!("/v1/readings/{id}/{what}"), &json!({"reason": "a test"})).await
    }
}

async fn allow(desk: &Desk, account: &str) -> Answer {
    let path = format!("/v1/jurisdictions/US-TX/readings/{account}");
    desk.dana.put(&path, &json!({"reason": "asked by letter of 2 November"})).await
}

async fn disallow(desk: &Desk, account: &str) -> Answer {
    let path = format!("/v1/jurisdictions/US-TX/readings/{account}");
    desk.dana.delete(&path).await.problem(422, "reason-required");
    desk.dana.delete(&format!("{path}?reason=the%20case%20was%20decided%20otherwise")).await
}

fn id(reading: &Value) -> String {
    reading["id"].as_str().unwrap().to_owned()
}

/// One party's consent is enough in Texas, where the call is for proof of a contract.
fn texas(until: Timestamp) -> Value {
    json!({
        "code": "US-TX", "operator": "US-NY", "entity": "North Sales LLC", "parties": "one", "form": "none",
        "purposes": ["evidence"], "until": until, "memo": "memo 2026-17", "reason": "the statute asks for one party",
    })
}

fn but(reading: &Value, member: &str, value: Value) -> Value {
    let mut reading = reading.clone();
    reading[member] = value;
    reading
}

fn hours(desk: &Desk, hours: i64) -> Timestamp {
    desk.gateway.now().checked_add(SignedDuration::from_hours(hours)).unwrap()
}

/// Texas asks for notice by everybody.
async fn desk() -> Desk {
    Desk::with(&Text::plain().row("US-TX", NOTICE)).await
}

/// The account's log is good, once the logs are signed as far as they go.
async fn verified(desk: &Desk, account: &str) {
    comes(async || desk.gateway.run(&["audit", "verify", account]).0 == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenant_loosens_a_place_by_two_people_until_a_date_and_the_others_calls_do_not_change() {
    let desk = desk().await;
    let (north, south) = (Tenant::of(&desk, "north").await, Tenant::of(&desk, "south").await);
    let until = hours(&desk, 24 * 30);
    north.nora.post("/v1/readings", &texas(until)).await.problem(403, "readings-not-allowed");
    allow(&desk, "north").await.expect(200);
    let before = north.open(&desk, "before", "US-TX", json!(["evidence"])).await;
    assert_eq!(asks(&before), "all/notice");
    let proposed = north.nora.post("/v1/readings", &texas(until)).await.expect(202);
    let id = id(&proposed);
    assert_eq!((&proposed["state"], &proposed["author"]), (&json!("proposed"), &json!("Nora First")));
    assert_eq!(asks(&north.open(&desk, "still", "US-TX", json!(["evidence"])).await), "all/notice");
    // The same person, with whatever credential, is not a second one.
    north.decide(&north.nora, &id, "approve").await.problem(403, "own-proposal");
    let again = credential(&desk.gateway, "north", Role::Counsel, "nora first").await;
    let again = Client::new(desk.gateway.running.address, &again);
    north.decide(&again, &id, "approve").await.problem(403, "own-proposal");
    // Nor is the other tenant's counsel, who does not even see it.
    south.decide(&south.niko, &id, "approve").await.problem(404, "not-found");
    let approved = north.decide(&north.niko, &id, "approve").await.expect(200);
    assert_eq!((&approved["state"], &approved["approver"]), (&json!("in-force"), &json!("Niko Second")));

    let opened = north.open(&desk, "c", "US-TX", json!(["evidence"])).await;
    assert_eq!(asks(&opened), "one/none");
    assert!(opened["because"].to_string().contains(&id), "{opened}");
    is_permitted(&north.agent_agrees("c").await);
    // For another purpose, or none, on a call that was open, elsewhere, and by somebody else: nothing changes.
    for (call, purposes) in [
        ("quality", json!(["quality"])),
        ("both", json!(["evidence", "quality"])),
        ("own", json!(["evidence", "our-own-purpose"])),
        ("none", json!([])),
    ] {
        assert_eq!(asks(&north.open(&desk, call, "US-TX", purposes).await), "all/notice", "{call}");
    }
    assert_eq!(asks(&north.decision("before").await), "all/notice");
    assert_eq!(asks(&north.open(&desk, "ca", "US-CA", json!(["evidence"])).await), "all/notice");
    let elsewhere = json!({"purposes": ["evidence"], "operator_location": "US-NV"});
    assert_eq!(asks(&north.open_with(&desk, "nv", "US-TX", elsewhere).await), "all/notice");
    assert_eq!(asks(&south.open(&desk, "c", "US-TX", json!(["evidence"])).await), "all/notice");
    // Where only the country is known, the strictest of its states counts, as the table says.
    assert_eq!(asks(&north.open(&desk, "us", "US", json!(["evidence"])).await), "all/notice");

    // Another gateway on the same data says the same; so does this one after a month: the reading is over.
    let node = desk.another(None, desk.gateway.clock.clone()).await;
    let there = Tenant {
        recorder: Client { address: node.address, ..north.recorder.clone() },
        ..Tenant {
            account: north.account,
            nora: north.nora.clone(),
            niko: north.niko.clone(),
            recorder: north.recorder.clone(),
        }
    };
    assert_eq!(asks(&there.open(&desk, "there", "US-TX", json!(["evidence"])).await), "one/none");
    assert_eq!(asks(&there.decision("c").await), "one/none");
    desk.gateway.advance_ms(30 * 86_400_000);
    assert_eq!(asks(&north.open(&desk, "late", "US-TX", json!(["evidence"])).await), "all/notice");
    assert_eq!(north.state(&id).await, "expired");
    assert_eq!(asks(&there.decision("c").await), "all/notice");
    node.stop().await.unwrap();
    let listed = north.nora.get("/v1/readings").await.expect(200);
    assert_eq!((&listed["readings"][0]["id"], &listed["allowed"]), (&json!(id), &json!(["US-TX"])));
    assert_eq!(south.nora.get("/v1/readings").await.expect(200)["readings"], json!([]));
    verified(&desk, north.account).await;
    verified(&desk, south.account).await;
    let kinds: Vec<String> = log(&desk.gateway, "north").await.into_iter().map(|leaf| leaf.kind).collect();
    for kind in ["reading.allowed", "reading.proposed", "reading.approved"] {
        assert!(kinds.iter().any(|one| one == kind), "{kind}");
    }
    // What was said for it stands in the detail alone.
    for row in desk.gateway.rows("north").await {
        let leaf = String::from_utf8_lossy(&row.leaf).into_owned();
        assert!(!leaf.contains("North Sales") && !leaf.contains("memo 2026"), "{leaf}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_open_when_a_reading_is_over_follows_the_table_from_that_moment() {
    let desk = desk().await;
    let north = Tenant::of(&desk, "north").await;
    allow(&desk, "north").await.expect(200);
    let until = hours(&desk, 1);
    north.both(&texas(until)).await;
    desk.gateway.advance_ms(3_600_000 - 5_000);
    north.open(&desk, "c", "US-TX", json!(["evidence"])).await;
    is_permitted(&north.agent_agrees("c").await);
    north.control("c", "start").await.expect(200);
    let from = desk.gateway.now();
    desk.gateway.advance_ms(4_999);
    is_permitted(&north.decision("c").await);
    desk.gateway.advance_ms(3_001);
    let over = north.decision("c").await;
    is_suspended(&over);
    assert_eq!(asks(&over), "all/notice");
    assert!(over["because"].to_string().contains("is over since"), "{over}");
    north.control("c", "resume").await.problem(403, "consent-required");
    // What was lawful stays so, to the moment; what comes after is not.
    let refused = north.upload("c", "long", from, 6_000).await.problem(403, "consent-required");
    assert_eq!(refused["uncovered"][0]["offset_ms"], 5_000, "{refused}");
    north.upload("c", "a", from, 5_000).await.expect(201);
    verified(&desk, "north").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_calls_follow_the_table_when_a_reading_is_ended_or_no_longer_allowed() {
    let desk = desk().await;
    let north = Tenant::of(&desk, "north").await;
    allow(&desk, "north").await.expect(200);
    for ends in ["end", "disallow"] {
        let id = north.both(&texas(hours(&desk, 24))).await;
        north.open(&desk, ends, "US-TX", json!(["evidence"])).await;
        north.agent_agrees(ends).await;
        north.control(ends, "start").await.expect(200);
        let from = desk.gateway.now();
        desk.gateway.advance_ms(2_000);
        match ends {
            "end" => drop(north.decide(&north.nora, &id, "end").await.expect(200)),
            _ => drop(disallow(&desk, "north").await.expect(200)),
        }
        desk.gateway.advance_ms(2_000);
        is_suspended(&north.decision(ends).await);
        assert_eq!(north.state(&id).await, "ended");
        // Also what the platform recorded before anybody asked again.
        north.upload(ends, "long", from, 4_000).await.problem(403, "consent-required");
        north.upload(ends, "a", from, 2_000).await.expect(201);
        assert_eq!(
            asks(&north.open(&desk, &format!("{ends}-later"), "US-TX", json!(["evidence"])).await),
            "all/notice"
        );
        north.decide(&north.nora, &id, "end").await.problem(409, "reading-decided");
        north.decide(&north.niko, &id, "approve").await.problem(409, "reading-decided");
    }
    north.nora.post("/v1/readings", &texas(hours(&desk, 24))).await.problem(403, "readings-not-allowed");
    // Allowed anew, what was over stays over.
    allow(&desk, "north").await.expect(200);
    assert_eq!(asks(&north.open(&desk, "anew", "US-TX", json!(["evidence"])).await), "all/notice");
    verified(&desk, "north").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_does_not_outlive_the_allowance_or_its_own_end_or_the_rule_it_reads() {
    let desk = desk().await;
    let north = Tenant::of(&desk, "north").await;
    allow(&desk, "north").await.expect(200);
    let waits = id(&north.nora.post("/v1/readings", &texas(hours(&desk, 24))).await.expect(202));
    disallow(&desk, "north").await.expect(200);
    allow(&desk, "north").await.expect(200);
    north.decide(&north.niko, &waits, "approve").await.problem(409, "reading-decided");
    let short = id(&north.nora.post("/v1/readings", &texas(hours(&desk, 1))).await.expect(202));
    let long = id(&north.nora.post("/v1/readings", &texas(hours(&desk, 24))).await.expect(202));
    let counts = north.both(&texas(hours(&desk, 24))).await;
    desk.gateway.advance_ms(3_600_000);
    north.decide(&north.niko, &short, "approve").await.problem(409, "reading-decided");
    north.open(&desk, "open", "US-TX", json!(["evidence"])).await;
    is_permitted(&north.agent_agrees("open").await);
    // The law of the place becomes stricter than what counsel had read: calls follow the table.
    desk.publish(&desk.dana, &Text::plain().row("US-TX", EXPRESS)).await.expect(201);
    north.decide(&north.niko, &long, "approve").await.problem(422, "invalid-reading");
    assert_eq!(asks(&north.open(&desk, "later", "US-TX", json!(["evidence"])).await), "all/express");
    let open = north.decision("open").await;
    is_blocked(&open);
    assert_eq!(asks(&open), "all/express");
    assert_eq!(north.state(&counts).await, "in-force");
    verified(&desk, "north").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stricter_reading_takes_one_person_and_no_leave_and_only_adds() {
    let desk = desk().await;
    let (north, south) = (Tenant::of(&desk, "north").await, Tenant::of(&desk, "south").await);
    let stricter = json!({
        "code": "US-TX", "operator": "US-NY", "entity": "North Sales LLC", "parties": "all", "form": "express",
        "reason": "after the complaint",
    });
    let held = north.nora.post("/v1/readings", &stricter).await.expect(201);
    assert_eq!(
        (&held["state"], &held["instead_of"], &held["until"]),
        (&json!("in-force"), &Value::Null, &Value::Null)
    );
    let opened = north.open(&desk, "c", "US-TX", json!(["evidence"])).await;
    assert_eq!(asks(&opened), "all/express");
    assert!(opened["because"].to_string().contains("asks more here"), "{opened}");
    // Also where the operator is not known, and where only the country is.
    assert_eq!(asks(&north.open(&desk, "us", "US", json!([])).await), "all/express");
    assert_eq!(asks(&north.open(&desk, "ny", "US-NY", json!([])).await), "one/none");
    assert_eq!(asks(&south.open(&desk, "c", "US-TX", json!(["evidence"])).await), "all/notice");
    // It counts beside one that asks less: the strictest wins.
    allow(&desk, "north").await.expect(200);
    north.both(&texas(hours(&desk, 24))).await;
    assert_eq!(asks(&north.open(&desk, "two", "US-TX", json!(["evidence"])).await), "all/express");
    // One that could never count is not taken for one that does.
    let elsewhere = but(&stricter, "operator", json!("US-NJ"));
    north.nora.post("/v1/readings", &elsewhere).await.problem(422, "invalid-reading");
    // Saying less in words that sound stricter is still less: by meaning, and not by text.
    let disguised = json!({
        "code": "US-CA", "operator": "US-NY", "entity": "North Sales LLC", "parties": "one", "form": "none",
        "announcement_must_be_recorded": true, "reason": "stricter than ever",
    });
    north.nora.post("/v1/readings", &disguised).await.problem(422, "invalid-reading");
    let disguised = but(&but(&disguised, "memo", json!("m")), "until", json!(hours(&desk, 9)));
    north.nora.post("/v1/readings", &disguised).await.problem(403, "readings-not-allowed");
    verified(&desk, "north").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stricter_reading_is_ended_by_two_people_and_counts_until_then() {
    let desk = desk().await;
    let north = Tenant::of(&desk, "north").await;
    allow(&desk, "north").await.expect(200);
    north.both(&texas(hours(&desk, 24))).await;
    let client = async |name: &str| {
        let new = credential(&desk.gateway, "north", Role::Counsel, name).await;
        Client::new(desk.gateway.running.address, &new)
    };
    let (nora_again, niko_again) = (client("nora first").await, client("niko second").await);
    let third = client("Pat Third").await;
    let open = async |call: &str| asks(&north.open(&desk, call, "US-TX", json!(["evidence"])).await);
    let stricter = json!({
        "code": "US-TX", "operator": "US-NY", "entity": "North Sales LLC", "parties": "all", "form": "express",
        "reason": "after the complaint",
    });
    // Its author only proposes its end, and so does the other one, if they are the first.
    for (name, first, again, second) in [
        ("Nora First", &north.nora, &nora_again, &north.niko),
        ("Niko Second", &north.niko, &niko_again, &north.nora),
    ] {
        let call = |when: &str| format!("{}-{when}", name.split(' ').next().unwrap());
        let held = id(&north.nora.post("/v1/readings", &stricter).await.expect(201));
        assert_eq!(open(&call("before")).await, "all/express");
        // The proposal of somebody who does not count would be in the others' way.
        north.decide(&third, &held, "end").await.problem(403, "unconfirmed-person");
        let proposed = north.decide(first, &held, "end").await.expect(202);
        assert_eq!((&proposed["state"], &proposed["end_proposer"]), (&json!("in-force"), &json!(name)));
        assert!(proposed["end_proposed_at"].is_string() && proposed["ended_at"].is_null(), "{proposed}");
        assert_eq!(open(&call("proposed")).await, "all/express");
        // The same person, with whatever credential, is not a second one.
        north.decide(first, &held, "end").await.problem(403, "own-proposal");
        north.decide(again, &held, "end").await.problem(403, "own-proposal");
        north.decide(&third, &held, "end").await.problem(403, "unconfirmed-person");
        assert_eq!(north.state(&held).await, "in-force");
        let ended = north.decide(second, &held, "end").await.expect(200);
        assert_eq!((&ended["state"], &ended["end_proposer"]), (&json!("ended"), &json!(name)));
        // Within a call nothing is relaxed; later calls follow what else there is.
        assert_eq!(asks(&north.decision(&call("before")).await), "all/express");
        assert_eq!(open(&call("after")).await, "one/none");
        north.decide(first, &held, "end").await.problem(409, "reading-decided");
    }
    // One whose time is over asks nothing any more, so one person ends it.
    let short = but(&stricter, "until", json!(hours(&desk, 1)));
    let short = id(&north.nora.post("/v1/readings", &short).await.expect(201));
    desk.gateway.advance_ms(3_600_000);
    assert_eq!(north.decide(&north.nora, &short, "end").await.expect(200)["state"], "ended");
    verified(&desk, "north").await;
    let kinds = log(&desk.gateway, "north").await.into_iter().map(|leaf| leaf.kind);
    let ends: Vec<String> = kinds.filter(|kind| kind.starts_with("reading.end")).collect();
    let both = ["reading.end-proposed", "reading.ended"];
    assert_eq!(ends, [both[0], both[1], both[0], both[1], both[1]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_makes_no_sense_or_could_never_count_is_refused() {
    let desk = desk().await;
    let north = Tenant::of(&desk, "north").await;
    allow(&desk, "north").await.expect(200);
    let good = texas(hours(&desk, 24));
    for (wrong, code) in [
        (but(&good, "memo", Value::Null), "invalid-reading"),
        (but(&good, "entity", json!(" ")), "invalid-reading"),
        (but(&good, "until", Value::Null), "invalid-reading"),
        (but(&good, "until", json!(hours(&desk, 24 * 732))), "invalid-reading"),
        (but(&good, "until", json!(desk.gateway.now())), "invalid-reading"),
        (but(&good, "operator", json!("US-NV")), "invalid-reading"),
        (but(&good, "form", json!("notice")), "invalid-reading"),
        (but(&good, "purposes", json!(["our-own"])), "invalid-reading"),
        (but(&but(&good, "parties", json!("all")), "form", json!("express")), "invalid-reading"),
        (but(&good, "code", json!("US-XX")), "invalid-place"),
        (but(&good, "reason", json!("")), "reason-required"),
    ] {
        assert_eq!(north.nora.post("/v1/readings", &wrong).await.expect(422)["code"], code, "{wrong}");
    }
    // What no row covers is asked by default, and that is nobody's to read.
    north.nora.post("/v1/readings", &but(&good, "code", json!("FR"))).await.problem(404, "no-row");
    north.recorder.post("/v1/readings", &good).await.problem(403, "wrong-role");
    desk.dana.post("/v1/readings", &good).await.problem(403, "wrong-account");
    // Only the law desk allows it, and only for places that the table has.
    let path = "/v1/jurisdictions/US-TX/readings/north";
    north.nora.put(path, &json!({"reason": "we think so"})).await.problem(403, "wrong-account");
    desk.dana.put(path, &json!({"reason": " "})).await.problem(422, "reason-required");
    let reason = json!({"reason": "a test"});
    desk.dana.put("/v1/jurisdictions/FR/readings/north", &reason).await.problem(404, "no-row");
    desk.dana.put("/v1/jurisdictions/US-TX/readings/nobody", &reason).await.problem(404, "unknown-account");
    desk.dana.put("/v1/jurisdictions/US-TX/readings/system", &reason).await.problem(403, "wrong-account");
    assert_eq!(desk.dana.put(path, &reason).await.expect(200)["allowed"], true);
    assert_eq!(north.nora.get("/v1/readings").await.expect(200)["readings"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_opened_again_is_a_new_call_and_a_reading_in_force_then_counts() {
    let desk = Desk::with(&Text::plain().row("US-TX", EXPRESS)).await;
    let north = Tenant::of(&desk, "north").await;
    allow(&desk, "north").await.expect(200);
    assert_eq!(asks(&north.open(&desk, "c", "US-TX", json!(["evidence"])).await), "all/express");
    north.both(&texas(hours(&desk, 24))).await;
    assert_eq!(asks(&north.decision("c").await), "all/express");
    let ended = json!({"type": "call.ended"});
    north.recorder.post("/v1/calls/c/events", &ended).await.expect(201);
    desk.gateway.advance_ms(1_000);
    assert_eq!(asks(&north.open(&desk, "c", "US-TX", json!(["evidence"])).await), "one/none");
    // It says nothing of who objects.
    let no = json!({"type": "consent.declined", "participant": "caller"});
    is_blocked(&north.recorder.post("/v1/calls/c/events", &no).await.expect(201));
    is_blocked(&north.agent_agrees("c").await);
    // Nor of where somebody else is.
    north.open(&desk, "d", "US-TX", json!(["evidence"])).await;
    let moved = json!({"type": "participant.located", "participant": "caller", "location": "DE"});
    assert_eq!(asks(&north.recorder.post("/v1/calls/d/events", &moved).await.expect(201)), "all/express");
    verified(&desk, "north").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counsel_rehearses_and_states_a_reading_at_the_command_line() {
    let desk = desk().await;
    let tenant = Tenant::of(&desk, "north").await;
    for (call, purposes) in [("proof", json!(["evidence"])), ("quality", json!(["quality"]))] {
        tenant.open(&desk, call, "US-TX", purposes).await;
        tenant.agent_agrees(call).await;
        tenant.control(call, "start").await.problem(403, "consent-required");
    }
    let file = desk.gateway.dir.path().join("texas.json");
    let file = file.to_str().unwrap();
    std::fs::write(file, texas(hours(&desk, 24 * 30)).to_string()).unwrap();
    let (code, told, wrong) =
        desk.gateway.run(&["table", "impact", "--reading", file, "--account", "north", "--json"]);
    assert_eq!(code, 0, "{wrong}");
    let impact: Value = serde_json::from_str(&told).unwrap();
    let effects = |of: &Value| (of["allowed"].as_u64().unwrap(), of["blocked"].as_u64().unwrap());
    assert_eq!((impact["calls"].as_u64(), effects(&impact["total"])), (Some(2), (1, 0)), "{impact}");
    assert!(impact["reading"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(impact["base"], impact["table"], "the table is the same");
    let (code, _, wrong) = desk.gateway.run(&["table", "impact", "--reading", file]);
    assert!(code != 0 && wrong.contains("--account"), "{wrong}");
    // What would be stricter is rehearsed likewise.
    let strict = json!({"code": "US-TX", "operator": "US-NY", "entity": "North Sales LLC", "parties": "all",
        "form": "express", "reason": "our counsel wants a yes"});
    std::fs::write(file, strict.to_string()).unwrap();
    let (_, told, _) =
        desk.gateway.run(&["table", "impact", "--reading", file, "--account", "north", "--json"]);
    let impact: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(impact["total"]["asked_more"], 2, "{impact}");
    assert_eq!(
        tenant.nora.get("/v1/readings").await.expect(200)["readings"],
        json!([]),
        "nobody has stated it"
    );

    // Stated, listed and ended there as well.
    let person = credential(&desk.gateway, "north", Role::Counsel, "Nora First").await;
    let acts = |args: &[&str]| {
        let options = desk.gateway.options();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let password = [("CONSENT_GATEWAY_PASSWORD", person.password.expose())];
        crate::harness::run_with(&[args, &["--as", &person.username], &options].concat(), &password)
    };
    let (code, told, wrong) = acts(&["reading", "state", file]);
    assert_eq!((code, told.contains("in force")), (0, true), "{told}{wrong}");
    let (_, listed, _) = desk.gateway.run(&["reading", "list", "north"]);
    assert!(listed.contains("US-TX  all/express  in force"), "{listed}");
    std::fs::write(file, texas(hours(&desk, 24 * 30)).to_string()).unwrap();
    let (code, _, wrong) = acts(&["reading", "state", file]);
    assert!(code == 1 && wrong.contains("US-TX"), "nobody has allowed that: {code} {wrong}");
    allow(&desk, "north").await.expect(200);
    let (code, told, _) = acts(&["reading", "state", file]);
    assert_eq!((code, told.contains("reading approve sha256:")), (3, true), "{told}");
    let id = told.trim().rsplit(' ').next().unwrap();
    let (code, told, wrong) = acts(&["reading", "end", id, "--reason", "not now"]);
    assert_eq!((code, told.contains("ended")), (0, true), "{told}{wrong}");
}
