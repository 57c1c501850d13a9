//! The command line's sentences for the gate's refusals and failures. They speak of options and commands;
//! where nothing differs, they are those of the native door.

use serde_json::json;

use crate::api::words;
use crate::gate::{
    CallRefusal, ErasureRefusal, Failure, Fault, Field, LogRefusal, Refused, RegisterRefusal, Wrong,
};
use crate::ledger::LedgerError;
use trail::KINDS;
use trail::clock::written;

/// Why something was not done, and what to do about it.
pub(super) fn of(fault: &Fault) -> String {
    match fault {
        // Somebody with a shell here may know.
        Fault::Failed(Failure::Trail(altered @ LedgerError::Altered(_))) => altered.to_string(),
        Fault::Failed(failure) => words::failed(failure),
        Fault::Refused { why, .. } => format!("{}{}", refused(why), standing_against(why)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is said as at the native door")]
fn refused(why: &Refused) -> String {
    match why {
        Refused::Request(Wrong::NoReason) => "say why with `--reason`, in at most 4 KiB".into(),
        Refused::Request(Wrong::LongReason) => "`--reason` is longer than 4 KiB".into(),
        Refused::Request(Wrong::NoType { word }) => {
            format!("there are no entries of type `{word}`; there are `{}`", KINDS.join("`, `"))
        }
        Refused::Request(Wrong::NoRecordingId) => "`--recording` is not the id of a recording".into(),
        Refused::Call(CallRefusal::Unknown) => "there is no call with this id or alias".into(),
        Refused::Erasure(ErasureRefusal::Whom) => {
            "say whom to erase, with `--number` or `--participant`".into()
        }
        Refused::Erasure(ErasureRefusal::Kept { .. }) => {
            "the law requires a recording of a call that they were on to be kept for longer; erase them with \
             `--recordings keep`, or wait"
                .into()
        }
        Refused::Register(RegisterRefusal::LateEvidence) => "`--late-evidence-seconds` must be at most \
            60"
        .into(),
        Refused::Register(RegisterRefusal::Retention) => {
            "`--keep-at-least` must not be longer than `--keep-at-most`, and neither may contradict what `--keep-for` says \
             of a purpose: for an exception, set `--keep-by-default` in place of `--keep-at-most`"
                .into()
        }
        Refused::Register(RegisterRefusal::LeastKept) => "`--least-kept-percent` must be at most 100".into(),
        Refused::Register(RegisterRefusal::NoRecorders) => "`--recorders` must be at least 1".into(),
        Refused::Register(RegisterRefusal::GrantEndsEarly) => "`--until` must be after `--from`".into(),
        _ => words::refused(why, option),
    }
}

/// Lists what stands in the way, so that the reader can act on it.
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

/// The option for a part of a request.
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
