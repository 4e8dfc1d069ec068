# SPDX-License-Identifier: Apache-2.0
"""What the extension says of a folder is what the standard library says of it (cext/listing.c)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qx.sync.voice import kernel
from qx.sync.voice.tree import KEY


def listed(folder: Path) -> tuple[dict[bytes, bytes], set[bytes], set[bytes], int]:
    """Files with keys, folders, odd ones, latest ctime; each name once."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        parts = list(kernel.listing(handle))
    finally:
        os.close(handle)
    files = [entry for part in parts for entry in kernel.entries(part.files)]
    folders = [name for part in parts for name in part.folders]
    odd = [name for part in parts for name in part.odd]
    assert len(dict(files)) == len(files)
    return dict(files), set(folders), set(odd), parts[-1].newest


@pytest.mark.parametrize("count", [0, 1, 700, 3000])
def test_every_entry_is_told_with_its_key(tmp_path: Path, count: int) -> None:
    """R14: more entries than are read at once; names of 1 and 255 octets and of no character set."""
    names = [b"%d" % number for number in range(count)]
    names += [b"a", b"n" * 255, b"\xff\xfe.wav", b"new\nline"]
    root = os.fsencode(tmp_path)
    for number, name in enumerate(names):
        with open(root + b"/" + name, "wb") as out:  # noqa: PTH123 - names are octets
            out.write(bytes(number % 7))
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "link to a folder").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")
    files, folders, odd, newest = listed(tmp_path)
    wanted: dict[bytes, bytes] = {}
    latest = 0
    for entry in os.scandir(root):
        if entry.is_file(follow_symlinks=False):
            s = entry.stat(follow_symlinks=False)
            wanted[entry.name] = KEY.pack(s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
            latest = max(latest, s.st_ctime_ns)
    assert files == wanted
    assert (folders, odd) == ({b"folder"}, {b"link", b"link to a folder", b"pipe"})
    assert newest == latest


def test_a_folder_is_listed_again_and_again_and_from_its_beginning(tmp_path: Path) -> None:
    """The place that one reader has reached is not another's; no descriptor is left."""
    for name in "abc":
        (tmp_path / name).touch()
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        assert sorted(name for part in kernel.listing(handle) for name, _ in kernel.entries(part.files)) == [
            b"a",
            b"b",
            b"c",
        ]
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    os.close(handle)


def test_what_is_no_folder_is_an_error(tmp_path: Path) -> None:
    """Bad input."""
    (tmp_path / "file").touch()
    handle = os.open(tmp_path / "file", os.O_RDONLY)
    with pytest.raises(NotADirectoryError):
        list(kernel.listing(handle))
    os.close(handle)
    with pytest.raises(OSError, match="Bad file descriptor"):
        list(kernel.listing(handle))
