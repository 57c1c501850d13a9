//! Readings of the law: what an account may not do by them, whatever its operator signs.

use jiff::SignedDuration;
use policy::reading::Asks;
use policy::{Call, CoverageBasis, Evidence, Form, Joined, Parties, Place, Purposes, Reading, Role, Terms};
use serde_json::json;
use uuid::Uuid;

use super::forgery::rewritten;
use super::*;
use crate::audit::pack;
use crate::{Body, OnRefusal, Saw, reading};

fn desk() -> Actor {
    Actor { credential: "cg_desk".into(), role: "counsel".into() }
}

fn nora() -> Actor {
    Actor { credential: "cg_nora".into(), role: "counsel".into() }
}

fn niko() -> Actor {
    Actor { credential: "cg_niko".into(), role: "counsel".into() }
}

/// A log with two people as counsel.
fn log() -> Log {
    let mut log = Log::new();
    for (number, actor) in [(1, nora()), (2, niko())] {
        let person = Uuid::from_u128(number);
        log.entry(&Actor::command_line(), Body::Person { person, founding: true }, None);
        let body = Body::Credential {
            credential: actor.credential,
            role: actor.role,
            person: Some(person),
            coverage: CoverageBasis::Granted,
            on_refusal: OnRefusal::Deny,
            quarantine_seconds: 0,
        };
        log.entry(&Actor::command_line(), body, Some(json!({"name": "somebody"})));
    }
    log
}

fn asks(parties: Parties, form: Form) -> Asks {
    Asks { parties, form, announcement_must_be_recorded: false }
}

fn named(terms: Terms) -> Reading {
    Reading { id: reading::id_of(&terms), terms }
}

/// In California one party is enough, for an hour.
fn looser(log: &Log) -> Reading {
    named(Terms {
        code: "US-CA".parse().unwrap(),
        operator: "US-NY".parse().unwrap(),
        asks: asks(Parties::One, Form::None),
        media: Vec::new(),
        purposes: Purposes::NONE,
        instead_of: Some(asks(Parties::All, Form::Notice)),
        until: Some(log.now + SignedDuration::from_hours(1)),
        text: reading::text_of("salt", "Acme Inc.", "memo 1", "a reason"),
    })
}

/// In California everybody has to say yes.
fn stricter() -> Reading {
    named(Terms {
        code: "US-CA".parse().unwrap(),
        operator: "US-NY".parse().unwrap(),
        asks: asks(Parties::All, Form::Express),
        media: Vec::new(),
        purposes: Purposes::NONE,
        instead_of: None,
        until: None,
        text: String::new(),
    })
}

fn allowed() -> Body {
    Body::ReadingAllowed { code: "US-CA".parse().unwrap() }
}

/// Allowed, proposed and approved.
fn in_force(log: &mut Log) -> Reading {
    let reading = looser(log);
    log.entry(&desk(), allowed(), None);
    log.entry(&nora(), Body::ReadingProposed { reading: reading.clone() }, None);
    log.entry(&niko(), Body::ReadingApproved { reading: reading.id.clone() }, None);
    reading
}

/// A call between two people in California, opened under these readings.
fn open(log: &mut Log, readings: Vec<Reading>) -> (Uuid, u64) {
    let places = || vec![Place::new("US-CA".parse().unwrap(), Evidence::Declared)];
    let people = [(0, Role::Customer), (1, Role::Agent)];
    let people = people.map(|(number, role)| Joined { places: places(), ..Joined::new(number, role) });
    let facts = policy::Opened { readings, ..log.opened(people.to_vec()) };
    let uid = crate::id().unwrap();
    let call = Call::open(&log.table, log.now, facts.clone());
    let saw = Saw::of(log.table.digest(), &call.decide(log.now));
    let body = Body::Opened { facts, subjects: Vec::new(), objectors: Vec::new(), saw };
    let draft =
        crate::draft(ACCOUNT, log.now, &recorder(), Some((uid, None)), body, Some(json!({"call": "c"})));
    let draft = draft.unwrap();
    log.calls.insert(uid, Going { call, head: draft.id });
    log.drafts.push(draft);
    (uid, log.drafts.len() as u64 - 1)
}

fn requirement(log: &Log, uid: Uuid) -> String {
    let requirement = log.calls[&uid].call.decide(log.now).requirement;
    format!("{}/{}", requirement.parties().as_str(), requirement.form().as_str())
}

#[test]
fn a_call_may_rest_on_a_reading_that_two_people_stand_for_until_its_end() {
    let mut log = log();
    let reading = in_force(&mut log);
    let (uid, _) = open(&mut log, vec![reading.clone()]);
    assert_eq!(requirement(&log, uid), "one/none");
    log.agrees(uid, 1);
    log.start(uid);
    let from = log.now;
    log.tick(5_000);
    // Ended: from that moment the table is followed, and the call's next entry says so.
    let ended = log.now;
    log.entry(&nora(), Body::ReadingEnded { reading: reading.id.clone() }, None);
    log.tick(2_000);
    log.calls.get_mut(&uid).unwrap().call.reading_ends(&reading.id, ended, log.now);
    log.happens(uid, policy::What::ToneStarted);
    assert_eq!(requirement(&log, uid), "all/notice");
    log.accept(uid, from, 5_000);
    verified(&log.export()).unwrap();
    // Not a second of what came after is covered.
    let spans = vec![(from, from + SignedDuration::from_millis(6_000))];
    log.accept_anyway(uid, spans);
    let index = log.drafts.len() as u64 - 1;
    assert_found(&found(&log), Verdict::Tampered, index, "consent does not cover");
}

#[test]
fn by_its_end_a_reading_is_over_without_a_word() {
    let mut log = log();
    let reading = in_force(&mut log);
    let (uid, _) = open(&mut log, vec![reading.clone()]);
    log.agrees(uid, 1);
    log.start(uid);
    let from = log.now;
    log.tick(3_600_000);
    log.happens(uid, policy::What::ToneStarted);
    assert_eq!(requirement(&log, uid), "all/notice");
    let lawful = policy::length_ms(from, reading.terms.until.unwrap());
    log.accept(uid, from, lawful);
    verified(&log.export()).unwrap();
    let (_, index) = open(&mut log, vec![reading]);
    assert_found(&found(&log), Verdict::Tampered, index, "was not in force");
}

#[test]
fn a_decision_that_rests_on_a_reading_that_was_ended_is_found() {
    let ends = |log: &mut Log, id: &str| {
        log.entry(&niko(), Body::ReadingEnded { reading: id.into() }, None);
    };
    let disallowed = |log: &mut Log, _: &str| {
        log.entry(&desk(), Body::ReadingDisallowed { code: "US-CA".parse().unwrap() }, None);
    };
    for end in [&ends as &dyn Fn(&mut Log, &str), &disallowed] {
        let mut log = log();
        let reading = in_force(&mut log);
        let (uid, _) = open(&mut log, vec![reading.clone()]);
        end(&mut log, &reading.id);
        log.tick(1_000);
        let mut later = log.clone();
        // The call's state is as if nobody had ended it.
        let index = log.happens(uid, policy::What::ToneStarted);
        assert_found(&found(&log), Verdict::Tampered, index, "a reading that was over");
        let (_, index) = open(&mut later, vec![reading]);
        assert_found(&found(&later), Verdict::Tampered, index, "was not in force");
    }
}

#[test]
fn a_reading_that_was_never_over_is_not_said_to_be() {
    let mut log = log();
    let reading = in_force(&mut log);
    let (uid, _) = open(&mut log, vec![reading.clone()]);
    log.tick(1_000);
    let now = log.now;
    log.calls.get_mut(&uid).unwrap().call.reading_ends(&reading.id, now, now);
    let index = log.happens(uid, policy::What::ToneStarted);
    assert_found(&found(&log), Verdict::Tampered, index, "nobody had ended it");
}

#[test]
fn what_asks_less_takes_two_people_and_the_law_desks_leave() {
    // Not allowed; allowed by the account itself; not any more.
    for allow in [
        Vec::new(),
        vec![(nora(), allowed())],
        vec![(desk(), allowed()), (desk(), Body::ReadingDisallowed { code: "US-CA".parse().unwrap() })],
    ] {
        let mut log = log();
        let reading = looser(&log);
        for (actor, body) in allow {
            log.entry(&actor, body, None);
        }
        log.entry(&nora(), Body::ReadingProposed { reading: reading.clone() }, None);
        log.entry(&niko(), Body::ReadingApproved { reading: reading.id }, None);
        let failure = found(&log);
        assert_eq!(failure.verdict, Verdict::Tampered);
        assert!(
            failure.what.contains("allows none") || failure.what.contains("decides by itself"),
            "{failure}"
        );
    }
    // By one person, by somebody who does not count, a second time, or when its time was over.
    let mut other = log();
    let person = Uuid::from_u128(9);
    other.entry(&Actor::command_line(), Body::Person { person, founding: false }, None);
    for (approver, wait, told) in [
        (nora(), 0, "nobody else who counts"),
        (counsel(), 0, "nobody else who counts"),
        (niko(), 3_600_000, "whose time was over"),
    ] {
        let mut log = other.clone();
        let reading = looser(&log);
        log.entry(&desk(), allowed(), None);
        log.entry(&nora(), Body::ReadingProposed { reading: reading.clone() }, None);
        log.tick(wait);
        let index = log.entry(&approver, Body::ReadingApproved { reading: reading.id }, None);
        assert_found(&found(&log), Verdict::Tampered, index, told);
    }
    let mut log = log();
    let reading = in_force(&mut log);
    let index = log.entry(&niko(), Body::ReadingApproved { reading: reading.id }, None);
    assert_found(&found(&log), Verdict::Tampered, index, "decided before");
}

#[test]
fn a_reading_is_what_its_id_names_and_asks_what_was_stated() {
    let mut log = log();
    let reading = looser(&log);
    let other = Terms { until: None, ..reading.terms.clone() };
    for (body, told) in [
        (
            Body::ReadingProposed { reading: Reading { terms: other.clone(), ..reading.clone() } },
            "the id of its terms",
        ),
        (Body::ReadingProposed { reading: named(other) }, "has no end"),
        (Body::ReadingInForce { reading: reading.clone() }, "nobody had approved it"),
        (Body::ReadingApproved { reading: reading.id.clone() }, "nobody had proposed"),
        (Body::ReadingEndProposed { reading: reading.id.clone() }, "nobody had stated"),
        (Body::ReadingEnded { reading: reading.id.clone() }, "nobody had stated"),
    ] {
        let mut log = log.clone();
        let index = log.entry(&nora(), body, None);
        assert_found(&found(&log), Verdict::Tampered, index, told);
    }
    // A call rests on one that nobody stated, that nobody approved, or whose terms are others.
    let mut never = log.clone();
    let (_, index) = open(&mut never, vec![reading.clone()]);
    assert_found(&found(&never), Verdict::Tampered, index, "nobody had stated");
    log.entry(&desk(), allowed(), None);
    log.entry(&nora(), Body::ReadingProposed { reading: reading.clone() }, None);
    let mut early = log.clone();
    let (_, index) = open(&mut early, vec![reading.clone()]);
    assert_found(&found(&early), Verdict::Tampered, index, "was not in force");
    log.entry(&niko(), Body::ReadingApproved { reading: reading.id.clone() }, None);
    let wider = Terms { instead_of: Some(asks(Parties::All, Form::Express)), ..reading.terms.clone() };
    let (_, index) = open(&mut log, vec![Reading { terms: wider, ..reading }]);
    assert_found(&found(&log), Verdict::Tampered, index, "says something else");
}

#[test]
fn what_asks_more_is_left_out_of_no_call() {
    let mut log = log();
    let reading = stricter();
    log.entry(&nora(), Body::ReadingInForce { reading: reading.clone() }, None);
    let mut without = log.clone();
    let (uid, _) = open(&mut log, vec![reading]);
    assert_eq!(requirement(&log, uid), "all/express");
    verified(&log.export()).unwrap();
    let (_, index) = open(&mut without, Vec::new());
    assert_found(&found(&without), Verdict::Tampered, index, "without a reading of the account");
}

#[test]
fn a_pack_shows_the_readings_that_counted_or_says_that_it_does_not() {
    let checked = |log: &Log, uid, stated: &[usize]| {
        let all = stated.iter().copied().chain(log.entries_of(uid, None));
        let pack = log.pack(&pack::Subject::Call(uid), log.parts(all));
        pack::verify_pack(&pack, &trust(), None)
    };
    let mut log = log();
    let first = log.drafts.len();
    let reading = in_force(&mut log);
    let (uid, _) = open(&mut log, vec![reading.clone()]);
    let missing = "the statement of 1 reading is not in the pack";
    let without = checked(&log, uid, &[]).unwrap().warnings;
    assert!(without.iter().any(|warning| warning.contains(missing)), "{without:?}");
    let with = checked(&log, uid, &[first + 1, first + 2]).unwrap().warnings;
    assert!(!with.iter().any(|warning| warning.contains(missing)), "{with:?}");
    assert!(with.iter().any(|warning| warning.contains("1 reading and 1 table")), "{with:?}");
    // What was proposed and not approved does not count; nor by its author alone, nor after its end.
    let failure = checked(&log, uid, &[first + 1]).unwrap_err();
    assert!(failure.what.contains("nobody had approved it"), "{failure}");
    let alone = rewritten(&log, first + 2, |leaf| leaf.actor = nora());
    let failure = checked(&alone, uid, &[first + 1, first + 2]).unwrap_err();
    assert!(failure.what.contains("their own reading"), "{failure}");
    let ended = log.entry(&nora(), Body::ReadingEnded { reading: reading.id.clone() }, None);
    let (later, _) = open(&mut log, vec![reading]);
    let failure = checked(&log, later, &[usize::try_from(ended).unwrap()]).unwrap_err();
    assert!(failure.what.contains("that was ended before"), "{failure}");
}

#[test]
fn what_asks_more_is_ended_by_two_people() {
    let mut log = log();
    let again = Actor { credential: "cg_nora_again".into(), role: "counsel".into() };
    let body = Body::Credential {
        credential: again.credential.clone(),
        role: again.role.clone(),
        person: Some(Uuid::from_u128(1)),
        coverage: CoverageBasis::Granted,
        on_refusal: OnRefusal::Deny,
        quarantine_seconds: 0,
    };
    log.entry(&Actor::command_line(), body, Some(json!({"name": "somebody"})));
    let reading = stricter();
    log.entry(&nora(), Body::ReadingInForce { reading: reading.clone() }, None);
    let proposes = || Body::ReadingEndProposed { reading: reading.id.clone() };
    let ends = || Body::ReadingEnded { reading: reading.id.clone() };
    // By nobody alone, whoever stated it, with whatever credential; nor after somebody who does not count.
    for (first, second) in [
        (None, nora()),
        (None, niko()),
        (Some(nora()), nora()),
        (Some(niko()), niko()),
        (Some(nora()), again),
        (Some(counsel()), niko()),
    ] {
        let mut log = log.clone();
        if let Some(first) = first {
            log.entry(&first, proposes(), None);
        }
        let index = log.entry(&second, ends(), None);
        assert_found(&found(&log), Verdict::Tampered, index, "ends a reading that asks more");
    }
    // Once its end is proposed, by whichever of them, it counts until the other one ends it.
    for (first, second) in [(nora(), niko()), (niko(), nora())] {
        let mut log = log.clone();
        log.entry(&first, proposes(), None);
        let mut without = log.clone();
        let (_, index) = open(&mut without, Vec::new());
        assert_found(&found(&without), Verdict::Tampered, index, "without a reading of the account");
        open(&mut log, vec![reading.clone()]);
        log.entry(&second, ends(), None);
        open(&mut log, Vec::new());
        verified(&log.export()).unwrap();
        let index = log.entry(&first, proposes(), None);
        assert_found(&found(&log), Verdict::Tampered, index, "that is over");
    }
    // When its time is over, nothing is asked less because it is ended.
    let until = Some(log.now + SignedDuration::from_hours(1));
    let short = named(Terms { until, ..stricter().terms });
    log.entry(&nora(), Body::ReadingInForce { reading: short.clone() }, None);
    log.tick(3_600_000);
    log.entry(&nora(), Body::ReadingEnded { reading: short.id }, None);
    verified(&log.export()).unwrap();
}
