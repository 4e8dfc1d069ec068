# SPDX-License-Identifier: Apache-2.0
"""watch: hints from the kernel (inotify) about what changed in the tree. A hint only: what it misses the next
scan finds. Folders are added from the scan's thread, events are read on the loop.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from struct import Struct

from . import kernel
from .naming import RESERVED, joined
from .tree import Tree

# As inotify(7) has them.
CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
ONLYDIR, OVERFLOW, IGNORED, ISDIR = 0x01000000, 0x4000, 0x8000, 0x40000000
_MASK = CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | ONLYDIR
_EVENT = Struct("iIII")


@dataclass(slots=True)
class Hints:
    """What is to be looked at: files that somebody finished, other names, whole folders; or everything."""

    closed: set[bytes] = field(default_factory=set[bytes])
    names: set[bytes] = field(default_factory=set[bytes])
    folders: set[bytes] = field(default_factory=set[bytes])
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.closed or self.names or self.folders)


def parse(octets: bytes) -> list[tuple[int, int, bytes]]:
    """The events in what inotify gave: (watch, mask, name). Pure."""
    events: list[tuple[int, int, bytes]] = []
    at = 0
    while at + _EVENT.size <= len(octets):
        watch, mask, _, length = _EVENT.unpack_from(octets, at)
        at += _EVENT.size
        events.append((watch, mask, octets[at : at + length].rstrip(b"\0")))
        at += length
    return events


class Watch:
    """`hint(hints)` is called on the loop. Raises OSError where the kernel gives no instance."""

    def __init__(self, tree: Tree, hint: Callable[[Hints], None]) -> None:
        self._tree = tree
        self._hint = hint
        self._folders: dict[int, bytes] = {}
        self._watched: set[bytes] = set()
        self.trouble = ""
        self._handle = kernel.inotify()
        asyncio.get_running_loop().add_reader(self._handle, self._ready)

    def close(self) -> None:
        if self._handle >= 0:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = -1

    def add(self, folder: bytes) -> None:
        """Before the folder is listed, so that nothing falls between. Of the scan's thread. A folder that was
        moved keeps its watch and has its new name from now on."""
        if self._handle < 0 or folder in self._watched:
            return
        with suppress(FileNotFoundError, NotADirectoryError), self._tree.folder(folder) as handle:
            try:
                watch = kernel.watch(self._handle, b"/proc/self/fd/%d" % handle, _MASK)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.ENOMEM):
                    why = f"not all folders are watched ({error.strerror})"
                    self.trouble = f"{why}: others wait for the interval"
                return
            self._watched.discard(self._folders.get(watch, b"/"))
            self._folders[watch] = folder
            self._watched.add(folder)

    def _ready(self) -> None:
        hints = Hints()
        with suppress(BlockingIOError):
            for watch, mask, name in parse(os.read(self._handle, 1 << 16)):
                self._heard(hints, watch, mask, name)
        if hints:
            self._hint(hints)

    def _heard(self, hints: Hints, watch: int, mask: int, name: bytes) -> None:
        if mask & OVERFLOW:
            hints.everything = True
        elif mask & IGNORED:
            self._watched.discard(self._folders.pop(watch, b"/"))
        elif (folder := self._folders.get(watch)) is not None and name and (folder or name not in RESERVED):
            path = joined(folder, name)
            if mask & ISDIR:
                hints.folders.add(path)
                if mask & MOVED_FROM:  # its watches go with it, and get their new names when they are visited
                    below = path + b"/"
                    self._watched = {f for f in self._watched if f != path and not f.startswith(below)}
            elif mask & (CLOSE_WRITE | MOVED_TO):
                hints.closed.add(path)
            else:
                hints.names.add(path)
