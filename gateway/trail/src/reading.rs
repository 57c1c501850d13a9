//! How an account's own reading of the law is named.

use policy::Terms;
use sha2::{Digest as _, Sha256};

/// The id of a reading: the hash of its terms, as they stand in entries.
#[must_use]
pub fn id_of(terms: &Terms) -> String {
    // What holds no map with other keys than text can always be written.
    let text = serde_json::to_vec(terms).unwrap_or_default();
    format!("sha256:{}", crate::hex(&Sha256::digest(text)))
}

/// The hash of what is said for a reading, with its salt: the JSON array of these texts, in this order.
#[must_use]
pub fn text_of(salt: &str, entity: &str, memo: &str, reason: &str) -> String {
    let text = serde_json::json!([salt, entity, memo, reason]).to_string();
    crate::hex(&Sha256::digest(text))
}
