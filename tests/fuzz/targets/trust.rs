//! Trust files.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use fuzz::base;
use trail::note::Note;
use trail::trust::Trust;

/// A head that the log and some witnesses have signed.
static HEAD: LazyLock<Note> = LazyLock::new(|| {
    let path = base::seeds("note").join("head");
    Note::parse(&std::fs::read_to_string(path).expect("run seeds first")).expect("a note")
});

libfuzzer_sys::fuzz_target!(|file: &str| {
    let Ok(trust) = Trust::parse(file) else { return };
    let written = trust.to_string();
    assert_eq!(Trust::parse(&written).as_ref(), Ok(&trust));
    // The names in a written file are those of the file, so it can be read by anybody.
    assert_eq!(trust.check(&HEAD).is_ok(), is_enough(&written), "{written}");
});

/// The same question, answered from the file's lines alone.
fn is_enough(file: &str) -> bool {
    let signed = |vkey: &str| {
        let (name, rest) = vkey.split_once('+').expect("a vkey");
        let (id, _) = rest.split_once('+').expect("a vkey");
        let names = |signature: &&_| {
            let trail::note::Signature { name: signer, id: of, .. } = signature;
            signer == name && trail::hex(of) == id
        };
        HEAD.signatures.iter().any(|signature| names(&signature))
    };
    let origin = HEAD.text.lines().next().expect("an origin");
    let (mut by_log, mut met): (bool, HashMap<&str, bool>) = (false, HashMap::new());
    for line in file.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["log", vkey, ..] => by_log |= vkey.starts_with(&format!("{origin}+")) && signed(vkey),
            ["witness", name, vkey, ..] => drop(met.insert(name, signed(vkey))),
            ["group", name, threshold, members @ ..] => {
                let count = members.iter().filter(|member| met[**member]).count();
                met.insert(name, count >= threshold.parse().expect("a number"));
            }
            ["quorum", name] => return by_log && (*name == "none" || met[name]),
            other => panic!("{other:?}"),
        }
    }
    panic!("a file without a quorum was read");
}
