//! RIFF WAVE: a walk over the chunks.
//!
//! The duration comes from the bytes of the `data` chunk that arrived. It does not know whether the header's
//! size for the whole file is true, and need not: every chunk up to the last byte is walked.
//!
//! INVARIANT: there is one `data` chunk, and whatever lies outside it is a chunk within the allowance, walked as
//! players walk it, or cannot be played: zeros, white space, or one ID3v1 tag at the end.

mod layout;
mod tail;
#[cfg(test)]
pub(super) mod tests;

use thiserror::Error;

use self::{layout::Layout, tail::Tail};
use super::{
    Allowance, Format, Measured, Unmeasurable,
    carry::{Carry, up_to},
    disguise::{self, Stream},
    redact::{Mark, Marks},
    silence::Scan,
};

/// A WAV file that is being read.
pub(super) struct Wav {
    carry: Carry,
    stage: Stage,
    allowance: Allowance,
    layout: Option<Layout>,
    audio: Option<Audio>,
    tail: Tail,
    /// Bytes that came.
    pushed: u64,
    /// The chunk that ended on an odd byte, and the byte behind it, which should be zero.
    pad: Option<([u8; 4], u8)>,
    /// The newest chunk.
    id: [u8; 4],
    pub(super) marks: Marks,
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
    /// Behind the last chunk.
    Tail,
}

impl Wav {
    pub(super) fn new() -> Self {
        Self {
            carry: Carry::default(),
            stage: Stage::Riff,
            allowance: Allowance::new(),
            layout: None,
            audio: None,
            tail: Tail::default(),
            pushed: 0,
            pad: None,
            id: [0; 4],
            marks: Marks::default(),
        }
    }

    pub(super) fn push(&mut self, mut input: &[u8]) -> Result<(), Unmeasurable> {
        self.pushed = self.pushed.saturating_add(u64::try_from(input.len()).unwrap_or(u64::MAX));
        while let Some(next) = self.step(&mut input)? {
            self.stage = next;
        }
        Ok(())
    }

    /// The place before which everything is recognised.
    pub(super) fn reached(&self) -> u64 {
        self.pushed
    }

    pub(super) fn finish(mut self) -> Result<Measured, Unmeasurable> {
        match self.stage {
            Stage::Chunk => {
                let (rest, pad) = (std::mem::take(&mut self.carry), self.pad.take());
                self.tail(pad, rest.held())?;
            }
            Stage::Pad | Stage::Audio | Stage::Tail => {}
            Stage::Riff | Stage::Layout { .. } | Stage::Metadata { .. } => {
                return Err(WavFault::CutChunk.into());
            }
        }
        let audio = self.audio.ok_or(Unmeasurable::NoAudio)?;
        if !self.tail.is_harmless() {
            return Err(audio.goes_on());
        }
        audio.finish(self.pushed)
    }

    /// The next stage, or none when the input does not suffice.
    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Stage>, Unmeasurable> {
        match self.stage {
            Stage::Riff => Ok(self.carry.take(input, RIFF_HEADER).map(|_| Stage::Chunk)),
            Stage::Chunk => match self.carry.array::<8>(input) {
                Some(header) => {
                    let at = self.pushed.saturating_sub(input.len() as u64);
                    self.chunk(header, at).map(Some)
                }
                None => Ok(None),
            },
            Stage::Layout { size } => {
                let Some(body) = self.carry.take(input, size) else { return Ok(None) };
                self.layout = Some(Layout::parse(body)?);
                Ok(Some(after(size % 2 == 1)))
            }
            Stage::Metadata { left, odd } => {
                let body = up_to(input, left);
                self.allowance.spend_on(body)?;
                let left = left.saturating_sub(u64::try_from(body.len()).unwrap_or(u64::MAX));
                self.stage = Stage::Metadata { left, odd };
                Ok((left == 0).then(|| after(odd)))
            }
            Stage::Audio => self.audio(input),
            Stage::Pad => {
                let pad = up_to(input, 1).first();
                self.pad = pad.map(|byte| (self.id, *byte));
                Ok(pad.map(|_| Stage::Chunk))
            }
            Stage::Tail => {
                let rest = up_to(input, u64::MAX);
                self.tail(None, rest)?;
                Ok(None)
            }
        }
    }

    /// Takes the header of a chunk that begins with the byte `at`.
    fn chunk(&mut self, header: [u8; 8], at: u64) -> Result<Stage, Unmeasurable> {
        let [a, b, c, d, size @ ..] = header;
        let (id, size) = ([a, b, c, d], u32::from_le_bytes(size));
        self.id = id;
        let pad = self.pad.take();
        if let Some(fault) = pad.and_then(|(before, pad)| unpadded(before, [pad, a, b, c])) {
            return Err(fault.into());
        }
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
                self.marks.note(|| layout.mark(at, declared(size).unwrap_or(u64::MAX)));
                self.audio = Some(Audio::new(layout, declared(size)));
                Ok(Stage::Audio)
            }
            b"RIFF" if self.audio.is_some() => Err(WavFault::SecondFile.into()),
            _ if Self::is_chunk(id, size) => {
                self.allowance.spend(CHUNK_HEADER)?;
                Ok(Stage::Metadata { left: u64::from(size), odd: size % 2 == 1 })
            }
            _ if self.audio.is_some() => {
                self.tail(pad, &header)?;
                Ok(Stage::Tail)
            }
            _ => Err(WavFault::UnknownChunk { id: id.escape_ascii().to_string(), size }.into()),
        }
    }

    /// A chunk of metadata: of a known kind, or one of somebody's own.
    fn is_chunk(id: [u8; 4], size: u32) -> bool {
        let named = id.iter().all(|letter| matches!(letter, b' '..=b'~')) && !id.starts_with(tail::ID3V1);
        let own = id.first().is_some_and(u8::is_ascii_alphanumeric) && size < OWN_CHUNK_LIMIT;
        METADATA.contains(&&id) || (named && own)
    }

    fn audio(&mut self, input: &mut &[u8]) -> Result<Option<Stage>, Unmeasurable> {
        let Some(audio) = &mut self.audio else { return Err(WavFault::NoFormat.into()) };
        audio.push(input)?;
        Ok((audio.left() == 0).then(|| after(audio.received % 2 == 1)))
    }

    /// Takes what follows the last chunk, and the byte that should have padded that.
    fn tail(&mut self, pad: Option<([u8; 4], u8)>, bytes: &[u8]) -> Result<(), Unmeasurable> {
        if bytes.is_empty() {
            return Ok(());
        }
        let Some(audio) = &self.audio else { return Err(WavFault::CutChunk.into()) };
        self.allowance.spend_on(bytes)?;
        let pad = pad.map(|(_, byte)| byte);
        if self.tail.takes(pad.as_slice()) && self.tail.takes(bytes) { Ok(()) } else { Err(audio.goes_on()) }
    }
}

/// The contents of the `data` chunk.
struct Audio {
    layout: Layout,
    /// What the header says, unless its writer never filled it in.
    declared: Option<u64>,
    received: u64,
    scan: Option<Scan>,
    /// What else the samples may be.
    disguise: Stream,
}

impl Audio {
    fn new(layout: Layout, declared: Option<u64>) -> Self {
        let scan = layout.sample.map(|sample| Scan::new(sample, layout.rate, layout.channels));
        let disguise = Stream::of_samples(layout.is_16_bit);
        Self { layout, declared, received: 0, scan, disguise }
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
        self.disguise.push(piece);
        Ok(())
    }

    /// Samples of a channel. A block that came in part counts whole.
    fn samples(&self) -> u64 {
        let blocks = self.received.div_ceil(u64::from(self.layout.block).max(1));
        blocks.saturating_mul(u64::from(self.layout.samples_per_block))
    }

    fn goes_on(&self) -> Unmeasurable {
        WavFault::GoesOn { declared: self.received }.into()
    }

    /// `whole` is the size of the file. Writers who count its header among the audio declare no more than that.
    fn finish(mut self, whole: u64) -> Result<Measured, Unmeasurable> {
        if let Some(declared) = self.declared.filter(|declared| *declared > whole) {
            return Err(WavFault::Cut { declared, received: self.received }.into());
        }
        if self.layout.samples_per_block > 1 {
            self.unpad_blocks();
        }
        disguise::refuse(self.disguise.finding())?;
        Ok(Measured {
            format: Format::Wav,
            duration_ms: self.layout.rate.duration_ms(self.samples())?,
            codec_adds_ms: 0,
            silence: self.scan.map(Scan::finish),
            channels: self.layout.channels,
            sample_rate: self.layout.rate.hz(),
        })
    }

    /// Some writers declare the byte that pads an odd number of compressed blocks as audio, or pad without a size.
    /// It is no block that was cut.
    fn unpad_blocks(&mut self) {
        if self.received % u64::from(self.layout.block).max(1) == 1 && self.received.is_multiple_of(2) {
            self.received -= 1;
        }
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
    /// Less audio came than the header declares, and that is not for counting the header.
    #[error(
        "the WAV header declares `{declared}` bytes of audio, `{received}` arrived: the file is not whole, or its header is wrong; upload the whole file, or have the recorder complete the header"
    )]
    Cut {
        /// Bytes according to the header.
        declared: u64,
        /// Bytes that came.
        received: u64,
    },
    /// More came than the header declares, and it is no metadata. Most players leave it out.
    #[error(
        "the WAV file goes on behind the `{declared}` bytes of audio that its header declares: that size is too small; have the recorder complete the header, or set the size to 0, which means up to the end"
    )]
    GoesOn {
        /// Bytes according to the header.
        declared: u64,
    },
    /// Something that could be anything, also further audio.
    #[error(
        "the WAV file holds a chunk `{id}` of `{size}` bytes before its audio, which is neither audio nor metadata; write it without that chunk"
    )]
    UnknownChunk {
        /// The chunk's four letters, or whatever stands there.
        id: String,
        /// Bytes according to the chunk's header.
        size: u32,
    },
    /// Players that look for the next chunk at an even offset do not find it.
    #[error(
        "the padding byte is missing behind the WAV file's chunk `{id}`, which has an odd number of bytes; write one, or that chunk with an even size"
    )]
    Unpadded {
        /// The chunk before.
        id: String,
    },
    /// Two files, one behind the other: players play the first one only.
    #[error(
        "a second WAV file follows the first one in the upload; upload each recording by itself, or join the audio"
    )]
    SecondFile,
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
    #[error(
        "the WAV header says `{found}` for the {field}, where `{expected}` is expected; correct that number, or export the recording again"
    )]
    Unexpected {
        /// What does not fit the rest.
        field: &'static str,
        /// What it says.
        found: u64,
        /// What the rest of the header asks for.
        expected: u64,
    },
    /// The extensible form without what it extends.
    #[error(
        "the WAV header has the extensible form, but its extension is cut or names no known encoding; export the recording again as 16-bit PCM"
    )]
    Extension,
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
}

impl Layout {
    /// Where the samples are, for whoever silences them.
    fn mark(self, at: u64, bytes: u64) -> Mark {
        match self.sample {
            Some(sample) => Mark::Samples { at, bytes, rate: self.rate, frame: self.block, sample },
            None if self.samples_per_block > 1 => Mark::Gsm { at, bytes, rate: self.rate },
            // Players do not agree on how large they are.
            None => Mark::Other,
        }
    }
}

/// Whether a known chunk begins right behind one of odd size. Some players look for it one byte later.
fn unpadded(before: [u8; 4], id: [u8; 4]) -> Option<WavFault> {
    let known = METADATA.contains(&&id) || id == *b"fmt " || id == *b"data";
    known.then(|| WavFault::Unpadded { id: before.escape_ascii().to_string() })
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

/// Four letters and a larger size are audio.
const OWN_CHUNK_LIMIT: u32 = 1 << 24;

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
