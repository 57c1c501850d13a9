//! The watch: each gateway renews its mark in the ledger, and looks for other gateways that are lost.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{every, is_over};
use crate::api::Door;
use crate::gate::Watch;

/// Renews this gateway's mark in the ledger, and looks for marks of lost gateways.
pub(super) async fn keep(door: &Door, id: Uuid, stop: &CancellationToken) {
    let mut tick = every(RENEW_EVERY);
    let mut watch = Watch::default();
    while !is_over(&mut tick, stop).await {
        let gate = &door.gate;
        let looked = async {
            gate.renew_mark(id).await?;
            gate.find_lost(|other, well_at| other != id && watch.is_lost(other, well_at, Instant::now()))
                .await
        };
        if let Err(fault) = looked.await {
            tracing::error!(code = %fault.code(), "could not renew this gateway's mark in the ledger");
        }
    }
}

/// How often a gateway renews its mark.
const RENEW_EVERY: Duration = Duration::from_secs(2);
