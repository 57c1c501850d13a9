//! The command line of whoever checks: verify a log or a proof pack, ask an export, open what was sealed.
//!
//! `consent-verify` has these commands and no others; `consent-gateway` has them beside its own, which ask a ledger.

pub mod ask;
pub mod bar;
pub mod media;
pub mod out;
pub mod verify;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The program `consent-verify`.
#[derive(Debug, Parser)]
#[command(
    name = "consent-verify",
    version,
    about = "Check the audit trail of a consent gateway, offline",
    after_help = "Example:\n  consent-verify verify export.zip --trust trust.txt\n\nExit codes of verify: 0 good, 1 tampered with, 2 unusable, 3 incomplete."
)]
struct Program {
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify an exported log, or a proof pack
    Verify(verify::Verify),
    /// Find entries of an export
    Find(Box<ask::Find>),
    /// Tell what happened on a call, and what the law asked
    Explain(ask::Explain),
    /// Make a proof pack from an export
    Prove(ask::Prove),
    /// Open a sealed recording with the private key
    Open(media::Open),
    /// Make a key pair
    Keygen {
        /// Where `private.pem` and `public.pem` go
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A file fails.
    #[error("{what}")]
    Io {
        /// What could not be done.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// Sealed media cannot be opened, or a key pair cannot be made.
    #[error(transparent)]
    Open(#[from] seal::OpenError),
    /// What was asked cannot be done.
    #[error("{0}")]
    Wrong(String),
    /// Everything was printed; scripts read the code.
    #[error("exit code {0}")]
    Exit(u8),
}

/// Runs `consent-verify`, and returns its exit code.
#[must_use]
pub fn run() -> ExitCode {
    let Program { json, command } = Program::parse();
    let done = match command {
        Command::Verify(command) => verify::verify(&command, json),
        Command::Find(command) => ask::find(&command, json),
        Command::Explain(command) => ask::explain(&command, json),
        Command::Prove(command) => ask::prove(&command, json),
        Command::Open(command) => media::open(&command, json),
        Command::Keygen { out } => media::keygen(&out, json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Exit(code)) => ExitCode::from(code),
        Err(error) => {
            out::error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Writes a new file for its owner alone: names and numbers may be in it.
///
/// # Errors
///
/// A file that exists is not overwritten; or it cannot be written.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.and_then(|mut file| file.write_all(bytes)).map_err(|source| unmade(path, source))
}

/// Returns an error if something exists there: it would not be overwritten.
///
/// # Errors
///
/// Something exists.
pub fn must_be_new(out: &Path) -> Result<(), CliError> {
    match std::fs::symlink_metadata(out) {
        Ok(_) => Err(unmade(out, io::ErrorKind::AlreadyExists.into())),
        Err(_) => Ok(()),
    }
}

/// Why nothing can be made there.
#[must_use]
pub fn unmade(out: &Path, source: io::Error) -> CliError {
    let out = out.display();
    if source.kind() == io::ErrorKind::AlreadyExists {
        return CliError::Wrong(format!("`{out}` exists already and is not overwritten: name another file"));
    }
    CliError::Io { what: format!("`{out}` cannot be made"), source }
}
