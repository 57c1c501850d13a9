//! A document that was read: what is in it, and edits that leave the rest as it is.

use std::borrow::Cow;
use std::ops::Range;

use crate::capture::{self, Capture, Found, Place};
use crate::prompt::escape;
use crate::source::{Label, Source};
use crate::tree::{self, Element, Tree, fold};
use crate::{Limit, ReadError, lexer};

/// A document of call markup, read once.
///
/// It takes memory of some ten times the document's length, and time in proportion to it.
#[derive(Debug)]
pub struct Document<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) tree: Tree,
    pub(crate) found: Vec<Found>,
    pub(crate) limit: Limit,
    pub(crate) said: Option<Label>,
}

impl<'a> Document<'a> {
    /// Reads a document.
    ///
    /// `charset` is what was said of its encoding outside of it, such as by a `Content-Type`; without, a byte order mark
    /// and the XML declaration tell.
    ///
    /// # Errors
    /// [`ReadError`]; it gives an answer to pass on instead.
    pub fn read(bytes: &'a [u8], limit: Limit, charset: Option<&str>) -> Result<Self, ReadError> {
        Self::read_said(bytes, limit, charset.map(Label::parse).transpose()?)
    }

    pub(crate) fn read_said(bytes: &'a [u8], limit: Limit, said: Option<Label>) -> Result<Self, ReadError> {
        let source = Source::read(bytes, limit, said)?;
        let tree = lexer::read(&source.text).map_err(|error| match error {
            ReadError::Malformed { at, what } => ReadError::Malformed { at: source.place(at), what },
            ReadError::TooLong { .. } | ReadError::Encoding => error,
        })?;
        let found = capture::find(&source.text, &tree);
        Ok(Self { source, tree, found, limit, said })
    }

    /// What captures in it, in the order of the document: one for each use of each verb and attribute.
    #[must_use]
    pub fn captures(&self) -> Vec<Capture> {
        let range = |place| match place {
            Place::Doctype => self.tree.doctype.as_ref().map(|doctype| doctype.range.clone()),
            Place::Element(at) => self.tree.elements.get(at).map(Element::range),
            Place::Attribute(at) => {
                self.tree.attributes.get(at).map(|attribute| attribute.name.start..attribute.range.end)
            }
        };
        let of = |found: &Found| {
            let Found { place, uses, verb, attribute } = *found;
            let range = self.source.range(&range(place).unwrap_or_default());
            uses.iter().map(move |r#use| Capture { r#use, verb, attribute, range: range.clone() })
        };
        self.found.iter().flat_map(of).collect()
    }

    /// Its verbs and whatever else is an element, in the order of their start tags.
    pub fn verbs(&self) -> impl Iterator<Item = Verb<'_>> {
        self.tree.elements.iter().map(|element| Verb { document: self, element })
    }

    /// The further documents that it has the platform fetch, in the order of the document: `action`, `url`, `waitUrl`,
    /// `referUrl`, and the text of `<Redirect>`. The `url` of a stream is none. A `<Record>` or `<Gather>` without
    /// `action` has the platform fetch this document again, and an `<Application>` what was set at the platform.
    #[must_use]
    pub fn links(&self) -> Vec<Link<'_>> {
        self.verbs().flat_map(|verb| verb.links()).collect()
    }

    /// The document with `edits`, all else byte for byte. Of two edits of one place the first is made.
    pub fn edit(&self, edits: impl IntoIterator<Item = Edit>) -> Cow<'a, [u8]> {
        let splices: Vec<Splice> = edits.into_iter().flat_map(|edit| edit.0).collect();
        if splices.is_empty() {
            return Cow::Borrowed(self.source.bytes);
        }
        Cow::Owned(self.spliced(splices))
    }

    pub(crate) fn text(&self) -> &str {
        &self.source.text
    }

    fn get(&self, range: &Range<usize>) -> &str {
        self.text().get(range.clone()).unwrap_or_default()
    }
}

/// An element of a document. Names and values are an outsider's words: they do not belong into a log.
#[derive(Debug, Clone, Copy)]
pub struct Verb<'d> {
    document: &'d Document<'d>,
    element: &'d Element,
}

impl<'d> Verb<'d> {
    /// Its name as it stands, without a prefix.
    #[must_use]
    pub fn name(&self) -> &'d str {
        local(self.document.get(&self.element.name))
    }

    /// Its attributes: the name as it stands, without a prefix, and the value with its references read.
    ///
    /// A reference to an entity other than XML's own five is left as it stands.
    pub fn attributes(&self) -> impl Iterator<Item = (&'d str, String)> + use<'d> {
        let document = self.document;
        let attributes = document.tree.attributes.get(self.element.attributes.clone()).unwrap_or_default();
        attributes.iter().map(|attribute| {
            (local(document.get(&attribute.name)), tree::value(document.get(&attribute.value)))
        })
    }

    /// The value of an attribute, whatever the case of its name; the first of several.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.attributes().find(|(found, _)| fold(found) == fold(name)).map(|(_, value)| value)
    }

    /// The text in it, without space around it.
    #[must_use]
    pub fn text(&self) -> String {
        tree::text(self.document.get(&self.element.content))
    }

    /// The edit that gives an attribute a value: every attribute of that name gets it, or the verb one more attribute.
    ///
    /// `name` has to be one of the platforms' names; the value may be anybody's.
    #[must_use]
    pub fn set(&self, name: &'static str, value: &str) -> Edit {
        let attributes =
            self.document.tree.attributes.get(self.element.attributes.clone()).unwrap_or_default();
        let put = escape(value);
        let found: Vec<Splice> = attributes
            .iter()
            .filter(|attribute| fold(self.document.get(&attribute.name)) == fold(name))
            .map(|attribute| Splice::put(attribute.value.clone(), put.clone()))
            .collect();
        if !found.is_empty() {
            return Edit(found);
        }
        let end = self.element.name.end;
        Edit(vec![Splice { adds: Some(name), ..Splice::put(end..end, format!(" {name}=\"{put}\"")) }])
    }

    /// The edit that puts a text in the place of all that is in the verb.
    #[must_use]
    pub fn set_text(&self, text: &str) -> Edit {
        let put = escape(text);
        if !self.element.closed {
            return Edit(vec![Splice::put(self.element.content.clone(), put)]);
        }
        let end = self.element.tag.end;
        let name = self.document.get(&self.element.name);
        Edit(vec![Splice::put(end.saturating_sub(2)..end, format!(">{put}</{name}>"))])
    }

    fn links(self) -> Vec<Link<'d>> {
        let kind = fold(self.name());
        let mut links = Vec::new();
        for (name, value) in self.attributes() {
            let (attribute, methods): (&'static str, &[&str]) = match fold(name).as_str() {
                "action" => ("action", &["method"]),
                "url" if !["stream", "conversationrelay"].contains(&kind.as_str()) => ("url", &["method"]),
                "waiturl" => ("waitUrl", &["waitUrlMethod", "waitMethod"]),
                "referurl" => ("referUrl", &["referMethod"]),
                _ => continue,
            };
            let method = methods.iter().find_map(|method| self.attribute(method));
            let url = value.trim_matches(lexer::is_space).to_owned();
            links.push(Link { verb: self, attribute: Some(attribute), url, method: Method::parse(method) });
        }
        if kind == "redirect" {
            let method = Method::parse(self.attribute("method"));
            links.push(Link { verb: self, attribute: None, url: self.text(), method });
        }
        links
    }
}

/// A further document that the platform will fetch.
#[derive(Debug, Clone)]
pub struct Link<'d> {
    /// Whose it is.
    pub verb: Verb<'d>,
    /// The attribute that names it; `None` for the text of a `<Redirect>`.
    pub attribute: Option<&'static str>,
    /// The address as it stands, without space around it: relative ones are so to the address of the document, and an
    /// empty one is that of the document.
    pub url: String,
    /// How it will be fetched.
    pub method: Method,
}

impl Link<'_> {
    /// The edit that has it point elsewhere.
    #[must_use]
    pub fn set(&self, url: &str) -> Edit {
        match self.attribute {
            Some(attribute) => self.verb.set(attribute, url),
            None => self.verb.set_text(url),
        }
    }
}

/// How a further document is fetched: both platforms know two methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`, which is what they take where nothing is said.
    #[default]
    Post,
}

impl Method {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    fn parse(value: Option<String>) -> Self {
        let get = value.is_some_and(|value| value.trim().eq_ignore_ascii_case("get"));
        if get { Self::Get } else { Self::Post }
    }
}

/// A change of a document, made by [`Document::edit`] of the document that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit(Vec<Splice>);

/// A part of the text, and what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    pub(crate) range: Range<usize>,
    pub(crate) put: String,
    /// The attribute that it is, if it adds one.
    pub(crate) adds: Option<&'static str>,
}

impl Splice {
    pub(crate) const fn put(range: Range<usize>, put: String) -> Self {
        Self { range, put, adds: None }
    }

    pub(crate) const fn cut(range: Range<usize>) -> Self {
        Self::put(range, String::new())
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}
