//! The one HTTP client with which the gateway reaches witnesses, time stamping authorities and
//! buckets.
//!
//! Knows nothing of what is sent. TLS 1.2 and 1.3 with the machine's roots (or those that `SSL_CERT_FILE`
//! names), HTTP/1.1, through the proxy that `HTTPS_PROXY` names, without redirects, decompression or retries.
//!
//! INVARIANT: a request ends, and its answer fits into memory: both bounds are [`Limits`], and hold whatever
//! the other side does. No plain HTTP to an [`Address`] leaves this machine.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use object_store::client::{HttpClient, HttpConnector};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use rustls::crypto::CryptoProvider;
use serde::Deserialize;

/// The client. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Http {
    remote: reqwest::Client,
    local: reqwest::Client,
    limits: Limits,
}

impl Http {
    /// Makes the client.
    ///
    /// # Errors
    ///
    /// [`HttpError::Client`] if the machine has no trusted roots.
    pub fn new(limits: Limits) -> Result<Http, HttpError> {
        Http::with_roots(limits, Vec::new())
    }

    /// Trusts these certificates beside the machine's.
    fn with_roots(limits: Limits, roots: Vec<reqwest::Certificate>) -> Result<Http, HttpError> {
        let client = || builder(limits).tls_certs_merge(roots.clone());
        let remote = client().https_only(true).build().map_err(HttpError::Client)?;
        // A proxy would take what is for this machine somewhere else.
        let local = client().no_proxy().build().map_err(HttpError::Client)?;
        Ok(Http { remote, local, limits })
    }

    /// Posts `body` and reads the whole answer, whatever its status.
    ///
    /// # Errors
    ///
    /// If there is no answer within the limits.
    pub async fn post(
        &self,
        address: &Address,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Answer, HttpError> {
        let failed = |source: reqwest::Error| {
            let address = address.clone();
            match source.is_timeout() {
                true => HttpError::Slow { address, within: self.limits.within },
                false => HttpError::Unreachable { address, source: source.without_url() },
            }
        };
        let client = if loopback(&address.0) { &self.local } else { &self.remote };
        let request = client
            .post(address.0.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static(content_type))
            .body(body);
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if chunk.len() > self.limits.bytes.saturating_sub(body.len()) {
                return Err(HttpError::TooLong { address: address.clone(), limit: self.limits.bytes });
            }
            body.extend_from_slice(&chunk);
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Ok(Answer { status: response.status().as_u16(), content_type: content_type.map(media_type), body })
    }

    /// The same client for an object store, whose answers are bounded in time, not in size. Plain
    /// HTTP is refused.
    pub(super) fn secure_connector(&self) -> Connector {
        Connector(self.remote.clone())
    }

    /// As [`Http::secure_connector`], but allows plain HTTP.
    pub(super) fn plain_connector(&self) -> Connector {
        Connector(self.local.clone())
    }
}

/// How long a request may take, and how long its answer may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From looking up the name to the last byte of the answer.
    pub within: Duration,
    /// The longest body of an answer, in bytes.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { within: Duration::from_secs(20), bytes: 64 << 10 }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The media type in lower case, without parameters.
    pub content_type: Option<String>,
    /// All of the body.
    pub body: Vec<u8>,
}

/// Where to send requests: an `https` URL, or an `http` URL of an address of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Address(reqwest::Url);

impl Address {
    /// The address below this one whose path ends in `/name`.
    #[must_use]
    pub(super) fn below(&self, name: &str) -> Address {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{name}", self.0.path().trim_end_matches('/')));
        Address(url)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| AddressError { text: text.into(), why };
        let url = reqwest::Url::parse(text).map_err(|_| wrong("it is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            // Not shown: it would end up in a log.
            return Err(AddressError { text: "…".into(), why: "a URL must not hold a name or a password" });
        }
        if url.fragment().is_some() {
            return Err(wrong("a fragment (`#…`) is never sent"));
        }
        match url.scheme() {
            "https" => Ok(Address(url)),
            "http" if loopback(&url) => Ok(Address(url)),
            "http" => Err(wrong("plain `http` is for this machine only, written `127.0.0.1` or `[::1]`")),
            _ => Err(wrong("it must begin with `https://`")),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why an address cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{text}` cannot be used as an address: {why}")]
pub struct AddressError {
    /// What was given.
    text: String,
    /// What is wrong with it.
    why: &'static str,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The client cannot be made.
    #[error("this machine's trusted root certificates cannot be used; install them or set `SSL_CERT_FILE`")]
    Client(#[source] reqwest::Error),
    /// No connection, a certificate that is not trusted, or an answer that broke off.
    #[error("`{address}` could not be reached")]
    Unreachable {
        /// What was asked.
        address: Address,
        /// Why.
        source: reqwest::Error,
    },
    /// Not answered in time.
    #[error("`{address}` did not answer within {} s", within.as_secs())]
    Slow {
        /// What was asked.
        address: Address,
        /// How long the client waited.
        within: Duration,
    },
    /// The answer is too long.
    #[error("`{address}` answered with more than {limit} bytes")]
    TooLong {
        /// What was asked.
        address: Address,
        /// How many would have been read.
        limit: usize,
    },
}

/// Hands one ready client to an object store, in place of one made from its options.
#[derive(Debug)]
pub(super) struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _options: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// What all of the gateway's clients have in common.
///
/// Sets ring as rustls' provider for this process if none is chosen yet: reqwest takes it from there.
pub(crate) fn builder(limits: Limits) -> reqwest::ClientBuilder {
    if CryptoProvider::get_default().is_none() {
        // Lost races are fine: the winner set a provider too.
        let _first = rustls::crypto::ring::default_provider().install_default();
    }
    reqwest::Client::builder()
        .user_agent(concat!("consent-gateway/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_WITHIN)
        .timeout(limits.within)
        .pool_idle_timeout(IDLE)
}

/// Whether the host is a loopback address. Names are not: a resolver decides what they mean.
fn loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match v6 {
        Some(v6) => v6.parse() == Ok(Ipv6Addr::LOCALHOST),
        None => host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
    }
}

fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Anchors are asked about once a minute; a connection is worth keeping for the next one.
const IDLE: Duration = Duration::from_secs(90);

#[cfg(test)]
mod tests;
