//! The programs of the page about opening, as they stand there: each opens both formats, and nothing that is not
//! genuine.

use std::path::{Path, PathBuf};
use std::process::Command;

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use seal::Format;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Sealed, claiming, store};
use crate::harness::{Gateway, wav, wav_of};
use crate::manual::{Block, blocks};

/// A language of the page, and how its program is run.
struct Program {
    language: &'static str,
    file: &'static str,
    runs: &'static [&'static str],
}

const PROGRAMS: [Program; 4] = [
    Program { language: "python", file: "open.py", runs: &["python3"] },
    Program { language: "js", file: "open.mjs", runs: &["node"] },
    Program { language: "java", file: "Open.java", runs: &["java"] },
    Program { language: "bash", file: "open.sh", runs: &["bash"] },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_for_python_opens_what_is_genuine() {
    opens(&PROGRAMS[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_for_node_opens_what_is_genuine() {
    opens(&PROGRAMS[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_for_java_opens_what_is_genuine() {
    opens(&PROGRAMS[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_for_openssl_opens_what_is_genuine() {
    opens(&PROGRAMS[3]).await;
}

#[test]
fn the_page_has_these_programs_and_no_others() {
    let known: Vec<&str> = PROGRAMS.iter().map(|program| program.language).collect();
    let languages: Vec<String> = blocks(&page())
        .into_iter()
        .map(|block| block.language)
        .filter(|language| language != "text")
        .collect();
    assert_eq!(languages, known);
}

/// What Twilio documents, with the members of the envelope as they stand, and as its sample does it: the tag is taken
/// for audio. Whoever reads WAV passes over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decryptor_for_twilios_recordings_takes_the_envelope_as_it_is() {
    let Some(python) = runner("python3") else { return };
    let gateway = gateway(Format::RsaAes).await;
    let audio = wav(1_000);
    let sealed = Sealed::fetch(&gateway, &store(&gateway, "c", &audio).await).await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    std::fs::write(file("media"), &sealed.media).unwrap();
    std::fs::write(file("details.json"), sealed.envelope.to_string()).unwrap();
    let output = Command::new(python)
        .args(["-c", AS_TWILIO])
        .args([file("media"), file("details.json"), sealed.private.clone(), file("out")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let opened = std::fs::read(file("out")).unwrap();
    assert!(opened[..audio.len()] == audio && opened.len() == audio.len() + 16);
}

const AS_TWILIO: &str = r"
import base64, json, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
media, details, private, out = sys.argv[1:]
details = json.load(open(details))
assert details['type'] == 'rsa-aes' and details['public_key_sid']
key = serialization.load_pem_private_key(open(private, 'rb').read(), None)
oaep = padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
cek = key.decrypt(base64.b64decode(details['encrypted_cek']), oaep)
decryptor = Cipher(algorithms.AES(cek), modes.GCM(base64.b64decode(details['iv']))).decryptor()
with open(media, 'rb') as sealed, open(out, 'wb') as audio:
    while chunk := sealed.read(4096):
        audio.write(decryptor.update(chunk))
";

async fn opens(program: &Program) {
    let Some(runs) = runner(program.runs[0]) else { return };
    let case = Case::new(program, runs);
    for format in Format::ALL {
        let gateway = gateway(format).await;
        // Less than a segment, and several of them.
        for (name, audio) in [("short", wav(1_000)), ("long", wav_of(16_000, &vec![300; 90_000]))] {
            let stored = store(&gateway, name, &audio).await;
            let sealed = Sealed::fetch(&gateway, &stored).await;
            let told = format!("{} {} {name}", program.language, format.as_str());
            let opened = case.run(&sealed.media, &sealed.envelope, &sealed);
            assert!(opened.as_deref() == Ok(&audio), "{told}: {opened:?}");
            case.refuses_altered(&sealed, &told);
            case.refuses_hostile_envelopes(&sealed, &told);
        }
    }
}

struct Case {
    dir: TempDir,
    runs: PathBuf,
    program: PathBuf,
}

impl Case {
    fn new(program: &Program, runs: PathBuf) -> Case {
        let dir = tempfile::tempdir().unwrap();
        let of = |block: &Block| block.language == program.language;
        let block = blocks(&page()).into_iter().find(of).unwrap();
        let file = dir.path().join(program.file);
        std::fs::write(&file, block.text).unwrap();
        Case { dir, runs, program: file }
    }

    /// What came out, or what was said.
    fn run(&self, media: &[u8], envelope: &Value, sealed: &Sealed) -> Result<Vec<u8>, String> {
        let of = |name: &str| sealed.envelope[name].as_str().unwrap().to_owned();
        self.run_as(media, envelope, &sealed.private, &of("account"), &of("recording"))
    }

    fn run_as(
        &self,
        media: &[u8],
        envelope: &Value,
        private: &Path,
        account: &str,
        recording: &str,
    ) -> Result<Vec<u8>, String> {
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap();
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("media"), media).unwrap();
        std::fs::write(file("envelope.json"), envelope.to_string()).unwrap();
        let output = Command::new(&self.runs)
            .arg(&self.program)
            .args([&file("media"), &file("envelope.json"), private, &file("out")])
            .args([account, recording])
            .env("TMPDIR", dir.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let opened = std::fs::read(file("out")).ok();
        assert_eq!(output.status.success(), opened.is_some(), "{told}");
        opened.ok_or(told)
    }

    /// Also where whoever altered the media altered the envelope.
    fn refuses_altered(&self, sealed: &Sealed, told: &str) {
        let refused = |media: &[u8], how: &str| {
            let claims = claiming(&sealed.envelope, media);
            assert!(self.run(media, &claims, sealed).is_err(), "{told}: {how}");
        };
        let (media, end) = (&sealed.media, sealed.media.len());
        let mut flipped = media.clone();
        flipped[end - 1] ^= 1;
        assert!(self.run(&flipped, &sealed.envelope, sealed).unwrap_err().contains("refused"), "{told}");
        for at in [0, 50, end / 2, end - 17, end - 1] {
            let mut altered = media.clone();
            altered[at] ^= 0x10;
            refused(&altered, &format!("byte {at}"));
        }
        for cut in [0, 10, 15, 16, 39, 40, 56, end - 16, end - 1] {
            refused(&media[..cut], &format!("cut to {cut}"));
        }
        refused(&[media, &b"x"[..]].concat(), "longer");
        if end > 3 * 65_536 - 40_000 && sealed.envelope["format"] == "tink" {
            let (one, two) = (&media[..65_536], &media[65_536..131_072]);
            refused(one, "cut where segments meet");
            refused(&media[..131_072], "cut where later segments meet");
            refused(&[one, &media[131_072..]].concat(), "a segment left out");
            refused(&[one, two, &media[65_536..]].concat(), "a segment twice");
        }
    }

    fn refuses_hostile_envelopes(&self, sealed: &Sealed, told: &str) {
        let refused = |envelope: &Value, how: &str| {
            assert!(self.run(&sealed.media, envelope, sealed).is_err(), "{told}: {how}");
        };
        let with = |name: &str, value: Value| {
            let mut envelope = sealed.envelope.clone();
            envelope[name] = value;
            envelope
        };
        let zeros =
            |bytes: usize| json!(base64::Engine::encode(&base64::prelude::BASE64_STANDARD, vec![0; bytes]));
        refused(&with("account", json!("emca")), "another account");
        refused(&with("recording", json!("r-2")), "another recording");
        refused(&with("key_commitment", zeros(32)), "another key");
        refused(&with("sha256", json!("ab".repeat(32))), "another hash");
        let other = if sealed.envelope["format"] == "tink" { "rsa-aes" } else { "tink" };
        refused(&with("format", json!(other)), "another format");
        // With all that the other one has, too.
        let mut other = with("format", json!(other));
        if other["format"] == "tink" {
            let place =
                ["consent-gateway/v1", "acme", sealed.envelope["recording"].as_str().unwrap()].join("\0");
            let wrapped =
                json!({"key": "ab", "algorithm": "RSA-OAEP-256", "encrypted_key": other["encrypted_cek"]});
            other["segment_bytes"] = json!(65_536);
            other["associated_data"] =
                json!(base64::Engine::encode(&base64::prelude::BASE64_STANDARD, place.as_bytes()));
            other["keys"] = json!([wrapped]);
            refused(&with("iv", zeros(12)), "another IV");
            refused(&with("type", json!("tink")), "another type");
        } else {
            other["type"] = json!("rsa-aes");
            other["iv"] = zeros(12);
            other["encrypted_cek"] = other["keys"][0]["encrypted_key"].clone();
            refused(&with("segment_bytes", json!(4_096)), "other segments");
        }
        let said = self.run(&sealed.media, &other, sealed).unwrap_err();
        assert!(said.contains("commits to"), "{told}: {said}");
        // Renamed throughout, it is not the recording that its name says.
        let renamed = with("recording", json!("r-2"));
        let mut twice = renamed.clone();
        if twice["format"] == "tink" {
            let place =
                base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "consent-gateway/v1\0acme\0r-2");
            twice["associated_data"] = json!(place);
        }
        let said = self.run_as(&sealed.media, &twice, &sealed.private, "acme", "r-2");
        assert!(said.is_err(), "{told}: renamed");
        let dir = tempfile::tempdir().unwrap();
        let stranger = super::stranger(dir.path());
        let recording = sealed.envelope["recording"].as_str().unwrap();
        let said = self.run_as(&sealed.media, &sealed.envelope, &stranger, "acme", recording).unwrap_err();
        assert!(said.contains("opens none"), "{told}: {said}");
    }
}

async fn gateway(format: Format) -> Gateway {
    Gateway::with(Config::default(), AccountSettings { format, ..AccountSettings::default() }).await
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/opening.md")
}

/// The program, if it is there. Python is the one that `tests/run` has made, with what the page asks for.
fn runner(name: &str) -> Option<PathBuf> {
    let found = match name {
        "python3" => std::env::var_os("GATEWAY_TEST_PYTHON").map(PathBuf::from),
        name => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
        }
    };
    if found.is_none() {
        eprintln!("skipped: there is no `{name}`; tests/run installs what it needs");
    }
    found
}
