//! Heartbeats and gaps: so that silence can be told from something missing.
//!
//! A log in which nothing happens says so every hour. While `serve` runs it leaves a mark of when it
//! was last well; where the next start finds that mark, the one before did not end as it should have,
//! and whoever sent an event meanwhile got no answer: a withdrawal may be missing. Then every log says
//! that there is a gap, and every call that was open is in doubt until its participants are named
//! again. The mark stands in the ledger as well, for gateways that do not see this one's data directory.

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

/// The mark of a running gateway, below its data directory: a file that it holds locked, with the time
/// at which it was last well.
#[derive(Debug)]
pub struct Mark {
    id: Uuid,
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

    /// Whose marks they are.
    #[must_use]
    pub fn ids(&self) -> Vec<Uuid> {
        let names = self.marks.iter().filter_map(|path| path.file_name()?.to_str());
        names.filter_map(|name| name.parse().ok()).collect()
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
        crate::files::private_dir(&dir)?;
        let id = crate::random::id().map_err(io::Error::other)?;
        // Put into its place once it is locked and written: no other start sees it half made.
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

    /// The gateway's id, by which its mark stands in the ledger.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
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
        self.gap(since, GapCause::TrailUnavailable, &[], Vec::new()).await?;
        self.barred.told(since);
        Ok(())
    }

    /// Says in the ledger that all that had come to this gateway until now is logged; says nothing while
    /// something is missing.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn renew_mark(&self, id: Uuid) -> Result<(), Fault> {
        if self.barred.is_empty() {
            let at = self.barred.well(self.clock.now()).as_millisecond();
            let changes = vec![Change::Mark { id, at }];
            self.ledger.append(Job { changes, ..Job::default() }).await?;
        }
        Ok(())
    }

    /// The gateway ends, and nothing that came to it is missing.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn remove_mark(&self, id: Uuid) -> Result<(), Fault> {
        self.ledger.append(Job { changes: vec![Change::Unmark { id }], ..Job::default() }).await?;
        Ok(())
    }

    /// Logs a gap for every other gateway whose mark `is_lost`.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
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

    /// Says in every log that something may be missing since a gateway was last well, and removes the marks
    /// from which that was seen, in one transaction: of several who see it, one says it.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn gap(
        &self,
        well: Timestamp,
        cause: GapCause,
        marks: &[Uuid],
        expects: Vec<Expect>,
    ) -> Result<(), Fault> {
        // Others may have logged something since: nothing follows from that.
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
            tracing::warn!(logs, %from, "events may be missing: calls that were open are in doubt until their participants are reported again");
        }
        Ok(())
    }
}

/// The marks of other gateways, as one that serves has seen them: lost is what stands still for so long that
/// its gateway cannot be well, whatever anybody's clock says.
#[derive(Debug, Default)]
pub struct Watch(HashMap<Uuid, (i64, Instant)>);

impl Watch {
    /// Whether this mark has stood still for too long.
    pub fn is_lost(&mut self, id: Uuid, well_at: i64, now: Instant) -> bool {
        let (seen, since) = self.0.entry(id).or_insert((well_at, now));
        if *seen != well_at {
            (*seen, *since) = (well_at, now);
        }
        now.duration_since(*since) > LOST_AFTER
    }
}

/// How long a mark may stand still before its gateway is taken for lost.
const LOST_AFTER: Duration = Duration::from_secs(10);
/// Where the marks are, below the data directory.
const SERVING: &str = "serving";
/// What a mark says beside its time. Of one length: it is written over.
const LOGGED: &str = "logged  ";
const UNLOGGED: &str = "unlogged";
/// How long a log may be silent, in milliseconds.
const HEARTBEAT_MS: i64 = 3_600_000;
