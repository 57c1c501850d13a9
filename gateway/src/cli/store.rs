//! The store without a ledger: what is in it, and how to get it out.

use std::path::PathBuf;

use clap::Subcommand;
use uuid::Uuid;

use super::CliError;
use crate::vault::inventory::{Inventory, InventoryError};
use trail::cli::out;

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// List what a store holds
    #[command(after_help = "Example:\n  consent-gateway store list data")]
    List {
        /// The data directory of a gateway, or the `media` in it
        dir: PathBuf,
    },
    /// Copy the sealed media and the envelope of a recording out of a store, for `open`
    #[command(after_help = "Example:\n  consent-gateway store extract data \
                            --recording 7d444840-9dc0-4ad1-8b4f-6d2f3c1a5e77 --out extracted")]
    Extract {
        /// The data directory of a gateway, or the `media` in it
        dir: PathBuf,
        /// The recording's id
        #[arg(long, value_name = "ID")]
        recording: Uuid,
        /// Where `ID.sealed` and `ID.json` go; existing files are not overwritten
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

pub(super) fn run(command: Store, json: bool) -> Result<(), CliError> {
    match command {
        Store::List { dir } => {
            let mut shown = Ok(());
            Inventory::of(&dir)?.each(|item| {
                if json {
                    let line = out::json_line(&item);
                    shown = std::mem::replace(&mut shown, Ok(())).and(line.map(out::line));
                    return;
                }
                out::line(format!(
                    "{}  {:<8}  {:>12} bytes  {}  {}  {}",
                    item.recording,
                    item.state.as_str(),
                    item.bytes,
                    out::plain(item.account.as_deref().unwrap_or("-")),
                    out::plain(item.content_type.as_deref().unwrap_or("-")),
                    out::plain(&item.place)
                ));
            })?;
            Ok(shown?)
        }
        Store::Extract { dir, recording, out: to } => {
            let extracted = Inventory::of(&dir)?.extract(recording, &to)?;
            out::say(json, &extracted, || {
                format!(
                    "{}\n{}\naccount {}, by its envelope; to open it:\n  consent-gateway open '{0}' --envelope '{1}' \
                     --key PRIVATE.pem --out FILE --account ACCOUNT --recording {recording}",
                    out::plain(&extracted.media.display().to_string()),
                    out::plain(&extracted.envelope.display().to_string()),
                    out::plain(&extracted.account)
                )
            });
            Ok(())
        }
    }
}

impl From<InventoryError> for CliError {
    fn from(error: InventoryError) -> CliError {
        match error {
            InventoryError::Io { path, source } => {
                CliError::Io { what: format!("`{}` cannot be read or written", path.display()), source }
            }
            error @ (InventoryError::NoStore(_)
            | InventoryError::Unknown(_)
            | InventoryError::Lacking(..)) => CliError::Wrong(error.to_string()),
        }
    }
}
