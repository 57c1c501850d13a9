//! The table that the configuration names, or the one that is compiled in.

use std::path::Path;

use policy::Table;

use super::ServeError;
use crate::config::Config;
use trail::Origin;

/// The table that is compiled in.
pub const DEFAULT_TABLE: &str = include_str!("../../../jurisdictions.toml");

/// The table that the configuration names, or the one compiled in: where it comes from, what to call
/// it in messages, and its text.
///
/// # Errors
///
/// If the file cannot be read.
pub fn table_text(config: &Config) -> Result<(Origin, String, String), ServeError> {
    match &config.jurisdictions {
        Some(path) => {
            let text =
                read_text(path).map_err(|source| ServeError::ReadTable { path: path.clone(), source })?;
            Ok((Origin::File, path.display().to_string(), text))
        }
        None => Ok((Origin::Program, "the table compiled in".into(), DEFAULT_TABLE.to_owned())),
    }
}

/// The text of a file that a person has written.
///
/// # Errors
///
/// If the file cannot be read, or is not UTF-8; then the error says how to save it.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    let bytes = std::fs::read(path)?;
    let wrong = |message: String| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return wrong("it is saved as UTF-16 (\"Unicode\"); save it as UTF-8".into());
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"{\\rtf") {
        return wrong("it is a document of a word processor; save it as plain text, in UTF-8".into());
    }
    String::from_utf8(bytes).or_else(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        wrong(format!("line {line} holds a letter that is not UTF-8; save the file as UTF-8"))
    })
}

/// Reads the table that the configuration names, or the one compiled in.
///
/// # Errors
///
/// If it cannot be read, with everything that is wrong with it.
pub fn table(config: &Config) -> Result<Table, ServeError> {
    let (_, name, text) = table_text(config)?;
    parse(&name, &text)
}

pub(super) fn parse(name: &str, text: &str) -> Result<Table, ServeError> {
    Table::parse(text).map_err(|problems| {
        let told =
            problems.0.iter().map(|problem| format!("{name}:{problem}")).collect::<Vec<_>>().join("\n");
        ServeError::Table { problems: told }
    })
}
