//! Telephone numbers: how they are written, and which country issued them.
//!
//! Country code 1 is shared by twenty-odd countries and read from a table of its own ([`nanp`]), which alone says
//! which state or province an area code serves, and does not refuse the numbers kept for fiction and tests
//! (`555-0100` to `555-0199`). Everywhere else a number is its country's ([`plans`]): the countries that share a
//! code are told apart (+7, +39, +44, +47, +61, +262, +290, +358, +590, +599), and the codes that belong to no
//! country have no place (+800, +808, +870, +878, +881, +882, +883, +888, +979).

use thiserror::Error;

use super::{nanp, plans};

/// Brings an international telephone number into its one form, E.164: `+1 (555) 010-0100` becomes
/// `+15550100100`, and `+44 (0)20 7946 0958` becomes `+442079460958`, without the zero that is only dialled
/// within the country (in Italy it is a part of the number, and stays). Spaces, hyphens, full stops and
/// round brackets may separate digits, and `tel:` (RFC 3966) may stand before it. Whether the number exists
/// is not checked.
///
/// Everything that asks whose a number is compares this form: places, subjects, questions and erasures.
///
/// # Errors
///
/// When the text is not an international number. The errors never repeat it.
pub fn e164(text: &str) -> Result<String, NumberError> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || INVISIBLE.contains(&c));
    let scheme = text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:"));
    let text = if scheme { text.get(4..).unwrap_or_default() } else { text };
    let rest = text.strip_prefix('+').ok_or_else(|| without_plus(text))?;
    let mut number = String::from("+");
    for c in rest.chars() {
        match c {
            '0'..='9' => number.push(c),
            ' ' | '-' | '.' | '/' | '(' | ')' => {}
            // what word processors, web pages and address books put for a space or a hyphen, or around a number
            '\u{a0}' | '\u{202f}' | '\u{2010}'..='\u{2013}' | '\u{2212}' => {}
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}' => {}
            _ => return Err(NumberError::Character),
        }
    }
    if number.starts_with("+0") {
        return Err(NumberError::CountryCode);
    }
    let number = without_trunk_prefix(number);
    match number.len().saturating_sub(1) {
        digits if digits < *DIGITS.start() => Err(NumberError::Short),
        digits if digits > *DIGITS.end() => Err(NumberError::Long),
        _ => Ok(number),
    }
}

/// The digits of a number in its one form as they are dialled within its country; all of them where they are
/// fewer than seven, or nobody knows the country.
pub fn dialled_within(e164: &str) -> String {
    let national = plans::split(e164).map(|(_, national)| national);
    national
        .filter(|national| national.len() >= *DIGITS.start())
        .unwrap_or(e164.trim_start_matches('+'))
        .to_owned()
}

/// What is wrong with a text that has no plus sign.
fn without_plus(text: &str) -> NumberError {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let scheme =
        |scheme: &str| text.get(..scheme.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(scheme));
    if text.contains('@') || scheme("sip:") || scheme("sips:") {
        NumberError::Address
    } else if digits == 0 {
        NumberError::Withheld
    } else if digits < *DIGITS.start() {
        NumberError::Short
    } else {
        NumberError::NoPlus
    }
}

/// Takes away what is only dialled within the country: the zero of `+44 020`, the 8 of Russia, the 06 of
/// Hungary.
fn without_trunk_prefix(mut number: String) -> String {
    // Somebody may have written it twice. What is left of a number only gets shorter, so this ends.
    while let Some(plain) = plans::without_trunk_prefix(&number).filter(|plain| plain.len() > *DIGITS.start())
    {
        number = plain;
    }
    number
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
    /// It holds something other than digits and separators.
    #[error(
        "the telephone number holds something other than digits, spaces, hyphens, slashes, full stops and round \
         brackets"
    )]
    Character,
    /// It is an extension, a short code or the number of an emergency service.
    #[error("the telephone number has fewer than 7 digits: it is not an international number")]
    Short,
    /// It has too many digits.
    #[error("the telephone number has more than 15 digits")]
    Long,
    /// It is a word such as `anonymous`, or nothing.
    #[error("there is no telephone number in it")]
    Withheld,
    /// It is the address of an account with a provider, not a telephone number.
    #[error(
        "it is a SIP address: if there is a telephone number in it, write that alone, like `+15550100100`"
    )]
    Address,
}

/// The codes of the places that `text` may belong to; none when it is no valid number or belongs
/// to no country.
pub(super) fn places(text: &str) -> Vec<String> {
    let Ok(number) = e164(text) else {
        return Vec::new();
    };
    match number.strip_prefix("+1") {
        Some(national) => nanp::places(national).iter().map(ToString::to_string).collect(),
        None => plans::place(&number).map(str::to_owned).into_iter().collect(),
    }
}

/// What an address book may put around a number, to write it from left to right.
const INVISIBLE: [char; 9] = [
    '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2060}',
    '\u{feff}',
];

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
            ("tel:+44-20-7946-0958", "+442079460958"),
            ("\u{202a}+44 20 7946\u{2013}0958\u{202c}", "+442079460958"),
            ("+49 30/23125-123", "+493023125123"),
        ] {
            assert_eq!(e164(text).as_deref(), Ok(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_international_number_is_refused() {
        for (text, error) in [
            ("", NumberError::Withheld),
            ("Anonymous", NumberError::Withheld),
            ("tel:", NumberError::Withheld),
            ("911", NumberError::Short),
            ("*98", NumberError::Short),
            ("+1911", NumberError::Short),
            ("2001", NumberError::Short),
            ("(555) 010-0100", NumberError::NoPlus),
            ("0015550100100", NumberError::NoPlus),
            ("sip:alice@example.com", NumberError::Address),
            ("SIP:+15550100100", NumberError::Address),
            ("+15550100100@example.com", NumberError::Character),
            ("+0301234567", NumberError::CountryCode),
            ("+1 555 010 0100 x12", NumberError::Character),
            ("+1 555 CALL NOW", NumberError::Character),
            ("++15550100100", NumberError::Character),
            ("+١٥٥٥٠١٠٠١٠٠", NumberError::Character),
            ("+123456", NumberError::Short),
            ("+1234567890123456", NumberError::Long),
            ("+", NumberError::Short),
        ] {
            assert_eq!(e164(text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_is_only_dialled_within_a_country_is_no_part_of_the_number() {
        for (text, number) in [
            ("+44 (0)20 7946 0958", "+442079460958"),
            ("+4402079460958", "+442079460958"),
            ("+44 00 20 7946 0958", "+442079460958"),
            ("+330123456789", "+33123456789"),
            ("+49 (0)30 23125123", "+493023125123"),
            ("+61 (0)2 5550 1234", "+61255501234"),
            ("+7 8 495 123 45 67", "+74951234567"),
            ("+36 06 1 555 0123", "+3615550123"),
            ("+1 1 415 555 0100", "+14155550100"),
            // there it is a part of the number
            ("+39 (0)2 3661 8300", "+390236618300"),
            ("+39 06 698 12345", "+390669812345"),
            ("+378 0549 882914", "+3780549882914"),
            ("+225 01 23 45 67 89", "+2250123456789"),
            ("+7 800 555 01 00", "+78005550100"),
            // what nobody knows is left as it is
            ("+999 0123 4567", "+99901234567"),
            ("+1 800 555 0100", "+18005550100"),
        ] {
            assert_eq!(e164(text).as_deref(), Ok(number), "{text}");
        }
    }

    #[test]
    fn within_a_country_its_code_is_not_dialled() {
        for (number, digits) in [
            ("+442079460958", "2079460958"),
            ("+14155550100", "4155550100"),
            ("+390236618300", "0236618300"),
            ("+6834000", "6834000"),
            ("+99901234567", "99901234567"),
        ] {
            assert_eq!(dialled_within(number), digits);
        }
    }

    #[test]
    fn the_one_form_of_a_number_is_a_form_of_itself() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..200_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let digits = 7 + usize::try_from(round % 9).unwrap();
            let text: String = format!("{random:020}").chars().skip(20 - digits).collect();
            let text = format!("+{text}");
            let Ok(number) = e164(&text) else { continue };
            assert_eq!(e164(&number).as_deref(), Ok(number.as_str()), "{text}");
            assert_eq!(places(&text), places(&number), "{text}");
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
