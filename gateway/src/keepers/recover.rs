//! Recovery: completes what a crash has cut short.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{every, is_over};
use crate::api::Door;
use trail::chain::Chain;

/// Completes recordings and deletions that were cut short before this gateway started.
pub(super) async fn keep(door: Arc<Door>, stop: CancellationToken) {
    let mut tick = every(AGAIN_AFTER);
    while !is_over(&mut tick, &stop).await {
        let finished = tokio::select! {
            () = stop.cancelled() => return,
            finished = door.gate.finish_cut_short() => finished,
        };
        let Err(fault) = finished else { return };
        let cause = fault.failure().map(|failure| Chain(failure).to_string());
        tracing::error!(code = %fault.code(), cause, "could not complete what was cut short; it is tried again in a minute");
    }
}

const AGAIN_AFTER: Duration = Duration::from_secs(60);
