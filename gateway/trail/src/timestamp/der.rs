//! As much of DER (X.690) as a time stamp needs: definite lengths in their shortest form, tags of
//! one byte, and what is inside is never longer than what is around it.
//!
//! INVARIANT: reading never panics, never allocates, and ends after at most one step a byte.

/// What is left to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Der<'a>(&'a [u8]);

/// Not DER, or another element than the one that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unexpected;

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Der<'a> {
        Der(bytes)
    }

    /// The contents of the next element, whose tag must be this one.
    pub(super) fn take(&mut self, tag: u8) -> Result<&'a [u8], Unexpected> {
        self.optional(tag)?.ok_or(Unexpected)
    }

    /// The next element, to be read from inside.
    pub(super) fn enter(&mut self, tag: u8) -> Result<Der<'a>, Unexpected> {
        self.take(tag).map(Der)
    }

    /// The contents of the next element if its tag is this one; else nothing is read.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Unexpected> {
        match self.0.first() {
            Some(first) if *first == tag => self.next().map(|(_, contents)| Some(contents)),
            _ => Ok(None),
        }
    }

    /// Reads all that is left as elements of any kind.
    pub(super) fn skip_all(mut self) -> Result<(), Unexpected> {
        while !self.0.is_empty() {
            self.next()?;
        }
        Ok(())
    }

    /// There must be nothing left.
    pub(super) fn end(self) -> Result<(), Unexpected> {
        if self.0.is_empty() { Ok(()) } else { Err(Unexpected) }
    }

    /// Section 8.1: identifier, length, contents.
    fn next(&mut self) -> Result<(u8, &'a [u8]), Unexpected> {
        let (&tag, rest) = self.0.split_first().ok_or(Unexpected)?;
        if tag & 0x1f == 0x1f {
            return Err(Unexpected);
        }
        let (&first, mut rest) = rest.split_first().ok_or(Unexpected)?;
        let mut length = usize::from(first & 0x7f);
        if first >= 0x80 {
            // 0x80 alone is the indefinite length of BER; four bytes are more than is ever read.
            if !(1..=4).contains(&length) {
                return Err(Unexpected);
            }
            let (digits, after) = rest.split_at_checked(length).ok_or(Unexpected)?;
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            // Section 10.1: the shortest form there is.
            if digits.first() == Some(&0) || length < 0x80 {
                return Err(Unexpected);
            }
            rest = after;
        }
        let (contents, after) = rest.split_at_checked(length).ok_or(Unexpected)?;
        self.0 = after;
        Ok((tag, contents))
    }
}

/// The contents of an INTEGER must be there, and in their shortest form (section 8.3.2).
pub(super) fn integer(contents: &[u8]) -> Result<&[u8], Unexpected> {
    match contents {
        [] | [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(Unexpected),
        shortest => Ok(shortest),
    }
}

/// An INTEGER of one byte.
pub(super) fn small(contents: &[u8]) -> Result<u8, Unexpected> {
    match contents {
        [value @ 0x00..=0x7f] => Ok(*value),
        _ => Err(Unexpected),
    }
}

/// The contents of the INTEGER of this value.
pub(super) fn unsigned(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    let digits = bytes.iter().skip(zeros).copied();
    let sign = bytes.get(zeros).filter(|first| **first >= 0x80).map(|_| 0);
    sign.into_iter().chain(digits).collect()
}

/// Writes an element of fewer than 128 bytes: all that a request is made of.
pub(super) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    debug_assert!(contents.len() < 0x80, "a request is short");
    let length = u8::try_from(contents.len()).unwrap_or(0x7f);
    [&[tag, length], contents].concat()
}

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0]` and `[1]`, with elements inside.
pub(super) const CONTEXT_0: u8 = 0xa0;
pub(super) const CONTEXT_1: u8 = 0xa1;
