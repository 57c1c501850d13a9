//! What depends on time runs over pipes in memory, with the clock paused: then it is exact. What
//! depends on the system's sockets uses them, with the real clock.

use std::net::SocketAddr;

use axum::extract::Extension;
use axum::routing::{get, post};
use hyper::header::HeaderName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;

mod places;
mod tls;

const PIPE: usize = 64 * 1024;
const ENDLESS_LENGTH: usize = 1024 * 1024;
const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
const GATE: &[u8] = b"GET /gate HTTP/1.1\r\nhost: x\r\n\r\n";
const LET_IN: &[u8] = b"GET /let-in HTTP/1.1\r\nhost: x\r\n\r\n";
const ENDLESS: &[u8] = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_request_head_that_does_not_end_is_closed() {
    let wires = Wires::new(None);
    for head in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let start = Instant::now();
        let mut client = wires.connect().await;
        client.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(read_to_end(&mut client).await, "");
        assert_eq!(start.elapsed().as_secs(), 10, "{head:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_head_that_drips_is_closed() {
    let start = Instant::now();
    let mut client = Wires::new(None).connect().await;
    while client.write_all(b"x").await.is_ok() {
        sleep(Duration::from_secs(3)).await;
    }
    assert_eq!(start.elapsed().as_secs(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_pause_between_requests_but_not_within_a_head() {
    let mut client = Wires::new(None).known().await;
    let (first, second) = HELLO.split_at(20);
    for _ in 0..3 {
        client.write_all(first).await.unwrap();
        sleep(Duration::from_secs(8)).await;
        client.write_all(second).await.unwrap();
        assert!(read_answer(&mut client).await.ends_with("hello"));
        sleep(Duration::from_secs(70)).await;
    }
    let start = Instant::now();
    client.write_all(first).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed() {
    let mut client = Wires::new(None).known().await;
    client.write_all(HELLO).await.unwrap();
    let start = Instant::now();
    assert!(read_to_end(&mut client).await.ends_with("hello"));
    assert_eq!(start.elapsed().as_secs(), 75);
}

#[tokio::test(start_paused = true)]
async fn requests_sent_ahead_are_answered_and_then_the_connection_is_idle() {
    let mut client = Wires::new(None).connect().await;
    client.write_all(&[HELLO, HELLO, b"GET /he"].concat()).await.unwrap();
    let start = Instant::now();
    let answers = read_to_end(&mut client).await;
    assert_eq!(answers.matches("hello").count(), 2);
    assert!(start.elapsed() <= Limits::default().idle + Limits::default().head);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_or_handler_is_not_cut_by_the_limits_for_heads() {
    let mut client = Wires::new(None).known().await;
    let head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
    client.write_all(head).await.unwrap();
    for _ in 0..9 {
        sleep(Duration::from_secs(100)).await;
        client.write_all(b"x").await.unwrap();
    }
    assert!(read_answer(&mut client).await.ends_with("xxxxxxxxx"));
    client.write_all(b"GET /hour HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut client).await.ends_with("at last"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_in_nothing_is_closed_and_one_that_is_slow_is_not() {
    let wires = Wires::new(None);
    let mut deaf = wires.known().await;
    deaf.write_all(ENDLESS).await.unwrap();
    sleep(Duration::from_secs(301)).await;
    assert!(read_to_end_bytes(&mut deaf).await < ENDLESS_LENGTH);

    let mut slow = wires.known().await;
    slow.write_all(ENDLESS).await.unwrap();
    let mut read = 0;
    while read < ENDLESS_LENGTH {
        sleep(Duration::from_secs(299)).await;
        let some = slow.read(&mut [0; PIPE]).await.unwrap();
        assert_ne!(some, 0, "cut after {read} bytes");
        read += some;
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_head_is_refused_and_not_read_on() {
    let large = format!("GET / HTTP/1.1\r\nlarge: {}\r\n\r\n", "x".repeat(HEAD_MAX));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "many: x\r\n".repeat(HEADERS_MAX + 1));
    for head in [large, many] {
        let mut client = Wires::new(None).connect().await;
        client.write_all(head.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

#[tokio::test]
async fn every_request_says_who_sent_it() {
    let server = Running::start(Limits::default(), None).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = read_answer(&mut client).await;
    assert!(answer.ends_with(&client.local_addr().unwrap().ip().to_string()), "{answer}");
}

#[tokio::test]
async fn on_a_socket_half_a_head_is_closed() {
    let head = Duration::from_millis(200);
    let server = Running::start(Limits { head, ..Limits::default() }, None).await;
    let start = Instant::now();
    let mut client = server.connect().await;
    client.write_all(&HELLO[..20]).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    assert!(start.elapsed() >= head && start.elapsed() < Limits::default().head);
}

#[tokio::test]
async fn whoever_comes_finds_a_place_that_a_stranger_has_to_give_up() {
    let server = Running::start(Limits { connections: 2, ..Limits::default() }, None).await;
    let mut known = server.connect().await;
    known.write_all(LET_IN).await.unwrap();
    assert!(read_answer(&mut known).await.ends_with("welcome"));
    for _ in 0..3 {
        let mut stranger = server.connect().await;
        stranger.write_all(HELLO).await.unwrap();
        assert!(read_answer(&mut stranger).await.ends_with("hello"));
        let mut next = server.connect().await;
        next.write_all(HELLO).await.unwrap();
        assert!(read_answer(&mut next).await.ends_with("hello"));
        assert_eq!(read_to_end(&mut stranger).await, "", "it is still there");
    }
    known.write_all(HELLO).await.unwrap();
    assert!(read_answer(&mut known).await.ends_with("hello"));
}

#[tokio::test]
async fn shutdown_answers_what_runs_and_closes_what_waits() {
    // An address of its own: nobody else listens on its port once it is free.
    let server = Running::start_at([127, 0, 84, 1], Limits::default(), None).await;
    let (mut busy, mut idle, mut fresh) =
        (server.connect().await, server.connect().await, server.connect().await);
    idle.write_all(HELLO).await.unwrap();
    assert!(read_answer(&mut idle).await.ends_with("hello"));
    busy.write_all(GATE).await.unwrap();
    server.gate.reached.notified().await;

    server.shutdown.cancel();
    assert_eq!(read_to_end(&mut idle).await, "");
    // The fresh one may still have been in the kernel's queue.
    let _ = fresh.read_to_end(&mut Vec::new()).await;
    assert!(TcpStream::connect(server.at).await.is_err(), "still accepting");

    server.gate.opened.notify_one();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.contains("connection: close") && answer.ends_with("through"), "{answer}");
    server.task.await.unwrap();
}

#[tokio::test]
async fn what_outlasts_the_drain_is_cut() {
    let drain = Duration::from_millis(200);
    let server = Running::start(Limits { drain, ..Limits::default() }, None).await;
    let mut busy = server.connect().await;
    busy.write_all(GATE).await.unwrap();
    server.gate.reached.notified().await;
    let start = Instant::now();
    server.shutdown.cancel();
    server.task.await.unwrap();
    assert!(start.elapsed() >= drain && start.elapsed() < Limits::default().drain);
    assert_eq!(read_to_end(&mut busy).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_failures_to_accept_ends_when_nothing_has_failed_for_a_while() {
    let mut failures = Failures::default();
    let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
    failures.another(&gone).await;
    assert_eq!(failures.count, 0);
    for expected in 1..=3 {
        failures.another(&io::Error::other("too many open files")).await;
        failures.none_this_time();
        assert_eq!(failures.count, expected);
    }
    sleep(BURST_GAP).await;
    failures.none_this_time();
    assert_eq!(failures.count, 0);
}

/// Pipes in memory, with the server behind them.
struct Wires {
    server: Arc<Server>,
    places: Arc<Places>,
}

impl Wires {
    fn new(tls: Option<Reloading>) -> Self {
        Self::with(Limits::default(), tls)
    }

    fn with(limits: Limits, tls: Option<Reloading>) -> Self {
        let tls = tls.map(Arc::new);
        if let Some(tls) = tls.clone() {
            tokio::spawn(async move { tls.follow().await });
        }
        let server = Arc::new(Server {
            http: http(limits),
            tls,
            router: router(&Gate::default()),
            proxies: proxies(),
            limits,
            shutdown: CancellationToken::new(),
            cut: CancellationToken::new(),
        });
        Self { server, places: Arc::new(Places::new(limits.connections)) }
    }

    /// A stranger's connection.
    async fn connect(&self) -> DuplexStream {
        self.connect_from("192.0.2.1").await
    }

    async fn connect_from(&self, from: &str) -> DuplexStream {
        let (client, stream) = duplex(PIPE);
        let from = from.parse().unwrap();
        let place = self.server.place(&self.places, from).await;
        tokio::spawn(Arc::clone(&self.server).connection(stream, from, place));
        client
    }

    /// The connection of somebody who was let in.
    async fn known_from(&self, from: &str) -> DuplexStream {
        let mut client = self.connect_from(from).await;
        client.write_all(LET_IN).await.unwrap();
        assert!(read_answer(&mut client).await.ends_with("welcome"));
        client
    }

    async fn known(&self) -> DuplexStream {
        self.known_from("192.0.2.1").await
    }
}

/// `203.0.113.0/24` holds the proxies.
fn proxies() -> Proxies {
    Proxies::new(vec!["203.0.113.0/24".parse().unwrap()], HeaderName::from_static("x-forwarded-for"))
}

/// A server on a socket.
struct Running {
    at: SocketAddr,
    shutdown: CancellationToken,
    gate: Gate,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(limits: Limits, tls: Option<Reloading>) -> Self {
        Self::start_at([127, 0, 0, 1], limits, tls).await
    }

    async fn start_at(ip: [u8; 4], limits: Limits, tls: Option<Reloading>) -> Self {
        let listener = TcpListener::bind(SocketAddr::from((ip, 0))).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (shutdown, gate) = (CancellationToken::new(), Gate::default());
        let task = serve(listener, tls.map(Arc::new), router(&gate), proxies(), limits, shutdown.clone());
        Self { at, shutdown, gate, task: tokio::spawn(task) }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }
}

/// Where a request stays until the test lets it through.
#[derive(Clone, Default)]
struct Gate {
    reached: Arc<Notify>,
    opened: Arc<Notify>,
}

fn router(gate: &Gate) -> Router {
    let gate = gate.clone();
    let through = async move || {
        gate.reached.notify_one();
        gate.opened.notified().await;
        "through"
    };
    let hour = async || {
        sleep(Duration::from_secs(3600)).await;
        "at last"
    };
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/echo", post(async |body: String| body))
        .route("/endless", get(async || vec![0; ENDLESS_LENGTH]))
        .route("/peer", get(async |peer: Extension<Peer>| peer.0.0.to_string()))
        .route("/let-in", get(let_in))
        .route("/gate", get(through))
        .route("/hour", get(hour))
}

async fn let_in(guest: Extension<Guest>) -> &'static str {
    guest.let_in();
    "welcome"
}

async fn read_to_end_bytes<S: AsyncRead + Unpin>(stream: &mut S) -> usize {
    stream.read_to_end(&mut Vec::new()).await.unwrap()
}

async fn read_to_end<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads one answer with a `Content-Length`.
async fn read_answer<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap().into());
    }
    let length = answer.split_once("content-length: ").unwrap().1;
    let mut body = vec![0; length.split_once("\r\n").unwrap().0.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    answer + str::from_utf8(&body).unwrap()
}
