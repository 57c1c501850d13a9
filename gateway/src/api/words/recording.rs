//! Why a recording is not taken in, not handed out, or not deleted, in words.

use policy::{Refusal, Remedy, Uncovered, UncoveredSpan, Why};

use crate::gate::{RecordingRefusal, Unkept, answer};
use trail::clock::written;

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
        RecordingRefusal::NoUsableKey => {
            "the account has no public key to seal recordings for; add one with `consent-gateway key add`, then send the \
             recording again"
                .into()
        }
        RecordingRefusal::Unmeasurable(error) => error.to_string(),
        RecordingRefusal::Digest => "the body does not have the announced SHA-256; send it again".into(),
        RecordingRefusal::TimelineOrder => {
            "the intervals of `Recording-Timeline` overlap or are out of order".into()
        }
        RecordingRefusal::TimelineTooShort { said_ms, duration_ms } => format!(
            "`Recording-Timeline` speaks of {said_ms} ms, and the audio has {duration_ms} ms; say where all of it belongs"
        ),
        RecordingRefusal::PurposeNotTold { purpose, told } => {
            let known = match told.is_empty() {
                true => "no purpose was told to everybody".to_owned(),
                false => format!("they were told `{}`", told.join("`, `")),
            };
            format!("the people on the recording were not told that it is for `{purpose}`; {known}")
        }
        RecordingRefusal::Uncovered(unkept) => uncovered(unkept),
        RecordingRefusal::RangeOutside { bytes } => format!("the sealed media have {bytes} bytes"),
    }
}

fn uncovered(unkept: &Unkept) -> String {
    match &unkept.uncovered {
        Uncovered::Spans(spans) => match unkept.remedy {
            Remedy::CutHead { early_ms, granted_at } => format!(
                "the audio begins {early_ms} ms before recording was granted at {0}: cut so much off its beginning, or \
                 correct the clock that it was dated by, and send it with `Recording-Start: {0}`",
                written(granted_at)
            ),
            Remedy::CutEdges => format!(
                "not all of this audio may be kept: {}; cut what `uncovered` lists out of the file, and send it with \
                 `Recording-Timeline`",
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
            "recording was granted {windows} times on this call, so the upload has to say when it was made: send \
             `Recording-Start` or `Recording-Timeline`"
        ),
        Uncovered::TooLong { duration_ms, window_ms } => format!(
            "the audio lasts {duration_ms} ms, and recording was granted for {window_ms} ms; send `Recording-Start`, and the \
             answer will say which part has to be cut"
        ),
        Uncovered::UsedUp { left_ms } => format!(
            "other recordings of this call hold the only window but for {left_ms} ms; if several devices record a call, the \
             account's `recorders` says how many"
        ),
        Uncovered::Withdrawn(participant) => format!(
            "`{}` withdrew, and this account deletes what was recorded before",
            unkept.names.of(*participant)
        ),
    }
}

/// Why these stretches are not covered, each reason once: first the one that the code names, then the others.
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
