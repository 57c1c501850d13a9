use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

mod players;
mod redact;

/// Measures a whole upload in one push.
pub(super) fn measure(upload: &[u8]) -> Result<Measured, Unmeasurable> {
    measure_in_pieces([upload])
}

fn measure_in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Measured, Unmeasurable> {
    let mut meter = Meter::new();
    for piece in pieces {
        meter.push(piece)?;
    }
    meter.finish()
}

/// Uploads that are read to their end, of every container and codec.
fn recordings() -> Vec<Vec<u8>> {
    let mut recordings = wav::tests::recordings();
    recordings.extend(mp3::tests::recordings());
    recordings.extend(ogg::tests::recordings());
    recordings
}

#[test]
fn every_sample_recording_is_measured() {
    for recording in recordings() {
        measure(&recording).unwrap();
    }
}

#[test]
fn an_empty_upload_is_refused() {
    assert_eq!(measure(b""), Err(Unmeasurable::Empty));
}

#[test]
fn other_formats_are_refused_by_name() {
    let name = |start: &[u8]| match measure(&[start, &[0; 100]].concat()) {
        Err(Unmeasurable::OtherFormat { name }) => name,
        _ => "not refused by name",
    };
    assert_eq!(name(b"fLaC"), "FLAC");
    assert_eq!(name(b"\0\0\0\x20ftypM4A "), "MP4 or M4A");
    assert_eq!(name(b"\x1A\x45\xDF\xA3"), "WebM or Matroska");
    assert_eq!(name(b"#!AMR\n"), "AMR");
    assert_eq!(name(b".snd"), "AU");
    assert_eq!(name(b"RF64\xFF\xFF\xFF\xFFWAVE"), "RF64 (64-bit WAV)");
    assert_eq!(name(b"RIFX\0\0\0\0WAVE"), "RIFX (big-endian WAV)");
    assert_eq!(name(b"riff\x2E\x91\xCF\x11"), "Wave64");
    assert_eq!(name(b"\xFF\xF1\x50\x80"), "AAC (ADTS)");
}

/// What people send by mistake: the refusal says what it is, and what to send instead.
#[test]
fn what_is_no_recording_is_told() {
    for (body, what) in [
        (&b"--XX\r\nContent-Disposition: form-data; name=\"file\""[..], "multipart form data"),
        (b"\r\n--boundary-1234\r\n", "multipart form data"),
        (b"Content-Type: audio/wav\r\n\r\nRIFF", "a MIME message"),
        (b"HTTP/1.1 200 OK\r\n", "an HTTP answer"),
        (b"\x1F\x8B\x08\0\0\0\0\0\0\x03abc", "compressed with gzip"),
        (b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0", "a ZIP archive"),
        (b"<!DOCTYPE html><html>502", "an HTML page"),
        (b"\xEF\xBB\xBF<html lang=en>", "an HTML page"),
        (b"<?xml version='1.0'?><Error>", "XML or HTML"),
        (b"{\"error\": \"not found\"}", "JSON"),
        (b"[]", "JSON"),
        (b"{}", "JSON"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "a playlist"),
        (b"[playlist]\nFile1=a.wav\n", "a playlist"),
        (b"UklGRqQ+AABXQVZFZm10IBAAAAABAAEA", "Base64 text"),
        (b"//uQxAAAAAAAAAAAAAAA", "Base64 text"),
        (b"data:audio/wav;base64,UklGR", "a data URI"),
        (b"52494646a43e000057415645", "hexadecimal text"),
        (b"\xFF\xFE<\0h\0t\0m\0l\0>\0", "text"),
        (b"Not found", "text"),
        ("nicht verf\u{fc}gbar".as_bytes(), "text"),
        (b"/srv/recordings/call.wav\n", "text"),
        (b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", "a picture"),
        (b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01", "a picture"),
        (b"%PDF-1.7\n%\xE2\xE3\xCF\xD3", "a PDF document"),
    ] {
        let message = measure(body).unwrap_err().to_string();
        assert!(message.contains(what) && message.contains(';'), "{}: {message}", body.escape_ascii());
    }
}

#[test]
fn what_stands_before_a_recording_is_told() {
    for (before, bytes) in [(&b"\n"[..], 1), (b"\r\n\r\n", 4), (b"\xEF\xBB\xBF", 3), (b"\0\0", 2)] {
        for (recording, name) in [(&b"RIFF\0\0\0\0WAVE"[..], "WAV"), (b"OggS\0\x02\0\0\0\0\0\0", "Ogg")] {
            let upload = [before, recording].concat();
            assert_eq!(measure(&upload), Err(Unmeasurable::Preceded { bytes, name }));
        }
    }
}

#[test]
fn unknown_content_is_refused_whatever_its_length() {
    for length in [1, 4, 11, 12, 13, 5000] {
        assert_eq!(measure(&vec![0; length]), Err(Unmeasurable::Unrecognised));
    }
}

#[test]
fn a_refusal_is_repeated() {
    let mut meter = Meter::new();
    let refused = meter.push(b"fLaC\0\0\0\0\0\0\0\0").unwrap_err();
    assert_eq!(meter.push(b"RIFF"), Err(refused.clone()));
    assert_eq!(meter.finish(), Err(refused));
}

#[test]
fn nothing_lasts_longer_than_a_day() {
    let rate = Rate::accept(8000).unwrap();
    assert_eq!(rate.duration_ms(8000 * 60 * 60 * 24), Ok(DURATION_LIMIT_MS));
    assert_eq!(rate.duration_ms(8000 * 60 * 60 * 24 + 1), Err(Unmeasurable::TooLong));
    assert_eq!(rate.duration_ms(u64::MAX), Err(Unmeasurable::TooLong));
}

#[test]
fn durations_are_rounded_up() {
    let rate = Rate::accept(44_100).unwrap();
    assert_eq!(rate.duration_ms(1), Ok(1));
    assert_eq!(rate.duration_ms(44_100), Ok(1000));
    assert_eq!(rate.duration_ms(44_101), Ok(1001));
}

/// INVARIANT of the coverage of an upload: what is forgiven for the codec's sake is what the codec is, never what
/// the file says of itself.
#[test]
fn what_a_codec_adds_is_a_constant() {
    let adds = |recordings: Vec<Vec<u8>>| -> Vec<u64> {
        recordings.iter().map(|recording| measure(recording).unwrap().codec_adds_ms).collect()
    };
    assert_eq!(adds(wav::tests::recordings()), [0; 5]);
    // Four frames of 1152 samples at 44.1 kHz, of 576 at 8 kHz.
    assert_eq!(adds(mp3::tests::recordings()), [105, 105, 288, 105]);
    // Opus: 120 ms and a packet of 20. Vorbis: half a block of 2048 samples. Speex: two frames of 20 ms.
    assert_eq!(adds(ogg::tests::recordings()), [140, 140, 24, 40]);
    for pre_skip in [0, 312, u16::MAX] {
        assert_eq!(adds(vec![ogg::tests::with_pre_skip(pre_skip)]), [140]);
    }
}

#[test]
fn messages_say_what_to_do_in_one_lower_case_phrase() {
    let refusals = [
        Unmeasurable::Empty,
        Unmeasurable::Metadata,
        Unmeasurable::SampleRate { hz: 1 },
        Unmeasurable::Preceded { bytes: 1, name: "WAV" },
        Unmeasurable::Disguised { name: "HCOM" },
        Unmeasurable::NoRecording { what: "text", instead: "send the recording" },
        WavFault::Cut { declared: 2, received: 1 }.into(),
        Mp3Fault::LostSync { at: 7 }.into(),
        OggFault::SecondStream { page: 3 }.into(),
    ];
    for message in refusals.map(|refusal| refusal.to_string()) {
        assert!(message.starts_with("the ") || message.starts_with('`'), "{message}");
        assert!(message.contains(';') && !message.ends_with('.'), "{message}");
    }
}

/// Cuts an upload at the given places.
fn cut<'a>(upload: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(upload.len() + 1)).collect();
    at.extend([0, upload.len()]);
    at.sort_unstable();
    at.windows(2).filter_map(|ends| upload.get(*ends.first()?..*ends.last()?)).collect()
}

/// Changes some bytes, then cuts off the end or adds to it.
fn spoil(upload: &mut Vec<u8>, changes: &[(Index, u8)], tail: &[u8], keep: Option<Index>) {
    for (place, value) in changes {
        let at = place.index(upload.len());
        if let Some(byte) = upload.get_mut(at) {
            *byte = *value;
        }
    }
    if let Some(keep) = keep {
        upload.truncate(keep.index(upload.len() + 1));
    }
    upload.extend_from_slice(tail);
}

const STARTS: [&[u8]; 6] = [
    b"",
    b"RIFF\0\0\0\0WAVE",
    b"RIFF\0\0\0\0WAVEfmt ",
    b"OggS\0\x02",
    b"ID3\x04\0\0\0\0\0\0",
    b"\xFF\xFB\x90\0",
];

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn the_cut_into_pushes_makes_no_difference(
        which in any::<Index>(),
        changes in vec((any::<Index>(), any::<u8>()), 0..3),
        tail in vec(any::<u8>(), 0..20),
        keep in any::<Option<Index>>(),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let mut upload = which.get(&recordings()).clone();
        spoil(&mut upload, &changes, &tail, keep);
        let whole = measure(&upload);
        prop_assert_eq!(&measure_in_pieces(upload.chunks(1)), &whole);
        prop_assert_eq!(&measure_in_pieces(cut(&upload, &cuts)), &whole);
    }

    #[test]
    fn no_upload_makes_the_meter_panic(
        start in prop::sample::select(&STARTS[..]),
        rest in vec(any::<u8>(), 0..3000),
        cuts in vec(any::<Index>(), 0..4),
    ) {
        let upload = [start, &rest].concat();
        let _ = measure_in_pieces(cut(&upload, &cuts));
    }

    #[test]
    fn no_recording_becomes_shorter_by_what_follows_it(
        which in any::<Index>(),
        tail in vec(any::<u8>(), 0..5000),
    ) {
        let upload = which.get(&recordings()).clone();
        let alone = measure(&upload).unwrap().duration_ms;
        if let Ok(measured) = measure(&[upload, tail].concat()) {
            prop_assert!(measured.duration_ms >= alone);
        }
    }
}
