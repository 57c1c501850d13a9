//! `audit find`: what an auditor with a shell on the gateway's machine asks. The question is logged.

use std::io::Write as _;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::asked::must_be_there;
use super::{CliError, asked, out};
use crate::config::Config;
use crate::gate::answer::Opening;
use crate::gate::{Filters, Gate, Inquiry, Record, sheet_head};
use trail::Actor;
use trail::clock::moment_or_day;

#[derive(Args)]
pub(super) struct Find {
    /// Whose log: an account, or `system`
    account: String,
    /// Only what has to do with this call: the platform's id of it, or an alias
    #[arg(long)]
    call: Option<String>,
    /// Only with calls on which the platform had somebody of this id
    #[arg(long, value_name = "ID")]
    participant: Option<String>,
    /// Only with calls on which somebody had this number, E.164
    #[arg(long)]
    number: Option<String>,
    /// Only with calls on which somebody was there, such as `US-CA`
    #[arg(long)]
    place: Option<String>,
    /// Only with calls of which this rule was asked: the code of a row, or the id of an overlay
    #[arg(long)]
    rule: Option<String>,
    /// Only with calls to which this was played: a prompt's id, `id@version`, or the id of a version
    #[arg(long)]
    prompt: Option<String>,
    /// Only entries that say so: consented, declined, withdrawn, prompted, interrupted, left, refused,
    /// accepted, fetched, deleted, …; several with commas
    #[arg(long)]
    outcome: Option<String>,
    /// Only entries of this type, such as `recording.accepted`; several with commas
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only what has to do with this recording, and with its call
    #[arg(long, value_name = "ID")]
    recording: Option<String>,
    /// Only fetches by this credential, refused ones included
    #[arg(long, value_name = "CREDENTIAL")]
    listener: Option<String>,
    /// Logged then or later (RFC 3339, or a day)
    #[arg(long, value_name = "DATE", value_parser = moment_or_day)]
    from: Option<Timestamp>,
    /// Logged before then (RFC 3339, or a day)
    #[arg(long, value_name = "DATE", value_parser = moment_or_day)]
    until: Option<Timestamp>,
    /// Where to go on: `next` of an earlier answer to the same question
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// How many at most [default: all]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// In which form [default: words; `json` with --json]
    #[arg(long, value_enum)]
    format: Option<Form>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One document
    Json,
    /// An entry a line
    Jsonl,
    /// A table for spreadsheets
    Csv,
}

pub(super) async fn run(config: Config, asked: Find, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    must_be_there(&gate, &asked.account, "audit find").await?;
    let form = asked.format.or(json.then_some(Form::Json));
    let filters = Filters {
        call: asked.call,
        participant: asked.participant,
        number: asked.number,
        place: asked.place,
        rule: asked.rule,
        prompt: asked.prompt,
        outcome: asked.outcome,
        kind: asked.kind,
        recording: asked.recording,
        listener: asked.listener,
        from: asked.from,
        until: asked.until,
    };
    let actor = Actor::command_line();
    let mut inquiry = gate.ask(&actor, &asked.account, filters, asked.after.as_deref()).await?;
    let mut left = asked.limit;
    match form {
        Some(Form::Json) => one_document(&gate, &mut inquiry, &mut left).await?,
        Some(Form::Csv) => {
            write(&sheet_head()?)?;
            while let Some(records) = more(&gate, &mut inquiry, &mut left).await? {
                write(&gate.sheet(&asked.account, &records).await?)?;
            }
        }
        Some(Form::Jsonl) => {
            while let Some(records) = more(&gate, &mut inquiry, &mut left).await? {
                for record in &records {
                    write(format!("{}\n", out::json_line(&record.entry()?)?).as_bytes())?;
                }
            }
        }
        None => in_words(&gate, &mut inquiry, &mut left).await?,
    }
    gate.ledger().close().await;
    Ok(())
}

/// The next page; none where nothing is left, or enough was had.
async fn more(
    gate: &Gate,
    inquiry: &mut Inquiry,
    left: &mut Option<u32>,
) -> Result<Option<Vec<Record>>, CliError> {
    let limit = left.map_or(STEP, |left| left.min(STEP));
    if limit == 0 || inquiry.is_over() {
        return Ok(None);
    }
    let records = gate.page(inquiry, limit).await?;
    *left = left.map(|left| left.saturating_sub(limit));
    Ok(Some(records))
}

async fn one_document(gate: &Gate, inquiry: &mut Inquiry, left: &mut Option<u32>) -> Result<(), CliError> {
    let mut entries = Vec::new();
    while let Some(records) = more(gate, inquiry, left).await? {
        for record in &records {
            entries.push(record.entry()?);
        }
    }
    out::json(&inquiry.document(entries));
    Ok(())
}

async fn in_words(gate: &Gate, inquiry: &mut Inquiry, left: &mut Option<u32>) -> Result<(), CliError> {
    let mut count = 0usize;
    while let Some(records) = more(gate, inquiry, left).await? {
        count = count.saturating_add(records.len());
        gate.lines_of(&inquiry.account, &records).await?.iter().for_each(|line| out::line(out::plain(line)));
    }
    out::line(match count {
        0 => "nothing is logged that has to do with it".to_owned(),
        1 => "1 entry".to_owned(),
        many => format!("{many} entries"),
    });
    if let Some(opening) = &inquiry.opening {
        let Opening { subject, subject_key, .. } = opening;
        out::line(format!("the number stands in the leaves as {subject}; its key is {subject_key}"));
    }
    if let Some(next) = inquiry.next() {
        out::line(format!("there is more: --after {next}"));
    }
    Ok(())
}

/// What does not fit through a closed pipe is not wanted.
fn write(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::Io { what: "standard output cannot be written".into(), source })
        }
        Err(_) => Err(CliError::Exit(0)),
        Ok(()) => Ok(()),
    }
}

const STEP: u32 = 1_000;
