//! People: what is registered for them, and their erasure.

pub mod erasure;
pub(in crate::gate) mod person;
pub(in crate::gate) mod provision;
pub(in crate::gate) mod register;
pub(in crate::gate) mod subject;
