//! How far the clocks of those who report are behind ours, as their events on a call have shown.
//!
//! What is reported comes later than it happened: by the way it took, and by what the sender's clock
//! is behind. So the least that was ever seen of a sender is the most that its clock explains.

use std::collections::BTreeMap;

use super::{Body, Leaf};

/// The clocks of a call's senders, by credential.
#[derive(Debug, Clone, Default)]
pub struct Clocks(BTreeMap<String, i64>);

impl Clocks {
    /// What these entries of a call show.
    #[must_use]
    pub fn of(leaves: &[Leaf]) -> Clocks {
        let mut clocks = Clocks::default();
        leaves.iter().for_each(|leaf| clocks.see(leaf));
        clocks
    }

    /// Takes in what an entry of the call shows.
    pub fn see(&mut self, leaf: &Leaf) {
        let Body::Event { facts, reported_by, .. } = &leaf.body else { return };
        // What the gateway logged later, or for somebody, says nothing of its sender's clock.
        if reported_by.as_deref() == Some(GATEWAY) {
            return;
        }
        let Some(at) = facts.at else { return };
        let behind_ms = facts.received_at.as_millisecond().saturating_sub(at.as_millisecond());
        let least = self.0.entry(leaf.actor.credential.clone()).or_insert(behind_ms);
        *least = behind_ms.min(*least);
    }

    /// By how much this sender's clock is behind at the most, in milliseconds.
    #[must_use]
    pub fn behind_ms(&self, credential: &str) -> u64 {
        self.0.get(credential).and_then(|ms| u64::try_from(*ms).ok()).unwrap_or(0)
    }
}

/// By whom an event is reported that its sender did not send then, or not at all.
pub const GATEWAY: &str = "gateway";
