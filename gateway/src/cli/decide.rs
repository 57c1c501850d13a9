//! `decide`: what the law requires of a call, offline.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::{CliError, out};
use crate::api::words;
use crate::config::Config;
use crate::gate::ask::Misfit;
use crate::gate::offline::{self, FactsError};
use crate::gate::{CallRefusal, Refused};
use crate::locate::Locator;
use crate::serve;
use trail::clock::Clock;

pub(super) fn run(config: &Config, path: &Path) -> Result<(), CliError> {
    let table = Arc::new(serve::table(config)?);
    let locator = Locator::new(config.ip_database.as_deref()).map_err(serve::ServeError::from)?;
    let decision = offline::decide(&table, &locator, &Clock::system(), &read(path)?)
        .map_err(|error| CliError::Wrong(format!("`{}`: {}", path.display(), wrong(error))))?;
    out::json(&decision);
    Ok(())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is said as at the native door")]
fn wrong(error: FactsError) -> String {
    match error {
        FactsError::Unfit(misfit) => unfit(&misfit),
        FactsError::Refused(why) => match &why {
            Refused::Call(CallRefusal::UnknownParticipant { id }) => format!("`{id}` is not on the call"),
            Refused::Call(CallRefusal::ParticipantLeft { id }) => format!("`{id}` has left the call"),
            Refused::Call(CallRefusal::Ended) => "an event happened after the end of the call".into(),
            _ => words::refused(&why, words::native),
        },
    }
}

pub(super) fn unfit(misfit: &Misfit) -> String {
    match misfit.is_of_form() {
        true => format!("it is not JSON: {}", words::wrong_form(misfit)),
        false => format!("it does not match the schema: {misfit}"),
    }
}

pub(super) fn read(path: &Path) -> Result<String, CliError> {
    let io = |source| CliError::Io { what: format!("`{}` cannot be read", path.display()), source };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(io)?;
    } else {
        text = std::fs::read_to_string(path).map_err(io)?;
    }
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}
