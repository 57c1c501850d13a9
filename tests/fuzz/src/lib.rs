//! What the fuzz targets share: the gateway's verifier, a small log that is made once and kept below
//! `target/fuzz/base`, ways to change it, and what must hold of whatever is still called good.
//!
//! Of the gateway, only the modules that read the trail are compiled: the rest, with its web server and
//! databases, would take minutes and is not fuzzed.

#[allow(dead_code, unused_imports, reason = "the gateway and its tests need more of it")]
#[path = "../../../gateway/src"]
mod gateway {
    pub mod audit;
    pub mod clock;
    pub mod random;
    pub mod seal;
    pub mod trail;

    pub use audit::{decisions, pack, source};
    /// The small logs of the gateway's own tests.
    #[path = "audit/sample.rs"]
    pub(crate) mod sample;
}

pub use gateway::{audit, clock, random, seal, trail};

pub mod base;
pub mod change;
pub mod entries;
pub mod genuine;
pub mod memory;
pub mod rfc9162;
