//! What holds of every call, whatever was logged of it and in whatever order.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and looks at few of the facts"
)]

use jiff::{SignedDuration, Timestamp};
use policy::{
    Action, Alike, AnsweredBy, Behavior, Call, Claim, Code, Control, CoverageBasis, Element, Elements, Event,
    Evidence, Grant, Heard, Joined, Kind, MOST_STRETCHES, Medium, Method, OnWithdrawal, Opened, Place,
    Purpose, Purposes, Refusal, Requirement, Role, Settings, Standing, Uncovered, Upload, What, Why,
};
use proptest::prelude::*;

use crate::differential::{EPOCH, Facts, TABLE, calls, cases, code, joined, place};

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn another_participant_never_loosens(facts in calls(), joined in joined(), when in any::<prop::sample::Index>()) {
        let joined = Joined { participant: 9, joined_at: None, ..joined };
        let more = facts.with(when, What::Joined(joined)).0;
        prop_assert_eq!(looser(&more.call(), &facts.call(), &facts.moments()), None);
    }

    #[test]
    fn a_further_place_never_loosens(
        facts in calls(), participant in 0u32..4, place in place(), when in any::<prop::sample::Index>(),
    ) {
        // Two exceptions are meant: the first place that is known, and better knowledge of the same one.
        let facts = facts.without_places_in(place.code.country());
        let (more, at) = facts.with(when, What::Located { participant, places: vec![place], since: None, alike: Alike::default() });
        let moments: Vec<Timestamp> =
            facts.moments().into_iter().filter(|t| *t < at || facts.known_at(*t).is_located(participant)).collect();
        prop_assert_eq!(looser(&more.call(), &facts.call(), &moments), None);
    }

    #[test]
    fn a_place_found_late_never_loosens_what_was_before(
        facts in calls(), participant in 0u32..4, place in place(), when in any::<prop::sample::Index>(),
    ) {
        let located = What::Located { participant, places: vec![place], since: None, alike: Alike::default() };
        let (more, at) = facts.with(when, located);
        let before: Vec<Timestamp> = facts.moments().into_iter().filter(|t| *t < at).collect();
        prop_assert_eq!(looser(&more.call(), &facts.call(), &before), None);
        prop_assert_eq!(opened_up(more, facts, &before), None);
    }

    #[test]
    fn a_further_purpose_never_loosens(facts in calls(), further in proptest::sample::select(&Purpose::ALL[..])) {
        let mut more = facts.clone();
        if !facts.opened.purposes.is_empty() {
            more.opened.purposes = facts.opened.purposes.with(further);
        }
        let moments = facts.moments();
        prop_assert_eq!(opened_up(more, facts, &moments), None);
    }

    #[test]
    fn what_a_platform_says_that_a_call_is_for_loosens_nothing_by_itself(
        facts in calls(), purposes in proptest::sample::subsequence(&Purpose::ALL[..], 1..4),
    ) {
        let mut silent = facts.without_purposes();
        silent.opened.purposes = Purposes::NONE;
        let mut named = silent.clone();
        named.opened.purposes = purposes.into_iter().collect();
        let moments = silent.moments();
        prop_assert_eq!(opened_up(named, silent, &moments), None);
    }

    #[test]
    fn consent_for_a_further_purpose_never_counts_for_more(
        facts in calls(), further in proptest::sample::select(&Purpose::ALL[..]),
    ) {
        // Its naming everything that a sector asks for is another matter.
        let mut less = facts.clone();
        less.opened.overlays.clear();
        let mut more = less.clone();
        more.each_text(|purposes| if !purposes.is_empty() { *purposes = purposes.with(further) });
        let moments = less.moments();
        prop_assert_eq!(opened_up(more, less, &moments), None);
    }

    #[test]
    fn another_rule_never_loosens(facts in calls(), code in code()) {
        // A reading that asks less counts only where the operator's place is known.
        let mut facts = facts;
        facts.opened.readings.clear();
        let (mut more, mut less) = (facts.clone(), facts);
        more.opened.operator_locations = vec![code];
        less.opened.operator_locations = Vec::new();
        let moments = less.moments();
        prop_assert_eq!(looser(&more.call(), &less.call(), &moments), None);
        prop_assert_eq!(opened_up(more, less, &moments), None);
    }

    #[test]
    fn nothing_is_lawful_before_its_basis_was_logged(facts in calls()) {
        let facts = facts.never_late();
        let call = facts.call();
        for t in facts.moments() {
            if call.standing(t) == Standing::Lawful {
                let known = facts.known_at(t).call().standing(t);
                prop_assert_eq!(known, Standing::Lawful, "at {} it was not known yet", t);
            }
        }
    }

    #[test]
    fn nothing_is_covered_before_its_basis_was_logged(facts in calls()) {
        let facts = facts.never_late();
        let call = facts.call();
        for t in facts.moments() {
            let known = facts.known_at(t).call().at(t);
            let ends = |edge: SignedDuration| {
                known.windows().iter().any(|w| w.until.is_some_and(|(until, _)| until <= t && t < until + edge))
                    || known.ended_at().is_some_and(|end| end <= t && t < end + edge)
            };
            for basis in [CoverageBasis::Granted, CoverageBasis::Lawful] {
                if covers(&call, basis, t, facts.end()) && !ends(SignedDuration::from_secs(2)) {
                    prop_assert_eq!(known.standing(t), Standing::Lawful, "{:?} at {}", basis, t);
                    prop_assert!(basis == CoverageBasis::Lawful || known.is_granted(), "not granted at {}", t);
                }
            }
        }
    }

    #[test]
    fn what_is_refused_can_be_refused_so_and_not_otherwise(
        facts in calls(), begin in any::<prop::sample::Index>(), ms in 1u64..90_000, placed in any::<bool>(),
        asks in any::<bool>(),
    ) {
        let call = facts.call().at(facts.end());
        let claim = match placed {
            true => Claim::Placed(vec![(*begin.get(&facts.moments()), ms)]),
            false => Claim::Unplaced { duration_ms: ms },
        };
        let basis = if asks { CoverageBasis::Granted } else { CoverageBasis::Lawful };
        let Err(uncovered) = call.coverage(&Upload::new(claim, basis), facts.end()) else { return Ok(()) };
        let (refusal, stretches) = (uncovered.refusal(&call, basis), uncovered.stretches());
        prop_assert!(call.can_refuse(refusal, &stretches, basis), "{uncovered:?}");
        let all =
            [Refusal::ConsentWithdrawn, Refusal::ConsentDeclined, Refusal::ConsentRequired, Refusal::UncoveredAudio];
        if !stretches.is_empty() && stretches.len() < MOST_STRETCHES {
            prop_assert_eq!(all.into_iter().filter(|other| call.can_refuse(*other, &stretches, basis)).count(), 1);
        }
        for (.., why) in stretches {
            prop_assert_eq!(why.to_string().parse(), Ok(why));
        }
    }

    #[test]
    fn whoever_says_no_opens_nothing(
        facts in calls(), participant in 0u32..4, withdraws in any::<bool>(), ago in 0i64..20,
        when in any::<prop::sample::Index>(),
    ) {
        let participants = vec![participant];
        let no = match withdraws {
            true => What::ConsentWithdrawn { participants },
            false => What::ConsentDeclined { participants },
        };
        let (mut more, at) = facts.with(when, no.clone());
        let said = more.events.iter_mut().find(|event| event.received_at == at && event.at.is_none() && event.what == no);
        said.unwrap().at = Some(at - SignedDuration::from_secs(ago));
        let moments = facts.moments();
        prop_assert_eq!(opened_up(more, facts, &moments), None);
    }

    #[test]
    fn whoever_said_no_is_not_recorded_until_a_new_prompt_and_an_express_yes(
        facts in calls(), when in any::<prop::sample::Index>(),
    ) {
        let no = What::ConsentDeclined { participants: vec![0] };
        let (facts, at) = facts.never_late().with(when, no.clone());
        let said = facts.events.iter().position(|event| event.received_at == at && event.what == no).unwrap();
        let after = &facts.events[said + 1..];
        if !facts.is_person(0) || !facts.call_after(said).knows(0) {
            return Ok(());
        }
        let call = facts.call();
        for t in facts.moments().into_iter().filter(|t| at <= *t && call.standing(*t) == Standing::Lawful) {
            if !facts.known_at(t).call().is_present(0) {
                continue;
            }
            let prompted = after.iter().position(|event| is_prompt_to(event, 0));
            let yes = prompted.and_then(|i| after[i + 1..].iter().find(|event| is_express_yes(event, 0)));
            prop_assert!(yes.is_some_and(|yes| yes.received_at <= t), "lawful at {}", t);
        }
    }

    #[test]
    fn one_party_consent_ends_when_the_last_who_gave_it_leaves(
        spoke in 1i64..10, stayed in 1i64..30, told in 0i64..30, both in any::<bool>(),
    ) {
        let mut log = Log::of(&["US-TX", "US-TX"]);
        log.at(spoke, What::ConsentGiven { participants: if both { vec![0, 1] } else { vec![0] }, method: Method::Speech });
        log.at(spoke + stayed + told, What::Left { participants: vec![0] }).claimed(spoke + stayed);
        let call = log.call();
        prop_assert_eq!(call.standing(second(spoke + stayed - 1)), Standing::Lawful);
        let expected = if both { Standing::Lawful } else { Standing::Unlawful(Why::NobodyConsents) };
        prop_assert_eq!(call.standing(second(spoke + stayed)), expected);
        prop_assert_eq!(call.standing(second(spoke + stayed + told + 1)), expected);
    }

    #[test]
    fn bots_alone_are_never_recorded(facts in calls()) {
        let mut facts = facts;
        facts.opened.participants.iter_mut().for_each(make_bot);
        for event in &mut facts.events {
            if let What::Joined(joined) = &mut event.what {
                make_bot(joined);
            }
        }
        facts.events.retain(|event| !matches!(event.what, What::Located { .. }));
        prop_assert_eq!(first_lawful(&facts), None);
    }

    #[test]
    fn machines_alone_are_never_recorded(facts in calls()) {
        let mut facts = facts;
        facts.events.retain(|event| !matches!(event.what, What::Left { .. } | What::Answered { .. }));
        let received_at = facts.last();
        facts.events.extend((0..4).map(|participant| Event {
            received_at,
            at: None,
            what: What::Answered { participant, by: AnsweredBy::Machine },
        }));
        prop_assert_eq!(first_lawful(&facts), None);
    }

    #[test]
    fn emergency_calls_are_never_recorded(facts in calls()) {
        let mut facts = facts;
        facts.opened.kind = Kind::Emergency;
        facts.opened.settings.public_safety = false;
        prop_assert_eq!(first_lawful(&facts), None);
        prop_assert!(facts.call().windows().iter().all(|window| window.until.is_some_and(|(until, _)| until == window.from)));
    }

    #[test]
    fn what_only_tightens_opens_nothing(
        facts in calls(), which in 0usize..4, who in 0u32..4, ago in proptest::option::of(0i64..30),
        when in any::<prop::sample::Index>(),
    ) {
        let participants = vec![who];
        let what = match which {
            0 => What::Held { participants, only_tightens: true },
            1 => What::Retrieved { participants, only_tightens: true },
            2 => What::Minor { participants },
            _ => What::Emergency,
        };
        let (mut more, at) = facts.with(when, what.clone());
        let said = more.events.iter_mut().find(|event| event.received_at == at && event.at.is_none() && event.what == what);
        said.unwrap().at = ago.map(|ago| at - SignedDuration::from_secs(ago));
        let moments = facts.moments();
        prop_assert_eq!(looser(&more.call(), &facts.call(), &moments), None);
        prop_assert_eq!(opened_up(more, facts, &moments), None);
    }

    #[test]
    fn a_hold_excuses_nobody_before_it_was_logged(
        facts in calls(), who in 0u32..4, ago in 0i64..30, when in any::<prop::sample::Index>(),
    ) {
        let facts = facts.never_late();
        let what = What::Held { participants: vec![who], only_tightens: false };
        let (mut more, at) = facts.with(when, what.clone());
        let said = more.events.iter_mut().find(|event| event.received_at == at && event.at.is_none() && event.what == what);
        said.unwrap().at = Some(at - SignedDuration::from_secs(ago));
        let before: Vec<Timestamp> = facts.moments().into_iter().filter(|t| *t < at).collect();
        prop_assert_eq!(looser(&more.call(), &facts.call(), &before), None);
        prop_assert_eq!(opened_up(more, facts, &before), None);
    }

    #[test]
    fn a_hold_ends_no_objection_and_covers_no_minor(
        facts in calls(), who in 0u32..4, when in any::<prop::sample::Index>(),
    ) {
        let (more, _) = facts.with(when, What::Held { participants: vec![who], only_tightens: false });
        let (call, held) = (facts.call(), more.call());
        for t in facts.moments() {
            let stays = matches!(
                call.standing(t),
                Standing::Unlawful(
                    Why::Declined(_) | Why::Withdrawn(_) | Why::InDoubt(_) | Why::Minor(_) | Why::Emergency
                        | Why::NobodyHuman | Why::Forbidden
                )
            );
            prop_assert!(!stays || held.standing(t) != Standing::Lawful, "at {}", t);
        }
    }

    #[test]
    fn a_minor_is_recorded_only_by_a_guardians_grant(facts in calls(), when in any::<prop::sample::Index>()) {
        let (facts, at) = facts.with(when, What::Minor { participants: vec![0] });
        if !facts.is_person(0) || !facts.known_at(at - SignedDuration::from_nanos(1)).call().knows(0) {
            return Ok(());
        }
        let call = facts.call();
        for t in facts.moments().into_iter().filter(|t| call.standing(*t) == Standing::Lawful) {
            if !facts.known_at(t).call().is_present(0) {
                continue;
            }
            let joined = facts.opened.participants.iter().chain(facts.events.iter().filter_map(|event| {
                if let What::Joined(joined) = &event.what { Some(joined) } else { None }
            }));
            let guarded = joined.filter(|joined| joined.participant == 0).any(|joined| {
                joined.grant.as_ref().is_some_and(|grant| grant.by_guardian && grant.from <= t)
            });
            prop_assert!(guarded, "lawful at {}", t);
        }
    }

    #[test]
    fn nothing_of_a_call_that_became_an_emergency_is_kept(
        facts in calls(), when in any::<prop::sample::Index>(), from in -5i64..60, seconds in 1u64..40, placed in any::<bool>(),
    ) {
        let mut facts = facts;
        facts.opened.settings.public_safety = false;
        let (facts, at) = facts.with(when, What::Emergency);
        let (call, now) = (facts.call(), facts.end());
        for t in facts.moments().into_iter().filter(|t| at <= *t) {
            prop_assert_ne!(call.standing(t), Standing::Lawful, "at {}", t);
        }
        prop_assert!(!call.is_granted());
        let claim = match placed {
            true => Claim::Placed(vec![(facts.received + SignedDuration::from_secs(from), seconds * 1_000)]),
            false => Claim::Unplaced { duration_ms: seconds * 1_000 },
        };
        for basis in [CoverageBasis::Granted, CoverageBasis::Lawful] {
            let refused = call.coverage(&Upload::new(claim.clone(), basis), now).unwrap_err();
            prop_assert_eq!(refused.remedy(&call, basis).source(), "delete");
        }
    }

    #[test]
    fn a_decision_can_be_repeated(facts in calls()) {
        for t in [facts.last(), facts.end()] {
            let decision = facts.call().decide(t);
            prop_assert_eq!(&facts.call().decide(t), &decision);
            prop_assert_eq!(&facts.call().at(t).decide(t), &decision);
        }
    }

    #[test]
    fn the_log_never_runs_backwards(facts in calls(), back in proptest::collection::vec(0i64..90, 64)) {
        let mut clocked = facts.clone();
        for (event, back) in clocked.events.iter_mut().zip(back) {
            event.received_at -= SignedDuration::from_secs(back);
        }
        let mut forwards = clocked.clone();
        let mut last = forwards.received;
        for event in &mut forwards.events {
            last = last.max(event.received_at);
            event.received_at = last;
        }
        let (clocked, forwards, until) = (clocked.call(), forwards.call(), facts.end());
        prop_assert_eq!(clocked.windows(), forwards.windows());
        prop_assert_eq!(clocked.standings(until), forwards.standings(until));
    }

    #[test]
    fn a_window_opens_only_where_the_platform_asked_and_it_was_lawful(facts in calls()) {
        let call = facts.call().at(facts.end());
        let asked: Vec<usize> = (0..facts.events.len())
            .filter(|i| matches!(facts.events[*i].what, What::Control(Control::Start | Control::Resume)))
            .collect();
        prop_assert!(call.windows().len() <= asked.len());
        for window in call.windows().iter().filter(|window| window.until.is_none_or(|(until, _)| window.from < until)) {
            let lawful = asked.iter().any(|i| {
                facts.events[*i].received_at == window.from
                    && facts.call_after(i + 1).standing(window.from) == Standing::Lawful
            });
            prop_assert!(lawful, "{:?}", window);
        }
    }

    #[test]
    fn no_window_is_open_while_recording_is_unlawful(facts in calls()) {
        for events in 0..=facts.events.len() {
            let call = facts.call_after(events);
            let next = facts.events.get(events).map_or(facts.end(), |event| event.received_at);
            let mut now = call.last();
            while now <= next {
                let then = call.at(now);
                prop_assert!(then.standing(now) == Standing::Lawful || !then.is_granted(), "at {}", now);
                now += SignedDuration::from_secs(1);
            }
        }
    }

    #[test]
    fn no_moment_is_held_by_more_recordings_than_there_are_recorders(
        facts in calls(),
        uploads in proptest::collection::vec(
            (proptest::option::of(-1_000i64..60_000), 1u64..30_000, 0u64..300, 0u64..2_000), 0..40,
        ),
    ) {
        let now = facts.end();
        let mut facts = facts;
        facts.opened.settings.on_withdrawal = OnWithdrawal::Keep;
        let mut call = facts.call();
        let mut held: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (from, ms, codec_adds_ms, clock_behind_ms) in uploads {
            let claim = match from {
                Some(from) => Claim::Placed(vec![(facts.received + SignedDuration::from_millis(from), ms)]),
                None => Claim::Unplaced { duration_ms: ms },
            };
            let upload = Upload { codec_adds_ms, clock_behind_ms, ..Upload::new(claim, CoverageBasis::Granted) };
            let Ok(coverage) = call.coverage(&upload, now) else { continue };
            let length: i64 = coverage.spans.iter().map(|(from, until)| millis_between(*from, *until)).sum();
            let codec = i64::try_from(coverage.codec_ms).unwrap();
            // What was placed uses up all of itself, its codec's end included.
            let used = length + if from.is_none() { codec } else { 0 };
            prop_assert_eq!(used, i64::try_from(ms).unwrap());
            prop_assert!(coverage.codec_ms <= codec_adds_ms && codec < i64::try_from(ms).unwrap());
            held.extend(&coverage.spans);
            call.apply(&Event { received_at: now, at: None, what: What::Accepted { spans: coverage.spans } });
        }
        let edges: Vec<Timestamp> = held.iter().map(|(from, _)| *from).collect();
        for t in edges {
            let holding = held.iter().filter(|(from, until)| *from <= t && t < *until).count();
            prop_assert!(holding <= usize::from(facts.opened.settings.recorders), "{} at {}", holding, t);
        }
        // Beyond the union of the windows: two seconds once, and what a codec adds.
        let windows: Vec<(Timestamp, Timestamp)> = call.at(now).windows().iter()
            .map(|window| (window.from, window.until.map_or(now, |(until, _)| until)))
            .collect();
        for (_, until) in &held {
            let near = windows.iter().any(|(from, end)| from <= until && millis_between(*end, *until) <= 2_300);
            prop_assert!(near, "{} lies in no window", until);
        }
    }

    #[test]
    fn somebody_with_the_same_number_never_makes_anything_lawful(
        facts in calls(), alike in proptest::collection::vec(proptest::collection::vec(0u32..4, 0..3), 8),
        objects_since in proptest::option::weighted(0.3, -60i64..10),
    ) {
        let mut more = facts.clone();
        let objects_since = objects_since.map(|ago| facts.received + SignedDuration::from_secs(ago));
        let opened = more.opened.participants.iter_mut().map(|joined| (joined.participant, &mut joined.alike));
        let later = more.events.iter_mut().filter_map(|event| match &mut event.what {
            What::Joined(joined) => Some((joined.participant, &mut joined.alike)),
            What::Located { participant, alike, .. } => Some((*participant, alike)),
            _ => None,
        });
        for ((participant, same), mut others) in opened.chain(later).zip(alike) {
            others.retain(|other| *other != participant);
            *same = Alike { participants: others, objects_since };
        }
        let moments = facts.moments();
        prop_assert_eq!(opened_up(more, facts, &moments), None);
    }

    #[test]
    fn a_stretch_is_covered_only_where_each_of_its_seconds_is(
        facts in calls(), from in -5i64..60, seconds in 1i64..40,
    ) {
        let (call, now) = (facts.call(), facts.end());
        let from = facts.received + SignedDuration::from_secs(from);
        let claim = Claim::Placed(vec![(from, seconds.unsigned_abs() * 1_000)]);
        if call.coverage(&Upload::new(claim.clone(), CoverageBasis::Granted), now).is_ok() {
            for second in 0..seconds {
                prop_assert!(covers(&call, CoverageBasis::Granted, from + SignedDuration::from_secs(second), now), "second {}", second);
            }
        }
        if call.coverage(&Upload::new(claim, CoverageBasis::Lawful), now).is_ok() {
            for second in 0..seconds {
                let t = from + SignedDuration::from_secs(second);
                let in_slack = call.ended_at().is_some_and(|end| end <= t && t < end + SignedDuration::from_secs(2));
                prop_assert!(in_slack || call.standing(t) == Standing::Lawful, "second {}", second);
            }
        }
    }

    #[test]
    fn events_are_the_same_after_a_round_trip_through_json(facts in calls()) {
        let mut call = Call::open(&TABLE, facts.received, again(&facts.opened));
        for event in &facts.events {
            let read: Event = again(event);
            prop_assert_eq!(&read, event);
            call.apply(&read);
        }
        prop_assert_eq!(call.decide(facts.end()), facts.call().decide(facts.end()));
        prop_assert_eq!(call.standings(facts.end()), facts.call().standings(facts.end()));
    }
}

// ---- single stories that random calls rarely tell ----

fn held(participants: &[u32]) -> What {
    What::Held { participants: participants.to_vec(), only_tightens: false }
}

fn retrieved(participants: &[u32]) -> What {
    What::Retrieved { participants: participants.to_vec(), only_tightens: false }
}

/// A Californian who was told, and somebody from Texas who joins at 20 and was not. The made-up rows of both
/// leave out whoever is on hold.
fn told_and_untold(held_from: i64) -> Log {
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Control(Control::Start));
    let places = vec![Place::new("US-TX".parse().unwrap(), Evidence::Declared)];
    log.at(20, What::Joined(Joined { places, ..Joined::new(1, Role::Customer) }));
    log.at(held_from, held(&[1]));
    log
}

#[test]
fn whoever_is_on_hold_is_excused_from_when_it_was_logged_until_they_were_back() {
    let mut log = told_and_untold(30);
    log.at(40, retrieved(&[1])).claimed(35);
    let call = log.call();
    for (at, lawful) in
        [(19, true), (20, false), (29, false), (30, true), (34, true), (35, false), (41, false)]
    {
        assert_eq!(call.standing(second(at)) == Standing::Lawful, lawful, "at {at}");
    }
}

#[test]
fn a_hold_that_is_claimed_for_the_past_excuses_nothing_there() {
    let mut log = told_and_untold(30);
    log.events.last_mut().unwrap().at = Some(second(20));
    assert_eq!(log.call().standing(second(25)), Standing::Unlawful(Why::Missing(1)));
    assert_eq!(log.call().standing(second(30)), Standing::Lawful);
}

#[test]
fn a_stricter_place_counts_whoever_is_on_hold() {
    let mut log = told_and_untold(30);
    log.at(
        31,
        What::Joined(Joined {
            places: vec![Place::new("GB".parse().unwrap(), Evidence::Declared)],
            grant: Some(grant(0, None)),
            ..Joined::new(2, Role::Customer)
        }),
    );
    assert_eq!(log.call().standing(second(32)), Standing::Unlawful(Why::Missing(1)));
}

#[test]
fn where_a_rule_says_so_nothing_is_recorded_while_somebody_is_on_hold() {
    let mut log = Log::of(&["DE"]);
    log.at(5, played("a"));
    log.at(6, yes());
    let agent = Joined { grant: Some(grant(0, None)), ..Joined::new(1, Role::Agent) };
    let places = vec![Place::new("DE".parse().unwrap(), Evidence::Declared)];
    log.at(7, What::Joined(Joined { places, ..agent }));
    log.at(8, What::Control(Control::Start));
    assert_eq!(log.call().standing(second(9)), Standing::Lawful);
    log.at(20, held(&[0])).claimed(15);
    log.at(30, retrieved(&[0])).claimed(25);
    let call = log.call();
    for (at, lawful) in [(14, true), (15, false), (25, false), (29, false), (30, true)] {
        assert_eq!(call.standing(second(at)) == Standing::Lawful, lawful, "at {at}");
    }
    assert_eq!(call.standing(second(20)), Standing::Unlawful(Why::OnHold(0)));
    assert!(!call.is_granted(), "a hold closes the window, and nothing resumes by itself");
}

#[test]
fn a_prompt_that_runs_into_a_hold_counts_for_nothing_however_late_that_is_said() {
    for (held_at, claimed, counts) in [(7, 7, false), (12, 9, false), (12, 10, true), (12, 12, true)] {
        let mut log = Log::of(&["US-CA"]);
        if held_at < 10 {
            log.at(held_at, held(&[0]));
        }
        log.at(10, played("a"));
        log.at(11, yes());
        if held_at > 10 {
            log.at(held_at, held(&[0])).claimed(claimed);
        }
        log.at(20, retrieved(&[0]));
        // The row leaves out whoever is on hold: they are back by then.
        assert_eq!(log.call().standing(second(21)) == Standing::Lawful, counts, "held at {claimed}");
    }
}

#[test]
fn a_hold_takes_back_the_yes_that_lifted_an_objection() {
    let mut log = Log::consenting("US-CA");
    log.at(10, What::ConsentDeclined { participants: vec![0] });
    log.at(20, played("b"));
    log.at(21, yes());
    assert_eq!(log.call().standing(second(22)), Standing::Lawful);
    log.at(23, held(&[0])).claimed(18);
    log.at(24, retrieved(&[0]));
    assert_eq!(log.call().standing(second(25)), Standing::Unlawful(Why::Declined(0)));
}

#[test]
fn nobody_on_hold_speaks_for_the_others() {
    let mut log = Log::of(&["US-TX", "US-TX"]);
    log.at(2, What::ConsentGiven { participants: vec![0], method: Method::Speech });
    assert_eq!(log.call().standing(second(3)), Standing::Lawful);
    log.at(4, held(&[0]));
    assert_eq!(log.call().standing(second(5)), Standing::Unlawful(Why::NobodyConsents));
    log.at(6, held(&[1]));
    assert_eq!(log.call().standing(second(7)), Standing::Unlawful(Why::NobodyHuman));
}

#[test]
fn what_only_a_refused_request_said_excuses_nobody() {
    let mut log = told_and_untold(30);
    log.events.last_mut().unwrap().what = What::Held { participants: vec![1], only_tightens: true };
    assert_eq!(log.call().standing(second(31)), Standing::Unlawful(Why::Missing(1)));
    log.at(32, held(&[1]));
    assert_eq!(log.call().standing(second(33)), Standing::Lawful);
    log.at(34, What::Retrieved { participants: vec![1], only_tightens: true });
    assert_eq!(log.call().standing(second(35)), Standing::Unlawful(Why::Missing(1)));
}

#[test]
fn a_minors_own_yes_is_none_and_a_guardians_grant_is() {
    let mut log = Log::consenting("US-TX");
    assert_eq!(log.call().standing(second(10)), Standing::Lawful);
    log.at(11, What::Minor { participants: vec![0] }).claimed(90);
    // They were one from the start, and whatever they say does not help.
    assert_eq!(log.call().standing(second(10)), Standing::Unlawful(Why::Minor(0)));
    log.at(20, played("b"));
    log.at(21, What::ConsentGiven { participants: vec![0], method: Method::Written });
    log.at(22, What::Joined(Joined { grant: Some(grant(0, None)), ..Joined::new(0, Role::Customer) }));
    assert_eq!(log.call().standing(second(23)), Standing::Unlawful(Why::Minor(0)));
    let guardians = Grant { by_guardian: true, ..grant(0, Some(40)) };
    log.at(24, What::Joined(Joined { grant: Some(guardians), ..Joined::new(0, Role::Customer) }));
    let call = log.call();
    assert_eq!(call.standing(second(23)), Standing::Unlawful(Why::Minor(0)));
    assert_eq!(call.standing(second(24)), Standing::Lawful);
    assert_eq!(call.standing(second(40)), Standing::Unlawful(Why::Minor(0)));
    // Their own no is respected, whatever the guardian says.
    log.at(30, What::ConsentDeclined { participants: vec![0] });
    assert_eq!(log.call().standing(second(31)), Standing::Unlawful(Why::Declined(0)));
}

#[test]
fn a_minor_who_comes_back_under_another_id_is_still_one() {
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Minor { participants: vec![0] });
    log.at(6, What::Left { participants: vec![0] });
    log.at(7, same_number(1, &[0]));
    log.at(12, What::PromptCompleted { participants: vec![1], prompt: prompt("a"), played_ms: 4_000 });
    assert_eq!(log.call().standing(second(13)), Standing::Unlawful(Why::Minor(1)));
}

#[test]
fn a_call_that_becomes_an_emergency_stops_for_good() {
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Control(Control::Start));
    log.at(20, What::Emergency).claimed(15);
    let call = log.call();
    assert_eq!(call.standing(second(14)), Standing::Lawful);
    assert_eq!(call.standing(second(15)), Standing::Unlawful(Why::Emergency));
    assert_eq!(call.windows()[0].until.map(|(until, _)| until), Some(second(15)));
    assert_eq!(call.decide(second(21)).action, Action::Stop);
    log.at(30, played("b"));
    log.at(31, yes());
    log.at(32, What::Control(Control::Resume));
    assert!(!log.call().is_granted());
}

#[test]
fn a_public_safety_answering_point_records_what_became_an_emergency_by_the_rules_of_both() {
    for (place, lawful) in [("US-TX", true), ("NZ", false)] {
        let mut log = Log::consenting(place);
        log.opened.settings.public_safety = true;
        log.at(5, What::Control(Control::Start));
        log.at(20, What::Emergency);
        let call = log.call();
        assert!(!call.is_granted(), "every use ends");
        assert_eq!(call.standing(second(21)) == Standing::Lawful, lawful, "{place}");
    }
}

fn same_number(participant: u32, others: &[u32]) -> What {
    let alike = Alike { participants: others.to_vec(), objects_since: None };
    let places = vec![Place::new("US-CA".parse().unwrap(), Evidence::Declared)];
    What::Joined(Joined { places, identified: true, alike, ..Joined::new(participant, Role::Customer) })
}

#[test]
fn an_objection_bars_whoever_has_the_number_and_each_lifts_it_alone() {
    let mut log = Log::consenting("US-CA");
    log.at(10, same_number(1, &[0]));
    log.at(20, What::PromptCompleted { participants: vec![0, 1], prompt: prompt("a"), played_ms: 4_000 });
    log.at(21, What::ConsentDeclined { participants: vec![0] });
    // Who said it leaves; who has the number stays, and comes again under a third id.
    log.at(22, What::Left { participants: vec![0] });
    log.at(23, same_number(2, &[0, 1]));
    assert_eq!(log.call().standing(second(24)), Standing::Unlawful(Why::Declined(1)));
    for who in [1, 2] {
        log.at(
            30 + i64::from(who) * 10,
            What::PromptCompleted { participants: vec![1, 2], prompt: prompt("b"), played_ms: 4_000 },
        );
        let here = log.call().standing(second(35 + i64::from(who) * 10));
        assert_eq!(here, Standing::Unlawful(Why::Declined(who)), "a prompt alone lifts nothing");
        log.at(
            36 + i64::from(who) * 10,
            What::ConsentGiven { participants: vec![who], method: Method::Dtmf },
        );
    }
    assert_eq!(log.call().standing(second(60)), Standing::Lawful);
    // Named again, nobody is barred by what they have lifted.
    log.at(61, same_number(1, &[0]));
    assert_eq!(log.call().standing(second(62)), Standing::Lawful);
}

#[test]
fn an_objection_on_an_earlier_call_bars_whoever_brings_it_along() {
    let mut log = Log::of(&["US-CA"]);
    log.opened.participants[0].alike.objects_since = Some(second(-100));
    log.at(10, played("a"));
    assert_eq!(log.call().standing(second(11)), Standing::Unlawful(Why::Declined(0)));
    log.at(12, yes());
    assert_eq!(log.call().standing(second(13)), Standing::Lawful);
}

#[test]
fn slack_ends_where_the_next_window_begins() {
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Control(Control::Start));
    log.at(10, What::Control(Control::Stop));
    log.at(11, What::Control(Control::Start));
    log.at(11, What::Control(Control::Pause(Behavior::Skip)));
    assert!(covered(&log.call(), CoverageBasis::Granted, 5, 11, 60));
    assert!(
        !covered(&log.call(), CoverageBasis::Granted, 5, 12, 60),
        "paused at 11, whatever was stopped at 10"
    );
}

#[test]
fn a_file_is_moved_to_the_window_only_where_a_clock_explains_it() {
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Control(Control::Start));
    log.at(20, What::Control(Control::Stop));
    let upload = |early_ms: i64, clock_behind_ms| Upload {
        clock_behind_ms,
        ..Upload::new(
            Claim::Placed(vec![(second(5) - SignedDuration::from_millis(early_ms), 4_000)]),
            CoverageBasis::Granted,
        )
    };
    let shifted = |log: &Log, early_ms, behind_ms| {
        log.call().coverage(&upload(early_ms, behind_ms), second(60)).ok().map(|coverage| coverage.shifted_ms)
    };
    for (early_ms, behind_ms, found) in [
        (0, 0, Some(0)),
        (250, 0, Some(250)),
        (251, 0, None),
        (900, 0, None),
        (900, 650, Some(900)),
        (900, 649, None),
        // A whole second before, which is more than what is cut off by writing whole seconds.
        (1_000, 0, None),
    ] {
        assert_eq!(shifted(&log, early_ms, behind_ms), found, "{early_ms} ms early, {behind_ms} ms behind");
    }
    let spans = log.call().coverage(&upload(250, 0), second(60)).unwrap().spans;
    assert_eq!(spans, [(second(5), second(9))]);
    // Not where somebody had just objected, or recording was only resumed.
    let mut log = Log::consenting("US-CA");
    log.at(1, What::ConsentDeclined { participants: vec![0] });
    log.at(6, played("b"));
    log.at(7, yes());
    log.at(8, What::Control(Control::Start));
    let early = Upload::new(
        Claim::Placed(vec![(second(8) - SignedDuration::from_millis(100), 1_000)]),
        CoverageBasis::Granted,
    );
    assert!(log.call().coverage(&early, second(60)).is_err());
    let mut log = Log::consenting("US-CA");
    log.at(1, What::Control(Control::Start));
    log.at(2, What::Control(Control::Pause(Behavior::Skip)));
    log.at(8, What::Control(Control::Resume));
    assert!(log.call().coverage(&early, second(60)).is_err());
}

#[test]
fn what_a_codec_adds_may_lie_behind_a_pause_and_never_behind_an_objection() {
    let at_the_end = |end: What, adds_ms: u64| {
        let mut log = Log::consenting("US-CA");
        log.at(5, What::Control(Control::Start));
        log.at(10, end);
        let claim = Claim::Placed(vec![(second(5), 5_100)]);
        let upload = Upload { codec_adds_ms: adds_ms, ..Upload::new(claim, CoverageBasis::Granted) };
        log.call().coverage(&upload, second(60)).ok().map(|coverage| coverage.codec_ms)
    };
    let pause = || What::Control(Control::Pause(Behavior::Skip));
    assert_eq!(at_the_end(pause(), 100), Some(100));
    assert_eq!(at_the_end(pause(), 99), None);
    assert_eq!(at_the_end(What::ConsentDeclined { participants: vec![0] }, 100), None);
    assert_eq!(at_the_end(What::ConsentWithdrawn { participants: vec![0] }, 100), None);
}

/// The platform says late that it had paused, when its recorder was stopped already.
#[test]
fn a_pause_that_is_told_after_the_stop_ends_the_window_as_well() {
    for (told, kept) in [(What::RecordingPaused, 2_000), (What::RecordingStopped, 4_000)] {
        let mut log = Log::consenting("US-CA");
        log.at(5, What::Control(Control::Start));
        log.at(10, What::Control(Control::Stop));
        log.at(12, What::Control(Control::Start));
        log.at(14, What::Control(Control::Stop));
        let mut call = log.call();
        call.apply(&Event { received_at: second(20), at: Some(second(7)), what: told });
        let covered = |from: i64, ms: u64| {
            let upload = Upload::new(Claim::Placed(vec![(second(from), ms)]), CoverageBasis::Granted);
            call.coverage(&upload, second(60)).is_ok()
        };
        assert!(covered(5, kept) && !covered(5, kept + 1));
        assert!(covered(12, 2_000));
    }
}

/// What a codec adds goes on from audio: it is no free stretch elsewhere, and none of the future.
#[test]
fn what_a_codec_adds_goes_on_from_audio_of_the_same_stretch() {
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Control(Control::Start));
    log.at(10, What::Control(Control::Pause(Behavior::Skip)));
    let call = log.call();
    let found = |parts: Vec<(Timestamp, u64)>, now: i64| {
        let upload =
            Upload { codec_adds_ms: 120, ..Upload::new(Claim::Placed(parts), CoverageBasis::Granted) };
        call.coverage(&upload, second(now)).ok().map(|coverage| coverage.codec_ms)
    };
    let ms = SignedDuration::from_millis;
    assert_eq!(found(vec![(second(9), 1_120)], 60), Some(120));
    assert_eq!(found(vec![(second(6), 60), (second(10) - ms(1), 121)], 60), Some(120));
    for elsewhere in [second(10), second(11), second(59), second(90)] {
        assert_eq!(found(vec![(second(6), 60), (elsewhere, 120)], 60), None, "{elsewhere}");
    }
    // A gap between what was paused and its end.
    assert_eq!(found(vec![(second(6), 60), (second(9), 1_000), (second(10), 120)], 60), None);
    // The window goes on, and the file ends later than now.
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Control(Control::Start));
    for claim in [Claim::Placed(vec![(second(5), 5_100)]), Claim::Unplaced { duration_ms: 5_100 }] {
        let upload = Upload { codec_adds_ms: 120, ..Upload::new(claim, CoverageBasis::Granted) };
        assert!(log.call().coverage(&upload, second(10)).is_err());
    }
}

#[test]
fn what_a_codec_adds_lies_behind_no_objection_though_the_file_does_not_say_when_it_was_made() {
    let unplaced = |end: What, ms: u64| {
        let mut log = Log::consenting("US-CA");
        log.at(5, What::Control(Control::Start));
        log.at(10, end);
        let upload = Upload {
            codec_adds_ms: 120,
            ..Upload::new(Claim::Unplaced { duration_ms: ms }, CoverageBasis::Granted)
        };
        log.call().coverage(&upload, second(60)).ok().map(|coverage| coverage.codec_ms)
    };
    let pause = || What::Control(Control::Pause(Behavior::Skip));
    assert_eq!(unplaced(pause(), 5_120), Some(120));
    assert_eq!(unplaced(pause(), 5_121), None);
    for end in
        [What::ConsentDeclined { participants: vec![0] }, What::ConsentWithdrawn { participants: vec![0] }]
    {
        assert_eq!(unplaced(end.clone(), 5_000), Some(0));
        assert_eq!(unplaced(end, 5_001), None);
    }
}

#[test]
fn every_uncovered_stretch_is_told_whole_with_its_place_in_the_file() {
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Control(Control::Start));
    log.at(10, What::Control(Control::Pause(Behavior::Skip)));
    log.at(14, What::Control(Control::Resume));
    let claim = Claim::Placed(vec![(second(2), 6_000), (second(9), 7_000)]);
    let found = log.call().coverage(&Upload::new(claim, CoverageBasis::Granted), second(60));
    let Err(Uncovered::Spans(spans)) = found else { panic!("{found:?}") };
    let told: Vec<_> = spans.iter().map(|span| (span.from, span.offset_ms, span.duration_ms())).collect();
    // Nobody had agreed for two seconds, and nothing was granted for one more.
    assert_eq!(told, [(second(2), 0, 2_000), (second(4), 2_000, 1_000), (second(10), 7_000, 4_000)]);
}

#[test]
fn audio_that_ran_on_after_the_call_ended_is_not_covered() {
    let mut log = Log::of(&["US-TX"]);
    log.at(1, What::ConsentGiven { participants: vec![0], method: Method::Speech });
    log.at(10, What::Ended);
    let call = log.call();
    assert!(covered(&call, CoverageBasis::Lawful, 1, 12, 100));
    assert!(!covered(&call, CoverageBasis::Lawful, 1, 13, 100));
    assert!(!covered(&call, CoverageBasis::Lawful, 10, 90, 100));
}

#[test]
fn a_short_recording_without_its_announcement_is_not_covered() {
    let mut log = Log::consenting("US-WA");
    log.at(5, What::Control(Control::Start));
    log.at(15, What::Control(Control::Stop));
    assert!(
        !covered(&log.call(), CoverageBasis::Granted, 5, 15, 16),
        "asked before the announcement was due"
    );
    assert!(!covered(&log.call(), CoverageBasis::Granted, 5, 15, 60));
    log.at(18, What::AnnouncementRecorded { participants: vec![0] });
    assert!(
        !covered(&log.call(), CoverageBasis::Granted, 5, 15, 60),
        "announced when nothing was recorded any more"
    );
}

#[test]
fn a_recording_that_the_platform_started_by_itself_holds_its_announcement_too() {
    let mut log = Log::consenting("US-WA");
    assert!(!covered(&log.call(), CoverageBasis::Lawful, 5, 45, 60));
    log.at(7, What::AnnouncementRecorded { participants: vec![0] });
    assert!(covered(&log.call(), CoverageBasis::Lawful, 5, 45, 60));
    assert!(!covered(&log.call(), CoverageBasis::Lawful, 8, 45, 60));
}

#[test]
fn a_prompt_that_was_playing_when_they_objected_is_no_new_one() {
    let mut log = Log::consenting("US-CA");
    log.at(10, What::PromptStarted { participants: vec![0], prompt: prompt("a") });
    log.at(12, What::ConsentDeclined { participants: vec![0] });
    log.at(14, played("a"));
    log.at(15, yes());
    assert_eq!(log.call().standing(second(16)), Standing::Unlawful(Why::Declined(0)));
}

#[test]
fn a_prompt_that_played_over_an_objection_is_no_new_one_though_only_its_end_was_reported() {
    let mut log = Log::consenting("US-CA");
    log.at(12, What::ConsentDeclined { participants: vec![0] });
    log.at(14, played("a")).claimed(14);
    log.at(15, yes());
    assert_eq!(log.call().standing(second(16)), Standing::Unlawful(Why::Declined(0)));
}

#[test]
fn a_prompt_that_began_between_two_objections_is_no_new_one() {
    let mut log = Log::consenting("US-CA");
    log.at(10, What::ConsentDeclined { participants: vec![0] });
    log.at(11, What::PromptStarted { participants: vec![0], prompt: prompt("a") });
    log.at(13, What::ConsentDeclined { participants: vec![0] });
    log.at(15, played("a")).claimed(15);
    log.at(16, yes());
    assert_eq!(log.call().standing(second(17)), Standing::Unlawful(Why::Declined(0)));
}

#[test]
fn a_yes_to_a_prompt_that_says_too_little_lifts_no_objection_whatever_was_played_before() {
    let mut log = Log::consenting("US-CA");
    log.opened.overlays = vec!["health".into()];
    log.at(10, What::ConsentDeclined { participants: vec![0] });
    log.at(15, played("a"));
    log.at(20, played_saying("b", Elements::NONE));
    log.at(21, yes());
    assert_eq!(log.call().standing(second(22)), Standing::Unlawful(Why::Declined(0)));
    log.at(26, played("a"));
    log.at(27, yes());
    assert_eq!(log.call().standing(second(28)), Standing::Lawful);
}

#[test]
fn what_was_written_to_a_prompt_that_says_too_little_waives_no_announcement() {
    for (said, waived) in [(Elements::NONE, false), (Element::ALL.into_iter().collect(), true)] {
        let mut log = Log::of(&["US-CT"]);
        log.opened.overlays = vec!["health".into()];
        log.at(5, played_saying("a", said));
        log.at(6, What::ConsentGiven { participants: vec![0], method: Method::Written });
        log.at(12, played("b"));
        assert_eq!(covered(&log.call(), CoverageBasis::Lawful, 12, 40, 60), waived);
    }
}

#[test]
fn a_written_grant_for_another_purpose_waives_no_announcement() {
    for (purposes, waived) in [(Purposes::NONE, false), (Purpose::ALL.into_iter().collect(), true)] {
        let mut log = Log::of(&["US-CT"]);
        log.opened.overlays = vec!["trading".into()];
        log.opened.participants[0].grant =
            Some(Grant { written: true, purposes: Some(purposes), ..grant(0, None) });
        log.at(12, played("b"));
        assert_eq!(covered(&log.call(), CoverageBasis::Lawful, 12, 40, 60), waived);
    }
}

#[test]
fn nobody_is_told_to_end_an_emergency_call() {
    for (kind, ends) in [(Kind::Conversation, true), (Kind::Emergency, false)] {
        let mut log = Log::of(&["US-TX"]);
        log.opened.kind = kind;
        log.opened.settings.public_safety = true;
        log.opened.overlays = vec!["trading".into()];
        log.at(5, What::ConsentDeclined { participants: vec![0] });
        assert_eq!(log.call().decide(second(6)).action == Action::EndCall, ends);
    }
}

#[test]
fn a_tone_says_yes_for_nobody() {
    // Queensland, as the made-up table has it, is content with one party and with a tone.
    let mut log = Log::of(&["AU-QLD"]);
    log.at(1, What::ToneStarted);
    assert_eq!(log.call().standing(second(2)), Standing::Unlawful(Why::NobodyConsents));
}

#[test]
fn a_prompt_that_a_machine_heard_the_beginning_of_counts_for_nobody() {
    for reported in [true, false] {
        let mut log = Log::of(&["US-CA"]);
        log.at(0, What::Answered { participant: 0, by: AnsweredBy::Machine });
        if reported {
            log.at(5, What::PromptStarted { participants: vec![0], prompt: prompt("a") });
        }
        log.at(8, What::Answered { participant: 0, by: AnsweredBy::Human });
        log.at(9, played("a"));
        assert_eq!(log.call().standing(second(10)), Standing::Unlawful(Why::Missing(0)));
    }
}

#[test]
fn a_machine_that_is_found_out_after_it_hung_up_has_heard_nothing() {
    let mut log = Log::consenting("US-CA");
    log.at(20, What::Left { participants: vec![0] });
    log.at(21, What::Answered { participant: 0, by: AnsweredBy::Machine });
    assert_ne!(log.call().standing(second(10)), Standing::Lawful);
}

#[test]
fn late_evidence_of_a_yes_does_not_reach_behind_its_prompt() {
    let mut log = Log::of(&["US-CA"]);
    log.opened.settings.late_evidence_seconds = 60;
    log.at(50, played("a"));
    log.at(51, yes()).claimed(10);
    assert_eq!(log.call().standing(second(30)), Standing::Unlawful(Why::Missing(0)));
    log.at(60, What::ConsentDeclined { participants: vec![0] });
    log.at(80, played("a"));
    log.at(81, yes()).claimed(61);
    assert_eq!(log.call().standing(second(70)), Standing::Unlawful(Why::Declined(0)));
}

#[test]
fn a_call_that_ended_earlier_than_it_was_stopped_is_covered_to_its_end() {
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Control(Control::Start));
    log.at(60, What::Control(Control::Stop));
    log.at(61, What::Ended).claimed(20);
    assert!(covered(&log.call(), CoverageBasis::Granted, 5, 20, 70));
    assert!(!covered(&log.call(), CoverageBasis::Granted, 5, 60, 70));
}

#[test]
fn declining_after_withdrawing_does_not_unsay_the_withdrawal() {
    let mut log = Log::consenting("US-CA");
    log.opened.settings.on_withdrawal = OnWithdrawal::Delete;
    log.at(5, What::Control(Control::Start));
    log.at(20, What::ConsentWithdrawn { participants: vec![0] });
    log.at(21, What::ConsentDeclined { participants: vec![0] });
    let upload = Claim::Placed(vec![(second(5), 10_000)]);
    let answer = log.call().coverage(&Upload::new(upload, CoverageBasis::Granted), second(30));
    assert_eq!(answer.unwrap_err(), Uncovered::Withdrawn(0));
}

#[test]
fn silence_makes_no_room_for_speech() {
    let mut log = Log::consenting("US-CA");
    log.at(5, What::Control(Control::Start));
    log.at(15, What::Control(Control::Pause(Behavior::Silence)));
    let upload = Upload::new(Claim::Placed(vec![(second(5), 10_000)]), CoverageBasis::Granted);
    assert!(log.call().coverage(&upload, second(100)).is_ok());
    log.at(100, What::Accepted { spans: vec![(second(5), second(15))] });
    assert!(log.call().coverage(&upload, second(100)).is_err());
}

#[test]
fn a_prompt_that_began_before_they_came_back_does_not_count() {
    let mut log = Log::of(&["US-CA"]);
    log.at(10, What::PromptStarted { participants: vec![0], prompt: prompt("a") });
    log.at(11, What::Left { participants: vec![0] });
    log.at(12, What::Joined(Joined::new(0, Role::Customer)));
    log.at(16, played("a"));
    assert_ne!(log.call().standing(second(17)), Standing::Lawful);
}

#[test]
fn another_prompt_in_between_does_not_hide_when_the_first_began() {
    let mut log = Log::of(&["US-CA"]);
    log.at(10, What::PromptStarted { participants: vec![0], prompt: prompt("a") });
    log.at(10, What::PromptStarted { participants: vec![0], prompt: prompt("b") });
    log.at(11, played("a"));
    assert_eq!(log.call().standing(second(12)), Standing::Unlawful(Why::Missing(0)));
}

#[test]
fn the_earliest_claim_of_a_departure_counts() {
    let mut log = Log::of(&["US-TX", "US-TX"]);
    log.at(1, yes());
    log.at(50, What::Left { participants: vec![0] });
    log.at(51, What::Left { participants: vec![0] }).claimed(20);
    assert_eq!(log.call().standing(second(30)), Standing::Unlawful(Why::NobodyConsents));
}

#[test]
fn whoever_is_named_twice_was_there_from_the_earlier_time() {
    let mut log = Log::consenting("US-CA");
    let late = |joined_at| Joined { joined_at: Some(second(joined_at)), ..person(1, "US-CA") };
    log.at(50, What::Joined(late(50)));
    log.at(51, What::Joined(late(20)));
    assert_eq!(log.call().standing(second(30)), Standing::Unlawful(Why::Missing(1)));
}

#[test]
fn naming_somebody_twice_takes_nothing_away() {
    let granted = || Joined { grant: Some(grant(-100, None)), ..person(0, "US-MA") };
    let mut log = Log::of(&[]);
    log.opened.participants.push(granted());
    assert_eq!(log.call().standing(second(10)), Standing::Lawful);
    log.at(20, What::Joined(granted()));
    assert_eq!(log.call().standing(second(10)), Standing::Lawful);
}

#[test]
fn coming_back_from_elsewhere_does_not_move_the_first_stay() {
    let mut log = Log::of(&["US-TX", "US-TX"]);
    log.at(1, What::ConsentGiven { participants: vec![1], method: Method::Speech });
    log.at(20, What::Left { participants: vec![0] });
    log.at(30, What::Joined(person(0, "US-MA")));
    assert_eq!(log.call().standing(second(10)), Standing::Lawful);
    assert_eq!(log.call().standing(second(31)), Standing::Unlawful(Why::Missing(0)));
}

#[test]
fn a_window_closes_when_a_grant_ends_that_began_after_it_was_opened() {
    let mut log = Log::of(&[]);
    let until = |from, until| Some(grant(from, Some(until)));
    log.opened.participants.push(Joined { grant: until(-100, 35), ..person(0, "US-TX") });
    log.opened.participants.push(Joined { grant: until(30, 40), ..person(1, "US-TX") });
    log.at(10, What::Control(Control::Start));
    assert!(log.call().at(second(39)).is_granted());
    assert!(!log.call().at(second(41)).is_granted());
}

#[test]
fn what_a_bot_agreed_to_counts_from_when_it_was_said_to_be_a_person() {
    let mut log = Log::of(&[]);
    let bot = Joined { grant: Some(grant(-100, None)), ..Joined::new(0, Role::System) };
    log.opened.participants.push(bot);
    log.at(20, What::Joined(Joined::new(0, Role::Customer)));
    assert_eq!(log.call().standing(second(10)), Standing::Unlawful(Why::NobodyHuman));
}

#[test]
fn the_earliest_claim_of_the_end_of_a_tone_counts() {
    let mut log = Log::of(&["AU-NSW"]);
    log.at(1, What::ToneStarted);
    log.at(30, What::ToneStopped);
    log.at(31, What::ToneStopped).claimed(10);
    assert_eq!(log.call().standing(second(20)), Standing::Unlawful(Why::Missing(0)));
}

// ---- a call that is written down by hand ----

struct Log {
    opened: Opened,
    events: Vec<Event>,
}

struct Last<'a>(&'a mut Event);

impl Last<'_> {
    /// The platform says that it happened at this second.
    fn claimed(self, at: i64) {
        self.0.at = Some(second(at));
    }
}

impl Log {
    /// A telephone call of people who are, by their own word, in these places.
    fn of(places: &[&str]) -> Log {
        let participants = (0..).zip(places).map(|(participant, code)| person(participant, code)).collect();
        let opened = Opened {
            medium: Medium::Telephone,
            kind: Kind::Conversation,
            started_at: EPOCH,
            recorder_locations: Vec::new(),
            operator_locations: Vec::new(),
            purposes: policy::Purposes::NONE,
            overlays: Vec::new(),
            readings: Vec::new(),
            settings: Settings::default(),
            participants,
        };
        Log { opened, events: Vec::new() }
    }

    /// One person who has heard the prompt by the fourth second and said yes in the fifth.
    fn consenting(place: &str) -> Log {
        let mut log = Log::of(&[place]);
        log.at(4, played("a"));
        log.at(5, yes());
        log
    }

    fn at(&mut self, at: i64, what: What) -> Last<'_> {
        self.events.push(Event { received_at: second(at), at: None, what });
        Last(self.events.last_mut().unwrap())
    }

    fn call(&self) -> Call {
        let (opened, events) = (self.opened.clone(), self.events.clone());
        Facts { received: EPOCH, opened, events, further: None }.call()
    }
}

fn second(at: i64) -> Timestamp {
    EPOCH + SignedDuration::from_secs(at)
}

fn person(participant: u32, place: &str) -> Joined {
    let place = Place::new(place.parse().unwrap(), Evidence::Declared);
    Joined { places: vec![place], ..Joined::new(participant, Role::Customer) }
}

fn grant(from: i64, until: Option<i64>) -> Grant {
    Grant {
        grant: "g".into(),
        by_guardian: false,
        works_agreement: false,
        written: false,
        purposes: None,
        from: second(from),
        until: until.map(second),
    }
}

fn prompt(version: &str) -> Heard {
    Heard {
        version: version.into(),
        duration_ms: 4_000,
        language: "en".into(),
        covers_purposes: true,
        says: Element::ALL.into_iter().collect(),
        purposes: Purpose::ALL.into_iter().collect(),
    }
}

fn played_saying(version: &str, says: Elements) -> What {
    let prompt = Heard { says, ..prompt(version) };
    What::PromptCompleted { participants: vec![0], prompt, played_ms: 4_000 }
}

fn played(version: &str) -> What {
    What::PromptCompleted { participants: vec![0], prompt: prompt(version), played_ms: 4_000 }
}

fn yes() -> What {
    What::ConsentGiven { participants: vec![0], method: Method::Dtmf }
}

fn millis_between(from: Timestamp, until: Timestamp) -> i64 {
    until.as_millisecond() - from.as_millisecond()
}

fn covered(call: &Call, basis: CoverageBasis, from: i64, until: i64, now: i64) -> bool {
    let ms = u64::try_from(until - from).unwrap() * 1_000;
    call.coverage(&Upload::new(Claim::Placed(vec![(second(from), ms)]), basis), second(now)).is_ok()
}

// ---- what is asked of random calls ----

/// The first of these moments at which `more` asks less than `less`, in any respect.
fn looser(more: &Call, less: &Call, moments: &[Timestamp]) -> Option<(Timestamp, Requirement, Requirement)> {
    moments
        .iter()
        .map(|t| (*t, more.requirement(*t), less.requirement(*t)))
        .find(|(_, more, less)| !more.is_at_least(less))
}

/// The first of these moments that is open in `more` and is not in `less`.
fn opened_up(more: Facts, less: Facts, moments: &[Timestamp]) -> Option<Timestamp> {
    let now = *moments.last()? + SignedDuration::from_secs(1);
    let (more, less) = (more.by_itself().call(), less.by_itself().call());
    let lawful = |call: &Call, t| call.standing(t) == Standing::Lawful;
    let covered = |call: &Call, t| covers(call, CoverageBasis::Lawful, t, now);
    moments
        .iter()
        .copied()
        .find(|t| lawful(&more, *t) && !lawful(&less, *t) || covered(&more, *t) && !covered(&less, *t))
}

/// Whether the second from `t` on is covered; what the call has room for is not asked here.
fn covers(call: &Call, basis: CoverageBasis, t: Timestamp, now: Timestamp) -> bool {
    let found = call.at(now).uncovered(&[(t, 1_000)], basis, now, &|_, _| false);
    found.iter().all(|span| span.why == Why::Taken)
}

fn first_lawful(facts: &Facts) -> Option<Timestamp> {
    let call = facts.call();
    facts.moments().into_iter().find(|t| {
        call.standing(*t) == Standing::Lawful
            || covers(&call, CoverageBasis::Granted, *t, facts.end())
            || covers(&call, CoverageBasis::Lawful, *t, facts.end())
    })
}

fn make_bot(joined: &mut Joined) {
    joined.role = Role::System;
    joined.identified = false;
    joined.places.clear();
}

fn is_prompt_to(event: &Event, who: u32) -> bool {
    matches!(&event.what, What::PromptCompleted { participants, .. } if participants.contains(&who))
}

fn is_express_yes(event: &Event, who: u32) -> bool {
    matches!(&event.what, What::ConsentGiven { participants, method } if participants.contains(&who) && method.is_express())
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

impl Facts {
    /// The same call with one more event, and when that was logged.
    fn with(&self, when: prop::sample::Index, what: What) -> (Facts, Timestamp) {
        let mut facts = self.clone();
        let i = when.index(facts.events.len() + 1);
        let received_at = i.checked_sub(1).map_or(facts.received, |before| facts.events[before].received_at);
        facts.events.insert(i, Event { received_at, at: None, what });
        (facts, received_at)
    }

    /// What was known of the call at some moment.
    fn known_at(&self, t: Timestamp) -> Facts {
        let mut facts = self.clone();
        facts.events.retain(|event| event.received_at <= t);
        facts
    }

    /// The same where the platform asks us nothing.
    fn by_itself(mut self) -> Facts {
        self.events.retain(|event| !matches!(event.what, What::Control(_)));
        self
    }

    /// The same where nothing counts from before it was logged.
    fn never_late(mut self) -> Facts {
        self.opened.settings.late_evidence_seconds = 0;
        self
    }

    fn named(&self) -> impl Iterator<Item = &Joined> {
        self.opened.participants.iter().chain(self.events.iter().filter_map(|event| match &event.what {
            What::Joined(joined) => Some(joined),
            _ => None,
        }))
    }

    fn is_person(&self, who: u32) -> bool {
        self.named().any(|joined| joined.participant == who && joined.is_person())
    }

    /// Whether any place of somebody is known.
    fn is_located(&self, who: u32) -> bool {
        let call = self.call().decide(self.last());
        call.participants
            .iter()
            .any(|participant| participant.participant == who && !participant.places.is_empty())
    }

    /// The same call of people who have never been in this country.
    fn without_places_in(mut self, country: Code) -> Facts {
        let elsewhere = |place: &Place| place.code.country() != country;
        self.opened.participants.iter_mut().for_each(|joined| joined.places.retain(elsewhere));
        for event in &mut self.events {
            match &mut event.what {
                What::Joined(joined) => joined.places.retain(elsewhere),
                What::Located { places, .. } => places.retain(elsewhere),
                _ => {}
            }
        }
        self
    }
}
