//! The proofs of a Merkle tree as RFC 9162 words their verification, step by step, to compare with.

use trail::tree::{Hash, node_hash};

/// Section 2.1.3.2: the root that a proof leads to. None where its length is wrong.
pub fn inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut number, mut last, mut reached) = (index, size - 1, *leaf);
    for hash in proof {
        if last == 0 {
            return None;
        }
        if number & 1 == 1 || number == last {
            reached = node_hash(hash, &reached);
            while number & 1 == 0 && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            reached = node_hash(&reached, hash);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    (last == 0).then_some(reached)
}

/// Section 2.1.4.2: the roots of the old and of the new tree that a proof leads to, where the old one
/// is not empty and smaller. None where its length is wrong.
pub fn consistency(old: u64, old_root: &Hash, new: u64, proof: &[Hash]) -> Option<(Hash, Hash)> {
    let mut path = proof.to_vec();
    if path.is_empty() {
        return None;
    }
    if old.is_power_of_two() {
        path.insert(0, *old_root);
    }
    let (mut number, mut last) = (old - 1, new - 1);
    while number & 1 == 1 {
        (number, last) = (number >> 1, last >> 1);
    }
    let (first, rest) = path.split_first()?;
    let (mut older, mut newer) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return None;
        }
        if number & 1 == 1 || number == last {
            older = node_hash(hash, &older);
            newer = node_hash(hash, &newer);
            while number & 1 == 0 && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            newer = node_hash(&newer, hash);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    (last == 0).then_some((older, newer))
}
