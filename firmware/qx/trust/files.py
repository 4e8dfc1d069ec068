# SPDX-License-Identifier: Apache-2.0
"""files: small files that must never be half there: replaced whole, durable when the call returns, mode 0600.

A sealed file is a header (magic, version, length, SHA-256: `headers.SEALED`) and a msgpack body, so that
damage is seen and never taken for an empty file. Touches the folder it is given, through `durable` alone.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest
from pathlib import Path
from struct import Struct
from typing import Any

from .. import durable
from ..errors import Refusal
from ..packing import NotPacked, pack, unpack

VERSION = 1
HEADER = Struct(">4sHI32s")
BODY_MAX = 1 << 20  # octets


class Damaged(Refusal):
    """A file of data/qx/trust that is there and not readable as what it is."""


def seal(magic: bytes, value: Any) -> bytes:
    body = pack(value)
    digest = hashlib.sha256(body).digest()
    return HEADER.pack(magic, VERSION, len(body), digest) + body


def unseal(file: Path, magic: bytes, octets: bytes) -> Any:
    """The value of a sealed file. Raises Damaged naming `file`. Pure."""
    if len(octets) < HEADER.size or octets[:4] != magic:
        raise Damaged(f"{file}: damaged: expected a file that begins with {magic.decode('ascii')}")
    _, version, length, digest = HEADER.unpack_from(octets)
    body = octets[HEADER.size :]
    if version > VERSION:
        raise Damaged(f"{file}: version {version} of newer firmware; expected {VERSION} or older")
    if length != len(body) or not compare_digest(hashlib.sha256(body).digest(), digest):
        raise Damaged(f"{file}: damaged: its digest is wrong; expected {length} octets as written")
    try:
        return unpack(body)
    except NotPacked:
        raise Damaged(f"{file}: damaged: expected msgpack") from None


def read(file: Path) -> bytes | None:
    """The octets of a file, None where there is none. Raises Damaged when flash does not give them."""
    try:
        with file.open("rb") as source:
            return source.read(BODY_MAX + HEADER.size)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Damaged(f"{file}: not readable: {error.strerror}") from None


def read_sealed(file: Path, magic: bytes) -> Any:
    """The value of a sealed file, None where there is none. Raises Damaged."""
    octets = read(file)
    return None if octets is None else unseal(file, magic, octets)


def replace(file: Path, octets: bytes) -> None:
    """Makes `octets` the file's content: durable, or as it was. Raises Refusal when flash refuses."""
    try:
        durable.replace(file, octets)
    except OSError as error:
        raise Refusal(f"{file}: not stored: {error.strerror}") from None
