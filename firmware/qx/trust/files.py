# SPDX-License-Identifier: Apache-2.0
"""files: small files that must never be half there: replaced whole, durable when the call returns, mode 0600.

A sealed file is a header (magic, version, length, SHA-256: `headers.SEALED`) and a msgpack body, so that
damage is seen and never taken for an empty file. Touches the folder it is given. Every operation on flash
goes through the few `os` calls of `replace()`, whose every prefix a test replays.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from hmac import compare_digest
from pathlib import Path
from struct import Struct
from typing import Any

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
    """Makes `octets` the file's content: durable, or as it was. Raises Refusal when flash refuses.

    The content is flushed before the name is moved, the folder after it. A flush that failed is not tried
    again: the kernel reports such an error once, and the fresh file is given up whole.
    """
    fresh = file.with_name(file.name + ".new")
    try:
        if not file.parent.is_dir():
            make_folder(file.parent)
        with suppress(FileNotFoundError):
            os.unlink(fresh)  # noqa: PTH108 - one kind of call for the replay
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            left = memoryview(octets)
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(fresh, file)  # noqa: PTH104
        flush_folder(file.parent)
    except OSError as error:
        with suppress(OSError):
            os.unlink(fresh)  # noqa: PTH108
        raise Refusal(f"{file}: not stored: {error.strerror}") from None


def make_folder(folder: Path) -> None:
    """Makes sure that the folder is there and lasts, even if somebody else made it and did not flush."""
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)  # noqa: PTH102
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
