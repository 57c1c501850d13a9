//! Retention: recordings whose time is over are deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{every, is_over};
use crate::api::Door;
use trail::Actor;
use trail::chain::Chain;

/// Deletes what is overdue at the start, and every ten minutes.
pub(super) async fn keep(door: Arc<Door>, stop: CancellationToken) {
    let mut tick = every(EVERY);
    while !is_over(&mut tick, &stop).await {
        let actor = Actor::gateway();
        let deleted = tokio::select! {
            () = stop.cancelled() => return,
            deleted = door.gate.delete_overdue(&actor, false) => deleted,
        };
        match deleted {
            Ok(found) if found.deleted > 0 || found.failed > 0 => {
                let (deleted, held, failed) = (found.deleted, found.held, found.failed);
                tracing::info!(deleted, held, failed, "deleted recordings whose time was over");
            }
            Ok(_) => {}
            Err(fault) => {
                let cause = fault.failure().map(|failure| Chain(failure).to_string());
                tracing::error!(code = %fault.code(), cause, "could not look for recordings whose time is over; it is tried again in ten minutes");
            }
        }
    }
}

const EVERY: Duration = Duration::from_secs(600);
