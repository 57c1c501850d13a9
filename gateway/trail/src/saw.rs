//! What the policy saw and decided, as entries record it.

use jiff::Timestamp;
use policy::{Decision, Purposes, Standing, Use, Why};
use serde::{Deserialize, Serialize};

use super::is_false;

/// What the policy saw and decided: enough to compute it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Saw {
    /// The table's digest.
    pub table: String,
    /// The policy's version.
    pub policy: String,
    /// `permitted` or `blocked`.
    pub recording: String,
    /// Why it is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// What the platform was believed to do.
    pub recorder: String,
    /// What it was told to do.
    pub action: String,
    /// What is asked: `parties/form`, and anything else.
    pub requirement: String,
    /// Every participant: number, role, state, and places with their evidence.
    pub participants: Vec<SawParticipant>,
    /// Whether their places are left out, since an entry could not hold them all. Earlier entries have them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub abridged: bool,
    /// The account's readings that counted when the call was opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<SawReading>,
    /// Every use of the call's audio beside recording that was ever granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<SawUse>,
}

/// Another use than recording, as the policy saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SawUse {
    /// Which.
    #[serde(rename = "use")]
    pub of: Use,
    /// What it is for; none means every purpose.
    #[serde(default, skip_serializing_if = "Purposes::is_empty")]
    pub purposes: Purposes,
    /// Why it is blocked; nothing if it is permitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// What the platform was believed to do.
    pub recorder: String,
    /// What it was told to do.
    pub action: String,
}

/// An account's own reading of the law, as the policy saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SawReading {
    /// Its id.
    pub reading: String,
    /// Since when it is over, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Timestamp>,
}

/// A participant as the policy saw them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SawParticipant {
    /// The participant's number.
    pub p: u32,
    /// Who they are.
    pub role: policy::Role,
    /// How far they have agreed.
    pub state: String,
    /// Where they are.
    pub places: Vec<policy::Place>,
    /// The version of the prompt that they heard to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

impl Saw {
    /// Summarizes a decision.
    #[must_use]
    pub fn of(table: &str, decision: &Decision) -> Saw {
        let requirement = &decision.requirement;
        let mut asks = format!("{}/{}", requirement.parties().as_str(), requirement.form().as_str());
        if requirement.announcement_must_be_recorded {
            asks.push_str("/announcement");
        }
        if let Some(seconds) = requirement.tone_seconds() {
            asks.push_str(&format!("/tone-{seconds}"));
        }
        // An entry has a maximum length, and an objection has to fit however many are on the call.
        let places = decision.participants.iter().map(|participant| participant.places.len());
        let abridged = places.sum::<usize>() > MAX_PLACES;
        Saw {
            table: table.into(),
            policy: policy::VERSION.into(),
            recording: if decision.permitted() { "permitted" } else { "blocked" }.into(),
            why: why(decision.standing),
            recorder: recorder_word(decision.recorder).into(),
            action: decision.action.as_str().into(),
            requirement: asks,
            participants: decision
                .participants
                .iter()
                .map(|participant| SawParticipant {
                    p: participant.participant,
                    role: participant.role,
                    state: participant.state.as_str().into(),
                    places: participant
                        .places
                        .iter()
                        .filter(|_| !abridged)
                        .map(|place| policy::Place::new(place.code, place.evidence))
                        .collect(),
                    prompt: participant.prompt.clone(),
                })
                .collect(),
            abridged,
            readings: decision
                .readings
                .iter()
                .map(|(id, over)| SawReading { reading: id.clone(), over: *over })
                .collect(),
            uses: decision.uses.iter().map(SawUse::of).collect(),
        }
    }
}

impl SawUse {
    fn of(one: &policy::UseDecision) -> SawUse {
        SawUse {
            of: one.of,
            purposes: one.purposes,
            why: why(one.standing),
            recorder: recorder_word(one.recorder).into(),
            action: one.action.as_str().into(),
        }
    }
}

/// Why recording, or another use, is blocked, if it is.
fn why(standing: Standing) -> Option<Why> {
    match standing {
        Standing::Lawful => None,
        Standing::Unlawful(why) => Some(why),
    }
}

impl Saw {
    /// Has the call know which of its readings are over by then, before anything else of the entry counts.
    pub fn ends_readings(&self, call: &mut policy::Call, at: Timestamp) {
        for SawReading { reading, over } in &self.readings {
            if let Some(over) = over {
                call.reading_ends(reading, *over, at);
            }
        }
    }
}

/// An entry has all places of a call's participants up to this number.
const MAX_PLACES: usize = 384;

/// The word for what we believe the platform is doing.
#[must_use]
pub fn recorder_word(recorder: policy::Recorder) -> &'static str {
    match recorder {
        policy::Recorder::Idle => "idle",
        policy::Recorder::Running => "running",
        policy::Recorder::Suspended { .. } => "suspended",
        policy::Recorder::Stopped => "stopped",
    }
}
