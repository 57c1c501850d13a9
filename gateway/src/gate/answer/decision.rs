//! The answer about a decision, explained.

use policy::table::authorities;
use policy::{Action, ParticipantDecision, ParticipantState, Requirement as Asked, Retention, Standing};
use policy::{Because as Reason, Code, Elements, Evidence, Form, Ground, Needs, Parties, Role, Subject};
use policy::{Purposes, Use};
use schemars::JsonSchema;
use serde::Serialize;

use super::Names;
use super::words::{note, reason, words};
use trail::clock::Moment;

/// What the law requires of a call, and whether recording is permitted now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Decision {
    /// Whether recording is permitted now.
    pub recording: Verdict,
    /// What the gateway believes the platform is doing.
    pub recorder: Recorder,
    /// What the platform should do now.
    pub action: Action,
    /// What all rules of the call together require.
    pub requirement: Requirement,
    /// The SHA-256 of the table that the decision is based on, in hexadecimal.
    pub table: String,
    /// The version of the policy that decided.
    pub policy: &'static str,
    /// When the decision was made: the moment of this answer. If a `start` or `resume` opens a window, the moment
    /// at which it opens; if one is open already, `timeline.windows` of the call says since when.
    pub decided_at: Moment,
    /// Everybody who has ever been on the call.
    pub participants: Vec<Participant>,
    /// Every rule that applies.
    pub because: Vec<Because>,
    /// Whose consent is missing, and what has to happen.
    pub missing: Vec<Missing>,
    /// What a prompt has to say to count on this call.
    pub prompt_must_say: Elements,
    /// How long a recording of the call must be kept, and how long it may be.
    pub retention: Retention,
    /// What the platform has to ensure by itself.
    pub obligations: Vec<Obligation>,
    /// Why recording is blocked, in words. Left out if it is permitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The deadline for an announcement in the recording that was not reported yet. Left out if none is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announcement_due: Option<Moment>,
    /// Every use of the call's audio: `record`, and those others that were ever granted. If one was just refused, that
    /// one, too.
    pub uses: Vec<UseDecision>,
    /// The most bytes that a recording may have. Left out if only `upload.max_bytes` of the gateway limits it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// A use of the call's audio, and whether it is permitted now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UseDecision {
    /// Which.
    #[serde(rename = "use")]
    pub of: Use,
    /// What it is for, in the law's words: `other` for all that it has no word for; empty for any purpose.
    pub purposes: Purposes,
    /// Whether it is permitted now.
    pub recording: Verdict,
    /// What the gateway believes the platform is doing.
    pub recorder: Recorder,
    /// What the platform should do now.
    pub action: Action,
    /// Whose consent to it is missing, and what has to happen.
    pub missing: Vec<Missing>,
    /// Why it is blocked, in words. Left out if it is permitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether recording is permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Recording may start or continue.
    Permitted,
    /// Nothing may be recorded now.
    Blocked,
}

impl Verdict {
    /// The word used in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Permitted => "permitted",
            Verdict::Blocked => "blocked",
        }
    }
}

/// What the gateway believes the platform is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "RecorderState")]
pub enum Recorder {
    /// It has not started to record.
    Idle,
    /// It is recording.
    Running,
    /// It has paused, on its own or because recording was no longer lawful.
    Suspended,
    /// It has stopped.
    Stopped,
}

impl From<policy::Recorder> for Recorder {
    fn from(recorder: policy::Recorder) -> Recorder {
        match recorder {
            policy::Recorder::Idle => Recorder::Idle,
            policy::Recorder::Running => Recorder::Running,
            policy::Recorder::Suspended { .. } => Recorder::Suspended,
            policy::Recorder::Stopped => Recorder::Stopped,
        }
    }
}

/// What is required before recording.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Requirement {
    /// How many of the people on the call have to consent.
    pub parties: Parties,
    /// The form that their consent has to have.
    pub form: Form,
    /// Whether the recording itself has to contain an announcement.
    pub announcement_must_be_recorded: bool,
    /// The longest time between two tones, in seconds, if a periodic tone is accepted instead.
    pub tone_seconds: Option<u16>,
}

impl From<&Asked> for Requirement {
    fn from(asked: &Asked) -> Requirement {
        Requirement {
            parties: asked.parties(),
            form: asked.form(),
            announcement_must_be_recorded: asked.announcement_must_be_recorded,
            tone_seconds: asked.tone_seconds(),
        }
    }
}

/// Something that the platform has to ensure by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Obligation {
    /// The call has to be recorded; if somebody refuses, it has to end.
    RecordingMandatory,
    /// The call must not be recorded, even if everybody agrees.
    RecordingForbidden,
    /// Recording has to pause while card data are spoken.
    PauseForCardData,
    /// Recording has to pause while somebody is on hold.
    PauseOnHold,
}

impl Obligation {
    /// The obligations of the platform in a requirement.
    #[must_use]
    pub fn of(asked: &Asked) -> Vec<Obligation> {
        let all = [
            (Obligation::RecordingMandatory, asked.mandatory),
            (Obligation::RecordingForbidden, asked.forbidden),
            (Obligation::PauseForCardData, asked.pause_for_card_data),
            (Obligation::PauseOnHold, asked.on_hold == policy::OnHold::NotRecorded),
        ];
        all.into_iter().filter(|(_, holds)| *holds).map(|(obligation, _)| obligation).collect()
    }
}

/// One participant in a decision.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ParticipantDecision")]
pub struct Participant {
    /// The platform's id of the participant.
    pub id: String,
    /// Who they are.
    pub role: Role,
    /// How far they have agreed.
    pub state: ParticipantState,
    /// What is missing from them: alternatives, each a list of events that have to happen.
    pub needs: Needs,
    /// The places that apply to them.
    pub places: Vec<Place>,
    /// The version of the last prompt that they heard to its end.
    pub prompt: Option<String>,
    /// Remarks for the reader, in words.
    pub notes: Vec<String>,
}

/// A place that applies to a participant.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PlaceDecision")]
pub struct Place {
    /// The code of the place.
    pub code: Code,
    /// How the place is known.
    pub evidence: Evidence,
    /// What the place requires by itself.
    pub rule: Rule,
}

/// How many people have to consent, and how.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Rule {
    /// How many of the people on the call have to consent.
    pub parties: Parties,
    /// The form that their consent has to have.
    pub form: Form,
}

/// A rule that applies, listed once.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Because {
    /// The place; null if nothing is known of where somebody is, or if the rule does not belong to a place.
    pub code: Option<Code>,
    /// The overlay that the rule belongs to. Left out for the rule of a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// Everybody whom it concerns, with where they are; empty for an overlay, which concerns the whole call.
    pub of: Vec<Concerned>,
    /// The statutes, decisions and regulators that the row cites, without what others write about them.
    pub citations: Vec<String>,
    /// The rule in words.
    pub says: String,
}

/// Whom a rule concerns: a participant, or a place of the account or the call.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Concerned {
    /// The participant. Left out if it is nobody on the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// Which place of the account or the call it is. Left out for a participant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Whose>,
    /// How the place is known. Left out if it is unknown, or if the account or the call states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// A place that does not belong to anybody on the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Where the recording device stands.
    RecorderLocation,
    /// Where the operator is established.
    OperatorLocation,
}

/// Somebody whose consent is missing.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Missing {
    /// The platform's id of the participant.
    pub participant: String,
    /// What would give it: alternatives, each a list of events that have to happen.
    pub needs: Needs,
}

impl Decision {
    /// Describes a decision by the table with this digest, with the platform's ids of the participants.
    #[must_use]
    pub fn new(table: &str, decided: &policy::Decision, names: &Names) -> Decision {
        let missing = decided.participants.iter().filter(|one| !one.needs.is_empty());
        let decision = Decision {
            recording: if decided.permitted() { Verdict::Permitted } else { Verdict::Blocked },
            recorder: decided.recorder.into(),
            action: decided.action,
            requirement: (&decided.requirement).into(),
            table: table.into(),
            policy: policy::VERSION,
            decided_at: decided.decided_at.into(),
            participants: decided.participants.iter().map(|one| Participant::new(one, names)).collect(),
            because: decided.because.iter().map(|one| Because::new(one, names)).collect(),
            missing: missing
                .map(|one| Missing { participant: names.of(one.participant), needs: one.needs.clone() })
                .collect(),
            prompt_must_say: decided.must_be_told.elements,
            retention: decided.requirement.retention,
            obligations: Obligation::of(&decided.requirement),
            reason: match decided.standing {
                Standing::Lawful => None,
                Standing::Unlawful(why) => Some(reason(decided, why, names)),
            },
            announcement_due: decided.announcement_due.map(Moment),
            uses: Vec::new(),
            max_bytes: None,
        };
        let record = UseDecision {
            of: Use::Record,
            purposes: decided.purposes,
            recording: decision.recording,
            recorder: decision.recorder,
            action: decision.action,
            missing: decision.missing.clone(),
            reason: decision.reason.clone(),
        };
        let others = decided.uses.iter().map(|one| UseDecision::new(one, names));
        Decision { uses: [record].into_iter().chain(others).collect(), ..decision }
    }

    /// What it says of a use, if it speaks of it.
    #[must_use]
    pub fn of(&self, of: Use) -> Option<&UseDecision> {
        self.uses.iter().find(|one| one.of == of)
    }
}

impl UseDecision {
    fn new(one: &policy::UseDecision, names: &Names) -> UseDecision {
        let missing = one.missing.iter();
        UseDecision {
            of: one.of,
            purposes: one.purposes,
            recording: if one.standing == Standing::Lawful { Verdict::Permitted } else { Verdict::Blocked },
            recorder: one.recorder.into(),
            action: one.action,
            missing: missing
                .map(|(p, needs)| Missing { participant: names.of(*p), needs: needs.clone() })
                .collect(),
            reason: match one.standing {
                Standing::Lawful => None,
                Standing::Unlawful(why) => Some(words(why, names)),
            },
        }
    }
}

impl Participant {
    fn new(one: &ParticipantDecision, names: &Names) -> Participant {
        let place = |place: &policy::decision::PlaceDecision| Place {
            code: place.code,
            evidence: place.evidence,
            rule: Rule { parties: place.requirement.parties(), form: place.requirement.form() },
        };
        Participant {
            id: names.of(one.participant),
            role: one.role,
            state: one.state,
            needs: one.needs.clone(),
            places: one.places.iter().map(place).collect(),
            prompt: one.prompt.clone(),
            notes: one.notes.iter().map(|told| note(told, one.participant, names)).collect(),
        }
    }
}

impl Because {
    fn new(because: &Reason, names: &Names) -> Because {
        let (code, overlay) = match &because.ground {
            Ground::Place(code) => (Some(*code), None),
            Ground::Overlay(id) => (None, Some(id.clone())),
            Ground::Unknown | Ground::Evidence(_) => (None, None),
        };
        Because {
            code,
            overlay,
            of: because.of.iter().map(|one| Concerned::new(*one, names)).collect(),
            citations: authorities(&because.citations).map(Into::into).collect(),
            says: because.says.clone(),
        }
    }
}

impl Concerned {
    fn new(one: policy::Concerned, names: &Names) -> Concerned {
        let (participant, place) = match one.subject {
            Subject::Participant(p) => (Some(names.of(p)), None),
            Subject::Recorder => (None, Some(Whose::RecorderLocation)),
            Subject::Operator => (None, Some(Whose::OperatorLocation)),
        };
        Concerned { participant, place, evidence: one.evidence }
    }
}
