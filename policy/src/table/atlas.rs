//! What ISO 3166 calls a place, and which place somebody may have meant.
//!
//! A [`Code`] knows only its form: `US-CL` is as good as `US-CA`. Here are the codes that exist, with their
//! names, and guesses at what other texts mean. Both lists are texts that are searched in place, so nothing
//! is built when a program starts.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::place::Code;

/// The English short name of a place, if ISO 3166 lists it.
#[must_use]
pub fn name(code: Code) -> Option<&'static str> {
    let mut rest = PLACES;
    while !rest.is_empty() {
        let middle = rest.floor_char_boundary(rest.len() / 2);
        let start = rest.get(..middle)?.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, after) = rest.get(start..)?.split_once('\n')?;
        let (key, name) = line.split_once('\t').unwrap_or((line, ""));
        match code.as_str().cmp(key) {
            Ordering::Less => rest = rest.get(..start)?,
            Ordering::Greater => rest = after,
            Ordering::Equal => return Some(name),
        }
    }
    None
}

/// Every place of exactly this name: `Georgia` is both `GE` and `US-GA`.
///
/// Case, simple accents, punctuation and surrounding blanks do not matter, and `City of Bristol` is
/// the `Bristol, City of` that ISO lists.
#[must_use]
pub fn named(name: &str) -> Vec<Code> {
    let name: String = plain(name).collect();
    let mut found = Vec::new();
    let listed = lines(PLACES).filter(|(_, listed)| same(listed, &name));
    for code in listed.filter_map(|(key, _)| known(key)) {
        if !found.contains(&code) {
            found.push(code);
        }
    }
    found
}

/// As [`named`], of many names at once: the list is read once.
pub(crate) fn all_named<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeMap<&'n str, Vec<Code>> {
    // By the first letter, by which nearly every line is told apart.
    let mut asked: BTreeMap<Option<char>, Vec<(String, &'n str)>> = BTreeMap::new();
    for name in names {
        let plain: String = plain(name).collect();
        asked.entry(plain.chars().next()).or_default().push((plain, name));
    }
    let mut found: BTreeMap<&'n str, Vec<Code>> = BTreeMap::new();
    for (key, listed) in lines(PLACES) {
        // `City of Bristol` is the `Bristol, City of` that is listed.
        let halves = listed.split_once(',').map_or([listed, ""], |(head, tail)| [head, tail]);
        // What is plain already need not be made so.
        let first = |half: &str| match half.trim_start().chars().next() {
            Some(c) if c.is_ascii_alphabetic() => Some(c.to_ascii_lowercase()),
            _ => plain(half).next(),
        };
        for first in halves.map(first).into_iter().filter(Option::is_some) {
            for (text, name) in asked.get(&first).into_iter().flatten().filter(|(text, _)| same(listed, text))
            {
                let codes = found.entry(*name).or_default();
                codes.extend(known(key).filter(|code| !text.is_empty() && !codes.contains(code)));
            }
        }
    }
    found
}

/// Codes that somebody who wrote `text` may have meant, the likeliest first, at most three, each with
/// its name.
#[must_use]
pub fn nearest(text: &str) -> Vec<(Code, &'static str)> {
    const WAYS: [fn(&str) -> Vec<Code>; 6] = [exactly, apart, nearby, alone, beginning, misspelt];
    let mut found: Vec<(Code, &'static str)> = Vec::new();
    if text.len() > LONGEST {
        return found;
    }
    let codes = WAYS.iter().map(|way| way(text)).find(|codes| !codes.is_empty());
    for entry in codes.unwrap_or_default().into_iter().filter_map(|code| Some((code, name(code)?))) {
        if found.len() < 3 && !found.contains(&entry) {
            found.push(entry);
        }
    }
    found
}

/// What to append to an error about a place: `; did you mean ...?`, or nothing if there is no guess.
#[must_use]
pub fn meant(text: &str) -> String {
    did_you_mean(&nearest(text))
}

/// As [`meant`], for a code that is not a place's but that people write all the same, such as `UK`. It takes
/// microseconds, since every decision asks.
#[must_use]
pub fn usually_meant(code: Code) -> String {
    let written = lines(EVERYDAY).find(|(word, _)| word.eq_ignore_ascii_case(code.as_str()));
    let codes = written.into_iter().flat_map(|(_, codes)| codes.split(' ')).filter_map(known);
    let near: Vec<(Code, &'static str)> = codes.filter_map(|code| Some((code, name(code)?))).collect();
    did_you_mean(&near)
}

/// What to append to an error about a place that may be one of these; nothing if there are none.
#[must_use]
pub fn did_you_mean(near: &[(Code, &'static str)]) -> String {
    let near: Vec<String> = near.iter().map(|(code, name)| format!("`{code}` ({name})")).collect();
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
}

/// What a bare two-letter country code is often mistaken for: `CA` is Canada, California is `US-CA`.
#[must_use]
pub fn mistaken(code: Code) -> Option<(Code, &'static str)> {
    let state: Code = format!("US-{code}").parse().ok()?;
    // The outlying islands are the same place under either code.
    name(state).filter(|state| name(code).is_some_and(|country| country != *state)).map(|name| (state, name))
}

/// The word of a vocabulary that somebody who wrote `text` meant: whatever the case, and with a letter
/// or two gone wrong.
pub(crate) fn nearest_word<'w>(text: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let spread = |text: &str| -> Vec<char> {
        let small = text.trim().chars().flat_map(char::to_lowercase);
        small.map(|c| if matches!(c, '_' | ' ') { '-' } else { c }).collect()
    };
    if text.len() > LONGEST {
        return None;
    }
    let written = spread(text);
    let most = if written.len() < 3 { 0 } else { (written.len() / 4).clamp(1, 3) };
    let near = words.into_iter().map(|word| (distance(&written, &spread(word)), word));
    near.filter(|(apart, _)| *apart <= most).min_by_key(|(apart, _)| *apart).map(|(_, word)| word)
}

// The ways to read a text, from the surest to the boldest. The first that finds anything is believed.

/// `US-CA` and `CA`, `Georgia`, and what the list of everyday words knows: `Deutschland`, `USA`, `UK`.
fn exactly(text: &str) -> Vec<Code> {
    let mut found = Vec::new();
    if let Some(code) = known(text) {
        found.push(code);
        found.extend(mistaken(code).map(|(state, _)| state));
    }
    found.extend(named(text));
    let plain: String = plain(text).collect();
    let words = lines(EVERYDAY).filter(|(word, _)| same(word, &plain));
    found.extend(words.flat_map(|(_, codes)| codes.split(' ')).filter_map(known));
    found
}

/// A country and its part, with anything between them: `USCA`, `US/CA`, `California, USA`.
fn apart(text: &str) -> Vec<Code> {
    let text: String = plain(text).collect();
    let mut found = Vec::new();
    for (seam, _) in text.match_indices(' ') {
        let (before, after) = text.split_at(seam);
        found.extend(within(before, after));
        found.extend(within(after, before));
    }
    if let Some((country, part)) = text.split_at_checked(2).filter(|_| (3..=5).contains(&text.len())) {
        found.extend(within(country, part));
    }
    found
}

fn within(country: &str, part: &str) -> Vec<Code> {
    let Some(country) = whole(country) else { return Vec::new() };
    let parts = exactly(part).into_iter().filter(|code| !code.is_country() && code.country() == country);
    known(&format!("{country}-{}", part.trim())).into_iter().chain(parts).collect()
}

/// The right country with a wrong part: `US-CL`. If no part is near, the country itself.
fn nearby(text: &str) -> Vec<Code> {
    let hyphen = text.contains('-');
    let text: String = plain(text).collect();
    let Some((country, part)) = text.split_once(' ') else { return Vec::new() };
    let Some(country) = whole(country).filter(|_| part.len() <= 3) else { return Vec::new() };
    let part: Vec<char> = part.chars().collect();
    let mut near: Vec<(bool, Code)> = lines(PLACES)
        .filter_map(|(key, _)| {
            let (of, other) = key.split_once('-')?;
            let other: Vec<char> = plain(other).collect();
            (of == country.as_str() && distance(&part, &other) <= 1)
                .then_some((part.first() != other.first(), key.parse().ok()?))
        })
        .collect();
    near.sort();
    if near.is_empty() && hyphen {
        near.push((false, country));
    }
    near.into_iter().map(|(_, code)| code).collect()
}

/// A part without its country: `TX`, `NSW`.
fn alone(text: &str) -> Vec<Code> {
    let text: String = plain(text).collect();
    if !(2..=3).contains(&text.len()) || !text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Vec::new();
    }
    let has = |key: &str| key.split_once('-').is_some_and(|(_, part)| part.eq_ignore_ascii_case(&text));
    let mut found: Vec<Code> =
        lines(PLACES).map(|(key, _)| key).filter(|key| has(key)).filter_map(known).collect();
    if found.iter().any(|code| rank(*code) < FIRST.len()) {
        found.retain(|code| rank(*code) < FIRST.len());
    }
    found.sort_by_key(|code| (rank(*code), *code));
    found
}

/// The first words of a longer name: `Bolivia`, `Seoul`.
fn beginning(text: &str) -> Vec<Code> {
    let text: Vec<char> = plain(text).chain([' ']).collect();
    if text.len() <= 4 {
        return Vec::new();
    }
    let mut found: Vec<Code> = lines(PLACES)
        .filter(|(_, name)| plain(name).take(text.len()).eq(text.iter().copied()))
        .filter_map(|(key, _)| known(key))
        .collect();
    found.sort_by_key(|code| (!code.is_country(), rank(*code), *code));
    found
}

/// A name with a few wrong letters: `Califronia`, `US-Califronia`.
fn misspelt(text: &str) -> Vec<Code> {
    let text: String = plain(text).collect();
    let country = text.split_once(' ').and_then(|(head, rest)| Some((known(head)?, rest)));
    let written: Vec<char> = country.map_or(text.as_str(), |(_, rest)| rest).chars().collect();
    let most = (written.len() / 5).min(3);
    let mut near: Vec<(usize, bool, usize, Code)> = Vec::new();
    for (name, codes) in lines(PLACES).map(|(key, name)| (name, key)).chain(lines(EVERYDAY)) {
        let listed: Vec<char> = plain(name).collect();
        let long = listed.len() >= 4 && listed.len().abs_diff(written.len()) <= most;
        let apart = if long { distance(&written, &listed) } else { usize::MAX };
        for code in codes.split(' ').filter(|_| apart <= most).filter_map(known) {
            if country.is_none_or(|(country, _)| code.country() == country) {
                near.push((apart, !code.is_country(), rank(code), code));
            }
        }
    }
    near.sort();
    let best = near.first().map_or(0, |nearest| nearest.0);
    near.into_iter().filter(|other| other.0 <= best + 1).map(|(.., code)| code).collect()
}

fn whole(text: &str) -> Option<Code> {
    exactly(text).into_iter().find(Code::is_country)
}

fn known(text: &str) -> Option<Code> {
    text.parse().ok().filter(|code| name(*code).is_some())
}

fn rank(code: Code) -> usize {
    let country = code.country();
    FIRST.iter().position(|first| *first == country.as_str()).unwrap_or(FIRST.len())
}

fn lines(list: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    list.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
}

/// Whether a text, made plain, is a listed name, or its two halves swapped.
fn same(listed: &str, text: &str) -> bool {
    // Most names differ in their first letter, and that is seen without making them plain.
    let turns = listed.contains(',');
    let first = listed.bytes().next().filter(u8::is_ascii_alphabetic).map(|first| first.to_ascii_lowercase());
    if listed.len() < text.len() || (!turns && first.is_some_and(|first| text.bytes().next() != Some(first)))
    {
        return false;
    }
    plain(listed).eq(text.chars())
        || listed
            .split_once(',')
            .is_some_and(|(head, tail)| plain(tail).chain([' ']).chain(plain(head)).eq(text.chars()))
}

/// The letters and digits of a text in lower case, with single blanks between words.
fn plain(text: &str) -> impl Iterator<Item = char> {
    let mut blank = false;
    text.trim_matches(|c| matches!(letter(c), None | Some(' '))).chars().filter_map(move |c| {
        let c = letter(c)?;
        let again = blank && c == ' ';
        blank = c == ' ';
        (!again).then_some(c)
    })
}

fn letter(c: char) -> Option<char> {
    let c = c.to_lowercase().next()?;
    match c {
        'a'..='z' | '0'..='9' => Some(c),
        '.' | '(' | ')' | '\'' | '`' | '´' | '‘' | '’' | 'ʻ' | 'ʼ' | '\u{300}'..='\u{36f}' => None,
        _ if c.is_alphanumeric() => {
            ACCENTED.split(' ').find(|group| group.contains(c)).map_or(Some(c), |group| group.chars().next())
        }
        _ => Some(' '),
    }
}

/// How many letters must be added, dropped, changed or swapped with their neighbour.
fn distance(from: &[char], to: &[char]) -> usize {
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut above = None;
    for (line, one) in from.iter().enumerate() {
        let mut row = Vec::from([line + 1]);
        let mut left = None;
        for (column, other) in to.iter().enumerate() {
            let changed = at(&last, column) + usize::from(one != other);
            let mut least = changed.min(at(&last, column + 1) + 1).min(at(&row, column) + 1);
            if above == Some(other) && left == Some(one) {
                least = least.min(at(&before, column.saturating_sub(1)) + 1);
            }
            row.push(least);
            left = Some(other);
        }
        above = Some(one);
        before = core::mem::replace(&mut last, row);
    }
    at(&last, to.len())
}

const PLACES: &str = include_str!("atlas/iso3166.txt");
const EVERYDAY: &str = include_str!("atlas/everyday.txt");

/// Countries whose parts have laws of their own, or are well known by their letters.
const FIRST: [&str; 8] = ["US", "CA", "AU", "GB", "DE", "CH", "AT", "IN"];

/// No name is longer, in bytes, with room for mistakes.
const LONGEST: usize = 100;

/// Groups of a plain letter and its accented forms.
const ACCENTED: &str = "aàáâãäåæāăąǎạảấầẩẫậắằẳẵặ cçćĉċč dďđðḍḑ eèéêëēĕėęěǝəẹẻẽếềểễệ gĝğġģǧ \
    hĥħḥḩẖ iìíîïĩīĭįıịỉ kķ lĺļľłḷ nñńņňṅṇ oòóôõöøœōŏőơọỏốồổỗộớờởỡợ rŕŗřṙṟ sśŝşšșßṣ tţťțþṭ \
    uùúûüũūŭůűųưụủứừửữự wŵ yýÿŷỳỹ zźżžẓẕ";

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};
    use alloc::vec::Vec;

    use super::{
        EVERYDAY, LONGEST, PLACES, all_named, lines, meant, mistaken, name, named, nearest, plain, same,
        usually_meant,
    };
    use crate::place::Code;

    fn code(text: &str) -> Code {
        text.parse().unwrap()
    }

    #[test]
    fn the_list_is_sorted_and_every_line_is_found_by_its_code_and_its_name() {
        assert!(lines(PLACES).is_sorted_by(|(one, _), (other, _)| one < other));
        assert_eq!(lines(PLACES).filter(|(key, _)| key.len() == 2).count(), 249);
        assert_eq!(lines(PLACES).filter(|(key, _)| key.len() > 2).count(), 5046);
        for (line, (key, listed)) in lines(PLACES).enumerate() {
            let code = code(key);
            assert!(code.as_str() != key || name(code) == Some(listed), "{key}");
            assert!(same(listed, &plain(listed).collect::<String>()), "{key} {listed}");
            // Each name against each line would take long; that they are compared alike is shown above.
            assert!(line % 40 != 0 || named(listed).contains(&code), "{key} {listed}");
            assert!(line % 40 != 0 || all_named([listed])[listed] == named(listed), "{key} {listed}");
            assert!(listed.trim() == listed && listed.len() < LONGEST - 20, "{key} {listed}");
        }
        for (word, codes) in lines(EVERYDAY) {
            assert!((1..=3).contains(&codes.split(' ').count()), "{word}");
            assert!(codes.split(' ').all(|code| name(self::code(code)).is_some()), "{word}");
        }
    }

    #[test]
    fn every_code_of_the_shipped_table_is_known() {
        let table = include_str!("../../../jurisdictions.toml");
        let codes = table.lines().filter_map(|line| line.strip_prefix("code = \"")?.strip_suffix('"'));
        assert!(codes.clone().count() > 90);
        assert!(codes.clone().all(|text| name(code(text)).is_some()));
        assert_eq!(name(code("US-CL")), None);
        assert_eq!(name(code("ZZ")), None);
        assert_eq!(name(code("PR")), Some("Puerto Rico"));
    }

    #[test]
    fn a_name_may_be_that_of_several_places() {
        assert_eq!(named(" georgia "), [code("GE"), code("US-GA")]);
        assert_eq!(named("Curacao"), [code("CW"), code("NL-CW")]);
        assert_eq!(named("city of bristol"), [code("GB-BST")]);
        assert_eq!(named("Puerto Rico"), [code("US-PR")]);
        assert!(named("").is_empty() && named("USA").is_empty());
    }

    #[test]
    fn many_names_are_looked_up_at_once() {
        let names = [" georgia ", "Curacao", "city of bristol", "Bristol, City of", "Puerto Rico", "", "USA"];
        let found = all_named(names);
        for name in names {
            assert_eq!(found.get(name).cloned().unwrap_or_default(), named(name), "{name}");
        }
    }

    #[test]
    fn a_country_is_mistaken_for_a_state() {
        let states = "AL AR AZ CA CO DE GA ID IL IN KY LA MA MD ME MN MO MS MT NC NE PA SC SD TN VA";
        let colliding = lines(PLACES).map(|(key, _)| key).filter(|key| mistaken(code(key)).is_some());
        assert_eq!(colliding.collect::<Vec<_>>().join(" "), states);
        assert_eq!(mistaken(code("CA")), Some((code("US-CA"), "California")));
    }

    #[test]
    fn what_was_meant() {
        let told =
            |text: &str| nearest(text).iter().map(|(it, _)| it.to_string()).collect::<Vec<_>>().join(" ");
        let cases = "California>US-CA germany>DE Deutschland>DE Espana>ES Österreich>AT USA>US deu>DE UK>GB \
            EL>GR EN>GB KO>KR JA>JP CA>CA,US-CA us-ca>US-CA PR>US-PR USCA>US-CA US_CA>US-CA US/CA>US-CA \
            UK-ENG>GB-ENG USA-CA>US-CA California,USA>US-CA Georgia,US>US-GA New_South_Wales,Australia>AU-NSW \
            TX>US-TX NSW>AU-NSW ON>CA-ON ENG>GB-ENG N.Y.>US-NY Calif.>US-CA US-Calif.>US-CA Georgia>GE,US-GA \
            AN>CW,SX,BQ CS>CZ,SK,RS YU>RS,ME,HR SU>RU,UA,KZ TP>TL ZR>CD BU>MM US-CL>US-CA,US-CO,US-CT \
            CN-11>CN AU-NS>AU-NSW,AU-NT Califronia>US-CA US-Califronia>US-CA Gemany>DE Bolivia>BO Korea>KR,KP \
            Ind.>IN,US-IN xyzzy> qqqq> no_one> test> lorem_ipsum> in_the_garden> 1234> ?!> -> XX> XX-YY> é>";
        for (text, codes) in cases.split_ascii_whitespace().filter_map(|case| case.split_once('>')) {
            assert_eq!(told(&text.replace('_', " ")), codes.replace(',', " "), "{text}");
        }
        assert_eq!(told("US_CA"), "US-CA");
        assert_eq!(told("Calif. ".repeat(99).as_str()), "");
        assert_eq!(
            meant("UK"),
            "; did you mean `GB` (United Kingdom of Great Britain and Northern Ireland)?"
        );
        assert_eq!(usually_meant(code("UK")), meant("UK"));
        assert_eq!((usually_meant(code("ZZ")), meant("xyzzy")), (String::new(), String::new()));
        assert_eq!(nearest("Austrila").first(), Some(&(code("AT"), "Austria")));
    }
}
