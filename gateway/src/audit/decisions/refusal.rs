//! A recording that was refused: whether what is said to be in the way was. The audio is gone, so what
//! cannot be told any more is how long it was, and what of it was silence.

use jiff::{SignedDuration, Timestamp};
use policy::{Call, Door, OnWithdrawal};

use super::Failure;
use crate::trail::reason;

/// A stretch that is said to be uncovered, and why.
type Stretch = (Timestamp, Timestamp, String);

/// Whether an upload could be refused with this code, for these stretches.
pub(super) fn check(call: &Call, code: &str, stretches: &[Stretch], at: Timestamp) -> Result<(), Failure> {
    stretches.iter().try_for_each(|stretch| is_uncovered(call, stretch, at))?;
    let never = call.windows().is_empty();
    let fits = match stretches {
        [] => match code {
            "consent-required" => call
                .windows()
                .iter()
                .all(|window| window.until.is_some_and(|(until, _)| until <= window.from)),
            "consent-withdrawn" => call.settings().on_withdrawal == OnWithdrawal::Delete,
            code => code == "uncovered-audio",
        },
        all => code == code_of(all, never) || all.len() >= LISTED,
    };
    match fits {
        true => Ok(()),
        false => Err(Failure::tampered(format!(
            "a recording was refused with `{code}`, which is not what was in the way"
        ))),
    }
}

fn is_uncovered(call: &Call, (from, until, why): &Stretch, at: Timestamp) -> Result<(), Failure> {
    if until <= from {
        return Err(Failure::tampered("a recording was refused for a stretch that is empty"));
    }
    // Claims are of whole milliseconds.
    let length = u64::try_from(until.duration_since(*from).as_millis()).unwrap_or(0);
    if length == 0 {
        return Ok(());
    }
    let end = until.checked_sub(MILLISECOND).unwrap_or(*from);
    // What was silent in a pause was not in the way for that, and may have been for something else.
    let silent = why != "paused";
    let found = call.at(at).uncovered(&[(*from, length)], Door::Asks, at, &|_, _| silent);
    match found.as_slice() {
        [span] if span.from == *from && span.until > end && reason(span.why) == *why => Ok(()),
        [] => Err(Failure::tampered(format!(
            "a recording was refused that consent does cover: from {from:.3} to {until:.3}, {why} is said to be in the way"
        ))),
        [span, ..] => Err(Failure::tampered(format!(
            "a recording was refused from {from:.3} to {until:.3} for `{why}`, and what was in the way is `{}` from {:.3} to {:.3}",
            reason(span.why),
            span.from,
            span.until
        ))),
    }
}

/// What an upload is refused with for these stretches.
fn code_of(stretches: &[Stretch], never: bool) -> &'static str {
    let any = |word: &str| stretches.iter().any(|(.., why)| why.split(':').next() == Some(word));
    let of_recorder = [
        "not-granted",
        "not-yet",
        "paused",
        "taken",
        "announcement-missing",
        "announcement-pending",
        "call-ended",
    ];
    if any("withdrawn") {
        "consent-withdrawn"
    } else if any("declined") {
        "consent-declined"
    } else if never || !of_recorder.into_iter().any(any) {
        "consent-required"
    } else {
        "uncovered-audio"
    }
}

const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

/// More stretches than these are not listed, and what is behind them may decide on the code.
const LISTED: usize = 128;
