//! MP3: a chain of MPEG audio layer III frames (ISO/IEC 11172-3, 13818-3), each as long as its header says.
//!
//! Every frame counts with all its samples, also one that carries an encoder's statistics instead of audio
//! (Xing, Info, VBRI): which of them a player skips differs. It does not know what the frames say of the
//! duration, nor what they hold.
//!
//! INVARIANT: frame follows frame without a gap, all with the same rate and channels; only bounded tags lie
//! around them.

mod frame;
#[cfg(test)]
pub(super) mod tests;

use thiserror::Error;

use self::frame::Frame;
use super::{
    Allowance, Format, Measured, Unmeasurable,
    carry::{Carry, skipped},
};

/// An MP3 file that is being read.
pub(super) struct Mp3 {
    carry: Carry,
    stage: Stage,
    allowance: Allowance,
    /// Where the current piece begins.
    at: u64,
    /// The first frame: all others are alike.
    first: Option<Frame>,
    /// Frames of which at least the header came.
    frames: u64,
    /// An APE tag came after the audio: no more frames.
    tagged: bool,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Where a frame or a tag begins.
    Boundary,
    Frame {
        left: u64,
    },
    Id3v2,
    Ape,
    Tag {
        left: u64,
    },
    /// The rest of an ID3v1 tag, and the end.
    Id3v1 {
        left: u64,
    },
}

impl Mp3 {
    pub(super) fn new() -> Self {
        let (carry, allowance) = (Carry::default(), Allowance::new());
        Self { carry, stage: Stage::Boundary, allowance, at: 0, first: None, frames: 0, tagged: false }
    }

    pub(super) fn push(&mut self, mut input: &[u8]) -> Result<(), Unmeasurable> {
        while let Some(next) = self.step(&mut input)? {
            self.stage = next;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Measured, Unmeasurable> {
        let first = self.first.ok_or(Unmeasurable::NoAudio)?;
        match self.stage {
            Stage::Boundary if self.carry.is_empty() => {}
            // The recorder stopped inside a header. It counts as the frame that it began.
            Stage::Boundary if !self.tagged && first.may_begin(self.carry.held()) => self.frames += 1,
            Stage::Boundary => return Err(Mp3Fault::LostSync { at: self.at }.into()),
            // The same inside a frame, which a player may still play: its audio can lie in the frames before.
            Stage::Frame { .. } if self.frames > 1 => {}
            Stage::Frame { .. } => return Err(Unmeasurable::NoAudio),
            Stage::Id3v1 { left: 0 } => {}
            Stage::Id3v2 | Stage::Ape | Stage::Tag { .. } | Stage::Id3v1 { .. } => {
                return Err(Mp3Fault::CutTag.into());
            }
        }
        Ok(Measured {
            format: Format::Mp3,
            duration_ms: self.duration_ms(first)?,
            codec_adds_ms: first.rate.duration_ms(CODEC_ADDS_FRAMES * u64::from(first.samples()))?,
            silence: None,
            channels: first.channels(),
            sample_rate: first.rate.hz(),
        })
    }

    /// The next stage, or none when the input does not suffice.
    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Stage>, Unmeasurable> {
        match self.stage {
            Stage::Boundary => {
                let Some(start) = self.carry.array(input) else { return Ok(None) };
                let next = self.begin(start)?;
                self.at = self.at.saturating_add(4);
                Ok(Some(next))
            }
            Stage::Frame { mut left } => {
                let before = left;
                let whole = skipped(input, &mut left);
                self.at = self.at.saturating_add(before - left);
                self.stage = Stage::Frame { left };
                Ok(whole.then_some(Stage::Boundary))
            }
            Stage::Id3v2 => match self.carry.array(input) {
                Some(rest) => self.id3v2(rest).map(Some),
                None => Ok(None),
            },
            Stage::Ape => match self.carry.array(input) {
                Some(rest) => self.ape(rest).map(Some),
                None => Ok(None),
            },
            Stage::Tag { mut left } => {
                let whole = skipped(input, &mut left);
                self.stage = Stage::Tag { left };
                Ok(whole.then_some(Stage::Boundary))
            }
            Stage::Id3v1 { left: 0 } if !input.is_empty() => Err(Mp3Fault::AfterTag.into()),
            Stage::Id3v1 { left: 0 } => Ok(None),
            Stage::Id3v1 { mut left } => {
                let whole = skipped(input, &mut left);
                self.stage = Stage::Id3v1 { left };
                Ok(whole.then_some(Stage::Id3v1 { left: 0 }))
            }
        }
    }

    fn begin(&mut self, start: [u8; 4]) -> Result<Stage, Unmeasurable> {
        match &start {
            [b'I', b'D', b'3', _] if self.first.is_none() => Ok(Stage::Id3v2),
            [b'A', b'P', b'E', b'T'] if !self.tagged => Ok(Stage::Ape),
            [b'T', b'A', b'G', _] if self.first.is_some() => Ok(Stage::Id3v1 { left: ID3V1 - 4 }),
            _ if self.tagged => Err(Mp3Fault::AfterTag.into()),
            start => self.frame(*start),
        }
    }

    fn frame(&mut self, start: [u8; 4]) -> Result<Stage, Unmeasurable> {
        let frame = Frame::parse(start, self.at)?;
        let first = *self.first.get_or_insert(frame);
        if !frame.is_like(first) {
            return Err(Mp3Fault::Changed { at: self.at }.into());
        }
        self.frames = self.frames.saturating_add(1);
        self.duration_ms(first)?;
        Ok(Stage::Frame { left: u64::from(frame.length).saturating_sub(4) })
    }

    fn duration_ms(&self, first: Frame) -> Result<u64, Unmeasurable> {
        first.rate.duration_ms(self.frames.saturating_mul(u64::from(first.samples())))
    }

    /// ID3v2.4 section 3.1: the size has seven bits a byte and leaves out header and footer.
    fn id3v2(&mut self, [_revision, flags, size @ ..]: [u8; 6]) -> Result<Stage, Unmeasurable> {
        if size.iter().any(|byte| *byte > 0x7F) {
            return Err(Mp3Fault::BadTag.into());
        }
        let size = size.iter().fold(0, |sum, byte| sum << 7 | u64::from(*byte));
        let footer = if flags & 0x10 == 0 { 0 } else { ID3V2_HEADER };
        self.tag(ID3V2_HEADER, size + footer)
    }

    /// An APEv2 tag with a header, which says how many bytes follow it.
    fn ape(&mut self, rest: [u8; 28]) -> Result<Stage, Unmeasurable> {
        let [b'A', b'G', b'E', b'X', _, _, _, _, s0, s1, s2, s3, _, _, _, _, _, _, _, flags, ..] = rest
        else {
            return Err(Mp3Fault::LostSync { at: self.at.saturating_sub(4) }.into());
        };
        if flags & 0x20 == 0 {
            return Err(Mp3Fault::BadTag.into());
        }
        self.tagged = self.first.is_some();
        self.tag(APE_HEADER, u64::from(u32::from_le_bytes([s0, s1, s2, s3])))
    }

    fn tag(&mut self, header: u64, size: u64) -> Result<Stage, Unmeasurable> {
        self.allowance.spend(header + size)?;
        self.at = self.at.saturating_add(header + size - 4);
        Ok(Stage::Tag { left: size })
    }
}

/// Why an MP3 file cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mp3Fault {
    /// Something lies between the frames, or the file is none.
    #[error(
        "the MP3 stream has no frame at byte `{at}`, where one must begin; upload a file with nothing else in it"
    )]
    LostSync {
        /// Offset from the start of the upload.
        at: u64,
    },
    /// Layer I or II.
    #[error("the upload is MPEG audio layer {layer}, which is not measured; convert it to layer III (MP3)")]
    Layer {
        /// The layer's usual numeral.
        layer: &'static str,
    },
    /// The length of a frame is not in its header.
    #[error("the MP3 stream is in free format, which is not measured; encode it again with a usual bit rate")]
    FreeFormat,
    /// Two streams in one file.
    #[error(
        "the MP3 stream changes its version, sample rate or channels at byte `{at}`; upload each recording by itself"
    )]
    Changed {
        /// Offset from the start of the upload.
        at: u64,
    },
    /// Neither ID3v2 nor APEv2 as specified.
    #[error("a tag of the MP3 file is malformed; remove the tags")]
    BadTag,
    /// The file ends inside a tag.
    #[error("the MP3 file ends inside a tag; upload the whole file, or remove the tags")]
    CutTag,
    /// A tag closes the file.
    #[error("the MP3 file goes on after the tag that closes it; upload each recording by itself")]
    AfterTag,
}

/// A frame of statistics, the delay of encoder and decoder (1105 samples with LAME, two frames of the smaller
/// size), and what fills the last frame.
const CODEC_ADDS_FRAMES: u64 = 4;

const ID3V1: u64 = 128;
const ID3V2_HEADER: u64 = 10;
const APE_HEADER: u64 = 32;
