//! Logs that their operator has forged: the holder of the key can rebuild the tree and sign it.

use jiff::SignedDuration;
use policy::{
    Control, CoverageBasis, Event, HeldCounts, MOST_STRETCHES, Method, Purpose, Purposes, Refusal, Stretch,
    Use, What, Why,
};
use seal::Format;
use uuid::Uuid;

use super::*;
use crate::{ControlRefusal, Door};

/// The log with one entry changed; tree and signature are made again.
pub(super) fn rewritten(log: &Log, index: usize, change: impl FnOnce(&mut Leaf)) -> Log {
    let mut log = log.clone();
    let mut leaf: Leaf = serde_json::from_slice(&log.drafts[index].leaf).unwrap();
    change(&mut leaf);
    log.drafts[index].leaf = serde_json::to_vec(&leaf).unwrap();
    log
}

fn position(log: &Log, kind: &str) -> usize {
    log.drafts.iter().position(|draft| draft.kind == kind).unwrap()
}

fn next_of_call(log: &Log, index: usize) -> Option<usize> {
    let call = log.drafts[index].call?;
    (index + 1..log.drafts.len()).find(|later| log.drafts[*later].call == Some(call))
}

#[test]
fn an_entry_left_out_of_a_call_is_found_at_the_next_one() {
    let log = Log::busy(12);
    let mut looked_at = 0;
    for index in 0..log.drafts.len() {
        let Some(next) = next_of_call(&log, index) else { continue };
        let mut log = log.clone();
        let removed = log.drafts.remove(index);
        let failure = found(&log);
        let words = if removed.kind == "call.opened" { "never opened" } else { "left out, put in or moved" };
        assert_found(&failure, Verdict::Tampered, next as u64 - 1, words);
        looked_at += 1;
    }
    assert!(looked_at > 100);
}

#[test]
fn an_entry_put_in_or_moved_within_a_call_is_found() {
    let log = Log::busy(12);
    for index in (0..log.drafts.len()).step_by(3) {
        let Some(next) = next_of_call(&log, index) else { continue };
        // Repeated as it stands.
        let mut repeated = log.clone();
        repeated.drafts.insert(index + 1, log.drafts[index].clone());
        assert_found(&found(&repeated), Verdict::Tampered, index as u64 + 1, "its id");
        // Repeated under an id of its own.
        let again = rewritten(&log, index, |leaf| {
            let mut bytes = *leaf.id.as_bytes();
            bytes[15] ^= 1;
            leaf.id = Uuid::from_bytes(bytes);
        });
        let mut put_in = log.clone();
        put_in.drafts.insert(index + 1, again.drafts[index].clone());
        assert_found(&found(&put_in), Verdict::Tampered, index as u64 + 1, "its nonce");
        // Moved.
        if next == index + 1 {
            let mut moved = log.clone();
            moved.drafts.swap(index, next);
            let failure = found(&moved);
            assert_eq!(
                (failure.verdict, failure.index),
                (Verdict::Tampered, Some(index as u64)),
                "{failure}"
            );
        }
    }
}

#[test]
fn a_forged_time_is_found() {
    let log = Log::busy(3);
    let moved = |index: usize, by: SignedDuration| {
        rewritten(&log, index, |leaf| {
            leaf.at += by;
            let ms = u64::try_from(leaf.at.as_millisecond()).unwrap();
            let mut random = [0; 10];
            random.copy_from_slice(&leaf.id.as_bytes()[6..]);
            leaf.id = uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid();
            if let Body::Event { facts, .. } = &mut leaf.body {
                facts.received_at = leaf.at;
            }
        })
    };
    let consent = position(&log, "consent.given");
    // An hour ago, with everything in the entry saying so.
    let failure = found(&moved(consent, SignedDuration::from_hours(-1)));
    assert_found(&failure, Verdict::Tampered, consent as u64, "time runs backwards");
    // In an hour: the entries behind it cannot stand there any more.
    let failure = found(&moved(consent, SignedDuration::from_hours(1)));
    assert_eq!(failure.verdict, Verdict::Tampered);
    assert!(failure.index == Some(consent as u64) || failure.index == Some(consent as u64 + 1), "{failure}");
    // Within its neighbours' times, but its id was made at another.
    let failure = found(&rewritten(&log, consent, |leaf| leaf.at -= SignedDuration::from_millis(5)));
    assert_found(&failure, Verdict::Tampered, consent as u64, "its id was made at another time");
    // The prompt is said to have ended before it can have.
    let prompt = position(&log, "prompt.completed");
    let failure = found(&moved(prompt, SignedDuration::from_millis(-3000)));
    assert_found(&failure, Verdict::Tampered, prompt as u64, "not what the facts and the table give");
    // An entry of no call, of yesterday.
    let fetched = position(&log, "recording.fetched");
    let failure = found(&moved(fetched, SignedDuration::from_hours(-24)));
    assert_found(&failure, Verdict::Tampered, fetched as u64, "time runs backwards");
}

#[test]
fn a_forged_decision_is_found_by_deciding_again_and_by_nothing_else() {
    let log = Log::busy(10);
    type Forgery = fn(&mut crate::Saw);
    let forgeries: [Forgery; 8] = [
        |saw| saw.recording = if saw.recording == "blocked" { "permitted" } else { "blocked" }.into(),
        |saw| saw.why = Some(Why::Missing(9)),
        |saw| saw.recorder = "stopped or so".into(),
        |saw| saw.action = "end-call".into(),
        |saw| saw.requirement = "one/none".into(),
        |saw| {
            saw.participants[0].state =
                if saw.participants[0].state == "consented" { "left" } else { "consented" }.into()
        },
        |saw| saw.participants[0].places.clear(),
        |saw| drop(saw.participants.pop()),
    ];
    let mut looked_at = 0;
    for (index, draft) in log.drafts.iter().enumerate().filter(|(_, draft)| draft.call.is_some()) {
        let forgery = forgeries[index % forgeries.len()];
        let forged = rewritten(&log, index, |leaf| {
            let (Body::Opened { saw, .. }
            | Body::Event { saw, .. }
            | Body::ControlRefused { saw, .. }
            | Body::Accepted { saw, .. }
            | Body::Unasked { saw, .. }
            | Body::Suspension { saw, .. }
            | Body::Refused { saw, .. }) = &mut leaf.body
            else {
                panic!("{}", leaf.kind)
            };
            forgery(saw);
        });
        assert_found(
            &found(&forged),
            Verdict::Tampered,
            index as u64,
            "not what the facts and the table give",
        );
        looked_at += usize::from(draft.call.is_some());
    }
    assert!(looked_at > 100);
}

#[test]
fn a_forged_fact_is_found_where_it_changes_a_decision() {
    let log = Log::busy(10);
    let declined = position(&log, "consent.declined");
    let forged = rewritten(&log, declined, |leaf| {
        let Body::Event { facts, .. } = &mut leaf.body else { panic!() };
        facts.what = What::ConsentGiven { participants: vec![0], method: Method::Dtmf };
        leaf.kind = leaf.body.kind().as_str().into();
    });
    assert_found(
        &found(&forged),
        Verdict::Tampered,
        declined as u64,
        "not what the facts and the table give",
    );
    let opened = position(&log, "call.opened");
    let forged = rewritten(&log, opened, |leaf| {
        let Body::Opened { facts, .. } = &mut leaf.body else { panic!() };
        facts.participants[0].places.clear();
    });
    assert_found(&found(&forged), Verdict::Tampered, opened as u64, "not what the facts and the table give");
}

#[test]
fn a_decision_by_another_version_of_the_policy_is_not_judged() {
    let log = Log::busy(1);
    let index = position(&log, "recording.start");
    let other = rewritten(&log, index, |leaf| {
        let Body::Event { saw, .. } = &mut leaf.body else { panic!() };
        saw.policy = "0".into();
    });
    assert_found(&found(&other), Verdict::Unusable, index as u64, "version 0 of the policy");
}

#[test]
fn a_recording_that_began_without_leave_is_found_though_every_decision_is_right() {
    let mut log = Log::new();
    let uid = log.open("c");
    let index = log.happens(uid, What::Control(Control::Start));
    assert_found(&found(&log), Verdict::Tampered, index, "was allowed to start, and was not permitted");
}

#[test]
fn a_use_without_leave_is_found_though_every_decision_is_right() {
    let quality = Purposes::NONE.with(Purpose::Quality);
    let asks = |of, purposes, control| What::Use { of, purposes, control };
    let start = |purposes| asks(Use::Transcribe, purposes, Control::Start);
    // Everybody has heard a prompt for `quality`.
    let told = || {
        let mut log = Log::new();
        let uid = log.open("c");
        log.prompted(uid, &[0, 1]);
        log.agrees(uid, 0);
        log.agrees(uid, 1);
        (log, uid)
    };
    let after = |whats: &[What]| {
        let (mut log, uid) = told();
        let indexes: Vec<u64> = whats.iter().map(|what| log.happens(uid, what.clone())).collect();
        (log, indexes[indexes.len() - 1])
    };
    let stop = || asks(Use::Transcribe, Purposes::NONE, Control::Stop);
    let (honest, _) = after(&[start(quality), stop(), start(quality)]);
    verified(&honest.export()).unwrap();
    let more = quality.with(Purpose::Transcription);
    for (whats, says) in [
        (vec![start(more)], "was not permitted"),
        (vec![start(Purposes::NONE)], "was not permitted"),
        (vec![asks(Use::Record, quality, Control::Start)], "as if it were another use"),
        (vec![stop()], "that was never granted"),
        (vec![start(quality), asks(Use::Transcribe, quality, Control::Stop)], "gets other purposes"),
        (vec![asks(Use::Stream, quality, Control::Resume)], "that was not going on"),
        (
            vec![start(quality), stop(), asks(Use::Transcribe, quality, Control::Resume)],
            "that was not going on",
        ),
    ] {
        let (log, index) = after(&whats);
        assert_found(&found(&log), Verdict::Tampered, index, says);
    }
    // What was decided of a use is decided again.
    let (log, index) = after(&[start(quality)]);
    let forged = rewritten(&log, usize::try_from(index).unwrap(), |leaf| {
        let Body::Event { saw, .. } = &mut leaf.body else { panic!() };
        saw.uses.clear();
    });
    assert_found(&found(&forged), Verdict::Tampered, index, "another use is described otherwise");
    // It was refused, and was permitted; or in a way in which no gateway refuses.
    let refused = |of, purposes, code| {
        let (mut log, uid) = told();
        let index = log.refuse(uid, of, purposes, code);
        (log, index)
    };
    let (honest, _) = refused(Use::Stream, more, ControlRefusal::ConsentRequired);
    verified(&honest.export()).unwrap();
    for (of, purposes, code, says) in [
        (Use::Stream, quality, ControlRefusal::ConsentRequired, "what was permitted"),
        (Use::Stream, more, ControlRefusal::NoUsableKey, "no gateway refuses"),
        (Use::Record, quality, ControlRefusal::ConsentRequired, "no gateway refuses"),
    ] {
        let (log, index) = refused(of, purposes, code);
        assert_found(&found(&log), Verdict::Tampered, index, says);
    }
}

#[test]
fn a_recording_that_nobody_consented_to_is_found_though_every_decision_is_right() {
    let going = || {
        let mut log = Log::new();
        let uid = log.open("c");
        log.prompted(uid, &[0, 1]);
        log.agrees(uid, 0);
        log.agrees(uid, 1);
        log.start(uid);
        let from = log.now;
        log.tick(10_000);
        log.happens(uid, What::ConsentWithdrawn { participants: vec![0] });
        log.tick(10_000);
        log.happens(uid, What::Ended);
        log.tick(5_000);
        (log, uid, from)
    };
    let seconds = SignedDuration::from_secs;
    let cases = [
        ((0, 15), "withdrawn:0"),
        ((-5, 10), "consent-missing:0"),
        ((5, 3), "empty, overlap or are out of order"),
    ];
    for ((begin, end), words) in cases {
        let (mut log, uid, from) = going();
        let span = (from + seconds(begin), from + seconds(end));
        log.accept_anyway(uid, vec![span]);
        let index = log.drafts.len() as u64 - 1;
        assert_found(&found(&log), Verdict::Tampered, index, words);
    }
    // What was granted is used up once.
    let (mut log, uid, from) = going();
    let span = (from, from + seconds(10));
    log.accept(uid, from, 10_000);
    log.accept_anyway(uid, vec![span]);
    let index = log.drafts.len() as u64 - 1;
    assert_found(&found(&log), Verdict::Tampered, index, "taken");
    // What was not placed in time uses up the first moments of the window.
    let unplaced = |begin: i64, end: i64| {
        let (mut log, uid, from) = going();
        log.accept_anyway(uid, vec![(from + seconds(begin), from + seconds(end))]);
        let index = log.drafts.len() - 1;
        let log = rewritten(&log, index, |leaf| {
            let Body::Accepted { unplaced, .. } = &mut leaf.body else { panic!() };
            *unplaced = true;
        });
        (log, index as u64)
    };
    verified(&unplaced(0, 3).0.export()).unwrap();
    let (log, index) = unplaced(2, 5);
    assert_found(&found(&log), Verdict::Tampered, index, "uses up more or less");
    // What a codec added, or a clock moved, is what follows from where the recording lies.
    type Said = fn(&mut u64, &mut u64);
    let said: [(Said, &str); 2] =
        [(|codec, _| *codec = 40, "uses up"), (|_, shifted| *shifted = 900, "not-granted")];
    for (say, words) in said {
        let (mut log, uid, from) = going();
        log.accept_anyway(uid, vec![(from, from + seconds(3))]);
        let index = log.drafts.len() - 1;
        let log = rewritten(&log, index, |leaf| {
            let Body::Accepted { codec_ms, shifted_ms, .. } = &mut leaf.body else { panic!() };
            say(codec_ms, shifted_ms);
        });
        assert_found(&found(&log), Verdict::Tampered, index as u64, words);
    }
    // No codec adds a second.
    let (mut log, uid, from) = going();
    log.accept_anyway(uid, vec![(from, from + seconds(26))]);
    let index = log.drafts.len() - 1;
    let padded = rewritten(&log, index, |leaf| {
        let Body::Accepted { codec_ms, .. } = &mut leaf.body else { panic!() };
        *codec_ms = 16_000;
    });
    assert_found(&found(&padded), Verdict::Tampered, index as u64, "withdrawn:0");
    // No stretch at all.
    let (mut log, uid, _) = going();
    log.accept_anyway(uid, Vec::new());
    assert_found(&found(&log), Verdict::Tampered, log.drafts.len() as u64 - 1, "empty, overlap");
}

/// What its codec adds to an MP3 lies in a pause in which the platform writes silence.
#[test]
fn an_honest_end_in_a_pause_is_no_forgery() {
    let mut log = Log::new();
    let uid = log.open("c");
    log.prompted(uid, &[0, 1]);
    log.agrees(uid, 0);
    log.agrees(uid, 1);
    log.start(uid);
    let from = log.now;
    log.tick(10_000);
    log.happens(uid, What::Control(Control::Pause(policy::Behavior::Silence)));
    log.tick(10_000);
    log.happens(uid, What::Ended);
    log.tick(5_000);
    let until = from + SignedDuration::from_millis(10_000 + 105);
    log.accept_anyway(uid, vec![(from, until)]);
    let index = log.drafts.len() - 1;
    let added = |ms| {
        rewritten(&log, index, |leaf| {
            let Body::Accepted { codec_ms, .. } = &mut leaf.body else { panic!() };
            *codec_ms = ms;
        })
    };
    verified(&added(0).export()).unwrap();
    let least = (1..=512).find(|ms| verified(&added(*ms).export()).is_ok());
    assert!(least.is_some_and(|ms| ms > 0), "{least:?}");
}

#[test]
fn a_recording_that_is_kept_otherwise_than_the_table_says_is_found() {
    let log = Log::busy(1);
    let index = position(&log, "recording.accepted");
    let forged = rewritten(&log, index, |leaf| {
        let Body::Accepted { delete_by, .. } = &mut leaf.body else { panic!() };
        *delete_by = Some("2046-01-01T00:00:00Z".parse().unwrap());
    });
    assert_found(&found(&forged), Verdict::Tampered, index as u64, "not kept as the table says");
}

#[test]
fn what_loosens_after_the_end_is_found() {
    let mut log = Log::new();
    let (uid, _) = log.whole_call("c");
    let agreed = log.happens(uid, What::ConsentGiven { participants: vec![0], method: Method::Click });
    assert_found(&found(&log), Verdict::Tampered, agreed, "after the call's end");
    let mut log = Log::new();
    let (uid, _) = log.whole_call("c");
    log.happens(uid, What::ConsentWithdrawn { participants: vec![0] });
    verified(&log.export()).unwrap();
}

#[test]
fn evidence_that_was_late_says_so() {
    let mut log = Log::new();
    log.settings.late_evidence_seconds = 30;
    let uid = log.open("c");
    log.tick(5000);
    let at = log.now - SignedDuration::from_secs(4);
    let index = log.reported(uid, Some(at), What::ToneStarted, recorder());
    verified(&log.export()).unwrap();
    let silent = rewritten(&log, place(index), |leaf| {
        let Body::Event { late, .. } = &mut leaf.body else { panic!() };
        *late = false;
    });
    assert_found(&found(&silent), Verdict::Tampered, index, "`late` flag");
}

#[test]
fn what_was_never_registered_counts_for_nothing() {
    // A prompt that nobody registered, or that is longer than is said.
    let log = Log::busy(1);
    let index = position(&log, "prompt.started");
    for change in [
        (|prompt: &mut policy::Heard| prompt.version = crate::id().unwrap().to_string())
            as fn(&mut policy::Heard),
        |prompt| prompt.duration_ms = 1000,
    ] {
        let forged = rewritten(&log, index, |leaf| {
            let Body::Event { facts: Event { what: What::PromptStarted { prompt, .. }, .. }, .. } =
                &mut leaf.body
            else {
                panic!()
            };
            change(prompt);
        });
        assert_found(&found(&forged), Verdict::Tampered, index as u64, "registered");
    }
    // A key, a credential, a grant.
    let without = |kind: &str| {
        let mut log = Log::new();
        let grant = log.grant();
        let uid = log.open_with("c", Some(grant));
        log.prompted(uid, &[0, 1]);
        log.agrees(uid, 0);
        log.start(uid);
        log.tick(1000);
        let from = log.now - SignedDuration::from_secs(1);
        log.accept(uid, from, 1000);
        let index = position(&log, kind);
        log.drafts.remove(index);
        found(&log)
    };
    assert!(without("key.added").what.contains("was not in use"));
    assert!(without("credential.added").what.contains("was never added"));
    assert!(without("prompt.registered").what.contains("never registered"));
    assert!(without("consent-grant.registered").what.contains("never registered"));
}

#[test]
fn an_account_whose_recordings_are_sealed_for_one_key_has_one() {
    let operator = Actor::command_line();
    let other = || Body::Key { key: "cd".repeat(32), without_proof: true };
    let format = |format| Body::AccountFormat { format };
    // A second key, and the format with two of them.
    for bodies in [[format(Format::RsaAes), other()], [other(), format(Format::RsaAes)]] {
        let mut log = Log::new();
        for body in bodies {
            log.entry(&operator, body, None);
        }
        let index = log.drafts.len() as u64 - 1;
        assert_found(&found(&log), Verdict::Tampered, index, "2 keys are in use");
    }
    // One after the other, and the same one again.
    let mut log = Log::new();
    let retired = Body::KeyRetired { key: KEY.into() };
    for body in
        [format(Format::RsaAes), Body::Key { key: KEY.into(), without_proof: false }, retired, other()]
    {
        log.entry(&operator, body, None);
    }
    verified(&log.export()).unwrap();
}

#[test]
fn a_provisioner_sets_accounts_up_and_takes_no_power_by_it() {
    let provisioner = || Actor { credential: "cg_0123456789abcdef".into(), role: "provisioner".into() };
    let law = |overlays: &[&str], public_safety, on_hold| Body::AccountLaw {
        overlays: overlays.iter().map(|overlay| (*overlay).to_owned()).collect(),
        public_safety,
        on_hold,
    };
    let given = |role: &str, person| Body::Credential {
        on_refusal: crate::OnRefusal::Deny,
        quarantine_seconds: 0,
        credential: format!("cg_{role}"),
        role: role.into(),
        person,
        coverage: CoverageBasis::Granted,
    };
    let (kept, strict) = (|| law(&["one"], true, HeldCounts::NotCounted), HeldCounts::Counted);
    let second = |without_proof| Body::Key { key: "cd".repeat(32), without_proof };
    let alias = Uuid::from_u128(1);
    for body in [
        Body::AccountSettings { loosens: false },
        Body::AccountAlias { alias },
        given("uploader", None),
        second(true),
        kept(),
        law(&["one", "other"], false, strict),
    ] {
        let mut log = Log::new();
        log.entry(&Actor::command_line(), kept(), None);
        log.entry(&provisioner(), body, None);
        verified(&log.export()).unwrap();
    }
    for (body, told) in [
        (Body::AccountSettings { loosens: true }, "which the role"),
        (Body::AccountProvisioner { credential: Some("cg_0123456789abcdef".into()) }, "which the role"),
        (Body::KeyRetired { key: KEY.into() }, "which the role"),
        (Body::Person { person: alias, founding: true }, "which the role"),
        (given("counsel", None), "which a provisioner may not"),
        (given("provisioner", None), "which a provisioner may not"),
        (second(false), "does not say so"),
        (law(&[], true, HeldCounts::NotCounted), "loosens the law"),
        (law(&["other"], false, strict), "loosens the law"),
    ] {
        let mut log = Log::new();
        log.entry(&Actor::command_line(), kept(), None);
        let index = log.entry(&provisioner(), body, None);
        assert_found(&found(&log), Verdict::Tampered, index, told);
    }
    for looser in [law(&[], true, strict), law(&[], false, HeldCounts::NotCounted)] {
        let mut log = Log::new();
        log.entry(&Actor::command_line(), law(&[], false, strict), None);
        let index = log.entry(&provisioner(), looser, None);
        assert_found(&found(&log), Verdict::Tampered, index, "loosens the law");
    }
}

#[test]
fn a_recording_is_sealed_as_the_accounts_are() {
    let accepted = |of_account: Format, said: Format| {
        let mut log = Log::new();
        log.entry(&Actor::command_line(), Body::AccountFormat { format: of_account }, None);
        let uid = log.open("c");
        log.prompted(uid, &[0, 1]);
        log.agrees(uid, 0);
        log.start(uid);
        log.tick(3000);
        let from = log.now - SignedDuration::from_secs(3);
        log.accept(uid, from, 3000);
        let index = log.drafts.len() - 1;
        let log = rewritten(&log, index, |leaf| {
            let Body::Accepted { format, .. } = &mut leaf.body else { panic!() };
            *format = said;
        });
        (log, index as u64)
    };
    for (of_account, said) in [(Format::Tink, Format::RsaAes), (Format::RsaAes, Format::Tink)] {
        let (log, index) = accepted(of_account, said);
        assert_found(&found(&log), Verdict::Tampered, index, "recordings of the account were sealed as");
        verified(&accepted(said, said).0.export()).unwrap();
    }
    let (log, index) = accepted(Format::RsaAes, Format::RsaAes);
    let unkeyed = rewritten(&log, usize::try_from(index).unwrap(), |leaf| {
        let Body::Accepted { keys, .. } = &mut leaf.body else { panic!() };
        keys.push(KEY.into());
    });
    assert_found(&found(&unkeyed), Verdict::Tampered, index, "`rsa-aes` for 2 keys");
}

#[test]
fn what_an_entry_changes_and_does_not_name_is_warned_of() {
    let log = Log::busy(2);
    let register = |rows| Some(crate::registers::Registered { sum: "ab".repeat(32), rows });
    let unnamed = rewritten(&log, 0, |leaf| leaf.register = register(None));
    // Nothing can be said of what comes behind.
    let unnamed = rewritten(&unnamed, 1, |leaf| leaf.register = register(Some(Vec::new())));
    let report = verified(&unnamed.export()).unwrap();
    assert!(
        report.warnings.iter().any(|told| told.contains("more of what is registered")),
        "{:?}",
        report.warnings
    );
    let named = rewritten(&log, 1, |leaf| leaf.register = register(Some(Vec::new())));
    assert_found(&found(&named), Verdict::Tampered, 1, "commits to other rows");
}

#[test]
fn a_withdrawn_grant_has_to_reach_every_call_that_relies_on_it() {
    let mut log = Log::new();
    let grant = log.grant();
    let calls = [log.open_with("a", Some(grant)), log.open_with("b", Some(grant))];
    let other = log.open("c");
    let index = log.withdraw(grant, &calls);
    log.happens(other, What::Ended);
    verified(&log.export()).unwrap();
    // One call has no entry about it, and goes on.
    let mut log = Log::new();
    let grant = log.grant();
    let calls = [log.open_with("a", Some(grant)), log.open_with("b", Some(grant))];
    assert_eq!(log.withdraw(grant, &calls[..1]), index - 1);
    assert_found(&found(&log), Verdict::Tampered, index - 1, "has no entry about it");
    let goes_on = log.happens(calls[1], What::ToneStarted);
    assert_found(&found(&log), Verdict::Tampered, goes_on, "without a word");
    // Nobody relies on it afterwards.
    let mut log = Log::new();
    let grant = log.grant();
    log.withdraw(grant, &[]);
    log.open_with("a", Some(grant));
    assert_found(&found(&log), Verdict::Tampered, log.drafts.len() as u64 - 1, "was withdrawn");
}

#[test]
fn a_recording_that_is_gone_or_held_is_left_alone() {
    let of = |act: &dyn Fn(&mut Log, Uuid)| {
        let mut log = Log::new();
        let (_, recording) = log.whole_call("c");
        act(&mut log, recording);
        let index = log.drafts.len() as u64 - 1;
        let failure = found(&log);
        assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, Some(index)), "{failure}");
        failure.what
    };
    let entry = |log: &mut Log, body| {
        let fetched = matches!(body, Body::Fetched { .. });
        log.entry(&if fetched { listener() } else { counsel() }, body, None);
    };
    let what = of(&|log, recording| {
        entry(log, Body::Deleted { recording });
        entry(log, Body::Fetched { recording, range: (0, 1) });
    });
    assert!(what.contains("deleted before"));
    let what = of(&|log, recording| {
        entry(log, Body::Held { recording, held: true });
        entry(log, Body::Deleted { recording });
    });
    assert!(what.contains("legal hold"));
    assert!(
        of(&|log, recording| entry(log, Body::Fetched { recording, range: (0, 4097) })).contains("bytes")
    );
    let what = of(&|log, _| entry(log, Body::Fetched { recording: crate::id().unwrap(), range: (0, 1) }));
    assert!(what.contains("never accepted"));
}

#[test]
fn somebody_in_another_role_is_found() {
    let log = Log::busy(1);
    let index = position(&log, "recording.fetched");
    let forged = rewritten(&log, index, |leaf| leaf.actor.role = "counsel".into());
    assert_found(&found(&forged), Verdict::Tampered, index as u64, "was given the role");
}

/// The detail of an entry rewritten, with the commitment to it.
fn retold(log: &Log, index: usize, change: impl FnOnce(&mut serde_json::Value)) -> Log {
    let mut detail = log.drafts[index].detail.clone().unwrap();
    let mut document = serde_json::from_str(&detail.document).unwrap();
    change(&mut document);
    detail.document = document.to_string();
    let commitment = detail.commitment();
    let mut log = rewritten(log, index, |leaf| leaf.detail = Some(commitment));
    log.drafts[index].detail = Some(detail);
    log
}

#[test]
fn what_was_registered_is_what_is_said_to_have_been_played_where_the_detail_is_there() {
    let log = Log::busy(1);
    let registered = position(&log, "prompt.registered");
    let heard = position(&log, "prompt.started") as u64;
    let with = |member: &str, value: serde_json::Value| {
        let member = member.to_owned();
        retold(&log, registered, move |document| document["document"][member] = value)
    };
    for (forged, index, words) in [
        (with("language", "fi".into()), heard, "another language"),
        (with("purposes", serde_json::json!(["training"])), heard, "other purposes"),
        (with("purposes", serde_json::json!(["quality", "training"])), heard, "other purposes"),
        (with("says", serde_json::json!({})), heard, "say other things"),
        (with("duration_ms", 1000.into()), registered as u64, "gives another length"),
        (with("language", serde_json::Value::Null), registered as u64, "not what a gateway writes"),
    ] {
        assert_found(&found(&forged), Verdict::Tampered, index, words);
        // Without the detail nobody can tell.
        let mut files = forged.export();
        files.0.remove("details.jsonl");
        verified(&files).unwrap();
    }
    verified(&with("language", "EN-us".into()).export()).unwrap();
    // It cannot cover purposes that it does not name.
    let mut other = log.clone();
    let opened = position(&other, "call.opened");
    other = rewritten(&other, opened, |leaf| {
        let Body::Opened { facts, .. } = &mut leaf.body else { panic!() };
        facts.purposes = policy::Purposes::of(["quality", "evidence"]);
    });
    let failure = found(&other);
    assert!(failure.what.contains("does not name them") || failure.index == Some(opened as u64), "{failure}");
}

#[test]
fn a_grant_that_is_relied_on_is_what_was_registered_where_the_detail_is_there() {
    let mut log = Log::new();
    let grant = log.grant();
    let registered = position(&log, "consent-grant.registered");
    log.open_with("c", Some(grant));
    let opened = log.drafts.len() as u64 - 1;
    verified(&log.export()).unwrap();
    for (member, value, words) in [
        ("written", serde_json::json!(false), "to be written"),
        ("purposes", serde_json::json!(["training"]), "for other purposes"),
        ("role", serde_json::json!("customer"), "in another role"),
        ("given_by", serde_json::json!("guardian"), "given by a guardian"),
    ] {
        let forged = retold(&log, registered, |document| document["document"][member] = value);
        assert_found(&found(&forged), Verdict::Tampered, opened, words);
    }
    // Who gave it stands in the leaf, so that this shows without the detail.
    let forged = rewritten(&log, registered, |leaf| {
        let Body::Grant { by_guardian, .. } = &mut leaf.body else { panic!() };
        *by_guardian = true;
    });
    let mut files = forged.export();
    files.0.remove("details.jsonl");
    assert!(verified(&files).unwrap_err().what.contains("given by a guardian"));
}

#[test]
fn a_credential_that_was_revoked_acts_no_more() {
    let revoked = |wait: i64| {
        let mut log = Log::new();
        let uid = log.open("c");
        let body = Body::CredentialRevoked { credential: recorder().credential };
        log.entry(&Actor::command_line(), body, None);
        log.tick(wait * 1000);
        let index = log.happens(uid, What::Ended);
        (log, index)
    };
    // What was let in before is served.
    let report = verified(&revoked(20).0.export()).unwrap();
    assert!(report.warnings.iter().any(|warning| warning.starts_with("1 entry came from credentials")));
    let (log, index) = revoked(600);
    assert_found(&found(&log), Verdict::Tampered, index, "was revoked before");
    let mut log = Log::new();
    let body = Body::CredentialRevoked { credential: "cg_0000000000000000".into() };
    let index = log.entry(&Actor::command_line(), body, None);
    assert_found(&found(&log), Verdict::Tampered, index, "never added");
}

#[test]
fn nobody_acts_outside_of_their_role() {
    let acts = |role: &str, kind: &str| {
        let mut log = Log::busy(4);
        let index = position(&log, kind);
        let actor: Leaf = serde_json::from_slice(&log.drafts[index].leaf).unwrap();
        let given = log.drafts.iter().position(|draft| {
            let leaf: Leaf = serde_json::from_slice(&draft.leaf).unwrap();
            matches!(leaf.body, Body::Credential { credential, .. } if credential == actor.actor.credential)
        });
        log = rewritten(&log, given.unwrap(), |leaf| {
            let Body::Credential { role: given, .. } = &mut leaf.body else { panic!() };
            role.clone_into(given);
        });
        for index in 0..log.drafts.len() {
            log = rewritten(&log, index, |leaf| {
                if leaf.actor.credential == actor.actor.credential {
                    role.clone_into(&mut leaf.actor.role);
                }
            });
        }
        (found(&log), index as u64)
    };
    for (role, kind) in [
        ("auditor", "call.opened"),
        ("counsel", "call.opened"),
        ("auditor", "recording.fetched"),
        ("listener", "prompt.registered"),
        ("registrar", "prompt.registered"),
    ] {
        let (failure, index) = acts(role, kind);
        assert_found(&failure, Verdict::Tampered, index, "which the role");
    }
    let (failure, index) = acts("stranger", "call.opened");
    assert_found(&failure, Verdict::Unusable, index, "does not know the role");
    // Nor does somebody with a shell open calls.
    let log = Log::busy(1);
    let index = position(&log, "call.opened");
    let forged = rewritten(&log, index, |leaf| leaf.actor = Actor::command_line());
    assert_found(&found(&forged), Verdict::Tampered, index as u64, "which the role `operator` may not");
}

#[test]
fn a_long_silence_is_told_of_unless_a_gap_explains_it() {
    let told = |log: &Log| {
        let report = verified(&log.export()).unwrap();
        report.warnings.into_iter().find(|warning| warning.contains("neither an entry nor an explanation"))
    };
    let mut log = Log::busy(1);
    assert_eq!(told(&log), None);
    log.tick(64 * 60_000);
    log.entry(&Actor::gateway(), Body::Heartbeat {}, None);
    assert_eq!(told(&log), None);
    let mut gap = log.clone();
    log.tick(66 * 60_000);
    log.entry(&Actor::gateway(), Body::Heartbeat {}, None);
    log.tick(72 * 60 * 60_000);
    let index = log.entry(&Actor::gateway(), Body::Heartbeat {}, None);
    let warning = told(&log).unwrap();
    assert!(warning.starts_with("2 stretches") && warning.contains("72 h 0 min"), "{warning}");
    assert!(warning.ends_with(&format!("to entry {index}")), "{warning}");
    let from = gap.now + SignedDuration::from_mins(30);
    gap.tick(72 * 60 * 60_000);
    let body = Body::Gap { from, until: gap.now, cause: GapCause::EndedUnexpectedly };
    gap.entry(&Actor::gateway(), body, None);
    assert_eq!(told(&gap), None);
}

#[test]
fn a_recording_is_refused_for_what_was_in_the_way_and_for_nothing_else() {
    let mut log = Log::new();
    let uid = log.open("c");
    log.prompted(uid, &[0, 1]);
    log.agrees(uid, 0);
    log.agrees(uid, 1);
    log.start(uid);
    let from = log.now;
    log.tick(10_000);
    let withdrawn = log.now;
    log.happens(uid, What::ConsentWithdrawn { participants: vec![0] });
    log.tick(10_000);
    log.happens(uid, What::Ended);
    log.tick(5_000);
    let seconds = SignedDuration::from_secs;
    let saw = |log: &Log| {
        let call = &log.calls[&uid].call;
        crate::Saw::of(log.table.digest(), &call.decide(log.now))
    };
    let refused = |code: Refusal, uncovered: &[Stretch]| {
        let mut log = log.clone();
        let body = Body::Refused {
            discarded: false,
            came: Came::NATIVE,
            code,
            uncovered: uncovered.to_vec(),
            saw: saw(&log),
        };
        let index = log.of_call(&recorder(), uid, body, None);
        (verified(&log.export()), index)
    };
    let (until, early) = (withdrawn + seconds(5), from - seconds(2));
    let (no, missing) = (Why::Withdrawn(0), Why::Missing(0));
    // More stretches than an entry says: any one that was left out may have decided, but for those that are said.
    let many = |begin: Timestamp, why| -> Vec<Stretch> {
        let moment = |ms: usize| begin + SignedDuration::from_millis(ms as i64);
        (0..MOST_STRETCHES).map(|at| (moment(2 * at), moment(2 * at + 1), why)).collect()
    };
    let before = from - seconds(4);
    let long_before = many(before, Why::Missing(0));
    for (code, stretches) in [
        (Refusal::ConsentWithdrawn, &[(withdrawn, until, no)][..]),
        (Refusal::UncoveredAudio, &[]),
        (Refusal::ConsentRequired, &long_before),
        (Refusal::ConsentWithdrawn, &long_before),
        (Refusal::UncoveredAudio, &long_before),
        (Refusal::ConsentWithdrawn, &many(withdrawn, no)),
    ] {
        refused(code, stretches).0.unwrap();
    }
    for (code, stretches, words) in [
        (Refusal::ConsentWithdrawn, &[(from, withdrawn, no)][..], "that consent does cover"),
        (Refusal::ConsentRequired, &[(from, withdrawn, missing)], "that consent does cover"),
        (Refusal::ConsentWithdrawn, &[(withdrawn, until, missing)], "what was in the way is `withdrawn:0`"),
        (Refusal::ConsentRequired, &[(withdrawn, until, no)], "which is not what was in the way"),
        (Refusal::ConsentRequired, &many(withdrawn, no), "which is not what was in the way"),
        (Refusal::ConsentWithdrawn, &[(early, until, no)], "what was in the way is"),
        (Refusal::ConsentWithdrawn, &[(until, withdrawn, no)], "is empty"),
        (Refusal::ConsentRequired, &[], "which is not what was in the way"),
        (Refusal::ConsentWithdrawn, &[], "which is not what was in the way"),
        (Refusal::ConsentDeclined, &[], "which is not what was in the way"),
    ] {
        let (outcome, index) = refused(code, stretches);
        assert_found(&outcome.unwrap_err(), Verdict::Tampered, index, words);
    }
    // On a call that was never recorded, nothing can be longer than its window.
    let mut other = log.clone();
    let never = other.open("never");
    let call = &other.calls[&never].call;
    let body = Body::Refused {
        discarded: false,
        came: Came::NATIVE,
        code: Refusal::UncoveredAudio,
        uncovered: Vec::new(),
        saw: crate::Saw::of(other.table.digest(), &call.decide(other.now)),
    };
    let index = other.of_call(&recorder(), never, body, None);
    assert_found(&found(&other), Verdict::Tampered, index, "which is not what was in the way");
    // Of a code, or a reason, that nobody knows, nothing can be said.
    let mut log = log.clone();
    let body = Body::Refused {
        discarded: false,
        came: Came::NATIVE,
        code: Refusal::ConsentWithdrawn,
        uncovered: vec![(withdrawn, until, no)],
        saw: saw(&log),
    };
    let index = log.of_call(&recorder(), uid, body, None);
    for (word, other) in [("\"consent-withdrawn\"", "\"disk-full\""), ("\"withdrawn:0\"", "\"withdrawn\"")] {
        let mut log = log.clone();
        let draft = log.drafts.last_mut().unwrap();
        draft.leaf = String::from_utf8(draft.leaf.clone()).unwrap().replacen(word, other, 1).into_bytes();
        assert_found(&found(&log), Verdict::Unusable, index, "does not know such an entry");
    }
}

#[test]
fn only_what_the_law_refuses_is_discarded_and_only_where_that_was_set() {
    let came = |door| Came { door, coverage: CoverageBasis::Lawful, ..Came::NATIVE };
    let mut base = Log::new();
    base.adds(&starter(), "kazoo", CoverageBasis::Lawful);
    let uid = base.open("c");
    let from = base.now;
    base.tick(10_000);
    let refuses = |log: &mut Log, door, empty: bool| {
        let call = &log.calls[&uid].call;
        let spans = call.uncovered(&[(from, 10_000)], CoverageBasis::Lawful, log.now, &|_, _| false);
        let uncovered = policy::Uncovered::Spans(spans);
        let body = Body::Refused {
            came: came(door),
            code: if empty {
                Refusal::UncoveredAudio
            } else {
                uncovered.refusal(call, CoverageBasis::Lawful)
            },
            uncovered: if empty { Vec::new() } else { uncovered.stretches() },
            discarded: true,
            saw: crate::Saw::of(log.table.digest(), &call.decide(log.now)),
        };
        log.of_call(&starter(), uid, body, None)
    };
    let set = |log: &mut Log, on_refusal| {
        let credential = starter().credential;
        log.entry(
            &Actor::command_line(),
            Body::CredentialSet { credential, on_refusal, quarantine_seconds: 0 },
            None,
        );
    };
    // Nobody has set it.
    let mut log = base.clone();
    let index = refuses(&mut log, Door::Kazoo, false);
    assert_found(&found(&log), Verdict::Tampered, index, "was never set to discard");
    let mut log = base.clone();
    set(&mut log, crate::OnRefusal::Discard);
    refuses(&mut log, Door::Kazoo, false);
    verified(&log.export()).unwrap();
    // The native door has no such answer, and what does not say when it was made is not refused by the law.
    for (door, empty) in [(Door::Native, false), (Door::Kazoo, true)] {
        let mut log = base.clone();
        set(&mut log, crate::OnRefusal::Discard);
        let index = refuses(&mut log, door, empty);
        assert_found(
            &found(&log),
            Verdict::Tampered,
            index,
            "neither the law nor anybody on the call wanted",
        );
    }
}

#[test]
fn a_recording_is_judged_by_whether_its_platform_asks_or_starts_by_itself() {
    let by_itself = Came { coverage: CoverageBasis::Lawful, ..Came::NATIVE };
    // Everybody agrees, and nothing is granted.
    let mut log = Log::new();
    log.adds(&starter(), "the other switch", CoverageBasis::Lawful);
    let uid = log.open("c");
    log.prompted(uid, &[0, 1]);
    log.agrees(uid, 0);
    log.agrees(uid, 1);
    let from = log.now;
    log.tick(10_000);
    let spans = vec![(from, log.now)];
    log.accept_as(uid, &starter(), by_itself, spans.clone());
    verified(&log.export()).unwrap();
    let accepted = log.drafts.len() - 1;
    let said = |came: Came| {
        rewritten(&log, accepted, |leaf| {
            let Body::Accepted { came: said, .. } = &mut leaf.body else { panic!("{}", leaf.kind) };
            *said = came;
        })
    };
    let forged = said(Came::NATIVE);
    let words = "it requires uploads from `cg_5b1d09e2c87f34a6` to be granted, but the credential was added for uploads that are lawful";
    assert_found(&found(&forged), Verdict::Tampered, accepted as u64, words);
    // Said of one that asks, it was never granted; and that one cannot be said to start by itself.
    for (came, words) in [
        (Came::NATIVE, "that consent does not cover"),
        (by_itself, "the credential was added for uploads that are granted"),
    ] {
        let mut log = log.clone();
        log.drafts.pop();
        log.calls.get_mut(&uid).unwrap().head = log.drafts.last().unwrap().id;
        log.accept_as(uid, &recorder(), came, spans.clone());
        assert_found(&found(&log), Verdict::Tampered, accepted as u64, words);
    }
    // What has no permit of this sort yet cannot be decided.
    for used_for in [Use::Transcribe, Use::Stream, Use::Analyse] {
        let failure = found(&said(Came { used_for, ..by_itself }));
        assert_found(&failure, Verdict::Unusable, accepted as u64, "on which this program cannot decide");
    }
    // A refusal is judged likewise: what was lawful, and not granted, is in the way of one that asks.
    let (begin, end) = spans[0];
    log.drafts.pop();
    log.calls.get_mut(&uid).unwrap().head = log.drafts.last().unwrap().id;
    for (actor, came, outcome) in [
        (recorder(), Came::NATIVE, None),
        (starter(), by_itself, Some("that consent does cover")),
        (starter(), Came::NATIVE, Some("the credential was added for uploads that are lawful")),
    ] {
        let mut log = log.clone();
        let call = &log.calls[&uid].call;
        let body = Body::Refused {
            discarded: false,
            came,
            code: Refusal::ConsentRequired,
            uncovered: vec![(begin, end, Why::NotGranted)],
            saw: crate::Saw::of(log.table.digest(), &call.decide(log.now)),
        };
        let index = log.of_call(&actor, uid, body, None);
        match outcome {
            None => drop(verified(&log.export()).unwrap()),
            Some(words) => assert_found(&found(&log), Verdict::Tampered, index, words),
        }
    }
}

#[test]
fn a_call_is_opened_under_the_law_that_the_account_has_chosen() {
    let chosen = |overlays: &[&str], public_safety: bool, wait: i64| {
        let mut log = Log::new();
        let overlays = overlays.iter().map(|overlay| (*overlay).to_owned()).collect();
        log.entry(
            &counsel(),
            Body::AccountLaw { overlays, public_safety, on_hold: policy::HeldCounts::Counted },
            None,
        );
        log.tick(wait * 1000);
        log.open("c");
        (log.clone(), log.drafts.len() as u64 - 1)
    };
    verified(&chosen(&[], false, 120).0.export()).unwrap();
    // One that is opened at the same time may not know it yet.
    verified(&chosen(&["card-data"], false, 5).0.export()).unwrap();
    for (overlays, public_safety) in [(&["card-data"][..], false), (&[], true)] {
        let (log, index) = chosen(overlays, public_safety, 120);
        assert_found(&found(&log), Verdict::Tampered, index, "without the law that the account had chosen");
        // What was chosen last counts.
        let mut log = log;
        log.drafts.pop();
        log.entry(
            &counsel(),
            Body::AccountLaw {
                overlays: Vec::new(),
                public_safety: false,
                on_hold: policy::HeldCounts::Counted,
            },
            None,
        );
        log.tick(120_000);
        log.open("d");
        verified(&log.export()).unwrap();
    }
}

#[test]
fn an_entry_of_a_later_version_is_named_and_not_believed() {
    let log = Log::busy(1);
    let (on_call, of_none) = (position(&log, "consent.given"), position(&log, "prompt.registered"));
    let with = |index: usize, kind: &str, role: &str| {
        let mut log = log.clone();
        let mut leaf: serde_json::Value = serde_json::from_slice(&log.drafts[index].leaf).unwrap();
        leaf["type"] = kind.into();
        leaf["actor"]["role"] = role.into();
        leaf["body"] = serde_json::json!({"later": {}});
        log.drafts[index].leaf = serde_json::to_vec(&leaf).unwrap();
        let failure = found(&log);
        assert_eq!(failure.index, Some(index as u64), "{failure}");
        (failure.verdict, failure.what)
    };
    for reserved in RESERVED {
        let (index, other) = if reserved.of == Of::Call { (on_call, of_none) } else { (of_none, on_call) };
        for role in reserved.makers {
            let (verdict, what) = with(index, reserved.word, role);
            assert_eq!(verdict, Verdict::Unusable, "{what}");
            assert!(
                what.starts_with(&format!("its kind, `{}`, is of a later version", reserved.word)),
                "{what}"
            );
            assert_eq!(what.contains("stricter"), reserved.restricts, "{what}");
        }
        let (verdict, what) = with(other, reserved.word, reserved.makers[0]);
        assert_eq!((verdict, what.contains("names none")), (Verdict::Tampered, true), "{what}");
        let (verdict, what) = with(index, reserved.word, "listener");
        assert_eq!((verdict, what.contains("which the role")), (Verdict::Tampered, true), "{what}");
    }
    // Of a role, or a kind, that nobody knows, no more is said than that.
    let (verdict, what) = with(on_call, "call.merged", "choreographer");
    assert_eq!((verdict, what.contains("does not know the role")), (Verdict::Unusable, true), "{what}");
    let (verdict, what) = with(on_call, "call.forgotten", "recorder");
    assert_eq!((verdict, what.contains("does not know such an entry")), (Verdict::Unusable, true), "{what}");
}

#[test]
fn an_entry_that_is_written_otherwise_is_not_read() {
    let log = Log::busy(1);
    let with = |change: &dyn Fn(String) -> String| {
        let mut log = log.clone();
        let leaf = String::from_utf8(log.drafts[9].leaf.clone()).unwrap();
        log.drafts[9].leaf = change(leaf).into_bytes();
        found(&log)
    };
    let newer = "a newer one wrote it, or no gateway did";
    assert_found(&with(&|leaf| leaf.replacen('{', "{ ", 1)), Verdict::Unusable, 9, newer);
    assert_found(&with(&|leaf| leaf.replacen('{', "{\"x\":1,", 1)), Verdict::Unusable, 9, newer);
    let nested = |leaf: String| leaf.replacen("\"event\":{", "\"event\":{\"note\":\"+14155550100\",", 1);
    assert_found(&with(&nested), Verdict::Unusable, 9, newer);
    assert_found(&with(&|leaf| leaf.replacen("\"v\":1", "\"v\":2", 1)), Verdict::Unusable, 9, newer);
    assert_found(&with(&|_| "never".into()), Verdict::Tampered, 9, "not an entry");
    assert_found(&with(&|leaf| leaf.replacen("prompt.", "prompt-", 1)), Verdict::Tampered, 9, "type");
}

mod the_law_desk {
    use super::*;
    use crate::Origin;

    fn version(
        log: &mut Log,
        who: &Actor,
        number: i64,
        table: &str,
        base: Option<&str>,
        loosens: Option<Uuid>,
    ) -> u64 {
        let body = Body::Table {
            table: table.into(),
            version: number,
            base: base.map(Into::into),
            origin: Origin::Person,
            proposal: loosens,
            diff: String::new(),
            loosens: loosens.is_some(),
        };
        log.entry(who, body, None)
    }

    fn propose(log: &mut Log, who: &Actor, table: &str, base: &str) -> Uuid {
        let proposal = crate::id().unwrap();
        let body = Body::TableProposed {
            proposal,
            table: table.into(),
            base: base.into(),
            origin: Origin::Person,
            diff: String::new(),
            impact: String::new(),
            expires_at: log.now + SignedDuration::from_hours(24),
        };
        log.entry(who, body, None);
        proposal
    }

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn what_loosens_takes_two_people_and_follows_the_version_in_force() {
        let mut log = Log::new();
        let [grace, other] = [1, 2].map(|number| {
            let person = Uuid::from_u128(number);
            log.entry(&Actor::command_line(), Body::Person { person, founding: true }, None);
            let actor = Actor { credential: format!("cg_6d3a90b1c5e7f28{number}"), ..counsel() };
            let (credential, role) = (actor.credential.clone(), actor.role.clone());
            let coverage = CoverageBasis::Granted;
            let body = Body::Credential {
                on_refusal: crate::OnRefusal::Deny,
                quarantine_seconds: 0,
                credential,
                role,
                person: Some(person),
                coverage,
            };
            log.entry(&Actor::command_line(), body, None);
            actor
        });
        version(&mut log, &Actor::gateway(), 1, A, None, None);
        let proposal = propose(&mut log, &grace, B, A);
        let honest = log.clone();
        version(&mut log, &other, 2, B, Some(A), Some(proposal));
        verified(&log.export()).unwrap();

        let forged = |act: &dyn Fn(&mut Log) -> u64, words: &str| {
            let mut log = honest.clone();
            let index = act(&mut log);
            assert_found(&found(&log), Verdict::Tampered, index, words);
        };
        forged(&|log| version(log, &grace, 2, B, Some(A), Some(proposal)), "nobody else had made it");
        forged(&|log| version(log, &other, 2, A, Some(A), Some(proposal)), "another table than was proposed");
        forged(&|log| version(log, &other, 2, B, Some(A), Some(crate::id().unwrap())), "never made");
        forged(&|log| version(log, &other, 3, B, Some(A), Some(proposal)), "is version 3");
        forged(&|log| version(log, &other, 2, B, Some(B), Some(proposal)), "follows another version");
        let late = |log: &mut Log| {
            log.tick(25 * 3_600_000);
            version(log, &other, 2, B, Some(A), Some(proposal))
        };
        forged(&late, "expired");
        let decided = |log: &mut Log| {
            log.entry(&other, Body::ProposalDecided { proposal, outcome: "rejected".into() }, None);
            version(log, &other, 2, B, Some(A), Some(proposal))
        };
        forged(&decided, "decided before");
        let alone = |log: &mut Log| {
            let index = version(log, &other, 2, B, Some(A), None);
            *log = rewritten(log, place(index), |leaf| {
                let Body::Table { loosens, .. } = &mut leaf.body else { panic!() };
                *loosens = true;
            });
            index
        };
        forged(&alone, "nobody had proposed it");
    }

    #[test]
    fn a_version_that_loosens_and_does_not_say_so_is_found_where_the_tables_are_there() {
        let strict = TABLE.to_owned();
        let loose = strict.replacen(
            "announcement_must_be_recorded = true",
            "announcement_must_be_recorded = false",
            1,
        );
        assert_ne!(strict, loose);
        let digest = |text: &str| policy::Table::parse(text).unwrap().digest().to_owned();
        let (from, to) = (digest(&strict), digest(&loose));
        let mut log = Log::new();
        version(&mut log, &Actor::gateway(), 1, &from, None, None);
        let index = version(&mut log, &counsel(), 2, &to, Some(&from), None);
        let report = verified(&log.export()).unwrap();
        assert!(report.warnings.iter().any(|warning| warning.contains("the tables are not there")));
        log.tables.insert(to, loose);
        assert_found(&found(&log), Verdict::Tampered, index, "loosens the law, and says that it does not");
    }
}
