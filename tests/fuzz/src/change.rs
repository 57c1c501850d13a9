//! Changes to files and bytes that the fuzzer's input chooses. What it runs out of is no change.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use libfuzzer_sys::arbitrary::{Result, Unstructured};

/// The files of an archive.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Changes one file, or which files there are.
pub fn files(files: &mut Files, by: &mut Unstructured<'_>) -> Result<()> {
    let names: Vec<String> = files.keys().cloned().collect();
    let (path, other) = (by.choose(&names)?.clone(), by.choose(&names)?.clone());
    match by.int_in_range(0..=15)? {
        0 => drop(files.remove(&path)),
        1 => {
            let copied = files.get(&other).cloned().unwrap_or_default();
            files.insert(path, copied);
        }
        2 => {
            let moved = files.remove(&path).unwrap_or_default();
            let mut name = path.into_bytes();
            bytes(&mut name, by)?;
            files.insert(String::from_utf8_lossy(&name).into_owned(), moved);
        }
        3 => {
            let name = (*by.choose(NAMES)?).to_owned();
            let copied = files.get(&path).cloned().unwrap_or_default();
            files.insert(name, copied);
        }
        4 => {
            let (one, two) = (files.remove(&path), files.remove(&other));
            files.extend(two.map(|bytes| (path, bytes)));
            files.extend(one.map(|bytes| (other, bytes)));
        }
        _ => bytes(files.entry(path).or_default(), by)?,
    }
    Ok(())
}

/// Changes a few bytes.
pub fn bytes(bytes: &mut Vec<u8>, by: &mut Unstructured<'_>) -> Result<()> {
    let at = by.int_in_range(0..=bytes.len())?;
    let until = bytes.len().min(at.saturating_add(usize::from(by.arbitrary::<u8>()?)));
    match by.int_in_range(0..=9)? {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= by.arbitrary::<u8>()?.max(1);
            }
        }
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..until)),
        4 => {
            let again = bytes.get(at..until).unwrap_or_default().to_vec();
            bytes.splice(at..at, again);
        }
        5 => {
            let length = by.int_in_range(1..=8)?;
            let new = by.bytes(length)?.to_vec();
            bytes.splice(at..at, new);
        }
        _ => word(bytes, by)?,
    }
    Ok(())
}

/// Puts another word in the place of one: another one of the same text, or one that is seldom seen.
pub fn word(bytes: &mut Vec<u8>, by: &mut Unstructured<'_>) -> Result<()> {
    let words = words(bytes);
    if words.is_empty() {
        return Ok(());
    }
    let place = by.choose(&words)?.clone();
    let new = if by.arbitrary()? {
        bytes.get(by.choose(&words)?.clone()).unwrap_or_default().to_vec()
    } else {
        by.choose(WORDS)?.as_bytes().to_vec()
    };
    bytes.splice(place, new);
    Ok(())
}

/// Where the strings, numbers and words of a JSON document, or of any other text, are.
fn words(text: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at + 1..).unwrap_or_default();
        let length = match byte {
            b'"' => 1 + rest.iter().position(|byte| *byte == b'"').map_or(rest.len(), |end| end + 1),
            byte if is_of_word(*byte) => 1 + rest.iter().take_while(|byte| is_of_word(**byte)).count(),
            _ => {
                at += 1;
                continue;
            }
        };
        words.push(at..at + length);
        at += length;
    }
    words
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'/' | b'=' | b'.' | b'_')
}

/// A zip file of these files, compressed as quickly as can be: others than deflated ones are not read.
pub fn zipped(files: &Files) -> Option<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let quickly = zip::write::SimpleFileOptions::default().compression_level(Some(1));
    for (path, bytes) in files {
        zip.start_file(path.as_str(), quickly).ok()?;
        zip.write_all(bytes).ok()?;
    }
    Some(zip.finish().ok()?.into_inner())
}

const NAMES: &[&str] = &[
    "details/0.json",
    "entries/18446744073709551615.json",
    "proofs/0.tlog-proof",
    "tables/0000000000000000000000000000000000000000000000000000000000000000.toml",
    "prompts/00000000-0000-0000-0000-000000000000.json",
    "envelope.json",
    "index.html",
    "log/before",
    "log/entries/0",
    "log/entries/1",
    "checkpoints/1",
    "checkpoints/",
    "details.jsonl",
    "tile/0/000",
    "tile/1/000.p/1",
    "tile/entries/001.p/1",
    "../checkpoint",
];

const WORDS: &[&str] = &[
    "0",
    "1",
    "-1",
    "256",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "1e400",
    "0.5",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "\"-009999-01-02T01:59:59.000Z\"",
    "\"9999-12-30T22:00:00.999Z\"",
    "\"1970-01-01T00:00:00.000Z\"",
    "\"2026-11-20T10:00:00.0001Z\"",
    "\"00000000-0000-0000-0000-000000000000\"",
    "\"ended\"",
    "\"gap\"",
    "\"tone_started\"",
    "\"recording_started\"",
    "\"recording_paused\"",
    "\"silence\"",
    "\"machine\"",
    "\"DE\"",
    "\"US\"",
    "\"voicemail\"",
    "\"emergency\"",
    "\"unknown\"",
    "\"works_agreement\"",
];
