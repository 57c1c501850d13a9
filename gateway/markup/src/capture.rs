//! What captures: the rules, by the names of verbs and attributes.
//!
//! A rule goes by names alone, wherever they stand. Restcomm carries out a verb at any depth, even as the root, and
//! looks at names without their prefix and at values without the space around them (`Parser`, `TagIterator` of
//! Restcomm-Connect). What else a platform could read into a document is assumed: that it does not look at case, and
//! that what it does not know is on.

use std::ops::Range;

use crate::tree::{self, Element, Tree, fold};
use crate::{Use, Uses};

/// Something in a document that captures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// What it does with the audio.
    pub r#use: Use,
    /// The verb, as the platforms' documents spell it; `other` for one that they don't have, and `DOCTYPE` for
    /// a document type that declares entities or attributes. Nothing in it is an outsider's word.
    pub verb: &'static str,
    /// The attribute that makes the verb capture, as the platforms' documents spell it, or `other`; `None` where the
    /// verb does so by itself.
    pub attribute: Option<&'static str>,
    /// Where it stands in the document, in bytes: the whole verb with what is in it, or the attribute with its value.
    pub range: Range<usize>,
}

/// The same, as places in the tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) uses: Uses,
    pub(crate) verb: &'static str,
    pub(crate) attribute: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Doctype,
    Element(usize),
    Attribute(usize),
}

/// Everything that captures, in the order of the document.
pub(crate) fn find(text: &str, tree: &Tree) -> Vec<Found> {
    let get = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    let mut found = Vec::new();
    if tree.doctype.as_ref().is_some_and(|doctype| doctype.declares) {
        found.push(Found { place: Place::Doctype, uses: Uses::ALL, verb: "DOCTYPE", attribute: None });
    }
    for (place, element) in tree.elements.iter().enumerate() {
        let folded = fold(get(&element.name));
        let verb = || spelt(VERBS, &folded);
        let parent = element.parent.and_then(|parent| tree.elements.get(parent));
        let uses = of_verb(get(&element.name), &folded, parent.map(|parent| get(&parent.name)));
        if uses != Uses::NONE {
            found.push(Found { place: Place::Element(place), uses, verb: verb(), attribute: None });
        }
        for at in element.attributes.clone() {
            let Some(attribute) = tree.attributes.get(at) else { continue };
            let folded = fold(get(&attribute.name));
            let uses = of_attribute(&folded, get(&attribute.value));
            if uses != Uses::NONE {
                let attribute = Some(spelt(ATTRIBUTES, &folded));
                found.push(Found { place: Place::Attribute(at), uses, verb: verb(), attribute });
            }
        }
    }
    found
}

/// Whether an element is called so, by some platform.
pub(crate) fn is_called(text: &str, element: &Element, folded: &str) -> bool {
    text.get(element.name.clone()).is_some_and(|name| fold(name) == folded)
}

/// Whether a word stands anywhere in the text, in or out of markup, that a capture or a further document needs.
pub(crate) fn could_capture(text: &str) -> bool {
    let text: String = text.chars().map(tree::small).collect();
    let stems = VERB_STEMS.iter().chain(ATTRIBUTE_STEMS).map(|(stem, _)| *stem);
    stems.chain(OTHER_WORDS.iter().copied()).any(|word| text.contains(word))
}

/// What a verb does by itself.
fn of_verb(name: &str, folded: &str, parent: Option<&str>) -> Uses {
    if parent == Some("Stop") && STOPPABLE.contains(&name) {
        return Uses::NONE;
    }
    let uses = of_stems(VERB_STEMS, folded);
    if uses != Uses::NONE {
        return uses;
    }
    let child_of = |verb: &str| parent.is_some_and(|parent| fold(parent) == verb);
    // What is not known there begins something that goes on beside the call, or takes it over.
    let unknown = child_of("start") || (child_of("connect") && !["Room", "Conversation"].contains(&name));
    if unknown { Uses::ALL } else { Uses::NONE }
}

/// What an attribute has its verb do.
fn of_attribute(folded: &str, raw: &str) -> Uses {
    // To the letter: any other spelling is on for somebody.
    let off: &[&str] = if folded == INPUT { &["dtmf"] } else { &["false", "do-not-record"] };
    let uses = if folded == INPUT { Uses::NONE.and(TRANSCRIBE) } else { of_stems(ATTRIBUTE_STEMS, folded) };
    let harmless = uses == Uses::NONE
        || off.contains(&tree::value(raw).as_str())
        || HARMLESS_ATTRIBUTES.iter().any(|name| name.eq_ignore_ascii_case(folded));
    if harmless { Uses::NONE } else { uses }
}

/// What the parts of a name stand for, taken together.
fn of_stems(stems: &[(&str, &[Use])], folded: &str) -> Uses {
    let within = |stem: &str| folded.as_bytes().windows(stem.len()).any(|part| part == stem.as_bytes());
    stems.iter().filter(|(stem, _)| within(stem)).flat_map(|(_, uses)| uses.iter().copied()).collect()
}

/// A name as it is spelt.
fn spelt(names: &[&'static str], folded: &str) -> &'static str {
    names.iter().find(|name| name.eq_ignore_ascii_case(folded)).copied().unwrap_or("other")
}

/// The attribute that says by what somebody answers.
pub(crate) const INPUT: &str = "input";

const RECORD: Use = Use::Record;
const TRANSCRIBE: Use = Use::Transcribe;
const STREAM: Use = Use::Stream;
const ANALYSE: Use = Use::Analyse;

/// Verbs by a part of their name.
///
/// `Siprec` sends the audio to a recorder (RFC 7866). What an `AiSession` or a `ConversationRelaySession` does is in a
/// configuration that the document only names. `include` is XInclude's.
const VERB_STEMS: &[(&str, &[Use])] = &[
    ("conversationrelaysession", &Use::ALL),
    ("conversationrelay", &[TRANSCRIBE]),
    ("aisession", &Use::ALL),
    ("virtualagent", &[TRANSCRIBE, STREAM, ANALYSE]),
    ("assistant", &[TRANSCRIBE, ANALYSE]),
    ("autopilot", &[TRANSCRIBE, ANALYSE]),
    ("siprec", &[RECORD, STREAM]),
    ("record", &[RECORD]),
    ("transcri", &[TRANSCRIBE]),
    ("stream", &[STREAM]),
    ("include", &Use::ALL),
];

/// Attributes by a part of their name, on whatever verb.
///
/// `recordingConfigurationId` names settings, among them those of a transcription (Twilio, "Recording configurations");
/// whether it begins a recording without `record` is not known.
const ATTRIBUTE_STEMS: &[(&str, &[Use])] = &[
    ("recordingconfiguration", &[RECORD, TRANSCRIBE]),
    ("record", &[RECORD]),
    ("transcri", &[TRANSCRIBE]),
    ("intelligence", &[ANALYSE]),
    ("sentiment", &[ANALYSE]),
    ("conversationconfiguration", &[ANALYSE]),
    ("conversationid", &[ANALYSE]),
];

/// Attributes that only say how: without the verb or attribute that captures they do nothing.
const HARMLESS_ATTRIBUTES: &[&str] = &[
    "recordingStatusCallback",
    "recordingStatusCallbackEvent",
    "recordingStatusCallbackMethod",
    "recordingTrack",
    "recordingChannels",
    "transcriptionEngine",
    "transcriptionLanguage",
    "transcriptionProvider",
];

/// The attributes that capture, as they are spelt.
const ATTRIBUTES: &[&str] = &[
    INPUT,
    "record",
    "recordingConfigurationId",
    "transcribe",
    "transcribeCallback",
    "intelligenceService",
    "sentimentAnalysis",
    "conversationConfiguration",
    "conversationId",
];

/// The words that rules go by beside stems: for captures, for declarations, and for further documents.
const OTHER_WORDS: &[&str] =
    &[INPUT, "start", "connect", "<!doctype", "<!entity", "<!attlist", "redirect", "action", "url"];

/// What `<Stop>` ends, spelt like this. (A `<Record>` in it would be carried out by Restcomm.)
const STOPPABLE: &[&str] = &["Recording", "Siprec", "Stream", "Transcription"];

/// The verbs and nouns of TwiML (twilio-python 9.13, twilio-node 6.3) and of RCML (Restcomm-Connect), but for SSML.
const VERBS: &[&str] = &[
    "AiSession",
    "Application",
    "ApplicationSid",
    "Assistant",
    "Autopilot",
    "Client",
    "Conference",
    "Config",
    "Connect",
    "Conversation",
    "ConversationRelay",
    "ConversationRelaySession",
    "Dial",
    "Echo",
    "Email",
    "Enqueue",
    "Fax",
    "Gather",
    "Geolocation",
    "Hangup",
    "Header",
    "Headers",
    "Identity",
    "Language",
    "Leave",
    "MediaFilter",
    "Number",
    "Parameter",
    "Pause",
    "Pay",
    "Play",
    "Prompt",
    "Queue",
    "Record",
    "Recording",
    "Redirect",
    "Refer",
    "Reject",
    "Response",
    "Room",
    "Say",
    "Sim",
    "Sip",
    "Siprec",
    "Sms",
    "Start",
    "Stop",
    "Stream",
    "Task",
    "Transcription",
    "Uri",
    "UssdCollect",
    "UssdMessage",
    "Video",
    "VirtualAgent",
    "WhatsApp",
];
