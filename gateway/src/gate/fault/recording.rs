use policy::scope::upload::Unasked;
use policy::{Refusal, Remedy, Uncovered};
use uuid::Uuid;

use super::FaultCode;
use crate::gate::answer::{Missing, Names};
use crate::measure::Unmeasurable;
use seal::Format;

/// Why a recording is not accepted, not handed out, or not deleted.
#[derive(Debug)]
pub enum RecordingRefusal {
    /// It was deleted.
    Deleted,
    /// The recording with this name was deleted, and the name cannot be used again.
    NameDeleted,
    /// The call has an accepted recording with this name.
    NameTaken,
    /// It is under a legal hold.
    Held,
    /// Somebody on it waits to be erased.
    Restricted,
    /// The account has no public key to seal recordings for.
    NoUsableKey,
    /// The audio cannot be measured.
    Unmeasurable(Unmeasurable),
    /// It is larger than the account's format holds.
    TooLarge {
        /// The format.
        format: Format,
        /// The most bytes.
        most: u64,
    },
    /// The body does not match the announced SHA-256.
    Digest,
    /// The stretches of the timeline overlap or are out of order.
    TimelineOrder,
    /// The timeline covers less audio than there is.
    TimelineTooShort {
        /// How many milliseconds it covers.
        said_ms: u64,
        /// How many milliseconds there are.
        duration_ms: u64,
    },
    /// It is not for this purpose: the people on it were not told so, or the law does not allow it.
    PurposeNotTold {
        /// The purpose.
        purpose: String,
        /// The purposes that everybody on it was told.
        told: Vec<String>,
        /// Whether it is the law: a rule forbids the purpose of somebody on it, or asks for consent in writing.
        barred: bool,
    },
    /// It holds audio that is not covered.
    Uncovered(Box<Unkept>),
    /// Its sender said when the audio begins, which nobody else can change.
    TimeSaid,
    /// It waited in quarantine, and what covers it was not logged when it ended.
    CoveredTooLate,
    /// It waited in quarantine, and somebody has objected since it began.
    Objected,
    /// It would have been made after it came.
    LaterThanItself,
    /// Its sender named another call, which there is.
    OtherCall,
    /// The key to what is in quarantine is not here.
    LockMissing,
    /// The account's recording settings do not ask for it.
    Unasked(Unasked),
    /// The range begins after the last byte.
    RangeOutside {
        /// How many bytes there are.
        bytes: u64,
    },
}

impl RecordingRefusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            RecordingRefusal::Deleted | RecordingRefusal::NameDeleted => FaultCode::RecordingDeleted,
            RecordingRefusal::NameTaken => FaultCode::RecordingExists,
            RecordingRefusal::Held => FaultCode::LegalHold,
            RecordingRefusal::Restricted => FaultCode::Restricted,
            RecordingRefusal::NoUsableKey => FaultCode::NoUsableKey,
            RecordingRefusal::Unmeasurable(_) => FaultCode::UnmeasurableAudio,
            RecordingRefusal::TooLarge { .. } => FaultCode::BodyTooLarge,
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
            RecordingRefusal::TimeSaid => FaultCode::InvalidTimeline,
            RecordingRefusal::CoveredTooLate => FaultCode::EvidenceTooLate,
            RecordingRefusal::Objected => FaultCode::Objected,
            RecordingRefusal::LaterThanItself => FaultCode::InvalidTime,
            RecordingRefusal::OtherCall => FaultCode::OtherCall,
            RecordingRefusal::LockMissing => FaultCode::QuarantineKeyMissing,
            RecordingRefusal::Unasked(_) => FaultCode::UnaskedRecording,
            RecordingRefusal::RangeOutside { .. } => FaultCode::RangeOutside,
        }
    }
}

/// Audio that is not covered, with what its sender needs to know.
#[derive(Debug)]
pub struct Unkept {
    /// Why all of it is refused.
    pub refusal: Refusal,
    /// What is not covered, and why.
    pub uncovered: Uncovered,
    /// What its sender can do about it.
    pub remedy: Remedy,
    /// The platform's names for those on the call.
    pub names: Names,
    /// Whose consent is missing now, and what would give it.
    pub missing: Vec<Missing>,
    /// The entry that says so.
    pub entry: Uuid,
    /// Whether its sender is to be told that all is well.
    pub discarded: bool,
}
