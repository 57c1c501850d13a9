//! The limits of a connection that the HTTP library doesn't have: one for a request head once it
//! has begun, apart from the one for the pause before it, and one for a client that doesn't read.
//!
//! Knows bytes and whose turn it is, not what the bytes say. Outside TLS, so it sees plain text.
//!
//! INVARIANT: the limits for reading don't run while a request is being handled, however slowly its
//! body comes.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::places::Guest;

/// How long a client may take, step by step.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// Between two requests.
    pub(super) idle: Duration,
    /// Between two requests of a stranger.
    pub(super) stranger_idle: Duration,
    /// For a request head, from its first byte.
    pub(super) head: Duration,
    /// For taking in any of an answer.
    pub(super) write: Duration,
}

/// A connection with its limits.
pub(super) struct Timed<S> {
    stream: S,
    times: Times,
    guest: Guest,
    exchanges: Exchanges,
    /// How many exchanges had begun at the last look.
    seen: usize,
    within_head: bool,
    read: Limit,
    write: Limit,
}

impl<S> Timed<S> {
    /// `stream`, as if the first byte of its first request head had come just now.
    pub(super) fn new(stream: S, guest: Guest, exchanges: Exchanges, times: Times) -> Self {
        let mut read = Limit::new();
        read.start(times.head);
        let write = Limit::new();
        Self { stream, times, guest, exchanges, seen: 0, within_head: true, read, write }
    }

    fn watch_write<T>(&mut self, cx: &mut Context<'_>, step: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if step.is_ready() {
            self.write.stop();
            return step;
        }
        if !self.write.running {
            self.write.start(self.times.write);
        }
        self.write.poll(cx).map(Err)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let begun = this.exchanges.0.begun.load(Ordering::Acquire);
        let running = this.exchanges.0.running.load(Ordering::Acquire) > 0;
        // An answer may be gone from its body and still be on its way to a slow client.
        let answering = running || this.write.running;
        if answering || this.seen != begun {
            this.seen = begun;
            this.within_head = false;
            this.read.stop();
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if answering {
            return read;
        }
        if read.is_ready() {
            if buf.filled().len() > before && !this.within_head {
                this.within_head = true;
                this.read.start(this.times.head);
            }
            return read;
        }
        if !this.read.running {
            let Times { idle, stranger_idle, .. } = this.times;
            this.read.start(if this.guest.is_known() { idle } else { stranger_idle });
        }
        this.read.poll(cx).map(Err)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.watch_write(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch_write(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch_write(cx, shut)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A limit that runs or doesn't.
struct Limit {
    running: bool,
    sleep: Pin<Box<Sleep>>,
}

impl Limit {
    fn new() -> Self {
        Self { running: false, sleep: Box::pin(sleep(Duration::ZERO)) }
    }

    fn start(&mut self, after: Duration) {
        self.running = true;
        self.sleep.as_mut().reset(Instant::now() + after);
    }

    fn stop(&mut self) {
        self.running = false;
    }

    /// Ready when the time is over. Only while it runs.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.sleep.as_mut().poll(cx));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}

/// The requests of one connection, and whether one is being handled.
#[derive(Clone, Default)]
pub(super) struct Exchanges(Arc<Counts>);

struct Counts {
    begun: AtomicUsize,
    running: AtomicUsize,
    /// Since when none has been handled, where none is.
    rests: Mutex<Instant>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { begun: AtomicUsize::new(0), running: AtomicUsize::new(0), rests: Mutex::new(Instant::now()) }
    }
}

impl Exchanges {
    /// A head has been read whole.
    pub(super) fn begin(&self) -> Exchange {
        self.0.begun.fetch_add(1, Ordering::AcqRel);
        self.0.running.fetch_add(1, Ordering::AcqRel);
        Exchange(Arc::new(Running(self.clone())))
    }

    /// Since when no request is being handled; none while one is.
    pub(super) fn resting_since(&self) -> Option<Instant> {
        let rests = *self.0.rests.lock().unwrap_or_else(PoisonError::into_inner);
        (self.0.running.load(Ordering::Acquire) == 0).then_some(rests)
    }
}

/// One request being handled, until this and all bodies that hold it are gone.
pub(super) struct Exchange(Arc<Running>);

impl Exchange {
    /// `body`, which keeps the exchange going as long as it lives.
    pub(super) fn hold<B>(&self, body: B) -> Held<B> {
        Held { body, _exchange: Arc::clone(&self.0) }
    }
}

struct Running(Exchanges);

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.0.rests.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of a request or of its answer.
pub(super) struct Held<B> {
    body: B,
    _exchange: Arc<Running>,
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
