//! Heartbeats and gaps, which distinguish silence from missing entries.
//!
//! A log in which nothing happens says so every hour. While `serve` runs, it maintains a mark with the time
//! at which it was last well. If the next start finds that mark, the gateway did not stop properly, and
//! senders of events at that time got no answer: a withdrawal may be missing. Then every log says that there
//! is a gap, and every open call is in doubt until its participants are added again. The ledger holds the
//! mark as well, for gateways that do not see this one's data directory.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use crate::gate::{Fault, Gate};
use crate::ledger::{Appended, Change, Expect, Job};
use trail::clock::millis;
use trail::{Actor, Body, GapCause, SYSTEM_LOG};

/// The mark of a running gateway, below its data directory: a file that it holds locked, with the time at
/// which it was last well.
#[derive(Debug)]
pub struct Mark {
    id: Uuid,
    path: PathBuf,
    file: File,
}

/// The marks of gateways that did not stop properly.
#[derive(Debug)]
pub struct Left {
    /// The earliest moment at which one of them was last well; far in the past if a mark cannot be read.
    pub well: Timestamp,
    /// What went wrong.
    pub cause: GapCause,
    marks: Vec<PathBuf>,
}

impl Left {
    /// Looks for the marks of gateways that did not stop properly. Sets none: a start that fails has served
    /// nobody, and leaves nothing behind.
    ///
    /// # Errors
    ///
    /// If the files cannot be read.
    pub fn find_in(data: &Path) -> io::Result<Option<Left>> {
        let mut left: Option<Left> = None;
        for path in marks_in(data)? {
            let Some(mut file) = open_mark(&path)? else { continue };
            // A gateway that still holds its lock is well.
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

    /// The gateways' ids.
    #[must_use]
    pub fn ids(&self) -> Vec<Uuid> {
        let names = self.marks.iter().filter_map(|path| path.file_name()?.to_str());
        names.filter_map(|name| name.parse().ok()).collect()
    }

    /// Removes these marks, once their consequences are logged. Marks that gateways left since then stay for
    /// the next start.
    ///
    /// # Errors
    ///
    /// If a file cannot be removed.
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

/// Opens a mark; `None` if its gateway has just stopped properly.
fn open_mark(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Mark {
    /// Sets a mark: from here on the gateway may serve requests, so an abrupt end leaves something in doubt.
    /// Call this last, when nothing can fail any more.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; then there is no mark.
    pub fn set_in(data: &Path, now: Timestamp) -> io::Result<Mark> {
        let dir = data.join(SERVING);
        crate::files::private_dir(&dir)?;
        let id = crate::random::id().map_err(io::Error::other)?;
        // Put in place once it is locked and written, so that no other start sees it half-made.
        let aside = data.join(format!("{SERVING}.{id}"));
        let file = File::options().write(true).create_new(true).open(&aside)?;
        let mark = Mark { id, path: dir.join(id.to_string()), file };
        let placed = mark.file.lock().and_then(|()| mark.well(now, true));
        if let Err(error) = placed.and_then(|()| fs::rename(&aside, &mark.path)) {
            fs::remove_file(&aside)?;
            return Err(error);
        }
        Ok(mark)
    }

    /// The gateway's id, which identifies its mark in the ledger.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whether a gateway runs on this data, on this machine.
    ///
    /// # Errors
    ///
    /// If the files cannot be read.
    pub fn is_any_in(data: &Path) -> io::Result<bool> {
        for path in marks_in(data)? {
            if open_mark(&path)?.is_some_and(|mark| mark.try_lock().is_err()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that everything that had arrived by this moment is logged; or, unless `all_logged`, that
    /// something that arrived after it could not be.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn well(&self, until: Timestamp, all_logged: bool) -> io::Result<()> {
        let state = if all_logged { LOGGED } else { UNLOGGED };
        // Not synced: even what a power loss leaves of it is a mark.
        self.file.write_all_at(format!("{:020} {state}\n", until.as_millisecond()).as_bytes(), 0)
    }

    /// Removes the mark, since the gateway stops properly.
    ///
    /// # Errors
    ///
    /// If the file cannot be removed.
    pub fn clear(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

impl Gate {
    /// Appends a heartbeat to every log in which nothing happened for an hour.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
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

    /// Appends a gap to every log if something unknown may have arrived during an outage.
    ///
    /// # Errors
    ///
    /// If the ledger still fails.
    pub async fn catch_up(&self) -> Result<(), Fault> {
        let Some(since) = self.barred.unheard() else { return Ok(()) };
        self.gap(since, GapCause::TrailUnavailable, &[], Vec::new()).await?;
        self.barred.told(since);
        Ok(())
    }

    /// Notes in the ledger that everything that arrived at this gateway by now is logged; does nothing while
    /// something is missing.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn renew_mark(&self, id: Uuid) -> Result<(), Fault> {
        if self.barred.is_empty() {
            let at = self.barred.well(self.clock.now()).as_millisecond();
            let changes = vec![Change::Mark { id, at }];
            self.ledger.append(Job { changes, ..Job::default() }).await?;
        }
        Ok(())
    }

    /// Removes the gateway's mark in the ledger: it stops, and nothing that arrived at it is missing.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn remove_mark(&self, id: Uuid) -> Result<(), Fault> {
        self.ledger.append(Job { changes: vec![Change::Unmark { id }], ..Job::default() }).await?;
        Ok(())
    }

    /// Logs a gap for every other gateway whose mark `is_lost`.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn find_lost(&self, mut is_lost: impl FnMut(Uuid, i64) -> bool) -> Result<(), Fault> {
        for (id, well_at) in self.ledger.marks().await? {
            let id = crate::gate::parse_id(&id)?;
            if is_lost(id, well_at) {
                let expects = vec![Expect::MarkIs { id, at: well_at }];
                self.gap(millis(well_at), GapCause::EndedUnexpectedly, &[id], expects).await?;
            }
        }
        Ok(())
    }

    /// Whether a mark is too old for its gateway to be well, by our clock.
    #[must_use]
    pub fn is_old(&self, well_at: i64) -> bool {
        self.clock.now().as_millisecond().abs_diff(well_at)
            > LOST_AFTER.as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// Appends to every log that something may be missing since a gateway was last well, and removes the
    /// marks that show it, in one transaction, so that only one of several observers logs it.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn gap(
        &self,
        well: Timestamp,
        cause: GapCause,
        marks: &[Uuid],
        expects: Vec<Expect>,
    ) -> Result<(), Fault> {
        // Others may have appended entries in the meantime; nothing follows from that.
        let until = self.clock.now();
        let from = well.min(until);
        let mut entries = Vec::new();
        for (log, _) in self.ledger.heads().await?.into_iter().filter(|(log, _)| log != SYSTEM_LOG) {
            let body = Body::Gap { from, until, cause };
            entries.push(trail::draft(&log, until, &Actor::gateway(), None, body, None)?);
        }
        let changes = marks.iter().map(|id| Change::Unmark { id: *id }).collect();
        let logs = entries.len();
        if self.ledger.append(Job { expects, changes, entries }).await? == Appended::Done {
            tracing::warn!(logs, %from, "events may be missing: open calls are in doubt until their \
                participants are added again");
        }
        Ok(())
    }
}

/// The marks of other gateways, as this one has observed them. A gateway is lost if its mark has not moved
/// for so long that it cannot be well, regardless of clocks.
#[derive(Debug, Default)]
pub struct Watch(HashMap<Uuid, (i64, Instant)>);

impl Watch {
    /// Whether this mark has not moved for too long.
    pub fn is_lost(&mut self, id: Uuid, well_at: i64, now: Instant) -> bool {
        let (seen, since) = self.0.entry(id).or_insert((well_at, now));
        if *seen != well_at {
            (*seen, *since) = (well_at, now);
        }
        now.duration_since(*since) > LOST_AFTER
    }
}

/// How long a mark may stay unchanged before its gateway counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(10);
/// The directory of the marks, below the data directory.
const SERVING: &str = "serving";
/// What a mark says besides its time. Both words have one length, since they are overwritten.
const LOGGED: &str = "logged  ";
const UNLOGGED: &str = "unlogged";
/// How long a log may be silent, in milliseconds.
const HEARTBEAT_MS: i64 = 3_600_000;
