//! What a reader relies on and no compiler checks: layers, documentation, the table's honesty.

use std::path::{Path, PathBuf};

use crate::harness::files_below;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The source of a module: its file, and the files in the folder of its name.
fn sources(module: &str) -> Vec<(PathBuf, String)> {
    let src = root().join("gateway/src");
    let mut files = vec![src.join(format!("{module}.rs"))];
    files.extend(files_below(&src.join(module)));
    files.retain(|path| {
        let below = path.strip_prefix(&src).unwrap();
        !below.components().any(|part| ["tests.rs", "tests"].contains(&part.as_os_str().to_str().unwrap()))
    });
    files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn leaves_know_neither_http_nor_the_gate_nor_each_other() {
    let allowed: &[(&str, &[&str])] = &[
        ("measure", &[]),
        ("locate", &[]),
        ("vault", &["files"]),
        ("ledger", &[]),
        ("body", &[]),
        ("files", &[]),
        ("listen", &["body", "files"]),
    ];
    for (module, friends) in allowed {
        for (path, text) in sources(module) {
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                let Some(named) = line.split("crate::").nth(1) else { continue };
                let other = named.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
                // Where randomness comes from is everybody's: tests seed it there.
                let everybodys = other == "random";
                let fine = other == *module || everybodys || friends.contains(&other);
                assert!(fine, "{} uses `crate::{other}`: {line}", path.display());
            }
            let http = !["body", "listen"].contains(module)
                && text.lines().any(|line| line.starts_with("use axum") || line.starts_with("use hyper"));
            assert!(!http, "{} knows HTTP", path.display());
        }
    }
}

#[test]
fn every_key_of_the_configuration_is_in_the_manual() {
    let manual = read("gateway/docs/reference/configuration.md");
    let source = read("gateway/src/config.rs");
    let mut section = String::new();
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.split(' ').next()) {
            section = match name {
                "Config" => String::new(),
                other => format!("{}.", other.to_lowercase()),
            };
        }
        let Some(key) =
            line.strip_prefix("    pub ").and_then(|rest| rest.split_once(": ")).map(|pair| pair.0)
        else {
            continue;
        };
        if key.contains(' ') || (["tls", "upload"].contains(&key) && section.is_empty()) {
            continue;
        }
        assert!(manual.contains(&format!("`{section}{key}`")), "the manual does not tell `{section}{key}`");
    }
}

#[test]
fn migrations_of_both_engines_are_in_step() {
    let names = |engine: &str| -> Vec<String> {
        let files = files_below(&root().join("migrations").join(engine));
        let mut names: Vec<String> =
            files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let sqlite = names("sqlite");
    assert_eq!(sqlite, names("postgres"));
    for (n, name) in sqlite.iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", n + 1)) && name.ends_with(".sql"), "{name}");
    }
}

#[test]
fn every_row_of_the_table_cites_something_and_claims_no_review() {
    let table = policy::Table::parse(&read("jurisdictions.toml")).unwrap();
    assert_eq!(table.rows().count(), 122);
    for row in table.rows() {
        assert!(!row.source.citations.is_empty() && !row.source.summary.is_empty(), "{}", row.code);
        assert_eq!(row.source.reviewed, None, "{}: no lawyer has read the table yet", row.code);
    }
    for overlay in table.overlays() {
        assert_eq!(overlay.source.reviewed, None, "{}: no lawyer has read the table yet", overlay.id);
    }
}

#[test]
fn every_key_of_the_table_is_in_its_head() {
    let table = read("jurisdictions.toml");
    let head = table.split("\n[default]").next().unwrap();
    let reader = read("policy/src/table/read.rs");
    let lists = reader.split("_KEYS: &[&str] = &[").skip(1).map(|rest| rest.split("];").next().unwrap());
    let keys: Vec<&str> = lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect();
    assert!(keys.len() > 20);
    for key in keys {
        let told = head.lines().any(|line| {
            line.strip_prefix("#   ")
                .is_some_and(|line| line.starts_with(key) || line.contains(&format!(" {key},")))
        });
        let part = key == "media" && head.contains("#   media.telephone");
        assert!(told || part, "the head of the table does not tell `{key}`");
    }
    let problems = policy::Table::check(&table, "2026-11-30".parse().unwrap()).1;
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn every_event_type_of_the_manual_is_in_the_description_and_back() {
    let manual = read("gateway/docs/reference/events.md");
    let document = consent_gateway::api::openapi::document();
    let types = document.pointer("/components/schemas/EventType/enum").unwrap().as_array().unwrap();
    for event in types {
        assert!(
            manual.contains(&format!("`{}`", event.as_str().unwrap())),
            "the manual does not tell {event}"
        );
    }
}

#[test]
fn every_role_of_the_manual_has_a_row() {
    let manual = read("gateway/docs/reference/http.md");
    for role in consent_gateway::access::Role::ALL {
        assert!(manual.contains(&format!("| `{}` |", role.as_str())), "{}", role.as_str());
    }
}

/// The gate's wings know what all of them share (the gate itself, what is asked, what is answered, what is refused),
/// and of each other only this; so no two of them know each other.
#[test]
fn the_wings_of_the_gate_know_little_of_each_other() {
    let allowed: &[(&str, &[&str])] = &[
        ("call", &["law"]),
        ("custody", &[]),
        ("law", &["people"]),
        ("log", &[]),
        ("notices", &[]),
        ("people", &[]),
    ];
    let is_wing = |name: &str| allowed.iter().any(|(wing, _)| *wing == name);
    for (wing, friends) in allowed {
        for (path, text) in sources(&format!("gate/{wing}")) {
            for line in text.lines() {
                for named in line.split("crate::gate::").skip(1) {
                    let other = named.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
                    let fine = other == *wing || !is_wing(other) || friends.contains(&other);
                    assert!(fine, "{} uses `crate::gate::{other}`: {line}", path.display());
                }
            }
        }
    }
}

/// The decision needs nothing of what only editors of the table need.
#[test]
fn the_decision_needs_no_editor_of_the_table() {
    for path in files_below(&root().join("policy/src/decide")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for editor in ["diff", "table::diff", "table::read", "table::lint", "table::mend"] {
                assert!(
                    !line.contains(&format!("crate::{editor}")),
                    "{} uses {editor}: {line}",
                    path.display()
                );
            }
        }
    }
}
