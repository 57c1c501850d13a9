//! Custody: recordings are taken in, kept for as long as they have to be, handed out for the purposes that were told, and deleted.

pub(in crate::gate) mod keys;
pub(in crate::gate) mod purposes;
pub(in crate::gate) mod recordings;
pub(in crate::gate) mod store;
