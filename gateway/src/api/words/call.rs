//! Sentences for refusals about a call.

use crate::gate::answer::Decision;
use crate::gate::ask::{MAX_PARTICIPANTS, OTHERS};
use crate::gate::{CallRefusal, MAX_ENTRIES};
use policy::Use;
use trail::ControlRefusal;
use trail::clock::written;

pub(super) fn refused(why: &CallRefusal, decision: Option<&Decision>) -> String {
    match why {
        CallRefusal::Unknown => {
            "there is no call with this id; open it first with `PUT /v1/calls/{call}`".into()
        }
        CallRefusal::NotInTheLog => "the log has no call with this id or alias".into(),
        CallRefusal::UnknownAndLogged => {
            "there is no call with this id or alias; the question is logged".into()
        }
        CallRefusal::Exists => {
            "an open call has this id, and was opened with other data; report changes as events, or end it \
             first"
                .into()
        }
        CallRefusal::AliasInUse { alias } => format!("the alias `{alias}` belongs to another open call"),
        CallRefusal::Ended => {
            "the call has ended; if it continues, open it again with `PUT /v1/calls/{call}`".into()
        }
        CallRefusal::NotYetOpen { opened_at } => {
            format!("the call was not opened until {}", written(*opened_at))
        }
        CallRefusal::OneTooMany => format!(
            "a call has at most {MAX_PARTICIPANTS} participants; everybody beyond them counts as `{OTHERS}`, \
             of whom nothing is known and who cannot consent: see `decision`"
        ),
        CallRefusal::TooLong => format!(
            "the call has reached the limit of {MAX_ENTRIES} entries and takes only what makes things \
             stricter; end it, and open another"
        ),
        CallRefusal::EventIdReused { id } => {
            format!("the event id `{id}` was used for another event; give each event its own id")
        }
        CallRefusal::UnknownParticipant { id } => format!(
            "`{id}` was never on this call; add them with `POST /v1/calls/{{call}}/participants` first"
        ),
        CallRefusal::ParticipantLeft { id } => {
            format!("`{id}` has left the call; add them again when they come back")
        }
        CallRefusal::UnknownPrompt { id } => {
            format!("the prompt `{id}` is not registered; register it with `PUT /v1/prompts/{{id}}` first")
        }
        CallRefusal::NotRecording => "the recording has not been started; start it first".into(),
        CallRefusal::NotInUse(of) => {
            format!("the use `{}` has not been started on this call; start it first", of.as_str())
        }
        CallRefusal::Control(Use::Record, ControlRefusal::ConsentRequired) => {
            let reason = decision.and_then(|decision| decision.reason.as_deref());
            format!("recording may not start: {}", reason.unwrap_or("consent is missing"))
        }
        CallRefusal::Control(of, ControlRefusal::ConsentRequired) => {
            let reason = decision.and_then(|decision| decision.of(*of)?.reason.as_deref());
            format!("the use `{}` may not start: {}", of.as_str(), reason.unwrap_or("consent is missing"))
        }
        CallRefusal::Control(_, ControlRefusal::NoUsableKey) => {
            "the account has no public key to seal recordings for; add one with `consent-gateway key add`"
                .into()
        }
    }
}
