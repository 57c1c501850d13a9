use super::{super::tests::measure, *};

/// A frame of silence, or of anything else: 128 kbit/s at 44.1 kHz, joint stereo, 417 bytes.
const STEREO: [u8; 4] = [0xFF, 0xFB, 0x90, 0x40];

/// The header, and the length that goes with it.
fn frame(start: [u8; 4], length: usize) -> Vec<u8> {
    let mut frame = start.to_vec();
    frame.resize(length, 0x55);
    frame
}

fn stereo(frames: usize) -> Vec<u8> {
    frame(STEREO, 417).repeat(frames)
}

fn id3v2(flags: u8, size: [u8; 4], body: usize) -> Vec<u8> {
    [b"ID3\x04\x00".as_slice(), &[flags], &size, &vec![0; body]].concat()
}

fn id3v1() -> Vec<u8> {
    [b"TAG".as_slice(), &[b' '; 125]].concat()
}

fn ape(size: u32, flags: u8, body: usize) -> Vec<u8> {
    let start =
        [b"APETAGEX\xD0\x07\0\0".as_slice(), &size.to_le_bytes(), &[1, 0, 0, 0, 0, 0, 0, flags]].concat();
    [start, vec![0; 8 + body]].concat()
}

/// Uploads for the properties that hold of every format.
pub(crate) fn recordings() -> Vec<Vec<u8>> {
    vec![
        [id3v2(0, [0, 0, 0, 30], 30), stereo(4), id3v1()].concat(),
        [stereo(3), ape(40, 0xA0, 40)].concat(),
        [frame([0xFF, 0xE3, 0x18, 0xC4], 72), frame([0xFF, 0xE3, 0x28, 0xC4], 144)].concat().repeat(5),
        stereo(3)[..1000].to_vec(),
    ]
}

fn duration(file: &[u8]) -> u64 {
    measure(file).unwrap().duration_ms
}

fn fault(file: &[u8]) -> Mp3Fault {
    match measure(file) {
        Err(Unmeasurable::Mp3(fault)) => fault,
        other => panic!("not refused as an MP3 file: {other:?}"),
    }
}

#[test]
fn every_frame_counts_with_all_its_samples() {
    let measured = measure(&stereo(100)).unwrap();
    assert_eq!(measured.duration_ms, 2613);
    assert_eq!((measured.format, measured.channels, measured.sample_rate), (Format::Mp3, 2, 44_100));
    assert_eq!(measured.silence, None);
}

#[test]
fn frame_lengths_follow_version_rate_bit_rate_and_padding() {
    for (start, length, hz, channels, ms) in [
        (STEREO, 417, 44_100, 2, 262),
        ([0xFF, 0xFA, 0x92, 0xC0], 418, 44_100, 1, 262),
        ([0xFF, 0xFB, 0xE4, 0x00], 960, 48_000, 2, 240),
        ([0xFF, 0xFB, 0x18, 0xC0], 144, 32_000, 1, 360),
        ([0xFF, 0xF3, 0x80, 0xC0], 208, 22_050, 1, 262),
        ([0xFF, 0xF3, 0x44, 0xC0], 96, 24_000, 1, 240),
        ([0xFF, 0xF3, 0xE8, 0x80], 720, 16_000, 2, 360),
        ([0xFF, 0xE3, 0x10, 0xC0], 52, 11_025, 1, 523),
        ([0xFF, 0xE3, 0x18, 0xC0], 72, 8000, 1, 720),
    ] {
        let measured = measure(&frame(start, length).repeat(10)).unwrap();
        assert_eq!((measured.sample_rate, measured.channels, measured.duration_ms), (hz, channels, ms));
    }
}

#[test]
fn a_variable_bit_rate_is_summed_frame_by_frame() {
    let frames = [stereo(1), frame([0xFF, 0xFB, 0xE0, 0x40], 1044), frame([0xFF, 0xFB, 0x10, 0x00], 104)];
    assert_eq!(duration(&frames.concat().repeat(10)), 784);
}

#[test]
fn what_the_first_frame_claims_is_ignored() {
    let mut first = stereo(1);
    first[36..48].copy_from_slice(b"Info\0\0\0\x01\0\0\0\x01");
    assert_eq!(duration(&[first, stereo(99)].concat()), 2613);
}

#[test]
fn garbage_between_frames_is_refused() {
    assert_eq!(fault(&[stereo(2), b"speech".to_vec(), stereo(2)].concat()), Mp3Fault::LostSync { at: 834 });
    assert_eq!(fault(&[stereo(2), vec![0; 4]].concat()), Mp3Fault::LostSync { at: 834 });
    assert_eq!(fault(&[stereo(2), vec![0; 1]].concat()), Mp3Fault::LostSync { at: 834 });
    let tagged = [id3v2(0, [0, 0, 0, 1], 1), b"no frame".to_vec()].concat();
    assert_eq!(fault(&tagged), Mp3Fault::LostSync { at: 11 });
}

#[test]
fn the_last_frame_may_be_cut_and_counts_whole() {
    let file = stereo(3);
    for end in [417 * 2 + 1, 417 * 2 + 3, 417 * 2 + 4, 417 * 3 - 1] {
        assert_eq!(duration(&file[..end]), duration(&file));
    }
    assert_eq!(measure(&file[..416]), Err(Unmeasurable::NoAudio));
}

#[test]
fn two_streams_in_a_file_are_refused() {
    for other in [[0xFF, 0xF3, 0x80, 0x40], [0xFF, 0xFB, 0x94, 0x40], [0xFF, 0xFB, 0x90, 0xC0]] {
        assert_eq!(fault(&[stereo(2), frame(other, 400)].concat()), Mp3Fault::Changed { at: 834 });
    }
    let twice = [stereo(2), id3v2(0, [0; 4], 0), stereo(2)].concat();
    assert_eq!(fault(&twice), Mp3Fault::LostSync { at: 834 });
    assert_eq!(fault(&[stereo(2), id3v1(), stereo(2)].concat()), Mp3Fault::AfterTag);
    assert_eq!(fault(&[stereo(2), ape(8, 0xA0, 8), stereo(2)].concat()), Mp3Fault::AfterTag);
}

#[test]
fn other_layers_and_free_format_are_refused() {
    assert_eq!(fault(&frame([0xFF, 0xFD, 0x90, 0x40], 417)), Mp3Fault::Layer { layer: "II" });
    assert_eq!(fault(&frame([0xFF, 0xFF, 0x90, 0x40], 417)), Mp3Fault::Layer { layer: "I" });
    assert_eq!(fault(&frame([0xFF, 0xFB, 0x00, 0x40], 417)), Mp3Fault::FreeFormat);
    for reserved in
        [[0xFF, 0xFB, 0xF0, 0x40], [0xFF, 0xEB, 0x90, 0x40], [0xFF, 0xFB, 0x9C, 0x40], [0xFF, 0xFB, 0x90, 2]]
    {
        assert_eq!(fault(&frame(reserved, 417)), Mp3Fault::LostSync { at: 0 });
    }
}

#[test]
fn tags_are_accepted_within_the_bound() {
    let bare = duration(&stereo(4));
    let size = |size: u16| [0, 0, u8::try_from(size >> 7).unwrap(), u8::try_from(size & 0x7F).unwrap()];
    let file = |bytes: u16| [id3v2(0, size(bytes), usize::from(bytes)), stereo(4), id3v1()].concat();
    assert_eq!(duration(&file(0)), bare);
    assert_eq!(duration(&file(4086)), bare);
    assert_eq!(measure(&file(4087)), Err(Unmeasurable::Metadata));
    assert_eq!(duration(&[id3v2(0x10, size(20), 30), stereo(4)].concat()), bare);
    assert_eq!(duration(&[stereo(4), ape(40, 0xA0, 40), id3v1()].concat()), bare);
    assert_eq!(measure(&[stereo(4), ape(5000, 0xA0, 5000)].concat()), Err(Unmeasurable::Metadata));
}

#[test]
fn malformed_tags_are_refused() {
    assert_eq!(fault(&[id3v2(0, [0, 0, 0, 0x80], 0), stereo(4)].concat()), Mp3Fault::BadTag);
    assert_eq!(fault(&[stereo(4), ape(40, 0x80, 40)].concat()), Mp3Fault::BadTag);
    assert_eq!(fault(&[stereo(4), id3v1()[..127].to_vec()].concat()), Mp3Fault::CutTag);
    assert_eq!(fault(&[stereo(4), ape(40, 0xA0, 39)].concat()), Mp3Fault::CutTag);
    assert_eq!(fault(&[stereo(4), id3v1(), vec![0]].concat()), Mp3Fault::AfterTag);
    assert_eq!(fault(&[stereo(4), b"APETspeech ".repeat(3)].concat()), Mp3Fault::LostSync { at: 417 * 4 });
    assert_eq!(measure(&id3v2(0, [0, 0, 0, 9], 9)), Err(Unmeasurable::NoAudio));
}
