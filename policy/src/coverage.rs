//! Which seconds of a finished recording are covered.
//!
//! Audio is covered where recording was lawful and, at doors through which the platform starts
//! recording, granted. Nothing here loosens: what cannot be placed in time has to be covered
//! wherever it may lie.

use alloc::vec::Vec;

use jiff::{SignedDuration, Timestamp};

use crate::call::{Call, Edge, SLACK, Span, Standing, Why, Window, after};
use crate::fact::OnWithdrawal;

/// When a recording says it was made. Its length is always the measured one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Not said: only where the call had exactly one window.
    Unplaced {
        /// The measured length in milliseconds.
        duration_ms: u64,
    },
    /// Stretches of time in the order of the file, each with its length in milliseconds.
    Placed(Vec<(Timestamp, u64)>),
}

/// What an upload's door asks beside the law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The platform asks before it records: a window must have been granted.
    Asks,
    /// The platform starts by itself: the law alone decides.
    StartsByItself,
}

/// Audio that is covered throughout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// How much of that lies in windows, and so uses them up. Measured silence uses up nothing.
    pub granted_ms: u64,
    /// Where it lies in time; where it was not placed, the window that it lies in.
    pub spans: Vec<(Timestamp, Timestamp)>,
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
    /// The call's windows, times the account's recorders, are used up.
    UsedUp {
        /// What is left, in milliseconds.
        left_ms: u64,
    },
    /// Somebody withdrew, and the account deletes what was recorded before.
    Withdrawn(u32),
}

/// A stretch of audio that is not covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UncoveredSpan {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// What is in the way.
    pub why: Why,
}

impl Call {
    /// Whether a finished recording is covered, as far as is known at `now`.
    ///
    /// `silent(from_ms, to_ms)` tells whether that stretch of the file was measured to be silent;
    /// it is asked only of stretches in which the platform paused by writing silence.
    ///
    /// # Errors
    ///
    /// [`Uncovered`], with every stretch that is not and why.
    pub fn coverage(
        &self,
        claim: &Claim,
        door: Door,
        now: Timestamp,
        silent: &dyn Fn(u64, u64) -> bool,
    ) -> Result<Coverage, Uncovered> {
        let call = self.at(now);
        if call.settings.on_withdrawal == OnWithdrawal::Delete
            && let Some(participant) = call.withdrawn_after(claim)
        {
            return Err(Uncovered::Withdrawn(participant));
        }
        let (parts, duration_ms) = match claim {
            Claim::Placed(parts) => {
                let total = parts.iter().fold(0u64, |sum, (_, ms)| sum.saturating_add(*ms));
                (parts.clone(), total)
            }
            Claim::Unplaced { duration_ms } => {
                let (from, ms) = call.only_window(*duration_ms, now)?;
                (alloc::vec![(from, ms)], *duration_ms)
            }
        };
        let uncovered = call.uncovered(&parts, door, now, silent);
        if !uncovered.is_empty() {
            return Err(Uncovered::Spans(uncovered));
        }
        let granted_ms = duration_ms.saturating_sub(call.silent_ms(&parts, now));
        if door == Door::Asks {
            let left_ms = call.budget_ms(now).saturating_sub(call.accepted_ms());
            if granted_ms > left_ms {
                return Err(Uncovered::UsedUp { left_ms });
            }
        }
        let spans = parts.iter().map(|(from, ms)| (*from, plus(*from, *ms))).collect();
        Ok(Coverage { duration_ms, granted_ms, spans })
    }

    /// Whether the law lets the audio of this stretch be kept, as far as is known at `now`. `window`
    /// is the one in which it was recorded, whether or not this law would have granted it.
    #[must_use]
    pub fn law_covers(&self, from: Timestamp, until: Timestamp, window: Window, now: Timestamp) -> bool {
        let lawful = |at| self.in_the_way(at, Door::Asks, Some(window), now).is_none();
        self.audio_stretches(from, until, now).into_iter().all(|(start, _)| lawful(start))
    }

    /// The only window, as a stretch that has to be covered wherever the audio lies in it.
    fn only_window(&self, duration_ms: u64, now: Timestamp) -> Result<(Timestamp, u64), Uncovered> {
        let held = |window: &&Window| window.until.is_none_or(|(until, _)| window.from < until);
        let windows: Vec<Window> = self.windows().iter().filter(held).copied().collect();
        let [window] = windows.as_slice() else {
            return Err(Uncovered::Unplaced { windows: windows.len() });
        };
        let window_ms = length_ms(window.from, window.until.map_or(now, |(until, _)| until));
        let allowed = window_ms.saturating_add(slack_ms(*window));
        if duration_ms > allowed {
            return Err(Uncovered::TooLong { duration_ms, window_ms });
        }
        Ok((window.from, window_ms.max(duration_ms)))
    }

    fn uncovered(
        &self,
        parts: &[(Timestamp, u64)],
        door: Door,
        now: Timestamp,
        silent: &dyn Fn(u64, u64) -> bool,
    ) -> Vec<UncoveredSpan> {
        let mut found: Vec<UncoveredSpan> = Vec::new();
        let mut offset_ms = 0u64;
        for (from, ms) in parts {
            for (start, end) in self.audio_stretches(*from, plus(*from, *ms), now) {
                let at_ms = offset_ms.saturating_add(length_ms(*from, start));
                let to_ms = offset_ms.saturating_add(length_ms(*from, end));
                // Where the platform starts by itself, a stretch of the file is the window.
                let part = Window { from: *from, until: Some((plus(*from, *ms), Edge::Pause)) };
                let window = match door {
                    Door::Asks => self.window_with_slack(start),
                    Door::StartsByItself => Some(part),
                };
                let paused = door == Door::Asks && window.is_none() && self.is_silenced(start);
                let why = if paused {
                    (!silent(at_ms, to_ms)).then_some(Why::Paused).or((start >= now).then_some(Why::NotYet))
                } else {
                    self.in_the_way(start, door, window, now)
                };
                let Some(why) = why else {
                    continue;
                };
                match found.last_mut() {
                    Some(last) if last.why == why && last.until == start => last.until = end,
                    _ => found.push(UncoveredSpan { from: start, until: end, why }),
                }
            }
            offset_ms = offset_ms.saturating_add(*ms);
        }
        found
    }

    fn audio_stretches(
        &self,
        from: Timestamp,
        until: Timestamp,
        now: Timestamp,
    ) -> Vec<(Timestamp, Timestamp)> {
        let mut stretches = Vec::new();
        for (start, end) in self.stretches(from, until) {
            if start < now && now < end {
                stretches.push((start, now));
                stretches.push((now, end));
            } else {
                stretches.push((start, end));
            }
        }
        stretches
    }

    /// What keeps the stretch that begins at `at` from being covered.
    fn in_the_way(&self, at: Timestamp, door: Door, window: Option<Window>, now: Timestamp) -> Option<Why> {
        let Some(window) = window else { return Some(self.why_not_granted(at)) };
        if self.ended_at().is_some_and(|ended| after(ended, SLACK) <= at) {
            return Some(Why::Ended);
        }
        if let Standing::Unlawful(why) = self.standing_of_people(at) {
            return Some(why);
        }
        let in_slack = window.until.is_some_and(|(until, _)| until <= at);
        if at >= now && !(in_slack && door == Door::Asks) {
            return Some(Why::NotYet);
        }
        // A finished recording holds its announcement or it does not: that it might still be
        // reported in time is no reason to keep it now.
        let (who, due) = self.unannounced(window, at)?;
        Some(if due < now { Why::Unannounced(who) } else { Why::NotYetAnnounced(who) })
    }

    /// Says what the law had against it, where it had something, rather than that nobody asked.
    fn why_not_granted(&self, at: Timestamp) -> Why {
        match self.standing(at) {
            Standing::Unlawful(why) => why,
            Standing::Lawful => Why::NotGranted,
        }
    }

    /// The window that a moment lies in; else the one whose slack it lies in.
    fn window_with_slack(&self, at: Timestamp) -> Option<Window> {
        let within = |until: Option<Timestamp>, window: &Window| Span { from: window.from, until }.holds(at);
        let inside =
            self.windows().iter().find(|window| within(window.until.map(|(until, _)| until), window));
        let slack = || self.windows().iter().find(|window| within(Some(window.last_covered()), window));
        inside.or_else(slack).copied()
    }

    fn is_silenced(&self, at: Timestamp) -> bool {
        self.silences.iter().any(|silence| silence.holds(at))
    }

    /// How much of these parts lies where the platform paused by writing silence.
    fn silent_ms(&self, parts: &[(Timestamp, u64)], now: Timestamp) -> u64 {
        let stretches =
            parts.iter().flat_map(|(from, ms)| self.audio_stretches(*from, plus(*from, *ms), now));
        let silent = stretches.filter(|(start, _)| self.window_with_slack(*start).is_none());
        silent.map(|(start, end)| length_ms(start, end)).fold(0, u64::saturating_add)
    }

    /// How much audio of this call may be accepted at all, in milliseconds.
    fn budget_ms(&self, now: Timestamp) -> u64 {
        let windows = self.windows().iter().map(|window| {
            let until = window.until.map_or(now, |(until, _)| until);
            length_ms(window.from, until).saturating_add(slack_ms(*window))
        });
        let once = windows.fold(0u64, u64::saturating_add);
        once.saturating_mul(u64::from(self.settings.recorders.max(1)))
    }

    /// Who is withdrawn at `now`, and has not said yes to a new prompt since.
    #[must_use]
    pub fn withdrawn(&self, now: Timestamp) -> Option<u32> {
        let withdrawn =
            |person: &&crate::call::Person| matches!(person.objection(now), Some(Why::Withdrawn(_)));
        self.people.iter().find(withdrawn).map(|person| person.id)
    }

    /// Who withdrew after this audio began, whether or not they agreed again since.
    fn withdrawn_after(&self, claim: &Claim) -> Option<u32> {
        let begun = match claim {
            Claim::Placed(parts) => parts.iter().map(|(from, _)| *from).min(),
            Claim::Unplaced { .. } => self.windows().first().map(|window| window.from),
        };
        let after = |person: &&crate::call::Person| {
            person.withdrew_at().is_some_and(|withdrew| begun.is_none_or(|begun| begun < withdrew))
        };
        self.people.iter().find(after).map(|person| person.id)
    }
}

fn slack_ms(window: Window) -> u64 {
    match window.until {
        Some((_, Edge::Stop | Edge::Ended)) => u64::try_from(SLACK.as_millis()).unwrap_or(0),
        Some((_, Edge::Pause | Edge::Suspension)) | None => 0,
    }
}

fn plus(at: Timestamp, ms: u64) -> Timestamp {
    after(at, SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)))
}

fn length_ms(from: Timestamp, until: Timestamp) -> u64 {
    u64::try_from(until.duration_since(from).as_millis()).unwrap_or(0)
}
