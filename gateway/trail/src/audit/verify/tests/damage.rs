//! Files that were changed by somebody without the log's key.

use super::*;

fn sampled(length: usize) -> impl Iterator<Item = usize> {
    // Every place of what is short; of what is long, places that meet no rhythm of it.
    let step = if length < 300 { 2 } else { length / 37 };
    (0..length).step_by(step).chain(length.checked_sub(1))
}

/// Which entry of a bundle a byte belongs to, its length included.
fn entry_at(bundle: &[u8], at: usize) -> u64 {
    let (mut index, mut from) = (0, 0);
    loop {
        let length = usize::from(u16::from_be_bytes([bundle[from], bundle[from + 1]]));
        if at < from + 2 + length {
            return index;
        }
        from += 2 + length;
        index += 1;
    }
}

#[test]
fn a_flipped_byte_is_found_in_every_file_and_the_entry_is_named() {
    let log = Log::busy(25);
    let whole = log.export();
    assert!(whole.0.keys().any(|path| path.starts_with("tile/1/")));
    for (path, bytes) in &whole.0 {
        for at in sampled(bytes.len()) {
            let mut files = whole.clone();
            files.flip(path, at);
            let Err(failure) = verified(&files) else { panic!("{path}, byte {at}: not found") };
            let place = format!("{path}, byte {at}: {failure} ({:?})", failure.verdict);
            let first = |path: &str| if path.ends_with("/000") { 0 } else { 256 };
            if path.starts_with("tile/entries/") {
                let name = path.split(".p").next().unwrap();
                let index = first(name) + entry_at(bytes, at);
                assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, Some(index)), "{place}");
            } else if path.starts_with("tile/0/") {
                let index = first(path.split(".p").next().unwrap()) + at as u64 / 32;
                assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, Some(index)), "{place}");
            } else if path == "details.jsonl" {
                assert!(failure.index.is_some() || failure.what.contains("details"), "{place}");
                assert_eq!(failure.verdict, Verdict::Tampered, "{place}");
            } else if path == "checkpoint" {
                // Another origin is another log, which the trust file does not name; a larger size asks
                // for files that are not there.
                assert!(matches!(
                    failure.verdict,
                    Verdict::Tampered | Verdict::Unusable | Verdict::Incomplete
                ));
            } else {
                assert_eq!(failure.verdict, Verdict::Tampered, "{place}");
            }
        }
    }
}

#[test]
fn a_file_that_is_cut_off_is_found() {
    let whole = Log::busy(25).export();
    for (path, bytes) in &whole.0 {
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let mut files = whole.clone();
            files.0.get_mut(path).unwrap().truncate(length);
            let outcome = verified(&files);
            // Details may be handed out in part, line by line.
            if path == "details.jsonl" && (length == 0 || bytes[length - 1] == b'\n') {
                outcome.unwrap();
                continue;
            }
            assert_eq!(outcome.unwrap_err().verdict, Verdict::Tampered, "{path} of {length} bytes");
        }
    }
}

#[test]
fn a_file_that_is_missing_is_incomplete_and_the_first_entry_that_needs_it_is_named() {
    let whole = Log::busy(25).export();
    for path in whole.0.keys().filter(|path| *path != "details.jsonl") {
        let mut files = whole.clone();
        files.0.remove(path);
        let failure = verified(&files).unwrap_err();
        assert_eq!(failure.verdict, Verdict::Incomplete, "{path}: {failure}");
        let index = match path.as_str() {
            "checkpoint" => None,
            path if path.starts_with("tile/1/") => None,
            path if path.starts_with("tables/") => Some(6),
            path if path.contains("/000") => Some(0),
            _ => Some(256),
        };
        assert_eq!(failure.index, index, "{path}: {failure}");
    }
}

#[test]
fn the_first_of_several_wrong_entries_is_named() {
    let whole = Log::busy(40).export();
    let bundles: Vec<&String> = whole.0.keys().filter(|path| path.starts_with("tile/entries/")).collect();
    let mut files = whole.clone();
    for path in bundles.iter().rev() {
        files.flip(path, 10);
        let first = match path.split(".p").next().unwrap() {
            "tile/entries/000" => 0,
            "tile/entries/001" => 256,
            _ => 512,
        };
        assert_eq!(verified(&files).unwrap_err().index, Some(first));
    }
    // A file that is missing behind it is the lesser evil.
    let mut files = whole.clone();
    files.0.remove(bundles[1]);
    files.flip(bundles[0], 10);
    let failure = verified(&files).unwrap_err();
    assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, Some(0)));
}

#[test]
fn a_detail_of_another_entry_or_out_of_order_is_found() {
    let log = Log::busy(3);
    let whole = log.export();
    let text = String::from_utf8(whole.0["details.jsonl"].clone()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let with = |lines: &[&str]| {
        let mut files = whole.clone();
        files.put("details.jsonl", lines.concat());
        verified(&files).unwrap_err()
    };
    let failure = with(&[lines[1], lines[0]]);
    assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, Some(0)), "{failure}");
    let failure = with(&[lines[0], lines[0]]);
    assert_eq!((failure.verdict, failure.index), (Verdict::Tampered, Some(0)), "{failure}");
    let moved = lines[1].replace("\"index\":1", "\"index\":2");
    let failure = with(&[lines[0], &moved]);
    assert_found(&failure, Verdict::Tampered, 2, "not the one that it commits to");
    let behind = lines[1].replace("\"index\":1", "\"index\":1000000");
    let failure = with(&[lines[0], &behind]);
    assert_found(&failure, Verdict::Tampered, 1_000_000, "does not have");
    // Entry 4 adds a key and has no detail.
    let put = lines[1].replace("\"index\":1", "\"index\":4");
    let failure = with(&[lines[0], &put]);
    assert_found(&failure, Verdict::Tampered, 4, "has no detail");
}

/// Every file of a log, with what is reported if something is wrong with it.
fn every_kind(log: &Log) -> (Files, Vec<(String, String)>) {
    let mut whole = log.export();
    whole.put("checkpoints/100", head_of(&log.leaves()[..100], &[&key(1)]));
    whole.put("checkpoints/200", head_of(&log.leaves()[..200], &[&key(1)]));
    let paths = whole.0.keys().filter(|path| *path != "checkpoint");
    let told = paths.map(|path| {
        let told = match path.split_once('/') {
            Some(("tile", rest)) if rest.starts_with("1/") => path.clone(),
            Some(("tile", rest)) if rest.contains("/000") => "entry 0: ".into(),
            Some(("tile", _)) => "entry 256: ".into(),
            Some(("tables", _)) => log.table.digest().replace("sha256:", ""),
            Some(_) => path.clone(),
            None => "details".into(),
        };
        (path.clone(), told)
    });
    let told = told.collect();
    (whole, told)
}

type Damage<'d> = &'d dyn Fn(&mut Files, &str);

fn all_told(failure: &Failure) -> Vec<String> {
    [failure].into_iter().chain(&failure.also).map(ToString::to_string).collect()
}

#[test]
fn what_is_wrong_with_one_file_is_told_beside_what_is_wrong_with_any_other() {
    let log = Log::busy(25);
    let (whole, told) = every_kind(&log);
    verified(&whole).unwrap();
    // The first byte: of an entry, it is its length.
    let flipped = |files: &mut Files, path: &str| files.flip(path, 0);
    let emptied = |files: &mut Files, path: &str| files.put(path, "");
    let removed = |files: &mut Files, path: &str| drop(files.0.remove(path));
    let not_text = |files: &mut Files, path: &str| drop(files.0.insert(path.into(), vec![0xff; 7]));
    let damages: [Damage<'_>; 4] = [&flipped, &emptied, &removed, &not_text];
    let pairs = told
        .iter()
        .enumerate()
        .flat_map(|(place, one)| told.iter().skip(place + 1).map(move |other| (one, other)));
    // Every file in every way, and with every other in one of them.
    for (number, ((one, one_told), (other, other_told))) in pairs.enumerate() {
        let number = number % damages.len();
        let mut files = whole.clone();
        damages[number](&mut files, one);
        damages[number](&mut files, other);
        // Details need not be there, nor do older heads; and which hashes belong into a tile above entries that
        // cannot be read, nobody knows.
        let must = |path: &str| match path.split('/').next() {
            Some("details.jsonl") => matches!(number, 0 | 3),
            Some("checkpoints") => number != 2,
            Some("tile") if path.starts_with("tile/1/") => number != 0,
            _ => true,
        };
        let all = match verified(&files) {
            Ok(_) => Vec::new(),
            Err(failure) => all_told(&failure),
        };
        for (path, told) in [(one, one_told), (other, other_told)] {
            let found = all.iter().any(|all| all.contains(told.as_str()));
            assert!(found || !must(path), "{one}, {other}, {number}: {path}: {all:?}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_of_and_so_is_what_is_wrong_with_the_others() {
    let log = Log::busy(25);
    let (mut whole, told) = every_kind(&log);
    whole.put("checkpoints/300", "not a head");
    for (path, told) in told {
        let dir = tempfile::tempdir().unwrap();
        whole.write_to(dir.path());
        std::fs::remove_file(dir.path().join(&path)).unwrap();
        std::fs::create_dir(dir.path().join(&path)).unwrap();
        let directory = crate::audit::source::Directory::open(dir.path()).unwrap();
        let failure = verify(&directory, &trust(), &options()).unwrap_err();
        let all = all_told(&failure);
        assert!(failure.what.contains("checkpoints/300"), "{path}: {failure}");
        assert!(all.iter().any(|all| all.contains(&told)), "{path}: {all:?}");
    }
}
