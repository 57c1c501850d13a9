//! The entries before the pin: a start relies on the pinned root, a decision on proofs of the leaves that it rests on,
//! and the scrub reads all of them in the background.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use super::pins::Pin;
use super::scan::{self, Reading};
use super::{Damage, Notary, NotaryError};
use crate::ledger::{Epoch, LeafRow, LedgerError};
use trail::chain::Chain;
use trail::tree::{Edge, Hash, leaf_hash};

/// The tree of entries that were signed, and that this process has not hashed yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unread {
    pub(super) size: u64,
    pub(super) root: Hash,
}

impl Notary {
    /// The right edge of the pinned tree from the stored hashes, if they have the pinned root, and the newest entry that
    /// registers something. `None` if something does not fit or is not known: then every entry has to be read.
    pub(super) async fn since_pin(&self, at: &Epoch, pin: &Pin) -> Result<Option<Reading>, NotaryError> {
        let Some(registered) = self.pins.registered(at)? else { return Ok(None) };
        let mut proofs = self.proofs(at, pin.size);
        let edge = proofs.parts(0..pin.size).await?.and_then(|hashes| Edge::from_parts(pin.size, hashes));
        let Some(edge) = edge.filter(|edge| edge.root() == pin.root) else { return Ok(None) };
        // The registers are compared with the entry that the ledger names as the newest. If that is before the pin, it
        // must be the one that was the newest at the pin, with the same leaf.
        let newest = self.ledger.newest_registered_at(&at.log).await?;
        let newest = newest.filter(|(epoch, _)| *epoch == at.epoch).map(|(_, index)| index);
        if let Some(index) = newest.filter(|index| *index < pin.size) {
            let leaf = self.ledger.leaves(at, index, index.saturating_add(1)).await?.into_iter().next();
            let Some((leaf, _)) = leaf.filter(|_| registered == Some(index)) else { return Ok(None) };
            if !proofs.hold(index, &leaf_hash(&leaf), &pin.root).await? {
                return Ok(None);
            }
        }
        registered.iter().for_each(|index| self.ledger.hear_of_registered(&at.log, at.epoch, *index));
        Ok(Some(Reading { edge, registered }))
    }

    /// Proves that these leaves of a log are the ones that were signed, unless this process has hashed them. Call it
    /// before anything is decided on them; it costs almost nothing once everything is read.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Altered`] if one is not, or damage was found before. Then the gateway stops.
    pub async fn vouch(&self, log: &str, leaves: &[LeafRow]) -> Result<(), LedgerError> {
        self.sound()?;
        if self.is_read() {
            return Ok(());
        }
        for rows in leaves.chunk_by(|one, next| one.epoch == next.epoch) {
            let Some(first) = rows.first() else { continue };
            let at = Epoch { log: log.to_owned(), epoch: first.epoch };
            let Some(unread) = self.unread_trees().get(&at).copied() else { continue };
            let mut proofs = self.proofs(&at, unread.size);
            for row in rows {
                // No entry has an index below 0.
                let index = u64::try_from(row.seq).unwrap_or_default();
                // What comes later was hashed when this process started, or since.
                if index >= unread.size {
                    continue;
                }
                let hash = leaf_hash(&row.leaf);
                if proofs.hold(index, &hash, &unread.root).await? {
                    continue;
                }
                if self.was_dropped(&at).await? {
                    return Err(LedgerError::Unavailable(
                        "entries of the call were dropped meanwhile".into(),
                    ));
                }
                let stored = self.ledger.leaf_hashes(&at, index, index.saturating_add(1)).await?;
                let damage = match stored.first().is_some_and(|stored| stored.as_slice() == hash) {
                    true => Damage::Root { size: unread.size },
                    false => Damage::Leaf { index },
                };
                self.note_damage(log, damage);
                return self.sound();
            }
        }
        Ok(())
    }

    /// Hashes every leaf from the first entry on, and compares it with the stored hash, the nodes and the signed root:
    /// in the logs that were not read at the start, or else in all. It pauses after every 2,048 entries.
    ///
    /// # Errors
    ///
    /// [`NotaryError::Rewritten`]: from then on nothing is vouched for or signed. Or the ledger does not answer.
    pub async fn scrub(&self, pause: Duration) -> Result<(), NotaryError> {
        let unread = self.unread_trees().clone();
        let all = if unread.is_empty() { self.signed_trees().await } else { unread };
        for (at, tree) in all {
            let found = self.read_all(&at, tree, pause).await?;
            if let Some(damage) = found
                && !self.was_dropped(&at).await?
            {
                self.note_damage(&at.log, damage.clone());
                return Err(NotaryError::Rewritten { log: at.log, damage });
            }
            self.unread.write().unwrap_or_else(PoisonError::into_inner).remove(&at);
        }
        Ok(())
    }

    /// Whether everything that is signed was hashed by this process.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.unread_trees().is_empty()
    }

    /// Waits until damage is found.
    pub async fn damaged(&self) -> NotaryError {
        let mut found = self.damaged.subscribe();
        loop {
            if let Some((log, damage)) = found.borrow_and_update().clone() {
                return NotaryError::Rewritten { log, damage };
            }
            // It cannot be closed while this borrows it.
            if found.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether no damage was found since the start.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Altered`]: this gateway would not have started.
    pub fn sound(&self) -> Result<(), LedgerError> {
        match &*self.damaged.borrow() {
            None => Ok(()),
            Some((log, damage)) => {
                let found = NotaryError::Rewritten { log: log.clone(), damage: damage.clone() };
                Err(LedgerError::Altered(found.to_string()))
            }
        }
    }

    fn note_damage(&self, log: &str, damage: Damage) {
        // The next start finds it before anybody is served.
        if let Err(error) = self.pins.distrust(log) {
            tracing::error!(error = %Chain(&error), "the next start will not read the log first");
        }
        self.damaged.send_if_modified(|found| {
            let is_first = found.is_none();
            found.get_or_insert((log.to_owned(), damage));
            is_first
        });
    }

    fn unread_trees(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Epoch, Unread>> {
        self.unread.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is signed of every log's current epoch.
    async fn signed_trees(&self) -> BTreeMap<Epoch, Unread> {
        let slots = self.signed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut trees = BTreeMap::new();
        for (log, slot) in slots {
            let signed = slot.lock().await;
            let tree = Unread { size: signed.reading.edge.size(), root: signed.reading.edge.root() };
            trees.insert(Epoch { log, epoch: signed.epoch }, tree);
        }
        trees
    }

    async fn read_all(
        &self,
        at: &Epoch,
        Unread { size, root }: Unread,
        pause: Duration,
    ) -> Result<Option<Damage>, LedgerError> {
        let mut reading = Reading::default();
        while reading.edge.size() < size {
            let until = size.min(reading.edge.size().saturating_add(scan::PAGE));
            if let Err(damage) = scan::extend(&self.ledger, at, &mut reading, until).await? {
                return Ok(Some(damage));
            }
            tokio::time::sleep(pause).await;
        }
        Ok((reading.edge.root() != root).then_some(Damage::Root { size }))
    }

    /// Whether an epoch was dropped: the log goes on from it, as this process has found, and its entries are gone.
    async fn was_dropped(&self, at: &Epoch) -> Result<bool, LedgerError> {
        if self.slot(&at.log).lock().await.epoch <= at.epoch {
            return Ok(false);
        }
        let closed = self.ledger.closed_logs(&at.log).await?;
        Ok(closed.iter().any(|row| row.epoch == at.epoch && row.dropped_at.is_some()))
    }
}
