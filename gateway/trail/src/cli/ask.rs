//! `find`, `explain` and `prove`: questions to an export.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use policy::Code;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bar::Bar;
use super::out::{self, say};
use super::verify::{open_export, read_trust, unusable};
use super::{CliError, create, must_be_new};
use crate::audit::exported::{About, Exported, Query};
use crate::audit::source::Source;
use crate::audit::verify::{Options, verify};
use crate::audit::{explain as told, pack};
use crate::clock::{Clock, moment_or_day};
use crate::sheet::{self, Line};
use crate::{KINDS, OUTCOMES, UnknownWord, counted, subject, types_of};

/// What is asked for.
#[derive(Debug, Args)]
pub struct Find {
    /// An export, or an account of the ledger, or `system`
    pub log: String,
    /// Only what has to do with this call: the platform's id of it, or an alias
    #[arg(long)]
    pub call: Option<String>,
    /// Only with calls on which the platform had somebody of this id
    #[arg(long, value_name = "ID")]
    pub participant: Option<String>,
    /// Only with calls on which somebody had this number, E.164; of an export, with `--subject-key`
    #[arg(long)]
    pub number: Option<String>,
    /// The key of the number's pseudonym, as an answer of the gateway discloses it: 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    pub subject_key: Option<String>,
    /// Only with calls on which somebody was there, such as `US-CA`
    #[arg(long)]
    pub place: Option<String>,
    /// Only with calls of which this rule was asked: the code of a row, or the id of an overlay
    #[arg(long)]
    pub rule: Option<String>,
    /// Only with calls to which this was played: a prompt's id, `id@version`, or the id of a version
    #[arg(long)]
    pub prompt: Option<String>,
    /// Only entries that say so: consented, declined, withdrawn, prompted, interrupted, left, refused,
    /// accepted, fetched, deleted, …; several with commas
    #[arg(long)]
    pub outcome: Option<String>,
    /// Only entries of this type, such as `recording.accepted`; several with commas
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only what has to do with this recording, and with its call
    #[arg(long, value_name = "ID")]
    pub recording: Option<String>,
    /// Only fetches by this credential, refused ones included
    #[arg(long, value_name = "CREDENTIAL")]
    pub listener: Option<String>,
    /// Logged then or later (RFC 3339, or a day)
    #[arg(long, value_name = "DATE", value_parser = moment_or_day)]
    pub from: Option<Timestamp>,
    /// Logged before then (RFC 3339, or a day)
    #[arg(long, value_name = "DATE", value_parser = moment_or_day)]
    pub until: Option<Timestamp>,
    /// Continue with the next page, by `next` of an earlier answer to the same question; only for an account of a
    /// ledger, since an export has no pages
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    /// How many at most [default: all]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// In which form [default: words; `json` with --json]
    #[arg(long, value_enum)]
    pub format: Option<Form>,
    /// Verify the export with this trust file first
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
}

/// In which form entries are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One document
    Json,
    /// An entry a line
    Jsonl,
    /// A table for spreadsheets
    Csv,
}

/// Which call is explained.
#[derive(Debug, Args)]
pub struct Explain {
    /// An export, or an account of the ledger
    pub log: String,
    /// The platform's id of the call, or an alias
    pub call: String,
    /// The moment to explain [default: the call's last entry]; only for an account of a ledger, since an export
    /// tells the whole story
    #[arg(long, value_name = "DATE", value_parser = moment_or_day)]
    pub at: Option<Timestamp>,
    /// Verify the export with this trust file first
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
}

/// What is proven.
#[derive(Debug, Args)]
pub struct Prove {
    /// An export, or an account of the ledger
    pub log: String,
    /// What it is about.
    #[command(flatten)]
    pub subject: Subject,
    /// Where the archive goes; an existing file is not overwritten
    #[arg(long, value_name = "FILE.zip")]
    pub out: PathBuf,
    /// Of an export, the recording's envelope, which is not in a log
    #[arg(long, value_name = "ENVELOPE.json", conflicts_with_all = ["call", "no_recording"])]
    pub envelope: Option<PathBuf>,
    /// Verify the export with this trust file first
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
}

/// What a proof is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Subject {
    /// A recording: its id
    #[arg(long)]
    pub recording: Option<String>,
    /// A call: the platform's id of it, or an alias
    #[arg(long)]
    pub call: Option<String>,
    /// A call of which it is to be proven that it has no recording
    #[arg(long, value_name = "CALL")]
    pub no_recording: Option<String>,
}

/// Whether this names an export, and not an account: a directory that merely has the name of an account is not one.
#[must_use]
pub fn is_export(log: &str) -> bool {
    let path = Path::new(log);
    log.ends_with(".zip") || log.contains('/') || path.is_file() || path.join("checkpoint").is_file()
}

/// Lists entries of an export.
///
/// # Errors
///
/// [`CliError`].
pub fn find(asked: &Find, as_json: bool) -> Result<(), CliError> {
    let source = opened(&asked.log, asked.trust.as_deref(), as_json)?;
    let told = |failure| unusable(as_json, failure);
    let export = Exported::open(source.as_ref()).map_err(told)?;
    let query = query(asked, export.log().0)?;
    let form = asked.format.or(as_json.then_some(Form::Json));
    if form == Some(Form::Csv) {
        write(&sheet::head().map_err(unwritten)?)?;
    }
    let (mut count, mut documents) = (0u32, Vec::new());
    let mut failed = None;
    let found = export.find(&query, |line, names| {
        if failed.is_some() || asked.limit.is_some_and(|limit| limit <= count) {
            return Ok(());
        }
        count = count.saturating_add(1);
        let written = match form {
            Some(Form::Json) => document(line).map(|document| documents.push(document)),
            Some(Form::Jsonl) => {
                document(line).and_then(|document| write(format!("{document}\n").as_bytes()))
            }
            Some(Form::Csv) => sheet::row(line, names).map_err(unwritten).and_then(|row| write(&row)),
            None => {
                out::line(out::plain(&sheet::in_words(line, names)));
                Ok(())
            }
        };
        failed = written.err();
        Ok(())
    });
    found.map_err(told)?;
    if let Some(failed) = failed {
        return Err(failed);
    }
    match form {
        Some(Form::Json) => out::json(&json!({ "consents": documents })),
        Some(Form::Jsonl | Form::Csv) => {}
        None => out::line(match count {
            0 => "no entry matches".to_owned(),
            count => counted(count, "entry"),
        }),
    }
    Ok(())
}

/// Tells the story of a call.
///
/// # Errors
///
/// [`CliError`].
pub fn explain(asked: &Explain, as_json: bool) -> Result<(), CliError> {
    if asked.at.is_some() {
        return Err(CliError::Wrong(
            "`--at` is only for an account of a ledger; leave it out: an export tells the whole story of a call".into(),
        ));
    }
    let source = opened(&asked.log, asked.trust.as_deref(), as_json)?;
    let failed = |failure| unusable(as_json, failure);
    let export = Exported::open(source.as_ref()).map_err(failed)?;
    let calls = export.calls(&asked.call).map_err(failed)?;
    if calls.is_empty() {
        let what = format!(
            "no call of this export is named `{}`; an export with details names its calls",
            asked.call
        );
        return Err(CliError::Wrong(what));
    }
    for call in calls {
        let entries = export.related(&[call], None).map_err(failed)?;
        let reads: Vec<_> = entries.into_iter().map(|entry| entry.read).collect();
        let lines = told::explain(call, &reads, &|digest| export.table(digest));
        match as_json {
            true => out::json(&json!({ "call": call, "told": lines })),
            false => lines.iter().for_each(|line| out::line(out::plain(line))),
        }
    }
    Ok(())
}

/// Makes a proof pack.
///
/// # Errors
///
/// [`CliError`].
pub fn prove(asked: &Prove, as_json: bool) -> Result<(), CliError> {
    must_be_new(&asked.out)?;
    let about = match &asked.subject {
        Subject { recording: Some(id), .. } => {
            let id = id.parse::<Uuid>();
            About::Recording(
                id.map_err(|_| CliError::Wrong("`--recording` is not the id of a recording".into()))?,
            )
        }
        Subject { call: Some(call), .. } => About::Call(call.clone()),
        Subject { no_recording: Some(call), .. } => About::NoRecording(call.clone()),
        Subject { .. } => return Err(CliError::Wrong("say what to prove".into())),
    };
    let envelope = asked.envelope.as_deref().map(|path| {
        std::fs::read_to_string(path)
            .map_err(|source| CliError::Io { what: format!("`{}` cannot be read", path.display()), source })
    });
    let envelope = envelope.transpose()?;
    let source = opened(&asked.log, asked.trust.as_deref(), as_json)?;
    let told = |failure| unusable(as_json, failure);
    let export = Exported::open(source.as_ref()).map_err(told)?;
    let pack = export.prove(&about, envelope, Clock::system().now()).map_err(told)?;
    let mut archive = Cursor::new(Vec::new());
    pack::write(&pack, &mut archive).map_err(|error| CliError::Wrong(error.to_string()))?;
    let bytes = archive.into_inner();
    create(&asked.out, &bytes)?;
    say(as_json, &json!({"out": asked.out, "bytes": bytes.len()}), || {
        format!("a proof pack of {} bytes in {}", bytes.len(), asked.out.display())
    });
    Ok(())
}

/// The export, verified if somebody says whom to trust.
fn opened(log: &str, trust: Option<&Path>, as_json: bool) -> Result<Box<dyn Source>, CliError> {
    if !Path::new(log).exists() {
        return Err(CliError::Wrong(format!(
            "there is no export `{log}`: name the directory or the zip file of one"
        )));
    }
    let source = open_export(Path::new(log));
    let Some(trust) = trust else {
        out::note("the export was not verified; with `--trust FILE` it is, before it is asked");
        return Ok(source);
    };
    let trust = read_trust(trust)?;
    let bar = Bar::of("entries");
    let progress = |done, all| bar.show(done, all);
    let options =
        Options { since: None, law: None, stamp: None, now: Clock::system().now(), progress: &progress };
    let verified = verify(source.as_ref(), &trust, &options);
    bar.end();
    verified.map(|_| source).map_err(|failure| unusable(as_json, failure))
}

/// A question to an export.
fn query(asked: &Find, account: &str) -> Result<Query, CliError> {
    if asked.after.is_some() {
        return Err(CliError::Wrong(
            "`--after` is only for an account of a ledger; leave it out: an export has no pages".into(),
        ));
    }
    let wrong = |what: &str| CliError::Wrong(what.into());
    let place = asked.place.as_deref().map(|place| {
        place
            .parse::<Code>()
            .map_err(|error| CliError::Wrong(format!("`--place`: {error}; write it like `US-CA`")))
    });
    let recording = asked.recording.as_deref().map(str::parse::<Uuid>).transpose();
    let subject = match (&asked.number, &asked.subject_key) {
        (None, None) => None,
        (Some(number), Some(key)) => {
            let key = crate::audit::source::unhex(key)
                .ok_or_else(|| wrong("`--subject-key` is 64 hexadecimal digits"))?;
            Some(subject::pseudonym(&key, account, number))
        }
        _ => {
            return Err(wrong(
                "an export holds no numbers: `--number` needs `--subject-key`, which the gateway discloses with an \
                 answer about that number",
            ));
        }
    };
    Ok(Query {
        call: asked.call.clone(),
        participant: asked.participant.clone(),
        subject,
        place: place.transpose()?,
        rule: asked.rule.clone(),
        prompt: asked.prompt.clone(),
        types: types_of(asked.outcome.as_deref(), asked.kind.as_deref()).map_err(unknown)?,
        recording: recording.map_err(|_| wrong("`--recording` is not the id of a recording"))?,
        listener: asked.listener.clone(),
        from: asked.from,
        until: asked.until,
    })
}

/// The words that are known in place of an unknown one.
fn unknown(word: UnknownWord<'_>) -> CliError {
    CliError::Wrong(match word {
        UnknownWord::Outcome(word) => {
            let known: Vec<&str> = OUTCOMES.iter().map(|(outcome, _)| *outcome).collect();
            format!("there is no outcome `{word}`; there are `{}`", known.join("`, `"))
        }
        UnknownWord::Type(word) => {
            format!("there are no entries of type `{word}`; there are `{}`", KINDS.join("`, `"))
        }
    })
}

/// An entry as a document, its leaf byte for byte.
fn document(line: &Line<'_>) -> Result<Value, CliError> {
    let read = |text: &str| serde_json::from_str::<Value>(text);
    let detail = line.document.map(read).transpose();
    let entry = serde_json::to_value(line.leaf);
    let (entry, detail) = entry.and_then(|entry| Ok((entry, detail?))).map_err(|source| CliError::Io {
        what: "an entry cannot be written as JSON".into(),
        source: source.into(),
    })?;
    Ok(json!({
        "epoch": line.epoch, "index": line.index, "leaf_hash": line.leaf_hash, "call": line.call, "entry": entry,
        "detail": detail,
    }))
}

fn unwritten(error: csv::Error) -> CliError {
    CliError::Wrong(format!("the table cannot be written: {error}"))
}

/// Writes to standard output. What does not fit through a closed pipe is not wanted.
///
/// # Errors
///
/// Standard output cannot be written; or it is closed, and the program ends well.
pub fn write(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::Io { what: "standard output cannot be written".into(), source })
        }
        Err(_) => Err(CliError::Exit(0)),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_export;

    #[test]
    fn a_directory_is_an_export_if_a_signed_head_lies_in_it() {
        let dir = tempfile::tempdir().unwrap();
        // As relative names are: from the directory that a test is run in.
        for account in ["acme", "src", "system"] {
            assert!(!is_export(account), "{account}");
        }
        for export in ["acme.zip", "./acme", "exports/acme"] {
            assert!(is_export(export), "{export}");
        }
        assert!(is_export(dir.path().to_str().unwrap()));
    }
}
