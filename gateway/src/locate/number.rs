//! Telephone numbers: how they are written, and which country issued them.
//!
//! Country code 1 is shared by twenty-odd countries and read from our own table ([`nanp`]): it
//! alone says which state or province an area code serves, knows new area codes sooner, and does
//! not refuse the numbers kept for fiction and tests (`555-0100` to `555-0199`). Everywhere else a
//! number is what the numbering plans in the phone-number library say it is: it tells apart the
//! countries that share a code (+7, +39, +44, +47, +61, +262, +358, +590, +599; where they share a
//! range of mobile numbers too, it names the largest), and has no country for the codes that belong to
//! none (+800, +808, +870, +878, +881, +882, +883, +888, +979).

use rlibphonenumber::PhoneNumber;
use thiserror::Error;

use super::nanp;

/// Brings an international telephone number into E.164 form: `+1 (555) 010-0100` becomes
/// `+15550100100`. Spaces, hyphens, full stops and round brackets may separate digits. Whether
/// the number exists is not checked.
///
/// # Errors
///
/// When the text is not an international number. The errors never repeat it.
pub fn e164(text: &str) -> Result<String, NumberError> {
    let rest = text.trim().strip_prefix('+').ok_or(NumberError::NoPlus)?;
    if rest.contains("(0)") {
        return Err(NumberError::TrunkPrefix);
    }
    let mut number = String::from("+");
    for c in rest.chars() {
        match c {
            '0'..='9' => number.push(c),
            ' ' | '-' | '.' | '(' | ')' => {}
            // what word processors and web pages put for a space or a hyphen
            '\u{a0}' | '\u{202f}' | '\u{2010}' | '\u{2011}' => {}
            _ => return Err(NumberError::Character),
        }
    }
    if number.starts_with("+0") {
        return Err(NumberError::CountryCode);
    }
    if !DIGITS.contains(&(number.len() - 1)) {
        return Err(NumberError::Length);
    }
    Ok(number)
}

/// Why a text is no international telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NumberError {
    /// It doesn't begin with a plus sign.
    #[error(
        "the telephone number does not begin with `+`: write it with its country code, like `+15550100100`"
    )]
    NoPlus,
    /// It begins with a zero after the plus sign.
    #[error("the telephone number has no country code after the `+`: no country code begins with 0")]
    CountryCode,
    /// It holds the national trunk prefix, which isn't dialled from abroad.
    #[error("the telephone number holds `(0)`: leave out what is only dialled within the country")]
    TrunkPrefix,
    /// It holds something other than digits and separators.
    #[error(
        "the telephone number holds something other than digits, spaces, hyphens, full stops and round \
         brackets"
    )]
    Character,
    /// It is too short or too long.
    #[error("the telephone number does not have 7 to 15 digits")]
    Length,
}

/// The codes of the places that `text` may belong to; none when it is no valid number or belongs
/// to no country.
pub(super) fn places(text: &str) -> Vec<String> {
    let Ok(number) = e164(text) else {
        return Vec::new();
    };
    match number.strip_prefix("+1") {
        Some(national) => nanp::places(national).iter().map(ToString::to_string).collect(),
        None => country(&number).into_iter().collect(),
    }
}

/// The country that issued a number outside country code 1.
fn country(number: &str) -> Option<String> {
    let number: PhoneNumber = number.parse().ok()?;
    if !number.is_valid() {
        return None;
    }
    let region = number.get_region_code()?.as_region_str().to_string();
    // Ascension and Tristan da Cunha have codes of their own in telephony; ISO 3166-2 has them
    // as parts of Saint Helena. Kosovo's `XK` is in neither list, but in general use: it stays.
    match region.as_str() {
        "AC" => Some("SH-AC".to_owned()),
        "TA" => Some("SH-TA".to_owned()),
        _ => super::is_country(&region).then_some(region),
    }
}

/// How many digits a number has, its country code included: at most fifteen (ITU-T E.164, section
/// 6), and at least what the shortest plans have, such as Niue's (+683 and four digits).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_dropped() {
        for (text, number) in [
            ("+1 (555) 010-0100", "+15550100100"),
            ("+15550100100", "+15550100100"),
            (" +49 30.1234-567 ", "+49301234567"),
            ("+44\u{a0}20 7946\u{202f}0958", "+442079460958"),
            ("+6834000", "+6834000"),
        ] {
            assert_eq!(e164(text).as_deref(), Ok(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_international_number_is_refused() {
        for (text, error) in [
            ("", NumberError::NoPlus),
            ("(555) 010-0100", NumberError::NoPlus),
            ("0015550100100", NumberError::NoPlus),
            ("sip:alice@example.com", NumberError::NoPlus),
            ("+0301234567", NumberError::CountryCode),
            ("+44 (0)20 7946 0958", NumberError::TrunkPrefix),
            ("+1 555 010 0100 x12", NumberError::Character),
            ("+1 555 CALL NOW", NumberError::Character),
            ("++15550100100", NumberError::Character),
            ("+١٥٥٥٠١٠٠١٠٠", NumberError::Character),
            ("+123456", NumberError::Length),
            ("+1234567890123456", NumberError::Length),
            ("+", NumberError::Length),
        ] {
            assert_eq!(e164(text), Err(error), "{text}");
        }
    }

    #[test]
    fn outside_country_code_1_a_number_belongs_to_a_country() {
        for (number, code) in [
            ("+493023125123", "DE"),
            ("+442079460958", "GB"),
            ("+441481256789", "GG"),
            ("+441534456789", "JE"),
            ("+441624756789", "IM"),
            ("+74951234567", "RU"),
            ("+77012345678", "KZ"),
            ("+390236618300", "IT"),
            ("+390669812345", "VA"),
            ("+4721234567", "NO"),
            ("+4779123456", "SJ"),
            ("+590590271234", "BL"),
            ("+590690001234", "GP"),
            ("+262262161234", "RE"),
            ("+262269601234", "YT"),
            ("+59994351234", "CW"),
            ("+5997151234", "BQ"),
            ("+61891621234", "CC"),
            ("+358181234567", "AX"),
            ("+85221234567", "HK"),
            ("+38328012345", "XK"),
            ("+24762889", "SH-AC"),
            ("+2908999", "SH-TA"),
        ] {
            assert_eq!(places(number), [code], "{number}");
        }
    }

    #[test]
    fn a_number_of_no_country_is_unknown() {
        for number in [
            "+80012345678",
            "+80812345678",
            "+870773111632",
            "+878101234567890",
            "+881612345678",
            "+8823421234",
            "+883510012345",
            "+888123456789",
            "+979123456789",
        ] {
            assert_eq!(places(number), [""; 0], "{number}");
        }
    }

    #[test]
    fn an_invalid_number_is_unknown() {
        for number in ["+4400000000", "+49", "+9991234567", "+12", "4930123456", "anonymous"] {
            assert_eq!(places(number), [""; 0], "{number}");
        }
    }

    #[test]
    fn in_country_code_1_the_area_code_decides() {
        assert_eq!(places("+1 415 555 0100"), ["US-CA"]);
        assert_eq!(places("+17875550100"), ["US-PR"]);
        assert_eq!(places("+19025550100"), ["CA-NS", "CA-PE"]);
        assert_eq!(places("+18005550100"), ["US"]);
        assert_eq!(places("+1 555 010 0100"), [""; 0]);
    }
}
