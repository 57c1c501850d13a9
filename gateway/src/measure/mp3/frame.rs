//! The four bytes that begin an MPEG audio frame (ISO/IEC 11172-3 section 2.4.1.3, 13818-3 section 2.4.2.3).

use super::{
    super::{Rate, Unmeasurable},
    Mp3Fault,
};

/// The header of a layer III frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Frame {
    start: [u8; 4],
    pub(in super::super) rate: Rate,
    /// Bytes, with the header.
    pub(in super::super) length: u32,
}

impl Frame {
    /// Reads the header that stands at offset `at`.
    pub(in super::super) fn parse(start: [u8; 4], at: u64) -> Result<Self, Unmeasurable> {
        let [sync, version, rates, mode] = start;
        let lost = Mp3Fault::LostSync { at };
        // Two reserved values, of the version and of the emphasis, are no header either.
        if sync != 0xFF || version & 0xE0 != 0xE0 || version & 0x18 == 0x08 || mode & 0x03 == 0x02 {
            return Err(lost.into());
        }
        match version & 0x06 {
            0x02 => {}
            0x04 => return Err(Mp3Fault::Layer { layer: "II" }.into()),
            0x06 => return Err(Mp3Fault::Layer { layer: "I" }.into()),
            _ => return Err(lost.into()),
        }
        let table = if is_mpeg_1(version) { &KBITS_MPEG_1 } else { &KBITS_MPEG_2 };
        let kbits = match rates >> 4 {
            0 => return Err(Mp3Fault::FreeFormat.into()),
            index => *table.get(usize::from(index - 1)).ok_or(lost.clone())?,
        };
        let rate = Rate::accept(hz(version, rates).ok_or(lost)?)?;
        let padding = u32::from(rates >> 1 & 1);
        let length = samples(version) / 8 * kbits * 1000 / rate.hz() + padding;
        Ok(Self { start, rate, length })
    }

    /// Samples of a channel.
    pub(in super::super) fn samples(self) -> u32 {
        let [_, version, _, _] = self.start;
        samples(version)
    }

    /// What players find in it.
    pub(super) fn found(self) -> Found {
        Found::new(self.samples(), self.rate.hz(), self.channels())
    }

    /// Whether it is of MPEG 1, not of MPEG 2 or 2.5.
    pub(in super::super) fn is_mpeg_1(self) -> bool {
        let [_, version, _, _] = self.start;
        is_mpeg_1(version)
    }

    /// Whether a checksum follows the header.
    pub(in super::super) fn is_protected(self) -> bool {
        let [_, version, _, _] = self.start;
        version & 1 == 0
    }

    pub(in super::super) fn channels(self) -> u16 {
        let [_, _, _, mode] = self.start;
        channels(mode)
    }

    /// Whether both can belong to one stream: same version, layer, rate and channels.
    pub(super) fn is_like(self, other: Self) -> bool {
        self.may_begin(&other.start) && self.channels() == other.channels()
    }

    /// Whether a header of the same version, layer and rate may begin with these bytes.
    pub(super) fn may_begin(self, bytes: &[u8]) -> bool {
        self.start.iter().zip(SAME).zip(bytes).all(|((own, mask), other)| own & mask == other & mask)
    }
}

/// What players may find where nothing says that a frame is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// How long it plays at its own rate, rounded up.
    pub(super) micros: u64,
    /// Samples of all channels.
    pub(super) samples: u64,
}

impl Found {
    fn new(samples: u32, hz: u32, channels: u16) -> Self {
        let samples = u64::from(samples);
        Self {
            micros: (samples * 1_000_000).div_ceil(u64::from(hz).max(1)),
            samples: samples * u64::from(channels),
        }
    }

    pub(super) fn add(&mut self, more: Self) {
        self.micros = self.micros.saturating_add(more.micros);
        self.samples = self.samples.saturating_add(more.samples);
    }
}

/// The frame that would begin with these four bytes: of any layer and bit rate, free format and what is reserved
/// in the emphasis included, since some players do not mind. Nothing if no player takes it for one.
pub(super) fn looks_like(header: u32) -> Found {
    let none = Found::default();
    if header >> 21 != 0x7FF {
        return none;
    }
    let [_, version, rates, mode] = header.to_be_bytes();
    let samples = match version & 0x06 {
        0 => return none,
        0x06 => 384,
        0x04 => 1152,
        _ => samples(version),
    };
    match hz(version, rates) {
        Some(hz) if version & 0x18 != 0x08 && rates >> 4 != 0x0F => Found::new(samples, hz, channels(mode)),
        Some(_) | None => none,
    }
}

/// Bytes of the frame of any layer and rate that begins like this; nothing for free format, where no header says it.
pub(in super::super) fn frame_length(start: [u8; 8]) -> Option<u32> {
    let [sync, version, rates, ..] = start;
    if sync != 0xFF || version & 0xE0 != 0xE0 || version & 0x18 == 0x08 {
        return None;
    }
    let (padding, hz) = (u32::from(rates >> 1 & 1), hz(version, rates)?);
    let index = usize::from(rates >> 4).checked_sub(1)?;
    let kbits = *match (version & 0x06, is_mpeg_1(version)) {
        (0x06, true) => &KBITS_MPEG_1_LAYER_I,
        (0x06, false) => &KBITS_MPEG_2_LAYER_I,
        (0x04, true) => &KBITS_MPEG_1_LAYER_II,
        (_, true) => &KBITS_MPEG_1,
        (_, false) => &KBITS_MPEG_2,
    }
    .get(index)?;
    match version & 0x06 {
        0x06 => Some((12_000 * kbits / hz + padding) * 4),
        0x04 => Some(144_000 * kbits / hz + padding),
        0x02 => Some(samples(version) / 8 * kbits * 1000 / hz + padding),
        _ => None,
    }
}

/// Samples per second. None is reserved.
fn hz(version: u8, rates: u8) -> Option<u32> {
    let hz = match rates >> 2 & 0x03 {
        0 => 44_100,
        1 => 48_000,
        2 => 32_000,
        _ => return None,
    };
    Some(match version & 0x18 {
        0x18 => hz,
        0x10 => hz / 2,
        _ => hz / 4,
    })
}

fn samples(version: u8) -> u32 {
    if is_mpeg_1(version) { 1152 } else { 576 }
}

fn channels(mode: u8) -> u16 {
    if mode >> 6 == 3 { 1 } else { 2 }
}

fn is_mpeg_1(version: u8) -> bool {
    version & 0x18 == 0x18
}

/// The bits that stay the same in a stream: sync, version and layer, sample rate.
const SAME: [u8; 4] = [0xFF, 0xFE, 0x0C, 0];

const KBITS_MPEG_1: [u32; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const KBITS_MPEG_1_LAYER_I: [u32; 14] = [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
const KBITS_MPEG_1_LAYER_II: [u32; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const KBITS_MPEG_2_LAYER_I: [u32; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
const KBITS_MPEG_2: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
