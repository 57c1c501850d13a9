//! `person`: who stands behind credentials; and who acts by one of them.

use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::asked::{must_exist, read_password};
use super::{CliError, out};
use crate::access::{Access, Denied, Principal};
use crate::config::Config;
use crate::gate::{Gate, answer};
use trail::Actor;

#[derive(Subcommand)]
pub(super) enum Person {
    /// Enrol somebody; `credential add --name` does so, too
    #[command(after_help = "Example:\n  consent-gateway person add acme 'Dana Counsel'")]
    Add {
        /// The account
        account: String,
        /// Their name
        name: String,
    },
    /// Confirm the identity of somebody who was enrolled later, so that they count as a second person
    #[command(
        after_help = "Example:\n  consent-gateway person confirm acme 'Dana Counsel' --as cg_0123456789abcdef"
    )]
    Confirm {
        /// The account
        account: String,
        /// The id or the name of the person to confirm
        person: String,
        #[command(flatten)]
        who: Who,
    },
    /// List the people of an account, and who counts
    #[command(after_help = "Example:\n  consent-gateway person list acme")]
    List {
        /// The account
        account: String,
    },
}

/// Somebody with a credential, since a shell on the machine does not identify anybody.
#[derive(Args)]
pub(super) struct Who {
    /// The credential to act with; for the table, a `counsel` credential of the account `system`
    #[arg(long = "as", value_name = "USERNAME")]
    username: String,
    /// Its password; safer in the environment than on the command line
    #[arg(long, env = "CONSENT_GATEWAY_PASSWORD", hide_env_values = true, hide = true)]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// The reason
    #[arg(long, default_value = "")]
    pub(super) reason: String,
}

pub(super) async fn run(config: Config, command: Person, json: bool) -> Result<(), CliError> {
    let gate = super::asked::gate(&config).await?;
    let outcome = of_people(&gate, command, json).await;
    gate.ledger().close().await;
    outcome
}

async fn of_people(gate: &Gate, command: Person, json: bool) -> Result<(), CliError> {
    match command {
        Person::Add { account, name } => {
            let (new, shown) = gate.add_person(&Actor::command_line(), &account, &name).await?;
            let words = if new { "enrolled:" } else { "exists already:" };
            out::say(json, &shown, || format!("{words} {}", line(&shown)));
        }
        Person::Confirm { account, person, who } => {
            let acting = principal(gate, &who).await?;
            if acting.account != account {
                return Err(CliError::Wrong(format!(
                    "`{}` is not a credential of the account `{account}`; only somebody from the same \
                     account can confirm a person",
                    acting.credential
                )));
            }
            let shown = gate.confirm_person(&acting, &person, &who.reason).await?;
            out::say(json, &shown, || format!("confirmed: {}", line(&shown)));
        }
        Person::List { account } => {
            must_exist(gate, &account).await?;
            let people = gate.people(&account).await?;
            out::say(json, &people, || match people.as_slice() {
                [] => format!("nobody is enrolled in `{account}`"),
                people => people.iter().map(line).collect::<Vec<_>>().join("\n"),
            });
        }
    }
    Ok(())
}

fn line(shown: &answer::Person) -> String {
    let by: Vec<&str> = shown.confirmed_by.iter().map(|by| by.name.as_str()).collect();
    let counts = match (shown.counts, by.is_empty()) {
        (true, true) => "counts from the start".to_owned(),
        (true, false) => format!("counts, confirmed by {}", by.join(", ")),
        (false, _) => "does not count until a colleague has confirmed them".to_owned(),
    };
    format!("{}  {}  {counts}", shown.person, shown.name)
}

/// The person who acts, identified by a credential as at the door.
pub(super) async fn principal(gate: &Gate, who: &Who) -> Result<Principal, CliError> {
    let password = match (&who.password, who.password_stdin) {
        (_, true) => read_password().await?,
        (Some(password), false) => Zeroizing::new(password.clone()),
        (None, false) if std::io::stdin().is_terminal() => read_password().await?,
        (None, false) => {
            return Err(CliError::Wrong(
                "there is no password: set CONSENT_GATEWAY_PASSWORD, or use `--password-stdin`; a terminal \
                 asks for it"
                    .into(),
            ));
        }
    };
    let pair = Zeroizing::new(format!("{}:{}", who.username, password.as_str()));
    let header = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
    let access = Access::new(gate.ledger().clone());
    match access.check(Some(header.as_bytes()), IpAddr::V4(Ipv4Addr::LOCALHOST)).await {
        Ok(principal) => Ok(principal),
        Err(Denied::Unavailable(error)) => Err(crate::gate::Fault::from(error).into()),
        Err(Denied::Wrong | Denied::Throttled(_) | Denied::Busy) => {
            Err(CliError::Wrong("this credential and password do not match".into()))
        }
    }
}
