//! Bodies from channels, with the clock paused, and refusals over real sockets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use axum::routing::put;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::listen::origin::Proxies;
use crate::listen::{Limits, serve};

const PACE: Pace = Pace {
    max_bytes: 10_000,
    min_rate: 100,
    grace: Duration::from_secs(10),
    deadline: Duration::from_secs(60),
};

#[tokio::test(start_paused = true)]
async fn a_body_is_read_to_its_end() {
    let body = sent(vec![(0, 3000), (5, 3000), (5, 4000)]);
    assert_eq!(read_all(body, PACE).await.unwrap().len(), 10_000);
    assert!(read_all(Body::empty(), PACE).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_large_is_refused() {
    let error = read_all(sent(vec![(0, 9000), (0, 1001)]), PACE).await.unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { limit: 10_000 }));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_says_it_is_too_large_is_refused_unread() {
    let read = Arc::new(AtomicBool::new(false));
    let body = Body::new(Announced(10_001, Arc::clone(&read)));
    let error = read_all(body, PACE).await.unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { .. }));
    assert!(!read.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_client_may_be_as_slow_as_the_rate_and_no_slower() {
    let steady = sent((0..50).map(|_| (1, 100)).collect());
    assert_eq!(read_all(steady, PACE).await.unwrap().len(), 5000);

    let start = Instant::now();
    let slower = sent((0..50).map(|_| (1, 60)).collect());
    let error = read_all(slower, PACE).await.unwrap_err();
    assert!(matches!(error, BodyError::TooSlow { min_rate: 100 }));
    // 10 s of grace, of which each second uses up 0.4 s.
    assert_eq!(start.elapsed().as_millis(), 23_800);
}

#[tokio::test(start_paused = true)]
async fn a_fast_start_buys_no_long_pause() {
    let start = Instant::now();
    let error = read_all(sent(vec![(0, 9000), (11, 1)]), PACE).await.unwrap_err();
    assert!(matches!(error, BodyError::TooSlow { .. }));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_whole_body_has_a_deadline() {
    let start = Instant::now();
    let error = read_all(sent((0..90).map(|_| (1, 101)).collect()), PACE).await.unwrap_err();
    assert!(matches!(error, BodyError::Deadline { seconds: 60 }), "{error}");
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn our_own_slowness_is_not_held_against_the_client() {
    let body = Full::from(vec![7; 40]);
    let mut paced = Paced::new(Body::new(body), PACE);
    assert_eq!(paced.next_chunk().await.unwrap().unwrap().len(), 40);
    sleep(Duration::from_secs(50)).await;
    assert!(paced.next_chunk().await.unwrap().is_none());
    assert!(paced.next_chunk().await.unwrap().is_none());
    assert_eq!(paced.received(), 40);
}

#[tokio::test(start_paused = true)]
async fn without_a_rate_only_the_deadline_counts() {
    let pace = Pace { min_rate: 0, ..PACE };
    assert_eq!(read_all(sent(vec![(30, 1), (29, 1)]), pace).await.unwrap().len(), 2);
    let error = read_all(sent(vec![(61, 1)]), pace).await.unwrap_err();
    assert!(matches!(error, BodyError::Deadline { .. }));
}

#[tokio::test(start_paused = true)]
async fn after_an_error_a_body_never_seems_to_have_ended() {
    for body in [broken(), sent(vec![(0, 10_001)]), sent(vec![(11, 1)])] {
        let mut paced = Paced::new(body, PACE);
        for _ in 0..3 {
            assert!(paced.next_chunk().await.is_err());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn draining_ends_at_the_end_or_at_a_cap() {
    let cap = Cap { bytes: 1000, time: Duration::from_secs(5) };
    assert!(drain(sent(vec![(1, 500), (1, 500)]), cap).await);
    assert!(!drain(sent(vec![(1, 500), (1, 501)]), cap).await);
    assert!(!drain(sent(vec![(6, 1)]), cap).await);
}

#[tokio::test]
async fn a_body_cut_short_is_broken_and_so_is_bad_chunking() {
    let server = Server::start().await;
    for (head, body) in [("content-length: 9", "four"), ("transfer-encoding: chunked", "zz\r\n")] {
        let mut client = server.send("/read", head).await;
        client.write_all(body.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let answer = read_to_end(&mut client).await;
        assert!(answer.ends_with("the body broke off"), "{answer}");
    }
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_sends_everything_first() {
    let server = Server::start().await;
    let body = vec![0; 8_000_000];
    for path in ["/refused", "/read", "/nowhere"] {
        let mut client = server.send(path, "content-length: 8000000").await;
        client.write_all(&body).await.unwrap();
        // Again, on the same connection.
        let last = head(path, "content-length: 8000000\r\nconnection: close");
        client.write_all(&last).await.unwrap();
        client.write_all(&body).await.unwrap();
        let answers = read_to_end(&mut client).await;
        assert_eq!(answers.matches("HTTP/1.1 4").count(), 2, "{answers}");
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_without_sending_anything() {
    let server = Server::start().await;
    let ask = "content-length: 8000000\r\nexpect: 100-continue";
    for path in ["/refused", "/read"] {
        let mut client = server.send(path, ask).await;
        let answer = read_to_end(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    let ask = "content-length: 4\r\nexpect: 100-continue\r\nconnection: close";
    let mut client = server.send("/read", ask).await;
    let mut go_on = [0; 25];
    client.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"four").await.unwrap();
    assert!(read_to_end(&mut client).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn more_than_the_cap_is_not_read() {
    let server = Server::start().await;
    let mut client = server.send("/refused", "content-length: 99999999").await;
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        answer.push(client.read_u8().await.unwrap().into());
    }
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("connection: close"), "{answer}");
    // As much as the cap and both sides' buffers.
    let mut taken = 0;
    while taken < 99_999_999 && client.write_all(&[0; 1_000_000]).await.is_ok() {
        taken += 1_000_000;
    }
    assert!(taken < 64_000_000, "{taken}");
}

/// A server on a socket, with the middleware.
struct Server(SocketAddr);

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let read = async |body: Body| match read_all(body, PACE).await {
            Ok(_) => StatusCode::OK.into_response(),
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        };
        let router = Router::new()
            .route("/read", put(read))
            .route("/refused", put(async || StatusCode::FORBIDDEN))
            .layer(from_fn(discard_unread));
        tokio::spawn(serve(
            listener,
            None,
            router,
            Proxies::default(),
            Limits::default(),
            CancellationToken::new(),
        ));
        Self(at)
    }

    /// Connects and sends a head.
    async fn send(&self, path: &str, fields: &str) -> TcpStream {
        let mut client = TcpStream::connect(self.0).await.unwrap();
        client.write_all(&head(path, fields)).await.unwrap();
        client
    }
}

fn head(path: &str, fields: &str) -> Vec<u8> {
    format!("PUT {path} HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n").into()
}

async fn read_to_end(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// A body of zeros in chunks, each so many seconds after the last.
fn sent(chunks: Vec<(u64, usize)>) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for (seconds, size) in chunks {
            sleep(Duration::from_secs(seconds)).await;
            let _ = sender.send(Ok(vec![0; size].into())).await;
        }
    });
    Body::new(Sent(receiver))
}

fn broken() -> Body {
    let (sender, receiver) = mpsc::channel(1);
    sender.try_send(Err(std::io::ErrorKind::ConnectionReset.into())).unwrap();
    Body::new(Sent(receiver))
}

struct Sent(mpsc::Receiver<std::io::Result<Bytes>>);

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }
}

/// Announces a length, and tells when it is read.
struct Announced(u64, Arc<AtomicBool>);

impl HttpBody for Announced {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.1.store(true, Ordering::Relaxed);
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}
