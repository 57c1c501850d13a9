//! Packets of Opus in pages of Ogg. A silenced packet is replaced by one of the same length that lasts as long and
//! decodes to zeros.
//!
//! A packet may hold a copy of the one before it, for decoders that have lost that (RFC 6716 section 2.1.7): so one
//! packet more is silenced behind each stretch. Padding, in which later versions of the codec repeat up to a second,
//! is refused by the measurement.

use std::collections::VecDeque;

use super::super::ogg::crc;
use super::{Held, Stretches};

/// The packets of a stream, as they come.
pub(super) struct Packets {
    stretches: Stretches,
    /// Pages whose last packet goes on, and those behind them.
    pages: VecDeque<Open>,
    /// Bytes of all pages' bodies so far.
    bodies: u64,
    /// Where in these the packet begins that has not ended.
    open: u64,
    /// Samples of the packets so far.
    decoded: u64,
    /// The first granule position behind audio, the samples that had been decoded up to there, and the last position.
    position: Option<(i64, u64, i64)>,
    /// By how much the positions are ahead of the samples.
    ahead: u64,
    /// How much later than at its time a sound may stand in the stream, in samples.
    pre_skip: u64,
    /// The packet before was silenced for itself.
    follows: bool,
    streams: u8,
    end: u64,
    strayed: bool,
}

/// A page as it lies in the upload.
#[derive(Clone, Copy)]
pub(super) struct Page {
    pub(super) at: u64,
    pub(super) header: usize,
    pub(super) body: usize,
    pub(super) streams: u8,
}

struct Open {
    page: Page,
    /// The bytes of the bodies of all pages before.
    before: u64,
    changed: bool,
}

impl Packets {
    pub(super) fn new(stretches: Stretches, pre_skip: u64) -> Self {
        Self {
            stretches,
            pages: VecDeque::new(),
            bodies: 0,
            open: 0,
            decoded: 0,
            position: None,
            ahead: 0,
            pre_skip: pre_skip.max(PRE_SKIP),
            follows: false,
            streams: 1,
            end: 0,
            strayed: false,
        }
    }

    /// Takes the next page. False if it does not follow the one before, or a packet on it cannot be silenced.
    pub(super) fn page(
        &mut self,
        held: &mut Held,
        page: Page,
        packets: &[(usize, Option<u64>)],
        granule: i64,
        touched: &mut bool,
    ) -> bool {
        self.streams = page.streams;
        self.end = page.at.saturating_add(length(page));
        self.pages.push_back(Open { page, before: self.bodies, changed: false });
        self.bodies = self.bodies.saturating_add(page.body as u64);
        if std::mem::take(&mut self.strayed) {
            return false;
        }
        // A stream may leave time out, and say so by its position only: then a packet has two times.
        let samples: u64 = packets.iter().filter_map(|(_, samples)| *samples).sum();
        if packets.iter().any(|(_, samples)| samples.is_some()) || self.position.is_some() {
            self.stand_at(granule, samples);
        }
        for (bytes, samples) in packets {
            let (from, until) = (self.open, self.open.saturating_add(*bytes as u64));
            self.open = until;
            let Some(samples) = samples else { continue };
            let times = [self.decoded, self.decoded.saturating_add(self.ahead)];
            self.decoded = self.decoded.saturating_add(*samples);
            let of_itself = times.into_iter().any(|begin| self.is_planned(begin, *samples));
            if of_itself || self.follows {
                let Some(silent) = silent(*bytes, *samples, self.streams) else { return false };
                // One of a single byte says only how long it lasts.
                if let Some(silent) = silent {
                    self.write(held, from, until, &silent);
                    *touched = true;
                }
            }
            self.follows = of_itself;
        }
        while self
            .pages
            .front()
            .is_some_and(|open| open.before.saturating_add(open.page.body as u64) <= self.open)
        {
            if let Some(done) = self.pages.pop_front() {
                done.seal(held);
            }
        }
        true
    }

    pub(super) fn stray(&mut self) {
        self.strayed = true;
    }

    /// Wipes what has come behind the last page, if it may be of a time that is to be silent, and says up to where nothing
    /// will change any more.
    pub(super) fn silence(&mut self, held: &mut Held, touched: &mut bool) -> u64 {
        if self.strayed {
            self.wipe_tail(held, self.decoded.saturating_add(TAIL), touched);
        }
        self.pages.front().map_or(u64::MAX, |open| open.page.at)
    }

    /// Wipes what came of a packet and a page that the file cuts, and what stands behind the last page.
    pub(super) fn finish(&mut self, held: &mut Held, duration_ms: u64, touched: &mut bool) {
        let until = duration_ms.saturating_mul(48);
        if self.follows || self.is_planned_until(until) {
            let (from, end) = (self.open, self.bodies);
            self.write(held, from, end, &[]);
            *touched |= from < end;
        }
        self.wipe_tail(held, until, touched);
        for open in std::mem::take(&mut self.pages) {
            open.seal(held);
        }
    }

    fn wipe_tail(&self, held: &mut Held, until: u64, touched: &mut bool) {
        if self.follows || self.is_planned_until(until) {
            let tail = held.bytes_mut(self.end, u64::MAX);
            *touched |= tail.iter().any(|byte| *byte != 0);
            tail.fill(0);
        }
    }

    /// Whether a stretch lies behind the packets so far, up to this sample.
    fn is_planned_until(&self, until: u64) -> bool {
        self.stretches.touch(self.decoded.saturating_sub(self.pre_skip), until)
    }

    /// Takes the position of a page whose packets last so many samples, as the measurement does.
    fn stand_at(&mut self, granule: i64, samples: u64) {
        if granule == NO_POSITION {
            return;
        }
        let decoded = self.decoded.saturating_add(samples);
        let (first, by_then, last) = *self.position.get_or_insert((granule, decoded, granule));
        let last = last.max(granule);
        self.position = Some((first, by_then, last));
        self.ahead = by_then.saturating_add(last.abs_diff(first)).saturating_sub(decoded);
    }

    fn is_planned(&self, begin: u64, samples: u64) -> bool {
        let until = begin.saturating_add(samples).saturating_add(SPREAD);
        self.stretches.touch(begin.saturating_sub(self.pre_skip), until)
    }

    /// Writes over the bytes `from..until` of the bodies: these, and zeros behind them.
    fn write(&mut self, held: &mut Held, from: u64, until: u64, bytes: &[u8]) {
        for open in &mut self.pages {
            let (begin, end) = (open.before, open.before.saturating_add(open.page.body as u64));
            let (first, last) = (from.max(begin), until.min(end));
            if first >= last {
                continue;
            }
            open.changed = true;
            let body = open.page.at.saturating_add(open.page.header as u64);
            let here = held.bytes_mut(body.saturating_add(first - begin), body.saturating_add(last - begin));
            let skipped = usize::try_from(first - from).unwrap_or(usize::MAX);
            let bytes = bytes.get(skipped..).unwrap_or_default().iter().copied();
            here.iter_mut().zip(bytes.chain(std::iter::repeat(0))).for_each(|(old, new)| *old = new);
        }
    }
}

impl Open {
    /// Gives the page its checksum, if it was changed.
    fn seal(self, held: &mut Held) {
        if !self.changed {
            return;
        }
        let at = self.page.at;
        held.bytes_mut(at + CHECKSUM, at + CHECKSUM + 4).fill(0);
        let sum = crc(0, held.bytes(at, at.saturating_add(length(self.page))));
        let place = held.bytes_mut(at + CHECKSUM, at + CHECKSUM + 4);
        place.iter_mut().zip(sum.to_le_bytes()).for_each(|(byte, sum)| *byte = sum);
    }
}

fn length(page: Page) -> u64 {
    (page.header as u64).saturating_add(page.body as u64)
}

/// A packet of so many bytes that lasts so many samples, of so many streams, and is silent. `Some(None)` where it is so
/// short that there is nothing in it; `None` where none can be made.
fn silent(bytes: usize, samples: u64, streams: u8) -> Option<Option<Vec<u8>>> {
    if bytes <= 1 {
        return (streams == 1).then_some(None);
    }
    let (config, each) = [(31, 960), (30, 480), (29, 240), (28, 120)]
        .into_iter()
        .find(|(_, each)| samples.is_multiple_of(*each))?;
    let count = u8::try_from(samples / each).ok().filter(|count| (1..=48).contains(count))?;
    // In the order of quality: zeros, or that the frame was lost, which a decoder fills from what was before.
    [&ZEROS[..], &[]]
        .into_iter()
        .find_map(|frame| packet(bytes, config << 3, count, frame, streams))
        .map(Some)
}

/// RFC 6716 section 3.2.5 and appendix B: code 3, frames of equal length, padded to the number of bytes.
fn packet(bytes: usize, toc: u8, count: u8, frame: &[u8], streams: u8) -> Option<Vec<u8>> {
    let mut packet = Vec::with_capacity(bytes);
    let frames = frame.repeat(usize::from(count));
    for _ in 1..streams {
        packet.extend_from_slice(&[toc | 3, count, u8::try_from(frame.len()).ok()?]);
        packet.extend_from_slice(&frames);
    }
    let spare = bytes.checked_sub(packet.len().checked_add(2)?.checked_add(frames.len())?)?;
    packet.extend_from_slice(&[toc | 3, if spare == 0 { count } else { count | 0x40 }]);
    // Of what is spare, each 255 is a byte that says 254.
    let lengths = spare.div_ceil(255);
    if let Some(more) = lengths.checked_sub(1) {
        packet.extend(std::iter::repeat_n(255, more));
        packet.push(u8::try_from(spare.checked_sub(lengths)?.checked_sub(254 * more)?).ok()?);
    }
    packet.extend_from_slice(&frames);
    packet.resize(bytes, 0);
    Some(packet)
}

/// A frame of CELT whose first bit says that it is silent (RFC 6716 section 4.3).
const ZEROS: [u8; 2] = [0xFF, 0xFE];

/// RFC 3533 section 6: where the checksum of a page stands.
const CHECKSUM: u64 = 22;

/// How long the sound of a packet may last in what a decoder makes of it, beyond the packet's own time, in samples: the
/// overlap of 2.5 ms, and 5 ms in which a decoder fades from one of its modes to another (RFC 6716 section 4.5).
const SPREAD: u64 = 480;

/// How long what stands behind the last page may play at most: 15 KiB of packets of one byte, 120 ms each.
const TAIL: u64 = 15 * 1024 * 5760;

/// RFC 3533 section 6: no packet ends on the page.
const NO_POSITION: i64 = -1;

/// How much later than at its time a sound may stand in any stream, in samples, whatever its header says.
const PRE_SKIP: u64 = super::super::ogg::PRE_SKIP_LIMIT;
