#!/usr/bin/env python3
"""Open a sealed recording with other people's code: Tink for the media, `cryptography` for the key.

    tink_open.py MEDIA ENVELOPE.json PRIVATE.pem OUT

Nothing of the gateway is used here. What this script opens, a customer can open without the gateway's program; where the two
disagree, the format is not what it claims to be. It needs `pip install tink cryptography`.

OUT must not exist. It gets its name only after the last segment has been verified. Exit status: 0 when opened, 1 when refused (with
the reason on standard error), 2 when called wrongly.
"""

import base64
import binascii
import hashlib
import io
import json
import os
import sys
import tempfile

import tink
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from tink import proto_keyset_format, secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

FIELDS = {
    "format", "account", "recording", "content_type", "bytes", "sha256",
    "segment_bytes", "associated_data", "key_commitment", "keys",
}
SEGMENT_BYTES = 65536
CHUNK = 1 << 20


class Refused(Exception):
    """The recording must not be opened."""


def main(arguments):
    if len(arguments) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    media, envelope, private, out = arguments
    try:
        opened = open_recording(media, envelope, private, out)
    except (Refused, OSError, tink.TinkError, ValueError, KeyError, TypeError) as error:
        print(f"refused: {error or type(error).__name__}", file=sys.stderr)
        return 1
    print(f"opened {opened} bytes")
    return 0


def open_recording(media, envelope, private, out):
    """Checks everything that the envelope says, and returns the length of the plaintext written to `out`."""
    envelope = read_envelope(envelope)
    check_media(media, envelope)
    key = unwrap(envelope, read_private_key(private))
    with open(media, "rb") as source:
        return write_when_whole(out, decrypt(source, key, decoded(envelope["associated_data"])))


def read_envelope(path):
    with open(path, "rb") as file:
        envelope = json.load(file)
    # What `GET /v1/recordings/{id}` answers holds it.
    envelope = envelope.get("envelope", envelope)
    if set(envelope) != FIELDS:
        raise Refused(f"the envelope's fields differ: {sorted(set(envelope) ^ FIELDS)}")
    if envelope["format"] != "tink" or envelope["segment_bytes"] != SEGMENT_BYTES:
        raise Refused("the envelope names another format")
    place = [b"consent-gateway/v1", envelope["account"].encode(), envelope["recording"].encode()]
    if any(b"\0" in part for part in place) or decoded(envelope["associated_data"]) != b"\0".join(place):
        raise Refused("the associated data does not match account and recording")
    return envelope


def check_media(path, envelope):
    digest, length = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            length += len(chunk)
    if length != envelope["bytes"]:
        raise Refused(f"the media has {length} bytes, the envelope says {envelope['bytes']}")
    if digest.hexdigest() != envelope["sha256"]:
        raise Refused("the media's SHA-256 is not the envelope's")


def read_private_key(path):
    with open(path, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Refused("not an RSA private key")
    return key


def unwrap(envelope, private):
    """The media key: the first that unwraps and is the one that the envelope commits to."""
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    for wrapped in envelope["keys"]:
        if set(wrapped) != {"key", "algorithm", "encrypted_key"} or wrapped["algorithm"] != "RSA-OAEP-256":
            raise Refused("a wrapped key is of another kind")
        try:
            key = private.decrypt(decoded(wrapped["encrypted_key"]), oaep)
        except ValueError:
            continue
        if commitment(key) != decoded(envelope["key_commitment"]):
            raise Refused("the wrapped key is not the one that the envelope commits to")
        return key
    raise Refused("none of the wrapped keys opens with this private key")


def commitment(key):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"consent-gateway key v1").derive(key)


def decrypt(source, key, associated_data):
    """Yields the plaintext as Tink's AES256-GCM-HKDF-SHA256 streaming AEAD verifies it; raises where it does not."""
    parameters = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=SEGMENT_BYTES, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    tink_key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, params=parameters, key_value=key)
    keyset = tink_pb2.Keyset(primary_key_id=1)
    keyset.key.add(
        key_data=tink_pb2.KeyData(
            type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
            value=tink_key.SerializeToString(),
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
        ),
        status=tink_pb2.ENABLED,
        key_id=1,
        output_prefix_type=tink_pb2.RAW,
    )
    streaming_aead.register()
    handle = proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    primitive = handle.primitive(streaming_aead.StreamingAead)
    with primitive.new_decrypting_stream(source, associated_data) as plaintext:
        while chunk := plaintext.read(CHUNK):
            yield chunk


def write_when_whole(path, chunks):
    """Writes to a nameless file, readable by its owner only, and names it `path` once `chunks` has ended without an error."""
    if os.path.lexists(path):
        raise Refused(f"`{path}` exists already")
    handle, unreleased = tempfile.mkstemp(prefix=".unreleased-", dir=os.path.dirname(os.path.abspath(path)))
    try:
        length = 0
        with io.open(handle, "wb") as file:
            for chunk in chunks:
                length += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.rename(unreleased, path)
        return length
    except BaseException:
        os.unlink(unreleased)
        raise


def decoded(text):
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Refused(f"not base64: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
