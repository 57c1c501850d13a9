//! Where a log begins: the first epoch from nothing, each later one from a head of an earlier.
//!
//! **Invariant: which of the two it is, the log's name says and not its entries**, so that nobody
//! drops what was registered by beginning anew.

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

/// What an epoch that was verified hands on to the next.
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
    /// Whether it ends with the head that the next epoch goes on from.
    pub(super) fn ends_with(&self, previous: &Previous) -> Result<(), Failure> {
        let Carried { origin, size, root, .. } = self;
        if *origin != previous.origin {
            return Err(Failure::unusable(format!(
                "it goes on from `{}`, and the epoch that you gave is `{origin}`: give that one too",
                previous.origin
            )));
        }
        if *size < previous.size {
            return Err(Failure::incomplete(format!(
                "it goes on from `{origin}` with {} entries, and what you gave of that has {size}: get a later export of it",
                previous.size
            )));
        }
        if *size > previous.size {
            return Err(Failure::tampered(format!(
                "it goes on from `{origin}` with {} entries, and a head of {size} was signed: the end of that epoch is cut off",
                previous.size
            )));
        }
        match previous.hash() == Some(*root) {
            true => Ok(()),
            false => Err(Failure::tampered(format!(
                "it goes on from another head of `{origin}` with {size} entries than the one that was verified"
            ))),
        }
    }
}

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
                    "`{origin}` says that it goes on from `{}`, which is not an earlier epoch of the same log",
                    previous.origin
                )));
            }
            if previous.hash().is_none() {
                return Err(Failure::tampered(format!(
                    "it goes on from a head of `{}` whose root hash cannot be read",
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

/// An older head that the verifier has kept, and that is not of this log. Where it is of the epoch before,
/// it can still tell that entries of that were left out.
///
/// # Errors
///
/// [`Failure`] unless it is the very head that the log goes on from.
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
            "the older head that you gave is of the log `{own}`, and this is `{origin}`: give one of this log"
        )));
    }
    if other.epoch > this.epoch {
        return Err(Failure::unusable(format!(
            "the older head that you gave is of a later epoch, `{own}`, and this is `{origin}`: verify an export of that epoch with it"
        )));
    }
    let at_border = previous.filter(|previous| previous.origin == *own && previous.size <= size);
    let Some(previous) = at_border else {
        return Err(Failure::unusable(format!(
            "the older head that you gave is of an earlier epoch, `{own}`, and this is `{origin}`: give an export of that epoch too, with `--previous`, and it is compared with that"
        )));
    };
    if kept.signers(&trust.keys_of(own))?.is_empty() {
        return Err(Failure::unusable(format!(
            "the older head that you gave is not signed with a key that the trust file names for `{own}`"
        )));
    }
    if previous.size < size {
        return Err(Failure::tampered(format!(
            "it goes on from `{own}` with {} entries, and a head of {size} was signed before: the end of that epoch is cut off",
            previous.size
        ))
        .at(0));
    }
    match previous.hash() == Some(kept.checkpoint.root) {
        true => Ok(()),
        false => Err(Failure::tampered(format!(
            "it goes on from another head of `{own}` with {size} entries than the one that was signed before"
        ))
        .at(0)),
    }
}
