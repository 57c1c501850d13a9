//! Ogg (RFC 3533): pages, and the packets that they are cut into.
//!
//! The duration is the larger of what the packets decode to and what the pages' granule positions span. It
//! knows how long a packet lasts only from its codec: see [`opus`], [`vorbis`] and [`speex`].
//!
//! What a recorder leaves that was killed counts as far as it came: a page that was cut gives the packets in it that
//! are whole, and one more. Bytes between pages play nothing, since players search for the next page; they are
//! kept within the allowance.
//!
//! INVARIANT: the upload is one logical stream from its first page to its last byte, and every packet in it is a
//! header within the allowance or audio that is counted.

mod codec;
mod opus;
mod page;
mod speex;
#[cfg(test)]
pub(super) mod tests;
mod vorbis;

use thiserror::Error;

pub(super) use self::page::crc;
use self::{
    codec::Codec,
    page::{HEADER, Page},
};
use super::{
    Allowance, Format, Measured, Rate, Unmeasurable,
    carry::Carry,
    redact::{Mark, Marks},
};

/// An Ogg file that is being read.
pub(super) struct Ogg {
    carry: Carry,
    stage: Stage,
    page: Page,
    stream: Stream,
    /// Bytes that came.
    pushed: u64,
    /// Where the page begins that is read or waited for.
    at: u64,
    pub(super) marks: Marks,
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
        let (carry, stage) = (Carry::default(), Stage::Header);
        Self { carry, stage, page, stream, pushed: 0, at: 0, marks: Marks::default() }
    }

    pub(super) fn push(&mut self, mut input: &[u8]) -> Result<(), Unmeasurable> {
        self.pushed = self.pushed.saturating_add(input.len() as u64);
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
        // A page that says that it goes on beyond the upload, and in which another one begins, is no page that was
        // cut: players search on, and play the others.
        let another = self.carry.held().windows(4).any(page::may_begin);
        match self.stage {
            Stage::Lacing | Stage::Body if another => {
                return Err(OggFault::Checksum { page: self.stream.pages }.into());
            }
            Stage::Header | Stage::Lacing => {
                let lost = OggFault::LostPage { page: self.stream.pages };
                self.stream.allowance.spend_on(self.carry.held()).map_err(|_| lost)?;
            }
            Stage::Body => self.stream.cut_page(&self.page, self.carry.held())?,
        }
        self.stream.finish()
    }

    /// The next stage, or none when the input does not suffice.
    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Stage>, Unmeasurable> {
        match self.stage {
            Stage::Header => self.header(input),
            Stage::Lacing => {
                let Some(lacing) = self.carry.take(input, self.page.segments()) else { return Ok(None) };
                self.page.set_lacing(lacing);
                Ok(Some(Stage::Body))
            }
            Stage::Body => {
                let Some(body) = self.carry.take(input, self.page.body_length()) else { return Ok(None) };
                self.stream.page(&self.page, body)?;
                let (at, body) = (self.at, body.len());
                let (page, stream) = (&self.page, &mut self.stream);
                self.marks.note(|| stream.mark(page, at, body));
                self.stream.packets.clear();
                self.at = self.pushed.saturating_sub(input.len() as u64);
                Ok(Some(Stage::Header))
            }
        }
    }

    /// The next page, wherever it begins.
    fn header(&mut self, input: &mut &[u8]) -> Result<Option<Stage>, Unmeasurable> {
        loop {
            let Some(header) = self.carry.array::<HEADER>(input) else { return Ok(None) };
            let lost = OggFault::LostPage { page: self.stream.pages };
            let begins = (0..HEADER).find(|at| header.get(*at..).is_some_and(page::may_begin));
            if begins == Some(0) {
                // One that we cannot read may be one that players play.
                self.page = Page::parse(&header).ok_or(lost)?;
                return Ok(Some(Stage::Lacing));
            }
            let (between, rest) = header.split_at(begins.unwrap_or(HEADER));
            self.stream.allowance.spend_on(between).map_err(|_| lost)?;
            self.marks.note(|| Mark::Stray);
            self.at = self.at.saturating_add(between.len() as u64);
            self.carry.hold(rest);
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
    /// The packets that ended on the page that was read last: their bytes, and their samples, if they are audio.
    packets: Vec<(usize, Option<u64>)>,
}

impl Stream {
    fn new() -> Self {
        let (open, allowance, length) = (Carry::default(), Allowance::new(), Length::default());
        let (codec, packets) = (None, Vec::new());
        Self { serial: 0, sequence: 0, pages: 0, ended: false, open, codec, allowance, length, packets }
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
        } else if self.ended
            || page.serial() != self.serial
            || (page.begins_stream() && !self.repeats_beginning())
        {
            return Err(OggFault::SecondStream { page: self.pages });
        }
        // Writers that are restarted, or count the pages of audio apart, begin again. A number that is left out is
        // a page that is lost.
        if page.sequence() > self.sequence {
            return Err(OggFault::PageOrder {
                page: self.pages,
                found: page.sequence(),
                expected: self.sequence,
            });
        }
        if page.continues_packet() == self.open.is_empty() {
            return Err(OggFault::Continuation { page: self.pages });
        }
        self.sequence = page.sequence().wrapping_add(1);
        self.pages = self.pages.saturating_add(1);
        self.ended = page.ends_stream();
        Ok(())
    }

    /// Some writers mark the page with the comments as the first one, too.
    fn repeats_beginning(&self) -> bool {
        self.pages == 1 && self.codec.as_ref().is_some_and(Codec::awaits_comments)
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
            let audio = Codec::read(&mut self.codec, part, &mut self.allowance)?;
            self.length.add(audio);
            self.packets.push((part.len(), audio));
            return Ok(());
        }
        self.hold(part)?;
        let audio = Codec::read(&mut self.codec, self.open.held(), &mut self.allowance)?;
        self.length.add(audio);
        self.packets.push((self.open.held().len(), audio));
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

    /// What is on the page, for whoever silences it.
    fn mark(&mut self, page: &Page, at: u64, body: usize) -> Mark {
        let packets = std::mem::take(&mut self.packets);
        match self.codec.as_ref().and_then(Codec::as_opus) {
            Some((streams, pre_skip)) => {
                let (header, granule) = (HEADER + page.segments(), page.granule());
                Mark::Page { at, header, body, packets, granule, streams, pre_skip }
            }
            None => Mark::Other,
        }
    }

    /// A page that ends with the upload. What came of it cannot be verified, and players leave it out, or play the
    /// packets that are whole.
    fn cut_page(&mut self, page: &Page, body: &[u8]) -> Result<(), Unmeasurable> {
        self.admit(page)?;
        let mut whole = 0;
        let mut length = 0;
        let mut packets = 0;
        for (index, value) in page.lacing().iter().enumerate() {
            length += usize::from(*value);
            if *value < 255 && length <= body.len() {
                (whole, packets) = (length, index + 1);
            }
        }
        let (body, rest) = body.split_at_checked(whole).unwrap_or((body, &[]));
        self.packets(page.lacing().get(..packets).unwrap_or_default(), body)?;
        self.hold(rest)
    }

    fn finish(mut self) -> Result<Measured, Unmeasurable> {
        // A packet that was cut counts whole.
        if !self.open.is_empty() {
            self.allowance.spend_on(self.open.held())?;
            self.length.add(Some(self.length.longest_packet));
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
    /// The first page does not begin a stream.
    #[error("the Ogg file lacks its first page; upload the whole file")]
    NoBeginning,
    /// Chained or multiplexed streams.
    #[error("the Ogg file holds a second stream from page `{page}` on; upload each recording by itself")]
    SecondStream {
        /// Pages before it.
        page: u64,
    },
    /// A page is lost.
    #[error(
        "page `{page}` of the Ogg file has the number `{found}` where `{expected}` is expected: pages are missing; upload the whole file"
    )]
    PageOrder {
        /// Pages before it.
        page: u64,
        /// The number that it carries.
        found: u32,
        /// The number behind the one of the page before.
        expected: u32,
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

/// At which Opus is decoded.
pub(super) const OPUS_RATE: Rate = opus::Opus::RATE;

/// The most that a stream of Opus delays the sound, in samples.
pub(super) const PRE_SKIP_LIMIT: u64 = opus::Opus::PRE_SKIP_LIMIT;

/// RFC 3533 section 6: no packet ends on the page.
const NO_POSITION: i64 = -1;

/// More than an Opus packet can have (120 ms in frames of 2.5 ms and 1275 bytes), and more than others need.
const PACKET_LIMIT: usize = 64 * 1024;
