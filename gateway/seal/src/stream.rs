//! The byte format `tink`, one segment at a time, in both directions.
//!
//! It knows a media key and bytes; not whose they are, where they go, or who may read them.
//!
//! **Invariant: no (key, nonce) pair is used twice.** The segment key is derived from a salt that is drawn
//! for each sealer, and the position only counts up.

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use aes_gcm::Aes256Gcm;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{MediaKey, SealError, derive};

/// The length of a whole sealed segment, its tag included; the first one counts the header too.
pub const SEGMENT_BYTES: usize = 65_536;

/// Encrypts a recording as it arrives, in constant memory: one segment of plaintext, wiped on drop.
///
/// A full segment is held back until a further byte or the end arrives, because only the last segment's nonce
/// says that it is the last; this is what makes a truncated recording detectable.
pub(super) struct Segments {
    stream: Stream,
    /// `None` once it has been written.
    header: Option<[u8; HEADER_BYTES]>,
    position: u32,
    /// The plaintext of the current segment. Its capacity is a whole sealed segment, so that encrypting in
    /// place never moves it.
    segment: Zeroizing<Vec<u8>>,
    hash: Sha256,
    bytes: u64,
}

impl Segments {
    /// Starts sealing under `key`, bound to `associated_data` (see
    /// [`associated_data`](super::associated_data)).
    ///
    /// # Errors
    /// [`SealError::Randomness`] when the operating system gives none for the salt.
    pub(super) fn new(key: &MediaKey, associated_data: &[u8]) -> Result<Self, SealError> {
        let mut salt = [0; SALT_BYTES];
        let mut prefix = [0; PREFIX_BYTES];
        crate::random::fill(&mut salt)?;
        crate::random::fill(&mut prefix)?;
        Self::from_parts(key, associated_data, salt, prefix)
    }

    /// Appends to `out` every segment that `plaintext` completes, and before the first of them the header.
    ///
    /// # Errors
    /// [`SealError::TooLong`] past the format's limit. The sealer and what it wrote are of no use after an
    /// error.
    pub(super) fn push(&mut self, mut plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        self.write_header(out);
        while !plaintext.is_empty() {
            if self.segment.len() == plaintext_room(self.position) {
                self.seal_segment(false, out)?;
                self.position = self.position.checked_add(1).ok_or(SealError::TooLong)?;
            }
            let room = plaintext_room(self.position).saturating_sub(self.segment.len());
            let (now, later) = plaintext.split_at_checked(room).unwrap_or((plaintext, &[]));
            self.segment.extend_from_slice(now);
            plaintext = later;
        }
        Ok(())
    }

    /// Appends the last segment to `out` and says what was written in all.
    ///
    /// # Errors
    /// [`SealError::Encryption`]; what was written is of no use then.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<Written, SealError> {
        self.write_header(out);
        self.seal_segment(true, out)?;
        Ok(Written { bytes: self.bytes, sha256: self.hash.finalize().into() })
    }

    fn from_parts(
        key: &MediaKey,
        associated_data: &[u8],
        salt: [u8; SALT_BYTES],
        prefix: [u8; PREFIX_BYTES],
    ) -> Result<Self, SealError> {
        let mut header = [0; HEADER_BYTES];
        let parts = [HEADER_MARK].into_iter().chain(salt).chain(prefix);
        header.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        Ok(Self {
            stream: stream(key, associated_data, &salt, prefix)?,
            header: Some(header),
            position: 0,
            segment: Zeroizing::new(Vec::with_capacity(SEGMENT_BYTES)),
            hash: Sha256::new(),
            bytes: 0,
        })
    }

    fn write_header(&mut self, out: &mut Vec<u8>) {
        if let Some(header) = self.header.take() {
            write(&header, &mut self.hash, &mut self.bytes, out);
        }
    }

    /// Encrypts in place: the plaintext is gone from memory when this returns.
    fn seal_segment(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), SealError> {
        self.stream
            .encrypt_in_place(self.position, last, NO_SEGMENT_DATA, &mut *self.segment)
            .map_err(|_| SealError::Encryption)?;
        write(&self.segment, &mut self.hash, &mut self.bytes, out);
        self.segment.clear();
        Ok(())
    }
}

/// What was written, header and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The length of the sealed media.
    pub(super) bytes: u64,
    /// The SHA-256 of the sealed media.
    pub(super) sha256: [u8; 32],
}

/// Decrypts segments in order. The caller reads them and knows which is the last.
pub(super) struct Unsealer {
    stream: Stream,
    position: u32,
}

impl Unsealer {
    /// `None` when `header` is not the header of sealed media.
    pub(super) fn new(key: &MediaKey, associated_data: &[u8], header: &[u8]) -> Option<Self> {
        let (mark, rest) = header.split_first()?;
        let (salt, prefix) = rest.split_at_checked(SALT_BYTES)?;
        if *mark != HEADER_MARK {
            return None;
        }
        let stream = stream(key, associated_data, salt, prefix.try_into().ok()?).ok()?;
        Some(Self { stream, position: 0 })
    }

    /// How many sealed bytes the next segment has, unless the media ends in it.
    pub(super) fn segment_len(&self) -> usize {
        plaintext_room(self.position).saturating_add(TAG_BYTES)
    }

    /// Turns a sealed segment into its plaintext, in place.
    ///
    /// `None` when the segment is not exactly what was sealed at this position, or `last` is not what it was
    /// when sealed: bytes were altered, or segments swapped, dropped or cut off.
    pub(super) fn open_segment(&mut self, segment: &mut Vec<u8>, last: bool) -> Option<()> {
        self.stream.decrypt_in_place(self.position, last, NO_SEGMENT_DATA, segment).ok()?;
        if !last {
            self.position = self.position.checked_add(1)?;
        }
        Some(())
    }

    /// The number of the segment that comes next, from 0.
    pub(super) fn position(&self) -> u32 {
        self.position
    }
}

/// AES-256-GCM in the STREAM construction with a 32-bit big-endian counter, which is Tink's; boxed, so that a
/// moved sealer leaves no copy of the key schedule behind. Wiped on drop.
type Stream = Box<StreamBE32<Aes256Gcm>>;

fn stream(
    key: &MediaKey,
    associated_data: &[u8],
    salt: &[u8],
    prefix: [u8; PREFIX_BYTES],
) -> Result<Stream, SealError> {
    let segment_key = derive(key, Some(salt), associated_data)?;
    Ok(Box::new(StreamBE32::new((&*segment_key).into(), &prefix.into())))
}

fn plaintext_room(position: u32) -> usize {
    let whole = SEGMENT_BYTES.saturating_sub(TAG_BYTES);
    if position == 0 { whole.saturating_sub(HEADER_BYTES) } else { whole }
}

fn write(sealed: &[u8], hash: &mut Sha256, bytes: &mut u64, out: &mut Vec<u8>) {
    hash.update(sealed);
    *bytes = bytes.saturating_add(sealed.len() as u64);
    out.extend_from_slice(sealed);
}

const SALT_BYTES: usize = 32;
const PREFIX_BYTES: usize = 7;
const TAG_BYTES: usize = 16;
pub(super) const HEADER_BYTES: usize = 1 + SALT_BYTES + PREFIX_BYTES;

/// The first byte of sealed media: the header's length.
const HEADER_MARK: u8 = 40;

/// The associated data goes into the segment key, not into the segments.
const NO_SEGMENT_DATA: &[u8] = b"";

#[cfg(test)]
mod tests {
    use super::super::sample::media_key;
    use super::*;

    const FIRST: usize = SEGMENT_BYTES - 40 - 16;
    const NEXT: usize = SEGMENT_BYTES - 16;
    const PLACE: &[u8] = b"consent-gateway/v1\0acme\0r-1";

    fn audio(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect()
    }

    fn seal(plaintext: &[u8], chunk: usize) -> (Vec<u8>, Written) {
        let mut out = Vec::new();
        let mut sealer = Segments::new(&media_key(), PLACE).unwrap();
        for part in plaintext.chunks(chunk) {
            sealer.push(part, &mut out).unwrap();
        }
        let sealed = sealer.finish(&mut out).unwrap();
        (out, sealed)
    }

    fn unseal(sealed: &[u8]) -> Option<Vec<u8>> {
        unseal_as(sealed, &media_key(), PLACE)
    }

    fn unseal_as(sealed: &[u8], key: &MediaKey, place: &[u8]) -> Option<Vec<u8>> {
        let (header, mut rest) = sealed.split_at_checked(HEADER_BYTES)?;
        let mut unsealer = Unsealer::new(key, place, header)?;
        let mut plaintext = Vec::new();
        loop {
            let (now, later) = rest.split_at_checked(unsealer.segment_len()).unwrap_or((rest, &[]));
            let mut segment = now.to_vec();
            unsealer.open_segment(&mut segment, later.is_empty())?;
            plaintext.extend(segment);
            rest = later;
            if rest.is_empty() {
                return Some(plaintext);
            }
        }
    }

    #[test]
    fn every_length_around_a_segment_boundary_comes_back() {
        let bounds = [FIRST, FIRST + NEXT, FIRST + 2 * NEXT];
        let around = bounds.iter().flat_map(|bound| [bound - 1, *bound, bound + 1]);
        for len in [0, 1, 16, 40].into_iter().chain(around) {
            let plaintext = audio(len);
            let segments = 1 + len.saturating_sub(FIRST).div_ceil(NEXT);
            for chunk in [8_192, SEGMENT_BYTES, usize::MAX] {
                let (sealed, told) = seal(&plaintext, chunk);
                assert_eq!(sealed.len(), 40 + len + 16 * segments, "{len} bytes in chunks of {chunk}");
                assert_eq!(
                    told,
                    Written { bytes: sealed.len() as u64, sha256: Sha256::digest(&sealed).into() }
                );
                assert_eq!(unseal(&sealed).unwrap(), plaintext, "{len} bytes in chunks of {chunk}");
            }
        }
    }

    #[test]
    fn the_size_of_the_chunks_does_not_show() {
        let plaintext = audio(FIRST + NEXT + 77);
        let seal_in = |chunk| {
            let mut out = Vec::new();
            let mut sealer = Segments::from_parts(&media_key(), PLACE, [1; 32], [2; 7]).unwrap();
            plaintext.chunks(chunk).for_each(|part| sealer.push(part, &mut out).unwrap());
            sealer.finish(&mut out).unwrap();
            out
        };
        let whole = seal_in(usize::MAX);
        for chunk in [97, 1_460, 8_192, NEXT, SEGMENT_BYTES] {
            assert!(seal_in(chunk) == whole, "chunks of {chunk}");
        }
    }

    #[test]
    fn push_writes_whole_segments_only_and_holds_the_last_one_back() {
        let mut out = Vec::new();
        let mut sealer = Segments::new(&media_key(), PLACE).unwrap();
        sealer.push(&audio(FIRST), &mut out).unwrap();
        assert_eq!(out.len(), 40);
        sealer.push(&[1], &mut out).unwrap();
        assert_eq!(out.len(), SEGMENT_BYTES);
        let held = sealer.segment.as_ptr();
        sealer.push(&audio(3 * NEXT), &mut out).unwrap();
        assert_eq!(out.len(), 4 * SEGMENT_BYTES);
        assert_eq!(sealer.segment.as_ptr(), held, "the plaintext buffer never moves");
    }

    #[test]
    fn two_sealings_of_the_same_audio_have_nothing_in_common() {
        let (one, two) = (seal(b"hello", 5).0, seal(b"hello", 5).0);
        assert_ne!(one[1..33], two[1..33]);
        assert_ne!(one[40..], two[40..]);
    }

    /// Every byte of a short recording; around every edge of a long one.
    #[test]
    fn any_flipped_byte_is_refused() {
        let short = seal(b"hello", 5).0;
        (0..short.len()).for_each(|at| assert_flip_refused(&short, at));

        let long = seal(&audio(FIRST + NEXT + 100), 8_192).0;
        for edge in [
            0,
            1,
            33,
            40,
            SEGMENT_BYTES - 16,
            SEGMENT_BYTES,
            2 * SEGMENT_BYTES - 16,
            2 * SEGMENT_BYTES,
            long.len() - 16,
        ] {
            assert_flip_refused(&long, edge);
            assert_flip_refused(&long, edge.saturating_sub(1));
        }
        assert_flip_refused(&long, long.len() - 1);
    }

    fn assert_flip_refused(sealed: &[u8], at: usize) {
        let mut flipped = sealed.to_vec();
        flipped[at] ^= 1;
        assert!(unseal(&flipped).is_none(), "byte {at}");
    }

    #[test]
    fn truncation_is_refused_also_where_segments_meet() {
        let sealed = seal(&audio(FIRST + NEXT + 100), 8_192).0;
        for len in [0, 39, 40, 41, 56, SEGMENT_BYTES, SEGMENT_BYTES + 16, 2 * SEGMENT_BYTES, sealed.len() - 1]
        {
            assert!(unseal(&sealed[..len]).is_none(), "cut to {len}");
        }
    }

    #[test]
    fn appended_repeated_and_swapped_segments_are_refused() {
        let sealed = seal(&audio(FIRST + 2 * NEXT + 100), 8_192).0;
        let (one, two) = (SEGMENT_BYTES..2 * SEGMENT_BYTES, 2 * SEGMENT_BYTES..3 * SEGMENT_BYTES);
        let parts = |order: &[&[u8]]| order.concat();
        let (head, tail) = (&sealed[..SEGMENT_BYTES], &sealed[3 * SEGMENT_BYTES..]);
        assert!(unseal(&parts(&[head, &sealed[one.clone()], &sealed[two.clone()], tail])).is_some());
        assert!(unseal(&parts(&[head, &sealed[two.clone()], &sealed[one.clone()], tail])).is_none());
        assert!(unseal(&parts(&[head, &sealed[one.clone()], &sealed[one.clone()], tail])).is_none());
        assert!(unseal(&parts(&[head, &sealed[two], tail])).is_none());
        assert!(unseal(&parts(&[&sealed, b"x"])).is_none());
        assert!(unseal(&parts(&[&sealed, tail])).is_none());
    }

    #[test]
    fn another_key_account_or_recording_is_refused() {
        let sealed = seal(b"hello", 5).0;
        let other_key = MediaKey::generate().unwrap();
        assert!(unseal_as(&sealed, &other_key, PLACE).is_none());
        assert!(unseal_as(&sealed, &media_key(), b"consent-gateway/v1\0acme\0r-2").is_none());
        assert!(unseal_as(&sealed, &media_key(), b"consent-gateway/v1\0emca\0r-1").is_none());
    }

    #[test]
    fn a_recording_past_the_last_segment_number_is_refused() {
        let mut out = Vec::new();
        let mut sealer = Segments::new(&media_key(), PLACE).unwrap();
        sealer.position = u32::MAX;
        sealer.push(&audio(NEXT), &mut out).unwrap();
        assert!(matches!(sealer.push(&[1], &mut out), Err(SealError::TooLong)));
    }

    /// Sealed by Tink's Python library 1.16.1 under the key 00 01 … 1f, plaintext `hello`.
    #[test]
    fn what_tink_has_sealed_opens() {
        let sealed = [
            0x28, 0xe6, 0x5c, 0x90, 0x31, 0x22, 0x04, 0x67, 0x2f, 0x08, 0x02, 0xc0, 0x57, 0xa4, 0x88, 0xa3,
            0xe8, 0x44, 0x8f, 0x70, 0xe7, 0x28, 0x22, 0xb3, 0x3a, 0x7f, 0x45, 0x89, 0xbd, 0xf4, 0x47, 0xa9,
            0x85, 0x42, 0x2b, 0x22, 0x85, 0xc7, 0xda, 0x45, 0x6a, 0xb8, 0xb2, 0x90, 0x2f, 0xfe, 0xe5, 0xfa,
            0xf5, 0x2e, 0x21, 0x2d, 0x58, 0xe3, 0xc8, 0x8a, 0x3d, 0xf6, 0xe1, 0x51, 0xa2,
        ];
        assert_eq!(unseal(&sealed).unwrap(), b"hello");
    }
}
