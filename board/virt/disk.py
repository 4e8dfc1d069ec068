# SPDX-License-Identifier: Apache-2.0
"""disk: the partitions of an image file, by their GPT labels, for what the factory and tests write.

Reads the first table only: genimage wrote it. Offsets and sizes are octets.
"""

from __future__ import annotations

import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512


@dataclass(frozen=True)
class Partition:
    offset: int
    size: int


class Disk:
    """A raw image file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @classmethod
    def copy(cls, source: Path, file: Path) -> Disk:
        """A machine's own disk: a copy that keeps the holes."""
        file.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(file)], check=True)
        return cls(file)

    def partitions(self) -> dict[str, Partition]:
        """By label. UEFI specification, 5.3: header in sector 1, entries of 128 octets."""
        with self.file.open("rb") as disk:
            disk.seek(SECTOR)
            header = disk.read(92)
            if header[:8] != b"EFI PART":
                raise ValueError(f"{self.file}: has no GPT")
            first, count, size = struct.unpack_from("<QII", header, 72)
            disk.seek(first * SECTOR)
            entries = disk.read(count * size)
        found: dict[str, Partition] = {}
        for at in range(0, len(entries), size):
            begin, end = struct.unpack_from("<QQ", entries, at + 32)
            name = entries[at + 56 : at + 128].decode("utf-16-le").rstrip("\0")
            if begin:
                found[name] = Partition(begin * SECTOR, (end - begin + 1) * SECTOR)
        return found

    def read(self, label: str, offset: int = 0, length: int | None = None) -> bytes:
        part = self.partitions()[label]
        with self.file.open("rb") as disk:
            disk.seek(part.offset + offset)
            return disk.read(part.size - offset if length is None else length)

    def write(self, label: str, octets: bytes, offset: int = 0) -> None:
        part = self.partitions()[label]
        if offset + len(octets) > part.size:
            raise ValueError(f"{label}: {offset + len(octets)} octets; it has {part.size}")
        with self.file.open("r+b") as disk:
            disk.seek(part.offset + offset)
            disk.write(octets)

    def rename(self, label: str, other: str) -> None:
        """Gives a partition another label. The tables' checksums (UEFI 5.3.2) are made anew; the copy at
        the end of the disk stays as it is."""
        with self.file.open("r+b") as disk:
            disk.seek(SECTOR)
            header = bytearray(disk.read(92))
            first, count, size = struct.unpack_from("<QII", header, 72)
            disk.seek(first * SECTOR)
            entries = bytearray(disk.read(count * size))
            at = next(
                at
                for at in range(0, len(entries), size)
                if entries[at + 56 : at + 128].decode("utf-16-le").rstrip("\0") == label
            )
            entries[at + 56 : at + 128] = other.encode("utf-16-le").ljust(72, b"\0")
            struct.pack_into("<I", header, 88, zlib.crc32(entries))
            struct.pack_into("<I", header, 16, 0)
            struct.pack_into("<I", header, 16, zlib.crc32(header))
            disk.seek(SECTOR)
            disk.write(header)
            disk.seek(first * SECTOR)
            disk.write(entries)
