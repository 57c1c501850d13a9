//! The envelope: what a customer needs, beside the sealed media and a private key, to open a recording.
//!
//! It knows how the fields are written; not whether they are true. [`open`](super::open) checks that.
//!
//! **Invariant: an envelope reveals nothing of the audio or its key**, so it may lie beside the media in the
//! clear.

use serde::{Deserialize, Serialize};

use super::{IV_BYTES, MediaKey, RecipientKey, SealError, Sealed, key_commitment};

/// One recording's envelope. Written and read as JSON, a form for each format; unknown fields are refused, and so are those
/// of the other format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Envelope {
    /// The account that the recording belongs to.
    pub account: String,
    /// The recording's id.
    pub recording: String,
    /// The media type of the plaintext, such as `audio/wav`.
    pub content_type: String,
    /// The length of the sealed media in bytes.
    pub bytes: u64,
    /// The SHA-256 of the sealed media.
    pub sha256: [u8; 32],
    /// How the media is sealed, with what its format needs to open it.
    pub sealing: Sealing,
    /// A commitment to the media key: [`key_commitment`].
    pub key_commitment: [u8; 32],
    /// The media key, once for each recipient; of `rsa-aes` the first alone is written.
    pub keys: Vec<WrappedKey>,
}

impl Envelope {
    /// The envelope of media that was sealed under `key`, for the recipients of `keys`.
    ///
    /// # Errors
    /// [`SealError::NoRecipient`] without any, [`SealError::OneRecipient`] with more than the format has room for.
    pub fn new(
        account: &str,
        recording: &str,
        content_type: &str,
        key: &MediaKey,
        sealed: &Sealed,
        keys: Vec<WrappedKey>,
    ) -> Result<Self, SealError> {
        if keys.is_empty() {
            return Err(SealError::NoRecipient);
        }
        let format = sealed.sealing.format();
        if format.has_one_recipient() && keys.len() > 1 {
            return Err(SealError::OneRecipient { keys: keys.len() });
        }
        Ok(Self {
            account: account.to_owned(),
            recording: recording.to_owned(),
            content_type: content_type.to_owned(),
            bytes: sealed.bytes,
            sha256: sealed.sha256,
            sealing: sealed.sealing.clone(),
            key_commitment: key_commitment(key, format, account, recording)?,
            keys,
        })
    }

    /// The format of the sealed media.
    #[must_use]
    pub fn format(&self) -> Format {
        self.sealing.format()
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Envelope {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Envelope".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

/// How media is sealed, with what it takes to open it beside the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// In segments.
    Tink {
        /// The length of a ciphertext segment in bytes: always 65,536.
        segment_bytes: u64,
        /// What the media is bound to: `consent-gateway/v1`, 0, the account, 0, the recording's id.
        associated_data: Vec<u8>,
    },
    /// As one message.
    RsaAes {
        /// Its IV.
        iv: [u8; IV_BYTES],
    },
}

impl Sealing {
    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Sealing::Tink { .. } => Format::Tink,
            Sealing::RsaAes { .. } => Format::RsaAes,
        }
    }
}

/// A format of sealed media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "SealedFormat"))]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Tink's streaming AEAD: AES256-GCM-HKDF-SHA256.
    #[default]
    Tink,
    /// One AES-256-GCM message, as Twilio encrypts recordings.
    RsaAes,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 2] = [Format::Tink, Format::RsaAes];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Tink => "tink",
            Format::RsaAes => "rsa-aes",
        }
    }

    /// Whether it has room for one wrapped key only.
    #[must_use]
    pub const fn has_one_recipient(self) -> bool {
        match self {
            Format::Tink => false,
            Format::RsaAes => true,
        }
    }

    /// The most bytes of audio that it holds; `None` if nothing of a call's length comes near the limit.
    #[must_use]
    pub const fn max_bytes(self) -> Option<u64> {
        match self {
            Format::Tink => None,
            Format::RsaAes => Some(super::MESSAGE_BYTES),
        }
    }
}

/// What it takes to open a recording, beside the sealed media and a private key, as it is written.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "format", rename_all = "kebab-case")]
enum Written {
    /// Tink's streaming AEAD: AES256-GCM-HKDF-SHA256.
    Tink(TinkEnvelope),
    /// One AES-256-GCM message. Its last four members are what Twilio calls encryption details.
    RsaAes(RsaAesEnvelope),
}

/// The envelope of media in the format `tink`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct TinkEnvelope {
    /// The account that the recording belongs to.
    account: String,
    /// The recording's id.
    recording: String,
    /// The media type of the plaintext, such as `audio/wav`.
    content_type: String,
    /// The length of the sealed media in bytes.
    bytes: u64,
    /// The SHA-256 of the sealed media, in lower-case hexadecimal.
    #[serde(with = "lower_hex")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    sha256: [u8; 32],
    /// The length of a ciphertext segment in bytes: always 65,536.
    segment_bytes: u64,
    /// What the media is bound to, in base64: `consent-gateway/v1`, 0, the account, 0, the recording's id.
    #[serde(with = "base64_bytes")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    associated_data: Vec<u8>,
    /// A commitment to the media key, in base64: HKDF-SHA256 of it, with `consent-gateway key v1` as the info.
    #[serde(with = "base64_bytes")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    key_commitment: [u8; 32],
    /// The media key, once for each recipient.
    keys: Vec<WrappedKey>,
}

/// The envelope of media in the format `rsa-aes`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = with_its_key))]
#[serde(deny_unknown_fields)]
struct RsaAesEnvelope {
    /// The account that the recording belongs to.
    account: String,
    /// The recording's id.
    recording: String,
    /// The media type of the plaintext, such as `audio/wav`.
    content_type: String,
    /// The length of the sealed media in bytes.
    bytes: u64,
    /// The SHA-256 of the sealed media, in lower-case hexadecimal.
    #[serde(with = "lower_hex")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    sha256: [u8; 32],
    /// A commitment to the media key, in base64: HKDF-SHA256 of it, with `consent-gateway key v1`, 0, `rsa-aes`, 0, the
    /// account, 0, the recording's id as the info.
    #[serde(with = "base64_bytes")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    key_commitment: [u8; 32],
    /// Always `rsa-aes`.
    #[serde(rename = "type")]
    of_type: RsaAesType,
    /// The fingerprint of the recipient's public key: SHA-256 of its SPKI, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    public_key_sid: Option<String>,
    /// The media key, wrapped by RSAES-OAEP with SHA-256, MGF1 with SHA-256 and the empty label; base64.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "base64_perhaps")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    encrypted_cek: Option<Vec<u8>>,
    /// The IV, in base64: 12 bytes.
    #[serde(with = "base64_bytes")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    iv: [u8; IV_BYTES],
}

/// Every envelope that is shown has its wrapped key. Only what entries commit to has none.
#[cfg(feature = "schema")]
fn with_its_key(schema: &mut schemars::Schema) {
    let required = schema.get_mut("required").and_then(|required| required.as_array_mut());
    required.into_iter().for_each(|names| names.extend(["public_key_sid".into(), "encrypted_cek".into()]));
}

impl From<Envelope> for Written {
    fn from(envelope: Envelope) -> Self {
        let Envelope { account, recording, content_type, bytes, sha256, sealing, key_commitment, keys } =
            envelope;
        match sealing {
            Sealing::Tink { segment_bytes, associated_data } => Self::Tink(TinkEnvelope {
                account,
                recording,
                content_type,
                bytes,
                sha256,
                segment_bytes,
                associated_data,
                key_commitment,
                keys,
            }),
            Sealing::RsaAes { iv } => {
                let wrapped = keys.into_iter().next().map(|wrapped| (wrapped.key, wrapped.encrypted_key));
                let (public_key_sid, encrypted_cek) = wrapped.unzip();
                Self::RsaAes(RsaAesEnvelope {
                    account,
                    recording,
                    content_type,
                    bytes,
                    sha256,
                    key_commitment,
                    of_type: RsaAesType::RsaAes,
                    public_key_sid,
                    encrypted_cek,
                    iv,
                })
            }
        }
    }
}

impl TryFrom<Written> for Envelope {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        Ok(match written {
            Written::Tink(tink) => Self {
                account: tink.account,
                recording: tink.recording,
                content_type: tink.content_type,
                bytes: tink.bytes,
                sha256: tink.sha256,
                sealing: Sealing::Tink {
                    segment_bytes: tink.segment_bytes,
                    associated_data: tink.associated_data,
                },
                key_commitment: tink.key_commitment,
                keys: tink.keys,
            },
            Written::RsaAes(written) => {
                let RsaAesType::RsaAes = written.of_type;
                let key = written.public_key_sid.ok_or("missing field `public_key_sid`")?;
                let encrypted_key = written.encrypted_cek.ok_or("missing field `encrypted_cek`")?;
                Self {
                    account: written.account,
                    recording: written.recording,
                    content_type: written.content_type,
                    bytes: written.bytes,
                    sha256: written.sha256,
                    sealing: Sealing::RsaAes { iv: written.iv },
                    key_commitment: written.key_commitment,
                    keys: vec![WrappedKey { key, algorithm: WrapAlgorithm::RsaOaep256, encrypted_key }],
                }
            }
        })
    }
}

/// What Twilio calls the format.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
enum RsaAesType {
    /// AES-256-GCM under a key that RSA has wrapped.
    #[serde(rename = "rsa-aes")]
    RsaAes,
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
        T::try_from(bytes).map_err(|_| D::Error::custom("expected base64 of another length"))
    }
}

mod base64_perhaps {
    use serde::{Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => super::base64_bytes::serialize(bytes, to),
            None => None::<&str>.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        super::base64_bytes::deserialize(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{media_key, private_key, public_pem};
    use super::*;

    fn envelope(sealing: Sealing) -> Envelope {
        let keys = vec![WrappedKey {
            key: "ab".into(),
            algorithm: WrapAlgorithm::RsaOaep256,
            encrypted_key: vec![1, 2, 3],
        }];
        let sealed = Sealed { bytes: 61, sha256: [0xa5; 32], sealing };
        Envelope::new("acme", "r-1", "audio/wav", &media_key(), &sealed, keys).unwrap()
    }

    fn tink() -> Sealing {
        Sealing::Tink { segment_bytes: 65_536, associated_data: crate::associated_data("acme", "r-1") }
    }

    const TINK: &str = concat!(
        r#"{"format":"tink","account":"acme","recording":"r-1","content_type":"audio/wav","bytes":61,"#,
        r#""sha256":"#,
        r#""a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5","#,
        r#""segment_bytes":65536,"#,
        r#""associated_data":"Y29uc2VudC1nYXRld2F5L3YxAGFjbWUAci0x","#,
        r#""key_commitment":"4xIrxLgmxUifj4C8FnZ/kstrHi8AxY+6Ux1ygmOGnc4=","#,
        r#""keys":[{"key":"ab","algorithm":"RSA-OAEP-256","encrypted_key":"AQID"}]}"#,
    );

    const RSA_AES: &str = concat!(
        r#"{"format":"rsa-aes","account":"acme","recording":"r-1","content_type":"audio/wav","bytes":61,"#,
        r#""sha256":"#,
        r#""a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5","#,
        r#""key_commitment":"qiWWQELzuu0n+iv+7hdUnyN9/RB7WZPpQJH5sZ9u6Bw=","#,
        r#""type":"rsa-aes","public_key_sid":"ab","encrypted_cek":"AQID","iv":"CQkJCQkJCQkJCQkJ"}"#,
    );

    #[test]
    fn the_json_is_exactly_the_documented_one() {
        for (json, sealing) in [(TINK, tink()), (RSA_AES, Sealing::RsaAes { iv: [9; 12] })] {
            assert_eq!(serde_json::to_string(&envelope(sealing.clone())).unwrap(), json);
            assert_eq!(serde_json::from_str::<Envelope>(json).unwrap(), envelope(sealing));
        }
    }

    /// What entries commit to.
    #[test]
    fn without_its_keys_an_envelope_has_no_wrapped_key() {
        let bare = |sealing| {
            let bare = Envelope { keys: Vec::new(), ..envelope(sealing) };
            serde_json::to_string(&bare).unwrap()
        };
        assert!(bare(tink()).ends_with(r#","keys":[]}"#));
        assert!(
            bare(Sealing::RsaAes { iv: [9; 12] }).ends_with(r#","type":"rsa-aes","iv":"CQkJCQkJCQkJCQkJ"}"#)
        );
    }

    #[test]
    fn fields_that_are_unknown_missing_or_malformed_are_refused() {
        let of_both = [
            (r#""bytes":61"#, r#""bytes":61,"more":1"#),
            (r#""bytes":61,"#, ""),
            (r#""bytes":61"#, r#""bytes":-1"#),
            (r#""bytes":61"#, r#""bytes":61,"bytes":61"#),
            ("a5a5a5", "A5a5a5"),
            ("a5a5a5", "a5a5"),
            ("a5a5a5", "a5a5a"),
            ("AQID", "AQI"),
        ];
        let of_tink = [
            (r#""format":"tink""#, r#""format":"rsa-aes""#),
            (r#""format":"tink""#, r#""format":"tink","format":"rsa-aes""#),
            (r#""format":"tink""#, r#""format":"tink","type":"rsa-aes""#),
            (r#""format":"tink","#, ""),
            (r#""tink""#, r#""other""#),
            (r#""key":"ab""#, r#""key":"ab","more":1"#),
            (r#""RSA-OAEP-256""#, r#""RSA1_5""#),
            ("nc4=", "nc4"),
            ("nc4=", ""),
        ];
        let of_rsa_aes = [
            (r#""format":"rsa-aes""#, r#""format":"tink""#),
            (r#""format":"rsa-aes","#, ""),
            (r#""type":"rsa-aes","#, ""),
            (r#""type":"rsa-aes""#, r#""type":"tink""#),
            (r#""type":"rsa-aes""#, r#""type":"rsa-aes","keys":[]"#),
            (r#""type":"rsa-aes""#, r#""type":"rsa-aes","segment_bytes":65536"#),
            (r#""public_key_sid":"ab","#, ""),
            (r#""public_key_sid":"ab""#, r#""public_key_sid":null"#),
            (r#""encrypted_cek":"AQID","#, ""),
            (r#""encrypted_cek":"AQID""#, r#""encrypted_cek":null"#),
            (r#""iv":"CQkJCQkJCQkJCQkJ""#, r#""iv":"CQkJCQkJCQkJCQk=""#),
            (r#""iv":"CQkJCQkJCQkJCQkJ""#, r#""iv":"CQkJCQkJCQkJCQkJCQkJCQ==""#),
        ];
        let all =
            of_both.iter().map(|change| (TINK, change)).chain(of_both.iter().map(|change| (RSA_AES, change)));
        let all = all.chain(of_tink.iter().map(|change| (TINK, change)));
        for (json, (from, to)) in all.chain(of_rsa_aes.iter().map(|change| (RSA_AES, change))) {
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
        let of = |sealing, keys| {
            let sealed = Sealed { bytes: 61, sha256: [0; 32], sealing };
            Envelope::new("acme", "r-1", "audio/wav", &media_key(), &sealed, keys)
        };
        assert!(matches!(of(tink(), vec![]), Err(SealError::NoRecipient)));
        let two = vec![envelope(tink()).keys[0].clone(); 2];
        of(tink(), two.clone()).unwrap();
        let refused = of(Sealing::RsaAes { iv: [9; 12] }, two);
        assert!(matches!(refused, Err(SealError::OneRecipient { keys: 2 })));
    }
}
