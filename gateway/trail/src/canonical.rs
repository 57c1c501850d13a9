//! How numbers and bytes are written in the text formats of this module: each in one way only, so
//! that what was parsed is written again byte for byte.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::tree::Hash;

/// A decimal without sign and leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

/// Standard base64 with its padding, of at least one byte.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

/// Standard base64 of exactly 32 bytes.
pub(super) fn hash(text: &str) -> Option<Hash> {
    bytes(text)?.try_into().ok()
}

/// Writes standard base64.
pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}
