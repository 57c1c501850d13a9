//! Twilio behind this gateway: what is passed on to its API, and what is asked of customers' voice webhooks in its name.
//!
//! Knows nothing of calls, consent, or what may be passed on.
//!
//! INVARIANT: what is forwarded goes to the configured upstream, whatever a request says, and a path that a server could
//! read in another way than whoever judged the request is refused. It carries Twilio's credentials, never the
//! caller's. As for webhooks: every address was checked, redirects are not followed, and no proxy is asked. The auth
//! token is read from its file whenever it is needed; neither it nor an outsider's word is shown.

pub mod signature;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Body, Method, Response, Url};
use zeroize::Zeroizing;

use crate::anchor::http::HttpError;
use crate::config::Twilio;
use crate::webhook::{self, Reach, Undelivered, WebhookUrl, WebhookUrlError};

/// The accounts at Twilio, by their accounts here.
#[derive(Clone)]
pub struct Platforms(Arc<BTreeMap<String, Platform>>);

/// An account at Twilio.
pub struct Platform {
    client: reqwest::Client,
    reach: Reach,
    account_sid: String,
    auth_token: PathBuf,
    upstream: Url,
    voice_url: Option<Url>,
    refused_url: Option<Url>,
}

impl fmt::Debug for Platforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Why Twilio cannot be stood in front of as configured.
#[derive(Debug, thiserror::Error)]
pub enum TwilioError {
    /// No client can be made.
    #[error(transparent)]
    Client(#[from] HttpError),
    /// The sid of an account is none.
    #[error("`twilio.{account}.account_sid` is `AC` and 32 hexadecimal digits, as Twilio's console shows it")]
    Sid {
        /// The account.
        account: String,
    },
    /// Nobody could tell whose a request is.
    #[error("`twilio.{account}` and `twilio.{other}` have the same `account_sid`; each needs its own")]
    SameSid {
        /// An account.
        account: String,
        /// Another one.
        other: String,
    },
    /// A URL is none, or may not be asked.
    #[error("`twilio.{account}.{key}` cannot be used: as for webhooks, {why}")]
    Url {
        /// The account.
        account: String,
        /// Which URL.
        key: &'static str,
        /// Why not.
        why: WebhookUrlError,
    },
    /// The upstream is more than a host.
    #[error(
        "`twilio.{account}.upstream` is a scheme, a host and perhaps a port, such as `https://api.twilio.com`"
    )]
    Upstream {
        /// The account.
        account: String,
    },
}

/// Why a request has no answer, as the one word that is kept of it.
#[derive(Debug, thiserror::Error)]
pub enum Undone {
    /// The file with the auth token cannot be read, or holds none.
    #[error("token-unreadable")]
    Token,
    /// The path can be read in more than one way.
    #[error("path-refused")]
    Path,
    /// The request did not arrive, or was not answered in time.
    #[error("{}", Undelivered::outcome(.0))]
    Undelivered(Undelivered),
}

impl Undone {
    /// What is kept of it: `timeout`, `unreachable`, `address-refused`, `token-unreadable` or `path-refused`.
    #[must_use]
    pub fn outcome(&self) -> String {
        self.to_string()
    }
}

impl Platforms {
    /// Makes them, as configured.
    ///
    /// # Errors
    ///
    /// [`TwilioError`].
    pub fn new(configured: &BTreeMap<String, Twilio>, reach: Reach) -> Result<Platforms, TwilioError> {
        let client = webhook::client(reach, 0)?;
        let mut platforms: BTreeMap<String, Platform> = BTreeMap::new();
        for (account, twilio) in configured {
            let refused = |key, why| TwilioError::Url { account: account.clone(), key, why };
            let read = |key, url: Option<&WebhookUrl>| {
                url.map(|url| url.read(reach).map_err(|why| refused(key, why))).transpose()
            };
            if !is_account_sid(&twilio.account_sid) {
                return Err(TwilioError::Sid { account: account.clone() });
            }
            let has_it = |other: &Platform| other.account_sid.eq_ignore_ascii_case(&twilio.account_sid);
            if let Some((other, _)) = platforms.iter().find(|(_, other)| has_it(other)) {
                return Err(TwilioError::SameSid { account: account.clone(), other: other.clone() });
            }
            let upstream = WebhookUrl::parse(&twilio.upstream, reach)
                .and_then(|url| url.read(reach))
                .map_err(|why| refused("upstream", why))?;
            if !is_host_alone(&upstream) {
                return Err(TwilioError::Upstream { account: account.clone() });
            }
            let platform = Platform {
                client: client.clone(),
                reach,
                account_sid: twilio.account_sid.clone(),
                auth_token: twilio.auth_token.clone(),
                upstream,
                voice_url: read("voice_url", twilio.voice_url.as_ref())?,
                refused_url: read("refused_url", twilio.refused_url.as_ref())?,
            };
            platforms.insert(account.clone(), platform);
        }
        Ok(Platforms(Arc::new(platforms)))
    }

    /// That of an account here.
    #[must_use]
    pub fn get(&self, account: &str) -> Option<&Platform> {
        self.0.get(account)
    }

    /// The account here that has this account at Twilio, and that.
    #[must_use]
    pub fn by_sid(&self, sid: &str) -> Option<(&str, &Platform)> {
        let found = self.0.iter().find(|(_, platform)| platform.account_sid == sid);
        found.map(|(account, platform)| (account.as_str(), platform))
    }
}

impl Platform {
    /// Twilio's sid of the account.
    #[must_use]
    pub fn account_sid(&self) -> &str {
        &self.account_sid
    }

    /// The account's own voice webhook.
    #[must_use]
    pub fn voice_url(&self) -> Option<&str> {
        self.voice_url.as_ref().map(Url::as_str)
    }

    /// Its voice webhook for calls in which recording was refused.
    #[must_use]
    pub fn refused_url(&self) -> Option<&str> {
        self.refused_url.as_ref().map(Url::as_str)
    }

    /// The account's auth token, as it is now.
    ///
    /// # Errors
    ///
    /// [`Undone::Token`].
    pub async fn token(&self) -> Result<Zeroizing<String>, Undone> {
        let read = tokio::fs::read_to_string(&self.auth_token).await.map(Zeroizing::new);
        let read = read.map_err(|_| Undone::Token)?;
        match read.trim() {
            // Everybody can sign with that.
            "" => Err(Undone::Token),
            token => Ok(Zeroizing::new(token.to_owned())),
        }
    }

    /// Asks Twilio's API, with Twilio's own credentials. The answer's body is still to be read.
    ///
    /// # Errors
    ///
    /// [`Undone`].
    pub async fn forward(
        &self,
        method: Method,
        path_and_query: &str,
        content_type: Option<HeaderValue>,
        accept: Option<HeaderValue>,
        body: Body,
    ) -> Result<Response, Undone> {
        let url = self.below_upstream(path_and_query).ok_or(Undone::Path)?;
        let token = self.token().await?;
        let mut request = self
            .client
            .request(method, url)
            .basic_auth(&self.account_sid, Some(token.as_str()))
            .timeout(FORWARDED_WITHIN);
        for (name, value) in [(CONTENT_TYPE, content_type), (ACCEPT, accept)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        match tokio::time::timeout(BEGUN_WITHIN, request.body(body).send()).await {
            Ok(answer) => answer.map_err(undelivered),
            Err(_) => Err(Undone::Undelivered(Undelivered::Slow)),
        }
    }

    /// Asks a customer's webhook as Twilio does: by GET, with the parameters in the query, or else by POST, with a form;
    /// signed with the account's auth token. The answer's body is still to be read.
    ///
    /// # Errors
    ///
    /// [`Undone`].
    pub async fn call_back(
        &self,
        url: &str,
        method: Method,
        params: &[(String, String)],
    ) -> Result<Response, Undone> {
        let checked = WebhookUrl::parse(url, self.reach).and_then(|url| url.read(self.reach));
        let mut url = checked.map_err(|why| Undone::Undelivered(Undelivered::Url(why)))?;
        url.set_fragment(None);
        let token = self.token().await?;
        let form = form(params);
        let is_get = method == Method::GET;
        if is_get && !form.is_empty() {
            let before = url.query().filter(|query| !query.is_empty());
            let query = before.map_or(form.clone(), |before| format!("{before}&{form}"));
            url.set_query(Some(&query));
        }
        let beside: &[(String, String)] = if is_get { &[] } else { params };
        let signature = signature::sign(&token, &as_signed(&url), beside);
        let request = if is_get {
            self.client.get(url)
        } else {
            self.client.post(url).header(CONTENT_TYPE, HeaderValue::from_static(FORM)).body(form)
        };
        let request =
            request.header(HeaderName::from_static(SIGNATURE), signature).timeout(CALLED_BACK_WITHIN);
        request.send().await.map_err(undelivered)
    }

    /// Whether a path has one reading, so that it is passed on at all.
    #[must_use]
    pub fn takes(path: &str) -> bool {
        has_one_reading(path)
    }

    /// The URL of this path at the upstream, if the path has one reading.
    fn below_upstream(&self, path_and_query: &str) -> Option<Url> {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let mut url = self.upstream.clone();
        url.set_path(path);
        url.set_query(query);
        // Scheme, host and port. Nothing above can change them; if it ever could, nothing would be sent.
        let is_upstream =
            url.origin() == self.upstream.origin() && url.username().is_empty() && url.password().is_none();
        // A URL drops dots, and turns backslashes: what it reads otherwise than it is written is refused.
        (is_upstream && url.path() == path && has_one_reading(path)).then_some(url)
    }
}

/// Whether every server finds the same names in a path: none is empty, none has parameters, and nothing is escaped that
/// could stand there as it is, or that parts names.
fn has_one_reading(path: &str) -> bool {
    let Some(names) = path.strip_prefix('/') else { return false };
    names.split('/').all(|name| {
        let is_needed =
            |byte: u8| !byte.is_ascii_alphanumeric() && !byte.is_ascii_control() && !PLAIN.contains(&byte);
        let is_escaped = |after: &str| {
            let digits = after.get(..2);
            digits.and_then(|hex| u8::from_str_radix(hex, 16).ok()).is_some_and(is_needed)
        };
        !name.is_empty()
            && !name.contains(';')
            && name.split('%').skip(1).all(is_escaped)
            && percent_decode_str(name).decode_utf8().is_ok()
    })
}

fn is_account_sid(text: &str) -> bool {
    let is_hex = |hex: &str| hex.len() == 32 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    text.strip_prefix("AC").is_some_and(is_hex)
}

fn is_host_alone(url: &Url) -> bool {
    let (has_name, has_more) =
        (!url.username().is_empty(), url.query().is_some() || url.fragment().is_some());
    !has_name && url.password().is_none() && !has_more && url.path() == "/"
}

/// A URL as Twilio signs it: without name and password, and over TLS without a port.
fn as_signed(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.scheme() == "https" {
        let _ = url.set_port(None);
    }
    url.into()
}

/// A form as it is sent, in a body or a query.
pub(crate) fn form(params: &[(String, String)]) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let pairs = params.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn undelivered(error: reqwest::Error) -> Undone {
    Undone::Undelivered(webhook::undelivered(error))
}

/// How long Twilio may take to begin an answer.
const BEGUN_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to the end of one, which may be the audio of a long call.
const FORWARDED_WITHIN: Duration = Duration::from_secs(900);
/// How long a customer's system may take, to the end of its answer: as long as it has with Twilio.
const CALLED_BACK_WITHIN: Duration = Duration::from_secs(15);
const SIGNATURE: &str = "x-twilio-signature";
const FORM: &str = "application/x-www-form-urlencoded";
/// What is escaped in a form.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What stands in a path as it is, and what parts or escapes names, so that it is never escaped.
const PLAIN: &[u8] = b"-._~/\\;%";

#[cfg(test)]
mod tests {
    use super::*;

    fn twilio() -> Twilio {
        Twilio {
            account_sid: "AC0123456789abcdef0123456789ABCDEF".into(),
            auth_token: "token".into(),
            upstream: "https://api.twilio.com".into(),
            voice_url: None,
            refused_url: None,
        }
    }

    fn platforms(all: &[(&str, Twilio)]) -> Result<Platforms, TwilioError> {
        let all: BTreeMap<String, Twilio> =
            all.iter().map(|(account, twilio)| ((*account).to_owned(), twilio.clone())).collect();
        Platforms::new(&all, Reach::Public)
    }

    fn told(twilio: Twilio) -> String {
        platforms(&[("acme", twilio)]).unwrap_err().to_string()
    }

    #[test]
    fn a_platform_is_found_by_its_account_and_by_its_sid_and_shows_neither() {
        let webhook = |text: &str| WebhookUrl::parse(text, Reach::Public).ok();
        let twilio = Twilio {
            voice_url: webhook("https://name:word@acme.example/voice?a=1"),
            refused_url: webhook("https://acme.example"),
            ..twilio()
        };
        let all = platforms(&[("acme", twilio.clone())]).unwrap();
        let platform = all.get("acme").unwrap();
        assert_eq!(platform.account_sid(), twilio.account_sid);
        assert_eq!(platform.voice_url(), Some("https://name:word@acme.example/voice?a=1"));
        assert_eq!(platform.refused_url(), Some("https://acme.example/"));
        assert_eq!(all.by_sid(&twilio.account_sid).map(|(account, _)| account), Some("acme"));
        assert!(all.get("globex").is_none() && all.by_sid("AC0").is_none());
        assert_eq!(format!("{all:?}"), "[\"acme\"]");
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_key_and_without_the_url() {
        for sid in ["", "AC0", "CA0123456789abcdef0123456789abcdef", "AC0123456789abcdef0123456789abcdeg"] {
            let told = told(Twilio { account_sid: sid.into(), ..twilio() });
            assert!(told.starts_with("`twilio.acme.account_sid` is `AC` and 32"), "{told}");
        }
        for upstream in
            ["http://api.twilio.com", "https://10.0.0.7", "https://127.0.0.1:8443", "api.twilio.com"]
        {
            let told = told(Twilio { upstream: upstream.into(), ..twilio() });
            assert!(told.starts_with("`twilio.acme.upstream` cannot be used: as for webhooks"), "{told}");
        }
        for upstream in [
            "https://api.twilio.com/v1",
            "https://api.twilio.com?a=1",
            "https://api.twilio.com/#a",
            "https://name@api.twilio.com",
            "https://:word@api.twilio.com",
        ] {
            let told = told(Twilio { upstream: upstream.into(), ..twilio() });
            assert!(told.starts_with("`twilio.acme.upstream` is a scheme, a host"), "{told}");
            assert!(!told.contains("word"), "{told}");
        }
        // Read where private addresses were allowed.
        let private = WebhookUrl::parse("http://127.0.0.1/voice?token=hidden", Reach::Anywhere).ok();
        for (key, twilio) in [
            ("voice_url", Twilio { voice_url: private.clone(), ..twilio() }),
            ("refused_url", Twilio { refused_url: private.clone(), ..twilio() }),
        ] {
            let told = told(twilio);
            assert!(told.starts_with(&format!("`twilio.acme.{key}` cannot be used")), "{told}");
            assert!(!told.contains("hidden"), "{told}");
        }
        let same = Twilio { account_sid: twilio().account_sid.replace("ABC", "abc"), ..twilio() };
        let same = platforms(&[("acme", twilio()), ("globex", same)]).unwrap_err().to_string();
        assert!(same.contains("`twilio.globex` and `twilio.acme` have the same"), "{same}");
    }

    #[test]
    fn a_path_goes_to_the_upstream_as_it_is_written() {
        let all = platforms(&[("acme", twilio())]).unwrap();
        let platform = all.get("acme").unwrap();
        for path in [
            "/2010-04-01/Accounts/AC1/Calls/CA1/Recordings/Twilio.CURRENT.json",
            "/2010-04-01/Accounts/AC1/Recordings.json?DateCreated%3C=2026-11-20&PageSize=5",
            "/2010-04-01/Accounts/AC1/Conferences/CF1/Participants/J%C3%BCrgen%20A.json",
            "/a?b=//evil.example/../@evil.example:80/%2e%2E/",
            "/a?",
            "/a?b?c",
            "/a..b/...c/d:e@f/+1555,0100",
            "/evil.example",
        ] {
            let url = platform.below_upstream(path).unwrap();
            assert_eq!(url.as_str(), format!("https://api.twilio.com{path}"));
        }
    }

    #[test]
    fn no_path_leads_elsewhere_or_can_be_read_in_another_way() {
        let all = platforms(&[("acme", twilio())]).unwrap();
        let platform = all.get("acme").unwrap();
        for path in [
            "",
            "/",
            "?a",
            "a",
            "*",
            "@evil.example/a",
            ":80@evil.example/a",
            ".evil.example/a",
            "https://evil.example/a",
            "http:evil.example",
            "//evil.example/a",
            "///evil.example",
            "/\\evil.example/a",
            "\\\\evil.example/a",
            "/a//b",
            "/a/",
            "/..",
            "/../a",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/a/%2e%2E/b",
            "/a/.%2e/b",
            "/a/%2e/b",
            "/a\\b",
            "/a%5Cb",
            "/a%2Fb",
            "/a%2fb",
            "/a#b",
            "/a b",
            "/a\tb",
            "/a\r\nb",
            "/ä",
            "/Recordings.json;a=1",
            "/Recordings.json%3Ba",
            "/Recordings%2Ejson",
            "/%52ecordings.json",
            "/%2552ecordings.json",
            "/a%00",
            "/a%7F",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+2",
            "/a%c0%afb",
            "/a%E4",
        ] {
            assert!(platform.below_upstream(path).is_none(), "{path:?}");
        }
    }

    #[test]
    fn a_url_is_signed_as_twilio_signs_it() {
        for (url, signed) in [
            ("https://name:word@acme.example:8443/a?b=1", "https://acme.example/a?b=1"),
            ("http://name@acme.example:8080/a", "http://acme.example:8080/a"),
            ("https://acme.example", "https://acme.example/"),
        ] {
            let url: Url = url.parse().unwrap();
            assert_eq!(as_signed(&url), signed);
        }
        let params = [("To".to_owned(), "+1 555&0100=ü~".to_owned()), ("a b".to_owned(), String::new())];
        assert_eq!(form(&params), "To=%2B1%20555%260100%3D%C3%BC~&a%20b=");
    }
}
