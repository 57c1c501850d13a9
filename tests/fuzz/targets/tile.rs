//! Entry bundles, tiles of hashes, and their paths.
#![no_main]

use trail::tile::{
    BundleId, TileId, bundles_of, node_in_tile, read_bundle, read_hashes, tile_of, tiles_of, width_at,
    write_bundle,
};
use trail::tree::{NodeId, range_hash};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(entries) = read_bundle(bytes) {
        assert!((1..=256).contains(&entries.len()));
        assert_eq!(write_bundle(entries).as_deref(), Some(bytes));
    }
    if let Ok(hashes) = read_hashes(bytes) {
        assert!((1..=256).contains(&hashes.len()));
        assert_eq!(hashes.as_flattened(), bytes);
        let size = hashes.len() as u64;
        // The tile's root in two ways: by its nodes, and node by node.
        let root = range_hash(&(0..size), |node| node_in_tile(node, &hashes));
        let leaf = |index: u64| node_in_tile(NodeId { height: 0, index }, &hashes);
        assert!((0..size).all(|index| leaf(index).is_some()) && leaf(size).is_none() | (size == 256));
        assert!(root.is_some());
    }
    if let Ok(path) = std::str::from_utf8(bytes) {
        if let Some(tile) = TileId::parse(path) {
            assert_eq!(tile.path(), path);
        }
        if let Some(bundle) = BundleId::parse(path) {
            assert_eq!(bundle.path(), path);
        }
    }
    if let Some(size) = bytes.first_chunk().map(|chunk| u64::from_le_bytes(*chunk)) {
        of_size(size);
    }
});

fn of_size(size: u64) {
    for tile in tiles_of(size).take(3) {
        assert_eq!(TileId::parse(&tile.path()), Some(tile));
        assert_eq!(width_at(tile.level, tile.index, size), Some(tile.width));
    }
    for bundle in bundles_of(size).take(3) {
        assert_eq!(BundleId::parse(&bundle.path()), Some(bundle));
    }
    let parts = trail::tree::parts(&(0..size));
    let mut covered = 0u64;
    for node in parts {
        assert_eq!(node.index << node.height, covered);
        let (level, index) = tile_of(node);
        assert!(width_at(level, index, size).is_some(), "the tile of a node exists");
        covered += 1 << node.height;
    }
    assert_eq!(covered, size);
}
