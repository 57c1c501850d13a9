//! Exports before other people's programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{rsa_pair, stories};
use crate::export::{dpv, jws, vcon};

/// Whether PyPI's `vcon` permits recording to caller, agent and operator, and to all together, in each story.
const PERMITTED: &[(&str, [bool; 4])] = &[
    ("consented", [true, true, false, true]),
    ("stayed", [false, true, false, true]),
    ("stated", [true, true, false, true]),
    ("declined", [false, true, false, false]),
    ("withdrawn", [false, true, false, false]),
    ("refused", [false, true, false, false]),
    ("retried", [true, true, false, true]),
    ("one-party", [false, true, false, true]),
    ("deleted", [false, true, false, true]),
    ("erased", [true, true, false, true]),
    ("unconfigured", [false, true, false, true]),
];

#[test]
fn other_people_s_programs_read_the_exports_and_refuse_them_when_altered() {
    let Some(gate) = Gate::new() else { return };
    let signer = jws::Signer::from_pem(gate.certificate.as_bytes(), gate.key.as_bytes()).unwrap();
    let mut files = Vec::new();
    for (name, tape) in stories() {
        let record = tape.record();
        let vcon = vcon::vcon(&record).unwrap();
        files.push(gate.write(&format!("{name}.signed.json"), &signer.sign(&vcon).unwrap()));
        files.push(gate.write(&format!("{name}.vcon.json"), &vcon));
        if record.extras.controller.is_some() {
            let records = dpv::consent_records(&record).unwrap();
            files.push(gate.write(&format!("{name}.jsonld"), &records));
        }
    }
    let (fine, told, problems) = gate.check(&files);
    assert!(fine, "{problems}");
    assert_eq!(told.len(), files.len());
    for (name, expected) in PERMITTED {
        for form in ["unsigned", "signed"] {
            let is = |one: &&Value| {
                one["form"] == form && one["file"].as_str().unwrap().contains(&format!("/{name}."))
            };
            let found = told.iter().find(is).unwrap();
            assert_eq!(
                ["0", "1", "2", "all"].map(|party| found["recording"][party] == true),
                *expected,
                "{name}"
            );
            // It wants to know where the log is served.
            assert_eq!(found["processed"], true, "{name}");
        }
    }

    let vcon = vcon::vcon(&stories().remove(0).1.record()).unwrap();
    let records = dpv::consent_records(&stories().remove(0).1.record()).unwrap();
    let altered = |of: &Value, pointer: &str, value: Value| {
        let mut altered = of.clone();
        *altered.pointer_mut(pointer).unwrap() = value;
        altered
    };
    let mut signed = signer.sign(&vcon).unwrap();
    let other = signer.sign(&altered(&vcon, "/dialog/0/duration", json!(1.0))).unwrap();
    signed["payload"] = other["payload"].clone();
    let wrong = [
        ("payload", signed, "does not verify"),
        ("uuid", altered(&vcon, "/uuid", json!("0198c0de")), "uuid"),
        ("version", altered(&vcon, "/vcon", json!("0.3.0")), "0.4.0"),
        ("url", altered(&vcon, "/dialog/0/url", json!("http://gateway.example.com/")), "https"),
        ("hash", altered(&vcon, "/dialog/0/content_hash", json!("sha512-AAAA")), "content_hash"),
        ("type", altered(&vcon, "/dialog/0/type", json!("audio")), "type"),
        ("party", altered(&vcon, "/attachments/0/party", json!(9)), "no such party"),
        ("basis", altered(&vcon, "/attachments/0/body/lawful_basis", json!("whim")), "whim"),
        (
            "leaf",
            altered(&vcon, "/attachments/0/body/proof_mechanisms/0/proof_data/log_index", json!(99)),
            "another index",
        ),
        ("profile", altered(&records, "/@graph/0/dct:conformsTo/@id", json!("urn:x")), "another profile"),
        (
            "term",
            altered(&records, "/@graph/0/dpv:hasConsentStatus/0/@type", json!(["dpv:Consented"])),
            "vocabulary",
        ),
        ("address", altered(&records, "/@graph/0/dpv:hasEntity/0/dpv:hasAddress", json!("")), "address"),
        ("context", altered(&records, "/@context", json!("https://w3id.org/dpv")), "remote context"),
    ];
    for (name, document, problem) in wrong {
        let (fine, _, problems) = gate.check(&[gate.write(name, &document)]);
        assert!(!fine && problems.contains(problem), "{name}: {problems}");
    }
}

/// `tests/interop/exports.py`, where there is a Python to run it.
struct Gate {
    python: String,
    dir: tempfile::TempDir,
    certificate: String,
    key: String,
}

impl Gate {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn new() -> Option<Gate> {
        let Ok(python) = std::env::var("GATEWAY_TEST_PYTHON") else {
            eprintln!("skipped: GATEWAY_TEST_PYTHON is unset; tests/run sets it");
            return None;
        };
        let (certificate, key, _) = rsa_pair();
        let gate = Gate { python, dir: tempfile::tempdir().unwrap(), certificate, key };
        std::fs::write(gate.dir.path().join("certificate.pem"), &gate.certificate).unwrap();
        Some(gate)
    }

    fn write(&self, name: &str, document: &Value) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path
    }

    fn check(&self, files: &[PathBuf]) -> (bool, Vec<Value>, String) {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        let output = Command::new(&self.python)
            .arg(tests.join("interop/exports.py"))
            .arg("--schema")
            .arg(tests.join("golden/vcon.schema.json"))
            .arg("--certificate")
            .arg(self.dir.path().join("certificate.pem"))
            .args(files)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let told = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.success(), told, String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
