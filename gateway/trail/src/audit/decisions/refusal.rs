//! Checks that the obstacle that a refused recording names was there. The audio is gone, so its length and
//! its silence cannot be checked.

use jiff::{SignedDuration, Timestamp};
use policy::{Call, CoverageBasis, Refusal, Stretch, Why};

use super::Failure;

/// Checks that an upload could be refused with this code, for these stretches.
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
    // Claims are in whole milliseconds.
    let length = u64::try_from(until.duration_since(from).as_millis()).unwrap_or(0);
    if length == 0 {
        return Ok(());
    }
    let end = until.checked_sub(MILLISECOND).unwrap_or(from);
    // Silence in a pause was no obstacle because of the pause, but may have been for another reason.
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
