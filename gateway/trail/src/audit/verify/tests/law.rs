//! The tables that decided, and what the log of the law says was in force.

use jiff::SignedDuration;
use policy::CoverageBasis;
use uuid::Uuid;

use super::forgery::rewritten;
use super::*;
use crate::Origin;

const OTHER: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A log `system` in which these tables came into force, minutes after its beginning, and which goes on
/// for some more.
fn system(versions: &[(i64, &str)], minutes: i64) -> Log {
    let mut log = Log::new();
    log.origin = "gateway.example.com/system".into();
    let began = log.now;
    let mut base: Option<String> = None;
    for (number, (minute, table)) in (1..).zip(versions) {
        log.now = began + SignedDuration::from_mins(*minute);
        let body = Body::Table {
            table: (*table).into(),
            version: number,
            base: base.replace((*table).into()),
            origin: Origin::Program,
            proposal: None,
            diff: String::new(),
            loosens: false,
        };
        log.entry(&Actor::gateway(), body, None);
    }
    log.now = began + SignedDuration::from_mins(minutes);
    log.entry(&Actor::gateway(), Body::Heartbeat {}, None);
    log
}

/// A call every ten minutes, from the tenth on.
fn account() -> Log {
    let mut log = Log::new();
    let began = log.now;
    for number in 1..4 {
        log.now = began + SignedDuration::from_mins(10 * number);
        log.whole_call(&format!("call-{number}"));
    }
    log
}

fn compared(log: &Log, system: &Log) -> Result<Report, Failure> {
    let (log, system) = (log.export(), system.export());
    let evidence = Evidence { log: &log, previous: Vec::new(), system: vec![&system], unasked: false };
    verify_with(&evidence, &trust(), &options())
}

#[test]
fn the_tables_that_decided_are_those_that_were_in_force() {
    let log = account();
    let own = log.table.digest().to_owned();
    let report = compared(&log, &system(&[(0, &own)], 60)).unwrap();
    assert_eq!(report.system.as_deref(), Some("gateway.example.com/system"));
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    // Another came and went between the calls.
    compared(&log, &system(&[(0, OTHER), (5, &own), (15, OTHER), (16, &own)], 60)).unwrap();
    let first = log.drafts.iter().position(|draft| draft.kind == "call.opened").unwrap() as u64;
    let opened = |nth: usize| {
        let opened = log.drafts.iter().enumerate().filter(|(_, draft)| draft.kind == "call.opened");
        opened.map(|(index, _)| index as u64).nth(nth).unwrap()
    };
    for (versions, index, words) in [
        (vec![(0, OTHER)], first, "never came into force"),
        (vec![], first, "never came into force"),
        (vec![(0, OTHER), (15, &own)], first, "version 1 was in force"),
        (vec![(15, &*own)], first, "before that came into force"),
        (vec![(0, &own), (15, OTHER)], opened(1), "version 2 was in force"),
        (vec![(0, &own), (15, OTHER), (25, &own)], opened(1), "version 2 was in force"),
    ] {
        let failure = compared(&log, &system(&versions, 60)).unwrap_err();
        assert_found(&failure, Verdict::Tampered, index, words);
    }
}

#[test]
fn a_log_of_the_law_that_ends_too_early_is_told_of() {
    let log = account();
    let own = log.table.digest().to_owned();
    let report = compared(&log, &system(&[(0, &own)], 15)).unwrap();
    assert!(report.warnings.iter().any(|warning| warning.contains("from after the last given entry")));
    let failure = compared(&log, &system(&[(0, OTHER)], 5)).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Incomplete, "{failure}");
    assert!(failure.what.contains("get a newer export"), "{failure}");
}

#[test]
fn the_log_of_the_law_is_that_of_the_same_gateway_and_signed_with_the_same_key() {
    let log = account();
    let own = log.table.digest().to_owned();
    let mut other = system(&[(0, &own)], 60);
    other.origin = "other.example.com/system".into();
    assert_eq!(compared(&log, &other).unwrap_err().verdict, Verdict::Unusable);
    assert_eq!(compared(&log, &log).unwrap_err().verdict, Verdict::Unusable);
    let system = system(&[(0, &own)], 60);
    let mut files = system.export();
    files.put("checkpoint", head_of(&system.leaves(), &[&key_of(&system.origin, 2)]));
    let log = log.export();
    let evidence = Evidence { log: &log, previous: Vec::new(), system: vec![&files], unasked: false };
    let failure = verify_with(&evidence, &trust(), &options()).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Unusable);
    assert!(failure.what.contains("the log `gateway.example.com/system`"), "{failure}");
}

#[test]
fn who_acts_and_is_unknown_to_the_log_is_of_the_law_desk() {
    let mut log = account();
    let own = log.table.digest().to_owned();
    let stranger = Actor { credential: "cg_0123456789abcdef".into(), role: "counsel".into() };
    let index = log.entry(&stranger, Body::Lookup { subject: None, by: Vec::new() }, None);
    assert!(verified(&log.export()).unwrap().warnings.iter().any(|one| one.contains("for the law desk")));
    let mut system = system(&[(0, &own)], 60);
    assert_found(
        &compared(&log, &system).unwrap_err(),
        Verdict::Tampered,
        index,
        "neither in this log nor in",
    );
    let body = Body::Credential {
        on_refusal: crate::OnRefusal::Deny,
        quarantine_seconds: 0,
        credential: stranger.credential,
        role: "auditor".into(),
        person: None,
        coverage: CoverageBasis::Granted,
    };
    system.entry(&Actor::command_line(), body, None);
    assert_found(&compared(&log, &system).unwrap_err(), Verdict::Tampered, index, "acts as `counsel`");
}

/// A log in which Ada and Eve are there from the start, Bob and Kim come later, and somebody
/// proposes what somebody else approves. Returns the place of the approval.
fn two_people(confirmed: &[(usize, usize)], proposes: usize, approves: usize) -> (Log, u64) {
    let mut log = Log::new();
    let counsel =
        |number: usize| Actor { credential: format!("cg_000000000000000{number}"), role: "counsel".into() };
    let person = |number: usize| Uuid::from_u128(number as u128);
    for number in 0..4 {
        let body = Body::Person { person: person(number), founding: number < 2 };
        log.entry(&Actor::command_line(), body, None);
        let Actor { credential, role } = counsel(number);
        let body = Body::Credential {
            on_refusal: crate::OnRefusal::Deny,
            quarantine_seconds: 0,
            credential,
            role,
            person: Some(person(number)),
            coverage: CoverageBasis::Granted,
        };
        log.entry(&Actor::command_line(), body, None);
    }
    for (by, whom) in confirmed {
        let body = Body::PersonConfirmed { person: person(*whom), by: person(*by) };
        log.entry(&counsel(*by), body, None);
    }
    let table = |version, base: Option<&str>, digest: &str, proposal| Body::Table {
        table: digest.into(),
        version,
        base: base.map(Into::into),
        origin: Origin::Program,
        proposal,
        diff: String::new(),
        loosens: proposal.is_some(),
    };
    let own = log.table.digest().to_owned();
    log.entry(&Actor::gateway(), table(1, None, &own, None), None);
    let proposal = Uuid::from_u128(99);
    let proposed = Body::TableProposed {
        proposal,
        table: OTHER.into(),
        base: own.clone(),
        origin: Origin::Person,
        diff: String::new(),
        impact: String::new(),
        expires_at: log.now + SignedDuration::from_hours(1),
    };
    log.entry(&counsel(proposes), proposed, None);
    let index = log.entry(&counsel(approves), table(2, Some(&own), OTHER, Some(proposal)), None);
    (log, index)
}

#[test]
fn what_loosens_was_approved_by_a_second_person_who_counts() {
    for (confirmed, proposes, approves) in
        [(vec![], 0, 1), (vec![(1, 2)], 0, 2), (vec![(1, 2)], 2, 0), (vec![(0, 2), (1, 3)], 3, 2)]
    {
        verified(&two_people(&confirmed, proposes, approves).0.export()).unwrap();
    }
    for (confirmed, proposes, approves) in [
        (vec![], 0, 2),
        (vec![], 2, 0),
        (vec![(0, 2)], 0, 2),
        (vec![(0, 2)], 2, 0),
        (vec![(0, 2), (2, 3)], 0, 3),
        (vec![(0, 2), (0, 3)], 2, 3),
    ] {
        let (log, index) = two_people(&confirmed, proposes, approves);
        assert_found(&found(&log), Verdict::Tampered, index, "nobody else who counts");
    }
    // One person with two credentials.
    let (mut log, index) = two_people(&[], 0, 1);
    for at in 0..log.drafts.len() {
        log = rewritten(&log, at, |leaf| {
            if let Body::Credential { credential, person, .. } = &mut leaf.body
                && credential == "cg_0000000000000001"
            {
                *person = Some(Uuid::from_u128(0));
            }
        });
    }
    assert_found(&found(&log), Verdict::Tampered, index, "nobody else who counts");
}

#[test]
fn nobody_is_confirmed_by_themselves_or_by_who_does_not_count_or_in_the_name_of_another() {
    for (confirmed, words) in [
        (vec![(2, 2)], "confirms themselves"),
        (vec![(2, 3)], "does not count"),
        (vec![(0, 7)], "never enrolled"),
    ] {
        let (log, index) = two_people(&confirmed, 0, 1);
        assert_found(&found(&log), Verdict::Tampered, index - 3, words);
    }
    let (log, index) = two_people(&[(1, 2)], 0, 2);
    let confirmed = usize::try_from(index).unwrap() - 3;
    let other = rewritten(&log, confirmed, |leaf| leaf.actor.credential = "cg_0000000000000000".into());
    assert_found(&found(&other), Verdict::Tampered, confirmed as u64, "in the name of another");
    let third = log.drafts.iter().position(|draft| {
        let leaf: Leaf = serde_json::from_slice(&draft.leaf).unwrap();
        matches!(leaf.body, Body::Person { founding: false, .. })
    });
    let founded = rewritten(&log, third.unwrap(), |leaf| {
        let Body::Person { founding, .. } = &mut leaf.body else { panic!() };
        *founding = true;
    });
    assert_found(&found(&founded), Verdict::Tampered, third.unwrap() as u64, "is not what the log says");
}
