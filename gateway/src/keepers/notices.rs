//! Notices: tells accounts with a webhook what has happened. Each account has a few deliveries at once of its own, so that
//! a receiver that does not answer holds up nobody else's.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::every;
use crate::api::Door;
use crate::crossbar::Crossbar;
use crate::gate::{Fault, Gate, ORDER, Order};
use crate::ledger::NotificationRow;
use crate::webhook::Sender;

/// Delivers until the gateway stops. What is under way then may end; what does not is tried by the next start.
pub(super) async fn keep(door: Arc<Door>, senders: (Sender, Crossbar), stop: CancellationToken) {
    // What another gateway has queued, and what is due again, is found by looking.
    let mut tick = every(LOOK_EVERY);
    let mut sending = JoinSet::new();
    let mut turns: HashMap<(String, bool, bool), Arc<Semaphore>> = HashMap::new();
    let mut forget_at = i64::MIN;
    // What was read and waits for its turn, and the ids of what is under way.
    let (mut waiting, mut under_way): (Vec<NotificationRow>, HashSet<String>) = Default::default();
    // Reading takes longer the more is waiting, so it is not done after every delivery.
    let (mut look, mut look_at) = (true, Instant::now());
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => look = true,
            () = door.gate.queued() => look = true,
            // What comes next on its call may go now.
            Some(ended) = sending.join_next() => {
                look = true;
                match ended {
                    Ok(id) => {
                        under_way.remove(&id);
                    }
                    // It is not known which one broke off. What is under way is taken, so that it is not found again.
                    Err(_) => under_way.clear(),
                }
            }
            () = tokio::time::sleep_until(look_at), if look => {}
        }
        let now = door.gate.clock_ms();
        if now >= forget_at {
            forget_at = now.saturating_add(FORGET_EVERY_MS);
            if let Err(fault) = door.gate.forget_given_up().await {
                tracing::error!(code = %fault.code(), "cannot forget what was given up long ago; it is tried again in an hour");
            }
        }
        let began = Instant::now();
        if look && look_at <= began {
            match door.gate.due(EACH, MOST).await {
                Ok(due) => waiting = due,
                Err(fault) => {
                    tracing::error!(code = %fault.code(), "cannot read what accounts are to be told");
                }
            }
            let pause = began.elapsed().saturating_mul(3).clamp(LOOKS_APART, LOOKS_APART_AT_MOST);
            (look, look_at) = (false, Instant::now() + pause);
        }
        waiting.retain(|row| {
            if under_way.contains(&row.id) {
                return false;
            }
            // Orders do not wait for a turn that other messages have.
            let turn = turns
                .entry((row.account.clone(), row.action.is_some(), row.kind == ORDER))
                .or_insert_with(|| Arc::new(Semaphore::new(OF_ONE)));
            // Half of the places are for accounts of which nothing is under way: however many receivers hang, others
            // are told.
            let places = if turn.available_permits() == OF_ONE { AT_ONCE } else { AT_ONCE / 2 };
            let room = sending.len() < places || row.action.is_some();
            let Some(turn) = room.then(|| Arc::clone(turn).try_acquire_owned().ok()).flatten() else {
                return true;
            };
            under_way.insert(row.id.clone());
            sending.spawn(one(Arc::clone(&door), senders.clone(), row.clone(), turn));
            false
        });
    }
    let ended = async { while sending.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST, ended).await.is_err() {
        sending.abort_all();
    }
}

/// Takes one, so that no other gateway tries it, and delivers it. Returns its id.
async fn one(
    door: Arc<Door>,
    (sender, crossbar): (Sender, Crossbar),
    row: NotificationRow,
    turn: OwnedSemaphorePermit,
) -> String {
    match door.gate.take(&row).await {
        Ok(true) => {
            let done = match row.kind == ORDER {
                true => order(&door.gate, &crossbar, &row).await,
                false => deliver(&door.gate, &sender, &row).await,
            };
            if let Err(fault) = done {
                tracing::error!(code = %fault.code(), notification = row.id, "could not note what became of a notification; it is sent again");
            }
        }
        // Another gateway was faster.
        Ok(false) => {}
        Err(fault) => {
            tracing::error!(code = %fault.code(), "cannot take what an account is to be told; it is tried again");
            // As long as nothing can be written, its place is kept, so that not everything is tried at once again.
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    drop(turn);
    row.id
}

async fn deliver(gate: &Gate, sender: &Sender, row: &NotificationRow) -> Result<(), Fault> {
    let outcome = match gate.message(row).await {
        Ok(Some((url, message))) => match sender.send(&url, message).await {
            Ok(()) => return gate.settled(row).await,
            Err(undelivered) => {
                let (account, id) = (&row.account, &row.id);
                let outcome = undelivered.outcome();
                tracing::warn!(account, notification = id, outcome, "an account could not be told");
                outcome
            }
        },
        Ok(None) => return gate.settled(row).await,
        Err(fault) => {
            tracing::error!(code = %fault.code(), notification = row.id, "a notification could not be made");
            NOT_MADE.into()
        }
    };
    if gate.failed(row, outcome).await? {
        tracing::error!(account = row.account, notification = row.id, "a notification was given up");
    }
    Ok(())
}

/// Orders something from a platform's own API, until a report shows that it was done.
async fn order(gate: &Gate, crossbar: &Crossbar, row: &NotificationRow) -> Result<(), Fault> {
    let (account, id) = (&row.account, &row.id);
    let sent = match gate.order(row).await {
        Ok(Order::Settled) => return gate.settled(row).await,
        Ok(Order::Send(legs)) => crossbar.order(account, &legs).await,
        Ok(Order::NotHere) => Err(NOT_HERE.into()),
        Err(fault) => {
            tracing::error!(code = %fault.code(), notification = id, "an order to a platform could not be made");
            Err(NOT_MADE.into())
        }
    };
    let outcome = match sent {
        Ok(status) => status.to_string(),
        Err(outcome) => {
            tracing::warn!(
                account,
                notification = id,
                outcome,
                "a platform could not be told to stop recording"
            );
            outcome
        }
    };
    if gate.order_sent(row, outcome).await? {
        tracing::error!(account, notification = id, "an order to a platform was given up");
    }
    Ok(())
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long lies between two looks at least.
const LOOKS_APART: Duration = Duration::from_millis(10);
/// An order does not wait longer than that to be found.
const LOOKS_APART_AT_MOST: Duration = Duration::from_millis(200);
/// How often what was given up long ago is forgotten, in milliseconds by the gate's clock.
const FORGET_EVERY_MS: i64 = 3_600_000;
/// How many deliveries an account has at once.
const OF_ONE: usize = 4;
/// How many of an account's are looked at, and of all accounts'.
const EACH: i64 = 32;
const MOST: i64 = 4096;
/// How many deliveries there are at once.
const AT_ONCE: usize = 64;
/// How long those that are under way may go on when the gateway stops.
const LAST: Duration = Duration::from_secs(2);
/// What is kept of an attempt for which there was nothing to send.
const NOT_MADE: &str = "not-made";
/// What is noted of an order that this gateway's configuration knows no platform for.
const NOT_HERE: &str = "not-configured";
