//! Input of commands: the gate, accounts, words, passwords.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::CliError;
use crate::config::{Config, LedgerUrl};
use crate::gate::Gate;
use crate::ledger::Ledger;
use crate::serve;
use trail::cli::bar::Bar;
use trail::clock::Clock;

/// Opens the gate on an existing ledger. A command that only reads must not create one: in the wrong
/// directory, the new ledger would look like an empty one, and have secrets of its own.
pub(super) async fn gate(config: &Config) -> Result<Gate, CliError> {
    match missing(config).await? {
        Some(missing) => Err(missing.into()),
        None => Ok(serve::gate(config, Clock::system()).await?),
    }
}

/// What is missing that the first start of a gateway creates.
pub(super) enum Missing {
    /// A ledger, or the data directory beside a ledger on a server; the text says which.
    Data(String),
    /// The secrets that the ledger was written with.
    Secrets(PathBuf),
}

impl From<Missing> for CliError {
    fn from(missing: Missing) -> CliError {
        CliError::Wrong(match missing {
            Missing::Data(told) => format!(
                "{told}: name the right directory with `--data`, or create a ledger with `consent-gateway \
                 account add`"
            ),
            Missing::Secrets(dir) => format!(
                "there are no secrets in `{}`: name the directory with `--data`, or copy the secrets of the gateways \
                 that share the ledger",
                dir.display()
            ),
        })
    }
}

/// What is missing, if anything. Creates nothing.
pub(super) async fn missing(config: &Config) -> Result<Option<Missing>, CliError> {
    let (data, secrets) = (&config.data, config.secrets_dir());
    if data.exists() && !data.is_dir() {
        return Ok(None);
    }
    let url = config.ledger.as_ref().map(LedgerUrl::expose);
    let has_ledger = Ledger::is_there(data, url).await.map_err(serve::ServeError::from)?;
    Ok(match url {
        None if has_ledger => None,
        None => Some(Missing::Data(format!("there is no ledger in `{}`", data.display()))),
        Some(_) if !has_ledger => {
            Some(Missing::Data("there is no ledger in the database that `--ledger` names".into()))
        }
        Some(_) if !secrets.exists() => Some(Missing::Secrets(secrets)),
        Some(_) if !data.exists() => {
            Some(Missing::Data(format!("there is no data directory `{}`", data.display())))
        }
        Some(_) => None,
    })
}

pub(super) async fn must_exist(gate: &Gate, account: &str) -> Result<(), CliError> {
    match gate.ledger().account(account).await.map_err(crate::gate::Fault::from)? {
        Some(_) => Ok(()),
        None => Err(CliError::Wrong(format!(
            "there is no account `{account}`; add it with `consent-gateway account add`"
        ))),
    }
}

/// As [`must_exist`], for a command that only reads: adding the account would not help.
pub(super) async fn must_be_there(gate: &Gate, account: &str, command: &str) -> Result<(), CliError> {
    if gate.ledger().account(account).await.map_err(crate::gate::Fault::from)?.is_some() {
        return Ok(());
    }
    let is_file = account.ends_with(".zip") || std::path::Path::new(account).exists();
    Err(CliError::Wrong(match is_file {
        true => format!(
            "`{account}` is an export, but `{command}` reads an account of a ledger; name the account, and \
             the ledger's directory with `--data`"
        ),
        false => format!(
            "there is no account `{account}` in this ledger; `consent-gateway account list` shows its accounts"
        ),
    }))
}

/// Waits for work of unknown length; a terminal shows the seconds.
pub(super) async fn patiently<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let bar = Bar::of(what);
    let mut work = std::pin::pin!(work);
    let mut seconds: u64 = 0;
    let done = loop {
        match tokio::time::timeout(Duration::from_secs(1), work.as_mut()).await {
            Ok(done) => break done,
            Err(_) => {
                seconds = seconds.saturating_add(1);
                bar.wait(seconds);
            }
        }
    };
    bar.end();
    done
}

/// Reads an existing password.
pub(super) async fn read_password() -> Result<Zeroizing<String>, CliError> {
    line_of(read_line("Password: ").await?)
}

/// Reads a new password; at a terminal twice, since nobody sees what they type.
pub(super) async fn read_new_password() -> Result<Zeroizing<String>, CliError> {
    let first = line_of(read_line("New password: ").await?)?;
    if std::io::stdin().is_terminal() && first != line_of(read_line("Once more: ").await?)? {
        return Err(CliError::Wrong("the passwords differ; nothing was done".into()));
    }
    Ok(first)
}

/// The first line of standard input; a terminal asks for it, and does not show it.
async fn read_line(ask: &str) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let io = |source| CliError::Io { what: "standard input cannot be read".into(), source };
    let read = || {
        let mut line = Zeroizing::new(Vec::new());
        std::io::stdin().lock().read_until(b'\n', &mut line).map(|_| line)
    };
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return read().map_err(io);
    }
    let mut interrupted = signal(SignalKind::interrupt()).map_err(io)?;
    let shown = tcgetattr(&stdin).map_err(|errno| io(errno.into()))?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(|errno| io(errno.into()))?;
    let _ = write!(std::io::stderr(), "{ask}");
    let read = tokio::select! {
        read = tokio::task::spawn_blocking(read) => Some(read),
        _ = interrupted.recv() => None,
    };
    // The terminal must echo again, no matter how the read ended.
    tcsetattr(&stdin, OptionalActions::Flush, &shown).map_err(|errno| io(errno.into()))?;
    let _ = writeln!(std::io::stderr());
    match read {
        Some(read) => read.map_err(|error| io(std::io::Error::other(error)))?.map_err(io),
        // The thread that reads is still blocked; exiting ends it.
        None => std::process::exit(INTERRUPTED),
    }
}

/// The typed text, without the end of the line.
fn line_of(line: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, CliError> {
    let text = std::str::from_utf8(&line)
        .map_err(|_| CliError::Wrong("the password is not UTF-8, so a request could not send it".into()))?;
    // Some editors and shells put a byte order mark at the start of a text; nobody types it again.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The exit code of an interrupted program, as in shells.
const INTERRUPTED: i32 = 130;

pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, CliError> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| CliError::Wrong(error.to_string()))
}
