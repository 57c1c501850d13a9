//! The trail: signs heads, begins new epochs of logs, and logs what could not be logged before.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{every, is_over};
use crate::api::Door;
use crate::config::LogPeriod;
use crate::gate::Mark;
use trail::chain::Chain;

/// Signs logs once a second as they grow, begins a new epoch of each with every period, and appends
/// heartbeats to idle ones.
pub(super) async fn keep(
    door: Arc<Door>,
    period: Option<LogPeriod>,
    mark: Mark,
    stop: CancellationToken,
) -> Mark {
    let mut tick = every(SIGN_EVERY);
    let mut turned = None;
    loop {
        if is_over(&mut tick, &stop).await {
            return mark;
        }
        let gate = &door.gate;
        if let Err(fault) = gate.catch_up().await {
            tracing::error!(code = %fault.code(), "cannot yet log that events may be missing");
        }
        if let Err(error) = mark.well(gate.well(), gate.misses_nothing()) {
            tracing::error!(%error, "cannot set the mark of a running gateway");
        }
        let Some(notary) = gate.notary() else { continue };
        let began = period.map(|period| period.began(gate.clock().now()));
        if let Some(began) = began.filter(|began| turned != Some(*began)) {
            match gate.turn_logs(began).await {
                Ok(()) => turned = Some(began),
                // The next tick tries again.
                Err(fault) => tracing::error!(code = %fault.code(), "could not start a log's new epoch"),
            }
        }
        let signed = async {
            notary.rotate().await?;
            notary.sign_all().await
        };
        let signed = signed.await;
        gate.note_signed(signed.is_ok());
        if let Err(error) = signed {
            tracing::error!(error = %Chain(&error), "cannot sign the heads of the logs");
        }
        if let Err(fault) = gate.heartbeat().await {
            tracing::error!(code = %fault.code(), "could not append a log's hourly heartbeat");
        }
    }
}

/// Retries to log events that could not be logged when they came.
pub(super) async fn log_again(door: &Door, stop: &CancellationToken) {
    let mut tick = every(LOG_AGAIN_EVERY);
    while !is_over(&mut tick, stop).await {
        door.gate.log_what_is_missing().await;
    }
}

/// How often heads of logs are signed.
const SIGN_EVERY: Duration = Duration::from_secs(1);

/// How often logging such events is retried.
const LOG_AGAIN_EVERY: Duration = Duration::from_millis(200);
