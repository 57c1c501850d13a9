//! Administration. It works while a server runs on the same data.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use policy::{Period, Purpose, Retention};
use serde_json::json;
use zeroize::Zeroizing;

use super::asked::{must_exist, read_new_password, word};
use super::{CliError, asked, out};
use crate::access::{MAX_QUARANTINE_SECONDS, QUARANTINE_SECONDS, Role, Uploads};
use crate::config::Config;
use crate::gate::answer::{self, LacksAt, PromptLacks};
use crate::gate::ask::{self, ConsentGrant, Delivery, GivenBy, Prompt};
use crate::gate::{
    AccountSettings, Authority, Gate, Looked, NewCredential, SetWebhook, TakenKey, Webhook, check_overlays,
    prompts,
};
use crate::ledger::{CredentialRow, KeyRow};
use crate::serve;
use crate::webhook::WebhookUrl;
use trail::cli::out::say;
use trail::clock::{Clock, millis, moment_or_day};
use trail::{Actor, SYSTEM_LOG};

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

#[derive(Subcommand)]
pub(super) enum Credential {
    /// Add a credential; its password is shown once
    #[command(
        after_help = "Examples:\n  consent-gateway credential add acme --role recorder --name 'our platform'\n  consent-gateway credential add system --role counsel --name 'Dana Counsel' --password-stdin"
    )]
    Add(CredentialAdd),
    /// List the credentials of an account, including revoked ones
    #[command(after_help = "Example:\n  consent-gateway credential list acme")]
    List {
        /// The account, or `system`
        account: String,
    },
    /// Change how the uploads of a credential are answered
    #[command(
        after_help = "Examples:\n  consent-gateway credential set cg_0123456789abcdef --on-refusal deny\n  consent-gateway credential set cg_0123456789abcdef --quarantine-seconds 86400"
    )]
    #[command(group(clap::ArgGroup::new("change").required(true).multiple(true).args(["on_refusal", "quarantine_seconds"])))]
    Set {
        /// Its name
        username: String,
        /// What it is told of an upload that the law refuses: so, or that all is well
        #[arg(long, value_parser = ["deny", "discard"])]
        on_refusal: Option<String>,
        /// For how long an upload that nobody can decide on yet waits in quarantine, at most 259200; 0 for not at all
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_QUARANTINE_SECONDS)))]
        quarantine_seconds: Option<u32>,
    },
    /// Give a credential another password, which is shown once; the one before ends at once
    #[command(after_help = "Example:\n  consent-gateway credential rotate cg_0123456789abcdef")]
    Rotate {
        /// Its username, as `credential list` shows it
        username: String,
    },
    /// Revoke a credential, at once
    #[command(after_help = "Example:\n  consent-gateway credential revoke cg_0123456789abcdef")]
    Revoke {
        /// Its username, as `credential list` shows it
        username: String,
    },
}

#[derive(Args)]
pub(super) struct CredentialAdd {
    /// The account
    account: String,
    /// recorder, observer, uploader, listener, auditor, counsel, registrar or admin; of `system`: auditor, counsel,
    /// admin or provisioner
    #[arg(long)]
    role: String,
    /// The person or system that it belongs to
    #[arg(long, default_value = "unnamed", value_name = "WHO")]
    name: String,
    /// Read a password of your choice, at least 12 characters, from standard input; a terminal asks for it
    #[arg(long)]
    password_stdin: bool,
    /// For Kazoo's call recordings: shows the URL to set there. Uploads are `lawful` and discarded if they are refused,
    /// unless it is said otherwise
    #[arg(long, conflicts_with = "password_stdin")]
    kazoo: bool,
    /// Where the platform reaches the gateway, such as `https://gw.example.com` [default: where it listens]
    #[arg(long, value_name = "URL", requires = "kazoo")]
    base_url: Option<String>,
    /// What its uploads need: that recording was granted, or only that it was lawful, where recorders start by themselves
    #[arg(long, value_parser = ["granted", "lawful"])]
    coverage: Option<String>,
    /// What it is told of an upload that the law refuses: so, or that all is well, so that it neither keeps nor resends it
    #[arg(long, value_parser = ["deny", "discard"])]
    on_refusal: Option<String>,
    /// For how long an upload that nobody can decide on yet waits in quarantine, at most 259200; 0 for not at all. The
    /// gateway's own API never puts one there
    #[arg(long, value_name = "N", default_value_t = QUARANTINE_SECONDS, value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_QUARANTINE_SECONDS)))]
    quarantine_seconds: u32,
}

impl CredentialAdd {
    fn uploads(&self) -> Result<Uploads, CliError> {
        let (coverage, on_refusal) = match self.kazoo {
            true => ("lawful", "discard"),
            false => ("granted", "deny"),
        };
        let coverage = self.coverage.as_deref().unwrap_or(coverage);
        let on_refusal = self.on_refusal.as_deref().unwrap_or(on_refusal);
        Ok(Uploads {
            coverage: word(coverage)?,
            on_refusal: word(on_refusal)?,
            quarantine_seconds: self.quarantine_seconds,
        })
    }
}

#[derive(Subcommand)]
pub(super) enum Key {
    /// Add a customer's public key
    #[command(
        after_help = "Examples:\n  consent-gateway key add acme customer/public.pem\n  consent-gateway key add acme new/public.pem --replace"
    )]
    Add {
        /// The account
        account: String,
        /// A PEM file, RSA 2048 to 4096 bits
        public: PathBuf,
        /// Retire the keys that the account has, in the same step
        #[arg(long)]
        replace: bool,
    },
    /// List the keys of an account, or of all accounts
    #[command(after_help = "Example:\n  consent-gateway key list acme")]
    List {
        /// The account
        account: Option<String>,
    },
    /// Retire a key: from now on, nothing is sealed for it
    #[command(after_help = "Example:\n  consent-gateway key retire acme 5f2c9a1b")]
    Retire {
        /// The account
        account: String,
        /// The key's id
        key: String,
    },
}

#[derive(Subcommand)]
pub(super) enum PromptCommand {
    /// Register a prompt
    #[command(
        after_help = "Example:\n  consent-gateway prompt add acme greeting --language en --duration-ms 4000 --purpose quality --text 'This call is recorded.' --says recording='is recorded'"
    )]
    Add(PromptAdd),
    /// List the prompts of an account, in their newest versions
    #[command(after_help = "Example:\n  consent-gateway prompt list acme")]
    List {
        /// The account
        account: String,
    },
    /// Say what a text lacks, and for which places; exit code 3 if it lacks anything
    #[command(
        after_help = "Examples:\n  consent-gateway prompt check --text 'This call is recorded.' --says recording='is recorded'\n  consent-gateway prompt check --account acme"
    )]
    Check(PromptCheck),
}

#[derive(Args)]
pub(super) struct PromptCheck {
    /// The words of the prompt
    #[arg(long, required_unless_present = "account", conflicts_with = "account")]
    text: Option<String>,
    /// Check all registered prompts of this account instead
    #[arg(long)]
    account: Option<String>,
    /// The language, BCP 47
    #[arg(long, default_value = "en")]
    language: String,
    /// A purpose of the recording that the prompt names; may be repeated
    #[arg(long = "purpose")]
    purposes: Vec<String>,
    /// Words of the text that say what the law may require, such as `vendor="our service providers"`; may be
    /// repeated
    #[arg(long = "says", value_name = "ELEMENT=WORDS")]
    says: Vec<String>,
    /// An overlay to check for as well; may be repeated [default: those that the account chose]
    #[arg(long = "overlay", value_name = "ID")]
    overlays: Vec<String>,
    /// A table of jurisdictions [default: the one in force, or the compiled-in one]
    #[arg(long, value_name = "FILE")]
    jurisdictions: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct PromptAdd {
    /// The account
    account: String,
    /// The prompt's id
    id: String,
    /// The language, BCP 47
    #[arg(long)]
    language: String,
    /// How long it lasts, in milliseconds
    #[arg(long)]
    duration_ms: u64,
    /// A purpose of the recording that the prompt names; may be repeated
    #[arg(long = "purpose")]
    purposes: Vec<String>,
    /// The words of the prompt
    #[arg(long)]
    text: String,
    /// How it is delivered
    #[arg(long, default_value = "audio", value_parser = ["audio", "tts", "agent", "text"])]
    delivery: String,
    /// SHA-256 of the audio
    #[arg(long)]
    sha256: Option<String>,
    /// Words of the text that say what the law may require, such as `vendor="our service providers"`; may be
    /// repeated
    #[arg(long = "says", value_name = "ELEMENT=WORDS")]
    says: Vec<String>,
}

#[derive(Subcommand)]
pub(super) enum GrantCommand {
    /// Register consent given outside a call
    #[command(
        after_help = "Example:\n  consent-gateway consent-grant add acme contract-7 --subject agent-7 --role agent --basis 'works agreement' --until 2031-01-31"
    )]
    Add(GrantAdd),
    /// Withdraw consent given outside a call
    #[command(after_help = "Example:\n  consent-gateway consent-grant withdraw acme contract-7")]
    Withdraw {
        /// The account
        account: String,
        /// The grant's id
        id: String,
    },
}

#[derive(Args)]
pub(super) struct GrantAdd {
    /// The account
    account: String,
    /// The grant's id
    id: String,
    /// Who gave it: a participant's id, or their number
    #[arg(long, value_name = "WHO")]
    subject: String,
    /// customer or agent
    #[arg(long)]
    role: String,
    /// Its basis: a contract, a web form, a signed paper, a works agreement
    #[arg(long)]
    basis: String,
    /// A purpose that it covers; may be repeated [default: all]
    #[arg(long = "purpose")]
    purposes: Vec<String>,
    /// It was given in writing
    #[arg(long)]
    written: bool,
    /// A guardian gave it for the subject: the only consent that counts for a minor
    #[arg(long)]
    by_guardian: bool,
    /// The version of the text that they agreed to
    #[arg(long)]
    text_version: Option<String>,
    /// The start of its validity (RFC 3339, or a day) [default: now]
    #[arg(long, value_name = "DATE", value_parser = moment_or_day)]
    from: Option<Timestamp>,
    /// The end of its validity, exclusive (RFC 3339, or a day)
    #[arg(long, value_name = "DATE", value_parser = moment_or_day)]
    until: Option<Timestamp>,
    /// SHA-256 of the evidence
    #[arg(long)]
    evidence_sha256: Option<String>,
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
            keep_for: (!self.keep_for.is_empty()).then(|| self.keep_for.iter().copied().collect()),
            overdue_seconds: self.overdue_seconds,
            format: self.format.as_deref().map(word).transpose()?,
            ..ask::AccountChange::default()
        })
    }
}

fn limits(text: &str) -> Result<(Purpose, Retention), String> {
    let (purpose, limits) =
        text.split_once('=').ok_or("write `PURPOSE=LEAST..MOST`, such as `quality=..90 days`")?;
    let known = policy::told::word(purpose).ok_or_else(|| {
        let known = Purpose::ALL.map(Purpose::as_str).join(", ");
        format!("`{purpose}` is not a purpose that the law distinguishes; those are {known}")
    })?;
    Ok((known, limits.parse()?))
}

fn webhook_url(text: &str, config: &Config) -> Result<WebhookUrl, CliError> {
    WebhookUrl::parse(text, config.webhooks.reach()).map_err(|error| CliError::Wrong(error.to_string()))
}

fn signed_with(secret: &str) -> String {
    format!("\nsigning secret: {secret}   (shown once)")
}

pub(super) async fn credential(config: Config, command: Credential, json: bool) -> Result<(), CliError> {
    let gate = match &command {
        // The account `system` always exists.
        Credential::Add(asked) if asked.account == SYSTEM_LOG => {
            serve::gate(&config, Clock::system()).await?
        }
        Credential::Add(_)
        | Credential::List { .. }
        | Credential::Set { .. }
        | Credential::Rotate { .. }
        | Credential::Revoke { .. } => asked::gate(&config).await?,
    };
    match command {
        Credential::Add(asked) => {
            let role = Role::parse(&asked.role).ok_or_else(|| {
                let known = Role::ALL.map(Role::as_str).join(", ");
                CliError::Wrong(format!("`{}` is not a role; the roles are {known}", asked.role))
            })?;
            if asked.kazoo && role != Role::Uploader {
                return Err(CliError::Wrong(format!(
                    "`--kazoo` is for the role `uploader`: Kazoo keeps the URL in its documents, and a `{}` may do more",
                    role.as_str()
                )));
            }
            let chosen = if asked.password_stdin { Some(read_new_password().await?) } else { None };
            let chosen_text = chosen.as_ref().map(|password| password.as_str());
            let (actor, uploads) = (Actor::command_line(), asked.uploads()?);
            let (account, name) = (asked.account.as_str(), asked.name.as_str());
            let new = gate.add_credential_for(&actor, account, role, name, chosen_text, uploads).await?;
            match asked.kazoo {
                true => {
                    let listens = format!("http://{}", config.listen);
                    show_kazoo(&new, asked.base_url.as_deref().unwrap_or(&listens), json)?;
                }
                false => show_credential(&new, chosen.is_some(), json),
            }
        }
        Credential::List { account } => list_credentials(&gate, &account, json).await?,
        Credential::Set { username, on_refusal, quarantine_seconds } => {
            let actor = Actor::command_line();
            let on_refusal = on_refusal.as_deref().map(word).transpose()?;
            let uploads = gate.set_credential(&actor, &username, on_refusal, quarantine_seconds).await?;
            let (on_refusal, seconds) = (uploads.on_refusal.as_str(), uploads.quarantine_seconds);
            say(
                json,
                &json!({"username": username, "on_refusal": on_refusal, "quarantine_seconds": seconds}),
                || {
                    format!(
                        "credential `{username}`: on refusal, {on_refusal}; in quarantine for {seconds} s"
                    )
                },
            );
        }
        Credential::Rotate { username } => {
            let new = gate.rotate_credential(&Actor::command_line(), &username).await?;
            show_credential(&new, false, json);
        }
        Credential::Revoke { username } => {
            gate.revoke_credential(&Actor::command_line(), &username).await?;
            say(json, &json!({"revoked": username}), || format!("credential `{username}` revoked"));
        }
    }
    done(gate).await
}

pub(super) async fn key(config: Config, command: Key, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    match command {
        Key::Add { account, public, replace } => {
            let file = Zeroizing::new(std::fs::read(&public).map_err(|source| CliError::Io {
                what: format!("`{}` cannot be read", public.display()),
                source,
            })?);
            let taken = gate.take_file(&Actor::command_line(), &account, file.as_slice(), replace).await?;
            let TakenKey { id, bits, retired, new, without_proof } = taken;
            let shown = json!({
                "account": account, "id": id, "bits": bits, "retired": retired, "without_proof": without_proof,
            });
            say(json, &shown, || {
                let done = if new { "added to" } else { "is in use already for" };
                let added = format!("key {id} ({bits} bits) {done} `{account}`");
                let retired = retired.iter().map(|id| format!("key {id} retired"));
                let noted = without_proof.then(|| {
                    "note: the account has or had another key; the log says that this one was added without the proof \
                     of its holder"
                        .to_owned()
                });
                std::iter::once(added).chain(retired).chain(noted).collect::<Vec<_>>().join("\n")
            });
        }
        Key::List { account } => list_keys(&gate, account, json).await?,
        Key::Retire { account, key } => {
            gate.retire_key(&Actor::command_line(), &account, &key).await?;
            say(json, &json!({"account": account, "retired": key}), || format!("key {key} retired"));
        }
    }
    done(gate).await
}

pub(super) async fn prompt(config: Config, command: PromptCommand, json: bool) -> Result<(), CliError> {
    let asked = match command {
        PromptCommand::Add(asked) => asked,
        PromptCommand::Check(asked) => return check_prompt(config, asked, json).await,
        PromptCommand::List { account } => return list_prompts(&config, &account, json).await,
    };
    let gate = asked::gate(&config).await?;
    let prompt = Prompt {
        text: asked.text,
        language: asked.language,
        duration_ms: asked.duration_ms,
        purposes: asked.purposes,
        delivery: word::<Delivery>(&asked.delivery)?,
        sha256: asked.sha256,
        says: quotations(&asked.says)?,
    };
    must_exist(&gate, &asked.account).await?;
    let (new, shown) = gate.put_prompt(&Actor::command_line(), &asked.account, &asked.id, &prompt).await?;
    say(json, &shown, || {
        let done = if new { "registered" } else { "exists already" };
        let mut lines = vec![format!("prompt `{}` version {} {done}", asked.id, shown.version)];
        lines.extend(shown.notes.iter().flatten().map(|note| format!("note: {note}")));
        lines.join("\n")
    });
    done(gate).await
}

async fn check_prompt(mut config: Config, asked: PromptCheck, json: bool) -> Result<(), CliError> {
    let Some(text) = asked.text else {
        return check_prompts(&config, &asked.account.unwrap_or_default(), asked.overlays, json).await;
    };
    let prompt = Prompt {
        text,
        language: asked.language,
        duration_ms: policy::fact::MIN_PROMPT_MS,
        purposes: asked.purposes,
        delivery: Delivery::Audio,
        sha256: None,
        says: quotations(&asked.says)?,
    };
    crate::gate::check_prompt(&prompt)?;
    let name = asked.jurisdictions.as_ref().map_or("in-force".to_owned(), |path| path.display().to_string());
    config.jurisdictions = asked.jurisdictions.or(config.jurisdictions);
    let (table, _) = super::table::table(&config, &name).await?;
    check_overlays(&table, &asked.overlays).map_err(crate::gate::Fault::from)?;
    let mut found = prompts::lacks(&table, &prompt, Clock::system().now());
    found.lacks.retain(|lack| is_under(lack, &asked.overlays));
    say(json, &found, || lacks_in_words(&found));
    if found.lacks.is_empty() { Ok(()) } else { Err(CliError::Exit(3)) }
}

async fn check_prompts(
    config: &Config,
    account: &str,
    mut overlays: Vec<String>,
    json: bool,
) -> Result<(), CliError> {
    let gate = asked::gate(config).await?;
    must_exist(&gate, account).await?;
    check_overlays(&gate.laws().in_force(), &overlays).map_err(crate::gate::Fault::from)?;
    overlays.extend(gate.chosen_law(account).await?.overlays);
    let mut found = gate.prompts_lack(account).await?;
    gate.ledger().close().await;
    for prompt in &mut found {
        prompt.found.lacks.retain(|lack| is_under(lack, &overlays));
    }
    say(json, &found, || {
        let told = |prompt: &answer::PromptCheck| {
            let answer::PromptCheck { id, version, language, found } = prompt;
            format!("`{id}` version {version} in `{language}`:\n{}", lacks_in_words(found))
        };
        found.iter().map(told).collect::<Vec<_>>().join("\n")
    });
    if found.iter().all(|prompt| prompt.found.lacks.is_empty()) { Ok(()) } else { Err(CliError::Exit(3)) }
}

/// Whether calls under these overlays need what is lacking.
fn is_under(lack: &LacksAt, overlays: &[String]) -> bool {
    lack.overlay.as_ref().is_none_or(|overlay| overlays.contains(overlay))
}

fn lacks_in_words(found: &PromptLacks) -> String {
    let line = |lack: &LacksAt| {
        let named = lack.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let place = lack.place.as_ref().map(|place| format!("{place}{named}"));
        let overlay = || format!("overlay `{}`", lack.overlay.as_deref().unwrap_or("-"));
        format!("{}: it does not say {}", place.unwrap_or_else(overlay), lack.says)
    };
    let known = policy::Purpose::ALL.map(policy::Purpose::as_str).join(", ");
    let unknown = found
        .unknown_purposes
        .iter()
        .map(|purpose| format!("`{purpose}` is not a purpose in any table; those are {known}"));
    let mut lines: Vec<String> = found.lacks.iter().map(line).chain(unknown).collect();
    if found.lacks.is_empty() {
        lines.insert(0, "it says everything that is required in every place of the table".into());
    }
    lines.join("\n")
}

pub(super) async fn explain(
    config: Config,
    account: String,
    call: String,
    at: Option<Timestamp>,
) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    let explained = match gate.explain(&account, &call, at).await {
        Ok(explained) => {
            let at = Looked::Call { call: &call };
            gate.look_as(&Actor::command_line(), &account, &at).await.map(|()| explained)
        }
        Err(fault) => Err(fault),
    };
    gate.ledger().close().await;
    out::json(&explained?);
    Ok(())
}

pub(super) async fn grant(config: Config, command: GrantCommand, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    match command {
        GrantCommand::Add(asked) => {
            let grant = ConsentGrant {
                subject: asked.subject,
                role: word(&asked.role)?,
                basis: asked.basis,
                text_version: asked.text_version,
                purposes: asked.purposes,
                written: asked.written,
                from: asked.from,
                until: asked.until,
                given_by: if asked.by_guardian { GivenBy::Guardian } else { GivenBy::Subject },
                evidence_sha256: asked.evidence_sha256,
            };
            must_exist(&gate, &asked.account).await?;
            let (_, shown) =
                gate.put_grant(&Actor::command_line(), &asked.account, &asked.id, &grant).await?;
            say(json, &shown, || format!("consent grant `{}` registered", asked.id));
        }
        GrantCommand::Withdraw { account, id } => {
            let shown = gate.withdraw_grant(&Actor::command_line(), &account, &id).await?;
            say(json, &shown, || format!("consent grant `{id}` withdrawn"));
        }
    }
    done(gate).await
}

async fn list_keys(gate: &Gate, account: Option<String>, json: bool) -> Result<(), CliError> {
    let accounts = match account {
        Some(account) => vec![account],
        None => gate
            .ledger()
            .accounts()
            .await
            .map_err(crate::gate::Fault::from)?
            .into_iter()
            .map(|row| row.id)
            .collect(),
    };
    let mut keys = Vec::new();
    for account in accounts {
        keys.extend(gate.ledger().keys(&account).await.map_err(crate::gate::Fault::from)?);
    }
    let shown = keys.iter().map(|row| {
        json!({
            "account": row.account, "id": row.id,
            "added_at": millis(row.added_at), "retired_at": row.retired_at.map(millis),
        })
    });
    say(json, &shown.collect::<Vec<_>>(), || {
        let line = |row: &KeyRow| format!("{}  {}  retired: {}", row.account, row.id, when(row.retired_at));
        match keys.as_slice() {
            [] => "there are no keys".into(),
            keys => keys.iter().map(line).collect::<Vec<_>>().join("\n"),
        }
    });
    Ok(())
}

async fn list_credentials(gate: &Gate, account: &str, json: bool) -> Result<(), CliError> {
    must_exist(gate, account).await?;
    let rows = gate.ledger().credentials(account).await.map_err(crate::gate::Fault::from)?;
    let shown = rows.iter().map(|row| {
        json!({
            "username": row.username, "account": row.account, "role": row.role, "name": row.name,
            "coverage": row.coverage, "on_refusal": row.on_refusal, "quarantine_seconds": row.quarantine_seconds,
            "added_at": millis(row.created_at), "revoked_at": row.revoked_at.map(millis),
        })
    });
    say(json, &shown.collect::<Vec<_>>(), || {
        let line = |row: &CredentialRow| {
            let (name, revoked) = (out::plain(&row.name), when(row.revoked_at));
            format!("{}  {:<9}  {name}  revoked: {revoked}", row.username, row.role)
        };
        match rows.as_slice() {
            [] => format!("`{account}` has no credentials"),
            rows => rows.iter().map(line).collect::<Vec<_>>().join("\n"),
        }
    });
    Ok(())
}

fn when(at: Option<i64>) -> String {
    at.map_or_else(|| "-".into(), |at| millis(at).to_string())
}

async fn list_prompts(config: &Config, account: &str, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(config).await?;
    must_exist(&gate, account).await?;
    let prompts = gate.prompts(account).await?;
    say(json, &prompts, || {
        let line = |shown: &answer::Prompt| {
            let (id, text) = (out::plain(&shown.id), out::plain(&shown.prompt.text));
            let (language, duration_ms) = (&shown.prompt.language, shown.prompt.duration_ms);
            format!("{id}  version {}  {language}  {duration_ms} ms  {text}", shown.version)
        };
        match prompts.as_slice() {
            [] => format!("`{account}` has no prompts"),
            prompts => prompts.iter().map(line).collect::<Vec<_>>().join("\n"),
        }
    });
    done(gate).await
}

fn show_credential(new: &NewCredential, chosen: bool, json: bool) {
    let password = if chosen { None } else { Some(new.password.expose()) };
    if json {
        out::json(&json!({
            "username": new.username, "password": password, "account": new.account, "role": new.role.as_str(),
        }));
        return;
    }
    out::line(format!("username: {}", new.username));
    match password {
        Some(password) => out::line(format!("password: {password}   (shown once)")),
        None => out::line("password: the one you chose"),
    }
}

/// What an operator of Kazoo sets: its HTTP client sends the name and the password of a URL as basic authentication.
fn show_kazoo(new: &NewCredential, base: &str, json: bool) -> Result<(), CliError> {
    let Some((scheme, host)) = base.trim_end_matches('/').split_once("://") else {
        return Err(CliError::Wrong(format!(
            "`{base}` is no URL: the credential `{}` was added; revoke it, or put its name and a new password \
             (`credential rotate`) into `https://NAME:PASSWORD@HOST/kazoo/{}`",
            new.username, new.account
        )));
    };
    let (username, password, account) = (&new.username, new.password.expose(), &new.account);
    let secret = password;
    let url = Zeroizing::new(format!("{scheme}://{username}:{secret}@{host}/kazoo/{account}"));
    let with_token = Zeroizing::new(format!("{scheme}://{host}/kazoo/{account}?token={username}.{secret}"));
    let shown = json!({
        "url": url.as_str(), "url_with_token": with_token.as_str(), "username": username, "password": secret,
        "account": account, "role": new.role.as_str(),
    });
    say(json, &shown, || {
        format!(
            "username: {username}\nurl:            {}   (shown once)\nurl with token: {}",
            url.as_str(),
            with_token.as_str()
        )
    });
    Ok(())
}

/// Reads quotations such as `recording=this call is recorded`.
fn quotations(texts: &[String]) -> Result<std::collections::BTreeMap<String, String>, CliError> {
    let pair = |text: &String| match text.split_once('=') {
        Some((element, words)) => Ok((element.trim().to_owned(), words.to_owned())),
        None => {
            Err(CliError::Wrong(format!("`--says {text}` quotes nothing; write `--says recording=\"…\"`")))
        }
    };
    texts.iter().map(pair).collect()
}

async fn done(gate: Gate) -> Result<(), CliError> {
    gate.ledger().close().await;
    Ok(())
}
