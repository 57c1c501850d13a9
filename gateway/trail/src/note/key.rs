//! The keys that sign notes, Ed25519 (RFC 8032) in both kinds, and how the public ones are written:
//! `<name>+<id in hexadecimal>+<base64 of kind and key>`, a *vkey*.
//!
//! The kind is part of a key's id, so a signature of one kind never counts as one of the other.

use std::fmt;

use ed25519_dalek::{Signer as _, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::super::{canonical, hex};
use super::Signature;

/// A public key with its name. Two are equal if their vkeys are.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    // INVARIANT: the id is that of name, kind and key; the name can stand in a signature line.
    name: String,
    id: [u8; 4],
    kind: KeyKind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A public key of 32 bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the name cannot stand in a note, or the bytes are not a key that is safe to trust.
    pub fn new(name: &str, kind: KeyKind, key: &[u8; 32]) -> Result<VerifierKey, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        // Anybody can sign for a key of small order.
        let key = VerifyingKey::from_bytes(key).ok().filter(|key| !key.is_weak()).ok_or(KeyError::Key)?;
        Ok(VerifierKey { name: name.into(), id: key_id(name, kind, &key), kind, key })
    }

    /// Reads a vkey.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is malformed, its id is that of another key, or it is of a kind that we
    /// do not verify.
    pub fn parse(vkey: &str) -> Result<VerifierKey, KeyError> {
        // The base64 may have a `+` too, the name may not.
        let (name, rest) = vkey.split_once('+').ok_or(KeyError::Form)?;
        let (id, material) = rest.split_once('+').ok_or(KeyError::Form)?;
        let material = canonical::bytes(material).ok_or(KeyError::Form)?;
        let (kind, key) = material.split_first().ok_or(KeyError::Form)?;
        let kind = match *kind {
            0x01 => KeyKind::Log,
            0x04 => KeyKind::Cosigner,
            kind => return Err(KeyError::Kind { kind }),
        };
        let key = VerifierKey::new(name, kind, key.try_into().map_err(|_| KeyError::Form)?)?;
        if hex(&key.id) == id { Ok(key) } else { Err(KeyError::Id) }
    }

    /// The same key under another name.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`] if the name cannot stand in a note.
    pub fn named(&self, name: &str) -> Result<VerifierKey, KeyError> {
        VerifierKey::new(name, self.kind, &self.key())
    }

    /// Its name. A log's key has the name of the log: its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id: four bytes that distinguish it from other keys of the same name.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Whether `blob` is this key's signature of `text`, and the time it claims to be from.
    pub(super) fn verify(&self, text: &str, blob: &[u8]) -> Option<Option<u64>> {
        let holds = |message: &str, signature: &[u8]| {
            let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
            // Strict: one signature, one key and one message for everybody who checks.
            self.key.verify_strict(message.as_bytes(), &signature).ok()
        };
        match self.kind {
            KeyKind::Log => holds(text, blob).map(|()| None),
            KeyKind::Cosigner => {
                let (time, signature) = blob.split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                if time > MAX_TIME {
                    return None;
                }
                holds(&cosigned(text, time), signature).map(|()| Some(time))
            }
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind.byte()];
        material.extend(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex(&self.id), canonical::base64(&material))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl std::str::FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(vkey: &str) -> Result<VerifierKey, KeyError> {
        VerifierKey::parse(vkey)
    }
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// The text of a note, as a log does: signature type 0x01.
    Log,
    /// The text of a note at a time, as a witness does: signature type 0x04.
    Cosigner,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            KeyKind::Log => 0x01,
            KeyKind::Cosigner => 0x04,
        }
    }
}

/// A private key with its name; wiped from memory when it is dropped.
///
/// One key serves as a log's or as a cosigner's, never as both: use [`verifier`](SigningKey::verifier)
/// with [`sign_note`](SigningKey::sign_note), or [`cosigner`](SigningKey::cosigner) with
/// [`cosign`](SigningKey::cosign).
pub struct SigningKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// Makes a key from 32 random bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`] if the name cannot stand in a note.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<SigningKey, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        Ok(SigningKey { name: name.into(), key: ed25519_dalek::SigningKey::from_bytes(seed) })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that verifies what [`sign_note`](SigningKey::sign_note) signs.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.public(KeyKind::Log)
    }

    /// The key that verifies what [`cosign`](SigningKey::cosign) signs.
    #[must_use]
    pub fn cosigner(&self) -> VerifierKey {
        self.public(KeyKind::Cosigner)
    }

    /// Signs a note's text, as a log does.
    #[must_use]
    pub fn sign_note(&self, text: &str) -> Signature {
        let blob = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        Signature { name: self.name.clone(), id: self.verifier().id, blob }
    }

    /// Signs a checkpoint's text as seen at `time` (seconds since 1970, at most 2⁶³ - 1), as a
    /// witness does.
    #[must_use]
    pub fn cosign(&self, text: &str, time: u64) -> Signature {
        let mut blob = time.to_be_bytes().to_vec();
        blob.extend(self.key.sign(cosigned(text, time).as_bytes()).to_bytes());
        Signature { name: self.name.clone(), id: self.cosigner().id, blob }
    }

    fn public(&self, kind: KeyKind) -> VerifierKey {
        let key = self.key.verifying_key();
        VerifierKey { name: self.name.clone(), id: key_id(&self.name, kind, &key), kind, key }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, …)", self.name)
    }
}

/// Why something is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not look like a vkey.
    #[error("a verifier key is written `name+1a2b3c4d+base64`; copy the whole of it")]
    Form,
    /// The name cannot stand in a note.
    #[error("a key's name is not empty and has neither spaces, `+` nor control characters")]
    Name,
    /// It is of another kind.
    #[error("keys of type {kind:#04x} are not verified here, only Ed25519 of type 0x01 and 0x04")]
    Kind {
        /// The first byte of the material.
        kind: u8,
    },
    /// The bytes are not a public key, or a weak one.
    #[error("the verifier key holds no usable Ed25519 public key")]
    Key,
    /// The id is that of another name, kind or key.
    #[error("the verifier key's id does not belong to its name and key: part of it was changed")]
    Id,
}

/// Whether a name can stand in a signature line.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+' || c < ' ')
}

fn key_id(name: &str, kind: KeyKind, key: &VerifyingKey) -> [u8; 4] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind.byte()])
        .chain_update(key.as_bytes())
        .finalize()
        .into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// What a cosigner signs.
fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// The latest time that a cosignature may claim, in seconds since 1970.
const MAX_TIME: u64 = i64::MAX.unsigned_abs();
