//! `audit`: verify the trail, export it, and manage the key that signs it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, asked, find, on_runtime, reopen};
use crate::anchor::WITNESS;
use crate::config::Config;
use crate::gate::{About, Fault, FaultCode, Form, Gate, HandoutError, Live, Refused, Sink, Thing};
use crate::ledger::{Epoch, LedgerError};
use crate::notary;
use crate::serve;
use trail::audit::Failure;
use trail::audit::source::{Broken, Source};
use trail::audit::verify::Evidence;
use trail::cli::bar::Bar;
use trail::cli::out::{self, say};
use trail::cli::verify::{
    Sources, Verify, named, no_media, not_verified, read_trust, run_verification, verify,
};
use trail::cli::{ask, create, must_be_new, unmade};
use trail::trust::Trust;
use trail::{Actor, SYSTEM_LOG, counted};

#[derive(Subcommand)]
pub(super) enum Audit {
    /// Verify a log offline: exit code 0 good, 1 tampered, 2 unusable, 3 incomplete
    #[command(
        after_help = "Examples:\n  consent-gateway audit verify acme\n  consent-gateway audit verify acme.zip --trust trust.txt"
    )]
    Verify(Verify),
    /// Export a log as files that anybody can verify
    #[command(after_help = "Example:\n  consent-gateway audit export acme --out acme.zip --details")]
    Export(Export),
    /// Find entries by what they are about; the question is logged
    #[command(
        after_help = "Examples:\n  consent-gateway audit find acme --call c-42\n  consent-gateway audit find acme --number +15550100100 --outcome consented --format csv"
    )]
    Find(Box<ask::Find>),
    /// Make a proof pack, which anybody can verify offline
    #[command(after_help = "Example:\n  consent-gateway audit prove acme --call c-42 --out pack.zip")]
    Prove(ask::Prove),
    /// Export a call as a vCon with its lawful basis
    #[command(after_help = "Example:\n  consent-gateway audit vcon acme c-42")]
    Vcon {
        /// The account
        account: String,
        /// The platform's id of the call, or an alias
        call: String,
        /// Sign it, with the configured certificate
        #[arg(long)]
        signed: bool,
    },
    /// Export consent records of a call (ISO/IEC TS 27560), in JSON-LD
    #[command(after_help = "Example:\n  consent-gateway audit consent-record acme c-42")]
    ConsentRecord {
        /// The account
        account: String,
        /// The platform's id of the call, or an alias
        call: String,
    },
    /// Print the trust file that auditors verify with
    #[command(after_help = "Example:\n  consent-gateway audit key acme > trust.txt")]
    Key {
        /// The log: an account, or `system`
        log: String,
    },
    /// Sign the logs with a new key, from the next second on
    RotateKey,
    /// Start new epochs for logs that do not continue what was signed
    #[command(
        after_help = "Example:\n  consent-gateway audit reopen --reason 'restored the backup of 20 November'"
    )]
    Reopen(reopen::Reopen),
    /// Drop an epoch of a log that has ended, with everything in it
    #[command(
        after_help = "Example:\n  consent-gateway audit drop acme --epoch 1 --reason 'kept for six years'"
    )]
    Drop(reopen::Drop),
}

#[derive(Args)]
pub(super) struct Export {
    /// The log: an account, or `system`; `acme.2` is its second epoch
    log: String,
    /// A directory that does not exist yet, or a file that ends with `.zip`
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Include what entries commit to: names, reasons, what was said
    #[arg(long)]
    details: bool,
}

pub(super) fn run(config: Config, command: Audit, as_json: bool) -> Result<(), CliError> {
    match command {
        Audit::Verify(command) => {
            if Path::new(&command.what).exists() {
                return Ok(verify(&command, as_json)?);
            }
            match on_runtime(verify_live(config, &command, as_json)) {
                Err(CliError::Exit(code)) => Err(CliError::Exit(code)),
                Err(error) => Err(not_verified(&error, as_json).into()),
                Ok(()) => Ok(()),
            }
        }
        Audit::Export(command) => on_runtime(export(config, command, as_json)),
        Audit::Find(command) if ask::is_export(&command.log) => Ok(ask::find(&command, as_json)?),
        Audit::Find(command) => on_runtime(find::run(config, *command, as_json)),
        Audit::Prove(command) if ask::is_export(&command.log) => Ok(ask::prove(&command, as_json)?),
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

async fn verify_live(config: Config, command: &Verify, as_json: bool) -> Result<(), CliError> {
    no_media(command)?;
    if let Some(missing) = asked::missing(&config).await? {
        let (what, missing) = (&command.what, CliError::from(missing));
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
        CliError::Wrong(format!("no head of the log `{}` was signed yet; `serve` signs it", command.what))
    })?;
    let mut trust = match &command.trust {
        Some(path) => read_trust(path)?,
        None => own_trust(&config, &gate, &at).await?,
    };
    let (mut previous, mut system) = named(command);
    let unasked = previous.is_empty();
    // A trust file on the command line takes precedence.
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
    let beside = asked::patiently("reading what is registered", registers_of(&gate, &at.log)).await?;
    let verified =
        tokio::task::block_in_place(|| run_verification(&evidence, beside, &trust, command, as_json));
    gate.ledger().close().await;
    Ok(verified?)
}

/// What is wrong with the registers beside a log, or beside the log `system`.
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

/// The newest epochs of a log up to one, as far back as all of them exist.
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
            // The epoch has only just started.
            if sources.is_empty() { continue } else { break }
        };
        // If a head cannot be read, nobody can say who signed it; the verification reports what is wrong with
        // it.
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

/// An epoch of a log in the ledger; `None` if no head of it was signed yet.
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

async fn prove(config: Config, command: ask::Prove, as_json: bool) -> Result<(), CliError> {
    must_be_new(&command.out)?;
    let gate = asked::gate(&config).await?;
    let ask::Subject { recording, call, no_recording } = &command.subject;
    let about = match (recording, call, no_recording) {
        (Some(recording), ..) => About::Recording(recording),
        (None, Some(call), _) => About::Call(call),
        (None, None, Some(call)) => About::NoRecording(call),
        (None, None, None) => return Err(CliError::Wrong("say what to prove".into())),
    };
    asked::must_be_there(&gate, &command.log, "audit prove").await?;
    let mut waits = 0..SIGNED_WITHIN;
    let bytes = loop {
        let actor = Actor::command_line();
        match asked::patiently("collecting the evidence", gate.prove(&actor, &command.log, about)).await {
            Err(fault) if fault.code() == FaultCode::NotSignedYet && waits.next().is_some() => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            proven => break proven?,
        }
    };
    gate.ledger().close().await;
    create(&command.out, &bytes)?;
    say(as_json, &json!({"out": command.out, "bytes": bytes.len()}), || {
        format!("a proof pack of {} bytes in {}", bytes.len(), command.out.display())
    });
    Ok(())
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
        let entries = counted(head.size, "entry");
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
        "there is a new key; `serve` uses it within a second, or when it starts. Give auditors the new trust \
         file; the old one continues to work, through the entry that names the new key"
            .into()
    });
    Ok(())
}

/// The key that the gateway signed this epoch with, and the configured witnesses, all of which have to
/// cosign.
async fn own_trust(config: &Config, gate: &Gate, at: &Epoch) -> Result<Trust, CliError> {
    let key = gate.key_of(at, &own_name(config, gate)).await?.ok_or_else(|| {
        CliError::Wrong(format!(
            "epoch {} of the log `{}` was signed with a key that is retired, and no entry that names the key \
             is left; use the trust file from that time",
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

/// The name that the origins of all logs begin with.
pub(super) fn own_name(config: &Config, gate: &Gate) -> String {
    config.log_name.clone().unwrap_or_else(|| gate.secrets().log.default_name())
}

/// How many times to look for a signature of what has just happened: `serve` signs once a second.
const SIGNED_WITHIN: u32 = 12;
const LOOK_AGAIN: Duration = Duration::from_millis(250);
