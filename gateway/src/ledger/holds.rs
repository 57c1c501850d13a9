//! Legal holds that are not on one recording alone, and erasures that wait for holds to be lifted.

use uuid::Uuid;

use super::registers::committed;
use super::rows::covers;
use super::sql::ask;
use super::{HoldRow, Ledger, LedgerError, WaitingRow};

/// The columns of a [`HoldRow`].
macro_rules! select_hold {
    ($($rest:expr),+) => {
        concat!(
            "SELECT hold.uid, hold.account, hold.id, hold.recording, hold.call, hold.subject, hold.participant, \
             hold.recorded_from, hold.recorded_until, hold.document, hold.set_at, hold.salt FROM legal_hold AS hold ",
            $($rest),+
        )
    };
}

impl Ledger {
    /// The holds of an account, in the order in which they were set. Shows if one was removed unseen.
    pub async fn holds(&self, account: &str) -> Result<Vec<HoldRow>, LedgerError> {
        committed!(
            self,
            Some(account),
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                select_hold!("WHERE hold.account = ? ORDER BY hold.set_at, hold.uid"),
                account
            )
        )
    }

    /// The holds that cover a recording, apart from one of its own.
    pub async fn holds_on(&self, recording: Uuid) -> Result<Vec<HoldRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                select_hold!(
                    ", recording WHERE recording.id = ? AND ",
                    covers!(),
                    " ORDER BY hold.set_at, hold.uid"
                ),
                recording.to_string()
            )
        )
    }

    /// The calls of which a hold covers live recordings.
    pub async fn calls_under(&self, hold: Uuid) -> Result<Vec<String>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_scalar,
            fetch_all,
            concat!(
                "SELECT DISTINCT recording.call FROM legal_hold AS hold, recording WHERE hold.uid = ? \
                 AND recording.deleted_at IS NULL AND ",
                covers!(),
                " ORDER BY recording.call"
            ),
            hold.to_string()
        )?)
    }

    /// What waits to be erased in an account, the oldest first.
    pub async fn waiting_erasures(&self, account: &str) -> Result<Vec<WaitingRow>, LedgerError> {
        committed!(
            self,
            Some(account),
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT uid, account, document, asked_at, salt FROM waiting_erasure WHERE account = ? ORDER BY asked_at, uid",
                account
            )
        )
    }

    /// The accounts in which something waits to be erased.
    pub async fn accounts_waiting(&self) -> Result<Vec<String>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_scalar,
            fetch_all,
            "SELECT DISTINCT account FROM waiting_erasure ORDER BY account"
        )?)
    }
}
