//! How a log begins: the first epoch from nothing, each later one from a head of an earlier epoch.
//!
//! **Invariant: the log's name says which of the two it is, not its entries**, so that nobody can drop what
//! was registered by starting over.

use std::collections::VecDeque;

use jiff::Timestamp;
use uuid::Uuid;

use super::super::Failure;
use super::super::decisions::Calls;
use super::heads::Head;
use super::sequence::Sequence;
use crate::tree::Hash;
use crate::trust::Trust;
use crate::{Body, Leaf, LogName, Previous};

/// What a verified epoch hands on to the next one.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) sequence: Box<Sequence>,
    pub(super) calls: Calls,
    pub(super) over: VecDeque<(Timestamp, Uuid)>,
}

impl Carried {
    /// Checks that it ends with the head that the next epoch continues.
    pub(super) fn ends_with(&self, previous: &Previous) -> Result<(), Failure> {
        let Carried { origin, size, root, .. } = self;
        if *origin != previous.origin {
            return Err(Failure::unusable(format!(
                "it continues `{}`, but the epoch that you gave is `{origin}`: give that one too",
                previous.origin
            )));
        }
        if *size < previous.size {
            return Err(Failure::incomplete(format!(
                "it continues `{origin}` with {} entries, but the export of it that you gave has {size}: get a later export",
                previous.size
            )));
        }
        if *size > previous.size {
            return Err(Failure::tampered(format!(
                "it continues `{origin}` with {} entries, but a head of {size} was signed: the end of that epoch is cut off",
                previous.size
            )));
        }
        match previous.hash() == Some(*root) {
            true => Ok(()),
            false => Err(Failure::tampered(format!(
                "it continues another head of `{origin}` with {size} entries than the one that was verified"
            ))),
        }
    }
}

/// What a log continues, by its first entry.
///
/// # Errors
///
/// [`Failure`] if it contradicts the log's name.
pub(super) fn begins<'l>(origin: &str, first: &'l Leaf) -> Result<Option<&'l Previous>, Failure> {
    let name = LogName::of(origin);
    let previous = if let Body::LogOpened { previous, .. } = &first.body { Some(previous) } else { None };
    match (name.epoch, previous) {
        (1, None) => Ok(None),
        (1, Some(_)) => Err(Failure::tampered(format!(
            "`{origin}` is the first epoch of a log, but begins as if it continued another"
        ))),
        (_, None) => Err(unfounded(origin)),
        (epoch, Some(previous)) => {
            let before = LogName::of(&previous.origin);
            if before.base != name.base || before.epoch >= epoch {
                return Err(Failure::tampered(format!(
                    "`{origin}` says that it continues `{}`, which is not an earlier epoch of the same log",
                    previous.origin
                )));
            }
            if previous.hash().is_none() {
                return Err(Failure::tampered(format!(
                    "it continues a head of `{}` whose root hash cannot be read",
                    previous.origin
                )));
            }
            Ok(Some(previous))
        }
    }
}

/// A later epoch that does not say what it continues.
pub(super) fn unfounded(origin: &str) -> Failure {
    let epoch = LogName::of(origin).epoch;
    Failure::tampered(format!(
        "`{origin}` is epoch {epoch} of a log, but does not begin with the head of an earlier one that it continues"
    ))
}

/// Checks an older head that the verifier has kept and that is not of this log. If it is of the previous
/// epoch, it can still show that entries of that one were left out.
///
/// # Errors
///
/// [`Failure`] unless it is the very head that the log continues.
pub(super) fn of_another(
    kept: &Head,
    origin: &str,
    previous: Option<&Previous>,
    trust: &Trust,
) -> Result<(), Failure> {
    let (own, size) = (&kept.checkpoint.origin, kept.checkpoint.size);
    let (this, other) = (LogName::of(origin), LogName::of(own));
    if this.base != other.base {
        return Err(Failure::unusable(format!(
            "the older head that you gave is of the log `{own}`, but this is `{origin}`: give one of this log"
        )));
    }
    if other.epoch > this.epoch {
        return Err(Failure::unusable(format!(
            "the older head that you gave is of a later epoch, `{own}`, but this is `{origin}`: verify an export of that epoch with it"
        )));
    }
    let at_border = previous.filter(|previous| previous.origin == *own && previous.size <= size);
    let Some(previous) = at_border else {
        return Err(Failure::unusable(format!(
            "the older head that you gave is of an earlier epoch, `{own}`, but this is `{origin}`: give an export of that epoch too, with `--previous`"
        )));
    };
    if kept.signers(&trust.keys_of(own))?.is_empty() {
        return Err(Failure::unusable(format!(
            "the older head that you gave is not signed with a key that the trust file names for `{own}`"
        )));
    }
    if previous.size < size {
        return Err(Failure::tampered(format!(
            "it continues `{own}` with {} entries, but a head of {size} was signed before: the end of that epoch is cut off",
            previous.size
        ))
        .at(0));
    }
    match previous.hash() == Some(kept.checkpoint.root) {
        true => Ok(()),
        false => Err(Failure::tampered(format!(
            "it continues another head of `{own}` with {size} entries than the one that was signed before"
        ))
        .at(0)),
    }
}
