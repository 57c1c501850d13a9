//! The golden decisions, through the code that `decide` runs, and some through the program itself.

use std::collections::HashSet;
use std::path::Path;

use consent_gateway::gate::offline;
use consent_gateway::locate::Locator;
use consent_gateway::serve::DEFAULT_TABLE;
use policy::Table;
use serde_json::{Map, Value, json};
use trail::clock::Clock;

use crate::harness::{START, run};

#[test]
fn every_golden_case_is_decided_as_the_law_says() {
    let table = std::sync::Arc::new(Table::parse(DEFAULT_TABLE).unwrap());
    let locator = Locator::new(None).unwrap();
    let clock = Clock::manual(START.parse().unwrap());
    let mut wrong = Vec::new();
    let cases = cases();
    for case in &cases {
        match offline::decide(&table, &locator, &clock, &case["facts"].to_string()) {
            Ok(decision) if json!(decision.decision.requirement) == case["expect"] => {}
            Ok(decision) => wrong.push(format!(
                "{}: {}\n  expected {}\n  decided  {}",
                case["name"],
                case["why"],
                case["expect"],
                json!(decision.decision.requirement)
            )),
            Err(error) => wrong.push(format!("{}: {error:?}", case["name"])),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_golden_case_of_a_purpose_is_decided_by_its_table() {
    let table = std::sync::Arc::new(Table::parse(include_str!("golden/purposes.toml")).unwrap());
    let locator = Locator::new(None).unwrap();
    let clock = Clock::manual(START.parse().unwrap());
    for case in read("purposes.json") {
        let decided = offline::decide(&table, &locator, &clock, &case["facts"].to_string());
        let decided = json!(decided.unwrap().decision);
        let asked = &decided["requirement"];
        let found = json!({
            "recording": decided["recording"], "parties": asked["parties"], "form": asked["form"]
        });
        assert_eq!(found, case["expect"], "{}: {decided:#}", case["name"]);
    }
}

#[test]
fn the_program_decides_golden_cases_as_the_library_does() {
    let dir = tempfile::tempdir().unwrap();
    let facts = dir.path().join("facts.json");
    for case in cases().iter().step_by(37) {
        std::fs::write(&facts, case["facts"].to_string()).unwrap();
        let (code, out, err) = run(&["decide", facts.to_str().unwrap()]);
        assert_eq!((code, err.as_str()), (0, ""), "{}", case["name"]);
        let decision: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(decision["requirement"], case["expect"], "{}", case["name"]);
    }
}

#[test]
fn every_jurisdiction_of_the_table_has_a_golden_case() {
    let table = Table::parse(DEFAULT_TABLE).unwrap();
    let names: HashSet<String> =
        cases().iter().map(|case| case["name"].as_str().unwrap().to_owned()).collect();
    let missing: Vec<String> =
        table.rows().map(|row| format!("row {}", row.code)).filter(|name| !names.contains(name)).collect();
    assert!(missing.is_empty(), "no golden case for: {missing:?}");
}

#[test]
fn golden_cases_have_the_form_that_their_readme_promises() {
    for file in FILES {
        let mut names = HashSet::new();
        for case in read(file) {
            let case: Map<String, Value> = serde_json::from_value(case).unwrap();
            let mut members: Vec<&str> = case.keys().map(String::as_str).collect();
            members.sort_unstable();
            assert_eq!(members, ["expect", "facts", "name", "why"], "{file}");
            assert_eq!(case["expect"].as_object().unwrap().len(), 4, "{file}: {}", case["name"]);
            assert!(names.insert(case["name"].to_string()), "{file} has {} twice", case["name"]);
        }
    }
}

fn cases() -> Vec<Value> {
    FILES.iter().flat_map(|file| read(file)).collect()
}

fn read(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

const FILES: [&str; 2] = ["acceptance.json", "jurisdictions.json"];
