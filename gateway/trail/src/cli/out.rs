//! Writing to the terminal.

use std::io::Write as _;

use crate::chain::Chain;

/// Prints a line; where standard output is closed, nobody reads it.
pub fn line(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
}

/// Text from elsewhere, which cannot pass itself off as a line of ours.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A JSON document in one line.
pub fn json_line(value: &impl serde::Serialize) -> Result<String, super::CliError> {
    let unwritten = |error: serde_json::Error| super::CliError::Io {
        what: "an answer cannot be written as JSON".into(),
        source: error.into(),
    };
    serde_json::to_string(value).map_err(unwritten)
}

/// Prints a JSON document.
pub fn json(value: &impl serde::Serialize) {
    line(serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints what a command did: for scripts, or for people.
pub fn say(as_json: bool, value: &impl serde::Serialize, words: impl FnOnce() -> String) {
    if as_json { json(value) } else { line(words()) }
}

/// Prints an error with its causes.
pub fn error(error: &dyn std::error::Error) {
    let _ = writeln!(std::io::stderr().lock(), "error: {}", Chain(error));
}

/// Prints a remark to standard error.
pub fn note(text: &str) {
    aside(&format!("note: {text}"));
}

/// Prints to standard error.
pub fn aside(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
