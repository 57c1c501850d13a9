//! What the manual shows is what works. Every block of shell is run as it stands, against the real programs; every
//! other block is read by what reads it; and what stands in a reference is what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use consent_gateway::config::Config;
use consent_gateway::gate::ask::{Observed, OpenCall};
use serde_json::Value;
use trail::note::Note;
use trail::trust::Trust;

use crate::harness::{PROGRAM, files_below};
use crate::postgres::Place;

const FRONT_PAGE: &str = "README.md";
const DOCS: &str = "gateway/docs";
/// The reader's own server in the manual.
const THEIR_SERVER: &str = "postgres://gateway@db.example.com/consent";

/// Blocks that show commands and cannot be run here, by how they begin.
const NOT_RUN: &[(&str, &str)] = &[
    ("$ tests/run", "it runs these tests"),
    ("$ consent-gateway credential add acme --role recorder --name \"the app\" --twilio", "it needs Twilio"),
    ("$ consent-gateway audit export acme.1", "an epoch has to have ended: that takes a month at least"),
];

#[test]
fn the_front_page() {
    let told = run(&[FRONT_PAGE], true);
    assert!(told.contains("byte for byte what was uploaded"), "the demo: {told}");
    assert!(told.contains("\"duration_ms\": 3000"), "{told}");
    // It counts in the places of the example, and lacks something in others.
    assert_eq!(told.matches("note: in ").count(), told.matches("note: ").count(), "{told}");
}

#[test]
fn the_integrators_guide() {
    let told = run(&[FRONT_PAGE, "gateway/docs/integrator.md"], false);
    assert!(told.contains("\"offset_ms\"") && told.contains("\"duration_ms\""), "what is to be cut: {told}");
    assert!(told.contains("[\"pause-for-card-data\"]"), "{told}");
    assert!(!told.contains("invalid-event") && !told.contains("\"code\":\"uncovered-audio\""), "{told}");
}

#[test]
fn kazoos_guide() {
    let told = run(&[FRONT_PAGE, "gateway/docs/kazoo.md"], false);
    assert!(told.contains("https://gw.example.com/kazoo/acme?token=***"), "{told}");
    assert!(told.contains("[true,false,true]"), "{told}");
    assert!(told.contains("[\"play\",\"collect_dtmf\",\"pivot\",\"user\"]"), "the prompt: {told}");
    assert!(told.contains("\n\"play\"\n[\"record_call\",\"start\"]"), "too early, and then yes: {told}");
    assert!(told.contains("[\"permitted\",\"running\",\"consented\"]"), "{told}");
    assert!(told.contains("{\"message\":\"not_acceptable\",\"media\":\"/v1/recordings/"), "{told}");
}

#[test]
fn the_auditors_guide() {
    let told = run(&[FRONT_PAGE, "gateway/docs/auditor.md"], false);
    assert!(told.contains("the call c-2 has no recording in the log up to there"), "{told}");
}

#[test]
fn the_provisioners_guide() {
    let told = run(&[FRONT_PAGE, "gateway/docs/provisioning.md"], false);
    assert!(told.contains("true\nfalse\n"), "a secret is shown once: {told}");
    assert!(told.contains("[\"signing_secret\",\"url\"]\n[\"url\"]"), "{told}");
    assert!(told.contains("[\"tenant-1\",null]"), "{told}");
}

#[test]
fn counsels_guide() {
    let told = run(&[FRONT_PAGE, "gateway/docs/counsel.md"], false);
    assert!(told.contains("it loosens something: exit code 3"), "{told}");
    assert!(told.contains("something would be looser\n\"blocked\"\n\"permitted\"\n"), "{told}");
    assert!(told.contains("approved by Eli Counsel") && told.contains("\"remnants\":\"none\""), "{told}");
}

#[tokio::test]
async fn the_operators_guide() {
    let place = Place::new().await;
    let told = run_with(&[FRONT_PAGE, "gateway/docs/operator.md"], false, &[(THEIR_SERVER, &place.url)]);
    assert!(told.contains("continues as") && told.contains("old-checkpoint"), "what was restored: {told}");
}

#[test]
fn the_references() {
    let told = run(
        &[
            FRONT_PAGE,
            "gateway/docs/reference/http.md",
            "gateway/docs/reference/sealed-format.md",
            "gateway/docs/reference/store-format.md",
            "gateway/docs/reference/log-format.md",
        ],
        false,
    );
    assert!(told.contains("bytes of audio/wav are in opened.wav"), "{told}");
    assert!(told.contains("has the root"), "{told}");
}

#[test]
fn every_block_is_run_or_read() {
    let mut run_here: Vec<PathBuf> =
        ["integrator.md", "kazoo.md", "auditor.md", "counsel.md", "operator.md", "provisioning.md"]
            .into_iter()
            .chain([
                "reference/http.md",
                "reference/sealed-format.md",
                "reference/store-format.md",
                "reference/log-format.md",
            ])
            .map(|name| root().join(DOCS).join(name))
            .collect();
    run_here.push(root().join(FRONT_PAGE));
    let mut not_run = BTreeSet::new();
    for path in pages() {
        for block in blocks(&path) {
            let place = format!("{}: {}", path.display(), block.text);
            match block.language.as_str() {
                "sh" => assert!(run_here.contains(&path), "it is not run: {place}"),
                "json" => read_json(&block.text, &place),
                "toml" => read_configuration(&block.text),
                "console" => {
                    let known = NOT_RUN.iter().find(|(begins, _)| block.text.starts_with(begins));
                    not_run.insert(known.unwrap_or_else(|| panic!("why is it not run? {place}")).0);
                }
                "text" => assert!(
                    !block.text.contains("consent-gateway ") || block.text.contains("[Unit]"),
                    "{place}"
                ),
                "mermaid" | "sql" => {}
                // They are run beside what they are to open.
                "python" | "js" | "java" | "bash" if path.ends_with("opening.md") => {}
                other => panic!("what reads `{other}`? {place}"),
            }
        }
    }
    assert_eq!(not_run.len(), NOT_RUN.len(), "{not_run:?}");
}

fn read_json(text: &str, place: &str) {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {place}"));
    if value.get("medium").is_some() {
        serde_json::from_value::<OpenCall>(value).unwrap_or_else(|error| panic!("{error}: {place}"));
    } else if value.get("format").is_some() {
        serde_json::from_value::<seal::Envelope>(value).unwrap_or_else(|error| panic!("{error}: {place}"));
    } else if value.get("data").is_some() {
        assert!(value["type"].is_string() && value["timestamp"].is_string(), "{place}");
    } else if value.get("code").is_none() {
        serde_json::from_value::<Observed>(value).unwrap_or_else(|error| panic!("{error}: {place}"));
    }
}

fn read_configuration(text: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let config = Config::read(file.path()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    config.check().unwrap_or_else(|error| panic!("{error}\n{text}"));
}

/// The examples of a head and of a trust file are of one log.
#[test]
fn the_signed_head_that_is_shown_is_signed() {
    let blocks = blocks(&root().join(DOCS).join("reference/log-format.md"));
    let find = |what: &str| blocks.iter().find(|block| block.text.contains(what)).expect(what).text.clone();
    let trust = Trust::parse(&find("quorum none")).unwrap();
    let accepted = trust.check(&Note::parse(&find("\n\n— ")).unwrap()).unwrap();
    assert_eq!(accepted.checkpoint.size, 20);
}

#[test]
fn every_operation_is_in_its_reference() {
    let mut table = String::from("| operation | does | roles |\n|---|---|---|\n");
    let document = consent_gateway::api::openapi::document();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Some(summary) = operation["summary"].as_str() else { continue };
            let roles = operation["x-roles"].as_array().into_iter().flatten();
            let roles: Vec<String> = roles.map(|role| format!("`{}`", role.as_str().unwrap())).collect();
            let roles = if roles.is_empty() { "anybody".to_owned() } else { roles.join(", ") };
            table.push_str(&format!("| `{} {path}` | {summary} | {roles} |\n", method.to_uppercase()));
        }
    }
    let page = read("gateway/docs/reference/http.md");
    let shown = page.split("<!-- operations: generated -->\n").nth(1).unwrap();
    assert_eq!(
        shown.split("<!-- end -->").next().unwrap(),
        table,
        "write into it what is generated:\n{table}"
    );
}

#[test]
fn every_type_of_entry_is_in_the_format_of_the_log() {
    let page = read("gateway/docs/reference/log-format.md");
    for word in trail::KINDS.iter().copied().chain(trail::RESERVED.iter().map(|reserved| reserved.word)) {
        assert!(page.contains(&format!("`{word}`")), "`{word}` is not in it");
    }
}

#[test]
fn every_problem_is_in_its_reference() {
    let page = read("gateway/docs/reference/problems.md");
    let rows: BTreeMap<&str, Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(code, rest)| (code, rest.split(" | ").collect()))
        .collect();
    let codes: Vec<_> = consent_gateway::api::all_codes().collect();
    for code in &codes {
        let row = rows.get(code.code).unwrap_or_else(|| panic!("`{}` is not in it", code.code));
        let statuses: Vec<String> = code.statuses.iter().map(ToString::to_string).collect();
        assert_eq!(row[0], statuses.join(", "), "the status of `{}`", code.code);
        let members: Vec<String> = code.members.iter().map(|member| format!("`{member}`")).collect();
        if !members.is_empty() {
            assert_eq!(row[1], members.join(", "), "the members of `{}`", code.code);
        }
    }
    assert_eq!(rows.len(), codes.len(), "a code of the reference does not exist");
}

/// Every command, with each of its options on the same line.
#[test]
fn every_command_is_in_its_reference() {
    let page = read("gateway/docs/reference/commands.md");
    let (gateways, auditors) = page.split_once("\n## `consent-verify`\n").unwrap();
    assert!(commands(Path::new(PROGRAM), gateways, &[]) > 30);
    assert_eq!(commands(&beside("consent-verify"), auditors, &["json"]), 6);
}

/// Looks for every command of a program, and counts them.
fn commands(program: &Path, reference: &str, not_here: &[&str]) -> usize {
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let output = Command::new(program).args(&path).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        // In one list, or in groups.
        let before = help.split("\nOptions").next().unwrap().lines();
        let names = before.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        let names: Vec<&str> = names.filter(|name| name.starts_with(char::is_lowercase)).collect();
        if !names.is_empty() {
            for name in names.into_iter().filter(|name| *name != "help") {
                open.push(path.iter().cloned().chain([name.to_owned()]).collect());
            }
            continue;
        }
        let name = path.join(" ");
        let shown = |line: &&str| line.contains(&format!("`{name}`")) || line.contains(&format!("`{name} "));
        let line = reference.lines().find(shown).unwrap_or_else(|| panic!("`{name}` is not in it"));
        let own = help.split("\nOptions of every command:\n").next().unwrap();
        for option in own.lines().filter_map(|line| line.trim_start().strip_prefix("--")) {
            let option = option.split([' ', '=']).next().unwrap();
            let fine = not_here.contains(&option) || line.contains(&format!("--{option}"));
            assert!(fine, "`{name}` has `--{option}`: {line}");
        }
        seen += 1;
    }
    seen
}

/// A program that is built with ours.
fn beside(name: &str) -> PathBuf {
    let path = Path::new(PROGRAM).with_file_name(name);
    assert!(path.exists(), "build it first: `cargo build --workspace`");
    path
}

/// Links between pages lead somewhere, down to the heading.
#[test]
fn every_link_leads_somewhere() {
    let mut all = pages();
    all.push(root().join("gateway/ARCHITECTURE.md"));
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains("::") || link.contains(' ') {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: `{link}` leads nowhere", path.display());
            let found = heading.is_empty() || headings(&target).contains(heading);
            assert!(found, "{}: `{link}` leads to no heading", path.display());
        }
    }
}

/// The headings of a page, as code hosts make links of them.
fn headings(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let titles =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    titles
        .map(|title| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn the_front_page_is_short() {
    assert!(read(FRONT_PAGE).lines().count() <= 150);
}

fn run(pages: &[&str], with_cargo: bool) -> String {
    run_with(pages, with_cargo, &[])
}

/// Runs the blocks of shell of these pages, in order, in one shell and a directory of its own. Only ports and what is
/// `instead` of something of the reader's are others, and nothing is built; `cargo run` is the program itself, if it is
/// asked for.
fn run_with(pages: &[&str], with_cargo: bool, instead: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut script = String::from(
        "set -euo pipefail; trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n\
         cargo() { :; }\n\
         # What fails ends the script, unless the reader is to see the status.\n\
         curl() { case \" $* \" in *' -w '*) ;; *) set -- --fail-with-body \"$@\" ;; esac\n\
                  command curl -sS --max-time 120 \"$@\"; }\n",
    );
    if with_cargo {
        script.push_str(
            "cargo() { while [ $# -gt 0 ] && [ \"$1\" != -- ]; do shift; done; [ $# -eq 0 ] || consent-gateway \"${@:2}\"; }\n",
        );
    }
    for page in pages {
        for block in blocks(&root().join(page)).into_iter().filter(|block| block.language == "sh") {
            script.push_str(&block.text);
        }
    }
    // Both are held until both are known, so that they differ.
    let ports = ["8080", "8443"].map(|port| (port, TcpListener::bind("127.0.0.1:0").unwrap()));
    for (port, free) in &ports {
        let free = free.local_addr().unwrap().to_string();
        script = script.replace(&format!("127.0.0.1:{port}"), &free);
    }
    drop(ports);
    for (theirs, ours) in instead {
        script = script.replace(theirs, ours);
    }
    let verifier = beside("consent-verify");
    let programs = verifier.parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("timeout");
    shell
        .args(["300", "bash", "-c", &script])
        .current_dir(dir.path())
        .env("PATH", path)
        .env("TMPDIR", dir.path());
    let output = shell.output().unwrap();
    let told =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{told}", output.status);
    told
}

/// A block between fences.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
}

pub(crate) fn blocks(path: &Path) -> Vec<Block> {
    let page = std::fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some(Block { language: language.into(), text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block does not end", path.display());
    blocks
}

/// The pages of the manual.
fn pages() -> Vec<PathBuf> {
    let mut pages = files_below(&root().join(DOCS));
    pages.push(root().join(FRONT_PAGE));
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    assert!(pages.len() > 10);
    pages
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}
