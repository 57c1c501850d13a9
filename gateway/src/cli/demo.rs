//! `demo`: the whole main job, over HTTP, against the real server with SQLite and a directory.
//!
//! Everything goes through the socket, as the requests of a platform, a listener and an auditor would; only
//! accounts, keys and prompts are set up as by the command line. Prompts and speech take their real time:
//! what is not yet played does not count.

mod client;
mod story;

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use self::client::{Answer, Client};
use super::{CliError, out};
use crate::access::Role;
use crate::config::Config;
use crate::gate::ask::{ConsentGrant, Prompt};
use crate::gate::{AccountSettings, Gate, NewCredential};
use crate::measure::Meter;
use crate::serve;
use seal::{Envelope, Expected};
use trail::Actor;
use trail::clock::Clock;

/// Real speech, made by a synthesiser: 8 kHz, G.711 µ-law, as a media server would write it.
const SPEECH: &[u8] = include_bytes!("../../assets/speech.wav");
const PROMPT_MS: u64 = 1_500;
const CALL: &str = "demo-call-1";

pub(super) async fn run(keep: bool) -> Result<(), CliError> {
    let dir = tempfile::Builder::new()
        .prefix("consent-gateway-demo-")
        .tempdir()
        .map_err(|source| CliError::Io { what: "cannot make a temporary directory".into(), source })?;
    let config =
        Config { listen: ([127, 0, 0, 1], 0).into(), data: dir.path().join("data"), ..Config::default() };
    let running = serve::start(&config, Clock::system()).await?;
    let keys = dir.path().join("customer");
    std::fs::create_dir(&keys)
        .map_err(|source| CliError::Io { what: "cannot make a directory".into(), source })?;
    let people = set_up(&running.door.gate, &keys).await?;
    out::line(format!(
        "A gateway listens on http://{}; its data are in {}.",
        running.address,
        config.data.display()
    ));
    out::line("The customer made a key pair; the gateway got only the public half.\n");

    let client = Client::new(running.address);
    let recorder = client.of(&people.recorder);
    let recording = call(&recorder).await?;
    open_and_compare(&client.of(&people.listener), &recording, &keys, dir.path()).await?;
    let trail = client.of(&people.auditor).get(&format!("/v1/consents?call={CALL}")).await?.expect(200)?;
    out::line("\nThe auditor reads the trail:\n");
    story::tell(&trail);
    if keep {
        story::curl_lines(running.address, &people, &recording);
        let _kept = dir.keep();
        let shutdown = running.shutdown();
        tokio::spawn(async move {
            let _ = tokio::signal::ctrl_c().await;
            shutdown.cancel();
        });
        return Ok(running.wait().await?);
    }
    running.stop().await?;
    out::line("\nThat was the main job. `demo --keep` leaves it running for you to try.");
    Ok(())
}

pub(super) struct People {
    pub(super) recorder: NewCredential,
    pub(super) listener: NewCredential,
    pub(super) auditor: NewCredential,
}

async fn set_up(gate: &Gate, keys: &Path) -> Result<People, CliError> {
    let actor = Actor::command_line();
    gate.add_account(&actor, "demo", Some("US-NY"), Some("US-NY"), &AccountSettings::default()).await?;
    let pair = seal::keygen(keys)?;
    gate.add_key(&actor, "demo", pair.public_key.to_pem()).await?;
    let prompts = [
        (
            "greeting-en",
            "en",
            "This call is recorded by Demo Ltd for quality. Please press 1 if you agree, or stay on the line; to refuse, say no.",
            [
                ("recording", "This call is recorded"),
                ("operator", "by Demo Ltd"),
                ("purpose", "for quality"),
                ("refusal", "to refuse, say no"),
            ],
        ),
        (
            "greeting-de",
            "de",
            "Dieses Gespräch wird von der Demo GmbH zur Qualitätssicherung aufgezeichnet. Bitte drücken Sie die 1, wenn Sie einverstanden sind; wenn nicht, sagen Sie nein.",
            [
                ("recording", "aufgezeichnet"),
                ("operator", "von der Demo GmbH"),
                ("purpose", "zur Qualitätssicherung"),
                ("refusal", "wenn nicht, sagen Sie nein"),
            ],
        ),
    ];
    for (id, language, text, says) in prompts {
        let prompt = Prompt {
            text: text.into(),
            language: language.into(),
            duration_ms: PROMPT_MS,
            purposes: vec!["quality".into()],
            delivery: crate::gate::ask::Delivery::Audio,
            sha256: None,
            says: says.map(|(element, words)| (element.into(), words.into())).into(),
        };
        gate.put_prompt(&actor, "demo", id, &prompt).await?;
    }
    let contract = ConsentGrant {
        subject: "agent-7".into(),
        role: policy::Role::Agent,
        basis: "employment contract, annex on call recording".into(),
        text_version: Some("2026-01".into()),
        purposes: vec!["quality".into()],
        written: true,
        from: None,
        until: None,
        given_by: crate::gate::ask::GivenBy::Subject,
        evidence_sha256: None,
    };
    gate.put_grant(&actor, "demo", "contract-agent-7", &contract).await?;
    let add = |role, name| gate.add_credential(&actor, "demo", role, name, None);
    Ok(People {
        recorder: add(Role::Recorder, "the telephone platform").await?,
        listener: add(Role::Listener, "quality team").await?,
        auditor: add(Role::Auditor, "an auditor").await?,
    })
}

/// The call, from its first second to its last. Returns the id of its first recording.
async fn call(platform: &Client) -> Result<String, CliError> {
    out::line(
        "1. A caller from San Francisco rings; an agent in New York, who consented by contract, answers.",
    );
    let opened = platform
        .put(&format!("/v1/calls/{CALL}"), &json!({
            "medium": "telephone", "direction": "inbound", "purposes": ["quality"],
            "participants": [
                {"id": "caller", "role": "customer", "number": "+14155550100", "languages": ["en"]},
                {"id": "agent-7", "role": "agent", "location": "US-NY", "languages": ["en"], "consent_grant": "contract-agent-7"},
            ],
        }))
        .await?
        .expect(201)?;
    explain(&opened);
    let began = platform.now();

    out::line("\n2. The platform has recorded anyway, and uploads.");
    let refused =
        platform.upload(&format!("/v1/calls/{CALL}/recordings/too-early"), Some(began), SPEECH).await?;
    refuse(&refused, "consent-required")?;
    let refused = platform.post(&format!("/v1/calls/{CALL}/recording"), &json!({"action": "start"})).await?;
    refuse(&refused, "consent-required")?;

    out::line("\n3. It plays the prompt to the caller, to the end, and reports that.");
    play(platform, "greeting-en", &["caller"]).await?;
    let started = platform
        .post(&format!("/v1/calls/{CALL}/recording"), &json!({"action": "start"}))
        .await?
        .expect(200)?;
    let first_from = platform.now();
    explain(&started);

    out::line("\n4. They talk; the platform uploads what it recorded.");
    let speech_ms = speech_ms()?;
    wait_ms(speech_ms).await;
    let stored: Stored = platform
        .upload(&format!("/v1/calls/{CALL}/recordings/part-1"), Some(first_from), SPEECH)
        .await?
        .expect(201)?;
    let recording = stored.id;
    out::line(format!(
        "   accepted: recording {recording}, {} ms measured from the audio, sealed.",
        stored.duration_ms
    ));

    out::line(
        "\n5. A colleague joins from Berlin, where everybody must expressly say yes. Recording is suspended at once.",
    );
    let joined = platform
        .post(
            &format!("/v1/calls/{CALL}/participants"),
            &json!({
                "id": "colleague", "role": "customer", "number": "+493023125001", "languages": ["de"],
            }),
        )
        .await?
        .expect(201)?;
    explain(&joined);
    let refused =
        platform.upload(&format!("/v1/calls/{CALL}/recordings/part-2"), Some(platform.now()), SPEECH).await?;
    refuse(&refused, "consent-required")?;

    out::line(
        "\n6. Both hear a prompt in their language and press 1. Nothing resumes by itself: the platform asks, and is granted.",
    );
    play(platform, "greeting-de", &["colleague"]).await?;
    play(platform, "greeting-en", &["caller"]).await?;
    let agreed = platform
        .post(
            &format!("/v1/calls/{CALL}/events"),
            &json!({"type": "consent.given", "participants": ["colleague", "caller"], "method": "dtmf"}),
        )
        .await?
        .expect(201)?;
    explain(&agreed);
    let resumed = platform
        .post(&format!("/v1/calls/{CALL}/recording"), &json!({"action": "resume"}))
        .await?
        .expect(200)?;
    let second_from = platform.now();
    explain(&resumed);
    wait_ms(speech_ms).await;
    platform
        .upload(&format!("/v1/calls/{CALL}/recordings/part-2"), Some(second_from), SPEECH)
        .await?
        .expect::<Stored>(201)?;
    let ended = json!([{"type": "recording.stopped"}, {"type": "call.ended"}]);
    platform.post(&format!("/v1/calls/{CALL}/events"), &ended).await?.expect::<IgnoredAny>(201)?;
    out::line("   the call ends.");
    Ok(recording)
}

async fn open_and_compare(
    listener: &Client,
    recording: &str,
    keys: &Path,
    dir: &Path,
) -> Result<(), CliError> {
    out::line("\n7. The listener fetches the first part; the customer opens it with their own private key.");
    let described: Described = listener.get(&format!("/v1/recordings/{recording}")).await?.expect(200)?;
    let media = listener.get(&format!("/v1/recordings/{recording}/media?purpose=quality")).await?;
    let sealed = media.bytes(200)?;
    let private = std::fs::read_to_string(keys.join("private.pem"))
        .map_err(|source| CliError::Io { what: "the private key cannot be read".into(), source })?;
    let path = dir.join("opened.wav");
    seal::open(
        sealed.as_slice(),
        &described.envelope,
        &private,
        Expected { account: Some("demo"), recording: Some(recording) },
        &path,
    )?;
    let opened = std::fs::read(&path)
        .map_err(|source| CliError::Io { what: "the opened audio cannot be read".into(), source })?;
    if opened != SPEECH {
        return Err(CliError::Demo("the opened audio is not what was uploaded".into()));
    }
    out::line(format!(
        "   {} sealed bytes opened to {} bytes: byte for byte what was uploaded.",
        sealed.len(),
        opened.len()
    ));
    Ok(())
}

async fn play(platform: &Client, prompt: &str, to: &[&str]) -> Result<(), CliError> {
    let path = format!("/v1/calls/{CALL}/events");
    platform
        .post(&path, &json!({"type": "prompt.started", "prompt": prompt, "participants": to}))
        .await?
        .expect::<IgnoredAny>(201)?;
    wait_ms(PROMPT_MS.saturating_add(50)).await;
    let done =
        json!({"type": "prompt.completed", "prompt": prompt, "participants": to, "played_ms": PROMPT_MS});
    let decision = platform.post(&path, &done).await?.expect(201)?;
    out::line(format!("   `{prompt}` played to {}.", to.join(" and ")));
    explain(&decision);
    Ok(())
}

/// The part of a decision that the story shows.
#[derive(Deserialize)]
struct Decision {
    recording: String,
    recorder: String,
    action: String,
    requirement: Requirement,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Requirement {
    parties: String,
    form: String,
}

/// The part of an accepted recording that the story shows.
#[derive(Deserialize)]
struct Stored {
    id: String,
    duration_ms: u64,
}

/// The part of a recording that its customer needs to open it.
#[derive(Deserialize)]
struct Described {
    envelope: Envelope,
}

/// The part of a refusal that the story shows.
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

fn explain(decision: &Decision) {
    let Decision { recording, recorder, action, requirement: Requirement { parties, form }, reason } =
        decision;
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    out::line(format!(
        "   recording {recording}{reason} (asked: {parties}/{form}; recorder {recorder}, action {action})"
    ));
}

fn refuse(answer: &Answer, code: &str) -> Result<(), CliError> {
    let problem: Problem = answer.expect(403)?;
    if problem.code != code {
        return Err(CliError::Demo(format!("`{code}` was expected, but the answer was {}", answer.text())));
    }
    out::line(format!("   refused, 403 `{code}`: {}", problem.detail));
    Ok(())
}

fn speech_ms() -> Result<u64, CliError> {
    let measured = |error: crate::measure::Unmeasurable| CliError::Demo(error.to_string());
    let mut meter = Meter::new();
    meter.push(SPEECH).map_err(measured)?;
    Ok(meter.finish().map_err(measured)?.duration_ms)
}

async fn wait_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
