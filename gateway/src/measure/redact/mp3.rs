//! Frames of MP3 (ISO/IEC 11172-3 section 2.4.1): a silent one has a side information of zeros, which says that no
//! main data follow.
//!
//! The main data of a frame begin up to 511 bytes before its header, in the room that earlier frames left (the bit
//! reservoir). So what a silenced frame has there is wiped as well, and a later frame whose data begin in what was
//! wiped is silent, too.

use std::collections::VecDeque;

use super::super::{Rate, mp3::Frame};
use super::{Held, Stretches};

/// The frames of a stream, as they come.
pub(super) struct Frames {
    stretches: Stretches,
    /// Bytes of the side information.
    side: u64,
    /// How far in front of a frame its main data may begin.
    reservoir: u64,
    /// Samples of a channel in a frame.
    samples: u64,
    rate: Rate,
    /// Those that have come, and whose end has not.
    begun: VecDeque<(u64, Frame)>,
    /// Those that have ended, and in whose room the data of the next may begin.
    ended: VecDeque<Room>,
    count: u64,
    /// Bytes of the room of all frames so far.
    room: u64,
    /// How far that room was wiped.
    wiped: u64,
    /// The newest frame was silenced for itself.
    is_silent: bool,
    /// Something stands behind the last frame.
    strayed: bool,
    /// Where the newest frame ends.
    end: u64,
    /// How much later than at its time a sound may stand in the file, in samples.
    behind: u64,
    /// How far in front of the next frame a decoder still has data.
    available: u64,
}

/// Where the main data of some frame may lie, behind the header and the side information.
struct Room {
    /// Where the frame begins.
    frame: u64,
    at: u64,
    length: u64,
    /// The bytes of the room of all frames before.
    before: u64,
}

impl Frames {
    pub(super) fn new(stretches: Stretches, first: Frame) -> Self {
        let (side, reservoir) = match (first.is_mpeg_1(), first.channels()) {
            (true, 1) => (17, 511),
            (true, _) => (32, 511),
            (false, 1) => (9, 255),
            (false, _) => (17, 255),
        };
        Self {
            stretches,
            side,
            reservoir,
            samples: u64::from(first.samples()),
            rate: first.rate,
            begun: VecDeque::new(),
            ended: VecDeque::new(),
            count: 0,
            room: 0,
            wiped: 0,
            is_silent: false,
            strayed: false,
            end: 0,
            behind: BEHIND_FRAMES * u64::from(first.samples()),
            available: 0,
        }
    }

    /// Takes the next frame. False if it does not follow the one before, or has no room for its side information.
    pub(super) fn begin(&mut self, at: u64, frame: Frame) -> bool {
        self.begun.push_back((at, frame));
        !self.strayed && u64::from(frame.length) >= self.head(frame)
    }

    pub(super) fn stray(&mut self) {
        self.strayed = true;
    }

    /// Silences the frames that have come whole, and says up to where nothing will change any more.
    pub(super) fn silence(&mut self, held: &mut Held, touched: &mut bool) -> u64 {
        while let Some((at, frame)) = self.begun.front().copied() {
            if held.end() < at.saturating_add(u64::from(frame.length)) {
                break;
            }
            self.begun.pop_front();
            *touched |= self.frame(held, at, frame);
        }
        self.wipe_tail(held, touched);
        if self.strayed && self.begun.is_empty() {
            // No frame may follow any more, so nobody's data begin in theirs.
            self.ended.clear();
        }
        let needed_from = self.room.saturating_sub(self.reservoir);
        while self.ended.front().is_some_and(|room| room.before.saturating_add(room.length) <= needed_from) {
            self.ended.pop_front();
        }
        let waits = self.ended.front().map(|room| room.frame).or(self.begun.front().map(|(at, _)| *at));
        waits.unwrap_or(u64::MAX)
    }

    /// Silences what came of a frame that the file cuts, and what stands behind the last one.
    pub(super) fn finish(&mut self, held: &mut Held, duration_ms: u64, touched: &mut bool) {
        for (at, frame) in std::mem::take(&mut self.begun) {
            *touched |= self.frame(held, at, frame);
        }
        let until = duration_ms.saturating_mul(u64::from(self.rate.hz())).div_ceil(1000);
        self.strayed |= self.stretches.touch(self.earliest(self.count.saturating_mul(self.samples)), until);
        self.wipe_tail(held, touched);
    }

    /// Wipes what has come behind the last frame, if it may be of a time that is to be silent: it may be anything, also
    /// half a frame, or one that only some players find.
    fn wipe_tail(&self, held: &mut Held, touched: &mut bool) {
        let end = self.count.saturating_mul(self.samples);
        let longest = end.saturating_add(TAIL_SECONDS.saturating_mul(u64::from(self.rate.hz())));
        let planned = self.is_silent || self.stretches.touch(self.earliest(end), longest);
        if self.strayed && self.begun.is_empty() && planned {
            let tail = held.bytes_mut(self.end, u64::MAX);
            *touched |= tail.iter().any(|byte| *byte != 0);
            tail.fill(0);
        }
    }

    /// The earliest moment whose sound may stand at this sample.
    fn earliest(&self, sample: u64) -> u64 {
        sample.saturating_sub(self.behind)
    }

    /// Takes a frame, silences it if need be, and tells whether it did.
    fn frame(&mut self, held: &mut Held, at: u64, frame: Frame) -> bool {
        let (head, length) = (self.head(frame), u64::from(frame.length));
        let begin = self.count.saturating_mul(self.samples);
        let end = begin.saturating_add(self.samples);
        let room = Room {
            frame: at,
            at: at.saturating_add(head),
            length: length.saturating_sub(head),
            before: self.room,
        };
        self.count += 1;
        self.room = self.room.saturating_add(room.length);
        let mut begins = main_data_begin(held, frame, at);
        let data_from = room.before.saturating_sub(begins);
        let earliest = self.earliest(begin);
        self.end = at.saturating_add(length);
        let is_tag = self.count == 1 && is_tag(held, frame, at, at.saturating_add(head));
        if is_tag && let Some(delay) = delay(held, room.at) {
            self.behind = self.behind.max(self.samples.saturating_add(delay).saturating_add(DECODER_DELAY));
        }
        let silent = self.stretches.touch(earliest, end.saturating_add(SPREAD));
        if silent {
            for earlier in &self.ended {
                let from = data_from.max(earlier.before).saturating_sub(earlier.before);
                if from < earlier.length {
                    held.bytes_mut(
                        earlier.at.saturating_add(from),
                        earlier.at.saturating_add(earlier.length),
                    )
                    .fill(0);
                }
            }
            let kept = if is_tag { TAG } else { 0 };
            held.bytes_mut(room.at.saturating_add(kept), room.at.saturating_add(room.length)).fill(0);
            self.wiped = self.room;
            begins = 0;
            mute(held, frame, at, head, begins);
        } else if data_from < self.wiped {
            // It is about something else, but some of its data are gone.
            begins = begins.min(self.available);
            mute(held, frame, at, head, begins);
        }
        self.available = begins.saturating_add(room.length);
        self.is_silent = silent;
        let changed = silent || data_from < self.wiped;
        self.ended.push_back(room);
        changed
    }

    /// Bytes in front of a frame's room.
    fn head(&self, frame: Frame) -> u64 {
        HEADER + checksum(frame) + self.side
    }
}

/// Makes the side information say that there are no main data, and that they begin so far in front: decoders keep the data
/// of later frames by it.
fn mute(held: &mut Held, frame: Frame, at: u64, head: u64, begins: u64) {
    let side = at + HEADER + checksum(frame);
    let bits = if frame.is_mpeg_1() { begins << 7 } else { begins << 8 };
    let [.., high, low] = bits.to_be_bytes();
    let bytes = [high, low].into_iter().chain(std::iter::repeat(0));
    let place = held.bytes_mut(side, at.saturating_add(head));
    place.iter_mut().zip(bytes).for_each(|(byte, new)| *byte = new);
    if checksum(frame) > 0 {
        // The last two bytes of the header and the side information (section 2.4.3.1).
        let sum =
            crc(crc(0xFFFF, held.bytes(at + 2, at + HEADER)), held.bytes(side, at.saturating_add(head)));
        let place = held.bytes_mut(at + HEADER, at + HEADER + 2);
        place.iter_mut().zip(sum.to_be_bytes()).for_each(|(byte, sum)| *byte = sum);
    }
}

/// How far in front of the frame's room its main data begin: 9 bits of MPEG 1, 8 bits of MPEG 2.
fn main_data_begin(held: &Held, frame: Frame, at: u64) -> u64 {
    let side = at + HEADER + checksum(frame);
    match (held.bytes(side, side + 2), frame.is_mpeg_1()) {
        ([high, low], true) => u64::from(*high) << 1 | u64::from(low >> 7),
        ([begin, ..], false) => u64::from(*begin),
        // It was cut before: there is nothing that it could say.
        _ => 0,
    }
}

/// Whether the frame holds statistics of an encoder instead of audio.
fn is_tag(held: &Held, frame: Frame, at: u64, room: u64) -> bool {
    let side = held.bytes(at + HEADER + checksum(frame), room);
    let named = matches!(held.bytes(room, room + 4), b"Xing" | b"Info");
    named && side.iter().all(|byte| *byte == 0)
}

/// How much a frame of statistics says that the encoder has delayed the sound, in samples: 12 bits behind the name and
/// eight other fields of LAME's part, which follows what the flags announce.
fn delay(held: &Held, room: u64) -> Option<u64> {
    let [.., flags] = held.bytes(room + 4, room + 8).first_chunk::<4>()?;
    let announced = [(1, 4), (2, 4), (4, 100), (8, 4)]
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, bytes)| bytes);
    let at = room + 8 + announced.sum::<u64>() + 21;
    let [high, low] = held.bytes(at, at + 2).first_chunk::<2>()?;
    Some(u64::from(*high) << 4 | u64::from(low >> 4))
}

fn checksum(frame: Frame) -> u64 {
    if frame.is_protected() { 2 } else { 0 }
}

/// Section 2.4.3.1: polynomial 0x8005, highest bit first.
fn crc(start: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(start, |sum, byte| {
        (0..8).fold(
            sum ^ u16::from(*byte) << 8,
            |sum, _| if sum >> 15 == 1 { sum << 1 ^ 0x8005 } else { sum << 1 },
        )
    })
}

const HEADER: u64 = 4;

/// How long the sound of a frame lasts in what a decoder makes of it, beyond the frame's own time: the other half of
/// the last block, 576 samples (section 2.4.3.4.10.3), and 480 in the synthesis filter (section 2.4.3.2.2).
const SPREAD: u64 = 576 + 480;

/// How much later than at its time a sound stands in the file, in frames, where no tag says more: one of statistics, and
/// what encoders delay (1105 samples with LAME: two frames of the smaller size). The measurement reckons with as much.
const BEHIND_FRAMES: u64 = 4;

/// What a decoder delays, in samples.
const DECODER_DELAY: u64 = 529;

/// How long what stands behind the frames may play at most: each four bytes of it, within the allowance, as a frame.
const TAIL_SECONDS: u64 = 300;

/// Bytes of a tag with every field that encoders write: its name, flags, two counts, 100 seek points, a quality, and
/// the 36 bytes that LAME adds.
const TAG: u64 = 4 + 4 + 8 + 100 + 4 + 36;
