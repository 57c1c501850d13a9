//! The decision: from the facts of a call, and what the table asks, to what may be recorded.

pub mod call;
pub mod coverage;
pub mod decision;
pub mod fact;
pub mod language;
pub mod place;
pub mod reading;
pub mod refusal;
pub mod retention;
pub mod rule;
pub mod told;
