//! Call markup: what captures in it, the same document without that, and the document that asks first.
//!
//! Twilio and Restcomm ask a web server what to do with a call, and it answers with a document: TwiML, or RCML. Who
//! stands between the two reads the answer here ([`Document::read`]), is told what would record, transcribe, stream or
//! analyse ([`Document::captures`]), takes out what is not permitted ([`Document::strip`]), has the further documents
//! fetched through itself ([`Document::links`], [`Document::edit`]), or says something first ([`prompt_first`]).
//!
//! The crate knows nothing of HTTP, of consent, or of where a document comes from. Answers that are not markup (Twilio
//! also takes `text/plain` and audio) are not its business.
//!
//! **Invariant: a document that comes out of [`strip`] captures nothing but what is permitted, for any reader; and one
//! that captures nothing else comes out byte for byte.**
//!
//! ```
//! use markup::{Document, Limit, Refusal, Use, Uses};
//!
//! let answer = br#"<Response><Dial record="record-from-answer">+15550100</Dial></Response>"#;
//! let document = Document::read(answer, Limit::Answer, None)?;
//! assert_eq!(document.captures()[0].r#use, Use::Record);
//! let stripped = document.strip(Uses::NONE, &Refusal::Hangup);
//! assert_eq!(&*stripped, br#"<Response><Dial>+15550100</Dial></Response>"#);
//! # Ok::<(), markup::ReadError>(())
//! ```
//!
//! # What counts as a capture
//!
//! What any reader could take for one. What turns a capture off does so to the letter only: `false`, `do-not-record`,
//! and `dtmf` for an `input`.
//!
//! | markup | use |
//! |---|---|
//! | `<Record>`; `record`, on any verb (`<Dial>`, `<Conference>`, `<Conversation>`); `<Recording>` | record |
//! | `transcribe` and `transcribeCallback`, on any verb; `<Transcription>` | transcribe |
//! | an `input` that is not `dtmf`, on any verb; `<ConversationRelay>` | transcribe |
//! | `recordingConfigurationId`, on any verb | record, transcribe |
//! | `<Stream>` | stream |
//! | `<Siprec>` | record, stream |
//! | `<VirtualAgent>` | transcribe, stream, analyse |
//! | `<Assistant>`, `<Autopilot>` | transcribe, analyse |
//! | `intelligenceService`, `sentimentAnalysis`, `conversationConfiguration`, `conversationId`, on any verb | analyse |
//! | `<AiSession>`, `<ConversationRelaySession>`: what they do is not in the document | all four |
//! | anything else in `<Start>`, or in `<Connect>` but for `<Room>` and `<Conversation>` | all four |
//! | a document type with an external part, or with declarations of entities or attributes | all four |
//! | XInclude's `<include>` | all four |
//!
//! Names are compared without their prefix and whatever the case, and names that contain one of these
//! (`StartRecording`) count like it. `<Stop>` with what it stops is none, spelt like this. None are: the detection of
//! answering machines, the digits that `<Gather>`, `<Pay>` and `<Prompt>` take, and what is not in a document at all:
//! the recording of a video room, of a SIP trunk, or by the REST API.
//!
//! The names are those of twilio-python 9.13 and twilio-node 6.3 and of the sources of Restcomm-Connect. Known:
//! Restcomm looks at names without prefix, carries out verbs at any depth, ignores the case of `true` and the space
//! around values, and takes a bare `&`. Assumed, for the worse: that a platform does not look at case (Twilio is said to),
//! that it takes any other value for on, and that what is not known captures.
//!
//! # What is read
//!
//! UTF-8 (and so US-ASCII), UTF-16 and ISO-8859-1, with or without byte order mark; at most 65,536 bytes (Twilio's
//! error 11750), or 4,000 characters in an API call's parameter `Twiml` (32018). XML 1.0 that is well-formed, and a
//! little more (an `&` that begins no reference, an attribute twice). No entity is ever expanded and nothing is ever
//! fetched: of references only those to characters and XML's own five are read.
//!
//! What can't be read is a [`ReadError`]. It may pass as it is where no word stands in it at all that a capture or a
//! further document would need; the platform will complain itself. Anything else is answered with a document that hangs
//! up, or redirects ([`ReadError::instead`]).
//!
//! The reader is our own: it has to tell where in the bytes each attribute begins, in four encodings, and to refuse
//! what is not well-formed. `quick-xml`, the best kept of those that tell places, checks neither names, nor characters,
//! nor what a document type declares, reads UTF-16 only by converting it first, and would still leave most of this to
//! do; the tests hold this reader against it. Time and memory are in proportion to the document, whatever its depth.

mod capture;
mod document;
mod lexer;
mod prompt;
mod source;
mod strip;
mod tree;
mod uses;

pub use capture::Capture;
pub use document::{Document, Edit, Link, Method, Verb};
pub use prompt::{Dialect, Heard, Refusal, Then, prompt_first};
pub use uses::{Use, Uses};

use std::borrow::Cow;

/// How long a document may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The answer to a platform's request: 65,536 bytes.
    Answer,
    /// A parameter of an API call: 4,000 characters.
    Inline,
}

impl Limit {
    const fn most(self) -> usize {
        match self {
            Self::Answer => 65_536,
            Self::Inline => 4_000,
        }
    }

    const fn exceeded(self) -> ReadError {
        let unit = match self {
            Self::Answer => "bytes",
            Self::Inline => "characters",
        };
        ReadError::TooLong { most: self.most(), unit }
    }
}

/// What was made of a document by [`strip`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stripped<'a> {
    /// What to pass on: borrowed if nothing had to go.
    pub document: Cow<'a, [u8]>,
    /// Why the document could not be read; then another one stands in its place, unless it holds nothing that could
    /// capture.
    pub unread: Option<ReadError>,
}

/// Takes out of a document what is not `permitted`, whatever the document is.
///
/// See [`Document::read`] for `charset`, [`Document::strip`] for what goes, and [`ReadError::instead`] for what can't
/// be read.
#[must_use]
pub fn strip<'a>(
    bytes: &'a [u8],
    limit: Limit,
    charset: Option<&str>,
    permitted: Uses,
    refusal: &Refusal,
) -> Stripped<'a> {
    match Document::read(bytes, limit, charset) {
        Ok(document) => Stripped { document: document.strip(permitted, refusal), unread: None },
        Err(error) => Stripped { document: error.instead(bytes, permitted, refusal), unread: Some(error) },
    }
}

/// Why a document was not read. Nothing in it is an outsider's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is longer than the platforms take.
    #[error("the document is longer than {most} {unit}")]
    TooLong {
        /// The limit.
        most: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// Its bytes are not text in an encoding that is read, or it says that they are in another one.
    #[error("the document is not in UTF-8, UTF-16 or ISO-8859-1; declare its encoding")]
    Encoding,
    /// It is not well-formed XML.
    #[error("the document is not well-formed at byte {at}: {what}")]
    Malformed {
        /// Where, in bytes from 0.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

impl ReadError {
    /// What to pass on in the place of a document that could not be read: the document as it is, if every use is
    /// permitted or it is plain UTF-8 in which no word stands that a capture or a further document needs; else the
    /// document of the refusal.
    #[must_use]
    pub fn instead<'a>(&self, bytes: &'a [u8], permitted: Uses, refusal: &Refusal) -> Cow<'a, [u8]> {
        if permitted == Uses::ALL || self.is_harmless(bytes) {
            return Cow::Borrowed(bytes);
        }
        Cow::Owned(refusal.document())
    }

    fn is_harmless(&self, bytes: &[u8]) -> bool {
        if matches!(self, Self::Encoding) || bytes.contains(&0) {
            return false;
        }
        std::str::from_utf8(bytes).is_ok_and(|text| {
            // A label that is not understood could make anything of the rest.
            let declared = source::declared(text.trim_start_matches('\u{feff}'));
            declared.is_ok() && !capture::could_capture(text)
        })
    }
}
