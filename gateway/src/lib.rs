#![doc = include_str!("../../README.md")]

#[doc = include_str!("../ARCHITECTURE.md")]
pub mod architecture {}

pub mod access;
pub mod anchor;
pub mod api;
pub mod body;
pub mod cli;
pub mod config;
pub mod crossbar;
pub mod export;
pub mod files;
pub mod gate;
pub mod keepers;
pub mod ledger;
pub mod listen;
pub mod locate;
pub mod measure;
pub mod notary;
#[path = "../seal/src/random.rs"]
pub mod random;
pub mod record;
pub mod secrets;
pub mod serve;
pub mod twilio;
pub mod vault;
pub mod webhook;
