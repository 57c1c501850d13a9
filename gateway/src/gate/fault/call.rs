//! Why something is refused on a call.

use jiff::Timestamp;

use super::FaultCode;
use trail::ControlRefusal;

/// Why something is refused on a call.
#[derive(Debug)]
pub enum CallRefusal {
    /// There is no call of this id, or not for this account: the two look the same.
    Unknown,
    /// As [`CallRefusal::Unknown`], for whoever asks for evidence and opens no calls.
    NotInTheLog,
    /// As [`CallRefusal::Unknown`], for whoever asks the log: that they asked is logged.
    UnknownAndLogged,
    /// A call of this id is open and was opened otherwise.
    Exists,
    /// The alias names another call that is open.
    AliasInUse {
        /// Which one.
        alias: String,
    },
    /// The call has ended.
    Ended,
    /// The call was opened later than the moment that is asked for.
    NotYetOpen {
        /// When it was opened.
        opened_at: Timestamp,
    },
    /// The call has as many participants as it may have. Whoever is beyond them is on it as
    /// [`OTHERS`](crate::gate::ask::OTHERS).
    OneTooMany,
    /// The call has [`MAX_ENTRIES`](crate::gate::MAX_ENTRIES); only what makes things stricter is still heard.
    TooLong,
    /// The id of an event was used for another one.
    EventIdReused {
        /// Which id.
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
    /// The recording has not been started, so that there is nothing to pause, resume or stop.
    NotRecording,
    /// Recording may not start or go on. The decision beside it says whose consent is missing, and what would
    /// give it.
    Control(ControlRefusal),
}

impl CallRefusal {
    /// Its code.
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
            CallRefusal::NotRecording => FaultCode::NotRecording,
            CallRefusal::Control(ControlRefusal::ConsentRequired) => FaultCode::ConsentRequired,
            CallRefusal::Control(ControlRefusal::NoUsableKey) => FaultCode::NoUsableKey,
        }
    }
}
