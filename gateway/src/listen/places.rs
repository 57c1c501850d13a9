//! Who may have a connection, and who has to go when somebody else comes.
//!
//! A connection is a stranger's until one of its requests was let in. Strangers have a short stay, a share for
//! each network, and go first when all places are taken. Knows networks and whose turn it is, not who is let in
//! or why.
//!
//! INVARIANT: whoever comes finds a place, at once, unless every place is taken by somebody who was let in
//! and is being answered. So no number of strangers keeps an objection out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::origin::Network;
use super::timed::Exchanges;

/// All places.
pub(super) struct Places {
    slots: Arc<Semaphore>,
    /// How many strangers of one network there may be.
    share: usize,
    taken: Taken,
}

impl Places {
    pub(super) fn new(count: usize) -> Places {
        let share = count.checked_div(SHARE).unwrap_or_default().max(SHARE_LEAST);
        Places { slots: Arc::new(Semaphore::new(count)), share, taken: Taken::default() }
    }

    /// A place for whoever comes from this address: `known` where a proxy that is believed does. `cut` ends the
    /// connection at once, `finish` once its request is answered.
    pub(super) async fn take(
        &self,
        from: IpAddr,
        known: bool,
        cut: CancellationToken,
        finish: CancellationToken,
    ) -> Place {
        let network = Network::of(from);
        if !known {
            let mut table = self.taken.lock();
            if table.strangers.get(&network).is_some_and(|count| *count >= self.share)
                && let Some(id) = table.longest_waiting(|seat| !seat.known && seat.network == network)
            {
                table.close(id);
            }
        }
        let slot = loop {
            if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
                break Some(slot);
            }
            self.taken.lock().close_for_another();
            // Whoever was closed takes a moment to go. Where nobody could be, it is looked again later.
            if let Ok(slot) = timeout(LOOK_AGAIN, Arc::clone(&self.slots).acquire_owned()).await {
                // The semaphore is never closed.
                break slot.ok();
            }
        };
        let (exchanges, is_known) = (Exchanges::default(), Arc::new(AtomicBool::new(known)));
        let mut table = self.taken.lock();
        let id = table.next;
        table.next = table.next.wrapping_add(1);
        let seat =
            Seat { network, known, exchanges: exchanges.clone(), cut: cut.clone(), finish: finish.clone() };
        table.sit(id, seat);
        let guest = Guest { id, known: is_known, taken: self.taken.clone() };
        Place { guest, exchanges, cut, finish, _slot: slot }
    }
}

/// The place of one connection, given back when dropped.
pub(super) struct Place {
    pub(super) guest: Guest,
    pub(super) exchanges: Exchanges,
    /// Ends the connection at once.
    pub(super) cut: CancellationToken,
    /// Ends it once its request is answered.
    pub(super) finish: CancellationToken,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// Waits until the connection is to be finished: it was told to, or it is a stranger's and its stay is over.
    pub(super) async fn is_over(&self, stay: Duration) {
        if timeout(stay, self.finish.cancelled()).await.is_err() && self.guest.is_known() {
            self.finish.cancelled().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.guest.taken.lock().leave(self.guest.id);
    }
}

/// Whoever is at the other end of a connection. A request extension of every request.
#[derive(Clone)]
pub struct Guest {
    id: u64,
    known: Arc<AtomicBool>,
    taken: Taken,
}

impl Guest {
    /// A request of theirs was let in: from here on they are no stranger.
    pub fn let_in(&self) {
        if !self.known.swap(true, Ordering::AcqRel) {
            self.taken.lock().know(self.id);
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }
}

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Table>>);

impl Taken {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Table {
    seats: HashMap<u64, Seat>,
    /// How many strangers there are of each network.
    strangers: HashMap<Network, usize>,
    next: u64,
}

struct Seat {
    network: Network,
    known: bool,
    exchanges: Exchanges,
    cut: CancellationToken,
    finish: CancellationToken,
}

impl Table {
    fn sit(&mut self, id: u64, seat: Seat) {
        if !seat.known {
            let count = self.strangers.entry(seat.network).or_default();
            *count = count.saturating_add(1);
        }
        self.seats.insert(id, seat);
    }

    fn leave(&mut self, id: u64) -> Option<Seat> {
        let seat = self.seats.remove(&id)?;
        if !seat.known {
            self.one_stranger_less(seat.network);
        }
        Some(seat)
    }

    fn know(&mut self, id: u64) {
        let Some(seat) = self.seats.get_mut(&id).filter(|seat| !seat.known) else { return };
        seat.known = true;
        let network = seat.network;
        self.one_stranger_less(network);
    }

    fn one_stranger_less(&mut self, network: Network) {
        if let Entry::Occupied(mut count) = self.strangers.entry(network) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Closes a connection so that there is a place for another: a stranger's, of the network that has most of
    /// them; where there is none, that of somebody who was let in and waits.
    fn close_for_another(&mut self) {
        let most = self.strangers.values().max();
        let crowded = |seat: &Seat| !seat.known && self.strangers.get(&seat.network) == most;
        let waits = |seat: &Seat| seat.known && seat.exchanges.resting_since().is_some();
        if let Some(id) = self.longest_waiting(crowded).or_else(|| self.longest_waiting(waits)) {
            self.close(id);
        }
    }

    /// Of these, the one that has been waiting for the longest; one that is being answered only where none waits.
    fn longest_waiting(&self, of: impl Fn(&Seat) -> bool) -> Option<u64> {
        let candidates = self.seats.iter().filter(|(_, seat)| of(seat));
        let chosen = candidates.min_by_key(|(id, seat)| {
            let since = seat.exchanges.resting_since();
            (since.is_none(), since, **id)
        });
        chosen.map(|(id, _)| *id)
    }

    fn close(&mut self, id: u64) {
        let Some(seat) = self.leave(id) else { return };
        if seat.known {
            // What it is being sent still arrives.
            seat.finish.cancel();
        } else {
            seat.cut.cancel();
        }
    }
}

/// A network's strangers may have one place in so many.
const SHARE: usize = 4;
/// However few places there are.
const SHARE_LEAST: usize = 16;
const LOOK_AGAIN: Duration = Duration::from_millis(100);
