//! Sentences for refusals about a recording.

use policy::scope::upload::Unasked;
use policy::{Refusal, Remedy, Uncovered, UncoveredSpan, Why};

use crate::gate::{RecordingRefusal, Unkept, answer};
use trail::clock::written;
use trail::counted;

pub(super) fn refused(why: &RecordingRefusal) -> String {
    match why {
        RecordingRefusal::Deleted => "the recording was deleted".into(),
        RecordingRefusal::NameDeleted => {
            "the recording of this name was deleted and cannot be uploaded again".into()
        }
        RecordingRefusal::NameTaken => {
            "another recording of this name was accepted for this call; use another name".into()
        }
        RecordingRefusal::Held => "the recording is under a legal hold; counsel has to lift it first".into(),
        RecordingRefusal::Restricted => {
            "somebody on the recording is to be erased and a legal hold prevents it: until then it is handed out only for \
             the purpose of that hold, to the role that it names"
                .into()
        }
        RecordingRefusal::NoUsableKey => {
            "the account has no public key to seal recordings for; add one with `consent-gateway key add`, then send the \
             recording again"
                .into()
        }
        RecordingRefusal::Unmeasurable(error) => error.to_string(),
        RecordingRefusal::TooLarge { format, most } => format!(
            "the account's recordings are sealed as `{}`, which holds at most {most} bytes of audio, as `max_bytes` of the \
             decision says: send it in shorter parts, each with its `Recording-Start`, or in a format that takes less",
            format.as_str()
        ),
        RecordingRefusal::Digest => "the body does not match `Content-Digest`; send it again".into(),
        RecordingRefusal::TimelineOrder => {
            "the intervals of `Recording-Timeline` overlap or are out of order".into()
        }
        RecordingRefusal::TimelineTooShort { said_ms, duration_ms } => format!(
            "`Recording-Timeline` covers {said_ms} ms, but the audio has {duration_ms} ms; say when all of \
             it was made"
        ),
        RecordingRefusal::PurposeNotTold { purpose, barred: true, .. } => format!(
            "the law of the call asks more for `{purpose}` than the people on the recording were told or agreed to, or \
             forbids recording one of them for it"
        ),
        RecordingRefusal::PurposeNotTold { purpose, told, barred: false } => {
            let known = match told.is_empty() {
                true => "they were not all told of any purpose".to_owned(),
                false => format!("they were told of `{}`", told.join("`, `")),
            };
            format!("the people on the recording were not told that it is for `{purpose}`; {known}")
        }
        RecordingRefusal::Uncovered(unkept) => uncovered(unkept),
        RecordingRefusal::TimeSaid => {
            "its sender said when the audio begins, which cannot be changed: leave out `start`".into()
        }
        RecordingRefusal::CoveredTooLate => {
            "consent covers the audio now, but what gives it was logged only after the audio had ended; what is in \
             quarantine is decided by what was logged by then"
                .into()
        }
        RecordingRefusal::Objected => {
            "somebody on the call has declined or withdrawn since the audio began: it stays locked, and is destroyed when \
             its time is over; `DELETE` destroys it now"
                .into()
        }
        RecordingRefusal::LaterThanItself => {
            "the audio came before it would have ended: it was not made in that time of this call".into()
        }
        RecordingRefusal::OtherCall => {
            "its sender named another call, which there is: release it to that one, by a name in `calls`".into()
        }
        RecordingRefusal::LockMissing => {
            "the key to it is not here: it was destroyed, or this gateway does not share the directory `quarantine` with the \
             one that took the upload"
                .into()
        }
        RecordingRefusal::Unasked(why) => format!(
            "the account's recording settings do not ask for this recording: {}",
            match why {
                Unasked::NotEnabled => "recording is enabled for no call that it can be of",
                Unasked::TooShort => "it is shorter than `record_min_sec`",
                Unasked::TooLong => "it is longer than `time_limit`",
            }
        ),
        RecordingRefusal::RangeOutside { bytes } => format!("the sealed media have {}", counted(*bytes, "byte")),
    }
}

fn uncovered(unkept: &Unkept) -> String {
    match &unkept.uncovered {
        Uncovered::Spans(spans) => match unkept.remedy {
            Remedy::CutHead { early_ms, granted_at } => format!(
                "the audio begins {early_ms} ms before recording was granted at {0}: cut that much off its \
                 beginning, or correct the clock that dated it, and send it with `Recording-Start: {0}`",
                written(granted_at)
            ),
            Remedy::CutEdges => format!(
                "not all of this audio may be kept: {}; cut what `uncovered` lists out of the file, and send it with \
                 `Recording-Timeline`",
                reasons(unkept, spans)
            ),
            Remedy::Resend => format!(
                "not all of this audio may be kept: {}; that became known while it was sent, so send it again: then \
                 those stretches are silenced, and the rest is kept",
                reasons(unkept, spans)
            ),
            Remedy::Delete | Remedy::Wait | Remedy::Place => {
                format!("not all of this audio may be kept: {}", reasons(unkept, spans))
            }
        },
        Uncovered::Unplaced { windows: 0 } if unkept.refusal == Refusal::ConsentRequired => {
            "recording was never granted on this call: ask with `start` before recording".into()
        }
        Uncovered::Unplaced { windows } => format!(
            "recording was granted {windows} times on this call, so say when the audio was made: send \
             `Recording-Start` or `Recording-Timeline`"
        ),
        Uncovered::TooLong { duration_ms, window_ms } => format!(
            "the audio lasts {duration_ms} ms, but recording was granted for {window_ms} ms; send \
             `Recording-Start`, and the answer will say which part to cut"
        ),
        Uncovered::UsedUp { left_ms } => format!(
            "other recordings of this call fill the only window except for {left_ms} ms; if several devices \
             record a call, set the account's `recorders` to their number"
        ),
        Uncovered::Emergency => {
            "this is an emergency call, of which nothing is kept, not even from before it became one".into()
        }
        Uncovered::Withdrawn(participant) => format!(
            "`{}` withdrew, and this account deletes what was recorded before",
            unkept.names.of(*participant)
        ),
    }
}

/// Why these stretches are not covered, each reason once; the one that the code names comes first.
fn reasons(unkept: &Unkept, spans: &[UncoveredSpan]) -> String {
    let (decisive, others): (Vec<Why>, Vec<Why>) =
        spans.iter().map(|span| span.why).partition(|why| unkept.refusal.is_for(*why));
    let mut reasons: Vec<String> = Vec::new();
    for why in decisive.into_iter().chain(others) {
        let told = answer::words(why, &unkept.names);
        if !reasons.contains(&told) {
            reasons.push(told);
        }
    }
    reasons.join("; and elsewhere in it, ")
}
