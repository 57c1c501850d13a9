//! Speex in Ogg (the Speex manual, section 7).
//!
//! Every packet holds as many frames as the header says, and a frame has a fixed number of samples.
//! INVARIANT: rate, mode and frame size agree, and no packet has room for more frames than it counts for.

use super::{
    super::{Allowance, Rate, Unmeasurable, fields::Fields},
    OggFault,
};

/// A Speex stream.
pub(super) struct Speex {
    rate: Rate,
    channels: u16,
    mode: u32,
    frames: u32,
    commented: bool,
}

impl Speex {
    /// The header packet, without its magic.
    pub(super) fn parse(header: &[u8]) -> Result<Self, Unmeasurable> {
        Ok(Self::header(header).ok_or(OggFault::Header { header: "Speex header" })?)
    }

    fn header(header: &[u8]) -> Option<Self> {
        let mut fields = Fields(header);
        let _version = fields.bytes(20)?;
        let _version_id = fields.u32()?;
        let size = fields.u32()?;
        let rate = fields.u32()?;
        let mode = fields.u32().filter(|mode| *mode <= 2)?;
        let _bit_stream = fields.u32()?;
        let channels = fields.u32().filter(|channels| (1..=2).contains(channels))?;
        let _bit_rate = fields.u32()?;
        let frame_size = fields.u32()?;
        let _variable = fields.u32()?;
        let frames = fields.u32().filter(|frames| (1..=FRAMES_LIMIT).contains(frames))?;
        let further_headers = fields.u32()?;
        let _reserved = fields.bytes(8)?;
        let usual = size == 80 && further_headers == 0 && fields.0.is_empty();
        // Narrow, wide and ultra-wide band are one rate and one frame size each: 20 ms.
        if !usual || rate != 8000 << mode || frame_size != 160 << mode {
            return None;
        }
        let (rate, channels) = (Rate::accept(rate).ok()?, u16::try_from(channels).ok()?);
        Some(Self { rate, channels, mode, frames, commented: false })
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
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
        let length = u64::try_from(packet.len()).unwrap_or(u64::MAX);
        if !self.commented {
            allowance.spend_on(packet)?;
            self.commented = true;
            return Ok(None);
        }
        let frame_bytes = match self.mode {
            0 => NARROW_BYTES,
            1 => WIDE_BYTES,
            _ => ULTRA_WIDE_BYTES,
        };
        if length > u64::from(self.frames) * frame_bytes + SLACK {
            return Err(OggFault::Padding { codec: "Speex" }.into());
        }
        Ok(Some(u64::from(self.frames) * u64::from(160_u32 << self.mode)))
    }
}

/// More frames a packet than any encoder writes.
const FRAMES_LIMIT: u32 = 16;

// A frame at the highest quality (tables 9.2 and 10.1 of the manual), rounded up to bytes: 492 bits in narrow
// band, 352 more in wide band, 36 more in ultra-wide band.
const NARROW_BYTES: u64 = 62;
const WIDE_BYTES: u64 = 106;
const ULTRA_WIDE_BYTES: u64 = 110;

/// Stereo and other in-band signals, and the terminator.
const SLACK: u64 = 16;

#[cfg(test)]
pub(super) mod tests {
    use super::{super::tests::File, *};

    fn header(rate: u32, mode: u32, frame_size: u32, frames: u32) -> Vec<u8> {
        let fields = [1, 80, rate, mode, 4, 1, u32::MAX, frame_size, 0, frames, 0, 0, 0];
        let fields = fields.iter().flat_map(|field| field.to_le_bytes()).collect::<Vec<u8>>();
        [b"Speex   1.2.0               ".as_slice(), &fields].concat()
    }

    fn file(header: &[u8], packet: &[u8]) -> File {
        File::new(header).page(0, 0, &[b"\0\0\0\0\0\0\0\0"]).page(0, 640, &[packet; 5])
    }

    pub(crate) fn head() -> Vec<u8> {
        header(8000, 0, 160, 2)
    }

    /// For the properties that hold of every format.
    pub(crate) fn recording() -> File {
        file(&header(8000, 0, 160, 2), &[5; 76])
    }

    #[test]
    fn every_packet_has_the_frames_of_the_header() {
        assert_eq!(recording().duration(), 200);
        assert_eq!(file(&header(16_000, 1, 320, 1), &[5; 70]).duration(), 100);
        let ultra_wide = file(&header(32_000, 2, 640, 10), &[5; 700]).measure().unwrap();
        assert_eq!((ultra_wide.duration_ms, ultra_wide.sample_rate, ultra_wide.channels), (1000, 32_000, 1));
    }

    #[test]
    fn a_packet_with_room_for_more_frames_is_refused() {
        let padding = OggFault::Padding { codec: "Speex" };
        assert_eq!(file(&header(8000, 0, 160, 1), &[5; 62 + 16]).duration(), 100);
        assert_eq!(file(&header(8000, 0, 160, 1), &[5; 62 + 17]).fault(), padding);
    }

    #[test]
    fn a_header_that_contradicts_itself_is_refused() {
        let malformed = OggFault::Header { header: "Speex header" };
        for header in [
            header(32_000, 0, 160, 1),
            header(8000, 0, 80, 1),
            header(8000, 3, 160, 1),
            header(8000, 0, 160, 0),
            header(8000, 0, 160, u32::MAX),
            header(8000, 0, 160, 1).split_off(1),
            [header(8000, 0, 160, 1), vec![0]].concat(),
        ] {
            let fault = File::new(&[b"Speex   ".as_slice(), &header[header.len().min(8)..]].concat()).fault();
            assert_eq!(fault, malformed);
        }
    }
}
