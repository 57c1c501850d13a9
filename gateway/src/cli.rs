//! The command line. One binary; every command takes `--config`, `--data` and `--ledger`.

mod account;
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
mod prompt;
mod reading;
mod reopen;
mod scope;
mod store;
mod sweep;
mod table;
mod words;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::{Config, ConfigError, LedgerUrl};
use crate::gate::Fault;
use crate::ledger::LedgerError;
use crate::serve::{self, ServeError};
use trail::chain::Chain;
use trail::cli::{ask, media, out, parsed};
use trail::clock::Clock;

#[derive(Parser)]
#[command(
    name = "consent-gateway",
    version,
    about = "A consent-enforcing recording gateway: no consent, no bytes",
    after_help = "`consent-gateway help COMMAND` tells of a command, with an example. To see the main job done:\n  \
                  consent-gateway demo"
)]
struct Cli {
    /// The configuration file (TOML)
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [default: ./data]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A PostgreSQL server for the ledger, `postgres://user@host/database` [default: SQLite below the data directory]
    // A password may be in it, so the environment is the better place, and help does not show it.
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_name = "URL",
        env = "CONSENT_GATEWAY_LEDGER",
        hide_env_values = true
    )]
    ledger: Option<String>,
    /// Print JSON, for scripts
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway
    #[command(after_help = "Examples:\n  consent-gateway serve --listen localhost:8080\n  \
                            consent-gateway --config /etc/consent-gateway/gateway.toml serve")]
    Serve {
        /// Where to listen [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDRESS", value_parser = crate::config::listen_address)]
        listen: Option<SocketAddr>,
        /// A table of jurisdictions instead of the one that is compiled in
        #[arg(long, value_name = "FILE")]
        jurisdictions: Option<PathBuf>,
        /// Read every log from its first entry before anybody is served, instead of in the background
        #[arg(long)]
        verify_first: bool,
    },
    /// Show the whole main job, over HTTP, in a temporary directory
    #[command(after_help = "Example:\n  consent-gateway demo --keep")]
    Demo {
        /// Leave it running, and print the curl lines
        #[arg(long)]
        keep: bool,
    },
    /// Add and list accounts
    #[command(subcommand)]
    Account(account::Account),
    /// Add, list and revoke credentials: who may do what
    #[command(subcommand)]
    Credential(admin::Credential),
    /// People: who stands behind credentials, and who counts as a second person
    #[command(subcommand)]
    Person(person::Person),
    /// Add, list and retire the customers' public keys
    #[command(subcommand)]
    Key(admin::Key),
    /// Register, list and check prompts: what is played or said
    #[command(subcommand)]
    Prompt(prompt::PromptCommand),
    /// Register and withdraw consent given outside of calls
    #[command(subcommand)]
    ConsentGrant(admin::GrantCommand),
    /// Make a key pair, on the customer's side
    #[command(after_help = "Example:\n  consent-gateway keygen --out customer")]
    Keygen {
        /// Where `private.pem` and `public.pem` go
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Open sealed media, on the customer's side
    #[command(after_help = "Example:\n  consent-gateway open sealed.bin --envelope description.json \
                            --key customer/private.pem --out call.wav")]
    Open(media::Open),
    /// Explain what the law asks of a call, offline
    #[command(after_help = "Example:\n  consent-gateway decide call.json")]
    Decide {
        /// The body of `PUT /v1/calls/{call}`, with optional `events` and `at`; `-` for standard input
        facts: PathBuf,
        /// A table of jurisdictions instead of the one that is compiled in
        #[arg(long, value_name = "FILE")]
        jurisdictions: Option<PathBuf>,
    },
    /// Explain which calls a Kazoo platform records by its own settings, offline
    #[command(after_help = "Example:\n  consent-gateway scope call.json")]
    Scope {
        /// The body of `POST /v1/recording-scope`; `-` for standard input
        file: PathBuf,
    },
    /// What was decided on a call then, and what would be decided today; of an export, its story
    #[command(after_help = "Examples:\n  consent-gateway explain acme c-42\n  \
                            consent-gateway explain acme.zip c-42 --trust trust.txt")]
    Explain(ask::Explain),
    /// Erase what is known of somebody; what was proven stays proven
    #[command(
        after_help = "Example:\n  consent-gateway erase acme --number +15550100100 --recordings delete \
                            --reason 'request 4711'"
    )]
    Erase(erase::Erase),
    /// Delete the recordings whose time is over, as `serve` does every ten minutes; list those for counsel
    #[command(after_help = "Examples:\n  consent-gateway sweep --dry-run\n  consent-gateway sweep --json")]
    Sweep(sweep::Sweep),
    /// Write the ledger's file anew, so that nothing is left in it of what was erased
    Compact,
    /// The table of jurisdictions: check, compare, rehearse, publish
    #[command(subcommand)]
    Table(table::TableCommand),
    /// Readings: how an account's own counsel reads the law of a place
    #[command(subcommand)]
    Reading(reading::ReadingCommand),
    /// The audit trail: verify it, take it along, and the key that signs it
    #[command(subcommand)]
    Audit(audit::Audit),
    /// The store without a ledger: what is in it, and how to get it out
    #[command(subcommand)]
    Store(store::Store),
    /// Print the description of the API: OpenAPI 3.1
    Openapi,
    /// Try everything that `serve` needs, and say what `serve` would do
    #[command(
        after_help = "Examples:\n  consent-gateway check --config /etc/consent-gateway/gateway.toml\n  \
                            consent-gateway check --running\n  consent-gateway check --store --json"
    )]
    Check {
        /// Ask the gateway that runs by this configuration whether it is ready: exit code 0 it is, 1 nobody answers,
        /// 3 it runs and is not ready
        #[arg(long, conflicts_with = "jurisdictions")]
        running: bool,
        /// Compare the ledger with the store, both ways, and change nothing: exit code 3 if media or an envelope of a
        /// recording are missing, or if one that was deleted is still there
        #[arg(long, conflicts_with_all = ["running", "jurisdictions"])]
        store: bool,
        /// A table of jurisdictions instead of the one that is compiled in
        #[arg(long, value_name = "FILE")]
        jurisdictions: Option<PathBuf>,
    },
    /// Print what completes commands in a shell
    #[command(after_help = "Examples:\n  \
                            consent-gateway completions bash > /etc/bash_completion.d/consent-gateway\n  \
                            consent-gateway completions zsh --of consent-verify > _consent-verify")]
    Completions {
        /// The shell
        shell: Shell,
        /// The program
        #[arg(long, value_enum, default_value = "consent-gateway", value_name = "PROGRAM")]
        of: Program,
    },
    /// Write the manual pages of this program and of `consent-verify`, one for each command
    #[command(after_help = "Example:\n  consent-gateway man --out /usr/local/share/man/man1")]
    Man {
        /// Where they go
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// One of our programs.
#[derive(Clone, Copy, ValueEnum)]
enum Program {
    /// The gateway
    ConsentGateway,
    /// What checks its trail
    ConsentVerify,
}

impl Program {
    fn command(self) -> clap::Command {
        match self {
            Program::ConsentGateway => Cli::command(),
            Program::ConsentVerify => trail::cli::program(),
        }
    }
}

/// What every command takes.
const EVERYWHERE: &str = "Options of every command";

/// The commands, by what they are for.
const GROUPS: &[(&str, &[&str])] = &[
    ("Run it", &["serve", "check", "demo"]),
    ("Set it up", &["account", "credential", "person", "key", "prompt", "consent-grant"]),
    ("The law", &["table", "reading", "decide", "scope"]),
    ("Audit, and erase", &["audit", "explain", "erase", "sweep", "compact"]),
    ("Without a gateway", &["keygen", "open", "store"]),
    ("The program itself", &["openapi", "completions", "man"]),
];

/// The command line, its overview in groups: clap lists commands in one.
fn program() -> clap::Command {
    let program = Cli::command();
    let header = *program.get_styles().get_header();
    let name = *program.get_styles().get_literal();
    let mut groups = String::new();
    for (group, commands) in GROUPS {
        groups.push_str(&format!("{header}{group}:{header:#}\n"));
        for command in commands.iter().filter_map(|name| program.find_subcommand(name)) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            groups.push_str(&format!("  {name}{:<13}{name:#}  {about}\n", command.get_name()));
        }
        groups.push('\n');
    }
    program.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{header}{EVERYWHERE}:{header:#}\n{{options}}{{after-help}}"
    ))
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
    match execute(parsed(program())) {
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
        Command::Serve { listen, jurisdictions, verify_first } => {
            config.verify_first |= verify_first;
            config.listen = listen.unwrap_or(config.listen);
            config.jurisdictions = jurisdictions.or(config.jurisdictions);
            logging::start(config.log_json);
            on_runtime(run_server(config))
        }
        Command::Demo { keep } => on_runtime(demo::run(keep)),
        Command::Account(command) => on_runtime(account::account(config, command, json)),
        Command::Credential(command) => on_runtime(admin::credential(config, command, json)),
        Command::Person(command) => on_runtime(person::run(config, command, json)),
        Command::Key(command) => on_runtime(admin::key(config, command, json)),
        Command::Prompt(command) => on_runtime(prompt::prompt(config, command, json)),
        Command::ConsentGrant(command) => on_runtime(admin::grant(config, command, json)),
        Command::Keygen { out } => Ok(media::keygen(&out, json)?),
        Command::Open(command) => Ok(media::open(&command, json)?),
        Command::Decide { facts, jurisdictions } => {
            config.jurisdictions = jurisdictions.or(config.jurisdictions);
            decide::run(&config, &facts)
        }
        Command::Scope { file } => scope::run(&file),
        Command::Explain(command) if ask::is_export(&command.log) => Ok(ask::explain(&command, json)?),
        Command::Explain(ask::Explain { log, call, at, .. }) => {
            on_runtime(admin::explain(config, log, call, at))
        }
        Command::Erase(asked) => on_runtime(erase::run(config, asked, json)),
        Command::Sweep(asked) => on_runtime(sweep::run(config, asked, json)),
        Command::Compact => on_runtime(erase::compact(config, json)),
        Command::Table(command) => on_runtime(table::run(config, command, json)),
        Command::Reading(command) => on_runtime(reading::run(config, command, json)),
        Command::Audit(command) => audit::run(config, command, json),
        Command::Store(command) => store::run(command, json),
        Command::Openapi => {
            out::json(crate::api::openapi::document());
            Ok(())
        }
        Command::Completions { shell, of } => completions(shell, of),
        Command::Man { out } => man(&out),
        Command::Check { running: true, .. } => on_runtime(check::running(config, json)),
        Command::Check { store: true, .. } => on_runtime(check::store(config, json)),
        Command::Check { jurisdictions, .. } => {
            config.jurisdictions = jurisdictions.or(config.jurisdictions);
            on_runtime(check::run(config, json))
        }
    }
}

/// Prints what completes a program's commands.
fn completions(shell: Shell, of: Program) -> Result<(), CliError> {
    let (mut program, mut script) = (of.command(), Vec::new());
    let name = program.get_name().to_owned();
    clap_complete::generate(shell, &mut program, &name, &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Bash {
        // clap_complete 4.6 writes a hyphen of the program's name in two ways.
        script = script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"));
    }
    Ok(ask::write(script.as_bytes())?)
}

/// Writes the manual pages.
fn man(out: &Path) -> Result<(), CliError> {
    let io = |source| CliError::Io { what: format!("`{}` cannot be written", out.display()), source };
    std::fs::create_dir_all(out).map_err(io)?;
    for program in Program::value_variants() {
        clap_mangen::generate_to(program.command(), out).map_err(io)?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _, Parser as _};

    use super::{Cli, GROUPS, program};

    /// Every command that has none of its own below it, with its name.
    fn leaves(command: &Command, name: &str, found: &mut Vec<(String, Command)>) {
        if !command.has_subcommands() {
            found.push((name.to_owned(), command.clone()));
        }
        for below in command.get_subcommands() {
            leaves(below, &format!("{name} {}", below.get_name()), found);
        }
    }

    /// As a shell splits it.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words
    }

    #[test]
    fn every_command_is_in_one_group_of_the_overview() {
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, commands)| *commands).copied().collect();
        let cli = Cli::command();
        for command in cli.get_subcommands() {
            let times = grouped.iter().filter(|name| **name == command.get_name()).count();
            assert_eq!(times, 1, "{}", command.get_name());
        }
        assert_eq!(grouped.len(), cli.get_subcommands().count());
        let help = program().render_help().to_string();
        for (group, _) in GROUPS {
            assert!(help.contains(&format!("\n{group}:\n  ")), "{help}");
        }
        assert!(help.contains("--ledger") && !help.contains('{'), "{help}");
    }

    #[test]
    fn every_command_that_is_told_anything_shows_an_example_that_can_be_typed() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "consent-gateway", &mut found);
        assert!(found.len() > 40);
        for (name, command) in found {
            let example = command.get_after_help().map(ToString::to_string);
            let own = command.get_arguments().count();
            assert!(example.is_some() || own == 0, "`{name}` has no example");
            let Some(example) = example else { continue };
            assert!(
                example.starts_with("Example:\n") || example.starts_with("Examples:\n"),
                "{name}: {example}"
            );
            let lines: Vec<&str> = example.lines().filter(|line| line.starts_with("  ")).collect();
            assert!(!lines.is_empty(), "{name}: {example}");
            for line in lines {
                let (line, _) = line.split_once(" > ").unwrap_or((line, ""));
                let typed = words(line.trim());
                let (_, below) = name.split_once(' ').unwrap();
                assert!(line.contains(below), "{name}: {line}");
                if let Err(error) = Cli::try_parse_from(&typed) {
                    panic!("{name}: {line}: {error}");
                }
            }
        }
    }
}
