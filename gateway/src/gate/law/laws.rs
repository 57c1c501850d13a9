//! The law in force: the newest version of the table in the ledger, and every table that decided.
//!
//! The ledger is authoritative. This is a copy, refreshed twice a second and whenever a transaction finds
//! that the law has changed. Every request that decides names the version that it used
//! ([`Expect::Law`](crate::ledger::Expect)), so a stale copy can only cause a conflict.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use policy::Table;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::gate::{Fault, Gate};
use trail::Origin;

/// The version in force, and the tables that were already read.
#[derive(Debug)]
pub struct Laws {
    in_force: RwLock<Version>,
    kept: Mutex<HashMap<String, Arc<Table>>>,
    watched: Mutex<Option<Watched>>,
}

/// A version of the table.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number, from 1; 0 before the first is written.
    pub number: i64,
    /// The table.
    pub table: Arc<Table>,
}

/// The state of the table in the watched file, or of the compiled-in one. Strangers may see it, so it holds
/// no path, no reason, and nothing that an outsider wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ConfiguredTable")]
pub struct Watched {
    /// How it was submitted.
    pub origin: Origin,
    /// Its digest, if it can be read.
    #[serde(skip)]
    pub digest: Option<String>,
    /// Its state.
    #[serde(flatten)]
    pub state: WatchedState,
}

/// The state of a table that no person published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ConfiguredTableState")]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum WatchedState {
    /// It is in force.
    InForce,
    /// It loosens something, and awaits two people.
    Waiting {
        /// The id of the proposal.
        proposal: Uuid,
    },
    /// It was offered before and is not in force: it was rejected, or something newer was published.
    Passed,
    /// It cannot be read, and changes nothing.
    Unreadable {
        /// How many errors it has; 0 if the file itself cannot be read.
        problems: usize,
    },
}

impl Laws {
    /// Starts with this version in force.
    #[must_use]
    pub fn new(number: i64, table: Table) -> Laws {
        let table = Arc::new(table);
        let kept = HashMap::from([(table.digest().to_owned(), Arc::clone(&table))]);
        Laws {
            in_force: RwLock::new(Version { number, table }),
            kept: Mutex::new(kept),
            watched: Mutex::new(None),
        }
    }

    /// The table in force.
    #[must_use]
    pub fn in_force(&self) -> Arc<Table> {
        self.version().table
    }

    /// The version in force.
    #[must_use]
    pub fn version(&self) -> Version {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The table that no person published, as of when it was offered.
    #[must_use]
    pub fn watched(&self) -> Option<Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::gate) fn watch(&self, watched: Watched) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(watched);
    }

    /// Never goes back to an earlier version, even if a slow caller brings one.
    fn enforce(&self, version: Version) {
        let mut in_force = self.in_force.write().unwrap_or_else(PoisonError::into_inner);
        if in_force.number < version.number {
            *in_force = version;
        }
    }

    fn known(&self, digest: &str) -> Option<Arc<Table>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    fn keep(&self, table: &Arc<Table>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(table.digest().to_owned(), Arc::clone(table));
    }
}

impl Gate {
    /// Checks which version of the table is in force.
    ///
    /// # Errors
    ///
    /// If the ledger fails or the table cannot be read; then the last one stays.
    pub async fn refresh_law(&self) -> Result<(), Fault> {
        let Some(row) = self.ledger.law().await? else { return Ok(()) };
        let before = self.laws.version().number;
        if before != row.version {
            let table = self.table(&row.digest).await?;
            if before != 0 {
                tracing::info!(
                    version = row.version,
                    table = row.digest,
                    "a different version of the table is now in force"
                );
            }
            self.laws.enforce(Version { number: row.version, table });
        }
        Ok(())
    }

    /// A stored table.
    pub(in crate::gate) async fn table(&self, digest: &str) -> Result<Arc<Table>, Fault> {
        if let Some(table) = self.laws.known(digest) {
            return Ok(table);
        }
        let text = self
            .ledger
            .table(digest)
            .await?
            .ok_or_else(|| Fault::damaged("a table that decided is missing"))?;
        let table = Table::parse(&text)
            .map_err(|problems| Fault::damaged_by("a table that decided cannot be read", problems))?;
        if table.digest() != digest {
            return Err(Fault::damaged("a table does not match its digest"));
        }
        let table = Arc::new(table);
        self.laws.keep(&table);
        Ok(table)
    }
}
