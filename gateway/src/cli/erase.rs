//! `erase`: removes what is known of somebody.

use clap::Args;
use serde_json::json;

use super::asked::{must_exist, patiently, word};
use super::{CliError, asked};
use crate::config::Config;
use crate::gate::answer::{Erased, Remnants};
use crate::gate::erasure::{Erasure, Outcome};
use trail::cli::out::say;
use trail::{Actor, counted};

#[derive(Args)]
pub(super) struct Erase {
    /// The account
    account: String,
    /// The person's phone number, such as `+15550100100`
    #[arg(long, required_unless_present = "participant", conflicts_with = "participant")]
    number: Option<String>,
    /// The platform's id of the person
    #[arg(long, value_name = "WHO")]
    participant: Option<String>,
    /// What to do with the recordings of the calls that they were on
    #[arg(long, value_parser = ["delete", "keep"])]
    recordings: String,
    /// The reason, which is kept
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(config: Config, asked: Erase, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    must_exist(&gate, &asked.account).await?;
    let erasure = Erasure {
        number: asked.number,
        participant: asked.participant,
        recordings: word(&asked.recordings)?,
        reason: asked.reason,
    };
    let actor = Actor::command_line();
    let erased = patiently("erasing", gate.erase_person(&actor, &asked.account, &erasure)).await;
    gate.ledger().close().await;
    match erased? {
        Outcome::Erased(erased) => say(json, &erased, || in_words(&erased)),
        Outcome::Waits(waiting) => say(json, &waiting, || {
            "a legal hold prevents it: they are erased once counsel has lifted it, and their recordings are handed out only \
             for the hold until then"
                .into()
        }),
    }
    Ok(())
}

fn in_words(erased: &Erased) -> String {
    let mut lines = vec![format!(
        "erased from {} and {}; recordings: {} deleted, {} kept",
        counted(erased.calls, "call"),
        counted(erased.consent_grants, "consent grant"),
        erased.recordings.deleted,
        erased.recordings.kept,
    )];
    match erased.remnants {
        Remnants::None => {}
        Remnants::Pending => lines.push(PENDING.into()),
    }
    lines.push("earlier backups still hold it".into());
    lines.join("\n")
}

pub(super) async fn compact(config: Config, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    let gone = patiently("rewriting the ledger's file", gate.ledger().compact()).await;
    let gone = gone.map_err(crate::gate::Fault::from)?;
    gate.ledger().close().await;
    say(json, &json!({"remnants": Remnants::after(gone)}), || match gone {
        true => "the ledger's file is rewritten: nothing that was erased is left in it".into(),
        false => PENDING.into(),
    });
    if gone { Ok(()) } else { Err(CliError::Exit(3)) }
}

const PENDING: &str = "unused parts of the ledger's file, or its write-ahead log, may still hold pieces of \
    what was erased: run `consent-gateway compact` at a quiet time; on PostgreSQL, the server's \
    administrator can run `VACUUM FULL`";
