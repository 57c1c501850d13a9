//! How other people's words name somebody: by their numbers, and by the names that only they have.
//!
//! INVARIANT: whatever is found here is erased. A number is found no matter how it is written. A short name,
//! or one that others have as well, is found only if the text consists of nothing else.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

/// The numbers and names of somebody.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Digits as dialled within a country, at least seven.
    numbers: Vec<String>,
    /// Names, each with whether only they have it.
    names: HashMap<String, bool>,
    /// The lengths of the names to look for within longer texts, in bytes.
    lengths: BTreeSet<usize>,
}

/// The kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Something that somebody asked for, or exported.
    Asked,
    /// Something that was said elsewhere, for example on a call of others.
    Said,
}

impl Marks {
    /// Adds a number in canonical form.
    pub(super) fn number(&mut self, e164: &str) {
        self.numbers.push(crate::locate::dialled_within(e164));
    }

    /// Adds a name that only they have.
    pub(super) fn own_name(&mut self, name: &str) {
        if name.len() >= SHORT {
            self.lengths.insert(name.len());
        }
        self.names.insert(name.to_owned(), true);
    }

    /// Adds a name that others have as well.
    pub(super) fn shared_name(&mut self, name: &str) {
        self.names.entry(name.to_owned()).or_insert(false);
    }

    /// Whether a text consists of their number or name.
    pub(super) fn are(&self, text: &str) -> bool {
        self.names.get(text).copied().unwrap_or(false)
    }

    /// Whether a text names them and nobody else.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.are(text) || self.has_number(text) || self.has_name(text)
    }

    /// Whether a detail names them.
    pub(super) fn are_told(&self, told: Told, detail: &Value) -> bool {
        match detail {
            Value::String(text) => {
                let asked_for = told == Told::Asked && self.names.contains_key(text);
                // A single word on somebody else's call may or may not be a name.
                let own = text.len() >= SHORT && self.are(text);
                asked_for || own || self.has_number(text) || self.has_name(text)
            }
            Value::Array(parts) => parts.iter().any(|part| self.are_told(told, part)),
            Value::Object(members) => members.iter().any(|(name, part)| {
                !OUR_WORDS.contains(&name.as_str()) && (self.are_in(name) || self.are_told(told, part))
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Whether a text contains their number, with any separators and any prefix.
    fn has_number(&self, text: &str) -> bool {
        if self.numbers.is_empty() {
            return false;
        }
        let mut runs = vec![String::new()];
        for c in text.chars() {
            match (c.to_digit(10), runs.last_mut()) {
                (Some(_), Some(run)) => run.push(c),
                _ if SEPARATORS.contains(c) => {}
                _ => runs.push(String::new()),
            }
        }
        runs.iter().any(|run| self.numbers.iter().any(|number| run.contains(number.as_str())))
    }

    /// Whether a text contains one of their names, as a word of its own.
    fn has_name(&self, text: &str) -> bool {
        let mut before = None;
        for (at, c) in text.char_indices() {
            if before.is_none_or(is_edge) {
                let rest = text.get(at..).unwrap_or_default();
                let ends = |length: &&usize| {
                    rest.get(**length..).is_some_and(|after| after.chars().next().is_none_or(is_edge))
                };
                let names = self.lengths.iter().filter(ends).filter_map(|length| rest.get(..*length));
                if names.into_iter().any(|name| self.are(name)) {
                    return true;
                }
            }
            before = Some(c);
        }
        false
    }
}

fn is_edge(c: char) -> bool {
    !c.is_alphanumeric()
}

/// A name of fewer bytes may be any word.
const SHORT: usize = 5;
/// Characters that people put between the digits of a number.
const SEPARATORS: &str = " -./()\u{a0}\u{202f}\u{2010}\u{2011}\u{2012}\u{2013}";
/// Members of details that hold the gateway's own words.
const OUR_WORDS: [&str; 8] =
    ["type", "method", "reported_by", "by", "direction", "role", "clock_offset_ms", "settings"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Marks, Told};

    fn marks() -> Marks {
        let mut marks = Marks::default();
        marks.number("+14155550177");
        marks.own_name("3c26700857a8-x@203.0.113.9");
        marks.own_name("Trillian");
        marks.own_name("z9");
        marks.shared_name("caller");
        marks
    }

    #[test]
    fn a_number_is_found_however_it_is_written() {
        for text in [
            "+14155550177",
            "call back at 415-555-0177",
            "(415) 555 0177",
            "0014155550177",
            "tel:+1.415.555.0177;x=1",
            "3c26700857a8-4155550177@203.0.113.9",
            "leg4155550177b",
            "request 4711 415 555 0177",
            "415\u{2013}555\u{a0}0177",
        ] {
            assert!(marks().are_in(text), "{text}");
        }
        for text in ["4155550178", "+1 415 555 017", "415x555x0177", "", "request 4711"] {
            assert!(!marks().are_in(text), "{text}");
        }
    }

    #[test]
    fn a_name_is_found_where_it_stands_by_itself() {
        for text in [
            "Trillian",
            "for Trillian, again",
            "\u{201e}Trillian\u{201c}",
            "call 3c26700857a8-x@203.0.113.9",
            "z9",
        ] {
            assert!(marks().are_in(text), "{text}");
        }
        for text in [
            "Trillians",
            "trillian",
            "xTrillian",
            "caller",
            "the caller",
            "of z9",
            "3c26700857a8-x@203.0.113.90",
        ] {
            assert!(!marks().are_in(text), "{text}");
        }
    }

    #[test]
    fn what_others_are_called_as_well_goes_where_it_was_asked_for_and_nowhere_else() {
        let told = |detail| (marks().are_told(Told::Asked, &detail), marks().are_told(Told::Said, &detail));
        assert_eq!(told(json!({"participant": "caller"})), (true, false));
        assert_eq!(told(json!({"call": "z9"})), (true, false));
        assert_eq!(told(json!({"event": {"participants": ["a", "Trillian"]}})), (true, true));
        assert_eq!(told(json!({"event": {"reason": "back to 415 555-0177"}})), (true, true));
        assert_eq!(told(json!({"number": "+1 (415) 555-0177"})), (true, true));
        assert_eq!(told(json!({"reason": "the caller asked"})), (false, false));
        assert_eq!(told(json!({"Trillian": 1})), (true, true));
        assert_eq!(told(json!({"by": "Trillian", "n": 4_155_550_177_u64, "x": null})), (false, false));
    }
}
