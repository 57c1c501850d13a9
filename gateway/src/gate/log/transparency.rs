//! The logs as others read them: signed heads, tiles and entry bundles (C2SP tlog-tiles).

use crate::anchor::WITNESS;
use crate::gate::{Failure, Fault, Gate, Thing};
use crate::ledger::{Epoch, Question};
use crate::notary::{Proofs, SignedHead};
use trail::note::{Checkpoint, Note, Signature, VerifierKey};
use trail::tile::{self, BundleId, TileId, WIDTH};
use trail::{Body, Leaf, SYSTEM_LOG};

/// A piece of a log.
#[derive(Debug)]
pub struct Piece {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether the bytes never change.
    pub is_final: bool,
}

impl Gate {
    /// The epoch of a log that a path names: `acme` is the current one, `acme.2` the second.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such log, or it was dropped.
    pub async fn epoch(&self, path: &str) -> Result<Epoch, Fault> {
        let unknown = || Fault::from(Thing::Log);
        let (log, epoch) = match path.split_once('.') {
            None => (path, None),
            Some((log, epoch)) => (log, Some(epoch.parse::<i64>().map_err(|_| unknown())?)),
        };
        let head = self.ledger.head(log).await?.ok_or_else(unknown)?;
        match epoch {
            None => Ok(Epoch { log: log.to_owned(), epoch: head.epoch }),
            Some(epoch) if epoch == head.epoch => Ok(Epoch { log: log.to_owned(), epoch }),
            Some(epoch) => {
                let closed = self.ledger.closed_logs(log).await?;
                let row = closed.into_iter().find(|row| row.epoch == epoch).ok_or_else(unknown)?;
                Ok(Epoch { log: row.id, epoch: row.epoch })
            }
        }
    }

    /// All epochs of a log, in order.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn epochs(&self, log: &str) -> Result<Vec<Epoch>, Fault> {
        let ended = self.ledger.closed_logs(log).await?.into_iter().map(|row| row.epoch);
        let now = self.ledger.head(log).await?.map(|head| head.epoch);
        Ok(ended.chain(now).map(|epoch| Epoch { log: log.to_owned(), epoch }).collect())
    }

    /// Whether everybody may read a log.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn is_public_log(&self, log: &str) -> Result<bool, Fault> {
        match self.ledger.account(log).await? {
            Some(row) => Ok(crate::gate::AccountSettings::read(&row.settings)?.public_log),
            None => Ok(false),
        }
    }

    /// The signed head of an epoch, with the cosignatures of witnesses; that of the current epoch is signed
    /// now.
    ///
    /// # Errors
    ///
    /// [`Fault`]: nothing was signed, or the log does not continue what was.
    pub async fn signed_head(&self, at: &Epoch) -> Result<SignedHead, Fault> {
        let current = self.ledger.head(&at.log).await?.is_some_and(|head| head.epoch == at.epoch);
        let head = match (&self.notary, current) {
            (Some(notary), true) => {
                notary.sign(&at.log).await.map_err(Failure::Unsigned)?.filter(|head| head.at == *at)
            }
            _ => self.stored_head(at).await?,
        };
        let head = head.ok_or(Thing::SignedHead)?;
        self.cosigned(head).await
    }

    /// The head to publish: the newest that a witness has recently cosigned or, without one, the newest.
    ///
    /// # Errors
    ///
    /// As [`Gate::signed_head`].
    pub async fn published_head(&self, at: &Epoch) -> Result<SignedHead, Fault> {
        let newest = self.signed_head(at).await?;
        let Some(notary) = &self.notary else { return Ok(newest) };
        // An epoch that has ended has one last head.
        let current = self.ledger.head(&at.log).await?.is_some_and(|head| head.epoch == at.epoch);
        if current
            && let Some(witnessed) = self.witnessed_head(at, newest.size).await?
            && notary.publish(&witnessed)?
        {
            return Ok(witnessed);
        }
        if current {
            notary.publish(&newest)?;
        }
        Ok(newest)
    }

    /// The newest head, of at most this size, that one of the configured witnesses has recently cosigned.
    pub(in crate::gate) async fn witnessed_head(
        &self,
        at: &Epoch,
        newest: u64,
    ) -> Result<Option<SignedHead>, Fault> {
        let now = self.clock.now().as_millisecond();
        let recent = now.saturating_sub(WITNESSED_MS)..=now;
        let anchors = self.ledger.anchors(at).await?;
        let rows = self.ledger.checkpoints(at).await?;
        for anchor in anchors.iter().rev().filter(|anchor| anchor.kind == WITNESS) {
            let size = u64::try_from(anchor.size).unwrap_or(u64::MAX);
            if !recent.contains(&anchor.at) || size > newest {
                continue;
            }
            let Some(row) = rows.iter().find(|row| row.size == anchor.size) else { continue };
            let Ok(note) = Note::parse(&row.note) else { continue };
            let said = Checkpoint::parse(&note.text).map(|head| head.size);
            let head = self.cosigned(SignedHead { at: at.clone(), size, note }).await?;
            if said.is_ok_and(|said| said == size) && head.note.verified_by(&self.witnesses).is_ok() {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// The newest signed head of an epoch that is stored.
    pub(crate) async fn stored_head(&self, at: &Epoch) -> Result<Option<SignedHead>, Fault> {
        let damaged = || Fault::damaged("a signed head cannot be read");
        let closed = self.ledger.closed_logs(&at.log).await?;
        let closed = closed.into_iter().find(|row| row.epoch == at.epoch).and_then(|row| row.note);
        let note = match closed {
            Some(note) => Some(note),
            None => self.ledger.checkpoint(at).await?.map(|row| row.note),
        };
        let Some(note) = note else { return Ok(None) };
        let note = Note::parse(&note).map_err(|_| damaged())?;
        let size = Checkpoint::parse(&note.text).map_err(|_| damaged())?.size;
        Ok(Some(SignedHead { at: at.clone(), size, note }))
    }

    /// The public key that signed the last head of an epoch: the current key or, for an epoch that has ended,
    /// one that was retired since. `None` if the entries that name that key are gone.
    ///
    /// # Errors
    ///
    /// If the ledger fails, or `name` cannot be part of a signature.
    pub async fn key_of(&self, at: &Epoch, name: &str) -> Result<Option<VerifierKey>, Fault> {
        let current = crate::notary::verifier(name, at, &self.secrets.log.current())?;
        let ended = self.ledger.closed_logs(&at.log).await?.into_iter().any(|row| row.epoch == at.epoch);
        if !ended {
            return Ok(Some(current));
        }
        let Some(head) = self.stored_head(at).await? else { return Ok(Some(current)) };
        if head.note.verified_by(std::slice::from_ref(&current)).is_ok() {
            return Ok(Some(current));
        }
        let origin = Checkpoint::parse(&head.note.text)
            .map_err(|_| Fault::damaged("a signed head cannot be read"))?
            .origin;
        // Every log names every key, so a dropped one is no loss.
        for log in [&at.log, SYSTEM_LOG] {
            let question = Question {
                log: log.to_owned(),
                types: vec!["log.key-rotated".into()],
                ..Question::default()
            };
            for row in self.ledger.entries(&question, ROTATIONS).await? {
                let Ok(Leaf { body: Body::LogKey { key, retired }, .. }) = serde_json::from_slice(&row.leaf)
                else {
                    continue;
                };
                for key in [retired, key] {
                    let Some(key) = VerifierKey::parse(&key).ok().and_then(|key| key.named(&origin).ok())
                    else {
                        continue;
                    };
                    if head.note.verified_by(std::slice::from_ref(&key)).is_ok() {
                        return Ok(Some(key));
                    }
                }
            }
        }
        Ok(None)
    }

    async fn cosigned(&self, mut head: SignedHead) -> Result<SignedHead, Fault> {
        let size = i64::try_from(head.size).unwrap_or(i64::MAX);
        for anchor in self.ledger.anchors(&head.at).await? {
            if anchor.kind == WITNESS && anchor.size == size {
                let line = String::from_utf8_lossy(&anchor.evidence);
                head.note.signatures.extend(Signature::parse(line.trim_end()));
            }
        }
        Ok(head)
    }

    /// A tile or an entry bundle: a path below `tile/`.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such tile yet.
    pub async fn tile(&self, at: &Epoch, path: &str) -> Result<Piece, Fault> {
        let unknown = || Fault::from(Thing::Tile);
        let path = format!("tile/{path}");
        self.still_there(at).await?;
        // What no head covers is not shown to anybody.
        let size = self.signed_head(at).await?.size;
        if let Some(bundle) = BundleId::parse(&path) {
            tile::width_at(0, bundle.index, size)
                .filter(|there| bundle.width <= *there)
                .ok_or_else(unknown)?;
            let from = bundle.index.saturating_mul(WIDTH);
            let leaves = self.ledger.leaves(at, from, from.saturating_add(u64::from(bundle.width))).await?;
            let bytes = (leaves.len() == usize::from(bundle.width))
                .then(|| tile::write_bundle(leaves.iter().map(|(leaf, _)| leaf.as_slice())))
                .flatten();
            let bytes = bytes.ok_or_else(|| Fault::damaged("entries of a bundle are missing"))?;
            return Ok(Piece { bytes, is_final: u64::from(bundle.width) == WIDTH });
        }
        let id = TileId::parse(&path).ok_or_else(unknown)?;
        tile::width_at(id.level, id.index, size).filter(|there| id.width <= *there).ok_or_else(unknown)?;
        let hashes = Proofs::new(&self.ledger, at, size).tile(&id).await?;
        let hashes = hashes.ok_or_else(|| Fault::damaged("hashes of a tile are missing"))?;
        Ok(Piece { bytes: hashes.concat(), is_final: u64::from(id.width) == WIDTH })
    }
}

/// How old a cosignature may be for its head to be published instead of the newest, in milliseconds.
const WITNESSED_MS: i64 = 600_000;

/// How many changes of the key to search.
const ROTATIONS: u32 = 1_000;
