//! What the gate answers when it does not do what was asked.

use serde_json::{Map, Value};

use crate::ledger::LedgerError;
use crate::trail::DraftError;

/// A refusal or a failure, with a stable code and words that say what to do.
#[derive(Debug)]
pub struct Fault {
    /// What sort.
    pub kind: FaultKind,
    /// A stable code for programs.
    pub code: &'static str,
    /// Words for people.
    pub detail: String,
    /// Further members of the problem document.
    pub extra: Map<String, Value>,
    /// What happened inside; for the log only.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What sort of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The request cannot be read.
    Malformed,
    /// It can be read and makes no sense.
    Invalid,
    /// There is no such thing, or not for this account.
    Unknown,
    /// It contradicts what is there.
    Conflict,
    /// It was there and is deleted.
    Gone,
    /// The law, or a rule of ours, is against it.
    Refused,
    /// The body is too large.
    TooLarge,
    /// The body came too slowly.
    TooSlow,
    /// The media type, or what is in it, is not supported.
    Unsupported,
    /// The range lies outside.
    Range,
    /// Something that we need did not answer: nothing was acknowledged.
    Unavailable,
    /// A fault of ours.
    Broken,
}

impl Fault {
    /// A fault.
    pub fn new(kind: FaultKind, code: &'static str, detail: impl Into<String>) -> Fault {
        Fault { kind, code, detail: detail.into(), extra: Map::new(), cause: None }
    }

    /// The request makes no sense.
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Fault {
        Fault::new(FaultKind::Invalid, code, detail)
    }

    /// It contradicts what is there.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Fault {
        Fault::new(FaultKind::Conflict, code, detail)
    }

    /// The law, or a rule of ours, is against it.
    pub fn refused(code: &'static str, detail: impl Into<String>) -> Fault {
        Fault::new(FaultKind::Refused, code, detail)
    }

    /// There is no such call, or not for this account: the two look the same.
    pub fn unknown_call() -> Fault {
        Fault::new(
            FaultKind::Unknown,
            "unknown-call",
            "there is no call of this id; open it first with `PUT /v1/calls/{call}`",
        )
    }

    /// There is no such thing, or not for this account.
    pub fn unknown(what: &str) -> Fault {
        Fault::new(FaultKind::Unknown, "not-found", format!("there is no {what} of this id"))
    }

    /// What is stored cannot be relied on: nothing is decided on it.
    pub(crate) fn damaged(what: &'static str) -> Fault {
        Fault {
            cause: Some(what.into()),
            ..Fault::new(FaultKind::Broken, "internal", "the gateway could not answer")
        }
    }

    /// Whether it says nothing of the request: it may be right, and could not be done.
    #[must_use]
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.kind, FaultKind::Unavailable | FaultKind::Broken)
    }

    /// Others were faster every time.
    pub(crate) fn contended() -> Fault {
        Fault::new(FaultKind::Unavailable, "contended", "the call changes too fast; try again")
    }

    /// Adds a member to the problem document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl serde::Serialize) -> Fault {
        match serde_json::to_value(value) {
            Ok(value) => self.extra.insert(name.into(), value),
            Err(_) => return Fault::damaged("a member of a problem document"),
        };
        self
    }

    /// Keeps what happened inside, for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
        self.cause = Some(cause.into());
        self
    }
}

// INVARIANT: logged first. What cannot be written is answered 503, never yes.
impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Fault {
        Fault::new(
            FaultKind::Unavailable,
            "trail-unavailable",
            "the audit trail cannot be written or read now, so nothing was done; try again",
        )
        .because(error)
    }
}

impl From<DraftError> for Fault {
    fn from(error: DraftError) -> Fault {
        if matches!(error, DraftError::TooLong { .. }) {
            return Fault::invalid(
                "entry-too-long",
                "an entry of the trail does not hold so much; say it in several requests",
            );
        }
        Fault::new(
            FaultKind::Unavailable,
            "trail-unavailable",
            "the audit trail cannot be written now, so nothing was done; try again",
        )
        .because(error)
    }
}
