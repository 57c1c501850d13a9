//! The `fmt ` chunk: how the bytes of a WAV file become samples.
//!
//! It does not know how many bytes there are. INVARIANT: a layout that parses agrees with itself, as far as any
//! player asks, so that every player gets the same duration from the same bytes.

use super::{
    super::{Rate, Unmeasurable, accept_channels, fields::Fields, silence::Sample},
    WavFault,
};

/// A `fmt ` chunk that agrees with itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) channels: u16,
    pub(super) rate: Rate,
    /// Bytes of a block, of all channels. Never zero.
    pub(super) block: u16,
    /// Samples of a channel in a block.
    pub(super) samples_per_block: u16,
    /// Whether a sample is an integer of two bytes.
    pub(super) is_16_bit: bool,
    /// How a sample is written, if it can be read without decoding.
    pub(super) sample: Option<Sample>,
}

impl Layout {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Unmeasurable> {
        let raw = Raw::parse(body).ok_or(WavFault::Extension)??;
        let rate = Rate::accept(raw.rate)?;
        let channels = accept_channels(raw.channels)?;
        let Some(sample) = raw.sample()? else {
            raw.agrees_with_gsm()?;
            return Ok(Self {
                channels,
                rate,
                block: GSM_BLOCK,
                samples_per_block: GSM_SAMPLES,
                is_16_bit: false,
                sample: None,
            });
        };
        let block = sample.width() * channels;
        raw.agrees_with(sample.width(), block)?;
        // Players go by the bits of a sample. One that went by a block size of its own would play other samples,
        // so nobody can say where it is silent.
        let judged = (raw.block == 0 || raw.block == block) && raw.bits == sample.width() * 8;
        let is_16_bit = sample == Sample::I16;
        let judged = Some(sample).filter(|_| judged);
        Ok(Self { channels, rate, block, samples_per_block: 1, is_16_bit, sample: judged })
    }
}

/// The fields as they stand, with the extensible form resolved.
struct Raw {
    tag: u16,
    channels: u16,
    rate: u32,
    byte_rate: u32,
    block: u16,
    bits: u16,
    /// From the extension that compressed formats have.
    samples_per_block: Option<u16>,
}

impl Raw {
    /// The size of the extension (`cbSize`) is left alone: for PCM it has no meaning, and writers leave anything
    /// there.
    fn parse(body: &[u8]) -> Option<Result<Self, WavFault>> {
        let mut fields = Fields(body);
        let mut raw = Self {
            tag: fields.u16()?,
            channels: fields.u16()?,
            rate: fields.u32()?,
            byte_rate: fields.u32()?,
            block: fields.u16()?,
            bits: fields.u16()?,
            samples_per_block: None,
        };
        let extension = fields.u16().unwrap_or(0);
        if raw.tag == EXTENSIBLE {
            let valid_bits = fields.u16()?;
            let _speakers = fields.u32()?;
            raw.tag = fields.u16()?;
            // Some players do not read an extension that says it is shorter, and take the samples for PCM.
            if fields.array()? != SUBFORMAT || (extension < EXTENSION && raw.tag != PCM) {
                return None;
            }
            // Players disagree on where the valid bits of a larger sample lie, and some read samples of that size.
            if valid_bits != 0 && valid_bits != raw.bits {
                return Some(Err(unexpected("valid bits in a sample", valid_bits, raw.bits)));
            }
        } else if raw.tag == GSM {
            raw.samples_per_block = fields.u16().filter(|_| extension >= 2);
        }
        Some(Ok(raw))
    }

    /// One number of the block align and the bytes a second may be wrong, as recorders write them, where the other
    /// one confirms how large a sample is. If both are too low, the samples may be smaller than the bits say, and
    /// more; or slower than the rate says.
    fn agrees_with(&self, width: u16, block: u16) -> Result<(), WavFault> {
        let bytes = u64::from(self.rate) * u64::from(block);
        let whole = self.byte_rate == 0 || u64::from(self.byte_rate) >= bytes - bytes / 100;
        let confirmed = self.byte_rate != 0 && whole;
        if self.block != 0 && self.block < block && !confirmed {
            return Err(unexpected("block align", self.block, block));
        }
        // Bytes of one channel, or the sample rate itself.
        let one_channel = [self.rate, self.rate.saturating_mul(u32::from(width))].contains(&self.byte_rate);
        if whole || (one_channel && self.block == block) {
            return Ok(());
        }
        Err(unexpected("bytes a second", self.byte_rate, bytes))
    }

    fn agrees_with_gsm(&self) -> Result<(), WavFault> {
        if self.block != GSM_BLOCK {
            return Err(unexpected("block align", self.block, GSM_BLOCK));
        }
        if self.channels != 1 {
            return Err(unexpected("channels", self.channels, 1_u16));
        }
        // GSM 06.10 knows no other rate.
        if self.rate != 8000 {
            return Err(unexpected("samples a second", self.rate, 8000_u32));
        }
        match self.samples_per_block {
            Some(samples) if samples != GSM_SAMPLES => {
                Err(unexpected("samples in a block", samples, GSM_SAMPLES))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// How samples are written, or none for GSM, where they are not.
    fn sample(&self) -> Result<Option<Sample>, WavFault> {
        Ok(Some(match (self.tag, self.bits) {
            (PCM, 8) => Sample::U8,
            (PCM, 16) => Sample::I16,
            (PCM, 24) => Sample::I24,
            (PCM, 32) => Sample::I32,
            (FLOAT, 32) => Sample::F32,
            // G.711 has eight bits, whatever the header says of what they become.
            (MU_LAW, _) => Sample::MuLaw,
            (A_LAW, _) => Sample::ALaw,
            (GSM, _) => return Ok(None),
            (tag, bits) => return Err(WavFault::Encoding { name: name(tag), tag, bits }),
        }))
    }
}

fn unexpected(field: &'static str, found: impl Into<u64>, expected: impl Into<u64>) -> WavFault {
    WavFault::Unexpected { field, found: found.into(), expected: expected.into() }
}

fn name(tag: u16) -> &'static str {
    match tag {
        PCM => "PCM",
        FLOAT => "floating point",
        MU_LAW => "G.711 µ-law",
        A_LAW => "G.711 A-law",
        0x02 => "Microsoft ADPCM",
        0x11 => "IMA ADPCM",
        0x14 | 0x42 => "G.723",
        0x40 | 0x45 | 0x64 => "G.726",
        0x22 => "TrueSpeech",
        0x50 => "MPEG layer I or II",
        0x55 => "MP3",
        0x83 => "G.729",
        0xFF | 0x1600 | 0x1610 => "AAC",
        0x160..=0x163 => "Windows Media Audio",
        _ => "something unknown",
    }
}

const PCM: u16 = 0x01;
const FLOAT: u16 = 0x03;
const A_LAW: u16 = 0x06;
const MU_LAW: u16 = 0x07;
const GSM: u16 = 0x31;
const EXTENSIBLE: u16 = 0xFFFE;

/// Bytes of the extension of the extensible form.
const EXTENSION: u16 = 22;

/// The end of every sub-format that wraps a format tag: `-0000-0010-8000-00AA00389B71`.
const SUBFORMAT: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// Two GSM 06.10 frames of 260 bits and 160 samples, packed without a gap.
const GSM_BLOCK: u16 = 65;
const GSM_SAMPLES: u16 = 320;
