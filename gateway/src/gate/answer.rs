//! What the gate answers: types that serialise to what the API says of them.

mod call;
mod decision;
mod desk;
mod erasure;
mod health;
mod law;
mod log;
mod people;
mod recording;
mod register;
mod words;

pub use call::{Call, ClosedBy, Interval, Timeline, Uncovered, Window};
pub use decision::{
    Because, Decision, Missing, Obligation, Participant, Place, Recorder, Requirement, Rule, Verdict, Whose,
};
pub use desk::{
    Approved, Checked, Effect, Effects, Example, Impact, Made, Outcome, PlaceImpact, Proposal,
    ProposalReport, ProposalState, Proposals, Reason, Ruling, Step, Version, VersionText, Versions,
};
pub use erasure::{Erased, ErasedRecordings, Remnants};
pub use health::{Health, Readiness, Ready, Running, TableInForce};
pub use law::{
    Asks, Cited, Explained, Floors, Jurisdiction, LacksAt, Logged, Media, Overlay, PlaceAsks, PromptLacks,
    Reviewed, RowMedia, Table, Then, Today, UnknownSubdivision, Waiver,
};
pub use log::{DroppedEpoch, Exported};
pub use people::{Confirmer, People, Person};
pub use recording::{Consents, Entry, Opening, Recording, Recordings, Retention, Segment};
pub use register::{ChosenLaw, Grant, Prompt, PromptCheck};
pub use words::{reason, words};

/// Tells a participant's number to the platform's id of them.
pub type Names<'n> = &'n dyn Fn(u32) -> String;
