//! Sealing: plaintext audio in, bytes that only the customer can open out.
//!
//! A recording gets a fresh [`MediaKey`]. The [`Sealer`] encrypts the audio under it as it arrives, each
//! [`RecipientKey`] of the account wraps the key, and the [`Envelope`] says in JSON how the customer opens
//! the result. [`open`] is the customer's side: it runs offline, with a private key that the gateway has
//! never seen.
//!
//! This module knows nothing of calls, consent, storage or HTTP.
//!
//! **Invariant: what the gateway holds cannot open what it has sealed.** It takes public keys only, a private
//! one is refused unread, and media keys are wiped when dropped.
//!
//! # The formats
//!
//! An account has one of two ([`Format`]). **`tink`** is Tink's streaming AEAD *AES256-GCM-HKDF-SHA256* with ciphertext
//! segments of [`SEGMENT_BYTES`], so that any Tink library opens it once the media key is unwrapped:
//!
//! ```text
//! header    1 byte (40), 32 bytes of salt, 7 bytes of nonce prefix
//! segment   AES-256-GCM ciphertext, 16-byte tag; the first is shorter by the header, the last may be
//! key       HKDF-SHA256(media key, salt, info = associated data), 32 bytes
//! nonce     prefix ‖ segment number (u32, big endian, from 0) ‖ 1 in the last segment, else 0
//! ```
//!
//! The associated data names account and recording ([`associated_data`]), so one recording cannot be passed
//! off as another.
//!
//! **`rsa-aes`** is that of Twilio's recording encryption, for customers who have its decryptor: one AES-256-GCM message
//! under the media key, with an IV of 12 bytes, no associated data, the tag in the last 16 bytes, and at most
//! [`MESSAGE_BYTES`] of plaintext. It binds the recording to nothing; the commitment to its key does.
//!
//! GCM commits to no key; the envelope does, with what is derived from it: for `rsa-aes` also from account and recording.
//! So an envelope that was rewritten for another recording, or into the other format, is not opened.
//!
//! # Timing of private-key operations
//!
//! RUSTSEC-2023-0071 ("Marvin") is open in the RSA library: someone who can time very many private-key
//! operations can recover the key. Wrapping uses public keys only. Private keys are used by [`open`] alone,
//! on the customer's own machine, over a file and not for a network peer, and blinded.

mod envelope;
mod keys;
mod lock;
mod message;
mod open;
pub mod random;
mod sealer;
mod stream;
mod weak;

pub use envelope::{Envelope, Format, Sealing, WrapAlgorithm, WrappedKey};
pub use keys::{KeyError, RecipientKey};
pub use lock::{LOCK_KEY_BYTES, LockKey};
pub use message::{IV_BYTES, MESSAGE_BYTES};
pub use open::{Expected, KeyPair, OpenError, Opened, keygen, open, open_onto};
pub use sealer::{Sealed, Sealer};
pub use stream::SEGMENT_BYTES;

use std::fmt;

use hkdf::Hkdf;
use rand::rngs::SysError;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The key of one recording: 32 bytes that exist in memory only and are wiped when dropped.
///
/// There is deliberately no way to copy, print or store one. It leaves the process wrapped for a
/// [`RecipientKey`], or not at all.
pub struct MediaKey(Box<[u8; MEDIA_KEY_BYTES]>);

impl MediaKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`SealError::Randomness`] when the operating system has none.
    pub fn generate() -> Result<Self, SealError> {
        let mut key = Self::blank();
        crate::random::fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// A key that was unwrapped; `None` unless it has the right length.
    fn from_unwrapped(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != MEDIA_KEY_BYTES {
            return None;
        }
        let mut key = Self::blank();
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// Filled in place by the callers, on the heap, so that moving the key leaves no copies behind.
    fn blank() -> Self {
        Self(Box::new([0; MEDIA_KEY_BYTES]))
    }

    fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Drop for MediaKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for MediaKey {}

impl fmt::Debug for MediaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaKey(secret)")
    }
}

/// What binds sealed media to its place: the bytes `consent-gateway/v1`, 0, account, 0, recording.
///
/// Account names and recording ids hold no zero byte; [`open`] refuses those that do.
pub fn associated_data(account: &str, recording: &str) -> Vec<u8> {
    let parts: [&[u8]; 3] = [CONTEXT.as_bytes(), account.as_bytes(), recording.as_bytes()];
    parts.join(&0)
}

/// What the envelope says of the media key without revealing it: HKDF-SHA256 of the key, no salt. For `tink` the info is
/// `consent-gateway key v1`; for `rsa-aes` it goes on with 0, `rsa-aes`, 0, the account, 0, the recording, since nothing
/// else binds such media to them.
///
/// With it nobody can wrap different keys for different recipients and have both open "the" recording to
/// different audio; and only who has the key can say that it belongs to another recording, or format.
///
/// # Errors
/// None in practice: the length asked for is within HKDF's limit.
pub fn key_commitment(
    key: &MediaKey,
    format: Format,
    account: &str,
    recording: &str,
) -> Result<[u8; 32], SealError> {
    let of_place = [COMMITMENT_INFO, Format::RsaAes.as_str(), account, recording].join("\0");
    let info = match format {
        Format::Tink => COMMITMENT_INFO,
        Format::RsaAes => of_place.as_str(),
    };
    derive(key, None, info.as_bytes()).map(|commitment| *commitment)
}

/// Why something could not be sealed. Nothing of it may be stored then.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness(#[from] SysError),
    /// The media has more segments than the format can number (256 TiB).
    #[error("the recording is too long for the sealed format")]
    TooLong,
    /// The media is larger than a message may be.
    #[error("the recording is larger than the sealed format holds: at most {MESSAGE_BYTES} bytes")]
    TooLarge,
    /// A key could not be derived.
    #[error("could not derive a key")]
    Derivation,
    /// The media could not be encrypted.
    #[error("could not encrypt the recording")]
    Encryption,
    /// The media key could not be wrapped.
    #[error("could not wrap the media key for `{recipient}`")]
    Wrap {
        /// The fingerprint of the recipient's key.
        recipient: String,
        /// What the RSA library said.
        source: rsa::Error,
    },
    /// An envelope without a wrapped key: nobody could ever open the media.
    #[error("no recipient: add a public key of the account first")]
    NoRecipient,
    /// The format has room for one wrapped key.
    #[error("the sealed format has one recipient, and the account has {keys} keys")]
    OneRecipient {
        /// How many there are.
        keys: usize,
    },
}

fn derive(key: &MediaKey, salt: Option<&[u8]>, info: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(salt, key.expose())
        .expand(info, derived.as_mut_slice())
        .map_err(|_| SealError::Derivation)?;
    Ok(derived)
}

const MEDIA_KEY_BYTES: usize = 32;
const CONTEXT: &str = "consent-gateway/v1";
const COMMITMENT_INFO: &str = "consent-gateway key v1";

#[cfg(test)]
mod sample {
    //! Keys that the tests of this module share; made once, since RSA keys are slow to find.
    use std::sync::OnceLock;

    use crate::random::Drawn;
    use rsa::PrivateKey;
    use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};

    pub(super) fn private_key() -> &'static PrivateKey {
        static KEY: OnceLock<PrivateKey> = OnceLock::new();
        KEY.get_or_init(|| PrivateKey::new(&mut Drawn::default(), 2048).unwrap())
    }

    pub(super) fn another_private_key() -> &'static PrivateKey {
        static KEY: OnceLock<PrivateKey> = OnceLock::new();
        KEY.get_or_init(|| PrivateKey::new(&mut Drawn::default(), 2048).unwrap())
    }

    pub(super) fn private_pem(key: &PrivateKey) -> String {
        key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    }

    pub(super) fn public_pem(key: &PrivateKey) -> String {
        key.to_public_key().to_public_key_pem(LineEnding::LF).unwrap()
    }

    pub(super) fn media_key() -> super::MediaKey {
        super::MediaKey::from_unwrapped(&std::array::from_fn::<u8, 32, _>(|i| u8::try_from(i).unwrap()))
            .unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn associated_data_separates_its_parts_with_zero_bytes() {
        assert_eq!(associated_data("acme", "r-1"), b"consent-gateway/v1\0acme\0r-1");
    }

    /// Computed with Python's `hmac` alone: PRK = HMAC(32 zero bytes, 00 01 … 1f), commitment = HMAC(PRK,
    /// info ‖ 01).
    #[test]
    fn the_key_commitment_is_hkdf_without_salt() {
        let commitment = |format, recording| {
            hex::encode(key_commitment(&sample::media_key(), format, "acme", recording).unwrap())
        };
        let of_tink = "e3122bc4b826c5489f8f80bc16767f92cb6b1e2f00c58fba531d728263869dce";
        assert_eq!(commitment(Format::Tink, "r-1"), of_tink);
        assert_eq!(commitment(Format::Tink, "r-2"), of_tink, "the associated data tells them apart");
        let of_rsa_aes = "aa25964042f3baed27fa2bfeee17549f237dfd107b5993e94091f9b19f6ee81c";
        assert_eq!(commitment(Format::RsaAes, "r-1"), of_rsa_aes);
        assert_ne!(commitment(Format::RsaAes, "r-2"), of_rsa_aes);
    }

    #[test]
    fn generated_keys_differ_and_do_not_show_themselves() {
        let (one, two) = (MediaKey::generate().unwrap(), MediaKey::generate().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert_eq!(format!("{one:?}"), "MediaKey(secret)");
    }

    #[test]
    fn only_thirty_two_bytes_make_a_media_key() {
        assert!(MediaKey::from_unwrapped(&[7; 32]).is_some());
        assert!(MediaKey::from_unwrapped(&[7; 31]).is_none());
        assert!(MediaKey::from_unwrapped(&[7; 33]).is_none());
    }
}
