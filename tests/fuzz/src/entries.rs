//! Entries that were changed and made fit again: what only the holder of a log's key could sign.

use std::collections::HashMap;

use crate::trail::{Body, Leaf};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use uuid::Uuid;

use crate::change;

/// Changes what entries say, and which there are, then mends what would give that away at once.
pub fn changed(leaves: &[Vec<u8>], by: &mut Unstructured<'_>) -> Result<Vec<Vec<u8>>> {
    let mut leaves = leaves.to_vec();
    for _ in 0..by.int_in_range(1..=6)? {
        let at = by.choose_index(leaves.len())?;
        match by.int_in_range(0..=15)? {
            0 if leaves.len() > 1 => drop(leaves.remove(at)),
            1 => {
                let other = by.choose_index(leaves.len())?;
                leaves.swap(at, other);
            }
            2 => {
                let again = leaves[at].clone();
                leaves.insert(by.choose_index(leaves.len())?, again);
            }
            3 => {
                let mut other = leaves[by.choose_index(leaves.len())?].clone();
                change::word(&mut other, by)?;
                leaves.insert(at, other);
            }
            4 => change::bytes(&mut leaves[at], by)?,
            _ => change::word(&mut leaves[at], by)?,
        }
    }
    leaves.retain(|leaf| leaf.len() <= crate::trail::MAX_LEAF);
    if by.ratio(7, 8)? {
        mend(&mut leaves);
    }
    Ok(leaves)
}

fn mend(leaves: &mut [Vec<u8>]) {
    let mut heads: HashMap<Uuid, Uuid> = HashMap::new();
    for (index, bytes) in leaves.iter_mut().enumerate() {
        let Ok(mut leaf) = serde_json::from_slice::<Leaf>(bytes) else { continue };
        let millis = u64::try_from(leaf.at.as_millisecond()).unwrap_or(0);
        let [.., a, b, c, d, e, f, g, h] = *leaf.id.as_bytes();
        let random = [index as u8, (index >> 8) as u8, a, b, c, d, e, f, g, h];
        leaf.id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        leaf.nonce = format!("{index:032x}");
        leaf.kind = leaf.body.kind().into();
        if let Body::Event { facts, .. } | Body::Accepted { facts, .. } = &mut leaf.body {
            facts.received_at = leaf.at;
        }
        if let Some(call) = leaf.call {
            leaf.prev = heads.insert(call, leaf.id);
        }
        if let Ok(mended) = serde_json::to_vec(&leaf) {
            *bytes = mended;
        }
    }
}
