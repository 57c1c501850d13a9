//! The customer's public keys: which are good enough, and wrapping a media key for one.
//!
//! It knows PEM and RSA; not whose a key is, or whether it is still in use.
//!
//! **Invariant: a [`RecipientKey`] has passed every check below**, so that whoever holds one may wrap with
//! it. A private key is refused before anything of it is decoded, or wiped where only its content gives it
//! away.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use num_bigint::BigUint;
use rsa::pkcs8::der::Decode;
use rsa::pkcs8::{EncodePublicKey, LineEnding, SubjectPublicKeyInfoRef};
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, Oaep, PublicKey, pkcs1};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::weak::weakness;
use super::{MediaKey, SealError};
use crate::random::Drawn;

/// A public key that media keys may be wrapped for: RSA of 2048 to 4096 bits, checked.
///
/// Reading one takes several times as long as wrapping once, for the trial division: keep it rather than
/// reading it for every recording.
#[derive(Clone, PartialEq, Eq)]
pub struct RecipientKey {
    key: PublicKey,
    pem: String,
    fingerprint: String,
}

impl RecipientKey {
    /// Reads a file with one PEM block, as OpenSSL reads it: text beside the block is passed over, and SPKI
    /// and PKCS#1 are told apart by what they are, under the label `PUBLIC KEY` as under `RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// One [`KeyError`] for each way in which a key can be unfit; above all [`KeyError::PrivateKey`].
    pub fn from_file(file: &[u8]) -> Result<Self, KeyError> {
        if is_private_key(file) {
            return Err(KeyError::PrivateKey);
        }
        match file {
            [SEQUENCE, length, ..] if *length >= 0x80 => return Err(KeyError::Der),
            [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, ..] | [_, 0, ..] => return Err(KeyError::Utf16),
            _ => {}
        }
        Self::from_pem(std::str::from_utf8(file).map_err(|_| KeyError::NotPem)?)
    }

    /// As [`RecipientKey::from_file`], of a text.
    ///
    /// # Errors
    /// As there.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if contains_private_key(pem) {
            return Err(KeyError::PrivateKey);
        }
        let block = Pem::read(pem).map_err(|error| other_form(pem).unwrap_or(error))?;
        if is_private_key(&block.der) {
            return Err(KeyError::PrivateKey);
        }
        let (modulus, exponent) = match block.label {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => numbers(&block.der)?,
            label if label.ends_with("CERTIFICATE") => return Err(KeyError::Certificate),
            label if label.ends_with("CERTIFICATE REQUEST") => return Err(KeyError::Request),
            label => return Err(KeyError::OtherKind(label.chars().take(LABEL_SHOWN).collect())),
        };
        check_modulus(modulus)?;
        check_exponent(exponent)?;

        let number = BoxedUint::from_be_slice_vartime;
        let key = PublicKey::new(number(modulus), number(exponent)).map_err(|_| KeyError::Malformed)?;
        let der = key.to_public_key_der().map_err(|_| KeyError::Malformed)?;
        Ok(Self {
            pem: der.to_pem("PUBLIC KEY", LineEnding::LF).map_err(|_| KeyError::Malformed)?,
            fingerprint: hex::encode(Sha256::digest(der.as_bytes())),
            key,
        })
    }

    /// The lower-case hexadecimal SHA-256 of the key's SPKI DER, as `openssl pkey -pubin -outform DER |
    /// sha256sum` prints it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The key as an SPKI PEM block (`PUBLIC KEY`), in whichever form it was read.
    pub fn to_pem(&self) -> &str {
        &self.pem
    }

    /// The length of the modulus in bits.
    pub fn bits(&self) -> usize {
        self.key.n().bit_width_vartime() as usize
    }

    /// Wraps a media key: RSAES-OAEP with SHA-256, MGF1 with SHA-256 and the empty label (RFC 8017, section
    /// 7.1).
    ///
    /// # Errors
    /// [`SealError::Randomness`] when the operating system gives none for the padding.
    pub fn wrap(&self, key: &MediaKey) -> Result<Vec<u8>, SealError> {
        let mut random = Drawn::default();
        let wrapped = self.key.encrypt(&mut random, Oaep::<Sha256>::new(), key.expose());
        random.check()?;
        wrapped.map_err(|source| SealError::Wrap { recipient: self.fingerprint.clone(), source })
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecipientKey").field(&self.fingerprint).finish()
    }
}

/// Why a key is unfit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A private key was handed to a side that must never hold one.
    #[error(
        "this is a private key, which the gateway must never hold: nothing of it was kept, but treat it as \
         exposed if it was sent here over a network; add the public half of a key \
         (`openssl pkey -in private.pem -pubout`)"
    )]
    PrivateKey,
    /// A certificate, whose key may be fit.
    #[error(
        "this is a certificate, not a public key: take its key out with \
         `openssl x509 -in certificate.pem -noout -pubkey`"
    )]
    Certificate,
    /// A request for a certificate, whose key may be fit.
    #[error(
        "this is a request for a certificate, not a public key: take its key out with \
         `openssl req -in request.pem -noout -pubkey`"
    )]
    Request,
    /// The key as bytes, without the letters of PEM.
    #[error(
        "this is a binary file (DER): convert it to PEM with \
         `openssl pkey -pubin -inform DER -in FILE -out public.pem`, or of a certificate with \
         `openssl x509 -inform DER -in FILE -noout -pubkey`"
    )]
    Der,
    /// Text of two bytes a letter.
    #[error("the file is UTF-16 text: save it as UTF-8 or ASCII")]
    Utf16,
    /// Line breaks were written as a backslash and an `n`.
    #[error(
        "the file holds `\\n` where line breaks should be: it was copied out of JSON or of an environment \
         variable; write real line breaks (`printf '%b'` does)"
    )]
    EscapedLines,
    /// OpenSSH's own form.
    #[error("this is an OpenSSH key: convert it to PEM with `ssh-keygen -e -m PKCS8 -f FILE`")]
    OpenSsh,
    /// JSON.
    #[error("this is JSON, such as a JSON Web Key: write the key as a PEM block `PUBLIC KEY`")]
    Json,
    /// The base64 of a key, without the lines around it.
    #[error(
        "the lines `-----BEGIN PUBLIC KEY-----` and `-----END PUBLIC KEY-----` are missing around the base64"
    )]
    Bare,
    /// A PEM block with another label.
    #[error("`{0}` is not an RSA public key: expected a PEM block `PUBLIC KEY` or `RSA PUBLIC KEY`")]
    OtherKind(String),
    /// Not PEM at all, or not whole.
    #[error("not a PEM file: expected one block from `-----BEGIN …-----` to `-----END …-----`")]
    NotPem,
    /// More than one PEM block.
    #[error("there are several PEM blocks: give one key at a time")]
    Several,
    /// A key of another algorithm.
    #[error(
        "this key is not for RSA encryption: make one with \
         `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072`"
    )]
    NotRsa,
    /// The block does not hold what its label says.
    #[error("the key is damaged: its PEM block does not hold a well-formed RSA key")]
    Malformed,
    /// The modulus has fewer than 2048 or more than 4096 bits.
    #[error("an RSA key of {0} bits is not accepted: use 2048 to 4096 bits")]
    Size(usize),
    /// The modulus is even or has another small factor.
    #[error("the key is unsafe: its modulus is divisible by {0}; make a new key")]
    SmallFactor(u32),
    /// The modulus can be taken apart.
    #[error("the key is unsafe: {0}; make a new key")]
    Weak(&'static str),
    /// The public exponent is even, below 65537, or 2³³ or above.
    #[error(
        "the key's public exponent must be odd, at least 65537 and below 2^33; make a new key with 65537"
    )]
    Exponent,
}

/// One PEM block (RFC 7468), with lines of any length and text beside it (section 2). What it holds is wiped
/// on drop.
pub(super) struct Pem<'a> {
    pub(super) label: &'a str,
    pub(super) der: Zeroizing<Vec<u8>>,
}

impl<'a> Pem<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, KeyError> {
        let (_, block) = text.split_once(BEGIN).ok_or(KeyError::NotPem)?;
        let (label, block) = block.split_once(DASHES).ok_or(KeyError::NotPem)?;
        let (body, after) = block.split_once(END).ok_or(KeyError::NotPem)?;
        let after =
            after.strip_prefix(label).and_then(|after| after.strip_prefix(DASHES)).ok_or(KeyError::NotPem)?;
        if body.contains(BEGIN) || after.contains(BEGIN) {
            return Err(KeyError::Several);
        }
        Ok(Self { label, der: decode(body)? })
    }
}

/// Decodes within buffers that are wiped, of the final size from the start, since it may be a private key.
fn decode(body: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut text = Zeroizing::new(Vec::with_capacity(body.len()));
    text.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; text.len()]);
    let len = BASE64.decode_slice(&*text, &mut der).map_err(|_| KeyError::Malformed)?;
    der.truncate(len);
    Ok(der)
}

/// Whether the text admits to a private key in any of the usual wrappings (PKCS#1, PKCS#8, SEC 1, OpenSSH,
/// PGP, PuTTY).
fn contains_private_key(text: &str) -> bool {
    let upper = Zeroizing::new(text.to_ascii_uppercase());
    ["PRIVATE KEY", "PRIVATE-LINES", "PGP PRIVATE"].iter().any(|mark| upper.contains(mark))
}

/// Whether it is a private key whatever its label says: all those encodings are a SEQUENCE that begins with a
/// version, an INTEGER of one byte, where public ones begin with a SEQUENCE (SPKI) or an INTEGER of hundreds
/// of bytes (PKCS#1).
fn is_private_key(der: &[u8]) -> bool {
    content(der).is_some_and(|content| content.starts_with(&[INTEGER, 1]))
}

/// What is in a SEQUENCE.
fn content(der: &[u8]) -> Option<&[u8]> {
    match der {
        [SEQUENCE, 0x82, _, _, content @ ..]
        | [SEQUENCE, 0x81, _, content @ ..]
        | [SEQUENCE, _, content @ ..] => Some(content),
        _ => None,
    }
}

/// What a text is that has no PEM block, where that can be told.
fn other_form(text: &str) -> Option<KeyError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let escaped = text.contains("\\n") || text.contains("\\r");
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=\r\n ".contains(&byte);
    if text.contains(BEGIN) {
        escaped.then_some(KeyError::EscapedLines)
    } else if ["ssh-", "ecdsa-sha2", "---- BEGIN SSH2"].iter().any(|mark| text.starts_with(mark)) {
        Some(KeyError::OpenSsh)
    } else if text.starts_with('{') {
        Some(KeyError::Json)
    } else if text.len() > 200 && text.bytes().all(base64) {
        Some(KeyError::Bare)
    } else {
        None
    }
}

/// The modulus and the exponent, big-endian. SPKI begins with a SEQUENCE, PKCS#1 with the modulus.
fn numbers(der: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
    match content(der) {
        Some([SEQUENCE, ..]) => spki_numbers(der),
        Some(_) | None => pkcs1_numbers(der),
    }
}

fn spki_numbers(der: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
    if spki.algorithm.oid != pkcs1::ALGORITHM_OID {
        return Err(KeyError::NotRsa);
    }
    // RFC 3279 section 2.3.1 asks for NULL; some libraries leave it out.
    if spki.algorithm.parameters.is_some_and(|given| given != rsa::pkcs8::der::asn1::Null.into()) {
        return Err(KeyError::Malformed);
    }
    pkcs1_numbers(spki.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?)
}

fn pkcs1_numbers(der: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
    let key = pkcs1::RsaPublicKeyRef::from_der(der).map_err(|_| KeyError::Malformed)?;
    Ok((key.modulus.as_bytes(), key.public_exponent.as_bytes()))
}

fn check_modulus(modulus: &[u8]) -> Result<(), KeyError> {
    let number = BigUint::from_bytes_be(modulus);
    let bits = usize::try_from(number.bits()).unwrap_or(usize::MAX);
    if !(MIN_BITS..=MAX_BITS).contains(&bits) {
        return Err(KeyError::Size(bits));
    }
    if let Some(factor) = small_factor(modulus) {
        return Err(KeyError::SmallFactor(factor));
    }
    weakness(&number).map_or(Ok(()), |weakness| Err(KeyError::Weak(weakness)))
}

/// The smallest prime factor below [`FACTOR_LIMIT`] of a big-endian number, by trial division.
fn small_factor(number: &[u8]) -> Option<u32> {
    let words: Vec<u32> = number
        .rchunks(4)
        .rev()
        .map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
        .collect();
    let divides = |prime: &u32| {
        let prime = u64::from(*prime);
        words.iter().fold(0, |rest, word| (rest << 32 | u64::from(*word)) % prime) == 0
    };
    small_primes().find(divides)
}

fn small_primes() -> impl Iterator<Item = u32> {
    let odd_prime = |n: &u32| (3..*n).step_by(2).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    [2].into_iter().chain((3..FACTOR_LIMIT).step_by(2).filter(odd_prime))
}

fn check_exponent(digits: &[u8]) -> Result<(), KeyError> {
    let mut padded = [0; 8];
    let from = padded.len().checked_sub(digits.len()).ok_or(KeyError::Exponent)?;
    padded.iter_mut().skip(from).zip(digits).for_each(|(to, digit)| *to = *digit);
    let value = u64::from_be_bytes(padded);
    if value % 2 == 1 && (MIN_EXPONENT..EXPONENT_LIMIT).contains(&value) {
        Ok(())
    } else {
        Err(KeyError::Exponent)
    }
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const LABEL_SHOWN: usize = 40;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

const MIN_BITS: usize = 2048;
const MAX_BITS: usize = 4096;
const FACTOR_LIMIT: u32 = 10_000;
const MIN_EXPONENT: u64 = 65_537;
const EXPONENT_LIMIT: u64 = 1 << 33;

#[cfg(test)]
mod tests {
    use rsa::PrivateKey;
    use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey};
    use rsa::pkcs8::der::EncodePem as _;
    use rsa::traits::PublicKeyParts as _;

    use super::super::sample::{media_key, private_key, private_pem, public_pem};
    use super::*;

    fn refusal(pem: &str) -> KeyError {
        RecipientKey::from_pem(pem).unwrap_err()
    }

    fn pem_of(modulus: BigUint, exponent: u64) -> String {
        let (modulus, exponent) = (modulus.to_bytes_be(), exponent.to_be_bytes());
        let number = |bytes| pkcs1::UintRef::new(bytes).unwrap();
        let key = pkcs1::RsaPublicKeyRef { modulus: number(&modulus), public_exponent: number(&exponent) };
        key.to_pem(LineEnding::LF).unwrap()
    }

    fn modulus() -> BigUint {
        BigUint::from_bytes_be(&private_key().n_bytes())
    }

    #[test]
    fn spki_and_pkcs1_are_the_same_key() {
        let spki = public_pem(private_key());
        let pkcs1 = private_key().to_public_key().to_pkcs1_pem(LineEnding::CRLF).unwrap();
        let (one, two) = (RecipientKey::from_pem(&spki).unwrap(), RecipientKey::from_pem(&pkcs1).unwrap());
        assert_eq!(one, two);
        assert_eq!(one.to_pem(), spki);
        assert_eq!(one.bits(), 2048);
        assert_eq!(one.fingerprint().len(), 64);
    }

    #[test]
    fn line_lengths_line_ends_and_a_byte_order_mark_do_not_matter() {
        let pem = public_pem(private_key());
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let unwrapped =
            format!("\u{feff}-----BEGIN PUBLIC KEY-----\r\n{body}\r\n-----END PUBLIC KEY-----\r\n\r\n");
        assert_eq!(RecipientKey::from_pem(&unwrapped).unwrap().to_pem(), pem);
    }

    #[test]
    fn a_wrapped_key_unwraps_to_the_same_bytes_and_never_looks_the_same() {
        let recipient = RecipientKey::from_pem(&public_pem(private_key())).unwrap();
        let (one, two) = (recipient.wrap(&media_key()).unwrap(), recipient.wrap(&media_key()).unwrap());
        assert_eq!(one.len(), 256);
        assert_ne!(one, two);
        let unwrapped = private_key().decrypt(Oaep::<Sha256>::new(), &one).unwrap();
        assert_eq!(unwrapped, media_key().expose());
    }

    #[test]
    fn private_keys_of_any_kind_are_refused_as_such() {
        let pkcs8 = private_pem(private_key());
        let pkcs1 = private_key().to_pkcs1_pem(LineEnding::LF).unwrap();
        assert_eq!(refusal(&pkcs8), KeyError::PrivateKey);
        assert_eq!(refusal(&pkcs1), KeyError::PrivateKey);
        for kind in ["ENCRYPTED", "EC", "OPENSSH", "DSA"] {
            assert_eq!(
                refusal(&format!(
                    "-----BEGIN {kind} PRIVATE KEY-----\nAAAA\n-----END {kind} PRIVATE KEY-----"
                )),
                KeyError::PrivateKey
            );
        }
        assert_eq!(refusal("-----BEGIN PGP PRIVATE KEY BLOCK-----"), KeyError::PrivateKey);
        assert_eq!(refusal("PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 14\nAAAA"), KeyError::PrivateKey);
    }

    #[test]
    fn a_private_key_beside_or_behind_a_public_label_is_refused_as_such() {
        let (public, private) = (public_pem(private_key()), private_pem(private_key()));
        let pkcs1 = private_key().to_pkcs1_pem(LineEnding::LF).unwrap();
        assert_eq!(refusal(&format!("{public}{private}")), KeyError::PrivateKey);
        assert_eq!(refusal(&private.replace("PRIVATE KEY", "PUBLIC KEY")), KeyError::PrivateKey);
        assert_eq!(refusal(&pkcs1.replace("PRIVATE KEY", "PUBLIC KEY")), KeyError::PrivateKey);
    }

    #[test]
    fn keys_that_are_too_small_or_too_large_are_refused() {
        let small = PrivateKey::new(&mut Drawn::default(), 1024).unwrap();
        assert_eq!(refusal(&public_pem(&small)), KeyError::Size(1024));
        for bits in [512, 1024, 2047] {
            assert_eq!(refusal(&pem_of(modulus() >> (2048 - bits), 65_537)), KeyError::Size(bits));
        }
        assert_eq!(refusal(&pem_of((modulus() << 2049) + 1u32, 65_537)), KeyError::Size(4097));
    }

    #[test]
    fn moduli_with_small_factors_are_refused() {
        assert_eq!(refusal(&pem_of(modulus() + 1u32, 65_537)), KeyError::SmallFactor(2));
        for prime in [3u32, 5, 9_973] {
            let multiple = modulus() * (prime + 2) * prime;
            assert!(
                matches!(refusal(&pem_of(multiple, 65_537)), KeyError::SmallFactor(found) if found <= prime)
            );
        }
    }

    #[test]
    fn the_trial_primes_are_all_those_below_the_limit() {
        assert_eq!(small_primes().take(5).collect::<Vec<_>>(), [2, 3, 5, 7, 11]);
        assert_eq!(small_primes().count(), 1229);
        assert_eq!(small_factor(&(9_973u64 * 1_000_003).to_be_bytes()), Some(9_973));
        assert_eq!(small_factor(&1_000_003u64.to_be_bytes()), None);
    }

    #[test]
    fn exponents_outside_the_rule_are_refused() {
        for exponent in [0, 1, 3, 17, 65_535, 65_536, 65_538, 1 << 33, (1 << 33) + 1, u64::MAX] {
            assert_eq!(refusal(&pem_of(modulus(), exponent)), KeyError::Exponent, "{exponent}");
        }
        for exponent in [65_537, 65_539, (1 << 33) - 1] {
            RecipientKey::from_pem(&pem_of(modulus(), exponent)).unwrap();
        }
    }

    #[test]
    fn what_is_not_one_public_rsa_key_is_refused_with_a_hint() {
        let public = public_pem(private_key());
        let certificate = public.replace("PUBLIC KEY", "CERTIFICATE");
        let request = public.replace("PUBLIC KEY", "CERTIFICATE REQUEST");
        let ed25519 = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
            -----END PUBLIC KEY-----";
        assert_eq!(refusal(&certificate), KeyError::Certificate);
        assert_eq!(refusal(&request), KeyError::Request);
        assert_eq!(
            refusal(&public.replace("PUBLIC KEY", "X509 CRL")),
            KeyError::OtherKind("X509 CRL".into())
        );
        assert_eq!(refusal(ed25519), KeyError::NotRsa);
        assert_eq!(refusal(&format!("{public}{public}")), KeyError::Several);
        assert_eq!(refusal(&public.replace("MII", "M*I")), KeyError::Malformed);
        assert_eq!(
            refusal("-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----"),
            KeyError::Malformed
        );
        assert_eq!(refusal("-----BEGIN PUBLIC KEY-----\nMAA=\n-----END CERTIFICATE-----"), KeyError::NotPem);
        for garbage in ["", "garbage", "-----BEGIN", "-----BEGIN -----", "PuTTY"] {
            assert_eq!(refusal(garbage), KeyError::NotPem, "{garbage}");
        }
        assert_eq!(refusal("ssh-rsa AAAAB3NzaC1yc2E= me@host"), KeyError::OpenSsh);
        assert_eq!(refusal("{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"}"), KeyError::Json);
        assert_eq!(refusal(&public.replace('\n', "\\n")), KeyError::EscapedLines);
        let bare: String = public.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(refusal(&bare), KeyError::Bare);
    }

    #[test]
    fn a_file_is_read_as_openssl_reads_it() {
        let key = private_key().to_public_key();
        let spki = public_pem(private_key());
        let pkcs1 = key.to_pkcs1_pem(LineEnding::LF).unwrap();
        let same = |file: &[u8]| assert_eq!(RecipientKey::from_file(file).unwrap().to_pem(), spki);
        same(format!("\u{feff}Public-Key: (2048 bit)\r\nModulus:\r\n    00:a9\r\n{spki}").as_bytes());
        same(format!("{spki}-- \nthe security team\n").as_bytes());
        same(pkcs1.as_bytes());
        same(spki.replace("PUBLIC KEY", "RSA PUBLIC KEY").as_bytes());
        same(pkcs1.replace("RSA PUBLIC KEY", "PUBLIC KEY").as_bytes());
        // Without the NULL behind rsaEncryption.
        let der = key.to_public_key_der().unwrap().into_vec();
        let oid_and_null = [0x30, 0x0d, 0x06, 0x09];
        let at = der.windows(4).position(|window| window == oid_and_null).unwrap();
        let short = [&[0x30, 0x82, 0x01, 0x20, 0x30, 0x0b], &der[at + 2..at + 13], &der[at + 15..]].concat();
        let body = BASE64.encode(&short);
        same(format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----").as_bytes());

        let refused = |file: &[u8]| RecipientKey::from_file(file).unwrap_err();
        assert_eq!(refused(&der), KeyError::Der);
        assert_eq!(refused(key.to_pkcs1_der().unwrap().as_bytes()), KeyError::Der);
        assert_eq!(refused(private_key().to_pkcs1_der().unwrap().as_bytes()), KeyError::PrivateKey);
        let wide = |start: &[u8]| -> Vec<u8> {
            start.iter().copied().chain(spki.encode_utf16().flat_map(u16::to_le_bytes)).collect()
        };
        assert_eq!(refused(&wide(&[0xff, 0xfe])), KeyError::Utf16);
        assert_eq!(refused(&wide(&[])), KeyError::Utf16);
        assert_eq!(refused(b"\x80\x81"), KeyError::NotPem);
        // A private key beside it is refused, wherever it stands.
        assert_eq!(refused(format!("{spki}{}", private_pem(private_key())).as_bytes()), KeyError::PrivateKey);
    }

    #[test]
    fn bytes_after_the_key_inside_its_block_are_refused() {
        let mut der = private_key().to_public_key().to_public_key_der().unwrap().into_vec();
        der.push(0);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", BASE64.encode(der));
        assert_eq!(refusal(&pem), KeyError::Malformed);
    }
}
