//! People: who is registered for whom, and who is erased.

pub mod erasure;
pub(in crate::gate) mod person;
pub(in crate::gate) mod register;
pub(in crate::gate) mod subject;
