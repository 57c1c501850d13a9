//! Consent records in other people's formats.
//!
//! A [`Record`] is the [story](trail::story) of one call, and what stands beside it. It is written as a vCon with a `lawful_basis` for
//! everybody who was asked ([`vcon`], signed by [`jws`]), and as consent records after ISO/IEC TS 27560
//! ([`dpv`]). All of it is computed: what is exported is what the caller hands in.
//!
//! Knows no SQL, no HTTP and no clock.
//!
//! INVARIANT: nothing is claimed that no entry says. Where a detail was erased, the pseudonym of the
//! trail stands in its place; where nobody was asked, nothing is said about their consent.

pub mod dpv;
pub mod jws;
pub mod record;
pub mod vcon;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use record::{Entry, Extras, KnownMedia, KnownPerson, Record, RecordError};

/// Who the account's recordings are made for, as the operator says: the controller, in the words of data
/// protection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Its legal name.
    pub name: String,
    /// Its postal address.
    #[serde(default)]
    pub address: Option<String>,
    /// How it is reached: an e-mail address, a telephone number or a URL.
    #[serde(default)]
    pub contact: Option<String>,
    /// The URL of its privacy notice.
    #[serde(default)]
    pub privacy_notice: Option<String>,
    /// Third parties who receive recordings.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// Where recordings are stored: places such as `DE` or `US-CA`, or words.
    #[serde(default)]
    pub storage_locations: Vec<String>,
    /// How consent is withdrawn: a URL, or words.
    #[serde(default)]
    pub withdrawal: Option<String>,
}

/// A UUID of version 8 (RFC 9562 section 5.8), made from names: the same names always give the same one.
fn named_uuid(names: &[&str]) -> Uuid {
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = from;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A moment as JMAP's `UTCDate` (RFC 8620 section 1.4), which vCon asks for: RFC 3339, and no fraction
/// where it is zero.
fn date(at: Timestamp) -> String {
    at.to_string()
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
