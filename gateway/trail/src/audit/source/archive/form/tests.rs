use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::audit::source::archive::Zip;
use crate::audit::{Failure, Verdict};

fn archive(files: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        zip.start_file(*path, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn plain(files: &[(&str, &[u8])]) -> Vec<u8> {
    archive(files, SimpleFileOptions::default())
}

fn page(text: &str) -> Vec<u8> {
    plain(&[("index.html", text.as_bytes())])
}

fn of_form(zip: &[u8]) -> Result<Directory, SourceError> {
    let form = check(&mut Cursor::new(zip), 1_000_000);
    assert_eq!(Zip::new(Cursor::new(zip), 1_000_000).is_ok(), form.is_ok());
    form
}

fn refused(zip: &[u8]) -> (Verdict, String) {
    let failure = Failure::from(of_form(zip).unwrap_err());
    (failure.verdict, failure.what)
}

fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn put(bytes: &mut [u8], at: usize, length: usize, number: usize) {
    bytes[at..at + length].copy_from_slice(&number.to_le_bytes()[..length]);
}

/// Where the directory of an archive without a comment begins, and its end.
fn places(zip: &[u8]) -> (usize, usize) {
    let end = zip.len() - 22;
    (number(zip, end + 16, 4), end)
}

/// The archive with something inserted at `at`, and all later positions adjusted.
fn with_inside(zip: &[u8], at: usize, inside: &[u8]) -> Vec<u8> {
    let (start, end) = places(zip);
    let mut zip = zip.to_vec();
    let mut entry = start;
    while entry < end {
        let offset = number(&zip, entry + 42, 4);
        if offset >= at {
            put(&mut zip, entry + 42, 4, offset + inside.len());
        }
        entry += 46 + number(&zip, entry + 28, 2) + number(&zip, entry + 30, 2) + number(&zip, entry + 32, 2);
    }
    put(&mut zip, end + 16, 4, start + inside.len());
    [&zip[..at], inside, &zip[at..]].concat()
}

#[test]
fn what_we_write_is_of_our_form() {
    let bytes = vec![7u8; 100_000];
    let files: [(&str, &[u8]); 3] = [("index.html", b"a page"), ("empty", b""), ("tile/0/000", &bytes)];
    for options in [SimpleFileOptions::default(), SimpleFileOptions::default().large_file(true)] {
        let zip = archive(&files, options);
        assert_eq!(of_form(&zip).unwrap().files, 3);
        assert!(check(&mut Cursor::new(&zip), 2).unwrap_err().to_string().contains("more than 2 files"));
    }
    assert_eq!(of_form(&plain(&[])).unwrap().files, 0);
}

#[test]
fn more_files_than_a_small_end_can_count_are_of_our_form() {
    for count in [65_534, 65_535, 65_536] {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for number in 0..count {
            zip.start_file(format!("{number}"), SimpleFileOptions::default().large_file(true)).unwrap();
        }
        let mut zip = zip.finish().unwrap().into_inner();
        let directory = check(&mut Cursor::new(&zip), 1_000_000).unwrap();
        assert_eq!(directory.files, count);
        if count > 65_535 {
            let at = zip.len() - 22 - 20 - 56 + 48;
            put(&mut zip, at, 8, 1);
            let error = check(&mut Cursor::new(&zip), 1_000_000).unwrap_err().to_string();
            assert!(error.contains("large end"), "{error}");
        }
    }
}

#[test]
fn a_file_that_the_directory_does_not_name_is_found_wherever_it_lies() {
    let truth = plain(&[("index.html", b"the truth"), ("pack.json", b"{}")]);
    let lie = page("a lie");
    let (hidden, (start, _)) = (&lie[..places(&lie).0], places(&truth));
    let second = number(&truth, start + 46 + "index.html".len() + 42, 4);
    for at in [0, second, start] {
        let (verdict, what) = refused(&with_inside(&truth, at, hidden));
        assert_eq!(verdict, Verdict::Tampered, "{at}");
        assert!(what.contains("lies something that the directory does not name"), "{at}: {what}");
    }
    of_form(&with_inside(&truth, 0, b"")).unwrap();
}

#[test]
fn an_archive_has_one_end() {
    let (truth, lie) = (page("the truth"), page("a lie"));
    let (_, end_of_lie) = places(&lie);
    // The end of the lie's directory, as the comment of the truth.
    let both = with_inside(&truth, 0, &lie[..end_of_lie]);
    let at = both.len() - 2;
    let mut commented = [&both, &lie[end_of_lie..]].concat();
    put(&mut commented, at, 2, 22);
    let mut mute = truth.clone();
    mute.extend(b"a comment");
    put(&mut mute, truth.len() - 2, 2, 9);
    let ambiguous = [
        commented,
        [lie.clone(), truth.clone()].concat(),
        [truth.clone(), lie.clone()].concat(),
        with_inside(&truth, 0, &lie),
        with_inside(&truth, 0, b"#!/bin/sh\n"),
    ];
    for (which, zip) in ambiguous.iter().enumerate() {
        assert_eq!(refused(zip).0, Verdict::Tampered, "{which}");
    }
    for zip in [mute, [truth.as_slice(), b"\n"].concat(), truth[..truth.len() - 1].to_vec(), b"PK".to_vec()] {
        let (verdict, what) = refused(&zip);
        assert_eq!(verdict, Verdict::Unusable);
        assert!(what.contains("does not end as a zip file"), "{what}");
    }
}

#[test]
fn both_places_say_the_same_of_a_file() {
    let truth = page("the truth");
    let (start, _) = places(&truth);
    for (what, in_file, in_entry) in
        [("flags", 6, 8), ("crc", 14, 16), ("packed", 18, 20), ("unpacked", 22, 24)]
    {
        let mut zip = truth.clone();
        zip[in_file] ^= 2;
        assert_eq!(refused(&zip).0, Verdict::Tampered, "{what}");
        let mut zip = truth.clone();
        zip[start + in_entry] ^= 2;
        assert_eq!(refused(&zip).0, Verdict::Tampered, "{what}");
    }
    let mut zip = truth.clone();
    zip[30] ^= 2;
    assert!(refused(&zip).1.contains("what the file does not say"));
    // Written as a stream, or kept as it is.
    for (at, value) in [(6, 8), (8, 0)] {
        let mut zip = truth.clone();
        zip[at] = value;
        zip[start + at + 2] = value;
        assert_eq!(refused(&zip).0, Verdict::Unusable, "{at}");
    }
}

#[test]
fn a_second_name_in_a_field_of_its_own_is_not_read() {
    // 0x7075 is a name in Unicode, which some programs take for the name.
    let extra = b"\x75\x70\x05\x00\x01name";
    let mut zip = page("the truth");
    let (start, end) = places(&zip);
    let behind = start + 46 + "index.html".len();
    zip.splice(behind..behind, extra.iter().copied());
    put(&mut zip, start + 30, 2, extra.len());
    let end = end + extra.len();
    let length = number(&zip, end + 12, 4) + extra.len();
    put(&mut zip, end + 12, 4, length);
    let (verdict, what) = refused(&zip);
    assert_eq!(verdict, Verdict::Unusable);
    assert!(what.contains("fields that ours do not have"), "{what}");
}

#[test]
fn capitals_make_no_second_name() {
    let zip = plain(&[("checkpoint", b"one"), ("CHECKPOINT", b"two")]);
    check(&mut Cursor::new(&zip), 10).unwrap();
    let error = Zip::new(Cursor::new(zip), 10).unwrap_err();
    assert!(error.to_string().contains("the same name twice"), "{error}");
    Zip::new(Cursor::new(plain(&[("anchors/20-TSA.tsr", b"")])), 10).unwrap();
}

#[test]
fn damage_anywhere_is_no_panic() {
    let whole = archive(&[("a", b"one"), ("b", b"two")], SimpleFileOptions::default().large_file(true));
    for at in 0..whole.len() {
        for change in [1u8, 0x80, 0xff] {
            let mut zip = whole.clone();
            zip[at] ^= change;
            let _ = check(&mut Cursor::new(&zip), 10);
        }
        let _ = check(&mut Cursor::new(&whole[..at]), 10);
    }
}

#[test]
fn no_field_of_an_archive_is_free() {
    for options in [SimpleFileOptions::default(), SimpleFileOptions::default().large_file(true)] {
        let truth = archive(&[("index.html", b"the truth, and nothing else")], options);
        of_form(&truth).unwrap();
        let (start, _) = places(&truth);
        let content = 30 + number(&truth, 26, 2) + number(&truth, 28, 2)..start;
        for at in (0..truth.len()).filter(|at| !content.contains(at)) {
            for bit in 0..8 {
                let mut zip = truth.clone();
                zip[at] ^= 1 << bit;
                assert!(check(&mut Cursor::new(&zip), 9).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}
