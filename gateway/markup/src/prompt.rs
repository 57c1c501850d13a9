//! Documents of our own: what is said or asked before a call's own document, and what is answered in its place.
//!
//! They are US-ASCII throughout, so that it does not matter in which encoding they are read.

use std::fmt::Write;

use crate::lexer::is_allowed;

/// Whose markup a document is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Twilio's.
    Twiml,
    /// Restcomm's.
    Rcml,
}

/// What is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Words that the platform speaks. (Twilio speaks some 4,000 characters of them.)
    Say {
        /// The words.
        text: &'a str,
        /// The language, as the platform calls it; its own default without.
        language: Option<&'a str>,
        /// The voice, likewise.
        voice: Option<&'a str>,
    },
    /// Audio at an address.
    Play {
        /// The address.
        url: &'a str,
    },
    /// Silence.
    Pause {
        /// How long.
        seconds: u32,
    },
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then<'a> {
    /// The call goes on with the document at an address, which is fetched by `POST`: who hears a notice and stays has
    /// been told.
    Redirect {
        /// The address.
        url: &'a str,
    },
    /// One digit is waited for. Whether there is one or not, the document at an address is fetched by `POST`, with the
    /// parameter `Digits` if there is one.
    Digit {
        /// The address.
        action: &'a str,
        /// How long to wait after what is heard.
        timeout_seconds: u32,
    },
}

/// The document that goes before a call's own.
///
/// Restcomm asks nobody where there was no digit, and goes on with the next verb: that is a redirect to the same
/// address. There `#` counts as no digit.
#[must_use]
pub fn prompt_first(dialect: Dialect, heard: &[Heard<'_>], then: Then<'_>) -> Vec<u8> {
    let mut body: String = heard.iter().map(Heard::verb).collect();
    match then {
        Then::Redirect { url } => body.push_str(&redirect(url)),
        Then::Digit { action, timeout_seconds } => {
            let more = match dialect {
                Dialect::Twiml => r#" actionOnEmptyResult="true" finishOnKey="""#,
                Dialect::Rcml => "",
            };
            let address = escape(action);
            body = format!(
                r#"<Gather input="dtmf" numDigits="1" timeout="{timeout_seconds}"{more} action="{address}" method="POST">{body}</Gather>"#
            );
            if dialect == Dialect::Rcml {
                body.push_str(&redirect(action));
            }
        }
    }
    document(&body)
}

/// What stands in the place of what may not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The call ends.
    Hangup,
    /// The call goes on with the document at an address, which must not be empty: that would be the same document
    /// again.
    Redirect(String),
}

impl Refusal {
    /// A whole document that captures nothing.
    #[must_use]
    pub fn document(&self) -> Vec<u8> {
        document(&self.verb())
    }

    pub(crate) fn verb(&self) -> String {
        match self {
            Self::Hangup => "<Hangup/>".to_owned(),
            Self::Redirect(url) => redirect(url),
        }
    }
}

impl Heard<'_> {
    fn verb(&self) -> String {
        match self {
            Self::Say { text, language, voice } => {
                let attribute = |name: &str, value: &Option<&str>| {
                    value.map(|value| format!(" {name}=\"{}\"", escape(value))).unwrap_or_default()
                };
                let (language, voice) = (attribute("language", language), attribute("voice", voice));
                format!("<Say{language}{voice}>{}</Say>", escape(text))
            }
            Self::Play { url } => format!("<Play>{}</Play>", escape(url)),
            Self::Pause { seconds } => format!(r#"<Pause length="{seconds}"/>"#),
        }
    }
}

fn redirect(url: &str) -> String {
    format!(r#"<Redirect method="POST">{}</Redirect>"#, escape(url))
}

fn document(body: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>{body}</Response>\n").into_bytes()
}

/// Anybody's words as text or as the value of an attribute, in US-ASCII. Characters that XML does not have are left
/// out.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().filter(|c| is_allowed(*c)) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            ' '..='~' if c != '\'' => escaped.push(c),
            // A string takes whatever is written.
            other => drop(write!(escaped, "&#{};", u32::from(other))),
        }
    }
    escaped
}
