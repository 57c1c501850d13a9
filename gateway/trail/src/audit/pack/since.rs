//! Whether the log of a pack continues a head that its reader has kept.

use crate::audit::{Failure, verify};
use crate::leaf_hash;
use crate::note::{Checkpoint, Note, NoteError};
use crate::tree::{Edge, Hash};
use crate::trust::Trust;

use super::{Pack, Stretch};

/// Compares the pack's head with an older one that its reader has kept. Returns what this kind of pack cannot
/// show.
///
/// # Errors
///
/// [`Failure`]: unusable if the older head is not a head of this log, or newer than the pack; tampered if the
/// log does not continue it.
pub fn goes_on(pack: &Pack, trust: &Trust, since: &Note) -> Result<Option<String>, Failure> {
    let head =
        Checkpoint::parse(&pack.checkpoint.text).map_err(|error| Failure::tampered(error.to_string()))?;
    let older = Checkpoint::parse(&since.text)
        .map_err(|error| Failure::unusable(format!("the older head that was given: {error}")))?;
    if older.origin != head.origin {
        return Err(Failure::unusable(format!(
            "the older head that was given is of the log `{}`, but the pack is of `{}`",
            older.origin, head.origin
        )));
    }
    verify::is_named(&older.origin, trust)?;
    match since.verified_by(&trust.keys_of(&older.origin)) {
        Ok(_) => {}
        Err(NoteError::Unsigned) => {
            return Err(Failure::unusable(
                "the older head that was given is not signed with a key of the log that this trust file names",
            ));
        }
        Err(error) => return Err(Failure::tampered(format!("the older head that was given: {error}"))),
    }
    if older.size > head.size {
        return Err(Failure::unusable(format!(
            "the pack is older than the head that was given: the log had {} entries, and {} by that head; ask for a new pack",
            head.size, older.size
        )));
    }
    let root = if older.size == head.size { Some(head.root) } else { root_at(pack, older.size) };
    match root {
        Some(root) if root == older.root => Ok(None),
        Some(_) => Err(Failure::tampered(format!(
            "the log does not continue the head of {} entries that was given: one of those entries was changed, put in or left out",
            older.size
        ))),
        None => Ok(Some(format!(
            "it is not proven that the log continues the head of {} entries that was given: the pack does not have every entry since; \
             verify the whole log with `--since`",
            older.size
        ))),
    }
}

/// The root that the log had at this size, if the pack has every entry since.
fn root_at(pack: &Pack, size: u64) -> Option<Hash> {
    let Stretch { first, before, leaves } = pack.stretch.as_ref()?;
    let mut edge = Edge::from_parts(*first, before.clone())?;
    let more = usize::try_from(size.checked_sub(*first)?).ok()?;
    for leaf in leaves.get(..more)? {
        edge.push(leaf_hash(leaf), |_, _| {});
    }
    Some(edge.root())
}
