use proptest::prelude::*;

use super::*;
use crate::note::{KeyError, SigningKey};

#[test]
fn the_two_levels_of_groups_of_the_specification_ask_what_they_say() {
    let names = ["X1", "X2", "X3", "Y1", "Y2", "Y3"];
    let mut file = format!("log {}\n\n", log(1).verifier());
    for (name, seed) in names.into_iter().zip(10..) {
        file.push_str(&format!("witness {name} {}\n", witness(seed).cosigner()));
    }
    file.push_str("group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n");
    file.push_str("group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n");
    let trust = Trust::parse(&file).unwrap();
    for seen in 0_u32..64 {
        let mut note = head(&log(1));
        let seers = (0..6_u8).filter(|w| seen & 1 << w != 0);
        for w in seers.clone() {
            note.signatures.push(witness(10 + w).cosign(&note.text, 100 + u64::from(w)));
        }
        let by_names: Vec<(String, u64)> =
            seers.map(|w| (names[usize::from(w)].to_owned(), 100 + u64::from(w))).collect();
        let enough = (seen & 0b111).count_ones() >= 2 && seen & 0b11_1000 != 0;
        match trust.check(&note) {
            Ok(accepted) => assert_eq!((enough, accepted.witnesses), (true, by_names)),
            Err(error) => {
                let quorum = TrustError::Quorum { quorum: "X-and-Y".into(), found: by_names.len() };
                assert_eq!((enough, error), (false, quorum));
            }
        }
    }
}

#[test]
fn a_quorum_may_be_one_witness_or_none() {
    let (log, seen) = (log(1), witness(2));
    let keys = format!("log {}\nwitness w {}\n", log.verifier(), seen.cosigner());
    let mut note = head(&log);
    assert!(Trust::parse(&format!("{keys}quorum none\n")).unwrap().check(&note).is_ok());
    let asks = Trust::parse(&format!("{keys}quorum w\n")).unwrap();
    assert_eq!(asks.check(&note), Err(TrustError::Quorum { quorum: "w".into(), found: 0 }));
    note.signatures.push(witness(3).cosign(&note.text, 7));
    assert!(asks.check(&note).is_err(), "a witness that nobody knows");
    note.signatures.push(seen.cosign(&note.text, 7));
    let accepted = asks.check(&note).unwrap();
    assert_eq!(accepted.checkpoint, Checkpoint::parse(&note.text).unwrap());
    assert_eq!(accepted.signed_by, [log.verifier()]);
    assert_eq!(accepted.witnesses, [("w".to_owned(), 7)]);
}

#[test]
fn a_head_needs_the_signature_of_its_own_log() {
    let (acme, globex) = (key("log.example/acme", 1), key("log.example/globex", 2));
    let seen = witness(3);
    let both = format!("log {}\nlog {}\n", acme.verifier(), globex.verifier());
    let trust = Trust::parse(&format!("{both}witness w {}\nquorum none\n", seen.cosigner())).unwrap();
    let text = Checkpoint::new("log.example/acme", 3, [7; 32]).text();
    let by = |signatures| trust.check(&Note { text: text.clone(), signatures });
    assert!(by(vec![acme.sign_note(&text)]).is_ok());
    let not_by_log = TrustError::NotByLog { origin: "log.example/acme".into() };
    assert_eq!(by(vec![globex.sign_note(&text)]), Err(not_by_log.clone()));
    assert_eq!(by(vec![seen.cosign(&text, 7)]), Err(not_by_log.clone()));
    assert_eq!(by(vec![]), Err(not_by_log));
    let impostor = key("log.example/acme", 9);
    for signatures in
        [vec![impostor.sign_note(&text)], vec![impostor.sign_note(&text), seen.cosign(&text, 7)]]
    {
        assert!(matches!(by(signatures), Err(TrustError::OtherKey { .. })));
    }
    let accepted = by(vec![globex.sign_note(&text), acme.sign_note(&text)]).unwrap();
    assert_eq!(accepted.signed_by, [acme.verifier()]);

    let text = Checkpoint::new("log.example/initech", 3, [7; 32]).text();
    let unknown = Note { signatures: vec![acme.sign_note(&text)], text };
    let error = trust.check(&unknown).unwrap_err();
    assert_eq!(error, TrustError::UnknownLog { origin: "log.example/initech".into() });
    let nobody = Trust::parse("quorum none\n").unwrap();
    assert!(matches!(nobody.check(&unknown), Err(TrustError::UnknownLog { .. })));
}

#[test]
fn a_false_signature_of_a_trusted_witness_refuses_the_head_even_where_nobody_asks_for_it() {
    let (log, seen) = (log(1), witness(2));
    let file = format!("log {}\nwitness w {}\nquorum none\n", log.verifier(), seen.cosigner());
    let trust = Trust::parse(&file).unwrap();
    let mut note = head(&log);
    note.signatures.push(seen.cosign("another text\n", 7));
    assert!(matches!(trust.check(&note), Err(TrustError::Note(NoteError::Forged { .. }))));
    note.text = "no checkpoint\n".into();
    assert_eq!(trust.check(&note), Err(TrustError::Checkpoint(CheckpointError::Lines)));
}

#[test]
fn a_log_may_hand_over_from_one_key_to_another() {
    let (old, new) = (log(1), log(2));
    let mut trust = Trust::in_log(old.verifier()).unwrap();
    let mut handing_over = head(&old);
    handing_over.signatures.push(new.sign_note(&handing_over.text));
    assert_eq!(trust.check(&handing_over).unwrap().signed_by, [old.verifier()]);
    assert!(trust.check(&head(&new)).is_err());
    trust.add_log(new.verifier()).unwrap();
    trust.add_log(new.verifier()).unwrap();
    assert_eq!(trust.logs().len(), 2);
    assert_eq!(trust.log_keys().cloned().collect::<Vec<_>>(), [old.verifier(), new.verifier()]);
    assert_eq!(trust.check(&handing_over).unwrap().signed_by, [old.verifier(), new.verifier()]);
    assert_eq!(trust.check(&head(&new)).unwrap().signed_by, [new.verifier()]);
    assert_eq!(trust.add_log(witness(3).cosigner()), Err(LineFault::LogKind));
    assert_eq!(Trust::in_log(witness(3).cosigner()), Err(LineFault::LogKind));
}

#[test]
fn a_key_speaks_for_every_epoch_of_its_log_and_for_no_other_log() {
    let trust = Trust::in_log(log(1).verifier()).unwrap();
    for (origin, seed, accepted) in [
        ("log.example/acme", 1, true),
        ("log.example/acme.2", 1, true),
        ("log.example/acme.31", 1, true),
        ("log.example/acme.2", 2, false),
        ("log.example/acme.02", 1, false),
        ("log.example/acme2", 1, false),
        ("log.example/globex", 1, false),
        ("log.example/globex.2", 1, false),
        ("other.example/acme.2", 1, false),
    ] {
        let key = key(origin, seed);
        assert_eq!(trust.check(&head(&key)).is_ok(), accepted, "{origin} {seed}");
    }
    // An epoch that is named has the keys that are named for it: a retired one counts no more.
    let second = key("log.example/acme.2", 2);
    let mut trust = trust;
    trust.add_log(second.verifier()).unwrap();
    assert!(trust.check(&head(&second)).is_ok());
    assert!(matches!(trust.check(&head(&key("log.example/acme.2", 1))), Err(TrustError::OtherKey { .. })));
    assert!(trust.check(&head(&log(1))).is_ok());
}

#[test]
fn trust_is_extended_to_another_log_of_the_same_gateway_alone() {
    let trust = Trust::in_log(log(1).verifier()).unwrap();
    let of = |to: &str| trust.extended("log.example/acme", to).keys_of(to).len();
    assert_eq!(of("log.example/system"), 1);
    assert_eq!(of("log.example/system.4"), 1);
    assert_eq!(of("log.example/acme"), 1);
    assert_eq!(of("other.example/system"), 0);
    assert_eq!(trust.extended("log.example/globex", "log.example/system").keys_of("log.example/system"), []);
}

#[test]
fn comments_blanks_tabs_and_addresses_are_read_over() {
    let (log, seen) = (log(1).verifier(), witness(2).cosigner());
    let plain = Trust::parse(&format!("log {log}\nwitness w {seen}\nquorum w\n")).unwrap();
    let decorated = format!(
        "# whom we trust — since März\n \t\n\tlog \t {log}  \n  # the witness\nwitness\tw {seen}\t\nquorum w"
    );
    assert_eq!(Trust::parse(&decorated), Ok(plain));
    let with_urls =
        format!("log {log} https://log.example/\nwitness w {seen} https://w.example/\nquorum w\n");
    let trust = Trust::parse(&with_urls).unwrap();
    assert_eq!(trust.logs()[0].url.as_deref(), Some("https://log.example/"));
    assert_eq!(trust.witnesses()[0].url.as_deref(), Some("https://w.example/"));
    assert_eq!(trust.to_string(), with_urls);
}

#[test]
fn a_wrong_line_is_named_with_what_to_do() {
    let (log, a, b) = (log(1).verifier(), witness(2).cosigner(), witness(3).cosigner());
    let same_key = key("another.example", 2).cosigner();
    let own_witness = key("w.example", 1).cosigner();
    let start = format!("log {log}\nwitness a {a}\nwitness b {b}\n");
    for (line, fault) in [
        ("logs x".into(), LineFault::Keyword("logs".into())),
        ("Quorum a".into(), LineFault::Keyword("Quorum".into())),
        ("log".into(), LineFault::Form("log <vkey> [<url>]")),
        (format!("log {log} https://l.example more"), LineFault::Form("log <vkey> [<url>]")),
        ("witness c".into(), LineFault::Form("witness <name> <vkey> [<url>]")),
        ("group g any".into(), LineFault::Form("group <name> <number|all|any> <name>…")),
        ("quorum".into(), LineFault::Form("quorum <name|none>")),
        ("quorum a b".into(), LineFault::Form("quorum <name|none>")),
        ("quorum a\r".into(), LineFault::Control),
        ("# \u{7f}".into(), LineFault::Control),
        ("log nonsense".into(), LineFault::Key(KeyError::Form)),
        (format!("log {a}"), LineFault::LogKind),
        (format!("witness c {log}"), LineFault::WitnessKind),
        (format!("log {log}"), LineFault::KeyTwice),
        (format!("witness c {same_key}"), LineFault::KeyTwice),
        (format!("witness c {own_witness}"), LineFault::KeyTwice),
        (format!("witness a {}", witness(4).cosigner()), LineFault::NameTwice("a".into())),
        ("group a any b".into(), LineFault::NameTwice("a".into())),
        ("group none any a".into(), LineFault::Reserved),
        (format!("witness none {}", witness(4).cosigner()), LineFault::Reserved),
        ("group g any c".into(), LineFault::Undefined("c".into())),
        ("group g any g".into(), LineFault::Undefined("g".into())),
        ("group g any none".into(), LineFault::Undefined("none".into())),
        ("quorum c".into(), LineFault::Undefined("c".into())),
        ("group g any a a".into(), LineFault::Counted("a".into())),
        ("group g 0 a b".into(), threshold("0", 2)),
        ("group g 3 a b".into(), threshold("3", 2)),
        ("group g 02 a b".into(), threshold("02", 2)),
        ("group g +1 a b".into(), threshold("+1", 2)),
        ("group g some a b".into(), threshold("some", 2)),
        ("group g 99999999999999999999 a b".into(), threshold("99999999999999999999", 2)),
    ] {
        let error = Trust::parse(&format!("{start}{line}\nquorum none\n")).unwrap_err();
        assert_eq!(error, TrustError::Line { line: 4, fault }, "{line}");
        assert!(error.to_string().starts_with("line 4 of the trust policy: "));
    }
    let twice = Trust::parse(&format!("{start}group g any a\ngroup h any b a\nquorum g\n"));
    assert_eq!(twice, Err(TrustError::Line { line: 5, fault: LineFault::Counted("a".into()) }));
    let second = Trust::parse(&format!("{start}quorum a\nquorum a\n"));
    assert_eq!(second, Err(TrustError::Line { line: 5, fault: LineFault::SecondQuorum }));
    assert_eq!(Trust::parse(&start), Err(TrustError::NoQuorum));
    assert_eq!(Trust::parse(""), Err(TrustError::NoQuorum));
    assert_eq!(Trust::parse(&"\n".repeat(parse::MAX_FILE + 1)), Err(TrustError::TooLong));
}

#[test]
fn a_policy_is_read_as_it_is_written() {
    let mut file = format!("log {}\nlog {}\n", log(1).verifier(), log(2).verifier());
    for w in 10..50 {
        file.push_str(&format!("witness w{w} {}\n", witness(w).cosigner()));
    }
    file.push_str(
        "group one all w10 w11 w12\ngroup two any w13 one\ngroup three 2 two w14 w15\nquorum three\n",
    );
    let trust = Trust::parse(&file).unwrap();
    assert_eq!(Trust::parse(&trust.to_string()), Ok(trust.clone()));
    assert_eq!(trust.to_string(), file.replacen(" all ", " 3 ", 1).replacen(" any ", " 1 ", 1));
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn no_string_makes_it_panic(
        file in r"\PC*|((log|witness|group|quorum|#) ([a-c\t ]{1,6}|any|all|2|none)( [a-d]){0,3}\n){0,6}quorum none"
    ) {
        if let Ok(trust) = Trust::parse(&file) {
            prop_assert_eq!(Trust::parse(&trust.to_string()), Ok(trust));
        }
    }

    #[test]
    fn groups_count_as_a_naive_reading_of_the_file_does(
        seen in prop::collection::vec(any::<bool>(), 5),
        thresholds in prop::collection::vec(1..=3_usize, 3),
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let mut file = format!("log {}\n", log(1).verifier());
        for (name, seed) in names.into_iter().zip(10..) {
            file.push_str(&format!("witness {name} {}\n", witness(seed).cosigner()));
        }
        let [first, second, third] = thresholds[..] else { unreachable!() };
        let (first, second) = (first.min(2), second.min(2));
        file.push_str(&format!("group g {first} a b\ngroup h {second} c g\ngroup i {third} h d e\nquorum i\n"));
        let count = |met: &[bool]| met.iter().filter(|met| **met).count();
        let g = count(&seen[..2]) >= first;
        let h = count(&[seen[2], g]) >= second;
        let i = count(&[h, seen[3], seen[4]]) >= third;
        let mut note = head(&log(1));
        for (seed, _) in (10..).zip(&seen).filter(|(_, seen)| **seen) {
            note.signatures.push(witness(seed).cosign(&note.text, 1));
        }
        prop_assert_eq!(Trust::parse(&file).unwrap().check(&note).is_ok(), i);
    }
}

fn head(log: &SigningKey) -> Note {
    let text = Checkpoint::new(log.name(), 3, [7; 32]).text();
    Note { signatures: vec![log.sign_note(&text)], text }
}

fn log(seed: u8) -> SigningKey {
    key("log.example/acme", seed)
}

fn witness(seed: u8) -> SigningKey {
    key(&format!("witness-{seed}.example"), seed)
}

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, &[seed; 32]).unwrap()
}

fn threshold(threshold: &str, members: usize) -> LineFault {
    LineFault::Threshold { threshold: threshold.into(), members }
}
