//! What a prompt lacks, place by place: a prompt that does not say what it has to does not count.

use policy::table::Row;
use policy::{Element, Elements, Kind, Medium, Purpose, Purposes, Requirement, Table, Told};
use serde_json::{Value, json};

use super::ask::Prompt;

/// Where a prompt lacks something, today.
///
/// Purposes that the recording serves are the prompt's own.
#[must_use]
pub fn lacks(table: &Table, prompt: &Prompt, now: jiff::Timestamp) -> Value {
    let purposes = Purposes::known(prompt.purposes.iter().map(String::as_str));
    let told = Told { elements: prompt.elements(), purposes };
    let mut places: Vec<Value> = Vec::new();
    let mut judge = |name: Value, requirement: Requirement| {
        let needed = requirement.says.on(purposes);
        if !told.is_enough_for(needed) {
            let mut place = json!({
                "lacks": needed.elements.without(told.elements),
                "lacks_purposes": needed.purposes.without(told.purposes),
                "says": policy::decision::lacks(told, needed),
            });
            if let (Value::Object(members), Value::Object(named)) = (&mut place, name) {
                members.extend(named);
            }
            places.push(place);
        }
    };
    let all = |requirement: &dyn Fn(Medium) -> Requirement| {
        [Medium::Telephone, Medium::Voip, Medium::Video]
            .into_iter()
            .fold(Requirement::NOTHING, |all, medium| all.and(requirement(medium)))
    };
    judge(
        json!({"place": "wherever nothing is known"}),
        all(&|medium| table.default_asks(medium, Kind::Conversation)),
    );
    for (code, history) in table.histories() {
        let asks = all(&|medium| table.asks(code, medium, Kind::Conversation, now).requirement);
        let name = history.last().map(|row: &Row| row.name.clone());
        judge(json!({"place": code, "name": name}), asks);
    }
    let mut ids: Vec<&str> = table.overlays().map(|overlay| overlay.id.as_str()).collect();
    ids.dedup();
    for id in ids {
        judge(json!({"overlay": id}), table.overlay_asks(id, Medium::Unknown, Kind::Conversation, now));
    }
    let greeting = Elements::NONE.with(Element::Recording);
    json!({
        "says": told.elements,
        "purposes": told.purposes,
        "unknown_purposes": prompt.purposes.iter().filter(|text| policy::told::word::<Purpose>(text).is_none()).collect::<Vec<_>>(),
        "unsaid": Element::ALL.into_iter().collect::<Elements>().without(told.elements),
        "greets_voicemail": told.elements.holds_all(greeting),
        "lacks": places,
    })
}
