//! Reopening a log that does not continue what was signed: an older ledger was restored, or somebody changed
//! it.
//!
//! The old entries are kept unchanged, as evidence; the new epoch begins with an entry that holds the pinned
//! head. So everybody who has kept a head sees what was lost, and since when.
//!
//! INVARIANT: an epoch that was ever signed is never signed with different entries: the new one comes after
//! the ledger's and after the pin's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::json;

use super::pins::Pin;
use super::{First, Notary, NotaryError, epoch_of};
use crate::ledger::{Appended, Change, Epoch, Expect, Head, Job, Ledger, LedgerError, SKEW_MS};
use crate::secrets::LogKeys;
use trail::clock::{Clock, millis};
use trail::note::{Checkpoint, Note};
use trail::tree::Edge;
use trail::{Actor, Body, GapCause, Leaf, LogCause, Previous, SYSTEM_LOG};

/// The state of a log.
#[derive(Debug)]
pub struct Finding {
    /// Which log.
    pub log: String,
    /// What is wrong with it.
    pub wrong: Option<Wrong>,
    /// Its row; `None` if the ledger has no such log.
    head: Option<Head>,
    /// Its pin, if that can be read.
    pin: Option<Pin>,
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// It does not continue what was signed.
    #[error(transparent)]
    Signed(NotaryError),
    /// Its registers do not match it.
    #[error("{0}")]
    Registers(String),
    /// Its last entry is in the future, so nothing can be appended.
    #[error("the last entry of the log `{log}` is {seconds} s in the future")]
    Ahead {
        /// Which log.
        log: String,
        /// How far.
        seconds: i64,
    },
}

/// How a log continues.
#[derive(Debug, Clone)]
pub struct Reopened {
    /// Which log.
    pub log: String,
    /// The epoch that begins.
    pub epoch: i64,
    /// Its origin.
    pub origin: String,
    /// What its first entry continues.
    pub previous: Previous,
    /// Where the pin of the old epoch is kept.
    pub kept: Option<PathBuf>,
    /// Whether calls that were open are in doubt.
    pub in_doubt: bool,
    /// It was reopened before, and that epoch is not signed yet: nothing was changed.
    pub already: bool,
}

impl Notary {
    /// Checks every log, and reports what makes [`Notary::open`] refuse.
    ///
    /// # Errors
    ///
    /// [`NotaryError`] if reopening a log cannot cure it.
    pub async fn survey(
        ledger: Ledger,
        clock: Clock,
        name: Option<&str>,
        keys: LogKeys,
        pins: &Path,
    ) -> Result<(Notary, Vec<Finding>), NotaryError> {
        let notary = Notary::unread(ledger, clock, name, keys, pins)?;
        let mut logs: BTreeSet<String> = notary.pins.logs()?.into_iter().collect();
        logs.extend(notary.ledger.heads().await?.into_iter().map(|(log, _)| log));
        let mut findings = Vec::with_capacity(logs.len());
        for log in logs {
            findings.push(notary.look(log).await?);
        }
        Ok((notary, findings))
    }

    async fn look(&self, log: String) -> Result<Finding, NotaryError> {
        let head = self.ledger.head(&log).await?;
        let (pin, unreadable) = match self.pins.read(&log) {
            Ok(pin) => (pin, None),
            Err(error) => (None, Some(NotaryError::Pin(error))),
        };
        let signed = match (&head, unreadable) {
            (_, Some(error)) => Err(error),
            (Some(head), None) => self.examine(&log, head, First::Everything).await.map(drop),
            (None, None) => {
                let pinned = pin.as_ref().map_or(0, |pin| pin.size);
                Err(NotaryError::Older { log: log.clone(), pinned, found: 0 })
            }
        };
        let wrong = match signed {
            Ok(()) => match self.ahead(&log, head.as_ref()) {
                None => self.registers(&log).await?,
                ahead => ahead,
            },
            Err(error) => Some(Wrong::Signed(curable(error)?)),
        };
        Ok(Finding { log, wrong, head, pin })
    }

    async fn registers(&self, log: &str) -> Result<Option<Wrong>, NotaryError> {
        match self.ledger.check_registers_of(log).await {
            Ok(_) => Ok(None),
            Err(LedgerError::Altered(what)) => Ok(Some(Wrong::Registers(what))),
            Err(error) => Err(error.into()),
        }
    }

    fn ahead(&self, log: &str, head: Option<&Head>) -> Option<Wrong> {
        let ahead = head?.last_at.saturating_sub(self.clock.now().as_millisecond());
        (ahead > SKEW_MS).then(|| Wrong::Ahead { log: log.to_owned(), seconds: ahead / 1000 })
    }

    /// Ends a log's epoch as it is, and begins the next with an entry that holds the last signed head.
    ///
    /// # Errors
    ///
    /// [`NotaryError`]; then nothing has changed, or another attempt completes it.
    pub async fn reopen(&self, finding: &Finding, reason: &str) -> Result<Reopened, NotaryError> {
        let log = &finding.log;
        if let Some(begun) = self.begun_anew(finding).await? {
            return Ok(begun);
        }
        let ended = finding.head.as_ref().map_or(0, |head| head.epoch);
        let pinned = finding.pin.as_ref().map_or(0, |pin| epoch_of(&pin.origin, log));
        // Even if nothing is left of a log, it had a first epoch: there is a pin.
        let next = Epoch { log: log.clone(), epoch: ended.max(pinned).max(1).saturating_add(1) };
        let kept = self.pins.keep(log, pinned.max(if finding.pin.is_none() { ended } else { 0 }))?;
        // At this point there are two copies of the pin; a crash here leaves everything as it was.
        let (previous, note) = self.last_signed(finding).await?;
        let now = self.clock.now();
        let body = Body::LogOpened { previous: previous.clone(), cause: LogCause::Reopened };
        let detail = Some(json!({"reason": reason}));
        let actor = Actor::command_line();
        let mut job = Job::default();
        job.entries.push(trail::draft(log, now, &actor, None, body, detail)?);
        // Entries are lost or cannot be trusted, and a withdrawal may be among them.
        let since = match (&finding.head, &finding.wrong) {
            (Some(head), Some(Wrong::Signed(NotaryError::Older { .. }))) => Some(millis(head.last_at)),
            // It is not known since when it is wrong.
            (Some(_), Some(Wrong::Signed(_))) => Some(Timestamp::UNIX_EPOCH),
            (None, _) | (_, None | Some(Wrong::Ahead { .. } | Wrong::Registers(_))) => None,
        };
        let since = since.filter(|_| log != SYSTEM_LOG);
        if let Some(since) = since {
            let from = since.min(now);
            let body = Body::Gap { from, until: now, cause: GapCause::LedgerRestored };
            job.entries.push(trail::draft(log, now, &actor, None, body, None)?);
        }
        if let Some(head) = &finding.head {
            let size = i64::try_from(head.edge.size()).unwrap_or(i64::MAX);
            job.expects.push(Expect::LogAt { log: log.clone(), epoch: head.epoch, size });
        }
        job.changes.push(Change::CloseLog {
            log: log.clone(),
            epoch: ended,
            next: next.epoch,
            root: finding.head.as_ref().map(|head| head.edge.root().to_vec()).unwrap_or_default(),
            // An epoch that was never signed has none: the last signed head is another epoch's.
            note: note.filter(|_| epoch_of(&previous.origin, log) == ended).map(|note| note.to_string()),
            at: now.as_millisecond(),
        });
        // Somebody who reopens a log because of its registers has checked them.
        if matches!(finding.wrong, Some(Wrong::Registers(_))) {
            job.changes.push(Change::Recommit { log: log.clone() });
        }
        if self.ledger.append(job).await? == Appended::Conflict {
            return Err(NotaryError::Grew { log: log.clone() });
        }
        // At this point the log goes on. The pin stays until the next head is signed, so that nobody can
        // restore the same old ledger unnoticed; an unusable pin is removed.
        if matches!(
            finding.wrong,
            Some(Wrong::Signed(NotaryError::Pin(_) | NotaryError::Swapped { .. } | NotaryError::Note { .. }))
        ) {
            self.pins.remove(log)?;
        }
        Ok(Reopened {
            log: log.clone(),
            epoch: next.epoch,
            origin: self.origin(&next),
            previous,
            kept,
            in_doubt: since.is_some(),
            already: false,
        })
    }

    /// The epoch that was reopened before, if nothing is wrong with it and it is not signed yet: with another
    /// one after it, no head would cover its entries.
    async fn begun_anew(&self, finding: &Finding) -> Result<Option<Reopened>, NotaryError> {
        let (None, Some(head)) = (&finding.wrong, &finding.head) else { return Ok(None) };
        let at = Epoch { log: finding.log.clone(), epoch: head.epoch };
        let pinned = finding.pin.as_ref().map_or(0, |pin| epoch_of(&pin.origin, &at.log));
        if pinned >= at.epoch || self.ledger.checkpoint(&at).await?.is_some() {
            return Ok(None);
        }
        let first = self.ledger.leaves(&at, 0, 1).await?.into_iter().next();
        let first: Option<Leaf> = first.and_then(|(leaf, _)| serde_json::from_slice(&leaf).ok());
        let Some(Body::LogOpened { previous, cause: LogCause::Reopened }) = first.map(|leaf| leaf.body)
        else {
            return Ok(None);
        };
        Ok(Some(Reopened {
            log: at.log.clone(),
            epoch: at.epoch,
            origin: self.origin(&at),
            previous,
            kept: None,
            in_doubt: false,
            already: true,
        }))
    }

    /// The last head that was signed: pinned, else stored, else the one that the ledger claims.
    async fn last_signed(&self, finding: &Finding) -> Result<(Previous, Option<Note>), NotaryError> {
        let previous = |origin: &str, size: u64, root: &[u8]| Previous {
            origin: origin.to_owned(),
            size,
            root: BASE64_STANDARD.encode(root),
        };
        // Another gateway on this ledger may have signed more than is pinned here.
        if let Some(head) = &finding.head {
            let at = Epoch { log: finding.log.clone(), epoch: head.epoch };
            let pinned =
                finding.pin.as_ref().map_or((0, 0), |pin| (epoch_of(&pin.origin, &at.log), pin.size));
            if let Some(row) = self.ledger.checkpoint(&at).await?
                && let Ok(note) = Note::parse(&row.note)
                && let Ok(signed) = Checkpoint::parse(&note.text)
                && self.is_ours(&at.log, &at, &note).is_ok()
                && (at.epoch, signed.size) > pinned
            {
                return Ok((previous(&signed.origin, signed.size, &signed.root), Some(note)));
            }
        }
        if let Some(pin) = &finding.pin {
            return Ok((previous(&pin.origin, pin.size, &pin.root), Some(pin.note.clone())));
        }
        let Some(head) = &finding.head else {
            let first = Epoch { log: finding.log.clone(), epoch: 1 };
            return Ok((previous(&self.origin(&first), 0, &Edge::default().root()), None));
        };
        let at = Epoch { log: finding.log.clone(), epoch: head.epoch };
        if let Some(row) = self.ledger.checkpoint(&at).await?
            && let Ok(note) = Note::parse(&row.note)
            && let Ok(signed) = Checkpoint::parse(&note.text)
        {
            return Ok((previous(&signed.origin, signed.size, &signed.root), Some(note)));
        }
        Ok((previous(&self.origin(&at), head.edge.size(), &head.edge.root()), None))
    }
}

/// Returns an error that reopening the log cures.
fn curable(error: NotaryError) -> Result<NotaryError, NotaryError> {
    match error {
        NotaryError::Older { .. }
        | NotaryError::Rewritten { .. }
        | NotaryError::Broken { .. }
        | NotaryError::Swapped { .. }
        | NotaryError::Note { .. }
        | NotaryError::Pin(super::PinError::Damaged { .. }) => Ok(error),
        NotaryError::Renamed { .. }
        | NotaryError::Grew { .. }
        | NotaryError::Name(_)
        | NotaryError::Pin(super::PinError::Io { .. })
        | NotaryError::Key(_)
        | NotaryError::Ledger(_)
        | NotaryError::Draft(_) => Err(error),
    }
}
