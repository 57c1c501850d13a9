//! What may stand behind the last chunk of a WAV file: zeros up to the end of a disk's block, the newline of a
//! script, the ID3v1 tag of a tagger.
//!
//! INVARIANT: nothing in it is audio to a player. Those that look for further chunks find no `data` there.

use super::super::carry::Carry;

/// The bytes behind the last chunk.
#[derive(Default)]
pub(super) struct Tail {
    /// An ID3v1 tag that has begun.
    tag: Carry,
}

impl Tail {
    /// Takes the next bytes. False if they are something else.
    pub(super) fn takes(&mut self, bytes: &[u8]) -> bool {
        let begins = match self.tag.is_empty() {
            true => bytes.iter().position(|byte| !is_blank(*byte)).unwrap_or(bytes.len()),
            false => 0,
        };
        let (_, tag) = bytes.split_at(begins);
        // More than a tag need not be kept to be too much.
        self.tag.hold(tag.get(..=ID3V1_BYTES).unwrap_or(tag));
        self.tag.held().iter().zip(ID3V1).all(|(byte, letter)| byte == letter)
            && self.tag.held().len() <= ID3V1_BYTES
    }

    /// Whether all of it, now that the file has ended, is blank, or blank and a tag.
    pub(super) fn is_harmless(&self) -> bool {
        let tag = self.tag.held();
        tag.is_empty() || (tag.len() == ID3V1_BYTES && !tag.windows(4).any(|four| four == b"data"))
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t' | b'\r' | b'\n')
}

/// How an ID3v1 tag begins.
pub(super) const ID3V1: &[u8] = b"TAG";

const ID3V1_BYTES: usize = 128;
