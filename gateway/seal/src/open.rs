//! The customer's side: a key pair, and opening what was sealed for it. Offline; no gateway, no network.
//!
//! It knows envelopes, private keys and files. It does not know who sealed something: anyone with the public
//! key can, so that what opens is not thereby genuine.
//!
//! **Invariant: plaintext gets its name only after all of it has been verified.** What comes in segments lies until then
//! in a file that nobody else may read, and which any error removes; what is one message is not decrypted before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use rand::rngs::SysError;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::{Oaep, PrivateKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::keys::Pem;
use super::message::{self, TAG_BYTES};
use super::stream::{HEADER_BYTES, Unsealer};
use super::{
    Envelope, IV_BYTES, KeyError, MESSAGE_BYTES, MediaKey, RecipientKey, SEGMENT_BYTES, SealError, Sealing,
    WrapAlgorithm, WrappedKey, associated_data, key_commitment,
};
use crate::random::Drawn;

/// Opens sealed media into the new file `out`, which only its owner may read.
///
/// `media` is read once, from its start to its end. The plaintext is released only when the key is the one
/// that the envelope commits to for its account and recording, every byte is genuine and in its place, nothing is cut off,
/// and length and SHA-256 are the envelope's.
///
/// `private_pem` is an unencrypted `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1); its caller wipes it.
///
/// # Errors
/// One [`OpenError`] for each way in which it can be refused. Nothing is left behind then.
pub fn open(
    media: impl Read,
    envelope: &Envelope,
    private_pem: &str,
    expected: Expected<'_>,
    out: &Path,
) -> Result<Opened, OpenError> {
    check_place(envelope, expected)?;
    let (key, wrapped) = unwrap_key(envelope, &read_private_key(private_pem)?)?;
    let mut output = Unreleased::beside(out)?;
    let bytes = unseal(media, envelope, &key, |plaintext| output.write(plaintext))?;
    output.release(out)?;
    Ok(Opened { bytes, key: wrapped.key.clone() })
}

/// Opens sealed media onto `out`, such as a pipe: without a file in which plaintext would lie.
///
/// `media` is read twice, from where it stands to its end. Nothing is written before all of it is verified as by
/// [`open`]; if it is changed after that, only what is genuine is written before the error: whole segments, or nothing
/// of a message.
///
/// # Errors
/// Those of [`open`], and where `media` cannot be read again or `out` cannot be written.
pub fn open_onto(
    mut media: impl Read + Seek,
    envelope: &Envelope,
    private_pem: &str,
    expected: Expected<'_>,
    mut out: impl Write,
) -> Result<Opened, OpenError> {
    check_place(envelope, expected)?;
    let (key, wrapped) = unwrap_key(envelope, &read_private_key(private_pem)?)?;
    let begin = media.stream_position().map_err(OpenError::Read)?;
    unseal(&mut media, envelope, &key, |_| Ok(()))?;
    media.seek(SeekFrom::Start(begin)).map_err(OpenError::Read)?;
    let unwritten = |source| OpenError::Io { doing: "write", path: "standard output".into(), source };
    let bytes = unseal(&mut media, envelope, &key, |plaintext| out.write_all(plaintext).map_err(unwritten))?;
    out.flush().map_err(unwritten)?;
    Ok(Opened { bytes, key: wrapped.key.clone() })
}

/// Which recording the caller means to open; what is `None` is taken from the envelope.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// The account.
    pub account: Option<&'a str>,
    /// The recording's id.
    pub recording: Option<&'a str>,
}

/// What [`open`] has released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The length of the plaintext.
    pub bytes: u64,
    /// What the envelope calls the key that opened it.
    pub key: String,
}

/// Makes an RSA key pair of 3072 bits: `private.pem` (PKCS#8, readable by its owner only) and `public.pem`
/// (SPKI) in `dir`, which is made if it is missing.
///
/// # Errors
/// [`OpenError::Exists`] when either file is there already: neither is ever overwritten.
pub fn keygen(dir: &Path) -> Result<KeyPair, OpenError> {
    let (private_path, public_path) = (dir.join("private.pem"), dir.join("public.pem"));
    for path in [&private_path, &public_path] {
        refuse_existing(path)?;
    }
    fs::create_dir_all(dir).map_err(failed("make the directory", dir))?;

    let mut random = Drawn::default();
    let key = PrivateKey::new(&mut random, KEY_BITS);
    random.check()?;
    let key = key.map_err(|_| OpenError::KeyGeneration)?;
    let private_pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| OpenError::KeyGeneration)?;
    let public_pem =
        key.to_public_key().to_public_key_pem(LineEnding::LF).map_err(|_| OpenError::KeyGeneration)?;
    let public_key = RecipientKey::from_pem(&public_pem)?;

    write_new(&private_path, private_pem.as_bytes(), owner_only())?;
    write_new(&public_path, public_pem.as_bytes(), OpenOptions::new())?;
    Ok(KeyPair { private_path, public_path, public_key })
}

/// Where [`keygen`] has put a key pair.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The private key, for the customer alone.
    pub private_path: PathBuf,
    /// The public key, for the gateway.
    pub public_path: PathBuf,
    /// What is in it.
    pub public_key: RecipientKey,
}

/// Why something was not opened, or a key pair not made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The envelope belongs to another account or recording than expected.
    #[error("the envelope is for the {what} `{found}`, not `{expected}`")]
    Place {
        /// `account` or `recording`.
        what: &'static str,
        /// What the caller expected.
        expected: String,
        /// What the envelope says.
        found: String,
    },
    /// The envelope contradicts itself about what the media is bound to.
    #[error("the envelope's associated data does not match its account and recording: it was altered")]
    AssociatedData,
    /// A length that the format does not have.
    #[error("the envelope names {0} bytes of sealed media, which `rsa-aes` does not have")]
    MessageBytes(u64),
    /// More recipients than the format has.
    #[error("the envelope names {0} recipients, and `rsa-aes` has one")]
    Recipients(usize),
    /// A segment length that the format does not have.
    #[error("the envelope names segments of {0} bytes, which this format does not have")]
    SegmentBytes(u64),
    /// The private key is protected by a passphrase.
    #[error(
        "the private key is encrypted: decrypt it first with `openssl pkey -in key.pem -out plain.pem`, and \
         remove the copy afterwards"
    )]
    EncryptedKey,
    /// The file holds something other than an RSA private key.
    #[error("`{0}` is not an RSA private key: expected a PEM block `PRIVATE KEY` or `RSA PRIVATE KEY`")]
    NotPrivate(String),
    /// The key file cannot be read as one key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// None of the wrapped keys opens with this private key.
    #[error(
        "the private key `{fingerprint}` opens none of the envelope's {keys} wrapped keys: use \
         the one whose fingerprint the envelope names"
    )]
    NotARecipient {
        /// The fingerprint of the public half.
        fingerprint: String,
        /// How many wrapped keys were tried.
        keys: usize,
    },
    /// A key was unwrapped, but it is not the one that the envelope commits to.
    #[error("the wrapped key is not the one that the envelope commits to: the envelope was altered")]
    Commitment,
    /// The media does not begin as sealed media does.
    #[error("this is not sealed media: its header is missing or unknown")]
    Header,
    /// A segment is not what was sealed in its place.
    #[error("the sealed media was altered: segment {segment} is not genuine")]
    Altered {
        /// The segment's number, from 0.
        segment: u32,
    },
    /// A message is not what was sealed.
    #[error("the sealed media was altered: it is not genuine")]
    AlteredMessage,
    /// The media is shorter than the envelope says, or longer.
    #[error(
        "the sealed media has {found} bytes where the envelope says {expected}: it was cut off or is \
         another file"
    )]
    Length {
        /// What the envelope says.
        expected: u64,
        /// What was read; when it is longer, only as far as was needed to know.
        found: u64,
    },
    /// The media opens but is not, byte for byte, what the envelope names.
    #[error("the sealed media's SHA-256 is not the envelope's: it is another sealing")]
    Checksum,
    /// A file is in the way.
    #[error("`{0}` exists already and is not overwritten: name another file")]
    Exists(String),
    /// A file could not be read or written.
    #[error("could not {doing} `{path}`")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file or directory.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The sealed media could not be read.
    #[error("could not read the sealed media")]
    Read(#[source] io::Error),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness(#[from] SysError),
    /// A key could not be derived.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No key pair could be made.
    #[error("could not make a key pair")]
    KeyGeneration,
}

fn check_place(envelope: &Envelope, expected: Expected<'_>) -> Result<(), OpenError> {
    let Envelope { account, recording, .. } = envelope;
    for (what, expected, found) in
        [("account", expected.account, account), ("recording", expected.recording, recording)]
    {
        match expected {
            Some(expected) if expected != found => {
                return Err(OpenError::Place { what, expected: expected.to_owned(), found: found.clone() });
            }
            Some(_) | None => {}
        }
    }
    // A zero byte would let one account's recording be read as another's.
    if account.contains('\0') || recording.contains('\0') {
        return Err(OpenError::AssociatedData);
    }
    match &envelope.sealing {
        Sealing::Tink { associated_data: said, .. } if *said != associated_data(account, recording) => {
            Err(OpenError::AssociatedData)
        }
        Sealing::Tink { segment_bytes, .. } if *segment_bytes != SEGMENT_BYTES as u64 => {
            Err(OpenError::SegmentBytes(*segment_bytes))
        }
        Sealing::RsaAes { .. } if !MESSAGE.contains(&envelope.bytes) => {
            Err(OpenError::MessageBytes(envelope.bytes))
        }
        Sealing::RsaAes { .. } if envelope.keys.len() != 1 => Err(OpenError::Recipients(envelope.keys.len())),
        Sealing::Tink { .. } | Sealing::RsaAes { .. } => Ok(()),
    }
}

fn read_private_key(pem: &str) -> Result<PrivateKey, OpenError> {
    if pem.contains("-----BEGIN ENCRYPTED ") || pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(OpenError::EncryptedKey);
    }
    let block = Pem::read(pem)?;
    let key = match block.label {
        "PRIVATE KEY" => PrivateKey::from_pkcs8_der(&block.der).ok(),
        "RSA PRIVATE KEY" => PrivateKey::from_pkcs1_der(&block.der).ok(),
        label => return Err(OpenError::NotPrivate(label.chars().take(LABEL_SHOWN).collect())),
    };
    Ok(key.ok_or(KeyError::Malformed)?)
}

/// Tries every wrapped key, whatever the envelope calls it: a wrong name must not keep customers from their
/// recording.
fn unwrap_key<'a>(
    envelope: &'a Envelope,
    private: &PrivateKey,
) -> Result<(MediaKey, &'a WrappedKey), OpenError> {
    let Envelope { account, recording, .. } = envelope;
    let mut another_opened = false;
    for wrapped in &envelope.keys {
        let Some(key) = unwrap_one(wrapped, private)? else { continue };
        if key_commitment(&key, envelope.format(), account, recording)? == envelope.key_commitment {
            return Ok((key, wrapped));
        }
        another_opened = true;
    }
    if another_opened {
        return Err(OpenError::Commitment);
    }
    let spki = private.to_public_key().to_public_key_der().map_err(|_| KeyError::Malformed)?;
    Err(OpenError::NotARecipient {
        fingerprint: hex::encode(Sha256::digest(spki.as_bytes())),
        keys: envelope.keys.len(),
    })
}

fn unwrap_one(wrapped: &WrappedKey, private: &PrivateKey) -> Result<Option<MediaKey>, OpenError> {
    let WrapAlgorithm::RsaOaep256 = wrapped.algorithm;
    let mut random = Drawn::default();
    let unwrapped = private.decrypt_blinded(&mut random, Oaep::<Sha256>::new(), &wrapped.encrypted_key);
    random.check()?;
    Ok(unwrapped.ok().map(Zeroizing::new).and_then(|bytes| MediaKey::from_unwrapped(&bytes)))
}

/// Hands the plaintext to `output`, of which nothing counts before this returns its length.
fn unseal(
    media: impl Read,
    envelope: &Envelope,
    key: &MediaKey,
    output: impl FnMut(&[u8]) -> Result<(), OpenError>,
) -> Result<u64, OpenError> {
    let media = Media {
        reader: BufReader::with_capacity(SEGMENT_BYTES, media),
        hash: Sha256::new(),
        found: 0,
        expected: envelope.bytes,
    };
    match &envelope.sealing {
        Sealing::Tink { associated_data, .. } => {
            unseal_segments(media, envelope.sha256, associated_data, key, output)
        }
        Sealing::RsaAes { iv } => unseal_message(media, envelope.sha256, *iv, key, output),
    }
}

fn unseal_segments(
    mut media: Media<impl Read>,
    sha256: [u8; 32],
    associated_data: &[u8],
    key: &MediaKey,
    mut output: impl FnMut(&[u8]) -> Result<(), OpenError>,
) -> Result<u64, OpenError> {
    let mut segment = Zeroizing::new(Vec::with_capacity(SEGMENT_BYTES));
    media.read(HEADER_BYTES, &mut segment)?;
    let mut unsealer = Unsealer::new(key, associated_data, &segment).ok_or(OpenError::Header)?;
    let mut bytes: u64 = 0;
    loop {
        media.read(unsealer.segment_len(), &mut segment)?;
        let last = media.at_end()?;
        let altered = OpenError::Altered { segment: unsealer.position() };
        unsealer.open_segment(&mut segment, last).ok_or(altered)?;
        output(&segment)?;
        bytes = bytes.saturating_add(segment.len() as u64);
        if last {
            break;
        }
    }
    media.is(sha256)?;
    Ok(bytes)
}

/// Holds all of it in memory: it is not larger than [`MESSAGE`].
fn unseal_message(
    mut media: Media<impl Read>,
    sha256: [u8; 32],
    iv: [u8; IV_BYTES],
    key: &MediaKey,
    mut output: impl FnMut(&[u8]) -> Result<(), OpenError>,
) -> Result<u64, OpenError> {
    // Grows with what comes, while it is ciphertext; it is decrypted where it then lies.
    let mut message = Zeroizing::new(Vec::new());
    media.read(usize::try_from(media.expected).unwrap_or(usize::MAX), &mut message)?;
    if !media.at_end()? {
        media.found = media.found.saturating_add(1);
        return Err(media.wrong_length());
    }
    message::open(key, iv, &mut message).ok_or(OpenError::AlteredMessage)?;
    media.is(sha256)?;
    output(&message)?;
    Ok(message.len() as u64)
}

/// Sealed media as it is read: hashed, and held to the length that the envelope names.
struct Media<R> {
    reader: BufReader<R>,
    hash: Sha256,
    found: u64,
    expected: u64,
}

impl<R: Read> Media<R> {
    /// Replaces `segment` with the next `len` bytes, fewer at the end.
    fn read(&mut self, len: usize, segment: &mut Vec<u8>) -> Result<(), OpenError> {
        segment.clear();
        self.reader.by_ref().take(len as u64).read_to_end(segment).map_err(OpenError::Read)?;
        self.hash.update(&segment);
        self.found = self.found.saturating_add(segment.len() as u64);
        if self.found > self.expected { Err(self.wrong_length()) } else { Ok(()) }
    }

    /// Whether everything has been read, which must be where the envelope says.
    fn at_end(&mut self) -> Result<bool, OpenError> {
        let at_end = loop {
            match self.reader.fill_buf() {
                Ok(more) => break more.is_empty(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(OpenError::Read(error)),
            }
        };
        if at_end && self.found != self.expected { Err(self.wrong_length()) } else { Ok(at_end) }
    }

    /// What was read has this hash.
    fn is(self, sha256: [u8; 32]) -> Result<(), OpenError> {
        if self.hash.finalize().as_slice() == sha256 { Ok(()) } else { Err(OpenError::Checksum) }
    }

    fn wrong_length(&self) -> OpenError {
        OpenError::Length { expected: self.expected, found: self.found }
    }
}

/// Plaintext that nobody may use yet: a file without a proper name, removed when dropped.
struct Unreleased {
    file: File,
    path: PathBuf,
    released: bool,
}

impl Unreleased {
    /// In the directory of `out`, so that it can be renamed.
    fn beside(out: &Path) -> Result<Self, OpenError> {
        refuse_existing(out)?;
        let mut random = [0; 8];
        crate::random::fill(&mut random)?;
        let path = out.with_file_name(format!(".unreleased-{}", hex::encode(random)));
        let file =
            owner_only().write(true).create_new(true).open(&path).map_err(failed("write beside", out))?;
        Ok(Self { file, path, released: false })
    }

    fn write(&mut self, plaintext: &[u8]) -> Result<(), OpenError> {
        self.file.write_all(plaintext).map_err(failed("write", &self.path))
    }

    fn release(mut self, out: &Path) -> Result<(), OpenError> {
        self.file.sync_all().map_err(failed("write", &self.path))?;
        refuse_existing(out)?;
        fs::rename(&self.path, out).map_err(failed("write", out))?;
        self.released = true;
        Ok(())
    }
}

impl Drop for Unreleased {
    fn drop(&mut self) {
        if !self.released {
            // There is no one left to tell; the file stays unreadable to others and says by its name what it
            // is.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn write_new(path: &Path, content: &[u8], mut options: OpenOptions) -> Result<(), OpenError> {
    let mut file = options.write(true).create_new(true).open(path).map_err(failed("write", path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(|error| {
        // Half a key is in the way of the next attempt; that it could not be written is what the caller
        // hears.
        let _ = fs::remove_file(path);
        failed("write", path)(error)
    })
}

fn refuse_existing(path: &Path) -> Result<(), OpenError> {
    // A dangling symbolic link is in the way too.
    if path.symlink_metadata().is_ok() { Err(OpenError::Exists(path.display().to_string())) } else { Ok(()) }
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = path.display().to_string();
    move |source| OpenError::Io { doing, path, source }
}

/// How long a message can be, its tag included.
const MESSAGE: RangeInclusive<u64> = TAG_BYTES..=MESSAGE_BYTES + TAG_BYTES;
const KEY_BITS: usize = 3072;
const LABEL_SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use rsa::pkcs1::EncodeRsaPrivateKey;
    use tempfile::TempDir;

    use super::super::sample::{another_private_key, private_key, private_pem, public_pem};
    use super::super::{Format, Sealer, sample};
    use super::*;
    use proptest::prelude::*;

    struct Recording {
        media: Vec<u8>,
        envelope: Envelope,
    }

    fn audio() -> Vec<u8> {
        (0..200_000u32).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect()
    }

    fn recording_for(recipients: &[&PrivateKey]) -> Recording {
        sealed_for(recipients, Format::Tink, &audio())
    }

    fn sealed_for(recipients: &[&PrivateKey], format: Format, audio: &[u8]) -> Recording {
        let key = MediaKey::generate().unwrap();
        let mut media = Vec::new();
        let mut sealer = Sealer::new(&key, format, "acme", "r-1").unwrap();
        sealer.push(audio, &mut media).unwrap();
        let sealed = sealer.finish(&mut media).unwrap();
        let wrap = |recipient: &&PrivateKey| {
            WrappedKey::new(&key, &RecipientKey::from_pem(&public_pem(recipient)).unwrap()).unwrap()
        };
        let keys = recipients.iter().map(wrap).collect();
        Recording { envelope: Envelope::new("acme", "r-1", "audio/wav", &key, &sealed, keys).unwrap(), media }
    }

    /// As Twilio encrypts.
    fn message() -> Recording {
        sealed_for(&[private_key()], Format::RsaAes, &audio())
    }

    fn tink(segment_bytes: u64, associated_data: Vec<u8>) -> Sealing {
        Sealing::Tink { segment_bytes, associated_data }
    }

    fn recording() -> Recording {
        recording_for(&[private_key()])
    }

    fn open_with(
        recording: &Recording,
        pem: &str,
        expected: Expected<'_>,
    ) -> Result<(Opened, Vec<u8>), OpenError> {
        let dir = TempDir::new().unwrap();
        let out = dir.path().join("call.wav");
        let opened = open(recording.media.as_slice(), &recording.envelope, pem, expected, &out);
        let left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        match opened {
            Ok(opened) => {
                assert_eq!(left, ["call.wav"]);
                Ok((opened, fs::read(out).unwrap()))
            }
            Err(error) => {
                assert!(left.is_empty(), "{error} left {left:?}");
                Err(error)
            }
        }
    }

    /// Onto a pipe: the same as into a file, and nothing where it is refused.
    fn piped(recording: &Recording, pem: &str) -> Result<Vec<u8>, OpenError> {
        let mut out = Vec::new();
        let media = io::Cursor::new(recording.media.as_slice());
        let opened = open_onto(media, &recording.envelope, pem, Expected::default(), &mut out);
        assert!(opened.is_ok() || out.is_empty(), "something was written");
        opened.map(|opened| {
            assert_eq!(opened.bytes, out.len() as u64);
            out
        })
    }

    fn refusal(recording: &Recording) -> OpenError {
        let piped = piped(recording, &private_pem(private_key())).unwrap_err();
        let refused = refusal_of_a_file(recording);
        assert_eq!(piped.to_string(), refused.to_string());
        refused
    }

    fn refusal_of_a_file(recording: &Recording) -> OpenError {
        open_with(recording, &private_pem(private_key()), Expected::default()).unwrap_err()
    }

    #[test]
    fn onto_a_pipe_goes_what_goes_into_a_file() {
        let recording = recording();
        assert_eq!(piped(&recording, &private_pem(private_key())).unwrap(), audio());
        let another = piped(&recording, &private_pem(another_private_key())).unwrap_err();
        assert!(matches!(another, OpenError::NotARecipient { .. }), "{another}");
        // Changed after it was verified: genuine segments alone, and an error.
        struct Changing<'m>(io::Cursor<Vec<u8>>, &'m [u8]);
        impl Read for Changing<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.read(buffer)
            }
        }
        impl Seek for Changing<'_> {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                if let SeekFrom::Start(_) = to {
                    self.0 = io::Cursor::new(self.1.to_vec());
                }
                self.0.seek(to)
            }
        }
        let mut changed = recording.media.clone();
        changed[SEGMENT_BYTES + 7] ^= 1;
        let media = Changing(io::Cursor::new(recording.media.clone()), &changed);
        let mut out = Vec::new();
        let pem = private_pem(private_key());
        let refused = open_onto(media, &recording.envelope, &pem, Expected::default(), &mut out);
        assert!(matches!(refused, Err(OpenError::Altered { segment: 1 })));
        assert!(audio().starts_with(&out) && out.len() < SEGMENT_BYTES, "{}", out.len());
    }

    #[test]
    fn what_was_sealed_comes_back_for_pkcs8_and_pkcs1_keys() {
        let recording = recording();
        let pkcs1 = private_key().to_pkcs1_pem(LineEnding::LF).unwrap();
        for pem in [private_pem(private_key()), pkcs1.to_string()] {
            let expected = Expected { account: Some("acme"), recording: Some("r-1") };
            let (opened, plaintext) = open_with(&recording, &pem, expected).unwrap();
            assert_eq!(opened, Opened { bytes: 200_000, key: recording.envelope.keys[0].key.clone() });
            assert!(plaintext == audio());
        }
    }

    #[test]
    fn every_recipient_opens_whatever_the_envelope_calls_their_key() {
        let mut recording = recording_for(&[another_private_key(), private_key()]);
        recording.envelope.keys[1].key = "renamed".into();
        let (opened, _) = open_with(&recording, &private_pem(private_key()), Expected::default()).unwrap();
        assert_eq!(opened.key, "renamed");
        open_with(&recording, &private_pem(another_private_key()), Expected::default()).unwrap();
    }

    #[test]
    fn a_key_that_is_no_recipient_is_refused_by_its_fingerprint() {
        let error =
            open_with(&recording(), &private_pem(another_private_key()), Expected::default()).unwrap_err();
        let fingerprint = RecipientKey::from_pem(&public_pem(another_private_key())).unwrap();
        assert!(error.to_string().contains(fingerprint.fingerprint()), "{error}");
    }

    #[test]
    fn another_account_or_recording_than_expected_is_refused() {
        let recording = recording();
        for expected in [
            Expected { account: Some("emca"), recording: None },
            Expected { account: None, recording: Some("r-2") },
        ] {
            let error = open_with(&recording, &private_pem(private_key()), expected).unwrap_err();
            assert!(matches!(error, OpenError::Place { .. }), "{error}");
        }
    }

    #[test]
    fn an_envelope_rewritten_for_another_recording_is_refused() {
        let mut renamed = recording();
        renamed.envelope.recording = "r-2".into();
        assert!(matches!(refusal(&renamed), OpenError::AssociatedData));
        renamed.envelope.sealing = tink(65_536, associated_data("acme", "r-2"));
        assert!(matches!(refusal(&renamed), OpenError::Altered { segment: 0 }));

        let mut shifted = recording();
        (shifted.envelope.account, shifted.envelope.recording) = ("acme\0r".into(), "1".into());
        shifted.envelope.sealing = tink(65_536, associated_data("acme\0r", "1"));
        assert!(matches!(refusal(&shifted), OpenError::AssociatedData));
    }

    #[test]
    fn an_envelope_with_another_commitment_key_size_or_hash_is_refused() {
        let mut commitment = recording();
        commitment.envelope.key_commitment[0] ^= 1;
        assert!(matches!(refusal(&commitment), OpenError::Commitment));

        let mut substituted = recording();
        let recipient = RecipientKey::from_pem(&public_pem(private_key())).unwrap();
        substituted.envelope.keys = vec![WrappedKey::new(&sample::media_key(), &recipient).unwrap()];
        assert!(matches!(refusal(&substituted), OpenError::Commitment));

        let mut damaged = recording();
        damaged.envelope.keys[0].encrypted_key.pop();
        assert!(matches!(refusal(&damaged), OpenError::NotARecipient { keys: 1, .. }));

        let mut segments = recording();
        segments.envelope.sealing = tink(4_096, associated_data("acme", "r-1"));
        assert!(matches!(refusal(&segments), OpenError::SegmentBytes(4_096)));

        let mut checksum = recording();
        checksum.envelope.sha256[31] ^= 1;
        assert!(matches!(refusal(&checksum), OpenError::Checksum));
    }

    #[test]
    fn altered_media_is_refused_in_the_segment_where_it_was_altered() {
        for (at, number) in [(1, 0), (40, 0), (SEGMENT_BYTES, 1), (3 * SEGMENT_BYTES, 3)] {
            let mut recording = recording();
            recording.media[at] ^= 1;
            assert!(
                matches!(refusal(&recording), OpenError::Altered { segment } if segment == number),
                "byte {at}"
            );
        }
        let mut header = recording();
        header.media[0] = 41;
        assert!(matches!(refusal(&header), OpenError::Header));
    }

    #[test]
    fn media_of_another_length_is_refused_even_where_the_envelope_was_changed_to_match() {
        for len in [0, 39, 40, 56, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES] {
            let mut cut = recording();
            cut.media.truncate(len);
            assert!(matches!(refusal(&cut), OpenError::Length { .. } | OpenError::Header), "cut to {len}");
            cut.envelope.bytes = len as u64;
            assert!(matches!(refusal(&cut), OpenError::Altered { .. } | OpenError::Header), "cut to {len}");
        }
        let mut longer = recording();
        longer.media.push(0);
        assert!(matches!(refusal(&longer), OpenError::Length { .. }));
        longer.envelope.bytes += 1;
        assert!(matches!(refusal(&longer), OpenError::Altered { segment: 3 }));
    }

    #[test]
    fn a_message_comes_back_whatever_its_length() {
        for len in [0, 1, 15, 16, 17, 65_535, 65_536, 200_000] {
            let recording = sealed_for(&[private_key()], Format::RsaAes, &audio()[..len]);
            assert_eq!(recording.media.len(), len + 16);
            let pem = private_pem(private_key());
            let expected = Expected { account: Some("acme"), recording: Some("r-1") };
            let (opened, plaintext) = open_with(&recording, &pem, expected).unwrap();
            assert_eq!(opened, Opened { bytes: len as u64, key: recording.envelope.keys[0].key.clone() });
            assert!(plaintext == audio()[..len] && piped(&recording, &pem).unwrap() == plaintext);
        }
    }

    #[test]
    fn a_message_that_was_altered_or_cut_is_refused_and_nothing_of_it_is_written() {
        let last = message().media.len() - 1;
        for at in [0, 1, 65_535, 65_536, last - 16, last - 15, last] {
            let mut altered = message();
            altered.media[at] ^= 1;
            assert!(matches!(refusal(&altered), OpenError::AlteredMessage), "byte {at}");
        }
        for len in [0, 1, 15, 16, 17, 65_536, last] {
            let mut cut = message();
            cut.media.truncate(len);
            assert!(
                matches!(refusal(&cut), OpenError::Length { found, .. } if found == len as u64),
                "cut to {len}"
            );
            cut.envelope.bytes = len as u64;
            let refused = refusal(&cut);
            let too_short = len < 16 && matches!(refused, OpenError::MessageBytes(_));
            assert!(too_short || matches!(refused, OpenError::AlteredMessage), "cut to {len}: {refused}");
        }
        let mut longer = message();
        longer.media.push(0);
        assert!(matches!(refusal(&longer), OpenError::Length { .. }));
        longer.envelope.bytes += 1;
        assert!(matches!(refusal(&longer), OpenError::AlteredMessage));
    }

    /// After it was verified: then nothing is written.
    #[test]
    fn a_message_that_changes_while_it_is_read_is_not_written() {
        struct Changing(io::Cursor<Vec<u8>>);
        impl Read for Changing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.read(buffer)
            }
        }
        impl Seek for Changing {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                if let SeekFrom::Start(_) = to {
                    self.0.get_mut()[150_000] ^= 1;
                }
                self.0.seek(to)
            }
        }
        let (recording, mut out) = (message(), Vec::new());
        let media = Changing(io::Cursor::new(recording.media));
        let pem = private_pem(private_key());
        let refused = open_onto(media, &recording.envelope, &pem, Expected::default(), &mut out);
        assert!(matches!(refused, Err(OpenError::AlteredMessage)) && out.is_empty());
    }

    #[test]
    fn a_hostile_envelope_of_a_message_is_refused() {
        let changed = |change: &dyn Fn(&mut Envelope)| {
            let mut recording = message();
            change(&mut recording.envelope);
            refusal(&recording)
        };
        let iv = |iv| move |envelope: &mut Envelope| envelope.sealing = Sealing::RsaAes { iv };
        assert!(matches!(changed(&iv([0; 12])), OpenError::AlteredMessage));
        assert!(matches!(changed(&|envelope| envelope.key_commitment[31] ^= 1), OpenError::Commitment));
        assert!(matches!(changed(&|envelope| envelope.sha256[0] ^= 1), OpenError::Checksum));
        // Nothing is read, let alone kept, of what cannot be one.
        for bytes in [0, 15, (64 << 20) + 17, u64::MAX] {
            let refused = changed(&|envelope| envelope.bytes = bytes);
            assert!(matches!(refused, OpenError::MessageBytes(said) if said == bytes), "{bytes}");
        }
        let more = |envelope: &mut Envelope| envelope.keys.push(envelope.keys[0].clone());
        assert!(matches!(changed(&more), OpenError::Recipients(2)));
        assert!(matches!(changed(&|envelope| envelope.keys.clear()), OpenError::Recipients(0)));
        // The cipher binds it to nothing; the commitment does.
        assert!(matches!(changed(&|envelope| envelope.recording = "r-2".into()), OpenError::Commitment));
        assert!(matches!(changed(&|envelope| envelope.account = "emca".into()), OpenError::Commitment));
        let shifted = |envelope: &mut Envelope| {
            (envelope.account, envelope.recording) = ("acme\0r-1".into(), String::new());
        };
        assert!(matches!(changed(&shifted), OpenError::AssociatedData));
        let recipient = RecipientKey::from_pem(&public_pem(private_key())).unwrap();
        let substituted = |envelope: &mut Envelope| {
            envelope.keys = vec![WrappedKey::new(&sample::media_key(), &recipient).unwrap()];
        };
        assert!(matches!(changed(&substituted), OpenError::Commitment));
    }

    #[test]
    fn an_envelope_of_one_format_presented_as_the_other_is_refused() {
        let mut segments = recording();
        segments.envelope.sealing = Sealing::RsaAes { iv: segments.media[33..45].try_into().unwrap() };
        assert!(matches!(refusal(&segments), OpenError::Commitment));
        let mut message = message();
        message.envelope.sealing = tink(65_536, associated_data("acme", "r-1"));
        assert!(matches!(refusal(&message), OpenError::Commitment));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..crate::random::cases() })]

        #[test]
        fn whatever_bit_is_flipped_and_wherever_it_is_cut_nothing_comes_out(
            format in prop_oneof![Just(Format::Tink), Just(Format::RsaAes)],
            len in 0usize..140_000,
            bit in any::<proptest::sample::Index>(),
            cut in any::<proptest::sample::Index>(),
        ) {
            let whole = sealed_for(&[private_key()], format, &audio()[..len]);
            let pem = private_pem(private_key());
            prop_assert!(piped(&whole, &pem).unwrap() == audio()[..len]);
            // Whoever altered the media could alter the rest of the envelope, too.
            let refused = |media: Vec<u8>| {
                let mut altered = Recording { media, envelope: whole.envelope.clone() };
                altered.envelope.bytes = altered.media.len() as u64;
                altered.envelope.sha256 = Sha256::digest(&altered.media).into();
                piped(&altered, &pem).is_err()
            };
            let bit = bit.index(whole.media.len() * 8);
            let mut flipped = whole.media.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(refused(flipped), "bit {}", bit);
            prop_assert!(refused(whole.media[..cut.index(whole.media.len())].to_vec()));
        }
    }

    #[test]
    fn media_that_stops_being_readable_leaves_nothing_behind() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("unplugged"))
            }
        }
        let (recording, dir) = (recording(), TempDir::new().unwrap());
        let media = recording.media[..100_000].chain(Broken);
        let error = open(
            media,
            &recording.envelope,
            &private_pem(private_key()),
            Expected::default(),
            &dir.path().join("a"),
        )
        .unwrap_err();
        assert!(matches!(error, OpenError::Read(_)), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn keys_that_are_not_plain_private_keys_are_refused_with_a_hint() {
        let recording = recording();
        let refused = |pem: &str| open_with(&recording, pem, Expected::default()).unwrap_err();
        let pem = private_pem(private_key());
        assert!(matches!(
            refused(&pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
            OpenError::EncryptedKey
        ));
        let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
            DEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----";
        assert!(matches!(refused(legacy), OpenError::EncryptedKey));
        let public = public_pem(private_key());
        assert!(matches!(refused(&public), OpenError::NotPrivate(label) if label == "PUBLIC KEY"));
        assert!(matches!(
            refused(&pem.replace("PRIVATE KEY", "RSA PRIVATE KEY")),
            OpenError::Key(KeyError::Malformed)
        ));
        assert!(matches!(refused(""), OpenError::Key(KeyError::NotPem)));
    }

    #[test]
    fn a_file_that_exists_is_never_overwritten() {
        let (recording, dir) = (recording(), TempDir::new().unwrap());
        let out = dir.path().join("evidence.wav");
        fs::write(&out, "another call").unwrap();
        let error = open(
            recording.media.as_slice(),
            &recording.envelope,
            &private_pem(private_key()),
            Expected::default(),
            &out,
        )
        .unwrap_err();
        assert!(matches!(error, OpenError::Exists(_)));
        assert_eq!(fs::read_to_string(&out).unwrap(), "another call");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_made_key_pair_opens_what_is_sealed_for_it_and_is_never_overwritten() {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("keys");
        let pair = keygen(&dir).unwrap();
        assert_eq!(pair.public_key.bits(), 3072);
        let private = fs::read_to_string(&pair.private_path).unwrap();
        let public = fs::read_to_string(&pair.public_path).unwrap();
        assert_eq!(RecipientKey::from_pem(&public).unwrap(), pair.public_key);
        open_with(&recording_for(&[&read_private_key(&private).unwrap()]), &private, Expected::default())
            .unwrap();

        fs::remove_file(&pair.public_path).unwrap();
        assert!(matches!(keygen(&dir), Err(OpenError::Exists(path)) if path.ends_with("private.pem")));
        assert_eq!(fs::read_to_string(&pair.private_path).unwrap(), private);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_private_keys_and_plaintext() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (recording, dir) = (recording(), TempDir::new().unwrap());
        let out = dir.path().join("call.wav");
        open(
            recording.media.as_slice(),
            &recording.envelope,
            &private_pem(private_key()),
            Expected::default(),
            &out,
        )
        .unwrap();
        assert_eq!(mode(&out), 0o600);
        assert_eq!(mode(&keygen(dir.path()).unwrap().private_path), 0o600);
    }
}
