//! What refusals and failures of the gate are called at the native door, which speaks of routes, headers and
//! members of JSON. Other doors share a sentence by calling the parts of a request by names of their own
//! ([`Names`]), and say for themselves what would be said in another way there.

mod call;
mod door;
mod form;
mod log;
mod recording;
mod register;
mod request;

pub(super) use door::turned_away;
pub(crate) use form::wrong_form;
pub(crate) use request::{Names, native};

use crate::gate::{Failure, Fault, Refused, Thing};
use crate::vault::VaultError;

/// Why something was not done, and what to do.
pub(crate) fn of(fault: &Fault) -> String {
    match fault {
        Fault::Refused { why, decision } => match why {
            Refused::Call(why) => call::refused(why, decision.as_deref()),
            Refused::Request(_)
            | Refused::Event(_)
            | Refused::NotFound(_)
            | Refused::Recording(_)
            | Refused::Register(_)
            | Refused::Person(_)
            | Refused::Law(_)
            | Refused::Log(_)
            | Refused::Erasure(_)
            | Refused::Export(_) => refused(why, native),
        },
        Fault::Failed(failure) => failed(failure),
    }
}

/// Why something is refused, and what to do; what was asked is called by these names.
pub(crate) fn refused(why: &Refused, name: Names) -> String {
    match why {
        Refused::Request(why) => request::wrong(why, name),
        Refused::Event(why) => request::wrong_event(why, name),
        Refused::NotFound(thing) => format!("there is no {} of this id", called(*thing)),
        Refused::Call(why) => call::refused(why, None),
        Refused::Recording(why) => recording::refused(why),
        Refused::Register(why) => register::refused(why),
        Refused::Person(why) => register::person(why),
        Refused::Law(why) => register::law(why),
        Refused::Log(why) => log::refused(why),
        Refused::Erasure(why) => log::erasure(why),
        Refused::Export(why) => log::export(why),
    }
}

fn called(thing: Thing) -> &'static str {
    match thing {
        Thing::ConsentGrant => "consent grant",
        Thing::Credential => "credential",
        Thing::Epoch => "epoch",
        Thing::KeyInUse => "key in use",
        Thing::Log => "log",
        Thing::Person => "person",
        Thing::Prompt => "prompt",
        Thing::Proposal => "proposal",
        Thing::Recording => "recording",
        Thing::SignedHead => "signed head",
        Thing::TableVersion => "version of the table",
        Thing::Tile => "tile",
    }
}

/// That something could not be done. Of the inside nothing is said.
pub(crate) fn failed(failure: &Failure) -> String {
    match failure {
        Failure::Trail(_) | Failure::Draft(_) => {
            "the audit trail cannot be written or read now, so nothing was done; try again".into()
        }
        Failure::Store(VaultError::Full { .. }) => {
            "the recording store is full; send the recording again later".into()
        }
        Failure::Store(VaultError::Store(_) | VaultError::Directory(_)) => {
            "the recording store does not answer; send the recording again".into()
        }
        Failure::Media(_) | Failure::Cut { .. } => {
            "the recording store does not have the media now; try again, and if that does not help, restore it".into()
        }
        Failure::Unswept(_) => {
            "the recording is marked as deleted; its media are removed as soon as the store answers".into()
        }
        Failure::MediaLeft(_) => {
            "they are erased, and the keys of their recordings with them; the store did not answer: send this again to have \
             the sealed media removed"
                .into()
        }
        Failure::Contended => "the call changes too fast; try again".into(),
        Failure::Barred => "an event of this call that restricts recording could not be logged; it is tried again until it is, \
             and nothing is permitted before"
            .into(),
        Failure::CallNotSigned(id) => not_signed("call", id),
        Failure::RecordingNotSigned(id) => not_signed("recording", id),
        Failure::Unsigned(_) => {
            "the log cannot be signed now, so no head of it is shown; the operator's log says why".into()
        }
        Failure::Broken { .. } => "the gateway could not answer".into(),
    }
}

fn not_signed(what: &str, id: &str) -> String {
    format!(
        "no signed head of the current log covers the {what} `{id}`: `serve` signs within a second, so ask again while it \
         runs; a {what} of an earlier epoch is proven from that epoch's export"
    )
}
