//! Why an epoch is not dropped, a call is not exported, or somebody is not erased.

use jiff::Timestamp;

use super::FaultCode;
use crate::export::vcon::VconError;

/// Why an epoch of a log is not dropped, or cannot be read.
#[derive(Debug)]
pub enum LogRefusal {
    /// An earlier epoch still exists, and calls may continue from it.
    EarlierEpoch {
        /// Its number.
        epoch: i64,
    },
    /// Calls from this epoch are still open.
    InProgress {
        /// Their ids.
        calls: Vec<String>,
    },
    /// Recordings of calls from this epoch are under a legal hold.
    Held {
        /// Their ids.
        recordings: Vec<String>,
    },
    /// There are recordings of calls from this epoch.
    Recordings {
        /// Their ids.
        recordings: Vec<String>,
    },
    /// This is the log's current epoch.
    Open,
    /// Its entries were dropped.
    Dropped {
        /// When they were dropped.
        at: Timestamp,
    },
}

impl LogRefusal {
    /// The stable code.
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

/// Why somebody is not erased.
#[derive(Debug)]
pub enum ErasureRefusal {
    /// The request does not say whom, or says it in two ways.
    Whom,
    /// The id stands for everybody beyond the largest number of participants.
    Nobody,
    /// Nothing is known of them.
    UnknownSubject,
    /// The reason, which is kept, names them.
    ReasonNamesThem,
    /// They are on calls that are still open.
    InProgress {
        /// The ids of the calls.
        calls: Vec<String>,
    },
    /// Recordings that they are on are under a legal hold.
    Held {
        /// Their ids.
        recordings: Vec<String>,
    },
    /// The law requires recordings that they are on to be kept for longer.
    Kept {
        /// The ids of the recordings, each with the moment until which it is kept.
        recordings: Vec<(String, Timestamp)>,
    },
}

impl ErasureRefusal {
    /// The stable code.
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

/// Why a call is not exported.
#[derive(Debug)]
pub enum ExportRefusal {
    /// A vCon cannot hold it.
    Vcon(VconError),
    /// There is no certificate to sign vCons with.
    NoSigner,
    /// The configuration does not say for whom the recordings are made, as a consent record must.
    NoController {
        /// The account.
        account: String,
        /// The missing key, without its section.
        key: &'static str,
    },
    /// The call has an accepted recording, so it cannot be proven that there is none.
    HasRecording,
}

impl ExportRefusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            ExportRefusal::Vcon(_) | ExportRefusal::NoController { .. } => FaultCode::NotExportable,
            ExportRefusal::NoSigner => FaultCode::NotConfigured,
            ExportRefusal::HasRecording => FaultCode::RecordingExists,
        }
    }
}
