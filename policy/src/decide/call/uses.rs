//! Other uses of a call's audio than recording: it is transcribed, streamed to somebody who listens, or analysed.
//!
//! A use is judged as recording would be if the call had been opened for the use's purposes. So it is a fold of its own
//! over the same facts, with windows of its own.

use super::{Call, Recorder, Windows};
use crate::coverage::Use;
use crate::fact::{Control, Event, What};
use crate::told::Purposes;

/// A use that was granted at least once.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    of: Use,
    pub(super) call: Call,
}

impl Call {
    /// The uses beside recording that were ever granted, each as a call for its purposes.
    pub fn uses(&self) -> impl Iterator<Item = (Use, &Call)> {
        self.beside.iter().map(|one| (one.of, &one.call))
    }

    /// What it is for; none means every purpose.
    #[must_use]
    pub fn purposes(&self) -> Purposes {
        self.law.purposes
    }

    /// The call as it is for this use, if it serves these purposes from now on; none means every purpose. While a use
    /// goes on, what it is for can only become more.
    #[must_use]
    pub fn serving(&self, of: Use, purposes: Purposes) -> Call {
        let so_far = self.uses().find(|(one, _)| *one == of).map(|(_, call)| call);
        let going_on =
            so_far.filter(|call| matches!(call.recorder, Recorder::Running | Recorder::Suspended { .. }));
        let purposes = match going_on.map(Call::purposes) {
            Some(before) if before.is_empty() => before,
            Some(before) if !purposes.is_empty() => before.and(purposes),
            Some(_) | None => purposes,
        };
        let law = self.law.serving(purposes);
        let mut people = self.people.clone();
        people.iter_mut().for_each(|person| person.judge_again(&law));
        Call {
            law,
            people,
            windows: so_far.map_or_else(Windows::default, |call| call.windows.clone()),
            recorder: so_far.map_or(Recorder::Idle, |call| call.recorder),
            settled: so_far.is_none_or(|call| call.settled),
            accepted: alloc::vec::Vec::new(),
            expires_at: so_far.and_then(|call| call.expires_at),
            beside: alloc::vec::Vec::new(),
            ..self.clone()
        }
    }

    /// Every use hears what is logged, but for what is said of another one.
    pub(super) fn apply_beside(&mut self, event: &Event) {
        match &event.what {
            What::Use { of, purposes, control } => {
                let mut call = match control {
                    Control::Start | Control::Resume => self.serving(*of, *purposes),
                    Control::Pause(_) | Control::Stop => match self.uses().find(|(one, _)| one == of) {
                        Some((_, call)) => call.clone(),
                        None => return,
                    },
                };
                call.apply(&Event {
                    received_at: event.received_at,
                    at: None,
                    what: What::Control(*control),
                });
                match self.beside.iter_mut().find(|one| one.of == *of) {
                    Some(one) => one.call = call,
                    None => self.beside.push(Beside { of: *of, call }),
                }
            }
            What::Control(_)
            | What::RecordingStarted
            | What::RecordingPaused
            | What::RecordingResumed
            | What::RecordingStopped
            | What::Accepted { .. } => {}
            What::PromptStarted { .. }
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
            | What::Emergency
            | What::Ended
            | What::Gap => {
                if self.beside.is_empty() {
                    return;
                }
                // An objection is the person's, to every use; the call says what lifts it.
                let lifting = Some(self.demand(self.last).told);
                for Beside { call, .. } in &mut self.beside {
                    call.lifting = lifting;
                    call.apply(event);
                }
            }
        }
    }
}
