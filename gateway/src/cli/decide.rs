//! `decide`: what the law asks of a call, offline.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::{CliError, out};
use crate::api::words;
use crate::clock::Clock;
use crate::config::Config;
use crate::gate::offline::{self, FactsError};
use crate::locate::Locator;
use crate::serve;

pub(super) fn run(config: &Config, path: &Path) -> Result<(), CliError> {
    let table = Arc::new(serve::table(config)?);
    let locator = Locator::new(config.ip_database.as_deref()).map_err(serve::ServeError::from)?;
    let decision = offline::decide(&table, &locator, &Clock::system(), &read(path)?)
        .map_err(|error| CliError::Wrong(format!("`{}`: {}", path.display(), wrong(error))))?;
    out::json(&decision);
    Ok(())
}

fn wrong(error: FactsError) -> String {
    match error {
        FactsError::Unfit(misfit) if misfit.is_of_form() => {
            format!("it is not JSON: {}", words::wrong_form(&misfit))
        }
        FactsError::Unfit(misfit) => format!("it does not fit: {misfit}"),
        FactsError::Place(error) => error.to_string(),
        FactsError::Participant(wrong) => words::refused(&wrong.into(), words::native),
        FactsError::Absent(id) => format!("`{id}` is not on the call"),
        FactsError::Event(wrong) => words::refused(&wrong.into(), words::native),
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    let io = |source| CliError::Io { what: format!("`{}` cannot be read", path.display()), source };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(io)?;
    } else {
        text = std::fs::read_to_string(path).map_err(io)?;
    }
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}
