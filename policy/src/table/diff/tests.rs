//! The lemma under which one person alone may publish what tightens, over everything finite.
//!
//! *Whatever the diff does not call looser opens no call*: if some call may be recorded by the new table and may
//! not by the old one, [`Direction::of`] says so. That is tried for every pair of rules that the words of a row
//! can make, on every call of two people that these words can tell apart. The lattice and its order are
//! [`Requirement`]'s; what a call may do is asked of [`Call`], which knows nothing of the diff.

extern crate std;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::{SignedDuration, Timestamp};

use super::{Diff, Direction};
use crate::call::Call;
use crate::coverage::CoverageBasis;
use crate::fact::{Control, Event, Grant, Heard, Joined, Kind, Medium, Method, Opened, Role, Settings, What};
use crate::place::{Evidence, Place};
use crate::rule::Requirement;
use crate::table::Table;
use crate::told::{Element, Elements, Purpose, Purposes};

#[test]
fn what_is_not_called_looser_opens_no_call() {
    // All of them take two minutes.
    let all = std::env::var("GATEWAY_TEST_SLOW").is_ok_and(|slow| slow == "true");
    let rules: Vec<String> = rules().into_iter().step_by(if all { 1 } else { 7 }).collect();
    let calls = calls();
    let tables: Vec<Arc<Table>> = rules.iter().map(|rule| table(rule)).collect();
    let asked: Vec<Requirement> = tables.iter().map(|table| asks(table, "DE")).collect();
    let open: Vec<Vec<u64>> = tables.iter().map(|table| opened(table, &calls)).collect();
    let beside: Vec<_> = COMPANIONS.map(|(code, _)| asks(&tables[0], code)).map(|asks| (asks, asks)).into();
    let (mut looser, mut stricter, mut unshown) = (0, 0, 0);
    for ((before, old), was) in rules.iter().zip(&asked).zip(&open) {
        for ((after, new), is) in rules.iter().zip(&asked).zip(&open) {
            let opens = is.iter().zip(was).any(|(is, was)| is & !was != 0);
            let direction = Direction::of(old, new, beside.iter().copied());
            let says = direction.is_some_and(Direction::loosens);
            assert!(says || !opens, "{direction:?}: from\n{before}\nto\n{after}");
            unshown += u32::from(says && !opens);
            looser += u32::from(opens);
            stricter += u32::from(!opens && direction.is_some());
        }
    }
    // How often a tone has to sound is told to the platform, for one, and no call shows it.
    assert!(looser > 1_000 && stricter > 1_000 && unshown < looser / 8, "{looser} {stricter} {unshown}");
}

#[test]
fn what_is_called_looser_is_shown_by_a_call_unless_it_shows_on_none_that_can_be_told() {
    let all = std::env::var("GATEWAY_TEST_SLOW").is_ok_and(|slow| slow == "true");
    let tables: Vec<Arc<Table>> =
        rules().iter().step_by(if all { 7 } else { 37 }).map(|rule| table(rule)).collect();
    // Nobody has a grant, and no recording has begun.
    let told = |table: &Table| Requirement {
        works_agreement_is_express: true,
        waived_by_written: true,
        ..asks(table, "DE")
    };
    let (mut opened, mut asked_less, mut unshown) = (0, 0, 0);
    for (old, new) in tables.iter().flat_map(|old| tables.iter().map(move |new| (old, new))) {
        for change in Diff::between(old, new).shown(old, new).changes {
            for point in change.points.iter().filter(|point| point.direction.loosens()) {
                match &point.shown_by {
                    Some(call) if call.contains_key("events") => opened += 1,
                    Some(_) => asked_less += 1,
                    None => {
                        assert!(told(new).is_at_least(&told(old)), "{point:#?}");
                        unshown += 1;
                    }
                }
            }
        }
    }
    assert!(
        opened > 3 * asked_less && asked_less > unshown && unshown > 0,
        "{opened} {asked_less} {unshown}"
    );
}

/// Every rule that these words make. The purposes are one that has a rule of its own, and one that has none.
fn rules() -> Vec<String> {
    let forms = [
        "parties = \"one\"\nform = \"none\"",
        "parties = \"all\"\nform = \"notice\"",
        "parties = \"all\"\nform = \"express\"",
    ];
    let mut rules: Vec<String> = forms.map(String::from).into();
    for more in [
        &[
            "",
            "form_for = { evidence = \"none\" }",
            "form_for = { evidence = \"notice\" }",
            "form_for = { evidence = \"express\" }",
        ][..],
        &["", "written_for = [\"evidence\"]"],
        &["", "forbids = { evidence = [\"agent\"] }"],
        &["", "works_agreement_is_express = true"],
        &["", "prompt_says = [\"recording\"]"],
        &[
            "",
            "announcement_must_be_recorded = true",
            "announcement_must_be_recorded = true\nannouncement_waived_by = [\"written\"]",
        ],
        &["", "tone_seconds = 15"],
    ] {
        rules =
            rules.iter().flat_map(|rule| more.iter().map(move |more| format!("{rule}\n{more}"))).collect();
    }
    rules
}

fn table(rule: &str) -> Arc<Table> {
    let row = |code: &str, rule: &str| {
        format!(
            "[[jurisdiction]]\ncode = \"{code}\"\nname = \"A place\"\n{rule}\ncitations = [\"made up\"]\nsummary = \"s\"\nconfidence = \"low\"\nreviewed = false\n"
        )
    };
    let beside: String = COMPANIONS.iter().map(|(code, rule)| row(code, rule)).collect();
    let text = format!("{HEAD}{}{beside}", row("DE", rule));
    Arc::new(Table::parse(&text).unwrap())
}

fn asks(table: &Table, code: &str) -> Requirement {
    table.asks(code.parse().unwrap(), Medium::Telephone, Kind::Conversation, begins()).requirement
}

/// Which of the calls may be recorded, a bit for each.
fn opened(table: &Arc<Table>, calls: &[(Opened, Vec<Event>)]) -> Vec<u64> {
    let is_open = |(opened, events): &(Opened, Vec<Event>)| {
        let mut call = Call::open(table, begins(), opened.clone());
        events.iter().for_each(|event| call.apply(event));
        let at = second(40);
        call.at(second(60))
            .uncovered(&[(at, 1_000)], CoverageBasis::Granted, second(60), &|_, _| false)
            .is_empty()
    };
    let bits: Vec<bool> = calls.iter().map(is_open).collect();
    bits.chunks(64).map(|some| some.iter().rev().fold(0, |word, bit| word << 1 | u64::from(*bit))).collect()
}

/// Every call that the words can tell apart.
fn calls() -> Vec<(Opened, Vec<Event>)> {
    let evidence = Purposes::NONE.with(Purpose::Evidence);
    let purposes = [Purposes::NONE, evidence, evidence.with(Purpose::Quality)];
    let said = [Elements::NONE, Elements::NONE.with(Element::Recording)];
    // What somebody has agreed to: a prompt or none, what it says and names, and how they answered.
    let mut agreed: Vec<Agreed> =
        alloc::vec![Agreed::default(), Agreed { yes: Some(Method::Dtmf), ..Agreed::default() }];
    for purposes in purposes {
        for says in said.into_iter().filter(|says| !says.is_empty() || purposes.is_empty()) {
            for yes in [None, Some(Method::Dtmf), Some(Method::Written)] {
                agreed.push(Agreed { prompt: Some((says, purposes)), yes, grant: None });
            }
        }
        for (works_agreement, written) in [(true, false), (false, true)] {
            let purposes = Some(purposes).filter(|purposes| !purposes.is_empty());
            let grant = Grant {
                grant: "g".into(),
                works_agreement,
                written,
                by_guardian: false,
                purposes,
                from: begins(),
                until: None,
            };
            agreed.push(Agreed { grant: Some(grant), ..Agreed::default() });
        }
    }
    let both = Agreed {
        prompt: Some((Elements::NONE.with(Element::Recording), evidence)),
        yes: Some(Method::Written),
        grant: None,
    };
    let agents = [Agreed::default(), both];
    let mut calls = Vec::new();
    for (companion, _) in COMPANIONS {
        for served in [Purposes::NONE, evidence, Purposes::NONE.with(Purpose::Quality)] {
            for customer in &agreed {
                for agent in &agents {
                    for (announced, toned) in [(false, false), (true, false), (false, true)] {
                        let second = (Role::Agent, companion);
                        calls.push(call(second, served, [customer, agent], announced, toned));
                    }
                }
                // Nobody from the operator's own house.
                let second = (Role::Customer, companion);
                calls.push(call(second, served, [customer, &agents[1]], true, false));
            }
        }
    }
    calls
}

/// What somebody heard, said and had agreed to before.
#[derive(Debug, Clone, Default)]
struct Agreed {
    prompt: Option<(Elements, Purposes)>,
    yes: Option<Method>,
    grant: Option<Grant>,
}

fn call(
    (role, companion): (Role, &str),
    purposes: Purposes,
    people: [&Agreed; 2],
    announced: bool,
    toned: bool,
) -> (Opened, Vec<Event>) {
    let joined = |number, role, code: &str, agreed: &Agreed| Joined {
        places: alloc::vec![Place::new(code.parse().unwrap(), Evidence::Declared)],
        grant: agreed.grant.clone(),
        ..Joined::new(number, role)
    };
    let opened = Opened {
        medium: Medium::Telephone,
        kind: Kind::Conversation,
        started_at: begins(),
        recorder_locations: Vec::new(),
        operator_locations: Vec::new(),
        purposes,
        overlays: Vec::new(),
        readings: Vec::new(),
        settings: Settings::default(),
        participants: alloc::vec![
            joined(0, Role::Customer, "DE", people[0]),
            joined(1, role, companion, people[1])
        ],
    };
    let mut events = Vec::new();
    let mut log = |at: i64, what| events.push(Event { received_at: second(at), at: None, what });
    for (number, agreed) in (0..).zip(people) {
        if let Some((says, purposes)) = agreed.prompt {
            let prompt = Heard {
                version: format!("p{number}"),
                duration_ms: 4_000,
                language: "en".into(),
                covers_purposes: true,
                says,
                purposes,
            };
            log(10, What::PromptCompleted { participants: alloc::vec![number], prompt, played_ms: 4_000 });
        }
        if let Some(method) = agreed.yes {
            log(12, What::ConsentGiven { participants: alloc::vec![number], method });
        }
    }
    if toned {
        log(15, What::ToneStarted);
    }
    log(20, What::Control(Control::Start));
    if announced {
        log(25, What::AnnouncementRecorded { participants: alloc::vec![0, 1] });
    }
    (opened, events)
}

fn second(second: i64) -> Timestamp {
    begins() + SignedDuration::from_secs(second)
}

fn begins() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// Where the other one is.
const COMPANIONS: [(&str, &str); 2] = [
    ("GB", "parties = \"one\"\nform = \"none\""),
    ("FR", "parties = \"all\"\nform = \"notice\"\ntone_seconds = 15"),
];

const HEAD: &str = r#"
[default]
parties = "all"
form = "express"
[evidence]
declared = { parties = "one", form = "none" }
ip = { parties = "all", form = "notice" }
number = { parties = "all", form = "notice" }
"#;
