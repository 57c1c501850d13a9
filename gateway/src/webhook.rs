//! Webhooks: signed messages to an account's own systems, as [Standard Webhooks] has them.
//!
//! Knows nothing of what is told, when, or how often.
//!
//! INVARIANT: a message goes to an address that was checked, and to no other: names are resolved here, redirects are
//! not followed, and no proxy is asked. Without [`Reach::Anywhere`] no message goes to this machine or its network.
//!
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

mod places;

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::Mac as _;
use jiff::Timestamp;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::anchor::http::{HttpError, Limits, builder};
use places::is_public;
use trail::subject::keyed;

/// Where an account is told of what happens. It may hold a password or a token, so that it is never shown whole.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// [`WebhookUrlError`]: it is none, or may not be told.
    pub fn parse(text: &str, reach: Reach) -> Result<WebhookUrl, WebhookUrlError> {
        let url = WebhookUrl(text.trim().to_owned());
        url.read(reach).map(|_| url)
    }

    /// It without name, password and query.
    #[must_use]
    pub fn shown(&self) -> String {
        let Ok(mut url) = Url::parse(&self.0) else { return "…".into() };
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        url.into()
    }

    /// Whether messages may go there.
    ///
    /// # Errors
    ///
    /// [`WebhookUrlError`]: they may not.
    pub fn check(&self, reach: Reach) -> Result<(), WebhookUrlError> {
        self.read(reach).map(drop)
    }

    pub(crate) fn read(&self, reach: Reach) -> Result<Url, WebhookUrlError> {
        let url = Url::parse(&self.0).map_err(|_| WebhookUrlError::NoUrl)?;
        if self.0.len() > MAX_URL || url.host_str().is_none_or(str::is_empty) {
            return Err(WebhookUrlError::NoUrl);
        }
        match (url.scheme(), reach) {
            ("https", _) | ("http", Reach::Anywhere) => {}
            ("http", Reach::Public) => return Err(WebhookUrlError::Plain),
            _ => return Err(WebhookUrlError::NoUrl),
        }
        if let Some(ip) = literal(&url)
            && !reach.allows(ip)
        {
            return Err(WebhookUrlError::Private);
        }
        Ok(url)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookUrl(…)")
    }
}

/// Which addresses may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those that everybody can reach.
    Public,
    /// This machine and its network as well, without TLS if the URL says so.
    Anywhere,
}

impl Reach {
    fn allows(self, ip: IpAddr) -> bool {
        self == Reach::Anywhere || is_public(ip)
    }
}

/// Why a URL cannot be a webhook. The URL is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// It is something else.
    #[error("a webhook is an `https` URL of at most 2,048 bytes, such as `https://example.com/consent`")]
    NoUrl,
    /// It would be told without TLS.
    #[error(
        "a webhook's URL begins with `https`; `http` needs `webhooks.allow_private = true` in the configuration"
    )]
    Plain,
    /// It is an address of this machine or its network.
    #[error(
        "this address is not one that everybody can reach; a webhook there needs `webhooks.allow_private = true` \
         in the configuration"
    )]
    Private,
}

/// What a webhook's messages are signed with.
pub struct SigningSecret(Zeroizing<[u8; 32]>);

impl SigningSecret {
    /// Wraps it.
    #[must_use]
    pub fn new(key: Zeroizing<[u8; 32]>) -> SigningSecret {
        SigningSecret(key)
    }

    /// As receivers configure it: `whsec_` and base64.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("whsec_{}", BASE64_STANDARD.encode(self.0.as_slice())))
    }

    /// The signature over id, time (in seconds) and body.
    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = keyed(&self.0);
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// A message.
#[derive(Debug)]
pub struct Message {
    /// The same for every attempt.
    pub id: String,
    /// When it is sent.
    pub at: Timestamp,
    /// JSON.
    pub body: Vec<u8>,
    /// What it is signed with: one secret, or two while they change.
    pub secrets: Vec<SigningSecret>,
}

/// Sends messages.
#[derive(Debug, Clone)]
pub struct Sender {
    client: reqwest::Client,
    reach: Reach,
}

impl Sender {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// [`HttpError::Client`] if the machine has no trusted roots.
    pub fn new(reach: Reach) -> Result<Sender, HttpError> {
        Ok(Sender { client: client(reach, 0)?, reach })
    }

    /// Sends a message once. Nothing of the answer counts but its status.
    ///
    /// # Errors
    ///
    /// [`Undelivered`]: the receiver has not said that it has it.
    pub async fn send(&self, url: &WebhookUrl, message: Message) -> Result<(), Undelivered> {
        let url = url.read(self.reach).map_err(Undelivered::Url)?;
        let seconds = message.at.as_second();
        let signatures: Vec<String> =
            message.secrets.iter().map(|secret| secret.sign(&message.id, seconds, &message.body)).collect();
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(HeaderName::from_static("webhook-id"), message.id)
            .header(HeaderName::from_static("webhook-timestamp"), seconds)
            .header(HeaderName::from_static("webhook-signature"), signatures.join(" "))
            .body(message.body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(Undelivered::Status(answer.status().as_u16())),
            Err(error) => Err(undelivered(error)),
        }
    }
}

/// A client that goes only where it may, follows no redirect and asks no proxy.
pub(crate) fn client(reach: Reach, bytes: usize) -> Result<reqwest::Client, HttpError> {
    builder(Limits { within: WITHIN, bytes })
        .connect_timeout(WITHIN)
        .no_proxy()
        .dns_resolver(Arc::new(Checked { reach }))
        .build()
        .map_err(HttpError::Client)
}

/// Why a request has no answer.
pub(crate) fn undelivered(error: reqwest::Error) -> Undelivered {
    match error {
        error if is_forbidden(&error) => Undelivered::Url(WebhookUrlError::Private),
        error if error.is_timeout() => Undelivered::Slow,
        error => Undelivered::Unreachable(error.without_url()),
    }
}

/// Why a message is not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// The receiver answered with another status than 2xx.
    #[error("the receiver answered {0}")]
    Status(u16),
    /// It did not answer in time.
    #[error("the receiver did not answer within {} s", WITHIN.as_secs())]
    Slow,
    /// No connection, or one that broke off.
    #[error("the receiver could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// Its address may not be told, as it stands or as its name is resolved.
    #[error(transparent)]
    Url(WebhookUrlError),
}

impl Undelivered {
    /// What is kept of it: a status, or a word.
    #[must_use]
    pub fn outcome(&self) -> String {
        match self {
            Undelivered::Status(status) => status.to_string(),
            Undelivered::Slow => "timeout".into(),
            Undelivered::Unreachable(_) => "unreachable".into(),
            Undelivered::Url(_) => "address-refused".into(),
        }
    }
}

/// Resolves names to addresses that may be told.
#[derive(Debug, Clone, Copy)]
struct Checked {
    reach: Reach,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let there_are_some = !found.is_empty();
            let allowed: Vec<_> = found.into_iter().filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() && there_are_some {
                return Err(Box::new(Forbidden) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// A name has only addresses that may not be told.
#[derive(Debug, thiserror::Error)]
#[error("its addresses are not those that everybody can reach")]
struct Forbidden;

fn is_forbidden(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<Forbidden>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The address of a URL that names one.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    v6.unwrap_or(host).parse().ok()
}

/// How long a connection and an answer may take, together.
const WITHIN: Duration = Duration::from_secs(10);
const MAX_URL: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_the_specification() {
        // The example of its libraries.
        let mut key = [0; 32];
        let short = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        key[..short.len()].copy_from_slice(&short);
        let mut mac = keyed(&key);
        mac.update(b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}");
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let secret = SigningSecret::new(Zeroizing::new([7; 32]));
        let signed = secret.sign("msg", 5, b"{}");
        let mut mac = keyed(&[7; 32]);
        mac.update(b"msg.5.{}");
        assert_eq!(signed, format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())));
        assert_eq!(secret.expose().as_str(), format!("whsec_{}", BASE64_STANDARD.encode([7; 32])));
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let url = WebhookUrl::parse("https://user:word@example.com:8443/a?token=t#f", Reach::Public).unwrap();
        assert_eq!(url.shown(), "https://example.com:8443/a");
        assert_eq!(format!("{url:?}"), "WebhookUrl(…)");
    }

    #[test]
    fn a_webhook_is_https_and_public_unless_more_is_allowed() {
        for (text, public, anywhere) in [
            ("https://example.com/hook", Ok(()), Ok(())),
            ("http://example.com/hook", Err(WebhookUrlError::Plain), Ok(())),
            ("http://127.0.0.1:9/hook", Err(WebhookUrlError::Plain), Ok(())),
            ("https://127.0.0.1/", Err(WebhookUrlError::Private), Ok(())),
            // The same address in other writings.
            ("https://0x7f.1/", Err(WebhookUrlError::Private), Ok(())),
            ("https://2130706433/", Err(WebhookUrlError::Private), Ok(())),
            ("https://[::1]/", Err(WebhookUrlError::Private), Ok(())),
            ("https://[::ffff:10.0.0.1]/", Err(WebhookUrlError::Private), Ok(())),
            ("https://169.254.169.254/latest", Err(WebhookUrlError::Private), Ok(())),
            ("ftp://example.com/", Err(WebhookUrlError::NoUrl), Err(WebhookUrlError::NoUrl)),
            ("example.com", Err(WebhookUrlError::NoUrl), Err(WebhookUrlError::NoUrl)),
        ] {
            let parsed = |reach| WebhookUrl::parse(text, reach).map(drop);
            assert_eq!((parsed(Reach::Public), parsed(Reach::Anywhere)), (public, anywhere), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_after_it_was_resolved() {
        let sender = Sender::new(Reach::Public).unwrap();
        let url = WebhookUrl::parse("https://localhost:1/", Reach::Public).unwrap();
        let message =
            Message { id: "m".into(), at: Timestamp::UNIX_EPOCH, body: Vec::new(), secrets: Vec::new() };
        let told = sender.send(&url, message).await.unwrap_err();
        assert_eq!(told.outcome(), "address-refused", "{told:?}");
    }
}
