//! Why a recording is not taken in, not handed out, or not deleted.

use policy::{Refusal, Remedy, Uncovered};

use super::FaultCode;
use crate::gate::answer::{Missing, Names};
use crate::measure::Unmeasurable;

/// Why a recording is not taken in, not handed out, or not deleted.
#[derive(Debug)]
pub enum RecordingRefusal {
    /// It was deleted.
    Deleted,
    /// One of this name was deleted, and nothing is uploaded under its name again.
    NameDeleted,
    /// Another one of this name was accepted for this call.
    NameTaken,
    /// It is under a legal hold.
    Held,
    /// The account has no public key to seal recordings for.
    NoUsableKey,
    /// The audio cannot be measured.
    Unmeasurable(Unmeasurable),
    /// The body does not have the announced SHA-256.
    Digest,
    /// The stretches of the timeline overlap or are out of order.
    TimelineOrder,
    /// The timeline speaks of less audio than there is.
    TimelineTooShort {
        /// Of how many milliseconds it speaks.
        said_ms: u64,
        /// How many there are.
        duration_ms: u64,
    },
    /// The people on it were not told that it is for this purpose.
    PurposeNotTold {
        /// For which.
        purpose: String,
        /// The purposes that everybody on it was told.
        told: Vec<String>,
    },
    /// It holds audio that is not covered.
    Uncovered(Box<Unkept>),
    /// The range begins behind the last byte.
    RangeOutside {
        /// How many bytes there are.
        bytes: u64,
    },
}

impl RecordingRefusal {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            RecordingRefusal::Deleted | RecordingRefusal::NameDeleted => FaultCode::RecordingDeleted,
            RecordingRefusal::NameTaken => FaultCode::RecordingExists,
            RecordingRefusal::Held => FaultCode::LegalHold,
            RecordingRefusal::NoUsableKey => FaultCode::NoUsableKey,
            RecordingRefusal::Unmeasurable(_) => FaultCode::UnmeasurableAudio,
            RecordingRefusal::Digest => FaultCode::DigestMismatch,
            RecordingRefusal::TimelineOrder => FaultCode::InvalidTimeline,
            RecordingRefusal::TimelineTooShort { .. } => FaultCode::TimelineTooShort,
            RecordingRefusal::PurposeNotTold { .. } => FaultCode::PurposeNotConsented,
            RecordingRefusal::Uncovered(unkept) => match unkept.refusal {
                Refusal::ConsentWithdrawn => FaultCode::ConsentWithdrawn,
                Refusal::ConsentDeclined => FaultCode::ConsentDeclined,
                Refusal::ConsentRequired => FaultCode::ConsentRequired,
                Refusal::UncoveredAudio => FaultCode::UncoveredAudio,
            },
            RecordingRefusal::RangeOutside { .. } => FaultCode::RangeOutside,
        }
    }
}

/// Audio that is not covered.
#[derive(Debug)]
pub struct Unkept {
    /// Why all of it is refused.
    pub refusal: Refusal,
    /// What is not covered, and why.
    pub uncovered: Uncovered,
    /// What its sender can do about it.
    pub remedy: Remedy,
    /// What the platform calls those who are on the call.
    pub names: Names,
    /// Whose consent is missing now, and what would give it.
    pub missing: Vec<Missing>,
}
