//! Logs that are as they should be. What is wrong with others is in the modules.

mod damage;
mod epochs;
mod forgery;
mod heads;
mod law;
mod quarantine;
mod readings;

use super::super::sample::*;
use super::super::{Details, Failure, Verdict};
use super::*;
use crate::{Actor, Body, Came, GapCause, Leaf, Of, RESERVED};

pub(super) fn options() -> Options<'static> {
    Options {
        since: None,
        law: None,
        stamp: None,
        now: "2026-11-21T00:00:00Z".parse().unwrap(),
        progress: &|_, _| {},
    }
}

pub(super) fn verified(files: &Files) -> Result<Report, Failure> {
    verify(files, &trust(), &options())
}

/// What is found of a log that its operator has signed as it stands.
pub(super) fn found(log: &Log) -> Failure {
    verified(&log.export()).unwrap_err()
}

/// What is found is that entry `index` is wrong.
#[track_caller]
pub(super) fn assert_found(failure: &Failure, verdict: Verdict, index: u64, words: &str) {
    assert_eq!((failure.verdict, failure.index), (verdict, Some(index)), "{failure}");
    assert!(failure.what.contains(words), "{failure}");
}

#[test]
fn an_honest_log_is_good_and_its_report_counts_what_is_in_it() {
    let log = Log::busy(25);
    assert!(log.drafts.len() > 300, "{}", log.drafts.len());
    let report = verified(&log.export()).unwrap();
    assert_eq!(report.origin, ORIGIN);
    assert_eq!(report.size, log.drafts.len() as u64);
    assert_eq!(report.root, hex(&edge_of(&log.leaves()).root()));
    assert_eq!(report.signed_by, [key(1).verifier().to_string()]);
    assert_eq!(report.calls, 35);
    assert_eq!(report.types["recording.accepted"], 25);
    let decided = log.drafts.iter().filter(|draft| draft.call.is_some()).count();
    assert_eq!(report.decisions, decided as u64);
    let committed = log.drafts.iter().filter(|draft| draft.detail.is_some()).count() as u64;
    assert_eq!(report.details, Details { committed, present: committed });
    assert_eq!(report.span, Some((log.drafts[0].at, log.drafts.last().unwrap().at)));
    assert_eq!(report.tables.len(), 1);
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("no witness"), "{:?}", report.warnings);
    assert!(report.warnings[1].contains("`--system`"), "{:?}", report.warnings);
}

#[test]
fn a_log_of_every_size_around_a_bundle_is_good() {
    let log = Log::busy(40);
    let leaves = log.leaves();
    for size in [0, 1, 6, 255, 256, 257, 511, 512, 513] {
        let mut part = log.clone();
        part.drafts.truncate(size);
        let report = verified(&part.export());
        // A withdrawal and what it reaches are one transaction, so no head stands between them.
        match report {
            Ok(report) => assert_eq!(report.root, hex(&edge_of(&leaves[..size]).root()), "{size}"),
            Err(failure) => assert!(failure.what.contains("has no entry about it"), "{size}: {failure}"),
        }
    }
}

#[test]
fn directory_and_archive_give_the_same_report_as_the_files_themselves() {
    let files = Log::busy(25).export();
    let expected = serde_json::to_value(verified(&files).unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    files.write_to(dir.path());
    let directory = crate::audit::source::Directory::open(dir.path()).unwrap();
    let report = verify(&directory, &trust(), &options()).unwrap();
    assert_eq!(serde_json::to_value(report).unwrap(), expected);
    let zip = dir.path().join("export.zip");
    std::fs::write(&zip, files.zip()).unwrap();
    let archive = crate::audit::source::Archive::open(&zip).unwrap();
    let report = verify(&archive, &trust(), &options()).unwrap();
    assert_eq!(serde_json::to_value(report).unwrap(), expected);
}

#[test]
fn details_that_were_erased_are_counted_and_are_no_failure() {
    let log = Log::busy(5);
    let mut files = log.export();
    let all = String::from_utf8(files.0["details.jsonl"].clone()).unwrap();
    let half: String = all.split_inclusive('\n').step_by(2).collect();
    files.put("details.jsonl", &half);
    let report = verified(&files).unwrap();
    assert_eq!(report.details.present, half.lines().count() as u64);
    assert!(report.warnings.iter().any(|warning| warning.contains("details are gone: they were erased")));
    files.0.remove("details.jsonl");
    let report = verified(&files).unwrap();
    assert_eq!(report.details.present, 0);
    assert!(report.warnings.iter().any(|warning| warning.contains("an export takes them with `--details`")));
}

#[test]
fn progress_is_told_up_to_the_end() {
    let files = Log::busy(25).export();
    let seen = std::cell::RefCell::new(Vec::new());
    let progress = |done: u64, of: u64| seen.borrow_mut().push((done, of));
    let report = verify(&files, &trust(), &Options { progress: &progress, ..options() }).unwrap();
    let seen = seen.into_inner();
    assert!(seen.is_sorted() && seen.len() >= 2, "{seen:?}");
    assert_eq!(seen.last(), Some(&(report.size, report.size)));
}

#[test]
fn what_comes_hours_after_a_call_is_decided_on_all_that_went_before() {
    let mut log = Log::new();
    let uid = log.open("early");
    log.prompted(uid, &[0, 1]);
    log.agrees(uid, 0);
    log.agrees(uid, 1);
    log.start(uid);
    let from = log.now;
    log.tick(5_000);
    log.happens(uid, policy::What::Control(policy::Control::Stop));
    log.happens(uid, policy::What::Ended);
    log.tick(3 * 3_600_000);
    // By now the call was forgotten, while others go on.
    for number in 0..60 {
        log.whole_call(&format!("later-{number}"));
    }
    log.accept(uid, from, 5_000);
    log.happens(uid, policy::What::ConsentWithdrawn { participants: vec![0] });
    let report = verified(&log.export()).unwrap();
    assert_eq!(report.types["recording.accepted"], 61);
    // And what is wrong with it is still found.
    let span = (from, from + jiff::SignedDuration::from_secs(60));
    log.accept_anyway(uid, vec![span]);
    let index = log.drafts.len() as u64 - 1;
    assert_found(&found(&log), Verdict::Tampered, index, "consent does not cover");
}

#[test]
fn a_gap_is_a_fact_of_the_calls_that_were_open_and_of_no_other() {
    let mut log = Log::new();
    let (over, _) = log.whole_call("over");
    let uid = log.open("open");
    log.prompted(uid, &[0, 1]);
    log.agrees(uid, 0);
    log.agrees(uid, 1);
    log.start(uid);
    log.tick(5_000);
    let from = log.now;
    log.tick(7_000);
    let body = Body::Gap { from, until: log.now, cause: GapCause::EndedUnexpectedly };
    log.entry(&Actor::gateway(), body, None);
    let gap = policy::Event { received_at: log.now, at: Some(from), what: policy::What::Gap };
    log.calls.get_mut(&uid).unwrap().call.apply(&gap);
    log.tick(1_000);
    log.happens(uid, policy::What::ToneStarted);
    log.happens(uid, policy::What::Ended);
    log.happens(over, policy::What::ConsentWithdrawn { participants: vec![0] });
    verified(&log.export()).unwrap();
    // Without the gap, what was decided behind it is not what the facts give.
    let index = log.drafts.iter().position(|draft| draft.kind == "audit.gap").unwrap();
    log.drafts.remove(index);
    assert_found(&found(&log), Verdict::Tampered, index as u64, "its decision is not");
}
