//! What a legal team reads, word by word: tables with one mistake each, pairs of tables, places.
//!
//! With `GOLDEN_REWRITE` set in the environment the expected texts are written anew, to be read before
//! they are committed.

use std::path::{Path, PathBuf};
use std::process::Command;

use policy::{Severity, Table};

use crate::harness::PROGRAM;

/// The day on which every table is looked at.
const TODAY: &str = "2026-11-20";

#[test]
fn every_mistake_is_told_in_the_words_that_are_expected() {
    let dir = folder("check");
    let told = tables(&dir).into_iter().map(|table| {
        let file = table.file_name().unwrap().to_str().unwrap().to_owned();
        (table.with_extension("txt"), output(&dir, &["table", "check", &file, "--today", TODAY]))
    });
    compare(told);
}

#[test]
fn what_a_table_changes_is_told_in_the_words_that_are_expected() {
    let dir = folder("diff");
    let told = tables(&dir).into_iter().filter(|table| !table.to_str().unwrap().ends_with(".old.toml")).map(
        |table| {
            let new = table.file_name().unwrap().to_str().unwrap().to_owned();
            let own = new.replace(".toml", ".old.toml");
            let old = if dir.join(&own).exists() { own } else { "base.toml".to_owned() };
            (table.with_extension("txt"), output(&dir, &["table", "diff", &old, &new]))
        },
    );
    compare(told);
}

#[test]
fn places_and_prompts_are_told_in_the_words_that_are_expected() {
    let dir = folder("show");
    let told = files(&dir, "txt").into_iter().map(|file| {
        let text = std::fs::read_to_string(&file).unwrap();
        let asked = text.lines().next().unwrap();
        // Every second piece stands between quotation marks.
        let pieces = asked.trim_start_matches("$ ").split('"').enumerate();
        let args: Vec<&str> = pieces
            .flat_map(|(index, piece)| match index % 2 {
                0 => piece.split_whitespace().collect(),
                _ => vec![piece],
            })
            .collect();
        (file, format!("{asked}\n{}", output(&dir, &args)))
    });
    compare(told);
}

#[test]
fn every_mistake_says_what_to_do() {
    let dir = folder("check");
    for table in tables(&dir) {
        let text = std::fs::read_to_string(&table).unwrap();
        let (usable, problems) = Table::check(&text, TODAY.parse().unwrap());
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        assert_eq!(usable.is_some(), errors == 0, "{}", table.display());
        for problem in problems {
            let hint = problem.hint.as_deref().unwrap_or_default();
            assert!(!hint.is_empty(), "{}: {problem}", table.display());
            for jargon in ["TOML", "expected", "parse", "token", "float", "array", "invalid"] {
                assert!(!problem.to_string().contains(jargon), "{}: {problem}", table.display());
            }
        }
    }
}

#[test]
fn whatever_is_lost_of_a_table_it_is_read_to_its_end_and_never_used_by_mistake() {
    let text = std::fs::read_to_string(folder("show").join("table.toml")).unwrap();
    let today = TODAY.parse().unwrap();
    let whole = Table::parse(&text).unwrap();
    let without = |from: usize, to: usize| format!("{}{}", &text[..from], &text[to..]);
    let places: Vec<(usize, char)> = text.char_indices().collect();
    for (at, c) in places.iter().step_by(3) {
        for changed in [without(*at, at + c.len_utf8()), text[..*at].to_owned()] {
            let (table, problems) = Table::check(&changed, today);
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
            assert_eq!(table.is_some(), errors == 0, "{at}");
            assert!(problems.iter().all(|problem| problem.line <= changed.lines().count() + 1), "{at}");
        }
    }
    // What a word processor does to quotation marks and blanks is told, wherever it stands.
    for (at, c) in places.iter().filter(|(_, c)| matches!(c, '"' | ' ')) {
        let instead = if *c == '"' { '”' } else { '\u{a0}' };
        let changed = format!("{}{instead}{}", &text[..*at], &text[at + 1..]);
        let (table, problems) = Table::check(&changed, today);
        let same_meaning = table.is_some_and(|table| {
            policy::Diff::between(&whole, &table).changes.iter().all(|change| !change.direction.loosens())
        });
        let told = problems.iter().any(|problem| problem.severity == Severity::Error);
        assert!(told || same_meaning, "{at}");
    }
}

#[test]
fn a_file_that_is_no_plain_text_is_told_as_what_to_save_it() {
    let dir = tempfile::tempdir().unwrap();
    let utf_16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    for (bytes, told) in [
        (utf_16("[default]\n"), "it is saved as UTF-16 (\"Unicode\"); save it as UTF-8"),
        (b"PK\x03\x04 and more".to_vec(), "it is a document of a word processor"),
        (b"{\\rtf1 and more".to_vec(), "it is a document of a word processor"),
        (b"# one\n# \xa7 201 StGB\n".to_vec(), "line 2 holds a letter that is not UTF-8"),
    ] {
        std::fs::write(dir.path().join("table.toml"), bytes).unwrap();
        let output = output(dir.path(), &["table", "check", "table.toml", "--today", TODAY]);
        assert!(output.contains("`table.toml` cannot be read") && output.contains(told), "{output}");
    }
}

/// What the program prints, errors included, and its exit code where it is not 0.
fn output(dir: &Path, args: &[&str]) -> String {
    let data = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .arg("--data")
        .arg(data.path().join("data"))
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    match output.status.code().unwrap() {
        0 => text,
        code => format!("{text}(exit code {code})\n"),
    }
}

#[track_caller]
fn compare(told: impl Iterator<Item = (PathBuf, String)>) {
    let rewrite = std::env::var_os("GOLDEN_REWRITE").is_some();
    let mut wrong = Vec::new();
    for (file, told) in told {
        if rewrite {
            std::fs::write(&file, &told).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if expected != told {
            wrong.push(format!("{}\nexpected:\n{expected}told:\n{told}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{} are told otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

fn tables(dir: &Path) -> Vec<PathBuf> {
    let found = files(dir, "toml");
    assert!(!found.is_empty(), "{}", dir.display());
    found
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        all.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    found.sort();
    found
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/messages").join(name)
}
