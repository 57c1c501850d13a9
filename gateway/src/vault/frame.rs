//! How recordings lie in a pack: frames on whole pages, and where to find them again.
//!
//! A frame is a head of 128 bytes and its payload, filled up to the next page of 4,096 bytes. The frame of sealed
//! media is followed by room for its envelope, which is filled once the recording is accepted, and overwritten
//! with a tombstone when it is deleted. Frames are written side by side, so a crash leaves holes between them: what
//! has no sound head is stepped over.
//!
//! | bytes | head |
//! |---|---|
//! | 0–7 | `cgwpack` and the version, 1 |
//! | 8 | kind: 1 media, 2 envelope, 3 tombstone |
//! | 16–31 | the recording's id |
//! | 32–39 | length of the payload; numbers are big-endian |
//! | 40–47 | room behind the media for the envelope, in bytes |
//! | 48–55 | when it was written, in milliseconds since 1970 |
//! | 56–87 | SHA-256 of the payload; zeros for media, whose hash is in the envelope |
//! | 88–95 | length of the media that it belongs to |
//! | 96–127 | SHA-256 of bytes 0 to 95 |

use std::fmt;
use std::io;
use std::ops::Range;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::medium::Medium;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sealed media.
    Media = 1,
    /// The envelope of the media before it.
    Envelope = 2,
    /// What is left of the envelope of a deleted recording.
    Tombstone = 3,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What the frame holds.
    pub kind: Kind,
    /// Whose it is.
    pub recording: Uuid,
    /// The length of the payload.
    pub bytes: u64,
    /// How much room there is behind the media for the envelope, in bytes.
    pub room: u64,
    /// The length of the media: of the payload itself, or of what lies before the envelope.
    pub media: u64,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
    /// SHA-256 of the payload; zeros for media.
    pub sha256: [u8; 32],
}

impl Head {
    /// As it is written.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let (said, hash) = head.split_at_mut(HASHED);
        let parts: [&[u8]; 8] = [
            MAGIC,
            &[self.kind as u8, 0, 0, 0, 0, 0, 0, 0],
            self.recording.as_bytes(),
            &self.bytes.to_be_bytes(),
            &self.room.to_be_bytes(),
            &self.at.to_be_bytes(),
            &self.sha256,
            &self.media.to_be_bytes(),
        ];
        said.copy_from_slice(&parts.concat());
        hash.copy_from_slice(&Sha256::digest(&*said));
        head
    }

    /// Reads a head; `None` if there is none, or not all of it.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Head> {
        let (said, hash) = bytes.get(..HEAD)?.split_at(HASHED);
        // Most pages without a head are told apart here, before anything is hashed.
        let rest = said.strip_prefix(MAGIC.as_slice())?;
        if Sha256::digest(said).as_slice() != hash {
            return None;
        }
        let kind = match rest.first()? {
            1 => Kind::Media,
            2 => Kind::Envelope,
            3 => Kind::Tombstone,
            _ => return None,
        };
        let number = |from: usize| Some(u64::from_be_bytes(said.get(from..from + 8)?.try_into().ok()?));
        let head = Head {
            kind,
            recording: Uuid::from_slice(said.get(16..32)?).ok()?,
            bytes: number(32)?,
            room: number(40)?,
            media: number(88)?,
            at: number(48)?.cast_signed(),
            sha256: said.get(56..88)?.try_into().ok()?,
        };
        // Whoever can write to a store can write heads, too, so their lengths are limited.
        let is_near = match kind {
            Kind::Media => head.bytes == head.media,
            Kind::Envelope | Kind::Tombstone => head.bytes <= LONGEST_ROOM,
        };
        (is_near && head.media <= LONGEST_MEDIA && head.room <= LONGEST_ROOM).then_some(head)
    }

    /// Reads the head of the frame that begins here.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read_at(medium: &dyn Medium, offset: u64) -> io::Result<Option<Head>> {
        let mut head = [0; HEAD];
        let there = medium.read_at(&mut head, offset)?;
        Ok(head.get(..there).and_then(Head::read))
    }

    /// The whole pages that the frame takes, without the room behind it.
    #[must_use]
    pub fn pages(&self) -> u64 {
        pages(self.bytes)
    }

    /// The place of the recording that this frame is a part of, where it begins here.
    #[must_use]
    pub fn place(&self, pack: Uuid, offset: u64) -> Place {
        let before = if self.kind == Kind::Media { 0 } else { pages(self.media) };
        Place { pack, offset: offset.saturating_sub(before), bytes: self.media, room: self.room }
    }
}

/// The whole pages that a frame with so long a payload takes.
pub(super) fn pages(payload: u64) -> u64 {
    payload.saturating_add(HEAD as u64).div_ceil(PAGE).saturating_mul(PAGE)
}

/// Where the media of a recording lie, and the room for its envelope behind them: `pack/offset/bytes/room` in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The pack.
    pub pack: Uuid,
    /// Where the frame of the media begins.
    pub offset: u64,
    /// How long the media are.
    pub bytes: u64,
    /// How much room there is for the envelope, its head included.
    pub room: u64,
}

impl Place {
    /// Where the frame of the envelope begins.
    #[must_use]
    pub fn envelope(&self) -> u64 {
        self.offset.saturating_add(pages(self.bytes))
    }

    /// Where the room for the envelope ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.envelope().saturating_add(self.room)
    }

    /// Where some of the media lie.
    #[must_use]
    pub fn media(&self, range: &Range<u64>) -> Range<u64> {
        let begin = self.offset.saturating_add(HEAD as u64);
        begin.saturating_add(range.start)..begin.saturating_add(range.end)
    }

    /// Whether an envelope of this length fits.
    #[must_use]
    pub fn fits(&self, envelope: usize) -> bool {
        pages(envelope as u64) <= self.room
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.pack, self.offset, self.bytes, self.room)
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Place, NoPlace> {
        let mut parts = text.split('/');
        let pack = parts.next().and_then(|pack| pack.parse().ok()).ok_or(NoPlace)?;
        let mut number = || parts.next().and_then(|number| number.parse().ok()).ok_or(NoPlace);
        let place = Place { pack, offset: number()?, bytes: number()?, room: number()? };
        let fits = place.bytes <= LONGEST_MEDIA && place.room <= LONGEST_ROOM;
        if parts.next().is_some() || !fits || place.end() > i64::MAX.cast_unsigned() {
            return Err(NoPlace);
        }
        Ok(place)
    }
}

/// A text names no place in a pack.
#[derive(Debug, thiserror::Error)]
#[error("it names no place in a pack")]
pub struct NoPlace;

/// The frames of a pack, in their order.
pub struct Frames<'m> {
    medium: &'m dyn Medium,
    next: u64,
    end: u64,
    unreadable: u32,
}

impl<'m> Frames<'m> {
    /// All that a pack holds now.
    ///
    /// # Errors
    ///
    /// If its length cannot be told.
    pub fn of(medium: &'m dyn Medium) -> io::Result<Frames<'m>> {
        Ok(Frames { medium, next: 0, end: medium.length()?, unreadable: 0 })
    }

    fn find(&mut self) -> io::Result<Option<(u64, Head)>> {
        while self.next < self.end {
            let at = self.next;
            let behind = at.saturating_add(PAGE);
            match Head::read_at(self.medium, at) {
                Ok(Some(head)) if at.saturating_add(head.pages()) <= self.end => {
                    self.next = at.saturating_add(head.pages());
                    return Ok(Some((at, head)));
                }
                // What reaches beyond the end is not whole.
                Ok(Some(_) | None) => {
                    let Some(data) = self.medium.data_from(behind)? else { break };
                    self.next = (data / PAGE).saturating_mul(PAGE).max(behind);
                }
                // A bad page is a hole, too, unless there are too many of them.
                Err(error) => {
                    self.unreadable += 1;
                    if self.unreadable > UNREADABLE {
                        return Err(error);
                    }
                    self.next = behind;
                }
            }
        }
        Ok(None)
    }
}

impl Iterator for Frames<'_> {
    type Item = io::Result<(u64, Head)>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.find();
        if found.is_err() {
            self.next = self.end;
        }
        found.transpose()
    }
}

/// The length of a head.
pub const HEAD: usize = 128;
/// Frames begin on whole pages.
pub(super) const PAGE: u64 = 4_096;
/// Longer than any media in a pack, or any envelope with its head.
const LONGEST_MEDIA: u64 = 64 << 20;
const LONGEST_ROOM: u64 = 16 << 20;
/// How many pages that cannot be read are stepped over.
const UNREADABLE: u32 = 64;
const HASHED: usize = 96;
const MAGIC: &[u8; 8] = b"cgwpack\x01";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written_and_not_with_one_bit_changed() {
        let head = Head {
            kind: Kind::Envelope,
            recording: Uuid::from_u128(7),
            bytes: 1_100,
            room: 4_096,
            media: 5_000,
            at: -5,
            sha256: [9; 32],
        };
        let bytes = head.to_bytes();
        assert_eq!(Head::read(&bytes), Some(head));
        assert_eq!(Head::read(&bytes[..HEAD - 1]), None);
        let place = Place { pack: Uuid::nil(), offset: 8_192, bytes: 5_000, room: 4_096 };
        assert_eq!(head.place(Uuid::nil(), 16_384), place);
        let far = [
            Head { bytes: u64::MAX, ..head },
            Head { room: u64::MAX, ..head },
            Head { kind: Kind::Media, bytes: 1 << 40, media: 1 << 40, ..head },
            Head { kind: Kind::Media, bytes: 4_999, ..head },
        ];
        assert!(far.iter().all(|head| Head::read(&head.to_bytes()).is_none()));
        for bit in 0..HEAD * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::read(&changed), None, "bit {bit}");
        }
    }

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is_one() {
        let place = Place { pack: Uuid::from_u128(3), offset: 8_192, bytes: 3_968, room: 4_096 };
        assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
        assert_eq!((place.envelope(), place.end()), (12_288, 16_384));
        assert_eq!(Place { bytes: 3_969, ..place }.envelope(), 16_384);
        assert!(place.fits(3_968) && !place.fits(3_969));
        let uuid = Uuid::nil();
        for wrong in [
            "",
            "x/0/1/2",
            "0/1/2",
            &format!("{uuid}/0/1"),
            &format!("{uuid}/0/1/2/3"),
            &format!("{uuid}/-1/1/2"),
            &format!("{uuid}/{}/1/2", u64::MAX),
        ] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
