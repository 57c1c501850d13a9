//! Everything that tests from outside, in one binary. `tests/run` installs what it needs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test may panic, and says what it skips"
)]

mod anchors;
mod bypass;
mod cli;
mod clients;
mod contract;
mod crash;
mod desk;
mod diff;
mod differential;
mod dist;
mod evidence;
mod fault;
mod golden;
mod harness;
mod interop;
mod kazoo;
mod manual;
mod messages;
mod postgres;
mod properties;
mod scenario;
mod site;
mod staying_up;
mod store;
mod tidy;
mod transparency;
mod twilio;
mod verifier;
mod webhooks;
mod wire;
