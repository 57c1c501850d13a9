//! What auditors ask: entries of the trail with the details that still exist.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Fault, Gate};
use crate::access::Principal;
use crate::ledger::Question;
use crate::trail;

impl Gate {
    /// The consent records of an account, oldest first: its trail with the details that still exist.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the call or the cursor is unknown.
    pub async fn consents(
        &self,
        who: &Principal,
        call: Option<&str>,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<super::Listing, Fault> {
        let call = match call {
            Some(name) => {
                let row =
                    self.ledger.call_by_name(&who.account, name).await?.ok_or_else(Fault::unknown_call)?;
                Some(super::parse_id(&row.uid)?)
            }
            None => None,
        };
        let question = Question {
            log: who.account.clone(),
            after: after.map(place).transpose()?,
            call,
            from: from.map(Timestamp::as_millisecond),
            until: until.map(Timestamp::as_millisecond),
            ..Question::default()
        };
        let rows = self.ledger.entries(&question, limit.saturating_add(1)).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = (rows.len() > limit)
            .then(|| rows.get(limit.saturating_sub(1)).map(|row| format!("{}.{}", row.epoch, row.seq)))
            .flatten();
        let mut items = Vec::with_capacity(rows.len());
        for row in rows.into_iter().take(limit) {
            let leaf: Value =
                serde_json::from_slice(&row.leaf).map_err(|_| Fault::damaged("an entry cannot be read"))?;
            let detail: Option<Value> =
                row.document.as_deref().and_then(|document| serde_json::from_str(document).ok());
            items.push(json!({
                "epoch": row.epoch,
                "index": row.seq,
                "leaf_hash": trail::hex(&row.leaf_hash),
                "entry": leaf,
                "detail": detail,
                "salt": row.salt.as_deref().map(trail::hex),
            }));
        }
        Ok(super::Listing { items, next })
    }
}

/// A place in a log, as a cursor says it: epoch and index.
fn place(cursor: &str) -> Result<(i64, i64), Fault> {
    let parts =
        cursor.split_once('.').and_then(|(epoch, seq)| Some((epoch.parse().ok()?, seq.parse().ok()?)));
    parts.ok_or_else(|| {
        Fault::invalid("invalid-cursor", "`after` is no cursor; take it from the answer's `next`")
    })
}
