//! What waits in memory to be written, of one upload and of all of them.
//!
//! An upload that fits is written in one piece. A thousand slow ones would hold a gigabyte for it: once all of them
//! together hold more than they may, each writes what it has in smaller pieces.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::frame::{HEAD, Head, PAGE};

/// How much of all uploads may wait, and does; and memory to be used again.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    waits: AtomicUsize,
    spare: Mutex<Vec<Spare>>,
}

/// Memory to be used again, and how much of it was ever used.
#[derive(Debug)]
struct Spare {
    bytes: Vec<u8>,
    used: usize,
}

impl Budget {
    pub(super) fn new(most: usize) -> Arc<Budget> {
        Arc::new(Budget { most, waits: AtomicUsize::new(0), spare: Mutex::default() })
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<Spare>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sealed bytes, with room for the head of a frame before them: they are written from where they lie, page-aligned,
/// so that they bypass the page cache.
pub(super) struct Block {
    bytes: Vec<u8>,
    /// Where the head begins.
    begin: usize,
    /// How much of it was used before: that much is resident.
    used: usize,
    budget: Arc<Budget>,
}

impl Block {
    pub(super) fn new(budget: Arc<Budget>) -> Block {
        let spare = budget.spare().pop();
        // None of it is in memory before it is used.
        let fresh = || Spare { bytes: Vec::with_capacity(WHOLE + (128 << 10)), used: 0 };
        let Spare { mut bytes, used } = spare.unwrap_or_else(fresh);
        let begin = bytes.as_ptr().align_offset(PAGE_BYTES).min(PAGE_BYTES);
        bytes.resize(begin + HEAD, 0);
        Block { bytes, begin, used, budget }
    }

    /// For what is written in parts: as small as it can be.
    fn of_parts(budget: Arc<Budget>) -> Block {
        Block { bytes: vec![0; HEAD], begin: 0, used: 0, budget }
    }

    /// How much of it is in memory.
    fn held(&self) -> usize {
        self.payload().len().max(self.used)
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(self.begin + HEAD..).unwrap_or_default()
    }

    /// The frame with this head, filled up to whole pages.
    pub(super) fn framed(&mut self, head: &Head) -> &[u8] {
        if let Some(room) = self.bytes.get_mut(self.begin..self.begin + HEAD) {
            room.copy_from_slice(&head.to_bytes());
        }
        let length = (self.bytes.len() - self.begin).next_multiple_of(PAGE_BYTES);
        self.bytes.resize(self.begin + length, 0);
        self.bytes.get(self.begin..).unwrap_or_default()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let used = bytes.len().max(self.used);
        bytes.clear();
        let mut spare = self.budget.spare();
        if spare.len() < SPARE && bytes.capacity() >= WHOLE {
            spare.push(Spare { bytes, used });
        }
    }
}

/// The sealed bytes of one upload that wait.
pub(super) struct Waiting {
    block: Block,
    budget: Arc<Budget>,
    /// How many of them are counted in the budget.
    counted: usize,
}

impl Waiting {
    pub(super) fn new(budget: Arc<Budget>) -> Waiting {
        Waiting { block: Block::new(Arc::clone(&budget)), budget, counted: 0 }
    }

    /// To append to; then ask [`Waiting::is_due`].
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.block.bytes
    }

    /// Whether there is enough of it to be written, as things are.
    pub(super) fn is_due(&mut self) -> bool {
        self.count(self.block.held());
        let short = self.budget.waits.load(Ordering::Relaxed) > self.budget.most;
        self.block.payload().len() >= if short { PIECE } else { WHOLE }
    }

    /// A copy of what waits, to be written as a part; then more can be appended. It counts until
    /// [`Waiting::written`]: a slow disk holds it as long.
    pub(super) fn part(&mut self) -> Vec<u8> {
        let part = self.block.payload().to_vec();
        self.block = Block::of_parts(Arc::clone(&self.budget));
        part
    }

    /// All that waits. It counts until [`Waiting::written`].
    pub(super) fn whole(&mut self) -> Block {
        std::mem::replace(&mut self.block, Block::of_parts(Arc::clone(&self.budget)))
    }

    /// What was taken is written, or given up.
    pub(super) fn written(&mut self) {
        self.count(self.block.held());
    }

    fn count(&mut self, now: usize) {
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
        self.count(0);
    }
}

/// Up to this many bytes wait, and go into a pack in one piece.
const WHOLE: usize = 1 << 20;
/// Where memory is short, whatever is this long is written at once.
const PIECE: usize = 64 << 10;
/// How many blocks are kept to be used again.
const SPARE: usize = 16;
#[expect(clippy::cast_possible_truncation, reason = "a page has 4,096 bytes")]
const PAGE_BYTES: usize = PAGE as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_all_hold_too_much_each_writes_smaller_pieces_and_what_is_written_no_longer_counts() {
        let budget = Budget::new(3 * PIECE);
        let mut uploads: Vec<Waiting> = (0..4).map(|_| Waiting::new(Arc::clone(&budget))).collect();
        let fill = |upload: &mut Waiting, bytes: usize| {
            upload.buffer().extend(std::iter::repeat_n(0, bytes));
            upload.is_due()
        };
        let due: Vec<bool> = uploads.iter_mut().map(|upload| fill(upload, PIECE)).collect();
        assert_eq!(due, [false, false, false, true]);
        assert!(uploads[0].is_due(), "those that came before write as well");
        assert!(!fill(&mut Waiting::new(Arc::clone(&budget)), PIECE - 1), "a piece is not worth a write");
        for upload in &mut uploads[..2] {
            assert_eq!(upload.part().len(), PIECE);
        }
        assert!(uploads[3].is_due(), "what a slow disk holds is in memory");
        uploads[..2].iter_mut().for_each(Waiting::written);
        assert!(!uploads[3].is_due());
        // What writes in parts holds no block any more, and one that was used before counts as a whole.
        assert!(uploads[0].block.bytes.capacity() < PIECE);
        assert!(uploads[0].block.held() == 0 && budget.spare()[0].used >= PIECE);
        let mut again = Waiting::new(Arc::clone(&budget));
        assert!(!fill(&mut again, 1) && again.counted >= PIECE);
        drop(again);
        // One that is dropped no longer counts; alone, an upload waits until it is whole.
        uploads.truncate(0);
        let mut alone = Waiting::new(Arc::clone(&budget));
        assert!(!fill(&mut alone, PIECE));
        assert!(fill(&mut alone, WHOLE - PIECE));
        drop(alone);
        assert_eq!(budget.waits.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_block_is_a_frame_on_whole_pages_whatever_lay_in_its_memory_before() {
        let budget = Budget::new(0);
        for length in [1, 3_968, 3_969, 100_000, WHOLE, WHOLE + (200 << 10), 5] {
            let mut waiting = Waiting::new(Arc::clone(&budget));
            waiting.buffer().extend(std::iter::repeat_n(0xee, length));
            let mut block = waiting.whole();
            assert_eq!((block.payload().len(), waiting.block.payload().len()), (length, 0));
            let head = Head {
                kind: super::super::Kind::Media,
                recording: uuid::Uuid::nil(),
                bytes: length as u64,
                media: length as u64,
                room: 0,
                at: 0,
                sha256: [0; 32],
            };
            let frame = block.framed(&head);
            assert_eq!(frame.len() as u64, head.pages());
            assert_eq!(Head::read(frame), Some(head));
            assert!(frame[HEAD..HEAD + length].iter().all(|byte| *byte == 0xee));
            assert!(frame[HEAD + length..].iter().all(|byte| *byte == 0));
            if length <= WHOLE {
                assert_eq!(frame.as_ptr().addr() % PAGE_BYTES, 0, "it passes the page cache by");
            }
        }
        assert_eq!(budget.spare().len(), 1, "one after the other, in the same memory");
    }
}
