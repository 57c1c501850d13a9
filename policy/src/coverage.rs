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

impl Call<'_> {
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
            && let Some(participant) = call.withdrawn(now)
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
        if door == Door::Asks {
            let left_ms = call.budget_ms(now).saturating_sub(call.accepted_ms());
            if duration_ms > left_ms {
                return Err(Uncovered::UsedUp { left_ms });
            }
        }
        let spans = parts.iter().map(|(from, ms)| (*from, plus(*from, *ms))).collect();
        Ok(Coverage { duration_ms, spans })
    }

    /// The only window, as a stretch that has to be covered wherever the audio lies in it.
    fn only_window(&self, duration_ms: u64, now: Timestamp) -> Result<(Timestamp, u64), Uncovered> {
        let [window] = self.windows() else {
            return Err(Uncovered::Unplaced { windows: self.windows().len() });
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
                let Some(why) = self.in_the_way(start, door, now, || silent(at_ms, to_ms)) else {
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
    fn in_the_way(
        &self,
        at: Timestamp,
        door: Door,
        now: Timestamp,
        silent: impl Fn() -> bool,
    ) -> Option<Why> {
        let window = self.window_with_slack(at);
        if window.is_none() && self.silences.iter().any(|silence| silence.holds(at)) {
            return (!silent()).then_some(Why::Paused);
        }
        let in_slack = window.is_some_and(|window| window.until.is_some_and(|(until, _)| until <= at));
        let standing = match (door, window) {
            (Door::Asks, None) => return Some(self.why_not_granted(at)),
            (Door::Asks, Some(_)) => self.standing_of_people(at),
            (Door::StartsByItself, _) => match self.ended_at() {
                Some(ended) if after(ended, SLACK) <= at => Standing::Unlawful(Why::Ended),
                Some(_) | None => self.standing_of_people(at),
            },
        };
        if let Standing::Unlawful(why) = standing {
            return Some(why);
        }
        if at >= now && !in_slack {
            return Some(Why::NotYet);
        }
        let unannounced = window.and_then(|window| self.unannounced(window, at));
        unannounced.map(|(who, _)| Why::Unannounced(who))
    }

    /// Says what the law had against it, where it had something, rather than that nobody asked.
    fn why_not_granted(&self, at: Timestamp) -> Why {
        match self.standing(at) {
            Standing::Unlawful(why) => why,
            Standing::Lawful => Why::NotGranted,
        }
    }

    fn window_with_slack(&self, at: Timestamp) -> Option<Window> {
        self.windows().iter().copied().find(|window| {
            let until = window.until.map(|(until, edge)| match edge {
                Edge::Stop | Edge::Ended => after(until, SLACK),
                Edge::Pause | Edge::Suspension => until,
            });
            Span { from: window.from, until }.holds(at)
        })
    }

    /// How much audio of this call may be accepted at all, in milliseconds.
    fn budget_ms(&self, now: Timestamp) -> u64 {
        let windows = self.windows().iter().map(|window| {
            let until = window.until.map_or(now, |(until, _)| until);
            length_ms(window.from, until).saturating_add(slack_ms(*window))
        });
        let silences =
            self.silences.iter().map(|silence| length_ms(silence.from, silence.until.unwrap_or(now)));
        let once = windows.chain(silences).fold(0u64, u64::saturating_add);
        once.saturating_mul(u64::from(self.settings.recorders.max(1)))
    }

    /// Who has withdrawn, and has not said yes to a new prompt since.
    #[must_use]
    pub fn withdrawn(&self, now: Timestamp) -> Option<u32> {
        self.people.iter().find_map(|person| match person.objection(now) {
            Some(Why::Withdrawn(participant)) => Some(participant),
            _ => None,
        })
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
