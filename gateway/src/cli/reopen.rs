//! `audit reopen` and `audit drop`: how epochs of logs end.

use clap::Args;
use serde_json::{Value, json};

use super::CliError;
use super::asked::{missing, must_exist, patiently};
use super::audit::own_name;
use crate::config::Config;
use crate::gate::Mark;
use crate::ledger::{Epoch, Ledger};
use crate::notary::{Finding, Notary, Reopened};
use crate::secrets::Secrets;
use crate::serve::ServeError;
use trail::Actor;
use trail::cli::bar::Bar;
use trail::cli::out::{self, say};
use trail::clock::Clock;
use trail::counted;

#[derive(Args)]
pub(super) struct Reopen {
    /// Only this log: an account, or `system`; may be repeated
    #[arg(long = "log", value_name = "LOG", conflicts_with = "all")]
    logs: Vec<String>,
    /// Every log, if anything is wrong with one
    #[arg(long)]
    all: bool,
    /// The reason, which is kept
    #[arg(long)]
    reason: String,
    /// Even if nothing is wrong
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub(super) struct Drop {
    /// The log: an account, or `system`
    log: String,
    /// The number of the epoch, from 1; it has to have ended
    #[arg(long, value_name = "N")]
    epoch: i64,
    /// The reason, which is kept
    #[arg(long)]
    reason: String,
}

pub(super) async fn reopen(config: Config, asked: Reopen, as_json: bool) -> Result<(), CliError> {
    if asked.reason.trim().is_empty() || asked.reason.len() > 4096 {
        return Err(CliError::Wrong("say why with `--reason`, in at most 4 KiB".into()));
    }
    if config.ledger.is_none() && !config.data.exists() {
        return Err(CliError::Wrong(format!("there is no data in `{}`", config.data.display())));
    }
    let running = Mark::is_any_in(&config.data).map_err(|source| CliError::Io {
        what: format!("`{}` cannot be read", config.data.join("serving").display()),
        source,
    })?;
    if running {
        return Err(CliError::Wrong(
            "a gateway is running on this data; stop it first, and every other one that shares its \
             ledger"
                .into(),
        ));
    }
    if let Some(missing) = missing(&config).await? {
        return Err(missing.into());
    }
    // `serve::gate` would refuse to open what this command repairs.
    let ledger = Ledger::open(&config.data, config.ledger.as_ref().map(crate::config::LedgerUrl::expose))
        .await
        .map_err(ServeError::from)?;
    let reopened = patiently("going through the logs", reopen_logs(&config, &ledger, &asked, as_json)).await;
    ledger.close().await;
    let reopened = reopened?;
    let told: Vec<Value> = reopened.iter().map(described).collect();
    say(as_json, &json!({"reopened": told}), || {
        let lines: Vec<String> = reopened.iter().map(in_words).collect();
        lines.join("\n")
    });
    Ok(())
}

async fn reopen_logs(
    config: &Config,
    ledger: &Ledger,
    asked: &Reopen,
    as_json: bool,
) -> Result<Vec<Reopened>, CliError> {
    let secrets = Secrets::cured(&config.secrets_dir(), ledger).await.map_err(ServeError::from)?;
    let (name, pins) = (config.log_name.as_deref(), config.pins_dir());
    let (notary, findings) =
        Notary::survey(ledger.clone(), Clock::system(), name, secrets.log.clone(), &pins)
            .await
            .map_err(ServeError::from)?;
    for finding in &findings {
        let Some(wrong) = finding.wrong.as_ref().filter(|_| !as_json) else { continue };
        out::line(format!("{}: {wrong}", finding.log));
    }
    let mut reopened = Vec::new();
    for finding in concerned(&findings, asked)? {
        reopened.push(notary.reopen(finding, &asked.reason).await.map_err(ServeError::from)?);
    }
    Ok(reopened)
}

/// The logs that need a new epoch.
fn concerned<'f>(findings: &'f [Finding], asked: &Reopen) -> Result<Vec<&'f Finding>, CliError> {
    let named: Vec<&Finding> = match asked.logs.is_empty() {
        true => findings.iter().collect(),
        false => asked
            .logs
            .iter()
            .map(|log| {
                let found = findings.iter().find(|finding| finding.log == *log);
                found.ok_or_else(|| CliError::Wrong(format!("there is no log `{log}`")))
            })
            .collect::<Result<_, _>>()?,
    };
    let fine = named.iter().find(|finding| finding.wrong.is_none());
    let any = named.iter().any(|finding| finding.wrong.is_some());
    match fine {
        Some(fine) if !asked.logs.is_empty() && !asked.force => Err(CliError::Wrong(format!(
            "nothing is wrong with the log `{}`; `--force` starts a new epoch all the same",
            fine.log
        ))),
        _ if !any && !asked.force => Err(CliError::Wrong(
            "nothing is wrong with any log; `--force` starts new epochs all the same".into(),
        )),
        _ if asked.all || asked.force || !asked.logs.is_empty() => Ok(named),
        _ => Ok(named.into_iter().filter(|finding| finding.wrong.is_some()).collect()),
    }
}

fn described(reopened: &Reopened) -> Value {
    json!({
        "log": reopened.log, "epoch": reopened.epoch, "origin": reopened.origin, "previous": reopened.previous,
        "old_checkpoint": reopened.kept, "calls_in_doubt": reopened.in_doubt, "already": reopened.already,
    })
}

fn in_words(reopened: &Reopened) -> String {
    let previous = &reopened.previous;
    if reopened.already {
        return format!(
            "{}: continues as {} (epoch {}) already, but nobody has signed that yet; nothing was done: start \
             `serve`, which signs it within a second",
            reopened.log, reopened.origin, reopened.epoch
        );
    }
    let mut text = format!(
        "{}: continues as {} (epoch {}), from a head of {} of {}",
        reopened.log,
        reopened.origin,
        reopened.epoch,
        counted(previous.size, "entry"),
        previous.origin
    );
    if let Some(kept) = &reopened.kept {
        text.push_str(&format!("; the pinned head is kept in {}", kept.display()));
    }
    if reopened.in_doubt {
        text.push_str("; open calls are in doubt until their participants are added again");
    }
    text
}

pub(super) async fn drop_epoch(config: Config, asked: Drop, as_json: bool) -> Result<(), CliError> {
    let gate = super::asked::gate(&config).await?;
    must_exist(&gate, &asked.log).await?;
    let name = own_name(&config, &gate);
    let at = Epoch { log: asked.log, epoch: asked.epoch };
    let bar = Bar::of("entries");
    let progress = |done, all| bar.show(done, all);
    let dropped = gate.drop_epoch(&Actor::command_line(), &at, &name, &asked.reason, &progress).await;
    bar.end();
    gate.ledger().close().await;
    let dropped = dropped?;
    say(as_json, &dropped, || {
        format!(
            "epoch {} of `{}` is dropped: {}; its last head, of {}, is kept",
            dropped.epoch,
            dropped.log,
            counted(dropped.dropped, "entry"),
            counted(dropped.size, "entry")
        )
    });
    Ok(())
}
