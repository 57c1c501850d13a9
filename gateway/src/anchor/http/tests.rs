use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use futures_util::StreamExt as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::anchor::tests::server::{Server, http, impatient};

#[tokio::test]
async fn an_answer_is_read_whatever_its_status() {
    let server =
        Server::start(|_| (StatusCode::CONFLICT, [(CONTENT_TYPE, "Text/X.Size; q=1")], "12\n")).await;
    let answer = http().post(&server.address.below("a/b"), "text/plain", b"old".to_vec()).await.unwrap();
    assert_eq!(answer.status, 409);
    assert_eq!(answer.content_type.as_deref(), Some("text/x.size"));
    assert_eq!(answer.body, b"12\n");
    let asked = &server.asked()[0];
    assert_eq!((asked.path.as_str(), asked.content_type.as_str()), ("/a/b", "text/plain"));
    assert_eq!(&asked.body[..], b"old");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let server = Server::start(|_| (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/elsewhere")])).await;
    assert_eq!(http().post(&server.address, "text/plain", Vec::new()).await.unwrap().status, 307);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_answer_may_fill_its_bound_and_no_more() {
    let limit = Limits::default().bytes;
    for (length, fits) in [(limit, true), (limit + 1, false)] {
        let whole = Server::start(move |_| vec![b'x'; length]).await;
        let chunked = Server::start(move |_| {
            let bytes = futures_util::stream::repeat(Ok::<_, Infallible>("x")).take(length);
            Body::from_stream(bytes)
        })
        .await;
        for server in [whole, chunked] {
            let answer = http().post(&server.address, "text/plain", Vec::new()).await;
            match fits {
                true => assert_eq!(answer.unwrap().body.len(), length),
                false => assert!(matches!(answer, Err(HttpError::TooLong { .. })), "{answer:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_endless_answer_ends() {
    let server =
        Server::start(|_| Body::from_stream(futures_util::stream::repeat(Ok::<_, Infallible>("endless"))))
            .await;
    let answer = http().post(&server.address, "text/plain", Vec::new()).await;
    assert!(matches!(answer, Err(HttpError::TooLong { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_is_silent_or_drips_is_given_up() {
    let silent = Server::silent().await;
    let dripping = Server::start(|_| {
        Body::from_stream(
            futures_util::stream::once(async { Ok::<_, Infallible>("x") })
                .chain(futures_util::stream::pending()),
        )
    })
    .await;
    for server in [silent, dripping] {
        let answer = impatient().post(&server.address, "text/plain", Vec::new()).await;
        assert!(matches!(answer, Err(HttpError::Slow { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    // Bound, so that nobody else gets the port, and not listened on.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address: Address = format!("http://{}", socket.local_addr().unwrap()).parse().unwrap();
    let error = http().post(&address, "text/plain", Vec::new()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("`{address}` could not be reached"));
}

#[tokio::test]
async fn over_tls_a_server_is_asked_only_if_its_certificate_is_trusted() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let server =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Address = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut tls) = acceptor.accept(socket).await else { continue };
            let mut request = [0; 4096];
            assert!(tls.read(&mut request).await.unwrap() > 0);
            tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            tls.flush().await.unwrap();
        }
    });
    let answer = http().post(&address, "text/plain", Vec::new()).await;
    assert!(matches!(answer, Err(HttpError::Unreachable { .. })), "{answer:?}");

    let root = reqwest::Certificate::from_der(cert.der()).unwrap();
    let trusting = Http::with_roots(Limits::default(), vec![root]).unwrap();
    assert_eq!(trusting.post(&address, "text/plain", Vec::new()).await.unwrap().body, b"ok");
    server.abort();
}

#[test]
fn plain_http_is_for_loopback_addresses_and_for_no_name() {
    for good in [
        "https://w.example",
        "https://w.example:8443/prefix?x=1",
        "https://192.0.2.1/",
        "http://127.0.0.1:80/",
        "http://127.9.9.9",
        "http://[::1]:8080/tsr",
    ] {
        good.parse::<Address>().unwrap();
    }
    for (bad, hint) in [
        ("http://w.example/", "127.0.0.1"),
        ("http://localhost/", "127.0.0.1"),
        ("http://127.0.0.1.example/", "127.0.0.1"),
        ("http://192.0.2.1/", "127.0.0.1"),
        ("http://[::2]/", "127.0.0.1"),
        ("http://[::ffff:192.0.2.1]/", "127.0.0.1"),
        ("ftp://w.example/", "https://"),
        ("w.example", "not a URL"),
        ("https://", "not a URL"),
        ("https://w.example/#x", "fragment"),
        ("https://u:secret@w.example/", "password"),
    ] {
        let error = bad.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(hint), "{bad}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn what_is_below_an_address_is_appended_to_its_path() {
    for (address, below) in [
        ("https://w.example", "https://w.example/add"),
        ("https://w.example/", "https://w.example/add"),
        ("https://w.example/a", "https://w.example/a/add"),
        ("https://w.example/a/", "https://w.example/a/add"),
    ] {
        assert_eq!(address.parse::<Address>().unwrap().below("add").to_string(), below);
    }
}
