//! The command line of whoever checks: verify a log or a proof pack, ask an export, open what was sealed.
//!
//! `consent-verify` has these commands and no others; `consent-gateway` has them beside its own, which ask a ledger.

pub mod ask;
pub mod bar;
pub mod media;
pub mod out;
pub mod verify;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches, Parser, Subcommand};

/// The program `consent-verify`.
#[derive(Debug, Parser)]
#[command(
    name = "consent-verify",
    version,
    about = "Check the audit trail of a consent gateway, offline",
    after_help = "Example:\n  consent-verify verify export.zip --trust trust.txt"
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
    /// Verify an exported log, or a proof pack: exit code 0 good, 1 tampered with, 2 unusable, 3 incomplete
    #[command(after_help = "Examples:\n  consent-verify verify export.zip --trust trust.txt\n  \
                            consent-verify verify pack.zip --trust trust.txt --media sealed.bin")]
    Verify(verify::Verify),
    /// Find entries of an export
    #[command(
        after_help = "Example:\n  consent-verify find export.zip --call c-42 --outcome consented,declined"
    )]
    Find(Box<ask::Find>),
    /// Tell what happened on a call, and what the law asked
    #[command(after_help = "Example:\n  consent-verify explain export.zip c-42")]
    Explain(ask::Explain),
    /// Make a proof pack from an export
    #[command(after_help = "Example:\n  consent-verify prove export.zip --call c-42 --out pack.zip")]
    Prove(ask::Prove),
    /// Open a sealed recording with the private key
    #[command(after_help = "Example:\n  consent-verify open sealed.bin --envelope description.json \
                            --key private.pem --out call.wav")]
    Open(media::Open),
    /// Make a key pair
    #[command(after_help = "Example:\n  consent-verify keygen --out customer")]
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

/// The command line of `consent-verify`, for whoever documents it.
#[must_use]
pub fn program() -> clap::Command {
    Program::command()
        .mut_subcommand("find", |find| find.mut_arg("after", |after| after.hide(true)))
        .mut_subcommand("explain", |explain| explain.mut_arg("at", |at| at.hide(true)))
}

/// Parses the command line of this process. What is wrong with it is told with an example of what to type, and ends
/// the process, as `--help` does.
#[must_use]
pub fn parsed<P: FromArgMatches>(mut program: clap::Command) -> P {
    let words: Vec<OsString> = std::env::args_os().collect();
    let parsed = program.try_get_matches_from_mut(&words).and_then(|matches| P::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| {
        // Where nobody reads it, nothing is left to be done about it.
        let _ = error.print();
        let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        if let Some(example) =
            meant(&program, &words).get_after_help().filter(|_| error.use_stderr() && !is_help)
        {
            let _ = writeln!(io::stderr().lock(), "\n{example}");
        }
        std::process::exit(error.exit_code())
    })
}

/// The command that was meant: the last one that is named.
fn meant<'p>(program: &'p clap::Command, words: &[OsString]) -> &'p clap::Command {
    let mut meant = program;
    let mut words = words.iter().skip(1).filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        match word.strip_prefix("--") {
            Some(option) => {
                // Its value may be called as a command is.
                let named =
                    |arg: &&clap::Arg| arg.get_long() == Some(option) && arg.get_action().takes_values();
                if meant.get_arguments().chain(program.get_arguments()).any(|arg| named(&arg)) {
                    words.next();
                }
            }
            None => meant = meant.find_subcommand(word).unwrap_or(meant),
        }
    }
    meant
}

/// Runs `consent-verify`, and returns its exit code.
#[must_use]
pub fn run() -> ExitCode {
    let Program { json, command } = parsed(program());
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::create;

    #[test]
    fn a_new_file_is_private_and_an_older_one_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pack.zip");
        create(&path, b"older").unwrap();
        assert!(create(&path, b"newer").unwrap_err().to_string().contains("exists already"));
        assert_eq!(std::fs::read(&path).unwrap(), b"older");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }
}
