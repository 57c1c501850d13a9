//! What commands are given: words, passwords, accounts.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::Value;
use zeroize::Zeroizing;

use super::CliError;
use crate::config::Config;
use crate::gate::Gate;
use crate::serve;
use trail::clock::Clock;

/// The gate on a ledger that is there. Who only asks makes none: in the wrong directory it would look like an
/// empty one, and have secrets of its own.
pub(super) async fn gate(config: &Config) -> Result<Gate, CliError> {
    if let Some(missing) = missing(config) {
        return Err(CliError::Wrong(format!(
            "{missing}: name its directory with `--data`, or make one with `consent-gateway account add`"
        )));
    }
    Ok(serve::gate(config, Clock::system()).await?)
}

/// What is not there of what a gateway makes at its first start.
pub(super) fn missing(config: &Config) -> Option<String> {
    let (data, secrets) = (&config.data, config.secrets_dir());
    let blocked = data.exists() && !data.is_dir();
    if config.ledger.is_none() && !crate::ledger::file(data).exists() && !blocked {
        Some(format!("there is no ledger in `{}`", data.display()))
    } else if config.ledger.is_some() && !secrets.exists() && !blocked {
        Some(format!("there are no secrets in `{}`", secrets.display()))
    } else {
        None
    }
}

pub(super) async fn must_exist(gate: &Gate, account: &str) -> Result<(), CliError> {
    match gate.ledger().account(account).await.map_err(crate::gate::Fault::from)? {
        Some(_) => Ok(()),
        None => Err(CliError::Wrong(format!(
            "there is no account `{account}`; add it with `consent-gateway account add`"
        ))),
    }
}

/// As [`must_exist`], before somebody who reads and has no account to add.
pub(super) async fn must_be_there(gate: &Gate, account: &str, command: &str) -> Result<(), CliError> {
    if gate.ledger().account(account).await.map_err(crate::gate::Fault::from)?.is_some() {
        return Ok(());
    }
    let is_file = account.ends_with(".zip") || std::path::Path::new(account).exists();
    Err(CliError::Wrong(match is_file {
        true => format!(
            "`{account}` is an export: `{command}` reads an account of the ledger; name the account, and `--data` \
             where its ledger is"
        ),
        false => format!(
            "there is no account `{account}` in this ledger; `consent-gateway account list` shows its accounts"
        ),
    }))
}

/// The first line of standard input; at a terminal it is asked for, and not shown.
pub(super) fn read_password() -> Result<Zeroizing<String>, CliError> {
    let io = |source| CliError::Io { what: "standard input cannot be read".into(), source };
    let stdin = std::io::stdin();
    let mut line = Zeroizing::new(Vec::new());
    if stdin.is_terminal() {
        let _ = write!(std::io::stderr(), "Password: ");
        let shown = tcgetattr(&stdin).map_err(|errno| io(errno.into()))?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(|errno| io(errno.into()))?;
        let read = stdin.lock().read_until(b'\n', &mut line);
        tcsetattr(&stdin, OptionalActions::Flush, &shown).map_err(|errno| io(errno.into()))?;
        let _ = writeln!(std::io::stderr());
        read.map_err(io)?;
    } else {
        stdin.lock().read_until(b'\n', &mut line).map_err(io)?;
    }
    let text = std::str::from_utf8(&line).map_err(|_| {
        CliError::Wrong(
            "the password is not UTF-8: it would not be the one that is sent with a request".into(),
        )
    })?;
    // Some editors and shells put a byte order mark before a text; nobody types it again.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, CliError> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| CliError::Wrong(error.to_string()))
}
