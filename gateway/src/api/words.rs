//! The native door's sentences for the gate's refusals and failures. They speak of routes, headers and
//! members of JSON. Other doors reuse them with their own names for the parts of a request ([`Names`]), and
//! write their own where they would say it differently.

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

/// Why something was not done, and what to do about it.
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

/// Why something is refused, and what to do about it; `name` names the parts of the request.
pub(crate) fn refused(why: &Refused, name: Names) -> String {
    match why {
        Refused::Request(why) => request::wrong(why, name),
        Refused::Event(why) => request::wrong_event(why, name),
        Refused::NotFound(thing) => format!("there is no {} with this id", called(*thing)),
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
        Thing::AccountAlias => "alias of the account",
        Thing::Credential => "credential",
        Thing::Epoch => "epoch",
        Thing::KeyInUse => "key in use",
        Thing::LegalHold => "legal hold",
        Thing::Log => "log",
        Thing::Notification => "notification",
        Thing::Person => "person",
        Thing::Prompt => "prompt",
        Thing::Proposal => "proposal",
        Thing::Quarantined => "upload in quarantine",
        Thing::Reading => "reading of the law",
        Thing::Recording => "recording",
        Thing::RecordingSettings => "recording settings",
        Thing::SignedHead => "signed head",
        Thing::TableVersion => "version of the table",
        Thing::Tile => "tile",
    }
}

/// Says that something could not be done, without revealing the inside.
pub(crate) fn failed(failure: &Failure) -> String {
    match failure {
        Failure::Trail(_) | Failure::Draft(_) => {
            "the audit trail cannot be written or read now, so nothing was done; try again".into()
        }
        Failure::Store(VaultError::Full { .. }) => {
            "the recording store is full; send the recording again later".into()
        }
        Failure::Store(VaultError::Store(_) | VaultError::Pack(_) | VaultError::Directory(_)) => {
            "the recording store does not answer; send the recording again".into()
        }
        Failure::Media(_) | Failure::Cut { .. } => {
            "the media are not in the recording store; try again, and if that does not help, restore the \
             store"
                .into()
        }
        Failure::Unswept(_) => {
            "the recording is marked as deleted; its media will be removed once the store answers".into()
        }
        Failure::MediaLeft(_) => {
            "the person and the keys of their recordings are erased, but the store did not answer; send this \
             again to remove the sealed media"
                .into()
        }
        Failure::Contended => "the call is changing too fast; try again".into(),
        Failure::Barred => "an event that restricts recording on this call could not be logged; the gateway \
            keeps trying, and permits nothing until then"
            .into(),
        Failure::CallNotSigned(id) => not_signed("call", id),
        Failure::RecordingNotSigned(id) => not_signed("recording", id),
        Failure::Unsigned(_) => {
            "the log cannot be signed now, so there is no head to show; the operator's log says why".into()
        }
        Failure::Broken { .. } => "the gateway could not answer".into(),
    }
}

fn not_signed(what: &str, id: &str) -> String {
    format!(
        "no signed head of the current epoch covers the {what} `{id}` yet: `serve` signs within a second, so \
         ask again while it runs; to prove a {what} of an earlier epoch, use that epoch's export"
    )
}
