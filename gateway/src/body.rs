//! Reading request bodies from clients that may be slow, endless or gone, and reading the rest of
//! those that we refuse.
//!
//! Knows bytes and time, not what the bytes mean or whether they may be kept.
//!
//! INVARIANT: a body that ended early is never taken for a whole one: after an error, every further
//! read is an error. And waiting for a client is bounded, in time and in bytes.
//!
//! Most clients read no answer before they have sent the whole body. If we close a connection while
//! they send, they see a broken connection and not the reason. So whatever a handler leaves unread
//! is read on and thrown away, up to a [`Cap`], by [`discard_unread`], which goes around the
//! router. Handlers then need not care: they answer, and drop the body. The answer goes out at
//! once, so a client that does look stops sending. A client that asked first (`Expect:
//! 100-continue`) and was never told to go on gets its answer and nothing is read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::BytesMut;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::header::{CONNECTION, EXPECT, HeaderValue};
use tokio::time::{Instant, timeout, timeout_at};

/// How large a body may be, and how slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The size in bytes, after any chunked coding is removed.
    pub max_bytes: u64,
    /// Bytes a second that the client must keep up, measured only while we wait for it. 0: any.
    pub min_rate: u64,
    /// How far it may fall behind that, and so also how long it may pause, however fast it was.
    pub grace: Duration,
    /// For the whole body, from [`Paced::new`] on, our own work included.
    pub deadline: Duration,
}

impl Pace {
    /// For JSON: 1 MiB in 30 s, at no less than 1 KiB/s after 10 s.
    pub const JSON: Self = Self {
        max_bytes: 1024 * 1024,
        min_rate: 1024,
        grace: Duration::from_secs(10),
        deadline: Duration::from_secs(30),
    };
}

/// A request body, read chunk by chunk.
pub struct Paced {
    body: Body,
    pace: Pace,
    until: Instant,
    received: u64,
    /// How long the client may still keep us waiting. Every byte adds to it, up to the grace.
    credit: Duration,
    broken: bool,
}

impl Paced {
    /// Starts the clock. Reads nothing yet, so a client that asked whether to go on isn't told to.
    #[must_use]
    pub fn new(body: Body, pace: Pace) -> Self {
        Self {
            body,
            pace,
            until: Instant::now() + pace.deadline,
            received: 0,
            credit: pace.grace,
            broken: false,
        }
    }

    /// The next bytes, at least one. `None`: the body has ended as it should.
    ///
    /// A body whose declared length is too large is refused before any of it is read. Trailers are
    /// ignored. Dropping the future loses no bytes.
    ///
    /// # Errors
    ///
    /// See [`BodyError`]. After the first error there is nothing to be had but errors.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.broken {
            return Err(BodyError::Broken(axum::Error::new("read on after an error")));
        }
        let chunk = self.chunk().await;
        self.broken = chunk.is_err();
        chunk
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// See [`BodyError`].
    pub async fn read_all(&mut self) -> Result<Bytes, BodyError> {
        // Grows with what comes, not with what was announced.
        let mut all = BytesMut::new();
        while let Some(chunk) = self.next_chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// Takes no more than so many bytes, if that is less than it takes already.
    pub fn at_most(&mut self, bytes: u64) {
        self.pace.max_bytes = self.pace.max_bytes.min(bytes);
    }

    /// How many bytes have come so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            self.check_size(self.body.size_hint().lower())?;
            let Some(frame) = self.frame().await? else {
                return Ok(None);
            };
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            if chunk.is_empty() {
                continue;
            }
            let size = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            self.check_size(size)?;
            self.received += size;
            let earned = size.saturating_mul(1_000_000).checked_div(self.pace.min_rate);
            let earned = earned.map_or(self.pace.grace, Duration::from_micros);
            self.credit = self.credit.saturating_add(earned).min(self.pace.grace);
            return Ok(Some(chunk));
        }
    }

    async fn frame(&mut self) -> Result<Option<Frame<Bytes>>, BodyError> {
        let start = Instant::now();
        let patience = if self.pace.min_rate == 0 { self.pace.deadline } else { self.credit };
        let until = self.until.min(start + patience);
        let Ok(frame) = timeout_at(until, self.body.frame()).await else {
            return Err(if until == self.until {
                BodyError::Deadline { seconds: self.pace.deadline.as_secs() }
            } else {
                BodyError::TooSlow { min_rate: self.pace.min_rate }
            });
        };
        self.credit = self.credit.saturating_sub(start.elapsed());
        frame.transpose().map_err(BodyError::Broken)
    }

    fn check_size(&self, more: u64) -> Result<(), BodyError> {
        let limit = self.pace.max_bytes;
        if self.received.saturating_add(more) > limit {
            return Err(BodyError::TooLarge { limit });
        }
        Ok(())
    }
}

/// Reads a whole body, at a pace.
///
/// # Errors
///
/// See [`BodyError`].
pub async fn read_all(body: Body, pace: Pace) -> Result<Bytes, BodyError> {
    Paced::new(body, pace).read_all().await
}

/// Why a body could not be read whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed, or more announced. 413.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// How many are allowed.
        limit: u64,
    },
    /// The client paused too long, or sent too slowly. 408.
    #[error("the body came slower than {min_rate} bytes a second")]
    TooSlow {
        /// The least rate allowed, in bytes a second.
        min_rate: u64,
    },
    /// The whole took too long. 408.
    #[error("the body took longer than {seconds} s")]
    Deadline {
        /// How long it may take.
        seconds: u64,
    },
    /// The connection ended within the body, or the chunked coding is wrong. 400; most often nobody
    /// is left to read it.
    #[error("the body broke off")]
    Broken(#[source] axum::Error),
}

/// How much of an unwanted body is read, so that the client gets to our answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// How many bytes.
    pub bytes: u64,
    /// For how long.
    pub time: Duration,
}

impl Cap {
    /// For callers we don't know, most of whom have a wrong password: half an hour of telephone
    /// audio. What bounds a stranger is the time: less than a connection may take before it has
    /// said anything. The bytes are kept nowhere, and cost whoever sends them more than us.
    pub const STRANGER: Self = Self { bytes: 16 * 1024 * 1024, time: Duration::from_secs(5) };

    /// For callers who proved who they are: two hours of it, and as long as they could keep us busy
    /// with a body that we do want. An operator who sees "broken pipe" in place of
    /// `consent-required` looks for the fault in the network.
    pub const KNOWN: Self = Self { bytes: 64 * 1024 * 1024, time: Duration::from_secs(30) };
}

/// Reads `body` and throws it away. Whether it came to its end within the cap.
pub async fn drain(mut body: Body, cap: Cap) -> bool {
    let reading = async {
        let mut left = cap.bytes;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            let size = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(u64::try_from(size).unwrap_or(u64::MAX)) {
                Some(less) => left = less,
                None => return false,
            }
        }
        true
    };
    timeout(cap.time, reading).await.unwrap_or(false)
}

/// Outermost middleware: reads on what the layers and the handler below left unread.
///
/// The cap is the [`Cap`] in the answer's extensions, which whoever checks credentials puts there;
/// without one, the caller is a stranger. The connection serves its next request when the rest has
/// been read; where it is plain that it won't be, the answer says `Connection: close`.
pub async fn discard_unread(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let asked_first = request.headers().contains_key(EXPECT);
    let left = Arc::new(Mutex::new(Left::Nothing));
    let request = request.map(|body| {
        Body::new(Watched { body, sending: !asked_first, ended: false, left: Arc::clone(&left) })
    });
    let mut response = next.run(request).await;
    let left = std::mem::replace(&mut *lock(&left), Left::Nothing);
    let closes = match left {
        Left::Nothing => false,
        Left::Unsent => true,
        Left::Rest(rest) => {
            let cap = response.extensions().get().copied().unwrap_or(Cap::STRANGER);
            let more_than_that = rest.size_hint().lower() > cap.bytes;
            tokio::spawn(drain(rest, cap));
            more_than_that
        }
    };
    if closes {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What a handler left of a body.
enum Left {
    /// It was read to its end, or broke off, or a task still reads it.
    Nothing,
    /// The client asked whether to send it, and wasn't told to.
    Unsent,
    /// The client sends this.
    Rest(Body),
}

/// A body that comes back when it is dropped early.
struct Watched {
    body: Body,
    /// Whether the client sends. One that asked first does so when we first read.
    sending: bool,
    ended: bool,
    left: Arc<Mutex<Left>>,
}

fn lock(left: &Mutex<Left>) -> MutexGuard<'_, Left> {
    left.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        this.sending = true;
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        this.ended = !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.ended || self.body.is_end_stream() {
            return;
        }
        *lock(&self.left) =
            if self.sending { Left::Rest(std::mem::take(&mut self.body)) } else { Left::Unsent };
    }
}

#[cfg(test)]
mod tests;
