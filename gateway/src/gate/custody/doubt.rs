//! A file whose sender counts in whole seconds: it began at some moment of a short time, and has to be lawful whichever
//! that was.
//!
//! INVARIANT: what is kept of it was lawful wherever in its doubt it began. So whatever the law refuses at any moment that the
//! file may hold is silenced, or has it refused, at every place at which the file may hold it.

use jiff::Timestamp;
use policy::{Call, Uncovered, UncoveredSpan, Upload};

use super::placed::Placement;

/// What is in doubt of one file.
#[derive(Debug)]
pub(super) struct Doubt {
    /// How much later than it says it may have begun, in milliseconds; 0 if it says exactly when.
    pub(super) within_ms: u64,
    /// What the law refuses of all that it may hold, as if it began as early as it may.
    pub(super) spans: Vec<UncoveredSpan>,
    duration_ms: u64,
}

impl Doubt {
    pub(super) fn of(
        placement: &Placement,
        call: &Call,
        duration_ms: u64,
        upload: &Upload<'_>,
        now: Timestamp,
    ) -> Doubt {
        let Placement::About(from, within_ms) = placement else {
            return Doubt { within_ms: 0, spans: Vec::new(), duration_ms };
        };
        let spans = call.in_doubt((*from, *within_ms), duration_ms, upload.basis, now);
        Doubt { within_ms: *within_ms, spans, duration_ms }
    }

    /// Where in the file that may lie, rounded outward.
    pub(super) fn stretches(&self) -> impl Iterator<Item = (u64, u64)> {
        let whole = |at: Timestamp| at.subsec_nanosecond() % 1_000_000 == 0;
        self.spans.iter().map(move |span| {
            let (from, until) = self.stretch(span);
            let more = u64::from(!whole(span.from)).saturating_add(u64::from(!whole(span.until)));
            (from, until.saturating_add(more))
        })
    }

    fn stretch(&self, span: &UncoveredSpan) -> (u64, u64) {
        let until = span.offset_ms.saturating_add(span.duration_ms());
        (span.offset_ms.saturating_sub(self.within_ms), until)
    }

    /// Those that are not silenced wherever they may lie.
    pub(super) fn in_the_way(&self, upload: &Upload<'_>) -> Vec<UncoveredSpan> {
        let silenced = merged(upload.silenced.to_vec());
        let is_kept = |span: &&UncoveredSpan| {
            let (from, until) = self.stretch(span);
            let until = until.min(self.duration_ms);
            from < until && !silenced.iter().any(|(begin, end)| *begin <= from && until <= *end)
        };
        self.spans.iter().filter(is_kept).copied().collect()
    }

    /// Whether all that is in the way lies so near the beginning of a longer file that it may not belong to it.
    pub(super) fn is_all_of(&self, uncovered: &Uncovered, duration_ms: u64) -> bool {
        let Uncovered::Spans(spans) = uncovered else { return false };
        let near = |span: &UncoveredSpan| span.offset_ms.saturating_add(span.duration_ms()) <= self.within_ms;
        self.within_ms > 0 && duration_ms > self.within_ms && spans.iter().all(near)
    }
}

/// These stretches in order, those that meet as one.
pub(super) fn merged(mut stretches: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    stretches.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(stretches.len());
    for (from, until) in stretches {
        match merged.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(until),
            Some(_) | None => merged.push((from, until)),
        }
    }
    merged
}
