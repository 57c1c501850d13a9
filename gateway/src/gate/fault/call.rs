use jiff::Timestamp;

use super::FaultCode;
use policy::Use;
use trail::ControlRefusal;

/// Why something is refused on a call.
#[derive(Debug)]
pub enum CallRefusal {
    /// There is no call of this id in this account.
    Unknown,
    /// As [`CallRefusal::Unknown`], for a request for evidence, which opens no calls.
    NotInTheLog,
    /// As [`CallRefusal::Unknown`], for a question to the log, which is logged itself.
    UnknownAndLogged,
    /// An open call has this id, and was opened with other data.
    Exists,
    /// The alias belongs to another open call.
    AliasInUse {
        /// The alias.
        alias: String,
    },
    /// The call has ended.
    Ended,
    /// The call was opened after the moment in question.
    NotYetOpen {
        /// When it was opened.
        opened_at: Timestamp,
    },
    /// The call already has the largest number of participants. Everybody beyond it is on the call as
    /// [`OTHERS`](crate::gate::ask::OTHERS).
    OneTooMany,
    /// The call has [`MAX_ENTRIES`](crate::gate::MAX_ENTRIES), and accepts only what makes things stricter.
    TooLong,
    /// The id of an event was used for another event.
    EventIdReused {
        /// The id of the event.
        id: String,
    },
    /// Somebody was never on this call.
    UnknownParticipant {
        /// Their id.
        id: String,
    },
    /// Somebody has left the call.
    ParticipantLeft {
        /// Their id.
        id: String,
    },
    /// A prompt is not registered.
    UnknownPrompt {
        /// Its id.
        id: String,
    },
    /// The recording has not been started, so there is nothing to pause, resume or stop.
    NotRecording,
    /// This use of the call's audio was never started, so it cannot be paused, resumed or stopped.
    NotInUse(Use),
    /// Recording may not start or continue. The decision says whose consent is missing, and what would give
    /// it.
    Control(Use, ControlRefusal),
}

impl CallRefusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            CallRefusal::Unknown | CallRefusal::NotInTheLog | CallRefusal::UnknownAndLogged => {
                FaultCode::UnknownCall
            }
            CallRefusal::Exists => FaultCode::CallExists,
            CallRefusal::AliasInUse { .. } => FaultCode::AliasInUse,
            CallRefusal::Ended => FaultCode::CallEnded,
            CallRefusal::NotYetOpen { .. } => FaultCode::CallNotOpen,
            CallRefusal::OneTooMany => FaultCode::TooManyParticipants,
            CallRefusal::TooLong => FaultCode::CallTooLong,
            CallRefusal::EventIdReused { .. } => FaultCode::EventIdReused,
            CallRefusal::UnknownParticipant { .. } => FaultCode::UnknownParticipant,
            CallRefusal::ParticipantLeft { .. } => FaultCode::ParticipantLeft,
            CallRefusal::UnknownPrompt { .. } => FaultCode::UnknownPrompt,
            CallRefusal::NotRecording | CallRefusal::NotInUse(_) => FaultCode::NotRecording,
            CallRefusal::Control(_, ControlRefusal::ConsentRequired) => FaultCode::ConsentRequired,
            CallRefusal::Control(_, ControlRefusal::NoUsableKey) => FaultCode::NoUsableKey,
        }
    }
}
