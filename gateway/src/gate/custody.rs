//! Custody of recordings: they are accepted, kept as long as required, handed out for the purposes that
//! people were told, and deleted.

pub(in crate::gate) mod doubt;
pub(in crate::gate) mod holds;
pub(in crate::gate) mod inventory;
pub(in crate::gate) mod keys;
pub(in crate::gate) mod newest;
pub(in crate::gate) mod placed;
pub(in crate::gate) mod purposes;
pub(in crate::gate) mod quarantine;
pub(in crate::gate) mod recordings;
pub(in crate::gate) mod retention;
pub(in crate::gate) mod store;
pub(in crate::gate) mod unasked;
