//! What was read, as places in the text: elements in the order of their start tags.

use std::ops::Range;

use crate::lexer::{is_space, predefined};

/// A document's parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The first is the root.
    pub(crate) elements: Vec<Element>,
    pub(crate) attributes: Vec<Attribute>,
    /// References to entities other than XML's own five.
    pub(crate) references: Vec<Range<usize>>,
    pub(crate) doctype: Option<Doctype>,
}

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: Range<usize>,
    pub(crate) parent: Option<usize>,
    /// How many elements it holds itself.
    pub(crate) children: usize,
    /// The start tag.
    pub(crate) tag: Range<usize>,
    /// What stands between its tags.
    pub(crate) content: Range<usize>,
    /// Where its end tag ends.
    pub(crate) end: usize,
    /// Whether it has one tag only.
    pub(crate) closed: bool,
    /// Its attributes in [`Tree::attributes`].
    pub(crate) attributes: Range<usize>,
}

impl Element {
    /// From its start tag to its end tag.
    pub(crate) const fn range(&self) -> Range<usize> {
        self.tag.start..self.end
    }
}

#[derive(Debug)]
pub(crate) struct Attribute {
    /// With the space before it.
    pub(crate) range: Range<usize>,
    pub(crate) name: Range<usize>,
    /// Between the quotes.
    pub(crate) value: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Doctype {
    pub(crate) range: Range<usize>,
    /// Whether something is declared that could change what the rest of the document says.
    pub(crate) declares: bool,
}

/// A name without its prefix, in small letters: two names that some platform could take for one are the same.
pub(crate) fn fold(name: &str) -> String {
    let local = name.rsplit_once(':').map_or(name, |(_, local)| local);
    local.chars().map(small).collect()
}

/// A letter of US-ASCII as a small one, and likewise the four that comparison without case takes for such a letter.
pub(crate) const fn small(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        '\u{130}' | '\u{131}' => 'i',
        c => c.to_ascii_lowercase(),
    }
}

/// The value of an attribute. References to characters and XML's own five are read; others are left as they stand.
pub(crate) fn value(raw: &str) -> String {
    resolve(raw, |c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c })
}

/// The text of an element, without space around it; that of elements in it counts.
pub(crate) fn text(mut raw: &str) -> String {
    let mut text = String::new();
    while let Some((before, markup)) = raw.split_once('<') {
        text.push_str(&resolve(before, |c| c));
        raw = if let Some(section) = markup.strip_prefix("![CDATA[") {
            let (section, rest) = section.split_once("]]>").unwrap_or((section, ""));
            text.push_str(section);
            rest
        } else if let Some(comment) = markup.strip_prefix("!--") {
            comment.split_once("-->").map_or("", |(_, rest)| rest)
        } else if let Some(instruction) = markup.strip_prefix('?') {
            instruction.split_once("?>").map_or("", |(_, rest)| rest)
        } else {
            after_tag(markup)
        };
    }
    text.push_str(&resolve(raw, |c| c));
    text.trim_matches(is_space).to_owned()
}

/// What follows the `>` that is in no quotes.
fn after_tag(mut markup: &str) -> &str {
    while let Some(at) = markup.find(['>', '"', '\'']) {
        let (quote, rest) = markup.split_at_checked(at).map_or(("", ""), |(_, found)| found.split_at(1));
        match quote {
            ">" => return rest,
            quote => markup = rest.split_once(quote).map_or("", |(_, rest)| rest),
        }
    }
    ""
}

fn resolve(mut raw: &str, literal: impl Fn(char) -> char) -> String {
    let mut text = String::with_capacity(raw.len());
    while let Some((before, reference)) = raw.split_once('&') {
        text.extend(before.chars().map(&literal));
        // The longest that stands for a character is `&#x10FFFF;`, but for zeros before the number.
        let end = reference.find(|c: char| !c.is_ascii_alphanumeric() && c != '#').unwrap_or(reference.len());
        let (name, rest) = reference.split_at_checked(end).unwrap_or((reference, ""));
        match (character(name), rest.strip_prefix(';')) {
            (Some(c), Some(rest)) => {
                text.push(c);
                raw = rest;
            }
            _ => {
                text.push('&');
                raw = reference;
            }
        }
    }
    text.extend(raw.chars().map(&literal));
    text
}

fn character(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return predefined(name);
    };
    let number = match number.strip_prefix('x') {
        Some(number) if number.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u32::from_str_radix(number, 16)
        }
        Some(_) => return None,
        None => number.parse(),
    };
    number.ok().and_then(char::from_u32).filter(|c| *c != '\0')
}
