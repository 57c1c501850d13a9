//! What is silenced: nothing of it is left for any decoder, and all else is as it was.

use super::players::originals::{self, Original};
use super::players::{ffmpeg_plays, has, say, sox_plays};
use super::*;

/// What was kept of an upload that came in pieces of these sizes, and what was said of it.
fn silenced(
    upload: &[u8],
    plan: &[(u64, u64)],
    pieces: &[usize],
) -> Result<(Vec<u8>, Finished), Unmeasurable> {
    let mut meter = Meter::silencing(Plan::new(plan.iter().copied()));
    let (mut kept, mut rest) = (Vec::new(), upload);
    let mut sizes = pieces.iter().copied().cycle();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(sizes.next().unwrap_or(usize::MAX).clamp(1, rest.len()));
        meter.push(piece)?;
        kept.extend_from_slice(meter.passed(piece));
        rest = later;
    }
    let finished = meter.finish_silencing()?;
    kept.extend_from_slice(&finished.rest);
    Ok((kept, finished))
}

/// Recordings with sound throughout, of every kind that can be silenced.
fn recordings(scratch: &std::path::Path) -> Vec<Original> {
    let mut all: Vec<Original> = originals::all(scratch)
        .into_iter()
        .filter(|original| !original.disguised && !is_other(original))
        .collect();
    for (extension, rate, channels, options) in [
        // The reservoir is full, or empty; frames of all sizes.
        ("mp3", 44_100, 2, &["-b:a", "320k"][..]),
        ("mp3", 48_000, 1, &["-q:a", "0"]),
        ("mp3", 44_100, 1, &["-b:a", "64k", "-reservoir", "0"]),
        ("mp3", 24_000, 2, &["-b:a", "32k"]),
        // Silk, a hybrid, frames of every length, a copy of the packet before, and several streams.
        (
            "opus",
            48_000,
            1,
            &["-c:a", "libopus", "-b:a", "12k", "-application", "voip", "-frame_duration", "20"],
        ),
        (
            "opus",
            48_000,
            1,
            &["-c:a", "libopus", "-b:a", "24k", "-application", "voip", "-fec", "1", "-packet_loss", "30"],
        ),
        ("opus", 48_000, 2, &["-c:a", "libopus", "-b:a", "96k", "-frame_duration", "2.5"]),
        ("opus", 48_000, 1, &["-c:a", "libopus", "-b:a", "8k", "-frame_duration", "120", "-vbr", "off"]),
        ("opus", 48_000, 6, &["-c:a", "libopus", "-b:a", "256k", "-mapping_family", "1"]),
    ] {
        all.push(originals::encoded(scratch, extension, rate, channels, options));
    }
    all
}

fn is_other(original: &Original) -> bool {
    original.extension == "spx" || original.name.contains("vorbis")
}

fn scratch(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("consent-gateway-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Where a sound may still be heard around a stretch, or be missing, for what its codec spreads.
fn around_ms(original: &Original) -> u64 {
    match original.extension {
        "wav" if original.name.contains("GSM") => 250,
        "wav" => 1,
        // Frames of 72 ms, and as much data that wait for their frame.
        "mp3" if original.name.contains(" 8000 Hz") => 1300,
        _ => 600,
    }
}

#[test]
fn players_play_silence_where_it_was_planned_and_the_recording_elsewhere() {
    if !has("ffmpeg") || !has("sox") {
        say("skipped: `ffmpeg` and `sox` are missing; tests/run installs them");
        return;
    }
    let slow = std::env::var("GATEWAY_TEST_SLOW").is_ok_and(|slow| slow == "true");
    let scratch = scratch("silenced");
    let plans = [
        vec![(0, 700)],
        vec![(700, 1300)],
        vec![(333, 334), (1001, 1500)],
        vec![(1500, u64::MAX)],
        vec![(0, 501), (900, 1107), (1800, 2900)],
    ];
    let mut heard = 0;
    for (turn, original) in recordings(&scratch).into_iter().enumerate() {
        let whole = measure(&original.bytes).unwrap();
        let last = whole.duration_ms;
        let path = scratch.join(format!("played.{}", original.extension));
        let play = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            [ffmpeg_plays(&path, &whole), sox_plays(&path, &whole)]
        };
        let before = play(&original.bytes);
        for plan in plans.iter().cycle().skip(turn).take(if slow { plans.len() } else { 1 }) {
            let (kept, finished) = silenced(&original.bytes, plan, &[4096]).unwrap();
            let name = format!("{} {plan:?}", original.name);
            assert_eq!(kept.len(), original.bytes.len(), "{name}");
            let again = measure(&kept).unwrap();
            assert_eq!((again.duration_ms, again.codec_adds_ms), (last, whole.codec_adds_ms), "{name}");
            let expected: Vec<(u64, u64)> =
                plan.iter().map(|(from, until)| (*from, (*until).min(last))).collect();
            assert_eq!(finished.silenced, Silenced::Stretches(expected.clone()), "{name}");
            if let Some(silence) = again.silence {
                assert!(is_silent(&silence, &expected), "{name}");
            }
            for (before, after) in before.iter().zip(play(&kept)) {
                heard += usize::from(!before.is_empty());
                judge(&name, &original, &whole, &expected, before, &after);
            }
        }
    }
    assert!(heard > 30, "the players play too few: {heard}");
    std::fs::remove_dir_all(scratch).unwrap();
}

/// Whether the cells that lie within these stretches are silent.
fn is_silent(silence: &Silence, stretches: &[(u64, u64)]) -> bool {
    stretches.iter().all(|(from, until)| silence.covers(from.div_ceil(20) * 20, until / 20 * 20))
}

fn judge(
    name: &str,
    original: &Original,
    whole: &Measured,
    plan: &[(u64, u64)],
    before: &[i16],
    after: &[i16],
) {
    let (rate, channels) = (u64::from(whole.sample_rate), usize::from(whole.channels));
    let around = around_ms(original);
    // The last samples of a codec are the encoder's.
    let tolerance = match original.extension {
        // A decoder of GSM goes on from what it played before.
        "wav" if original.name.contains("GSM") => 500,
        "wav" => 0,
        // A decoder goes on from what it has played, or in another frame: only the loudness is compared.
        _ => u32::MAX,
    };
    let at = |index: usize| (index / channels) as u64 * 1000 / rate;
    for (index, new) in after.iter().enumerate() {
        if plan.iter().any(|(from, until)| (*from..*until).contains(&at(index))) {
            let loud = match original.extension {
                "wav" if original.name.contains("GSM") => 24,
                // A-law knows no zero.
                "wav" if original.name.contains("alaw") => 8,
                _ => 1,
            };
            assert!(new.unsigned_abs() <= loud, "{name}: {new} is played at {} ms", at(index));
        }
    }
    // Players leave out a first frame or a last one that they cannot decode, and decode it if it is silent.
    let shorter = before.len().min(after.len());
    let ends = (&before[before.len() - shorter..], &after[after.len() - shorter..]);
    let compared = |(before, after): (&[i16], &[i16])| {
        let kept = |index: &usize| {
            plan.iter().all(|(from, until)| at(*index) + around < *from || *until + around <= at(*index))
        };
        let both = before.iter().zip(after).enumerate().filter(|(index, _)| kept(index));
        let differs = |(old, new): (&i16, &i16)| i32::from(*old).abs_diff(i32::from(*new)) > tolerance;
        let wrong = both
            .clone()
            .find(|(_, both)| differs(*both))
            .map(|(index, (old, new))| format!("{name}: {new}, not {old}, at {} ms", at(index)));
        (both.count(), wrong)
    };
    let (kept, wrong) = compared((before, after));
    let wrong = wrong.and_then(|wrong| compared(ends).1.map(|_| wrong));
    assert_eq!(wrong, None);
    let loudest = |played: &[i16]| {
        let far = |index: &usize| plan.iter().all(|(_, until)| until + around <= at(*index));
        let all = played.iter().enumerate().filter(|(index, _)| far(index));
        all.map(|(_, sample)| sample.unsigned_abs()).max().unwrap_or(0)
    };
    assert!(loudest(after) >= loudest(before) / 2, "{name}: what follows is gone");
    // Several stretches may leave nothing between them that the codec does not touch.
    assert!(before.is_empty() || kept > 0 || plan.len() > 1, "{name}: nothing of it was kept");
}

/// What is kept of a stretch is the same, byte by byte, whatever sounded in it; and it is all silenced at once.
#[test]
fn what_is_kept_does_not_depend_on_what_was_silenced() {
    if !has("ffmpeg") || !has("sox") {
        say("skipped: `ffmpeg` and `sox` are missing; tests/run installs them");
        return;
    }
    let scratch = scratch("independent");
    let of = |extension, rate, channels, options: &[&str]| {
        [440, 1234].map(|hz| {
            let options = [
                &[
                    "-af",
                    if hz == 440 { "anull" } else { "asetrate=96000,aresample=48000,apad=pad_dur=2" },
                    "-t",
                    "2.9",
                    "-fflags",
                    "+bitexact",
                    "-flags:a",
                    "+bitexact",
                ],
                options,
            ]
            .concat();
            originals::encoded(&scratch, extension, rate, channels, &options)
        })
    };
    let mut compared = 0;
    for [one, other] in [
        of("wav", 8000, 1, &["-c:a", "pcm_s16le"]),
        of("wav", 8000, 2, &["-c:a", "pcm_alaw"]),
        of("mp3", 44_100, 2, &["-b:a", "128k"]),
        of("mp3", 16_000, 1, &["-b:a", "24k"]),
        of("mp3", 48_000, 1, &["-b:a", "320k"]),
        of("opus", 48_000, 1, &["-c:a", "libopus", "-vbr", "off", "-b:a", "24k", "-application", "voip"]),
        of("opus", 48_000, 2, &["-c:a", "libopus", "-vbr", "off", "-b:a", "96k"]),
    ] {
        let plan = [(300, 2600)];
        let kept = [&one, &other].map(|original| silenced(&original.bytes, &plan, &[1000]).unwrap());
        let [(first, said), (second, _)] = &kept;
        assert_eq!(said.silenced, Silenced::Stretches(plan.to_vec()), "{}", one.name);
        assert_eq!(first.len(), second.len(), "{}", one.name);
        // The bit rate is constant: the middle of the file is the middle of the stretch.
        let middle = first.len() * 2 / 5..first.len() * 3 / 5;
        assert!(one.bytes[middle.clone()] != other.bytes[middle.clone()], "{}", one.name);
        assert!(first[middle.clone()] == second[middle], "{}", one.name);
        let (again, _) = silenced(first, &plan, &[777]).unwrap();
        assert!(again == *first, "{}: it was not all silenced the first time", one.name);
        compared += 1;
    }
    assert_eq!(compared, 7);
    std::fs::remove_dir_all(scratch).unwrap();
}

/// With the side information that the frames had, a decoder finds nothing where their data lay.
#[test]
fn headers_that_are_forged_bring_nothing_back() {
    if !has("ffmpeg") || !has("sox") {
        say("skipped: `ffmpeg` and `sox` are missing; tests/run installs them");
        return;
    }
    let scratch = scratch("forged");
    let mut tried = 0;
    for (rate, channels, options) in [
        (44_100, 2, &["-b:a", "320k"][..]),
        (44_100, 2, &["-b:a", "128k"]),
        (48_000, 1, &["-q:a", "0"]),
        (24_000, 2, &["-b:a", "64k"]),
        (8000, 1, &["-b:a", "32k"]),
    ] {
        // Noise is like nothing but itself.
        let options = [&["-af", "aeval=random(0)-0.5:c=mono"], options].concat();
        let original = originals::encoded(&scratch, "mp3", rate, channels, &options);
        let whole = measure(&original.bytes).unwrap();
        let (kept, _) = silenced(&original.bytes, &[(500, 1500)], &[4096]).unwrap();
        let mut forged = kept.clone();
        let header =
            |at: usize| original.bytes.get(at..at + 4).map_or([0; 4], |start| start.try_into().unwrap());
        let mut at = original.bytes.windows(2).position(|pair| pair[0] == 0xFF && pair[1] >= 0xE0).unwrap();
        while let Ok(frame) = mp3::Frame::parse(header(at), 0) {
            let end = (at + if frame.is_mpeg_1() { 36 } else { 21 }).min(kept.len());
            forged[at..end].copy_from_slice(&original.bytes[at..end]);
            at += frame.length as usize;
        }
        let path = scratch.join("forged.mp3");
        let plays = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            [ffmpeg_plays(&path, &whole), sox_plays(&path, &whole)]
        };
        for (before, after) in plays(&original.bytes).iter().zip(plays(&forged)) {
            let second = usize::from(whole.channels) * whole.sample_rate as usize;
            let [before, after] =
                [before, &after].map(|played| played.get(second / 2..second * 3 / 2).unwrap_or_default());
            assert!(likeness(before, before) > 0.9, "{}: nothing was recorded", original.name);
            let left = likeness(before, after);
            assert!(left < 0.2, "{}: it is there again: {left}", original.name);
            tried += 1;
        }
    }
    assert!(tried > 8, "{tried}");
    std::fs::remove_dir_all(scratch).unwrap();
}

/// How much one recording sounds like another: 1 if they are the same but for their loudness.
fn likeness(one: &[i16], other: &[i16]) -> f64 {
    let product = |one: &[i16], other: &[i16]| -> f64 {
        one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
    };
    product(one, other).abs() / (product(one, one) * product(other, other)).sqrt().max(1.0)
}

/// A recorder that was killed leaves half a page, a file that was cut elsewhere half a packet. What they hold of a
/// stretch is gone, and what comes of them else is as it was.
#[test]
fn nothing_of_a_stretch_is_left_at_the_cut_end_of_a_file() {
    if !has("ffmpeg") {
        return;
    }
    let scratch = scratch("cut");
    let options = ["-c:a", "libopus", "-b:a", "24k"];
    let opus = originals::encoded(&scratch, "opus", 48_000, 1, &options).bytes;
    let options = ["-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0"];
    let mp3 = originals::encoded(&scratch, "mp3", 44_100, 1, &options).bytes;
    for (upload, cut) in [(&opus, 5), (&opus, 60), (&mp3, 50), (&mp3, 207)] {
        let upload = &upload[..upload.len() - cut];
        let whole = measure(upload).unwrap();
        let until = whole.duration_ms;
        let (kept, finished) = silenced(upload, &[(until - 60, until)], &[333]).unwrap();
        assert_eq!(finished.silenced, Silenced::Stretches(vec![(until - 60, until)]));
        // All of the page that was cut, or the end of the frame.
        let last = upload.windows(4).rposition(|start| start == b"OggS");
        let tail = last.unwrap_or(upload.len() - 40);
        let audio = |bytes: &[u8]| bytes[tail..].to_vec();
        assert_ne!(audio(upload), audio(&kept), "{cut}");
        assert!(audio(&kept).iter().all(|byte| *byte == 0), "{cut}: {:?}", audio(&kept));
        // A plan behind its end leaves it alone.
        let (kept, finished) = silenced(upload, &[(until + 2000, u64::MAX)], &[333]).unwrap();
        assert_eq!(finished.silenced, Silenced::Nothing, "{cut}");
        assert!(kept == upload, "{cut}");
    }
    std::fs::remove_dir_all(scratch).unwrap();
}

/// Zeros without end behind the frames, and pages with something between them: nothing waits for more of it.
#[test]
fn what_follows_the_audio_does_not_wait() {
    let frame = [[0xFF, 0xFB, 0x50, 0xC0].as_slice(), &[0; 204]].concat();
    let mut meter = Meter::silencing(Plan::new([(10, 50)]));
    meter.push(&frame.repeat(20)).unwrap();
    let mut longest = 0;
    for _ in 0..2000 {
        meter.push(&[0; 4096]).unwrap();
        longest = longest.max(meter.passed(&[]).len());
    }
    assert!(longest < 20_000, "{longest}");
    let finished = meter.finish_silencing().unwrap();
    assert!(finished.rest.len() < 20_000);
    assert_eq!(finished.silenced, Silenced::Stretches(vec![(10, 50)]));
}

/// Behind a stretch, a recording goes on where it would have: no player leaves out a frame of it, and each plays what it
/// played before.
#[test]
fn what_follows_a_stretch_stands_where_it_stood() {
    if !has("ffmpeg") || !has("sox") {
        say("skipped: `ffmpeg` and `sox` are missing; tests/run installs them");
        return;
    }
    let scratch = scratch("follows");
    let mut wrong = Vec::new();
    for (extension, rate, channels, options) in [
        ("mp3", 44_100, 2, &["-b:a", "320k"][..]),
        ("mp3", 44_100, 2, &["-b:a", "128k"]),
        ("mp3", 48_000, 1, &["-q:a", "0"]),
        ("mp3", 22_050, 1, &["-q:a", "6"]),
        ("mp3", 16_000, 1, &["-b:a", "24k"]),
        ("mp3", 8000, 1, &["-b:a", "8k", "-write_xing", "0", "-id3v2_version", "0"]),
        ("opus", 48_000, 1, &["-c:a", "libopus", "-b:a", "16k", "-application", "voip"]),
        ("opus", 48_000, 2, &["-c:a", "libopus", "-b:a", "96k"]),
        ("opus", 48_000, 1, &["-c:a", "libopus", "-b:a", "8k", "-frame_duration", "120", "-vbr", "off"]),
    ] {
        // Noise is like nothing but itself, so that a shift shows.
        let mono = if channels == 1 { "" } else { "|random(1)-0.5" };
        let noise = format!(
            "pan={}c|{}aeval=random(0)-0.5{mono}",
            channels,
            if channels == 1 { "c0=c0," } else { "c0=c0|c1=c0," }
        );
        let options = [&["-af", &noise], options].concat();
        let original = originals::encoded(&scratch, extension, rate, channels, &options);
        let whole = measure(&original.bytes).unwrap();
        let path = scratch.join(format!("played.{extension}"));
        let play = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            [ffmpeg_plays(&path, &whole), sox_plays(&path, &whole)]
        };
        let before = play(&original.bytes);
        for plan in [(0, 700), (700, 1000)] {
            let (kept, _) = silenced(&original.bytes, &[plan], &[4096]).unwrap();
            for (before, after) in before.iter().zip(play(&kept)) {
                if before.is_empty() {
                    continue;
                }
                let second = usize::from(channels) * rate as usize;
                let (old, new) =
                    (&before[second * 21 / 10..second * 27 / 10], &after[second * 21 / 10..second * 27 / 10]);
                let same = likeness(old, new);
                if same < 0.98 {
                    wrong.push(format!(
                        "{} {plan:?}: {same:.3}, lengths {} {}",
                        original.name,
                        before.len(),
                        after.len()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    std::fs::remove_dir_all(scratch).unwrap();
}

/// Frames with a checksum get the right one: `ffmpeg` refuses others if it is told to.
#[test]
fn silent_frames_with_a_checksum_have_the_right_one() {
    if !has("ffmpeg") {
        return;
    }
    let mut file = Vec::new();
    for turn in 0..60_u8 {
        // MPEG 1, protected, 64 kbit/s, 44.1 kHz, mono: 208 bytes.
        let mut frame = vec![turn; 208];
        frame[..4].copy_from_slice(&[0xFF, 0xFA, 0x50, 0xC0]);
        frame[4..6].copy_from_slice(&[0, 0]);
        file.extend(frame);
    }
    let scratch = scratch("checksum");
    let decodes = |bytes: &[u8]| {
        let path = scratch.join("file.mp3");
        std::fs::write(&path, bytes).unwrap();
        let mut command = std::process::Command::new("ffmpeg");
        command
            .args(["-v", "error", "-nostdin", "-err_detect", "crccheck+explode", "-xerror", "-i"])
            .arg(path);
        command.args(["-f", "null", "-"]).stderr(std::process::Stdio::null()).status().unwrap().success()
    };
    let (kept, _) = silenced(&file, &[(0, u64::MAX)], &[100]).unwrap();
    assert!(decodes(&kept));
    let mut wrong = kept.clone();
    wrong[208 * 20 + 5] ^= 1;
    assert!(!decodes(&wrong), "the checksum is not looked at");
    std::fs::remove_dir_all(scratch).unwrap();
}

#[test]
fn what_cannot_be_silenced_is_said() {
    if !has("ffmpeg") {
        return;
    }
    let scratch = scratch("other");
    for original in originals::all(&scratch).into_iter().filter(is_other) {
        let (kept, finished) = silenced(&original.bytes, &[(500, 900)], &[4096]).unwrap();
        assert_eq!(finished.silenced, Silenced::Not { altered: false }, "{}", original.name);
        assert_eq!(kept, original.bytes);
        // A plan for what it does not hold is no matter.
        let (_, finished) = silenced(&original.bytes, &[(500_000, u64::MAX)], &[4096]).unwrap();
        assert_eq!(finished.silenced, Silenced::Nothing, "{}", original.name);
    }
    std::fs::remove_dir_all(scratch).unwrap();
    // Half a frame stands between the frames: nobody can say which time the later ones have.
    let frame = [[0xFF, 0xFB, 0x50, 0xC0].as_slice(), &[0; 204]].concat();
    let file = [frame.repeat(20), frame[..100].to_vec(), frame.repeat(20)].concat();
    let (_, finished) = silenced(&file, &[(100, 900)], &[64]).unwrap();
    assert_eq!(finished.silenced, Silenced::Not { altered: true });
}

proptest! {
    #![proptest_config(crate::random::cases())]

    /// However an upload is cut into pieces, and whatever the plan is: what is kept is as long, it measures the same,
    /// it is silent where it was planned, and a plan for nothing changes nothing.
    #[test]
    fn any_plan_on_any_recording(
        which in any::<Index>(),
        plan in vec((0u64..3000, 1u64..1500), 0..4),
        pieces in vec(1usize..5000, 1..5),
    ) {
        let all = super::recordings();
        let upload = which.get(&all);
        let plan: Vec<(u64, u64)> = plan.into_iter().map(|(from, length)| (from, from + length)).collect();
        let before = measure(upload).unwrap();
        let (kept, finished) = silenced(upload, &plan, &pieces).unwrap();
        prop_assert_eq!(kept.len(), upload.len());
        prop_assert_eq!(&finished.measured, &before);
        let after = measure(&kept).unwrap();
        prop_assert_eq!(after.duration_ms, before.duration_ms);
        match finished.silenced {
            Silenced::Nothing | Silenced::Not { altered: false } => prop_assert_eq!(&kept, upload),
            Silenced::Not { altered: true } => {}
            Silenced::Stretches(stretches) => {
                prop_assert!(after.silence.as_ref().is_none_or(|silence| is_silent(silence, &stretches)));
                let (again, _) = silenced(&kept, &plan, &[usize::MAX]).unwrap();
                prop_assert_eq!(again, kept);
            }
        }
    }
}
