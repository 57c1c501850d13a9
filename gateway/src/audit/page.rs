//! The page of a pack, for people.
use super::pack::Pack;

/// The page.
#[must_use]
pub fn page(_pack: &Pack) -> String {
    String::new()
}
