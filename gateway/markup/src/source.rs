//! A document's bytes as text, and where in the bytes each part of the text stands.
//!
//! It knows encodings, not markup; of the XML declaration it reads the label of the encoding.

use std::borrow::Cow;
use std::ops::Range;

use crate::lexer::Cursor;
use crate::{Limit, ReadError};

/// A document that was decoded.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) text: Cow<'a, str>,
    places: Places,
    unit: Unit,
}

/// Where in the bytes a place in the text is.
#[derive(Debug)]
enum Places {
    /// So many bytes (those of a byte order mark) further on.
    Shifted(usize),
    /// For each byte of the text, and for its end, the byte of the document.
    Listed(Vec<usize>),
}

/// How a character is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Utf8,
    Latin1,
    LittleEndian,
    BigEndian,
}

impl<'a> Source<'a> {
    /// Decodes a document. A byte order mark wins over what was `said` of the encoding outside of
    /// the document, and that over the declaration (RFC 7303 section 3).
    ///
    /// # Errors
    /// [`ReadError::TooLong`], [`ReadError::Encoding`], and [`ReadError::Malformed`] for a declaration that is none.
    pub(crate) fn read(bytes: &'a [u8], limit: Limit, said: Option<Label>) -> Result<Self, ReadError> {
        // A character has four bytes at most, whatever the encoding.
        if bytes.len() > limit.most().saturating_mul(if limit == Limit::Inline { 4 } else { 1 }) {
            return Err(limit.exceeded());
        }
        let source = match bytes {
            [0xef, 0xbb, 0xbf, rest @ ..] => Self::utf8(bytes, rest)?,
            [0xfe, 0xff, ..] => Self::utf16(bytes, Unit::BigEndian, 2)?,
            [0xff, 0xfe, ..] => Self::utf16(bytes, Unit::LittleEndian, 2)?,
            [0, _, ..] => Self::utf16(bytes, Unit::BigEndian, 0)?,
            [_, 0, ..] => Self::utf16(bytes, Unit::LittleEndian, 0)?,
            // In no other encoding of ours is there such a byte.
            bytes if bytes.contains(&0) => return Err(ReadError::Encoding),
            bytes => Self::bytewise(bytes, said)?,
        };
        // What is labelled with an encoding that is not read here means something else to who reads it.
        declared(&source.text)?;
        if limit == Limit::Inline && source.text.chars().count() > limit.most() {
            return Err(limit.exceeded());
        }
        Ok(source)
    }

    /// A range of the text as one of the bytes.
    pub(crate) fn range(&self, text: &Range<usize>) -> Range<usize> {
        self.place(text.start)..self.place(text.end)
    }

    pub(crate) fn place(&self, text: usize) -> usize {
        match &self.places {
            Places::Shifted(by) => text.saturating_add(*by),
            Places::Listed(places) => places.get(text).copied().unwrap_or(self.bytes.len()),
        }
    }

    /// Text in the encoding of the document. What it does not have is a `?`; what is put into documents is US-ASCII, or
    /// was found in them.
    pub(crate) fn encode(&self, text: &str) -> Vec<u8> {
        match self.unit {
            Unit::Utf8 => text.into(),
            Unit::Latin1 => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
            Unit::LittleEndian => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Unit::BigEndian => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }

    fn bytewise(bytes: &'a [u8], said: Option<Label>) -> Result<Self, ReadError> {
        let label = match said {
            Some(label) => label,
            None => {
                // What stands in a declaration is US-ASCII.
                let ascii = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(bytes.len());
                let head = std::str::from_utf8(bytes.get(..ascii).unwrap_or_default()).unwrap_or_default();
                declared(head)?.unwrap_or(Label::Utf8)
            }
        };
        match label {
            Label::Latin1 if !bytes.is_ascii() => {
                let mut text = String::new();
                let mut places = Vec::with_capacity(bytes.len());
                for (at, byte) in bytes.iter().enumerate() {
                    let c = char::from(*byte);
                    text.push(c);
                    places.extend(std::iter::repeat_n(at, c.len_utf8()));
                }
                places.push(bytes.len());
                Ok(Self { bytes, text: text.into(), places: Places::Listed(places), unit: Unit::Latin1 })
            }
            // Markup in UTF-16 always holds a zero byte, and this has none, so it can only be read as UTF-8. (What .NET
            // writes with a `StringWriter` claims to be UTF-16 and is not.)
            Label::Latin1 | Label::Utf8 | Label::Utf16 => Self::utf8(bytes, bytes),
        }
    }

    fn utf8(bytes: &'a [u8], rest: &'a [u8]) -> Result<Self, ReadError> {
        let text = std::str::from_utf8(rest).map_err(|_| ReadError::Encoding)?;
        let mark = bytes.len().saturating_sub(rest.len());
        Ok(Self { bytes, text: text.into(), places: Places::Shifted(mark), unit: Unit::Utf8 })
    }

    fn utf16(bytes: &'a [u8], unit: Unit, mark: usize) -> Result<Self, ReadError> {
        let (pairs, []) = bytes.get(mark..).unwrap_or_default().as_chunks::<2>() else {
            return Err(ReadError::Encoding);
        };
        let units = pairs.iter().map(|pair| match unit {
            Unit::BigEndian => u16::from_be_bytes(*pair),
            Unit::LittleEndian | Unit::Latin1 | Unit::Utf8 => u16::from_le_bytes(*pair),
        });
        let mut text = String::new();
        let mut places = Vec::with_capacity(bytes.len());
        let mut at = mark;
        for c in char::decode_utf16(units) {
            let c = c.map_err(|_| ReadError::Encoding)?;
            text.push(c);
            places.extend(std::iter::repeat_n(at, c.len_utf8()));
            at = at.saturating_add(c.len_utf16().saturating_mul(2));
        }
        places.push(bytes.len());
        Ok(Self { bytes, text: text.into(), places: Places::Listed(places), unit })
    }
}

/// The encodings that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// US-ASCII is a part of it.
    Utf8,
    Utf16,
    Latin1,
}

impl Label {
    /// By its name in IANA's registry of character sets, or an alias that is in use.
    ///
    /// # Errors
    /// [`ReadError::Encoding`] for any other.
    pub(crate) fn parse(label: &str) -> Result<Self, ReadError> {
        match label.trim().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "us-ascii" | "ascii" => Ok(Self::Utf8),
            "utf-16" | "utf-16le" | "utf-16be" => Ok(Self::Utf16),
            "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" => Ok(Self::Latin1),
            _ => Err(ReadError::Encoding),
        }
    }
}

/// The encoding that the XML declaration names.
///
/// # Errors
/// [`ReadError::Encoding`] for one that is not read, [`ReadError::Malformed`] for a declaration that is none.
pub(crate) fn declared(text: &str) -> Result<Option<Label>, ReadError> {
    let mut cursor = Cursor::new(text);
    cursor.space();
    cursor.declaration()?.map(Label::parse).transpose()
}
