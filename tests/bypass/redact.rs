//! Accounts that have what is not covered silenced: what is kept holds nothing of it, and all else.

use std::io::Write as _;
use std::process::{Command, Stdio};

use consent_gateway::config::Config;
use consent_gateway::gate::AccountSettings;
use jiff::Timestamp;
use policy::{OnWithdrawal, Redact};
use serde_json::{Value, json};

use super::{Upload, after, before, granted, nothing_got_in, stored, timeline, verifies};
use crate::harness::{Gateway, tone, wav_of};

/// A gateway whose account silences.
async fn gateway() -> Gateway {
    with(|_| {}).await
}

async fn with(set: impl FnOnce(&mut AccountSettings)) -> Gateway {
    let mut settings = AccountSettings { redact: Redact::Silence, ..AccountSettings::default() };
    set(&mut settings);
    Gateway::with(Config::default(), settings).await
}

/// Eight kilohertz of sound, without a silent sample.
fn sound(ms: u64) -> Vec<i16> {
    tone(8000, ms).into_iter().map(|sample| if sample.unsigned_abs() < 100 { 100 } else { sample }).collect()
}

/// The samples that are kept of a recording.
async fn kept(gateway: &Gateway, answer: &Value) -> Vec<i16> {
    let opened = gateway.fetch_and_open(answer["id"].as_str().unwrap()).await;
    opened[44..].as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
}

/// The sound, where these stretches of it (in milliseconds) are silent.
fn silenced(mut sound: Vec<i16>, stretches: &[(usize, usize)]) -> Vec<i16> {
    for (from, until) in stretches {
        let end = sound.len();
        sound[from * 8..(until * 8).min(end)].fill(0);
    }
    sound
}

fn stretches(answer: &Value) -> Vec<(u64, u64, String)> {
    let all = answer["silenced"].as_array().cloned().unwrap_or_default();
    let number = |one: &Value, name: &str| one[name].as_u64().unwrap();
    let why = |one: &Value| one["why"].as_str().unwrap_or("nothing").to_owned();
    all.iter().map(|one| (number(one, "offset_ms"), number(one, "duration_ms"), why(one))).collect()
}

fn one(offset_ms: u64, duration_ms: u64, why: &str) -> Vec<(u64, u64, String)> {
    vec![(offset_ms, duration_ms, why.to_owned())]
}

/// A recorder that started by itself, five seconds before it was granted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_recorded_before_it_was_granted_is_silenced() {
    let gateway = gateway().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    let audio = wav_of(8000, &sound(12_000));
    let answer = gateway.upload("c1", "a", Some(before(from, 5000)), &audio).await.expect(201);
    assert_eq!(stretches(&answer), one(0, 5000, "nobody-human"), "{answer}");
    assert_eq!(answer["duration_ms"], json!(12_000));
    assert_eq!(answer["recorded_from"], json!(written(from)), "{answer}");
    assert!(kept(&gateway, &answer).await == silenced(sound(12_000), &[(0, 5000)]));
    // It is the same recording when it comes again, and another one is not.
    let again = gateway.upload("c1", "a", Some(before(from, 5000)), &audio).await.expect(200);
    assert_eq!((again["id"].clone(), stretches(&again)), (answer["id"].clone(), stretches(&answer)));
    let quieter: Vec<i16> = sound(12_000).iter().map(|sample| sample / 2).collect();
    gateway
        .upload("c1", "a", Some(before(from, 5000)), &wav_of(8000, &quieter))
        .await
        .problem(409, "recording-exists");
    stored(&gateway, 1).await;
    verifies(&gateway).await;
    // The story tells it, the pack holds it.
    let pack = gateway.dir.path().join("pack.zip");
    let path = pack.to_str().unwrap();
    let id = answer["id"].as_str().unwrap();
    let (code, out, err) = gateway.run(&["audit", "prove", "acme", "--recording", id, "--out", path]);
    assert_eq!(code, 0, "{out}{err}");
    let page = Command::new("unzip").args(["-p", path, "index.html"]).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("was silenced before it was sealed"), "{page}");
}

#[tokio::test]
async fn without_the_setting_it_is_refused_as_before() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    let audio = wav_of(8000, &sound(12_000));
    gateway.upload("c1", "a", Some(before(from, 5000)), &audio).await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
}

/// Somebody says no in the middle, and later yes to a new prompt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_after_a_no_is_silenced_to_the_millisecond() {
    let gateway = gateway().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(3210);
    gateway.event("c1", &json!({"type": "consent.declined", "participant": "caller"})).await.expect(201);
    gateway.advance_ms(4000);
    gateway.prompt("c1", &["caller", "agent"]).await;
    gateway
        .event(
            "c1",
            &json!({"type": "consent.given", "participant": "caller", "prompt": "rec-en", "method": "dtmf"}),
        )
        .await
        .expect(201);
    gateway.control("c1", "resume").await.expect(200);
    let resumed = u64::try_from(gateway.now().duration_since(from).as_millis()).unwrap();
    gateway.advance_ms(2000);
    let whole = resumed + 1500;
    let answer = gateway.upload("c1", "a", Some(from), &wav_of(8000, &sound(whole))).await.expect(201);
    let silent = stretches(&answer);
    assert_eq!(
        silent.first().map(|(offset, _, why)| (*offset, why.as_str())),
        Some((3210, "declined")),
        "{answer}"
    );
    assert_eq!(silent.iter().map(|(_, ms, _)| ms).sum::<u64>(), resumed - 3210, "{answer}");
    let ends = usize::try_from(resumed).unwrap();
    assert!(kept(&gateway, &answer).await == silenced(sound(whole), &[(3210, ends)]));
    stored(&gateway, 1).await;
    verifies(&gateway).await;
}

/// The bytes of a second have passed, and then it turns out that somebody had objected in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_objection_that_comes_while_the_bytes_pass_refuses_them_and_a_retry_is_silenced() {
    let gateway = gateway().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    let audio = wav_of(8000, &sound(8000));
    let path = "/v1/calls/c1/recordings/a";
    let mut upload = Upload::admitted(&gateway.recorder, path, Some(from), audio.len()).await;
    upload.send(&audio[..audio.len() - 100]).await;
    let at = after(from, 6000).to_string();
    let no = json!({"type": "consent.declined", "participant": "caller", "at": at});
    gateway.event("c1", &no).await.expect(201);
    upload.send(&audio[audio.len() - 100..]).await;
    let (status, refused) = upload.answer().await;
    assert_eq!(
        (status, &refused["code"], &refused["source"]),
        (403, &json!("consent-declined"), &json!("retry"))
    );
    nothing_got_in(&gateway).await;
    let answer = gateway.upload("c1", "a", Some(from), &audio).await.expect(201);
    assert_eq!(stretches(&answer), one(6000, 2000, "declined"), "{answer}");
    assert!(kept(&gateway, &answer).await == silenced(sound(8000), &[(6000, 8000)]));
    stored(&gateway, 1).await;
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_too_little_is_refused_whole() {
    let gateway = with(|settings| settings.least_kept_percent = 50).await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    let upload = async |early: i64, ms: u64| {
        let audio = wav_of(8000, &sound(ms));
        gateway.upload("c1", &format!("{early}-{ms}"), Some(before(from, early)), &audio).await
    };
    upload(5001, 10_001).await.problem(403, "consent-required");
    // All of it, and more than there is of the call.
    upload(5000, 5000).await.problem(403, "consent-required");
    upload(8000, 7999).await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
    upload(5000, 10_000).await.expect(201);
    stored(&gateway, 1).await;
    verifies(&gateway).await;
}

/// Nobody can say what of it would have to be silent, and how it would be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_placed_or_cannot_be_silenced_is_refused_as_before() {
    let gateway = gateway().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    gateway.upload("c1", "a", None, &wav_of(8000, &sound(11_000))).await.problem(403, "uncovered-audio");
    let vorbis = encoded(&["-c:a", "libvorbis", "-f", "ogg"], 9000);
    let early = Some(before(from, 3000));
    gateway.upload("c1", "b", early, &vorbis).await.problem(403, "consent-required");
    nothing_got_in(&gateway).await;
    // Where nothing is to be silenced, it is kept.
    let vorbis = encoded(&["-c:a", "libvorbis", "-f", "ogg"], 5000);
    gateway.upload("c1", "c", Some(from), &vorbis).await.expect(201);
    verifies(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_part_of_a_timeline_is_silenced_where_it_lies() {
    let gateway = gateway().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(4000);
    gateway.control("c1", "pause").await.expect(200);
    gateway.advance_ms(4000);
    gateway.control("c1", "resume").await.expect(200);
    gateway.advance_ms(4000);
    // One second early; then one from the pause with two from behind it.
    let parts = format!("{}/PT3S,{}/PT3S", before(from, 1000), after(from, 7000));
    let answer = timeline(&gateway, "c1", "a", &parts, &wav_of(8000, &sound(6000))).await.expect(201);
    let silent: Vec<(u64, u64)> = stretches(&answer).iter().map(|(offset, ms, _)| (*offset, *ms)).collect();
    assert_eq!(silent, [(0, 1000), (3000, 1000)], "{answer}");
    assert_eq!(answer["silenced"][1]["from"], json!(written(after(from, 7000))), "{answer}");
    assert!(kept(&gateway, &answer).await == silenced(sound(6000), &[(0, 1000), (3000, 4000)]));
    stored(&gateway, 1).await;
    verifies(&gateway).await;
}

/// A pause in which the platform should have written silence: what it wrote is silenced, and the log verifies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sounds_in_a_pause_that_should_be_silent_is_silenced() {
    let gateway = with(|settings| settings.least_kept_percent = 80).await;
    let from = granted(&gateway).await;
    let pause = json!({"action": "pause", "behavior": "silence"});
    gateway.advance_ms(2000);
    gateway.recorder.post("/v1/calls/c1/recording", &pause).await.expect(200);
    gateway.advance_ms(2000);
    gateway.control("c1", "resume").await.expect(200);
    gateway.advance_ms(2000);
    let answer = gateway.upload("c1", "a", Some(from), &wav_of(8000, &sound(6000))).await.expect(201);
    assert_eq!(stretches(&answer), one(2000, 2000, "paused"), "{answer}");
    assert!(kept(&gateway, &answer).await == silenced(sound(6000), &[(2000, 4000)]));
    stored(&gateway, 1).await;
    verifies(&gateway).await;
}

/// Consent that is logged while the bytes pass comes too late for those that were silenced: nothing is lost by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_covered_while_it_passes_is_not_lost() {
    let gateway = gateway().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(50);
    // A recorder that sends while it records.
    let audio = wav_of(8000, &sound(5000));
    let path = "/v1/calls/c1/recordings/a";
    let mut upload = Upload::admitted(&gateway.recorder, path, Some(from), audio.len()).await;
    upload.send(&audio[..audio.len() - 100]).await;
    gateway.advance_ms(6000);
    upload.send(&audio[audio.len() - 100..]).await;
    let (status, told) = upload.answer().await;
    assert_eq!(status, 503, "{told}");
    nothing_got_in(&gateway).await;
    let answer = gateway.upload("c1", "a", Some(from), &audio).await.expect(201);
    assert!(stretches(&answer).is_empty(), "{answer}");
    assert!(kept(&gateway, &answer).await == sound(5000));
    verifies(&gateway).await;
}

/// A timeline is rounded: up to two seconds more count with its last stretch, and less than it says is no matter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeline_that_is_rounded_costs_nothing() {
    let gateway = gateway().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(12_000);
    let audio = wav_of(8000, &sound(5400));
    let answer = timeline(&gateway, "c1", "a", &format!("{from}/PT5S"), &audio).await.expect(201);
    assert!(stretches(&answer).is_empty(), "{answer}");
    assert!(kept(&gateway, &answer).await == sound(5400));
    gateway.event("c1", &json!({"type": "consent.declined", "participant": "caller"})).await.expect(201);
    gateway.advance_ms(12_000);
    let parts = format!("{}/PT7S", after(from, 6000));
    let answer = timeline(&gateway, "c1", "b", &parts, &wav_of(8000, &sound(6600))).await.expect(201);
    assert_eq!(stretches(&answer).first().map(|(offset, _, _)| *offset), Some(6000), "{answer}");
    assert!(kept(&gateway, &answer).await == silenced(sound(6600), &[(6000, 6600)]));
    stored(&gateway, 2).await;
    verifies(&gateway).await;
}

/// The moments that another recording holds are taken; those that it only silenced are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_silenced_uses_up_nothing() {
    let gateway = gateway().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(10_000);
    gateway.upload("c1", "a", Some(before(from, 4000)), &wav_of(8000, &sound(8000))).await.expect(201);
    let answer = gateway.upload("c1", "b", Some(from), &wav_of(8000, &sound(9000))).await.expect(201);
    assert_eq!(stretches(&answer), one(0, 4000, "taken"), "{answer}");
    gateway.upload("c1", "c", Some(from), &wav_of(8000, &sound(9000))).await.problem(403, "uncovered-audio");
    stored(&gateway, 2).await;
    verifies(&gateway).await;
}

#[tokio::test]
async fn an_account_that_deletes_at_a_withdrawal_silences_nothing() {
    let gateway = with(|settings| settings.on_withdrawal = OnWithdrawal::Delete).await;
    let from = granted(&gateway).await;
    gateway.advance_ms(5000);
    gateway.event("c1", &json!({"type": "consent.withdrawn", "participant": "caller"})).await.expect(201);
    gateway.advance_ms(5000);
    gateway
        .upload("c1", "a", Some(from), &wav_of(8000, &sound(8000)))
        .await
        .problem(403, "consent-withdrawn");
    nothing_got_in(&gateway).await;
}

/// The codecs that recorders write: the file is as long, plays, and nothing is to be heard where nobody was asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_recordings_are_silenced_as_well() {
    let gateway = gateway().await;
    for (turn, options) in [
        &["-c:a", "libmp3lame", "-b:a", "32k", "-f", "mp3"][..],
        &["-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "1", "-f", "mp3"],
        &["-c:a", "libopus", "-b:a", "24k", "-application", "voip", "-f", "ogg"],
        &["-c:a", "pcm_mulaw", "-f", "wav"],
    ]
    .into_iter()
    .enumerate()
    {
        let call = format!("c{turn}");
        let from: Timestamp = super::granted_in(&gateway, &call, "US-CA").await;
        gateway.advance_ms(10_000);
        let audio = encoded(options, 8000);
        let answer = gateway.upload(&call, "a", Some(before(from, 3000)), &audio).await.expect(201);
        assert_eq!(stretches(&answer).first().map(|(_, ms, _)| *ms), Some(3000), "{answer}");
        let opened = gateway.fetch_and_open(answer["id"].as_str().unwrap()).await;
        assert_eq!(opened.len(), audio.len());
        let played = decoded(&opened);
        assert!(played.len() > 8 * 7900, "{options:?}: {}", played.len());
        let loudest = |from: usize, until: usize| {
            played[from * 8..until * 8].iter().map(|sample| sample.unsigned_abs()).max().unwrap()
        };
        assert!(loudest(0, 3000) <= 8, "{options:?}: {}", loudest(0, 3000));
        assert!(loudest(3400, 7500) > 1000, "{options:?}");
    }
    verifies(&gateway).await;
}

/// A tone, as `ffmpeg` encodes it with these options.
fn encoded(options: &[&str], ms: u64) -> Vec<u8> {
    let source = format!("sine=frequency=440:sample_rate=8000:duration={},volume=4", Seconds(ms));
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", &source]).args(options).arg("pipe:1");
    let output = command.stderr(Stdio::inherit()).output().expect("`ffmpeg` is there: tests/run installs it");
    assert!(output.status.success());
    output.stdout
}

fn written(at: Timestamp) -> String {
    trail::clock::Moment(at).to_string()
}

struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// What `ffmpeg` plays of it, at 8 kHz.
fn decoded(bytes: &[u8]) -> Vec<i16> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i", "pipe:0", "-f", "s16le", "-ar", "8000", "-ac", "1", "pipe:1"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let feeding = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap().unwrap();
    output.stdout.as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
}
