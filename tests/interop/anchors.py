"""A witness (C2SP tlog-witness) and a time stamping authority (RFC 3161), as others run them.

anchors.py DIRECTORY prints a line of JSON once it listens on loopback: the witness's verifier key and
both addresses. A log is known to the witness once its verifier key stands in DIRECTORY/logs, one a line:
others get 404. Time stamps are made by OpenSSL; DIRECTORY/ca.pem is whom to trust.
"""

import base64
import hashlib
import http.server
import json
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HERE = Path(sys.argv[1])
NAME = "witness.example.org/w1"
KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
SEEN = {}  # origin -> (size, root)
LOCK = threading.Lock()


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey(name, kind, public):
    return f"{name}+{key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public).decode()}"


class Refused(Exception):
    def __init__(self, status, body=b"", content_type="text/plain"):
        super().__init__(status)
        self.status, self.body, self.content_type = status, body, content_type


def log_key(origin):
    lines = (HERE / "logs").read_text().split() if (HERE / "logs").exists() else []
    for line in lines:
        name, identity, key = line.split("+", 2)
        if name == origin:
            raw = base64.b64decode(key)
            return bytes.fromhex(identity), Ed25519PublicKey.from_public_bytes(raw[1:])
    raise Refused(404, b"this log is not known\n")


def checked(note):
    """The text of a checkpoint that its log has signed, with what it says."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    identity, key = log_key(origin)
    for line in signatures.splitlines():
        dash, name, blob = line.split(" ")
        raw = base64.b64decode(blob)
        if dash == "\N{EM DASH}" and name == origin and raw[:4] == identity:
            try:
                key.verify(raw[4:], text.encode())
                return text, origin, int(size), base64.b64decode(root)
            except InvalidSignature:
                break
    raise Refused(403, b"its log has not signed it\n")


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def consistent(old, old_root, size, root, proof):
    """RFC 9162, section 2.1.4.2."""
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return not proof
    if not proof:
        return False
    if old & (old - 1) == 0:
        proof = [old_root, *proof]
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = proof[0]
    for one in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = node(one, first), node(one, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node(second, one)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == root


def add_checkpoint(body):
    head, _, note = body.decode().partition("\n\n")
    first, *proof = head.split("\n")
    if not first.startswith("old "):
        raise Refused(400, b"it does not begin with `old`\n")
    old, proof = int(first[4:]), [base64.b64decode(line) for line in proof]
    text, origin, size, root = checked(note)
    with LOCK:
        known, known_root = SEEN.get(origin, (0, hashlib.sha256(b"").digest()))
        if old > size:
            raise Refused(400, b"the old size is the larger one\n")
        if old != known:
            raise Refused(409, f"{known}\n".encode(), "text/x.tlog.size")
        if old == size and root != known_root:
            raise Refused(409, f"{known}\n".encode(), "text/x.tlog.size")
        if not consistent(old, known_root, size, root, proof):
            raise Refused(422, b"the proof does not hold\n")
        SEEN[origin] = (size, root)
    now = int(time.time())
    signed = KEY.sign(f"cosignature/v1\ntime {now}\n{text}".encode())
    blob = base64.b64encode(key_id(NAME, 4, PUBLIC) + struct.pack(">Q", now) + signed).decode()
    return f"\N{EM DASH} {NAME} {blob}\n".encode(), "text/plain"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=HERE)


def make_authority():
    (HERE / "tsa.cnf").write_text(f"""
[ tsa ]
default_tsa = one
[ one ]
serial = {HERE}/serial
signer_cert = {HERE}/tsa.pem
signer_key = {HERE}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
[ usage ]
extendedKeyUsage = critical,timeStamping
""")
    (HERE / "serial").write_text("01\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=a test's authority", "-days", 3650)
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=a test's time stamps")
    openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem", "-days", 3650, "-extfile", "tsa.cnf", "-extensions", "usage")


def stamp(body):
    with LOCK:
        (HERE / "query").write_bytes(body)
        openssl("ts", "-reply", "-config", "tsa.cnf", "-section", "one", "-queryfile", "query", "-out", "reply")
        return (HERE / "reply").read_bytes(), "application/timestamp-reply"


class Door(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            match self.path:
                case "/witness/add-checkpoint":
                    status, (answer, content_type) = 200, add_checkpoint(body)
                case "/stamp":
                    status, (answer, content_type) = 200, stamp(body)
                case _:
                    raise Refused(404)
        except Refused as refused:
            status, answer, content_type = refused.status, refused.body, refused.content_type
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


make_authority()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
base = f"http://127.0.0.1:{server.server_port}"
print(json.dumps({"key": vkey(NAME, 4, PUBLIC), "witness": f"{base}/witness", "timestamp": f"{base}/stamp"}), flush=True)
server.serve_forever()
