//! Recordings as platforms look for them: the newest first, and by the names that they gave them.

use jiff::Timestamp;

use crate::access::Principal;
use crate::gate::answer::Recordings;
use crate::gate::custody::recordings::cursor;
use crate::gate::{Fault, Gate};
use crate::ledger::RecordingRow;

/// What a platform's own name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfName {
    /// One recording, by the gateway's id of it.
    One(String),
    /// None that they may see.
    None,
    /// Several, on several calls.
    Several,
}

impl Gate {
    /// Lists an account's recordings, the newest first: accepted from the one moment until before the other.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the cursor is unknown.
    pub async fn newest_recordings(
        &self,
        who: &Principal,
        (from, until): (Option<Timestamp>, Option<Timestamp>),
        before: Option<&str>,
        limit: u32,
    ) -> Result<Recordings, Fault> {
        let before = before.map_or(Ok((i64::MAX, String::new())), cursor)?;
        let created = (
            from.map_or(i64::MIN, Timestamp::as_millisecond),
            until.map_or(i64::MAX, Timestamp::as_millisecond),
        );
        let rows = self
            .ledger
            .newest_recordings(&who.account, uploader(who), created, before, limit.saturating_add(1))
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page: Vec<&RecordingRow> = rows.iter().take(limit).collect();
        let last = page.last().filter(|_| rows.len() > limit);
        let next = last.map(|row| format!("{}.{}", row.accepted_at, row.id));
        Ok(Recordings { recordings: self.descriptions(&page).await?, next })
    }

    /// Which recording has this name, on whatever call it is. One that was deleted counts if there is no other.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn recording_of_name(&self, who: &Principal, name: &str) -> Result<OfName, Fault> {
        let rows = self.ledger.recordings_named(&who.account, uploader(who), name, 2).await?;
        let live = rows.iter().filter(|row| row.deleted_at.is_none()).count();
        Ok(match rows.into_iter().next() {
            _ if live > 1 => OfName::Several,
            Some(row) => OfName::One(row.id),
            None => OfName::None,
        })
    }
}

/// Whose uploads they may see, if not everybody's.
fn uploader(who: &Principal) -> Option<&str> {
    who.role.is_of_a_platform().then_some(who.credential.as_str())
}
