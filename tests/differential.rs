//! The crate against a second, naïve reading of the same rules, on random calls.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and looks at few of the facts"
)]

mod naive;
mod written;

use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use policy::reading::Asks;
use policy::{
    Action, Alike, AnsweredBy, Behavior, Call, Claim, Code, Control, CoverageBasis, Element, Elements, Event,
    Evidence, Form, Grant, Heard, HeldCounts, Joined, Kind, Medium, Method, OnWithdrawal, Opened, Parties,
    Period, Place, Purpose, Purposes, Reading, Role, Settings, Standing, Table, Terms, Tone, Uncovered,
    Upload, Use, What, Why,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use naive::{Asked, Granted, Naive, STEP};
use written::{Length, Written};

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn both_ask_the_same_of_every_moment(facts in calls_and_tables()) {
        let (call, naive) = (facts.call(), facts.naive());
        for t in facts.moments() {
            let crates = call.requirement(t);
            let told = crates.says.on(facts.opened.purposes);
            let asked = Asked {
                strictness: crates.strictness,
                by_purpose: crates.by_purpose.each().map(|(_, asked)| asked).collect(),
                forbids: Purpose::ALL
                    .into_iter()
                    .flat_map(|purpose| crates.forbids.roles(purpose).map(move |role| (purpose, role)))
                    .collect(),
                written_for: crates.written_for.iter().collect(),
                announcement: crates.announcement_must_be_recorded,
                waived_by_written: crates.waived_by_written,
                tone: match crates.tone {
                    Tone::Indifferent => None,
                    Tone::Every(seconds) => Some(Some(seconds)),
                    Tone::Refused => Some(None),
                },
                works_agreement_is_express: crates.works_agreement_is_express,
                elements: told.elements.iter().collect(),
                purposes: told.purposes.iter().collect(),
                kept: crates.retention.minimum.map(length),
                gone: crates.retention.maximum.map(length),
                mandatory: crates.mandatory,
                pauses: crates.pause_for_card_data,
                forbidden: crates.forbidden,
                on_hold: crates.on_hold as u8,
            };
            prop_assert_eq!(asked, naive.asked(t.as_millisecond()), "at {}", t);
        }
    }

    #[test]
    fn both_find_the_same_moments_lawful(facts in calls_and_tables()) {
        let (call, naive) = (facts.call(), facts.naive());
        for t in facts.moments() {
            let crates = call.standing(t);
            let lawful = naive.lawful(t.as_millisecond());
            prop_assert_eq!(crates == Standing::Lawful, lawful, "at {}: {:?}", t, crates);
        }
    }

    #[test]
    fn both_judge_another_use_as_a_call_for_its_purposes(mut facts in calls_and_tables(), purposes in purposes()) {
        // Whether an objection is lifted, the call's own purposes say; and a tone opens no other use.
        let stays = |what: &What| !matches!(what, What::ConsentDeclined { .. } | What::ConsentWithdrawn { .. } | What::ToneStarted);
        facts.events.retain(|event| stays(&event.what));
        let call = facts.call().serving(Use::Transcribe, purposes);
        let as_call = facts.serving(purposes);
        let naive = as_call.naive();
        for t in facts.moments() {
            let crates = call.standing(t);
            let lawful = naive.lawful(t.as_millisecond());
            prop_assert_eq!(crates == Standing::Lawful, lawful, "at {}: {:?}", t, crates);
        }
        // It goes on by what is logged as if it had been asked for at the end.
        let mut going_on = facts.call_after(facts.events.len() / 2);
        let start = What::Use { of: Use::Transcribe, purposes, control: Control::Start };
        going_on.apply(&Event { received_at: going_on.last(), at: None, what: start });
        for event in &facts.events[facts.events.len() / 2..] {
            going_on.apply(event);
        }
        if facts.further.is_none() {
            let (_, going_on) = going_on.uses().next().unwrap();
            for t in facts.moments() {
                prop_assert_eq!(going_on.standing(t), call.standing(t), "at {}", t);
            }
        }
    }

    #[test]
    fn no_use_is_lawful_while_somebody_on_the_call_objects(facts in calls_and_tables(), purposes in purposes()) {
        let half = facts.events.len() / 2;
        let mut call = facts.call_after(half);
        let start = What::Use { of: Use::Stream, purposes, control: Control::Start };
        call.apply(&Event { received_at: call.last(), at: None, what: start });
        for event in &facts.events[half..] {
            call.apply(event);
            if let Standing::Unlawful(why @ (Why::Declined(_) | Why::Withdrawn(_))) = call.standing(call.last()) {
                let (_, used) = call.uses().next().unwrap();
                let standing = used.standing(call.last());
                prop_assert_eq!(standing, Standing::Unlawful(why));
            }
        }
    }

    #[test]
    fn both_want_the_same_said_and_end_the_same_calls(facts in calls_and_tables()) {
        let (call, naive) = (facts.call(), facts.naive());
        let now = facts.end();
        let decision = call.decide(now);
        let asked = naive.asked(now.as_millisecond());
        let told = decision.must_be_told;
        prop_assert_eq!((told.elements.iter().collect(), told.purposes.iter().collect()), (asked.elements, asked.purposes));
        prop_assert_eq!(decision.action == Action::EndCall, naive.has_to_end(now.as_millisecond()), "{:?}", decision.standing);
    }

    #[test]
    fn both_grant_the_same_windows(facts in calls_and_tables()) {
        let now = facts.end();
        let call = facts.call().at(now);
        let crates: Vec<Granted> = call
            .windows()
            .iter()
            .map(|window| Granted {
                from: window.from.as_millisecond(),
                until: window.until.map(|(until, edge)| (until.as_millisecond(), edge)),
            })
            // Whether the end of a deadline still belongs to it is not worth a quarrel.
            .map(|window| Granted { until: window.until.map(|(until, edge)| (until - until % STEP, edge)), ..window })
            .filter(|window| window.until.is_none_or(|(until, _)| window.from < until))
            .collect();
        let mut windows = facts.naive().windows(now.as_millisecond());
        windows.retain(|window| window.until.is_none_or(|(until, _)| window.from < until));
        prop_assert_eq!(crates, windows);
    }

    #[test]
    fn both_cover_the_same_recordings_that_the_platform_started_by_itself(
        mut facts in calls_and_tables(),
        stretches in proptest::collection::vec((0i64..90, 1i64..40), 12),
    ) {
        facts.events.retain(|event| !matches!(event.what, What::Control(_)));
        let now = facts.end();
        let (call, naive) = (facts.call(), facts.naive());
        for (from, seconds) in stretches {
            let from = facts.received + SignedDuration::from_secs(from - 5);
            let claim = Claim::Placed(vec![(from, seconds.unsigned_abs() * 1_000)]);
            let crates = match call.coverage(&Upload::new(claim.clone(), CoverageBasis::Lawful), now) {
                Ok(_) => true,
                Err(Uncovered::Withdrawn(_)) => return Ok(()),
                Err(other) => {
                    prop_assert!(matches!(other, Uncovered::Spans(_)), "{:?}", other);
                    false
                }
            };
            let from = from.as_millisecond();
            let covered = naive.covers_all(from, from + seconds * 1_000, now.as_millisecond());
            prop_assert_eq!(crates, covered, "{} s from {:?}", seconds, claim);
        }
    }

    #[test]
    fn both_cover_the_same_seconds(facts in calls_and_tables()) {
        let now = facts.end();
        let (call, naive) = (facts.call(), facts.naive());
        let windows = naive.windows(now.as_millisecond());
        for t in facts.moments() {
            let found = call.at(now).uncovered(&[(t, 1_000)], CoverageBasis::Granted, now, &|_, _| false);
            let crates = found.iter().all(|span| span.why == Why::Taken);
            prop_assert_eq!(crates, naive.covers(&windows, t.as_millisecond(), now.as_millisecond()), "at {}", t);
        }
    }
}

/// A call as it was opened, and everything that was logged of it since.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) received: Timestamp,
    pub(crate) opened: Opened,
    pub(crate) events: Vec<Event>,
    /// When a further version of the table became known, if one did.
    pub(crate) further: Option<Timestamp>,
}

impl Facts {
    pub(crate) fn call(&self) -> Call {
        self.call_after(self.events.len())
    }

    pub(crate) fn call_after(&self, events: usize) -> Call {
        let mut call = Call::open(&TABLE, self.received, self.opened.clone());
        let mut further = self.further;
        for event in &self.events[..events] {
            if let Some(known_at) = further.take_if(|known_at| *known_at < event.received_at) {
                call.know(&FURTHER, known_at);
            }
            call.apply(event);
        }
        if let Some(known_at) = further.filter(|_| events == self.events.len()) {
            call.know(&FURTHER, known_at);
        }
        call
    }

    /// The same call under another table.
    pub(crate) fn call_by(&self, table: &Arc<Table>) -> Call {
        let mut call = Call::open(table, self.received, self.opened.clone());
        self.events.iter().for_each(|event| call.apply(event));
        call
    }

    /// Changes every place of everybody.
    pub(crate) fn each_place(&mut self, change: impl Fn(&mut Place)) {
        let located = self.events.iter_mut().flat_map(|event| match &mut event.what {
            What::Joined(joined) => joined.places.as_mut_slice(),
            What::Located { places, .. } => places.as_mut_slice(),
            _ => &mut [],
        });
        let opened = self.opened.participants.iter_mut().flat_map(|joined| &mut joined.places);
        opened.chain(located).for_each(change);
    }

    /// Changes the purposes of every prompt and every grant.
    pub(crate) fn each_text(&mut self, change: impl Fn(&mut Purposes)) {
        let joined = |joined: &mut Joined| {
            if let Some(purposes) = joined.grant.as_mut().and_then(|grant| grant.purposes.as_mut()) {
                change(purposes);
            }
        };
        self.opened.participants.iter_mut().for_each(joined);
        for event in &mut self.events {
            match &mut event.what {
                What::Joined(one) => joined(one),
                What::PromptStarted { prompt, .. } | What::PromptCompleted { prompt, .. } => {
                    change(&mut prompt.purposes);
                }
                _ => {}
            }
        }
    }

    /// The same, where no prompt and no grant names a purpose.
    pub(crate) fn without_purposes(&self) -> Facts {
        let mut facts = self.clone();
        facts.each_text(|purposes| *purposes = Purposes::NONE);
        facts
    }

    /// The call as it would be for another use of it, for these purposes.
    fn serving(&self, purposes: Purposes) -> Facts {
        let mut facts = self.clone();
        facts.opened.purposes = purposes;
        let call = self.opened.purposes;
        let same = purposes == call || (!purposes.is_empty() && call.holds_all(purposes));
        let law_knows_them = !purposes.is_empty() && !purposes.holds(Purpose::Other);
        let names = |named: Purposes, covers_call: bool| {
            named.is_empty() || (same && covers_call) || (law_knows_them && named.holds_all(purposes))
        };
        // Only what covers the call is relied on as a grant.
        let joined = |joined: &mut Joined| {
            joined.grant.take_if(|grant| !names(grant.purposes.unwrap_or_default(), true));
        };
        facts.opened.participants.iter_mut().for_each(joined);
        for event in &mut facts.events {
            match &mut event.what {
                What::PromptStarted { prompt, .. } | What::PromptCompleted { prompt, .. } => {
                    prompt.covers_purposes = names(prompt.purposes, prompt.covers_purposes);
                }
                What::Joined(one) => joined(one),
                _ => {}
            }
        }
        facts
    }

    fn naive(&self) -> Naive<'_> {
        let further = self.further.map(|known_at| (&*FURTHER_WRITTEN, known_at));
        Naive::new(&WRITTEN, further, self.received, &self.opened, &self.events)
    }

    /// When the last fact was logged.
    pub(crate) fn last(&self) -> Timestamp {
        let last = self.events.last().map_or(self.received, |event| event.received_at);
        self.further.map_or(last, |known_at| known_at.max(last))
    }

    /// A while after the last fact: long enough for everything that lapses by itself.
    pub(crate) fn end(&self) -> Timestamp {
        self.last() + SignedDuration::from_secs(20)
    }

    /// Every second from before the call to its end.
    pub(crate) fn moments(&self) -> Vec<Timestamp> {
        let first = self.opened.started_at.min(self.received) - SignedDuration::from_secs(10);
        let seconds = self.end().duration_since(first).as_secs();
        (0..=seconds).map(|second| first + SignedDuration::from_secs(second)).collect()
    }
}

/// As many cases as `PROPTEST_CASES` says, else `default`.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let rng_seed = RngSeed::Fixed(crate::harness::seed());
    ProptestConfig {
        cases,
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: 40_000,
        ..ProptestConfig::default()
    }
}

fn length(period: Period) -> Length {
    match period {
        Period::Days(count) => Length { count, months: false },
        Period::Months(count) => Length { count, months: true },
    }
}

// ---- random calls ----

/// Calls of up to four participants and some twenty events.
pub(crate) fn calls() -> impl Strategy<Value = Facts> {
    (opened(), proptest::collection::vec(steps(), 0..14)).prop_map(|((received, opened), steps)| {
        let mut at = received;
        let mut events = Vec::new();
        for (pause, ago, what) in steps.into_iter().flatten() {
            at += SignedDuration::from_secs(pause);
            let ago =
                ago.filter(|_| !matches!(what, What::Joined(_) | What::Control(_) | What::Accepted { .. }));
            let happened = ago.map(|ago| at - SignedDuration::from_secs(ago));
            events.push(Event { received_at: at, at: happened, what: dated(what, at) });
        }
        Facts { received, opened, events, further: None }
    })
}

/// The same, where a further version of the table may become known while the call goes on.
fn calls_and_tables() -> impl Strategy<Value = Facts> {
    (calls(), proptest::option::weighted(0.3, 0i64..60)).prop_map(|(facts, seconds)| {
        let further = seconds.map(|seconds| facts.received + SignedDuration::from_secs(seconds));
        Facts { further, ..facts }
    })
}

/// The times inside a fact are drawn as seconds after [`EPOCH`], and become seconds before the log.
fn dated(what: What, received: Timestamp) -> What {
    match what {
        What::Joined(joined) => What::Joined(Joined {
            joined_at: joined.joined_at.map(|ago| received - ago.duration_since(EPOCH)),
            grant: joined.grant.map(|grant| dated_grant(grant, received)),
            ..joined
        }),
        What::Located { participant, places, since, alike } => What::Located {
            participant,
            places,
            since: since.map(|ago| received - ago.duration_since(EPOCH)),
            alike,
        },
        other => other,
    }
}

fn dated_grant(grant: Grant, received: Timestamp) -> Grant {
    Grant {
        from: received + (grant.from.duration_since(EPOCH) - SignedDuration::from_secs(40)),
        until: grant.until.map(|until| received + until.duration_since(EPOCH)),
        ..grant
    }
}

fn opened() -> impl Strategy<Value = (Timestamp, Opened)> {
    let kind = prop_oneof![
        40 => Just(Kind::Conversation),
        8 => Just(Kind::Voicemail),
        6 => Just(Kind::Emergency)];
    let medium = prop_oneof![
        4 => Just(Medium::Telephone),
        1 => Just(Medium::Voip),
        1 => Just(Medium::Video),
        1 => Just(Medium::Unknown)];
    let settings = (
        prop_oneof![6 => Just(0u8), 1 => Just(10), 1 => Just(60)],
        prop_oneof![8 => Just("en"), 1 => Just("de-AT")],
        1u16..3,
        prop_oneof![20 => Just(OnWithdrawal::Keep), 1 => Just(OnWithdrawal::Delete)],
        proptest::bool::weighted(0.8),
        prop_oneof![2 => Just(HeldCounts::Counted), 3 => Just(HeldCounts::NotCounted)],
    )
        .prop_map(
            |(late_evidence_seconds, language, recorders, on_withdrawal, public_safety, on_hold)| Settings {
                default_language: language.into(),
                late_evidence_seconds,
                recorders,
                on_withdrawal,
                public_safety,
                on_hold,
                ..Settings::default()
            },
        );
    let operator = || proptest::option::weighted(0.15, code());
    (
        (0i64..120, prop_oneof![3 => Just(0i64), 1 => 0i64..40], kind, medium, settings),
        (operator(), operator()),
        (prop_oneof![1 => Just(Purposes::NONE), 1 => purposes()], overlays()),
        proptest::collection::vec(joined(), 0..3),
        prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(reading(), 1..4)],
    )
        .prop_map(
            |(
                (seconds, earlier, kind, medium, settings),
                (recorder, operator),
                (purposes, overlays),
                participants,
                readings,
            )| {
                let received = EPOCH + SignedDuration::from_secs(seconds);
                // Most readings are for where the operator is.
                let operator = operator.or_else(|| readings.first().map(|terms| terms.operator));
                let participants = (0u32..)
                    .zip(participants)
                    .map(|(participant, joined)| {
                        let What::Joined(joined) = dated(What::Joined(joined), received) else {
                            unreachable!()
                        };
                        Joined { participant, languages: languages(participant), ..joined }
                    })
                    .collect();
                let opened = Opened {
                    medium,
                    kind,
                    started_at: received - SignedDuration::from_secs(earlier),
                    recorder_locations: recorder.into_iter().collect(),
                    operator_locations: operator.into_iter().collect(),
                    purposes,
                    overlays,
                    readings: (0..).zip(readings).map(|(id, terms)| read_as(id, terms, received)).collect(),
                    settings,
                    participants,
                };
                (received, opened)
            },
        )
}

/// How counsel reads a place, with an end, if it has one, some seconds after 1970.
fn reading() -> impl Strategy<Value = Terms> {
    let asks = || {
        let words = prop_oneof![
            Just((Parties::One, Form::None)),
            Just((Parties::All, Form::Notice)),
            Just((Parties::All, Form::Express)),
        ];
        (words, any::<bool>()).prop_map(|((parties, form), announcement_must_be_recorded)| Asks {
            parties,
            form,
            announcement_must_be_recorded,
        })
    };
    let media = proptest::sample::subsequence(vec![Medium::Telephone, Medium::Voip, Medium::Video], 0..3);
    let purposes = prop_oneof![2 => Just(Purposes::NONE), 1 => purposes()];
    let until =
        proptest::option::of((0i64..200).prop_map(|seconds| Timestamp::from_second(seconds).unwrap()));
    let operator = prop_oneof![3 => Just("US-NY".parse().unwrap()), 1 => code()];
    (code(), operator, asks(), proptest::option::weighted(0.7, asks()), media, purposes, until).prop_map(
        |(code, operator, asks, instead_of, media, purposes, until)| Terms {
            code,
            operator,
            asks,
            media,
            purposes,
            instead_of,
            until,
            text: String::new(),
        },
    )
}

/// With its end after the call was opened.
fn read_as(id: usize, terms: Terms, received: Timestamp) -> Reading {
    let after = |until: Timestamp| received + SignedDuration::from_secs(until.as_second());
    Reading { id: id.to_string(), terms: Terms { until: terms.until.map(after), ..terms } }
}

/// Mostly a few of those for which the table has rules.
fn purposes() -> impl Strategy<Value = Purposes> {
    let ruled = vec![Purpose::Evidence, Purpose::Quality, Purpose::Voiceprint, Purpose::Emotion];
    let some = proptest::sample::subsequence(ruled, 1..3);
    prop_oneof![3 => some, 1 => proptest::sample::subsequence(Purpose::ALL.to_vec(), 0..4)]
        .prop_map(|purposes| purposes.into_iter().collect())
}

/// Overlays that are in force, that are not yet or no longer, and one that only a later table knows.
fn overlays() -> impl Strategy<Value = Vec<String>> {
    let ids = vec!["card-data", "trading", "trading", "health", "dawn", "dusk", "beep", "secret", "nonsense"];
    prop_oneof![
        3 => Just(Vec::new()),
        1 => proptest::collection::vec(proptest::sample::select(ids).prop_map(String::from), 1..3)]
}

pub(crate) fn joined() -> impl Strategy<Value = Joined> {
    (
        0u32..4,
        prop_oneof![4 => Just(Role::Customer), 3 => Just(Role::Agent), 1 => Just(Role::System)],
        proptest::bool::weighted(0.1),
        proptest::collection::vec(place(), 0..3),
        proptest::option::weighted(0.25, grant()),
        proptest::option::weighted(0.2, ago()),
    )
        .prop_map(|(participant, role, identified, places, grant, joined_at)| Joined {
            participant,
            role,
            identified,
            places,
            languages: languages(participant),
            grant,
            refused_grant: None,
            joined_at: joined_at.map(|ago| EPOCH + SignedDuration::from_secs(ago)),
            alike: Alike::default(),
        })
}

/// Whoever comes back has not learned a language in between.
fn languages(participant: u32) -> Vec<String> {
    match participant {
        0 | 1 => vec![],
        2 => vec!["en-US".into()],
        _ => vec!["de".into(), "EN".into()],
    }
}

fn grant() -> impl Strategy<Value = Grant> {
    let purposes = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Purpose::ALL.into_iter().collect())),
        2 => purposes().prop_map(Some)];
    let until = proptest::option::weighted(0.4, 0i64..120);
    (any::<bool>(), any::<bool>(), any::<bool>(), 0i64..60, until, purposes).prop_map(
        |(works_agreement, written, by_guardian, from, until, purposes)| Grant {
            grant: "g".into(),
            by_guardian,
            works_agreement,
            // What begins to hold only later was not given in writing before.
            written: written && from <= 40,
            purposes,
            from: EPOCH + SignedDuration::from_secs(from),
            until: until.map(|until| EPOCH + SignedDuration::from_secs(until)),
        },
    )
}

/// How long ago something happened, in seconds.
fn ago() -> impl Strategy<Value = i64> {
    prop_oneof![2 => 0i64..6, 1 => 0i64..60]
}

pub(crate) fn place() -> impl Strategy<Value = Place> {
    let evidence =
        prop_oneof![5 => Just(Evidence::Declared), 1 => Just(Evidence::Ip), 2 => Just(Evidence::Number)];
    (code(), evidence).prop_map(|(code, evidence)| Place::new(code, evidence))
}

pub(crate) fn code() -> impl Strategy<Value = Code> {
    let codes = vec![
        "US-TX", "US-TX", "US-TX", "US-CA", "US-CT", "US-CT", "US-CT", "US-WA", "US-MA", "US-IL", "US-GA",
        "US", "CA", "CA-QC", "CA-ON", "DE", "FR", "GB", "NZ", "AU", "AU-NSW", "AU-QLD", "AU-VIC", "JP", "BR",
        "MX", "SG",
    ];
    proptest::sample::select(codes).prop_map(|code| code.parse().unwrap())
}

/// An event, how long it came after the one before, and how long ago it had happened.
type Step = (i64, Option<i64>, What);

/// Mostly one event; sometimes everything that a platform should do before it records, or what it
/// should do after somebody said no, with a prompt more.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let all = || vec![0, 1, 2, 3];
    prop_oneof![
        6 => proptest::collection::vec(step(), 1..4),
        2 => (0i64..8, said(), method(), any::<bool>(), 0i64..8).prop_map(move |(pause, said, method, announced, later)| {
            let mut steps = vec![
                (4 + pause, None, played(said)),
                (1, None, What::ConsentGiven { participants: all(), method }),
                (0, None, What::Control(Control::Start)),
            ];
            if announced {
                steps.push((later, None, What::AnnouncementRecorded { participants: all() }));
            }
            steps
        }),
        1 => (one(), 1i64..6, proptest::option::weighted(0.3, ago())).prop_map(|(who, pause, ago)| vec![
            (1, None, What::Held { participants: who.clone(), only_tightens: false }),
            (0, None, What::Control(Control::Resume)),
            (pause, ago, What::Retrieved { participants: who, only_tightens: false }),
        ]),
        1 => (one(), proptest::collection::vec(said(), 1..3), method()).prop_map(move |(who, said, method)| {
            let mut steps = vec![(0, None, What::ConsentDeclined { participants: who })];
            steps.extend(said.into_iter().map(|said| (5, None, played(said))));
            steps.push((1, None, What::ConsentGiven { participants: all(), method }));
            steps.push((0, None, What::Control(Control::Resume)));
            steps
        }),
    ]
}

/// A prompt that everybody heard to its end.
fn played((says, purposes): (Elements, Purposes)) -> What {
    let prompt = Heard {
        version: "a".into(),
        duration_ms: 4_000,
        language: "en".into(),
        covers_purposes: true,
        says,
        purposes,
    };
    What::PromptCompleted { participants: vec![0, 1, 2, 3], prompt, played_ms: 4_000 }
}

fn step() -> impl Strategy<Value = Step> {
    let pause = prop_oneof![2 => Just(0i64), 6 => 1i64..6, 1 => 5i64..30];
    (pause, proptest::option::weighted(0.3, ago()), what())
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
    3 => (who(), heard()).prop_map(|(participants, prompt)| What::PromptStarted { participants, prompt }),
    9 => (who(), heard(), prop_oneof![5 => Just(4_000u64), 1 => Just(900), 1 => Just(2_000), 1 => Just(20_000)]).prop_map(
        |(participants, prompt, played_ms)| What::PromptCompleted { participants, prompt, played_ms }
    ),
    1 => who().prop_map(|participants| What::PromptInterrupted { participants }),
    10 => (who(), method()).prop_map(|(participants, method)| What::ConsentGiven { participants, method }),
    1 => one().prop_map(|participants| What::ConsentDeclined { participants }),
    1 => one().prop_map(|participants| What::ConsentWithdrawn { participants }),
    3 => who().prop_map(|participants| What::AnnouncementRecorded { participants }),
    2 => Just(What::ToneStarted),
    1 => Just(What::ToneStopped),
    3 => joined().prop_map(What::Joined),
    2 => (0u32..4, proptest::collection::vec(place(), 0..3), proptest::option::weighted(0.3, ago()))
        .prop_map(|(participant, places, since)| What::Located {
            participant,
            places,
            since: since.map(|ago| EPOCH + SignedDuration::from_secs(ago)),
            alike: Alike::default(),
        }),
    1 => (0u32..4).prop_map(|participant| What::Answered { participant, by: AnsweredBy::Machine }),
    1 => (0u32..4).prop_map(|participant| What::Answered { participant, by: AnsweredBy::Human }),
    2 => one().prop_map(|participants| What::Left { participants }),
    3 => (who(), proptest::bool::weighted(0.1))
        .prop_map(|(participants, only_tightens)| What::Held { participants, only_tightens }),
    3 => (who(), proptest::bool::weighted(0.1))
        .prop_map(|(participants, only_tightens)| What::Retrieved { participants, only_tightens }),
    1 => proptest::bool::weighted(0.3).prop_flat_map(|minor| match minor {
        true => one().prop_map(|participants| What::Minor { participants }).boxed(),
        false => proptest::bool::weighted(0.3).prop_map(|is| if is { What::Emergency } else { What::ToneStopped }).boxed(),
    }),
    10 => control().prop_map(What::Control),
    1 => proptest::sample::select(vec![
            What::RecordingStarted,
            What::RecordingPaused,
            What::RecordingResumed,
            What::RecordingStopped,
            What::Accepted { spans: Vec::new() },
            What::Ended,
        ])]
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        6 => Just(Control::Start),
        4 => Just(Control::Resume),
        1 => Just(Control::Pause(Behavior::Skip)),
        1 => Just(Control::Pause(Behavior::Silence)),
        1 => Just(Control::Stop)]
}

fn who() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![3 => Just(vec![0, 1, 2, 3]), 1 => one(), 1 => proptest::collection::vec(0u32..4, 0..3)]
}

fn one() -> impl Strategy<Value = Vec<u32>> {
    (0u32..4).prop_map(|participant| vec![participant])
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        3 => Just(Method::Dtmf),
        1 => Just(Method::Speech),
        1 => Just(Method::Click),
        1 => Just(Method::Written),
        1 => Just(Method::Continued)]
}

fn heard() -> impl Strategy<Value = Heard> {
    (
        prop_oneof![4 => Just("a"), 1 => Just("b")],
        prop_oneof![4 => Just(4_000u64), 1 => Just(500), 1 => Just(2_000)],
        prop_oneof![6 => Just("en"), 1 => Just("EN-gb"), 1 => Just("de")],
        proptest::bool::weighted(0.9),
        said(),
    )
        .prop_map(|(version, duration_ms, language, covers_purposes, (says, purposes))| Heard {
            version: version.into(),
            duration_ms,
            language: language.into(),
            covers_purposes,
            says,
            purposes,
        })
}

/// Mostly everything; sometimes less.
fn said() -> impl Strategy<Value = (Elements, Purposes)> {
    let some = proptest::sample::subsequence(&Element::ALL[..], 0..=Element::ALL.len())
        .prop_map(|elements| elements.into_iter().collect::<Elements>());
    let all = || (Element::ALL.into_iter().collect(), Purpose::ALL.into_iter().collect());
    prop_oneof![
        4 => Just(all()),
        1 => some.prop_map(move |some| (some, all().1)),
        3 => purposes().prop_map(move |purposes| (all().0, purposes))]
}

/// Two minutes before midnight, so that calls begin on either side of a change of the law.
pub(crate) const EPOCH: Timestamp = Timestamp::constant(1_795_219_080, 0);

pub(crate) static TABLE: LazyLock<Arc<Table>> =
    LazyLock::new(|| Arc::new(Table::parse(ROWS).expect("a table")));

static FURTHER: LazyLock<Arc<Table>> =
    LazyLock::new(|| Arc::new(Table::parse(FURTHER_ROWS).expect("a table")));

static WRITTEN: LazyLock<Written> = LazyLock::new(|| Written::read(ROWS));

static FURTHER_WRITTEN: LazyLock<Written> = LazyLock::new(|| Written::read(FURTHER_ROWS));

pub(crate) const ROWS: &str = include_str!("differential/table.toml");

const FURTHER_ROWS: &str = include_str!("differential/later.toml");
