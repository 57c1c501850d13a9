//! Retention: recordings whose time is over are deleted.
//!
//! What is deleted does not come back, so a clock that is wrong must not decide it: one that is far ahead of the trail when
//! the gateway starts, or that jumps while it runs, deletes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{every, is_over};
use crate::api::Door;
use trail::Actor;
use trail::chain::Chain;

/// Deletes what is overdue every ten minutes, for the first time soon after the start.
pub(super) async fn keep(door: Arc<Door>, stop: CancellationToken) {
    let ahead_ms = match door.gate.ahead_of_the_trail_ms().await {
        Ok(ahead_ms) => ahead_ms,
        Err(fault) => {
            tracing::error!(code = %fault.code(), "the trail cannot be read: recordings whose time is over are kept until the next start");
            return;
        }
    };
    if ahead_ms > FAR_AHEAD_MS {
        tracing::error!(
            ahead_ms,
            "the clock is far ahead of everything that was logged: recordings whose time is over are kept; if the clock is right, run `consent-gateway sweep`, or start again after an hour"
        );
        return;
    }
    let actor = Actor::gateway();
    let (began, began_at) = (Instant::now(), door.gate.clock_ms());
    let mut tick = every(EVERY);
    tick.reset_after(FIRST_AFTER);
    while !is_over(&mut tick, &stop).await {
        let passed = i128::from(door.gate.clock_ms().saturating_sub(began_at));
        let really = i128::try_from(began.elapsed().as_millis()).unwrap_or(i128::MAX);
        if passed.abs_diff(really) > JUMP_MS {
            tracing::error!(
                "the clock has jumped since the start: recordings whose time is over are kept until the next start"
            );
            return;
        }
        let deleted = tokio::select! {
            () = stop.cancelled() => return,
            deleted = door.gate.delete_overdue(&actor, false) => deleted,
        };
        let erased = tokio::select! {
            () = stop.cancelled() => return,
            erased = door.gate.erase_everybody_who_waits() => erased,
        };
        if let Err(fault) = erased {
            tracing::error!(code = %fault.code(), "cannot read which erasures wait; it is tried again in ten minutes");
        }
        match deleted {
            Ok(found) if found.deleted > 0 || found.failed > 0 => {
                let (deleted, held, failed) = (found.deleted, found.held, found.failed);
                tracing::info!(deleted, held, failed, "deleted recordings whose time was over");
                // What could not be removed from the store.
                if failed > 0
                    && let Err(fault) = door.gate.finish_cut_short().await
                {
                    let cause = fault.failure().map(|failure| Chain(failure).to_string());
                    tracing::error!(code = %fault.code(), cause, "deleted recordings could not be removed from the store; it is tried again at the next start");
                }
            }
            Ok(_) => {}
            Err(fault) => {
                let cause = fault.failure().map(|failure| Chain(failure).to_string());
                tracing::error!(code = %fault.code(), cause, "could not look for recordings whose time is over; it is tried again in ten minutes");
            }
        }
    }
}

/// Erases those who waited for a legal hold, at once when one is lifted here. What fails is tried again by [`keep`].
pub(super) async fn erase_when_lifted(door: Arc<Door>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = door.gate.hold_lifted() => {}
        }
        let erased = tokio::select! {
            () = stop.cancelled() => return,
            erased = door.gate.erase_everybody_who_waits() => erased,
        };
        if let Err(fault) = erased {
            tracing::error!(code = %fault.code(), "cannot read which erasures wait; it is tried again within ten minutes");
        }
    }
}

const EVERY: Duration = Duration::from_secs(600);
const FIRST_AFTER: Duration = Duration::from_secs(5);
/// How long a gateway may have stood still before its clock is doubted.
const FAR_AHEAD_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// By how much the clock may differ from the time that passed.
const JUMP_MS: u128 = 3_600_000;
