//! Documents of `tests/corpus`, each with what captures in it and what is left of it.
//!
//! A file holds cases. A case is a line `## name`, with ` | encoding` where it is not UTF-8, the document, and what is
//! expected: sections that begin with `-> `. With `GOLDEN_REWRITE` set in the environment these are written anew, to be
//! read before they are committed. In the encoding `raw`, `\xNN`, `\r` and `\n` stand for bytes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use markup::{Document, Limit, Use, Uses, strip};

use crate::{oracle, refused};

pub(crate) struct Case {
    name: String,
    encoding: Option<String>,
    document: String,
    expected: String,
}

#[test]
fn documents_capture_and_are_stripped_as_the_corpus_says() {
    let rewrite = std::env::var_os("GOLDEN_REWRITE").is_some();
    let mut seen = 0;
    for path in files() {
        let mut text = String::new();
        for case in cases(&path) {
            let found = case.outcome();
            let encoding =
                case.encoding.as_ref().map(|encoding| format!(" | {encoding}")).unwrap_or_default();
            write!(text, "## {}{encoding}\n{}{found}", case.name, case.document).unwrap();
            if !rewrite {
                assert_eq!(found, case.expected, "{}: {}", path.display(), case.name);
            }
            seen += 1;
        }
        if rewrite {
            std::fs::write(&path, text).unwrap();
        }
    }
    assert!(seen >= 180, "{seen} documents");
}

#[test]
fn nothing_that_comes_out_captures_for_another_reader() {
    let mut outputs = Vec::new();
    for (name, bytes) in documents() {
        let stripped = strip(&bytes, Limit::Answer, None, Uses::NONE, &refused());
        assert_eq!(oracle::captures(&stripped.document), None, "{name}");
        outputs.push((name, stripped.document.into_owned()));
    }
    oracle::assert_that_python_sees_none(&outputs);
}

/// A judge that never convicts is none.
#[test]
fn the_other_readers_see_what_captures_in_what_comes_in() {
    let captures = |bytes: &[u8]| {
        Document::read(bytes, Limit::Answer, None).is_ok_and(|document| !document.captures().is_empty())
    };
    let inputs: Vec<_> = documents().into_iter().filter(|(_, bytes)| captures(bytes)).collect();
    let seen = inputs.iter().filter(|(_, bytes)| oracle::captures(bytes).is_some()).count();
    assert_eq!(seen, inputs.len(), "of documents that capture");
    let Some(seen) = oracle::seen_by_python(&inputs) else { return };
    for (reader, seen) in seen {
        // No reader reads all of them; each has to read most.
        assert!(seen.len() * 5 > inputs.len() * 4, "{reader} sees {} of {}", seen.len(), inputs.len());
    }
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        let text = self.document.strip_suffix('\n').unwrap_or(&self.document);
        match self.encoding.as_deref() {
            None => text.into(),
            Some("utf-8-mark") => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            Some("utf-16le") => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Some("utf-16be") => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Some("utf-16le-mark") => {
                format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            Some("utf-16be-mark") => {
                format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect()
            }
            Some("latin1") => text.chars().map(|c| u8::try_from(c).unwrap()).collect(),
            Some("raw") => unescaped(text),
            Some(other) => panic!("{}: {other}", self.name),
        }
    }

    fn outcome(&self) -> String {
        let bytes = self.bytes();
        let show = |out: &Cow<'_, [u8]>| match out {
            Cow::Borrowed(same) => {
                assert_eq!(*same, bytes, "{}", self.name);
                "(as it is)".to_owned()
            }
            Cow::Owned(out) => self.shown(out),
        };
        let mut outcome = String::new();
        let none = strip(&bytes, Limit::Answer, None, Uses::NONE, &refused());
        let section = |outcome: &mut String, name: &str, text: &str| {
            write!(
                outcome,
                "-> {name}\n{}{}",
                text,
                if text.ends_with('\n') || text.is_empty() { "" } else { "\n" }
            )
            .unwrap();
        };
        if let Some(error) = none.unread {
            section(&mut outcome, "unread", &error.to_string());
        }
        let document = Document::read(&bytes, Limit::Answer, None);
        if let Ok(document) = &document {
            let mut captures = String::new();
            for capture in document.captures() {
                let attribute = capture.attribute.map(|name| format!(" {name}")).unwrap_or_default();
                let found = self.shown(&bytes[capture.range.clone()]).replace('\n', "⏎");
                writeln!(captures, "{} {}{attribute}: {found}", capture.r#use.as_str(), capture.verb)
                    .unwrap();
            }
            section(&mut outcome, "captures", &captures);
        }
        let stripped = show(&none.document);
        section(&mut outcome, "nothing permitted", &stripped);
        for permitted in Use::ALL {
            let only = strip(&bytes, Limit::Answer, None, Uses::NONE.and(permitted), &refused());
            let only = show(&only.document);
            if only != stripped {
                section(&mut outcome, &format!("{} permitted", permitted.as_str()), &only);
            }
        }
        let all = strip(&bytes, Limit::Answer, None, Uses::ALL, &refused());
        assert_eq!(show(&all.document), "(as it is)", "{}", self.name);
        if let Ok(document) = &document
            && !document.links().is_empty()
        {
            let mut links = String::new();
            for link in document.links() {
                let place = link.attribute.unwrap_or("(text)");
                writeln!(links, "{} {} {place}: {}", link.method.as_str(), link.verb.name(), link.url)
                    .unwrap();
            }
            section(&mut outcome, "links", &links);
        }
        outcome
    }

    /// Bytes of the case as they are written in the corpus; the documents that are put in their place are in US-ASCII.
    fn shown(&self, bytes: &[u8]) -> String {
        let ours = bytes == refused().document();
        match self.encoding.as_deref() {
            _ if ours => String::from_utf8(bytes.into()).unwrap(),
            Some("raw") => escaped(bytes),
            Some("latin1") => bytes.iter().copied().map(char::from).collect(),
            Some("utf-16be" | "utf-16be-mark" | "utf-16le" | "utf-16le-mark") => oracle::utf16(bytes),
            _ => String::from_utf8(bytes.into()).unwrap().trim_start_matches('\u{feff}').to_owned(),
        }
    }
}

/// Every document of the corpus with its name.
pub(crate) fn documents() -> Vec<(String, Vec<u8>)> {
    let of = |path: PathBuf| {
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        cases(&path).into_iter().map(move |case| (format!("{file}: {}", case.name), case.bytes()))
    };
    files().into_iter().flat_map(of).collect()
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

fn cases(path: &Path) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in std::fs::read_to_string(path).unwrap().split_inclusive('\n') {
        if let Some(title) = line.strip_prefix("## ") {
            let title = title.trim_end();
            let (name, encoding) =
                title.split_once(" | ").map_or((title, None), |(name, encoding)| (name, Some(encoding)));
            cases.push(Case {
                name: name.to_owned(),
                encoding: encoding.map(str::to_owned),
                document: String::new(),
                expected: String::new(),
            });
            continue;
        }
        let case = cases.last_mut().expect("a case");
        let expected = !case.expected.is_empty() || line.starts_with("-> ");
        if expected { case.expected.push_str(line) } else { case.document.push_str(line) }
    }
    cases
}

fn escaped(bytes: &[u8]) -> String {
    let each = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte).to_string(),
        b'\r' => "\\r".to_owned(),
        b'\n' => "\\n".to_owned(),
        other => format!("\\x{other:02X}"),
    };
    bytes.iter().map(each).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let length = match &escape[..1] {
            "r" => (bytes.push(b'\r'), 1).1,
            "n" => (bytes.push(b'\n'), 1).1,
            _ => (bytes.push(u8::from_str_radix(&escape[1..3], 16).unwrap()), 3).1,
        };
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
