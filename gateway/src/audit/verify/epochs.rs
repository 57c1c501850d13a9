//! Where a log begins: the first epoch from nothing, each later one from a head of an earlier.
//!
//! **Invariant: which of the two it is, the log's name says and not its entries**, so that nobody
//! drops what was registered by beginning anew.

use super::super::Failure;
use crate::trail::{Body, Leaf, LogName, Previous};

/// What the first entry of a log goes on from.
///
/// # Errors
///
/// [`Failure`] where it says otherwise than the log's name.
pub(super) fn begins<'l>(origin: &str, first: &'l Leaf) -> Result<Option<&'l Previous>, Failure> {
    let name = LogName::of(origin);
    let previous = if let Body::LogOpened { previous, .. } = &first.body { Some(previous) } else { None };
    match (name.epoch, previous) {
        (1, None) => Ok(None),
        (1, Some(_)) => Err(Failure::tampered(format!(
            "`{origin}` is the first epoch of a log, and begins as if it went on from another"
        ))),
        (_, None) => Err(unfounded(origin)),
        (epoch, Some(previous)) => {
            let before = LogName::of(&previous.origin);
            if before.base != name.base || before.epoch >= epoch {
                return Err(Failure::tampered(format!(
                    "`{origin}` says that it goes on from `{}`, which is no earlier epoch of the same log",
                    previous.origin
                )));
            }
            if previous.hash().is_none() {
                return Err(Failure::tampered(format!(
                    "it goes on from a head of `{}` whose root is no root",
                    previous.origin
                )));
            }
            Ok(Some(previous))
        }
    }
}

/// A later epoch that does not say what it goes on from.
pub(super) fn unfounded(origin: &str) -> Failure {
    let epoch = LogName::of(origin).epoch;
    Failure::tampered(format!(
        "`{origin}` is epoch {epoch} of a log, and does not begin with the head of an earlier one that it goes on from"
    ))
}
