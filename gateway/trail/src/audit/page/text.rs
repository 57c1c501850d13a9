//! How text from elsewhere stands in the page: as text, and as nothing else.
//!
//! **Invariant: text goes into the page through [`Text`].** The template engine sends everything through it that is
//! not marked as safe, and the style sheet alone is.

use std::fmt;

/// Escapes what would be markup, and shows what could not be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text;

impl askama::filters::Escaper for Text {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => dest.write_str("&amp;")?,
                '<' => dest.write_str("&lt;")?,
                '>' => dest.write_str("&gt;")?,
                '"' => dest.write_str("&quot;")?,
                '\'' => dest.write_str("&#39;")?,
                // Would turn the direction of what stands behind it, so that it reads otherwise.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
                    write!(dest, "[U+{:04X}]", u32::from(c))?;
                }
                c if c.is_control() && c != '\n' && c != '\t' => {
                    write!(dest, "[U+{:04X}]", u32::from(c))?;
                }
                c => dest.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The parts of a text, and whether each is meant literally, which stands between backticks. Where one of them has
/// no partner, the text is one part.
pub(super) fn ticks(text: &str) -> Vec<(&str, bool)> {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return vec![(text, false)];
    }
    parts.into_iter().enumerate().map(|(at, part)| (part, at % 2 == 1)).collect()
}
