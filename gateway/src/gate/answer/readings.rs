//! Answers about how an account's own counsel reads the law.

use policy::{Form, Parties, Purposes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use trail::clock::Moment;

/// Where the law desk lets an account read the law otherwise than the table has it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReadingAllowance {
    /// The account.
    pub account: String,
    /// The place.
    pub code: String,
    /// Whether it may.
    pub allowed: bool,
}

/// How an account reads the law of a place.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "StatedReading")]
pub struct Reading {
    /// `sha256:` and the hash of its terms, as the account's log has them.
    pub id: String,
    /// Its state.
    pub state: ReadingState,
    /// The place.
    pub code: String,
    /// Where the operator is established whose calls it covers.
    pub operator: String,
    /// Whose consent is needed.
    pub parties: Parties,
    /// What counts as consent.
    pub form: Form,
    /// Whether the recording itself has to hold an announcement.
    pub announcement_must_be_recorded: bool,
    /// The media that it covers; empty means all.
    pub media: Vec<String>,
    /// It covers calls that are for nothing but these; none means calls for whatever purpose.
    pub purposes: Purposes,
    /// What it stands in for, in words, since it asks less; null if it adds to what the table asks.
    pub instead_of: Option<String>,
    /// When it is over; null if it has no end.
    pub until: Option<Moment>,
    /// What was said for it.
    #[serde(flatten)]
    pub text: ReadingText,
    /// The person who stated it; empty if nobody is known.
    pub author: String,
    /// The person who approved it; null if one was enough, or nobody did yet.
    pub approver: Option<String>,
    /// When it was stated.
    pub stated_at: Moment,
    /// Since when it counts for calls that are opened; null if it never did.
    pub in_force_at: Option<Moment>,
    /// The person who proposed to end it, since it asks more; null if nobody did. Somebody else ends it.
    pub end_proposer: Option<String>,
    /// When they did; null if nobody did.
    pub end_proposed_at: Option<Moment>,
    /// When it was ended; null if it was not.
    pub ended_at: Option<Moment>,
}

/// What is said for a reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadingText {
    /// The legal entity that it is for.
    pub entity: String,
    /// Where counsel's memo is kept; empty if there is none.
    pub memo: String,
    /// Why.
    pub reason: String,
}

/// The state of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReadingState {
    /// It asks less than the table, and waits for a second person.
    Proposed,
    /// It counts for calls that are opened.
    InForce,
    /// Its time is over.
    Expired,
    /// It was ended, or never approved and taken back.
    Ended,
}

/// How an account reads the law.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ReadingList")]
pub struct Readings {
    /// Every reading that it ever stated, the newest first.
    pub readings: Vec<Reading>,
    /// The places where the law desk lets it ask less than the table.
    pub allowed: Vec<String>,
}
