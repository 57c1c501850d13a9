use proptest::prelude::*;

use super::*;
use crate::note::SigningKey;
use crate::tree::{Edge, NodeId, range_hash};

#[test]
fn the_proof_of_every_entry_holds_and_is_read_as_it_is_written() {
    let log = Log::new();
    for size in [1, 2, 7, 20] {
        for index in 0..size {
            let proof = log.proof(index, size);
            assert_eq!(TlogProof::parse(&proof.to_string()), Ok(proof.clone()));
            let checkpoint = proof.verify(&leaf(index), &log.trust).unwrap();
            assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("log.example/acme", size));
        }
    }
}

#[test]
fn a_proof_looks_as_the_specification_shows_it() {
    let log = Log::new();
    let mut proof = log.proof(1, 3);
    proof.extra = Some(b"more".to_vec());
    let sibling = canonical::base64(&tree::leaf_hash(&leaf(0)));
    let other = canonical::base64(&tree::leaf_hash(&leaf(2)));
    let expected =
        format!("c2sp.org/tlog-proof@v1\nextra bW9yZQ==\nindex 1\n{sibling}\n{other}\n\n{}", log.head(3));
    assert_eq!(proof.to_string(), expected);
    assert_eq!(TlogProof::parse(&expected), Ok(proof));
}

#[test]
fn any_flipped_bit_of_a_proof_is_refused() {
    let log = Log::new();
    let file = log.proof(6, 11).to_string().into_bytes();
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(changed) = String::from_utf8(changed) else { continue };
        let verified = TlogProof::parse(&changed).and_then(|proof| proof.verify(&leaf(6), &log.trust));
        assert!(verified.is_err(), "bit {bit}: {changed}");
    }
}

#[test]
fn another_entry_another_index_or_another_head_is_refused() {
    let log = Log::new();
    let proof = log.proof(6, 11);
    let check = |proof: &TlogProof, leaf: &[u8]| proof.verify(leaf, &log.trust).unwrap_err();
    for other in (0..20).filter(|other| *other != 6) {
        assert_eq!(check(&proof, &leaf(other)), TlogProofError::Tree(ProofError::Root));
        let elsewhere = TlogProof { index: other, ..proof.clone() };
        assert!(matches!(check(&elsewhere, &leaf(6)), TlogProofError::Tree(_)));
    }
    assert_eq!(check(&proof, b""), TlogProofError::Tree(ProofError::Root));
    let later = TlogProof { checkpoint: log.head(12), ..proof.clone() };
    assert!(matches!(check(&later, &leaf(6)), TlogProofError::Tree(_)));
    let mut unseen = proof.clone();
    unseen.checkpoint.signatures.pop();
    let quorum = TrustError::Quorum { quorum: "w".into(), found: 0 };
    assert_eq!(check(&unseen, &leaf(6)), TlogProofError::Trust(quorum));
    let stranger = TlogProof { hashes: vec![], index: 0, ..proof };
    assert!(matches!(check(&stranger, &leaf(0)), TlogProofError::Tree(ProofError::Length { .. })));
}

#[test]
fn what_came_along_is_not_trusted_and_breaks_nothing() {
    let log = Log::new();
    let mut proof = log.proof(6, 11);
    proof.extra = Some(vec![0; 1000]);
    let read = TlogProof::parse(&proof.to_string()).unwrap();
    assert_eq!(read, proof);
    assert!(read.verify(&leaf(6), &log.trust).is_ok());
    // Nothing is written as nothing.
    let nothing = TlogProof { extra: Some(vec![]), ..proof.clone() };
    assert_eq!(nothing.to_string(), TlogProof { extra: None, ..proof }.to_string());
}

#[test]
fn a_malformed_proof_is_refused_with_what_is_wrong() {
    let log = Log::new();
    let good = log.proof(6, 11).to_string();
    let hash = good.lines().nth(2).unwrap().to_owned();
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from:?}");
        good.replacen(from, to, 1)
    };
    let many = |count| change(&format!("{hash}\n"), &format!("{hash}\n").repeat(count));
    assert!(TlogProof::parse(&many(60)).is_ok());
    for (file, error) in [
        (String::new(), TlogProofError::Header),
        (change("c2sp", "C2SP"), TlogProofError::Header),
        (change("@v1\n", "@v1\r\n"), TlogProofError::Header),
        (change("@v1", "@v2"), TlogProofError::Header),
        (format!(" {good}"), TlogProofError::Header),
        (change("index 6\n", ""), TlogProofError::Index),
        (change("index 6", "index 06"), TlogProofError::Index),
        (change("index 6", "index  6"), TlogProofError::Index),
        (change("index 6", "index +6"), TlogProofError::Index),
        (change("index 6", "index 6 "), TlogProofError::Index),
        (change("index 6", "index"), TlogProofError::Index),
        (change("index 6", "Index 6"), TlogProofError::Index),
        (change("index 6", "index 9223372036854775807"), TlogProofError::Index),
        (change("index 6", "\nindex 6"), TlogProofError::Index),
        (change("index 6", "extra AAA=\nextra AAA=\nindex 6"), TlogProofError::Index),
        (change("index 6", "extra AAA\nindex 6"), TlogProofError::Extra),
        (change("index 6", "extra AAB=\nindex 6"), TlogProofError::Extra),
        (change("index 6", "extra \nindex 6"), TlogProofError::Extra),
        (change("index 6", "extra\nindex 6"), TlogProofError::Index),
        (change("index 6", "index 6\nextra AAA="), TlogProofError::Hash { number: 1 }),
        (change(&hash, hash.trim_end_matches('=')), TlogProofError::Hash { number: 1 }),
        (change(&hash, &format!("{hash}\nAAAA")), TlogProofError::Hash { number: 2 }),
        (change(&hash, &format!("{hash} ")), TlogProofError::Hash { number: 1 }),
        (many(61), TlogProofError::TooLong),
        (format!("{good}{}", "\n".repeat(MAX_PROOF)), TlogProofError::TooLong),
        ("c2sp.org/tlog-proof@v1\nindex 6\n".into(), TlogProofError::NoCheckpoint),
        (good.split_once("\n\n").unwrap().0.into(), TlogProofError::NoCheckpoint),
        (change("\n\n", "\n\n\n"), TlogProofError::Checkpoint(CheckpointError::Lines)),
        (change("\n11\n", "\n011\n"), TlogProofError::Checkpoint(CheckpointError::Size)),
        (good.trim_end().into(), TlogProofError::Note(NoteError::NoNewline)),
        (format!("{good}\n"), TlogProofError::Note(NoteError::NoNewline)),
    ] {
        assert_eq!(TlogProof::parse(&file), Err(error), "{}", file.chars().take(500).collect::<String>());
    }
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn what_is_read_of_any_string_is_written_as_that_string(
        file in r"\PC*|c2sp\.org/tlog-proof@v1\n(extra [AQ]{4}\n)?index [0-9]{1,2}\n([A-Za-z]{42}[AEI]=\n){0,3}\na\n1\n[A-Za-z]{42}[AEI]=\n\n(— a [AQ]{8}\n){1,2}"
    ) {
        if let Ok(proof) = TlogProof::parse(&file) {
            prop_assert_eq!(proof.to_string(), file);
        }
    }

    #[test]
    fn a_proof_that_was_cut_or_grown_anywhere_is_refused_or_proves_the_same(
        at in any::<prop::sample::Index>(), more in r"[ -~\n]{1,3}"
    ) {
        let log = Log::new();
        let proof = log.proof(6, 11);
        let file = proof.to_string();
        let (before, after) = (0..=at.index(file.len())).rev().find_map(|at| file.split_at_checked(at)).unwrap();
        let cut = TlogProof::parse(before).and_then(|proof| proof.verify(&leaf(6), &log.trust));
        prop_assert!(cut.is_err(), "{before}");
        let grown = format!("{before}{more}{after}");
        if let Ok(read) = TlogProof::parse(&grown)
            && let Ok(checkpoint) = read.verify(&leaf(6), &log.trust)
        {
            prop_assert_eq!(checkpoint.text(), proof.checkpoint.text);
        }
    }
}

/// A log of up to 20 entries with one witness, and somebody who trusts both.
struct Log {
    key: SigningKey,
    witness: SigningKey,
    trust: Trust,
}

impl Log {
    fn new() -> Log {
        let key = SigningKey::from_seed("log.example/acme", &[1; 32]).unwrap();
        let witness = SigningKey::from_seed("w.example", &[2; 32]).unwrap();
        let policy = format!("log {}\nwitness w {}\nquorum w\n", key.verifier(), witness.cosigner());
        Log { key, witness, trust: Trust::parse(&policy).unwrap() }
    }

    fn head(&self, size: u64) -> Note {
        let mut edge = Edge::default();
        (0..size).for_each(|index| edge.push(tree::leaf_hash(&leaf(index)), |_, _| {}));
        let text = Checkpoint::new("log.example/acme", size, edge.root()).text();
        let signatures = vec![self.key.sign_note(&text), self.witness.cosign(&text, 1_700_000_000)];
        Note { text, signatures }
    }

    fn proof(&self, index: u64, size: u64) -> TlogProof {
        let mut nodes = std::collections::HashMap::new();
        let mut edge = Edge::default();
        for index in 0..size {
            let hash = tree::leaf_hash(&leaf(index));
            nodes.insert(NodeId { height: 0, index }, hash);
            edge.push(hash, |node, hash| assert!(nodes.insert(node, hash).is_none()));
        }
        let hash = |range: &_| range_hash(range, |node| nodes.get(&node).copied()).unwrap();
        let hashes = tree::inclusion(index, size).unwrap().iter().map(hash).collect();
        TlogProof { extra: None, index, hashes, checkpoint: self.head(size) }
    }
}

fn leaf(index: u64) -> Vec<u8> {
    format!("{{\"entry\":{index}}}").into_bytes()
}
