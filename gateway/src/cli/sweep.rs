//! `sweep`: deletes recordings whose time is over, and what was in quarantine for too long.

use clap::Args;
use serde_json::json;

use super::asked::patiently;
use super::{CliError, asked};
use crate::config::Config;
use trail::cli::out::say;
use trail::{Actor, counted};

#[derive(Args)]
pub(super) struct Sweep {
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(config: Config, asked: Sweep, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    let swept = async {
        let found = patiently("deleting", gate.delete_overdue(&Actor::command_line(), asked.dry_run)).await?;
        let destroyed = match asked.dry_run {
            true => 0,
            false => gate.end_quarantines(&Actor::command_line()).await?,
        };
        Ok::<_, crate::gate::Fault>((found, gate.contradictions().await?, destroyed))
    };
    let swept = swept.await;
    gate.ledger().close().await;
    let (found, contradictions, destroyed) = swept?;
    let document =
        json!({"overdue": found, "contradictions": contradictions, "quarantine_destroyed": destroyed});
    say(json, &document, || {
        let mut lines = vec![match asked.dry_run {
            true => format!("{} would be deleted", counted(found.due, "recording")),
            false => format!("{} deleted", counted(found.deleted, "recording")),
        }];
        if found.held > 0 {
            lines.push(format!("{} overdue, kept under a legal hold", counted(found.held, "recording")));
        }
        if found.failed > 0 {
            lines.push(format!("{} could not be deleted; try again", counted(found.failed, "recording")));
        }
        if destroyed > 0 {
            lines.push(format!("{} in quarantine destroyed", counted(destroyed, "upload")));
        }
        for one in &contradictions {
            lines.push(format!(
                "recording {} of `{}` has to be kept for {} and may be kept for {}: counsel has to decide; without a \
                 decision it is kept until {}",
                one.recording, one.account, one.minimum, one.maximum, one.kept_until
            ));
        }
        lines.join("\n")
    });
    match found.failed {
        0 => Ok(()),
        _ => Err(CliError::Exit(1)),
    }
}
