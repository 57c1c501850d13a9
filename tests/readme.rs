//! What README.md shows is what works: its first commands are run as they stand, against the real program.

use std::path::Path;
use std::process::Command;

use crate::harness::PROGRAM;

/// The shell blocks below a heading.
fn blocks(heading: &str) -> Vec<String> {
    let manual = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_, section) = manual.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// Runs it with a shell in a directory of its own; only the building is left out, and the port is another.
fn run(script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = script.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
    let build =
        script.lines().find(|line| line.starts_with("cargo build")).expect("it is built first").to_owned();
    let script = script.replace(&build, "");
    let begin = "set -euo pipefail; trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n\
                 curl() { command curl -sS --max-time 120 --fail-with-body \"$@\"; }\n";
    let path =
        format!("{}:{}", Path::new(PROGRAM).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("timeout");
    shell.args(["300", "bash", "-c", &format!("{begin}{script}")]).current_dir(dir.path()).env("PATH", path);
    let output = shell.output().unwrap();
    let told =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{told}", output.status);
    told
}

#[test]
fn the_first_commands_work_as_they_stand() {
    let set_up = blocks("Set it up").remove(0);
    let record = blocks("Record a call").remove(0);
    let listen = blocks("Listen, and open").remove(0);
    // Nothing is changed, so nobody can have been asked for anything that stands elsewhere.
    let told = run(&format!("{set_up}\n{record}\n{listen}\ncmp call.wav opened.wav && echo the same audio"));
    assert!(told.contains("the same audio"), "{told}");
    assert!(!told.contains("note: "), "the prompt lacks nothing: {told}");
}

#[test]
fn a_recording_that_ran_on_for_a_moment_is_cut_as_it_is_told() {
    let set_up = blocks("Set it up").remove(0);
    let record = blocks("Record a call");
    let (until_joined, _) = record[0].split_once("# 5.").unwrap();
    let cut = record.iter().find(|block| block.contains("late.wav")).expect("how to cut");
    // Two seconds more than was granted, however long the machine took to grant it, and nothing of the future.
    let late = "sleep 4; lasts=$(( $(date +%s) - $(date -d \"$start\" +%s) - 1 )); \
                ffmpeg -loglevel error -y -f lavfi -i sine=duration=$lasts -ar 8000 late.wav";
    let first = cut.lines().find(|line| line.contains("refused.json")).unwrap();
    let cut = cut.replace(first, &first.replace("curl ", "command curl -sS "));
    let told = run(&format!("{set_up}\n{until_joined}\n{late}\n{cut}\ncat refused.json"));
    assert!(told.contains("\"offset_ms\"") && told.contains("\"duration_ms\""), "{told}");
}
