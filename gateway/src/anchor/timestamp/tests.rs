//! Against `openssl ts`: an authority that is made at test time, behind a small server.

use std::sync::Arc;

use trail::clock::Clock;
use trail::timestamp::{TimestampError as Wrong, query, time_of};

use super::tsa::Tsa;
use super::*;
use crate::anchor::tests::log::LOG;
use crate::anchor::tests::server::{Asked, Server, http, impatient};

const TEXT: &str = "gateway.example.com/acme\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const NONCE: u64 = 0x8877_6655_4433_2211;

/// Whether `openssl` takes the response for one of this text.
fn verifies(tsa: &Tsa, response: &[u8], text: &str) -> bool {
    std::fs::write(tsa.path().join("1024.tsr"), response).unwrap();
    std::fs::write(tsa.path().join("note.txt"), text).unwrap();
    std::process::Command::new("openssl")
        .args(["ts", "-verify", "-in", "1024.tsr", "-data", "note.txt", "-CAfile", "ca.pem"])
        .current_dir(tsa.path())
        .output()
        .unwrap()
        .status
        .success()
}

async fn stamp(server: &Server, text: &str) -> Result<Stamp, TimestampError> {
    Authority::new(server.address.clone()).stamp(&http(), text).await
}

/// An authority that answers each query with what `answer` makes of it.
async fn authority(answer: impl Fn(&Tsa, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> (Arc<Tsa>, Server) {
    let tsa = Arc::new(Tsa::new());
    let (shared, answer) = (Arc::clone(&tsa), Arc::new(answer));
    let server = Server::start(move |asked: Asked| {
        assert_eq!(asked.content_type, "application/timestamp-query");
        answer(&shared, &asked.body)
    })
    .await;
    (tsa, server)
}

#[tokio::test]
async fn a_stamp_of_a_real_authority_is_read_and_verified_by_openssl() {
    for section in ["plain", "full"] {
        let (tsa, server) = authority(move |tsa, query| tsa.reply(section, query)).await;
        let text = LOG.head(1024).text;
        let before = Clock::system().now().as_second();
        let stamp = stamp(&server, &text).await.unwrap();
        let now = before..=Clock::system().now().as_second();
        assert!(now.contains(&stamp.time.as_second()), "{}", stamp.time);
        assert_eq!(section == "full", stamp.time.subsec_nanosecond() > 0, "{}", stamp.time);

        assert!(verifies(&tsa, &stamp.response, &text));
        assert_eq!(time_of(&stamp.response, &text).unwrap(), stamp.time);
        let other = LOG.head(1023).text;
        assert!(!verifies(&tsa, &stamp.response, &other));
        assert!(matches!(time_of(&stamp.response, &other), Err(Wrong::OtherText)));
    }
}

#[tokio::test]
async fn each_query_has_a_nonce_of_its_own() {
    let (_tsa, server) = authority(|tsa, query| tsa.reply("plain", query)).await;
    let first = stamp(&server, TEXT).await.unwrap();
    let second = stamp(&server, TEXT).await.unwrap();
    assert_ne!(first.response, second.response);
    let asked = server.asked();
    assert_ne!(asked[0].body, asked[1].body);
}

#[tokio::test]
async fn a_stamp_of_something_else_is_refused() {
    let (_tsa, server) = authority(|tsa, _| tsa.reply("plain", &query("x", NONCE))).await;
    let error = stamp(&server, TEXT).await;
    assert!(matches!(error, Err(TimestampError::Response(Wrong::OtherText))), "{error:?}");
}

#[tokio::test]
async fn a_stamp_for_another_request_is_refused() {
    let (_tsa, server) = authority(|tsa, _| tsa.reply("plain", &query(TEXT, NONCE))).await;
    let error = stamp(&server, TEXT).await;
    assert!(matches!(error, Err(TimestampError::Response(Wrong::OtherRequest))), "{error:?}");

    // One without a nonce is as good as an old one.
    let (_tsa, server) = authority(|tsa, query| {
        let mut short = query[..query.len() - 3 - 2 - usize::from(query[57])].to_vec();
        short.extend([1, 1, 0xff]);
        short[1] = u8::try_from(short.len() - 2).unwrap();
        tsa.reply("plain", &short)
    })
    .await;
    let error = stamp(&server, TEXT).await;
    assert!(matches!(error, Err(TimestampError::Response(Wrong::OtherRequest))), "{error:?}");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_authoritys_words() {
    let (_tsa, server) = authority(|tsa, query| tsa.reply("choosy", query)).await;
    let Err(TimestampError::Response(Wrong::Refused(said))) = stamp(&server, TEXT).await else {
        panic!("not refused")
    };
    assert_eq!(said, "rejection, unknown algorithm, `Message digest algorithm is not supported.`");
}

#[tokio::test]
async fn what_is_no_response_is_refused() {
    for (body, status) in [(vec![], 200), (b"<html>".to_vec(), 200), (b"0\x800\x00\x00".to_vec(), 200)] {
        let server = Server::start(move |_| body.clone()).await;
        let error = stamp(&server, TEXT).await;
        assert!(matches!(error, Err(TimestampError::Response(Wrong::Malformed))), "{status}: {error:?}");
    }
    let server = Server::start(|_| axum::http::StatusCode::SERVICE_UNAVAILABLE).await;
    let error = stamp(&server, TEXT).await;
    assert!(matches!(error, Err(TimestampError::Status(503))), "{error:?}");
    let silent = Server::silent().await;
    let error = Authority::new(silent.address.clone()).stamp(&impatient(), TEXT).await;
    assert!(matches!(error, Err(TimestampError::Http(HttpError::Slow { .. }))), "{error:?}");
}
