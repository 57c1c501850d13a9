//! What repeats in a stream of another format: sync words, frames, packets of one length.
//!
//! One look at each byte, and memory that does not grow: a ring says where the frames that have begun end, and how
//! many came before each. A frame that begins where none ended begins a run of its own, so that a false one hides
//! nothing.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use zeroize::Zeroizing;

use super::super::mp3::frame_length;

/// Looks at the bytes of a file, or at those of its samples.
pub(in super::super) struct Stream {
    looks: Looks,
    /// Bytes that are still looked at.
    left: u64,
    /// Where the next byte stands.
    at: u64,
    /// The last bytes before, which a mark may begin with.
    tail: Zeroizing<Vec<u8>>,
    /// Where the first byte stands that is not zero.
    begins: Option<u64>,
    words: [u8; WORDS.len()],
    runs: Runs,
    packets: Option<Packets>,
    finding: Option<&'static str>,
    packets_finding: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// For sync words of 32 bits and more.
    Words,
    /// For frames as well, since `ffmpeg` asks what 16-bit samples are.
    Samples,
    /// For whatever is surer of itself than MP3.
    File,
}

impl Stream {
    /// For bytes of which few formats are surer than of what they are.
    pub(super) fn of_words(window: u64) -> Self {
        Self::new(Looks::Words, window)
    }

    /// For the samples of a WAV file. `ffmpeg` asks only of those of 16 bits what they are.
    pub(in super::super) fn of_samples(are_16_bit: bool) -> Self {
        Self::new(if are_16_bit { Looks::Samples } else { Looks::Words }, WINDOW)
    }

    /// For an MP3 file.
    pub(super) fn of_file() -> Self {
        Self { packets: Some(Packets::new()), ..Self::new(Looks::File, WINDOW) }
    }

    fn new(looks: Looks, left: u64) -> Self {
        Self {
            looks,
            left,
            at: 0,
            tail: Zeroizing::new(Vec::with_capacity(2 * MARK)),
            begins: None,
            words: [0; WORDS.len()],
            runs: Runs::new(looks != Looks::Words),
            packets: None,
            finding: None,
            packets_finding: None,
        }
    }

    /// Reads on.
    pub(in super::super) fn push(&mut self, bytes: &[u8]) {
        if self.left == 0 {
            return;
        }
        let near = usize::try_from(self.left).ok().and_then(|left| bytes.get(..left)).unwrap_or(bytes);
        if self.begins.is_none() {
            self.begins = near.iter().position(|byte| *byte != 0).map(|first| self.at + first as u64);
        }
        if let Some(packets) = &mut self.packets {
            self.packets_finding = self.packets_finding.or(packets.push(self.at, near));
        }
        // Marks that reach across the cut, then those in these bytes.
        let mut joint = std::mem::take(&mut self.tail);
        let from = self.at.saturating_sub(joint.len() as u64);
        joint.extend_from_slice(near.get(..MARK - 1).unwrap_or(near));
        self.look(from, &joint);
        self.look(self.at, near);
        let last = if near.len() < MARK { &joint } else { near };
        let keep = last.len().saturating_sub(MARK - 1);
        let mut tail = Zeroizing::new(Vec::with_capacity(2 * MARK));
        tail.extend_from_slice(last.get(keep..).unwrap_or_default());
        self.tail = tail;
        self.at += near.len() as u64;
        self.left = self.left.saturating_sub(near.len() as u64);
        if self.left == 0 {
            // Nothing more is asked of them.
            (self.runs, self.packets) = (Runs::new(false), None);
        }
    }

    /// The format that the bytes can be read as.
    pub(in super::super) fn finding(&self) -> Option<&'static str> {
        self.finding
    }

    /// The format whose packets of one length, or frames from the first byte on, the bytes can be read as.
    pub(super) fn packets(&self) -> Option<&'static str> {
        self.packets_finding
    }

    /// Looks at every mark that lies whole in these bytes.
    fn look(&mut self, from: u64, bytes: &[u8]) {
        self.look_for_words(bytes);
        if self.looks == Looks::Words {
            return;
        }
        let (mut at, mut rest) = (from, bytes);
        while let Some(block) = rest.first_chunk() {
            let begun = begun(block);
            for (group, eight) in begun.as_chunks::<8>().0.iter().enumerate() {
                let mut eight = u64::from_le_bytes(*eight);
                while eight != 0 {
                    let offset = group * 8 + eight.trailing_zeros() as usize / 8;
                    if let Some(mark) = block.get(offset..).and_then(<[u8]>::first_chunk) {
                        self.mark(at + offset as u64, *mark);
                    }
                    eight &= eight - 1;
                }
            }
            rest = rest.get(BLOCK..).unwrap_or_default();
            at += BLOCK as u64;
        }
        for (offset, mark) in rest.array_windows::<MARK>().enumerate() {
            let [first, second, third, ..] = *mark;
            if begins(first, second, third) != 0 {
                self.mark(at + offset as u64, *mark);
            }
        }
    }

    /// Looks at every sync word that lies whole in these bytes with what is behind it.
    fn look_for_words(&mut self, bytes: &[u8]) {
        let Some(begun) = BEGUN_WORDS.as_ref() else {
            // Its patterns are constants, and every test builds it: this is never reached.
            self.finding.get_or_insert("audio that could not be searched");
            return;
        };
        let mut from = 0;
        while let Some(found) = begun.find(Input::new(bytes).range(from.min(bytes.len())..)) {
            // One may begin within another.
            from = found.start() + 1;
            let Some(mark) = bytes.get(found.start()..).and_then(<[u8]>::first_chunk::<MARK>) else { break };
            let number = u64::from_be_bytes(*mark);
            for (word, count) in WORDS.iter().zip(&mut self.words) {
                if number & word.mask == word.bits {
                    *count = count.saturating_add(1);
                    if *count >= word.times {
                        self.finding.get_or_insert(word.name);
                    }
                }
            }
        }
    }

    /// Takes what may be a mark.
    fn mark(&mut self, at: u64, mark: [u8; MARK]) {
        if let Some((length, name)) = frame(mark, self.looks == Looks::Samples)
            && self.runs.frame(at, length, self.begins == Some(at))
        {
            self.finding.get_or_insert(name);
        }
        if at == 0 && self.looks == Looks::Samples && is_id3v2(mark) {
            self.finding.get_or_insert("a file with an ID3 tag");
        }
        if let Some(packets) = &mut self.packets
            && packets.program.takes(mark)
        {
            self.finding.get_or_insert("an MPEG program stream");
        }
    }
}

/// One at each place of a block where a mark may begin. Without a branch, so that the processor takes many at once.
fn begun(block: &[u8; BLOCK + MARK - 1]) -> [u8; BLOCK] {
    let (_, seconds) = block.split_at(1);
    let (_, thirds) = block.split_at(2);
    let mut begun = [0; BLOCK];
    for (((place, first), second), third) in begun.iter_mut().zip(block).zip(seconds).zip(thirds) {
        *place = begins(*first, *second, *third);
    }
    begun
}

/// Whether a mark may begin like this: zero if not. Faint samples below zero are like MPEG audio but for the third
/// byte.
#[inline(always)]
fn begins(first: u8, second: u8, third: u8) -> u8 {
    let is = |byte: u8, other: u8| u8::from(byte == other);
    let high = u8::from(second >= 0xE0);
    let mpeg = u8::from(third.wrapping_sub(0x10) < 0xE0) | is(second & 0xF6, 0xF0);
    let mut seen =
        (high & is(first, 0x56)) | (high & mpeg & is(first, 0xFF)) | (is(first | second, 0) & is(third, 1));
    for [one, two] in PAIRS {
        seen |= is(first, one) & is(second, two);
    }
    seen
}

/// How AC-3 in both orders and ID3 begin.
const PAIRS: [[u8; 2]; 3] = [[0x0B, 0x77], [0x77, 0x0B], [0x49, 0x44]];

const BLOCK: usize = 64;

/// A sync word, and how often it comes before a player believes in it.
struct Word {
    bits: u64,
    mask: u64,
    times: u8,
    name: &'static str,
}

const fn word(bits: u64, mask: u64, times: u8, name: &'static str) -> Word {
    Word { bits, mask, times, name }
}

/// `ffmpeg` wants three bursts, four words of DTS, a hundred of TrueHD, GStreamer two of DTS. Three of one 32-bit word
/// come about in the window with a chance of one to three billion.
const WORDS: [Word; 14] = [
    word(0x72F8_1F4E_0000_0000, 0xFFFF_FFFF_0000_0000, 3, BURSTS),
    word(0xF872_4E1F_0000_0000, 0xFFFF_FFFF_0000_0000, 3, BURSTS),
    // Bursts in samples of 20 and 24 bits.
    word(0x2087_6FF0_E154_0000, 0xFFFF_FFFF_FFFF_0000, 3, BURSTS),
    word(0x72F8_961F_4EA5_0000, 0xFFFF_FFFF_FFFF_0000, 3, BURSTS),
    word(0x7FFE_8001_FC00_0000, 0xFFFF_FFFF_FC00_0000, 2, "DTS"),
    word(0xFE7F_0180_00FC_0000, 0xFFFF_FFFF_00FC_0000, 2, "DTS"),
    word(0x1FFF_E800_07F0_0000, 0xFFFF_FFFF_FFF0_0000, 2, "DTS"),
    word(0xFF1F_00E8_F007_0000, 0xFFFF_FFFF_F0FF_0000, 2, "DTS"),
    word(0x6458_2025_0000_0000, 0xFFFF_FFFF_0000_0000, 3, "DTS"),
    word(0xF872_6FBA_0000_0000, 0xFFFF_FFFF_0000_0000, 3, "TrueHD"),
    word(0xF872_6FBB_0000_0000, 0xFFFF_FFFF_0000_0000, 3, "MLP"),
    word(0x060E_2B34_0205_0101, u64::MAX, 1, "MXF"),
    word(0x4E4D_7A56_1F5F_04AD, u64::MAX, 1, "NUT"),
    word(0x4E53_5673_4E4F_4E45, u64::MAX, 1, "NSV"),
];

/// The first four bytes of every word.
static BEGUN_WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let begun = WORDS.map(|word| word.bits.to_be_bytes()).map(|[a, b, c, d, ..]| [a, b, c, d]);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(begun).ok()
});

const BURSTS: &str = "a compressed stream in bursts (IEC 61937)";

/// Where frames end, and how many stand in a row up to there.
struct Runs {
    /// For each place around the ring, its turn in the upper bits and the number of frames in the lower.
    ring: Vec<u16>,
}

impl Runs {
    fn new(needed: bool) -> Self {
        Self { ring: if needed { vec![0; RING] } else { Vec::new() } }
    }

    /// Takes a frame, and whether it may be the first of the stream. True if players believe in its run.
    fn frame(&mut self, at: u64, length: Length, first: bool) -> bool {
        let before = self.before(at).max(if first { BELIEVED - FIRST_BELIEVED } else { 0 });
        if before + 1 >= BELIEVED {
            return true;
        }
        for end in length.ends(at) {
            let run = (before + 1).max(self.before(end));
            let (place, turn) = place(end);
            if let Some(entry) = self.ring.get_mut(place) {
                *entry = turn << RUN_BITS | run;
            }
        }
        false
    }

    /// Frames in a row that end here.
    fn before(&self, at: u64) -> u16 {
        let (place, turn) = place(at);
        let entry = self.ring.get(place).copied().unwrap_or_default();
        if entry >> RUN_BITS == turn { entry & ((1 << RUN_BITS) - 1) } else { 0 }
    }
}

/// A place around the ring, and the turn, from 1 on.
fn place(at: u64) -> (usize, u16) {
    let ring = RING as u64;
    (usize::try_from(at % ring).unwrap_or(0), u16::try_from(at / ring + 1).unwrap_or(0))
}

/// Bytes of a frame.
#[derive(Clone, Copy)]
struct Length {
    bytes: u64,
    /// 16 bytes of a recorder's own may stand behind it.
    stamped: bool,
}

impl Length {
    fn ends(self, at: u64) -> impl Iterator<Item = u64> {
        let end = at + self.bytes;
        std::iter::once(end).chain(self.stamped.then_some(end + 16))
    }
}

/// The frame that begins like this, and the name of its format.
fn frame(bytes: [u8; MARK], mpeg: bool) -> Option<(Length, &'static str)> {
    let exact = |bytes: u32, name| Some((Length { bytes: u64::from(bytes), stamped: false }, name));
    match bytes {
        [0xFF, 0xF0 | 0xF1 | 0xF8 | 0xF9, _, a, b, c, ..] => {
            let length = u32::from_be_bytes([0, a, b, c]) >> 5 & 0x1FFF;
            if length >= 7 { exact(length, "AAC") } else { None }
        }
        [0xFF, 0xE2..=0xFF, 0x10..=0xEF, ..] if mpeg => exact(frame_length(bytes)?, "MPEG audio"),
        [0x56, high @ 0xE0..=0xFF, low, ..] => {
            let length = u32::from(high & 0x1F) << 8 | u32::from(low);
            if length >= 4 { exact(length + 3, "AAC") } else { None }
        }
        [0x0B, 0x77, a, b, c, d, ..] => ac3([a, b, c, d]),
        [0x77, 0x0B, b, a, d, c, ..] => ac3([a, b, c, d]),
        _ => None,
    }
}

/// The frame of AC-3 or E-AC-3 with this behind its sync word (ETSI TS 102 366 sections 4.3 and E.1.2).
fn ac3([a, b, c, d]: [u8; 4]) -> Option<(Length, &'static str)> {
    let frame = |words: u32, name| Some((Length { bytes: u64::from(words) * 2, stamped: true }, name));
    match d >> 3 {
        0..=10 => {
            let code = u32::from(c & 0x3F);
            let kbits = *AC3_KBITS.get(usize::from(c & 0x3F) / 2)?;
            match c >> 6 {
                0 => frame(kbits * 2, "AC-3"),
                1 => frame(kbits * 320 / 147 + (code & 1), "AC-3"),
                2 => frame(kbits * 3, "AC-3"),
                _ => None,
            }
        }
        11..=16 => frame((u32::from(a & 0x07) << 8 | u32::from(b)) + 1, "E-AC-3"),
        _ => None,
    }
}

const AC3_KBITS: [u32; 19] =
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];

/// Packets of other formats, in a file that should hold frames of MP3.
struct Packets {
    grids: [Grid; 3],
    codes: [Code; 2],
    gsm: Gsm,
    program: Program,
}

impl Packets {
    fn new() -> Self {
        Self {
            // Bare, with a time in front, with a checksum behind.
            grids: [188, 192, 204].map(Grid::new),
            codes: [Code::new(&AMR), Code::new(&AMR_WB)],
            gsm: Gsm::default(),
            program: Program::default(),
        }
    }

    /// Takes the bytes that stand from a place on.
    fn push(&mut self, from: u64, bytes: &[u8]) -> Option<&'static str> {
        let mut finding = None;
        for (offset, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == TRANSPORT_SYNC) {
            let at = from + offset as u64;
            for grid in &mut self.grids {
                if grid.hit(at) {
                    finding.get_or_insert("an MPEG transport stream");
                }
            }
        }
        for code in &mut self.codes {
            if code.push(from, bytes) {
                finding.get_or_insert("AMR");
            }
        }
        if self.gsm.push(from, bytes) {
            finding.get_or_insert("GSM 06.10");
        }
        finding
    }
}

/// Packets of one length, which all begin with the same byte.
struct Grid {
    stride: u64,
    /// For each place within a packet, the last packet that began there, and which of the fifteen before did.
    places: Vec<(u64, u16)>,
}

impl Grid {
    fn new(stride: u8) -> Self {
        Self { stride: u64::from(stride), places: vec![(0, 0); usize::from(stride)] }
    }

    /// Takes a place where a packet may begin. True if seven of ten do, which `ffmpeg` wants of every stretch.
    fn hit(&mut self, at: u64) -> bool {
        let (row, column) = (at / self.stride, usize::try_from(at % self.stride).unwrap_or(0));
        let Some((last, before)) = self.places.get_mut(column) else { return false };
        let passed = u32::try_from(row.saturating_sub(*last)).unwrap_or(u32::MAX);
        *before = before.checked_shl(passed).unwrap_or(0) | 1;
        *last = row;
        (*before & 0x3FF).count_ones() >= 7
    }
}

/// Frames of a code for speech, from the first byte on: `ffmpeg` wants more than a hundred.
struct Code {
    /// Bytes of a frame of each mode.
    sizes: &'static [usize],
    /// Where a frame is due.
    next: u64,
    frames: u32,
    /// Bytes that began none where one was due. `ffmpeg` forgives one of sixteen.
    invalid: u32,
}

impl Code {
    fn new(sizes: &'static [usize]) -> Self {
        Self { sizes, next: 0, frames: 0, invalid: 0 }
    }

    /// Takes the bytes that stand from a place on. True if players believe in the frames.
    fn push(&mut self, from: u64, bytes: &[u8]) -> bool {
        let mut found = false;
        let mut due = bytes.get(index(self.next, from)..).unwrap_or_default();
        while let Some(byte) = due.first() {
            let size = self.sizes.get(usize::from(byte >> 3 & 0x0F)).filter(|_| byte & 0x04 != 0);
            match size {
                Some(_) => self.frames += 1,
                None => (self.frames, self.invalid) = (0, self.invalid + 1),
            }
            found |= self.frames >= 64;
            if self.invalid > INVALID_LIMIT {
                self.next = u64::MAX;
                break;
            }
            let size = size.copied().unwrap_or(1);
            self.next += size as u64;
            due = due.get(size..).unwrap_or_default();
        }
        found
    }
}

/// Where a place lies in bytes that stand from another one on.
fn index(place: u64, from: u64) -> usize {
    usize::try_from(place.saturating_sub(from)).unwrap_or(usize::MAX)
}

/// Frames of GSM 06.10, from the first byte on: `ffmpeg` wants 32 for each one that is none, and one more.
#[derive(Default)]
struct Gsm {
    next: u64,
    frames: u32,
}

impl Gsm {
    fn push(&mut self, from: u64, bytes: &[u8]) -> bool {
        let mut found = false;
        for byte in bytes.get(index(self.next, from)..).unwrap_or_default().iter().step_by(33) {
            self.next += 33;
            self.frames = if byte >> 4 == 0xD { self.frames + 1 } else { 0 };
            found |= self.frames >= 32;
        }
        found
    }
}

/// What begins in an MPEG program stream (ISO/IEC 13818-1 section 2.5.3). Frames of MP3 hold such codes, one in
/// 100 KiB, but mostly ones that begin nothing.
#[derive(Default)]
struct Program {
    packs: u32,
    headers: u32,
    packets: u32,
    invalid: u32,
}

impl Program {
    /// Takes what may begin with a start code. True if players believe in the stream.
    fn takes(&mut self, mark: [u8; MARK]) -> bool {
        match mark {
            [0, 0, 1, 0xBA, 0x20..=0x2F | 0x40..=0x7F, ..] => self.packs += 1,
            [0, 0, 1, 0xBB, ..] => self.headers += 1,
            [0, 0, 1, 0xBD | 0xC0..=0xEF, _, _, 0x80..=0xBF, 0..=0x3F | 0x80..=0xFF]
            | [
                0,
                0,
                1,
                0xBD | 0xC0..=0xEF,
                _,
                _,
                0x0F | 0x21 | 0x23 | 0x25 | 0x27 | 0x29 | 0x2B | 0x2D | 0x2F,
                _,
            ]
            | [0, 0, 1, 0xBD | 0xC0..=0xEF, _, _, 0x31 | 0x33 | 0x35 | 0x37 | 0x39 | 0x3B | 0x3D | 0x3F, _] =>
            {
                self.packets += 1;
            }
            [0, 0, 1, 0xBD | 0xC0..=0xEF, ..] => self.invalid += 1,
            _ => return false,
        }
        let packs = self.packs > 2 && self.packs > self.invalid;
        (packs && (self.headers > self.invalid || self.packets * 10 >= self.packs * 9))
            || (self.packets > 12 && self.packets > 4 * self.invalid)
    }
}

fn is_id3v2(start: [u8; MARK]) -> bool {
    matches!(start, [b'I', b'D', b'3', 0..=0xFE, 0..=0xFE, _, 0..=0x7F, 0..=0x7F])
}

/// What `ffmpeg` reads at most to find out what a stream is (its `probesize`). It reads less of most.
const WINDOW: u64 = 5_000_000;

/// Frames in a row that players believe in: `ffmpeg` wants a hundred of AAC, and two hundred of others.
const BELIEVED: u16 = 50;

/// As many suffice where the stream begins with them, or with zeros before: `ffmpeg` wants three of AAC, four or seven
/// of others. Of noise one byte in 1200 looks like a frame, so that three come about once in a billion files.
const FIRST_BELIEVED: u16 = 3;

/// More than the longest frame, of 8194 bytes, and what may follow it.
const RING: usize = 8216;
const RUN_BITS: u32 = 6;

/// Bytes that tell a frame or a sync word.
const MARK: usize = 8;

const TRANSPORT_SYNC: u8 = 0x47;
/// More than `ffmpeg` forgives among as many frames as it reads.
const INVALID_LIMIT: u32 = 10_000;

const AMR: [usize; 9] = [13, 14, 16, 18, 20, 21, 27, 32, 6];
const AMR_WB: [usize; 10] = [18, 24, 33, 37, 41, 47, 51, 59, 61, 6];
