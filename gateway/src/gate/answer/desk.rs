//! Answers of the law desk: versions of the table, proposals, and what a table would change.

use std::collections::BTreeMap;

use policy::table::Sourcing;
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
    /// Whether it could come into force.
    pub usable: bool,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
    /// How well it is borne out; null if it cannot be used.
    pub sources: Option<Sourcing>,
    /// What it would change in the table in force; null if it cannot be used.
    pub diff: Option<Diff>,
}

/// The outcome of submitting a table.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "TableOutcome")]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is in force.
    InForce {
        /// The version that it became. Left out if it was already in force.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<Box<VersionText>>,
    },
    /// It loosens something, and awaits approval by a second person.
    Proposed {
        /// The proposal.
        proposal: Box<ProposalReport>,
    },
}

/// The outcome of approving a proposal.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ProposalApproved")]
#[serde(untagged)]
pub enum Approved {
    /// It is in force.
    InForce(Box<VersionText>),
    /// Nobody was known to have proposed it: it is now proposed by the person who approved it, and awaits a
    /// second person.
    Adopted(Box<ProposalReport>),
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
    /// Who put it in force, and why.
    #[serde(flatten)]
    pub made: Made,
}

/// A version of the table, with its text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "TableVersionText")]
pub struct VersionText {
    /// The version.
    #[serde(flatten)]
    pub version: Version,
    /// Its text, TOML.
    pub table: String,
}

/// Who put a version in force, and why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// The person who published or proposed it; empty if nobody is known.
    pub author: String,
    /// The credential that put it in force.
    pub credential: String,
    /// How the table was submitted.
    pub origin: Origin,
    /// What it changed compared with the previous version. Left out for the first one.
    #[serde(flatten)]
    pub step: Option<Step>,
}

/// What a version changed compared with the previous one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The person who approved it; null if one person was enough.
    #[schemars(extend("x-nullable" = true))]
    pub approver: Option<String>,
    /// Why it was made.
    pub reason: Reason,
    /// The proposal that it came from; null if it was published directly.
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
    /// The reason of the author.
    Published(String),
    /// The reasons of both people.
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

/// A table that awaits, or awaited, approval by a second person.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Proposal {
    /// Its id.
    pub id: Uuid,
    /// The SHA-256 of the proposed table, in hexadecimal.
    pub digest: String,
    /// The SHA-256 of the table that it was compared with, in hexadecimal.
    pub base: String,
    /// Its state.
    pub state: ProposalState,
    /// The person who proposed it; empty if nobody is known.
    pub author: String,
    /// How the table was submitted.
    pub origin: Origin,
    /// Why it was proposed.
    pub reason: String,
    /// When it was proposed.
    pub proposed_at: Moment,
    /// From this moment on, it can no longer be approved.
    pub expires_at: Moment,
    /// When it was decided; null while it is open.
    pub decided_at: Option<Moment>,
    /// Who decided it, and why; null while it is open.
    pub decision: Option<Ruling>,
}

/// A proposal, with what it would change, and what it would have changed in the past.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProposalReport {
    /// The proposal.
    #[serde(flatten)]
    pub proposal: Proposal,
    /// What it would change.
    pub diff: Diff,
    /// What would have been different on past calls.
    pub impact: Impact,
}

/// The state of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProposalState {
    /// It awaits a decision.
    Open,
    /// It was approved and came into force.
    Published,
    /// Its author withdrew it.
    Withdrawn,
    /// Somebody rejected it.
    Rejected,
    /// Another version came into force first.
    Superseded,
    /// It was not decided in time.
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

    /// The state with this word.
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
    /// The person; empty if nobody is known.
    pub person: String,
    /// The credential that they used.
    pub credential: String,
    /// The reason; null if the decision followed from a version that came into force.
    pub reason: Option<String>,
}

/// What would have been different on past calls under another table.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Impact {
    /// The SHA-256 of the table that it was compared with, in hexadecimal.
    pub base: String,
    /// The SHA-256 of the other table, in hexadecimal.
    pub table: String,
    /// The account's further reading with which calls were replayed; left out if a table was rehearsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<String>,
    /// Only calls opened at this moment or later; null for all.
    pub since: Option<Moment>,
    /// Only calls of this account; null for all.
    pub account: Option<String>,
    /// How many calls were replayed.
    pub calls: u64,
    /// How many recordings were judged again.
    pub recordings: u64,
    /// How many calls could not be read; no other count includes them.
    pub unreadable: u64,
    /// What would have been different, over all calls.
    pub total: Effects,
    /// The same for each place; a call with several places counts in each.
    pub places: BTreeMap<String, PlaceImpact>,
}

/// How often something would have been different.
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

/// What would have been different on calls with this place.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct PlaceImpact {
    /// How often.
    #[serde(flatten)]
    pub effects: Effects,
    /// Some of these calls.
    pub examples: Vec<Example>,
}

/// A call that would have been different.
///
/// The trail's id of the call is stored; the platform's names are looked up when it is shown, since they can
/// be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ImpactExample")]
pub struct Example {
    /// The gateway's id of the call.
    pub uid: Uuid,
    /// What would have been different.
    pub effects: Vec<Effect>,
    /// The platform's id of the call. Left out if the call is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Its account. Left out if the call is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// What would have been different on a call.
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
    /// The word.
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
    /// The versions, the newest first.
    pub versions: Vec<Version>,
}

/// Every proposal.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ProposalList")]
pub struct Proposals {
    /// The proposals, the newest first.
    pub proposals: Vec<Proposal>,
}
