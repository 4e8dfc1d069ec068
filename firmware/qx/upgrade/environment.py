# SPDX-License-Identifier: Apache-2.0
"""environment: what the boot loader and Linux tell each other: which slot starts, and how often it may try.

The partition holds two copies in U-Boot's redundant form (headers.COPY). Only the older copy is ever written,
with the next flag, so a write that power cuts anywhere leaves the newer one; its head is cleared before, so
that no two cut writes together make a copy that nobody meant. boot.scr, `fw_printenv` and
`fw_setenv` read and write the same octets. The codec is pure; `EnvironmentFile` is the partition, or in the
lab a file. Variables:

    slot    A or B: the slot to start
    tries   how many starts a slot on trial has left; not there: the slot is confirmed
    failed  the slot that did not come up healthy, until Linux has told of it
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import durable
from ..errors import Refusal

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 0x4000  # octets of a copy
HEAD = struct.Struct("<IB")  # CRC-32 of what is behind the flag, and the flag
SECTOR = 512  # octets that flash writes whole or not at all, at least
ROOM = SIZE - HEAD.size
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")


class BadEnvironment(Refusal):
    """Neither copy is good, or what is to be written has no form."""


@dataclass(frozen=True, slots=True)
class Environment:
    """`place` is the copy that counts, 0 or 1; its `flag`."""

    variables: Mapping[str, str]
    place: int
    flag: int


def build(variables: Mapping[str, str], flag: int) -> bytes:
    """One copy. Raises BadEnvironment for names and values that have no form, and where there is no room."""
    for name, value in variables.items():
        if not NAME.fullmatch(name) or not value or not value.isascii() or "\0" in value:
            raise BadEnvironment(f"environment: {name}={value!r}; expected a name and a text of ASCII")
    told = "".join(f"{name}={value}\0" for name, value in sorted(variables.items())).encode("ascii") + b"\0"
    if len(told) > ROOM:
        raise BadEnvironment(f"environment: {len(told)} octets; expected at most {ROOM}")
    data = told.ljust(ROOM, b"\0")
    return HEAD.pack(zlib.crc32(data), flag % 256) + data


def parse_copy(octets: bytes) -> tuple[dict[str, str], int] | None:
    """Variables and flag of one copy; None where it is not good."""
    if len(octets) != SIZE:
        return None
    crc, flag = HEAD.unpack_from(octets)
    data = octets[HEAD.size :]
    if zlib.crc32(data) != crc:
        return None
    pairs = (pair.partition(b"=") for pair in data.partition(b"\0\0")[0].split(b"\0") if pair)
    return {n.decode("ascii", "replace"): v.decode("ascii", "replace") for n, _, v in pairs}, flag


def parse(octets: bytes) -> Environment:
    """The newer of the two good copies, or the one that is. Raises BadEnvironment."""
    copies = [parse_copy(octets[at : at + SIZE]) for at in (0, SIZE)]
    one, two = copies
    if one and two:
        place = int(0 < (two[1] - one[1]) % 256 < 128)
    elif one or two:
        place = int(one is None)
    else:
        raise BadEnvironment("environment: both copies are damaged; expected at least one with a right CRC")
    variables, flag = copies[place] or ({}, 0)
    return Environment(variables, place, flag)


def changed(now: Environment | None, changes: Mapping[str, str | None]) -> tuple[int, bytes]:
    """What is to be written where (octets from the beginning) for these changes; None takes a variable away.
    Without a good copy the first one is written anew."""
    kept = dict(now.variables) if now else {}
    for name, value in changes.items():
        kept.pop(name, None)
        if value is not None:
            kept[name] = value
    flag, place = (now.flag + 1, 1 - now.place) if now else (1, 0)
    return place * SIZE, build(kept, flag)


class EnvironmentFile:
    """The two copies on flash. Waits for flash: for a worker thread or a process of its own."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> Environment:
        """Raises BadEnvironment, OSError."""
        return parse(self._octets())

    def write(self, changes: Mapping[str, str | None]) -> Environment:
        """Makes the changes durable and reads them back. Raises BadEnvironment, OSError."""
        try:
            now = self.read()
        except BadEnvironment:
            now = None
        at, octets = changed(now, changes)
        handle = os.open(self.file, os.O_RDWR | os.O_CLOEXEC)
        try:
            for part in (bytes(SECTOR), octets):
                durable.write_at(handle, part, at)
                os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
        found = self.read()
        if found.place * SIZE != at or self._octets()[at : at + SIZE] != octets:
            raise BadEnvironment(f"{self.file}: what was written does not read back")
        return found

    def _octets(self) -> bytes:
        with self.file.open("rb") as source:
            return source.read(2 * SIZE)


def create(file: Path, slot: str = "A") -> None:
    """Both copies anew: the factory's step, and the lab's."""
    octets = build({"slot": slot}, 1) + build({"slot": slot}, 0)
    durable.replace(file, octets)
