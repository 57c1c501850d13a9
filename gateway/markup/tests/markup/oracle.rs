//! Other readers of markup, with rules of their own, written down again and simpler: what captures for them?

use std::io::Write as _;
use std::process::{Command, Stdio};

use quick_xml::events::{BytesStart, Event};

/// What captures in a document as `quick-xml` reads it; `None` if nothing does, or it can't be read up to there.
pub(crate) fn captures(bytes: &[u8]) -> Option<String> {
    let text = match bytes {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, ..] | [_, 0, ..] => utf16(bytes),
        bytes => match std::str::from_utf8(bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
            Err(_) => bytes.iter().copied().map(char::from).collect(),
        },
    };
    // Space of XML 1.1, which quick-xml leaves as it is.
    let text = text.replace(['\u{85}', '\u{2028}'], " ");
    let mut reader = quick_xml::Reader::from_str(&text);
    reader.config_mut().allow_dangling_amp = true;
    let mut above: Vec<String> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                if let Some(found) = in_tag(&tag, above.last()) {
                    return Some(found);
                }
                above.push(String::from_utf8_lossy(tag.name().as_ref()).into_owned());
            }
            Ok(Event::Empty(tag)) => {
                if let Some(found) = in_tag(&tag, above.last()) {
                    return Some(found);
                }
            }
            Ok(Event::End(_)) => drop(above.pop()),
            Ok(Event::DocType(text)) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                let comments =
                    text.split("<!--").skip(1).map(|part| part.split("-->").next().unwrap_or_default());
                let declared = comments.fold(text.clone(), |text, comment| text.replace(comment, ""));
                let external = ["SYSTEM", "PUBLIC"]
                    .iter()
                    .any(|word| declared.split('[').next().is_some_and(|head| head.contains(word)));
                if external || ["<!ENTITY", "<!ATTLIST", "%"].iter().any(|word| declared.contains(word)) {
                    return Some(text);
                }
            }
            Ok(Event::Eof) | Err(_) => return None,
            Ok(
                Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::GeneralRef(_),
            ) => {}
        }
    }
}

fn in_tag(tag: &BytesStart<'_>, above: Option<&String>) -> Option<String> {
    let whole = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
    let name = plain(&whole);
    let stopped = above.is_some_and(|above| above == "Stop")
        && ["Recording", "Stream", "Siprec", "Transcription"].contains(&whole.as_str());
    let parent = above.map(|above| plain(above)).unwrap_or_default();
    let begun =
        parent == "start" || (parent == "connect" && !["Room", "Conversation"].contains(&whole.as_str()));
    let words = [
        "record",
        "transcri",
        "stream",
        "siprec",
        "conversationrelay",
        "virtualagent",
        "aisession",
        "assistant",
        "autopilot",
        "include",
    ];
    if !stopped && (begun || words.iter().any(|word| name.contains(word))) {
        return Some(whole);
    }
    for attribute in tag.attributes().with_checks(false) {
        let Ok(attribute) = attribute else { break };
        let raw = String::from_utf8_lossy(&attribute.value).into_owned();
        let value = quick_xml::escape::unescape(&raw).map(|value| value.into_owned()).unwrap_or(raw);
        let name = plain(&String::from_utf8_lossy(attribute.key.as_ref()));
        let off = value == "false" || value == "do-not-record";
        let captures = match name.as_str() {
            "input" => value != "dtmf",
            "recordingstatuscallback"
            | "recordingstatuscallbackevent"
            | "recordingstatuscallbackmethod"
            | "recordingtrack"
            | "recordingchannels"
            | "transcriptionengine"
            | "transcriptionlanguage"
            | "transcriptionprovider" => false,
            "intelligenceservice" | "sentimentanalysis" | "conversationconfiguration" | "conversationid" => {
                !off
            }
            name if name.contains("record") || name.contains("transcri") || name.contains("intelligence") => {
                !off
            }
            name if name.contains("sentiment") => !off,
            _ => false,
        };
        if captures {
            return Some(format!("{whole} {name}={value}"));
        }
    }
    None
}

fn plain(name: &str) -> String {
    let local = name.rsplit(':').next().unwrap_or_default().replace('ſ', "s").replace('\u{212a}', "k");
    local.replace(['ı', 'İ'], "i").to_lowercase()
}

/// As UTF-16, in the order that a mark or the first character shows; without the mark.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let big = matches!(bytes, [0xfe, 0xff, ..] | [0, ..]);
    let unit = |pair: &[u8]| {
        let pair = [pair[0], pair[1]];
        if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    };
    let units: Vec<u16> = bytes.chunks_exact(2).map(unit).collect();
    String::from_utf16_lossy(&units).trim_start_matches('\u{feff}').to_owned()
}

/// Fails if a reader of Python's (expat, libxml2 strict, libxml2 as it repairs) finds a capture.
pub(crate) fn assert_that_python_sees_none(documents: &[(String, Vec<u8>)]) {
    for (reader, seen) in seen_by_python(documents).unwrap_or_default() {
        assert!(seen.is_empty(), "{reader} sees captures in {seen:?}");
    }
}

/// The names of the documents in which readers of Python's find a capture, by reader; `None` where there is no Python.
pub(crate) fn seen_by_python(documents: &[(String, Vec<u8>)]) -> Option<Vec<(String, Vec<String>)>> {
    let Some(python) = std::env::var_os("GATEWAY_TEST_PYTHON") else {
        eprintln!("skipped: Python's readers (tests/run sets GATEWAY_TEST_PYTHON)");
        return None;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/markup/readers.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python");
    let mut input = child.stdin.take().unwrap();
    let lines: String = documents
        .iter()
        .map(|(_, bytes)| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n")
        .collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let readers = text.lines().map(|line| {
        let (reader, verdicts) = line.split_once(' ').unwrap();
        assert_eq!(verdicts.len(), documents.len(), "{reader}");
        let seen = verdicts.chars().zip(documents).filter(|(verdict, _)| *verdict == '1');
        (reader.to_owned(), seen.map(|(_, (name, _))| name.clone()).collect())
    });
    Some(readers.collect())
}
