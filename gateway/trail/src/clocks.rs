//! How far the clocks of senders are behind ours, judging by their events on a call.
//!
//! A report seems late by its time on the way, plus what the sender's clock is behind. So the smallest delay
//! ever seen from a sender is the most that its clock can be behind.

use std::collections::BTreeMap;

use super::{Body, Leaf};

/// The clocks of a call's senders, by credential.
#[derive(Debug, Clone, Default)]
pub struct Clocks(BTreeMap<String, i64>);

impl Clocks {
    /// Reads these entries of a call.
    #[must_use]
    pub fn of(leaves: &[Leaf]) -> Clocks {
        let mut clocks = Clocks::default();
        leaves.iter().for_each(|leaf| clocks.see(leaf));
        clocks
    }

    /// Reads an entry of the call.
    pub fn see(&mut self, leaf: &Leaf) {
        let Body::Event { facts, reported_by, .. } = &leaf.body else { return };
        // An entry that the gateway logged later, or for somebody, says nothing about a sender's clock.
        if reported_by.as_deref() == Some(GATEWAY) {
            return;
        }
        let Some(at) = facts.at else { return };
        let behind_ms = facts.received_at.as_millisecond().saturating_sub(at.as_millisecond());
        let least = self.0.entry(leaf.actor.credential.clone()).or_insert(behind_ms);
        *least = behind_ms.min(*least);
    }

    /// How far this sender's clock is behind at most, in milliseconds.
    #[must_use]
    pub fn behind_ms(&self, credential: &str) -> u64 {
        self.0.get(credential).and_then(|ms| u64::try_from(*ms).ok()).unwrap_or(0)
    }
}

/// The reporter of an event that was logged later than it was sent, or that nobody sent.
pub const GATEWAY: &str = "gateway";
