//! The log: auditors' questions, evidence that is handed out, and how the log is kept.

pub(in crate::gate) mod consents;
pub(in crate::gate) mod epochs;
pub(in crate::gate) mod evidence;
pub(in crate::gate) mod handout;
pub(in crate::gate) mod live;
pub(in crate::gate) mod ready;
pub(in crate::gate) mod transparency;
pub(in crate::gate) mod vigil;
