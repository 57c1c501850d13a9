//! Entries that were changed and made fit again: what only the holder of a log's key could sign.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use policy::{Call, Table};
use uuid::Uuid;

use crate::base::base;
use crate::change;
use trail::{Body, Leaf, Saw};

static TABLE: LazyLock<Arc<Table>> = LazyLock::new(|| {
    let (_, text) = base().log.iter().find(|(path, _)| path.starts_with("tables/")).expect("a table");
    Arc::new(Table::parse(std::str::from_utf8(text).expect("UTF-8")).expect("a table of ours"))
});

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
    leaves.retain(|leaf| leaf.len() <= trail::MAX_LEAF);
    if by.ratio(7, 8)? {
        mend(&mut leaves, by.ratio(3, 4)?);
    }
    Ok(leaves)
}

fn mend(leaves: &mut [Vec<u8>], decide: bool) {
    let mut calls: HashMap<Uuid, (Uuid, Option<Call>)> = HashMap::new();
    for (index, bytes) in leaves.iter_mut().enumerate() {
        let Ok(mut leaf) = serde_json::from_slice::<Leaf>(bytes) else { continue };
        let millis = u64::try_from(leaf.at.as_millisecond()).unwrap_or(0);
        let [.., a, b, c, d, e, f, g, h] = *leaf.id.as_bytes();
        let [low, high, ..] = index.to_le_bytes();
        leaf.id = uuid::Builder::from_unix_timestamp_millis(millis, &[low, high, a, b, c, d, e, f, g, h])
            .into_uuid();
        leaf.nonce = format!("{index:032x}");
        leaf.kind = leaf.body.kind().as_str().into();
        if let Body::Event { facts, .. } = &mut leaf.body {
            facts.received_at = leaf.at;
        }
        if let (None, Some(fact)) = (leaf.call, leaf.fact()) {
            calls.values_mut().filter_map(|(_, call)| call.as_mut()).for_each(|call| call.apply(&fact));
        }
        if let Some(uid) = leaf.call {
            let (head, call) = calls.remove(&uid).unzip();
            leaf.prev = head;
            let call = if decide { decided(&mut leaf, call.flatten()) } else { None };
            calls.insert(uid, (leaf.id, call));
        }
        if let Ok(mended) = serde_json::to_vec(&leaf) {
            *bytes = mended;
        }
    }
}

/// Answers what the policy answers on the facts, as the gate does.
fn decided(leaf: &mut Leaf, call: Option<Call>) -> Option<Call> {
    let fact = leaf.fact();
    let mut call = match &leaf.body {
        Body::Opened { facts, .. } => Call::open(&TABLE, leaf.at, facts.clone()),
        _ => call?,
    };
    if let (Body::Event { .. }, Some(fact)) = (&leaf.body, &fact) {
        call.apply(fact);
    }
    if let Body::Opened { saw, .. }
    | Body::Event { saw, .. }
    | Body::ControlRefused { saw, .. }
    | Body::Accepted { saw, .. }
    | Body::Unasked { saw, .. }
    | Body::Suspension { saw, .. }
    | Body::Refused { saw, .. } = &mut leaf.body
    {
        *saw = Saw::of(TABLE.digest(), &call.decide(leaf.at));
    }
    if let (Body::Accepted { .. }, Some(fact)) = (&leaf.body, &fact) {
        call.apply(fact);
    }
    Some(call)
}
