//! Orders to a Kazoo platform, by Crossbar, its API: what a suspended call's recorder has to do.
//!
//! Knows nothing of calls, consent or when an order is due. Crossbar answers that it has passed an order on, and nothing of
//! what has become of it.
//!
//! INVARIANT: as for webhooks: an order goes to an address that was checked, redirects are not followed, and no proxy is
//! asked. The API key is read from its file for every login; neither it nor a token is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::anchor::http::HttpError;
use crate::config::Kazoo;
use crate::webhook::{self, Reach, Undelivered, WebhookUrl, WebhookUrlError};
use trail::OrderedAction;

/// The platforms that take orders, by their accounts.
#[derive(Clone)]
pub struct Crossbar {
    client: reqwest::Client,
    platforms: Arc<BTreeMap<String, Platform>>,
}

/// An account's platform.
struct Platform {
    api: Url,
    account_id: String,
    api_key: PathBuf,
    action: OrderedAction,
    token: Mutex<Option<Zeroizing<String>>>,
}

impl fmt::Debug for Crossbar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.platforms.keys()).finish()
    }
}

/// Why orders cannot be given as configured.
#[derive(Debug, thiserror::Error)]
pub enum CrossbarError {
    /// No client can be made.
    #[error(transparent)]
    Client(#[from] HttpError),
    /// The address of an API is none, or may not be asked.
    #[error("`kazoo.{account}.api` cannot be used: as for webhooks, {why}")]
    Api {
        /// The account.
        account: String,
        /// Why not.
        why: WebhookUrlError,
    },
}

impl Crossbar {
    /// Makes one, as configured.
    ///
    /// # Errors
    ///
    /// [`CrossbarError`].
    pub fn new(configured: &BTreeMap<String, Kazoo>, reach: Reach) -> Result<Crossbar, CrossbarError> {
        let mut platforms = BTreeMap::new();
        for (account, kazoo) in configured {
            let refused = |why| CrossbarError::Api { account: account.clone(), why };
            let api =
                WebhookUrl::parse(&kazoo.api, reach).and_then(|url| url.read(reach)).map_err(refused)?;
            let platform = Platform {
                api,
                account_id: kazoo.account_id.clone(),
                api_key: kazoo.api_key.clone(),
                action: kazoo.action,
                token: Mutex::new(None),
            };
            platforms.insert(account.clone(), platform);
        }
        Ok(Crossbar { client: webhook::client(reach, ANSWER)?, platforms: Arc::new(platforms) })
    }

    /// Has the recordings of these legs stopped or masked. Returns the status with which the order was taken.
    ///
    /// # Errors
    ///
    /// A status, or a word, if none of the legs took it.
    pub async fn order(&self, account: &str, legs: &[String]) -> Result<u16, String> {
        let Some(platform) = self.platforms.get(account) else { return Err(NOT_CONFIGURED.into()) };
        let ordering = self.order_all(platform, legs);
        tokio::time::timeout(WITHIN, ordering).await.unwrap_or_else(|_| Err(Undelivered::Slow.outcome()))
    }

    async fn order_all(&self, platform: &Platform, legs: &[String]) -> Result<u16, String> {
        let (mut taken, mut refused) = (None, None);
        for leg in legs {
            match self.order_one(platform, leg).await {
                Ok(status) if status.is_success() => taken = taken.or(Some(status.as_u16())),
                // The answer about the call's own id says the most.
                Ok(status) => refused = refused.or(Some(status.as_u16().to_string())),
                Err(outcome) => refused = refused.or(Some(outcome)),
            }
        }
        match (taken, refused) {
            (Some(status), _) => Ok(status),
            (None, refused) => Err(refused.unwrap_or_else(|| NO_LEG.into())),
        }
    }

    /// A token that has run out is replaced once.
    async fn order_one(&self, platform: &Platform, leg: &str) -> Result<StatusCode, String> {
        let kept = || platform.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let path = ["v2", "accounts", &platform.account_id, "channels", leg];
        let order = json!({
            "action": "metaflow",
            "data": {"module": "record_call", "data": {"action": platform.action.as_str()}},
        });
        if let Some(token) = kept() {
            let (status, _) = self.send(platform, &path, Some(&token), &order).await?;
            if status != StatusCode::UNAUTHORIZED {
                return Ok(status);
            }
        }
        let token = self.login(platform).await?;
        Ok(self.send(platform, &path, Some(&token), &order).await?.0)
    }

    async fn login(&self, platform: &Platform) -> Result<Zeroizing<String>, String> {
        let key = tokio::fs::read_to_string(&platform.api_key).await.map(Zeroizing::new);
        let key = key.map_err(|_| NO_KEY.to_owned())?;
        let asked = json!({"data": {"api_key": key.trim()}});
        let (status, answer) = self.send(platform, &["v2", "api_auth"], None, &asked).await?;
        if !status.is_success() {
            return Err(status.as_u16().to_string());
        }
        let LoggedIn { auth_token } = serde_json::from_slice(&answer).map_err(|_| NOT_CROSSBAR.to_owned())?;
        let token = Zeroizing::new(auth_token);
        *platform.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    async fn send(
        &self,
        platform: &Platform,
        path: &[&str],
        token: Option<&Zeroizing<String>>,
        document: &Value,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), String> {
        let mut url = platform.api.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => drop(segments.pop_if_empty().extend(path)),
            Err(()) => return Err(NOT_CROSSBAR.into()),
        }
        let body = serde_json::to_vec(document).map_err(|_| NOT_CROSSBAR.to_owned())?;
        let json = HeaderValue::from_static("application/json");
        let mut request = self.client.put(url).header(CONTENT_TYPE, json).body(body);
        if let Some(token) = token {
            request = request.header("x-auth-token", token.as_str());
        }
        let failed = |error| webhook::undelivered(error).outcome();
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if chunk.len() > ANSWER.saturating_sub(body.len()) {
                return Err(NOT_CROSSBAR.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}

/// What is read of the answer to a login.
#[derive(Deserialize)]
struct LoggedIn {
    auth_token: String,
}

/// What is kept of an attempt that reached nobody.
const NOT_CONFIGURED: &str = "not-configured";
const NO_LEG: &str = "no-leg";
const NO_KEY: &str = "api-key-unreadable";
const NOT_CROSSBAR: &str = "not-crossbar";
/// How long the orders to all legs of a call may take together. Less than a gateway has a notification for itself.
const WITHIN: Duration = Duration::from_secs(15);
/// The longest answer that is read, in bytes.
const ANSWER: usize = 64 * 1024;
