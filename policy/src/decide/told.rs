//! What a prompt says, and what it has to say: that the call is recorded, by whom, why, that
//! somebody else processes it, how to refuse, and the like.
//!
//! The law of a place may ask for some of these always, and for others if the recording serves a certain
//! purpose. A prompt that lacks one of them does not count there.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Something that a prompt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Element {
    /// That the call is recorded.
    Recording,
    /// Who records it.
    Operator,
    /// What for.
    Purpose,
    /// That somebody else processes the recording.
    Vendor,
    /// How to refuse.
    Refusal,
    /// That a machine speaks.
    Ai,
    /// That feelings are inferred from the voice.
    Emotion,
    /// That a voiceprint is taken.
    Voiceprint,
    /// Where to read more.
    MoreInfo,
    /// How to withdraw consent later.
    Withdrawal,
    /// How long the recording is kept.
    Retention,
    /// How to get a copy.
    Copy,
    /// The call's identifier.
    Reference,
}

impl Element {
    /// All of them.
    pub const ALL: [Element; 13] = [
        Element::Recording,
        Element::Operator,
        Element::Purpose,
        Element::Vendor,
        Element::Refusal,
        Element::Ai,
        Element::Emotion,
        Element::Voiceprint,
        Element::MoreInfo,
        Element::Withdrawal,
        Element::Retention,
        Element::Copy,
        Element::Reference,
    ];

    /// The word used in tables, prompts and decisions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Element::Recording => "recording",
            Element::Operator => "operator",
            Element::Purpose => "purpose",
            Element::Vendor => "vendor",
            Element::Refusal => "refusal",
            Element::Ai => "ai",
            Element::Emotion => "emotion",
            Element::Voiceprint => "voiceprint",
            Element::MoreInfo => "more-info",
            Element::Withdrawal => "withdrawal",
            Element::Retention => "retention",
            Element::Copy => "copy",
            Element::Reference => "reference",
        }
    }

    /// The element in words.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Element::Recording => "that the call is recorded",
            Element::Operator => "who records it",
            Element::Purpose => "what it is recorded for",
            Element::Vendor => "that a service provider processes the recording",
            Element::Refusal => "how to refuse",
            Element::Ai => "that a machine speaks",
            Element::Emotion => "that feelings are inferred from the voice",
            Element::Voiceprint => "that a voiceprint is taken",
            Element::MoreInfo => "where to read more",
            Element::Withdrawal => "how to withdraw consent later",
            Element::Retention => "how long the recording is kept",
            Element::Copy => "how to get a copy",
            Element::Reference => "the identifier of the call",
        }
    }
}

/// What a recording is for, in the words that the law distinguishes.
///
/// A platform may name any other purpose. The law of a place cannot speak of it, so it is told apart from
/// naming none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Watching over the quality of service.
    Quality,
    /// Teaching people.
    Training,
    /// Teaching models.
    AiTraining,
    /// Turning speech into text.
    Transcription,
    /// Finding out about callers: moods, topics, scores.
    Analytics,
    /// Proof of what was agreed.
    Evidence,
    /// A law or a regulator wants it.
    LegalObligation,
    /// Security, and preventing fraud.
    Security,
    /// Telling people by their voices.
    Voiceprint,
    /// Inferring feelings from a voice.
    Emotion,
    /// Anything else.
    Other,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 11] = [
        Purpose::Quality,
        Purpose::Training,
        Purpose::AiTraining,
        Purpose::Transcription,
        Purpose::Analytics,
        Purpose::Evidence,
        Purpose::LegalObligation,
        Purpose::Security,
        Purpose::Voiceprint,
        Purpose::Emotion,
        Purpose::Other,
    ];

    /// Those of which a table can speak: all but [`Purpose::Other`].
    pub fn distinguished() -> impl Iterator<Item = Purpose> {
        Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Other)
    }

    /// The word used in tables, calls and prompts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Quality => "quality",
            Purpose::Training => "training",
            Purpose::AiTraining => "ai-training",
            Purpose::Transcription => "transcription",
            Purpose::Analytics => "analytics",
            Purpose::Evidence => "evidence",
            Purpose::LegalObligation => "legal-obligation",
            Purpose::Security => "security",
            Purpose::Voiceprint => "voiceprint",
            Purpose::Emotion => "emotion",
            Purpose::Other => "other",
        }
    }
}

/// A set of words of one vocabulary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Set<T> {
    bits: u16,
    of: core::marker::PhantomData<T>,
}

/// What a prompt says.
pub type Elements = Set<Element>;
/// What a recording is for.
pub type Purposes = Set<Purpose>;

/// A vocabulary of at most sixteen words.
pub trait Word: Copy + Sized + 'static {
    /// All of its words.
    const ALL: &'static [Self];
    /// What one of them is called, for messages.
    const WHAT: &'static str;
    /// What every other word means; none if it means nothing.
    const OTHERWISE: Option<Self>;
    /// The word as it is written.
    fn word(self) -> &'static str;
    /// Its bit.
    fn bit(self) -> u16;
}

impl Word for Element {
    const ALL: &'static [Element] = &Element::ALL;
    const WHAT: &'static str = "an element of a prompt";
    const OTHERWISE: Option<Element> = None;

    fn word(self) -> &'static str {
        self.as_str()
    }

    fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl Word for Purpose {
    const ALL: &'static [Purpose] = &Purpose::ALL;
    const WHAT: &'static str = "a purpose";
    const OTHERWISE: Option<Purpose> = Some(Purpose::Other);

    fn word(self) -> &'static str {
        self.as_str()
    }

    fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// The word of a vocabulary, however it is capitalised.
#[must_use]
pub fn word<T: Word>(text: &str) -> Option<T> {
    T::ALL.iter().copied().find(|word| word.word().eq_ignore_ascii_case(text.trim()))
}

impl<T> Set<T> {
    /// Nothing.
    pub const NONE: Set<T> = Set { bits: 0, of: core::marker::PhantomData };

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// The union.
    #[must_use]
    pub fn and(self, other: Set<T>) -> Set<T> {
        Set { bits: self.bits | other.bits, ..self }
    }

    /// The difference: what is in this and not in `other`.
    #[must_use]
    pub fn without(self, other: Set<T>) -> Set<T> {
        Set { bits: self.bits & !other.bits, ..self }
    }

    /// Whether everything in `other` is in this.
    #[must_use]
    pub fn holds_all(&self, other: Set<T>) -> bool {
        other.bits & !self.bits == 0
    }
}

impl<T: Word> Set<T> {
    /// The same with one more word.
    #[must_use]
    pub fn with(self, word: T) -> Set<T> {
        Set { bits: self.bits | word.bit(), ..self }
    }

    /// Whether a word is in it.
    #[must_use]
    pub fn holds(&self, word: T) -> bool {
        self.bits & word.bit() != 0
    }

    /// Its words, in the order of the vocabulary.
    pub fn iter(self) -> impl Iterator<Item = T> {
        T::ALL.iter().copied().filter(move |word| self.holds(*word))
    }

    /// What `texts` say in the words of a vocabulary.
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Set<T> {
        texts.into_iter().filter_map(|text| word(text).or(T::OTHERWISE)).collect()
    }

    /// What is in both.
    #[must_use]
    pub fn both(self, other: Set<T>) -> Set<T> {
        Set { bits: self.bits & other.bits, ..self }
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Set::NONE
    }
}

impl<T: Word> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(words: I) -> Self {
        words.into_iter().fold(Set::NONE, Set::with)
    }
}

impl<T: Word> fmt::Debug for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Word::word)).finish()
    }
}

#[cfg(feature = "schema")]
impl<T: Word + schemars::JsonSchema> schemars::JsonSchema for Set<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        alloc::format!("Set{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "array", "uniqueItems": true, "items": generator.subschema_for::<T>()})
    }
}

impl<T: Word> Serialize for Set<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Word::word))
    }
}

impl<'de, T: Word> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words: Vec<String> = Vec::deserialize(deserializer)?;
        let known = |text: &String| {
            word::<T>(text)
                .ok_or_else(|| serde::de::Error::custom(alloc::format!("`{text}` is not {}", T::WHAT)))
        };
        words.iter().map(known).collect()
    }
}

/// What a prompt has to say to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Says {
    /// Always.
    pub always: Elements,
    /// If the recording serves a purpose, in the order of [`Purpose::ALL`].
    pub for_purpose: [Elements; Purpose::ALL.len()],
    /// Purposes that the sector gives the recording: the prompt has to be registered for them.
    pub purposes: Purposes,
}

impl Says {
    /// Nothing in particular.
    pub const NOTHING: Says = Says {
        always: Elements::NONE,
        for_purpose: [Elements::NONE; Purpose::ALL.len()],
        purposes: Purposes::NONE,
    };

    /// Both.
    #[must_use]
    pub fn and(self, other: Says) -> Says {
        let mut for_purpose = self.for_purpose;
        for (mine, theirs) in for_purpose.iter_mut().zip(other.for_purpose) {
            *mine = mine.and(theirs);
        }
        Says {
            always: self.always.and(other.always),
            for_purpose,
            purposes: self.purposes.and(other.purposes),
        }
    }

    /// What a prompt has to say on a call that is recorded for `purposes`.
    #[must_use]
    pub fn on(&self, purposes: Purposes) -> Told {
        let all = purposes.and(self.purposes);
        let elements = Purpose::ALL
            .into_iter()
            .zip(self.for_purpose)
            .filter(|(purpose, _)| all.holds(*purpose))
            .fold(self.always, |elements, (_, more)| elements.and(more));
        Told { elements, purposes: self.purposes }
    }

    /// The elements that are asked for if the recording serves `purpose`.
    #[must_use]
    pub fn for_one(&self, purpose: Purpose) -> Elements {
        let all = Purpose::ALL.into_iter().zip(self.for_purpose);
        all.filter(|(one, _)| *one == purpose)
            .fold(Elements::NONE, |found, (_, elements)| found.and(elements))
    }
}

/// What somebody was told, or has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// What the prompt says.
    pub elements: Elements,
    /// For which purposes.
    pub purposes: Purposes,
}

impl Told {
    /// Whether this is all of what `needed` asks for.
    #[must_use]
    pub fn is_enough_for(&self, needed: Told) -> bool {
        self.elements.holds_all(needed.elements) && self.purposes.holds_all(needed.purposes)
    }

    /// What is in this and not in `other`.
    #[must_use]
    pub fn without(self, other: Told) -> Told {
        Told {
            elements: self.elements.without(other.elements),
            purposes: self.purposes.without(other.purposes),
        }
    }
}

/// The purposes of something, in outsiders' words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// No purpose was named: that means all of them.
    Anything,
    /// These, and no other.
    Only(BTreeSet<String>),
}

/// Nothing at all.
impl Default for Named {
    fn default() -> Self {
        Named::Only(BTreeSet::new())
    }
}

impl Named {
    /// The purposes of a call, a prompt or a grant that names these. Naming none means all of them.
    #[must_use]
    pub fn by(purposes: &[String]) -> Named {
        if purposes.is_empty() { Named::Anything } else { Named::Only(purposes.iter().cloned().collect()) }
    }

    /// Whether consent for this covers a use for all of `needed`.
    #[must_use]
    pub fn covers(&self, needed: &[String]) -> bool {
        match self {
            Named::Anything => true,
            Named::Only(purposes) => needed.iter().all(|purpose| purposes.contains(purpose)),
        }
    }

    /// What both are for.
    #[must_use]
    pub fn and(self, other: Named) -> Named {
        match (self, other) {
            (Named::Anything, named) | (named, Named::Anything) => named,
            (Named::Only(one), Named::Only(other)) => {
                Named::Only(one.intersection(&other).cloned().collect())
            }
        }
    }

    /// What one or the other is for.
    #[must_use]
    pub fn or(self, other: Named) -> Named {
        match (self, other) {
            (Named::Anything, _) | (_, Named::Anything) => Named::Anything,
            (Named::Only(one), Named::Only(other)) => Named::Only(one.union(&other).cloned().collect()),
        }
    }
}

/// The purposes that somebody was told of, by any of the texts that they knew.
///
/// Somebody who was told nothing does not limit the purposes if they did not have to be told: if one party's
/// consent was enough, the others may not even know, and a machine hears nothing. Otherwise nothing may be
/// done with the recording.
#[must_use]
pub fn told(texts: Vec<Named>, silence_is_enough: bool) -> Named {
    match texts.is_empty() && silence_is_enough {
        true => Named::Anything,
        false => texts.into_iter().fold(Named::default(), Named::or),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(purposes: &[&str]) -> Named {
        Named::Only(purposes.iter().map(|one| (*one).into()).collect())
    }

    #[test]
    fn whoever_names_no_purpose_means_all_of_them() {
        let needed = ["quality".into(), "training".into()];
        assert!(Named::by(&[]).covers(&needed) && only(&["quality", "training", "more"]).covers(&needed));
        assert!(!only(&["quality"]).covers(&needed) && only(&["quality"]).covers(&[]));
        assert_eq!(only(&["a", "b"]).and(Named::Anything), only(&["a", "b"]));
        assert_eq!(only(&["a", "b"]).and(only(&["b", "c"])), only(&["b"]));
        assert_eq!(only(&["a"]).or(Named::Anything), Named::Anything);
        assert_eq!(only(&["a"]).or(only(&["b"])), only(&["a", "b"]));
    }

    #[test]
    fn whom_nothing_was_told_limits_everything_unless_that_was_not_needed() {
        assert_eq!(told(Vec::new(), true), Named::Anything);
        assert_eq!(told(Vec::new(), false), Named::default());
        // What was told counts though it was not needed; a text that is no longer known names nothing.
        assert_eq!(told([only(&["a"]), Named::default()].into(), true), only(&["a"]));
        assert_eq!(told([Named::default()].into(), true), Named::default());
        assert_eq!(told([only(&["a"]), Named::Anything].into(), false), Named::Anything);
    }
}
