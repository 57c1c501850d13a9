//! The law: notices new versions of the table, and changes of a watched file.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{every, is_over};
use crate::api::Door;
use trail::Origin;

/// Checks twice a second for a new version of the table, and for a change of the watched file, if there is
/// one.
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
        // The inode and the time of the last change distinguish a file that was moved here from the previous
        // one, whatever its size and date.
        let now = tokio::fs::metadata(path)
            .await
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|found| (found.ino(), found.ctime(), found.ctime_nsec(), found.len()));
        // A file that is still being written may look like a table with fewer rows: it is read once it has
        // not changed for a round.
        if now != stamp {
            (stamp, settled) = (now, false);
            continue;
        }
        if settled {
            continue;
        }
        settled = true;
        // Only plain files are opened: a pipe would block for ever.
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
                // The next tick tries again.
                settled = false;
                tracing::error!(code = %fault.code(), "could not offer the watched table");
            }
        }
    }
}

/// How often the version in force is checked.
const LAW_EVERY: Duration = Duration::from_millis(500);
