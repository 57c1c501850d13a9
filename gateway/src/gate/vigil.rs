//! Heartbeats and gaps: so that silence can be told from something missing.
//!
//! A log in which nothing happens says so every hour. While `serve` runs it leaves a mark of when it
//! was last well; where the next start finds that mark, the one before did not end as it should have,
//! and whoever sent an event meanwhile got no answer: a withdrawal may be missing. Then every log says
//! that there is a gap, and every call that was open is in doubt until its participants are named
//! again.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Fault, Gate, from_row};
use crate::clock::millis;
use crate::ledger::{Appended, Expect, Job};
use crate::trail::{self, Actor, Body, GapCause, SYSTEM_LOG};

/// The mark that a running gateway leaves in its data directory.
#[derive(Debug)]
pub struct Mark {
    path: PathBuf,
}

impl Mark {
    /// The mark below this directory.
    #[must_use]
    pub fn at(data: &Path) -> Mark {
        Mark { path: data.join("serving") }
    }

    /// When a gateway that did not end as it should have was last well; none where there was none. The
    /// far past where the mark cannot be read: then nothing is known.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read at all.
    pub fn left(&self) -> io::Result<Option<Timestamp>> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text.trim().parse().map_or(Timestamp::MIN, millis))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The gateway is well at this moment.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn set(&self, now: Timestamp) -> io::Result<()> {
        let aside = self.path.with_extension("new");
        fs::File::create(&aside)?.write_all(now.as_millisecond().to_string().as_bytes())?;
        // Not synced: what a power loss leaves of it is a mark all the same.
        fs::rename(&aside, &self.path)
    }

    /// The gateway ends as it should.
    ///
    /// # Errors
    ///
    /// Where the file cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Gate {
    /// Says in every log in which nothing happened for an hour that nothing did.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn heartbeat(&self) -> Result<(), Fault> {
        let now = self.clock.now();
        let since = now.as_millisecond().saturating_sub(HEARTBEAT_MS);
        for (log, head) in self.ledger.heads().await? {
            if head.last_at >= since {
                continue;
            }
            let draft = trail::draft(&log, now, &Actor::gateway(), None, Body::Heartbeat {}, None)?;
            // Another node may have been faster.
            let expects = vec![Expect::LogQuiet { log, since }];
            self.ledger.append(Job { expects, entries: vec![draft], ..Job::default() }).await?;
        }
        Ok(())
    }

    /// Says in every log that something may be missing since a gateway was last well.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn gap(&self, well: Timestamp, cause: GapCause) -> Result<(), Fault> {
        for (log, head) in self.ledger.heads().await? {
            if log == SYSTEM_LOG {
                continue;
            }
            // What was logged was answered: nothing before that is missing.
            let until = self.clock.now();
            let from = well.max(from_row(head.last_at)).min(until);
            let body = Body::Gap { from, until, cause };
            let draft = trail::draft(&log, until, &Actor::gateway(), None, body, None)?;
            match self.ledger.append(Job { entries: vec![draft], ..Job::default() }).await? {
                Appended::Done | Appended::Conflict => {}
            }
            tracing::warn!(log, %from, "events may be missing: calls that were open are in doubt until their participants are named again");
        }
        Ok(())
    }
}

/// How long a log may be silent, in milliseconds.
const HEARTBEAT_MS: i64 = 3_600_000;
