//! The byte format `rsa-aes`: one AES-256-GCM message, in both directions.
//!
//! It knows a media key and bytes; not whose they are, where they go, or who may read them.
//!
//! GCM is counter mode with GHASH over its output (NIST SP 800-38D section 7), so a message can be encrypted as it
//! arrives. It is not decrypted that way: only the tag at its end says whether any of it is genuine.
//!
//! **Invariant: no (key, IV) pair is used twice.** A media key is made for one recording, and seals one message.

use std::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, aes::Aes256};
use ctr::Ctr32BE;
use ctr::cipher::{BlockCipherEncrypt, KeyIvInit, StreamCipher};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::stream::Written;
use super::{MediaKey, SealError};

/// The length of the IV.
pub const IV_BYTES: usize = 12;

/// The most plaintext that is sealed as one message, in bytes. A reader has to hold the whole message in memory, because
/// none of it can be trusted before the tag at its end was checked.
pub const MESSAGE_BYTES: u64 = 64 * 1024 * 1024;

/// The length of the tag, which ends the message.
pub(super) const TAG_BYTES: u64 = 16;

/// Encrypts a recording as it arrives, in constant memory; holds no plaintext.
pub(super) struct Message {
    iv: [u8; IV_BYTES],
    /// Boxed, so that a moved sealer leaves no copy of the key schedule behind. Wiped on drop, as is `authentic`.
    stream: Box<Ctr32BE<Aes256>>,
    authentic: Box<GHash>,
    /// What masks the tag: the cipher of the first counter.
    mask: Zeroizing<[u8; BLOCK]>,
    /// The end of the ciphertext that does not fill a block.
    rest: Vec<u8>,
    hash: Sha256,
    bytes: u64,
}

impl Message {
    /// Starts a message under `key`, with a random IV.
    ///
    /// # Errors
    /// [`SealError::Randomness`] when the operating system gives none for the IV.
    pub(super) fn new(key: &MediaKey) -> Result<Self, SealError> {
        let mut iv = [0; IV_BYTES];
        crate::random::fill(&mut iv)?;
        Self::from_parts(key, iv)
    }

    fn from_parts(key: &MediaKey, iv: [u8; IV_BYTES]) -> Result<Self, SealError> {
        let cipher = Aes256::new_from_slice(key.expose()).map_err(|_| SealError::Encryption)?;
        let mut subkey = Zeroizing::new([0; BLOCK]);
        cipher.encrypt_block((&mut *subkey).into());
        let authentic = Box::new(GHash::new((&*subkey).into()));

        let mut counter = [0; BLOCK];
        let first = iv.into_iter().chain([0, 0, 0, 1]);
        counter.iter_mut().zip(first).for_each(|(byte, part)| *byte = part);
        let mut stream = Box::new(
            Ctr32BE::<Aes256>::new_from_slices(key.expose(), &counter).map_err(|_| SealError::Encryption)?,
        );
        let mut mask = Zeroizing::new([0; BLOCK]);
        stream.try_apply_keystream(&mut *mask).map_err(|_| SealError::Encryption)?;
        let rest = Vec::with_capacity(BLOCK);
        Ok(Self { iv, stream, authentic, mask, rest, hash: Sha256::new(), bytes: 0 })
    }

    pub(super) fn iv(&self) -> [u8; IV_BYTES] {
        self.iv
    }

    /// Appends the ciphertext of `plaintext` to `out`.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] past [`MESSAGE_BYTES`]. The sealer and what it wrote are of no use after an error.
    pub(super) fn push(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        self.bytes = self.bytes.saturating_add(plaintext.len() as u64);
        if self.bytes > MESSAGE_BYTES {
            return Err(SealError::TooLarge);
        }
        let begin = out.len();
        out.resize(begin.saturating_add(plaintext.len()), 0);
        let Some(ciphertext) = out.get_mut(begin..) else { return Err(SealError::Encryption) };
        self.stream.try_apply_keystream_b2b(plaintext, ciphertext).map_err(|_| SealError::Encryption)?;
        self.hash.update(&ciphertext);
        self.authenticate(ciphertext);
        Ok(())
    }

    /// Appends the tag to `out` and says what was written in all.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<Written, SealError> {
        self.authentic.update_padded(&self.rest);
        let bits = self.bytes.checked_mul(8).ok_or(SealError::TooLarge)?;
        let mut lengths = [0; BLOCK];
        // Those of the associated data, of which there are none, and of the ciphertext.
        lengths.iter_mut().skip(8).zip(bits.to_be_bytes()).for_each(|(byte, length)| *byte = length);
        self.authentic.update_padded(&lengths);
        let mut tag = self.authentic.finalize();
        tag.iter_mut().zip(self.mask.iter()).for_each(|(byte, mask)| *byte ^= mask);
        self.hash.update(tag);
        out.extend_from_slice(&tag);
        Ok(Written { bytes: self.bytes.saturating_add(TAG_BYTES), sha256: self.hash.finalize().into() })
    }

    fn authenticate(&mut self, mut ciphertext: &[u8]) {
        if !self.rest.is_empty() {
            let lacking = BLOCK.saturating_sub(self.rest.len());
            let (now, later) = ciphertext.split_at_checked(lacking).unwrap_or((ciphertext, &[]));
            self.rest.extend_from_slice(now);
            ciphertext = later;
            if self.rest.len() < BLOCK {
                return;
            }
            self.authentic.update_padded(&self.rest);
            self.rest.clear();
        }
        let whole = ciphertext.len().saturating_sub(ciphertext.len() % BLOCK);
        let (blocks, rest) = ciphertext.split_at_checked(whole).unwrap_or((ciphertext, &[]));
        self.authentic.update_padded(blocks);
        self.rest.extend_from_slice(rest);
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message(secret)")
    }
}

/// Decrypts a whole message in place; `None`, and nothing of it is decrypted, unless all of it is genuine.
pub(super) fn open(key: &MediaKey, iv: [u8; IV_BYTES], message: &mut Vec<u8>) -> Option<()> {
    let cipher = Aes256Gcm::new_from_slice(key.expose()).ok()?;
    let end = message.len().checked_sub(usize::try_from(TAG_BYTES).ok()?)?;
    let (ciphertext, tag) = message.split_at_mut_checked(end)?;
    let tag: [u8; BLOCK] = (&*tag).try_into().ok()?;
    cipher.decrypt_inout_detached(&iv.into(), NO_DATA, ciphertext.into(), &tag.into()).ok()?;
    message.truncate(end);
    Some(())
}

/// The length of a block of AES and of GHASH.
const BLOCK: usize = 16;

/// What Twilio documents has no associated data.
const NO_DATA: &[u8] = b"";

#[cfg(test)]
mod tests {
    use super::super::sample::media_key;
    use super::*;
    use aes_gcm::aead::Aead;
    use proptest::prelude::*;

    const IV: [u8; IV_BYTES] = [9; IV_BYTES];

    fn audio(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect()
    }

    fn seal_in(plaintext: &[u8], chunks: &[usize]) -> (Vec<u8>, Written) {
        let mut message = Message::from_parts(&media_key(), IV).unwrap();
        let (mut out, mut rest, mut sizes) = (Vec::new(), plaintext, chunks.iter().cycle());
        while !rest.is_empty() {
            let (now, later) = rest.split_at_checked(*sizes.next().unwrap()).unwrap_or((rest, &[]));
            message.push(now, &mut out).unwrap();
            rest = later;
        }
        let written = message.finish(&mut out).unwrap();
        (out, written)
    }

    fn opened(message: &[u8]) -> Option<Vec<u8>> {
        let mut message = message.to_vec();
        open(&media_key(), IV, &mut message).map(|()| message)
    }

    /// As another implementation makes it of the whole at once.
    fn at_once(plaintext: &[u8]) -> Vec<u8> {
        Aes256Gcm::new_from_slice(media_key().expose()).unwrap().encrypt(&IV.into(), plaintext).unwrap()
    }

    #[test]
    fn every_length_in_chunks_of_every_size_is_one_gcm_message() {
        for len in (0..=65).chain([255, 4_096, 65_535, 65_536, 65_537]) {
            let plaintext = audio(len);
            let expected = at_once(&plaintext);
            for chunks in [&[1][..], &[15], &[16], &[17], &[7, 16, 1, 33], &[1_460], &[usize::MAX]] {
                let (sealed, written) = seal_in(&plaintext, chunks);
                assert!(sealed == expected, "{len} bytes in chunks of {chunks:?}");
                let told = Written { bytes: len as u64 + 16, sha256: Sha256::digest(&sealed).into() };
                assert_eq!(written, told, "{len} bytes in chunks of {chunks:?}");
            }
            assert_eq!(opened(&expected).unwrap(), plaintext);
        }
    }

    /// Test case 15 of McGrew and Viega, "The Galois/Counter Mode of Operation".
    #[test]
    fn the_published_vector_comes_out() {
        let bytes = |text: &str| hex::decode(text).unwrap();
        let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
        let plaintext = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525\
                         b16aedf5aa0de657ba637b391aafd255";
        let sealed = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
                      c5f61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6c";
        let key = MediaKey::from_unwrapped(&bytes(key)).unwrap();
        let iv = bytes("cafebabefacedbaddecaf888").try_into().unwrap();
        let (mut message, mut out) = (Message::from_parts(&key, iv).unwrap(), Vec::new());
        message.push(&bytes(plaintext), &mut out).unwrap();
        message.finish(&mut out).unwrap();
        assert_eq!(hex::encode(out), sealed);
    }

    proptest! {
        #![proptest_config(crate::random::cases())]

        #[test]
        fn what_is_sealed_opens_and_nothing_else_does(
            plaintext in proptest::collection::vec(any::<u8>(), 0..2_000),
            chunks in proptest::collection::vec(1usize..600, 1..6),
            bit in any::<proptest::sample::Index>(),
            cut in any::<proptest::sample::Index>(),
        ) {
            let (sealed, _) = seal_in(&plaintext, &chunks);
            prop_assert_eq!(opened(&sealed).unwrap(), plaintext);
            let bit = bit.index(sealed.len() * 8);
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(opened(&flipped).is_none(), "bit {}", bit);
            prop_assert!(opened(&sealed[..cut.index(sealed.len())]).is_none());
            prop_assert!(opened(&[sealed.as_slice(), b"x"].concat()).is_none());
        }
    }

    #[test]
    fn another_key_or_iv_opens_nothing() {
        let (sealed, _) = seal_in(b"hello", &[5]);
        let mut message = sealed.clone();
        assert!(open(&MediaKey::generate().unwrap(), IV, &mut message).is_none());
        assert!(open(&media_key(), [8; IV_BYTES], &mut message).is_none());
        assert_eq!(message, sealed, "what is refused is not decrypted");
    }

    #[test]
    fn two_messages_of_the_same_audio_have_nothing_in_common() {
        let sealed = || {
            let (mut message, mut out) = (Message::new(&media_key()).unwrap(), Vec::new());
            message.push(b"hello", &mut out).unwrap();
            let iv = message.iv();
            message.finish(&mut out).unwrap();
            (iv, out)
        };
        let (one, two) = (sealed(), sealed());
        assert!(one.0 != two.0 && one.1 != two.1);
    }

    #[test]
    fn a_message_has_at_most_64_mebibytes() {
        let (mut message, mut out, mebibyte) =
            (Message::new(&media_key()).unwrap(), Vec::new(), audio(1 << 20));
        for _ in 0..64 {
            message.push(&mebibyte, &mut out).unwrap();
            out.clear();
        }
        message.push(&[], &mut out).unwrap();
        assert!(matches!(message.push(&[1], &mut out), Err(SealError::TooLarge)));
        assert!(out.is_empty());
    }
}
