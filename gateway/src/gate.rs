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
mod barred;
mod claims;
mod consents;
mod desk;
mod epochs;
pub mod erasure;
mod evidence;
mod explain;
mod facts;
mod fault;
mod fetch;
mod handout;
mod impact;
mod keys;
pub mod lawbook;
mod laws;
mod live;
mod observe;
pub mod offline;
mod open;
mod people;
mod ready;
mod register;
pub mod speak;
mod store;
mod told;
mod transparency;
mod turns;
mod vigil;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use policy::{Call, Code, Joined, Settings, Table};
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use barred::Barred;
pub use consents::{Filters, Inquiry, Record, sheet_head};
pub use desk::Author;
pub(crate) use desk::today;
pub use evidence::{About, Exports, Form};
pub use facts::{MAX_ALIASES, MAX_LANGUAGES, MAX_PLACES};
pub(crate) use fault::codes;
pub use fault::{
    CallRefusal, ErasureRefusal, ExportRefusal, Failure, Fault, FaultCode, FaultKind, Field, Lacking,
    LawRefusal, LogRefusal, Meant, Member, PersonRefusal, RecordingRefusal, Refused, RegisterRefusal, Thing,
    Unkept, Wrong, WrongEvent,
};
pub use fetch::{Served, Sought};
pub use handout::{HandoutError, Sink};
use keys::KeyCache;
pub use laws::{Laws, Watched};
pub use live::Live;
pub use observe::MAX_ENTRIES;
pub use people::Person;
pub use ready::Lack;
use ready::Readiness;
pub(crate) use register::check_prompt;
pub use register::{AccountSettings, NewCredential};
pub use store::{Admission, Placement, Stored};
use turns::Turns;
pub use vigil::Watch;
pub use vigil::{Left, Mark};

use crate::access::Principal;
use crate::clock::{Clock, millis};
use crate::ledger::{Appended, CallRow, Change, Expect, Job, Ledger, ParticipantRow};
use crate::locate::Locator;
use crate::notary::Notary;
use crate::secrets::Secrets;
use crate::trail::note::VerifierKey;
use crate::trail::{self, Actor, Body, Leaf, Saw};
use crate::vault::Vault;

/// The gate. Its verbs stand in its wings; nobody else reaches into it.
#[derive(Debug)]
pub struct Gate {
    clock: Clock,
    ledger: Ledger,
    vault: Vault,
    locator: Locator,
    laws: Laws,
    secrets: Secrets,
    uploads: UploadLimits,
    exports: Exports,
    witnesses: Vec<VerifierKey>,
    /// Public keys that were read and checked before.
    keys: KeyCache,
    /// Lets verbs on one call wait for each other instead of colliding.
    turns: Turns,
    /// Calls on which something restrictive happened that could not be logged.
    barred: Barred,
    /// Whether a request could be answered.
    readiness: Readiness,
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
    /// Limits of uploads.
    pub uploads: UploadLimits,
    /// What exports need to know beside the trail.
    pub exports: Exports,
    /// The keys of those who cosign the heads of the logs.
    pub witnesses: Vec<VerifierKey>,
}

/// Limits of one upload.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// The longest body, in bytes.
    pub max_bytes: u64,
    /// The longest time that a body may take.
    pub deadline: Duration,
}

/// A call as the gate has loaded it.
pub(crate) struct Loaded {
    pub(crate) uid: Uuid,
    pub(crate) row: CallRow,
    pub(crate) context: Context,
    pub(crate) names: Vec<ParticipantRow>,
    /// Folded, and judged by the table in force as well.
    pub(crate) call: Call,
    pub(crate) head: Uuid,
    /// The table in force.
    pub(crate) table: Arc<Table>,
    /// The moment at which a verb on this call is decided: never before the call's last entry.
    pub(crate) now: Timestamp,
    /// Its entries, and the gaps of its log that concern it.
    pub(crate) leaves: Vec<Leaf>,
    /// The pseudonyms of its participants' numbers.
    pub(crate) subjects: Vec<(u32, String)>,
    /// Who had objected on an earlier call of its id, by the pseudonyms of their numbers.
    pub(crate) objectors: Vec<(String, Timestamp)>,
}

/// What is kept of the request that opened a call, beside the facts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Context {
    /// SHA-256 of the request.
    pub(crate) digest: String,
    /// What the recording is for.
    pub(crate) purposes: Vec<String>,
    /// `inbound` or `outbound`.
    pub(crate) direction: Option<ask::Direction>,
    /// The ids of its legs.
    pub(crate) aliases: Vec<String>,
    /// Whether the platform said when it began.
    pub(crate) dated: bool,
}

impl Gate {
    /// Composes a gate that signs nothing.
    #[must_use]
    pub fn new(parts: Parts) -> Gate {
        let Parts { clock, ledger, vault, locator, laws, secrets, uploads, exports, witnesses } = parts;
        Gate {
            clock,
            ledger,
            vault,
            locator,
            laws,
            secrets,
            uploads,
            exports,
            witnesses,
            keys: KeyCache::default(),
            turns: Turns::default(),
            barred: Barred::default(),
            readiness: Readiness::default(),
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

    /// SQL, for whoever administers, audits or keeps it. Doors have verbs.
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

    /// Waits until all such work has ended; nobody may begin any after this.
    pub async fn idle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Loads a call by its id or an alias.
    pub(crate) async fn load(&self, account: &str, name: &str) -> Result<Loaded, Fault> {
        let row = self.ledger.call_by_name(account, name).await?.ok_or(CallRefusal::Unknown)?;
        self.load_row(row).await
    }

    pub(crate) async fn load_row(&self, row: CallRow) -> Result<Loaded, Fault> {
        let uid = parse_id(&row.uid)?;
        let (leaves, names) = self.leaves_of(uid).await?;
        let tables = self.tables(&leaves).await?;
        // A long call takes its time to fold: nobody else waits for it.
        let (leaves, call) = blocking(leaves.len() > FOLDED_AT_ONCE, move || {
            let call = fold(&tables, &leaves);
            (leaves, call)
        })
        .await?;
        let mut call = call?;
        let table = self.laws.in_force();
        let now = self.clock.now().max(call.last());
        call.know(&table, now);
        let mut objectors = Vec::new();
        let mut subjects = Vec::new();
        for leaf in &leaves {
            if let Body::Opened { objectors: told, .. } = &leaf.body {
                objectors.clone_from(told);
            }
            subjects.extend_from_slice(leaf.body.subjects());
        }
        // A gap of the log is no entry of the call's own.
        let own = leaves.iter().rev().find(|leaf| leaf.call == Some(uid));
        let head = own.map(|leaf| leaf.id).ok_or_else(|| Fault::damaged("a call has no entries"))?;
        let context =
            serde_json::from_str(&row.body).map_err(|_| Fault::damaged("a call's context cannot be read"))?;
        Ok(Loaded { uid, row, context, names, call, head, table, now, leaves, subjects, objectors })
    }

    /// A call's entries, and the gaps of its log that concern it; and who was ever on it.
    pub(crate) async fn leaves_of(&self, call: Uuid) -> Result<(Vec<Leaf>, Vec<ParticipantRow>), Fault> {
        let (entries, names) = self.ledger.history(call).await?;
        let leaves: Result<Vec<Leaf>, _> = entries.iter().map(|leaf| serde_json::from_slice(leaf)).collect();
        Ok((leaves.map_err(|_| Fault::damaged("an entry cannot be read"))?, names))
    }

    /// Folds a call by the tables that decided it.
    pub(crate) async fn fold(&self, leaves: &[Leaf]) -> Result<Call, Fault> {
        fold(&self.tables(leaves).await?, leaves)
    }

    /// The tables by which these entries were decided.
    async fn tables(&self, leaves: &[Leaf]) -> Result<Vec<Arc<Table>>, Fault> {
        let mut tables: Vec<Arc<Table>> = Vec::new();
        for saw in leaves.iter().filter_map(|leaf| leaf.body.saw()) {
            if tables.iter().all(|known| known.digest() != saw.table) {
                tables.push(self.table(&saw.table).await?);
            }
        }
        Ok(tables)
    }

    /// Appends; a conflict means that somebody else was faster, and everything is looked at anew: the
    /// law as well.
    pub(crate) async fn append(&self, job: Job) -> Result<Appended, Fault> {
        let appended = self.ledger.append(job).await?;
        if appended == Appended::Conflict {
            self.refresh_law().await?;
        }
        Ok(appended)
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

    /// The account's settings as they are now.
    pub(crate) async fn settings(
        &self,
        account: &str,
    ) -> Result<(AccountSettings, Option<Code>, Option<Code>), Fault> {
        let row = self.ledger.account(account).await?.ok_or(CallRefusal::Unknown)?;
        let settings = AccountSettings::read(&row.settings)?;
        let place = |code: Option<String>| code.and_then(|code| code.parse().ok());
        Ok((settings, place(row.recorder_location), place(row.operator_location)))
    }

    /// Describes a participant for the policy: places, and the grant they name, on a call of this kind and for
    /// these purposes.
    pub(crate) async fn describe(
        &self,
        account: &str,
        number: u32,
        asked: &ask::Participant,
        (kind, purposes): (policy::Kind, &[String]),
        expects: &mut Vec<Expect>,
    ) -> Result<Joined, Fault> {
        let mut joined = facts::joined(&self.locator, kind, number, asked)?;
        if let Some(id) = &asked.consent_grant {
            match self.granted(account, id, asked, purposes).await? {
                Ok(grant) => {
                    expects.push(Expect::GrantHolds { account: account.into(), id: id.clone() });
                    joined.grant = Some(grant);
                }
                Err(refused) => joined.refused_grant = Some(refused),
            }
        }
        Ok(joined)
    }

    /// The pseudonym of a number in an account's log, with the subject's key if it is new.
    pub(crate) async fn pseudonym(&self, log: &str, number: &str, job: &mut Job) -> Result<String, Fault> {
        let tag = trail::subject::tag(&self.secrets.lookup, log, number);
        let known = job.changes.iter().find_map(|change| {
            if let Change::Subject { tag: added, key, .. } = change
                && *added == tag
            {
                return Some(key.clone());
            }
            None
        });
        let stored = match known {
            Some(key) => Some(key),
            None => {
                let stored = self.ledger.subject(&tag).await?;
                // Somebody may be erased before this is written: then a new key is made.
                job.expects.push(Expect::Subject { tag: tag.clone(), key: stored.clone() });
                stored
            }
        };
        let key = match stored {
            Some(stored) => trail::subject::open_key(&self.secrets.subjects, &stored)
                .ok_or_else(|| Fault::damaged("a subject's key was sealed under another `subjects.key`"))?,
            None => {
                let (key, sealed) = trail::subject::new_key(&self.secrets.subjects)?;
                job.changes.push(Change::Subject { tag, key: sealed, at: self.clock.now().as_millisecond() });
                key
            }
        };
        Ok(trail::subject::pseudonym(&key, log, number))
    }
}

fn fold(tables: &[Arc<Table>], leaves: &[Leaf]) -> Result<Call, Fault> {
    let by_digest = |digest: &str| tables.iter().find(|table| table.digest() == digest).cloned();
    Ok(trail::fold(&by_digest, leaves)?)
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

impl Loaded {
    /// What the policy sees now.
    pub(crate) fn saw(&self) -> Saw {
        Saw::of(self.table.digest(), &self.call.decide(self.now))
    }

    /// The participant's number, if they were ever on the call and can be named.
    pub(crate) fn number_of(&self, id: &str) -> Option<u32> {
        let row = self.row_of(id).filter(|row| row.id != ask::OTHERS)?;
        u32::try_from(row.participant).ok()
    }

    /// The ids of everybody who is on the call now.
    pub(crate) fn present(&self) -> impl Iterator<Item = String> {
        let here =
            |row: &&ParticipantRow| u32::try_from(row.participant).is_ok_and(|p| self.call.is_present(p));
        self.names.iter().filter(here).map(|row| row.id.clone())
    }

    /// Whoever has this id.
    pub(crate) fn row_of(&self, id: &str) -> Option<&ParticipantRow> {
        self.names.iter().find(|row| row.id == id)
    }

    /// Whoever acts here must still see the call's last entry as it was, nobody on it erased since, and
    /// the same law.
    pub(crate) fn expects(&self) -> Vec<Expect> {
        let digest = self.table.digest().to_owned();
        vec![
            Expect::Head { call: self.uid, head: self.head },
            Expect::CallIs { call: self.uid, id: self.row.id.clone() },
            Expect::Law { digest: Some(digest) },
        ]
    }
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Actor {
        Actor { credential: principal.credential.clone(), role: principal.role.as_str().into() }
    }
}

/// Checks a claimed time against the clock: not in the future, not in the far past.
pub(crate) fn check_time(field: Field, at: Timestamp, now: Timestamp) -> Result<(), Wrong> {
    let offset_ms = at.as_millisecond().saturating_sub(now.as_millisecond());
    if offset_ms > AHEAD_MS {
        return Err(Wrong::Future { field, seconds: offset_ms / 1000 });
    }
    if offset_ms < -PAST_MS {
        return Err(Wrong::Past(field));
    }
    Ok(())
}

pub(crate) fn parse_id(text: &str) -> Result<Uuid, Fault> {
    text.parse().map_err(|_| Fault::damaged("an id cannot be read"))
}

pub(crate) fn from_row(at: i64) -> Timestamp {
    millis(at)
}

impl AccountSettings {
    pub(crate) fn read(document: &str) -> Result<AccountSettings, Fault> {
        serde_json::from_str(document).map_err(|_| Fault::damaged("an account's settings cannot be read"))
    }

    pub(crate) fn for_policy(&self) -> Settings {
        Settings {
            default_language: ask::language(Field::DefaultLanguage, &self.default_language)
                .unwrap_or_default(),
            late_evidence_seconds: self.late_evidence_seconds,
            recorders: self.recorders,
            on_withdrawal: self.on_withdrawal,
            public_safety: self.public_safety,
        }
    }
}

/// How far ahead of ours the platform's clock may be, in milliseconds.
const AHEAD_MS: i64 = 5_000;
/// How far back something may be reported, in milliseconds.
const PAST_MS: i64 = 24 * 3_600_000;

/// How many entries are folded where the request is answered.
const FOLDED_AT_ONCE: usize = 64;

/// How often a verb looks again when others were faster.
pub(crate) const ATTEMPTS: usize = 64;
