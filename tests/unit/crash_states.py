# SPDX-License-Identifier: Apache-2.0
"""crash_states: what flash may hold after a power cut at any instant of a recorded run of file operations.

`Recorder` stands in for the module `os` of the code under test: it does what is asked and writes it down.
`states()` then gives, for every prefix of the record, the folders that a file system may come back with:
content that was not flushed whole, lost, cut in half or zeroed; names that were not flushed moved or not,
each on its own (so a rename may be there without the content, or the content without the rename).
"""
# ruff: noqa: PTH102, PTH104, PTH108, PTH120

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

Names = dict[str, int]  # path to inode, of files only


@dataclass
class Recorder:
    """Gives every attribute of `os`; the calls that change flash are written down."""

    record: list[tuple[Any, ...]] = field(default_factory=list)
    handles: dict[int, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        handle = os.open(path, flags, mode)
        self.handles[handle] = str(path)
        if flags & os.O_CREAT:
            self.record.append(("create", str(path)))
        return handle

    def write(self, handle: int, octets: Any) -> int:
        done = os.write(handle, octets[:100])  # short writes happen
        self.record.append(("write", self.handles[handle], bytes(octets[:done])))
        return done

    def fsync(self, handle: int) -> None:
        os.fsync(handle)
        self.record.append(("fsync", self.handles[handle]))

    def rename(self, old: Any, new: Any) -> None:
        os.rename(old, new)
        self.record.append(("rename", str(old), str(new)))

    def unlink(self, path: Any) -> None:
        os.unlink(path)
        self.record.append(("unlink", str(path)))

    def mkdir(self, path: Any, mode: int) -> None:
        os.mkdir(path, mode)
        self.record.append(("mkdir", str(path)))


def states(before: dict[str, bytes], record: list[tuple[Any, ...]]) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Every (operations done, content of the files by path) that a cut may leave, without repetition.
    `before` is what flash held, flushed. A folder whose own name was not flushed loses its files."""
    seen: set[Any] = set()
    for count in range(len(record) + 1):
        for files in _after(before, record[:count]):
            mark = (count, tuple(sorted(files.items())))
            if mark not in seen:
                seen.add(mark)
                yield count, files


def _after(before: dict[str, bytes], record: list[tuple[Any, ...]]) -> Iterator[dict[str, bytes]]:
    flushed = list(before.values())  # content by inode
    written = list(flushed)
    names: Names = {path: inode for inode, path in enumerate(before)}  # as the running system sees them
    durable: Names = dict(names)
    pending: list[tuple[Any, ...]] = []  # changes of names since their folder was flushed
    for operation, path, *rest in record:
        match operation:
            case "create":
                written.append(b"")
                flushed.append(b"")
                names[path] = len(written) - 1
                pending.append(("link", path, names[path]))
            case "write":
                written[names[path]] += rest[0]
            case "fsync" if path in names:
                flushed[names[path]] = written[names[path]]
            case "fsync":  # a folder
                ready = [change for change in pending if os.path.dirname(change[1]) == path]
                pending = [change for change in pending if change not in ready]
                for change in ready:
                    _apply(durable, change)
            case "rename":
                names[rest[0]] = names.pop(path)
                pending.append(("rename", rest[0], path, names[rest[0]]))
            case "unlink":
                pending.append(("unlink", path, names.pop(path)))
            case "mkdir":
                pending.append(("mkdir", path))
    lost = {change[1] for change in pending if change[0] == "mkdir"}
    for chosen in product((False, True), repeat=len(pending)):
        found = dict(durable)
        missing = set(lost)
        for take, change in zip(chosen, pending, strict=True):
            if take:
                _apply(found, change)
                missing.discard(change[1])
        kept = [path for path in found if os.path.dirname(path) not in missing]
        loose = sorted({found[path] for path in kept if written[found[path]] != flushed[found[path]]})
        for contents in product(*(_variants(flushed[i], written[i]) for i in loose)):
            content = dict(zip(loose, contents, strict=True))
            yield {path: content.get(found[path], flushed[found[path]]) for path in kept}


def _apply(names: Names, change: tuple[Any, ...]) -> None:
    match change:
        case ("link", path, inode):
            names[path] = inode
        case ("rename", new, old, inode):
            names.pop(old, None)
            names[new] = inode
        case ("unlink", path, _):
            names.pop(path, None)


def _variants(flushed: bytes, written: bytes) -> set[bytes]:
    return {flushed, written, bytes(len(written)), written[: len(written) // 2]}
