//! The same question put to Rego, as regorus evaluates it: by its interpreter, and compiled for its
//! virtual machine.
//!
//! There are two policies. For [`ROWS`] the law is the rows as data, by code, each code's newest
//! first; the policy goes through participants and places, and finds the row in force, the country
//! above and what stands in for a missing row; from all of them, what is asked for the purposes of the
//! call and of its prompt. For [`RESOLVED`] law and call are laid out beforehand, as they must be for
//! Cedar; but purposes need no pairs here.

use std::collections::BTreeMap;
use std::sync::Arc;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};
use serde_json::json;

use crate::ours::Law;
use crate::scene::{ANYTHING, DAY, MEDIA, Objection, PURPOSES, Participant, Scene, Words};

pub const ROWS: &str = include_str!("rows.rego");
pub const RESOLVED: &str = include_str!("resolved.rego");

const QUESTION: &str = "data.consent.permitted";

/// The law as JSON text, for [`ROWS`].
pub fn data(law: &Law) -> String {
    let mut rows: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for row in law.rows() {
        let asks = MEDIA.into_iter().zip(&row.asks).map(|(medium, rule)| (medium, rule.to_json()));
        let asks: BTreeMap<&str, serde_json::Value> = asks.collect();
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
    let floors = law.floors().map(|floor| floor.to_json());
    json!({ "law": { "rows": rows, "default": law.default_rule().to_json(), "floors": floors } }).to_string()
}

/// The law as JSON text, for [`RESOLVED`].
pub fn resolved_data(law: &Law) -> String {
    type Grounds = BTreeMap<&'static str, Vec<String>>;

    let laid_out = |medium| {
        let mut asks: BTreeMap<&str, BTreeMap<String, u8>> = BTreeMap::new();
        let mut forbids: BTreeMap<&str, Grounds> = BTreeMap::new();
        let mut written_for = Grounds::new();
        let mut says: BTreeMap<&str, Grounds> = BTreeMap::new();
        for (ground, rule) in law.grounds(medium) {
            for purpose in PURPOSES.into_iter().chain([ANYTHING]) {
                asks.entry(purpose).or_default().insert(ground.clone(), rule.asks(purpose));
            }
            for (purpose, roles) in &rule.forbids {
                for role in roles {
                    forbids.entry(*role).or_default().entry(*purpose).or_default().push(ground.clone());
                }
            }
            for purpose in &rule.written_for {
                written_for.entry(*purpose).or_default().push(ground.clone());
            }
            for (purpose, elements) in &rule.says {
                for element in elements {
                    says.entry(*purpose).or_default().entry(*element).or_default().push(ground.clone());
                }
            }
        }
        json!({ "asks": asks, "forbids": forbids, "written_for": written_for, "says": says })
    };
    let law: BTreeMap<&str, serde_json::Value> =
        MEDIA.into_iter().map(|medium| (medium, laid_out(medium))).collect();
    json!({ "law": law }).to_string()
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
    let participant = |participant: &Participant| {
        let place = |(code, trust): &(String, usize)| json!({ "code": code, "trust": trust });
        json!({
            "role": participant.role(),
            "places": participant.places.iter().map(place).collect::<Vec<_>>(),
            "prompted": participant.is_prompted(),
            "agrees": participant.agrees(),
            "written": participant.written,
            "objects": participant.objection != Objection::None,
            "left": participant.left,
        })
    };
    let premises: Vec<&String> = [&scene.recorder, &scene.operator].into_iter().flatten().collect();
    json!({
        "day": DAY,
        "medium": scene.medium,
        "purposes": scene.purposes,
        "prompt": {
            "purposes": scene.prompt.purposes,
            "says": scene.prompt.says().collect::<Vec<_>>(),
        },
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
        "purposes": scene.purposes,
        "told": scene.prompt.purposes,
        "served": words.served,
        "further": words.further,
        "lacks": scene.prompt.lacks,
        "grounds": words.grounds,
        "roles": words.roles,
        "here": words.here,
        "agreed": words.agreed,
        "prompted": words.prompted,
        "express": words.express,
        "written": words.written,
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
