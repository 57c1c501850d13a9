//! Checks between entries: their order in time, and that no id is used twice.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::super::Failure;
use super::super::verify::DISORDER;
use crate::Leaf;

/// What is known of the entries so far.
#[derive(Debug, Default)]
pub(super) struct Order {
    latest: Option<Timestamp>,
    ids: HashSet<Uuid>,
    nonces: HashSet<String>,
    /// When a call's newest entry was logged.
    calls: BTreeMap<Uuid, Timestamp>,
}

impl Order {
    /// Takes the next entry.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot follow the entries before it.
    pub(super) fn take(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        let latest = self.latest.map_or(leaf.at, |latest| latest.max(leaf.at));
        let of_call = leaf.call.and_then(|call| self.calls.insert(call, leaf.at));
        // Entries of other calls may have overtaken it, but not by much.
        let too_early = leaf.at < latest.checked_sub(DISORDER).unwrap_or(Timestamp::MIN);
        if too_early || of_call.is_some_and(|before| leaf.at < before) {
            return Err(Failure::tampered(format!(
                "time runs backwards: it was logged at {:.3}, and an entry before it at {:.3}",
                leaf.at,
                if too_early { latest } else { of_call.unwrap_or(latest) }
            )));
        }
        self.latest = Some(latest);
        match self.ids.insert(leaf.id) && self.nonces.insert(leaf.nonce.clone()) {
            true => Ok(()),
            false => Err(Failure::tampered("its id or its nonce was given to an entry before it")),
        }
    }
}
