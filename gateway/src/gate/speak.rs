//! What a prompt lacks, place by place: a prompt that does not say what it has to does not count.

use policy::table::Row;
use policy::{Element, Elements, Kind, Medium, Purpose, Purposes, Requirement, Table, Told};

use super::answer::{LacksAt, PromptLacks};
use super::ask::Prompt;

/// Where a prompt lacks something, today.
///
/// Purposes that the recording serves are the prompt's own.
#[must_use]
pub fn lacks(table: &Table, prompt: &Prompt, now: jiff::Timestamp) -> PromptLacks {
    let purposes = Purposes::known(prompt.purposes.iter().map(String::as_str));
    let told = Told { elements: prompt.elements(), purposes };
    let lacks_of = |requirement: Requirement| {
        let needed = requirement.says.on(purposes);
        (!told.is_enough_for(needed)).then(|| LacksAt {
            place: None,
            name: None,
            overlay: None,
            lacks: needed.elements.without(told.elements),
            lacks_purposes: needed.purposes.without(told.purposes),
            says: policy::decision::lacks(told, needed),
        })
    };
    let all = |requirement: &dyn Fn(Medium) -> Requirement| {
        [Medium::Telephone, Medium::Voip, Medium::Video]
            .into_iter()
            .fold(Requirement::NOTHING, |all, medium| all.and(requirement(medium)))
    };
    let mut places = Vec::new();
    let unknown = lacks_of(all(&|medium| table.default_asks(medium, Kind::Conversation)));
    places.extend(unknown.map(|lack| LacksAt { place: Some("wherever nothing is known".into()), ..lack }));
    for (code, history) in table.histories() {
        let lack = lacks_of(all(&|medium| table.asks(code, medium, Kind::Conversation, now).requirement));
        let name = history.last().map(|row: &Row| row.name.clone());
        places.extend(lack.map(|lack| LacksAt { place: Some(code.to_string()), name, ..lack }));
    }
    let mut ids: Vec<&str> = table.overlays().map(|overlay| overlay.id.as_str()).collect();
    ids.dedup();
    for id in ids {
        let lack = lacks_of(table.overlay_asks(id, Medium::Unknown, Kind::Conversation, now));
        places.extend(lack.map(|lack| LacksAt { overlay: Some(id.into()), ..lack }));
    }
    let is_unknown = |text: &&String| policy::told::word::<Purpose>(text).is_none();
    PromptLacks {
        says: told.elements,
        purposes: told.purposes,
        unknown_purposes: prompt.purposes.iter().filter(is_unknown).cloned().collect(),
        unsaid: Element::ALL.into_iter().collect::<Elements>().without(told.elements),
        greets_voicemail: told.elements.holds_all(Elements::NONE.with(Element::Recording)),
        lacks: places,
    }
}
