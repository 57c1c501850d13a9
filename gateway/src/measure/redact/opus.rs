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
    /// The first granule position behind audio, and the samples that had been decoded up to there.
    position: Option<(i64, u64)>,
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
    pub(super) fn new(stretches: Stretches) -> Self {
        Self {
            stretches,
            pages: VecDeque::new(),
            bodies: 0,
            open: 0,
            decoded: 0,
            position: None,
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
        let later = self.later(granule, samples);
        for (bytes, samples) in packets {
            let (from, until) = (self.open, self.open.saturating_add(*bytes as u64));
            self.open = until;
            let Some(samples) = samples else { continue };
            let times = [Some(self.decoded), later.map(|later| self.decoded.saturating_add(later))];
            self.decoded = self.decoded.saturating_add(*samples);
            let of_itself = times.into_iter().flatten().any(|begin| self.is_planned(begin, *samples));
            if of_itself || self.follows {
                let Some(silent) = silent(*bytes, *samples, self.streams) else { return false };
                self.write(held, from, until, silent.as_deref());
                *touched = true;
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

    /// Up to where nothing will change any more.
    pub(super) fn ready(&self) -> u64 {
        self.pages.front().map_or(u64::MAX, |open| open.page.at)
    }

    /// Wipes what came of a packet and a page that the file cuts, and what stands behind the last page.
    pub(super) fn finish(&mut self, held: &mut Held, touched: &mut bool) {
        if self.is_planned(self.decoded, LONGEST) || self.follows {
            let (from, until) = (self.open, self.bodies);
            *touched |= from < until || self.end < held.end();
            self.write(held, from, until, None);
            for open in std::mem::take(&mut self.pages) {
                open.seal(held);
            }
            held.bytes_mut(self.end, u64::MAX).fill(0);
        }
    }

    /// How much later the packets of this page are by its position than by the packets so far.
    fn later(&mut self, granule: i64, samples: u64) -> Option<u64> {
        let decoded = self.decoded.saturating_add(samples);
        if granule < 0 || decoded == 0 {
            return None;
        }
        let (first, by_then) = *self.position.get_or_insert((granule, decoded));
        let passed = u64::try_from(granule.checked_sub(first)?).ok()?;
        by_then.saturating_add(passed).checked_sub(decoded)
    }

    fn is_planned(&self, begin: u64, samples: u64) -> bool {
        let until = begin.saturating_add(samples).saturating_add(SPREAD);
        self.stretches.touch(begin.saturating_sub(PRE_SKIP), until)
    }

    /// Writes over the bytes `from..until` of the bodies: with these, or zeros.
    fn write(&mut self, held: &mut Held, from: u64, until: u64, bytes: Option<&[u8]>) {
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
            let bytes = bytes.and_then(|bytes| bytes.get(skipped..)).unwrap_or_default().iter().copied();
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

/// The same with the longest packet, in milliseconds.
pub(super) const SPREAD_MS: u64 = 130;

/// RFC 6716 section 3.4: the most that a packet holds, in samples.
const LONGEST: u64 = 5760;

/// How much later than at its time a sound may stand in the stream, in samples.
const PRE_SKIP: u64 = super::super::ogg::PRE_SKIP_LIMIT;
