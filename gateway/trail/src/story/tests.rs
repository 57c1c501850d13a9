//! What a story says beside how far everybody agreed, which the tests of exports look at.

use jiff::SignedDuration;
use policy::What;

use super::*;
use crate::audit::sample::{Log, recorder};

fn story(log: &Log, call: Uuid) -> Story {
    let read = |(index, leaf): (u64, Vec<u8>)| Read {
        index,
        leaf: serde_json::from_slice(&leaf).unwrap(),
        detail: None,
    };
    let entries: Vec<Read> = (0..).zip(log.leaves()).map(read).collect();
    Story::of(call, &entries).unwrap()
}

fn ago(log: &Log, ms: i64) -> Timestamp {
    log.now - SignedDuration::from_millis(ms)
}

/// A call on which the customer and the agent have heard the prompt.
fn prompted() -> (Log, Uuid) {
    let mut log = Log::new();
    log.settings.late_evidence_seconds = 10;
    let call = log.open("c-1");
    log.prompted(call, &[0, 1]);
    log.tick(60_000);
    (log, call)
}

#[test]
fn what_was_reported_late_counts_from_when_it_happened_and_no_earlier_than_the_account_allows() {
    let (log, call) = prompted();
    for (claimed, counts) in [(5_000, 5_000), (50_000, 10_000)] {
        let mut log = log.clone();
        let yes = What::ConsentGiven { participants: vec![0], method: Method::Speech };
        log.reported(call, Some(ago(&log, claimed)), yes, recorder());
        let stretches = story(&log, call).stretches(&[(ago(&log, 55_000), log.now)]);
        let told = |stretch: &Stretch| (stretch.from, stretch.states[&0].clone(), stretch.states[&1].clone());
        let told: Vec<_> = stretches.iter().map(told).collect();
        let [before, after] = &told[..] else { panic!("{told:?}") };
        assert_eq!(*before, (ago(&log, 55_000), "prompted".into(), "prompted".into()));
        assert_eq!(*after, (ago(&log, counts), "consented".into(), "prompted".into()));
    }
    // A prompt that was reported late is known from then on, and no earlier either.
    let (mut log, mut call) = (log, call);
    for (claimed, counts) in [(5_000, 5_000), (50_000, 10_000)] {
        call = log.open("another");
        log.tick(60_000);
        let heard = What::PromptCompleted { participants: vec![0], prompt: log.heard(), played_ms: 4_050 };
        log.reported(call, Some(ago(&log, claimed)), heard, recorder());
        let known = &story(&log, call).people[&0].told;
        assert_eq!(
            *known,
            [Text { at: ago(&log, counts), until: None, uid: log.prompt.to_string(), is_prompt: true }]
        );
    }
    assert_eq!(story(&log, call).people[&1].told, []);
}

#[test]
fn whoever_leaves_is_needed_until_that_is_logged() {
    let (mut log, call) = prompted();
    let left = ago(&log, 5_000);
    log.reported(call, Some(left), What::Left { participants: vec![0] }, recorder());
    let story = story(&log, call);
    let caller = &story.people[&0];
    assert_eq!((caller.stays.len(), caller.stays[0].left), (1, Some(left)));
    assert!(!caller.was_there(ago(&log, 4_000), log.now));
    let needed = |span| story.there(span).any(|person| person.number == 0);
    assert!(needed((ago(&log, 4_000), log.now)) && !needed((log.now, ago(&log, -1_000))));
    assert_eq!(caller.since(ago(&log, 4_000)), story.opened_at);
    assert_eq!(caller.state(), Some("left"));
}

#[test]
fn a_grant_is_known_from_when_it_was_named() {
    let mut log = Log::new();
    let grant = log.grant();
    let call = log.open_with("c-1", Some(grant));
    let story = story(&log, call);
    assert_eq!(
        story.people[&1].told,
        [Text { at: story.opened_at, until: None, uid: grant.to_string(), is_prompt: false }]
    );
    let relied = |at| story.grant_at(1, at).map(|relied| relied.grant.clone());
    assert_eq!(relied(log.now), Some(grant.to_string()));
    assert_eq!(relied(ago(&log, 3_600_000)), None);
    assert_eq!(story.asked_at(ago(&log, 3_600_000)), story.asked_at(log.now), "before, what was asked first");
}

#[test]
fn what_ran_into_a_hold_was_told_to_nobody_and_a_minor_agreed_to_nothing() {
    let (log, call) = prompted();
    let mut held = log.clone();
    let hold = What::Held { participants: vec![0], only_tightens: false };
    held.reported(call, Some(ago(&held, 120_000)), hold, recorder());
    let told = story(&held, call);
    assert_eq!((told.people[&0].told.len(), told.people[&1].told.len()), (0, 1));
    assert!(told.people[&0].words.iter().all(|word| !word.is_of_the_call()));

    let mut minor = log;
    let yes = What::ConsentGiven { participants: vec![0], method: Method::Speech };
    minor.reported(call, None, yes, recorder());
    assert!(story(&minor, call).people[&0].words.iter().any(Word::is_of_the_call));
    minor.reported(call, None, What::Minor { participants: vec![0] }, recorder());
    minor.reported(call, None, What::Emergency, recorder());
    let told = story(&minor, call);
    assert!(told.people[&0].minor && !told.people[&1].minor);
    assert!(!told.people[&0].words.iter().any(Word::is_of_the_call));
    assert_eq!(told.kind, policy::Kind::Emergency);
}
