//! Measures how long an uploaded recording is, from the audio itself.
//!
//! Consent covers stretches of a call, so the gateway must know how much audio an upload holds before it
//! keeps it. Headers are written by the uploader and can lie. [`Meter`] reads every byte once, as it passes,
//! in bounded memory, and counts samples, frames and packets.
//!
//! It does not know which call the upload belongs to, what media type was claimed for it, or what is said in
//! it. It cannot see a false sample rate, because the same samples are valid at any rate: it accepts only the
//! usual ones ([`RATES`]). It does not decode, so bytes that a codec carries but does not play (the ancillary
//! bits of an MP3 frame, say) count as part of the frame that holds them.
//!
//! INVARIANT: a duration is never shorter than the audio that a player could play. Four rules uphold it.
//! Every byte is audio that is counted, framing and codec headers that are checked, or metadata within
//! [`METADATA_LIMIT`]. Of two counts that disagree the larger one holds. What is doubtful is refused, and so is
//! what can be read as another format, too.

mod carry;
mod disguise;
mod fields;
mod mp3;
mod ogg;
mod other;
mod redact;
mod silence;
#[cfg(test)]
mod tests;
mod wav;

use thiserror::Error;

use zeroize::Zeroizing;

pub use self::redact::{Plan, Silenced};
use self::{carry::Carry, disguise::Disguise, redact::Marks, redact::Redactor};
use self::{mp3::Mp3, ogg::Ogg, wav::Wav};
pub use self::{mp3::Mp3Fault, ogg::OggFault, silence::Silence, wav::WavFault};

/// Measures one upload as its bytes pass by.
///
/// How the bytes are cut into pushes makes no difference to the outcome. Nothing that the meter held of the
/// audio outlives it: its buffers are wiped when they are dropped.
pub struct Meter {
    stage: Stage,
    /// What else the upload may be, once it is recognised.
    disguise: Option<Disguise>,
    /// What silences it, if anything is to be silenced.
    redactor: Option<Redactor>,
}

enum Stage {
    Recognising(Carry),
    Wav(Box<Wav>),
    Mp3(Box<Mp3>),
    Ogg(Box<Ogg>),
    Refused(Unmeasurable),
}

impl Stage {
    /// Where the parser says what it has found.
    fn marks(&mut self) -> Option<&mut Marks> {
        match self {
            Self::Wav(wav) => Some(&mut wav.marks),
            Self::Mp3(mp3) => Some(&mut mp3.marks),
            Self::Ogg(ogg) => Some(&mut ogg.marks),
            Self::Recognising(_) | Self::Refused(_) => None,
        }
    }

    /// The place before which the parser has recognised everything.
    fn reached(&self) -> u64 {
        match self {
            Self::Wav(wav) => wav.reached(),
            Self::Mp3(mp3) => mp3.reached(),
            Self::Ogg(ogg) => ogg.reached(),
            Self::Recognising(_) | Self::Refused(_) => 0,
        }
    }

    fn format(&self) -> Option<Format> {
        match self {
            Self::Wav(_) => Some(Format::Wav),
            Self::Mp3(_) => Some(Format::Mp3),
            Self::Ogg(_) => Some(Format::Ogg),
            Self::Recognising(_) | Self::Refused(_) => None,
        }
    }
}

impl Meter {
    /// A meter for one upload. The format is recognised from the content, never from a claimed type.
    #[must_use]
    pub fn new() -> Self {
        Self { stage: Stage::Recognising(Carry::default()), disguise: None, redactor: None }
    }

    /// A meter that silences what the plan says.
    #[must_use]
    pub fn silencing(plan: Plan) -> Self {
        let redactor = (!plan.is_empty()).then(|| Redactor::new(plan));
        Self { redactor, ..Self::new() }
    }

    /// Reads on.
    ///
    /// # Errors
    ///
    /// As soon as the upload cannot be measured. Every later call repeats the first error.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable> {
        if let Some(redactor) = &mut self.redactor {
            redactor.release();
        }
        let outcome = self.read(bytes);
        if let Err(cause) = &outcome {
            self.stage = Stage::Refused(cause.clone());
        }
        outcome
    }

    /// What may be kept of what was pushed by now, silenced where need be. `pushed` is what was pushed last. Some of it
    /// may come only after a later push, or at the end.
    #[must_use]
    pub fn passed<'a>(&'a self, pushed: &'a [u8]) -> &'a [u8] {
        match (&self.redactor, &self.stage) {
            (None, _) => pushed,
            (Some(_), Stage::Recognising(_)) => &[],
            (Some(redactor), _) => redactor.ready(),
        }
    }

    /// The measurement, once the whole upload has passed.
    ///
    /// # Errors
    ///
    /// If the upload could not be measured, ended too early, or holds no audio.
    pub fn finish(self) -> Result<Measured, Unmeasurable> {
        Ok(self.finish_silencing()?.measured)
    }

    /// The measurement, and what was silenced, with the last bytes of the upload.
    ///
    /// # Errors
    ///
    /// As [`Meter::finish`].
    pub fn finish_silencing(mut self) -> Result<Finished, Unmeasurable> {
        let redactor = self.redactor.take();
        let measured = self.measured()?;
        let (rest, silenced) = match redactor {
            Some(redactor) => redactor.finish(measured.duration_ms),
            None => (Zeroizing::default(), Silenced::Nothing),
        };
        Ok(Finished { measured, silenced, rest })
    }

    fn measured(self) -> Result<Measured, Unmeasurable> {
        let measured = match self.stage {
            Stage::Recognising(start) if start.is_empty() => Err(Unmeasurable::Empty),
            Stage::Recognising(start) => {
                Err(other::refusal(start.held()).unwrap_or_else(|| other::guess(start.held())))
            }
            Stage::Wav(wav) => wav.finish(),
            Stage::Mp3(mp3) => mp3.finish(),
            Stage::Ogg(ogg) => ogg.finish(),
            Stage::Refused(cause) => Err(cause),
        }?;
        if measured.duration_ms == 0 {
            return Err(Unmeasurable::NoAudio);
        }
        self.disguise.map_or(Ok(()), |disguise| disguise.finish())?;
        Ok(measured)
    }

    fn read(&mut self, mut bytes: &[u8]) -> Result<(), Unmeasurable> {
        if let Stage::Recognising(start) = &mut self.stage {
            let Some(start) = start.array(&mut bytes) else { return Ok(()) };
            self.stage = recognise(start)?;
            if let (Some(_), Some(marks)) = (&self.redactor, self.stage.marks()) {
                *marks = Marks::wanted();
            }
            self.disguise = self.stage.format().map(Disguise::of);
            self.feed(&start)?;
        }
        self.feed(bytes)
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable> {
        if let Some(disguise) = &mut self.disguise {
            disguise.push(bytes);
        }
        match &mut self.stage {
            Stage::Recognising(_) => {}
            Stage::Wav(wav) => wav.push(bytes)?,
            Stage::Mp3(mp3) => mp3.push(bytes)?,
            Stage::Ogg(ogg) => ogg.push(bytes)?,
            Stage::Refused(cause) => return Err(cause.clone()),
        }
        if let Some(redactor) = &mut self.redactor {
            let marks = self.stage.marks().map(Marks::take).unwrap_or_default();
            redactor.push(bytes, marks, self.stage.reached());
        }
        Ok(())
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

/// An upload that has passed whole.
#[derive(Debug)]
pub struct Finished {
    /// What it is.
    pub measured: Measured,
    /// What of it was silenced.
    pub silenced: Silenced,
    /// Its last bytes, which [`Meter::passed`] has not shown.
    pub rest: Zeroizing<Vec<u8>>,
}

/// What an upload turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The container that was recognised.
    pub format: Format,
    /// Milliseconds of audio, rounded up; never zero, at most 24 hours.
    pub duration_ms: u64,
    /// What the codec may have added to the sound that was recorded, in milliseconds, rounded up: encoder delay,
    /// pre-skip, and what fills the last frame. Four frames of MP3, 120 ms and the longest packet of Opus, the
    /// longest packet of Vorbis and Speex, nothing in WAV; whatever the file's headers say of it. `duration_ms`
    /// holds it, because a player may play it.
    pub codec_adds_ms: u64,
    /// Where the recording is silent. Known for PCM and G.711 only: other codecs would have to be decoded.
    pub silence: Option<Silence>,
    /// Channels, 1 to 8.
    pub channels: u16,
    /// Samples per second and channel.
    pub sample_rate: u32,
}

/// A container that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RIFF WAVE.
    Wav,
    /// MPEG audio layer III, with or without ID3 tags.
    Mp3,
    /// Ogg with Opus, Vorbis or Speex.
    Ogg,
}

impl Format {
    /// The media type to store and serve the recording under.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
        }
    }

    /// The file name extension, without a dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Ogg => "ogg",
        }
    }
}

/// Why an upload cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unmeasurable {
    /// No byte came.
    #[error("the upload is empty; send the recording as the body of the request")]
    Empty,
    /// The container is fine, but nothing is in it.
    #[error("the recording holds no audio; check that the recorder wrote it completely")]
    NoAudio,
    /// A format that is known by name, but not measured.
    #[error("the upload is {name}, which is not measured; send {ACCEPTED}")]
    OtherFormat {
        /// The format's usual name.
        name: &'static str,
    },
    /// Nothing known.
    #[error("the upload is not a recording in a known format; send {ACCEPTED}")]
    Unrecognised,
    /// More than a day of audio.
    #[error("the recording is longer than 24 hours; split it")]
    TooLong,
    /// Something stands in front of a file that would be a recording.
    #[error(
        "`{bytes}` bytes stand before the {name} file; upload the file alone, without a tag or anything else in front"
    )]
    Preceded {
        /// How many.
        bytes: u64,
        /// The usual name of the format.
        name: &'static str,
    },
    /// No recording, but known by name.
    #[error("the upload is {what}, not a recording; {instead}")]
    NoRecording {
        /// What it is.
        what: &'static str,
        /// What to send instead.
        instead: &'static str,
    },
    /// Some players would play another format, and perhaps for longer.
    #[error(
        "the upload can be read as {name}, too, and some players would play that; decode the recording that you mean, and send it as new WAV, MP3 or Ogg"
    )]
    Disguised {
        /// The other format's usual name.
        name: &'static str,
    },
    /// Speech could hide in tags, pictures and comments, so they are bounded.
    #[error(
        "the recording carries more than {METADATA_LIMIT} bytes of tags, pictures or other metadata; remove them"
    )]
    Metadata,
    /// A rate outside [`RATES`].
    #[error(
        "`{hz}` samples a second is not a usual sample rate; convert the recording to 8000, 16000, 44100 or 48000"
    )]
    SampleRate {
        /// What the header says.
        hz: u32,
    },
    /// No channel, or too many.
    #[error("the recording claims `{count}` channels; send 1 to {CHANNELS_LIMIT}")]
    Channels {
        /// What the header says.
        count: u16,
    },
    /// See [`WavFault`].
    #[error(transparent)]
    Wav(#[from] WavFault),
    /// See [`Mp3Fault`].
    #[error(transparent)]
    Mp3(#[from] Mp3Fault),
    /// See [`OggFault`].
    #[error(transparent)]
    Ogg(#[from] OggFault),
}

/// Samples per second. INVARIANT: one of [`RATES`], so never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate(u32);

impl Rate {
    fn accept(hz: u32) -> Result<Self, Unmeasurable> {
        if RATES.contains(&hz) { Ok(Self(hz)) } else { Err(Unmeasurable::SampleRate { hz }) }
    }

    fn hz(self) -> u32 {
        self.0
    }

    /// Milliseconds, rounded up, that this many samples of a channel last.
    fn duration_ms(self, samples: u64) -> Result<u64, Unmeasurable> {
        within_a_day(samples.saturating_mul(1000).div_ceil(u64::from(self.0)))
    }
}

fn within_a_day(ms: u64) -> Result<u64, Unmeasurable> {
    if ms > DURATION_LIMIT_MS { Err(Unmeasurable::TooLong) } else { Ok(ms) }
}

/// What an upload may still spend on bytes that are not audio.
struct Allowance(u64);

impl Allowance {
    fn new() -> Self {
        Self(METADATA_LIMIT)
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Unmeasurable> {
        self.0 = self.0.checked_sub(bytes).ok_or(Unmeasurable::Metadata)?;
        Ok(())
    }

    /// Bytes that say something: zeros fill space, and cost nothing.
    fn spend_on(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable> {
        let zeros = bytes.iter().filter(|byte| **byte == 0).count();
        self.spend(u64::try_from(bytes.len() - zeros).unwrap_or(u64::MAX))
    }
}

fn accept_channels(count: u16) -> Result<u16, Unmeasurable> {
    if (1..=CHANNELS_LIMIT).contains(&count) { Ok(count) } else { Err(Unmeasurable::Channels { count }) }
}

fn recognise(start: [u8; START]) -> Result<Stage, Unmeasurable> {
    match &start {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] => Ok(Stage::Wav(Box::new(Wav::new()))),
        [b'O', b'g', b'g', b'S', ..] => Ok(Stage::Ogg(Box::new(Ogg::new()))),
        [b'I', b'D', b'3', ..] => Ok(Stage::Mp3(Box::new(Mp3::new()))),
        start => match (other::refusal(start), start) {
            (Some(refusal), _) => Err(refusal),
            (None, [0xFF, 0xE0..=0xFF, ..]) => Ok(Stage::Mp3(Box::new(Mp3::new()))),
            // Perhaps a stream that was joined within a frame.
            (None, _) => Ok(Stage::Mp3(Box::new(Mp3::unless(other::guess(start))))),
        },
    }
}

/// Bytes by which the format is recognised.
const START: usize = 12;

/// Sample rates that telephony and recorders use. A false rate cannot be seen in the samples, so no others
/// are accepted.
pub const RATES: [u32; 10] = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

/// Bytes of an upload, zeros aside, that may be neither audio nor checked framing.
///
/// Recorders write notes and transcripts of 5 to 8 KiB, and logos of 12. No player plays them, but somebody could
/// hide speech there: it is less than a second of a telephone's samples.
pub const METADATA_LIMIT: u64 = 15 * 1024;

const DURATION_LIMIT_MS: u64 = 24 * 60 * 60 * 1000;
const CHANNELS_LIMIT: u16 = 8;
const ACCEPTED: &str = "WAV (PCM, float, G.711 or GSM), MP3 (layer III) or Ogg (Opus, Vorbis or Speex)";
