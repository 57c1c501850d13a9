//! Signed notes, checkpoints, signature lines and keys.
#![no_main]

use std::sync::LazyLock;

use fuzz::base;
use trail::note::{Checkpoint, Note, NoteError, Signature, SigningKey, VerifierKey};

/// All that was ever signed with the key.
static SIGNED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let seeds = std::fs::read_dir(base::seeds("note")).expect("run seeds first");
    let texts = seeds.filter_map(|seed| std::fs::read_to_string(seed.ok()?.path()).ok());
    texts.filter_map(|text| Some(Note::parse(&text).ok()?.text)).collect()
});

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Some(signature) = Signature::parse(text) {
        assert_eq!(signature.to_string(), text);
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.text(), text);
    }
    let Ok(note) = Note::parse(text) else { return };
    assert_eq!(note.to_string(), text);
    let Ok(witness) = SigningKey::from_seed("witness.example.org", &[7; 32]) else { return };
    if note.verified_by(&[base::key().verifier(), witness.cosigner()]).is_ok() {
        assert!(SIGNED.contains(&note.text), "nobody signed this");
    }
    is_signed_as_it_stands(&note);
});

/// A signature is good for the exact text.
fn is_signed_as_it_stands(note: &Note) {
    let key = SigningKey::from_seed("other.example.org", &[3; 32]).expect("a name");
    let signed = Note { text: note.text.clone(), signatures: vec![key.sign_note(&note.text)] };
    let read = Note::parse(&signed.to_string()).expect("a note of ours");
    assert_eq!(read, signed);
    assert!(read.verified_by(&[key.verifier()]).is_ok());
    assert_eq!(read.verified_by(&[key.cosigner()]), Err(NoteError::Unsigned));
    let mut changed = read;
    changed.text.insert(0, 'a');
    assert!(matches!(changed.verified_by(&[key.verifier()]), Err(NoteError::Forged { .. })));
}
