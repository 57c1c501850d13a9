//! What changes in meaning from one table to another, against a search for a call that shows it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and looks at few of the facts"
)]

mod draft;

use std::sync::Arc;

use consent_gateway::gate::offline;
use consent_gateway::locate::Locator;
use jiff::Timestamp;
use jiff::civil::Date;
use policy::diff::{Direction, FICTION, Subject};
use policy::{
    Call, Claim, Code, CoverageBasis, Diff, Element, Elements, Evidence, Joined, Kind, Medium, OnHold,
    Opened, Period, Place, Purpose, Purposes, Requirement, Retention, Role, Says, Settings, Standing,
    Strictness, Table, Tone, Upload, What,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use trail::clock::Clock;

use crate::differential::{Facts, calls, cases};
use crate::harness::START;
use draft::{CODES, Draft, Edits, OVERLAYS, drafts, edits};

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn it_loosens_where_some_call_becomes_easier_and_tightens_where_one_becomes_harder(
        pair in pairs(), more in proptest::collection::vec(sorts_of_calls(), 60),
    ) {
        let (old, new) = (table(&pair.0), table(&pair.1));
        let diff = Diff::between(&old, &new);
        let (gone, come) = overlays_that_come_and_go(&old, &new);
        let mut easier = None;
        let mut harder = None;
        for call in every_sort_of_call().into_iter().chain(more) {
            if call.overlays.iter().any(|id| gone.contains(id) || come.contains(id)) {
                continue;
            }
            let (before, after) = (call.asked(&old), call.asked(&new));
            if !after.is_at_least(&before) {
                easier.get_or_insert_with(|| call.clone());
            }
            if !before.is_at_least(&after) {
                harder.get_or_insert(call);
            }
        }
        prop_assert_eq!(diff.loosens, easier.is_some() || !gone.is_empty(), "{:?} in {:#?}", easier, diff.changes);
        prop_assert_eq!(diff.tightens, harder.is_some() || !come.is_empty(), "{:?} in {:#?}", harder, diff.changes);
    }

    #[test]
    fn it_tells_of_each_place_and_each_day_what_changes_there(pair in pairs()) {
        let (old, new) = (table(&pair.0), table(&pair.1));
        let diff = Diff::between(&old, &new);
        for text in CODES {
            let code: Code = text.parse().unwrap();
            if old.history(code).is_empty() && new.history(code).is_empty() {
                continue;
            }
            for day in DAYS {
                let told = diff.changes.iter().filter(|change| change.subject == Subject::Place(code));
                let told: Vec<Direction> =
                    told.filter(|change| holds(change.from, change.to, day)).map(|change| change.direction).collect();
                prop_assert!(told.len() <= 1, "{} on {}: {:?}", code, day, told);
                let told = told.first().map_or((false, false), |told| (told.loosens(), told.tightens()));
                prop_assert_eq!(told, shown(&old, &new, code, day), "{} on {}: {:#?}", code, day, diff.changes);
            }
        }
    }

    #[test]
    fn it_is_read_back_as_it_was_written(pair in pairs()) {
        let diff = Diff::between(&table(&pair.0), &table(&pair.1));
        let read: Diff = serde_json::from_str(&serde_json::to_string(&diff).unwrap()).unwrap();
        prop_assert_eq!(read, diff);
    }

    #[test]
    fn what_changes_is_told_in_words_that_differ(pair in pairs()) {
        for change in Diff::between(&table(&pair.0), &table(&pair.1)).changes {
            prop_assert!(!change.points.is_empty());
            for point in change.points {
                prop_assert_ne!(point.before, point.after, "{:?}: {}", change.subject, point.of);
            }
        }
    }

    #[test]
    fn the_same_in_another_order_and_with_comments_is_no_change(draft in drafts(), seed in any::<usize>()) {
        let rearranged = Table::parse(&draft.rearranged(seed)).unwrap();
        prop_assert!(Diff::between(&table(&draft), &table(&draft)).is_empty());
        let diff = Diff::between(&table(&draft), &rearranged);
        prop_assert!(diff.is_empty() && !diff.loosens && !diff.tightens, "{:#?}", diff.changes);
        prop_assert_ne!(diff.from, diff.to);
    }

    #[test]
    fn what_loosens_one_way_tightens_the_other(pair in pairs()) {
        let (old, new) = (table(&pair.0), table(&pair.1));
        let (there, back) = (Diff::between(&old, &new), Diff::between(&new, &old));
        prop_assert_eq!((there.loosens, there.tightens), (back.tightens, back.loosens));
        prop_assert_eq!(there.changes.len(), back.changes.len());
        for (there, back) in there.changes.iter().zip(&back.changes) {
            prop_assert_eq!(&there.subject, &back.subject);
            prop_assert_eq!((there.from, there.to), (back.from, back.to));
            prop_assert_eq!(there.direction.loosens(), back.direction.tightens());
            prop_assert_eq!(there.direction.tightens(), back.direction.loosens());
        }
    }

    #[test]
    fn two_steps_that_loosen_nothing_loosen_nothing_together(draft in drafts(), steps in proptest::collection::vec(edits(), 4)) {
        let mut passed = vec![table(&draft)];
        let mut last = draft;
        for edits in &steps {
            let next = last.edited(edits);
            let table = table(&next);
            if !Diff::between(passed.last().unwrap(), &table).loosens {
                for before in &passed {
                    let diff = Diff::between(before, &table);
                    prop_assert!(!diff.loosens, "{:#?}", diff.changes);
                }
                passed.push(table);
                last = next;
            }
        }
    }

    #[test]
    fn no_moment_of_a_call_becomes_easier_where_nothing_loosens(
        pair in pairs(), calls in proptest::collection::vec((calls(), overlays()), 6),
    ) {
        let (old, new) = (table(&pair.0), table(&pair.1));
        let diff = Diff::between(&old, &new);
        let (gone, come) = overlays_that_come_and_go(&old, &new);
        for (facts, overlays) in calls {
            let mut facts = moved(facts);
            facts.opened.overlays = overlays;
            facts.opened.overlays.retain(|id| !gone.contains(id) && !come.contains(id));
            facts.events.retain(|event| !matches!(event.what, What::Control(_)));
            let (before, after) = (facts.call_by(&old), facts.call_by(&new));
            let covers = |call: &Call, t| {
                let second = Claim::Placed(vec![(t, 1_000)]);
                call.coverage(&Upload::new(second, CoverageBasis::Lawful), facts.end()).is_ok()
            };
            for t in facts.moments() {
                let is_lawful = |call: &Call| call.standing(t) == Standing::Lawful;
                if !diff.loosens {
                    prop_assert!(is_lawful(&before) || !is_lawful(&after), "easier at {}: {:?}", t, facts);
                    prop_assert!(covers(&before, t) || !covers(&after, t), "covered at {}: {:?}", t, facts);
                }
                if !diff.tightens {
                    prop_assert!(is_lawful(&after) || !is_lawful(&before), "harder at {}: {:?}", t, facts);
                    prop_assert!(covers(&after, t) || !covers(&before, t), "not covered at {}: {:?}", t, facts);
                }
            }
        }
    }
}

proptest! {
    // Where nothing shows, every call is tried.
    #![proptest_config(cases(6))]

    #[test]
    fn decide_tells_both_tables_apart_on_every_call_that_shows_what_is_looser(pair in pairs()) {
        let (old, new) = (table(&pair.0), table(&pair.1));
        let (locator, clock) = (Locator::new(None).unwrap(), Clock::manual(START.parse().unwrap()));
        let decided = |table: &Arc<Table>, call: &Value| {
            json!(offline::decide(table, &locator, &clock, &call.to_string()).unwrap().decision)
        };
        let asked = |decision: &Value| {
            ["requirement", "prompt_must_say", "retention", "obligations"].map(|part| decision[part].clone())
        };
        let changes = Diff::between(&old, &new).shown(&old, &new).changes;
        for point in changes.iter().flat_map(|change| &change.points) {
            prop_assert!(point.direction.loosens() || point.shown_by.is_none(), "{:#?}", point);
            let Some(call) = &point.shown_by else { continue };
            let call = json!(call);
            let (was, is) = (decided(&old, &call), decided(&new, &call));
            let opens = was["recording"] == "blocked" && is["recording"] == "permitted";
            prop_assert!(opens || asked(&was) != asked(&is), "{} of {:#?}", call, point);
        }
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn combining_is_a_join(a in requirements(), b in requirements(), c in requirements()) {
        prop_assert_eq!(a.and(b).and(c), a.and(b.and(c)));
        prop_assert_eq!(a.and(b), b.and(a));
        prop_assert_eq!(a.and(a), a);
        prop_assert_eq!(a.and(Requirement::NOTHING), a);
        prop_assert!(a.and(b).is_at_least(&a) && a.and(b).is_at_least(&b));
        // The least of those that are at least both.
        let above = a.and(b).and(c);
        prop_assert!(above.is_at_least(&a.and(b)));
        prop_assert_eq!(c.is_at_least(&a) && c.is_at_least(&b), c.is_at_least(&a.and(b)));
        if b.is_at_least(&a) {
            prop_assert!(b.and(c).is_at_least(&a.and(c)));
            prop_assert!(!a.is_at_least(&b) || a == b);
        }
    }

    #[test]
    fn whatever_is_combined_is_kept_as_long_as_each_rule_wants_where_all_count_in_one_unit(
        kept in proptest::collection::vec(1u16..400, 1..4), gone in proptest::collection::vec(1u16..400, 0..4), from in 0i64..40_000,
    ) {
        let from = Timestamp::from_second(from * 86_400).unwrap();
        let rules = kept.iter().map(|days| Retention { minimum: Some(Period::Days(*days)), maximum: None });
        let limits = gone.iter().map(|days| Retention { minimum: None, maximum: Some(Period::Days(*days)) });
        let all = rules.clone().chain(limits.clone()).fold(Retention::FREE, Retention::and);
        for rule in rules {
            prop_assert!(all.keep_until(from) >= rule.keep_until(from));
            prop_assert!(all.delete_by(from).is_none_or(|by| Some(by) >= rule.keep_until(from)));
        }
        let longest = kept.iter().max().unwrap();
        for limit in gone.iter().filter(|days| *days >= longest) {
            prop_assert!(all.delete_by(from) <= Some(Period::Days(*limit).after(from)));
        }
    }
}

#[test]
fn the_numbers_of_calls_that_show_something_are_where_it_is_said() {
    let locator = Locator::new(None).unwrap();
    for (code, number) in FICTION {
        let found = locator.number(number);
        assert_eq!(found.iter().map(|place| place.code.as_str()).collect::<Vec<_>>(), [code], "{number}");
    }
}

// ---- single stories that random tables rarely tell ----

#[test]
fn an_overlay_that_is_relaxed_shows_where_a_place_has_a_row_only_later() {
    // Before that the default asks for as much in any case.
    let row = format!("{ONE}, public_safety = {{ {ONE} }}, effective_from = 2020-01-01");
    let default = format!("{NOTICE}, public_safety = {{ {NOTICE} }}");
    let diff = between(&[&default, ONE, &row, NOTICE], &[&default, ONE, &row, ONE]);
    assert_eq!((diff.loosens, diff.tightens), (true, false), "{:#?}", diff.changes);
}

#[test]
fn an_overlay_that_is_relaxed_shows_where_nothing_is_known_of_somebody() {
    // Whatever evidence there is, the prompt has to say who records; without any it need not.
    let says = format!("{ONE}, prompt_says = [\"operator\"]");
    let (default, row) =
        (format!("{NOTICE}, public_safety = {{ {says} }}"), format!("{ONE}, public_safety = {{ {says} }}"));
    let diff = between(&[&default, &says, &row, &says], &[&default, &says, &row, ONE]);
    assert_eq!((diff.loosens, diff.tightens), (true, false), "{:#?}", diff.changes);
}

#[test]
fn an_operators_place_that_is_relaxed_shows_where_nothing_is_known_of_somebody() {
    let says = format!("{ONE}, prompt_says = [\"operator\"]");
    let diff = between(&[NOTICE, &says, &says, ONE], &[NOTICE, &says, ONE, ONE]);
    assert_eq!((diff.loosens, diff.tightens), (true, false), "{:#?}", diff.changes);
}

#[test]
fn a_state_whose_row_has_ended_changes_with_its_neighbours() {
    let table = |rule: &str| {
        let rows = [
            ("US", "United States", ONE, "unknown_subdivision = \"strictest\""),
            ("US-CA", "California", ONE, "effective_to = 2020-12-31"),
            ("US-TX", "Texas", ONE, "effective_to = 2026-11-20"),
            ("US-TX", "Texas", rule, "effective_from = 2026-11-21"),
        ]
        .map(|(code, name, rule, more)| {
            format!("{{ code = \"{code}\", name = \"{name}\", {rule}, {more}, {SOURCE} }}")
        });
        table_of(NOTICE, ONE, &rows.join(", "), ONE)
    };
    let diff = Diff::between(&table(NOTICE), &table(ONE));
    let told = diff.changes.iter().find(|change| change.subject == Subject::Place("US-CA".parse().unwrap()));
    assert_eq!(told.map(|told| told.direction), Some(Direction::Looser), "{:#?}", diff.changes);
}

#[test]
fn what_every_call_asks_for_in_any_case_does_not_make_a_change_looser() {
    let says = format!("{ONE}, prompt_says = [\"vendor\"]");
    let diff = between(&[NOTICE, NOTICE, NOTICE, ONE], &[NOTICE, NOTICE, &says, ONE]);
    assert_eq!((diff.loosens, diff.tightens), (false, true), "{:#?}", diff.changes);
}

#[test]
fn an_overlay_whose_change_no_call_shows_is_not_told_for_what_else_changes() {
    let default = format!("{EXPRESS}, public_safety = {{ {EXPRESS} }}");
    let says = format!("{EXPRESS}, prompt_says = [\"operator\"]");
    let diff = between(&[&default, &says, &default, NOTICE], &[&default, EXPRESS, &default, EXPRESS]);
    assert_eq!((diff.loosens, diff.tightens), (true, false), "{:#?}", diff.changes);
}

/// What changes between two tables, each told by its default, its floor of all evidence, its row of
/// one place and its overlay.
fn between(old: &[&str; 4], new: &[&str; 4]) -> Diff {
    let table = |[default, floor, row, overlay]: &[&str; 4]| {
        let row = format!("{{ code = \"DE\", name = \"Germany\", {row}, {SOURCE} }}");
        table_of(default, floor, &row, overlay)
    };
    Diff::between(&table(old), &table(new))
}

fn table_of(default: &str, floor: &str, rows: &str, overlay: &str) -> Table {
    let text = format!(
        "default = {{ {default} }}
        evidence = {{ declared = {{ {floor} }}, ip = {{ {floor} }}, number = {{ {floor} }} }}
        jurisdiction = [{rows}]
        overlay = [{{ id = \"bank\", name = \"Bank\", {overlay}, {SOURCE} }}]"
    );
    Table::parse(&text).unwrap()
}

const SOURCE: &str =
    "citations = [\"none\"], summary = \"Made up for tests.\", confidence = \"low\", reviewed = false";
const ONE: &str = "parties = \"one\", form = \"none\"";
const NOTICE: &str = "parties = \"all\", form = \"notice\"";
const EXPRESS: &str = "parties = \"all\", form = \"express\"";

/// A sort of call, with one person on it.
#[derive(Debug, Clone)]
struct Sort {
    medium: Medium,
    kind: Kind,
    started_at: Timestamp,
    received: Timestamp,
    places: Vec<Place>,
    operator: Option<Code>,
    recorder: Option<Code>,
    overlays: Vec<String>,
}

impl Sort {
    fn asked(&self, table: &Arc<Table>) -> Requirement {
        let opened = Opened {
            medium: self.medium,
            kind: self.kind,
            started_at: self.started_at,
            recorder_locations: self.recorder.into_iter().collect(),
            operator_locations: self.operator.into_iter().collect(),
            purposes: Purposes::NONE,
            overlays: self.overlays.clone(),
            readings: Vec::new(),
            settings: Settings { public_safety: true, ..Settings::default() },
            participants: vec![Joined { places: self.places.clone(), ..Joined::new(0, Role::Customer) }],
        };
        Call::open(table, self.received, opened).requirement(self.received)
    }
}

/// Everywhere a person may be, on any evidence, or an operator of whose customer nothing is known, in every medium and kind of call, on every
/// day that makes a difference, with one overlay or none.
fn every_sort_of_call() -> Vec<Sort> {
    let mut people = vec![(Vec::new(), None)];
    for code in everywhere() {
        people.extend(EVIDENCES.map(|evidence| (vec![Place::new(code, evidence)], None)));
        people.push((Vec::new(), Some(code)));
    }
    let mut sorts = Vec::new();
    for (places, operator) in people {
        for (medium, kind) in SORTS {
            for day in DAYS {
                for overlay in [None, Some(OVERLAYS[0]), Some(OVERLAYS[1])] {
                    sorts.push(Sort {
                        medium,
                        kind,
                        started_at: noon(day),
                        received: noon(day),
                        places: places.clone(),
                        operator,
                        recorder: None,
                        overlays: overlay.into_iter().map(String::from).collect(),
                    });
                }
            }
        }
    }
    sorts
}

/// The same, with several places, the operator's and the recorder's, on two days.
fn sorts_of_calls() -> impl Strategy<Value = Sort> {
    let code = || proptest::sample::select(everywhere());
    let place =
        (code(), proptest::sample::select(&EVIDENCES[..])).prop_map(|(code, by)| Place::new(code, by));
    let day = || proptest::sample::select(&DAYS[..]).prop_map(noon);
    let media = [Medium::Telephone, Medium::Voip, Medium::Video, Medium::Unknown];
    let kinds = [Kind::Conversation, Kind::Voicemail, Kind::Emergency];
    (
        (proptest::sample::select(media.to_vec()), proptest::sample::select(kinds.to_vec())),
        (day(), day()),
        proptest::collection::vec(place, 0..3),
        (proptest::option::of(code()), proptest::option::of(code())),
        overlays(),
    )
        .prop_map(|((medium, kind), (started_at, received), places, (operator, recorder), overlays)| {
            Sort {
                medium,
                kind,
                started_at: started_at.min(received),
                received: started_at.max(received),
                places,
                operator,
                recorder,
                overlays,
            }
        })
}

fn overlays() -> impl Strategy<Value = Vec<String>> {
    let known = OVERLAYS.map(String::from).into_iter().chain(["nonsense".to_string()]).collect::<Vec<_>>();
    prop_oneof![1 => Just(Vec::new()), 1 => proptest::sample::subsequence(known, 0..=3)]
}

/// Which way what a place asks changes on a day: some call there is no longer asked for all that
/// the place asked for, or is asked for more than that now.
fn shown(old: &Table, new: &Table, code: Code, day: Date) -> (bool, bool) {
    let mut shown = (false, false);
    for (medium, kind) in SORTS {
        let place = |table: &Table| table.asks(code, medium, kind, noon(day)).requirement;
        let mut leasts: Vec<_> =
            EVIDENCES.iter().map(|by| (old.floor_asks(*by, kind), new.floor_asks(*by, kind))).collect();
        leasts.push((old.default_asks(medium, kind), new.default_asks(medium, kind)));
        for (before, after) in leasts {
            shown.0 |= !place(new).and(after).is_at_least(&place(old));
            shown.1 |= !place(old).and(before).is_at_least(&place(new));
        }
    }
    shown
}

/// The overlays that only the old table has, and those that only the new one has: by definition the
/// first loosen and the second tighten, and no call is asked about them.
fn overlays_that_come_and_go(old: &Table, new: &Table) -> (Vec<String>, Vec<String>) {
    let only = |one: &Table, other: &Table| {
        let there = |id: &&str| !one.overlay_history(id).is_empty() && other.overlay_history(id).is_empty();
        OVERLAYS.into_iter().filter(there).map(String::from).collect()
    };
    (only(old, new), only(new, old))
}

/// The same call between the places that drafts speak of.
fn moved(mut facts: Facts) -> Facts {
    let everywhere = everywhere();
    facts.each_place(|place| {
        if !everywhere.contains(&place.code) {
            let sum: usize = place.code.as_str().bytes().map(usize::from).sum();
            place.code = everywhere[sum % everywhere.len()];
        }
    });
    facts
}

fn pairs() -> impl Strategy<Value = (Draft, Draft)> {
    (drafts(), edits()).prop_map(|(old, edits): (Draft, Edits)| {
        let new = old.edited(&edits);
        (old, new)
    })
}

fn requirements() -> impl Strategy<Value = Requirement> {
    let tone = prop_oneof![Just(Tone::Indifferent), Just(Tone::Refused), (1u16..4).prop_map(Tone::Every)];
    let strictness =
        proptest::sample::select(&[Strictness::One, Strictness::Notice, Strictness::Express][..]);
    let elements = || {
        let few = proptest::sample::subsequence(&Element::ALL[..], 0..3);
        few.prop_map(|elements| elements.into_iter().collect::<Elements>())
    };
    let purposes = || {
        let few = proptest::sample::subsequence(&Purpose::ALL[..], 0..3);
        few.prop_map(|purposes| purposes.into_iter().collect::<Purposes>())
    };
    let by_purpose = || {
        let few = proptest::sample::subsequence(&Purpose::ALL[..], 0..3);
        (few, proptest::sample::select(&[Strictness::One, Strictness::Notice, Strictness::Express][..]))
    };
    let period = || {
        let periods = [
            Period::Days(28),
            Period::Days(30),
            Period::Days(31),
            Period::Months(1),
            Period::Months(12),
            Period::Days(365),
        ];
        proptest::option::of(proptest::sample::select(periods.to_vec()))
    };
    let flags = proptest::array::uniform6(any::<bool>());
    (
        strictness,
        tone,
        flags,
        (elements(), proptest::array::uniform11(elements()), purposes()),
        (by_purpose(), purposes(), purposes(), purposes()),
        (period(), period()),
        proptest::sample::select(vec![
            OnHold::NotCounted,
            OnHold::Account,
            OnHold::Counted,
            OnHold::NotRecorded,
        ]),
    )
        .prop_map(
            |(
                strictness,
                tone,
                flags,
                (always, for_purpose, purposes),
                ((ruled, form), customer, agent, written_for),
                (minimum, maximum),
                on_hold,
            )| {
                let mut rule = policy::Rule::of(strictness);
                for (purpose, one) in Purpose::ALL.iter().zip(&mut rule.form_for) {
                    *one = ruled.contains(purpose).then_some(form);
                }
                let by_purpose = Requirement::from(rule);
                Requirement {
                    strictness: by_purpose.strictness,
                    by_purpose: by_purpose.by_purpose,
                    forbids: policy::Forbids { customer, agent, system: Purposes::NONE },
                    written_for,
                    tone,
                    announcement_must_be_recorded: flags[0],
                    waived_by_written: flags[1],
                    works_agreement_is_express: flags[2],
                    mandatory: flags[3],
                    pause_for_card_data: flags[4],
                    forbidden: flags[5],
                    says: Says { always, for_purpose, purposes },
                    retention: Retention { minimum, maximum },
                    on_hold,
                }
            },
        )
}

fn table(draft: &Draft) -> Arc<Table> {
    Arc::new(Table::parse(&draft.text()).unwrap())
}

fn holds(from: Option<Date>, to: Option<Date>, day: Date) -> bool {
    from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to)
}

fn noon(day: Date) -> Timestamp {
    day.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

/// The places that may have rows, a state without one, and a country without one.
fn everywhere() -> Vec<Code> {
    CODES.into_iter().chain(["US-GA", "BR"]).map(|code| code.parse().unwrap()).collect()
}

const EVIDENCES: [Evidence; 3] = [Evidence::Number, Evidence::Ip, Evidence::Declared];

/// One day of each stretch between the days on which drafts change.
const DAYS: [Date; 4] = [
    Date::constant(2019, 6, 1),
    Date::constant(2024, 6, 1),
    Date::constant(2026, 11, 21),
    Date::constant(2027, 6, 1),
];

const SORTS: [(Medium, Kind); 7] = [
    (Medium::Telephone, Kind::Conversation),
    (Medium::Voip, Kind::Conversation),
    (Medium::Video, Kind::Conversation),
    (Medium::Telephone, Kind::Voicemail),
    (Medium::Voip, Kind::Voicemail),
    (Medium::Video, Kind::Voicemail),
    (Medium::Telephone, Kind::Emergency),
];
