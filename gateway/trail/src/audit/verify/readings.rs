//! How an account reads the law: its readings, as its log has them.
//!
//! **Invariant: what asks less than the table counts only while the law desk allows it, if two people of the account
//! stand for it, until its end.** What asks more is never left out of a call that is opened under it, and
//! two people end it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use policy::{Code, Opened, Reading, Terms};

use super::super::Failure;
use crate::{Body, Leaf, Saw, reading};

/// The readings so far, and where the law desk allows them.
#[derive(Debug, Default)]
pub(super) struct Readings {
    known: BTreeMap<String, Known>,
    allowed: BTreeSet<Code>,
}

#[derive(Debug)]
struct Known {
    terms: Terms,
    /// Who proposed it.
    credential: String,
    in_force: bool,
    /// Who proposed last to end it.
    end_proposer: Option<String>,
    ended: Option<Timestamp>,
}

impl Known {
    /// When it was over by then, if it was.
    fn over(&self, at: Timestamp) -> Option<Timestamp> {
        self.terms.until.filter(|until| *until <= at).into_iter().chain(self.ended).min()
    }

    /// Whether calls that are opened then are asked more because of it.
    fn adds(&self, at: Timestamp) -> bool {
        self.in_force && self.terms.instead_of.is_none() && self.over(at).is_none()
    }
}

/// Who acts, as the registry knows it.
pub(super) struct Actors<'r> {
    /// Whether a credential is one of this log's.
    pub(super) is_own: &'r dyn Fn(&str) -> bool,
    /// Whether the second is another person's than the first, who counts; `None` if only an earlier epoch can say.
    pub(super) seconds: &'r dyn Fn(&str, &str) -> Option<bool>,
    /// An earlier epoch may hold what is not known here.
    pub(super) lenient: bool,
}

impl Readings {
    /// Takes an entry about a reading, or of a call.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it does not follow from those before it.
    pub(super) fn take(&mut self, leaf: &Leaf, actors: &Actors<'_>) -> Result<(), Failure> {
        let wrong = |what: &str| Err(Failure::tampered(what.to_owned()));
        if let Body::ReadingAllowed { .. } | Body::ReadingDisallowed { .. } = &leaf.body
            && (actors.is_own)(&leaf.actor.credential)
        {
            return wrong("an account decides by itself where it may read the law otherwise");
        }
        if let Body::ReadingAllowed { code } = &leaf.body {
            self.allowed.insert(*code);
        }
        if let Body::ReadingDisallowed { code } = &leaf.body {
            self.allowed.remove(code);
            let of = self.known.values_mut().filter(|known| known.terms.code == *code);
            let of = of.filter(|known| known.terms.instead_of.is_some());
            of.for_each(|known| known.ended = known.ended.or(Some(leaf.at)));
        }
        if let Body::ReadingProposed { reading } | Body::ReadingInForce { reading } = &leaf.body {
            self.stated(leaf, reading)?;
        }
        if let Body::ReadingApproved { reading } = &leaf.body {
            self.approved(leaf, reading, actors)?;
        }
        if let Body::ReadingEndProposed { reading } = &leaf.body {
            match self.known.get_mut(reading) {
                Some(known) if known.adds(leaf.at) => {
                    known.end_proposer = Some(leaf.actor.credential.clone());
                }
                Some(_) => {
                    return wrong("it proposes to end a reading that is over, or that one person ends");
                }
                None if actors.lenient => {}
                None => return wrong("it proposes to end a reading that nobody had stated"),
            }
        }
        if let Body::ReadingEnded { reading } = &leaf.body {
            // INVARIANT: what loosens takes a second person.
            let ender = leaf.actor.credential.as_str();
            let alone = |known: &Known| {
                let first = known.end_proposer.as_deref();
                first.is_none_or(|first| first == ender || (actors.seconds)(first, ender) == Some(false))
            };
            if self.known.get(reading).filter(|known| known.adds(leaf.at)).is_some_and(alone) {
                return wrong(
                    "it ends a reading that asks more, and by what the log says of people nobody else who counts had proposed that",
                );
            }
            match self.known.get_mut(reading) {
                Some(known) if known.ended.is_none() => known.ended = Some(leaf.at),
                Some(_) => return wrong("it ends a reading that was ended before"),
                None if actors.lenient => {}
                None => return wrong("it ends a reading that nobody had stated"),
            }
        }
        if let Body::Opened { facts, .. } = &leaf.body {
            self.opened(leaf.at, facts, actors)?;
        }
        leaf.body.saw().map_or(Ok(()), |saw| self.seen(leaf.at, saw, actors))
    }

    fn stated(&mut self, leaf: &Leaf, reading: &Reading) -> Result<(), Failure> {
        let terms = &reading.terms;
        if reading.id != reading::id_of(terms) {
            return Err(Failure::tampered("a reading does not have the id of its terms"));
        }
        let loosens = matches!(leaf.body, Body::ReadingProposed { .. });
        if loosens != terms.instead_of.is_some() {
            return Err(Failure::tampered("a reading that asks less counts, and nobody had approved it"));
        }
        if loosens && terms.until.is_none() {
            return Err(Failure::tampered("a reading asks less, and has no end"));
        }
        let new = Known {
            terms: terms.clone(),
            credential: leaf.actor.credential.clone(),
            in_force: !loosens,
            end_proposer: None,
            ended: None,
        };
        match self.known.insert(reading.id.clone(), new) {
            None => Ok(()),
            Some(_) => Err(Failure::tampered("it states a reading a second time")),
        }
    }

    // INVARIANT: what loosens takes a second person, and the law desk's leave.
    fn approved(&mut self, leaf: &Leaf, id: &str, actors: &Actors<'_>) -> Result<(), Failure> {
        let Some(known) = self.known.get_mut(id) else {
            return match actors.lenient {
                true => Ok(()),
                false => Err(Failure::tampered("it approves a reading that nobody had proposed")),
            };
        };
        if known.in_force || known.ended.is_some() {
            return Err(Failure::tampered("it approves a reading that was decided before"));
        }
        if !self.allowed.contains(&known.terms.code) && !actors.lenient {
            return Err(Failure::tampered("it approves a reading of a place where the law desk allows none"));
        }
        if known.over(leaf.at).is_some() {
            return Err(Failure::tampered("it approves a reading whose time was over"));
        }
        let (first, second) = (known.credential.as_str(), leaf.actor.credential.as_str());
        if first == second || (actors.seconds)(first, second) == Some(false) {
            return Err(Failure::tampered(
                "it approves a reading, and by what the log says of people nobody else who counts had proposed it",
            ));
        }
        known.in_force = true;
        Ok(())
    }

    fn opened(&self, at: Timestamp, facts: &Opened, actors: &Actors<'_>) -> Result<(), Failure> {
        for reading in &facts.readings {
            let Some(known) = self.known.get(&reading.id) else {
                match actors.lenient {
                    true => continue,
                    false => {
                        return Err(Failure::tampered("a call rests on a reading that nobody had stated"));
                    }
                }
            };
            if known.terms != reading.terms {
                return Err(Failure::tampered("a call rests on a reading that says something else"));
            }
            let counts = known.in_force && known.over(at).is_none();
            if !counts && !actors.lenient {
                return Err(Failure::tampered("a call rests on a reading that was not in force"));
            }
        }
        let named = |id: &String| facts.readings.iter().any(|reading| reading.id == *id);
        let mut stricter = self.known.iter().filter(|(_, known)| known.adds(at));
        let left_out = stricter
            .any(|(id, known)| known.terms.covers(&facts.operator_locations, facts.purposes) && !named(id));
        match left_out && !actors.lenient {
            true => {
                Err(Failure::tampered("a call is opened without a reading of the account that asks more"))
            }
            false => Ok(()),
        }
    }

    /// Whether a decision knew which of its call's readings were over.
    fn seen(&self, at: Timestamp, saw: &Saw, actors: &Actors<'_>) -> Result<(), Failure> {
        for seen in &saw.readings {
            let Some(known) = self.known.get(&seen.reading) else {
                match actors.lenient {
                    true => continue,
                    false => {
                        return Err(Failure::tampered(
                            "a decision rests on a reading that nobody had stated",
                        ));
                    }
                }
            };
            match (seen.over, known.over(at)) {
                (None, None) => {}
                // The clocks of two gateways may differ a little; earlier is stricter.
                (Some(seen), Some(over)) if seen <= over => {}
                _ if actors.lenient => {}
                (None | Some(_), Some(_)) => {
                    return Err(Failure::tampered("a decision rests on a reading that was over"));
                }
                (Some(_), None) => {
                    return Err(Failure::tampered(
                        "a decision says that a reading was over, and nobody had ended it",
                    ));
                }
            }
        }
        Ok(())
    }
}
