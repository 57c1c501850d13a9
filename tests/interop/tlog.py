"""Verifies an exported log with somebody else's program: PyPI's aics-tlog.

  tlog.py DIRECTORY VKEY [OLDER_CHECKPOINT]

Checks the signed head, every tile and every entry bundle against its root, a few inclusion proofs
made from the tiles, and, where an older head is given, that the log goes on from it. Exit code 0, or 1
with what is wrong on standard error.
"""

import sys
from pathlib import Path

import aics_tlog as tlog


def main(directory, vkey, older=None):
    root = Path(directory)
    key = tlog.parse_vkey(vkey)
    head = checked(root.joinpath("checkpoint").read_text(), key)
    reader = tlog.FileSystemTileReader(root)
    report = tlog.audit_tiles(reader, head.size, head.root)
    for index in sorted({0, head.size // 2, head.size - 1}):
        proof = tlog.inclusion_proof_from_tiles(reader, index, head.size)
        leaf = tlog.leaf_hash(tlog.read_entry(reader, index, head.size))
        assert tlog.verify_inclusion(leaf, index, head.size, proof, head.root), f"entry {index} is not in the tree"
    if older is not None:
        before = checked(Path(older).read_text(), key)
        proof = tlog.consistency_proof_from_tiles(reader, before.size, head.size)
        consistent = tlog.verify_consistency(before.size, head.size, before.root, head.root, proof)
        assert consistent, "the log does not go on from the older head"
    print(f"{report.size} entries in {report.tiles} tiles and {report.bundles} bundles")


def checked(text, key):
    note = tlog.parse_note(text)
    result = tlog.verify_checkpoint(note, key)
    assert result.ok, f"the head is not signed: {result.error}"
    return tlog.parse_checkpoint(note.text)


try:
    main(*sys.argv[1:])
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
