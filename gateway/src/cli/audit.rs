//! The audit trail: verify it, take it along, and the key that signs it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::bar::Bar;
use super::find::{self, Find};
use super::out::{counted, say};
use super::{CliError, asked, on_runtime, out, reopen};
use crate::anchor::WITNESS;
use crate::chain::Chain;
use crate::config::Config;
use crate::gate::{About, Fault, FaultCode, Form, Gate, HandoutError, Live, Refused, Sink, Thing};
use crate::ledger::{Epoch, LedgerError};
use crate::notary;
use crate::serve;
use trail::audit::pack;
use trail::audit::source::{Archive, Broken, Directory, Source, SourceError};
use trail::audit::verify::{Evidence, Options, verify_with};
use trail::audit::{Failure, Report};
use trail::clock::{Clock, written};
use trail::note::Note;
use trail::timestamp;
use trail::trust::Trust;
use trail::{Actor, SYSTEM_LOG};

#[derive(Subcommand)]
pub(super) enum Audit {
    /// Verify a log offline: exit code 0 good, 1 tampered, 2 unusable, 3 incomplete
    Verify(Verify),
    /// Take a log along, as files that anybody can verify
    Export(Export),
    /// Find entries by what they have to do with; the question is logged
    Find(Box<Find>),
    /// Make a proof pack, which anybody can verify offline
    Prove(Prove),
    /// A call as a vCon with its lawful basis
    Vcon {
        /// Its account
        account: String,
        /// The platform's id of it, or an alias
        call: String,
        /// Sign it, with the configured certificate
        #[arg(long)]
        signed: bool,
    },
    /// Consent records of a call by ISO/IEC TS 27560, in JSON-LD
    ConsentRecord {
        /// Its account
        account: String,
        /// The platform's id of it, or an alias
        call: String,
    },
    /// Print the trust file that auditors verify with
    Key {
        /// The log: an account, or `system`
        log: String,
    },
    /// Have the logs signed with a new key from the next second on
    RotateKey,
    /// Begin logs anew that do not go on from what was signed
    Reopen(reopen::Reopen),
    /// Drop an epoch of a log that has ended, with everything in it
    Drop(reopen::Drop),
}

#[derive(Args)]
pub(super) struct Verify {
    /// An exported directory or zip, a proof pack, or the name of a log in the ledger
    what: String,
    /// Whom to trust (C2SP tlog-policy); for a log in the ledger, the gateway's own key if absent
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// An older signed head that you have kept: the log has to go on from it
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// An export of an earlier epoch of the log, or several: what was registered there is carried over; of a log in
    /// the ledger, those that are there if absent
    #[arg(long, value_name = "EXPORT")]
    previous: Vec<PathBuf>,
    /// An export of the log `system`, or of several epochs of it: the tables that decided are compared with those that
    /// were in force; of a log in the ledger, what is there if absent
    #[arg(long, value_name = "EXPORT")]
    system: Vec<PathBuf>,
    /// The sealed media of the recording that a proof pack is about; for no other pack, and no log
    #[arg(long, value_name = "FILE")]
    media: Option<PathBuf>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Subject {
    /// A recording: its id
    #[arg(long)]
    recording: Option<String>,
    /// A call: the platform's id of it, or an alias
    #[arg(long)]
    call: Option<String>,
    /// A call of which it is to be proven that it has no recording
    #[arg(long, value_name = "CALL")]
    no_recording: Option<String>,
}

#[derive(Args)]
pub(super) struct Prove {
    /// Its account
    account: String,
    #[command(flatten)]
    subject: Subject,
    /// Where the archive goes; an existing file is not overwritten
    #[arg(long, value_name = "FILE.zip")]
    out: PathBuf,
}

#[derive(Args)]
pub(super) struct Export {
    /// The log: an account, or `system`; `acme.2` is its second epoch
    log: String,
    /// A directory that does not exist yet, or a file that ends with `.zip`
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Take along what entries commit to: names, reasons, what was said
    #[arg(long)]
    details: bool,
}

pub(super) fn run(config: Config, command: Audit, as_json: bool) -> Result<(), CliError> {
    match command {
        Audit::Verify(command) => {
            verify_offline(&config, &command, as_json).map_err(|error| not_verified(&error, as_json))
        }
        Audit::Export(command) => on_runtime(export(config, command, as_json)),
        Audit::Find(command) => on_runtime(find::run(config, *command, as_json)),
        Audit::Prove(command) => on_runtime(prove(config, command, as_json)),
        Audit::Vcon { account, call, signed } => {
            let form = if signed { Form::SignedVcon } else { Form::Vcon };
            on_runtime(hand_out(config, &account, &call, form))
        }
        Audit::ConsentRecord { account, call } => {
            on_runtime(hand_out(config, &account, &call, Form::ConsentRecord))
        }
        Audit::Key { log } => on_runtime(key(config, log)),
        Audit::RotateKey => on_runtime(rotate_key(config, as_json)),
        Audit::Reopen(asked) => on_runtime(reopen::reopen(config, asked, as_json)),
        Audit::Drop(asked) => on_runtime(reopen::drop_epoch(config, asked, as_json)),
    }
}

fn verify_offline(config: &Config, command: &Verify, as_json: bool) -> Result<(), CliError> {
    let path = Path::new(&command.what);
    if !path.exists() {
        return on_runtime(verify_live(config.clone(), command, as_json));
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

type Sources = Vec<Box<dyn Source>>;

/// What was given beside the log: its earlier epochs, and the log of the law.
fn named(command: &Verify) -> (Sources, Sources) {
    let open = |paths: &[PathBuf]| -> Sources { paths.iter().map(|path| open_export(path)).collect() };
    (open(&command.previous), open(&command.system))
}

/// What lies at this path. Where it cannot be opened, verifying says so, beside what it says of the rest.
fn open_export(path: &Path) -> Box<dyn Source> {
    let opened: Result<Box<dyn Source>, SourceError> = match path.is_dir() {
        true => Directory::open(path).map(|directory| Box::new(directory) as Box<dyn Source>),
        false => Archive::open(path).map(|archive| Box::new(archive) as Box<dyn Source>),
    };
    opened.unwrap_or_else(|error| Box::new(Broken::new(path.display().to_string(), error)))
}

/// Nothing was found out, so that the exit code must not be the one of a log that was tampered with.
fn not_verified(error: &CliError, as_json: bool) -> CliError {
    if let CliError::Exit(code) = error {
        return CliError::Exit(*code);
    }
    unusable(as_json, Failure::unusable(Chain(error).to_string()))
}

fn no_media(command: &Verify) -> Result<(), CliError> {
    match command.media {
        None => Ok(()),
        Some(_) => Err(CliError::Wrong(
            "`--media` goes with the proof pack of a recording: a log does not hold media to compare with"
                .into(),
        )),
    }
}

async fn verify_live(config: Config, command: &Verify, as_json: bool) -> Result<(), CliError> {
    no_media(command)?;
    if let Some(missing) = asked::missing(&config) {
        let what = &command.what;
        return Err(CliError::Wrong(format!("`{what}` is neither a file nor a directory, and {missing}")));
    }
    let gate = asked::gate(&config).await?;
    let at = gate.epoch(&command.what).await.map_err(|_| {
        CliError::Wrong(format!(
            "`{}` is neither a file, nor a directory, nor a log of the ledger",
            command.what
        ))
    })?;
    gate.still_there(&at).await?;
    let name = own_name(&config, &gate);
    let log = live(&gate, &at, &name).await?.ok_or_else(|| {
        CliError::Wrong(format!("no head of the log `{}` was signed yet; `serve` does that", command.what))
    })?;
    let mut trust = match &command.trust {
        Some(path) => read_trust(path)?,
        None => own_trust(&config, &gate, &at).await?,
    };
    let (mut previous, mut system) = named(command);
    let unasked = previous.is_empty();
    // Whoever says whom to trust means it.
    let mut own = command.trust.is_none().then_some(&mut trust);
    if unasked {
        let before = at.epoch.saturating_sub(1);
        previous = of_ledger(&gate, &at.log, before, &name, own.as_deref_mut()).await?;
    }
    if system.is_empty() && at.log != SYSTEM_LOG {
        system = of_ledger(&gate, SYSTEM_LOG, i64::MAX, &name, own).await?;
    }
    let evidence = Evidence {
        log: log.as_ref(),
        previous: previous.iter().map(AsRef::as_ref).collect(),
        system: system.iter().map(AsRef::as_ref).collect(),
        unasked,
    };
    let beside = registers_of(&gate, &at.log).await?;
    let verified =
        tokio::task::block_in_place(|| run_verification(&evidence, beside, &trust, command, as_json));
    gate.ledger().close().await;
    verified
}

/// What is wrong with what is registered beside a log, or beside that of the law.
async fn registers_of(gate: &Gate, log: &str) -> Result<Option<Failure>, CliError> {
    for log in BTreeSet::from([log, SYSTEM_LOG]) {
        if let Some(head) = gate.ledger().head(log).await.map_err(CliError::of_ledger)? {
            let at = Epoch { log: log.to_owned(), epoch: head.epoch };
            gate.ledger().hear_of_all(&at, head.edge.size()).await.map_err(CliError::of_ledger)?;
        }
        match gate.ledger().check_registers_of(log).await {
            Ok(_) => {}
            Err(LedgerError::Altered(what)) => return Ok(Some(Failure::tampered(what))),
            Err(error) => return Err(CliError::of_ledger(error)),
        }
    }
    Ok(None)
}

/// The newest epochs of a log up to one, as far back as all of them are there.
async fn of_ledger(
    gate: &Gate,
    log: &str,
    until: i64,
    name: &str,
    mut trust: Option<&mut Trust>,
) -> Result<Sources, CliError> {
    let mut sources: Sources = Vec::new();
    for at in gate.epochs(log).await?.into_iter().rev().filter(|at| at.epoch <= until) {
        if gate.still_there(&at).await.is_err() {
            break;
        }
        let Some(source) = live(gate, &at, name).await? else {
            // It begins just now.
            if sources.is_empty() { continue } else { break }
        };
        // Of one whose head cannot be read, nobody can say who signed it: that is told with what is wrong with it.
        if let Some(trust) = trust.as_deref_mut()
            && source.checkpoint().is_ok()
            && let Some(key) = gate.key_of(&at, name).await?
        {
            trust.add_log(key).map_err(|fault| CliError::Wrong(fault.to_string()))?;
        }
        sources.push(source);
    }
    Ok(sources)
}

/// An epoch of a log in the ledger; none where no head of it was signed yet.
async fn live(gate: &Gate, at: &Epoch, name: &str) -> Result<Option<Box<dyn Source>>, CliError> {
    let origin = notary::origin(name, at);
    match gate.signed_head(at).await {
        Ok(head) => {
            let live = Live::new(gate.ledger(), origin, head).await.map_err(crate::gate::Fault::from)?;
            Ok(Some(Box::new(live)))
        }
        Err(Fault::Refused { why: Refused::NotFound(Thing::SignedHead), .. }) => Ok(None),
        Err(Fault::Failed(crate::gate::Failure::Broken { what, cause })) => {
            let why = cause.map_or_else(|| what.to_owned(), |cause| cause.to_string());
            Ok(Some(Box::new(Broken::new(origin, Failure::tampered(why)))))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Verifies a log, and tells of it; or of what is wrong beside it.
fn run_verification(
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
        Ok(report)
    });
    let report = verified.map_err(|failure| unusable(as_json, failure))?;
    if as_json {
        out::json(&json!({"verdict": "good", "report": report}));
        return Ok(());
    }
    out::line(format!(
        "good: {} in the log {} of {}; {} computed again",
        counted(report.entries, "entry stands", "entries stand"),
        report.origin,
        counted(report.size, "entry", "entries"),
        counted(report.decisions, "decision", "decisions")
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

async fn prove(config: Config, command: Prove, as_json: bool) -> Result<(), CliError> {
    must_be_new(&command.out)?;
    let gate = asked::gate(&config).await?;
    let Subject { recording, call, no_recording } = &command.subject;
    let about = match (recording, call, no_recording) {
        (Some(recording), ..) => About::Recording(recording),
        (None, Some(call), _) => About::Call(call),
        (None, None, Some(call)) => About::NoRecording(call),
        (None, None, None) => return Err(CliError::Wrong("say what is to be proven".into())),
    };
    asked::must_be_there(&gate, &command.account, "audit prove").await?;
    let mut waits = 0..SIGNED_WITHIN;
    let bytes = loop {
        match gate.prove(&Actor::command_line(), &command.account, about).await {
            Err(fault) if fault.code() == FaultCode::NotSignedYet && waits.next().is_some() => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            proven => break proven?,
        }
    };
    gate.ledger().close().await;
    crate::files::write_new(&command.out, &bytes).map_err(|source| unmade(&command.out, source))?;
    say(as_json, &json!({"out": command.out, "bytes": bytes.len()}), || {
        format!("a proof pack of {} bytes in {}", bytes.len(), command.out.display())
    });
    Ok(())
}

/// Nothing is overwritten: that is told before anything is logged as handed out.
fn must_be_new(out: &Path) -> Result<(), CliError> {
    match std::fs::symlink_metadata(out) {
        Ok(_) => Err(unmade(out, std::io::ErrorKind::AlreadyExists.into())),
        Err(_) => Ok(()),
    }
}

/// Why nothing can be made there.
fn unmade(out: &Path, source: std::io::Error) -> CliError {
    let out = out.display();
    if source.kind() == std::io::ErrorKind::AlreadyExists {
        return CliError::Wrong(format!("`{out}` exists already and is not overwritten: name another file"));
    }
    CliError::Io { what: format!("`{out}` cannot be made"), source }
}

async fn hand_out(config: Config, account: &str, call: &str, form: Form) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    let command = if matches!(form, Form::ConsentRecord) { "audit consent-record" } else { "audit vcon" };
    asked::must_be_there(&gate, account, command).await?;
    let document = gate.export(&Actor::command_line(), account, call, form).await?;
    gate.ledger().close().await;
    out::json(&document);
    Ok(())
}

fn tell(report: &Report, as_json: bool) {
    if as_json {
        out::json(&json!({"verdict": "good", "report": report}));
        return;
    }
    out::line(format!("good: {} of {}", counted(report.size, "entry", "entries"), report.origin));
    out::line(format!("root {}", report.root));
    for key in &report.signed_by {
        out::line(format!("signed by {key}"));
    }
    for witness in &report.witnessed_by {
        out::line(format!("witnessed by {} at {}", witness.name, written(witness.at)));
    }
    for stamp in &report.stamps {
        out::line(format!(
            "time stamp of {} entries, by {}, says `{}`",
            stamp.size,
            written(stamp.at),
            stamp.path
        ));
    }
    if let Some((from, until)) = report.span {
        out::line(format!("logged from {} to {}: nothing later is in it", written(from), written(until)));
    }
    for earlier in &report.earlier {
        out::line(format!(
            "after {} entries of {}, root {}, verified too",
            earlier.size, earlier.origin, earlier.root
        ));
    }
    if let Some(previous) = report.continues.as_ref().filter(|_| report.earlier.is_empty()) {
        out::line(format!(
            "goes on from {} entries of {}, root {}",
            previous.size, previous.origin, previous.root
        ));
    }
    if let Some(system) = &report.system {
        out::line(format!("the tables that decided were compared with what {system} says"));
    }
    out::line(format!(
        "{}, {} computed again",
        counted(report.calls, "call", "calls"),
        counted(report.decisions, "decision", "decisions")
    ));
    for warning in &report.warnings {
        out::line(format!("warning: {warning}"));
    }
}

fn unusable(as_json: bool, failure: Failure) -> CliError {
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

async fn export(config: Config, command: Export, as_json: bool) -> Result<(), CliError> {
    must_be_new(&command.out)?;
    let gate = asked::gate(&config).await?;
    let at = gate.epoch(&command.log).await?;
    gate.still_there(&at).await?;
    if gate.stored_head(&at).await?.is_none() {
        return Err(CliError::Wrong(format!(
            "no head of the log `{}` was signed yet; start `serve` once",
            command.log
        )));
    }
    let sink = Sink::create(&command.out).map_err(|source| unmade(&command.out, source))?;
    let bar = Bar::of("entries");
    let head = gate
        .hand_out(&Actor::command_line(), &at, command.details, sink, &|done, all| bar.show(done, all))
        .await
        .map_err(|error| match error {
            HandoutError::Fault(fault) => CliError::Fault(fault),
            HandoutError::Io(source) => CliError::Io { what: "the export cannot be written".into(), source },
        })?;
    bar.end();
    gate.ledger().close().await;
    let told = json!({"log": at.log, "epoch": at.epoch, "size": head.size, "out": command.out});
    say(as_json, &told, || {
        let entries = counted(head.size, "entry", "entries");
        format!("{entries} of `{}` in {}", command.log, command.out.display())
    });
    Ok(())
}

async fn key(config: Config, log: String) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    let at = gate.epoch(&log).await?;
    let trust = own_trust(&config, &gate, &at).await?;
    out::line(trust.to_string().trim_end());
    gate.ledger().close().await;
    Ok(())
}

async fn rotate_key(config: Config, as_json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    gate.secrets().log.make_next().map_err(serve::ServeError::from)?;
    gate.ledger().close().await;
    say(as_json, &json!({"rotating": true}), || {
        "a new key is made; `serve` takes it into use within a second, or when it starts. Give auditors the new \
         trust file; the old one goes on to verify, through the entry that names the new key"
            .into()
    });
    Ok(())
}

/// The key that the gateway signed this epoch with, and the witnesses that are configured: all of them
/// have to cosign.
async fn own_trust(config: &Config, gate: &Gate, at: &Epoch) -> Result<Trust, CliError> {
    let key = gate.key_of(at, &own_name(config, gate)).await?.ok_or_else(|| {
        CliError::Wrong(format!(
            "epoch {} of the log `{}` was signed with a key that was retired, and no entry that names it is left; \
             use the trust file that was given out then",
            at.epoch, at.log
        ))
    })?;
    let mut text = format!("log {key}\n");
    for witness in &config.witness {
        text.push_str(&format!("witness {} {}\n", witness.name, witness.key));
    }
    match config.witness.as_slice() {
        [] => text.push_str("quorum none\n"),
        all => {
            let names: Vec<&str> = all.iter().map(|witness| witness.name.as_str()).collect();
            text.push_str(&format!(
                "group all-{} all {}\nquorum all-{}\n",
                WITNESS,
                names.join(" "),
                WITNESS
            ));
        }
    }
    Trust::parse(&text).map_err(|error| CliError::Wrong(error.to_string()))
}

/// What the origins of all logs begin with.
pub(super) fn own_name(config: &Config, gate: &Gate) -> String {
    config.log_name.clone().unwrap_or_else(|| gate.secrets().log.default_name())
}

fn read_trust(path: &Path) -> Result<Trust, CliError> {
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

/// How often it is looked for a signature of what happened just now: `serve` signs once a second.
const SIGNED_WITHIN: u32 = 12;
const LOOK_AGAIN: Duration = Duration::from_millis(250);
