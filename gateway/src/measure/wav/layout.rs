//! The `fmt ` chunk: how the bytes of a WAV file become samples.
//!
//! It does not know how many bytes there are. INVARIANT: a layout that parses agrees with itself, so that
//! every player gets the same duration from the same bytes.

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
    /// How a sample is written, if it can be read without decoding.
    pub(super) sample: Option<Sample>,
}

impl Layout {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Unmeasurable> {
        let raw = Raw::parse(body).ok_or(inconsistent("size"))?;
        let rate = Rate::accept(raw.rate)?;
        let channels = accept_channels(raw.channels)?;
        let layout = match raw.sample()? {
            Some(sample) => {
                let block = sample.width() * channels;
                Self { channels, rate, block, samples_per_block: 1, sample: Some(sample) }
            }
            None => Self { channels, rate, block: GSM_BLOCK, samples_per_block: GSM_SAMPLES, sample: None },
        };
        layout.agrees_with(&raw)?;
        Ok(layout)
    }

    fn agrees_with(&self, raw: &Raw) -> Result<(), WavFault> {
        if raw.block != self.block {
            return Err(inconsistent("block size"));
        }
        if self.sample.is_none() {
            if self.channels != 1 {
                return Err(inconsistent("number of channels"));
            }
            // GSM 06.10 knows no other rate.
            if self.rate.hz() != 8000 {
                return Err(inconsistent("sample rate"));
            }
            if raw.samples_per_block.is_some_and(|samples| samples != GSM_SAMPLES) {
                return Err(inconsistent("samples per block"));
            }
        }
        // Some writers leave the byte rate out or get it too high, which makes nothing shorter. A byte rate
        // that is lower than the audio needs says that the recording is longer than its sample rate says.
        let bytes =
            u64::from(self.rate.hz()) * u64::from(self.block) / u64::from(self.samples_per_block).max(1);
        if raw.byte_rate != 0 && u64::from(raw.byte_rate) < bytes - bytes / 100 {
            return Err(inconsistent("byte rate"));
        }
        Ok(())
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
    fn parse(body: &[u8]) -> Option<Self> {
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
        let extension = usize::from(fields.u16().unwrap_or(0));
        let mut extension = Fields(fields.bytes(extension)?);
        if raw.tag == EXTENSIBLE {
            let valid_bits = extension.u16()?;
            if raw.bits != 0 && valid_bits > raw.bits {
                return None;
            }
            let _speakers = extension.u32()?;
            raw.tag = extension.u16()?;
            if extension.array()? != SUBFORMAT {
                return None;
            }
        } else if raw.tag == GSM {
            raw.samples_per_block = extension.u16();
        }
        Some(raw)
    }

    /// How samples are written, or none for GSM, where they are not.
    fn sample(&self) -> Result<Option<Sample>, WavFault> {
        Ok(Some(match (self.tag, self.bits) {
            (PCM, 8) => Sample::U8,
            (PCM, 16) => Sample::I16,
            (PCM, 24) => Sample::I24,
            (PCM, 32) => Sample::I32,
            (FLOAT, 32) => Sample::F32,
            (MU_LAW, 8) => Sample::MuLaw,
            (A_LAW, 8) => Sample::ALaw,
            (GSM, _) => return Ok(None),
            (tag, bits) => return Err(WavFault::Encoding { name: name(tag), tag, bits }),
        }))
    }
}

fn inconsistent(field: &'static str) -> WavFault {
    WavFault::Inconsistent { field }
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

/// The end of every sub-format that wraps a format tag: `-0000-0010-8000-00AA00389B71`.
const SUBFORMAT: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// Two GSM 06.10 frames of 260 bits and 160 samples, packed without a gap.
const GSM_BLOCK: u16 = 65;
const GSM_SAMPLES: u16 = 320;
