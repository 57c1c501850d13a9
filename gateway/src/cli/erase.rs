//! `erase`: what is known of somebody goes.

use clap::Args;
use serde_json::Value;

use super::asked::{must_exist, word};
use super::out::say;
use super::{CliError, with_what_stands_against_it};
use crate::clock::Clock;
use crate::config::Config;
use crate::gate::erasure::Erasure;
use crate::serve;
use crate::trail::Actor;

#[derive(Args)]
pub(super) struct Erase {
    /// The account
    account: String,
    /// Whose data: their phone number, such as `+15550100100`
    #[arg(long, required_unless_present = "participant", conflicts_with = "participant")]
    number: Option<String>,
    /// Whose data: the platform's id of them
    #[arg(long, value_name = "WHO")]
    participant: Option<String>,
    /// What becomes of the recordings of the calls that they were on
    #[arg(long, value_parser = ["delete", "keep"])]
    recordings: String,
    /// Why; it is kept
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(config: Config, asked: Erase, json: bool) -> Result<(), CliError> {
    let gate = serve::gate(&config, Clock::system()).await?;
    must_exist(&gate, &asked.account).await?;
    let erasure = Erasure {
        number: asked.number,
        participant: asked.participant,
        recordings: word(&asked.recordings)?,
        reason: asked.reason,
    };
    let erased = gate.erase_person(&Actor::command_line(), &asked.account, &erasure).await;
    gate.ledger.close().await;
    let erased = erased.map_err(with_what_stands_against_it)?;
    say(json, &erased, || in_words(&erased));
    Ok(())
}

fn in_words(erased: &Value) -> String {
    let count = |path: &str| erased.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let mut lines = vec![format!(
        "erased from {} calls and {} consent grants; recordings: {} deleted, {} kept",
        count("/calls"),
        count("/consent_grants"),
        count("/recordings/deleted"),
        count("/recordings/kept"),
    )];
    if erased.get("write_ahead_log").and_then(Value::as_str) == Some("pending") {
        lines.push(
            "the write-ahead log could not be emptied, since somebody reads from the ledger: it holds what was erased until it is"
                .into(),
        );
    }
    lines.push("backups made before now hold it still".into());
    lines.join("\n")
}
