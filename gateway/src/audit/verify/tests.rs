use super::super::sample::*;
use super::super::{Failure, Verdict};
use super::*;

fn options() -> Options<'static> {
    Options { since: None, now: "2026-11-21T00:00:00Z".parse().unwrap(), progress: &|_, _| {} }
}

fn verified(files: &Files) -> Result<Report, Failure> {
    verify(files, &trust(), &options())
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
    assert_eq!(report.details, crate::audit::Details { committed, present: committed });
    assert_eq!(report.span, Some((log.drafts[0].at, log.drafts.last().unwrap().at)));
    assert_eq!(report.tables.len(), 1);
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("no witness"), "{:?}", report.warnings);
}
