//! Administration. It works while a server runs on the same data.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

use super::asked::{must_exist, read_new_password, word};
use super::{CliError, asked, out};
use crate::access::{MAX_QUARANTINE_SECONDS, QUARANTINE_SECONDS, Role, Uploads};
use crate::config::Config;
use crate::gate::ask::{ConsentGrant, GivenBy};
use crate::gate::{Gate, Looked, NewCredential, TakenKey};
use crate::ledger::{CredentialRow, KeyRow};
use crate::serve;
use trail::cli::out::say;
use trail::clock::{Clock, millis, moment_or_day};
use trail::{Actor, SYSTEM_LOG};

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
    /// For an application that uses Twilio: shows what stands in its library for Twilio's sid and token. Needs
    /// `[twilio.ACCOUNT]` in the configuration
    #[arg(long, conflicts_with_all = ["password_stdin", "kazoo"])]
    twilio: bool,
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
            let sid = config.twilio.get(&asked.account).map(|twilio| twilio.account_sid.clone());
            if asked.twilio && sid.is_none() {
                return Err(CliError::Wrong(format!(
                    "`--twilio` needs the section `[twilio.{}]` of the configuration, with Twilio's `account_sid`",
                    asked.account
                )));
            }
            let chosen = if asked.password_stdin { Some(read_new_password().await?) } else { None };
            let chosen_text = chosen.as_ref().map(|password| password.as_str());
            let (actor, uploads) = (Actor::command_line(), asked.uploads()?);
            let (account, name) = (asked.account.as_str(), asked.name.as_str());
            let new = gate.add_credential_for(&actor, account, role, name, chosen_text, uploads).await?;
            match (asked.kazoo, sid.filter(|_| asked.twilio)) {
                (true, _) => {
                    let listens = format!("http://{}", config.listen);
                    show_kazoo(&new, asked.base_url.as_deref().unwrap_or(&listens), json)?;
                }
                (false, Some(sid)) => show_twilio(&new, &sid, json),
                (false, None) => show_credential(&new, chosen.is_some(), json),
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

/// What an application's library has for Twilio's sid and token.
fn show_twilio(new: &NewCredential, sid: &str, json: bool) {
    let (username, account) = (&new.username, &new.account);
    let token = Zeroizing::new(format!("{username}.{}", new.password.expose()));
    let shown = json!({
        "account_sid": sid, "auth_token": token.as_str(), "username": username, "account": account,
        "role": new.role.as_str(),
    });
    say(json, &shown, || {
        format!("username:    {username}\naccount sid: {sid}\nauth token:  {}   (shown once)", token.as_str())
    });
}

pub(super) async fn done(gate: Gate) -> Result<(), CliError> {
    gate.ledger().close().await;
    Ok(())
}
