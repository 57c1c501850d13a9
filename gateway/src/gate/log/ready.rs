//! Whether a request could be answered now: everything that a request needs is tried.
//!
//! Strangers may ask, so a result is reused for a second, and the answer is a word that reveals nothing of
//! the inside. The log and `check` have the details for the operator.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::gate::answer::{self, Ready, TableInForce};
use crate::gate::{Fault, Gate};
use crate::ledger::{LedgerError, SKEW_MS};
use crate::listen::descriptors;
use crate::vault::VaultError;
use trail::chain::Chain;

/// What is lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lack {
    /// The audit trail cannot be read or written.
    Trail,
    /// The clock is behind the trail, so nothing can be appended.
    Clock,
    /// The table in force was altered since it came into force.
    Law,
    /// The logs cannot be signed.
    Signing,
    /// The recording store cannot be written.
    Store,
    /// The recording store has no room.
    Room,
    /// No more files can be opened.
    Descriptors,
    /// The gateway is about to stop.
    Stopping,
}

impl Lack {
    /// The word in the answer of `/readyz`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Lack::Trail => "trail",
            Lack::Clock => "clock",
            Lack::Law => "law",
            Lack::Signing => "signing",
            Lack::Store => "store",
            Lack::Room => "room",
            Lack::Descriptors => "descriptors",
            Lack::Stopping => "stopping",
        }
    }

    /// Whether requests should go to another gateway. If only room for recordings is lacking, they should
    /// not: withdrawals have to get through.
    #[must_use]
    pub fn turns_away(self) -> bool {
        match self {
            Lack::Trail
            | Lack::Clock
            | Lack::Law
            | Lack::Signing
            | Lack::Store
            | Lack::Descriptors
            | Lack::Stopping => true,
            Lack::Room => false,
        }
    }
}

/// The result of the last check.
#[derive(Debug, Default)]
pub(in crate::gate) struct Readiness {
    unsigned: AtomicBool,
    stopping: AtomicBool,
    found: Mutex<Option<(Instant, Vec<Lack>)>>,
}

impl Gate {
    /// Notes whether the last attempt to sign the logs succeeded.
    pub fn note_signed(&self, signed: bool) {
        self.readiness.unsigned.store(!signed, Ordering::Release);
    }

    /// Makes `/readyz` say that the gateway is about to stop, so that load balancers send requests elsewhere.
    /// Requests are still answered.
    pub fn note_stopping(&self) {
        self.readiness.stopping.store(true, Ordering::Release);
    }

    /// What is in force, if a request could be answered, by a check at most a second ago.
    ///
    /// # Errors
    ///
    /// What is lacking, if none could.
    pub async fn ready(&self) -> Result<Ready, Vec<Lack>> {
        if self.readiness.stopping.load(Ordering::Acquire) {
            return Err(vec![Lack::Stopping]);
        }
        let failing = self.unready().await;
        if failing.iter().any(|lack| lack.turns_away()) {
            return Err(failing);
        }
        match self.configured().await {
            Ok(configured) => {
                let version = self.laws.version();
                let digest = version.table.digest().to_owned();
                let status = match failing.is_empty() {
                    true => answer::Readiness::Ready,
                    false => answer::Readiness::Degraded,
                };
                let table = TableInForce { version: version.number, digest, configured };
                Ok(Ready { status, failing, table })
            }
            Err(fault) => {
                tracing::error!(code = %fault.code(), "not ready: cannot read the ledger");
                Err(vec![Lack::Trail])
            }
        }
    }

    /// What is lacking, by a check at most a second ago. Concurrent callers wait for the same result.
    pub async fn unready(&self) -> Vec<Lack> {
        let mut found = self.readiness.found.lock().await;
        if let Some((at, lacks)) = found.as_ref()
            && at.elapsed() < GOOD_FOR
        {
            return lacks.clone();
        }
        let lacking = self.lacking().await;
        for (lack, why) in &lacking {
            tracing::error!(lack = lack.as_str(), why, "not ready");
        }
        let lacks: Vec<Lack> = lacking.into_iter().map(|(lack, _)| lack).collect();
        *found = Some((Instant::now(), lacks.clone()));
        lacks
    }

    /// Tries everything that a request needs. Returns what is lacking, each with what to do about it.
    pub async fn lacking(&self) -> Vec<(Lack, String)> {
        let mut lacking = Vec::new();
        let mut lacks = |found: Option<(Lack, String)>| lacking.extend(found);
        if !descriptors::is_one_left() {
            let why = "no more files can be opened: raise the limit of open files, or lower `connections`";
            lacks(Some((Lack::Descriptors, why.into())));
        }
        lacks(self.ledger.probe().await.err().map(|error| (Lack::Trail, Chain(&error).to_string())));
        lacks(self.clock_is_behind().await.unwrap_or_else(unreadable));
        lacks(self.law_was_changed().await.unwrap_or_else(unreadable));
        if self.readiness.unsigned.load(Ordering::Acquire) {
            lacks(Some((Lack::Signing, "the logs cannot be signed: the program's log says why".into())));
        }
        lacks(match self.vault.probe().await {
            Ok(()) => None,
            Err(error @ VaultError::Full { .. }) => {
                Some((Lack::Room, format!("{error}: uploads are refused until there is more room")))
            }
            Err(error @ (VaultError::Store(_) | VaultError::Pack(_) | VaultError::Directory(_))) => {
                Some((Lack::Store, Chain(&error).to_string()))
            }
        });
        lacking
    }

    /// A log whose last entry is too far in the future for entries of now.
    async fn clock_is_behind(&self) -> Result<Option<(Lack, String)>, Fault> {
        let now = self.clock.now().as_millisecond();
        let heads = self.ledger.heads().await?;
        let ahead = heads.iter().map(|(log, head)| (head.last_at.saturating_sub(now), log)).max();
        Ok(ahead.filter(|(ms, _)| *ms > SKEW_MS).map(|(ms, log)| {
            let why = format!(
                "the clock is {} s behind the last entry of the log `{log}`, so nothing can be appended to \
                 it: set the clock, or wait; if the log was written with a wrong clock, start a new epoch \
                 with `audit reopen`",
                ms / 1000
            );
            (Lack::Clock, why)
        }))
    }

    async fn law_was_changed(&self) -> Result<Option<(Lack, String)>, Fault> {
        // No law is in force before the first start.
        let Some(row) = self.ledger.law().await? else { return Ok(None) };
        let same = match self.ledger.table(&row.digest).await {
            // Answers name this digest.
            Ok(text) => text.is_some(),
            Err(LedgerError::Altered(_)) => false,
            Err(error) => return Err(error.into()),
        };
        Ok((!same).then(|| {
            let why = format!(
                "version {} of the table is in force, but its text is not the one that came into force: \
                 restore the ledger from a backup",
                row.version
            );
            (Lack::Law, why)
        }))
    }
}

fn unreadable(fault: Fault) -> Option<(Lack, String)> {
    let why = fault.failure().map_or_else(|| fault.code().to_string(), |failure| Chain(failure).to_string());
    Some((Lack::Trail, why))
}

const GOOD_FOR: Duration = Duration::from_secs(1);
