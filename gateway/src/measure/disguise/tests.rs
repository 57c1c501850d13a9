use super::super::tests::measure;
use super::*;

/// A WAV file, and what its samples are.
fn wav(bits: u16, data: &[u8]) -> Vec<u8> {
    let length = |more: usize| u32::try_from(data.len() + more).unwrap().to_le_bytes();
    let mut file =
        [b"RIFF".as_slice(), &length(36), b"WAVEfmt ", &16_u32.to_le_bytes(), &[1, 0, 1, 0]].concat();
    file.extend(8000_u32.to_le_bytes());
    file.extend((1000 * u32::from(bits)).to_le_bytes());
    file.extend((bits / 8).to_le_bytes());
    file.extend(bits.to_le_bytes());
    [&file, b"data".as_slice(), &length(0), data].concat()
}

/// Frames of 1440 bytes of MP3, and between their headers whatever is there.
fn mp3(mut body: Vec<u8>) -> Vec<u8> {
    body.truncate(body.len() / 1440 * 1440);
    body.chunks_mut(1440).for_each(|frame| frame[..4].copy_from_slice(&[0xFF, 0xFB, 0xE8, 0xC0]));
    body
}

/// As [`mp3`], with words at places of the file.
fn marked(marks: &[(usize, &[u8])]) -> Vec<u8> {
    let mut body = vec![0x55; 10 * 1440];
    marks.iter().for_each(|(at, mark)| body[*at..at + mark.len()].copy_from_slice(mark));
    mp3(body)
}

fn id3v2(body: &[u8]) -> Vec<u8> {
    let size = u8::try_from(body.len()).unwrap();
    [b"ID3\x04\0\0\0\0\0".as_slice(), &[size], body].concat()
}

/// A frame with what begins it, and of this length.
fn frame(start: &[u8], length: usize) -> Vec<u8> {
    let mut frame = start.to_vec();
    frame.resize(length, 0x2A);
    frame
}

/// Streams of other formats that `ffmpeg` finds in 16-bit samples.
fn streams() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("MPEG audio", frame(&[0xFF, 0xE3, 0x18, 0xC4], 72)),
        ("MPEG audio", frame(&[0xFF, 0xFB, 0x92, 0x40], 418)),
        ("MPEG audio", frame(&[0xFF, 0xFD, 0x84, 0xC0], 384)),
        ("MPEG audio", frame(&[0xFF, 0xF5, 0x18, 0xC0], 72)),
        ("MPEG audio", frame(&[0xFF, 0xFF, 0x14, 0xC0], 32)),
        ("MPEG audio", frame(&[0xFF, 0xF7, 0x14, 0xC0], 64)),
        ("AAC", frame(&[0xFF, 0xF1, 0x6C, 0x40, 0x0C, 0xBF, 0xFC], 101)),
        ("AAC", frame(&[0xFF, 0xF8, 0x6C, 0x40, 0x0C, 0xBF, 0xFC], 101)),
        ("AAC", frame(&[0x56, 0xE0, 0x40], 67)),
        ("AC-3", frame(&[0x0B, 0x77, 0, 0, 0x80, 0x40], 192)),
        ("AC-3", frame(&[0x0B, 0x77, 0, 0, 0x41, 0x40], 140)),
        ("AC-3", frame(&[0x77, 0x0B, 0, 0, 0x40, 0x02], 160)),
        ("E-AC-3", frame(&[0x0B, 0x77, 0, 0x3F, 0x3F, 0x80], 128)),
        ("DTS", frame(&[0x7F, 0xFE, 0x80, 0x01, 0xFC, 0x3C], 300)),
        ("DTS", frame(&[0xFE, 0x7F, 0x01, 0x80, 0x3C, 0xFC], 300)),
        ("DTS", frame(&[0x1F, 0xFF, 0xE8, 0x00, 0x07, 0xF1], 300)),
        ("DTS", frame(&[0xFF, 0x1F, 0x00, 0xE8, 0xF1, 0x07], 300)),
        ("DTS", frame(&[0x64, 0x58, 0x20, 0x25], 300)),
        ("TrueHD", frame(&[0, 0, 0, 0, 0xF8, 0x72, 0x6F, 0xBA], 300)),
        ("MLP", frame(&[0, 0, 0, 0, 0xF8, 0x72, 0x6F, 0xBB], 300)),
        ("IEC 61937", frame(&[0x72, 0xF8, 0x1F, 0x4E, 1, 0], 6144)),
        ("IEC 61937", frame(&[0xF8, 0x72, 0x4E, 0x1F, 0, 1], 6144)),
        ("IEC 61937", frame(&[0x72, 0xF8, 0x96, 0x1F, 0x4E, 0xA5], 6144)),
        ("IEC 61937", frame(&[0x20, 0x87, 0x6F, 0xF0, 0xE1, 0x54], 6144)),
        ("a file with an ID3 tag", id3v2(&[7; 30])),
        ("MXF", frame(b"\x06\x0E\x2B\x34\x02\x05\x01\x01\x0D\x01\x02\x01\x01\x02", 300)),
        ("NUT", frame(b"NM\x7A\x56\x1F\x5F\x04\xAD", 300)),
    ]
}

#[track_caller]
fn refused(file: &[u8], name: &str) {
    let refusal = measure(file);
    let told = matches!(&refusal, Err(Unmeasurable::Disguised { name: found }) if found.contains(name));
    assert!(told, "{name}: {refusal:?}");
}

#[track_caller]
fn accepted(file: &[u8], what: &str) {
    assert!(measure(file).is_ok(), "{what}: {:?}", measure(file));
}

#[test]
fn samples_are_no_stream_of_another_format() {
    for (name, frame) in streams() {
        refused(&wav(16, &frame.repeat(4)), name);
        if name != "a file with an ID3 tag" {
            // Behind zeros, which a stream may begin with, and more of them behind anything.
            refused(&wav(16, &[vec![0; 99_999], frame.repeat(4)].concat()), name);
            refused(&wav(16, &[vec![0x2A; 300_000], frame.repeat(60)].concat()), name);
        }
    }
}

#[test]
fn only_what_players_look_for_in_samples_of_another_size_is_refused_there() {
    for (name, frame) in streams() {
        for bits in [8, 24, 32] {
            let file = wav(bits, &frame.repeat(60));
            match name {
                "MPEG audio" | "AAC" | "AC-3" | "E-AC-3" | "a file with an ID3 tag" => accepted(&file, name),
                _ => refused(&file, name),
            }
        }
    }
}

#[test]
fn a_few_frames_by_chance_are_sound() {
    for (name, frame) in streams() {
        if !matches!(name, "MXF" | "NUT" | "a file with an ID3 tag") {
            accepted(&wav(16, &[vec![0x2A; 50], frame.clone(), vec![0; 50]].concat()), name);
        }
        if matches!(name, "MPEG audio" | "AAC" | "AC-3" | "E-AC-3") {
            accepted(&wav(16, &[vec![0x2A; 50], frame.repeat(40)].concat()), name);
        }
    }
}

#[test]
fn marks_of_other_formats_are_refused_at_their_place() {
    for (name, marks) in [
        ("HCOM", &[(65, b"FSSD".as_slice()), (128, b"HCOM")][..]),
        ("ring tone", &[(16, b"ring.bin")]),
        ("XMV", &[(12, b"xobX")]),
        ("Sega", &[(213, b"Sega Stream")]),
        ("QuickTime", &[(4, b"moov")]),
        ("Scream", &[(44, b"SCRM")]),
        ("ProTracker", &[(1080, b"M.K.")]),
        ("ProTracker", &[(1080, b"8CHN")]),
        ("ProTracker", &[(1080, b"16CH")]),
    ] {
        refused(&marked(marks), name);
        // Players count from the tag's end, too, and some from the start of the first one.
        refused(&[id3v2(&[0; 20]), marked(marks)].concat(), name);
        refused(&[id3v2(&[1; 20]), id3v2(&[2; 20]), id3v2(&[0; 120]), marked(marks)].concat(), name);
        accepted(&[marked(&[]), marked(marks)].concat(), name);
    }
    let mut tag = vec![0; 127];
    tag[55..59].copy_from_slice(b"FSSD");
    tag[118..122].copy_from_slice(b"HCOM");
    refused(&[id3v2(&tag), marked(&[])].concat(), "HCOM");
    for (name, start) in
        [("Creative", b"Creative Voice File\x1A".as_slice()), ("Maxis", b"XAI\0"), ("SPHERE", b"NIST_1A")]
    {
        refused(&[start, &marked(&[])].concat(), name);
        refused(&[&id3v2(&[0; 20]), start, &marked(&[])].concat(), name);
    }
}

#[test]
fn a_wav_file_shows_no_mark_of_another_format() {
    let mut data = vec![0; 20_000];
    data[256 - 44] = 0x84;
    refused(&wav(16, &data), "ACT");
    data[300] = 1;
    accepted(&wav(16, &data), "no ACT");
    data[65 - 44..69 - 44].copy_from_slice(b"FSSD");
    data[128 - 44..132 - 44].copy_from_slice(b"HCOM");
    refused(&wav(32, &data), "HCOM");
    let mut file = wav(16, &[0; 2000]);
    file.splice(12..12, *b"xobX\x02\0\0\0ab");
    refused(&file, "XMV");
}

#[test]
fn an_ogg_file_shows_no_mark_of_another_format() {
    let mut found = Disguise::of(Format::Ogg);
    found.push(&[&[0; 65], b"FSSD".as_slice(), &[0; 59], b"HCOM"].concat());
    assert_eq!(found.finish(), Err(Unmeasurable::Disguised { name: "HCOM" }));
}

#[test]
fn frames_of_mp3_hold_no_packets_of_another_format() {
    for stride in [188, 192, 204] {
        for within in [0, 100] {
            let packet = frame(&[0x47, 0x1F, 0xFF, 0x10], stride);
            refused(&mp3([vec![0; within], packet.repeat(40)].concat()), "transport");
        }
    }
    refused(&mp3(frame(&[0xD5], 33).repeat(400)), "GSM");
    refused(&mp3(frame(&[0x04], 13).repeat(1200)), "AMR");
    refused(&mp3(frame(&[0x14], 33).repeat(500)), "AMR");
    // What a tag says is no stream.
    let tag = [b"ID3\x04\0\0\0\0\x10\0".as_slice(), &[0x04; 2048]].concat();
    accepted(&[tag, marked(&[])].concat(), "a tag");
    refused(&[id3v2(&[0; 7]), mp3(frame(&[0xD5], 33).repeat(400))].concat(), "GSM");
    let pack = frame(&[0, 0, 1, 0xBA, 0x44, 0, 4, 0], 14);
    let packet = frame(&[0, 0, 1, 0xC0, 0, 200, 0x80, 0x80, 5, 0x21], 206);
    refused(&mp3([pack.clone(), packet.clone()].concat().repeat(40)), "program");
    refused(&mp3(packet.repeat(100)), "program");
    for (name, frame) in streams() {
        if !matches!(name, "MPEG audio" | "a file with an ID3 tag") {
            // Enough that some run is not cut by the headers of MP3.
            let frames = [vec![0x2A; 100], frame.repeat(60_000 / frame.len() + 3)].concat();
            refused(&mp3(frames), name);
        }
    }
}

/// A steady tone makes frames alike. `ffmpeg` believes in frames first where seven stand in its first block.
#[test]
fn frames_that_are_alike_are_sound() {
    let alike = [[0xFF, 0xFB, 0x54, 0xC0, 0x47, 0x1F, 0xFF, 0x10].as_slice(), &[0x2A; 184]].concat();
    accepted(&alike.repeat(100), "frames of 192 bytes");
    accepted(&[id3v2(&[0; 120]), alike.repeat(100)].concat(), "frames behind a tag");
    refused(&[vec![0x2A; 30], alike.repeat(100)].concat(), "transport");
    let tag = [b"ID3\x04\0\0\0\0\x10\0".as_slice(), &[0; 2048]].concat();
    refused(&[tag, alike.repeat(100)].concat(), "transport");
}

/// INVARIANT: sound does not look like anything else.
#[test]
fn tones_at_every_level_are_sound() {
    for hz in [8, 50, 400, 425, 440, 500, 800, 1000, 1004, 2000, 3999] {
        for level in [1, 3, 8, 16, 100, 255, 1025, 3000, 12_000, 32_767] {
            for square in [false, true] {
                let phase = |at: u32| f64::from(at * hz % 8000) / 8000.0 * std::f64::consts::TAU;
                let wave = |at: u32| if square { phase(at).sin().signum() } else { phase(at).sin() };
                #[expect(clippy::cast_possible_truncation, reason = "samples are of 16 bits")]
                let samples = |at: u32| (wave(at) * f64::from(level)).round() as i16;
                let data: Vec<u8> = (0..8000).flat_map(|at| samples(at).to_le_bytes()).collect();
                accepted(&wav(16, &data), &format!("{hz} Hz at {level}, square: {square}"));
            }
        }
    }
}

#[test]
fn silence_and_offsets_are_sound() {
    let dither = crate::random::bytes::<1024>().unwrap();
    for offset in (-300_i16..300).step_by(5).chain(-18..18) {
        let still: Vec<u8> = offset.to_le_bytes().repeat(2048);
        accepted(&wav(16, &still), &format!("offset {offset}"));
        let moved = dither.iter().map(|chance| offset + i16::from(chance % 3) - 1);
        let moved: Vec<u8> = moved.flat_map(i16::to_le_bytes).collect();
        accepted(&wav(16, &moved.repeat(2)), &format!("dithered offset {offset}"));
    }
}

/// The chance that white noise is refused is less than one in ten million for a file, says the head of the module.
#[test]
fn noise_is_sound() {
    for bits in [16, 24] {
        let mut noise = vec![0; 2_000_000];
        crate::random::fill(&mut noise).unwrap();
        accepted(&wav(bits, &noise), "noise");
        accepted(&mp3(noise), "frames of noise");
    }
}

#[test]
fn the_cut_into_pushes_makes_no_difference_to_a_finding() {
    for (name, frame) in streams() {
        let data = [vec![0; 61], frame.repeat(60)].concat();
        for size in [1, 2, 7, 8, 63, 64, 65, 1000] {
            let mut stream = Stream::of_samples(true);
            data.chunks(size).for_each(|piece| stream.push(piece));
            let found = stream.finding().is_some_and(|found| found.contains(name));
            assert!(found || name == "a file with an ID3 tag", "{name} in pieces of {size}");
        }
    }
    let file = [id3v2(&[0; 20]), id3v2(&[1; 3]), marked(&[(44, b"SCRM")])].concat();
    for size in [1, 2, 9, 10, 11, 1000] {
        let mut disguise = Disguise::of(Format::Mp3);
        file.chunks(size).for_each(|piece| disguise.push(piece));
        assert!(disguise.finish().is_err());
    }
}
