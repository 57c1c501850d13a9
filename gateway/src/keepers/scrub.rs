//! The scrub: reads every log from its first entry, at a bounded rate. What a start would have refused ends the gateway.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::every;
use crate::api::Door;
use crate::notary::{Notary, NotaryError};
use trail::chain::Chain;

/// Reads the logs until the gateway stops, and stops it if one was changed. Returns what was found.
pub(super) async fn keep(door: Arc<Door>, stop: CancellationToken) -> Option<NotaryError> {
    let notary = door.gate.notary()?;
    let damage = tokio::select! {
        () = stop.cancelled() => return None,
        damage = notary.damaged() => damage,
        () = read(notary) => return None,
    };
    tracing::error!(error = %Chain(&damage), "a log was changed, so the gateway stops");
    door.gate.note_stopping();
    stop.cancel();
    Some(damage)
}

/// Reads what was not read at the start, and everything again once a day.
async fn read(notary: &Notary) {
    let mut tick = every(EVERY);
    if notary.is_read() {
        tick.tick().await;
    }
    loop {
        tick.tick().await;
        while let Err(error) = notary.scrub(PAUSE).await {
            tracing::error!(error = %Chain(&error), "could not read the logs; it is tried again in a minute");
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}

/// How often everything is read.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// The pause after every 2,048 entries: some 30,000 entries a second are read, with a third of a core.
const PAUSE: Duration = Duration::from_millis(50);
const AGAIN_AFTER: Duration = Duration::from_secs(60);
