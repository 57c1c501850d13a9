//! Proof files (`.tlog-proof`).
#![no_main]

use std::sync::LazyLock;

use fuzz::base::{self, Base};
use trail::proof::TlogProof;
use trail::trust::Trust;

static BASE: LazyLock<(&Base, Trust)> = LazyLock::new(|| (base::base(), base::trust()));

libfuzzer_sys::fuzz_target!(|file: &str| {
    let Ok(proof) = TlogProof::parse(file) else { return };
    assert_eq!(proof.to_string(), file);
    let (base, trust) = &*BASE;
    let genuine = usize::try_from(proof.index).ok().and_then(|index| base.leaves.get(index));
    let leaf = genuine.or_else(|| base.leaves.first()).expect("an entry");
    if proof.verify(leaf, trust).is_ok() {
        assert_eq!(Some(leaf), genuine, "it is another entry");
        assert_eq!(proof.hashes, base::proofs(&base.leaves)(proof.index));
        assert_eq!(proof.checkpoint.text, base::head(&base.leaves).text);
        let mut other = leaf.clone();
        other.push(b' ');
        assert!(proof.verify(&other, trust).is_err(), "it proves another entry too");
        let other = TlogProof { index: proof.index ^ 1, ..proof };
        assert!(other.verify(leaf, trust).is_err(), "it proves another place too");
    }
});
