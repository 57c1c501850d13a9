//! Why something is not handed out of a log, not dropped from it, or nobody is erased.

use jiff::Timestamp;

use super::FaultCode;
use crate::export::vcon::VconError;

/// Why an epoch of a log is not dropped, or nothing can be had of it.
#[derive(Debug)]
pub enum LogRefusal {
    /// An earlier epoch is still there, and calls may go on from it.
    EarlierEpoch {
        /// Its number.
        epoch: i64,
    },
    /// Calls that were opened in it are open.
    InProgress {
        /// Their ids.
        calls: Vec<String>,
    },
    /// Recordings of calls that were opened in it are under a legal hold.
    Held {
        /// Their ids.
        recordings: Vec<String>,
    },
    /// There are recordings of calls that were opened in it.
    Recordings {
        /// Their ids.
        recordings: Vec<String>,
    },
    /// The log is in this epoch.
    Open,
    /// Its entries were dropped.
    Dropped {
        /// When.
        at: Timestamp,
    },
}

impl LogRefusal {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            LogRefusal::EarlierEpoch { .. } => FaultCode::EarlierEpoch,
            LogRefusal::InProgress { .. } => FaultCode::CallInProgress,
            LogRefusal::Held { .. } => FaultCode::LegalHold,
            LogRefusal::Recordings { .. } => FaultCode::RecordingsExist,
            LogRefusal::Open => FaultCode::LogOpen,
            LogRefusal::Dropped { .. } => FaultCode::LogDropped,
        }
    }
}

/// Why nobody is erased.
#[derive(Debug)]
pub enum ErasureRefusal {
    /// It is not said who, or in two ways.
    Whom,
    /// The id stands for whoever is one too many on a call.
    Nobody,
    /// Nothing is known of them, or nothing any more.
    UnknownSubject,
    /// The reason, which is kept, names them.
    ReasonNamesThem,
    /// Calls with them are going on.
    InProgress {
        /// The ids of the calls.
        calls: Vec<String>,
    },
    /// Recordings that they are on are under a legal hold.
    Held {
        /// Their ids.
        recordings: Vec<String>,
    },
    /// The law has recordings that they are on kept for longer.
    Kept {
        /// Their ids, each with the moment until which it is kept.
        recordings: Vec<(String, Timestamp)>,
    },
}

impl ErasureRefusal {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            ErasureRefusal::Whom => FaultCode::InvalidBody,
            ErasureRefusal::Nobody => FaultCode::InvalidId,
            ErasureRefusal::UnknownSubject => FaultCode::UnknownSubject,
            ErasureRefusal::ReasonNamesThem => FaultCode::ReasonNamesThem,
            ErasureRefusal::InProgress { .. } => FaultCode::CallInProgress,
            ErasureRefusal::Held { .. } => FaultCode::LegalHold,
            ErasureRefusal::Kept { .. } => FaultCode::RetentionRequired,
        }
    }
}

/// Why a call is not handed out in somebody else's format.
#[derive(Debug)]
pub enum ExportRefusal {
    /// A vCon cannot hold it.
    Vcon(VconError),
    /// No certificate to sign vCons with is configured.
    NoSigner,
    /// What a consent record says of whom the recordings are made for is not configured.
    NoController {
        /// For which account.
        account: String,
        /// Which key is missing, without its section.
        key: &'static str,
    },
    /// A recording of a call of this name was accepted, so that it cannot be proven that there is none.
    HasRecording,
}

impl ExportRefusal {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            ExportRefusal::Vcon(_) | ExportRefusal::NoController { .. } => FaultCode::NotExportable,
            ExportRefusal::NoSigner => FaultCode::NotConfigured,
            ExportRefusal::HasRecording => FaultCode::RecordingExists,
        }
    }
}
