//! The border between epochs: nothing of the next one is signed unless it continues what was signed of the
//! previous one.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::pins::Pin;
use super::scan::{self, Reading};
use super::{Notary, NotaryError, Signed, epoch_of};
use crate::ledger::{Epoch, Head};
use trail::note::{Checkpoint, Note};
use trail::tree::{Edge, Hash};
use trail::{Body, Leaf, Previous};

/// The state of a log that was signed.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) epoch: i64,
    pub(super) size: u64,
    root: Hash,
    /// What was hashed already.
    reading: Reading,
}

impl Notary {
    /// The signed state of a log: the newer of what this process has signed and what is pinned.
    pub(super) fn known(&self, log: &str, signed: &Signed, pin: Option<&Pin>) -> Option<Known> {
        let own = (signed.epoch > 0).then(|| Known {
            epoch: signed.epoch,
            size: signed.reading.edge.size(),
            root: signed.reading.edge.root(),
            reading: signed.reading.clone(),
        });
        let pinned = pin.map(|pin| Known {
            epoch: epoch_of(&pin.origin, log),
            size: pin.size,
            root: pin.root,
            reading: Reading::default(),
        });
        let place = |known: &Known| (known.epoch, known.size);
        own.into_iter()
            .chain(pinned)
            .reduce(|own, pinned| if place(&pinned) > place(&own) { pinned } else { own })
    }

    /// Checks that a log's current epoch continues the known state, directly or through other epochs.
    pub(super) async fn check_border(
        &self,
        log: &str,
        head: &Head,
        known: Option<&Known>,
    ) -> Result<(), NotaryError> {
        let broken = |epoch, why| Err(NotaryError::Broken { log: log.to_owned(), epoch, why });
        if let Some(known) = known.filter(|known| known.epoch > head.epoch) {
            return Err(NotaryError::Older { log: log.to_owned(), pinned: known.size, found: 0 });
        }
        let mut epoch = head.epoch;
        while epoch > known.map_or(1, |known| known.epoch) {
            let at = Epoch { log: log.to_owned(), epoch };
            let Some(previous) = self.goes_on_from(&at).await? else {
                return broken(epoch, "its first entry does not say what it continues");
            };
            let before = Epoch { log: log.to_owned(), epoch: epoch_of(&previous.origin, log) };
            if previous.origin != self.origin(&before) || before.epoch >= epoch {
                return broken(epoch, "its first entry continues another log");
            }
            let floor = known.map_or((0, 0), |known| (known.epoch, known.size));
            if (before.epoch, previous.size) < floor {
                return broken(epoch, "its first entry skips what was signed");
            }
            // What another gateway on this ledger has signed continues what was signed before.
            let is_known =
                known.is_some_and(|known| known.epoch == before.epoch && known.size == previous.size);
            if !is_known && self.was_last(&before, &previous).await? {
                return Ok(());
            }
            let nothing = Known {
                epoch: before.epoch,
                size: 0,
                root: Edge::default().root(),
                reading: Reading::default(),
            };
            let from = known.filter(|known| known.epoch == before.epoch).unwrap_or(&nothing);
            if !self.ends(&before, from, &previous).await? {
                return broken(epoch, "its first entry names another head");
            }
            epoch = before.epoch;
        }
        Ok(())
    }

    /// Whether an epoch continues the known state, or an epoch that does.
    async fn ends(&self, at: &Epoch, known: &Known, previous: &Previous) -> Result<bool, NotaryError> {
        let root = BASE64_STANDARD.decode(&previous.root).unwrap_or_default();
        if previous.size <= known.size {
            return Ok(previous.size == known.size && root == known.root);
        }
        let mut reading = known.reading.clone();
        for (size, root) in [(known.size, known.root.as_slice()), (previous.size, root.as_slice())] {
            if scan::extend(&self.ledger, at, &mut reading, size).await?.is_err()
                || reading.edge.root() != root
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an epoch's last head, signed with a key of ours, is this one.
    async fn was_last(&self, at: &Epoch, previous: &Previous) -> Result<bool, NotaryError> {
        let root = BASE64_STANDARD.decode(&previous.root).unwrap_or_default();
        let closed = self.ledger.closed_logs(&at.log).await?.into_iter().find(|row| row.epoch == at.epoch);
        let note = closed.and_then(|row| Note::parse(&row.note?).ok());
        Ok(note.is_some_and(|note| {
            self.is_ours(&at.log, at, &note).is_ok()
                && Checkpoint::parse(&note.text).is_ok_and(|signed| {
                    (signed.size, signed.root.as_slice()) == (previous.size, root.as_slice())
                })
        }))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "any other entry continues nothing")]
    async fn goes_on_from(&self, at: &Epoch) -> Result<Option<Previous>, NotaryError> {
        let first = self.ledger.leaves(at, 0, 1).await?;
        let leaf = first.first().and_then(|(leaf, _)| serde_json::from_slice::<Leaf>(leaf).ok());
        Ok(leaf.and_then(|leaf| match leaf.body {
            Body::LogOpened { previous, .. } => Some(previous),
            _ => None,
        }))
    }
}
