//! How the law came about: the versions of the table, as the log `system` has them.
//!
//! A version that loosens anything takes two people. Whether it loosens is computed again from the two
//! tables, if they are there. Other logs, whose decisions name these tables, are compared with [`Law`].

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::{Diff, Table};
use uuid::Uuid;

use super::super::{Failure, Version};
use super::registry::Registry;
use super::sequence::Sequence;
use crate::{Body, Leaf};

/// The versions so far, and what was proposed.
#[derive(Debug, Default)]
pub(super) struct LawBook {
    pub(super) versions: Vec<Version>,
    proposals: BTreeMap<Uuid, Proposal>,
    /// Versions that say whether they loosen the one before.
    pub(super) claims: Vec<Claim>,
    /// The log continues another, which may hold what is not known here.
    pub(super) goes_on: bool,
    /// How many of the versions are in earlier epochs.
    of_before: usize,
}

/// What a version says about itself.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) index: u64,
    pub(super) base: String,
    pub(super) table: String,
    pub(super) loosens: bool,
}

#[derive(Debug)]
struct Proposal {
    table: String,
    base: String,
    /// Who proposed it in person, or else adopted it.
    credential: String,
    expires_at: Timestamp,
    open: bool,
}

impl LawBook {
    /// The state in which the next epoch begins.
    pub(super) fn next(self) -> LawBook {
        LawBook { of_before: self.versions.len(), claims: Vec::new(), ..self }
    }

    /// The versions that came into force in this log.
    pub(super) fn own_versions(&self) -> &[Version] {
        self.versions.get(self.of_before..).unwrap_or_default()
    }

    /// Takes an entry of the law desk.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it does not follow from those before it.
    pub(super) fn take(&mut self, index: u64, leaf: &Leaf, registry: &Registry) -> Result<(), Failure> {
        if let Body::Table { table, version, base, proposal, loosens, .. } = &leaf.body {
            self.follows(*version, base.as_deref())?;
            if let Some(base) = base {
                let (base, table) = (base.clone(), table.clone());
                self.claims.push(Claim { index, base, table, loosens: *loosens });
            }
            if *loosens && proposal.is_none() {
                return Err(Failure::tampered("it loosens the law, but nobody had proposed it"));
            }
            if let Some(uid) = proposal {
                self.approved(leaf, *uid, (table, base.as_deref()), registry)?;
            }
            self.versions.push(Version { version: *version, table: table.clone(), at: leaf.at, index });
        }
        if let Body::TableProposed { proposal, table, base, expires_at, .. } = &leaf.body {
            let new = Proposal {
                table: table.clone(),
                base: base.clone(),
                credential: leaf.actor.credential.clone(),
                expires_at: *expires_at,
                open: true,
            };
            if self.proposals.insert(*proposal, new).is_some() {
                return Err(Failure::tampered("it makes a proposal a second time"));
            }
        }
        if let Body::ProposalDecided { proposal, outcome } = &leaf.body {
            let Some(proposal) = self.proposals.get_mut(proposal) else {
                return match self.goes_on {
                    true => Ok(()),
                    false => Err(Failure::tampered("it decides a proposal that was never made")),
                };
            };
            if !proposal.open {
                return Err(Failure::tampered("it decides a proposal that was decided before"));
            }
            match outcome.as_str() {
                "adopted" => proposal.credential.clone_from(&leaf.actor.credential),
                _ => proposal.open = false,
            }
        }
        Ok(())
    }

    fn follows(&self, version: i64, base: Option<&str>) -> Result<(), Failure> {
        let Some(last) = self.versions.last() else {
            // The first versions are in the log that this one continues.
            return match self.goes_on || (version == 1 && base.is_none()) {
                true => Ok(()),
                false => {
                    Err(Failure::tampered("the first version of the table says that it follows another"))
                }
            };
        };
        let expected = last.version.saturating_add(1);
        if version != expected {
            return Err(Failure::tampered(format!(
                "it is version {version} of the table, but {expected} would be next"
            )));
        }
        if base != Some(last.table.as_str()) {
            return Err(Failure::tampered("it follows another version of the table than the one in force"));
        }
        Ok(())
    }

    // INVARIANT: what loosens takes a second person.
    fn approved(
        &self,
        leaf: &Leaf,
        uid: Uuid,
        (table, base): (&str, Option<&str>),
        registry: &Registry,
    ) -> Result<(), Failure> {
        let Some(proposal) = self.proposals.get(&uid) else {
            return match self.goes_on {
                true => Ok(()),
                false => Err(Failure::tampered("it approves a proposal that was never made")),
            };
        };
        if !proposal.open {
            return Err(Failure::tampered("it approves a proposal that was decided before"));
        }
        if proposal.table != table || Some(proposal.base.as_str()) != base {
            return Err(Failure::tampered("it approves another table than was proposed"));
        }
        if proposal.credential == leaf.actor.credential || proposal.credential == "gateway" {
            return Err(Failure::tampered("it approves a proposal, and nobody else had made it"));
        }
        if registry.seconds(&proposal.credential, &leaf.actor.credential) == Some(false) {
            return Err(Failure::tampered(
                "it approves a proposal, and by what the log says of people nobody else who counts had made it",
            ));
        }
        if leaf.at >= proposal.expires_at {
            return Err(Failure::tampered("it approves a proposal that had expired"));
        }
        Ok(())
    }
}

impl Claim {
    /// Checks that a version that loosens the one before says so. (It may say so without loosening: a new
    /// overlay loosens if an account has named it before, and that is not in the tables.)
    ///
    /// # Errors
    ///
    /// [`Failure`] if it does not.
    pub(super) fn check(&self, base: &Arc<Table>, table: &Arc<Table>) -> Result<(), Failure> {
        if Diff::between(base, table).loosens && !self.loosens {
            return Err(Failure::tampered("it loosens the law, and says that it does not").at(self.index));
        }
        Ok(())
    }
}

/// The law, from a verified log `system`.
#[derive(Debug, Clone)]
pub struct Law {
    /// Which log.
    pub(super) origin: String,
    versions: Vec<Version>,
    /// Its latest entry.
    until: Option<Timestamp>,
    /// Its first epoch is there.
    whole: bool,
    /// The roles of those who may act at the law desk.
    roles: BTreeMap<String, String>,
}

impl Law {
    /// The law of a log and its earlier epochs.
    pub(super) fn of(origin: &str, sequence: &Sequence) -> Law {
        Law {
            origin: origin.to_owned(),
            versions: sequence.law.versions.clone(),
            until: sequence.span().map(|(_, latest)| latest),
            whole: !sequence.law.goes_on,
            roles: sequence.registry.roles(),
        }
    }

    /// Checks that those who acted in another log were given that role at the law desk.
    pub(super) fn knows(&self, strangers: &BTreeMap<String, (u64, String)>) -> Result<(), Failure> {
        for (credential, (index, role)) in strangers {
            match self.roles.get(credential) {
                Some(given) if given == role => {}
                None if !self.whole => {}
                Some(_) | None => {
                    let what = format!(
                        "`{credential}` acts as `{role}`, but was given that role neither in this log nor in `{}`",
                        self.origin
                    );
                    return Err(Failure::tampered(what).at(*index));
                }
            }
        }
        Ok(())
    }
}

/// The comparison of a log with the law.
pub(super) struct Compared<'l> {
    pub(super) law: &'l Law,
    /// Decisions from before the first version that is known.
    pub(super) before: u64,
    /// Decisions from after the latest entry of the law's log.
    pub(super) after: u64,
}

impl<'l> Compared<'l> {
    pub(super) fn with(law: &'l Law) -> Compared<'l> {
        Compared { law, before: 0, after: 0 }
    }

    /// Checks that an entry that decides names the table that was in force.
    pub(super) fn decided(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        let Some(saw) = leaf.body.saw() else { return Ok(()) };
        let Law { origin, versions, until, whole, .. } = self.law;
        let begun = |version: &Version| version.at.checked_sub(LAG).is_ok_and(|at| at <= leaf.at);
        let count = versions.partition_point(begun);
        let (begun, later) = versions.split_at_checked(count).unwrap_or_default();
        // From the newest backwards: a version ends when the next one comes into force.
        let mut next = later.first();
        for version in begun.iter().rev() {
            if next.is_some_and(|next| next.at.checked_add(LAG).is_ok_and(|at| at < leaf.at)) {
                break;
            }
            if version.table == saw.table {
                let beyond = until.is_none_or(|until| until < leaf.at) && later.is_empty();
                self.after = self.after.saturating_add(u64::from(beyond));
                return Ok(());
            }
            next = Some(version);
        }
        let first = versions.first().and_then(|version| version.at.checked_add(LAG).ok());
        if !whole && first.is_none_or(|first| leaf.at < first) {
            self.before = self.before.saturating_add(1);
            return Ok(());
        }
        if until.is_none_or(|until| until < leaf.at) {
            return Err(Failure::incomplete(format!(
                "it was decided by the table `{}` after the end of the log `{origin}` that was given: get a newer export of that",
                saw.table
            )));
        }
        let known = versions.iter().any(|version| version.table == saw.table);
        Err(Failure::tampered(match (known, begun.last()) {
            (true, Some(version)) => format!(
                "it was decided by the table `{}`, but the log `{origin}` says that version {} was in force, `{}`",
                saw.table, version.version, version.table
            ),
            (true, None) => {
                format!("it was decided by the table `{}` before that came into force", saw.table)
            }
            (false, _) => format!(
                "it was decided by the table `{}`, which the log `{origin}` says never came into force",
                saw.table
            ),
        }))
    }
}

/// How far the times of two logs may differ: entries are stamped before they wait for their turn.
const LAG: SignedDuration = SignedDuration::from_mins(1);
