//! The gate's answers: types that serialise to what the API promises.

mod call;
mod decision;
mod desk;
mod erasure;
mod health;
mod holds;
mod law;
mod log;
mod notices;
mod people;
mod provision;
mod quarantine;
mod readings;
mod recording;
mod register;
mod scope;
mod words;

use std::collections::BTreeMap;

pub use call::{Call, ClosedBy, Interval, Timeline, Uncovered, Window};
pub use decision::{
    Because, Concerned, Decision, Missing, Obligation, Participant, Place, Recorder, Requirement, Rule,
    Verdict, Whose,
};
pub use desk::{
    Approved, Checked, Effect, Effects, Example, Impact, Made, Outcome, PlaceImpact, Proposal,
    ProposalReport, ProposalState, Proposals, Reason, Ruling, Step, Version, VersionText, Versions,
};
pub use erasure::{Erased, ErasedRecordings, Remnants};
pub use health::{Health, Readiness, Ready, Running, TableInForce};
pub use holds::{LegalHold, LegalHolds, WaitingErasure, WaitingErasureList};
pub use law::{
    Asks, Cited, Explained, Floors, Jurisdiction, LacksAt, Logged, Media, Overlay, PlaceAsks, PromptLacks,
    Reviewed, RowMedia, RuleSources, Table, Then, Today, UnknownSubdivision, Waiver,
};
pub use log::{DroppedEpoch, Exported};
pub use notices::{Notification, NotificationQueue};
pub use people::{Confirmer, People, Person};
pub use provision::{
    AccountAlias, AccountKey, AccountKeys, AccountWebhook, ProvisionedAccount, ProvisionedAccounts,
    ProvisionedCredential, ProvisionedCredentials,
};
pub use quarantine::{InQuarantine, Quarantine};
pub use readings::{Reading, ReadingAllowance, ReadingState, ReadingText, Readings};
pub use recording::{
    Consents, Contradiction, Difference, Differs, Entry, Inventory, Opening, Overdue, Recording, Recordings,
    Retention, Segment, Silenced,
};
pub use register::{ChosenLaw, Grant, Prompt, PromptCheck};
pub use scope::{RecordingRuling, RecordingScope, RecordingSettings};
pub use words::{reason, words};

/// The platform's names for those whom an answer is about.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The platform's ids of the participants, by their numbers.
    pub people: BTreeMap<u32, String>,
    /// The account's ids of prompts, by the gateway's ids of their versions.
    pub prompts: BTreeMap<String, String>,
}

impl Names {
    /// The platform's id of a participant.
    #[must_use]
    pub fn of(&self, participant: u32) -> String {
        let known = self.people.get(&participant).cloned();
        known.unwrap_or_else(|| format!("participant {participant}"))
    }

    /// The account's id of a prompt, or the id of its version if the account's is not known.
    #[must_use]
    pub fn of_prompt<'n>(&'n self, version: &'n str) -> &'n str {
        self.prompts.get(version).map_or(version, String::as_str)
    }
}
