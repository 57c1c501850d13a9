//! Notices: what accounts with a webhook are told of.
//!
//! They are queued by the very transaction that appends the entry they tell of, with ids and the gateway's own words
//! only. What a message says is made when it is sent, from what is known then: so what was erased meanwhile is not
//! sent.
//!
//! INVARIANT: nothing waits for a receiver, and no entry is held up because nobody can be told of it.

pub(in crate::gate) mod order;
pub(in crate::gate) mod payload;
pub(in crate::gate) mod queue;
pub(in crate::gate) mod webhook;
