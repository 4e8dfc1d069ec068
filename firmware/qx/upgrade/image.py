# SPDX-License-Identifier: Apache-2.0
"""image: a firmware file as it was uploaded, looked through before SWUpdate gets it, to refuse it in words.

The file is a cpio archive in `crc` form with `sw-description` first, its signature second and the parts of a
slot behind (SWUpdate's layout). Nothing here is trusted: the signature is SWUpdate's to judge, and what is
written is read back. Reads the file once, and keeps no part of it in memory.

    {"software": {"version": "1.1.0",
                  "qx200": {"hardware-compatibility": ["1.0"],
                            "images": [{"filename": "kernel.itb", "device": "/mnt/kernel", "type": "raw",
                                        "installed-directly": true, "sha256": "…"}, …]}}}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from ..errors import Refusal
from ..model import MODELS
from . import version

DESCRIPTION, SIGNATURE = "sw-description", "sw-description.sig"
DESCRIPTION_MAX = 64 << 10  # octets; ours is below 1 kB
IMAGE_MAX = 256 << 20  # octets of the whole file
PARTS = {"kernel.itb": "kernel", "rootfs.squashfs": "rootfs"}  # of a slot, by their file in the image
DEVICES = "/mnt/"  # where the installation finds the parts of the idle slot, and nothing else
CHUNK = 1 << 20
HEAD = 110  # octets of a cpio header: magic and 13 numbers of 8 hexadecimal digits
TRAILER = "TRAILER!!!"


class BadImage(Refusal):
    """What is wrong with a firmware file, and what was expected."""


@dataclass(frozen=True, slots=True)
class Part:
    name: str  # kernel, rootfs
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Image:
    model: str
    version: str
    parts: tuple[Part, ...]


def look(
    file: BinaryIO, model: str, revision: str, running: str, told: Callable[[int], None] = lambda _: None
) -> Image:
    """Looks through a whole image: for this model, hardware revision and after this running release. `told`
    is given the octets read so far. Raises BadImage."""
    entries = _Entries(file, told)
    name, size = entries.next()
    if name != DESCRIPTION or not 0 < size <= DESCRIPTION_MAX:
        raise BadImage(f"firmware: {name!r} comes first; expected a firmware image of this vendor")
    text = entries.octets(size)
    name, size = entries.next()
    if name != SIGNATURE or not 0 < size <= DESCRIPTION_MAX:
        raise BadImage("firmware: not signed; expected an image with a signature")
    entries.octets(size)
    found_version, expected = _described(text, model, revision)
    _admitted(found_version, running)
    parts: list[Part] = []
    while (entry := entries.next())[0] != TRAILER:
        name, size = entry
        if name not in expected:
            raise BadImage(f"firmware: {name[:40]!r} is not described; expected {', '.join(expected)}")
        digest = entries.digest(size)
        if digest != expected.pop(name):
            raise BadImage(f"firmware: {name} is damaged: its SHA-256 is not the one described")
        parts.append(Part(PARTS[name], size, digest))
    if expected:
        raise BadImage(f"firmware: {', '.join(expected)} is missing; expected a whole image")
    return Image(model, found_version, tuple(parts))


def _described(text: bytes, model: str, revision: str) -> tuple[str, dict[str, str]]:
    """Version, and SHA-256 by file, of the description for this model."""
    try:
        software: dict[str, Any] = json.loads(text)["software"]
        found = str(software["version"])
        models = [name for name in software if name in MODELS]
        if model not in models:
            titles = ", ".join(MODELS[name].title for name in models) or "no model"
            raise BadImage(f"firmware: is for {titles}; expected {MODELS[model].title}")
        mine = software[model]
        revisions = [str(one) for one in mine["hardware-compatibility"]]
        if revision not in revisions:
            raise BadImage(f"firmware: is for hardware {', '.join(revisions)[:80]}; expected {revision}")
        digests = {str(one["filename"]): str(one["sha256"]) for one in mine["images"]}
        devices = {str(one["filename"]): str(one["device"]) for one in mine["images"]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadImage("firmware: its description is damaged; expected an image of this vendor") from None
    if devices != {file: DEVICES + part for file, part in PARTS.items()}:
        raise BadImage(f"firmware: has other parts than a slot; expected {', '.join(PARTS)}")
    if not all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests.values()):
        raise BadImage("firmware: its description has no SHA-256 of each part; expected one")
    return found, digests


def _admitted(found: str, running: str) -> None:
    try:
        refused = version.too_old(found)
    except ValueError as error:
        raise BadImage(f"firmware: version: {error}") from None
    if refused:
        raise BadImage(
            f"firmware: version {found} is too old for this device, which runs {running}; "
            f"expected {version.FLOOR} or later"
        )


class _Entries:
    """The entries of a cpio archive, forwards."""

    def __init__(self, file: BinaryIO, told: Callable[[int], None]) -> None:
        self._file, self._told = file, told
        self._at = 0

    def next(self) -> tuple[str, int]:
        """Name and size of the next entry."""
        head = self._exactly(HEAD)
        try:
            numbers = [int(head[at : at + 8], 16) for at in range(6, HEAD, 8)]
        except ValueError:
            numbers = []
        if head[:6] not in (b"070702", b"070701") or not numbers or not 0 < numbers[11] <= 256:
            raise BadImage("firmware: no image of this vendor; expected an archive as SWUpdate takes it")
        name = self._exactly(numbers[11])[:-1].decode("ascii", "replace")
        self._pad()
        return name, numbers[6]

    def octets(self, size: int) -> bytes:
        octets = self._exactly(size)
        self._pad()
        return octets

    def digest(self, size: int) -> str:
        """SHA-256 of the entry's content."""
        sha = hashlib.sha256()
        left = size
        while left:
            part = self._exactly(min(left, CHUNK))
            sha.update(part)
            left -= len(part)
            self._told(self._at)
        self._pad()
        return sha.hexdigest()

    def _pad(self) -> None:
        self._exactly(-self._at % 4)

    def _exactly(self, size: int) -> bytes:
        if self._at + size > IMAGE_MAX:
            raise BadImage(f"firmware: larger than {IMAGE_MAX >> 20} MiB; expected an image of this vendor")
        octets = b""
        while len(octets) < size:
            part = self._file.read(size - len(octets))
            if not part:
                have = self._at + len(octets)
                raise BadImage(f"firmware: truncated: ends after {have} octets in the middle of an entry")
            octets += part
        self._at += size
        return octets
