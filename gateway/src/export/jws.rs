//! The signature of a vCon: JWS General JSON Serialization (RFC 7515 section 7.2.1) with RS256.
//!
//! It signs any JSON object; of a vCon it only knows the `uuid`. Signing is done by ring, in constant time.
//!
//! INVARIANT: the key belongs to the first certificate, so that whoever trusts the chain can verify what
//! was signed with nothing else.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::SignatureScheme;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde_json::{Value, json};

use super::base64url;

/// A certificate with its RSA key.
pub struct Signer {
    certified: CertifiedKey,
}

impl Signer {
    /// From PEM: the signer's certificate first, then the chain; and its RSA key of 2048 to 4096 bits,
    /// unencrypted (PKCS#8 or PKCS#1).
    ///
    /// # Errors
    ///
    /// [`JwsError`]: one of them cannot be read, the key is no such RSA key, or is another certificate's.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Signer, JwsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(JwsError::Certificate)?;
        if chain.is_empty() {
            return Err(JwsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(JwsError::Key)?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(JwsError::Unusable)?;
        if key.choose_scheme(&[RS256]).is_none() {
            return Err(JwsError::NotRsa);
        }
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(JwsError::Unusable)?;
        Ok(Signer { certified })
    }

    /// The signed form of a vCon.
    ///
    /// The chain stands in the unprotected header, as the vCon draft wants; `alg` is protected, and, since
    /// RFC 7515 wants the two disjoint, stands nowhere else.
    ///
    /// # Errors
    ///
    /// [`JwsError`]: the vCon has no `uuid`, or cannot be signed.
    pub fn sign(&self, vcon: &Value) -> Result<Value, JwsError> {
        let uuid = vcon.get("uuid").and_then(Value::as_str).ok_or(JwsError::NoUuid)?;
        let payload = base64url(&serde_json::to_vec(vcon)?);
        let protected = base64url(&serde_json::to_vec(&json!({"alg": "RS256"}))?);
        // RFC 7515 section 5.1: over the two encoded parts, with a full stop between them.
        let signer = self.certified.key.choose_scheme(&[RS256]).ok_or(JwsError::NotRsa)?;
        let signature =
            signer.sign(format!("{protected}.{payload}").as_bytes()).map_err(JwsError::Unusable)?;
        // Section 4.1.6: base64, not base64url.
        let x5c: Vec<String> = self.certified.cert.iter().map(|cert| BASE64_STANDARD.encode(cert)).collect();
        Ok(json!({
            "payload": payload,
            "signatures": [{
                "protected": protected,
                "header": {"x5c": x5c, "uuid": uuid},
                "signature": base64url(&signature),
            }],
        }))
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("certificates", &self.certified.cert.len()).finish_non_exhaustive()
    }
}

/// Why a vCon cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum JwsError {
    /// The certificates cannot be read.
    #[error("can't read the certificates for signing exports; expected PEM")]
    Certificate(#[source] pem::Error),
    /// There is no certificate.
    #[error("no certificate for signing exports; expected PEM, the signer's own certificate first")]
    NoCertificate,
    /// The key cannot be read.
    #[error("can't read the key for signing exports; expected an unencrypted PEM key")]
    Key(#[source] pem::Error),
    /// The key is none for RS256.
    #[error(
        "the key for signing exports is not an RSA key, and vCons are signed with RS256; make an RSA key of at least 2048 bits"
    )]
    NotRsa,
    /// Key and certificate cannot be used together.
    #[error("the certificate and the key for signing exports can't be used together")]
    Unusable(#[source] rustls::Error),
    /// The vCon has no id.
    #[error("the vCon has no `uuid`")]
    NoUuid,
    /// The vCon cannot be written.
    #[error("the vCon cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

const RS256: SignatureScheme = SignatureScheme::RSA_PKCS1_SHA256;

#[cfg(test)]
mod tests;
