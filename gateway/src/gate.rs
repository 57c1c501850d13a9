//! The gate: facts and table → decision → admission, refusal or permit.
//!
//! Doors translate a dialect into the verbs here: open, observe, control, store, fetch. Every verb
//! that decides has one shape: load the call, fold its entries, decide, append *if the call's last
//! entry is still the one that was seen*, else again. So a stale view can only conflict, never
//! decide wrongly.
//!
//! The gate knows no HTTP. What it refuses or fails at is a [`Fault`].

pub mod answer;
pub mod ask;
mod call;
mod custody;
mod fault;
mod law;
mod log;
mod notices;
mod people;
mod scope;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use answer::Names;
use call::barred::Barred;
pub use call::facts::{MAX_ALIASES, MAX_LANGUAGES, MAX_PLACES};
use call::load::{Context, Loaded};
pub use call::observe::MAX_ENTRIES;
pub use call::offline;
use call::turns::Turns;
use call::warm::{Folded, Warm};
use custody::keys::KeyCache;
pub use custody::keys::{Retired, TakenKey};
pub use custody::newest::OfName;
pub use custody::placed::Placement;
pub(in crate::gate) use custody::recordings::stretches;
pub use custody::recordings::{Served, Sought};
pub use custody::store::{Admission, Sent, Stored, Taken};
pub(crate) use fault::codes;
pub use fault::{
    CallRefusal, ErasureRefusal, ExportRefusal, Failure, Fault, FaultCode, FaultKind, Field, Lacking,
    LawRefusal, LogRefusal, Meant, Member, PersonRefusal, RecordingRefusal, Refused, RegisterRefusal, Thing,
    Unkept, Wrong, WrongEvent, WrongReading,
};
pub(crate) use law::chosen::check_overlays;
pub use law::desk::Author;
pub(crate) use law::desk::today;
pub use law::laws::{Laws, Watched};
pub(crate) use law::prompts::check_prompt;
use law::readings::Readings;
pub use law::{lawbook, prompts};
pub use log::consents::{Filters, Inquiry, Looked, Record, sheet_head};
pub use log::evidence::{About, Exports, Form};
pub use log::handout::{HandoutError, Sink};
pub use log::live::Live;
pub use log::ready::Lack;
use log::ready::Readiness;
pub use log::vigil::Watch;
pub use log::vigil::{Left, Mark};
pub use notices::order::{ORDER, Order};
pub use notices::webhook::{SetWebhook, Webhook};
pub use people::erasure;
pub use people::person::Person;
pub use people::provision::MAX_ACCOUNT_ALIASES;
pub use people::register::{AccountSettings, Authority, NewCredential};
use people::register::{check_account, looser};
pub use scope::scope as recording_scope;

use crate::access::Principal;
use crate::ledger::{Appended, Change, Expect, Job, Ledger, ParticipantRow, RecordingRow};
use crate::locate::Locator;
use crate::notary::Notary;
use crate::record::Algorithm;
use crate::secrets::{Locks, Secrets};
use crate::vault::{Kept, Vault};
use crate::webhook::Reach;
use trail::clock::{Clock, millis};
use trail::note::VerifierKey;
use trail::{Actor, Body, OrderedAction};

/// The gate. Its verbs stand in its wings; nobody else reaches into it.
#[derive(Debug)]
pub struct Gate {
    clock: Clock,
    ledger: Ledger,
    vault: Vault,
    locator: Locator,
    laws: Laws,
    secrets: Secrets,
    locks: Locks,
    uploads: UploadLimits,
    exports: Exports,
    witnesses: Vec<VerifierKey>,
    webhooks: Reach,
    /// What recorders are told to do by the APIs of their platforms, by account.
    switches: BTreeMap<String, OrderedAction>,
    /// Public keys that were read and checked before.
    keys: KeyCache,
    /// Calls that were loaded lately.
    warm: Warm,
    /// How accounts read the law whose calls were decided lately.
    readings: Readings,
    /// Lets verbs on one call wait for each other instead of colliding.
    turns: Turns,
    /// Calls on which something restrictive happened that could not be logged.
    barred: Barred,
    /// Whether a request could be answered.
    readiness: Readiness,
    /// Something was queued that an account is to be told.
    queued: Notify,
    /// A legal hold was lifted: somebody may have waited for it.
    lifted: Notify,
    /// Only a gateway that serves signs.
    notary: Option<Notary>,
    /// Work that goes on when its client is gone.
    tasks: TaskTracker,
}

/// What a gate is composed of.
#[derive(Debug)]
pub struct Parts {
    /// The clock.
    pub clock: Clock,
    /// SQL.
    pub ledger: Ledger,
    /// Media.
    pub vault: Vault,
    /// Places.
    pub locator: Locator,
    /// The law: the version of the table in force, and those before.
    pub laws: Laws,
    /// The gateway's own secrets.
    pub secrets: Secrets,
    /// The keys to what is in quarantine.
    pub locks: Locks,
    /// Limits of uploads.
    pub uploads: UploadLimits,
    /// What exports need to know beside the trail.
    pub exports: Exports,
    /// The keys of those who cosign the heads of the logs.
    pub witnesses: Vec<VerifierKey>,
    /// Where accounts may be told what happens.
    pub webhooks: Reach,
    /// What recorders are told to do by the APIs of their platforms, by account.
    pub switches: BTreeMap<String, OrderedAction>,
}

/// Limits of one upload, and how it is recognized.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// The longest body, in bytes.
    pub max_bytes: u64,
    /// The longest time that a body may take.
    pub deadline: Duration,
    /// How the same upload is told from another.
    pub fingerprint: Algorithm,
}

impl Gate {
    /// Composes a gate that signs nothing.
    #[must_use]
    pub fn new(parts: Parts) -> Gate {
        let Parts {
            clock,
            ledger,
            vault,
            locator,
            laws,
            secrets,
            locks,
            uploads,
            exports,
            witnesses,
            webhooks,
            switches,
        } = parts;
        Gate {
            clock,
            ledger,
            vault,
            locator,
            laws,
            secrets,
            locks,
            uploads,
            exports,
            witnesses,
            webhooks,
            switches,
            keys: KeyCache::default(),
            warm: Warm::default(),
            readings: Readings::default(),
            turns: Turns::default(),
            barred: Barred::default(),
            readiness: Readiness::default(),
            queued: Notify::new(),
            lifted: Notify::new(),
            notary: None,
            tasks: TaskTracker::new(),
        }
    }

    /// The same, signing the logs.
    #[must_use]
    pub fn signing_with(self, notary: Notary) -> Gate {
        Gate { notary: Some(notary), ..self }
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The ledger, for administration, audits and keepers. Doors call verbs instead.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Media.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The versions of the table.
    #[must_use]
    pub fn laws(&self) -> &Laws {
        &self.laws
    }

    /// The gateway's own secrets.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Who signs the logs, at a gateway that serves.
    #[must_use]
    pub fn notary(&self) -> Option<&Notary> {
        self.notary.as_ref()
    }

    /// Does work that goes on when its client is gone.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tasks.spawn(work)
    }

    /// Waits until all work that was spawned has ended. Nothing may be spawned after this.
    pub async fn idle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Appends one entry that nothing else competes with.
    pub(crate) async fn note(
        &self,
        actor: &Actor,
        log: &str,
        body: Body,
        detail: Option<serde_json::Value>,
        changes: Vec<Change>,
        expects: Vec<Expect>,
    ) -> Result<Appended, Fault> {
        let draft = trail::draft(log, self.clock.now(), actor, None, body, detail)?;
        self.append(Job { expects, changes, entries: vec![draft] }).await
    }
}

/// Computes something; where it is much, on a thread on which nobody waits.
pub(crate) async fn blocking<T: Send + 'static>(
    is_much: bool,
    compute: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    if !is_much {
        return Ok(compute());
    }
    tokio::task::spawn_blocking(compute)
        .await
        .map_err(|error| Fault::damaged_by("a computation was cut short", error))
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Actor {
        Actor { credential: principal.credential.clone(), role: principal.role.as_str().into() }
    }
}

pub(crate) fn parse_id(text: &str) -> Result<Uuid, Fault> {
    text.parse().map_err(|_| Fault::damaged("an id cannot be read"))
}

/// Where the media of a recording are.
pub(crate) fn kept(row: &RecordingRow) -> Result<Kept, Fault> {
    let place = row.place.as_deref().map(str::parse).transpose();
    let place = place.map_err(|_| Fault::damaged("the place of a recording's media cannot be read"))?;
    Ok(Kept { id: parse_id(&row.id)?, place })
}

/// What the platform calls the people of a call.
fn called(rows: &[ParticipantRow]) -> Names {
    let named = |row: &ParticipantRow| Some((u32::try_from(row.participant).ok()?, row.id.clone()));
    Names { people: rows.iter().filter_map(named).collect(), ..Names::default() }
}

pub(crate) fn from_row(at: i64) -> Timestamp {
    millis(at)
}

/// How often a verb looks again when others were faster.
pub(crate) const ATTEMPTS: usize = 64;

/// How many entries are folded where the request is answered.
const FOLDED_AT_ONCE: usize = 64;
