//! `decide`: what the law asks of a call, offline.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::{CliError, out};
use crate::clock::Clock;
use crate::config::Config;
use crate::gate::offline;
use crate::locate::Locator;
use crate::serve;

pub(super) fn run(config: &Config, path: &Path) -> Result<(), CliError> {
    let table = Arc::new(serve::table(config)?);
    let locator = Locator::new(config.ip_database.as_deref()).map_err(serve::ServeError::from)?;
    let decision = offline::decide(&table, &locator, &Clock::system(), &read(path)?)
        .map_err(|error| CliError::Wrong(format!("`{}`: {error}", path.display())))?;
    out::json(&decision);
    Ok(())
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
