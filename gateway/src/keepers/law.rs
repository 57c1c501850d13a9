//! The law: which version of the table is in force, and what a watched file brings.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{every, is_over};
use crate::api::Door;
use trail::Origin;

/// Looks for another version of the table, twice a second, and at the file where one is watched.
pub(super) async fn keep(
    door: Arc<Door>,
    file: Option<PathBuf>,
    mut seen: Option<String>,
    stop: CancellationToken,
) {
    let mut tick = every(LAW_EVERY);
    let (mut stamp, mut settled) = (None, false);
    loop {
        if is_over(&mut tick, &stop).await {
            return;
        }
        if let Err(fault) = door.gate.refresh_law().await {
            tracing::error!(code = %fault.code(), "cannot check which version of the table is in force");
        }
        if let Err(fault) = door.gate.close_lapsed().await {
            tracing::error!(code = %fault.code(), "could not close expired proposals");
        }
        let Some(path) = &file else { continue };
        // The inode and the time of its last change tell a file that was moved here from the one before,
        // whatever size and date it was given.
        let now = tokio::fs::metadata(path)
            .await
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|found| (found.ino(), found.ctime(), found.ctime_nsec(), found.len()));
        // What is still being written may look like a table with fewer rows: it is read once it has stood
        // still from one look to the next.
        if now != stamp {
            (stamp, settled) = (now, false);
            continue;
        }
        if settled {
            continue;
        }
        settled = true;
        // What is no file is not opened: a pipe would never answer.
        let text = match now {
            Some(_) => tokio::fs::read_to_string(path).await.ok(),
            None => None,
        };
        if text == seen {
            continue;
        }
        match door.gate.offer(Origin::File, text.as_deref()).await {
            Ok(()) => seen = text,
            Err(fault) => {
                // It is tried again with the next tick.
                settled = false;
                tracing::error!(code = %fault.code(), "could not offer the watched table");
            }
        }
    }
}

/// How often it is looked which version of the table is in force.
const LAW_EVERY: Duration = Duration::from_millis(500);
