//! Sealing in either format.

use super::message::Message;
use super::stream::{SEGMENT_BYTES, Segments};
use super::{Format, MediaKey, SealError, Sealing, associated_data};

/// Encrypts a recording as it arrives, in constant memory.
pub struct Sealer(Kind);

enum Kind {
    Tink { segments: Segments, associated_data: Vec<u8> },
    RsaAes(Message),
}

impl Sealer {
    /// Starts sealing under `key`, which seals nothing else.
    ///
    /// # Errors
    /// [`SealError::Randomness`] when the operating system gives none for salt or IV.
    pub fn new(key: &MediaKey, format: Format, account: &str, recording: &str) -> Result<Self, SealError> {
        Ok(Self(match format {
            Format::Tink => {
                let associated_data = associated_data(account, recording);
                Kind::Tink { segments: Segments::new(key, &associated_data)?, associated_data }
            }
            Format::RsaAes => Kind::RsaAes(Message::new(key)?),
        }))
    }

    /// Appends to `out` what `plaintext` makes ready: in `tink`, whole segments.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] and [`SealError::TooLong`] past the format's limit. The sealer and what it wrote are of no
    /// use after an error.
    pub fn push(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        match &mut self.0 {
            Kind::Tink { segments, .. } => segments.push(plaintext, out),
            Kind::RsaAes(message) => message.push(plaintext, out),
        }
    }

    /// Appends the end to `out` and says what was written in all.
    ///
    /// # Errors
    /// [`SealError::Encryption`]; what was written is of no use then.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<Sealed, SealError> {
        let (written, sealing) = match self.0 {
            Kind::Tink { segments, associated_data } => {
                let sealing = Sealing::Tink { segment_bytes: SEGMENT_BYTES as u64, associated_data };
                (segments.finish(out)?, sealing)
            }
            Kind::RsaAes(message) => {
                let sealing = Sealing::RsaAes { iv: message.iv() };
                (message.finish(out)?, sealing)
            }
        };
        Ok(Sealed { bytes: written.bytes, sha256: written.sha256, sealing })
    }
}

/// What a [`Sealer`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The length of the sealed media.
    pub bytes: u64,
    /// The SHA-256 of the sealed media.
    pub sha256: [u8; 32],
    /// What its format needs to open it.
    pub sealing: Sealing,
}
