//! Plaintext audio touches no disk: not in the store, not in the ledger, not for a moment.

use serde_json::json;

use super::{Upload, after, before, granted, nothing_got_in, races::until};
use crate::harness::{Gateway, files_below, wav, wav_of};

/// 64 random bytes, over and over: whatever piece of it is written somewhere can be found.
fn marked(ms: usize) -> (Vec<u8>, [u8; 64]) {
    let mark = trail::random::<64>().unwrap();
    let samples: Vec<i16> = mark.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    let samples: Vec<i16> = samples.iter().copied().cycle().take(ms * 8).collect();
    (wav_of(8000, &samples), mark)
}

/// Whether any 31 bytes in a row of the marked audio are in there.
fn holds(bytes: &[u8], mark: &[u8; 64]) -> bool {
    let turned = [&mark[..], &mark[..]].concat();
    let needles: Vec<&[u8]> = (0..64).step_by(16).map(|at| &turned[at..at + 16]).collect();
    bytes.windows(16).any(|window| needles.iter().any(|needle| window[0] == needle[0] && window == *needle))
}

fn is_nowhere(gateway: &Gateway, mark: &[u8; 64]) {
    for file in files_below(gateway.dir.path()) {
        // A part may be gone by the time it is looked at.
        let Ok(bytes) = std::fs::read(&file) else { continue };
        assert!(!holds(&bytes, mark), "plaintext audio in {}", file.display());
    }
}

#[tokio::test]
async fn the_search_would_find_it() {
    let (audio, mark) = marked(1000);
    assert!(holds(&audio, &mark));
    assert!(holds(&audio[3000..3031], &mark));
    assert!(!holds(&wav(1000), &mark));
}

#[tokio::test]
async fn audio_is_sealed_before_any_of_it_is_written() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(500_000);
    let (audio, mark) = marked(240_000);
    let mut upload =
        Upload::admitted(&gateway.recorder, "/v1/calls/c1/recordings/a", Some(from), audio.len()).await;
    let (half, rest) = audio.split_at(audio.len() / 2);
    upload.send(half).await;
    until(|| gateway.stored_files() > 0).await;
    is_nowhere(&gateway, &mark);
    upload.send(rest).await;
    let (status, stored) = upload.answer().await;
    assert_eq!(status, 201, "{stored}");
    is_nowhere(&gateway, &mark);
    let path = format!("/v1/recordings/{}", stored["id"].as_str().unwrap());
    gateway.upload("c1", "a", Some(from), &audio).await.expect(200);
    gateway.listener.get(&format!("{path}/media?purpose=quality")).await.expect(200);
    is_nowhere(&gateway, &mark);
    gateway.admin.delete(&path).await.expect(204);
    is_nowhere(&gateway, &mark);
}

#[tokio::test]
async fn refused_and_broken_uploads_leave_no_plaintext() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(200_000);
    let (audio, mark) = marked(160_000);
    // Before anything is read; after all of it was.
    gateway.upload("c1", "a", Some(before(from, 1000)), &audio).await.expect(403);
    gateway.upload("c1", "a", Some(after(from, 100_000)), &audio).await.expect(403);
    // Too short a timeline, the wrong digest, and audio that turns out to be none at its end.
    super::timeline(&gateway, "c1", "a", &format!("{from}/PT1S"), &audio).await.expect(422);
    let start = from.to_string();
    let digest = format!("sha-256=:{}=:", "A".repeat(43));
    let headers = [("recording-start", start.as_str()), ("content-digest", digest.as_str())];
    gateway
        .recorder
        .upload("/v1/calls/c1/recordings/a", &headers, &audio)
        .await
        .problem(400, "digest-mismatch");
    let trailing = [audio.as_slice(), &mark.repeat(64)].concat();
    gateway.upload("c1", "a", Some(from), &trailing).await.expect(415);
    is_nowhere(&gateway, &mark);
    nothing_got_in(&gateway).await;
    // Withdrawn half-way, and hung up half-way.
    let path = "/v1/calls/c1/recordings/a";
    let mut upload = Upload::admitted(&gateway.recorder, path, Some(from), audio.len()).await;
    upload.send(&audio[..audio.len() / 2]).await;
    until(|| gateway.stored_files() > 0).await;
    is_nowhere(&gateway, &mark);
    drop(upload);
    until(|| gateway.stored_files() == 0).await;
    let mut upload = Upload::admitted(&gateway.recorder, path, Some(from), audio.len()).await;
    upload.send(&audio[..audio.len() / 2]).await;
    let withdrawn = json!({"type": "consent.withdrawn", "participant": "caller", "at": from});
    gateway.event("c1", &withdrawn).await.expect(201);
    upload.send(&audio[audio.len() / 2..]).await;
    assert_eq!(upload.answer().await.0, 403);
    is_nowhere(&gateway, &mark);
    nothing_got_in(&gateway).await;
}

#[tokio::test]
async fn audio_sent_where_json_belongs_is_kept_nowhere() {
    let gateway = Gateway::start().await;
    granted(&gateway).await;
    let (audio, mark) = marked(10_000);
    for (method, path) in [
        ("PUT", "/v1/calls/c2"),
        ("POST", "/v1/calls/c1/events"),
        ("POST", "/v1/calls/c1/participants"),
        ("POST", "/v1/calls/c1/recording"),
        ("POST", "/v1/calls/c1/recordings/a"),
        ("PUT", "/v1/recordings/a"),
        ("PUT", "/nowhere"),
    ] {
        let answer = super::send(&gateway.recorder, method, path, &[], &audio).await;
        assert!((400..500).contains(&answer.status), "{method} {path}: {}", answer.status);
        assert!(!holds(&answer.body, &mark));
    }
    is_nowhere(&gateway, &mark);
    nothing_got_in(&gateway).await;
}
