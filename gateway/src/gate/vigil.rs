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

/// What gateways have left that did not end as they should have.
#[derive(Debug)]
pub struct Left {
    /// The earliest moment at which one of them was last well: long ago, where a mark cannot be read.
    pub well: Timestamp,
    /// What was wrong with it.
    pub cause: GapCause,
    marks: Vec<PathBuf>,
}

impl Left {
    /// Looks for the marks of gateways that did not end as they should have. It sets none: a start that
    /// fails has served nobody, and leaves nothing behind.
    ///
    /// # Errors
    ///
    /// Where the files cannot be read.
    pub fn find_in(data: &Path) -> io::Result<Option<Left>> {
        let mut left: Option<Left> = None;
        for path in marks_in(data)? {
            let Some(mut file) = open_mark(&path)? else { continue };
            // Whoever holds it is well.
            if file.try_lock().is_err() {
                continue;
            }
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let mut words = text.split_whitespace();
            let well = words.next().and_then(|ms| ms.parse().ok()).map_or(Timestamp::UNIX_EPOCH, millis);
            let unlogged = words.next() == Some(UNLOGGED);
            let left =
                left.get_or_insert(Left { well, cause: GapCause::EndedUnexpectedly, marks: Vec::new() });
            left.well = left.well.min(well);
            if unlogged {
                left.cause = GapCause::TrailUnavailable;
            }
            left.marks.push(path);
        }
        Ok(left)
    }

    /// Takes these marks away: what follows from them is logged. Those of gateways that have ended since
    /// then stay for the next start.
    ///
    /// # Errors
    ///
    /// Where a file cannot be removed.
    pub fn forget(self) -> io::Result<()> {
        for path in self.marks {
            match fs::remove_file(&path) {
                // Another start has found it, too.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

fn marks_in(data: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(data.join(SERVING)) {
        Ok(found) => found.map(|found| Ok(found?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// None where its gateway has just ended as it should.
fn open_mark(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Mark {
    /// Sets a mark: from here on somebody may be served, so that an end that is not as it should be leaves
    /// something in doubt. To be called last, when nothing can fail any more.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written; then there is no mark.
    pub fn set_in(data: &Path, now: Timestamp) -> io::Result<Mark> {
        let dir = data.join(SERVING);
        crate::vault::private_dir(&dir)?;
        let id = Uuid::new_v4();
        // Put into its place once it is locked and written: no other start sees it half made.
        let aside = data.join(format!("{SERVING}.{id}"));
        let file = File::options().write(true).create_new(true).open(&aside)?;
        let mark = Mark { path: dir.join(id.to_string()), file };
        let placed = mark.file.lock().and_then(|()| mark.well(now, true));
        if let Err(error) = placed.and_then(|()| fs::rename(&aside, &mark.path)) {
            fs::remove_file(&aside)?;
            return Err(error);
        }
        Ok(mark)
    }

    /// Whether a gateway runs on this data, on this machine.
    ///
    /// # Errors
    ///
    /// Where the files cannot be read.
    pub fn is_any_in(data: &Path) -> io::Result<bool> {
        for path in marks_in(data)? {
            if open_mark(&path)?.is_some_and(|mark| mark.try_lock().is_err()) {
                return Ok(true);
            }
        }
        Ok(false)
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

/// Where the marks are, below the data directory.
const SERVING: &str = "serving";
/// What a mark says beside its time. Of one length: it is written over.
const LOGGED: &str = "logged  ";
const UNLOGGED: &str = "unlogged";
/// How long a log may be silent, in milliseconds.
const HEARTBEAT_MS: i64 = 3_600_000;
