//! What players play of what was accepted: `ffmpeg` and `sox`, on recordings of every accepted format that somebody
//! has tampered with.
//!
//! Neither player may play longer than was measured, or anything where it was measured silent. What the meter
//! refuses is not played. The numbers that everything follows from are printed with a failure, and the file is kept.

mod mutate;
pub(super) mod originals;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Measured;
use super::measure;
use mutate::Mutant;

#[test]
fn no_player_plays_longer_or_louder_than_was_measured() {
    let slow = std::env::var("GATEWAY_TEST_SLOW").is_ok_and(|slow| slow == "true");
    if !has("ffmpeg") || !has("sox") {
        assert!(!slow, "`ffmpeg` and `sox` are missing, and GATEWAY_TEST_SLOW asks for every test");
        say("skipped: `ffmpeg` and `sox` are missing; tests/run installs them");
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("GATEWAY_TEST_SEED").unwrap_or(20_261_129);
    let count = number("GATEWAY_TEST_COUNT").unwrap_or(if slow { 3000 } else { 60 });
    let scratch = std::env::temp_dir().join(format!("consent-gateway-players-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let originals = originals::all(&scratch);
    let (next, report) = (AtomicUsize::new(0), Mutex::new(Report::default()));
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (scratch, originals, next, report) = (&scratch, &originals, &next, &report);
            scope.spawn(move || {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= originals.len() + usize::try_from(count).unwrap() {
                        return;
                    }
                    let mutant = match originals.get(turn) {
                        Some(original) => Mutant::untouched(original),
                        None => Mutant::new(originals, seed.wrapping_add(turn as u64)),
                    };
                    try_one(&mutant, scratch, thread, report);
                }
            });
        }
    });
    let report = report.into_inner().unwrap();
    let said = format!(
        "seed {seed}: {count} mutants, {} accepted of {}, {} played by ffmpeg, {} by sox",
        report.accepted,
        count + originals.len() as u64,
        report.ffmpeg,
        report.sox
    );
    say(&said);
    if report.faults.is_empty() {
        std::fs::remove_dir_all(&scratch).unwrap();
    }
    assert!(report.faults.is_empty(), "{said}\n{}", report.faults.join("\n"));
    // Otherwise the test would hold for want of anything to look at.
    assert!(report.accepted * 20 > usize::try_from(count).unwrap(), "{said}: too few are accepted");
    assert!(report.ffmpeg > 30 && report.sox > 20, "{said}: the players play too few");
}

#[derive(Default)]
struct Report {
    accepted: usize,
    ffmpeg: usize,
    sox: usize,
    faults: Vec<String>,
}

fn try_one(mutant: &Mutant, scratch: &Path, thread: usize, report: &Mutex<Report>) {
    let Ok(measured) = measure(&mutant.bytes) else { return };
    let path = scratch.join(format!("{thread}.{}", mutant.extension));
    std::fs::write(&path, &mutant.bytes).unwrap();
    let mut faults = Vec::new();
    let (mut ffmpeg, mut sox) = (0, 0);
    for (player, played) in
        [(&mut ffmpeg, ffmpeg_plays(&path, &measured)), (&mut sox, sox_plays(&path, &measured))]
    {
        if !played.is_empty() {
            *player = 1;
        }
        faults.extend(judge(&measured, &played));
    }
    let mut report = report.lock().unwrap();
    report.accepted += 1;
    report.ffmpeg += ffmpeg;
    report.sox += sox;
    if !faults.is_empty() {
        let kept = scratch.join(format!("fault-{}.{}", report.faults.len(), mutant.extension));
        std::fs::write(&kept, &mutant.bytes).unwrap();
        let line = format!("{}: {} ({})", mutant.story, faults.join(", "), kept.display());
        report.faults.push(line);
    }
}

/// What is wrong with what a player played: samples of sixteen bits, in the measured rate and channels.
fn judge(measured: &Measured, played: &[i16]) -> Option<String> {
    let (rate, channels) = (u64::from(measured.sample_rate), usize::from(measured.channels));
    let ms = (played.len() / channels) as u64 * 1000 / rate;
    if ms > measured.duration_ms + TOLERANCE_MS {
        return Some(format!("{ms} ms are played, {} were measured", measured.duration_ms));
    }
    let silence = measured.silence.as_ref()?;
    played.iter().enumerate().find_map(|(index, sample)| {
        let at = (index / channels) as u64 * 1000 / rate;
        let loud = sample.unsigned_abs() > LOUD && silence.covers(at, at + 1) && at < measured.duration_ms;
        loud.then(|| format!("{sample} is played at {at} ms, where it was measured silent"))
    })
}

pub(super) fn ffmpeg_plays(path: &Path, measured: &Measured) -> Vec<i16> {
    let (rate, channels) = (measured.sample_rate.to_string(), measured.channels.to_string());
    let arguments =
        ["-v", "quiet", "-nostdin", "-i", path.to_str().unwrap(), "-t", "600", "-f", "s16le", "-ar"];
    let mut command = Command::new("ffmpeg");
    command.args(arguments).args([&rate, "-ac", &channels, "pipe:1"]);
    samples(&mut command)
}

pub(super) fn sox_plays(path: &Path, measured: &Measured) -> Vec<i16> {
    let (rate, channels) = (measured.sample_rate.to_string(), measured.channels.to_string());
    let mut command = Command::new("sox");
    command.args(["-D", path.to_str().unwrap(), "-t", "raw", "-e", "signed", "-b", "16"]);
    command.args(["-c", &channels, "-r", &rate, "-", "trim", "0", "600"]);
    samples(&mut command)
}

/// What came until the player ended, or gave up.
fn samples(command: &mut Command) -> Vec<i16> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().unwrap();
    output.stdout.as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
}

pub(super) fn has(program: &str) -> bool {
    Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

pub(super) fn say(what: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("{what}\n").as_bytes()).unwrap();
}

/// Players resample, and round: the last millisecond that has begun counts.
const TOLERANCE_MS: u64 = 2;

/// The loudest silence, and one for rounding.
const LOUD: u16 = 9;
