//! RIFF WAVE: a walk over the chunks.
//!
//! The duration comes from the bytes of the `data` chunk that arrived. It does not know whether the header's
//! size for the whole file is true, and need not: every chunk up to the last byte is walked.
//!
//! INVARIANT: there is one `data` chunk, and whatever lies outside it is a chunk of a known kind within the
//! allowance.

mod layout;
#[cfg(test)]
pub(super) mod tests;

use thiserror::Error;

use self::layout::Layout;
use super::{
    Allowance, Format, Measured, Unmeasurable,
    carry::{Carry, skipped, up_to},
    silence::Scan,
};

/// A WAV file that is being read.
pub(super) struct Wav {
    carry: Carry,
    stage: Stage,
    allowance: Allowance,
    layout: Option<Layout>,
    audio: Option<Audio>,
}

#[derive(Clone, Copy)]
enum Stage {
    Riff,
    Chunk,
    Layout {
        size: usize,
    },
    Metadata {
        left: u64,
        odd: bool,
    },
    Audio,
    /// Chunks begin at even offsets (RIFF 1.0). The byte is missing at the end of many files.
    Pad,
}

impl Wav {
    pub(super) fn new() -> Self {
        let carry = Carry::default();
        Self { carry, stage: Stage::Riff, allowance: Allowance::new(), layout: None, audio: None }
    }

    pub(super) fn push(&mut self, mut input: &[u8]) -> Result<(), Unmeasurable> {
        while let Some(next) = self.step(&mut input)? {
            self.stage = next;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Measured, Unmeasurable> {
        match self.stage {
            Stage::Chunk if self.carry.is_empty() => {}
            Stage::Pad | Stage::Audio => {}
            Stage::Riff | Stage::Chunk | Stage::Layout { .. } | Stage::Metadata { .. } => {
                return Err(WavFault::CutChunk.into());
            }
        }
        self.audio.ok_or(Unmeasurable::NoAudio)?.finish()
    }

    /// The next stage, or none when the input does not suffice.
    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Stage>, Unmeasurable> {
        match self.stage {
            Stage::Riff => Ok(self.carry.take(input, RIFF_HEADER).map(|_| Stage::Chunk)),
            Stage::Chunk => match self.carry.array::<8>(input) {
                Some([a, b, c, d, size @ ..]) => self.chunk([a, b, c, d], u32::from_le_bytes(size)).map(Some),
                None => Ok(None),
            },
            Stage::Layout { size } => {
                let Some(body) = self.carry.take(input, size) else { return Ok(None) };
                self.layout = Some(Layout::parse(body)?);
                Ok(Some(after(size % 2 == 1)))
            }
            Stage::Metadata { mut left, odd } => {
                let whole = skipped(input, &mut left);
                self.stage = Stage::Metadata { left, odd };
                Ok(whole.then(|| after(odd)))
            }
            Stage::Audio => self.audio(input),
            Stage::Pad => Ok((!up_to(input, 1).is_empty()).then_some(Stage::Chunk)),
        }
    }

    fn chunk(&mut self, id: [u8; 4], size: u32) -> Result<Stage, Unmeasurable> {
        match &id {
            b"fmt " if self.audio.is_some() => Err(WavFault::LateFormat.into()),
            b"fmt " if self.layout.is_some() => Err(WavFault::SecondFormat.into()),
            b"fmt " => match usize::try_from(size) {
                Ok(size) if FORMAT_SIZES.contains(&size) => Ok(Stage::Layout { size }),
                Ok(_) | Err(_) => Err(WavFault::FormatSize { size }.into()),
            },
            b"data" if self.audio.is_some() => Err(WavFault::SecondData.into()),
            b"data" => {
                let layout = self.layout.ok_or(WavFault::NoFormat)?;
                self.audio = Some(Audio::new(layout, declared(size)));
                Ok(Stage::Audio)
            }
            id if METADATA.contains(&id) => {
                let size = u64::from(size);
                self.allowance.spend(CHUNK_HEADER + size)?;
                Ok(Stage::Metadata { left: size, odd: size % 2 == 1 })
            }
            id => Err(WavFault::UnknownChunk { id: id.escape_ascii().to_string() }.into()),
        }
    }

    fn audio(&mut self, input: &mut &[u8]) -> Result<Option<Stage>, Unmeasurable> {
        let Some(audio) = &mut self.audio else { return Err(WavFault::NoFormat.into()) };
        audio.push(input)?;
        Ok((audio.left() == 0).then(|| after(audio.received % 2 == 1)))
    }
}

/// The contents of the `data` chunk.
struct Audio {
    layout: Layout,
    /// What the header says, unless its writer never filled it in.
    declared: Option<u64>,
    received: u64,
    scan: Option<Scan>,
}

impl Audio {
    fn new(layout: Layout, declared: Option<u64>) -> Self {
        let scan = layout.sample.map(|sample| Scan::new(sample, layout.rate, layout.channels));
        Self { layout, declared, received: 0, scan }
    }

    fn left(&self) -> u64 {
        self.declared.map_or(u64::MAX, |declared| declared.saturating_sub(self.received))
    }

    fn push(&mut self, input: &mut &[u8]) -> Result<(), Unmeasurable> {
        let piece = up_to(input, self.left());
        self.received = self.received.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        // Before the scan, so that the map of silence cannot outgrow a day.
        self.layout.rate.duration_ms(self.samples())?;
        if let Some(scan) = &mut self.scan {
            scan.push(piece);
        }
        Ok(())
    }

    /// Samples of a channel. A block that came in part counts whole.
    fn samples(&self) -> u64 {
        let blocks = self.received.div_ceil(u64::from(self.layout.block).max(1));
        blocks.saturating_mul(u64::from(self.layout.samples_per_block))
    }

    fn finish(mut self) -> Result<Measured, Unmeasurable> {
        if let Some(declared) = self.declared
            && self.received < declared
        {
            return Err(WavFault::Cut { declared, received: self.received }.into());
        }
        if self.layout.sample.is_none() {
            self.whole_blocks()?;
        }
        Ok(Measured {
            format: Format::Wav,
            duration_ms: self.layout.rate.duration_ms(self.samples())?,
            codec_adds_ms: 0,
            silence: self.scan.map(Scan::finish),
            channels: self.layout.channels,
            sample_rate: self.layout.rate.hz(),
        })
    }

    /// A compressed block cannot be played in part, so its rest is missing, or is something else.
    fn whole_blocks(&mut self) -> Result<(), WavFault> {
        let block = u64::from(self.layout.block).max(1);
        // Some writers declare the byte that pads an odd number of bytes as audio, or pad without a size.
        if self.received % block == 1 && self.received.is_multiple_of(2) {
            self.received -= 1;
        }
        if self.received.is_multiple_of(block) { Ok(()) } else { Err(WavFault::PartialBlock) }
    }
}

/// Why a WAV file cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WavFault {
    /// The file ends inside its header or inside a chunk of metadata.
    #[error(
        "the WAV file ends inside a chunk that is not audio; upload the whole file, and nothing after it"
    )]
    CutChunk,
    /// Less audio came than the header declares.
    #[error(
        "the WAV header declares `{declared}` bytes of audio, `{received}` arrived; upload the whole file"
    )]
    Cut {
        /// Bytes according to the header.
        declared: u64,
        /// Bytes that came.
        received: u64,
    },
    /// Something that could be anything, also further audio.
    #[error(
        "the WAV file holds a chunk `{id}`, which is neither audio nor known metadata; write it without that chunk"
    )]
    UnknownChunk {
        /// The chunk's four letters, or whatever stands there.
        id: String,
    },
    /// Audio without a description.
    #[error("the WAV file has no `fmt ` chunk before its audio; export it again")]
    NoFormat,
    /// Two descriptions: players disagree on which holds.
    #[error("the WAV file has two `fmt ` chunks; export it again")]
    SecondFormat,
    /// A description behind the audio.
    #[error("the WAV file has a `fmt ` chunk after its audio; export it again")]
    LateFormat,
    /// Two recordings in one file: players play one or both.
    #[error("the WAV file has two `data` chunks; upload each recording by itself")]
    SecondData,
    /// No known version of the description has this size.
    #[error("the WAV file's `fmt ` chunk has `{size}` bytes instead of 16 to 64; export it again")]
    FormatSize {
        /// Bytes according to the chunk header.
        size: u32,
    },
    /// The description contradicts itself.
    #[error("the WAV file's `fmt ` chunk contradicts itself in the {field}; export it again")]
    Inconsistent {
        /// What does not fit the rest.
        field: &'static str,
    },
    /// An encoding that is not measured.
    #[error(
        "the WAV file is encoded as {name} (`{tag:#06x}`, {bits} bits), which is not measured; convert it to 16-bit PCM"
    )]
    Encoding {
        /// The usual name.
        name: &'static str,
        /// The format tag.
        tag: u16,
        /// Bits per sample.
        bits: u16,
    },
    /// Compressed audio with a rest.
    #[error("the WAV file ends inside a block of compressed audio; upload the whole file")]
    PartialBlock,
}

fn after(odd: bool) -> Stage {
    if odd { Stage::Pad } else { Stage::Chunk }
}

/// The size of the `data` chunk, unless the writer never came back to fill it in: 0, or a placeholder just
/// around 2³¹ or below 2³². Audio then runs to the end of the body.
fn declared(size: u32) -> Option<u64> {
    match size {
        0 | 0x7FFF_0000..=0x8000_FFFF | 0xFFFF_0000..=u32::MAX => None,
        size => Some(u64::from(size)),
    }
}

const RIFF_HEADER: usize = 12;
const CHUNK_HEADER: u64 = 8;

/// From the first version of the `fmt ` chunk to the extensible one, with room for a writer's extras.
const FORMAT_SIZES: std::ops::RangeInclusive<usize> = 16..=64;

/// Chunks that describe audio or fill space, and hold none: titles, sample counts, peaks, broadcast data,
/// cues.
const METADATA: [&[u8; 4]; 26] = [
    b"LIST", b"fact", b"PEAK", b"levl", b"bext", b"cue ", b"plst", b"smpl", b"inst", b"acid", b"DISP",
    b"iXML", b"axml", b"cart", b"_PMX", b"afsp", b"umid", b"minf", b"elm1", b"regn", b"id3 ", b"ID3 ",
    b"JUNK", b"junk", b"PAD ", b"FLLR",
];
