//! The same question put to Rego, as regorus evaluates it: by its interpreter, and compiled for its
//! virtual machine.
//!
//! There are two policies. For [`ROWS`] the law is the rows as data, by code, each code's newest
//! first; the policy goes through participants and places, and finds the row in force, the country
//! above and what stands in for a missing row. For [`RESOLVED`] law and call are laid out beforehand,
//! as they must be for Cedar.

use std::collections::BTreeMap;
use std::sync::Arc;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};
use serde_json::json;

use crate::ours::Law;
use crate::scene::{DAY, EVIDENCE, MEDIA, Objection, Scene, WITHOUT_A_ROW, Words};

pub const ROWS: &str = include_str!("rows.rego");
pub const RESOLVED: &str = include_str!("resolved.rego");

const QUESTION: &str = "data.consent.permitted";

/// The law as JSON text, for [`ROWS`].
pub fn data(law: &Law) -> String {
    let mut rows: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for row in law.rows() {
        let asks: BTreeMap<&str, u8> = MEDIA.into_iter().zip(row.asks).collect();
        let version = json!({
            "name": row.name,
            "from": row.from.unwrap_or_default(),
            "asks": asks,
            "strictest_when_unknown": row.strictest_when_unknown,
            "citations": row.citations,
            "summary": row.summary,
            "confidence": row.confidence,
        });
        rows.entry(row.code).or_default().insert(0, version);
    }
    json!({ "law": { "rows": rows, "default": law.default_asks(), "floors": law.floors() } }).to_string()
}

/// The law as JSON text, for [`RESOLVED`].
pub fn resolved_data(law: &Law) -> String {
    let mut codes: Vec<String> = law.rows().into_iter().map(|row| row.code).collect();
    codes.extend(WITHOUT_A_ROW.map(String::from));
    let places = |medium| codes.iter().map(|code| (code.as_str(), law.asks(code, medium))).collect();
    let places: BTreeMap<&str, BTreeMap<&str, u8>> =
        MEDIA.into_iter().map(|medium| (medium, places(medium))).collect();
    let floors = EVIDENCE.into_iter().zip(law.floors());
    let evidence: BTreeMap<&str, u8> = floors.chain([("nothing", law.default_asks())]).collect();
    json!({ "law": { "places": places, "evidence": evidence } }).to_string()
}

/// Policy and law, read; analysed with the first question.
pub fn parse(policy: &str, data: &str) -> Engine {
    let mut engine = Engine::new();
    engine.add_policy("policy.rego".into(), policy.into()).expect("a policy");
    engine.add_data_json(data).expect("data");
    engine
}

/// The same, analysed as well.
pub fn prepare(policy: &str, data: &str) -> Engine {
    let mut engine = parse(policy, data);
    engine.compile_with_entrypoint(&QUESTION.into()).expect("a policy that can be asked");
    engine
}

/// The same policy, compiled for the virtual machine.
pub fn machine(policy: &str, data: &str) -> RegoVM {
    let mut engine = parse(policy, data);
    let compiled = engine.compile_with_entrypoint(&QUESTION.into()).expect("a policy that can be asked");
    let program = Compiler::compile_from_policy(&compiled, &[QUESTION]).expect("a program");
    let mut machine = RegoVM::new();
    machine.load_program(Arc::clone(&program));
    machine.set_data(engine.get_data()).expect("data beside the rules");
    machine
}

/// A call as JSON text, for [`ROWS`].
pub fn input_text(scene: &Scene) -> String {
    let participant = |participant: &crate::scene::Participant| {
        let place = |(code, trust): &(String, usize)| json!({ "code": code, "trust": trust });
        json!({
            "places": participant.places.iter().map(place).collect::<Vec<_>>(),
            "level": participant.level as u8,
            "objects": participant.objection != Objection::None,
            "left": participant.left,
        })
    };
    let premises: Vec<&String> = [&scene.recorder, &scene.operator].into_iter().flatten().collect();
    json!({
        "day": DAY,
        "medium": scene.medium,
        "premises": premises,
        "participants": scene.participants.iter().map(participant).collect::<Vec<_>>(),
    })
    .to_string()
}

/// A call as JSON text, for [`RESOLVED`].
pub fn resolved_input_text(scene: &Scene) -> String {
    let words = Words::of(scene);
    json!({
        "medium": scene.medium,
        "places": words.places,
        "evidence": words.evidence,
        "here": words.here,
        "asserted": words.asserted,
        "prompted": words.prompted,
        "express": words.express,
        "objecting": words.objecting,
    })
    .to_string()
}

/// A call as input.
pub fn input(text: &str) -> Value {
    Value::from_json_str(text).expect("an input")
}

pub fn verdict(engine: &mut Engine, input: Value) -> bool {
    engine.set_input(input);
    let answer = engine.eval_rule(QUESTION.into()).expect("an answer");
    *answer.as_bool().expect("yes or no")
}

pub fn machine_verdict(machine: &mut RegoVM, input: Value) -> bool {
    machine.set_input(input);
    let answer = machine.execute().expect("an answer");
    *answer.as_bool().expect("yes or no")
}
