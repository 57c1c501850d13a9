//! Cursors: the start of an answer's next page, bound to its question.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::Mac as _;
use subtle::ConstantTimeEq as _;

use trail::subject::keyed;

/// The place in a log (epoch and index) after which a page begins, and the last place of all pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) after: Option<(i64, i64)>,
    pub(super) last: (i64, i64),
}

impl Cursor {
    /// The cursor as text; `None` before the first page.
    pub(super) fn write(self, key: &[u8; 32], binding: &str) -> Option<String> {
        let (epoch, seq) = self.after?;
        let places = format!("{epoch}.{seq}.{}.{}", self.last.0, self.last.1);
        let mut mac = keyed(key);
        mac.update(b"gw-cursor-v1\0");
        mac.update(places.as_bytes());
        mac.update(b"\0");
        mac.update(binding.as_bytes());
        let tag = mac.finalize().into_bytes();
        let tag = BASE64_URL_SAFE_NO_PAD.encode(tag.get(..TAG).unwrap_or_default());
        Some(format!("{places}.{tag}"))
    }

    /// Reads a cursor; `None` if it was not issued for this question.
    pub(super) fn read(text: &str, key: &[u8; 32], binding: &str) -> Option<Cursor> {
        let parts: Vec<&str> = text.split('.').collect();
        let [epoch, seq, last_epoch, last_seq, _] = parts.as_slice() else { return None };
        let cursor = Cursor {
            after: Some((epoch.parse().ok()?, seq.parse().ok()?)),
            last: (last_epoch.parse().ok()?, last_seq.parse().ok()?),
        };
        let right = cursor.write(key, binding)?;
        bool::from(right.as_bytes().ct_eq(text.as_bytes())).then_some(cursor)
    }
}

/// How many bytes of the HMAC a cursor holds.
const TAG: usize = 16;

#[cfg(test)]
mod tests {
    use super::Cursor;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_cursor_is_read_for_its_own_question_only() {
        let cursor = Cursor { after: Some((2, 41)), last: (2, 77) };
        let text = cursor.write(&KEY, "question").unwrap();
        assert_eq!(Cursor::read(&text, &KEY, "question"), Some(cursor));
        assert_eq!(Cursor::read(&text, &KEY, "another"), None);
        assert_eq!(Cursor::read(&text, &[8; 32], "question"), None);
    }

    #[test]
    fn no_part_of_a_cursor_can_be_changed() {
        let text = Cursor { after: Some((1, 4)), last: (1, 9) }.write(&KEY, "q").unwrap();
        let (_, tag) = text.rsplit_once('.').unwrap();
        for forged in ["1.5.1.9", "1.4.1.10", "2.4.1.9", "1.4.2.9", "01.4.1.9", "+1.4.1.9"] {
            assert_eq!(Cursor::read(&format!("{forged}.{tag}"), &KEY, "q"), None, "{forged}");
        }
        for nonsense in ["", "x", "1.4", "1.4.1.9", "1.4.1.9.", "1.4.1.9.x.y", &format!("{text}=")] {
            assert_eq!(Cursor::read(nonsense, &KEY, "q"), None, "{nonsense}");
        }
    }
}
