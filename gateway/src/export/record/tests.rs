//! How entries become a story.

use policy::{AnsweredBy, Joined, Role, What};

use super::*;
use crate::export::tests::{A_CENTURY_MS, AGENT, CALLER, GRANT, PROMPT, RECORDING, Tape};
use trail::story::{Gap, How, Standing, Word};

fn words(story: &Story, number: u32) -> Vec<&'static str> {
    story.people[&number].words.iter().map(|word| word.standing.as_str()).collect()
}

#[test]
fn a_yes_after_a_prompt_is_an_agreement_from_when_it_was_logged() {
    let mut tape = Tape::in_place("DE");
    let asked = tape.prompt();
    let yes = tape.yes();
    let at = tape.now;
    tape.recorded();
    let record = tape.record();
    let story = &record.story;
    let caller = &story.people[&CALLER];
    let how = Standing::Granted(How::Said(policy::Method::Dtmf));
    assert_eq!(caller.words, [Word { standing: how, from: at, until: None, entry: yes }]);
    let behind: Vec<u64> = story.acts_behind(caller, &caller.words[0]).map(|act| act.entry).collect();
    assert_eq!(behind, [asked, yes]);
    assert_eq!(story.purposes, ["quality", "zq-purpose"]);
    assert_eq!((caller.id.as_deref(), record.tel(caller)), (Some("zq-caller"), Some("+14155550177")));
    assert_eq!(record.citations(caller.places[0].code), ["StGB § 201"]);
    let prompt = &story.prompts[&PROMPT.to_string()];
    assert_eq!((prompt.id.as_deref(), prompt.version, prompt.entry), (Some("zq-prompt"), Some(3), Some(4)));
    assert_eq!(prompt.text.as_deref(), Some("This call is recorded."));
    assert_eq!(story.acts[2].evidence.as_ref().unwrap()["source"], "zq-source");
    let stored = &story.recordings[0];
    assert_eq!(
        (stored.id, stored.duration_ms(), stored.name.as_deref()),
        (RECORDING, 10_000, Some("zq-name"))
    );
    assert_eq!(record.media(stored).map(|media| media.duration_ms), Some(8_250));
}

#[test]
fn staying_on_is_an_agreement_only_where_notice_is_enough() {
    let mut told = Tape::in_place("US-CA");
    told.prompt();
    let story = told.story();
    assert_eq!(story.people[&CALLER].words[0].standing, Standing::Granted(How::Stayed));
    let mut told = Tape::in_place("DE");
    told.prompt();
    assert_eq!(words(&told.story(), CALLER), Vec::<&str>::new());
}

#[test]
fn what_was_enough_ends_when_somebody_joins_from_where_more_is_asked() {
    let mut tape = Tape::in_place("US-CA");
    tape.prompt();
    tape.wait(1_000);
    let place = policy::Place::new("DE".parse().unwrap(), policy::Evidence::Declared);
    tape.happens(What::Joined(Joined { places: vec![place], ..Joined::new(2, Role::Customer) }));
    let caller = tape.story().people[&CALLER].clone();
    assert_eq!((caller.words.len(), caller.words[0].until), (1, Some(tape.now)));
    tape.yes();
    assert_eq!(words(&tape.story(), CALLER), ["granted", "granted"]);
}

#[test]
fn a_written_grant_is_an_agreement_until_its_end_or_its_withdrawal() {
    let mut tape = Tape::in_place("DE");
    let story = tape.story();
    let agent = &story.people[&AGENT];
    assert_eq!(agent.words[0].standing, Standing::Granted(How::Before(GRANT.to_string())));
    assert_eq!(agent.words[0].until, Some(tape.later(A_CENTURY_MS)));
    let relied = &story.grants[0];
    assert_eq!((relied.id.as_deref(), relied.basis.as_deref()), (Some("zq-grant"), Some("zq-contract")));
    assert_eq!((relied.written, relied.entry), (true, Some(6)));
    tape.wait(60_000);
    tape.log(Body::GrantWithdrawn { grant: GRANT }, None);
    let story = tape.story();
    assert_eq!(story.people[&AGENT].words[0].until, Some(tape.now));
    assert_eq!(story.grants[0].withdrawn_at, Some(tape.now));
}

#[test]
fn whoever_withdraws_has_agreed_before_and_agrees_again_only_by_a_new_yes() {
    let mut tape = Tape::in_place("DE");
    tape.prompt();
    tape.yes();
    tape.wait(1_000);
    tape.withdraws();
    let at = tape.now;
    tape.declines();
    let story = tape.story();
    assert_eq!(
        words(&story, CALLER),
        ["granted", "withdrawn"],
        "who withdrew and then declines has withdrawn"
    );
    assert_eq!(story.people[&CALLER].words[0].until, Some(at));
    tape.prompt();
    assert_eq!(words(&tape.story(), CALLER), ["granted", "withdrawn"]);
    let yes = tape.yes();
    let story = tape.story();
    assert_eq!(words(&story, CALLER), ["granted", "withdrawn", "granted"]);
    let caller = &story.people[&CALLER];
    let behind: Vec<u64> = story.acts_behind(caller, &caller.words[2]).map(|act| act.entry).collect();
    assert_eq!(behind.last(), Some(&yes));
    assert_eq!(behind.len(), 3, "the repeated no, the new prompt and the new yes: {behind:?}");
}

#[test]
fn a_refusal_for_want_of_consent_speaks_of_whom_it_names_and_of_nobody_who_agreed() {
    let mut tape = Tape::in_place("DE");
    tape.refused(policy::Refusal::ConsentRequired, policy::Why::Missing(0));
    assert_eq!(
        (words(&tape.story(), CALLER), words(&tape.story(), AGENT)),
        (vec!["missing"], vec!["granted"])
    );
    tape.prompt();
    tape.yes();
    tape.wait(1_000);
    // What was made before they agreed is refused still, and they have agreed still.
    tape.refused(policy::Refusal::ConsentRequired, policy::Why::Missing(0));
    assert_eq!(words(&tape.story(), CALLER), ["missing", "granted"]);
}

#[test]
fn what_a_machine_was_told_is_forgotten() {
    let mut tape = Tape::in_place("US-CA");
    tape.prompt();
    assert_eq!(words(&tape.story(), CALLER), ["granted"]);
    tape.happens(What::Answered { participant: CALLER, by: AnsweredBy::Machine });
    assert_eq!(words(&tape.story(), CALLER), Vec::<&str>::new());
}

#[test]
fn after_a_gap_nobody_is_relied_on_until_they_are_named_again() {
    let mut tape = Tape::in_place("US-CA");
    tape.prompt();
    tape.wait(1_000);
    let lost = tape.now;
    tape.wait(5_000);
    let gap = tape.gap(lost);
    tape.happens(What::RecordingStopped);
    let story = tape.story();
    assert_eq!(story.gaps, [Gap { from: lost, until: tape.now, entry: gap }]);
    assert_eq!((words(&story, CALLER), words(&story, AGENT)), (vec!["granted"], vec!["granted"]));
    assert!(story.people.values().all(|person| person.words[0].until == Some(lost)));
    tape.refused(policy::Refusal::ConsentRequired, policy::Why::InDoubt(0));
    assert_eq!(words(&tape.story(), CALLER), ["granted", "missing"]);
    tape.wait(1_000);
    tape.happens(What::Joined(Joined { identified: true, ..Joined::new(CALLER, Role::Customer) }));
    assert_eq!(words(&tape.story(), CALLER), ["granted", "missing"], "the agent is in doubt still");
    tape.wait(1_000);
    tape.happens(What::Joined(Joined::new(AGENT, Role::Agent)));
    let story = tape.story();
    assert_eq!(words(&story, CALLER), ["granted", "missing", "granted"]);
    assert_eq!(words(&story, AGENT), ["granted", "granted"]);
    for person in [CALLER, AGENT] {
        let from = story.people[&person].words.last().unwrap().from;
        assert_eq!(from, tape.now, "not from when they had been told, or had agreed");
    }
}

#[test]
fn whoever_comes_back_is_asked_again() {
    let mut tape = Tape::in_place("US-CA");
    tape.prompt();
    tape.wait(1_000);
    tape.happens(What::Left { participants: vec![CALLER] });
    tape.wait(1_000);
    tape.happens(What::Joined(Joined { identified: true, ..Joined::new(CALLER, Role::Customer) }));
    let story = tape.story();
    let caller = &story.people[&CALLER];
    assert_eq!((caller.stays.len(), caller.words.len()), (2, 1));
    assert_eq!(caller.words[0].until, Some(tape.now));
}

#[test]
fn without_details_the_pseudonym_and_the_words_of_the_law_are_left() {
    let mut tape = Tape::in_place("DE");
    tape.prompt();
    tape.yes();
    tape.recorded();
    tape.erase();
    let record = tape.record();
    let story = &record.story;
    let caller = &story.people[&CALLER];
    assert_eq!((caller.id.as_deref(), record.tel(caller)), (None, None));
    assert_eq!(caller.pseudonym.as_deref(), Some("p1:caller"));
    assert_eq!(story.purposes, ["quality"]);
    assert_eq!(story.name, None);
    assert_eq!(words(story, CALLER), ["granted"]);
    let told = format!("{record:?}");
    assert!(!told.contains("zq-") && !told.contains("4155550177"), "{told}");
}

#[test]
fn the_leaf_is_kept_to_the_byte_and_hashed_as_it_is() {
    let mut tape = Tape::in_place("US-CA");
    let index = tape.prompt();
    let record = tape.record();
    let leaf = &tape.entries.iter().find(|entry| entry.index == index).unwrap().leaf;
    let logged = &record.logged[&index];
    assert_eq!(logged.leaf.as_bytes(), leaf);
    assert_eq!(logged.leaf_hash, trail::leaf_hash(leaf));
    assert!(logged.proof.as_ref().unwrap().ends_with(&format!("index {index}\n")));
}

#[test]
fn entries_of_other_calls_are_passed_over_and_a_second_call_is_refused() {
    let mut tape = Tape::in_place("US-CA");
    tape.prompt();
    let story = tape.story();
    let mut other = Tape::in_place("DE");
    let moved = |entry: &mut Entry| {
        let text = String::from_utf8(entry.leaf.clone()).unwrap();
        entry.leaf = text.replace(&story.call.to_string(), &Uuid::nil().to_string()).into_bytes();
        entry.index += 1_000;
    };
    other.declines();
    let mut declined = other.entries.pop().unwrap();
    moved(&mut declined);
    tape.entries.push(declined);
    assert_eq!(words(&tape.story(), CALLER), ["granted"]);
    let mut opened = other.entries.pop().unwrap();
    moved(&mut opened);
    opened.index += 1_000;
    tape.entries.push(opened);
    let error = Record::from_entries(&tape.entries, tape.extras.clone()).unwrap_err();
    assert!(matches!(error, RecordError::Several { .. }), "{error}");
}

#[test]
fn entries_that_open_nothing_or_are_out_of_order_or_unreadable_are_refused() {
    let tape = Tape::in_place("DE");
    let record = |entries: &[Entry]| Record::from_entries(entries, tape.extras.clone()).unwrap_err();
    assert!(matches!(record(&[]), RecordError::NotOpened));
    assert!(matches!(record(&tape.entries[..2]), RecordError::NotOpened));
    let mut turned = tape.entries.clone();
    turned.swap(0, 1);
    assert!(matches!(record(&turned), RecordError::Order { index: 4 }));
    let mut broken = tape.entries.clone();
    broken[2].leaf.pop();
    assert!(matches!(record(&broken), RecordError::Unreadable { index: 8, .. }));
}
