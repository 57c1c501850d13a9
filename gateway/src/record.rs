//! The way of an upload: body → measure → seal → vault.
//!
//! What comes out is [`Staged`]: sealed, measured, fingerprinted, its media key in memory only.
//! Nobody can open staged media; only a permit, made by the gate in the transaction that accepts
//! them, turns them into a recording.

mod fingerprint;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::body::{BodyError, Paced};
use crate::measure::{Finished, Measured, Meter, Plan, Silenced, Unmeasurable};
use crate::vault::{Incoming, Kept, Vault, VaultError};
pub use fingerprint::{Algorithm, Fingerprint};
use seal::{Format, MediaKey, SealError, Sealed, Sealer};

/// An upload that has come in whole.
pub struct Staged {
    /// The recording's id, random.
    pub id: Uuid,
    /// What was measured from the audio itself.
    pub measured: Measured,
    /// What of it was silenced.
    pub silenced: Silenced,
    /// A keyed hash of the plaintext, as it came.
    pub fingerprint: Vec<u8>,
    /// Length and hash of the sealed media, and their format.
    pub sealed: Sealed,
    pub(crate) key: MediaKey,
    incoming: Incoming,
}

impl Staged {
    /// Makes the sealed media durable, with room for an envelope of so many bytes. They still cannot be opened.
    ///
    /// # Errors
    ///
    /// Where the vault fails; then [`Staged::abandon`].
    pub async fn sync(&mut self, envelope: usize) -> Result<Kept, VaultError> {
        self.incoming.finish(envelope).await
    }

    /// Forgets the key and removes what was written.
    pub async fn abandon(self) {
        drop(self.key);
        self.incoming.abandon().await;
    }
}

/// Reads, measures, silences and seals an upload in bounded memory. What was written is removed on failure.
///
/// # Errors
///
/// [`StageError`]: the body broke off, the audio cannot be measured, or the vault failed.
pub async fn stage(
    vault: &Vault,
    account: &str,
    format: Format,
    mut fingerprint: Fingerprint,
    digest: Option<[u8; 32]>,
    plan: Plan,
    body: &mut Paced,
) -> Result<Staged, StageError> {
    let id = crate::random::id().map_err(SealError::from)?;
    let key = MediaKey::generate()?;
    let mut sealer = Sealer::new(&key, format, account, &id.to_string())?;
    let mut meter = Meter::silencing(plan);
    let mut plain = digest.map(|expected| (expected, Sha256::new()));
    let mut incoming = vault.begin(id);
    let read = async {
        while let Some(chunk) = body.next_chunk().await? {
            meter.push(&chunk)?;
            fingerprint.update(&chunk);
            if let Some((_, hash)) = plain.as_mut() {
                hash.update(&chunk);
            }
            sealer.push(meter.passed(&chunk), incoming.buffer())?;
            incoming.flush().await?;
        }
        let Finished { measured, silenced, rest } = meter.finish_silencing()?;
        sealer.push(&rest, incoming.buffer())?;
        if let Some((expected, hash)) = plain
            && hash.finalize().as_slice() != expected
        {
            return Err(StageError::Digest);
        }
        let sealed = sealer.finish(incoming.buffer())?;
        Ok((measured, silenced, sealed))
    };
    match read.await {
        Ok((measured, silenced, sealed)) => {
            let fingerprint = fingerprint.finish();
            Ok(Staged { id, measured, silenced, fingerprint, sealed, key, incoming })
        }
        Err(error) => {
            drop(key);
            incoming.abandon().await;
            Err(error)
        }
    }
}

/// Reads a body of which nothing will be kept, only to measure it.
///
/// # Errors
///
/// Where the body breaks off, or its audio cannot be measured.
pub async fn measure(body: &mut Paced) -> Result<Measured, StageError> {
    let mut meter = Meter::new();
    while let Some(chunk) = body.next_chunk().await? {
        meter.push(&chunk)?;
    }
    Ok(meter.finish()?)
}

/// Reads a body that was uploaded before, only to compare it.
///
/// # Errors
///
/// Where the body breaks off, or is not the one that was announced.
pub async fn fingerprint_of(
    mut fingerprint: Fingerprint,
    digest: Option<[u8; 32]>,
    body: &mut Paced,
) -> Result<Vec<u8>, StageError> {
    let mut plain = Sha256::new();
    while let Some(chunk) = body.next_chunk().await? {
        fingerprint.update(&chunk);
        if digest.is_some() {
            plain.update(&chunk);
        }
    }
    if digest.is_some_and(|expected| plain.finalize().as_slice() != expected) {
        return Err(StageError::Digest);
    }
    Ok(fingerprint.finish())
}

/// Why an upload could not be staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The body broke off.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The audio cannot be measured.
    #[error(transparent)]
    Unmeasurable(#[from] Unmeasurable),
    /// The bytes are not those that `Content-Digest` announced.
    #[error("the body does not match `Content-Digest`; send it again")]
    Digest,
    /// Sealing failed.
    #[error("the upload could not be sealed")]
    Seal(#[from] SealError),
    /// The vault failed.
    #[error("the upload could not be stored")]
    Vault(#[from] VaultError),
}
