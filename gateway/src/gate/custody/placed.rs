//! When the audio of an upload was made, by its own account, and how much of it the law can cover at most.

use jiff::Timestamp;
use policy::{Call, Claim, Coverage, CoverageBasis, Redact, Uncovered, UncoveredSpan, Upload, Why};
use serde::{Deserialize, Serialize};

use super::doubt::{self, Doubt};
use crate::access::Principal;
use crate::gate::{Loaded, RecordingRefusal, from_row};

/// When the audio of an upload was made, by its own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// It does not say.
    Unsaid,
    /// From this moment on, without a break.
    From(Timestamp),
    /// From some moment on between this one and so many milliseconds later, without a break: its sender counts in whole
    /// seconds. It has to be covered wherever in between it began.
    About(Timestamp, u64),
    /// In these stretches, in the order of the file; lengths are in milliseconds.
    Timeline(Vec<(Timestamp, u64)>),
}

impl Placement {
    /// The longest that it can be by its own account, in milliseconds: a finished recording does not reach
    /// into the future.
    pub(super) fn claimed_ms(&self, now: Timestamp) -> u64 {
        match self {
            Placement::Unsaid => 0,
            Placement::From(from) | Placement::About(from, _) => {
                u64::try_from(now.duration_since(*from).as_millis()).unwrap_or(0).max(1)
            }
            Placement::Timeline(parts) => parts.iter().map(|(_, ms)| *ms).fold(0, u64::saturating_add),
        }
    }

    /// When it began, or the earliest moment at which it may have.
    pub(in crate::gate) fn begun(&self) -> Option<Timestamp> {
        match self {
            Placement::Unsaid => None,
            Placement::From(from) | Placement::About(from, _) => Some(*from),
            Placement::Timeline(parts) => parts.first().map(|(from, _)| *from),
        }
    }

    /// How much later than it says it may have begun, in milliseconds.
    pub(in crate::gate) fn within_ms(&self) -> u64 {
        match self {
            Placement::About(_, within_ms) => *within_ms,
            Placement::Unsaid | Placement::From(_) | Placement::Timeline(_) => 0,
        }
    }
}

pub(super) fn claim(placement: &Placement, duration_ms: u64) -> Result<Claim, RecordingRefusal> {
    Ok(match placement {
        Placement::Unsaid => Claim::Unplaced { duration_ms },
        Placement::From(from) | Placement::About(from, _) => Claim::Placed(vec![(*from, duration_ms)]),
        Placement::Timeline(parts) => {
            let said = parts.iter().fold(0u64, |sum, (_, ms)| sum.saturating_add(*ms));
            let mut parts = parts.clone();
            if duration_ms > said.saturating_add(TIMELINE_SLACK_MS) {
                return Err(RecordingRefusal::TimelineTooShort { said_ms: said, duration_ms });
            }
            // Audio that the headers' rounding left out is judged with the last stretch.
            if let (Some(last), Some(more)) = (parts.last_mut(), duration_ms.checked_sub(said)) {
                last.1 = last.1.saturating_add(more);
            }
            Claim::Placed(parts)
        }
    })
}

pub(super) fn check_placement(placement: &Placement) -> Result<(), RecordingRefusal> {
    match placement {
        Placement::Unsaid | Placement::From(_) | Placement::About(..) => Ok(()),
        Placement::Timeline(parts) => {
            let overlap = parts.windows(2).any(|pair| match pair {
                [(from, ms), (next, _)] => {
                    from.as_millisecond().saturating_add(i64::try_from(*ms).unwrap_or(i64::MAX))
                        > next.as_millisecond()
                }
                _ => false,
            });
            if overlap { Err(RecordingRefusal::TimelineOrder) } else { Ok(()) }
        }
    }
}

impl Loaded {
    /// An upload to this call, with what its sender's events reveal about their clock.
    pub(super) fn upload<'u>(
        &self,
        (credential, basis): (&str, CoverageBasis),
        claim: Claim,
        codec_adds_ms: u64,
        silent: &'u (dyn Fn(u64, u64) -> bool + Sync),
    ) -> Upload<'u> {
        let clock_behind_ms = self.clocks.behind_ms(credential);
        let upload = Upload::new(claim, basis);
        Upload { codec_adds_ms, clock_behind_ms, silent, ..upload }
    }
}

/// Whether audio was silenced that had become covered by the time it was judged, or nothing is left of the upload. What a
/// codec adds at the end does not count.
pub(super) fn silenced_in_vain(coverage: &Coverage, within_ms: u64) -> bool {
    let covered = coverage.silenced.iter().filter(|(_, _, why)| why.is_none());
    // At its ends, a stretch may have been silenced only because it is not known when exactly the file began.
    let lost = |(from, until): (Timestamp, Timestamp)| {
        policy::length_ms(from, until).saturating_sub(within_ms.saturating_mul(2))
    };
    let lost_ms = covered.map(|(from, until, _)| lost((*from, *until))).fold(0, u64::saturating_add);
    coverage.spans.is_empty() || lost_ms > coverage.codec_ms
}

/// The upload as it may be judged at most: what its timeline leaves out counts with the last stretch.
pub(super) fn longest<'u>(upload: &Upload<'u>, placement: &Placement) -> Upload<'u> {
    let mut longest = upload.clone();
    if let (Claim::Placed(parts), Placement::Timeline(_)) = (&mut longest.claim, placement)
        && let Some((_, ms)) = parts.last_mut()
    {
        *ms = ms.saturating_add(TIMELINE_SLACK_MS);
    }
    longest
}

/// Whether the upload would be kept if it were sent again now, and all that is not covered were silenced.
pub(super) fn would_be_kept(
    call: &Call,
    upload: &Upload<'_>,
    uncovered: &Uncovered,
    doubt: &Doubt,
    now: Timestamp,
) -> bool {
    let Uncovered::Spans(spans) = uncovered else { return false };
    let stretch = |span: &UncoveredSpan| (span.offset_ms, span.offset_ms.saturating_add(span.duration_ms()));
    let mut silenced: Vec<(u64, u64)> = spans.iter().map(stretch).collect();
    if doubt.within_ms > 0 {
        if call.settings().redact != Redact::Silence {
            return false;
        }
        silenced.extend(doubt.stretches().chain(upload.silenced.iter().copied()));
        silenced = doubt::merged(silenced);
    }
    let kept = call.coverage(&Upload { silenced: &silenced, ..upload.clone() }, now);
    kept.is_ok_and(|kept| doubt.within_ms == 0 || !kept.spans.is_empty())
}

/// Whether none of it is covered.
pub(super) fn is_hopeless(claim: &Claim, uncovered: &[UncoveredSpan]) -> bool {
    let all_ms = match claim {
        Claim::Placed(parts) => parts.iter().map(|(_, ms)| *ms).fold(0, u64::saturating_add),
        Claim::Unplaced { duration_ms } => *duration_ms,
    };
    all_ms == uncovered.iter().map(UncoveredSpan::duration_ms).fold(0, u64::saturating_add)
}

/// What is in the way of every moment of a call so far, if all of that is what people said or were not asked; `None` if any
/// moment was lawful, or depends on when it was.
pub(super) fn never_lawful(who: &Principal, loaded: &Loaded) -> Option<Uncovered> {
    let begun = from_row(loaded.row.opened_at);
    let until = loaded.call.ended_at().unwrap_or(loaded.now);
    let all_ms = policy::length_ms(begun, until);
    let basis = who.uploads.coverage;
    let spans = loaded.call.uncovered(&[(begun, all_ms)], basis, loaded.now, &|_, _| false);
    let claim = Claim::Placed(vec![(begun, all_ms)]);
    let plain =
        |span: &UncoveredSpan| matches!(span.why, Why::Declined(_) | Why::Withdrawn(_) | Why::Missing(_));
    (all_ms > 0 && is_hopeless(&claim, &spans) && spans.iter().all(plain)).then_some(Uncovered::Spans(spans))
}

/// How far the sum of `Recording-Timeline` may fall short of the audio, in milliseconds; the excess audio is
/// judged with the last stretch.
const TIMELINE_SLACK_MS: u64 = 2_000;
