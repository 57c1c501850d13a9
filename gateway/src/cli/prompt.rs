//! Prompts, and what they lack.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::admin::done;
use super::asked::{must_exist, word};
use super::{CliError, asked, out};
use crate::config::Config;
use crate::gate::answer::{self, LacksAt, PromptLacks};
use crate::gate::ask::{Delivery, Prompt};
use crate::gate::{check_overlays, prompts};
use trail::Actor;
use trail::cli::out::say;
use trail::clock::Clock;

#[derive(Subcommand)]
pub(super) enum PromptCommand {
    /// Register a prompt
    #[command(
        after_help = "Example:\n  consent-gateway prompt add acme greeting --language en --duration-ms 4000 --purpose quality --text 'This call is recorded.' --says recording='is recorded'"
    )]
    Add(PromptAdd),
    /// List the prompts of an account, in their newest versions
    #[command(after_help = "Example:\n  consent-gateway prompt list acme")]
    List {
        /// The account
        account: String,
    },
    /// Say what a text lacks, and for which places; exit code 3 if it lacks anything
    #[command(
        after_help = "Examples:\n  consent-gateway prompt check --text 'This call is recorded.' --says recording='is recorded'\n  consent-gateway prompt check --account acme"
    )]
    Check(PromptCheck),
}

#[derive(Args)]
pub(super) struct PromptCheck {
    /// The words of the prompt
    #[arg(long, required_unless_present = "account", conflicts_with = "account")]
    text: Option<String>,
    /// Check all registered prompts of this account instead
    #[arg(long)]
    account: Option<String>,
    /// The language, BCP 47
    #[arg(long, default_value = "en")]
    language: String,
    /// A purpose of the recording that the prompt names; may be repeated
    #[arg(long = "purpose")]
    purposes: Vec<String>,
    /// Words of the text that say what the law may require, such as `vendor="our service providers"`; may be
    /// repeated
    #[arg(long = "says", value_name = "ELEMENT=WORDS")]
    says: Vec<String>,
    /// An overlay to check for as well; may be repeated [default: those that the account chose]
    #[arg(long = "overlay", value_name = "ID")]
    overlays: Vec<String>,
    /// A table of jurisdictions [default: the one in force, or the compiled-in one]
    #[arg(long, value_name = "FILE")]
    jurisdictions: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct PromptAdd {
    /// The account
    account: String,
    /// The prompt's id
    id: String,
    /// The language, BCP 47
    #[arg(long)]
    language: String,
    /// How long it lasts, in milliseconds
    #[arg(long)]
    duration_ms: u64,
    /// A purpose of the recording that the prompt names; may be repeated
    #[arg(long = "purpose")]
    purposes: Vec<String>,
    /// The words of the prompt
    #[arg(long)]
    text: String,
    /// How it is delivered
    #[arg(long, default_value = "audio", value_parser = ["audio", "tts", "agent", "text"])]
    delivery: String,
    /// SHA-256 of the audio
    #[arg(long)]
    sha256: Option<String>,
    /// Words of the text that say what the law may require, such as `vendor="our service providers"`; may be
    /// repeated
    #[arg(long = "says", value_name = "ELEMENT=WORDS")]
    says: Vec<String>,
}

pub(super) async fn prompt(config: Config, command: PromptCommand, json: bool) -> Result<(), CliError> {
    let asked = match command {
        PromptCommand::Add(asked) => asked,
        PromptCommand::Check(asked) => return check_prompt(config, asked, json).await,
        PromptCommand::List { account } => return list_prompts(&config, &account, json).await,
    };
    let gate = asked::gate(&config).await?;
    let prompt = Prompt {
        text: asked.text,
        language: asked.language,
        duration_ms: asked.duration_ms,
        purposes: asked.purposes,
        delivery: word::<Delivery>(&asked.delivery)?,
        sha256: asked.sha256,
        says: quotations(&asked.says)?,
    };
    must_exist(&gate, &asked.account).await?;
    let (new, shown) = gate.put_prompt(&Actor::command_line(), &asked.account, &asked.id, &prompt).await?;
    say(json, &shown, || {
        let done = if new { "registered" } else { "exists already" };
        let mut lines = vec![format!("prompt `{}` version {} {done}", asked.id, shown.version)];
        lines.extend(shown.notes.iter().flatten().map(|note| format!("note: {note}")));
        lines.join("\n")
    });
    done(gate).await
}

async fn check_prompt(mut config: Config, asked: PromptCheck, json: bool) -> Result<(), CliError> {
    let Some(text) = asked.text else {
        return check_prompts(&config, &asked.account.unwrap_or_default(), asked.overlays, json).await;
    };
    let prompt = Prompt {
        text,
        language: asked.language,
        duration_ms: policy::fact::MIN_PROMPT_MS,
        purposes: asked.purposes,
        delivery: Delivery::Audio,
        sha256: None,
        says: quotations(&asked.says)?,
    };
    crate::gate::check_prompt(&prompt)?;
    let name = asked.jurisdictions.as_ref().map_or("in-force".to_owned(), |path| path.display().to_string());
    config.jurisdictions = asked.jurisdictions.or(config.jurisdictions);
    let (table, _) = super::table::table(&config, &name).await?;
    check_overlays(&table, &asked.overlays).map_err(crate::gate::Fault::from)?;
    let mut found = prompts::lacks(&table, &prompt, Clock::system().now());
    found.lacks.retain(|lack| is_under(lack, &asked.overlays));
    say(json, &found, || lacks_in_words(&found));
    if found.lacks.is_empty() { Ok(()) } else { Err(CliError::Exit(3)) }
}

async fn check_prompts(
    config: &Config,
    account: &str,
    mut overlays: Vec<String>,
    json: bool,
) -> Result<(), CliError> {
    let gate = asked::gate(config).await?;
    must_exist(&gate, account).await?;
    check_overlays(&gate.laws().in_force(), &overlays).map_err(crate::gate::Fault::from)?;
    overlays.extend(gate.chosen_law(account).await?.overlays);
    let mut found = gate.prompts_lack(account).await?;
    gate.ledger().close().await;
    for prompt in &mut found {
        prompt.found.lacks.retain(|lack| is_under(lack, &overlays));
    }
    say(json, &found, || {
        let told = |prompt: &answer::PromptCheck| {
            let answer::PromptCheck { id, version, language, found } = prompt;
            format!("`{id}` version {version} in `{language}`:\n{}", lacks_in_words(found))
        };
        found.iter().map(told).collect::<Vec<_>>().join("\n")
    });
    if found.iter().all(|prompt| prompt.found.lacks.is_empty()) { Ok(()) } else { Err(CliError::Exit(3)) }
}

/// Whether calls under these overlays need what is lacking.
fn is_under(lack: &LacksAt, overlays: &[String]) -> bool {
    lack.overlay.as_ref().is_none_or(|overlay| overlays.contains(overlay))
}

fn lacks_in_words(found: &PromptLacks) -> String {
    let line = |lack: &LacksAt| {
        let named = lack.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let place = lack.place.as_ref().map(|place| format!("{place}{named}"));
        let overlay = || format!("overlay `{}`", lack.overlay.as_deref().unwrap_or("-"));
        format!("{}: it does not say {}", place.unwrap_or_else(overlay), lack.says)
    };
    let known: Vec<&str> = policy::Purpose::distinguished().map(policy::Purpose::as_str).collect();
    let known = known.join(", ");
    let unknown = found
        .unknown_purposes
        .iter()
        .map(|purpose| format!("`{purpose}` is not a purpose in any table; those are {known}"));
    let mut lines: Vec<String> = found.lacks.iter().map(line).chain(unknown).collect();
    if found.lacks.is_empty() {
        lines.insert(0, "it says everything that is required in every place of the table".into());
    }
    lines.join("\n")
}

async fn list_prompts(config: &Config, account: &str, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(config).await?;
    must_exist(&gate, account).await?;
    let prompts = gate.prompts(account).await?;
    say(json, &prompts, || {
        let line = |shown: &answer::Prompt| {
            let (id, text) = (out::plain(&shown.id), out::plain(&shown.prompt.text));
            let (language, duration_ms) = (&shown.prompt.language, shown.prompt.duration_ms);
            format!("{id}  version {}  {language}  {duration_ms} ms  {text}", shown.version)
        };
        match prompts.as_slice() {
            [] => format!("`{account}` has no prompts"),
            prompts => prompts.iter().map(line).collect::<Vec<_>>().join("\n"),
        }
    });
    done(gate).await
}

/// Reads quotations such as `recording=this call is recorded`.
fn quotations(texts: &[String]) -> Result<std::collections::BTreeMap<String, String>, CliError> {
    let pair = |text: &String| match text.split_once('=') {
        Some((element, words)) => Ok((element.trim().to_owned(), words.to_owned())),
        None => {
            Err(CliError::Wrong(format!("`--says {text}` quotes nothing; write `--says recording=\"…\"`")))
        }
    };
    texts.iter().map(pair).collect()
}
