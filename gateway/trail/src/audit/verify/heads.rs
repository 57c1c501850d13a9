//! Checks that the heads of a log have the signatures they need.
//!
//! A log's key is changed inside the log: an entry names the old and the new one, and the first head
//! that covers it is signed with both. So trust in the old key extends to the new one.
//!
//! **Invariant: every head, old or new, is of the one tree that was computed.**

use jiff::Timestamp;

use super::super::source::Source;
use super::super::{Failure, Witnessed};
use super::CLOCKS;
use super::levels::Levels;
use super::sequence::Rotation;
use crate::clock::millis;
use crate::note::{Checkpoint, Note, NoteError, VerifierKey};
use crate::trust::{Trust, TrustError};

/// A signed head that was read but not yet verified.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// The file that holds it, if it is part of the export.
    path: Option<String>,
    pub(super) note: Note,
    pub(super) checkpoint: Checkpoint,
}

/// Who signed the newest head.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) by: Vec<VerifierKey>,
    pub(super) witnesses: Vec<Witnessed>,
    /// How often the log's key was changed before.
    pub(super) rotations: u64,
}

impl Head {
    /// Reads the newest head of a log.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is missing or malformed.
    pub(super) fn read(source: &dyn Source) -> Result<Head, Failure> {
        Head::parse("checkpoint", &source.checkpoint()?)
    }

    /// Reads the head in a file.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is malformed.
    pub(super) fn parse(path: &str, text: &str) -> Result<Head, Failure> {
        let wrong = |error: String| Failure::tampered(format!("`{path}` is not a signed head: {error}"));
        let note = Note::parse(text).map_err(|error| wrong(error.to_string()))?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|error| wrong(error.to_string()))?;
        Ok(Head { path: Some(path.to_owned()), note, checkpoint })
    }

    /// Reads a note as a head.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is malformed.
    pub(super) fn of(note: Note) -> Result<Head, Failure> {
        let checkpoint = Checkpoint::parse(&note.text)
            .map_err(|error| Failure::tampered(format!("a checkpoint: {error}")))?;
        Ok(Head { path: None, note, checkpoint })
    }

    /// Checks that it is a head of this log.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is another log's.
    pub(super) fn is_of_log(&self, origin: &str) -> Result<(), Failure> {
        match self.checkpoint.origin.as_str() {
            own if own == origin => Ok(()),
            own => Err(Failure::tampered(format!("an older head is of the log `{own}`, not of `{origin}`"))),
        }
    }

    /// Adds the name of its file to a failure.
    pub(super) fn named(&self, failure: Failure) -> Failure {
        match &self.path {
            Some(path) => Failure { what: format!("`{path}`: {}", failure.what), ..failure },
            None => failure,
        }
    }

    /// Which of `keys` signed it.
    pub(super) fn signers(&self, keys: &[VerifierKey]) -> Result<Vec<VerifierKey>, Failure> {
        match self.note.verified_by(keys) {
            Ok(verified) => Ok(verified.iter().filter_map(|one| keys.get(one.key).cloned()).collect()),
            Err(NoteError::Unsigned) => Ok(Vec::new()),
            Err(error) => {
                Err(Failure::tampered(format!("the head of {} entries: {error}", self.checkpoint.size)))
            }
        }
    }

    /// Checks that it is the head of the tree as that was when it had this size.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is another tree's, or of more entries than there are.
    pub(super) fn is_of(&self, origin: &str, tree: &Levels) -> Result<(), Failure> {
        self.is_of_log(origin)?;
        let Checkpoint { size, root, .. } = &self.checkpoint;
        match tree.root_at(*size) {
            Some(computed) if computed == *root => Ok(()),
            Some(_) => Err(Failure::tampered(format!(
                "the log does not continue the head of {size} entries that was signed before: one of those entries was changed, put in or left out"
            ))),
            None => Err(Failure::tampered(format!(
                "a head of {size} entries was signed before, but the log has only {}: its end is cut off",
                tree.size()
            ))),
        }
    }
}

/// The keys that a log was signed with, the first of them first.
#[derive(Debug)]
pub(super) struct Keys {
    // INVARIANT: one more key than there are rotations.
    keys: Vec<VerifierKey>,
    rotations: Vec<u64>,
}

impl Keys {
    /// The keys that the log's own entries name; `None` if its key was never changed.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the entries contradict each other.
    pub(super) fn of(origin: &str, rotations: &[Rotation]) -> Result<Option<Keys>, Failure> {
        let mut keys: Vec<VerifierKey> = Vec::new();
        let mut changed: Vec<u64> = Vec::new();
        for rotation in rotations {
            let key = |vkey: &str| {
                let key = VerifierKey::parse(vkey).ok().filter(|key| key.name() == origin);
                key.ok_or_else(|| {
                    Failure::tampered("it changes the log's key, but does not name keys of this log")
                        .at(rotation.index)
                })
            };
            let (retired, new) = (key(&rotation.retired)?, key(&rotation.key)?);
            // After a crash before the head was signed with both keys, the change is logged again.
            if keys.ends_with(&[retired.clone(), new.clone()]) {
                changed.pop();
                changed.push(rotation.index);
                continue;
            }
            if keys.last().is_some_and(|last| *last != retired) {
                return Err(
                    Failure::tampered("it retires another key than the one in use").at(rotation.index)
                );
            }
            if keys.is_empty() {
                keys.push(retired);
            }
            keys.push(new);
            changed.push(rotation.index);
        }
        Ok((!keys.is_empty()).then_some(Keys { keys, rotations: changed }))
    }

    /// The key that signs a head of this size.
    fn at(&self, size: u64) -> Option<&VerifierKey> {
        self.keys.get(self.rotations.iter().filter(|index| **index < size).count())
    }

    /// How often the key was changed.
    fn changes(&self) -> u64 {
        u64::try_from(self.rotations.len()).unwrap_or(u64::MAX)
    }

    fn last(&self) -> Option<&VerifierKey> {
        self.keys.last()
    }

    /// Trusts the key in use where `trust` trusts one before it, and every change since was signed
    /// with both.
    fn follow(&self, trust: &Trust, heads: &[&Head]) -> Result<Trust, Failure> {
        let named: Vec<VerifierKey> = self.last().map(|key| trust.keys_of(key.name())).unwrap_or_default();
        let Some(known) = self.keys.iter().rposition(|key| named.contains(key)) else {
            return Ok(trust.clone());
        };
        let steps = self.keys.windows(2).zip(&self.rotations).enumerate().skip(known);
        for (step, (pair, index)) in steps {
            let until = self.rotations.get(step.saturating_add(1)).copied().unwrap_or(u64::MAX);
            let covers = |head: &&&Head| (index.saturating_add(1)..=until).contains(&head.checkpoint.size);
            let mut both = false;
            for head in heads.iter().filter(covers) {
                both |= head.signers(pair)?.len() == 2;
            }
            if !both {
                return Err(Failure::incomplete(
                    "the log's key was changed here, but the head that is signed with both keys is missing",
                )
                .at(*index));
            }
        }
        let mut trust = trust.clone();
        if let Some(last) = self.last() {
            trust.add_log(last.clone()).map_err(|fault| Failure::unusable(fault.to_string()))?;
        }
        Ok(trust)
    }
}

/// Checks that the newest head has the signatures that `trust` asks for.
///
/// # Errors
///
/// [`Failure`] if it is not.
pub(super) fn newest(
    head: &Head,
    older: &[Head],
    keys: Option<&Keys>,
    trust: &Trust,
) -> Result<Signed, Failure> {
    let heads: Vec<&Head> = older.iter().chain([head]).collect();
    let trust = match keys {
        Some(keys) => keys.follow(trust, &heads)?,
        None => trust.clone(),
    };
    let accepted = trust.check(&head.note).map_err(distrust)?;
    if let Some(expected) = keys.and_then(|keys| keys.at(head.checkpoint.size))
        && !accepted.signed_by.contains(expected)
    {
        return Err(Failure::tampered(
            "the newest head is not signed with the key that the log itself names",
        ));
    }
    Ok(Signed {
        by: accepted.signed_by,
        witnesses: accepted.witnesses.into_iter().map(witnessed).collect(),
        rotations: keys.map_or(0, Keys::changes),
    })
}

/// Checks that an older head is of this tree, and is signed with the key that was in use then.
///
/// # Errors
///
/// [`Failure`] if it is not.
pub(super) fn older(
    head: &Head,
    origin: &str,
    keys: Option<&Keys>,
    trust: &Trust,
    tree: &Levels,
) -> Result<(), Failure> {
    head.is_of(origin, tree)?;
    let size = head.checkpoint.size;
    let signed = match keys {
        Some(keys) => {
            let signers = head.signers(&keys.keys)?;
            keys.at(size).is_some_and(|expected| signers.contains(expected))
        }
        None => !head.signers(&trust.keys_of(origin))?.is_empty(),
    };
    match signed {
        true => Ok(()),
        false => Err(Failure::tampered(format!(
            "the older head of {size} entries is not signed with the key that the log had then"
        ))),
    }
}

/// Checks that the cosigners of a head could have seen all of its entries.
///
/// # Errors
///
/// [`Failure`] if an entry has a later time, or a cosignature is wrong.
pub(super) fn in_time(head: &Head, trust: &Trust, latest: Option<Timestamp>) -> Result<(), Failure> {
    let Some(latest) = latest else { return Ok(()) };
    let keys: Vec<VerifierKey> = trust.witnesses().iter().map(|witness| witness.key.clone()).collect();
    let verified = match head.note.verified_by(&keys) {
        Ok(verified) => verified,
        Err(NoteError::Unsigned) => return Ok(()),
        Err(error) => {
            return Err(Failure::tampered(format!("the head of {} entries: {error}", head.checkpoint.size)));
        }
    };
    let named = verified.iter().filter_map(|one| Some((trust.witnesses().get(one.key)?, one.time?)));
    named
        .map(|(witness, time)| {
            (format!("the witness `{}`", witness.name), witnessed((String::new(), time)).at)
        })
        .try_for_each(|(who, at)| before(&who, at, latest, head.checkpoint.size))
}

/// Checks that a head was signed or stamped after its entries were made.
pub(super) fn before(who: &str, at: Timestamp, latest: Timestamp, size: u64) -> Result<(), Failure> {
    match at.checked_add(CLOCKS).is_ok_and(|at| at < latest) {
        true => Err(Failure::tampered(format!(
            "{who} signed at {at:.3} that there were {size} entries, but one of them has the time {latest:.3}"
        ))),
        false => Ok(()),
    }
}

/// A witness's signature, as a report names it.
pub(crate) fn witnessed((name, seconds): (String, u64)) -> Witnessed {
    Witnessed { name, at: millis(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)) }
}

/// The failure for a head that is not trusted.
pub(crate) fn distrust(error: TrustError) -> Failure {
    match &error {
        TrustError::Quorum { .. } => Failure::incomplete(error.to_string()),
        TrustError::Note(_) | TrustError::NotByLog { .. } | TrustError::Checkpoint(_) => {
            Failure::tampered(error.to_string())
        }
        TrustError::UnknownLog { .. }
        | TrustError::OtherKey { .. }
        | TrustError::TooLong
        | TrustError::Line { .. }
        | TrustError::NoQuorum => Failure::unusable(error.to_string()),
    }
}
