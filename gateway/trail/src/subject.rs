//! Pseudonyms: how the trail names a phone number without holding it.
//!
//! A number's *tag* in a log (HMAC under the lookup key) finds its *subject key* (random, sealed under
//! the subjects key), and the pseudonym is an HMAC under that subject key. Deleting the subject key
//! makes every pseudonym of the number in that log unlinkable, also for the operator.

use aes_gcm::aead::Aead as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{DraftError, random};

/// The keyed tag that finds a number's subject key. Every log has its own keys: an erasure at one account
/// leaves the others alone.
#[must_use]
pub fn tag(lookup_key: &[u8; 32], log: &str, number: &str) -> Vec<u8> {
    mac(lookup_key, &[b"tel\0", log.as_bytes(), b"\0", number.as_bytes()])
}

/// The key under which entries that mention a person are found.
#[must_use]
pub fn mention(pseudonym: &str) -> String {
    format!("subject:{pseudonym}")
}

/// The pseudonym of a number in one log.
#[must_use]
pub fn pseudonym(subject_key: &[u8; 32], log: &str, number: &str) -> String {
    let mac = mac(subject_key, &[b"gw-pid-v1\0", log.as_bytes(), b"\0", number.as_bytes()]);
    format!("p1:{}", BASE64_URL_SAFE_NO_PAD.encode(mac))
}

/// A new subject key, plain and sealed.
///
/// # Errors
///
/// If the operating system gives no randomness.
pub fn new_key(subjects_key: &[u8; 32]) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>), DraftError> {
    let key = Zeroizing::new(random::<32>()?);
    let nonce = random::<12>()?;
    let sealed = Aes256Gcm::new(subjects_key.into())
        .encrypt(&Nonce::from(nonce), key.as_slice())
        .map_err(|_| DraftError::Randomness)?;
    let mut stored = nonce.to_vec();
    stored.extend_from_slice(&sealed);
    Ok((key, stored))
}

/// Opens a sealed subject key; `None` if it was sealed under another subjects key.
#[must_use]
pub fn open_key(subjects_key: &[u8; 32], stored: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let (nonce, sealed) = stored.split_at_checked(12)?;
    let nonce: [u8; 12] = nonce.try_into().ok()?;
    let plain =
        Zeroizing::new(Aes256Gcm::new(subjects_key.into()).decrypt(&Nonce::from(nonce), sealed).ok()?);
    Some(Zeroizing::new(plain.as_slice().try_into().ok()?))
}

/// HMAC-SHA-256 under a 32-byte key.
#[must_use]
pub fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // RFC 2104 section 2: a key shorter than the hash's block is padded with zeros to the block.
    let mut block = Zeroizing::new([0u8; 64]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::<Sha256>::new((&*block).into())
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = keyed(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}
