//! Quarantine: what was there for as long as it may be is destroyed. Unlike retention, it asks no clock to be believed: what
//! is destroyed too early can be sent again, and what stays too long is a promise broken.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{every, is_over};
use crate::api::Door;
use trail::Actor;
use trail::chain::Chain;

/// Looks every minute.
pub(super) async fn keep(door: Arc<Door>, stop: CancellationToken) {
    let actor = Actor::gateway();
    let mut tick = every(EVERY);
    while !is_over(&mut tick, &stop).await {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = door.gate.end_quarantines(&actor) => ended,
        };
        match ended {
            Ok(0) => {}
            Ok(destroyed) => tracing::info!(destroyed, "destroyed uploads whose time in quarantine was over"),
            Err(fault) => {
                let cause = fault.failure().map(|failure| Chain(failure).to_string());
                tracing::error!(code = %fault.code(), cause, "not all uploads whose time in quarantine was over could be destroyed; it is tried again in a minute");
            }
        }
    }
}

const EVERY: Duration = Duration::from_secs(60);
