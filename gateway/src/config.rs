//! The configuration: one TOML file, every key with a default.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyper::header::HeaderName;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use reqwest::Url;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::anchor::{TimestampConfig, WitnessConfig, WriteOnceConfig};
use crate::export::Controller;
use crate::listen::origin::{Block, Proxies};
use crate::record::Algorithm;
use crate::webhook::{Reach, WebhookUrl};
use trail::OrderedAction;

/// The configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// The data directory: ledger, media, secrets.
    pub data: PathBuf,
    /// A PostgreSQL server instead of the embedded SQLite: `postgres://user@host/database`.
    pub ledger: Option<LedgerUrl>,
    /// What the origins of the logs begin with: a host name. Fixed once a head was signed.
    pub log_name: Option<String>,
    /// How long an epoch of a log lasts; for ever if absent.
    pub log_period: Option<LogPeriod>,
    /// Where the last signed head of every log is pinned; beside the data directory if absent.
    pub pins: Option<PathBuf>,
    /// Where the keys to what is in quarantine are; beside the data directory if absent.
    pub quarantine: Option<PathBuf>,
    /// Whether a start reads every log from its first entry before it listens, instead of in the background.
    pub verify_first: bool,
    /// Where the gateway's own secrets are; `secrets` below the data directory if absent.
    pub secrets: Option<PathBuf>,
    /// A table of jurisdictions instead of the one that is compiled in.
    pub jurisdictions: Option<PathBuf>,
    /// A city or country database in MaxMind's format.
    pub ip_database: Option<PathBuf>,
    /// Certificate and key; without them plain HTTP is spoken, on loopback only.
    pub tls: Option<Tls>,
    /// A proxy on this machine or network terminates TLS: plain HTTP may be spoken beyond loopback.
    pub behind_tls_proxy: bool,
    /// Proxies that are believed about the address of their clients, by their own addresses.
    pub trusted_proxies: Vec<Block>,
    /// The header in which they give it.
    pub client_address_header: String,
    /// The witnesses that are asked to cosign the heads of the logs.
    pub witness: Vec<WitnessConfig>,
    /// The authorities that are asked to stamp the heads with a time.
    pub timestamp: Vec<TimestampConfig>,
    /// Where the heads are kept out of the operator's reach.
    pub write_once: Option<WriteOnceConfig>,
    /// Who an account's recordings are made for, by account.
    pub controller: BTreeMap<String, Controller>,
    /// The certificate and the RSA key that vCons are signed with, PEM.
    pub vcon_signing: Option<Tls>,
    /// Where the gateway is reached from outside: `https://gateway.example.com`.
    pub public_url: Option<String>,
    /// Where accounts may be told what happens.
    pub webhooks: Webhooks,
    /// Kazoo platforms that are told to stop the recordings of suspended calls, by account.
    pub kazoo: BTreeMap<String, Kazoo>,
    /// Accounts at Twilio that the gateway stands in front of, by account.
    pub twilio: BTreeMap<String, Twilio>,
    /// Limits of uploads.
    pub upload: Upload,
    /// The most connections at once.
    pub connections: usize,
    /// How long requests are still served after the program is asked to stop, while `/readyz` answers 503 so that load
    /// balancers send new ones elsewhere, in seconds.
    pub lame_duck_seconds: u64,
    /// How long running requests may go on after that, in seconds.
    pub drain_seconds: u64,
    /// Log lines as JSON.
    pub log_json: bool,
}

/// The URL of a PostgreSQL server. It may hold a password, so it is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct LedgerUrl(String);

impl LedgerUrl {
    /// Wraps any text; [`crate::ledger::Ledger::open`] rejects invalid URLs.
    #[must_use]
    pub fn new(text: impl Into<String>) -> LedgerUrl {
        LedgerUrl(text.into())
    }

    /// The text, to connect with.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LedgerUrl(…)")
    }
}

/// How long an epoch of a log lasts. Periods begin at midnight, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogPeriod {
    /// A calendar year.
    Year,
    /// Three months, from January, April, July or October.
    Quarter,
    /// A calendar month.
    Month,
}

impl LogPeriod {
    /// When the period of this moment began.
    #[must_use]
    pub fn began(self, at: Timestamp) -> Timestamp {
        let today = at.to_zoned(TimeZone::UTC).date();
        let month = match self {
            LogPeriod::Year => 1,
            LogPeriod::Quarter => (today.month() - 1) / 3 * 3 + 1,
            LogPeriod::Month => today.month(),
        };
        let first = Date::new(today.year(), month, 1).and_then(|day| day.to_zoned(TimeZone::UTC));
        // There is always such a day. If there were none, the log would go on.
        first.map_or(Timestamp::MIN, |midnight| midnight.timestamp())
    }
}

/// Certificate and key, PEM. They are read again when they change.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Where accounts may be told what happens.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// Whether webhooks may lead to this machine and its network, and be plain HTTP.
    pub allow_private: bool,
}

impl Webhooks {
    /// Which addresses may be told.
    #[must_use]
    pub fn reach(self) -> Reach {
        if self.allow_private { Reach::Anywhere } else { Reach::Public }
    }
}

/// A Kazoo platform's API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kazoo {
    /// Where Crossbar is: `https://crossbar.example.com:8443`.
    pub api: String,
    /// Kazoo's id of the account.
    pub account_id: String,
    /// A file with the account's API key.
    pub api_key: PathBuf,
    /// What a recorder is told to do.
    #[serde(default)]
    pub action: OrderedAction,
}

/// An account at Twilio.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twilio {
    /// Twilio's sid of the account: `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// A file with the account's auth token.
    pub auth_token: PathBuf,
    /// Where Twilio's API is.
    #[serde(default = "twilio_api")]
    pub upstream: String,
    /// The account's own voice webhook.
    pub voice_url: Option<WebhookUrl>,
    /// Its voice webhook for calls in which recording was refused.
    pub refused_url: Option<WebhookUrl>,
}

fn twilio_api() -> String {
    "https://api.twilio.com".into()
}

/// Limits of uploads.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upload {
    /// The longest body, in bytes.
    pub max_bytes: u64,
    /// The longest time that a body may take, in seconds.
    pub deadline_seconds: u64,
    /// The least that a sender must keep up, in bytes a second.
    pub min_rate: u64,
    /// How many bytes stay free on the disk: if there are fewer, uploads are refused.
    pub low_water_bytes: u64,
    /// How the same upload is told from another.
    pub fingerprint: Algorithm,
    /// How many sealed bytes of all uploads together may wait in memory to be written at once.
    pub memory_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: PathBuf::from("./data"),
            ledger: None,
            log_name: None,
            log_period: None,
            pins: None,
            quarantine: None,
            verify_first: false,
            secrets: None,
            jurisdictions: None,
            ip_database: None,
            tls: None,
            behind_tls_proxy: false,
            trusted_proxies: Vec::new(),
            client_address_header: "X-Forwarded-For".into(),
            witness: Vec::new(),
            timestamp: Vec::new(),
            write_once: None,
            controller: BTreeMap::new(),
            vcon_signing: None,
            public_url: None,
            webhooks: Webhooks::default(),
            kazoo: BTreeMap::new(),
            twilio: BTreeMap::new(),
            upload: Upload::default(),
            connections: 1024,
            lame_duck_seconds: 0,
            drain_seconds: 30,
            log_json: false,
        }
    }
}

impl Default for Upload {
    fn default() -> Self {
        Upload {
            max_bytes: 2 << 30,
            deadline_seconds: 900,
            min_rate: 4096,
            low_water_bytes: 256 << 20,
            fingerprint: Algorithm::default(),
            memory_bytes: 64 << 20,
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a key is unknown or makes no sense.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.into(), message: told(&text, &error) })
    }

    /// Refuses dangerous settings: plain HTTP that others can reach, a malformed header name. Refuses Twilio without
    /// an address that it can reach.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Plain`], [`ConfigError::Header`], [`ConfigError::PublicUrl`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.tls.is_none() && !self.behind_tls_proxy && !self.listen.ip().is_loopback() {
            return Err(ConfigError::Plain { listen: self.listen });
        }
        if !self.twilio.is_empty() && !self.public_url.as_deref().is_some_and(is_public_url) {
            return Err(ConfigError::PublicUrl);
        }
        self.proxies().map(drop)
    }

    /// The proxies that are believed.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Header`].
    pub fn proxies(&self) -> Result<Proxies, ConfigError> {
        let header = HeaderName::from_bytes(self.client_address_header.as_bytes())
            .map_err(|_| ConfigError::Header { name: self.client_address_header.clone() })?;
        Ok(Proxies::new(self.trusted_proxies.clone(), header))
    }

    /// Where the signed heads are pinned: outside of the data directory, so that restoring an older one does
    /// not restore them with it.
    #[must_use]
    pub fn pins_dir(&self) -> PathBuf {
        self.pins.clone().unwrap_or_else(|| self.beside_the_data(".pins"))
    }

    /// Where the keys to what is in quarantine are: outside of the data directory, so that no backup of it holds them.
    #[must_use]
    pub fn quarantine_dir(&self) -> PathBuf {
        self.quarantine.clone().unwrap_or_else(|| self.beside_the_data(".quarantine"))
    }

    fn beside_the_data(&self, suffix: &str) -> PathBuf {
        let mut beside = self.data.components().as_path().as_os_str().to_owned();
        beside.push(suffix);
        PathBuf::from(beside)
    }

    /// Where the secrets are.
    #[must_use]
    pub fn secrets_dir(&self) -> PathBuf {
        self.secrets.clone().unwrap_or_else(|| self.data.join("secrets"))
    }
}

/// Whether requests can be made below this URL: Twilio signs the URL that it asks, letter by letter.
fn is_public_url(text: &str) -> bool {
    let begins = ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    let has_more = |url: &Url| url.query().is_some() || url.fragment().is_some() || text.contains('@');
    begins && Url::parse(text).is_ok_and(|url| !has_more(&url))
}

/// Reads where to listen: an IP address with a port, or `localhost` with one, which is `127.0.0.1`.
///
/// # Errors
///
/// A message that says what to write.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let address = match text.trim().rsplit_once(':') {
        Some((name, port)) if name.eq_ignore_ascii_case("localhost") => format!("127.0.0.1:{port}"),
        Some(_) | None => text.trim().to_owned(),
    };
    address.parse().map_err(|_| {
        format!(
            "`{text}` is not an address to listen on: write an IP address and a port, as in `127.0.0.1:8080`, `[::1]:8080` or \
             `0.0.0.0:8443` (every interface), or `localhost:8080`"
        )
    })
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    listen_address(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// What is wrong with the file. A line that holds a URL is not repeated: a password may be in it.
fn told(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count();
    let is_secret = |text: &str| text.contains("://");
    if !text.lines().nth(line).is_some_and(is_secret) && !is_secret(error.message()) {
        let expected = |told: String, (type_name, words): &(&str, &str)| {
            told.replace(&format!("expected {type_name}"), &format!("expected {words}"))
        };
        return EXPECTED.iter().fold(error.to_string().trim_end().to_owned(), expected);
    }
    let what = Some(error.message()).filter(|message| !is_secret(message));
    format!("line {}: {}", line.saturating_add(1), what.unwrap_or("no such value is expected there"))
}

/// What Rust expects, and what that is to whoever writes the file.
const EXPECTED: &[(&str, &str)] = &[
    ("usize", "a whole number, as in `1024`"),
    ("u64", "a whole number, as in `30`"),
    ("path string", "a path in quotes, as in `\"/var/lib/consent-gateway\"`"),
    ("a boolean", "`true` or `false`"),
    ("a string", "a text in quotes"),
];

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration `{}` cannot be read", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file makes no sense.
    #[error("the configuration `{}` cannot be used: {message}", path.display())]
    Parse {
        /// Which one.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// A text that is not the name of a header.
    #[error(
        "`client_address_header` is `{name}`, which cannot be the name of a header; write for example `X-Forwarded-For`"
    )]
    Header {
        /// The text.
        name: String,
    },
    /// Twilio is configured, and not where it reaches the gateway.
    #[error(
        "`twilio` needs `public_url`, where Twilio reaches this gateway and which it signs: write for example \
         `public_url = \"https://gateway.example.com\"`"
    )]
    PublicUrl,
    /// Plain HTTP that others can reach.
    #[error(
        "without TLS the gateway listens on loopback only, and `{listen}` is not; \
         set `tls`, or `behind_tls_proxy = true` if a proxy terminates TLS"
    )]
    Plain {
        /// The address it was to listen on.
        listen: SocketAddr,
    },
}

#[cfg(test)]
mod tests {
    use super::{Config, listen_address};

    #[test]
    fn where_to_listen_is_an_address_or_this_machine() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("LOCALHOST:0", "127.0.0.1:0"),
            ("[::1]:8443", "[::1]:8443"),
        ] {
            assert_eq!(listen_address(text).map(|address| address.to_string()), Ok(address.into()), "{text}");
            let config: Config = toml::from_str(&format!("listen = \"{text}\"")).unwrap();
            assert_eq!(config.listen.to_string(), address);
        }
        for text in
            ["", ":8080", "8080", "localhost", "localhost:http", "gateway.example.com:8080", "127.0.0.1"]
        {
            assert!(listen_address(text).is_err_and(|told| told.contains("127.0.0.1:8080")), "{text}");
        }
        let told = toml::from_str::<Config>("listen = \":8080\"").unwrap_err().to_string();
        assert!(told.contains("`:8080` is not an address") && told.contains("line 1"), "{told}");
    }

    #[test]
    fn twilio_needs_an_address_that_it_can_reach() {
        let of = |public: &str| {
            let twilio = "[twilio.acme]\naccount_sid = \"AC0\"\nauth_token = \"token\"";
            toml::from_str::<Config>(&format!("{public}\n{twilio}")).unwrap()
        };
        assert_eq!(of("").twilio["acme"].upstream, "https://api.twilio.com");
        let url = |text: &str| of(&format!("public_url = \"{text}\"")).check();
        for fine in
            ["https://gateway.example.com", "https://gateway.example.com:8443/gw/", "http://127.0.0.1:8080"]
        {
            url(fine).unwrap();
        }
        for wrong in [
            "",
            "gateway.example.com",
            "https:gateway.example.com",
            "ftp://gateway.example.com",
            "https://",
            "https://gateway.example.com/?a=1",
            "https://gateway.example.com/#a",
            "https://name:word@gateway.example.com",
        ] {
            assert!(matches!(url(wrong), Err(super::ConfigError::PublicUrl)), "{wrong}");
        }
        let missing = of("").check().unwrap_err().to_string();
        assert!(missing.contains("`twilio` needs `public_url`"), "{missing}");
        // Without Twilio it may be anything.
        toml::from_str::<Config>("public_url = \"anything\"").unwrap().check().unwrap();
    }

    #[test]
    fn what_is_expected_is_told_to_people() {
        for (text, told) in [
            (
                "connections = \"many\"",
                "invalid type: string \"many\", expected a whole number, as in `1024`",
            ),
            ("drain_seconds = -1", "invalid value: integer `-1`, expected a whole number, as in `30`"),
            ("data = 5", "invalid type: integer `5`, expected a path in quotes, as in `\"/var/"),
            ("log_json = \"yes\"", "expected `true` or `false`"),
            ("public_url = 5", "expected a text in quotes"),
        ] {
            let error = toml::from_str::<Config>(text).unwrap_err();
            let all = super::told(text, &error);
            assert!(all.contains(told) && all.contains("line 1") && !all.ends_with('\n'), "{all}");
        }
    }
}
