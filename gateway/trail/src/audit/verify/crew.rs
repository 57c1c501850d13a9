//! The threads that hash, parse and decide, while one thread reads and keeps the order.
//!
//! Bundles are dealt out in turn. A call belongs to one thread for good, so that its entries are
//! decided in their order without anybody waiting for anybody.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};

use uuid::Uuid;

use super::super::Failure;
use super::super::decisions::{Calls, Step};
use super::bundle::{Bundle, Checked};

/// Something to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Look at a bundle, and hand it back.
    Bundle(Box<Bundle>),
    /// Go on with calls.
    Steps(Vec<Step>),
    /// Take up again a call that was forgotten.
    Again(Uuid, Vec<Step>),
    /// Forget a call.
    Forget(Uuid),
}

/// The threads.
pub(super) struct Crew<'scope> {
    hands: Vec<(Sender<Work>, ScopedJoinHandle<'scope, Outcome>)>,
    looked_at: Receiver<Looked>,
}

/// What a thread has to say in between.
pub(super) enum Looked {
    /// A bundle was looked at.
    Bundle(Box<Checked>),
    /// An entry was decided wrongly.
    Failed,
}

/// What a thread has to say at the end.
#[derive(Debug, Default)]
struct Outcome {
    calls: Calls,
    failure: Option<Failure>,
}

impl<'scope> Crew<'scope> {
    /// As many threads as there are processors. Calls that go on already are shared out.
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

    /// How many bundles to have in work at once.
    pub(super) fn ahead(&self) -> usize {
        self.hands.len().saturating_mul(AHEAD)
    }

    /// Gives out a bundle.
    pub(super) fn look_at(&self, bundle: Bundle) {
        let hand = usize::try_from(bundle.id.index).unwrap_or(0).checked_rem(self.hands.len()).unwrap_or(0);
        self.give(hand, Work::Bundle(Box::new(bundle)));
    }

    /// Waits for the next that was looked at. None where all threads are gone.
    pub(super) fn next(&self) -> Option<Looked> {
        self.looked_at.recv().ok()
    }

    /// Who decides on a call.
    pub(super) fn hand_of(&self, call: Uuid) -> usize {
        hand_of(call, self.hands.len())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.hands.len()
    }

    /// Gives out something to do. A thread that is gone tells so at the end.
    pub(super) fn give(&self, hand: usize, work: Work) {
        if let Some((orders, _)) = self.hands.get(hand) {
            drop(orders.send(work));
        }
    }

    /// Waits until everything is done. Answers the calls, and the first decision that was not found
    /// equal.
    pub(super) fn dismiss(self) -> (Calls, Option<Failure>) {
        let (mut calls, mut failure) = (Calls::default(), None::<Failure>);
        for (orders, handle) in self.hands {
            drop(orders);
            let outcome = handle.join().unwrap_or_else(|_| Outcome {
                failure: Some(Failure::unusable("a part of the verification did not come to its end")),
                ..Outcome::default()
            });
            calls.join(outcome.calls);
            failure = first_of(failure, outcome.failure);
        }
        (calls, failure)
    }
}

/// Whichever is about the earlier entry.
pub(super) fn first_of(one: Option<Failure>, other: Option<Failure>) -> Option<Failure> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.first(other)),
        (one, other) => one.or(other),
    }
}

/// Who decides on a call, of so many.
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
            // Of a call that has failed once, what comes after says nothing; but an earlier entry of
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

/// More threads than this wait for the one that reads.
const MOST: usize = 16;
/// How many bundles each thread has in work.
const AHEAD: usize = 8;
