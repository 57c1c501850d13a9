//! Compares the details of registrations with what entries rely on.
//!
//! A fact says what the policy must know of a prompt or a grant. The registration is in a detail, which may
//! be gone; if it is there, both must agree.

use std::collections::BTreeMap;

use policy::{Elements, Grant, Heard, Purposes, Role};
use serde::Deserialize;

use super::super::Failure;
use crate::{Body, Leaf};

/// What was registered.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Prompt(Box<PromptTold>),
    Grant(Box<GrantTold>),
}

#[derive(Debug, Deserialize)]
struct Document<T> {
    document: T,
}

/// A prompt, as far as facts repeat it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PromptTold {
    language: String,
    duration_ms: u64,
    #[serde(default)]
    purposes: Vec<String>,
    #[serde(default)]
    says: BTreeMap<String, String>,
}

/// A consent grant, likewise.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct GrantTold {
    role: Role,
    #[serde(default)]
    purposes: Vec<String>,
    #[serde(default)]
    written: bool,
    #[serde(default)]
    given_by: Option<String>,
}

/// What a platform said of a call.
#[derive(Deserialize)]
struct CallTold {
    #[serde(default)]
    purposes: Option<Vec<String>>,
}

impl Told {
    /// Reads what the detail of an entry registers, if anything.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is not what a gateway writes.
    pub(super) fn of(leaf: &Leaf, document: &str) -> Result<Option<Told>, Failure> {
        let other = |_| Failure::tampered("its detail is not what a gateway writes");
        if let Body::Prompt { .. } = leaf.body {
            let read: Document<PromptTold> = serde_json::from_str(document).map_err(other)?;
            return Ok(Some(Told::Prompt(Box::new(read.document))));
        }
        if let Body::Opened { facts, .. } = &leaf.body {
            let read: CallTold = serde_json::from_str(document).map_err(other)?;
            let named = read.purposes.map(|words| Purposes::of(words.iter().map(String::as_str)));
            require(
                named.is_none_or(|named| named == facts.purposes),
                "a call is said to be for other purposes than its platform named",
            )?;
        }
        if let Body::Grant { .. } = leaf.body {
            let read: Document<GrantTold> = serde_json::from_str(document).map_err(other)?;
            return Ok(Some(Told::Grant(Box::new(read.document))));
        }
        Ok(None)
    }
}

impl PromptTold {
    /// Checks its length against the entry that registers it.
    pub(super) fn lasts(&self, duration_ms: u64) -> Result<(), Failure> {
        require(self.duration_ms == duration_ms, "the prompt's detail gives another length")
    }

    /// Checks that what was heard is this prompt.
    pub(super) fn is_heard(&self, heard: &Heard, asked: Option<Purposes>) -> Result<(), Failure> {
        require(
            policy::language::canonical(&self.language).as_deref() == Some(heard.language.as_str()),
            "a prompt is said to be in another language than was registered",
        )?;
        let purposes = Purposes::of(self.purposes.iter().map(String::as_str));
        require(purposes == heard.purposes, "a prompt is said to name other purposes than were registered")?;
        require(
            Elements::of(self.says.keys().map(String::as_str)) == heard.says,
            "a prompt is said to say other things than were registered",
        )?;
        // A prompt that names no purpose is for all.
        let covers = self.purposes.is_empty() || asked.is_none_or(|asked| purposes.holds_all(asked));
        require(
            !heard.covers_purposes || covers,
            "a prompt is said to cover the call's purposes, but does not name them",
        )
    }
}

impl GrantTold {
    /// Checks that what is relied on is this grant.
    pub(super) fn is_relied_on(&self, role: Role, granted: &Grant) -> Result<(), Failure> {
        require(self.role == role, "a consent grant is relied on in another role than the registered one")?;
        require(
            self.written == granted.written,
            "a consent grant is said to be written, or not to be, unlike the registered one",
        )?;
        require(
            (self.given_by.as_deref() == Some("guardian")) == granted.by_guardian,
            "a consent grant is said to be given by a guardian, or not to be, unlike the registered one",
        )?;
        let purposes =
            (!self.purposes.is_empty()).then(|| Purposes::of(self.purposes.iter().map(String::as_str)));
        require(
            purposes == granted.purposes,
            "a consent grant is said to be for other purposes than were registered",
        )
    }
}

fn require(fine: bool, what: &str) -> Result<(), Failure> {
    if fine { Ok(()) } else { Err(Failure::tampered(what)) }
}
