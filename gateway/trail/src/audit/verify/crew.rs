//! The threads that hash, parse and decide, while one thread reads and keeps the order.
//!
//! Bundles are dealt out in turn. Each call belongs to one thread, so that its entries are decided in order
//! without threads waiting for each other.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};

use uuid::Uuid;

use super::super::Failure;
use super::super::decisions::{Calls, Step};
use super::bundle::{Bundle, Checked};

/// Something to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Check a bundle, and hand it back.
    Bundle(Box<Bundle>),
    /// Take the next steps of calls.
    Steps(Vec<Step>),
    /// Restore a forgotten call.
    Again(Uuid, Vec<Step>),
    /// Forget a call.
    Forget(Uuid),
}

/// The threads.
pub(super) struct Crew<'scope> {
    hands: Vec<(Sender<Work>, ScopedJoinHandle<'scope, Outcome>)>,
    looked_at: Receiver<Looked>,
}

/// What a thread reports meanwhile.
pub(super) enum Looked {
    /// A bundle was checked.
    Bundle(Box<Checked>),
    /// An entry was decided wrongly.
    Failed,
}

/// What a thread reports at the end.
#[derive(Debug, Default)]
struct Outcome {
    calls: Calls,
    failure: Option<Failure>,
}

impl<'scope> Crew<'scope> {
    /// Starts one thread per processor, and splits the calls in progress among them.
    pub(super) fn hire<'env>(scope: &'scope Scope<'scope, 'env>, going: Calls) -> Crew<'scope> {
        let (report, looked_at) = channel();
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST);
        let shares = going.shared_out(count, |call| hand_of(call, count));
        let hands = shares.into_iter().map(|calls| {
            let (orders, work) = channel();
            let report = report.clone();
            (orders, scope.spawn(move || toil(calls, &work, &report)))
        });
        Crew { hands: hands.collect(), looked_at }
    }

    /// How many bundles to have in progress at once.
    pub(super) fn ahead(&self) -> usize {
        self.hands.len().saturating_mul(AHEAD)
    }

    /// Gives out a bundle.
    pub(super) fn look_at(&self, bundle: Bundle) {
        let hand = usize::try_from(bundle.id.index).unwrap_or(0).checked_rem(self.hands.len()).unwrap_or(0);
        self.give(hand, Work::Bundle(Box::new(bundle)));
    }

    /// Waits for the next report. `None` if all threads are gone.
    pub(super) fn next(&self) -> Option<Looked> {
        self.looked_at.recv().ok()
    }

    /// The thread that decides on a call.
    pub(super) fn hand_of(&self, call: Uuid) -> usize {
        hand_of(call, self.hands.len())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.hands.len()
    }

    /// Gives a thread something to do. One that died is reported at the end.
    pub(super) fn give(&self, hand: usize, work: Work) {
        if let Some((orders, _)) = self.hands.get(hand) {
            drop(orders.send(work));
        }
    }

    /// Waits until everything is done. Returns the calls, and the first wrong decision.
    pub(super) fn dismiss(self) -> (Calls, Option<Failure>) {
        let (mut calls, mut failure) = (Calls::default(), None::<Failure>);
        for (orders, handle) in self.hands {
            drop(orders);
            let outcome = handle.join().unwrap_or_else(|_| Outcome {
                failure: Some(Failure::unusable("a verification thread failed")),
                ..Outcome::default()
            });
            calls.join(outcome.calls);
            failure = first_of(failure, outcome.failure);
        }
        (calls, failure)
    }
}

/// The failure that is about the earlier entry.
pub(super) fn first_of(one: Option<Failure>, other: Option<Failure>) -> Option<Failure> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.first(other)),
        (one, other) => one.or(other),
    }
}

/// Which of `hands` threads decides on a call.
fn hand_of(call: Uuid, hands: usize) -> usize {
    // The last bytes of an id are random.
    let [.., byte] = *call.as_bytes();
    usize::from(byte).checked_rem(hands).unwrap_or(0)
}

fn toil(mut calls: Calls, work: &Receiver<Work>, report: &Sender<Looked>) -> Outcome {
    let mut failure: Option<Failure> = None;
    while let Ok(work) = work.recv() {
        let result = match work {
            Work::Bundle(bundle) => {
                let checked = bundle.check();
                drop(report.send(Looked::Bundle(Box::new(checked))));
                Ok(())
            }
            // Once a call has failed, its later entries do not matter, but an earlier entry of
            // another call may still be found wrong.
            Work::Steps(steps) => steps.iter().try_for_each(|step| calls.step(step)),
            Work::Again(call, steps) => calls.again(call, &steps),
            Work::Forget(call) => {
                calls.forget(call);
                Ok(())
            }
        };
        if let Err(found) = result {
            failure = first_of(failure, Some(found));
            drop(report.send(Looked::Failed));
        }
    }
    Outcome { calls, failure }
}

/// With more threads than this, they would wait for the one that reads.
const MOST: usize = 16;
/// How many bundles each thread has in progress.
const AHEAD: usize = 8;
