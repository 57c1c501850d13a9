//! `scope`: which calls a Kazoo platform records by its own settings, offline.

use std::path::Path;

use super::{CliError, decide, out};
use crate::api::words;
use crate::gate::ask::{Misfit, Object, RecordingScope, fit};
use crate::gate::{Refused, recording_scope};

pub(super) fn run(path: &Path) -> Result<(), CliError> {
    let wrong = |said: String| CliError::Wrong(format!("`{}`: {said}", path.display()));
    let text = decide::read(path)?;
    let mut reader = serde_json::Deserializer::from_str(&text);
    let read = fit(&mut reader).and_then(|asked| reader.end().map(|()| asked).map_err(Misfit::from));
    let Object(asked): Object<RecordingScope> = read.map_err(|misfit| wrong(decide::unfit(&misfit)))?;
    let scope = recording_scope(&asked, None)
        .map_err(|why| wrong(words::refused(&Refused::Request(why), words::native)))?;
    out::json(&scope);
    Ok(())
}
