//! The tables that decided, and what the log of the law says was in force.

use jiff::SignedDuration;

use super::*;
use crate::trail::Origin;

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
    assert!(report.warnings.iter().any(|warning| warning.contains("decisions are from after")));
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
    assert!(verified(&log.export()).unwrap().warnings.iter().any(|one| one.contains("of the law desk")));
    let mut system = system(&[(0, &own)], 60);
    assert_found(
        &compared(&log, &system).unwrap_err(),
        Verdict::Tampered,
        index,
        "neither in this log nor in",
    );
    let body = Body::Credential { credential: stranger.credential, role: "auditor".into() };
    system.entry(&Actor::command_line(), body, None);
    assert_found(&compared(&log, &system).unwrap_err(), Verdict::Tampered, index, "acts as `counsel`");
}
