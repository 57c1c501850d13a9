//! Where a recording is silent.
//!
//! A stretch without consent may be blanked instead of cut out; this is how the gateway checks that it was.
//! It knows only samples that need no decoding: PCM and G.711.
//!
//! INVARIANT: a cell that holds one audible sample, of any channel, is never called silent.

use super::{Rate, carry::Carry};

/// The silent cells of a recording, 20 ms each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// One bit a cell, set where something can be heard.
    loud: Vec<u8>,
    cells: u64,
}

impl Silence {
    /// Whether every sample of every channel in `from_ms..to_ms` is silent: at most 8 away from zero on the
    /// 16-bit scale.
    ///
    /// Conservative: true only if all cells that touch the range are silent throughout. Past the end of the
    /// recording there is nothing to hear, so only the part of the range that lies within it counts.
    #[must_use]
    pub fn covers(&self, from_ms: u64, to_ms: u64) -> bool {
        if from_ms >= to_ms {
            return true;
        }
        let end = to_ms.div_ceil(CELL_MS).min(self.cells);
        (from_ms / CELL_MS..end).all(|cell| !self.is_loud(cell))
    }

    fn is_loud(&self, cell: u64) -> bool {
        let byte = usize::try_from(cell / 8).ok().and_then(|index| self.loud.get(index));
        byte.is_some_and(|bits| bits >> (cell % 8) & 1 == 1)
    }

    fn push(&mut self, loud: bool) {
        let bit = u8::from(loud) << (self.cells % 8);
        if self.cells.is_multiple_of(8) {
            self.loud.push(bit);
        } else if let Some(last) = self.loud.last_mut() {
            *last |= bit;
        }
        self.cells += 1;
    }
}

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    U8,
    I16,
    I24,
    I32,
    F32,
    MuLaw,
    ALaw,
}

impl Sample {
    /// Bytes a sample takes.
    pub(super) fn width(self) -> u16 {
        match self {
            Self::U8 | Self::MuLaw | Self::ALaw => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
        }
    }

    /// So many bytes of digital silence.
    pub(super) fn silent(self, bytes: usize) -> Vec<u8> {
        let byte = match self {
            Self::U8 => 0x80,
            Self::I16 | Self::I24 | Self::I32 | Self::F32 => 0,
            Self::MuLaw => 0xFF,
            Self::ALaw => 0xD5,
        };
        vec![byte; bytes]
    }

    /// Whether anything can be heard in these whole samples. Blockwise, so that noise is found early and a
    /// block is judged without a branch.
    fn is_loud(self, samples: &[u8]) -> bool {
        let mut blocks = samples.chunks(BLOCK);
        match self {
            // One step of eight bits is 256 steps of sixteen: only the middle is silent.
            Self::U8 => blocks.any(|block| block.iter().fold(0, |seen, x| seen | (x ^ 0x80)) != 0),
            Self::I16 => {
                blocks.any(|block| block.as_chunks().0.iter().fold(0, |seen, x| seen | excess_16(*x)) != 0)
            }
            Self::I24 => {
                blocks.any(|block| block.as_chunks().0.iter().fold(0, |seen, x| seen | excess_24(*x)) != 0)
            }
            Self::I32 => {
                blocks.any(|block| block.as_chunks().0.iter().fold(0, |seen, x| seen | excess_32(*x)) != 0)
            }
            Self::F32 => {
                blocks.any(|block| block.as_chunks().0.iter().fold(0, |seen, x| seen | excess_float(*x)) != 0)
            }
            // ITU-T G.711: 0xFF and 0x7F are zero, 0xFE and 0x7E are eight from it.
            Self::MuLaw => blocks.any(|block| block.iter().fold(0x7E, |seen, x| seen & x) != 0x7E),
            // ITU-T G.711: 0xD5 and 0x55 are eight from zero, the next are 24.
            Self::ALaw => blocks.any(|block| block.iter().fold(0, |seen, x| seen | (x ^ 0x55)) & 0x7F != 0),
        }
    }
}

/// Builds a [`Silence`] from samples as they come.
pub(super) struct Scan {
    sample: Sample,
    rate: Rate,
    frame: usize,
    carry: Carry,
    /// Bytes that the current cell still waits for: always whole frames, less the samples that came.
    left: usize,
    loud: bool,
    found: Silence,
}

impl Scan {
    pub(super) fn new(sample: Sample, rate: Rate, channels: u16) -> Self {
        let frame = usize::from(sample.width()) * usize::from(channels);
        let found = Silence::default();
        Self {
            sample,
            rate,
            frame,
            carry: Carry::default(),
            left: cell_frames(rate, 0) * frame,
            loud: false,
            found,
        }
    }

    pub(super) fn push(&mut self, mut input: &[u8]) {
        let width = usize::from(self.sample.width());
        if !self.carry.is_empty() {
            let Some(sample) = self.carry.take(&mut input, width) else { return };
            self.loud = self.loud || self.sample.is_loud(sample);
            self.advance(width);
        }
        while input.len() >= width {
            let whole = input.len() - input.len() % width;
            let (samples, rest) = input.split_at(whole.min(self.left));
            self.loud = self.loud || self.sample.is_loud(samples);
            self.advance(samples.len());
            input = rest;
        }
        self.carry.hold(input);
    }

    pub(super) fn finish(mut self) -> Silence {
        // Half a sample cannot be judged.
        self.loud = self.loud || !self.carry.is_empty();
        if self.loud || self.left < cell_frames(self.rate, self.found.cells) * self.frame {
            self.found.push(self.loud);
        }
        self.found
    }

    fn advance(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        if self.left == 0 {
            self.found.push(std::mem::take(&mut self.loud));
            self.left = cell_frames(self.rate, self.found.cells) * self.frame;
        }
    }
}

/// Frames in a cell. Not every rate has a whole number in 20 ms, so a cell holds the frames that begin within
/// it.
fn cell_frames(rate: Rate, cell: u64) -> usize {
    let begins = |cell: u64| cell.saturating_mul(u64::from(rate.hz())).div_ceil(1000 / CELL_MS);
    usize::try_from(begins(cell + 1).saturating_sub(begins(cell))).unwrap_or(1).max(1)
}

// Each of these is zero exactly for a silent sample. Written without branches: the compiler makes vectors of
// them.

fn excess_16(sample: [u8; 2]) -> u16 {
    i16::from_le_bytes(sample).wrapping_add(LIMIT).cast_unsigned().saturating_sub(2 * LIMIT.cast_unsigned())
}

fn excess_24([low, middle, high]: [u8; 3]) -> u32 {
    excess_32([0, low, middle, high])
}

fn excess_32(sample: [u8; 4]) -> u32 {
    let limit = i32::from(LIMIT) << 16;
    i32::from_le_bytes(sample).wrapping_add(limit).cast_unsigned().saturating_sub(2 * limit.cast_unsigned())
}

/// The bits of positive floats are ordered like the floats, with infinity and every NaN above all numbers.
fn excess_float(sample: [u8; 4]) -> u32 {
    let limit = f32::from(LIMIT) / 32_768.0;
    (u32::from_le_bytes(sample) & 0x7FFF_FFFF).saturating_sub(limit.to_bits())
}

const CELL_MS: u64 = 20;

/// The loudest silence, on the 16-bit scale: the noise that companding and dithering leave.
const LIMIT: i16 = 8;

/// Bytes that are judged at once: whole samples of every width.
const BLOCK: usize = 12 * 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(sample: Sample, hz: u32, channels: u16, bytes: &[u8]) -> Silence {
        let mut scan = Scan::new(sample, Rate::accept(hz).unwrap(), channels);
        for piece in bytes.chunks(7) {
            scan.push(piece);
        }
        let in_pieces = scan.finish();
        let mut scan = Scan::new(sample, Rate::accept(hz).unwrap(), channels);
        scan.push(bytes);
        assert_eq!(scan.finish(), in_pieces);
        in_pieces
    }

    fn is_silent(sample: Sample, bytes: &[u8]) -> bool {
        // Far enough in for every way of reading several samples at once.
        let at = 37 * usize::from(sample.width());
        let silence = match sample {
            Sample::U8 => 0x80,
            Sample::MuLaw => 0xFF,
            Sample::ALaw => 0xD5,
            Sample::I16 | Sample::I24 | Sample::I32 | Sample::F32 => 0,
        };
        let mut recording = vec![silence; 100 * usize::from(sample.width())];
        recording[at..at + bytes.len()].copy_from_slice(bytes);
        scan(sample, 8000, 1, &recording).covers(0, 20)
    }

    #[test]
    fn the_quietest_samples_of_every_encoding_are_silent() {
        for (sample, silent, loud) in [
            (Sample::I16, 8_i16, 9_i16),
            (Sample::I16, -8, -9),
            (Sample::I16, 0, i16::MIN),
            (Sample::I16, 0, i16::MAX),
        ] {
            assert!(is_silent(sample, &silent.to_le_bytes()));
            assert!(!is_silent(sample, &loud.to_le_bytes()));
        }
        for (silent, loud) in [(8 << 16, (8 << 16) + 256), (-(8 << 16), (-9 << 16) + 0xFF00), (0, i32::MIN)] {
            let (silent, loud): ([u8; 4], [u8; 4]) = (i32::to_le_bytes(silent), i32::to_le_bytes(loud));
            assert!(is_silent(Sample::I32, &silent) && is_silent(Sample::I24, &silent[1..]));
            assert!(!is_silent(Sample::I32, &loud) && !is_silent(Sample::I24, &loud[1..]));
        }
        for (silent, loud) in [(8.0, 8.1), (-8.0, -8.1), (0.0, f32::NAN), (-0.0, f32::NEG_INFINITY)] {
            assert!(is_silent(Sample::F32, &f32::to_le_bytes(silent / 32_768.0)));
            assert!(!is_silent(Sample::F32, &f32::to_le_bytes(loud / 32_768.0)));
        }
    }

    #[test]
    fn every_byte_of_eight_bits_is_judged_as_it_sounds() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_silent(Sample::U8, &[byte]), byte == 0x80);
            assert_eq!(is_silent(Sample::MuLaw, &[byte]), mu_law(byte).abs() <= 8, "{byte:#x}");
            assert_eq!(is_silent(Sample::ALaw, &[byte]), a_law(byte).abs() <= 8, "{byte:#x}");
        }
    }

    /// ITU-T G.711, table 2, on the 16-bit scale.
    fn mu_law(byte: u8) -> i32 {
        let (exponent, mantissa) = (!byte >> 4 & 7, i32::from(!byte & 0xF));
        let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
        if byte & 0x80 == 0 { -magnitude } else { magnitude }
    }

    /// ITU-T G.711, table 1, on the 16-bit scale.
    fn a_law(byte: u8) -> i32 {
        let even = byte ^ 0x55;
        let (exponent, mantissa) = (even >> 4 & 7, i32::from(even & 0xF));
        let magnitude = match exponent {
            0 => (mantissa << 4) + 8,
            _ => ((mantissa << 4) + 0x108) << (exponent - 1),
        };
        if even & 0x80 == 0 { -magnitude } else { magnitude }
    }

    #[test]
    fn one_loud_sample_of_one_channel_makes_its_cell_loud() {
        // Half a second of stereo; a sample of the right channel at 100 ms.
        let mut recording = vec![0; 8000 * 2];
        recording[800 * 4 + 3] = 1;
        let silence = scan(Sample::I16, 8000, 2, &recording);
        assert!(silence.covers(0, 100));
        assert!(!silence.covers(0, 101));
        assert!(!silence.covers(119, 120));
        assert!(silence.covers(120, 500));
        assert!(!silence.covers(0, u64::MAX));
    }

    #[test]
    fn past_the_end_there_is_nothing_to_hear() {
        let silence = scan(Sample::U8, 8000, 1, &[0; 8 * 30]);
        assert!(!silence.covers(20, 40));
        assert!(silence.covers(40, 1000) && silence.covers(20, 20) && silence.covers(30, 20));
        assert!(Silence::default().covers(0, u64::MAX));
    }

    #[test]
    fn half_a_sample_is_not_called_silent() {
        assert!(scan(Sample::I16, 8000, 1, &[0; 320]).covers(0, 40));
        assert!(!scan(Sample::I16, 8000, 1, &[0; 321]).covers(20, 40));
        assert!(scan(Sample::I16, 8000, 1, &[0; 322]).covers(20, 40));
    }

    #[test]
    fn cells_follow_the_clock_at_every_rate() {
        for hz in super::super::RATES {
            // One loud sample, right before and right after a whole second.
            for (frame, loud_ms) in [(hz - 1, 999), (hz, 1000)] {
                let mut recording = vec![0x80; 2 * usize::try_from(hz).unwrap()];
                recording[usize::try_from(frame).unwrap()] = 0;
                let silence = scan(Sample::U8, hz, 1, &recording);
                assert!(!silence.covers(loud_ms, loud_ms + 1));
                assert!(silence.covers(0, 980) && silence.covers(1020, 2000));
                assert_eq!(silence.covers(980, 1000), loud_ms == 1000);
                assert_eq!(silence.cells, 100);
            }
        }
    }
}
