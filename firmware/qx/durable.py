# SPDX-License-Identifier: Apache-2.0
"""durable: files that are there whole or not at all, and last when the call returns, whatever power does.

The content is flushed before the name is moved, the folder after it. A flush that failed is never tried
again: the kernel reports such an error once, and the fresh file is given up whole. Waits for flash: for
worker threads and other processes. Goes through few calls of `os`, so that a test records them and replays
every prefix. Raises OSError.
"""
# ruff: noqa: PTH102, PTH104, PTH108 - one kind of call for the replay

from __future__ import annotations

import os
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def replace(file: Path, octets: bytes, mode: int = 0o600) -> None:
    """Makes `octets` the file's content, or leaves it as it was. Its folder is made where there is none."""
    fresh = file.with_name(file.name + ".new")
    if not file.parent.is_dir():
        make_folder(file.parent)
    write(fresh, octets, mode)
    try:
        os.rename(fresh, file)
    except OSError:
        with suppress(OSError):
            os.unlink(fresh)
        raise
    flush(file.parent)


def replace_in_memory(file: Path, octets: bytes, mode: int = 0o600) -> bool:
    """As `replace`, for what another process reads and nobody has after a restart: whole or not at all, but
    not flushed. False where it is the file's content already."""
    with suppress(FileNotFoundError):
        if file.read_bytes() == octets:
            return False
    fresh = file.with_name(f".{file.name}.new")
    write(fresh, octets, mode, flushed=False)
    os.rename(fresh, file)
    return True


def write(file: Path, octets: bytes, mode: int = 0o600, *, flushed: bool = True) -> None:
    """As `create`, in place of what has that name: whoever reads it meanwhile finds part of it."""
    remove(file)
    create(file, octets, mode, flushed=flushed)


def create(file: Path, octets: bytes, mode: int = 0o600, *, flushed: bool = True) -> None:
    """Makes a new file with this content; FileExistsError where there is one of that name. The name lasts
    when the folder is flushed."""
    handle = os.open(file, FRESH, mode)
    try:
        left = memoryview(octets)
        while left:
            left = left[os.write(handle, left) :]
        if flushed:
            os.fsync(handle)
    except OSError:
        with suppress(OSError):
            os.unlink(file)
        raise
    finally:
        os.close(handle)


def write_at(handle: int, octets: bytes, at: int) -> None:
    """All of it, from that octet of an open file on; not flushed."""
    written = 0
    while written < len(octets):
        written += os.pwrite(handle, octets[written:], at + written)


def make_folder(folder: Path) -> None:
    """Makes sure that the folder is there and lasts, even if somebody else made it and did not flush."""
    if not folder.parent.is_dir():
        make_folder(folder.parent)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    flush(folder.parent)


def flush(path: Path) -> None:
    """Makes a folder's names durable, or a file's content."""
    handle = os.open(path, FOLDER if path.is_dir() else os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(file: Path) -> None:
    """Takes a name away, if it is there; lasts when the folder is flushed."""
    with suppress(FileNotFoundError):
        os.unlink(file)
