//! Measures the gateway's decision beside the same policy in Cedar and in Rego, in one run.
//!
//! Before anything is timed, all of them must answer the same for many calls, by the shipped table and
//! by tables with what it has not: a country stricter than its states, and rules for purposes of every
//! sort. Among the calls are enough that turn on each sort of rule for a purpose, and on what the call
//! and the prompt are for, so that an engine without one of these could not pass.

mod cedar;
mod count;
mod measure;
mod ours;
mod rego;
mod scene;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use measure::{Contender, Measured, rounds};
use regorus::Engine;
use regorus::rvm::vm::RegoVM;
use scene::{PURPOSES, Scene};

const SHIPPED: &str = include_str!("../../../../jurisdictions.toml");
const LOCK: &str = include_str!("../Cargo.lock");

const VARIANTS: usize = 1_000;
const MANY_ROWS: usize = 10_000;

/// Keys of a table by which purposes count, each at the beginning of its line.
const BY_PURPOSE: [&str; 4] = ["form_for", "forbids", "written_for", "prompt_says_for"];

fn main() {
    ours::check_words();
    heading();
    let law = ours::parse(SHIPPED);
    let cedar_data = cedar::data(&law, true);
    let rego_data = rego::data(&law);
    println!("Checked first: all engines give the same verdict on these calls, permitted and refused.\n");
    agree("the shipped table", SHIPPED);
    agree("where the United States themselves ask for a notice", &stricter_country());
    let mut engines = agree("with rules for purposes of every sort", &rules_for_purposes());
    samples(&mut engines);
    println!();
    decisions(&law, &cedar_data, &rego_data);
    loads(&law, &cedar_data, &rego_data);
}

/// Everybody with the same law.
struct Engines {
    law: ours::Law,
    /// The law without one key each, as far as it has that.
    without: Vec<(&'static str, ours::Law)>,
    names: cedar::Names,
    cedar: cedar::Cedar,
    lean: cedar::Cedar,
    rego: Engine,
    machine: RegoVM,
    resolved_rego: Engine,
    resolved_machine: RegoVM,
}

impl Engines {
    fn new(table: &str) -> Engines {
        let law = ours::parse(table);
        let data = rego::data(&law);
        let resolved = rego::resolved_data(&law);
        Engines {
            without: BY_PURPOSE.into_iter().filter_map(|key| Some((key, without(table, key)?))).collect(),
            names: cedar::Names::new(),
            cedar: cedar::Cedar::parse(&cedar::data(&law, true)),
            lean: cedar::Cedar::parse(&cedar::data(&law, false)),
            rego: rego::prepare(rego::ROWS, &data),
            machine: rego::machine(rego::ROWS, &data),
            resolved_rego: rego::prepare(rego::RESOLVED, &resolved),
            resolved_machine: rego::machine(rego::RESOLVED, &resolved),
            law,
        }
    }

    /// What all of them answer, and how much was asked: everybody must answer the same, or there is
    /// nothing to compare.
    fn verdict(&mut self, scene: &Scene) -> (bool, u8) {
        let call = ours::fold(&self.law, ours::facts(scene));
        let verdict = ours::verdict(&call);
        let (decided, asked) = ours::outcome(&ours::decide(&call));
        let request = cedar::request(&self.names, scene);
        let input = rego::input(&rego::input_text(scene));
        let words = rego::input(&rego::resolved_input_text(scene));
        let answers = [
            ("ours, explained", decided),
            ("Cedar", self.cedar.checked_verdict(&request)),
            ("Cedar without rows", self.lean.checked_verdict(&request)),
            ("Rego, interpreted", rego::verdict(&mut self.rego, input.clone())),
            ("Rego, compiled", rego::machine_verdict(&mut self.machine, input)),
            ("Rego, resolved, interpreted", rego::verdict(&mut self.resolved_rego, words.clone())),
            ("Rego, resolved, compiled", rego::machine_verdict(&mut self.resolved_machine, words)),
        ];
        for (who, answer) in answers {
            assert!(answer == verdict, "{who} answers {answer}, ours {verdict}: {scene:#?}");
        }
        (verdict, asked)
    }

    /// What the verdict turns on: keys without which, and purposes with which, it would be the other one.
    /// As everybody answers as ours does, nobody who left one of these out could answer for this call.
    fn turns_on(&self, scene: &Scene, verdict: bool) -> Vec<&'static str> {
        let decided = |law: &ours::Law, scene: &Scene| ours::verdict(&ours::fold(law, ours::facts(scene)));
        let mut turns = Vec::new();
        for (key, law) in &self.without {
            if decided(law, scene) != verdict {
                turns.push(*key);
            }
        }
        for (name, changed) in scene.otherwise() {
            if decided(&self.law, &changed) != verdict {
                turns.push(name);
            }
        }
        turns
    }
}

/// That everybody answers the same for many calls, of which there are enough of each kind.
fn agree(title: &str, table: &str) -> Engines {
    let mut engines = Engines::new(table);
    let law = &engines.law;
    let rules = law.codes().into_iter().map(|code| (law.rule(&code, "unknown"), code));
    let rules: Vec<(ours::Rule, String)> = rules.collect();
    let codes: Vec<(String, u8)> = rules.iter().map(|(rule, code)| (code.clone(), rule.most())).collect();
    let speaking = |purpose: &str| -> Vec<String> {
        let rules = rules.iter().filter(|(rule, _)| rule.speaks_of(purpose));
        rules.map(|(_, code)| code.clone()).collect()
    };
    let spoken_of = PURPOSES.into_iter().map(|purpose| (purpose, speaking(purpose)));
    let spoken_of: Vec<(&str, Vec<String>)> = spoken_of.filter(|(_, codes)| !codes.is_empty()).collect();

    let mut seen: BTreeMap<(u8, bool), usize> = BTreeMap::new();
    let mut turning: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, scene) in Scene::variants(&codes, &spoken_of, VARIANTS).into_iter().enumerate() {
        let (verdict, asked) = engines.verdict(&scene);
        if index == 0 {
            assert!(verdict && asked == 2, "the timed call is lawful where a notice is asked");
        }
        *seen.entry((asked, verdict)).or_default() += 1;
        for what in engines.turns_on(&scene, verdict) {
            *turning.entry(what).or_default() += 1;
        }
    }
    let of = |asked, verdict| seen.get(&(asked, verdict)).copied().unwrap_or(0);
    let counts: Vec<String> = [(1, "one party"), (2, "notice"), (3, "express")]
        .map(|(asked, name)| format!("{name} {} and {}", of(asked, true), of(asked, false)))
        .into();
    println!("- {title}: {} calls ({})", seen.values().sum::<usize>(), counts.join(", "));
    let counts: Vec<String> = turning.iter().map(|(what, times)| format!("{what} {times}")).collect();
    println!("  - turning on {}", counts.join(", "));
    assert!(seen.len() == 6 && seen.values().all(|times| *times >= 30), "too few of a kind: {seen:?}");
    let keys = engines.without.iter().map(|(key, _)| *key);
    for what in keys.chain(Scene::timed().otherwise().map(|(name, _)| name)) {
        assert!(turning.get(what).is_some_and(|times| *times >= 5), "too few turn on {what}: {turning:?}");
    }
    engines
}

/// That everybody answers as whoever explains these calls would.
fn samples(engines: &mut Engines) {
    for sample in Scene::samples() {
        let (verdict, _) = engines.verdict(&sample.scene);
        assert!(verdict == sample.permitted, "{}: {verdict}", sample.title);
        let turns = engines.turns_on(&sample.scene, verdict);
        let word = if verdict { "permitted" } else { "refused" };
        let Some(what) = sample.turns_on else {
            println!("  - {}: {word}", sample.title);
            continue;
        };
        assert!(turns.contains(&what), "{} turns on {turns:?}, not on {what}", sample.title);
        println!("  - {}: {word}, which turns on {what}", sample.title);
    }
}

/// The law of a table without the lines of a key, if it has any.
fn without(table: &str, key: &str) -> Option<ours::Law> {
    let begins = format!("{key} = ");
    let (cut, kept): (Vec<&str>, Vec<&str>) = table.lines().partition(|line| line.starts_with(&begins));
    (!cut.is_empty()).then(|| ours::parse(&kept.join("\n")))
}

fn decisions(law: &ours::Law, cedar_data: &str, rego_data: &str) {
    let scene = Scene::timed();
    let facts = ours::facts(&scene);
    let call = ours::fold(law, facts.clone());
    let cedar = cedar::Cedar::parse(cedar_data);
    let names = cedar::Names::new();
    let request = cedar::request(&names, &scene);
    let text = rego::input_text(&scene);
    let input = rego::input(&text);
    let engine = || rego::prepare(rego::ROWS, rego_data);
    let machine = || rego::machine(rego::ROWS, rego_data);
    let (mut engine, mut other_engine) = (engine(), engine());
    let (mut machine, mut other_machine) = (machine(), machine());
    let resolved = rego::resolved_data(law);
    let words = rego::input(&rego::resolved_input_text(&scene));
    let mut resolved_engine = rego::prepare(rego::RESOLVED, &resolved);
    let mut resolved_machine = rego::machine(rego::RESOLVED, &resolved);

    let measured = rounds(
        vec![
            Contender::new("(a) ours: verdict", || ours::verdict(black_box(&call))),
            Contender::new("(b) ours: decision with its explanation", || ours::decide(black_box(&call))),
            Contender::consuming(
                "(c) ours: fold of the facts, verdict",
                || facts.clone(),
                |facts| ours::verdict(&ours::fold(law, facts)),
            ),
            Contender::new("(d) Cedar: request prepared", || cedar.verdict(black_box(&request))),
            Contender::new("(d) Cedar: request built from the folded call", || {
                cedar.verdict(&cedar::request(&names, black_box(&scene)))
            }),
            Contender::new("(e) Rego, interpreted: input prepared", || {
                rego::verdict(&mut engine, black_box(&input).clone())
            }),
            Contender::new("(e) Rego, interpreted: input read from JSON", || {
                rego::verdict(&mut other_engine, rego::input(black_box(&text)))
            }),
            Contender::new("(e) Rego, compiled: input prepared", || {
                rego::machine_verdict(&mut machine, black_box(&input).clone())
            }),
            Contender::new("(e) Rego, compiled: input read from JSON", || {
                rego::machine_verdict(&mut other_machine, rego::input(black_box(&text)))
            }),
            Contender::new("(e) Rego, law resolved, interpreted: input prepared", || {
                rego::verdict(&mut resolved_engine, black_box(&words).clone())
            }),
            Contender::new("(e) Rego, law resolved, compiled: input prepared", || {
                rego::machine_verdict(&mut resolved_machine, black_box(&words).clone())
            }),
        ],
        21,
        Duration::from_millis(20),
    );
    let title = "A decision: three parties with two places each, all prompted, recorder and operator";
    print(title, "µs", 1e3, &measured);
}

fn loads(law: &ours::Law, cedar_data: &str, rego_data: &str) {
    let cedar_lean = cedar::data(law, false);
    let measured = rounds(
        vec![
            Contender::new("ours: the table", || ours::parse(black_box(SHIPPED))),
            Contender::new("Cedar: policies, entities", || cedar::Cedar::parse(black_box(cedar_data))),
            Contender::new("Cedar: policies, entities without the rows' texts", || {
                cedar::Cedar::parse(black_box(&cedar_lean))
            }),
            Contender::new("Rego: policy, data", || rego::parse(rego::ROWS, black_box(rego_data))),
            Contender::new("Rego: policy, data; analysed", || {
                rego::prepare(rego::ROWS, black_box(rego_data))
            }),
            Contender::new("Rego: policy, data; compiled", || {
                rego::machine(rego::ROWS, black_box(rego_data))
            }),
        ],
        15,
        Duration::from_millis(20),
    );
    print(&format!("Reading the shipped table of {} rows", law.rows().len()), "µs", 1e3, &measured);

    let text = histories(MANY_ROWS);
    let many = ours::parse(&text);
    let (cedar_data, rego_data) = (cedar::data(&many, true), rego::data(&many));
    let measured = rounds(
        vec![
            Contender::new("ours: the table", || ours::parse(black_box(&text))),
            Contender::new("Cedar: policies, entities", || cedar::Cedar::parse(black_box(&cedar_data))),
            Contender::new("Rego: policy, data", || rego::parse(rego::ROWS, black_box(&rego_data))),
        ],
        7,
        Duration::from_millis(1),
    );
    print(&format!("Reading a table of {} rows, histories by date", many.rows().len()), "ms", 1e6, &measured);
}

/// The shipped table with a country that asks for more than its states, which none in it does.
fn stricter_country() -> String {
    let (before, row) = SHIPPED.split_once("\ncode = \"US\"\n").expect("the row of the United States");
    let row = row.replacen("parties = \"one\"\nform = \"none\"", "parties = \"all\"\nform = \"notice\"", 1);
    format!("{before}\ncode = \"US\"\n{row}")
}

/// The shipped table with rules for purposes that ask for less, and for more, and forbid something of
/// everybody, which none in it does.
fn rules_for_purposes() -> String {
    let rules = [
        ("\ncode = \"DE\"\n", "form_for = { evidence = \"notice\", legal-obligation = \"notice\" }"),
        ("\ncode = \"US-CA\"\n", "form_for = { evidence = \"none\", security = \"express\" }"),
        // The row says otherwise of video calls, where this does not hold.
        ("\ncode = \"US-GA\"\n", "form_for = { ai-training = \"express\" }"),
        ("\ncode = \"US-TX\"\n", "forbids = { analytics = [\"*\"] }"),
        // Where nothing is known.
        ("\n[default] ", "form_for = { evidence = \"notice\" }"),
    ];
    let mut table = SHIPPED.to_string();
    for (head, rule) in rules {
        let (before, behind) = table.split_once(head).expect("a row");
        let (first, rest) = behind.split_once('\n').expect("a line");
        table = format!("{before}{head}{first}\n{rule}\n{rest}");
    }
    table
}

/// The shipped table, each row repeated with later and later dates.
fn histories(rows: usize) -> String {
    const START: &str = "\n[[jurisdiction]]\n";
    // The overlays are there once, at the end.
    let (places, overlays) = SHIPPED.split_once("\n[[overlay]]\n").unwrap_or((SHIPPED, ""));
    let mut parts = places.split(START);
    let mut text = parts.next().expect("a head").to_string();
    // A row that has a date of its own is there once.
    let (dated, shipped): (Vec<&str>, Vec<&str>) = parts.partition(|row| row.contains("effective_from"));
    for row in dated {
        text.push_str(START);
        text.push_str(row);
    }
    for index in 0..rows {
        text.push_str(START);
        let history = index / shipped.len();
        if history > 0 {
            text.push_str(&format!("effective_from = {}-{:02}-01\n", 1920 + history / 12, 1 + history % 12));
        }
        text.push_str(shipped[index % shipped.len()]);
    }
    if !overlays.is_empty() {
        text.push_str("\n[[overlay]]\n");
        text.push_str(overlays);
    }
    text
}

fn heading() {
    let version = |package: &str| {
        let entry =
            LOCK.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{package}\"\n")));
        let line = entry.and_then(|entry| entry.lines().find(|line| line.starts_with("version")));
        line.and_then(|line| line.split('"').nth(1)).expect("a version").to_string()
    };
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processors.lines().find(|line| line.starts_with("model name"));
    let processor = processor.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown processor");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "`tests/bench decision`: cedar-policy {}, regorus {}",
        version("cedar-policy"),
        version("regorus")
    );
    println!(
        "{cores} cores, {processor}; one thread; load average {}",
        load.split(' ').next().unwrap_or("-")
    );
}

fn print(title: &str, unit: &str, scale: f64, measured: &[Measured]) {
    println!("| {title} | median {unit} | least–greatest of rounds | × first | allocations | bytes |");
    println!("|---|--:|--:|--:|--:|--:|");
    let number = |nanoseconds: f64| match nanoseconds / scale {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    };
    for one in measured {
        println!(
            "| {} | {} | {}–{} | {:.1} | {} | {} |",
            one.name,
            number(one.median),
            number(one.least),
            number(one.greatest),
            one.median / measured[0].median,
            one.allocations,
            one.bytes,
        );
    }
    println!();
}
