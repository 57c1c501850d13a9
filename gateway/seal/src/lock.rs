//! A lock on an envelope: nobody can read it while the key to the lock is elsewhere, and nobody ever again once that is
//! destroyed.
//!
//! **Invariant: a lock closes once.** Its key is made for one envelope, so that no (key, nonce) pair is used twice.

use std::fmt;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use zeroize::Zeroizing;

use super::SealError;

/// The length of the key, in bytes.
pub const LOCK_KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// The key to one lock. It is wiped when dropped.
pub struct LockKey(Zeroizing<[u8; LOCK_KEY_BYTES]>);

impl LockKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`SealError::Randomness`] when the operating system has none.
    pub fn generate() -> Result<LockKey, SealError> {
        let mut key = Zeroizing::new([0; LOCK_KEY_BYTES]);
        crate::random::fill(key.as_mut_slice())?;
        Ok(LockKey(key))
    }

    /// The key of these bytes; `None` if they are not as many as a key has.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<LockKey> {
        bytes.try_into().ok().map(|key| LockKey(Zeroizing::new(key)))
    }

    /// Its bytes, to be kept.
    #[must_use]
    pub fn expose(&self) -> &[u8; LOCK_KEY_BYTES] {
        &self.0
    }

    /// Locks a text that belongs to `what`: AES-256-GCM, a random nonce of 12 bytes in front, `what` as associated data.
    ///
    /// # Errors
    /// [`SealError`] when the operating system gives no randomness, or it cannot be encrypted.
    pub fn close(&self, text: &str, what: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut locked = vec![0; NONCE_BYTES];
        crate::random::fill(&mut locked)?;
        let nonce: [u8; NONCE_BYTES] = locked.as_slice().try_into().map_err(|_| SealError::Encryption)?;
        let payload = Payload { msg: text.as_bytes(), aad: what };
        let sealed = self.cipher()?.encrypt(&nonce.into(), payload).map_err(|_| SealError::Encryption)?;
        locked.extend(sealed);
        Ok(locked)
    }

    /// Opens what was locked with it; `None` if this is another key, it belongs to something else, or it was changed.
    #[must_use]
    pub fn open(&self, locked: &[u8], what: &[u8]) -> Option<String> {
        let (nonce, sealed) = locked.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let payload = Payload { msg: sealed, aad: what };
        String::from_utf8(self.cipher().ok()?.decrypt(&nonce.into(), payload).ok()?).ok()
    }

    fn cipher(&self) -> Result<Aes256Gcm, SealError> {
        Aes256Gcm::new_from_slice(self.0.as_slice()).map_err(|_| SealError::Encryption)
    }
}

impl fmt::Debug for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_key_opens_it_and_only_as_what_it_is() {
        let (key, other) = (LockKey::generate().unwrap(), LockKey::generate().unwrap());
        let locked = key.close("{}", b"one").unwrap();
        assert_eq!(key.open(&locked, b"one").as_deref(), Some("{}"));
        assert_eq!(LockKey::read(key.expose()).unwrap().open(&locked, b"one").as_deref(), Some("{}"));
        assert!(other.open(&locked, b"one").is_none());
        assert!(key.open(&locked, b"other").is_none());
        for at in 0..locked.len() {
            let mut changed = locked.clone();
            changed[at] ^= 1;
            assert!(key.open(&changed, b"one").is_none(), "{at}");
            assert!(key.open(&locked[..at], b"one").is_none(), "{at}");
        }
        assert!(LockKey::read(b"short").is_none());
        assert_ne!(key.close("{}", b"one").unwrap(), locked);
    }
}
