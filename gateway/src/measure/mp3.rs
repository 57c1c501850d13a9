//! MP3: a chain of MPEG audio layer III frames (ISO/IEC 11172-3, 13818-3), each as long as its header says.
//!
//! Every frame counts with all its samples, also one that carries an encoder's statistics instead of audio
//! (Xing, Info, VBRI): which of them a player skips differs. It does not know what the frames say of the
//! duration, nor what they hold.
//!
//! Recorders that reconnect leave half frames, and write the tags of several parts into the middle. Players
//! search for the next frame there, each in its own way, and some play what looks like one inside of a tag. So
//! whatever is no frame is kept within the allowance, and everything in it that looks like the header of a frame
//! counts as one.
//!
//! INVARIANT: no player finds more frames than were counted, wherever it begins to search and however many
//! frames in a row it wants to see before it believes in them. Only ID3v2 tags in front of
//! the first frame are passed over unseen, as every player does.

mod frame;
#[cfg(test)]
pub(super) mod tests;

use thiserror::Error;

use self::frame::Found;
pub(super) use self::frame::Frame;
pub(super) use self::frame::frame_length;
use super::{
    Allowance, Format, Measured, Unmeasurable,
    carry::{Carry, up_to},
    other,
    redact::{Mark, Marks},
    within_a_day,
};

/// An MP3 file that is being read.
pub(super) struct Mp3 {
    carry: Carry,
    stage: Stage,
    allowance: Allowance,
    /// Where the next byte stands.
    at: u64,
    /// What the upload is if there are no frames in it, and it does not begin like MP3.
    otherwise: Option<Unmeasurable>,
    /// The first frame that another one followed: all others are alike.
    first: Option<Frame>,
    /// Frames like the first.
    frames: u64,
    run: Run,
    /// The last four bytes.
    window: u32,
    /// Where the newest bytes begin that belong to no frame.
    strayed_at: Option<u64>,
    /// What looks like frames where none is due.
    stray: Found,
    /// Where a file of another format begins among what is no frame, and what it is called.
    foreign: Option<(u64, &'static str)>,
    pub(super) marks: Marks,
}

/// Frames that follow each other without a gap.
#[derive(Default)]
struct Run {
    length: u32,
    last: Option<Frame>,
    /// What looks like frames inside of these, as long as somebody may not believe in the run.
    inside: Found,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Where a frame or a tag begins.
    Boundary,
    Frame {
        left: u64,
    },
    Id3v2,
    Tag {
        left: u64,
    },
    /// On to the next frame.
    Stray,
}

impl Mp3 {
    /// For content that begins like MP3.
    pub(super) fn new() -> Self {
        Self {
            carry: Carry::default(),
            stage: Stage::Boundary,
            allowance: Allowance::new(),
            at: 0,
            otherwise: None,
            first: None,
            frames: 0,
            run: Run::default(),
            window: 0,
            strayed_at: None,
            stray: Found::default(),
            foreign: None,
            marks: Marks::default(),
        }
    }

    /// For content that may be a stream that was joined within a frame, or something else.
    pub(super) fn unless(otherwise: Unmeasurable) -> Self {
        Self { otherwise: Some(otherwise), ..Self::new() }
    }

    pub(super) fn push(&mut self, mut input: &[u8]) -> Result<(), Unmeasurable> {
        while let Some(next) = self.step(&mut input)? {
            self.stage = next;
        }
        Ok(())
    }

    /// The place before which everything is recognised.
    pub(super) fn reached(&self) -> u64 {
        self.at
    }

    pub(super) fn finish(mut self) -> Result<Measured, Unmeasurable> {
        match self.stage {
            Stage::Boundary => self.rest()?,
            // A player may still play what came of the frame: its audio can lie in the frames before.
            Stage::Frame { .. } => self.break_run()?,
            Stage::Stray => {}
            Stage::Id3v2 | Stage::Tag { .. } => return Err(Mp3Fault::CutTag.into()),
        }
        let Some(first) = self.first else { return Err(self.nothing()) };
        if let Some((bytes, name)) = self.foreign {
            return Err(Unmeasurable::Preceded { bytes, name });
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
                self.begin(start).map(Some)
            }
            Stage::Frame { left } => {
                let body = up_to(input, left);
                body.iter().for_each(|byte| self.look_inside(*byte));
                let left = self.pass(body, left);
                self.stage = Stage::Frame { left };
                Ok((left == 0).then_some(Stage::Boundary))
            }
            Stage::Id3v2 => match self.carry.array(input) {
                Some(rest) => self.id3v2(rest).map(Some),
                None => Ok(None),
            },
            Stage::Tag { left } => {
                let tag = up_to(input, left);
                self.allowance.spend_on(tag)?;
                let left = self.pass(tag, left);
                self.stage = Stage::Tag { left };
                Ok((left == 0).then_some(Stage::Boundary))
            }
            Stage::Stray => {
                let Some((byte, rest)) = input.split_first() else { return Ok(None) };
                *input = rest;
                self.stray(*byte).map(Some)
            }
        }
    }

    /// Takes the four bytes that stand where a frame is due.
    fn begin(&mut self, start: [u8; 4]) -> Result<Stage, Unmeasurable> {
        let in_front = self.run.last.is_none() && self.strayed_at.is_none();
        match start {
            [b'I', b'D', b'3', 2..=4] if in_front => return Ok(Stage::Id3v2),
            [b'I', b'D', b'3', _] if in_front => return Err(Mp3Fault::BadTag.into()),
            _ => {}
        }
        if in_front && let Some(name) = other::beginning(&start) {
            return Err(Unmeasurable::Preceded { bytes: self.at, name });
        }
        let unknown = self.first.is_none() && self.run.last.is_some();
        match (Frame::parse(start, self.at), self.first.or(self.run.last)) {
            (Ok(frame), other) if other.is_none_or(|other| frame.is_like(other)) => {
                start.iter().take(3).for_each(|byte| self.look_inside(*byte));
                start.iter().skip(3).for_each(|byte| self.roll(*byte));
                self.frame(frame, self.at)
            }
            (Ok(_), _) if self.first.is_some() => Err(Mp3Fault::Changed { at: self.at }.into()),
            (Err(error), None)
                if in_front && !matches!(error, Unmeasurable::Mp3(Mp3Fault::LostSync { .. })) =>
            {
                Err(error)
            }
            (Ok(_) | Err(_), _) => {
                self.strayed_at = Some(self.at);
                self.marks.note(|| Mark::Stray);
                self.break_run()?;
                // Whoever takes the one before for the first frame plays all others at its rate.
                if unknown && matches!(start, [0xFF, 0xE0..=0xFF, ..]) {
                    return Err(self.nothing());
                }
                // A frame may begin with the last bytes of the one before.
                self.stage = Stage::Stray;
                self.push(&start)?;
                Ok(self.stage)
            }
        }
    }

    /// Takes a byte where no frame is due: one may begin with it and the three before.
    fn stray(&mut self, byte: u8) -> Result<Stage, Unmeasurable> {
        self.allowance.spend_on(&[byte]).map_err(|_| self.nothing())?;
        self.roll(byte);
        self.notice();
        self.at = self.at.saturating_add(1);
        if self.otherwise.is_some() && self.first.is_none() && self.at > FIRST_FRAME_WITHIN {
            return Err(self.nothing());
        }
        let at = self.at.saturating_sub(4);
        if let Ok(frame) = Frame::parse(self.window.to_be_bytes(), at)
            && self.first.is_none_or(|first| frame.is_like(first))
        {
            return self.frame(frame, at);
        }
        let found = frame::looks_like(self.window);
        if self.first.is_none() && found != Found::default() {
            // One of another kind, which some players would take for the first.
            return Err(self.nothing());
        }
        self.stray.add(found);
        Ok(Stage::Stray)
    }

    /// Begins a frame at an offset, with its header.
    fn frame(&mut self, frame: Frame, at: u64) -> Result<Stage, Unmeasurable> {
        if let (None, Some(before)) = (self.first, self.run.last) {
            (self.first, self.frames) = (Some(before), 1);
        }
        self.marks.note(|| Mark::Frame { at, frame });
        self.run.last = Some(frame);
        self.run.length = self.run.length.saturating_add(1);
        if self.run.length > BELIEVED {
            self.run.inside = Found::default();
        }
        if let Some(first) = self.first {
            self.frames = self.frames.saturating_add(1);
            self.duration_ms(first)?;
        }
        self.at = at.saturating_add(4);
        Ok(Stage::Frame { left: u64::from(frame.length).saturating_sub(4) })
    }

    /// No frame follows the last one.
    fn break_run(&mut self) -> Result<(), Unmeasurable> {
        let run = std::mem::take(&mut self.run);
        self.stray.add(run.inside);
        let Some(frame) = run.last.filter(|_| self.first.is_none()) else { return Ok(()) };
        // One that nothing followed is not counted yet. Others in it could be the first to somebody.
        self.stray.add(frame.found());
        if run.inside == Found::default() { Ok(()) } else { Err(self.nothing()) }
    }

    /// The bytes that are left where a frame is due, less than a header has.
    fn rest(&mut self) -> Result<(), Unmeasurable> {
        let carry = std::mem::take(&mut self.carry);
        let held = carry.held();
        match self.first {
            // A file of one frame.
            None if held.is_empty() && self.strayed_at.is_none() => {
                self.first = self.run.last;
                self.frames = 1;
            }
            Some(_) if held.is_empty() && self.run.length > 1 => {}
            // The recorder stopped inside a header. It counts as the frame that it began.
            Some(first) if !held.is_empty() && first.may_begin(held) => {
                self.frames = self.frames.saturating_add(1);
            }
            Some(_) | None => {
                self.strayed_at = Some(self.at);
                self.break_run()?;
                self.allowance.spend_on(held)?;
            }
        }
        Ok(())
    }

    /// Why there is no recording in here.
    fn nothing(&self) -> Unmeasurable {
        match (&self.otherwise, self.strayed_at) {
            (Some(otherwise), _) if self.first.is_none() => otherwise.clone(),
            (_, Some(at)) => Mp3Fault::LostSync { at }.into(),
            (_, None) => Unmeasurable::NoAudio,
        }
    }

    fn roll(&mut self, byte: u8) {
        self.window = self.window << 8 | u32::from(byte);
    }

    /// A player that searches for a file of another format plays that, and not what looks like frames around it.
    fn notice(&mut self) {
        let foreign = match &self.window.to_be_bytes() {
            b"OggS" => "Ogg",
            b"RIFF" => "WAV",
            _ => return,
        };
        self.foreign.get_or_insert((self.at, foreign));
    }

    fn look_inside(&mut self, byte: u8) {
        self.roll(byte);
        if self.run.length <= BELIEVED {
            self.notice();
        }
        self.run.inside.add(frame::looks_like(self.window));
    }

    /// Goes on behind a piece: what is left of it.
    fn pass(&mut self, piece: &[u8], left: u64) -> u64 {
        let passed = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.at = self.at.saturating_add(passed);
        left.saturating_sub(passed)
    }

    fn duration_ms(&self, first: Frame) -> Result<u64, Unmeasurable> {
        let ms = first.rate.duration_ms(self.frames.saturating_mul(u64::from(first.samples())))?;
        // Some players change to the rate and channels of each frame, some play all as if they were the first's.
        let as_first = first.rate.duration_ms(self.stray.samples.div_ceil(u64::from(first.channels())))?;
        within_a_day(ms.saturating_add(as_first.max(self.stray.micros.div_ceil(1000))))
    }

    /// ID3v2.4 section 3.1: the size has seven bits a byte and leaves out header and footer. A tag in front needs no
    /// footer, and players differ in whether they pass over one.
    fn id3v2(&mut self, [revision, flags, size @ ..]: [u8; 6]) -> Result<Stage, Unmeasurable> {
        if revision == 0xFF || flags & 0x10 != 0 || size.iter().any(|byte| *byte > 0x7F) {
            return Err(Mp3Fault::BadTag.into());
        }
        let size = size.iter().fold(0, |sum, byte| sum << 7 | u64::from(*byte));
        self.allowance.spend(ID3V2_HEADER)?;
        self.at = self.at.saturating_add(ID3V2_HEADER);
        self.window = 0;
        Ok(Stage::Tag { left: size })
    }
}

/// Why an MP3 file cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mp3Fault {
    /// Too much lies between the frames, or the file is none.
    #[error(
        "the MP3 stream has no frame at byte `{at}`, where one must begin, nor soon after; upload a file with nothing else in it"
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
    /// Not ID3v2 as specified.
    #[error("the ID3 tag in front of the MP3 file is malformed, or has a footer; remove it")]
    BadTag,
    /// The file ends inside a tag.
    #[error("the MP3 file ends inside the ID3 tag in front; upload the whole file, or remove the tag")]
    CutTag,
}

/// A frame of statistics, the delay of encoder and decoder (1105 samples with LAME, two frames of the smaller
/// size), and what fills the last frame.
const CODEC_ADDS_FRAMES: u64 = 4;

/// Frames that may follow the first of a run until every player believes in it: from one to ten.
const BELIEVED: u32 = 10;

/// Where the first frame of a stream must begin that was joined within one. None is longer than 1441 bytes.
const FIRST_FRAME_WITHIN: u64 = 8192;

const ID3V2_HEADER: u64 = 10;
