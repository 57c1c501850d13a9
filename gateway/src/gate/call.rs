//! Calls: opening, joining, observing and controlling them. Events that make things stricter are never lost.

pub(in crate::gate) mod barred;
pub(in crate::gate) mod claims;
pub(in crate::gate) mod facts;
pub(in crate::gate) mod grants;
pub(in crate::gate) mod load;
pub(in crate::gate) mod observe;
pub mod offline;
pub(in crate::gate) mod open;
pub(in crate::gate) mod turns;
pub(in crate::gate) mod warm;
