# SPDX-License-Identifier: Apache-2.0
"""kernel: what the voice data's tree asks of Linux and the standard library lacks, or has too dear.

Through the extension that is there already (cext/kernel.h, listing.h): ctypes for three calls cost half a
megabyte. Functions that fail raise OSError.
"""

# pyright: reportMissingModuleSource=false

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from _qx import ffi, lib

_ffi: Any = ffi  # they have no types
_lib: Any = lib

KEY_SIZE: int = _lib.QX_LISTING_KEY  # octets: inode, size, mtime_ns, ctime_ns
_ROOM = 64 << 10  # octets of entries at once: some thousand
_new: Any = _ffi.new_allocator(should_clear_after_alloc=False)


class Part(NamedTuple):
    """Some entries of a folder. `files`: octets, see `entries`; `folders` and `odd` (neither of both): names;
    `newest`: the latest ctime of the files until now, in ns."""

    files: bytes
    folders: list[bytes]
    odd: list[bytes]
    newest: int


def flush_file_system(handle: int) -> None:
    """All that was written to the file system of this open folder is durable (syncfs(2)). Waits for it."""
    _checked(_lib.syncfs(handle))


def inotify() -> int:
    """A descriptor that does not block (inotify_init1(2))."""
    return _checked(_lib.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def watch(handle: int, path: bytes, mask: int) -> int:
    """The number of the watch (inotify_add_watch(2))."""
    return _checked(_lib.inotify_add_watch(handle, path, mask))


def _checked(answer: int) -> int:
    if answer < 0:
        code = int(_ffi.errno)
        raise OSError(code, os.strerror(code))
    return answer


def listing(handle: int) -> Iterator[Part]:
    """What is in this open folder, in the kernel's order; nothing is kept of what was given out."""
    found = _lib.qx_listing_open(handle)
    if found == _ffi.NULL:
        _checked(-1)
    try:
        files, others = _new("uint8_t[]", _ROOM), _new("uint8_t[]", _ROOM)
        part = _ffi.new("struct qx_listing_part *")
        part.files, part.files_room = files, _ROOM
        part.others, part.others_room = others, _ROOM
        more = 1
        while more:
            more = _checked(_lib.qx_listing_read(found, part))
            rest = list(entries(_ffi.buffer(others, part.others_length)[:]))
            folders = [name for name, key in rest if key[0]]
            odd = [name for name, key in rest if not key[0]]
            yield Part(_ffi.buffer(files, part.files_length)[:], folders, odd, part.newest)
    finally:
        _lib.qx_listing_close(found)


def entries(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and key of each."""
    at = 0
    while at < len(octets):
        name = at + KEY_SIZE + 1
        end = name + octets[name - 1]
        yield octets[name:end], octets[at : at + KEY_SIZE]
        at = end
