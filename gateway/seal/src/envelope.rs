//! The envelope: what a customer needs, beside the sealed media and a private key, to open a recording.
//!
//! It knows how the fields are written; not whether they are true. [`open`](super::open) checks that.
//!
//! **Invariant: an envelope reveals nothing of the audio or its key**, so it may lie beside the media in the
//! clear.

use serde::{Deserialize, Serialize};

use super::{MediaKey, RecipientKey, SEGMENT_BYTES, SealError, Sealed, associated_data, key_commitment};

/// One recording's envelope. Written and read as JSON; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// How the media is sealed.
    pub format: Format,
    /// The account that the recording belongs to.
    pub account: String,
    /// The recording's id.
    pub recording: String,
    /// The media type of the plaintext, such as `audio/wav`.
    pub content_type: String,
    /// The length of the sealed media in bytes.
    pub bytes: u64,
    /// The SHA-256 of the sealed media, in lower-case hexadecimal.
    #[serde(with = "lower_hex")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub sha256: [u8; 32],
    /// The length of a ciphertext segment in bytes: always 65,536.
    pub segment_bytes: u64,
    /// What the media is bound to, in base64: `consent-gateway/v1`, 0, the account, 0, the recording's id.
    #[serde(with = "base64_bytes")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub associated_data: Vec<u8>,
    /// A commitment to the media key, in base64: HKDF-SHA256 of it, with `consent-gateway key v1` as the info.
    #[serde(with = "base64_bytes")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub key_commitment: [u8; 32],
    /// The media key, once for each recipient.
    pub keys: Vec<WrappedKey>,
}

impl Envelope {
    /// The envelope of media that was sealed under `key`, for the recipients of `keys`.
    ///
    /// # Errors
    /// [`SealError::NoRecipient`] without any.
    pub fn new(
        account: &str,
        recording: &str,
        content_type: &str,
        key: &MediaKey,
        sealed: Sealed,
        keys: Vec<WrappedKey>,
    ) -> Result<Self, SealError> {
        if keys.is_empty() {
            return Err(SealError::NoRecipient);
        }
        Ok(Self {
            format: Format::Tink,
            account: account.to_owned(),
            recording: recording.to_owned(),
            content_type: content_type.to_owned(),
            bytes: sealed.bytes,
            sha256: sealed.sha256,
            segment_bytes: SEGMENT_BYTES as u64,
            associated_data: associated_data(account, recording),
            key_commitment: key_commitment(key)?,
            keys,
        })
    }
}

/// How media is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "SealedFormat"))]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Tink's streaming AEAD: AES256-GCM-HKDF-SHA256.
    Tink,
}

/// A media key that one recipient can unwrap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// The fingerprint of the recipient's public key: SHA-256 of its SPKI, in hexadecimal.
    pub key: String,
    /// How it is wrapped.
    pub algorithm: WrapAlgorithm,
    /// The wrapped key; base64.
    #[serde(with = "base64_bytes")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub encrypted_key: Vec<u8>,
}

impl WrappedKey {
    /// Wraps a media key for a recipient.
    ///
    /// # Errors
    /// Those of [`RecipientKey::wrap`].
    pub fn new(key: &MediaKey, recipient: &RecipientKey) -> Result<Self, SealError> {
        Ok(Self {
            key: recipient.fingerprint().to_owned(),
            algorithm: WrapAlgorithm::RsaOaep256,
            encrypted_key: recipient.wrap(key)?,
        })
    }
}

/// How a media key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WrapAlgorithm {
    /// RSAES-OAEP with SHA-256, MGF1 with SHA-256 and the empty label.
    #[serde(rename = "RSA-OAEP-256")]
    RsaOaep256,
}

mod lower_hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let mut bytes = [0; 32];
        let read = hex::decode_to_slice(&text, &mut bytes).is_ok() && hex::encode(bytes) == text;
        read.then_some(bytes).ok_or_else(|| D::Error::custom("expected 64 lower-case hexadecimal digits"))
    }
}

mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(
        from: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("expected base64 with padding"))?;
        T::try_from(bytes).map_err(|_| D::Error::custom("expected base64 of 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{media_key, private_key, public_pem};
    use super::*;

    fn envelope() -> Envelope {
        let keys = vec![WrappedKey {
            key: "ab".into(),
            algorithm: WrapAlgorithm::RsaOaep256,
            encrypted_key: vec![1, 2, 3],
        }];
        let sealed = Sealed { bytes: 61, sha256: [0xa5; 32] };
        Envelope::new("acme", "r-1", "audio/wav", &media_key(), sealed, keys).unwrap()
    }

    #[test]
    fn the_json_is_exactly_the_documented_one() {
        let json = concat!(
            r#"{"format":"tink","account":"acme","recording":"r-1","content_type":"audio/wav","bytes":61,"#,
            r#""sha256":"#,
            r#""a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5","#,
            r#""segment_bytes":65536,"#,
            r#""associated_data":"Y29uc2VudC1nYXRld2F5L3YxAGFjbWUAci0x","#,
            r#""key_commitment":"4xIrxLgmxUifj4C8FnZ/kstrHi8AxY+6Ux1ygmOGnc4=","#,
            r#""keys":[{"key":"ab","algorithm":"RSA-OAEP-256","encrypted_key":"AQID"}]}"#,
        );
        assert_eq!(serde_json::to_string(&envelope()).unwrap(), json);
        assert_eq!(serde_json::from_str::<Envelope>(json).unwrap(), envelope());
    }

    #[test]
    fn fields_that_are_unknown_missing_or_malformed_are_refused() {
        let json = serde_json::to_string(&envelope()).unwrap();
        let changes = [
            (r#""bytes":61"#, r#""bytes":61,"more":1"#),
            (r#""key":"ab""#, r#""key":"ab","more":1"#),
            (r#""bytes":61,"#, ""),
            (r#""bytes":61"#, r#""bytes":-1"#),
            (r#""tink""#, r#""rsa-aes""#),
            (r#""RSA-OAEP-256""#, r#""RSA1_5""#),
            ("a5a5a5", "A5a5a5"),
            ("a5a5a5", "a5a5"),
            ("a5a5a5", "a5a5a"),
            ("AQID", "AQI"),
            ("nc4=", "nc4"),
            ("nc4=", ""),
        ];
        for (from, to) in changes {
            assert!(json.contains(from), "{from}");
            assert!(serde_json::from_str::<Envelope>(&json.replacen(from, to, 1)).is_err(), "{from} → {to}");
        }
    }

    #[test]
    fn a_key_is_wrapped_under_the_recipients_fingerprint() {
        let recipient = RecipientKey::from_pem(&public_pem(private_key())).unwrap();
        let wrapped = WrappedKey::new(&media_key(), &recipient).unwrap();
        assert_eq!(wrapped.key, recipient.fingerprint());
        assert_eq!(wrapped.encrypted_key.len(), 256);
    }

    #[test]
    fn an_envelope_that_nobody_could_open_is_not_made() {
        let sealed = Sealed { bytes: 61, sha256: [0; 32] };
        let refused = Envelope::new("acme", "r-1", "audio/wav", &media_key(), sealed, vec![]);
        assert!(matches!(refused, Err(SealError::NoRecipient)));
    }
}
