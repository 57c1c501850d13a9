use super::{
    super::{METADATA_LIMIT, tests::measure},
    *,
};

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
fn what_lies_between_frames_is_bounded() {
    let limit = usize::try_from(METADATA_LIMIT).unwrap();
    // The next header passes before it is one.
    for between in [&b"speech"[..], b"\r\n", &[0; 100_000], &vec![b'x'; limit - 4]] {
        assert_eq!(duration(&[&stereo(2), between, &stereo(2)].concat()), duration(&stereo(4)));
        assert_eq!(duration(&[&stereo(4), between].concat()), duration(&stereo(4)));
    }
    let more = vec![b'x'; limit + 1];
    assert_eq!(fault(&[stereo(2), more.clone(), stereo(2)].concat()), Mp3Fault::LostSync { at: 834 });
    let tagged = [id3v2(0, [0, 0, 0, 1], 1), b"no frame".to_vec()].concat();
    assert_eq!(fault(&tagged), Mp3Fault::LostSync { at: 11 });
}

/// A player that searches for another format's files finds this one, and plays that.
#[test]
fn no_file_of_another_format_lies_among_frames_that_a_player_may_not_believe() {
    for (foreign, name) in [(&b"OggS"[..], "Ogg"), (b"RIFF", "WAV")] {
        for file in [
            [&stereo(2), foreign, &[0; 100], &stereo(2)].concat(),
            [foreign, &stereo(2)].concat(),
            [b"\xAA\xAA", foreign, &stereo(4)].concat(),
            [&stereo(4), foreign].concat(),
            [&[0xFF, 0xFB, 0x90, 0x00], foreign, &stereo(1)[8..], &stereo(4)].concat(),
        ] {
            let refused = measure(&file).unwrap_err();
            let told = matches!(refused, Unmeasurable::Preceded { name: found, .. } if found == name);
            assert!(told || !file.starts_with(&[0xFF]), "{refused}");
        }
    }
}

/// INVARIANT: no player finds more frames than were counted, wherever it begins to search.
#[test]
fn whatever_looks_like_a_frame_counts_where_none_is_due() {
    // At 8 kHz a frame of 8 kbit/s is 72 bytes and 72 ms, one of 160 kbit/s could hold twenty of them.
    let (header, large) = ([0xFF, 0xE3, 0x18, 0xC4], [0xFF, 0xE3, 0xE8, 0xC4]);
    let hidden = frame(header, 72).repeat(19);
    let decoy = [large.as_slice(), &hidden, &[0x55; 1440 - 4 - 19 * 72]].concat();
    let small = |count: usize| frame(header, 72).repeat(count);
    // In a tag that is not in front, in one of APE, and in nothing.
    for tag in [id3v2(0, [0, 0, 10, 88], 0), ape(1368, 0xA0, 0), b"TAG".to_vec(), vec![0]] {
        let file = [small(2), tag, hidden.clone(), small(2)].concat();
        assert!(duration(&file) >= 23 * 72, "{}", duration(&file));
    }
    // In a frame that no other one follows, wherever it stands: few players believe in that one.
    let lost = || b"??".to_vec();
    for (file, frames) in [
        ([small(2), decoy.clone(), lost(), small(2)].concat(), 24),
        ([small(2), lost(), decoy.clone(), lost()].concat(), 22),
        ([small(2), lost(), decoy[..1400].to_vec()].concat(), 22),
        // A pair of them, which is believed in by some.
        ([small(2), lost(), decoy.repeat(2), lost()].concat(), 42),
        ([small(2), lost(), decoy.repeat(10), lost()].concat(), 202),
    ] {
        assert!(duration(&file) >= frames * 72, "{} instead of {frames} frames", duration(&file) / 72);
    }
    // In frames that follow each other to the end nobody searches.
    assert_eq!(duration(&decoy.repeat(20)), 20 * 72);
    // Of other streams, too: another rate, another layer, free format.
    for other in [[0xFF, 0xFB, 0x90, 0x40], [0xFF, 0xFD, 0x90, 0x40], [0xFF, 0xE3, 0x08, 0xC4]] {
        let file = [small(2), lost(), other.to_vec(), lost()].concat();
        assert!(duration(&file) >= 2 * 72 + 24, "{}", duration(&file));
    }
}

/// INVARIANT: what some player takes for the first frame is no other than the one whose rate counts, because some play
/// all that follows at that rate.
#[test]
fn what_comes_before_the_first_frame_cannot_set_the_rate() {
    let slow = [0xFF, 0xE3, 0x18, 0xC4];
    let lost = || b"??".to_vec();
    for (file, at) in [
        ([frame(slow, 72), stereo(20)].concat(), 72),
        ([stereo(1)[..300].to_vec(), slow.to_vec(), vec![0x55; 113], lost(), stereo(20)].concat(), 417),
        ([lost(), vec![0xFF, 0xFD, 0x90, 0x40], stereo(20)].concat(), 0),
    ] {
        assert!(measure(&file).is_err(), "{at}");
    }
    // Where there are two in a row, the rest counts as if it were played at their rate.
    let file = [frame(slow, 72).repeat(2)[..100].to_vec(), lost(), stereo(20)].concat();
    assert!(duration(&file) >= 20 * 1152 / 8);
    // Players that play a stereo frame as if it were of one channel play it for twice as long.
    let mono = frame([0xFF, 0xFB, 0x90, 0xC0], 417);
    let file = [mono.repeat(4), lost(), STEREO.to_vec(), lost()].concat();
    assert_eq!(duration(&file), duration(&mono.repeat(4)) + 53);
}

/// Recorders that reconnect.
#[test]
fn joined_parts_count_all() {
    let all = duration(&stereo(8));
    let tag = || id3v2(0, [0, 0, 0, 30], 30);
    assert_eq!(duration(&[tag(), stereo(4), tag(), stereo(4)].concat()), all);
    assert_eq!(duration(&[stereo(4), id3v1(), stereo(4), id3v1()].concat()), all);
    assert_eq!(duration(&[stereo(4), ape(40, 0xA0, 40), id3v1(), stereo(4)].concat()), all);
    // The first part ends in a frame, so that it swallows the first frame of the second.
    for came in [4, 100, 416] {
        let file = [&stereo(4)[..417 * 3 + came], &stereo(4)].concat();
        assert!((all..=all + 27).contains(&duration(&file)), "{came}: {}", duration(&file));
    }
    assert_eq!(duration(&[&stereo(4)[..417 * 3 + 1], &stereo(4)].concat()), duration(&stereo(7)));
}

/// Recorders that join a stream.
#[test]
fn a_stream_may_begin_within_a_frame() {
    let late = |missing: usize| [vec![0x55; 417 - missing], stereo(3)].concat();
    for missing in [1, 100, 416] {
        assert_eq!(duration(&late(missing)), duration(&stereo(3)));
    }
    // Somewhere in a file of another kind there may be one frame, but hardly two in a row.
    let other = [vec![5; 100], stereo(1), vec![5; 9000]].concat();
    assert_eq!(measure(&other), Err(Unmeasurable::Unrecognised));
    assert_eq!(measure(&[vec![5; 9000], stereo(3)].concat()), Err(Unmeasurable::Unrecognised));
}

#[test]
fn a_tag_in_front_of_another_file_is_told() {
    for (other, name) in [(b"RIFF".as_slice(), "WAV"), (b"OggS", "Ogg"), (b"fLaC", "FLAC")] {
        let file = [id3v2(0, [0, 0, 0, 10], 10), other.to_vec(), vec![0; 100]].concat();
        assert_eq!(measure(&file), Err(Unmeasurable::Preceded { bytes: 20, name }));
    }
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
    let filled = |bytes: usize| {
        let size = u32::try_from(bytes).unwrap();
        let size = [0, size >> 14, size >> 7 & 0x7F, size & 0x7F].map(|part| u8::try_from(part).unwrap());
        [id3v2(0, size, 0), vec![b'.'; bytes]].concat()
    };
    let limit = usize::try_from(METADATA_LIMIT).unwrap() - 10;
    assert_eq!(duration(&[filled(limit - 128), stereo(4), id3v1()].concat()), bare);
    assert_eq!(measure(&[filled(limit + 1), stereo(4)].concat()), Err(Unmeasurable::Metadata));
    // Taggers leave room, which is zero.
    assert_eq!(duration(&[id3v2(0, [0, 7, 0, 0], 7 << 14), stereo(4)].concat()), bare);
    assert_eq!(duration(&[filled(10), filled(20), stereo(4), filled(30)].concat()), bare);
    let lyrics = b"LYRICSBEGININD0000200LYR00005words000043LYRICS200";
    assert_eq!(duration(&[&stereo(4)[..], lyrics, &id3v1()].concat()), bare);
    assert_eq!(duration(&[stereo(4), ape(40, 0xA0, 40), id3v1()].concat()), bare);
    // Every player passes over a tag in front, whatever is in it.
    assert_eq!(duration(&[id3v2(0, [0, 0, 6, 66], 0), stereo(2), stereo(4)].concat()), bare);
}

#[test]
fn malformed_tags_are_refused() {
    assert_eq!(fault(&[id3v2(0, [0, 0, 0, 0x80], 0), stereo(4)].concat()), Mp3Fault::BadTag);
    // Players differ in whether they pass over a footer, and over a version that there is not.
    assert_eq!(fault(&[id3v2(0x10, [0, 0, 0, 20], 30), stereo(4)].concat()), Mp3Fault::BadTag);
    for (at, value) in [(3, 1), (3, 5), (3, 0xFF), (4, 0xFF)] {
        let mut tag = id3v2(0, [0, 0, 0, 20], 20);
        tag[at] = value;
        assert_eq!(fault(&[tag, stereo(4)].concat()), Mp3Fault::BadTag);
    }
    assert_eq!(fault(&id3v2(0, [0, 0, 0, 10], 9)), Mp3Fault::CutTag);
    assert_eq!(measure(&id3v2(0, [0, 0, 0, 9], 9)), Err(Unmeasurable::NoAudio));
}
