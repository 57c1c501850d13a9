//! Logs that go on from earlier ones.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::audit::Continued;
use crate::trail::{LogCause, Previous};

fn origin(epoch: u64) -> String {
    if epoch == 1 { ORIGIN.into() } else { format!("{ORIGIN}.{epoch}") }
}

fn head(log: &Log) -> Previous {
    let edge = edge_of(&log.leaves());
    Previous { origin: log.origin.clone(), size: edge.size(), root: BASE64_STANDARD.encode(edge.root()) }
}

/// The log as it begins anew: nothing but what it goes on from.
fn next(log: &Log, previous: Previous, cause: LogCause) -> Log {
    let epoch = crate::trail::LogName::of(&log.origin).epoch + 1;
    let mut next = Log { origin: origin(epoch), drafts: Vec::new(), ..log.clone() };
    next.tick(1000);
    next.entry(&Actor::gateway(), Body::LogOpened { previous, cause }, None);
    next
}

fn turned(log: &Log) -> Log {
    next(log, head(log), LogCause::Period)
}

fn checked(log: &Log) -> Result<Report, Failure> {
    verify(&log.export(), &Trust::in_log(key_of(&log.origin, 1).verifier()).unwrap(), &options())
}

#[test]
fn a_log_that_goes_on_from_another_says_so_and_what_was_not_decided_again() {
    let mut first = Log::new();
    let (open, _) = first.whole_call("before");
    let mut log = turned(&first);
    log.happens(open, policy::What::ConsentWithdrawn { participants: vec![0] });
    log.whole_call("after");
    let report = checked(&log).unwrap();
    let root = hex(&edge_of(&first.leaves()).root());
    let size = first.drafts.len() as u64;
    assert_eq!(report.continues, Some(Continued { origin: ORIGIN.into(), size, root: root.clone() }));
    let warning = report.warnings.iter().find(|warning| warning.contains("goes on from")).unwrap();
    assert!(warning.contains("1 decisions on calls that were opened there"), "{warning}");
    assert!(warning.contains(&root) && warning.contains(&format!("{size} entries")), "{warning}");
    // Only its first entry can say so.
    log.drafts.swap(0, 1);
    assert_eq!(checked(&log).unwrap_err().verdict, Verdict::Tampered);
}

#[test]
fn a_later_epoch_that_goes_on_from_nothing_is_tampered() {
    let mut log = Log::new();
    log.whole_call("c");
    log.origin = origin(2);
    assert_found(
        &checked(&log).unwrap_err(),
        Verdict::Tampered,
        0,
        "is epoch 2 of a log, and does not begin",
    );
    log.drafts.clear();
    let failure = checked(&log).unwrap_err();
    assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, None), "{failure}");
}

#[test]
fn the_first_epoch_goes_on_from_nothing() {
    let log = Log::busy(1);
    for place in [0, 5] {
        let mut forged = log.clone();
        let body = Body::LogOpened { previous: head(&log), cause: LogCause::Period };
        let at = log.drafts[place].at;
        forged.drafts[place] = crate::trail::draft(ACCOUNT, at, &Actor::gateway(), None, body, None).unwrap();
        let words = if place == 0 { "is the first epoch of a log" } else { "in the midst of a log" };
        assert_found(&checked(&forged).unwrap_err(), Verdict::Tampered, place as u64, words);
    }
}

#[test]
fn what_an_epoch_goes_on_from_is_a_head_of_an_earlier_one_of_the_same_log() {
    let log = Log::busy(1);
    let fine = head(&log);
    checked(&next(&log, fine.clone(), LogCause::Reopened)).unwrap();
    for origin in [
        origin(2),
        origin(3),
        "gateway.example.com/other".into(),
        "gateway.example.com/acme.0".into(),
        String::new(),
    ] {
        let forged = next(&log, Previous { origin: origin.clone(), ..fine.clone() }, LogCause::Period);
        assert_found(
            &checked(&forged).unwrap_err(),
            Verdict::Tampered,
            0,
            "no earlier epoch of the same log",
        );
    }
    for root in ["", "cm9vdA==", "?"] {
        let forged = next(&log, Previous { root: root.into(), ..fine.clone() }, LogCause::Period);
        assert_found(&checked(&forged).unwrap_err(), Verdict::Tampered, 0, "is no root");
    }
    let third = Log { origin: origin(2), ..log.clone() };
    checked(&next(&third, fine, LogCause::Period)).unwrap();
}

#[test]
fn a_trust_file_of_the_first_epoch_is_good_for_the_later_ones() {
    let first = Log::busy(1);
    let log = turned(&first);
    verify(&log.export(), &trust(), &options()).unwrap();
    // With another key it says nothing.
    let mut files = log.export();
    files.put("checkpoint", head_of(&log.leaves(), &[&key_of(&log.origin, 2)]));
    let failure = verify(&files, &trust(), &options()).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Unusable, "{failure}");
    // The key is changed in the later epoch: that is followed.
    let mut log = log;
    let vkey = |seed| key_of(&log.origin, seed).verifier().to_string();
    let body = Body::LogKey { key: vkey(2), retired: vkey(1) };
    log.entry(&Actor::gateway(), body, None);
    let mut files = log.export();
    files.put("checkpoint", head_of(&log.leaves(), &[&key_of(&log.origin, 1), &key_of(&log.origin, 2)]));
    assert_eq!(verify(&files, &trust(), &options()).unwrap().rotations, 1);
}

#[test]
fn an_older_head_of_another_epoch_is_no_proof_of_tampering_unless_entries_were_left_out() {
    let mut first = Log::busy(1);
    let log = turned(&first);
    let since = |head: Note| verify(&log.export(), &trust(), &Options { since: Some(head), ..options() });
    let of = |log: &Log, size: usize, seed| head_of(&log.leaves()[..size], &[&key_of(&log.origin, seed)]);
    let size = first.drafts.len();
    let unusable = |head: Note, words: &str| {
        let failure = since(head).unwrap_err();
        assert_eq!(failure.verdict, Verdict::Unusable, "{failure}");
        assert!(failure.what.contains(words), "{failure}");
    };
    since(of(&first, size, 1)).unwrap();
    unusable(of(&first, size - 1, 1), "with `--previous`");
    unusable(of(&turned(&log), 1, 1), "of a later epoch");
    unusable(
        of(&Log { origin: "gateway.example.com/other".into(), ..first.clone() }, 3, 1),
        "give one of this log",
    );
    // What was signed behind the head that it goes on from was left out.
    let mut other = first.clone();
    other.drafts.swap(0, 1);
    assert_found(&since(of(&other, size, 1)).unwrap_err(), Verdict::Tampered, 0, "another head of");
    first.whole_call("left out");
    let more = of(&first, size + 2, 1);
    assert_found(&since(more).unwrap_err(), Verdict::Tampered, 0, "is cut off");
    // Where nobody who is trusted has signed that.
    unusable(of(&first, size + 2, 5), "not signed with a key");
}
