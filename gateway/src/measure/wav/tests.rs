use super::{super::tests::measure, *};

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
    let mut body = format(0xFFFE, 2, 48_000, bits).split_off(8);
    body.extend(22_u16.to_le_bytes());
    body.extend(bits.to_le_bytes());
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

#[test]
fn less_audio_than_declared_is_refused() {
    let file = telephone(sized(b"data", 16_000, &[0; 15_999]));
    assert_eq!(fault(&file), WavFault::Cut { declared: 16_000, received: 15_999 });
    let message = measure(&file).unwrap_err().to_string();
    assert_eq!(
        message,
        "the WAV header declares `16000` bytes of audio, `15999` arrived; upload the whole file"
    );
}

#[test]
fn more_audio_than_declared_is_refused() {
    let file = telephone(sized(b"data", 100, &[0; 16_000]));
    assert_eq!(fault(&file), WavFault::UnknownChunk { id: r"\x00\x00\x00\x00".to_owned() });
    let file = [telephone(chunk(b"data", &[0; 100])), b"spe".to_vec()].concat();
    assert_eq!(fault(&file), WavFault::CutChunk);
}

#[test]
fn a_second_recording_in_the_file_is_refused() {
    let one = chunk(b"data", &[0; 100]);
    assert_eq!(fault(&telephone([one.clone(), one.clone()].concat())), WavFault::SecondData);
    let twice = [telephone(one.clone()), telephone(one.clone())].concat();
    assert_eq!(fault(&twice), WavFault::UnknownChunk { id: "RIFF".to_owned() });
    let late = telephone([one.clone(), format(PCM, 1, 8000, 16)].concat());
    assert_eq!(fault(&late), WavFault::LateFormat);
    let double = wav(&[format(PCM, 1, 48_000, 16), format(PCM, 1, 8000, 16), one.clone()]);
    assert_eq!(fault(&double), WavFault::SecondFormat);
    assert_eq!(fault(&wav(&[one])), WavFault::NoFormat);
}

#[test]
fn metadata_is_accepted_within_its_bound() {
    let file = |before: usize, after: usize| {
        let (list, id3) = (chunk(b"LIST", &vec![0; before]), chunk(b"id3 ", &vec![0; after]));
        wav(&[format(PCM, 1, 8000, 16), list, chunk(b"data", &[0; 1600]), id3])
    };
    assert_eq!(duration(&file(2040, 2040)), 100);
    assert_eq!(measure(&file(2042, 2040)), Err(Unmeasurable::Metadata));
    assert_eq!(measure(&file(0, 100_000)), Err(Unmeasurable::Metadata));
    let unknown = telephone([chunk(b"data", &[0; 100]), chunk(b"talk", &[0; 4])].concat());
    assert_eq!(fault(&unknown), WavFault::UnknownChunk { id: "talk".to_owned() });
    let cut = telephone([chunk(b"data", &[0; 100]), sized(b"LIST", 10, &[0; 4])].concat());
    assert_eq!(fault(&cut), WavFault::CutChunk);
}

#[test]
fn an_odd_chunk_is_padded_unless_the_file_ends() {
    let odd = |data| wav(&[format(PCM, 1, 8000, 8), data]);
    assert_eq!(duration(&odd(chunk(b"data", &[0x80; 801]))), 101);
    assert_eq!(duration(&odd(sized(b"data", 801, &[0x80; 801]))), 101);
    assert_eq!(duration(&odd([chunk(b"data", &[0x80; 801]), chunk(b"fact", &[0; 4])].concat())), 101);
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
    assert_eq!(fault(&gsm(chunk(b"data", &[0; 65 * 3 + 2]))), WavFault::PartialBlock);
    assert_eq!(fault(&gsm(chunk(b"data", &[0; 65 * 2 + 1]))), WavFault::PartialBlock);
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
    assert!(matches!(fault(&file(extensible(2, 4))), WavFault::Encoding { name: "Microsoft ADPCM", .. }));
    let mut foreign = extensible(PCM, 16);
    *foreign.last_mut().unwrap() = 0;
    assert_eq!(fault(&file(foreign)), WavFault::Inconsistent { field: "size" });
}

#[test]
fn a_header_that_contradicts_itself_is_refused() {
    let file = |byte_rate, block| {
        wav(&[with_block(PCM, 1, 48_000, byte_rate, block, 16), chunk(b"data", &[0; 9600])])
    };
    assert_eq!(fault(&file(96_000, 4)), WavFault::Inconsistent { field: "block size" });
    assert_eq!(fault(&file(96_000, 0)), WavFault::Inconsistent { field: "block size" });
    // The byte rate betrays that the samples are 8000 a second.
    assert_eq!(fault(&file(16_000, 2)), WavFault::Inconsistent { field: "byte rate" });
    for harmless in [0, 95_999, 96_000, 192_000, u32::MAX] {
        assert_eq!(duration(&file(harmless, 2)), 100);
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
    // The extension is longer than its chunk.
    let mut body = format(PCM, 1, 8000, 16).split_off(8);
    body.extend([9, 0]);
    assert_eq!(fault(&wav(&[chunk(b"fmt ", &body)])), WavFault::Inconsistent { field: "size" });
}

#[test]
fn a_file_without_audio_is_refused() {
    assert_eq!(measure(&wav(&[format(PCM, 1, 8000, 16)])), Err(Unmeasurable::NoAudio));
    assert_eq!(measure(&telephone(chunk(b"data", &[]))), Err(Unmeasurable::NoAudio));
    assert_eq!(fault(&telephone(vec![])[..20]), WavFault::CutChunk);
}
