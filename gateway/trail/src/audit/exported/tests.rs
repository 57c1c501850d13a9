use policy::What;

use super::super::pack::{Kind, verify_pack};
use super::super::sample::*;
use super::*;

/// A call with a recording that was deleted, a call without one, and one that has its name again.
fn log() -> (Log, Uuid, Uuid) {
    let mut log = Log::busy(2);
    let (uid, recording) = log.whole_call("c-1");
    log.entry(&counsel(), Body::Deleted { recording }, None);
    let silent = log.open("c-2");
    log.happens(silent, What::Ended);
    (log, uid, recording)
}

fn found(log: &Log, query: &Query) -> Vec<String> {
    let files = log.export();
    let export = Exported::open(&files).unwrap();
    let mut kinds = Vec::new();
    export
        .find(query, |line, _| {
            kinds.push(line.leaf.kind.clone());
            Ok(())
        })
        .unwrap();
    kinds
}

#[test]
fn every_sort_of_proof_is_made_from_an_export_and_verifies() {
    let (log, uid, recording) = log();
    let files = log.export();
    let export = Exported::open(&files).unwrap();
    let envelope = log.envelopes[&recording].clone();
    for (about, kind, envelope) in [
        (About::Recording(recording), Kind::Recording, Some(envelope)),
        (About::Call("c-1".into()), Kind::Call, None),
        (About::NoRecording("c-2".into()), Kind::Absence, None),
    ] {
        let pack = export.prove(&about, envelope, log.now).unwrap();
        let report = verify_pack(&pack, &trust(), None).unwrap();
        assert_eq!(report.kind, kind);
        assert!(report.decisions > 0, "{about:?}");
        let says = report.call_id.unwrap();
        assert_eq!(says, if kind == Kind::Absence { "c-2" } else { "c-1" });
    }
    // Of a call that has one, the absence of a recording is not proven; nor of one that is not there.
    let denied = export.prove(&About::NoRecording("c-1".into()), None, log.now).unwrap_err();
    assert!(denied.what.contains(&recording.to_string()), "{denied}");
    for about in [About::NoRecording("c-3".into()), About::Call("c-3".into()), About::Recording(uid)] {
        export.prove(&about, None, log.now).unwrap_err();
    }
}

#[test]
fn a_recording_is_found_with_its_call_and_with_what_became_of_it() {
    let (log, uid, recording) = log();
    let of_call = found(&log, &Query { call: Some("c-1".into()), ..Query::default() });
    let of_recording = found(&log, &Query { recording: Some(recording), ..Query::default() });
    assert_eq!(of_call, of_recording);
    assert_eq!(of_call.last().unwrap(), "recording.deleted");
    let own = log.drafts.iter().filter(|draft| draft.call == Some(uid)).count();
    assert_eq!(of_call.len(), own + 1);
    let deleted = Query { types: Some(vec!["recording.deleted"]), ..Query::default() };
    assert_eq!(found(&log, &deleted), ["recording.deleted"]);
    let nobody = Query { participant: Some("somebody".into()), ..Query::default() };
    assert!(found(&log, &nobody).is_empty());
    let there = Query { participant: Some("agent-7".into()), ..Query::default() };
    assert!(found(&log, &there).len() > of_call.len(), "they were on every call");
    let both = Query { call: Some("c-1".into()), ..there };
    assert_eq!(found(&log, &both), of_call);
    assert_eq!(found(&log, &Query::default()).len(), log.drafts.len());
}

#[test]
fn a_detail_that_its_entry_does_not_commit_to_answers_nothing() {
    let (log, _, _) = log();
    let mut files = log.export();
    let details = files.0.get_mut("details.jsonl").unwrap();
    let text = String::from_utf8(details.clone()).unwrap().replacen("c-1", "c-9", 1);
    *details = text.into_bytes();
    let export = Exported::open(&files).unwrap();
    let failure = export.calls("c-9").unwrap_err();
    assert_eq!(failure.verdict, super::super::Verdict::Tampered);
    assert!(failure.index.is_some());
}
