//! Recordings as recorders write them, two seconds of a tone and a second of silence.

use super::*;

/// A recording of one accepted kind.
pub(in super::super) struct Original {
    pub(in super::super) name: String,
    pub(in super::super) extension: &'static str,
    pub(in super::super) bytes: Vec<u8>,
    /// Whether it is refused, unless something happens to it.
    pub(in super::super) disguised: bool,
}

/// One of every encoding and usual setting.
pub(in super::super) fn all(scratch: &Path) -> Vec<Original> {
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
    all.extend(disguised(scratch));
    all
}

/// Files that are read as one format by us, and as another one that lasts longer by a player.
fn disguised(scratch: &Path) -> Vec<Original> {
    let mut all = Vec::new();
    let mut add = |name: &str, extension, bytes| {
        all.push(Original { name: format!("{extension} around {name}"), extension, bytes, disguised: true });
    };
    for (format, bits, options) in [
        ("mp3", 16, &["-ar", "8000", "-b:a", "8k", "-write_xing", "0", "-id3v2_version", "0"][..]),
        ("mp3", 16, &["-ar", "8000", "-b:a", "8k", "-metadata", "title=a call"]),
        ("mp2", 16, &["-ar", "16000", "-b:a", "8k"]),
        ("adts", 16, &["-ar", "8000", "-b:a", "8k", "-c:a", "aac"]),
        ("latm", 16, &["-ar", "8000", "-b:a", "8k", "-c:a", "aac"]),
        ("ac3", 16, &["-ar", "32000", "-b:a", "32k"]),
        ("eac3", 16, &["-ar", "32000", "-b:a", "32k"]),
        ("spdif", 32, &["-ar", "24000", "-b:a", "8k", "-c:a", "mp3"]),
        ("nut", 32, &["-ar", "8000", "-b:a", "8k", "-c:a", "libmp3lame"]),
    ] {
        let path = scratch.join("original.disguised");
        let mut command = Command::new("ffmpeg");
        command.args([
            "-v",
            "error",
            "-nostdin",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:duration=10",
        ]);
        command.args(["-ac", "1"]).args(options).args(["-f", format]).arg(&path);
        assert!(command.status().unwrap().success(), "{format}");
        let stream = taken(&path);
        add(format, "wav", samples_of(bits, &stream));
        add(&format!("zeros and {format}"), "wav", samples_of(bits, &[vec![0; 30_000], stream].concat()));
    }
    let path = scratch.join("original.hcom");
    let mut command = Command::new("sox");
    command.args(["-n", "-r", "22050", "-c", "1", "-b", "8"]).arg(&path);
    assert!(command.args(["synth", "10", "sine", "440", "vol", "0.5"]).status().unwrap().success());
    let hcom = taken(&path);
    add("HCOM", "wav", samples_of(32, &hcom[44..]));
    add("HCOM", "mp3", frames_over(hcom));
    let voice =
        [b"Creative Voice File\x1A\x1A\0\x0A\x01\x29\x11\x01\x42\x9C\0\x83\0".as_slice(), &[0x60; 50_000]];
    add("a Creative voice file", "mp3", [voice[0], &frames_over(voice[1].to_vec())].concat());
    add("GSM", "mp3", frames_over([0xD5; 33].repeat(2000)));
    let mut dated = vec![0; 100_000];
    dated[256 - 44] = 0x84;
    dated[512 - 44..].fill(0x35);
    add("ACT", "wav", samples_of(32, &dated));
    all
}

/// A WAV file of eight channels, where many bytes last a moment.
fn samples_of(bits: u16, data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap();
    let block = bits;
    let mut file =
        [b"RIFF".as_slice(), &(size + 36).to_le_bytes(), b"WAVEfmt \x10\0\0\0\x01\0\x08\0"].concat();
    file.extend(48_000_u32.to_le_bytes());
    file.extend((48_000 * u32::from(block)).to_le_bytes());
    file.extend([block, bits].map(u16::to_le_bytes).as_flattened());
    [&file, b"data".as_slice(), &size.to_le_bytes(), data].concat()
}

/// Headers of frames of MP3, 40 kB a second, over whatever is there.
fn frames_over(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 1440 * 1440);
    bytes.chunks_mut(1440).for_each(|frame| frame[..4].copy_from_slice(&[0xFF, 0xFB, 0xE8, 0xC0]));
    bytes
}

pub(in super::super) fn encoded(
    scratch: &Path,
    extension: &'static str,
    rate: u32,
    channels: u16,
    options: &[&str],
) -> Original {
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
        disguised: false,
    }
}

/// What ffmpeg does not write.
pub(in super::super) fn gsm(scratch: &Path) -> Original {
    let path = scratch.join("original.wav");
    let mut command = Command::new("sox");
    command.args(["-n", "-r", "8000", "-c", "1", "-e", "gsm-full-rate"]).arg(&path);
    assert!(command.args(["synth", "2", "sine", "440", "pad", "0", "1"]).status().unwrap().success());
    Original { name: "wav GSM".to_owned(), extension: "wav", bytes: taken(&path), disguised: false }
}

fn taken(path: &PathBuf) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    bytes
}
