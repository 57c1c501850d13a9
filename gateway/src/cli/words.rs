//! What refusals and failures of the gate are called at the command line, which speaks of options and commands. What
//! it would say in the same way, it says as the native door does.

use serde_json::json;

use crate::api::words;
use crate::gate::{
    CallRefusal, ErasureRefusal, Failure, Fault, Field, LogRefusal, Refused, RegisterRefusal, Wrong,
};
use crate::ledger::LedgerError;
use trail::KINDS;
use trail::clock::written;

/// Why something was not done, and what to do.
pub(super) fn of(fault: &Fault) -> String {
    match fault {
        // Whoever has a shell here may know.
        Fault::Failed(Failure::Trail(altered @ LedgerError::Altered(_))) => altered.to_string(),
        Fault::Failed(failure) => words::failed(failure),
        Fault::Refused { why, .. } => format!("{}{}", refused(why), standing_against(why)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is said as at the native door")]
fn refused(why: &Refused) -> String {
    match why {
        Refused::Request(Wrong::NoReason) => "say why, with `--reason`, in at most 4 KiB".into(),
        Refused::Request(Wrong::LongReason) => "`--reason` is longer than 4 KiB".into(),
        Refused::Request(Wrong::NoType { word }) => {
            format!("there are no entries of type `{word}`; there are `{}`", KINDS.join("`, `"))
        }
        Refused::Request(Wrong::NoRecordingId) => "`--recording` is not the id of a recording".into(),
        Refused::Call(CallRefusal::Unknown) => "there is no call of this id or alias".into(),
        Refused::Erasure(ErasureRefusal::Whom) => {
            "say who is to be erased: `--number`, or `--participant`".into()
        }
        Refused::Erasure(ErasureRefusal::Kept { .. }) => {
            "the law has a recording of a call that they were on kept for longer; erase them with `--recordings keep`, or \
             wait"
                .into()
        }
        Refused::Register(RegisterRefusal::LateEvidence) => "`--late-evidence-seconds` is at most 60".into(),
        Refused::Register(RegisterRefusal::NoRecorders) => "`--recorders` is at least 1".into(),
        Refused::Register(RegisterRefusal::GrantEndsEarly) => "`--until` does not lie after `--from`".into(),
        _ => words::refused(why, option),
    }
}

/// Without them nobody could do anything about it.
#[expect(clippy::wildcard_enum_match_arm, reason = "a projection: nothing else lists anything")]
fn standing_against(why: &Refused) -> String {
    match why {
        Refused::Erasure(ErasureRefusal::InProgress { calls })
        | Refused::Log(LogRefusal::InProgress { calls }) => format!(" (calls: {})", json!(calls)),
        Refused::Erasure(ErasureRefusal::Held { recordings })
        | Refused::Log(LogRefusal::Held { recordings } | LogRefusal::Recordings { recordings }) => {
            format!(" (recordings: {})", json!(recordings))
        }
        Refused::Erasure(ErasureRefusal::Kept { recordings }) => {
            let kept = |(id, until): &(String, jiff::Timestamp)| format!("{id} until {}", written(*until));
            format!(" (recordings: {})", recordings.iter().map(kept).collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    }
}

/// By which option something is asked here.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is called as at the native door")]
fn option(field: Field) -> &'static str {
    match field {
        Field::AskedCall => "`--call`",
        Field::AskedListener => "`--listener`",
        Field::AskedParticipant | Field::ErasedParticipant => "`--participant`",
        Field::AskedPlace => "`--place`",
        Field::AskedPrompt => "`--prompt`",
        Field::AskedRule => "`--rule`",
        Field::DefaultLanguage | Field::PromptLanguage => "`--language`",
        Field::GrantBasis => "`--basis`",
        Field::GrantSubject => "`--subject`",
        Field::Number => "`--number`",
        Field::Operator => "`--operator`",
        Field::Recorder => "`--recorder`",
        _ => words::native(field),
    }
}
