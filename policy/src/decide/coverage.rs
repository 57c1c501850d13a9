//! Which moments of a finished recording are covered.
//!
//! Audio is covered if recording was lawful and, if the platform asks before it records, granted
//! ([`CoverageBasis`]). Nothing here loosens: audio without a known time has to be covered wherever it may
//! lie.
//!
//! INVARIANT: coverage is accounted per moment, never as a total. At each moment, no more recordings are
//! accepted than the account has recorders; granting a moment twice does not double it.

use alloc::vec::Vec;
use core::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::call::{Call, Edge, Person, SLACK, Standing, Window, after, before, length_ms};
use crate::fact::{OnWithdrawal, Redact};
use crate::refusal::Why;

/// When a recording says it was made. Its length is always the measured one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Not said: only if the call had exactly one window.
    Unplaced {
        /// The measured length in milliseconds.
        duration_ms: u64,
    },
    /// Stretches of time in the order of the file, each with its length in milliseconds.
    Placed(Vec<(Timestamp, u64)>),
}

/// What audio needs to be covered, beside being lawful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CoverageBasis {
    /// Granted: the platform asks before it records, and a window was opened for it.
    #[default]
    Granted,
    /// Nothing more: the platform starts by itself, and the law alone decides.
    Lawful,
}

impl CoverageBasis {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CoverageBasis::Granted => "granted",
            CoverageBasis::Lawful => "lawful",
        }
    }
}

/// What is done with a call's audio. Each use needs its own permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// It is recorded.
    #[default]
    Record,
    /// It is written down.
    Transcribe,
    /// Somebody listens.
    Stream,
    /// A program draws conclusions from it.
    Analyse,
}

impl Use {
    /// All of them.
    pub const ALL: [Use; 4] = [Use::Record, Use::Transcribe, Use::Stream, Use::Analyse];

    /// Whether it is recording.
    #[must_use]
    pub fn is_record(&self) -> bool {
        *self == Use::Record
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Use::Record => "record",
            Use::Transcribe => "transcribe",
            Use::Stream => "stream",
            Use::Analyse => "analyse",
        }
    }
}

/// A finished recording, as its sender describes it and as it was measured.
#[derive(Clone)]
pub struct Upload<'a> {
    /// When it says it was made.
    pub claim: Claim,
    /// What it needs, beside being lawful.
    pub basis: CoverageBasis,
    /// How much its codec may have added to the audio (encoder delay, padding, pre-skip), in
    /// milliseconds: so much of the file's end may lie outside of what is covered.
    pub codec_adds_ms: u64,
    /// How far the sender's clock is behind ours, judging by its events on this call, in milliseconds.
    pub clock_behind_ms: u64,
    /// The stretches of the file that were silenced before it was sealed, in milliseconds from its start, in order and
    /// apart. They hold no audio. They count only where the account silences what is not covered.
    pub silenced: &'a [(u64, u64)],
    /// Whether the file was measured to be silent from one of its milliseconds to another. It is asked
    /// only of stretches in which the platform paused by writing silence.
    pub silent: &'a (dyn Fn(u64, u64) -> bool + Sync),
}

impl Upload<'_> {
    /// An upload without codec padding, clock error or silence.
    #[must_use]
    pub fn new(claim: Claim, basis: CoverageBasis) -> Upload<'static> {
        Upload { claim, basis, codec_adds_ms: 0, clock_behind_ms: 0, silenced: &[], silent: &|_, _| false }
    }
}

impl fmt::Debug for Upload<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Upload { claim, basis, codec_adds_ms, clock_behind_ms, silenced, silent: _ } = self;
        formatter
            .debug_struct("Upload")
            .field("claim", claim)
            .field("basis", basis)
            .field("codec_adds_ms", codec_adds_ms)
            .field("clock_behind_ms", clock_behind_ms)
            .field("silenced", silenced)
            .finish_non_exhaustive()
    }
}

/// Audio that is covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The moments that it uses up: those it holds, or, if it was not placed in time, the first ones of the
    /// only window that no other recording holds.
    pub spans: Vec<(Timestamp, Timestamp)>,
    /// The moments of the file that were silenced, of which it holds nothing.
    pub silenced: Vec<Silenced>,
    /// How much of its end lies outside of what was granted and counts as added by the codec, in
    /// milliseconds.
    pub codec_ms: u64,
    /// How far it was moved to a window's start, since its sender's clock is coarse or slow, in milliseconds.
    pub shifted_ms: u64,
}

/// A stretch that was silenced: its first moment, the first after it, and what was in the way; nothing if it had
/// become covered by the time the recording was accepted.
pub type Silenced = (Timestamp, Timestamp, Option<Why>);

/// The file of an accepted recording, as far as its entry tells: what was claimed of it, and what is silent in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// When its parts were recorded by its sender's clock, with their lengths in milliseconds, in the order of the file; if
    /// something was silenced, those that follow each other without a gap are one.
    pub parts: Vec<(Timestamp, u64)>,
    /// What was silenced, in milliseconds from its start, in order and apart.
    pub silenced: Vec<(u64, u64)>,
}

impl File {
    /// The file that holds these moments, and was silent in those; `shifted_ms` as in [`Coverage`]. `None` if no file
    /// was accepted like this: there is nothing in it, or moments overlap or are out of order.
    #[must_use]
    pub fn of(spans: &[(Timestamp, Timestamp)], silenced: &[Silenced], shifted_ms: u64) -> Option<File> {
        let shift = SignedDuration::from_millis(i64::try_from(shifted_ms).ok()?);
        let silent: Vec<(Timestamp, Timestamp)> =
            silenced.iter().map(|(from, until, _)| (*from, *until)).collect();
        let in_order =
            |list: &[(Timestamp, Timestamp)]| list.is_sorted_by(|(_, until), (next, _)| until <= next);
        if spans.is_empty() || !in_order(spans) || !in_order(&silent) {
            return None;
        }
        let held = spans.iter().map(|(from, until)| (*from, *until, false));
        let mut all: Vec<_> = held.chain(silent.iter().map(|(from, until)| (*from, *until, true))).collect();
        all.sort_unstable();
        let mut file = File { parts: Vec::new(), silenced: Vec::new() };
        let (mut end, mut offset_ms): (Option<Timestamp>, u64) = (None, 0);
        for (from, until, is_silent) in all {
            if end.is_some_and(|end| from < end) {
                return None;
            }
            let ms = u64::try_from(until.duration_since(from).as_millis()).ok()?;
            let next_ms = offset_ms.saturating_add(ms);
            match file.parts.last_mut().filter(|_| !silenced.is_empty() && end == Some(from)) {
                Some((_, length)) => *length = length.saturating_add(ms),
                None => file.parts.push((from.checked_sub(shift).ok()?, ms)),
            }
            match file.silenced.last_mut().filter(|(_, end)| is_silent && *end == offset_ms) {
                Some((_, end)) => *end = next_ms,
                None if is_silent => file.silenced.push((offset_ms, next_ms)),
                None => {}
            }
            (end, offset_ms) = (Some(until), next_ms);
        }
        Some(file)
    }
}

/// Why audio is not covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uncovered {
    /// These stretches are not.
    Spans(Vec<UncoveredSpan>),
    /// The call had no window, or several, and the upload does not say when it was made.
    Unplaced {
        /// How many windows the call had.
        windows: usize,
    },
    /// It is longer than the only window.
    TooLong {
        /// The measured length in milliseconds.
        duration_ms: u64,
        /// How much the window holds.
        window_ms: u64,
    },
    /// It is not placed in time, and other recordings hold too much of the only window.
    UsedUp {
        /// What is left of it, in milliseconds.
        left_ms: u64,
    },
    /// Somebody withdrew, and the account deletes what was recorded before.
    Withdrawn(u32),
    /// It is not placed in time, and nothing of an emergency call is kept.
    Emergency,
}

/// A stretch of audio that is not covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UncoveredSpan {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Where it begins in the file, in milliseconds.
    pub offset_ms: u64,
    /// What is in the way.
    pub why: Why,
}

impl UncoveredSpan {
    /// How long it lasts, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        length_ms(self.from, self.until)
    }
}

impl Call {
    /// Checks that a finished recording is covered, as far as is known at `now`.
    ///
    /// # Errors
    ///
    /// [`Uncovered`], with every stretch that is not and why.
    pub fn coverage(&self, upload: &Upload<'_>, now: Timestamp) -> Result<Coverage, Uncovered> {
        let call = self.at(now);
        if let Some(participant) = call.withdrawn_after(&upload.claim) {
            return Err(Uncovered::Withdrawn(participant));
        }
        let parts = match &upload.claim {
            Claim::Placed(parts) => parts,
            Claim::Unplaced { .. } if call.is_unrecorded_emergency() => return Err(Uncovered::Emergency),
            Claim::Unplaced { duration_ms } => return call.unplaced(*duration_ms, upload, now),
        };
        let (parts, shifted_ms) = call.placed(parts, upload);
        let silenced = match call.settings.redact {
            Redact::Off => &[],
            Redact::Silence => upload.silenced,
        };
        let within =
            |from: u64, until: u64| silenced.iter().any(|(begin, end)| *begin <= from && until <= *end);
        // What was silenced is not what was measured: it came as something else.
        let silent = |from: u64, until: u64| !within(from, until) && (upload.silent)(from, until);
        let mut uncovered = call.uncovered(&parts, upload.basis, now, &silent);
        let codec_ms = added_by_codec(&mut uncovered, &parts, upload.codec_adds_ms.min(MOST_ADDED_MS));
        let is_silenced =
            |span: &UncoveredSpan| within(span.offset_ms, span.offset_ms.saturating_add(span.duration_ms()));
        let spans = kept(&parts, silenced);
        let too_little =
            !uncovered.is_empty() && (spans.is_empty() || call.keeps_too_little(&parts, &spans, &uncovered));
        if too_little || !uncovered.iter().all(is_silenced) {
            return Err(Uncovered::Spans(uncovered));
        }
        let silenced = moments(&parts, silenced, &uncovered);
        Ok(Coverage { spans, silenced, codec_ms, shifted_ms })
    }

    /// The stretches of an upload that have to be silenced, as far as is known at `now`: in milliseconds from its start,
    /// rounded outward. Nothing where the account does not silence, or the upload does not say when it was made. What
    /// goes on beyond the claim is silenced in any case.
    #[must_use]
    pub fn to_silence(&self, upload: &Upload<'_>, now: Timestamp) -> Vec<(u64, u64)> {
        let call = self.at(now);
        let parts = match &upload.claim {
            Claim::Placed(parts) if call.settings.redact == Redact::Silence => parts,
            Claim::Placed(_) | Claim::Unplaced { .. } => return Vec::new(),
        };
        let (parts, _) = call.placed(parts, upload);
        let whole = |at: Timestamp| at.subsec_nanosecond() % 1_000_000 == 0;
        let uncovered = call.uncovered(&parts, upload.basis, now, &|_, _| false);
        let beyond = (total_ms(&parts), u64::MAX);
        let stretch = |span: UncoveredSpan| {
            let more = u64::from(!whole(span.from)).saturating_add(u64::from(!whole(span.until)));
            let until = span.offset_ms.saturating_add(span.duration_ms()).saturating_add(more);
            (span.offset_ms, until)
        };
        uncovered.into_iter().map(stretch).chain([beyond]).collect()
    }

    /// The parts of a file, and how far they were moved to fit a window. Where the account silences, those that follow each
    /// other without a gap are one: afterwards, nobody can tell them apart.
    fn placed(&self, parts: &[(Timestamp, u64)], upload: &Upload<'_>) -> (Vec<(Timestamp, u64)>, u64) {
        let shifted_ms = self.early_ms(parts, upload);
        let joins = self.settings.redact == Redact::Silence;
        let mut joined: Vec<(Timestamp, u64)> = Vec::with_capacity(parts.len());
        for (from, ms) in parts {
            let from = plus(*from, shifted_ms);
            match joined.last_mut() {
                Some((begin, length)) if joins && plus(*begin, *length) == from => {
                    *length = length.saturating_add(*ms)
                }
                Some(_) | None => joined.push((from, *ms)),
            }
        }
        (joined, shifted_ms)
    }

    /// Whether less is left than the account wants of an upload. A pause in which the platform wrote silence is no loss.
    fn keeps_too_little(
        &self,
        parts: &[(Timestamp, u64)],
        spans: &[(Timestamp, Timestamp)],
        uncovered: &[UncoveredSpan],
    ) -> bool {
        let kept_ms = spans.iter().map(|(from, until)| length_ms(*from, *until));
        let paused_ms =
            uncovered.iter().filter(|span| span.why == Why::Paused).map(UncoveredSpan::duration_ms);
        let left_ms = kept_ms.chain(paused_ms).fold(0u64, u64::saturating_add);
        let least = u64::from(self.settings.least_kept_percent.min(100));
        left_ms.saturating_mul(100) < total_ms(parts).saturating_mul(least)
    }

    /// Whether the law lets the audio of this stretch be kept, as far as is known at `now`. `window`
    /// is the one in which it was recorded, whether or not this law would have granted it.
    #[must_use]
    pub fn law_covers(&self, from: Timestamp, until: Timestamp, window: Window, now: Timestamp) -> bool {
        let lawful = |at| self.in_the_way(at, Some(window), now).is_none();
        self.audio_stretches(from, until, now).into_iter().all(|(start, _)| lawful(start))
    }

    /// Every stretch of these parts of a file that is not covered at `now`, as they are placed.
    #[must_use]
    pub fn uncovered(
        &self,
        parts: &[(Timestamp, u64)],
        basis: CoverageBasis,
        now: Timestamp,
        silent: &dyn Fn(u64, u64) -> bool,
    ) -> Vec<UncoveredSpan> {
        let mut found: Vec<UncoveredSpan> = Vec::new();
        let mut part_ms = 0u64;
        for (from, ms) in parts {
            for (start, end) in self.audio_stretches(*from, plus(*from, *ms), now) {
                let offset_ms = part_ms.saturating_add(length_ms(*from, start));
                let to_ms = part_ms.saturating_add(length_ms(*from, end));
                // If the platform starts by itself, a stretch of the file is the window.
                let window = match basis {
                    CoverageBasis::Granted => self.window_with_slack(start),
                    CoverageBasis::Lawful => Some(Window {
                        from: *from,
                        until: Some((plus(*from, *ms), Edge::Pause)),
                        resumed: false,
                    }),
                };
                let paused = basis == CoverageBasis::Granted && window.is_none() && self.is_silenced(start);
                // Nothing that comes now is kept, not even what was covered before the call became one.
                let why = if self.is_unrecorded_emergency() {
                    Some(Why::Emergency)
                } else if paused {
                    (!silent(offset_ms, to_ms))
                        .then_some(Why::Paused)
                        .or((start >= now).then_some(Why::NotYet))
                } else {
                    self.in_the_way(start, window, now)
                };
                let Some(why) = why.or_else(|| self.is_taken(start).then_some(Why::Taken)) else {
                    continue;
                };
                match found.last_mut() {
                    Some(last)
                        if last.why == why
                            && last.until == start
                            && last.offset_ms.saturating_add(last.duration_ms()) == offset_ms =>
                    {
                        last.until = end;
                    }
                    _ => found.push(UncoveredSpan { from: start, until: end, offset_ms, why }),
                }
            }
            part_ms = part_ms.saturating_add(*ms);
        }
        found
    }

    /// What the law does not let be kept of all that a file of this length may hold, if it began at a moment from `from` on and
    /// at most `within_ms` later: as moments, with their places in a file that began at `from`. In one that began later, each
    /// lies up to `within_ms` earlier.
    #[must_use]
    pub fn in_doubt(
        &self,
        (from, within_ms): (Timestamp, u64),
        duration_ms: u64,
        basis: CoverageBasis,
        now: Timestamp,
    ) -> Vec<UncoveredSpan> {
        let longest = [(from, duration_ms.saturating_add(within_ms))];
        let mut spans = self.at(now).uncovered(&longest, basis, now, &|_, _| true);
        spans.retain(|span| span.why.is_of_the_law());
        spans
    }

    /// Audio that does not say when it was made: it has to be covered wherever it lies in the only
    /// window, and uses up the window's first moments that no other recording holds.
    fn unplaced(&self, duration_ms: u64, upload: &Upload<'_>, now: Timestamp) -> Result<Coverage, Uncovered> {
        let windows: Vec<Window> = self.held_windows().copied().collect();
        let [window] = windows.as_slice() else {
            return Err(Uncovered::Unplaced { windows: windows.len() });
        };
        let window_ms = length_ms(window.from, window.until.map_or(now, |(until, _)| until));
        let most_ms = window.until.map_or(window_ms, |_| length_ms(window.from, window.last_covered()));
        let codec_adds_ms = upload.codec_adds_ms.min(MOST_ADDED_MS);
        if duration_ms.saturating_sub(most_ms) > codec_adds_ms {
            return Err(Uncovered::TooLong { duration_ms, window_ms });
        }
        let anywhere = [(window.from, window_ms.max(duration_ms))];
        let mut uncovered = self.uncovered(&anywhere, upload.basis, now, upload.silent);
        // This one does not use up what others hold of the window, and the others hold nothing beyond its
        // end.
        uncovered.retain(|span| span.why != Why::Taken || span.offset_ms >= most_ms);
        let codec_ms = match duration_ms.saturating_sub(most_ms) {
            0 => 0,
            _ => added_by_codec(&mut uncovered, &anywhere, codec_adds_ms),
        };
        let audio_ms = duration_ms.saturating_sub(codec_ms);
        if !uncovered.is_empty() {
            return Err(Uncovered::Spans(uncovered));
        }
        let until = plus(window.from, window_ms.max(audio_ms));
        let (mut spans, mut left_ms) = (Vec::new(), audio_ms);
        for (start, end) in self.audio_stretches(window.from, until, now) {
            if left_ms > 0 && !self.is_taken(start) {
                let ms = length_ms(start, end).min(left_ms);
                spans.push((start, plus(start, ms)));
                left_ms = left_ms.saturating_sub(ms);
            }
        }
        if left_ms > 0 || spans.is_empty() {
            return Err(Uncovered::UsedUp { left_ms: audio_ms.saturating_sub(left_ms) });
        }
        Ok(Coverage { spans, silenced: Vec::new(), codec_ms, shifted_ms: 0 })
    }

    /// The windows that have a length.
    pub(crate) fn held_windows(&self) -> impl Iterator<Item = &Window> {
        self.windows().iter().filter(|window| window.until.is_none_or(|(until, _)| window.from < until))
    }

    /// Whether an upload begins before a window only because its sender's clock is coarse or slow.
    #[must_use]
    pub fn begins_early(&self, upload: &Upload<'_>) -> bool {
        match &upload.claim {
            Claim::Placed(parts) => self.early_ms(parts, upload) > 0,
            Claim::Unplaced { .. } => false,
        }
    }

    /// How long before a window an upload begins only because its sender's clock is coarse or slow, in
    /// milliseconds: then the whole file is moved. Only if recording began there, and nobody had objected or
    /// recorded just before.
    fn early_ms(&self, parts: &[(Timestamp, u64)], upload: &Upload<'_>) -> u64 {
        let Some((claimed, _)) = parts.first().filter(|_| upload.basis == CoverageBasis::Granted) else {
            return 0;
        };
        if self.window_with_slack(*claimed).is_some() || self.is_silenced(*claimed) {
            return 0;
        }
        let Some(window) = self.windows().iter().find(|window| *claimed < window.from) else { return 0 };
        let early_ms = length_ms(*claimed, window.from);
        let by_clock_ms = upload.clock_behind_ms.saturating_add(CLOCK_TOLERANCE_MS);
        let cut_to_seconds = claimed.subsec_nanosecond() == 0 && early_ms < 1_000;
        let quiet_from = before(window.from, QUIET_BEFORE);
        let recorded = |other: &Window| {
            other.from < window.from && other.until.is_none_or(|(until, _)| quiet_from <= until)
        };
        let objected = |person: &Person| person.objects_between(quiet_from, window.from);
        let explained = cut_to_seconds || early_ms <= by_clock_ms;
        let quiet = !self.windows().iter().any(recorded) && !self.people.iter().any(objected);
        if explained && quiet && !window.resumed { early_ms } else { 0 }
    }

    fn audio_stretches(
        &self,
        from: Timestamp,
        until: Timestamp,
        now: Timestamp,
    ) -> Vec<(Timestamp, Timestamp)> {
        let held = self.accepted.iter().flat_map(|(from, until)| [*from, *until]);
        let cuts: Vec<Timestamp> = held.chain([now]).collect();
        self.stretches_cut(from, until, &cuts)
    }

    /// Whether as many recordings of this moment were accepted as the account has recorders.
    fn is_taken(&self, at: Timestamp) -> bool {
        let holding = self.accepted.iter().filter(|(from, until)| *from <= at && at < *until).count();
        holding >= usize::from(self.settings.recorders.max(1))
    }

    /// What keeps the stretch that begins at `at` from being covered.
    fn in_the_way(&self, at: Timestamp, window: Option<Window>, now: Timestamp) -> Option<Why> {
        let Some(window) = window else { return Some(self.why_not_granted(at)) };
        if self.ended_at().is_some_and(|ended| after(ended, SLACK) <= at) {
            return Some(Why::Ended);
        }
        if let Standing::Unlawful(why) = self.standing_of_people(at) {
            return Some(why);
        }
        // A finished recording cannot hold the future.
        if at >= now {
            return Some(Why::NotYet);
        }
        // That its announcement might still be reported in time is not a reason to keep it now.
        let (who, due) = self.unannounced(window, at)?;
        Some(if due < now { Why::Unannounced(who) } else { Why::NotYetAnnounced(who) })
    }

    /// The law's objection, if there is one, rather than that nobody asked.
    fn why_not_granted(&self, at: Timestamp) -> Why {
        match self.standing(at) {
            Standing::Unlawful(why) => why,
            Standing::Lawful => Why::NotGranted,
        }
    }

    /// The window that a moment lies in, or in whose slack. Slack lies outward from the union of the
    /// windows: it ends where the next one begins, whatever becomes of that one.
    fn window_with_slack(&self, at: Timestamp) -> Option<Window> {
        let latest = self.windows().iter().rev().find(|window| window.from <= at);
        latest.filter(|window| at < window.last_covered()).copied()
    }

    fn is_silenced(&self, at: Timestamp) -> bool {
        self.windows.silences().iter().any(|silence| silence.holds(at))
    }

    /// Who has withdrawn by `now`, and not said yes to a new prompt since.
    #[must_use]
    pub fn withdrawn(&self, now: Timestamp) -> Option<u32> {
        let withdrawn =
            |person: &&crate::call::Person| matches!(person.objection(now), Some(Why::Withdrawn(_)));
        self.people.iter().find(withdrawn).map(|person| person.id)
    }

    /// Whether a stored recording of these stretches has to go at `now`, since somebody has withdrawn and the account
    /// asks for it.
    #[must_use]
    pub fn has_to_go(&self, stretches: &[(Timestamp, Timestamp)], now: Timestamp) -> bool {
        let withdrawn =
            |person: &&crate::call::Person| matches!(person.objection(now), Some(Why::Withdrawn(_)));
        match self.settings.on_withdrawal {
            OnWithdrawal::Keep => false,
            OnWithdrawal::Delete => self.withdrawn(now).is_some(),
            OnWithdrawal::DeletePresent => {
                self.people.iter().filter(withdrawn).any(|person| person.was_there(stretches))
            }
        }
    }

    /// Who withdrew after this audio began, whether or not they agreed again since, so that it is refused.
    fn withdrawn_after(&self, claim: &Claim) -> Option<u32> {
        let stretches: Vec<(Timestamp, Timestamp)> = match claim {
            Claim::Placed(parts) => parts.iter().map(|(from, ms)| (*from, plus(*from, *ms))).collect(),
            Claim::Unplaced { .. } => self
                .held_windows()
                .map(|window| (window.from, window.until.map_or(Timestamp::MAX, |(until, _)| until)))
                .collect(),
        };
        let begun = stretches.iter().map(|(from, _)| *from).min();
        let after = |person: &&crate::call::Person| {
            person.withdrew_at().is_some_and(|withdrew| begun.is_none_or(|begun| begun < withdrew))
        };
        let counts = |person: &&crate::call::Person| match self.settings.on_withdrawal {
            OnWithdrawal::Keep => false,
            OnWithdrawal::Delete => true,
            OnWithdrawal::DeletePresent => stretches.is_empty() || person.was_there(&stretches),
        };
        self.people.iter().filter(after).find(counts).map(|person| person.id)
    }
}

/// Removes what the codec may have added from the uncovered end of a file, and returns how much that is, in
/// milliseconds. Codec padding follows audio: it lies behind a covered moment of the file's last part, and
/// reaches to the end. It never counts after an objection, over another recording, or in the future: no
/// moment is used twice.
fn added_by_codec(uncovered: &mut Vec<UncoveredSpan>, parts: &[(Timestamp, u64)], adds_ms: u64) -> u64 {
    let length_ms = parts.iter().fold(0u64, |sum, (_, ms)| sum.saturating_add(*ms));
    let last_part_ms = length_ms.saturating_sub(parts.last().map_or(0, |(_, ms)| *ms));
    let ends_at = |span: &UncoveredSpan| span.offset_ms.saturating_add(span.duration_ms());
    // The uncovered stretches at the end of the file, without a covered moment between them.
    let (mut cut_ms, mut first) = (length_ms, uncovered.len());
    for (index, span) in uncovered.iter().enumerate().rev() {
        let never = matches!(
            span.why,
            Why::Declined(_)
                | Why::Withdrawn(_)
                | Why::InDoubt(_)
                | Why::Minor(_)
                | Why::OnHold(_)
                | Why::Emergency
                | Why::Taken
                | Why::NotYet
        );
        if ends_at(span) != cut_ms || never {
            break;
        }
        (cut_ms, first) = (span.offset_ms, index);
    }
    let follows_audio =
        uncovered.get(..first).is_none_or(|before| before.iter().all(|span| ends_at(span) != cut_ms));
    if cut_ms <= last_part_ms || length_ms.saturating_sub(cut_ms) > adds_ms || !follows_audio {
        return 0;
    }
    uncovered.truncate(first);
    length_ms.saturating_sub(cut_ms)
}

fn total_ms(parts: &[(Timestamp, u64)]) -> u64 {
    parts.iter().fold(0, |sum, (_, ms)| sum.saturating_add(*ms))
}

/// What these stretches of a file leave of it.
fn kept(parts: &[(Timestamp, u64)], silenced: &[(u64, u64)]) -> Vec<(Timestamp, Timestamp)> {
    let (mut spans, mut part_ms) = (Vec::new(), 0u64);
    for (from, ms) in parts {
        let end_ms = part_ms.saturating_add(*ms);
        let at = |offset_ms: u64| plus(*from, offset_ms.saturating_sub(part_ms));
        let mut kept_ms = part_ms;
        for (begin, end) in silenced {
            if kept_ms < (*begin).min(end_ms) {
                spans.push((at(kept_ms), at((*begin).min(end_ms))));
            }
            kept_ms = kept_ms.max(*end);
        }
        if kept_ms < end_ms {
            spans.push((at(kept_ms), at(end_ms)));
        }
        part_ms = end_ms;
    }
    spans
}

/// When these stretches of a file were recorded. One is divided where something else comes in the way.
fn moments(
    parts: &[(Timestamp, u64)],
    silenced: &[(u64, u64)],
    uncovered: &[UncoveredSpan],
) -> Vec<Silenced> {
    let (mut moments, mut part_ms) = (Vec::new(), 0u64);
    let until = |span: &UncoveredSpan| span.offset_ms.saturating_add(span.duration_ms());
    for (from, ms) in parts {
        let end_ms = part_ms.saturating_add(*ms);
        let at = |offset_ms: u64| plus(*from, offset_ms.saturating_sub(part_ms));
        for (begin, end) in silenced {
            let (first, end) = ((*begin).max(part_ms), (*end).min(end_ms));
            let mut here =
                uncovered.iter().filter(|span| span.offset_ms < end && first < until(span)).peekable();
            let mut begin = first;
            while begin < end {
                let why = here.next().map(|span| span.why);
                let next = here.peek().map_or(end, |span| span.offset_ms.max(begin));
                if begin < next {
                    moments.push((at(begin), at(next), why));
                }
                begin = next;
            }
        }
        part_ms = end_ms;
    }
    moments
}

fn plus(at: Timestamp, ms: u64) -> Timestamp {
    after(at, SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)))
}

/// The most that any codec adds, in milliseconds: a packet of Vorbis whose blocks have 8192 samples at 8 kHz
/// (Vorbis I section 4.3.8). MP3 adds at most 288, Opus 240.
pub const MOST_ADDED_MS: u64 = 512;

/// How far a sender's clock may be off in any case, in milliseconds.
const CLOCK_TOLERANCE_MS: u64 = 250;

/// How long before a window nobody may have recorded or objected if a clock is to explain an early start.
const QUIET_BEFORE: SignedDuration = SignedDuration::from_secs(2);
