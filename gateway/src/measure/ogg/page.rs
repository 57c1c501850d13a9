//! An Ogg page (RFC 3533 section 6): its header, and its checksum.

use super::super::fields::Fields;

/// A page, without its body.
pub(super) struct Page {
    flags: u8,
    granule: i64,
    serial: u32,
    sequence: u32,
    checksum: u32,
    /// The checksum so far: of the header, then also of the lacing.
    computed: u32,
    segments: u8,
    lacing: [u8; 255],
}

impl Page {
    /// None if no page begins like this.
    pub(super) fn parse(header: &[u8; HEADER]) -> Option<Self> {
        let mut fields = Fields(header);
        if fields.array()? != *b"OggS" || fields.u8()? != VERSION {
            return None;
        }
        let page = Self {
            flags: fields.u8().filter(|flags| *flags <= CONTINUED | BEGIN | END)?,
            granule: fields.i64()?,
            serial: fields.u32()?,
            sequence: fields.u32()?,
            checksum: fields.u32()?,
            segments: fields.u8()?,
            computed: 0,
            lacing: [0; 255],
        };
        // The checksum is taken with its own field set to zero.
        let (before, _) = header.split_at(HEADER - 5);
        let computed = crc(crc(crc(0, before), &[0; 4]), &[page.segments]);
        Some(Self { computed, ..page })
    }

    pub(super) fn segments(&self) -> usize {
        usize::from(self.segments)
    }

    pub(super) fn set_lacing(&mut self, lacing: &[u8]) {
        self.lacing.iter_mut().zip(lacing).for_each(|(own, value)| *own = *value);
        self.computed = crc(self.computed, lacing);
    }

    pub(super) fn lacing(&self) -> &[u8] {
        self.lacing.get(..self.segments()).unwrap_or_default()
    }

    pub(super) fn body_length(&self) -> usize {
        self.lacing().iter().map(|value| usize::from(*value)).sum()
    }

    pub(super) fn is_intact(&self, body: &[u8]) -> bool {
        crc(self.computed, body) == self.checksum
    }

    pub(super) fn continues_packet(&self) -> bool {
        self.flags & CONTINUED != 0
    }

    pub(super) fn begins_stream(&self) -> bool {
        self.flags & BEGIN != 0
    }

    pub(super) fn ends_stream(&self) -> bool {
        self.flags & END != 0
    }

    /// The position at the end of the last packet that ends here, in a unit of the codec's.
    pub(super) fn granule(&self) -> i64 {
        self.granule
    }

    pub(super) fn serial(&self) -> u32 {
        self.serial
    }

    pub(super) fn sequence(&self) -> u32 {
        self.sequence
    }
}

impl Default for Page {
    fn default() -> Self {
        Self {
            flags: 0,
            granule: 0,
            serial: 0,
            sequence: 0,
            checksum: 0,
            computed: 0,
            segments: 0,
            lacing: [0; 255],
        }
    }
}

/// Whether a page may begin with these bytes, as far as they reach.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    bytes.iter().zip(b"OggS").all(|(byte, letter)| byte == letter)
}

/// RFC 3533 section 6: polynomial 0x04C11DB7, highest bit first, starting from zero. Sixteen bytes a step:
/// one lookup for each byte in a table that knows how far from the end it stands.
pub(in super::super) fn crc(start: u32, bytes: &[u8]) -> u32 {
    let (blocks, rest) = bytes.as_chunks::<16>();
    let sum = blocks.iter().fold(start, |sum, block| {
        let [b0, b1, b2, b3, tail @ ..] = block;
        let [s0, s1, s2, s3] = sum.to_be_bytes();
        let [t0, t1, t2, t3, tables @ ..] = &TABLES;
        let head = entry(t0, b0 ^ s0) ^ entry(t1, b1 ^ s1) ^ entry(t2, b2 ^ s2) ^ entry(t3, b3 ^ s3);
        tail.iter().zip(tables).fold(head, |sum, (byte, table)| sum ^ entry(table, *byte))
    });
    let [.., last] = &TABLES;
    rest.iter().fold(sum, |sum, byte| {
        let [high, ..] = sum.to_be_bytes();
        sum << 8 ^ entry(last, high ^ byte)
    })
}

fn entry(table: &[u32; 256], byte: u8) -> u32 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

pub(super) const HEADER: usize = 27;

const VERSION: u8 = 0;
const CONTINUED: u8 = 1;
const BEGIN: u8 = 2;
const END: u8 = 4;

/// The first table is for the byte that stands sixteenth from the end, the last one for the byte at the end.
static TABLES: [[u32; 256]; 16] = tables();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, where a wrong index is a build error"
)]
const fn tables() -> [[u32; 256]; 16] {
    let mut tables = [[0; 256]; 16];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u32) << 24;
        let mut table = 16;
        while table > 0 {
            table -= 1;
            let mut bit = 0;
            while bit < 8 {
                sum = if sum >> 31 == 1 { sum << 1 ^ 0x04C1_1DB7 } else { sum << 1 };
                bit += 1;
            }
            tables[table][byte] = sum;
        }
        byte += 1;
    }
    tables
}
