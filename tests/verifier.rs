//! `consent-verify`, the program of those who do not build the gateway: an export answers what the ledger answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Gateway, PROGRAM, wav};

/// What it prints, and its exit code.
fn verifier(args: &[&str]) -> (i32, String, String) {
    let program = Path::new(PROGRAM).with_file_name("consent-verify");
    assert!(program.exists(), "`cargo build --workspace` makes it");
    let output = Command::new(program).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn said(args: &[&str]) -> String {
    let (code, out, err) = verifier(args);
    assert_eq!(code, 0, "{args:?}: {out}{err}");
    out
}

struct Taken {
    gateway: Gateway,
    export: PathBuf,
    trust: PathBuf,
    recording: String,
}

impl Taken {
    fn at(&self, name: &str) -> String {
        self.gateway.dir.path().join(name).to_str().unwrap().to_owned()
    }
}

/// A log with a recording that was deleted, a call that was refused, and a colleague who objected; taken along.
async fn taken(name: &str) -> Taken {
    let gateway = Gateway::start().await;
    gateway.open("kept", "US-CA").await;
    gateway.prompt("kept", &["caller", "agent"]).await;
    gateway.control("kept", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(3_000);
    gateway.control("kept", "stop").await.expect(200);
    let stored = gateway.upload("kept", "main", Some(from), &wav(2_000)).await.expect(201);
    let recording = stored["id"].as_str().unwrap().to_owned();
    gateway.event("kept", &json!({"type": "call.ended"})).await.expect(201);
    gateway.admin.delete(&format!("/v1/recordings/{recording}")).await.expect(204);
    gateway.open("refused", "DE").await;
    gateway.prompt("refused", &["caller", "agent"]).await;
    let declined = json!({"type": "consent.declined", "participants": ["caller"]});
    gateway.event("refused", &declined).await.expect(201);
    gateway.control("refused", "start").await.expect(403);
    gateway.event("refused", &json!({"type": "call.ended"})).await.expect(201);
    assert_eq!(gateway.auditor.get("/v1/log/acme/checkpoint").await.status, 200);
    let export = gateway.dir.path().join(name);
    let trust = gateway.dir.path().join("trust");
    let (code, told, err) = gateway.run(&["audit", "key", "acme"]);
    assert_eq!(code, 0, "{err}");
    std::fs::write(&trust, told).unwrap();
    let (code, _, err) =
        gateway.run(&["audit", "export", "acme", "--out", export.to_str().unwrap(), "--details"]);
    assert_eq!(code, 0, "{err}");
    Taken { gateway, export, trust, recording }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_answers_word_for_word_what_the_ledger_answers() {
    let taken = taken("export.zip").await;
    let (export, trust) = (taken.export.to_str().unwrap(), taken.trust.to_str().unwrap());
    let entries = said(&["verify", export, "--trust", trust, "--json"]);
    let size = serde_json::from_str::<Value>(&entries).unwrap()["report"]["size"].as_u64().unwrap();
    let questions: [&[&str]; 14] = [
        &["--call", "kept"],
        &["--call", "refused"],
        &["--participant", "caller"],
        &["--participant", "caller", "--outcome", "declined"],
        &["--place", "US-CA"],
        &["--place", "US"],
        &["--rule", "DE"],
        &["--prompt", "en"],
        &["--prompt", "en@1", "--type", "prompt.completed"],
        &["--outcome", "deleted"],
        &["--outcome", "consented,declined"],
        &["--recording", &taken.recording],
        &["--recording", &taken.recording, "--outcome", "deleted"],
        &["--until", "2020-01-01"],
    ];
    let mut answered = 0;
    for question in questions {
        for form in ["jsonl", "csv"] {
            let (code, ledger, err) =
                taken.gateway.run(&[&["audit", "find", "acme", "--format", form], question].concat());
            assert_eq!(code, 0, "{question:?}: {err}");
            let told = said(&[&["find", export, "--trust", trust, "--format", form], question].concat());
            if form == "jsonl" {
                let lines = |text: &str| -> Vec<Value> {
                    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
                    // What was logged since, the questions themselves, is not in the export.
                    let known = all.filter(|line| line["index"].as_u64().unwrap() < size);
                    known
                        .map(|line| json!([line["index"], line["entry"], line["detail"], line["call"]]))
                        .collect()
                };
                assert_eq!(lines(&told), lines(&ledger), "{question:?}");
                answered += lines(&told).len();
            } else {
                let known = |line: &&str| {
                    line.split(',')
                        .nth(1)
                        .and_then(|index| index.parse().ok())
                        .is_none_or(|index: u64| index < size)
                };
                let ledger: Vec<&str> = ledger.lines().filter(known).collect();
                assert_eq!(told.lines().collect::<Vec<_>>(), ledger, "{question:?}");
            }
        }
    }
    assert!(answered > 60, "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_made_from_an_export_and_verifies() {
    let taken = taken("export").await;
    let (export, trust) = (taken.export.to_str().unwrap(), taken.trust.to_str().unwrap());
    for (name, subject) in [
        ("call.zip", ["--call", "kept"]),
        ("recording.zip", ["--recording", &taken.recording]),
        ("absence.zip", ["--no-recording", "refused"]),
    ] {
        let (pack, page) = (taken.at(name), taken.at(&format!("{name}.html")));
        said(&[&["prove", export, "--trust", trust, "--out", &pack], &subject[..]].concat());
        let told = said(&["verify", &pack, "--trust", trust, "--page", &page]);
        assert!(told.starts_with("good: "), "{told}");
        assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!doctype html>"));
        // The gateway's own program says the same of it, and does not overwrite it.
        let (code, theirs, err) = taken.gateway.run(&["audit", "verify", &pack, "--trust", trust]);
        assert_eq!((code, theirs.as_str()), (0, told.as_str()), "{err}");
        let (code, _, err) = verifier(&[&["prove", export, "--out", &pack], &subject[..]].concat());
        assert!(code == 1 && err.contains("is not overwritten"), "{err}");
    }
    let (code, told, _) =
        verifier(&["prove", export, "--no-recording", "kept", "--out", &taken.at("lie.zip")]);
    assert!(code == 2 && told.contains(&taken.recording), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_explained_from_an_export() {
    let taken = taken("export").await;
    let export = taken.export.to_str().unwrap();
    let (code, told, note) = verifier(&["explain", export, "refused"]);
    assert_eq!(code, 0, "{told}{note}");
    for words in [
        "call refused",
        "caller, customer: Germany (DE), as the platform declared; said no",
        "caller said no.",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(note.contains("was not verified"), "{note}");
    let (code, theirs, _) = taken.gateway.run(&["explain", export, "refused"]);
    assert_eq!((code, theirs), (0, told));
    let (code, _, err) = verifier(&["explain", export, "nobody"]);
    assert!(code == 1 && err.contains("no call of this export"), "{err}");
    // What was changed is not told.
    let bundle = taken.export.join("tile/entries/000.p");
    let bundle = std::fs::read_dir(&bundle).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&bundle).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let trust = taken.trust.to_str().unwrap();
    let (code, told, _) = verifier(&["explain", export, "refused", "--trust", trust]);
    assert!(code == 1 && told.contains("tampered"), "{code}: {told}");
}
