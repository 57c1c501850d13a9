//! What leaves the quarantine is what entered it, and was covered in time.

use jiff::{SignedDuration, Timestamp};
use policy::{CoverageBasis, Use, What};
use seal::Format;
use uuid::Uuid;

use super::*;
use crate::audit::sample::{KEY, Log, counsel, recorder, starter};
use crate::{Actor, Body, Came, Destruction, Door, OnRefusal, QuarantineReason, Released, Saw};

const CAME: Came = Came { door: Door::Kazoo, coverage: CoverageBasis::Lawful, used_for: Use::Record };

/// A log with a call on which everybody agreed, and something in quarantine that was made then.
#[derive(Clone)]
struct Case {
    log: Log,
    call: Uuid,
    recording: Uuid,
    spans: Vec<(Timestamp, Timestamp)>,
    /// When it ended.
    until: Timestamp,
}

impl Case {
    fn new() -> Case {
        let mut log = Log::new();
        log.adds(&starter(), "the switch", CoverageBasis::Lawful);
        let credential = starter().credential;
        let set = Body::CredentialSet { credential, on_refusal: OnRefusal::Deny, quarantine_seconds: 3600 };
        log.entry(&Actor::command_line(), set, None);
        let call = log.open("c");
        log.prompted(call, &[0, 1]);
        log.agrees(call, 0);
        log.agrees(call, 1);
        let from = log.now;
        log.tick(10_000);
        let until = log.now;
        let mut case = Case { log, call, recording: crate::id().unwrap(), spans: vec![(from, until)], until };
        case.enters(case.recording, Door::Kazoo, 3600);
        case
    }

    fn enters(&mut self, recording: Uuid, door: Door, seconds: i64) -> u64 {
        let body = Body::Quarantined {
            recording,
            came: Came { door, ..CAME },
            reason: QuarantineReason::UnknownCall,
            envelope: "ab".repeat(32),
            media: "cd".repeat(32),
            bytes: 100,
            until: self.log.now + SignedDuration::from_secs(seconds),
        };
        self.log.entry(&starter(), body, None)
    }

    fn leaves(&mut self, change: impl FnOnce(&mut Body)) -> u64 {
        let call = &self.log.calls[&self.call].call;
        let kept = call.requirement(self.log.now).retention;
        let mut body = Body::Accepted {
            recording: self.recording,
            came: CAME,
            envelope: "ab".repeat(32),
            media: "cd".repeat(32),
            bytes: 100,
            keys: vec![KEY.into()],
            format: Format::Tink,
            spans: self.spans.clone(),
            silenced: Vec::new(),
            unplaced: false,
            codec_ms: 0,
            shifted_ms: 0,
            unasked: None,
            keep_until: kept.keep_until(self.log.now),
            delete_by: kept.delete_by(self.log.now),
            released: Some(Released {
                uploader: starter().credential,
                evidence_until: self.until,
                placed: false,
            }),
            saw: Saw::of(self.log.table.digest(), &call.decide(self.log.now)),
        };
        change(&mut body);
        self.log.of_call(&recorder(), self.call, body, None)
    }

    fn is_destroyed(&mut self, recording: Uuid) -> u64 {
        let body = Body::Destroyed { recording, because: Destruction::Requested };
        self.log.entry(&counsel(), body, None)
    }

    fn fails(&self, index: u64, words: &str) {
        assert_found(&found(&self.log), Verdict::Tampered, index, words);
    }
}

type Change = fn(&mut Body);

fn as_it_is(_: &mut Body) {}

#[test]
fn what_was_covered_in_time_may_leave() {
    let mut case = Case::new();
    case.leaves(as_it_is);
    verified(&case.log.export()).unwrap();
    let mut case = Case::new();
    case.is_destroyed(case.recording);
    verified(&case.log.export()).unwrap();
}

#[test]
fn what_leaves_is_what_entered_once_and_in_time() {
    let changes: [(&str, Change); 5] = [
        ("something else than was put", |body| {
            let Body::Accepted { media, .. } = body else { panic!() };
            *media = "ef".repeat(32);
        }),
        ("something else than was put", |body| {
            let Body::Accepted { envelope, .. } = body else { panic!() };
            *envelope = "ef".repeat(32);
        }),
        ("something else than was put", |body| {
            let Body::Accepted { released: Some(released), .. } = body else { panic!() };
            released.uploader = recorder().credential;
        }),
        ("never in quarantine", |body| {
            let Body::Accepted { recording, .. } = body else { panic!() };
            *recording = Uuid::from_u128(7);
        }),
        ("what counts for it is not what was logged when it ended", |body| {
            let Body::Accepted { released: Some(released), .. } = body else { panic!() };
            released.evidence_until += SignedDuration::from_millis(1);
        }),
    ];
    for (words, change) in changes {
        let mut case = Case::new();
        let index = case.leaves(change);
        case.fails(index, words);
    }
    // As if it had never waited.
    let mut case = Case::new();
    let index = case.leaves(|body| {
        let Body::Accepted { released, came, .. } = body else { panic!() };
        (*released, *came) = (None, Came::NATIVE);
    });
    case.fails(index, "as if it were not");
    // Once only, and not after its destruction.
    let mut case = Case::new();
    case.is_destroyed(case.recording);
    let index = case.leaves(as_it_is);
    case.fails(index, "not in quarantine any more");
    let mut case = Case::new();
    case.leaves(as_it_is);
    let index = case.is_destroyed(case.recording);
    case.fails(index, "not in quarantine any more");
    // Not when its time was over.
    let mut case = Case::new();
    case.log.tick(3_600_000);
    let index = case.leaves(as_it_is);
    case.fails(index, "was over");
}

#[test]
fn what_enters_is_what_its_sender_may_send_there() {
    for (door, seconds) in [(Door::Kazoo, 3601), (Door::Native, 60)] {
        let mut case = Case::new();
        let index = case.enters(crate::id().unwrap(), door, seconds);
        case.fails(index, "may");
    }
    let mut case = Case::new();
    let index = case.enters(case.recording, Door::Kazoo, 60);
    case.fails(index, "before");
    let mut case = Case::new();
    let index = case.is_destroyed(Uuid::from_u128(7));
    case.fails(index, "never in quarantine");
}

/// What is logged after its end counts against it, never for it.
#[test]
fn nothing_leaves_by_what_was_logged_later() {
    // Somebody withdraws, though what was before stays lawful for whoever is recorded in time.
    let mut case = Case::new();
    case.log.happens(case.call, What::ConsentWithdrawn { participants: vec![1] });
    let index = case.leaves(as_it_is);
    case.fails(index, "after somebody had objected");
    // They agree again.
    let mut case = Case::new();
    case.log.happens(case.call, What::ConsentDeclined { participants: vec![0] });
    case.log.agrees(case.call, 0);
    let index = case.leaves(as_it_is);
    case.fails(index, "after somebody had objected");
    // What it would hold came after it had come.
    let mut case = Case::new();
    let from = case.log.now;
    case.log.tick(2000);
    (case.spans, case.until) = (vec![(from, case.log.now)], case.log.now);
    let index = case.leaves(as_it_is);
    case.fails(index, "came before it would have ended");
    // The call was opened once it was over.
    let mut case = Case::new();
    let from = case.log.now;
    case.log.tick(1000);
    let until = case.log.now;
    case.log.tick(1000);
    let mut later = Case { call: case.log.open("later"), ..case };
    (later.spans, later.until) = (vec![(from, until)], until);
    let failure = {
        later.leaves(as_it_is);
        found(&later.log)
    };
    assert_eq!(failure.verdict, Verdict::Tampered, "{failure}");
}
