//! `audit find`: questions of an auditor with a shell on the gateway's machine. They are logged.

use super::asked::must_be_there;
use super::{CliError, asked};
use crate::config::Config;
use crate::gate::answer::Opening;
use crate::gate::{Filters, Gate, Inquiry, Record, sheet_head};
use trail::Actor;
use trail::cli::ask::{Find, Form, write};
use trail::cli::out;
use trail::counted;

pub(super) async fn run(config: Config, asked: Find, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    must_be_there(&gate, &asked.log, "audit find").await?;
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
    let mut inquiry = gate.ask(&actor, &asked.log, filters, asked.after.as_deref()).await?;
    let mut left = asked.limit;
    match form {
        Some(Form::Json) => one_document(&gate, &mut inquiry, &mut left).await?,
        Some(Form::Csv) => {
            write(&sheet_head()?)?;
            while let Some(records) = more(&gate, &mut inquiry, &mut left).await? {
                write(&gate.sheet(&asked.log, &records).await?)?;
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

/// The next page; `None` after the last one, or at the limit.
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
        0 => "no entry matches".to_owned(),
        count => counted(count, "entry"),
    });
    if let Some(opening) = &inquiry.opening {
        let Opening { subject, subject_key, .. } = opening;
        out::line(format!("in the leaves, the number is {subject}; its key is {subject_key}"));
    }
    if let Some(next) = inquiry.next() {
        out::line(format!("there is more: --after {next}"));
    }
    Ok(())
}

const STEP: u32 = 1_000;
