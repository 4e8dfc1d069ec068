# SPDX-License-Identifier: Apache-2.0
"""A unit of the emulated pair that was set up before its first start: its data partition is made on this
computer.

The same commands as in a guest, on a root in a folder; a start less for each unit.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from board.virt.debian import PROJECT
from board.virt.disk import Disk
from board.virt.vm import UNITS, Pair, settings

QX = PROJECT / "out/host/qx"
FORMATTED = (b"QXDATA01", 32 << 10)  # S10data: the mark in the factory partition, and where


def data(folder: Path, name: str, key: str, more: tuple[str, ...] = ()) -> Path:
    """A folder with what is in /data of that unit: its feature key, and settings: `more`, then the demo's."""
    root = folder / f"root-{name}"
    shutil.rmtree(root, ignore_errors=True)
    _run(QX, "provision", "--root", root, "--model", "qx200", "--serial", UNITS[name].serial,
         "--lan", "eth0", "--wan", "eth1")  # fmt: skip
    given = dict(word.split("=", 1) for word in (*settings(name), *more))
    _run(QX, "set", "--root", root, *(f"{path}={value}" for path, value in given.items()))
    _run(QX, "licence", "install", "--root", root, "-", said=key)
    return root / "data"


def partition(content: Path, image: Path, octets: int) -> bytes:
    """A file system of that size, as S10data makes it, with this content and no blocks in reserve."""
    image.unlink(missing_ok=True)
    _run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "data", "-O", "^64bit,metadata_csum", "-m", "0",
         "-d", content, image, f"{octets >> 10}k")  # fmt: skip
    return image.read_bytes()


def put(disk: Disk, octets: bytes) -> None:
    """The data partition of a unit that has been formatted once."""
    disk.write("data", octets)
    disk.write("factory", *FORMATTED)


def prepare(pair: Pair, more: tuple[str, ...] = (), octets: int = 64 << 20) -> None:
    """Both units set up and licensed, never started."""
    pair.blank()
    for name, key in zip(pair.machines, pair.keys(), strict=True):
        content = data(pair.folder, name, key, more)
        put(pair.machines[name].disk, partition(content, pair.folder / "data.img", octets))


def _run(*argv: str | Path, said: str = "") -> str:
    done = subprocess.run(
        [str(word) for word in argv], input=said, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout
