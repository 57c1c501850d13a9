//! How the law came about: the versions of the table, as the log `system` tells it.
//!
//! What loosens anything takes two people. Whether a version loosens is computed again from the two
//! tables, where they are there.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use policy::{Diff, Table};
use uuid::Uuid;

use super::super::{Failure, Version};
use crate::trail::{Body, Leaf};

/// The versions so far, and what was proposed.
#[derive(Debug, Default)]
pub(super) struct LawBook {
    pub(super) versions: Vec<Version>,
    proposals: BTreeMap<Uuid, Proposal>,
    /// Versions that say of themselves whether they loosen the one before.
    pub(super) claims: Vec<Claim>,
    /// The log goes on from another, in which what is not known here may stand.
    pub(super) goes_on: bool,
}

/// What a version says of itself.
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
    /// Who stands for it: whoever adopted it, where nobody had proposed it in person.
    credential: String,
    expires_at: Timestamp,
    open: bool,
}

impl LawBook {
    /// Takes an entry of the law desk.
    ///
    /// # Errors
    ///
    /// [`Failure`] where it does not follow from those before it.
    pub(super) fn take(&mut self, index: u64, leaf: &Leaf) -> Result<(), Failure> {
        if let Body::Table { table, version, base, proposal, loosens, .. } = &leaf.body {
            self.follows(*version, base.as_deref())?;
            if let Some(base) = base {
                let (base, table) = (base.clone(), table.clone());
                self.claims.push(Claim { index, base, table, loosens: *loosens });
            }
            if *loosens && proposal.is_none() {
                return Err(Failure::tampered("it loosens the law, and nobody had proposed it"));
            }
            if let Some(uid) = proposal {
                self.approved(leaf, *uid, table, base.as_deref())?;
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
            // Of a log that goes on from another, the first versions stand there.
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
                "it is version {version} of the table, where {expected} follows"
            )));
        }
        if base != Some(last.table.as_str()) {
            return Err(Failure::tampered("it follows another version of the table than the one in force"));
        }
        Ok(())
    }

    // INVARIANT: what loosens takes a second person.
    fn approved(&self, leaf: &Leaf, uid: Uuid, table: &str, base: Option<&str>) -> Result<(), Failure> {
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
        if leaf.at >= proposal.expires_at {
            return Err(Failure::tampered("it approves a proposal that had expired"));
        }
        Ok(())
    }
}

impl Claim {
    /// Whether a version that loosens the one before says so. (It may say so without: an overlay that
    /// comes loosens where an account has named it before, and that is not in the tables.)
    ///
    /// # Errors
    ///
    /// [`Failure`] where it does not.
    pub(super) fn check(&self, base: &Arc<Table>, table: &Arc<Table>) -> Result<(), Failure> {
        if Diff::between(base, table).loosens && !self.loosens {
            return Err(Failure::tampered("it loosens the law, and says that it does not").at(self.index));
        }
        Ok(())
    }
}
