//! Heads: older ones, other keys, witnesses.

use super::*;
use crate::note::SigningKey;

fn since(log: &Log, size: usize) -> Note {
    head_of(&log.leaves()[..size], &[&key(1)])
}

fn verified_since(log: &Log, since: Note) -> Result<Report, Failure> {
    verify(&log.export(), &trust(), &Options { since: Some(since), ..options() })
}

#[test]
fn a_log_goes_on_from_every_head_that_was_signed_before() {
    let log = Log::busy(25);
    let size = log.drafts.len();
    for old in [0, 1, 2, 7, 128, 255, 256, 257, size - 1, size] {
        let report = verified_since(&log, since(&log, old)).unwrap();
        assert_eq!(report.older, [old as u64]);
        // That goes for heads that come along, too.
        let mut files = log.export();
        files.put(&format!("checkpoints/{old}"), since(&log, old));
        assert_eq!(verified(&files).unwrap().older, [old as u64]);
    }
}

#[test]
fn an_old_head_is_replayed_and_whoever_has_seen_a_newer_one_notices() {
    let log = Log::busy(25);
    let newest = since(&log, log.drafts.len());
    let mut old = log.clone();
    old.drafts.truncate(256);
    verified(&old.export()).unwrap();
    let failure = verified_since(&old, newest.clone()).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Tampered);
    assert!(failure.what.contains("cut off"), "{failure}");
    let mut files = old.export();
    files.put("checkpoints/newest", newest);
    assert_eq!(verified(&files).unwrap_err().verdict, Verdict::Tampered);
}

#[test]
fn a_rewritten_history_does_not_go_on_from_the_head_before() {
    let log = Log::busy(25);
    for removed in [100, 255, 256, 280] {
        let seen = since(&log, 300);
        let mut forged = log.clone();
        // A fetch, say: no other entry speaks of it, so nothing but the older head tells.
        let body = Body::Heartbeat {};
        forged.drafts[removed] = trail_draft(&log, removed, body);
        assert!(verified_since(&forged, seen).is_err());
    }
    let seen = since(&log, 300);
    let mut forged = log.clone();
    let fetched = forged.drafts.iter().position(|draft| draft.kind == "recording.fetched").unwrap();
    forged.drafts.remove(fetched);
    verified(&forged.export()).unwrap();
    let failure = verified_since(&forged, seen).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Tampered);
    assert!(failure.what.contains("does not continue"), "{failure}");
}

fn trail_draft(log: &Log, index: usize, body: Body) -> crate::Draft {
    crate::draft(ACCOUNT, log.drafts[index].at, &Actor::gateway(), None, body, None).unwrap()
}

#[test]
fn a_head_of_another_log_or_by_another_key_is_refused() {
    let log = Log::busy(2);
    let mut files = log.export();
    files.put("checkpoint", head_of(&log.leaves(), &[&key(9)]));
    let failure = verified(&files).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Unusable, "{failure}");
    assert!(failure.what.contains("which the trust policy does not name"), "{failure}");
    // A signature that is said to be by the key that is trusted, and is not.
    let mut files = log.export();
    let mut note = head_of(&log.leaves(), &[&key(1)]);
    note.signatures[0].blob[9] ^= 1;
    files.put("checkpoint", note);
    assert_eq!(verified(&files).unwrap_err().verdict, Verdict::Tampered);
    let failure = verified_since(&log, head_of(&log.leaves()[..5], &[&key(9)])).unwrap_err();
    assert!(failure.what.contains("not signed with the key"), "{failure}");
    // A key of another log's name.
    let stranger = SigningKey::from_seed("gateway.example.com/other", &[1; 32]).unwrap();
    let trust = Trust::in_log(stranger.verifier()).unwrap();
    let failure = verify(&log.export(), &trust, &options()).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Unusable);
    assert!(failure.what.contains("does not name the log"), "{failure}");
}

/// A log whose key was changed after 20 entries and after 40.
fn rotated() -> (Log, Files) {
    let mut log = Log::busy(1);
    let mut files: Vec<(usize, Note)> = Vec::new();
    for (old, new) in [(1, 2), (2, 3)] {
        let body =
            Body::LogKey { key: key(new).verifier().to_string(), retired: key(old).verifier().to_string() };
        log.entry(&Actor::gateway(), body, None);
        let size = log.drafts.len();
        files.push((size, head_of(&log.leaves(), &[&key(old), &key(new)])));
        log.whole_call(&format!("after-{new}"));
    }
    let mut export = log.export();
    export.put("checkpoint", head_of(&log.leaves(), &[&key(3)]));
    for (size, note) in files {
        export.put(&format!("checkpoints/{size}"), note);
    }
    (log, export)
}

#[test]
fn who_trusts_an_old_key_follows_it_to_the_one_in_use() {
    let (log, files) = rotated();
    for trusted in [1, 2, 3] {
        let trust = Trust::in_log(key(trusted).verifier()).unwrap();
        let report = verify(&files, &trust, &options()).unwrap();
        assert_eq!((report.rotations, report.older.len()), (2, 2));
        assert_eq!(report.signed_by, [key(3).verifier().to_string()]);
        // Heads from before, each with the key of its time.
        for (size, signer) in [(10, 1), (log.drafts.len() - 1, 3)] {
            let since = Some(head_of(&log.leaves()[..size], &[&key(signer)]));
            verify(&files, &trust, &Options { since, ..options() }).unwrap();
            let since = Some(head_of(&log.leaves()[..size], &[&key(4 - signer)]));
            let failure = verify(&files, &trust, &Options { since, ..options() }).unwrap_err();
            assert!(failure.what.contains("the key that the log had then"), "{failure}");
        }
    }
}

#[test]
fn a_key_that_nobody_handed_over_is_not_followed() {
    let (log, files) = rotated();
    let first = log.drafts.iter().position(|draft| draft.kind == "log.key-rotated").unwrap() as u64;
    // The head with both signatures is missing.
    let mut without = files.clone();
    without.0.remove(&format!("checkpoints/{}", first + 1));
    let failure = verified(&without).unwrap_err();
    assert_found(&failure, Verdict::Incomplete, first, "both keys");
    // It is signed with the new key alone: a thief of the tree, not of the old key.
    let mut alone = files.clone();
    alone.put(&format!("checkpoints/{}", first + 1), head_of(&log.leaves()[..place(first) + 1], &[&key(2)]));
    assert_found(&verified(&alone).unwrap_err(), Verdict::Incomplete, first, "both keys");
    // The newest head is signed with a retired key.
    let mut retired = files.clone();
    retired.put("checkpoint", head_of(&log.leaves(), &[&key(1)]));
    assert_eq!(verified(&retired).unwrap_err().verdict, Verdict::Tampered);
    // An entry hands over what was not in use.
    let mut log = log;
    let body = Body::LogKey { key: key(7).verifier().to_string(), retired: key(1).verifier().to_string() };
    let index = log.entry(&Actor::gateway(), body, None);
    assert_found(&found(&log), Verdict::Tampered, index, "another key than the one in use");
}

#[test]
fn a_change_of_keys_that_was_begun_twice_counts_once() {
    let mut log = Log::busy(1);
    let body = Body::LogKey { key: key(2).verifier().to_string(), retired: key(1).verifier().to_string() };
    log.entry(&Actor::gateway(), body.clone(), None);
    log.whole_call("between");
    let between = head_of(&log.leaves(), &[&key(1)]);
    log.entry(&Actor::gateway(), body, None);
    let both = head_of(&log.leaves(), &[&key(1), &key(2)]);
    log.whole_call("after");
    let mut files = log.export();
    files.put("checkpoint", head_of(&log.leaves(), &[&key(2)]));
    files.put("checkpoints/1", between);
    files.put("checkpoints/2", both);
    assert_eq!(verified(&files).unwrap().rotations, 1);
}

#[test]
fn witnesses_are_asked_for_and_named() {
    let log = Log::busy(2);
    let mut files = log.export();
    let policy =
        format!("log {}\nwitness north {}\nquorum north\n", key(1).verifier(), witness(5).cosigner());
    let trust = Trust::parse(&policy).unwrap();
    let failure = verify(&files, &trust, &options()).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Incomplete, "{failure}");
    let mut note = head_of(&log.leaves(), &[&key(1)]);
    let last = log.drafts.last().unwrap().at.as_second();
    note.signatures.push(witness(5).cosign(&note.text, last as u64 + 30));
    files.put("checkpoint", &note);
    let report = verify(&files, &trust, &options()).unwrap();
    assert_eq!(report.witnessed_by.len(), 1);
    assert_eq!(report.witnessed_by[0].name, "north");
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("`--system`"), "{:?}", report.warnings);
    // Who saw the head before its last entry was made has seen another's clock, or a forged time.
    note.signatures.pop();
    note.signatures.push(witness(5).cosign(&note.text, last as u64 - 3600));
    files.put("checkpoint", &note);
    let failure = verify(&files, &trust, &options()).unwrap_err();
    assert_eq!(failure.verdict, Verdict::Tampered);
    assert!(failure.what.contains("the witness `north` signed at"), "{failure}");
    // An older head that comes along tells as well.
    let mut older = head_of(&log.leaves()[..20], &[&key(1)]);
    let seen = log.drafts[..20].iter().map(|draft| draft.at.as_second()).max().unwrap();
    let mut fine = note.clone();
    fine.signatures.pop();
    fine.signatures.push(witness(5).cosign(&fine.text, last as u64));
    files.put("checkpoint", &fine);
    for (late, good) in [(-3600, false), (0, true)] {
        older.signatures.push(witness(5).cosign(&older.text, (seen + late) as u64));
        files.put("checkpoints/20", &older);
        older.signatures.pop();
        assert_eq!(verify(&files, &trust, &options()).is_ok(), good, "{late}");
    }
    files.0.remove("checkpoints/20");
    // A cosignature that fails.
    note.signatures.pop();
    note.signatures.push(witness(5).cosign("another\n", last as u64));
    files.put("checkpoint", &note);
    assert_eq!(verify(&files, &trust, &options()).unwrap_err().verdict, Verdict::Tampered);
}

/// What is not a stamp of an authority, and serves as one: the text that it is of, and its time.
fn stamp(bytes: &[u8], text: &str) -> Option<Timestamp> {
    std::str::from_utf8(bytes).ok()?.strip_prefix(text)?.parse().ok()
}

#[test]
fn a_time_stamp_is_of_a_head_of_this_log_and_made_after_its_entries() {
    let log = Log::busy(2);
    let text = |size: usize| head_of(&log.leaves()[..size], &[&key(1)]).text;
    let with = |path: &str, content: String, stamp| {
        let mut files = log.export();
        files.put(path, content);
        verify(&files, &trust(), &Options { stamp, ..options() })
    };
    let stamp: Option<ReadStamp> = Some(stamp);
    let after = "2026-11-20T12:00:00Z";
    // That head need not be there.
    let report = with("anchors/20-north.tsr", format!("{}{after}", text(20)), stamp).unwrap();
    assert_eq!((report.stamps[0].size, report.stamps[0].at), (20, after.parse().unwrap()));
    let warned = |report: &Report, words: &str| report.warnings.iter().any(|warning| warning.contains(words));
    assert!(warned(&report, "1 time stamps are of heads of this log"), "{:?}", report.warnings);
    for (path, content, words) in [
        ("anchors/20-north.tsr", "garbage".to_owned(), "is not a time stamp of this log"),
        ("anchors/21-north.tsr", format!("{}{after}", text(20)), "is not a time stamp of this log"),
        ("anchors/9999-north.tsr", format!("{}{after}", text(20)), "is not a time stamp of this log"),
        ("anchors/20-north.tsr", format!("{}2026-11-20T09:00:00Z", text(20)), "has the time"),
    ] {
        let failure = with(path, content, stamp).unwrap_err();
        assert_eq!(failure.verdict, Verdict::Tampered, "{failure}");
        assert!(failure.what.contains(words), "{failure}");
    }
    let report = with("anchors/20-north.tsr", "garbage".to_owned(), None).unwrap();
    assert!(warned(&report, "of what they are and who made them was not checked"), "{:?}", report.warnings);
}

#[test]
fn files_that_are_no_part_of_an_export_are_counted() {
    let log = Log::busy(25);
    let strays = ["CHECKPOINT.old", "recordings.csv", "anchors/north.tsr", "tile/0/009", "tables/x.toml"];
    for strays in [&strays[..], &strays[..1], &[]] {
        let mut files = log.export();
        // A narrower tile is left over when a log is mirrored.
        let narrow = files.0["tile/entries/000"][..0].to_vec();
        files.0.insert("tile/0/000.p/7".into(), narrow);
        for stray in strays {
            files.put(stray, "?");
        }
        let dir = tempfile::tempdir().unwrap();
        files.write_to(dir.path());
        let zip = dir.path().with_extension("zip");
        std::fs::write(&zip, files.zip()).unwrap();
        let directory = crate::audit::source::Directory::open(dir.path()).unwrap();
        let archive = crate::audit::source::Archive::open(&zip).unwrap();
        std::fs::remove_file(&zip).unwrap();
        for source in [&directory as &dyn crate::audit::source::Source, &archive, &files] {
            let report = verify(source, &trust(), &options()).unwrap();
            let told: Vec<&String> =
                report.warnings.iter().filter(|warning| warning.contains("not part of an export")).collect();
            assert_eq!(told.is_empty(), strays.is_empty(), "{told:?}");
            let count = format!("{} files", strays.len());
            assert!(
                told.iter().all(|told| told.starts_with(&count) && told.contains("CHECKPOINT")),
                "{told:?}"
            );
        }
    }
}
