//! Bits of a Vorbis packet, the lowest of each byte first (Vorbis I specification, section 2).

/// Reads integers of some bits; `None` past the end.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Up to 32 bits.
    pub(super) fn read(&mut self, count: u32) -> Option<u32> {
        let begin = usize::try_from(self.at / 8).ok()?;
        self.skip(u64::from(count))?;
        let mut window = [0; 8];
        window.iter_mut().zip(self.bytes.iter().skip(begin)).for_each(|(own, byte)| *own = *byte);
        let aligned = u64::from_le_bytes(window) >> ((self.at - u64::from(count)) % 8);
        u32::try_from(aligned & ((1 << count) - 1)).ok()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.read(1).map(|bit| bit == 1)
    }

    pub(super) fn skip(&mut self, count: u64) -> Option<()> {
        let end = self.at.checked_add(count)?;
        if end > self.length() {
            return None;
        }
        self.at = end;
        Some(())
    }

    /// Whole bytes that were not begun.
    pub(super) fn bytes_left(&self) -> u64 {
        (self.length() - self.at) / 8
    }

    fn length(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX / 8).saturating_mul(8)
    }
}
