//! A recording that was refused: whether what is said to be in the way was. The audio is gone, so what
//! cannot be told any more is how long it was, and what of it was silence.

use jiff::{SignedDuration, Timestamp};
use policy::{Call, CoverageBasis, Refusal, Stretch, Why};

use super::Failure;

/// Whether an upload could be refused so, for these stretches.
pub(super) fn check(
    call: &Call,
    basis: CoverageBasis,
    code: Refusal,
    stretches: &[Stretch],
    at: Timestamp,
) -> Result<(), Failure> {
    let call = call.at(at);
    stretches.iter().try_for_each(|stretch| is_uncovered(&call, basis, *stretch, at))?;
    match call.can_refuse(code, stretches, basis) {
        true => Ok(()),
        false => Err(Failure::tampered(format!(
            "a recording was refused with `{}`, which is not what was in the way",
            code.code()
        ))),
    }
}

fn is_uncovered(
    call: &Call,
    basis: CoverageBasis,
    (from, until, why): Stretch,
    at: Timestamp,
) -> Result<(), Failure> {
    if until <= from {
        return Err(Failure::tampered("a recording was refused for a stretch that is empty"));
    }
    // Claims are of whole milliseconds.
    let length = u64::try_from(until.duration_since(from).as_millis()).unwrap_or(0);
    if length == 0 {
        return Ok(());
    }
    let end = until.checked_sub(MILLISECOND).unwrap_or(from);
    // What was silent in a pause was not in the way for that, and may have been for something else.
    let silent = why != Why::Paused;
    let found = call.uncovered(&[(from, length)], basis, at, &|_, _| silent);
    match found.as_slice() {
        [span] if span.from == from && span.until > end && span.why == why => Ok(()),
        [] => Err(Failure::tampered(format!(
            "a recording was refused that consent does cover: from {from:.3} to {until:.3}, {why} is said to be in the way"
        ))),
        [span, ..] => Err(Failure::tampered(format!(
            "a recording was refused from {from:.3} to {until:.3} for `{why}`, and what was in the way is `{}` from {:.3} to {:.3}",
            span.why, span.from, span.until
        ))),
    }
}

const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);
