//! A keyed hash of what was uploaded, by which the same upload is told from another under its name. Whoever has the
//! ledger alone learns nothing of a recording from it.
//!
//! A stored fingerprint begins with a byte that names its algorithm, so that the default may change.

use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use trail::subject::keyed;
use zeroize::Zeroizing;

/// How fingerprints are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Keyed BLAKE3: a third of the time of the other.
    #[default]
    Blake3,
    /// HMAC-SHA-256 (RFC 2104).
    HmacSha256,
}

impl Algorithm {
    /// That of a stored fingerprint; none if no version of the gateway makes such.
    #[must_use]
    pub fn of(fingerprint: &[u8]) -> Option<Algorithm> {
        match fingerprint.first()? {
            1 => Some(Algorithm::HmacSha256),
            2 => Some(Algorithm::Blake3),
            _ => None,
        }
    }

    fn mark(self) -> u8 {
        match self {
            Algorithm::HmacSha256 => 1,
            Algorithm::Blake3 => 2,
        }
    }
}

/// A fingerprint in the making.
pub struct Fingerprint(Hasher);

enum Hasher {
    Blake3(Box<blake3::Hasher>),
    HmacSha256(Hmac<Sha256>),
}

impl Fingerprint {
    /// Begins one under the account's key.
    #[must_use]
    pub fn new(algorithm: Algorithm, key: &Zeroizing<[u8; 32]>) -> Fingerprint {
        Fingerprint(match algorithm {
            Algorithm::Blake3 => Hasher::Blake3(Box::new(blake3::Hasher::new_keyed(key))),
            Algorithm::HmacSha256 => Hasher::HmacSha256(keyed(key)),
        })
    }

    /// Takes in what comes next.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Hasher::Blake3(hasher) => drop(hasher.update(bytes)),
            Hasher::HmacSha256(hasher) => hasher.update(bytes),
        }
    }

    /// The fingerprint of all of it, its algorithm first.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let (algorithm, hash): (_, [u8; 32]) = match self.0 {
            Hasher::Blake3(hasher) => (Algorithm::Blake3, hasher.finalize().into()),
            Hasher::HmacSha256(hasher) => (Algorithm::HmacSha256, hasher.finalize().into_bytes().into()),
        };
        std::iter::once(algorithm.mark()).chain(hash).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_names_its_algorithm_and_depends_on_the_key_and_every_byte() {
        let of = |algorithm, key: u8, parts: &[&[u8]]| {
            let mut fingerprint = Fingerprint::new(algorithm, &Zeroizing::new([key; 32]));
            parts.iter().for_each(|part| fingerprint.update(part));
            fingerprint.finish()
        };
        let mut seen = Vec::new();
        for algorithm in [Algorithm::Blake3, Algorithm::HmacSha256] {
            let one = of(algorithm, 7, &[b"ab", b"c"]);
            assert_eq!(Algorithm::of(&one), Some(algorithm));
            assert_eq!(one, of(algorithm, 7, &[b"abc"]));
            seen.extend([one, of(algorithm, 8, &[b"abc"]), of(algorithm, 7, &[b"abd"])]);
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6);
        assert_eq!((Algorithm::of(&[]), Algorithm::of(&[0, 1])), (None, None));
        // RFC 4231, test case 2, with its short key filled up with zeros as HMAC does.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let mut hmac = Fingerprint::new(Algorithm::HmacSha256, &Zeroizing::new(key));
        hmac.update(b"what do ya want for nothing?");
        let wanted = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(&hmac.finish()[1..]), wanted);
    }
}
