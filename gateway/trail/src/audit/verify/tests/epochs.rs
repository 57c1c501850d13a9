//! Logs that continue earlier ones.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::audit::Continued;
use crate::{LogCause, Previous};

fn origin(epoch: u64) -> String {
    if epoch == 1 { ORIGIN.into() } else { format!("{ORIGIN}.{epoch}") }
}

fn head(log: &Log) -> Previous {
    let edge = edge_of(&log.leaves());
    Previous { origin: log.origin.clone(), size: edge.size(), root: BASE64_STANDARD.encode(edge.root()) }
}

/// A log that begins a new epoch: nothing but what it continues.
fn next(log: &Log, previous: Previous, cause: LogCause) -> Log {
    let epoch = crate::LogName::of(&log.origin).epoch + 1;
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
    let told = |words: &str| report.warnings.iter().find(|warning| warning.contains(words)).unwrap().clone();
    told("1 decision on calls that were opened before this epoch");
    assert!(
        told("could not be checked").starts_with("1 prompt, 1 credential, 1 key"),
        "{:?}",
        report.warnings
    );
    let warning = told("continues");
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
        "is epoch 2 of a log, but does not begin",
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
        forged.drafts[place] = crate::draft(ACCOUNT, at, &Actor::gateway(), None, body, None).unwrap();
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
            "not an earlier epoch of the same log",
        );
    }
    for root in ["", "cm9vdA==", "?"] {
        let forged = next(&log, Previous { root: root.into(), ..fine.clone() }, LogCause::Period);
        assert_found(&checked(&forged).unwrap_err(), Verdict::Tampered, 0, "whose root hash cannot be read");
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
    // What was signed behind the head that it continues was left out.
    let mut other = first.clone();
    other.drafts.swap(0, 1);
    assert_found(&since(of(&other, size, 1)).unwrap_err(), Verdict::Tampered, 0, "another head of");
    first.whole_call("left out");
    let more = of(&first, size + 2, 1);
    assert_found(&since(more).unwrap_err(), Verdict::Tampered, 0, "is cut off");
    // If nobody who is trusted has signed that.
    unusable(of(&first, size + 2, 5), "not signed with a key");
}

fn together(previous: &[&Log], log: &Log, options: &Options<'_>) -> Result<Report, Failure> {
    let previous: Vec<Files> = previous.iter().map(|log| log.export()).collect();
    let log = log.export();
    let previous = previous.iter().map(|files| files as &dyn crate::audit::source::Source).collect();
    let evidence = Evidence { log: &log, previous, system: Vec::new(), unasked: false };
    verify_with(&evidence, &trust(), options)
}

fn told(report: &Report, words: &str) -> bool {
    report.warnings.iter().any(|warning| warning.contains(words) && !warning.starts_with('`'))
}

#[test]
fn what_was_registered_in_an_earlier_epoch_is_carried_over() {
    let mut first = Log::new();
    let grant = first.grant();
    let (over, recording) = first.whole_call("before");
    let open = first.open_with("open", Some(grant));
    let mut second = turned(&first);
    second.prompted(open, &[0, 1]);
    second.agrees(open, 0);
    second.withdraw(grant, &[open]);
    second.happens(open, policy::What::Ended);
    second.happens(over, policy::What::ConsentWithdrawn { participants: vec![0] });
    second.entry(&listener(), Body::Fetched { recording, range: (0, 9) }, None);
    second.whole_call("after");
    let mut third = turned(&second);
    third.entry(&counsel(), Body::Deleted { recording }, None);
    let report = together(&[&first], &second, &options()).unwrap();
    assert_eq!(report.earlier.len(), 1);
    for words in ["registered before", "not computed again", "with `--previous`"] {
        assert!(!told(&report, words), "{words}: {:?}", report.warnings);
    }
    // In any order; and an epoch that is missing in front is counted.
    let report = together(&[&second, &first], &third, &options()).unwrap();
    assert_eq!(
        report.earlier.iter().map(|log| log.origin.clone()).collect::<Vec<_>>(),
        [origin(1), origin(2)]
    );
    let report = together(&[&second], &third, &options()).unwrap();
    assert!(told(&report, "1 recording registered before"), "{:?}", report.warnings);
    let failure = together(&[&first], &third, &options()).unwrap_err();
    assert_found(&failure, Verdict::Unusable, 0, "give that one too");
    assert_eq!(together(&[&first, &first], &second, &options()).unwrap_err().verdict, Verdict::Unusable);
    assert_eq!(together(&[&second], &first, &options()).unwrap_err().verdict, Verdict::Unusable);
}

#[test]
fn what_was_never_registered_or_is_over_in_an_earlier_epoch_is_found_in_the_next() {
    let mut first = Log::new();
    let (grant, gone) = (first.grant(), first.grant());
    first.withdraw(gone, &[]);
    let (_, deleted) = first.whole_call("before");
    first.entry(&counsel(), Body::Deleted { recording: deleted }, None);
    let (_, held) = first.whole_call("before too");
    first.entry(&counsel(), Body::Held { recording: held, held: true }, None);
    let open = first.open_with("open", Some(grant));
    let second = turned(&first);
    let forged = |act: &dyn Fn(&mut Log), index: u64, words: &str| {
        let mut log = second.clone();
        act(&mut log);
        checked(&log).unwrap();
        assert_found(&together(&[&first], &log, &options()).unwrap_err(), Verdict::Tampered, index, words);
    };
    let gone_on = |log: &mut Log, grant| {
        log.open_with("c", Some(grant));
    };
    forged(&|log| gone_on(log, gone), 1, "was withdrawn");
    let unknown = crate::id().unwrap();
    forged(
        &|log| {
            log.grants.insert(unknown, log.now);
            gone_on(log, unknown);
        },
        1,
        "never registered",
    );
    forged(
        &|log| {
            log.prompt = unknown;
            log.prompted(open, &[0]);
        },
        1,
        "never registered",
    );
    let fetched = Body::Fetched { recording: deleted, range: (0, 1) };
    let fetched = |log: &mut Log| {
        log.entry(&listener(), fetched.clone(), None);
    };
    forged(&fetched, 1, "deleted before");
    let removed = Body::Deleted { recording: held };
    let removed = |log: &mut Log| {
        log.entry(&counsel(), removed.clone(), None);
    };
    forged(&removed, 1, "legal hold");
    // A withdrawal does not reach a call that goes on.
    let unheard = |log: &mut Log| {
        log.withdraw(grant, &[]);
    };
    forged(&unheard, 1, "has no entry about it");
    // An entry of the call was left out at the border.
    let left_out = |log: &mut Log| {
        log.happens(open, policy::What::ToneStarted);
        log.happens(open, policy::What::Ended);
        log.drafts.remove(1);
    };
    forged(&left_out, 1, "left out, put in or moved");
    // What was decided there counts here.
    let mut forged_decision = second.clone();
    let index = forged_decision.happens(open, policy::What::Control(policy::Control::Start));
    let failure = together(&[&first], &forged_decision, &options()).unwrap_err();
    assert_found(&failure, Verdict::Tampered, index, "was not permitted");
}

#[test]
fn the_earlier_epoch_has_to_end_as_the_next_says() {
    let first = Log::busy(1);
    let second = turned(&first);
    let mut shorter = first.clone();
    shorter.drafts.pop();
    assert_found(
        &together(&[&shorter], &second, &options()).unwrap_err(),
        Verdict::Incomplete,
        0,
        "later export",
    );
    let mut longer = first.clone();
    longer.whole_call("left out");
    assert_found(&together(&[&longer], &second, &options()).unwrap_err(), Verdict::Tampered, 0, "is cut off");
    let mut other = first.clone();
    other.drafts.swap(0, 1);
    assert_found(
        &together(&[&other], &second, &options()).unwrap_err(),
        Verdict::Tampered,
        0,
        "another head",
    );
    // What is wrong with it is said of it.
    let mut forged = first.clone();
    forged.drafts.remove(5);
    let failure =
        together(&[&forged], &next(&forged, head(&forged), LogCause::Period), &options()).unwrap_err();
    assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, None));
    assert!(failure.what.contains("the log `gateway.example.com/acme`: entry "), "{failure}");
    // An older head that was kept is compared with its epoch.
    let kept = |log: &Log, size: usize| {
        let since = Some(head_of(&log.leaves()[..size], &[&key(1)]));
        together(&[&first], &second, &Options { since, ..options() })
    };
    kept(&first, 9).unwrap();
    assert!(kept(&other, 9).unwrap_err().what.contains("does not continue the head of 9 entries"));
}

#[test]
fn a_ledger_that_was_put_back_has_lost_what_was_ended_since() {
    let mut first = Log::new();
    let grant = first.grant();
    let (_, recording) = first.whole_call("before");
    let kept = first.now;
    first.tick(1000);
    first.withdraw(grant, &[]);
    first.entry(&counsel(), Body::Deleted { recording }, None);
    let mut second = next(&first, head(&first), LogCause::Reopened);
    let gap = Body::Gap { from: kept, until: second.now, cause: GapCause::LedgerRestored };
    second.entry(&Actor::command_line(), gap, None);
    second.open_with("c", Some(grant));
    second.entry(&listener(), Body::Fetched { recording, range: (0, 1) }, None);
    let report = together(&[&first], &second, &options()).unwrap();
    assert!(told(&report, "2 withdrawals, deletions"), "{:?}", report.warnings);
}

#[test]
fn a_key_that_was_changed_in_an_earlier_epoch_is_followed_through_it() {
    let mut first = Log::busy(1);
    let body = Body::LogKey { key: key(2).verifier().to_string(), retired: key(1).verifier().to_string() };
    first.entry(&Actor::gateway(), body, None);
    let mut earlier = first.export();
    earlier.put("checkpoint", head_of(&first.leaves(), &[&key(1), &key(2)]));
    let second = turned(&first);
    let mut files = second.export();
    files.put("checkpoint", head_of(&second.leaves(), &[&key_of(&second.origin, 2)]));
    let failure = verify(&files, &trust(), &options()).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Unusable);
    let evidence = Evidence { log: &files, previous: vec![&earlier], system: Vec::new(), unasked: false };
    verify_with(&evidence, &trust(), &options()).unwrap();
    // A stranger's is not.
    files.put("checkpoint", head_of(&second.leaves(), &[&key_of(&second.origin, 3)]));
    let evidence = Evidence { log: &files, previous: vec![&earlier], system: Vec::new(), unasked: false };
    assert_eq!(verify_with(&evidence, &trust(), &options()).unwrap_err().verdict, Verdict::Unusable);
}

/// Every way in which one of the files can be damaged: a byte of it, a part, all of it.
fn damaged(whole: &Files) -> Vec<(String, Files)> {
    let mut all = Vec::new();
    for (path, bytes) in &whole.0 {
        // The head is short, and every byte of it says something else.
        let step = if path == "checkpoint" { 1 } else { (bytes.len() / 5).max(1) };
        for at in (0..bytes.len()).step_by(step) {
            let mut files = whole.clone();
            files.flip(path, at);
            all.push((format!("{path}, byte {at}"), files));
        }
        let mut files = whole.clone();
        files.0.insert(path.clone(), vec![0xff; 7]);
        all.push((format!("{path}, not a text"), files));
        if path != "details.jsonl" {
            let mut files = whole.clone();
            files.0.remove(path);
            all.push((format!("{path}, missing"), files));
        }
    }
    all
}

#[test]
fn an_epoch_that_is_broken_is_told_of_where_nobody_asked_and_the_log_was_reopened() {
    let first = Log::busy(1);
    for (which, broken) in damaged(&first.export()) {
        for (cause, unasked) in
            [(LogCause::Reopened, true), (LogCause::Reopened, false), (LogCause::Period, true)]
        {
            let log = next(&first, head(&first), cause).export();
            let evidence = Evidence { log: &log, previous: vec![&broken], system: Vec::new(), unasked };
            let outcome = verify_with(&evidence, &trust(), &options());
            let is_settled = cause == LogCause::Reopened && unasked;
            match outcome {
                Ok(report) => {
                    assert!(is_settled, "{which}: {cause:?} {unasked}");
                    assert!(told(&report, "was reopened after that"), "{which}: {:?}", report.warnings);
                }
                Err(failure) => {
                    assert!(!is_settled, "{which}: {failure}");
                    assert!(failure.what.contains(ORIGIN), "{which}: {failure}");
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_with_one_log_is_told_beside_what_is_wrong_with_another() {
    let first = Log::busy(1);
    let second = turned(&first);
    let mut system = Log::new();
    system.origin = "gateway.example.com/system".into();
    let whole = [first.export(), second.export(), system.export()];
    let missing = |files: &mut Files| drop(files.0.remove("checkpoint"));
    let other = |files: &mut Files| files.put("checkpoint", "not a head");
    let entry = |files: &mut Files| {
        let path = files.0.keys().find(|path| path.starts_with("tile/entries/")).unwrap().clone();
        files.flip(&path, 40);
    };
    let damages: [&dyn Fn(&mut Files); 3] = [&missing, &other, &entry];
    for damage in damages {
        for broken in [[true, true, false], [true, false, true], [false, true, true], [true, true, true]] {
            let mut files = whole.clone();
            for (files, _) in files.iter_mut().zip(broken).filter(|(_, broken)| *broken) {
                damage(files);
            }
            let [earlier, log, system] = &files;
            let evidence = Evidence { log, previous: vec![earlier], system: vec![system], unasked: false };
            let failure = verify_with(&evidence, &trust(), &options()).unwrap_err();
            let told: Vec<String> =
                [&failure].into_iter().chain(&failure.also).map(ToString::to_string).collect();
            assert_eq!(told.len(), broken.iter().filter(|broken| **broken).count(), "{told:?}");
            let of = |name: &str| told.iter().any(|told| told.starts_with(&format!("the log `{name}`: ")));
            assert_eq!((of(ORIGIN), of("gateway.example.com/system")), (broken[0], broken[2]), "{told:?}");
        }
    }
}
