//! Recordings as recorders write them, two seconds of a tone and a second of silence.

use super::*;

/// A recording of one accepted kind.
pub(super) struct Original {
    pub(super) name: String,
    pub(super) extension: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// One of every encoding and usual setting.
pub(super) fn all(scratch: &Path) -> Vec<Original> {
    let mut all = Vec::new();
    for (codec, rate, channels) in [
        ("pcm_u8", 8000, 1),
        ("pcm_s16le", 8000, 1),
        ("pcm_s16le", 16_000, 2),
        ("pcm_s24le", 48_000, 2),
        ("pcm_s32le", 8000, 1),
        ("pcm_f32le", 16_000, 1),
        ("pcm_mulaw", 8000, 1),
        ("pcm_alaw", 8000, 2),
    ] {
        all.push(encoded(scratch, "wav", rate, channels, &["-c:a", codec]));
    }
    all.push(encoded(scratch, "wav", 8000, 1, &["-c:a", "pcm_s16le", "-fflags", "+bitexact"]));
    all.push(gsm(scratch));
    for (rate, channels, options) in [
        (8000, 1, &["-b:a", "8k", "-write_xing", "0", "-id3v2_version", "0"][..]),
        (16_000, 1, &["-b:a", "24k", "-metadata", "title=a call"]),
        (44_100, 2, &["-b:a", "128k", "-write_id3v1", "1"]),
        (22_050, 1, &["-q:a", "6"]),
    ] {
        all.push(encoded(scratch, "mp3", rate, channels, options));
    }
    for (extension, rate, channels, options) in [
        ("opus", 48_000, 1, &["-c:a", "libopus", "-b:a", "16k"][..]),
        ("opus", 48_000, 2, &["-c:a", "libopus", "-b:a", "12k", "-frame_duration", "60"]),
        ("ogg", 44_100, 1, &["-c:a", "libvorbis"]),
        ("ogg", 8000, 2, &["-c:a", "libvorbis"]),
        ("spx", 8000, 1, &["-c:a", "libspeex"]),
        ("spx", 16_000, 1, &["-c:a", "libspeex", "-frames_per_packet", "4"]),
    ] {
        all.push(encoded(scratch, extension, rate, channels, options));
    }
    all
}

fn encoded(scratch: &Path, extension: &'static str, rate: u32, channels: u16, options: &[&str]) -> Original {
    let path = scratch.join(format!("original.{extension}"));
    let (rate, channels) = (rate.to_string(), channels.to_string());
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i"]);
    command.arg("sine=frequency=440:sample_rate=48000:duration=2,volume=4,apad=pad_dur=1");
    command.args(["-ar", &rate, "-ac", &channels]).args(options);
    // One page a fifth of a second, as live writers have it.
    if matches!(extension, "opus" | "ogg" | "spx") {
        command.args(["-page_duration", "200000"]);
    }
    assert!(command.arg(&path).status().unwrap().success(), "{options:?}");
    Original {
        name: format!("{extension} {rate} Hz {channels} {}", options.join(" ")),
        extension,
        bytes: taken(&path),
    }
}

/// What ffmpeg does not write.
fn gsm(scratch: &Path) -> Original {
    let path = scratch.join("original.wav");
    let mut command = Command::new("sox");
    command.args(["-n", "-r", "8000", "-c", "1", "-e", "gsm-full-rate"]).arg(&path);
    assert!(command.args(["synth", "2", "sine", "440", "pad", "0", "1"]).status().unwrap().success());
    Original { name: "wav GSM".to_owned(), extension: "wav", bytes: taken(&path) }
}

fn taken(path: &PathBuf) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    bytes
}
