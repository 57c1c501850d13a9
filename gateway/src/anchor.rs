//! Anchors: what takes a signed checkpoint out of the operator's reach.
//!
//! Somebody who holds a log's signing key can write another log. They cannot do so unnoticed once
//! somebody else knows its head: a [`witness`] that signs only what continues what it has seen, a
//! time stamping authority ([`timestamp`]) that proves when a head existed, a write-once place
//! ([`store`]) that keeps every head.
//!
//! Knows no ledger: it is handed checkpoints that are signed already. Nothing of a call waits for an
//! anchor, and no anchor ever sees an entry.
//!
//! INVARIANT: what an anchor answers is checked before it is believed, and bounded in time and size.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use zeroize::Zeroizing;

use self::http::Address;
use self::store::StoreError;
use trail::note::VerifierKey;

pub mod http;
pub mod store;
pub mod timestamp;
pub mod witness;

/// `[[witness]]`: a witness that is asked to cosign every published checkpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// What the witness is called here: in messages, and in a trust file.
    pub name: String,
    /// Its public key in the form `name+hash+base64`, of the kind that makes cosignatures (0x04).
    #[serde(deserialize_with = "verifier_key")]
    pub key: VerifierKey,
    /// Its submission prefix: `/add-checkpoint` is appended.
    pub url: Address,
}

/// `[[timestamp]]`: an authority by RFC 3161 that is asked for a stamp now and then.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampConfig {
    /// Where requests are posted to.
    pub url: Address,
    /// The least time between two stamps of one log, in seconds. Nothing is stamped unless the log has grown.
    #[serde(default = "hourly")]
    pub every_seconds: u64,
}

/// `[write_once]`: where every published checkpoint is kept, `directory` or `bucket`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Settings")]
pub enum WriteOnceConfig {
    /// A directory that exists.
    Directory(DirectoryConfig),
    /// A bucket that speaks S3.
    Bucket(BucketConfig),
}

/// A directory that somebody else keeps: append-only, or on another machine.
#[derive(Debug, Clone)]
pub struct DirectoryConfig {
    /// Which one.
    pub directory: PathBuf,
}

/// A bucket that speaks S3, best with object lock.
///
/// Its credential needs to put and get objects and to list the bucket: without the last, S3 does not
/// say of an object that it is missing. It needs no right to delete.
#[derive(Debug, Clone)]
pub struct BucketConfig {
    /// Its name.
    pub bucket: String,
    /// What all keys begin with; empty by default.
    pub prefix: String,
    /// Where it is, if not at Amazon: `https://host[:port]`, the bucket's name is appended.
    pub endpoint: Option<String>,
    /// Its region, `us-east-1` by default.
    pub region: String,
    /// The name of the credential.
    pub access_key: Option<String>,
    /// Its secret.
    pub secret_key: Option<SecretKey>,
    /// Whether the endpoint may be plain `http` on another machine.
    pub allow_http: bool,
}

impl BucketConfig {
    /// Both halves from the section, or both from the environment: never one of each.
    fn credentials(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Option<(String, Zeroizing<String>)> {
        match (&self.access_key, &self.secret_key) {
            (Some(access), Some(secret)) => Some((access.clone(), secret.0.clone())),
            (None, None) => Some((environment(ACCESS_KEY)?, Zeroizing::new(environment(SECRET_KEY)?))),
            (Some(_), None) | (None, Some(_)) => None,
        }
    }

    /// Whether the bucket is reached by TLS.
    fn secure(&self) -> Result<bool, StoreError> {
        match &self.endpoint {
            None => Ok(true),
            Some(endpoint) if endpoint.starts_with("https://") => Ok(true),
            Some(endpoint) if endpoint.starts_with("http://") && self.may_be_plain(endpoint) => Ok(false),
            Some(endpoint) => Err(StoreError::Plain(endpoint.clone())),
        }
    }

    fn may_be_plain(&self, endpoint: &str) -> bool {
        self.allow_http || endpoint.parse::<Address>().is_ok()
    }
}

/// A secret from the configuration. Shown nowhere, wiped when dropped.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct SecretKey(Zeroizing<String>);

impl From<String> for SecretKey {
    fn from(secret: String) -> Self {
        SecretKey(Zeroizing::new(secret))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// The section as it is written, for errors that name the key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    directory: Option<PathBuf>,
    bucket: Option<String>,
    prefix: Option<String>,
    endpoint: Option<String>,
    region: Option<String>,
    access_key: Option<String>,
    secret_key: Option<SecretKey>,
    allow_http: Option<bool>,
}

impl TryFrom<Settings> for WriteOnceConfig {
    type Error = WriteOnceError;

    fn try_from(written: Settings) -> Result<Self, Self::Error> {
        let Settings { directory, bucket, prefix, endpoint, region, access_key, secret_key, allow_http } =
            written;
        let of_bucket = [
            ("prefix", prefix.is_some()),
            ("endpoint", endpoint.is_some()),
            ("region", region.is_some()),
            ("access_key", access_key.is_some()),
            ("secret_key", secret_key.is_some()),
            ("allow_http", allow_http.is_some()),
        ];
        match (directory, bucket) {
            (Some(_), Some(_)) => Err(WriteOnceError::Both),
            (None, None) => Err(WriteOnceError::Neither),
            (Some(directory), None) => match of_bucket.into_iter().find(|(_, set)| *set) {
                Some((key, _)) => Err(WriteOnceError::NotOfDirectory(key)),
                None => Ok(WriteOnceConfig::Directory(DirectoryConfig { directory })),
            },
            (None, Some(_)) if access_key.is_some() != secret_key.is_some() => {
                Err(WriteOnceError::HalfCredential)
            }
            (None, Some(bucket)) => Ok(WriteOnceConfig::Bucket(BucketConfig {
                bucket,
                prefix: prefix.unwrap_or_default(),
                endpoint,
                region: region.unwrap_or_else(|| "us-east-1".into()),
                access_key,
                secret_key,
                allow_http: allow_http.unwrap_or(false),
            })),
        }
    }
}

/// Why a `[write_once]` section makes no sense.
#[derive(Debug, thiserror::Error)]
enum WriteOnceError {
    #[error("`write_once` has both `directory` and `bucket`; keep one")]
    Both,
    #[error("`write_once` needs `directory` or `bucket`")]
    Neither,
    #[error("`{0}` belongs to a `bucket`, and `write_once` has a `directory`")]
    NotOfDirectory(&'static str),
    #[error("`access_key` and `secret_key` go together")]
    HalfCredential,
}

fn verifier_key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<VerifierKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    VerifierKey::parse(&text).map_err(serde::de::Error::custom)
}

fn hourly() -> u64 {
    3600
}

/// The environment's name for a bucket's credential.
pub const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
/// The environment's name for its secret.
pub const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";

/// What a cosignature is kept as.
pub const WITNESS: &str = "witness";
/// What a time stamp is kept as.
pub const TIMESTAMP: &str = "timestamp";
/// What a head in the write-once place is kept as.
pub const WRITE_ONCE: &str = "write-once";

#[cfg(test)]
mod tests;
