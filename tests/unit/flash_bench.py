# SPDX-License-Identifier: Apache-2.0
"""flash_bench: flash that fails, is full or loses what was not flushed, below SQLite and everything else.

The shim (flash_shim.c, compiled on first use, loaded with LD_PRELOAD into a process of its own) makes flushes
fail and records what a process does to its flash; `after_power_cut` gives what flash may hold after each
prefix of such a record. `mounted` is a small file system that can be filled.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
MARK = "m"  # a record of the test's own: what had been said by then
_RECORD = struct.Struct("=cHQI")


@cache
def shim() -> Path:
    library = Path(tempfile.mkdtemp(prefix="qx-shim-")) / "flash_shim.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library,
         HERE / "flash_shim.c", "-ldl"], check=True,
    )  # fmt: skip
    return library


def run_shimmed(program: str, *arguments: object, root: Path, folder: Path) -> None:
    """Runs a scenario of `program` in a process whose flash below `root` goes through the shim; its record is
    folder/trace, and flushes fail while folder/fail exists."""
    environment = {
        **os.environ,
        "LD_PRELOAD": str(shim()),
        "QX_SHIM_ROOT": str(root),
        "QX_SHIM_FAIL": str(folder / "fail"),
        "QX_SHIM_TRACE": str(folder / "trace"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, HERE / program, *map(str, arguments)], env=environment, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]


@dataclass(frozen=True)
class Operation:
    kind: str  # of flash_shim.c, or MARK
    name: str  # of the file
    at: int
    octets: bytes


def mark(folder: Path, number: int) -> None:
    """Into the record, by the recorded process itself: it has said this number."""
    with (folder / "trace").open("ab") as out:
        out.write(_RECORD.pack(MARK.encode(), 0, number, 0))


def recorded(folder: Path) -> list[Operation]:
    octets = (folder / "trace").read_bytes()
    found: list[Operation] = []
    at = 0
    while at < len(octets):
        kind, width, offset, length = _RECORD.unpack_from(octets, at)
        at += _RECORD.size
        name = octets[at : at + width].decode()
        at += width
        content = octets[at : at + length] if kind == b"w" else b""
        at += len(content)
        found.append(Operation(kind.decode(), name.rpartition("/")[2], offset, content))
    return found


Files = dict[str, bytearray]


def after_power_cut(
    before: dict[str, bytes], trace: list[Operation], files: tuple[str, ...], dice: random.Random
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """For every prefix of the record: (its length, what these files may hold): with nothing of what was not
    flushed, with all of it, and with a part of it, some of that torn. A name that was taken away without a
    flush of the folder may be back; SQLite flushes a folder for names that it makes."""
    durable: Files = {name: bytearray(octets) for name, octets in before.items()}
    waiting: list[Operation] = []
    for count, operation in enumerate([*trace, None]):
        yield count, _laid(durable, [], dice)
        if waiting:
            yield count, _laid(durable, waiting, dice)
            some = [o for o in waiting if dice.random() < 0.6]
            yield count, _laid(durable, some, dice, torn=True)
        if operation is None or operation.name not in files:
            continue
        if operation.kind == "f":
            for done in [o for o in waiting if o.name == operation.name]:
                _do(durable, done, len(done.octets))
            waiting = [o for o in waiting if o.name != operation.name]
        elif operation.kind in "wtu":
            waiting.append(operation)


def _laid(
    durable: Files, waiting: list[Operation], dice: random.Random, torn: bool = False
) -> dict[str, bytes]:
    left = {name: bytearray(octets) for name, octets in durable.items()}
    for operation in waiting:
        length = len(operation.octets)
        _do(left, operation, dice.randrange(length + 1) if torn and dice.random() < 0.3 else length)
    return {name: bytes(octets) for name, octets in left.items()}


def _do(files: Files, operation: Operation, length: int) -> None:
    if operation.kind == "u":
        files.pop(operation.name, None)
        return
    content = files.setdefault(operation.name, bytearray())
    if operation.kind == "t":
        del content[operation.at :]
        return
    content.extend(bytes(max(0, operation.at - len(content))))
    content[operation.at : operation.at + length] = operation.octets[:length]


@contextmanager
def mounted(folder: Path, kind: str, octets: int) -> Iterator[Path]:
    """A file system of that size at `folder`: tmpfs, or ext4 in a file."""
    folder.mkdir()
    if kind == "tmpfs":
        source, options = "tmpfs", f"size={octets}"
    else:
        image = folder.with_suffix(".img")
        with image.open("wb") as out:
            out.truncate(octets)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", image], check=True)
        source, options = str(image), "loop"
    subprocess.run(["mount", "-t", kind, "-o", options, source, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def full(mount: Path) -> Iterator[None]:
    """While it lasts there is no space left."""
    filler = mount / "filler"
    handle = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 16, 1 << 12, 512):
            try:
                while True:
                    os.write(handle, bytes(size))
            except OSError:
                continue
        os.fsync(handle)
        yield
    finally:
        os.close(handle)
        filler.unlink()
