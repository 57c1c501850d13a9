//! Forms and texts as Twilio's clients write them.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use percent_encoding::percent_decode_str;

use super::Refusal;
use crate::api::problem::TurnedAway;
use crate::body::{Pace, read_all};

/// The parameters of a request, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body that is a form, or empty. The parameters of a POST may also stand in the query: Twilio takes them.
    pub(super) async fn read(headers: &HeaderMap, query: Option<&str>, body: Body) -> Result<Form, Refusal> {
        let bytes = read_all(body, PACE).await.map_err(|error| super::unread(&error))?;
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or(FORM);
        let is_form = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM));
        if !is_form && !bytes.is_empty() {
            return Err(super::refused("send the parameters as `application/x-www-form-urlencoded`"));
        }
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| Refusal::from(TurnedAway::Path))?;
        let mut form = Form::parse(query.unwrap_or_default());
        form.0.extend(Form::parse(&text).0);
        Ok(form)
    }

    pub(super) fn parse(text: &str) -> Form {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Form(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    /// The last value: which one of several counts is not known, so what would do harm is looked for in all.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    /// The value of a parameter of this name to the letter, if there is exactly one: callers may add parameters of their
    /// own to what Twilio says.
    pub(super) fn exactly(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(one, _)| one == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value.as_str())
    }

    /// The first value of a parameter of this name to the letter: in a URL of ours, what is ours comes first.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter. Whether Twilio looks at the case of a name is not known, so nothing here does.
    pub(super) fn all<'f>(&'f self, name: &str) -> impl DoubleEndedIterator<Item = &'f str> {
        let is = move |(one, _): &&(String, String)| one.eq_ignore_ascii_case(name);
        self.0.iter().filter(is).map(|(_, value)| value.as_str()).collect::<Vec<_>>().into_iter()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Takes a parameter out.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(one, _)| !one.eq_ignore_ascii_case(name));
    }

    /// Puts this value in the place of all others.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.add(name, value);
    }

    pub(super) fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// These parameters apart from all others: the others come first.
    pub(super) fn apart(self, names: &[&str]) -> (Form, Form) {
        let (ours, theirs) = self.0.into_iter().partition(|(one, _)| names.contains(&one.as_str()));
        (Form(theirs), Form(ours))
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// As it is sent.
    pub(super) fn written(&self) -> String {
        crate::twilio::form(&self.0)
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// A text within XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The media type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
/// A form holds a few parameters; the longest is a document of 4,000 characters.
const PACE: Pace = Pace { max_bytes: 256 * 1024, ..Pace::JSON };
