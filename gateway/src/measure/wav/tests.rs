use super::{
    super::{METADATA_LIMIT, tests::measure},
    *,
};

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const GSM: u16 = 0x31;

/// A `fmt ` chunk that agrees with itself.
fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let block = channels * bits / 8;
    with_block(tag, channels, rate, rate * u32::from(block), block, bits)
}

fn with_block(tag: u16, channels: u16, rate: u32, byte_rate: u32, block: u16, bits: u16) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(channels.to_le_bytes());
    body.extend(rate.to_le_bytes());
    body.extend(byte_rate.to_le_bytes());
    body.extend(block.to_le_bytes());
    body.extend(bits.to_le_bytes());
    chunk(b"fmt ", &body)
}

fn gsm_format() -> Vec<u8> {
    let mut body = with_block(GSM, 1, 8000, 1625, 65, 0).split_off(8);
    body.extend([2, 0, 0x40, 1]);
    chunk(b"fmt ", &body)
}

fn extensible(sub_format: u16, bits: u16) -> Vec<u8> {
    extended(sub_format, bits, bits, 22)
}

fn extended(sub_format: u16, bits: u16, valid_bits: u16, size: u16) -> Vec<u8> {
    let mut body = format(0xFFFE, 2, 48_000, bits).split_off(8);
    body.extend(size.to_le_bytes());
    body.extend(valid_bits.to_le_bytes());
    body.extend(3_u32.to_le_bytes());
    body.extend(sub_format.to_le_bytes());
    body.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    chunk(b"fmt ", &body)
}

fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = sized(id, u32::try_from(body.len()).unwrap(), body);
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// A chunk whose size may be a lie.
fn sized(id: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
    [id, &size.to_le_bytes(), body].concat()
}

fn wav(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    sized(b"RIFF", u32::try_from(body.len()).unwrap() + 4, &[b"WAVE", &*body].concat())
}

fn telephone(data: Vec<u8>) -> Vec<u8> {
    wav(&[format(PCM, 1, 8000, 16), data])
}

/// Uploads for the properties that hold of every format.
pub(crate) fn recordings() -> Vec<Vec<u8>> {
    let data = |bytes| chunk(b"data", &vec![7; bytes]);
    vec![
        telephone(data(3001)),
        telephone(sized(b"data", 0, &[0; 999])),
        wav(&[
            format(MU_LAW, 2, 11_025, 8),
            chunk(b"LIST", &[b' '; 31]),
            data(2001),
            chunk(b"id3 ", &[0; 20]),
        ]),
        wav(&[gsm_format(), chunk(b"fact", &[0; 4]), data(65 * 5)]),
        wav(&[extensible(PCM, 24), data(6000)]),
    ]
}

fn duration(file: &[u8]) -> u64 {
    measure(file).unwrap().duration_ms
}

fn fault(file: &[u8]) -> WavFault {
    match measure(file) {
        Err(Unmeasurable::Wav(fault)) => fault,
        other => panic!("not refused as a WAV file: {other:?}"),
    }
}

#[test]
fn a_duration_is_the_number_of_frames_that_arrived() {
    for (tag, bits) in [(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (A_LAW, 8), (MU_LAW, 8)] {
        for channels in [1, 2, 8] {
            let data = vec![0; 12_000 * usize::from(channels * bits / 8)];
            let measured =
                measure(&wav(&[format(tag, channels, 24_000, bits), chunk(b"data", &data)])).unwrap();
            assert_eq!(measured.duration_ms, 500);
            assert_eq!(
                (measured.format, measured.channels, measured.sample_rate),
                (Format::Wav, channels, 24_000)
            );
            assert!(measured.silence.is_some());
        }
    }
}

#[test]
fn an_unfinished_header_lets_audio_run_to_the_end() {
    for size in [0, 0x7FFF_F000, 0x7FFF_FFFF, 0x7FFF_FFFF - 36, 0x8000_0000, u32::MAX - 36, u32::MAX] {
        let mut file = telephone(sized(b"data", size, &[0; 16_000]));
        assert_eq!(duration(&file), 1000);
        file.extend(chunk(b"data", &[0; 7992]));
        assert_eq!(duration(&file), 1500);
    }
}

/// Writers who count the header, or all of the file, among the audio. HTTP says that what came is whole.
#[test]
fn a_size_that_counts_the_header_is_the_size_of_what_arrived() {
    for more in [1, 8, 36, 44] {
        assert_eq!(duration(&telephone(sized(b"data", 16_000 + more, &[0; 16_000]))), 1000);
    }
    let filled =
        wav(&[format(PCM, 1, 8000, 16), chunk(b"FLLR", &[0; 4044]), sized(b"data", 20_000, &[0; 16_000])]);
    assert_eq!(duration(&filled), 1000);
}

#[test]
fn less_audio_than_declared_is_refused() {
    let file = telephone(sized(b"data", 16_045, &[0; 16_000]));
    assert_eq!(fault(&file), WavFault::Cut { declared: 16_045, received: 16_000 });
    assert_eq!(
        measure(&file).unwrap_err().to_string(),
        "the WAV header declares `16045` bytes of audio, `16000` arrived: the file is not whole, or its header \
         is wrong; upload the whole file, or have the recorder complete the header"
    );
}

#[test]
fn more_audio_than_declared_is_refused() {
    for more in [
        &b"s"[..],
        b"spe",
        b"speech!",
        &[5; 9],
        &[0x7E; 30_000],
        b"TAGspeech",
        &[b"TAG".as_slice(), &[9; 126]].concat(),
    ] {
        let file = [telephone(chunk(b"data", &[0; 100])), more.to_vec()].concat();
        assert_eq!(measure(&file), Err(WavFault::GoesOn { declared: 100 }.into()), "{more:?}");
    }
    let file = telephone(sized(b"data", 100, &[5; 16_000]));
    assert_eq!(fault(&file), WavFault::GoesOn { declared: 100 });
}

#[test]
fn what_cannot_be_played_may_follow() {
    let tag = [b"TAG".as_slice(), &[b' '; 125]].concat();
    let behind = |tail: &[u8]| [telephone(chunk(b"data", &[0; 1600])), tail.to_vec()].concat();
    for tail in [&b"\r\n"[..], b"\n", &[0; 7], &[0; 100_000], &tag, &[&[0; 9][..], &tag].concat()] {
        assert_eq!(duration(&behind(tail)), 100, "{tail:?}");
        // An odd number of bytes, and no byte that pads it.
        let odd = wav(&[format(PCM, 1, 8000, 8), sized(b"data", 799, &[0x80; 799])]);
        assert_eq!(duration(&[&odd, tail].concat()), 100, "{tail:?}");
    }
    // Players that look for further chunks find one in there.
    let mut second = tag.clone();
    second[4..12].copy_from_slice(b"\0\0\0\0data");
    assert_eq!(fault(&behind(&second)), WavFault::GoesOn { declared: 1600 });
    assert_eq!(fault(&behind(b"\0\0\0\0\0\0\0\0data\x10\0\0\0")), WavFault::GoesOn { declared: 1600 });
}

#[test]
fn a_second_recording_in_the_file_is_refused() {
    let one = chunk(b"data", &[0; 100]);
    assert_eq!(fault(&telephone([one.clone(), one.clone()].concat())), WavFault::SecondData);
    let twice = [telephone(one.clone()), telephone(one.clone())].concat();
    assert_eq!(fault(&twice), WavFault::SecondFile);
    let late = telephone([one.clone(), format(PCM, 1, 8000, 16)].concat());
    assert_eq!(fault(&late), WavFault::LateFormat);
    let double = wav(&[format(PCM, 1, 48_000, 16), format(PCM, 1, 8000, 16), one.clone()]);
    assert_eq!(fault(&double), WavFault::SecondFormat);
    assert_eq!(fault(&wav(&[one])), WavFault::NoFormat);
}

#[test]
fn metadata_is_accepted_within_its_bound() {
    let file = |before: usize, after: usize| {
        let (list, own) = (chunk(b"LIST", &vec![b'.'; before]), chunk(b"nice", &vec![b'.'; after]));
        wav(&[format(PCM, 1, 8000, 16), list, chunk(b"data", &[0; 1600]), own])
    };
    let half = usize::try_from(METADATA_LIMIT / 2).unwrap() - 8;
    assert_eq!(duration(&file(half, half)), 100);
    assert_eq!(measure(&file(half + 2, half - 1)), Err(Unmeasurable::Metadata));
    let fillers = [chunk(b"FLLR", &[0; 100_000]), chunk(b"JUNK", &[0; 100_000])].concat();
    let filled = wav(&[format(PCM, 1, 8000, 16), fillers, chunk(b"data", &[0; 1600])]);
    assert_eq!(duration(&filled), 100, "zeros fill space");
    let cut = telephone([chunk(b"data", &[0; 100]), sized(b"LIST", 10, &[0; 4])].concat());
    assert_eq!(fault(&cut), WavFault::CutChunk);
    let before = wav(&[format(PCM, 1, 8000, 16), sized(b"own ", 1 << 30, &[])]);
    assert_eq!(fault(&before), WavFault::UnknownChunk { id: "own ".to_owned(), size: 1 << 30 });
}

#[test]
fn an_odd_chunk_is_padded_unless_the_file_ends() {
    let odd = |data| wav(&[format(PCM, 1, 8000, 8), data]);
    assert_eq!(duration(&odd(chunk(b"data", &[0x80; 801]))), 101);
    assert_eq!(duration(&odd(sized(b"data", 801, &[0x80; 801]))), 101);
    assert_eq!(duration(&odd([chunk(b"data", &[0x80; 801]), chunk(b"fact", &[0; 4])].concat())), 101);
    // Some players look for the next chunk one byte later.
    let unpadded = WavFault::Unpadded { id: "LIST".to_owned() };
    let list = || sized(b"LIST", 5, b"INFO.");
    assert_eq!(fault(&odd([list(), chunk(b"data", &[0x80; 800])].concat())), unpadded);
    assert_eq!(fault(&odd([list(), chunk(b"JUNK", &[0; 8])].concat())), unpadded);
}

#[test]
fn a_frame_that_came_in_part_counts() {
    let stereo = |bytes: usize| wav(&[format(PCM, 2, 8000, 16), chunk(b"data", &vec![0; bytes])]);
    assert_eq!(duration(&stereo(8 * 4)), 1);
    assert_eq!(duration(&stereo(8 * 4 + 1)), 2);
}

#[test]
fn gsm_counts_320_samples_a_block() {
    let gsm = |data| wav(&[gsm_format(), data]);
    let measured = measure(&gsm(chunk(b"data", &[0; 65 * 50]))).unwrap();
    assert_eq!((measured.duration_ms, measured.silence), (2000, None));
    // With the padding byte of an odd number of blocks declared as audio, or without any size.
    assert_eq!(duration(&gsm(chunk(b"data", &[0; 65 * 3 + 1]))), 120);
    assert_eq!(duration(&gsm(sized(b"data", u32::MAX, &[0; 65 * 3 + 1]))), 120);
    // A block that was cut counts whole.
    for rest in [2, 33, 64] {
        assert_eq!(duration(&gsm(chunk(b"data", &vec![0; 65 * 3 + rest]))), 160);
    }
    assert_eq!(duration(&gsm(chunk(b"data", &[0; 65 * 2 + 1]))), 120);
}

#[test]
fn audio_without_end_is_refused_after_a_day() {
    let mut meter = super::super::Meter::new();
    meter.push(&wav(&[gsm_format(), sized(b"data", 0, &[])])).unwrap();
    let hour = vec![0; 1625 * 3600];
    for _ in 0..24 {
        meter.push(&hour).unwrap();
    }
    assert_eq!(meter.push(&[0]), Err(Unmeasurable::TooLong));
}

#[test]
fn an_extensible_format_is_unwrapped() {
    let file = |format| wav(&[format, chunk(b"data", &[0; 48_000])]);
    assert_eq!(duration(&file(extensible(PCM, 16))), 250);
    assert_eq!(duration(&file(extensible(FLOAT, 32))), 125);
    assert_eq!(duration(&file(extended(PCM, 16, 0, 22))), 250);
    assert_eq!(duration(&file(extended(PCM, 16, 16, 0))), 250, "a size of the extension that was never set");
    assert!(matches!(fault(&file(extensible(2, 4))), WavFault::Encoding { name: "Microsoft ADPCM", .. }));
    let mut foreign = extensible(PCM, 16);
    *foreign.last_mut().unwrap() = 0;
    assert_eq!(fault(&file(foreign)), WavFault::Extension);
    assert_eq!(fault(&file(extended(MU_LAW, 8, 8, 0))), WavFault::Extension);
    assert_eq!(fault(&file(format(0xFFFE, 2, 8000, 16))), WavFault::Extension);
}

/// INVARIANT: players that read samples of the valid bits, or look for those elsewhere, find nothing else.
#[test]
fn samples_are_as_large_as_their_valid_bits() {
    for bits in [8, 16, 24, 32] {
        for valid_bits in 1..=40 {
            let file = wav(&[extended(PCM, bits, valid_bits, 22), chunk(b"data", &[0; 4800])]);
            assert_eq!(measure(&file).is_ok(), valid_bits == bits, "{valid_bits} of {bits}");
        }
    }
    let file = wav(&[extended(PCM, 32, 8, 22), chunk(b"data", &[0; 4800])]);
    assert_eq!(
        measure(&file).unwrap_err().to_string(),
        "the WAV header says `8` for the valid bits in a sample, where `32` is expected; correct that number, \
         or export the recording again"
    );
}

fn unexpected(field: &'static str, found: u64, expected: u64) -> WavFault {
    WavFault::Unexpected { field, found, expected }
}

/// As recorders write them, which know no better, and as no player minds.
#[test]
fn one_number_of_the_header_may_be_wrong() {
    let file = |channels, byte_rate, block| {
        let data = vec![0; 1600 * usize::from(channels)];
        measure(&wav(&[with_block(PCM, channels, 8000, byte_rate, block, 16), chunk(b"data", &data)]))
    };
    for (channels, byte_rate, block, judged) in [
        (1, 16_000, 0, true),
        (1, 16_000, 1, false),
        (1, 16_000, 4, false),
        (1, 0, 0, true),
        (1, 0, 2, true),
        (1, 8000, 2, true),
        (1, 128_000, 2, true),
        (1, u32::MAX, 2, true),
        (2, 16_000, 4, true),
        (2, 8000, 4, true),
        (2, 32_000, 2, false),
    ] {
        let measured = file(channels, byte_rate, block).unwrap();
        assert_eq!((measured.duration_ms, measured.silence.is_some()), (100, judged), "{byte_rate} {block}");
    }
    let refused = |byte_rate, block| match file(1, byte_rate, block) {
        Err(Unmeasurable::Wav(fault)) => fault,
        other => panic!("{other:?}"),
    };
    // Two of them say that samples are smaller, and one that there are fewer in a second.
    for byte_rate in [0, 8000] {
        assert_eq!(refused(byte_rate, 1), unexpected("block align", 1, 2));
    }
    assert_eq!(refused(8000, 4), unexpected("bytes a second", 8000, 16_000));
    assert_eq!(refused(4000, 2), unexpected("bytes a second", 4000, 16_000));
    assert_eq!(refused(12_000, 2), unexpected("bytes a second", 12_000, 16_000));
}

#[test]
fn a_compressed_block_has_one_size() {
    let gsm = |channels, rate, block, samples: u16| {
        let mut body = with_block(GSM, channels, rate, 1625, block, 0).split_off(8);
        body.extend([2, 0]);
        body.extend(samples.to_le_bytes());
        fault(&wav(&[chunk(b"fmt ", &body), chunk(b"data", &[0; 650])]))
    };
    assert_eq!(gsm(1, 8000, 33, 320), unexpected("block align", 33, 65));
    assert_eq!(gsm(2, 8000, 65, 320), unexpected("channels", 2, 1));
    assert_eq!(gsm(1, 16_000, 65, 320), unexpected("samples a second", 16_000, 8000));
    assert_eq!(gsm(1, 8000, 65, 160), unexpected("samples in a block", 160, 320));
}

#[test]
fn what_has_no_meaning_in_the_header_is_not_asked() {
    let file = |tag, bits, rest: &[u8]| {
        let body = [&with_block(tag, 1, 8000, 8000, 1, bits).split_off(8), rest].concat();
        measure(&wav(&[chunk(b"fmt ", &body), chunk(b"data", &[0xFF; 800])])).unwrap()
    };
    for rest in [&[][..], &[0, 0], b"da", &[0xFF; 30]] {
        assert_eq!(file(PCM, 8, rest).duration_ms, 100);
    }
    // G.711 has eight bits. Whoever goes by what the header says hears something else, and not silence.
    for (bits, judged) in [(8, true), (16, false), (0, false)] {
        let measured = file(MU_LAW, bits, &[]);
        assert_eq!((measured.duration_ms, measured.silence.is_some()), (100, judged));
    }
}

#[test]
fn unusual_rates_and_channels_are_refused() {
    let file = |channels, rate| measure(&wav(&[format(PCM, channels, rate, 8), chunk(b"data", &[0; 100])]));
    for hz in [0, 1, 7999, 192_000, u32::MAX] {
        let format = with_block(PCM, 1, hz, 0, 1, 8);
        assert_eq!(measure(&wav(&[format])), Err(Unmeasurable::SampleRate { hz }));
    }
    assert_eq!(file(0, 8000), Err(Unmeasurable::Channels { count: 0 }));
    assert_eq!(file(9, 8000), Err(Unmeasurable::Channels { count: 9 }));
}

#[test]
fn other_encodings_are_refused_by_name() {
    for (tag, bits, name) in
        [(0x55, 0, "MP3"), (0x11, 4, "IMA ADPCM"), (FLOAT, 64, "floating point"), (PCM, 12, "PCM")]
    {
        let file = wav(&[format(tag, 1, 8000, bits), chunk(b"data", &[0; 100])]);
        assert_eq!(fault(&file), WavFault::Encoding { name, tag, bits });
    }
}

#[test]
fn a_format_chunk_of_an_odd_kind_is_refused() {
    for size in [0, 14, 65, u32::MAX] {
        assert_eq!(fault(&wav(&[sized(b"fmt ", size, &[])])), WavFault::FormatSize { size });
    }
}

#[test]
fn a_file_without_audio_is_refused() {
    assert_eq!(measure(&wav(&[format(PCM, 1, 8000, 16)])), Err(Unmeasurable::NoAudio));
    assert_eq!(measure(&telephone(chunk(b"data", &[]))), Err(Unmeasurable::NoAudio));
    assert_eq!(fault(&telephone(vec![])[..20]), WavFault::CutChunk);
}
