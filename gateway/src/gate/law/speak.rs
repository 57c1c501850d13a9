//! What a prompt lacks, place by place: a prompt that does not say what it has to does not count.

use policy::table::Asker;
use policy::{Element, Elements, Purpose, Purposes, Table, Told};

use crate::gate::answer::{LacksAt, PromptLacks};
use crate::gate::ask::Prompt;

/// Where a prompt lacks something, today: see [`Table::lacking`].
#[must_use]
pub fn lacks(table: &Table, prompt: &Prompt, now: jiff::Timestamp) -> PromptLacks {
    let purposes = Purposes::known(prompt.purposes.iter().map(String::as_str));
    let told = Told { elements: prompt.elements(), purposes };
    let lacks = table.lacking(told, now).into_iter().map(|(asker, needed)| {
        let (place, name, overlay) = match asker {
            Asker::Unknown => (Some("wherever nothing is known".into()), None, None),
            Asker::Place(code, name) => (Some(code.to_string()), name.map(Into::into), None),
            Asker::Overlay(id) => (None, None, Some(id.into())),
        };
        LacksAt {
            place,
            name,
            overlay,
            lacks: needed.elements.without(told.elements),
            lacks_purposes: needed.purposes.without(told.purposes),
            says: policy::decision::lacks(told, needed),
        }
    });
    let is_unknown = |text: &&String| policy::told::word::<Purpose>(text).is_none();
    PromptLacks {
        says: told.elements,
        purposes: told.purposes,
        unknown_purposes: prompt.purposes.iter().filter(is_unknown).cloned().collect(),
        unsaid: Element::ALL.into_iter().collect::<Elements>().without(told.elements),
        greets_voicemail: told.elements.holds_all(Elements::NONE.with(Element::Recording)),
        lacks: lacks.collect(),
    }
}
