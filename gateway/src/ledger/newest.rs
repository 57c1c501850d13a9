//! Recordings as platforms list them: the newest first, and by the names that they gave them.

use super::reads::sought;
use super::registers::committed;
use super::sql::ask;
use super::{Ledger, LedgerError, RecordingRow, rows};

impl Ledger {
    /// A page of an account's recordings that are not deleted, the newest first: behind this place, accepted from
    /// `created.0` until before `created.1`, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn newest_recordings(
        &self,
        account: &str,
        uploader: Option<&str>,
        created: (i64, i64),
        before: (i64, String),
        limit: u32,
    ) -> Result<Vec<RecordingRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                rows::NEWEST_RECORDINGS,
                account,
                before.0,
                sought(&before.1),
                uploader,
                uploader,
                created.0,
                created.1,
                i64::from(limit)
            )
        )
    }

    /// At most `limit` recordings of an account that have this name on some call, those that are not deleted first.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn recordings_named(
        &self,
        account: &str,
        uploader: Option<&str>,
        name: &str,
        limit: u32,
    ) -> Result<Vec<RecordingRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                rows::RECORDINGS_NAMED,
                account,
                sought(name),
                uploader,
                uploader,
                i64::from(limit)
            )
        )
    }
}
