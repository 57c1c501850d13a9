//! The notary: it signs the heads of the logs, and nothing that does not continue what it has signed.
//!
//! The head that it signed last is pinned outside of the database. At its start it takes the right edge of the tree
//! from the stored hashes, and compares it with the pinned root: a head over that edge commits to the entries that were
//! signed before, whatever is in their rows now. It hashes every leaf after the pin, and every new one. So an older
//! database, another's key, and an entry that was rewritten after the pin are found before anything is signed over them.
//! An entry that was rewritten before the pin is found by [`Notary::scrub`], which hashes every leaf from the first
//! entry on; until then [`Notary::vouch`] proves the leaves of each call before anything is decided on them. A log
//! without a pin is read from its first entry at the start. Only `serve` signs.
//!
//! INVARIANT: a head is pinned, durably, before anybody sees it, and the pin only moves forward. Nothing is decided
//! on a leaf before the pin, of a log's current epoch, that this process has neither hashed nor has a proof of. If that or
//! the scrub finds damage, everything ends, as if it had been found at the start.

mod borders;
mod pins;
mod proofs;
mod reopen;
mod scan;
mod scrub;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};

pub use pins::{PinError, Pins};
pub use proofs::Proofs;
pub use reopen::{Finding, Reopened, Wrong};
pub use scan::Damage;

use crate::ledger::{Appended, Change, Epoch, Head, Job, Ledger, LedgerError, Question};
use crate::secrets::LogKeys;
use scan::Reading;
use scrub::Unread;
use trail::clock::Clock;
use trail::note::{Checkpoint, KeyError, Note, NoteError, SigningKey, VerifierKey};
use trail::{Actor, Body, DraftError, Kind, Leaf};

/// Signs the heads of the logs.
#[derive(Debug)]
pub struct Notary {
    ledger: Ledger,
    clock: Clock,
    /// What the origins of all logs begin with.
    name: String,
    keys: LogKeys,
    pins: Pins,
    /// By log. Locked while a log is signed.
    signed: std::sync::Mutex<BTreeMap<String, Arc<Mutex<Signed>>>>,
    /// What was signed before this process started, and is not hashed yet.
    unread: std::sync::RwLock<BTreeMap<Epoch, Unread>>,
    /// The damage that was found since the start, and in which log.
    damaged: watch::Sender<Option<(String, Damage)>>,
    /// The newest head of every log that was published.
    published: std::sync::Mutex<BTreeMap<String, (i64, u64)>>,
}

/// How far a log was read and signed.
#[derive(Debug, Default)]
struct Signed {
    epoch: i64,
    /// The edge of what was hashed by the notary itself, or has the pinned root.
    reading: Reading,
    /// The epoch and the newest entry that registers something, as they stand beside the pin.
    registered: Option<(i64, Option<u64>)>,
    note: Option<Note>,
    /// When a head was last kept for good.
    kept_at: Option<Timestamp>,
}

/// What is read of logs of which a head is pinned before the notary signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// What is newer than the pin; the rest is left to [`Notary::scrub`].
    SincePin,
    /// Everything.
    Everything,
}

/// A signed head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// Of which epoch of which log.
    pub at: Epoch,
    /// How many entries it covers.
    pub size: u64,
    /// The signed note.
    pub note: Note,
}

impl Notary {
    /// Reads every log, all of it or what is newer than the pin, and compares it with what was signed.
    ///
    /// # Errors
    ///
    /// [`NotaryError`]: nothing may be signed, and nothing started, before that is settled.
    pub async fn open(
        ledger: Ledger,
        clock: Clock,
        name: Option<&str>,
        keys: LogKeys,
        pins: &Path,
        first: First,
    ) -> Result<Notary, NotaryError> {
        let notary = Notary::unread(ledger, clock, name, keys, pins)?;
        let heads: BTreeMap<String, Head> = notary.ledger.heads().await?.into_iter().collect();
        for pinned in notary.pins.logs()? {
            if !heads.contains_key(&pinned) {
                let size = notary.pinned_size(&pinned)?;
                return Err(NotaryError::Older { log: pinned, pinned: size, found: 0 });
            }
        }
        for (log, head) in heads {
            let mut signed = notary.examine(&log, &head, first).await?;
            let at = Epoch { log, epoch: signed.epoch };
            notary.note_registered(&at, &signed.reading, &mut signed.registered)?;
            *notary.slot(&at.log).lock().await = signed;
        }
        Ok(notary)
    }

    /// A notary that has read nothing yet.
    fn unread(
        ledger: Ledger,
        clock: Clock,
        name: Option<&str>,
        keys: LogKeys,
        pins: &Path,
    ) -> Result<Notary, NotaryError> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => keys.default_name(),
        };
        let pins = Pins::open(pins)?;
        Ok(Notary {
            ledger,
            clock,
            name,
            keys,
            pins,
            signed: std::sync::Mutex::default(),
            unread: std::sync::RwLock::default(),
            damaged: watch::Sender::default(),
            published: std::sync::Mutex::default(),
        })
    }

    /// Checks, without reading everything, that the ledger continues what was signed. For commands that
    /// append and do not sign.
    ///
    /// # Errors
    ///
    /// [`NotaryError`], as [`Notary::open`].
    pub async fn glance(ledger: &Ledger, pins: &Path) -> Result<(), NotaryError> {
        if !pins.exists() {
            return Ok(());
        }
        let pins = Pins::open(pins)?;
        for log in pins.logs()? {
            let Some(pin) = pins.read(&log)? else { continue };
            let head = ledger.head(&log).await?;
            let epoch = epoch_of(&pin.origin, &log);
            let Some(head) = head.filter(|head| head.epoch >= epoch) else {
                return Err(NotaryError::Older { log, pinned: pin.size, found: 0 });
            };
            if head.epoch > epoch {
                continue;
            }
            if head.edge.size() < pin.size {
                return Err(NotaryError::Older { log, pinned: pin.size, found: head.edge.size() });
            }
            let at = Epoch { log: log.clone(), epoch };
            let root = Proofs::new(ledger, &at, head.edge.size()).root(pin.size).await?;
            if root != Some(pin.root) {
                return Err(NotaryError::Rewritten { log, damage: Damage::Root { size: pin.size } });
            }
        }
        Ok(())
    }

    /// The origin of an epoch of a log: what its heads begin with.
    #[must_use]
    pub fn origin(&self, at: &Epoch) -> String {
        origin(&self.name, at)
    }

    /// The key that the heads of an epoch are signed with.
    ///
    /// # Errors
    ///
    /// If the configured name cannot stand in a signature.
    pub fn verifier(&self, at: &Epoch) -> Result<VerifierKey, NotaryError> {
        Ok(self.signing_key(at)?.verifier())
    }

    /// Signs a log's current head, if it was not signed yet, and returns it. `None` if nothing was ever
    /// appended.
    ///
    /// # Errors
    ///
    /// [`NotaryError`]: the log does not continue what was signed, or it cannot be pinned. Then nothing
    /// new is shown.
    pub async fn sign(&self, log: &str) -> Result<Option<SignedHead>, NotaryError> {
        let slot = self.slot(log);
        let mut signed = slot.lock().await;
        self.advance(log, &mut signed, None).await
    }

    /// Signs the heads of all logs that have grown, and returns those heads.
    ///
    /// # Errors
    ///
    /// The first [`NotaryError`]; the other logs are still signed.
    pub async fn sign_all(&self) -> Result<Vec<SignedHead>, NotaryError> {
        let (mut fresh, mut failed) = (Vec::new(), None);
        for (log, head) in self.ledger.heads().await? {
            let slot = self.slot(&log);
            let mut signed = slot.lock().await;
            if signed.epoch == head.epoch
                && signed.reading.edge.size() == head.edge.size()
                && signed.note.is_some()
            {
                continue;
            }
            match self.advance(&log, &mut signed, None).await {
                Ok(head) => fresh.extend(head),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            None => Ok(fresh),
            Some(error) => Err(error),
        }
    }

    /// Takes a new key into use, if one was made: every log gets an entry about it, and the head that covers
    /// it is signed with both keys. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`NotaryError`]; then the old key stays in use, and the next attempt goes on.
    pub async fn rotate(&self) -> Result<bool, NotaryError> {
        self.keys.refresh().map_err(NotaryError::Key)?;
        if self.keys.next().map_err(NotaryError::Key)?.is_none() {
            return Ok(false);
        }
        // One process changes it; the others find it changed.
        let Some(_lock) = self.keys.lock().map_err(NotaryError::Key)? else { return Ok(false) };
        self.keys.refresh().map_err(NotaryError::Key)?;
        let Some(next) = self.keys.next().map_err(NotaryError::Key)? else { return Ok(false) };
        for (log, head) in self.ledger.heads().await? {
            let at = Epoch { log: log.clone(), epoch: head.epoch };
            let origin = self.origin(&at);
            let new = SigningKey::from_seed(&origin, &next)?;
            let slot = self.slot(&log);
            let mut signed = slot.lock().await;
            let done = |note: &Note| note.verified_by(&[new.verifier()]).is_ok();
            if signed.note.as_ref().is_some_and(done) {
                continue;
            }
            let body =
                Body::LogKey { key: new.verifier().to_string(), retired: self.verifier(&at)?.to_string() };
            let draft = trail::draft(&log, self.clock.now(), &Actor::gateway(), None, body, None)?;
            self.ledger.append(Job { entries: vec![draft], ..Job::default() }).await?;
            self.advance(&log, &mut signed, Some(&new)).await?;
        }
        // At this point every log has its entry. After an earlier crash, the next attempt skips those that
        // have one.
        self.keys.promote().map_err(NotaryError::Key)?;
        tracing::info!("changed the key that signs the logs");
        Ok(true)
    }

    /// Whether a head is ours, and not older than what was published before. If so, notes it.
    ///
    /// # Errors
    ///
    /// [`NotaryError`]: it was signed by somebody else.
    pub fn publish(&self, head: &SignedHead) -> Result<bool, NotaryError> {
        self.is_ours(&head.at.log, &head.at, &head.note)?;
        let mut published = self.published.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let last = published.entry(head.at.log.clone()).or_default();
        let forwards = (head.at.epoch, head.size) >= *last;
        if forwards {
            *last = (head.at.epoch, head.size);
        }
        Ok(forwards)
    }

    /// The source of proofs for an epoch, in a tree of this size.
    #[must_use]
    pub fn proofs<'l>(&'l self, at: &Epoch, size: u64) -> Proofs<'l> {
        Proofs::new(&self.ledger, at, size)
    }

    async fn advance(
        &self,
        log: &str,
        signed: &mut Signed,
        also: Option<&SigningKey>,
    ) -> Result<Option<SignedHead>, NotaryError> {
        let unchanged = |head: &Head| {
            let same = signed.epoch == head.epoch
                && signed.reading.edge.size() == head.edge.size()
                && also.is_none();
            signed.note.clone().filter(|_| same)
        };
        self.sound()?;
        let Some(head) = self.ledger.head(log).await? else { return Ok(None) };
        if let Some(note) = unchanged(&head) {
            let at = Epoch { log: log.to_owned(), epoch: head.epoch };
            return Ok(Some(SignedHead { at, size: head.edge.size(), note }));
        }
        // The key is read first: whatever is read of the log after it names every key up to this one. Then the pin: the ledger,
        // which is read after it, has whatever another process has pinned by now.
        self.keys.refresh().map_err(NotaryError::Key)?;
        let current = self.keys.current();
        let pin = self.pins.read(log)?;
        let Some(head) = self.ledger.head(log).await? else { return Ok(None) };
        if signed.epoch != head.epoch {
            let known = self.known(log, signed, pin.as_ref());
            self.check_border(log, &head, known.as_ref()).await?;
            *signed = Signed { epoch: head.epoch, registered: signed.registered, ..Signed::default() };
        }
        let at = Epoch { log: log.to_owned(), epoch: head.epoch };
        let size = head.edge.size();
        if size == 0 {
            return Ok(None);
        }
        let rewritten = |damage| NotaryError::Rewritten { log: log.to_owned(), damage };
        if size < signed.reading.edge.size() {
            return Err(NotaryError::Older {
                log: log.to_owned(),
                pinned: signed.reading.edge.size(),
                found: size,
            });
        }
        let mut reading = signed.reading.clone();
        // Another process may have signed more than this one, and pinned it.
        if let Some(pin) = pin.filter(|pin| epoch_of(&pin.origin, log) == head.epoch)
            && pin.size >= reading.edge.size()
        {
            if pin.size > size {
                return Err(NotaryError::Older { log: log.to_owned(), pinned: pin.size, found: size });
            }
            scan::extend(&self.ledger, &at, &mut reading, pin.size).await?.map_err(rewritten)?;
            if reading.edge.root() != pin.root {
                return Err(rewritten(Damage::Root { size: pin.size }));
            }
        }
        scan::extend(&self.ledger, &at, &mut reading, size).await?.map_err(rewritten)?;
        if reading.edge != head.edge {
            return Err(rewritten(Damage::Root { size }));
        }
        let origin = self.origin(&at);
        let text = Checkpoint::new(&origin, size, reading.edge.root()).text();
        let next = self.keys.next().map_err(NotaryError::Key)?;
        let next = next.map(|next| SigningKey::from_seed(&origin, &next)).transpose()?;
        self.keys.refresh().map_err(NotaryError::Key)?;
        if *self.keys.current() != *current {
            // It was changed while the log was read, which may or may not name it: both are read again.
            return Box::pin(self.advance(log, signed, also)).await;
        }
        // Once a log names the next key, whichever gateway wrote that, it is signed with both keys until the next one
        // is in use.
        let named = match &next {
            Some(next) => self.is_named(&at, size, next).await?,
            None => false,
        };
        let also = also.or(next.as_ref().filter(|_| named));
        let mut signatures = vec![SigningKey::from_seed(&origin, &current)?.sign_note(&text)];
        signatures.extend(also.map(|key| key.sign_note(&text)));
        let note = Note { text, signatures };
        let now = self.clock.now();
        let kept = also.is_some()
            || signed.kept_at.is_none_or(|at| now.as_millisecond() - at.as_millisecond() >= KEEP_EVERY_MS);
        self.note_registered(&at, &reading, &mut signed.registered)?;
        self.pins.write(log, &note)?;
        // At this point the head is pinned and nobody has seen it: after a crash it is signed again.
        let change = Change::Checkpoint {
            log: log.to_owned(),
            epoch: head.epoch,
            size: i64::try_from(size).unwrap_or(i64::MAX),
            note: note.to_string(),
            at: now.as_millisecond(),
            kept,
        };
        match self.ledger.append(Job { changes: vec![change], ..Job::default() }).await? {
            Appended::Done | Appended::Conflict => {}
        }
        *signed = Signed {
            epoch: head.epoch,
            reading,
            registered: signed.registered,
            note: Some(note.clone()),
            kept_at: if kept { Some(now) } else { signed.kept_at },
        };
        Ok(Some(SignedHead { at, size, note }))
    }

    /// Whether one of a log's first `size` entries names this key.
    async fn is_named(&self, at: &Epoch, size: u64, key: &SigningKey) -> Result<bool, NotaryError> {
        let last = i64::try_from(size).unwrap_or(i64::MAX).saturating_sub(1);
        let question = Question {
            log: at.log.clone(),
            after: Some((at.epoch, -1)),
            last: Some((at.epoch, last)),
            types: vec![Kind::LogKeyRotated.as_str().into()],
            ..Question::default()
        };
        let key = key.verifier().to_string();
        let names = |leaf: &[u8]| {
            serde_json::from_slice(leaf)
                .is_ok_and(|leaf: Leaf| matches!(leaf.body, Body::LogKey { key: named, .. } if named == key))
        };
        Ok(self.ledger.entries(&question, u32::MAX).await?.iter().any(|row| names(&row.leaf)))
    }

    /// Reads a log, and compares it with what was signed.
    async fn examine(&self, log: &str, head: &Head, first: First) -> Result<Signed, NotaryError> {
        let at = Epoch { log: log.to_owned(), epoch: head.epoch };
        let pinned = self.pins.read(log)?;
        if let Some(pin) = &pinned {
            let epoch = epoch_of(&pin.origin, log);
            if epoch > head.epoch || (epoch == head.epoch && pin.size > head.edge.size()) {
                let found = if epoch > head.epoch { 0 } else { head.edge.size() };
                return Err(NotaryError::Older { log: log.to_owned(), pinned: pin.size, found });
            }
            let of_pin = Epoch { log: log.to_owned(), epoch };
            if pin.origin != self.origin(&of_pin) {
                return Err(NotaryError::Renamed {
                    log: log.to_owned(),
                    pinned: pin.origin.clone(),
                    configured: self.origin(&of_pin),
                });
            }
            self.is_ours(log, &of_pin, &pin.note)?;
        }
        let known = self.known(log, &Signed::default(), pinned.as_ref());
        if known.as_ref().is_none_or(|known| known.epoch != head.epoch) {
            self.check_border(log, head, known.as_ref()).await?;
        }
        let rewritten = |damage| NotaryError::Rewritten { log: log.to_owned(), damage };
        let pinned = pinned.filter(|pin| epoch_of(&pin.origin, log) == head.epoch);
        let mut reading = Reading::default();
        if let Some(pin) = &pinned {
            let signed = match first {
                First::SincePin => self.since_pin(&at, pin).await?,
                First::Everything => None,
            };
            match signed {
                Some(signed) => {
                    reading = signed;
                    let unread = Unread { size: pin.size, root: pin.root };
                    let mut all = self.unread.write().unwrap_or_else(std::sync::PoisonError::into_inner);
                    all.insert(at.clone(), unread);
                }
                // If something does not fit, reading everything finds what it is.
                None => {
                    scan::extend(&self.ledger, &at, &mut reading, pin.size).await?.map_err(rewritten)?;
                }
            }
            if pin.root != reading.edge.root() {
                return Err(rewritten(Damage::Root { size: pin.size }));
            }
        }
        scan::extend(&self.ledger, &at, &mut reading, head.edge.size()).await?.map_err(rewritten)?;
        if reading.edge != head.edge {
            return Err(rewritten(Damage::Root { size: head.edge.size() }));
        }
        // Only the ledger has this signed head of ours: an older pin was restored, or none is left.
        let stored = self.ledger.checkpoint(&at).await?;
        if let Some(stored) = &stored {
            let note = Note::parse(&stored.note).map_err(|_| rewritten(Damage::Note))?;
            let checkpoint = Checkpoint::parse(&note.text).map_err(|_| rewritten(Damage::Note))?;
            self.is_ours(log, &at, &note)?;
            let root = self.proofs(&at, head.edge.size()).root(checkpoint.size).await?;
            if root != Some(checkpoint.root) {
                return Err(rewritten(Damage::Root { size: checkpoint.size }));
            }
            if pinned.is_none() {
                tracing::warn!(
                    log,
                    size = checkpoint.size,
                    "no head of this log is pinned outside of the ledger, so a rollback to an older ledger would go unnoticed"
                );
            }
        }
        // A pinned head that never reached the ledger is signed again.
        let is_stored = |note: &Note| stored.as_ref().is_some_and(|row| row.note == note.to_string());
        let note = pinned.filter(|pin| pin.size == head.edge.size()).map(|pin| pin.note).filter(is_stored);
        let kept_at = stored.filter(|row| row.kept).map(|row| trail::clock::millis(row.signed_at));
        Ok(Signed { epoch: head.epoch, reading, registered: None, note, kept_at })
    }

    /// Checks that a head was signed with our current key, a previous one, or the next one.
    fn is_ours(&self, log: &str, at: &Epoch, note: &Note) -> Result<(), NotaryError> {
        let origin = self.origin(at);
        let mut keys = vec![SigningKey::from_seed(&origin, &self.keys.current())?.verifier()];
        // Heads signed meanwhile by another gateway, or by this one before the key was changed, are ours as
        // well.
        let more = self.keys.retired().map_err(NotaryError::Key)?;
        for key in more.iter().chain(&self.keys.next().map_err(NotaryError::Key)?) {
            keys.push(SigningKey::from_seed(&origin, key)?.verifier());
        }
        match note.verified_by(&keys) {
            Ok(_) => Ok(()),
            Err(NoteError::Unsigned) => Err(NotaryError::Swapped { log: log.to_owned() }),
            Err(error) => Err(NotaryError::Note { log: log.to_owned(), source: error }),
        }
    }

    fn note_registered(
        &self,
        at: &Epoch,
        reading: &Reading,
        noted: &mut Option<(i64, Option<u64>)>,
    ) -> Result<(), NotaryError> {
        let newest = Some((at.epoch, reading.registered));
        if *noted != newest {
            self.pins.note_registered(at, reading.registered)?;
            *noted = newest;
        }
        Ok(())
    }

    fn pinned_size(&self, log: &str) -> Result<u64, NotaryError> {
        Ok(self.pins.read(log)?.map_or(0, |pin| pin.size))
    }

    fn signing_key(&self, at: &Epoch) -> Result<SigningKey, NotaryError> {
        Ok(SigningKey::from_seed(&self.origin(at), &self.keys.current())?)
    }

    fn slot(&self, log: &str) -> Arc<Mutex<Signed>> {
        let mut slots = self.signed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(slots.entry(log.to_owned()).or_default())
    }
}

/// The key that the heads of an epoch are signed with, if logs have this name.
///
/// # Errors
///
/// If the name cannot stand in a signature.
pub fn verifier(name: &str, at: &Epoch, seed: &[u8; 32]) -> Result<VerifierKey, NotaryError> {
    Ok(SigningKey::from_seed(&origin(name, at), seed)?.verifier())
}

pub(crate) fn origin(name: &str, at: &Epoch) -> String {
    match at.epoch {
        1 => format!("{name}/{}", at.log),
        epoch => format!("{name}/{}.{epoch}", at.log),
    }
}

/// The epoch that an origin names: `…/acme` is the first, `…/acme.2` the second.
fn epoch_of(origin: &str, log: &str) -> i64 {
    let last = origin.rsplit('/').next().unwrap_or_default();
    let number = last.strip_prefix(log).and_then(|rest| rest.strip_prefix('.'));
    number.and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// Why the notary does not sign.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The ledger lacks entries that were signed.
    #[error(
        "the ledger is older than what was signed: the log `{log}` has {found} entries, and a head of {pinned} is pinned; \
         restore the newest ledger, or, if it is lost, begin new logs with `consent-gateway audit reopen`"
    )]
    Older {
        /// Which log.
        log: String,
        /// The size of the pinned head.
        pinned: u64,
        /// How many entries there are.
        found: u64,
    },
    /// Entries differ from those that were signed, or do not match their hashes.
    #[error(
        "the log `{log}` was changed behind the gateway's back: {damage}; keep this ledger as evidence and restore it from a backup, \
         or begin new logs with `consent-gateway audit reopen`"
    )]
    Rewritten {
        /// Which log.
        log: String,
        /// Where.
        damage: Damage,
    },
    /// An epoch does not continue the one that was signed.
    #[error(
        "epoch {epoch} of the log `{log}` does not continue the head that was signed last: {why}; keep this ledger as evidence and \
         restore it from a backup, or begin new logs with `consent-gateway audit reopen`"
    )]
    Broken {
        /// Which log.
        log: String,
        /// Which epoch.
        epoch: i64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The key is not the one that signed before.
    #[error(
        "the log `{log}` was signed with another key than `log.key`; restore the key from its backup, \
         and change it only with `consent-gateway audit rotate-key`"
    )]
    Swapped {
        /// Which log.
        log: String,
    },
    /// The configured name is not the one that was signed.
    #[error(
        "the log `{log}` was signed as `{pinned}`, and would be `{configured}`; set `log_name` back to what it was"
    )]
    Renamed {
        /// Which log.
        log: String,
        /// Its origin as it was signed.
        pinned: String,
        /// Its origin as it would be.
        configured: String,
    },
    /// A signed head cannot be read, or its signature fails.
    #[error("a signed head of the log `{log}` is damaged")]
    Note {
        /// Which log.
        log: String,
        /// Why.
        source: NoteError,
    },
    /// The log grew while it was read.
    #[error("the log `{log}` grew meanwhile; stop whatever writes to it, and try again")]
    Grew {
        /// Which log.
        log: String,
    },
    /// The name cannot stand in a signature.
    #[error(
        "`log_name` cannot be used: write a host name such as `gateway.example.com`, without spaces and `+`"
    )]
    Name(#[from] KeyError),
    /// A pin cannot be read or written.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// A key cannot be read or changed.
    #[error("the key that signs the logs cannot be used")]
    Key(#[source] crate::secrets::SecretsError),
    /// The ledger does not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An entry could not be made.
    #[error(transparent)]
    Draft(#[from] DraftError),
}

/// How often a signed head is kept for good, in milliseconds.
const KEEP_EVERY_MS: i64 = 3_600_000;
