//! The Vorbis setup header (Vorbis I specification, section 4.2.4), read for the modes at its end.
//!
//! What precedes them is passed over field by field. It is not judged: a decoder that finds fault with it
//! plays nothing.

use super::bits::Bits;

/// The modes of a stream: what the first bits of an audio packet mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modes {
    count: u32,
    /// One bit a mode, set where blocks are long.
    long: u64,
}

impl Modes {
    /// Reads a setup header, without its type and magic. Also gives the bytes that follow its end.
    pub(super) fn parse(header: &[u8], channels: u8) -> Option<(Self, u64)> {
        let mut bits = Bits::new(header);
        repeat(&mut bits, 8, codebook)?;
        repeat(&mut bits, 6, |bits| (bits.read(16)? == 0).then_some(()))?;
        repeat(&mut bits, 6, floor)?;
        repeat(&mut bits, 6, residue)?;
        repeat(&mut bits, 6, |bits| mapping(bits, channels))?;
        let mut modes = Self { count: 0, long: 0 };
        repeat(&mut bits, 6, |bits| modes.push(bits))?;
        let framing = bits.flag()?;
        framing.then_some((modes, bits.bytes_left()))
    }

    fn push(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let long = bits.flag()?;
        let (window, transform) = (bits.read(16)?, bits.read(16)?);
        let _mapping = bits.read(8)?;
        self.long |= u64::from(long) << self.count;
        self.count += 1;
        (window == 0 && transform == 0).then_some(())
    }

    /// Whether the block of a packet that begins with this byte is long. None if the packet is not audio, or
    /// in no mode.
    ///
    /// Section 4.3.1: one bit for the packet's type, zero for audio, then the mode. That is at most seven
    /// bits.
    pub(super) fn is_long(self, first: u8) -> Option<bool> {
        let width = bit_length(self.count.saturating_sub(1));
        let mode = u32::from(first >> 1) & ((1 << width) - 1);
        (first & 1 == 0 && mode < self.count).then_some(self.long >> mode & 1 == 1)
    }
}

/// Reads a count, less one, of `width` bits, and that many items.
fn repeat(bits: &mut Bits<'_>, width: u32, mut item: impl FnMut(&mut Bits<'_>) -> Option<()>) -> Option<()> {
    let count = bits.read(width)? + 1;
    (0..count).try_for_each(|_| item(bits))
}

/// Section 3.2.1.
fn codebook(bits: &mut Bits<'_>) -> Option<()> {
    if bits.read(24)? != CODEBOOK_SYNC {
        return None;
    }
    let dimensions = bits.read(16).filter(|dimensions| *dimensions > 0)?;
    let entries = bits.read(24).filter(|entries| *entries > 0)?;
    if bits.flag()? {
        ordered_lengths(bits, entries)?
    } else {
        lengths(bits, entries)?
    }
    let values = match bits.read(4)? {
        0 => return Some(()),
        1 => u64::from(lattice_values(entries, dimensions)),
        2 => u64::from(entries) * u64::from(dimensions),
        _ => return None,
    };
    let (_minimum, _delta) = (bits.read(32)?, bits.read(32)?);
    let width = bits.read(4)? + 1;
    let _sequence = bits.flag()?;
    bits.skip(values * u64::from(width))
}

fn lengths(bits: &mut Bits<'_>, entries: u32) -> Option<()> {
    let sparse = bits.flag()?;
    (0..entries).try_for_each(|_| if !sparse || bits.flag()? { bits.skip(5) } else { Some(()) })
}

/// Entries of one length after another, each time as many as the header says.
fn ordered_lengths(bits: &mut Bits<'_>, entries: u32) -> Option<()> {
    let mut length = bits.read(5)? + 1;
    let mut left = entries;
    while left > 0 {
        if length > 32 {
            return None;
        }
        left = left.checked_sub(bits.read(bit_length(left))?)?;
        length += 1;
    }
    Some(())
}

/// Section 9.2.3: the largest number that, to the power of the dimensions, does not exceed the entries.
fn lattice_values(entries: u32, dimensions: u32) -> u32 {
    let fits = |base: u32| base.checked_pow(dimensions).is_some_and(|power| power <= entries);
    let (mut low, mut high) = (1, entries);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// Sections 6.2.1 and 7.2.2.
fn floor(bits: &mut Bits<'_>) -> Option<()> {
    match bits.read(16)? {
        0 => {
            bits.skip(8 + 16 + 16 + 6 + 8)?;
            repeat(bits, 4, |bits| bits.skip(8))
        }
        1 => floor_1(bits),
        _ => None,
    }
}

fn floor_1(bits: &mut Bits<'_>) -> Option<()> {
    let partitions = bits.read(5)?;
    let classes = (0..partitions).map(|_| bits.read(4)).collect::<Option<Vec<u32>>>()?;
    let mut dimensions = Vec::new();
    for _ in 0..classes.iter().max().map_or(0, |highest| highest + 1) {
        dimensions.push(bits.read(3)? + 1);
        let subclasses = bits.read(2)?;
        let books = if subclasses == 0 { 0 } else { 1 };
        bits.skip(8 * books + 8 * (1 << subclasses))?;
    }
    let _multiplier = bits.read(2)?;
    let range = bits.read(4)?;
    for class in classes {
        let dimensions = *dimensions.get(usize::try_from(class).ok()?)?;
        bits.skip(u64::from(dimensions) * u64::from(range))?;
    }
    Some(())
}

/// Section 8.6.1.
fn residue(bits: &mut Bits<'_>) -> Option<()> {
    if bits.read(16)? > 2 {
        return None;
    }
    bits.skip(24 + 24 + 24)?;
    let classifications = bits.read(6)? + 1;
    let _book = bits.read(8)?;
    let mut books = 0;
    for _ in 0..classifications {
        let low = bits.read(3)?;
        let high = if bits.flag()? { bits.read(5)? } else { 0 };
        books += low.count_ones() + high.count_ones();
    }
    bits.skip(8 * u64::from(books))
}

/// Section 4.2.4, mappings.
fn mapping(bits: &mut Bits<'_>, channels: u8) -> Option<()> {
    if bits.read(16)? != 0 {
        return None;
    }
    let submaps = if bits.flag()? { bits.read(4)? + 1 } else { 1 };
    if bits.flag()? {
        let width = bit_length(u32::from(channels).saturating_sub(1));
        repeat(bits, 8, |bits| bits.skip(2 * u64::from(width)))?;
    }
    if bits.read(2)? != 0 {
        return None;
    }
    if submaps > 1 {
        bits.skip(4 * u64::from(channels))?;
    }
    bits.skip(u64::from(submaps) * (8 + 8 + 8))
}

/// Section 9.2.1: the bits that it takes to write the number; none for zero.
fn bit_length(number: u32) -> u32 {
    u32::BITS - number.leading_zeros()
}

const CODEBOOK_SYNC: u32 = 0x56_43_42;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes what [`Bits`] reads.
    #[derive(Default)]
    struct Writer {
        bytes: Vec<u8>,
        at: usize,
    }

    impl Writer {
        fn put(&mut self, count: usize, value: u64) -> &mut Self {
            for bit in 0..count {
                self.bytes.resize(self.at / 8 + 1, 0);
                self.bytes[self.at / 8] |= u8::from(value >> bit & 1 == 1) << (self.at % 8);
                self.at += 1;
            }
            self
        }

        fn fields(&mut self, fields: &[(usize, u64)]) -> &mut Self {
            fields.iter().for_each(|(count, value)| {
                self.put(*count, *value);
            });
            self
        }
    }

    const SYNC: (usize, u64) = (24, 0x56_43_42);
    const LATTICE: [(usize, u64); 4] = [(32, 1), (32, 1), (4, 3), (1, 0)];

    /// A setup header with one of everything, without its type and magic, and with these modes (long or not).
    pub(in super::super) fn setup(channels: u8, modes: &[bool]) -> Vec<u8> {
        let mut bits = Writer::default();
        bits.put(8, 3);
        // Plain lengths; ordered lengths with a lattice of two values in three dimensions; sparse ones with a
        // table.
        bits.fields(&[SYNC, (16, 1), (24, 2), (1, 0), (1, 0), (5, 0), (5, 0), (4, 0)]);
        bits.fields(&[SYNC, (16, 3), (24, 26), (1, 1), (5, 3), (5, 10), (5, 16), (4, 1)]);
        bits.fields(&LATTICE).put(2 * 4, 0xFF);
        bits.fields(&[
            SYNC,
            (16, 2),
            (24, 3),
            (1, 0),
            (1, 1),
            (1, 1),
            (5, 0),
            (1, 0),
            (1, 1),
            (5, 0),
            (4, 2),
        ]);
        bits.fields(&LATTICE).put(3 * 2 * 4, 0x00AB_CDEF);
        // No codebook beyond these: an entropy that is never used.
        bits.fields(&[SYNC, (16, 1), (24, 1), (1, 0), (1, 0), (5, 0), (4, 0)]);
        bits.fields(&[(6, 0), (16, 0)]);
        // A floor of each type. The second has three partitions of the classes 1, 0, 1.
        bits.fields(&[(6, 1), (16, 0), (8, 9), (16, 9), (16, 9), (6, 9), (8, 9), (4, 1), (16, 9)]);
        bits.fields(&[(16, 1), (5, 3), (4, 1), (4, 0), (4, 1)]);
        bits.fields(&[(3, 1), (2, 0), (8, 1)]).fields(&[(3, 2), (2, 2), (8, 0), (32, 1)]);
        bits.fields(&[(2, 1), (4, 5)]).put((3 + 2 + 3) * 5, 0x12_3456_789A);
        // A residue with two classifications, of two books and of four.
        bits.fields(&[(6, 0), (16, 2), (24, 0), (24, 9), (24, 9), (6, 1), (8, 1)]);
        bits.fields(&[(3, 5), (1, 0), (3, 1), (1, 1), (5, 0b10101)]).put(6 * 8, 0x1234_5678);
        // A mapping with two submaps, whose channels are coupled when there are two.
        bits.fields(&[(6, 0), (16, 0), (1, 1), (4, 1)]);
        match channels {
            1 => bits.put(1, 0),
            _ => bits.fields(&[(1, 1), (8, 0), (1, 0), (1, 1)]),
        };
        bits.put(2, 0).put(4 * usize::from(channels), 0).fields(&[(24, 1), (24, 2)]);
        bits.put(6, u64::try_from(modes.len()).unwrap() - 1);
        modes.iter().for_each(|long| {
            bits.fields(&[(1, u64::from(*long)), (16, 0), (16, 0), (8, 0)]);
        });
        bits.put(1, 1).bytes.clone()
    }

    fn parse(header: &[u8], channels: u8) -> Option<(u32, u64, u64)> {
        Modes::parse(header, channels).map(|(modes, rest)| (modes.count, modes.long, rest))
    }

    #[test]
    fn modes_are_found_behind_everything_else() {
        assert_eq!(parse(&setup(1, &[false]), 1), Some((1, 0b0, 0)));
        assert_eq!(parse(&setup(2, &[false, true]), 2), Some((2, 0b10, 0)));
        assert_eq!(parse(&setup(2, &[true; 64]), 2), Some((64, u64::MAX, 0)));
    }

    #[test]
    fn what_follows_the_header_is_counted() {
        let header = [setup(2, &[true]), vec![0; 9]].concat();
        assert_eq!(parse(&header, 2), Some((1, 1, 9)));
    }

    #[test]
    fn a_cut_header_is_refused() {
        let header = setup(2, &[false, true]);
        for end in 0..header.len() {
            assert_eq!(parse(&header[..end], 2), None);
        }
    }

    #[test]
    fn as_many_bits_as_the_modes_need_select_one() {
        let modes = |count| Modes { count, long: 0b10 };
        assert_eq!(modes(1).is_long(0b1111_1110), Some(false));
        assert_eq!(modes(2).is_long(0b1111_1110), Some(true));
        assert_eq!(modes(3).is_long(0b1111_1010), Some(true));
        assert_eq!(modes(3).is_long(0b1111_1110), None);
        assert_eq!(modes(64).is_long(0b1111_1110), Some(false));
        assert_eq!(modes(2).is_long(0b1111_1111), None);
    }

    #[test]
    fn a_lattice_has_the_root_of_the_entries() {
        assert_eq!(lattice_values(1, 1), 1);
        assert_eq!(lattice_values(81, 4), 3);
        assert_eq!(lattice_values(80, 4), 2);
        assert_eq!(lattice_values((1 << 24) - 1, 1), (1 << 24) - 1);
        assert_eq!(lattice_values((1 << 24) - 1, 2), 4095);
        assert_eq!(lattice_values((1 << 24) - 1, 65_535), 1);
    }
}
