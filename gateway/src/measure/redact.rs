//! Silences stretches of an upload as its bytes pass, before they are sealed.
//!
//! The parser that measures the upload says where its audio lies ([`Mark`]), so that there is one idea of time. Here
//! the audio of a planned stretch is replaced in place: no byte is added or removed, so that the measurement, and
//! every offset in the file, stays true. It does not know why a stretch is to be silent.
//!
//! INVARIANT: what is left of a silenced stretch does not depend on the audio that came in it. Its units (samples,
//! blocks, frames, packets) keep their length and their time, nothing else. Codecs spread a sound over several units:
//! whatever may hold a part of it is silenced too, in units outside of the stretch as well.

mod mp3;
mod opus;

use zeroize::{Zeroize as _, Zeroizing};

use super::{Rate, silence::Sample};

/// The stretches to silence, in milliseconds from the start of the audio.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan(Vec<(u64, u64)>);

impl Plan {
    /// A plan of these stretches (first millisecond, first one after it), in any order; they may overlap.
    pub fn new(stretches: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut sorted: Vec<(u64, u64)> =
            stretches.into_iter().filter(|(from, until)| from < until).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(sorted.len());
        for (from, until) in sorted {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = until.max(*end),
                Some(_) | None => merged.push((from, until)),
            }
        }
        Self(merged)
    }

    /// Whether nothing is to be silenced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The stretches, in order and apart, as far as they lie within so many milliseconds.
    fn within(&self, duration_ms: u64) -> Vec<(u64, u64)> {
        let cut = self.0.iter().map(|(from, until)| (*from, (*until).min(duration_ms)));
        cut.filter(|(from, until)| from < until).collect()
    }

    /// The same in samples of a channel, rounded outward.
    fn samples(&self, rate: Rate) -> Stretches {
        let hz = u128::from(rate.hz());
        let of = |samples: u128| u64::try_from(samples).unwrap_or(u64::MAX);
        let begin = |ms: u64| of(u128::from(ms) * hz / 1000);
        let end = |ms: u64| if ms == u64::MAX { ms } else { of((u128::from(ms) * hz).div_ceil(1000)) };
        Stretches(self.0.iter().map(|(from, until)| (begin(*from), end(*until))).collect())
    }
}

/// Stretches in samples of a channel, in order and apart.
struct Stretches(Vec<(u64, u64)>);

impl Stretches {
    /// Whether one of them shares a sample with `from..until`.
    fn touch(&self, from: u64, until: u64) -> bool {
        let next = self.0.partition_point(|(_, end)| *end <= from);
        self.0.get(next).is_some_and(|(begin, _)| *begin < until)
    }
}

/// What a parser says of the bytes that it has read, in the order of the file. Offsets count from the upload's start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Here the samples of a WAV file begin, so many bytes of them, written like this.
    Samples { at: u64, bytes: u64, rate: Rate, frame: u16, sample: Sample },
    /// Here its blocks of GSM 06.10 begin, so many bytes of them.
    Gsm { at: u64, bytes: u64, rate: Rate },
    /// A frame of MP3 begins here.
    Frame { at: u64, frame: super::mp3::Frame },
    /// A page of an Ogg stream of Opus has come, with these packets, of which the first may have begun on an earlier
    /// page: the bytes of each, and its samples, if it is audio. `granule` is the page's position; `streams` and
    /// `pre_skip` are those of the stream.
    Page {
        at: u64,
        header: usize,
        body: usize,
        packets: Vec<(usize, Option<u64>)>,
        granule: i64,
        streams: u8,
        pre_skip: u64,
    },
    /// What has come belongs to no frame and no page.
    Stray,
    /// Audio that cannot be silenced.
    Other,
}

/// Where a parser leaves its marks, if somebody wants them.
#[derive(Default)]
pub(super) struct Marks(Option<Vec<Mark>>);

impl Marks {
    pub(super) fn wanted() -> Self {
        Self(Some(Vec::new()))
    }

    pub(super) fn note(&mut self, mark: impl FnOnce() -> Mark) {
        if let Some(marks) = &mut self.0 {
            marks.push(mark());
        }
    }

    pub(super) fn take(&mut self) -> Vec<Mark> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// Silences what passes.
pub(super) struct Redactor {
    plan: Plan,
    held: Held,
    way: Way,
    touched: bool,
}

/// How the audio is silenced.
enum Way {
    /// No audio has come.
    Unknown,
    Samples(Samples),
    Frames(mp3::Frames),
    Packets(opus::Packets),
    /// It cannot be: the rest passes as it is.
    Lost,
}

/// What came of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silenced {
    /// The audio passed as it came: no stretch of the plan lies in it, or there was no plan.
    Nothing,
    /// These stretches are silent, in milliseconds from the start of the audio: all that lie in it.
    Stretches(Vec<(u64, u64)>),
    /// It cannot be silenced: another codec, or a file in which something stands between the audio.
    Not {
        /// Whether some of it was silenced before that was seen.
        altered: bool,
    },
}

impl Redactor {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, held: Held::default(), way: Way::Unknown, touched: false }
    }

    /// Takes bytes, with the marks that the parser made of them. Before `reached` it has recognised everything.
    pub(super) fn push(&mut self, bytes: &[u8], marks: Vec<Mark>, reached: u64) {
        self.held.append(bytes);
        for mark in marks {
            self.mark(mark);
        }
        let ready = match &mut self.way {
            Way::Unknown => reached,
            Way::Samples(samples) => {
                self.touched |= samples.silence(&mut self.held);
                self.held.end()
            }
            Way::Frames(frames) => frames.silence(&mut self.held, &mut self.touched).min(reached),
            Way::Packets(packets) => packets.silence(&mut self.held, &mut self.touched).min(reached),
            Way::Lost => self.held.end(),
        };
        self.held.ready_until(ready);
    }

    /// What was ready has gone on.
    pub(super) fn release(&mut self) {
        self.held.release();
    }

    /// What may go on.
    pub(super) fn ready(&self) -> &[u8] {
        self.held.ready()
    }

    /// What is left, and what was silenced of audio that lasts so long.
    pub(super) fn finish(mut self, duration_ms: u64) -> (Zeroizing<Vec<u8>>, Silenced) {
        self.held.release();
        match &mut self.way {
            Way::Frames(frames) => frames.finish(&mut self.held, duration_ms, &mut self.touched),
            Way::Packets(packets) => packets.finish(&mut self.held, duration_ms, &mut self.touched),
            Way::Unknown | Way::Samples(_) | Way::Lost => {}
        }
        let stretches = self.plan.within(duration_ms);
        let silenced = match (&self.way, self.touched, stretches.is_empty()) {
            (_, false, true) => Silenced::Nothing,
            (Way::Lost | Way::Unknown, altered, _) => Silenced::Not { altered },
            // Where only what the codec spreads was silenced, at the end, in front of a stretch behind it: no stretch.
            (Way::Samples(_) | Way::Frames(_) | Way::Packets(_), ..) => Silenced::Stretches(stretches),
        };
        (self.held.rest(), silenced)
    }

    fn mark(&mut self, mark: Mark) {
        match (mark, &mut self.way) {
            (Mark::Samples { at, bytes, rate, frame, sample }, Way::Unknown) => {
                let unit = Unit {
                    bytes: u64::from(frame),
                    samples: 1,
                    spread: 0,
                    silent: sample.silent(usize::from(frame)),
                };
                self.way = Way::Samples(Samples::new(at, bytes, unit, self.plan.samples(rate)));
            }
            (Mark::Gsm { at, bytes, rate }, Way::Unknown) => {
                let unit = Unit {
                    bytes: GSM_SILENT.len() as u64,
                    samples: 320,
                    spread: 1,
                    silent: GSM_SILENT.to_vec(),
                };
                self.way = Way::Samples(Samples::new(at, bytes, unit, self.plan.samples(rate)));
            }
            (Mark::Frame { at, frame }, Way::Unknown) => {
                let mut frames = mp3::Frames::new(self.plan.samples(frame.rate), frame);
                frames.begin(at, frame);
                self.way = Way::Frames(frames);
            }
            (Mark::Frame { at, frame }, Way::Frames(frames)) => {
                if !frames.begin(at, frame) {
                    self.way = Way::Lost;
                }
            }
            (
                Mark::Page { at, header, body, packets, granule, streams, pre_skip },
                Way::Unknown | Way::Packets(_),
            ) => {
                if let Way::Unknown = self.way {
                    self.way =
                        Way::Packets(opus::Packets::new(self.plan.samples(super::ogg::OPUS_RATE), pre_skip));
                }
                let Way::Packets(all) = &mut self.way else { return };
                let page = opus::Page { at, header, body, streams };
                if !all.page(&mut self.held, page, &packets, granule, &mut self.touched) {
                    self.way = Way::Lost;
                }
            }
            (Mark::Stray, Way::Frames(frames)) => frames.stray(),
            (Mark::Stray, Way::Packets(packets)) => packets.stray(),
            // Before the audio there are headers, which are checked, and metadata.
            (Mark::Stray, Way::Samples(_) | Way::Lost) => {}
            (Mark::Stray, Way::Unknown) | (Mark::Other, _) => self.way = Way::Lost,
            (Mark::Samples { .. } | Mark::Gsm { .. } | Mark::Frame { .. } | Mark::Page { .. }, _) => {
                self.way = Way::Lost;
            }
        }
    }
}

/// The smallest piece of audio that can be silenced by itself.
struct Unit {
    bytes: u64,
    /// Samples of a channel.
    samples: u64,
    /// How many units in front of a stretch still sound into it, and are silenced with it.
    spread: u64,
    silent: Vec<u8>,
}

/// Samples, or blocks of them, that stand one behind the other.
struct Samples {
    at: u64,
    bytes: u64,
    unit: Unit,
    stretches: Stretches,
}

impl Samples {
    fn new(at: u64, bytes: u64, unit: Unit, stretches: Stretches) -> Self {
        Self { at, bytes, unit, stretches }
    }

    /// Silences what has come and is not released, and tells whether there was any of it.
    fn silence(&self, held: &mut Held) -> bool {
        let (begin, end) = (held.begin().max(self.at), held.end().min(self.at.saturating_add(self.bytes)));
        let mut touched = false;
        let of = |unit: u64| self.at.saturating_add(unit.saturating_mul(self.unit.bytes));
        let next =
            self.stretches.0.partition_point(|(_, until)| of(until.div_ceil(self.unit.samples)) <= begin);
        for (from, until) in self.stretches.0.iter().skip(next) {
            let from = of((from / self.unit.samples).saturating_sub(self.unit.spread)).max(begin);
            let until = of(until.div_ceil(self.unit.samples)).min(end);
            if from >= until {
                break;
            }
            touched = true;
            let first = usize::try_from((from - self.at) % self.unit.bytes).unwrap_or(0);
            let silent = self.unit.silent.iter().cycle().skip(first);
            held.bytes_mut(from, until).iter_mut().zip(silent).for_each(|(byte, silent)| *byte = *silent);
        }
        touched
    }
}

/// Bytes on their way, with their place in the upload. INVARIANT: memory that held bytes is wiped before it is given
/// back.
#[derive(Default)]
struct Held {
    bytes: Zeroizing<Vec<u8>>,
    /// Where the first of them stands.
    begin: u64,
    /// How many of them may go on.
    ready: usize,
}

impl Held {
    fn begin(&self) -> u64 {
        self.begin
    }

    fn end(&self) -> u64 {
        self.begin.saturating_add(self.bytes.len() as u64)
    }

    fn append(&mut self, more: &[u8]) {
        let needed = self.bytes.len().saturating_add(more.len());
        if needed > self.bytes.capacity() {
            let mut roomier = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
            roomier.extend_from_slice(&self.bytes);
            self.bytes = roomier;
        }
        self.bytes.extend_from_slice(more);
    }

    fn ready_until(&mut self, end: u64) {
        self.ready = self.index(end);
    }

    fn ready(&self) -> &[u8] {
        self.bytes.get(..self.ready).unwrap_or_default()
    }

    /// Forgets what was ready: it has gone on.
    fn release(&mut self) {
        let gone = std::mem::take(&mut self.ready);
        if gone == 0 {
            return;
        }
        let left = self.bytes.len().saturating_sub(gone);
        self.bytes.copy_within(gone.., 0);
        if let Some(tail) = self.bytes.get_mut(left..) {
            tail.zeroize();
        }
        self.bytes.truncate(left);
        self.begin = self.begin.saturating_add(gone as u64);
    }

    /// The bytes between two places, as far as they are here.
    fn bytes(&self, from: u64, until: u64) -> &[u8] {
        self.bytes.get(self.index(from)..self.index(until)).unwrap_or_default()
    }

    fn bytes_mut(&mut self, from: u64, until: u64) -> &mut [u8] {
        let (from, until) = (self.index(from), self.index(until));
        self.bytes.get_mut(from..until).unwrap_or_default()
    }

    fn rest(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }

    fn index(&self, at: u64) -> usize {
        usize::try_from(at.saturating_sub(self.begin)).unwrap_or(usize::MAX).min(self.bytes.len())
    }
}

/// Two GSM 06.10 frames as the reference encoder writes them for digital silence (3GPP TS 46.010), in the packing of
/// WAV. Whatever came before them, they decode to at most 16 of 32,768.
const GSM_SILENT: [u8; 65] = [
    0x20, 0x48, 0x17, 0xD6, 0x84, 0x02, 0x80, 0x24, 0x49, 0x92, 0x24, 0x89, 0x02, 0x80, 0x24, 0x49, 0x92,
    0x24, 0x89, 0x02, 0x80, 0x24, 0x49, 0x92, 0x24, 0x89, 0x02, 0x80, 0x24, 0x49, 0x92, 0x24, 0x09, 0x82,
    0x74, 0x61, 0x4D, 0x28, 0x00, 0x48, 0x92, 0x24, 0x49, 0x92, 0x28, 0x00, 0x48, 0x92, 0x24, 0x49, 0x92,
    0x28, 0x00, 0x48, 0x92, 0x24, 0x49, 0x92, 0x28, 0x00, 0x48, 0x92, 0x24, 0x49, 0x92,
];
