//! The command line. One binary; every command takes `--config`, `--data` and `--ledger`.

mod admin;
mod asked;
mod audit;
mod check;
mod decide;
mod demo;
mod erase;
mod find;
mod logging;
mod person;
mod reopen;
mod table;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError, LedgerUrl};
use crate::gate::Fault;
use crate::ledger::LedgerError;
use crate::serve::{self, ServeError};
use trail::chain::Chain;
use trail::cli::{ask, media, out};
use trail::clock::Clock;

#[derive(Parser)]
#[command(
    name = "consent-gateway",
    version,
    about = "A consent-enforcing recording gateway: no consent, no bytes"
)]
struct Cli {
    /// The configuration file (TOML)
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [default: ./data]
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "DIR")]
    data: Option<PathBuf>,
    /// A PostgreSQL server for the ledger: `postgres://user@host/database` [default: SQLite below the data directory]
    // A password may be in it, so the environment is the better place, and help does not show it.
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "URL",
        env = "CONSENT_GATEWAY_LEDGER",
        hide_env_values = true
    )]
    ledger: Option<String>,
    /// Print what a script would read
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway
    Serve {
        /// Where to listen [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDRESS", value_parser = crate::config::listen_address)]
        listen: Option<SocketAddr>,
        /// A table of jurisdictions instead of the one that is compiled in
        #[arg(long, value_name = "FILE")]
        jurisdictions: Option<PathBuf>,
    },
    /// Show the whole main job, over HTTP, in a temporary directory
    Demo {
        /// Leave it running, and print the curl lines
        #[arg(long)]
        keep: bool,
    },
    /// Accounts
    #[command(subcommand)]
    Account(admin::Account),
    /// Credentials
    #[command(subcommand)]
    Credential(admin::Credential),
    /// People: who stands behind credentials, and who counts as a second person
    #[command(subcommand)]
    Person(person::Person),
    /// The customers' public keys
    #[command(subcommand)]
    Key(admin::Key),
    /// Prompts
    #[command(subcommand)]
    Prompt(admin::PromptCommand),
    /// Consent given outside of calls
    #[command(subcommand)]
    ConsentGrant(admin::GrantCommand),
    /// Make a key pair, on the customer's side
    Keygen {
        /// Where `private.pem` and `public.pem` go
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Open sealed media, on the customer's side
    Open(media::Open),
    /// Explain what the law asks of a call, offline
    Decide {
        /// The body of `PUT /v1/calls/{call}`, with optional `events` and `at`; `-` for standard input
        facts: PathBuf,
        /// A table of jurisdictions instead of the one that is compiled in
        #[arg(long, value_name = "FILE")]
        jurisdictions: Option<PathBuf>,
    },
    /// What was decided on a call then, and what would be decided today; of an export, its story
    Explain(ask::Explain),
    /// Erase what is known of somebody; what was proven stays proven
    Erase(erase::Erase),
    /// Write the ledger's file anew, so that nothing is left in it of what was erased
    Compact,
    /// The table of jurisdictions: check, compare, rehearse, publish
    #[command(subcommand)]
    Table(table::TableCommand),
    /// The audit trail: verify it, take it along, and the key that signs it
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Print the description of the API: OpenAPI 3.1
    Openapi,
    /// Try everything that `serve` needs, and say what `serve` would do
    Check {
        /// A table of jurisdictions instead of the one that is compiled in
        #[arg(long, value_name = "FILE")]
        jurisdictions: Option<PathBuf>,
    },
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("{}", words::of(.0))]
    Fault(Fault),
    #[error(transparent)]
    Open(#[from] seal::OpenError),
    #[error("{what}")]
    Io { what: String, source: std::io::Error },
    #[error("{0}")]
    Wrong(String),
    #[error("the demo did not go as it should: {0}")]
    Demo(String),
    /// Everything was said; scripts read the code.
    #[error("exit code {0}")]
    Exit(u8),
}

impl From<trail::cli::CliError> for CliError {
    fn from(error: trail::cli::CliError) -> Self {
        match error {
            trail::cli::CliError::Io { what, source } => CliError::Io { what, source },
            trail::cli::CliError::Open(error) => CliError::Open(error),
            trail::cli::CliError::Wrong(what) => CliError::Wrong(what),
            trail::cli::CliError::Exit(code) => CliError::Exit(code),
        }
    }
}

impl From<Fault> for CliError {
    fn from(fault: Fault) -> Self {
        CliError::Fault(fault)
    }
}

impl CliError {
    /// What the ledger says, in its words: who has a shell here may know.
    fn of_ledger(error: LedgerError) -> CliError {
        CliError::Wrong(format!("{}", Chain(&error)))
    }
}

/// Runs the program: parses the command line, and answers with its exit code.
#[must_use]
pub fn run() -> ExitCode {
    crate::files::keep_private();
    let cli = Cli::parse();
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Exit(code)) => ExitCode::from(code),
        Err(error) => {
            out::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> Result<(), CliError> {
    let mut config = match &cli.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if let Some(data) = cli.data {
        config.data = data;
    }
    if let Some(url) = cli.ledger {
        config.ledger = Some(LedgerUrl::new(url));
    }
    let json = cli.json;
    match cli.command {
        Command::Serve { listen, jurisdictions } => {
            config.listen = listen.unwrap_or(config.listen);
            config.jurisdictions = jurisdictions.or(config.jurisdictions);
            logging::start(config.log_json);
            on_runtime(run_server(config))
        }
        Command::Demo { keep } => on_runtime(demo::run(keep)),
        Command::Account(command) => on_runtime(admin::account(config, command, json)),
        Command::Credential(command) => on_runtime(admin::credential(config, command, json)),
        Command::Person(command) => on_runtime(person::run(config, command, json)),
        Command::Key(command) => on_runtime(admin::key(config, command, json)),
        Command::Prompt(command) => on_runtime(admin::prompt(config, command, json)),
        Command::ConsentGrant(command) => on_runtime(admin::grant(config, command, json)),
        Command::Keygen { out } => Ok(media::keygen(&out, json)?),
        Command::Open(command) => Ok(media::open(&command, json)?),
        Command::Decide { facts, jurisdictions } => {
            config.jurisdictions = jurisdictions.or(config.jurisdictions);
            decide::run(&config, &facts)
        }
        Command::Explain(command) if ask::is_export(&command.log) => Ok(ask::explain(&command, json)?),
        Command::Explain(ask::Explain { log, call, at, .. }) => {
            on_runtime(admin::explain(config, log, call, at))
        }
        Command::Erase(asked) => on_runtime(erase::run(config, asked, json)),
        Command::Compact => on_runtime(erase::compact(config, json)),
        Command::Table(command) => on_runtime(table::run(config, command, json)),
        Command::Audit(command) => audit::run(config, command, json),
        Command::Openapi => {
            out::json(crate::api::openapi::document());
            Ok(())
        }
        Command::Check { jurisdictions } => {
            config.jurisdictions = jurisdictions.or(config.jurisdictions);
            on_runtime(check::run(config, json))
        }
    }
}

async fn run_server(config: Config) -> Result<(), CliError> {
    use tokio::signal::unix::{SignalKind, signal};
    let caught = |kind| {
        signal(kind).map_err(|source| CliError::Io { what: "signals cannot be caught".into(), source })
    };
    // Before anybody is served: whoever is told to stop ends as they should.
    let (mut terminate, mut interrupt) = (caught(SignalKind::terminate())?, caught(SignalKind::interrupt())?);
    let mut told_to_stop = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let running = tokio::select! {
        running = serve::start(&config, Clock::system()) => running?,
        // A start is like a crash to whoever comes next: nothing was served.
        () = told_to_stop() => return Ok(()),
    };
    let (door, shutdown) = (Arc::clone(&running.door), running.shutdown());
    let mut ended = std::pin::pin!(running.wait());
    tokio::select! {
        ended = &mut ended => return Ok(ended?),
        () = told_to_stop() => {}
    }
    door.gate.note_stopping();
    drop(door);
    if config.lame_duck_seconds > 0 {
        let seconds = config.lame_duck_seconds;
        tracing::info!(seconds, "stopping: requests are still taken, and `/readyz` answers 503");
        tokio::select! {
            ended = &mut ended => return Ok(ended?),
            // A second signal ends the wait.
            () = told_to_stop() => {}
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        }
    }
    tracing::info!("stopping once running requests have ended");
    shutdown.cancel();
    Ok(ended.await?)
}

fn on_runtime(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Io { what: "the runtime cannot be started".into(), source })?;
    let done = runtime.block_on(work);
    // Whoever still waits for a lock, or for a disk that does not answer, has nothing left to acknowledge.
    runtime.shutdown_timeout(Duration::from_secs(5));
    done
}
