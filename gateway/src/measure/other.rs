//! What an upload is that is no recording we measure, told by its first bytes: so that a refusal can say what to
//! send instead.
//!
//! It judges nothing: whatever it says, the upload is refused. It knows only what people are known to send by
//! mistake: forms, pages, playlists, archives, encoded text, and recordings in other formats.

use super::{START, Unmeasurable};

/// Why an upload that begins like this is refused, if that is certain.
pub(super) fn refusal(start: &[u8]) -> Option<Unmeasurable> {
    if let Some(name) = other_format(start) {
        return Some(Unmeasurable::OtherFormat { name });
    }
    let (blank, rest) = start.split_at(start.iter().take_while(|byte| is_blank(**byte)).count());
    if !blank.is_empty()
        && let Some(name) = beginning(rest)
    {
        return Some(Unmeasurable::Preceded { bytes: u64::try_from(blank.len()).unwrap_or(u64::MAX), name });
    }
    let (what, instead) = mistake(rest)?;
    Some(Unmeasurable::NoRecording { what, instead })
}

/// What it is if nothing else is found in it. Encoders fill frames of MP3 with letters, too.
pub(super) fn guess(start: &[u8]) -> Unmeasurable {
    if is_text(start) {
        Unmeasurable::NoRecording { what: "text", instead: ANSWER }
    } else {
        Unmeasurable::Unrecognised
    }
}

/// A recording's usual name, if one begins like this.
pub(super) fn beginning(start: &[u8]) -> Option<&'static str> {
    match start {
        [b'R', b'I', b'F', b'F', ..] => Some("WAV"),
        [b'O', b'g', b'g', b'S', ..] => Some("Ogg"),
        [b'I', b'D', b'3', ..] => Some("MP3"),
        _ => other_format(start),
    }
}

fn other_format(start: &[u8]) -> Option<&'static str> {
    Some(match start {
        [b'R', b'I', b'F', b'X', ..] => "RIFX (big-endian WAV)",
        [b'R', b'F', b'6', b'4', ..] => "RF64 (64-bit WAV)",
        [b'B', b'W', b'6', b'4', ..] => "BW64 (64-bit WAV)",
        [b'r', b'i', b'f', b'f', ..] => "Wave64",
        [b'R', b'I', b'F', b'F', _, _, _, _, kind @ ..] if kind != b"WAVE" => "a RIFF file other than WAV",
        [b'f', b'L', b'a', b'C', ..] => "FLAC",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "MP4 or M4A",
        [0x1A, 0x45, 0xDF, 0xA3, ..] => "WebM or Matroska",
        [b'#', b'!', b'A', b'M', b'R', ..] => "AMR",
        [b'.', b's', b'n', b'd', ..] => "AU",
        [b'F', b'O', b'R', b'M', ..] => "AIFF",
        [b'c', b'a', b'f', b'f', ..] => "CAF",
        [0x30, 0x26, 0xB2, 0x75, ..] => "WMA (ASF)",
        [b'w', b'v', b'p', b'k', ..] => "WavPack",
        // ADTS has MP3's sync word with the layer bits zero.
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => "AAC (ADTS)",
        _ => return None,
    })
}

/// What was sent by mistake, and what to do about it.
fn mistake(rest: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match rest {
        [0x1F, 0x8B, ..] => ("compressed with gzip", UNPACK),
        [b'B', b'Z', b'h', ..] => ("compressed with bzip2", UNPACK),
        [0xFD, b'7', b'z', b'X', b'Z', ..] => ("compressed with xz", UNPACK),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => ("compressed with Zstandard", UNPACK),
        [b'P', b'K', 3..=8, ..] => ("a ZIP archive", "unpack it and send each recording by itself"),
        [b'-', b'-', ..] => {
            ("multipart form data", "send the bare file as the body (with curl `-T call.wav`, not `-F`)")
        }
        [b'<', ..] if starts(rest, &["<!doctype html", "<html", "<head", "<body"]) => (
            "an HTML page",
            "look at what it says: it may be the error page of where the recording came from",
        ),
        [b'<', b'?' | b'!' | b'a'..=b'z' | b'A'..=b'Z', ..] => ("XML or HTML", ANSWER),
        [b'{' | b'[', next, ..] if b" \t\r\n\"{}[]-0123456789tfn".contains(next) => ("JSON", ANSWER),
        [b'H', b'T', b'T', b'P', b'/', ..] => {
            ("an HTTP answer with its head", "send only the body of that answer")
        }
        [b'%', b'P', b'D', b'F', ..] => ("a PDF document", "send the recording"),
        [0x89, b'P', b'N', b'G', ..] | [0xFF, 0xD8, 0xFF, ..] | [b'G', b'I', b'F', b'8', ..] => {
            ("a picture", "send the recording")
        }
        _ if starts(rest, &["#extm3u", "[playlist]"]) => {
            ("a playlist", "send the recording that it names, and each by itself")
        }
        _ if starts(rest, &["content-", "mime-version"]) => {
            ("a MIME message", "send the bare file as the body, without head and boundary")
        }
        _ if starts(rest, &["data:audio"]) => ("a data URI", DECODE),
        // RIFF, OggS, ID3, and the usual first frames of MP3, three bytes in four letters.
        _ if BASE64.iter().any(|known| rest.starts_with(known)) => ("Base64 text", DECODE),
        _ if starts(rest, &["52494646", "4f676753", "494433"]) => ("hexadecimal text", DECODE),
        _ if is_utf_16(rest) => ("text", ANSWER),
        _ => return None,
    })
}

/// Whether the text begins with one of these, in small or capital letters. Not all of it need have come.
fn starts(text: &[u8], with: &[&str]) -> bool {
    with.iter().any(|with| {
        let length = with.len().min(START);
        text.get(..length)
            .zip(with.as_bytes().get(..length))
            .is_some_and(|(text, with)| text.eq_ignore_ascii_case(with))
    })
}

/// UTF-16 of Latin letters. Its mark looks like a frame of MPEG audio.
fn is_utf_16(start: &[u8]) -> bool {
    match start {
        [0xFF, 0xFE, rest @ ..] => {
            !rest.is_empty() && rest.chunks(2).all(|pair| matches!(pair, [_, 0] | [_]))
        }
        [0xFE, 0xFF, rest @ ..] => {
            !rest.is_empty() && rest.chunks(2).all(|pair| matches!(pair, [0, _] | [_]))
        }
        _ => false,
    }
}

/// UTF-8 without control characters, perhaps cut within a character.
fn is_text(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            start.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok())
        }
        Err(_) => None,
    };
    text.is_some_and(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()))
}

/// White space, zero bytes, and the three bytes with which UTF-8 text may begin.
fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t' | b'\r' | b'\n' | 0xEF | 0xBB | 0xBF)
}

const UNPACK: &str = "unpack it and send the recording itself";
const DECODE: &str = "decode it and send the bytes of the recording";
const ANSWER: &str = "look at what it says: it may be an error of where the recording came from";
const BASE64: [&[u8]; 8] = [b"UklGR", b"T2dnU", b"SUQz", b"//uQ", b"//tQ", b"//NE", b"//MY", b"/+MY"];
