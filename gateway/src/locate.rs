//! Where a participant may be, and on what evidence.
//!
//! Three kinds of evidence lead to a place: somebody says so, an IP address is looked up in a
//! location database, or a telephone number names a country or area. This module gathers the
//! places; it does not weigh one against another. The caller keeps all of them, because the law
//! of every place counts and each kind of evidence can be wrong: numbers are ported and roam, and
//! an address may belong to somebody's exit elsewhere.
//!
//! It knows nothing of law. It gives codes as its sources have them, so that Puerto Rico is
//! `US-PR` from an area code and may be `PR` from a database or a declaration: making one of the
//! two is the policy's work.
//!
//! **Invariant:** a place is given only where its source names it. What is unknown, invalid or
//! unreadable yields no place at all, never a likely one; and neither numbers nor addresses appear
//! in errors.

mod address;
mod nanp;
mod number;
mod plans;

use std::net::IpAddr;
use std::path::Path;

use thiserror::Error;

pub use self::address::LocateError;
pub use self::number::{NumberError, dialled_within, e164};

/// A place somebody or something names, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// A country by its ISO 3166-1 alpha-2 code (`US`) or a state, province or other subdivision
    /// by its ISO 3166-2 code (`US-CA`), in upper case.
    pub code: String,
    /// The evidence for it.
    pub source: Source,
}

impl Sighting {
    fn new(code: impl Into<String>, source: Source) -> Self {
        Self { code: code.into(), source }
    }
}

/// What names a place; later ones are the stronger evidence, and compare as greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A telephone number's country code or area code: where the number was issued.
    Number,
    /// An IP address, looked up: where its network is thought to be used.
    Ip,
    /// A declaration by the platform: a billing address, or what the person said.
    Declared,
}

/// Finds the places that numbers and addresses point at.
#[derive(Debug)]
pub struct Locator {
    addresses: Option<address::Database>,
}

impl Locator {
    /// A locator that looks addresses up in the location database at `mmdb`, a city or country
    /// database in MaxMind's format. The file is read whole and may be replaced afterwards; a new
    /// one counts from the next start. Without a database no address has a place.
    ///
    /// # Errors
    ///
    /// When the file can't be read, is damaged, or is a database of another kind.
    pub fn new(mmdb: Option<&Path>) -> Result<Self, LocateError> {
        let addresses = mmdb.map(address::Database::open).transpose()?;
        Ok(Self { addresses })
    }

    /// The places a telephone number may belong to: none where the number has too few or too many
    /// digits, its area code is unassigned or it belongs to no country; several where provinces share
    /// an area code.
    ///
    /// Outside +1 this is the country. In +1 it is the state, province or territory of the area
    /// code. Toll-free and other codes without a place give the country only: `CA` for Canada's
    /// own (600, 622, 633), `US` for the rest, although subscribers in Canada and the Caribbean
    /// share the toll-free ones.
    #[must_use]
    pub fn number(&self, e164: &str) -> Vec<Sighting> {
        number::places(e164).into_iter().map(|code| Sighting::new(code, Source::Number)).collect()
    }

    /// The place an IP address is used in, at most one: the state or province where the database
    /// names it precisely enough, else the country. None where the database has no country or the
    /// address says nothing about its user: a private or otherwise special address, an
    /// anonymiser, hosting or a satellite link.
    #[must_use]
    pub fn address(&self, ip: IpAddr) -> Vec<Sighting> {
        self.addresses
            .iter()
            .filter_map(|database| database.place(ip))
            .map(|code| Sighting::new(code, Source::Ip))
            .collect()
    }
}

/// Reads a declared place: `US`, or `US-CA`; lower case will do. Only the form is checked, not
/// whether the code exists.
///
/// # Errors
///
/// When the text has another form.
pub fn declared(text: &str) -> Result<Sighting, PlaceError> {
    let text = text.trim();
    let code = text.to_ascii_uppercase();
    let well_formed = match code.split_once('-') {
        Some((country, subdivision)) => is_country(country) && is_subdivision(subdivision),
        None => is_country(&code),
    };
    if well_formed {
        Ok(Sighting::new(code, Source::Declared))
    } else if is_fit_to_print(text) {
        Err(PlaceError::Code(text.to_owned()))
    } else {
        Err(PlaceError::Text)
    }
}

/// Why a declared place was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlaceError {
    /// Something short that was probably meant as a code.
    #[error(
        "`{0}` is not a place code: write a country like `US` or a country with its subdivision \
         like `US-CA`"
    )]
    Code(String),
    /// Anything else. It isn't repeated, since it may be an address or a telephone number.
    #[error(
        "the place is not a code: write a country like `US` or a country with its subdivision \
         like `US-CA`"
    )]
    Text,
}

/// The form of an ISO 3166-1 alpha-2 code.
fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// The form of the second part of an ISO 3166-2 code.
fn is_subdivision(code: &str) -> bool {
    (1..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Whether a mistyped place may be repeated in an error: too short, and too much like a code, to
/// be an address or a number.
fn is_fit_to_print(text: &str) -> bool {
    (1..=8).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_place_is_a_country_or_a_subdivision_in_either_case() {
        for (text, code) in [
            ("US", "US"),
            ("us-ca", "US-CA"),
            (" de ", "DE"),
            ("GB-ENG", "GB-ENG"),
            ("fr-75c", "FR-75C"),
            ("AT-9", "AT-9"),
            ("pr", "PR"),
        ] {
            let place = Sighting::new(code, Source::Declared);
            assert_eq!(declared(text), Ok(place), "{text}");
        }
    }

    #[test]
    fn a_malformed_place_is_named_and_explained() {
        for text in ["California", "U", "USA", "US_CA", "US-", "US-CALI", "US-C-A", "-CA", "U5", "", "ÅX"] {
            assert!(declared(text).is_err(), "{text}");
        }
        assert_eq!(
            declared("us_ca").map_err(|error| error.to_string()),
            Err("`us_ca` is not a place code: write a country like `US` or a country with its subdivision \
                 like `US-CA`"
                .to_owned())
        );
    }

    #[test]
    fn an_address_or_a_number_in_place_of_a_code_is_not_repeated() {
        for text in ["12 Main St, Austin", "+14155550100", "5550100", "Austin, TX"] {
            assert_eq!(declared(text), Err(PlaceError::Text), "{text}");
            assert!(!PlaceError::Text.to_string().contains(text));
        }
    }

    #[test]
    fn declared_is_stronger_than_ip_is_stronger_than_number() {
        assert!(Source::Declared > Source::Ip);
        assert!(Source::Ip > Source::Number);
    }

    #[test]
    fn without_a_database_numbers_have_places_and_addresses_none() {
        let look =
            |locator: Locator| (locator.number("+14155550100"), locator.address([81, 2, 69, 160].into()));
        let californian = vec![Sighting::new("US-CA", Source::Number)];
        assert_eq!(Locator::new(None).ok().map(look), Some((californian, vec![])));
    }
}
