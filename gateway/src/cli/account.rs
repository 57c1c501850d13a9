//! Accounts and their settings.

use clap::{Args, Subcommand};
use policy::{LawfulBasis, Period, Purpose, Retention};
use serde_json::json;

use super::admin::done;
use super::asked::{must_exist, word};
use super::{CliError, asked};
use crate::config::Config;
use crate::gate::ask;
use crate::gate::ask::{Basis, KeepFor};
use crate::gate::{AccountSettings, Authority, Gate, SetWebhook, Webhook};
use crate::serve;
use crate::webhook::WebhookUrl;
use trail::Actor;
use trail::cli::out::say;
use trail::clock::Clock;

#[derive(Subcommand)]
pub(super) enum Account {
    /// Add an account
    #[command(after_help = "Example:\n  consent-gateway account add acme --operator US-CA --recorder US-CA")]
    Add(AccountAdd),
    /// Change an account's settings
    #[command(
        after_help = "Examples:\n  consent-gateway account set acme --format rsa-aes\n  consent-gateway account set acme --webhook https://acme.example/consent\n  consent-gateway account set acme --new-webhook-secret\n  consent-gateway account set acme --redact silence --keep-at-most '5 years'"
    )]
    Set(AccountSet),
    /// Give an account another name, which the doors take as well: the platform's own id of it
    #[command(
        after_help = "Example:\n  consent-gateway account alias acme AC0123456789abcdef0123456789abcdef"
    )]
    Alias {
        /// The account
        account: String,
        /// The other name: `A-Z`, `a-z`, `0-9`, `-`, `_`, `.` and `:`
        id: String,
        /// Take it away
        #[arg(long)]
        remove: bool,
    },
    /// List the accounts
    List,
}

#[derive(Args)]
pub(super) struct AccountSet {
    /// The account
    account: String,
    #[command(flatten)]
    change: AccountChange,
}

/// What is set.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct AccountChange {
    /// How its recordings are sealed from now on: `tink`, or `rsa-aes` as Twilio encrypts, for one key
    #[arg(long, value_parser = ["tink", "rsa-aes"])]
    format: Option<String>,
    /// Where the operator is established, such as `US-CA`
    #[arg(long, value_name = "PLACE")]
    operator: Option<String>,
    /// Where the recording device stands
    #[arg(long, value_name = "PLACE")]
    recorder: Option<String>,
    /// The language of participants for whom none is given
    #[arg(long)]
    language: Option<String>,
    /// How late evidence may be logged and still count, in seconds
    #[arg(long)]
    late_evidence_seconds: Option<u8>,
    /// How many devices may record one call at once
    #[arg(long)]
    recorders: Option<u16>,
    /// What to do with audio that was covered before somebody withdrew
    #[arg(long, value_parser = ["keep", "delete", "delete-present"])]
    on_withdrawal: Option<String>,
    /// What to do with an upload's seconds that are not covered: refuse the upload, or silence them and keep the rest
    #[arg(long, value_parser = ["off", "silence"])]
    redact: Option<String>,
    /// How much of an upload must be left where it is silenced, in percent of its length
    #[arg(long, value_name = "PERCENT")]
    least_kept_percent: Option<u8>,
    /// How long to keep recordings at least, beside what the law asks
    #[arg(long, value_name = "PERIOD")]
    keep_at_least: Option<Period>,
    /// How long to keep them at most: then they are deleted
    #[arg(long, value_name = "PERIOD")]
    keep_at_most: Option<Period>,
    /// How long to keep them at most where nothing else says so
    #[arg(long, value_name = "PERIOD")]
    keep_by_default: Option<Period>,
    /// How long to keep what is recorded for a purpose, at least and at most, such as `quality=..90 days` or
    /// `evidence=5 years..`; `quality=..` lifts its limits
    #[arg(long, value_name = "PURPOSE=LEAST..MOST", value_parser = limits)]
    keep_for: Vec<(Purpose, Retention)>,
    /// On which lawful basis what is recorded for a purpose is processed, and where people read of it, such as
    /// `quality=legitimate-interests=https://example.com/notice`; `quality=` takes it back
    #[arg(long, value_name = "PURPOSE=BASIS[=URL]", value_parser = basis)]
    lawful_basis: Vec<(Purpose, Option<Basis>)>,
    /// How long after recording has ended its webhook is told that nothing came, in seconds
    #[arg(long, value_name = "SECONDS")]
    overdue_seconds: Option<u32>,
    /// Where its systems are told what happens: an `https` URL; a first one's signing secret is shown once
    #[arg(long, value_name = "URL", conflicts_with_all = ["no_webhook", "new_webhook_secret"])]
    webhook: Option<String>,
    /// Tell its systems nothing any more; the signing secret is not used again
    #[arg(long, conflicts_with = "new_webhook_secret")]
    no_webhook: bool,
    /// Sign with another secret, which is shown once; the one before counts for 24 hours more
    #[arg(long)]
    new_webhook_secret: bool,
    /// Let this credential of a provisioner act on the account
    #[arg(long, value_name = "USERNAME", conflicts_with = "no_provisioner")]
    provisioner: Option<String>,
    /// Let no provisioner act on it any more
    #[arg(long)]
    no_provisioner: bool,
}

#[derive(Args)]
pub(super) struct AccountAdd {
    /// The account's id: `a-z`, `0-9`, `-` and `_`
    account: String,
    /// Where the operator is established, such as `US-CA`
    #[arg(long, value_name = "PLACE")]
    operator: Option<String>,
    /// Where the recording device stands
    #[arg(long, value_name = "PLACE")]
    recorder: Option<String>,
    /// The language of participants for whom none is given
    #[arg(long, default_value = "en")]
    language: String,
    /// How late evidence may be logged and still count, in seconds
    #[arg(long, default_value_t = 0)]
    late_evidence_seconds: u8,
    /// How many devices may record one call at once
    #[arg(long, default_value_t = 1)]
    recorders: u16,
    /// What to do with audio that was covered before somebody withdrew
    #[arg(long, default_value = "keep", value_parser = ["keep", "delete", "delete-present"])]
    on_withdrawal: String,
    /// What to do with an upload's seconds that are not covered: refuse the upload, or silence them and keep the rest
    #[arg(long, default_value = "off", value_parser = ["off", "silence"])]
    redact: String,
    /// How much of an upload must be left where it is silenced, in percent of its length
    #[arg(long, value_name = "PERCENT", default_value_t = 10)]
    least_kept_percent: u8,
    /// How long to keep recordings at least, such as `30 days` or `5 years`, beside what the law asks
    #[arg(long, value_name = "PERIOD")]
    keep_at_least: Option<Period>,
    /// How long to keep them at most: then they are deleted
    #[arg(long, value_name = "PERIOD")]
    keep_at_most: Option<Period>,
    /// How long to keep them at most where nothing else says so
    #[arg(long, value_name = "PERIOD")]
    keep_by_default: Option<Period>,
    /// How long to keep what is recorded for a purpose, at least and at most, such as `quality=..90 days` or
    /// `evidence=5 years..`; `quality=..` lifts its limits
    #[arg(long, value_name = "PURPOSE=LEAST..MOST", value_parser = limits)]
    keep_for: Vec<(Purpose, Retention)>,
    /// On which lawful basis what is recorded for a purpose is processed, and where people read of it, such as
    /// `quality=legitimate-interests=https://example.com/notice`
    #[arg(long, value_name = "PURPOSE=BASIS[=URL]", value_parser = basis)]
    lawful_basis: Vec<(Purpose, Option<Basis>)>,
    /// How long after recording has ended its webhook is told that nothing came, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    overdue_seconds: u32,
    /// Let everybody read the account's log; its leaves hold nothing that an outsider chose
    #[arg(long)]
    public_log: bool,
    /// How its recordings are sealed: `tink`, or `rsa-aes` as Twilio encrypts, for one key
    #[arg(long, default_value = "tink", value_parser = ["tink", "rsa-aes"])]
    format: String,
    /// Where its systems are told what happens: an `https` URL; the signing secret is shown once
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
}

pub(super) async fn account(config: Config, command: Account, json: bool) -> Result<(), CliError> {
    let gate = match &command {
        // The first account creates the ledger.
        Account::Add(_) => serve::gate(&config, Clock::system()).await?,
        Account::Set(_) | Account::Alias { .. } | Account::List => asked::gate(&config).await?,
    };
    match command {
        Account::Add(asked) => {
            let settings = AccountSettings {
                default_language: asked.language,
                late_evidence_seconds: asked.late_evidence_seconds,
                recorders: asked.recorders,
                on_withdrawal: word(&asked.on_withdrawal)?,
                redact: word(&asked.redact)?,
                least_kept_percent: asked.least_kept_percent,
                keep_at_least: asked.keep_at_least,
                keep_at_most: asked.keep_at_most,
                keep_by_default: asked.keep_by_default,
                keep_for: asked.keep_for.into_iter().collect(),
                lawful_basis: asked
                    .lawful_basis
                    .into_iter()
                    .filter_map(|(of, basis)| Some((of, basis?)))
                    .collect(),
                public_log: asked.public_log,
                overdue_seconds: asked.overdue_seconds,
                format: word(&asked.format)?,
                webhook: match &asked.webhook {
                    Some(url) => Webhook::first(webhook_url(url, &config)?),
                    None => Webhook::default(),
                },
                ..AccountSettings::default()
            };
            let actor = Actor::command_line();
            let places = (asked.operator.as_deref(), asked.recorder.as_deref());
            gate.add_account(&actor, &asked.account, places.0, places.1, &settings).await?;
            let secret =
                settings.webhook.url.as_ref().map(|_| gate.webhook_secret(&asked.account, 1).expose());
            let mut shown = json!({"account": asked.account, "settings": settings});
            if let (Some(secret), Some(shown)) = (&secret, shown.as_object_mut()) {
                shown.insert("webhook_secret".into(), json!(secret.as_str()));
            }
            say(json, &shown, || {
                let secret = secret.as_ref().map(|secret| signed_with(secret)).unwrap_or_default();
                format!("account `{}` added{secret}", asked.account)
            });
        }
        Account::Set(AccountSet { account, change }) => {
            set_account(&gate, &config, &account, &change, json).await?;
        }
        Account::Alias { account, id, remove: true } => {
            must_exist(&gate, &account).await?;
            gate.remove_alias(&Actor::command_line(), &account, &id).await?;
            say(json, &json!({"account": account, "alias": id, "removed": true}), || {
                format!("`{account}` is not `{id}` any more")
            });
        }
        Account::Alias { account, id, remove: false } => {
            let new = gate.add_alias(&Actor::command_line(), &account, &id).await?;
            say(json, &json!({"account": account, "alias": id, "new": new}), || match new {
                true => format!("`{id}` is `{account}` from now on"),
                false => format!("`{id}` is `{account}` already"),
            });
        }
        Account::List => {
            let accounts = gate.ledger().accounts().await.map_err(crate::gate::Fault::from)?;
            let shown = accounts.iter().map(|row| {
                let settings = AccountSettings::read(&row.settings)?;
                Ok(json!({
                    "account": row.id, "operator": row.operator_location, "recorder": row.recorder_location,
                    "format": settings.format, "provisioner": row.provisioner,
                }))
            });
            let shown = shown.collect::<Result<Vec<_>, crate::gate::Fault>>()?;
            let ids = || match accounts.as_slice() {
                [] => "there are no accounts yet".into(),
                accounts => accounts.iter().map(|row| row.id.as_str()).collect::<Vec<_>>().join("\n"),
            };
            say(json, &shown, ids);
        }
    }
    done(gate).await
}

async fn set_account(
    gate: &Gate,
    config: &Config,
    account: &str,
    change: &AccountChange,
    json: bool,
) -> Result<(), CliError> {
    let actor = Actor::command_line();
    let (mut shown, mut lines) = (json!({"account": account}), Vec::new());
    let mut show = |name: &str, value: serde_json::Value| {
        if let Some(shown) = shown.as_object_mut() {
            shown.insert(name.into(), value);
        }
    };
    let settings = change.settings()?;
    if settings != ask::AccountChange::default() {
        let new = gate.change_account(&actor, account, &settings, Authority::Operator).await?;
        if let Some(format) = settings.format {
            show("format", json!(format));
        }
        show("changed", json!(new));
        let only_format = ask::AccountChange { format: settings.format, ..Default::default() } == settings;
        let when = if new { "from now on" } else { "already" };
        lines.push(match settings.format {
            Some(format) if only_format => {
                format!("recordings of `{account}` are sealed as `{}` {when}", format.as_str())
            }
            Some(_) | None => format!("`{account}` is set up so {when}"),
        });
    }
    let webhook = match &change.webhook {
        Some(url) => Some(SetWebhook::At(webhook_url(url, config)?)),
        None if change.no_webhook => Some(SetWebhook::Off),
        None => change.new_webhook_secret.then_some(SetWebhook::NewSecret),
    };
    if let Some(webhook) = webhook {
        let (now, secret) = gate.set_webhook(&actor, account, &webhook).await?;
        let (url, secret) = (now.url.map(|url| url.shown()), secret.map(|secret| secret.expose()));
        let secret = secret.as_ref().map(|secret| secret.as_str());
        show("webhook", json!(url));
        show("webhook_secret", json!(secret));
        lines.push(match &url {
            Some(url) => {
                format!("`{account}` is told at {url}{}", secret.map(signed_with).unwrap_or_default())
            }
            None => format!("`{account}` is told nothing any more"),
        });
    }
    if change.provisioner.is_some() || change.no_provisioner {
        let username = change.provisioner.as_deref();
        gate.set_provisioner(&actor, account, username).await?;
        show("provisioner", json!(username));
        lines.push(match username {
            Some(username) => format!("`{username}` provisions `{account}`"),
            None => format!("no provisioner acts on `{account}`"),
        });
    }
    say(json, &shown, || lines.join("\n"));
    Ok(())
}

impl AccountChange {
    fn settings(&self) -> Result<ask::AccountChange, CliError> {
        Ok(ask::AccountChange {
            operator_location: self.operator.clone(),
            recorder_location: self.recorder.clone(),
            default_language: self.language.clone(),
            late_evidence_seconds: self.late_evidence_seconds,
            recorders: self.recorders,
            on_withdrawal: self.on_withdrawal.as_deref().map(word).transpose()?,
            redact: self.redact.as_deref().map(word).transpose()?,
            least_kept_percent: self.least_kept_percent,
            keep_at_least: self.keep_at_least,
            keep_at_most: self.keep_at_most,
            keep_by_default: self.keep_by_default,
            keep_for: (!self.keep_for.is_empty()).then(|| {
                let limits = |limits: Retention| KeepFor { minimum: limits.minimum, maximum: limits.maximum };
                self.keep_for.iter().map(|(purpose, of)| (*purpose, limits(*of))).collect()
            }),
            lawful_basis: (!self.lawful_basis.is_empty())
                .then(|| self.lawful_basis.iter().cloned().collect()),
            overdue_seconds: self.overdue_seconds,
            format: self.format.as_deref().map(word).transpose()?,
            ..ask::AccountChange::default()
        })
    }
}

fn limits(text: &str) -> Result<(Purpose, Retention), String> {
    let (purpose, limits) =
        text.split_once('=').ok_or("write `PURPOSE=LEAST..MOST`, such as `quality=..90 days`")?;
    Ok((known(purpose)?, limits.parse()?))
}

fn known(purpose: &str) -> Result<Purpose, String> {
    policy::told::word(purpose).ok_or_else(|| {
        let known = Purpose::ALL.map(Purpose::as_str).join(", ");
        format!("`{purpose}` is not a purpose that the law distinguishes; those are {known}")
    })
}

fn basis(text: &str) -> Result<(Purpose, Option<Basis>), String> {
    let (purpose, rest) =
        text.split_once('=').ok_or("write `PURPOSE=BASIS`, such as `quality=legitimate-interests`")?;
    let purpose = known(purpose)?;
    if rest.is_empty() {
        return Ok((purpose, None));
    }
    let (word, notice) = match rest.split_once('=') {
        Some((word, notice)) => (word, Some(notice.to_owned())),
        None => (rest, None),
    };
    let basis = LawfulBasis::ALL.into_iter().find(|one| one.as_str() == word).ok_or_else(|| {
        let words = LawfulBasis::ALL.map(LawfulBasis::as_str).join(", ");
        format!("`{word}` is not a lawful basis; those are {words}")
    })?;
    Ok((purpose, Some(Basis { basis, notice })))
}

fn webhook_url(text: &str, config: &Config) -> Result<WebhookUrl, CliError> {
    WebhookUrl::parse(text, config.webhooks.reach()).map_err(|error| CliError::Wrong(error.to_string()))
}

fn signed_with(secret: &str) -> String {
    format!("\nsigning secret: {secret}   (shown once)")
}
