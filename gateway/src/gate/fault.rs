//! Why the gate does not do what was asked: a [`Refused`] reason, which the client can act on, or a
//! [`Failure`] of the gateway itself.
//!
//! These types hold no sentences: every door writes its own from them (`api::words`, `cli::words`). What
//! doors have in common is the stable code of each: [`FaultCode`].

mod call;
mod code;
mod log;
mod recording;
mod register;
mod request;

pub use call::CallRefusal;
pub(crate) use code::codes;
pub use code::{FaultCode, FaultKind, Member};
pub use log::{ErasureRefusal, ExportRefusal, LogRefusal};
pub use recording::{RecordingRefusal, Unkept};
pub use register::{LawRefusal, PersonRefusal, RegisterRefusal, WrongReading};
pub use request::{Field, Lacking, Meant, Thing, Wrong, WrongEvent};

use super::answer::Decision;
use crate::ledger::LedgerError;
use crate::notary::NotaryError;
use crate::vault::VaultError;
use trail::{DraftError, FoldError};

/// Why something was not done.
#[derive(Debug)]
pub enum Fault {
    /// The request was refused.
    Refused {
        /// Why.
        why: Refused,
        /// The decision on the call as it stands now, if some of the request counts all the same.
        decision: Option<Box<Decision>>,
    },
    /// The request could not be carried out. It may be correct.
    Failed(Failure),
}

/// Why something is refused, by subject.
#[derive(Debug)]
pub enum Refused {
    /// The request makes no sense.
    Request(Wrong),
    /// An event makes no sense.
    Event(WrongEvent),
    /// There is no such thing, or not for this account.
    NotFound(Thing),
    /// The state of a call prevents it.
    Call(CallRefusal),
    /// The state of a recording prevents it.
    Recording(RecordingRefusal),
    /// It cannot be registered.
    Register(RegisterRefusal),
    /// The person who asks, or who is meant, may not do this.
    Person(PersonRefusal),
    /// A rule about the table of jurisdictions prevents it.
    Law(LawRefusal),
    /// The state of a log prevents it.
    Log(LogRefusal),
    /// Somebody cannot be erased.
    Erasure(ErasureRefusal),
    /// A call cannot be exported in this form.
    Export(ExportRefusal),
}

impl Refused {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            Refused::Request(why) => why.code(),
            Refused::Event(_) => FaultCode::InvalidEvent,
            Refused::NotFound(_) => FaultCode::NotFound,
            Refused::Call(why) => why.code(),
            Refused::Recording(why) => why.code(),
            Refused::Register(why) => why.code(),
            Refused::Person(why) => why.code(),
            Refused::Law(why) => why.code(),
            Refused::Log(why) => why.code(),
            Refused::Erasure(why) => why.code(),
            Refused::Export(why) => why.code(),
        }
    }
}

/// A failure of the gateway itself. The operator's log describes it; clients learn nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The audit trail cannot be written or read.
    #[error(transparent)]
    Trail(LedgerError),
    /// An entry for the trail cannot be made.
    #[error(transparent)]
    Draft(DraftError),
    /// The recording store does not accept something.
    #[error(transparent)]
    Store(VaultError),
    /// The recording store does not have media that it should have.
    #[error("sealed media cannot be read")]
    Media(#[source] VaultError),
    /// Media in the recording store are shorter or longer than what was stored.
    #[error("{there} of {bytes} bytes of sealed media are there")]
    Cut {
        /// How many bytes were stored.
        bytes: u64,
        /// How many there are.
        there: u64,
    },
    /// A recording is marked as deleted, but its media are still in the store; they will be removed later.
    #[error("the media of a deleted recording cannot be removed yet")]
    Unswept(#[source] VaultError),
    /// Somebody is erased, but sealed media of theirs, which nobody can open any more, are still in the
    /// store.
    #[error("media of somebody who was erased cannot be removed yet")]
    MediaLeft(#[source] Box<Failure>),
    /// Other requests were faster every time.
    #[error("other requests were faster every time")]
    Contended,
    /// Something that restricts recording could not be logged, so nothing is permitted on its call.
    #[error("an event of the call that restricts recording could not be logged")]
    Barred,
    /// No signed head covers a call yet.
    #[error("no signed head covers the call `{0}`")]
    CallNotSigned(String),
    /// No signed head covers a recording yet.
    #[error("no signed head covers the recording `{0}`")]
    RecordingNotSigned(String),
    /// A log cannot be signed.
    #[error(transparent)]
    Unsigned(NotaryError),
    /// Stored data cannot be relied on, so nothing is decided on it; or the gateway has a bug.
    #[error("{what}")]
    Broken {
        /// What is wrong, in words for the operator.
        what: &'static str,
        /// The cause.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Failure {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            Failure::Trail(_) | Failure::Draft(_) => FaultCode::TrailUnavailable,
            Failure::Store(_) | Failure::Media(_) | Failure::Cut { .. } | Failure::Unswept(_) => {
                FaultCode::StoreUnavailable
            }
            Failure::MediaLeft(failure) => failure.code(),
            Failure::Contended => FaultCode::Contended,
            Failure::Barred => FaultCode::CallBarred,
            Failure::CallNotSigned(_) | Failure::RecordingNotSigned(_) => FaultCode::NotSignedYet,
            Failure::Unsigned(_) => FaultCode::LogUnsigned,
            Failure::Broken { .. } => FaultCode::Internal,
        }
    }
}

impl Fault {
    /// Stored data cannot be relied on, so nothing is decided on it.
    pub(crate) fn damaged(what: &'static str) -> Fault {
        Fault::Failed(Failure::Broken { what, cause: None })
    }

    /// As [`Fault::damaged`], with the cause.
    pub(crate) fn damaged_by(
        what: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Fault {
        Fault::Failed(Failure::Broken { what, cause: Some(cause.into()) })
    }

    /// Other requests were faster every time.
    pub(crate) fn contended() -> Fault {
        Fault::Failed(Failure::Contended)
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            Fault::Refused { why, .. } => why.code(),
            Fault::Failed(failure) => failure.code(),
        }
    }

    /// The failure, if nothing was refused.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Fault::Refused { .. } => None,
            Fault::Failed(failure) => Some(failure),
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.code().kind()
    }

    /// Whether the gateway is at fault, so that the request may be correct.
    #[must_use]
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Fault::Failed(_))
    }

    /// The same fault; or, if nothing was found, that there is no such account.
    #[must_use]
    pub(crate) fn of_account(self, account: &str) -> Fault {
        if self.kind() == FaultKind::Unknown {
            return RegisterRefusal::UnknownAccount { id: account.into() }.into();
        }
        self
    }

    /// Adds the decision on the call as it stands now to a refusal. A failure gets none.
    #[must_use]
    pub(crate) fn deciding(self, decision: Decision) -> Fault {
        match self {
            Fault::Refused { why, .. } => Fault::Refused { why, decision: Some(Box::new(decision)) },
            Fault::Failed(failure) => Fault::Failed(failure),
        }
    }
}

impl From<Refused> for Fault {
    fn from(why: Refused) -> Fault {
        Fault::Refused { why, decision: None }
    }
}

impl From<WrongReading> for Fault {
    fn from(wrong: WrongReading) -> Fault {
        LawRefusal::from(wrong).into()
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault::Failed(failure)
    }
}

macro_rules! refused_for {
    ($($group:ident($reason:ty),)+) => {
        $(
            impl From<$reason> for Refused {
                fn from(why: $reason) -> Refused {
                    Refused::$group(why)
                }
            }

            impl From<$reason> for Fault {
                fn from(why: $reason) -> Fault {
                    Refused::$group(why).into()
                }
            }
        )+
    };
}

refused_for! {
    Request(Wrong),
    Event(WrongEvent),
    NotFound(Thing),
    Call(CallRefusal),
    Recording(RecordingRefusal),
    Register(RegisterRefusal),
    Person(PersonRefusal),
    Law(LawRefusal),
    Log(LogRefusal),
    Erasure(ErasureRefusal),
    Export(ExportRefusal),
}

// INVARIANT: log first. If the trail cannot be written, the answer is 503, never yes.
impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Fault {
        Fault::Failed(Failure::Trail(error))
    }
}

impl From<FoldError> for Fault {
    fn from(error: FoldError) -> Self {
        Fault::damaged_by("a call cannot be folded", error)
    }
}

impl From<DraftError> for Fault {
    fn from(error: DraftError) -> Fault {
        match error {
            DraftError::TooLong { .. } => Wrong::EntryTooLong.into(),
            DraftError::Randomness | DraftError::Json(_) => Fault::Failed(Failure::Draft(error)),
        }
    }
}

impl From<NotaryError> for Fault {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else is wrong, nothing is signed")]
    fn from(error: NotaryError) -> Fault {
        match error {
            NotaryError::Ledger(error) => Fault::from(error),
            error => Fault::Failed(Failure::Unsigned(error)),
        }
    }
}
