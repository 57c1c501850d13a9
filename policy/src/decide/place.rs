//! Where somebody is, and on what evidence.
//!
//! A place is an ISO 3166-1 alpha-2 country (`US`) or an ISO 3166-2 subdivision (`US-CA`). The
//! module knows nothing of phone numbers or addresses: it is given places.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 3166-1 alpha-2 or ISO 3166-2 code, in its canonical form.
///
/// Lower case is accepted and made upper case. Territories of the United States that ISO also
/// lists as countries (`PR`, `GU`, `VI`, `AS`, `MP`) become subdivisions (`US-PR`), so that either
/// spelling names the same row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    text: [u8; MAX_CODE],
    len: u8,
}

impl Code {
    /// The code as text, for example `US-CA`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text
            .get(..usize::from(self.len))
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }

    /// The country: `US` of `US-CA`, and of `US` itself.
    #[must_use]
    pub fn country(&self) -> Code {
        let mut text = [0; MAX_CODE];
        for (to, from) in text.iter_mut().zip(self.text).take(2) {
            *to = from;
        }
        Code { text, len: 2 }
    }

    /// Whether the code names a whole country.
    #[must_use]
    pub fn is_country(&self) -> bool {
        self.len == 2
    }

    fn from_upper(text: &str) -> Option<Code> {
        let mut bytes = [0; MAX_CODE];
        let len = u8::try_from(text.len()).ok()?;
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Code { text: bytes, len })
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// # Errors
    ///
    /// [`CodeError`] if the text is not an ISO 3166 code by its form.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || CodeError { text: text.chars().take(40).collect() };
        let upper = text.trim().to_ascii_uppercase();
        let (country, subdivision) = match upper.split_once('-') {
            Some((country, subdivision)) => (country, Some(subdivision)),
            None => (upper.as_str(), None),
        };
        let country_ok = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
        let subdivision_ok = subdivision
            .is_none_or(|s| (1..=3).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric()));
        if !country_ok || !subdivision_ok {
            return Err(malformed());
        }
        let canonical = match upper.as_str() {
            territory @ ("PR" | "GU" | "VI" | "AS" | "MP") => alloc::format!("US-{territory}"),
            other => other.to_owned(),
        };
        Code::from_upper(&canonical).ok_or_else(malformed)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Code {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "PlaceCode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[A-Z]{2}(-[A-Z0-9]{1,3})?$",
            "description": "ISO 3166-1 alpha-2 or ISO 3166-2 code of a place, such as `DE` or `US-CA`",
        })
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is not an ISO 3166 code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeError {
    text: String,
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a place: write an ISO 3166-1 country such as `DE`, or an ISO 3166-2 subdivision such as `US-CA`",
            self.text
        )
    }
}

impl core::error::Error for CodeError {}

/// How a place is known, the weakest evidence first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// An E.164 country code or a North American area code.
    Number,
    /// A lookup of an IP address.
    Ip,
    /// The backend says so: a billing address, or what the caller said.
    Declared,
}

impl Evidence {
    /// The word used in tables and in decisions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Evidence::Number => "number",
            Evidence::Ip => "ip",
            Evidence::Declared => "declared",
        }
    }
}

/// A place together with its evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Where.
    pub code: Code,
    /// How we know.
    pub evidence: Evidence,
}

impl Place {
    /// A place known by this evidence.
    #[must_use]
    pub fn new(code: Code, evidence: Evidence) -> Self {
        Place { code, evidence }
    }
}

/// `GB-ENG` is among the longest.
const MAX_CODE: usize = 6;

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::Code;

    #[test]
    fn either_spelling_of_a_territory_is_one_place() {
        let one: Code = "PR".parse().unwrap();
        let other: Code = "us-pr".parse().unwrap();
        assert_eq!(one, other);
        assert_eq!(one.to_string(), "US-PR");
        assert_eq!(one.country().as_str(), "US");
    }

    #[test]
    fn a_name_is_no_code() {
        for text in ["", "California", "USA", "U", "US-", "US-CALI", "U1", "US CA", "é"] {
            assert!(text.parse::<Code>().is_err(), "{text}");
        }
    }
}
