//! Where an account is told, and what that is signed with.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::gate::{ATTEMPTS, AccountSettings, Fault, Gate, RegisterRefusal};
use crate::ledger::{Appended, Change, Expect};
use crate::webhook::{SigningSecret, WebhookUrl};
use trail::{Actor, Body, SYSTEM_LOG};

/// An account's webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where it is told; nowhere if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<WebhookUrl>,
    /// The generation of its secret; 0 if it never had one.
    pub generation: u32,
    /// Until when messages are signed with the secret before it as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub both_until: Option<Timestamp>,
}

/// A change of an account's webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetWebhook {
    /// It is told there. The secret stays, if there is one in use.
    At(WebhookUrl),
    /// It is told nothing any more, and the secret is not used again.
    Off,
    /// It has another secret; the one before counts for another day.
    NewSecret,
}

impl Webhook {
    /// The first one of an account.
    #[must_use]
    pub fn first(url: WebhookUrl) -> Webhook {
        Webhook { url: Some(url), generation: 1, both_until: None }
    }

    pub(in crate::gate) fn is_unset(&self) -> bool {
        *self == Webhook::default()
    }

    /// After a change; `None` if there is none whose secret could change.
    fn changed(&self, change: &SetWebhook, now: Timestamp) -> Option<Webhook> {
        let next = self.generation.saturating_add(1);
        match (change, &self.url) {
            (SetWebhook::At(url), Some(_)) => Some(Webhook { url: Some(url.clone()), ..self.clone() }),
            (SetWebhook::At(url), None) => {
                Some(Webhook { url: Some(url.clone()), generation: next, both_until: None })
            }
            (SetWebhook::Off, _) => Some(Webhook { url: None, both_until: None, ..self.clone() }),
            (SetWebhook::NewSecret, Some(url)) => Some(Webhook {
                url: Some(url.clone()),
                generation: next,
                both_until: now.checked_add(OVERLAP).ok(),
            }),
            (SetWebhook::NewSecret, None) => None,
        }
    }
}

impl Gate {
    /// Changes an account's webhook. Returns it, with its secret if that is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, the address is not allowed, or there is no webhook whose secret could change.
    pub async fn set_webhook(
        &self,
        actor: &Actor,
        account: &str,
        change: &SetWebhook,
    ) -> Result<(Webhook, Option<SigningSecret>), Fault> {
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        for _ in 0..ATTEMPTS {
            let row = self.ledger.account(account).await?;
            let row = row.ok_or_else(|| RegisterRefusal::UnknownAccount { id: account.into() })?;
            let mut settings = AccountSettings::read(&row.settings)?;
            let before = settings.webhook.clone();
            let after = before.changed(change, self.clock.now());
            let after = after.ok_or_else(|| RegisterRefusal::NoWebhook { id: account.into() })?;
            if after == before {
                return Ok((after, None));
            }
            self.check_webhook(&after)?;
            settings.webhook = after.clone();
            let document =
                serde_json::to_string(&settings).map_err(|_| Fault::damaged("settings cannot be written"))?;
            let body = Body::AccountWebhook { on: after.url.is_some(), generation: after.generation };
            let detail = after.url.as_ref().map(|url| json!({"webhook": url.shown()}));
            let expects = vec![Expect::AccountSettings { id: account.into(), settings: row.settings }];
            let changes = vec![Change::AccountSettings { id: account.into(), settings: document }];
            if self.note(actor, account, body, detail, changes, expects).await? == Appended::Done {
                let new = after.generation != before.generation;
                let secret = new.then(|| self.webhook_secret(account, after.generation));
                return Ok((after, secret));
            }
        }
        Err(Fault::contended())
    }

    /// What an account's messages are signed with in a generation.
    #[must_use]
    pub fn webhook_secret(&self, account: &str, generation: u32) -> SigningSecret {
        SigningSecret::new(self.secrets.webhook_key(account, generation))
    }

    /// Whether messages may go there.
    pub(in crate::gate) fn check_webhook(&self, webhook: &Webhook) -> Result<(), RegisterRefusal> {
        match &webhook.url {
            Some(url) => url.check(self.webhooks).map_err(RegisterRefusal::Webhook),
            None => Ok(()),
        }
    }
}

/// How long the secret before a new one counts.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
