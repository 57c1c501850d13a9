//! A storage plan of Kazoo's: the audio comes with the recording's document in one multipart body, if the plan says so, and
//! a plan is tried with a small file that has to come back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::Value;

use crate::api::problem::{Misread, TurnedAway};
use crate::body::Paced;

/// The boundary of a multipart body: `multipart/form-data` by the code, `multipart/mixed` by its documentation.
pub(super) fn boundary(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (kind, parameters) = header.split_once(';')?;
    let kind = kind.trim().to_ascii_lowercase();
    if kind != "multipart/form-data" && kind != "multipart/mixed" {
        return None;
    }
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let (_, boundary) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let boundary = boundary.trim().trim_matches('"');
    (!boundary.is_empty()).then(|| boundary.to_owned())
}

/// The recording's document, and the audio after it.
///
/// Before the audio begins, no more is read than a document takes: until then it is kept in memory.
pub(super) async fn parts(body: Paced, boundary: &str) -> Result<(Value, Body), TurnedAway> {
    let is_audio = Arc::new(AtomicBool::new(false));
    let begun = Arc::clone(&is_audio);
    let chunks = stream::unfold((body, 0usize), move |(mut body, read)| {
        let begun = Arc::clone(&begun);
        async move {
            let chunk = match body.next_chunk().await {
                Ok(chunk) => chunk?,
                Err(error) => return Some((Err(std::io::Error::other(error)), (body, read))),
            };
            let read = read.saturating_add(chunk.len());
            let is_too_much = read > MAX_DOCUMENT.saturating_mul(2) && !begun.load(Ordering::Relaxed);
            let passed = match is_too_much {
                true => Err(std::io::Error::other("no audio begins")),
                false => Ok(chunk),
            };
            Some((passed, (body, read)))
        }
    });
    let limits = SizeLimit::new().per_field(u64::MAX).whole_stream(u64::MAX);
    let constraints = Constraints::new().size_limit(limits);
    let mut parts = Multipart::with_constraints(chunks, boundary, constraints);
    let mut document = Value::Null;
    while let Some(mut part) = parts.next_field().await.map_err(unreadable)? {
        let is_document = part.content_type().is_some_and(|kind| kind.essence_str() == "application/json");
        if !is_document {
            is_audio.store(true, Ordering::Relaxed);
            return Ok((document, Body::from_stream(plain(part.map_err(std::io::Error::other)))));
        }
        let mut text = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(unreadable)? {
            if text.len().saturating_add(chunk.len()) > MAX_DOCUMENT {
                return Err(TurnedAway::Multipart(Misread::LongDocument { most: MAX_DOCUMENT }));
            }
            text.extend_from_slice(&chunk);
        }
        document = serde_json::from_slice(&text).map_err(|_| TurnedAway::Multipart(Misread::NoDocument))?;
    }
    Err(TurnedAway::Multipart(Misread::NoAudio))
}

fn unreadable(_: multer::Error) -> TurnedAway {
    TurnedAway::Multipart(Misread::Broken)
}

/// A plan may have the audio encoded in base64, and does not say so in the request. No audio file begins with so many
/// letters and digits.
fn plain(
    part: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let decoder = Decoder { encoded: None, carried: Vec::new() };
    stream::unfold((Box::pin(part), decoder), |(mut part, mut decoder)| async move {
        loop {
            let (chunk, is_last) = match part.next().await {
                Some(Ok(chunk)) => (chunk, false),
                Some(Err(error)) => return Some((Err(error), (part, decoder))),
                None if decoder.carried.is_empty() => return None,
                None => (Bytes::new(), true),
            };
            let decoded = decoder.take(&chunk, is_last);
            if decoded.as_ref().is_ok_and(Bytes::is_empty) {
                if is_last {
                    return None;
                }
                continue;
            }
            return Some((decoded, (part, decoder)));
        }
    })
}

/// What has come of a part.
struct Decoder {
    /// Whether it is base64, once that shows.
    encoded: Option<bool>,
    /// What has come and was not passed on.
    carried: Vec<u8>,
}

impl Decoder {
    fn take(&mut self, chunk: &[u8], is_last: bool) -> std::io::Result<Bytes> {
        self.carried.extend(chunk.iter().filter(|byte| self.encoded != Some(true) || !is_blank(**byte)));
        if self.encoded.is_none() {
            if self.carried.len() < SHOWN_BY && !is_last {
                return Ok(Bytes::new());
            }
            let start = self.carried.iter().take(SHOWN_BY);
            let is_base64 = start.clone().all(|byte| is_letter(*byte) || is_blank(*byte));
            self.encoded = Some(is_base64 && !self.carried.starts_with(b"RIFF"));
            if is_base64 {
                self.carried.retain(|byte| !is_blank(*byte));
            }
        }
        if self.encoded == Some(false) {
            return Ok(std::mem::take(&mut self.carried).into());
        }
        let whole = if is_last { self.carried.len() } else { self.carried.len() / 4 * 4 };
        let rest = self.carried.split_off(whole);
        let decoded = BASE64_STANDARD.decode(std::mem::replace(&mut self.carried, rest));
        decoded
            .map(Bytes::from)
            .map_err(|_| std::io::Error::other("the audio of a storage plan is no base64"))
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Whether a file is the one by which Kazoo tries a plan.
pub(super) fn is_trial(file: &str) -> bool {
    file.ends_with("_test_credentials_file.txt")
}

/// The files by which plans are tried: small, few, and only for a while, until Kazoo has read them back.
#[derive(Debug, Default)]
pub(crate) struct Trials(Mutex<HashMap<(String, String), (Instant, Bytes)>>);

impl Trials {
    /// Keeps a file. Returns whether there was room for it.
    pub(super) fn keep(&self, account: &str, file: &str, content: Bytes) -> bool {
        let mut trials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trials.retain(|_, (kept_at, _)| kept_at.elapsed() < KEPT_FOR);
        let key = (account.to_owned(), file.to_owned());
        let others = trials.keys().filter(|(of, _)| of == account && !trials.contains_key(&key)).count();
        let has_room = content.len() as u64 <= LONGEST_TRIAL && others < MOST_TRIALS;
        if has_room {
            trials.insert(key, (Instant::now(), content));
        }
        has_room
    }

    pub(super) fn read(&self, account: &str, file: &str) -> Option<Bytes> {
        let trials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = trials.get(&(account.to_owned(), file.to_owned()));
        found.filter(|(kept_at, _)| kept_at.elapsed() < KEPT_FOR).map(|(_, content)| content.clone())
    }
}

/// The longest document of a recording, in bytes.
const MAX_DOCUMENT: usize = 1 << 20;
/// By so many bytes it shows whether audio is encoded.
const SHOWN_BY: usize = 64;
/// The longest file by which a plan is tried, in bytes; Kazoo's has some forty.
pub(super) const LONGEST_TRIAL: u64 = 4096;
/// How many of an account are kept at once.
const MOST_TRIALS: usize = 8;
const KEPT_FOR: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    async fn decoded(encoded: &[u8], in_pieces_of: usize) -> Vec<u8> {
        let pieces: Vec<_> =
            encoded.chunks(in_pieces_of).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let whole: Vec<Bytes> = plain(stream::iter(pieces)).try_collect().await.unwrap();
        whole.concat()
    }

    #[tokio::test]
    async fn audio_passes_as_it_is_or_decoded_however_it_is_cut() {
        let mut audio = b"RIFF\x24\x10\0\0WAVEfmt ".to_vec();
        audio.extend((0..1000u32).flat_map(u32::to_le_bytes));
        let encoded = BASE64_STANDARD.encode(&audio);
        let in_lines: String = encoded
            .as_bytes()
            .chunks(76)
            .map(|line| format!("{}\r\n", String::from_utf8_lossy(line)))
            .collect();
        for in_pieces_of in [1, 3, 63, 64, 65, 1000, 100_000] {
            for body in [audio.as_slice(), encoded.as_bytes(), in_lines.as_bytes()] {
                assert_eq!(decoded(body, in_pieces_of).await, audio, "{in_pieces_of}");
            }
        }
        // What is shorter than what shows it, too.
        assert_eq!(decoded(b"RIFF", 2).await, b"RIFF");
        assert_eq!(decoded(b"", 2).await, b"");
    }

    #[test]
    fn a_boundary_is_found_in_both_kinds() {
        let of = |header: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, header.parse().unwrap());
            boundary(&headers)
        };
        assert_eq!(of("multipart/form-data; boundary=abc").as_deref(), Some("abc"));
        assert_eq!(of("Multipart/Mixed; charset=utf-8; Boundary=\"a b\"").as_deref(), Some("a b"));
        for other in
            ["audio/mpeg", "multipart/mixed", "multipart/related; boundary=abc", "multipart/mixed; boundary="]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn trials_are_small_and_few() {
        let trials = Trials::default();
        assert!(trials.keep("acme", "a", Bytes::from_static(b"x")));
        assert_eq!(trials.read("acme", "a").as_deref(), Some(&b"x"[..]));
        assert!(trials.read("globex", "a").is_none());
        assert!(!trials.keep("acme", "b", vec![0; 4097].into()));
        for number in 1..MOST_TRIALS {
            assert!(trials.keep("acme", &number.to_string(), Bytes::new()));
        }
        assert!(!trials.keep("acme", "one more", Bytes::new()));
        // Its own may be replaced, and others have room of their own.
        assert!(
            trials.keep("acme", "a", Bytes::from_static(b"y")) && trials.keep("globex", "a", Bytes::new())
        );
        assert_eq!(trials.read("acme", "a").as_deref(), Some(&b"y"[..]));
    }
}
