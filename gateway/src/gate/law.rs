//! The law: which version of the table is in force, how it changes, and what a change would mean.

pub(in crate::gate) mod chosen;
pub(in crate::gate) mod desk;
pub(in crate::gate) mod explain;
pub(in crate::gate) mod impact;
pub mod lawbook;
pub(in crate::gate) mod laws;
pub mod prompts;
pub(in crate::gate) mod readings;
