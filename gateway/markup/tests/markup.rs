//! The reader of call markup: documents with what is expected of them, generated ones, and other readers as judges.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test may panic, and says what it skips"
)]

#[path = "markup/corpus.rs"]
mod corpus;
#[path = "markup/edits.rs"]
mod edits;
#[path = "markup/generate.rs"]
mod generate;
#[path = "markup/names.rs"]
mod names;
#[path = "markup/oracle.rs"]
mod oracle;
#[path = "markup/prompts.rs"]
mod prompts;
#[path = "markup/properties.rs"]
mod properties;

use markup::Refusal;

/// Where a refused call goes in these tests.
fn refused() -> Refusal {
    Refusal::Redirect("https://gateway.example/refused?a=1&b=2".to_owned())
}
