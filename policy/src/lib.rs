//! What the law asks of a recorded call.
//!
//! A decision is a pure function of the facts of a call and a table of jurisdictions: no I/O, no
//! clock, no randomness. The crate is `no_std`, so the compiler proves the first of these.
//!
//! ```
//! use std::sync::Arc;
//! use policy::{Call, Joined, Medium, Kind, Opened, Place, Evidence, Role, Settings, Table};
//!
//! let table = Arc::new(Table::parse(r#"
//! [default]
//! parties = "all"
//! form = "express"
//! announcement_must_be_recorded = true
//!
//! [evidence]
//! declared = { parties = "one", form = "none" }
//! ip       = { parties = "all", form = "notice" }
//! number   = { parties = "all", form = "notice" }
//!
//! [[jurisdiction]]
//! code = "US-CA"
//! name = "California"
//! parties = "all"
//! form = "notice"
//! citations = ["Cal. Penal Code § 632"]
//! summary = "Everybody on the call must be told before it is recorded."
//! confidence = "high"
//! reviewed = false
//! "#).expect("a table"));
//!
//! let noon: jiff::Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
//! let call = Call::open(&table, noon, Opened {
//!     medium: Medium::Telephone,
//!     kind: Kind::Conversation,
//!     started_at: noon,
//!     recorder_locations: Vec::new(),
//!     operator_locations: Vec::new(),
//!     purposes: policy::Purposes::NONE,
//!     overlays: Vec::new(),
//!     readings: Vec::new(),
//!     settings: Settings::default(),
//!     participants: vec![Joined {
//!         places: vec![Place::new("US-CA".parse().expect("a code"), Evidence::Declared)],
//!         ..Joined::new(0, Role::Customer)
//!     }],
//! });
//! let decision = call.decide(noon);
//! assert!(!decision.permitted());
//! assert_eq!(decision.requirement.form().as_str(), "notice");
//! ```
//!
//! # Reading order
//!
//! There are two floors. [`decide`] is the decision: [`place`] (where somebody is), [`rule`] (what one place
//! asks and how rules combine), [`reading`] (how an account's own counsel reads it), [`told`] (what a prompt has to say), [`retention`], [`fact`] (what was logged),
//! [`language`], [`call`] (the fold of the facts), [`decision`] (what follows now), [`coverage`] (which seconds
//! of audio are lawful) and [`refusal`] (why recording is not lawful, and an upload refused). [`table`] is the
//! law as data, and what its editors need: reading with the place of every mistake, [`atlas`] (what places are
//! called) and [`diff`] (what a change tightens or loosens, and a call that shows it).
//!
//! Beside them, [`scope`] answers which calls a Kazoo platform records at all, by its own settings.

#![no_std]

extern crate alloc;

pub mod decide;
pub mod scope;
pub mod table;

pub use decide::{call, coverage, decision, fact, language, place, reading, refusal, retention, rule, told};
pub use table::{atlas, diff};

pub use call::{
    Call, Edge, Level, MAX_KNOWN_PLACES, Recorder, Span, Standing, Uncounted, Uncounting, Window, Windows,
    length_ms,
};
pub use coverage::{Claim, Coverage, CoverageBasis, File, Silenced, Uncovered, UncoveredSpan, Upload, Use};
pub use decision::{
    Action, Because, Concerned, Decision, Ground, Need, Needs, Note, ParticipantDecision, ParticipantState,
    Subject, UseDecision,
};
pub use diff::Diff;
pub use fact::{
    Alike, AnsweredBy, Behavior, Control, Event, Grant, Heard, HeldCounts, Joined, Kind, LawfulBasis, Medium,
    Method, OnWithdrawal, Opened, Redact, RefusedGrant, Role, Settings, Weight, What,
};
pub use place::{Code, CodeError, Evidence, Place};
pub use reading::{Reading, Terms};
pub use refusal::{MOST_STRETCHES, Refusal, Remedy, Stretch, Why};
pub use retention::{Period, Retention};
pub use rule::{ByPurpose, Forbids, Form, FormFor, OnHold, Parties, Requirement, Rule, Strictness, Tone};
pub use table::{Problem, Problems, Severity, Table};
pub use told::{Element, Elements, Purpose, Purposes, Says, Told};

/// The version of the rules in this crate, named in every decision.
///
/// It changes whenever the same facts and the same table could give another answer.
pub const VERSION: &str = "1";
