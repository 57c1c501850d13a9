//! What the fuzz targets share: the gateway's verifier, a small log that is made once and kept below
//! `target/fuzz/base`, ways to change it, and what must hold of whatever is still called good.

pub mod base;
pub mod change;
pub mod entries;
pub mod genuine;
pub mod memory;
pub mod rfc9162;
/// The small logs of the tests of the trail.
#[allow(dead_code, unused_imports, reason = "those tests need more of it")]
#[path = "../../../gateway/trail/src/audit/sample.rs"]
mod sample;
