//! Opus in Ogg (RFC 7845), and how long an Opus packet lasts (RFC 6716 section 3).
//!
//! INVARIANT: a packet that counts satisfies every rule of RFC 6716 section 3.4, so a decoder plays all of
//! it, and no byte of it is left over.

use super::{
    super::{Allowance, Rate, Unmeasurable, accept_channels, fields::Fields},
    OggFault,
};

/// An Opus stream.
pub(super) struct Opus {
    channels: u16,
    /// Opus streams that every Ogg packet holds (RFC 7845 section 5.1.1).
    pub(super) streams: u8,
    /// Samples that players are told to skip. They can play them, so for the measurement they do not matter.
    pub(super) pre_skip: u64,
    pub(super) tagged: bool,
    /// Samples of the packet before.
    previous: u64,
}

impl Opus {
    /// Whatever the input was, Opus decodes to this rate (RFC 7845 section 5.1).
    pub(super) const RATE: Rate = Rate(48_000);

    /// 120 ms. Encoders skip 2.5 to 6.5 ms, and whoever cuts a stream 80 ms to begin with (RFC 7845 section 4.2),
    /// or a whole packet.
    pub(super) const PRE_SKIP_LIMIT: u64 = 5760;

    /// The identification header, without its magic.
    pub(super) fn parse(header: &[u8]) -> Result<Self, Unmeasurable> {
        let opus = Self::header(header).ok_or(OggFault::Header { header: "OpusHead" })?;
        accept_channels(opus.channels)?;
        Ok(opus)
    }

    /// RFC 7845 section 5.1. Pre-skip and gain do not matter: what a player is told to skip, it can also
    /// play.
    fn header(header: &[u8]) -> Option<Self> {
        let mut fields = Fields(header);
        let version = fields.u8()?;
        let channels = fields.u8()?;
        let pre_skip = u64::from(fields.u16()?);
        let _input_rate = fields.u32()?;
        let _gain = fields.u16()?;
        let streams = match fields.u8()? {
            0 if channels <= 2 => 1,
            1 => {
                let (streams, coupled) = (fields.u8()?, fields.u8()?);
                let mapping = fields.bytes(usize::from(channels))?;
                Some(streams).filter(|_| all_is_heard(streams, coupled, mapping))?
            }
            _ => return None,
        };
        let known = version >> 4 == 0 && fields.0.is_empty();
        known.then_some(Self { channels: u16::from(channels), streams, pre_skip, tagged: false, previous: 0 })
    }

    pub(super) fn channels(&self) -> u16 {
        self.channels
    }

    /// The samples that a packet decodes to, or none for the comment header.
    pub(super) fn read(
        &mut self,
        packet: &[u8],
        allowance: &mut Allowance,
    ) -> Result<Option<u64>, Unmeasurable> {
        if self.tagged {
            // A packet of no bytes is one that was lost, and decoders fill its time (RFC 6716 section 4.4).
            if !packet.is_empty() {
                self.previous = self.samples(packet)?;
            }
            return Ok(Some(self.previous));
        }
        if !packet.starts_with(b"OpusTags") {
            return Err(OggFault::Header { header: "OpusTags" }.into());
        }
        allowance.spend_on(packet)?;
        self.tagged = true;
        Ok(None)
    }

    /// RFC 7845 section 3: all streams but the last are self-delimiting, and all last equally long.
    fn samples(&self, packet: &[u8]) -> Result<u64, OggFault> {
        let mut fields = Fields(packet);
        let mut samples = None;
        for stream in 1..=self.streams {
            let framing = if stream < self.streams { Framing::Delimited } else { Framing::Rest };
            let part = frames(&mut fields, framing).ok_or(OggFault::Packet { codec: "Opus" })?;
            if part.covert {
                return Err(OggFault::Padding { codec: "Opus" });
            }
            if *samples.get_or_insert(part.samples) != part.samples {
                return Err(OggFault::Packet { codec: "Opus" });
            }
        }
        Ok(samples.unwrap_or(0))
    }
}

/// Whether every decoded channel is played as some output channel. One that is not could say anything.
fn all_is_heard(streams: u8, coupled: u8, mapping: &[u8]) -> bool {
    let decoded = streams.saturating_add(coupled);
    streams > 0
        && coupled <= streams
        && (0..decoded).all(|channel| mapping.contains(&channel))
        && mapping.iter().all(|channel| *channel < decoded || *channel == SILENT)
}

/// How an Opus packet ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// It says so itself (RFC 6716 appendix B).
    Delimited,
    /// With the bytes.
    Rest,
}

struct Part {
    samples: u64,
    /// Padding that says something. RFC 6716 section 3.2.5 wants zeros there "to avoid creating a covert
    /// channel".
    covert: bool,
}

/// Takes one Opus packet off the front. None if it breaks a rule.
fn frames(fields: &mut Fields<'_>, framing: Framing) -> Option<Part> {
    let toc = fields.u8()?;
    let duration = frame_samples(toc >> 3);
    let layout = match toc & 0x03 {
        0 => Layout { count: 1, variable: false, padding: 0 },
        1 => Layout { count: 2, variable: false, padding: 0 },
        2 => Layout { count: 2, variable: true, padding: 0 },
        _ => Layout::parse(fields)?,
    };
    let samples = duration * u64::from(layout.count);
    if !(1..=PACKET_SAMPLES).contains(&samples) {
        return None;
    }
    layout.skip(fields, framing)?;
    let padding = fields.bytes(layout.padding)?;
    if framing == Framing::Rest && !fields.0.is_empty() {
        return None;
    }
    Some(Part { samples, covert: padding.iter().any(|byte| *byte != 0) })
}

/// How the frames lie in a packet.
struct Layout {
    count: u8,
    variable: bool,
    /// Zero bytes after the last frame.
    padding: usize,
}

impl Layout {
    /// RFC 6716 section 3.2.5: the frame count byte, and the length of the padding.
    fn parse(fields: &mut Fields<'_>) -> Option<Self> {
        let counts = fields.u8()?;
        let mut padding = 0;
        let mut more = counts & 0x40 != 0;
        while more {
            let length = fields.u8()?;
            more = length == 255;
            padding += if more { 254 } else { usize::from(length) };
        }
        Some(Self { count: counts & 0x3F, variable: counts & 0x80 != 0, padding })
    }

    /// Reads the lengths of the frames and passes over the frames.
    fn skip(&self, fields: &mut Fields<'_>, framing: Framing) -> Option<()> {
        let count = usize::from(self.count);
        let mut total = 0;
        if self.variable {
            for _ in 1..count {
                total += length(fields)?;
            }
        }
        // The rest is the last frame of several different ones, or all of several equal ones.
        let equal = if self.variable { 1 } else { count };
        match framing {
            Framing::Delimited => total += length(fields)? * equal,
            Framing::Rest => {
                let rest = fields.0.len().checked_sub(total.checked_add(self.padding)?)?;
                if !rest.is_multiple_of(equal) || rest / equal > FRAME_BYTES {
                    return None;
                }
                total += rest;
            }
        }
        fields.bytes(total).map(|_| ())
    }
}

/// RFC 6716 section 3.2.1: up to 251 in one byte, up to 1275 in two.
fn length(fields: &mut Fields<'_>) -> Option<usize> {
    let first = usize::from(fields.u8()?);
    if first < 252 { Some(first) } else { Some(first + 4 * usize::from(fields.u8()?)) }
}

/// RFC 6716 section 3.1, table 2: samples at 48 kHz in a frame of this configuration.
fn frame_samples(config: u8) -> u64 {
    match (config, config & 0x03) {
        (0..=11, 0) => 480,
        (0..=11, 1) => 960,
        (0..=11, 2) => 1920,
        (0..=11, _) => 2880,
        (12..=15, 0 | 2) => 480,
        (12..=15, _) => 960,
        (_, 0) => 120,
        (_, 1) => 240,
        (_, 2) => 480,
        (_, _) => 960,
    }
}

/// RFC 7845 section 5.1.1: an output channel that plays nothing.
const SILENT: u8 = 255;

/// RFC 6716 section 3.4: 120 ms.
const PACKET_SAMPLES: u64 = 5760;

/// RFC 6716 section 3.4.
const FRAME_BYTES: usize = 1275;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: u8, channels: u8, family: &[u8]) -> Option<Opus> {
        let fixed = [version, channels, 56, 1, 0x80, 0xBB, 0, 0, 0, 0];
        Opus::header(&[&fixed, family].concat())
    }

    /// The samples of a packet in a mono stream.
    fn samples(packet: &[u8]) -> Result<u64, OggFault> {
        head(1, 1, &[0]).unwrap().samples(packet)
    }

    const INVALID: Result<u64, OggFault> = Err(OggFault::Packet { codec: "Opus" });
    const COVERT: Result<u64, OggFault> = Err(OggFault::Padding { codec: "Opus" });

    #[test]
    fn the_first_byte_says_how_long_a_frame_is() {
        let ms = [10, 20, 40, 60].repeat(3).into_iter().chain([10, 20, 10, 20]).map(|ms| ms * 48);
        let expected: Vec<u64> = ms.chain([120, 240, 480, 960].repeat(4)).collect();
        let read: Vec<u64> = (0..32).map(|config| samples(&[config << 3]).unwrap()).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn several_frames_count_each() {
        let toc = 1 << 3;
        assert_eq!(samples(&[toc | 1, 5, 5]), Ok(1920));
        assert_eq!(samples(&[toc | 2, 1, 5, 5, 5]), Ok(1920));
        assert_eq!(samples(&[toc | 3, 3, 1, 2, 3]), Ok(2880));
        assert_eq!(samples(&[toc | 3, 0x83, 1, 2, 9, 9, 9, 9]), Ok(2880));
        assert_eq!(samples(&[16 << 3 | 3, 48]), Ok(5760));
    }

    #[test]
    fn a_packet_that_breaks_a_rule_is_refused() {
        let toc = 1 << 3;
        for packet in [
            &[][..],
            // Two equal frames in three bytes, and one frame that is longer than its packet.
            &[toc | 1, 5, 5, 5],
            &[toc | 2, 4, 5, 5, 5],
            &[toc | 2, 252],
            // No frames, more than 120 ms of them, and unequal ones.
            &[toc | 3],
            &[toc | 3, 0],
            &[toc | 3, 7],
            &[16 << 3 | 3, 49],
            &[toc | 3, 2, 1, 2, 3],
            // More padding than packet.
            &[toc | 3, 0x41, 3, 0, 0],
            &[toc | 3, 0x41, 255],
        ] {
            assert_eq!(samples(packet), INVALID, "{packet:?}");
        }
        assert!(samples(&[[toc].as_slice(), &[5; 1275]].concat()).is_ok());
        assert_eq!(samples(&[[toc].as_slice(), &[5; 1276]].concat()), INVALID);
    }

    #[test]
    fn padding_must_be_zero() {
        let toc = 1 << 3;
        assert_eq!(samples(&[toc | 3, 0x41, 2, 5, 0, 0]), Ok(960));
        assert_eq!(samples(&[toc | 3, 0x41, 2, 5, 0, 1]), COVERT);
        let long = [&[toc | 3, 0x41, 255, 3, 5][..], &[0; 257]].concat();
        assert_eq!(samples(&long), Ok(960));
        assert_eq!(samples(&[&long[..], &[0]].concat()), Ok(960), "the frame is one byte longer");
    }

    #[test]
    fn the_streams_of_a_packet_last_equally_long() {
        let toc = 1 << 3;
        let stereo = head(1, 2, &[1, 2, 0, 0, 1]).unwrap();
        assert_eq!(stereo.samples(&[toc, 2, 5, 5, toc, 5]), Ok(960));
        assert_eq!(stereo.samples(&[toc | 1, 1, 5, 5, toc | 1, 5, 5]), Ok(1920));
        assert_eq!(stereo.samples(&[toc | 2, 1, 2, 5, 5, 5, toc | 2, 1, 5]), Ok(1920));
        assert_eq!(stereo.samples(&[toc | 3, 0x41, 1, 1, 5, 0, toc, 5]), Ok(960));
        assert_eq!(stereo.samples(&[toc | 3, 0x41, 1, 1, 5, 9, toc, 5]), COVERT);
        for packet in [&[toc, 2, 5, 5][..], &[toc, 2, 5, 5, toc | 1, 5, 5], &[toc, 9, 5, 5, toc]] {
            assert_eq!(stereo.samples(packet), INVALID, "{packet:?}");
        }
    }

    #[test]
    fn a_header_that_hides_a_stream_is_refused() {
        assert!(head(1, 2, &[0]).is_some() && head(15, 1, &[0]).is_some());
        assert!(head(1, 3, &[0]).is_none() && head(16, 1, &[0]).is_none() && head(1, 1, &[0, 9]).is_none());
        assert!(head(1, 6, &[1, 4, 2, 0, 4, 1, 2, 3, 5]).is_some());
        assert!(head(1, 3, &[1, 1, 1, 0, 1, SILENT]).is_some());
        // A stream or a channel that no output plays, one too many, none at all, and another family.
        assert!(head(1, 1, &[1, 2, 0, 0]).is_none());
        assert!(head(1, 1, &[1, 1, 1, 0]).is_none());
        assert!(head(1, 1, &[1, 1, 0, 1]).is_none() && head(1, 1, &[1, 1, 2, 0]).is_none());
        assert!(head(1, 1, &[1, 0, 0, SILENT]).is_none());
        assert!(head(1, 1, &[255, 1, 0, 0]).is_none() && head(1, 1, &[1, 1, 0]).is_none());
        assert!(matches!(
            Opus::parse(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Err(Unmeasurable::Channels { count: 0 })
        ));
    }
}
