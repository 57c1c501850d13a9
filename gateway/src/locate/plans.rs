//! The numbering plans behind the country calling codes. What stands behind `+1` is in [`nanp`](super::nanp).
//!
//! ITU-T assigns the codes to countries (E.164, and the list of assigned codes in its Operational Bulletin).
//! What a country makes of its code is taken from the metadata of libphonenumber 9.0.42 (Google, Apache-2.0):
//! how many digits follow, whether a zero is dialled before them within the country, and which leading digits
//! are whose where countries share a code. There the table has the fewest leading digits that give every number
//! its country; the longest that fit count. Digits that none of them uses have no place, and a range of mobile
//! numbers that they share is the largest country's, as all of +212 is Morocco's. Ascension and Tristan da Cunha
//! are parts of Saint Helena in ISO 3166-2; Kosovo's `XK` is in neither part of ISO 3166, but in general use.
//!
//! The table was computed from the library's patterns, and compared with the library in November 2026 over
//! 13 million seeded numbers, valid and not, of every code. To bring it up to date, do both again. No number
//! got another country than the library's, and these differences are known:
//!
//! * A number of a code that one country has alone belongs to it where the count of digits is right; the library
//!   also looks for a block that was handed out. Where countries share a code, both look.
//! * Numbers that begin with zero where a zero is dialled before numbers have no place: +250 06, a satellite
//!   service of Rwanda. The 00 numbers that only exist within a country (Japan, India, Thailand and others) lose
//!   their zeros, and keep their country.
//! * Choices of a carrier, and of hiding one's number, are not taken off after a plus sign (Brazil, Bolivia,
//!   Colombia, Costa Rica, Luxembourg, the Faroe Islands, Liechtenstein, Korea, China, Japan, Australia, the
//!   `180020` of British text relay); a trunk prefix other than zero, only before a number of the right length.
//! * [`super::dialled_within`] leaves the short numbers of San Marino, Madagascar and Norfolk Island as they are.

/// A country calling code, or the part of one that is a place's own.
pub(super) struct Plan {
    /// The calling code's digits.
    code: &'static str,
    /// What is dialled before a number within the country and is no part of it: `0`, or nothing. What else is
    /// dialled stands in [`DIALLED`].
    trunk: &'static str,
    /// The ISO 3166 code of the place; empty where numbers belong to none.
    place: &'static str,
    /// How many digits may follow the calling code.
    digits: &'static [usize],
    /// What a number of the place begins with after the calling code; empty where that says nothing.
    leading: &'static [&'static str],
}

impl Plan {
    /// How many of its first digits make the number one of this plan; nothing where they make it another's.
    fn leads(&self, national: &str) -> Option<usize> {
        if self.leading.is_empty() {
            return Some(0);
        }
        self.leading
            .iter()
            .filter(|leading| national.starts_with(**leading))
            .map(|leading| leading.len())
            .max()
    }
}

/// The calling code's main plan, and the digits after the calling code; nothing where nobody has the code.
pub(super) fn split(e164: &str) -> Option<(&'static Plan, &str)> {
    let digits = e164.strip_prefix('+')?;
    PLANS.iter().find_map(|plan| Some((plan, digits.strip_prefix(plan.code)?)))
}

/// The ISO 3166 code of the place that a number belongs to; nothing where it has too few or too many digits, or
/// begins with digits that belong to nobody.
pub(super) fn place(e164: &str) -> Option<&'static str> {
    let (main, national) = split(e164)?;
    let (plan, _) = PLANS
        .iter()
        .filter(|plan| plan.code == main.code)
        .filter_map(|plan| Some((plan, plan.leads(national)?)))
        .max_by_key(|(_, digits)| *digits)?;
    let dialled = !plan.trunk.is_empty() && national.starts_with(plan.trunk);
    let belongs = !plan.place.is_empty() && !dialled && plan.digits.contains(&national.len());
    belongs.then_some(plan.place)
}

/// The number without digits that are only dialled within the country; nothing where there are none.
pub(super) fn without_trunk_prefix(e164: &str) -> Option<String> {
    let (plan, national) = split(e164)?;
    let fits = |rest: &&str| {
        rest.len() < national.len()
            && (plan.digits.contains(&rest.len()) || plan.digits.iter().all(|most| *most < rest.len()))
    };
    let zero = national.strip_prefix(plan.trunk).filter(fits);
    let other = || {
        DIALLED
            .iter()
            .filter(|(code, _, digits)| *code == plan.code && digits.contains(&national.len()))
            .find_map(|(_, prefix, _)| national.strip_prefix(prefix))
    };
    match zero.or_else(other) {
        Some(rest) => Some(format!("+{}{rest}", plan.code)),
        None if plan.code == "54" => argentine_mobile(national),
        None => None,
    }
}

/// Within Argentina a mobile number is dialled with 15 after the area code, from abroad with 9 before it.
fn argentine_mobile(national: &str) -> Option<String> {
    let areas: &[usize] = match national.as_bytes() {
        bytes if bytes.len() != 12 => &[],
        [b'1', b'1', ..] => &[2],
        [b'2' | b'3', ..] => &[3, 4],
        _ => &[],
    };
    areas.iter().find_map(|area| {
        let (area, rest) = national.split_at_checked(*area)?;
        Some(format!("+549{area}{}", rest.strip_prefix("15")?))
    })
}

/// What is dialled before a number within a country, other than one zero: the calling code, the digits, and how
/// many digits the number has with them.
static DIALLED: &[(&str, &str, &[usize])] = &[
    ("1", "1", &[11]),
    ("241", "0", &[9]),
    ("36", "06", &[10, 11]),
    ("370", "8", &[9]),
    ("375", "80", &[11]),
    ("692", "1", &[8]),
    ("7", "8", &[11]),
    ("993", "8", &[9]),
];

const fn plan(
    code: &'static str,
    trunk: &'static str,
    place: &'static str,
    digits: &'static [usize],
    leading: &'static [&'static str],
) -> Plan {
    Plan { code, trunk, place, digits, leading }
}

/// Every calling code that is in use, in ascending order; the plan of a shared code's largest country first.
static PLANS: &[Plan] = &[
    plan("1", "", "", &[10], &[]),
    plan("20", "0", "EG", &[8, 9, 10], &[]),
    plan("211", "0", "SS", &[9], &[]),
    plan("212", "0", "MA", &[9], &[]),
    plan("213", "0", "DZ", &[8, 9], &[]),
    plan("216", "", "TN", &[8], &[]),
    plan("218", "0", "LY", &[9], &[]),
    plan("220", "", "GM", &[7, 9], &[]),
    plan("221", "", "SN", &[9], &[]),
    plan("222", "", "MR", &[8], &[]),
    plan("223", "", "ML", &[8], &[]),
    plan("224", "", "GN", &[8, 9], &[]),
    plan("225", "", "CI", &[10], &[]),
    plan("226", "", "BF", &[8], &[]),
    plan("227", "", "NE", &[8], &[]),
    plan("228", "", "TG", &[8], &[]),
    plan("229", "", "BJ", &[8, 10], &[]),
    plan("230", "", "MU", &[7, 8, 10], &[]),
    plan("231", "0", "LR", &[7, 8, 9], &[]),
    plan("232", "0", "SL", &[8], &[]),
    plan("233", "0", "GH", &[8, 9], &[]),
    plan("234", "0", "NG", &[10, 11, 12], &[]),
    plan("235", "", "TD", &[8], &[]),
    plan("236", "", "CF", &[8], &[]),
    plan("237", "", "CM", &[8, 9], &[]),
    plan("238", "", "CV", &[7], &[]),
    plan("239", "", "ST", &[7], &[]),
    plan("240", "", "GQ", &[9], &[]),
    plan("241", "", "GA", &[7, 8], &[]),
    plan("242", "", "CG", &[9], &[]),
    plan("243", "0", "CD", &[7, 8, 9, 10], &[]),
    plan("244", "", "AO", &[9], &[]),
    plan("245", "", "GW", &[7, 9], &[]),
    plan("246", "", "IO", &[7], &[]),
    plan("247", "", "SH-AC", &[5, 6], &[]),
    plan("248", "", "SC", &[7], &[]),
    plan("249", "0", "SD", &[9], &[]),
    plan("250", "0", "RW", &[8, 9], &[]),
    plan("251", "0", "ET", &[9], &[]),
    plan("252", "0", "SO", &[6, 7, 8, 9], &[]),
    plan("253", "", "DJ", &[8], &[]),
    plan("254", "0", "KE", &[7, 8, 9, 10], &[]),
    plan("255", "0", "TZ", &[9], &[]),
    plan("256", "0", "UG", &[9], &[]),
    plan("257", "", "BI", &[8], &[]),
    plan("258", "", "MZ", &[8, 9], &[]),
    plan("260", "0", "ZM", &[9], &[]),
    plan("261", "0", "MG", &[7, 9], &[]),
    plan("262", "0", "RE", &[9], &["262", "263", "2688", "69", "7092", "8", "9399", "9479", "9762", "9763"]),
    plan("262", "0", "YT", &[9], &["2689", "269", "63", "7093", "9398", "9478", "9769"]),
    plan("263", "0", "ZW", &[7, 9, 10], &[]),
    plan("264", "0", "NA", &[8, 9], &[]),
    plan("265", "0", "MW", &[7, 9], &[]),
    plan("266", "", "LS", &[8], &[]),
    plan("267", "", "BW", &[7, 8, 10], &[]),
    plan("268", "", "SZ", &[8, 9], &[]),
    plan("269", "", "KM", &[7], &[]),
    plan("27", "0", "ZA", &[5, 6, 7, 8, 9, 10], &[]),
    plan("290", "", "SH", &[5], &["2", "5", "6", "9"]),
    plan("290", "", "SH-TA", &[4], &["8"]),
    plan("291", "0", "ER", &[7], &[]),
    plan("297", "", "AW", &[7], &[]),
    plan("298", "", "FO", &[6], &[]),
    plan("299", "", "GL", &[6], &[]),
    plan("30", "", "GR", &[10, 11, 12], &[]),
    plan("31", "0", "NL", &[5, 6, 7, 8, 9, 10, 11], &[]),
    plan("32", "0", "BE", &[8, 9], &[]),
    plan("33", "0", "FR", &[9], &[]),
    plan("34", "", "ES", &[9], &[]),
    plan("350", "", "GI", &[8], &[]),
    plan("351", "", "PT", &[9], &[]),
    plan("352", "", "LU", &[4, 5, 6, 7, 8, 9, 10, 11], &[]),
    plan("353", "0", "IE", &[7, 8, 9, 10], &[]),
    plan("354", "", "IS", &[7, 9], &[]),
    plan("355", "0", "AL", &[6, 7, 8, 9], &[]),
    plan("356", "", "MT", &[8], &[]),
    plan("357", "", "CY", &[8], &[]),
    plan("358", "0", "FI", &[5, 6, 7, 8, 9, 10, 11, 12], &[]),
    plan("358", "0", "AX", &[6, 7, 8, 9], &["18"]),
    plan("358", "0", "", &[], &["0", "11", "12"]),
    plan("359", "0", "BG", &[6, 7, 8, 9, 12], &[]),
    plan("36", "", "HU", &[8, 9], &[]),
    plan("370", "0", "LT", &[8], &[]),
    plan("371", "", "LV", &[8], &[]),
    plan("372", "", "EE", &[7, 8, 10], &[]),
    plan("373", "0", "MD", &[8], &[]),
    plan("374", "0", "AM", &[8], &[]),
    plan("375", "0", "BY", &[6, 7, 8, 9, 10, 11], &[]),
    plan("376", "", "AD", &[6, 8, 9], &[]),
    plan("377", "0", "MC", &[8, 9], &[]),
    plan("378", "", "SM", &[6, 8, 10], &[]),
    plan("380", "0", "UA", &[9, 10], &[]),
    plan("381", "0", "RS", &[6, 7, 8, 9, 10, 11, 12], &[]),
    plan("382", "0", "ME", &[8, 9], &[]),
    plan("383", "0", "XK", &[8, 9, 10, 11, 12], &[]),
    plan("385", "0", "HR", &[7, 8, 9], &[]),
    plan("386", "0", "SI", &[5, 6, 7, 8], &[]),
    plan("387", "0", "BA", &[8, 9], &[]),
    plan("389", "0", "MK", &[8], &[]),
    plan("39", "", "IT", &[6, 7, 8, 9, 10, 11, 12], &[]),
    plan("39", "", "VA", &[6, 7, 8, 9, 10, 11], &["06698"]),
    plan("39", "", "", &[], &["00", "2", "6", "7", "9"]),
    plan("40", "0", "RO", &[6, 9], &[]),
    plan("41", "0", "CH", &[9, 12], &[]),
    plan("420", "", "CZ", &[9, 10, 11, 12], &[]),
    plan("421", "0", "SK", &[6, 7, 9], &[]),
    plan("423", "0", "LI", &[7, 9], &[]),
    plan("43", "0", "AT", &[4, 5, 6, 7, 8, 9, 10, 11, 12, 13], &[]),
    plan(
        "44",
        "0",
        "GB",
        &[7, 9, 10],
        &[
            "", "7623", "7625", "7626", "77000", "77001", "79110", "79112", "79118", "90", "91", "982",
            "983", "984", "989",
        ],
    ),
    plan("44", "0", "GG", &[10], &["1481", "7781", "7839", "79111", "79117", "980", "981"]),
    plan("44", "0", "IM", &[10], &["1624", "74576", "7524", "7624"]),
    plan("44", "0", "JE", &[10], &["1534", "7509", "77003", "77007", "77008", "7797", "7829", "7937"]),
    plan(
        "44",
        "0",
        "",
        &[],
        &["0", "10", "1486", "1532", "1533", "1537", "1627", "4", "6", "761", "762", "7700", "7911", "9"],
    ),
    plan("45", "", "DK", &[8], &[]),
    plan("46", "0", "SE", &[6, 7, 8, 9, 10, 12], &[]),
    plan("47", "", "NO", &[5, 8], &[]),
    plan("47", "", "SJ", &[8], &["79"]),
    plan("47", "", "", &[], &["1"]),
    plan("48", "", "PL", &[6, 7, 8, 9, 10], &[]),
    plan("49", "0", "DE", &[4, 5, 6, 7, 8, 9, 10, 11, 12, 13], &[]),
    plan("500", "", "FK", &[5], &[]),
    plan("501", "", "BZ", &[7, 11], &[]),
    plan("502", "", "GT", &[8, 11], &[]),
    plan("503", "", "SV", &[7, 8, 11], &[]),
    plan("504", "", "HN", &[8, 11], &[]),
    plan("505", "", "NI", &[8], &[]),
    plan("506", "", "CR", &[8, 10], &[]),
    plan("507", "", "PA", &[7, 8, 10, 11], &[]),
    plan("508", "0", "PM", &[6, 9], &[]),
    plan("509", "", "HT", &[8], &[]),
    plan("51", "0", "PE", &[8, 9], &[]),
    plan("52", "", "MX", &[10], &[]),
    plan("53", "0", "CU", &[6, 7, 8, 10], &[]),
    plan("54", "0", "AR", &[10, 11], &[]),
    plan("55", "0", "BR", &[8, 9, 10, 11], &[]),
    plan("56", "", "CL", &[9, 10, 11], &[]),
    plan("57", "0", "CO", &[8, 10, 11], &[]),
    plan("58", "0", "VE", &[10], &[]),
    plan("590", "0", "GP", &[9], &["590", "59070", "59078", "598", "6", "7", "8", "9"]),
    plan("590", "0", "BL", &[9], &["59027", "59029", "59051", "59052", "59087"]),
    plan(
        "590",
        "0",
        "MF",
        &[9],
        &["59000", "59007", "59009", "59013", "59030", "59043", "59050", "59056", "59058", "59077", "59079"],
    ),
    plan("590", "0", "", &[], &["5907"]),
    plan("591", "0", "BO", &[8, 9], &[]),
    plan("592", "", "GY", &[7], &[]),
    plan("593", "0", "EC", &[8, 9, 10, 11], &[]),
    plan("594", "0", "GF", &[9], &[]),
    plan("595", "0", "PY", &[6, 7, 8, 9, 10, 11], &[]),
    plan("596", "0", "MQ", &[9], &[]),
    plan("597", "", "SR", &[6, 7], &[]),
    plan("598", "0", "UY", &[4, 5, 6, 7, 8, 9, 10, 11, 12], &[]),
    plan("599", "", "CW", &[7, 8], &["6", "9"]),
    plan("599", "", "BQ", &[7], &["3", "4", "7"]),
    plan("60", "0", "MY", &[8, 9, 10], &[]),
    plan(
        "61",
        "0",
        "AU",
        &[5, 6, 7, 8, 9, 10, 12],
        &["1", "2", "3", "4", "7", "8510", "8511", "8512", "8513", "8514", "855", "86", "87", "88", "89"],
    ),
    plan(
        "61",
        "0",
        "CC",
        &[9],
        &["851002", "851031", "851060", "851089", "851118", "851176", "851223", "89162", "891703"],
    ),
    plan(
        "61",
        "0",
        "CX",
        &[9],
        &[
            "851001", "851030", "851059", "851088", "851117", "851146", "851175", "851222", "851235",
            "89164", "891958",
        ],
    ),
    plan("61", "0", "", &[], &["851147", "851220"]),
    plan("62", "0", "ID", &[7, 8, 9, 10, 11, 12, 13], &[]),
    plan("63", "0", "PH", &[6, 8, 9, 10, 11, 12, 13], &[]),
    plan("64", "0", "NZ", &[5, 6, 7, 8, 9, 10], &[]),
    plan("65", "", "SG", &[8, 10, 11], &[]),
    plan("66", "0", "TH", &[8, 9, 10, 13], &[]),
    plan("670", "", "TL", &[7, 8], &[]),
    plan("672", "", "NF", &[5, 6], &[]),
    plan("673", "", "BN", &[7], &[]),
    plan("674", "", "NR", &[7], &[]),
    plan("675", "", "PG", &[7, 8], &[]),
    plan("676", "", "TO", &[5, 7], &[]),
    plan("677", "", "SB", &[5, 7], &[]),
    plan("678", "", "VU", &[5, 7], &[]),
    plan("679", "", "FJ", &[7, 11], &[]),
    plan("680", "", "PW", &[7], &[]),
    plan("681", "", "WF", &[6, 9], &[]),
    plan("682", "", "CK", &[5], &[]),
    plan("683", "", "NU", &[4, 7], &[]),
    plan("685", "", "WS", &[5, 6, 7, 10], &[]),
    plan("686", "0", "KI", &[5, 8], &[]),
    plan("687", "", "NC", &[6], &[]),
    plan("688", "", "TV", &[5, 6, 7], &[]),
    plan("689", "", "PF", &[6, 8, 9], &[]),
    plan("690", "", "TK", &[4, 5, 6, 7], &[]),
    plan("691", "", "FM", &[7], &[]),
    plan("692", "", "MH", &[7], &[]),
    plan("7", "", "RU", &[10, 14], &["3", "4", "8", "9"]),
    plan("7", "", "KZ", &[10], &["7"]),
    plan("800", "", "", &[], &[]),
    plan("808", "", "", &[], &[]),
    plan("81", "0", "JP", &[8, 9, 10, 11, 12, 13], &[]),
    plan("82", "0", "KR", &[5, 6, 8, 9, 10, 11, 12, 13], &[]),
    plan("84", "0", "VN", &[7, 8, 9, 10], &[]),
    plan("850", "0", "KP", &[8, 10], &[]),
    plan("852", "", "HK", &[5, 6, 7, 8, 9, 11], &[]),
    plan("853", "", "MO", &[7, 8], &[]),
    plan("855", "0", "KH", &[8, 9, 10], &[]),
    plan("856", "0", "LA", &[8, 9, 10], &[]),
    plan("86", "0", "CN", &[7, 8, 9, 10, 11, 12], &[]),
    plan("870", "", "", &[], &[]),
    plan("878", "", "", &[], &[]),
    plan("880", "0", "BD", &[6, 7, 8, 9, 10], &[]),
    plan("881", "", "", &[], &[]),
    plan("882", "", "", &[], &[]),
    plan("883", "", "", &[], &[]),
    plan("886", "0", "TW", &[7, 8, 9, 10, 11], &[]),
    plan("888", "", "", &[], &[]),
    plan("90", "0", "TR", &[7, 10, 12, 13], &[]),
    plan("91", "0", "IN", &[8, 9, 10, 11, 12, 13], &[]),
    plan("92", "0", "PK", &[8, 9, 10, 11, 12], &[]),
    plan("93", "0", "AF", &[9], &[]),
    plan("94", "0", "LK", &[9], &[]),
    plan("95", "0", "MM", &[6, 7, 8, 9, 10], &[]),
    plan("960", "", "MV", &[7, 10], &[]),
    plan("961", "0", "LB", &[7, 8], &[]),
    plan("962", "0", "JO", &[8, 9], &[]),
    plan("963", "0", "SY", &[8, 9], &[]),
    plan("964", "0", "IQ", &[8, 9, 10], &[]),
    plan("965", "", "KW", &[7, 8], &[]),
    plan("966", "0", "SA", &[9, 10], &[]),
    plan("967", "0", "YE", &[7, 8, 9], &[]),
    plan("968", "", "OM", &[7, 8, 9], &[]),
    plan("970", "0", "PS", &[8, 9, 10], &[]),
    plan("971", "0", "AE", &[5, 6, 7, 8, 9, 10, 11, 12], &[]),
    plan("972", "0", "IL", &[7, 8, 9, 10, 11, 12], &[]),
    plan("973", "", "BH", &[8], &[]),
    plan("974", "", "QA", &[7, 8, 9, 11], &[]),
    plan("975", "", "BT", &[7, 8], &[]),
    plan("976", "0", "MN", &[8, 9, 10], &[]),
    plan("977", "0", "NP", &[8, 10, 11], &[]),
    plan("979", "", "", &[], &[]),
    plan("98", "0", "IR", &[4, 5, 6, 7, 10], &[]),
    plan("992", "", "TJ", &[9], &[]),
    plan("993", "", "TM", &[8], &[]),
    plan("994", "0", "AZ", &[9], &[]),
    plan("995", "0", "GE", &[9], &[]),
    plan("996", "0", "KG", &[9, 10], &[]),
    plan("998", "", "UZ", &[9], &[]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_plans_are_in_order_and_no_calling_code_begins_another() {
        assert!(PLANS.is_sorted_by_key(|plan| plan.code));
        let codes: BTreeSet<&str> = PLANS.iter().map(|plan| plan.code).collect();
        assert_eq!(codes.len(), 215);
        for code in &codes {
            assert!(code.parse::<u16>().is_ok_and(|code| (1..1000).contains(&code)), "{code}");
            assert!(!codes.iter().any(|other| other != code && other.starts_with(code)), "{code}");
            let plans: Vec<&Plan> = PLANS.iter().filter(|plan| plan.code == *code).collect();
            let mut leading = BTreeSet::new();
            for plan in &plans {
                assert_eq!(plan.trunk, plans[0].trunk, "{code}");
                assert!(plan.digits.is_sorted_by(|a, b| a < b), "{code}");
                assert!(plan.digits.iter().all(|digits| code.len() + digits <= 15), "{code}");
                let own = if plan.leading.is_empty() { &[""] } else { plan.leading };
                assert!(own.iter().all(|digits| leading.insert(*digits)), "{code}: {own:?}");
            }
        }
        assert!(DIALLED.iter().all(|(code, ..)| codes.contains(code)));
    }

    #[test]
    fn every_place_has_the_form_of_its_code_and_stands_once() {
        let mut places = BTreeSet::new();
        for plan in PLANS.iter().filter(|plan| !plan.place.is_empty()) {
            assert!(crate::locate::declared(plan.place).is_ok(), "{}", plan.place);
            assert!(places.insert(plan.place), "{} stands twice", plan.place);
            assert!(!plan.digits.is_empty(), "{}", plan.place);
        }
        assert_eq!(places.len(), 219);
    }

    #[test]
    fn where_countries_share_a_code_the_longest_leading_digits_that_fit_decide() {
        for (number, expected) in [
            ("+73012345678", Some("RU")),
            ("+79161234567", Some("RU")),
            ("+78005550100", Some("RU")),
            ("+77172123456", Some("KZ")),
            ("+76123456789", None),
            ("+441480123456", Some("GB")),
            ("+441481123456", Some("GG")),
            ("+441486123456", None),
            ("+441533123456", None),
            ("+441534123456", Some("JE")),
            ("+441624123456", Some("IM")),
            ("+447457612345", Some("IM")),
            ("+447457712345", Some("GB")),
            ("+447624123456", Some("IM")),
            ("+447625123456", Some("GB")),
            ("+447621123456", None),
            ("+447911012345", Some("GB")),
            ("+447911112345", Some("GG")),
            ("+447911312345", None),
            ("+444123456789", None),
            ("+390612345678", Some("IT")),
            ("+390669812345", Some("VA")),
            ("+390669912345", Some("IT")),
            ("+392123456789", None),
            ("+4778123456", Some("NO")),
            ("+4779123456", Some("SJ")),
            ("+4712345678", None),
            ("+61851000123", Some("AU")),
            ("+61851001123", Some("CX")),
            ("+61851002123", Some("CC")),
            ("+61891641234", Some("CX")),
            ("+61412345678", Some("AU")),
            ("+61512345678", None),
            ("+212528812345", Some("MA")),
            ("+262639123456", Some("YT")),
            ("+262692123456", Some("RE")),
            ("+262700123456", None),
            ("+29022158", Some("SH")),
            ("+2908999", Some("SH-TA")),
            ("+29012345", None),
            ("+358171234567", Some("FI")),
            ("+358181234567", Some("AX")),
            ("+358111234567", None),
            ("+590590871234", Some("BL")),
            ("+590590881234", Some("GP")),
            ("+590590891234", Some("GP")),
            ("+590590591234", Some("GP")),
            ("+590590711234", None),
            ("+5997171234", Some("BQ")),
            ("+59994611234", Some("CW")),
            ("+5995123456", None),
        ] {
            assert_eq!(place(number), expected, "{number}");
        }
    }

    #[test]
    fn a_number_with_too_few_or_too_many_digits_has_no_place() {
        for (code, digits) in [("33", 9..=9), ("49", 4..=13), ("352", 4..=11), ("998", 9..=9)] {
            for count in 1..=15 - code.len() {
                let number = format!("+{code}{:.count$}", "23456789234567");
                assert_eq!(place(&number).is_some(), digits.contains(&count), "{number}");
            }
        }
        // Niue has numbers of four and of seven digits, and none between.
        assert_eq!(
            (place("+6834000"), place("+68340000"), place("+6838884012")),
            (Some("NU"), None, Some("NU"))
        );
    }

    #[test]
    fn what_belongs_to_no_country_has_no_place() {
        for code in ["800", "808", "870", "878", "881", "882", "883", "888", "979", "210", "384", "999", "0"]
        {
            for count in 4..=12 {
                let number = format!("+{code}{:.count$}", "123456789012");
                assert_eq!(place(&number), None, "{number}");
            }
        }
        assert_eq!((place("49301234567"), place("+"), place("")), (None, None, None));
    }

    #[test]
    fn what_is_only_dialled_within_the_country_is_taken_off() {
        for (number, without) in [
            ("+4402079460958", Some("+442079460958")),
            ("+442079460958", None),
            ("+390612345678", None),
            ("+241011123456", Some("+24111123456")),
            ("+24101112345", None),
            ("+3606301234567", Some("+36301234567")),
            ("+370852123456", Some("+37052123456")),
            ("+37080012345", None),
            ("+37580294911911", Some("+375294911911")),
            ("+3758001234567", None),
            ("+69212471234", Some("+6922471234")),
            ("+78005550100", None),
            ("+788005550100", Some("+78005550100")),
            ("+993812123456", Some("+99312123456")),
            ("+54111523456789", Some("+5491123456789")),
            ("+54223154567890", Some("+5492234567890")),
            ("+54290115567890", Some("+5492901567890")),
            ("+5491123456789", None),
            ("+54991115345678", None),
            ("+990123456789", None),
        ] {
            assert_eq!(without_trunk_prefix(number).as_deref(), without, "{number}");
        }
    }
}
