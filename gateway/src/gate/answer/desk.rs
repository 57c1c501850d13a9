//! The law desk: versions of the table, proposals, and what a table would change.

use std::collections::BTreeMap;

use policy::{Diff, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use trail::Origin;
use trail::clock::Moment;

/// What is wrong with a table, and what it would change.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "TableCheck")]
pub struct Checked {
    /// Whether it could be put in force.
    pub usable: bool,
    /// Mistakes and warnings.
    pub problems: Vec<Problem>,
    /// What it would change of the table in force; null where it cannot be used.
    pub diff: Option<Diff>,
}

/// What became of a table that was brought.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "TableOutcome")]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is in force.
    InForce {
        /// The version that it became. Left out where it was in force already.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<Box<VersionText>>,
    },
    /// It loosens something, and waits for a second person.
    Proposed {
        /// The proposal.
        proposal: Box<ProposalReport>,
    },
}

/// What became of a proposal that was approved.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ProposalApproved")]
#[serde(untagged)]
pub enum Approved {
    /// It is in force.
    InForce(VersionText),
    /// Nobody was known to have proposed it: whoever approved it has now, and it waits for a second person.
    Adopted(ProposalReport),
}

/// A version of the table.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "TableVersion")]
pub struct Version {
    /// Its number, from 1.
    pub version: i64,
    /// The SHA-256 of its text, in hexadecimal.
    pub digest: String,
    /// When it came into force.
    pub in_force_at: Moment,
    /// Who has put it in force, and why.
    #[serde(flatten)]
    pub made: Made,
}

/// A version of the table, with its text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "TableVersionText")]
pub struct VersionText {
    /// Which it is.
    #[serde(flatten)]
    pub version: Version,
    /// Its text, TOML.
    pub table: String,
}

/// Who has put a version in force, and why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// Who published or proposed it; empty where nobody is known.
    pub author: String,
    /// The credential that put it in force.
    pub credential: String,
    /// How it came.
    pub origin: Origin,
    /// What it changed of the version before. Left out for the first one.
    #[serde(flatten)]
    pub step: Option<Step>,
}

/// What a version changed of the one before.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Who approved it; null where one person was enough.
    #[schemars(extend("x-nullable" = true))]
    pub approver: Option<String>,
    /// Why it was made.
    pub reason: Reason,
    /// The proposal that it was; null where it was published at once.
    #[schemars(extend("x-nullable" = true))]
    pub proposal: Option<Uuid>,
    /// What it changed.
    pub diff: Diff,
}

/// Why a version was made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TableReason")]
#[serde(untagged)]
pub enum Reason {
    /// As its author says.
    Published(String),
    /// As both people say.
    #[schemars(title = "TableReasonOfTwo")]
    Approved {
        /// Why it was proposed.
        proposed: String,
        /// Why it was approved.
        approved: String,
        /// Who proposed it.
        author: String,
    },
}

/// A table that waits for a second person, or did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Proposal {
    /// Its id.
    pub id: Uuid,
    /// The SHA-256 of the proposed table, in hexadecimal.
    pub digest: String,
    /// The SHA-256 of the table that it was compared with, in hexadecimal.
    pub base: String,
    /// Where it stands.
    pub state: ProposalState,
    /// Who proposed it; empty where nobody is known.
    pub author: String,
    /// How the table came.
    pub origin: Origin,
    /// Why it was proposed.
    pub reason: String,
    /// When it was proposed.
    pub proposed_at: Moment,
    /// The first moment at which it can be approved no longer.
    pub expires_at: Moment,
    /// When it was decided; null while it is open.
    pub decided_at: Option<Moment>,
    /// Who decided it, and why; null while it is open.
    pub decision: Option<Ruling>,
}

/// A proposal, with what it would change and what it would have done.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProposalReport {
    /// Which it is.
    #[serde(flatten)]
    pub proposal: Proposal,
    /// What it would change.
    pub diff: Diff,
    /// What would have been otherwise on the calls there were.
    pub impact: Impact,
}

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProposalState {
    /// It waits.
    Open,
    /// It was approved, and came into force.
    Published,
    /// Its author withdrew it.
    Withdrawn,
    /// Somebody rejected it.
    Rejected,
    /// Another version came into force meanwhile.
    Superseded,
    /// Nobody decided it in time.
    Expired,
}

impl ProposalState {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ProposalState::Open => "open",
            ProposalState::Published => "published",
            ProposalState::Withdrawn => "withdrawn",
            ProposalState::Rejected => "rejected",
            ProposalState::Superseded => "superseded",
            ProposalState::Expired => "expired",
        }
    }

    /// The state of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<ProposalState> {
        use ProposalState::{Expired, Open, Published, Rejected, Superseded, Withdrawn};
        let all = [Open, Published, Withdrawn, Rejected, Superseded, Expired];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// Who decided a proposal, and why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProposalDecision")]
pub struct Ruling {
    /// Who; empty where nobody is known.
    pub person: String,
    /// By which credential.
    pub credential: String,
    /// Why; null where it follows from a version that came into force.
    pub reason: Option<String>,
}

/// What would have been otherwise on the calls there were, by another table.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Impact {
    /// The SHA-256 of the table that it is compared with, in hexadecimal.
    pub base: String,
    /// The SHA-256 of the other table, in hexadecimal.
    pub table: String,
    /// Only calls that were opened then or later; null for all.
    pub since: Option<Moment>,
    /// Only calls of this account; null for all.
    pub account: Option<String>,
    /// How many calls were replayed.
    pub calls: u64,
    /// How many recordings were judged again.
    pub recordings: u64,
    /// How many calls could not be read: they are in no other count.
    pub unreadable: u64,
    /// What would have been otherwise, in all.
    pub total: Effects,
    /// The same by place; a call with several counts in each.
    pub places: BTreeMap<String, PlaceImpact>,
}

/// How often something would have been otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Effects {
    /// Calls on which recording was permitted and would have been refused.
    pub blocked: u64,
    /// Calls on which recording was refused and would have been permitted.
    pub allowed: u64,
    /// Calls that would have been asked more.
    pub asked_more: u64,
    /// Calls that would have been asked less.
    pub asked_less: u64,
    /// Stored recordings that would lack consent.
    pub lacking: u64,
}

/// What would have been otherwise on calls with a place.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct PlaceImpact {
    /// How often.
    #[serde(flatten)]
    pub effects: Effects,
    /// Some of these calls.
    pub examples: Vec<Example>,
}

/// A call that would have gone otherwise.
///
/// The trail's name for it is kept; what the platform calls it is looked up when it is shown, since that can be
/// erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ImpactExample")]
pub struct Example {
    /// The gateway's id of the call.
    pub uid: Uuid,
    /// What would have been otherwise.
    pub effects: Vec<Effect>,
    /// The platform's id of the call. Left out where the call is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Its account. Left out where the call is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// What would have been otherwise on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Effect {
    /// Recording was permitted, and would have been refused.
    #[serde(rename = "blocked")]
    Blocked,
    /// Recording was refused, and would have been permitted.
    #[serde(rename = "allowed")]
    Allowed,
    /// More would have been asked.
    #[serde(rename = "asked more")]
    AskedMore,
    /// Less would have been asked.
    #[serde(rename = "asked less")]
    AskedLess,
    /// A stored recording would lack consent.
    #[serde(rename = "recording lacks consent")]
    Lacking,
}

impl Effect {
    /// The words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Blocked => "blocked",
            Effect::Allowed => "allowed",
            Effect::AskedMore => "asked more",
            Effect::AskedLess => "asked less",
            Effect::Lacking => "recording lacks consent",
        }
    }
}

/// Every version of the table.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "TableVersions")]
pub struct Versions {
    /// The newest first.
    pub versions: Vec<Version>,
}

/// Every proposal.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ProposalList")]
pub struct Proposals {
    /// The newest first.
    pub proposals: Vec<Proposal>,
}
