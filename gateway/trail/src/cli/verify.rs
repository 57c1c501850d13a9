//! `verify`: a log, or a proof pack, offline.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::bar::Bar;
use super::out;
use super::{CliError, create};
use crate::audit::pack;
use crate::audit::page;
use crate::audit::source::{Archive, Broken, Directory, Source, SourceError};
use crate::audit::verify::{Evidence, Options, verify_with};
use crate::audit::{Failure, Report};
use crate::chain::Chain;
use crate::clock::{Clock, written};
use crate::counted;
use crate::note::Note;
use crate::timestamp;
use crate::trust::Trust;

/// What is verified, and what it is compared with.
#[derive(Debug, Args)]
pub struct Verify {
    /// An exported directory or zip, a proof pack, or the name of a log in the ledger
    pub what: String,
    /// Whom to trust (C2SP tlog-policy); for a log in the ledger, the gateway's own key if absent
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// An older signed head that you have kept: the log has to go on from it
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// An export of an earlier epoch of the log, or several: what was registered there is carried over; of a log in
    /// the ledger, those that are there if absent
    #[arg(long, value_name = "EXPORT")]
    pub previous: Vec<PathBuf>,
    /// An export of the log `system`, or of several epochs of it: the tables that decided are compared with those that
    /// were in force; of a log in the ledger, what is there if absent
    #[arg(long, value_name = "EXPORT")]
    pub system: Vec<PathBuf>,
    /// The sealed media of the recording that a proof pack is about; for no other pack, and no log
    #[arg(long, value_name = "FILE")]
    pub media: Option<PathBuf>,
    /// Write the page for people anew, as this program words it, from a proof pack that verifies
    #[arg(long, value_name = "FILE.html")]
    pub page: Option<PathBuf>,
}

/// Verifies what lies in a file or a directory.
///
/// # Errors
///
/// [`CliError`]; what is wrong with the evidence was printed, and is an exit code.
pub fn verify(command: &Verify, as_json: bool) -> Result<(), CliError> {
    match offline(command, as_json) {
        Err(CliError::Exit(code)) => Err(CliError::Exit(code)),
        Err(error) => Err(not_verified(&error, as_json)),
        Ok(()) => Ok(()),
    }
}

fn offline(command: &Verify, as_json: bool) -> Result<(), CliError> {
    let path = Path::new(&command.what);
    if !path.exists() {
        return Err(CliError::Wrong(format!("`{}` is neither a file nor a directory", path.display())));
    }
    let trust = command.trust.as_ref().ok_or_else(|| {
        CliError::Wrong(
            "say whom to trust with `--trust FILE`; `consent-gateway audit key ACCOUNT` prints such a file, \
             and an auditor has it from before"
                .into(),
        )
    })?;
    let trust = read_trust(trust)?;
    if pack::is_pack(path) {
        return verify_pack(path, &trust, command, as_json);
    }
    if path.join(pack::MANIFEST).is_file() {
        return Err(CliError::Wrong(format!(
            "`{}` is a proof pack that was unpacked: verify the archive as it was handed out, `pack.zip`",
            path.display()
        )));
    }
    no_media(command)?;
    let source = open_export(path);
    let (previous, system) = named(command);
    let evidence = Evidence {
        log: source.as_ref(),
        previous: previous.iter().map(AsRef::as_ref).collect(),
        system: system.iter().map(AsRef::as_ref).collect(),
        unasked: false,
    };
    run_verification(&evidence, None, &trust, command, as_json)
}

/// Several logs.
pub type Sources = Vec<Box<dyn Source>>;

/// What was given beside the log: its earlier epochs, and the log of the law.
#[must_use]
pub fn named(command: &Verify) -> (Sources, Sources) {
    let open = |paths: &[PathBuf]| -> Sources { paths.iter().map(|path| open_export(path)).collect() };
    (open(&command.previous), open(&command.system))
}

/// What lies at this path. Where it cannot be opened, verifying says so, beside what it says of the rest.
#[must_use]
pub fn open_export(path: &Path) -> Box<dyn Source> {
    let opened: Result<Box<dyn Source>, SourceError> = match path.is_dir() {
        true => Directory::open(path).map(|directory| Box::new(directory) as Box<dyn Source>),
        false => Archive::open(path).map(|archive| Box::new(archive) as Box<dyn Source>),
    };
    opened.unwrap_or_else(|error| Box::new(Broken::new(path.display().to_string(), error)))
}

/// Nothing was found out, so that the exit code must not be the one of a log that was tampered with.
#[must_use]
pub fn not_verified(error: &dyn std::error::Error, as_json: bool) -> CliError {
    unusable(as_json, Failure::unusable(Chain(error).to_string()))
}

/// Media were not given: they go with the pack of a recording alone.
///
/// # Errors
///
/// They were.
pub fn no_media(command: &Verify) -> Result<(), CliError> {
    match command.media {
        None => Ok(()),
        Some(_) => Err(CliError::Wrong(
            "`--media` goes with the proof pack of a recording: a log does not hold media to compare with"
                .into(),
        )),
    }
}

/// Verifies a log, and tells of it; or of what is wrong beside it.
///
/// # Errors
///
/// [`CliError`].
pub fn run_verification(
    evidence: &Evidence<'_>,
    beside: Option<Failure>,
    trust: &Trust,
    command: &Verify,
    as_json: bool,
) -> Result<(), CliError> {
    let since = command.since.as_deref().map(read_note).transpose()?;
    let bar = Bar::of("entries");
    let progress = |done, all| bar.show(done, all);
    let options = Options {
        since,
        law: None,
        stamp: Some(|response, text| timestamp::time_of(response, text).ok()),
        now: Clock::system().now(),
        progress: &progress,
    };
    let verified = verify_with(evidence, trust, &options);
    bar.end();
    match (verified, beside) {
        (Ok(report), None) => {
            tell(&report, as_json);
            Ok(())
        }
        (Err(failure), _) | (Ok(_), Some(failure)) => Err(unusable(as_json, failure)),
    }
}

fn verify_pack(path: &Path, trust: &Trust, command: &Verify, as_json: bool) -> Result<(), CliError> {
    if !command.previous.is_empty() || !command.system.is_empty() {
        return Err(CliError::Wrong(
            "`--previous` and `--system` go with a log: a proof pack is compared with neither".into(),
        ));
    }
    let open = |path: &Path| {
        std::fs::File::open(path)
            .map_err(|source| CliError::Io { what: format!("`{}` cannot be read", path.display()), source })
    };
    let since = command.since.as_deref().map(read_note).transpose()?;
    let mut media = command.media.as_deref().map(open).transpose()?.map(std::io::BufReader::new);
    let media = media.as_mut().map(|media| media as &mut dyn std::io::Read);
    let verified = pack::read(std::io::BufReader::new(open(path)?)).and_then(|pack| {
        let mut report = pack::verify_pack(&pack, trust, media)?;
        if let Some(since) = &since {
            report.warnings.extend(pack::goes_on(&pack, trust, since)?);
        }
        Ok((pack, report))
    });
    let (pack, report) = verified.map_err(|failure| unusable(as_json, failure))?;
    if let Some(out) = &command.page {
        let wrong = |error| CliError::Wrong(format!("the page for people: {error}"));
        create(out, page::page(&pack).map_err(wrong)?.as_bytes())?;
    }
    if as_json {
        out::json(&json!({"verdict": "good", "report": report}));
        return Ok(());
    }
    out::line(format!(
        "good: {} of the log {}, which has {}; {} computed again",
        counted(report.entries, "entry"),
        report.origin,
        counted(report.size, "entry"),
        counted(report.decisions, "decision")
    ));
    let call = match &report.call_id {
        Some(call) => format!("the call {}", out::plain(call)),
        None => "a call whose name is not disclosed".into(),
    };
    out::line(match (report.kind, &report.recording) {
        (pack::Kind::Recording, Some(recording)) => format!("about the recording {recording} of {call}"),
        (pack::Kind::Absence, _) => format!("{call} has no recording in the log up to there"),
        (pack::Kind::Recording | pack::Kind::Call, _) => format!("about {call}"),
    });
    report.warnings.iter().for_each(|warning| out::line(format!("warning: {}", out::plain(warning))));
    Ok(())
}

fn tell(report: &Report, as_json: bool) {
    if as_json {
        out::json(&json!({"verdict": "good", "report": report}));
        return;
    }
    out::line(format!("good: {} of {}", counted(report.size, "entry"), report.origin));
    out::line(format!("root {}", report.root));
    for key in &report.signed_by {
        out::line(format!("signed by {key}"));
    }
    for witness in &report.witnessed_by {
        out::line(format!("witnessed by {} at {}", witness.name, written(witness.at)));
    }
    for stamp in &report.stamps {
        out::line(format!(
            "time stamp of {}, by {}, says `{}`",
            counted(stamp.size, "entry"),
            written(stamp.at),
            stamp.path
        ));
    }
    if let Some((from, until)) = report.span {
        out::line(format!("logged from {} to {}: nothing later is in it", written(from), written(until)));
    }
    for earlier in &report.earlier {
        out::line(format!(
            "after {} of {}, root {}, verified too",
            counted(earlier.size, "entry"),
            earlier.origin,
            earlier.root
        ));
    }
    if let Some(previous) = report.continues.as_ref().filter(|_| report.earlier.is_empty()) {
        out::line(format!(
            "continues {} of {}, root {}",
            counted(previous.size, "entry"),
            previous.origin,
            previous.root
        ));
    }
    if let Some(system) = &report.system {
        out::line(format!("the tables that decided were compared with what {system} says"));
    }
    out::line(format!(
        "{}, {} computed again",
        counted(report.calls, "call"),
        counted(report.decisions, "decision")
    ));
    for warning in &report.warnings {
        out::line(format!("warning: {warning}"));
    }
}

pub(super) fn unusable(as_json: bool, failure: Failure) -> CliError {
    if as_json {
        out::json(&json!({
            "verdict": failure.verdict.as_str(), "entry": failure.index, "what": failure.what,
            "also": failure.also.iter().map(|also| json!({
                "verdict": also.verdict.as_str(), "entry": also.index, "what": also.what,
            })).collect::<Vec<_>>(),
        }));
    } else {
        for failure in [&failure].into_iter().chain(&failure.also) {
            out::line(format!("{}: {failure}", failure.verdict.as_str()));
        }
    }
    CliError::Exit(failure.verdict.exit_code())
}

/// Reads a trust file.
///
/// # Errors
///
/// It cannot be read, or is not a trust file.
pub fn read_trust(path: &Path) -> Result<Trust, CliError> {
    Trust::parse(&read(path)?)
        .map_err(|error| CliError::Wrong(format!("the trust file `{}`: {error}", path.display())))
}

fn read_note(path: &Path) -> Result<Note, CliError> {
    Note::parse(&read(path)?)
        .map_err(|error| CliError::Wrong(format!("the signed head `{}`: {error}", path.display())))
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path)
        .map_err(|source| CliError::Io { what: format!("`{}` cannot be read", path.display()), source })
}
