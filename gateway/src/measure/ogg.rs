//! Ogg (RFC 3533): pages, and the packets that they are cut into.
//!
//! The duration is the larger of what the packets decode to and what the pages' granule positions span. It
//! knows how long a packet lasts only from its codec: see [`opus`], [`vorbis`] and [`speex`].
//!
//! INVARIANT: the upload is one logical stream of whole pages in order, from its first page to its last byte,
//! and every packet in it is a header within the allowance or audio that is counted.

mod codec;
mod opus;
mod page;
mod speex;
#[cfg(test)]
pub(super) mod tests;
mod vorbis;

use thiserror::Error;

use self::{
    codec::Codec,
    page::{HEADER, Page},
};
use super::{Allowance, Format, Measured, Rate, Unmeasurable, carry::Carry};

/// An Ogg file that is being read.
pub(super) struct Ogg {
    carry: Carry,
    stage: Stage,
    page: Page,
    stream: Stream,
}

#[derive(Clone, Copy)]
enum Stage {
    Header,
    Lacing,
    Body,
}

impl Ogg {
    pub(super) fn new() -> Self {
        let (page, stream) = (Page::default(), Stream::new());
        Self { carry: Carry::default(), stage: Stage::Header, page, stream }
    }

    pub(super) fn push(&mut self, mut input: &[u8]) -> Result<(), Unmeasurable> {
        while let Some(next) = self.step(&mut input)? {
            self.stage = next;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Measured, Unmeasurable> {
        match self.stage {
            Stage::Header if self.carry.is_empty() => self.stream.finish(),
            Stage::Header | Stage::Lacing | Stage::Body => Err(OggFault::Cut.into()),
        }
    }

    /// The next stage, or none when the input does not suffice.
    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Stage>, Unmeasurable> {
        match self.stage {
            Stage::Header => {
                let Some(header) = self.carry.array::<HEADER>(input) else { return Ok(None) };
                self.page = Page::parse(&header).ok_or(OggFault::LostPage { page: self.stream.pages })?;
                Ok(Some(Stage::Lacing))
            }
            Stage::Lacing => {
                let Some(lacing) = self.carry.take(input, self.page.segments()) else { return Ok(None) };
                self.page.set_lacing(lacing);
                Ok(Some(Stage::Body))
            }
            Stage::Body => {
                let Some(body) = self.carry.take(input, self.page.body_length()) else { return Ok(None) };
                self.stream.page(&self.page, body)?;
                Ok(Some(Stage::Header))
            }
        }
    }
}

/// The one logical stream.
struct Stream {
    serial: u32,
    /// The number that the next page must carry.
    sequence: u32,
    pages: u64,
    ended: bool,
    /// The start of a packet that goes on in the next page.
    open: Carry,
    codec: Option<Codec>,
    allowance: Allowance,
    length: Length,
}

impl Stream {
    fn new() -> Self {
        let (open, allowance, length) = (Carry::default(), Allowance::new(), Length::default());
        Self { serial: 0, sequence: 0, pages: 0, ended: false, open, codec: None, allowance, length }
    }

    fn page(&mut self, page: &Page, body: &[u8]) -> Result<(), Unmeasurable> {
        if !page.is_intact(body) {
            return Err(OggFault::Checksum { page: self.pages }.into());
        }
        self.admit(page)?;
        if page.segments() == 0 {
            // Nothing to play, but 27 bytes that could say something else.
            self.allowance.spend(HEADER as u64)?;
        }
        self.packets(page.lacing(), body)?;
        self.length.position(page.granule());
        self.codec.as_ref().map_or(Ok(0), |codec| codec.rate().duration_ms(self.length.samples()))?;
        Ok(())
    }

    /// RFC 3533 section 6: the page belongs to the stream and follows the page before it.
    fn admit(&mut self, page: &Page) -> Result<(), OggFault> {
        if self.pages == 0 {
            if !page.begins_stream() {
                return Err(OggFault::NoBeginning);
            }
            (self.serial, self.sequence) = (page.serial(), page.sequence());
        } else if self.ended || page.begins_stream() || page.serial() != self.serial {
            return Err(OggFault::SecondStream { page: self.pages });
        }
        if page.sequence() != self.sequence {
            return Err(OggFault::PageOrder { page: self.pages });
        }
        if page.continues_packet() == self.open.is_empty() {
            return Err(OggFault::Continuation { page: self.pages });
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.pages = self.pages.saturating_add(1);
        self.ended = page.ends_stream();
        Ok(())
    }

    /// RFC 3533 section 5: a packet ends with the first lacing value below 255.
    fn packets(&mut self, lacing: &[u8], mut body: &[u8]) -> Result<(), Unmeasurable> {
        let mut length = 0;
        for value in lacing {
            length += usize::from(*value);
            if *value < 255 {
                let (part, rest) = body.split_at_checked(length).unwrap_or((body, &[]));
                self.part(part)?;
                (body, length) = (rest, 0);
            }
        }
        if body.is_empty() { Ok(()) } else { self.hold(body) }
    }

    /// Takes the last part of a packet.
    fn part(&mut self, part: &[u8]) -> Result<(), Unmeasurable> {
        if self.open.is_empty() {
            self.length.add(Codec::read(&mut self.codec, part, &mut self.allowance)?);
            return Ok(());
        }
        self.hold(part)?;
        self.length.add(Codec::read(&mut self.codec, self.open.held(), &mut self.allowance)?);
        self.open.clear();
        Ok(())
    }

    fn hold(&mut self, part: &[u8]) -> Result<(), Unmeasurable> {
        if self.open.held().len() + part.len() > PACKET_LIMIT {
            return Err(OggFault::PacketTooLong.into());
        }
        self.open.hold(part);
        Ok(())
    }

    fn finish(self) -> Result<Measured, Unmeasurable> {
        if !self.open.is_empty() {
            return Err(OggFault::Cut.into());
        }
        let codec = self.codec.ok_or(Unmeasurable::NoAudio)?;
        let rate: Rate = codec.rate();
        Ok(Measured {
            format: Format::Ogg,
            duration_ms: rate.duration_ms(self.length.samples())?,
            codec_adds_ms: rate
                .duration_ms(codec.pre_skip_limit().saturating_add(self.length.longest_packet))?,
            silence: None,
            channels: codec.channels(),
            sample_rate: rate.hz(),
        })
    }
}

/// How long the stream is, counted twice.
#[derive(Default)]
struct Length {
    /// Samples that the packets decode to.
    decoded: u64,
    longest_packet: u64,
    /// Whether a packet of audio has come.
    begun: bool,
    span: Option<Span>,
}

/// What the granule positions span. A stream may begin at any of them (RFC 7845 section 4.3).
#[derive(Clone, Copy)]
struct Span {
    /// The first position that follows audio, and the samples that had been decoded up to there.
    first: i64,
    decoded: u64,
    last: i64,
}

impl Length {
    fn add(&mut self, audio: Option<u64>) {
        if let Some(samples) = audio {
            self.decoded = self.decoded.saturating_add(samples);
            self.longest_packet = self.longest_packet.max(samples);
            self.begun = true;
        }
    }

    /// Takes the granule position of a page, once the packets that end on it are counted. It can lie: a
    /// position that goes back shortens nothing.
    fn position(&mut self, granule: i64) {
        if granule == NO_POSITION {
            return;
        }
        match &mut self.span {
            Some(span) => span.last = span.last.max(granule),
            None if self.begun => {
                self.span = Some(Span { first: granule, decoded: self.decoded, last: granule });
            }
            None => {}
        }
    }

    fn samples(&self) -> u64 {
        let spanned = self.span.map_or(0, |span| span.last.abs_diff(span.first).saturating_add(span.decoded));
        spanned.max(self.decoded)
    }
}

/// Why an Ogg file cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OggFault {
    /// Something lies between the pages or after them.
    #[error("the Ogg file has no page where page `{page}` must begin; upload a file with nothing else in it")]
    LostPage {
        /// Pages before it.
        page: u64,
    },
    /// A damaged or altered page, which players drop.
    #[error("page `{page}` of the Ogg file is damaged: its checksum is wrong; upload it again")]
    Checksum {
        /// Pages before it.
        page: u64,
    },
    /// The file ends inside a page or a packet.
    #[error("the Ogg file ends in the middle of a page or packet; upload the whole file")]
    Cut,
    /// The first page does not begin a stream.
    #[error("the Ogg file lacks its first page; upload the whole file")]
    NoBeginning,
    /// Chained or multiplexed streams.
    #[error("the Ogg file holds a second stream from page `{page}` on; upload each recording by itself")]
    SecondStream {
        /// Pages before it.
        page: u64,
    },
    /// A page is lost, repeated or out of place.
    #[error("page `{page}` of the Ogg file does not follow the page before it; upload the whole file")]
    PageOrder {
        /// Pages before it.
        page: u64,
    },
    /// Half a packet is lost.
    #[error(
        "page `{page}` of the Ogg file does not go on with the packet that was begun; upload the whole file"
    )]
    Continuation {
        /// Pages before it.
        page: u64,
    },
    /// No codec needs packets like this.
    #[error("the Ogg file has a packet of more than {PACKET_LIMIT} bytes; encode it again")]
    PacketTooLong,
    /// A codec that is not measured.
    #[error("the Ogg file is encoded as {name}, which is not measured; convert it to Opus, Vorbis or Speex")]
    Codec {
        /// The codec's usual name.
        name: &'static str,
    },
    /// A header packet that players read differently, or not at all.
    #[error("the {header} of the Ogg file is malformed or unusual; encode it again")]
    Header {
        /// The specification's name of the packet.
        header: &'static str,
    },
    /// A packet that no decoder can play.
    #[error("the Ogg file has a packet that is not valid {codec}; encode it again")]
    Packet {
        /// The codec's usual name.
        codec: &'static str,
    },
    /// Bytes in a packet that no decoder plays.
    #[error("the Ogg file has {codec} packets with more bytes than their audio needs; encode it again")]
    Padding {
        /// The codec's usual name.
        codec: &'static str,
    },
}

/// RFC 3533 section 6: no packet ends on the page.
const NO_POSITION: i64 = -1;

/// More than an Opus packet can have (120 ms in frames of 2.5 ms and 1275 bytes), and more than others need.
const PACKET_LIMIT: usize = 64 * 1024;
