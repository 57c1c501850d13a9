//! `reading`: how an account's own counsel reads the law of a place.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::asked::must_exist;
use super::person::{Who, principal};
use super::{CliError, asked, out};
use crate::config::Config;
use crate::gate::Gate;
use crate::gate::answer::{Reading, ReadingState};
use crate::gate::ask::StateReading;
use crate::serve;

#[derive(Subcommand)]
pub(super) enum ReadingCommand {
    /// List an account's readings, the newest first, and where it may ask less than the table
    #[command(after_help = "Example:\n  consent-gateway reading list acme")]
    List {
        /// The account
        account: String,
    },
    /// State how the account reads the law of a place; exit code 3 if a second person has to approve it
    #[command(after_help = "Example:\n  consent-gateway reading state texas.json --as cg_0123456789abcdef")]
    State {
        /// The body of `POST /v1/readings`; `-` for standard input
        file: PathBuf,
        #[command(flatten)]
        who: Who,
    },
    /// Approve somebody else's reading
    #[command(
        after_help = "Example:\n  consent-gateway reading approve sha256:0123… --as cg_0123456789abcdef"
    )]
    Approve(Of),
    /// End a reading, or take back one that waits
    #[command(
        after_help = "Example:\n  consent-gateway reading end sha256:0123… --as cg_0123456789abcdef --reason 'HB 12 was repealed'"
    )]
    End(Of),
    /// Let an account ask less than the table in a place; by counsel of the account `system`
    #[command(
        after_help = "Example:\n  consent-gateway reading allow US-TX acme --as cg_0123456789abcdef --reason 'asked by letter'"
    )]
    Allow(There),
    /// Let an account ask less in a place no longer: what asked less there is over
    #[command(
        after_help = "Example:\n  consent-gateway reading disallow US-TX acme --as cg_0123456789abcdef --reason 'the case was decided'"
    )]
    Disallow(There),
}

/// One reading, and who acts on it.
#[derive(Args)]
pub(super) struct Of {
    /// The reading's id
    reading: String,
    #[command(flatten)]
    who: Who,
}

/// A place, an account, and who acts.
#[derive(Args)]
pub(super) struct There {
    /// The place, such as `US-TX`
    code: String,
    /// The account
    account: String,
    #[command(flatten)]
    who: Who,
}

pub(super) async fn run(config: Config, command: ReadingCommand, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    serve::first_law(&gate, &config).await?;
    let outcome = of_readings(&gate, command, json).await;
    gate.ledger().close().await;
    outcome
}

async fn of_readings(gate: &Gate, command: ReadingCommand, json: bool) -> Result<(), CliError> {
    match command {
        ReadingCommand::List { account } => {
            must_exist(gate, &account).await?;
            let all = gate.readings(&account).await?;
            out::say(json, &all, || {
                let mut lines: Vec<String> = all.readings.iter().map(line).collect();
                if lines.is_empty() {
                    lines.push(format!("`{account}` reads the law as the table has it"));
                }
                if !all.allowed.is_empty() {
                    lines.push(format!("it may ask less than the table in: {}", all.allowed.join(", ")));
                }
                lines.join("\n")
            });
        }
        ReadingCommand::State { file, who } => {
            let asked = stated(&file)?;
            let reading = gate.state_reading(&principal(gate, &who).await?, asked).await?;
            let waits = reading.state == ReadingState::Proposed;
            out::say(json, &reading, || match waits {
                true => format!(
                    "{}\nit asks less than the table, so a second person has to approve it: reading approve {}",
                    line(&reading),
                    reading.id
                ),
                false => line(&reading),
            });
            if waits {
                return Err(CliError::Exit(3));
            }
        }
        ReadingCommand::Approve(Of { reading, who }) => {
            let shown = gate.approve_reading(&principal(gate, &who).await?, &reading, &who.reason).await?;
            out::say(json, &shown, || line(&shown));
        }
        ReadingCommand::End(Of { reading, who }) => {
            let shown = gate.end_reading(&principal(gate, &who).await?, &reading, &who.reason).await?;
            out::say(json, &shown, || line(&shown));
        }
        ReadingCommand::Allow(There { code, account, who }) => {
            allow(gate, (&code, &account), &who, true, json).await?;
        }
        ReadingCommand::Disallow(There { code, account, who }) => {
            allow(gate, (&code, &account), &who, false, json).await?;
        }
    }
    Ok(())
}

async fn allow(
    gate: &Gate,
    (code, account): (&str, &str),
    who: &Who,
    allow: bool,
    json: bool,
) -> Result<(), CliError> {
    let acting = principal(gate, who).await?;
    let shown = gate.allow_readings(&acting, (code, account), allow, &who.reason).await?;
    out::say(json, &shown, || match shown.allowed {
        true => format!("`{account}` may ask less than the table in {}", shown.code),
        false => format!("`{account}` may not ask less than the table in {}", shown.code),
    });
    Ok(())
}

/// The body of `POST /v1/readings`, from a file or from standard input.
pub(super) fn stated(file: &Path) -> Result<StateReading, CliError> {
    let unread = |source| CliError::Io { what: format!("`{}` cannot be read", file.display()), source };
    let text = match file == Path::new("-") {
        true => {
            let mut text = String::new();
            std::io::stdin().take(LONGEST).read_to_string(&mut text).map_err(unread)?;
            text
        }
        false => serve::read_text(file).map_err(unread)?,
    };
    serde_json::from_str(&text)
        .map_err(|error| CliError::Wrong(format!("`{}` does not state a reading: {error}", file.display())))
}

fn line(reading: &Reading) -> String {
    let state = match reading.state {
        ReadingState::Proposed => "waits for a second person",
        ReadingState::InForce => "in force",
        ReadingState::Expired => "over",
        ReadingState::Ended => "ended",
    };
    let asks = format!("{}/{}", reading.parties.as_str(), reading.form.as_str());
    let instead = reading.instead_of.as_ref().map(|of| format!(" instead of {of}")).unwrap_or_default();
    let until = reading.until.map(|until| format!(" until {until}")).unwrap_or_default();
    format!("{}  {}  {asks}{instead}{until}  {state}", reading.id, reading.code)
}

/// The longest document that is read from standard input, in bytes.
const LONGEST: u64 = 1024 * 1024;
