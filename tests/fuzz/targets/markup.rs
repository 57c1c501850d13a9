//! Call markup, and what is left of it.
#![no_main]

use std::borrow::Cow;

use markup::{Document, Limit, Refusal, Use, Uses, strip};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let refusal = Refusal::Redirect("https://gw.example/refused?a=1&b=2".to_owned());
    let stripped = strip(bytes, Limit::Answer, None, Uses::NONE, &refusal).document;
    let again = strip(&stripped, Limit::Answer, None, Uses::NONE, &refusal).document;
    assert!(matches!(again, Cow::Borrowed(_)), "it is stripped at once");
    let all = strip(bytes, Limit::Answer, None, Uses::ALL, &refusal).document;
    assert!(matches!(all, Cow::Borrowed(same) if same == bytes), "all is permitted");

    let Ok(document) = Document::read(bytes, Limit::Answer, None) else { return };
    let captures = document.captures();
    assert_eq!(captures.is_empty(), matches!(stripped, Cow::Borrowed(_)), "what captures nothing stays");
    for capture in captures {
        assert!(!bytes[capture.range].is_empty());
    }
    for permitted in Use::ALL {
        let some = document.strip(Uses::NONE.and(permitted), &refusal);
        let left = Document::read(&some, Limit::Answer, None).expect("it can be read");
        assert!(left.captures().iter().all(|capture| capture.r#use == permitted), "what is permitted alone");
    }
    can_be_edited(&document);
});

/// Further documents are fetched from where an edit says, whatever they were.
fn can_be_edited(document: &Document<'_>) {
    let links = document.links();
    let edited = document.edit(links.iter().map(|link| link.set("https://gw.example/?a=\"<&'>")));
    let again = Document::read(&edited, Limit::Answer, None);
    // It may have become too long.
    let Ok(again) = again else { return assert!(edited.len() > 65_536, "an edit is read") };
    // A redirect in another is gone.
    assert!(again.links().len() <= links.len());
    assert!(
        again.links().iter().all(|link| link.url == "https://gw.example/?a=\"<&'>"),
        "{:?}",
        again.links()
    );
}
