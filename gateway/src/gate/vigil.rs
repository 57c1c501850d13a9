//! Heartbeats and gaps: so that silence can be told from something missing.
//!
//! A log in which nothing happens says so every hour. While `serve` runs it leaves a mark of when it
//! was last well; where the next start finds that mark, the one before did not end as it should have,
//! and whoever sent an event meanwhile got no answer: a withdrawal may be missing. Then every log says
//! that there is a gap, and every call that was open is in doubt until its participants are named
//! again.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::{Fault, Gate};
use crate::clock::millis;
use crate::ledger::{Appended, Expect, Job};
use crate::trail::{self, Actor, Body, GapCause, SYSTEM_LOG};

/// The mark of a running gateway, below its data directory: a file that it holds locked, with the time
/// at which it was last well.
#[derive(Debug)]
pub struct Mark {
    path: PathBuf,
    file: File,
}

impl Mark {
    /// Sets a mark, and looks for those of gateways that did not end as they should have. Answers it with the
    /// earliest moment at which one of those was last well, and what was wrong with it: long ago, where one
    /// left a mark that cannot be read.
    ///
    /// # Errors
    ///
    /// Where the files cannot be read or written.
    pub fn set_in(data: &Path, now: Timestamp) -> io::Result<(Mark, Option<(Timestamp, GapCause)>)> {
        let dir = data.join("serving");
        crate::vault::private_dir(&dir)?;
        let mut found_well: Option<(Timestamp, GapCause)> = None;
        for found in fs::read_dir(&dir)? {
            let path = found?.path();
            let mut file = File::options().read(true).write(true).open(&path)?;
            // Whoever holds it is well.
            if file.try_lock().is_err() {
                continue;
            }
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let mut words = text.split_whitespace();
            let left = words.next().and_then(|ms| ms.parse().ok()).map_or(Timestamp::UNIX_EPOCH, millis);
            let cause = match words.next() {
                Some(UNLOGGED) => GapCause::TrailUnavailable,
                Some(_) | None => GapCause::EndedUnexpectedly,
            };
            found_well = Some(found_well.map_or((left, cause), |(well, before)| {
                (well.min(left), if cause == GapCause::TrailUnavailable { cause } else { before })
            }));
        }
        let path = dir.join(Uuid::new_v4().to_string());
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        file.lock()?;
        let mark = Mark { path, file };
        mark.well(now, true)?;
        Ok((mark, found_well))
    }

    /// Whether a gateway runs on this data, on this machine.
    ///
    /// # Errors
    ///
    /// Where the files cannot be read.
    pub fn is_any_in(data: &Path) -> io::Result<bool> {
        let found = match fs::read_dir(data.join("serving")) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        for found in found {
            if File::open(found?.path())?.try_lock().is_err() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes away the marks of those that did not end as they should have: what follows from them is
    /// logged.
    ///
    /// # Errors
    ///
    /// Where a file cannot be removed.
    pub fn forget_others(&self) -> io::Result<()> {
        let Some(dir) = self.path.parent() else { return Ok(()) };
        for found in fs::read_dir(dir)? {
            let path = found?.path();
            if path != self.path && File::open(&path)?.try_lock().is_ok() {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Everything that had come by this moment is logged; or, where not `all_logged`, something that came
    /// after it could not be.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn well(&self, until: Timestamp, all_logged: bool) -> io::Result<()> {
        let state = if all_logged { LOGGED } else { UNLOGGED };
        // Not synced: what a power loss leaves of it is a mark all the same.
        self.file.write_all_at(format!("{:020} {state}\n", until.as_millisecond()).as_bytes(), 0)
    }

    /// The gateway ends as it should.
    ///
    /// # Errors
    ///
    /// Where the file cannot be removed.
    pub fn clear(self) -> io::Result<()> {
        fs::remove_file(&self.path)
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

    /// Says in every log that something may be missing, where something may have come during an outage of
    /// which nothing is known.
    ///
    /// # Errors
    ///
    /// Where the ledger still fails.
    pub async fn catch_up(&self) -> Result<(), Fault> {
        let Some(since) = self.barred.unheard() else { return Ok(()) };
        self.gap(since, GapCause::TrailUnavailable).await?;
        self.barred.told(since);
        Ok(())
    }

    /// Says in every log that something may be missing since a gateway was last well.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn gap(&self, well: Timestamp, cause: GapCause) -> Result<(), Fault> {
        for (log, _) in self.ledger.heads().await? {
            if log == SYSTEM_LOG {
                continue;
            }
            // Others may have logged something since: nothing follows from that.
            let until = self.clock.now();
            let from = well.min(until);
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

/// What a mark says beside its time. Of one length: it is written over.
const LOGGED: &str = "logged  ";
const UNLOGGED: &str = "unlogged";
/// How long a log may be silent, in milliseconds.
const HEARTBEAT_MS: i64 = 3_600_000;
