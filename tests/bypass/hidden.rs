//! Audio that hides behind what is measured.

use super::{granted, nothing_got_in, stored};
use crate::harness::{Gateway, wav};

fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [id.as_slice(), &u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
}

/// `fmt ` of 16-bit mono PCM at `rate`.
fn format(rate: u32) -> Vec<u8> {
    let mut body = b"\x01\0\x01\0".to_vec();
    body.extend_from_slice(&rate.to_le_bytes());
    body.extend_from_slice(&(rate * 2).to_le_bytes());
    body.extend_from_slice(b"\x02\0\x10\0");
    chunk(b"fmt ", &body)
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    [b"RIFF".as_slice(), &u32::try_from(body.len() + 4).unwrap().to_le_bytes(), b"WAVE", &body].concat()
}

/// 16-bit samples at 8 kHz.
fn samples(ms: usize) -> Vec<u8> {
    [0x40, 0x1F, 0xC0, 0xE0].repeat(ms * 4)
}

/// With a data chunk that declares another length than it has.
fn lying(declared: u32, body: &[u8]) -> Vec<u8> {
    [b"data".as_slice(), &declared.to_le_bytes(), body].concat()
}

#[tokio::test]
async fn audio_behind_or_beside_the_audio_is_refused() {
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(2000);
    let (second, minute) = (samples(1000), samples(60_000));
    let data = chunk(b"data", &second);
    let id3 = |size: usize| {
        let size = u32::try_from(size).unwrap();
        let sevens = [21, 14, 7, 0].map(|shift| u8::try_from(size >> shift & 0x7F).unwrap());
        [b"ID3\x04\0\0".as_slice(), &sevens].concat()
    };
    for (audio, what) in [
        (riff(&[format(8000), data.clone(), chunk(b"data", &minute)]), "a second data chunk"),
        (riff(&[format(8000), chunk(b"LIST", &minute), data.clone()]), "a LIST chunk before"),
        (riff(&[format(8000), data.clone(), chunk(b"LIST", &minute)]), "a LIST chunk behind"),
        (riff(&[format(8000), chunk(b"JUNK", &minute), data.clone()]), "a JUNK chunk"),
        (riff(&[format(8000), chunk(b"xxxx", &second), data.clone()]), "an unknown chunk"),
        (riff(&[format(8000), format(48_000), data.clone()]), "two formats"),
        (riff(&[format(8000), data.clone(), format(48_000)]), "a late format"),
        (riff(&[data.clone(), format(8000)]), "no format before the data"),
        ([riff(&[format(8000), data.clone()]), wav(60_000)].concat(), "a second file behind"),
        ([riff(&[format(8000), data.clone()]), minute.clone()].concat(), "bytes behind"),
        (riff(&[format(8000), lying(16_000, &minute)]), "a size too small"),
        (riff(&[format(8000), lying(0, &minute)]), "a size of nothing"),
        (riff(&[format(8000), lying(u32::MAX, &minute)]), "a size of everything"),
        (riff(&[format(8000), lying(0x7FFF_FFFF, &minute)]), "a placeholder"),
        (riff(&[format(8000), lying(960_001, &minute)]), "a size too large"),
        (riff(&[format(8000), lying(16_000, &samples(500))]), "a file cut short"),
        (riff(&[format(11_111), data.clone()]), "a rate that nobody uses"),
        (riff(&[format(192_000), data.clone()]), "a rate that is too high"),
        ([id3(minute.len()), minute.clone()].concat(), "a tag full of audio"),
        ([id3(10), vec![0; 10], minute.clone()].concat(), "a tag before no audio"),
        (minute.clone(), "bare samples"),
        (b"OggS\0\x02".to_vec(), "a cut page"),
        (b"fLaC".repeat(100), "another format"),
        (Vec::new(), "nothing"),
        (b"RIFF".to_vec(), "a cut header"),
    ] {
        let refused = gateway.upload("c1", "a", Some(from), &audio).await;
        assert!(matches!(refused.status, 403 | 415), "{what}: {} {}", refused.status, refused.text());
        nothing_got_in(&gateway).await;
    }
}

#[tokio::test]
async fn known_limit_samples_that_claim_a_higher_rate_are_measured_as_what_they_claim() {
    // The same samples are valid at any rate. Whoever plays what was accepted hears it at the
    // claimed rate; a platform that lies about it needs somebody who slows it down again.
    let gateway = Gateway::start().await;
    let from = granted(&gateway).await;
    gateway.advance_ms(2000);
    let audio = riff(&[format(96_000), chunk(b"data", &samples(12_000))]);
    let stored_as = gateway.upload("c1", "a", Some(from), &audio).await.expect(201);
    assert_eq!(stored_as["duration_ms"], 1000);
    stored(&gateway, 1).await;
}
