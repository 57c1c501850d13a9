//! Properties that every document has to have.

use std::borrow::Cow;
use std::fmt;

use markup::{Document, Limit, Use, Uses, strip};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::{generate, oracle, refused};

fn cases() -> ProptestConfig {
    let slow = std::env::var("GATEWAY_TEST_SLOW").is_ok_and(|slow| slow == "true");
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(if slow { 20_000 } else { 1_000 })
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn of_a_well_formed_document_nothing_is_left_that_captures(bytes in generate::document().prop_map(Shown)) {
        let document = Document::read(&bytes.0, Limit::Answer, None);
        prop_assert!(document.is_ok(), "{:?}", document);
        holds(&bytes.0)?;
    }

    #[test]
    fn of_a_document_that_was_changed_nothing_is_left_that_captures(bytes in generate::changed().prop_map(Shown)) {
        holds(&bytes.0)?;
    }

    #[test]
    fn of_any_markup_nothing_is_left_that_captures(bytes in generate::parts().prop_map(Shown)) {
        holds(&bytes.0)?;
    }

    #[test]
    fn an_edit_of_every_link_is_read_back(bytes in generate::document().prop_map(Shown), url in "\\PC{0,20}") {
        let document = Document::read(&bytes.0, Limit::Answer, None).unwrap();
        prop_assert!(matches!(document.edit([]), Cow::Borrowed(same) if same == bytes.0));
        let links = document.links();
        let edited = document.edit(links.iter().map(|link| link.set(&url)));
        let again = Document::read(&edited, Limit::Answer, None).unwrap();
        let url = url.trim_matches([' ', '\t', '\n', '\r', '\u{85}', '\u{2028}']);
        let set: Vec<String> = again.links().into_iter().map(|link| link.url).collect();
        // A redirect within a redirect went with its text.
        let whole = again.links().len() == links.len();
        prop_assert!(set.iter().all(|set| set == url) || !whole, "{:?}", set);
        prop_assert!(edited == bytes.0 || !links.is_empty());
    }
}

#[test]
fn what_is_generated_captures_often_but_not_always() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut captures, mut all) = (0, 0);
    for _ in 0..300 {
        let bytes = generate::document().new_tree(&mut runner).unwrap().current();
        let document = Document::read(&bytes, Limit::Answer, None).unwrap();
        captures += usize::from(!document.captures().is_empty());
        assert_eq!(
            document.captures().is_empty(),
            oracle::captures(&bytes).is_none(),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        all += 1;
    }
    assert!((100..290).contains(&captures), "{captures} of {all}");
}

#[test]
fn readers_of_another_make_see_nothing_in_what_is_left_of_generated_documents() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut outputs = Vec::new();
    for round in 0..3_000 {
        let bytes = match round % 3 {
            0 => generate::document().new_tree(&mut runner).unwrap().current(),
            1 => generate::changed().new_tree(&mut runner).unwrap().current(),
            _ => generate::parts().new_tree(&mut runner).unwrap().current(),
        };
        let stripped = strip(&bytes, Limit::Answer, None, Uses::NONE, &refused()).document.into_owned();
        outputs.push((
            format!("{:?} of {:?}", String::from_utf8_lossy(&stripped), String::from_utf8_lossy(&bytes)),
            stripped,
        ));
    }
    oracle::assert_that_python_sees_none(&outputs);
}

#[test]
fn a_document_of_the_longest_length_and_depth_is_read() {
    let deep = 8_000;
    let bytes = format!("{}<Record/>{}", "<a>".repeat(deep), "</a>".repeat(deep));
    let stripped = strip(bytes.as_bytes(), Limit::Answer, None, Uses::NONE, &refused());
    assert_eq!(stripped.unread, None);
    assert_eq!(stripped.document.len(), bytes.len() - "<Record/>".len());
    let wide = format!("<Response>{}</Response>", "<Record a='b'/>".repeat(4_300));
    assert_eq!(
        &*strip(wide.as_bytes(), Limit::Answer, None, Uses::NONE, &refused()).document,
        b"<Response></Response>"
    );
    let many = format!("<Response><Dial{}/></Response>", " record='x'".repeat(5_000));
    assert_eq!(
        &*strip(many.as_bytes(), Limit::Answer, None, Uses::NONE, &refused()).document,
        b"<Response><Dial/></Response>"
    );
}

/// Bytes that are shown as text.
struct Shown(Vec<u8>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// What the crate promises, of one document.
fn holds(bytes: &[u8]) -> Result<(), TestCaseError> {
    let read = Document::read(bytes, Limit::Answer, None);
    let stripped = strip(bytes, Limit::Answer, None, Uses::NONE, &refused());
    prop_assert_eq!(stripped.unread, read.as_ref().err().copied());
    prop_assert_eq!(
        oracle::captures(&stripped.document),
        None,
        "{}",
        String::from_utf8_lossy(&stripped.document)
    );
    let again = strip(&stripped.document, Limit::Answer, None, Uses::NONE, &refused());
    prop_assert!(
        matches!(again.document, Cow::Borrowed(_)),
        "not at once: {}",
        String::from_utf8_lossy(&stripped.document)
    );
    let all = strip(bytes, Limit::Answer, None, Uses::ALL, &refused());
    prop_assert!(matches!(all.document, Cow::Borrowed(same) if same == bytes));
    let Ok(document) = read else { return Ok(()) };
    prop_assert_eq!(document.captures().is_empty(), matches!(stripped.document, Cow::Borrowed(_)));
    for permitted in 0u8..16 {
        let permitted: Uses = Use::ALL
            .into_iter()
            .enumerate()
            .filter(|(bit, _)| permitted >> bit & 1 == 1)
            .map(|(_, one)| one)
            .collect();
        let some = document.strip(permitted, &refused());
        let left = Document::read(&some, Limit::Answer, None).unwrap();
        let captures = left.captures();
        prop_assert!(captures.iter().all(|capture| permitted.contains(capture.r#use)), "{:?}", captures);
    }
    for capture in document.captures() {
        prop_assert!(bytes.get(capture.range).is_some_and(|found| !found.is_empty()));
    }
    Ok(())
}
