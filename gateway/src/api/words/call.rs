//! Why something is refused on a call, in words.

use crate::gate::answer::Decision;
use crate::gate::ask::{MAX_PARTICIPANTS, OTHERS};
use crate::gate::{CallRefusal, MAX_ENTRIES};
use trail::ControlRefusal;
use trail::clock::written;

pub(super) fn refused(why: &CallRefusal, decision: Option<&Decision>) -> String {
    match why {
        CallRefusal::Unknown => {
            "there is no call of this id; open it first with `PUT /v1/calls/{call}`".into()
        }
        CallRefusal::NotInTheLog => "there is no call of this id or alias in the log".into(),
        CallRefusal::UnknownAndLogged => {
            "there is no call of this id or alias; that it was asked for is logged".into()
        }
        CallRefusal::Exists => {
            "a call of this id is open and was opened otherwise; report what changed as events, or end it first".into()
        }
        CallRefusal::AliasInUse { alias } => format!("the alias `{alias}` names another call that is open"),
        CallRefusal::Ended => {
            "the call has ended; open it again with `PUT /v1/calls/{call}` if it goes on".into()
        }
        CallRefusal::NotYetOpen { opened_at } => {
            format!("the call was opened only at {}", written(*opened_at))
        }
        CallRefusal::OneTooMany => format!(
            "a call has at most {MAX_PARTICIPANTS} participants; whoever is beyond them is on it as `{OTHERS}`, of whom nothing \
             is known and for whom nobody can speak: see `decision`"
        ),
        CallRefusal::TooLong => format!(
            "the call has {MAX_ENTRIES} entries, the most that are kept of one; what makes things stricter is still heard: \
             end it, and open another"
        ),
        CallRefusal::EventIdReused { id } => {
            format!("the event id `{id}` was used for another event; give every event an id of its own")
        }
        CallRefusal::UnknownParticipant { id } => format!(
            "`{id}` was never on this call; post them with `POST /v1/calls/{{call}}/participants` first"
        ),
        CallRefusal::ParticipantLeft { id } => {
            format!("`{id}` has left the call; post them again when they come back")
        }
        CallRefusal::UnknownPrompt { id } => {
            format!("the prompt `{id}` is not registered; register it with `PUT /v1/prompts/{{id}}` first")
        }
        CallRefusal::NotRecording => "the recording has not been started; start it first".into(),
        CallRefusal::Control(ControlRefusal::ConsentRequired) => {
            let reason = decision.and_then(|decision| decision.reason.as_deref());
            format!("recording may not start: {}", reason.unwrap_or("consent is missing"))
        }
        CallRefusal::Control(ControlRefusal::NoUsableKey) => {
            "the account has no public key to seal recordings for; add one with `consent-gateway key add`".into()
        }
    }
}
