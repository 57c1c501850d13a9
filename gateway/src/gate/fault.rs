//! What the gate answers when it does not do what was asked: a [`Refused`] reason, which is the asker's to do
//! something about, or a [`Failure`] of our own.
//!
//! Nothing here is put into words. Every door has a dialect of its own, and makes them of these types
//! (`api::words`, `cli::words`). What doors have in common is the stable code of each: [`FaultCode`].

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
pub use register::{LawRefusal, PersonRefusal, RegisterRefusal};
pub use request::{Field, Lacking, Meant, Thing, Wrong, WrongEvent};

use super::answer::Decision;
use crate::ledger::LedgerError;
use crate::notary::NotaryError;
use crate::vault::VaultError;
use trail::{DraftError, FoldError};

/// Why something was not done.
#[derive(Debug)]
pub enum Fault {
    /// It was refused.
    Refused {
        /// Why.
        why: Refused,
        /// The decision on the call as it stands now, where something of the request counts all the same.
        decision: Option<Box<Decision>>,
    },
    /// It could not be done. The request may be right.
    Failed(Failure),
}

/// Why something is refused, by what it is about.
#[derive(Debug)]
pub enum Refused {
    /// What was asked makes no sense.
    Request(Wrong),
    /// An event makes no sense.
    Event(WrongEvent),
    /// There is no such thing, or not for this account.
    NotFound(Thing),
    /// Something of a call stands against it.
    Call(CallRefusal),
    /// Something of a recording stands against it.
    Recording(RecordingRefusal),
    /// It cannot be registered.
    Register(RegisterRefusal),
    /// Whoever asks, or is meant, may not.
    Person(PersonRefusal),
    /// Something of the law stands against it.
    Law(LawRefusal),
    /// Something of a log stands against it.
    Log(LogRefusal),
    /// Somebody cannot be erased.
    Erasure(ErasureRefusal),
    /// A call cannot be handed out in this form.
    Export(ExportRefusal),
}

impl Refused {
    /// Its code.
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

/// What of ours stands in the way. It is told to the operator, in the log, and to no client.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The audit trail cannot be written or read.
    #[error(transparent)]
    Trail(LedgerError),
    /// An entry for it cannot be made.
    #[error(transparent)]
    Draft(DraftError),
    /// The recording store cannot take something in.
    #[error(transparent)]
    Store(VaultError),
    /// The recording store does not have media that it should have.
    #[error("sealed media cannot be read")]
    Media(#[source] VaultError),
    /// Media in the recording store are shorter or longer than what was stored.
    #[error("of {bytes} bytes of sealed media, {there} are there")]
    Cut {
        /// How many bytes were stored.
        bytes: u64,
        /// How many there are.
        there: u64,
    },
    /// A recording is marked as deleted, and its media are still in the store: they are removed later.
    #[error("the media of a deleted recording cannot be removed yet")]
    Unswept(#[source] VaultError),
    /// Somebody is erased, and sealed media of theirs, which nobody can open any more, are still in the store.
    #[error("media of somebody who was erased cannot be removed yet")]
    MediaLeft(#[source] Box<Failure>),
    /// Others were faster every time.
    #[error("others were faster every time")]
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
    /// What is stored cannot be relied on, so nothing is decided on it; or something of ours broke.
    #[error("{what}")]
    Broken {
        /// What is wrong, in words for the operator.
        what: &'static str,
        /// What happened.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Failure {
    /// Its code.
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
    /// What is stored cannot be relied on: nothing is decided on it.
    pub(crate) fn damaged(what: &'static str) -> Fault {
        Fault::Failed(Failure::Broken { what, cause: None })
    }

    /// As [`Fault::damaged`], with what happened.
    pub(crate) fn damaged_by(
        what: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Fault {
        Fault::Failed(Failure::Broken { what, cause: Some(cause.into()) })
    }

    /// Others were faster every time.
    pub(crate) fn contended() -> Fault {
        Fault::Failed(Failure::Contended)
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            Fault::Refused { why, .. } => why.code(),
            Fault::Failed(failure) => failure.code(),
        }
    }

    /// What of ours stands in the way, where nothing was refused.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Fault::Refused { .. } => None,
            Fault::Failed(failure) => Some(failure),
        }
    }

    /// What sort it is.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.code().kind()
    }

    /// Whether it says nothing of the request: it may be right, and could not be done.
    #[must_use]
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Fault::Failed(_))
    }

    /// The same, where what was not found is the account that was asked for.
    #[must_use]
    pub(crate) fn of_account(self, account: &str) -> Fault {
        if self.kind() == FaultKind::Unknown {
            return RegisterRefusal::UnknownAccount { id: account.into() }.into();
        }
        self
    }

    /// A refusal with the decision on the call as it stands now. A failure says nothing of the call.
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

// INVARIANT: logged first. What cannot be written is answered 503, never yes.
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
