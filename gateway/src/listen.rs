//! Accepting connections and serving HTTP/1.1 on them, with or without TLS.
//!
//! Knows nothing of calls, accounts or problems: every request that parses goes to the router, with
//! the [`Peer`] it came from. A request that doesn't parse gets an empty 400, 414 or 431.
//!
//! INVARIANT: there is no state in which a silent client can stay for ever. The handshake, the
//! request head, the pause between requests and the reading of our answer each have a limit here;
//! the request body has its limits in [`crate::body`], and the handler its own. And whoever comes finds
//! a place (`places`): strangers, however many, only keep out one another.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use origin::Proxies;
pub use places::Guest;
use places::{Place, Places};
use timed::{Timed, Times};
use tls::Reloading;

pub mod descriptors;
pub mod origin;
mod places;
mod timed;
pub mod tls;

/// How long a client may take, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a whole request head, counted from its first byte; for the first one on a connection,
    /// from the start of the connection. Then the connection is closed without an answer.
    pub head: Duration,
    /// Between two requests. Longer than the 60 s after which load balancers commonly let go of a
    /// connection, so that they close it and we don't, just as they send the next request.
    pub idle: Duration,
    /// Between two requests on a connection over which nobody was let in yet.
    pub stranger_idle: Duration,
    /// For such a connection, in all. A request that is being answered then is answered.
    pub stranger_stay: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For a client that takes in nothing of our answer. Long, because the kernel reports progress
    /// in steps of a megabyte or so, and a player reads no faster than it plays; and because only
    /// answers larger than the kernel's buffers ever wait, which strangers don't get.
    pub write: Duration,
    /// Open connections. When all are taken, one is closed for whoever comes: see `places`.
    pub connections: usize,
    /// For running requests to end after the shutdown began. Then they are cut.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stranger_idle: Duration::from_secs(5),
            stranger_stay: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            write: Duration::from_secs(5 * 60),
            connections: 1024,
            drain: Duration::from_secs(30),
        }
    }
}

/// Who has sent a request: who is at the other end of the connection or, where that is a proxy that is
/// believed, whom it names. A request extension of every request. It is personal data: not for logs.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Serves `router` on `listener` until `shutdown` is cancelled and the open connections have ended
/// or [`Limits::drain`] is over. With `tls`, plain HTTP is not answered.
///
/// At shutdown the listener is closed first, so that a load balancer notices; connections that wait
/// for a request or are in their handshake are closed at once; running requests are answered, with
/// `Connection: close`. Dropping the future cuts everything.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Reloading>>,
    router: Router,
    proxies: Proxies,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let cut = CancellationToken::new();
    let _cut_when_dropped = cut.clone().drop_guard();
    let tasks = TaskTracker::new();
    let server = Arc::new(Server { http: http(limits), tls, router, proxies, limits, shutdown, cut });
    let places = Places::new(limits.connections);

    let accepting = async {
        let mut failures = Failures::default();
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    failures.none_this_time();
                    // Answers are written whole: waiting for more to send only delays them.
                    let _ = stream.set_nodelay(true);
                    let place = server.place(&places, from.ip()).await;
                    tasks.spawn(Arc::clone(&server).connection(stream, from.ip(), place));
                }
                Err(error) => failures.another(&error).await,
            }
        }
    };
    let following = async {
        match &server.tls {
            Some(tls) => tls.follow().await,
            None => std::future::pending().await,
        }
    };
    server.shutdown.run_until_cancelled(async { tokio::join!(accepting, following) }).await;
    drop(listener);

    tasks.close();
    if timeout(limits.drain, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "cutting connections that outlast the shutdown");
        server.cut.cancel();
        tasks.wait().await;
    }
}

struct Server {
    http: http1::Builder,
    tls: Option<Arc<Reloading>>,
    router: Router,
    proxies: Proxies,
    limits: Limits,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl Server {
    /// A place for whoever comes from there. A proxy's connections are everybody's: no stranger's.
    async fn place(&self, places: &Places, from: IpAddr) -> Place {
        let known = self.proxies.hold(from);
        places.take(from, known, self.cut.child_token(), self.shutdown.child_token()).await
    }

    async fn connection<S: Stream>(self: Arc<Self>, stream: S, from: IpAddr, place: Place) {
        let Some(tls) = &self.tls else {
            place.cut.run_until_cancelled(self.requests(stream, from, &place)).await;
            return;
        };
        let handshake = TlsAcceptor::from(tls.current()).accept(stream);
        let handshake = place.cut.run_until_cancelled(timeout(self.limits.handshake, handshake));
        match place.finish.run_until_cancelled(handshake).await.flatten() {
            Some(Ok(Ok(stream))) => {
                place.cut.run_until_cancelled(self.requests(stream, from, &place)).await;
            }
            Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
            Some(Err(_)) => tracing::debug!("a TLS handshake took too long"),
            None => {}
        }
    }

    async fn requests<S: Stream>(&self, stream: S, from: IpAddr, place: &Place) {
        let Limits { idle, stranger_idle, stranger_stay, head, write, .. } = self.limits;
        let times = Times { idle, stranger_idle, head, write };
        let (guest, exchanges) = (place.guest.clone(), place.exchanges.clone());
        let stream = Timed::new(stream, guest.clone(), exchanges.clone(), times);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let exchange = exchanges.begin();
            let mut request = request.map(|body| Body::new(exchange.hold(body)));
            let client = Peer(self.proxies.client(from, request.headers()));
            request.extensions_mut().insert(client);
            request.extensions_mut().insert(guest.clone());
            let answer = self.router.clone().oneshot(request);
            async move { Ok::<_, Infallible>(answer.await?.map(|body| exchange.hold(body))) }
        });
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = place.is_over(stranger_stay) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

fn http(limits: Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        // From the end of the last answer to the end of the next head. The limits for either part
        // are `Timed`'s; this one also makes the library read while it is idle, so that they run.
        .header_read_timeout(limits.idle + limits.head)
        .half_close(false)
        .max_header_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_MAX);
    http
}

/// Failures to accept. Most often no file descriptors are left: then they come in bursts, with a
/// success whenever one is given back. A burst is over when nothing has failed for a while.
#[derive(Default)]
struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl Failures {
    async fn another(&mut self, error: &io::Error) {
        // The client has gone again: nothing of ours is wrong, and the next one may be fine.
        let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
        if gone.contains(&error.kind()) {
            return;
        }
        if self.count == 0 {
            tracing::error!(%error, "can't accept connections; retrying");
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(Instant::now());
        tokio::time::sleep(ACCEPT_BACKOFF).await;
    }

    fn none_this_time(&mut self) {
        if self.last.is_some_and(|last| last.elapsed() >= BURST_GAP) {
            tracing::info!(failures = self.count, "connections are accepted again");
            *self = Self::default();
        }
    }
}

const ACCEPT_BACKOFF: Duration = Duration::from_millis(250);

const BURST_GAP: Duration = Duration::from_secs(10);

/// Request line and headers, in bytes.
const HEAD_MAX: usize = 32 * 1024;

const HEADERS_MAX: usize = 64;

/// What is read ahead of a handler, and written ahead of a client, per connection, in bytes.
const BUFFER_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
