//! The story of a call in lines of plain words: who was there, what the law asked, what happened in order.

use std::sync::Arc;

use policy::Table;
use uuid::Uuid;

use super::page::words;
use crate::story::{Law, Read, Story, laws};

/// Tells the story of a call from its entries and those of what was used on it; `tables` finds the tables
/// that decided, by digest.
///
/// # Returns
///
/// Lines of text, in which names and texts are outsiders' words. None if no entry opens the call.
#[must_use]
pub fn explain(call: Uuid, entries: &[Read], tables: &dyn Fn(&str) -> Option<Arc<Table>>) -> Vec<String> {
    let Some(story) = Story::of(call, entries) else { return Vec::new() };
    let laws = laws(call, entries, tables);
    let name = story.name.clone().unwrap_or_else(|| "whose name is not disclosed".into());
    let mut lines =
        vec![format!("call {name} ({call})"), format!("opened {}", words::moment(&story.opened_at))];
    lines.extend(story.closed_at.as_ref().map(|at| format!("ended {}", words::moment(at))));
    lines.push(String::new());
    for person in story.people.values() {
        let places: Vec<String> = person.places.iter().map(words::at_place).collect();
        lines.push(format!(
            "{}, {}: {}; {}",
            words::name_of(&story, person.number),
            words::role(&person.role),
            if places.is_empty() { "place not known".into() } else { places.join(", ") },
            person.state().map_or("no state", words::state),
        ));
    }
    lines.push(String::new());
    lines.extend(laws.unjudged.as_ref().map(|why| format!("what the law asked: {}", words::unjudged(why))));
    for Law { from, entry, asked, rules, .. } in &laws.laws {
        lines.push(format!(
            "from {} on (entry {entry}), the law asked: {}",
            words::moment(from),
            words::requirement(asked)
        ));
        for rule in rules {
            let cited: Vec<String> = rule.citations.iter().map(ToString::to_string).collect();
            let sources = if cited.is_empty() { "no source".into() } else { cited.join("; ") };
            lines.push(format!(
                "  {}; {}: {} [{sources}]",
                words::concerned(&story, rule).join("; "),
                words::ground(rule),
                rule.says
            ));
        }
    }
    lines.push(String::new());
    for read in entries {
        let decided = read.leaf.body.saw().filter(|_| read.leaf.call == Some(call));
        let decided = decided.map(|saw| format!(" → {}", words::decided(saw, &story))).unwrap_or_default();
        let of = Some(&story).filter(|_| read.leaf.call.is_none_or(|of| of == call));
        let happened = words::happened(&read.leaf, of, read.detail.as_ref());
        lines.push(format!("#{} {}  {happened}{decided}", read.index, words::moment(&read.leaf.at)));
    }
    lines
}
