//! Why something is not handed out of a log, not dropped from it, or nobody is erased, in words.

use crate::gate::ask::OTHERS;
use crate::gate::{ErasureRefusal, ExportRefusal, LogRefusal};
use trail::clock::written;

pub(super) fn refused(why: &LogRefusal) -> String {
    match why {
        LogRefusal::EarlierEpoch { epoch } => {
            format!("epoch {epoch} of the log is still there, and calls may go on from it; drop that first")
        }
        LogRefusal::InProgress { .. } => {
            "a call that was opened in it is open, and is decided on its entries; report `call.ended` of it first".into()
        }
        LogRefusal::Held { .. } => {
            "a recording of a call that was opened in it is under a legal hold; counsel has to lift it first".into()
        }
        LogRefusal::Recordings { .. } => {
            "there are recordings of calls that were opened in it, and its entries say why they may be kept; delete them \
             first"
                .into()
        }
        LogRefusal::Open => {
            "this is the epoch that the log is in; only one that has ended can be dropped (see `log_period`)".into()
        }
        LogRefusal::Dropped { at } => {
            format!("the entries of this log were dropped at {}; its last head is kept", written(*at))
        }
    }
}

pub(super) fn erasure(why: &ErasureRefusal) -> String {
    match why {
        ErasureRefusal::Whom => "say who is to be erased: `number`, or `participant`".into(),
        ErasureRefusal::Nobody => format!("`{OTHERS}` is nobody in particular"),
        ErasureRefusal::UnknownSubject => {
            "nothing is known of them here, or nothing any more: there is nothing to erase".into()
        }
        ErasureRefusal::ReasonNamesThem => {
            "`reason` is kept, so it may not hold a number or a name of theirs, nor what their calls were called; name \
             the request instead, such as `request 4711`"
                .into()
        }
        ErasureRefusal::InProgress { .. } => {
            "a call with them is going on, and what is decided on it needs to know them; report `call.ended` of it first"
                .into()
        }
        ErasureRefusal::Held { .. } => {
            "a recording of a call that they were on is under a legal hold, and so is what is known of it; counsel has to \
             lift it first"
                .into()
        }
        ErasureRefusal::Kept { .. } => {
            "the law has a recording of a call that they were on kept for longer; erase them with `\"recordings\": \
             \"keep\"`, or wait"
                .into()
        }
    }
}

pub(super) fn export(why: &ExportRefusal) -> String {
    match why {
        ExportRefusal::Vcon(error) => error.to_string(),
        ExportRefusal::NoSigner => {
            "no certificate to sign vCons with is configured: set `certificate` and `key` in the section \
             `[vcon_signing]` of the configuration"
                .into()
        }
        ExportRefusal::NoController { account, key } => format!(
            "a consent record (ISO/IEC TS 27560) says who the recordings are made for, and `{key}` is not configured: \
             the section `[controller.{account}]` of the configuration needs `name`, `address`, `contact`, \
             `privacy_notice`, `storage_locations` and `withdrawal`"
        ),
        ExportRefusal::HasRecording => {
            "a recording of a call that had this name was accepted: prove that one, or the call".into()
        }
    }
}
