//! What is handed out of one call: proof packs and consent in other people's formats, before the program
//! that checks them and before attackers.

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::harness::{Gateway, run, wav};

/// A call with everything on it, and its recording.
async fn recorded(gateway: &Gateway, call: &str) -> String {
    gateway.open(call, "US-CA").await;
    gateway.prompt(call, &["caller", "agent"]).await;
    gateway.control(call, "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(3_000);
    gateway.control(call, "stop").await.expect(200);
    let stored = gateway.upload(call, "main", Some(from), &wav(2_000)).await.expect(201);
    gateway.event(call, &json!({"type": "call.ended"})).await.expect(201);
    stored["id"].as_str().unwrap().to_owned()
}

fn trust(gateway: &Gateway) -> PathBuf {
    let path = gateway.dir.path().join("trust");
    let (code, told, err) = gateway.run(&["audit", "key", "acme"]);
    assert_eq!(code, 0, "{err}");
    std::fs::write(&path, told).unwrap();
    path
}

fn verify(gateway: &Gateway, pack: &[u8], more: &[&str]) -> (i32, Value) {
    let path = gateway.dir.path().join("pack.zip");
    std::fs::write(&path, pack).unwrap();
    let trust = trust(gateway);
    let args = ["audit", "verify", path.to_str().unwrap(), "--trust", trust.to_str().unwrap(), "--json"];
    let (code, out, err) = run(&[&args, more].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}")))
}

/// The files of an archive, in order.
fn files(pack: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = ZipArchive::new(Cursor::new(pack)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut file = zip.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_pack_of_a_recording_is_checked_without_the_gateway_and_whatever_is_changed_is_found() {
    let gateway = Gateway::start().await;
    recorded(&gateway, "before").await;
    let id = recorded(&gateway, "c").await;
    let pack = gateway.auditor.get(&format!("/v1/recordings/{id}/proof")).await;
    assert_eq!(
        (pack.status, &pack.headers["content-type"]),
        (200, &"application/zip".parse().unwrap()),
        "{}",
        pack.text()
    );
    let media = gateway.dir.path().join("media");
    let sealed = gateway.listener.get(&format!("/v1/recordings/{id}/media?purpose=quality")).await;
    std::fs::write(&media, &sealed.body).unwrap();
    let (code, told) = verify(&gateway, &pack.body, &["--media", media.to_str().unwrap()]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(
        (&told["report"]["recording"], &told["report"]["media"]),
        (&json!(id), &json!(true)),
        "{told}"
    );
    // Of two recordings of one call, what became of the other is no part of it.
    let from = gateway.now();
    gateway.open("two", "US-CA").await;
    gateway.prompt("two", &["caller", "agent"]).await;
    gateway.control("two", "start").await.expect(200);
    gateway.advance_ms(3_000);
    let one = gateway.upload("two", "one", Some(from), &wav(1_000)).await.expect(201);
    let later = from + jiff::SignedDuration::from_secs(1);
    let other = gateway.upload("two", "other", Some(later), &wav(1_000)).await.expect(201);
    let (one, other) = (one["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    let path = format!("/v1/recordings/{other}/media?purpose=quality");
    assert_eq!(gateway.listener.get(&path).await.status, 200);
    for id in [one, other] {
        let pack = gateway.auditor.get(&format!("/v1/recordings/{id}/proof")).await;
        let (code, told) = verify(&gateway, &pack.body, &[]);
        assert_eq!(code, 0, "{told}");
    }
    // What does not go with a pack is refused, and not passed over.
    let newer = gateway.dir.path().join("newer");
    gateway.open("later", "DE").await;
    std::fs::write(&newer, gateway.auditor.get("/v1/log/acme/checkpoint").await.body).unwrap();
    for (option, path) in [("--since", "newer"), ("--since", "nothing"), ("--media", "nothing")] {
        let path = gateway.dir.path().join(path);
        let (code, told) = verify(&gateway, &pack.body, &[option, path.to_str().unwrap()]);
        assert_eq!((code, &told["verdict"]), (2, &json!("unusable")), "{option}: {told}");
    }
    // Other media are not those that were accepted.
    std::fs::write(&media, b"something else").unwrap();
    assert_eq!(verify(&gateway, &pack.body, &["--media", media.to_str().unwrap()]).0, 1);
    let whole = files(&pack.body);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        // The entry commits to the envelope without its wrapped keys, which a rotation wraps anew.
        let name = b"\"sha256\"";
        let middle = match whole[at].0 == "envelope.json" {
            true => whole[at].1.windows(name.len()).position(|found| found == name).unwrap() + name.len() + 3,
            false => changed[at].1.len() / 2,
        };
        changed[at].1[middle] ^= 1;
        let (code, told) = verify(&gateway, &archive(&changed), &[]);
        assert!(code == 1 || code == 2 || code == 3, "{} flipped: {told}", whole[at].0);
    }
    let mut without = whole.clone();
    without.retain(|(name, _)| !name.starts_with("tables/"));
    assert_eq!(verify(&gateway, &archive(&without), &[]).0, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_call_has_no_recording_is_proven_and_not_where_it_has_one() {
    let gateway = Gateway::start().await;
    gateway.open("none", "DE").await;
    gateway.control("none", "start").await.problem(403, "consent-required");
    gateway.event("none", &json!({"type": "call.ended"})).await.expect(201);
    let id = recorded(&gateway, "c").await;
    let pack = gateway.auditor.get("/v1/calls/none/proof?of=no-recording").await;
    assert_eq!(pack.status, 200, "{}", pack.text());
    let (code, told) = verify(&gateway, &pack.body, &[]);
    assert_eq!((code, &told["report"]["call_id"]), (0, &json!("none")), "{told}");
    gateway.auditor.get("/v1/calls/c/proof?of=no-recording").await.problem(409, "recording-exists");
    gateway.admin.delete(&format!("/v1/recordings/{id}")).await.expect(204);
    gateway.auditor.get("/v1/calls/c/proof?of=no-recording").await.problem(409, "recording-exists");
    // What was deleted can be proven all the same.
    let pack = gateway.auditor.get(&format!("/v1/recordings/{id}/proof")).await;
    let (code, told) = verify(&gateway, &pack.body, &[]);
    assert_eq!(code, 0, "{told}");
    let pack = gateway.auditor.get("/v1/calls/c/proof").await;
    assert_eq!(verify(&gateway, &pack.body, &[]).0, 0);
    for (path, code) in
        [("/v1/calls/nobody/proof", "unknown-call"), ("/v1/recordings/nobody/proof", "not-found")]
    {
        gateway.auditor.get(path).await.problem(404, code);
    }
    assert_eq!(gateway.recorder.get("/v1/calls/c/proof").await.status, 403);
    assert_eq!(gateway.listener.get(&format!("/v1/recordings/{id}/proof")).await.status, 403);
}

/// The program that proves does not sign: what was accepted just now stands behind the last signed head.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_signed_head_covers_is_refused_until_one_does_and_every_pack_that_is_made_is_good() {
    let gateway = Gateway::start().await;
    recorded(&gateway, "before").await;
    assert_eq!(gateway.auditor.get("/v1/log/acme/checkpoint").await.status, 200);
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(3_000);
    assert_eq!(gateway.auditor.get("/v1/log/acme/checkpoint").await.status, 200);
    // From here on nothing can be signed.
    let in_the_way = gateway.dir.path().join(format!("data.pins/acme.new-{}", std::process::id()));
    std::fs::create_dir(&in_the_way).unwrap();
    let stored = gateway.upload("c", "main", Some(from), &wav(2_000)).await.expect(201);
    gateway.open("later", "DE").await;
    let id = stored["id"].as_str().unwrap();
    let subjects = [("--recording", id), ("--call", "c"), ("--no-recording", "later"), ("--call", "later")];
    let prove = |(option, of): (&str, &str)| {
        let out = gateway.dir.path().join("out.zip");
        let (code, _, told) =
            gateway.run(&["audit", "prove", "acme", option, of, "--out", out.to_str().unwrap()]);
        let pack = std::fs::read(&out).ok();
        let _ = std::fs::remove_file(&out);
        (code, told, pack)
    };
    let entries = gateway.rows("acme").await.len();
    for subject in subjects {
        let (code, told, pack) = prove(subject);
        let says = format!(
            "no signed head of the current epoch covers the {} `{}`",
            match subject.0 {
                "--recording" => "recording",
                _ => "call",
            },
            subject.1
        );
        assert!(code == 1 && told.contains(&says), "{subject:?}: {told}");
        assert!(pack.is_none(), "{subject:?}");
    }
    assert_eq!(gateway.rows("acme").await.len(), entries, "nothing was handed out");
    for form in [&["audit", "vcon", "acme", "c"][..], &["audit", "consent-record", "acme", "c"]] {
        let (code, _, told) = gateway.run(form);
        assert!(code == 1 && told.contains("no signed head of the current epoch covers"), "{told}");
    }
    std::fs::remove_dir(&in_the_way).unwrap();
    // At once: whoever asks waits for the next signature.
    for subject in subjects {
        let (code, told, pack) = prove(subject);
        assert_eq!(code, 0, "{subject:?}: {told}");
        let (code, told) = verify(&gateway, &pack.unwrap(), &[]);
        assert_eq!(code, 0, "{subject:?}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_ever_meant_a_recorded_call_has_a_recording() {
    let gateway = Gateway::start().await;
    let started = gateway.now().checked_sub(jiff::SignedDuration::from_secs(10)).unwrap();
    let opened = |alias: &str| {
        json!({
            "medium": "telephone", "started_at": started, "purposes": ["quality"], "aliases": [alias],
            "participants": [
                {"id": "caller", "role": "customer", "location": "US-CA", "languages": ["en"]},
                {"id": "agent", "role": "agent", "location": "US-CA", "languages": ["en"]},
            ],
        })
    };
    let end = json!({"type": "call.ended"});
    gateway.recorder.put("/v1/calls/c-0", &opened("leg-1")).await.expect(201);
    gateway.prompt("leg-1", &["caller", "agent"]).await;
    gateway.control("leg-1", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(3_000);
    gateway.upload("leg-1", "main", Some(from), &wav(2_000)).await.expect(201);
    gateway.event("leg-1", &end).await.expect(201);
    gateway.recorder.put("/v1/calls/leg-1", &opened("leg-2")).await.expect(201);
    gateway.event("leg-1", &end).await.expect(201);
    // By a second alias of the call whose id was an alias of the one that was recorded, too.
    for name in ["c-0", "leg-1", "leg-2"] {
        let path = format!("/v1/calls/{name}/proof?of=no-recording");
        gateway.auditor.get(&path).await.problem(409, "recording-exists");
    }
    gateway.recorder.put("/v1/calls/c-9", &opened("leg-9")).await.expect(201);
    gateway.event("c-9", &end).await.expect(201);
    let pack = gateway.auditor.get("/v1/calls/leg-9/proof?of=no-recording").await;
    let (code, told) = verify(&gateway, &pack.body, &[]);
    assert_eq!((code, &told["report"]["call_id"]), (0, &json!("leg-9")), "{told}");
    gateway.auditor.get("/v1/calls/none/proof?of=no-recording").await.problem(404, "unknown-call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consent_is_handed_out_as_a_signed_vcon_and_as_consent_records_that_other_programs_take() {
    let keys = tempfile::tempdir().unwrap();
    let (certificate, key) = (keys.path().join("cert.pem"), keys.path().join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            "/CN=exports.example.com",
        ])
        .args(["-keyout", key.to_str().unwrap(), "-out", certificate.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = format!(
        "public_url = \"https://gateway.example.com\"\n[controller.acme]\nname = \"Acme Example Ltd.\"\naddress = \"1 Example Street\"\n\
         contact = \"privacy@example.com\"\nprivacy_notice = \"https://example.com/privacy\"\nstorage_locations = [\"US\"]\n\
         withdrawal = \"https://example.com/withdraw\"\n[vcon_signing]\ncertificate = {certificate:?}\nkey = {key:?}\n"
    );
    let file = keys.path().join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    let gateway = Gateway::with(Config::read(&file).unwrap(), AccountSettings::default()).await;
    recorded_with_numbers(&gateway).await;
    let mut written = Vec::new();
    for (name, path) in [
        ("plain.json", "/v1/calls/c/vcon"),
        ("signed.json", "/v1/calls/c/vcon?signed=true"),
        ("record.jsonld", "/v1/calls/c/consent-record"),
    ] {
        let answer = gateway.auditor.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let file = gateway.dir.path().join(name);
        std::fs::write(&file, &answer.body).unwrap();
        written.push(file);
    }
    let python = std::env::var("GATEWAY_TEST_PYTHON")
        .expect("run the tests with tests/run: it sets GATEWAY_TEST_PYTHON");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let checked = Command::new(python)
        .arg(tests.join("interop/exports.py"))
        .arg("--schema")
        .arg(tests.join("golden/vcon.schema.json"))
        .arg("--certificate")
        .arg(&certificate)
        .args(&written)
        .output()
        .unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(checked.status.success(), "{}{}", told(&checked.stdout), told(&checked.stderr));
    let exported = gateway.auditor.get("/v1/consents?limit=1000").await.expect(200);
    let forms: Vec<&str> = exported["consents"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["entry"]["body"]["exported"]["form"].as_str())
        .collect();
    assert_eq!(forms, ["vcon", "vcon", "iso-27560"]);
}

async fn recorded_with_numbers(gateway: &Gateway) {
    let body = json!({
        "medium": "telephone", "purposes": ["quality"],
        "participants": [
            {"id": "caller", "role": "customer", "number": "+14155550100", "location": "US-CA", "languages": ["en"]},
            {"id": "agent", "role": "agent", "number": "+12125550101", "location": "US-NY", "languages": ["en"]},
        ],
    });
    gateway.recorder.put("/v1/calls/c", &body).await.expect(201);
    gateway.advance_ms(4_000);
    gateway.prompt("c", &["caller", "agent"]).await;
    gateway.control("c", "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(3_000);
    gateway.event("c", &json!({"type": "call.ended"})).await.expect(201);
    gateway.upload("c", "main", Some(from), &wav(2_000)).await.expect(201);
}
