//! Vorbis in Ogg (Vorbis I specification, section 4), and how long a Vorbis packet lasts.
//!
//! A packet's block is short or long according to its mode; blocks overlap by half. The modes stand at the
//! end of the setup header, which says nowhere where they begin, so all of it is read: guessing from the end,
//! as is common, can be led astray. INVARIANT: the modes are those that a decoder finds.

mod bits;
mod setup;

use self::setup::Modes;
use super::{
    super::{Allowance, Rate, Unmeasurable, accept_channels, fields::Fields},
    OggFault,
};

/// A Vorbis stream.
pub(super) struct Vorbis {
    rate: Rate,
    channels: u8,
    /// Samples in a short block and in a long one.
    blocks: [u64; 2],
    stage: Stage,
}

enum Stage {
    Comment,
    Setup,
    /// With the size of the block before, once there is one.
    Audio {
        modes: Modes,
        previous: Option<u64>,
    },
}

impl Vorbis {
    /// The identification header (section 4.2.2), without its type and magic.
    pub(super) fn parse(header: &[u8]) -> Result<Self, Unmeasurable> {
        let raw = Raw::parse(header).ok_or(OggFault::Header { header: "Vorbis identification header" })?;
        accept_channels(u16::from(raw.channels))?;
        let rate = Rate::accept(raw.rate)?;
        Ok(Self { rate, channels: raw.channels, blocks: raw.blocks, stage: Stage::Comment })
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    pub(super) fn channels(&self) -> u16 {
        u16::from(self.channels)
    }

    pub(super) fn awaits_comments(&self) -> bool {
        matches!(self.stage, Stage::Comment)
    }

    /// The samples that a packet decodes to, or none for a header.
    pub(super) fn read(
        &mut self,
        packet: &[u8],
        allowance: &mut Allowance,
    ) -> Result<Option<u64>, Unmeasurable> {
        let length = u64::try_from(packet.len()).unwrap_or(u64::MAX);
        match &mut self.stage {
            Stage::Comment => {
                let [3, b'v', b'o', b'r', b'b', b'i', b's', ..] = packet else {
                    return Err(OggFault::Header { header: "Vorbis comment header" }.into());
                };
                allowance.spend_on(packet)?;
                self.stage = Stage::Setup;
                Ok(None)
            }
            Stage::Setup => {
                let malformed = OggFault::Header { header: "Vorbis setup header" };
                let [5, b'v', b'o', b'r', b'b', b'i', b's', setup @ ..] = packet else {
                    return Err(malformed.into());
                };
                if packet.len() > SETUP_LIMIT {
                    return Err(malformed.into());
                }
                let (modes, rest) = Modes::parse(setup, self.channels).ok_or(malformed)?;
                allowance.spend(rest)?;
                self.stage = Stage::Audio { modes, previous: None };
                Ok(None)
            }
            Stage::Audio { modes, previous } => {
                // Empty packets carry nothing and decode to nothing.
                let Some(first) = packet.first() else { return Ok(Some(0)) };
                let [short, long] = self.blocks;
                let block = match modes.is_long(*first) {
                    Some(true) => long,
                    Some(false) => short,
                    None => return Err(OggFault::Packet { codec: "Vorbis" }.into()),
                };
                if length > block * u64::from(self.channels) * 2 + SLACK {
                    return Err(OggFault::Padding { codec: "Vorbis" }.into());
                }
                // Section 4.3.8: the first block decodes to nothing, each further one to a quarter of itself
                // and of the one before.
                let samples = previous.map_or(0, |previous| (previous + block) / 4);
                *previous = Some(block);
                Ok(Some(samples))
            }
        }
    }
}

struct Raw {
    channels: u8,
    rate: u32,
    blocks: [u64; 2],
}

impl Raw {
    fn parse(header: &[u8]) -> Option<Self> {
        let mut fields = Fields(header);
        let version = fields.u32()?;
        let channels = fields.u8()?;
        let rate = fields.u32()?;
        let _bit_rates = fields.bytes(12)?;
        let sizes = fields.u8()?;
        let framing = fields.u8()?;
        let (short, long) = (sizes & 0x0F, sizes >> 4);
        let valid = version == 0 && framing & 1 == 1 && (6..=long).contains(&short) && long <= 13;
        (valid && fields.0.is_empty()).then_some(Self { channels, rate, blocks: [1 << short, 1 << long] })
    }
}

/// A setup takes 2 to 8 KiB in practice, and its tables could hold anything.
const SETUP_LIMIT: usize = 16 * 1024;

/// An audio packet may be as long as the samples it stands for, at 32 bits each, and this much for its floor
/// curves. Codecs need far less; what exceeds it is something else.
const SLACK: u64 = 256;

#[cfg(test)]
pub(super) mod tests {
    use super::{super::tests::File, setup::tests::setup, *};

    fn header(channels: u8, rate: u32, sizes: u8) -> Vec<u8> {
        let rate = rate.to_le_bytes();
        [b"\x01vorbis\0\0\0\0".as_slice(), &[channels], &rate, &[0; 12], &[sizes, 1]].concat()
    }

    /// Blocks of 256 and 2048, in the modes short, long, long.
    fn file() -> File {
        let setup = [b"\x05vorbis".as_slice(), &setup(2, &[false, true, true])].concat();
        File::new(&header(2, 44_100, 0xB8)).page(0, 0, &[b"\x03vorbis\0\0\0\0\0\0\0\0\x01", &setup])
    }

    /// The first byte of an audio packet.
    const fn mode(number: u8) -> &'static [u8] {
        match number {
            0 => &[0b000],
            1 => &[0b010],
            2 => &[0b100],
            _ => &[0b110],
        }
    }

    /// For the properties that hold of every format.
    pub(crate) fn recording() -> File {
        file().page(0, 2000, &[mode(0), mode(1), mode(2), mode(0)])
    }

    #[test]
    fn blocks_overlap_by_half() {
        // Nothing, (256 + 2048) / 4, (2048 + 2048) / 4, (2048 + 256) / 4: 2176 samples.
        assert_eq!(recording().duration(), 50);
        assert_eq!(file().page(0, 0, &[mode(1)]).measure(), Err(Unmeasurable::NoAudio));
        assert_eq!(file().page(0, 0, &[mode(1), &[], mode(1)]).duration(), 24);
        let measured = recording().measure().unwrap();
        assert_eq!((measured.channels, measured.sample_rate), (2, 44_100));
    }

    #[test]
    fn packets_that_are_not_played_are_refused() {
        let invalid = OggFault::Packet { codec: "Vorbis" };
        assert_eq!(file().page(0, 0, &[mode(0), mode(3)]).fault(), invalid);
        assert_eq!(file().page(0, 0, &[mode(0), &[1, 2, 3]]).fault(), invalid);
        let padding = OggFault::Padding { codec: "Vorbis" };
        assert!(file().page(0, 0, &[mode(0), &[0; 256 * 2 * 2 + 256]]).measure().is_ok());
        assert_eq!(file().page(0, 0, &[mode(0), &[0; 256 * 2 * 2 + 257]]).fault(), padding);
    }

    #[test]
    fn headers_out_of_place_or_form_are_refused() {
        let fault = |name| OggFault::Header { header: name };
        let first = header(2, 44_100, 0xB8);
        assert_eq!(File::new(&first).page(0, 0, &[b"\x05vorbis"]).fault(), fault("Vorbis comment header"));
        for setup in [&b"\x03vorbis"[..], b"\x05vorbis", &[0; 20]] {
            assert_eq!(
                File::new(&first).page(0, 0, &[b"\x03vorbis", setup]).fault(),
                fault("Vorbis setup header")
            );
        }
        let malformed = fault("Vorbis identification header");
        for sizes in [0x8B, 0x85, 0xE8] {
            assert_eq!(File::new(&header(2, 44_100, sizes)).fault(), malformed);
        }
        assert_eq!(File::new(&header(0, 44_100, 0xB8)).measure(), Err(Unmeasurable::Channels { count: 0 }));
        assert_eq!(File::new(&header(2, 1, 0xB8)).measure(), Err(Unmeasurable::SampleRate { hz: 1 }));
    }
}
