//! What this process knows of the registers: it reads them once, and then follows the logs.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use super::rows::Committed;
use super::{
    KINDS, REGISTERS, Touch, hashed, leaf_as_text, newest, parse_hash, read_entry, read_newest, texts,
};
use crate::ledger::sql::Statement;
use crate::ledger::{Epoch, Ledger, LedgerError};
use trail::registers::{Registered, Sum};
use trail::tree::Hash;

/// What this process knows of the registers.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Registers {
    /// Whether rows are compared.
    on: AtomicBool,
    logs: RwLock<HashMap<String, Known>>,
    /// The newest entry of a log that registers something, as readers of the log reported it.
    heard: RwLock<HashMap<String, (i64, i64)>>,
    reading: tokio::sync::Mutex<()>,
}

/// The registers of a log.
#[derive(Debug, Default)]
struct Known {
    /// The epoch and index of the first entry that was not read yet.
    next: (i64, i64),
    sum: Sum,
    rows: HashMap<(&'static str, String), Hash>,
    /// How many rows each register has.
    counts: HashMap<&'static str, usize>,
    /// Why none of its rows counts.
    wrong: Option<String>,
}

impl Registers {
    /// Starts comparing rows.
    pub(in crate::ledger) fn begin(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    /// Notes that an entry registers something.
    pub(in crate::ledger) fn hear(&self, log: &str, place: (i64, i64)) {
        let mut heard = self.heard.write().unwrap_or_else(PoisonError::into_inner);
        let newest = heard.entry(log.to_owned()).or_insert(place);
        *newest = place.max(*newest);
    }

    /// The newest reported entry.
    pub(in crate::ledger) fn heard(&self, log: &str) -> Option<(i64, i64)> {
        self.heard.read().unwrap_or_else(PoisonError::into_inner).get(log).copied()
    }

    /// Compares these rows with the log; if `all_of` names a log, they must be all of its rows. Returns a log
    /// that has to be read first, or contradicts a row as far as it was read.
    pub(in crate::ledger) fn hold<'r, R: Committed + 'r>(
        &self,
        rows: impl Iterator<Item = &'r R>,
        all_of: Option<&str>,
    ) -> Result<Option<(String, String)>, LedgerError> {
        if !self.on.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut count = 0usize;
        for found in rows {
            count = count.saturating_add(1);
            let hash = found.columns().map(|columns| hashed(R::REGISTER, &columns)).transpose()?;
            let (log, key) = (found.log(), found.key());
            if !self.with(log, |known| known.rows.get(&(R::REGISTER, key.clone())).copied() == hash)? {
                return Ok(Some((log.to_owned(), format!("{} `{key}`", R::REGISTER))));
            }
        }
        if let Some(log) = all_of
            && !self.with(log, |known| known.counts.get(R::REGISTER).copied().unwrap_or_default() == count)?
        {
            return Ok(Some((log.to_owned(), format!("a {} that is missing, or one too many", R::REGISTER))));
        }
        Ok(None)
    }

    /// Whether the log has such a row; `None` if it has to be read first.
    pub(in crate::ledger) fn knows(
        &self,
        log: &str,
        register: &'static str,
        key: &str,
    ) -> Result<Option<bool>, LedgerError> {
        if !self.on.load(Ordering::Relaxed) {
            return Ok(Some(false));
        }
        let at = (register, key.to_owned());
        let is = self.with(log, |known| known.rows.contains_key(&at))?;
        let is_not = self.with(log, |known| !known.rows.contains_key(&at))?;
        Ok((is || is_not).then_some(is))
    }

    /// Whether something holds for a log; false if it has to be read first.
    fn with(&self, log: &str, is_so: impl FnOnce(&Known) -> bool) -> Result<bool, LedgerError> {
        let heard = self.heard(log);
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = logs.get(log) else { return Ok(false) };
        let is_newest = heard.is_none_or(|heard| heard < known.next);
        match &known.wrong {
            // Later entries may have put it right.
            Some(wrong) if is_newest => Err(LedgerError::Altered(wrong.clone())),
            Some(_) => Ok(false),
            None => Ok(is_newest && is_so(known)),
        }
    }

    fn put(&self, log: &str, known: Known) -> Result<(), LedgerError> {
        let wrong = known.wrong.clone();
        self.logs.write().unwrap_or_else(PoisonError::into_inner).insert(log.to_owned(), known);
        match wrong {
            None => Ok(()),
            Some(wrong) => Err(LedgerError::Altered(wrong)),
        }
    }

    /// The first entry that was not read yet.
    fn next(&self, log: &str) -> Option<(i64, i64)> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).get(log).map(|known| known.next)
    }

    fn take(&self, log: &str) -> Option<Known> {
        self.logs.write().unwrap_or_else(PoisonError::into_inner).remove(log)
    }
}

impl Known {
    /// Sets or removes a row. Returns what it was.
    fn put(&mut self, register: &'static str, key: String, row: Option<Hash>) -> Option<Hash> {
        let before = match row {
            Some(row) => {
                self.sum.add(&row);
                self.rows.insert((register, key), row)
            }
            None => self.rows.remove(&(register, key)),
        };
        before.iter().for_each(|before| self.sum.remove(before));
        let count = self.counts.entry(register).or_default();
        *count =
            count.saturating_add(usize::from(row.is_some())).saturating_sub(usize::from(before.is_some()));
        before
    }

    /// Applies what an entry registers; false if it does not name the rows, or they do not add up to its sum:
    /// then all rows are read again.
    fn follow(&mut self, log: &str, place: (i64, i64), registered: &Registered) -> bool {
        self.next = (place.0, place.1.saturating_add(1));
        let Some(rows) = &registered.rows else { return false };
        for (register, key, hash) in rows {
            let register = REGISTERS.iter().find(|known| known.name == register);
            let hash = hash.as_ref().map(|hash| parse_hash(hash));
            let (Some(register), None | Some(Some(_))) = (register, &hash) else {
                self.wrong = Some(format!(
                    "entry {} of the log `{log}` registers something that this program does not know",
                    place.1
                ));
                return true;
            };
            self.put(register.name, key.clone(), hash.flatten());
        }
        self.sum.commitment() == registered.sum
    }
}

impl Ledger {
    /// From now on, only rows of registers that match the log are handed out.
    pub fn compare_registers(&self) {
        self.registers.begin();
    }

    /// Notes that an entry of a log registers something, as a reader of the log found.
    pub fn hear_of_registered(&self, log: &str, epoch: i64, seq: u64) {
        self.registers.hear(log, (epoch, i64::try_from(seq).unwrap_or(i64::MAX)));
    }

    /// Reads an epoch, and notes which of its entries register something.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn hear_of_all(&self, at: &Epoch, size: u64) -> Result<(), LedgerError> {
        let mut index = 0u64;
        while index < size {
            let leaves = self.leaves(at, index, size.min(index.saturating_add(PAGE))).await?;
            if leaves.is_empty() {
                return Err(LedgerError::Damaged(format!(
                    "entry {index} of the log `{}` is missing",
                    at.log
                )));
            }
            for (leaf, _) in &leaves {
                if trail::registers(leaf) {
                    self.hear_of_registered(&at.log, at.epoch, index);
                }
                index = index.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Compares every row of every register with the logs.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Altered`] if one does not match its log.
    pub async fn check_registers(&self) -> Result<(), LedgerError> {
        let mut logs: BTreeSet<String> = self.heads().await?.into_iter().map(|(log, _)| log).collect();
        for register in &REGISTERS {
            let sql = format!("SELECT DISTINCT {} FROM {}", register.log, register.from);
            let rows = texts(&self.pool, Statement { sql: sql.into(), values: Vec::new() }).await?;
            logs.extend(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()));
        }
        for log in logs {
            self.check_registers_of(&log).await?;
        }
        Ok(())
    }

    /// Compares every row of a log's registers with the log. Returns what its newest entry commits to, if any
    /// has registered anything.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Altered`] if one does not match the log.
    pub async fn check_registers_of(&self, log: &str) -> Result<Option<String>, LedgerError> {
        let _one = self.registers.reading.lock().await;
        let known = self.read_registers(log).await?;
        let sum = (known.next > (0, 0)).then(|| known.sum.commitment());
        self.registers.put(log, known)?;
        Ok(sum)
    }

    /// Reads the log's newest entries.
    pub(in crate::ledger) async fn follow_registers(&self, log: &str) -> Result<(), LedgerError> {
        let before = self.registers.next(log);
        let _one = self.registers.reading.lock().await;
        if self.registers.next(log) != before {
            // A concurrent reader has read it already.
            return Ok(());
        }
        let Some(mut known) = self.registers.take(log).filter(|known| known.wrong.is_none()) else {
            let known = self.read_registers(log).await?;
            return self.registers.put(log, known);
        };
        let followed = self.follow(log, &mut known).await;
        if let Ok(false) = followed {
            known = self.read_registers(log).await?;
        }
        self.registers.put(log, known)?;
        followed.map(drop)
    }

    /// Reads the log's newest entries; false if they do not name the rows that have changed.
    async fn follow(&self, log: &str, known: &mut Known) -> Result<bool, LedgerError> {
        // Entries that are reported later may be newer than this answer.
        let heard = self.registers.heard(log);
        let kinds = KINDS.map(|kind| format!("'{kind}'")).join(", ");
        let sql = format!(
            "SELECT CAST(epoch AS TEXT), CAST(seq AS TEXT), {} FROM entry \
             WHERE log = ? AND (epoch, seq) >= (?, ?) AND type IN ({kinds})",
            leaf_as_text(self.dialect())
        );
        let entries =
            Statement { sql: sql.into(), values: Vec::new() }.bind(log).bind(known.next.0).bind(known.next.1);
        let entries = texts(&self.pool, entries).await?;
        let mut entries =
            entries.iter().map(|entry| read_entry(log, entry)).collect::<Result<Vec<_>, _>>()?;
        entries.sort_unstable_by_key(|(place, _)| *place);
        for (place, registered) in entries {
            if let Some(registered) = registered
                && !known.follow(log, place, &registered)
            {
                return Ok(false);
            }
        }
        Ok(heard.is_none_or(|heard| heard < known.next))
    }

    /// Reads every row of a log's registers, and the newest entry that commits to them.
    async fn read_registers(&self, log: &str) -> Result<Known, LedgerError> {
        for _ in 0..ATTEMPTS {
            let heard = self.registers.heard(log);
            let newest = self.newest_registered(log).await?;
            let mut known = Known::default();
            for register in &REGISTERS {
                let all = Touch::all_of(register, log);
                for (place, hash) in all.rows(texts(&self.pool, all.select()).await?)? {
                    if known.put(place.register, place.key.clone(), Some(hash)).is_some() {
                        known.wrong =
                            Some(format!("`{}` has two rows `{}` of `{log}`", place.register, place.key));
                    }
                }
            }
            if self.newest_registered(log).await? != newest {
                continue;
            }
            let committed = match &newest {
                Some((place, registered)) => {
                    known.next = (place.0, place.1.saturating_add(1));
                    registered.sum == known.sum.commitment()
                }
                None => known.rows.is_empty(),
            };
            if !committed || heard.is_some_and(|heard| heard >= known.next) {
                known.wrong = known.wrong.or_else(|| {
                    Some(format!(
                        "what is registered of `{log}` (accounts, credentials, keys, prompts, grants, holds, people, the law) is \
                         not what its log says: somebody has changed a row in the database. Nothing is decided by it. Put it right from a \
                         backup; or, if the rows are right, begin a new epoch of the log with `consent-gateway audit reopen`"
                    ))
                });
            }
            return Ok(known);
        }
        Err(LedgerError::Unavailable(format!("the registers of `{log}` change too fast to be read")))
    }

    async fn newest_registered(&self, log: &str) -> Result<Option<((i64, i64), Registered)>, LedgerError> {
        read_newest(log, &texts(&self.pool, newest(log, self.dialect())).await?)
    }
}

/// How many leaves are read at once.
const PAGE: u64 = 2_048;
/// How often registers that change meanwhile are read again.
const ATTEMPTS: usize = 16;
