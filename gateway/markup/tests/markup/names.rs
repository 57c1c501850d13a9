//! Every verb and attribute of the platforms' libraries, with what it does.
//!
//! `tests/corpus/names` lists those of twilio-python 9.13, twilio-node 6.3 and Restcomm-Connect: what a verb stands in,
//! the verb, an attribute; and after `=` the uses. With `GOLDEN_REWRITE` set in the environment these are written anew.

use std::path::Path;

use markup::{Capture, Document, Limit};

#[test]
fn every_verb_and_attribute_of_the_platforms_is_known() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/names");
    let listed = std::fs::read_to_string(&path).unwrap();
    let mut found = String::new();
    for line in listed.lines() {
        let name = line.split(" = ").next().unwrap();
        let (verbs, attribute) =
            name.split_once(' ').map_or((name, None), |(verbs, name)| (verbs, Some(name)));
        let mut verbs: Vec<&str> = verbs.split('/').collect();
        let last = verbs.pop().unwrap();
        let with = attribute.map(|name| format!(" {name}=\"true\"")).unwrap_or_default();
        let open: String = verbs.iter().map(|verb| format!("<{verb}>")).collect();
        let close: String = verbs.iter().rev().map(|verb| format!("</{verb}>")).collect();
        let document = format!("<Response>{open}<{last}{with}/>{close}</Response>");
        let document = Document::read(document.as_bytes(), Limit::Answer, None).unwrap();
        let by_it =
            |capture: &Capture| capture.attribute.is_some() == attribute.is_some() && capture.verb == last;
        let captures: Vec<Capture> = document.captures().into_iter().filter(by_it).collect();
        for capture in &captures {
            assert_eq!(capture.attribute, attribute, "{name}");
        }
        assert!(document.captures().iter().all(|capture| capture.verb != "other"), "{name} has no name");
        let uses: Vec<&str> = captures.iter().map(|capture| capture.r#use.as_str()).collect();
        let uses = if uses.is_empty() { "-".to_owned() } else { uses.join(" ") };
        found.push_str(&format!("{name} = {uses}\n"));
    }
    if std::env::var_os("GOLDEN_REWRITE").is_some() {
        std::fs::write(&path, found).unwrap();
    } else {
        assert_eq!(found, listed);
        assert!(listed.lines().count() > 450);
    }
}
