//! Logs that their operator has forged: whoever holds the key can rebuild the tree and sign it.

use jiff::SignedDuration;
use policy::{Control, Event, Method, What};
use uuid::Uuid;

use super::*;

/// The log with one entry written otherwise; tree and signature are made anew.
fn rewritten(log: &Log, index: usize, change: impl FnOnce(&mut Leaf)) -> Log {
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
            if let Body::Event { facts, .. } | Body::Accepted { facts, .. } = &mut leaf.body {
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
    type Forgery = fn(&mut crate::trail::Saw);
    let forgeries: [Forgery; 8] = [
        |saw| saw.recording = if saw.recording == "blocked" { "permitted" } else { "blocked" }.into(),
        |saw| saw.why = Some("consent-missing:9".into()),
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
        leaf.kind = leaf.body.kind().into();
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
    assert_found(&found(&log), Verdict::Tampered, index, "was let begin, and was not permitted");
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
    // The stretch, and how much is said to be used up, in seconds.
    let cases = [
        ((0, 15), 15, "withdrawn:0"),
        ((-5, 10), 15, "consent-missing:0"),
        ((1, 10), 3, "uses up more or less"),
        ((0, 10), 11, "uses up more or less"),
        ((5, 3), 2, "empty, overlap or are out of order"),
    ];
    for ((begin, end), used, words) in cases {
        let (mut log, uid, from) = going();
        let span = (from + seconds(begin), from + seconds(end));
        log.accept_anyway(uid, vec![span], used * 1000);
        let index = log.drafts.len() as u64 - 1;
        assert_found(&found(&log), Verdict::Tampered, index, words);
    }
    // What was granted is used up once.
    let (mut log, uid, from) = going();
    let span = (from, from + seconds(10));
    log.accept(uid, from, 10_000);
    log.accept_anyway(uid, vec![span], 10_000);
    let index = log.drafts.len() as u64 - 1;
    assert_found(&found(&log), Verdict::Tampered, index, "were left");
    // Of what was not placed in time, the whole window is named, and less is used up.
    let (mut log, uid, from) = going();
    log.accept_anyway(uid, vec![(from, from + seconds(10))], 3000);
    verified(&log.export()).unwrap();
    // No stretch at all.
    let (mut log, uid, _) = going();
    log.accept_anyway(uid, Vec::new(), 0);
    assert_found(&found(&log), Verdict::Tampered, log.drafts.len() as u64 - 1, "empty, overlap");
}

#[test]
fn a_recording_that_is_kept_otherwise_than_the_table_says_is_found() {
    let log = Log::busy(1);
    let index = position(&log, "recording.accepted");
    let forged = rewritten(&log, index, |leaf| {
        let Body::Accepted { delete_by, .. } = &mut leaf.body else { panic!() };
        *delete_by = Some("2046-01-01T00:00:00Z".parse().unwrap());
    });
    assert_found(&found(&forged), Verdict::Tampered, index as u64, "kept otherwise");
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
    assert_found(&found(&silent), Verdict::Tampered, index, "reported late");
}

#[test]
fn what_was_never_registered_counts_for_nothing() {
    // A prompt that nobody registered, or that is longer than is said.
    let log = Log::busy(1);
    let index = position(&log, "prompt.started");
    for change in [
        (|prompt: &mut policy::Heard| prompt.version = Uuid::new_v4().to_string()) as fn(&mut policy::Heard),
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
fn a_withdrawn_grant_has_to_reach_every_call_that_relies_on_it() {
    let mut log = Log::new();
    let grant = log.grant();
    let calls = [log.open_with("a", Some(grant)), log.open_with("b", Some(grant))];
    let other = log.open("c");
    let index = log.withdraw(grant, &calls);
    log.happens(other, What::Ended);
    verified(&log.export()).unwrap();
    // One call was not told, and goes on.
    let mut log = Log::new();
    let grant = log.grant();
    let calls = [log.open_with("a", Some(grant)), log.open_with("b", Some(grant))];
    assert_eq!(log.withdraw(grant, &calls[..1]), index - 1);
    assert_found(&found(&log), Verdict::Tampered, index - 1, "was not told");
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
        log.entry(&counsel(), body, None);
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
    let what = of(&|log, _| entry(log, Body::Fetched { recording: Uuid::new_v4(), range: (0, 1) }));
    assert!(what.contains("never accepted"));
}

#[test]
fn somebody_in_another_role_is_found() {
    let log = Log::busy(1);
    let index = position(&log, "recording.fetched");
    let forged = rewritten(&log, index, |leaf| leaf.actor.role = "counsel".into());
    assert_found(&found(&forged), Verdict::Tampered, index as u64, "was given the role");
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
    assert_found(&with(&|_| "never".into()), Verdict::Tampered, 9, "no entry");
    assert_found(&with(&|leaf| leaf.replacen("prompt.", "prompt-", 1)), Verdict::Tampered, 9, "type");
}

mod the_law_desk {
    use super::*;
    use crate::trail::Origin;

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
        let proposal = Uuid::new_v4();
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
        let grace = counsel();
        let other = listener();
        let mut log = Log::new();
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
        forged(&|log| version(log, &other, 2, B, Some(A), Some(Uuid::new_v4())), "never made");
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
