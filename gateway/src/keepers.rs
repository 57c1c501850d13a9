//! Keepers: what a gateway does by itself while it serves. Each retries in its next round what has failed.

pub mod anchors;
mod law;
mod notices;
mod quarantine;
mod recover;
mod retention;
mod scrub;
mod trail;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::api::Door;
use crate::config::LogPeriod;
use crate::crossbar::Crossbar;
use crate::gate::Mark;
use crate::notary::NotaryError;
use crate::webhook::Sender;
use ::trail::chain::Chain;
use anchors::Anchors;

/// What the keepers of one gateway need.
pub struct Kept {
    /// The file of the watched table, if it is one, and its text when it was last read.
    pub table: (Option<PathBuf>, Option<String>),
    /// The period after which logs begin a new epoch.
    pub log_period: Option<LogPeriod>,
    /// The mark of this gateway.
    pub mark: Mark,
    /// The anchors of heads.
    pub anchors: Option<Anchors>,
    /// What tells accounts, and orders from platforms.
    pub senders: (Sender, Crossbar),
    /// Sealed media from before this moment that no recording names are removed.
    pub swept_before: Timestamp,
}

/// The keepers of one gateway, at work.
pub struct Keepers {
    law: JoinHandle<()>,
    trail: JoinHandle<Mark>,
    watch: JoinHandle<()>,
    anchors: Option<JoinHandle<()>>,
    notices: JoinHandle<()>,
    sweep: JoinHandle<()>,
    recover: JoinHandle<()>,
    retention: JoinHandle<()>,
    quarantine: JoinHandle<()>,
    scrub: JoinHandle<Option<NotaryError>>,
}

impl Keepers {
    /// Starts them; they run until `stop` is cancelled, which one of them does if a log was changed.
    pub fn start(door: &Arc<Door>, kept: Kept, stop: &CancellationToken) -> Keepers {
        let Kept { table: (file, seen), log_period, mark, anchors, senders, swept_before } = kept;
        let id = mark.id();
        let of = || (Arc::clone(door), stop.clone());
        let (watched, stop_watching) = of();
        let (swept, stop_sweeping) = of();
        let (kept_until, stop_keeping) = of();
        let (waited_for, stop_waiting) = of();
        Keepers {
            law: tokio::spawn(law::keep(of().0, file, seen, of().1)),
            trail: tokio::spawn(trail::keep(of().0, log_period, mark, of().1)),
            watch: tokio::spawn(async move {
                tokio::join!(
                    trail::log_again(&watched, &stop_watching),
                    watch::keep(&watched, id, &stop_watching)
                );
            }),
            anchors: anchors.map(|anchors| tokio::spawn(anchors.run(of().0, of().1))),
            notices: tokio::spawn(notices::keep(of().0, senders, of().1)),
            sweep: tokio::spawn(async move {
                tokio::select! {
                    () = stop_sweeping.cancelled() => {}
                    swept = swept.gate.sweep_unnamed(swept_before) => {
                        if let Err(fault) = swept {
                            let cause = fault.failure().map(|failure| Chain(failure).to_string());
                            tracing::error!(code = %fault.code(), cause, "could not sweep media that no recording names; the next start tries again");
                        }
                    }
                }
            }),
            recover: tokio::spawn(recover::keep(of().0, of().1)),
            retention: tokio::spawn(async move {
                tokio::join!(
                    retention::keep(kept_until, stop_keeping),
                    retention::erase_when_lifted(waited_for, stop_waiting)
                );
            }),
            quarantine: tokio::spawn(quarantine::keep(of().0, of().1)),
            scrub: tokio::spawn(scrub::keep(of().0, of().1)),
        }
    }

    /// Waits until all have stopped. Returns the mark, unless its keeper died, and what was found of a log that was
    /// changed.
    pub async fn stopped(self) -> (Option<Mark>, Option<NotaryError>) {
        if self.law.await.is_err() {
            tracing::error!("the law keeper task died");
        }
        let mark = self.trail.await;
        if self.watch.await.is_err() {
            tracing::error!("the gateway watch task died");
        }
        if let Some(anchors) = self.anchors
            && anchors.await.is_err()
        {
            tracing::error!("the anchoring task died");
        }
        if self.notices.await.is_err() {
            tracing::error!("the task that tells accounts died");
        }
        if self.sweep.await.is_err() {
            tracing::error!("the media sweep task died");
        }
        if self.recover.await.is_err() {
            tracing::error!("the recovery task died");
        }
        if self.retention.await.is_err() {
            tracing::error!("the retention task died");
        }
        if self.quarantine.await.is_err() {
            tracing::error!("the quarantine task died");
        }
        let damage = self.scrub.await.inspect_err(|_| tracing::error!("the log scrub task died"));
        let mark = mark.inspect_err(|_| tracing::error!("the trail keeper task died"));
        (mark.ok(), damage.ok().flatten())
    }
}

/// A ticker that does not make up for rounds that took too long.
fn every(period: Duration) -> Interval {
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// Waits for the next round; true if there is none, because the gateway stops.
async fn is_over(tick: &mut Interval, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => true,
        _ = tick.tick() => false,
    }
}
