//! How an account's recordings are sealed: `tink`, or as Twilio encrypts.

use bytes::Bytes;
use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use consent_gateway::vault::Kind;
use seal::{Format, MESSAGE_BYTES};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trail::Actor;

use crate::harness::{Gateway, kept_in, wav, wav_of};

async fn as_twilio() -> Gateway {
    let settings = AccountSettings { format: Format::RsaAes, ..AccountSettings::default() };
    Gateway::with(Config::default(), settings).await
}

/// Another public key of the customer, as PEM, with its id.
fn another_key() -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let made = seal::keygen(dir.path()).unwrap().public_key;
    (made.to_pem().to_owned(), made.fingerprint().to_owned())
}

/// The types of the newest entries of the log, oldest first, each with its body.
async fn newest(gateway: &Gateway, count: usize) -> Vec<(String, Value)> {
    let rows = gateway.rows("acme").await;
    let leaf = |leaf: &[u8]| serde_json::from_slice::<Value>(leaf).unwrap();
    let rows = rows[rows.len() - count..].iter().map(|row| leaf(&row.leaf));
    rows.map(|leaf| (leaf["type"].as_str().unwrap().to_owned(), leaf["body"].clone())).collect()
}

/// The log is what a verifier takes.
async fn verified(gateway: &Gateway) {
    gateway.auditor.get("/v1/log/acme/checkpoint").await;
    let (code, told, error) = gateway.run(&["audit", "verify", "acme"]);
    assert_eq!(code, 0, "{told}{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recordings_sealed_as_twilio_does_are_kept_served_proven_taken_out_and_deleted() {
    let gateway = as_twilio().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(20_000);
    // One for a pack, and one for a file of its own.
    let large = wav_of(48_000, &vec![500; 48_000 * 12]);
    for (name, audio) in [("small", &wav(1000)), ("large", &large)] {
        let more = if name == "small" { 0 } else { 2 };
        let from = from.checked_add(jiff::SignedDuration::from_secs(more)).unwrap();
        let stored = gateway.upload("c", name, Some(from), audio).await.expect(201);
        let id = stored["id"].as_str().unwrap();
        let envelope = &stored["envelope"];
        assert_eq!((&envelope["format"], &envelope["type"]), (&json!("rsa-aes"), &json!("rsa-aes")));
        assert_eq!(envelope["bytes"], audio.len() + 16);
        assert!(envelope.get("keys").is_none() && envelope.get("associated_data").is_none(), "{envelope}");
        let (_, body) = newest(&gateway, 1).await.remove(0);
        assert_eq!(body["accepted"]["format"], "rsa-aes");
        assert_eq!(body["accepted"]["keys"], json!([envelope["public_key_sid"]]));
        // The same upload again is the same recording.
        assert_eq!(gateway.upload("c", name, Some(from), audio).await.expect(200)["id"], id);

        assert!(gateway.fetch_and_open(id).await == *audio, "{name}");
        let media = format!("/v1/recordings/{id}/media?purpose=quality");
        let whole = gateway.listener.get(&media).await.body;
        let mut parts = Vec::new();
        for range in ["bytes=0-9", "bytes=10-999", "bytes=1000-"] {
            let part = gateway.listener.send("GET", &media, &[("range", range)], Bytes::new()).await;
            assert_eq!(part.status, 206);
            parts.extend(part.body);
        }
        assert!(parts == whole, "{name}");

        let (data, out) = (gateway.data(), gateway.dir.path().join("extracted"));
        let data = data.to_str().unwrap();
        let (code, _, error) = crate::harness::run(&[
            "store",
            "extract",
            data,
            "--recording",
            id,
            "--out",
            out.to_str().unwrap(),
        ]);
        assert_eq!(code, 0, "{error}");
        let of = |extension: &str| out.join(format!("{id}.{extension}")).to_str().unwrap().to_owned();
        let private = gateway.dir.path().join("acme/private.pem");
        let opened = ["--key", private.to_str().unwrap(), "--account", "acme", "--recording", id];
        for (to, file) in [(of("wav"), true), ("-".to_owned(), false)] {
            let (sealed, json) = (of("sealed"), of("json"));
            let args = [&["open", &sealed, "--envelope", &json, "--out", &to], &opened[..]].concat();
            let output = std::process::Command::new(crate::harness::PROGRAM).args(args).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let came_out = if file { std::fs::read(&to).unwrap() } else { output.stdout };
            assert!(came_out == *audio, "{name} {to}");
        }

        gateway.advance_ms(2_000);
        let pack = gateway.auditor.get(&format!("/v1/recordings/{id}/proof")).await;
        assert_eq!(pack.status, 200, "{}", pack.text());
        let file = gateway.dir.path().join(format!("{name}.zip"));
        std::fs::write(&file, &pack.body).unwrap();
        let (code, trust, error) = gateway.run(&["audit", "key", "acme"]);
        assert_eq!(code, 0, "{error}");
        let trusted = gateway.dir.path().join("trust");
        std::fs::write(&trusted, trust).unwrap();
        let (file, trusted) = (file.to_str().unwrap(), trusted.to_str().unwrap());
        let args = ["audit", "verify", file, "--trust", trusted, "--media", &of("sealed")];
        let (code, told, error) = crate::harness::run(&args);
        assert_eq!(code, 0, "{told}{error}");

        let own = |kind| {
            let of = |kept: &crate::harness::Kept| {
                kept.kind == Some(kind) && kept.id.is_some_and(|kept| kept.to_string() == id)
            };
            kept_in(&gateway.data()).into_iter().find(of)
        };
        let wrapped = envelope["encrypted_cek"].as_str().unwrap();
        gateway.admin.delete(&format!("/v1/recordings/{id}")).await.expect(204);
        assert!(own(Kind::Media).is_none() && own(Kind::Envelope).is_none());
        for file in crate::harness::files_below(&gateway.data().join("media")) {
            let bytes = std::fs::read(&file).unwrap();
            for gone in [wrapped.as_bytes(), &whole[..64], &whole[whole.len() - 64..]] {
                assert!(!bytes.windows(gone.len()).any(|part| part == gone), "{}", file.display());
            }
        }
    }
    verified(&gateway).await;
}

#[tokio::test]
async fn the_most_that_a_recording_may_have_is_said_before_it_is_made() {
    let gateway = as_twilio().await;
    let opened = gateway.open("c", "US-CA").await;
    assert_eq!(opened["max_bytes"], MESSAGE_BYTES);
    gateway.prompt("c", &["caller", "agent"]).await;
    assert_eq!(gateway.control("c", "start").await.expect(200)["max_bytes"], MESSAGE_BYTES);
    assert_eq!(gateway.recorder.get("/v1/calls/c/decision").await.expect(200)["max_bytes"], 67_108_864);
    gateway.gate().set_format(&Actor::command_line(), "acme", Format::Tink).await.unwrap();
    assert!(gateway.recorder.get("/v1/calls/c/decision").await.expect(200).get("max_bytes").is_none());
}

/// Eight thousand samples a second of silence, as many bytes in all.
fn silence(bytes: usize) -> Vec<u8> {
    wav_of(8000, &vec![0; (bytes - 44) / 2])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_64_mebibytes_are_refused_and_nothing_is_kept() {
    let gateway = as_twilio().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(4_300_000);
    let most = usize::try_from(MESSAGE_BYTES).unwrap();
    let larger = silence(most + 2);
    // Announced, it is refused unread.
    let refused = gateway.upload("c", "a", Some(from), &larger).await.problem(413, "body-too-large");
    let told = refused["detail"].as_str().unwrap();
    assert!(told.contains("`rsa-aes`") && told.contains("67108864"), "{told}");
    assert_eq!(gateway.stored_files(), 0);
    // Not announced, when it is too much.
    let mut stream = TcpStream::connect(gateway.recorder.address).await.unwrap();
    let authorization = gateway.recorder.authorization.as_deref().unwrap();
    let head = format!(
        "PUT /v1/calls/c/recordings/a HTTP/1.1\r\nHost: gateway\r\nAuthorization: {authorization}\r\n\
         Recording-Start: {from}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n",
        larger.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&larger).await.unwrap();
    stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body-too-large"), "{answer}");
    assert_eq!(gateway.stored_files(), 0);
    // What is uncovered is refused as such, however large it is; what fits is taken.
    gateway.open("d", "US-CA").await;
    gateway.upload("d", "a", None, &larger).await.problem(403, "consent-required");
    let fits = silence(most);
    let stored = gateway.upload("c", "a", Some(from), &fits).await.expect(201);
    assert!(gateway.fetch_and_open(stored["id"].as_str().unwrap()).await == fits);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_in_one_format_is_the_same_recording_after_a_switch() {
    let gateway = Gateway::start().await;
    let from = gateway.recording_in("c", "US-CA").await;
    gateway.advance_ms(4_300_000);
    let large = silence(usize::try_from(MESSAGE_BYTES).unwrap() + 2);
    let stored = gateway.upload("c", "a", Some(from), &large).await.expect(201);
    assert_eq!(stored["envelope"]["format"], "tink");
    assert!(gateway.gate().set_format(&Actor::command_line(), "acme", Format::RsaAes).await.unwrap());
    let again = gateway.upload("c", "a", Some(from), &large).await.expect(200);
    assert_eq!(again["envelope"], stored["envelope"]);
    let small = gateway.upload("c", "b", Some(from), &wav(1000)).await;
    assert_eq!(small.status, 403, "the first one covers these seconds: {}", small.text());
    verified(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_sealed_as_twilio_does_has_one_key_and_changes_it_in_one_step() {
    let gateway = as_twilio().await;
    let (gate, operator) = (gateway.gate(), Actor::command_line());
    let first = gate.ledger().keys("acme").await.unwrap().remove(0).id;
    let (pem, id) = another_key();
    let file = gateway.dir.path().join("new.pem");
    std::fs::write(&file, &pem).unwrap();
    let file = file.to_str().unwrap();

    let (code, told, error) = gateway.run(&["key", "add", "acme", file]);
    assert_ne!(code, 0, "{told}");
    assert!(error.contains("--replace") && error.contains(&first), "{error}");
    // Adding the one that is in use is no other key.
    let own = std::fs::read(gateway.dir.path().join("acme/public.pem")).unwrap();
    assert_eq!(gate.add_key(&operator, "acme", &own).await.unwrap().0, first);

    let taken = gate.take_file(&operator, "acme", pem.as_bytes(), true).await.unwrap();
    let (added, retired) = (taken.id, taken.retired);
    assert_eq!((added, retired), (id.clone(), vec![first.clone()]));
    let newest = newest(&gateway, 2).await;
    assert_eq!(newest[0], ("key.retired".into(), json!({"key_retired": {"key": first}})));
    assert_eq!(newest[1], ("key.added".into(), json!({"key": {"key": id, "without_proof": true}})));
    let stored = gateway.stored("c").await;
    assert_eq!(stored["envelope"]["public_key_sid"], id);

    // With two keys it cannot be chosen.
    assert!(gate.set_format(&operator, "acme", Format::Tink).await.unwrap());
    gate.add_key(&operator, "acme", &own).await.unwrap();
    let (code, _, error) = gateway.run(&["account", "set", "acme", "--format", "rsa-aes"]);
    assert_ne!(code, 0);
    assert!(error.contains("key retire acme") && error.contains(&id) && error.contains(&first), "{error}");
    gateway.stored("tink").await;
    gate.retire_key(&operator, "acme", &first).await.unwrap();
    assert!(gate.set_format(&operator, "acme", Format::RsaAes).await.unwrap());
    let entries = gateway.rows("acme").await.len();
    assert!(!gate.set_format(&operator, "acme", Format::RsaAes).await.unwrap());
    assert_eq!(gateway.rows("acme").await.len(), entries, "what changes nothing is no entry");
    assert_eq!(
        self::newest(&gateway, 1).await[0],
        ("account.format".into(), json!({"account_format": {"format": "rsa-aes"}}))
    );
    gateway.stored("again").await;
    verified(&gateway).await;
}

#[tokio::test]
async fn keys_and_a_format_that_come_at_once_never_leave_two_keys_for_one() {
    for _ in 0..4 {
        let gateway = Gateway::start().await;
        let (gate, operator) = (gateway.gate(), Actor::command_line());
        let (pem, _) = another_key();
        let (switched, added) = tokio::join!(
            gate.set_format(&operator, "acme", Format::RsaAes),
            gate.add_key(&operator, "acme", &pem)
        );
        assert!(switched.is_ok() != added.is_ok(), "{switched:?} {added:?}");
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_recorded_in_either_format() {
    let gateway = as_twilio().await;
    let key = gateway.gate().ledger().keys("acme").await.unwrap().remove(0).id;
    gateway.gate().retire_key(&Actor::command_line(), "acme", &key).await.unwrap();
    gateway.open("c", "US-CA").await;
    gateway.prompt("c", &["caller", "agent"]).await;
    gateway.control("c", "start").await.problem(403, "no-usable-key");
}
