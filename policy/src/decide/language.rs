//! Which language a tag (BCP 47) means, whichever of its names is used.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

/// The language of a tag: one code for every language, in lower case; `None` if the text is not a tag.
///
/// `eng`, `en-US` and `en_GB` are `en`, `iw` is `he`, `nb` is `no`, `cmn` and `zh-TW` are `zh`; `yue` and
/// `zh-yue` are `yue`, which is another language. Script, region and variant are ignored.
#[must_use]
pub fn canonical(tag: &str) -> Option<String> {
    // POSIX and Java write `en_US`.
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default();
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let rest =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !(2..=3).contains(&primary.len()) || !letters(primary) || tag.len() > 35 || !parts.clone().all(rest) {
        return None;
    }
    let second = parts.next().unwrap_or_default();
    if let Some(code) = listed(&format!("{primary}-{second}")) {
        return Some(code.to_owned());
    }
    // RFC 5646 section 2.2.2: three letters behind the first part are a separate language.
    let code = if second.len() == 3 && letters(second) { second } else { primary };
    Some(listed(code).unwrap_or(code).to_owned())
}

/// The canonical code for another name of a language.
fn listed(name: &str) -> Option<&'static str> {
    let lines = CODES.lines().filter(|line| !line.starts_with('#'));
    let mut pairs = lines.filter_map(|line| line.split_once(' '));
    pairs.find(|(_, others)| others.split(' ').any(|other| other == name)).map(|(code, _)| code)
}

const CODES: &str = include_str!("language/codes.txt");

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use super::{CODES, canonical, listed};

    #[test]
    fn every_language_has_one_code() {
        let lines: Vec<&str> = CODES.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.is_sorted() && lines.len() > 300);
        let mut seen = BTreeSet::new();
        for line in lines {
            let names: Vec<&str> = line.split(' ').collect();
            assert!(names.len() > 1, "{line}");
            assert_eq!(listed(names[0]), None, "{line}: what is compared has no other code");
            for name in &names {
                assert!(seen.insert(*name), "{name} is listed twice");
                assert_eq!(canonical(name).as_deref(), Some(names[0]), "{name}");
            }
        }
    }

    #[test]
    fn a_language_is_known_by_any_of_its_names() {
        for (code, tags) in [
            ("en", "en EN eng en-US en_GB en-GB-oxendict en-Latn-US en-001"),
            ("de", "de deu ger de-AT de-CH-1996"),
            ("he", "he heb iw iw-IL"),
            ("no", "no nb nob nor no-bok nb-NO"),
            ("nn", "nn nno no-nyn"),
            ("zh", "zh zho chi cmn zh-TW zh-Hans-CN zh-cmn zh-cmn-Hans zh-guoyu"),
            ("yue", "yue zh-yue zh-yue-HK yue-Hant"),
            ("nan", "nan zh-min-nan zh-nan"),
            ("id", "id in ind in-ID"),
            ("fil", "fil tl tgl tl-PH"),
            ("sr", "sr srp sh sr-Latn-RS"),
            ("ar", "ar arb ar-arb ara"),
            ("pt", "pt por pt-BR"),
            ("gsw", "gsw gsw-CH"),
        ] {
            for tag in tags.split(' ') {
                assert_eq!(canonical(tag).as_deref(), Some(code), "{tag}");
            }
        }
    }

    #[test]
    fn what_is_no_language_tag_has_no_code() {
        for tag in ["", "e", "english", "en-", "-en", "en--US", "de_", "en US", "e1", "ünï", "en-waytoolong1"]
        {
            assert_eq!(canonical(tag), None, "{tag}");
        }
        assert_eq!(canonical(&"en-x-".repeat(9)), None);
    }
}
