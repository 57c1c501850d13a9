//! Writing to the terminal.

use std::io::{IsTerminal as _, Write as _};

use crate::chain::Chain;

/// Prints a line; where standard output is closed, nobody reads it.
pub(super) fn line(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
}

/// Text from elsewhere, which cannot pass itself off as a line of ours.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// How many there are: `1 entry`, `2 entries`.
pub(super) fn counted(count: impl TryInto<u64>, one: &str, several: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    }
}

/// A JSON document in one line.
pub(super) fn json_line(value: &impl serde::Serialize) -> Result<String, super::CliError> {
    let unwritten = |error: serde_json::Error| super::CliError::Io {
        what: "an answer cannot be written as JSON".into(),
        source: error.into(),
    };
    serde_json::to_string(value).map_err(unwritten)
}

/// Prints a JSON document.
pub(super) fn json(value: &impl serde::Serialize) {
    line(serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints what a command did: for scripts, or for people.
pub(super) fn say(as_json: bool, value: &impl serde::Serialize, words: impl FnOnce() -> String) {
    if as_json { json(value) } else { line(words()) }
}

/// Prints an error with its causes.
pub(super) fn error(error: &dyn std::error::Error) {
    let _ = writeln!(std::io::stderr().lock(), "error: {}", Chain(error));
}

/// Log lines go to standard error; `RUST_LOG` chooses which.
pub(super) fn logging(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    // What cannot be written is lost. To say so on the same stream would panic, and take the request along.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .log_internal_errors(false);
    // A second subscriber in one process is refused, and the first one serves.
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
}
