//! What proves that a caller is who they say: generated secrets and user-chosen passwords.
//!
//! Knows nothing of usernames, accounts or roles, and counts no failures; that is the throttle.
//! Takes the time from its caller.
//!
//! INVARIANT: no work an attacker can order grows without bound. A generated secret costs one hash,
//! inline; a password costs 19 MiB and tens of milliseconds, so at most [`SLOTS`] run, at most
//! [`QUEUE`] wait, and the rest are told to come back.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::rngs::SysError;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// A secret we made: 256 random bits, shown once and never stored.
///
/// Its `Debug` shows nothing, and its memory is wiped when it is dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// 32 bytes of the operating system's randomness as 43 characters of base64url without padding
    /// (RFC 4648 §5).
    ///
    /// # Errors
    ///
    /// Where it gives none.
    pub fn generate() -> Result<Self, SysError> {
        let mut bytes = Zeroizing::new([0; 32]);
        crate::random::fill(bytes.as_mut_slice())?;
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))))
    }

    /// The text to hand to its owner. Don't log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What to store: `sha256$` and 64 hexadecimal digits.
    ///
    /// One plain hash is enough here, because guessing 256 random bits gains nothing from being
    /// slowed down.
    #[must_use]
    pub fn stored(&self) -> String {
        format!("{GENERATED}{}", hex::encode(Sha256::digest(self.0.as_bytes())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What to store for a password that a person chose: an Argon2id string in PHC form, with the
/// parameters of the OWASP password storage cheat sheet (19 MiB, two passes, one lane).
///
/// Takes tens of milliseconds: call it where blocking is fine.
///
/// # Errors
///
/// When the password has fewer than 12 characters or more than 1,024 bytes, holds a control character, begins or
/// ends with a blank, or could not be hashed.
pub fn stored_password(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < PASSWORD_MIN_CHARS {
        return Err(PasswordError::TooShort);
    }
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(PasswordError::TooLong);
    }
    // RFC 7617 section 2: such a password cannot be sent.
    if password.chars().any(char::is_control) {
        return Err(PasswordError::Control);
    }
    if password.trim() != password {
        return Err(PasswordError::Blank);
    }
    Ok(argon2()?.hash_password(password.as_bytes())?.to_string())
}

/// Compares presented secrets with stored hashes.
///
/// One per process: its queue bounds the whole process, and what it remembers dies with it.
pub struct Verifier {
    /// A full HMAC block, random per process: what is remembered means nothing to whoever reads our
    /// memory later.
    key: Zeroizing<[u8; 64]>,
    remembered: Mutex<HashMap<Tag, Instant>>,
    admitted: Arc<Semaphore>,
    slots: Arc<Semaphore>,
}

impl Verifier {
    /// A verifier that remembers nothing yet.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing that is decided depends on this key, and a process without randomness may end"
    )]
    pub fn new() -> Self {
        let mut key = Zeroizing::new([0; 64]);
        rand::fill(key.as_mut_slice());
        Self {
            key,
            remembered: Mutex::default(),
            admitted: Arc::new(Semaphore::new(SLOTS + QUEUE)),
            slots: Arc::new(Semaphore::new(SLOTS)),
        }
    }

    /// Answers at once where one hash is enough; else hands back what [`Verifier::compute`] takes.
    ///
    /// `None` stands for a username that doesn't exist. It costs what a wrong generated secret
    /// costs, so the time of the answer doesn't tell the two apart. A stored text in neither of our
    /// forms matches nothing.
    #[must_use]
    pub fn check(&self, stored: Option<&str>, presented: &[u8], now: Instant) -> Check {
        let stored = stored.unwrap_or(NOBODY);
        if stored.starts_with(PASSWORD) {
            let tag = self.tag(stored, presented);
            if self.recall(&tag, now) {
                return Check::Right;
            }
            return Check::Slow(Slow {
                stored: stored.to_owned(),
                presented: Zeroizing::new(presented.to_vec()),
                tag,
            });
        }
        let expected = stored.strip_prefix(GENERATED).unwrap_or("");
        let found = hex::encode(Sha256::digest(presented));
        if bool::from(expected.as_bytes().ct_eq(found.as_bytes())) { Check::Right } else { Check::Wrong }
    }

    /// Hashes a password and compares. A right one is remembered for [`REMEMBERED_FOR`] after its
    /// last use, and only for the stored hash it matched.
    ///
    /// # Errors
    ///
    /// [`Busy`] when too many wait already: answer 503 with `Retry-After`. Nothing was computed.
    pub async fn compute(&self, slow: Slow, now: Instant) -> Result<bool, Busy> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Busy)?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| Busy)?;
        let tag = slow.tag;
        let matches = tokio::task::spawn_blocking(move || {
            let matches = slow.matches();
            // Held to here even when the caller has hung up: a blocking task can't be stopped, only
            // counted.
            drop((slot, admitted));
            matches
        });
        let matches = matches.await.map_err(|_| Busy)?;
        if matches {
            self.remember(tag, now);
        }
        Ok(matches)
    }

    fn tag(&self, stored: &str, presented: &[u8]) -> Tag {
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*self.key).into());
        // The stored hash has a salt and no NUL, so a changed password changes the tag and the two
        // parts can't run together.
        mac.update(stored.as_bytes());
        mac.update(&[0]);
        mac.update(presented);
        mac.finalize().into_bytes().into()
    }

    fn recall(&self, tag: &Tag, now: Instant) -> bool {
        // Looked up by an HMAC under a key nobody else has: how long the look-up takes says nothing
        // usable.
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        match remembered.get_mut(tag) {
            Some(until) if now < *until => {
                *until = now + REMEMBERED_FOR;
                true
            }
            Some(_) | None => false,
        }
    }

    fn remember(&self, tag: Tag, now: Instant) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, until| now < *until);
        if remembered.len() >= REMEMBERED_MAX {
            let oldest = remembered.iter().min_by_key(|(_, until)| **until);
            if let Some(oldest) = oldest.map(|(tag, _)| *tag) {
                remembered.remove(&oldest);
            }
        }
        remembered.insert(tag, now + REMEMBERED_FOR);
    }
}

impl Default for Verifier {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`Verifier::check`] can say without the slow hash.
#[derive(Debug)]
pub enum Check {
    /// The secret is right.
    Right,
    /// The secret is wrong, or nobody has that username.
    Wrong,
    /// Only the slow hash can tell. Ask the throttle before computing it.
    Slow(Slow),
}

/// A password waiting for its slow hash. Wiped when dropped; its `Debug` shows nothing.
pub struct Slow {
    stored: String,
    presented: Zeroizing<Vec<u8>>,
    tag: Tag,
}

impl Slow {
    fn matches(&self) -> bool {
        // The stored string's own parameters count, so older hashes go on working when ours are
        // raised.
        Argon2::default().verify_password(&self.presented, self.stored.as_str()).is_ok()
    }
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slow(…)")
    }
}

type Tag = [u8; 32];

/// Too many passwords wait to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked; try again in a few seconds")]
pub struct Busy;

/// Why a password was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than 12 characters.
    #[error("the password is shorter than {PASSWORD_MIN_CHARS} characters")]
    TooShort,
    /// More than 1,024 bytes.
    #[error("the password is longer than {PASSWORD_MAX_BYTES} bytes")]
    TooLong,
    /// It could not be sent.
    #[error(
        "the password holds a control character, which HTTP basic auth cannot carry: is it text, in UTF-8?"
    )]
    Control,
    /// A blank at its end is most often the shell's (`echo … |`), and nobody would type it again.
    #[error("the password begins or ends with a blank: take that away, or choose another")]
    Blank,
    /// The hash function refused.
    #[error("the password could not be hashed")]
    Hash(#[from] argon2::password_hash::Error),
}

fn argon2() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// How long a right password is known without hashing it again, counted from its last use.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(5 * 60);

/// How many passwords are hashed at the same time: 19 MiB and a core each.
pub const SLOTS: usize = 2;

/// How many more may wait: about half a second of work.
pub const QUEUE: usize = 32;

const REMEMBERED_MAX: usize = 4096;
const PASSWORD_MIN_CHARS: usize = 12;
/// The longest password, in bytes.
pub const PASSWORD_MAX_BYTES: usize = 1024;
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

const GENERATED: &str = "sha256$";
const PASSWORD: &str = "$argon2id$";

/// Stored for nobody: as long as a real one and the hash of nothing, since its digits aren't
/// hexadecimal.
const NOBODY: &str = "sha256$----------------------------------------------------------------";

#[cfg(test)]
mod tests;
