//! The tree of the certificate-transparency test suite, and the `ct-merkle` crate, are the judges.

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::*;

#[test]
fn the_well_known_tree_of_eight_leaves_has_its_roots() {
    let mut edge = Edge::default();
    assert_eq!(edge.root(), empty_root());
    assert_eq!(hex(&empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        edge.push(leaf_hash(leaf), |_, _| {});
        assert_eq!(hex(&edge.root()), root, "{} leaves", edge.size());
    }
}

#[test]
fn the_well_known_tree_of_eight_leaves_has_its_proofs() {
    let tree = Tree::of(LEAVES.iter().copied());
    let included: [(u64, u64, &[&str]); 5] = [
        (0, 1, &[]),
        (0, 8, &[LEAF_1, NODE_2_3, NODE_4_7]),
        (5, 8, &[LEAF_4, NODE_6_7, ROOTS[3]]),
        (2, 3, &[ROOTS[1]]),
        (1, 5, &[ROOTS[0], NODE_2_3, LEAF_4]),
    ];
    for (index, size, expected) in included {
        let proof = tree.inclusion(index, size);
        assert_eq!(proof.iter().map(hex).collect::<Vec<_>>(), expected, "{index} in {size}");
    }
    let consistent: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (1, 8, &[LEAF_1, NODE_2_3, NODE_4_7]),
        (6, 8, &[NODE_4_5, NODE_6_7, ROOTS[3]]),
        (2, 5, &[NODE_2_3, LEAF_4]),
    ];
    for (old, new, expected) in consistent {
        let proof = tree.consistency(old, new);
        assert_eq!(proof.iter().map(hex).collect::<Vec<_>>(), expected, "{old} to {new}");
    }
}

#[test]
fn pushing_a_leaf_reports_exactly_the_subtrees_that_it_completes() {
    let leaves: Vec<Hash> = (0_u64..300).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
    let mut edge = Edge::default();
    for (index, leaf) in leaves.iter().enumerate() {
        let mut reported = Vec::new();
        edge.push(*leaf, |node, hash| reported.push((node, hash)));
        let size = index + 1;
        let complete: Vec<(NodeId, Hash)> = (1..=size.trailing_zeros())
            .map(|height| {
                let first = size - (1 << height);
                let node = NodeId { height: u8::try_from(height).unwrap(), index: (first >> height) as u64 };
                (node, naive_root(&leaves[first..size]))
            })
            .collect();
        assert_eq!(reported, complete, "leaf {index}");
        assert_eq!(edge.root(), naive_root(&leaves[..size]), "{size} leaves");
        assert_eq!(edge.size(), size as u64);
        assert_eq!(edge, Edge::from_parts(edge.size(), edge.hashes().to_vec()).unwrap());
    }
}

#[test]
fn an_edge_is_made_of_as_many_hashes_as_its_size_has_parts() {
    assert_eq!(Edge::from_parts(0, vec![]), Some(Edge::default()));
    assert_eq!(Edge::from_parts(6, vec![[0; 32]; 2]).unwrap().size(), 6);
    for (size, hashes) in [(0, 1), (6, 1), (6, 3), (8, 0), (1 << 63, 1), (u64::MAX, 64)] {
        assert_eq!(Edge::from_parts(size, vec![[0; 32]; hashes]), None, "{hashes} for {size}");
    }
}

#[test]
fn an_inclusion_proof_holds_for_its_leaf_index_and_root_alone() {
    let tree = Tree::numbered(21);
    for size in 1..=21 {
        let root = tree.root(size);
        for (index, leaf) in (0..size).zip(tree.leaves.iter().copied()) {
            let proof = tree.inclusion(index, size);
            let verify = |leaf: &Hash, index, proof: &[Hash], root: &Hash| {
                verify_inclusion(leaf, index, size, proof, root)
            };
            assert_eq!(verify(&leaf, index, &proof, &root), Ok(()));
            for other in (0..size + 3).chain([index | 1 << 63]).filter(|other| *other != index) {
                assert!(verify(&leaf, other, &proof, &root).is_err(), "{index} as {other} of {size}");
            }
            for bit in 0..256 {
                assert_eq!(verify(&flip(&leaf, bit), index, &proof, &root), Err(ProofError::Root));
                assert_eq!(verify(&leaf, index, &proof, &flip(&root, bit)), Err(ProofError::Root));
            }
            for at in 0..proof.len() {
                let mut changed = proof.clone();
                changed[at] = flip(&proof[at], at * 37 % 256);
                assert_eq!(verify(&leaf, index, &changed, &root), Err(ProofError::Root));
                let mut shorter = proof.clone();
                shorter.remove(at);
                assert!(verify(&leaf, index, &shorter, &root).is_err());
            }
            let longer = [proof.as_slice(), &[root]].concat();
            assert!(matches!(verify(&leaf, index, &longer, &root), Err(ProofError::Length { .. })));
        }
    }
}

#[test]
fn a_consistency_proof_holds_for_its_two_roots_alone() {
    let tree = Tree::numbered(21);
    for new in 0..=21 {
        for old in 0..=new {
            let (old_root, new_root, proof) = (tree.root(old), tree.root(new), tree.consistency(old, new));
            let verify = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
                verify_consistency((old, old_root), (new, new_root), proof)
            };
            assert_eq!(verify(&old_root, &new_root, &proof), Ok(()), "{old} to {new}");
            for bit in 0..256 {
                assert!(verify(&flip(&old_root, bit), &new_root, &proof).is_err(), "{old} to {new}");
                if old > 0 || new == 0 {
                    assert!(verify(&old_root, &flip(&new_root, bit), &proof).is_err(), "{old} to {new}");
                }
            }
            for at in 0..proof.len() {
                for bit in 0..256 {
                    let mut changed = proof.clone();
                    changed[at] = flip(&proof[at], bit);
                    assert!(verify(&old_root, &new_root, &changed).is_err());
                }
                let mut shorter = proof.clone();
                shorter.remove(at);
                assert!(verify(&old_root, &new_root, &shorter).is_err());
            }
            let longer = [proof.as_slice(), &[new_root]].concat();
            assert!(verify(&old_root, &new_root, &longer).is_err());
            if old < new {
                let shrunk = verify_consistency((new, &new_root), (old, &old_root), &proof);
                assert_eq!(shrunk, Err(ProofError::Shrunk { old: new, new: old }));
            }
        }
    }
}

#[test]
fn a_log_that_was_rewritten_is_not_consistent_and_the_error_says_which_end_is_wrong() {
    let (tree, mut rewritten) = (Tree::numbered(12), Tree::numbered(12).leaves);
    rewritten[3] = leaf_hash(b"something else");
    let rewritten = Tree::from_hashes(rewritten);
    let proof = rewritten.consistency(7, 12);
    let verify = |old: Hash, new: Hash| verify_consistency((7, &old), (12, &new), &proof);
    assert_eq!(verify(tree.root(7), rewritten.root(12)), Err(ProofError::OldRoot));
    assert_eq!(verify(rewritten.root(7), tree.root(12)), Err(ProofError::NewRoot));
}

#[test]
fn a_range_that_no_proof_can_name_has_no_hash() {
    let tree = Tree::numbered(16);
    for range in [1..4, 1..3, 3..7, 5..16] {
        assert_eq!(tree.hash(&range), None, "{range:?}");
    }
    assert_eq!(tree.hash(&(0..0)), Some(empty_root()));
    assert_eq!(tree.hash(&(0..17)), None, "a leaf that is not there");
    assert_eq!(tree.hash(&(4..6)), Some(naive_root(&tree.leaves[4..6])));
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn roots_and_proofs_agree_with_another_implementation(
        leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..80),
        index in any::<prop::sample::Index>(),
        old in any::<prop::sample::Index>(),
    ) {
        let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        leaves.iter().cloned().for_each(|leaf| theirs.push(leaf));
        let ours = Tree::of(leaves.iter().map(Vec::as_slice));
        let size = leaves.len() as u64;
        prop_assert_eq!(ours.root(size).to_vec(), theirs.root().as_bytes().to_vec());

        let index = index.index(leaves.len());
        let included = ours.inclusion(index as u64, size);
        let expected = theirs.prove_inclusion(index);
        prop_assert_eq!(included.concat(), expected.as_bytes());
        verify_inclusion(&leaf_hash(&leaves[index]), index as u64, size, &included, &ours.root(size)).unwrap();

        let old = old.index(leaves.len()) + 1;
        let consistent = ours.consistency(old as u64, size);
        let expected = theirs.prove_consistency(leaves.len() - old);
        prop_assert_eq!(consistent.concat(), expected.as_bytes());
        let (then, now) = (ours.root(old as u64), ours.root(size));
        verify_consistency((old as u64, &then), (size, &now), &consistent).unwrap();
    }

    #[test]
    fn proofs_of_huge_trees_name_the_nodes_that_another_implementation_names(
        size in 1..=1_u64 << 62, index in any::<u64>(), old in any::<u64>()
    ) {
        let (index, old) = (index % size, old % size + 1);
        // There, nodes are numbered in order: leaves have the even numbers.
        let number = |range: &Range<u64>| 2 * range.start + (range.end - range.start).next_power_of_two() - 1;
        let ours: Vec<u64> = inclusion(index, size).unwrap().iter().map(number).collect();
        prop_assert_eq!(ours, ct_merkle::indices_for_inclusion_proof(size, index));
        let ours: Vec<u64> = consistency(old, size).unwrap().iter().map(number).collect();
        prop_assert_eq!(ours, ct_merkle::indices_for_consistency_proof(old, size - old));
    }

    #[test]
    fn the_parts_of_a_range_cover_it_in_order(start in any::<u64>(), end in any::<u64>()) {
        let mut next = start;
        for part in parts(&(start..end)) {
            prop_assert!(part.height < 64);
            prop_assert_eq!(u128::from(part.index) << part.height, u128::from(next));
            next += 1 << part.height;
        }
        prop_assert_eq!(next, end.max(start));
    }

    #[test]
    fn no_proof_and_no_size_makes_it_panic(
        (a, b) in (any::<u64>(), any::<u64>()), proof in prop::collection::vec(any::<Hash>(), 0..70)
    ) {
        let root = empty_root();
        prop_assert!(verify_inclusion(&root, a, b, &proof, &root).is_err());
        let consistent = verify_consistency((a, &root), (b, &root), &proof);
        prop_assert!(consistent.is_err() || a == b || a == 0);
        let of_the_right_length = vec![root; inclusion(a, b).map_or(0, |ranges| ranges.len())];
        prop_assert!(verify_inclusion(&root, a, b, &of_the_right_length, &root).is_err() || (a, b) == (0, 1));
    }
}

#[test]
fn the_largest_sizes_are_ordinary_sizes() {
    let root = empty_root();
    for size in [MAX_SIZE, u64::MAX - 1, u64::MAX] {
        assert_eq!(inclusion(size, size), None);
        assert!(inclusion(size - 1, size).unwrap().len() <= 64);
        assert!(consistency(size - 1, size).unwrap().len() <= 64);
        assert_eq!(parts(&(0..size)).len(), size.count_ones() as usize);
        assert!(verify_inclusion(&root, size - 1, size, &[], &root).is_err());
        assert!(verify_consistency((size - 1, &root), (size, &root), &[]).is_err());
    }
}

/// A tree that keeps everything.
struct Tree {
    leaves: Vec<Hash>,
    nodes: BTreeMap<NodeId, Hash>,
}

impl Tree {
    fn of<'a>(leaves: impl Iterator<Item = &'a [u8]>) -> Tree {
        Tree::from_hashes(leaves.map(leaf_hash).collect())
    }

    fn numbered(size: u64) -> Tree {
        Tree::from_hashes((0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect())
    }

    fn from_hashes(leaves: Vec<Hash>) -> Tree {
        let (mut nodes, mut edge) = (BTreeMap::new(), Edge::default());
        for (index, leaf) in leaves.iter().enumerate() {
            nodes.insert(NodeId { height: 0, index: index as u64 }, *leaf);
            edge.push(*leaf, |node, hash| assert_eq!(nodes.insert(node, hash), None));
        }
        Tree { leaves, nodes }
    }

    fn hash(&self, range: &Range<u64>) -> Option<Hash> {
        range_hash(range, |node| self.nodes.get(&node).copied())
    }

    fn root(&self, size: u64) -> Hash {
        let root = self.hash(&(0..size)).unwrap();
        assert_eq!(root, naive_root(&self.leaves[..usize::try_from(size).unwrap()]));
        root
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        inclusion(index, size).unwrap().iter().map(|range| self.hash(range).unwrap()).collect()
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency(old, new).unwrap().iter().map(|range| self.hash(range).unwrap()).collect()
    }
}

/// MTH as RFC 6962 defines it, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let mut middle = 1;
            while middle * 2 < leaves.len() {
                middle *= 2;
            }
            let (left, right) = leaves.split_at(middle);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn flip(hash: &Hash, bit: usize) -> Hash {
    let mut flipped = *hash;
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

fn hex(hash: &Hash) -> String {
    crate::hex(hash)
}

const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const LEAF_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const LEAF_4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const NODE_2_3: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const NODE_4_5: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const NODE_6_7: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const NODE_4_7: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
