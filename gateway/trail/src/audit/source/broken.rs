//! Stands for a log that cannot be opened, so that other logs are still verified.

use super::{Details, OlderHead, Source, SourceError};
use crate::audit::{Failure, Verdict};
use crate::tile::{BundleId, TileId};

/// A log that cannot be read.
#[derive(Debug, Clone)]
pub struct Broken {
    name: String,
    why: Failure,
}

impl Broken {
    /// The log `name` cannot be read, because of `why`.
    #[must_use]
    pub fn new(name: impl Into<String>, why: impl Into<Failure>) -> Broken {
        Broken { name: name.into(), why: why.into() }
    }

    fn error(&self) -> SourceError {
        let (path, what) = (self.name.clone(), self.why.what.clone());
        match self.why.verdict {
            Verdict::Tampered => SourceError::Wrong { path, what },
            Verdict::Incomplete => SourceError::Missing(path),
            Verdict::Unusable => {
                let why =
                    what.strip_prefix(&format!("`{path}` cannot be read: ")).unwrap_or(&what).to_owned();
                SourceError::unreadable(path, why)
            }
        }
    }
}

impl Source for Broken {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn checkpoint(&self) -> Result<String, SourceError> {
        Err(self.error())
    }

    fn older_checkpoints(&self) -> Vec<Result<OlderHead, SourceError>> {
        Vec::new()
    }

    fn tile(&self, _: TileId) -> Result<Vec<u8>, SourceError> {
        Err(self.error())
    }

    fn bundle(&self, _: BundleId) -> Result<Vec<u8>, SourceError> {
        Err(self.error())
    }

    fn table(&self, _: &str) -> Result<Option<String>, SourceError> {
        Err(self.error())
    }

    fn details(&self) -> Result<Option<Details<'_>>, SourceError> {
        Err(self.error())
    }
}
