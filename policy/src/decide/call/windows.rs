//! When recording was granted, as the log says it: windows open and close as the entries come in.

use alloc::vec::Vec;

use jiff::Timestamp;

use super::{SLACK, Span, after};
use crate::fact::{Behavior, Control, What};

/// A stretch of time in which recording was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it was granted.
    pub from: Timestamp,
    /// When it was closed, and by what; absent while it is open.
    pub until: Option<(Timestamp, Edge)>,
    /// Whether `resume` opened it, and not `start`.
    pub resumed: bool,
}

impl Window {
    /// The last moment that audio of this window may hold, [`SLACK`] included.
    #[must_use]
    pub fn last_covered(&self) -> Timestamp {
        match self.until {
            Some((until, Edge::Stop | Edge::Ended)) => after(until, SLACK),
            Some((until, Edge::Pause | Edge::Suspension)) => until,
            None => Timestamp::MAX,
        }
    }
}

/// What closed a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The platform paused.
    Pause,
    /// Recording was no longer lawful.
    Suspension,
    /// The platform stopped: [`SLACK`] applies.
    Stop,
    /// The call ended: [`SLACK`] applies.
    Ended,
}

/// The windows of a call, and the silences that the platform writes in their place.
#[derive(Debug, Clone, Default)]
pub struct Windows {
    granted: Vec<Window>,
    silences: Vec<Span>,
}

impl Windows {
    /// The windows, in order.
    #[must_use]
    pub fn granted(&self) -> &[Window] {
        &self.granted
    }

    /// When the platform wrote silence, in order.
    #[must_use]
    pub fn silences(&self) -> &[Span] {
        &self.silences
    }

    /// The window that is open.
    #[must_use]
    pub fn open(&self) -> Option<Window> {
        self.granted.last().copied().filter(|window| window.until.is_none())
    }

    /// Takes what was logged at `now`, and happened at `happened` or later.
    pub fn apply(&mut self, what: &What, now: Timestamp, happened: Timestamp) {
        match what {
            What::Control(Control::Start | Control::Resume) => {
                self.end_silence(now);
                if self.open().is_none() {
                    let resumed = *what == What::Control(Control::Resume);
                    self.granted.push(Window { from: now, until: None, resumed });
                }
            }
            What::Control(Control::Pause(behavior)) => {
                let was_granted = self.open().is_some();
                self.close(now, Edge::Pause);
                if was_granted && *behavior == Behavior::Silence {
                    self.silences.push(Span { from: now, until: None });
                }
            }
            What::Control(Control::Stop) => self.close(now, Edge::Stop),
            What::RecordingPaused => self.close(happened, Edge::Pause),
            What::RecordingStopped => self.close(happened, Edge::Stop),
            What::Ended => self.close(happened, Edge::Ended),
            // Every use ends at once, whether or not it could be granted anew.
            What::Emergency => self.close(happened, Edge::Suspension),
            What::Use { .. }
            | What::PromptStarted { .. }
            | What::PromptCompleted { .. }
            | What::PromptInterrupted { .. }
            | What::ConsentGiven { .. }
            | What::ConsentDeclined { .. }
            | What::ConsentWithdrawn { .. }
            | What::AnnouncementRecorded { .. }
            | What::ToneStarted
            | What::ToneStopped
            | What::Joined(_)
            | What::Located { .. }
            | What::Answered { .. }
            | What::Left { .. }
            | What::Held { .. }
            | What::Retrieved { .. }
            | What::Minor { .. }
            | What::RecordingStarted
            | What::RecordingResumed
            | What::Accepted { .. }
            | What::Gap => {}
        }
    }

    /// Closes the window that is open; a stop or an end closes the silence in its place as well.
    pub fn close(&mut self, at: Timestamp, edge: Edge) {
        if matches!(edge, Edge::Stop | Edge::Ended) {
            self.end_silence(at);
        }
        // If reported late, it also ends the window that it lies in.
        let holds =
            |window: &&mut Window| window.from <= at && window.until.is_some_and(|(until, _)| at < until);
        for window in self.granted.iter_mut().filter(holds) {
            window.until = Some((at, edge));
        }
        if let Some(window) = self.granted.last_mut()
            && window.until.is_none()
        {
            window.until = Some((at.max(window.from), edge));
        }
    }

    fn end_silence(&mut self, at: Timestamp) {
        if let Some(silence) = self.silences.last_mut()
            && silence.until.is_none()
        {
            silence.until = Some(at.max(silence.from));
        }
    }
}
