use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::tree::leaf_hash;

#[test]
fn a_tree_of_70_000_leaves_has_the_tiles_that_the_specification_counts() {
    let mut widths: BTreeMap<(u8, u16), u64> = BTreeMap::new();
    for tile in tiles_of(70_000) {
        *widths.entry((tile.level, tile.width)).or_default() += 1;
    }
    let expected = [((0, 256), 273), ((0, 112), 1), ((1, 256), 1), ((1, 17), 1), ((2, 1), 1)];
    assert_eq!(widths, expected.into_iter().collect());
    assert_eq!(bundles_of(70_000).count(), 274);
    assert_eq!(bundles_of(70_000).last(), Some(BundleId { index: 273, width: 112 }));
    let paths: Vec<String> = tiles_of(70_000).skip(272).map(|tile| tile.path()).collect();
    assert_eq!(paths, ["tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
}

#[test]
fn a_tree_of_256_leaves_has_a_full_tile_and_a_partial_one_above_it() {
    let tiles: Vec<String> = tiles_of(256).map(|tile| tile.path()).collect();
    assert_eq!(tiles, ["tile/0/000", "tile/1/000.p/1"]);
    let high: Vec<String> = tiles_of((1 << 24) + 1).map(|tile| tile.path()).skip(65_536).collect();
    assert_eq!(high.first().unwrap(), "tile/0/x065/536.p/1");
    assert_eq!(high.last().unwrap(), "tile/3/000.p/1");
    assert_eq!(tiles_of(0).count(), 0);
    assert_eq!(bundles_of(0).count(), 0);
}

#[test]
fn an_index_is_written_in_groups_of_three_digits() {
    let tile = TileId { level: 0, index: 1_234_067, width: 256 };
    assert_eq!(tile.path(), "tile/0/x001/x234/067");
    assert_eq!(TileId { width: 5, ..tile }.path(), "tile/0/x001/x234/067.p/5");
    assert_eq!(BundleId { index: 1_000, width: 256 }.path(), "tile/entries/x001/000");
    assert_eq!(BundleId { index: 999, width: 1 }.path(), "tile/entries/999.p/1");
    let largest = TileId { level: 63, index: u64::MAX, width: 256 };
    assert_eq!(TileId::parse(&largest.path()), Some(largest));
}

#[test]
fn a_path_that_is_written_in_any_other_way_is_none() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/1",
        "tile/0/01",
        "tile/0/0001",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/x000/001",
        "tile/0/x000/x001/001",
        "tile/0/x01/001",
        "tile/0/X001/001",
        "tile/0//001",
        "tile/0/001/",
        "tile/0/ 01",
        "tile/0/+01",
        "tile/0/-01",
        "tile/0/٠٠١",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/8/0/001",
        "tile/0/001.p/0",
        "tile/0/001.p/05",
        "tile/0/001.p/256",
        "tile/0/001.p/",
        "tile/0/001.p",
        "tile/0/001.p/1/2",
        "tile/0/001.p/1.p/1",
        "tile/0/x001.p/001",
        "tile/data/001",
        "/tile/0/001",
        "tile/0/001 ",
        "tile/0/001\n",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
    ] {
        assert_eq!(TileId::parse(path), None, "{path:?}");
        assert_eq!(BundleId::parse(&path.replacen("/0/", "/entries/", 1)), None, "{path:?}");
    }
    assert_eq!(TileId::parse("tile/entries/001"), None);
    assert_eq!(BundleId::parse("tile/0/001"), None);
}

#[test]
fn every_complete_subtree_is_found_in_its_tile() {
    let leaves: Vec<Hash> = (0_u64..70_000).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
    let (mut edge, mut nodes) = (Edge::default(), BTreeMap::new());
    for (index, leaf) in leaves.iter().enumerate() {
        nodes.insert(NodeId { height: 0, index: index as u64 }, *leaf);
        edge.push(*leaf, |node, hash| assert_eq!(nodes.insert(node, hash), None));
    }
    let tiles: BTreeMap<(u8, u64), Vec<Hash>> = tiles_of(edge.size())
        .map(|tile| {
            let first = tile.index * WIDTH;
            let hash = |index| nodes[&NodeId { height: tile.level * HEIGHT, index }];
            ((tile.level, tile.index), (first..first + u64::from(tile.width)).map(hash).collect())
        })
        .collect();
    for (node, hash) in nodes {
        // A tile of 256 leaves is hashed for each of its eight heights: sample the low ones.
        if node.height > 0 && node.height < 7 && node.index % 97 != 0 {
            continue;
        }
        let tile = &tiles[&tile_of(node)];
        assert_eq!(node_in_tile(node, tile), Some(hash), "{node:?}");
        let next = NodeId { index: node.index + 1, ..node };
        if tile_of(next) == tile_of(node) && !tiles_reach(next, edge.size()) {
            assert_eq!(node_in_tile(next, tile), None, "{next:?}");
        }
    }
}

#[test]
fn a_bundle_is_entries_behind_their_lengths() {
    let body = write_bundle([b"one".as_slice(), b"", b"three"]).unwrap();
    assert_eq!(body, b"\0\x03one\0\0\0\x05three");
    assert_eq!(read_bundle(&body).unwrap(), [b"one".as_slice(), b"", b"three"]);
    let longest = vec![7; 65_535];
    let body = write_bundle([longest.as_slice()]).unwrap();
    assert_eq!(read_bundle(&body).unwrap(), [longest.as_slice()]);
    assert_eq!(write_bundle([vec![7; 65_536].as_slice()]), None);
}

#[test]
fn a_bundle_holds_1_to_256_entries() {
    let entries = vec![b"x".as_slice(); 257];
    assert_eq!(write_bundle([]), None);
    assert_eq!(write_bundle(entries.iter().copied()), None);
    let full = write_bundle(entries.iter().copied().take(256)).unwrap();
    assert_eq!(read_bundle(&full).unwrap().len(), 256);
    assert_eq!(read_bundle(&[full.as_slice(), b"\0\x01x"].concat()), Err(TileError::TooMany));
    assert_eq!(read_bundle(b""), Err(TileError::Empty));
}

#[test]
fn a_bundle_that_is_cut_is_refused() {
    let body = write_bundle([b"one".as_slice(), b"two"]).unwrap();
    for end in 1..body.len() {
        match read_bundle(&body[..end]) {
            Ok(entries) => assert_eq!((end, entries.as_slice()), (5, [b"one".as_slice()].as_slice())),
            Err(error) => assert_eq!(error, TileError::Cut { entry: usize::from(end > 5) }),
        }
    }
}

#[test]
fn a_tile_is_1_to_256_hashes() {
    assert_eq!(read_hashes(&[5; 64]).unwrap(), [[5; 32]; 2]);
    assert_eq!(read_hashes(&[5; 8192]).unwrap().len(), 256);
    assert_eq!(read_hashes(&[]), Err(TileError::Empty));
    assert_eq!(read_hashes(&[5; 8224]), Err(TileError::TooMany));
    for bytes in [1, 31, 33, 8191, 8193] {
        assert_eq!(read_hashes(&vec![5; bytes]), Err(TileError::Ragged { bytes }));
    }
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn tiles_bundles_and_widths_agree(size in 0_u64..1_000_000) {
        let below: Vec<BundleId> = tiles_of(size)
            .filter(|tile| tile.level == 0)
            .map(|tile| BundleId { index: tile.index, width: tile.width })
            .collect();
        prop_assert_eq!(bundles_of(size).collect::<Vec<_>>(), below);
        let mut seen = BTreeSet::new();
        let mut hashes = [0_u64; 8];
        for tile in tiles_of(size) {
            prop_assert_eq!(width_at(tile.level, tile.index, size), Some(tile.width));
            prop_assert!(seen.insert((tile.level, tile.index)));
            hashes[usize::from(tile.level)] += u64::from(tile.width);
        }
        for (level, hashes) in (0_u8..).zip(hashes) {
            // floor(s / 256**l), as the specification has it.
            let expected = size / 256_u64.pow(u32::from(level));
            prop_assert_eq!(hashes, expected);
            let behind = expected.div_ceil(256);
            prop_assert_eq!(width_at(level, behind, size), None);
        }
    }

    #[test]
    fn widths_of_anything_do_not_panic(level in any::<u8>(), index in any::<u64>(), size in any::<u64>()) {
        if let Some(width) = width_at(level, index, size) {
            prop_assert!((1..=256).contains(&width));
            prop_assert!(level < 8);
        }
        prop_assert_eq!(width_at(level, u64::MAX, size), None);
        prop_assert!(tiles_of(size).take(3).count() <= 3);
        let node = NodeId { height: level, index };
        let (_, tile) = tile_of(node);
        prop_assert!(tile <= index);
        prop_assert!(node_in_tile(node, &[]).is_none());
    }

    #[test]
    fn every_path_is_read_as_it_is_written(level in 0_u8..64, index in any::<u64>(), width in 1_u16..=256) {
        let tile = TileId { level, index, width };
        prop_assert_eq!(TileId::parse(&tile.path()), Some(tile));
        let bundle = BundleId { index, width };
        prop_assert_eq!(BundleId::parse(&bundle.path()), Some(bundle));
    }

    #[test]
    fn what_is_read_of_any_string_is_written_as_that_string(
        path in r"\PC*|tile/[0-9]{1,2}/(x?[0-9]{1,4}/){0,7}[0-9]{2,4}(\.p/[0-9]{1,3})?"
    ) {
        if let Some(tile) = TileId::parse(&path) {
            prop_assert_eq!(tile.path(), path.clone());
        }
        if let Some(bundle) = BundleId::parse(&path) {
            prop_assert_eq!(bundle.path(), path);
        }
    }

    #[test]
    fn bundles_are_read_as_they_are_written(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..=256)
    ) {
        let body = write_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(read_bundle(&body).unwrap(), entries);
    }

    #[test]
    fn what_is_read_of_any_bytes_is_written_as_those_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(entries) = read_bundle(&bytes) {
            prop_assert_eq!(write_bundle(entries), Some(bytes.clone()));
        }
        if let Ok(hashes) = read_hashes(&bytes) {
            prop_assert_eq!(hashes.concat(), bytes);
        }
    }
}

fn tiles_reach(node: NodeId, size: u64) -> bool {
    (node.index + 1) << node.height <= size
}
