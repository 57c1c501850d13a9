//! Other people's programs: recordings as they make them, sealed media as they open them, and a verifier that was
//! written from the reference alone.

mod opening;
mod second_verifier;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use seal::Envelope;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::harness::{Gateway, wav};

#[tokio::test]
async fn recordings_in_every_format_are_sealed_fetched_and_opened_byte_for_byte() {
    let workshop = Workshop::with_speech();
    let gateway = Gateway::start().await;
    for format in FORMATS {
        let audio = workshop.recording(format);
        let stored = store(&gateway, format.name, &audio).await;
        assert_eq!(stored["content_type"], format.content_type, "{}", format.name);
        let opened = gateway.fetch_and_open(stored["id"].as_str().unwrap()).await;
        assert!(opened == audio, "{} came back otherwise", format.name);
    }
}

#[tokio::test]
async fn a_recording_is_never_measured_shorter_than_ffmpeg_plays_it_and_not_much_longer() {
    let workshop = Workshop::with_speech();
    let gateway = Gateway::start().await;
    for format in FORMATS {
        let audio = workshop.recording(format);
        let measured = store(&gateway, format.name, &audio).await["duration_ms"].as_u64().unwrap();
        let decoded = workshop.decoded_ms(format.name);
        let at_most = decoded + format.slack_ms;
        assert!(
            (decoded..=at_most).contains(&measured),
            "{}: measured {measured} ms, ffmpeg plays {decoded} ms",
            format.name
        );
        // A pipe's header says nothing of the length, and ffprobe guesses from the bit rate.
        if !format.unfinished {
            let probed = workshop.probed_ms(format.name);
            assert!(
                measured + 1 >= probed,
                "{}: measured {measured} ms, ffprobe says {probed} ms",
                format.name
            );
        }
    }
}

#[test]
fn the_description_of_the_api_is_valid_openapi() {
    let Ok(python) = std::env::var("GATEWAY_TEST_PYTHON") else {
        eprintln!("skipped: GATEWAY_TEST_PYTHON is unset; tests/run sets it");
        return;
    };
    let (code, printed, _) = crate::harness::run(&["openapi"]);
    assert_eq!(code, 0);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("openapi.json");
    std::fs::write(&file, printed).unwrap();
    let validated = Command::new(python).args(["-m", "openapi_spec_validator"]).arg(file).output().unwrap();
    assert!(validated.status.success(), "{}", String::from_utf8_lossy(&validated.stdout));
}

#[tokio::test]
async fn tink_opens_sealed_media_and_refuses_them_when_altered_or_cut() {
    let Ok(python) = std::env::var("GATEWAY_TEST_PYTHON") else {
        eprintln!("skipped: GATEWAY_TEST_PYTHON is unset; tests/run sets it");
        return;
    };
    let gateway = Gateway::start().await;
    // Less than a segment, and several of them.
    for (name, ms) in [("short", 1_000), ("long", 15_000)] {
        let audio = wav(ms);
        let sealed = Sealed::fetch(&gateway, &store(&gateway, name, &audio).await).await;
        let tink = |tag: &str, media: &[u8], envelope: &Value| {
            let dir = tempfile::tempdir_in(gateway.dir.path()).unwrap();
            let file = |name: &str| dir.path().join(name);
            std::fs::write(file("media"), media).unwrap();
            std::fs::write(file("envelope.json"), envelope.to_string()).unwrap();
            let output = Command::new(&python)
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/tink_open.py"))
                .args([&file("media"), &file("envelope.json"), &sealed.private, &file("out")])
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            let opened = std::fs::read(file("out")).ok();
            assert_eq!(output.status.success(), opened.is_some(), "{name}, {tag}: {told}");
            (opened, told)
        };
        let (opened, told) = tink("whole", &sealed.media, &sealed.envelope);
        assert!(opened.as_deref() == Some(&audio), "{name}: {told}");

        for at in [0, 60, sealed.media.len() - 1] {
            let mut media = sealed.media.clone();
            media[at] ^= 1;
            let (opened, told) = tink("altered", &media, &sealed.envelope);
            assert!(opened.is_none() && told.contains("SHA-256"), "{name}, byte {at}: {told}");
            // Where whoever altered the media could alter the envelope, too, it is up to Tink.
            let (opened, told) = tink("altered twice", &media, &claiming(&sealed.envelope, &media));
            assert!(opened.is_none() && !told.contains("SHA-256"), "{name}, byte {at}: {told}");
        }
        let cuts = [40, sealed.media.len() - 1, sealed.media.len() - 16, 65_536, 131_072];
        for cut in cuts.into_iter().filter(|cut| *cut < sealed.media.len()) {
            let media = &sealed.media[..cut];
            assert!(tink("cut", media, &sealed.envelope).0.is_none(), "{name}, {cut} bytes");
            let (opened, told) = tink("cut twice", media, &claiming(&sealed.envelope, media));
            assert!(opened.is_none() && !told.contains("the envelope"), "{name}, {cut} bytes: {told}");
        }
    }
}

#[tokio::test]
async fn openssl_unwraps_the_key_that_the_envelope_commits_to() {
    let gateway = Gateway::start().await;
    let sealed = Sealed::fetch(&gateway, &store(&gateway, "c", &wav(1_000)).await).await;
    let envelope: Envelope = serde_json::from_value(sealed.envelope.clone()).unwrap();
    let wrapped = gateway.dir.path().join("wrapped");
    let encrypted = sealed.envelope["keys"][0]["encrypted_key"].as_str().unwrap();
    std::fs::write(&wrapped, BASE64_STANDARD.decode(encrypted).unwrap()).unwrap();
    let oaep = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"];
    let output = Command::new("openssl")
        .args(["pkeyutl", "-decrypt", "-inkey"])
        .arg(&sealed.private)
        .arg("-in")
        .arg(&wrapped)
        .args(oaep.iter().flat_map(|option| ["-pkeyopt", option]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.len(), 32);
    let mut commitment = [0; 32];
    hkdf::Hkdf::<Sha256>::new(None, &output.stdout)
        .expand(b"consent-gateway key v1", &mut commitment)
        .unwrap();
    assert_eq!(BASE64_STANDARD.encode(commitment), sealed.envelope["key_commitment"].as_str().unwrap());
    assert_eq!(envelope.keys.len(), 1);
}

/// A format, and who writes it: a shell line that reads `speech.wav` and writes `$OUT`.
struct Format {
    name: &'static str,
    content_type: &'static str,
    make: &'static str,
    /// By how much it may be measured longer than it is played: an encoder's lead-in, a padded last frame.
    slack_ms: u64,
    /// The header was written before the end was known.
    unfinished: bool,
}

const WAV: Format = Format { name: "", content_type: "audio/wav", make: "", slack_ms: 1, unfinished: false };
const MP3: Format = Format { content_type: "audio/mpeg", slack_ms: 200, ..WAV };
const OGG: Format = Format { content_type: "audio/ogg", slack_ms: 100, ..WAV };

const FORMATS: &[Format] = &[
    Format { name: "pcm.wav", make: "sox speech.wav -r 8000 -c 1 -b 16 $OUT", ..WAV },
    Format { name: "mu-law.wav", make: "sox speech.wav -r 8000 -c 1 -e u-law $OUT", ..WAV },
    Format { name: "a-law.wav", make: "sox speech.wav -r 8000 -c 1 -e a-law $OUT", ..WAV },
    Format {
        name: "gsm.wav",
        make: "sox speech.wav -r 8000 -c 1 -e gsm-full-rate $OUT",
        slack_ms: 40,
        ..WAV
    },
    Format { name: "stereo.wav", make: "ffmpeg -i speech.wav -ac 2 -ar 48000 -c:a pcm_s24le $OUT", ..WAV },
    Format {
        name: "ffmpeg-pipe.wav",
        make: "ffmpeg -i speech.wav -ar 8000 -f wav - | cat >$OUT",
        unfinished: true,
        ..WAV
    },
    Format {
        name: "sox-pipe.wav",
        make: "sox speech.wav -r 8000 -t wav - | cat >$OUT",
        unfinished: true,
        ..WAV
    },
    Format { name: "constant.mp3", make: "ffmpeg -i speech.wav -ar 16000 -b:a 32k $OUT", ..MP3 },
    Format { name: "variable.mp3", make: "ffmpeg -i speech.wav -ar 16000 -q:a 5 $OUT", ..MP3 },
    Format {
        name: "bare.mp3",
        make: "ffmpeg -i speech.wav -ar 8000 -b:a 16k -write_xing 0 -id3v2_version 0 $OUT",
        ..MP3
    },
    Format { name: "vorbis.ogg", make: "ffmpeg -i speech.wav -ar 16000 -c:a libvorbis $OUT", ..OGG },
    Format { name: "opus.ogg", make: "ffmpeg -i speech.wav -c:a libopus $OUT", ..OGG },
    Format { name: "speex.ogg", make: "ffmpeg -i speech.wav -ar 8000 -c:a libspeex $OUT", ..OGG },
];

/// Where recordings are made.
struct Workshop(TempDir);

impl Workshop {
    fn with_speech() -> Workshop {
        let workshop = Workshop(tempfile::tempdir().unwrap());
        let text = "This call is recorded for quality. Somebody will be with you soon.";
        workshop.shell(&format!("espeak-ng -w speech.wav '{text}'"), "speech.wav");
        workshop
    }

    fn recording(&self, format: &Format) -> Vec<u8> {
        self.shell(format.make, format.name);
        std::fs::read(self.path(format.name)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn shell(&self, line: &str, out: &str) -> Vec<u8> {
        let line = line.replace("ffmpeg ", "ffmpeg -v error -y ");
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &line])
            .current_dir(self.0.path())
            .env("OUT", out)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`{line}` (tests/run installs what it needs): {told}");
        output.stdout
    }

    /// How long ffmpeg plays it, counted in samples.
    fn decoded_ms(&self, name: &str) -> u64 {
        let rate: u64 = self.probe(name, "stream=sample_rate").parse().unwrap();
        let samples = self.shell("ffmpeg -i $OUT -f s16le -ac 1 -", name).len() as u64 / 2;
        (samples * 1000).div_ceil(rate)
    }

    /// What ffprobe says of its length.
    fn probed_ms(&self, name: &str) -> u64 {
        let seconds = self.probe(name, "format=duration");
        let (whole, part) = seconds.split_once('.').unwrap();
        whole.parse::<u64>().unwrap() * 1000 + part[..3].parse::<u64>().unwrap()
    }

    fn probe(&self, name: &str, entry: &str) -> String {
        let line = format!("ffprobe -v error -show_entries {entry} -of csv=p=0 $OUT");
        String::from_utf8(self.shell(&line, name)).unwrap().trim().to_owned()
    }
}

/// A recording as its customer has it.
struct Sealed {
    media: Vec<u8>,
    envelope: Value,
    private: PathBuf,
}

impl Sealed {
    async fn fetch(gateway: &Gateway, stored: &Value) -> Sealed {
        let id = stored["id"].as_str().unwrap();
        let media = gateway.listener.get(&format!("/v1/recordings/{id}/media?purpose=quality")).await;
        assert_eq!(media.status, 200, "{}", media.text());
        let private = gateway.dir.path().join("acme/private.pem");
        Sealed { media: media.body, envelope: stored["envelope"].clone(), private }
    }
}

/// The envelope as it would be if these were the media.
fn claiming(envelope: &Value, media: &[u8]) -> Value {
    let mut envelope = envelope.clone();
    envelope["bytes"] = media.len().into();
    envelope["sha256"] = hex::encode(Sha256::digest(media)).into();
    envelope
}

/// A private key for which nothing is sealed.
fn stranger(dir: &Path) -> PathBuf {
    seal::keygen(dir).unwrap().private_path
}

/// A call of its own on which this was recorded lawfully.
async fn store(gateway: &Gateway, call: &str, audio: &[u8]) -> Value {
    gateway.open(call, "US-NY").await;
    gateway.prompt(call, &["caller", "agent"]).await;
    gateway.control(call, "start").await.expect(200);
    let from = gateway.now();
    gateway.advance_ms(20_000);
    let answer = gateway.upload(call, "a", Some(from), audio).await;
    assert_eq!(answer.status, 201, "{call}: {}", answer.text());
    answer.json()
}
