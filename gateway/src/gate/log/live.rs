//! A running gateway's log as a source to verify: the same as an export, read from the ledger.

use tokio::runtime::Handle;

use crate::ledger::{Epoch, Ledger, LedgerError, Question};
use crate::notary::{Proofs, SignedHead};
use trail::audit::source::{Details, OlderHead, Opening, Source, SourceError};
use trail::tile::{self, BundleId, TileId, WIDTH};

/// An epoch of a log in the ledger. It blocks, so it needs a thread of its own.
#[derive(Debug)]
pub struct Live {
    ledger: Ledger,
    origin: String,
    head: SignedHead,
    older: Vec<OlderHead>,
    wait: Handle,
}

impl Live {
    /// The epoch of this name, up to this head.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn new(ledger: &Ledger, origin: String, head: SignedHead) -> Result<Live, LedgerError> {
        let older = ledger.checkpoints(&head.at).await?;
        // A larger one may have been signed since.
        let covered = |size: i64| u64::try_from(size).is_ok_and(|size| size <= head.size);
        let older = older.into_iter().filter(|row| row.kept && covered(row.size));
        let older = older
            .map(|row| OlderHead { path: format!("the head of {} entries", row.size), text: row.note })
            .collect();
        Ok(Live { ledger: ledger.clone(), origin, head, older, wait: Handle::current() })
    }

    fn at(&self) -> &Epoch {
        &self.head.at
    }
}

impl Source for Live {
    fn name(&self) -> String {
        self.origin.clone()
    }

    fn checkpoint(&self) -> Result<String, SourceError> {
        Ok(self.head.note.to_string())
    }

    fn older_checkpoints(&self) -> Vec<Result<OlderHead, SourceError>> {
        self.older.iter().cloned().map(Ok).collect()
    }

    fn tile(&self, tile: TileId) -> Result<Vec<u8>, SourceError> {
        let proofs = Proofs::new(&self.ledger, self.at(), self.head.size);
        match self.wait.block_on(proofs.tile(&tile)) {
            Ok(Some(hashes)) => Ok(hashes.concat()),
            Ok(None) => Err(SourceError::Missing(tile.path())),
            Err(error) => Err(unreadable(&tile.path(), error)),
        }
    }

    fn bundle(&self, bundle: BundleId) -> Result<Vec<u8>, SourceError> {
        let from = bundle.index.saturating_mul(WIDTH);
        let until = from.saturating_add(u64::from(bundle.width));
        let leaves = self
            .wait
            .block_on(self.ledger.leaves(self.at(), from, until))
            .map_err(|error| unreadable(&bundle.path(), error))?;
        tile::write_bundle(leaves.iter().map(|(leaf, _)| leaf.as_slice()))
            .ok_or_else(|| SourceError::Missing(bundle.path()))
    }

    fn table(&self, digest: &str) -> Result<Option<String>, SourceError> {
        self.wait.block_on(self.ledger.table(digest)).map_err(|error| unreadable(digest, error))
    }

    fn details(&self) -> Result<Option<Details<'_>>, SourceError> {
        let question = Question {
            log: self.at().log.clone(),
            after: Some((self.at().epoch, -1)),
            ..Question::default()
        };
        Ok(Some(Box::new(LiveDetails { live: self, question, page: Vec::new().into_iter(), done: false })))
    }
}

struct LiveDetails<'l> {
    live: &'l Live,
    question: Question,
    page: std::vec::IntoIter<Opening>,
    done: bool,
}

impl LiveDetails<'_> {
    fn turn(&mut self) -> Result<(), SourceError> {
        let read = self.live.ledger.entries(&self.question, PAGE);
        let rows = self.live.wait.block_on(read).map_err(|error| unreadable("the details", error))?;
        self.done = rows.is_empty();
        let mut openings = Vec::new();
        for row in rows {
            let index = u64::try_from(row.seq).unwrap_or(0);
            if row.epoch != self.live.at().epoch || index >= self.live.head.size {
                self.done = true;
                break;
            }
            self.question.after = Some((row.epoch, row.seq));
            if let (Some(salt), Some(document)) = (row.salt, row.document) {
                let salt = salt.as_slice().try_into().map_err(|_| {
                    SourceError::wrong(
                        "the details",
                        format!("the salt of entry {index} is not 32 bytes long"),
                    )
                })?;
                openings.push(Opening { index, salt, document });
            }
        }
        self.page = openings.into_iter();
        Ok(())
    }
}

impl Iterator for LiveDetails<'_> {
    type Item = Result<Opening, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(opening) = self.page.next() {
                return Some(Ok(opening));
            }
            if self.done {
                return None;
            }
            if let Err(error) = self.turn() {
                self.done = true;
                return Some(Err(error));
            }
        }
    }
}

fn unreadable(path: &str, error: LedgerError) -> SourceError {
    SourceError::unreadable(path, error)
}

const PAGE: u32 = 1_000;
