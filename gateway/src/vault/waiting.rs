//! What waits in memory to be written, of one upload and of all of them.
//!
//! An upload that fits is written in one piece. A thousand slow ones would hold a gigabyte for it: once all of them
//! together hold more than they may, each writes what it has in smaller pieces.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much of all uploads may wait, and does.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    waits: AtomicUsize,
}

impl Budget {
    pub(super) fn new(most: usize) -> Arc<Budget> {
        Arc::new(Budget { most, waits: AtomicUsize::new(0) })
    }
}

/// The sealed bytes of one upload that wait.
pub(super) struct Waiting {
    bytes: Vec<u8>,
    budget: Arc<Budget>,
    /// How many of them are counted in the budget.
    counted: usize,
}

impl Waiting {
    pub(super) fn new(budget: Arc<Budget>) -> Waiting {
        Waiting { bytes: Vec::new(), budget, counted: 0 }
    }

    /// To append to; then ask [`Waiting::is_due`].
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether there is enough of it to be written, as things are.
    pub(super) fn is_due(&mut self) -> bool {
        self.count();
        let short = self.budget.waits.load(Ordering::Relaxed) > self.budget.most;
        self.bytes.len() >= if short { PIECE } else { WHOLE }
    }

    /// What waits, to be written. It counts until [`Waiting::written`]: a slow disk holds it as long.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// What was taken is written, or given up.
    pub(super) fn written(&mut self) {
        self.count();
    }

    fn count(&mut self) {
        let now = self.bytes.capacity();
        let waits = &self.budget.waits;
        if now > self.counted {
            waits.fetch_add(now.saturating_sub(self.counted), Ordering::Relaxed);
        } else {
            waits.fetch_sub(self.counted.saturating_sub(now), Ordering::Relaxed);
        }
        self.counted = now;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.take());
        self.count();
    }
}

/// Up to this many bytes are written in one piece; S3 wants parts of at least 5 MiB later on.
const WHOLE: usize = 1 << 20;
/// Where memory is short, whatever is this long is written at once.
const PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_all_hold_too_much_each_writes_smaller_pieces_and_what_is_written_no_longer_counts() {
        let budget = Budget::new(3 * PIECE);
        let mut uploads: Vec<Waiting> = (0..4).map(|_| Waiting::new(Arc::clone(&budget))).collect();
        let fill = |upload: &mut Waiting, bytes: usize| {
            upload.buffer().reserve_exact(bytes);
            upload.buffer().resize(bytes, 0);
            upload.is_due()
        };
        let due: Vec<bool> = uploads.iter_mut().map(|upload| fill(upload, PIECE)).collect();
        assert_eq!(due, [false, false, false, true]);
        assert!(uploads[0].is_due(), "those that came before write as well");
        assert!(!fill(&mut Waiting::new(Arc::clone(&budget)), PIECE - 1), "a piece is not worth a write");
        for upload in &mut uploads[..2] {
            assert_eq!(upload.take().len(), PIECE);
        }
        assert!(uploads[3].is_due(), "what a slow disk holds is in memory");
        uploads[..2].iter_mut().for_each(Waiting::written);
        assert!(!uploads[3].is_due());
        // One that is dropped no longer counts; alone, an upload waits until it is whole.
        uploads.truncate(0);
        let mut alone = Waiting::new(Arc::clone(&budget));
        assert!(!fill(&mut alone, PIECE));
        assert!(fill(&mut alone, WHOLE));
        drop(alone);
        assert_eq!(budget.waits.load(Ordering::Relaxed), 0);
    }
}
