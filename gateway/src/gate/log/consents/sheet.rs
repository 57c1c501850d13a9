//! Answers as tables for spreadsheets, and as lines of text.

use trail::sheet::{self, Names};

use super::Record;
use crate::gate::{Fault, Gate};

impl Gate {
    /// A row for each record, with the names that still exist.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn sheet(&self, account: &str, records: &[Record]) -> Result<Vec<u8>, Fault> {
        let names = self.names(account, records).await?;
        let mut sheet = Vec::with_capacity(65_536);
        for record in records {
            sheet.extend(sheet::row(&record.line(), &names).map_err(unwritten)?);
        }
        Ok(sheet)
    }

    /// A line of text for each record, with the names that still exist.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn lines_of(&self, account: &str, records: &[Record]) -> Result<Vec<String>, Fault> {
        let names = self.names(account, records).await?;
        Ok(records.iter().map(|record| sheet::in_words(&record.line(), &names)).collect())
    }

    async fn names(&self, account: &str, records: &[Record]) -> Result<Names, Fault> {
        let calls = once(records.iter().filter_map(Record::call));
        let prompts = once(records.iter().filter_map(|record| record.leaf.body.prompt()));
        let people = self.ledger.names_on(&calls).await?;
        let prompts = self.ledger.prompt_versions(account, &prompts).await?;
        Ok(Names {
            people: people
                .into_iter()
                .map(|(call, number, id)| ((call, u32::try_from(number).unwrap_or(u32::MAX)), id))
                .collect(),
            prompts: prompts
                .into_iter()
                .map(|row| (row.uid, format!("{}@{}", row.id, row.version)))
                .collect(),
        })
    }
}

fn once(ids: impl Iterator<Item = String>) -> Vec<String> {
    ids.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// The head of a table: the names of its columns.
///
/// # Errors
///
/// Never, as long as there is memory.
pub fn sheet_head() -> Result<Vec<u8>, Fault> {
    sheet::head().map_err(unwritten)
}

fn unwritten(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::damaged_by("a table cannot be written", error)
}
