//! Sentences for refusals about logs, exports and erasures.

use crate::gate::ask::OTHERS;
use crate::gate::{ErasureRefusal, ExportRefusal, LogRefusal};
use trail::clock::written;

pub(super) fn refused(why: &LogRefusal) -> String {
    match why {
        LogRefusal::EarlierEpoch { epoch } => {
            format!(
                "epoch {epoch} of the log still exists, and calls may continue from it; drop that one \
                 first"
            )
        }
        LogRefusal::InProgress { .. } => {
            "a call that was opened in this epoch is still open and depends on its entries; end it first \
             (`call.ended`)"
                .into()
        }
        LogRefusal::Held { .. } => {
            "a recording of a call from this epoch is under a legal hold; counsel has to lift it first".into()
        }
        LogRefusal::Recordings { .. } => {
            "there are recordings of calls from this epoch, and its entries say why they may be kept; delete \
             them first"
                .into()
        }
        LogRefusal::Open => "this is the log's current epoch; only one that has ended can be dropped (see \
            `log_period`)"
            .into(),
        LogRefusal::Dropped { at } => {
            format!("the entries of this log were dropped at {}; its last head is kept", written(*at))
        }
    }
}

pub(super) fn erasure(why: &ErasureRefusal) -> String {
    match why {
        ErasureRefusal::Whom => "say whom to erase, with `number` or `participant`".into(),
        ErasureRefusal::Nobody => format!("`{OTHERS}` is nobody in particular"),
        ErasureRefusal::UnknownSubject => {
            "nothing is known of this person, so there is nothing to erase".into()
        }
        ErasureRefusal::ReasonNamesThem => {
            "`reason` is kept, so it may not hold the person's number or names, or the names of their calls; \
             refer to the request instead, for example `request 4711`"
                .into()
        }
        ErasureRefusal::InProgress { .. } => {
            "they are on a call that is still open and whose decisions depend on them; end it first \
             (`call.ended`)"
                .into()
        }
        ErasureRefusal::Held { .. } => {
            "a recording of a call that they were on is under a legal hold, which covers what is known of \
             the call; counsel has to lift it first"
                .into()
        }
        ErasureRefusal::Kept { .. } => {
            "the law requires a recording of a call that they were on to be kept for longer; erase them with \
             `\"recordings\": \"keep\"`, or wait"
                .into()
        }
    }
}

pub(super) fn export(why: &ExportRefusal) -> String {
    match why {
        ExportRefusal::Vcon(error) => error.to_string(),
        ExportRefusal::NoSigner => {
            "there is no certificate to sign vCons with: set `certificate` and `key` in the section \
             `[vcon_signing]` of the configuration"
                .into()
        }
        ExportRefusal::NoController { account, key } => format!(
            "a consent record (ISO/IEC TS 27560) says who the recordings are made for, and `{key}` is not configured: \
             the section `[controller.{account}]` of the configuration needs `name`, `address`, `contact`, \
             `privacy_notice`, `storage_locations` and `withdrawal`"
        ),
        ExportRefusal::HasRecording => {
            "the call has an accepted recording: prove that recording, or the call".into()
        }
    }
}
