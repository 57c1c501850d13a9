//! The four bytes that begin an MPEG audio frame (ISO/IEC 11172-3 section 2.4.1.3, 13818-3 section 2.4.2.3).

use super::{
    super::{Rate, Unmeasurable},
    Mp3Fault,
};

/// The header of a layer III frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    start: [u8; 4],
    pub(super) rate: Rate,
    /// Bytes, with the header.
    pub(super) length: u32,
}

impl Frame {
    /// Reads the header that stands at offset `at`.
    pub(super) fn parse(start: [u8; 4], at: u64) -> Result<Self, Unmeasurable> {
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
        let hz = match rates >> 2 & 0x03 {
            0 => 44_100,
            1 => 48_000,
            2 => 32_000,
            _ => return Err(lost.into()),
        };
        let rate = Rate::accept(match version & 0x18 {
            0x18 => hz,
            0x10 => hz / 2,
            _ => hz / 4,
        })?;
        let padding = u32::from(rates >> 1 & 1);
        let length = samples(version) / 8 * kbits * 1000 / rate.hz() + padding;
        Ok(Self { start, rate, length })
    }

    /// Samples of a channel.
    pub(super) fn samples(self) -> u32 {
        let [_, version, _, _] = self.start;
        samples(version)
    }

    pub(super) fn channels(self) -> u16 {
        let [_, _, _, mode] = self.start;
        if mode >> 6 == 3 { 1 } else { 2 }
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

fn samples(version: u8) -> u32 {
    if is_mpeg_1(version) { 1152 } else { 576 }
}

fn is_mpeg_1(version: u8) -> bool {
    version & 0x18 == 0x18
}

/// The bits that stay the same in a stream: sync, version and layer, sample rate.
const SAME: [u8; 4] = [0xFF, 0xFE, 0x0C, 0];

const KBITS_MPEG_1: [u32; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const KBITS_MPEG_2: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
