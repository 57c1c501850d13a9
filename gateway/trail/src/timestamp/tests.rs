//! Against `openssl ts`.

use proptest::prelude::*;

use super::tsa::Tsa;
use super::*;

const TEXT: &str = "gateway.example.com/acme\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const NONCE: u64 = 0x8877_6655_4433_2211;

#[test]
fn openssl_reads_our_query() {
    let tsa = Tsa::new();
    for nonce in [NONCE, 0, 1, 0x7f, 0x80, 0x00ff_ffff_ffff_ffff] {
        std::fs::write(tsa.path().join("q.tsq"), query(TEXT, nonce)).unwrap();
        let said = tsa.openssl("ts -query -in q.tsq -text");
        let shown = said.lines().find_map(|line| line.strip_prefix("Nonce: 0x")).unwrap();
        assert_eq!(u64::from_str_radix(shown, 16), Ok(nonce), "{said}");
        assert!(said.contains("Version: 1\n"), "{said}");
        assert!(said.contains("Hash Algorithm: sha256\n"), "{said}");
        assert!(said.contains("Certificate required: yes\n"), "{said}");
    }
    // The same question as openssl's own, but for the nonce.
    std::fs::write(tsa.path().join("note.txt"), TEXT).unwrap();
    tsa.openssl("ts -query -data note.txt -sha256 -cert -no_nonce -out q.tsq");
    let theirs = std::fs::read(tsa.path().join("q.tsq")).unwrap();
    let ours = query(TEXT, NONCE);
    assert_eq!(ours[2..56], theirs[2..56]);
    assert_eq!(ours[56..], [&[2, 9, 0][..], &NONCE.to_be_bytes(), &theirs[56..]].concat());
}

#[test]
fn granted_with_modifications_is_granted() {
    let modified = [0x30, 0x03, 0x02, 0x01, 0x01];
    assert!(granted(Der::new(&modified).enter(der::SEQUENCE).unwrap()).is_ok());
    for (status, said) in [
        (&[0x30, 0x03, 0x02, 0x01, 0x02][..], "rejection"),
        (&[0x30, 0x03, 0x02, 0x01, 0x05], "revoked"),
        (&[0x30, 0x03, 0x02, 0x01, 0x7f], "unknown status"),
        (
            &[0x30, 0x08, 0x02, 0x01, 0x02, 0x03, 0x03, 0x01, 0x00, 0x02],
            "rejection, its time source is not available",
        ),
        (&[0x30, 0x09, 0x02, 0x01, 0x03, 0x30, 0x04, 0x0c, 0x02, b'o', b'\n'], "waiting, `o `"),
        (&[0x30, 0x07, 0x02, 0x01, 0x02, 0x30, 0x02, 0x0c, 0x05], "rejection"),
    ] {
        let refused = granted(Der::new(status).enter(der::SEQUENCE).unwrap()).unwrap_err();
        assert!(matches!(&refused, TimestampError::Refused(words) if words == said), "{refused:?}");
    }
}

#[test]
fn a_generalized_time_is_read_to_the_nanosecond() {
    for (text, time) in [
        ("20261120100000Z", Some("2026-11-20T10:00:00Z")),
        ("20261120100000.5Z", Some("2026-11-20T10:00:00.5Z")),
        ("20261120100000.123456789Z", Some("2026-11-20T10:00:00.123456789Z")),
        ("20261120100000.1234567899Z", Some("2026-11-20T10:00:00.123456789Z")),
        ("20261120100000.100Z", Some("2026-11-20T10:00:00.1Z")),
        ("20240229235959Z", Some("2024-02-29T23:59:59Z")),
        ("20230229235959Z", None),
        ("20261120100000", None),
        ("20261120100000+0100", None),
        ("20261120100000.Z", None),
        ("20261120100000,5Z", None),
        ("2026112010000Z", None),
        ("202611201000Z", None),
        ("20261320100000Z", None),
        ("20261120240000Z", None),
        ("20261120100060Z", None),
        ("+2611201000000Z", None),
        ("2026112010000٠Z", None),
        ("", None),
        ("Z", None),
    ] {
        let expected = time.map(|time| time.parse::<Timestamp>().unwrap());
        assert_eq!(moment(text.as_bytes()), expected, "{text}");
    }
    assert_eq!(moment(b"\xff0261120100000Z"), None);
}

#[test]
fn der_is_read_strictly() {
    for bytes in [
        &[][..],
        &[0x04],
        &[0x04, 0x01],
        &[0x04, 0x80, 0x00, 0x00],
        &[0x04, 0x81, 0x01, 0x00],
        &[0x04, 0x82, 0x00, 0x80],
        &[&[0x04, 0x82, 0x00, 0x80][..], &[7; 128]].concat(),
        &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00],
        &[0x04, 0x85, 0x01, 0x00, 0x00, 0x00, 0x00],
        &[0x04, 0xff, 0x00],
        &[0x05, 0x00],
        &[0x1f, 0x04, 0x00],
    ] {
        assert_eq!(Der::new(bytes).take(der::OCTET_STRING), Err(Unexpected), "{bytes:02x?}");
    }
    let long = [&[0x04, 0x81, 0x80][..], &[7; 128], &[0x05, 0x00]].concat();
    let mut der = Der::new(&long);
    assert_eq!(der.optional(der::NULL), Ok(None));
    assert_eq!(der.take(der::OCTET_STRING), Ok(&[7; 128][..]));
    assert_eq!(der.end(), Err(Unexpected));
    assert_eq!(der.take(der::NULL), Ok(&[][..]));
    assert_eq!(der.end(), Ok(()));
    assert_eq!(Der::new(&[0x05, 0x00, 0x04, 0x01]).skip_all(), Err(Unexpected));
    assert_eq!(Der::new(&[0x05, 0x00, 0x04, 0x01, 0x00]).skip_all(), Ok(()));
    for bad in [&[][..], &[0, 0], &[0, 0x7f], &[0xff, 0x80]] {
        assert_eq!(der::integer(bad), Err(Unexpected));
    }
    for good in [&[0][..], &[0, 0x80], &[0xff], &[0xff, 0x7f], &[0x7f]] {
        assert_eq!(der::integer(good), Ok(good));
    }
}

/// A real response, with the text's imprint and [`NONCE`].
fn real() -> Vec<u8> {
    Tsa::new().reply("full", &query(TEXT, NONCE))
}

#[test]
fn a_response_that_is_cut_off_or_has_more_behind_it_is_malformed() {
    let response = real();
    let info = read(&response).unwrap();
    assert_eq!(info.nonce, Some(der::unsigned(NONCE).as_slice()));
    for length in 0..response.len() {
        assert!(matches!(read(&response[..length]), Err(TimestampError::Malformed)), "{length}");
    }
    let longer = [&response[..], &[0]].concat();
    assert!(matches!(read(&longer), Err(TimestampError::Malformed)));
}

#[test]
fn more_inside_of_a_token_than_belongs_there_is_malformed() {
    let element = der::element;
    let contents = element(der::CONTEXT_0, &element(der::OCTET_STRING, &element(der::SEQUENCE, &[])));
    let token = |behind: &[u8]| {
        let encapsulated = [element(der::OID, TST_INFO), contents.clone(), behind.to_vec()].concat();
        let signed =
            [element(der::INTEGER, &[3]), element(der::SET, &[]), element(der::SEQUENCE, &encapsulated)];
        let signed = element(der::CONTEXT_0, &element(der::SEQUENCE, &signed.concat()));
        [element(der::OID, SIGNED_DATA), signed].concat()
    };
    assert_eq!(token_contents(Der::new(&token(&[]))), Ok(Der::new(&[])));
    assert_eq!(token_contents(Der::new(&token(&element(der::NULL, &[])))), Err(Unexpected));
}

#[test]
fn a_flipped_bit_of_the_imprint_or_the_nonce_is_noticed() {
    let response = real();
    let place = |bytes: &[u8]| response.windows(bytes.len()).position(|window| window == bytes).unwrap();
    let (digest, nonce) = (place(&imprint(TEXT)), place(&der::unsigned(NONCE)));
    for at in 0..response.len() {
        let mut changed = response.clone();
        changed[at] ^= 0x01;
        let read = read(&changed);
        if (digest..digest + 32).contains(&at) {
            assert_ne!(read.unwrap().imprint, imprint(TEXT));
            assert!(matches!(time_of(&changed, TEXT), Err(TimestampError::OtherText)));
        } else if (nonce..nonce + 9).contains(&at) {
            assert_ne!(read.unwrap().nonce, Some(der::unsigned(NONCE).as_slice()));
        } else if let Ok(info) = read {
            assert_eq!((info.imprint, info.nonce), (imprint(TEXT), Some(der::unsigned(NONCE).as_slice())));
        }
    }
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
        let _ = Der::new(&bytes).skip_all();
        let _ = moment(&bytes);
    }

    #[test]
    fn arbitrary_elements_never_panic(tags in proptest::collection::vec(
        (prop_oneof![Just(0x30u8), Just(0x02), Just(0x04), Just(0x06), Just(0xa0), Just(0x31)], 0u8..40), 0..60
    )) {
        let bytes: Vec<u8> = tags.into_iter().flat_map(|(tag, length)| [tag, length]).collect();
        let _ = read(&bytes);
        let _ = Der::new(&bytes).skip_all();
    }

    #[test]
    fn an_unsigned_integer_is_written_in_its_shortest_form(value in any::<u64>()) {
        let contents = der::unsigned(value);
        prop_assert_eq!(der::integer(&contents), Ok(contents.as_slice()));
        prop_assert!(contents[0] < 0x80);
        let back = contents.iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
        prop_assert_eq!(back, u128::from(value));
    }
}
