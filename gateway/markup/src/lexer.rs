//! Markup as its parts: where they begin and end in the text.
//!
//! What is well-formed (XML 1.0, fifth edition) is read, and little else. What every reader of ours takes and XML does
//! not: space before the declaration, an `&` that begins no reference, `]]>` in text, an attribute twice. None of these
//! moves the border of a tag. Line ends of XML 1.1 count as space.

use std::ops::Range;

use crate::ReadError;
use crate::tree::{Attribute, Doctype, Element, Tree};

/// A place in a text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

/// Reads a document: one pass, no recursion.
///
/// # Errors
/// [`ReadError::Malformed`], with a place in the text.
pub(crate) fn read(text: &str) -> Result<Tree, ReadError> {
    // Most documents are passed over in one look: U+FFFE and U+FFFF begin with this byte.
    let doubtful = text.bytes().any(|byte| byte == 0xef || !is_allowed(char::from(byte)));
    if doubtful && let Some((at, _)) = text.char_indices().find(|(_, c)| !is_allowed(*c)) {
        return Err(ReadError::Malformed { at, what: "a character that XML does not have" });
    }
    let mut reader = Reader { cursor: Cursor::new(text), tree: Tree::default(), open: Vec::new() };
    reader.cursor.space();
    reader.cursor.declaration()?;
    while !reader.cursor.rest().is_empty() {
        reader.part()?;
    }
    if !reader.open.is_empty() {
        return Err(reader.cursor.malformed("an element that is not closed"));
    }
    if reader.tree.elements.is_empty() {
        return Err(reader.cursor.malformed("no element"));
    }
    Ok(reader.tree)
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    tree: Tree,
    /// The elements that are not closed yet, by their place in the tree.
    open: Vec<usize>,
}

impl<'t> Reader<'t> {
    /// A tag, a comment, an instruction, a section, a declaration, or text up to the next of these.
    fn part(&mut self) -> Result<(), ReadError> {
        let cursor = &mut self.cursor;
        if cursor.skip("<!--") {
            cursor.comment()
        } else if cursor.skip("<?") {
            cursor.instruction()
        } else if cursor.rest().starts_with("<![CDATA[") {
            if self.open.is_empty() {
                return Err(cursor.malformed("text outside of an element"));
            }
            cursor.until("]]>", "a CDATA section that does not end").map(drop)
        } else if cursor.rest().starts_with("<!DOCTYPE") {
            self.doctype()
        } else if cursor.rest().starts_with("</") {
            self.end_tag()
        } else if cursor.rest().starts_with('<') {
            self.start_tag()
        } else {
            self.text()
        }
    }

    fn text(&mut self) -> Result<(), ReadError> {
        let text = self.cursor.up_to('<');
        if self.open.is_empty() && !self.cursor.get(&text).chars().all(is_space) {
            return Err(ReadError::Malformed { at: text.start, what: "text outside of an element" });
        }
        self.references(text);
        Ok(())
    }

    fn start_tag(&mut self) -> Result<(), ReadError> {
        let cursor = &mut self.cursor;
        if self.open.is_empty() && !self.tree.elements.is_empty() {
            return Err(cursor.malformed("a second element beside the first"));
        }
        let start = cursor.at;
        cursor.skip("<");
        let name = cursor.name()?;
        let first = self.tree.attributes.len();
        let closed = loop {
            let space = self.cursor.space();
            if self.cursor.skip("/>") {
                break true;
            }
            if self.cursor.skip(">") {
                break false;
            }
            if space.is_empty() {
                return Err(self.cursor.malformed("no space before an attribute"));
            }
            self.attribute(space.start)?;
        };
        let end = self.cursor.at;
        let place = self.tree.elements.len();
        let parent = self.open.last().copied();
        if let Some(parent) = parent.and_then(|parent| self.tree.elements.get_mut(parent)) {
            parent.children = parent.children.saturating_add(1);
        }
        self.tree.elements.push(Element {
            name,
            parent,
            children: 0,
            tag: start..end,
            content: end..end,
            end,
            closed,
            attributes: first..self.tree.attributes.len(),
        });
        if !closed {
            self.open.push(place);
        }
        Ok(())
    }

    /// An attribute; `start` is where the space before it begins.
    fn attribute(&mut self, start: usize) -> Result<(), ReadError> {
        let cursor = &mut self.cursor;
        let name = cursor.name()?;
        cursor.space();
        if !cursor.skip("=") {
            return Err(cursor.malformed("an attribute without a value"));
        }
        cursor.space();
        let value = cursor.quoted()?;
        if cursor.get(&value).contains('<') {
            return Err(ReadError::Malformed { at: value.start, what: "`<` in the value of an attribute" });
        }
        let range = start..cursor.at;
        self.references(value.clone());
        self.tree.attributes.push(Attribute { range, name, value });
        Ok(())
    }

    fn end_tag(&mut self) -> Result<(), ReadError> {
        let cursor = &mut self.cursor;
        let start = cursor.at;
        cursor.skip("</");
        let name = cursor.name()?;
        cursor.space();
        if !cursor.skip(">") {
            return Err(cursor.malformed("an end tag that does not end"));
        }
        let element = self.open.pop().and_then(|place| self.tree.elements.get_mut(place));
        match element {
            Some(element) if cursor.get(&element.name) == cursor.get(&name) => {
                element.content.end = start;
                element.end = cursor.at;
                Ok(())
            }
            _ => Err(ReadError::Malformed { at: start, what: "an end tag of another element" }),
        }
    }

    /// Notes the references to entities that are not XML's own five.
    fn references(&mut self, within: Range<usize>) {
        let mut cursor =
            Cursor { text: self.cursor.text.get(..within.end).unwrap_or_default(), at: within.start };
        while !cursor.rest().is_empty() {
            let start = cursor.up_to('&').end;
            if cursor.skip("&")
                && let Ok(name) = cursor.name()
                && cursor.skip(";")
                && predefined(cursor.get(&name)).is_none()
            {
                self.tree.references.push(start..cursor.at);
            }
        }
    }

    /// The document type declaration (XML 1.0 section 2.8). Declarations are not carried out; whether there are any
    /// that could change what the document says is noted.
    fn doctype(&mut self) -> Result<(), ReadError> {
        let cursor = &mut self.cursor;
        if self.tree.doctype.is_some() || !self.tree.elements.is_empty() {
            return Err(cursor.malformed("a document type that is out of place"));
        }
        let start = cursor.at;
        cursor.skip("<!DOCTYPE");
        cursor.needed_space()?;
        cursor.name()?;
        let mut declares = false;
        let space = cursor.space();
        if cursor.rest().starts_with("SYSTEM") || cursor.rest().starts_with("PUBLIC") {
            if space.is_empty() {
                return Err(cursor.malformed("no space in a document type"));
            }
            let literals = if cursor.skip("PUBLIC") { 2 } else { 1 };
            cursor.skip("SYSTEM");
            for _ in 0..literals {
                cursor.needed_space()?;
                cursor.quoted()?;
            }
            // What stands elsewhere may declare anything.
            declares = true;
            cursor.space();
        }
        if cursor.skip("[") {
            declares |= cursor.internal_subset()?;
            cursor.space();
        }
        if !cursor.skip(">") {
            return Err(cursor.malformed("a document type that does not end"));
        }
        self.tree.doctype = Some(Doctype { range: start..cursor.at, declares });
        Ok(())
    }
}

impl<'t> Cursor<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Goes past the XML declaration, if it is what comes next (XML 1.0 section 2.8). Gives the encoding that it names.
    pub(crate) fn declaration(&mut self) -> Result<Option<&'t str>, ReadError> {
        if !self.rest().strip_prefix("<?xml").is_some_and(|rest| rest.starts_with(is_space)) {
            return Ok(None);
        }
        self.skip("<?xml");
        let mut encoding = None;
        let mut expected: &[&str] = &["version", "encoding", "standalone"];
        loop {
            let space = self.space();
            if self.skip("?>") {
                break;
            }
            if space.is_empty() {
                return Err(self.malformed("no space in the XML declaration"));
            }
            let name = self.name()?;
            let name = self.get(&name);
            let Some(skipped) = expected.iter().position(|expected| *expected == name) else {
                return Err(self.malformed("an XML declaration that says something else"));
            };
            expected = expected.get(skipped.saturating_add(1)..).unwrap_or_default();
            self.space();
            if !self.skip("=") {
                return Err(self.malformed("an XML declaration that says nothing"));
            }
            self.space();
            let value = self.quoted()?;
            if name == "encoding" {
                encoding = Some(self.get(&value));
            }
        }
        Ok(encoding)
    }

    /// What stands between the brackets of a document type, and whether it declares an entity, an attribute, or is
    /// continued elsewhere.
    fn internal_subset(&mut self) -> Result<bool, ReadError> {
        let mut declares = false;
        loop {
            self.space();
            if self.skip("]") {
                return Ok(declares);
            }
            if self.skip("<!--") {
                self.comment()?;
            } else if self.skip("<?") {
                self.instruction()?;
            } else if self.skip("<!ENTITY") || self.skip("<!ATTLIST") {
                declares = true;
                self.markup_declaration()?;
            } else if self.skip("<!ELEMENT") || self.skip("<!NOTATION") {
                self.markup_declaration()?;
            } else if self.skip("%") {
                declares = true;
                self.name()?;
                if !self.skip(";") {
                    return Err(self.malformed("a reference that does not end"));
                }
            } else {
                return Err(self.malformed("a document type that declares something else"));
            }
        }
    }

    /// Up to the `>` that is in no literal.
    fn markup_declaration(&mut self) -> Result<(), ReadError> {
        self.needed_space()?;
        loop {
            self.take_while(|c| !matches!(c, '>' | '<' | '"' | '\'' | '[' | ']'));
            if self.skip(">") {
                return Ok(());
            }
            if !self.rest().starts_with(['"', '\'']) {
                return Err(self.malformed("a declaration that does not end"));
            }
            self.quoted()?;
        }
    }

    /// After `<!--` (XML 1.0 section 2.5).
    fn comment(&mut self) -> Result<(), ReadError> {
        self.until("--", "a comment that does not end")?;
        if self.skip(">") { Ok(()) } else { Err(self.malformed("`--` in a comment")) }
    }

    /// After `<?` (XML 1.0 section 2.6).
    fn instruction(&mut self) -> Result<(), ReadError> {
        let target = self.name()?;
        if self.get(&target).eq_ignore_ascii_case("xml") {
            return Err(self.malformed("an XML declaration that is out of place"));
        }
        if !self.rest().starts_with(is_space) && !self.rest().starts_with("?>") {
            return Err(self.malformed("no space after the target of an instruction"));
        }
        self.until("?>", "an instruction that does not end").map(drop)
    }

    fn quoted(&mut self) -> Result<Range<usize>, ReadError> {
        let quote = if self.skip("\"") {
            "\""
        } else if self.skip("'") {
            "'"
        } else {
            return Err(self.malformed("a value without quotes"));
        };
        self.until(quote, "a value that does not end")
    }

    /// A name, its prefix included (XML 1.0 section 2.3).
    fn name(&mut self) -> Result<Range<usize>, ReadError> {
        if !self.rest().starts_with(is_name_start) {
            return Err(self.malformed("no name where one has to be"));
        }
        Ok(self.take_while(is_name))
    }

    pub(crate) fn space(&mut self) -> Range<usize> {
        self.take_while(is_space)
    }

    fn needed_space(&mut self) -> Result<(), ReadError> {
        if self.space().is_empty() { Err(self.malformed("no space where some has to be")) } else { Ok(()) }
    }

    /// What stands before `end`; goes on behind it.
    fn until(&mut self, end: &str, otherwise: &'static str) -> Result<Range<usize>, ReadError> {
        let length = self.rest().find(end).ok_or_else(|| self.malformed(otherwise))?;
        let found = self.at..self.at.saturating_add(length);
        self.at = found.end.saturating_add(end.len());
        Ok(found)
    }

    fn take_while(&mut self, is: impl Fn(char) -> bool) -> Range<usize> {
        let rest = self.rest();
        let start = self.at;
        self.at = start.saturating_add(rest.find(|c| !is(c)).unwrap_or(rest.len()));
        start..self.at
    }

    /// What stands before a character, or before the end.
    fn up_to(&mut self, c: char) -> Range<usize> {
        let rest = self.rest();
        let start = self.at;
        self.at = start.saturating_add(rest.find(c).unwrap_or(rest.len()));
        start..self.at
    }

    fn skip(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at = self.at.saturating_add(text.len());
        }
        found
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn get(&self, range: &Range<usize>) -> &'t str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    const fn malformed(&self, what: &'static str) -> ReadError {
        ReadError::Malformed { at: self.at, what }
    }
}

/// What the five references stand for that need no declaration (XML 1.0 section 4.6).
pub(crate) fn predefined(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// XML 1.0 section 2.2. (In XML 1.1 control characters are written as references, and stand nowhere else, either.)
pub(crate) const fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Space of XML 1.0, and what XML 1.1 makes a line end of.
pub(crate) const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}')
}

const fn is_name_start(c: char) -> bool {
    matches!(
        c,
        ':' | '_'
            | 'A'..='Z'
            | 'a'..='z'
            | '\u{c0}'..='\u{d6}'
            | '\u{d8}'..='\u{f6}'
            | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}'
            | '\u{37f}'..='\u{1fff}'
            | '\u{200c}'..='\u{200d}'
            | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}'
            | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}'
            | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}'
    )
}

const fn is_name(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
