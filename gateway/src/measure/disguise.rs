//! One file, two formats: what would be measured as a short recording, and played as a long one of another format.
//!
//! Players decide by content. `ffmpeg` asks each of its formats how sure it is of the first bytes, lets the surest
//! one play, and asks again what 16-bit samples are, since discs hold AC-3 and DTS as if they were samples. `sox`
//! compares words at fixed places. So a recording must not show what these go by:
//!
//! - a mark at its place, counted from the start of the file or from the end of an ID3 tag ([`head`]);
//! - sync words, frames that are each as long as their header says, or packets of one length ([`stream`]).
//!
//! It does not know whether the other reading would play, nor how long: whatever has one is refused. INVARIANT: no
//! sound has one by chance. White noise does in less than one of ten million files, however long they are.
//!
//! A finding is told when the upload has ended: how it is cut into pushes makes no difference.

mod head;
mod stream;
#[cfg(test)]
pub(super) mod tests;

use self::head::Head;
pub(super) use self::stream::Stream;
use super::{
    Format, Unmeasurable,
    carry::{Carry, up_to},
};

/// Looks for other formats in an upload of one that is accepted.
pub(super) struct Disguise {
    /// From the first byte on, whatever that is.
    head: Head,
    stream: Stream,
    tags: Tags,
}

impl Disguise {
    /// What has to be looked for in a file of a format.
    pub(super) fn of(format: Format) -> Self {
        let (stream, tags) = match format {
            // `ffmpeg` believes in it at the first block, unless another one is absolutely sure of itself.
            Format::Wav => (Stream::of_words(WAV_WINDOW), Tags::none()),
            // Many are surer of themselves.
            Format::Mp3 => (Stream::of_words(0), Tags::new()),
            // None is surer of itself, but there is `sox`.
            Format::Ogg => (Stream::of_words(0), Tags::none()),
        };
        Self { head: Head::default(), stream, tags }
    }

    /// Reads on.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.head.push(bytes);
        self.stream.push(bytes);
        self.tags.push(bytes);
    }

    /// # Errors
    ///
    /// If the upload can be read as another format.
    pub(super) fn finish(&self) -> Result<(), Unmeasurable> {
        refuse(self.head.finding().or(self.stream.finding()).or(self.tags.finding()))
    }
}

/// Refuses what has another reading.
pub(super) fn refuse(finding: Option<&'static str>) -> Result<(), Unmeasurable> {
    finding.map_or(Ok(()), |name| Err(Unmeasurable::Disguised { name }))
}

/// A place in an MP3 file from which players count.
struct Origin {
    /// Bytes of tags before it.
    before: u64,
    head: Head,
    stream: Stream,
}

impl Origin {
    fn new(before: u64) -> Box<Self> {
        Box::new(Self { before, head: Head::default(), stream: Stream::of_file() })
    }

    fn push(&mut self, bytes: &[u8]) {
        self.head.push(bytes);
        self.stream.push(bytes);
    }

    fn finding(&self) -> Option<&'static str> {
        // Frames of a steady tone are alike, and may look like packets. Who is sure of them does not look for packets.
        let packets = || self.stream.packets().filter(|_| !self.head.is_surely_mpeg_audio(self.before));
        self.head.finding().or(self.stream.finding()).or_else(packets)
    }
}

/// The ID3 tags in front: `ffmpeg` asks its formats about what follows the first, and plays what follows the last.
struct Tags {
    stage: Tag,
    /// Bytes of the tags that ended.
    passed: u64,
    /// Bytes that came, up to the end of the tags.
    read: u64,
    /// Behind the first tag, or the start of a file without any.
    first: Option<Box<Origin>>,
    last: Option<Box<Origin>>,
    /// What was found behind a tag that was not the last.
    found: Option<&'static str>,
}

enum Tag {
    /// One may begin here.
    Due(Carry),
    Inside {
        left: u64,
    },
    NoMore,
}

impl Tags {
    fn new() -> Self {
        Self { stage: Tag::due(), first: Some(Origin::new(0)), ..Self::none() }
    }

    fn none() -> Self {
        Self { stage: Tag::NoMore, passed: 0, read: 0, first: None, last: None, found: None }
    }

    fn push(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            let before = input;
            let (next, ended) = match &mut self.stage {
                Tag::Due(carry) => match carry.array(&mut input) {
                    Some(header) => (Some(Tag::parse(header)), false),
                    None => (None, false),
                },
                Tag::Inside { left } => {
                    let piece = up_to(&mut input, *left);
                    *left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    let ended = *left == 0;
                    (ended.then(Tag::due), ended)
                }
                Tag::NoMore => {
                    input = &[];
                    (None, false)
                }
            };
            let (read, _) = before.split_at(before.len().saturating_sub(input.len()));
            self.read = self.read.saturating_add(read.len() as u64);
            [&mut self.first, &mut self.last].into_iter().flatten().for_each(|origin| origin.push(read));
            if let Some(next) = next {
                self.stage = next;
            }
            if ended {
                self.begin();
            }
        }
    }

    /// A tag has ended.
    fn begin(&mut self) {
        let is_first = self.passed == 0;
        self.passed = self.read;
        let origin = Some(Origin::new(self.passed));
        if is_first {
            self.first = origin;
        } else if let Some(before) = std::mem::replace(&mut self.last, origin) {
            self.found = self.found.or(before.finding());
        }
    }

    fn finding(&self) -> Option<&'static str> {
        let mut origins = [&self.first, &self.last].into_iter().flatten();
        self.found.or_else(|| origins.find_map(|origin| origin.finding()))
    }
}

impl Tag {
    fn due() -> Self {
        Self::Due(Carry::default())
    }

    /// ID3v2.4 section 3.1. Anything but a tag is left to the reader of MP3.
    fn parse(header: [u8; 10]) -> Self {
        match header {
            [b'I', b'D', b'3', _, _, _, size @ ..] => Self::Inside {
                left: size.iter().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7F)).max(1),
            },
            _ => Self::NoMore,
        }
    }
}

/// What `ffmpeg` reads before it believes in WAV, twice over.
const WAV_WINDOW: u64 = 4096;
