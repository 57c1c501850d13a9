#!/usr/bin/env python3
"""A second verifier, written from the reference alone (docs/reference/log-format.md, sealed-format.md and the public
specifications that they name). It needs Python 3.11 and `pip install cryptography`.

    second_verifier.py WHAT --trust FILE [--since HEAD]...     an export (a directory or a zip archive) or a proof pack
    second_verifier.py --vectors DIRECTORY                     the examples of the reference

It checks who signed, the tree, the tiles, what older heads say, each leaf by itself, their order, what is registered, the
details; of a pack its proofs, its manifest, its envelope, and the stretch that shows an absence. It computes no decision
again, does not ask who may do what, and reads neither time stamps nor a pack's page. One line for each thing it finds; exit
code 0 good, 1 tampered, 2 unusable, 3 incomplete.
"""

import base64
import hashlib
import hmac
import json
import re
import struct
import sys
import zlib
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MEMBERS = ["v", "id", "at", "nonce", "type", "actor", "call", "prev", "body", "detail", "register"]
EVENTS = {
    "prompt.started", "prompt.completed", "prompt.interrupted", "consent.given", "consent.declined", "consent.withdrawn",
    "announcement.recorded", "tone.started", "tone.stopped", "participant.joined", "participant.located",
    "participant.answered", "participant.left", "recording.start", "recording.pause", "recording.resume", "recording.stop",
    "recording.started", "recording.paused", "recording.resumed", "recording.stopped", "call.ended",
    "participant.held", "participant.retrieved", "participant.minor", "call.emergency",
    "use.start", "use.pause", "use.resume", "use.stop",
}  # fmt: skip
TYPES = dict(pair.split("=") for pair in """
    opened=call.opened control_refused=recording.control-refused accepted=recording.accepted refused=recording.refused
    unasked=recording.unasked quarantined=recording.quarantined release_refused=recording.release-refused destroyed=recording.destroyed
    fetched=recording.fetched fetch_refused=recording.fetch-refused deleted=recording.deleted held=recording.hold
    prompt=prompt.registered grant=consent-grant.registered grant_withdrawn=consent-grant.withdrawn account=account.added
    account_law=account.law account_recording_settings=account.recording-settings account_format=account.format account_settings=account.settings account_alias=account.alias
    account_alias_removed=account.alias-removed account_provisioner=account.provisioner
    credential_rotated=credential.rotated credential_set=credential.set account_webhook=account.webhook credential=credential.added credential_revoked=credential.revoked person=person.enrolled
    person_confirmed=person.confirmed key=key.added key_retired=key.retired table=table.in-force table_proposed=table.proposed
    reading_allowed=reading.allowed reading_disallowed=reading.disallowed reading_proposed=reading.proposed
    reading_in_force=reading.in-force reading_approved=reading.approved reading_end_proposed=reading.end-proposed reading_ended=reading.ended
    proposal_decided=table.proposal-decided lookup=audit.lookup exported=audit.export gap=audit.gap heartbeat=audit.heartbeat
    hold_set=hold.set hold_lifted=hold.lifted erasure_waits=erasure.waiting
    erased=erasure.executed log_opened=log.opened log_dropped=log.dropped log_key=log.key-rotated""".split())
ACCEPTED = ["recording.accepted", "recording.released"]
MANIFEST = [
    "format",
    "page",
    "kind",
    "account",
    "origin",
    "size",
    "calls",
    "call_id",
    "recording",
    "indices",
    "whole_from",
]
MANIFEST += ["asserted", "did", "made_by", "made_at"]
ENVELOPE = ["format", "account", "recording", "content_type", "bytes", "sha256"]
ENVELOPES = {
    "tink": ENVELOPE + ["segment_bytes", "associated_data", "key_commitment", "keys"],
    "rsa-aes": ENVELOPE + ["key_commitment", "type", "public_key_sid", "encrypted_cek", "iv"],
}


class Tampered(Exception):
    code, word = 1, "tampered"


class Unusable(Tampered):
    code, word = 2, "unusable"


class Incomplete(Tampered):
    code, word = 3, "incomplete"


def check(holds, words, kind=Tampered):
    if not holds:
        raise kind(words)


class Findings:
    """Each thing is looked at by itself; what is not in its form is tampered."""

    def __init__(self):
        self.codes = set()

    @contextmanager
    def look(self, what):
        try:
            yield
        except Tampered as found:
            self.codes.add(found.code)
            print(f"{found.word}: {what}: {found}")
        except (ValueError, LookupError, TypeError, AttributeError, struct.error, zlib.error, RecursionError) as error:
            self.codes.add(1)
            print(f"tampered: {what} is not in its form: {type(error).__name__} {error}")

    def exit_code(self):
        return next((code for code in (1, 3, 2) if code in self.codes), 0)


# Bytes and numbers, each written in one way only.


def unbase64(text):
    data = base64.b64decode(text, validate=True)
    check(base64.b64encode(data).decode() == text, f"base64 in another form: {text}")
    return data


def unhex(text, length):
    check(re.fullmatch(f"[0-9a-f]{{{2 * length}}}", text), f"not {length} bytes in hexadecimal: {text}")
    return bytes.fromhex(text)


def decimal(text):
    check(re.fullmatch("0|[1-9][0-9]{0,18}", text), f"not a decimal: {text}")
    return int(text)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def members(pairs):
    check(len(dict(pairs)) == len(pairs), "a member that stands twice")
    return dict(pairs)


def unjson(data, names):
    """JSON outside of leaves: white space and the order of members do not matter, which members there are does."""
    value = json.loads(
        data.decode(), object_pairs_hook=members, parse_constant=lambda name: check(False, f"JSON has no {name}")
    )
    check(sorted(value) == sorted(names), f"other members than {', '.join(names)}")
    return value


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def needed(files, name):
    check(name in files, f"{name} is missing", Incomplete)
    return files[name]


# RFC 6962, section 2.1.


def leaf_hash(leaf):
    return sha256(b"\0", leaf)


def node(left, right):
    return sha256(b"\1", left, right)


def root_of(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root_of(hashes[:split]), root_of(hashes[split:]))


def root_by_proof(leaf, index, size, proof):
    check(index < size, f"there is no entry {index} among {size}")
    last, rest = size - 1, list(proof)
    while last:
        if index % 2 or index < last:
            check(rest, "the proof is too short")
            leaf = node(rest.pop(0), leaf) if index % 2 else node(leaf, rest.pop(0))
        index, last = index // 2, last // 2
    check(not rest, "the proof is too long")
    return leaf


def roots_by_proof(old, new, root, proof):
    """Both roots by a proof of consistency (section 2.1.2; as RFC 9162, section 2.1.4.2 checks it)."""
    index, last, rest = old - 1, new - 1, list(proof)
    while index % 2:
        index, last = index // 2, last // 2
    older = newer = rest.pop(0) if index else root
    while last:
        if index % 2 or index == last:
            older, newer = node(rest[0], older), node(rest.pop(0), newer)
            while index and not index % 2:
                index, last = index // 2, last // 2
        else:
            newer = node(newer, rest.pop(0))
        index, last = index // 2, last // 2
    check(not rest, "the proof is too long")
    return older, newer


def root_from(before, start, leaves):
    """The root over the maximal complete subtrees of the first `start` entries, and what follows them."""
    stack = [
        (1 << bit, found) for bit, found in zip([b for b in range(62, -1, -1) if start >> b & 1], before, strict=True)
    ]
    for leaf in leaves:
        stack.append((1, leaf))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            (width, right), (_, left) = stack.pop(), stack.pop()
            stack.append((2 * width, node(left, right)))
    found = stack.pop()[1]
    while stack:
        found = node(stack.pop()[1], found)
    return found


# Signed notes, heads and the trust file.


class Key:
    def __init__(self, vkey, algorithm):
        self.vkey = vkey
        self.name, number, material = vkey.split("+", 2)
        material = unbase64(material)
        check(len(material) == 33 and material[0] == algorithm, f"not an Ed25519 key of this kind: {vkey}", Unusable)
        self.algorithm, self.public = material[:1], material[1:]
        check(self.number() == unhex(number, 4), f"the key's id is not the key's: {vkey}", Unusable)

    def number(self, name=None):
        return sha256((name or self.name).encode(), b"\n", self.algorithm, self.public)[:4]

    def verify(self, signature, text):
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            raise Tampered(f"a signature by {self.name} is forged") from None


class Head:
    def __init__(self, note):
        check(len(note) <= 65536, "a head of more than 64 KiB")
        note = note.decode()
        check(not re.search("[\0-\x09\x0b-\x1f]", note), "control characters in a note")
        text, signatures = note.rsplit("\n\n", 1)
        self.text = text.encode() + b"\n"
        self.origin, size, root, *more = text.split("\n")
        self.size, self.root = decimal(size), unbase64(root)
        check(self.origin and all(more), "an empty line in a head")
        check(len(self.root) == 32 and signatures.endswith("\n"), "the head is cut off")
        self.signatures = []
        for line in signatures.split("\n")[:-1]:
            dash, name, signature = line.split(" ")
            check(dash == "\u2014" and name and "+" not in name, f"not a signature line: {line}")
            self.signatures.append((name, unbase64(signature)))

    def signed_by(self, key, name):
        """Whether it is; forged if a signature says so and fails."""
        found = [signature[4:] for by, signature in self.signatures if (by, signature[:4]) == (name, key.number(name))]
        for signature in found:
            if key.algorithm == b"\4":
                seconds = struct.unpack(">Q", signature[:8])[0]
                key.verify(signature[8:], b"cosignature/v1\ntime %d\n" % seconds + self.text)
            else:
                key.verify(signature, self.text)
        return bool(found)


class Trust:
    """A policy: the logs' keys, and whether enough witnesses have signed a head."""

    def __init__(self, text):
        check(not re.search("[\0-\x08\x0b-\x1f\x7f]", text), "control characters in a policy", Unusable)
        self.logs, self.witnesses, self.quorum, self.free = [], [], None, set()
        named = {"none": lambda head: True}
        for line in text.split("\n"):
            words = re.split("[ \t]+", line.strip(" \t"))
            if words[0] == "log" and len(words) in (2, 3):
                self.logs.append(Key(words[1], 1))
            elif words[0] == "witness" and len(words) in (3, 4):
                self.witnesses.append(Key(words[2], 4))
                self.define(named, words[1], lambda head, key=self.witnesses[-1]: head.signed_by(key, key.name))
            elif words[0] == "group" and len(words) > 3:
                check(
                    len(set(words[3:])) == len(words[3:]) and self.free.issuperset(words[3:]),
                    f"the members of a group: {line}",
                    Unusable,
                )
                parts = [named[name] for name in words[3:]]
                least = {"all": len(parts), "any": 1}.get(words[2]) or decimal(words[2])
                check(1 <= least <= len(parts), f"the threshold of a group: {line}", Unusable)
                self.free.difference_update(words[3:])
                self.define(
                    named, words[1], lambda head, parts=parts, least=least: sum(one(head) for one in parts) >= least
                )
            elif words[0] == "quorum" and len(words) == 2 and not self.quorum:
                self.quorum = named[words[1]]
            else:
                check(words[0] == "" or words[0].startswith("#"), f"not a line of a policy: {line}", Unusable)
        check(self.quorum, "the policy has no quorum", Unusable)
        for keys in (self.logs, self.witnesses):
            check(len({key.public for key in keys}) == len(keys), "a key stands twice", Unusable)

    def define(self, named, name, signed):
        check(name not in named, f"{name} is defined twice", Unusable)
        named[name] = signed
        self.free.add(name)

    def keys(self, origin):
        """A log's key speaks for every epoch, unless the file names an epoch itself."""
        keys = [key for key in self.logs if key.name == origin] or [
            key for key in self.logs if key.name == log_of(origin)
        ]
        check(keys, f"{origin} is not a log of the trust file", Unusable)
        return {key.public: key for key in keys}


def log_of(origin):
    """The log's name, without the epoch."""
    return re.sub(r"\.([2-9]|[1-9][0-9]+)$", "", origin)


def check_signatures(head, older, rotations, trust):
    """Follows the log's key through its changes, and returns which key signs a head of a size."""
    trusted = trust.keys(head.origin)
    for witness in trust.witnesses:
        head.signed_by(witness, witness.name)
    direct = [key for key in trusted.values() if head.signed_by(key, head.origin)]
    line = [(0, key) for key in ([rotations[0][1]] if rotations else direct[:1])]
    for index, retired, key in rotations:
        if [retired.public, key.public] == [known.public for _, known in line[-2:]]:
            line.pop()  # the same change again, after a crash
        check(retired.public == line[-1][1].public, f"entry {index} retires a key that was not in use")
        line.append((index + 1, key))
    at = [n for n, (_, key) in enumerate(line) if key.public in trusted]
    check(at, "not signed with a key that is trusted", Unusable)
    for (_, retired), (start, key) in zip(line[at[-1] :], line[at[-1] + 1 :]):
        bridge = min((one for one in [*older, head] if one.size >= start), key=lambda one: one.size)
        both = bridge.signed_by(retired, head.origin) and bridge.signed_by(key, head.origin)
        check(both, f"the head of {bridge.size} entries is not signed with both keys")
    check(head.signed_by(line[-1][1], head.origin), "not signed with the log's key", Unusable)
    check(trust.quorum(head), "too few witnesses have signed", Unusable)
    return lambda size: next(key for start, key in reversed(line) if start <= size)


# Entries.


def instant(text):
    check(text.endswith("Z"), f"not a time in UTC: {text}")
    return datetime.fromisoformat(text)


def read_leaf(leaf):
    check(len(leaf) <= 65535, "a leaf of more than 65,535 bytes")
    entry = json.loads(leaf.decode())
    check(compact(entry).encode() == leaf, "JSON that is not written in its one form")
    check(list(entry) in (MEMBERS, MEMBERS[:-1]), "other members, or in another order")
    check(type(entry["v"]) is int and entry["v"] == 1, f"version {entry['v']}", Unusable)
    check(
        re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", entry["id"]),
        "not a UUID of version 7",
    )
    check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["at"]), "not a time in UTC with milliseconds")
    milliseconds = int(entry["id"].replace("-", "")[:12], 16)
    at = instant(entry["at"])
    check(
        round((at - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds() * 1000) == milliseconds,
        "its id is of another time",
    )
    unhex(entry["nonce"], 16)
    ((variant, body),) = entry["body"].items()
    if variant == "event":
        what = body["facts"]["what"]
        ((name, value),) = what.items() if isinstance(what, dict) else [(what, None)]
        control = {"recording.control": value, "use.control": (value or {}).get("control") if isinstance(value, dict) else None}
        expected = f"{name.split('.')[0]}.{word(control[name])}" if name in control else name
        check(expected in EVENTS, f"the event {expected} is not known", Unusable)
        check(instant(body["facts"]["received_at"]) == at, "received at another time than it was logged")
    elif variant == "suspension":
        (says,) = body["says"]
        check(says in ("ordered", "confirmed", "failed"), f"a suspension that is {says}", Unusable)
        expected = f"suspension.{says}"
    else:
        check(variant in TYPES, f"the body {variant} is not known", Unusable)
        expected = TYPES[variant]
        if variant == "accepted" and body.get("released"):
            expected = "recording.released"
        if variant == "control_refused" and "use" in body:
            expected = "use.control-refused"
    check(entry["type"] == expected, f"the type {entry['type']} is not that of its body")
    check(list(entry["actor"]) == ["credential", "role"], "who did it is not told")
    fixed = {"command-line": "operator", "gateway": "gateway"}.get(entry["actor"]["credential"])
    check(
        fixed == entry["actor"]["role"] if fixed else entry["actor"]["credential"].startswith("cg_"),
        "nobody has this credential",
    )
    check((entry["call"] is not None) == ("saw" in body), "a call without a decision, or a decision without a call")
    opens = entry["call"] is None or variant == "opened"
    check(entry["prev"] is None if opens else isinstance(entry["prev"], str), "the entry before it")
    check(entry["detail"] is None or len(unbase64(entry["detail"])) == 32, "not a commitment")
    return entry


def check_detail(index, entry, salt, document):
    check(entry["detail"], f"entry {index} has no detail")
    check(
        sha256(unhex(salt, 32), document.encode()) == unbase64(entry["detail"]),
        f"entry {index} commits to another detail",
    )


def check_order(entries, epoch, whole=True):
    """`entries` are (index, entry), ascending; of a pack they have gaps."""
    latest, seen, calls = 0, set(), {}
    for index, entry in entries:
        at = instant(entry["at"]).timestamp()
        check(at >= latest - 10, f"entry {index} is more than 10 s earlier than one before it")
        latest = max(latest, at)
        check(seen.isdisjoint([entry["id"], entry["nonce"]]), f"entry {index} has another's id or nonce")
        seen |= {entry["id"], entry["nonce"]}
        opens = entry["type"] == "log.opened"
        check(opens == (epoch and index == 0), f"entry {index}: an epoch begins with log.opened, and nothing else does")
        if (call := entry["call"]) is not None:
            before, then = calls.get(call, (None, 0))
            carried = epoch and whole and call not in calls
            check(before == entry["prev"] or carried, f"entry {index} does not follow on its call's last entry")
            check(
                (entry["type"] == "call.opened") == (call not in calls) or carried,
                f"entry {index} opens its call anew, or nobody did",
            )
            check(at >= then, f"entry {index} is earlier than its call's last entry")
            calls[call] = (entry["id"], at)
    return calls


def lanes_of(row):
    return struct.unpack(">1024H", b"".join(sha256(row, bytes([n])) for n in range(64)))


def check_registers(entries):
    """Follows the sums over all that is registered; whether that could be done."""
    lanes, rows = [0] * 1024, {}
    for index, entry in entries:
        if not (registered := entry.get("register")):
            continue
        if registered["rows"] is None:
            return False
        for register, key, new in registered["rows"]:
            for row, sign in ((rows.pop((register, key), None), -1), (new, 1)):
                if row is not None:
                    lanes = [(lane + sign * more) % 65536 for lane, more in zip(lanes, lanes_of(unhex(row, 32)))]
            if new is not None:
                rows[register, key] = new
        check(
            sha256(struct.pack(">1024H", *lanes)).hex() == registered["sum"],
            f"entry {index}: the sum of what is registered differs",
        )
    return True


def check_tables(files, entries):
    """Those that decided, which have to be there; and none is another text than its name says."""
    for name in [name for name in files if name.startswith("tables/")]:
        check(name == f"tables/{sha256(files[name]).hex()}.toml", f"{name} is another text")
    saw = [next(iter(entry["body"].values())).get("saw") for _, entry in entries]
    decided = {f"tables/{one['table'].removeprefix('sha256:')}.toml" for one in saw if one}
    for name in decided:
        needed(files, name)
    return decided


# An export.


def tile_name(level, index, width):
    digits = f"{index:0{-(-len(str(index)) // 3) * 3}d}"
    groups = re.findall("...", digits)
    return "/".join(["tile", str(level), *("x" + group for group in groups[:-1]), groups[-1]]) + (
        f".p/{width}" if width < 256 else ""
    )


def unbundle(bundle, width):
    leaves = []
    while bundle:
        (length,) = struct.unpack(">H", bundle[:2])
        check(len(bundle) >= 2 + length, "an entry is cut off")
        leaves.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    check(len(leaves) == width, f"{len(leaves)} entries instead of {width}")
    return leaves


def check_older(older, hashes, head, key_at):
    check(older.origin == head.origin, f"a head of {older.origin}", Unusable)
    check(older.size <= head.size, f"a head of {older.size} entries, of which there are {head.size}", Incomplete)
    check(root_of(hashes[: older.size]) == older.root, "the log does not go on from it")
    check(older.signed_by(key_at(older.size), head.origin), "not signed with the log's key")


def check_details_of_log(lines, entries):
    check(lines.endswith(b"\n") or not lines, "the last line is cut off")
    before = -1
    for line in lines.split(b"\n")[:-1]:
        check(len(line) <= 1 << 20, "a line of more than 1 MiB")
        told = unjson(line, ["document", "index", "salt"])
        check(type(told["index"]) is int, "an index that is none")
        check(before < told["index"] < len(entries), f"the detail of entry {told['index']} is out of order")
        before = told["index"]
        check_detail(before, entries[before], told["salt"], told["document"])


def check_export(files, trust, since, look):
    head = Head(needed(files, "checkpoint"))
    trust.keys(head.origin)
    leaves, hashes, entries = [], [], []
    for start in range(0, head.size, 256):
        width = min(256, head.size - start)
        leaves += unbundle(needed(files, tile_name("entries", start // 256, width)), width)
    level = hashes = [leaf_hash(leaf) for leaf in leaves]
    for number in range(64):
        groups = [level[start : start + 256] for start in range(0, len(level), 256)]
        for index, group in enumerate(groups):
            name = tile_name(number, index, len(group))
            with look(name):
                check(needed(files, name) == b"".join(group), "its hashes are not those of what is below it")
        level = [root_of(group) for group in groups if len(group) == 256]
    with look("checkpoint"):
        check(root_of(hashes) == head.root, "its root is not that of the entries")
    for index, leaf in enumerate(leaves):
        with look(f"entry {index}"):
            entries.append((index, read_leaf(leaf)))
    check(len(entries) == len(leaves), "not all entries can be read")
    older = {}
    for name in [name for name in files if name.startswith("checkpoints/")]:
        with look(name):
            older[name] = Head(files[name])
    for name in since:
        with look(name):
            older[name] = Head(Path(name).read_bytes())
    rotated = [(index, entry["body"]["log_key"]) for index, entry in entries if entry["type"] == "log.key-rotated"]
    rotations = [(index, Key(body["retired"], 1), Key(body["key"], 1)) for index, body in rotated]
    key_at = check_signatures(head, older.values(), rotations, trust)
    for name, one in older.items():
        with look(name):
            check_older(one, hashes, head, key_at)
    epoch = head.origin != log_of(head.origin)
    with look("the order of the log"):
        check_order(entries, epoch)
    with look("registers"):
        if epoch or not check_registers(entries):
            print("warning: what is registered was not followed through the whole log")
    with look("tables"):
        check_tables(files, entries)
    with look("details.jsonl"):
        check_details_of_log(files.get("details.jsonl", b""), [entry for _, entry in entries])
    print(f"{head.size} entries of {head.origin}, and their root is {head.root.hex()}")


# A proof pack.


def check_proof(data, index, leaf, head, signed):
    proof, note = data.split(b"\n\n", 1)
    first, numbered, *hashes = proof.decode().split("\n")
    check(first == "c2sp.org/tlog-proof@v1" and numbered == f"index {index}", "the proof of another entry")
    check(note == signed, "the proof is of another head than the pack's")
    check(
        root_by_proof(leaf_hash(leaf), index, head.size, [unbase64(one) for one in hashes]) == head.root,
        "it is not in the tree",
    )


def check_pack(files, trust, look):
    told = unjson(files["pack.json"], MANIFEST)
    head = Head(needed(files, "checkpoint"))
    check_signatures(head, [], [], trust)
    check_manifest(told, head)
    entries, documents, accepted = {}, {}, {}
    belong = {"index.html", "pack.json", "checkpoint"}
    for index in told["indices"]:
        leaf, proof, detail = f"entries/{index}.json", f"proofs/{index}.tlog-proof", f"details/{index}.json"
        with look(f"entry {index}"):
            entries[index] = read_leaf(needed(files, leaf))
            check_proof(needed(files, proof), index, files[leaf], head, files["checkpoint"])
            if detail in files:
                documents[index] = read_detail(files[detail], index, entries[index])
        belong |= {leaf, proof, detail}
    check(len(entries) == len(told["indices"]), "not all entries can be read")
    with look("the order of the entries"):
        calls = check_order(entries.items(), head.origin != log_of(head.origin), whole=False)
        check(set(calls) == set(told["calls"]), "pack.json names other calls")
    with look("pack.json"):
        check_told(told, entries, documents)
    with look("tables"):
        belong |= check_tables(files, entries.items())
    prompts = {
        f"prompts/{entry['body']['prompt']['version']}.json": index
        for index, entry in entries.items()
        if entry["type"] == "prompt.registered"
    }
    for name in [name for name in files if name.startswith("prompts/")]:
        belong.add(name)
        with look(name):
            check(prompts.get(name) in documents, "what registered it is missing", Incomplete)
            document = json.loads(documents[prompts[name]])["document"]
            check(
                files[name].decode() == json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True),
                "other words than were registered",
            )
    if told["kind"] == "recording":
        belong.add("envelope.json")
        with look("envelope.json"):
            check_recording(files.get("envelope.json"), told, entries.values())
    if told["kind"] == "absence":
        numbers = range(-(-(head.size - told["whole_from"]) // 256))
        belong |= {"log/before", *(f"log/entries/{number}" for number in numbers)}
        with look("log"):
            check_absence(files, told, head, numbers, entries)
    for name in sorted(set(files) - belong):
        with look(name):
            check(False, "it does not belong to a pack")
    needed(files, "index.html")
    print(f"{len(entries)} of {head.size} entries of {head.origin}")
    print("warning: index.html was not compared with the entries")


def check_manifest(told, head):
    check(told.get("format") == "consent-gateway pack v1", "another format", Unusable)
    check((told["origin"], told["size"]) == (head.origin, head.size), "another log or size than the head's")
    check(log_of(head.origin).split("/", 1)[1] == told["account"], "another account than the log's")
    check(told["kind"] in ("recording", "call", "absence"), "another kind", Unusable)
    check((told["recording"] is not None) == (told["kind"] == "recording"), "a recording, or none")
    check((told["whole_from"] is not None) == (told["kind"] == "absence"), "a stretch, or none")
    check(
        sorted(set(told["indices"])) == told["indices"] and all(type(one) is int for one in told["indices"]),
        "its indices do not ascend",
    )


def word(control):
    """The word of what was asked: a pause says what is recorded meanwhile."""
    return next(iter(control)) if isinstance(control, dict) else control


def is_asserted(entry):
    """Whether it is somebody's word: what was reported and registered, and not what was asked for or done."""
    ((variant, body),) = entry["body"].items()
    if variant == "event":
        asked = ("recording.control", "use.control")
        return not isinstance(body["facts"]["what"], dict) or not any(one in body["facts"]["what"] for one in asked)
    return variant in ("opened", "prompt", "grant", "grant_withdrawn")


def check_told(told, entries, documents):
    for name, asserted in (("asserted", True), ("did", False)):
        expected = [index for index in told["indices"] if is_asserted(entries[index]) == asserted]
        check([one["index"] for one in told[name]] == expected, f"other entries are {name}")
    for one in told["asserted"] + told["did"]:
        entry = entries[one["index"]]
        by = "{credential} ({role})".format(**entry["actor"])
        check(sorted(one) == ["at", "by", "index", "type"], "other members")
        check(
            instant(one["at"]) == instant(entry["at"]) and (one["type"], one["by"]) == (entry["type"], by),
            f"entry {one['index']} says something else",
        )
    for call in told["calls"]:
        opened = [index for index, entry in entries.items() if entry["type"] == "call.opened" and entry["call"] == call]
        document = json.loads(documents.get(opened[0], "{}")) if opened else {}
        names = [document["call"], *(document.get("aliases") or [])] if "call" in document else []
        if told["kind"] == "absence":
            check(names, "which call it is, is not disclosed", Incomplete)
            check(told["call_id"] in names, "another call than its entries open")
        else:
            check(told["call_id"] == (names[0] if names else None), "another name than was disclosed")


def read_detail(data, index, entry):
    told = unjson(data, ["salt", "document"])
    check_detail(index, entry, told["salt"], told["document"])
    return told["document"]


def check_recording(data, told, entries):
    bodies = [entry["body"]["accepted"] for entry in entries if entry["type"] in ACCEPTED]
    (body,) = [body for body in bodies if body["recording"] == told["recording"]]
    if data is not None:
        form = body.get("format", "tink")
        check(form != "tink" or "format" not in body, "the format that goes without saying is said")
        envelope = unjson(data, ENVELOPES[form])
        envelope = {name: envelope[name] for name in ENVELOPES[form]}
        check(envelope["format"] == form, "another format than was accepted")
        if form == "tink":
            keys, bare = envelope["keys"], envelope | {"keys": []}
        else:
            check(envelope["type"] == form and len(unbase64(envelope["iv"])) == 12, "not a message of this format")
            check(len(body["keys"]) == 1, "sealed for more than one key")
            key = {"key": envelope["public_key_sid"], "encrypted_key": envelope["encrypted_cek"]}
            keys = [key | {"algorithm": "RSA-OAEP-256"}]
            bare = {name: envelope[name] for name in envelope if name not in ("public_key_sid", "encrypted_cek")}
        for key in keys:
            check(
                sorted(key) == ["algorithm", "encrypted_key", "key"] and key["algorithm"] == "RSA-OAEP-256",
                "another kind of key",
            )
            check(unhex(key["key"], 32) and unbase64(key["encrypted_key"]), "a wrapped key is empty")
        names = (envelope["account"], envelope["recording"], envelope["sha256"], envelope["bytes"])
        check(
            names == (told["account"], told["recording"], body["media"], body["bytes"]),
            "another recording than was accepted",
        )
        check(sha256(compact(bare).encode()).hex() == body["envelope"], "another one than was accepted")


def check_absence(files, told, head, numbers, entries):
    start, count = told["whole_from"], head.size - told["whole_from"]
    before = needed(files, "log/before").decode().removesuffix("\n")
    before = [unbase64(line) for line in before.split("\n")] if before else []
    stretch = []
    for number in numbers:
        stretch += unbundle(needed(files, f"log/entries/{number}"), min(256, count - 256 * number))
    check(all(len(one) == 32 for one in before), "the hashes before the stretch")
    check(root_from(before, start, map(leaf_hash, stretch)) == head.root, "the stretch does not give the head's root")
    for index, leaf in enumerate(stretch, start):
        entry = read_leaf(leaf)
        check(entries.get(index, entry) == entry, f"entry {index} is another one in the stretch")
        if entry["call"] in told["calls"]:
            check(index in entries, f"entry {index} is of the call, and left out", Incomplete)
            check(entry["type"] not in ACCEPTED, f"entry {index} accepts a recording of the call")
    opened = [index for index, entry in entries.items() if entry["type"] == "call.opened"]
    check(opened and min(opened) >= start, "the stretch begins after the call")


# Files.


def archive(data):
    """A zip archive in the one form: nothing before, between or behind its parts, and both places say the same."""
    check(data[-22:-18] == b"PK\5\6", "no zip archive without a comment", Unusable)
    *disks, here, count, length, start, comment = struct.unpack("<4H2IH", data[-18:])
    check(
        disks == [0, 0] and here == count and comment == 0 and start + length == len(data) - 22,
        "the archive's end is of another form",
    )
    files, at, entry = {}, 0, start
    for _ in range(count):
        made, need, *shared, comments, disk, inner, outer, begins = struct.unpack(
            "<2H4H3I2H3H2I", data[entry + 4 : entry + 46]
        )
        flags, method, time, date, crc, packed, size, named, extra = shared
        check(data[entry : entry + 4] == b"PK\1\2" and data[at : at + 4] == b"PK\3\4", "not where a file is")
        local_need, *local = struct.unpack("<5H3I2H", data[at + 4 : at + 30])
        check(local == shared and local_need == need and begins == at, "the archive says two things")
        check(
            (method, time, date, comments, disk, inner, outer) == (8, 0, 33, 0, 0, 0, 0o100644 << 16),
            "another form of archive",
        )
        check(made >> 8 == 3 and made & 255 == need in (20, 45) and flags & ~0x0806 == 0, "another form of archive")
        name, more = data[entry + 46 :][:named], data[entry + 46 + named :][:extra]
        check(data[at + 30 :][: named + extra] == name + more, "the archive says two things")
        if extra:
            check(packed == size == 0xFFFFFFFF and extra == 20 and more[:4] == b"\1\0\x10\0", "another extra field")
            size, packed = struct.unpack("<2Q", more[4:])
        at, entry = at + 30 + named + extra + packed, entry + 46 + named + extra
        unpacking = zlib.decompressobj(-15)
        content = unpacking.decompress(data[at - packed : at])
        check(
            unpacking.eof and not unpacking.unused_data and (zlib.crc32(content), len(content)) == (crc, size),
            "a file is damaged",
        )
        check(
            not any(part in ("", ".", "..") for part in name.decode("ascii").split("/")) and b"\\" not in name,
            "a name that is not plain",
        )
        files[name.decode()] = content
    check(at == start and entry == len(data) - 22, "something stands between the parts of the archive")
    check(len({name.lower() for name in files}) == count, "two files of one name")
    return files


def read_files(path):
    if not path.is_dir():
        return archive(path.read_bytes())
    return {one.relative_to(path).as_posix(): one.read_bytes() for one in path.rglob("*") if one.is_file()}


# The examples of the reference.


def check_vectors(directory, look):
    entries, tree, tiles, head = (
        json.loads((directory / f"{name}.json").read_text()) for name in ("entries", "tree", "tiles", "head")
    )
    leaves = [one["leaf"].encode() for one in entries["entries"]]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    roots = [unbase64(root) for root in tree["roots"]]
    with look("entries.json"):
        read = [read_leaf(leaf) for leaf in leaves]
        for index, (entry, one) in enumerate(zip(read, entries["entries"])):
            check(unbase64(one["leaf_hash"]) == hashes[index], f"the hash of leaf {index}")
            check((entry["detail"] is None) == (one["detail"] is None), f"the detail of entry {index}")
            if one["detail"]:
                check_detail(index, entry, one["detail"]["salt"], one["detail"]["document"])
                check(one["detail"]["commitment"] == entry["detail"], f"the commitment of entry {index}")
            for row, (_, _, known) in zip(one["rows"], entry.get("register", {"rows": []})["rows"], strict=True):
                check(sha256(compact(row["row"]).encode()).hex() == row["hash"] == known, f"a row of entry {index}")
        check_order(enumerate(read), False)
        check(check_registers(enumerate(read)), "the sums cannot be followed")
        opening = entries["opening"]
        mac = hmac.digest(
            unhex(opening["subject_key"], 32), f"gw-pid-v1\0{opening['log']}\0{opening['number']}".encode(), "sha256"
        )
        check("p1:" + base64.urlsafe_b64encode(mac).decode().rstrip("=") == opening["subject"], "the pseudonym")
        check(opening["subject"] in entries["entries"][3]["leaf"], "the pseudonym is not found")
    with look("tree.json"):
        check([unbase64(one) for one in tree["leaf_hashes"]] == hashes, "the hashes of the leaves")
        check([root_of(hashes[:size]) for size in range(len(hashes) + 1)] == roots, "the roots")
        for one in tree["inclusion"]:
            proof = [unbase64(hash) for hash in one["proof"]]
            check(root_by_proof(hashes[one["index"]], one["index"], one["size"], proof) == roots[one["size"]], f"{one}")
        for one in tree["consistency"]:
            proof = [unbase64(hash) for hash in one["proof"]]
            check(
                roots_by_proof(one["old"], one["new"], roots[one["old"]], proof)
                == (roots[one["old"]], roots[one["new"]]),
                f"{one}",
            )
    with look("tiles.json"):
        check(unbundle(unbase64(tiles["bundle"]["bytes"]), len(leaves)) == leaves, "the bundle")
        check(unbase64(tiles["tile"]["bytes"]) == b"".join(hashes), "the tile")
        paths = [(one["level"], one["index"], one["width"], one["path"]) for one in tiles["paths"]]
        paths += [("entries", 0, len(leaves), tiles["bundle"]["path"]), (0, 0, len(leaves), tiles["tile"]["path"])]
        check(all(tile_name(*place) == path for *place, path in paths), "a path")
    with look("head.json"):
        trust, note, older = Trust(head["trust"]), Head(head["note"].encode()), Head(head["older"].encode())
        check(trust.logs[0].vkey == head["vkey"] and (note.size, note.root) == (len(leaves), roots[-1]), "another head")
        check_older(older, hashes, note, check_signatures(note, [older], [], trust))
        check_proof(head["proof"].encode(), 3, leaves[3], note, head["note"].encode())


def main(arguments):
    findings, options = Findings(), list(zip(arguments[::2], arguments[1::2]))
    if arguments[0] == "--vectors":
        check_vectors(Path(arguments[1]), findings.look)
        return findings.exit_code()
    what, options = Path(arguments[0]), list(zip(arguments[1::2], arguments[2::2]))
    with findings.look(what.name):
        trust = Trust(Path(dict(options)["--trust"]).read_bytes().decode())
        files = read_files(what)
        since = [value for option, value in options if option == "--since"]
        if "pack.json" not in files:
            check_export(files, trust, since, findings.look)
        else:
            check(not since, "a pack cannot be compared with an older head", Unusable)
            check_pack(files, trust, findings.look)
    code = findings.exit_code()
    print("good, as far as it goes: decisions were not computed again" if code == 0 else f"not good: {code}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
