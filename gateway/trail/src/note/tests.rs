//! The examples of the specifications, and the `signed_note` crate, are the judges.

use ed25519_dalek::Signer as _;
use proptest::prelude::*;
use signed_note::{Signer as _, StandardSigner, StandardVerifier, VerifierList};

use sha2::{Digest as _, Sha256};

use super::*;
use crate::tree::Hash;

#[test]
fn the_verifier_key_of_the_specification_verifies_its_note() {
    let key = VerifierKey::parse(VKEY).unwrap();
    assert_eq!(key.to_string(), VKEY);
    assert_eq!((key.name(), hex(&key.id()).as_str()), ("example.com/foo", "530d903a"));
    assert_eq!(key.kind(), KeyKind::Log);
    assert_eq!(VerifierKey::new(key.name(), key.kind(), &key.key()), Ok(key.clone()));

    let note = Note::parse(SIGNED).unwrap();
    assert_eq!(note.text, "This is an example message.\n");
    assert_eq!(note.to_string(), SIGNED);
    assert_eq!(note.verified_by(&[key]), Ok(vec![Verified { key: 0, time: None }]));
}

#[test]
fn the_checkpoint_of_the_specification_is_read_with_both_of_its_signatures() {
    let note = Note::parse(COSIGNED).unwrap();
    assert_eq!(note.to_string(), COSIGNED);
    let [log, witness] = note.signatures.as_slice() else { panic!("{note:?}") };
    assert_eq!((log.name.as_str(), log.blob.len()), ("example.com/behind-the-sofa", 64));
    assert_eq!((witness.name.as_str(), witness.blob.len()), ("witness.example.com/w1", 72));
    assert_eq!(witness.blob[..8], 1_679_315_147_u64.to_be_bytes());
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.text(), note.text);
    assert_eq!(note.verified_by(&[VerifierKey::parse(VKEY).unwrap()]), Err(NoteError::Unsigned));
}

#[test]
fn a_cosignature_is_its_time_and_a_signature_over_the_words_of_the_specification() {
    let witness = SigningKey::from_seed("witness.example.com/w1", &[9; 32]).unwrap();
    let text = Note::parse(COSIGNED).unwrap().text;
    let signature = witness.cosign(&text, 1_679_315_147);
    let message = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
                   CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let (time, raw) = signature.blob.split_at(8);
    assert_eq!(time, 1_679_315_147_u64.to_be_bytes());
    assert_eq!(raw, ed25519_dalek::SigningKey::from_bytes(&[9; 32]).sign(message.as_bytes()).to_bytes());
    let note = Note { text, signatures: vec![signature] };
    let verified = note.verified_by(&[witness.cosigner()]);
    assert_eq!(verified, Ok(vec![Verified { key: 0, time: Some(1_679_315_147) }]));
    assert_eq!(witness.cosigner().kind(), KeyKind::Cosigner);
}

#[test]
fn a_cosignature_holds_for_its_time_alone_and_none_is_later_than_the_specification_allows() {
    let witness = SigningKey::from_seed("w.example", &[9; 32]).unwrap();
    let cosigned = |time, blob: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let mut signature = witness.cosign(TEXT, time);
        signature.blob = blob(signature.blob);
        Note { text: TEXT.into(), signatures: vec![signature] }.verified_by(&[witness.cosigner()])
    };
    assert!(cosigned(7, &|blob| blob).is_ok());
    assert!(cosigned(u64::MAX >> 1, &|blob| blob).is_ok());
    for refused in [
        cosigned(1 << 63, &|blob| blob),
        cosigned(7, &|blob| [8_u64.to_be_bytes().as_slice(), &blob[8..]].concat()),
        cosigned(7, &|blob| blob[8..].to_vec()),
        cosigned(7, &|blob| blob[..7].to_vec()),
        cosigned(7, &|blob| [blob.as_slice(), &[0]].concat()),
    ] {
        assert!(matches!(refused, Err(NoteError::Forged { .. })), "{refused:?}");
    }
}

#[test]
fn a_signature_of_one_kind_never_counts_as_the_other() {
    let key = SigningKey::from_seed("both.example", &[3; 32]).unwrap();
    assert_ne!(key.verifier().id(), key.cosigner().id());
    let mut signature = key.cosign(TEXT, 7);
    let note = |signature: &Signature| Note { text: TEXT.into(), signatures: vec![signature.clone()] };
    assert_eq!(note(&signature).verified_by(&[key.verifier()]), Err(NoteError::Unsigned));
    signature.id = key.verifier().id();
    assert!(matches!(note(&signature).verified_by(&[key.verifier()]), Err(NoteError::Forged { .. })));
    let mut signature = key.sign_note(TEXT);
    assert_eq!(note(&signature).verified_by(&[key.cosigner()]), Err(NoteError::Unsigned));
    signature.id = key.cosigner().id();
    assert!(matches!(note(&signature).verified_by(&[key.cosigner()]), Err(NoteError::Forged { .. })));
}

#[test]
fn unknown_signatures_are_ignored_and_a_false_one_of_a_known_key_refuses_the_whole_note() {
    let (log, other) = (signer("log.example", 1), signer("other.example", 2));
    let false_one = Signature { blob: other.sign_note("another text\n").blob, ..other.sign_note(TEXT) };
    let note = Note { text: TEXT.into(), signatures: vec![false_one.clone(), log.sign_note(TEXT)] };
    let only_log = note.verified_by(&[log.verifier()]);
    assert_eq!(only_log, Ok(vec![Verified { key: 0, time: None }]));
    let both = note.verified_by(&[log.verifier(), other.verifier()]);
    let id = hex(&other.verifier().id());
    assert_eq!(both, Err(NoteError::Forged { name: "other.example".into(), id }));
    // It shares the name or the id with a key, but not both.
    let namesake = signer("other.example", 5);
    assert_eq!(note.verified_by(&[namesake.verifier(), log.verifier()]).unwrap()[0].key, 1);
    assert_eq!(note.verified_by(&[namesake.verifier()]), Err(NoteError::Unsigned));
    assert_eq!(note.verified_by(&[]), Err(NoteError::Unsigned));
    let mut behind = note.clone();
    behind.signatures.reverse();
    assert!(behind.verified_by(&[log.verifier(), other.verifier()]).is_err(), "behind a good one");
    let mut twice = Note { text: TEXT.into(), signatures: vec![other.sign_note(TEXT), false_one] };
    assert!(twice.verified_by(&[other.verifier()]).is_err(), "behind a good one of the same key");
    twice.signatures.pop();
    twice.signatures.push(other.sign_note(TEXT));
    assert_eq!(twice.verified_by(&[other.verifier()]).unwrap().len(), 1, "each key once");
}

#[test]
fn any_flipped_bit_of_a_note_is_refused() {
    let (log, witness) = (signer("log.example", 1), signer("w.example", 2));
    let text = Checkpoint::new("log.example", 70_000, [7; 32]).text();
    let note = Note { signatures: vec![log.sign_note(&text), witness.cosign(&text, 1_700_000_000)], text };
    let keys = [log.verifier(), witness.cosigner()];
    assert_eq!(note.verified_by(&keys).unwrap().len(), 2);
    let bytes = note.to_string().into_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(changed) = String::from_utf8(changed) else { continue };
        let Ok(changed) = Note::parse(&changed) else { continue };
        let verified = changed.verified_by(&keys).map_or(0, |verified| verified.len());
        assert!(verified < 2, "bit {bit}: {changed}");
        // What is left of a signature whose name or id was changed is that of a stranger.
        assert!(verified == 0 || changed.text == note.text, "bit {bit}: {changed}");
    }
}

#[test]
fn a_note_may_have_empty_lines_in_its_text_and_up_to_100_signatures() {
    let log = signer("log.example", 1);
    let text = "\n\nOgnuno sta solo\n\n\nsul cuor della terra — x y\n— log.example AAAAAAA=\n\n";
    for count in [1, 16, 100] {
        let note = Note { text: text.into(), signatures: vec![log.sign_note(text); count] };
        assert_eq!(Note::parse(&note.to_string()), Ok(note.clone()), "{count}");
        assert!(note.verified_by(&[log.verifier()]).is_ok());
    }
    let note = Note { text: text.into(), signatures: vec![log.sign_note(text); 101] };
    assert_eq!(Note::parse(&note.to_string()), Err(NoteError::TooManySignatures));
}

#[test]
fn a_note_is_of_bounded_length() {
    let log = signer("log.example", 1);
    let note = |length| {
        let text = format!("{}\n", "x".repeat(length - 1));
        Note { signatures: vec![log.sign_note(&text)], text }.to_string()
    };
    assert!(Note::parse(&note(MAX_TEXT)).is_ok());
    assert_eq!(Note::parse(&note(MAX_TEXT + 1)), Err(NoteError::TooLong));
    assert_eq!(Note::parse(&note(MAX_NOTE)), Err(NoteError::TooLong));
    let post_quantum = format!("{TEXT}\n— pq.example {}\n", canonical::base64(&[1; 5_000]));
    assert!(Note::parse(&post_quantum).is_ok());
    let longer = format!("{TEXT}\n— pq.example {}\n", canonical::base64(&[1; 15_000]));
    assert_eq!(Note::parse(&longer), Err(NoteError::SignatureLine { number: 1 }));
}

#[test]
fn a_malformed_note_is_refused_with_what_is_wrong() {
    let line = SIGNED.lines().last().unwrap();
    for (note, error) in [
        (String::new(), NoteError::NoSignatures),
        ("text\n".into(), NoteError::NoSignatures),
        (format!("text\n{line}\n"), NoteError::NoSignatures),
        ("text\n\n".into(), NoteError::NoNewline),
        (format!("text\n\n{line}"), NoteError::NoNewline),
        (format!("text\r\n\r\n{line}\r\n"), NoteError::Control),
        (format!("te\txt\n\n{line}\n"), NoteError::Control),
        (format!("te\0xt\n\n{line}\n"), NoteError::Control),
        (format!("text\n\n{line}\n\n"), NoteError::NoNewline),
        (format!("text\n\n{line}\n\n\n"), NoteError::NoNewline),
        (format!("text\n\n{line}\nmore\n"), NoteError::SignatureLine { number: 2 }),
        (format!("text\n\n{line} \n"), NoteError::SignatureLine { number: 1 }),
        (format!("text\n\n {line}\n"), NoteError::SignatureLine { number: 1 }),
        (format!("text\n\n{}\n", line.replacen('—', "-", 1)), NoteError::SignatureLine { number: 1 }),
        (format!("text\n\n{}\n", line.replacen(' ', "\u{a0}", 1)), NoteError::SignatureLine { number: 1 }),
        (format!("text\n\n{}\n", line.replacen("/foo", "+foo", 1)), NoteError::SignatureLine { number: 1 }),
        (format!("text\n\n{}\n", line.replacen("aQM=", "aQM", 1)), NoteError::SignatureLine { number: 1 }),
        (format!("text\n\n{}\n", line.replacen("aQM=", "aQN=", 1)), NoteError::SignatureLine { number: 1 }),
        ("text\n\n— name Uw2QOg==\n".into(), NoteError::SignatureLine { number: 1 }),
        ("text\n\n— name \n".into(), NoteError::SignatureLine { number: 1 }),
        ("text\n\n—  Uw2QOkn8\n".into(), NoteError::SignatureLine { number: 1 }),
        ("text\n\n— na me Uw2QOkn8\n".into(), NoteError::SignatureLine { number: 1 }),
        ("text\n\n— na\u{2003}me Uw2QOkn8\n".into(), NoteError::SignatureLine { number: 1 }),
    ] {
        assert_eq!(Note::parse(&note), Err(error), "{note:?}");
    }
}

#[test]
fn a_malformed_verifier_key_is_refused_with_what_is_wrong() {
    let cosigner = signer("w.example", 4).cosigner().to_string();
    assert_eq!(cosigner.parse::<VerifierKey>().unwrap().to_string(), cosigner);
    let with = |name: &str, material: &[u8]| {
        let hash = Sha256::new().chain_update(name).chain_update("\n").chain_update(material).finalize();
        format!("{name}+{}+{}", hex(&hash[..4]), canonical::base64(material))
    };
    let typed = |kind: u8, key: [u8; 32]| with("k.example", &[&[kind], key.as_slice()].concat());
    let good = VerifierKey::parse(VKEY).unwrap().key();
    assert!(VerifierKey::parse(&typed(1, good)).is_ok());
    let mut point_of_order_two = [0xff; 32];
    (point_of_order_two[0], point_of_order_two[31]) = (0xec, 0x7f);
    for (vkey, error) in [
        (String::new(), KeyError::Form),
        ("example.com/foo".into(), KeyError::Form),
        ("example.com/foo+530d903a".into(), KeyError::Form),
        (VKEY.replacen("example.com/foo", "", 1), KeyError::Name),
        (VKEY.replacen('/', " ", 1), KeyError::Name),
        (VKEY.replacen('/', "\u{2028}", 1), KeyError::Name),
        (VKEY.replacen('/', "\0", 1), KeyError::Name),
        (VKEY.replacen("foo", "fop", 1), KeyError::Id),
        (VKEY.replacen("530d903a", "530D903A", 1), KeyError::Id),
        (VKEY.replacen("530d903a", "530d903b", 1), KeyError::Id),
        (VKEY.replacen("530d903a", "30d903a", 1), KeyError::Id),
        (VKEY.replacen("+530d903a", "+0x530d903a", 1), KeyError::Id),
        (VKEY.replacen("U2k", "U2l", 1), KeyError::Id),
        (format!("{VKEY}="), KeyError::Form),
        (format!("{VKEY}\n"), KeyError::Form),
        (format!(" {VKEY}"), KeyError::Name),
        (typed(2, good), KeyError::Kind { kind: 2 }),
        (with("k.example", &[&[6_u8], [7; 1312].as_slice()].concat()), KeyError::Kind { kind: 6 }),
        (with("k.example", &[1; 32]), KeyError::Form),
        (with("k.example", &[1; 34]), KeyError::Form),
        (typed(1, [0; 32]), KeyError::Key),
        (typed(4, point_of_order_two), KeyError::Key),
        (typed(1, [2; 32]), KeyError::Key),
    ] {
        assert_eq!(VerifierKey::parse(&vkey), Err(error), "{vkey:?}");
    }
    for name in ["", "a b", "a+b", "a\nb", "a\u{1}b"] {
        assert_eq!(SigningKey::from_seed(name, &[1; 32]).err(), Some(KeyError::Name), "{name:?}");
    }
}

#[test]
fn a_private_key_is_not_shown() {
    let shown = format!("{:?}", SigningKey::from_seed("log.example", &[0xab; 32]).unwrap());
    assert_eq!(shown, "SigningKey(log.example, …)");
}

#[test]
fn a_checkpoint_is_written_in_one_way() {
    let root = canonical::base64(&[7; 32]);
    let good = format!("log.example\n0\n{root}\n");
    let with = |extensions: &[&str]| Checkpoint {
        extensions: extensions.iter().map(|line| (*line).into()).collect(),
        ..Checkpoint::new("log.example", 0, [7; 32])
    };
    assert_eq!(Checkpoint::parse(&good), Ok(with(&[])));
    assert_eq!(Checkpoint::parse(&format!("{good}one\ntwo 2\n")), Ok(with(&["one", "two 2"])));
    assert_eq!(with(&["one", "two 2"]).text(), format!("{good}one\ntwo 2\n"));
    let largest = good.replacen("\n0\n", "\n9223372036854775807\n", 1);
    assert_eq!(Checkpoint::parse(&largest).unwrap().size, u64::MAX >> 1);
    for (text, error) in [
        (String::new(), CheckpointError::Lines),
        ("\n".into(), CheckpointError::Lines),
        ("log.example\n0\n".into(), CheckpointError::Lines),
        (good.trim_end().into(), CheckpointError::Lines),
        (format!("\n{good}"), CheckpointError::Lines),
        (format!("{good}\n"), CheckpointError::Lines),
        (format!("{good}\nextension\n"), CheckpointError::Lines),
        (good.replacen('\n', "\r\n", 1), CheckpointError::Control),
        (format!("{good}te\tb\n"), CheckpointError::Control),
        (good.replacen("\n0\n", "\n00\n", 1), CheckpointError::Size),
        (good.replacen("\n0\n", "\n+1\n", 1), CheckpointError::Size),
        (good.replacen("\n0\n", "\n-0\n", 1), CheckpointError::Size),
        (good.replacen("\n0\n", "\n 1\n", 1), CheckpointError::Size),
        (good.replacen("\n0\n", "\n0x1\n", 1), CheckpointError::Size),
        (good.replacen("\n0\n", "\n٣\n", 1), CheckpointError::Size),
        (good.replacen("\n0\n", "\n9223372036854775808\n", 1), CheckpointError::Size),
        (good.replacen("\n0\n", "\n36893488147419103232\n", 1), CheckpointError::Size),
        (good.replacen(&root, &canonical::base64(&[7; 30]), 1), CheckpointError::Root),
        (good.replacen(&root, root.trim_end_matches('='), 1), CheckpointError::Root),
        (good.replacen(&root, &root.replace("c=", "d="), 1), CheckpointError::Root),
        (good.replacen(&root, &format!("{root} "), 1), CheckpointError::Root),
        (good.replacen(&root, &canonical::base64(&[7; 33]), 1), CheckpointError::Root),
    ] {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
    }
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn another_implementation_reads_and_verifies_what_we_sign(
        text in TEXTS, name in NAMES, seed in any::<[u8; 32]>()
    ) {
        let key = SigningKey::from_seed(&name, &seed).unwrap();
        let vkey = key.verifier().to_string();
        let note = Note { signatures: vec![key.sign_note(&text)], text };
        let theirs = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
        prop_assert_eq!(theirs.text(), note.text.as_bytes());
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
        prop_assert_eq!(theirs.verify(&known).unwrap().0.len(), 1);
    }

    #[test]
    fn we_read_and_verify_what_another_implementation_signs(
        text in TEXTS, name in NAMES, seed in any::<[u8; 32]>()
    ) {
        let key = SigningKey::from_seed(&name, &seed).unwrap().verifier();
        let private = canonical::base64(&[&[1], seed.as_slice()].concat());
        let theirs = StandardSigner::new(&format!("PRIVATE+KEY+{name}+{}+{private}", hex(&key.id()))).unwrap();
        prop_assert_eq!(theirs.key_id().to_be_bytes(), key.id());
        let mut signed = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        signed.add_sigs(&[&theirs]).unwrap();
        let signed = String::from_utf8(signed.to_bytes()).unwrap();
        let ours = Note::parse(&signed).unwrap();
        prop_assert_eq!(&ours.text, &text);
        prop_assert_eq!(ours.to_string(), signed);
        prop_assert_eq!(ours.verified_by(&[key]), Ok(vec![Verified { key: 0, time: None }]));
    }

    #[test]
    fn both_implementations_find_the_same_notes_well_formed(
        note in r"\PC*|[a\n— =]{0,30}\n\n(— [a+ ]{1,2} [AQ=]{4,8}\n){0,2}"
    ) {
        let (ours, theirs) = (Note::parse(&note), signed_note::Note::from_bytes(note.as_bytes()));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
        if let Ok(ours) = ours {
            prop_assert_eq!(ours.to_string(), note);
            prop_assert_eq!(theirs.unwrap().text().to_vec(), ours.text.into_bytes());
        }
    }

    #[test]
    fn what_is_read_of_any_string_is_written_as_that_string(
        text in r"\PC*|[^+ ]{1,3}\n[0-9]{1,3}\n[A-Za-z]{42}[AEIMQUYcgkosw048]=\n(.{0,2}\n){0,2}",
        vkey in r"\PC*|[a-z]{1,3}\+[0-9a-f]{8}\+A[QE][A-Za-z]{42}",
    ) {
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.text(), text.clone());
        }
        if let Some(signature) = Signature::parse(&text) {
            prop_assert_eq!(signature.to_string(), text);
        }
        if let Ok(key) = VerifierKey::parse(&vkey) {
            prop_assert_eq!(key.to_string(), vkey);
        }
    }

    #[test]
    fn checkpoints_and_keys_are_read_as_they_are_written(
        origin in r"[^\x00-\x1f]{1,20}", size in 0..=u64::MAX >> 1, root in any::<Hash>(),
        extensions in prop::collection::vec(r"[^\x00-\x1f]{1,20}", 0..3), name in NAMES,
    ) {
        let checkpoint = Checkpoint { origin, size, root, extensions };
        prop_assert_eq!(Checkpoint::parse(&checkpoint.text()), Ok(checkpoint));
        let key = SigningKey::from_seed(&name, &root).unwrap();
        for key in [key.verifier(), key.cosigner()] {
            prop_assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
        }
    }
}

fn signer(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, &[seed; 32]).unwrap()
}

const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

const SIGNED: &str = "This is an example message.\n\n— example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

const COSIGNED: &str = "example.com/behind-the-sofa\n20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa \
    Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ\
    qhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

const TEXT: &str = "log.example\n3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

/// Texts of notes: any lines.
const TEXTS: &str = r"([^\x00-\x1f]{0,20}\n){1,5}";

/// Names of keys: neither spaces nor `+`.
const NAMES: &str = r"[^\s+\x00-\x1f]{1,12}";
